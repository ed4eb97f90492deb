/* Two ends, and between them a link that does to frames whatever a test wants. */
#include "link/reliable.h"

#include "err.h"
#include "wire/msg.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>

#define AGAIN_US 500000
#define CONFIRM_US 20000
#define IDLE_US 1000000
#define BYTES_MAX 4096

static cf_reliable_t *end_a, *end_b;
static int64_t now_us;

static cf_reliable_t *new_end(uint32_t me, uint32_t peer)
{
    cf_reliable_config_t config = {.me = me,
                                   .peer = peer,
                                   .bytes_max = BYTES_MAX,
                                   .again_us = AGAIN_US,
                                   .confirm_us = CONFIRM_US,
                                   .idle_us = IDLE_US};
    cf_reliable_t *end;
    cr_assert(eq(int, cf_reliable_new(&end, &config, now_us), 0));
    return end;
}

static void begin(void)
{
    now_us = 5000000;
    end_a = new_end(1, 2);
    end_b = new_end(2, 1);
}

static void finish(void)
{
    cf_reliable_destroy(&end_a);
    cf_reliable_destroy(&end_b);
}

TestSuite(reliable, .init = begin, .fini = finish, .timeout = 30);

static int put(cf_reliable_t *end, const char *text)
{
    return cf_reliable_put(end, text, strlen(text));
}

/* A frame that has been taken from an end, and is on its way. */
typedef struct {
    size_t size;
    uint8_t bytes[256];
} frame_t;

static bool take(cf_reliable_t *end, frame_t *out)
{
    const uint8_t *bytes;
    if (!cf_reliable_next(end, now_us, &bytes, &out->size))
        return false;
    cr_assert(le(sz, out->size, sizeof out->bytes));
    memcpy(out->bytes, bytes, out->size);
    cf_reliable_sent(end, now_us);
    return true;
}

static char heard[4096]; /* all bodies that an end was given, in order: "one two " */

static int give(cf_reliable_t *end, const frame_t *frame)
{
    const uint8_t *body;
    size_t size;
    int rc = cf_reliable_read(end, frame->bytes, frame->size, now_us, &body, &size);
    if (rc == 1)
        snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%.*s ", (int)size,
                 (const char *)body);
    return rc;
}

/* Everything that both have to say now, without a loss. */
static void talk(void)
{
    frame_t frame;
    bool more = true;
    while (more) {
        more = false;
        while (take(end_a, &frame))
            more = give(end_b, &frame) >= 0;
        while (take(end_b, &frame))
            more = give(end_a, &frame) >= 0;
    }
}

/* --- without a loss ----------------------------------------------------------------------------
 */

Test(reliable, both_say_that_they_are_there_first)
{
    frame_t frame;
    cr_assert(eq(i64, cf_reliable_heard_us(end_b), 0));
    cr_assert(take(end_a, &frame));
    cr_assert(eq(sz, frame.size, CF_RELIABLE_HEAD));
    cr_assert(not(take(end_a, &frame)));
    cr_assert(eq(int, give(end_b, &frame), 0));
    cr_assert(eq(i64, cf_reliable_heard_us(end_b), now_us));
}

Test(reliable, bodies_come_in_order_and_are_confirmed)
{
    put(end_a, "one");
    put(end_a, "two");
    cr_assert(eq(sz, cf_reliable_bytes(end_a), 2 * (CF_RELIABLE_HEAD + 3)));
    talk();
    cr_assert(eq(str, heard, "one two "));
    cr_assert(gt(sz, cf_reliable_bytes(end_a), 0));
    now_us += CONFIRM_US;
    talk();
    cr_assert(eq(sz, cf_reliable_bytes(end_a), 0));
    cr_assert(eq(u64, cf_reliable_again(end_a), 0));
}

Test(reliable, a_body_the_other_way_confirms_at_once)
{
    talk();
    put(end_a, "one");
    talk();
    put(end_b, "and");
    talk();
    cr_assert(eq(sz, cf_reliable_bytes(end_a), 0));
    cr_assert(eq(str, heard, "one and "));
}

Test(reliable, who_has_nothing_to_say_says_so)
{
    frame_t frame;
    talk();
    now_us += IDLE_US - 1;
    cr_assert(not(take(end_a, &frame)));
    cr_assert(eq(i64, cf_reliable_due_us(end_a), now_us + 1));
    now_us++;
    cr_assert(take(end_a, &frame));
    cr_assert(eq(sz, frame.size, CF_RELIABLE_HEAD));
}

Test(reliable, keeps_so_much_and_not_a_byte_more)
{
    static char body[BYTES_MAX];
    cr_assert(eq(int, cf_reliable_put(end_a, body, 1000), 0));
    size_t left = BYTES_MAX - 1000 - 2 * CF_RELIABLE_HEAD;
    cr_assert(eq(int, cf_reliable_put(end_a, body, left + 1), CF_EFULL));
    cr_assert(eq(int, cf_reliable_put(end_a, body, left), 0));
    cr_assert(eq(int, cf_reliable_put(end_a, body, 1), CF_EFULL));
    cr_assert(eq(sz, cf_reliable_bytes(end_a), BYTES_MAX));
}

/* --- with losses -------------------------------------------------------------------------------
 */

Test(reliable, what_is_missing_is_asked_for_and_all_behind_it_comes_again)
{
    frame_t one, two, three;
    talk();
    put(end_a, "one");
    put(end_a, "two");
    put(end_a, "three");
    cr_assert(take(end_a, &one) && take(end_a, &two) && take(end_a, &three));
    cr_assert(eq(int, give(end_b, &one), 1));
    cr_assert(eq(int, give(end_b, &three), 0));
    talk();
    cr_assert(eq(str, heard, "one two three "));
    cr_assert(eq(u64, cf_reliable_again(end_a), 2));
}

Test(reliable, of_what_nobody_confirms_the_oldest_is_sent_again_alone)
{
    frame_t frame;
    talk();
    put(end_a, "one");
    put(end_a, "two");
    cr_assert(take(end_a, &frame) && take(end_a, &frame));
    for (int i = 0; i < 3; i++) {
        cr_assert(not(take(end_a, &frame)));
        now_us = cf_reliable_due_us(end_a);
        cr_assert(take(end_a, &frame));
        cr_assert(eq(int, memcmp(frame.bytes + CF_RELIABLE_HEAD, "one", 3), 0));
    }
    give(end_b, &frame);
    now_us += CONFIRM_US;
    talk();
    cr_assert(eq(str, heard, "one two "));
}

Test(reliable, what_comes_twice_is_given_once_and_confirmed_again)
{
    frame_t one, answer;
    talk();
    put(end_a, "one");
    cr_assert(take(end_a, &one));
    cr_assert(eq(int, give(end_b, &one), 1));
    now_us += CONFIRM_US;
    cr_assert(take(end_b, &answer)); /* and is lost */
    cr_assert(not(take(end_b, &answer)));
    now_us += AGAIN_US;
    cr_assert(take(end_a, &one));
    cr_assert(eq(int, give(end_b, &one), 0));
    cr_assert(take(end_b, &answer));
    cr_assert(eq(int, give(end_a, &answer), 0));
    cr_assert(eq(sz, cf_reliable_bytes(end_a), 0));
    cr_assert(eq(str, heard, "one "));
}

/* A link that loses, doubles and reorders, by lot. */
typedef struct {
    frame_t frames[64];
    uint32_t n;
} way_t;

static void send_by_lot(cf_reliable_t *from, way_t *way, unsigned *lot)
{
    frame_t frame;
    while (way->n + 2 < 64 && take(from, &frame)) {
        int copies = rand_r(lot) % 10;
        copies = copies < 3 ? 0 : copies < 9 ? 1 : 2;
        while (copies-- > 0)
            way->frames[way->n++] = frame;
    }
}

static void receive_by_lot(cf_reliable_t *to, way_t *way, unsigned *lot)
{
    while (way->n > 0 && rand_r(lot) % 4) {
        uint32_t i = rand_r(lot) % 8 ? 0 : (uint32_t)rand_r(lot) % way->n;
        cr_assert(ge(int, give(to, &way->frames[i]), 0));
        memmove(&way->frames[i], &way->frames[i + 1], (--way->n - i) * sizeof way->frames[0]);
    }
}

Test(reliable, whatever_a_link_does_all_comes_once_and_in_order)
{
    static way_t there, back;
    for (unsigned seed = 1; seed <= 200; seed++) {
        char said[4096] = "", text[16];
        unsigned lot = seed;
        heard[0] = '\0';
        there.n = back.n = 0;
        finish();
        begin();
        for (int n = 0, turns = 0; n < 100 || cf_reliable_bytes(end_a) > 0; turns++) {
            cr_assert(lt(int, turns, 100000));
            if (n < 100 && rand_r(&lot) % 2) {
                snprintf(text, sizeof text, "%d", n);
                if (put(end_a, text) == 0)
                    snprintf(said + strlen(said), sizeof said - strlen(said), "%d ", n++);
            }
            send_by_lot(end_a, &there, &lot);
            receive_by_lot(end_b, &there, &lot);
            send_by_lot(end_b, &back, &lot);
            receive_by_lot(end_a, &back, &lot);
            now_us += rand_r(&lot) % 50000;
        }
        cr_assert(eq(str, heard, said), "seed %u", seed);
    }
}

/* --- what cannot be ----------------------------------------------------------------------------
 */

static void expect_refused(const frame_t *frame)
{
    int64_t heard_us = cf_reliable_heard_us(end_b);
    cr_assert(eq(int, give(end_b, frame), CF_EPROTO));
    cr_assert(eq(i64, cf_reliable_heard_us(end_b), heard_us));
}

Test(reliable, refuses_every_head_that_is_not_as_it_has_to_be)
{
    frame_t good, bad;
    put(end_a, "one");
    cr_assert(take(end_a, &good));
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 0},  {0, 2},  {1, 0},  {1, CF_MSG_VERSION + 1},
                   {2, 0},  {2, 2},  {2, 3},  {2, 4},
                   {3, 1},  {4, 2},  {4, 4},  {7, 1},
                   {8, 3},  {11, 1}, {12, 1}, {15, 1},
                   {16, 0}, {24, 1}, {31, 1}};
    now_us++;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        bad = good;
        bad.bytes[changes[i].at] = changes[i].value;
        expect_refused(&bad);
    }
    for (size_t size = 0; size < good.size; size++) {
        bad = good;
        bad.size = size;
        expect_refused(&bad);
    }
    bad = good;
    bad.size = CF_RELIABLE_HEAD; /* a body of no bytes */
    bad.bytes[4] = 0;
    expect_refused(&bad);
    cr_assert(eq(int, give(end_b, &good), 1));
}
