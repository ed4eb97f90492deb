/* web/web.h: the files of the chat page, compiled into the binary. */
#ifndef CF_WEB_H
#define CF_WEB_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *path;         /* as requested: "/", "/assets/app.0123456789abcdef.js" */
    const char *content_type; /* whole header value */
    const char *etag;         /* whole header value, quotes included */
    bool is_immutable;        /* other bytes will have another path */
    const unsigned char *bytes;
    size_t size;
} cf_web_file_t;

/* The Content-Security-Policy the page needs: its own files and its own server, nothing inline, and no
 * markup made of strings. 'self' covers ws: and wss: of the same host. */
#define CF_WEB_CSP                                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "                                \
    "require-trusted-types-for 'script'; trusted-types 'none'"

/* The file at path (size bytes, compared exactly, no decoding), or NULL. */
const cf_web_file_t *cf_web_find(const char *path, size_t size);

/* Where a path that pages once had has its page; NULL: none. */
const char *cf_web_find_moved(const char *path, size_t size);

#endif
