/* Nodes that connect to one that listens, on loopback: whom it lets in, and what it makes of the others. */
#include "link/curve.h"

#include "clock.h"
#include "err.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define FRAME_MAX (64 * 1024)
#define HANDSHAKE_MS 300 /* of a real one, some milliseconds */
#define WAIT_US INT64_C(20000000)
#define STEP_MS 5

typedef struct {
    char secret_key[CF_NODE_KEY_SIZE + 1], public_key[CF_NODE_KEY_SIZE + 1];
} keys_t;

/* `here` listens; `there` has a context of its own, as another process would. */
static cf_bus_t here_bus, there_bus;
static cf_curve_t *here, *there;
static keys_t here_keys, there_keys, strange_keys;
static const char *allowed[2];
static cf_line_t *line;

static cf_curve_config_t config_of(const keys_t *keys)
{
    return (cf_curve_config_t){.listen = "127.0.0.1:0",
                               .secret_key = keys->secret_key,
                               .allowed = allowed,
                               .allowed_count = 2,
                               .frame_max = FRAME_MAX,
                               .handshake_ms = HANDSHAKE_MS,
                               .heartbeat_ms = 1000,
                               .silence_ms = 3000};
}

static void begin(void)
{
    keys_t *all[] = {&here_keys, &there_keys, &strange_keys};
    for (size_t i = 0; i < 3; i++)
        cr_assert(cf_curve_new_keys(all[i]->secret_key, all[i]->public_key) == 0);
    allowed[0] = here_keys.public_key;
    allowed[1] = there_keys.public_key;
    cr_assert(cf_bus_init(&here_bus, 1) == 0 && cf_bus_init(&there_bus, 2) == 0);
    cf_curve_config_t config = config_of(&here_keys);
    cr_assert(eq(int, cf_curve_open(&here, &here_bus, &config), 0));
}

static void end(void)
{
    cf_curve_close(&there);
    cf_curve_close(&here);
    cf_bus_close(&there_bus);
    cf_bus_close(&here_bus);
}

TestSuite(curve, .init = begin, .fini = end, .timeout = 60);

static void dial_as(const keys_t *keys)
{
    cf_curve_config_t config = config_of(keys);
    cr_assert(eq(int, cf_curve_open(&there, &there_bus, &config), 0));
    cr_assert(
        eq(int, cf_curve_dial(there, &line, cf_curve_endpoint(here), here_keys.public_key), 0));
}

static void wait_both(void)
{
    cf_curve_wait(here, -1, STEP_MS);
    if (there)
        cf_curve_wait(there, -1, STEP_MS);
}

/* Send once it is taken; both go on meanwhile. */
static int send_when_taken(cf_curve_t *from, const cf_way_t *way, const void *bytes, size_t size)
{
    int rc = 0;
    for (int64_t until_us = cf_boot_us() + WAIT_US; rc == 0 && cf_boot_us() < until_us;)
        if ((rc = cf_curve_send(from, way, bytes, size)) == 0)
            wait_both();
    return rc;
}

static int read_next(cf_curve_t *to, cf_curve_frame_t *frame)
{
    int rc = 0;
    for (int64_t until_us = cf_boot_us() + WAIT_US; rc == 0 && cf_boot_us() < until_us;)
        if ((rc = cf_curve_read(to, frame)) == 0)
            wait_both();
    return rc;
}

static bool is_frame(const cf_curve_frame_t *frame, const char *text, const keys_t *from)
{
    return frame->size == strlen(text) && memcmp(frame->bytes, text, frame->size) == 0 &&
           strcmp(frame->key, from->public_key) == 0;
}

Test(curve, carries_frames_both_ways_and_says_whose_they_are)
{
    cf_curve_frame_t frame;
    dial_as(&there_keys);
    cr_assert(eq(str, (char *)cf_curve_public_key(here), here_keys.public_key));
    cr_assert(eq(int, send_when_taken(there, &(cf_way_t){.line = line}, "hello", 5), 1));
    cr_assert(eq(int, read_next(here, &frame), 1));
    cr_assert(is_frame(&frame, "hello", &there_keys));
    cf_way_t back = frame.way;
    cr_assert(eq(int, send_when_taken(here, &back, "good day", 8), 1));
    cr_assert(eq(int, read_next(there, &frame), 1));
    cr_assert(is_frame(&frame, "good day", &here_keys));
    cr_assert(eq(ptr, frame.way.line, line));
    cr_assert(eq(u64, cf_curve_refused(here), 0));
}

Test(curve, refuses_a_key_that_is_not_allowed)
{
    dial_as(&strange_keys);
    for (int64_t until_us = cf_boot_us() + WAIT_US;
         cf_curve_refused(here) == 0 && cf_boot_us() < until_us;)
        wait_both();
    cr_assert(ge(u64, cf_curve_refused(here), 1));
    cr_assert(eq(int, cf_curve_send(there, &(cf_way_t){.line = line}, "hello", 5), 0));
}

Test(curve, a_connection_that_is_gone_is_told)
{
    cf_curve_frame_t frame;
    dial_as(&there_keys);
    cr_assert(eq(int, send_when_taken(there, &(cf_way_t){.line = line}, "hello", 5), 1));
    cr_assert(eq(int, read_next(here, &frame), 1));
    cf_way_t back = frame.way;
    cf_curve_hang_up(there, &line);
    int rc = 1;
    for (int64_t until_us = cf_boot_us() + WAIT_US; rc != CF_ENOENT && cf_boot_us() < until_us;) {
        rc = cf_curve_send(here, &back, "good day", 8);
        wait_both();
    }
    cr_assert(eq(int, rc, CF_ENOENT));
    cr_assert(
        eq(int, cf_curve_dial(there, &line, cf_curve_endpoint(here), here_keys.public_key), 0));
    cr_assert(eq(int, send_when_taken(there, &(cf_way_t){.line = line}, "again", 5), 1));
    cr_assert(eq(int, read_next(here, &frame), 1));
    cr_assert(is_frame(&frame, "again", &there_keys));
}

Test(curve, one_that_does_not_read_is_given_no_more_than_the_bound)
{
    enum { KERNEL = 1000 }; /* frames that the sockets' buffers and libzmq's batches may hold */
    static const uint8_t frame_bytes[16 * 1024];
    cf_curve_frame_t frame;
    dial_as(&there_keys);
    cf_way_t way = {.line = line};
    cr_assert(eq(int, send_when_taken(there, &way, "hello", 5), 1));
    cr_assert(eq(int, read_next(here, &frame), 1));
    int taken = 0,
        refused =
            0; /* 100 x 5 ms in which nothing more went away, once it is as much as it may be */
    int64_t until_us = cf_boot_us() + WAIT_US;
    while ((refused < 100 || (taken < CF_CURVE_FRAMES_MAX && cf_boot_us() < until_us)) &&
           taken < 10000) {
        bool is_taken = cf_curve_send(there, &way, frame_bytes, sizeof frame_bytes) == 1;
        taken += is_taken;
        refused = is_taken ? 0 : refused + 1;
        if (!is_taken)
            cf_curve_wait(there, -1, STEP_MS);
    }
    cr_assert(ge(int, taken, CF_CURVE_FRAMES_MAX));
    cr_assert(le(int, taken, 2 * CF_CURVE_FRAMES_MAX + KERNEL));
}

Test(curve, a_frame_over_the_bound_ends_the_connection_and_no_more)
{
    static uint8_t big[FRAME_MAX + 1];
    cf_curve_frame_t frame;
    dial_as(&there_keys);
    cf_way_t way = {.line = line};
    cr_assert(eq(int, send_when_taken(there, &way, big, FRAME_MAX), 1));
    cr_assert(eq(int, read_next(here, &frame), 1));
    cr_assert(eq(sz, frame.size, FRAME_MAX));
    cf_way_t before = frame.way;
    cr_assert(eq(int, send_when_taken(there, &way, big, FRAME_MAX + 1), 1));
    for (int64_t until_us = cf_boot_us() + WAIT_US; cf_boot_us() < until_us;) {
        if (cf_curve_send(here, &before, "x", 1) == CF_ENOENT)
            break;
        wait_both();
    }
    cr_assert(eq(int, cf_curve_send(here, &before, "x", 1), CF_ENOENT));
    int rc = 0; /* the first may still go into the connection that has ended here */
    for (int64_t until_us = cf_boot_us() + WAIT_US; rc == 0 && cf_boot_us() < until_us;) {
        cf_curve_send(there, &way, "small", 5);
        wait_both();
        rc = cf_curve_read(here, &frame);
    }
    cr_assert(eq(int, rc, 1));
    cr_assert(is_frame(&frame, "small", &there_keys));
}

Test(curve, cannot_listen_where_another_one_does)
{
    cf_curve_config_t config = config_of(&there_keys);
    config.listen = cf_curve_endpoint(here) + strlen("tcp://");
    cr_assert(eq(int, cf_curve_open(&there, &there_bus, &config), CF_EIO));
    config.secret_key = "no key";
    cr_assert(eq(int, cf_curve_open(&there, &there_bus, &config), CF_ERANGE));
}

/* --- peers that are no confab ------------------------------------------------------------------
 */

/* A DEALER of libzmq with these keys (NULL: without CURVE) that believes `server` to be the key of who listens. */
static void *connect_raw(const keys_t *keys, const char *server, void **monitor)
{
    static int count;
    char events[32];
    int now = 0;
    snprintf(events, sizeof events, "inproc://events-%d", ++count);
    void *dealer = zmq_socket(there_bus.zmq, ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_LINGER, &now, sizeof now);
    if (keys) {
        zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, keys->secret_key, CF_NODE_KEY_SIZE);
        zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, keys->public_key, CF_NODE_KEY_SIZE);
        zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server, CF_NODE_KEY_SIZE);
    }
    cr_assert(zmq_socket_monitor(dealer, events, ZMQ_EVENT_ALL) == 0);
    *monitor = zmq_socket(there_bus.zmq, ZMQ_PAIR);
    cr_assert(zmq_connect(*monitor, events) == 0);
    cr_assert(zmq_connect(dealer, cf_curve_endpoint(here)) == 0);
    return dealer;
}

static void close_raw(void *dealer, void *monitor)
{
    zmq_close(dealer);
    zmq_close(monitor);
}

/* The next event of a socket; 0: none yet. */
static uint16_t next_event(void *monitor)
{
    uint16_t event = 0;
    uint8_t bytes[256];
    if (zmq_recv(monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) >= (int)sizeof event) {
        memcpy(&event, bytes, sizeof event);
        zmq_recv(monitor, bytes, sizeof bytes, 0); /* the endpoint */
    }
    return event;
}

/* How it ends: 1, the handshake was done; -1, it was not. */
static int outcome(void *monitor)
{
    for (int64_t until_us = cf_boot_us() + WAIT_US; cf_boot_us() < until_us; wait_both())
        switch (next_event(monitor)) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            return 1;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_DISCONNECTED:
            return -1;
        }
    return 0;
}

Test(curve, lets_in_who_has_an_allowed_key_and_knows_ours_alone)
{
    const struct {
        const keys_t *keys;
        const char *server;
        int outcome;
    } cases[] = {{&there_keys, here_keys.public_key, 1},
                 {&strange_keys, here_keys.public_key, -1},
                 {&there_keys, strange_keys.public_key, -1},
                 {NULL, NULL, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *monitor, *dealer = connect_raw(cases[i].keys, cases[i].server, &monitor);
        cr_expect(eq(int, outcome(monitor), cases[i].outcome), "case %zu", i);
        close_raw(dealer, monitor);
    }
    cr_expect(ge(u64, cf_curve_refused(here), 1));
}

Test(curve, a_message_of_several_parts_says_whose_it_is)
{
    cf_curve_frame_t frame;
    void *monitor, *dealer = connect_raw(&there_keys, here_keys.public_key, &monitor);
    cr_assert(eq(int, outcome(monitor), 1));
    cr_assert(zmq_send(dealer, "one", 3, ZMQ_SNDMORE) == 3 && zmq_send(dealer, "two", 3, 0) == 3);
    cr_assert(eq(int, read_next(here, &frame), CF_EPROTO));
    cr_assert(eq(str, frame.key, there_keys.public_key));
    cr_assert(zmq_send(dealer, "whole", 5, 0) == 5);
    cr_assert(eq(int, read_next(here, &frame), 1));
    cr_assert(is_frame(&frame, "whole", &there_keys));
    close_raw(dealer, monitor);
}

static int connect_plain(void)
{
    const char *colon = strrchr(cf_curve_endpoint(here), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(colon + 1))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Whether the other side ends the connection; what it says is dropped. */
static bool is_ended(int fd)
{
    uint8_t bytes[1024];
    for (int64_t until_us = cf_boot_us() + WAIT_US; cf_boot_us() < until_us;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, STEP_MS) > 0 && recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
        wait_both();
    }
    return false;
}

static bool ends_after(const void *bytes, size_t size)
{
    int fd = connect_plain();
    bool is_sent = size == 0 || send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
    bool ended = is_ended(fd);
    close(fd);
    return is_sent && ended;
}

/* RFC 23: signature, version 3.0, mechanism, no server, filler. */
#define GREETING "\xff\0\0\0\0\0\0\0\0\x7f\x03\0"
#define FILLER "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CURVE_GREETING GREETING "CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" FILLER
#define NULL_GREETING GREETING "NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" FILLER
#define AND_SIZE(text) text, sizeof(text) - 1

Test(curve, ends_what_is_no_handshake)
{
    uint8_t noise[4096];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    cr_expect(ends_after(noise, sizeof noise));
    cr_expect(ends_after(AND_SIZE("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_expect(ends_after(AND_SIZE(NULL_GREETING "\x04\x19\x05READY")));
    /* frames and commands of 2^40 and 2^63 bytes, of ZMTP 3 and of the first version */
    cr_expect(ends_after(AND_SIZE(CURVE_GREETING "\x02\0\0\x01\0\0\0\0\0")));
    cr_expect(ends_after(AND_SIZE(CURVE_GREETING "\x06\0\0\x01\0\0\0\0\0")));
    cr_expect(ends_after(AND_SIZE(CURVE_GREETING "\x06\x80\0\0\0\0\0\0\0")));
    cr_expect(ends_after(AND_SIZE("\xff\0\0\x01\0\0\0\0\0\0")));
    cr_expect(ends_after(AND_SIZE("\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0")));
}

Test(curve, ends_who_does_not_finish_a_handshake)
{
    cr_expect(ends_after("", 0));
    cr_expect(ends_after(AND_SIZE(CURVE_GREETING)));
    cr_expect(ends_after(AND_SIZE(GREETING)));
}

static long resident_kib(void)
{
    long ignored, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert(file && fscanf(file, "%ld %ld", &ignored, &pages) == 2);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Half of them say nothing, half begin a handshake. All are ended; none costs more than 64 KiB until then. */
Test(curve, who_has_shown_no_key_costs_little)
{
    enum { MANY = 200 };
    static const char greeting[] = CURVE_GREETING;
    int fds[MANY];
    long before = resident_kib();
    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_plain();
        if (i % 2)
            cr_assert(send(fds[i], greeting, sizeof greeting - 1, MSG_NOSIGNAL) > 0);
    }
    for (int i = 0; i < MANY; i++) {
        cr_expect(is_ended(fds[i]));
        close(fds[i]);
    }
    cr_assert(le(long, resident_kib() - before, MANY * 64));
}
