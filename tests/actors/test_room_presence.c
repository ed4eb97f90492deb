/* A room: who comes and goes, in a crowd as well, and who is here. */
#include "room_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(room_presence, .fini = room_close, .timeout = 60);

/* --- presence -----------------------------------------------------------------------------------
 */

Test(room_presence, tells_the_lobby_of_its_connections_only_when_they_have_changed)
{
    room_ready(1, 0);
    with_ann();
    attach(GW1, 2, "ann");
    detach(GW1, 1);
    cr_assert(eq(ptr, strstr(heard(), "presence"), NULL)); /* one, as before */
    attach(GW1, 3, "ann");
    cr_assert(not(eq(ptr, strstr(heard(), "presence 2"), NULL)));
}

Test(room_presence, lets_the_members_of_a_lost_node_leave)
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
Test(room_presence, lets_nobody_in_who_waits_when_his_node_is_lost)
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

Test(room_presence, tells_the_first_of_a_gateway_who_is_here_from_other_nodes)
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

Test(room_presence, tells_a_burst_as_one_message_to_each_gateway_however_short_its_ring)
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

Test(room_presence, tells_of_one_alone_at_once_also_in_a_crowd)
{
    two_of_a_crowd_of_three();
    at_ms(PAUSE_MS);
    attach(GW1, 2, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=1 seq=0 n=2; gw1 event 3 joined ann; "
                 "gw2 event 3 joined ann; lobby presence 3"));
}

Test(room_presence, tells_a_crowd_together_who_comes_and_goes_within_a_pause)
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

Test(room_presence, tells_those_who_are_no_crowd_at_once)
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
Test(room_presence, tells_a_crowd_less_often_the_larger_it_is)
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

Test(room_presence, tells_a_crowd_at_once_without_a_pause)
{
    two_of_a_crowd_of_three();
    room_config.crowd_pause_us = 0;
    attach(GW1, 2, "ann");
    cr_assert(eq(str, heard(),
                 "gw1 attached #1 epoch=1 seq=0 n=2; gw1 event 3 joined ann; "
                 "gw2 event 3 joined ann; lobby presence 3"));
}

Test(room_presence, shows_who_came_before_a_post_before_it)
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
Test(room_presence, lets_no_more_of_a_crowd_wait_than_its_ring_has_place_for)
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

Test(room_presence, tells_so_many_in_a_message_as_a_gateway_can_hand_on)
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

Test(room_presence, tells_who_came_and_went_before_it_leaves)
{
    two_of_a_crowd_of_three();
    attach(GW1, 2, "ann");
    ignore();
    vacate();
    cr_assert(eq(str, heard(), "lobby retire; gw1 event 3 joined ann; gw2 event 3 joined ann"));
}

/* They are more than an ATTACHED may carry: to be told to come again bob would have to leave, and be told of. */
Test(room_presence, lets_who_comes_again_to_a_crowd_stay_whatever_there_is_to_tell)
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
Test(room_presence, tells_a_crowd_who_is_here_behind_all_that_it_has_to_tell)
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

Test(room_presence, tells_who_asks_who_is_here_each_once_with_the_number_of_connections)
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

Test(room_presence, tells_the_first_one_that_nobody_is_here)
{
    room_ready(1, 0);
    enter_asking();
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=1 seq=0 n=0; gw2 event 1 joined eve; lobby presence 1"));
}

Test(room_presence, tells_nobody_who_is_here_unless_asked)
{
    with_ann_and_bob();
    attach(GW2, 9, "ann");
    cr_assert(eq(str, heard(),
                 "gw2 attached #1 epoch=1 seq=0 n=3; gw1 event 4 joined ann; "
                 "gw2 event 4 joined ann; lobby presence 4"));
}

Test(room_presence, names_as_many_as_may_be_and_counts_the_rest)
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

Test(room_presence, names_nobody_where_that_is_the_bound)
{
    room_config.roster_max = 0;
    with_ann_and_bob();
    attach_asking(GW1, 4, "ann");
    cr_assert(heard_has("attached #1 epoch=1 seq=0 n=3 more:2;"));
}

/* All of one batch: what is in the list has no event behind n, what is not has one. */
Test(room_presence, tells_who_is_here_in_its_place_among_those_who_come_and_go)
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

Test(room_presence, tells_no_stranger_who_is_here)
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

Test(room_presence, tells_who_is_here_anew_after_a_move_when_no_more_come)
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
Test(room_presence, tells_who_came_in_during_a_move_of_those_who_came_again_later)
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
Test(room_presence, tells_a_gateway_that_lost_presence_who_is_here_once_it_has_the_rest)
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

Test(room_presence, tells_no_gateway_anew_whose_connections_that_asked_have_gone)
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
