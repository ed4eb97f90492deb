#include "bucket.h"

#include <assert.h>

cf_limit_t cf_limit(int64_t rate, int64_t period_us, int64_t burst)
{
    return (cf_limit_t){rate, period_us, burst < rate ? rate : burst};
}

static void refill(cf_bucket_t *self, const cf_limit_t *limit, int64_t now_us)
{
    int64_t passed_us = now_us - self->at_us;
    if (passed_us <= 0)
        return;
    self->at_us = now_us;
    /* Compared by division: rate times the age of a machine may not fit */
    if (self->missing / limit->rate < passed_us)
        self->missing = 0;
    else
        self->missing -= passed_us * limit->rate;
}

int64_t cf_bucket_tokens(cf_bucket_t *self, const cf_limit_t *limit, int64_t now_us)
{
    refill(self, limit, now_us);
    return (limit->burst * limit->period_us - self->missing) / limit->period_us;
}

void cf_bucket_take(cf_bucket_t *self, const cf_limit_t *limit, int64_t n)
{
    self->missing += n * limit->period_us;
    assert(self->missing <= limit->burst * limit->period_us);
}

void cf_bucket_give_back(cf_bucket_t *self, const cf_limit_t *limit, int64_t n)
{
    int64_t units = n * limit->period_us;
    self->missing = self->missing > units ? self->missing - units : 0;
}

void cf_bucket_miss(cf_bucket_t *self, const cf_limit_t *limit, int64_t missing)
{
    int64_t all = limit->burst * limit->period_us;
    if (missing > all)
        missing = all;
    if (self->missing < missing)
        self->missing = missing;
}

int64_t cf_bucket_wait_us(const cf_bucket_t *self, const cf_limit_t *limit)
{
    int64_t over = self->missing - (limit->burst - 1) * limit->period_us;
    return over <= 0 ? 0 : (over + limit->rate - 1) / limit->rate;
}

uint32_t cf_bucket_try(cf_bucket_t *self, const cf_limit_t *limit, int64_t now_us)
{
    if (cf_bucket_tokens(self, limit, now_us) == 0)
        return (uint32_t)((cf_bucket_wait_us(self, limit) + 999) / 1000);
    cf_bucket_take(self, limit, 1);
    return 0;
}

void cf_bucket_skip(cf_bucket_t *self, int64_t now_us)
{
    if (now_us > self->at_us)
        self->at_us = now_us;
}
