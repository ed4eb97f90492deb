/* A room by messages alone: what it is told, what it says, with time as an argument. Here its life, who is a member, and what it does with
 * what is wrong; the rest of it in test_room_*.c. */
#include "room_fixture.h"

#include "wire/control.h"

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

/* --- what is not for a room ---------------------------------------------------------------------
 */

Test(room, refuses_a_message_that_is_not_for_a_room)
{
    room_ready(1, 0);
    tell(FAR, CF_MSG_LOOKUP, 0, NULL);
    cr_assert(eq(str, heard(), "far refused #1 not well-formed"));
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
