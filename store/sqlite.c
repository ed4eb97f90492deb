/* The SQLite backend. One process owns the file: the WRITER holds a lock on PATH.lock, and only it
 * migrates, checkpoints and writes; READERs have connections of their own, WAL lets them see the
 * last commit without waiting.
 *
 * What "durable" rests on: journal_mode=WAL with synchronous=FULL syncs the WAL in every COMMIT
 * before it returns. A failed sync may leave the kernel's pages marked clean with content that
 * never reached the disk, and every later frame of the WAL would be worth nothing behind such a
 * hole. So after an I/O error the connection is closed, and each opening starts with a checkpoint
 * that copies the whole WAL into the database file, syncs that and empties the WAL; then a probe is
 * written. */
#include "append.h"
#include "bounds.h"
#include "clock.h"
#include "crash_point.h"
#include "log.h"
#include "migrations.h"
#include "store.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_ROWS 500        /* in one transaction; measured: docs/spike-append-run.md */
#define CHECKPOINT_PAGES 4000 /* pages in the WAL after which the writer checkpoints, 16 MB */
#define BUSY_POLL_US 2000     /* how often a lock held by a reader's checkpoint is tried again */
#define OPS_BETWEEN_DEADLINES 5000 /* virtual machine steps between two looks at the clock */
#define PATH_SIZE 4096

typedef enum {
    BEGIN,
    COMMIT,
    ROLLBACK,
    BEGIN_READ,
    GET_ROOM,
    GET_KEY,
    PUT_POST,
    PUT_KEY,
    SET_ROOM,
    ACTIVATE,
    PUT_USER,
    SET_PASSWORD,
    DISABLE_USER,
    ENABLE_USER,
    PUT_SESSION,
    REMOVE_SESSION,
    REMOVE_SESSIONS,
    PUT_ROOM,
    PUT_MEMBER,
    REMOVE_MEMBER,
    EXPIRE_SESSIONS,
    EXPIRE_KEYS,
    PUT_DEAD_LETTER,
    REMOVE_DEAD_LETTER,
    EXPIRE_DEAD_LETTERS,
    EXPIRE_POSTS,
    USER_BY_ID,
    USER_BY_NAME,
    GET_SESSION,
    GET_MEMBER,
    ROOMS_NEWEST,
    ROOMS_AFTER,
    POST_FROM,
    SEQ_OF_ID,
    POSTS_BEFORE,
    POSTS_AFTER,
    POST_ID,
    DEAD_LETTER,
    DEAD_LETTERS,
    STATEMENT_COUNT,
} statement_t;

#define LETTER_COLUMNS "id, room, at_us, command, reason, attempts"
#define USER_COLUMNS                                                                               \
    "u.id, u.username, u.email, iif(u.disabled_us IS NULL, u.password_hash, ''), u.created_us"
#define ROOM_COLUMNS "id, name, creator, created_us, ephemeral, epoch, last_seq, last_us"
#define POST_COLUMNS "p.seq, p.id, p.sender, p.at_us, p.kind, coalesce(u.username, ''), p.text"

static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [BEGIN_READ] = "BEGIN",
    [GET_ROOM] = "SELECT epoch, last_seq, last_us, ephemeral FROM rooms WHERE id = ?1",
    [GET_KEY] = "SELECT seq, id, at_us, body_hash FROM post_keys"
                " WHERE room = ?1 AND sender = ?2 AND client_key = ?3",
    [PUT_POST] = "INSERT INTO posts (room, seq, id, sender, at_us, kind, text)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    /* in place of an expired one: one that counts was found by GET_KEY */
    [PUT_KEY] = "INSERT OR REPLACE INTO post_keys"
                " (room, sender, client_key, seq, id, at_us, body_hash)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SET_ROOM] = "UPDATE rooms SET last_seq = ?4, last_us = ?5"
                 " WHERE id = ?1 AND epoch = ?2 AND last_seq = ?3",
    [ACTIVATE] = "UPDATE rooms SET epoch = epoch + 1 WHERE id = ?1"
                 " RETURNING id, '', creator, created_us, ephemeral, epoch, last_seq, last_us",
    [PUT_USER] = "INSERT INTO users (id, username, email, password_hash, created_us)"
                 " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SET_PASSWORD] = "UPDATE users SET password_hash = ?2 WHERE id = ?1",
    [DISABLE_USER] = "UPDATE users SET disabled_us = coalesce(disabled_us, ?2) WHERE id = ?1",
    [ENABLE_USER] = "UPDATE users SET disabled_us = NULL WHERE id = ?1",
    [PUT_SESSION] = "INSERT INTO sessions (token_hash, id, user_id, created_us, expires_us)"
                    " SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS"
                    " (SELECT 1 FROM users WHERE id = ?3 AND disabled_us IS NOT NULL)",
    [REMOVE_SESSION] = "DELETE FROM sessions WHERE token_hash = ?1",
    [REMOVE_SESSIONS] = "DELETE FROM sessions WHERE user_id = ?1",
    [PUT_ROOM] = "INSERT INTO rooms (id, name, creator, created_us, ephemeral)"
                 " VALUES (?1, ?2, ?3, ?4, ?5)",
    [PUT_MEMBER] = "INSERT INTO members (room, user_id, joined_us) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT (room, user_id) DO NOTHING",
    [REMOVE_MEMBER] = "DELETE FROM members WHERE room = ?1 AND user_id = ?2",
    [EXPIRE_SESSIONS] = "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions"
                        " WHERE expires_us <= ?1 ORDER BY expires_us LIMIT ?2)",
    [EXPIRE_KEYS] = "DELETE FROM post_keys WHERE (room, sender, client_key) IN"
                    " (SELECT room, sender, client_key FROM post_keys"
                    " WHERE at_us <= ?1 ORDER BY at_us LIMIT ?2)",
    /* a repeat after a lost answer: it is there already */
    [PUT_DEAD_LETTER] = "INSERT INTO dead_letters (id, room, at_us, command, reason, attempts)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
    [REMOVE_DEAD_LETTER] = "DELETE FROM dead_letters WHERE id = ?1",
    [EXPIRE_DEAD_LETTERS] = "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters"
                            " WHERE at_us <= ?1 ORDER BY at_us LIMIT ?2)",
    /* found by their ids, whose order is that of time: an index on the time would cost every append
     * a page. ids of before the time may belong to later posts where the clock was stepped back */
    [EXPIRE_POSTS] = "DELETE FROM posts WHERE (room, seq) IN (SELECT p.room, p.seq FROM"
                     " (SELECT room, max(seq) AS last FROM (SELECT room, seq, at_us FROM posts"
                     " WHERE id < ?3 ORDER BY id LIMIT ?2) WHERE at_us <= ?1 GROUP BY room) old"
                     " JOIN posts p ON p.room = old.room AND p.seq <= old.last)",
    [USER_BY_ID] = "SELECT " USER_COLUMNS " FROM users u WHERE u.id = ?1",
    [USER_BY_NAME] = "SELECT " USER_COLUMNS " FROM users u WHERE u.username = ?1",
    [GET_SESSION] = "SELECT " USER_COLUMNS ", s.id, s.created_us, s.expires_us"
                    " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?1",
    [GET_MEMBER] = "SELECT EXISTS (SELECT 1 FROM rooms WHERE id = ?1),"
                   " EXISTS (SELECT 1 FROM members WHERE room = ?1 AND user_id = ?2)",
    [ROOMS_NEWEST] =
        "SELECT " ROOM_COLUMNS " FROM rooms ORDER BY created_us DESC, id DESC LIMIT ?1",
    [ROOMS_AFTER] = "SELECT " ROOM_COLUMNS " FROM rooms WHERE (created_us, id) <"
                    " (SELECT created_us, id FROM rooms WHERE id = ?2)"
                    " ORDER BY created_us DESC, id DESC LIMIT ?1",
    [POST_FROM] = "SELECT seq, at_us FROM posts WHERE room = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1",
    [SEQ_OF_ID] = "SELECT seq FROM posts WHERE id = ?2 AND room = ?1",
    [POSTS_BEFORE] =
        "SELECT " POST_COLUMNS " FROM (SELECT * FROM posts WHERE room = ?1 AND seq < ?2"
        " ORDER BY seq DESC LIMIT ?3) p LEFT JOIN users u ON u.id = p.sender"
        " ORDER BY p.seq",
    [POSTS_AFTER] = "SELECT " POST_COLUMNS " FROM posts p LEFT JOIN users u ON u.id = p.sender"
                    " WHERE p.room = ?1 AND p.seq > ?2 ORDER BY p.seq LIMIT ?3",
    [POST_ID] = "SELECT id FROM posts WHERE room = ?1 AND seq = ?2",
    [DEAD_LETTER] = "SELECT " LETTER_COLUMNS " FROM dead_letters WHERE id = ?1",
    [DEAD_LETTERS] = "SELECT " LETTER_COLUMNS " FROM dead_letters"
                     " WHERE (at_us, id) > (?1, ?2) ORDER BY at_us, id LIMIT ?3",
};

typedef struct {
    cf_store_t base;
    cf_store_config_t config;
    const char *path; /* within config.url */
    int lock_fd;      /* of PATH.lock; -1 in a READER */
    sqlite3 *db;      /* NULL: closed after an error, the next call opens it */
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int said;         /* code of the last error in the log; 0: it was followed by a success */
    int wal_pages;    /* in the WAL after the last commit */
    int64_t until_us; /* deadline of the call under way */
} sqlite_t;

static bool is_writer(const sqlite_t *self)
{
    return self->config.role == CF_STORE_WRITER;
}

/* --- the connection ----------------------------------------------------------------------------
 */

static void disconnect(sqlite_t *self)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    sqlite3_close(self->db);
    self->db = NULL;
}

/* After an error: nothing that is known to be harmless keeps the connection. */
static int fail(sqlite_t *self, const char *what)
{
    int code = self->db ? sqlite3_extended_errcode(self->db) : SQLITE_NOMEM;
    if (code != self->said)
        cf_log_error("sqlite: call failed", CF_STR("what", what), CF_STR("path", self->path),
                     CF_INT("code", code), CF_STR("reason", sqlite3_errstr(code)));
    self->said = code;
    int primary = code & 0xff;
    if (primary != SQLITE_FULL && primary != SQLITE_BUSY && primary != SQLITE_INTERRUPT)
        disconnect(self);
    return primary == SQLITE_NOMEM ? CF_ENOMEM : CF_EIO;
}

static int on_busy(void *arg, int tries)
{
    sqlite_t *self = arg;
    (void)tries;
    int64_t next_us = cf_boot_us() + BUSY_POLL_US;
    if (next_us >= self->until_us)
        return 0;
    return cf_wait(&self->config.wait, -1, false, next_us) != CF_ECLOSING;
}

static int on_progress(void *arg)
{
    const sqlite_t *self = arg;
    return cf_boot_us() >= self->until_us; /* not 0: SQLITE_INTERRUPT */
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((sqlite_t *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

/* Takes PATH.lock for the life of the store; the kernel drops it with the process. The file stays:
 * removing it would let two writers lock two files of one name. */
static int take_lock(sqlite_t *self)
{
    char path[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s.lock", self->path) >= (int)sizeof path)
        return CF_ERANGE;
    self->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        cf_log_error("sqlite: cannot open the lock file", CF_STR("path", path), CF_ERRNO(errno));
        return CF_EIO;
    }
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int number = errno;
    cf_log_error("sqlite: another process owns the file", CF_STR("path", self->path),
                 CF_ERRNO(number));
    return number == EWOULDBLOCK ? CF_EFULL : CF_EIO;
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

/* Makes the file with mode 0600, which SQLite hands on to -wal and -shm. An existing file is never
 * opened here: closing any descriptor of it would drop the locks our readers hold on it (POSIX). */
static int create_file(const sqlite_t *self)
{
    int fd = open(self->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        if (sync_folder_of(self->path) == 0)
            return 0;
    } else if (errno == EEXIST && chmod(self->path, 0600) == 0) {
        return 0;
    }
    cf_log_error("sqlite: cannot create", CF_STR("path", self->path), CF_ERRNO(errno));
    return CF_EIO;
}

static int exec(const sqlite_t *self, const char *sql)
{
    return sqlite3_exec(self->db, sql, NULL, NULL, NULL);
}

/* The first column of the first row as a number; -1 on any error. */
static int64_t ask_number(const sqlite_t *self, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t answer = -1;
    if (sqlite3_prepare_v2(self->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        answer = sqlite3_column_int64(stmt, 0);
    if (sqlite3_finalize(stmt) != SQLITE_OK)
        answer = -1;
    return answer;
}

static int connect_file(sqlite_t *self)
{
    int rc =
        sqlite3_open_v2(self->path, &self->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return fail(self, "open");
    sqlite3_busy_handler(self->db, on_busy, self);
    sqlite3_progress_handler(self->db, OPS_BETWEEN_DEADLINES, on_progress, self);
    rc = exec(self, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                    "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;");
    if (rc == SQLITE_OK && is_writer(self)) {
        /* the hook replaces SQLite's own checkpoints, which keep their errors to themselves */
        sqlite3_wal_hook(self->db, on_wal, self);
        rc = exec(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;");
    } else if (rc == SQLITE_OK) {
        rc = exec(self, "PRAGMA query_only = ON; PRAGMA cache_size = -8192;");
    }
    return rc == SQLITE_OK ? 0 : fail(self, "set up");
}

/* Writes the rows that say a migration was applied, and whom it serves. */
static int note(sqlite_t *self, const cf_migration_t *migration)
{
    static const char *const rows[] = {"INSERT INTO schema_version VALUES (?1, ?2, ?3)",
                                       "INSERT INTO schema_serves VALUES (?1, ?4)"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(self->db, rows[i], -1, &stmt, NULL);
        if (rc != SQLITE_OK)
            return rc;
        sqlite3_bind_int(stmt, 1, migration->version);
        sqlite3_bind_text(stmt, 2, migration->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 3, cf_wall_us());
        sqlite3_bind_int(stmt, 4, migration->serves);
        sqlite3_step(stmt);
        rc = sqlite3_finalize(stmt); /* the step's error, if it had one */
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* Applies one migration and its rows in one transaction. */
static int apply(sqlite_t *self, const cf_migration_t *migration)
{
    if (exec(self, "BEGIN EXCLUSIVE") != SQLITE_OK || exec(self, migration->sql) != SQLITE_OK)
        return fail(self, migration->name);
    cf_crash_point("in_migrate");
    if (note(self, migration) != SQLITE_OK || exec(self, "COMMIT") != SQLITE_OK)
        return fail(self, migration->name);
    cf_log_info("sqlite: migrated", CF_STR("migration", migration->name));
    return 0;
}

static int migrate(sqlite_t *self)
{
    if (exec(self, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY,"
                   " name TEXT NOT NULL, applied_us INTEGER NOT NULL) STRICT;"
                   "CREATE TABLE IF NOT EXISTS schema_serves (version INTEGER PRIMARY KEY,"
                   " serves INTEGER NOT NULL) STRICT") != SQLITE_OK)
        return fail(self, "make schema_version");
    int64_t have = ask_number(self, "SELECT coalesce(max(version), 0) FROM schema_version");
    if (have < 0)
        return fail(self, "read schema_version");
    for (const cf_migration_t *m = cf_sqlite_migrations; m->version; m++) {
        int rc = m->version > have ? apply(self, m) : 0;
        if (rc < 0) {
            disconnect(self); /* ends a transaction that was left open */
            return rc;
        }
    }
    return 0;
}

/* A newer schema is refused unless it serves this program; a reader also refuses an older one and
 * waits for the writer. */
static int check_version(sqlite_t *self, int64_t newest)
{
    int64_t have = ask_number(self, "SELECT coalesce(max(version), 0) FROM schema_version");
    int64_t needs = have > newest ? ask_number(self, CF_SCHEMA_NEEDS) : newest;
    if (have >= newest && needs >= 0 && needs <= newest)
        return 0;
    if (have > newest) {
        cf_log_error("sqlite: the schema is newer than this program", CF_STR("path", self->path),
                     CF_INT("schema", have), CF_INT("needs", needs), CF_INT("program", newest));
        disconnect(self);
        return CF_ESTALE;
    }
    disconnect(self);
    return CF_EIO;
}

/* See the top of this file: what the WAL holds goes to the database file and is synced there; then
 * a write must come through. */
static int verify(sqlite_t *self)
{
    if (sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
        SQLITE_OK)
        return fail(self, "verify by a checkpoint");
    if (exec(self, "UPDATE schema_version SET applied_us = applied_us") != SQLITE_OK)
        return fail(self, "verify by a write");
    return 0;
}

static int prepare_all(sqlite_t *self)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(self->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &self->statements[i], NULL) != SQLITE_OK)
            return fail(self, statements[i]);
    return 0;
}

static int open_file(sqlite_t *self)
{
    int newest = cf_migrations_newest(cf_sqlite_migrations);
    int rc = is_writer(self) ? create_file(self) : 0;
    if (rc == 0)
        rc = connect_file(self);
    if (rc == 0 && is_writer(self))
        rc = migrate(self);
    if (rc == 0)
        rc = check_version(self, newest);
    if (rc == 0 && is_writer(self))
        rc = verify(self);
    if (rc == 0)
        rc = prepare_all(self);
    if (rc < 0)
        disconnect(self); /* half of it is worse than none */
    return rc;
}

/* The first thing in every call: deadline, and the file open again after an error. */
static int begin_call(sqlite_t *self)
{
    self->until_us = cf_boot_us() + (int64_t)self->config.statement_ms * 1000;
    if (self->db)
        return 0;
    int rc = open_file(self);
    if (rc == 0)
        cf_log_info("sqlite: open again", CF_STR("path", self->path));
    return rc == CF_ENOMEM ? rc : rc < 0 ? CF_EIO : 0;
}

/* --- binding and columns -----------------------------------------------------------------------
 */

static sqlite3_stmt *stmt_of(sqlite_t *self, statement_t which)
{
    sqlite3_reset(self->statements[which]);
    return self->statements[which];
}

/* SQLITE_STATIC everywhere: what is bound outlives the step. Binding fails only without memory, and
 * then a NOT NULL constraint or an empty answer stands in for the value; so the result counts. */
static void bind_id(sqlite3_stmt *stmt, int at, const cf_id_t *id)
{
    sqlite3_bind_blob(stmt, at, id->bytes, CF_ID_SIZE, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *stmt, int at, cf_str_t text)
{
    sqlite3_bind_text(stmt, at, text.bytes ? text.bytes : "", (int)text.size, SQLITE_STATIC);
}

static cf_id_t column_id(sqlite3_stmt *stmt, int at)
{
    cf_id_t id = {0};
    const void *bytes = sqlite3_column_blob(stmt, at);
    if (bytes && sqlite3_column_bytes(stmt, at) == CF_ID_SIZE)
        memcpy(id.bytes, bytes, CF_ID_SIZE);
    return id;
}

static cf_str_t column_text(sqlite3_stmt *stmt, int at)
{
    const char *bytes = (const char *)sqlite3_column_text(stmt, at);
    return (cf_str_t){bytes ? bytes : "", (uint32_t)sqlite3_column_bytes(stmt, at)};
}

static cf_room_row_t column_room(sqlite3_stmt *stmt)
{
    return (cf_room_row_t){.id = column_id(stmt, 0),
                           .name = column_text(stmt, 1),
                           .creator = column_id(stmt, 2),
                           .created_us = sqlite3_column_int64(stmt, 3),
                           .ephemeral = sqlite3_column_int(stmt, 4) != 0,
                           .epoch = (uint64_t)sqlite3_column_int64(stmt, 5),
                           .last_seq = (uint64_t)sqlite3_column_int64(stmt, 6),
                           .last_us = sqlite3_column_int64(stmt, 7)};
}

static cf_user_t column_user(sqlite3_stmt *stmt)
{
    return (cf_user_t){.id = column_id(stmt, 0),
                       .username = column_text(stmt, 1),
                       .email = column_text(stmt, 2),
                       .password_hash = column_text(stmt, 3),
                       .created_us = sqlite3_column_int64(stmt, 4)};
}

/* Runs a statement that changes rows. 0; CF_EEXIST, CF_ENOENT or CF_ERANGE for a constraint, after
 * which the transaction goes on; CF_EIO. */
static int run(sqlite3_stmt *stmt)
{
    int code = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    switch (code) {
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return CF_EEXIST;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return CF_ENOENT;
    case SQLITE_CONSTRAINT_CHECK:
    case SQLITE_CONSTRAINT_NOTNULL:
    case SQLITE_CONSTRAINT_DATATYPE:
        return CF_ERANGE;
    default:
        return CF_EIO;
    }
}

/* --- appends -----------------------------------------------------------------------------------
 */

static int find_key(void *arg, const cf_run_t *append, const cf_post_t *row, cf_append_key_t *out)
{
    sqlite3_stmt *stmt = stmt_of(arg, GET_KEY);
    bind_id(stmt, 1, &append->room);
    bind_id(stmt, 2, &row->sender);
    bind_text(stmt, 3, row->client_key);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        out->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        out->id = column_id(stmt, 1);
        out->at_us = sqlite3_column_int64(stmt, 2);
        const void *hash = sqlite3_column_blob(stmt, 3);
        memset(out->body_hash, 0, CF_BODY_HASH_SIZE);
        if (hash && sqlite3_column_bytes(stmt, 3) == CF_BODY_HASH_SIZE)
            memcpy(out->body_hash, hash, CF_BODY_HASH_SIZE);
    }
    sqlite3_reset(stmt);
    return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : CF_EIO;
}

static int take_row(void *arg, const cf_run_t *append, const cf_post_t *row)
{
    sqlite_t *self = arg;
    sqlite3_stmt *post = stmt_of(self, PUT_POST);
    bind_id(post, 1, &append->room);
    sqlite3_bind_int64(post, 2, (int64_t)row->seq);
    bind_id(post, 3, &row->id);
    bind_id(post, 4, &row->sender);
    sqlite3_bind_int64(post, 5, row->at_us);
    sqlite3_bind_int64(post, 6, row->kind);
    bind_text(post, 7, row->text);
    int rc = run(post);
    if (rc < 0 || row->client_key.size == 0)
        return rc == CF_EIO || rc == 0 ? rc : CF_ERANGE;
    sqlite3_stmt *key = stmt_of(self, PUT_KEY);
    bind_id(key, 1, &append->room);
    bind_id(key, 2, &row->sender);
    bind_text(key, 3, row->client_key);
    sqlite3_bind_int64(key, 4, (int64_t)row->seq);
    bind_id(key, 5, &row->id);
    sqlite3_bind_int64(key, 6, row->at_us);
    sqlite3_bind_blob(key, 7, row->body_hash, CF_BODY_HASH_SIZE, SQLITE_STATIC);
    return run(key) == 0 ? 0 : CF_EIO; /* bounds.c let nothing through that could be refused */
}

static int get_room(sqlite_t *self, const cf_id_t *id, cf_append_room_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, GET_ROOM);
    bind_id(stmt, 1, id);
    *out = (cf_append_room_t){.id = *id};
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        out->exists = true;
        out->epoch = (uint64_t)sqlite3_column_int64(stmt, 0);
        out->last_seq = (uint64_t)sqlite3_column_int64(stmt, 1);
        out->last_us = sqlite3_column_int64(stmt, 2);
        out->ephemeral = sqlite3_column_int(stmt, 3) != 0;
    }
    sqlite3_reset(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : CF_EIO;
}

static int on_append(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    static const cf_append_ops_t ops = {find_key, take_row};
    const cf_run_t *append = &write->append;
    cf_append_room_t room;
    int rc = get_room(self, &append->room, &room);
    if (rc == 0)
        rc = cf_append_run(&room, append, self->config.key_ttl_us, &ops, self, out);
    if (rc < 0 || !room.changed)
        return rc;
    sqlite3_stmt *stmt = stmt_of(self, SET_ROOM);
    bind_id(stmt, 1, &append->room);
    sqlite3_bind_int64(stmt, 2, (int64_t)append->epoch);
    sqlite3_bind_int64(stmt, 3, (int64_t)append->prev);
    sqlite3_bind_int64(stmt, 4, (int64_t)room.last_seq);
    sqlite3_bind_int64(stmt, 5, room.last_us);
    rc = run(stmt);
    return rc == 0 && sqlite3_changes(self->db) == 1 ? 0 : CF_EIO;
}

/* --- the other writes: 0 with out->rc set, or CF_EIO to roll back
 * --------------------------------- */

/* What a constraint refused is an answer; everything else ends the transaction. */
static int answer(cf_outcome_t *out, int rc)
{
    out->rc = rc;
    return rc == CF_EIO ? CF_EIO : 0;
}

static int on_activate(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, ACTIVATE);
    bind_id(stmt, 1, &write->activate.room);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        out->room = column_room(stmt);
        out->room.name = (cf_str_t){0};
        code = sqlite3_step(stmt); /* the update is done when the last row was taken */
    } else if (code == SQLITE_DONE) {
        out->rc = CF_ENOENT;
    }
    sqlite3_reset(stmt);
    return code == SQLITE_DONE ? 0 : CF_EIO;
}

/* A repeat after a lost answer is not a conflict: the same id with the same name is already there.
 */
static bool has_user(sqlite_t *self, const cf_user_t *user)
{
    sqlite3_stmt *stmt = stmt_of(self, USER_BY_ID);
    bind_id(stmt, 1, &user->id);
    bool same =
        sqlite3_step(stmt) == SQLITE_ROW && cf_str_equal(column_text(stmt, 1), user->username);
    sqlite3_reset(stmt);
    return same;
}

static int on_create_user(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_user_t *user = &write->create_user;
    sqlite3_stmt *stmt = stmt_of(self, PUT_USER);
    bind_id(stmt, 1, &user->id);
    bind_text(stmt, 2, user->username);
    bind_text(stmt, 3, user->email);
    bind_text(stmt, 4, user->password_hash);
    sqlite3_bind_int64(stmt, 5, user->created_us);
    int rc = run(stmt);
    return answer(out, rc == CF_EEXIST && has_user(self, user) ? 0 : rc);
}

static int on_set_password(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, SET_PASSWORD);
    bind_id(stmt, 1, &write->set_password.user);
    bind_text(stmt, 2, write->set_password.password_hash);
    int rc = run(stmt);
    return answer(out, rc == 0 && sqlite3_changes(self->db) == 0 ? CF_ENOENT : rc);
}

static int on_disable_user(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *mark = stmt_of(self, DISABLE_USER), *remove = stmt_of(self, REMOVE_SESSIONS);
    bind_id(mark, 1, &write->disable_user.user);
    sqlite3_bind_int64(mark, 2, write->disable_user.at_us);
    bind_id(remove, 1, &write->disable_user.user);
    int rc = run(mark);
    if (rc == 0 && sqlite3_changes(self->db) == 0)
        return answer(out, CF_ENOENT);
    return answer(out, rc == 0 ? run(remove) : rc);
}

static int on_enable_user(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, ENABLE_USER);
    bind_id(stmt, 1, &write->enable_user);
    int rc = run(stmt);
    return answer(out, rc == 0 && sqlite3_changes(self->db) == 0 ? CF_ENOENT : rc);
}

static bool has_session(sqlite_t *self, const cf_session_t *session)
{
    sqlite3_stmt *stmt = stmt_of(self, GET_SESSION);
    sqlite3_bind_blob(stmt, 1, session->token_hash, CF_TOKEN_HASH_SIZE, SQLITE_STATIC);
    bool same = sqlite3_step(stmt) == SQLITE_ROW && cf_id_equal(column_id(stmt, 5), session->id);
    sqlite3_reset(stmt);
    return same;
}

static int on_add_session(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_session_t *session = &write->add_session;
    sqlite3_stmt *stmt = stmt_of(self, PUT_SESSION);
    sqlite3_bind_blob(stmt, 1, session->token_hash, CF_TOKEN_HASH_SIZE, SQLITE_STATIC);
    bind_id(stmt, 2, &session->id);
    bind_id(stmt, 3, &session->user);
    sqlite3_bind_int64(stmt, 4, session->created_us);
    sqlite3_bind_int64(stmt, 5, session->expires_us);
    int rc = run(stmt);
    if (rc == 0 && sqlite3_changes(self->db) == 0)
        rc = CF_EPERM;
    return answer(out, rc == CF_EEXIST && has_session(self, session) ? 0 : rc);
}

static int on_remove_session(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, REMOVE_SESSION);
    sqlite3_bind_blob(stmt, 1, write->remove_session, CF_TOKEN_HASH_SIZE, SQLITE_STATIC);
    return answer(out, run(stmt));
}

static int put_member(sqlite_t *self, const cf_id_t *room, const cf_id_t *user, int64_t at_us)
{
    sqlite3_stmt *stmt = stmt_of(self, PUT_MEMBER);
    bind_id(stmt, 1, room);
    bind_id(stmt, 2, user);
    sqlite3_bind_int64(stmt, 3, at_us);
    return run(stmt);
}

static int on_create_room(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_room_row_t *room = &write->create_room;
    sqlite3_stmt *stmt = stmt_of(self, PUT_ROOM);
    bind_id(stmt, 1, &room->id);
    bind_text(stmt, 2, room->name);
    bind_id(stmt, 3, &room->creator);
    sqlite3_bind_int64(stmt, 4, room->created_us);
    sqlite3_bind_int(stmt, 5, room->ephemeral);
    int rc = run(stmt);
    if (rc == CF_EEXIST)
        return answer(out, 0); /* only the id is unique, so this is a repeat */
    if (rc == 0 && put_member(self, &room->id, &room->creator, room->created_us) < 0)
        return CF_EIO;
    return answer(out, rc);
}

static int on_add_member(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    return answer(out,
                  put_member(self, &write->member.room, &write->member.user, write->member.at_us));
}

static int on_remove_member(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, REMOVE_MEMBER);
    bind_id(stmt, 1, &write->member.room);
    bind_id(stmt, 2, &write->member.user);
    return answer(out, run(stmt));
}

static int on_dead_letter(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_dead_letter_t *letter = &write->dead_letter;
    sqlite3_stmt *stmt = stmt_of(self, PUT_DEAD_LETTER);
    bind_id(stmt, 1, &letter->id);
    bind_id(stmt, 2, &letter->room);
    sqlite3_bind_int64(stmt, 3, letter->at_us);
    bind_text(stmt, 4, letter->command);
    bind_text(stmt, 5, letter->reason);
    sqlite3_bind_int64(stmt, 6, letter->attempts);
    return answer(out, run(stmt));
}

static int on_remove_dead_letter(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    sqlite3_stmt *stmt = stmt_of(self, REMOVE_DEAD_LETTER);
    bind_id(stmt, 1, &write->remove_dead_letter);
    return answer(out, run(stmt));
}

static int on_expire(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    static const statement_t which[] = {[CF_WRITE_EXPIRE_SESSIONS] = EXPIRE_SESSIONS,
                                        [CF_WRITE_EXPIRE_KEYS] = EXPIRE_KEYS,
                                        [CF_WRITE_EXPIRE_DEAD_LETTERS] = EXPIRE_DEAD_LETTERS,
                                        [CF_WRITE_EXPIRE_POSTS] = EXPIRE_POSTS};
    sqlite3_stmt *stmt = stmt_of(self, which[write->kind]);
    cf_id_t end = cf_id_least(write->expire.until_us + 1000);
    sqlite3_bind_int64(stmt, 1, write->expire.until_us);
    sqlite3_bind_int64(stmt, 2, write->expire.limit);
    if (write->kind == CF_WRITE_EXPIRE_POSTS)
        bind_id(stmt, 3, &end);
    int rc = run(stmt);
    out->stored = rc == 0 ? (uint32_t)sqlite3_changes(self->db) : 0;
    return answer(out, rc);
}

static int (*const on_write[])(sqlite_t *self, const cf_write_t *write, cf_outcome_t *out) = {
    [CF_WRITE_APPEND] = on_append,
    [CF_WRITE_ACTIVATE] = on_activate,
    [CF_WRITE_CREATE_USER] = on_create_user,
    [CF_WRITE_SET_PASSWORD] = on_set_password,
    [CF_WRITE_DISABLE_USER] = on_disable_user,
    [CF_WRITE_ENABLE_USER] = on_enable_user,
    [CF_WRITE_ADD_SESSION] = on_add_session,
    [CF_WRITE_REMOVE_SESSION] = on_remove_session,
    [CF_WRITE_CREATE_ROOM] = on_create_room,
    [CF_WRITE_ADD_MEMBER] = on_add_member,
    [CF_WRITE_REMOVE_MEMBER] = on_remove_member,
    [CF_WRITE_EXPIRE_SESSIONS] = on_expire,
    [CF_WRITE_EXPIRE_KEYS] = on_expire,
    [CF_WRITE_DEAD_LETTER] = on_dead_letter,
    [CF_WRITE_REMOVE_DEAD_LETTER] = on_remove_dead_letter,
    [CF_WRITE_EXPIRE_DEAD_LETTERS] = on_expire,
    [CF_WRITE_EXPIRE_POSTS] = on_expire,
};

/* --- transactions ------------------------------------------------------------------------------
 */

static void roll_back(sqlite_t *self)
{
    if (self->db && !sqlite3_get_autocommit(self->db) && run(stmt_of(self, ROLLBACK)) < 0)
        disconnect(self);
}

/* Copies the WAL into the database file when it has grown. What was committed is durable whatever
 * happens here; an error only makes the next call open the file again. */
static void checkpoint(sqlite_t *self)
{
    if (self->wal_pages < CHECKPOINT_PAGES)
        return;
    int code = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code == SQLITE_OK)
        self->wal_pages = 0;
    else if (code != SQLITE_BUSY)
        fail(self, "checkpoint");
}

/* COMMIT is where certainty ends: after a failed sync the frames may or may not be found by the
 * next opening. A full disk is certain: the frame with the commit mark was not written whole. */
static cf_verdict_status_t commit(sqlite_t *self)
{
    cf_crash_point("before_commit");
    int code = sqlite3_step(stmt_of(self, COMMIT));
    if (code == SQLITE_DONE) {
        sqlite3_reset(self->statements[COMMIT]);
        self->said = 0;
        cf_crash_point("after_commit");
        return CF_VERDICT_STORED;
    }
    bool certain = (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY;
    fail(self, "commit");
    roll_back(self);
    return certain ? CF_VERDICT_FAILED : CF_VERDICT_UNKNOWN;
}

static int write_group(sqlite_t *self, const cf_write_t *writes, size_t n, cf_outcome_t *outcomes)
{
    cf_verdict_status_t end = CF_VERDICT_FAILED;
    bool inserted = false;
    cf_crash_point("before_begin");
    int rc = run(stmt_of(self, BEGIN));
    for (size_t i = 0; i < n && rc == 0; i++) {
        memset(&outcomes[i], 0, sizeof outcomes[i]);
        outcomes[i].rc = cf_bounds_write(&writes[i]);
        if (outcomes[i].rc == 0)
            rc = on_write[writes[i].kind](self, &writes[i], &outcomes[i]);
        inserted |= writes[i].kind == CF_WRITE_APPEND && outcomes[i].stored > 0;
    }
    if (rc == 0) {
        if (inserted)
            cf_crash_point("after_insert");
        end = commit(self);
    } else {
        fail(self, "write");
        roll_back(self);
    }
    if (end == CF_VERDICT_STORED) {
        checkpoint(self);
        return 0;
    }
    cf_append_none(writes, n, end, outcomes);
    return CF_EIO;
}

/* How many of the writes go into the next transaction: whole writes, up to GROUP_ROWS rows. */
static size_t group_size(const cf_write_t *writes, size_t n)
{
    size_t rows = 0, i = 0;
    while (i < n && (i == 0 || rows < GROUP_ROWS)) {
        rows += writes[i].kind == CF_WRITE_APPEND ? writes[i].append.n : 1;
        if (i > 0 && rows > GROUP_ROWS)
            break;
        i++;
    }
    return i;
}

static int sqlite_write(cf_store_t *base, const cf_write_t *writes, size_t n,
                        cf_outcome_t *outcomes)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    while (n > 0 && rc == 0 && self->db && cf_boot_us() < self->until_us) {
        size_t size = group_size(writes, n);
        rc = write_group(self, writes, size, outcomes);
        writes += size;
        outcomes += size;
        n -= size;
    }
    if (n == 0)
        return rc;
    cf_append_none(writes, n, CF_VERDICT_FAILED, outcomes);
    return CF_EIO;
}

/* --- reads -------------------------------------------------------------------------------------
 */

/* How many rows of the run are there, from its first on; negative: CF_EIO. */
static int64_t count_written(sqlite_t *self, const cf_run_t *append)
{
    for (uint32_t i = 0; i < append->n; i++) {
        sqlite3_stmt *stmt = stmt_of(self, POST_ID);
        bind_id(stmt, 1, &append->room);
        sqlite3_bind_int64(stmt, 2, (int64_t)append->rows[i].seq);
        int code = sqlite3_step(stmt);
        bool same = code == SQLITE_ROW && cf_id_equal(column_id(stmt, 0), append->rows[i].id);
        sqlite3_reset(stmt);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return CF_EIO;
        if (!same)
            return i;
    }
    return append->n;
}

/* What stands in the file after begin_call() is certain: opening it emptied the WAL. */
static int sqlite_settle(cf_store_t *base, const cf_run_t *runs, size_t n, cf_outcome_t *outcomes)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    for (size_t i = 0; i < n && rc == 0; i++) {
        cf_append_room_t room;
        int64_t written = 0;
        rc = get_room(self, &runs[i].room, &room);
        if (rc == 0 && (written = count_written(self, &runs[i])) < 0)
            rc = CF_EIO;
        if (rc == 0)
            outcomes[i] = cf_append_settle(&room, &runs[i], (uint32_t)written);
        else
            rc = fail(self, "settle");
    }
    return rc;
}

/* Ends a read: resets the statement and, after an error, gives up the connection. */
static int end_read(sqlite_t *self, sqlite3_stmt *stmt, int code)
{
    sqlite3_reset(stmt);
    if (code != SQLITE_DONE)
        return fail(self, "read");
    self->said = 0;
    return 0;
}

/* All look-ups of one call see one state of the file. */
static int begin_read(sqlite_t *self)
{
    int rc = begin_call(self);
    if (rc == 0 && run(stmt_of(self, BEGIN_READ)) < 0)
        rc = fail(self, "begin to read");
    return rc;
}

static int end_reads(sqlite_t *self, int rc)
{
    if (self->db && run(stmt_of(self, COMMIT)) < 0)
        return fail(self, "end a read");
    return rc;
}

static int sqlite_find_users(cf_store_t *base, const cf_user_key_t *keys, size_t n,
                             cf_user_row_fn *row, void *arg)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_read(self);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        bool by_id = keys[i].by == CF_USER_BY_ID;
        sqlite3_stmt *stmt = stmt_of(self, by_id ? USER_BY_ID : USER_BY_NAME);
        if (by_id)
            bind_id(stmt, 1, &keys[i].id);
        else
            bind_text(stmt, 1, keys[i].name);
        int code;
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
            cf_user_t user = column_user(stmt);
            row(arg, i, &user);
        }
        rc = end_read(self, stmt, code);
    }
    return end_reads(self, rc);
}

static int sqlite_find_sessions(cf_store_t *base, const uint8_t (*hashes)[CF_TOKEN_HASH_SIZE],
                                size_t n, cf_session_row_fn *row, void *arg)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_read(self);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite3_stmt *stmt = stmt_of(self, GET_SESSION);
        sqlite3_bind_blob(stmt, 1, hashes[i], CF_TOKEN_HASH_SIZE, SQLITE_STATIC);
        int code;
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
            cf_user_t user = column_user(stmt);
            cf_session_t session = {.id = column_id(stmt, 5),
                                    .user = user.id,
                                    .created_us = sqlite3_column_int64(stmt, 6),
                                    .expires_us = sqlite3_column_int64(stmt, 7)};
            memcpy(session.token_hash, hashes[i], CF_TOKEN_HASH_SIZE);
            row(arg, i, &session, &user);
        }
        rc = end_read(self, stmt, code);
    }
    return end_reads(self, rc);
}

static int sqlite_find_members(cf_store_t *base, const cf_member_key_t *keys, size_t n,
                               cf_member_row_fn *row, void *arg)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_read(self);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite3_stmt *stmt = stmt_of(self, GET_MEMBER);
        bind_id(stmt, 1, &keys[i].room);
        bind_id(stmt, 2, &keys[i].user);
        int code;
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
            row(arg, i, sqlite3_column_int(stmt, 0) != 0, sqlite3_column_int(stmt, 1) != 0);
        rc = end_read(self, stmt, code);
    }
    return end_reads(self, rc);
}

static int sqlite_list_rooms(cf_store_t *base, const cf_id_t *after, uint32_t limit,
                             cf_room_row_fn *row, void *arg)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    if (rc < 0)
        return rc;
    sqlite3_stmt *stmt = stmt_of(self, after ? ROOMS_AFTER : ROOMS_NEWEST);
    sqlite3_bind_int64(stmt, 1, limit);
    if (after)
        bind_id(stmt, 2, after);
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        cf_room_row_t room = column_room(stmt);
        row(arg, &room);
    }
    return end_read(self, stmt, code);
}

/* Where the posts at or after a time begin: *out gets a seq that lies behind all older posts and
 * not behind any other. Times rise with seq, so it is found by halving. 1, or CF_EIO. */
static int seek_time(sqlite_t *self, const cf_id_t *room, int64_t at_us, int64_t *out)
{
    cf_append_room_t row;
    if (get_room(self, room, &row) < 0)
        return fail(self, "read");
    int64_t low = 1, high = (int64_t)row.last_seq + 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        sqlite3_stmt *stmt = stmt_of(self, POST_FROM);
        bind_id(stmt, 1, room);
        sqlite3_bind_int64(stmt, 2, middle);
        int code = sqlite3_step(stmt);
        if (code == SQLITE_ROW && sqlite3_column_int64(stmt, 1) < at_us)
            low = sqlite3_column_int64(stmt, 0) + 1;
        else
            high = middle;
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return end_read(self, stmt, code);
        sqlite3_reset(stmt);
    }
    *out = low;
    return 1;
}

/* The seq a range starts from, exclusive: 1 and *out, 0 if the range names an unknown post, or an
 * error. */
static int resolve_range(sqlite_t *self, const cf_posts_range_t *range, int64_t *out)
{
    if (range->from == CF_POSTS_BEFORE_TIME)
        return seek_time(self, &range->room, range->at, out);
    *out = range->from == CF_POSTS_NEWEST ? INT64_MAX : range->at;
    if (range->from != CF_POSTS_BEFORE_ID)
        return 1;
    sqlite3_stmt *stmt = stmt_of(self, SEQ_OF_ID);
    bind_id(stmt, 1, &range->room);
    bind_id(stmt, 2, &range->id);
    int code = sqlite3_step(stmt);
    if (code != SQLITE_ROW)
        return end_read(self, stmt, code);
    *out = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return 1;
}

static int read_range(sqlite_t *self, const cf_posts_range_t *range, size_t key, int64_t from,
                      cf_post_row_fn *row, void *arg)
{
    sqlite3_stmt *stmt =
        stmt_of(self, range->from == CF_POSTS_AFTER_SEQ ? POSTS_AFTER : POSTS_BEFORE);
    bind_id(stmt, 1, &range->room);
    sqlite3_bind_int64(stmt, 2, from);
    sqlite3_bind_int64(stmt, 3, range->limit);
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        cf_post_t post = {.seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                          .id = column_id(stmt, 1),
                          .sender = column_id(stmt, 2),
                          .at_us = sqlite3_column_int64(stmt, 3),
                          .kind = (uint32_t)sqlite3_column_int(stmt, 4),
                          .username = column_text(stmt, 5),
                          .text = column_text(stmt, 6)};
        row(arg, key, &post);
    }
    return end_read(self, stmt, code);
}

static int sqlite_read_posts(cf_store_t *base, const cf_posts_range_t *ranges, size_t n,
                             cf_post_row_fn *row, void *arg, cf_posts_found_t *found)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_read(self);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        int64_t from = 0;
        rc = resolve_range(self, &ranges[i], &from);
        if (found)
            found[i] = rc == 1 ? CF_POSTS_FOUND : CF_POSTS_NONE;
        if (rc == 1)
            rc = read_range(self, &ranges[i], i, from, row, arg);
    }
    return end_reads(self, rc);
}

static cf_dead_letter_t column_letter(sqlite3_stmt *stmt)
{
    return (cf_dead_letter_t){.id = column_id(stmt, 0),
                              .room = column_id(stmt, 1),
                              .at_us = sqlite3_column_int64(stmt, 2),
                              .command = column_text(stmt, 3),
                              .reason = column_text(stmt, 4),
                              .attempts = (uint32_t)sqlite3_column_int64(stmt, 5)};
}

/* Ends the call as well. */
static int deliver_letters(sqlite_t *self, sqlite3_stmt *stmt, cf_dead_letter_row_fn *row,
                           void *arg)
{
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        cf_dead_letter_t letter = column_letter(stmt);
        row(arg, &letter);
    }
    return end_read(self, stmt, code);
}

static int sqlite_find_dead_letter(cf_store_t *base, cf_id_t id, cf_dead_letter_row_fn *row,
                                   void *arg)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    if (rc < 0)
        return rc;
    sqlite3_stmt *stmt = stmt_of(self, DEAD_LETTER);
    bind_id(stmt, 1, &id);
    return deliver_letters(self, stmt, row, arg);
}

static int sqlite_list_dead_letters(cf_store_t *base, const cf_dead_letter_t *after, uint32_t limit,
                                    cf_dead_letter_row_fn *row, void *arg)
{
    static const cf_dead_letter_t oldest = {.at_us = INT64_MIN};
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    if (rc < 0)
        return rc;
    sqlite3_stmt *stmt = stmt_of(self, DEAD_LETTERS);
    after = after ? after : &oldest;
    sqlite3_bind_int64(stmt, 1, after->at_us);
    bind_id(stmt, 2, &after->id);
    sqlite3_bind_int64(stmt, 3, limit);
    return deliver_letters(self, stmt, row, arg);
}

/* --- life --------------------------------------------------------------------------------------
 */

static int sqlite_ping(cf_store_t *base)
{
    sqlite_t *self = (sqlite_t *)base;
    int rc = begin_call(self);
    if (rc == 0 && ask_number(self, "SELECT count(*) FROM schema_version") < 1)
        rc = fail(self, "ping");
    return rc;
}

static void sqlite_close(cf_store_t *base)
{
    sqlite_t *self = (sqlite_t *)base;
    disconnect(self);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    free(self);
}

static const cf_store_ops_t sqlite_ops = {
    .name = "sqlite",
    .write = sqlite_write,
    .settle = sqlite_settle,
    .find_users = sqlite_find_users,
    .find_sessions = sqlite_find_sessions,
    .find_members = sqlite_find_members,
    .list_rooms = sqlite_list_rooms,
    .read_posts = sqlite_read_posts,
    .list_dead_letters = sqlite_list_dead_letters,
    .find_dead_letter = sqlite_find_dead_letter,
    .ping = sqlite_ping,
    .close = sqlite_close,
};

int cf_sqlite_open(cf_store_t **out, const cf_store_config_t *config)
{
    sqlite_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->base.ops = &sqlite_ops;
    self->config = *config;
    self->path = config->url + strlen("sqlite:");
    self->lock_fd = -1;
    self->until_us = cf_boot_us() + (int64_t)config->statement_ms * 1000;
    int rc = is_writer(self) ? take_lock(self) : 0;
    if (rc == 0)
        rc = open_file(self);
    if (rc < 0) {
        sqlite_close(&self->base);
        return rc;
    }
    *out = &self->base;
    return 0;
}
