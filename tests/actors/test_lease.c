/* What a gateway does with tokens on lease. How the limiter settles it: test_limiter.c. */
#include "lease.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define SECOND INT64_C(1000000)
#define T0 (1000 * SECOND)
#define WANTED 2

static const cf_limit_t limit = {60, 60 * SECOND, 60}; /* one a second */
static const cf_granted_t granted = {WANTED + 3, 10000, 7};

TestSuite(lease, .timeout = 60);

static void check(cf_spent_t spent, uint32_t tokens, int64_t missing_us)
{
    cr_assert(eq(u32, spent.lease, 7));
    cr_assert(eq(u32, spent.tokens, tokens));
    cr_assert(eq(u64, spent.missing, (uint64_t)(missing_us * limit.rate)));
}

Test(lease, has_its_tokens_until_its_time_is_over)
{
    cf_lease_t lease = {0};
    cr_assert(not(cf_lease_has(&lease, T0)));
    cf_lease_begin(&lease, &granted, WANTED, T0);
    cr_assert(cf_lease_has(&lease, T0));
    cr_assert(cf_lease_has(&lease, T0 + 10 * SECOND - 1));
    cr_assert(not(cf_lease_has(&lease, T0 + 10 * SECOND)));
    for (int i = 0; i < 3; i++)
        cf_lease_spend(&lease, &limit, T0);
    cr_assert(not(cf_lease_has(&lease, T0)));
    cf_lease_spend(&lease, &limit, T0); /* there is none, as when nothing is limited */
    check(cf_lease_spent(&lease, &limit, T0), 3, 3 * SECOND);
}

Test(lease, tells_how_much_has_come_back_of_what_was_spent)
{
    cf_lease_t lease;
    cf_lease_begin(&lease, &granted, WANTED, T0);
    check(cf_lease_spent(&lease, &limit, T0), 0, 0);
    cf_lease_spend(&lease, &limit, T0 + 5 * SECOND); /* what came back before is not counted */
    check(cf_lease_spent(&lease, &limit, T0 + 5 * SECOND), 1, SECOND);
    cf_lease_spend(&lease, &limit, T0 + 5 * SECOND + 1);
    check(cf_lease_spent(&lease, &limit, T0 + 6 * SECOND), 2, SECOND);
    check(cf_lease_spent(&lease, &limit, T0 + 7 * SECOND), 2, 0);
    check(cf_lease_spent(&lease, &limit, T0 + 8 * SECOND), 2, 0);
}

Test(lease, is_open_as_long_as_there_is_something_to_tell)
{
    cf_lease_t lease = {0};
    cr_assert(not(cf_lease_is_open(&lease)));
    cf_lease_begin(&lease, &granted, WANTED, T0);
    cr_assert(cf_lease_is_open(&lease));
    cf_lease_begin(&lease, &(cf_granted_t){2, 10000, 0}, 2, T0); /* wanted ones alone */
    cr_assert(not(cf_lease_is_open(&lease)));
    cr_assert(not(cf_lease_has(&lease, T0)));
}

Test(lease, takes_more_tokens_than_its_own_limit_knows)
{
    cf_lease_t lease;
    cf_limit_t two = {1, SECOND, 2};
    cf_lease_begin(&lease, &granted, WANTED, T0);
    for (int i = 0; i < 3; i++)
        cf_lease_spend(&lease, &two, T0);
    cf_spent_t spent = cf_lease_spent(&lease, &two, T0);
    cr_assert(eq(u32, spent.tokens, 3));
    cr_assert(eq(u64, spent.missing, 2 * SECOND));
}
