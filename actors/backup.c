#include "backup.h"

#include "err.h"
#include "sqlite_backup.h"
#include "store_choice.h"
#include "supervisor.h"

#include <stdio.h>
#include <string.h>

#define SQLITE "sqlite:"

int cf_backup(const cf_config_t *config, const char *file)
{
    char url[CF_STORE_URL_MAX];
    if (cf_store_choose(config, url) < 0)
        return CF_EXIT_UNAVAILABLE;
    if (strncmp(url, SQLITE, strlen(SQLITE)) != 0) {
        fputs("confab backup: is for SQLite; PostgreSQL is saved by pg_dump\n", stderr);
        return 2;
    }
    int rc = cf_sqlite_backup(url + strlen(SQLITE), file);
    if (rc == 0)
        printf("%s\n", file);
    return rc == 0 ? 0 : rc == CF_ENOENT ? CF_EXIT_UNAVAILABLE : CF_EXIT_FAILURE;
}
