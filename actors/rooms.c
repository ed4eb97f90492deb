#include "rooms.h"

#include "busiest.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "table.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/room.h"

#include <stdlib.h>
#include <utlist.h>

#define TICK_US INT64_C(100000)

/* Of 100,000 rooms few have anything to do: only those are ticked. */
typedef enum {
    APART,   /* at rest, with members: a message wakes it */
    RESTING, /* at rest, and nobody is here: to be looked at when it has been idle for long */
    AWAKE,   /* got a message, or waited for something, when it was last looked at */
} place_t;

typedef struct hosted {
    cf_id_t id;
    cf_room_t *room; /* owned */
    cf_msg_t open;   /* the OPEN to be answered when it has loaded; head only. corr 0: it was */
    bool is_dirty;   /* got a message in this batch */
    struct hosted *next_dirty;
    place_t place;
    struct hosted *prev, *next; /* in the list of its place; APART has none */
    UT_hash_handle hh;
} hosted_t;

struct cf_rooms {
    cf_room_config_t config;
    cf_room_host_t host;
    hosted_t *rooms;
    hosted_t *dirty;
    hosted_t *awake;
    hosted_t *resting; /* in order of their idle times */
    int64_t next_tick_us;
    bool draining;
    cf_actor_t *actor;
};

int cf_rooms_new(cf_rooms_t **out, const cf_room_config_t *config, uint64_t window_events,
                 uint64_t window_bytes, cf_actor_t *actor)
{
    cf_rooms_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->host.config = &self->config;
    self->host.spans = config->spans;
    self->host.windows.events_max = window_events;
    self->host.windows.bytes_max = window_bytes;
    self->actor = actor;
    *out = self;
    return 0;
}

static hosted_t *find(cf_rooms_t *self, cf_id_t id)
{
    hosted_t *hosted;
    HASH_FIND(hh, self->rooms, &id, sizeof id, hosted);
    return hosted;
}

static void mark_dirty(cf_rooms_t *self, hosted_t *hosted)
{
    if (hosted->is_dirty)
        return;
    hosted->is_dirty = true;
    hosted->next_dirty = self->dirty;
    self->dirty = hosted;
}

/* --- who is ticked -----------------------------------------------------------------------------
 */

static void leave_place(cf_rooms_t *self, hosted_t *hosted)
{
    if (hosted->place == AWAKE)
        DL_DELETE(self->awake, hosted);
    else if (hosted->place == RESTING)
        DL_DELETE(self->resting, hosted);
    hosted->place = APART;
}

static void wake(cf_rooms_t *self, hosted_t *hosted)
{
    if (hosted->place == AWAKE)
        return;
    leave_place(self, hosted);
    hosted->place = AWAKE;
    DL_APPEND(self->awake, hosted);
}

/* One that went to rest before may have been idle for less, but seldom. */
static void insert_resting(cf_rooms_t *self, hosted_t *hosted)
{
    int64_t idle_us = cf_room_idle_us(hosted->room);
    hosted_t *before = self->resting ? self->resting->prev : NULL; /* the last */
    while (before && cf_room_idle_us(before->room) > idle_us)
        before = before == self->resting ? NULL : before->prev;
    if (before)
        DL_APPEND_ELEM(self->resting, before, hosted);
    else
        DL_PREPEND(self->resting, hosted);
    hosted->place = RESTING;
}

static void rest_if_it_can(cf_rooms_t *self, hosted_t *hosted)
{
    if (hosted->open.corr || !cf_room_rests(hosted->room))
        return;
    leave_place(self, hosted);
    if (cf_room_idle_us(hosted->room) < INT64_MAX)
        insert_resting(self, hosted);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void drop_from_dirty(cf_rooms_t *self, hosted_t *hosted)
{
    for (hosted_t **at = &self->dirty; *at; at = &(*at)->next_dirty)
        if (*at == hosted) {
            *at = hosted->next_dirty;
            return;
        }
}

static void free_hosted(cf_rooms_t *self, hosted_t *hosted)
{
    if (hosted->is_dirty)
        drop_from_dirty(self, hosted);
    leave_place(self, hosted);
    HASH_DEL(self->rooms, hosted);
    cf_room_destroy(&hosted->room);
    free(hosted);
}

/* Tells the lobby what has become of its OPEN, once that is known. Nobody else hears where a room is
 * before it has loaded: one that cannot load would send whoever comes back to the lobby, which would
 * open it again, and so without end. */
static void settle_open(cf_rooms_t *self, cf_turn_t *turn, hosted_t *hosted)
{
    int rc = cf_room_loaded(hosted->room);
    if (!hosted->open.corr || rc == CF_EAGAIN)
        return;
    if (rc == CF_EMOVED) {
        cf_outbox_finish(turn->out, &hosted->open, CF_MSG_OWNED,
                         &(cf_owned_t){cf_room_owner(hosted->room)});
        free_hosted(self, hosted);
    } else if (rc < 0) {
        cf_outbox_refuse(turn->out, &hosted->open, rc, 0);
        free_hosted(self, hosted);
    } else if (cf_outbox_answer(turn->out, &hosted->open, CF_MSG_DONE, NULL) == 0) {
        hosted->open.corr = 0; /* else the tick tries again */
    }
}

static int on_open(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    cf_activate_t open;
    int rc = cf_msg_body(&open, msg, turn->arena);
    if (rc < 0)
        return rc;
    hosted_t *hosted = find(self, msg->room);
    if (hosted) { /* the lobby's word came twice */
        hosted->open = *msg;
        wake(self, hosted);
        settle_open(self, turn, hosted);
        return 0;
    }
    hosted = calloc(1, sizeof *hosted);
    if (!hosted)
        return CF_ENOMEM;
    hosted->id = msg->room;
    hosted->open = *msg;
    rc = cf_room_new(&hosted->room, &self->host, msg->room, open.from, turn);
    if (rc == 0) {
        HASH_ADD(hh, self->rooms, id, sizeof hosted->id, hosted);
        rc = hosted->hh.tbl ? 0 : CF_ENOMEM;
    }
    if (rc == 0) {
        wake(self, hosted);
        return 0;
    }
    /* The lobby is refused and takes the place back; a room it does not know of must not stay */
    cf_room_destroy(&hosted->room);
    free(hosted);
    return rc;
}

static int on_retired(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    hosted_t *hosted = find(self, msg->room);
    (void)turn;
    if (hosted)
        free_hosted(self, hosted);
    return 0;
}

static int on_flushed(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    cf_flushed_t flushed;
    int rc = cf_msg_body(&flushed, msg, turn->arena);
    uint64_t gateway = cf_address_pack(msg->from);
    cf_window_t *window = rc == 0 ? cf_windows_find(&self->host.windows, gateway) : NULL;
    if (rc < 0)
        return rc;
    if (!window || !cf_window_flushed(window, flushed.events, flushed.bytes))
        return CF_ERANGE;
    if (!self->host.lagging || !cf_window_is_open(&self->host.windows, window))
        return 0;
    self->host.lagging = false;                         /* set again by whoever still waits */
    for (hosted_t *at = self->awake; at; at = at->next) /* who is behind does not rest */
        cf_room_window_opened(at->room, turn, gateway);
    return 0;
}

static int on_lease(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    cf_lease_msg_t lease;
    int rc = cf_msg_body(&lease, msg, turn->arena);
    if (rc == 0)
        cf_actor_speak_until(self->actor, lease.until_us);
    return rc;
}

/* It has a bot, and there is a way to it. Told again when there was no memory to tell all the first time. */
static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    return cf_others_here(&self->host.bots, turn, msg, NULL);
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    cf_node_gone_t gone;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    for (hosted_t *at = self->rooms; at; at = at->hh.next) {
        cf_room_node_gone(at->room, turn, gone.node);
        wake(self, at);
    }
    cf_others_drop(&self->host.bots, gone.node);
    cf_windows_drop_node(&self->host.windows, gone.node);
    return 0;
}

static int on_top_rooms(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    cf_top_rooms_t asked;
    cf_busiest_t busiest = {0};
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    busiest.limit = asked.limit;
    for (const hosted_t *at = self->rooms; at; at = at->hh.next) {
        cf_top_room_t room;
        cf_room_busyness(at->room, turn->boot_us, &room);
        cf_busiest_add(&busiest, &room);
    }
    cf_rooms_top_t top = {.active = HASH_COUNT(self->rooms), .rooms = {busiest.rooms, busiest.n}};
    return cf_outbox_answer(turn->out, msg, CF_MSG_ROOMS_TOP, &top);
}

static int to_room(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    hosted_t *hosted = find(self, msg->room);
    if (hosted) {
        cf_room_handle(hosted->room, turn, msg);
        mark_dirty(self, hosted);
        wake(self, hosted);
        settle_open(self, turn, hosted);
    }
    return 0; /* an answer for a room that is gone concerns nobody any more */
}

static int request_to_room(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rooms_t *self = state;
    if (find(self, msg->room))
        return to_room(state, turn, msg);
    if (msg->corr == 0)
        return 0; /* nobody waits for an answer */
    cf_count(CF_M_ROOMS_MOVED);
    return cf_outbox_answer(turn->out, msg, CF_MSG_MOVED, NULL);
}

static const cf_handler_t handlers[] = {
    {CF_MSG_POST, request_to_room},
    {CF_MSG_ATTACH, request_to_room},
    {CF_MSG_DETACH, request_to_room},
    {CF_MSG_CHECK, request_to_room},
    {CF_MSG_JOIN, request_to_room},
    {CF_MSG_LEAVE, request_to_room},
    {CF_MSG_HISTORY, request_to_room},
    {CF_MSG_COMMAND, request_to_room},
    {CF_MSG_RERUN, request_to_room},
    {CF_MSG_VERDICT, to_room},
    {CF_MSG_ACTIVATED, to_room},
    {CF_MSG_OWNED, to_room},
    {CF_MSG_MEMBER, to_room},
    {CF_MSG_DONE, to_room},
    {CF_MSG_REFUSED, to_room},
    {CF_MSG_PAGE, to_room},
    {CF_MSG_BOT_ANSWER, to_room},
    {CF_MSG_VACATE, to_room},
    {CF_MSG_HANDOVER, to_room},
    {CF_MSG_TOP_ROOMS, on_top_rooms},
    {CF_MSG_FLUSHED, on_flushed},
    {CF_MSG_OPEN, on_open},
    {CF_MSG_RETIRED, on_retired},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_LEASE, on_lease},
    {0, NULL},
};

/* --- turns -------------------------------------------------------------------------------------
 */

static void after_batch(void *state, cf_turn_t *turn)
{
    cf_rooms_t *self = state;
    while (self->dirty) {
        hosted_t *hosted = self->dirty;
        self->dirty = hosted->next_dirty;
        hosted->is_dirty = false;
        cf_room_settle(hosted->room, turn);
    }
}

static void answer_drain(cf_rooms_t *self)
{
    for (hosted_t *at = self->rooms; at; at = at->hh.next)
        if (!cf_room_is_idle(at->room))
            return;
    self->draining = false;
    cf_actor_drained(self->actor);
}

static void tick(cf_rooms_t *self, cf_turn_t *turn)
{
    hosted_t *hosted, *next;
    while (self->resting && cf_room_idle_us(self->resting->room) < turn->boot_us)
        wake(self, self->resting);
    DL_FOREACH_SAFE(self->awake, hosted, next)
    {
        cf_room_tick(hosted->room, turn);
        rest_if_it_can(self, hosted);
        settle_open(self, turn, hosted); /* may free it */
    }
}

/* A room that has somebody to tell of does not rest. */
static void tell_crowds(cf_rooms_t *self, cf_turn_t *turn)
{
    if (!self->host.crowds_due_us || turn->boot_us < self->host.crowds_due_us)
        return;
    self->host.crowds_due_us = 0; /* set again by whoever has to wait still */
    for (hosted_t *at = self->awake; at; at = at->next)
        cf_room_tell_crowd(at->room, turn);
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_rooms_t *self = state;
    if (turn->boot_us >= self->next_tick_us) {
        self->next_tick_us = turn->boot_us + TICK_US;
        tick(self, turn);
    }
    tell_crowds(self, turn);
    if (self->draining)
        answer_drain(self);
    int64_t crowds_us = self->host.crowds_due_us ? self->host.crowds_due_us : INT64_MAX;
    if (self->awake || self->draining)
        return crowds_us < self->next_tick_us ? crowds_us : self->next_tick_us;
    int64_t idle_us = self->resting ? cf_room_idle_us(self->resting->room) : INT64_MAX;
    return idle_us < self->next_tick_us ? self->next_tick_us : idle_us;
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_rooms_t *self = state;
    (void)turn;
    self->draining = true; /* answered by due(), in this turn if nothing waits */
}

static void gauges(void *state)
{
    cf_rooms_t *self = state;
    uint64_t lag = 0, queued = 0, held = 0;
    for (const hosted_t *at = self->rooms; at; at = at->hh.next) {
        uint64_t here = cf_room_lag(at->room);
        lag = here > lag ? here : lag;
        cf_room_add_waiting(at->room, &queued, &held);
    }
    cf_gauge(CF_M_ROOM_QUEUE_BYTES, queued);
    cf_gauge(CF_M_ROOM_HELD_BYTES, held);
    cf_gauge(CF_M_ROOM_LAG, lag);
    cf_gauge(CF_M_ROOMS_ACTIVE, HASH_COUNT(self->rooms));
}

static void destroy(void *state)
{
    cf_rooms_t *self = state;
    hosted_t *hosted, *next;
    HASH_ITER(hh, self->rooms, hosted, next)
    {
        free_hosted(self, hosted);
    }
    free(self);
}

const cf_actor_ops_t cf_rooms_ops = {.handlers = handlers,
                                     .after_batch = after_batch,
                                     .due = due,
                                     .drain = drain,
                                     .gauges = gauges,
                                     .destroy = destroy};
