#include "store_fixture.h"
#include "faulty.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_MAX_STORES 16

backend_t every_store[5] = {{"memory"}, {"sqlite"}, {"postgres"}, {"faulty"}, {"partitioned"}};

static char url[1024], admin_url[512], database[64], folder[256];
static cf_store_t *open_stores[OPEN_MAX_STORES];
static PGconn *holder; /* of place_hold(); NULL: none */

const char *place_url(void)
{
    return url;
}

const char *place_folder(void)
{
    return folder;
}

static void be_silent(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static PGconn *connect_to(const char *where)
{
    PGconn *conn = PQconnectdb(where);
    cr_assert(PQstatus(conn) == CONNECTION_OK, "cannot connect: %s", PQerrorMessage(conn));
    PQsetNoticeProcessor(conn, be_silent, NULL);
    return conn;
}

static void run_on(PGconn *conn, const char *sql, char *answer, size_t size)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQerrorMessage(conn));
    if (answer)
        snprintf(answer, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void run_sql(const char *where, const char *sql, char *answer, size_t size)
{
    PGconn *conn = connect_to(where);
    run_on(conn, sql, answer, size);
    PQfinish(conn);
}

void place_sql(const char *sql, char *answer, size_t size)
{
    run_sql(url, sql, answer, size);
}

void place_hold(const char *sql)
{
    place_let_go();
    holder = connect_to(url);
    run_on(holder, "BEGIN", NULL, 0);
    run_on(holder, sql, NULL, 0);
}

static void end_held(const char *sql)
{
    if (holder)
        run_on(holder, sql, NULL, 0); /* its answer: the locks are free */
    PQfinish(holder);
    holder = NULL;
}

void place_let_go(void)
{
    end_held("ROLLBACK");
}

void place_keep(void)
{
    end_held("COMMIT");
}

/* The same URL with another database: what stands between the authority and the query. */
static void set_database(char *out, size_t size, const char *base, const char *name)
{
    const char *authority = strstr(base, "://") + 3;
    const char *query = authority + strcspn(authority, "?");
    int head = (int)strcspn(authority, "/?");
    snprintf(out, size, "%.*s%.*s/%s%s", (int)(authority - base), base, head, authority, name,
             query);
}

static bool new_database(void)
{
    const char *server = getenv("CONFAB_TEST_POSTGRES_URL"), *without;
    if (!server) {
        without = getenv("CONFAB_TEST_WITHOUT_POSTGRES");
        cr_assert(without && strcmp(without, "1") == 0,
                  "no PostgreSQL: run under tests/support/with_postgres, or set "
                  "CONFAB_TEST_WITHOUT_POSTGRES=1");
        return false;
    }
    char sql[128];
    snprintf(admin_url, sizeof admin_url, "%s", server);
    snprintf(database, sizeof database, "confab_test_%ld", (long)getpid());
    snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    run_sql(admin_url, sql, NULL, 0);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", database);
    run_sql(admin_url, sql, NULL, 0);
    set_database(url, sizeof url, admin_url, database);
    return true;
}

/* As an operator would: a server makes the tables, then posts becomes a table of partitions. */
static bool new_partitioned(void)
{
    int rc;
    if (!new_database())
        return false;
    place_close(place_open(CF_STORE_WRITER, &rc));
    place_sql("SELECT partition_posts(5)", NULL, 0);
    return true;
}

bool place_new(const backend_t *backend)
{
    snprintf(folder, sizeof folder, "%s/confab-test-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    cr_assert(mkdtemp(folder), "cannot make '%s'", folder);
    if (strcmp(backend->name, "postgres") == 0)
        return new_database();
    if (strcmp(backend->name, "partitioned") == 0)
        return new_partitioned();
    if (strcmp(backend->name, "sqlite") == 0)
        snprintf(url, sizeof url, "sqlite:%s/chat.db", folder);
    else if (strcmp(backend->name, "memory") == 0)
        snprintf(url, sizeof url, "memory:test");
    else
        snprintf(url, sizeof url, "faulty:%s/faults:memory:test", folder);
    return true;
}

cf_store_t *place_open_ms(cf_store_role_t role, int statement_ms, int *rc)
{
    cf_store_config_t config = {
        .url = url, .role = role, .statement_ms = statement_ms, .key_ttl_us = KEY_TTL_US};
    cf_store_t *store = NULL;
    bool faulty =
        strncmp(url, "faulty:", 7) == 0; /* known to cf_store_open() in test builds only */
    int result = faulty ? cf_faulty_open(&store, &config) : cf_store_open(&store, &config);
    if (rc)
        *rc = result;
    for (int i = 0; i < OPEN_MAX_STORES && result == 0; i++)
        if (!open_stores[i]) {
            open_stores[i] = store;
            break;
        }
    return result == 0 ? store : NULL;
}

cf_store_t *place_open(cf_store_role_t role, int *rc)
{
    return place_open_ms(role, STATEMENT_MS, rc);
}

void place_forget(cf_store_t *store)
{
    for (int i = 0; i < OPEN_MAX_STORES; i++)
        if (open_stores[i] == store)
            open_stores[i] = NULL;
}

void place_close(cf_store_t *store)
{
    place_forget(store);
    store->ops->close(store);
}

void place_fill(cf_store_t *store)
{
    cf_write_t writes[] = {
        {.kind = CF_WRITE_CREATE_USER,
         .create_user = {.id = USER(1),
                         .username = cf_str("ann"),
                         .email = cf_str("ann@test.com")}},
        {.kind = CF_WRITE_CREATE_ROOM,
         .create_room = {.id = ROOM(1), .name = cf_str("one"), .creator = USER(1)}},
        {.kind = CF_WRITE_ACTIVATE, .activate.room = ROOM(1)}};
    cf_outcome_t outcomes[3];
    cr_assert_eq(store->ops->write(store, writes, 3, outcomes), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

void place_remove(void)
{
    place_let_go();
    for (int i = 0; i < OPEN_MAX_STORES; i++)
        if (open_stores[i])
            place_close(open_stores[i]);
    if (database[0]) {
        char sql[128];
        snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
        run_sql(admin_url, sql, NULL, 0);
        database[0] = '\0';
    }
    if (folder[0])
        nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

cf_id_t id_of(unsigned kind, uint64_t number)
{
    cf_id_t id = {{0}};
    id.bytes[0] = (uint8_t)kind;
    for (int i = 0; i < 8; i++)
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    return id;
}
