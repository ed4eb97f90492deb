/* bench/payload.h: the text of a test post, which proves by itself who wrote it and that it is
 * whole: L|run|writer|n|len|crc32|pad n counts the writer's posts from 1; len and crc32 (hex) are
 * those of pad. pad starts with the time the post was due, 20 digits of CLOCK_MONOTONIC
 * nanoseconds, so that latency needs no look-up. */
#ifndef CF_PAYLOAD_H
#define CF_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_PAYLOAD_MIN 80
#define CF_PAYLOAD_MAX 1000

typedef struct {
    uint64_t run;
    uint32_t writer, n, crc;
    int64_t due_ns;
} cf_payload_t;

/* Writes exactly `size` characters (CF_PAYLOAD_MIN..MAX) to out, no NUL, and sets payload->crc. */
void cf_payload_write(char *out, size_t size, cf_payload_t *payload);

/* False if text is not a payload, or not a whole one. */
bool cf_payload_read(cf_payload_t *out, const char *text, size_t size);

uint32_t cf_crc32(const void *bytes, size_t size); /* IEEE 802.3, as zlib */

#endif
