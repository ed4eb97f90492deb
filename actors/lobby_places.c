#include "lobby_state.h"
#include "wire/append.h"
#include "wire/control.h"

#include <stdlib.h>

#define OPEN_US INT64_C(5000000) /* an OPEN that nobody answered is said again */

cf_lobby_place_t *cf_lobby_find(cf_lobby_t *self, cf_id_t id)
{
    cf_lobby_place_t *place;
    HASH_FIND(hh, self->places, &id, sizeof id, place);
    return place;
}

bool cf_lobby_is_settled(const cf_lobby_place_t *place)
{
    return !place->retiring && !place->open_corr && !place->given_to && !place->is_vacating;
}

bool cf_lobby_is_thread(const cf_lobby_t *self, cf_address_t at)
{
    bool is_one = false;
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        is_one = is_one || cf_address_equal(self->config.threads[i], at);
    return is_one;
}

void cf_lobby_count_load(cf_lobby_t *self, cf_address_t at, int by)
{
    for (uint32_t i = 0; i < self->config.thread_count; i++)
        if (cf_address_equal(self->config.threads[i], at))
            self->load[i] = (uint32_t)((int)self->load[i] + by);
}

cf_address_t cf_lobby_least_loaded(const cf_lobby_t *self)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < self->config.thread_count; i++)
        if (self->load[i] < self->load[best])
            best = i;
    return self->config.threads[best];
}

cf_lobby_place_t *cf_lobby_add_place(cf_lobby_t *self, cf_id_t id)
{
    cf_lobby_place_t *place = calloc(1, sizeof *place);
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

void cf_lobby_drop_handed(cf_lobby_t *self, cf_lobby_place_t *place)
{
    if (place->handed_by)
        cf_lobby_nodes_keep_no_more(self->nodes, place->handed_by);
    free(place->handed);
    place->handed = NULL;
    place->handed_by = 0;
}

/* It is where it was to go, or goes nowhere. */
static void end_move(cf_lobby_t *self, cf_lobby_place_t *place)
{
    self->moving -= place->is_moving;
    place->is_moving = false;
    cf_lobby_drop_handed(self, place);
}

void cf_lobby_drop_place(cf_lobby_t *self, cf_lobby_place_t *place)
{
    end_move(self, place);
    cf_lobby_counts_set_here(self->counts, place->id, 0);
    HASH_DEL(self->places, place);
    free(place);
}

void cf_lobby_repair_at(cf_lobby_t *self, int64_t at_us)
{
    if (at_us < self->repair_us)
        self->repair_us = at_us;
}

cf_address_t cf_lobby_of_node(uint32_t node)
{
    return (cf_address_t){node, CF_ACTOR_LOBBY, 0};
}

void cf_lobby_tell_taken(cf_turn_t *turn, cf_id_t room, uint32_t *let_go_by)
{
    if (*let_go_by)
        cf_outbox_insist(turn->out, cf_lobby_of_node(*let_go_by), CF_MSG_TAKEN, 0, room, NULL);
    *let_go_by = 0;
}

/* --- opening -----------------------------------------------------------------------------------
 */

/* Nobody is told where the room is before its thread has confirmed, which it does when the room has
 * loaded: a busy thread may read what a gateway sent later before it reads this. The first requests
 * would then be answered MOVED and those behind them be carried out, out of their order. And one
 * that cannot be loaded is known to nobody, so it needs no retirement. */
static void not_opened(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, int err)
{
    cf_lobby_count_load(self, place->at, -1);
    cf_lobby_tell_taken(turn, place->id, &place->let_go_by);
    cf_lobby_answer_lookups(self, turn, place, err);
    cf_lobby_drop_place(self, place);
}

int cf_lobby_hand_over(cf_turn_t *turn, const cf_lobby_place_t *place, cf_address_t to)
{
    cf_handover_t handover = {0};
    if (place->handed)
        cf_shape_decode(&handover, &cf_shape_handover, place->handed->body, place->handed->size,
                        turn->arena);
    return cf_outbox_send(turn->out, to, CF_MSG_HANDOVER, 0, place->id, &handover);
}

static void say_open(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    place->open_corr = ++self->next_corr;
    place->opened_us = turn->boot_us;
    place->opened_from = place->let_go_by;
    cf_lobby_repair_at(self, turn->boot_us + OPEN_US);
    if (cf_outbox_send(turn->out, place->at, CF_MSG_OPEN, place->open_corr, place->id,
                       &(cf_activate_t){place->opened_from}) < 0)
        not_opened(self, turn, place, CF_ENOMEM);
    else if (place->handed)
        cf_lobby_hand_over(turn, place, place->at);
}

void cf_lobby_open_again(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place)
{
    if (!place->open_corr)
        return;
    if (turn->boot_us - place->opened_us >= OPEN_US) {
        place->opened_us = turn->boot_us;
        cf_outbox_send(turn->out, place->at, CF_MSG_OPEN, place->open_corr, place->id,
                       &(cf_activate_t){place->opened_from});
    }
    cf_lobby_repair_at(self, place->opened_us + OPEN_US);
}

void cf_lobby_open_at(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, cf_address_t at)
{
    place->at = at;
    place->retiring = false;
    place->target = (cf_address_t){0};
    place->told = 0;
    cf_lobby_counts_set_here(self->counts, place->id,
                             0); /* until it tells of those who came again */
    cf_lobby_count_load(self, at, 1);
    say_open(self, turn, place);
}

/* The place whose OPEN this answers; NULL: none. */
static cf_lobby_place_t *opening(cf_lobby_t *self, const cf_msg_t *msg)
{
    cf_lobby_place_t *place = cf_lobby_find(self, msg->room);
    return place && !place->retiring && msg->corr && place->open_corr == msg->corr ? place : NULL;
}

int cf_lobby_on_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_lobby_place_t *place = opening(self, msg);
    if (!place)
        return 0;
    place->open_corr = 0;
    end_move(self, place);
    cf_lobby_tell_taken(turn, place->id, &place->let_go_by);
    cf_lobby_answer_lookups(self, turn, place, 0);
    if (self->is_draining)
        cf_lobby_list_leaving(
            self, place); /* it was opening, or was handed over by who had not heard of it */
    return 0;
}

int cf_lobby_on_not_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    cf_lobby_place_t *place = opening(state, msg);
    if (rc == 0 && place)
        not_opened(state, turn, place, -(int)refused.reason);
    return rc;
}

int cf_lobby_on_owned(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_lobby_t *self = state;
    cf_owned_t owned;
    int rc = cf_msg_body(&owned, msg, turn->arena);
    cf_lobby_place_t *place = rc == 0 ? opening(self, msg) : NULL;
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
    cf_lobby_count_load(self, place->at, -1);
    cf_lobby_tell_taken(turn, place->id, &place->let_go_by);
    cf_lobby_send_lookups_on(self, turn, place, node, owned.owner != 0);
    cf_lobby_drop_place(self, place);
    return 0;
}
