/* What only SQLite promises: one owner, a private file, a sync before every answer, no trust after
 * a failed one. fsync, fdatasync and pwrite64 are this program's own, so that they can be counted
 * and made to fail. */
#include "append.h"
#include "migrations.h"
#include "sqlite_backup.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int syncs_of_wal;            /* that succeeded */
static int sync_error, write_error; /* errno to fail with; 0: work */
static bool only_the_wal_syncs;     /* the database file itself cannot be synced */
static bool no_folder_syncs;

static bool is_wal(int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return size > 4 && memcmp(path + size - 4, "-wal", 4) == 0;
}

static bool is_folder(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int sync_or_fail(int fd, long call)
{
    if (sync_error || (only_the_wal_syncs && !is_wal(fd)) || (no_folder_syncs && is_folder(fd))) {
        errno = sync_error ? sync_error : EIO;
        return -1;
    }
    syncs_of_wal += is_wal(fd);
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_or_fail(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_or_fail(fd, SYS_fdatasync);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    if (write_error) {
        errno = write_error;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

static const backend_t sqlite = {"sqlite"};
static cf_store_t *store;

static void write_one(cf_write_t write, cf_outcome_t *outcome)
{
    store->ops->write(store, &write, 1, outcome);
}

static void open_filled(void)
{
    sync_error = write_error = 0;
    only_the_wal_syncs = no_folder_syncs = false;
    cr_assert(place_new(&sqlite));
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert(store);
    place_fill(store);
}

static void close_all(void)
{
    sync_error = write_error = 0;
    only_the_wal_syncs = no_folder_syncs = false;
    place_remove();
}

TestSuite(sqlite, .init = open_filled, .fini = close_all, .timeout = 120);

static cf_post_t row;

static cf_run_t run_of(uint64_t seq)
{
    row = (cf_post_t){.seq = seq,
                      .id = POST(seq),
                      .sender = USER(1),
                      .at_us = (int64_t)seq,
                      .kind = CF_POST_TEXT,
                      .text = cf_str("x")};
    return (cf_run_t){.room = ROOM(1), .epoch = 1, .prev = seq - 1, .rows = &row, .n = 1};
}

static cf_outcome_t append(uint64_t seq)
{
    cf_outcome_t outcome;
    write_one((cf_write_t){.kind = CF_WRITE_APPEND, .append = run_of(seq)}, &outcome);
    return outcome;
}

static int settle(uint64_t seq, cf_outcome_t *outcome)
{
    cf_run_t run = run_of(seq);
    return store->ops->settle(store, &run, 1, outcome);
}

Test(sqlite, syncs_the_wal_before_it_answers)
{
    for (uint64_t seq = 1; seq <= 20; seq++) {
        int before = syncs_of_wal;
        cr_assert_eq(append(seq).status, CF_VERDICT_STORED);
        cr_assert_gt(syncs_of_wal, before, "seq %llu is not on the disk", (unsigned long long)seq);
    }
}

Test(sqlite, acks_nothing_after_a_failed_sync_until_it_has_verified_the_file)
{
    cf_outcome_t outcome;
    cr_assert_eq(append(1).status, CF_VERDICT_STORED);
    sync_error = EIO;
    cr_assert_eq(append(2).status, CF_VERDICT_UNKNOWN);
    cr_assert_eq(settle(2, &outcome), CF_EIO, "the file cannot be verified yet");
    cr_assert_eq(append(2).status, CF_VERDICT_FAILED);
    sync_error = 0;
    int before = syncs_of_wal;
    cr_assert_eq(settle(2, &outcome), 0);
    cr_assert_gt(syncs_of_wal, before, "verified without a write");
    uint64_t next = 2;
    if (outcome.status == CF_VERDICT_STORED)
        next = 3; /* the opening found the frames whole; now they are on the disk */
    else
        cr_assert_eq(outcome.status, CF_VERDICT_FAILED);
    cr_assert_eq(append(next).status, CF_VERDICT_STORED);
}

Test(sqlite, goes_on_by_itself_when_a_full_disk_has_room_again)
{
    write_error = ENOSPC;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(append(1).status, CF_VERDICT_FAILED);
    cr_assert_eq(store->ops->ping(store), 0, "it can still be read");
    write_error = 0;
    cr_assert_eq(append(1).status, CF_VERDICT_STORED);
}

Test(sqlite, survives_a_failed_write)
{
    cf_outcome_t outcome;
    write_error = EIO;
    cr_assert_neq(append(1).status, CF_VERDICT_STORED);
    cr_assert_neq(append(1).status, CF_VERDICT_STORED);
    write_error = 0;
    cr_assert_eq(settle(1, &outcome), 0);
    cr_assert_eq(outcome.status, CF_VERDICT_FAILED);
    cr_assert_eq(append(1).status, CF_VERDICT_STORED);
}

/* As many rows of the longest run as it takes to pass several checkpoints; the last seq, or where a
 * run was not stored. */
static uint64_t append_much(uint64_t seq, int rounds)
{
    static char text[CF_POST_CHARS_MAX];
    static cf_post_t rows[CF_RUN_ROWS_MAX];
    memset(text, 'x', sizeof text);
    for (int round = 0; round < rounds; round++, seq += CF_RUN_ROWS_MAX) {
        for (uint64_t i = 0; i < CF_RUN_ROWS_MAX; i++)
            rows[i] = (cf_post_t){.seq = seq + 1 + i,
                                  .id = POST(seq + 1 + i),
                                  .sender = USER(1),
                                  .at_us = (int64_t)(seq + 1 + i),
                                  .kind = CF_POST_TEXT,
                                  .text = {text, sizeof text}};
        cf_outcome_t outcome;
        write_one((cf_write_t){.kind = CF_WRITE_APPEND,
                               .append = {ROOM(1), 1, seq, rows, CF_RUN_ROWS_MAX}},
                  &outcome);
        if (outcome.status != CF_VERDICT_STORED)
            break;
    }
    return seq;
}

Test(sqlite, keeps_the_wal_short)
{
    char wal[512];
    struct stat st;
    cr_assert_eq(append_much(0, 60), 60 * CF_RUN_ROWS_MAX);
    snprintf(wal, sizeof wal, "%s/chat.db-wal", place_folder());
    cr_assert_eq(stat(wal, &st), 0);
    cr_assert_lt(st.st_size, 32 * 1024 * 1024, "the WAL is never used again from its start");
}

Test(sqlite, stops_when_a_checkpoint_fails_and_loses_nothing_of_what_it_acked)
{
    only_the_wal_syncs = true;
    uint64_t stored = append_much(0, 60);
    cr_assert_lt(stored, 60 * CF_RUN_ROWS_MAX, "no checkpoint was made");
    cr_assert_gt(stored, 0);
    cr_assert_eq(append_much(stored, 1), stored);
    only_the_wal_syncs = false;
    cr_assert_eq(append_much(stored, 1), stored + CF_RUN_ROWS_MAX);
    cf_outcome_t outcome;
    cr_assert_eq(settle(stored, &outcome), 0);
    cr_assert_eq(outcome.status, CF_VERDICT_STORED);
}

Test(sqlite, lets_one_process_own_the_file)
{
    int rc;
    cr_assert_null(place_open(CF_STORE_WRITER, &rc));
    cr_assert_eq(rc, CF_EFULL);
    cr_assert_not_null(place_open(CF_STORE_READER, NULL));
    place_close(store);
    store = place_open(CF_STORE_WRITER, &rc);
    cr_assert_eq(rc, 0);
}

Test(sqlite, lets_a_reader_write_nothing)
{
    cf_store_t *reader = place_open(CF_STORE_READER, NULL);
    cf_write_t write = {.kind = CF_WRITE_APPEND, .append = run_of(1)};
    cf_outcome_t outcome;
    cr_assert_eq(reader->ops->write(reader, &write, 1, &outcome), CF_EIO);
    cr_assert_eq(outcome.status, CF_VERDICT_FAILED);
    cr_assert_eq(append(1).status, CF_VERDICT_STORED);
}

Test(sqlite, keeps_its_files_private)
{
    static const char *const files[] = {"chat.db", "chat.db-wal", "chat.db-shm", "chat.db.lock"};
    umask(0);
    place_close(store);
    char path[512];
    snprintf(path, sizeof path, "%s/chat.db", place_folder());
    cr_assert_eq(chmod(path, 0644), 0);
    store = place_open(CF_STORE_WRITER, NULL);
    append(1);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", place_folder(), files[i]);
        cr_assert_eq(stat(path, &st), 0, "%s", path);
        cr_assert_eq(st.st_mode & 07777, 0600, "%s has mode %o", path, st.st_mode & 07777);
    }
}

static void edit(const char *sql)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(place_url() + strlen("sqlite:"), &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

Test(sqlite, refuses_a_schema_newer_than_the_program)
{
    int rc;
    place_close(store);
    edit("INSERT INTO schema_version VALUES (9999, 'from_the_future', 0)");
    cr_assert_null(place_open(CF_STORE_WRITER, &rc));
    cr_assert_eq(rc, CF_ESTALE);
    cr_assert_null(place_open(CF_STORE_READER, &rc));
    cr_assert_eq(rc, CF_ESTALE);
}

Test(sqlite, lets_a_reader_wait_for_the_first_writer)
{
    int rc;
    place_close(store);
    edit("DELETE FROM schema_version");
    cr_assert_null(place_open(CF_STORE_READER, &rc));
    cr_assert_eq(rc, CF_EIO);
}

Test(sqlite, migrates_once)
{
    place_close(store);
    edit("UPDATE schema_version SET applied_us = 42");
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert(store);
    edit("CREATE TABLE proof AS SELECT 1 WHERE (SELECT sum(applied_us) FROM schema_version) ="
         " (SELECT 42 * count(*) FROM schema_version)");
    edit("INSERT INTO users (id) SELECT NULL WHERE"
         " (SELECT count(*) FROM proof) <> 1");
}

/* A database as version 1 left it, in which somebody has the bot's name, somebody its address and
 * somebody its id. */
Test(sqlite, gives_the_bot_its_name_and_hurts_nobody_who_had_it)
{
    sqlite3 *db;
    place_close(store);
    cr_assert_eq(unlink(place_url() + strlen("sqlite:")), 0);
    cr_assert_eq(sqlite3_open(place_url() + strlen("sqlite:"), &db), SQLITE_OK);
    sqlite3_close(db);
    edit(cf_sqlite_migrations[0].sql);
    edit("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
         " applied_us INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (1, 'one', 1);"
         "INSERT INTO users VALUES (x'01000000000000000000000000000000', 'StockBot', 'a@b.cc', "
         "'h', 1),"
         " (x'02000000000000000000000000000000', 'STOCKBOT', 'stockbot', 'h', 1),"
         " (x'b07b07b07b078b078b07b07b07b07b07', 'stockBOT', 'c@b.cc', 'h', 1),"
         " (x'04000000000000000000000000000000', 'StockBot2', 'd@b.cc', 'h', 1)");
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert(store);
    edit("CREATE TABLE proof AS SELECT 1 FROM users a, users b, users c, users d"
         " WHERE a.id = x'b07b07b07b078b078b07b07b07b07b07' AND a.username = 'StockBot'"
         " AND a.email = 'stockbot' AND a.password_hash = ''"
         " AND b.id = x'01000000000000000000000000000000' AND b.username LIKE 'StockBot\\_%' "
         "ESCAPE '\\'"
         " AND length(b.username) = 41 AND b.email = 'a@b.cc' AND b.password_hash = 'h'"
         " AND c.id = x'02000000000000000000000000000000' AND c.username LIKE 'StockBot\\_%' "
         "ESCAPE '\\'"
         " AND c.email LIKE 'stockbot\\_%' ESCAPE '\\'"
         " AND d.username = 'StockBot2' AND d.email = 'd@b.cc'");
    edit("INSERT INTO users (id) SELECT NULL WHERE"
         " (SELECT count(*) FROM proof) <> 1 OR (SELECT count(*) FROM users) <> 4");
}

Test(sqlite, refuses_what_is_no_database)
{
    int rc;
    place_close(store);
    FILE *file = fopen(place_url() + strlen("sqlite:"), "w");
    fprintf(file, "this is not a database, and never was one; it is long enough to be looked at");
    fclose(file);
    cr_assert_null(place_open(CF_STORE_WRITER, &rc));
    cr_assert_eq(rc, CF_EIO);
}

Test(sqlite, fails_where_no_file_can_be)
{
    cf_store_config_t config = {.url = "sqlite:/proc/nowhere/chat.db", .statement_ms = 200};
    cf_store_t *none = NULL;
    cr_assert_eq(cf_store_open(&none, &config), CF_EIO);
    cr_assert_null(none);
}

Test(sqlite, a_backup_whose_name_is_not_on_the_disk_is_none)
{
    char to[512];
    snprintf(to, sizeof to, "%s/backup", place_folder());
    no_folder_syncs = true;
    cr_assert_eq(cf_sqlite_backup(place_url() + strlen("sqlite:"), to), CF_EIO);
    cr_assert_neq(access(to, F_OK), 0, "it was told as failed");
    no_folder_syncs = false;
    cr_assert_eq(cf_sqlite_backup(place_url() + strlen("sqlite:"), to), 0);
    cr_assert_eq(access(to, F_OK), 0);
}
