/* The PostgreSQL backend. A transaction of write() takes two round trips, chosen by measurement
 * (docs/spike-append-run.md):
 *
 *     BEGIN, the other writes, lock the rooms' rows in id order, look up the client keys
 *     insert posts, insert keys, set last_seq, COMMIT
 *
 * Between them append.c decides here, in C, what is stored; so the rules are the same as in every
 * backend, and the statements never meet a row they have to refuse, save for what cannot be known
 * before: an id that the room has stored already. Then the transaction is rolled back and done
 * again write by write under savepoints.
 *
 * The locks come before anything that can commit, and settle() takes the same locks. So a server
 * process that was cut off from us, however long it hangs, has either ended its transaction when
 * settle() answers, or never can commit. */
#include "postgres.h"
#include "append.h"
#include "bounds.h"
#include "clock.h"
#include "crash_point.h"
#include "log.h"
#include "migrations.h"
#include "pg_array.h"
#include "pg_link.h"
#include "store.h"
#include "wait.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIGRATE_MS 60000 /* deadline of opening as WRITER; another one may be migrating */
#define MIGRATE_PAUSE_US INT64_C(2000000) /* between two tries to get all locks of a migration */
#define MIGRATE_LOCK "7309453117221" /* any number that nobody else locks: "confab" in base 36 */

typedef enum {
    BEGIN,
    COMMIT,
    ROLLBACK,
    SAVEPOINT,
    ROLLBACK_TO,
    LOCK_ROOMS,
    FIND_KEYS,
    PUT_POSTS,
    PUT_KEYS,
    SET_ROOMS,
    ACTIVATE,
    PUT_USER,
    SET_PASSWORD,
    DISABLE_USER,
    ENABLE_USER,
    PUT_SESSION,
    REMOVE_SESSION,
    PUT_ROOM,
    PUT_MEMBER,
    REMOVE_MEMBER,
    EXPIRE_SESSIONS,
    EXPIRE_KEYS,
    PUT_DEAD_LETTER,
    REMOVE_DEAD_LETTER,
    EXPIRE_DEAD_LETTERS,
    EXPIRE_POSTS,
    USERS_BY_ID,
    USERS_BY_NAME,
    GET_SESSIONS,
    GET_MEMBERS,
    ROOMS_NEWEST,
    ROOMS_AFTER,
    POSTS_BEFORE,
    POSTS_AFTER,
    POST_IDS,
    DEAD_LETTER,
    DEAD_LETTERS,
    PING,
    STATEMENT_COUNT,
} statement_t;

/* What the single writes answer, as int4. */
enum { DONE, MISSING, TAKEN, FORBIDDEN };

#define USER_COLUMNS                                                                               \
    "u.id, u.username, u.email,"                                                                   \
    " CASE WHEN u.disabled_us IS NULL THEN u.password_hash ELSE '' END, u.created_us"
#define LETTER_COLUMNS "id, room, at_us, command, reason, attempts"
#define ROOM_COLUMNS "id, name, creator, created_us, ephemeral, epoch, last_seq, last_us"
#define POST_COLUMNS                                                                               \
    "p.seq, p.id, p.sender, p.at_us, p.kind::int4, coalesce(u.username, ''), p.text"

static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SAVEPOINT] = "SAVEPOINT one_write",
    [ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT one_write",
    /* not FOR UPDATE: it would also hold up a new member, whose row refers to the room */
    [LOCK_ROOMS] = "SELECT id, epoch, last_seq, last_us, ephemeral FROM rooms"
                   " WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE",
    [FIND_KEYS] = "SELECT k.room, k.sender, k.client_key, k.seq, k.id, k.at_us, k.body_hash"
                  " FROM unnest($1::uuid[], $2::uuid[], $3::text[]) q (room, sender, client_key)"
                  " JOIN post_keys k USING (room, sender, client_key)",
    [PUT_POSTS] = "INSERT INTO posts (room, seq, id, sender, at_us, kind, text) SELECT * FROM"
                  " unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::int8[], $6::int4[],"
                  " $7::text[])",
    /* in place of an expired one: one that counts was found by FIND_KEYS */
    [PUT_KEYS] = "INSERT INTO post_keys (room, sender, client_key, seq, id, at_us, body_hash)"
                 " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::uuid[],"
                 " $6::int8[], $7::bytea[]) ON CONFLICT (room, sender, client_key) DO UPDATE SET"
                 " seq = excluded.seq, id = excluded.id, at_us = excluded.at_us,"
                 " body_hash = excluded.body_hash",
    [SET_ROOMS] = "UPDATE rooms SET last_seq = q.seq, last_us = q.at_us, oldest_us = CASE"
                  " WHEN rooms.oldest_us = 0 THEN q.first_us ELSE rooms.oldest_us END"
                  " FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[],"
                  " $6::int8[]) q (id, epoch, prev, seq, at_us, first_us)"
                  " WHERE rooms.id = q.id AND rooms.epoch = q.epoch AND rooms.last_seq = q.prev",
    /* One row if there is such a room: as it is now, or whose it was before, if it stays that one's. */
    [ACTIVATE] =
        "WITH mine AS (UPDATE rooms SET epoch = epoch + 1, owner = $2::int8"
        " WHERE id = $1::uuid AND (owner IN (0, $2::int8, $3::int8) OR NOT EXISTS"
        " (SELECT 1 FROM nodes WHERE number = owner AND gone_us IS NULL))"
        " RETURNING " ROOM_COLUMNS ")"
        " SELECT " ROOM_COLUMNS ", true, 0::int8 FROM mine UNION ALL"
        " SELECT " ROOM_COLUMNS ", false, CASE WHEN owner = $2::int8 OR NOT EXISTS"
        " (SELECT 1 FROM nodes WHERE number = owner AND gone_us IS NULL) THEN 0 ELSE owner END"
        " FROM rooms WHERE id = $1::uuid AND NOT EXISTS (SELECT 1 FROM mine)",
    /* a repeat after a lost answer is not a conflict: the same id is already there */
    [PUT_USER] = "WITH put AS (INSERT INTO users (id, username, email, password_hash, created_us)"
                 " VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::int8)"
                 " ON CONFLICT DO NOTHING RETURNING 1)"
                 " SELECT CASE WHEN EXISTS (SELECT 1 FROM put) OR EXISTS (SELECT 1 FROM users"
                 " WHERE id = $1::uuid AND username = $2::text) THEN 0 ELSE 2 END",
    [SET_PASSWORD] = "WITH put AS (UPDATE users SET password_hash = $2::text WHERE id = $1::uuid"
                     " RETURNING 1) SELECT CASE WHEN EXISTS (SELECT 1 FROM put) THEN 0 ELSE 1 END",
    [DISABLE_USER] = "WITH marked AS (UPDATE users SET disabled_us ="
                     " coalesce(disabled_us, $2::int8) WHERE id = $1::uuid RETURNING id),"
                     " gone AS (DELETE FROM sessions USING marked WHERE user_id = marked.id),"
                     " told AS (INSERT INTO revocations (user_id, asked_us) SELECT id, $2::int8"
                     " FROM marked)"
                     " SELECT CASE WHEN EXISTS (SELECT 1 FROM marked) THEN 0 ELSE 1 END",
    /* a session that another node added while the user was being disabled was not seen by that, and has been
     * nobody's since: see GET_SESSIONS */
    [ENABLE_USER] = "WITH put AS (UPDATE users SET disabled_us = NULL WHERE id = $1::uuid"
                    " RETURNING id), gone AS (DELETE FROM sessions USING put WHERE user_id = put.id"
                    " AND EXISTS (SELECT 1 FROM users WHERE id = $1::uuid AND disabled_us IS NOT"
                    " NULL)) SELECT CASE WHEN EXISTS (SELECT 1 FROM put) THEN 0 ELSE 1 END",
    [PUT_SESSION] =
        "WITH put AS (INSERT INTO sessions (token_hash, id, user_id, created_us, expires_us)"
        " SELECT $1::bytea, $2::uuid, $3::uuid, $4::int8, $5::int8"
        " WHERE EXISTS (SELECT 1 FROM users WHERE id = $3::uuid AND disabled_us IS NULL)"
        " ON CONFLICT DO NOTHING RETURNING 1) SELECT CASE"
        " WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = $3::uuid) THEN 1"
        " WHEN EXISTS (SELECT 1 FROM users WHERE id = $3::uuid AND disabled_us IS NOT NULL) THEN 3"
        " WHEN EXISTS (SELECT 1 FROM put) OR EXISTS (SELECT 1 FROM sessions"
        " WHERE token_hash = $1::bytea AND id = $2::uuid) THEN 0 ELSE 2 END",
    [REMOVE_SESSION] = "WITH gone AS (DELETE FROM sessions WHERE token_hash = $1::bytea"
                       " RETURNING id, token_hash), told AS (INSERT INTO revocations"
                       " (session, token_hash) SELECT id, token_hash FROM gone) SELECT 0",
    [PUT_ROOM] = "WITH put AS (INSERT INTO rooms (id, name, creator, created_us, ephemeral)"
                 " SELECT $1::uuid, $2::text, $3::uuid, $4::int8, $5::bool"
                 " WHERE EXISTS (SELECT 1 FROM users WHERE id = $3::uuid)"
                 " ON CONFLICT (id) DO NOTHING RETURNING id),"
                 " joined AS (INSERT INTO members (room, user_id, joined_us)"
                 " SELECT id, $3::uuid, $4::int8 FROM put)"
                 " SELECT CASE WHEN EXISTS (SELECT 1 FROM put) OR EXISTS (SELECT 1 FROM rooms"
                 " WHERE id = $1::uuid) THEN 0 ELSE 1 END",
    [PUT_MEMBER] = "WITH known AS MATERIALIZED (SELECT 1 WHERE EXISTS (SELECT 1 FROM rooms"
                   " WHERE id = $1::uuid) AND EXISTS (SELECT 1 FROM users WHERE id = $2::uuid)),"
                   " put AS (INSERT INTO members (room, user_id, joined_us)"
                   " SELECT $1::uuid, $2::uuid, $3::int8 FROM known ON CONFLICT DO NOTHING)"
                   " SELECT CASE WHEN EXISTS (SELECT 1 FROM known) THEN 0 ELSE 1 END",
    [REMOVE_MEMBER] = "WITH gone AS (DELETE FROM members WHERE room = $1::uuid"
                      " AND user_id = $2::uuid) SELECT 0",
    [EXPIRE_SESSIONS] = "WITH gone AS (DELETE FROM sessions WHERE ctid = ANY (ARRAY (SELECT ctid"
                        " FROM sessions WHERE expires_us <= $1::int8 ORDER BY expires_us"
                        " LIMIT $2::int8)) RETURNING 1) SELECT count(*)::int4 FROM gone",
    [EXPIRE_KEYS] = "WITH gone AS (DELETE FROM post_keys WHERE ctid = ANY (ARRAY (SELECT ctid"
                    " FROM post_keys WHERE at_us <= $1::int8 ORDER BY at_us"
                    " LIMIT $2::int8)) RETURNING 1) SELECT count(*)::int4 FROM gone",
    /* a repeat after a lost answer: it is there already */
    [PUT_DEAD_LETTER] = "WITH put AS (INSERT INTO dead_letters (id, room, at_us, command, reason,"
                        " attempts) VALUES ($1::uuid, $2::uuid, $3::int8, $4::text, $5::text,"
                        " $6::int8::int4) ON CONFLICT (id) DO NOTHING) SELECT 0",
    [REMOVE_DEAD_LETTER] = "WITH gone AS (DELETE FROM dead_letters WHERE id = $1::uuid) SELECT 0",
    [EXPIRE_DEAD_LETTERS] = "WITH gone AS (DELETE FROM dead_letters WHERE ctid = ANY (ARRAY (SELECT"
                            " ctid FROM dead_letters WHERE at_us <= $1::int8 ORDER BY at_us"
                            " LIMIT $2::int8)) RETURNING 1) SELECT count(*)::int4 FROM gone",
    /* A room that is written to just now is the next sweep's. If it got a post that this statement
     * cannot see yet, its row says so all the same: it is read when it is locked */
    [EXPIRE_POSTS] =
        "WITH due AS MATERIALIZED (SELECT id AS room FROM rooms WHERE oldest_us <> 0"
        " AND oldest_us <= $1::int8 ORDER BY oldest_us LIMIT $2::int8 FOR NO KEY UPDATE SKIP "
        "LOCKED),"
        " old AS MATERIALIZED (SELECT room, max(seq) AS last FROM (SELECT due.room, p.seq FROM due"
        " CROSS JOIN LATERAL (SELECT seq, at_us FROM posts WHERE posts.room = due.room"
        " ORDER BY posts.seq LIMIT $2::int8) p WHERE p.at_us <= $1::int8 LIMIT $2::int8) o"
        " GROUP BY room),"
        " gone AS (DELETE FROM posts p USING old WHERE p.room = old.room AND p.seq <= old.last"
        " RETURNING 1),"
        " kept AS MATERIALIZED (SELECT due.room, old.last, (SELECT at_us FROM posts"
        " WHERE posts.room = due.room AND posts.seq > coalesce(old.last, 0) ORDER BY posts.seq"
        " LIMIT 1) AS oldest_us FROM due LEFT JOIN old ON old.room = due.room),"
        " marked AS (UPDATE rooms SET oldest_us = CASE WHEN kept.oldest_us IS NOT NULL"
        " THEN kept.oldest_us WHEN last_seq <= coalesce(kept.last, 0) THEN 0 ELSE last_us END"
        " FROM kept WHERE rooms.id = kept.room)"
        " SELECT count(*)::int4 FROM gone",
    [USERS_BY_ID] = "SELECT k.place, " USER_COLUMNS " FROM unnest($1::uuid[], $2::int4[])"
                    " k (id, place) JOIN users u ON u.id = k.id",
    [USERS_BY_NAME] = "SELECT k.place, " USER_COLUMNS " FROM unnest($1::text[], $2::int4[])"
                      " k (name, place) JOIN users u ON u.username = k.name",
    [GET_SESSIONS] = "SELECT k.place, " USER_COLUMNS ", s.id, s.created_us, s.expires_us"
                     " FROM unnest($1::bytea[], $2::int4[]) k (token_hash, place)"
                     " JOIN sessions s ON s.token_hash = k.token_hash"
                     " JOIN users u ON u.id = s.user_id AND u.disabled_us IS NULL",
    [GET_MEMBERS] =
        "SELECT k.place, EXISTS (SELECT 1 FROM rooms WHERE id = k.room),"
        " EXISTS (SELECT 1 FROM members m WHERE m.room = k.room AND m.user_id = k.user_id)"
        " FROM unnest($1::uuid[], $2::uuid[], $3::int4[]) k (room, user_id, place)",
    [ROOMS_NEWEST] = "SELECT " ROOM_COLUMNS " FROM rooms ORDER BY created_us DESC, id DESC"
                     " LIMIT $1::int8",
    [ROOMS_AFTER] = "SELECT " ROOM_COLUMNS " FROM rooms WHERE (created_us, id) <"
                    " (SELECT created_us, id FROM rooms WHERE id = $2::uuid)"
                    " ORDER BY created_us DESC, id DESC LIMIT $1::int8",
    /* the range's form becomes the first seq that is too new. Times rise with seq, so a time is
     * found by halving. A range with an unknown post has none (NULL); every range gives at least
     * one row */
    [POSTS_BEFORE] =
        "WITH k AS MATERIALIZED (SELECT place, room, most, CASE form"
        " WHEN 1 THEN 9223372036854775807 WHEN 2 THEN at"
        " WHEN 3 THEN coalesce((WITH RECURSIVE halves (low, high) AS ("
        " SELECT 1::int8, last_seq + 1 FROM rooms WHERE rooms.id = q.room UNION ALL"
        " SELECT CASE WHEN p.at_us < q.at THEN p.seq + 1 ELSE h.low END,"
        " CASE WHEN p.at_us < q.at THEN h.high ELSE (h.low + h.high) / 2 END"
        " FROM halves h LEFT JOIN LATERAL (SELECT seq, at_us FROM posts WHERE posts.room = q.room"
        " AND posts.seq >= (h.low + h.high) / 2 ORDER BY posts.seq LIMIT 1) p ON true"
        " WHERE h.low < h.high) SELECT low FROM halves WHERE low >= high), 9223372036854775807)"
        " ELSE (SELECT seq FROM posts WHERE posts.id = q.id AND posts.room = q.room) END AS too_new"
        " FROM unnest($1::uuid[], $2::int4[], $3::int8[], $4::uuid[], $5::int4[], $6::int4[])"
        " q (room, form, at, id, most, place)),"
        " f AS MATERIALIZED (SELECT place, CASE WHEN too_new IS NULL THEN 0 WHEN EXISTS (SELECT 1"
        " FROM posts WHERE posts.room = k.room AND posts.seq >= k.too_new) THEN 2 ELSE 1 END AS "
        "found"
        " FROM k)"
        " SELECT k.place, (SELECT found FROM f WHERE f.place = k.place), p.seq IS NOT "
        "NULL, " POST_COLUMNS
        " FROM k LEFT JOIN LATERAL (SELECT * FROM posts WHERE posts.room = k.room"
        " AND posts.seq < k.too_new ORDER BY posts.seq DESC LIMIT k.most) p ON true"
        " LEFT JOIN users u ON u.id = p.sender ORDER BY k.place, p.seq",
    [POSTS_AFTER] =
        "SELECT k.place, 1, p.seq IS NOT NULL, " POST_COLUMNS
        " FROM unnest($1::uuid[], $2::int4[], $3::int8[], $4::uuid[], $5::int4[], $6::int4[])"
        " k (room, form, at, id, most, place)"
        " LEFT JOIN LATERAL (SELECT * FROM posts WHERE posts.room = k.room"
        " AND posts.seq > k.at ORDER BY posts.seq LIMIT k.most) p ON true"
        " LEFT JOIN users u ON u.id = p.sender ORDER BY k.place, p.seq",
    [POST_IDS] = "SELECT q.place, p.seq, p.id FROM unnest($1::uuid[], $2::int8[], $3::int8[],"
                 " $4::int4[]) q (room, first, last, place)"
                 " CROSS JOIN LATERAL (SELECT seq, id FROM posts WHERE posts.room = q.room"
                 " AND posts.seq BETWEEN q.first AND q.last ORDER BY posts.seq) p"
                 " ORDER BY q.place, p.seq",
    [DEAD_LETTER] = "SELECT " LETTER_COLUMNS " FROM dead_letters WHERE id = $1::uuid",
    [DEAD_LETTERS] = "SELECT " LETTER_COLUMNS " FROM dead_letters"
                     " WHERE (at_us, id) > ($1::int8, $2::uuid) ORDER BY at_us, id"
                     " LIMIT $3::int8",
    [PING] = "SELECT 1",
};

const char *cf_postgres_sql(size_t i)
{
    return i < STATEMENT_COUNT ? statements[i] : NULL;
}

/* Arrays of the statements under construction; memory is kept between calls. */
typedef struct {
    cf_pg_array_t rooms;                                                     /* LOCK_ROOMS */
    cf_pg_array_t find_room, find_sender, find_key;                          /* FIND_KEYS */
    cf_pg_array_t post_room, seq, id, sender, at_us, kind, text;             /* PUT_POSTS */
    cf_pg_array_t key_room, key_sender, key, key_seq, key_id, key_at, hash;  /* PUT_KEYS */
    cf_pg_array_t set_room, set_epoch, set_prev, set_seq, set_at, set_first; /* SET_ROOMS */
    cf_pg_array_t a, b, c, d, e, f;                                          /* reads */
} arrays_t;

typedef struct {
    cf_store_t base;
    cf_store_config_t config;
    cf_pg_link_t link;
    arrays_t arrays;
    bool commit_sent; /* by the write under way: losing the connection leaves its end unknown */
} postgres_t;

static cf_pg_param_t array_param(const cf_pg_array_t *array)
{
    return (cf_pg_param_t){array->bytes.data, (int)array->bytes.size};
}

static cf_pg_param_t id_param(const cf_id_t *id)
{
    return (cf_pg_param_t){id->bytes, CF_ID_SIZE};
}

/* --- a stage: writes that one pass of the two trips can carry
 * --------------------------------------- */

typedef struct {
    cf_append_room_t row;
    uint64_t was_seq; /* last_seq as locked */
    int64_t first_us; /* time of the first row taken */
} stage_room_t;

/* A client key of the stage: looked up before, or taken in it. Compared as bytes up to `kept`. */
typedef struct {
    cf_id_t room, sender;
    char client_key[CF_CLIENT_KEY_MAX]; /* the rest zero */
    cf_append_key_t kept;
    bool exists;
} stage_key_t;
#define KEY_NAME_SIZE offsetof(stage_key_t, kept)

typedef struct {
    postgres_t *self;
    stage_room_t *rooms; /* sorted by id, each once */
    size_t room_count;
    stage_key_t *keys; /* sorted, each once */
    size_t key_count;
    uint32_t rows; /* taken so far */
} stage_t;

static void stage_free(stage_t *stage)
{
    free(stage->rooms);
    free(stage->keys);
}

static int compare_rooms(const void *a, const void *b)
{
    return cf_id_compare(((const stage_room_t *)a)->row.id, ((const stage_room_t *)b)->row.id);
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, KEY_NAME_SIZE);
}

static stage_key_t key_name(cf_id_t room, cf_id_t sender, cf_str_t client_key)
{
    stage_key_t key;
    memset(&key, 0, sizeof key);
    key.room = room;
    key.sender = sender;
    memcpy(key.client_key, client_key.bytes, client_key.size);
    return key;
}

static bool has_key(const cf_post_t *row)
{
    return row->client_key.size > 0 && row->client_key.size <= CF_CLIENT_KEY_MAX;
}

/* Sorts and drops repeats; the new count. */
static size_t sort_unique(void *base, size_t n, size_t size,
                          int (*compare)(const void *, const void *))
{
    char *items = base;
    size_t kept = 0;
    qsort(base, n, size, compare);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare(items + (kept - 1) * size, items + i * size) != 0)
            memmove(items + kept++ * size, items + i * size, size);
    return kept;
}

/* The rooms and keys that the appends among writes name. */
static int stage_gather(stage_t *stage, const cf_write_t *writes, size_t n)
{
    size_t runs = 0, keys = 0;
    for (size_t i = 0; i < n; i++)
        if (writes[i].kind == CF_WRITE_APPEND) {
            runs++;
            keys += writes[i].append.n;
        }
    stage->rooms = calloc(runs + 1, sizeof *stage->rooms);
    stage->keys = calloc(keys + 1, sizeof *stage->keys);
    if (!stage->rooms || !stage->keys)
        return CF_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (writes[i].kind != CF_WRITE_APPEND)
            continue;
        const cf_run_t *run = &writes[i].append;
        stage->rooms[stage->room_count++].row.id = run->room;
        for (uint32_t k = 0; k < run->n; k++)
            if (has_key(&run->rows[k]))
                stage->keys[stage->key_count++] =
                    key_name(run->room, run->rows[k].sender, run->rows[k].client_key);
    }
    stage->room_count =
        sort_unique(stage->rooms, stage->room_count, sizeof *stage->rooms, compare_rooms);
    stage->key_count =
        sort_unique(stage->keys, stage->key_count, sizeof *stage->keys, compare_keys);
    return 0;
}

static stage_room_t *stage_room(const stage_t *stage, cf_id_t id)
{
    stage_room_t wanted = {.row = {.id = id}};
    return bsearch(&wanted, stage->rooms, stage->room_count, sizeof wanted, compare_rooms);
}

static stage_key_t *stage_key(const stage_t *stage, const stage_key_t *wanted)
{
    return bsearch(wanted, stage->keys, stage->key_count, sizeof *wanted, compare_keys);
}

/* --- first trip: locks and keys
 * --------------------------------------------------------------------- */

static int send_lock(stage_t *stage)
{
    arrays_t *arrays = &stage->self->arrays;
    cf_pg_array_start(&arrays->rooms, CF_PG_UUID);
    for (size_t i = 0; i < stage->room_count; i++)
        cf_pg_array_id(&arrays->rooms, stage->rooms[i].row.id);
    if (arrays->rooms.failed)
        return CF_ENOMEM;
    cf_pg_param_t param = array_param(&arrays->rooms);
    return cf_pg_send(&stage->self->link, LOCK_ROOMS, &param, 1);
}

static int send_find_keys(stage_t *stage)
{
    arrays_t *arrays = &stage->self->arrays;
    cf_pg_array_start(&arrays->find_room, CF_PG_UUID);
    cf_pg_array_start(&arrays->find_sender, CF_PG_UUID);
    cf_pg_array_start(&arrays->find_key, CF_PG_TEXT);
    for (size_t i = 0; i < stage->key_count; i++) {
        const stage_key_t *key = &stage->keys[i];
        cf_pg_array_id(&arrays->find_room, key->room);
        cf_pg_array_id(&arrays->find_sender, key->sender);
        cf_pg_array_bytes(&arrays->find_key, key->client_key,
                          (uint32_t)strnlen(key->client_key, CF_CLIENT_KEY_MAX));
    }
    if (arrays->find_room.failed || arrays->find_sender.failed || arrays->find_key.failed)
        return CF_ENOMEM;
    cf_pg_param_t params[] = {array_param(&arrays->find_room), array_param(&arrays->find_sender),
                              array_param(&arrays->find_key)};
    return cf_pg_send(&stage->self->link, FIND_KEYS, params, 3);
}

static void take_rooms(stage_t *stage, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        stage_room_t *room = stage_room(stage, cf_pg_id(result, i, 0));
        if (!room)
            continue; /* not asked for; cannot be */
        room->row.exists = true;
        room->row.epoch = (uint64_t)cf_pg_int8(result, i, 1);
        room->row.last_seq = room->was_seq = (uint64_t)cf_pg_int8(result, i, 2);
        room->row.last_us = cf_pg_int8(result, i, 3);
        room->row.ephemeral = cf_pg_bool(result, i, 4);
    }
}

static void take_keys(stage_t *stage, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        cf_str_t text = cf_pg_text(result, i, 2), hash = cf_pg_text(result, i, 6);
        if (text.size > CF_CLIENT_KEY_MAX || hash.size != CF_BODY_HASH_SIZE)
            continue;
        stage_key_t name = key_name(cf_pg_id(result, i, 0), cf_pg_id(result, i, 1), text);
        stage_key_t *key = stage_key(stage, &name);
        if (!key)
            continue;
        key->exists = true;
        key->kept.seq = (uint64_t)cf_pg_int8(result, i, 3);
        key->kept.id = cf_pg_id(result, i, 4);
        key->kept.at_us = cf_pg_int8(result, i, 5);
        memcpy(key->kept.body_hash, hash.bytes, CF_BODY_HASH_SIZE);
    }
}

/* --- between the trips: the walk through the runs
 * ---------------------------------------------------- */

static int find_key(void *arg, const cf_run_t *run, const cf_post_t *row, cf_append_key_t *out)
{
    stage_key_t name = key_name(run->room, row->sender, row->client_key);
    const stage_key_t *key = stage_key(arg, &name);
    if (!key || !key->exists)
        return 0;
    *out = key->kept;
    return 1;
}

static void take_key(stage_t *stage, const cf_run_t *run, const cf_post_t *row)
{
    arrays_t *arrays = &stage->self->arrays;
    stage_key_t name = key_name(run->room, row->sender, row->client_key);
    stage_key_t *key = stage_key(stage, &name);
    key->exists = true;
    key->kept = (cf_append_key_t){.seq = row->seq, .id = row->id, .at_us = row->at_us};
    memcpy(key->kept.body_hash, row->body_hash, CF_BODY_HASH_SIZE);
    cf_pg_array_id(&arrays->key_room, run->room);
    cf_pg_array_id(&arrays->key_sender, row->sender);
    cf_pg_array_bytes(&arrays->key, row->client_key.bytes, row->client_key.size);
    cf_pg_array_int8(&arrays->key_seq, (int64_t)row->seq);
    cf_pg_array_id(&arrays->key_id, row->id);
    cf_pg_array_int8(&arrays->key_at, row->at_us);
    cf_pg_array_bytes(&arrays->hash, row->body_hash, CF_BODY_HASH_SIZE);
}

static void note_first(stage_t *stage, const cf_run_t *run, const cf_post_t *row)
{
    stage_room_t *room = stage_room(stage, run->room);
    if (row->seq == room->was_seq + 1)
        room->first_us = row->at_us;
}

static int take_row(void *arg, const cf_run_t *run, const cf_post_t *row)
{
    stage_t *stage = arg;
    arrays_t *arrays = &stage->self->arrays;
    cf_pg_array_id(&arrays->post_room, run->room);
    cf_pg_array_int8(&arrays->seq, (int64_t)row->seq);
    cf_pg_array_id(&arrays->id, row->id);
    cf_pg_array_id(&arrays->sender, row->sender);
    cf_pg_array_int8(&arrays->at_us, row->at_us);
    cf_pg_array_int4(&arrays->kind, (int32_t)row->kind);
    cf_pg_array_bytes(&arrays->text, row->text.bytes, row->text.size);
    if (has_key(row))
        take_key(stage, run, row);
    if (row->seq == run->prev + 1)
        note_first(stage, run, row);
    stage->rows++;
    return 0;
}

static void start_rows(arrays_t *arrays)
{
    cf_pg_array_t *ids[] = {&arrays->post_room, &arrays->id,         &arrays->sender,
                            &arrays->key_room,  &arrays->key_sender, &arrays->key_id,
                            &arrays->set_room};
    cf_pg_array_t *numbers[] = {&arrays->seq,       &arrays->at_us,    &arrays->key_seq,
                                &arrays->key_at,    &arrays->set_seq,  &arrays->set_at,
                                &arrays->set_epoch, &arrays->set_prev, &arrays->set_first};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        cf_pg_array_start(ids[i], CF_PG_UUID);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cf_pg_array_start(numbers[i], CF_PG_INT8);
    cf_pg_array_start(&arrays->kind, CF_PG_INT4);
    cf_pg_array_start(&arrays->text, CF_PG_TEXT);
    cf_pg_array_start(&arrays->key, CF_PG_TEXT);
    cf_pg_array_start(&arrays->hash, CF_PG_BYTEA);
}

static int walk_runs(stage_t *stage, const cf_write_t *writes, size_t n, cf_outcome_t *outcomes)
{
    static const cf_append_ops_t ops = {find_key, take_row};
    start_rows(&stage->self->arrays);
    for (size_t i = 0; i < n; i++) {
        if (writes[i].kind != CF_WRITE_APPEND)
            continue;
        const cf_run_t *run = &writes[i].append;
        int rc = cf_append_run(&stage_room(stage, run->room)->row, run,
                               stage->self->config.key_ttl_us, &ops, stage, &outcomes[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- second trip: rows, keys, last_seq
 * -------------------------------------------------------------- */

/* Sends a statement whose parameters are all arrays. */
static int send_arrays(postgres_t *self, statement_t which, cf_pg_array_t *const *arrays, int n)
{
    cf_pg_param_t params[8];
    for (int i = 0; i < n; i++) {
        if (arrays[i]->failed)
            return CF_ENOMEM;
        params[i] = array_param(arrays[i]);
    }
    return cf_pg_send(&self->link, which, params, n);
}

static int send_rows(stage_t *stage, int *sent)
{
    arrays_t *a = &stage->self->arrays;
    for (size_t i = 0; i < stage->room_count; i++) {
        const stage_room_t *room = &stage->rooms[i];
        if (!room->row.changed)
            continue;
        cf_pg_array_id(&a->set_room, room->row.id);
        cf_pg_array_int8(&a->set_epoch, (int64_t)room->row.epoch);
        cf_pg_array_int8(&a->set_prev, (int64_t)room->was_seq);
        cf_pg_array_int8(&a->set_seq, (int64_t)room->row.last_seq);
        cf_pg_array_int8(&a->set_at, room->row.last_us);
        cf_pg_array_int8(&a->set_first, room->first_us);
    }
    cf_pg_array_t *posts[] = {&a->post_room, &a->seq,  &a->id,  &a->sender,
                              &a->at_us,     &a->kind, &a->text};
    cf_pg_array_t *keys[] = {&a->key_room, &a->key_sender, &a->key, &a->key_seq,
                             &a->key_id,   &a->key_at,     &a->hash};
    cf_pg_array_t *rooms[] = {&a->set_room, &a->set_epoch, &a->set_prev,
                              &a->set_seq,  &a->set_at,    &a->set_first};
    int rc = send_arrays(stage->self, PUT_POSTS, posts, 7);
    *sent = 1;
    if (rc == 0) {
        rc = send_arrays(stage->self, SET_ROOMS, rooms, 6);
        *sent = 2;
    }
    if (rc == 0 && a->key.length > 0) {
        rc = send_arrays(stage->self, PUT_KEYS, keys, 7);
        *sent = 3;
    }
    return rc;
}

/* --- the other writes ----------------------------------------------------------------------------
 */

/* Statement `which` with parameters listed behind it. */
#define SEND(self, which, ...)                                                                     \
    cf_pg_send(&(self)->link, which, (cf_pg_param_t[]){__VA_ARGS__},                               \
               sizeof((cf_pg_param_t[]){__VA_ARGS__}) / sizeof(cf_pg_param_t))

static int send_activate(postgres_t *self, const cf_write_t *write)
{
    uint64_t owner, from;
    return SEND(self, ACTIVATE, id_param(&write->activate.room),
                cf_pg_int8_param(&owner, write->activate.owner),
                cf_pg_int8_param(&from, write->activate.from));
}

static int send_create_user(postgres_t *self, const cf_write_t *write)
{
    const cf_user_t *user = &write->create_user;
    uint64_t created;
    return SEND(self, PUT_USER, id_param(&user->id), cf_pg_text_param(user->username),
                cf_pg_text_param(user->email), cf_pg_text_param(user->password_hash),
                cf_pg_int8_param(&created, user->created_us));
}

static int send_set_password(postgres_t *self, const cf_write_t *write)
{
    return SEND(self, SET_PASSWORD, id_param(&write->set_password.user),
                cf_pg_text_param(write->set_password.password_hash));
}

static int send_disable_user(postgres_t *self, const cf_write_t *write)
{
    uint64_t at;
    return SEND(self, DISABLE_USER, id_param(&write->disable_user.user),
                cf_pg_int8_param(&at, write->disable_user.at_us));
}

static int send_enable_user(postgres_t *self, const cf_write_t *write)
{
    return SEND(self, ENABLE_USER, id_param(&write->enable_user));
}

static int send_add_session(postgres_t *self, const cf_write_t *write)
{
    const cf_session_t *session = &write->add_session;
    uint64_t created, expires;
    return SEND(self, PUT_SESSION, {session->token_hash, CF_TOKEN_HASH_SIZE},
                id_param(&session->id), id_param(&session->user),
                cf_pg_int8_param(&created, session->created_us),
                cf_pg_int8_param(&expires, session->expires_us));
}

static int send_remove_session(postgres_t *self, const cf_write_t *write)
{
    return SEND(self, REMOVE_SESSION, {write->remove_session, CF_TOKEN_HASH_SIZE});
}

static int send_create_room(postgres_t *self, const cf_write_t *write)
{
    const cf_room_row_t *room = &write->create_room;
    uint8_t ephemeral = room->ephemeral;
    uint64_t created;
    return SEND(self, PUT_ROOM, id_param(&room->id), cf_pg_text_param(room->name),
                id_param(&room->creator), cf_pg_int8_param(&created, room->created_us),
                {&ephemeral, 1});
}

static int send_add_member(postgres_t *self, const cf_write_t *write)
{
    uint64_t at;
    return SEND(self, PUT_MEMBER, id_param(&write->member.room), id_param(&write->member.user),
                cf_pg_int8_param(&at, write->member.at_us));
}

static int send_remove_member(postgres_t *self, const cf_write_t *write)
{
    return SEND(self, REMOVE_MEMBER, id_param(&write->member.room), id_param(&write->member.user));
}

static int send_expire(postgres_t *self, const cf_write_t *write)
{
    static const statement_t which[] = {[CF_WRITE_EXPIRE_SESSIONS] = EXPIRE_SESSIONS,
                                        [CF_WRITE_EXPIRE_KEYS] = EXPIRE_KEYS,
                                        [CF_WRITE_EXPIRE_DEAD_LETTERS] = EXPIRE_DEAD_LETTERS,
                                        [CF_WRITE_EXPIRE_POSTS] = EXPIRE_POSTS};
    uint64_t until, limit;
    return SEND(self, which[write->kind], cf_pg_int8_param(&until, write->expire.until_us),
                cf_pg_int8_param(&limit, write->expire.limit));
}

static int send_dead_letter(postgres_t *self, const cf_write_t *write)
{
    const cf_dead_letter_t *letter = &write->dead_letter;
    uint64_t at, attempts;
    return SEND(self, PUT_DEAD_LETTER, id_param(&letter->id), id_param(&letter->room),
                cf_pg_int8_param(&at, letter->at_us), cf_pg_text_param(letter->command),
                cf_pg_text_param(letter->reason), cf_pg_int8_param(&attempts, letter->attempts));
}

static int send_remove_dead_letter(postgres_t *self, const cf_write_t *write)
{
    return SEND(self, REMOVE_DEAD_LETTER, id_param(&write->remove_dead_letter));
}

/* By kind; appends are not sent one by one. */
static int (*const send_single[])(postgres_t *self, const cf_write_t *write) = {
    [CF_WRITE_ACTIVATE] = send_activate,
    [CF_WRITE_CREATE_USER] = send_create_user,
    [CF_WRITE_SET_PASSWORD] = send_set_password,
    [CF_WRITE_DISABLE_USER] = send_disable_user,
    [CF_WRITE_ENABLE_USER] = send_enable_user,
    [CF_WRITE_ADD_SESSION] = send_add_session,
    [CF_WRITE_REMOVE_SESSION] = send_remove_session,
    [CF_WRITE_CREATE_ROOM] = send_create_room,
    [CF_WRITE_ADD_MEMBER] = send_add_member,
    [CF_WRITE_REMOVE_MEMBER] = send_remove_member,
    [CF_WRITE_EXPIRE_SESSIONS] = send_expire,
    [CF_WRITE_EXPIRE_KEYS] = send_expire,
    [CF_WRITE_DEAD_LETTER] = send_dead_letter,
    [CF_WRITE_REMOVE_DEAD_LETTER] = send_remove_dead_letter,
    [CF_WRITE_EXPIRE_DEAD_LETTERS] = send_expire,
    [CF_WRITE_EXPIRE_POSTS] = send_expire,
};

static bool is_expiry(cf_write_kind_t kind)
{
    return kind == CF_WRITE_EXPIRE_SESSIONS || kind == CF_WRITE_EXPIRE_KEYS ||
           kind == CF_WRITE_EXPIRE_DEAD_LETTERS || kind == CF_WRITE_EXPIRE_POSTS;
}

static cf_room_row_t column_room(const PGresult *result, int row)
{
    return (cf_room_row_t){.id = cf_pg_id(result, row, 0),
                           .name = cf_pg_text(result, row, 1),
                           .creator = cf_pg_id(result, row, 2),
                           .created_us = cf_pg_int8(result, row, 3),
                           .ephemeral = cf_pg_bool(result, row, 4),
                           .epoch = (uint64_t)cf_pg_int8(result, row, 5),
                           .last_seq = (uint64_t)cf_pg_int8(result, row, 6),
                           .last_us = cf_pg_int8(result, row, 7)};
}

static void take_activated(const PGresult *result, cf_outcome_t *out)
{
    out->rc = PQntuples(result) == 0 ? CF_ENOENT : cf_pg_bool(result, 0, 8) ? 0 : CF_EMOVED;
    if (out->rc == 0) {
        out->room = column_room(result, 0);
        out->room.name = (cf_str_t){0};
    } else if (out->rc == CF_EMOVED) {
        out->owner = (uint32_t)cf_pg_int8(result, 0, 9);
    }
}

static void take_single(const cf_write_t *write, const PGresult *result, cf_outcome_t *out)
{
    static const int codes[] = {
        [DONE] = 0, [MISSING] = CF_ENOENT, [TAKEN] = CF_EEXIST, [FORBIDDEN] = CF_EPERM};
    if (write->kind == CF_WRITE_ACTIVATE) {
        take_activated(result, out);
    } else if (is_expiry(write->kind)) {
        out->stored = (uint32_t)cf_pg_int4(result, 0, 0);
    } else {
        int32_t answer = cf_pg_int4(result, 0, 0);
        out->rc = answer >= DONE && answer <= FORBIDDEN ? codes[answer] : CF_EIO;
    }
}

/* --- a stage as a whole
 * ---------------------------------------------------------------------------- */

/* Which ends of the transaction a stage carries along in its trips. */
typedef struct {
    bool begin, commit;
} ends_t;

/* Which writes of a stage go to the server as statements of their own. */
static bool is_single(const cf_write_t *write)
{
    return write->kind != CF_WRITE_APPEND && cf_bounds_write(write) == 0;
}

static int send_commit(postgres_t *self)
{
#ifdef CONFAB_CRASH_POINTS
    /* in these builds COMMIT gets a trip of its own, so that the points stand where their names say
     */
    cf_crash_point("before_commit");
#endif
    self->commit_sent = true;
    return cf_pg_send(&self->link, COMMIT, NULL, 0);
}

/* COMMIT of a transaction that cannot commit answers ROLLBACK and is no error. */
static int check_commit(postgres_t *self, const PGresult *result)
{
    if (strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0) {
        cf_crash_point("after_commit");
        return 0;
    }
    self->commit_sent = false;
    return CF_EIO;
}

static int commit_alone(postgres_t *self)
{
    PGresult *result = NULL;
    int rc = send_commit(self);
    if (rc == 0)
        rc = cf_pg_collect(&self->link, &result, 1);
    if (rc == 0)
        rc = check_commit(self, result);
    PQclear(result);
    return rc;
}

#ifdef CONFAB_CRASH_POINTS
#define COMMIT_RIDES_ALONG false
#else
#define COMMIT_RIDES_ALONG true
#endif

static int send_first(stage_t *stage, const cf_write_t *writes, size_t n, ends_t ends, int *sent)
{
    postgres_t *self = stage->self;
    int rc = 0;
    *sent = 0;
    if (ends.begin) {
        cf_crash_point("before_begin");
        rc = cf_pg_send(&self->link, BEGIN, NULL, 0);
        ++*sent;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        if (is_single(&writes[i])) {
            rc = send_single[writes[i].kind](self, &writes[i]);
            ++*sent;
        }
    if (rc == 0 && stage->room_count > 0) {
        rc = send_lock(stage);
        ++*sent;
    }
    if (rc == 0 && stage->key_count > 0) {
        rc = send_find_keys(stage);
        ++*sent;
    }
    if (rc == 0 && ends.commit && stage->room_count == 0 && COMMIT_RIDES_ALONG) {
        rc = send_commit(self);
        ++*sent;
    }
    return rc;
}

static void take_first(stage_t *stage, const cf_write_t *writes, size_t n, ends_t ends,
                       PGresult *const *results, cf_outcome_t *outcomes)
{
    int at = ends.begin ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        memset(&outcomes[i], 0, sizeof outcomes[i]);
        if (is_single(&writes[i]))
            take_single(&writes[i], results[at++], &outcomes[i]);
        else if (writes[i].kind != CF_WRITE_APPEND)
            outcomes[i].rc = cf_bounds_write(&writes[i]);
    }
    if (stage->room_count > 0)
        take_rooms(stage, results[at++]);
    if (stage->key_count > 0)
        take_keys(stage, results[at]);
}

/* Collects a trip of which sending ended with rc, the last of `sent` statements unsent if that is
 * an error. A COMMIT behind a statement that was refused has been skipped. */
static int end_trip(postgres_t *self, PGresult **results, int sent, int rc)
{
    if (!self->link.conn)
        return rc < 0 ? rc : CF_EIO;
    int collected = cf_pg_collect(&self->link, results, rc < 0 ? sent - 1 : sent);
    if (collected < 0 && self->link.conn && self->link.failed_at < sent - 1)
        self->commit_sent = false;
    return rc < 0 ? rc : collected;
}

static int first_trip(stage_t *stage, const cf_write_t *writes, size_t n, ends_t ends,
                      cf_outcome_t *outcomes)
{
    postgres_t *self = stage->self;
    PGresult **results = calloc(n + 4, sizeof(PGresult *));
    int sent;
    if (!results)
        return CF_ENOMEM;
    int rc = send_first(stage, writes, n, ends, &sent);
    rc = end_trip(self, results, sent, rc);
    if (rc == 0) {
        take_first(stage, writes, n, ends, results, outcomes);
        if (self->commit_sent)
            rc = check_commit(self, results[sent - 1]);
    }
    for (int i = 0; i < sent; i++)
        PQclear(results[i]);
    free(results);
    return rc;
}

static int second_trip(stage_t *stage, ends_t ends)
{
    postgres_t *self = stage->self;
    PGresult *results[4] = {0};
    int sent = 0, rc = stage->rows > 0 ? send_rows(stage, &sent) : 0;
    bool along = rc == 0 && ends.commit && (COMMIT_RIDES_ALONG || sent == 0);
    if (along) {
        rc = send_commit(self);
        sent++;
    }
    rc = end_trip(self, results, sent, rc);
    if (rc == 0 && stage->rows > 0 &&
        strtoul(PQcmdTuples(results[1]), NULL, 10) != self->arrays.set_room.length)
        rc = CF_EINTERNAL; /* a locked row changed under us */
    if (rc == 0 && along)
        rc = check_commit(self, results[sent - 1]);
    for (int i = 0; i < 4; i++)
        PQclear(results[i]);
    if (rc == 0 && stage->rows > 0 && !along)
        cf_crash_point("after_insert");
    if (rc == 0 && ends.commit && !along)
        rc = commit_alone(self);
    return rc;
}

/* Carries out writes[0..n), in which no ACTIVATE follows an append of its room. 0; CF_ERANGE: a
 * constraint was broken, the transaction (or its savepoint) has to be rolled back; other codes:
 * over. */
static int run_stage(postgres_t *self, const cf_write_t *writes, size_t n, ends_t ends,
                     cf_outcome_t *outcomes)
{
    stage_t stage = {.self = self};
    int rc = stage_gather(&stage, writes, n);
    if (rc == 0)
        rc = first_trip(&stage, writes, n, ends, outcomes);
    if (rc == 0 && stage.room_count > 0)
        rc = walk_runs(&stage, writes, n, outcomes);
    if (rc == 0 && (stage.rows > 0 || (ends.commit && !self->commit_sent)))
        rc = second_trip(&stage, ends);
    stage_free(&stage);
    return rc;
}

/* --- transactions ------------------------------------------------------------------------------
 */

static int run_one(postgres_t *self, statement_t which)
{
    PGresult *result = NULL;
    int rc = cf_pg_send(&self->link, which, NULL, 0);
    if (rc == 0)
        rc = cf_pg_collect(&self->link, &result, 1);
    PQclear(result);
    return rc;
}

/* How many of the writes fit into one stage: up to an ACTIVATE of a room that has an append in it.
 */
static size_t stage_size(const cf_write_t *writes, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; writes[i].kind == CF_WRITE_ACTIVATE && k < i; k++)
            if (writes[k].kind == CF_WRITE_APPEND &&
                cf_id_equal(writes[k].append.room, writes[i].activate.room))
                return i;
    return n;
}

static int write_in_stages(postgres_t *self, const cf_write_t *writes, size_t n,
                           cf_outcome_t *outcomes)
{
    int rc = 0;
    for (size_t at = 0, size; at < n && rc == 0; at += size) {
        size = stage_size(writes + at, n - at);
        ends_t ends = {.begin = at == 0, .commit = at + size == n};
        rc = run_stage(self, writes + at, size, ends, outcomes + at);
    }
    return rc;
}

/* One try of one write under a savepoint; CF_ERANGE leaves the transaction as it was before. */
static int try_one(postgres_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    int rc = run_one(self, SAVEPOINT);
    if (rc == 0)
        rc = run_stage(self, write, 1, (ends_t){false, false}, out);
    if (rc == CF_ERANGE && run_one(self, ROLLBACK_TO) < 0)
        rc = CF_EIO;
    return rc;
}

/* Stores as many rows of a run as the constraints let through, by halving what is tried. */
static int append_carefully(postgres_t *self, const cf_run_t *run, cf_outcome_t *out)
{
    uint32_t stored = 0, step = run->n;
    cf_outcome_t part = {.status = CF_VERDICT_STORED};
    while (stored < run->n && part.status == CF_VERDICT_STORED) {
        cf_write_t write = {.kind = CF_WRITE_APPEND, .append = *run};
        write.append.prev = run->prev + stored;
        write.append.rows = run->rows + stored;
        write.append.n = step < run->n - stored ? step : run->n - stored;
        int rc = try_one(self, &write, &part);
        if (rc == CF_ERANGE && write.append.n == 1)
            part = (cf_outcome_t){.status = CF_VERDICT_BAD_ROW};
        else if (rc == CF_ERANGE)
            step = write.append.n / 2;
        else if (rc < 0)
            return rc;
        if (rc == 0)
            stored += part.stored;
    }
    *out = part;
    out->stored = stored;
    return 0;
}

static int write_carefully(postgres_t *self, const cf_write_t *writes, size_t n,
                           cf_outcome_t *outcomes)
{
    int rc = run_one(self, BEGIN);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (writes[i].kind == CF_WRITE_APPEND) {
            rc = append_carefully(self, &writes[i].append, &outcomes[i]);
            continue;
        }
        rc = try_one(self, &writes[i], &outcomes[i]);
        if (rc == CF_ERANGE) { /* 23503: the user or room was deleted at this moment */
            outcomes[i] = (cf_outcome_t){
                .rc = strcmp(self->link.sqlstate, "23503") == 0 ? CF_ENOENT : CF_ERANGE};
            rc = 0;
        }
    }
    return rc == 0 ? commit_alone(self) : rc;
}

/* One attempt at the whole call on an open connection. After an error nothing of it is left open.
 */
static int write_once(postgres_t *self, const cf_write_t *writes, size_t n, cf_outcome_t *outcomes)
{
    self->commit_sent = false;
    int rc = write_in_stages(self, writes, n, outcomes);
    if (rc == CF_ERANGE && run_one(self, ROLLBACK) == 0) {
        self->commit_sent = false; /* it was skipped with the rest of its pipeline */
        rc = write_carefully(self, writes, n, outcomes);
    }
    if (rc == 0)
        return 0;
    if (self->link.conn && !self->commit_sent)
        run_one(self, ROLLBACK); /* if this fails too the connection is gone, and so is the rest */
    else
        cf_pg_close(&self->link); /* an error at COMMIT: the server may have committed before it */
    return rc;
}

static int postgres_write(cf_store_t *base, const cf_write_t *writes, size_t n,
                          cf_outcome_t *outcomes)
{
    postgres_t *self = (postgres_t *)base;
    self->commit_sent = false;
    if (n == 0)
        return 0;
    bool idle = self->link.conn != NULL;
    int rc = cf_pg_begin(&self->link);
    if (rc == 0)
        rc = write_once(self, writes, n, outcomes);
    /* A connection that died while nobody looked (a restart of the server) says nothing about the
     * server now: connect and try again, once, if certainly nothing was written. */
    if (rc < 0 && idle && !self->link.conn && !self->commit_sent) {
        rc = cf_pg_begin_again(&self->link);
        if (rc == 0)
            rc = write_once(self, writes, n, outcomes);
    }
    if (rc == 0)
        return 0;
    cf_append_none(writes, n, self->commit_sent ? CF_VERDICT_UNKNOWN : CF_VERDICT_FAILED, outcomes);
    return CF_EIO;
}

/* --- settle ------------------------------------------------------------------------------------
 */

static int send_post_ids(postgres_t *self, const cf_run_t *runs, size_t n)
{
    arrays_t *a = &self->arrays;
    cf_pg_array_start(&a->a, CF_PG_UUID);
    cf_pg_array_start(&a->b, CF_PG_INT8);
    cf_pg_array_start(&a->c, CF_PG_INT8);
    cf_pg_array_start(&a->d, CF_PG_INT4);
    for (size_t i = 0; i < n; i++) {
        cf_pg_array_id(&a->a, runs[i].room);
        cf_pg_array_int8(&a->b, (int64_t)runs[i].prev + 1);
        cf_pg_array_int8(&a->c, (int64_t)(runs[i].prev + runs[i].n));
        cf_pg_array_int4(&a->d, (int32_t)i);
    }
    cf_pg_array_t *params[] = {&a->a, &a->b, &a->c, &a->d};
    return send_arrays(self, POST_IDS, params, 4);
}

/* Rows of run `place` that stand in the store as they were given, from the first on. at goes on
 * through the result, which is in order of place and seq. */
static uint32_t count_written(const PGresult *result, const cf_run_t *run, int place, int *at)
{
    uint32_t written = 0;
    bool same = true;
    for (; *at < PQntuples(result) && cf_pg_int4(result, *at, 0) == place; ++*at) {
        same = same && written < run->n &&
               (uint64_t)cf_pg_int8(result, *at, 1) == run->rows[written].seq &&
               cf_id_equal(cf_pg_id(result, *at, 2), run->rows[written].id);
        written += same;
    }
    return written;
}

static int settle_locked(postgres_t *self, stage_t *stage, const cf_run_t *runs, size_t n,
                         cf_outcome_t *outcomes)
{
    PGresult *results[4] = {0};
    int rc = cf_pg_send(&self->link, BEGIN, NULL, 0);
    if (rc == 0)
        rc = send_lock(stage);
    if (rc == 0)
        rc = send_post_ids(self, runs, n);
    if (rc == 0)
        rc = cf_pg_send(&self->link, ROLLBACK, NULL, 0);
    if (rc == 0)
        rc = cf_pg_collect(&self->link, results, 4);
    if (rc == 0) {
        int at = 0;
        take_rooms(stage, results[1]);
        for (size_t i = 0; i < n; i++) {
            uint32_t written = count_written(results[2], &runs[i], (int)i, &at);
            outcomes[i] =
                cf_append_settle(&stage_room(stage, runs[i].room)->row, &runs[i], written);
        }
    } else {
        cf_pg_close(&self->link); /* rather than to roll back what may be half sent */
    }
    for (int i = 0; i < 4; i++)
        PQclear(results[i]);
    return rc;
}

/* The locks make the answer certain: whoever may still commit a run of these rooms holds them. */
static int postgres_settle(cf_store_t *base, const cf_run_t *runs, size_t n, cf_outcome_t *outcomes)
{
    postgres_t *self = (postgres_t *)base;
    stage_t stage = {.self = self, .room_count = n};
    stage.rooms = calloc(n + 1, sizeof *stage.rooms);
    if (!stage.rooms)
        return CF_ENOMEM;
    for (size_t i = 0; i < n; i++)
        stage.rooms[i].row.id = runs[i].room;
    stage.room_count = sort_unique(stage.rooms, n, sizeof *stage.rooms, compare_rooms);
    int rc = cf_pg_begin(&self->link);
    if (rc == 0 && n > 0)
        rc = settle_locked(self, &stage, runs, n, outcomes);
    stage_free(&stage);
    return rc == 0 || rc == CF_ENOMEM ? rc : CF_EIO;
}

/* --- reads -------------------------------------------------------------------------------------
 */

typedef struct {
    statement_t statement;
    int n;
    cf_pg_param_t params[6];
} request_t;

static int ask_once(postgres_t *self, const request_t *requests, int n, PGresult **results)
{
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = cf_pg_send(&self->link, requests[i].statement, requests[i].params, requests[i].n);
    return rc == 0 ? cf_pg_collect(&self->link, results, n) : rc;
}

/* Runs the requests in one trip; the caller clears results. A connection found dead is replaced
 * once, within the same deadline. */
static int ask(postgres_t *self, const request_t *requests, int n, PGresult **results)
{
    bool idle = self->link.conn != NULL;
    int rc = cf_pg_begin(&self->link);
    if (rc == 0)
        rc = ask_once(self, requests, n, results);
    if (rc < 0 && idle && !self->link.conn) {
        rc = cf_pg_begin_again(&self->link);
        if (rc == 0)
            rc = ask_once(self, requests, n, results);
    }
    return rc < 0 ? CF_EIO : 0;
}

static cf_user_t column_user(const PGresult *result, int row)
{
    return (cf_user_t){.id = cf_pg_id(result, row, 1),
                       .username = cf_pg_text(result, row, 2),
                       .email = cf_pg_text(result, row, 3),
                       .password_hash = cf_pg_text(result, row, 4),
                       .created_us = cf_pg_int8(result, row, 5)};
}

static int postgres_find_users(cf_store_t *base, const cf_user_key_t *keys, size_t n,
                               cf_user_row_fn *row, void *arg)
{
    postgres_t *self = (postgres_t *)base;
    arrays_t *a = &self->arrays;
    cf_pg_array_start(&a->a, CF_PG_UUID);
    cf_pg_array_start(&a->b, CF_PG_INT4);
    cf_pg_array_start(&a->c, CF_PG_TEXT);
    cf_pg_array_start(&a->d, CF_PG_INT4);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].by == CF_USER_BY_ID) {
            cf_pg_array_id(&a->a, keys[i].id);
            cf_pg_array_int4(&a->b, (int32_t)i);
        } else if (cf_bounds_name(keys[i].name)) { /* another could not be stored, nor be sent */
            cf_pg_array_bytes(&a->c, keys[i].name.bytes, keys[i].name.size);
            cf_pg_array_int4(&a->d, (int32_t)i);
        }
    }
    if (a->a.failed || a->b.failed || a->c.failed || a->d.failed)
        return CF_ENOMEM;
    request_t requests[] = {{USERS_BY_ID, 2, {array_param(&a->a), array_param(&a->b)}},
                            {USERS_BY_NAME, 2, {array_param(&a->c), array_param(&a->d)}}};
    PGresult *results[2];
    int rc = ask(self, requests, 2, results);
    for (int k = 0; k < 2 && rc == 0; k++) {
        for (int i = 0; i < PQntuples(results[k]); i++) {
            cf_user_t user = column_user(results[k], i);
            row(arg, (size_t)cf_pg_int4(results[k], i, 0), &user);
        }
        PQclear(results[k]);
    }
    return rc;
}

static int postgres_find_sessions(cf_store_t *base, const uint8_t (*hashes)[CF_TOKEN_HASH_SIZE],
                                  size_t n, cf_session_row_fn *row, void *arg)
{
    postgres_t *self = (postgres_t *)base;
    arrays_t *a = &self->arrays;
    cf_pg_array_start(&a->a, CF_PG_BYTEA);
    cf_pg_array_start(&a->b, CF_PG_INT4);
    for (size_t i = 0; i < n; i++) {
        cf_pg_array_bytes(&a->a, hashes[i], CF_TOKEN_HASH_SIZE);
        cf_pg_array_int4(&a->b, (int32_t)i);
    }
    if (a->a.failed || a->b.failed)
        return CF_ENOMEM;
    request_t request = {GET_SESSIONS, 2, {array_param(&a->a), array_param(&a->b)}};
    PGresult *result;
    int rc = ask(self, &request, 1, &result);
    for (int i = 0; rc == 0 && i < PQntuples(result); i++) {
        size_t key = (size_t)cf_pg_int4(result, i, 0);
        cf_user_t user = column_user(result, i);
        cf_session_t session = {.id = cf_pg_id(result, i, 6),
                                .user = user.id,
                                .created_us = cf_pg_int8(result, i, 7),
                                .expires_us = cf_pg_int8(result, i, 8)};
        memcpy(session.token_hash, hashes[key], CF_TOKEN_HASH_SIZE);
        row(arg, key, &session, &user);
    }
    if (rc == 0)
        PQclear(result);
    return rc;
}

static int postgres_find_members(cf_store_t *base, const cf_member_key_t *keys, size_t n,
                                 cf_member_row_fn *row, void *arg)
{
    postgres_t *self = (postgres_t *)base;
    arrays_t *a = &self->arrays;
    cf_pg_array_start(&a->a, CF_PG_UUID);
    cf_pg_array_start(&a->b, CF_PG_UUID);
    cf_pg_array_start(&a->c, CF_PG_INT4);
    for (size_t i = 0; i < n; i++) {
        cf_pg_array_id(&a->a, keys[i].room);
        cf_pg_array_id(&a->b, keys[i].user);
        cf_pg_array_int4(&a->c, (int32_t)i);
    }
    if (a->a.failed || a->b.failed || a->c.failed)
        return CF_ENOMEM;
    request_t request = {
        GET_MEMBERS, 3, {array_param(&a->a), array_param(&a->b), array_param(&a->c)}};
    PGresult *result;
    int rc = ask(self, &request, 1, &result);
    for (int i = 0; rc == 0 && i < PQntuples(result); i++)
        row(arg, (size_t)cf_pg_int4(result, i, 0), cf_pg_bool(result, i, 1),
            cf_pg_bool(result, i, 2));
    if (rc == 0)
        PQclear(result);
    return rc;
}

static int postgres_list_rooms(cf_store_t *base, const cf_id_t *after, uint32_t limit,
                               cf_room_row_fn *row, void *arg)
{
    postgres_t *self = (postgres_t *)base;
    uint64_t wire;
    request_t request = {ROOMS_NEWEST, 1, {cf_pg_int8_param(&wire, limit)}};
    if (after) {
        request.statement = ROOMS_AFTER;
        request.n = 2;
        request.params[1] = id_param(after);
    }
    PGresult *result;
    int rc = ask(self, &request, 1, &result);
    for (int i = 0; rc == 0 && i < PQntuples(result); i++) {
        cf_room_row_t room = column_room(result, i);
        row(arg, &room);
    }
    if (rc == 0)
        PQclear(result);
    return rc;
}

/* One of the two statements that read posts, for the ranges that belong to it. */
static int ask_posts(postgres_t *self, const cf_posts_range_t *ranges, size_t n, bool after,
                     PGresult **out)
{
    arrays_t *a = &self->arrays;
    cf_pg_array_t *arrays[] = {&a->a, &a->b, &a->c, &a->d, &a->e, &a->f};
    static const cf_pg_type_t types[] = {CF_PG_UUID, CF_PG_INT4, CF_PG_INT8,
                                         CF_PG_UUID, CF_PG_INT4, CF_PG_INT4};
    request_t request = {.statement = after ? POSTS_AFTER : POSTS_BEFORE, .n = 6};
    for (int i = 0; i < 6; i++)
        cf_pg_array_start(arrays[i], types[i]);
    for (size_t i = 0; i < n; i++) {
        if ((ranges[i].from == CF_POSTS_AFTER_SEQ) != after)
            continue;
        cf_pg_array_id(&a->a, ranges[i].room);
        cf_pg_array_int4(&a->b, (int32_t)ranges[i].from);
        cf_pg_array_int8(&a->c, ranges[i].at);
        cf_pg_array_id(&a->d, ranges[i].id);
        cf_pg_array_int4(&a->e, (int32_t)ranges[i].limit);
        cf_pg_array_int4(&a->f, (int32_t)i);
    }
    *out = NULL;
    for (int i = 0; i < 6; i++) {
        if (arrays[i]->failed)
            return CF_ENOMEM;
        request.params[i] = array_param(arrays[i]);
    }
    return a->f.length > 0 ? ask(self, &request, 1, out) : 0;
}

static void deliver_posts(const PGresult *result, cf_post_row_fn *row, void *arg,
                          cf_posts_found_t *found)
{
    for (int i = 0; i < PQntuples(result); i++) {
        size_t key = (size_t)cf_pg_int4(result, i, 0);
        if (found)
            found[key] = (cf_posts_found_t)cf_pg_int4(result, i, 1);
        if (!cf_pg_bool(result, i, 2))
            continue; /* an empty range */
        cf_post_t post = {.seq = (uint64_t)cf_pg_int8(result, i, 3),
                          .id = cf_pg_id(result, i, 4),
                          .sender = cf_pg_id(result, i, 5),
                          .at_us = cf_pg_int8(result, i, 6),
                          .kind = (uint32_t)cf_pg_int4(result, i, 7),
                          .username = cf_pg_text(result, i, 8),
                          .text = cf_pg_text(result, i, 9)};
        row(arg, key, &post);
    }
}

static int postgres_read_posts(cf_store_t *base, const cf_posts_range_t *ranges, size_t n,
                               cf_post_row_fn *row, void *arg, cf_posts_found_t *found)
{
    postgres_t *self = (postgres_t *)base;
    int rc = 0;
    for (int after = 0; after < 2 && rc == 0; after++) {
        PGresult *result;
        rc = ask_posts(self, ranges, n, after != 0, &result);
        if (rc < 0 || !result)
            continue;
        deliver_posts(result, row, arg, found);
        PQclear(result);
    }
    return rc;
}

static int ask_letters(postgres_t *self, const request_t *request, cf_dead_letter_row_fn *row,
                       void *arg)
{
    PGresult *result;
    int rc = ask(self, request, 1, &result);
    for (int i = 0; rc == 0 && i < PQntuples(result); i++) {
        cf_dead_letter_t letter = {.id = cf_pg_id(result, i, 0),
                                   .room = cf_pg_id(result, i, 1),
                                   .at_us = cf_pg_int8(result, i, 2),
                                   .command = cf_pg_text(result, i, 3),
                                   .reason = cf_pg_text(result, i, 4),
                                   .attempts = (uint32_t)cf_pg_int4(result, i, 5)};
        row(arg, &letter);
    }
    if (rc == 0)
        PQclear(result);
    return rc;
}

static int postgres_find_dead_letter(cf_store_t *base, cf_id_t id, cf_dead_letter_row_fn *row,
                                     void *arg)
{
    request_t request = {DEAD_LETTER, 1, {id_param(&id)}};
    return ask_letters((postgres_t *)base, &request, row, arg);
}

static int postgres_list_dead_letters(cf_store_t *base, const cf_dead_letter_t *after,
                                      uint32_t limit, cf_dead_letter_row_fn *row, void *arg)
{
    static const cf_dead_letter_t oldest = {.at_us = INT64_MIN};
    uint64_t at, most;
    after = after ? after : &oldest;
    request_t request = {DEAD_LETTERS,
                         3,
                         {cf_pg_int8_param(&at, after->at_us), id_param(&after->id),
                          cf_pg_int8_param(&most, limit)}};
    return ask_letters((postgres_t *)base, &request, row, arg);
}

static int postgres_ping(cf_store_t *base)
{
    PGresult *result;
    int rc = ask((postgres_t *)base, &(request_t){.statement = PING}, 1, &result);
    if (rc == 0)
        PQclear(result);
    return rc;
}

/* --- life --------------------------------------------------------------------------------------
 */

#define NEWEST_APPLIED "SELECT coalesce(max(version), 0) FROM schema_version"

/* The number that a query answers with. */
static int ask_version(postgres_t *self, const char *query)
{
    PGresult *result;
    int rc = cf_pg_run(&self->link, query, &result);
    if (rc < 0)
        return rc;
    int version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return version;
}

/* Writes the rows that say a migration was applied, and whom it serves. */
static int note(postgres_t *self, const cf_migration_t *migration)
{
    char version[12], serves[12], now[24];
    snprintf(version, sizeof version, "%d", migration->version);
    snprintf(serves, sizeof serves, "%d", migration->serves);
    snprintf(now, sizeof now, "%lld", (long long)cf_wall_us());
    int rc = cf_pg_run_with(&self->link, "INSERT INTO schema_version VALUES ($1, $2, $3)",
                            (const char *const[]){version, migration->name, now}, 3);
    if (rc == 0)
        rc = cf_pg_run_with(&self->link, "INSERT INTO schema_serves VALUES ($1, $2)",
                            (const char *const[]){version, serves}, 2);
    return rc;
}

static int apply(postgres_t *self, const cf_migration_t *migration)
{
    int rc = cf_pg_run(&self->link, migration->sql, NULL);
    cf_crash_point("in_migrate");
    return rc == 0 ? note(self, migration) : rc;
}

/* Until the transaction ends others wait who migrate as well. lock_ms: so long any other lock is waited for. */
static int lock_schema(postgres_t *self, const char *lock_ms)
{
    static const char bound[] = "SELECT set_config('lock_timeout', $1, true)";
    int rc = cf_pg_run(&self->link, "BEGIN; SELECT pg_advisory_xact_lock(" MIGRATE_LOCK ")", NULL);
    if (rc == 0)
        rc = cf_pg_run_with(&self->link, bound, &lock_ms, 1);
    if (rc == 0)
        rc = cf_pg_run(&self->link,
                       "CREATE TABLE IF NOT EXISTS schema_version (version int PRIMARY KEY,"
                       " name text NOT NULL, applied_us bigint NOT NULL);"
                       "CREATE TABLE IF NOT EXISTS schema_serves (version int PRIMARY KEY,"
                       " serves int NOT NULL)",
                       NULL);
    return rc;
}

/* Rooms first, as every append does, whatever the migrations go on with: so none of those has them
 * and waits for a table that is ours already, which would be a deadlock. */
static int apply_missing(postgres_t *self, int have)
{
    int rc = have > 0 && have < cf_migrations_newest(cf_postgres_migrations)
                 ? cf_pg_run(&self->link, "LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE", NULL)
                 : 0;
    for (const cf_migration_t *m = cf_postgres_migrations; m->version && rc == 0; m++)
        if (m->version > have)
            rc = apply(self, m);
    return rc;
}

/* All missing migrations in one transaction; whoever starts at the same time finds nothing left to
 * do. CF_EAGAIN: somebody else uses a table. */
static int try_to_migrate(postgres_t *self, const char *lock_ms)
{
    int rc = lock_schema(self, lock_ms);
    int have = rc == 0 ? ask_version(self, NEWEST_APPLIED) : rc;
    rc = have < 0 ? have : apply_missing(self, have);
    if (rc == 0)
        rc = cf_pg_run(&self->link, "COMMIT", NULL);
    for (const cf_migration_t *m = cf_postgres_migrations; m->version && rc == 0; m++)
        if (m->version > have)
            cf_log_info("postgres: migrated", CF_STR("migration", m->name));
    return rc;
}

/* Lets those through who waited behind the last try. */
static int pause_migration(postgres_t *self)
{
    int rc = cf_pg_connect(&self->link);
    if (rc < 0)
        return rc;
    rc = cf_wait(&self->config.wait, PQsocket(self->link.conn), false,
                 cf_boot_us() + MIGRATE_PAUSE_US);
    return rc == CF_ETIME ? 0 : rc; /* what came early is its end, which the next try meets */
}

/* Nodes of the version before write meanwhile, and queue behind whatever the migration waits for, the
 * end of a backup perhaps. So it gives in, in less than deadlock_timeout (1 s), before a write of theirs can be
 * the victim; but now and then in more, as by then PostgreSQL ends an autovacuum that is in the way. */
static int migrate(postgres_t *self)
{
    static const char *const lock_ms[] = {"500", "500", "1500"};
    size_t n = 0;
    int rc = try_to_migrate(self, lock_ms[n]);
    if (rc == CF_EAGAIN)
        cf_log_warn("postgres: the migration waits for a table that somebody else uses");
    while (rc == CF_EAGAIN) {
        n = (n + 1) % (sizeof lock_ms / sizeof lock_ms[0]);
        rc = pause_migration(self);
        if (rc == 0)
            rc = try_to_migrate(self, lock_ms[n]);
    }
    return rc;
}

static int check_version(postgres_t *self)
{
    int have = ask_version(self, NEWEST_APPLIED),
        newest = cf_migrations_newest(cf_postgres_migrations);
    int needs = have > newest ? ask_version(self, CF_SCHEMA_NEEDS) : newest;
    if (have < newest || needs < 0) /* also: an error. A reader waits for the writer */
        return CF_EIO;
    if (needs <= newest)
        return 0;
    cf_log_error("postgres: the schema is newer than this program", CF_INT("schema", have),
                 CF_INT("needs", needs), CF_INT("program", newest));
    return CF_ESTALE;
}

static void postgres_close(cf_store_t *base)
{
    postgres_t *self = (postgres_t *)base;
    cf_pg_destroy(&self->link);
    cf_pg_array_t *arrays = (cf_pg_array_t *)&self->arrays; /* it consists of nothing else */
    for (size_t i = 0; i < sizeof self->arrays / sizeof(cf_pg_array_t); i++)
        cf_pg_array_free(&arrays[i]);
    free(self);
}

static const cf_store_ops_t postgres_ops = {
    .name = "postgres",
    .write = postgres_write,
    .settle = postgres_settle,
    .find_users = postgres_find_users,
    .find_sessions = postgres_find_sessions,
    .find_members = postgres_find_members,
    .list_rooms = postgres_list_rooms,
    .read_posts = postgres_read_posts,
    .list_dead_letters = postgres_list_dead_letters,
    .find_dead_letter = postgres_find_dead_letter,
    .ping = postgres_ping,
    .close = postgres_close,
};

int cf_postgres_open(cf_store_t **out, const cf_store_config_t *config)
{
    postgres_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    bool writer = config->role == CF_STORE_WRITER;
    self->base.ops = &postgres_ops;
    self->config = *config;
    self->link = (cf_pg_link_t){
        .statements = statements, .statement_count = STATEMENT_COUNT, .config = &self->config};
    int64_t now_us = cf_boot_us();
    self->link.until_us = now_us + (int64_t)config->statement_ms * 1000;
    int rc = cf_pg_connect(&self->link);
    if (rc == 0 && writer) {
        self->link.until_us = now_us + MIGRATE_MS * INT64_C(1000);
        rc = migrate(self);
    }
    if (rc == 0)
        rc = check_version(self);
    if (rc == 0)
        rc = cf_pg_prepare(&self->link);
    if (rc < 0) {
        postgres_close(&self->base);
        return rc;
    }
    *out = &self->base;
    return 0;
}
