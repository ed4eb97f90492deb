/* What bench/storm says of a page: each way in which one can be wrong is found. */
#include "payload.h"
#include "storm.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#define RUN 7
#define ROOM 1

static cf_storm_t storm;
static cf_storm_room_t rooms[2];
static char page[64 * 1024];
static size_t size;

static void start(uint64_t posts)
{
    storm = (cf_storm_t){.run = RUN, .rooms = rooms, .room_count = 2};
    for (uint64_t n = 1; n <= posts; n++) {
        char id[16], seq[16];
        snprintf(id, sizeof id, "id%d", (int)n);
        snprintf(seq, sizeof seq, "%d", (int)n);
        cf_room_begin_post(&rooms[ROOM]);
        cf_room_acked(&storm, ROOM, (cf_slice_t){id, strlen(id)}, (cf_slice_t){seq, strlen(seq)});
    }
    cr_assert(eq(u64, storm.faults.ack_wrong, 0));
}

static void add_as(uint64_t seq, const char *id, uint64_t run, uint32_t room, uint64_t n)
{
    char text[129] = "";
    cf_payload_t payload = {.run = run, .writer = room, .n = (uint32_t)n};
    cf_payload_write(text, 128, &payload);
    size += (size_t)sprintf(page + size,
                            "%s{\"id\":\"%s\",\"content\":\"%s\",\"username\":\"a,]}\",\"seq\":%d}",
                            size ? "," : "", id, text, (int)seq);
}

static void add(uint64_t seq)
{
    char id[16];
    snprintf(id, sizeof id, "id%d", (int)seq);
    add_as(seq, id, RUN, ROOM, seq);
}

static void add_all(uint64_t first, uint64_t last)
{
    for (uint64_t seq = first; seq <= last; seq++)
        add(seq);
}

static void check(void)
{
    static char body[sizeof page + 32];
    int n = snprintf(body, sizeof body, "{\"messages\":[%s]}", page);
    storm.faults = (cf_storm_faults_t){0};
    size = 0;
    cr_assert(cf_room_check_page(&storm, ROOM, (cf_slice_t){body, (size_t)n}));
    page[0] = '\0';
}

static bool is_clean(void)
{
    static const cf_storm_faults_t none;
    return memcmp(&storm.faults, &none, sizeof none) == 0;
}

TestSuite(storm_page, .timeout = 10);

Test(storm_page, is_right_when_it_is_the_newest_of_all_that_was_acked)
{
    start(3);
    add_all(1, 3);
    check();
    cr_assert(is_clean());
    start(0);
    for (uint64_t n = 4; n <= 120; n++) {
        char id[16], seq[16];
        snprintf(id, sizeof id, "id%d", (int)n);
        snprintf(seq, sizeof seq, "%d", (int)n);
        cf_room_begin_post(&rooms[ROOM]);
        cf_room_acked(&storm, ROOM, (cf_slice_t){id, strlen(id)}, (cf_slice_t){seq, strlen(seq)});
    }
    add_all(71, 120);
    check();
    cr_assert(is_clean());
    add_all(72, 120);
    check();
    cr_assert(eq(u64, storm.faults.lost, 1));
    add_all(70, 120);
    check();
    cr_assert(eq(u64, storm.faults.doubled, 1));
}

Test(storm_page, is_wrong_when_anything_is_missing_doubled_swapped_or_changed)
{
    start(5);
    add_all(1, 4);
    check();
    cr_assert(gt(u64, storm.faults.lost, 0));
    check(); /* empty */
    cr_assert(gt(u64, storm.faults.lost, 0));
    add_all(1, 2);
    add_all(4, 5);
    check();
    cr_assert(gt(u64, storm.faults.disordered + storm.faults.lost, 0));
    add_all(1, 3);
    add_all(3, 5);
    check();
    cr_assert(gt(u64, storm.faults.doubled, 0));
    add(1);
    add(3);
    add(2);
    add_all(4, 5);
    check();
    cr_assert(gt(u64, storm.faults.disordered, 0));
    add_all(1, 4);
    add_as(5, "another", RUN, ROOM, 5);
    check();
    cr_assert(eq(u64, storm.faults.differing, 1));
    add_all(1, 4);
    add_as(5, "id5", RUN, ROOM + 1, 5); /* of another room */
    check();
    cr_assert(eq(u64, storm.faults.differing, 1));
    add_all(1, 4);
    add_as(5, "id5", RUN + 1, ROOM, 5);
    check();
    cr_assert(eq(u64, storm.faults.differing, 1));
    add_all(1, 4);
    add_as(5, "id5", RUN, ROOM, 4);
    check();
    cr_assert(eq(u64, storm.faults.differing, 1));
    add_all(1, 6); /* nobody has posted it */
    check();
    cr_assert(gt(u64, storm.faults.disordered, 0));
}

Test(storm_page, may_have_what_was_on_its_way_if_all_see_it_so)
{
    start(2);
    cf_room_begin_post(&rooms[ROOM]);
    add_all(1, 3);
    check();
    cr_assert(is_clean());
    add_all(1, 3);
    check();
    cr_assert(is_clean());
    add_all(1, 2); /* it was there */
    check();
    cr_assert(gt(u64, storm.faults.lost, 0));
    add_all(1, 2);
    add_as(3, "other", RUN, ROOM, 3);
    check();
    cr_assert(gt(u64, storm.faults.differing, 0));
    cf_rooms_settle(&storm);
    cr_assert(eq(u64, rooms[ROOM].acked, 3));

    cf_room_begin_post(&rooms[ROOM]);
    add_all(1, 3);
    check();
    cr_assert(is_clean());
    add_all(1, 4); /* it was not */
    check();
    cr_assert(gt(u64, storm.faults.disordered, 0));
}

Test(storm_page, knows_a_room_that_kept_nothing_of_what_was_on_its_way)
{
    start(2);
    cf_room_begin_post(&rooms[ROOM]);
    add_all(1, 2);
    check();
    cr_assert(is_clean());
    cf_rooms_settle(&storm);
    cr_assert(eq(u64, rooms[ROOM].acked, 2));
}

Test(storm_page, is_none_when_it_cannot_be_read)
{
    static const char *const bad[] = {
        "", "{}", "[]", "{\"messages\":", "{\"messages\":[{\"id\":1}", "{\"messages\":[{\"id\":1"};
    start(1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(not(cf_room_check_page(&storm, ROOM, (cf_slice_t){bad[i], strlen(bad[i])})), "%s",
                  bad[i]);
    static const char text[] = "{\"messages\":[{\"id\":\"id1\",\"content\":\"hi\",\"seq\":1}]}";
    cr_assert(cf_room_check_page(&storm, ROOM, (cf_slice_t){text, sizeof text - 1}));
    cr_assert(gt(u64, storm.faults.unreadable, 0));
}
