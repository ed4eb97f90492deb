/* base/config.h: the settings of one process, read once at start.
 *
 * A value comes from, strongest first: --set section.key=value, the environment, a .env file, the
 * configuration file, the default. What is wrong with any of them is reported, all faults at once, each with its place
 * ("confab.yaml:12" or the variable's name). Keys, types and bounds: base/config_keys.h. */
#ifndef CF_CONFIG_H
#define CF_CONFIG_H

#include "arena.h"
#include "buf.h"
#include "config_keys.h"
#include "network.h"

#include <stdbool.h>
#include <stdio.h>

#define CF_EXIT_CONFIG 78               /* EX_CONFIG of sysexits.h */
#define CF_CONFIG_FILE_MAX (256 * 1024) /* bytes of a configuration file */
#define CF_CONFIG_SECRET_FILE_MAX 4096  /* bytes of a *_file */

typedef struct {
    const char *const *items;
    size_t count;
} cf_config_list_t;

typedef struct {
    const cf_network_t *items;
    size_t count;
} cf_config_networks_t;

#define CF_CONFIG_MEMBER_INT(name) int name;
#define CF_CONFIG_MEMBER_DURATION(name) int64_t name##_ms;
#define CF_CONFIG_MEMBER_SIZE(name) size_t name;
#define CF_CONFIG_MEMBER_BOOL(name) bool name;
#define CF_CONFIG_MEMBER_TEXT(name) const char *name;
#define CF_CONFIG_MEMBER_SECRET(name) const char *name;
#define CF_CONFIG_MEMBER_CHOICE(name) const char *name;
#define CF_CONFIG_MEMBER_ADDRESS(name) const char *name;
#define CF_CONFIG_MEMBER_URL(name) const char *name;
#define CF_CONFIG_MEMBER_ORIGINS(name) cf_config_list_t name;
#define CF_CONFIG_MEMBER_NETWORKS(name) cf_config_networks_t name;
#define CF_CONFIG_MEMBER_CURVE_KEYS(name) cf_config_list_t name;
#define CF_CONFIG_MEMBER_PEERS(name) cf_config_list_t name;

/* One member per key: http_listen, shutdown_timeout_ms, ... Strings are never NULL and live as long
 * as the struct. */
typedef struct {
#define X(section, key, type, ...) CF_CONFIG_MEMBER_##type(section##_##key)
    CF_CONFIG_KEYS(X)
#undef X
    cf_arena_t strings; /* what the members point into */
} cf_config_t;

/* Where to read; everything borrowed for the call. */
typedef struct {
    const char *file; /* path of the YAML file; NULL: none */
    cf_str_t text;    /* instead of reading `file`, when not empty: its content (for tests) */
    const char *const *sets; /* "section.key=value" */
    size_t set_count;
    const char *const *environment; /* "NAME=value", ends with NULL; NULL: empty */
    const char *env_file; /* path of a file with more variables; NULL: none; see config_env.h */
} cf_config_sources_t;

/* Is a store with this URL one that several servers may share? PostgreSQL is; SQLite is one process's own. */
bool cf_config_is_shared_store(const char *url);

/* Reads the settings. Faults and warnings are appended to report, one per line. Returns 0 and a
 * config to be freed; or CF_ERANGE (the report says why) or CF_ENOMEM, and *out is empty. */
int cf_config_load(cf_config_t *out, const cf_config_sources_t *sources, cf_buf_t *report);
void cf_config_free(cf_config_t *config);

/* What a good configuration must hold to besides: returns 0, or an error with its reason appended to
 * report. */
typedef int cf_config_check_fn(const cf_config_t *config, cf_buf_t *report);
/* `confab check-config`: prints OK or the faults. also may be NULL. Returns the exit code: 0 or
 * CF_EXIT_CONFIG. */
int cf_config_check(const cf_config_sources_t *sources, cf_config_check_fn *also, FILE *out);
/* `confab config-doc`: prints the reference of all keys as Markdown. */
void cf_config_doc(FILE *out);

#endif
