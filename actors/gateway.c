#include "gateway.h"

#include "clock.h"
#include "crash_point.h"
#include "err.h"
#include "gateway_routes.h"
#include "metrics.h"

#include <assert.h>
#include <stdlib.h>

/* --- requests in flight ------------------------------------------------------------------------
 */

/* Numbers of our own making, one behind the other, fall into different buckets by themselves. */
static unsigned hash_of(uint64_t corr)
{
    return (unsigned)corr;
}

/* What is answered to what a gateway asks. Whoever reads an answer has room for this one alone. */
static const struct {
    uint16_t request, answer;
} answers[] = {
    {CF_MSG_CHECK, CF_MSG_DONE},           {CF_MSG_JOIN, CF_MSG_DONE},
    {CF_MSG_LEAVE, CF_MSG_DONE},           {CF_MSG_ATTACH, CF_MSG_ATTACHED},
    {CF_MSG_DETACH, CF_MSG_DONE},          {CF_MSG_POST, CF_MSG_POSTED},
    {CF_MSG_HISTORY, CF_MSG_PAGE},         {CF_MSG_COMMAND, CF_MSG_COMMANDED},
    {CF_MSG_TAKE, CF_MSG_GRANTED},         {CF_MSG_AUTHENTICATE, CF_MSG_SESSION},
    {CF_MSG_REGISTER, CF_MSG_REGISTERED},  {CF_MSG_LOGIN, CF_MSG_LOGGED_IN},
    {CF_MSG_LOGOUT, CF_MSG_DONE},          {CF_MSG_CREATE_ROOM, CF_MSG_DONE},
    {CF_MSG_LIST_ROOMS, CF_MSG_ROOM_LIST}, {CF_MSG_HEALTH, CF_MSG_HEALTH_STATE},
    {CF_MSG_METRICS, CF_MSG_METRICS_TEXT},
};

static uint16_t answer_to(uint16_t request)
{
    size_t i = 0;
    while (i < sizeof answers / sizeof answers[0] && answers[i].request != request)
        i++;
    assert(i < sizeof answers / sizeof answers[0]);
    return i < sizeof answers / sizeof answers[0] ? answers[i].answer : 0;
}

cf_pending_t *cf_gateway_pend(cf_gateway_t *self, cf_client_t *client, uint16_t type,
                              cf_answer_fn *answer)
{
    cf_pending_t *pending = calloc(1, sizeof *pending);
    if (!pending)
        return NULL;
    pending->corr = ++self->next_corr;
    pending->type = type;
    pending->wants = answer_to(type);
    pending->answer = answer;
    pending->sent_us = cf_boot_us();
    pending->give_up_us = pending->sent_us + self->config.answer_us;
    cf_outbox_get_trace(self->out, &pending->trace);
    HASH_ADD_BYHASHVALUE(hh, self->pendings, corr, sizeof pending->corr, hash_of(pending->corr),
                         pending);
    if (!pending->hh.tbl) {
        free(pending);
        return NULL;
    }
    if (!client)
        return pending;
    pending->parent = cf_gateway_span_of(client->exchange);
    pending->client = client;
    pending->next_of_client = client->pendings;
    if (client->pendings)
        client->pendings->prev_of_client = pending;
    client->pendings = pending;
    return pending;
}

static void forget_client(cf_pending_t *pending)
{
    cf_client_t *client = pending->client;
    if (!client)
        return;
    if (pending->prev_of_client)
        pending->prev_of_client->next_of_client = pending->next_of_client;
    else
        client->pendings = pending->next_of_client;
    if (pending->next_of_client)
        pending->next_of_client->prev_of_client = pending->prev_of_client;
    pending->prev_of_client = pending->next_of_client = NULL;
    pending->client = NULL;
}

static void free_pending(cf_pending_t *pending)
{
    cf_buf_free(&pending->frame);
    free(pending->typed);
    free(pending);
}

void cf_gateway_drop_pending(cf_gateway_t *self, cf_pending_t *pending)
{
    cf_client_t *client = pending->client;
    uint32_t credit = pending->credit;
    if (pending->place)
        cf_place_answered(self, pending, false);
    if (pending->spender)
        cf_limits_drop(pending);
    if (pending->typed)
        cf_command_over(self, pending);
    bool was_lost = pending->was_lost && client;
    forget_client(pending);
    HASH_DEL(self->pendings, pending);
    free_pending(pending);
    if (credit) {
        self->pool_used -= credit;
        cf_socket_give_credit(self, client, credit);
    }
    if (was_lost)
        cf_socket_lost_post_over(self, client);
}

int cf_gateway_ask_for(cf_gateway_t *self, cf_client_t *client, cf_address_t to, uint16_t type,
                       const void *body, cf_id_t room, cf_answer_fn *answer, cf_pending_t **out)
{
    cf_pending_t *pending = cf_gateway_pend(self, client, type, answer);
    if (!pending)
        return CF_ENOMEM;
    int rc = cf_outbox_send(self->out, to, type, pending->corr, room, body);
    if (rc < 0)
        cf_gateway_drop_pending(self, pending);
    else
        *out = pending;
    return rc;
}

int cf_gateway_ask(cf_gateway_t *self, cf_client_t *client, cf_address_t to, uint16_t type,
                   const void *body, cf_id_t room, cf_answer_fn *answer)
{
    cf_pending_t *ignored;
    return cf_gateway_ask_for(self, client, to, type, body, room, answer, &ignored);
}

int cf_gateway_refusal(cf_turn_t *turn, const cf_msg_t *msg, uint32_t *retry_after_ms)
{
    cf_refused_t refused;
    *retry_after_ms = 0;
    if (msg->type != CF_MSG_REFUSED)
        return 0;
    if (cf_turn_read(turn, msg, &refused) < 0)
        return CF_EINTERNAL;
    *retry_after_ms = refused.retry_after_ms;
    return -(int)refused.reason;
}

static void client_fields(cf_log_field_t *out, const void *of)
{
    const cf_client_t *client = of;
    out[0] = CF_STR("request_id", client->request_id);
    out[1] = CF_UINT("conn", client->number);
    out[2] = CF_ID("user", client->user);
    out[3] = CF_ID("session", client->session);
    out[4] = cf_log_end();
}

void cf_gateway_speak_of(const cf_client_t *client)
{
    bool is_socket = client && client->phase >= CF_CLIENT_ATTACHING;
    cf_log_context(is_socket ? client_fields : NULL, client);
}

/* A callback of the server, about a socket that is in the trace of its upgrade, */
static void begin(cf_gateway_t *self, const cf_client_t *client)
{
    cf_actor_trace(self->out, &client->trace);
    cf_gateway_speak_of(client);
}

/* and its end. */
static void end(cf_gateway_t *self)
{
    cf_actor_trace(self->out, NULL);
    cf_gateway_speak_of(NULL);
    cf_arena_reset(&self->arena);
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* Numbers of requests are easily guessed; and what a node has said before its end may be read behind NODE_GONE, which comes
 * another way: taken for the next one's answer it would be told twice, or sent again what that has carried out. */
static bool was_asked(const cf_gateway_t *self, const cf_pending_t *pending, uint32_t node)
{
    if (pending->place)
        return pending->is_in_flight && pending->place->sent_to.node == node;
    return node == (pending->limiter ? pending->limiter : cf_outbox_address(self->out).node);
}

static int on_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_pending_t *pending;
    HASH_FIND_BYHASHVALUE(hh, self->pendings, &msg->corr, sizeof msg->corr, hash_of(msg->corr),
                          pending);
    if (!pending) {
        if (msg->type == CF_MSG_REFUSED)
            cf_place_lookup_refused(self, turn, msg);
        return 0; /* given up by the timer, or a lookup's */
    }
    if (!was_asked(self, pending, msg->from.node))
        return 0;
    if (msg->type != pending->wants && msg->type != CF_MSG_REFUSED &&
        (msg->type != CF_MSG_MOVED || !pending->place))
        return CF_EPROTO; /* until its time is over it waits for the right one */
    if (msg->type == CF_MSG_MOVED && (pending->client || pending->is_for_room)) {
        cf_place_answered(self, pending, true);
        return 0;
    }
    if (msg->type == CF_MSG_MOVED) { /* nothing was done, and nobody waits for it any more */
        cf_gateway_drop_pending(self, pending);
        return 0;
    }
    cf_gateway_speak_of(pending->client);
    pending->answer(self, turn, pending, msg);
    cf_gateway_tell_asked(self, pending, msg);
    cf_gateway_drop_pending(self, pending);
    cf_gateway_speak_of(NULL);
    return 0;
}

static cf_seen_t *seen_from(cf_gateway_t *self, cf_address_t from)
{
    uint64_t address = cf_address_pack(from);
    for (uint32_t i = 0; i < self->seen_count; i++)
        if (self->seen[i].address == address)
            return &self->seen[i];
    if (self->seen_count == CF_GATEWAY_SEEN_MAX)
        return NULL;
    self->seen[self->seen_count] = (cf_seen_t){.address = address};
    return &self->seen[self->seen_count++];
}

/* It takes room in its thread's window until FLUSHED says that it was handed on. */
static void note_seen(cf_gateway_t *self, const cf_msg_t *msg)
{
    cf_seen_t *seen = seen_from(self, msg->from);
    if (!seen)
        return;
    seen->events++;
    seen->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    seen->is_due = true;
}

static int on_roster(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_roster_at_t roster;
    int rc = cf_msg_body(&roster, msg, turn->arena);
    note_seen(self, msg);
    cf_place_t *place = rc == 0 ? cf_place_find(self, msg->room) : NULL;
    if (place)
        cf_roster_renew(place, &roster);
    return rc;
}

static int on_event(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_event_t event;
    int rc = cf_msg_body(&event, msg, turn->arena);
    note_seen(self, msg);
    cf_place_t *place = rc == 0 ? cf_place_find(self, msg->room) : NULL;
    if (place) {
        cf_elsewhere_event(self, place, &event);
        cf_socket_event(self, turn, place, &event);
    }
    return rc;
}

static void note_changes(cf_gateway_t *self, cf_place_t *place, const cf_changes_t *changes)
{
    const cf_change_t *change = changes->changes.items;
    for (uint32_t i = 0; i < changes->changes.n; i++) {
        cf_event_t event = {.epoch = changes->epoch,
                            .n = changes->n + i,
                            .kind = change[i].has_left ? CF_EVENT_LEFT : CF_EVENT_JOINED,
                            .post = {.username = change[i].username, .seq = change[i].node}};
        cf_elsewhere_event(self, place, &event);
    }
}

static int on_changes(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_changes_t changes;
    int rc = cf_msg_body(&changes, msg, turn->arena);
    note_seen(self, msg);
    cf_place_t *place = rc == 0 ? cf_place_find(self, msg->room) : NULL;
    if (place) {
        note_changes(self, place, &changes);
        cf_changes_tell(place, &changes);
    }
    return rc;
}

static int on_counts(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_counts_t counts;
    int rc = cf_msg_body(&counts, msg, turn->arena);
    if (rc == 0)
        cf_socket_counts(state, &counts);
    return rc;
}

static int on_session_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_session_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc == 0)
        cf_socket_end_session(state, ended.session);
    return rc;
}

static int on_user_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_user_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc == 0)
        cf_socket_end_user(state, ended.user);
    return rc;
}

static int on_expelled(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_expelled_t expelled;
    int rc = cf_msg_body(&expelled, msg, turn->arena);
    if (rc == 0)
        cf_socket_expel(state, msg->room, expelled.conn);
    return rc;
}

static int on_reload(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    int rc = cf_server_reload(self->server);
    if (rc < 0) /* not returned: it is the files that are out of bounds, and not this message */
        return cf_outbox_refuse(turn->out, msg, rc, 0);
    return cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
}

/* Returns the one behind it: looked for anew, as a room that can go on now drops what nobody waits for. */
static cf_pending_t *give_up(cf_gateway_t *self, cf_pending_t *pending)
{
    cf_client_t *client = pending->client;
    uint64_t corr = pending->corr;
    if (client && client->exchange)
        cf_http_timed_out(self, client);
    else if (client)
        cf_socket_gave_up(self, pending);
    cf_gateway_tell_asked(self, pending, NULL);
    cf_gateway_drop_pending(self, pending);
    cf_pending_t *next = self->pendings; /* in order of sending, and so of corr */
    while (next && next->corr < corr)
        next = next->hh.next;
    return next;
}

/* Places first: what the limiter of that node held up has not been sent there. */
static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    int rc = cf_place_on_node_gone(state, turn, msg);
    return rc < 0 ? rc : cf_limits_on_node_gone(state, turn, msg);
}

static int on_close(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_close_t how;
    int rc = cf_msg_body(&how, msg, turn->arena);
    if (rc < 0)
        return rc;
    self->close = *msg;
    for (cf_pending_t *pending = self->pendings, *next; pending; pending = next) {
        bool is_attach = pending->client && !pending->client->exchange && !pending->credit &&
                         !pending->typed; /* nobody was told anything of it */
        next = pending->client && !is_attach ? give_up(self, pending) : pending->hh.next;
    }
    cf_socket_close_all(self, &how);
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_EVENT, on_event},
    {CF_MSG_CHANGES, on_changes},
    {CF_MSG_ROSTER, on_roster},
    {CF_MSG_EXPELLED, on_expelled},
    {CF_MSG_POSTED, on_answer},
    {CF_MSG_COMMANDED, on_answer},
    {CF_MSG_ATTACHED, on_answer},
    {CF_MSG_DONE, on_answer},
    {CF_MSG_REFUSED, on_answer},
    {CF_MSG_MOVED, on_answer},
    {CF_MSG_PAGE, on_answer},
    {CF_MSG_SESSION, on_answer},
    {CF_MSG_REGISTERED, on_answer},
    {CF_MSG_LOGGED_IN, on_answer},
    {CF_MSG_ROOM_LIST, on_answer},
    {CF_MSG_GRANTED, on_answer},
    {CF_MSG_METRICS_TEXT, on_answer},
    {CF_MSG_HEALTH_STATE, on_answer},
    {CF_MSG_PLACED, cf_place_on_placed},
    {CF_MSG_FORGET, cf_place_on_forget},
    {CF_MSG_LIMIT_KEY, cf_limits_on_key},
    {CF_MSG_NODE_HERE, cf_limits_on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_COUNTS, on_counts},
    {CF_MSG_SESSION_ENDED, on_session_ended},
    {CF_MSG_USER_ENDED, on_user_ended},
    {CF_MSG_RELOAD, on_reload},
    {CF_MSG_CLOSE, on_close},
    {0, NULL},
};

/* An answer that cannot be read is told to whoever waits for it as an error. A room's event or roster
 * that cannot be read would be a gap in what its members see: they come back and read the history. */
static bool quarantine(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_place_t *place = cf_place_find(state, msg->room);
    (void)turn;
    if (msg->type != CF_MSG_EVENT && msg->type != CF_MSG_CHANGES && msg->type != CF_MSG_ROSTER)
        return false;
    if (place)
        cf_place_close(place, 1013, "try again later");
    return true;
}

/* --- clients -----------------------------------------------------------------------------------
 */

void cf_gateway_free_exchange(cf_client_t *client)
{
    if (!client->exchange)
        return;
    cf_arena_wipe(&client->exchange->texts); /* passwords and tokens */
    cf_arena_free(&client->exchange->texts);
    free(client->exchange);
    client->exchange = NULL;
}

static void free_client(cf_gateway_t *self, cf_client_t *client)
{
    cf_socket_no_counts(self, client);
    HASH_DEL(self->clients, client);
    cf_gateway_free_exchange(client);
    free(client);
}

static void on_request(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    cf_gateway_t *self = owner;
    cf_span_id_t parent = cf_gateway_follow_trace(self, request->traceparent);
    cf_http_begin(self, conn, request, parent);
    cf_arena_reset(&self->arena);
}

static void on_refused(void *owner, int status, const cf_request_t *request,
                       char headers[CF_REFUSED_HEADERS_MAX])
{
    cf_gateway_t *self = owner;
    cf_gateway_follow_trace(self, request->traceparent);
    cf_http_refused(self, status, request, headers);
}

static void on_open(void *owner, cf_conn_t *conn)
{
    cf_client_t *client = cf_conn_owner_data(conn);
    if (!client)
        return;
    begin(owner, client);
    cf_log_debug("opened a socket", CF_ID("room", client->room));
    cf_socket_opened(owner, client);
    end(owner);
}

static void on_message(void *owner, cf_conn_t *conn, const uint8_t *bytes, size_t size,
                       bool is_text)
{
    cf_gateway_t *self = owner;
    cf_client_t *client = cf_conn_owner_data(conn);
    (void)is_text; /* both are taken alike (rooms contract, 4.3) */
    if (!client || client->phase != CF_CLIENT_ATTACHED)
        return; /* closing */
    cf_gateway_speak_of(client);
    cf_gateway_new_trace(self);
    cf_log_debug("took a message", CF_UINT("size", size));
    cf_socket_message(self, client, bytes, size);
    end(self);
}

/* What was asked is carried out; nobody waits for the answer. */
static void forget_requests(cf_client_t *client)
{
    while (client->pendings)
        forget_client(client->pendings);
}

static void on_closing(void *owner, cf_conn_t *conn)
{
    cf_client_t *client = cf_conn_owner_data(conn);
    if (!client)
        return;
    begin(owner, client);
    forget_requests(client);
    cf_socket_leave(owner, client);
    end(owner);
}

static const char *const gone_names[] = {[CF_GONE_PEER] = "the client left",
                                         [CF_GONE_SLOW] = "slow",
                                         [CF_GONE_IDLE] = "idle",
                                         [CF_GONE_PROTOCOL] = "protocol",
                                         [CF_GONE_OURS] = "closed by us"};

static void on_gone(void *owner, cf_conn_t *conn, cf_gone_t why)
{
    cf_gateway_t *self = owner;
    cf_client_t *client = cf_conn_owner_data(conn);
    if (!client)
        return;
    begin(self, client);
    if (client->phase >= CF_CLIENT_ATTACHING)
        cf_log_debug("closed a socket", CF_STR("why", gone_names[why]));
    client->conn = NULL;
    forget_requests(client);
    cf_socket_leave(self, client);
    cf_user_leave(self, client);
    end(self);
    free_client(self, client);
}

/* --- passes ------------------------------------------------------------------------------------
 */

static bool on_inbox(void *owner, int budget)
{
    cf_gateway_t *self = owner;
    int left = budget;
    while (left > 0) {
        int batch = left < CF_INBOX_BATCH_MAX ? left : CF_INBOX_BATCH_MAX;
        int n = cf_actor_turn(self->actor, batch);
        if (n < 0) {
            cf_server_stop(self->server);
            return false;
        }
        if (n < batch)
            return false;
        left -= n;
    }
    return true;
}

static void before_flush(void *owner)
{
    cf_gateway_t *self = owner;
    cf_outbox_flush(
        self->out); /* what clients asked for is on its way before we spend time on sends */
}

/* Wall clock, as the room's: it is of the same machine, or one that keeps the same time. */
static void observe_deliveries(cf_gateway_t *self)
{
    int64_t at_us, now_us = self->shown_us.size ? cf_wall_us() : 0;
    for (size_t i = 0; i < self->shown_us.size; i += sizeof at_us) {
        memcpy(&at_us, self->shown_us.data + i, sizeof at_us);
        cf_observe(CF_H_DELIVERY, now_us - at_us);
    }
    cf_buf_clear(&self->shown_us);
}

static bool all_gone(const cf_gateway_t *self)
{
    return HASH_COUNT(self->clients) == 0 && cf_server_stats(self->server)->tls.flushing == 0;
}

static void drain_further(cf_gateway_t *self)
{
    if (self->draining && HASH_COUNT(self->pendings) == 0)
        cf_actor_drained(self->actor); /* once is enough, it knows */
    if (self->close.corr && all_gone(self) &&
        cf_outbox_answer(self->out, &self->close, CF_MSG_CLOSED, NULL) == 0)
        self->close.corr = 0;
}

static void after_flush(void *owner)
{
    cf_gateway_t *self = owner;
    for (uint32_t i = 0; i < self->seen_count; i++) {
        cf_seen_t *seen = &self->seen[i];
        if (seen->is_due &&
            cf_outbox_send(self->out, cf_address_unpack(seen->address), CF_MSG_FLUSHED, 0,
                           (cf_id_t){0}, &(cf_flushed_t){seen->events, seen->bytes}) == 0)
            seen->is_due = false; /* else said with the next pass, as the sums of then */
    }
    drain_further(self);
    cf_outbox_flush(self->out);
    if (cf_server_is_flushed(self->server))
        observe_deliveries(self);
    if (self->acked)
        cf_crash_point("after_ack");
    if (self->fanned_out)
        cf_crash_point("after_fanout");
    self->acked = self->fanned_out = false;
}

/* Below every actor's own time limit: a request nobody answers any more. */
static void give_up_old(cf_gateway_t *self, int64_t boot_us)
{
    for (cf_pending_t *pending = self->pendings, *next; pending; pending = next) {
        next = pending->hh.next;
        if (boot_us - pending->sent_us < self->config.answer_us)
            return; /* the table is in order of sending */
        if (boot_us < pending->give_up_us)
            continue; /* a command, or a password's hash */
        cf_gateway_speak_of(pending->client);
        cf_log_trace(&pending->trace);
        cf_log_warn("a request was not answered", CF_UINT("corr", pending->corr));
        next = give_up(self, pending);
        end(self);
    }
}

static void on_second(void *owner, int64_t boot_us)
{
    cf_gateway_t *self = owner;
    give_up_old(self, boot_us);
    cf_place_second(self, boot_us);
    cf_limits_second(self, boot_us);
    cf_socket_second(self, cf_wall_us());
    cf_socket_send_counts(self, boot_us);
    drain_further(
        self); /* of what was given up just now, or could not be said for want of memory */
    cf_outbox_flush(self->out);
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_gateway_t *self = state;
    (void)turn;
    self->draining = true; /* answered behind this pass if nothing waits */
    cf_server_stop_listening(self->server);
    for (cf_client_t *client = self->clients; client; client = client->hh.next)
        if (client->phase == CF_CLIENT_ATTACHED && client->conn)
            cf_conn_pause(client->conn, true); /* no new work; what is in flight is answered */
}

static void tls_gauges(const cf_tls_stats_t *tls)
{
    cf_gauge(CF_M_TLS_HANDSHAKES, tls->handshakes);
    cf_gauge(CF_M_TLS_RESUMED, tls->resumed);
    cf_gauge(CF_M_TLS_FAILED_HTTP, tls->failed_http);
    cf_gauge(CF_M_TLS_FAILED_UNSUPPORTED, tls->failed_unsupported);
    cf_gauge(CF_M_TLS_FAILED_REJECTED, tls->failed_rejected);
    cf_gauge(CF_M_TLS_FAILED_MALFORMED, tls->failed_malformed);
    cf_gauge(CF_M_TLS_FAILED_LEFT, tls->failed_left);
    cf_gauge(CF_M_TLS_FAILED_SLOW, tls->failed_slow);
    cf_gauge(CF_M_TLS_FAILED_RESOURCES, tls->failed_resources);
    cf_gauge(CF_M_TLS_BROKEN, tls->broken);
    cf_gauge(CF_M_TLS_STALLED, tls->stalled);
    cf_gauge(CF_M_TLS_RELOADS, tls->reloads);
    cf_gauge(CF_M_TLS_RELOADS_REFUSED, tls->reloads_refused);
    cf_gauge(CF_M_TLS_EXPIRY, tls->expires_s);
}

static void gauges(void *state)
{
    cf_gateway_t *self = state;
    const cf_server_stats_t *stats = cf_server_stats(self->server);
    cf_gauge(CF_M_POOL_BYTES, self->pool_used);
    cf_gauge(CF_M_COMMAND_BYTES, self->command_bytes);
    cf_gauge(CF_M_REQUESTS_WAITING, HASH_COUNT(self->pendings));
    cf_gauge(CF_M_CONNECTIONS, stats->open_sockets);
    cf_gauge(CF_M_WEBSOCKETS, stats->open_websockets);
    cf_gauge(CF_M_ACCEPTED, stats->accepted);
    cf_gauge(CF_M_REFUSED_CAP, stats->refused_cap + stats->refused_per_ip);
    cf_gauge(CF_M_BAD_HEADS, stats->refused_head);
    cf_gauge(CF_M_BAD_BODIES, stats->refused_body);
    cf_gauge(CF_M_REFUSED_POOL, stats->refused_pool);
    cf_gauge(CF_M_REQUEST_BYTES, stats->request_bytes);
    cf_gauge(CF_M_SLOW_HEADS, stats->slow_heads);
    cf_gauge(CF_M_WS_MESSAGES_IN, stats->messages_in);
    cf_gauge(CF_M_BYTES_IN, stats->bytes_in);
    cf_gauge(CF_M_BYTES_OUT, stats->bytes_out);
    cf_gauge(CF_M_SENDS, stats->sends);
    cf_gauge(CF_M_QUEUED_BYTES, stats->queued_bytes);
    cf_gauge(CF_M_CLOSED_SLOW, stats->closed_slow);
    cf_gauge(CF_M_CLOSED_IDLE, stats->closed_idle);
    cf_gauge(CF_M_CLOSED_FLOOD, stats->closed_flood);
    cf_gauge(CF_M_CLOSED_CONTROL, stats->closed_control);
    cf_gauge(CF_M_CLOSED_UNFINISHED, stats->closed_unfinished);
    cf_gauge(CF_M_REFUSED_WS_POOL, stats->refused_message_pool);
    cf_gauge(CF_M_WS_MESSAGE_BYTES, stats->message_bytes);
    cf_gauge(CF_M_CLOSED_PROTOCOL,
             stats->closed_protocol + stats->closed_too_big + stats->closed_utf8);
    tls_gauges(&stats->tls);
}

/* --- life --------------------------------------------------------------------------------------
 */

static const cf_server_events_t events = {.on_request = on_request,
                                          .on_upgrade = on_request,
                                          .on_refused = on_refused,
                                          .on_open = on_open,
                                          .on_message = on_message,
                                          .on_closing = on_closing,
                                          .on_gone = on_gone,
                                          .on_inbox = on_inbox,
                                          .before_flush = before_flush,
                                          .after_flush = after_flush,
                                          .on_second = on_second};

int cf_gateway_new(cf_gateway_t **out, const cf_gateway_config_t *config, cf_actor_t *actor)
{
    cf_gateway_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->spans = config->spans;
    self->config.server.lasting_bytes = cf_limits_lasting_bytes;
    self->actor = actor;
    self->began_s = cf_wall_us() / 1000000;
    self->out = cf_actor_outbox(actor);
    self->seen = calloc(CF_GATEWAY_SEEN_MAX, sizeof *self->seen);
    int rc = self->seen ? cf_server_new(&self->server, &self->config.server, &events, self,
                                        cf_inbox_fd(cf_actor_inbox(actor)))
                        : CF_ENOMEM;
    if (rc < 0) {
        free(self->seen);
        free(self);
        return rc;
    }
    *out = self;
    return 0;
}

int cf_gateway_port(const cf_gateway_t *self)
{
    return cf_server_port(self->server);
}

static void run(void *state, cf_actor_t *actor)
{
    cf_gateway_t *self = state;
    (void)actor;
    int rc = cf_server_run(self->server);
    if (rc < 0)
        cf_log_error("the socket server failed", CF_ERR(rc));
}

static void destroy(void *state)
{
    cf_gateway_t *self = state;
    cf_server_destroy(&self->server); /* every client goes through on_gone */
    cf_pending_t *pending, *next;
    HASH_ITER(hh, self->pendings, pending, next)
    {
        HASH_DEL(self->pendings, pending);
        free_pending(pending);
    }
    cf_place_free_all(self);
    cf_frame_unref(&self->counts);
    cf_buf_free(&self->shown_us);
    cf_arena_free(&self->arena);
    free(self->seen);
    free(self);
}

const cf_actor_ops_t cf_gateway_ops = {.handlers = handlers,
                                       .drain = drain,
                                       .quarantine = quarantine,
                                       .gauges = gauges,
                                       .run = run,
                                       .destroy = destroy};
