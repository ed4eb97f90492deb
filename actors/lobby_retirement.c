#include "lobby_state.h"

#define REPAIR_US INT64_C(1000000) /* after something could not be said */

void cf_lobby_open_or_give(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    uint32_t node = cf_lobby_nodes_preferred(self->nodes, place->id);
    if (self->is_draining && node != self->config.node)
        cf_lobby_give(self, turn, place, node);
    else
        cf_lobby_open_at(self, turn, place, cf_lobby_least_loaded(self));
}

void cf_lobby_finish_retirement(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    if (cf_outbox_send(turn->out, place->at, CF_MSG_RETIRED, 0, place->id, NULL) < 0) {
        cf_lobby_repair_at(self, turn->boot_us +
                                     REPAIR_US); /* it must go there before it is here again */
        return;
    }
    cf_lobby_count_load(self, place->at, -1);
    if (place->target.kind && place->target.node != self->config.node)
        cf_lobby_give(self, turn, place, place->target.node);
    else if (place->target.kind)
        cf_lobby_open_at(self, turn, place, place->target);
    else if (place->lookups || place->is_moving)
        cf_lobby_open_or_give(self, turn, place);
    else
        cf_lobby_drop_place(self, place);
}

void cf_lobby_tell_forget(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++)
        if (place->not_told >> i & 1 &&
            cf_outbox_send(turn->out, self->gateways[i], CF_MSG_FORGET, 0, place->id, NULL) == 0)
            place->not_told &= ~(UINT64_C(1) << i);
    if (place->not_told)
        cf_lobby_repair_at(self, turn->boot_us + REPAIR_US);
}

static void begin_retirement(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    place->retiring = true;
    place->is_vacating = false;
    place->open_corr = 0;
    cf_lobby_tell_taken(turn, place->id, &place->let_go_by);
    place->not_told = place->not_forgotten = place->told;
    cf_lobby_tell_forget(self, turn, place);
    if (place->not_forgotten == 0)
        cf_lobby_finish_retirement(self, turn, place);
}

int cf_lobby_on_retire(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    bool is_there = place && cf_address_equal(place->at, msg->from);
    if (is_there && !place->retiring)
        begin_retirement(self, turn, place);
    /* An OPEN said again may cross its REFUSED and make a room that nobody knows: let it go */
    return is_there ? 0
                    : cf_outbox_insist(turn->out, msg->from, CF_MSG_RETIRED, 0, msg->room, NULL);
}

int cf_lobby_on_forgotten(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    if (!place || !place->retiring)
        return 0;
    for (uint32_t i = 0; i < CF_GATEWAYS_MAX; i++)
        if (cf_address_equal(self->gateways[i], msg->from))
            place->not_forgotten &= ~(UINT64_C(1) << i);
    if (place->not_forgotten == 0)
        cf_lobby_finish_retirement(self, turn, place);
    return 0;
}
