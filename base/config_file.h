/* base/config_file.h: reads the YAML form of the settings: sections of keys, each with one value or
 * a list of values. Nothing else of YAML is taken: no anchors, no deeper nesting, one document. */
#ifndef CF_CONFIG_FILE_H
#define CF_CONFIG_FILE_H

#include "config.h"

/* One setting in the order of the file; line counts from 1. Everything borrowed for the call.
 * Returns 0 to go on, or an error that ends the reading. */
typedef int cf_config_entry_fn(void *arg, const char *section, const char *key,
                               const cf_config_list_t *value, size_t line);

/* Returns 0; CF_EPROTO with the reason, beginning with its line, in report; CF_ENOMEM; or what
 * entry returned. */
int cf_config_file_read(cf_str_t text, const char *name, cf_config_entry_fn *entry, void *arg,
                        cf_buf_t *report);

/* Reads a whole file of at most max bytes, appended to out. Returns 0; CF_EIO (errno says why),
 * CF_ERANGE (longer, or no ordinary file) or CF_ENOMEM. */
int cf_config_file_load(cf_buf_t *out, const char *path, size_t max);

#endif
