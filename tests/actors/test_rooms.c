/* A room thread as a real thread: the test is the lobby, storage, a reader, two gateways and a
 * gateway of another node around it. */
#include "rooms.h"

#include "clock.h"
#include "metrics.h"
#include "peer.h"
#include "roles.h"
#include "store.h"
#include "wire/append.h"
#include "wire/bot.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define WINDOW_EVENTS 4
#define FAR_CONN 30

static cf_actor_t *actor;
static peer_t *lobby, *storage, *reader, *gw1, *gw2, *far;
static cf_room_config_t config = {
    .ring_events = 64,
    .ring_bytes = 1u << 20,
    .queue_posts = 64,
    .queue_bytes = 1u << 20,
    .commands_max = 4,
    .command_us = 30000000,
    .members_cache = 64,
    .verdict_timeout_us = 5000000,
    .answer_us = 5000000,
    .idle_us = INT64_C(3600000000),
    .lobby = {NODE, CF_ACTOR_LOBBY, 0},
    .storage = {NODE, CF_ACTOR_STORAGE, 0},
    .reader = {NODE, CF_ACTOR_READER, 0},
    .readers = 1,
};
#define NOBODY ((cf_activate_t){0}) /* has let a room go that is opened here */
static uint64_t corr;               /* of the latest request */

static void start(void)
{
    cf_rooms_t *state;
    actor = actor_at(CF_ACTOR_ROOMS, 0);
    lobby = peer_at(CF_ACTOR_LOBBY, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    reader = peer_at(CF_ACTOR_READER, 0);
    gw1 = peer_at(CF_ACTOR_GATEWAY, 0);
    gw2 = peer_at(CF_ACTOR_GATEWAY, 1);
    far = peer_at_other_node(CF_ACTOR_GATEWAY);
    cr_assert(eq(int, cf_rooms_new(&state, &config, WINDOW_EVENTS, 1u << 20, actor), 0));
    actor_run(actor, &cf_rooms_ops, state);
}

static void start_contained(void)
{
    peer_bus()->contain = true;
    start();
}

TestSuite(rooms_contained, .init = start_contained, .fini = actors_stop, .timeout = 120);
TestSuite(rooms, .init = start, .fini = actors_stop, .timeout = 120);

static cf_id_t room_id(uint8_t n)
{
    return (cf_id_t){{2, n}};
}
#define ROOM room_id(1)

static cf_id_t user_id(const peer_t *gateway)
{
    return (cf_id_t){{1, (uint8_t)gateway->address.node, (uint8_t)gateway->address.index}};
}

static uint64_t ask(peer_t *from, uint16_t type, cf_id_t room, const void *body)
{
    peer_send(from, CF_ACTOR_ROOMS, type, ++corr, room, body);
    return corr;
}

static void open_room(cf_id_t room, uint64_t epoch, bool ephemeral)
{
    cf_msg_t msg;
    uint64_t opening = ask(lobby, CF_MSG_OPEN, room, &NOBODY);
    cr_assert(peer_await_msg(storage, CF_MSG_ACTIVATE, 0, &msg, NULL));
    cf_activated_t activated = {.epoch = epoch, .ephemeral = ephemeral};
    peer_answer(storage, &msg, CF_MSG_ACTIVATED, &activated);
    cr_assert(peer_await(lobby, CF_MSG_DONE, opening, NULL));
}

/* A member comes to the room through a gateway; its connection is conn. */
static void attach(peer_t *gateway, cf_id_t room, uint64_t conn)
{
    cf_msg_t msg;
    cf_find_member_t find;
    uint64_t attaching =
        ask(gateway, CF_MSG_ATTACH, room,
            &(cf_attach_t){.conn = conn, .user = user_id(gateway), .username = cf_str("ann")});
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_MEMBER, 0, &msg, &find));
    peer_answer(reader, &msg, CF_MSG_MEMBER, &(cf_member_t){find.user, true, true});
    cr_assert(peer_await(gateway, CF_MSG_ATTACHED, attaching, NULL));
}

static uint64_t post(peer_t *gateway, cf_id_t room, uint64_t conn, const char *text)
{
    return ask(gateway, CF_MSG_POST, room,
               &(cf_post_msg_t){.conn = conn,
                                .sender = user_id(gateway),
                                .username = cf_str("ann"),
                                .kind = CF_POST_TEXT,
                                .text = cf_str(text)});
}

static void store_run(void)
{
    cf_msg_t msg;
    cf_append_t append;
    cr_assert(peer_await_msg(storage, CF_MSG_APPEND, 0, &msg, &append));
    peer_answer(storage, &msg, CF_MSG_VERDICT,
                &(cf_verdict_t){.status = CF_VERDICT_STORED, .stored = append.rows.n});
}

typedef struct {
    uint64_t events, bytes; /* received by this gateway */
    uint64_t last_seq;
} received_t;

/* Read everything the thread has sent to this gateway so far: up to the answer to a question asked
 * now. Posts must follow each other without a gap. */
static void catch_up(peer_t *gateway, received_t *received)
{
    cf_msg_t msg;
    cf_event_t event;
    uint64_t asking = ask(gateway, CF_MSG_CHECK, ROOM, &(cf_check_t){user_id(gateway)});
    while (peer_next(gateway, &msg) && msg.corr != asking) {
        if (msg.type != CF_MSG_EVENT)
            continue;
        received->events++;
        received->bytes += CF_MSG_HEAD_SIZE + (size_t)msg.size;
        cr_assert(eq(int, cf_msg_body(&event, &msg, &gateway->arena), 0));
        if (event.kind != CF_EVENT_POST)
            continue;
        cr_assert(eq(u64, event.post.seq, received->last_seq + 1));
        received->last_seq = event.post.seq;
    }
    cr_assert(eq(int, msg.type, CF_MSG_DONE));
}

static void confirm(peer_t *gateway, const received_t *received)
{
    peer_send(gateway, CF_ACTOR_ROOMS, CF_MSG_FLUSHED, 0, (cf_id_t){0},
              &(cf_flushed_t){received->events, received->bytes});
}

/* --- rooms that are not here --------------------------------------------------------------------
 */

Test(rooms, answers_every_request_for_a_room_it_does_not_have_with_moved)
{
    static const cf_check_t user = {{{1}}};
    const cf_attach_t attach_body = {.conn = 1, .user = user.user, .username = cf_str("ann")};
    const cf_post_msg_t post_body = {.conn = 1,
                                     .sender = user.user,
                                     .username = cf_str("ann"),
                                     .kind = CF_POST_TEXT,
                                     .text = cf_str("hi")};
    const cf_history_t history = {.user = user.user, .from = CF_POSTS_NEWEST, .limit = 1};
    const struct {
        uint16_t type;
        const void *body;
    } requests[] = {{CF_MSG_CHECK, &user},     {CF_MSG_JOIN, &user},
                    {CF_MSG_LEAVE, &user},     {CF_MSG_ATTACH, &attach_body},
                    {CF_MSG_POST, &post_body}, {CF_MSG_HISTORY, &history}};
    peer_t *const askers[] = {gw1, far};
    for (size_t a = 0; a < 2; a++)
        for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
            uint64_t asking = ask(askers[a], requests[i].type, room_id(99), requests[i].body);
            cr_assert(peer_expect(askers[a], CF_MSG_MOVED, asking, NULL), "%s",
                      cf_msg_name(requests[i].type));
        }
}

Test(rooms, confirms_an_open_that_comes_twice_and_activates_once)
{
    cf_msg_t msg, other;
    const cf_activated_t activated = {.epoch = 1};
    ask(lobby, CF_MSG_OPEN, ROOM, &NOBODY);
    uint64_t second = ask(lobby, CF_MSG_OPEN, ROOM, &NOBODY);
    ask(lobby, CF_MSG_OPEN, room_id(2), &NOBODY);
    cr_assert(peer_next(storage, &msg) && msg.type == CF_MSG_ACTIVATE &&
              cf_id_equal(msg.room, ROOM));
    peer_answer(storage, &msg, CF_MSG_ACTIVATED, &activated);
    cr_assert(peer_next(storage, &other) && other.type == CF_MSG_ACTIVATE &&
              cf_id_equal(other.room, room_id(2)));
    cr_assert(peer_expect(lobby, CF_MSG_DONE, second, NULL)); /* when it has loaded, not before */
    uint64_t third = ask(lobby, CF_MSG_OPEN, ROOM, &NOBODY);
    cr_assert(peer_expect(lobby, CF_MSG_DONE, third, NULL));
}

Test(rooms, refuses_the_open_of_a_room_that_cannot_be_loaded_and_frees_it)
{
    static const int errors[] = {CF_ENOENT, CF_EIO};
    cf_msg_t msg;
    for (size_t i = 0; i < 2; i++) {
        uint64_t opening = ask(lobby, CF_MSG_OPEN, ROOM, &NOBODY);
        cr_assert(peer_await_msg(storage, CF_MSG_ACTIVATE, 0, &msg, NULL));
        peer_refuse(storage, &msg, errors[i]);
        cr_assert(eq(int, peer_await_refusal(lobby, opening), errors[i]));
        cr_assert(eq(u64, actor_counter(actor, CF_M_ROOMS_ACTIVE), 0));
    }
    open_room(ROOM, 1, false);
    attach(gw1, ROOM, 1);
}

Test(rooms, says_whose_a_room_is_that_another_node_owns_and_frees_it)
{
    cf_msg_t msg;
    cf_owned_t owned;
    uint64_t opening = ask(lobby, CF_MSG_OPEN, ROOM, &NOBODY);
    cr_assert(peer_await_msg(storage, CF_MSG_ACTIVATE, 0, &msg, NULL));
    peer_answer(storage, &msg, CF_MSG_OWNED, &(cf_owned_t){OTHER_NODE});
    cr_assert(peer_expect(lobby, CF_MSG_OWNED, opening, &owned));
    cr_assert(eq(u32, owned.owner, OTHER_NODE));
    cr_assert(eq(u64, actor_counter(actor, CF_M_ROOMS_ACTIVE), 0));
    open_room(ROOM, 1, false);
}

Test(rooms, tells_storage_who_has_let_a_room_go)
{
    cf_msg_t msg;
    cf_activate_t activate;
    ask(lobby, CF_MSG_OPEN, ROOM, &(cf_activate_t){OTHER_NODE});
    cr_assert(peer_await_msg(storage, CF_MSG_ACTIVATE, 0, &msg, &activate));
    cr_assert(eq(u32, activate.from, OTHER_NODE));
}

Test(rooms, frees_a_room_that_has_retired_and_opens_it_anew)
{
    open_room(ROOM, 1, false);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_VACATE, 0, ROOM, &(cf_vacate_t){false});
    cr_assert(peer_await(lobby, CF_MSG_RETIRE, 0, NULL));
    uint64_t asking = ask(gw1, CF_MSG_CHECK, ROOM, &(cf_check_t){user_id(gw1)});
    cr_assert(peer_expect(gw1, CF_MSG_MOVED, asking, NULL));
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_RETIRED, 0, ROOM, NULL);
    asking = ask(gw1, CF_MSG_CHECK, ROOM, &(cf_check_t){user_id(gw1)});
    cr_assert(peer_expect(gw1, CF_MSG_MOVED, asking, NULL));
    open_room(ROOM, 2, false);
    attach(gw1, ROOM, 1);
}

/* --- windows ------------------------------------------------------------------------------------
 */

Test(rooms, keeps_a_window_for_every_gateway_of_every_node)
{
    received_t near = {0}, slow = {0}, remote = {0};
    open_room(ROOM, 1, false);
    attach(gw1, ROOM, 10);
    attach(gw2, ROOM, 20);
    attach(far, ROOM, FAR_CONN);
    for (int i = 0; i < 12; i++) {
        uint64_t posting = post(gw1, ROOM, 10, "hi");
        store_run();
        cr_assert(peer_await(gw1, CF_MSG_POSTED, posting, NULL));
        catch_up(gw1, &near);
        confirm(gw1, &near);
        catch_up(far, &remote);
        confirm(far, &remote);
        catch_up(gw2, &slow);
    }
    cr_assert(eq(u64, near.last_seq, 12));
    cr_assert(eq(u64, remote.last_seq, 12));
    cr_assert(eq(u64, slow.events, WINDOW_EVENTS));
    cr_assert(eq(u64, actor_counter(actor, CF_M_ROOM_LAG), 12 + 2 - WINDOW_EVENTS));
    while (slow.last_seq < 12) { /* from the ring, a window at a time */
        uint64_t before = slow.events;
        confirm(gw2, &slow);
        catch_up(gw2, &slow);
        cr_assert(le(u64, slow.events, before + WINDOW_EVENTS));
        cr_assert(gt(u64, slow.events, before));
    }
}

Test(rooms, goes_on_with_an_ephemeral_room_when_the_last_closed_window_opens)
{
    received_t first = {0}, second = {0};
    open_room(ROOM, 1, true);
    attach(gw1, ROOM, 10);
    attach(gw2, ROOM, 20);
    for (int i = 0; i < 8; i++)
        post(gw1, ROOM, 10, "hi"); /* both windows are closed by them */
    catch_up(gw1, &first);
    catch_up(gw2, &second);
    for (int i = 0; i < 20 && second.last_seq < 8; i++) {
        confirm(gw1, &first);
        catch_up(gw1, &first);
        confirm(gw2, &second);
        catch_up(gw2, &second);
    }
    cr_assert(eq(u64, second.last_seq, 8));
    catch_up(gw1, &first);
    cr_assert(eq(u64, first.last_seq, 8));
}

/* Read the answers to n posts at one gateway; each is POSTED. Events are counted. */
static void await_acks(peer_t *gateway, uint32_t n, received_t *received)
{
    cf_msg_t msg;
    while (n > 0) {
        cr_assert(peer_next(gateway, &msg));
        cr_assert(not(eq(int, msg.type, CF_MSG_REFUSED)));
        n -= msg.type == CF_MSG_POSTED;
        received->events += msg.type == CF_MSG_EVENT;
        received->bytes += msg.type == CF_MSG_EVENT ? CF_MSG_HEAD_SIZE + (size_t)msg.size : 0;
    }
}

Test(rooms, keeps_in_mind_that_one_room_waits_when_another_goes_on)
{
    received_t first = {0}, second = {0};
    open_room(room_id(1), 1, true);
    open_room(room_id(2), 1, true);
    attach(gw1, room_id(1), 10);
    attach(gw2, room_id(2), 20);
    for (int i = 0; i < 6; i++) {
        post(gw1, room_id(1), 10, "hi");
        post(gw2, room_id(2), 20, "hi");
    }
    await_acks(gw1, WINDOW_EVENTS, &first); /* joined, three posts, and one that is not shown yet */
    await_acks(gw2, WINDOW_EVENTS, &second);
    confirm(gw1, &first);
    await_acks(gw1, 2, &first);
    confirm(gw2, &second);
    await_acks(gw2, 2, &second);
}

Test(rooms, believes_no_confirmation_of_what_was_not_sent)
{
    received_t received = {0};
    open_room(ROOM, 1, false);
    attach(far, ROOM, FAR_CONN);
    for (int i = 0; i < 6; i++) {
        uint64_t posting = post(far, ROOM, FAR_CONN, "hi");
        store_run();
        (void)posting;
    }
    catch_up(far, &received);
    cr_assert(eq(u64, received.events, WINDOW_EVENTS));
    cf_flushed_t lie = {1000, 1000000};
    peer_send(far, CF_ACTOR_ROOMS, CF_MSG_FLUSHED, ++corr, (cf_id_t){0}, &lie);
    cr_assert(eq(int, peer_await_refusal(far, corr), CF_ERANGE));
    catch_up(far, &received);
    cr_assert(eq(u64, received.events, WINDOW_EVENTS)); /* it is still closed */
    cr_assert(eq(u64, actor_counter(actor, CF_M_MALFORMED), 1));
}

Test(rooms, keeps_no_window_for_who_confirms_what_was_never_sent_to_him)
{
    open_room(ROOM, 1, false);
    for (uint16_t i = 0; i < CF_GATEWAYS_MAX; i++) {
        cf_msg_t head = {.type = CF_MSG_FLUSHED,
                         .from = {OTHER_NODE, CF_ACTOR_GATEWAY, (uint16_t)(100 + i)},
                         .to = {NODE, CF_ACTOR_ROOMS, 0}};
        cr_assert(cf_outbox_put(far->out, &head, &(cf_flushed_t){0, 0}) == 0);
    }
    peer_flush(far);
    attach(far, ROOM, FAR_CONN); /* behind them, and there is a window for it */
    cr_assert(eq(u64, actor_counter(actor, CF_M_MALFORMED), CF_GATEWAYS_MAX));
}

/* --- crowds -------------------------------------------------------------------------------------
 */

#define PAUSE_US 50000 /* shorter than a tick, which would tell them too */

/* A room thread without its thread: time is an argument. */
static struct {
    cf_rooms_t *rooms;
    cf_outbox_t *out, *scratch;
    cf_arena_t arena;
    int64_t now_us;
    cf_msg_t said; /* the latest of the type that was asked for */
} still;

static cf_turn_t still_turn(void)
{
    return (cf_turn_t){.boot_us = still.now_us, .out = still.out, .arena = &still.arena};
}

/* How many messages of that type it has said since. */
static int has_said(uint16_t type)
{
    cf_msg_t msg;
    int n = 0;
    while (cf_outbox_take(still.out, &msg))
        if (msg.type == type) {
            still.said = msg;
            n++;
        }
    return n;
}

static void tell_still(uint16_t actor_kind, uint16_t type, uint64_t in_answer_to, const void *body)
{
    cf_turn_t turn = still_turn();
    cf_msg_t msg, head = {.type = type,
                          .corr = in_answer_to ? in_answer_to : ++corr,
                          .from = {NODE, actor_kind, 0},
                          .to = cf_outbox_address(still.out),
                          .room = ROOM};
    cr_assert(cf_outbox_put(still.scratch, &head, body) == 0 &&
              cf_outbox_take(still.scratch, &msg));
    for (const cf_handler_t *row = cf_rooms_ops.handlers; row->type; row++)
        if (row->type == type)
            cr_assert(eq(int, row->handle(still.rooms, &turn, &msg), 0));
    cf_rooms_ops.after_batch(still.rooms, &turn);
}

static int64_t due_still(void)
{
    cf_turn_t turn = still_turn();
    return cf_rooms_ops.due(still.rooms, &turn);
}

static void attach_still(uint64_t conn)
{
    tell_still(CF_ACTOR_GATEWAY, CF_MSG_ATTACH, 0,
               &(cf_attach_t){.conn = conn, .user = {{1}}, .username = cf_str("ann")});
}

static void open_still(void)
{
    cf_address_t address = {NODE, CF_ACTOR_ROOMS, 0};
    config.crowd = 2;
    config.crowd_pause_us = PAUSE_US;
    still.now_us = 1000000;
    cr_assert(eq(int, cf_rooms_new(&still.rooms, &config, WINDOW_EVENTS, 1u << 20, NULL), 0));
    cr_assert(cf_outbox_new(&still.out, NULL, address) == 0);
    cr_assert(cf_outbox_new(&still.scratch, NULL, address) == 0);
    tell_still(CF_ACTOR_LOBBY, CF_MSG_OPEN, 0, &NOBODY);
    cr_assert(eq(int, has_said(CF_MSG_ACTIVATE), 1));
    tell_still(CF_ACTOR_STORAGE, CF_MSG_ACTIVATED, still.said.corr, &(cf_activated_t){.epoch = 1});
    attach_still(10);
    cr_assert(eq(int, has_said(CF_MSG_FIND_MEMBER), 1));
    tell_still(CF_ACTOR_READER, CF_MSG_MEMBER, still.said.corr, &(cf_member_t){{{1}}, true, true});
    cr_assert(eq(int, has_said(CF_MSG_EVENT), 1));
    due_still(); /* the first tick */
}

static void close_still(void)
{
    cf_rooms_ops.destroy(still.rooms);
    cf_outbox_destroy(&still.out);
    cf_outbox_destroy(&still.scratch);
    cf_arena_free(&still.arena);
}

TestSuite(still_rooms, .init = open_still, .fini = close_still, .timeout = 60);

Test(still_rooms, tell_a_crowd_when_its_pause_is_over_and_no_earlier)
{
    int64_t told_us = still.now_us;
    attach_still(11);
    cr_assert(eq(int, has_said(CF_MSG_EVENT), 0));
    cr_assert(eq(i64, due_still(), told_us + PAUSE_US)); /* it wakes for that */
    still.now_us = told_us + PAUSE_US - 1;
    due_still();
    cr_assert(eq(int, has_said(CF_MSG_EVENT), 0));
    still.now_us = told_us + PAUSE_US;
    cr_assert(gt(i64, due_still(), still.now_us)); /* and has no reason to again */
    cr_assert(eq(int, has_said(CF_MSG_EVENT), 1));
}

/* --- other nodes --------------------------------------------------------------------------------
 */

Test(rooms, lets_members_of_a_lost_node_leave_every_room)
{
    cf_event_t event;
    cf_msg_t msg;
    for (uint8_t n = 1; n <= 2; n++) {
        open_room(room_id(n), 1, false);
        attach(gw1, room_id(n), n);
    }
    attach(far, room_id(1), FAR_CONN);
    attach(far, room_id(2), FAR_CONN + 1);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
              &(cf_node_gone_t){OTHER_NODE});
    received_t received = {0};
    for (int left = 0; left < 2; confirm(gw1, &received)) {
        cr_assert(peer_await_msg(gw1, CF_MSG_EVENT, 0, &msg, &event));
        left += event.kind == CF_EVENT_LEFT;
        received.events++;
        received.bytes += CF_MSG_HEAD_SIZE + (size_t)msg.size;
    }
}

static uint64_t command(uint8_t n)
{
    return ask(gw1, CF_MSG_COMMAND, ROOM,
               &(cf_command_t){.id = {{9, n}},
                               .conn = 1,
                               .sender = user_id(gw1),
                               .type = cf_str("hello"),
                               .code = cf_str("")});
}

Test(rooms, ask_the_bot_of_another_node_from_when_it_is_there_until_it_is_gone)
{
    cf_node_here_t here = {OTHER_NODE,
                           cf_str("other"),
                           cf_str("tcp://10.0.0.2:7000"),
                           cf_str("0123456789012345678901234567890123456789"),
                           CF_ROLE_STOCKBOT,
                           false};
    cf_ask_bot_t asked;
    open_room(ROOM, 1, false);
    attach(gw1, ROOM, 1);
    cr_assert(eq(int, peer_await_refusal(gw1, command(1)), CF_EAGAIN));
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_NODE_HERE, 0, (cf_id_t){0}, &here);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_NODE_HERE, 0, (cf_id_t){0},
              &here); /* also when told twice */
    uint64_t under_way = command(2);
    cr_assert(peer_await(far, CF_MSG_ASK_BOT, 0, &asked));
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
              &(cf_node_gone_t){OTHER_NODE});
    cr_assert(eq(int, peer_await_refusal(gw1, under_way), CF_EAGAIN));
    cr_assert(eq(int, peer_await_refusal(gw1, command(3)), CF_EAGAIN));
}

static uint64_t send_malformed(peer_t *from, uint16_t type, cf_id_t room)
{
    peer_send_malformed(from, CF_ACTOR_ROOMS, type, ++corr, room);
    return corr;
}

Test(rooms, refuses_and_counts_what_another_node_says_that_is_not_well_formed)
{
    static const uint16_t types[] = {CF_MSG_CHECK, CF_MSG_JOIN,    CF_MSG_LEAVE,  CF_MSG_ATTACH,
                                     CF_MSG_POST,  CF_MSG_HISTORY, CF_MSG_FLUSHED};
    size_t n = sizeof types / sizeof types[0];
    open_room(ROOM, 1, false);
    attach(far, ROOM, FAR_CONN);
    for (size_t i = 0; i < n; i++)
        cr_assert(eq(int, peer_await_refusal(far, send_malformed(far, types[i], ROOM)), CF_EPROTO));
    send_malformed(far, CF_MSG_VERDICT, ROOM); /* answered by nobody */
    send_malformed(far, CF_MSG_PAGE, ROOM);
    send_malformed(far, CF_MSG_MEMBER, ROOM);
    send_malformed(far, CF_MSG_ACTIVATED, ROOM);
    uint64_t posting = post(far, ROOM, FAR_CONN, "all is well");
    store_run();
    cr_assert(peer_await(far, CF_MSG_POSTED, posting, NULL));
    cr_assert(eq(u64, actor_counter(actor, CF_M_MALFORMED), n + 4));
}

Test(rooms_contained, puts_the_one_room_away_that_its_own_node_erred_about)
{
    cf_msg_t msg;
    open_room(ROOM, 1, false);
    attach(gw1, ROOM, 1);
    open_room(room_id(2), 1, false);
    attach(gw2, room_id(2), 2);
    cr_assert(
        eq(int, peer_await_refusal(gw1, send_malformed(gw1, CF_MSG_POST, ROOM)), CF_EINTERNAL));
    cr_assert(peer_await_msg(lobby, CF_MSG_RETIRE, 0, &msg, NULL));
    cr_assert(cf_id_equal(msg.room, ROOM));
    uint64_t posting = post(gw2, room_id(2), 2, "unimpressed");
    store_run();
    cr_assert(peer_await(gw2, CF_MSG_POSTED, posting, NULL));
    cr_assert(eq(u64, actor_counter(actor, CF_M_ROOMS_QUARANTINED), 1));
    cr_assert(eq(u64, actor_counter(actor, CF_M_QUARANTINED), 0)); /* the thread is well */
    posting = post(gw1, ROOM, 1, "hi");
    cr_assert(peer_await(gw1, CF_MSG_MOVED, posting, NULL));
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_RETIRED, 0, ROOM, NULL);
    open_room(ROOM, 2, false);
    attach(gw1, ROOM, 1);
}

/* --- draining -----------------------------------------------------------------------------------
 */

Test(rooms, has_drained_when_no_post_waits_for_its_commit)
{
    cf_msg_t msg;
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    open_room(ROOM, 1, false);
    attach(gw1, ROOM, 1);
    uint64_t first = post(gw1, ROOM, 1, "a");
    cr_assert(peer_await_msg(storage, CF_MSG_APPEND, 0, &msg, NULL));
    uint64_t second = post(gw1, ROOM, 1, "b"); /* of the next run */
    uint64_t draining = ask(supervisor, CF_MSG_DRAIN, (cf_id_t){0}, NULL);
    uint64_t probing = ask(supervisor, CF_MSG_PROBE, (cf_id_t){0}, NULL);
    cr_assert(peer_expect(supervisor, CF_MSG_PROBED, probing, NULL)); /* and not DRAINED */
    peer_answer(storage, &msg, CF_MSG_VERDICT,
                &(cf_verdict_t){.status = CF_VERDICT_STORED, .stored = 1});
    cr_assert(peer_await(gw1, CF_MSG_POSTED, first, NULL));
    probing = ask(supervisor, CF_MSG_PROBE, (cf_id_t){0}, NULL);
    cr_assert(peer_expect(supervisor, CF_MSG_PROBED, probing, NULL));
    store_run();
    cr_assert(peer_await(gw1, CF_MSG_POSTED, second, NULL));
    cr_assert(peer_expect(supervisor, CF_MSG_DRAINED, draining, NULL));
}

Test(rooms, without_rooms_has_drained_at_once)
{
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    uint64_t draining = ask(supervisor, CF_MSG_DRAIN, (cf_id_t){0}, NULL);
    cr_assert(peer_expect(supervisor, CF_MSG_DRAINED, draining, NULL));
}

/* --- the busiest ---------------------------------------------------------------------------------
 */

static void top(uint32_t limit, cf_rooms_top_t *out)
{
    peer_t *control = peer_at(CF_ACTOR_CONTROL, 0);
    uint64_t asking = ask(control, CF_MSG_TOP_ROOMS, (cf_id_t){0}, &(cf_top_rooms_t){limit});
    cr_assert(peer_await(control, CF_MSG_ROOMS_TOP, asking, out));
}

Test(rooms, tells_its_busiest_rooms_and_how_many_there_are)
{
    cf_rooms_top_t busiest;
    top(1, &busiest);
    cr_assert(eq(u32, busiest.rooms.n, 0));
    for (uint8_t n = 1; n <= 4; n++)
        open_room(room_id(n), 1, false);
    attach(gw1, room_id(2), 1);
    attach(gw1, room_id(3), 2);
    attach(gw2, room_id(3), 3);
    attach(gw1, room_id(4), 4);
    post(gw1, room_id(4), 4, "hi");
    store_run();
    top(CF_TOP_ROOMS_MAX, &busiest);
    const cf_top_room_t *rooms = busiest.rooms.items;
    static const uint8_t order[] = {3, 4, 2, 1}; /* connections, then posts, then age */
    cr_assert(eq(u64, busiest.active, 4));
    cr_assert(eq(u32, busiest.rooms.n, 4));
    for (int i = 0; i < 4; i++)
        cr_assert(cf_id_equal(rooms[i].room, room_id(order[i])), "%d", i);
    cr_assert(eq(u64, rooms[1].posts, 1));
    top(2, &busiest);
    rooms = busiest.rooms.items;
    cr_assert(eq(u32, busiest.rooms.n, 2));
    cr_assert(eq(u64, busiest.active, 4));
    cr_assert(cf_id_equal(rooms[1].room, room_id(4)));
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void lease_until(int64_t until_us)
{
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_LEASE, 0, (cf_id_t){0}, &(cf_lease_msg_t){until_us});
}

static void ask_without_lease(uint64_t asking)
{
    lease_until(1);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_TOP_ROOMS, asking, (cf_id_t){0}, &(cf_top_rooms_t){1});
}

Test(rooms, says_later_what_it_has_no_lease_to_say_or_takes_it_with_it)
{
    cf_rooms_top_t top;
    ask_without_lease(1);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_PROBE, 9, (cf_id_t){0}, NULL);
    cr_assert(peer_expect(lobby, CF_MSG_PROBED, 9,
                          NULL)); /* that it lives it says all the same, and first */
    lease_until(cf_boot_us() + INT64_C(3600000000));
    cr_assert(peer_expect(lobby, CF_MSG_ROOMS_TOP, 1, &top));
    ask_without_lease(2);
    peer_send(lobby, CF_ACTOR_ROOMS, CF_MSG_STOP, 3, (cf_id_t){0}, NULL);
    cr_assert(peer_expect(lobby, CF_MSG_STOPPED, 3, NULL));
    actor_join(actor);
}

Test(rooms, runs_the_timers_of_its_rooms)
{
    config.verdict_timeout_us = 1000; /* read by the rooms at every tick */
    cf_rooms_t *state;
    cf_actor_t *hasty = actor_at(CF_ACTOR_ROOMS, 1);
    cr_assert(eq(int, cf_rooms_new(&state, &config, WINDOW_EVENTS, 1u << 20, hasty), 0));
    actor_run(hasty, &cf_rooms_ops, state);
    cf_address_t to = cf_actor_address(hasty);
    cr_assert(eq(int, cf_outbox_send(lobby->out, to, CF_MSG_OPEN, 1, ROOM, &NOBODY), 0));
    peer_flush(lobby);
    cf_msg_t msg;
    cr_assert(peer_await_msg(storage, CF_MSG_ACTIVATE, 0, &msg, NULL));
    peer_answer(storage, &msg, CF_MSG_ACTIVATED, &(cf_activated_t){.epoch = 1});
    cf_attach_t attach_body = {.conn = 1, .user = user_id(gw1), .username = cf_str("ann")};
    cr_assert(eq(int, cf_outbox_send(gw1->out, to, CF_MSG_ATTACH, 2, ROOM, &attach_body), 0));
    peer_flush(gw1);
    cr_assert(peer_await_msg(reader, CF_MSG_FIND_MEMBER, 0, &msg, NULL));
    peer_answer(reader, &msg, CF_MSG_MEMBER, &(cf_member_t){user_id(gw1), true, true});
    cr_assert(peer_await(gw1, CF_MSG_ATTACHED, 2, NULL));
    cf_post_msg_t body = {.conn = 1,
                          .sender = user_id(gw1),
                          .username = cf_str("ann"),
                          .kind = CF_POST_TEXT,
                          .text = cf_str("hi")};
    cr_assert(eq(int, cf_outbox_send(gw1->out, to, CF_MSG_POST, 3, ROOM, &body), 0));
    peer_flush(gw1);
    cr_assert(eq(int, peer_await_refusal(gw1, 3), CF_EUNCONFIRMED)); /* storage says nothing */
}
