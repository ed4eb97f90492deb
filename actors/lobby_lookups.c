#include "crash_point.h"
#include "lobby_state.h"

#include <stdlib.h>

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

static void answer_placed(cf_lobby_t *self, cf_turn_t *turn, const cf_msg_t *request,
                          cf_lobby_place_t *place)
{
    uint64_t bit = request->from.kind == CF_ACTOR_GATEWAY ? bit_of(self, request->from) : 0;
    if (request->from.kind == CF_ACTOR_GATEWAY && !bit) {
        cf_outbox_refuse(turn->out, request, CF_EFULL, 1000);
        return;
    }
    place->told |= bit;
    cf_outbox_finish(turn->out, request, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(place->at)});
}

bool cf_lobby_take_lookup(cf_lobby_t *self, cf_lobby_place_t *place, cf_lobby_lookup_t *out)
{
    cf_lobby_lookup_t *lookup = place->lookups;
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

void cf_lobby_answer_lookups(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, int err)
{
    for (cf_lobby_lookup_t lookup; cf_lobby_take_lookup(self, place, &lookup);) {
        if (err < 0)
            cf_outbox_refuse(turn->out, &lookup.request, err, err == CF_ENOENT ? 0 : 1000);
        else
            answer_placed(self, turn, &lookup.request, place);
    }
}

/* To the lobby of that node; false: who asked was refused instead. */
static bool send_on(cf_lobby_t *self, cf_turn_t *turn, const cf_lobby_lookup_t *lookup,
                    uint32_t node, bool owned, bool let_go)
{
    cf_seek_t seek = {cf_address_pack(lookup->request.from), lookup->hops + 1, owned, let_go};
    int rc = lookup->hops >= CF_SEEK_HOPS_MAX || !cf_lobby_nodes_knows(self->nodes, node)
                 ? CF_EAGAIN
                 : 0;
    if (rc == 0)
        rc = cf_outbox_send(turn->out, cf_lobby_of_node(node), CF_MSG_SEEK, lookup->request.corr,
                            lookup->request.room, &seek);
    if (rc < 0)
        cf_outbox_refuse(turn->out, &lookup->request, rc, 1000);
    return rc == 0;
}

void cf_lobby_send_lookups_on(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place,
                              uint32_t node, bool owned)
{
    for (cf_lobby_lookup_t lookup; cf_lobby_take_lookup(self, place, &lookup);)
        send_on(self, turn, &lookup, node, owned, false);
}

/* A gateway waits for one LOOKUP of a room at most: it has asked again, as a node was gone. */
static bool replaces(cf_lobby_place_t *place, const cf_lobby_lookup_t *asked)
{
    for (cf_lobby_lookup_t *at = place->lookups; at; at = at->next)
        if (at->request.from.kind == CF_ACTOR_GATEWAY &&
            cf_address_equal(at->request.from, asked->request.from)) {
            at->request = asked->request;
            at->hops = asked->hops;
            return true;
        }
    return false;
}

static int wait_for_place(cf_lobby_t *self, cf_lobby_place_t *place, const cf_lobby_lookup_t *asked)
{
    if (replaces(place, asked))
        return 0;
    if (self->lookups_waiting >= self->config.lookups_max)
        return CF_EFULL;
    cf_lobby_lookup_t *lookup = malloc(sizeof *lookup);
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
static int answer_or_wait(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place,
                          const cf_lobby_lookup_t *lookup)
{
    if (!cf_lobby_is_settled(place))
        return wait_for_place(self, place, lookup);
    answer_placed(self, turn, &lookup->request, place);
    return 0;
}

/* A place with this lookup waiting; NULL: *rc says why not. */
static cf_lobby_place_t *add_place_for(cf_lobby_t *self, const cf_lobby_lookup_t *lookup, int *rc)
{
    cf_lobby_place_t *place = cf_lobby_add_place(self, lookup->request.room);
    *rc = place ? wait_for_place(self, place, lookup) : CF_ENOMEM;
    if (place && *rc < 0) {
        cf_lobby_drop_place(self, place);
        place = NULL;
    }
    return place;
}

void cf_lobby_drop_lookups_of(cf_lobby_t *self, cf_lobby_place_t *place, uint32_t node)
{
    cf_lobby_lookup_t **at = &place->lookups;
    while (*at) {
        cf_lobby_lookup_t *lookup = *at;
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

/* It must not be opened here before the other has it, or both would: the store
 * would find out, but not of an ephemeral room. */
void cf_lobby_give(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, uint32_t node)
{
    /* Then it is opened there before anybody asks */
    bool was_sent =
        place->is_moving && cf_lobby_hand_over(turn, place, cf_lobby_of_node(node)) == 0;
    if (was_sent)
        cf_crash_point("in_handover");
    cf_lobby_counts_set_here(self->counts, place->id, 0);
    place->at = place->target = (cf_address_t){0};
    place->retiring = false;
    place->given_to = node;
    cf_lobby_nodes_remember(self->nodes, place->id, node);
    for (cf_lobby_lookup_t lookup; cf_lobby_take_lookup(self, place, &lookup);)
        was_sent = send_on(self, turn, &lookup, node, false, true) || was_sent;
    if (!was_sent)
        cf_lobby_drop_place(self, place); /* nobody will say TAKEN */
}

/* The store says that the room is this node's, and it is not here. */
static int let_go(cf_lobby_t *self, cf_turn_t *turn, const cf_lobby_lookup_t *lookup, uint32_t node)
{
    int rc;
    cf_lobby_place_t *place = add_place_for(self, lookup, &rc);
    if (place)
        cf_lobby_give(self, turn, place, node);
    return rc;
}

/* A node that drains lets it go instead, whoever has it. */
static int open_here(cf_lobby_t *self, cf_turn_t *turn, const cf_lobby_lookup_t *lookup,
                     uint32_t let_go_by)
{
    int rc;
    uint32_t node = cf_lobby_nodes_preferred(self->nodes, lookup->request.room);
    if (self->is_draining && node != self->config.node) {
        cf_lobby_tell_taken(turn, lookup->request.room, &let_go_by);
        return let_go(self, turn, lookup, node);
    }
    cf_lobby_place_t *place = add_place_for(self, lookup, &rc);
    if (!place)
        return rc;
    place->let_go_by = let_go_by;
    cf_lobby_open_at(self, turn, place, cf_lobby_least_loaded(self));
    return 0;
}

int cf_lobby_on_lookup(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    cf_lobby_lookup_t lookup = {.request = *msg};
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
void cf_lobby_take_promise(cf_turn_t *turn, cf_lobby_place_t *place, uint32_t node)
{
    if (place->open_corr && (!place->let_go_by || place->let_go_by == node))
        place->let_go_by = node;
    else
        cf_lobby_tell_taken(turn, place->id, &node);
}

static int seek_here(cf_lobby_t *self, cf_turn_t *turn, const cf_lobby_lookup_t *lookup,
                     const cf_seek_t *seek, uint32_t by)
{
    cf_lobby_place_t *place = cf_lobby_find(self, lookup->request.room);
    bool may_go = seek->owned && by != self->config.node && cf_lobby_nodes_knows(self->nodes, by);
    if (place && seek->let_go)
        cf_lobby_take_promise(turn, place, by);
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
        cf_lobby_tell_taken(turn, lookup->request.room, &by);
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

int cf_lobby_on_seek(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_seek_t seek;
    int rc = cf_msg_body(&seek, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_lobby_lookup_t lookup = {.request = *msg, .hops = seek.hops};
    lookup.request.from = cf_address_unpack(seek.asker);
    if (msg->from.kind != CF_ACTOR_LOBBY || msg->corr == 0 || (seek.owned && seek.let_go) ||
        !may_ask(state, lookup.request.from))
        return CF_ERANGE;
    rc = seek_here(state, turn, &lookup, &seek, msg->from.node);
    if (rc < 0)
        cf_outbox_refuse(turn->out, &lookup.request, rc, 1000);
    return 0;
}

int cf_lobby_on_taken(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    if (!place || place->given_to != msg->from.node)
        return 0;
    cf_lobby_send_lookups_on(self, turn, place, place->given_to, false);
    cf_lobby_drop_place(self, place);
    return 0;
}
