/* actors/limiter.h: token buckets of users, addresses and accounts.
 *
 *     TAKE       gateway -> GRANTED | REFUSED CF_ELIMIT with the time until there is a token
 *     SETTLE     gateway -> no answer
 *     GIVE_BACK  gateway -> no answer
 *     NODE_HERE, NODE_GONE  mesh
 *
 * However many ask for one bucket, together they get no more than it holds. A bucket nobody has asked for
 * is full.
 *
 * **A lease.** So that not every frame has to ask, tokens are granted beyond those wanted: no more than a
 * quarter of the burst, and only of what is above half of it. One lease of a bucket is out at a time.
 * Until it is settled others get no more than the burst less what is on it, however much came back: so
 * together it is never more than the limit, in whatever time and whenever the leased ones are spent. When
 * it is settled they count as spent when they were. So who asks by one gateway gets what his limit says,
 * as if he had asked each time; by several, for a while, up to a quarter of the burst less. What is not
 * settled in CF_LEASE_LOST_MS counts as spent then.
 *
 * **Several nodes.** A key's bucket lives at one of them; gateways ask there, and whoever is asked answers. A bucket that was
 * another node's until lately, or is by what this one knows, begins with this node's share of its burst, and not full: what has
 * been taken there is not known here. So around a change of nodes it is at most the limit and a share more. Lately is
 * as long ago as a bucket takes to fill.
 *
 * Full buckets that rest are forgotten; there are `buckets_max` at most, and past that the one not asked
 * for the longest is forgotten, in constant time, whatever it holds. All memory is taken at start. */
#ifndef CF_LIMITER_H
#define CF_LIMITER_H

#include "actor.h"
#include "limit_kinds.h"

#define CF_LEASE_MS 60000         /* a grant may be used for so long */
#define CF_LEASE_KEPT_MS 10000    /* and then wait for a TAKE by which it is settled */
#define CF_LEASE_LOST_MS 90000    /* its gateway is gone */
#define CF_LIMITER_BUCKET_COST 72 /* bytes of memory that one bucket takes */

typedef struct {
    cf_limits_t limits;
    uint32_t buckets_max;
} cf_limiter_config_t;

typedef struct cf_limiter cf_limiter_t;
extern const cf_actor_ops_t cf_limiter_ops;

int cf_limiter_new(cf_limiter_t **out, const cf_limiter_config_t *config); /* 0, CF_ENOMEM */
void cf_limiter_destroy(cf_limiter_t **self); /* for a state that no thread was given */

#endif
