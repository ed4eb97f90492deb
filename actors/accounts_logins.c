#include "accounts_state.h"
#include "metrics.h"
#include "secret.h"
#include "token.h"
#include "wire/hash.h"
#include "wire/read.h"
#include "wire/record.h"

#define TOKEN_BYTES 32

/* --- REGISTER ----------------------------------------------------------------------------------
 */

int cf_accounts_on_register(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_register_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_operation_t *op = NULL;
    const cf_password_policy_t *rules = self->config.passwords;
    if (rules && !cf_password_policy_allows(rules, asked.password, asked.username, asked.email)) {
        cf_outbox_refuse(turn->out, msg, CF_ERANGE, 0);
    } else if (cf_accounts_admit(self, turn, msg, &asked.address)) {
        op = cf_accounts_begin_hashing(self, turn, msg, CF_STEP_HASHING, &asked.address);
        rc = op ? 0 : CF_ENOMEM;
    }
    if (op) {
        op->credentials->username_size = asked.username.size;
        op->credentials->email_size = asked.email.size;
        memcpy(op->credentials->username, asked.username.bytes, asked.username.size);
        memcpy(op->credentials->email, asked.email.bytes, asked.email.size);
        cf_accounts_keep_password(op->credentials, asked.password);
        cf_accounts_want_hasher(self, turn, op, CF_STEP_HASHING);
        cf_accounts_give_work(self, turn);
    }
    cf_secret_wipe(asked.password);
    return rc;
}

void cf_accounts_on_hashed(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                           const cf_msg_t *msg)
{
    cf_hashed_t hashed;
    cf_credentials_t *person = op->credentials;
    if (cf_turn_read(turn, msg, &hashed) < 0) {
        cf_accounts_fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    cf_accounts_leave_hasher(self, op);
    op->deadline_us = turn->boot_us + self->config.answer_us;
    person->user = cf_id_new(turn->wall_us);
    person->created_us = turn->wall_us;
    cf_create_user_t user = {
        .id = person->user,
        .username = (cf_str_t){person->username, person->username_size},
        .email = (cf_str_t){person->email, person->email_size},
        .password_hash = hashed.password_hash,
        .created_us = person->created_us,
    };
    cf_accounts_ask_storage(self, turn, op, CF_STEP_CREATING_USER, CF_MSG_CREATE_USER, &user);
}

void cf_accounts_on_user_created(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                 const cf_msg_t *msg)
{
    (void)msg;
    cf_registered_t registered = {op->credentials->user, op->credentials->created_us};
    cf_outbox_finish(turn->out, &op->request, CF_MSG_REGISTERED, &registered);
    cf_count(CF_M_REGISTRATIONS);
    cf_accounts_finish(self, op);
}

/* --- LOGIN -------------------------------------------------------------------------------------
 */

/* Only such names reach the store: others are those of nobody. */
static bool is_possible_name(cf_str_t name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    for (uint32_t i = 0; i < name.size; i++)
        if (!memchr(letters, name.bytes[i], sizeof letters - 1))
            return false;
    return name.size >= CF_USERNAME_MIN && name.size <= CF_USERNAME_MAX;
}

int cf_accounts_on_login(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_login_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_operation_t *op = NULL;
    if (cf_accounts_admit(self, turn, msg, &asked.address)) {
        op = cf_accounts_begin_hashing(self, turn, msg, CF_STEP_FINDING_USER, &asked.address);
        rc = op ? 0 : CF_ENOMEM;
    }
    if (op) {
        cf_accounts_keep_password(op->credentials, asked.password);
        /* a name nobody can have is looked up as well, as the name of nobody */
        cf_find_user_t find = {.by = CF_USER_BY_NAME};
        if (is_possible_name(asked.username))
            find.name = asked.username;
        cf_accounts_ask_reader(self, turn, op, CF_MSG_FIND_USER, &find, find.name);
    }
    cf_secret_wipe(asked.password);
    return rc;
}

static void verify(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, cf_str_t password_hash)
{
    cf_credentials_t *person = op->credentials;
    person->password_hash_size = password_hash.size;
    if (password_hash.size)
        memcpy(person->password_hash, password_hash.bytes, password_hash.size);
    cf_accounts_want_hasher(self, turn, op, CF_STEP_VERIFYING);
}

void cf_accounts_on_user(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                         const cf_msg_t *msg)
{
    cf_user_t user;
    cf_credentials_t *person = op->credentials;
    if (cf_turn_read(turn, msg, &user) < 0) {
        cf_accounts_fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    person->user = user.id;
    person->created_us = user.created_us;
    person->username_size = user.username.size;
    person->email_size = user.email.size;
    memcpy(person->username, user.username.bytes, user.username.size);
    memcpy(person->email, user.email.bytes, user.email.size);
    verify(self, turn, op, user.password_hash);
}

void cf_accounts_on_no_user(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                            const cf_msg_t *msg)
{
    int rc = cf_accounts_refusal(turn, msg);
    if (rc == CF_ENOENT)
        verify(self, turn, op, (cf_str_t){0}); /* as long as for somebody */
    else
        cf_accounts_fail(self, turn, op, rc);
}

static void add_session(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op)
{
    cf_credentials_t *person = op->credentials;
    uint8_t secret[TOKEN_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(person->token, sizeof person->token, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    cf_token_hash(op->session.token_hash, (cf_str_t){person->token, CF_TOKEN_TEXT});
    cf_accounts_ask_storage(self, turn, op, CF_STEP_ADDING_SESSION, CF_MSG_ADD_SESSION,
                            &op->session);
}

void cf_accounts_on_verified(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             const cf_msg_t *msg)
{
    cf_verified_t verified;
    if (cf_turn_read(turn, msg, &verified) < 0) {
        cf_accounts_fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    cf_accounts_leave_hasher(self, op);
    op->deadline_us = turn->boot_us + self->config.answer_us;
    if (!verified.ok) {
        cf_count(CF_M_LOGINS_FAILED);
        cf_accounts_fail(self, turn, op, CF_EAUTH);
        return;
    }
    if (verified.new_hash.size) { /* no answer wanted: if it fails the next login tries again */
        cf_set_password_t set = {op->credentials->user, verified.new_hash};
        cf_outbox_send(turn->out, cf_accounts_address(turn, CF_ACTOR_STORAGE, 0),
                       CF_MSG_SET_PASSWORD, 0, (cf_id_t){0}, &set);
    }
    op->session = (cf_session_t){
        .id = cf_id_new(turn->wall_us),
        .user = op->credentials->user,
        .created_us = turn->wall_us,
        .expires_us = turn->wall_us + self->config.session_ttl_us,
    };
    add_session(self, turn, op);
}

void cf_accounts_on_session_added(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                  const cf_msg_t *msg)
{
    (void)msg;
    const cf_credentials_t *person = op->credentials;
    if (op->is_overtaken) {
        cf_count(CF_M_LOGINS_FAILED);
        cf_accounts_fail(self, turn, op, CF_EAUTH);
        return;
    }
    cf_user_t user = {
        .id = person->user,
        .username = (cf_str_t){person->username, person->username_size},
        .email = (cf_str_t){person->email, person->email_size},
        .created_us = person->created_us,
    };
    cf_session_cache_add(&self->cache, &op->session, &user);
    cf_logged_in_t answer = {
        .token = (cf_str_t){person->token, CF_TOKEN_TEXT},
        .session = op->session.id,
        .user = user.id,
        .username = user.username,
        .email = user.email,
        .created_us = user.created_us,
        .expires_us = op->session.expires_us,
    };
    cf_outbox_finish(turn->out, &op->request, CF_MSG_LOGGED_IN, &answer);
    cf_count(CF_M_LOGINS);
    cf_accounts_finish(self, op);
}

/* The store knew no such user any more, or only a disabled one. */
void cf_accounts_on_session_refused(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                    const cf_msg_t *msg)
{
    int rc = cf_accounts_refusal(turn, msg);
    bool is_shut_out = rc == CF_EPERM || rc == CF_ENOENT;
    if (is_shut_out)
        cf_count(CF_M_LOGINS_FAILED);
    cf_accounts_fail(self, turn, op, is_shut_out ? CF_EAUTH : rc);
}
