/* transports/http/tls.h: TLS in front of a server's clients, in the server's own loop.
 *
 * The server reads HTTP itself and libwebsockets reads frames, both from a socket with plaintext.
 * So each client that has shaken hands gets a pair of connected sockets: one end is handed to the
 * server as if it were the client's own, the other stays here, and bytes are carried to and from
 * TLS. A side that cannot take any more stops the reading of the other, so a slow client is as slow
 * for the server as without TLS.
 *
 * What one side does, the other sees: close_notify or the end of the stream is an end of the
 * stream, a reset is the end of both directions. When the server has closed its end, what is on
 * the way is sent, then close_notify; then the client's end is waited for, so that no reset eats
 * the last bytes.
 *
 * Of one client it holds at most CF_TLS_STEP bytes of plaintext and CF_TLS_UNSENT_MAX of
 * ciphertext, beside OpenSSL's state and its one record; the kernel holds the pair's buffers. A
 * client takes one descriptor until it has shaken hands, then three; and no memory to speak of until
 * its first message has come whole. */
#ifndef CF_TLS_H
#define CF_TLS_H

#include "certificate.h"
#include "server.h"
#include "wheel.h"

#include <sys/socket.h>
#include <uv.h>

#define CF_TLS_STEP 15360       /* plaintext carried at a time; its record fits into 16 KiB */
#define CF_TLS_UNSENT_MAX 16384 /* near it, no input that may make us answer is read */
#define CF_TLS_HANDSHAKES 16    /* steps of handshakes in a pass; the dearest is a signature */

typedef struct {
    cf_certificate_config_t certificate;
    int handshake_ms; /* from the accept to the end of the handshake */
    int stall_ms;     /* the server has closed and the client takes nothing: reset */
    int close_ms;     /* the last byte is out: wait so long for the client's end */
} cf_tls_config_t;

typedef struct cf_tls_link cf_tls_link_t;

typedef struct {
    /* The plaintext of a client that has shaken hands; the callee owns fd and closes it, and gives
     * link back by cf_tls_let_go(). */
    void (*on_open)(void *owner, int fd, const struct sockaddr *peer, cf_tls_link_t *link);
    /* Once for each accepted client: it holds no descriptor any more. */
    void (*on_end)(void *owner, void *seat);
} cf_tls_events_t;

typedef struct cf_tls cf_tls_t;

/* config and events are copied; owner and stats are borrowed for life, as are loop and wheel.
 * Returns 0; CF_ERANGE (no good pair of certificate and key; logged); CF_ENOMEM. */
int cf_tls_new(cf_tls_t **out, const cf_tls_config_t *config, const cf_tls_events_t *events,
               void *owner, uv_loop_t *loop, cf_wheel_t *wheel, cf_tls_stats_t *stats);
/* Take over an accepted non-blocking socket; seat is given back by on_end. */
void cf_tls_accept(cf_tls_t *self, int fd, const struct sockaddr *peer, void *seat);
/* The short way out: straight into TLS, behind all that was written to fd, instead of through the pair.
 * Writes to fd are still allowed; what is written here must not cut one of their messages in two.
 * Returns 1: taken, though a part may be held, see cf_tls_holds(); 0: not now, as something is
 * held; -1: the client is gone, which fd will tell too. */
int cf_tls_write(cf_tls_link_t *link, const uint8_t *bytes, size_t size);
bool cf_tls_holds(const cf_tls_link_t *link);
/* Called whenever nothing is held any more, in the middle of an event: to note it, not to write. */
void cf_tls_on_room(cf_tls_link_t *link, void (*on_room)(void *arg), void *arg);
/* Bytes of plaintext handed to the server so far. */
uint64_t cf_tls_carried(const cf_tls_link_t *link);
void cf_tls_let_go(cf_tls_link_t *link); /* accepts NULL */
/* A pass of the loop begins: handshakes may go on. */
void cf_tls_pass(cf_tls_t *self);
/* Read certificate and key again, for clients that come from now on. Returns 0; CF_ERANGE or
 * CF_ENOMEM (logged, counted), and the old pair stays. */
int cf_tls_reload(cf_tls_t *self);
/* Send what the ends in the server's hands have left, as far as the clients take it at once, and
 * end every client. Run the loop afterwards. Accepts NULL. */
void cf_tls_destroy(cf_tls_t **self);

#endif
