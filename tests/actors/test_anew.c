/* How soon a process may begin anew. */
#include "anew.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(anew, .timeout = 5);

#define HALF_US (CF_ANEW_EVERY_US / 2)

Test(anew, does_not_wait_when_it_has_lived_for_long)
{
    cr_expect(eq(i64, cf_anew_pause_us(CF_ANEW_EVERY_US, UINT32_MAX), 0));
    cr_expect(eq(i64, cf_anew_pause_us(HALF_US, 0), 0));
}

Test(anew, waits_until_half_of_the_time_is_over_and_up_to_all_of_it)
{
    cr_expect(eq(i64, cf_anew_pause_us(HALF_US - 1, 0), 1));
    cr_expect(eq(i64, cf_anew_pause_us(0, 0), HALF_US));
    cr_expect(eq(i64, cf_anew_pause_us(0, (uint32_t)HALF_US - 1), CF_ANEW_EVERY_US - 1));
    cr_expect(eq(i64, cf_anew_pause_us(0, (uint32_t)HALF_US), HALF_US));
}
