/* gateway_socket.c: open WebSockets: into their room, posts out, events in, credits, closing. */
#include "gateway_routes.h"

#include "clock.h"
#include "cost.h"
#include "crash_point.h"
#include "err.h"
#include "http/handshake.h"
#include "metrics.h"

#include <sodium.h>
#include <stdlib.h>

#define COUNTS_MIN_US INT64_C(100000)    /* between two counts frames of a connection */
#define COUNTS_SAVED_US INT64_C(1000000) /* for so long what is not used may be used later */
#define COUNTS_CORE_SHARE 50             /* counts take a 50th of a core at most */
#define COUNTS_BYTES_PER_S 10000000
#define RECONNECT_SPREAD_MS 10000 /* clients of a server that goes away come back over this time */
#define RECONNECT_ELSEWHERE_MS 2000 /* or to other nodes, over this */

/* --- outgoing ----------------------------------------------------------------------------------
 */

void cf_socket_no_memory(cf_client_t *client)
{
    if (client->conn && client->phase >= CF_CLIENT_ATTACHING)
        cf_socket_close(client, 1013, "out of memory");
}

void cf_socket_send(cf_client_t *client, cf_buf_t *text, int rc, cf_metric_t type)
{
    cf_frame_t *frame = client->conn && rc == 0 ? cf_frame_new(text->data, text->size) : NULL;
    if (!frame)
        cf_socket_no_memory(client);
    else if (cf_conn_send(client->conn, frame) == 0)
        cf_count(type);
    cf_frame_unref(&frame);
    cf_buf_free(text);
}

void cf_socket_send_error(cf_client_t *client, const char *message, const char *code,
                          const char *client_key, uint32_t retry_after_ms)
{
    cf_buf_t text = {0};
    cf_log_debug("told an error", CF_STR("code", code));
    int rc = cf_rooms_write_error(&text, message, code, cf_str(client_key), retry_after_ms);
    cf_socket_send(client, &text, rc, CF_M_SENT_ERROR);
}

void cf_socket_close(cf_client_t *client, int code, const char *reason)
{
    client->phase = CF_CLIENT_CLOSING;
    cf_conn_close(client->conn, code, reason);
}

void cf_socket_send_failure(cf_client_t *client, const cf_socket_failure_t *rows, int err,
                            const char *client_key, uint32_t retry_after_ms)
{
    while (rows->err && rows->err != err)
        rows++;
    cf_socket_send_error(client, rows->message, rows->code, client_key, retry_after_ms);
}

/* --- into the room -----------------------------------------------------------------------------
 */

static void grant(cf_gateway_t *self, cf_client_t *client)
{
    int rc = cf_user_enter(self, client);
    if (rc == CF_EFULL) {
        cf_http_fail(self, client, 429, "Rate limit exceeded", 1000);
    } else if (rc < 0) {
        cf_http_fail(self, client, 500, "Internal server error", 0);
    } else {
        client->phase = CF_CLIENT_ATTACHING;
        client->wants_roster = cf_roster_is_asked(client->exchange);
        memcpy(client->request_id, client->exchange->request_id, sizeof client->request_id);
        cf_outbox_get_trace(self->out, &client->trace);
        cf_http_note(self, client, 101);
        cf_conn_upgrade(client->conn);
    }
}

void cf_socket_decide(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    /* The contract's order: headers, Origin, key (4.1) */
    const char *fault = exchange->upgrade_fault;
    bool is_key = fault && cf_handshake_fault_is_key(fault);
    if (exchange->session_over) {
        cf_http_fail(self, client, 401, "Invalid or expired session", 0);
    } else if (fault && (!is_key || exchange->may_connect)) {
        cf_http_respond_as(self, client, 400, CF_TEXT_TYPE, "Sec-WebSocket-Version: 13\r\n",
                           "Bad Request\n", strlen("Bad Request\n"));
    } else if (!exchange->may_connect) {
        cf_http_respond_as(self, client, 403, CF_TEXT_TYPE, NULL, "Forbidden\n",
                           strlen("Forbidden\n"));
    } else if (self->draining) {
        cf_http_fail(self, client, 503, "Service unavailable", 1000);
    } else {
        grant(self, client);
    }
}

/* The client went while its first ATTACH was on its way: what was said of that then knew no epoch. */
static void detach_late(cf_gateway_t *self, cf_turn_t *turn, const cf_pending_t *pending,
                        const cf_msg_t *answer)
{
    cf_msg_t request;
    cf_attach_t attach;
    cf_attached_t attached;
    if (answer->type == CF_MSG_ATTACHED && cf_turn_read(turn, answer, &attached) == 0 &&
        cf_msg_decode(&request, pending->frame.data, pending->frame.size) == 0 &&
        cf_msg_body(&attach, &request, turn->arena) == 0 && !attach.again)
        cf_place_detach(self, pending->place,
                        &(cf_detach_t){attach.conn, attached.epoch, attach.username});
}

static cf_metric_t metric_of(uint32_t kind)
{
    return kind == CF_EVENT_JOINED ? CF_M_SENT_JOINED
           : kind == CF_EVENT_LEFT ? CF_M_SENT_LEFT
                                   : CF_M_SENT_CHAT;
}

static void show_backlog(cf_client_t *client, const cf_attached_t *attached)
{
    const cf_event_t *events = attached->backlog.items;
    for (uint32_t i = 0; i < attached->backlog.n; i++) {
        bool is_post = events[i].kind == CF_EVENT_POST;
        cf_buf_t text = {0};
        if (is_post && events[i].post.seq <= client->seen_seq)
            continue;
        int rc = cf_rooms_write_event(&text, client->room, &events[i]);
        cf_socket_send(client, &text, rc, metric_of(events[i].kind));
        if (is_post)
            client->seen_seq = events[i].post.seq;
    }
}

/* Others hear of it later, with others who have come. */
static void show_own(cf_client_t *client, uint64_t n)
{
    cf_event_t own = {.kind = CF_EVENT_JOINED, .post = {.username = cf_str(client->username)}};
    cf_buf_t text = {0};
    int rc = cf_rooms_write_event(&text, client->room, &own);
    cf_socket_send(client, &text, rc, CF_M_SENT_JOINED);
    client->seen_n = n;
}

static void on_attached(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                        const cf_msg_t *msg)
{
    cf_client_t *client = pending->client;
    cf_attached_t attached;
    uint32_t retry_after_ms;
    if (!client)
        detach_late(self, turn, pending, msg);
    if (!client || !client->conn || client->phase == CF_CLIENT_CLOSING)
        return;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (err == 0)
        err = cf_turn_read(turn, msg, &attached);
    if (err < 0) {
        cf_socket_close(client, err == CF_EPERM || err == CF_ENOENT ? 1008 : 1013,
                        cf_err_text(err));
        return;
    }
    if (client->place && client->place->epoch < attached.epoch)
        client->place->epoch = attached.epoch;
    bool is_again = client->phase == CF_CLIENT_ATTACHED;
    bool is_back = is_again && !pending->only_speaks && client->seen_epoch != attached.epoch;
    if (client->place)
        cf_elsewhere_attached(self, client->place, msg->from, &attached, is_back);
    if (pending->only_speaks)
        return;
    if (!is_again) {
        client->seen_seq = attached.last_seq;
        client->phase = CF_CLIENT_ATTACHED;
        self->counts_behind = true; /* it gets the latest even if its coming changes none */
        if (client->wants_roster)
            cf_roster_show(client, &attached.roster);
    }
    client->seen_epoch = attached.epoch;
    client->seen_n = attached.last_n;
    if (attached.own_n)
        show_own(client, attached.own_n);
    show_backlog(client, &attached);
    if (client->phase == CF_CLIENT_CLOSING)
        return;
    if (attached.reload) { /* it cannot be brought up to date here: let it connect again and read
                              history */
        cf_socket_close(client, 1013, "reload");
        return;
    }
    if (!self->draining && !client->starved)
        cf_conn_pause(client->conn, false);
}

/* With posts that were lost on their way: at first only so that they may be sent again. They are acknowledged
 * before it is told what it has missed, as that may be these posts. */
int cf_socket_attach(cf_gateway_t *self, cf_client_t *client, bool again)
{
    bool only_speaks = again && client->lost_posts;
    cf_pending_t *pending;
    cf_attach_t attach = {.conn = client->number,
                          .user = client->user,
                          .username = cf_str(client->username),
                          .roster = client->wants_roster,
                          .again = again,
                          .resume = again && !only_speaks,
                          .epoch = client->seen_epoch,
                          .since = client->seen_seq};
    int rc =
        cf_place_ask(self, client, client->room, CF_MSG_ATTACH, &attach, on_attached, &pending);
    if (rc == 0)
        pending->only_speaks = only_speaks;
    return rc;
}

void cf_socket_lost_post_over(cf_gateway_t *self, cf_client_t *client)
{
    bool is_there =
        client->place && client->place->state == CF_PLACE_KNOWN; /* else it comes again */
    if (--client->lost_posts == 0 && is_there && client->phase == CF_CLIENT_ATTACHED &&
        cf_socket_attach(self, client, true) < 0)
        cf_socket_no_memory(client);
}

void cf_socket_opened(cf_gateway_t *self, cf_client_t *client)
{
    bool is_over = client->exchange->session_over;
    cf_gateway_free_exchange(client);
    if (is_over) {
        cf_socket_close(client, 1008, "session ended");
        return;
    }
    cf_conn_pause(client->conn, true); /* until it is in its room */
    cf_place_t *place = cf_place_of(self, client->room);
    if (place)
        cf_place_enter(self, place, client);
    if (!place || cf_socket_attach(self, client, false) < 0)
        cf_socket_no_memory(client);
}

void cf_socket_leave(cf_gateway_t *self, cf_client_t *client)
{
    client->phase = CF_CLIENT_CLOSING;
    if (client->sockets)
        cf_limits_gone(self, client->sockets); /* what waits for a token is not sent any more */
    cf_place_leave(self, client);
}

/* --- credits -----------------------------------------------------------------------------------
 */

static bool has_credit(const cf_gateway_t *self, const cf_client_t *client)
{
    return client->requests < self->config.credits_requests &&
           client->bytes < self->config.credits_bytes;
}

static void take_credit(cf_gateway_t *self, cf_client_t *client, cf_pending_t *pending,
                        uint32_t bytes)
{
    pending->credit = bytes ? bytes : 1;
    self->pool_used += pending->credit;
    client->requests++;
    client->bytes += pending->credit;
    client->waits_for_pool = self->pool_used >= self->config.pool_bytes;
    self->pool_starved = self->pool_starved || client->waits_for_pool;
    if (has_credit(self, client) && !client->waits_for_pool)
        return;
    if (!client->starved)
        cf_count(CF_M_CREDIT_STOPS);
    client->starved = true;
    cf_conn_pause(client->conn, true);
}

static void feed(cf_gateway_t *self, cf_client_t *client)
{
    if (!client->starved || client->waits_for_pool || !has_credit(self, client) || self->draining ||
        !client->conn || client->phase != CF_CLIENT_ATTACHED)
        return;
    client->starved = false;
    cf_conn_pause(client->conn, false);
}

void cf_socket_give_credit(cf_gateway_t *self, cf_client_t *client, uint32_t bytes)
{
    if (client) {
        client->requests--;
        client->bytes -= bytes;
        feed(self, client);
    }
    if (!self->pool_starved || self->pool_used >= self->config.pool_bytes * 3 / 4)
        return;
    self->pool_starved = false;
    for (cf_client_t *at = self->clients; at; at = at->hh.next) {
        at->waits_for_pool = false;
        feed(self, at);
    }
}

/* --- posts -------------------------------------------------------------------------------------
 */

static const cf_socket_failure_t post_failures[] = {
    {CF_EPERM, "Not a member of this chatroom", "NOT_A_MEMBER"},
    {CF_ENOENT, "Not a member of this chatroom", "NOT_A_MEMBER"},
    {CF_ELIMIT, "Rate limit exceeded", "RATE_LIMIT_EXCEEDED"},
    {CF_EFULL, "Rate limit exceeded", "ROOM_BUSY"},
    {CF_ECONFLICT, "client_key was used with other content", "CLIENT_KEY_CONFLICT"},
    {CF_EUNCONFIRMED, "Failed to save message", "NOT_CONFIRMED"},
    {0, "Failed to save message", "NOT_SAVED"},
};

void cf_socket_post_failed(cf_gateway_t *self, cf_pending_t *pending, int err,
                           uint32_t retry_after_ms)
{
    (void)self;
    if (pending->client && pending->client->phase == CF_CLIENT_ATTACHED)
        cf_socket_send_failure(pending->client, post_failures, err, pending->client_key,
                               retry_after_ms);
}

void cf_socket_gave_up(cf_gateway_t *self, cf_pending_t *pending)
{
    cf_client_t *client = pending->client;
    if (pending->credit) /* one that still waits for the limiter was never sent */
        cf_socket_post_failed(self, pending, pending->spender ? CF_ETIME : CF_EUNCONFIRMED, 1000);
    else if (pending->typed)
        cf_command_gave_up(pending);
    else if (client->conn) /* an ATTACH: without it no event would come, and nothing say so */
        cf_socket_close(client, 1013, "try again later");
}

static void on_posted(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                      const cf_msg_t *msg)
{
    cf_posted_t posted;
    cf_buf_t text = {0};
    uint32_t retry_after_ms;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (err == 0 && cf_turn_read(turn, msg, &posted) < 0)
        err = CF_EUNCONFIRMED; /* stored, and where is not known */
    if (err < 0) {
        cf_socket_post_failed(self, pending, err, retry_after_ms);
        return;
    }
    if (pending->client) {
        int rc = cf_rooms_write_ack(&text, &posted, cf_str(pending->client_key));
        cf_socket_send(pending->client, &text, rc, CF_M_SENT_ACK);
    }
    self->acked = true;
}

static void send_post(cf_gateway_t *self, cf_client_t *client, const cf_rooms_frame_t *frame)
{
    cf_post_msg_t post = {.conn = client->number,
                          .sender = client->user,
                          .username = cf_str(client->username),
                          .kind = CF_POST_TEXT,
                          .client_key = frame->client_key,
                          .text = frame->content};
    cf_pending_t *pending;
    if (cf_place_prepare(self, client, client->room, CF_MSG_POST, &post, on_posted, &pending) < 0) {
        cf_socket_send_error(client, "Failed to save message", "NOT_SAVED", "", 1000);
        return;
    }
    if (frame->client_key.size)
        memcpy(pending->client_key, frame->client_key.bytes, frame->client_key.size);
    take_credit(self, client, pending, (uint32_t)pending->frame.size);
    cf_limits_spend(self, pending, CF_LIMIT_POSTS);
}

void cf_socket_message(cf_gateway_t *self, cf_client_t *client, const uint8_t *bytes, size_t size)
{
    cf_rooms_frame_t frame;
    cf_str_t key_only;
    char key[CF_CLIENT_KEY_MAX + 1] = "";
    int rc = cf_rooms_read_frame(&frame, &key_only, bytes, size, &self->arena);
    if (key_only.size)
        memcpy(key, key_only.bytes, key_only.size);
    if (rc < 0)
        cf_count(CF_M_BAD_FRAMES);
    if (rc == CF_ERANGE)
        cf_socket_send_error(client, "Message must be between 1 and 1000 characters",
                             "INVALID_LENGTH", key, 0);
    else if (rc == CF_EPERM)
        cf_socket_send_error(client, "Message must not contain control characters",
                             "CONTROL_CHARACTERS", key, 0);
    else if (rc == CF_ENOMEM)
        cf_socket_send_error(client, "Failed to save message", "NOT_SAVED", key, 1000);
    else if (rc < 0)
        cf_socket_send_error(client, "Invalid message format", "INVALID_FORMAT", key, 0);
    else if (frame.kind == CF_FRAME_COMMAND)
        cf_command_ask(self, client, &frame, key);
    else
        send_post(self, client, &frame);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* Is this event new to the connection? It has what came before it attached, and what it was told
 * since. */
static bool is_new_to(const cf_client_t *client, const cf_event_t *event)
{
    if (client->phase != CF_CLIENT_ATTACHED || event->epoch != client->seen_epoch)
        return false;
    if (event->kind == CF_EVENT_POST && event->post.seq <= client->seen_seq)
        return false;
    return event->n == 0 || event->n > client->seen_n;
}

static void mark_seen(cf_client_t *client, const cf_event_t *event)
{
    if (event->n)
        client->seen_n = event->n;
    if (event->kind == CF_EVENT_POST)
        client->seen_seq = event->post.seq;
}

void cf_socket_event(cf_gateway_t *self, cf_turn_t *turn, cf_place_t *place,
                     const cf_event_t *event)
{
    cf_frame_t *frame = NULL;
    uint32_t told = 0;
    (void)turn;
    if (event->epoch < place->epoch)
        return; /* an owner that has been replaced */
    for (cf_client_t *client = place->members, *next; client; client = next) {
        next = client->next_here;
        if (!client->conn || !is_new_to(client, event))
            continue;
        if (!frame) { /* once for all */
            cf_buf_t text = {0};
            if (cf_rooms_write_event(&text, place->room, event) == 0)
                frame = cf_frame_new(text.data, text.size);
            cf_buf_free(&text);
        }
        if (!frame) {
            cf_socket_no_memory(client);
            continue;
        }
        mark_seen(client, event);
        if (cf_conn_send(client->conn, frame) == 0)
            cf_count(metric_of(event->kind));
        if (++told == place->member_count / 2)
            cf_crash_point("mid_fanout");
    }
    cf_frame_unref(&frame);
    if (told == 0 || event->kind != CF_EVENT_POST)
        return;
    self->fanned_out = true;
    cf_buf_add(&self->shown_us, &event->post.at_us, sizeof event->post.at_us);
}

/* --- counts ------------------------------------------------------------------------------------
 */

void cf_socket_counts(cf_gateway_t *self, const cf_counts_t *counts)
{
    cf_buf_t text = {0};
    cf_frame_t *frame = NULL;
    if (cf_rooms_write_counts(&text, counts) == 0)
        frame = cf_frame_new(text.data, text.size);
    size_t bytes = text.size;
    cf_buf_free(&text);
    if (!frame)
        return; /* the next one tells the same */
    cf_frame_unref(&self->counts);
    self->counts = frame;
    self->counts_bytes = bytes;
    self->counts_version++;
    cf_socket_send_counts(self, cf_boot_us());
}

void cf_socket_no_counts(cf_gateway_t *self, const cf_client_t *client)
{
    if (self->counts_next == client)
        self->counts_next = client->hh.next;
}

/* True if it was given the latest. A connection that lags gets it when it has everything else. */
static bool give_counts(cf_gateway_t *self, cf_client_t *client)
{
    if (client->phase != CF_CLIENT_ATTACHED || client->counts_version == self->counts_version)
        return false;
    client->counts_version = self->counts_version;
    if (cf_conn_send_latest(client->conn, self->counts) == 0) /* else it is another's place */
        cf_count(CF_M_SENT_COUNTS);
    return true;
}

static void begin_counts_round(cf_gateway_t *self, int64_t boot_us)
{
    bool is_late = self->counts_behind || self->counts_round != self->counts_version;
    if (!is_late || boot_us - self->counts_round_us < COUNTS_MIN_US)
        return;
    self->counts_behind = false;
    self->counts_round = self->counts_version;
    self->counts_round_us = boot_us;
    self->counts_next = self->clients;
}

/* Everybody in turn, each with what is the latest then, and at any time no more than the shares allow: to
 * 12,000 connections in one pass it would be 250 MB, and whoever speaks meanwhile waits for them. */
void cf_socket_send_counts(cf_gateway_t *self, int64_t boot_us)
{
    int64_t by_core_us = CF_COST_SEND_US * COUNTS_CORE_SHARE;
    int64_t by_bytes_us = (int64_t)self->counts_bytes * 1000000 / COUNTS_BYTES_PER_S;
    if (!self->counts_next && self->counts)
        begin_counts_round(self, boot_us);
    if (!self->counts_next)
        return;
    if (self->counts_paid_us < boot_us - COUNTS_SAVED_US)
        self->counts_paid_us = boot_us - COUNTS_SAVED_US;
    while (self->counts_next && self->counts_paid_us < boot_us) {
        cf_client_t *client = self->counts_next;
        self->counts_next = client->hh.next;
        if (give_counts(self, client))
            self->counts_paid_us += by_core_us > by_bytes_us ? by_core_us : by_bytes_us;
    }
}

/* --- endings -----------------------------------------------------------------------------------
 */

static void end_session_of(cf_client_t *client)
{
    if (client->exchange) /* before its 101: answered 401, or closed once it is open */
        client->exchange->session_over = true;
    else if (client->phase >= CF_CLIENT_ATTACHING)
        cf_socket_close(client, 1008, "session ended");
}

void cf_socket_end_session(cf_gateway_t *self, cf_id_t session)
{
    for (cf_client_t *client = self->clients; client; client = client->hh.next)
        if (client->conn && cf_id_equal(client->session, session))
            end_session_of(client);
}

void cf_socket_end_user(cf_gateway_t *self, cf_id_t user)
{
    for (cf_client_t *client = self->clients; client; client = client->hh.next)
        if (client->conn && cf_id_equal(client->user, user))
            end_session_of(client);
}

void cf_socket_expel(cf_gateway_t *self, cf_id_t room, uint64_t conn)
{
    cf_client_t *client;
    HASH_FIND(hh, self->clients, &conn, sizeof conn, client);
    if (!client || !client->conn || !client->place || !cf_id_equal(client->room, room))
        return;
    client->seen_epoch = 0; /* the room has told of its departure already */
    cf_socket_close(client, 1008, "not a member any more");
}

void cf_socket_second(cf_gateway_t *self, int64_t wall_us)
{
    for (cf_client_t *client = self->clients; client; client = client->hh.next)
        if (client->conn && client->phase == CF_CLIENT_ATTACHED && client->expires_us <= wall_us)
            cf_socket_close(client, 1008, "session expired");
}

void cf_socket_close_all(cf_gateway_t *self, const cf_close_t *how)
{
    char reason[64];
    uint32_t spread_ms = how->has_others ? RECONNECT_ELSEWHERE_MS : RECONNECT_SPREAD_MS;
    for (cf_client_t *client = self->clients; client; client = client->hh.next) {
        if (!client->conn || client->phase < CF_CLIENT_ATTACHING)
            continue;
        snprintf(reason, sizeof reason, "%s; retry_after_ms=%u",
                 how->begins_anew ? "restarting" : "going away", randombytes_uniform(spread_ms));
        cf_socket_close(client, how->begins_anew ? 1012 : 1001, reason);
    }
}
