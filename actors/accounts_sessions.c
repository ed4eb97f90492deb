#include "accounts_state.h"
#include "secret.h"
#include "token.h"
#include "wire/read.h"

int cf_accounts_take_token(uint8_t token_hash[CF_TOKEN_HASH_SIZE], cf_turn_t *turn,
                           const cf_msg_t *msg)
{
    cf_token_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_token_hash(token_hash, asked.token); /* of any length: imported sessions bring their own */
    cf_secret_wipe(asked.token);
    return 0;
}

void cf_accounts_find_session(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    cf_find_session_t find;
    memcpy(find.token_hash, op->session.token_hash, sizeof find.token_hash);
    cf_accounts_ask_reader(self, turn, op, CF_MSG_FIND_SESSION, &find,
                           (cf_str_t){(const char *)find.token_hash, sizeof find.token_hash});
}

static int answer_cached(cf_turn_t *turn, const cf_msg_t *request, const cf_cached_session_t *known)
{
    if (known->expires_us <= turn->wall_us)
        return CF_EAUTH;
    cf_session_msg_t session = {
        .session = known->session,
        .user = known->user,
        .username = known->username,
        .email = known->email,
        .created_us = known->created_us,
        .expires_us = known->expires_us,
    };
    cf_outbox_finish(turn->out, request, CF_MSG_SESSION, &session);
    return 0;
}

int cf_accounts_on_authenticate(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    int rc = cf_accounts_take_token(token_hash, turn, msg);
    if (rc < 0)
        return rc;
    if (cf_session_cache_is_ended(&self->cache, token_hash, turn->boot_us))
        return CF_EAUTH;
    const cf_cached_session_t *known = cf_session_cache_find(&self->cache, token_hash);
    if (known) {
        rc = answer_cached(turn, msg, known);
        if (rc < 0)
            cf_session_cache_drop(&self->cache, token_hash);
        return rc;
    }
    if (!cf_accounts_admit_lookup(self, turn, msg))
        return 0;
    cf_operation_t *op = cf_accounts_begin(self, turn, msg, CF_STEP_FINDING_SESSION);
    if (!op)
        return CF_ENOMEM;
    memcpy(op->session.token_hash, token_hash, sizeof token_hash);
    cf_accounts_find_session(self, turn, op);
    return 0;
}

void cf_accounts_on_session_row(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                const cf_msg_t *msg)
{
    cf_session_row_t row;
    int rc = cf_turn_read(turn, msg, &row) < 0 ? CF_EINTERNAL : 0;
    if (rc == 0 && op->is_overtaken) {
        op->is_overtaken = false;
        cf_accounts_find_session(self, turn, op);
        return;
    }
    /* the reader may have looked before the session's end was written */
    if (rc == 0 &&
        (cf_session_cache_is_ended(&self->cache, op->session.token_hash, turn->boot_us) ||
         row.session.expires_us <= turn->wall_us))
        rc = CF_EAUTH;
    if (rc < 0) {
        cf_accounts_fail(self, turn, op, rc);
        return;
    }
    cf_session_cache_add(&self->cache, &row.session, &row.user);
    cf_session_msg_t session = {
        .session = row.session.id,
        .user = row.user.id,
        .username = row.user.username,
        .email = row.user.email,
        .created_us = row.user.created_us,
        .expires_us = row.session.expires_us,
    };
    cf_outbox_finish(turn->out, &op->request, CF_MSG_SESSION, &session);
    cf_accounts_finish(self, op);
}

void cf_accounts_on_no_session(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                               const cf_msg_t *msg)
{
    int rc = cf_accounts_refusal(turn, msg);
    cf_accounts_fail(self, turn, op, rc == CF_ENOENT ? CF_EAUTH : rc);
}
