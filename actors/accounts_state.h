/* actors/accounts_state.h: the state of accounts, for the files that together are it: accounts.c (what is under way, which answer
 * begins which step, life), accounts_hashing.c (whose password is hashed when, and who has to be refused), accounts_logins.c (REGISTER,
 * LOGIN), accounts_sessions.c (AUTHENTICATE), accounts_ends.c (LOGOUT, DISABLE, ENABLE), accounts_told.c (who is told of an end, by
 * whomever it was made). Nobody else includes it. */
#ifndef CF_ACCOUNTS_STATE_H
#define CF_ACCOUNTS_STATE_H

#include "accounts.h"
#include "bucket.h"
#include "others.h"
#include "session_cache.h"
#include "store.h"
#include "wire/account.h"

#define CF_ACCOUNTS_FULL_RETRY_MS 1000
#define CF_ACCOUNTS_TOLD 256 /* ends: what comes again by another way finds them here */
#define CF_TOKEN_TEXT 43     /* characters of 32 bytes in base64 without padding */

typedef enum {
    CF_STEP_FINDING_USER = 1, /* LOGIN */
    CF_STEP_VERIFYING,
    CF_STEP_ADDING_SESSION,
    CF_STEP_HASHING, /* REGISTER */
    CF_STEP_CREATING_USER,
    CF_STEP_FINDING_SESSION, /* AUTHENTICATE */
    CF_STEP_FINDING_ENDED,   /* LOGOUT of a session that is not remembered */
    CF_STEP_REMOVING_SESSION,
    CF_STEP_FINDING_NAMED, /* DISABLE, ENABLE */
    CF_STEP_DISABLING,
    CF_STEP_ENDING_LATE, /* LOGOUT or DISABLE was refused CF_ETIME, and storage may do it yet */
    CF_STEP_ENABLING,
    CF_STEP_TELLING_GATEWAYS, /* LOGOUT, DISABLE; there was no memory to tell all of them at once */
} cf_accounts_step_t;

struct cf_operation;

/* An address and how much of the queue it takes up. */
typedef struct cf_accounts_share {
    cf_limit_key_t address;
    uint32_t taken;
    struct cf_operation *waiting;          /* for a hasher; oldest first */
    struct cf_accounts_share *prev, *next; /* in the circle of those for whom something waits */
    UT_hash_handle hh;
} cf_accounts_share_t;

/* What a registration or login carries from step to step; wiped behind it. */
typedef struct {
    char password[CF_LOGIN_TEXT_MAX];         /* until it is given to a hasher */
    char password_hash[CF_PASSWORD_HASH_MAX]; /* to verify against */
    uint32_t password_size, password_hash_size;
    cf_id_t user;
    int64_t created_us;
    uint32_t username_size, email_size;
    char username[CF_USERNAME_MAX], email[CF_EMAIL_MAX];
    char token[CF_TOKEN_TEXT + 1];
    cf_accounts_share_t *share;
} cf_credentials_t;

typedef struct cf_operation {
    uint64_t id; /* correlation id of everything asked for it */
    cf_accounts_step_t step;
    cf_msg_t request; /* its head; the body is gone */
    int64_t deadline_us;
    cf_session_t session;          /* as far as it is known; of DISABLE and ENABLE the user, and
                                      when it was asked as created_us */
    cf_credentials_t *credentials; /* owned; of REGISTER and LOGIN */
    int hasher;                    /* which one works on it; -1: none */
    bool is_waiting;               /* for a hasher, in its share's list */
    struct cf_operation *prev, *next;
    uint16_t told;     /* gateways that know the session, or the user's sessions, have ended */
    bool is_overtaken; /* a FINDING_SESSION: what the reader answers may be of before an end; an
                          ADDING_SESSION: another node has ended what it has added, or will not have added */
    UT_hash_handle hh;
} cf_operation_t;

/* A session, or all that a user had at a time. */
typedef struct {
    cf_id_t id;
    int64_t asked_us; /* of a session: 0 */
} cf_accounts_told_t;

struct cf_accounts {
    cf_accounts_config_t config;
    cf_operation_t *operations;  /* by id; oldest first; owned */
    cf_accounts_share_t *shares; /* of those whose operations have credentials; owned */
    cf_accounts_share_t *turn;   /* whose turn it is to be given a hasher; NULL: nothing waits */
    uint64_t last_id;
    uint32_t hashing; /* operations with credentials */
    uint32_t telling; /* operations in step TELLING_GATEWAYS */
    uint32_t *busy;   /* per hasher: operations it works on */
    cf_limit_t limit; /* of registrations and logins */
    cf_bucket_t permits;
    cf_session_cache_t cache;
    cf_others_t others;
    cf_accounts_told_t
        told[CF_ACCOUNTS_TOLD]; /* what every gateway of this node knows to be over for good */
    uint32_t told_next;         /* the oldest of them */
};

/* The answer that its step waits for. op may be gone afterwards. */
typedef void cf_accounts_step_fn(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                                 const cf_msg_t *msg);

/* accounts.c */
cf_address_t cf_accounts_address(cf_turn_t *turn, uint16_t kind, uint32_t index); /* of this node */
/* NULL: no memory. */
cf_operation_t *cf_accounts_begin(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                                  cf_accounts_step_t step);
void cf_accounts_finish(cf_accounts_t *self, cf_operation_t *op);
/* Refuse what was asked. op is gone, but for an end that storage may make yet. */
void cf_accounts_fail(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, int rc);
/* Why it was REFUSED: negative. */
int cf_accounts_refusal(cf_turn_t *turn, const cf_msg_t *msg);
/* Ask for the next step. Without memory for the question the operation fails, and op is gone. */
void cf_accounts_ask_storage(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             cf_accounts_step_t step, uint16_t type, const void *body);
/* The same of a reader, the one for this key; the step stays. */
void cf_accounts_ask_reader(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, uint16_t type,
                            const void *body, cf_str_t key);
/* Is there room for one more without a password? Refuses it if not. */
bool cf_accounts_admit_lookup(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg);

/* accounts_hashing.c */
/* Is there room for one more registration or login? Refuses it if not. */
bool cf_accounts_admit(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                       const cf_limit_key_t *address);
/* A registration or login from that address. NULL: no memory. */
cf_operation_t *cf_accounts_begin_hashing(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                                          cf_accounts_step_t step, const cf_limit_key_t *address);
void cf_accounts_keep_password(cf_credentials_t *person, cf_str_t password);
/* From now on op waits for the hash of its password, or the verdict on it. */
void cf_accounts_want_hasher(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             cf_accounts_step_t step);
/* Give the hashers what waits for them. */
void cf_accounts_give_work(cf_accounts_t *self, cf_turn_t *turn);
/* The hasher has answered. */
void cf_accounts_leave_hasher(cf_accounts_t *self, cf_operation_t *op);
/* Its credentials go, and its place; nothing, if it has none. */
void cf_accounts_end_hashing(cf_accounts_t *self, cf_operation_t *op);

/* accounts_logins.c */
cf_handler_fn cf_accounts_on_register, cf_accounts_on_login;
cf_accounts_step_fn cf_accounts_on_hashed, cf_accounts_on_user_created, cf_accounts_on_user,
    cf_accounts_on_no_user, cf_accounts_on_verified, cf_accounts_on_session_added,
    cf_accounts_on_session_refused;

/* accounts_sessions.c */
cf_handler_fn cf_accounts_on_authenticate;
cf_accounts_step_fn cf_accounts_on_session_row, cf_accounts_on_no_session;
/* Reads and wipes the token; only its hash is kept. */
int cf_accounts_take_token(uint8_t token_hash[CF_TOKEN_HASH_SIZE], cf_turn_t *turn,
                           const cf_msg_t *msg);
/* Ask a reader for the session of op's token. */
void cf_accounts_find_session(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op);

/* accounts_ends.c */
cf_handler_fn cf_accounts_on_logout, cf_accounts_on_named;
cf_accounts_step_fn cf_accounts_on_ended_row, cf_accounts_on_no_ended,
    cf_accounts_on_session_removed, cf_accounts_on_named_user, cf_accounts_on_disabled,
    cf_accounts_on_enabled, cf_accounts_on_ended_late, cf_accounts_on_late_refused;

/* accounts_told.c */
cf_handler_fn cf_accounts_on_session_ended, cf_accounts_on_user_ended;
void cf_accounts_forget_session(cf_accounts_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE]);
void cf_accounts_forget_sessions_of(cf_accounts_t *self, cf_id_t user);
/* The gateways; false: there is no memory to tell all of them. */
bool cf_accounts_tell_ended(const cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op);
/* It is durable: everybody is told, then who asked. Without memory later. */
void cf_accounts_end_by_telling(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op);
/* Go on where there was no memory. */
void cf_accounts_go_on_telling(cf_accounts_t *self, cf_turn_t *turn);

#endif
