# CONFAB_VERSION and CONFAB_DATE as cmake/version says, asked again at each configuration.
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/version OUTPUT_VARIABLE said OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "^([^ ]+) ([0-9]+)$" said "${said}")
set(CONFAB_VERSION ${CMAKE_MATCH_1})
set(CONFAB_DATE ${CMAKE_MATCH_2})
