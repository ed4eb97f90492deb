/* web/web.h: the files of the plain chat page, compiled into the binary. */
#ifndef CF_WEB_H
#define CF_WEB_H

#include <stddef.h>

typedef struct {
    const char *path;         /* as requested: "/", "/app.js" */
    const char *content_type; /* whole header value */
    const unsigned char *bytes;
    size_t size;
} cf_web_file_t;

/* The Content-Security-Policy the page needs: its own files and its own server, nothing inline. */
#define CF_WEB_CSP "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

/* The file at path (size bytes, compared exactly, no decoding), or NULL. */
const cf_web_file_t *cf_web_find(const char *path, size_t size);

#endif
