# Compiler flags that every target gets: warnings, hardening, sanitizers.
include(CheckCCompilerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG") # with symbols: a core from the field must be readable
# Across files: what is called for each byte, field and message is small and lives in base/ and transports/wire/.
include(CheckIPOSupported)
check_ipo_supported(RESULT has_ipo LANGUAGES C OUTPUT ipo_problem)
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE ${has_ipo})
option(BUILD_TESTING "build the tests" ON)
option(CONFAB_WERROR "warnings are errors" OFF)
option(CONFAB_CRASH_POINTS "compile the named crash points in (tests only)" OFF)
option(CONFAB_FUZZ "build the fuzz targets (clang)" OFF)
set(CONFAB_SANITIZE "" CACHE STRING "address,undefined or thread")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
                    -Wvla -Wundef -Wpointer-arith -Wwrite-strings)
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.) # the same binary from any folder
add_link_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)    # which compiles as well, across files
if(CONFAB_WERROR)
    add_compile_options(-Werror)
endif()
if(CONFAB_CRASH_POINTS)
    add_compile_definitions(CONFAB_CRASH_POINTS)
endif()

# Hardening. What a processor lacks (CET on ARM) is left out; tests/lint/hardening reads the linked
# binary, as flags alone prove nothing.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)
set(CMAKE_REQUIRED_FLAGS -Werror) # clang takes a flag of another processor, and warns at every file
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection
             -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
    check_c_compiler_flag(${flag} ${have})
    if(${have})
        add_compile_options(${flag})
    endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
if(NOT CONFAB_SANITIZE) # its runtime stands in front of some libraries, libcrypt among them, and needs them
    add_link_options(-Wl,--as-needed)
endif()
if(HAVE_fcf_protection)
    # Debian's start files carry no CET mark, so the linker would drop it from the binary. A shadow
    # stack asks nothing of them; for indirect branches they lack the landing, so that is not forced.
    add_link_options(-Wl,-z,shstk)
endif()

if(CONFAB_SANITIZE)
    # Undefined behaviour ends the process like any other finding: a line in a log proves nothing.
    add_compile_options(-fsanitize=${CONFAB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CONFAB_SANITIZE})
else()
    # Needs optimisation. Level 3 also checks sizes known only at run time; gcc 12 has it, clang 14 not.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
        set(fortify 3)
    else()
        set(fortify 2)
    endif()
    add_compile_options($<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=${fortify}>)
endif()
if(CONFAB_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link) # coverage in the libraries, main() in the targets
endif()
