/* control_users.c: who may use the server. accounts does it all; its answer is passed on. */
#include "control_state.h"

#include "err.h"
#include "wire/account.h"
#include "wire/control.h"

static int begin(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    cf_username_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    return rc < 0 ? rc
                  : cf_control_ask(turn, request, self->config.accounts, msg->type, (cf_id_t){0},
                                   &asked);
}

static int go_on(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    cf_refused_t refused;
    if (msg->type == CF_MSG_DONE) {
        cf_control_answer(self, request, CF_MSG_DONE, NULL);
        return 0;
    }
    if (msg->type != CF_MSG_REFUSED)
        return CF_EPROTO;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    return rc < 0 ? rc : -(int)refused.reason;
}

const cf_control_verb_t cf_control_disable = {
    .type = CF_MSG_DISABLE, .begin = begin, .go_on = go_on};
const cf_control_verb_t cf_control_enable = {.type = CF_MSG_ENABLE, .begin = begin, .go_on = go_on};
