/* What only PostgreSQL can do to us: connections that die or hang at any moment, locks held by
 * others, several processes starting at once. */
#include "append.h"
#include "clock.h"
#include "migrations.h"
#include "store_fixture.h"
#include "wait.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <postgresql/libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const backend_t postgres = {"postgres"};
static cf_store_t *store;
static cf_store_wait_t hook;

/* --- a store that is watched at every wait
 * ----------------------------------------------------------- */

typedef enum { NOTHING, STOP, TERMINATE, END } disturbance_t;

static disturbance_t disturbance;
static int disturb_at; /* the n-th wait from now */
static pid_t backend_pid;
static PGconn *admin;

static void do_sql(const char *sql)
{
    PGresult *result = PQexec(admin, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQerrorMessage(admin));
    PQclear(result);
}

static int on_wait(void *arg, int fd, bool for_write, int64_t until_us)
{
    (void)arg;
    if (disturb_at > 0 && --disturb_at == 0) {
        char sql[96];
        switch (disturbance) {
        case STOP:
            cr_assert_eq(kill(backend_pid, SIGSTOP), 0);
            break;
        case TERMINATE:
            snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)backend_pid);
            do_sql(sql);
            break;
        case END:
            return CF_ECLOSING;
        case NOTHING:
            break;
        }
    }
    return cf_wait(&(cf_store_wait_t){0}, fd, for_write, until_us);
}

static cf_store_t *open_within(int statement_ms)
{
    cf_store_config_t config = {.url = place_url(),
                                .role = CF_STORE_WRITER,
                                .statement_ms = statement_ms,
                                .key_ttl_us = KEY_TTL_US,
                                .wait = hook};
    cf_store_t *out;
    cr_assert_eq(cf_store_open(&out, &config), 0);
    return out;
}

/* The tables are made before, with more time than a test may have for its statements. */
static cf_store_t *open_watched(int statement_ms)
{
    char pid[32];
    cf_store_t *out = open_within(STATEMENT_MS);
    out->ops->close(out);
    out = open_within(statement_ms);
    place_sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'confab'"
              " AND datname = current_database() ORDER BY backend_start DESC LIMIT 1",
              pid, sizeof pid);
    backend_pid = (pid_t)strtol(pid, NULL, 10);
    cr_assert_gt(backend_pid, 0);
    return out;
}

static bool open_filled(int statement_ms)
{
    hook = (cf_store_wait_t){.wait = on_wait};
    disturb_at = 0;
    if (!place_new(&postgres))
        return false;
    store = open_watched(statement_ms);
    admin = PQconnectdb(place_url());
    place_fill(store);
    return true;
}

static void close_all(void)
{
    if (backend_pid > 0 && disturbance == STOP)
        kill(backend_pid, SIGCONT);
    if (store)
        store->ops->close(store);
    PQfinish(admin);
    place_remove();
}

TestSuite(postgres, .fini = close_all, .timeout = 300);

/* --- runs
 * ------------------------------------------------------------------------------------------ */

static cf_post_t rows[3];

static cf_run_t run_of(uint64_t prev)
{
    for (uint64_t i = 0; i < 3; i++)
        rows[i] = (cf_post_t){.seq = prev + 1 + i,
                              .id = POST(prev + 1 + i),
                              .sender = USER(1),
                              .at_us = (int64_t)(prev + 1 + i),
                              .kind = CF_POST_TEXT,
                              .text = cf_str("x")};
    return (cf_run_t){.room = ROOM(1), .epoch = 1, .prev = prev, .rows = rows, .n = 3};
}

static cf_verdict_status_t append(uint64_t prev)
{
    cf_write_t write = {.kind = CF_WRITE_APPEND, .append = run_of(prev)};
    cf_outcome_t outcome;
    store->ops->write(store, &write, 1, &outcome);
    return outcome.status;
}

/* Asks again while the store is away or the rooms are locked; every try ends at its own deadline.
 */
static cf_outcome_t settle(uint64_t prev)
{
    cf_run_t run = run_of(prev);
    cf_outcome_t outcome = {0};
    int rc = CF_EIO;
    for (int64_t until_us = cf_boot_us() + 60 * INT64_C(1000000);
         rc < 0 && cf_boot_us() < until_us;) {
        rc = store->ops->settle(store, &run, 1, &outcome);
        if (rc < 0)
            cf_wait(&(cf_store_wait_t){0}, -1, false, cf_boot_us() + 10000);
    }
    cr_assert_eq(rc, 0, "never settled");
    return outcome;
}

static cf_verdict_status_t append_until_known(uint64_t prev)
{
    cf_verdict_status_t status = CF_VERDICT_FAILED;
    for (int64_t until_us = cf_boot_us() + 60 * INT64_C(1000000);
         status == CF_VERDICT_FAILED && cf_boot_us() < until_us;) {
        status = append(prev);
        if (status == CF_VERDICT_FAILED)
            cf_wait(&(cf_store_wait_t){0}, -1, false, cf_boot_us() + 10000);
    }
    return status;
}

static uint64_t rows_in_table(void)
{
    char answer[32];
    place_sql("SELECT count(*) FROM posts", answer, sizeof answer);
    return strtoull(answer, NULL, 10);
}

/* --- connections that die or hang
 * --------------------------------------------------------------------- */

static void kill_backend(void)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)backend_pid);
    do_sql(sql);
}

Test(postgres, writes_again_at_once_after_an_idle_connection_died)
{
    if (!open_filled(STATEMENT_MS))
        return;
    kill_backend();
    cr_assert_eq(append(0), CF_VERDICT_STORED);
}

Test(postgres, reads_again_at_once_after_an_idle_connection_died)
{
    if (!open_filled(STATEMENT_MS))
        return;
    kill_backend();
    cr_assert_eq(store->ops->ping(store), 0);
}

#define WAITS 8
/* A server that is faster than the test has committed before it is disturbed. */
#define ROUNDS_MAX 10

/* The heart of it: whatever happens to the server process at whatever wait of an append, the
 * verdict is not a lie, settle() tells what the table holds, and the room goes on. */
static void disturb_every_wait(disturbance_t what)
{
    uint64_t stored = 0;
    int unknown = 0;
    for (int n = 0; n < WAITS || (unknown == 0 && n < ROUNDS_MAX * WAITS); n++) {
        int at = n % WAITS + 1;
        disturbance = what;
        disturb_at = at;
        cf_verdict_status_t status = append(stored);
        disturb_at = 0;
        if (what == STOP)
            kill(backend_pid, SIGCONT);
        cr_assert(status == CF_VERDICT_STORED || status == CF_VERDICT_UNKNOWN ||
                      status == CF_VERDICT_FAILED,
                  "wait %d: %d", at, status);
        unknown += status == CF_VERDICT_UNKNOWN;
        cf_outcome_t outcome = settle(stored);
        uint64_t now = rows_in_table();
        cr_assert_eq(now, stored + outcome.stored, "wait %d: settle() says %u more, the table %llu",
                     at, outcome.stored, (unsigned long long)now);
        cr_assert(status != CF_VERDICT_STORED || outcome.stored == 3, "wait %d: a false ack", at);
        cr_assert(status != CF_VERDICT_FAILED || outcome.stored == 0, "wait %d: a false no", at);
        stored = now;
        cr_assert_eq(append_until_known(stored), CF_VERDICT_STORED);
        stored += 3;
        store->ops->close(store);
        store = open_watched(what == STOP ? 150 : STATEMENT_MS);
    }
    cr_assert_eq(rows_in_table(), stored);
    cr_assert_gt(unknown, 0, "COMMIT was never hit");
}

Test(postgres, tells_the_truth_when_the_server_process_is_killed_at_any_wait)
{
    if (open_filled(STATEMENT_MS))
        disturb_every_wait(TERMINATE);
}

Test(postgres, tells_the_truth_when_the_server_process_hangs_at_any_wait)
{
    if (open_filled(150))
        disturb_every_wait(STOP);
}

/* Settles on a connection that stands, so that CF_EIO can only mean: the room is locked. */
static int settle_once(uint64_t prev, cf_outcome_t *outcome)
{
    cf_run_t run = run_of(prev);
    int rc = CF_EIO;
    for (int64_t until_us = cf_boot_us() + 60 * INT64_C(1000000);
         rc < 0 && cf_boot_us() < until_us;)
        rc = store->ops->ping(store);
    cr_assert_eq(rc, 0);
    return store->ops->settle(store, &run, 1, outcome);
}

Test(postgres, settles_nothing_while_a_hanging_commit_may_still_come)
{
    if (!open_filled(500))
        return;
    /* an open transaction holds the id of our first row: the insert waits, the room is locked */
    do_sql("BEGIN; INSERT INTO posts VALUES ('02000000-0000-0000-0000-000000000001', 9,"
           " '03000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000000', 1, 1,"
           " 'x')");
    disturbance = STOP;
    cf_verdict_status_t status = append(0);
    cr_assert_eq(kill(backend_pid, SIGSTOP), 0); /* it does not notice that we are gone */
    cr_assert(status == CF_VERDICT_UNKNOWN || status == CF_VERDICT_FAILED);
    cf_outcome_t outcome;
    cr_assert_eq(settle_once(0, &outcome), CF_EIO, "settled before the other had ended");
    do_sql("ROLLBACK");
    cr_assert_eq(settle_once(0, &outcome), CF_EIO, "settled before the other had ended");
    kill(backend_pid, SIGCONT);
    outcome = settle(0);
    cr_assert_eq(rows_in_table(), outcome.stored);
}

Test(postgres, gives_up_at_the_deadline_when_someone_else_holds_the_room)
{
    if (!open_filled(150))
        return;
    do_sql("BEGIN; SELECT 1 FROM rooms FOR UPDATE");
    int64_t start_us = cf_boot_us();
    cr_assert_eq(append(0), CF_VERDICT_FAILED);
    cr_assert_geq(cf_boot_us() - start_us, 150000);
    do_sql("ROLLBACK");
    cr_assert_eq(append_until_known(0), CF_VERDICT_STORED);
}

Test(postgres, ends_a_call_when_its_owner_wants_to)
{
    if (!open_filled(STATEMENT_MS))
        return;
    disturbance = END;
    disturb_at = 1;
    cr_assert_eq(append(0), CF_VERDICT_FAILED);
    cr_assert_eq(append_until_known(0), CF_VERDICT_STORED);
}

Test(postgres, refuses_without_waiting_while_the_server_is_known_to_be_away)
{
    if (!open_filled(STATEMENT_MS))
        return;
    char sql[160], name[64];
    place_sql("SELECT current_database()", name, sizeof name);
    PQfinish(admin); /* nobody can shut the database that he is in */
    admin = PQconnectdb(getenv("CONFAB_TEST_POSTGRES_URL"));
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS false", name);
    do_sql(sql);
    kill_backend();
    cr_assert_eq(append(0), CF_VERDICT_FAILED);
    cr_assert_eq(append(0), CF_VERDICT_FAILED);
    cr_assert_eq(store->ops->ping(store), CF_EIO);
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS true", name);
    do_sql(sql);
    cr_assert_eq(append_until_known(0), CF_VERDICT_STORED);
}

/* --- starting
 * ---------------------------------------------------------------------------------------- */

static void *open_one(void *arg)
{
    cf_store_config_t config = {
        .url = place_url(), .role = CF_STORE_WRITER, .statement_ms = STATEMENT_MS};
    cf_store_t *one = NULL;
    int rc = cf_store_open(&one, &config);
    if (rc == 0)
        one->ops->close(one);
    *(int *)arg = rc;
    return NULL;
}

Test(postgres, starts_from_several_processes_on_an_empty_database)
{
    enum { STARTERS = 6 };
    pthread_t threads[STARTERS];
    int results[STARTERS];
    char answer[32];
    store = NULL;
    if (!place_new(&postgres))
        return;
    for (int i = 0; i < STARTERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, open_one, &results[i]), 0);
    for (int i = 0; i < STARTERS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(results[i], 0, "starter %d: %d", i, results[i]);
    }
    place_sql("SELECT count(*) = max(version) FROM schema_version", answer, sizeof answer);
    cr_assert_str_eq(answer, "t");
    place_sql("SELECT count(*) FROM users WHERE lower(username) = 'stockbot'", answer,
              sizeof answer);
    cr_assert_str_eq(answer, "1");
}

/* A database as version 1 left it, in which somebody has the bot's name, somebody its address and
 * somebody its id. */
Test(postgres, gives_the_bot_its_name_and_hurts_nobody_who_had_it)
{
    char answer[32];
    store = NULL;
    if (!place_new(&postgres))
        return;
    place_sql(cf_postgres_migrations[0].sql, NULL, 0);
    place_sql("CREATE TABLE schema_version (version int PRIMARY KEY, name text NOT NULL,"
              " applied_us bigint NOT NULL); INSERT INTO schema_version VALUES (1, 'one', 1);"
              "INSERT INTO users VALUES"
              " ('01000000-0000-0000-0000-000000000000', 'StockBot', 'a@b.cc', 'h', 1),"
              " ('02000000-0000-0000-0000-000000000000', 'STOCKBOT', 'stockbot', 'h', 1),"
              " ('b07b07b0-7b07-8b07-8b07-b07b07b07b07', 'stockBOT', 'c@b.cc', 'h', 1),"
              " ('04000000-0000-0000-0000-000000000000', 'StockBot2', 'd@b.cc', 'h', 1)",
              NULL, 0);
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert(store);
    place_forget(store);
    place_sql("SELECT count(*) FROM users a, users b, users c, users d"
              " WHERE a.id = 'b07b07b0-7b07-8b07-8b07-b07b07b07b07' AND a.username = 'StockBot'"
              " AND a.email = 'stockbot' AND a.password_hash = ''"
              " AND b.id = '01000000-0000-0000-0000-000000000000'"
              " AND b.username ~ '^StockBot_[0-9a-f]{32}$'"
              " AND b.email = 'a@b.cc' AND b.password_hash = 'h'"
              " AND c.id = '02000000-0000-0000-0000-000000000000'"
              " AND c.username ~ '^StockBot_[0-9a-f]{32}$' AND c.email ~ '^stockbot_[0-9a-f]{32}$'"
              " AND d.username = 'StockBot2' AND d.email = 'd@b.cc'"
              " AND (SELECT count(*) FROM users) = 4",
              answer, sizeof answer);
    cr_assert_str_eq(answer, "1");
}

Test(postgres, refuses_a_schema_newer_than_the_program)
{
    int rc;
    if (!open_filled(STATEMENT_MS))
        return;
    do_sql("INSERT INTO schema_version VALUES (9999, 'from_the_future', 0)");
    cr_assert_null(place_open(CF_STORE_WRITER, &rc));
    cr_assert_eq(rc, CF_ESTALE);
    cr_assert_null(place_open(CF_STORE_READER, &rc));
    cr_assert_eq(rc, CF_ESTALE);
}

Test(postgres, lets_a_reader_wait_for_the_first_writer)
{
    int rc;
    store = NULL;
    if (!place_new(&postgres))
        return;
    cr_assert_null(place_open(CF_STORE_READER, &rc));
    cr_assert_eq(rc, CF_EIO);
    store = place_open(CF_STORE_WRITER, NULL);
    place_forget(store);
    cr_assert_not_null(place_open(CF_STORE_READER, &rc));
}

Test(postgres, says_that_nobody_is_there)
{
    static const struct {
        const char *url;
        int rc;
    } cases[] = {{"postgres://u@127.0.0.1:1/db", CF_EIO},
                 {"postgres:///db?host=/nowhere/at/all", CF_EIO},
                 {"postgres://u:secret@h/db?secret", CF_ERANGE}};
    store = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_store_config_t config = {
            .url = cases[i].url, .role = CF_STORE_READER, .statement_ms = 2000};
        cf_store_t *none = NULL;
        cr_assert_eq(cf_store_open(&none, &config), cases[i].rc, "%s", cases[i].url);
        cr_assert_null(none);
    }
}
