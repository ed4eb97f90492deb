/* bench/nats.h: as much of the NATS client protocol as a member of a room needs
 * (https://docs.nats.io/reference/reference-protocols/nats-protocol). A measuring tool's own, without one
 * allocation. */
#ifndef CF_BENCH_NATS_H
#define CF_BENCH_NATS_H

#include "frame.h"

#include <stddef.h>
#include <stdint.h>

#define CF_NATS_LINE_MAX 4096
#define CF_NATS_AROUND_MAX 128 /* what PUB adds to its payload, with a subject of at most 64 */

typedef enum {
    CF_NATS_INFO,
    CF_NATS_MSG,
    CF_NATS_PING,
    CF_NATS_PONG,
    CF_NATS_OK,
    CF_NATS_ERR,
} cf_nats_kind_t;

typedef struct {
    cf_nats_kind_t kind;
    cf_slice_t subject, payload; /* MSG */
} cf_nats_op_t;

/* The operation at the start of bytes: its size; 0 if it is not there completely; -1 if it is none that
 * a server may send to us. */
int cf_nats_read(cf_nats_op_t *out, const uint8_t *bytes, size_t size);

/* Each writes what its name says and returns its size. */
size_t cf_nats_write_connect(uint8_t *out, const char *subject); /* CONNECT, SUB, PING */
size_t cf_nats_write_pub(uint8_t *out, const char *subject, const char *payload, size_t size);
size_t cf_nats_write_pong(uint8_t *out);

#endif
