/* control_rooms.c: the busiest rooms, put together from what every room thread answers. */
#include "control_state.h"

#include "err.h"

typedef struct {
    cf_busiest_t busiest;
    uint64_t active;
    uint32_t silent; /* threads that have not answered */
} gathered_t;

static int begin(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    cf_top_rooms_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    gathered_t *gathered = cf_control_work(request, sizeof *gathered);
    if (!gathered)
        return CF_ENOMEM;
    gathered->busiest.limit = asked.limit;
    gathered->silent = self->config.room_threads;
    for (uint32_t i = 0; rc == 0 && i < self->config.room_threads; i++) {
        cf_address_t thread = self->config.room_thread;
        thread.index = (uint16_t)(thread.index + i);
        rc = cf_control_ask(turn, request, thread, CF_MSG_TOP_ROOMS, (cf_id_t){0}, &asked);
    }
    return rc;
}

static void give_up(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    gathered_t *gathered = request->work;
    cf_rooms_top_t top = {.active = gathered->active,
                          .silent = gathered->silent,
                          .rooms = {gathered->busiest.rooms, gathered->busiest.n}};
    (void)turn;
    cf_control_answer(self, request, CF_MSG_ROOMS_TOP, &top);
}

static int go_on(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    gathered_t *gathered = request->work;
    cf_rooms_top_t top;
    if (msg->type != CF_MSG_ROOMS_TOP)
        return 0; /* refused: it stays silent */
    int rc = cf_msg_body(&top, msg, turn->arena);
    if (rc < 0)
        return rc;
    const cf_top_room_t *rooms = top.rooms.items;
    for (uint32_t i = 0; i < top.rooms.n; i++)
        cf_busiest_add(&gathered->busiest, &rooms[i]);
    gathered->active += top.active;
    if (--gathered->silent == 0)
        give_up(self, turn, request);
    return 0;
}

const cf_control_verb_t cf_control_top_rooms = {
    .type = CF_MSG_TOP_ROOMS, .begin = begin, .go_on = go_on, .give_up = give_up};
