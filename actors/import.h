/* actors/import.h: work on the store without a server: migrations, and users made in bulk. */
#ifndef CF_IMPORT_H
#define CF_IMPORT_H

#include "config.h"

/* `confab migrate`. file is not looked at. Returns an exit code. */
int cf_import_migrate(const cf_config_t *config, const char *file);
/* `confab user import --sessions FILE`: each line `name token` makes a user who cannot log in by
 * password, with one live session of auth.session_ttl under that token. For load tests and moves
 * from other systems. Returns an exit code; 1 when a line is bad or a name is taken (the others are
 * imported). */
int cf_import_sessions(const cf_config_t *config, const char *file);

#endif
