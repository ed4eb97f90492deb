#include "room.h"

#include "crash_point.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "room_state.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/place.h"
#include "wire/room.h"

#include <stdlib.h>

/* A place at the lobby and one at a gateway take some 200 bytes each, its ring and its tables the rest. */
_Static_assert(sizeof(cf_room_t) + 2048 <= CF_ROOM_COST, "a room at rest");
_Static_assert(sizeof(cf_membership_t) + 64 <= CF_ROOM_MEMBER_COST, "with its share of the table");

static cf_handler_fn on_activated, on_owned, on_refused, on_vacate;

/* In every phase. */
static const cf_handler_t always[] = {
    {CF_MSG_ACTIVATED, on_activated},
    {CF_MSG_OWNED, on_owned},
    {CF_MSG_REFUSED, on_refused},
    {CF_MSG_MEMBER, cf_room_on_member},
    {CF_MSG_DONE, cf_room_on_done},
    {CF_MSG_VERDICT, cf_room_on_verdict},
    {CF_MSG_PAGE, cf_room_on_page},
    {CF_MSG_VACATE, on_vacate},
    {CF_MSG_HANDOVER, cf_room_on_handover},
    {CF_MSG_DETACH, cf_room_on_detach},
    {CF_MSG_BOT_ANSWER, cf_room_on_bot_answer}, /* what a bot says has no seq */
    {0, NULL},
};

/* While OPEN; held while LOADING, answered MOVED afterwards. */
static const cf_handler_t requests[] = {
    {CF_MSG_CHECK, cf_room_on_check},
    {CF_MSG_JOIN, cf_room_on_join},
    {CF_MSG_LEAVE, cf_room_on_leave},
    {CF_MSG_ATTACH, cf_room_on_attach},
    {CF_MSG_POST, cf_room_on_post},
    {CF_MSG_HISTORY, cf_room_on_history},
    {CF_MSG_COMMAND, cf_room_on_command}, /* for the bot */
    {CF_MSG_RERUN, cf_room_on_rerun},     /* the same, of a dead letter */
    {0, NULL},
};

static cf_handler_fn *find(const cf_handler_t *table, uint16_t type)
{
    for (; table->type; table++)
        if (table->type == type)
            return table->handle;
    return NULL;
}

uint64_t cf_room_next_corr(cf_room_t *self)
{
    return ++self->host->next_corr;
}

cf_address_t cf_room_reader(const cf_room_t *self)
{
    cf_address_t reader = self->host->config->reader;
    reader.index = (uint16_t)(reader.index + self->id.bytes[15] % self->host->config->readers);
    return reader;
}

void cf_room_tell_span(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *request, uint64_t corr,
                       const cf_span_told_t *told)
{
    cf_span_told_t whole = *told;
    whole.trace = request->trace;
    whole.room = self->id;
    whole.id = cf_spans_asked(turn->out, &request->trace, corr, self->id);
    whole.parent = cf_span_of(request);
    cf_spans_tell(&self->host->spans, turn->out, turn->wall_us, turn->boot_us, &whole);
}

void cf_room_answer_moved(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *request)
{
    (void)self;
    cf_count(CF_M_ROOMS_MOVED);
    cf_outbox_finish(turn->out, request, CF_MSG_MOVED, NULL);
}

/* --- held requests -----------------------------------------------------------------------------
 */

int cf_room_hold(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_id_t user)
{
    const cf_room_config_t *config = self->host->config;
    size_t size = CF_MSG_HEAD_SIZE + (size_t)msg->size;
    /* Not by count: of 5,000 members who come back at once each waits with one small request */
    if (self->held_bytes + sizeof(cf_held_t) + size > config->queue_bytes)
        return CF_EFULL;
    cf_held_t *held = malloc(sizeof *held + size);
    if (!held)
        return CF_ENOMEM;
    *held = (cf_held_t){.user = user, .since_us = turn->boot_us, .size = size};
    cf_attach_t attach;
    if (msg->type == CF_MSG_ATTACH && cf_msg_body(&attach, msg, turn->arena) == 0) {
        held->conn = attach.conn;
        held->gateway = cf_address_pack(msg->from);
    }
    memcpy(held->frame, msg->body - CF_MSG_HEAD_SIZE, size);
    *self->held_end = held;
    self->held_end = &held->next;
    self->held_bytes += sizeof *held + size;
    return 0;
}

/* Take everything that was held for `user` off the list, in order. */
static cf_held_t *take_held(cf_room_t *self, cf_id_t user)
{
    cf_held_t *taken = NULL, **taken_end = &taken;
    cf_held_t **at = &self->held;
    while (*at) {
        cf_held_t *held = *at;
        if (!cf_id_equal(held->user, user)) {
            at = &held->next;
            continue;
        }
        *at = held->next;
        held->next = NULL;
        *taken_end = held;
        taken_end = &held->next;
        self->held_bytes -= sizeof *held + held->size;
    }
    self->held_end = at;
    return taken;
}

void cf_room_release(cf_room_t *self, cf_turn_t *turn, cf_id_t user)
{
    for (cf_held_t *held = take_held(self, user), *next; held; held = next) {
        cf_msg_t msg;
        next = held->next;
        if (cf_msg_decode(&msg, held->frame, held->size) == 0) {
            cf_outbox_trace(turn->out, &msg.trace);
            cf_room_handle(self, turn, &msg);
        }
        free(held);
    }
}

/* The caller frees it. */
static cf_held_t *unlink_held(cf_room_t *self, cf_held_t **at)
{
    cf_held_t *held = *at;
    *at = held->next;
    if (self->held_end == &held->next)
        self->held_end = at;
    self->held_bytes -= sizeof *held + held->size;
    return held;
}

void cf_room_drop_held_attach(cf_room_t *self, cf_turn_t *turn, cf_address_t gateway, uint64_t conn)
{
    uint64_t address = cf_address_pack(gateway);
    for (cf_held_t **at = &self->held; *at;) {
        cf_held_t *held = *at;
        if (held->conn != conn || held->gateway != address) {
            at = &held->next;
            continue;
        }
        cf_msg_t msg;
        unlink_held(self, at);
        if (cf_msg_decode(&msg, held->frame, held->size) == 0)
            cf_outbox_refuse(turn->out, &msg, CF_ENOENT,
                             0); /* the gateway counts what is in flight */
        free(held);
    }
}

/* Let in, they would stay for ever: nobody is left to take them out, nor to confirm what they are told. */
static void drop_held_attaches_of(cf_room_t *self, uint32_t node)
{
    for (cf_held_t **at = &self->held; *at;) {
        if (cf_address_unpack((*at)->gateway).node == node)
            free(unlink_held(self, at));
        else
            at = &(*at)->next;
    }
}

/* Answer the held requests of `user` with an error. */
void cf_room_refuse_held(cf_room_t *self, cf_turn_t *turn, cf_id_t user, int err)
{
    for (cf_held_t *held = take_held(self, user), *next; held; held = next) {
        cf_msg_t msg;
        next = held->next;
        if (cf_msg_decode(&msg, held->frame, held->size) == 0) {
            cf_outbox_trace(turn->out, &msg.trace);
            if (err == CF_EMOVED)
                cf_room_answer_moved(self, turn, &msg);
            else
                cf_outbox_refuse(turn->out, &msg, err, 0);
        }
        free(held);
    }
}

static void refuse_all_held(cf_room_t *self, cf_turn_t *turn, int err)
{
    while (self->held)
        cf_room_refuse_held(self, turn, self->held->user, err);
}

/* --- life --------------------------------------------------------------------------------------
 */

/* The page of posts beside them is to stay. */
static uint32_t untold_max(size_t ring_bytes)
{
    size_t fit = ring_bytes / 4 / CF_RING_EVENT_COST;
    return fit < CF_ROOM_UNTOLD_MAX ? (uint32_t)fit : CF_ROOM_UNTOLD_MAX;
}

int cf_room_new(cf_room_t **out, cf_room_host_t *host, cf_id_t id, uint32_t from, cf_turn_t *turn)
{
    cf_room_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->id = id;
    self->host = host;
    self->held_end = &self->held;
    self->queue_end = &self->queue;
    self->commands_end = &self->commands;
    self->oldest_seq = 1;
    self->active_us = self->phase_since_us = turn->boot_us;
    self->untold_max = untold_max(host->config->ring_bytes);
    int rc = cf_ring_new(&self->ring, host->config->ring_events, self->untold_max,
                         host->config->ring_bytes);
    self->activate_corr = cf_room_next_corr(self);
    if (rc == 0)
        rc = cf_outbox_send(turn->out, host->config->storage, CF_MSG_ACTIVATE, self->activate_corr,
                            id, &(cf_activate_t){from});
    if (rc < 0) {
        cf_room_destroy(&self);
        return rc;
    }
    cf_count(CF_M_ROOMS_OPENED);
    *out = self;
    return 0;
}

static void retire(cf_room_t *self, cf_turn_t *turn)
{
    if (self->hands_over)
        cf_room_hand_over(self, turn);
    self->hands_over = false; /* once: what could not be said is read from the store */
    if (cf_outbox_send(turn->out, self->host->config->lobby, CF_MSG_RETIRE, 0, self->id, NULL) < 0)
        return; /* the tick tries again */
    self->phase = CF_ROOM_RETIRING;
    self->phase_since_us = turn->boot_us;
    cf_count(CF_M_ROOMS_RETIRED);
}

void cf_room_vacate(cf_room_t *self, cf_turn_t *turn, int err)
{
    if (self->phase == CF_ROOM_RETIRING || self->phase == CF_ROOM_NEVER)
        return;
    self->phase = CF_ROOM_VACATING;
    refuse_all_held(self, turn, err);
    cf_room_drop_queue(self, turn, err);
    cf_room_refuse_commands(self, turn, INT64_MAX, err);
    if (self->run_size == 0 && !self->joins)
        retire(self, turn);
}

/* No such room, or no store. No gateway knows where it is, so nobody has to forget it. */
static void cannot_load(cf_room_t *self, cf_turn_t *turn, int err)
{
    self->phase = CF_ROOM_NEVER;
    self->load_error = err;
    refuse_all_held(self, turn, err);
}

int cf_room_loaded(const cf_room_t *self)
{
    return self->phase == CF_ROOM_LOADING ? CF_EAGAIN : self->load_error;
}

uint32_t cf_room_owner(const cf_room_t *self)
{
    return self->owner;
}

void cf_room_quarantine(cf_room_t *self, cf_turn_t *turn)
{
    if (self->phase == CF_ROOM_RETIRING || self->phase == CF_ROOM_NEVER)
        return;
    cf_count(CF_M_ROOMS_QUARANTINED);
    self->hands_over = false;
    cf_log_error("put a room in quarantine", CF_ID("room", self->id));
    if (self->phase == CF_ROOM_LOADING) {
        cannot_load(self, turn, CF_EINTERNAL);
        return;
    }
    cf_room_run_refused(self, turn, CF_EUNCONFIRMED); /* its verdict may be what was lost */
    /* not MOVED, as the same could befall them without end: */
    cf_room_refuse_joins(self, turn, CF_EINTERNAL);
    cf_room_refuse_commands(self, turn, INT64_MAX, CF_EINTERNAL);
    refuse_all_held(self, turn, CF_EINTERNAL);
    cf_room_vacate(self, turn, CF_EMOVED);
}

static int on_activated(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_activated_t activated;
    int rc = cf_msg_body(&activated, msg, turn->arena);
    if (rc < 0 || self->phase != CF_ROOM_LOADING || msg->corr != self->activate_corr)
        return rc;
    self->epoch = activated.epoch;
    self->committed_seq = activated.last_seq;
    self->last_us = activated.last_us;
    self->ephemeral = activated.ephemeral;
    self->numbered_in = activated.epoch;
    cf_room_take_over(self, turn);
    self->phase = CF_ROOM_OPEN;
    cf_room_release(self, turn, (cf_id_t){0});
    return 0;
}

static int on_owned(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_owned_t owned;
    int rc = cf_msg_body(&owned, msg, turn->arena);
    if (rc < 0 || self->phase != CF_ROOM_LOADING || msg->corr != self->activate_corr)
        return rc;
    self->owner = owned.owner;
    cannot_load(self, turn, CF_EMOVED);
    return 0;
}

static int on_refused(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    if (rc < 0)
        return rc;
    int err = -(int)refused.reason;
    if (msg->from.kind == CF_ACTOR_STOCKBOT) /* of any node, and numbers are easily guessed */
        cf_room_command_refused(self, turn, msg->corr, err);
    else if (self->phase == CF_ROOM_LOADING && msg->corr == self->activate_corr)
        cannot_load(self, turn, err);
    else if (self->run_size && msg->corr == self->run_corr)
        cf_room_run_refused(self, turn, err);
    else if (!cf_room_join_refused(self, turn, msg->corr, err) &&
             !cf_room_command_refused(self, turn, msg->corr, err)) {
        cf_room_read_failed(self, turn, msg->corr);
        cf_room_load_failed(self, turn, msg->corr, err);
        cf_room_lookup_failed(self, turn, msg->corr, err);
    }
    return 0;
}

static int on_vacate(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_vacate_t vacate;
    int rc = cf_msg_body(&vacate, msg, turn->arena);
    if (rc < 0)
        return rc;
    self->hands_over = vacate.hand_over;
    cf_room_vacate(self, turn, CF_EMOVED);
    return 0;
}

void cf_room_handle(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_handler_fn *handle = find(always, msg->type);
    bool is_always = handle != NULL;
    bool is_asked = msg->corr && cf_msg_role(msg->type) != CF_ROLE_ANSWER;
    int rc = 0;
    if (!handle)
        handle = find(requests, msg->type);
    if (!handle)
        rc = CF_EPROTO;
    else if (is_always)
        rc = handle(self, turn, msg);
    else if (self->phase == CF_ROOM_LOADING)
        rc = cf_room_hold(self, turn, msg, (cf_id_t){0});
    else if (self->phase == CF_ROOM_OPEN)
        rc = handle(self, turn, msg);
    else
        rc = CF_EMOVED;
    if (!is_always)
        self->active_us = turn->boot_us;
    if (rc == CF_EPROTO || rc == CF_ERANGE)
        rc = cf_turn_malformed(turn, msg, rc);
    if (rc == CF_EMOVED && is_asked)
        cf_room_answer_moved(self, turn, msg);
    else if (rc < 0 && is_asked)
        cf_outbox_refuse(turn->out, msg, rc, rc == CF_EFULL ? 1000 : 0);
    if (rc == CF_EINTERNAL)
        cf_room_quarantine(self, turn);
}

void cf_room_add_waiting(const cf_room_t *self, uint64_t *queued, uint64_t *held)
{
    *queued += self->queue_bytes;
    *held += self->held_bytes;
}

void cf_room_settle(cf_room_t *self, cf_turn_t *turn)
{
    if (self->phase == CF_ROOM_OPEN)
        cf_room_build_run(self, turn);
    cf_room_fan_out(self, turn);
    if (self->phase == CF_ROOM_VACATING && self->run_size == 0) {
        /* A verdict may end a run early; what it leaves will be asked again elsewhere */
        cf_room_drop_queue(self, turn, CF_EMOVED);
        if (!self->joins)
            retire(self, turn);
    }
    if (self->connections != self->connections_told &&
        cf_outbox_send(turn->out, self->host->config->lobby, CF_MSG_PRESENCE, 0, self->id,
                       &(cf_presence_t){self->connections}) == 0)
        self->connections_told = self->connections;
}

/* Serves, and nothing that was asked of it waits. */
static bool is_quiet(const cf_room_t *self)
{
    return self->phase == CF_ROOM_OPEN && cf_room_is_idle(self) && !self->held && !self->joins &&
           !self->commands;
}

int64_t cf_room_idle_us(const cf_room_t *self)
{
    return self->connections ? INT64_MAX : self->active_us + self->host->config->idle_us;
}

static bool has_been_told(const cf_room_t *self, const cf_room_gateway_t *gateway)
{
    return gateway->connections == 0 ||
           (gateway->next_n > cf_ring_last_n(self->ring) && !gateway->read_corr &&
            !gateway->lagging && !(gateway->roster_due && gateway->rosters));
}

bool cf_room_rests(const cf_room_t *self)
{
    bool rests = is_quiet(self) && !self->load_corr && !self->came_again &&
                 self->connections == self->connections_told;
    for (uint32_t i = 0; rests && i < self->gateway_count; i++)
        rests = has_been_told(self, &self->gateways[i]);
    return rests;
}

void cf_room_tick(cf_room_t *self, cf_turn_t *turn)
{
    int64_t since = turn->boot_us - self->phase_since_us;
    if (self->phase == CF_ROOM_LOADING && since > self->host->config->answer_us)
        cannot_load(self, turn, CF_ETIME);
    cf_room_posts_tick(self, turn);
    cf_room_members_tick(self, turn);
    cf_room_commands_tick(self, turn);
    if (is_quiet(self) && turn->boot_us > cf_room_idle_us(self))
        retire(self, turn);
    cf_room_settle(self, turn);
    cf_room_roster_tick(self, turn);
}

void cf_room_tell_crowd(cf_room_t *self, cf_turn_t *turn)
{
    if (self->untold)
        cf_room_settle(self, turn);
}

void cf_room_window_opened(cf_room_t *self, cf_turn_t *turn, uint64_t address)
{
    cf_room_gateway_t *gateway = cf_room_gateway(self, address);
    if (gateway && gateway->lagging) {
        gateway->lagging = false;
        cf_room_settle(self, turn);
    }
    /* The thread looks for rooms that wait only while one says so */
    self->host->lagging = self->host->lagging || !cf_room_windows_open(self);
}

void cf_room_node_gone(cf_room_t *self, cf_turn_t *turn, uint32_t node)
{
    drop_held_attaches_of(self, node);
    cf_room_detach_node(self, turn, node);
    cf_room_bot_gone(self, turn, node);
    cf_room_settle(self, turn);
}

bool cf_room_is_idle(const cf_room_t *self)
{
    return self->queue_count == 0;
}

void cf_room_destroy(cf_room_t **self)
{
    if (!*self)
        return;
    for (cf_held_t *held = (*self)->held, *next; held; held = next) {
        next = held->next;
        free(held);
    }
    cf_room_free_members(*self);
    cf_room_free_posts(*self);
    cf_room_free_commands(*self);
    cf_ring_destroy(&(*self)->ring);
    cf_buf_free(&(*self)->handed);
    free((*self)->gateways);
    free(*self);
    *self = NULL;
}
