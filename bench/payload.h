/* bench/payload.h: the text of a test post, which proves by itself who wrote it and that it is
 * whole: L|run|writer|n|len|crc32|pad n counts the writer's posts from 1; len and crc32 (hex) are
 * those of pad. pad starts with the time the post was due, 20 digits of CLOCK_MONOTONIC
 * nanoseconds, so that latency needs no look-up. Beyond 1,000 bytes the rest of pad is characters of
 * four bytes, as a post has 1,000 characters at most.
 *
 * Below CF_PAYLOAD_LONG bytes there is no room for that: S|, then 28 characters of base64url that hold
 * the same (run 48 bits, writer 24, n 32, time in microseconds 48, check 16), then the pad. */
#ifndef CF_PAYLOAD_H
#define CF_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_PAYLOAD_MIN 32
#define CF_PAYLOAD_LONG 80
/* A frame of confab around 3,700 bytes; so many fit into 1,000 characters. */
#define CF_PAYLOAD_MAX 4200
#define CF_PAYLOAD_SHORT_RUN_BITS 48

typedef struct {
    uint64_t run;
    uint32_t writer, n, crc;
    int64_t due_ns;
} cf_payload_t;

/* Writes exactly `size` characters (CF_PAYLOAD_MIN..MAX) to out, no NUL, and sets payload->crc. */
void cf_payload_write(char *out, size_t size, cf_payload_t *payload);

/* Whether it begins as one does. */
bool cf_payload_claims(const char *text, size_t size);

/* False if text is not a payload, or not a whole one. */
bool cf_payload_read(cf_payload_t *out, const char *text, size_t size);

uint32_t cf_crc32(const void *bytes, size_t size); /* IEEE 802.3, as zlib */

#endif
