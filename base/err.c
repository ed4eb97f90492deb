#include "err.h"

const char *cf_err_text(int code)
{
    if (code >= 0)
        return "no error";
    switch (code) {
#define X(name, number, text)                                                                      \
    case name:                                                                                     \
        return text;
        CF_ERR_MAP(X)
#undef X
    }
    return "unknown error";
}
