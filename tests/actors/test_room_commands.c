/* A room: commands and the bot, and dead letters that run again. */
#include "room_fixture.h"

#include "metrics.h"
#include "rendezvous.h"
#include "wire/control.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(room_commands, .fini = room_close, .timeout = 60);

/* --- commands -----------------------------------------------------------------------------------
 */

/* Its node may be another one, which talks to the world outside. */
Test(room_commands, lets_a_bot_refuse_what_it_was_asked_and_nothing_else)
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

Test(room_commands, asks_the_bot_and_shows_its_words_to_all_behind_the_answer_to_the_sender)
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

Test(room_commands, says_that_the_bots_words_are_an_error_and_keeps_them_in_order_with_posts)
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

Test(room_commands, answers_commands_in_any_order_and_each_once)
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

Test(room_commands, takes_commands_of_members_that_are_here_alone)
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

Test(room_commands, holds_a_command_behind_the_attach_it_came_after)
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

Test(room_commands, bounds_the_commands_that_wait_for_the_bot)
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

Test(room_commands, tells_the_sender_that_the_bot_has_not_taken_a_command)
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

Test(room_commands, refuses_commands_at_once_while_no_node_has_a_bot)
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

Test(room_commands, asks_the_same_node_of_several_and_refuses_when_it_goes)
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

Test(room_commands, gives_a_command_up_a_little_after_its_time)
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

Test(room_commands, that_moves_answers_its_open_commands_with_moved)
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

Test(room_commands, stays_while_a_command_is_open)
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

Test(room_commands, gives_the_bots_words_a_time_that_is_not_before_the_newest_post)
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

/* --- dead letters --------------------------------------------------------------------------------
 */

Test(room_commands, runs_a_dead_letter_again_and_shows_the_answer_to_everybody)
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

Test(room_commands, is_not_told_that_a_dead_letter_has_failed_again)
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

Test(room_commands, counts_dead_letters_among_its_commands_and_gives_them_up_like_those)
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
