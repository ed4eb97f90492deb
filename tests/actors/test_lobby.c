/* The lobby by messages alone, time as an argument: two gateways here and one of another node, three
 * room threads. */
#include "lobby.h"

#include "err.h"
#include "wire/control.h"
#include "wire/place.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>

#define GW1 ((cf_address_t){1, CF_ACTOR_GATEWAY, 0})
#define GW2 ((cf_address_t){1, CF_ACTOR_GATEWAY, 1})
#define FAR ((cf_address_t){2, CF_ACTOR_GATEWAY, 0})
#define THREAD(i) ((cf_address_t){1, CF_ACTOR_ROOMS, (i)})
#define FAR_THREAD ((cf_address_t){2, CF_ACTOR_ROOMS, 5})
#define READER ((cf_address_t){1, CF_ACTOR_READER, 0})
#define SUPERVISOR ((cf_address_t){1, CF_ACTOR_SUPERVISOR, 0})

static cf_lobby_config_t config;
static cf_lobby_t *lobby;
static cf_outbox_t *out, *scratch;
static cf_arena_t arena;
static int64_t now_us = 1000000;
static uint64_t asked;
static uint64_t open_corr[2000]; /* of the latest OPEN of each room */
static char shown[100000];
static size_t shown_size;

static void open_lobby(void)
{
    cf_address_t address = {1, CF_ACTOR_LOBBY, 0};
    config = (cf_lobby_config_t){.threads = {THREAD(0), THREAD(1), THREAD(2)},
                                 .thread_count = 3,
                                 .gateways = {GW1, GW2, FAR},
                                 .gateway_count = 3,
                                 .lookups_max = 3};
    cr_assert(cf_lobby_new(&lobby, &config) == 0);
    cr_assert(cf_outbox_new(&out, NULL, address) == 0);
    cr_assert(cf_outbox_new(&scratch, NULL, address) == 0);
}

static void close_lobby(void)
{
    cf_lobby_ops.destroy(lobby);
    cf_outbox_destroy(&out);
    cf_outbox_destroy(&scratch);
    cf_arena_free(&arena);
}

TestSuite(lobby, .init = open_lobby, .fini = close_lobby, .timeout = 60);

static cf_id_t room_id(uint32_t n)
{
    return (cf_id_t){{(uint8_t)(n >> 8), (uint8_t)n, 1}};
}

static uint32_t number_of(cf_id_t id)
{
    return (uint32_t)id.bytes[0] << 8 | id.bytes[1];
}

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){0, now_us, out, &arena, false};
}

/* corr 0: the next number. Returns what the handler returned. */
static int tell(cf_address_t from, uint16_t type, uint64_t corr, uint32_t room, const void *body)
{
    cf_msg_t msg, head = {.type = type,
                          .corr = corr ? corr : ++asked,
                          .from = from,
                          .to = cf_outbox_address(out),
                          .room = room_id(room)};
    cf_turn_t turn = turn_now();
    int rc = CF_EPROTO;
    cr_assert(cf_outbox_put(scratch, &head, body) == 0 && cf_outbox_take(scratch, &msg));
    for (const cf_handler_t *row = cf_lobby_ops.handlers; row->type; row++)
        if (row->type == type)
            rc = row->handle(lobby, &turn, &msg);
    cr_assert(cf_outbox_take(scratch, &msg) == false);
    return rc;
}

static int look_up(cf_address_t from, uint32_t room)
{
    return tell(from, CF_MSG_LOOKUP, 0, room, NULL);
}

static void opened(uint32_t room, cf_address_t by)
{
    tell(by, CF_MSG_DONE, open_corr[room], room, NULL);
}

static void retire(uint32_t room, cf_address_t from)
{
    tell(from, CF_MSG_RETIRE, UINT64_MAX, room, NULL);
}

static void forgotten(uint32_t room, cf_address_t from)
{
    tell(from, CF_MSG_FORGOTTEN, UINT64_MAX, room, NULL);
}

static int move(uint32_t room, cf_address_t to)
{
    return tell(SUPERVISOR, CF_MSG_MOVE, 0, room, &(cf_move_t){cf_address_pack(to)});
}

static void presence(uint32_t room, cf_address_t from, uint32_t connections)
{
    tell(from, CF_MSG_PRESENCE, UINT64_MAX, room, &(cf_presence_t){connections});
}

static void node_gone(uint32_t node)
{
    tell(SUPERVISOR, CF_MSG_NODE_GONE, UINT64_MAX, 0, &(cf_node_gone_t){node});
}

/* --- what it says ------------------------------------------------------------------------------
 */

static void show(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(shown + shown_size, sizeof shown - shown_size, format, args);
    va_end(args);
    cr_assert(n >= 0 && (size_t)n < sizeof shown - shown_size);
    shown_size += (size_t)n;
}

static void show_address(cf_address_t at)
{
    const char *kind = at.kind == CF_ACTOR_GATEWAY ? "gw"
                       : at.kind == CF_ACTOR_ROOMS ? "thread"
                                                   : cf_actor_name(at.kind);
    show("%s%s%u", at.node == 1 ? "" : "far-", kind, at.index);
}

static void show_counts(const cf_counts_t *counts)
{
    const cf_count_t *count = counts->counts.items;
    show(" [");
    for (uint32_t i = 0; i < counts->counts.n && i < 5; i++)
        show("%s%u:%u", i ? " " : "", number_of(count[i].room), count[i].connections);
    show("]%s", counts->counts.n > 5 ? "..." : "");
}

typedef union {
    cf_placed_t placed;
    cf_counts_t counts;
    cf_refused_t refused;
    cf_room_list_t list;
} body_t;

static void show_msg(const cf_msg_t *msg)
{
    body_t body;
    cr_assert(cf_msg_body(&body, msg, &arena) == 0);
    uint32_t room = number_of(msg->room);
    show_address(msg->to);
    show(" %s", cf_msg_name(msg->type));
    if (msg->type == CF_MSG_OPEN)
        open_corr[room] = msg->corr;
    if (msg->type == CF_MSG_COUNTS)
        show_counts(&body.counts);
    else if (msg->type == CF_MSG_PLACED || msg->type == CF_MSG_ROOM_LIST ||
             msg->type == CF_MSG_DONE || msg->type == CF_MSG_REFUSED)
        show(" #%llu", (unsigned long long)msg->corr);
    else
        show(" %u", room);
    if (msg->type == CF_MSG_PLACED) {
        show(" ");
        show_address(cf_address_unpack(body.placed.address));
    }
    const cf_room_entry_t *rooms = body.list.rooms.items;
    for (uint32_t i = 0; msg->type == CF_MSG_ROOM_LIST && i < body.list.rooms.n; i++)
        show(" %u:%u", number_of(rooms[i].id), rooms[i].connections);
}

static char *heard(void)
{
    cf_msg_t msg;
    shown_size = 0;
    shown[0] = '\0';
    while (cf_outbox_take(out, &msg)) {
        if (shown_size)
            show("; ");
        show_msg(&msg);
    }
    return shown;
}

/* Its timers at ms. */
static char *due_at(int64_t ms)
{
    now_us = 1000000 + ms * 1000;
    cf_turn_t turn = turn_now();
    cf_lobby_ops.due(lobby, &turn);
    char *said = heard();
    cf_arena_reset(&arena);
    return said;
}

/* Room n is open on a thread, nothing of it is left to hear. */
static void with_room(uint32_t n, cf_address_t at)
{
    look_up(GW1, n);
    heard();
    opened(n, at);
    heard();
    asked = 0;
}

/* --- places -------------------------------------------------------------------------------------
 */

Test(lobby, opens_a_room_and_says_where_it_is_once_its_thread_has_it)
{
    look_up(GW1, 1);
    look_up(GW2, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 1"));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #1 thread0; gw1 PLACED #2 thread0"));
    look_up(FAR, 1);
    cr_assert(eq(str, heard(), "far-gw0 PLACED #3 thread0"));
    opened(1, THREAD(0)); /* twice */
    cr_assert(eq(str, heard(), ""));
}

Test(lobby, places_rooms_on_the_least_loaded_thread)
{
    for (uint32_t n = 1; n <= 3; n++)
        look_up(GW1, n);
    cr_assert(eq(str, heard(), "thread0 OPEN 1; thread1 OPEN 2; thread2 OPEN 3"));
    for (uint32_t n = 1; n <= 3; n++)
        opened(n, THREAD((uint16_t)(n - 1)));
    heard();
    retire(2, THREAD(1));
    forgotten(2, GW1);
    forgotten(2, GW2);
    forgotten(2, FAR);
    heard();
    look_up(GW1, 4);
    cr_assert(eq(str, heard(), "thread1 OPEN 4")); /* where a room has gone */
}

Test(lobby, bounds_the_lookups_that_wait)
{
    for (uint32_t n = 1; n <= 3; n++)
        cr_assert(eq(int, look_up(GW1, n), 0));
    cr_assert(eq(int, look_up(GW2, 1), CF_EFULL));
    cr_assert(eq(int, look_up(GW2, 4), CF_EFULL)); /* one that would have to be opened */
    heard();
    opened(1, THREAD(0));
    heard();
    cr_assert(eq(int, look_up(GW2, 4), 0));
    cr_assert(eq(str, heard(), "thread0 OPEN 4"));
}

/* --- retiring -----------------------------------------------------------------------------------
 */

Test(lobby, frees_a_room_when_every_gateway_of_every_node_has_forgotten_it)
{
    with_room(1, THREAD(0));
    retire(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1; far-gw0 FORGET 1"));
    forgotten(1, GW1);
    forgotten(1, GW1); /* twice */
    forgotten(1, FAR);
    cr_assert(eq(str, heard(), ""));
    forgotten(1, GW2);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1"));
    look_up(GW1, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 1"));
}

Test(lobby, holds_lookups_while_a_room_retires_and_answers_with_its_new_place)
{
    with_room(1, THREAD(0));
    look_up(GW1, 2);
    opened(2, THREAD(1));
    retire(1, THREAD(0));
    heard();
    asked = 0;
    look_up(GW1, 1);
    look_up(GW2, 1);
    forgotten(1, GW1);
    forgotten(1, GW2);
    cr_assert(eq(str, heard(), ""));
    forgotten(1, FAR);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread0 OPEN 1"));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #1 thread0; gw1 PLACED #2 thread0"));
}

Test(lobby, lets_only_the_owner_retire_a_room)
{
    with_room(1, THREAD(0));
    retire(1, THREAD(1)); /* rooms that nobody knows of: let go, and nobody need forget them */
    retire(9, THREAD(0));
    cr_assert(eq(str, heard(), "thread1 RETIRED 1; thread0 RETIRED 9"));
    retire(1, THREAD(0));
    retire(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1; far-gw0 FORGET 1"));
}

Test(lobby, refuses_whoever_waits_for_a_room_that_cannot_be_loaded_and_opens_it_once)
{
    look_up(GW1, 1);
    look_up(GW2, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 1"));
    tell(THREAD(0), CF_MSG_REFUSED, open_corr[1], 1, &(cf_refused_t){.reason = -CF_ENOENT});
    cr_assert(eq(str, heard(), "gw0 REFUSED #1; gw1 REFUSED #2"));
    retire(1, THREAD(0)); /* what a second OPEN made of it, had it crossed the refusal */
    cr_assert(eq(str, heard(), "thread0 RETIRED 1"));
    look_up(GW1, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 1"));
}

Test(lobby, takes_a_thread_at_its_word_that_cannot_open_a_room)
{
    look_up(GW1, 1);
    heard();
    retire(1, THREAD(0)); /* instead of DONE */
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1; far-gw0 FORGET 1"));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), ""));
    forgotten(1, GW1);
    forgotten(1, GW2);
    forgotten(1, FAR);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread0 OPEN 1")); /* the lookup still waits */
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #1 thread0"));
}

/* --- moving -------------------------------------------------------------------------------------
 */

static void all_forget(uint32_t room)
{
    forgotten(room, GW1);
    forgotten(room, GW2);
    forgotten(room, FAR);
}

Test(lobby, moves_a_room_to_another_thread)
{
    with_room(1, THREAD(0));
    cr_assert(eq(int, move(1, THREAD(2)), 0));
    cr_assert(eq(str, heard(), "thread0 VACATE 1; supervisor0 DONE #1"));
    look_up(GW1, 1);
    cr_assert(eq(str, heard(), "gw0 PLACED #2 thread0")); /* it is still there */
    retire(1, THREAD(0));
    look_up(GW1, 1);
    heard();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread2 OPEN 1"));
    opened(1, THREAD(2));
    cr_assert(eq(str, heard(), "gw0 PLACED #3 thread2"));
}

Test(lobby, moves_a_room_to_another_node_though_nobody_waits_for_it)
{
    with_room(1, THREAD(0));
    move(1, FAR_THREAD);
    retire(1, THREAD(0));
    heard();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; far-thread5 OPEN 1"));
    opened(1, FAR_THREAD);
    look_up(GW1, 1);
    cr_assert(not(eq(ptr, strstr(heard(), "PLACED #2 far-thread5"), NULL)));
}

Test(lobby, refuses_to_move_what_is_not_there_or_to_where_no_rooms_are)
{
    cr_assert(eq(int, move(1, THREAD(1)), CF_ENOENT));
    with_room(1, THREAD(0));
    cr_assert(eq(int, move(1, GW1), CF_ERANGE));
    retire(1, THREAD(0));
    cr_assert(eq(int, move(1, THREAD(1)), CF_EAGAIN));
    heard();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1")); /* and goes nowhere */
}

/* --- lost nodes ---------------------------------------------------------------------------------
 */

Test(lobby, waits_for_no_gateway_of_a_lost_node)
{
    with_room(1, THREAD(0));
    retire(1, THREAD(0));
    forgotten(1, GW1);
    forgotten(1, GW2);
    heard();
    node_gone(2);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1"));
    with_room(2, THREAD(0));
    retire(2, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 FORGET 2; gw1 FORGET 2"));
}

Test(lobby, opens_a_lost_nodes_rooms_here)
{
    with_room(1, THREAD(0));
    move(1, FAR_THREAD);
    retire(1, THREAD(0));
    all_forget(1);
    opened(1, FAR_THREAD);
    heard();
    asked = 0;
    node_gone(2);
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1"));
    look_up(GW1, 1);
    forgotten(1, GW1);
    forgotten(1, GW2);
    cr_assert(eq(str, heard(), "thread0 OPEN 1")); /* nobody is left to be told RETIRED */
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #1 thread0"));
}

Test(lobby, opens_no_room_on_a_lost_node)
{
    with_room(1, THREAD(0));
    move(1, FAR_THREAD);
    heard();
    node_gone(2);
    retire(1, THREAD(0));
    look_up(GW1, 1);
    forgotten(1, GW1);
    forgotten(1, GW2);
    cr_assert(not(eq(ptr, strstr(heard(), "thread0 RETIRED 1; thread0 OPEN 1"), NULL)));
}

/* --- counts -------------------------------------------------------------------------------------
 */

Test(lobby, tells_counts_of_a_tenth_of_a_second_at_once)
{
    with_room(1, THREAD(0));
    with_room(2, THREAD(1));
    presence(1, THREAD(0), 1);
    cr_assert(eq(str, due_at(0), "gw0 COUNTS [1:1]; gw1 COUNTS [1:1]; far-gw0 COUNTS [1:1]"));
    presence(1, THREAD(0), 2);
    presence(2, THREAD(1), 7);
    cr_assert(eq(str, due_at(99), ""));
    presence(1, THREAD(0), 3);
    cr_assert(eq(str, due_at(100),
                 "gw0 COUNTS [1:3 2:7]; gw1 COUNTS [1:3 2:7]; "
                 "far-gw0 COUNTS [1:3 2:7]"));
    cr_assert(eq(str, due_at(300), "")); /* nothing has changed */
    presence(1, THREAD(0), 3);
    cr_assert(eq(str, due_at(500), ""));
    presence(1, THREAD(0), 0);
    cr_assert(not(eq(ptr, strstr(due_at(700), "gw0 COUNTS [2:7]"), NULL)));
}

Test(lobby, believes_counts_of_the_owner_alone)
{
    with_room(1, THREAD(0));
    presence(1, THREAD(1), 5);
    presence(3, THREAD(0), 5);
    cr_assert(eq(str, due_at(0), ""));
}

Test(lobby, counts_nobody_in_a_room_that_has_gone_or_moved)
{
    with_room(1, THREAD(0));
    presence(1, THREAD(0), 5);
    due_at(0);
    move(1, THREAD(1));
    retire(1, THREAD(0));
    heard();
    all_forget(1);
    heard();
    cr_assert(eq(str, due_at(200), "gw0 COUNTS []; gw1 COUNTS []; far-gw0 COUNTS []"));
}

Test(lobby, names_the_newest_500_rooms)
{
    for (uint32_t n = 1; n <= 600; n++) {
        uint16_t thread = (uint16_t)((n - 1) % 3);
        with_room(n, THREAD(thread));
        presence(n, THREAD(thread), n);
    }
    cf_turn_t turn = turn_now();
    cf_msg_t msg;
    cf_counts_t counts;
    cf_lobby_ops.due(lobby, &turn);
    cr_assert(cf_outbox_take(out, &msg) && msg.type == CF_MSG_COUNTS);
    cr_assert(eq(int, cf_msg_body(&counts, &msg, &arena), 0));
    const cf_count_t *count = counts.counts.items;
    cr_assert(eq(u32, counts.counts.n, 500));
    for (uint32_t i = 0; i < 500; i++)
        cr_assert(eq(u32, number_of(count[i].room), 600 - i)); /* newest first */
}

Test(lobby, fills_connections_into_a_room_list_and_sends_it_to_who_asked)
{
    with_room(1, THREAD(0));
    presence(1, THREAD(0), 4);
    cf_room_entry_t rooms[] = {{.id = room_id(2), .name = cf_str("b"), .connections = 99},
                               {.id = room_id(1), .name = cf_str("a")}};
    cf_room_list_t list = {cf_address_pack(GW2), true, {rooms, 2}};
    cr_assert(eq(int, tell(READER, CF_MSG_ROOM_LIST, 77, 0, &list), 0));
    cr_assert(eq(str, heard(), "gw1 ROOM_LIST #77 2:0 1:4"));
}
