/* bench/engineio.h: as much of engine.io 4 and socket.io 5 over one WebSocket as a member of a room needs
 * (https://socket.io/docs/v4/engine-io-protocol/, .../socket-io-protocol/). One frame is one packet. */
#ifndef CF_BENCH_ENGINEIO_H
#define CF_BENCH_ENGINEIO_H

#include "frame.h"

#include <stddef.h>

#define CF_ENGINEIO_AROUND_MAX 16 /* what an event adds to its text */

typedef enum {
    CF_ENGINEIO_OPEN,    /* 0{...}: the connection's own handshake */
    CF_ENGINEIO_PING,    /* 2 */
    CF_ENGINEIO_CONNECT, /* 40{...}: in the namespace */
    CF_ENGINEIO_EVENT,   /* 42["m","text"] */
} cf_engineio_kind_t;

typedef struct {
    cf_engineio_kind_t kind;
    cf_slice_t text; /* EVENT */
} cf_engineio_packet_t;

/* False if it is no packet that a server may send to us, or not a whole one. */
bool cf_engineio_read(cf_engineio_packet_t *out, const char *text, size_t size);

/* An event with this text, which holds nothing that JSON escapes; returns its size. */
size_t cf_engineio_write_event(char *out, const char *text, size_t size);

#define CF_ENGINEIO_PONG "3"
#define CF_ENGINEIO_CONNECT_TEXT "40"

#endif
