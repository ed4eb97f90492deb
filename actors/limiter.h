/* actors/limiter.h: token buckets of users, addresses and accounts.
 *
 *     TAKE       gateway -> GRANTED | REFUSED CF_ELIMIT with the time until there is a token
 *     GIVE_BACK  gateway -> no answer
 *
 * However many ask for one bucket, together they get no more than it holds. While it stays half full
 * it grants more than is needed now, so that not every frame has to ask; what was not used of that
 * comes back. A bucket nobody has asked for is full. Full ones that rest are forgotten; there are
 * `buckets_max` at most, and past that the one not asked for the longest is forgotten, in constant
 * time, whatever it holds. All memory is taken at start. */
#ifndef CF_LIMITER_H
#define CF_LIMITER_H

#include "actor.h"
#include "limit_kinds.h"

#define CF_LEASE_MS 1000          /* a grant may be used for so long */
#define CF_LIMITER_BUCKET_COST 64 /* bytes of memory that one bucket takes */

typedef struct {
    cf_limits_t limits;
    uint32_t buckets_max;
} cf_limiter_config_t;

typedef struct cf_limiter cf_limiter_t;
extern const cf_actor_ops_t cf_limiter_ops;

int cf_limiter_new(cf_limiter_t **out, const cf_limiter_config_t *config); /* 0, CF_ENOMEM */
void cf_limiter_destroy(cf_limiter_t **self); /* for a state that no thread was given */

#endif
