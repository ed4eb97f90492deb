#include "clock.h"
#include "lobby_state.h"
#include "metrics.h"
#include "wire/control.h"
#include "wire/node.h"

#include <stdlib.h>
#include <string.h>

/* --- counts ------------------------------------------------------------------------------------
 */

static int on_presence(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_presence_t presence;
    int rc = cf_msg_body(&presence, msg, turn->arena);
    cf_lobby_place_t *place = rc == 0 ? cf_lobby_find(self, msg->room) : NULL;
    if (!place || !cf_address_equal(place->at, msg->from))
        return rc;
    cf_lobby_counts_set_here(self->counts, place->id, presence.connections);
    if (self->is_draining && presence.connections)
        cf_lobby_list_leaving(self, place);
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
        cf_outbox_insist(turn->out, cf_lobby_of_node(here.node), CF_MSG_LEAVING, 0, (cf_id_t){0},
                         NULL);
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

static void place_without(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, uint32_t node,
                          uint64_t gateways)
{
    cf_lobby_drop_lookups_of(self, place, node);
    place->told &= ~gateways;
    place->not_told &= ~gateways;
    place->not_forgotten &= ~gateways;
    if (place->target.node == node)
        place->target = (cf_address_t){0}; /* wherever there is room instead */
    if (place->let_go_by == node)
        place->let_go_by = 0;
    if (place->retiring && place->not_forgotten == 0) {
        cf_lobby_finish_retirement(self, turn, place);
    } else if (place->given_to == node && !place->lookups && !place->is_moving) {
        cf_lobby_drop_place(self, place);
    } else if (place->given_to == node) {
        place->given_to = 0;
        cf_lobby_open_or_give(self, turn, place);
    }
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_node_gone_t gone;
    cf_lobby_place_t *place, *next;
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

/* --- life --------------------------------------------------------------------------------------
 */

/* What could not be said is said now; an OPEN that nobody answered is said again. */
static void repair(cf_lobby_t *self, cf_turn_t *turn)
{
    cf_lobby_place_t *place, *next;
    self->repair_us = INT64_MAX;
    HASH_ITER(hh, self->places, place, next)
    {
        cf_lobby_open_again(self, turn, place);
        if (!place->retiring)
            continue;
        cf_lobby_tell_forget(self, turn, place);
        if (place->not_forgotten == 0)
            cf_lobby_finish_retirement(self, turn, place);
    }
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_lobby_t *self = state;
    if (self->is_draining) {
        cf_lobby_go_on_draining(self, turn);
        cf_lobby_check_drained(self);
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
    cf_lobby_place_t *place, *next;
    HASH_ITER(hh, self->places, place, next)
    {
        for (cf_lobby_lookup_t lookup; cf_lobby_take_lookup(self, place, &lookup);)
            ;
        cf_lobby_drop_place(self, place);
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

static const cf_handler_t handlers[] = {
    {CF_MSG_LOOKUP, cf_lobby_on_lookup},
    {CF_MSG_RETIRE, cf_lobby_on_retire},
    {CF_MSG_FORGOTTEN, cf_lobby_on_forgotten},
    {CF_MSG_PRESENCE, on_presence},
    {CF_MSG_MOVE, cf_lobby_on_move},
    {CF_MSG_ROOM_LIST, on_room_list},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_DONE, cf_lobby_on_opened},
    {CF_MSG_REFUSED, cf_lobby_on_not_opened},
    {CF_MSG_OWNED, cf_lobby_on_owned},
    {CF_MSG_SEEK, cf_lobby_on_seek},
    {CF_MSG_TAKEN, cf_lobby_on_taken},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_COUNTS, on_counts},
    {CF_MSG_HANDOVER, cf_lobby_on_handover},
    {CF_MSG_LEAVING, cf_lobby_on_leaving},
    {0, NULL},
};

const cf_actor_ops_t cf_lobby_ops = {.handlers = handlers,
                                     .due = due,
                                     .drain = cf_lobby_drain,
                                     .gauges = gauges,
                                     .destroy = destroy};
