/* bench/stream.h: packets that begin and end anywhere in the frames that carry them. */
#ifndef CF_BENCH_STREAM_H
#define CF_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_PART_MAX 8192 /* the longest packet that may come in pieces */

typedef struct {
    uint8_t *part; /* CF_PART_MAX, of a packet that is not there completely; the caller's */
    size_t size;
} cf_stream_t;

/* Handles the packet at the start of bytes: its size, 0 if it is not there completely, -1 if it is
 * none. */
typedef int cf_packet_fn(void *context, const uint8_t *bytes, size_t size);

/* Hands on every packet that is complete with these bytes. False if something is no packet, or in
 * pieces and too long. */
bool cf_stream_take(cf_stream_t *self, const uint8_t *bytes, size_t size, cf_packet_fn *handle,
                    void *context);

#endif
