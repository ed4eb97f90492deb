#include "http/frame.h"
#include "http/outgoing.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(frame, has_the_shortest_header_that_fits)
{
    static const struct {
        size_t payload, header;
    } cases[] = {{0, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}};
    static const char payload[65536] = "m";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_frame_t *frame = cf_frame_new(payload, cases[i].payload);
        cr_assert(eq(sz, frame->size, cases[i].header + cases[i].payload));
        cr_assert(eq(int, frame->bytes[0], 0x81));
        if (cases[i].payload)
            cr_assert(eq(int, frame->bytes[cases[i].header], 'm'));
        cf_frame_unref(&frame);
        cr_assert(eq(ptr, frame, NULL));
    }
}

Test(frame, close_carries_its_code_and_at_most_123_bytes_of_whole_characters)
{
    cf_frame_t *frame = cf_frame_new_close(0, NULL);
    cr_assert(eq(sz, frame->size, 2));
    cf_frame_unref(&frame);
    frame = cf_frame_new_close(1013, "slow");
    cr_assert(memcmp(frame->bytes, "\x88\x06\x03\xf5slow", 8) == 0);
    cf_frame_unref(&frame);
    char reason[200];
    memset(reason, 'r', sizeof reason);
    memcpy(reason + 122, "\xC3\xA9", 3); /* ends in the middle of it */
    frame = cf_frame_new_close(1000, reason);
    cr_assert(eq(sz, frame->size, 2 + 2 + 122));
    cf_frame_unref(&frame);
}

static cf_frame_t *numbered(int number)
{
    char text[16];
    return cf_frame_new(text, (size_t)snprintf(text, sizeof text, "%d", number) + 1); /* with NUL */
}

Test(outgoing, keeps_order_counts_and_times_over_growth)
{
    cf_outgoing_t queue;
    cf_outgoing_init(&queue);
    int in = 0, out = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < round % 7; i++) {
            cf_frame_t *frame = numbered(in++);
            cr_assert(eq(int, cf_outgoing_add(&queue, frame, 1000 + in), 0));
            cf_frame_unref(&frame);
        }
        for (int i = 0; i < round % 5 && out < in; i++) {
            cr_assert(eq(i64, cf_outgoing_oldest_ms(&queue), 1000 + out + 1));
            cr_assert(eq(int, atoi((char *)cf_outgoing_at(&queue, 0)->bytes + 2), out++));
            cf_outgoing_drop(&queue, 1);
        }
        size_t bytes = 0;
        for (uint32_t i = 0; i < queue.count; i++)
            bytes += cf_outgoing_at(&queue, i)->size;
        cr_assert(eq(sz, queue.bytes, bytes));
        cr_assert(eq(int, (int)queue.count, in - out));
    }
    cf_outgoing_clear(&queue);
    cr_assert(eq(sz, queue.bytes, 0));
    cr_assert(eq(i64, cf_outgoing_oldest_ms(&queue), 0));
    cr_assert(eq(ptr, queue.entries, NULL));
}

Test(outgoing, gathers_whole_frames_up_to_the_room_and_one_at_least)
{
    cf_outgoing_t queue;
    cf_outgoing_init(&queue);
    size_t size;
    cr_assert(eq(int, (int)cf_outgoing_fit(&queue, 100, &size), 0));
    char payload[48] = {0};
    cf_frame_t *frame = cf_frame_new(payload, sizeof payload); /* 50 bytes */
    for (int i = 0; i < 5; i++)
        cf_outgoing_add(&queue, frame, 1);
    cf_frame_unref(&frame); /* the queue holds its own references */
    cr_assert(eq(int, (int)cf_outgoing_fit(&queue, 10, &size), 1));
    cr_assert(eq(sz, size, 50));
    cr_assert(eq(int, (int)cf_outgoing_fit(&queue, 149, &size), 2));
    cr_assert(eq(int, (int)cf_outgoing_fit(&queue, 150, &size), 3));
    cr_assert(eq(int, (int)cf_outgoing_fit(&queue, 1000, &size), 5));
    cr_assert(eq(sz, size, 250));
    cf_outgoing_clear(&queue);
}

Test(outgoing, several_messages_are_one_frame_after_the_other)
{
    static char texts[3 + 126 + 65536];
    memset(texts, 'b', sizeof texts);
    memcpy(texts, "abc", 3);
    const uint32_t sizes[] = {3, 126, 65536};
    cf_frame_t *frame = cf_frame_new_several(texts, sizes, 3);
    cr_assert(eq(sz, frame->size, 2 + 3 + 4 + 126 + 10 + 65536));
    const uint8_t heads[] = {0x81, 3, 'a', 'b', 'c', 0x81, 126, 0, 126, 'b'};
    cr_assert(eq(int, memcmp(frame->bytes, heads, sizeof heads), 0));
    const uint8_t long_head[] = {'b', 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0, 'b'};
    cr_assert(eq(int, memcmp(frame->bytes + 5 + 4 + 125, long_head, sizeof long_head), 0));
    cf_frame_unref(&frame);
}

Test(outgoing, latest_takes_the_place_of_the_one_before_and_goes_last)
{
    cf_outgoing_t queue;
    cf_outgoing_init(&queue);
    cf_frame_t *frames[5];
    for (int i = 0; i < 5; i++)
        frames[i] = numbered(i);
    cr_assert(not(cf_outgoing_set_latest(&queue, frames[0])));
    cf_outgoing_take_latest(&queue, 0, 7); /* alone it always goes */
    cr_assert(eq(ptr, cf_outgoing_at(&queue, 0), frames[0]));
    cr_assert(eq(i64, cf_outgoing_oldest_ms(&queue), 7));
    cr_assert(not(cf_outgoing_set_latest(&queue, frames[1])));
    cr_assert(cf_outgoing_set_latest(&queue, frames[2]));
    cr_assert(eq(u32, frames[1]->references, 1));
    size_t both = frames[0]->size + frames[2]->size;
    cf_outgoing_take_latest(&queue, both - 1, 8);
    cr_assert(eq(u32, queue.count, 1));
    cf_outgoing_take_latest(&queue, both, 8);
    cr_assert(eq(ptr, cf_outgoing_at(&queue, 1), frames[2]));
    cr_assert(eq(ptr, queue.latest, NULL));
    cr_assert(eq(sz, queue.bytes, both));
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, cf_outgoing_add(&queue, frames[3], 9), 0)); /* more than its own places */
    cr_assert(not(cf_outgoing_set_latest(&queue, frames[4])));
    cf_outgoing_drop(&queue, queue.count); /* all but that one */
    cr_assert(eq(ptr, queue.latest, frames[4]));
    cf_outgoing_clear(&queue);
    for (int i = 0; i < 5; i++) {
        cr_assert(eq(u32, frames[i]->references, 1));
        cf_frame_unref(&frames[i]);
    }
}

/* What the allocator gives is no less than this: the piece and the word before it. */
static size_t taken(void *piece)
{
    return piece ? malloc_usable_size(piece) + sizeof(size_t) : 0;
}

Test(outgoing, weighs_no_less_than_it_takes)
{
    for (size_t payload = 1; payload < 200; payload += 7) {
        static const char text[200] = "m";
        cf_outgoing_t queue;
        cf_outgoing_init(&queue);
        size_t frames = 0;
        for (int count = 1; count <= 600; count++) {
            cf_frame_t *frame = cf_frame_new(text, payload);
            frames += taken(frame);
            cr_assert(eq(int, cf_outgoing_add(&queue, frame, 1), 0));
            cf_frame_unref(&frame);
            if (count > 8) /* the first ring has room for eight, whoever waits */
                cr_assert(ge(sz, CF_OUTGOING_WEIGHT(&queue), frames + taken(queue.entries)));
        }
        cf_outgoing_clear(&queue);
    }
}
