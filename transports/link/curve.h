/* transports/link/curve.h: TCP between nodes, encrypted, and only with those whose keys are known.
 *
 * A ROUTER that others connect to, and a line (a DEALER) to each that is connected to. Who connects is let in by its
 * key (ZAP, ZeroMQ RFC 27); libzmq ends the connection of everybody else: another mechanism, an older protocol, bytes that
 * are none, a frame over frame_max, no handshake within handshake_ms. Who listens is known to who connects by its key.
 * Whole frames are taken as they are, and some may be lost when a connection ends: see link/reliable.h.
 *
 * Belongs to one thread at a time. One for each bus: the ZAP handler has a fixed name. */
#ifndef CF_CURVE_H
#define CF_CURVE_H

#include "link/bus.h"
#include "model_limits.h"

#include <stddef.h>

#define CF_CURVE_FRAMES_MAX 256 /* whole ones that libzmq keeps for one connection, each way */
#define CF_CURVE_NAME_MAX 255   /* bytes of libzmq's name for a connection */

typedef struct cf_curve cf_curve_t;
typedef struct cf_line cf_line_t;

/* A pair of new keys, Z85 with NUL. 0, or CF_EIO: libzmq was built without CURVE. */
int cf_curve_new_keys(char secret_key[CF_NODE_KEY_SIZE + 1], char public_key[CF_NODE_KEY_SIZE + 1]);

typedef struct {
    const char *listen;         /* host:port; port 0: a free one */
    const char *secret_key;     /* Z85 */
    const char *const *allowed; /* public keys, Z85; borrowed for the life of it */
    size_t allowed_count;
    int64_t frame_max; /* bytes */
    int handshake_ms;
    int heartbeat_ms; /* a quiet connection is asked so often whether it lives, */
    int silence_ms;   /* and ends without any sign of life for so long */
} cf_curve_config_t;

/* Binds. 0, CF_ENOMEM, CF_ERANGE (the secret key is none), CF_EIO (cannot be bound; says so in the log). */
int cf_curve_open(cf_curve_t **out, const cf_bus_t *bus, const cf_curve_config_t *config);
void cf_curve_close(cf_curve_t **self); /* and all its lines */

const char *cf_curve_endpoint(const cf_curve_t *self); /* tcp://HOST:PORT that it is bound to */
const char *cf_curve_public_key(const cf_curve_t *self);
bool cf_curve_allows(const cf_curve_t *self, const char *key);
uint64_t cf_curve_refused(const cf_curve_t *self); /* handshakes with a key that is not known */

/* Connect to who listens at endpoint and has that key, again and again; nothing is sent before it is connected.
 * 0, CF_ENOMEM, CF_EIO, CF_ERANGE (key or endpoint are none). */
int cf_curve_dial(cf_curve_t *self, cf_line_t **out, const char *endpoint, const char *key);
void cf_curve_hang_up(cf_curve_t *self, cf_line_t **line);

/* Over which connection: a line, or one that was accepted. */
typedef struct {
    cf_line_t *line; /* NULL: accepted, and `name` is libzmq's for it */
    uint8_t name_size;
    uint8_t name[CF_CURVE_NAME_MAX];
} cf_way_t;

typedef struct {
    const uint8_t *bytes; /* borrowed until the next call */
    size_t size;
    char key[CF_NODE_KEY_SIZE + 1]; /* of who has sent it */
    cf_way_t way;
} cf_curve_frame_t;

/* Wait until something can be read, a line that was full takes more, fd is readable, or the time is over (-1: never).
 * Answers who asks for leave to connect. */
void cf_curve_wait(cf_curve_t *self, int fd, int timeout_ms);
/* Of what was there when the last wait ended. 1; 0: no more. CF_EPROTO: a message of several parts, which
 * nobody here sends; key and way say whose. */
int cf_curve_read(cf_curve_t *self, cf_curve_frame_t *out);
/* Copied. 1: taken. 0: not now; cf_curve_wait() returns when a line may take it, and is not told when an accepted
 * connection does. CF_ENOENT: there is no such connection any more. */
int cf_curve_send(cf_curve_t *self, const cf_way_t *way, const void *bytes, size_t size);

#endif
