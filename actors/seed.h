/* actors/seed.h: the demonstration data of the rooms contract: five users who share one known password, three
 * rooms, eight messages. Never by itself, and never in production. */
#ifndef CF_SEED_H
#define CF_SEED_H

#include "config.h"

/* `confab seed`; may be repeated. file is not looked at. Returns an exit code. */
int cf_seed(const cf_config_t *config, const char *file);

#endif
