/* SQLite's own online backup, in one step: with several it would begin anew after each commit of the server, and under
 * load never end. One step is one read transaction, which in WAL mode nobody waits for. */
#include "sqlite_backup.h"

#include "err.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define BUSY_MS 10000 /* while a server that starts verifies its file */

static int failed(sqlite3 *db, const char *what, const char *path)
{
    cf_log_error("backup: failed", CF_STR("what", what), CF_STR("path", path),
                 CF_STR("reason", sqlite3_errmsg(db)));
    return CF_EIO;
}

static int failed_call(const char *what, const char *path)
{
    cf_log_error("backup: failed", CF_STR("what", what), CF_STR("path", path), CF_ERRNO(errno));
    return CF_EIO;
}

static int connect(sqlite3 **db, const char *path)
{
    int code = sqlite3_open_v2(
        path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return failed(*db, "open", path);
    sqlite3_busy_timeout(*db, BUSY_MS);
    return 0;
}

static int copy_pages(sqlite3 *to, sqlite3 *from, const char *path)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return failed(to, "begin to copy", path);
    int code = sqlite3_backup_step(backup, -1);
    int ended = sqlite3_backup_finish(backup);
    return code == SQLITE_DONE && ended == SQLITE_OK ? 0 : failed(to, "copy", path);
}

/* A backup that nobody has read is a hope. */
static int check(sqlite3 *db, const char *path)
{
    sqlite3_stmt *stmt = NULL;
    const char *found = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        found = (const char *)sqlite3_column_text(stmt, 0); /* NULL without memory for it */
    int rc = found && strcmp(found, "ok") == 0 ? 0 : failed(db, "check the copy", path);
    sqlite3_finalize(stmt);
    return rc;
}

/* No WAL of its own: the copy is one file. A server that opens it has one again. */
static int copy(const char *from, const char *partial)
{
    sqlite3 *source = NULL, *target = NULL;
    int rc = connect(&source, from);
    if (rc == 0)
        rc = connect(&target, partial);
    if (rc == 0)
        rc = copy_pages(target, source, partial);
    if (rc == 0 &&
        sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        rc = failed(target, "make it one file", partial);
    if (rc == 0)
        rc = check(target, partial);
    sqlite3_close(target);
    sqlite3_close(source);
    return rc;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : failed_call("sync", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* link(2) takes no name that is taken, as rename(2) would. */
static int give_name(const char *partial, const char *to)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", to);
    if (sync_path(partial, O_RDONLY) < 0)
        return CF_EIO;
    if (link(partial, to) < 0) {
        int rc = errno == EEXIST ? CF_EEXIST : CF_EIO;
        failed_call("name the copy", to);
        return rc;
    }
    int rc = sync_path(dirname(folder), O_RDONLY | O_DIRECTORY);
    if (rc < 0)
        unlink(to); /* whoever is told that it failed must not find it */
    return rc;
}

/* What SQLite may have put beside it is gone when it is closed, but not after an error. */
static void remove_partial(const char *partial)
{
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
    char path[PATH_SIZE + 16];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", partial, ends[i]);
        unlink(path);
    }
}

int cf_sqlite_backup(const char *from, const char *to)
{
    char partial[PATH_SIZE];
    if (snprintf(partial, sizeof partial, "%s.partial-XXXXXX", to) >= (int)sizeof partial) {
        cf_log_error("backup: the name is too long");
        return CF_ERANGE;
    }
    if (access(from, F_OK) < 0) {
        failed_call("find the database", from);
        return CF_ENOENT;
    }
    struct stat there;
    if (lstat(to, &there) == 0) {
        errno = EEXIST;
        failed_call("name the copy", to);
        return CF_EEXIST;
    }
    int fd = mkostemp(partial, O_CLOEXEC); /* mode 0600, which SQLite keeps */
    if (fd < 0)
        return failed_call("create", partial);
    close(fd); /* before SQLite has locks on it */
    int rc = copy(from, partial);
    if (rc == 0)
        rc = give_name(partial, to);
    remove_partial(partial);
    return rc;
}
