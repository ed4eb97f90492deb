#include "windows.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static cf_windows_t windows = {.events_max = 3, .bytes_max = 100};

Test(windows, closes_at_the_bound_of_events_and_opens_when_one_is_confirmed)
{
    cf_window_t *window = cf_windows_of(&windows, 7);
    for (int i = 0; i < 3; i++) {
        cr_assert(cf_window_is_open(&windows, window));
        cf_window_sent(window, 10);
    }
    cr_assert(not(cf_window_is_open(&windows, window)));
    cr_assert(cf_window_flushed(window, 1, 10));
    cr_assert(cf_window_is_open(&windows, window));
}

Test(windows, closes_at_the_bound_of_bytes)
{
    cf_window_t *window = cf_windows_of(&windows, 7);
    cf_window_sent(window, 99);
    cr_assert(cf_window_is_open(&windows, window));
    cf_window_sent(window, 1);
    cr_assert(not(cf_window_is_open(&windows, window)));
}

Test(windows, lets_an_event_of_any_size_through_when_nothing_is_on_its_way)
{
    cf_window_t *window = cf_windows_of(&windows, 7);
    cr_assert(cf_window_is_open(&windows, window));
    cf_window_sent(window, 100000);
    cr_assert(not(cf_window_is_open(&windows, window)));
    cr_assert(cf_window_flushed(window, 1, 100000));
    cr_assert(cf_window_is_open(&windows, window));
}

Test(windows, believes_no_count_that_goes_back_or_beyond_what_was_sent)
{
    cf_window_t *window = cf_windows_of(&windows, 7);
    cf_window_sent(window, 10);
    cf_window_sent(window, 10);
    cr_assert(cf_window_flushed(window, 1, 10));
    cr_assert(not(cf_window_flushed(window, 0, 10)));
    cr_assert(not(cf_window_flushed(window, 1, 9)));
    cr_assert(not(cf_window_flushed(window, 3, 20)));
    cr_assert(not(cf_window_flushed(window, 2, 21)));
    cr_assert(not(cf_window_flushed(window, UINT64_MAX, UINT64_MAX)));
    cr_assert(eq(u64, window->flushed_events, 1));
    cr_assert(eq(u64, window->flushed_bytes, 10));
    cr_assert(cf_window_flushed(window, 2, 20));
}

Test(windows, serves_so_many_gateways_and_no_more)
{
    for (uint64_t i = 0; i < CF_GATEWAYS_MAX; i++)
        cr_assert(cf_windows_of(&windows, i + 1) != NULL);
    cr_assert(cf_windows_of(&windows, 1000) == NULL);
    cr_assert(cf_windows_of(&windows, CF_GATEWAYS_MAX) != NULL);
}

Test(windows, forgets_those_of_a_lost_node_and_keeps_the_others)
{
    uint64_t here = cf_address_pack((cf_address_t){1, CF_ACTOR_GATEWAY, 0});
    uint64_t far = cf_address_pack((cf_address_t){2, CF_ACTOR_GATEWAY, 0});
    cf_window_sent(cf_windows_of(&windows, far), 10);
    cf_window_sent(cf_windows_of(&windows, here), 20);
    cf_windows_drop_node(&windows, 2);
    cr_assert(eq(u32, windows.count, 1));
    cr_assert(eq(u64, cf_windows_of(&windows, here)->sent_bytes, 20));
    cr_assert(eq(u64, cf_windows_of(&windows, far)->sent_bytes, 0));
}
