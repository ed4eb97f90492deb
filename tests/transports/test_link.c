/* Outbox and inbox: one frame for all that goes to one actor, and whatever else a frame may hold. */
#include "err.h"
#include "link/inbox.h"
#include "link/outbox.h"
#include "wire/control.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <zmq.h>

#define HEAD_ONLY CF_MSG_PROBE /* a message whose body has no fields: */
#define SIZE (CF_MSG_HEAD_SIZE + 1)

static cf_bus_t bus;
static cf_inbox_t *inbox, *other;
static cf_outbox_t *out;
static void *raw; /* a socket that may send anything */
static cf_buf_t bytes;
static const cf_address_t here = {1, CF_ACTOR_LOBBY, 0}, there = {1, CF_ACTOR_LIMITER, 0};

static void begin(void)
{
    char endpoint[CF_ENDPOINT_MAX];
    cr_assert(cf_bus_init(&bus, 1) == 0);
    cr_assert(cf_inbox_open(&inbox, &bus, here) == 0);
    cr_assert(cf_inbox_open(&other, &bus, there) == 0);
    cr_assert(cf_outbox_new(&out, &bus, there) == 0);
    cr_assert(cf_bus_endpoint(&bus, here, endpoint) == 0);
    raw = zmq_socket(bus.zmq, ZMQ_PUSH);
    cr_assert(zmq_connect(raw, endpoint) == 0);
}

static void end(void)
{
    int now = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &now, sizeof now);
    zmq_close(raw);
    cf_buf_free(&bytes);
    cf_outbox_destroy(&out);
    cf_inbox_close(&inbox);
    cf_inbox_close(&other);
    cf_bus_close(&bus);
}

TestSuite(link, .init = begin, .fini = end, .timeout = 60);

static void put(cf_address_t to, uint64_t corr)
{
    cr_assert(cf_outbox_send(out, to, HEAD_ONLY, corr, (cf_id_t){0}, NULL) == 0);
}

/* Messages numbered first..last in one frame; the last `cut` bytes are missing. */
static void send_frame(uint64_t first, uint64_t last, size_t cut)
{
    cf_buf_clear(&bytes);
    for (uint64_t corr = first; corr <= last; corr++)
        cr_assert(
            cf_msg_encode(&bytes,
                          &(cf_msg_t){.type = HEAD_ONLY, .corr = corr, .from = there, .to = here},
                          NULL) == 0);
    cr_assert(zmq_send(raw, bytes.data, bytes.size - cut, 0) >= 0);
}

static uint64_t next(cf_inbox_t *from)
{
    cf_msg_t msg;
    return cf_inbox_read(from, &msg) == 1 ? msg.corr : 0;
}

static int read_one(void)
{
    cf_msg_t msg;
    return cf_inbox_read(inbox, &msg);
}

static int frames_on(cf_inbox_t *from)
{
    int n = 0;
    bool ignored;
    cf_inbox_wait(from, -1, false, 0, &ignored);
    while (next(from))
        n++;
    return n;
}

Test(link, keeps_the_order_of_each_destination)
{
    for (uint64_t corr = 1; corr <= 100; corr++)
        put(corr % 2 ? here : there, corr);
    cf_outbox_flush(out);
    cr_assert(cf_outbox_is_empty(out));
    for (uint64_t corr = 1; corr <= 100; corr++)
        cr_assert(eq(u64, next(corr % 2 ? inbox : other), corr));
    cr_assert(eq(int, frames_on(inbox) + frames_on(other), 0));
}

Test(link, one_flush_is_one_frame_for_an_actor)
{
    const cf_address_t plain = {1, CF_ACTOR_SWEEPER,
                                0}; /* a plain socket in its place counts frames */
    char endpoint[CF_ENDPOINT_MAX];
    cr_assert(cf_bus_endpoint(&bus, plain, endpoint) == 0);
    void *pull = zmq_socket(bus.zmq, ZMQ_PULL);
    cr_assert(zmq_bind(pull, endpoint) == 0);
    for (uint64_t corr = 1; corr <= 10; corr++) {
        put(plain, corr);
        put(there, corr);
    }
    cf_outbox_flush(out);
    put(plain, 11);
    cf_outbox_flush(out);
    uint8_t frame[4096];
    cr_assert(eq(int, zmq_recv(pull, frame, sizeof frame, 0), 10 * SIZE));
    cr_assert(eq(int, zmq_recv(pull, frame, sizeof frame, 0), SIZE));
    zmq_close(pull);
}

Test(link, a_long_flush_is_several_frames_in_order)
{
    enum { MANY = 5000 }; /* 325,000 bytes */
    for (uint64_t corr = 1; corr <= MANY; corr++)
        put(here, corr);
    cf_outbox_flush(out);
    for (uint64_t corr = 1; corr <= MANY; corr++) {
        uint64_t got = next(inbox);
        if (!got) { /* the batch was full */
            cf_inbox_release(inbox);
            got = next(inbox);
        }
        cr_assert(eq(u64, got, corr));
    }
}

Test(link, a_batch_may_end_within_a_frame)
{
    bool ignored;
    send_frame(1, CF_INBOX_BATCH_MAX + 3, 0);
    send_frame(CF_INBOX_BATCH_MAX + 4, CF_INBOX_BATCH_MAX + 5, 0);
    for (uint64_t corr = 1; corr <= CF_INBOX_BATCH_MAX; corr++)
        cr_assert(eq(u64, next(inbox), corr));
    cr_assert(eq(int, read_one(), 0)); /* full */
    cf_inbox_release(inbox);
    cf_inbox_wait(inbox, -1, false, -1, &ignored); /* would never end if it only asked the socket */
    for (uint64_t corr = CF_INBOX_BATCH_MAX + 1; corr <= CF_INBOX_BATCH_MAX + 5; corr++)
        cr_assert(eq(u64, next(inbox), corr));
    cr_assert(eq(int, read_one(), 0));
}

Test(link, what_was_read_stays_until_the_batch_is_released)
{
    cf_msg_t first, second, third;
    cf_buf_t copies = {0};
    send_frame(1, 3, 0);
    cr_assert(eq(int, cf_inbox_read(inbox, &first), 1));
    cr_assert(eq(int, cf_inbox_copy(inbox, &copies, &second), 1));
    cr_assert(eq(int, cf_inbox_read(inbox, &third), 1));
    cr_assert(eq(u64, first.corr, 1));
    cr_assert(eq(u64, second.corr, 2));
    cr_assert(eq(u64, third.corr, 3));
    cr_assert(eq(sz, copies.size, SIZE));
    cr_assert(first.body + 2 * SIZE == third.body);
    cf_buf_free(&copies);
}

Test(link, a_cut_message_takes_only_the_rest_of_its_frame_with_it)
{
    send_frame(1, 3, 1);
    send_frame(4, 4, 0);
    cr_assert(eq(u64, next(inbox), 1));
    cr_assert(eq(u64, next(inbox), 2));
    cr_assert(eq(int, read_one(), CF_EPROTO));
    cr_assert(eq(u64, next(inbox), 4));
}

Test(link, empty_and_short_frames_are_refused)
{
    for (size_t size = 0; size < SIZE; size++) {
        send_frame(1, 1, SIZE - size);
        cr_assert(eq(int, read_one(), CF_EPROTO));
    }
    send_frame(2, 2, 0);
    cr_assert(eq(u64, next(inbox), 2));
}

Test(link, a_wait_ends_with_the_next_message)
{
    bool ignored;
    for (uint64_t corr = 1; corr <= 1000; corr++) {
        cr_assert(eq(int, read_one(), 0));
        put(here, corr);
        cf_outbox_flush(out);
        cf_inbox_wait(inbox, -1, false, -1, &ignored);
        cr_assert(eq(u64, next(inbox), corr));
        if (corr % 3 == 0)
            cf_inbox_release(inbox);
    }
}

/* A flush of messages for several nodes is one frame for the mesh, in the order in which they were put. */
Test(link, what_is_for_other_nodes_goes_to_the_mesh)
{
    cf_inbox_t *mesh;
    bus.has_mesh = true;
    cr_assert(cf_inbox_open(&mesh, &bus, cf_bus_mesh(&bus)) == 0);
    put((cf_address_t){2, CF_ACTOR_LOBBY, 0}, 1);
    put((cf_address_t){3, CF_ACTOR_ROOMS, 1}, 2);
    put(here, 3);
    put((cf_address_t){2, CF_ACTOR_GATEWAY, 0}, 4);
    cf_outbox_flush(out);
    const uint64_t expected[] = {1, 2, 4};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_assert(eq(u64, next(mesh), expected[i]));
    cr_assert(eq(u64, next(inbox), 3));
    cr_assert(eq(int, frames_on(inbox) + frames_on(mesh), 0));
    cf_inbox_close(&mesh);
}
