#include "accounts.h"

#include "bucket.h"
#include "log.h"
#include "metrics.h"
#include "others.h"
#include "secret.h"
#include "session_cache.h"
#include "store.h"
#include "token.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/hash.h"
#include "wire/read.h"
#include "wire/record.h"

#include <stdlib.h>
#include <utlist.h>

#define TELL_AGAIN_US INT64_C(100000)
#define FULL_RETRY_MS 1000
#define HASHER_DEPTH 2 /* operations of one hasher: the one it works on and the next */
#define TOLD_ENDS 256  /* what comes again by another way finds them here */
#define TOKEN_BYTES 32
#define TOKEN_TEXT 43 /* characters of 32 bytes in base64 without padding */

typedef enum {
    FINDING_USER = 1, /* LOGIN */
    VERIFYING,
    ADDING_SESSION,
    HASHING, /* REGISTER */
    CREATING_USER,
    FINDING_SESSION, /* AUTHENTICATE */
    FINDING_ENDED,   /* LOGOUT of a session that is not remembered */
    REMOVING_SESSION,
    FINDING_NAMED, /* DISABLE, ENABLE */
    DISABLING,
    ENDING_LATE, /* LOGOUT or DISABLE was refused CF_ETIME, and storage may do it yet */
    ENABLING,
    TELLING_GATEWAYS, /* LOGOUT, DISABLE; there was no memory to tell all of them at once */
} step_t;

struct operation;

/* An address and how much of the queue it takes up. */
typedef struct share {
    cf_limit_key_t address;
    uint32_t taken;
    struct operation *waiting; /* for a hasher; oldest first */
    struct share *prev, *next; /* in the circle of those for whom something waits */
    UT_hash_handle hh;
} share_t;

/* What a registration or login carries from step to step; wiped behind it. */
typedef struct {
    char password[CF_LOGIN_TEXT_MAX];         /* until it is given to a hasher */
    char password_hash[CF_PASSWORD_HASH_MAX]; /* to verify against */
    uint32_t password_size, password_hash_size;
    cf_id_t user;
    int64_t created_us;
    uint32_t username_size, email_size;
    char username[CF_USERNAME_MAX], email[CF_EMAIL_MAX];
    char token[TOKEN_TEXT + 1];
    share_t *share;
} credentials_t;

typedef struct operation {
    uint64_t id; /* correlation id of everything asked for it */
    step_t step;
    cf_msg_t request; /* its head; the body is gone */
    int64_t deadline_us;
    cf_session_t session;       /* as far as it is known; of DISABLE and ENABLE the user, and
                                   when it was asked as created_us */
    credentials_t *credentials; /* owned; of REGISTER and LOGIN */
    int hasher;                 /* which one works on it; -1: none */
    bool is_waiting;            /* for a hasher, in its share's list */
    struct operation *prev, *next;
    uint16_t told;     /* gateways that know the session, or the user's sessions, have ended */
    bool is_overtaken; /* a FINDING_SESSION: what the reader answers may be of before an end; an
                          ADDING_SESSION: another node has ended what it has added, or will not have added */
    UT_hash_handle hh;
} operation_t;

/* A session, or all that a user had at a time. */
typedef struct {
    cf_id_t id;
    int64_t asked_us; /* of a session: 0 */
} told_t;

struct cf_accounts {
    cf_accounts_config_t config;
    operation_t *operations; /* by id; oldest first; owned */
    share_t *shares;         /* of those whose operations have credentials; owned */
    share_t *turn;           /* whose turn it is to be given a hasher; NULL: nothing waits */
    uint64_t last_id;
    uint32_t hashing; /* operations with credentials */
    uint32_t telling; /* operations in step TELLING_GATEWAYS */
    uint32_t *busy;   /* per hasher: operations it works on */
    cf_limit_t limit; /* of registrations and logins */
    cf_bucket_t permits;
    cf_session_cache_t cache;
    cf_others_t others;
    told_t told[TOLD_ENDS]; /* what every gateway of this node knows to be over for good */
    uint32_t told_next;     /* the oldest of them */
};

static cf_address_t address(cf_turn_t *turn, uint16_t kind, uint32_t index)
{
    return (cf_address_t){cf_outbox_address(turn->out).node, kind, (uint16_t)index};
}

static cf_str_t text_of(const char *bytes, uint32_t size)
{
    return (cf_str_t){bytes, size};
}

/* --- operations --------------------------------------------------------------------------------
 */

static void wait_for_hasher(cf_accounts_t *self, operation_t *op)
{
    share_t *share = op->credentials->share;
    if (!share->waiting)
        CDL_APPEND(self->turn, share);
    DL_APPEND(share->waiting, op);
    op->is_waiting = true;
}

static void wait_no_more(cf_accounts_t *self, operation_t *op)
{
    share_t *share = op->credentials->share;
    DL_DELETE(share->waiting, op);
    op->is_waiting = false;
    if (!share->waiting)
        CDL_DELETE(self->turn, share);
}

static void leave_hasher(cf_accounts_t *self, operation_t *op)
{
    if (op->hasher >= 0)
        self->busy[op->hasher]--;
    op->hasher = -1;
}

static share_t *find_share(const cf_accounts_t *self, const cf_limit_key_t *address)
{
    share_t *share = NULL;
    if (self->shares)
        HASH_FIND(hh, self->shares, address, sizeof share->address, share);
    return share;
}

/* One place more for the address. NULL: no memory. */
static share_t *take_share(cf_accounts_t *self, const cf_limit_key_t *address)
{
    share_t *share = find_share(self, address);
    if (!share && (share = calloc(1, sizeof *share))) {
        share->address = *address;
        HASH_ADD(hh, self->shares, address, sizeof share->address, share);
        if (!share->hh.tbl) {
            free(share);
            return NULL;
        }
    }
    if (share)
        share->taken++;
    return share;
}

static void give_back(cf_accounts_t *self, share_t *share)
{
    if (--share->taken)
        return;
    HASH_DEL(self->shares, share);
    free(share);
}

static void finish(cf_accounts_t *self, operation_t *op)
{
    leave_hasher(self, op);
    if (op->is_waiting)
        wait_no_more(self, op);
    HASH_DEL(self->operations, op);
    self->telling -= op->step == TELLING_GATEWAYS;
    if (op->credentials) {
        self->hashing--;
        give_back(self, op->credentials->share);
        sodium_memzero(op->credentials, sizeof *op->credentials);
        free(op->credentials);
    }
    free(op);
}

static int say_ended(cf_turn_t *turn, cf_address_t to, const operation_t *op)
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
static bool tell_ended(const cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    for (; op->told < self->config.gateways; op->told++)
        if (say_ended(turn, address(turn, CF_ACTOR_GATEWAY, op->told), op) < 0)
            return false; /* no memory; told is where to go on */
    return true;
}

/* It is durable. A node that is missed here reads it in the store. */
static void tell_others(cf_accounts_t *self, cf_turn_t *turn, const operation_t *op)
{
    for (uint32_t i = 0; i < self->others.count; i++)
        say_ended(turn, (cf_address_t){self->others.nodes[i], CF_ACTOR_ACCOUNTS, 0}, op);
}

static bool was_told(const cf_accounts_t *self, told_t end)
{
    for (uint32_t i = 0; i < TOLD_ENDS; i++)
        if (self->told[i].asked_us == end.asked_us && cf_id_equal(self->told[i].id, end.id))
            return true;
    return false;
}

static void note_told(cf_accounts_t *self, told_t end)
{
    self->told[self->told_next] = end;
    self->told_next = (self->told_next + 1) % TOLD_ENDS;
}

/* Nothing that is known here of a user's sessions counts any more, nor what a reader may have seen of them
 * and not told yet. (What it told before is in the cache, and known to a gateway that hears of the end behind
 * it.) Logins under way are the store's to refuse. */
static void forget_sessions_of(cf_accounts_t *self, cf_id_t user)
{
    cf_session_cache_drop_user(&self->cache, user);
    for (operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken = op->is_overtaken || op->step == FINDING_SESSION;
}

static void fail(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, int rc)
{
    if (op->step == FINDING_ENDED || op->step == REMOVING_SESSION)
        cf_session_cache_unend(&self->cache, op->session.token_hash);
    if (op->step == DISABLING)
        forget_sessions_of(self, op->session.user);
    bool is_ending = op->step == REMOVING_SESSION || op->step == DISABLING;
    if (is_ending)
        tell_ended(self, turn, op);
    cf_outbox_refuse(turn->out, &op->request, rc, rc == CF_EIO ? FULL_RETRY_MS : 0);
    if (is_ending && rc == CF_ETIME) {
        op->step = ENDING_LATE;
        op->told = 0;
    } else {
        finish(self, op);
    }
}

static int refusal(cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_refused_t refused;
    return cf_turn_read(turn, msg, &refused) < 0 ? CF_EINTERNAL : -(int)refused.reason;
}

/* NULL: no memory. */
static operation_t *begin(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg, step_t step)
{
    operation_t *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->id = ++self->last_id;
    op->step = step;
    op->request = *msg;
    op->request.body = NULL;
    op->request.size = 0;
    op->deadline_us = turn->boot_us + self->config.answer_us;
    op->hasher = -1;
    HASH_ADD(hh, self->operations, id, sizeof op->id, op);
    if (op->hh.tbl)
        return op;
    free(op);
    return NULL;
}

/* A registration or login from that address. NULL: no memory. */
static operation_t *begin_hashing(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                                  step_t step, const cf_limit_key_t *address)
{
    operation_t *op = begin(self, turn, msg, step);
    credentials_t *credentials = op ? calloc(1, sizeof *credentials) : NULL;
    if (credentials && !(credentials->share = take_share(self, address))) {
        free(credentials);
        credentials = NULL;
    }
    if (op && !credentials) {
        finish(self, op);
        return NULL;
    }
    if (op) {
        op->credentials = credentials;
        self->hashing++;
    }
    return op;
}

/* Ask for the next step. Without memory for the question the operation fails, and op is gone. */
static void ask(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, cf_address_t to, step_t step,
                uint16_t type, const void *body)
{
    int rc = cf_outbox_send(turn->out, to, type, op->id, (cf_id_t){0}, body);
    if (rc < 0)
        fail(self, turn, op, rc);
    else
        op->step = step;
}

static void ask_storage(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, step_t step,
                        uint16_t type, const void *body)
{
    ask(self, turn, op, address(turn, CF_ACTOR_STORAGE, 0), step, type, body);
}

static void ask_reader(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, uint16_t type,
                       const void *body, cf_str_t key)
{
    uint32_t index = cf_table_hash(key.bytes, key.size) % self->config.readers;
    ask(self, turn, op, address(turn, CF_ACTOR_READER, index), op->step, type, body);
}

static int least_busy(const cf_accounts_t *self)
{
    int least = 0;
    for (int i = 1; i < self->config.hashers; i++)
        if (self->busy[i] < self->busy[least])
            least = i;
    return least;
}

static void ask_hasher(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, int hasher)
{
    credentials_t *person = op->credentials;
    cf_str_t password = text_of(person->password, person->password_size);
    cf_hash_t hash = {password};
    cf_verify_t verify = {password, text_of(person->password_hash, person->password_hash_size)};
    bool is_new = op->step == HASHING;
    wait_no_more(self, op);
    self->busy[hasher]++;
    op->hasher = hasher;
    cf_outbox_trace(turn->out, op->request.trace);
    int rc = cf_outbox_send(turn->out, address(turn, CF_ACTOR_HASHER, (uint32_t)hasher),
                            is_new ? CF_MSG_HASH : CF_MSG_VERIFY, op->id, (cf_id_t){0},
                            is_new ? (const void *)&hash : &verify);
    sodium_memzero(person->password, sizeof person->password);
    if (rc < 0)
        fail(self, turn, op, rc);
}

/* Give the hashers what waits for them, one of each address in turn: who has sent many waits for his own
 * only. The hashers hold no more than keeps them working, as nobody overtakes what they hold. */
static void give_work(cf_accounts_t *self, cf_turn_t *turn)
{
    for (int hasher; self->turn && self->busy[hasher = least_busy(self)] < HASHER_DEPTH;) {
        operation_t *op = self->turn->waiting;
        self->turn = self->turn->next;
        ask_hasher(self, turn, op, hasher);
    }
}

/* From now on op waits for the hash of its password, or the verdict on it. */
static void want_hasher(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, step_t step)
{
    op->step = step;
    op->deadline_us = turn->boot_us + self->config.hash_us;
    wait_for_hasher(self, op);
}

static void keep_password(credentials_t *person, cf_str_t password)
{
    if (password.size)
        memcpy(person->password, password.bytes, password.size);
    person->password_size = password.size;
}

/* --- bounds ------------------------------------------------------------------------------------
 */

/* The queue is full: whoever has most of it gives up his newest place to one who has less. */
static bool make_room(cf_accounts_t *self, cf_turn_t *turn, const share_t *asking)
{
    share_t *largest = NULL;
    uint32_t has = asking ? asking->taken : 0;
    for (share_t *share = self->shares; share; share = share->hh.next)
        if (share->waiting && (!largest || share->taken > largest->taken))
            largest = share;
    if (!largest || largest->taken <= has + 1)
        return false;
    operation_t *newest = largest->waiting->prev; /* the first of such a list knows the last */
    cf_outbox_refuse(turn->out, &newest->request, CF_EFULL, FULL_RETRY_MS);
    finish(self, newest);
    return true;
}

/* Is there room for one more registration or login? Refuses it if not. Whoever sends many has a part of the
 * queue only, so that others need not wait for all of them. */
static bool admit(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                  const cf_limit_key_t *address)
{
    const share_t *share = find_share(self, address);
    if ((share && share->taken >= self->config.queue_per_ip) ||
        (self->hashing >= self->config.queue && !make_room(self, turn, share))) {
        cf_outbox_refuse(turn->out, msg, CF_EFULL, FULL_RETRY_MS);
        return false;
    }
    uint32_t wait_ms = cf_bucket_try(&self->permits, &self->limit, turn->boot_us);
    if (wait_ms)
        cf_outbox_refuse(turn->out, msg, CF_ELIMIT, wait_ms);
    return wait_ms == 0;
}

static bool admit_lookup(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    if (HASH_COUNT(self->operations) - self->hashing < CF_ACCOUNTS_LOOKUPS_MAX)
        return true;
    cf_outbox_refuse(turn->out, msg, CF_EFULL, FULL_RETRY_MS);
    return false;
}

/* --- REGISTER ----------------------------------------------------------------------------------
 */

static int on_register(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_register_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    operation_t *op = NULL;
    const cf_password_policy_t *rules = self->config.passwords;
    if (rules && !cf_password_policy_allows(rules, asked.password, asked.username, asked.email)) {
        cf_outbox_refuse(turn->out, msg, CF_ERANGE, 0);
    } else if (admit(self, turn, msg, &asked.address)) {
        op = begin_hashing(self, turn, msg, HASHING, &asked.address);
        rc = op ? 0 : CF_ENOMEM;
    }
    if (op) {
        op->credentials->username_size = asked.username.size;
        op->credentials->email_size = asked.email.size;
        memcpy(op->credentials->username, asked.username.bytes, asked.username.size);
        memcpy(op->credentials->email, asked.email.bytes, asked.email.size);
        keep_password(op->credentials, asked.password);
        want_hasher(self, turn, op, HASHING);
        give_work(self, turn);
    }
    cf_secret_wipe(asked.password);
    return rc;
}

static void on_hashed(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    cf_hashed_t hashed;
    credentials_t *person = op->credentials;
    if (cf_turn_read(turn, msg, &hashed) < 0) {
        fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    leave_hasher(self, op);
    op->deadline_us = turn->boot_us + self->config.answer_us;
    person->user = cf_id_new(turn->wall_us);
    person->created_us = turn->wall_us;
    cf_create_user_t user = {
        .id = person->user,
        .username = text_of(person->username, person->username_size),
        .email = text_of(person->email, person->email_size),
        .password_hash = hashed.password_hash,
        .created_us = person->created_us,
    };
    ask_storage(self, turn, op, CREATING_USER, CF_MSG_CREATE_USER, &user);
}

static void on_user_created(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                            const cf_msg_t *msg)
{
    (void)msg;
    cf_registered_t registered = {op->credentials->user, op->credentials->created_us};
    cf_outbox_finish(turn->out, &op->request, CF_MSG_REGISTERED, &registered);
    cf_count(CF_M_REGISTRATIONS);
    finish(self, op);
}

/* --- LOGIN -------------------------------------------------------------------------------------
 */

/* Only such names reach the store: others are not even text. */
static bool is_possible_name(cf_str_t name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    for (uint32_t i = 0; i < name.size; i++)
        if (!memchr(letters, name.bytes[i], sizeof letters - 1))
            return false;
    return name.size >= CF_USERNAME_MIN && name.size <= CF_USERNAME_MAX;
}

static int on_login(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_login_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    operation_t *op = NULL;
    if (admit(self, turn, msg, &asked.address)) {
        op = begin_hashing(self, turn, msg, FINDING_USER, &asked.address);
        rc = op ? 0 : CF_ENOMEM;
    }
    if (op) {
        keep_password(op->credentials, asked.password);
        /* a name nobody can have is looked up as well, as the name of nobody */
        cf_find_user_t find = {.by = CF_USER_BY_NAME};
        if (is_possible_name(asked.username))
            find.name = asked.username;
        ask_reader(self, turn, op, CF_MSG_FIND_USER, &find, find.name);
    }
    cf_secret_wipe(asked.password);
    return rc;
}

static void verify(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, cf_str_t password_hash)
{
    credentials_t *person = op->credentials;
    person->password_hash_size = password_hash.size;
    if (password_hash.size)
        memcpy(person->password_hash, password_hash.bytes, password_hash.size);
    want_hasher(self, turn, op, VERIFYING);
}

static void on_user(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    cf_user_t user;
    credentials_t *person = op->credentials;
    if (cf_turn_read(turn, msg, &user) < 0) {
        fail(self, turn, op, CF_EINTERNAL);
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

static void on_no_user(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    int rc = refusal(turn, msg);
    if (rc == CF_ENOENT)
        verify(self, turn, op, (cf_str_t){0}); /* as long as for somebody */
    else
        fail(self, turn, op, rc);
}

static void add_session(cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    credentials_t *person = op->credentials;
    uint8_t secret[TOKEN_BYTES];
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(person->token, sizeof person->token, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    cf_token_hash(op->session.token_hash, text_of(person->token, TOKEN_TEXT));
    ask_storage(self, turn, op, ADDING_SESSION, CF_MSG_ADD_SESSION, &op->session);
}

static void on_verified(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    cf_verified_t verified;
    if (cf_turn_read(turn, msg, &verified) < 0) {
        fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    leave_hasher(self, op);
    op->deadline_us = turn->boot_us + self->config.answer_us;
    if (!verified.ok) {
        cf_count(CF_M_LOGINS_FAILED);
        fail(self, turn, op, CF_EAUTH);
        return;
    }
    if (verified.new_hash.size) { /* no answer wanted: if it fails the next login tries again */
        cf_set_password_t set = {op->credentials->user, verified.new_hash};
        cf_outbox_send(turn->out, address(turn, CF_ACTOR_STORAGE, 0), CF_MSG_SET_PASSWORD, 0,
                       (cf_id_t){0}, &set);
    }
    op->session = (cf_session_t){
        .id = cf_id_new(turn->wall_us),
        .user = op->credentials->user,
        .created_us = turn->wall_us,
        .expires_us = turn->wall_us + self->config.session_ttl_us,
    };
    add_session(self, turn, op);
}

static void on_session_added(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                             const cf_msg_t *msg)
{
    (void)msg;
    const credentials_t *person = op->credentials;
    if (op->is_overtaken) {
        cf_count(CF_M_LOGINS_FAILED);
        fail(self, turn, op, CF_EAUTH);
        return;
    }
    cf_user_t user = {
        .id = person->user,
        .username = text_of(person->username, person->username_size),
        .email = text_of(person->email, person->email_size),
        .created_us = person->created_us,
    };
    cf_session_cache_add(&self->cache, &op->session, &user);
    cf_logged_in_t answer = {
        .token = text_of(person->token, TOKEN_TEXT),
        .session = op->session.id,
        .user = user.id,
        .username = user.username,
        .email = user.email,
        .created_us = user.created_us,
        .expires_us = op->session.expires_us,
    };
    cf_outbox_finish(turn->out, &op->request, CF_MSG_LOGGED_IN, &answer);
    cf_count(CF_M_LOGINS);
    finish(self, op);
}

/* The store knew no such user any more, or only a disabled one. */
static void on_session_refused(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                               const cf_msg_t *msg)
{
    int rc = refusal(turn, msg);
    bool is_shut_out = rc == CF_EPERM || rc == CF_ENOENT;
    if (is_shut_out)
        cf_count(CF_M_LOGINS_FAILED);
    fail(self, turn, op, is_shut_out ? CF_EAUTH : rc);
}

/* --- AUTHENTICATE ------------------------------------------------------------------------------
 */

/* Reads and wipes the token; only its hash is kept. */
static int take_token(uint8_t token_hash[CF_TOKEN_HASH_SIZE], cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_token_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_token_hash(token_hash, asked.token); /* of any length: imported sessions bring their own */
    cf_secret_wipe(asked.token);
    return 0;
}

static void find_session(cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    cf_find_session_t find;
    memcpy(find.token_hash, op->session.token_hash, sizeof find.token_hash);
    ask_reader(self, turn, op, CF_MSG_FIND_SESSION, &find,
               text_of((const char *)find.token_hash, sizeof find.token_hash));
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

static int on_authenticate(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    int rc = take_token(token_hash, turn, msg);
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
    if (!admit_lookup(self, turn, msg))
        return 0;
    operation_t *op = begin(self, turn, msg, FINDING_SESSION);
    if (!op)
        return CF_ENOMEM;
    memcpy(op->session.token_hash, token_hash, sizeof token_hash);
    find_session(self, turn, op);
    return 0;
}

static void on_session_row(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                           const cf_msg_t *msg)
{
    cf_session_row_t row;
    int rc = cf_turn_read(turn, msg, &row) < 0 ? CF_EINTERNAL : 0;
    if (rc == 0 && op->is_overtaken) {
        op->is_overtaken = false;
        find_session(self, turn, op);
        return;
    }
    /* the reader may have looked before the session's end was written */
    if (rc == 0 &&
        (cf_session_cache_is_ended(&self->cache, op->session.token_hash, turn->boot_us) ||
         row.session.expires_us <= turn->wall_us))
        rc = CF_EAUTH;
    if (rc < 0) {
        fail(self, turn, op, rc);
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
    finish(self, op);
}

static void on_no_session(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                          const cf_msg_t *msg)
{
    int rc = refusal(turn, msg);
    fail(self, turn, op, rc == CF_ENOENT ? CF_EAUTH : rc);
}

/* --- LOGOUT ------------------------------------------------------------------------------------
 */

static void remove_session(cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    cf_remove_session_t remove;
    memcpy(remove.token_hash, op->session.token_hash, sizeof remove.token_hash);
    ask_storage(self, turn, op, REMOVING_SESSION, CF_MSG_REMOVE_SESSION, &remove);
}

static int on_logout(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    int rc = take_token(token_hash, turn, msg);
    if (rc < 0 || !admit_lookup(self, turn, msg))
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
    operation_t *op = begin(self, turn, msg, FINDING_ENDED);
    if (!op && !is_ending) /* nothing was begun; another logout keeps what it has ended */
        cf_session_cache_unend(&self->cache, token_hash);
    if (!op)
        return CF_ENOMEM;
    memcpy(op->session.token_hash, token_hash, sizeof token_hash);
    op->session.id = session;
    if (is_known)
        remove_session(self, turn, op);
    else
        find_session(self, turn, op);
    return 0;
}

static void on_ended_row(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    cf_session_row_t row;
    if (cf_turn_read(turn, msg, &row) < 0) {
        fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    op->session.id = row.session.id;
    remove_session(self, turn, op);
}

static void on_no_ended(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    int rc = refusal(turn, msg);
    if (rc != CF_ENOENT) {
        fail(self, turn, op, rc);
        return;
    }
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    finish(self, op);
}

/* Answers behind the notices: whoever gets the answer may rely on them. */
static void finish_told(cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    if (op->request.type == CF_MSG_DISABLE)
        note_told(self, (told_t){op->session.user, op->session.created_us});
    else
        note_told(self, (told_t){.id = op->session.id});
    tell_others(self, turn, op);
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    finish(self, op);
}

static void end_by_telling(cf_accounts_t *self, cf_turn_t *turn, operation_t *op)
{
    if (tell_ended(self, turn, op)) {
        finish_told(self, turn, op);
        return;
    }
    op->step = TELLING_GATEWAYS;
    self->telling++;
}

static void on_session_removed(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                               const cf_msg_t *msg)
{
    (void)msg;
    end_by_telling(self, turn, op);
}

/* --- DISABLE, ENABLE ---------------------------------------------------------------------------
 */

static int on_named(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_username_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0 || !admit_lookup(self, turn, msg))
        return rc;
    operation_t *op = begin(self, turn, msg, FINDING_NAMED);
    if (!op)
        return CF_ENOMEM;
    cf_find_user_t find = {.by = CF_USER_BY_NAME, .name = asked.username};
    ask_reader(self, turn, op, CF_MSG_FIND_USER, &find, find.name);
    return 0;
}

static void on_named_user(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                          const cf_msg_t *msg)
{
    cf_user_t user;
    if (cf_turn_read(turn, msg, &user) < 0) {
        fail(self, turn, op, CF_EINTERNAL);
        return;
    }
    op->session.user = user.id;
    op->session.created_us = turn->wall_us;
    if (op->request.type == CF_MSG_DISABLE)
        ask_storage(self, turn, op, DISABLING, CF_MSG_DISABLE_USER,
                    &(cf_disable_user_t){user.id, turn->wall_us});
    else
        ask_storage(self, turn, op, ENABLING, CF_MSG_ENABLE_USER, &(cf_enable_user_t){user.id});
}

static void on_disabled(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    (void)msg;
    cf_log_info("disabled a user", CF_ID("user", op->session.user));
    forget_sessions_of(self, op->session.user);
    end_by_telling(self, turn, op);
}

/* Nothing that is known of it counts any more, nor what a reader may have seen and not told yet. */
static void forget_session(cf_accounts_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE])
{
    cf_session_cache_drop(&self->cache, token_hash);
    for (operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken |= op->step == FINDING_SESSION &&
                            memcmp(op->session.token_hash, token_hash, CF_TOKEN_HASH_SIZE) == 0;
}

/* Who came back before it was done is out now, and so is what a reader has seen of them. The DONE behind it is too
 * late for whoever asked, who takes no notice. */
static void on_ended_late(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                          const cf_msg_t *msg)
{
    if (op->request.type == CF_MSG_DISABLE) {
        on_disabled(self, turn, op, msg);
        return;
    }
    forget_session(self, op->session.token_hash);
    end_by_telling(self, turn, op);
}

static void on_late_refused(cf_accounts_t *self, cf_turn_t *turn, operation_t *op,
                            const cf_msg_t *msg)
{
    (void)turn, (void)msg;
    finish(self, op);
}

static void on_enabled(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    (void)msg;
    cf_log_info("enabled a user", CF_ID("user", op->session.user));
    cf_outbox_finish(turn->out, &op->request, CF_MSG_DONE, NULL);
    finish(self, op);
}

/* --- ended at other nodes ----------------------------------------------------------------------
 */

static void tell_of(cf_accounts_t *self, cf_turn_t *turn, uint16_t type, const void *ended,
                    told_t end)
{
    for (uint16_t i = 0; i < self->config.gateways; i++)
        cf_outbox_insist(turn->out, address(turn, CF_ACTOR_GATEWAY, i), type, 0, (cf_id_t){0},
                         ended);
    note_told(self, end);
}

static int on_session_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_session_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc < 0)
        return rc;
    told_t end = {.id = ended.session};
    if (was_told(self, end))
        return 0;
    forget_session(self, ended.token_hash);
    tell_of(self, turn, CF_MSG_SESSION_ENDED, &ended, end);
    return 0;
}

/* Storage of this node may have added a session before the other node removed all, and its answer may come behind
 * this: a login under way is one that came too late. */
static int on_user_ended(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_user_ended_t ended;
    int rc = cf_msg_body(&ended, msg, turn->arena);
    if (rc < 0)
        return rc;
    told_t end = {ended.user, ended.asked_us};
    if (was_told(self, end))
        return 0;
    forget_sessions_of(self, ended.user);
    for (operation_t *op = self->operations; op; op = op->hh.next)
        op->is_overtaken |= op->step == ADDING_SESSION && cf_id_equal(op->session.user, ended.user);
    tell_of(self, turn, CF_MSG_USER_ENDED, &ended, end);
    return 0;
}

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    return cf_others_here(&self->others, turn, msg, NULL);
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    return cf_others_gone(&self->others, turn, msg, NULL);
}

/* --- answers -----------------------------------------------------------------------------------
 */

typedef void step_fn(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg);

/* What follows an answer. A REFUSED that is not listed ends the operation with its reason. */
static const struct {
    step_t step;
    uint16_t type;
    step_fn *next;
} steps[] = {
    {HASHING, CF_MSG_HASHED, on_hashed},
    {CREATING_USER, CF_MSG_DONE, on_user_created},
    {FINDING_USER, CF_MSG_USER, on_user},
    {FINDING_USER, CF_MSG_REFUSED, on_no_user},
    {VERIFYING, CF_MSG_VERIFIED, on_verified},
    {ADDING_SESSION, CF_MSG_DONE, on_session_added},
    {ADDING_SESSION, CF_MSG_REFUSED, on_session_refused},
    {FINDING_SESSION, CF_MSG_SESSION_ROW, on_session_row},
    {FINDING_SESSION, CF_MSG_REFUSED, on_no_session},
    {FINDING_ENDED, CF_MSG_SESSION_ROW, on_ended_row},
    {FINDING_ENDED, CF_MSG_REFUSED, on_no_ended},
    {REMOVING_SESSION, CF_MSG_DONE, on_session_removed},
    {FINDING_NAMED, CF_MSG_USER, on_named_user},
    {DISABLING, CF_MSG_DONE, on_disabled},
    {ENDING_LATE, CF_MSG_DONE, on_ended_late},
    {ENDING_LATE, CF_MSG_REFUSED, on_late_refused},
    {ENABLING, CF_MSG_DONE, on_enabled},
};

static void take_answer(cf_accounts_t *self, cf_turn_t *turn, operation_t *op, const cf_msg_t *msg)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].step == op->step && steps[i].type == msg->type) {
            steps[i].next(self, turn, op, msg);
            return;
        }
    fail(self, turn, op, msg->type == CF_MSG_REFUSED ? refusal(turn, msg) : CF_EINTERNAL);
}

static int on_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    operation_t *op = NULL;
    if (self->operations)
        HASH_FIND(hh, self->operations, &msg->corr, sizeof msg->corr, op);
    if (!op)
        return 0; /* too late: it was refused CF_ETIME */
    take_answer(self, turn, op, msg);
    give_work(self, turn);
    return 0;
}

/* Go on where there was no memory. */
static void tell_gateways(cf_accounts_t *self, cf_turn_t *turn)
{
    for (operation_t *op = self->operations, *next; op && self->telling; op = next) {
        next = op->hh.next;
        if (op->step != TELLING_GATEWAYS)
            continue;
        cf_outbox_trace(turn->out, op->request.trace);
        if (!tell_ended(self, turn, op))
            return;
        finish_told(self, turn, op);
    }
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Returns when there is the next to give up. Nothing behind the first operation without credentials has to
 * end before it does: all began later, and none has less time. */
static int64_t give_up_old(cf_accounts_t *self, cf_turn_t *turn)
{
    int64_t next_us = INT64_MAX;
    bool is_last = false;
    for (operation_t *op = self->operations, *next; op && !is_last; op = next) {
        next = op->hh.next;
        if (op->step == ENDING_LATE)
            continue;
        if (op->deadline_us > turn->boot_us) {
            next_us = op->deadline_us < next_us ? op->deadline_us : next_us;
            is_last = !op->credentials;
            continue;
        }
        cf_outbox_trace(turn->out, op->request.trace);
        fail(self, turn, op, CF_ETIME);
    }
    return next_us;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_accounts_t *self = state;
    if (self->telling)
        tell_gateways(self, turn);
    int64_t next_us = give_up_old(self, turn);
    give_work(self, turn);
    cf_outbox_trace(turn->out, NULL);
    cf_session_cache_expire(&self->cache, turn->boot_us);
    int64_t tell_us = self->telling ? turn->boot_us + TELL_AGAIN_US : INT64_MAX;
    return tell_us < next_us ? tell_us : next_us;
}

static void gauges(void *state)
{
    const cf_accounts_t *self = state;
    cf_gauge(CF_M_ACCOUNTS_WAITING, HASH_COUNT(self->operations));
    cf_gauge(CF_M_HASH_WAITING, self->hashing);
    cf_gauge(CF_M_SESSIONS_CACHED, cf_session_cache_count(&self->cache));
}

void cf_accounts_destroy(cf_accounts_t **self)
{
    if (!*self)
        return;
    while ((*self)->operations)
        finish(*self, (*self)->operations);
    cf_session_cache_free(&(*self)->cache);
    free((*self)->busy);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_accounts_t *self = state;
    cf_accounts_destroy(&self);
}

int cf_accounts_new(cf_accounts_t **out, const cf_accounts_config_t *config)
{
    cf_accounts_t *self = calloc(1, sizeof *self);
    uint32_t *busy = calloc(config->hashers, sizeof *busy);
    if (!self || !busy) {
        free(self);
        free(busy);
        return CF_ENOMEM;
    }
    self->config = *config;
    self->busy = busy;
    self->limit = cf_limit(config->rate, 1000000, config->rate);
    self->cache.max = config->sessions;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_REGISTER, on_register},
    {CF_MSG_LOGIN, on_login},
    {CF_MSG_AUTHENTICATE, on_authenticate},
    {CF_MSG_LOGOUT, on_logout},
    {CF_MSG_DISABLE, on_named},
    {CF_MSG_ENABLE, on_named},
    {CF_MSG_SESSION_ENDED, on_session_ended},
    {CF_MSG_USER_ENDED, on_user_ended},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_USER, on_answer},
    {CF_MSG_SESSION_ROW, on_answer},
    {CF_MSG_HASHED, on_answer},
    {CF_MSG_VERIFIED, on_answer},
    {CF_MSG_DONE, on_answer},
    {CF_MSG_REFUSED, on_answer},
    {0, NULL},
};

const cf_actor_ops_t cf_accounts_ops = {
    .handlers = handlers,
    .due = due,
    .gauges = gauges,
    .destroy = destroy,
};
