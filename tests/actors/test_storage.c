/* storage as a real thread: the test is the rooms, accounts, sweeper and stats around it. */
#include "storage.h"

#include "clock.h"
#include "crash_point.h"
#include "metrics.h"
#include "peer.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/observe.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000000) /* microseconds */
#define NOBODY ((cf_activate_t){0})  /* has let a room go that is activated here */

typedef struct {
    char before[16], behind[16]; /* of the URL, around the folder */
} store_param_t;

static char folder[64], script[96], url[256];
static cf_actor_t *actor;
static peer_t *room_thread, *accounts;

static cf_id_t id_of(uint8_t kind, uint32_t n)
{
    cf_id_t id = {{kind, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    id.bytes[15] = 1;
    return id;
}
#define USER id_of(1, 1)
#define ROOM(n) id_of(2, n)

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/confab-test-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(script, sizeof script, "%s/faults", folder);
}

/* Takes effect with the store's next call. */
static void set_faults(const char *lines)
{
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s.new", script);
    FILE *file = fopen(fresh, "w");
    cr_assert(file != NULL);
    fputs(lines, file);
    fclose(file);
    cr_assert(rename(fresh, script) == 0);
}

static uint32_t batch_rows = 500, batch_bytes = 1u << 20;
static int statement_ms = 500;

/* On the store whose URL is before, the test's folder, behind. */
static void start(const char *before, const char *behind)
{
    if (!folder[0])
        make_folder();
    snprintf(url, sizeof url, "%s%s%s", before, folder, behind);
    actor = actor_at(CF_ACTOR_STORAGE, 0);
    room_thread = peer_at(CF_ACTOR_ROOMS, 0);
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    peer_at(CF_ACTOR_STATS, 0);
    cf_storage_config_t config = {
        .link = {.actor = actor,
                 .url = url,
                 .statement_ms = statement_ms,
                 .key_ttl_us = INT64_C(600000000)},
        .batch_rows = batch_rows,
        .batch_bytes = batch_bytes,
    };
    cf_storage_t *state;
    cr_assert(eq(int, cf_storage_new(&state, &config), 0));
    actor_run(actor, &cf_storage_ops, state);
}

/* On a memory store that meets the faults of set_faults(). */
static void start_faulty(void)
{
    start("faulty:", "/faults:memory:storage");
}

static void stop(void)
{
    char command[128];
    actors_stop();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (folder[0])
        cr_expect(system(command) == 0);
}

/* --- what the actors around it say -------------------------------------------------------------
 */

/* 0 for DONE, the reason of a refusal, 1 for no answer. */
static int record(uint64_t corr, uint16_t type, cf_id_t room, const void *body)
{
    cf_msg_t msg;
    cf_refused_t refused;
    peer_send(accounts, CF_ACTOR_STORAGE, type, corr, room, body);
    while (peer_next(accounts, &msg)) {
        if (msg.corr == corr && msg.type == CF_MSG_DONE)
            return 0;
        if (msg.corr == corr && cf_msg_body(&refused, &msg, &accounts->arena) == 0)
            return -(int)refused.reason;
    }
    return 1;
}

static int create_user(uint64_t corr, uint32_t n, const char *name)
{
    char email[64];
    snprintf(email, sizeof email, "%s@test.com", name);
    cf_create_user_t user = {id_of(1, n), cf_str(name), cf_str(email), cf_str("$h"), T0};
    return record(corr, CF_MSG_CREATE_USER, (cf_id_t){0}, &user);
}

static int create_room(uint64_t corr, uint32_t n)
{
    cf_create_room_t room = {ROOM(n), cf_str("a room"), USER, T0, false};
    return record(corr, CF_MSG_CREATE_ROOM, (cf_id_t){0}, &room);
}

/* The epoch that room n gets; 0: none. */
static uint64_t activate(uint64_t corr, uint32_t n)
{
    cf_activated_t activated;
    peer_send(room_thread, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, corr, ROOM(n), &NOBODY);
    return peer_await(room_thread, CF_MSG_ACTIVATED, corr, &activated) ? activated.epoch : 0;
}

/* An active room with a member. */
static void make_room(uint32_t n)
{
    if (n == 1)
        cr_assert(eq(int, create_user(9001, 1, "ann"), 0));
    cr_assert(eq(int, create_room(9100 + n, n), 0));
    cr_assert(eq(u64, activate(9500 + n, n), 1));
}

#define ROWS_MAX 3
/* Rows prev+1 .. prev+n, not sent yet. */
static void fill_rows(cf_post_t *rows, uint64_t corr, uint64_t prev, uint32_t n,
                      const char *client_key)
{
    for (uint32_t i = 0; i < n; i++)
        rows[i] = (cf_post_t){
            .seq = prev + 1 + i,
            .id = id_of(3, (uint32_t)corr * 8 + i),
            .sender = USER,
            .at_us = T0 + (int64_t)prev + i,
            .kind = CF_POST_TEXT,
            .text = cf_str("hello"),
            .client_key = cf_str(client_key),
        };
}

static void put_append(uint64_t corr, uint32_t room, uint64_t epoch, uint64_t prev, uint32_t n,
                       const char *client_key)
{
    cf_post_t rows[ROWS_MAX];
    fill_rows(rows, corr, prev, n, client_key);
    cf_append_t append = {epoch, prev, {rows, n}};
    peer_put(room_thread, CF_ACTOR_STORAGE, CF_MSG_APPEND, corr, ROOM(room), &append);
}

/* The status of the next verdict for this correlation id; 0: none came. */
static uint32_t await_verdict(uint64_t corr)
{
    cf_verdict_t verdict;
    return peer_await(room_thread, CF_MSG_VERDICT, corr, &verdict) ? verdict.status : 0;
}

static uint32_t append(uint64_t corr, uint32_t room, uint64_t prev, uint32_t n)
{
    put_append(corr, room, 1, prev, n, "");
    peer_flush(room_thread);
    return await_verdict(corr);
}

static bool await_store_state(bool up)
{
    cf_store_state_t state;
    while (peer_await(peer_at(CF_ACTOR_STATS, 0), CF_MSG_STORE_STATE, 0, &state))
        if (state.up == up)
            return true;
    return false;
}

/* --- every store -------------------------------------------------------------------------------
 */

#define ON_EVERY_STORE(name)                                                                       \
    ParameterizedTestParameters(storage, name)                                                     \
    {                                                                                              \
        static store_param_t stores[] = {{"memory:", ""}, {"sqlite:", "/test.db"}};                \
        return cr_make_param_array(store_param_t, stores, 2);                                      \
    }                                                                                              \
    ParameterizedTest(store_param_t *store, storage, name, .fini = stop, .timeout = 60)

ON_EVERY_STORE(stores_runs_and_gives_a_verdict_for_each)
{
    start(store->before, store->behind);
    make_room(1);
    cr_assert(eq(u32, append(1, 1, 0, 3), CF_VERDICT_STORED));
    cr_assert(eq(u32, append(2, 1, 3, 1), CF_VERDICT_STORED));
    cr_assert(eq(u32, append(3, 1, 9, 1), CF_VERDICT_OUT_OF_ORDER));
    cr_assert(eq(u64, activate(4, 1), 2));
    cr_assert(eq(u32, append(5, 1, 4, 1), CF_VERDICT_STALE_EPOCH));
    cr_assert(eq(u32, append(6, 7, 0, 1), CF_VERDICT_NO_ROOM));
}

ON_EVERY_STORE(answers_a_repeated_client_key_with_the_stored_post)
{
    cf_verdict_t verdict;
    start(store->before, store->behind);
    make_room(1);
    put_append(1, 1, 1, 0, 1, "key");
    put_append(2, 1, 1, 1, 1, "key");
    peer_flush(room_thread);
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_STORED));
    cr_assert(peer_await(room_thread, CF_MSG_VERDICT, 2, &verdict));
    cr_assert(eq(u32, verdict.status, CF_VERDICT_DUPLICATE));
    cr_assert(eq(u32, verdict.stored, 0));
    cr_assert(eq(u64, verdict.seq, 1));
    cr_assert(verdict.same_body);
    cr_assert(cf_id_equal(verdict.id, id_of(3, 8)));
}

ON_EVERY_STORE(answers_every_other_write)
{
    start(store->before, store->behind);
    make_room(1);
    cr_assert(eq(int, create_user(1, 2, "ann"), CF_EEXIST));
    cr_assert(eq(int, create_user(2, 2, "bob"), 0));
    cf_set_password_t password = {USER, cf_str("$other")};
    cr_assert(eq(int, record(3, CF_MSG_SET_PASSWORD, (cf_id_t){0}, &password), 0));
    password.user = id_of(1, 77);
    cr_assert(eq(int, record(4, CF_MSG_SET_PASSWORD, (cf_id_t){0}, &password), CF_ENOENT));
    cf_add_session_t session = {id_of(4, 1), {1, 2, 3}, USER, T0, T0 + 10};
    cr_assert(eq(int, record(5, CF_MSG_ADD_SESSION, (cf_id_t){0}, &session), 0));
    cf_remove_session_t remove = {{9, 9}};
    cr_assert(eq(int, record(6, CF_MSG_REMOVE_SESSION, (cf_id_t){0}, &remove), 0));
    cf_disable_user_t disable = {id_of(1, 2), T0};
    cf_add_session_t of_disabled = {id_of(4, 2), {4, 5, 6}, id_of(1, 2), T0, T0 + 10};
    cr_assert(eq(int, record(20, CF_MSG_DISABLE_USER, (cf_id_t){0}, &disable), 0));
    cr_assert(eq(int, record(21, CF_MSG_ADD_SESSION, (cf_id_t){0}, &of_disabled), CF_EPERM));
    cf_enable_user_t enable = {id_of(1, 2)};
    cr_assert(eq(int, record(22, CF_MSG_ENABLE_USER, (cf_id_t){0}, &enable), 0));
    enable.user = id_of(1, 77);
    cr_assert(eq(int, record(23, CF_MSG_ENABLE_USER, (cf_id_t){0}, &enable), CF_ENOENT));
    cf_member_change_t change = {id_of(1, 2), T0};
    cr_assert(eq(int, record(7, CF_MSG_ADD_MEMBER, ROOM(1), &change), 0));
    cr_assert(eq(int, record(8, CF_MSG_REMOVE_MEMBER, ROOM(1), &change), 0));
    cr_assert(eq(int, record(9, CF_MSG_ADD_MEMBER, ROOM(44), &change), CF_ENOENT));

    cf_expired_t expired;
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_EXPIRE_SESSIONS, 10, (cf_id_t){0},
              &(cf_expire_t){T0 + 10, 100});
    cr_assert(peer_await(accounts, CF_MSG_EXPIRED, 10, &expired));
    cr_assert(eq(u32, expired.count, 1));
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_EXPIRE_KEYS, 11, (cf_id_t){0},
              &(cf_expire_t){T0, 100});
    cr_assert(peer_await(accounts, CF_MSG_EXPIRED, 11, &expired));
    cr_assert(eq(u32, expired.count, 0));
    cf_dead_letter_t letter = {{{5}}, {{6}}, T0, cf_str("/stock=A"), cf_str("timed out"), 3};
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_DEAD_LETTER, 12, (cf_id_t){0}, &letter);
    cr_assert(peer_await(accounts, CF_MSG_DONE, 12, NULL));
    letter.id = (cf_id_t){{7}};
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_DEAD_LETTER, 15, (cf_id_t){0}, &letter);
    cr_assert(peer_await(accounts, CF_MSG_DONE, 15, NULL));
    for (uint64_t corr = 16; corr <= 17; corr++) { /* and once more, when there is none */
        peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_REMOVE_DEAD_LETTER, corr, (cf_id_t){0},
                  &(cf_remove_dead_letter_t){letter.id});
        cr_assert(peer_await(accounts, CF_MSG_DONE, corr, NULL));
    }
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_EXPIRE_DEAD_LETTERS, 13, (cf_id_t){0},
              &(cf_expire_t){T0, 100});
    cr_assert(peer_await(accounts, CF_MSG_EXPIRED, 13, &expired));
    cr_assert(eq(u32, expired.count, 1));
    peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_EXPIRE_POSTS, 14, (cf_id_t){0},
              &(cf_expire_t){T0 - 1, 100});
    cr_assert(peer_await(accounts, CF_MSG_EXPIRED, 14, &expired));
    cr_assert(eq(u32, expired.count, 0));
}

ON_EVERY_STORE(refuses_to_activate_a_room_that_is_not_there)
{
    start(store->before, store->behind);
    peer_send(room_thread, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 1, ROOM(5), &NOBODY);
    cr_assert(eq(int, peer_await_refusal(room_thread, 1), CF_ENOENT));
}

ON_EVERY_STORE(splits_what_it_gathers_into_groups_of_batch_rows)
{
    batch_rows = 7;
    start(store->before, store->behind);
    make_room(1);
    for (uint32_t n = 2; n <= 60; n++)
        make_room(n);
    size_t sum = CF_METRICS + CF_H_BATCH_ROWS * CF_HISTOGRAM_SLOTS + CF_HISTOGRAM_BUCKETS;
    uint64_t before = actor_counter(actor, CF_M_COMMITS), rows = actor_counter(actor, sum);
    for (uint32_t n = 1; n <= 60; n++)
        put_append(n, n, 1, 0, 3, "");
    peer_flush(room_thread);
    for (uint32_t n = 1; n <= 60; n++) /* in the order of arrival */
        cr_assert(eq(u32, await_verdict(n), CF_VERDICT_STORED));
    cr_assert(ge(u64, actor_counter(actor, CF_M_COMMITS) - before, 30)); /* two runs in each */
    cr_assert(eq(u64, actor_counter(actor, CF_M_ROWS_WRITTEN), 180));
    cr_assert(eq(u64, actor_counter(actor, sum) - rows, 180));
    cr_assert(eq(u64, actor_observed(actor, CF_H_BATCH_ROWS), actor_counter(actor, CF_M_COMMITS)));
}

ON_EVERY_STORE(writes_a_run_larger_than_a_group_alone)
{
    batch_rows = 2;
    start(store->before, store->behind);
    make_room(1);
    cr_assert(eq(u32, append(1, 1, 0, 3), CF_VERDICT_STORED));
}

ON_EVERY_STORE(drains_what_it_has_gathered_first)
{
    start(store->before, store->behind);
    make_room(1);
    put_append(1, 1, 1, 0, 1, "");
    peer_put(room_thread, CF_ACTOR_STORAGE, CF_MSG_DRAIN, 2, (cf_id_t){0}, NULL);
    peer_flush(room_thread);
    cr_assert(peer_expect(room_thread, CF_MSG_VERDICT, 1, NULL));
    cr_assert(peer_expect(room_thread, CF_MSG_DRAINED, 2, NULL));
}

ON_EVERY_STORE(tells_stats_that_the_store_is_there_again_and_again)
{
    start(store->before, store->behind);
    for (int i = 0; i < 3; i++)
        cr_assert(await_store_state(true));
}

/* --- a store that fails ------------------------------------------------------------------------
 */

static void count_letter(void *arg, const cf_dead_letter_t *letter)
{
    (void)letter;
    ++*(uint32_t *)arg;
}

TestSuite(faults, .fini = stop, .timeout = 60);

Test(faults, writes_together_what_arrives_while_a_write_runs)
{
    start_faulty();
    for (uint32_t n = 1; n <= 100; n++)
        make_room(n);
    uint64_t before = actor_counter(actor, CF_M_COMMITS);
    set_faults("write late 200 1\n");
    for (uint32_t n = 1; n <= 100; n++) {
        put_append(n, n, 1, 0, 1, "");
        if (n == 1)
            peer_flush(room_thread);
    }
    peer_flush(room_thread);
    for (uint32_t n = 1; n <= 100; n++)
        cr_assert(eq(u32, await_verdict(n), CF_VERDICT_STORED));
    cr_assert(le(u64, actor_counter(actor, CF_M_COMMITS) - before, 50));
}

/* Six APPENDs of one size arrive while a write runs; two of them have `spare` bytes to spare in a group.
 * Returns in how many transactions they were written. */
static uint64_t commits_of_six(uint32_t spare)
{
    cf_post_t rows[3];
    cf_buf_t body = {0};
    fill_rows(rows, 1, 0, 3, "");
    cf_append_t append = {1, 0, {rows, 3}};
    cr_assert(eq(int, cf_shape_encode(&body, &cf_shape_append, &append), 0));
    batch_bytes = 2 * (uint32_t)body.size + spare;
    cf_buf_free(&body);
    start_faulty();
    for (uint32_t n = 1; n <= 7; n++)
        make_room(n);
    uint64_t before = actor_counter(actor, CF_M_COMMITS);
    set_faults("write late 200 1\n");
    for (uint32_t n = 1; n <= 7; n++) {
        put_append(n, n, 1, 0, 3, "");
        if (n == 1)
            peer_flush(room_thread);
    }
    peer_flush(room_thread);
    for (uint32_t n = 1; n <= 7; n++)
        cr_assert(eq(u32, await_verdict(n), CF_VERDICT_STORED));
    return actor_counter(actor, CF_M_COMMITS) - before - 1;
}

Test(faults, fills_a_group_up_to_batch_bytes)
{
    cr_assert(eq(u64, commits_of_six(0), 3));
}

Test(faults, takes_no_byte_more_into_a_group)
{
    cr_assert(eq(u64, commits_of_six((uint32_t)-1), 6));
}

Test(faults, answers_a_probe_while_the_store_hangs)
{
    start_faulty();
    make_room(1);
    set_faults("write hang\nsettle fail\nping hang\n");
    put_append(1, 1, 1, 0, 1, "");
    peer_flush(room_thread);
    for (int i = 0; i < 20; i++)
        actor_counter(actor, CF_M_COMMITS); /* fails the test when there is no answer */
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_UNKNOWN));
}

Test(faults, settles_a_run_whose_answer_was_lost_after_the_commit)
{
    start_faulty();
    make_room(1);
    set_faults("write lose 1\n");
    cr_assert(eq(u32, append(1, 1, 0, 2), CF_VERDICT_UNKNOWN));
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_STORED));
    cr_assert(eq(u32, append(2, 1, 2, 1), CF_VERDICT_STORED));
    cr_assert(eq(u64, actor_counter(actor, CF_M_STORE_UNKNOWN), 1));
}

Test(faults, settles_a_run_that_was_never_written)
{
    start_faulty();
    make_room(1);
    set_faults("write hang 1\n");
    cr_assert(eq(u32, append(1, 1, 0, 2), CF_VERDICT_UNKNOWN));
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_FAILED));
    cr_assert(eq(u32, append(2, 1, 0, 2), CF_VERDICT_STORED)); /* the same rows again */
}

Test(faults, asks_again_until_it_knows_and_takes_no_append_of_that_room_before)
{
    start_faulty();
    make_room(1);
    make_room(2);
    set_faults("write lose 1\nsettle fail\n");
    cr_assert(eq(u32, append(1, 1, 0, 1), CF_VERDICT_UNKNOWN));
    cr_assert(await_store_state(true)); /* of the start */
    cr_assert(eq(u32, append(2, 1, 0, 1), CF_VERDICT_FAILED));
    uint32_t status = CF_VERDICT_FAILED; /* another room's go on, between two failed settles */
    for (uint64_t corr = 100; status == CF_VERDICT_FAILED && corr < 100000; corr++)
        status = append(corr, 2, 0, 1);
    cr_assert(eq(u32, status, CF_VERDICT_STORED));
    set_faults("");
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_STORED));
    cr_assert(eq(u32, append(3, 1, 1, 1), CF_VERDICT_STORED));
}

Test(faults, a_room_activated_anew_hears_of_the_lost_run_all_the_same)
{
    start_faulty();
    make_room(1);
    set_faults("write lose 1\nsettle fail\n");
    cr_assert(eq(u32, append(1, 1, 0, 1), CF_VERDICT_UNKNOWN));
    set_faults("settle fail\n");
    cf_msg_t msg;
    do /* REFUSED until the store is back */
        peer_send(room_thread, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 2, ROOM(1), &NOBODY);
    while (peer_next(room_thread, &msg) && msg.type == CF_MSG_REFUSED);
    cf_activated_t activated;
    cr_assert(eq(int, cf_msg_body(&activated, &msg, &room_thread->arena), 0));
    cr_assert(eq(u64, activated.epoch, 2));
    cr_assert(eq(u64, activated.last_seq, 1));
    set_faults("");
    uint32_t status = await_verdict(1);
    cr_assert(status == CF_VERDICT_STORED || status == CF_VERDICT_STALE_EPOCH, "%u", status);
}

Test(faults, refuses_at_once_while_the_store_is_away_and_writes_when_it_is_back)
{
    start_faulty();
    make_room(1);
    set_faults("write fail\nping fail\nsettle fail\n");
    cr_assert(eq(u32, append(1, 1, 0, 1), CF_VERDICT_FAILED));
    cr_assert(await_store_state(false));
    cr_assert(eq(u32, append(2, 1, 0, 1), CF_VERDICT_FAILED));
    cr_assert(eq(int, create_user(3, 2, "bob"), CF_EIO));
    set_faults("");
    cr_assert(await_store_state(true));
    cr_assert(eq(u32, append(4, 1, 0, 1), CF_VERDICT_STORED));
    cr_assert(eq(int, create_user(5, 2, "bob"), 0));
}

Test(faults, a_write_that_is_safe_to_repeat_is_refused_when_its_answer_is_lost)
{
    start_faulty();
    set_faults("write lose 1\n");
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
    cr_assert(await_store_state(false));
    cr_assert(await_store_state(true));
    cr_assert(eq(int, create_user(2, 1, "ann"), 0)); /* the same user again */
}

/* The next n reports all say that the store is down? */
static bool stays_down(int n)
{
    cf_store_state_t state;
    for (int i = 0; i < n; i++)
        if (!peer_await(peer_at(CF_ACTOR_STATS, 0), CF_MSG_STORE_STATE, 0, &state) || state.up)
            return false;
    return true;
}
/* They come once a second: enough for every pause to end that there is */
#define REPORTS ((int)(CF_STORE_LINK_QUIET_US / 1000000) + 3)

Test(faults, is_down_until_a_write_of_the_kind_that_failed_succeeds)
{
    start_faulty();
    make_room(1);
    set_faults("write refuse\n");
    cr_assert(eq(u32, append(1, 1, 0, 1), CF_VERDICT_FAILED));
    cr_assert(await_store_state(false));
    int rc;
    do
        rc = create_user(2, 2, "bob");
    while (rc == CF_EIO); /* until the store was seen to answer */
    cr_assert(eq(int, rc, 0));
    cr_assert(stays_down(REPORTS));
    set_faults("");
    cr_assert(await_store_state(true));
    cr_assert(eq(u32, append(4, 1, 0, 1), CF_VERDICT_STORED));
}

Test(faults, is_down_while_nothing_can_be_written_and_nobody_tries)
{
    start_faulty();
    set_faults("write fail\n");
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
    cr_assert(await_store_state(false));
    cr_assert(stays_down(REPORTS));
    set_faults("settle fail\n"); /* none was made, so none is missed */
    cr_assert(await_store_state(true));
    cr_assert(eq(int, create_user(2, 1, "ann"), 0));
}

Test(faults, a_write_that_succeeds_needs_no_check)
{
    start_faulty();
    set_faults("write fail 1\n");
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
    cr_assert(await_store_state(false));
    set_faults("write refuse\n"); /* every check, as there is an append in it */
    int rc;
    do
        rc = create_user(2, 1, "ann");
    while (rc == CF_EIO);
    cr_assert(eq(int, rc, 0));
    cr_assert(await_store_state(true));
}

Test(faults, a_check_leaves_nothing_in_the_store)
{
    start("faulty:", "/faults:memory:storage");
    set_faults("write lose 1\n");
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
    cr_assert(await_store_state(false));
    cr_assert(await_store_state(true));
    cf_store_t *store;
    cr_assert(eq(int,
                 cf_store_open(&store, &(cf_store_config_t){.url = "memory:storage",
                                                            .role = CF_STORE_READER}),
                 0));
    uint32_t letters = 0;
    cr_assert(eq(int, store->ops->list_dead_letters(store, NULL, 10, count_letter, &letters), 0));
    cr_assert(eq(u32, letters, 0));
    store->ops->close(store);
}

Test(faults, reports_a_store_that_hangs_and_one_that_went_away)
{
    start_faulty();
    cr_assert(await_store_state(true));
    set_faults("ping hang\n");
    cr_assert(await_store_state(false));
    set_faults("");
    cr_assert(await_store_state(true));
}

Test(faults, says_that_the_store_is_down_before_a_call_that_hangs_ends)
{
    cf_store_state_t state;
    statement_ms = 3000;
    start_faulty();
    make_room(1);
    set_faults("write hang 1\n");
    put_append(1, 1, 1, 0, 1, "");
    peer_flush(room_thread);
    do
        cr_assert(peer_await(peer_at(CF_ACTOR_STATS, 0), CF_MSG_STORE_STATE, 0, &state));
    while (state.up);
    cr_assert(ge(i64, state.latency_us, 2000000)); /* so long it has been waiting */
    cr_assert(eq(u32, await_verdict(1), CF_VERDICT_UNKNOWN));
    cr_assert(await_store_state(true));
}

Test(faults, starts_without_a_store_and_opens_it_when_it_comes)
{
    char missing[96];
    make_folder();
    snprintf(missing, sizeof missing, "%s/later", folder);
    peer_at(CF_ACTOR_SUPERVISOR, 0);
    start("sqlite:", "/later/test.db");
    cr_assert(await_store_state(false));
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
    cr_assert(eq(u32, append(2, 1, 0, 1), CF_VERDICT_FAILED));
    cf_store_opened_t opened;
    cr_assert(eq(int, mkdir(missing, 0700), 0));
    cr_assert(peer_await(peer_at(CF_ACTOR_SUPERVISOR, 0), CF_MSG_STORE_OPENED, 0, &opened));
    cr_assert(eq(u32, opened.reason, 0));
    cr_assert(await_store_state(true));
    cr_assert(eq(int, create_user(3, 1, "ann"), 0));
}

Test(faults, refuses_an_url_of_no_store)
{
    cf_store_opened_t opened;
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    start("mysql:", "/x");
    cr_assert(peer_await(supervisor, CF_MSG_STORE_OPENED, 0, &opened));
    cr_assert(eq(u32, opened.reason, -CF_ERANGE));
    cr_assert(eq(int, create_user(1, 1, "ann"), CF_EIO));
}

/* --- crash points ------------------------------------------------------------------------------
 */

#ifndef __SANITIZE_THREAD__ /* which does not let a forked process start threads */

/* In a process of its own: append one post to a fresh room of a SQLite store, drain, and end. */
static void append_and_drain(void)
{
    start("sqlite:", "/test.db");
    make_room(1);
    put_append(1, 1, 1, 0, 1, "");
    peer_put(room_thread, CF_ACTOR_STORAGE, CF_MSG_DRAIN, 2, (cf_id_t){0}, NULL);
    peer_flush(room_thread);
    peer_await(room_thread, CF_MSG_DRAINED, 2, NULL);
    _exit(0);
}

/* Ends with the exit status of append_and_drain() under this crash point. */
static int crash_at(const char *point)
{
    int status;
    make_folder();
    pid_t child = fork();
    if (child == 0) {
        setenv("CONFAB_CRASH_AT", point, 1);
        append_and_drain();
    }
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint64_t last_seq_after_restart(void)
{
    cf_activated_t activated;
    start("sqlite:", "/test.db");
    peer_send(room_thread, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 1, ROOM(1), &NOBODY);
    cr_assert(peer_await(room_thread, CF_MSG_ACTIVATED, 1, &activated));
    return activated.last_seq;
}

TestSuite(crash, .fini = stop, .timeout = 60);

Test(crash, before_ack_leaves_what_was_committed)
{
    /* user, room, activation, run */
    cr_assert(eq(int, crash_at("before_ack:4"), 137));
    cr_assert(eq(u64, last_seq_after_restart(), 1));
}

Test(crash, in_drain_leaves_what_was_gathered)
{
    cr_assert(eq(int, crash_at("in_drain:1"), 137));
    cr_assert(eq(u64, last_seq_after_restart(), 1));
}
#endif
