/* base/config_env.h: the variables a process has, and those of a `.env` file where it has none.
 *
 * A line of the file is empty, a comment that begins with #, or NAME=value, perhaps behind "export ". A value
 * may stand in single quotes, taken as it is, or in double quotes, where a backslash stands before ", \ and n
 * (a line feed); otherwise it ends at the end of the line or at a # behind a blank, without the blanks
 * around it. Nothing is replaced within values. A variable that the environment has, though empty, is not
 * taken from the file. */
#ifndef CF_CONFIG_ENV_H
#define CF_CONFIG_ENV_H

#include "arena.h"
#include "buf.h"
#include "str.h"

#define CF_CONFIG_ENV_MAX 512 /* variables of the file */

/* Both lists joined: "NAME=value", ends with NULL. environment may be NULL; texts of it are borrowed, the
 * rest lives in arena. Returns 0; CF_EPROTO with the reason, beginning with name and line, appended to
 * report; CF_ENOMEM. */
int cf_config_env_join(const char *const **out, const char *const *environment, cf_str_t text,
                       const char *name, cf_arena_t *arena, cf_buf_t *report);

#endif
