#include "http/gathering.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static cf_gathering_t gathering;

static void queue(int sockets, int frames_each)
{
    for (int i = 0; i < sockets; i++)
        for (int j = 0; j < frames_each; j++)
            cf_gathering_add(&gathering, j == 0);
}

static void flush(int sockets, int frames_each)
{
    queue(sockets, frames_each);
    cf_gathering_flushed(&gathering);
}

Test(gathering, one_post_at_a_time_never_waits)
{
    queue(5000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 0));
    flush(0, 0);
    queue(5000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 0));
}

Test(gathering, a_tenth_of_the_sends_once_several_posts_left_together)
{
    flush(1000, 2);
    queue(1000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 600));
    cf_gathering_flushed(&gathering);
    queue(1000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 0));
}

Test(gathering, acks_in_rooms_of_two_are_no_reason)
{
    for (int i = 0; i < 500; i++) {
        queue(1, 2); /* the ack, and his own copy */
        queue(1, 1);
    }
    cf_gathering_flushed(&gathering);
    queue(1000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 0));
}

Test(gathering, is_bounded_on_both_sides)
{
    flush(10000, 10);
    queue(33, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 0));
    queue(1, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 20));
    queue(1632, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), 999));
    queue(1, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), CF_GATHERING_MAX_US));
    queue(10000, 1);
    cr_assert(eq(i64, cf_gathering_wait_us(&gathering), CF_GATHERING_MAX_US));
}
