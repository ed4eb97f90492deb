#include "accounts_state.h"
#include "wire/control.h"

/* Nothing that is known of it counts any more, nor what a reader may have seen and not told yet. */
void cf_accounts_forget_session(cf_accounts_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE])
{
    cf_session_cache_drop(&self->cache, token_hash);
    for (cf_operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken |= op->step == CF_STEP_FINDING_SESSION &&
                            memcmp(op->session.token_hash, token_hash, CF_TOKEN_HASH_SIZE) == 0;
}

/* Nothing that is known here of a user's sessions counts any more, nor what a reader may have seen of them
 * and not told yet. (What it told before is in the cache, and known to a gateway that hears of the end behind
 * it.) Logins under way are the store's to refuse. */
void cf_accounts_forget_sessions_of(cf_accounts_t *self, cf_id_t user)
{
    cf_session_cache_drop_user(&self->cache, user);
    for (cf_operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken = op->is_overtaken || op->step == CF_STEP_FINDING_SESSION;
}

/* --- ended here --------------------------------------------------------------------------------
 */

static int say_ended(cf_turn_t *turn, cf_address_t to, const cf_operation_t *op)
{
    bool is_user = op->request.type == CF_MSG_DISABLE;
    cf_session_ended_t session = {.session = op->session.id};
    cf_user_ended_t user = {op->session.user, op->session.created_us};
    memcpy(session.token_hash, op->session.token_hash, sizeof session.token_hash);
    return cf_outbox_send(turn->out, to, is_user ? CF_MSG_USER_ENDED : CF_MSG_SESSION_ENDED, 0,
                          (cf_id_t){0}, is_user ? (const void *)&user : &session);
}

/* Sockets opened with a session end with it; also when the store did not say whether it is gone: whoever
 * is still logged in connects again. */
bool cf_accounts_tell_ended(const cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    for (; op->told < self->config.gateways; op->told++)
        if (say_ended(turn, cf_accounts_address(turn, CF_ACTOR_GATEWAY, op->told), op) < 0)
            return false; /* no memory; told is where to go on */
    return true;
}

/* It is durable. A node that is missed here reads it in the store. */
static void tell_others(cf_accounts_t *self, cf_turn_t *turn, const cf_operation_t *op)
{
    for (uint32_t i = 0; i < self->others.count; i++)
        say_ended(turn, (cf_address_t){self->others.nodes[i], CF_ACTOR_ACCOUNTS, 0}, op);
}

static bool was_told(const cf_accounts_t *self, cf_accounts_told_t end)
{
    for (uint32_t i = 0; i < CF_ACCOUNTS_TOLD; i++)
        if (self->told[i].asked_us == end.asked_us && cf_id_equal(self->told[i].id, end.id))
            return true;
    return false;
}

static void note_told(cf_accounts_t *self, cf_accounts_told_t end)
{
    self->told[self->told_next] = end;
    self->told_next = (self->told_next + 1) % CF_ACCOUNTS_TOLD;
}

/* Answers behind the notices: whoever gets the answer may rely on them. */
static void finish_told(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    if (op->request.type == CF_MSG_DISABLE)
        note_told(self, (cf_accounts_told_t){op->session.user, op->session.created_us});
    else
        note_told(self, (cf_accounts_told_t){.id = op->session.id});
    tell_others(self, turn, op);
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    cf_accounts_finish(self, op);
}

void cf_accounts_end_by_telling(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    if (cf_accounts_tell_ended(self, turn, op)) {
        finish_told(self, turn, op);
        return;
    }
    op->step = CF_STEP_TELLING_GATEWAYS;
    self->telling++;
}

void cf_accounts_go_on_telling(cf_accounts_t *self, cf_turn_t *turn)
{
    for (cf_operation_t *op = self->operations, *next; op && self->telling; op = next) {
        next = op->hh.next;
        if (op->step != CF_STEP_TELLING_GATEWAYS)
            continue;
        cf_outbox_trace(turn->out, &op->request.trace);
        if (!cf_accounts_tell_ended(self, turn, op))
            return;
        finish_told(self, turn, op);
    }
}

/* --- ended at other nodes ----------------------------------------------------------------------
 */

static void tell_of(cf_accounts_t *self, cf_turn_t *turn, uint16_t type, const void *ended,
                    cf_accounts_told_t end)
{
    for (uint16_t i = 0; i < self->config.gateways; i++)
        cf_outbox_insist(turn->out, cf_accounts_address(turn, CF_ACTOR_GATEWAY, i), type, 0,
                         (cf_id_t){0}, ended);
    note_told(self, end);
}

int cf_accounts_on_session_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_session_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_accounts_told_t end = {.id = ended.session};
    if (was_told(self, end))
        return 0;
    cf_accounts_forget_session(self, ended.token_hash);
    tell_of(self, turn, CF_MSG_SESSION_ENDED, &ended, end);
    return 0;
}

/* Storage of this node may have added a session before the other node removed all, and its answer may come behind
 * this: a login under way is one that came too late. */
int cf_accounts_on_user_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_user_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_accounts_told_t end = {ended.user, ended.asked_us};
    if (was_told(self, end))
        return 0;
    cf_accounts_forget_sessions_of(self, ended.user);
    for (cf_operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken |=
            op->step == CF_STEP_ADDING_SESSION && cf_id_equal(op->session.user, ended.user);
    tell_of(self, turn, CF_MSG_USER_ENDED, &ended, end);
    return 0;
}
