/* WebSockets, by libwebsockets on the server's own uv loop. lws reads frames, answers pings and the
 * peer's Close; everything that is sent by us is a finished frame out of our own queue. */
#include "handshake.h"
#include "log.h"
#include "received.h"
#include "server_state.h"
#include "utf8.h"

#include <errno.h>
#include <libwebsockets.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* lws holds this much per connection. A longer frame comes in pieces and is put together, at the price of a copy;
 * most posts are shorter. With 1024 an idle connection took 0.6 KiB more. */
#define RX_BUFFER 256
#define PING_SPREAD_STEP 997
#define CORK_MS 10        /* a 101 waits for the first frame behind it no longer */
#define GATHERED_MAX 4096 /* frames whose gathered bytes are remembered */
#define FRAME_HEAD 6      /* bytes of the smallest head of a client's frame */
#define MESSAGE_COST 2    /* a message is at most so many times its bytes and smallest head */

enum {
    CLOSE_PROTOCOL = 1002,
    CLOSE_UTF8 = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_BIG = 1009,
    CLOSE_SLOW = 1013
};

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t size);
static void on_deadline(cf_timer_t *timer);

static const struct lws_protocols protocols[] = {{.name = "confab",
                                                  .callback = on_lws,
                                                  .per_session_data_size = sizeof(cf_conn_t *),
                                                  .rx_buffer_size = RX_BUFFER,
                                                  .tx_packet_size = CF_GATHER_MAX},
                                                 {0}};

int cf_websocket_start(cf_server_t *server)
{
    /* lws logs to stderr on its own terms; what matters is in our counters. */
    lws_set_log_level(0, NULL);
    server->ping = cf_frame_new_ping();
    server->gather = malloc(LWS_PRE + CF_GATHER_MAX);
    server->gathered = calloc(GATHERED_MAX, sizeof *server->gathered);
    if (!server->ping || !server->gather || !server->gathered)
        return CF_ENOMEM;
    void *loops[] = {&server->loop};
    /* lws' own validity pings are off: ours come from the wheel. */
    static const lws_retry_bo_t no_pings = {.secs_since_valid_ping = 0,
                                            .secs_since_valid_hangup = 0};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = server,
        .timeout_secs = 90,
        .retry_and_idle_policy = &no_pings,
        .vhost_name = "confab",
    };
    server->lws = lws_create_context(&info);
    server->vhost = server->lws ? lws_create_vhost(server->lws, &info) : NULL;
    if (server->vhost)
        return 0;
    cf_log_error(
        "cannot start libwebsockets on libuv",
        CF_STR("reason", "out of memory, or the package libwebsockets-evlib-uv is missing"));
    return CF_ENOMEM;
}

/* What the gauge holds for this connection follows its queue. */
static void count_queued(cf_conn_t *conn)
{
    size_t queued = conn->out.bytes + conn->in_lws; /* not yet given to the kernel */
    conn->server->stats.queued_bytes += queued - conn->counted;
    conn->counted = queued;
}

static void free_message(cf_conn_t *conn)
{
    conn->server->stats.message_bytes -= conn->message.cap;
    cf_buf_free(&conn->message);
    conn->in_message = false;
}

static void doom(cf_conn_t *conn, cf_gone_t why, bool reset)
{
    if (conn->state == CF_CONN_GONE || conn->state == CF_CONN_DOOMED)
        return;
    if (conn->state == CF_CONN_OPEN)
        conn->why = why;
    conn->state = CF_CONN_DOOMED;
    conn->reset = reset;
    cf_conn_turn(conn);
}

/* The wheel looks at a connection when the first of its deadlines may have passed. */
static void set_timer(cf_conn_t *conn)
{
    const cf_server_config_t *config = &conn->server->config;
    int64_t due = conn->pinged_ms + config->ping_ms;
    if (!conn->paused && conn->heard_ms + config->idle_ms < due)
        due = conn->heard_ms + config->idle_ms;
    if (!conn->paused && conn->in_message && conn->message_ms + config->message_ms < due)
        due = conn->message_ms + config->message_ms;
    int64_t oldest = conn->in_lws ? conn->in_lws_ms : cf_outgoing_oldest_ms(&conn->out);
    if (oldest && oldest + config->queue_age_ms < due)
        due = oldest + config->queue_age_ms;
    if (conn->state == CF_CONN_CLOSING)
        due = conn->close_by_ms;
    cf_wheel_set(&conn->server->wheel, &conn->timer, due);
}

/* lws has found a fault of framing and sends, or has sent, a Close of its own: it keeps the reason.
 * True from then on; nothing more is sent by us, and our close deadline applies. */
static bool lws_closes_it(cf_conn_t *conn)
{
    if (conn->state != CF_CONN_OPEN || conn->peer_closed || lws_get_close_length(conn->wsi) < 2)
        return false;
    conn->server->stats.closed_protocol++;
    conn->state = CF_CONN_CLOSING;
    conn->why = CF_GONE_PROTOCOL;
    cf_conn_turn(conn);
    conn->close_by_ms = cf_server_now_ms(conn->server) + conn->server->config.close_ms;
    cf_outgoing_clear(&conn->out);
    count_queued(conn);
    free_message(conn);
    set_timer(conn);
    return true;
}

/* Queues a Close behind what waits; from here on nothing else is queued or delivered. */
static void start_close(cf_conn_t *conn, int code, const char *reason, cf_gone_t why)
{
    if (conn->state != CF_CONN_OPEN)
        return;
    cf_frame_t *frame = cf_frame_new_close(code, reason);
    conn->state = CF_CONN_CLOSING;
    conn->why = why;
    conn->close_by_ms = cf_server_now_ms(conn->server) + conn->server->config.close_ms;
    free_message(conn);
    if (!frame || cf_outgoing_add(&conn->out, frame, cf_server_now_ms(conn->server)) < 0) {
        cf_frame_unref(&frame);
        conn->state = CF_CONN_OPEN;
        doom(conn, why, true);
        return;
    }
    cf_frame_unref(&frame);
    cf_outgoing_drop_latest(&conn->out); /* nothing goes behind the Close */
    count_queued(conn);
    cf_ring_append(&conn->server->dirty, &conn->dirty);
    cf_conn_turn(conn);
    set_timer(conn);
    if (conn->paused)
        cf_conn_pause(conn, false); /* else the peer's Close would never be read */
}

static void close_slow(cf_conn_t *conn)
{
    conn->server->stats.closed_slow++;
    cf_outgoing_clear(&conn->out); /* what lws has begun to send it will finish */
    start_close(conn, CLOSE_SLOW, "too slow", CF_GONE_SLOW);
}

static void break_off(cf_conn_t *conn, int code, const char *reason, uint64_t *counter)
{
    if (conn->state != CF_CONN_OPEN)
        return;
    ++*counter;
    start_close(conn, code, reason, CF_GONE_PROTOCOL);
}

/* ---- sending ---- */

/* lws writes the 101 by itself, and most often there is a first frame as soon as the owner's actors have been
 * asked. A corked socket keeps the 101 for it: a transmission, which is what an upgrade costs most, is saved.
 * Over TLS the socket is one of a pair. */
static void set_cork(int fd, int on)
{
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static void uncork(cf_conn_t *conn)
{
    if (cf_ring_is_empty(&conn->corked))
        return;
    cf_ring_remove(&conn->corked);
    if (conn->wsi)
        set_cork(lws_get_socket_fd(conn->wsi), 0);
}

static void on_cork_timer(uv_timer_t *timer)
{
    cf_server_t *server = timer->data;
    while (!cf_ring_is_empty(&server->corked))
        uncork(CF_RING_OWNER(server->corked.next, cf_conn_t, corked));
}

static void keep_corked(cf_conn_t *conn)
{
    cf_server_t *server = conn->server;
    if (cf_ring_is_empty(&server->corked))
        uv_timer_start(&server->cork_timer, on_cork_timer, CORK_MS, 0);
    cf_ring_append(&server->corked, &conn->corked);
}

/* Are the next `count` frames exactly those whose bytes stand in the gather buffer? Members of one
 * room usually wait for the same frames, so the copy is made once for all of them. */
static bool is_gathered(const cf_conn_t *conn, uint32_t count)
{
    const cf_server_t *server = conn->server;
    if (server->gathered_count != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (server->gathered[i] != cf_outgoing_at(&conn->out, i))
            return false;
    return true;
}

void cf_websocket_forget_gathered(cf_server_t *server)
{
    while (server->gathered_count)
        cf_frame_unref(&server->gathered[--server->gathered_count]);
}

/* They are kept, or one that takes the memory of another would be taken for it. */
static void gather(cf_conn_t *conn, uint32_t count)
{
    cf_server_t *server = conn->server;
    size_t size = 0;
    cf_websocket_forget_gathered(server);
    for (uint32_t i = 0; i < count; i++) {
        cf_frame_t *frame = cf_outgoing_at(&conn->out, i);
        memcpy(server->gather + LWS_PRE + size, frame->bytes, frame->size);
        size += frame->size;
        if (count <= GATHERED_MAX)
            server->gathered[server->gathered_count++] = cf_frame_ref(frame);
    }
}

/* Over TLS the pair of sockets that lws has would cost two more calls for each write, so frames go
 * straight to TLS. lws itself writes Pongs and its Close, whole or with a rest that it keeps; only in
 * between may a frame go past it. */
static int give(cf_conn_t *conn, uint8_t *bytes, size_t size)
{
    if (!conn->link)
        return lws_write(conn->wsi, bytes, size, LWS_WRITE_RAW) < 0 ? -1 : 1;
    return lws_partial_buffered(conn->wsi) ? 0 : cf_tls_write(conn->link, bytes, size);
}

static bool is_rest_held(const cf_conn_t *conn)
{
    return conn->link ? cf_tls_holds(conn->link) : lws_partial_buffered(conn->wsi);
}

static void on_room(void *arg)
{
    cf_conn_t *conn = arg;
    cf_ring_append(&conn->server->dirty, &conn->dirty);
}

/* Gives away one buffer of whole frames. Returns their number, 0 if it cannot be now, or -1: the
 * socket is dead. */
static int write_some(cf_conn_t *conn)
{
    cf_server_t *server = conn->server;
    size_t size;
    uint32_t count = cf_outgoing_fit(&conn->out, conn->link ? CF_TLS_STEP : CF_GATHER_MAX, &size);
    uint8_t *bytes = server->gather + LWS_PRE;
    if (size > CF_GATHER_MAX) {
        bytes = cf_outgoing_at(&conn->out, 0)->bytes; /* one big frame as it is; RAW writes nothing
                                                         before it */
    } else if (!is_gathered(conn, count)) {
        gather(conn, count);
    }
    int64_t oldest_ms = cf_outgoing_oldest_ms(&conn->out);
    int given = give(conn, bytes, size);
    if (given <= 0)
        return given;
    server->stats.sends++;
    server->stats.bytes_out += size;
    conn->in_lws = is_rest_held(conn) ? size : 0;
    conn->in_lws_ms = oldest_ms;
    return (int)count;
}

static int send_waiting(cf_conn_t *conn)
{
    if (lws_closes_it(conn))
        return 0;
    if (conn->in_lws && !is_rest_held(conn))
        conn->in_lws = 0;
    int count = 1;
    while (count && !conn->in_lws) {
        cf_outgoing_take_latest(&conn->out, CF_GATHER_MAX, cf_server_now_ms(conn->server));
        count = conn->out.count ? write_some(conn) : 0;
        if (count < 0)
            return -1;
        cf_outgoing_drop(&conn->out, (uint32_t)count);
    }
    count_queued(conn);
    bool waits = conn->in_lws || conn->out.count;
    /* TLS tells by on_room(). lws takes its watch off the socket and puts it on again, two calls of epoll,
     * each time it is asked: once is enough until it has answered. */
    if (waits && !conn->asked_lws && (!conn->link || lws_partial_buffered(conn->wsi)))
        conn->asked_lws = lws_callback_on_writable(conn->wsi) >= 0;
    return 0;
}

void cf_websocket_flush(cf_conn_t *conn)
{
    cf_ring_remove(&conn->dirty);
    if (!conn->wsi || (conn->state != CF_CONN_OPEN && conn->state != CF_CONN_CLOSING))
        return;
    bool had_backlog = conn->in_lws;
    int rc = send_waiting(conn);
    uncork(conn);
    if (rc < 0)
        doom(conn, CF_GONE_PEER, true);
    else if ((conn->in_lws && !had_backlog) || conn->out.count)
        set_timer(conn); /* its age counts from now on */
}

int cf_conn_send(cf_conn_t *conn, cf_frame_t *frame)
{
    if (conn->state != CF_CONN_OPEN || conn->peer_closed || !conn->wsi)
        return CF_ECLOSING;
    cf_server_t *server = conn->server;
    size_t max = server->config.queue_bytes_max;
    size_t weight = CF_OUTGOING_WEIGHT(&conn->out) + conn->in_lws;
    if (weight + frame->size > max && !conn->in_lws) {
        cf_websocket_flush(conn); /* a long burst within one pass does not make a client slow */
        weight = CF_OUTGOING_WEIGHT(&conn->out) + conn->in_lws;
    }
    if (conn->state != CF_CONN_OPEN)
        return CF_ECLOSING;
    if (weight + frame->size > max) {
        close_slow(conn);
        return CF_EFULL;
    }
    if (cf_outgoing_add(&conn->out, frame, cf_server_now_ms(server)) < 0) {
        doom(conn, CF_GONE_OURS, true); /* a gap would be worse than a reconnect */
        return CF_EFULL;
    }
    count_queued(conn);
    cf_gathering_add(&server->gathering, cf_ring_is_empty(&conn->dirty));
    cf_ring_append(&server->dirty, &conn->dirty);
    return 0;
}

int cf_conn_send_latest(cf_conn_t *conn, cf_frame_t *frame)
{
    if (conn->state != CF_CONN_OPEN || conn->peer_closed || !conn->wsi)
        return CF_ECLOSING;
    bool had_one = cf_outgoing_set_latest(&conn->out, frame);
    cf_gathering_add(&conn->server->gathering, cf_ring_is_empty(&conn->dirty));
    cf_ring_append(&conn->server->dirty, &conn->dirty);
    return had_one;
}

void cf_conn_close(cf_conn_t *conn, int code, const char *reason)
{
    start_close(conn, code, reason, CF_GONE_OURS);
}

void cf_conn_pause(cf_conn_t *conn, bool paused)
{
    if (conn->paused == paused || !conn->wsi ||
        (conn->state != CF_CONN_OPEN && conn->state != CF_CONN_CLOSING))
        return;
    conn->paused = paused;
    if (!paused) /* its silence was ours */
        conn->heard_ms = conn->message_ms = cf_server_now_ms(conn->server);
    lws_rx_flow_control(conn->wsi, !paused);
    set_timer(conn);
}

/* ---- receiving ---- */

static void deliver(cf_conn_t *conn, const uint8_t *bytes, size_t size, bool is_text)
{
    cf_server_t *server = conn->server;
    if (is_text && !cf_utf8_valid((const char *)bytes, size)) {
        break_off(conn, CLOSE_UTF8, "not UTF-8", &server->stats.closed_utf8);
        return;
    }
    server->stats.messages_in++;
    server->events.on_message(server->owner, conn, bytes, size, is_text);
}

/* Input behind our Close, until the peer's own. Who just goes on sending is not listened to for
 * all of close_ms. */
static void discard(cf_conn_t *conn, size_t size)
{
    if (conn->state != CF_CONN_CLOSING)
        return;
    conn->discarded += size;
    if (conn->discarded <= CF_AFTER_CLOSE_MAX)
        return;
    conn->server->stats.closed_flood++;
    doom(conn, conn->why, true);
}

/* Keeps a piece of a message; false: the connection is not served any more. */
static bool add_fragment(cf_conn_t *conn, const uint8_t *bytes, size_t size)
{
    cf_server_t *server = conn->server;
    size_t before = conn->message.cap;
    if (cf_buf_add(&conn->message, bytes, size) < 0) {
        doom(conn, CF_GONE_OURS, true);
        return false;
    }
    server->stats.message_bytes += conn->message.cap - before;
    if (server->stats.message_bytes > server->config.message_pool_max) {
        break_off(conn, CLOSE_SLOW, "try again later", &server->stats.refused_message_pool);
        return false;
    }
    if (!conn->in_message) {
        conn->in_message = true;
        conn->message_ms = cf_server_now_ms(server);
        set_timer(conn);
    }
    return true;
}

/* What lws has read of this client so far; behind TLS its socket is one end of a pair. */
static uint64_t bytes_read(const cf_conn_t *conn)
{
    int fd = lws_get_socket_fd(conn->wsi);
    uint64_t unread = cf_unread_bytes(fd);
    uint64_t came = conn->link ? cf_tls_carried(conn->link) : cf_received_bytes(fd);
    return came > unread ? came - unread : 0;
}

/* lws answers pings by itself and tells nobody: what the socket brought and was no message is counted
 * instead. To be asked once for each ping of ours. */
static bool floods_control(cf_conn_t *conn)
{
    uint64_t before = conn->received, taken = conn->taken;
    conn->received = bytes_read(conn);
    conn->taken = 0;
    return conn->received > before + taken * MESSAGE_COST + conn->server->config.control_max;
}

static void on_fragment(cf_conn_t *conn, const uint8_t *bytes, size_t size)
{
    struct lws *wsi = conn->wsi;
    cf_server_t *server = conn->server;
    bool is_final = lws_is_final_fragment(wsi), is_text = !lws_frame_is_binary(wsi);
    conn->heard_ms = cf_server_now_ms(server);
    conn->taken += size + FRAME_HEAD;
    server->stats.bytes_in += size;
    if (conn->state != CF_CONN_OPEN) {
        discard(conn, lws_remaining_packet_payload(wsi) ? size : size + FRAME_HEAD);
        return;
    }
    /* By what the frame's head announces: nothing is gathered that cannot become a message. */
    size_t announced = size + lws_remaining_packet_payload(wsi);
    if (announced > server->config.message_max - conn->message.size) {
        break_off(conn, CLOSE_TOO_BIG, "", &server->stats.closed_too_big);
        return;
    }
    if (is_final && !conn->in_message) {
        deliver(conn, bytes, size, is_text);
        return;
    }
    if (!add_fragment(conn, bytes, size) || !is_final)
        return;
    cf_buf_t message = conn->message; /* the owner may close in its callback */
    conn->message = (cf_buf_t){0};
    free_message(conn);
    server->stats.message_bytes -= message.cap;
    deliver(conn, message.data, message.size, is_text);
    cf_buf_free(&message);
}

/* The connection is open: it was not the peer who ended it. One that leaves in this very moment
 * cannot be told apart and counts as gone by itself. */
static bool is_peer_there(cf_conn_t *conn)
{
    char byte;
    ssize_t n = recv(lws_get_socket_fd(conn->wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

static void on_closed(cf_conn_t *conn)
{
    cf_gone_t why = CF_GONE_PEER;
    if (conn->state != CF_CONN_OPEN || lws_closes_it(conn)) {
        why = conn->why;
    } else if (!conn->peer_closed && is_peer_there(conn)) {
        conn->server->stats.closed_protocol++; /* lws cuts some faults without a Close */
        why = CF_GONE_PROTOCOL;
    }
    conn->wsi = NULL;
    cf_conn_gone(conn, why);
}

static int on_established(cf_server_t *server, struct lws *wsi, cf_conn_t **slot)
{
    cf_conn_t *conn = server->adopting;
    if (!conn || !slot)
        return -1; /* nobody gets in without a verdict */
    *slot = conn;
    conn->wsi = wsi;
    conn->state = CF_CONN_OPEN;
    return 0;
}

/* The code that a peer's Close is to be answered with instead of its own; 0: it may be echoed. The
 * codes are those of RFC 6455, 7.4; those registered later lws makes 1002 before we see them. */
static int fault_of_close(const uint8_t *payload, size_t size)
{
    int code = size >= 2 ? payload[0] << 8 | payload[1] : 0;
    bool is_named = code >= 1000 && code <= 1011 && (code < 1004 || code > 1006);
    if (size == 0)
        return 0;
    if (size < 2 || !(is_named || (code >= 3000 && code <= 4999)))
        return CLOSE_PROTOCOL;
    return cf_utf8_valid((const char *)payload + 2, size - 2) ? 0 : CLOSE_UTF8;
}

/* 0: lws is to answer it; -1: it is answered, and lws to end the connection. */
static int on_peer_close(cf_conn_t *conn, const uint8_t *payload, size_t size)
{
    cf_server_stats_t *stats = &conn->server->stats;
    bool is_first = conn->state == CF_CONN_OPEN && !conn->peer_closed;
    int fault = is_first ? fault_of_close(payload, size) : 0;
    conn->peer_closed = true;
    cf_conn_turn(conn);
    cf_outgoing_clear(&conn->out); /* no data follows the Close */
    count_queued(conn);
    if (fault) {
        break_off(conn, fault, "",
                  fault == CLOSE_UTF8 ? &stats->closed_utf8 : &stats->closed_protocol);
        send_waiting(conn);
    }
    return conn->state == CF_CONN_OPEN ? 0 : -1; /* ours was sent: this is the answer to it */
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t size)
{
    cf_server_t *server = lws_context_user(lws_get_context(wsi));
    cf_conn_t *conn = user ? *(cf_conn_t **)user : NULL;
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return server->adopting ? 0 : -1;
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(server, wsi, user);
    case LWS_CALLBACK_RECEIVE:
        if (conn && !conn->peer_closed) /* RFC 6455, 1.4: what follows a Close is discarded */
            on_fragment(conn, in, size);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        if (!conn)
            return 0;
        conn->heard_ms = cf_server_now_ms(server);
        discard(conn, FRAME_HEAD + size);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (conn)
            conn->asked_lws = false;
        return conn && send_waiting(conn) < 0 ? -1 : 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return conn ? on_peer_close(conn, in, size) : 0;
    case LWS_CALLBACK_CLOSED:
        if (conn)
            on_closed(conn);
        return 0;
    case LWS_CALLBACK_HTTP:
        return -1; /* what lws is given is an upgrade or nothing */
    default:
        return 0;
    }
}

/* ---- life ---- */

void cf_websocket_open(cf_conn_t *conn)
{
    cf_server_t *server = conn->server;
    char key[CF_HANDSHAKE_KEY_TEXT + 1], head[256];
    int fd = cf_client_release(conn, key);
    /* lws never sees the client's own head: that was read and judged already, and lws' parser is
     * not asked for a second opinion. It offers no extension and no subprotocol then. */
    int size = snprintf(head, sizeof head,
                        "GET / HTTP/1.1\r\nHost: confab\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: %s\r\n\r\n",
                        key);
    if (!conn->link)
        set_cork(fd, 1);
    server->adopting = conn;
    struct lws *wsi = lws_adopt_socket_vhost_readbuf(server->vhost, fd, head, (size_t)size);
    server->adopting = NULL;
    if (!conn->wsi || conn->state != CF_CONN_OPEN) {
        if (wsi)
            lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
        cf_conn_gone(conn, CF_GONE_PEER);
        return;
    }
    if (conn->link)
        cf_tls_on_room(conn->link, on_room, conn);
    else
        keep_corked(conn);
    cf_timer_init(&conn->timer, on_deadline);
    cf_ring_append(&server->websockets, &conn->place);
    conn->heard_ms = cf_server_now_ms(server);
    /* Clients that came back all at once are not to be pinged all at once ever after. */
    conn->pinged_ms = conn->heard_ms - (int64_t)(server->stats.upgrades * PING_SPREAD_STEP %
                                                 (uint64_t)(server->config.ping_ms / 4 + 1));
    set_timer(conn);
    server->stats.upgrades++;
    server->stats.open_websockets++;
    conn->serves = true;
    server->events.on_open(server->owner, conn);
}

void cf_websocket_cut(cf_conn_t *conn)
{
    if (!conn->wsi) {
        cf_conn_gone(conn, conn->why);
        return;
    }
    int fd = lws_get_socket_fd(conn->wsi);
    if (conn->reset) { /* the kernel is not to go on sending to someone who does not read */
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    /* lws would wait for a partial write to drain; on a socket that is shut it finds out at once.
     */
    shutdown(fd, SHUT_RDWR);
    cf_wheel_set(&conn->server->wheel, &conn->timer,
                 cf_server_now_ms(conn->server) + conn->server->config.close_ms);
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

static void ping(cf_conn_t *conn, int64_t now)
{
    conn->pinged_ms = now;
    /* Behind a backlog a ping says nothing: its bytes would wait as well. */
    if (conn->peer_closed || conn->in_lws || conn->out.count ||
        cf_outgoing_add(&conn->out, conn->server->ping, now) < 0)
        return;
    count_queued(conn);
    cf_ring_append(&conn->server->dirty, &conn->dirty);
}

/* Every frame is a sign of life, but lws answers a client's pings without a word to us. The kernel knows
 * when something last came; asked only when all else says that nothing did. Behind TLS the socket is not
 * the client's own and does not tell. */
static void look_for_life(cf_conn_t *conn, int64_t now)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(lws_get_socket_fd(conn->wsi), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
        now - info.tcpi_last_data_recv > conn->heard_ms)
        conn->heard_ms = now - info.tcpi_last_data_recv;
}

static void on_deadline(cf_timer_t *timer)
{
    cf_conn_t *conn = CF_RING_OWNER(timer, cf_conn_t, timer);
    cf_server_t *server = conn->server;
    int64_t now = cf_server_now_ms(server);
    if (!conn->wsi || lws_closes_it(conn))
        return;
    if (conn->state == CF_CONN_DOOMED) { /* lws has not let go yet */
        cf_conn_turn(conn);
        return;
    }
    if (conn->in_lws && !is_rest_held(conn))
        conn->in_lws = 0;
    if (now - conn->heard_ms >= server->config.idle_ms)
        look_for_life(conn, now);
    int64_t oldest = conn->in_lws ? conn->in_lws_ms : cf_outgoing_oldest_ms(&conn->out);
    if (conn->state == CF_CONN_CLOSING) {
        if (now >= conn->close_by_ms) {
            doom(conn, conn->why, true);
            return;
        }
    } else if (!conn->paused && now - conn->heard_ms >= server->config.idle_ms) {
        server->stats.closed_idle++;
        doom(conn, CF_GONE_IDLE, true);
        return;
    } else if (oldest && now - oldest >= server->config.queue_age_ms) {
        close_slow(conn);
        return;
    } else if (!conn->paused && conn->in_message &&
               now - conn->message_ms >= server->config.message_ms) {
        break_off(conn, CLOSE_POLICY, "message not finished in time",
                  &server->stats.closed_unfinished);
        return;
    } else if (now - conn->pinged_ms >= server->config.ping_ms) {
        if (floods_control(conn)) {
            break_off(conn, CLOSE_POLICY, "too many pings", &server->stats.closed_control);
            return;
        }
        ping(conn, now);
    }
    set_timer(conn);
}

static void stop_serving(cf_conn_t *conn)
{
    conn->server->stats.open_websockets -= conn->serves;
    conn->serves = false;
}

void cf_websocket_turn(cf_conn_t *conn)
{
    if (!conn->serves || (conn->state == CF_CONN_OPEN && !conn->peer_closed))
        return;
    stop_serving(conn);
    conn->server->events.on_closing(conn->server->owner, conn);
}

/* What lws finds to be wrong with a frame it tells nobody, and then it waits for the peer. */
void cf_websocket_second(cf_server_t *server)
{
    for (cf_ring_t *at = server->websockets.next; at != &server->websockets; at = at->next) {
        cf_conn_t *conn = CF_RING_OWNER(at, cf_conn_t, place);
        if (conn->wsi)
            lws_closes_it(conn);
    }
}

void cf_websocket_free(cf_conn_t *conn)
{
    stop_serving(conn);
    if (!cf_ring_is_empty(&conn->place)) {
        cf_wheel_cancel(&conn->timer);
        cf_ring_remove(&conn->place);
    }
    cf_ring_remove(&conn->dirty);
    cf_ring_remove(&conn->corked);
    cf_outgoing_clear(&conn->out);
    conn->in_lws = 0;
    count_queued(conn);
    free_message(conn);
    cf_tls_let_go(conn->link);
    cf_server_leave(conn->server, conn->address);
}

void cf_websocket_stop(cf_server_t *server)
{
    if (server->lws)
        lws_context_destroy(server->lws); /* CLOSED for each: they become GONE */
}

void cf_websocket_free_context(cf_server_t *server)
{
    if (server->lws)
        lws_context_destroy(server->lws);
    cf_frame_unref(&server->ping);
    cf_websocket_forget_gathered(server);
    free(server->gather);
    free(server->gathered);
}
