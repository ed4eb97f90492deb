/* actors/limit_kinds.h: every limit on what clients may do in a time, and the settings it comes from.
 *
 *     X(name, number, rate, period_us, burst, metric)
 *
 * rate and burst are keys of the section limits; rate 0 turns a limit off. metric counts what was
 * refused. A new kind is a row here and its keys. */
#ifndef CF_LIMIT_KINDS_H
#define CF_LIMIT_KINDS_H

#include "bucket.h"
#include "config.h"
#include "metrics.h"

#define CF_LIMIT_SECOND INT64_C(1000000)
#define CF_LIMIT_MINUTE (60 * CF_LIMIT_SECOND)

#define CF_LIMIT_KIND_MAP(X)                                                                       \
    /* of a user */                                                                                \
    X(POSTS, 1, posts_per_minute, CF_LIMIT_MINUTE, posts_per_minute, LIMITED_POSTS)                \
    X(COMMANDS, 2, commands_per_minute, CF_LIMIT_MINUTE, commands_per_minute, LIMITED_COMMANDS)    \
    X(UPGRADES, 3, upgrades_per_second, CF_LIMIT_SECOND, upgrades_burst, LIMITED_UPGRADES)         \
    /* of an account, by the name that was given, from one address */                              \
    X(LOGINS, 4, failed_logins, config->limits_failed_logins_window_ms * 1000, failed_logins,      \
      LIMITED_LOGINS)                                                                              \
    /* of an address: registrations and logins on all its connections */                           \
    X(ADDRESS, 5, auth_per_second_per_ip, CF_LIMIT_SECOND, auth_per_second_per_ip,                 \
      LIMITED_ADDRESSES)                                                                           \
    /* of a connection; of an address that a trusted proxy names: */                               \
    /* registrations and logins; the other calls with a session */                                 \
    X(AUTH, 6, auth_per_second, CF_LIMIT_SECOND, auth_burst, LIMITED_AUTH)                         \
    X(API, 7, api_per_second, CF_LIMIT_SECOND, api_burst, LIMITED_API)

typedef enum {
    CF_LIMIT_NONE = 0,
#define X(name, number, rate, period_us, burst, metric) CF_LIMIT_##name = (number),
    CF_LIMIT_KIND_MAP(X)
#undef X
        CF_LIMIT_KINDS = 8 /* one more than the largest */
} cf_limit_kind_t;

typedef struct {
    cf_limit_t of[CF_LIMIT_KINDS];
} cf_limits_t;

cf_limits_t cf_limits_of(const cf_config_t *config);
void cf_limit_count_refused(uint32_t kind, uint32_t n); /* on the calling actor */

#endif
