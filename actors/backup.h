/* actors/backup.h: a copy of the store while a server runs on it. */
#ifndef CF_BACKUP_H
#define CF_BACKUP_H

#include "config.h"

/* `confab backup FILE`: copies the SQLite store to a new file, and prints its name. Returns an exit code: 2 with PostgreSQL,
 * which has tools of its own, or without a file; 69 when there is no store; 1 when the file is there already or cannot be written. */
int cf_backup(const cf_config_t *config, const char *file);

#endif
