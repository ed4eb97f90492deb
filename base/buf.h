/* base/buf.h: a byte buffer that grows.
 *
 * Zero it to make an empty one; cf_buf_free() leaves it empty again. Every append either adds all
 * its bytes or returns CF_ENOMEM and leaves the buffer as it was. */
#ifndef CF_BUF_H
#define CF_BUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data; /* owned; NULL while cap is 0 */
    size_t size;   /* bytes in use */
    size_t cap;    /* bytes allocated */
} cf_buf_t;

/* Make room for `more` bytes behind size. Returns 0 or CF_ENOMEM. */
int cf_buf_reserve(cf_buf_t *buf, size_t more);
int cf_buf_add(cf_buf_t *buf, const void *bytes, size_t size);
int cf_buf_add_byte(cf_buf_t *buf, uint8_t byte);
int cf_buf_add_text(cf_buf_t *buf, const char *text); /* without the NUL */
int cf_buf_addf(cf_buf_t *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first `count` bytes (all of them when count >= size). */
void cf_buf_consume(cf_buf_t *buf, size_t count);
void cf_buf_clear(cf_buf_t *buf); /* size = 0, memory kept */
void cf_buf_free(cf_buf_t *buf);

#endif
