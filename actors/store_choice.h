/* actors/store_choice.h: which store this configuration means. */
#ifndef CF_STORE_CHOICE_H
#define CF_STORE_CHOICE_H

#include "config.h"
#include "store.h"

#define CF_STORE_URL_MAX 2300

/* store.url, or the SQLite database in node.data_dir when that is empty; makes the folder (mode
 * 0700). Returns 0, CF_EIO (logged), CF_ERANGE. */
int cf_store_choose(const cf_config_t *config, char out[CF_STORE_URL_MAX]);
/* For commands that work on the store without a server: opens it. url is borrowed until it is closed.
 * Returns 0 or an error, which was logged. */
int cf_store_open_chosen(cf_store_t **out, char url[CF_STORE_URL_MAX], const cf_config_t *config,
                         cf_store_role_t role);

#endif
