#include "lobby.h"

#include "err.h"
#include "log.h"
#include "metrics.h"
#include "table.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/place.h"

#include <stdlib.h>
#include <utlist.h>

#define COUNTS_EVERY_US INT64_C(100000)
#define REPAIR_US INT64_C(1000000) /* after something could not be said */
#define OPEN_US INT64_C(5000000)   /* an OPEN that nobody answered is said again */

typedef struct lookup {
    struct lookup *next;
    cf_msg_t request; /* head only */
} lookup_t;

typedef struct place {
    cf_id_t id;
    cf_address_t at;
    bool retiring;
    uint64_t open_corr;     /* of the OPEN that was not confirmed yet; 0: it was */
    int64_t opened_us;      /* when it was sent */
    bool place_gone;        /* its node is gone: nobody to tell RETIRED */
    uint64_t not_forgotten; /* bit i: gateways[i] has not confirmed FORGET */
    uint64_t not_told;      /* bit i: gateways[i] was not even told FORGET, for want of memory */
    cf_address_t target;    /* where it goes when it has retired; kind 0: nowhere */
    lookup_t *lookups, **lookups_end;
    uint32_t connections;
    struct place *prev, *next; /* among those with connections */
    UT_hash_handle hh;
} place_t;

struct cf_lobby {
    cf_lobby_config_t config;
    uint32_t *load; /* rooms per thread */
    place_t *places;
    uint32_t lookups_waiting;
    uint64_t next_corr;
    uint64_t gateways_gone; /* bit i: gateways[i] is on a node that is gone */
    place_t *visited;       /* places with connections, in no order: few of 100,000 */
    uint32_t visited_count;
    bool counts_changed;
    int64_t next_counts_us;
    int64_t repair_us; /* when to look for what was not said or not answered; INT64_MAX: nothing */
};

int cf_lobby_new(cf_lobby_t **out, const cf_lobby_config_t *config)
{
    cf_lobby_t *self = calloc(1, sizeof *self);
    if (!self || !(self->load = calloc(config->thread_count, sizeof *self->load))) {
        free(self);
        return CF_ENOMEM;
    }
    self->config = *config;
    self->repair_us = INT64_MAX;
    *out = self;
    return 0;
}

/* --- places ------------------------------------------------------------------------------------
 */

static place_t *find(cf_lobby_t *self, cf_id_t id)
{
    place_t *place;
    HASH_FIND(hh, self->places, &id, sizeof id, place);
    return place;
}

static void count_load(cf_lobby_t *self, cf_address_t at, int by)
{
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        if (cf_address_equal(self->config.threads[i], at))
            self->load[i] = (uint32_t)((int)self->load[i] + by);
}

static cf_address_t least_loaded(const cf_lobby_t *self)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < self->config.thread_count; i++)
        if (self->load[i] < self->load[best])
            best = i;
    return self->config.threads[best];
}

static place_t *add_place(cf_lobby_t *self, cf_id_t id)
{
    place_t *place = calloc(1, sizeof *place);
    if (!place)
        return NULL;
    place->id = id;
    place->lookups_end = &place->lookups;
    HASH_ADD(hh, self->places, id, sizeof place->id, place);
    if (place->hh.tbl)
        return place;
    free(place);
    return NULL;
}

static void set_connections(cf_lobby_t *self, place_t *place, uint32_t connections)
{
    self->counts_changed = self->counts_changed || place->connections != connections;
    if (connections && !place->connections) {
        DL_APPEND(self->visited, place);
        self->visited_count++;
    } else if (place->connections && !connections) {
        DL_DELETE(self->visited, place);
        self->visited_count--;
    }
    place->connections = connections;
}

static void drop_place(cf_lobby_t *self, place_t *place)
{
    set_connections(self, place, 0);
    HASH_DEL(self->places, place);
    free(place);
}

static void repair_at(cf_lobby_t *self, int64_t at_us)
{
    if (at_us < self->repair_us)
        self->repair_us = at_us;
}

static void answer_placed(cf_turn_t *turn, const cf_msg_t *request, const place_t *place)
{
    cf_outbox_finish(turn->out, request, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(place->at)});
}

/* Answer who waits for this place: where it is, or err. */
static void answer_lookups(cf_lobby_t *self, cf_turn_t *turn, place_t *place, int err)
{
    for (lookup_t *lookup = place->lookups, *next; lookup; lookup = next) {
        next = lookup->next;
        if (err < 0)
            cf_outbox_refuse(turn->out, &lookup->request, err, err == CF_ENOENT ? 0 : 1000);
        else
            answer_placed(turn, &lookup->request, place);
        self->lookups_waiting--;
        free(lookup);
    }
    place->lookups = NULL;
    place->lookups_end = &place->lookups;
}

/* Nobody is told where the room is before its thread has confirmed, which it does when the room has
 * loaded: a busy thread may read what a gateway sent later before it reads this. The first requests
 * would then be answered MOVED and those behind them be carried out, out of their order. And one
 * that cannot be loaded is known to nobody, so it needs no retirement. */
static void not_opened(cf_lobby_t *self, cf_turn_t *turn, place_t *place, int err)
{
    count_load(self, place->at, -1);
    answer_lookups(self, turn, place, err);
    drop_place(self, place);
}

static void open_at(cf_lobby_t *self, cf_turn_t *turn, place_t *place, cf_address_t at)
{
    place->at = at;
    place->retiring = place->place_gone = false;
    place->target = (cf_address_t){0};
    set_connections(self, place, 0); /* until it tells of those who came again */
    count_load(self, at, 1);
    place->open_corr = ++self->next_corr;
    place->opened_us = turn->boot_us;
    repair_at(self, turn->boot_us + OPEN_US);
    if (cf_outbox_send(turn->out, at, CF_MSG_OPEN, place->open_corr, place->id,
                       &(cf_activate_t){0}) < 0)
        not_opened(self, turn, place, CF_ENOMEM);
}

static int wait_for_place(cf_lobby_t *self, place_t *place, const cf_msg_t *msg)
{
    if (self->lookups_waiting >= self->config.lookups_max)
        return CF_EFULL;
    lookup_t *lookup = malloc(sizeof *lookup);
    if (!lookup)
        return CF_ENOMEM;
    *lookup = (lookup_t){.request = *msg};
    *place->lookups_end = lookup;
    place->lookups_end = &lookup->next;
    self->lookups_waiting++;
    return 0;
}

static int on_lookup(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = find(self, msg->room);
    if (place && !place->retiring && !place->open_corr) {
        answer_placed(turn, msg, place);
        return 0;
    }
    if (!place && !(place = add_place(self, msg->room)))
        return CF_ENOMEM;
    bool is_new = place->at.kind == 0;
    int rc = wait_for_place(self, place, msg);
    if (is_new && rc == 0)
        open_at(self, turn, place, least_loaded(self));
    else if (is_new)
        drop_place(self, place);
    return rc;
}

/* The place whose OPEN this answers; NULL: none. */
static place_t *opening(cf_lobby_t *self, const cf_msg_t *msg)
{
    place_t *place = find(self, msg->room);
    return place && !place->retiring && msg->corr && place->open_corr == msg->corr ? place : NULL;
}

static int on_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    place_t *place = opening(state, msg);
    if (!place)
        return 0;
    place->open_corr = 0;
    answer_lookups(state, turn, place, 0);
    return 0;
}

static int on_not_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    place_t *place = opening(state, msg);
    if (rc == 0 && place)
        not_opened(state, turn, place, -(int)refused.reason);
    return rc;
}

/* Nobody can be asked there yet. */
static int on_owned(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    place_t *place = opening(state, msg);
    if (place)
        not_opened(state, turn, place, CF_EAGAIN);
    return 0;
}

/* --- retiring ----------------------------------------------------------------------------------
 */

/* Everybody has forgotten the room: free it, and open it anew if somebody wants it. */
static void finish_retirement(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    if (!place->place_gone &&
        cf_outbox_send(turn->out, place->at, CF_MSG_RETIRED, 0, place->id, NULL) < 0) {
        repair_at(self, turn->boot_us + REPAIR_US); /* it must go there before it is here again */
        return;
    }
    count_load(self, place->at, -1);
    if (!place->lookups && place->target.kind == 0) {
        drop_place(self, place);
        return;
    }
    open_at(self, turn, place, place->target.kind ? place->target : least_loaded(self));
}

static void tell_forget(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (place->not_told >> i & 1 && cf_outbox_send(turn->out, self->config.gateways[i],
                                                       CF_MSG_FORGET, 0, place->id, NULL) == 0)
            place->not_told &= ~(UINT64_C(1) << i);
    if (place->not_told)
        repair_at(self, turn->boot_us + REPAIR_US);
}

static void begin_retirement(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    place->retiring = true;
    place->open_corr = 0;
    place->not_forgotten = 0;
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (!(self->gateways_gone >> i & 1))
            place->not_forgotten |= UINT64_C(1) << i;
    place->not_told = place->not_forgotten;
    tell_forget(self, turn, place);
    if (place->not_forgotten == 0)
        finish_retirement(self, turn, place);
}

static int on_retire(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = find(self, msg->room);
    bool is_there = place && cf_address_equal(place->at, msg->from);
    if (is_there && !place->retiring)
        begin_retirement(self, turn, place);
    /* An OPEN said again may cross its REFUSED and make a room that nobody knows: let it go */
    return is_there ? 0
                    : cf_outbox_insist(turn->out, msg->from, CF_MSG_RETIRED, 0, msg->room, NULL);
}

static int on_forgotten(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = find(self, msg->room);
    if (!place || !place->retiring)
        return 0;
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (cf_address_equal(self->config.gateways[i], msg->from))
            place->not_forgotten &= ~(UINT64_C(1) << i);
    if (place->not_forgotten == 0)
        finish_retirement(self, turn, place);
    return 0;
}

static int on_move(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_move_t move;
    int rc = cf_msg_body(&move, msg, turn->arena);
    if (rc < 0)
        return rc;
    place_t *place = find(self, msg->room);
    if (!place)
        return CF_ENOENT;
    if (place->retiring)
        return CF_EAGAIN;
    cf_address_t target = cf_address_unpack(move.address);
    if (target.kind != CF_ACTOR_ROOMS)
        return CF_ERANGE;
    rc = cf_outbox_send(turn->out, place->at, CF_MSG_VACATE, 0, place->id, NULL);
    if (rc < 0)
        return rc;
    place->target = target;
    cf_outbox_finish(turn->out, msg, CF_MSG_DONE, NULL);
    return 0;
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_node_gone_t gone;
    place_t *place, *next;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (self->config.gateways[i].node == gone.node)
            self->gateways_gone |= UINT64_C(1) << i;
    HASH_ITER(hh, self->places, place, next)
    {
        bool was_there = place->at.node == gone.node;
        if (place->target.node == gone.node)
            place->target = (cf_address_t){0}; /* wherever there is room instead */
        place->place_gone = place->place_gone || was_there;
        if (!place->retiring && was_there) {
            begin_retirement(self, turn, place);
        } else if (place->retiring) {
            place->not_told &= ~self->gateways_gone;
            if ((place->not_forgotten &= ~self->gateways_gone) == 0)
                finish_retirement(self, turn, place);
        }
    }
    return 0;
}

/* What could not be said is said now; an OPEN that nobody answered is said again. */
static void repair(cf_lobby_t *self, cf_turn_t *turn)
{
    place_t *place, *next;
    self->repair_us = INT64_MAX;
    HASH_ITER(hh, self->places, place, next)
    {
        if (place->open_corr && turn->boot_us - place->opened_us >= OPEN_US) {
            place->opened_us = turn->boot_us;
            cf_outbox_send(turn->out, place->at, CF_MSG_OPEN, place->open_corr, place->id,
                           &(cf_activate_t){0});
        }
        if (place->open_corr)
            repair_at(self, place->opened_us + OPEN_US);
        if (!place->retiring)
            continue;
        tell_forget(self, turn, place);
        if (place->not_forgotten == 0)
            finish_retirement(self, turn, place);
    }
}

/* --- counts ------------------------------------------------------------------------------------
 */

static int on_presence(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_presence_t presence;
    int rc = cf_msg_body(&presence, msg, turn->arena);
    place_t *place = rc == 0 ? find(self, msg->room) : NULL;
    if (!place || !cf_address_equal(place->at, msg->from))
        return rc;
    set_connections(self, place, presence.connections);
    return 0;
}

/* Ids of version 7 sort by creation: the newest rooms first. */
static int newest_first(const void *a, const void *b)
{
    return -cf_id_compare(((const cf_count_t *)a)->room, ((const cf_count_t *)b)->room);
}

static void tell_counts(cf_lobby_t *self, cf_turn_t *turn)
{
    uint32_t n = 0;
    bool told = true;
    self->next_counts_us = turn->boot_us + COUNTS_EVERY_US; /* also after a failure */
    cf_count_t *counts = cf_arena_take(turn->arena, (self->visited_count + 1) * sizeof *counts);
    if (!counts)
        return;
    for (const place_t *place = self->visited; place; place = place->next)
        counts[n++] = (cf_count_t){place->id, place->connections};
    if (n > CF_COUNTS_MAX)
        qsort(counts, n, sizeof *counts, newest_first);
    cf_counts_t body = {{counts, n > CF_COUNTS_MAX ? CF_COUNTS_MAX : n}};
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (!(self->gateways_gone >> i & 1) &&
            cf_outbox_send(turn->out, self->config.gateways[i], CF_MSG_COUNTS, 0, (cf_id_t){0},
                           &body) < 0)
            told = false;
    self->counts_changed = !told;
}

static int on_room_list(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_room_list_t list;
    int rc = cf_msg_body(&list, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_room_entry_t *rooms = list.rooms.items;
    for (uint32_t i = 0; i < list.rooms.n; i++) {
        const place_t *place = find(self, rooms[i].id);
        rooms[i].connections = place ? place->connections : 0;
    }
    return cf_outbox_send(turn->out, cf_address_unpack(list.gateway), CF_MSG_ROOM_LIST, msg->corr,
                          msg->room, &list);
}

static const cf_handler_t handlers[] = {
    {CF_MSG_LOOKUP, on_lookup},
    {CF_MSG_RETIRE, on_retire},
    {CF_MSG_FORGOTTEN, on_forgotten},
    {CF_MSG_PRESENCE, on_presence},
    {CF_MSG_MOVE, on_move},
    {CF_MSG_ROOM_LIST, on_room_list},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_DONE, on_opened},
    {CF_MSG_REFUSED, on_not_opened},
    {CF_MSG_OWNED, on_owned},
    {0, NULL},
};

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_lobby_t *self = state;
    if (self->counts_changed && turn->boot_us >= self->next_counts_us)
        tell_counts(self, turn);
    if (turn->boot_us >= self->repair_us)
        repair(self, turn);
    int64_t counts_us = self->counts_changed ? self->next_counts_us : INT64_MAX;
    return counts_us < self->repair_us ? counts_us : self->repair_us;
}

static void destroy(void *state)
{
    cf_lobby_t *self = state;
    place_t *place, *next;
    HASH_ITER(hh, self->places, place, next)
    {
        for (lookup_t *lookup = place->lookups, *after; lookup; lookup = after) {
            after = lookup->next;
            free(lookup);
        }
        drop_place(self, place);
    }
    free(self->load);
    free(self);
}

static void gauges(void *state)
{
    const cf_lobby_t *self = state;
    cf_gauge(CF_M_LOOKUPS_WAITING, self->lookups_waiting);
}

const cf_actor_ops_t cf_lobby_ops = {
    .handlers = handlers, .due = due, .gauges = gauges, .destroy = destroy};
