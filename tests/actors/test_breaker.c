/* The breaker: attempts begun and ended, time as an argument. */
#include "breaker.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(breaker, .timeout = 10);

static cf_breaker_t breaker = {.failures_max = 3, .pause_us = 1000};
static int64_t now_us;

static bool begins(uint32_t *round)
{
    return cf_breaker_begin(&breaker, now_us, round);
}

static void one(cf_attempt_end_t how)
{
    uint32_t round;
    cr_assert(begins(&round));
    cf_breaker_end(&breaker, now_us, round, how);
}

static int state(void)
{
    return (int)cf_breaker_state(&breaker, now_us);
}

static void open_it(void)
{
    for (int i = 0; i < 3; i++)
        one(CF_ATTEMPT_FAILED);
    cr_assert(eq(int, state(), CF_BREAKER_OPEN));
}

Test(breaker, opens_after_so_many_failures_in_a_row_and_no_fewer)
{
    for (int i = 0; i < 10; i++) {
        one(CF_ATTEMPT_FAILED);
        one(CF_ATTEMPT_FAILED);
        one(CF_ATTEMPT_DROPPED); /* says nothing */
        one(CF_ATTEMPT_SUCCEEDED);
    }
    cr_assert(eq(int, state(), CF_BREAKER_CLOSED));
    open_it();
}

Test(breaker, lets_nothing_through_while_open)
{
    uint32_t round;
    open_it();
    cr_assert(not(begins(&round)));
    now_us = 999;
    cr_assert(not(begins(&round)));
    cr_assert(eq(int, state(), CF_BREAKER_OPEN));
    now_us = 1000;
    cr_assert(eq(int, state(), CF_BREAKER_HALF_OPEN));
    cr_assert(begins(&round));
}

Test(breaker, sends_three_probes_at_once_and_closes_with_the_first_that_succeeds)
{
    uint32_t rounds[3], round;
    open_it();
    now_us = 1000;
    for (int i = 0; i < CF_BREAKER_PROBES; i++)
        cr_assert(begins(&rounds[i]));
    cr_assert(not(begins(&round)));
    cf_breaker_end(&breaker, now_us, rounds[0], CF_ATTEMPT_DROPPED);
    cr_assert(begins(&rounds[0])); /* its place is free again */
    cr_assert(not(begins(&round)));
    cf_breaker_end(&breaker, now_us, rounds[1], CF_ATTEMPT_SUCCEEDED);
    cr_assert(eq(int, state(), CF_BREAKER_CLOSED));
    cf_breaker_end(&breaker, now_us, rounds[0], CF_ATTEMPT_FAILED); /* of the round before */
    cf_breaker_end(&breaker, now_us, rounds[2], CF_ATTEMPT_FAILED);
    one(CF_ATTEMPT_FAILED);
    one(CF_ATTEMPT_FAILED);
    cr_assert(eq(int, state(), CF_BREAKER_CLOSED));
}

Test(breaker, opens_again_with_the_first_probe_that_fails)
{
    uint32_t rounds[2], round;
    open_it();
    now_us = 1000;
    cr_assert(begins(&rounds[0]));
    cr_assert(begins(&rounds[1]));
    cf_breaker_end(&breaker, now_us, rounds[0], CF_ATTEMPT_FAILED);
    cr_assert(not(begins(&round)));
    cf_breaker_end(&breaker, now_us, rounds[1], CF_ATTEMPT_SUCCEEDED); /* too late to count */
    now_us = 1999;
    cr_assert(not(begins(&round)));
    now_us = 2000;
    cr_assert(begins(&round));
}

Test(breaker, is_not_moved_by_attempts_begun_before_it_opened)
{
    uint32_t early[2], round;
    cr_assert(begins(&early[0]));
    cr_assert(begins(&early[1]));
    open_it();
    cf_breaker_end(&breaker, now_us, early[0], CF_ATTEMPT_SUCCEEDED);
    cr_assert(eq(int, state(), CF_BREAKER_OPEN));
    now_us = 1000;
    for (int i = 0; i < CF_BREAKER_PROBES; i++)
        cr_assert(begins(&round));
    cf_breaker_end(&breaker, now_us, early[1], CF_ATTEMPT_FAILED);
    cr_assert(eq(int, state(), CF_BREAKER_HALF_OPEN));
    cr_assert(not(begins(&round))); /* nor does it free the place of a probe */
}
