/* base/config_foreign.h: variables of the contracts that mean nothing here. They may stand in an
 * environment made for another server; they are checked all the same, as a slip in one of them says that
 * somebody expects it to work. */
#ifndef CF_CONFIG_FOREIGN_H
#define CF_CONFIG_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

#define CF_CONFIG_FOREIGN_FAULT_MAX 160 /* bytes of a fault text, with NUL */

typedef struct {
    const char *variable;
    const char *why; /* it is not needed */
} cf_config_foreign_t;

/* The i-th, from 0; NULL past the last. */
const cf_config_foreign_t *cf_config_foreign(size_t i);
/* Is the value one that the variable may have? False: fault says why not, without quoting a secret. */
bool cf_config_foreign_check(size_t i, const char *value, bool in_production,
                             char fault[CF_CONFIG_FOREIGN_FAULT_MAX]);

/* Does a secret look like the text of an example ("change-me-...", "YOUR-KEY") or a word everybody
 * tries first? */
bool cf_config_is_placeholder(const char *secret);

#endif
