/* base/config_key.h: the table of base/config_keys.h as data, and how a key is found by name. */
#ifndef CF_CONFIG_KEY_H
#define CF_CONFIG_KEY_H

#include "config.h"

typedef enum {
    CF_CONFIG_INT,
    CF_CONFIG_DURATION,
    CF_CONFIG_SIZE,
    CF_CONFIG_BOOL,
    CF_CONFIG_TEXT,
    CF_CONFIG_SECRET,
    CF_CONFIG_CHOICE,
    CF_CONFIG_ADDRESS,
    CF_CONFIG_URL,
    CF_CONFIG_ORIGINS,
    CF_CONFIG_NETWORKS,
    CF_CONFIG_CURVE_KEYS,
    CF_CONFIG_PEERS,
} cf_config_type_t;

typedef struct {
    const char *section;
    const char *name;
    cf_config_type_t type;
    const char *standard; /* default, as an operator would write it */
    const char *low, *high;
    const char *doc;
    size_t offset; /* of the member in cf_config_t */
} cf_config_key_t;

enum {
#define X(...) +1
    CF_CONFIG_KEY_COUNT = 0 CF_CONFIG_KEYS(X)
#undef X
};

extern const cf_config_key_t cf_config_keys[CF_CONFIG_KEY_COUNT];

#define CF_CONFIG_NAME_MAX 96 /* longest "section.key" or variable name looked at, with NUL */

/* "section.key" and "CONFAB_SECTION_KEY"; out takes CF_CONFIG_NAME_MAX bytes. */
void cf_config_key_name(const cf_config_key_t *key, char *out);
void cf_config_key_variable(const cf_config_key_t *key, char *out);

/* How a key may be named. */
typedef enum { CF_CONFIG_BY_NAME, CF_CONFIG_BY_VARIABLE } cf_config_naming_t;

typedef struct {
    const cf_config_key_t *key; /* NULL: no such key */
    bool is_file;               /* named by its "_file" companion */
} cf_config_found_t;

cf_config_found_t cf_config_key_find(cf_config_naming_t naming, const char *name);
/* The key whose name takes the fewest edits to get from `name`, and how many; NULL if all are far.
 */
const cf_config_key_t *cf_config_key_nearest(cf_config_naming_t naming, const char *name,
                                             int *edits);
bool cf_config_has_section(const char *section);

#endif
