/* actors/sweeper.h: removes what has outlived its time.
 *
 *     EXPIRE_SESSIONS, EXPIRE_KEYS, EXPIRE_DEAD_LETTERS, EXPIRE_POSTS
 *                        -> storage, every interval and soon after start, in batches; after a full
 *                           batch the next one at once
 *     EXPIRED, REFUSED   storage -> sweeper; what was refused is tried again next time
 *     NODE_HERE, NODE_GONE  mesh -> sweeper; of several nodes the one with the smallest number sweeps. Two who do, for
 *                           want of having heard of each other, remove the same rows once */
#ifndef CF_SWEEPER_H
#define CF_SWEEPER_H

#include "actor.h"

#define CF_SWEEP_LIMIT 1000 /* rows in one batch, so that no post waits long behind it */

typedef struct {
    int64_t first_us;            /* the first sweep, so long after start */
    int64_t interval_us;         /* from sweep to sweep */
    int64_t key_ttl_us;          /* how long an idempotency key counts */
    int64_t dead_letters_ttl_us; /* 0, here and below: for ever */
    int64_t posts_ttl_us;
} cf_sweeper_config_t;

typedef struct cf_sweeper cf_sweeper_t;
extern const cf_actor_ops_t cf_sweeper_ops;

int cf_sweeper_new(cf_sweeper_t **out, const cf_sweeper_config_t *config); /* 0, CF_ENOMEM */
void cf_sweeper_destroy(cf_sweeper_t **self); /* for a state that no thread was given */

#endif
