/* transports/http/listener.h: one listening socket of a gateway's loop.
 *
 * Ours and not lws', which would listen on every address whatever it is told. Several gateways bind
 * the same port (SO_REUSEPORT). When descriptors run out it gives up a spare one to accept and
 * refuse, so that the loop never spins on a connection it cannot take; when even that fails it
 * rests until cf_listener_rest_over(). */
#ifndef CF_LISTENER_H
#define CF_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#define CF_LISTENER_ACCEPTS 64 /* per wake-up, so that open connections get their turn */

/* A new connection, non-blocking; the callback owns fd. */
typedef void cf_accept_fn(void *owner, int fd, const struct sockaddr *peer);

/* SO_SNDBUF and SO_RCVBUF; Linux gives twice as much. 0: as the kernel likes, which lets a receive buffer grow
 * to the last figure of net.ipv4.tcp_rmem, 6 MiB or more. */
typedef struct {
    int send_bytes, receive_bytes;
} cf_socket_buffers_t;

typedef struct {
    uv_poll_t poll;
    int fd, spare_fd; /* -1: none */
    int port;
    bool resting, polled; /* polled: `poll` was given to the loop */
    cf_accept_fn *on_accept;
    void *owner;
    uint64_t refused; /* connections dropped for want of a descriptor */
} cf_listener_t;

/* Bind to exactly `listen` ("host:port", "[::1]:80"). "[::]:80" is every interface, IPv4 too, and 0.0.0.0
 * where there is no IPv6. joins: a listener of this process has the port already and is to share it; else the
 * port must be free. Every connection has these buffers. Returns 0; CF_ERANGE: not such a text; CF_EIO: cannot
 * bind. */
int cf_listener_bind(cf_listener_t *self, const char *listen, bool joins,
                     cf_socket_buffers_t buffers);
/* Accept from now on. Returns 0; CF_ENOMEM, and it is closed. */
int cf_listener_start(cf_listener_t *self, uv_loop_t *loop, cf_accept_fn *on_accept, void *owner);
void cf_listener_rest_over(cf_listener_t *self); /* once a second */
/* Stop for good. `self` must live until the loop has run its closing callbacks. */
void cf_listener_close(cf_listener_t *self);

#endif
