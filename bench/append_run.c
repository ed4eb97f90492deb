/* append-run URL: rows per second of an append run, for docs/spike-append-run.md.
 *
 * With a postgres:// URL (an empty database) it compares shapes of the same work, written straight
 * on libpq; with any URL it then measures the store itself. Rows have 128 characters of text. The
 * machine may be shared, so every measurement is taken in slices, in turn with all others; a line
 * gives the median of its slices and the best one. */
#include "clock.h"
#include "migrations.h"
#include "pg_array.h"
#include "store.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICES 7 /* of each measurement, taken in turn with all others */
#define SLICE_US 150000
#define CELLS_MAX 80
#define ROOMS 100
#define BATCH_MAX 500
#define TEXT                                                                                       \
    "0123456789012345678901234567890123456789012345678901234567890123"                             \
    "0123456789012345678901234567890123456789012345678901234567890123"

#define ROWS_UNNEST                                                                                \
    "unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::int8[], $6::int4[], $7::text[])"
#define LOCK                                                                                       \
    "SELECT id, epoch, last_seq, last_us, ephemeral FROM rooms WHERE id = ANY($1::uuid[]) ORDER "  \
    "BY id FOR NO KEY UPDATE"
#define FIND_KEYS                                                                                  \
    "SELECT k.room, k.sender, k.client_key, k.seq FROM unnest($1::uuid[], $2::uuid[], "            \
    "$3::text[]) q(room, sender, client_key) JOIN post_keys k USING (room, sender, client_key)"
#define INSERT                                                                                     \
    "INSERT INTO posts (room, seq, id, sender, at_us, kind, text) SELECT * FROM " ROWS_UNNEST
#define INSERT_KEYS                                                                                \
    "INSERT INTO post_keys (room, sender, client_key, seq, id, at_us, body_hash) SELECT * FROM "   \
    "unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::uuid[], $6::int8[], $7::bytea[]) " \
    "ON CONFLICT (room, sender, client_key) DO UPDATE SET seq = excluded.seq"
#define UPDATE                                                                                     \
    "UPDATE rooms SET last_seq = q.seq, last_us = q.at_us FROM unnest($1::uuid[], $2::int8[], "    \
    "$3::int8[], $4::int8[], $5::int8[]) q(id, epoch, prev, seq, at_us) WHERE rooms.id = q.id "    \
    "AND rooms.epoch = q.epoch AND rooms.last_seq = q.prev"
#define CTE                                                                                        \
    "WITH run AS (SELECT * FROM unnest($8::uuid[], $9::int8[], $10::int8[], $11::int8[], "         \
    "$12::int8[]) q(room, epoch, prev, seq, at_us)), locked AS MATERIALIZED (SELECT id, epoch, "   \
    "last_seq FROM rooms WHERE id = ANY($8::uuid[]) ORDER BY id FOR NO KEY UPDATE), good AS "      \
    "MATERIALIZED (SELECT run.* FROM run JOIN locked l ON l.id = run.room AND l.epoch = "          \
    "run.epoch AND l.last_seq = run.prev), put AS (INSERT INTO posts (room, seq, id, sender, "     \
    "at_us, kind, text) SELECT r.* FROM " ROWS_UNNEST                                              \
    " r(room, seq, id, sender, at_us, kind, text) JOIN good ON good.room = r.room), raised AS "    \
    "(UPDATE rooms SET last_seq = good.seq, last_us = good.at_us FROM good WHERE rooms.id = "      \
    "good.room) SELECT room FROM good"

typedef enum {
    S_BEGIN,
    S_COMMIT,
    S_LOCK,
    S_FIND_KEYS,
    S_INSERT,
    S_INSERT_KEYS,
    S_UPDATE,
    S_CTE,
    STATEMENTS
} statement_t;
static const struct {
    const char *name, *sql;
} statements[STATEMENTS] = {
    {"begin", "BEGIN"}, {"commit", "COMMIT"},         {"lock", LOCK},     {"find_keys", FIND_KEYS},
    {"insert", INSERT}, {"insert_keys", INSERT_KEYS}, {"update", UPDATE}, {"cte", CTE},
};

/* The columns of a batch, as arrays. */
static struct {
    cf_pg_array_t room, seq, id, sender, at, kind, text, key, hash;     /* rows */
    cf_pg_array_t run_room, run_epoch, run_prev, run_last, run_last_us; /* runs */
} columns;

static uint64_t last_seq[ROOMS], made;
static PGconn *conn;

static void die(const char *what)
{
    fprintf(stderr, "append-run: %s: %s\n", what, conn ? PQerrorMessage(conn) : "");
    exit(1);
}

static cf_id_t number_id(uint8_t kind, uint64_t number)
{
    cf_id_t id = {{kind}};
    for (int i = 0; i < 8; i++)
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    return id;
}

static void add_row(cf_id_t room, uint64_t seq)
{
    char key[32];
    int64_t at_us = 1000000 + (int64_t)made;
    int size = snprintf(key, sizeof key, "key-%llu", (unsigned long long)made++);
    cf_id_t id = cf_id_new(cf_wall_us());
    cf_pg_array_id(&columns.room, room);
    cf_pg_array_int8(&columns.seq, (int64_t)seq);
    cf_pg_array_id(&columns.id, id);
    cf_pg_array_id(&columns.sender, number_id(1, 1));
    cf_pg_array_int8(&columns.at, at_us);
    cf_pg_array_int4(&columns.kind, 1);
    cf_pg_array_bytes(&columns.text, TEXT, 128);
    cf_pg_array_bytes(&columns.key, key, (uint32_t)size);
    cf_pg_array_bytes(&columns.hash, TEXT, 16);
}

static void start_columns(void)
{
    cf_pg_array_t *ids[] = {&columns.room, &columns.id, &columns.sender, &columns.run_room};
    cf_pg_array_t *numbers[] = {&columns.seq,      &columns.at,       &columns.run_epoch,
                                &columns.run_prev, &columns.run_last, &columns.run_last_us};
    for (size_t i = 0; i < 4; i++)
        cf_pg_array_start(ids[i], CF_PG_UUID);
    for (size_t i = 0; i < 6; i++)
        cf_pg_array_start(numbers[i], CF_PG_INT8);
    cf_pg_array_start(&columns.kind, CF_PG_INT4);
    cf_pg_array_start(&columns.text, CF_PG_TEXT);
    cf_pg_array_start(&columns.key, CF_PG_TEXT);
    cf_pg_array_start(&columns.hash, CF_PG_BYTEA);
}

/* A batch of rows spread over the first rooms; the rooms' numbers go on. */
static void make_batch(unsigned rows, unsigned rooms)
{
    start_columns();
    unsigned used = rooms < rows ? rooms : rows;
    for (unsigned r = 0; r < used; r++) {
        unsigned n = rows / used + (r < rows % used);
        cf_pg_array_id(&columns.run_room, number_id(2, r));
        cf_pg_array_int8(&columns.run_epoch, 0);
        cf_pg_array_int8(&columns.run_prev, (int64_t)last_seq[r]);
        for (unsigned i = 0; i < n; i++)
            add_row(number_id(2, r), ++last_seq[r]);
        cf_pg_array_int8(&columns.run_last, (int64_t)last_seq[r]);
        cf_pg_array_int8(&columns.run_last_us, 1000000 + (int64_t)made - 1);
    }
}

static void send_statement(statement_t which)
{
    cf_pg_array_t *rows[] = {&columns.room,     &columns.seq,      &columns.id,
                             &columns.sender,   &columns.at,       &columns.kind,
                             &columns.text,     &columns.run_room, &columns.run_epoch,
                             &columns.run_prev, &columns.run_last, &columns.run_last_us};
    cf_pg_array_t *keys[] = {&columns.room, &columns.sender, &columns.key, &columns.seq,
                             &columns.id,   &columns.at,     &columns.hash};
    cf_pg_array_t **from = which == S_FIND_KEYS || which == S_INSERT_KEYS ? keys
                           : which == S_LOCK || which == S_UPDATE         ? rows + 7
                                                                          : rows;
    static const int counts[STATEMENTS] = {0, 0, 1, 3, 7, 7, 5, 12};
    const char *values[12];
    int lengths[12], formats[12];
    for (int i = 0; i < counts[which]; i++) {
        values[i] = (const char *)from[i]->bytes.data;
        lengths[i] = (int)from[i]->bytes.size;
        formats[i] = 1;
    }
    if (!PQsendQueryPrepared(conn, statements[which].name, counts[which], values, lengths, formats,
                             1))
        die(statements[which].name);
}

/* Sends a group of statements at once and takes all their answers. */
static void trip(const statement_t *which, int n)
{
    for (int i = 0; i < n; i++)
        send_statement(which[i]);
    if (!PQpipelineSync(conn))
        die("sync");
    for (int i = 0; i <= n; i++) {
        PGresult *result = PQgetResult(conn);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
            status != PGRES_PIPELINE_SYNC)
            die(i < n ? statements[which[i]].name : "sync");
        PQclear(result);
        if (i < n)
            PQclear(PQgetResult(conn)); /* the NULL behind each */
    }
}

#define TRIP(...)                                                                                  \
    trip((statement_t[]){__VA_ARGS__}, sizeof((statement_t[]){__VA_ARGS__}) / sizeof(statement_t))
static void bare(void)
{
    TRIP(S_INSERT);
}
static void cte(void)
{
    TRIP(S_CTE);
}
static void cte_one_trip(void)
{
    TRIP(S_BEGIN, S_CTE, S_COMMIT);
}
static void cte_three_trips(void)
{
    TRIP(S_BEGIN);
    TRIP(S_CTE);
    TRIP(S_COMMIT);
}
static void two_trips(void)
{
    TRIP(S_BEGIN, S_LOCK);
    TRIP(S_INSERT, S_UPDATE, S_COMMIT);
}
static void three_trips(void)
{
    TRIP(S_BEGIN, S_LOCK);
    TRIP(S_INSERT, S_UPDATE);
    TRIP(S_COMMIT);
}
static void two_trips_keys(void)
{
    TRIP(S_BEGIN, S_LOCK, S_FIND_KEYS);
    TRIP(S_INSERT, S_INSERT_KEYS, S_UPDATE, S_COMMIT);
}
static void three_trips_keys(void)
{
    TRIP(S_BEGIN, S_LOCK, S_FIND_KEYS);
    TRIP(S_INSERT, S_INSERT_KEYS, S_UPDATE);
    TRIP(S_COMMIT);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool locks;
} shapes[] = {
    {"bare insert", bare, false},
    {"one statement", cte, true},
    {"one statement, BEGIN and COMMIT in one trip", cte_one_trip, true},
    {"one statement, BEGIN and COMMIT in trips of their own", cte_three_trips, true},
    {"lock | insert+commit", two_trips, true},
    {"lock | insert | commit", three_trips, true},
    {"lock+find keys | insert+commit", two_trips_keys, true},
    {"lock+find keys | insert | commit", three_trips_keys, true},
};
static const unsigned batches[] = {10, 100, 500}, spreads[] = {1, 10, 100};

/* One measurement: rows/s of each slice. */
typedef struct {
    const char *shape;
    unsigned batch, rooms;
    double rates[SLICES];
} cell_t;

static cell_t cells[CELLS_MAX];

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void report(int n)
{
    for (int i = 0; i < n; i++) {
        cell_t *cell = &cells[i];
        qsort(cell->rates, SLICES, sizeof cell->rates[0], ascending);
        double median = cell->rates[SLICES / 2], best = cell->rates[SLICES - 1];
        printf("%-54s %4u rows %4u rooms %8.0f rows/s median %8.0f best %7.0f us/batch best\n",
               cell->shape, cell->batch, cell->rooms, median, best, cell->batch * 1e6 / best);
    }
    fflush(stdout);
}

/* Runs one slice: batches until its time is over. */
static void measure(cell_t *cell, int slice, void (*batch)(void *arg), void *arg)
{
    uint64_t rounds = 0;
    int64_t start_us = cf_boot_us(), took_us;
    do {
        batch(arg);
        rounds++;
    } while ((took_us = cf_boot_us() - start_us) < SLICE_US);
    cell->rates[slice] = (double)(rounds * cell->batch) * 1e6 / (double)took_us;
}

static void command(const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        die(sql);
    PQclear(result);
}

/* Empties the tables, so that no shape pays for the rows of the one before. */
static void reset_tables(void)
{
    if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF && !PQexitPipelineMode(conn))
        die("leave pipeline mode");
    command("TRUNCATE posts, post_keys; UPDATE rooms SET last_seq = 0, last_us = 0");
    memset(last_seq, 0, sizeof last_seq);
    if (!PQenterPipelineMode(conn))
        die("enter pipeline mode");
}

typedef struct {
    size_t shape;
    unsigned batch, rooms;
} trial_t;

static void run_shape(void *arg)
{
    const trial_t *trial = arg;
    make_batch(trial->batch, trial->rooms);
    shapes[trial->shape].run();
}

static void compare_shapes(const char *url)
{
    conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK)
        die("connect");
    for (const cf_migration_t *m = cf_postgres_migrations; m->version; m++)
        command(m->sql);
    command(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
        "INSERT INTO users VALUES ('01000000-0000-0000-0000-000000000001', 'ann', 'a', '', 1);"
        "INSERT INTO rooms SELECT ('02000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid,"
        " 'room', '01000000-0000-0000-0000-000000000001', 1, false FROM generate_series(0, 99) n");
    for (int i = 0; i < STATEMENTS; i++)
        PQclear(PQprepare(conn, statements[i].name, statements[i].sql, 0, NULL));
    int n = 0;
    for (int slice = 0; slice < SLICES; slice++) {
        n = 0;
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (int b = 0; b < 3; b++)
                for (int r = 0; r < (shapes[s].locks ? 3 : 1); r++) {
                    cell_t *cell = &cells[n++];
                    cell->shape = shapes[s].name;
                    cell->batch = batches[b];
                    cell->rooms = spreads[r];
                    reset_tables();
                    measure(cell, slice, run_shape, &(trial_t){s, batches[b], spreads[r]});
                }
    }
    report(n);
    PQexitPipelineMode(conn);
    command("DROP TABLE posts, post_keys, members, sessions, rooms, users");
    PQfinish(conn);
    conn = NULL;
}

/* --- the store itself ----------------------------------------------------------------------------
 */

static cf_post_t rows[BATCH_MAX];
static char keys[BATCH_MAX][32];
static cf_write_t writes[ROOMS];
static cf_outcome_t outcomes[ROOMS];

static unsigned make_runs(unsigned batch, unsigned rooms, bool with_keys)
{
    unsigned used = rooms < batch ? rooms : batch, at = 0;
    for (unsigned r = 0; r < used; r++) {
        unsigned n = batch / used + (r < batch % used);
        writes[r] = (cf_write_t){.kind = CF_WRITE_APPEND,
                                 .append = {number_id(2, r), 1, last_seq[r], &rows[at], n}};
        for (unsigned i = 0; i < n; i++, at++) {
            int size = snprintf(keys[at], sizeof keys[at], "key-%llu", (unsigned long long)made);
            rows[at] = (cf_post_t){.seq = ++last_seq[r],
                                   .id = cf_id_new(cf_wall_us()),
                                   .sender = number_id(1, 1),
                                   .at_us = 1000000 + (int64_t)made++,
                                   .kind = CF_POST_TEXT,
                                   .text = {TEXT, 128},
                                   .client_key = {keys[at], with_keys ? (uint32_t)size : 0}};
        }
    }
    return used;
}

static void must(cf_store_t *store, unsigned n)
{
    int rc = store->ops->write(store, writes, n, outcomes);
    for (unsigned i = 0; i < n; i++)
        if (rc < 0 || outcomes[i].rc < 0 ||
            (writes[i].kind == CF_WRITE_APPEND && outcomes[i].status != CF_VERDICT_STORED))
            die("write");
}

static void fill_store(cf_store_t *store)
{
    writes[0] = (cf_write_t){
        .kind = CF_WRITE_CREATE_USER,
        .create_user = {
            .id = number_id(1, 1), .username = {"ann", 3}, .email = {"a", 1}, .created_us = 1}};
    must(store, 1);
    for (unsigned r = 0; r < ROOMS; r++) {
        writes[0] = (cf_write_t){.kind = CF_WRITE_CREATE_ROOM,
                                 .create_room = {.id = number_id(2, r),
                                                 .name = {"room", 4},
                                                 .creator = number_id(1, 1),
                                                 .created_us = 1}};
        writes[1] = (cf_write_t){.kind = CF_WRITE_ACTIVATE, .activate.room = number_id(2, r)};
        must(store, 2);
        last_seq[r] = 0;
    }
}

typedef struct {
    cf_store_t *store;
    unsigned batch, rooms;
    bool with_keys;
} load_t;

static void append_batch(void *arg)
{
    const load_t *load = arg;
    must(load->store, make_runs(load->batch, load->rooms, load->with_keys));
}

static void measure_store(const char *url)
{
    cf_store_config_t config = {
        .url = url, .role = CF_STORE_WRITER, .statement_ms = 4000, .key_ttl_us = 600000000};
    cf_store_t *store;
    if (cf_store_open(&store, &config) < 0)
        die("open");
    fill_store(store);
    for (int slice = 0; slice < SLICES; slice++)
        for (int i = 0; i < 18; i++) {
            load_t load = {store, batches[i / 3 % 3], spreads[i % 3], i >= 9};
            cells[i].shape =
                load.with_keys ? "the store, every row with a client key" : "the store";
            cells[i].batch = load.batch;
            cells[i].rooms = load.rooms;
            measure(&cells[i], slice, append_batch, &load);
        }
    report(18);
    store->ops->close(store);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: append-run URL (of an empty store)\n");
        return 2;
    }
    if (strncmp(argv[1], "postgres", 8) == 0)
        compare_shapes(argv[1]);
    measure_store(argv[1]);
    return 0;
}
