/* base/err.h: every way a call or a request can fail; one list for code, wire and log.
 *
 * A function that can fail returns 0 (or a count), or one of these as a negative number. The same
 * numbers travel in REFUSED messages, so they are never renumbered. */
#ifndef CF_ERR_H
#define CF_ERR_H

#define CF_ERR_MAP(X)                                                                              \
    X(CF_EPROTO, 1, "not well-formed")                                                             \
    X(CF_ERANGE, 2, "out of bounds")                                                               \
    X(CF_ENOMEM, 3, "out of memory")                                                               \
    X(CF_EIO, 4, "storage failed")                                                                 \
    X(CF_EPERM, 5, "not allowed")                                                                  \
    X(CF_ENOENT, 6, "not found")                                                                   \
    X(CF_EEXIST, 7, "already exists")                                                              \
    X(CF_EAGAIN, 8, "not now")                                                                     \
    X(CF_EFULL, 9, "a bound is reached")                                                           \
    X(CF_ESTALE, 10, "stale epoch")                                                                \
    X(CF_ETIME, 11, "deadline passed")                                                             \
    X(CF_EMOVED, 12, "not here any more")                                                          \
    X(CF_ECONFLICT, 13, "same key, other content")                                                 \
    X(CF_EUNCONFIRMED, 14, "not confirmed, retry with the same key")                               \
    X(CF_ECLOSING, 15, "shutting down")                                                            \
    X(CF_EAUTH, 16, "not authenticated")                                                           \
    X(CF_EINTERNAL, 17, "internal error")                                                          \
    X(CF_ELIMIT, 18, "rate limit exceeded")

typedef enum {
#define X(name, number, text) name = -(number),
    CF_ERR_MAP(X)
#undef X
} cf_err_t;

/* The text of an error code; "no error" for 0 and above, "unknown error" for a code not listed. */
const char *cf_err_text(int code);

#endif
