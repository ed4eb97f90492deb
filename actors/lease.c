#include "lease.h"

void cf_lease_begin(cf_lease_t *self, const cf_granted_t *granted, uint32_t wanted,
                    int64_t asked_us)
{
    bool is_one = granted->lease && granted->tokens > wanted;
    *self = (cf_lease_t){.number = granted->lease,
                         .tokens = is_one ? granted->tokens - wanted : 0,
                         .until_us = asked_us + granted->lease_ms * INT64_C(1000)};
}

bool cf_lease_has(const cf_lease_t *self, int64_t now_us)
{
    return self->tokens && now_us < self->until_us;
}

void cf_lease_spend(cf_lease_t *self, const cf_limit_t *limit, int64_t now_us)
{
    if (!self->tokens)
        return;
    self->tokens--;
    self->spent++;
    cf_bucket_try(&self->bucket, limit, now_us); /* a limiter with other settings may grant more */
}

bool cf_lease_is_open(const cf_lease_t *self)
{
    return self->number;
}

cf_spent_t cf_lease_spent(cf_lease_t *self, const cf_limit_t *limit, int64_t now_us)
{
    cf_bucket_tokens(&self->bucket, limit, now_us); /* brings it up to date */
    return (cf_spent_t){self->number, self->spent, (uint64_t)self->bucket.missing};
}
