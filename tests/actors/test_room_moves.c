/* A room: how it retires and moves, what it hands over, and who went meanwhile. */
#include "room_fixture.h"

#include "clock.h"
#include "wire/append.h"
#include "wire/place.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

TestSuite(room_moves, .fini = room_close, .timeout = 60);

/* --- retiring and moving ------------------------------------------------------------------------
 */

Test(room_moves, retires_when_nobody_was_here_for_long_enough)
{
    at_ms(0);
    room_ready(1, 0);
    check(GW1, "ann");
    ignore();
    at_ms(30000);
    member("ann", true);
    ignore();
    at_ms(90000);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(90001);
    tick();
    cr_assert(eq(str, heard(), "lobby retire"));
    tick();
    cr_assert(eq(str, heard(), "")); /* once */
}

Test(room_moves, does_not_retire_while_somebody_is_connected_or_just_left)
{
    at_ms(0);
    room_ready(1, 0);
    with_ann();
    at_ms(600000);
    tick();
    cr_assert(eq(str, heard(), ""));
    detach(GW1, 1);
    ignore();
    at_ms(660000);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(660001);
    tick();
    cr_assert(eq(str, heard(), "lobby retire"));
}

Test(room_moves, does_not_retire_while_something_is_on_its_way)
{
    room_config.idle_us = 1000;
    at_ms(0);
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    detach(GW1, 1);
    ignore();
    at_ms(1000);
    tick();
    cr_assert(eq(str, heard(), "")); /* a run */
    stored();
    join(GW1, "bob");
    ignore();
    at_ms(2000);
    tick();
    cr_assert(eq(str, heard(), "")); /* a join */
    done(join_corr());
    check(GW1, "carl");
    ignore();
    at_ms(3000);
    tick();
    cr_assert(eq(str, heard(), "")); /* a question */
    member("carl", true);
    at_ms(4000);
    tick();
    cr_assert(not(eq(ptr, strstr(heard(), "retire"), NULL)));
}

Test(room_moves, answers_every_request_moved_once_it_retires)
{
    room_config.idle_us = 1000;
    at_ms(0);
    room_ready(1, 0);
    with_ann();
    detach(GW1, 1);
    at_ms(1000);
    tick();
    ignore();
    asked = 0;
    check(GW1, "ann");
    join(GW1, "ann");
    leave(GW1, "ann");
    attach(GW1, 1, "ann");
    post(GW1, 1, "ann", "a");
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 1);
    detach(GW1, 1);
    command(GW1, 1, "ann", "A");
    cr_assert(eq(str, heard(),
                 "gw1 moved #1; gw1 moved #2; gw1 moved #3; gw1 moved #4; "
                 "gw1 moved #5; gw1 moved #6; gw1 moved #7; gw1 moved #8"));
}

Test(room_moves, that_is_to_vacate_finishes_the_run_in_flight)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    post(GW1, 1, "ann", "b");
    check(GW2, "carl"); /* waits for a reader */
    ignore();
    vacate();
    cr_assert(eq(str, heard(), "gw2 moved #3; gw1 moved #2"));
    post(GW1, 1, "ann", "c");
    tick();
    cr_assert(eq(str, heard(), "gw1 moved #4"));
    stored();
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=1; gw1 event 2 post 1:a; lobby retire"));
}

Test(room_moves, that_is_to_vacate_waits_for_a_join_that_is_being_stored)
{
    room_ready(1, 0);
    join(GW1, "ann");
    ignore();
    vacate();
    vacate(); /* twice */
    cr_assert(eq(str, heard(), ""));
    done(join_corr());
    cr_assert(eq(str, heard(), "gw1 done #1; lobby retire"));
}

Test(room_moves, leaves_no_post_unanswered_when_a_run_ends_early_while_it_vacates)
{
    room_ready(1, 0);
    with_ann();
    post_key(GW1, 1, "ann", "a", "k");
    post(GW1, 1, "ann", "b");
    ignore();
    vacate();
    verdict_of(append_corr,
               &(cf_verdict_t){.status = CF_VERDICT_DUPLICATE, .same_body = true, .seq = 0});
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=0; gw1 moved #2; lobby retire"));
}

Test(room_moves, leaves_no_post_unanswered_when_a_row_is_bad_while_it_vacates)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    ignore();
    vacate();
    verdict(CF_VERDICT_BAD_ROW);
    cr_assert(eq(str, heard(), "gw1 refused #1 out of bounds; gw1 moved #2; lobby retire"));
}

Test(room_moves, shows_a_lagging_gateway_the_rest_even_when_it_leaves)
{
    host.windows.events_max = 2;
    host.windows.bytes_max = 1u << 20;
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    ignore();
    stored();
    ignore();
    vacate();
    cr_assert(eq(str, heard(), "lobby retire"));
    flushed(GW1);
    cr_assert(eq(str, heard(), "gw1 event 3 post 2:b"));
}

Test(room_moves, shows_no_history_beyond_the_time_posts_are_kept)
{
    room_config.posts_ttl_us = 10000000;
    room_ready(1, 0);
    with_ann();
    for (int i = 0; i < 3; i++) {
        at_ms(i * 1000);
        post(GW1, 1, "ann", i == 0 ? "a" : i == 1 ? "b" : "c");
        ignore();
        stored();
        ignore();
    }
    at_ms(10999);
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "gw1 page #1 [2:b 3:c]"));
    at_ms(11000);
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "gw1 page #2 [3:c]"));
    at_ms(60000);
    history(GW1, "ann", CF_POSTS_BEFORE_SEQ, 3, 10);
    cr_assert(eq(str, heard(), "gw1 page #3 []"));
}

/* --- handing over -------------------------------------------------------------------------------
 */

/* Two posts of ann's, in whatever room there is. */
static void with_two_posts(bool ephemeral)
{
    with_ann();
    post_key(GW1, 1, "ann", "a", "k");
    ignore();
    if (!ephemeral)
        stored();
    post(GW1, 1, "ann", "b");
    ignore();
    if (!ephemeral)
        stored();
    ignore();
    asked = 0;
}

Test(room_moves, hands_over_its_newest_posts_and_who_is_a_member_right_before_it_retires)
{
    room_ready(4, 7);
    with_two_posts(false);
    post(GW1, 1, "ann", "c");
    ignore();
    vacate_and_hand_over();
    cr_assert(eq(str, heard(), "")); /* the run in flight first */
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=10; gw1 event 4 post 10:c; "
                 "lobby handover epoch=4 from=4 seq=10 [8:a 9:b 10:c] ann; lobby retire"));
}

Test(room_moves, goes_on_where_it_was_at_its_next_place)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    attach_again(GW1, 1, "ann", 4, 8);
    activated(5, 9, false);
    /* nobody is asked for her membership, and nothing is read for what she has missed */
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=5 seq=9 n=0 [9:b]; lobby presence 1"));
    post(GW1, 1, "ann", "c");
    cr_assert(eq(str, heard(), "storage append epoch=5 prev=9 [10:c]"));
}

Test(room_moves, believes_the_store_if_another_one_has_had_it_in_between)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    attach_again(GW1, 1, "ann", 4, 8);
    activated(6, 9, false);
    cr_assert(eq(str, heard(), "reader find ann"));
    member("ann", true);
    cr_assert(not(eq(ptr, strstr(heard(), "reader posts"), NULL)));
}

Test(room_moves, believes_the_store_if_that_has_another_number)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    attach_again(GW1, 1, "ann", 4, 8);
    activated(5, 8, false);
    cr_assert(eq(str, heard(), "reader find ann"));
}

Test(room_moves, takes_nothing_over_once_it_serves)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    activated(6, 9, false);
    handed_over();
    attach_again(GW1, 1, "ann", 4, 8);
    cr_assert(eq(str, heard(), "reader find ann"));
}

Test(room_moves, ephemeral_keeps_its_posts_and_their_numbers_and_keys_over_moves)
{
    room_ready_ephemeral(4);
    with_two_posts(true);
    room_moves();
    activated(5, 0, true);
    room_moves();
    attach_again(GW1, 1, "ann", 4, 1); /* she was away while it moved twice */
    activated(6, 0, true);
    ignore();
    member("ann", true);
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=6 seq=2 n=0 [2:b]; lobby presence 1"));
    post_key(GW1, 1, "ann", "a", "k");
    post(GW1, 1, "ann", "c");
    cr_assert(eq(str, heard(), "gw1 posted #2 seq=1; gw1 posted #3 seq=3; gw1 event 1 post 3:c"));
    attach_again(GW2, 2, "ann", 3, 1); /* of an earlier life */
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
    attach_again(GW2, 3, "ann", 7, 1); /* of none */
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
}

Test(room_moves, ephemeral_begins_anew_if_another_one_has_had_it_in_between)
{
    room_ready_ephemeral(4);
    with_two_posts(true);
    room_moves();
    activated(6, 0, true);
    attach_again(GW1, 1, "ann", 4, 1);
    ignore();
    member("ann", true);
    cr_assert(not(eq(ptr, strstr(heard(), "seq=0 n=0 reload"), NULL)));
}

/* What no room of ours has said. */
static void takes_no_number_over(uint64_t last_seq, int64_t last_us)
{
    room_open();
    ignore();
    tell(room_config.lobby, CF_MSG_HANDOVER, UINT64_MAX,
         &(cf_handover_t){.epoch = 4, .numbered_in = 4, .last_seq = last_seq, .last_us = last_us});
    activated(5, 0, true);
    ignore();
    with_ann();
    post(GW1, 1, "ann", "a");
    cr_assert(not(eq(ptr, strstr(heard(), " seq=1;"), NULL)));
}

Test(room_moves, ephemeral_takes_no_number_over_that_none_can_follow)
{
    takes_no_number_over((uint64_t)INT64_MAX + 1, 0);
}

Test(room_moves, ephemeral_takes_no_time_over_that_none_can_follow)
{
    takes_no_number_over(1, CF_TIME_MAX_US + 1);
}

Test(room_moves, in_quarantine_hands_nothing_over)
{
    contain = true;
    room_ready(4, 7);
    with_two_posts(false);
    post(GW1, 1, "ann", "c");
    ignore();
    vacate_and_hand_over();
    tell_malformed(room_config.storage, CF_MSG_VERDICT, append_corr);
    char *said = heard();
    cr_assert(eq(ptr, strstr(said, "handover"), NULL));
    cr_assert(not(eq(ptr, strstr(said, "lobby retire"), NULL)));
}

Test(room_moves, hands_over_the_newest_posts_that_fit_a_message)
{
    char first[32];
    room_config.ring_events = 2 * CF_HANDOVER_POSTS_MAX;
    room_config.ring_bytes = 16u << 20;
    host.windows.events_max = 2 * CF_HANDOVER_POSTS_MAX;
    host.windows.bytes_max = 16u << 20;
    room_ready_ephemeral(4);
    with_ann();
    for (int i = 0; i < CF_HANDOVER_POSTS_MAX + 2; i++) {
        post(GW1, 1, "ann", "a");
        ignore();
    }
    vacate_and_hand_over();
    snprintf(first, sizeof first, "seq=%d [3:a 4:a ", CF_HANDOVER_POSTS_MAX + 2);
    cr_assert(not(eq(ptr, strstr(heard(), first), NULL)));
}

/* --- who went while it moved --------------------------------------------------------------------
 */

Test(room_moves, that_leaves_does_nothing_about_a_departure_and_says_so)
{
    room_ready(4, 0);
    with_ann();
    with(GW2, 1, "bob");
    post(GW1, 1, "ann", "in flight");
    ignore();
    vacate();
    detach_of(GW2, 1, "bob", 4);
    cr_assert(eq(str, heard(), "gw2 moved #2"));
    stored();
    detach_of(GW1, 1, "ann", 4);
    cr_assert(not(eq(ptr, strstr(heard(), "gw1 moved #3"), NULL)));
}

Test(room_moves, tells_of_a_connection_that_was_here_before_it_moved_and_did_not_come_along)
{
    room_ready(5, 0);
    attach_again(GW1, 1, "ann", 4, 0);
    ignore();
    member("ann", true);
    ignore();
    asked = 0;
    detach_of(GW2, 7, "bob", 4);
    cr_assert(eq(str, heard(), "gw2 done #1; gw1 event 1 left bob"));
    detach_of(GW2, 8, "cid", 5); /* out already */
    detach_of(GW2, 9, "dan", 0); /* never let in */
    cr_assert(eq(str, heard(), "gw2 done #2; gw2 done #3"));
}

Test(room_moves, tells_who_comes_again_what_was_told_since_it_has_moved)
{
    room_ready(5, 0);
    attach_again(GW1, 1, "ann", 4, 0);
    ignore();
    member("ann", true);
    detach_of(GW2, 7, "bob", 4);
    attach(GW1, 2, "cid");
    ignore();
    member("cid", true);
    ignore();
    post(GW1, 1, "ann", "a");
    ignore();
    stored();
    ignore();
    asked = 0;
    attach_again(GW1, 3, "cid", 4, 0); /* another socket of his, which was there before */
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=5 seq=1 n=3 [left bob joined cid 1:a]; "
                 "lobby presence 3"));
    attach_again(GW1, 3, "cid", 5, 1); /* nothing of this epoch is told twice */
    cr_assert(eq(str, heard(), "gw1 attached #2 epoch=5 seq=1 n=3"));
}

Test(room_moves, tells_of_it_once_it_is_loaded_and_lets_nobody_in_who_has_gone)
{
    room_open();
    ignore();
    attach_again(GW1, 1, "ann", 4, 0);
    attach_again(GW2, 7, "bob", 4, 0);
    detach_of(GW2, 7, "bob", 4);
    cr_assert(eq(str, heard(), "gw2 refused #2 not found"));
    activated(5, 0, false);
    cr_assert(eq(str, heard(), "reader find ann; gw2 done #3"));
    member("ann", true);
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=5 seq=0 n=1 [left bob]; lobby presence 1"));
}

Test(room_moves, tells_of_the_leaving_of_a_user_also_while_it_moves)
{
    room_ready(4, 0);
    with_ann();
    with(GW2, 1, "bob");
    leave(GW1, "bob");
    ignore();
    vacate();
    ignore();
    done(join_corr());
    cr_assert(eq(str, heard(),
                 "gw2 expelled 1; gw1 done #1; gw1 event 3 left bob; lobby retire; "
                 "lobby presence 1"));
}
