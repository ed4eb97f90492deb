/* base/config_value.h: from the text of a setting to the member of cf_config_t. */
#ifndef CF_CONFIG_VALUE_H
#define CF_CONFIG_VALUE_H

#include "config_key.h"

#define CF_CONFIG_FAULT_MAX 256 /* bytes of a fault text, with NUL */

/* Writes the member of `key`. value holds one text, or the entries of a list; it is copied into
 * config->strings. A list may also be given as one text with commas. Returns 0; CF_ERANGE with the
 * reason in fault (CF_CONFIG_FAULT_MAX bytes; a secret is not quoted) and the member as it was; or
 * CF_ENOMEM. */
int cf_config_value_set(cf_config_t *config, const cf_config_key_t *key,
                        const cf_config_list_t *value, char *fault);

/* A CURVE key in Z85 (ZeroMQ RFC 32): 40 of its 85 signs, which stand for 32 bytes. */
bool cf_config_is_curve_key(const char *text);
/* tcp://HOST:PORT, up to CF_NODE_ENDPOINT_MAX bytes. */
bool cf_config_is_endpoint(const char *text);

/* "90", "1500ms", "1m30s", "24h", "7d": milliseconds; a bare number is seconds. "64", "16KiB",
 * "1MiB", "4GiB": bytes. Return 0, or CF_EPROTO and leave *out as it was. */
int cf_config_take_duration(int64_t *out, const char *text);
int cf_config_take_size(int64_t *out, const char *text);

#endif
