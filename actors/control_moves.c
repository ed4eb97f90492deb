/* control_moves.c: a room is sent to another node. */
#include "control_state.h"

#include "err.h"
#include "wire/control.h"
#include "wire/place.h"

typedef struct {
    enum { FINDING, MOVING, ARRIVING } step;
    cf_id_t room;
    char node[CF_NODE_NAME_MAX + 1]; /* empty: wherever it is wanted most */
} move_t;

/* ARRIVING, the answer waits until the room is there. */
static int look_up(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    const move_t *move = request->work;
    return cf_control_ask(turn, request, self->config.lobby, CF_MSG_LOOKUP, move->room, NULL);
}

static int on_placed(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                     const cf_msg_t *msg)
{
    move_t *move = request->work;
    cf_placed_t placed;
    cf_address_t thread;
    int rc = cf_msg_body(&placed, msg, turn->arena);
    if (rc == 0)
        rc = cf_placed_at(&thread, &placed, msg);
    if (rc < 0)
        return rc;
    if (move->step == ARRIVING) {
        cf_control_answer(self, request, CF_MSG_DONE, NULL);
        return 0;
    }
    cf_address_t lobby = {thread.node, CF_ACTOR_LOBBY, 0};
    move->step = MOVING;
    return cf_control_ask(turn, request, lobby, CF_MSG_MOVE, move->room,
                          &(cf_move_t){.node = cf_str(move->node)});
}

static int on_refused(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                      const cf_msg_t *msg)
{
    move_t *move = request->work;
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    if (rc < 0)
        return rc;
    int err = -(int)refused.reason;
    if (move->step == MOVING && err == CF_EMOVED) { /* it has gone meanwhile */
        move->step = FINDING;
        return look_up(self, turn, request);
    }
    return move->step == MOVING && err == CF_ENOENT ? CF_EMOVED : err;
}

static int go_on(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    move_t *move = request->work;
    if (msg->type == CF_MSG_PLACED)
        return on_placed(self, turn, request, msg);
    if (msg->type == CF_MSG_REFUSED)
        return on_refused(self, turn, request, msg);
    if (msg->type != CF_MSG_DONE)
        return CF_EPROTO;
    move->step = ARRIVING;
    return look_up(self, turn, request);
}

static int begin(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    cf_move_room_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    move_t *move = cf_control_work(request, sizeof *move);
    if (!move)
        return CF_ENOMEM;
    move->room = asked.room;
    memcpy(move->node, asked.node.bytes, asked.node.size);
    return look_up(self, turn, request);
}

const cf_control_verb_t cf_control_move_room = {
    .type = CF_MSG_MOVE_ROOM, .begin = begin, .go_on = go_on};
