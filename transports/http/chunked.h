/* transports/http/chunked.h: a request body in the chunked coding, RFC 9112, 7.1.
 *
 * As strict as the head: what another server might read differently, and so see the next request
 * begin elsewhere, is refused. No blanks around a chunk's size, CRLF at the end of every line, no
 * folded trailer. Extensions and trailers are checked for syntax, bounded and forgotten. */
#ifndef CF_CHUNKED_H
#define CF_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#define CF_CHUNK_DIGITS_MAX 16     /* of a chunk's size; more are no number */
#define CF_CHUNKED_EXTRAS_MAX 4096 /* bytes of all extensions and trailers of one body */

typedef struct {    /* begin with {.max = ...}; the rest zero */
    uint64_t max;   /* bytes of content */
    uint64_t left;  /* of the chunk; its size so far while that is read */
    uint64_t total; /* content of all chunks begun */
    size_t extras;
    int digits, state;
} cf_chunked_t;

/* Decodes the next bytes, however they are cut, in place: the content among them is moved to their
 * beginning, *made bytes; *used is how far they belong to the body. Returns 1 when the body ended,
 * 0 when all bytes were used and more are needed; CF_EPROTO: not the coding; CF_ERANGE: more than
 * max; CF_EFULL: more extras than may be. After an error there is nothing to go on with. */
int cf_chunked_decode(cf_chunked_t *self, uint8_t *bytes, size_t size, size_t *used, size_t *made);

#endif
