/* control as a real thread, over its real socket: the test is who asks, and everybody it asks. */
#include "control.h"

#include "clock.h"
#include "err.h"
#include "local/local_client.h"
#include "local/local_server.h"
#include "peer.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/operate.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 2
#define REPLAY_US INT64_C(1500000) /* a replay's time here; storage is asked again each 0.5 s */
#define ROOM(n) ((cf_id_t){{1, [15] = (n)}})

static cf_actor_t *actor;
static peer_t *threads[THREADS], *accounts, *lobby, *reader, *storage;
static char folder[64], path[128];
static uint8_t packet[CF_LOCAL_ANSWER_MAX];
static cf_arena_t arena;

static int64_t replay_us = REPLAY_US * 20;

static void open_control(void)
{
    cf_control_t *state;
    strcpy(folder, "/tmp/cf_control_XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    snprintf(path, sizeof path, "%s/s", folder);
    actor = actor_at(CF_ACTOR_CONTROL, 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = peer_at(CF_ACTOR_ROOMS, (uint16_t)i);
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    lobby = peer_at(CF_ACTOR_LOBBY, 0);
    reader = peer_at(CF_ACTOR_READER, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    cf_control_config_t config = {.room_thread = {NODE, CF_ACTOR_ROOMS, 0},
                                  .room_threads = THREADS,
                                  .accounts = {NODE, CF_ACTOR_ACCOUNTS, 0},
                                  .lobby = {NODE, CF_ACTOR_LOBBY, 0},
                                  .reader = {NODE, CF_ACTOR_READER, 0},
                                  .storage = {NODE, CF_ACTOR_STORAGE, 0},
                                  .replay_us = replay_us,
                                  .actor = actor};
    cr_assert(eq(int, cf_local_server_open(&config.server, path), 0));
    cr_assert(eq(int, cf_control_new(&state, &config), 0));
    cf_actor_watch(actor, cf_control_fd(state), cf_control_readable);
    actor_run(actor, &cf_control_ops, state);
}

static void close_control(void)
{
    char command[160];
    actors_stop();
    cf_arena_free(&arena);
    cr_assert(eq(int, access(path, F_OK), -1)); /* it takes its file along */
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(eq(int, system(command), 0));
}

static int come(void)
{
    int fd = cf_local_client_connect(path);
    cr_assert(ge(int, fd, 0));
    return fd;
}

static void send_bytes(int fd, const void *bytes, size_t size)
{
    cr_assert(eq(int, cf_local_client_send(fd, bytes, size, cf_boot_us() + PEER_WAIT_MS * 1000),
                 (int)size));
}

static void ask(int fd, uint16_t type, uint64_t corr, const void *body)
{
    cf_buf_t frame = {0};
    cf_msg_t head = {.type = type,
                     .corr = corr,
                     .from = {0, CF_ACTOR_CONTROL, 0},
                     .to = {0, CF_ACTOR_CONTROL, 0}};
    cr_assert(eq(int, cf_msg_encode(&frame, &head, body), 0));
    send_bytes(fd, frame.data, frame.size);
    cf_buf_free(&frame);
}

/* The next answer has this type and correlation id? Its body goes to *body. */
static bool hears(int fd, uint16_t type, uint64_t corr, void *body)
{
    cf_msg_t msg;
    int size = cf_local_client_receive(fd, packet, sizeof packet,
                                       cf_boot_us() + PEER_WAIT_MS * INT64_C(1000));
    return size > 0 && cf_msg_decode(&msg, packet, (size_t)size) == 0 && msg.type == type &&
           msg.corr == corr && cf_msg_body(body, &msg, &arena) == 0;
}

/* Negative; 0: it was not refused. */
static int refusal(int fd, uint64_t corr)
{
    cf_refused_t refused;
    return hears(fd, CF_MSG_REFUSED, corr, &refused) ? -(int)refused.reason : 0;
}

static bool is_closed(int fd)
{
    return cf_local_client_receive(fd, packet, sizeof packet,
                                   cf_boot_us() + PEER_WAIT_MS * INT64_C(1000)) == CF_ECLOSING;
}

static const cf_top_rooms_t two = {.limit = 2};

static void answer_top(int thread, cf_top_room_t *rooms, uint32_t n)
{
    cf_msg_t msg;
    cf_top_rooms_t asked;
    cr_assert(peer_await_msg(threads[thread], CF_MSG_TOP_ROOMS, 0, &msg, &asked));
    cr_assert(eq(u32, asked.limit, 2));
    peer_answer(threads[thread], &msg, CF_MSG_ROOMS_TOP,
                &(cf_rooms_top_t){.active = 5, .rooms = {rooms, n}});
}

TestSuite(control, .init = open_control, .fini = close_control, .timeout = 60);

Test(control, the_busiest_rooms_of_all_threads_are_put_together)
{
    cf_rooms_top_t top;
    cf_top_room_t first[] = {{ROOM(1), 9, 1, 10}, {ROOM(2), 3, 7, 7}},
                  second[] = {{ROOM(3), 3, 8, 9}, {ROOM(4), 3, 7, 8}};
    int fd = come();
    ask(fd, CF_MSG_TOP_ROOMS, 7, &two);
    answer_top(0, first, 2);
    answer_top(1, second, 2);
    cr_assert(hears(fd, CF_MSG_ROOMS_TOP, 7, &top));
    const cf_top_room_t *rooms = top.rooms.items;
    cr_assert(eq(u32, top.rooms.n, 2));
    cr_assert(cf_id_equal(rooms[0].room, ROOM(1)));
    cr_assert(cf_id_equal(rooms[1].room, ROOM(3)));
    cr_assert(eq(u64, rooms[1].posts_last_minute, 8));
    cr_assert(eq(u64, rooms[1].posts, 9));
    cr_assert(eq(u64, top.active, 10));
    cr_assert(eq(u32, top.silent, 0));
}

Test(control, a_thread_that_does_not_answer_is_left_out_when_the_time_is_over)
{
    cf_rooms_top_t top;
    cf_top_room_t room[] = {{ROOM(1), 9, 1, 10}};
    int fd = come();
    ask(fd, CF_MSG_TOP_ROOMS, 1, &two);
    answer_top(1, room, 1);
    cr_assert(hears(fd, CF_MSG_ROOMS_TOP, 1, &top));
    cr_assert(eq(u32, top.rooms.n, 1));
    cr_assert(eq(u32, top.silent, 1));
    cf_msg_t late; /* concerns nobody any more */
    cr_assert(peer_await_msg(threads[0], CF_MSG_TOP_ROOMS, 0, &late, NULL));
    peer_answer(threads[0], &late, CF_MSG_ROOMS_TOP, &(cf_rooms_top_t){.active = 1});
    ask(fd, CF_MSG_TOP_ROOMS, 2, &two);
    answer_top(0, room, 1);
    answer_top(1, NULL, 0);
    cr_assert(hears(fd, CF_MSG_ROOMS_TOP, 2, &top));
    cr_assert(eq(u64, top.active, 10));
}

Test(control, who_is_to_be_disabled_or_enabled_is_passed_on_and_so_is_the_answer)
{
    static const uint16_t types[] = {CF_MSG_DISABLE, CF_MSG_ENABLE};
    const cf_username_t ann = {cf_str("ann")};
    cf_username_t asked;
    cf_msg_t msg;
    uint8_t nothing;
    int fd = come();
    for (uint64_t i = 0; i < 2; i++) {
        ask(fd, types[i], 10 + i, &ann);
        cr_assert(peer_await_msg(accounts, types[i], 0, &msg, &asked));
        cr_assert(cf_str_equal(asked.username, ann.username));
        peer_answer(accounts, &msg, CF_MSG_DONE, NULL);
        cr_assert(hears(fd, CF_MSG_DONE, 10 + i, &nothing));
        ask(fd, types[i], 20 + i, &ann);
        cr_assert(peer_await_msg(accounts, types[i], 0, &msg, NULL));
        peer_refuse(accounts, &msg, CF_ENOENT);
        cr_assert(eq(int, refusal(fd, 20 + i), CF_ENOENT));
    }
}

Test(control, takes_no_answer_from_a_node_that_was_not_asked)
{
    const cf_username_t ann = {cf_str("ann")};
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY);
    cf_msg_t msg;
    int fd = come();
    ask(fd, CF_MSG_DISABLE, 10, &ann);
    cr_assert(peer_await_msg(accounts, CF_MSG_DISABLE, 0, &msg, NULL));
    peer_answer(far, &msg, CF_MSG_DONE, NULL);
    ask(fd, CF_MSG_ENABLE, 11, &ann); /* by when it has been read */
    cr_assert(peer_await(accounts, CF_MSG_ENABLE, 0, NULL));
    peer_refuse(accounts, &msg, CF_ENOENT);
    cr_assert(eq(int, refusal(fd, 10), CF_ENOENT));
}

Test(control, accounts_that_do_not_answer_in_time_are_not_waited_for)
{
    const cf_username_t ann = {cf_str("ann")};
    uint8_t nothing;
    cf_msg_t late;
    int fd = come();
    ask(fd, CF_MSG_DISABLE, 1, &ann);
    cr_assert(eq(int, refusal(fd, 1), CF_ETIME));
    cr_assert(peer_await_msg(accounts, CF_MSG_DISABLE, 0, &late, NULL));
    peer_answer(accounts, &late, CF_MSG_DONE, NULL); /* concerns nobody any more */
    ask(fd, CF_MSG_DISABLE, 2, &ann);
    cr_assert(peer_await_msg(accounts, CF_MSG_DISABLE, 0, &late, NULL));
    peer_answer(accounts, &late, CF_MSG_DONE, NULL);
    cr_assert(hears(fd, CF_MSG_DONE, 2, &nothing));
}

/* Each of these is answered, counted, and the last that is heard of that client. */
static void is_refused_and_closed(const void *bytes, size_t size, int err)
{
    uint64_t before = actor_counter(actor, CF_M_CONTROL_REFUSED);
    int fd = come();
    send_bytes(fd, bytes, size);
    cr_assert(eq(int, refusal(fd, 0), err));
    cr_assert(is_closed(fd));
    cr_assert(eq(u64, actor_counter(actor, CF_M_CONTROL_REFUSED), before + 1));
    close(fd);
}

Test(control, bytes_that_are_no_request_are_refused_and_harm_nobody)
{
    uint8_t bytes[CF_LOCAL_PACKET_MAX + 1];
    cf_rooms_top_t top;
    int good = come();
    is_refused_and_closed("GET / HTTP/1.1\r\n\r\n", 18, CF_EPROTO);
    memset(bytes, 0xff, sizeof bytes);
    is_refused_and_closed(bytes, 1, CF_EPROTO);
    is_refused_and_closed(bytes, CF_MSG_HEAD_SIZE, CF_EPROTO);
    is_refused_and_closed(bytes, CF_LOCAL_PACKET_MAX, CF_EPROTO);
    is_refused_and_closed(bytes, CF_LOCAL_PACKET_MAX + 1, CF_ERANGE);
    memset(bytes, 0, sizeof bytes);
    is_refused_and_closed(bytes, 64, CF_EPROTO);
    ask(good, CF_MSG_TOP_ROOMS, 1, &two);
    answer_top(0, NULL, 0);
    answer_top(1, NULL, 0);
    cr_assert(hears(good, CF_MSG_ROOMS_TOP, 1, &top));
}

Test(control, a_request_of_another_version_or_with_another_body_is_refused)
{
    cf_buf_t frame = {0};
    cf_msg_t head = {
        .type = CF_MSG_TOP_ROOMS, .from = {0, CF_ACTOR_CONTROL, 0}, .to = {0, CF_ACTOR_CONTROL, 0}};
    cr_assert(eq(int, cf_msg_encode(&frame, &head, &two), 0));
    frame.data[0]++;
    is_refused_and_closed(frame.data, frame.size, CF_EPROTO);
    frame.data[0]--;
    frame.data[frame.size - 1] = CF_TOP_ROOMS_MAX + 1; /* the limit */
    is_refused_and_closed(frame.data, frame.size, CF_ERANGE);
    cf_buf_free(&frame);
}

Test(control, a_message_that_is_for_other_actors_is_refused)
{
    int fd = come();
    ask(fd, CF_MSG_STOP, 3, NULL);
    cr_assert(eq(int, refusal(fd, 3), CF_EPROTO));
    cr_assert(is_closed(fd));
}

Test(control, at_the_bound_of_requests_under_way_more_are_refused_and_the_client_stays)
{
    cf_rooms_top_t top;
    int fds[CF_CONTROL_REQUESTS_MAX / 8], n = CF_CONTROL_REQUESTS_MAX / 8;
    for (int i = 0; i < n; i++)
        fds[i] = come();
    for (int i = 0; i < CF_CONTROL_REQUESTS_MAX; i++)
        ask(fds[i % n], CF_MSG_TOP_ROOMS, (uint64_t)i + 1, &two);
    while (actor_counter(actor, CF_M_CONTROL_REQUESTS) < CF_CONTROL_REQUESTS_MAX)
        ; /* ends with the suite's time limit */
    ask(fds[0], CF_MSG_TOP_ROOMS, 1000, &two);
    cr_assert(eq(int, refusal(fds[0], 1000), CF_EFULL));
    answer_top(0, NULL, 0); /* of the oldest */
    answer_top(1, NULL, 0);
    cr_assert(hears(fds[0], CF_MSG_ROOMS_TOP, 1, &top));
    ask(fds[0], CF_MSG_TOP_ROOMS, 1001, &two);
    for (int i = 1; i < CF_CONTROL_REQUESTS_MAX + 1; i++)
        for (int thread = 0; thread < THREADS; thread++)
            answer_top(thread, NULL, 0);
    for (int i = 1; i < n; i++)
        cr_assert(hears(fds[i], CF_MSG_ROOMS_TOP, (uint64_t)i + 1, &top));
}

Test(control, one_client_too_many_is_told)
{
    int fds[CF_LOCAL_CLIENTS_MAX];
    for (int i = 0; i < CF_LOCAL_CLIENTS_MAX; i++)
        fds[i] = come();
    while (actor_counter(actor, CF_M_CONTROL_CLIENTS) < CF_LOCAL_CLIENTS_MAX)
        ; /* ends with the suite's time limit */
    int more = come();
    cr_assert(eq(int, refusal(more, 0), CF_EFULL));
    cr_assert(is_closed(more));
    close(more);
    for (int i = 0; i < CF_LOCAL_CLIENTS_MAX; i++)
        close(fds[i]);
}

Test(control, a_client_that_has_gone_leaves_nothing_behind)
{
    int fd = come();
    ask(fd, CF_MSG_TOP_ROOMS, 1, &two);
    cf_msg_t msg;
    cr_assert(peer_await_msg(threads[0], CF_MSG_TOP_ROOMS, 0, &msg, NULL));
    close(fd);
    while (actor_counter(actor, CF_M_CONTROL_CLIENTS) > 0)
        ; /* ends with the suite's time limit */
    peer_answer(threads[0], &msg, CF_MSG_ROOMS_TOP, &(cf_rooms_top_t){.active = 1});
    answer_top(1, NULL, 0);
    cr_assert(eq(u64, actor_counter(actor, CF_M_CONTROL_UNSENT), 0));
}

Test(control, what_comes_while_it_drains_is_refused_and_what_is_under_way_goes_on)
{
    cf_rooms_top_t top;
    int fd = come();
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    ask(fd, CF_MSG_TOP_ROOMS, 1, &two);
    answer_top(0, NULL, 0);
    peer_send(supervisor, CF_ACTOR_CONTROL, CF_MSG_DRAIN, 9, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 9, NULL));
    ask(fd, CF_MSG_TOP_ROOMS, 2, &two);
    cr_assert(eq(int, refusal(fd, 2), CF_ECLOSING));
    answer_top(1, NULL, 0);
    cr_assert(hears(fd, CF_MSG_ROOMS_TOP, 1, &top));
}

/* --- rooms that move ----------------------------------------------------------------------------
 */

static cf_msg_t asked_of_lobby(uint16_t type, void *body)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(lobby, type, 0, &msg, body));
    cr_assert(cf_id_equal(msg.room, ROOM(1)));
    return msg;
}

static void ask_move(int fd, const char *node)
{
    ask(fd, CF_MSG_MOVE_ROOM, 5, &(cf_move_room_t){ROOM(1), cf_str(node)});
}

/* The room is found at a thread of this node. */
static void lobby_finds(void)
{
    cf_msg_t msg = asked_of_lobby(CF_MSG_LOOKUP, NULL);
    cf_address_t at = {NODE, CF_ACTOR_ROOMS, 0};
    peer_answer(lobby, &msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(at)});
}

static void lobby_refuses(uint16_t type, void *body, int err)
{
    cf_msg_t msg = asked_of_lobby(type, body);
    peer_answer(lobby, &msg, CF_MSG_REFUSED, &(cf_refused_t){.reason = (uint32_t)-err});
}

static void lobby_moves(const char *node)
{
    cf_move_t move;
    cf_msg_t msg = asked_of_lobby(CF_MSG_MOVE, &move);
    cr_assert(cf_str_equal(move.node, cf_str(node)));
    cr_assert(eq(u64, move.address, 0));
    peer_answer(lobby, &msg, CF_MSG_DONE, NULL);
}

Test(control, a_room_has_moved_when_it_is_found_again)
{
    int fd = come();
    uint8_t nothing;
    ask_move(fd, "two");
    lobby_finds();
    lobby_moves("two");
    lobby_finds();
    cr_assert(hears(fd, CF_MSG_DONE, 5, &nothing));
}

Test(control, a_room_that_went_before_it_could_be_moved_is_looked_for_again)
{
    int fd = come();
    uint8_t nothing;
    cf_move_t move;
    ask_move(fd, "");
    lobby_finds();
    lobby_refuses(CF_MSG_MOVE, &move, CF_EMOVED);
    lobby_finds();
    lobby_moves("");
    lobby_finds();
    cr_assert(hears(fd, CF_MSG_DONE, 5, &nothing));
}

Test(control, why_a_room_does_not_move_is_told_apart)
{
    int fd = come();
    cf_move_t move;
    ask_move(fd, "two");
    lobby_refuses(CF_MSG_LOOKUP, NULL, CF_ENOENT);
    cr_assert(eq(int, refusal(fd, 5), CF_ENOENT)); /* no such room */
    static const struct {
        int said, told;
    } cases[] = {
        {CF_ENOENT, CF_EMOVED}, /* no such node */
        {CF_EEXIST, CF_EEXIST},
        {CF_EAGAIN, CF_EAGAIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask_move(fd, "two");
        lobby_finds();
        lobby_refuses(CF_MSG_MOVE, &move, cases[i].said);
        cr_assert(eq(int, refusal(fd, 5), cases[i].told));
    }
    ask_move(fd, "two");
    lobby_finds();
    lobby_moves("two");
    lobby_refuses(CF_MSG_LOOKUP, NULL, CF_EIO); /* it cannot be loaded there */
    cr_assert(eq(int, refusal(fd, 5), CF_EIO));
}

/* --- dead letters --------------------------------------------------------------------------------
 */

#define LETTER ((cf_id_t){{5, [15] = 1}})

static void open_hasty_control(void)
{
    replay_us = REPLAY_US;
    open_control();
}

TestSuite(replay, .init = open_control, .fini = close_control, .timeout = 60);
TestSuite(hasty_replay, .init = open_hasty_control, .fini = close_control, .timeout = 60);

static void reader_gives(const char *command)
{
    cf_msg_t msg;
    cf_find_dead_letter_t find;
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_DEAD_LETTER, 0, &msg, &find));
    cr_assert(cf_id_equal(find.id, LETTER));
    cf_dead_letter_t letter = {.id = LETTER,
                               .room = ROOM(1),
                               .command = cf_str(command),
                               .reason = cf_str("timed out"),
                               .attempts = 3};
    peer_answer(reader, &msg, CF_MSG_DEAD_LETTER_ROW, &letter);
}

static void lobby_places(uint16_t thread)
{
    cf_msg_t msg;
    cf_address_t at = {NODE, CF_ACTOR_ROOMS, thread};
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    cr_assert(cf_id_equal(msg.room, ROOM(1)));
    peer_answer(lobby, &msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(at)});
}

/* The RERUN that a room thread is sent; its body is borrowed from the peer. */
static cf_msg_t rerun_at(uint16_t thread, cf_rerun_t *rerun)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(threads[thread], CF_MSG_RERUN, 0, &msg, rerun));
    cr_assert(cf_id_equal(msg.room, ROOM(1)));
    return msg;
}

static cf_msg_t removal(void)
{
    cf_msg_t msg;
    cf_remove_dead_letter_t removed;
    cr_assert(peer_await_msg(storage, CF_MSG_REMOVE_DEAD_LETTER, 0, &msg, &removed));
    cr_assert(cf_id_equal(removed.id, LETTER));
    return msg;
}

static void room_reran(const char *failure)
{
    cf_rerun_t rerun;
    cf_msg_t msg = rerun_at(0, &rerun);
    peer_answer(threads[0], &msg, CF_MSG_RERAN, &(cf_reran_t){cf_str(failure)});
}

static void ask_replay(int fd, uint64_t corr)
{
    ask(fd, CF_MSG_REPLAY, corr, &(cf_replay_t){LETTER});
}

Test(replay, runs_the_command_in_its_room_and_then_removes_the_letter)
{
    cf_rerun_t rerun;
    cf_reran_t reran;
    int fd = come();
    ask_replay(fd, 7);
    reader_gives("/stock=AAPL.US");
    lobby_places(1);
    cf_msg_t msg = rerun_at(1, &rerun);
    cr_assert(cf_str_equal(rerun.type, cf_str("stock")));
    cr_assert(cf_str_equal(rerun.code, cf_str("AAPL.US")));
    cr_assert(not(cf_id_equal(rerun.id, LETTER))); /* whose failure the bot remembers */
    peer_answer(threads[1], &msg, CF_MSG_RERAN, &(cf_reran_t){0});
    msg = removal();
    peer_answer(storage, &msg, CF_MSG_DONE, NULL);
    cr_assert(hears(fd, CF_MSG_RERAN, 7, &reran));
    cr_assert(eq(u32, reran.failure.size, 0));
    cr_assert(eq(u64, actor_counter(actor, CF_M_LETTERS_ANSWERED), 1));
}

Test(replay, leaves_the_letter_when_it_fails_again_and_says_why)
{
    cf_reran_t reran;
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/stock=A");
    lobby_places(0);
    room_reran("HTTP status 500");
    cr_assert(hears(fd, CF_MSG_RERAN, 1, &reran));
    cr_assert(cf_str_equal(reran.failure, cf_str("HTTP status 500")));
    cr_assert(eq(u64, actor_counter(actor, CF_M_LETTERS_FAILED), 1));
    ask_replay(fd, 2); /* it may be tried again; storage has heard nothing */
    reader_gives("/stock=A");
    lobby_places(0);
    room_reran("");
    cf_msg_t msg;
    cr_assert(peer_next(storage, &msg) && msg.type == CF_MSG_REMOVE_DEAD_LETTER);
}

Test(replay, hands_on_a_kind_of_command_that_it_does_not_know)
{
    cf_rerun_t rerun;
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/weather");
    lobby_places(0);
    rerun_at(0, &rerun);
    cr_assert(cf_str_equal(rerun.type, cf_str("weather")));
    cr_assert(eq(u32, rerun.code.size, 0));
}

Test(replay, says_what_is_not_there_and_who_does_not_answer)
{
    cf_reran_t reran;
    cf_msg_t msg;
    cf_rerun_t rerun;
    int fd = come();
    ask_replay(fd, 1);
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_DEAD_LETTER, 0, &msg, NULL));
    peer_refuse(reader, &msg, CF_ENOENT);
    cr_assert(eq(int, refusal(fd, 1), CF_ENOENT));
    ask_replay(fd, 2);
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_DEAD_LETTER, 0, &msg, NULL));
    peer_refuse(reader, &msg, CF_EIO);
    cr_assert(eq(int, refusal(fd, 2), CF_EIO));
    ask_replay(fd, 3);
    reader_gives("/stock=A");
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    peer_refuse(lobby, &msg, CF_ENOENT);
    cr_assert(hears(fd, CF_MSG_RERAN, 3, &reran));
    cr_assert(cf_str_equal(reran.failure, cf_str("there is no such room any more")));
    ask_replay(fd, 4);
    reader_gives("/stock=A");
    lobby_places(0);
    msg = rerun_at(0, &rerun);
    peer_refuse(threads[0], &msg, CF_ETIME);
    cr_assert(eq(int, refusal(fd, 4), CF_ETIME));
    ask_replay(fd, 5);
    reader_gives("/"); /* which no bot of ours has written */
    cr_assert(eq(int, refusal(fd, 5), CF_EINTERNAL));
    cr_assert(eq(u64, actor_counter(actor, CF_M_LETTERS_REFUSED), 4));
}

Test(replay, follows_a_room_that_moves_with_the_same_command)
{
    cf_rerun_t rerun;
    cf_reran_t reran;
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/stock=A");
    lobby_places(0);
    cf_msg_t msg = rerun_at(0, &rerun);
    cf_id_t first = rerun.id;
    peer_answer(threads[0], &msg, CF_MSG_MOVED, NULL);
    lobby_places(1);
    msg = rerun_at(1, &rerun);
    cr_assert(cf_id_equal(rerun.id, first)); /* so the bot does not begin it again */
    peer_answer(threads[1], &msg, CF_MSG_RERAN, &(cf_reran_t){0});
    msg = removal();
    peer_answer(storage, &msg, CF_MSG_DONE, NULL);
    cr_assert(hears(fd, CF_MSG_RERAN, 1, &reran));
}

Test(replay, of_one_letter_twice_at_once_is_refused_until_the_first_has_ended)
{
    cf_reran_t reran;
    int first = come(), second = come();
    ask_replay(first, 1);
    reader_gives("/stock=A");
    ask_replay(second, 1);
    cr_assert(eq(int, refusal(second, 1), CF_EAGAIN));
    lobby_places(0);
    room_reran("");
    cf_msg_t msg = removal();
    ask_replay(second, 2); /* still: the letter is there */
    cr_assert(eq(int, refusal(second, 2), CF_EAGAIN));
    peer_answer(storage, &msg, CF_MSG_DONE, NULL);
    cr_assert(hears(first, CF_MSG_RERAN, 1, &reran));
    ask_replay(second, 3);
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_DEAD_LETTER, 0, &msg, NULL));
    peer_refuse(reader, &msg, CF_ENOENT);
    cr_assert(eq(int, refusal(second, 3), CF_ENOENT));
}

Test(replay, removes_the_letter_though_its_client_has_gone_and_storage_fails_at_first)
{
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/stock=A");
    close(fd);
    lobby_places(0);
    room_reran("");
    cf_msg_t msg = removal();
    peer_refuse(storage, &msg, CF_EIO);
    msg = removal();
    peer_answer(storage, &msg, CF_MSG_DONE, NULL);
    while (actor_counter(actor, CF_M_LETTERS_ANSWERED) < 1)
        ; /* ends with the suite's time limit */
}

Test(hasty_replay, is_given_up_when_its_time_is_over)
{
    cf_rerun_t rerun;
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/stock=A");
    lobby_places(0);
    cf_msg_t msg = rerun_at(0, &rerun);
    cr_assert(eq(int, refusal(fd, 1), CF_ETIME));
    peer_answer(threads[0], &msg, CF_MSG_RERAN, &(cf_reran_t){0}); /* late: it stays */
    ask_replay(fd, 2);
    reader_gives("/stock=A");
    cr_assert(eq(u64, actor_counter(actor, CF_M_LETTERS_REFUSED), 1));
}

Test(hasty_replay, whose_letter_cannot_be_removed_in_time_is_not_known_to_be_done)
{
    int fd = come();
    ask_replay(fd, 1);
    reader_gives("/stock=A");
    lobby_places(0);
    room_reran("");
    cf_msg_t msg = removal();
    peer_refuse(storage, &msg, CF_EIO);
    removal(); /* it is asked again, and says nothing */
    cr_assert(eq(int, refusal(fd, 1), CF_EUNCONFIRMED));
}
