/* actors/store_choice.h: which store this configuration means. */
#ifndef CF_STORE_CHOICE_H
#define CF_STORE_CHOICE_H

#include "config.h"
#include "store.h"

#define CF_STORE_URL_MAX 2300

/* store.url, or the SQLite database in node.data_dir when that is empty. Returns 0 or CF_ERANGE. */
int cf_store_choose(const cf_config_t *config, char out[CF_STORE_URL_MAX]);
/* node.data_dir, mode 0700, unless it is there: for who writes. Returns 0 or CF_EIO (logged). */
int cf_store_make_folder(const cf_config_t *config);
/* For commands that work on the store without a server: opens it; a writer makes the folder. url is
 * borrowed until it is closed. Returns 0 or an error, which was logged. */
int cf_store_open_chosen(cf_store_t **out, char url[CF_STORE_URL_MAX], const cf_config_t *config,
                         cf_store_role_t role);

#endif
