/* The tables `nodes` and `revocations` on PostgreSQL. Each call is one transaction in one trip. A heartbeat takes no lock that another one
 * waits for: rows that are locked are passed over, and what is left undone is the next heartbeat's, of whomever. */
#include "registry.h"

#include "pg_array.h"
#include "pg_link.h"

#include <stdlib.h>

#define KEPT_US "86400000000" /* a day; then nobody can mistake a number for another process's */
#define ENTER_LOCK "7309453117222" /* any number that nobody else locks */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::int8"
#define STATEMENTS_MAX 10 /* of one call */
/* A node that cannot read them for so long is gone: nobody needs them any more. */
#define ENDED_KEPT_US "600000000"
#define ENDED_FORGOTTEN_MAX "1000" /* in one heartbeat, so that it does not wait */

typedef enum {
    BEGIN,
    END_IF_CUT_OFF,
    COMMIT,
    LOCK_ENTRY,
    FORGET,
    MARK_LATE_BEFORE,
    MARK_REPLACED,
    ENTER,
    BEAT,
    MARK_LATE,
    MARK_CUT_OFF,
    WHY,
    THERE,
    SNAPSHOT,
    LIMIT_KEY,
    ENDED,
    FORGET_ENDED,
    LEAVE,
    STATEMENT_COUNT,
} statement_t;

/* What ENTER answers. */
enum { ENTERED, NAME_TAKEN, CANNOT_TALK, TOO_MANY, NUMBER_USED, KEY_TAKEN, GONE_AFTER_DIFFERS };

static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN",
    /* A node that is cut off between this and its COMMIT must not keep the rows locked. */
    [END_IF_CUT_OFF] = "SET LOCAL idle_in_transaction_session_timeout = 2000",
    [COMMIT] = "COMMIT",
    [LOCK_ENTRY] = "SELECT pg_advisory_xact_lock(" ENTER_LOCK ")",
    [FORGET] = "DELETE FROM nodes WHERE gone_us < " NOW " - " KEPT_US,
    /* Each after its own time, as who comes may have a shorter one. */
    [MARK_LATE_BEFORE] = "UPDATE nodes SET gone_us = " NOW ", gone_why = 2"
                         " WHERE gone_us IS NULL AND number <> $1::int8"
                         " AND beat_us < " NOW " - coalesce(gone_after_us, $2::int8)",
    [MARK_REPLACED] = "UPDATE nodes SET gone_us = " NOW ", gone_why = 4"
                      " WHERE gone_us IS NULL AND number <> $1::int8 AND name = $2::text"
                      " AND endpoint = $3::text",
    [ENTER] = "WITH others AS (SELECT name, endpoint, public_key, gone_after_us FROM nodes WHERE "
              "gone_us IS NULL"
              " AND number <> $1::int8),"
              " verdict AS (SELECT CASE"
              " WHEN EXISTS (SELECT 1 FROM nodes WHERE number = $1::int8 AND (gone_us IS NOT NULL"
              " OR name <> $2::text OR endpoint <> $3::text)) THEN 4"
              " WHEN EXISTS (SELECT 1 FROM others WHERE name = $2::text) THEN 1"
              " WHEN EXISTS (SELECT 1 FROM others WHERE endpoint = '' OR $3::text = '') THEN 2"
              " WHEN EXISTS (SELECT 1 FROM others WHERE public_key = $4::text) THEN 5"
              " WHEN EXISTS (SELECT 1 FROM others WHERE gone_after_us <> $8::int8) THEN 6"
              " WHEN (SELECT count(*) FROM others) >= $6::int8 THEN 3"
              " ELSE 0 END AS code),"
              " put AS (INSERT INTO nodes (number, name, endpoint, public_key, version, "
              "roles, entered_us, beat_us,"
              " steady_us, gone_after_us) SELECT $1::int8, $2::text, $3::text, $4::text, "
              "$5::int8::int4, $7::int8, " NOW ", " NOW ", " NOW
              ", $8::int8 FROM verdict WHERE code = 0 ON CONFLICT (number) DO NOTHING)"
              " SELECT code, coalesce((SELECT min(gone_after_us) FROM others WHERE gone_after_us "
              "<> $8::int8), 0)"
              " FROM verdict",
    [BEAT] = "UPDATE nodes SET beat_us = " NOW ", steady_us = CASE WHEN " NOW
             " - beat_us > $2::int8 * 2 / 3 THEN " NOW " ELSE steady_us END, unheard = $3::int8[]"
             " WHERE number = $1::int8 AND gone_us IS NULL",
    [MARK_LATE] = "UPDATE nodes SET gone_us = " NOW ", gone_why = 2 WHERE number IN (SELECT number"
                  " FROM nodes WHERE gone_us IS NULL AND number <> $1::int8 AND beat_us < " NOW
                  " - $2::int8 AND EXISTS (SELECT 1 FROM nodes WHERE number = $1::int8"
                  " AND gone_us IS NULL AND steady_us <= " NOW " - $2::int8)"
                  " FOR UPDATE SKIP LOCKED)",
    [MARK_CUT_OFF] =
        /* Who has ended is unheard as well, and by one before the others: it is left to MARK_LATE */
    "WITH there AS (SELECT number, unheard, entered_us FROM nodes WHERE gone_us IS NULL"
    " AND beat_us >= " NOW " - $2::int8 / 2),"
    " cut AS (SELECT a.number AS one, a.entered_us FROM there a JOIN there b ON a.number <> "
    "b.number"
    " AND (b.number = ANY (a.unheard) OR a.number = ANY (b.unheard))),"
    " lacks AS (SELECT one, entered_us, count(*) AS n FROM cut GROUP BY one, entered_us),"
    " worst AS (SELECT one FROM lacks WHERE $3::int8 <> 0"
    " OR (SELECT count(*) FROM nodes WHERE gone_us IS NULL) = 2"
    " OR (SELECT count(*) FROM lacks WHERE n = (SELECT max(n) FROM lacks)) = 1"
    " ORDER BY n DESC, entered_us DESC, one DESC LIMIT 1)"
    " UPDATE nodes SET gone_us = " NOW ", gone_why = 3 WHERE number IN (SELECT number FROM nodes"
    " WHERE number = (SELECT one FROM worst) AND gone_us IS NULL AND EXISTS (SELECT 1 FROM "
    "there"
    " WHERE number = $1::int8) FOR UPDATE SKIP LOCKED)",
    [WHY] = "SELECT CASE WHEN EXISTS (SELECT 1 FROM nodes WHERE number = $1::int8)"
            " THEN (SELECT coalesce(gone_why, 0)::int4 FROM nodes WHERE number = $1::int8)"
            " ELSE 2 END",
    [THERE] = "SELECT number, name, endpoint, public_key, version, roles FROM nodes"
              " WHERE gone_us IS NULL ORDER BY entered_us, number",
    [SNAPSHOT] = "SELECT pg_current_snapshot()::text",
    [LIMIT_KEY] = "SELECT limit_key FROM chat",
    /* At least one row: the snapshot of this very reading. xmin, for the index; alone it would bring all again, in each
     * heartbeat, for as long as any transaction of the whole server is open. */
    [ENDED] = "SELECT s::text, r.session, r.token_hash, r.user_id, r.asked_us"
              " FROM pg_current_snapshot() s LEFT JOIN revocations r"
              " ON r.xid >= pg_snapshot_xmin($1::text::pg_snapshot)"
              " AND NOT pg_visible_in_snapshot(r.xid, $1::text::pg_snapshot)"
              " ORDER BY r.xid, r.id",
    [FORGET_ENDED] = "DELETE FROM revocations WHERE (xid, id) IN (SELECT xid, id FROM revocations"
                     " WHERE at_us < " NOW " - " ENDED_KEPT_US " ORDER BY at_us"
                     " LIMIT " ENDED_FORGOTTEN_MAX " FOR UPDATE SKIP LOCKED)",
    [LEAVE] = "UPDATE nodes SET gone_us = " NOW ", gone_why = 1 WHERE number = $1::int8"
              " AND gone_us IS NULL",
};

typedef struct {
    cf_registry_t base;
    cf_store_config_t config;
    cf_pg_link_t link;
    cf_pg_array_t unheard;
    cf_buf_t snapshot; /* what is visible in it was told, or was before this node entered */
} registry_t;

/* A transaction: statements sent one behind the other and answered in one trip. */
typedef struct {
    registry_t *self;
    int sent, rc;
    PGresult *results[STATEMENTS_MAX];
} trip_t;

static void add(trip_t *trip, statement_t which, const cf_pg_param_t *params, int n)
{
    if (trip->rc < 0)
        return;
    trip->rc = cf_pg_send(&trip->self->link, which, params, n);
    trip->sent += trip->rc == 0;
}

static void begin(trip_t *trip, registry_t *self)
{
    *trip = (trip_t){.self = self, .rc = cf_pg_begin(&self->link)};
    add(trip, BEGIN, NULL, 0);
    add(trip, END_IF_CUT_OFF, NULL, 0);
}

static void end(trip_t *trip)
{
    for (int i = 0; i < trip->sent; i++)
        PQclear(trip->results[i]);
}

/* What went wrong takes the connection with it, and so whatever transaction is open. */
static int commit(trip_t *trip)
{
    registry_t *self = trip->self;
    add(trip, COMMIT, NULL, 0);
    if (trip->rc == 0)
        trip->rc = cf_pg_collect(&self->link, trip->results, trip->sent);
    bool is_done =
        trip->rc == 0 && strcmp(PQcmdStatus(trip->results[trip->sent - 1]), "COMMIT") == 0;
    if (!is_done && self->link.conn)
        cf_pg_close(&self->link);
    return is_done ? 0 : trip->rc == CF_ENOMEM ? CF_ENOMEM : CF_EIO;
}

/* Without memory the one before stays, and what was told is told again. */
static int keep_snapshot(registry_t *self, const PGresult *result)
{
    cf_str_t text = cf_pg_text(result, 0, 0);
    int rc = cf_buf_reserve(&self->snapshot, text.size);
    if (rc < 0)
        return rc;
    cf_buf_clear(&self->snapshot);
    return cf_buf_add(&self->snapshot, text.bytes, text.size);
}

static int postgres_enter(cf_registry_t *base, const cf_node_t *node, int64_t gone_after_us,
                          cf_entry_t *entry)
{
    registry_t *self = (registry_t *)base;
    static const int codes[] = {[ENTERED] = 0,
                                [NAME_TAKEN] = CF_EEXIST,
                                [CANNOT_TALK] = CF_EPERM,
                                [TOO_MANY] = CF_EFULL,
                                [NUMBER_USED] = CF_ESTALE,
                                [KEY_TAKEN] = CF_ECONFLICT,
                                [GONE_AFTER_DIFFERS] = CF_ERANGE};
    uint64_t number, gone_after, version, most, roles;
    cf_pg_param_t params[] = {
        cf_pg_int8_param(&number, node->number),   cf_pg_text_param(node->name),
        cf_pg_text_param(node->endpoint),          cf_pg_text_param(node->public_key),
        cf_pg_int8_param(&version, node->version), cf_pg_int8_param(&most, CF_NODES_MAX),
        cf_pg_int8_param(&roles, node->roles),     cf_pg_int8_param(&gone_after, gone_after_us)};
    cf_pg_param_t late[] = {params[0], params[7]};
    trip_t trip;
    begin(&trip, self);
    add(&trip, LOCK_ENTRY, NULL, 0);
    add(&trip, FORGET, NULL, 0);
    add(&trip, MARK_LATE_BEFORE, late, 2);
    add(&trip, MARK_REPLACED, params, 3);
    add(&trip, ENTER, params, 8);
    add(&trip, SNAPSHOT, NULL, 0);
    add(&trip, LIMIT_KEY, NULL, 0);
    int rc = commit(&trip);
    if (rc == 0) {
        int32_t answer = cf_pg_int4(trip.results[trip.sent - 4], 0, 0);
        rc = keep_snapshot(self, trip.results[trip.sent - 3]);
        entry->gone_after_us = cf_pg_int8(trip.results[trip.sent - 4], 0, 1);
        entry->limit_key = cf_pg_id(trip.results[trip.sent - 2], 0, 0);
        if (rc == 0)
            rc = answer >= ENTERED && answer <= GONE_AFTER_DIFFERS ? codes[answer] : CF_EIO;
    }
    end(&trip);
    return rc;
}

static void deliver(const PGresult *result, const cf_view_t *view)
{
    for (int i = 0; i < PQntuples(result); i++)
        view->node(view->arg, &(cf_node_t){.number = (uint32_t)cf_pg_int8(result, i, 0),
                                           .name = cf_pg_text(result, i, 1),
                                           .endpoint = cf_pg_text(result, i, 2),
                                           .public_key = cf_pg_text(result, i, 3),
                                           .version = (uint32_t)cf_pg_int4(result, i, 4),
                                           .roles = (uint32_t)cf_pg_int8(result, i, 5)});
}

/* If there was no memory to tell all of them, the next heartbeat begins with the same. */
static void deliver_ended(registry_t *self, const PGresult *result, const cf_view_t *view)
{
    for (int i = 0; i < PQntuples(result); i++) {
        bool is_user = !PQgetisnull(result, i, 3), is_session = !PQgetisnull(result, i, 1);
        cf_ended_t ended = {.is_user = is_user};
        if (is_user) {
            ended.id = cf_pg_id(result, i, 3);
            ended.asked_us = cf_pg_int8(result, i, 4);
        }
        if (is_session)
            ended.id = cf_pg_id(result, i, 1);
        if (is_session && PQgetlength(result, i, 2) == CF_TOKEN_HASH_SIZE)
            memcpy(ended.token_hash, PQgetvalue(result, i, 2), CF_TOKEN_HASH_SIZE);
        if ((is_user || is_session) && view->ended(view->arg, &ended) < 0)
            return;
    }
    keep_snapshot(self, result);
}

static int postgres_beat(cf_registry_t *base, const cf_heartbeat_t *beat, const cf_view_t *view,
                         cf_node_end_t *why)
{
    registry_t *self = (registry_t *)base;
    uint64_t number, gone_after, waited;
    cf_pg_array_start(&self->unheard, CF_PG_INT8);
    for (uint32_t i = 0; i < beat->unheard_count; i++)
        cf_pg_array_int8(&self->unheard, beat->unheard[i]);
    if (self->unheard.failed)
        return CF_ENOMEM;
    cf_pg_param_t params[] = {cf_pg_int8_param(&number, beat->number),
                              cf_pg_int8_param(&gone_after, beat->gone_after_us),
                              {self->unheard.bytes.data, (int)self->unheard.bytes.size}};
    cf_pg_param_t cut[] = {params[0], params[1], cf_pg_int8_param(&waited, beat->waited)};
    cf_pg_param_t since = cf_pg_text_param(
        (cf_str_t){(const char *)self->snapshot.data, (uint32_t)self->snapshot.size});
    trip_t trip;
    begin(&trip, self);
    add(&trip, BEAT, params, 3);
    add(&trip, MARK_LATE, params, 2);
    add(&trip, MARK_CUT_OFF, cut, 3);
    add(&trip, WHY, params, 1);
    add(&trip, THERE, NULL, 0);
    add(&trip, ENDED, &since, 1);
    add(&trip, FORGET_ENDED, NULL, 0);
    int rc = commit(&trip);
    int32_t gone = rc == 0 ? cf_pg_int4(trip.results[trip.sent - 5], 0, 0) : 0;
    if (rc == 0 && gone == 0) {
        deliver(trip.results[trip.sent - 4], view);
        deliver_ended(self, trip.results[trip.sent - 3], view);
    } else if (rc == 0) {
        *why = (cf_node_end_t)gone;
        rc = CF_ESTALE;
    }
    end(&trip);
    return rc;
}

static int postgres_leave(cf_registry_t *base, uint32_t number)
{
    uint64_t wire;
    cf_pg_param_t param = cf_pg_int8_param(&wire, number);
    trip_t trip;
    begin(&trip, (registry_t *)base);
    add(&trip, LEAVE, &param, 1);
    int rc = commit(&trip);
    end(&trip);
    return rc;
}

static void postgres_close(cf_registry_t *base)
{
    registry_t *self = (registry_t *)base;
    cf_pg_destroy(&self->link);
    cf_pg_array_free(&self->unheard);
    cf_buf_free(&self->snapshot);
    free(self);
}

static const cf_registry_ops_t ops = {.enter = postgres_enter,
                                      .beat = postgres_beat,
                                      .leave = postgres_leave,
                                      .close = postgres_close};

int cf_postgres_registry_open(cf_registry_t **out, const cf_store_config_t *config)
{
    registry_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->base.ops = &ops;
    self->config = *config;
    self->link = (cf_pg_link_t){
        .statements = statements, .statement_count = STATEMENT_COUNT, .config = &self->config};
    *out = &self->base;
    return 0;
}
