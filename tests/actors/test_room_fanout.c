/* A room: what it sends to whom, within their windows, and what those get who come back. */
#include "room_fixture.h"

#include "metrics.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

TestSuite(room_fanout, .fini = room_close, .timeout = 60);

/* --- events and windows -------------------------------------------------------------------------
 */

Test(room_fanout, keeps_events_back_while_a_window_is_closed_and_goes_on_when_it_opens)
{
    host.windows.events_max = 2;
    host.windows.bytes_max = 1u << 20;
    room_ready(1, 0);
    with_ann(); /* one event */
    for (int i = 0; i < 3; i++)
        post(GW1, 1, "ann", "x");
    ignore();
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:x; gw1 posted #2 seq=2; "
                 "gw1 posted #3 seq=3"));
    tick();
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(u64, cf_room_lag(room), 2));
    flushed(GW1);
    cr_assert(eq(str, heard(), "gw1 event 3 post 2:x; gw1 event 4 post 3:x"));
    cr_assert(eq(u64, cf_room_lag(room), 0));
}

Test(room_fanout, keeps_a_closed_window_from_nobody_else)
{
    host.windows.events_max = 2;
    host.windows.bytes_max = 1u << 20;
    room_ready(1, 0);
    with_ann();
    flushed(GW1);
    with(GW2, 1, "bob");
    for (int i = 0; i < 3; i++) {
        post(GW1, 1, "ann", "x");
        ignore();
        stored();
        ignore();
        flushed(GW1);
    }
    cr_assert(eq(str, heard(), "")); /* GW1 has everything */
    flushed(GW2);
    cr_assert(eq(str, heard(), "gw2 event 4 post 2:x; gw2 event 5 post 3:x"));
}

Test(room_fanout, bounds_what_is_on_its_way_by_bytes_but_sends_one_event_always)
{
    host.windows.events_max = 1024;
    host.windows.bytes_max = 10; /* less than any event */
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    stored();
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=1"));
    flushed(GW1);
    cr_assert(eq(str, heard(), "gw1 event 2 post 1:a"));
}

/* GW2 is behind the ring: 4 events of it are kept, posts 3..6; it was told post 1. */
static void fall_behind(void)
{
    room_config.ring_events = 4;
    host.windows.events_max = 1024;
    host.windows.bytes_max = 1u << 20;
    room_ready(1, 0);
    with_ann();
    with(GW2, 1, "bob");
    post_stored(1, 1);
    host.windows.events_max = 2; /* bob joined, post 1: full */
    for (uint64_t seq = 2; seq <= 6; seq++) {
        flushed(GW1);
        post_stored(1, seq);
    }
    flushed(GW1);
    ignore();
    host.windows.events_max = 3;
    asked = 0;
}

Test(room_fanout, reads_from_the_store_what_the_ring_has_lost_once_and_in_order)
{
    fall_behind();
    flushed(GW2);
    cr_assert(eq(str, heard(), "reader posts from=5 at=1 limit=100"));
    tick();
    cr_assert(eq(str, heard(), "")); /* it is on its way */
    page(2, 6);
    cr_assert(eq(str, heard(),
                 "gw2 event 0 post 2:t2; gw2 event 0 post 3:t3; "
                 "gw2 event 0 post 4:t4"));
    flushed(GW2);
    cr_assert(eq(str, heard(), "gw2 event 7 post 5:t5; gw2 event 8 post 6:t6"));
}

Test(room_fanout, fills_in_new_posts_behind_those_read_back)
{
    fall_behind();
    host.windows.events_max = 100;
    flushed(GW2);
    ignore();
    post_stored(1, 7); /* while the page is on its way; GW1 has it */
    page(2, 6);
    cr_assert(eq(str, heard(),
                 "gw2 event 0 post 2:t2; gw2 event 0 post 3:t3; "
                 "gw2 event 0 post 4:t4; gw2 event 0 post 5:t5; "
                 "gw2 event 0 post 6:t6; gw2 event 9 post 7:t7"));
}

Test(room_fanout, shows_no_post_of_a_page_that_is_not_confirmed_yet)
{
    fall_behind();
    host.windows.events_max = 100;
    flushed(GW2);
    ignore();
    post(GW1, 1, "ann", "t7");
    ignore(); /* in flight; the reader may see it already */
    page(2, 7);
    cr_assert(eq(ptr, strstr(heard(), "7:t7"), NULL));
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=7; gw1 event 9 post 7:t7; "
                 "gw2 event 9 post 7:t7"));
}

Test(room_fanout, reads_again_after_a_failure_but_not_at_once)
{
    fall_behind();
    at_ms(1000);
    flushed(GW2);
    ignore();
    refused(read_corr, CF_EIO);
    cr_assert(eq(str, heard(), "")); /* no loop between two actors while the store is away */
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(2000);
    tick();
    cr_assert(eq(str, heard(), "reader posts from=5 at=1 limit=100"));
    page(2, 6);
    cr_assert(not(eq(str, heard(), "")));
}

Test(room_fanout, does_not_spin_on_a_page_without_the_posts_it_needs)
{
    fall_behind();
    at_ms(1000);
    flushed(GW2);
    ignore();
    page(1, 1); /* a reader that lags */
    cr_assert(eq(str, heard(), ""));
    at_ms(2000);
    tick();
    cr_assert(eq(str, heard(), "reader posts from=5 at=1 limit=100"));
}

Test(room_fanout, reads_again_when_a_reader_does_not_answer)
{
    fall_behind();
    at_ms(1000);
    flushed(GW2);
    ignore();
    at_ms(6001);
    tick();
    cr_assert(eq(str, heard(), "reader posts from=5 at=1 limit=100"));
}

Test(room_fanout, ignores_a_page_nobody_asked_for)
{
    fall_behind();
    ignore();
    uint64_t own = read_corr;
    read_corr = 4711;
    page(2, 6);
    cr_assert(eq(str, heard(), ""));
    read_corr = own;
    page(2, 6);
    ignore();
    page(2, 6); /* twice */
    cr_assert(eq(str, heard(), ""));
}

Test(room_fanout, tells_nothing_to_a_gateway_without_connections)
{
    room_ready(1, 0);
    with_ann();
    with(GW2, 1, "bob");
    detach(GW2, 1);
    cr_assert(eq(str, heard(), "gw2 done #1; gw1 event 3 left bob; lobby presence 1"));
    post(GW1, 1, "ann", "hi");
    ignore();
    stored();
    cr_assert(eq(str, heard(), "gw1 posted #2 seq=1; gw1 event 4 post 1:hi"));
    attach(GW2, 2, "bob"); /* its events start behind what it was shown by ATTACHED */
    cr_assert(eq(str, heard(),
                 "gw2 attached #3 epoch=1 seq=1 n=4; gw1 event 5 joined bob; "
                 "gw2 event 5 joined bob; lobby presence 2"));
}

Test(room_fanout, does_not_give_a_clients_key_to_anyone)
{
    room_ready(1, 0);
    with_ann();
    post_key(GW1, 1, "ann", "hi", "secret");
    ignore();
    stored();
    cr_assert(not(eq(ptr, strstr(heard(), "event"), NULL)));
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "gw1 page #2 [1:hi]"));
    cr_assert(eq(int, keys_shown, 0));
}

/* --- resume -------------------------------------------------------------------------------------
 */

Test(room_fanout, resumes_with_exactly_the_missing_posts)
{
    with_posts(10, 3);
    attach_again(GW2, 1, "ann", 3, 11);
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=3 seq=13 n=4 [12:t12 13:t13]; "
                 "lobby presence 2"));
    attach_again(GW2, 2, "ann", 3, 13);
    cr_assert(eq(str, heard(), "gw2 attached #2 epoch=3 seq=13 n=4; lobby presence 3"));
    attach_again(GW2, 3, "ann", 3, 10); /* the ring begins just behind it */
    cr_assert(not(eq(ptr, strstr(heard(), "[11:t11 12:t12 13:t13]"), NULL)));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED], 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED_RELOAD], 0));
}

Test(room_fanout, resumes_a_stored_room_across_its_epochs)
{
    with_posts(10, 1);
    attach_again(GW2, 1, "ann", 2, 10);
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=3 seq=11 n=2 [joined ann 11:t11]; lobby presence 2"));
}

Test(room_fanout, reads_what_they_have_missed_once_for_all_who_come_again_behind_a_dead_node)
{
    room_ready(5, 12);
    attach_again(GW1, 1, "ann", 4, 10);
    ignore();
    member("ann", true);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=8; lobby presence 1"));
    attach_again(GW1, 2, "ann", 4, 11);
    post(GW1, 2, "ann", "x"); /* right behind it */
    cr_assert(eq(str, heard(), "storage append epoch=5 prev=12 [13:x]; lobby presence 2"));
    page(5, 12);
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=5 seq=12 n=0 [11:t11 12:t12]; "
                 "gw1 attached #2 epoch=5 seq=12 n=0 [12:t12]"));
    attach_again(GW2, 1, "ann", 4, 10); /* it is there now */
    cr_assert(not(eq(ptr, strstr(heard(), "[11:t11 12:t12]"), NULL)));
}

Test(room_fanout, reads_nothing_that_a_ring_could_not_hold)
{
    room_ready(5, 20); /* 8 are the most */
    attach_again(GW1, 1, "ann", 4, 11);
    ignore();
    member("ann", true);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
    attach_again(GW1, 2, "ann", 4, 12);
    cr_assert(not(eq(ptr, strstr(heard(), "reader posts"), NULL)));
    detach_of(GW1, 2, "ann", 4); /* while it waits: she has left, as she had come before */
    cr_assert(not(eq(ptr, strstr(heard(), "left ann"), NULL)));
    page(13, 20);
    cr_assert(eq(str, heard(), ""));
}

Test(room_fanout, sends_those_away_for_whom_the_store_cannot_tell_what_they_have_missed)
{
    room_ready(5, 12);
    attach_again(GW1, 1, "ann", 4, 10);
    ignore();
    member("ann", true);
    ignore();
    at_ms(6000);
    tick();
    cr_assert(not(eq(ptr, strstr(heard(), "refused"), NULL)));
}

Test(room_fanout, says_reload_for_a_position_that_is_not_in_the_ring)
{
    with_posts(10, 8); /* one event more than it holds */
    attach_again(GW2, 1, "ann", 3, 9);
    cr_assert(eq(str, heard(), "gw2 attached #1 epoch=3 seq=18 n=9 reload; lobby presence 2"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED], 0));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED_RELOAD], 1));
}

Test(room_fanout, says_reload_for_a_position_in_the_future)
{
    with_posts(10, 1);
    attach_again(GW2, 1, "ann", 3, 12);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
    attach_again(GW2, 1, "ann", 3, UINT64_MAX);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
}

Test(room_fanout, ephemeral_says_reload_for_another_epoch)
{
    room_ready_ephemeral(5);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    asked = 0;
    attach_again(GW2, 1, "ann", 4, 1);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
    attach_again(GW2, 2, "ann", 5, 0);
    cr_assert(not(eq(ptr, strstr(heard(), "n=2 [1:a]"), NULL)));
}

Test(room_fanout, tells_nobody_that_somebody_came_again)
{
    room_ready(1, 0);
    with_ann();
    attach_again(GW1, 1, "ann", 1, 0); /* the same connection twice */
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=1 seq=0 n=1"));
    detach(GW1, 1);
    cr_assert(eq(str, heard(), "gw1 done #2; lobby presence 0"));
    detach(GW1, 1);
    cr_assert(eq(str, heard(), "gw1 done #3"));
}
