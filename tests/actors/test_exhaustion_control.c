/* Failed allocations: control with a real client, and everybody it asks played. The scenario is run once to count what
 * it allocates, then once for each allocation with that one failing. Every request is answered or the end of its
 * client, no letter is removed that was not answered in its room, none stays that was, and the same scenario
 * afterwards goes as if nothing had happened. */
#include "control.h"
#include "failing_malloc.h"
#include "local/local_client.h"
#include "local/local_server.h"
#include "wire/control.h"
#include "wire/operate.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NODE 1
#define T0 INT64_C(1700000000000000)
#define THREADS 2
#define STEP_US INT64_C(100000)
#define STEPS 600 /* a minute: longer than any request's time */

static const cf_address_t control_at = {NODE, CF_ACTOR_CONTROL, 0};

static struct {
    cf_control_t *control;
    cf_outbox_t *out, *scratch;
    cf_arena_t arena;
    int64_t now_us;
    int fd;          /* of the client; -1: it was closed */
    uint16_t got[3]; /* by correlation id: what it was answered */
    int moved;       /* of the scenario, as all below: RERUNs answered MOVED */
    int refused;     /* removals */
    int said, removed;
    unsigned long failing;
    unsigned in_a_row;
} world;

#define ensure(what) cr_assert(what, "allocation %lu, %u in a row", world.failing, world.in_a_row)

/* --- everybody else ----------------------------------------------------------------------------
 */

static void handle(const cf_msg_t *msg);

static void answer(const cf_msg_t *request, uint16_t type, const void *body)
{
    cf_msg_t msg, head = {.type = type,
                          .corr = request->corr,
                          .from = request->to,
                          .to = control_at,
                          .room = request->room};
    cr_assert(cf_outbox_put(world.scratch, &head, body) == 0);
    cr_assert(cf_outbox_take(world.scratch, &msg));
    handle(&msg);
}

static void play(const cf_msg_t *msg)
{
    cf_dead_letter_t letter = {
        .room = {{1}}, .command = cf_str("/stock=A"), .reason = cf_str("timed out"), .attempts = 1};
    cf_top_room_t room = {.room = {{(uint8_t)msg->to.index}}, .connections = 1};
    cf_refused_t refused = {.reason = (uint32_t)-CF_EIO};
    switch (msg->type) {
    case CF_MSG_TOP_ROOMS:
        answer(msg, CF_MSG_ROOMS_TOP, &(cf_rooms_top_t){.active = 1, .rooms = {&room, 1}});
        break;
    case CF_MSG_FIND_DEAD_LETTER:
        answer(msg, CF_MSG_DEAD_LETTER_ROW, &letter);
        break;
    case CF_MSG_LOOKUP:
        answer(msg, CF_MSG_PLACED,
               &(cf_placed_t){cf_address_pack((cf_address_t){NODE, CF_ACTOR_ROOMS, 0})});
        break;
    case CF_MSG_RERUN:
        world.said += world.moved++ > 0;
        answer(msg, world.moved == 1 ? CF_MSG_MOVED : CF_MSG_RERAN, &(cf_reran_t){0});
        break;
    case CF_MSG_REMOVE_DEAD_LETTER:
        ensure(world.said == 1);
        world.removed += world.refused++ > 0;
        answer(msg, world.refused == 1 ? CF_MSG_REFUSED : CF_MSG_DONE,
               world.refused == 1 ? &refused : NULL);
        break;
    default:
        ensure(false);
    }
}

/* --- control -----------------------------------------------------------------------------------
 */

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){.wall_us = T0 + world.now_us,
                       .boot_us = world.now_us,
                       .out = world.out,
                       .arena = &world.arena};
}

static void handle(const cf_msg_t *msg)
{
    cf_turn_t turn = turn_now();
    for (const cf_handler_t *row = cf_control_ops.handlers; row->type; row++)
        if (row->type == msg->type) {
            failing_malloc_resume();
            row->handle(world.control, &turn, msg);
            failing_malloc_pause();
        }
}

static void take_turn(void)
{
    cf_turn_t turn = turn_now();
    struct pollfd one = {.fd = cf_control_fd(world.control), .events = POLLIN};
    cf_msg_t msg;
    bool is_readable = poll(&one, 1, 0) == 1;
    failing_malloc_resume();
    if (is_readable)
        cf_control_readable(world.control, &turn);
    int64_t due_us = cf_control_ops.due(world.control, &turn);
    failing_malloc_pause();
    ensure(due_us > world.now_us);
    while (cf_outbox_take(world.out, &msg))
        play(&msg);
    cf_arena_free(&world.arena);
}

/* --- the client --------------------------------------------------------------------------------
 */

static void ask(uint16_t type, uint64_t corr, const void *body)
{
    cf_buf_t frame = {0};
    cf_msg_t head = {.type = type, .corr = corr, .from = control_at, .to = control_at};
    cr_assert(cf_msg_encode(&frame, &head, body) == 0);
    if (cf_local_client_send(world.fd, frame.data, frame.size, INT64_MAX / 2) < 0) {
        close(world.fd);
        world.fd = -1;
    }
    cf_buf_free(&frame);
}

static void hear(void)
{
    static uint8_t packet[CF_LOCAL_ANSWER_MAX];
    struct pollfd one = {.fd = world.fd, .events = POLLIN};
    cf_msg_t msg;
    while (world.fd >= 0 && poll(&one, 1, 0) == 1) {
        int size = cf_local_client_receive(world.fd, packet, sizeof packet, 0);
        if (size < 0) {
            close(world.fd);
            world.fd = -1;
            break;
        }
        cr_assert(cf_msg_decode(&msg, packet, (size_t)size) == 0);
        ensure(msg.corr == 1 || msg.corr == 2);
        ensure(world.got[msg.corr] == 0); /* once */
        world.got[msg.corr] = msg.type;
    }
}

static bool is_over(void)
{
    return world.fd < 0 || (world.got[1] && world.got[2]);
}

static void scenario(const char *path, bool strict)
{
    world.fd = cf_local_client_connect(path);
    cr_assert(world.fd >= 0);
    memset(world.got, 0, sizeof world.got);
    world.moved = world.refused = world.said = world.removed = 0;
    ask(CF_MSG_TOP_ROOMS, 1, &(cf_top_rooms_t){.limit = 5});
    take_turn();
    if (world.fd >= 0)
        ask(CF_MSG_REPLAY, 2, &(cf_replay_t){{{5}}});
    for (int i = 0; i < STEPS && !(is_over() && i > 300); i++) {
        take_turn();
        hear();
        world.now_us += STEP_US;
    }
    ensure(is_over());
    ensure(!strict || (world.got[1] == CF_MSG_ROOMS_TOP && world.got[2] == CF_MSG_RERAN));
    ensure(world.got[2] != CF_MSG_RERAN || world.removed == 1);
    ensure(world.said == world.removed);
    if (world.fd >= 0)
        close(world.fd);
    take_turn();
}

static unsigned long run(unsigned long nth, unsigned in_a_row)
{
    char folder[] = "/tmp/cf_control_XXXXXX", path[64];
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    cf_control_config_t config = {.room_thread = {NODE, CF_ACTOR_ROOMS, 0},
                                  .room_threads = THREADS,
                                  .lobby = {NODE, CF_ACTOR_LOBBY, 0},
                                  .reader = {NODE, CF_ACTOR_READER, 0},
                                  .storage = {NODE, CF_ACTOR_STORAGE, 0},
                                  .replay_us = 20000000};
    memset(&world, 0, sizeof world);
    world.failing = nth;
    world.in_a_row = in_a_row;
    world.now_us = 1000000;
    cr_assert(cf_outbox_new(&world.out, NULL, control_at) == 0);
    cr_assert(cf_outbox_new(&world.scratch, NULL, control_at) == 0);
    failing_malloc_begin(nth, in_a_row);
    while (cf_local_server_open(&config.server, path) == CF_ENOMEM)
        ensure(failing_malloc_failed() > 0);
    while (cf_control_new(&world.control, &config) == CF_ENOMEM)
        ensure(failing_malloc_failed() > 0);
    failing_malloc_pause();
    scenario(path, nth == 0);
    unsigned long count = failing_malloc_end();
    scenario(path, true); /* as if nothing had happened */
    cf_control_ops.destroy(world.control);
    cf_outbox_destroy(&world.out);
    cf_outbox_destroy(&world.scratch);
    snprintf(path, sizeof path, "%s/s.lock", folder);
    unlink(path);
    cr_assert(rmdir(folder) == 0);
    return count;
}

TestSuite(exhaustion_control, .timeout = 120);

Test(exhaustion_control, any_one_allocation_may_fail)
{
    unsigned long count = run(0, 1);
    cr_assert(count > 10, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 1);
}

Test(exhaustion_control, no_memory_for_a_while_is_survived)
{
    unsigned long count = run(0, 1);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 4);
}
