/* transports/http/server_state.h: the inside of a server, shared by its parts only:
 * server.c (the loop and its passes), client.c (HTTP), websocket.c (WebSockets by libwebsockets).
 *
 * A client is a socket that speaks HTTP. Each of its requests is a conn that the owner answers; a
 * granted upgrade ends the client and the conn lives on as a WebSocket. Nothing is freed and no
 * owner is told of an end in the middle of a callback: conns with something to settle line up in
 * `turns`, and server.c takes them at the end of the loop pass. */
#ifndef CF_SERVER_STATE_H
#define CF_SERVER_STATE_H

#include "address.h"
#include "buf.h"
#include "gathering.h"
#include "listener.h"
#include "outgoing.h"
#include "server.h"
#include "tls.h"
#include "wheel.h"

#include <uv.h>

struct lws;
struct lws_context;
struct lws_vhost;

#define CF_GATHER_MAX 65536 /* bytes of frames in one write; also lws' tx_packet_size */

typedef enum {
    CF_CONN_WAITING,   /* the owner has it and has not answered */
    CF_CONN_ANSWERED,  /* respond was called; the client sends it at the end of the pass */
    CF_CONN_UPGRADING, /* upgrade was called */
    CF_CONN_OPEN,      /* a WebSocket */
    CF_CONN_CLOSING,   /* a WebSocket that got its Close; nothing more is queued or delivered */
    CF_CONN_DOOMED,    /* a WebSocket to be cut at the end of the pass */
    CF_CONN_GONE       /* only on_gone is left */
} cf_conn_state_t;

typedef struct cf_client cf_http_client_t;

struct cf_conn {
    /* What a delivery touches comes first: with thousands of members every cache line counts. */
    cf_server_t *server;
    struct lws *wsi;     /* NULL unless a WebSocket */
    cf_tls_link_t *link; /* of a WebSocket over TLS: its frames go there, not to lws; else NULL */
    cf_conn_state_t state;
    bool is_upgrade, paused, in_message, reset, peer_closed;
    bool asked_lws;  /* to say when the socket takes more, and it has not yet */
    bool serves;     /* a WebSocket since on_open, until neither side has begun to close it */
    cf_ring_t dirty; /* in server->dirty: frames wait for the flush */
    cf_outgoing_t out;
    size_t in_lws;     /* bytes of the last write, of which lws or TLS still holds a part; else 0 */
    int64_t in_lws_ms; /* when their oldest frame was queued */
    size_t counted;    /* of queued bytes, what the gauge holds */
    void *owner_data;
    cf_http_client_t
        *client;      /* whose request it is; NULL as a WebSocket, or when the socket is gone */
    cf_gone_t why;    /* what on_gone will say */
    cf_ring_t turn;   /* in server->turns */
    cf_ring_t corked; /* in server->corked: its 101 waits for a frame */
    cf_ring_t place;  /* in server->websockets */
    cf_peer_address_t *address; /* as for cf_server_leave() */
    /* WebSocket only */
    cf_timer_t timer;    /* pings, idle, age of the queue, close deadline */
    cf_buf_t message;    /* fragments so far; websocket.c alone changes it, as the pool counts it */
    int64_t message_ms;  /* when its first byte came */
    size_t discarded;    /* bytes that came behind our Close */
    int64_t heard_ms;    /* last sign of life */
    int64_t pinged_ms;   /* last ping */
    uint64_t received;   /* bytes read from the socket until then, */
    uint64_t taken;      /* and of messages since, with their heads */
    int64_t close_by_ms; /* once closing */
};

struct cf_server {
    cf_server_config_t config;
    cf_server_events_t events;
    void *owner;
    cf_server_stats_t stats;
    uv_loop_t loop;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t again; /* runs while the owner has more in its inbox, or a pass left work */
    uv_poll_t inbox, flush_poll;
    int flush_timer; /* a timerfd: uv's timers know milliseconds alone */
    cf_gathering_t gathering;
    uv_timer_t second, cork_timer;
    bool inbox_more, in_pass, stopping, flush_waits, flush_due, has_loop, has_inbox;
    cf_listener_t listener;
    cf_tls_t *tls; /* NULL: clients speak plain HTTP */
    char hsts[64]; /* header line for every answer; "" */
    cf_addresses_t addresses;
    cf_wheel_t wheel;
    int refused_open; /* sockets that only still get their 503; not among open_sockets */
    cf_ring_t turns, dirty, clients, websockets;
    cf_ring_t corked;
    cf_ring_t spent_clients; /* to be freed at the end of the pass */
    char date[40];           /* of the Date header */
    int64_t date_s;
    cf_server_stats_t reported; /* the counters at the last line about refused clients */
    uint64_t reported_no_fd;
    int seconds;
    int64_t second_ms; /* when the latest of them began */
    bool held_up;      /* and was not counted: the loop had not turned */
    /* libwebsockets */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    cf_conn_t *adopting; /* the conn whose upgrade lws is doing in this very call */
    cf_frame_t *ping;
    uint8_t *gather;       /* LWS_PRE + CF_GATHER_MAX bytes */
    cf_frame_t **gathered; /* frames whose bytes are in `gather` now; one reference each */
    uint32_t gathered_count;
    uint8_t scratch[16384]; /* input on its way into a buffer, or thrown away */
};

/* server.c */
cf_conn_t *cf_conn_new(cf_server_t *server, cf_http_client_t *client); /* NULL: out of memory */
void cf_conn_turn(cf_conn_t *conn);                /* see to it at the end of this pass */
void cf_conn_gone(cf_conn_t *conn, cf_gone_t why); /* on_gone at the end of this pass */
const char *cf_server_date(cf_server_t *server);   /* the value of the Date header */
/* An admitted connection ends. NULL: it was not counted, or TLS in front of it still counts it. */
void cf_server_leave(cf_server_t *server, cf_peer_address_t *address);
/* The loop's clock (CLOCK_MONOTONIC, read when its poll returns). Not the boot clock: a machine
 * that was suspended has not given its clients a chance to show life. */
static inline int64_t cf_server_now_ms(const cf_server_t *server)
{
    return (int64_t)uv_now(&server->loop);
}

/* client.c */
/* Take over a socket with plaintext. address: as for cf_server_leave(). refuse: it is over the
 * connection cap and only gets a 503. */
void cf_client_accept(cf_server_t *server, int fd, const struct sockaddr *peer,
                      cf_peer_address_t *address, cf_tls_link_t *link, bool refuse);
void cf_client_answered(cf_conn_t *conn); /* its response is ready: send it and go on */
/* Takes the socket out of an upgrading request; *key is the client's Sec-WebSocket-Key. The client
 * is gone afterwards. */
int cf_client_release(cf_conn_t *conn, char key[25]);
void cf_client_second(cf_server_t *server);
void cf_client_free_spent(cf_server_t *server);
void cf_client_destroy_all(cf_server_t *server);

/* websocket.c */
int cf_websocket_start(cf_server_t *server); /* the lws context; CF_ENOMEM */
void cf_websocket_stop(cf_server_t *server); /* ends every WebSocket; run the loop after it, then */
void cf_websocket_free_context(cf_server_t *server);
void cf_websocket_open(cf_conn_t *conn); /* a granted upgrade: 101 */
void cf_websocket_flush(cf_conn_t *conn);
void cf_websocket_forget_gathered(cf_server_t *server); /* lets go of its frames */
void cf_websocket_cut(cf_conn_t *conn);                 /* a doomed one */
void cf_websocket_turn(cf_conn_t *conn); /* tells the owner of one that is being closed, once */
void cf_websocket_second(cf_server_t *server);
void cf_websocket_free(cf_conn_t *conn); /* what the conn holds */

#endif
