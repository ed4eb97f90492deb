/* tests/bench: posts that reach a member in another order than others. */
#include "ahead.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static uint64_t bits[CF_AHEAD_MAX / 64];
static cf_ahead_t ahead;

static void forget(void)
{
    ahead = (cf_ahead_t){.bits = bits};
}

TestSuite(ahead, .init = forget);

Test(ahead, what_comes_in_order_is_the_last)
{
    for (uint64_t seq = 1; seq <= 3 * CF_AHEAD_MAX; seq++) {
        cr_assert(not(cf_ahead_has(&ahead, seq - 1, seq)));
        cr_assert(eq(u64, cf_ahead_take(&ahead, seq - 1, seq), seq));
    }
    cr_assert(eq(u32, ahead.count, 0));
}

Test(ahead, one_that_all_within_the_bound_overtake_is_not_lost)
{
    const uint64_t late = 1000, bound = late - 1 + CF_AHEAD_MAX;
    for (uint64_t seq = late + 1; seq <= bound; seq++)
        cr_assert(eq(u64, cf_ahead_take(&ahead, late - 1, seq), late - 1));
    cr_assert(eq(u32, ahead.count, CF_AHEAD_MAX - 1));
    cr_assert(not(cf_ahead_has(&ahead, late - 1, late)));
    cr_assert(cf_ahead_has(&ahead, late - 1, late + 1) && cf_ahead_has(&ahead, late - 1, bound));
    cr_assert(not(cf_ahead_has(&ahead, late - 1, bound + 1)), "its bit is that of another");
    cr_assert(eq(u64, cf_ahead_take(&ahead, late - 1, late), bound));
    cr_assert(eq(u32, ahead.count, 0));
}

Test(ahead, what_is_missing_stays_the_bound_of_what_is_there)
{
    cr_assert(eq(u64, cf_ahead_take(&ahead, 0, 3), 0));
    cr_assert(eq(u64, cf_ahead_take(&ahead, 0, 1), 1));
    cr_assert(cf_ahead_has(&ahead, 1, 1) && !cf_ahead_has(&ahead, 1, 2) &&
              cf_ahead_has(&ahead, 1, 3));
    cf_ahead_clear(&ahead);
    cr_assert(not(cf_ahead_has(&ahead, 0, 3)));
}
