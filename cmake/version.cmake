# CONFAB_VERSION: that of a tag vX.Y.Z if this commit has one; else what PROJECT_VERSION is going to be, with the time of the
# commit, which sorts, and its name: 0.2.0-dev.20261129014415+gabc1234, and -dirty if anything is changed besides.
# CONFAB_DATE: the commit's, seconds since 1970, for what carries a date. An exported tree has both from git too (.gitattributes);
# -DCONFAB_VERSION=... says it where there is neither.
set(CONFAB_VERSION "" CACHE STRING "version; empty: what git says")
set(exported "$Format:%(describe:tags,match=v*,abbrev=7)$ $Format:%h$ $Format:%ct$")

function(cf_git out)
    execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} ${ARGN} OUTPUT_VARIABLE said ERROR_QUIET RESULT_VARIABLE result
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT result EQUAL 0)
        set(said "")
    endif()
    set(${out} "${said}" PARENT_SCOPE)
endfunction()

function(cf_version version date)
    set(dirty "")
    if(EXISTS ${CMAKE_SOURCE_DIR}/.git)
        cf_git(tag describe --tags --exact-match --match v*)
        cf_git(commit rev-parse --short=7 HEAD)
        cf_git(seconds show -s --format=%ct HEAD)
        cf_git(changes status --porcelain --untracked-files=no)
        if(changes)
            set(dirty -dirty)
        endif()
    elseif(exported MATCHES "^([^$ ]*) ([0-9a-f]+) ([0-9]+)$")
        set(tag ${CMAKE_MATCH_1})
        set(commit ${CMAKE_MATCH_2})
        set(seconds ${CMAKE_MATCH_3})
    endif()
    if(tag MATCHES "^v([0-9]+\\.[0-9]+\\.[0-9]+)$" AND NOT dirty)
        set(said ${CMAKE_MATCH_1})
    elseif(commit)
        set(ENV{SOURCE_DATE_EPOCH} ${seconds}) # what string(TIMESTAMP) tells
        string(TIMESTAMP moment %Y%m%d%H%M%S UTC)
        set(said ${PROJECT_VERSION}-dev.${moment}+g${commit}${dirty})
    else()
        set(said ${PROJECT_VERSION}-dev)
        set(seconds 0)
    endif()
    set(${version} ${said} PARENT_SCOPE)
    set(${date} ${seconds} PARENT_SCOPE)
endfunction()

cf_version(said CONFAB_DATE)
if(NOT CONFAB_VERSION)
    set(CONFAB_VERSION ${said}) # not in the cache: asked again the next time
endif()
