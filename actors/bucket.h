/* actors/bucket.h: a token bucket in whole numbers.
 *
 * `rate` tokens come back each `period_us`, until there are `burst` of them. A bucket holds what is
 * missing, in units that make both a token (period_us units) and a microsecond (rate units) whole;
 * so nothing is rounded, and nothing drifts however long it is used. Time is cf_boot_us, passed in:
 * a step of the wall clock refills nothing. A zeroed bucket is full. */
#ifndef CF_BUCKET_H
#define CF_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define CF_BUCKET_BURST_MAX INT64_C(1000000)
#define CF_BUCKET_PERIOD_MAX_US (INT64_C(86400) * 1000000)

typedef struct {
    int64_t rate;      /* tokens each period; 0: no limit at all, the bucket is not to be asked */
    int64_t period_us; /* 1..CF_BUCKET_PERIOD_MAX_US */
    int64_t burst;     /* 1..CF_BUCKET_BURST_MAX */
} cf_limit_t;

typedef struct {
    int64_t missing; /* 0..burst * period_us */
    int64_t at_us;   /* when that was so */
} cf_bucket_t;

/* The limit with these figures. A burst below the rate is raised to it: n a second are also n at
 * once. rate 0: off. */
cf_limit_t cf_limit(int64_t rate, int64_t period_us, int64_t burst);

/* Whole tokens in it now, 0..burst. Brings the bucket up to date for the calls below. */
int64_t cf_bucket_tokens(cf_bucket_t *self, const cf_limit_t *limit, int64_t now_us);
void cf_bucket_take(cf_bucket_t *self, const cf_limit_t *limit,
                    int64_t n); /* no more than there are */
void cf_bucket_give_back(cf_bucket_t *self, const cf_limit_t *limit,
                         int64_t n); /* never past full */
/* At least so much is missing from it, or all there is room for. */
void cf_bucket_miss(cf_bucket_t *self, const cf_limit_t *limit, int64_t missing);
/* Time until there is a token; 0: there is one. */
int64_t cf_bucket_wait_us(const cf_bucket_t *self, const cf_limit_t *limit);
/* Take one now. Returns 0, or the milliseconds until there is one, at least 1. */
uint32_t cf_bucket_try(cf_bucket_t *self, const cf_limit_t *limit, int64_t now_us);
/* The time since it was last looked at refills nothing. */
void cf_bucket_skip(cf_bucket_t *self, int64_t now_us);

#endif
