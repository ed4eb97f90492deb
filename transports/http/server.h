/* transports/http/server.h: the HTTP and WebSocket server of one gateway thread.
 *
 * Owns its uv loop, its lws context, its listeners and every client socket. It checks what no
 * application rule is needed for (head syntax, smuggling, handshake, frame size, UTF-8, deadlines,
 * connection caps) and hands whole requests and whole messages to its owner. Nothing of a WebSocket
 * client is read before its owner has called cf_conn_upgrade(). All calls on the thread that runs it.
 *
 * A cf_conn_t is one HTTP request or one WebSocket. It lives from on_request/on_upgrade until on_gone
 * returns; a keep-alive connection makes a new one for each request. */
#ifndef CF_SERVER_H
#define CF_SERVER_H

#include "certificate.h"
#include "err.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cf_server cf_server_t;
typedef struct cf_conn cf_conn_t;

typedef enum {
    CF_METHOD_GET = 1,
    CF_METHOD_HEAD,
    CF_METHOD_POST,
    CF_METHOD_PUT,
    CF_METHOD_DELETE,
    CF_METHOD_OPTIONS,
    CF_METHOD_OTHER
} cf_method_t;

/* One request; every member is borrowed for the callback only. Absent headers are empty. */
typedef struct {
    cf_method_t method;
    cf_str_t path;  /* as sent, before '?', not decoded; starts with '/' */
    cf_str_t query; /* after '?', not decoded */
    cf_str_t host, origin, cookie, authorization, sec_fetch_site, content_type, request_id,
        traceparent, forwarded_for, true_client_ip, real_ip, if_none_match, if_modified_since;
    cf_str_t body;   /* whole; at most cf_server_config_t.body_max */
    cf_str_t peer;   /* address as text, without port */
    bool secure;     /* came over TLS */
    bool is_upgrade; /* on_upgrade only: always true */
    /* on_upgrade: NULL, or why the handshake is bad (the application still decides in its own order
     * which error comes first) */
    const char *upgrade_fault;
} cf_request_t;

/* One prebuilt outgoing WebSocket text message, shared by all connections it goes to. Counted within
 * the server's thread; not for other threads. */
typedef struct cf_frame cf_frame_t;
cf_frame_t *cf_frame_new(const void *payload, size_t size); /* one reference; NULL: out of memory */
/* Several messages that are sent together: sizes[0..n-1] bytes each, one behind the other at payloads. The same. */
cf_frame_t *cf_frame_new_several(const void *payloads, const uint32_t *sizes, uint32_t n);
cf_frame_t *cf_frame_ref(cf_frame_t *frame);
void cf_frame_unref(cf_frame_t **frame);

typedef enum {
    CF_GONE_PEER,     /* the client closed or vanished */
    CF_GONE_SLOW,     /* closed 1013: the write limits below */
    CF_GONE_IDLE,     /* no sign of life */
    CF_GONE_PROTOCOL, /* 1002, 1007, 1009 */
    CF_GONE_OURS,     /* cf_conn_close, or a finished HTTP response */
} cf_gone_t;

#define CF_REFUSED_HEADERS_MAX 768 /* the owner's lines on the server's own answers, with NUL */

typedef struct {
    /* A whole HTTP request. Answer once with cf_conn_respond(), now or later. */
    void (*on_request)(void *owner, cf_conn_t *conn, const cf_request_t *request);
    /* A request to upgrade, before any byte of an answer. Answer once: cf_conn_upgrade() (never when
     * upgrade_fault is set) or cf_conn_respond(). */
    void (*on_upgrade)(void *owner, cf_conn_t *conn, const cf_request_t *request);
    /* The server itself answers with this status what never became a request. `request` holds what the
     * head said, without a body; where no head could be read, only who sent it. The owner may write lines
     * for the answer's head into `headers`, which is "". May be NULL. */
    void (*on_refused)(void *owner, int status, const cf_request_t *request,
                       char headers[CF_REFUSED_HEADERS_MAX]);
    void (*on_open)(void *owner, cf_conn_t *conn); /* the 101 is out; messages may be sent */
    /* One whole message, reassembled, at most message_max bytes; valid UTF-8 if is_text. */
    void (*on_message)(void *owner, cf_conn_t *conn, const uint8_t *bytes, size_t size,
                       bool is_text);
    /* A WebSocket that was opened gets, or has sent, a Close or is about to be cut, whoever decided so:
     * from here on it neither brings nor takes a message. At the end of the pass in which it was
     * decided (what lws decides, of the next second). At most once, and not behind on_gone. */
    void (*on_closing)(void *owner, cf_conn_t *conn);
    /* Exactly once for every conn ever handed out, also one that was answered. */
    void (*on_gone)(void *owner, cf_conn_t *conn, cf_gone_t why);
    /* The watched descriptor became readable (edge): drain until EAGAIN or `budget` messages; return
     * true if there may be more (called again in the same loop pass, after other sockets had theirs). */
    bool (*on_inbox)(void *owner, int budget);
    /* End of a loop pass, before the flush of what was sent to connections. */
    void (*before_flush)(void *owner);
    void (*after_flush)(void *owner);
    void (*on_second)(void *owner, int64_t boot_us); /* once a second */
} cf_server_events_t;

/* Bytes of a request that each client may hold without asking the pool, so that a few with big
 * half-sent bodies cannot keep everyone else from logging in. */
#define CF_REQUEST_OWN 4096
#define CF_REFUSED_OPEN_MAX 64       /* sockets beyond the cap that wait for their 503 to arrive */
#define CF_AFTER_CLOSE_MAX (1 << 20) /* bytes thrown away behind our last word */
#define CF_TLS_PAIR_BYTES                                                                          \
    32768 /* over TLS, SO_SNDBUF of both ends of the plaintext's socket pair */

/* Stands on every answer, the owner's and the server's own. */
#define CF_SECURITY_HEADERS                                                                        \
    "X-Content-Type-Options: nosniff\r\n"                                                          \
    "Referrer-Policy: no-referrer\r\n"
/* Stands on every answer that does not say itself how long it may be kept. */
#define CF_NOT_KEPT "Cache-Control: no-store\r\n"

/* And this on every one that is no page: whoever makes a browser show it all the same, shows nothing. */
#define CF_NO_PAGE_POLICY "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

typedef struct {
    const char *listen;      /* "host:port"; port 0 picks one; [::1]:80 for IPv6 */
    bool joins_port;         /* another server of this process has the port; share it */
    int connections_max;     /* beyond it: 503 and close; over TLS closed at once */
    int connections_per_ip;  /* 0: off */
    size_t head_max;         /* 16 KiB: 431 beyond */
    size_t body_max;         /* 64 KiB: 413 beyond */
    size_t request_pool_max; /* 64 MiB: buffers of heads and bodies, of all clients that hold more
                                than CF_REQUEST_OWN; 503 beyond */
    size_t message_max;      /* 16 KiB: close 1009 beyond, summed over fragments */
    size_t message_pool_max; /* 64 MiB: buffers of messages that have begun and not ended, of all
                                WebSockets; close 1013 beyond */
    int message_ms;          /* 30,000: from a message's first byte to its last; close 1008 */
    int head_ms;             /* 10,000: time for a whole head */
    int body_ms;             /* 15,000: time for a whole body */
    int keepalive_ms;        /* 60,000 */
    int answer_ms;           /* 30,000: the owner did not answer: 503 */
    int ping_ms;             /* 25,000: server ping */
    size_t control_max; /* 256 KiB: bytes of pings and pongs within ping_ms; close 1008 beyond */
    int idle_ms;        /* 55,000: no inbound frame at all: gone */
    size_t queue_bytes_max;              /* 1 MiB unsent: close 1013 */
    int queue_age_ms;                    /* 10,000: oldest unsent byte older: close 1013 */
    int close_ms;                        /* 5,000: from our Close to reset */
    int send_buffer_bytes;               /* SO_SNDBUF, 128 KiB */
    int receive_buffer_bytes;            /* SO_RCVBUF, 64 KiB */
    int flush_delay_ms;                  /* 0: flush each loop pass */
    size_t lasting_bytes;                /* of the owner, see cf_conn_lasting() */
    cf_certificate_config_t certificate; /* cert_file NULL: plain HTTP, else TLS alone */
    int64_t hsts_s; /* under TLS: how long browsers are to insist on it; 0: not said */
} cf_server_config_t;

typedef struct {                  /* counters; zero without TLS */
    uint64_t handshakes, resumed; /* done; of these, by a ticket */
    /* handshakes that failed */
    uint64_t failed_http;        /* plain HTTP came */
    uint64_t failed_unsupported; /* no version, suite or protocol in common */
    uint64_t failed_rejected;    /* the client sent an alert, say of our certificate */
    uint64_t failed_malformed;   /* not TLS */
    uint64_t failed_left;        /* the client left */
    uint64_t failed_slow;        /* not done in head_ms */
    uint64_t failed_resources;   /* no descriptor or no memory */
    uint64_t broken;             /* behind the handshake: faulty records, alerts */
    uint64_t stalled;            /* closed by us, and nothing taken for queue_age_ms: reset */
    uint64_t reloads, reloads_refused;
    /* gauges */
    uint64_t flushing;  /* clients closed by us whose last bytes are not out */
    uint64_t expires_s; /* of the certificate, seconds since 1970 */
} cf_tls_stats_t;

typedef struct { /* counters; only ever grow, except the gauges */
    uint64_t accepted, refused_cap, refused_per_ip, refused_head, refused_body, refused_pool,
        slow_heads;
    uint64_t upgrades, messages_in, bytes_in, bytes_out, sends;
    uint64_t closed_slow, closed_idle, closed_protocol, closed_too_big, closed_utf8;
    uint64_t closed_unfinished;    /* a message not whole in message_ms */
    uint64_t refused_message_pool; /* a message beyond message_pool_max */
    uint64_t closed_control;       /* beyond control_max */
    uint64_t closed_flood;         /* still sent CF_AFTER_CLOSE_MAX bytes behind our Close */
    uint64_t open_sockets, open_websockets, queued_bytes, request_bytes, message_bytes; /* gauges;
                                of WebSockets, those that nobody has begun to close */
    cf_tls_stats_t tls;
} cf_server_stats_t;

/* Bind, listen and build everything that can fail. inbox_fd: a descriptor to watch (ZMQ_FD) or -1.
 * Returns 0; CF_EIO (cannot listen; logged), CF_ENOMEM, CF_ERANGE (bad `listen`, or a certificate
 * that cannot be used; logged). events and config are copied; owner is passed back. */
int cf_server_new(cf_server_t **out, const cf_server_config_t *config,
                  const cf_server_events_t *events, void *owner, int inbox_fd);
int cf_server_port(const cf_server_t *self); /* the port bound */
int cf_server_run(cf_server_t *self);        /* until cf_server_stop(); on the calling thread */
void cf_server_stop(cf_server_t *self);      /* from a callback */
void cf_server_stop_listening(cf_server_t *self);
/* Nothing that was sent to connections waits for a flush any more. */
bool cf_server_is_flushed(const cf_server_t *self);
/* Read certificate and key again, see cf_tls_reload(). Without TLS there is nothing to do: 0. */
int cf_server_reload(cf_server_t *self);
const cf_server_stats_t *cf_server_stats(const cf_server_t *self);
void cf_server_destroy(cf_server_t **self);

/* extra_headers: "Name: value\r\n" lines or NULL. Content-Length and CF_SECURITY_HEADERS are added, and
 * CF_NOT_KEPT unless extra_headers hold a Cache-Control; for HEAD the body is left out. content_type NULL:
 * none. The connection stays open if the client allows. Returns 0 or CF_ECLOSING when the client is gone (nothing to do: on_gone follows). */
int cf_conn_respond(cf_conn_t *conn, int status, const char *content_type,
                    const char *extra_headers, const void *body, size_t size);
int cf_conn_upgrade(cf_conn_t *conn);
/* Queue one message; takes its own reference. Sent in order, flushed at the end of the loop pass.
 * CF_ECLOSING once a Close was queued or the client is gone; CF_EFULL when this made it a slow client
 * (the connection is being closed with 1013). */
int cf_conn_send(cf_conn_t *conn, cf_frame_t *frame);
/* A frame of which only the newest counts: it waits till everything else has gone, in the place of the one
 * before, and makes nobody slow. Returns 0; 1: the one before will not be sent; CF_ECLOSING as above. */
int cf_conn_send_latest(cf_conn_t *conn, cf_frame_t *frame);
void cf_conn_close(cf_conn_t *conn, int code, const char *reason); /* Close, wait close_ms, reset */
void cf_conn_pause(cf_conn_t *conn, bool paused); /* stop reading; its idle clock stops too */
void cf_conn_set_owner_data(cf_conn_t *conn, void *data);
void *cf_conn_owner_data(const cf_conn_t *conn);
/* Memory of the owner that lives as long as the socket speaks HTTP: lasting_bytes, zero at first, the
 * same for every request on it. NULL once the client is gone. */
void *cf_conn_lasting(const cf_conn_t *conn);

#endif
