# Turns one file into a C array. Run as a script at build time:
#   cmake -DFILE=docs/openapi.json -DNAME=cf_openapi -DOUT=file.c -P embed.cmake
# gives  const unsigned char cf_openapi[];  const size_t cf_openapi_size;
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUT} "#include <stddef.h>\n\nextern const unsigned char ${NAME}[];\nextern const size_t ${NAME}_size;\nconst unsigned char ${NAME}[] = {\n${hex}};\nconst size_t ${NAME}_size = sizeof ${NAME};\n")
