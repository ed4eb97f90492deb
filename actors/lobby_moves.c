#include "crash_point.h"
#include "lobby_state.h"
#include "log.h"
#include "wire/append.h"

#include <stdlib.h>
#include <string.h>

static int move_to(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, cf_address_t target)
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
        return cf_lobby_is_thread(self, *out) ? 0 : CF_ERANGE;
    if (move->node.size && cf_str_equal(move->node, cf_str(self->config.node_name)))
        return CF_EEXIST;
    uint32_t node = move->node.size ? cf_lobby_nodes_named(self->nodes, move->node)
                                    : cf_lobby_nodes_preferred_other(self->nodes, room);
    *out = cf_lobby_of_node(node);
    return node ? 0 : CF_ENOENT;
}

int cf_lobby_on_move(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_move_t move;
    cf_address_t target;
    int rc = cf_msg_body(&move, msg, turn->arena);
    if (rc == 0)
        rc = find_target(self, &move, msg->room, &target);
    if (rc < 0)
        return rc;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    if (!place)
        return CF_EMOVED;
    if (!cf_lobby_is_settled(place))
        return CF_EAGAIN;
    if (cf_address_equal(place->at, target))
        return CF_EEXIST;
    rc = move_to(self, turn, place, target);
    if (rc == 0)
        cf_outbox_finish(turn->out, msg, CF_MSG_DONE, NULL);
    return rc;
}

/* Without memory the store has to do; and for what a node hands over beyond the rooms that may move from there. */
static void keep_handed(cf_lobby_t *self, cf_lobby_place_t *place, const cf_msg_t *msg)
{
    uint32_t by = msg->from.node == self->config.node ? 0 : msg->from.node;
    cf_lobby_drop_handed(self, place);
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
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    if (!cf_lobby_nodes_knows(self->nodes, by))
        return; /* it is gone, so it waits for nothing */
    if (place && place->open_corr) {
        cf_lobby_take_promise(turn, place, by);
        keep_handed(self, place, msg);
        if (place->handed)
            cf_lobby_hand_over(turn, place, place->at);
    } else if (place || !(place = cf_lobby_add_place(self, msg->room))) {
        cf_lobby_tell_taken(turn, msg->room, &by);
    } else {
        place->let_go_by = by;
        keep_handed(self, place, msg);
        cf_lobby_open_at(self, turn, place, cf_lobby_least_loaded(self));
        cf_crash_point("in_takeover");
    }
}

int cf_lobby_on_handover(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_handover_t handover;
    int rc = cf_msg_body(&handover, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    if (msg->from.kind == CF_ACTOR_LOBBY && msg->from.node != self->config.node)
        receive(self, turn, msg);
    else if (place && place->is_moving && cf_address_equal(place->at, msg->from))
        keep_handed(self, place, msg);
    return 0;
}

/* --- draining ----------------------------------------------------------------------------------
 */

int cf_lobby_on_leaving(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    (void)turn;
    cf_lobby_nodes_leaves(self->nodes, msg->from.node);
    return msg->from.kind == CF_ACTOR_LOBBY ? 0 : CF_ERANGE;
}

void cf_lobby_list_leaving(cf_lobby_t *self, cf_lobby_place_t *place)
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

/* Rooms with connections move, some at a time. The others, of which there may be very many, only retire: nobody waits for
 * them, and whoever does from now on finds them at another node. */
void cf_lobby_drain(void *state, cf_turn_t *turn)
{
    cf_lobby_t *self = state;
    uint32_t count;
    const uint32_t *nodes = cf_lobby_nodes_list(self->nodes, &count);
    self->is_draining = self->owes_drained = true;
    cf_lobby_nodes_drain(self->nodes);
    for (uint32_t i = 0; i < count; i++)
        cf_outbox_insist(turn->out, cf_lobby_of_node(nodes[i]), CF_MSG_LEAVING, 0, (cf_id_t){0},
                         NULL);
    for (cf_lobby_place_t *place = self->places; place; place = place->hh.next) {
        if (cf_lobby_counts_of(self->counts, place->id) || !cf_lobby_is_settled(place))
            cf_lobby_list_leaving(self, place);
        else if (cf_lobby_nodes_preferred_other(self->nodes, place->id))
            place->is_vacating = cf_outbox_send(turn->out, place->at, CF_MSG_VACATE, 0, place->id,
                                                &(cf_vacate_t){.hand_over = false}) == 0;
    }
}

void cf_lobby_go_on_draining(cf_lobby_t *self, cf_turn_t *turn)
{
    while (self->leaving_next < self->leaving_count && self->moving < self->config.moving_max) {
        cf_lobby_place_t *place = cf_lobby_find(self, self->leaving[self->leaving_next++]);
        uint32_t node = place ? cf_lobby_nodes_preferred_other(self->nodes, place->id) : 0;
        if (!place)
            continue;
        place->is_listed = false;
        if (node && cf_lobby_is_settled(place))
            move_to(self, turn, place, cf_lobby_of_node(node));
    }
}

static bool has_rooms(const cf_lobby_t *self)
{
    uint32_t rooms = self->moving;
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        rooms += self->load[i];
    return rooms > 0;
}

void cf_lobby_check_drained(cf_lobby_t *self)
{
    bool has_others = cf_lobby_nodes_preferred_other(self->nodes, (cf_id_t){0}) != 0;
    if (!self->owes_drained || (has_rooms(self) && has_others))
        return;
    self->owes_drained = false;
    if (self->config.actor)
        cf_actor_drained(self->config.actor);
}
