/* Token buckets: whole numbers, time as an argument. */
#include "bucket.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define T0 (1000 * SECOND)

TestSuite(bucket, .timeout = 60);

/* How many can be taken at once. */
static int64_t drain(cf_bucket_t *bucket, const cf_limit_t *limit, int64_t now_us)
{
    int64_t n = 0;
    while (cf_bucket_try(bucket, limit, now_us) == 0)
        n++;
    return n;
}

Test(bucket, is_full_at_first_and_empty_after_its_burst)
{
    cf_limit_t limit = cf_limit(60, MINUTE, 60);
    cf_bucket_t bucket = {0};
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0), 60));
    cr_assert(eq(i64, drain(&bucket, &limit, T0), 60));
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0), 0));
}

Test(bucket, says_to_the_millisecond_when_the_next_token_comes)
{
    cf_limit_t limit = cf_limit(60, MINUTE, 60);
    cf_bucket_t bucket = {0};
    drain(&bucket, &limit, T0);
    cr_assert(eq(u32, cf_bucket_try(&bucket, &limit, T0), 1000));
    cr_assert(
        eq(u32, cf_bucket_try(&bucket, &limit, T0 + 400001), 600)); /* 599.999 ms, rounded up */
    cr_assert(eq(u32, cf_bucket_try(&bucket, &limit, T0 + SECOND - 1), 1));
    cr_assert(eq(u32, cf_bucket_try(&bucket, &limit, T0 + SECOND), 0));
    cr_assert(eq(u32, cf_bucket_try(&bucket, &limit, T0 + SECOND), 1000));
}

Test(bucket, never_holds_more_than_its_burst)
{
    cf_limit_t limit = cf_limit(2, SECOND, 5);
    cf_bucket_t bucket = {0};
    drain(&bucket, &limit, T0);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + 2 * SECOND), 4));
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + 3 * SECOND), 5));
    cf_bucket_take(&bucket, &limit, 2);
    cf_bucket_give_back(&bucket, &limit, 3);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + 3 * SECOND), 5));
}

Test(bucket, misses_at_least_what_it_is_told_and_never_more_than_its_burst)
{
    cf_limit_t limit = cf_limit(2, SECOND, 5);
    cf_bucket_t bucket = {0};
    cf_bucket_tokens(&bucket, &limit, T0);
    cf_bucket_miss(&bucket, &limit, 2 * SECOND);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0), 3));
    cf_bucket_miss(&bucket, &limit, SECOND);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0), 3));
    cf_bucket_miss(&bucket, &limit, 6 * SECOND);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0), 0));
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + SECOND / 2), 1));
}

Test(bucket, lets_as_many_at_once_as_in_its_period)
{
    cf_limit_t limit = cf_limit(100, SECOND, 5);
    cf_bucket_t bucket = {0};
    cr_assert(eq(i64, drain(&bucket, &limit, T0), 100));
}

Test(bucket, does_not_drift_by_being_looked_at)
{
    /* seven in a minute: a token each 8,571,428.57 us. Looked at often, asked always. */
    cf_limit_t limit = cf_limit(7, MINUTE, 7);
    cf_bucket_t bucket = {0};
    int64_t now_us = T0, got = drain(&bucket, &limit, T0);
    for (; now_us < T0 + 1000 * MINUTE; now_us += 99991)
        got += cf_bucket_try(&bucket, &limit, now_us) == 0;
    got += drain(&bucket, &limit, T0 + 1000 * MINUTE);
    cr_assert(eq(i64, got, 7 + 7 * 1000));
}

Test(bucket, keeps_time_over_years)
{
    static const int64_t year_us = INT64_C(366) * 24 * 3600 * SECOND;
    cf_limit_t limits[] = {cf_limit(CF_BUCKET_BURST_MAX, 1, CF_BUCKET_BURST_MAX),
                           cf_limit(1, CF_BUCKET_PERIOD_MAX_US, CF_BUCKET_BURST_MAX),
                           cf_limit(CF_BUCKET_BURST_MAX, CF_BUCKET_PERIOD_MAX_US, 1)};
    for (int i = 0; i < 3; i++) {
        cf_bucket_t bucket = {0};
        const cf_limit_t *limit = &limits[i];
        int64_t all = cf_bucket_tokens(&bucket, limit, 0);
        cr_assert(eq(i64, all, CF_BUCKET_BURST_MAX));
        cf_bucket_take(&bucket, limit, all);
        cr_assert(eq(i64, cf_bucket_tokens(&bucket, limit, 0), 0));
        cr_assert(gt(i64, cf_bucket_wait_us(&bucket, limit), 0));
        cr_assert(eq(i64, cf_bucket_tokens(&bucket, limit, 10 * year_us), i == 1 ? 3660 : all));
    }
}

Test(bucket, takes_a_clock_that_stands_or_goes_back_for_no_time)
{
    cf_limit_t limit = cf_limit(60, MINUTE, 60);
    cf_bucket_t bucket = {0};
    drain(&bucket, &limit, T0);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 - 100 * SECOND), 0));
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + SECOND), 1));
}

Test(bucket, can_leave_out_a_time)
{
    cf_limit_t limit = cf_limit(5, SECOND, 10);
    cf_bucket_t bucket = {0};
    drain(&bucket, &limit, T0);
    cf_bucket_skip(&bucket, T0 + 10 * SECOND);
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + 10 * SECOND), 0));
    cr_assert(eq(i64, cf_bucket_tokens(&bucket, &limit, T0 + 11 * SECOND), 5));
}
