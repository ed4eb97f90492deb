/* A room: order and durability of posts, and rooms that store none. */
#include "room_fixture.h"

#include "wire/append.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(room_posts, .fini = room_close, .timeout = 60);

/* --- posts --------------------------------------------------------------------------------------
 */

Test(room_posts, numbers_from_the_newest_stored_and_shows_nothing_before_it_is_stored)
{
    room_ready(3, 41);
    with_ann();
    with(GW2, 1, "bob");
    ignore();
    post(GW1, 1, "ann", "hi");
    cr_assert(eq(str, heard(), "storage append epoch=3 prev=41 [42:hi]"));
    tick();
    cr_assert(eq(str, heard(), ""));
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=42; gw1 event 3 post 42:hi; "
                 "gw2 event 3 post 42:hi"));
}

Test(room_posts, gathers_while_a_run_is_in_flight)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(), ""));
    post(GW1, 1, "ann", "c");
    cr_assert(eq(str, heard(), ""));
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "storage append epoch=1 prev=1 [2:b 3:c]"));
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #2 seq=2; gw1 event 3 post 2:b; "
                 "gw1 posted #3 seq=3; gw1 event 4 post 3:c"));
}

Test(room_posts, answers_a_repeated_key_with_the_stored_post_and_renumbers_the_rest)
{
    room_ready(1, 6);
    with_ann();
    post_key(GW1, 1, "ann", "a", "");
    post_key(GW1, 1, "ann", "b", "k");
    post_key(GW1, 1, "ann", "c", "");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=6 [7:a 8:b 9:c]"));
    verdict_of(
        append_corr,
        &(cf_verdict_t){.status = CF_VERDICT_DUPLICATE, .stored = 1, .same_body = true, .seq = 3});
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=7; gw1 event 2 post 7:a; gw1 posted #2 seq=3; "
                 "storage append epoch=1 prev=7 [8:c]"));
}

Test(room_posts, refuses_a_repeated_key_with_another_body)
{
    room_ready(1, 6);
    with_ann();
    post_key(GW1, 1, "ann", "b", "k");
    post_key(GW1, 1, "ann", "c", "");
    ignore();
    verdict_of(append_corr,
               &(cf_verdict_t){.status = CF_VERDICT_DUPLICATE, .same_body = false, .seq = 3});
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 same key, other content; "
                 "storage append epoch=1 prev=6 [7:c]"));
}

Test(room_posts, lets_a_second_post_with_the_same_key_wait_for_the_first)
{
    room_ready(1, 0);
    with_ann();
    with(GW1, 2, "bob");
    post_key(GW1, 1, "ann", "a", "k");
    post_key(GW1, 2, "bob", "his own k", "k");
    post_key(GW1, 1, "ann", "a", "k");
    post_key(GW1, 1, "ann", "c", "");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=0 [1:a 2:his own k]"));
    stored();
    ignore();
    verdict_of(append_corr,
               &(cf_verdict_t){.status = CF_VERDICT_DUPLICATE, .same_body = true, .seq = 1});
    cr_assert(eq(str, heard(), "gw1 posted #3 seq=1; storage append epoch=1 prev=2 [3:c]"));
}

Test(room_posts, refuses_a_row_the_store_refuses_and_goes_on_behind_it)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    post(GW1, 1, "ann", "c");
    ignore();
    verdict_of(append_corr, &(cf_verdict_t){.status = CF_VERDICT_BAD_ROW, .stored = 1});
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "gw1 refused #2 out of bounds; "
                 "storage append epoch=1 prev=1 [2:c]"));
}

Test(room_posts, refuses_what_was_certainly_not_stored_and_leaves_no_gap)
{
    room_ready(1, 0);
    with_ann();
    with(GW2, 2, "bob");
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    ignore();
    post(GW2, 2, "bob", "c");
    verdict(CF_VERDICT_FAILED);
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 storage failed; gw1 refused #2 storage failed; "
                 "storage append epoch=1 prev=0 [1:c]"));
}

Test(room_posts, stores_nothing_that_follows_a_refused_post_of_its_sender)
{
    room_ready(1, 0);
    with_ann();
    with(GW2, 2, "bob");
    post(GW1, 1, "ann", "a");
    ignore();
    post(GW1, 1, "ann", "b");
    post(GW2, 2, "bob", "c");
    post(GW1, 1, "ann", "d");
    verdict(CF_VERDICT_FAILED);
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 storage failed; gw1 refused #2 storage failed; "
                 "gw1 refused #4 storage failed; storage append epoch=1 prev=0 [1:c]"));
    post(GW1, 1, "ann", "a");
    stored();
    cr_assert(eq(str, heard(),
                 "gw2 posted #3 seq=1; gw1 event 3 post 1:c; gw2 event 3 post 1:c; "
                 "storage append epoch=1 prev=1 [2:a]"));
}

Test(room_posts, takes_a_refusal_of_the_run_for_not_stored)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    refused(append_corr, CF_EAGAIN);
    cr_assert(eq(str, heard(), "gw1 refused #1 not now"));
}

Test(room_posts, numbers_nothing_new_while_the_outcome_is_unknown)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    verdict(CF_VERDICT_UNKNOWN);
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(), ""));
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "storage append epoch=1 prev=1 [2:b]"));
    verdict(CF_VERDICT_UNKNOWN);
    verdict(CF_VERDICT_FAILED);
    cr_assert(eq(str, heard(), "gw1 refused #2 storage failed"));
}

Test(room_posts, sends_again_what_was_not_stored_of_a_run_whose_answer_was_lost)
{
    room_ready(1, 0);
    with_ann();
    post_key(GW1, 1, "ann", "a", "");
    post_key(GW1, 1, "ann", "b", "k"); /* stored long ago: it and what follows was left out */
    post_key(GW1, 1, "ann", "c", "");
    ignore();
    verdict(CF_VERDICT_UNKNOWN);
    verdict_of(append_corr, &(cf_verdict_t){.status = CF_VERDICT_STORED, .stored = 1});
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "storage append epoch=1 prev=1 [2:b 3:c]"));
}

static void lose_ownership(uint32_t status)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    post(GW1, 1, "ann", "b");
    verdict(status);
}

Test(room_posts, that_another_owner_has_taken_over_answers_moved_and_shows_nothing)
{
    lose_ownership(CF_VERDICT_STALE_EPOCH);
    cr_assert(eq(str, heard(), "gw1 moved #1; gw1 moved #2; lobby retire"));
}

Test(room_posts, whose_numbers_the_store_does_not_share_answers_moved)
{
    lose_ownership(CF_VERDICT_OUT_OF_ORDER);
    cr_assert(eq(str, heard(), "gw1 moved #1; gw1 moved #2; lobby retire"));
}

Test(room_posts, that_is_no_more_refuses_what_waits)
{
    lose_ownership(CF_VERDICT_NO_ROOM);
    cr_assert(eq(str, heard(), "gw1 refused #1 not found; gw1 refused #2 not found; lobby retire"));
}

Test(room_posts, ignores_verdicts_that_are_late_or_of_another_run)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    verdict_of(append_corr + 5, &(cf_verdict_t){.status = CF_VERDICT_STORED, .stored = 1});
    cr_assert(eq(str, heard(), ""));
    stored();
    ignore();
    stored(); /* again */
    verdict(CF_VERDICT_FAILED);
    cr_assert(eq(str, heard(), ""));
}

Test(room_posts, tells_after_five_seconds_what_is_not_confirmed_and_keeps_its_number)
{
    room_ready(1, 0);
    with_ann();
    at_ms(0);
    post(GW1, 1, "ann", "a");
    ignore();
    at_ms(4999);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(5000);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 not confirmed, retry with the same key"));
    at_ms(9000);
    tick();
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(), ""));
    stored(); /* after all */
    cr_assert(eq(str, heard(), "gw1 event 2 post 1:a; storage append epoch=1 prev=1 [2:b]"));
}

Test(room_posts, tells_nobody_twice_when_what_was_not_confirmed_fails)
{
    room_ready(1, 0);
    with_ann();
    at_ms(0);
    post_key(GW1, 1, "ann", "a", "k");
    post_key(GW1, 1, "ann", "b", "l");
    ignore();
    at_ms(5000);
    tick();
    ignore();
    verdict_of(append_corr,
               &(cf_verdict_t){.status = CF_VERDICT_DUPLICATE, .same_body = true, .seq = 0});
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=0 [1:b]"));
    verdict(CF_VERDICT_FAILED);
    cr_assert(eq(str, heard(), ""));
}

Test(room_posts, refuses_a_post_that_could_not_be_sent_in_time_and_all_that_wait_behind_it)
{
    room_ready(1, 0);
    with_ann();
    at_ms(0);
    post(GW1, 1, "ann", "a");
    ignore();
    at_ms(100);
    post(GW1, 1, "ann", "b");
    at_ms(3000);
    post(GW1, 1, "ann", "c");
    at_ms(5000);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 not confirmed, retry with the same key"));
    at_ms(5100);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #2 storage failed; gw1 refused #3 storage failed"));
    post(GW1, 1, "ann", "d");
    stored();
    cr_assert(eq(str, heard(), "gw1 event 2 post 1:a; storage append epoch=1 prev=1 [2:d]"));
}

Test(room_posts, bounds_its_queue_by_count)
{
    room_config.queue_posts = 3;
    room_ready(1, 0);
    with_ann();
    for (int i = 0; i < 4; i++)
        post(GW1, 1, "ann", "x");
    cr_assert(eq(str, heard(),
                 "gw1 refused #4 a bound is reached; "
                 "storage append epoch=1 prev=0 [1:x 2:x 3:x]"));
    post(GW1, 1, "ann", "y");
    cr_assert(eq(str, heard(), "gw1 refused #5 a bound is reached")); /* in flight counts */
    stored();
    ignore();
    post(GW1, 1, "ann", "z");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=3 [4:z]"));
}

Test(room_posts, bounds_its_queue_by_bytes)
{
    char text[CF_POST_TEXT_MAX + 1];
    memset(text, 'x', CF_POST_TEXT_MAX);
    text[CF_POST_TEXT_MAX] = '\0';
    room_config.queue_bytes = 2 * 4500;
    room_ready(1, 0);
    with_ann();
    for (int i = 0; i < 3; i++)
        post(GW1, 1, "ann", text);
    cr_assert(eq(str, heard_so_far(), "gw1 refused #3 a bound is reached"));
}

Test(room_posts, sends_no_more_rows_in_a_run_than_a_message_takes)
{
    room_config.queue_posts = 2 * CF_RUN_ROWS_MAX;
    room_config.queue_bytes = 8u << 20;
    room_config.ring_events = 8;
    room_ready(1, 0);
    with_ann();
    for (int i = 0; i < CF_RUN_ROWS_MAX + 1; i++)
        post(GW1, 1, "ann", "x");
    cr_assert(not(eq(ptr, strstr(heard(), "500:x]"), NULL)));
    stored();
    cr_assert(not(eq(ptr, strstr(heard(), "append epoch=1 prev=500 [501:x]"), NULL)));
}

/* --- ephemeral rooms ----------------------------------------------------------------------------
 */

Test(room_posts, ephemeral_numbers_from_one_and_asks_no_store)
{
    room_ready_ephemeral(5);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "gw1 posted #2 seq=2; gw1 event 3 post 2:b"));
}

Test(room_posts, ephemeral_delays_acks_while_a_window_is_closed)
{
    host.windows.events_max = 2;
    host.windows.bytes_max = 1u << 20;
    room_ready_ephemeral(5);
    with_ann();
    for (int i = 0; i < 4; i++)
        post(GW1, 1, "ann", "x");
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=1; gw1 event 2 post 1:x; gw1 posted #2 seq=2"));
    tick();
    cr_assert(eq(str, heard(), ""));
    flushed(GW1);
    cr_assert(eq(str, heard(),
                 "gw1 posted #3 seq=3; gw1 event 3 post 2:x; "
                 "gw1 event 4 post 3:x; gw1 posted #4 seq=4"));
}

Test(room_posts, ephemeral_goes_on_when_the_second_of_two_windows_opens)
{
    host.windows.events_max = 3;
    host.windows.bytes_max = 1u << 20;
    room_ready_ephemeral(5);
    with_ann();
    with(GW2, 1, "bob");
    for (int i = 0; i < 4; i++)
        post(GW1, 1, "ann", "x");
    ignore();
    flushed(GW1);
    ignore();
    cr_assert(host.lagging); /* GW2 still waits; its FLUSHED must not be passed over */
    flushed(GW2);
    cr_assert(not(eq(ptr, strstr(heard(), "posted #4"), NULL)));
}

Test(room_posts, ephemeral_refuses_what_waited_too_long)
{
    host.windows.events_max = 1;
    host.windows.bytes_max = 1u << 20;
    room_ready_ephemeral(5);
    at_ms(0);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=1"));
    at_ms(5000);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #2 storage failed"));
}

Test(room_posts, ephemeral_answers_a_repeated_key_from_its_ring)
{
    room_ready_ephemeral(5);
    with_ann();
    with(GW1, 2, "bob");
    post_key(GW1, 1, "ann", "a", "k");
    post_key(GW1, 1, "ann", "a", "k");
    post_key(GW1, 1, "ann", "other", "k");
    post_key(GW1, 2, "bob", "his", "k");
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 3 post 1:a; gw1 posted #2 seq=1; "
                 "gw1 refused #3 same key, other content; gw1 posted #4 seq=2; "
                 "gw1 event 4 post 2:his"));
}

Test(room_posts, ephemeral_answers_history_from_its_ring_alone)
{
    room_config.ring_events = 3;
    room_ready_ephemeral(5);
    with_ann();
    for (int i = 0; i < 4; i++)
        post(GW1, 1, "ann", "x");
    ignore();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "gw1 page #5 [2:x 3:x 4:x]"));
    history(GW1, "ann", CF_POSTS_BEFORE_SEQ, 4, 10);
    cr_assert(eq(str, heard(), "gw1 page #6 [2:x 3:x]"));
    history(GW1, "ann", CF_POSTS_BEFORE_ID, 0, 10); /* of no post it has */
    cr_assert(eq(str, heard(), "gw1 refused #7 out of bounds"));
}
