/* A room: pages of what was said. */
#include "room_fixture.h"

#include "metrics.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(room_history, .fini = room_close, .timeout = 60);

Test(room_history, answers_history_from_its_ring_when_that_reaches_back)
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

Test(room_history, closes_the_gap_before_its_ring_by_one_question_for_all_who_ask)
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

Test(room_history, keeps_the_newest_page_however_many_come_and_go)
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

Test(room_history, puts_a_page_before_the_posts_that_came_while_it_was_read)
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

Test(room_history, shows_nothing_of_a_page_that_is_not_confirmed)
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

Test(room_history, knows_from_a_short_page_that_nothing_older_is_stored)
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

Test(room_history, knows_from_an_empty_page_that_nothing_is_stored)
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

Test(room_history, takes_nothing_of_a_page_that_leaves_a_gap_and_asks_once_only)
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

Test(room_history, refuses_who_waits_for_a_page_that_cannot_be_read_and_asks_anew)
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

Test(room_history, shows_its_ring_to_no_stranger)
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

Test(room_history, passes_on_who_finds_too_many_waiting_for_the_page)
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

Test(room_history, sends_who_waits_for_the_page_on_when_it_moves)
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

Test(room_history, resumes_from_a_page_of_the_store)
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

Test(room_history, passes_history_on_to_a_reader_who_answers_the_asker)
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
