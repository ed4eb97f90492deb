/* accounts: as a state machine, where the test is readers, hashers and storage and time is an
 * argument; and once as a real thread among real ones. */
#include "accounts.h"

#include "hasher.h"
#include "metrics.h"
#include "peer.h"
#include "reader.h"
#include "roles.h"
#include "session_cache.h"
#include "storage.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/hash.h"
#include "wire/node.h"
#include "wire/read.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sodium.h>

#define SECOND_US INT64_C(1000000)
#define WALL0 (INT64_C(1700000000) * SECOND_US)
#define AT_HASHERS 4 /* two each */
#define HERE                                                                                       \
    {                                                                                              \
        {                                                                                          \
            [15] = 1                                                                               \
        }                                                                                          \
    } /* an address */
#define TTL_US (3600 * SECOND_US)

static cf_accounts_config_t config = {
    .gateways = 2,
    .readers = 3,
    .hashers = 2,
    .queue = 8,
    .queue_per_ip = 8,
    .rate = 10,
    .sessions = 4,
    .session_ttl_us = TTL_US,
    .answer_us = 10 * SECOND_US,
    .hash_us = 30 * SECOND_US,
};
static cf_password_policy_t *passwords;
static cf_accounts_t *accounts;
static cf_outbox_t *out;
static cf_arena_t arena;
static cf_buf_t frame;
static int64_t now_us = 100 * SECOND_US;
static const cf_address_t gateway = {NODE, CF_ACTOR_GATEWAY, 1};

static void make(void)
{
    cf_address_t address = {NODE, CF_ACTOR_ACCOUNTS, 0};
    cf_password_policy_config_t rules = {.length_min = 8, .deny_file = ""};
    cr_assert(eq(int, cf_password_policy_new(&passwords, &rules), 0));
    config.passwords = passwords;
    cr_assert(eq(int, cf_accounts_new(&accounts, &config), 0));
    cr_assert(eq(int, cf_outbox_new(&out, NULL, address), 0));
}

static void remove_all(void)
{
    cf_accounts_destroy(&accounts);
    cf_password_policy_destroy(&passwords);
    cf_outbox_destroy(&out);
    cf_arena_free(&arena);
    cf_buf_free(&frame);
}

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){WALL0 + now_us, now_us, out, &arena, false};
}

/* As the actor's loop does it: what the handler returns is answered. */
static void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_turn_t turn = turn_now();
    cf_msg_t msg,
        head = {.type = type, .corr = corr, .from = from, .to = {NODE, CF_ACTOR_ACCOUNTS, 0}};
    cf_buf_clear(&frame);
    cr_assert(eq(int, cf_msg_encode(&frame, &head, body), 0));
    cr_assert(eq(int, cf_msg_decode(&msg, frame.data, frame.size), 0));
    for (const cf_handler_t *row = cf_accounts_ops.handlers; row->type; row++)
        if (row->type == type) {
            int rc = row->handle(accounts, &turn, &msg);
            if (rc < 0 && corr)
                cf_outbox_refuse(out, &msg, rc, 0);
        }
}

static int64_t pass(int64_t us)
{
    now_us += us;
    cf_turn_t turn = turn_now();
    return cf_accounts_ops.due(accounts, &turn);
}

/* The next message it sends is of this type, to this kind of actor. */
static cf_msg_t sent(uint16_t type, cf_actor_kind_t to, void *body)
{
    cf_msg_t msg = {0};
    cr_assert(cf_outbox_take(out, &msg), "nothing was sent");
    cr_assert(msg.type == type, "%s instead of %s", cf_msg_name(msg.type), cf_msg_name(type));
    cr_assert(eq(u32, msg.to.kind, to));
    if (body)
        cr_assert(eq(int, cf_msg_body(body, &msg, &arena), 0));
    return msg;
}

static void sent_nothing(void)
{
    cf_msg_t msg;
    cr_assert(eq(int, cf_outbox_take(out, &msg), false));
}

static int refused(uint64_t corr)
{
    cf_refused_t body;
    cf_msg_t msg = sent(CF_MSG_REFUSED, CF_ACTOR_GATEWAY, &body);
    cr_assert(eq(u64, msg.corr, corr));
    return -(int)body.reason;
}

static void refuse(const cf_msg_t *request, int rc)
{
    tell(request->to, CF_MSG_REFUSED, request->corr, &(cf_refused_t){(uint32_t)-rc, 0});
}

static void done(const cf_msg_t *request)
{
    tell(request->to, CF_MSG_DONE, request->corr, NULL);
}

static const cf_id_t ann_id = {{7}};
static cf_user_t ann(void)
{
    return (cf_user_t){ann_id, cf_str("ann"), cf_str("ann@test.com"), cf_str("$hash"), 5};
}

/* A login up to its session; returns the token. */
static char *log_in(uint64_t corr)
{
    static char token[CF_TOKEN_MAX + 1];
    cf_user_t user = ann();
    cf_logged_in_t answer;
    tell(gateway, CF_MSG_LOGIN, corr, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t find = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_USER, find.corr, &user);
    cf_msg_t verify = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    tell(verify.to, CF_MSG_VERIFIED, verify.corr, &(cf_verified_t){true, {0}});
    cf_msg_t add = sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, NULL);
    done(&add);
    sent(CF_MSG_LOGGED_IN, CF_ACTOR_GATEWAY, &answer);
    memcpy(token, answer.token.bytes, answer.token.size);
    token[answer.token.size] = '\0';
    return token;
}

static void send_token(uint16_t type, uint64_t corr, const char *token)
{
    tell(gateway, type, corr, &(cf_token_t){cf_str(token)});
}

/* What a reader says of a token it knows. */
static cf_session_row_t row_of(const char *token, int64_t expires_us)
{
    cf_session_row_t row = {{{{9}}, {0}, ann_id, 1, expires_us}, ann()};
    crypto_generichash(row.session.token_hash, CF_TOKEN_HASH_SIZE, (const uint8_t *)token,
                       strlen(token), NULL, 0);
    return row;
}
#define STRANGE_TOKEN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* well-formed */

TestSuite(accounts, .init = make, .fini = remove_all, .timeout = 30);

/* --- REGISTER ----------------------------------------------------------------------------------
 */

static cf_register_t registration(void)
{
    return (cf_register_t){cf_str("ann"), cf_str("ann@test.com"), cf_str("password123"), HERE};
}

Test(accounts, refuses_a_password_like_the_name_before_it_is_hashed)
{
    cf_register_t asked = {cf_str("johndoe"), cf_str("a@b.cc"), cf_str("JohnDoe2024"), HERE};
    tell(gateway, CF_MSG_REGISTER, 1, &asked);
    cr_assert(eq(int, refused(1), CF_ERANGE));
    sent_nothing();
}

Test(accounts, registers_by_hashing_first_and_creating_then)
{
    cf_register_t asked = registration();
    cf_hash_t hash;
    cf_create_user_t user;
    cf_registered_t registered;
    tell(gateway, CF_MSG_REGISTER, 1, &asked);
    cf_msg_t msg = sent(CF_MSG_HASH, CF_ACTOR_HASHER, &hash);
    cr_assert(cf_str_equal(hash.password, cf_str("password123")));
    tell(msg.to, CF_MSG_HASHED, msg.corr, &(cf_hashed_t){cf_str("$new")});
    msg = sent(CF_MSG_CREATE_USER, CF_ACTOR_STORAGE, &user);
    cr_assert(cf_str_equal(user.username, cf_str("ann")));
    cr_assert(cf_str_equal(user.email, cf_str("ann@test.com")));
    cr_assert(cf_str_equal(user.password_hash, cf_str("$new")));
    cf_id_t id = user.id;
    sent_nothing(); /* not before it is durable */
    done(&msg);
    msg = sent(CF_MSG_REGISTERED, CF_ACTOR_GATEWAY, &registered);
    cr_assert(cf_id_equal(registered.user, id));
    cr_assert(eq(i64, registered.created_us, WALL0 + now_us));
    cr_assert(eq(u64, msg.corr, 1));
    cr_assert(cf_address_equal(msg.to, gateway));
    cr_assert(eq(i64, pass(0), INT64_MAX)); /* nothing is left in flight */
}

Test(accounts, says_that_a_name_is_taken_only_after_the_hash)
{
    cf_register_t asked = registration();
    tell(gateway, CF_MSG_REGISTER, 1, &asked);
    cf_msg_t msg = sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    tell(msg.to, CF_MSG_HASHED, msg.corr, &(cf_hashed_t){cf_str("$new")});
    msg = sent(CF_MSG_CREATE_USER, CF_ACTOR_STORAGE, NULL);
    refuse(&msg, CF_EEXIST);
    cr_assert(eq(int, refused(1), CF_EEXIST));
}

Test(accounts, wipes_the_password_from_the_message)
{
    cf_register_t asked = registration();
    tell(gateway, CF_MSG_REGISTER, 1, &asked);
    cr_assert(memmem(frame.data, frame.size, "password123", 11) == NULL);
    tell(gateway, CF_MSG_LOGIN, 2, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cr_assert(memmem(frame.data, frame.size, "password123", 11) == NULL);
    send_token(CF_MSG_AUTHENTICATE, 3, STRANGE_TOKEN);
    cr_assert(memmem(frame.data, frame.size, STRANGE_TOKEN, 43) == NULL);
}

/* --- LOGIN -------------------------------------------------------------------------------------
 */

Test(accounts, logs_in_with_a_token_of_which_only_the_hash_is_stored)
{
    cf_user_t user = ann();
    cf_find_user_t find;
    cf_verify_t verify;
    cf_add_session_t session;
    cf_logged_in_t answer;
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, &find);
    cr_assert(cf_str_equal(find.name, cf_str("ann")));
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, &verify);
    cr_assert(cf_str_equal(verify.password, cf_str("password123")));
    cr_assert(cf_str_equal(verify.password_hash, cf_str("$hash")));
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){true, {0}});
    msg = sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, &session);
    cr_assert(eq(i64, session.expires_us, WALL0 + now_us + TTL_US));
    sent_nothing();
    done(&msg);
    sent(CF_MSG_LOGGED_IN, CF_ACTOR_GATEWAY, &answer);
    cr_assert(eq(u32, answer.token.size, 43));
    cr_assert(cf_id_equal(answer.session, session.id));
    cr_assert(cf_id_equal(answer.user, ann_id));
    cr_assert(cf_str_equal(answer.email, cf_str("ann@test.com")));
    uint8_t hash[CF_TOKEN_HASH_SIZE];
    crypto_generichash(hash, sizeof hash, (const uint8_t *)answer.token.bytes, answer.token.size,
                       NULL, 0);
    cr_assert(eq(int, memcmp(hash, session.token_hash, sizeof hash), 0));
}

Test(accounts, every_login_gets_another_token)
{
    char *first = strdup(log_in(1));
    cr_assert(ne(str, first, log_in(2)));
    free(first);
}

Test(accounts, works_as_long_for_a_name_that_nobody_has)
{
    cf_verify_t verify;
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("eve"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    refuse(&msg, CF_ENOENT);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, &verify);
    cr_assert(eq(u32, verify.password_hash.size, 0));
    cr_assert(cf_str_equal(verify.password, cf_str("password123")));
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){false, {0}});
    cr_assert(eq(int, refused(1), CF_EAUTH));
}

Test(accounts, asks_the_store_for_nobody_when_nobody_can_have_the_name)
{
    static const cf_str_t names[] = {{"", 0}, {"a\0b", 3}, {"x\xc3\xa9", 3}, {"ann'--", 6}};
    char large[CF_LOGIN_TEXT_MAX];
    memset(large, 'a', sizeof large);
    cf_find_user_t find;
    for (size_t i = 0; i < 5; i++) {
        cf_str_t name = i < 4 ? names[i] : (cf_str_t){large, sizeof large};
        tell(gateway, CF_MSG_LOGIN, i + 1, &(cf_login_t){name, cf_str(""), HERE});
        sent(CF_MSG_FIND_USER, CF_ACTOR_READER, &find);
        cr_assert(eq(u32, find.name.size, 0));
    }
}

Test(accounts, refuses_a_wrong_password_like_an_unknown_name)
{
    cf_user_t user = ann();
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("wrong"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){false, {0}});
    cr_assert(eq(int, refused(1), CF_EAUTH));
    sent_nothing();
}

Test(accounts, stores_a_new_hash_when_the_cost_has_changed)
{
    cf_user_t user = ann();
    cf_set_password_t set;
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){true, cf_str("$better")});
    sent(CF_MSG_SET_PASSWORD, CF_ACTOR_STORAGE, &set);
    cr_assert(cf_id_equal(set.user, ann_id));
    cr_assert(cf_str_equal(set.password_hash, cf_str("$better")));
    sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, NULL);
}

Test(accounts, a_login_fails_when_its_session_could_not_be_stored)
{
    cf_user_t user = ann();
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){true, {0}});
    msg = sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, NULL);
    refuse(&msg, CF_EIO);
    cr_assert(eq(int, refused(1), CF_EIO));
}

/* --- bounds ------------------------------------------------------------------------------------
 */

Test(accounts, takes_as_many_registrations_and_logins_as_the_queue_has_room_for)
{
    cf_register_t asked = registration();
    for (uint64_t corr = 1; corr <= config.queue; corr++) {
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        if (corr <= AT_HASHERS)
            sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
        now_us += SECOND_US / 5; /* slower than the rate */
    }
    sent_nothing();
    cf_refused_t body;
    tell(gateway, CF_MSG_REGISTER, 99, &asked);
    sent(CF_MSG_REFUSED, CF_ACTOR_GATEWAY, &body);
    cr_assert(eq(u32, body.reason, -CF_EFULL));
    cr_assert(gt(u32, body.retry_after_ms, 0));
}

Test(accounts, leaves_a_part_of_the_queue_to_other_addresses)
{
    cf_register_t here = registration(), there = registration();
    there.address.bytes[0] = 1;
    config.queue_per_ip = 2;
    cf_accounts_destroy(&accounts);
    cr_assert(eq(int, cf_accounts_new(&accounts, &config), 0));
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("x"), HERE});
    cf_msg_t first = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(gateway, CF_MSG_REGISTER, 2, &here);
    sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    tell(gateway, CF_MSG_REGISTER, 3, &here);
    cr_assert(eq(int, refused(3), CF_EFULL));
    tell(gateway, CF_MSG_REGISTER, 4, &there);
    sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    refuse(&first, CF_EIO); /* the place is free again */
    cr_assert(eq(int, refused(1), CF_EIO));
    tell(gateway, CF_MSG_REGISTER, 5, &here);
    sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    tell(gateway, CF_MSG_REGISTER, 6, &here);
    cr_assert(eq(int, refused(6), CF_EFULL));
}

Test(accounts, gives_a_place_of_whoever_has_most_to_others_when_the_queue_is_full)
{
    cf_register_t asked = registration();
    for (uint64_t corr = 1; corr <= config.queue; corr++) {
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        if (corr <= AT_HASHERS)
            sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    }
    for (uint64_t corr = 11; corr <= 14; corr++) { /* until both have half of it */
        asked.address.bytes[0] = 1;
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        cr_assert(eq(int, refused(config.queue - (corr - 11)), CF_EFULL));
        sent_nothing();
        now_us += SECOND_US;
    }
    tell(gateway, CF_MSG_REGISTER, 15, &asked);
    cr_assert(eq(int, refused(15), CF_EFULL));
}

Test(accounts, takes_no_more_than_the_rate_each_second)
{
    cf_refused_t body;
    uint32_t taken = 0;
    for (uint64_t corr = 1; corr <= 300; corr++) { /* 3 s, 100 a second */
        cf_msg_t msg;
        tell(gateway, CF_MSG_LOGIN, corr, &(cf_login_t){cf_str("ann"), cf_str("x"), HERE});
        cr_assert(cf_outbox_take(out, &msg));
        if (msg.type == CF_MSG_FIND_USER) {
            taken++;
            refuse(&msg, CF_EIO); /* leaves no operation in flight */
            cr_assert(eq(int, refused(corr), CF_EIO));
        } else {
            cr_assert(eq(int, cf_msg_body(&body, &msg, &arena), 0));
            cr_assert(eq(u32, body.reason, -CF_ELIMIT));
            cr_assert(body.retry_after_ms > 0 && body.retry_after_ms <= 101);
        }
        now_us += SECOND_US / 100;
    }
    cr_assert(ge(u32, taken, 39)); /* the burst and three seconds */
    cr_assert(le(u32, taken, 40));
}

Test(accounts, gives_up_after_10_s_and_takes_no_late_answer)
{
    cf_user_t user = ann();
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    int64_t due_us = pass(0);
    cr_assert(eq(i64, due_us, now_us + 10 * SECOND_US));
    pass(10 * SECOND_US - 1);
    sent_nothing();
    pass(1);
    cr_assert(eq(int, refused(1), CF_ETIME));
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    sent_nothing();
}

Test(accounts, waits_for_a_hash_longer_than_for_the_store)
{
    cf_register_t asked = registration();
    tell(gateway, CF_MSG_REGISTER, 1, &asked);
    cf_msg_t hash = sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    tell(gateway, CF_MSG_REGISTER, 2, &asked);
    sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    tell(gateway, CF_MSG_AUTHENTICATE, 3, &(cf_token_t){cf_str("no such token")});
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    cr_assert(eq(i64, pass(0), now_us + 10 * SECOND_US));
    pass(10 * SECOND_US); /* behind what waits for its hash */
    cr_assert(eq(int, refused(3), CF_ETIME));
    cr_assert(eq(i64, pass(19 * SECOND_US), now_us + SECOND_US));
    tell(hash.to, CF_MSG_HASHED, hash.corr, &(cf_hashed_t){cf_str("$argon2id$hash")});
    sent(CF_MSG_CREATE_USER, CF_ACTOR_STORAGE, NULL);
    pass(SECOND_US);
    cr_assert(eq(int, refused(2), CF_ETIME));
    pass(9 * SECOND_US - 1);
    sent_nothing();
    pass(1);
    cr_assert(eq(int, refused(1), CF_ETIME));
}

Test(accounts, gives_each_hash_to_the_least_loaded_hasher)
{
    cf_register_t asked = registration();
    uint32_t loads[2] = {0};
    for (uint64_t corr = 1; corr <= AT_HASHERS; corr++) {
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        loads[sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL).to.index]++;
    }
    cr_assert(eq(u32, loads[0], 2));
    cr_assert(eq(u32, loads[1], 2));
}

static uint64_t hashed_next(cf_msg_t *at_hasher)
{
    tell(at_hasher->to, CF_MSG_HASHED, at_hasher->corr, &(cf_hashed_t){cf_str("$argon2id$hash")});
    sent(CF_MSG_CREATE_USER, CF_ACTOR_STORAGE, NULL);
    *at_hasher = sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    return at_hasher->corr; /* operations are numbered as they come, from 1 */
}

Test(accounts, gives_each_address_its_turn_at_the_hashers)
{
    cf_register_t asked = registration();
    cf_msg_t at_hasher;
    for (uint64_t corr = 1; corr <= 6; corr++) {
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        if (corr <= AT_HASHERS)
            at_hasher = sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    }
    asked.address.bytes[0] = 1;
    tell(gateway, CF_MSG_REGISTER, 7, &asked);
    asked.address.bytes[0] = 2;
    tell(gateway, CF_MSG_REGISTER, 8, &asked);
    sent_nothing();
    static const uint64_t order[] = {5, 7, 8, 6};
    for (size_t i = 0; i < 4; i++)
        cr_assert(eq(u64, hashed_next(&at_hasher), order[i]));
}

Test(accounts, forgets_whoever_waited_too_long_for_a_hasher)
{
    cf_register_t asked = registration();
    cf_msg_t at_hasher;
    for (uint64_t corr = 1; corr <= AT_HASHERS; corr++) {
        tell(gateway, CF_MSG_REGISTER, corr, &asked);
        at_hasher = sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL);
    }
    tell(gateway, CF_MSG_REGISTER, 5, &asked);
    pass(SECOND_US);
    tell(gateway, CF_MSG_REGISTER, 6, &asked);
    pass(config.hash_us - SECOND_US); /* all but the last; it goes to a hasher then */
    for (uint64_t corr = 1; corr <= 5; corr++)
        cr_assert(eq(int, refused(corr), CF_ETIME));
    cr_assert(eq(u64, sent(CF_MSG_HASH, CF_ACTOR_HASHER, NULL).corr, 6));
    tell(at_hasher.to, CF_MSG_HASHED, at_hasher.corr, &(cf_hashed_t){cf_str("$argon2id$hash")});
    sent_nothing();
}

/* --- AUTHENTICATE ------------------------------------------------------------------------------
 */

Test(accounts, takes_as_many_lookups_as_it_has_room_for)
{
    cf_msg_t msg = {0};
    for (uint64_t corr = 1; corr <= CF_ACCOUNTS_LOOKUPS_MAX; corr++) {
        send_token(CF_MSG_AUTHENTICATE, corr, STRANGE_TOKEN);
        msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    }
    send_token(CF_MSG_AUTHENTICATE, 99999, STRANGE_TOKEN);
    cr_assert(eq(int, refused(99999), CF_EFULL));
    send_token(CF_MSG_LOGOUT, 99999, STRANGE_TOKEN);
    cr_assert(eq(int, refused(99999), CF_EFULL));
    refuse(&msg, CF_ENOENT);
    cr_assert(eq(int, refused(CF_ACCOUNTS_LOOKUPS_MAX), CF_EAUTH));
    send_token(CF_MSG_AUTHENTICATE, 99999, STRANGE_TOKEN);
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
}

Test(accounts, knows_a_session_it_made_without_asking)
{
    cf_session_msg_t session;
    send_token(CF_MSG_AUTHENTICATE, 2, log_in(1));
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, &session);
    cr_assert(cf_id_equal(session.user, ann_id));
    cr_assert(cf_str_equal(session.username, cf_str("ann")));
}

Test(accounts, asks_a_reader_for_a_token_it_does_not_know_and_remembers_it)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    cf_find_session_t find;
    cf_session_msg_t session;
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, &find);
    cr_assert(eq(int, memcmp(find.token_hash, row.session.token_hash, CF_TOKEN_HASH_SIZE), 0));
    tell(msg.to, CF_MSG_SESSION_ROW, msg.corr, &row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, &session);
    cr_assert(cf_id_equal(session.session, row.session.id));
    send_token(CF_MSG_AUTHENTICATE, 2, STRANGE_TOKEN);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
}

Test(accounts, refuses_an_unknown_token_and_asks_again_the_next_time)
{
    for (uint64_t corr = 1; corr <= 2; corr++) {
        send_token(CF_MSG_AUTHENTICATE, corr, STRANGE_TOKEN);
        cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
        refuse(&msg, CF_ENOENT);
        cr_assert(eq(int, refused(corr), CF_EAUTH));
    }
}

Test(accounts, does_not_take_an_outage_for_an_unknown_token)
{
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&msg, CF_EIO);
    cr_assert(eq(int, refused(1), CF_EIO));
}

Test(accounts, asks_about_a_token_of_any_length)
{
    char longest[CF_TOKEN_MAX + 1];
    memset(longest, 't', CF_TOKEN_MAX);
    longest[CF_TOKEN_MAX] = '\0';
    send_token(CF_MSG_AUTHENTICATE, 1, "imported");
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    send_token(CF_MSG_AUTHENTICATE, 2, longest);
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
}

Test(accounts, a_session_ends_at_its_time_remembered_or_not)
{
    char *token = log_in(1);
    now_us += TTL_US - 1;
    send_token(CF_MSG_AUTHENTICATE, 2, token);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
    now_us += 1;
    send_token(CF_MSG_AUTHENTICATE, 3, token);
    cr_assert(eq(int, refused(3), CF_EAUTH));

    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us);
    send_token(CF_MSG_AUTHENTICATE, 4, STRANGE_TOKEN);
    cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_SESSION_ROW, msg.corr, &row);
    cr_assert(eq(int, refused(4), CF_EAUTH));
}

/* --- LOGOUT ------------------------------------------------------------------------------------
 */

Test(accounts, ends_a_session_for_good_and_tells_every_gateway)
{
    char *token = log_in(1);
    cf_session_ended_t ended;
    cf_remove_session_t remove;
    send_token(CF_MSG_LOGOUT, 2, token);
    cf_msg_t msg = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, &remove);
    send_token(CF_MSG_AUTHENTICATE, 3, token); /* from here on, durable or not */
    cr_assert(eq(int, refused(3), CF_EAUTH));
    done(&msg);
    for (uint16_t i = 0; i < config.gateways; i++)
        cr_assert(eq(u32, sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, &ended).to.index, i));
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
    send_token(CF_MSG_AUTHENTICATE, 4, token);
    cr_assert(eq(int, refused(4), CF_EAUTH));
}

Test(accounts, finds_the_session_to_end_when_it_is_not_remembered)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    cf_session_ended_t ended;
    send_token(CF_MSG_LOGOUT, 1, STRANGE_TOKEN);
    cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_SESSION_ROW, msg.corr, &row);
    msg = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    done(&msg);
    sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, &ended);
    cr_assert(cf_id_equal(ended.session, row.session.id));
}

Test(accounts, a_logout_that_was_not_stored_leaves_the_session_good_and_may_be_repeated)
{
    char *token = log_in(1);
    send_token(CF_MSG_LOGOUT, 2, token);
    cf_msg_t msg = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    refuse(&msg, CF_EIO);
    for (uint16_t i = 0; i < config.gateways; i++)
        sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY,
             NULL); /* it may have been stored all the same */
    cr_assert(eq(int, refused(2), CF_EIO));
    send_token(CF_MSG_LOGOUT, 3, token);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    cf_session_row_t row = row_of(token, WALL0 + now_us + TTL_US);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    msg = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    done(&msg);
    for (uint16_t i = 0; i < config.gateways; i++)
        sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, NULL);
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
}

static void every_gateway_heard_of_the_end(void)
{
    for (uint16_t i = 0; i < config.gateways; i++)
        sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, NULL);
}

/* ann's token, whose removal storage has not answered in time. */
static char *log_out_in_vain(cf_session_row_t *row, cf_msg_t *remove)
{
    char *token = log_in(1);
    *row = row_of(token, WALL0 + now_us + TTL_US);
    send_token(CF_MSG_LOGOUT, 2, token);
    *remove = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    pass(config.answer_us);
    every_gateway_heard_of_the_end();
    cr_assert(eq(int, refused(2), CF_ETIME));
    return token;
}

Test(accounts, a_logout_that_is_done_late_ends_who_has_come_back_meanwhile)
{
    cf_session_row_t row;
    cf_msg_t remove;
    char *token = log_out_in_vain(&row, &remove);
    send_token(CF_MSG_AUTHENTICATE, 3, token); /* the store has it still */
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
    done(&remove);
    every_gateway_heard_of_the_end();
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
    send_token(CF_MSG_AUTHENTICATE, 4, token); /* is not remembered */
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
}

Test(accounts, what_a_reader_saw_of_a_session_before_its_late_end_is_asked_again)
{
    cf_session_row_t row;
    cf_msg_t remove;
    char *token = log_out_in_vain(&row, &remove);
    send_token(CF_MSG_AUTHENTICATE, 3, token);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    done(&remove);
    every_gateway_heard_of_the_end();
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&find, CF_ENOENT);
    cr_assert(eq(int, refused(3), CF_EAUTH));
}

Test(accounts, a_logout_of_nobody_is_done)
{
    send_token(CF_MSG_LOGOUT, 1, STRANGE_TOKEN);
    cf_msg_t msg = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&msg, CF_ENOENT);
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
}

Test(accounts, an_answer_from_before_the_logout_brings_no_session_back)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t early = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    send_token(CF_MSG_LOGOUT, 2, STRANGE_TOKEN);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    cf_msg_t remove = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    done(&remove);
    for (int i = 0; i < config.gateways; i++)
        sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, NULL);
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
    tell(early.to, CF_MSG_SESSION_ROW, early.corr, &row);
    cr_assert(eq(int, refused(1), CF_EAUTH));
    pass(20 * SECOND_US + 1); /* no answer from before can come any more */
    send_token(CF_MSG_AUTHENTICATE, 3, STRANGE_TOKEN);
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
}

/* --- DISABLE, ENABLE ---------------------------------------------------------------------------
 */

static const cf_address_t operator= {NODE, CF_ACTOR_SUPERVISOR, 0}; /* whoever it is */

/* Up to the write, which is left to the test. */
static cf_msg_t ask_to(uint16_t type, uint64_t corr, uint16_t write, void *body)
{
    cf_user_t user = ann();
    cf_find_user_t find;
    tell(operator, type, corr, &(cf_username_t){cf_str("ann")});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, &find);
    cr_assert(eq(u32, find.by, CF_USER_BY_NAME));
    cr_assert(cf_str_equal(find.name, cf_str("ann")));
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    return sent(write, CF_ACTOR_STORAGE, body);
}

static void every_gateway_heard_of_anns_end(void)
{
    cf_user_ended_t ended;
    for (uint16_t i = 0; i < config.gateways; i++) {
        cr_assert(eq(u32, sent(CF_MSG_USER_ENDED, CF_ACTOR_GATEWAY, &ended).to.index, i));
        cr_assert(cf_id_equal(ended.user, ann_id));
    }
}

static void disable_ann(uint64_t corr)
{
    cf_msg_t write = ask_to(CF_MSG_DISABLE, corr, CF_MSG_DISABLE_USER, NULL);
    done(&write);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(u64, sent(CF_MSG_DONE, operator.kind, NULL).corr, corr));
}

static void is_looked_up(uint64_t corr, const char *token)
{
    send_token(CF_MSG_AUTHENTICATE, corr, token);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&find, CF_ENOENT);
    cr_assert(eq(int, refused(corr), CF_EAUTH));
}

Test(accounts, disabling_a_user_ends_every_session_and_tells_every_gateway_behind_the_write)
{
    char *first = strdup(log_in(1)), *second = log_in(2);
    cf_disable_user_t disable;
    cf_msg_t write = ask_to(CF_MSG_DISABLE, 3, CF_MSG_DISABLE_USER, &disable);
    cr_assert(cf_id_equal(disable.user, ann_id));
    cr_assert(eq(i64, disable.at_us, WALL0 + now_us));
    sent_nothing();
    done(&write);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(u64, sent(CF_MSG_DONE, operator.kind, NULL).corr, 3));
    is_looked_up(4, first); /* the store has neither */
    is_looked_up(5, second);
    cr_assert(eq(i64, pass(0), INT64_MAX)); /* nothing is left in flight */
    free(first);
}

Test(accounts, disabling_leaves_the_sessions_of_others_in_mind)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    row.session.user = row.user.id = (cf_id_t){{8}};
    row.user.username = cf_str("bob");
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
    disable_ann(2);
    send_token(CF_MSG_AUTHENTICATE, 3, STRANGE_TOKEN);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
}

Test(accounts, a_session_that_was_looked_up_before_is_looked_up_again)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t early = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    disable_ann(2);
    tell(early.to, CF_MSG_SESSION_ROW, early.corr, &row); /* as it was before */
    cf_msg_t again = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&again, CF_ENOENT);
    cr_assert(eq(int, refused(1), CF_EAUTH));

    send_token(CF_MSG_AUTHENTICATE, 3, STRANGE_TOKEN); /* somebody else's is found again */
    early = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    disable_ann(4);
    tell(early.to, CF_MSG_SESSION_ROW, early.corr, &row);
    again = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(again.to, CF_MSG_SESSION_ROW, again.corr, &row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
}

Test(accounts, a_login_under_way_while_the_user_is_disabled_is_a_wrong_password)
{
    cf_user_t user = ann();
    uint64_t failed = cf_metric_slots[CF_M_LOGINS_FAILED];
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t find = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_USER, find.corr, &user);
    cf_msg_t verify = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    disable_ann(2);
    tell(verify.to, CF_MSG_VERIFIED, verify.corr, &(cf_verified_t){true, {0}});
    cf_msg_t add = sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, NULL);
    refuse(&add, CF_EPERM);
    cr_assert(eq(int, refused(1), CF_EAUTH));
    cr_assert(eq(u64, cf_metric_slots[CF_M_LOGINS_FAILED], failed + 1));
    sent_nothing();
}

Test(accounts, a_login_that_was_stored_just_before_ends_with_the_others)
{
    cf_msg_t write = ask_to(CF_MSG_DISABLE, 1, CF_MSG_DISABLE_USER, NULL);
    char *token = log_in(2); /* storage answers in the order in which it wrote */
    done(&write);
    every_gateway_heard_of_anns_end();
    sent(CF_MSG_DONE, operator.kind, NULL);
    is_looked_up(3, token);
}

Test(accounts, works_as_long_for_a_disabled_user)
{
    cf_user_t user = ann();
    cf_verify_t verify;
    user.password_hash = cf_str(""); /* as the store delivers it */
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t msg = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(msg.to, CF_MSG_USER, msg.corr, &user);
    msg = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, &verify);
    cr_assert(eq(u32, verify.password_hash.size, 0));
    tell(msg.to, CF_MSG_VERIFIED, msg.corr, &(cf_verified_t){false, {0}});
    cr_assert(eq(int, refused(1), CF_EAUTH));
}

Test(accounts, enabling_a_user_is_done_when_it_is_written)
{
    cf_enable_user_t enable;
    cf_msg_t write = ask_to(CF_MSG_ENABLE, 1, CF_MSG_ENABLE_USER, &enable);
    cr_assert(cf_id_equal(enable.user, ann_id));
    sent_nothing();
    done(&write);
    cr_assert(eq(u64, sent(CF_MSG_DONE, operator.kind, NULL).corr, 1));
    sent_nothing();
    log_in(2);
}

/* --- other nodes -------------------------------------------------------------------------------
 */

static const cf_address_t elsewhere = {2, CF_ACTOR_ACCOUNTS, 0}, mesh = {NODE, CF_ACTOR_MESH, 0},
                          nodes = {NODE, CF_ACTOR_NODES, 0};

static void node_here(uint32_t node)
{
    cf_node_here_t here = {node,
                           cf_str("two"),
                           cf_str("tcp://10.0.0.2:7000"),
                           cf_str("0123456789012345678901234567890123456789"),
                           CF_ROLES_ALL,
                           true};
    tell(mesh, CF_MSG_NODE_HERE, 0, &here);
}

static cf_session_ended_t end_of(const cf_session_row_t *row)
{
    cf_session_ended_t ended = {.session = row->session.id};
    memcpy(ended.token_hash, row->session.token_hash, sizeof ended.token_hash);
    return ended;
}

static void is_remembered(uint64_t corr, const cf_session_row_t *row)
{
    send_token(CF_MSG_AUTHENTICATE, corr, STRANGE_TOKEN);
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
}

Test(accounts, tells_the_other_nodes_what_has_ended_once_it_is_durable)
{
    char *token = log_in(1);
    cf_session_row_t row = row_of(token, 0);
    cf_session_ended_t ended;
    cf_user_ended_t user;
    node_here(elsewhere.node);
    node_here(elsewhere.node); /* the mesh may say so twice */
    send_token(CF_MSG_LOGOUT, 2, token);
    cf_msg_t write = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    sent_nothing();
    done(&write);
    every_gateway_heard_of_the_end();
    cr_assert(eq(u32, sent(CF_MSG_SESSION_ENDED, CF_ACTOR_ACCOUNTS, &ended).to.node, 2));
    cr_assert(eq(int, memcmp(ended.token_hash, row.session.token_hash, CF_TOKEN_HASH_SIZE), 0));
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);

    cf_disable_user_t disable;
    write = ask_to(CF_MSG_DISABLE, 3, CF_MSG_DISABLE_USER, &disable);
    done(&write);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(u32, sent(CF_MSG_USER_ENDED, CF_ACTOR_ACCOUNTS, &user).to.node, 2));
    cr_assert(cf_id_equal(user.user, ann_id));
    cr_assert(eq(i64, user.asked_us, disable.at_us));
    sent(CF_MSG_DONE, operator.kind, NULL);

    tell(mesh, CF_MSG_NODE_GONE, 0, &(cf_node_gone_t){elsewhere.node});
    disable_ann(4);
    sent_nothing();
}

Test(accounts, what_was_not_confirmed_is_not_told_to_other_nodes)
{
    char *token = log_in(1);
    node_here(elsewhere.node);
    send_token(CF_MSG_LOGOUT, 2, token);
    cf_msg_t write = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    refuse(&write, CF_EIO);
    every_gateway_heard_of_the_end();
    cr_assert(eq(int, refused(2), CF_EIO)); /* if it was done, nodes reads it */
    sent_nothing();
}

Test(accounts, a_session_that_another_node_ended_is_forgotten_and_told_to_every_gateway)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    cf_session_ended_t end = end_of(&row);
    is_remembered(1, &row);
    tell(elsewhere, CF_MSG_SESSION_ENDED, 0, &end);
    every_gateway_heard_of_the_end();
    is_looked_up(2, STRANGE_TOKEN);
    tell(nodes, CF_MSG_SESSION_ENDED, 0, &end); /* reads the same in the store */
    sent_nothing();
}

Test(accounts, a_session_that_a_reader_saw_before_another_node_ended_it_is_looked_up_again)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    cf_session_ended_t end = end_of(&row);
    send_token(CF_MSG_AUTHENTICATE, 1, STRANGE_TOKEN);
    cf_msg_t early = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(nodes, CF_MSG_SESSION_ENDED, 0, &end);
    every_gateway_heard_of_the_end();
    tell(early.to, CF_MSG_SESSION_ROW, early.corr, &row);
    cf_msg_t again = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    refuse(&again, CF_ENOENT);
    cr_assert(eq(int, refused(1), CF_EAUTH));
}

Test(accounts, what_ended_here_is_not_told_again_when_it_is_read_in_the_store)
{
    char *token = log_in(1);
    cf_session_row_t row = row_of(token, 0);
    cf_session_ended_t ended;
    cf_disable_user_t disable;
    send_token(CF_MSG_LOGOUT, 2, token);
    cf_msg_t write = sent(CF_MSG_REMOVE_SESSION, CF_ACTOR_STORAGE, NULL);
    done(&write);
    sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, &ended);
    sent(CF_MSG_SESSION_ENDED, CF_ACTOR_GATEWAY, NULL);
    sent(CF_MSG_DONE, CF_ACTOR_GATEWAY, NULL);
    memcpy(ended.token_hash, row.session.token_hash, sizeof ended.token_hash);
    tell(nodes, CF_MSG_SESSION_ENDED, 0, &ended);
    write = ask_to(CF_MSG_DISABLE, 3, CF_MSG_DISABLE_USER, &disable);
    done(&write);
    every_gateway_heard_of_anns_end();
    sent(CF_MSG_DONE, operator.kind, NULL);
    tell(nodes, CF_MSG_USER_ENDED, 0, &(cf_user_ended_t){ann_id, disable.at_us});
    sent_nothing();
}

Test(accounts, a_user_who_was_disabled_at_another_node_has_no_session_here)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    is_remembered(1, &row);
    tell(elsewhere, CF_MSG_USER_ENDED, 0, &(cf_user_ended_t){ann_id, 5});
    every_gateway_heard_of_anns_end();
    is_looked_up(2, STRANGE_TOKEN);
    tell(nodes, CF_MSG_USER_ENDED, 0, &(cf_user_ended_t){ann_id, 5});
    sent_nothing();
    tell(nodes, CF_MSG_USER_ENDED, 0, &(cf_user_ended_t){ann_id, 6}); /* enabled in between */
    every_gateway_heard_of_anns_end();
}

/* Storage of this node answers its own writes in order, but not those of others. */
Test(accounts, a_login_that_was_stored_before_another_node_removed_it_is_a_wrong_password)
{
    cf_user_t user = ann();
    tell(gateway, CF_MSG_LOGIN, 1, &(cf_login_t){cf_str("ann"), cf_str("password123"), HERE});
    cf_msg_t find = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_USER, find.corr, &user);
    cf_msg_t verify = sent(CF_MSG_VERIFY, CF_ACTOR_HASHER, NULL);
    tell(verify.to, CF_MSG_VERIFIED, verify.corr, &(cf_verified_t){true, {0}});
    cf_msg_t add = sent(CF_MSG_ADD_SESSION, CF_ACTOR_STORAGE, NULL);
    tell(elsewhere, CF_MSG_USER_ENDED, 0, &(cf_user_ended_t){ann_id, 5});
    every_gateway_heard_of_anns_end();
    done(&add);
    cr_assert(eq(int, refused(1), CF_EAUTH));
    log_in(2); /* enabled again */
}

Test(accounts, keeps_in_mind_the_last_256_ends)
{
    cf_session_ended_t end = {.session = {{1}}};
    tell(nodes, CF_MSG_SESSION_ENDED, 0, &end);
    every_gateway_heard_of_the_end();
    for (int i = 1; i <= 256; i++) {
        tell(nodes, CF_MSG_SESSION_ENDED, 0, &end); /* is known */
        sent_nothing();
        cf_session_ended_t other = {.session = {{2, (uint8_t)i, (uint8_t)(i >> 8)}}};
        tell(nodes, CF_MSG_SESSION_ENDED, 0, &other);
        every_gateway_heard_of_the_end();
    }
    tell(nodes, CF_MSG_SESSION_ENDED, 0, &end); /* and told once more now, which harms nobody */
    every_gateway_heard_of_the_end();
}

static int told_the_operator(uint64_t corr)
{
    cf_refused_t body;
    cr_assert(eq(u64, sent(CF_MSG_REFUSED, operator.kind, &body).corr, corr));
    return -(int)body.reason;
}

Test(accounts, says_that_nobody_has_the_name_to_disable)
{
    static const uint16_t types[] = {CF_MSG_DISABLE, CF_MSG_ENABLE};
    for (uint64_t i = 0; i < 2; i++) {
        tell(operator, types[i], i + 1, &(cf_username_t){cf_str("nobody")});
        cf_msg_t find = sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
        refuse(&find, CF_ENOENT);
        cr_assert(eq(int, told_the_operator(i + 1), CF_ENOENT));
    }
    sent_nothing();
}

Test(accounts, a_disabling_whose_answer_was_lost_ends_the_sessions_all_the_same)
{
    char *token = log_in(1);
    cf_msg_t write = ask_to(CF_MSG_DISABLE, 2, CF_MSG_DISABLE_USER, NULL);
    refuse(&write, CF_EIO);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(int, told_the_operator(2), CF_EIO));
    is_looked_up(3, token); /* the store knows */
    ask_to(CF_MSG_DISABLE, 4, CF_MSG_DISABLE_USER, NULL);
    pass(config.answer_us);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(int, told_the_operator(4), CF_ETIME));
    disable_ann(5); /* may be repeated */
}

Test(accounts, a_disabling_that_is_done_late_ends_what_has_come_back_meanwhile)
{
    cf_session_row_t row = row_of(STRANGE_TOKEN, WALL0 + now_us + TTL_US);
    cf_msg_t write = ask_to(CF_MSG_DISABLE, 1, CF_MSG_DISABLE_USER, NULL);
    pass(config.answer_us);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(int, told_the_operator(1), CF_ETIME));
    send_token(CF_MSG_AUTHENTICATE, 2, STRANGE_TOKEN); /* the store has it still */
    cf_msg_t find = sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    tell(find.to, CF_MSG_SESSION_ROW, find.corr, &row);
    sent(CF_MSG_SESSION, CF_ACTOR_GATEWAY, NULL);
    done(&write);
    every_gateway_heard_of_anns_end();
    sent(CF_MSG_DONE, operator.kind, NULL);
    is_looked_up(3, STRANGE_TOKEN);
    cr_assert(eq(i64, pass(0), INT64_MAX));
}

Test(accounts, a_disabling_that_is_late_holds_up_no_other_and_may_fail)
{
    cf_msg_t write = ask_to(CF_MSG_DISABLE, 1, CF_MSG_DISABLE_USER, NULL);
    pass(config.answer_us);
    every_gateway_heard_of_anns_end();
    cr_assert(eq(int, told_the_operator(1), CF_ETIME));
    send_token(CF_MSG_AUTHENTICATE, 2, STRANGE_TOKEN);
    sent(CF_MSG_FIND_SESSION, CF_ACTOR_READER, NULL);
    pass(config.answer_us);
    cr_assert(eq(int, refused(2), CF_ETIME));
    refuse(&write, CF_EIO);
    sent_nothing();
    disable_ann(3);
}

Test(accounts, bounds_what_operators_ask_with_the_other_lookups)
{
    for (uint64_t corr = 1; corr <= CF_ACCOUNTS_LOOKUPS_MAX; corr++) {
        tell(operator, CF_MSG_DISABLE, corr, &(cf_username_t){cf_str("ann")});
        sent(CF_MSG_FIND_USER, CF_ACTOR_READER, NULL);
    }
    tell(operator, CF_MSG_DISABLE, CF_ACCOUNTS_LOOKUPS_MAX + 1, &(cf_username_t){cf_str("ann")});
    cr_assert(eq(int, told_the_operator(CF_ACCOUNTS_LOOKUPS_MAX + 1), CF_EFULL));
}

/* --- the cache ---------------------------------------------------------------------------------
 */

static void remember(cf_session_cache_t *cache, uint8_t n)
{
    cf_user_t user = ann();
    cf_session_cache_add(cache, &(cf_session_t){.id = {{n}}, .token_hash = {n}}, &user);
}

static bool knows(cf_session_cache_t *cache, uint8_t n)
{
    uint8_t hash[CF_TOKEN_HASH_SIZE] = {n};
    return cf_session_cache_find(cache, hash) != NULL;
}

Test(session_cache, forgets_the_one_not_asked_for_longest)
{
    cf_session_cache_t cache = {.max = 3};
    for (uint8_t n = 1; n <= 3; n++)
        remember(&cache, n);
    cr_assert(knows(&cache, 1));
    remember(&cache, 4);
    cr_assert(eq(u32, cf_session_cache_count(&cache), 3));
    cr_assert(eq(int, knows(&cache, 2), false));
    cr_assert(knows(&cache, 1) && knows(&cache, 3) && knows(&cache, 4));
    cf_session_cache_free(&cache);
}

Test(session_cache, remembers_nothing_when_it_may_not)
{
    cf_session_cache_t cache = {.max = 0};
    remember(&cache, 1);
    cr_assert(eq(u32, cf_session_cache_count(&cache), 0));
    cf_session_cache_free(&cache);
}

Test(session_cache, bounds_the_ended_ones)
{
    cf_session_cache_t cache = {.max = 1};
    uint8_t hash[CF_TOKEN_HASH_SIZE] = {0};
    for (uint32_t i = 0; i < CF_ENDED_MAX; i++) {
        memcpy(hash, &i, sizeof i);
        cr_assert(eq(int, cf_session_cache_end(&cache, hash, 10), 0));
    }
    hash[8] = 1;
    cr_assert(eq(int, cf_session_cache_end(&cache, hash, 10), CF_EFULL));
    cf_session_cache_expire(&cache, 10);
    cr_assert(eq(int, cf_session_cache_end(&cache, hash, 20), 0));
    cr_assert(cf_session_cache_is_ended(&cache, hash, 19));
    cr_assert(eq(int, cf_session_cache_is_ended(&cache, hash, 20), false));
    cf_session_cache_free(&cache);
}

/* --- real threads ------------------------------------------------------------------------------
 */

static void start_store(void)
{
    static const char url[] = "memory:accounts";
    cf_actor_t *storage = actor_at(CF_ACTOR_STORAGE, 0), *reader = actor_at(CF_ACTOR_READER, 0);
    cf_storage_t *writes;
    cf_reader_t *reads;
    cf_store_link_config_t link = {
        .actor = storage, .url = url, .statement_ms = 4000, .key_ttl_us = 600 * SECOND_US};
    cr_assert(eq(int, cf_storage_new(&writes, &(cf_storage_config_t){link, 500, 1u << 20}), 0));
    link.actor = reader;
    cr_assert(eq(int, cf_reader_new(&reads, &(cf_reader_config_t){link}), 0));
    peer_at(CF_ACTOR_STATS, 0);
    actor_run(storage, &cf_storage_ops, writes);
    actor_run(reader, &cf_reader_ops, reads);
}

static void start_threads(void)
{
    cf_actor_t *hasher = actor_at(CF_ACTOR_HASHER, 0), *actor = actor_at(CF_ACTOR_ACCOUNTS, 0);
    cf_hasher_t *hashes;
    cf_accounts_t *state;
    cf_accounts_config_t real = config;
    real.gateways = real.readers = real.hashers = 1;
    real.rate = 60;
    real.sessions = 100;
    real.passwords = NULL;
    peer_at(CF_ACTOR_GATEWAY, 0);
    start_store();
    cr_assert(eq(int, cf_hasher_new(&hashes, &(cf_hasher_config_t){hasher, 1, 64}), 0));
    cr_assert(eq(int, cf_accounts_new(&state, &real), 0));
    actor_run(hasher, &cf_hasher_ops, hashes);
    actor_run(actor, &cf_accounts_ops, state);
}

#define ASK(type, corr, body) peer_send(client, CF_ACTOR_ACCOUNTS, type, corr, no_room, body)

TestSuite(threads, .init = start_threads, .fini = actors_stop, .timeout = 60);

Test(threads, register_log_in_be_known_log_out)
{
    peer_t *client = peer_at(CF_ACTOR_GATEWAY, 0);
    cf_register_t asked = registration();
    cf_logged_in_t login;
    cf_session_msg_t session;
    cf_session_ended_t ended;
    char token[CF_TOKEN_MAX];
    const cf_id_t no_room = {0};
    ASK(CF_MSG_REGISTER, 1, &asked);
    cr_assert(peer_await(client, CF_MSG_REGISTERED, 1, NULL));
    ASK(CF_MSG_REGISTER, 2, &asked);
    cr_assert(eq(int, peer_await_refusal(client, 2), CF_EEXIST));
    ASK(CF_MSG_LOGIN, 3, (&(cf_login_t){cf_str("ann"), cf_str("wrong password"), HERE}));
    cr_assert(eq(int, peer_await_refusal(client, 3), CF_EAUTH));
    ASK(CF_MSG_LOGIN, 4, (&(cf_login_t){cf_str("nobody"), cf_str("password123"), HERE}));
    cr_assert(eq(int, peer_await_refusal(client, 4), CF_EAUTH));
    ASK(CF_MSG_LOGIN, 5, (&(cf_login_t){cf_str("ann"), cf_str("password123"), HERE}));
    cr_assert(peer_await(client, CF_MSG_LOGGED_IN, 5, &login));
    cf_str_t own = {token, login.token.size};
    cf_id_t id = login.session;
    memcpy(token, login.token.bytes, login.token.size);
    ASK(CF_MSG_AUTHENTICATE, 6, &(cf_token_t){own});
    cr_assert(peer_await(client, CF_MSG_SESSION, 6, &session));
    cr_assert(cf_id_equal(session.session, id));
    ASK(CF_MSG_LOGOUT, 7, &(cf_token_t){own});
    cr_assert(peer_await(client, CF_MSG_SESSION_ENDED, 0, &ended));
    cr_assert(cf_id_equal(ended.session, id));
    cr_assert(peer_await(client, CF_MSG_DONE, 7, NULL));
    ASK(CF_MSG_AUTHENTICATE, 8, &(cf_token_t){own});
    cr_assert(eq(int, peer_await_refusal(client, 8), CF_EAUTH));
}

Test(threads, a_disabled_user_is_out_until_enabled_again)
{
    peer_t *client = peer_at(CF_ACTOR_GATEWAY, 0);
    cf_register_t asked = registration();
    cf_login_t login = {cf_str("ann"), cf_str("password123"), HERE};
    cf_logged_in_t answer;
    cf_user_ended_t ended;
    char token[CF_TOKEN_MAX];
    const cf_id_t no_room = {0};
    ASK(CF_MSG_REGISTER, 1, &asked);
    cr_assert(peer_await(client, CF_MSG_REGISTERED, 1, NULL));
    ASK(CF_MSG_LOGIN, 2, &login);
    cr_assert(peer_await(client, CF_MSG_LOGGED_IN, 2, &answer));
    cf_str_t own = {token, answer.token.size};
    cf_id_t id = answer.user;
    memcpy(token, answer.token.bytes, answer.token.size);
    ASK(CF_MSG_DISABLE, 3, &(cf_username_t){cf_str("ann")});
    cr_assert(peer_await(client, CF_MSG_USER_ENDED, 0, &ended));
    cr_assert(cf_id_equal(ended.user, id));
    cr_assert(peer_await(client, CF_MSG_DONE, 3, NULL));
    ASK(CF_MSG_AUTHENTICATE, 4, &(cf_token_t){own});
    cr_assert(eq(int, peer_await_refusal(client, 4), CF_EAUTH));
    ASK(CF_MSG_LOGIN, 5, &login);
    cr_assert(eq(int, peer_await_refusal(client, 5), CF_EAUTH));
    ASK(CF_MSG_ENABLE, 6, &(cf_username_t){cf_str("ann")});
    cr_assert(peer_await(client, CF_MSG_DONE, 6, NULL));
    ASK(CF_MSG_AUTHENTICATE, 7, &(cf_token_t){own}); /* the old one stays over */
    cr_assert(eq(int, peer_await_refusal(client, 7), CF_EAUTH));
    ASK(CF_MSG_LOGIN, 8, &login);
    cr_assert(peer_await(client, CF_MSG_LOGGED_IN, 8, NULL));
    ASK(CF_MSG_DISABLE, 9, &(cf_username_t){cf_str(CF_BOT_USERNAME)});
    cr_assert(eq(int, peer_await_refusal(client, 9), CF_EPERM));
}
