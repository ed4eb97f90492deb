/* base/id.h: 128-bit ids of rooms, users, posts and sessions (UUID, RFC 9562). */
#ifndef CF_ID_H
#define CF_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_ID_SIZE 16
#define CF_ID_TEXT 36 /* characters of the hyphenated text form, without NUL */

typedef struct {
    uint8_t bytes[CF_ID_SIZE]; /* big-endian, as printed */
} cf_id_t;

/* A version 7 id: the first 48 bits are at_us in milliseconds, 74 bits are random. */
cf_id_t cf_id_new(int64_t at_us);
/* The least id of the millisecond that at_us lies in: no id made before it is greater. */
cf_id_t cf_id_least(int64_t at_us);
/* Writes 36 characters and a NUL. */
void cf_id_text(cf_id_t id, char out[CF_ID_TEXT + 1]);
/* Reads the canonical form only: 36 characters, lower case, hyphens in place. Any version is taken.
 * Returns 0, or CF_EPROTO and leaves *out as it was. */
int cf_id_parse(cf_id_t *out, const char *text, size_t size);
bool cf_id_is_zero(cf_id_t id);
bool cf_id_equal(cf_id_t a, cf_id_t b);
int cf_id_compare(cf_id_t a, cf_id_t b); /* as memcmp */

#endif
