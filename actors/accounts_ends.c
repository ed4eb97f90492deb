#include "accounts_state.h"
#include "log.h"
#include "wire/control.h"
#include "wire/read.h"
#include "wire/record.h"

/* --- LOGOUT ------------------------------------------------------------------------------------
 */

static void remove_session(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    cf_remove_session_t remove;
    memcpy(remove.token_hash, op->session.token_hash, sizeof remove.token_hash);
    cf_accounts_ask_storage(self, turn, op, CF_STEP_REMOVING_SESSION, CF_MSG_REMOVE_SESSION,
                            &remove);
}

int cf_accounts_on_logout(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    int rc = cf_accounts_take_token(token_hash, turn, msg);
    if (rc < 0 || !cf_accounts_admit_lookup(self, turn, msg))
        return rc;
    const cf_cached_session_t *known = cf_session_cache_find(&self->cache, token_hash);
    bool is_known = known != NULL;
    cf_id_t session = known ? known->session : (cf_id_t){0};
    bool is_ending = cf_session_cache_is_ended(&self->cache, token_hash, turn->boot_us);
    /* longer than any question asked before the end of a session can still be on its way */
    int64_t until_us = turn->boot_us + 2 * self->config.answer_us;
    rc = cf_session_cache_end(&self->cache, token_hash, until_us);
    if (rc < 0)
        return rc;
    cf_operation_t *op = cf_accounts_begin(self, turn, msg, CF_STEP_FINDING_ENDED);
    if (!op && !is_ending) /* nothing was begun; another logout keeps what it has ended */
        cf_session_cache_unend(&self->cache, token_hash);
    if (!op)
        return CF_ENOMEM;
    memcpy(op->session.token_hash, token_hash, sizeof token_hash);
    op->session.id = session;
    if (is_known)
        remove_session(self, turn, op);
    else
        cf_accounts_find_session(self, turn, op);
    return 0;
}

void cf_accounts_on_ended_row(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                              const cf_msg_t *msg)
{
    cf_session_row_t row;
    if (cf_turn_read(turn, msg, &row) < 0) {
        cf_accounts_fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    op->session.id = row.session.id;
    remove_session(self, turn, op);
}

void cf_accounts_on_no_ended(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             const cf_msg_t *msg)
{
    int rc = cf_accounts_refusal(turn, msg);
    if (rc != CF_ENOENT) {
        cf_accounts_fail(self, turn, op, rc);
        return;
    }
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    cf_accounts_finish(self, op);
}

void cf_accounts_on_session_removed(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                    const cf_msg_t *msg)
{
    (void)msg;
    cf_accounts_end_by_telling(self, turn, op);
}

/* --- DISABLE, ENABLE ---------------------------------------------------------------------------
 */

int cf_accounts_on_named(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_username_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0 || !cf_accounts_admit_lookup(self, turn, msg))
        return rc;
    cf_operation_t *op = cf_accounts_begin(self, turn, msg, CF_STEP_FINDING_NAMED);
    if (!op)
        return CF_ENOMEM;
    cf_find_user_t find = {.by = CF_USER_BY_NAME, .name = asked.username};
    cf_accounts_ask_reader(self, turn, op, CF_MSG_FIND_USER, &find, find.name);
    return 0;
}

void cf_accounts_on_named_user(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                               const cf_msg_t *msg)
{
    cf_user_t user;
    if (cf_turn_read(turn, msg, &user) < 0) {
        cf_accounts_fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    op->session.user = user.id;
    op->session.created_us = turn->wall_us;
    if (op->request.type == CF_MSG_DISABLE)
        cf_accounts_ask_storage(self, turn, op, CF_STEP_DISABLING, CF_MSG_DISABLE_USER,
                                &(cf_disable_user_t){user.id, turn->wall_us});
    else
        cf_accounts_ask_storage(self, turn, op, CF_STEP_ENABLING, CF_MSG_ENABLE_USER,
                                &(cf_enable_user_t){user.id});
}

void cf_accounts_on_disabled(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             const cf_msg_t *msg)
{
    (void)msg;
    cf_log_info("disabled a user", CF_ID("user", op->session.user));
    cf_accounts_forget_sessions_of(self, op->session.user);
    cf_accounts_end_by_telling(self, turn, op);
}

void cf_accounts_on_enabled(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                            const cf_msg_t *msg)
{
    (void)msg;
    cf_log_info("enabled a user", CF_ID("user", op->session.user));
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    cf_accounts_finish(self, op);
}

/* --- refused, and done all the same ------------------------------------------------------------
 */

/* Who came back before it was done is out now, and so is what a reader has seen of them. The DONE behind it is too
 * late for whoever asked, who takes no notice. */
void cf_accounts_on_ended_late(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                               const cf_msg_t *msg)
{
    if (op->request.type == CF_MSG_DISABLE) {
        cf_accounts_on_disabled(self, turn, op, msg);
        return;
    }
    cf_accounts_forget_session(self, op->session.token_hash);
    cf_accounts_end_by_telling(self, turn, op);
}

void cf_accounts_on_late_refused(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                 const cf_msg_t *msg)
{
    (void)turn, (void)msg;
    cf_accounts_finish(self, op);
}
