#include "lobby.h"

#include "clock.h"
#include "crash_point.h"
#include "err.h"
#include "lobby_counts.h"
#include "lobby_nodes.h"
#include "log.h"
#include "metrics.h"
#include "table.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/place.h"

#include <stdlib.h>
#include <string.h>

#define REPAIR_US INT64_C(1000000) /* after something could not be said */
#define OPEN_US INT64_C(5000000)   /* an OPEN that nobody answered is said again */

typedef struct lookup {
    struct lookup *next;
    cf_msg_t request; /* head only; from who asks, whichever lobby has sent it on */
    uint32_t hops;    /* from lobby to lobby so far */
} lookup_t;

/* The body of a HANDOVER. */
typedef struct {
    uint32_t size;
    uint8_t body[];
} handed_t;

typedef struct {
    cf_id_t id;
    cf_address_t at;    /* a room thread of this node; kind 0: see given_to */
    uint32_t given_to;  /* it was let go for this node, which has not said TAKEN; 0: it was not */
    uint32_t let_go_by; /* while it opens: the node that waits for TAKEN; 0: none */
    bool retiring;
    bool is_vacating;       /* it was told to go, and has not asked to RETIRE yet */
    bool is_listed;         /* among those that are to leave when the node drains */
    bool is_moving;         /* it was told where to go, and is not known to have come there */
    uint64_t open_corr;     /* of the OPEN that was not confirmed yet; 0: it was */
    int64_t opened_us;      /* when it was sent */
    uint32_t opened_from;   /* what it said of who has let it go */
    uint64_t told;          /* bit i: gateways[i] was told where it is */
    uint64_t not_forgotten; /* bit i: gateways[i] has not confirmed FORGET */
    uint64_t not_told;      /* bit i: gateways[i] was not even told FORGET, for want of memory */
    cf_address_t target;    /* where it goes when it has retired; kind 0: nowhere */
    handed_t *handed;       /* until it is open elsewhere; owned; NULL: none */
    uint32_t handed_by;     /* the node whose lobby has sent it; 0: it is this one's own */
    lookup_t *lookups, **lookups_end;
    UT_hash_handle hh;
} place_t;

struct cf_lobby {
    cf_lobby_config_t config;
    uint32_t *load; /* rooms per thread */
    place_t *places;
    uint32_t lookups_waiting;
    uint64_t next_corr;
    cf_address_t gateways[CF_GATEWAYS_MAX]; /* of any node, told of a room; kind 0: free */
    cf_lobby_nodes_t *nodes;                /* the others */
    uint32_t moving; /* places that are on their way to where they were told to go */
    bool is_draining, owes_drained;
    cf_id_t *
        leaving; /* rooms with connections that are to leave, in the order in which they do; owned */
    uint32_t leaving_count, leaving_cap, leaving_next;
    cf_lobby_counts_t *counts;
    int64_t repair_us; /* when to look for what was not said or not answered; INT64_MAX: nothing */
};

static void destroy(void *state);

int cf_lobby_new(cf_lobby_t **out, const cf_lobby_config_t *config)
{
    cf_lobby_t *self = calloc(1, sizeof *self);
    cf_lobby_counts_config_t counts = {.gateway_count = config->gateway_count,
                                       .away_max = config->away_max};
    memcpy(counts.gateways, config->gateways, sizeof counts.gateways);
    if (!self)
        return CF_ENOMEM;
    self->load = calloc(config->thread_count, sizeof *self->load);
    if (!self->load || cf_lobby_counts_new(&self->counts, &counts) < 0 ||
        cf_lobby_nodes_new(&self->nodes, config->node, config->hints_max) < 0) {
        destroy(self);
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

/* Its room is here, and stays for all that is known. */
static bool is_settled(const place_t *place)
{
    return !place->retiring && !place->open_corr && !place->given_to && !place->is_vacating;
}

static void count_load(cf_lobby_t *self, cf_address_t at, int by)
{
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        if (cf_address_equal(self->config.threads[i], at))
            self->load[i] = (uint32_t)((int)self->load[i] + by);
}

static bool is_thread(const cf_lobby_t *self, cf_address_t at)
{
    bool is_one = false;
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        is_one = is_one || cf_address_equal(self->config.threads[i], at);
    return is_one;
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

static void drop_handed(cf_lobby_t *self, place_t *place)
{
    if (place->handed_by)
        cf_lobby_nodes_keep_no_more(self->nodes, place->handed_by);
    free(place->handed);
    place->handed = NULL;
    place->handed_by = 0;
}

/* It is where it was to go, or goes nowhere. */
static void end_move(cf_lobby_t *self, place_t *place)
{
    self->moving -= place->is_moving;
    place->is_moving = false;
    drop_handed(self, place);
}

static void drop_place(cf_lobby_t *self, place_t *place)
{
    end_move(self, place);
    cf_lobby_counts_set_here(self->counts, place->id, 0);
    HASH_DEL(self->places, place);
    free(place);
}

/* --- lookups -----------------------------------------------------------------------------------
 */

static cf_address_t lobby_of(uint32_t node)
{
    return (cf_address_t){node, CF_ACTOR_LOBBY, 0};
}

/* Bit of a gateway among those that are told of rooms, made if it is new; 0: there are too many, or its node is
 * gone or not known yet: it would never confirm. */
static uint64_t bit_of(cf_lobby_t *self, cf_address_t gateway)
{
    uint32_t unused = CF_GATEWAYS_MAX;
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++) {
        if (cf_address_equal(self->gateways[i], gateway))
            return UINT64_C(1) << i;
        if (self->gateways[i].kind == 0 && unused == CF_GATEWAYS_MAX)
            unused = i;
    }
    if (unused == CF_GATEWAYS_MAX || !cf_lobby_nodes_knows(self->nodes, gateway.node))
        return 0;
    self->gateways[unused] = gateway;
    return UINT64_C(1) << unused;
}

static void repair_at(cf_lobby_t *self, int64_t at_us)
{
    if (at_us < self->repair_us)
        self->repair_us = at_us;
}

static void answer_placed(cf_lobby_t *self, cf_turn_t *turn, const cf_msg_t *request,
                          place_t *place)
{
    uint64_t bit = request->from.kind == CF_ACTOR_GATEWAY ? bit_of(self, request->from) : 0;
    if (request->from.kind == CF_ACTOR_GATEWAY && !bit) {
        cf_outbox_refuse(turn->out, request, CF_EFULL, 1000);
        return;
    }
    place->told |= bit;
    cf_outbox_finish(turn->out, request, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(place->at)});
}

/* Take the oldest that waits for this place; false: none is left. */
static bool take_lookup(cf_lobby_t *self, place_t *place, lookup_t *out)
{
    lookup_t *lookup = place->lookups;
    if (!lookup)
        return false;
    *out = *lookup;
    place->lookups = lookup->next;
    if (!place->lookups)
        place->lookups_end = &place->lookups;
    self->lookups_waiting--;
    free(lookup);
    return true;
}

/* Answer who waits for this place: where it is, or err. */
static void answer_lookups(cf_lobby_t *self, cf_turn_t *turn, place_t *place, int err)
{
    for (lookup_t lookup; take_lookup(self, place, &lookup);) {
        if (err < 0)
            cf_outbox_refuse(turn->out, &lookup.request, err, err == CF_ENOENT ? 0 : 1000);
        else
            answer_placed(self, turn, &lookup.request, place);
    }
}

/* To the lobby of that node; false: who asked was refused instead. */
static bool send_on(cf_lobby_t *self, cf_turn_t *turn, const lookup_t *lookup, uint32_t node,
                    bool owned, bool let_go)
{
    cf_seek_t seek = {cf_address_pack(lookup->request.from), lookup->hops + 1, owned, let_go};
    int rc = lookup->hops >= CF_SEEK_HOPS_MAX || !cf_lobby_nodes_knows(self->nodes, node)
                 ? CF_EAGAIN
                 : 0;
    if (rc == 0)
        rc = cf_outbox_send(turn->out, lobby_of(node), CF_MSG_SEEK, lookup->request.corr,
                            lookup->request.room, &seek);
    if (rc < 0)
        cf_outbox_refuse(turn->out, &lookup->request, rc, 1000);
    return rc == 0;
}

static void send_lookups_on(cf_lobby_t *self, cf_turn_t *turn, place_t *place, uint32_t node,
                            bool owned)
{
    for (lookup_t lookup; take_lookup(self, place, &lookup);)
        send_on(self, turn, &lookup, node, owned, false);
}

/* Whoever let this room go need not wait any more. */
static void tell_taken(cf_turn_t *turn, cf_id_t room, uint32_t *let_go_by)
{
    if (*let_go_by)
        cf_outbox_insist(turn->out, lobby_of(*let_go_by), CF_MSG_TAKEN, 0, room, NULL);
    *let_go_by = 0;
}

/* Nobody is told where the room is before its thread has confirmed, which it does when the room has
 * loaded: a busy thread may read what a gateway sent later before it reads this. The first requests
 * would then be answered MOVED and those behind them be carried out, out of their order. And one
 * that cannot be loaded is known to nobody, so it needs no retirement. */
static void not_opened(cf_lobby_t *self, cf_turn_t *turn, place_t *place, int err)
{
    count_load(self, place->at, -1);
    tell_taken(turn, place->id, &place->let_go_by);
    answer_lookups(self, turn, place, err);
    drop_place(self, place);
}

/* What the room has left for its next place; nothing, if it could not. */
static int hand_over(cf_turn_t *turn, const place_t *place, cf_address_t to)
{
    cf_handover_t handover = {0};
    if (place->handed)
        cf_shape_decode(&handover, &cf_shape_handover, place->handed->body, place->handed->size,
                        turn->arena);
    return cf_outbox_send(turn->out, to, CF_MSG_HANDOVER, 0, place->id, &handover);
}

static void say_open(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    place->open_corr = ++self->next_corr;
    place->opened_us = turn->boot_us;
    place->opened_from = place->let_go_by;
    repair_at(self, turn->boot_us + OPEN_US);
    if (cf_outbox_send(turn->out, place->at, CF_MSG_OPEN, place->open_corr, place->id,
                       &(cf_activate_t){place->opened_from}) < 0)
        not_opened(self, turn, place, CF_ENOMEM);
    else if (place->handed)
        hand_over(turn, place, place->at);
}

static void open_at(cf_lobby_t *self, cf_turn_t *turn, place_t *place, cf_address_t at)
{
    place->at = at;
    place->retiring = false;
    place->target = (cf_address_t){0};
    place->told = 0;
    cf_lobby_counts_set_here(self->counts, place->id,
                             0); /* until it tells of those who came again */
    count_load(self, at, 1);
    say_open(self, turn, place);
}

/* A gateway waits for one LOOKUP of a room at most: it has asked again, as a node was gone. */
static bool replaces(place_t *place, const lookup_t *asked)
{
    for (lookup_t *at = place->lookups; at; at = at->next)
        if (at->request.from.kind == CF_ACTOR_GATEWAY &&
            cf_address_equal(at->request.from, asked->request.from)) {
            at->request = asked->request;
            at->hops = asked->hops;
            return true;
        }
    return false;
}

static int wait_for_place(cf_lobby_t *self, place_t *place, const lookup_t *asked)
{
    if (replaces(place, asked))
        return 0;
    if (self->lookups_waiting >= self->config.lookups_max)
        return CF_EFULL;
    lookup_t *lookup = malloc(sizeof *lookup);
    if (!lookup)
        return CF_ENOMEM;
    *lookup = *asked;
    lookup->next = NULL;
    *place->lookups_end = lookup;
    place->lookups_end = &lookup->next;
    self->lookups_waiting++;
    return 0;
}

/* A room with a place here: where it is, once that is known. */
static int answer_or_wait(cf_lobby_t *self, cf_turn_t *turn, place_t *place, const lookup_t *lookup)
{
    if (!is_settled(place))
        return wait_for_place(self, place, lookup);
    answer_placed(self, turn, &lookup->request, place);
    return 0;
}

/* A place with this lookup waiting; NULL: *rc says why not. */
static place_t *add_place_for(cf_lobby_t *self, const lookup_t *lookup, int *rc)
{
    place_t *place = add_place(self, lookup->request.room);
    *rc = place ? wait_for_place(self, place, lookup) : CF_ENOMEM;
    if (place && *rc < 0) {
        drop_place(self, place);
        place = NULL;
    }
    return place;
}

/* What waits for this place goes with it. It must not be opened here before the other has it, or both would: the store
 * would find out, but not of an ephemeral room. */
static void give(cf_lobby_t *self, cf_turn_t *turn, place_t *place, uint32_t node)
{
    /* Then it is opened there before anybody asks */
    bool was_sent = place->is_moving && hand_over(turn, place, lobby_of(node)) == 0;
    if (was_sent)
        cf_crash_point("in_handover");
    cf_lobby_counts_set_here(self->counts, place->id, 0);
    place->at = place->target = (cf_address_t){0};
    place->retiring = false;
    place->given_to = node;
    cf_lobby_nodes_remember(self->nodes, place->id, node);
    for (lookup_t lookup; take_lookup(self, place, &lookup);)
        was_sent = send_on(self, turn, &lookup, node, false, true) || was_sent;
    if (!was_sent)
        drop_place(self, place); /* nobody will say TAKEN */
}

/* The store says that the room is this node's, and it is not here. */
static int let_go(cf_lobby_t *self, cf_turn_t *turn, const lookup_t *lookup, uint32_t node)
{
    int rc;
    place_t *place = add_place_for(self, lookup, &rc);
    if (place)
        give(self, turn, place, node);
    return rc;
}

/* A node that drains lets it go instead, whoever has it. */
static int open_here(cf_lobby_t *self, cf_turn_t *turn, const lookup_t *lookup, uint32_t let_go_by)
{
    int rc;
    uint32_t node = cf_lobby_nodes_preferred(self->nodes, lookup->request.room);
    if (self->is_draining && node != self->config.node) {
        tell_taken(turn, lookup->request.room, &let_go_by);
        return let_go(self, turn, lookup, node);
    }
    place_t *place = add_place_for(self, lookup, &rc);
    if (!place)
        return rc;
    place->let_go_by = let_go_by;
    open_at(self, turn, place, least_loaded(self));
    return 0;
}

static int on_lookup(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = find(self, msg->room);
    lookup_t lookup = {.request = *msg};
    if (place)
        return answer_or_wait(self, turn, place, &lookup);
    uint32_t remembered = cf_lobby_nodes_remembered(self->nodes, msg->room);
    uint32_t node = remembered ? remembered : cf_lobby_nodes_preferred(self->nodes, msg->room);
    if (node == self->config.node || (self->is_draining && !remembered))
        return open_here(self, turn, &lookup, 0);
    send_on(self, turn, &lookup, node, false, false);
    return 0;
}

/* --- lookups of other lobbies ------------------------------------------------------------------
 */

/* An OPEN that is under way may still use it. */
static void take_promise(cf_turn_t *turn, place_t *place, uint32_t node)
{
    if (place->open_corr && (!place->let_go_by || place->let_go_by == node))
        place->let_go_by = node;
    else
        tell_taken(turn, place->id, &node);
}

static int seek_here(cf_lobby_t *self, cf_turn_t *turn, const lookup_t *lookup,
                     const cf_seek_t *seek, uint32_t by)
{
    place_t *place = find(self, lookup->request.room);
    bool may_go = seek->owned && by != self->config.node && cf_lobby_nodes_knows(self->nodes, by);
    if (place && seek->let_go)
        take_promise(turn, place, by);
    if (place && may_go && place->given_to == by) {
        send_on(self, turn, lookup, by, false, true); /* the same again */
        return 0;
    }
    if (place)
        return answer_or_wait(self, turn, place, lookup);
    if (may_go)
        return let_go(self, turn, lookup, by);
    int rc = open_here(self, turn, lookup, seek->let_go ? by : 0);
    if (rc < 0 && seek->let_go && !self->is_draining)
        tell_taken(turn, lookup->request.room, &by);
    return rc;
}

/* Who may ask: a gateway or control, and of this node one that is here, as what is sent to nobody would be kept for ever. */
static bool may_ask(const cf_lobby_t *self, cf_address_t asker)
{
    bool is_gateway = asker.kind == CF_ACTOR_GATEWAY;
    uint32_t gateways =
        asker.node == self->config.node ? self->config.gateway_count : CF_GATEWAYS_MAX;
    return is_gateway ? asker.index < gateways : asker.kind == CF_ACTOR_CONTROL && asker.index == 0;
}

static int on_seek(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_seek_t seek;
    int rc = cf_msg_body(&seek, msg, turn->arena);
    if (rc < 0)
        return rc;
    lookup_t lookup = {.request = *msg, .hops = seek.hops};
    lookup.request.from = cf_address_unpack(seek.asker);
    if (msg->from.kind != CF_ACTOR_LOBBY || msg->corr == 0 || (seek.owned && seek.let_go) ||
        !may_ask(state, lookup.request.from))
        return CF_ERANGE;
    rc = seek_here(state, turn, &lookup, &seek, msg->from.node);
    if (rc < 0)
        cf_outbox_refuse(turn->out, &lookup.request, rc, 1000);
    return 0;
}

static int on_taken(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = find(self, msg->room);
    if (!place || place->given_to != msg->from.node)
        return 0;
    send_lookups_on(self, turn, place, place->given_to, false);
    drop_place(self, place);
    return 0;
}

/* --- opening -----------------------------------------------------------------------------------
 */

/* Without memory it stays, and is found by the store when this node is gone. */
static void list_leaving(cf_lobby_t *self, place_t *place)
{
    if (place->is_listed)
        return;
    if (self->leaving_count == self->leaving_cap) {
        uint32_t cap = self->leaving_cap ? 2 * self->leaving_cap : 64;
        cf_id_t *leaving = realloc(self->leaving, cap * sizeof *leaving);
        if (!leaving)
            return;
        self->leaving = leaving;
        self->leaving_cap = cap;
    }
    self->leaving[self->leaving_count++] = place->id;
    place->is_listed = true;
}

/* The place whose OPEN this answers; NULL: none. */
static place_t *opening(cf_lobby_t *self, const cf_msg_t *msg)
{
    place_t *place = find(self, msg->room);
    return place && !place->retiring && msg->corr && place->open_corr == msg->corr ? place : NULL;
}

static int on_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    place_t *place = opening(self, msg);
    if (!place)
        return 0;
    place->open_corr = 0;
    end_move(self, place);
    tell_taken(turn, place->id, &place->let_go_by);
    answer_lookups(self, turn, place, 0);
    if (self->is_draining)
        list_leaving(self,
                     place); /* it was opening, or was handed over by who had not heard of it */
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

static int on_owned(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_owned_t owned;
    int rc = cf_msg_body(&owned, msg, turn->arena);
    place_t *place = rc == 0 ? opening(self, msg) : NULL;
    if (!place)
        return rc;
    if (owned.owner && owned.owner == place->let_go_by && owned.owner != place->opened_from) {
        say_open(self, turn, place); /* it has let the room go meanwhile */
        return 0;
    }
    /* 0: it has just changed; the store is asked again, as often as there are hops */
    uint32_t node = owned.owner ? owned.owner : self->config.node;
    if (owned.owner)
        cf_lobby_nodes_remember(self->nodes, place->id, node);
    count_load(self, place->at, -1);
    tell_taken(turn, place->id, &place->let_go_by);
    send_lookups_on(self, turn, place, node, owned.owner != 0);
    drop_place(self, place);
    return 0;
}

/* --- retiring ----------------------------------------------------------------------------------
 */

/* It is to be somewhere again. */
static void open_or_give(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    uint32_t node = cf_lobby_nodes_preferred(self->nodes, place->id);
    if (self->is_draining && node != self->config.node)
        give(self, turn, place, node);
    else
        open_at(self, turn, place, least_loaded(self));
}

/* Everybody has forgotten the room: free it, and open it anew if somebody wants it. */
static void finish_retirement(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    if (cf_outbox_send(turn->out, place->at, CF_MSG_RETIRED, 0, place->id, NULL) < 0) {
        repair_at(self, turn->boot_us + REPAIR_US); /* it must go there before it is here again */
        return;
    }
    count_load(self, place->at, -1);
    if (place->target.kind && place->target.node != self->config.node)
        give(self, turn, place, place->target.node);
    else if (place->target.kind)
        open_at(self, turn, place, place->target);
    else if (place->lookups || place->is_moving)
        open_or_give(self, turn, place);
    else
        drop_place(self, place);
}

static void tell_forget(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++)
        if (place->not_told >> i & 1 &&
            cf_outbox_send(turn->out, self->gateways[i], CF_MSG_FORGET, 0, place->id, NULL) == 0)
            place->not_told &= ~(UINT64_C(1) << i);
    if (place->not_told)
        repair_at(self, turn->boot_us + REPAIR_US);
}

static void begin_retirement(cf_lobby_t *self, cf_turn_t *turn, place_t *place)
{
    place->retiring = true;
    place->is_vacating = false;
    place->open_corr = 0;
    tell_taken(turn, place->id, &place->let_go_by);
    place->not_told = place->not_forgotten = place->told;
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
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++)
        if (cf_address_equal(self->gateways[i], msg->from))
            place->not_forgotten &= ~(UINT64_C(1) << i);
    if (place->not_forgotten == 0)
        finish_retirement(self, turn, place);
    return 0;
}

/* --- moving ------------------------------------------------------------------------------------
 */

static int move_to(cf_lobby_t *self, cf_turn_t *turn, place_t *place, cf_address_t target)
{
    if (self->moving >= self->config.moving_max)
        return CF_EAGAIN;
    int rc = cf_outbox_send(turn->out, place->at, CF_MSG_VACATE, 0, place->id,
                            &(cf_vacate_t){.hand_over = true});
    if (rc < 0)
        return rc;
    place->target = target;
    place->is_vacating = place->is_moving = true;
    self->moving++;
    return 0;
}

/* Returns 0, or why the room cannot go there. */
static int find_target(const cf_lobby_t *self, const cf_move_t *move, cf_id_t room,
                       cf_address_t *out)
{
    *out = cf_address_unpack(move->address);
    if (move->address)
        return is_thread(self, *out) ? 0 : CF_ERANGE;
    if (move->node.size && cf_str_equal(move->node, cf_str(self->config.node_name)))
        return CF_EEXIST;
    uint32_t node = move->node.size ? cf_lobby_nodes_named(self->nodes, move->node)
                                    : cf_lobby_nodes_preferred_other(self->nodes, room);
    *out = lobby_of(node);
    return node ? 0 : CF_ENOENT;
}

static int on_move(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_move_t move;
    cf_address_t target;
    int rc = cf_msg_body(&move, msg, turn->arena);
    if (rc == 0)
        rc = find_target(self, &move, msg->room, &target);
    if (rc < 0)
        return rc;
    place_t *place = find(self, msg->room);
    if (!place)
        return CF_EMOVED;
    if (!is_settled(place))
        return CF_EAGAIN;
    if (cf_address_equal(place->at, target))
        return CF_EEXIST;
    rc = move_to(self, turn, place, target);
    if (rc == 0)
        cf_outbox_finish(turn->out, msg, CF_MSG_DONE, NULL);
    return rc;
}

/* Without memory the store has to do; and for what a node hands over beyond the rooms that may move from there. */
static void keep_handed(cf_lobby_t *self, place_t *place, const cf_msg_t *msg)
{
    uint32_t by = msg->from.node == self->config.node ? 0 : msg->from.node;
    drop_handed(self, place);
    if (by && !cf_lobby_nodes_keep(self->nodes, by, self->config.moving_max)) {
        cf_log_warn("a node hands over more rooms than may move at a time", CF_UINT("node", by),
                    CF_ID("room", place->id));
        return;
    }
    place->handed_by = by;
    if (!(place->handed = malloc(sizeof *place->handed + msg->size)))
        return;
    place->handed->size = msg->size;
    memcpy(place->handed->body, msg->body, msg->size);
}

/* Another lobby lets this room go, and it is to be here. Somebody may have asked for it first: then the room that is
 * loading gets it, and the next one, if the store still says that it is the other's. */
static void receive(cf_lobby_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    uint32_t by = msg->from.node;
    place_t *place = find(self, msg->room);
    if (!cf_lobby_nodes_knows(self->nodes, by))
        return; /* it is gone, so it waits for nothing */
    if (place && place->open_corr) {
        take_promise(turn, place, by);
        keep_handed(self, place, msg);
        if (place->handed)
            hand_over(turn, place, place->at);
    } else if (place || !(place = add_place(self, msg->room))) {
        tell_taken(turn, msg->room, &by);
    } else {
        place->let_go_by = by;
        keep_handed(self, place, msg);
        open_at(self, turn, place, least_loaded(self));
        cf_crash_point("in_takeover");
    }
}

static int on_handover(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_handover_t handover;
    int rc = cf_msg_body(&handover, msg, turn->arena);
    if (rc < 0)
        return rc;
    place_t *place = find(self, msg->room);
    if (msg->from.kind == CF_ACTOR_LOBBY && msg->from.node != self->config.node)
        receive(self, turn, msg);
    else if (place && place->is_moving && cf_address_equal(place->at, msg->from))
        keep_handed(self, place, msg);
    return 0;
}

static int on_leaving(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    (void)turn;
    cf_lobby_nodes_leaves(self->nodes, msg->from.node);
    return msg->from.kind == CF_ACTOR_LOBBY ? 0 : CF_ERANGE;
}

/* --- draining ----------------------------------------------------------------------------------
 */

/* Rooms with connections move, some at a time. The others, of which there may be very many, only retire: nobody waits for
 * them, and whoever does from now on finds them at another node. */
static void drain(void *state, cf_turn_t *turn)
{
    cf_lobby_t *self = state;
    uint32_t count;
    const uint32_t *nodes = cf_lobby_nodes_list(self->nodes, &count);
    self->is_draining = self->owes_drained = true;
    cf_lobby_nodes_drain(self->nodes);
    for (uint32_t i = 0; i < count; i++)
        cf_outbox_insist(turn->out, lobby_of(nodes[i]), CF_MSG_LEAVING, 0, (cf_id_t){0}, NULL);
    for (place_t *place = self->places; place; place = place->hh.next) {
        if (cf_lobby_counts_of(self->counts, place->id) || !is_settled(place))
            list_leaving(self, place);
        else if (cf_lobby_nodes_preferred_other(self->nodes, place->id))
            place->is_vacating = cf_outbox_send(turn->out, place->at, CF_MSG_VACATE, 0, place->id,
                                                &(cf_vacate_t){.hand_over = false}) == 0;
    }
}

static void go_on_draining(cf_lobby_t *self, cf_turn_t *turn)
{
    while (self->leaving_next < self->leaving_count && self->moving < self->config.moving_max) {
        place_t *place = find(self, self->leaving[self->leaving_next++]);
        uint32_t node = place ? cf_lobby_nodes_preferred_other(self->nodes, place->id) : 0;
        if (!place)
            continue;
        place->is_listed = false;
        if (node && is_settled(place))
            move_to(self, turn, place, lobby_of(node));
    }
}

static bool has_rooms(const cf_lobby_t *self)
{
    uint32_t rooms = self->moving;
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        rooms += self->load[i];
    return rooms > 0;
}

static void check_drained(cf_lobby_t *self)
{
    bool has_others = cf_lobby_nodes_preferred_other(self->nodes, (cf_id_t){0}) != 0;
    if (!self->owes_drained || (has_rooms(self) && has_others))
        return;
    self->owes_drained = false;
    if (self->config.actor)
        cf_actor_drained(self->config.actor);
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
                           &(cf_activate_t){place->opened_from});
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
    cf_lobby_counts_set_here(self->counts, place->id, presence.connections);
    if (self->is_draining && presence.connections)
        list_leaving(self, place);
    return 0;
}

static int on_counts(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_counts_t counts;
    int rc = cf_msg_body(&counts, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (msg->from.kind != CF_ACTOR_LOBBY || msg->from.node == self->config.node)
        return CF_ERANGE;
    const cf_count_t *count = counts.counts.items;
    for (uint32_t i = 0; i < counts.counts.n && cf_lobby_nodes_knows(self->nodes, msg->from.node);
         i++)
        cf_lobby_counts_set_away(self->counts, &count[i], msg->from.node);
    return 0;
}

static int on_room_list(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_room_list_t list;
    int rc = cf_msg_body(&list, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_room_entry_t *rooms = list.rooms.items;
    for (uint32_t i = 0; i < list.rooms.n; i++)
        rooms[i].connections = cf_lobby_counts_of(self->counts, rooms[i].id);
    return cf_outbox_send(turn->out, cf_address_unpack(list.gateway), CF_MSG_ROOM_LIST, msg->corr,
                          msg->room, &list);
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_node_here_t here;
    int rc = cf_msg_body(&here, msg, turn->arena);
    if (rc < 0 || !cf_lobby_nodes_here(self->nodes, here.node, here.name))
        return rc;
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        cf_outbox_forward(turn->out, msg, self->config.gateways[i]);
    if (self->is_draining)
        cf_outbox_insist(turn->out, lobby_of(here.node), CF_MSG_LEAVING, 0, (cf_id_t){0}, NULL);
    cf_lobby_counts_node_here(self->counts, turn, here.node);
    return 0;
}

/* Their places are free for others. Returns their bits. */
static uint64_t forget_gateways(cf_lobby_t *self, uint32_t node)
{
    uint64_t gone = 0;
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++)
        if (self->gateways[i].kind && self->gateways[i].node == node) {
            self->gateways[i] = (cf_address_t){0};
            gone |= UINT64_C(1) << i;
        }
    return gone;
}

static void drop_lookups_of(cf_lobby_t *self, place_t *place, uint32_t node)
{
    lookup_t **at = &place->lookups;
    while (*at) {
        lookup_t *lookup = *at;
        if (lookup->request.from.node != node) {
            at = &lookup->next;
            continue;
        }
        *at = lookup->next;
        self->lookups_waiting--;
        free(lookup);
    }
    place->lookups_end = at;
}

static void place_without(cf_lobby_t *self, cf_turn_t *turn, place_t *place, uint32_t node,
                          uint64_t gateways)
{
    drop_lookups_of(self, place, node);
    place->told &= ~gateways;
    place->not_told &= ~gateways;
    place->not_forgotten &= ~gateways;
    if (place->target.node == node)
        place->target = (cf_address_t){0}; /* wherever there is room instead */
    if (place->let_go_by == node)
        place->let_go_by = 0;
    if (place->retiring && place->not_forgotten == 0) {
        finish_retirement(self, turn, place);
    } else if (place->given_to == node && !place->lookups && !place->is_moving) {
        drop_place(self, place);
    } else if (place->given_to == node) {
        place->given_to = 0;
        open_or_give(self, turn, place);
    }
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_node_gone_t gone;
    place_t *place, *next;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_lobby_nodes_gone(self->nodes, gone.node);
    cf_lobby_counts_node_gone(self->counts, gone.node);
    uint64_t gateways = forget_gateways(self, gone.node);
    HASH_ITER(hh, self->places, place, next)
    {
        place_without(self, turn, place, gone.node, gateways);
    }
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        cf_outbox_insist(turn->out, self->config.gateways[i], CF_MSG_NODE_GONE, 0, (cf_id_t){0},
                         &gone);
    return 0;
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
    {CF_MSG_SEEK, on_seek},
    {CF_MSG_TAKEN, on_taken},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_COUNTS, on_counts},
    {CF_MSG_HANDOVER, on_handover},
    {CF_MSG_LEAVING, on_leaving},
    {0, NULL},
};

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_lobby_t *self = state;
    if (self->is_draining) {
        go_on_draining(self, turn);
        check_drained(self);
    }
    uint32_t count;
    const uint32_t *nodes = cf_lobby_nodes_list(self->nodes, &count);
    int64_t counts_us = cf_lobby_counts_due(self->counts, turn, nodes, count);
    if (turn->boot_us >= self->repair_us)
        repair(self, turn);
    return cf_earlier_us(counts_us, self->repair_us);
}

static void destroy(void *state)
{
    cf_lobby_t *self = state;
    place_t *place, *next;
    HASH_ITER(hh, self->places, place, next)
    {
        for (lookup_t lookup; take_lookup(self, place, &lookup);)
            ;
        drop_place(self, place);
    }
    cf_lobby_nodes_destroy(&self->nodes);
    cf_lobby_counts_destroy(&self->counts);
    free(self->leaving);
    free(self->load);
    free(self);
}

static void gauges(void *state)
{
    const cf_lobby_t *self = state;
    cf_gauge(CF_M_LOOKUPS_WAITING, self->lookups_waiting);
}

const cf_actor_ops_t cf_lobby_ops = {
    .handlers = handlers, .due = due, .drain = drain, .gauges = gauges, .destroy = destroy};
