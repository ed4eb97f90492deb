/* bench/http.h: the client's side of HTTP/1.1, as much of it as confab speaks: answers carry a
 * Content-Length. A measuring tool's own, without one allocation. */
#ifndef CF_BENCH_HTTP_H
#define CF_BENCH_HTTP_H

#include "frame.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *method, *path, *host;
    const char *bearer, *cookie; /* NULL: none; the cookie is session_id */
    const char *body;            /* JSON; NULL: none */
    bool upgrade;                /* to WebSocket, with CF_WS_KEY */
} cf_request_t;

/* Writes the request to out; returns its size, 0 if it does not fit. */
size_t cf_request_write(char *out, size_t max, const cf_request_t *request);

typedef struct {
    int status;
    size_t whole;      /* of head and body */
    cf_slice_t cookie; /* value of the cookie session_id that it sets */
    cf_slice_t body;
    bool closes;  /* the connection ends with it */
    bool accepts; /* the upgrade, with the answer to CF_WS_KEY */
} cf_answer_t;

/* The answer at the start of bytes: 1; 0 if it is not there completely; -1 if it is none. */
int cf_answer_read(cf_answer_t *out, const char *bytes, size_t size);

#endif
