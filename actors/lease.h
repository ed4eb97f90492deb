/* actors/lease.h: tokens of one bucket that a gateway may spend without asking the limiter.
 *
 * It remembers what the limiter has to be told when it ends: how many were spent, and how much of that
 * has come back since, as a bucket that was full when the lease began would have it. By that the
 * limiter's bucket is as if each of them had been asked for; see limiter.h. Time is cf_boot_us, passed in.
 * A zeroed lease is none. */
#ifndef CF_LEASE_H
#define CF_LEASE_H

#include "bucket.h"
#include "wire/limit.h"

typedef struct {
    uint32_t number; /* the limiter's; 0: it has nothing on lease here */
    uint32_t tokens; /* left */
    uint32_t spent;
    int64_t until_us;
    cf_bucket_t bucket; /* of what was spent, and nothing else */
} cf_lease_t;

/* In the place of one that was settled: what was granted beyond `wanted`, for which it was asked at asked_us. */
void cf_lease_begin(cf_lease_t *self, const cf_granted_t *granted, uint32_t wanted,
                    int64_t asked_us);
bool cf_lease_has(const cf_lease_t *self, int64_t now_us); /* a token, and its time is not over */
void cf_lease_spend(cf_lease_t *self, const cf_limit_t *limit,
                    int64_t now_us); /* one, if there is one */
/* Is there anything to be told to the limiter? */
bool cf_lease_is_open(const cf_lease_t *self);
/* What it has to be told now. When that has been sent the lease is to be zeroed. */
cf_spent_t cf_lease_spent(cf_lease_t *self, const cf_limit_t *limit, int64_t now_us);

#endif
