/* A room by messages alone: what it is told, what it says, with time as an argument. */
#include "room_fixture.h"

#include "clock.h"
#include "metrics.h"
#include "rendezvous.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/place.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>

TestSuite(room, .fini = room_close, .timeout = 60);

/* --- loading ------------------------------------------------------------------------------------
 */

Test(room, asks_to_be_activated_and_holds_what_comes_until_it_is)
{
    room_open();
    cr_assert(eq(str, heard(), "storage activate"));
    join(GW1, "ann");
    check(GW2, "bob");
    attach(GW1, 1, "ann");
    cr_assert(eq(str, heard(), ""));
    activated(4, 9, false);
    cr_assert(eq(str, heard(), "storage add ann; reader find bob; reader find ann"));
}

Test(room, hands_out_what_it_held_in_the_order_it_came)
{
    room_open();
    ignore();
    attach(GW1, 1, "ann");
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    activated(4, 9, false);
    cr_assert(eq(str, heard(), "reader find ann"));
    member("ann", true);
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=4 seq=9 n=0; "
                 "storage append epoch=4 prev=9 [10:a 11:b]; "
                 "gw1 event 1 joined ann; lobby presence 1"));
}

Test(room, lets_nobody_in_who_has_gone_while_it_was_loading)
{
    room_open();
    ignore();
    attach(GW1, 1, "ann");
    attach(GW1, 2, "ann");
    detach(GW1, 1);
    /* answered: the gateway counts on it */
    cr_assert(eq(str, heard(), "gw1 refused #1 not found; gw1 done #3"));
    activated(4, 9, false);
    ignore();
    member("ann", true);
    cr_assert(eq(str, heard(),
                 "gw1 attached #2 epoch=4 seq=9 n=0; gw1 event 1 joined ann; lobby presence 1"));
}

Test(room, that_does_not_exist_refuses_everything_and_is_at_its_end)
{
    room_open();
    ignore();
    check(GW1, "ann");
    post(GW2, 1, "bob", "hi");
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(int, cf_room_loaded(room), CF_EAGAIN));
    refused(activate_corr, CF_ENOENT);
    cr_assert(eq(int, cf_room_loaded(room), CF_ENOENT));
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 not found; gw2 refused #2 not found; "
                 "gw1 refused #3 not found")); /* no gateway need forget it: no RETIRE */
    vacate();
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "gw1 moved #4"));
}

Test(room, whose_store_is_away_says_so)
{
    room_open();
    ignore();
    check(GW1, "ann");
    refused(activate_corr, CF_EIO);
    cr_assert(eq(str, heard(), "gw1 refused #1 storage failed"));
    cr_assert(eq(int, cf_room_loaded(room), CF_EIO));
}

Test(room, never_activated_answers_deadline_passed)
{
    room_open();
    ignore();
    at_ms(0);
    check(GW1, "ann");
    at_ms(5000);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(5001);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 deadline passed"));
    activated(1, 0, false); /* too late */
    cr_assert(eq(int, cf_room_loaded(room), CF_ETIME));
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "gw1 moved #2"));
}

Test(room, bounds_what_it_holds_by_bytes)
{
    char text[CF_POST_TEXT_MAX + 1];
    memset(text, 'x', CF_POST_TEXT_MAX);
    text[CF_POST_TEXT_MAX] = '\0';
    room_config.queue_bytes = 3 * CF_POST_TEXT_MAX;
    room_open();
    ignore();
    for (int i = 0; i < 3; i++)
        post(GW1, 1, "ann", text);
    cr_assert(eq(str, heard(), "gw1 refused #3 a bound is reached"));
}

Test(room, holds_a_small_request_of_each_of_many_members)
{
    room_config.queue_bytes = 1u << 20;
    room_open();
    ignore();
    for (int i = 0; i < 5000; i++)
        check(GW1, "ann");
    cr_assert(eq(str, heard(), ""));
    int held = 5000;
    for (; strcmp(heard(), "") == 0 && held < 50000; held++)
        check(GW1, "ann");
    cr_assert(lt(int, held, 12000)); /* what keeps them counts as well */
}

Test(room, ignores_an_activation_it_did_not_ask_for)
{
    room_open();
    ignore();
    check(GW1, "ann");
    activate_corr += 7;
    activated(9, 9, false);
    cr_assert(eq(str, heard(), ""));
    activate_corr -= 7;
    activated(2, 0, false);
    cr_assert(eq(str, heard(), "reader find ann"));
    activated(5, 5, false); /* twice */
    member("ann", true);
    attach(GW1, 1, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 done #1; gw1 attached #2 epoch=2 seq=0 n=0; "
                 "gw1 event 1 joined ann; lobby presence 1"));
}

/* --- membership ---------------------------------------------------------------------------------
 */

Test(room, looks_an_unknown_user_up_once_and_answers_in_order)
{
    room_ready(1, 0);
    check(GW1, "ann");
    attach(GW1, 1, "ann");
    post(GW1, 1, "ann", "hi");
    check(GW2, "ann");
    cr_assert(eq(str, heard(), "reader find ann"));
    member("ann", true);
    cr_assert(eq(str, heard(),
                 "gw1 done #1; gw1 attached #2 epoch=1 seq=0 n=0; gw2 done #4; "
                 "storage append epoch=1 prev=0 [1:hi]; gw1 event 1 joined ann; "
                 "lobby presence 1"));
    check(GW2, "ann");
    cr_assert(eq(str, heard(), "gw2 done #5"));
}

Test(room, refuses_a_stranger_everywhere_and_spends_no_number_on_it)
{
    room_ready(1, 0);
    with_ann();
    check(GW1, "eve");
    attach(GW1, 2, "eve");
    post(GW1, 2, "eve", "hi");
    history(GW1, "eve", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "reader find eve"));
    member("eve", false);
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 not allowed; gw1 refused #2 not allowed; "
                 "gw1 refused #3 not allowed; gw1 refused #4 not allowed"));
    post(GW1, 1, "ann", "hi");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=0 [1:hi]"));
}

Test(room, does_not_remember_that_somebody_was_no_member)
{
    room_ready(1, 0);
    check(GW1, "eve");
    ignore();
    member("eve", false);
    ignore();
    check(GW1, "eve");
    cr_assert(eq(str, heard(), "reader find eve"));
    member("eve", true);
    cr_assert(eq(str, heard(), "gw1 done #2"));
}

Test(room, refuses_a_post_from_a_member_who_is_not_connected_so)
{
    room_ready(1, 0);
    with_ann();
    with(GW1, 2, "bob");
    post(GW1, 3, "ann", "no such connection");
    post(GW2, 1, "ann", "another gateway's");
    post(GW1, 2, "ann", "bob's");
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 not allowed; gw2 refused #2 not allowed; "
                 "gw1 refused #3 not allowed"));
}

Test(room, writes_a_join_once_and_then_knows_the_member)
{
    room_ready(1, 0);
    join(GW1, "ann");
    cr_assert(eq(str, heard(), "storage add ann"));
    done(join_corr());
    cr_assert(eq(str, heard(), "gw1 done #1"));
    join(GW1, "ann"); /* again */
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "gw1 done #2; gw1 done #3"));
    done(join_corr()); /* an answer that comes twice */
    cr_assert(eq(str, heard(), ""));
}

Test(room, refuses_the_post_of_somebody_who_has_left)
{
    room_ready(1, 0);
    with_ann();
    leave(GW1, "ann");
    cr_assert(eq(str, heard(), "storage remove ann"));
    done(join_corr());
    post(GW1, 1, "ann", "still here");
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "gw1 expelled 1; gw1 done #1; reader find ann; lobby presence 0"));
    member("ann", false);
    cr_assert(eq(str, heard(), "gw1 refused #2 not allowed; gw1 refused #3 not allowed"));
    join(GW1, "ann");
    ignore();
    done(join_corr());
    attach(GW1, 2, "ann");
    post(GW1, 2, "ann", "back");
    cr_assert(eq(str, heard(),
                 "gw1 done #4; gw1 attached #5 epoch=1 seq=0 n=2; storage append "
                 "epoch=1 prev=0 [1:back]; gw1 event 3 joined ann; lobby presence 1"));
}

Test(room, puts_every_socket_of_somebody_who_leaves_out_and_tells_the_others)
{
    room_ready(1, 0);
    with_ann();
    with(GW1, 2, "bob");
    with(GW2, 1, "bob");
    with(GW2, 2, "ann");
    leave(GW1, "bob");
    ignore();
    cr_assert(eq(str, heard(), "")); /* not before it is stored */
    done(join_corr());
    cr_assert(eq(str, heard(),
                 "gw1 expelled 2; gw2 expelled 1; gw1 done #1; "
                 "gw1 events 5 left bob, left bob; gw2 events 5 left bob, left bob; "
                 "lobby presence 2"));
    detach_of(GW1, 2, "bob", 1); /* its socket is closed now: nobody hears of it twice */
    cr_assert(eq(str, heard(), "gw1 done #2"));
}

Test(room, puts_nobody_out_whose_leaving_was_not_stored)
{
    room_ready(1, 0);
    with_ann();
    leave(GW1, "ann");
    ignore();
    refused(join_corr(), CF_EIO);
    cr_assert(eq(str, heard(), "gw1 refused #1 storage failed"));
    post(GW1, 1, "ann", "still here");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=0 [1:still here]"));
}

Test(room, lets_nobody_in_whose_leaving_was_stored_meanwhile)
{
    room_ready(1, 0);
    leave(GW1, "ann");
    attach(GW1, 1, "ann");
    ignore();
    done(join_corr()); /* what the reader was asked before does not count any more */
    cr_assert(eq(str, heard(), "reader find ann; gw1 done #1"));
    member("ann", false);
    cr_assert(eq(str, heard(), "gw1 refused #2 not allowed"));
}

Test(room, answers_what_waits_for_a_membership_when_the_join_is_stored)
{
    room_ready(1, 0);
    check(GW1, "ann");
    join(GW1, "ann");
    cr_assert(eq(str, heard(), "reader find ann; storage add ann"));
    done(join_corr());
    cr_assert(eq(str, heard(), "gw1 done #1; gw1 done #2"));
    member("ann", false); /* read before the join was stored */
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "gw1 done #3"));
}

Test(room, takes_no_answer_for_a_question_it_has_asked_anew)
{
    room_ready(1, 0);
    check(GW1, "ann");
    join(GW1, "ann");
    ignore();
    uint64_t first = find_corr("ann");
    done(join_corr());
    leave(GW1, "ann");
    ignore();
    done(join_corr());
    ignore();
    check(GW1, "ann");
    cr_assert(eq(str, heard(), "reader find ann"));
    member_of(first, "ann", true); /* read between the join and the leave */
    cr_assert(eq(str, heard(), ""));
    member("ann", false);
    cr_assert(eq(str, heard(), "gw1 refused #4 not allowed"));
}

Test(room, says_why_a_join_failed)
{
    room_ready(1, 0);
    join(GW1, "ann");
    leave(GW2, "bob");
    ignore();
    refused(join_corr(), CF_EIO);
    refused(join_corr() - 1, CF_ENOENT);
    cr_assert(eq(str, heard(), "gw2 refused #2 storage failed; gw1 refused #1 not found"));
}

Test(room, gives_up_a_join_nobody_answers)
{
    room_ready(1, 0);
    at_ms(0);
    join(GW1, "ann");
    ignore();
    at_ms(5000);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(5001);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 deadline passed"));
    done(join_corr());
    cr_assert(eq(str, heard(), ""));
}

Test(room, gives_up_a_lookup_nobody_answers_and_no_other)
{
    room_ready(1, 0);
    at_ms(0);
    check(GW1, "ann");
    at_ms(3000);
    check(GW1, "bob");
    ignore();
    at_ms(5001);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 deadline passed"));
    member("bob", true);
    cr_assert(eq(str, heard(), "gw1 done #2"));
    check(GW1, "ann"); /* and asks again */
    cr_assert(eq(str, heard(), "reader find ann"));
}

Test(room, refuses_by_a_failed_lookup_only_those_who_wait_for_it)
{
    room_ready(1, 0);
    check(GW1, "ann");
    check(GW1, "bob");
    ignore();
    refused(find_corr("bob"), CF_EIO);
    cr_assert(eq(str, heard(), "gw1 refused #2 storage failed"));
    member("ann", true);
    cr_assert(eq(str, heard(), "gw1 done #1"));
}

Test(room, keeps_a_bounded_number_of_memberships)
{
    char name[16];
    room_config.members_cache = 4;
    room_ready(1, 0);
    with_ann(); /* attached: stays, however old */
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "user%d", i);
        check(GW1, name);
        ignore();
        member(name, true);
        ignore();
    }
    check(GW1, "ann");
    check(GW1, "user1");
    cr_assert(eq(str, heard(), "gw1 done #6; gw1 done #7"));
    check(GW1, "user0");
    cr_assert(eq(str, heard(), "reader find user0")); /* the oldest was let go */
}

Test(room, that_cannot_hold_a_question_does_not_wait_for_its_answer)
{
    room_config.queue_bytes = 200; /* room for one */
    room_ready(1, 0);
    check(GW1, "ann");
    check(GW1, "bob");
    cr_assert(eq(str, heard(), "reader find ann; gw1 refused #2 a bound is reached"));
    member("ann", true);
    ignore();
    check(GW1, "bob");
    cr_assert(eq(str, heard(), "reader find bob"));
}

/* --- posts --------------------------------------------------------------------------------------
 */

Test(room, numbers_from_the_newest_stored_and_shows_nothing_before_it_is_stored)
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

Test(room, gathers_while_a_run_is_in_flight)
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

Test(room, answers_a_repeated_key_with_the_stored_post_and_renumbers_the_rest)
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

Test(room, refuses_a_repeated_key_with_another_body)
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

Test(room, lets_a_second_post_with_the_same_key_wait_for_the_first)
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

Test(room, refuses_a_row_the_store_refuses_and_goes_on_behind_it)
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

Test(room, refuses_what_was_certainly_not_stored_and_leaves_no_gap)
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

Test(room, stores_nothing_that_follows_a_refused_post_of_its_sender)
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

Test(room, takes_a_refusal_of_the_run_for_not_stored)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    refused(append_corr, CF_EAGAIN);
    cr_assert(eq(str, heard(), "gw1 refused #1 not now"));
}

Test(room, numbers_nothing_new_while_the_outcome_is_unknown)
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

Test(room, sends_again_what_was_not_stored_of_a_run_whose_answer_was_lost)
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

Test(room, that_another_owner_has_taken_over_answers_moved_and_shows_nothing)
{
    lose_ownership(CF_VERDICT_STALE_EPOCH);
    cr_assert(eq(str, heard(), "gw1 moved #1; gw1 moved #2; lobby retire"));
}

Test(room, whose_numbers_the_store_does_not_share_answers_moved)
{
    lose_ownership(CF_VERDICT_OUT_OF_ORDER);
    cr_assert(eq(str, heard(), "gw1 moved #1; gw1 moved #2; lobby retire"));
}

Test(room, that_is_no_more_refuses_what_waits)
{
    lose_ownership(CF_VERDICT_NO_ROOM);
    cr_assert(eq(str, heard(), "gw1 refused #1 not found; gw1 refused #2 not found; lobby retire"));
}

Test(room, ignores_verdicts_that_are_late_or_of_another_run)
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

Test(room, tells_after_five_seconds_what_is_not_confirmed_and_keeps_its_number)
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

Test(room, tells_nobody_twice_when_what_was_not_confirmed_fails)
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

Test(room, refuses_a_post_that_could_not_be_sent_in_time_and_all_that_wait_behind_it)
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

Test(room, bounds_its_queue_by_count)
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

Test(room, bounds_its_queue_by_bytes)
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

Test(room, sends_no_more_rows_in_a_run_than_a_message_takes)
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

/* --- time ---------------------------------------------------------------------------------------
 */

Test(room, keeps_times_rising_when_the_wall_clock_steps)
{
    static const int64_t steps_us[] = {0, -7200000000, 7200000000, -7200000000, 0};
    room_ready(1, 0);
    with_ann();
    for (size_t i = 0; i < sizeof steps_us / sizeof steps_us[0]; i++) {
        wall_offset_us += steps_us[i];
        post(GW1, 1, "ann", "x");
        post(GW1, 1, "ann", "y");
        ignore();
        stored();
        ignore();
    }
    cr_assert(times_rise);
}

/* --- events and windows -------------------------------------------------------------------------
 */

Test(room, keeps_events_back_while_a_window_is_closed_and_goes_on_when_it_opens)
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

Test(room, keeps_a_closed_window_from_nobody_else)
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

Test(room, bounds_what_is_on_its_way_by_bytes_but_sends_one_event_always)
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

/* Posts n texts "t<seq>" as ann; all of them stored; what is heard of it is dropped. */
static void post_stored(int n, uint64_t first)
{
    char text[24];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "t%llu", (unsigned long long)first + (unsigned)i);
        post(GW1, 1, "ann", text);
        ignore();
        stored();
        ignore();
    }
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

Test(room, reads_from_the_store_what_the_ring_has_lost_once_and_in_order)
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

Test(room, fills_in_new_posts_behind_those_read_back)
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

Test(room, shows_no_post_of_a_page_that_is_not_confirmed_yet)
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

Test(room, reads_again_after_a_failure_but_not_at_once)
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

Test(room, does_not_spin_on_a_page_without_the_posts_it_needs)
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

Test(room, reads_again_when_a_reader_does_not_answer)
{
    fall_behind();
    at_ms(1000);
    flushed(GW2);
    ignore();
    at_ms(6001);
    tick();
    cr_assert(eq(str, heard(), "reader posts from=5 at=1 limit=100"));
}

Test(room, ignores_a_page_nobody_asked_for)
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

Test(room, tells_nothing_to_a_gateway_without_connections)
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

Test(room, does_not_give_a_clients_key_to_anyone)
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

/* --- ephemeral rooms ----------------------------------------------------------------------------
 */

Test(room, ephemeral_numbers_from_one_and_asks_no_store)
{
    room_ready_ephemeral(5);
    with_ann();
    post(GW1, 1, "ann", "a");
    post(GW1, 1, "ann", "b");
    cr_assert(eq(str, heard(),
                 "gw1 posted #1 seq=1; gw1 event 2 post 1:a; "
                 "gw1 posted #2 seq=2; gw1 event 3 post 2:b"));
}

Test(room, ephemeral_delays_acks_while_a_window_is_closed)
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

Test(room, ephemeral_goes_on_when_the_second_of_two_windows_opens)
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

Test(room, ephemeral_refuses_what_waited_too_long)
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

Test(room, ephemeral_answers_a_repeated_key_from_its_ring)
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

Test(room, ephemeral_answers_history_from_its_ring_alone)
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

/* --- resume -------------------------------------------------------------------------------------
 */

static void with_posts(uint64_t last_seq, int n)
{
    room_ready(3, last_seq);
    with_ann();
    post_stored(n, last_seq + 1);
    asked = 0;
}

Test(room, resumes_with_exactly_the_missing_posts)
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

Test(room, resumes_a_stored_room_across_its_epochs)
{
    with_posts(10, 1);
    attach_again(GW2, 1, "ann", 2, 10);
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=3 seq=11 n=2 [joined ann 11:t11]; lobby presence 2"));
}

Test(room, reads_what_they_have_missed_once_for_all_who_come_again_behind_a_dead_node)
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

Test(room, reads_nothing_that_a_ring_could_not_hold)
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

Test(room, sends_those_away_for_whom_the_store_cannot_tell_what_they_have_missed)
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

Test(room, says_reload_for_a_position_that_is_not_in_the_ring)
{
    with_posts(10, 8); /* one event more than it holds */
    attach_again(GW2, 1, "ann", 3, 9);
    cr_assert(eq(str, heard(), "gw2 attached #1 epoch=3 seq=18 n=9 reload; lobby presence 2"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED], 0));
    cr_assert(eq(u64, cf_metric_slots[CF_M_RESUMED_RELOAD], 1));
}

Test(room, says_reload_for_a_position_in_the_future)
{
    with_posts(10, 1);
    attach_again(GW2, 1, "ann", 3, 12);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
    attach_again(GW2, 1, "ann", 3, UINT64_MAX);
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
}

Test(room, ephemeral_says_reload_for_another_epoch)
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

Test(room, tells_nobody_that_somebody_came_again)
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

/* --- history ------------------------------------------------------------------------------------
 */

Test(room, answers_history_from_its_ring_when_that_reaches_back)
{
    with_posts(0, 4);
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    cr_assert(eq(str, heard(), "gw1 page #1 [3:t3 4:t4]"));
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 100); /* all there are */
    cr_assert(eq(str, heard(), "gw1 page #2 [1:t1 2:t2 3:t3 4:t4]"));
    history(GW1, "ann", CF_POSTS_BEFORE_SEQ, 3, 100);
    cr_assert(eq(str, heard(), "gw1 page #3 [1:t1 2:t2]"));
    history(GW1, "ann", CF_POSTS_BEFORE_TIME, T0, 100);
    cr_assert(eq(str, heard(), "gw1 page #4 []"));
}

Test(room, closes_the_gap_before_its_ring_by_one_question_for_all_who_ask)
{
    room_ready(3, 10);
    with_ann();
    with(GW1, 2, "bob");
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 3);
    history(GW2, "bob", CF_POSTS_NEWEST, 0, 5);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=8")); /* as many as it can keep */
    page(3, 10);
    cr_assert(eq(str, heard(),
                 "gw1 page #1 [8:t8 9:t9 10:t10]; "
                 "gw2 page #2 [6:t6 7:t7 8:t8 9:t9 10:t10]"));
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 8);
    cr_assert(eq(str, heard(), "gw1 page #3 [3:t3 4:t4 5:t5 6:t6 7:t7 8:t8 9:t9 10:t10]"));
    history(GW1, "ann", CF_POSTS_BEFORE_SEQ, 6, 2);
    cr_assert(eq(str, heard(), "gw1 page #4 [4:t4 5:t5]"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_HISTORY_RING], 4));
    cr_assert(eq(u64, cf_metric_slots[CF_M_HISTORY_STORE], 0));
}

Test(room, keeps_the_newest_page_however_many_come_and_go)
{
    room_ready(3, 10);
    with_ann();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    ignore();
    page(3, 10);
    ignore();
    for (uint64_t i = 0; i < 20; i++) {
        attach(GW2, 10 + i, "ann");
        detach(GW2, 10 + i);
    }
    post_stored(1, 11);
    ignore();
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "gw1 page #1 [8:t8 9:t9 10:t10 11:t11]"));
}

Test(room, puts_a_page_before_the_posts_that_came_while_it_was_read)
{
    room_ready(3, 10);
    with_ann();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    post_stored(2, 11);
    ignore();
    page(4, 11); /* read between the two */
    cr_assert(eq(str, heard(), "gw1 page #1 [9:t9 10:t10 11:t11 12:t12]"));
    asked = 0;
    post(GW1, 1, "ann", "t13");
    ignore();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2); /* 13 is not confirmed */
    cr_assert(eq(str, heard(), "gw1 page #2 [11:t11 12:t12]"));
}

Test(room, shows_nothing_of_a_page_that_is_not_confirmed)
{
    room_ready(3, 10);
    with_ann();
    post(GW1, 1, "ann", "t11");
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    ignore();
    page(4, 11); /* it is stored; the room does not know yet */
    cr_assert(eq(str, heard(), "gw1 page #1 [9:t9 10:t10]"));
    stored();
    ignore();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    cr_assert(eq(str, heard(), "gw1 page #2 [10:t10 11:t11]"));
}

Test(room, knows_from_a_short_page_that_nothing_older_is_stored)
{
    room_ready(3, 10);
    with_ann();
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 8);
    ignore();
    page(8, 10); /* the others have outlived their time */
    cr_assert(eq(str, heard(), "gw1 page #1 [8:t8 9:t9 10:t10]"));
    history(GW1, "ann", CF_POSTS_BEFORE_SEQ, 9, 8);
    cr_assert(eq(str, heard(), "gw1 page #2 [8:t8]"));
    post_stored(6, 11); /* 8 goes */
    ignore();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 9);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=9 #9 for gw1"));
}

Test(room, knows_from_an_empty_page_that_nothing_is_stored)
{
    room_ready(3, 10);
    with_ann();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 8);
    post_stored(1, 11);
    ignore();
    page(1, 0);
    cr_assert(eq(str, heard(), "gw1 page #1 [11:t11]"));
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 8);
    cr_assert(eq(str, heard(), "gw1 page #1 [11:t11]"));
}

Test(room, takes_nothing_of_a_page_that_leaves_a_gap_and_asks_once_only)
{
    room_ready(3, 10);
    with_ann();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    post_stored(2, 11);
    ignore();
    page(2, 9); /* no store would say so */
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=4 #1 for gw1"));
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=4 #1 for gw1"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_HISTORY_STORE], 2));
}

Test(room, refuses_who_waits_for_a_page_that_cannot_be_read_and_asks_anew)
{
    room_ready(3, 10);
    with_ann();
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    ignore();
    refused(read_corr, CF_EIO);
    cr_assert(eq(str, heard(), "gw1 refused #1 storage failed"));
    at_ms(0);
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=8"));
    at_ms(5001);
    tick(); /* no answer */
    cr_assert(eq(str, heard(), "gw1 refused #2 deadline passed"));
    page(3, 10); /* too late, and to no use */
    cr_assert(eq(str, heard(), ""));
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=8"));
}

Test(room, shows_its_ring_to_no_stranger)
{
    room_ready(3, 10);
    with_ann();
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 4);
    ignore();
    history(GW1, "eve", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "reader find eve"));
    page(3, 10);
    cr_assert(eq(str, heard(), "gw1 page #1 [7:t7 8:t8 9:t9 10:t10]"));
    member("eve", false);
    cr_assert(eq(str, heard(), "gw1 refused #2 not allowed"));
}

Test(room, passes_on_who_finds_too_many_waiting_for_the_page)
{
    room_config.queue_bytes = 400; /* room for two */
    room_ready(3, 10);
    with_ann();
    asked = 0;
    for (int i = 0; i < 3; i++)
        history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    cr_assert(eq(str, heard(),
                 "reader posts from=1 at=0 limit=8; "
                 "reader posts from=1 at=0 limit=2 #3 for gw1"));
    page(3, 10);
    cr_assert(eq(str, heard(), "gw1 page #1 [9:t9 10:t10]; gw1 page #2 [9:t9 10:t10]"));
}

Test(room, sends_who_waits_for_the_page_on_when_it_moves)
{
    room_ready(3, 10);
    with_ann();
    asked = 0;
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    ignore();
    vacate();
    cr_assert(not(eq(ptr, strstr(heard(), "gw1 moved #1"), NULL)));
    page(3, 10);
    cr_assert(eq(str, heard(), ""));
}

Test(room, resumes_from_a_page_of_the_store)
{
    room_ready(3, 10);
    with_ann();
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 2);
    ignore();
    page(3, 10);
    post_stored(1, 11);
    ignore();
    asked = 0;
    attach_again(GW2, 1, "ann", 2, 9);
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=3 seq=11 n=2 [10:t10 joined ann 11:t11]; "
                 "lobby presence 2"));
    attach_again(GW2, 2, "ann", 2, 1); /* 2 is missing */
    cr_assert(not(eq(ptr, strstr(heard(), "reload"), NULL)));
}

Test(room, passes_history_on_to_a_reader_who_answers_the_asker)
{
    with_posts(10, 4);
    history(GW2, "ann", CF_POSTS_NEWEST, 0, 4);
    cr_assert(eq(str, heard(), "gw2 page #1 [11:t11 12:t12 13:t13 14:t14]"));
    history(GW2, "ann", CF_POSTS_NEWEST, 0, 9); /* more than its ring can hold */
    cr_assert(eq(str, heard(), "reader posts from=1 at=0 limit=9 #2 for gw2"));
    history(GW2, "ann", CF_POSTS_BEFORE_SEQ, 11, 5);
    cr_assert(eq(str, heard(), "reader posts from=2 at=11 limit=5 #3 for gw2"));
    history(GW2, "ann", CF_POSTS_AFTER_SEQ, 11, 5);
    cr_assert(eq(str, heard(), "reader posts from=5 at=11 limit=5 #4 for gw2"));
}

/* --- presence -----------------------------------------------------------------------------------
 */

Test(room, tells_the_lobby_of_its_connections_only_when_they_have_changed)
{
    room_ready(1, 0);
    with_ann();
    attach(GW1, 2, "ann");
    detach(GW1, 1);
    cr_assert(eq(ptr, strstr(heard(), "presence"), NULL)); /* one, as before */
    attach(GW1, 3, "ann");
    cr_assert(not(eq(ptr, strstr(heard(), "presence 2"), NULL)));
}

Test(room, lets_the_members_of_a_lost_node_leave)
{
    room_ready(1, 0);
    with_ann();
    with(FAR, 1, "bob");
    with(FAR, 2, "carl");
    node_gone(3); /* another one */
    cr_assert(eq(str, heard(), ""));
    node_gone(2);
    cr_assert(eq(str, heard(), "gw1 events 4 left bob@2, left carl@2; lobby presence 1"));
    post(FAR, 1, "bob", "from the grave");
    cr_assert(eq(str, heard(), "far refused #1 not allowed"));
}

/* Nobody would take them out again. */
Test(room, lets_nobody_in_who_waits_when_his_node_is_lost)
{
    room_open();
    ignore();
    attach(FAR, 1, "bob");
    attach(GW1, 2, "bob");
    attach(FAR, 3, "bob");
    node_gone(2);
    activated(1, 0, false);
    cr_assert(eq(str, heard(), "reader find bob"));
    attach((cf_address_t){3, CF_ACTOR_GATEWAY, 0}, 4, "bob");
    node_gone(3);
    member("bob", true);
    cr_assert(eq(str, heard(),
                 "gw1 attached #2 epoch=1 seq=0 n=0; gw1 event 1 joined bob; lobby presence 1"));
}

Test(room, tells_the_first_of_a_gateway_who_is_here_from_other_nodes)
{
    room_ready(1, 0);
    with_ann();
    attach(FAR, 1, "bob");
    ignore();
    member("bob", true);
    char *bob = heard();
    cr_assert(not(eq(ptr, strstr(bob, "elsewhere: ann"), NULL)), "%s", bob);
    attach(GW1, 2, "ann");
    cr_assert(eq(ptr, strstr(heard(), "elsewhere"), NULL)); /* it has heard of bob */
    attach(GW2, 3, "ann");
    char *ann = heard();
    cr_assert(not(eq(ptr, strstr(ann, "elsewhere: bob@2"), NULL)), "%s", ann);
    attach_again(FAR2, 1, "ann", 0, 0); /* it knows from before the room moved */
    cr_assert(eq(ptr, strstr(heard(), "elsewhere"), NULL));
}

/* --- crowds -------------------------------------------------------------------------------------
 */

#define PAUSE_MS 100

/* ann, and bob on GW2; three are a crowd, which has just been told of the second of them. */
static void two_of_a_crowd_of_three(void)
{
    room_config.crowd = 3;
    room_config.crowd_pause_us = PAUSE_MS * 1000;
    room_ready(1, 0);
    with_ann();
    with(GW2, 1, "bob");
}

Test(room, tells_a_burst_as_one_message_to_each_gateway_however_short_its_ring)
{
    room_ready(1, 0); /* eight events */
    with_ann();
    for (uint64_t conn = 2; conn <= 12; conn++)
        attach(GW1, conn, "ann");
    detach(GW1, 12);
    heard_so_far();
    cr_assert(eq(str, heard(),
                 "gw1 events 2 joined ann, joined ann, joined ann, joined ann, joined ann, joined "
                 "ann, joined ann, joined ann, joined ann, joined ann, joined ann, left ann; "
                 "lobby presence 11"));
}

Test(room, tells_of_one_alone_at_once_also_in_a_crowd)
{
    two_of_a_crowd_of_three();
    at_ms(PAUSE_MS);
    attach(GW1, 2, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=1 seq=0 n=2; gw1 event 3 joined ann; "
                 "gw2 event 3 joined ann; lobby presence 3"));
}

Test(room, tells_a_crowd_together_who_comes_and_goes_within_a_pause)
{
    two_of_a_crowd_of_three();
    attach(GW1, 2, "ann"); /* who comes sees it at once */
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=1 seq=0 n=2 own=3; lobby presence 3"));
    cr_assert(not(cf_room_rests(room)));
    cr_assert(eq(i64, host.crowds_due_us, 1000000 + PAUSE_MS * 1000));
    at_ms(PAUSE_MS - 1);
    attach(GW1, 3, "ann");
    detach(GW2, 1);
    attach(GW2, 2, "bob");
    cr_assert(eq(str, heard(),
                 "gw1 attached #2 epoch=1 seq=0 n=3 own=4; gw2 done #3; "
                 "gw2 attached #4 epoch=1 seq=0 n=5 own=6; lobby presence 4"));
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(PAUSE_MS);
    cr_assert(eq(str, heard(),
                 "gw1 events 3 joined ann, joined ann, left bob, joined bob; " /* as it came in */
                 "gw2 event 6 joined bob"));
    cr_assert(cf_room_rests(room));
    host.crowds_due_us = 0; /* as the room thread does */
    attach(GW1, 4, "ann");
    ignore();
    cr_assert(
        eq(i64, host.crowds_due_us, 1000000 + 2 * PAUSE_MS * 1000)); /* from the latest telling */
}

Test(room, tells_those_who_are_no_crowd_at_once)
{
    two_of_a_crowd_of_three();
    detach(GW2, 1); /* one is left */
    cr_assert(eq(str, heard(), "gw2 done #1; gw1 event 3 left bob; lobby presence 1"));
    attach(GW1, 2, "ann"); /* two */
    cr_assert(eq(str, heard(),
                 "gw1 attached #2 epoch=1 seq=0 n=3; gw1 event 4 joined ann; lobby presence 2"));
    attach(GW1, 3, "ann"); /* three */
    cr_assert(eq(str, heard(), "gw1 attached #3 epoch=1 seq=0 n=4 own=5; lobby presence 3"));
    detach(GW1, 3); /* two, who hear of both */
    cr_assert(eq(str, heard(), "gw1 done #4; gw1 events 5 joined ann, left ann; lobby presence 2"));
}

/* 120 us for each. */
Test(room, tells_a_crowd_less_often_the_larger_it_is)
{
    room_config.crowd = 2;
    room_config.crowd_pause_us = 1000;
    room_ready(1, 0);
    with_ann();
    for (uint64_t conn = 2; conn <= 100; conn++)
        attach(GW1, conn, "ann");
    at_ms(11);
    cr_assert(eq(ptr, strstr(heard(), "event"), NULL));
    at_ms(12);
    cr_assert(not(eq(ptr, strstr(heard(), "gw1 events 2 joined ann"), NULL)));
    room_config.crowd_pause_us = 0;
    attach(GW1, 101, "ann");
    cr_assert(not(eq(ptr, strstr(heard(), "gw1 event 101 joined ann"), NULL)));
}

Test(room, tells_a_crowd_at_once_without_a_pause)
{
    two_of_a_crowd_of_three();
    room_config.crowd_pause_us = 0;
    attach(GW1, 2, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=1 seq=0 n=2; gw1 event 3 joined ann; "
                 "gw2 event 3 joined ann; lobby presence 3"));
}

Test(room, shows_who_came_before_a_post_before_it)
{
    two_of_a_crowd_of_three();
    attach(GW1, 2, "ann");
    attach(GW2, 2, "bob");
    post(GW2, 2, "bob", "hi");
    ignore();
    attach(GW1, 3, "ann");
    stored();
    cr_assert(eq(str, heard(),
                 "gw1 attached #4 epoch=1 seq=0 n=4 own=5; gw2 posted #3 seq=1; "
                 "gw1 events 3 joined ann, joined bob, joined ann; gw1 event 6 post 1:hi; "
                 "gw2 events 3 joined ann, joined bob, joined ann; gw2 event 6 post 1:hi; "
                 "lobby presence 5"));
    attach(GW1, 4, "ann"); /* and who comes behind it waits */
    cr_assert(eq(str, heard(), "gw1 attached #5 epoch=1 seq=1 n=6 own=7; lobby presence 6"));
}

/* 16 of them, a quarter of its ring's bytes. */
Test(room, lets_no_more_of_a_crowd_wait_than_its_ring_has_place_for)
{
    room_config.ring_bytes = 8192;
    two_of_a_crowd_of_three();
    for (uint64_t conn = 2; conn < 17; conn++)
        attach(GW1, conn, "ann");
    cr_assert(eq(ptr, strstr(heard(), "event"), NULL));
    attach(GW1, 17, "ann");
    char *all = strstr(heard(), "gw1 events 3 joined ann");
    cr_assert(all && strstr(all, "; gw2 events 3 joined ann"));
    int told = 0;
    for (const char *at = all; (at = strstr(at, "joined")); at++)
        told++;
    cr_assert(eq(int, told, 2 * 16));
    attach(GW1, 18, "ann");
    cr_assert(eq(ptr, strstr(heard(), "event"), NULL));
}

Test(room, tells_so_many_in_a_message_as_a_gateway_can_hand_on)
{
    room_config.ring_bytes = 1u << 20;
    room_ready(1, 0);
    with_ann();
    for (uint64_t conn = 2; conn < 2 + CF_CHANGES_MAX + 1; conn++)
        attach(GW1, conn, "ann");
    char *first = strstr(heard(), "gw1 events 2 joined ann, ");
    cr_assert(first != NULL);
    cr_assert(not(eq(ptr, strstr(first, "; gw1 event 130 joined ann; "), NULL)));
}

Test(room, tells_who_came_and_went_before_it_leaves)
{
    two_of_a_crowd_of_three();
    attach(GW1, 2, "ann");
    ignore();
    vacate();
    cr_assert(eq(str, heard(), "lobby retire; gw1 event 3 joined ann; gw2 event 3 joined ann"));
}

/* They are more than an ATTACHED may carry: to be told to come again bob would have to leave, and be told of. */
Test(room, lets_who_comes_again_to_a_crowd_stay_whatever_there_is_to_tell)
{
    room_config.ring_bytes = 1u << 20;
    two_of_a_crowd_of_three();
    for (uint64_t conn = 2; conn < 2 + CF_RUN_ROWS_MAX + 1; conn++)
        attach(GW1, conn, "ann");
    ignore();
    attach_again(GW2, 2, "bob", 0, 0);
    char *answer = strstr(heard_so_far(), "gw2 attached");
    cr_assert(answer != NULL);
    cr_assert(eq(ptr, strstr(answer, "reload"), NULL), "%s", answer);
    cr_assert(not(eq(ptr, strstr(answer, "joined ann"), NULL)));
}

/* eve has asked who is here, and bob has come again after a move, of which no event tells. */
Test(room, tells_a_crowd_who_is_here_behind_all_that_it_has_to_tell)
{
    two_of_a_crowd_of_three();
    attach_asking(GW2, 9, "bob");
    attach_again(GW2, 2, "bob", 0, 0);
    ignore();
    tick(); /* some have come again since the last one */
    attach(GW1, 2, "ann");
    cr_assert(eq(ptr, strstr(heard(), "event"), NULL));
    tick();
    cr_assert(eq(str, heard(),
                 "gw1 events 3 joined bob, joined ann; gw2 events 3 joined bob, joined ann; "
                 "gw2 roster epoch=1 n=4 ann:2 bob:3"));
}

/* --- retiring and moving ------------------------------------------------------------------------
 */

Test(room, retires_when_nobody_was_here_for_long_enough)
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

Test(room, does_not_retire_while_somebody_is_connected_or_just_left)
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

Test(room, does_not_retire_while_something_is_on_its_way)
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

Test(room, answers_every_request_moved_once_it_retires)
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

Test(room, that_is_to_vacate_finishes_the_run_in_flight)
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

Test(room, that_is_to_vacate_waits_for_a_join_that_is_being_stored)
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

Test(room, leaves_no_post_unanswered_when_a_run_ends_early_while_it_vacates)
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

Test(room, leaves_no_post_unanswered_when_a_row_is_bad_while_it_vacates)
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

Test(room, shows_a_lagging_gateway_the_rest_even_when_it_leaves)
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

Test(room, shows_no_history_beyond_the_time_posts_are_kept)
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

Test(room, hands_over_its_newest_posts_and_who_is_a_member_right_before_it_retires)
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

Test(room, goes_on_where_it_was_at_its_next_place)
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

Test(room, believes_the_store_if_another_one_has_had_it_in_between)
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

Test(room, believes_the_store_if_that_has_another_number)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    attach_again(GW1, 1, "ann", 4, 8);
    activated(5, 8, false);
    cr_assert(eq(str, heard(), "reader find ann"));
}

Test(room, takes_nothing_over_once_it_serves)
{
    room_ready(4, 7);
    with_two_posts(false);
    room_moves();
    activated(6, 9, false);
    handed_over();
    attach_again(GW1, 1, "ann", 4, 8);
    cr_assert(eq(str, heard(), "reader find ann"));
}

Test(room, ephemeral_keeps_its_posts_and_their_numbers_and_keys_over_moves)
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

Test(room, ephemeral_begins_anew_if_another_one_has_had_it_in_between)
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

Test(room, ephemeral_takes_no_number_over_that_none_can_follow)
{
    takes_no_number_over((uint64_t)INT64_MAX + 1, 0);
}

Test(room, ephemeral_takes_no_time_over_that_none_can_follow)
{
    takes_no_number_over(1, CF_TIME_MAX_US + 1);
}

Test(room, in_quarantine_hands_nothing_over)
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

Test(room, hands_over_the_newest_posts_that_fit_a_message)
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

/* --- commands -----------------------------------------------------------------------------------
 */

/* Its node may be another one, which talks to the world outside. */
Test(room, lets_a_bot_refuse_what_it_was_asked_and_nothing_else)
{
    cf_refused_t refusal = {.reason = (uint32_t)-CF_EFULL};
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    tell((cf_address_t){9, CF_ACTOR_STOCKBOT, 0}, CF_MSG_REFUSED, append_corr, &refusal);
    cr_assert(eq(str, heard(), ""));
    stored();
    cr_assert(not(eq(ptr, strstr(heard(), "posted #1 seq=1"), NULL)));
}

Test(room, asks_the_bot_and_shows_its_words_to_all_behind_the_answer_to_the_sender)
{
    room_ready(1, 0);
    with_ann();
    with(GW2, 2, "bob");
    command(GW1, 1, "ann", "AAPL");
    cr_assert(eq(str, heard(), "stockbot ask stock AAPL id=AAPL left=30000"));
    bot_says("AAPL", "AAPL quote is $1.00 per share", false);
    cr_assert(eq(str, heard(),
                 "gw1 commanded #1; "
                 "gw1 event 3 bot bot:AAPL quote is $1.00 per share; "
                 "gw2 event 3 bot bot:AAPL quote is $1.00 per share"));
}

Test(room, says_that_the_bots_words_are_an_error_and_keeps_them_in_order_with_posts)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    command(GW1, 1, "ann", "X");
    ignore();
    bot_says("X", "Stock X not found", true);
    cr_assert(eq(str, heard(), "gw1 commanded #2; gw1 event 2 bot error bot:Stock X not found"));
    stored();
    cr_assert(eq(str, heard(), "gw1 posted #1 seq=1; gw1 event 3 post 1:a"));
    history(GW1, "ann", CF_POSTS_NEWEST, 0, 10);
    cr_assert(eq(str, heard(), "gw1 page #3 [1:a]")); /* words of a bot are not stored */
}

Test(room, answers_commands_in_any_order_and_each_once)
{
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    command(GW1, 1, "ann", "B");
    ignore();
    bot_says("B", "b", false);
    cr_assert(eq(str, heard(), "gw1 commanded #2; gw1 event 2 bot bot:b"));
    bot_says("B", "b", false);
    cr_assert(eq(str, heard(), ""));
    bot_says("A", "a", false);
    cr_assert(eq(str, heard(), "gw1 commanded #1; gw1 event 3 bot bot:a"));
}

Test(room, takes_commands_of_members_that_are_here_alone)
{
    room_ready(1, 0);
    with_ann();
    command(GW1, 2, "ann", "A"); /* not her connection */
    command(GW2, 1, "ann", "A");
    command(GW1, 1, "eve", "A"); /* not eve's */
    cr_assert(eq(str, heard(),
                 "gw1 refused #1 not allowed; gw2 refused #2 not allowed; reader find eve"));
    member("eve", true);
    cr_assert(eq(str, heard(), "gw1 refused #3 not allowed"));
    command(GW1, 9, "bob", "A");
    ignore();
    member("bob", false);
    cr_assert(eq(str, heard(), "gw1 refused #4 not allowed"));
    detach(GW1, 1);
    command(GW1, 1, "ann", "A");
    cr_assert(eq(str, heard(), "gw1 done #5; gw1 refused #6 not allowed; lobby presence 0"));
}

Test(room, holds_a_command_behind_the_attach_it_came_after)
{
    room_ready(1, 0);
    attach(GW1, 1, "ann");
    command(GW1, 1, "ann", "A");
    cr_assert(eq(str, heard(), "reader find ann"));
    member("ann", true);
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=1 seq=0 n=0; stockbot ask stock A id=A left=30000; "
                 "gw1 event 1 joined ann; lobby presence 1"));
}

Test(room, bounds_the_commands_that_wait_for_the_bot)
{
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    command(GW1, 1, "ann", "B");
    command(GW1, 1, "ann", "C");
    ignore();
    command(GW1, 1, "ann", "D");
    cr_assert(eq(str, heard(), "gw1 refused #4 a bound is reached"));
    bot_says("A", "a", false);
    ignore();
    command(GW1, 1, "ann", "E");
    cr_assert(eq(str, heard(), "stockbot ask stock E id=E left=30000"));
}

Test(room, tells_the_sender_that_the_bot_has_not_taken_a_command)
{
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    ignore();
    refused(bot_corr("A"), CF_EFULL);
    cr_assert(eq(str, heard(), "gw1 refused #1 a bound is reached"));
    bot_says("A", "a", false);
    cr_assert(eq(str, heard(), ""));
}

Test(room, refuses_commands_at_once_while_no_node_has_a_bot)
{
    room_config.bot = (cf_address_t){0};
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    cr_assert(eq(str, heard(), "gw1 refused #1 not now"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_AWAY], 1));
    host.bots.nodes[host.bots.count++] = 7;
    command(GW1, 1, "ann", "B");
    cr_assert(eq(str, heard(), "stockbot ask stock B id=B left=30000"));
}

Test(room, asks_the_same_node_of_several_and_refuses_when_it_goes)
{
    room_config.bot = (cf_address_t){0};
    host.bots.nodes[host.bots.count++] = 7;
    host.bots.nodes[host.bots.count++] = 8;
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    uint32_t whose = cf_rendezvous(THE_ROOM, 7) > cf_rendezvous(THE_ROOM, 8) ? 7 : 8;
    cr_assert(eq(str, heard(), "stockbot ask stock A id=A left=30000"));
    node_gone(15 - whose);
    cr_assert(eq(str, heard(), "")); /* it was not asked */
    node_gone(whose);
    cr_assert(eq(str, heard(), "gw1 refused #1 not now"));
    bot_says("A", "a", false);
    cr_assert(eq(str, heard(), ""));
}

Test(room, gives_a_command_up_a_little_after_its_time)
{
    room_ready(1, 0);
    with_ann();
    at_ms(0);
    command(GW1, 1, "ann", "A");
    at_ms(10);
    command(GW1, 1, "ann", "B");
    ignore();
    at_ms(31999);
    tick();
    cr_assert(eq(str, heard(), ""));
    at_ms(32000);
    tick();
    cr_assert(eq(str, heard(), "gw1 refused #1 deadline passed"));
    bot_says("A", "a", false);
    bot_says("B", "b", false);
    cr_assert(eq(str, heard(), "gw1 commanded #2; gw1 event 2 bot bot:b"));
}

Test(room, that_moves_answers_its_open_commands_with_moved)
{
    room_ready(1, 0);
    with_ann();
    command(GW1, 1, "ann", "A");
    ignore();
    vacate();
    cr_assert(eq(str, heard(), "gw1 moved #1; lobby retire"));
    bot_says("A", "a", false); /* the room at the new place asks for it again */
    command(GW1, 1, "ann", "B");
    cr_assert(eq(str, heard(), "gw1 moved #2"));
}

Test(room, stays_while_a_command_is_open)
{
    room_ready(1, 0);
    with_ann();
    at_ms(0);
    room_config.command_us = 300000000;
    command(GW1, 1, "ann", "A");
    detach(GW1, 1);
    ignore();
    at_ms(61000);
    tick();
    cr_assert(eq(str, heard(), ""));
    bot_says("A", "a", false);
    tick();
    cr_assert(eq(str, heard(), "gw1 commanded #1; lobby retire"));
}

Test(room, gives_the_bots_words_a_time_that_is_not_before_the_newest_post)
{
    room_ready(1, 0);
    with_ann();
    post(GW1, 1, "ann", "a");
    ignore();
    stored();
    ignore();
    wall_offset_us = -INT64_C(7200000000);
    command(GW1, 1, "ann", "A");
    ignore();
    bot_says("A", "a", false);
    ignore();
    cr_assert(ge(i64, bot_us, T0 + 1000000));
}

/* --- what is not for a room ---------------------------------------------------------------------
 */

Test(room, refuses_a_message_that_is_not_for_a_room)
{
    room_ready(1, 0);
    tell(FAR, CF_MSG_LOOKUP, 0, NULL);
    cr_assert(eq(str, heard(), "far refused #1 not well-formed"));
}

/* --- who went while it moved --------------------------------------------------------------------
 */

Test(room, that_leaves_does_nothing_about_a_departure_and_says_so)
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

Test(room, tells_of_a_connection_that_was_here_before_it_moved_and_did_not_come_along)
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

Test(room, tells_who_comes_again_what_was_told_since_it_has_moved)
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

Test(room, tells_of_it_once_it_is_loaded_and_lets_nobody_in_who_has_gone)
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

Test(room, tells_of_the_leaving_of_a_user_also_while_it_moves)
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

/* --- quarantine ---------------------------------------------------------------------------------
 */

#ifndef NDEBUG
Test(room, aborts_where_assertions_are_on_when_its_own_node_errs, .signal = SIGABRT)
{
    room_ready(1, 0);
    tell_malformed(GW1, CF_MSG_POST, 0);
}
#endif

Test(room, refuses_what_another_node_says_that_it_cannot_read_and_serves_on)
{
    room_ready(1, 0);
    with_ann();
    tell_malformed(FAR, CF_MSG_POST, 0);
    cr_assert(eq(str, heard(), "far refused #1 not well-formed"));
    tell_malformed(FAR, CF_MSG_VERDICT, 0);
    tell_malformed(FAR, CF_MSG_DETACH, 0);
    ignore();
    post(GW1, 1, "ann", "a");
    cr_assert(eq(str, heard(), "storage append epoch=1 prev=0 [1:a]"));
}

Test(room, goes_into_quarantine_when_its_own_node_errs_and_leaves_nobody_unanswered)
{
    room_ready(1, 0);
    with_ann();
    contain = true;
    post(GW1, 1, "ann", "in flight");
    ignore();
    post(GW1, 1, "ann", "queued");
    check(GW2, "bob");
    join(GW2, "cid");
    ignore();
    tell_malformed(GW2, CF_MSG_HISTORY, 0);
    cr_assert(eq(str, heard(),
                 "gw2 refused #5 internal error; "
                 "gw1 refused #1 not confirmed, retry with the same key; "
                 "gw1 refused #2 storage failed; gw2 refused #4 internal error; "
                 "gw2 refused #3 internal error; lobby retire"));
    post(GW1, 1, "ann", "later");
    check(GW2, "bob");
    cr_assert(eq(str, heard(), "gw1 moved #6; gw2 moved #7"));
    stored(); /* the verdict on what was in flight; whether it was stored the next owner sees */
    member("bob", true);
    done(join_corr());
    tell_malformed(GW2, CF_MSG_HISTORY, 0);
    cr_assert(eq(str, heard(), "gw2 moved #8"));
}

Test(room, asks_the_bot_no_second_time_for_a_quarantine)
{
    room_ready(1, 0);
    with_ann();
    contain = true;
    command(GW1, 1, "ann", "A");
    ignore();
    tell_malformed(room_config.bot, CF_MSG_BOT_ANSWER, bot_corr("A"));
    cr_assert(eq(str, heard(), "gw1 refused #1 internal error; lobby retire"));
}

Test(room, goes_into_quarantine_when_an_answer_to_it_cannot_be_read)
{
    static const uint16_t answers[] = {CF_MSG_VERDICT, CF_MSG_MEMBER, CF_MSG_PAGE, CF_MSG_REFUSED,
                                       CF_MSG_ACTIVATED};
    contain = true;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        room_ready(1, 0);
        tell_malformed(room_config.storage, answers[i], 77);
        cr_assert(eq(str, heard(), "lobby retire")); /* and no answer to an answer */
        room_close();
    }
    room_ready(1, 0);
}

Test(room, goes_into_quarantine_over_what_it_held_while_it_was_loading)
{
    contain = true;
    room_open();
    ignore();
    tell_malformed(FAR, CF_MSG_CHECK, 0);
    tell_malformed(GW1, CF_MSG_JOIN, 0);
    check(GW2, "bob");
    activated(1, 0, false);
    cr_assert(eq(str, heard(),
                 "far refused #1 not well-formed; gw1 refused #2 internal error; "
                 "lobby retire; gw2 moved #3"));
}

Test(room, does_not_spin_when_it_can_never_be_loaded)
{
    contain = true;
    room_open();
    ignore();
    check(GW2, "bob");
    tell_malformed(room_config.storage, CF_MSG_ACTIVATED, activate_corr);
    cr_assert(eq(str, heard(), "gw2 refused #1 internal error"));
    cr_assert(eq(int, cf_room_loaded(room), CF_EINTERNAL));
}

Test(room, refuses_more_gateways_than_it_can_bound)
{
    room_ready(1, 0);
    with_ann();
    for (uint16_t i = 1; i < CF_GATEWAYS_MAX; i++)
        attach((cf_address_t){1, CF_ACTOR_GATEWAY, i}, 1, "ann");
    ignore();
    asked = 0;
    attach((cf_address_t){1, CF_ACTOR_GATEWAY, CF_GATEWAYS_MAX}, 1, "ann");
    cr_assert(eq(str, heard(), "gw65 refused #1 a bound is reached"));
}

/* --- who is here --------------------------------------------------------------------------------
 */

/* ann with one connection, bob with one on each of two gateways; event 3 is the last. */
static void with_ann_and_bob(void)
{
    room_ready(1, 0);
    with_ann();
    with(GW1, 2, "bob");
    with(GW2, 1, "bob");
}

static bool heard_has(const char *part)
{
    return strstr(heard(), part) != NULL;
}

/* eve comes in, and asks who is here. */
static void enter_asking(void)
{
    attach_asking(GW2, 9, "eve");
    ignore();
    member("eve", true);
}

Test(room, tells_who_asks_who_is_here_each_once_with_the_number_of_connections)
{
    with_ann_and_bob();
    enter_asking();
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=1 seq=0 n=3 ann:1 bob:2; "
                 "gw1 event 4 joined eve; gw2 event 4 joined eve; lobby presence 4"));
    tick();
    tick();
    cr_assert(eq(str, heard(), "")); /* the events say the rest */
}

Test(room, tells_the_first_one_that_nobody_is_here)
{
    room_ready(1, 0);
    enter_asking();
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=1 seq=0 n=0; gw2 event 1 joined eve; lobby presence 1"));
}

Test(room, tells_nobody_who_is_here_unless_asked)
{
    with_ann_and_bob();
    attach(GW2, 9, "ann");
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=1 seq=0 n=3; gw1 event 4 joined ann; "
                 "gw2 event 4 joined ann; lobby presence 4"));
}

Test(room, names_as_many_as_may_be_and_counts_the_rest)
{
    with_ann_and_bob(); /* and three names at most */
    with(GW1, 3, "cid");
    attach_asking(GW1, 4, "ann");
    cr_assert(heard_has("attached #1 epoch=1 seq=0 n=4 ann:1 bob:2 cid:1;"));
    with(GW1, 5, "dan");
    with(GW2, 2, "dan");
    with(GW2, 3, "fay");
    attach_asking(GW1, 6, "ann");
    cr_assert(heard_has("attached #1 epoch=1 seq=0 n=8 ann:2 bob:2 cid:1 more:2;"));
}

Test(room, names_nobody_where_that_is_the_bound)
{
    room_config.roster_max = 0;
    with_ann_and_bob();
    attach_asking(GW1, 4, "ann");
    cr_assert(heard_has("attached #1 epoch=1 seq=0 n=3 more:2;"));
}

/* All of one batch: what is in the list has no event behind n, what is not has one. */
Test(room, tells_who_is_here_in_its_place_among_those_who_come_and_go)
{
    with_ann_and_bob();
    with(GW1, 3, "eve");
    detach(GW1, 2); /* one of bob's */
    attach(GW1, 4, "ann");
    attach_asking(GW2, 9, "eve");
    detach(GW2, 1); /* and his other one */
    attach(GW1, 5, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 done #1; gw1 attached #2 epoch=1 seq=0 n=5; "
                 "gw2 attached #3 epoch=1 seq=0 n=6 ann:2 bob:1 eve:1; gw2 done #4; "
                 "gw1 attached #5 epoch=1 seq=0 n=8; "
                 "gw1 events 5 left bob, joined ann, joined eve, left bob, joined ann; "
                 "gw2 events 5 left bob, joined ann, joined eve, left bob, joined ann; "
                 "lobby presence 5"));
}

Test(room, tells_no_stranger_who_is_here)
{
    with_ann_and_bob();
    attach_asking(GW2, 9, "eve");
    ignore();
    member("eve", false);
    cr_assert(eq(str, heard(), "gw2 refused #1 not allowed"));
    tick();
    tick();
    cr_assert(eq(str, heard(), ""));
}

Test(room, tells_who_is_here_anew_after_a_move_when_no_more_come)
{
    room_ready(5, 0);
    attach_again_asking(GW1, 1, "ann", 4);
    ignore();
    member("ann", true);
    cr_assert(eq(str, heard(), "gw1 attached #1 epoch=5 seq=0 n=0; lobby presence 1"));
    tick(); /* some came since the last one */
    cr_assert(eq(str, heard(), ""));
    attach_again(GW2, 1, "bob", 4, 0);
    ignore();
    member("bob", true);
    tick();
    cr_assert(heard_has("attached") && !strstr(heard_so_far(), "roster"));
    tick();
    cr_assert(eq(str, heard(), "gw1 roster epoch=5 n=0 ann:1 bob:1")); /* bob has not asked */
    tick();
    cr_assert(eq(str, heard(), ""));
}

/* eve comes in between those who come again, of whom no event tells. */
Test(room, tells_who_came_in_during_a_move_of_those_who_came_again_later)
{
    room_ready(5, 0);
    enter_asking();
    cr_assert(heard_has("attached #1 epoch=5 seq=0 n=0;"));
    attach_again(GW1, 1, "ann", 4, 0);
    ignore();
    member("ann", true);
    tick();
    ignore();
    tick();
    cr_assert(eq(str, heard(), "gw2 roster epoch=5 n=1 eve:1 ann:1"));
    detach_of(GW1, 2, "ann", 4); /* her other socket, of which eve has never heard */
    cr_assert(heard_has("gw2 event 2 left ann"));
    tick();
    cr_assert(eq(str, heard(), "gw2 roster epoch=5 n=2 eve:1 ann:1"));
}

/* GW2 has fallen behind the ring, and what it has lost were comings and goings. */
Test(room, tells_a_gateway_that_lost_presence_who_is_here_once_it_has_the_rest)
{
    room_config.ring_events = 4;
    with_ann_and_bob(); /* GW2 was sent one event, bob's own coming */
    enter_asking();
    ignore();
    host.windows.events_max = 2;
    for (uint64_t conn = 11; conn < 17; conn++) {
        attach(GW1, conn, "ann");
        flushed(GW1);
        ignore();
    }
    tick();
    cr_assert(eq(str, heard(), ""));
    host.windows.events_max = 1;
    flushed(GW2);
    cr_assert(eq(str, heard(), "gw2 events 7 joined ann, joined ann, joined ann, joined ann"));
    tick();
    cr_assert(eq(str, heard(), "")); /* its window is closed */
    flushed(GW2);
    tick();
    cr_assert(eq(str, heard(), "gw2 roster epoch=1 n=10 ann:7 bob:2 eve:1"));
    flushed(GW2); /* it counts as an event */
    tick();
    cr_assert(eq(str, heard(), ""));
}

Test(room, tells_no_gateway_anew_whose_connections_that_asked_have_gone)
{
    with_ann_and_bob();
    enter_asking();
    ignore();
    attach_again_asking(GW1, 7, "ann", 0);
    detach(GW2, 9);
    detach(GW1, 7);
    ignore();
    tick();
    tick();
    cr_assert(eq(str, heard(), ""));
}

/* --- dead letters --------------------------------------------------------------------------------
 */

Test(room, runs_a_dead_letter_again_and_shows_the_answer_to_everybody)
{
    room_ready(1, 0);
    with_ann();
    rerun("AAPL"); /* nobody's membership is looked at */
    cr_assert(eq(str, heard(), "stockbot ask again stock AAPL id=AAPL left=30000"));
    bot_says("AAPL", "AAPL quote is $1.00 per share", false);
    cr_assert(
        eq(str, heard(), "control reran #1 ; gw1 event 2 bot bot:AAPL quote is $1.00 per share"));
    rerun("XYZ");
    ignore();
    bot_says("XYZ", "Stock XYZ not found", true); /* which is an answer */
    cr_assert(eq(str, heard(), "control reran #2 ; gw1 event 3 bot error bot:Stock XYZ not found"));
}

Test(room, is_not_told_that_a_dead_letter_has_failed_again)
{
    room_ready(1, 0);
    with_ann();
    rerun("A");
    ignore();
    bot_fails("A", "timed out");
    cr_assert(eq(str, heard(), "control reran #1 timed out"));
    command(GW1, 1, "ann", "B"); /* others are told as ever */
    ignore();
    bot_fails("B", "");
    cr_assert(eq(str, heard(), "gw1 commanded #2; gw1 event 2 bot error bot:Failed"));
}

Test(room, counts_dead_letters_among_its_commands_and_gives_them_up_like_those)
{
    room_config.commands_max = 1;
    room_ready(1, 0);
    with_ann();
    rerun("A");
    ignore();
    rerun("B");
    cr_assert(eq(str, heard(), "control refused #2 a bound is reached"));
    command(GW1, 1, "ann", "C");
    ignore();
    at_ms(32001);
    tick();
    cr_assert(eq(str, heard(), "control refused #1 deadline passed"));
    rerun("D");
    ignore();
    vacate();
    cr_assert(not(eq(ptr, strstr(heard(), "control moved #4"), NULL)));
}

/* --- how busy it is ------------------------------------------------------------------------------
 */

static char *busyness(int64_t ms)
{
    static char text[64];
    cf_top_room_t top;
    cf_room_busyness(room, ms * 1000, &top);
    cr_assert(cf_id_equal(top.room, THE_ROOM));
    snprintf(text, sizeof text, "%u here, %d of %d", top.connections, (int)top.posts_last_minute,
             (int)top.posts);
    return text;
}

Test(room, counts_posts_since_it_is_active_and_about_those_of_the_last_minute)
{
    room_ready(3, 1000);
    at_ms(60000); /* a minute begins */
    with_ann();
    cr_assert(eq(str, busyness(60000), "1 here, 0 of 0"));
    for (int i = 0; i < 6; i++) {
        post(GW1, 1, "ann", "x");
        ignore();
        if (i == 0) /* what is not stored yet does not count */
            cr_assert(eq(str, busyness(60000), "1 here, 0 of 0"));
        stored();
        ignore();
    }
    cr_assert(eq(str, busyness(119999), "1 here, 6 of 6"));
    cr_assert(eq(str, busyness(120000), "1 here, 6 of 6"));
    cr_assert(
        eq(str, busyness(130000), "1 here, 5 of 6")); /* five sixths of that minute are left */
    at_ms(150000);
    post(GW1, 1, "ann", "x");
    ignore();
    stored();
    cr_assert(eq(str, busyness(150000), "1 here, 4 of 7")); /* and one of this minute */
    cr_assert(eq(str, busyness(180000), "1 here, 1 of 7"));
    cr_assert(eq(str, busyness(300000), "1 here, 0 of 7")); /* whole minutes later */
    detach(GW1, 1);
    cr_assert(eq(str, busyness(300000), "0 here, 0 of 7"));
}
