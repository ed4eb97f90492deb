/* The lobby by messages alone, time as an argument: two gateways here, three room threads, and other nodes, each with
 * a lobby and a gateway. */
#include "lobby.h"

#include "err.h"
#include "rendezvous.h"
#include "roles.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/place.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>

#define GW1 ((cf_address_t){1, CF_ACTOR_GATEWAY, 0})
#define GW2 ((cf_address_t){1, CF_ACTOR_GATEWAY, 1})
#define FAR ((cf_address_t){2, CF_ACTOR_GATEWAY, 0})
#define THREAD(i) ((cf_address_t){1, CF_ACTOR_ROOMS, (i)})
#define GATEWAY_OF(node) ((cf_address_t){(node), CF_ACTOR_GATEWAY, 0})
#define LOBBY_OF(node) ((cf_address_t){(node), CF_ACTOR_LOBBY, 0})
#define READER ((cf_address_t){1, CF_ACTOR_READER, 0})
#define CONTROL ((cf_address_t){1, CF_ACTOR_CONTROL, 0})
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
                                 .gateways = {GW1, GW2},
                                 .gateway_count = 2,
                                 .node = 1,
                                 .node_name = "one",
                                 .moving_max = 2,
                                 .hints_max = 2,
                                 .away_max = 2,
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
    return tell(CONTROL, CF_MSG_MOVE, 0, room, &(cf_move_t){.address = cf_address_pack(to)});
}

/* "": wherever it is wanted most. */
static int move_to(uint32_t room, const char *node)
{
    return tell(CONTROL, CF_MSG_MOVE, 0, room, &(cf_move_t){.node = cf_str(node)});
}

/* Room n's last words, of so many posts: as its thread says them, or a lobby that lets it go. */
static void hand_over(cf_address_t from, uint32_t room, uint32_t posts)
{
    cf_post_t post = {.kind = CF_POST_TEXT, .text = cf_str("t")};
    cf_handover_t body = {.epoch = 1, .numbered_in = 1, .last_seq = posts, .posts = {&post, posts}};
    tell(from, CF_MSG_HANDOVER, UINT64_MAX, room, &body);
}

static void presence(uint32_t room, cf_address_t from, uint32_t connections)
{
    tell(from, CF_MSG_PRESENCE, UINT64_MAX, room, &(cf_presence_t){connections});
}

static void node_gone(uint32_t node)
{
    tell(SUPERVISOR, CF_MSG_NODE_GONE, UINT64_MAX, 0, &(cf_node_gone_t){node});
}

static void node_here(uint32_t node)
{
    cf_msg_t msg;
    static const char *const names[] = {"", "one", "two", "three"};
    cf_node_here_t here = {node,
                           cf_str(names[node]),
                           cf_str("tcp://10.0.0.1:7000"),
                           cf_str("0123456789012345678901234567890123456789"),
                           CF_ROLES_ALL,
                           false};
    tell(SUPERVISOR, CF_MSG_NODE_HERE, UINT64_MAX, 0, &here);
    for (uint16_t i = 0; i < 2; i++) { /* both gateways hear of it first */
        cr_assert(cf_outbox_take(out, &msg) && msg.type == CF_MSG_NODE_HERE);
        cr_assert(cf_address_equal(msg.to, (cf_address_t){1, CF_ACTOR_GATEWAY, i}));
    }
}

typedef enum { OWNED = 1, LET_GO = 2 } seek_flags_t;

/* A LOOKUP of that node's gateway, sent on by its lobby. */
static int seek(uint32_t node, uint32_t room, uint32_t hops, int flags)
{
    cf_seek_t body = {cf_address_pack(GATEWAY_OF(node)), hops, flags & OWNED, flags & LET_GO};
    return tell(LOBBY_OF(node), CF_MSG_SEEK, 0, room, &body);
}

static void taken(uint32_t room, uint32_t by)
{
    tell(LOBBY_OF(by), CF_MSG_TAKEN, UINT64_MAX, room, NULL);
}

static void owned(uint32_t room, cf_address_t thread, uint32_t owner)
{
    tell(thread, CF_MSG_OWNED, open_corr[room], room, &(cf_owned_t){owner});
}

/* The first room past n whose node that is, of nodes 1 and 2 (and 3). */
static uint32_t room_of(uint32_t node, uint32_t n, uint32_t nodes)
{
    for (;;) {
        uint32_t best = 1;
        n++;
        for (uint32_t i = 2; i <= nodes; i++)
            if (cf_rendezvous(room_id(n), i) > cf_rendezvous(room_id(n), best))
                best = i;
        if (best == node)
            return n;
    }
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
    if (at.node > 2)
        show("%u:", at.node);
    show("%s%s%u", at.node == 2 ? "far-" : "", kind, at.index);
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
    cf_activate_t open;
    cf_seek_t seek;
    cf_node_gone_t gone;
    cf_handover_t handover;
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
             msg->type == CF_MSG_DONE || msg->type == CF_MSG_REFUSED || msg->type == CF_MSG_SEEK)
        show(" #%llu", (unsigned long long)msg->corr);
    else
        show(" %u", room);
    if (msg->type == CF_MSG_PLACED) {
        show(" ");
        show_address(cf_address_unpack(body.placed.address));
    }
    if (msg->type == CF_MSG_OPEN && body.open.from)
        show(" from %u", body.open.from);
    if (msg->type == CF_MSG_HANDOVER)
        show(" posts=%u", body.handover.posts.n);
    if (msg->type == CF_MSG_SEEK) {
        show(" %u hops=%u%s%s for ", room, body.seek.hops, body.seek.owned ? " owned" : "",
             body.seek.let_go ? " let go" : "");
        show_address(cf_address_unpack(body.seek.asker));
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

/* Room n is open on a thread, both gateways know it, nothing of it is left to hear. */
static void with_room(uint32_t n, cf_address_t at)
{
    look_up(GW1, n);
    heard();
    opened(n, at);
    look_up(GW2, n);
    heard();
    asked = 0;
}

/* And that of node 2. */
static void with_far(uint32_t n)
{
    node_here(2);
    seek(2, n, 1, 0);
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
    look_up(GW2, 1);
    cr_assert(eq(str, heard(), "gw1 PLACED #3 thread0"));
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
    with_far(1);
    retire(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1; far-gw0 FORGET 1"));
    forgotten(1, GW1);
    forgotten(1, GW1); /* twice */
    forgotten(1, FAR);
    cr_assert(eq(str, heard(), ""));
    forgotten(1, GW2);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1"));
}

Test(lobby, tells_forget_to_nobody_who_was_not_told_where_the_room_is)
{
    with_room(1, THREAD(0));
    look_up(GW2, 2);
    heard();
    opened(2, THREAD(1));
    heard();
    retire(2, THREAD(1));
    cr_assert(eq(str, heard(), "gw1 FORGET 2"));
    forgotten(2, GW2);
    cr_assert(eq(str, heard(), "thread1 RETIRED 2"));
    tell(SUPERVISOR, CF_MSG_LOOKUP, 0, 3, NULL); /* no gateway, which nobody needs to forget */
    heard();
    opened(3, THREAD(1));
    heard();
    retire(3, THREAD(1));
    cr_assert(eq(str, heard(), "thread1 RETIRED 3"));
}

/* Gateway i of 64 looks room n up, which is open. */
static void look_up_as(uint16_t i, uint32_t n)
{
    look_up((cf_address_t){1, CF_ACTOR_GATEWAY, i}, n);
}

Test(lobby, tells_as_many_gateways_as_it_can_count_and_those_of_others_when_a_node_is_gone)
{
    with_room(1, THREAD(0));
    with_far(1);
    for (uint16_t i = 2; i < CF_GATEWAYS_MAX - 1; i++)
        look_up_as(i, 1);
    heard();
    look_up_as(CF_GATEWAYS_MAX, 1);
    cr_assert(eq(str, strchr(heard(), ' '), " REFUSED #62"));
    node_gone(2);
    heard();
    look_up_as(CF_GATEWAYS_MAX, 1);
    cr_assert(eq(str, heard(), "gw64 PLACED #63 thread0"));
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
    cr_assert(eq(str, heard(), ""));
    forgotten(1, GW2);
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
    cr_assert(eq(str, heard(), "gw0 FORGET 1; gw1 FORGET 1"));
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
    retire(1, THREAD(0)); /* instead of DONE; nobody was told, and the lookup still waits */
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread0 OPEN 1"));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #1 thread0"));
}
/* --- moving -------------------------------------------------------------------------------------
 */

static void all_forget(uint32_t room)
{
    forgotten(room, GW1);
    forgotten(room, GW2);
}

Test(lobby, moves_a_room_to_another_thread_with_what_it_hands_over)
{
    with_room(1, THREAD(0));
    cr_assert(eq(int, move(1, THREAD(2)), 0));
    cr_assert(eq(str, heard(), "thread0 VACATE 1; control0 DONE #1"));
    look_up(GW1, 1); /* waits: where it is now it is not for long */
    cr_assert(eq(str, heard(), ""));
    hand_over(THREAD(1), 1, 1); /* which does not have it */
    hand_over(THREAD(0), 1, 0);
    retire(1, THREAD(0));
    heard();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread2 OPEN 1; thread2 HANDOVER 1 posts=0"));
    opened(1, THREAD(2));
    cr_assert(eq(str, heard(), "gw0 PLACED #2 thread2"));
}

/* Room 1 is on its way to node 2, and nothing of it is left to hear. */
static void moves_to_node_2(void)
{
    with_room(1, THREAD(0));
    node_here(2);
    cr_assert(eq(int, move_to(1, "two"), 0));
    hand_over(THREAD(0), 1, 1);
    retire(1, THREAD(0));
    heard();
    asked = 0;
}

Test(lobby, moves_a_room_to_another_node_with_those_who_wait_for_it)
{
    moves_to_node_2();
    look_up(GW1, 1);
    look_up(GW2, 1);
    all_forget(1);
    cr_assert(eq(str, heard(),
                 "thread0 RETIRED 1; far-lobby0 HANDOVER 1 posts=1; "
                 "far-lobby0 SEEK #1 1 hops=1 let go for gw0; "
                 "far-lobby0 SEEK #2 1 hops=1 let go for gw1"));
    look_up(GW1, 1); /* not here, before the other says so */
    cr_assert(eq(str, heard(), ""));
    taken(1, 2);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #3 1 hops=1 for gw0"));
}

Test(lobby, opens_a_room_at_its_new_node_also_if_nobody_waits_for_it_yet)
{
    moves_to_node_2();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; far-lobby0 HANDOVER 1 posts=1"));
    look_up(GW1, 1);
    cr_assert(eq(str, heard(), ""));
    taken(1, 2);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #1 1 hops=1 for gw0"));
}

Test(lobby, opens_a_room_here_with_what_it_has_kept_if_its_new_node_dies)
{
    moves_to_node_2();
    all_forget(1);
    heard();
    node_gone(2);
    cr_assert(eq(str, heard(),
                 "thread0 OPEN 1; thread0 HANDOVER 1 posts=1; gw0 NODE_GONE 0; gw1 NODE_GONE 0"));
}

Test(lobby, moves_a_room_to_where_it_is_wanted_most)
{
    uint32_t n = room_of(3, 0, 3);
    while (cf_rendezvous(room_id(n), 1) > cf_rendezvous(room_id(n), 2))
        n = room_of(3, n, 3); /* so that it is opened here only without the others */
    with_room(n, THREAD(0));
    node_here(2);
    node_here(3);
    cr_assert(eq(int, move_to(n, ""), 0));
    retire(n, THREAD(0));
    heard();
    all_forget(n);
    cr_assert(not(eq(ptr, strstr(heard(), "3:lobby0 HANDOVER"), NULL))); /* without anything */
}

Test(lobby, opens_a_room_that_another_lobby_hands_over_and_says_so)
{
    node_here(2);
    hand_over(LOBBY_OF(2), 1, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 1 from 2; thread0 HANDOVER 1 posts=1"));
    seek(2, 1, 1, LET_GO);
    cr_assert(eq(str, heard(), ""));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 1; far-gw0 PLACED #1 thread0"));
    hand_over(LOBBY_OF(2), 1, 1); /* of what is here */
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 1"));
    hand_over(LOBBY_OF(3), 2, 1); /* that of a node that is gone */
    cr_assert(eq(str, heard(), ""));
}

/* config: 2 */
Test(lobby, keeps_of_a_node_what_as_many_rooms_hand_over_as_may_move_at_a_time)
{
    node_here(2);
    node_here(3);
    hand_over(LOBBY_OF(2), 1, 1);
    hand_over(LOBBY_OF(2), 2, 1);
    hand_over(LOBBY_OF(2), 2, 1); /* again */
    heard();
    hand_over(LOBBY_OF(2), 3, 1);
    cr_assert(eq(str, heard(), "thread2 OPEN 3 from 2")); /* with what the store has */
    hand_over(LOBBY_OF(2), 3, 1);
    cr_assert(eq(str, heard(), ""));
    hand_over(LOBBY_OF(3), 4, 1);
    cr_assert(eq(str, heard(), "thread0 OPEN 4 from 3; thread0 HANDOVER 4 posts=1"));
    opened(1, THREAD(0));
    heard();
    hand_over(LOBBY_OF(2), 5, 1);
    cr_assert(not(eq(ptr, strstr(heard(), "HANDOVER 5 posts=1"), NULL)));
    node_gone(2);
    heard();
    opened(2, THREAD(1));
    hand_over(LOBBY_OF(3), 6, 1);
    cr_assert(not(eq(ptr, strstr(heard(), "HANDOVER 6 posts=1"), NULL)));
}

Test(lobby, hands_over_to_a_room_that_somebody_else_has_asked_for_first)
{
    node_here(2);
    node_here(3);
    seek(3, 1, 1, 0);
    cr_assert(eq(str, heard(), "thread0 OPEN 1"));
    hand_over(LOBBY_OF(2), 1, 1);
    cr_assert(eq(str, heard(), "thread0 HANDOVER 1 posts=1"));
    owned(1, THREAD(0), 2); /* as the store said before that */
    cr_assert(eq(str, heard(), "thread0 OPEN 1 from 2; thread0 HANDOVER 1 posts=1"));
}

Test(lobby, refuses_to_move_what_is_not_there_or_to_where_no_rooms_are)
{
    cr_assert(eq(int, move(1, THREAD(1)), CF_EMOVED));
    with_room(1, THREAD(0));
    cr_assert(eq(int, move(1, GW1), CF_ERANGE));
    cr_assert(eq(int, move(1, THREAD(3)), CF_ERANGE));
    cr_assert(eq(int, move(1, THREAD(0)), CF_EEXIST));
    cr_assert(eq(int, move_to(1, "one"), CF_EEXIST));
    cr_assert(eq(int, move_to(1, "two"), CF_ENOENT));
    cr_assert(eq(int, move_to(1, ""), CF_ENOENT));
    retire(1, THREAD(0));
    cr_assert(eq(int, move(1, THREAD(1)), CF_EAGAIN));
    heard();
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1")); /* and goes nowhere */
}

Test(lobby, moves_so_many_rooms_at_a_time)
{
    for (uint32_t n = 1; n <= 3; n++)
        with_room(n, THREAD(n - 1));
    cr_assert(eq(int, move(1, THREAD(1)), 0));
    cr_assert(eq(int, move(1, THREAD(1)), CF_EAGAIN));
    cr_assert(eq(int, move(2, THREAD(2)), 0));
    cr_assert(eq(int, move(3, THREAD(0)), CF_EAGAIN));
    retire(1, THREAD(0));
    all_forget(1);
    heard();
    cr_assert(eq(int, move(3, THREAD(0)), CF_EAGAIN));
    opened(1, THREAD(1));
    cr_assert(eq(int, move(3, THREAD(0)), 0));
}

/* --- draining ------------------------------------------------------------------------------------
 */

static void drain(void)
{
    cf_turn_t turn = turn_now();
    cf_lobby_ops.drain(lobby, &turn);
}

/* Its thread lets room n go, and all have forgotten it. */
static void lets_go(uint32_t n, cf_address_t thread)
{
    retire(n, thread);
    all_forget(n);
}

/* Rooms 1 to n, on the threads in turn, with a connection each; their counts have been told. */
static void with_visited(uint32_t n)
{
    for (uint32_t i = 1; i <= n; i++) {
        with_room(i, THREAD((i - 1) % 3));
        presence(i, THREAD((i - 1) % 3), 1);
    }
    due_at(0);
}

Test(lobby, that_drains_moves_what_has_connections_a_few_at_a_time_and_lets_the_rest_retire)
{
    with_visited(3);
    with_room(4, THREAD(0));
    node_here(2);
    due_at(100);
    drain();
    cr_assert(eq(str, due_at(101),
                 "far-lobby0 LEAVING 0; thread0 VACATE 4; thread0 VACATE 1; "
                 "thread1 VACATE 2"));
    lets_go(4, THREAD(0));
    heard();
    hand_over(THREAD(0), 1, 1);
    lets_go(1, THREAD(0));
    cr_assert(not(eq(ptr, strstr(heard(), "far-lobby0 HANDOVER 1 posts=1"), NULL)));
    cr_assert(eq(ptr, strstr(due_at(102), "VACATE"), NULL)); /* it is not there yet */
    taken(1, 2);
    cr_assert(not(eq(ptr, strstr(due_at(103), "thread2 VACATE 3"), NULL)));
}

Test(lobby, that_drains_opens_nothing_any_more)
{
    uint32_t n = room_of(1, 0, 2), far = room_of(2, 0, 2);
    node_here(2);
    drain();
    heard();
    asked = 0;
    look_up(GW1, n);
    look_up(GW1, far);
    char expected[128];
    snprintf(
        expected, sizeof expected,
        "far-lobby0 SEEK #1 %u hops=1 let go for gw0; far-lobby0 SEEK #2 %u hops=1 let go for gw0",
        n, far);
    cr_assert(eq(str, heard(), expected));
    seek(2, 77, 1, LET_GO); /* it had not heard that this one leaves */
    cr_assert(
        eq(str, heard(), "far-lobby0 TAKEN 77; far-lobby0 SEEK #3 77 hops=2 let go for far-gw0"));
}

Test(lobby, that_drains_lets_go_who_comes_back_or_was_only_opening)
{
    with_room(1, THREAD(0));
    look_up(GW1, 2);
    heard();
    node_here(2);
    drain();
    asked = 0;
    look_up(GW1, 1);
    due_at(1);
    lets_go(1, THREAD(0)); /* nobody was in it */
    cr_assert(eq(str, heard(),
                 "gw0 FORGET 1; gw1 FORGET 1; thread0 RETIRED 1; "
                 "far-lobby0 SEEK #1 1 hops=1 let go for gw0"));
    opened(2, THREAD(1));
    presence(2, THREAD(1), 1);
    cr_assert(not(eq(ptr, strstr(due_at(2), "thread1 VACATE 2"), NULL)));
}

Test(lobby, that_drains_gives_away_also_what_is_still_handed_over_to_it)
{
    node_here(2);
    node_here(3);
    drain();
    heard();
    hand_over(LOBBY_OF(2), 1, 1); /* it had not heard that this one leaves */
    opened(1, THREAD(0));
    heard();
    cr_assert(not(eq(ptr, strstr(due_at(1), "thread0 VACATE 1"), NULL)));
}

Test(lobby, that_drains_gives_a_room_to_another_node_if_the_one_that_was_to_have_it_dies)
{
    with_visited(1);
    node_here(2);
    heard();
    node_here(3);
    drain();
    heard();
    char *said = due_at(1);
    cr_assert(not(eq(ptr, strstr(said, "thread0 VACATE 1"), NULL)));
    hand_over(THREAD(0), 1, 1);
    lets_go(1, THREAD(0));
    bool is_near = strstr(heard(), "far-lobby0 HANDOVER 1") != NULL;
    node_gone(is_near ? 2 : 3);
    said = heard();
    cr_assert(not(
        eq(ptr,
           strstr(said, is_near ? "3:lobby0 HANDOVER 1 posts=1" : "far-lobby0 HANDOVER 1 posts=1"),
           NULL)));
}

Test(lobby, that_drains_alone_or_among_those_that_leave_keeps_its_rooms)
{
    with_visited(1);
    node_here(2);
    tell(LOBBY_OF(2), CF_MSG_LEAVING, UINT64_MAX, 0, NULL);
    heard();
    drain();
    cr_assert(eq(ptr, strstr(due_at(1), "VACATE"), NULL));
    look_up(GW1, 2);
    cr_assert(eq(str, heard(), "thread1 OPEN 2"));
    node_here(3); /* which comes when it has begun, and is told so */
    cr_assert(not(eq(ptr, strstr(heard(), "3:lobby0 LEAVING"), NULL)));
}

Test(lobby, gives_nothing_to_a_node_that_leaves)
{
    with_room(1, THREAD(0));
    node_here(2);
    tell(LOBBY_OF(2), CF_MSG_LEAVING, UINT64_MAX, 0, NULL);
    cr_assert(eq(int, move_to(1, "two"), CF_ENOENT));
    cr_assert(eq(int, move_to(1, ""), CF_ENOENT));
    look_up(GW1, room_of(2, 1, 2));
    cr_assert(eq(int, strncmp(heard(), "thread1 OPEN", 12), 0));
}

/* --- lost nodes ---------------------------------------------------------------------------------
 */

Test(lobby, waits_for_no_gateway_of_a_lost_node)
{
    with_room(1, THREAD(0));
    with_far(1);
    retire(1, THREAD(0));
    forgotten(1, GW1);
    forgotten(1, GW2);
    heard();
    node_gone(2);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; gw0 NODE_GONE 0; gw1 NODE_GONE 0"));
    with_room(2, THREAD(0));
    seek(2, 2, 1, 0); /* what it asked before it was gone */
    cr_assert(eq(str, heard(), "far-gw0 REFUSED #1"));
    retire(2, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 FORGET 2; gw1 FORGET 2"));
}
Test(lobby, opens_a_lost_nodes_rooms_here)
{
    uint32_t n = room_of(2, 0, 2);
    node_here(2);
    look_up(GW1, n);
    cr_assert(eq(int, strncmp(heard(), "far-lobby0 SEEK #1", 18), 0));
    node_gone(2);
    cr_assert(eq(str, heard(), "gw0 NODE_GONE 0; gw1 NODE_GONE 0")); /* so that they ask again */
    look_up(GW1, n);
    cr_assert(eq(int, strncmp(heard(), "thread0 OPEN", 12), 0));
}
Test(lobby, opens_no_room_on_a_lost_node)
{
    with_room(1, THREAD(0));
    node_here(2);
    move_to(1, "two");
    heard();
    node_gone(2);
    retire(1, THREAD(0));
    look_up(GW1, 1);
    forgotten(1, GW1);
    forgotten(1, GW2);
    cr_assert(not(eq(ptr, strstr(heard(), "thread0 RETIRED 1; thread0 OPEN 1"), NULL)));
}

/* --- other nodes --------------------------------------------------------------------------------
 */

Test(lobby, asks_the_preferred_node_for_a_room_that_is_not_here)
{
    uint32_t far = room_of(2, 0, 2), near = room_of(1, 0, 2);
    char expected[100];
    node_here(2);
    look_up(GW1, far);
    snprintf(expected, sizeof expected, "far-lobby0 SEEK #1 %u hops=1 for gw0", far);
    cr_assert(eq(str, heard(), expected));
    look_up(GW1, near);
    snprintf(expected, sizeof expected, "thread0 OPEN %u", near);
    cr_assert(eq(str, heard(), expected));
}

Test(lobby, spreads_rooms_evenly_and_moves_those_of_a_lost_node_alone)
{
    uint32_t rooms[4] = {0};
    for (uint32_t n = 1; n <= 30000; n++) {
        cf_id_t id = cf_id_new(INT64_C(1700000000000000) + n * 1000);
        uint32_t best = 1, without = 2;
        for (uint32_t i = 2; i <= 3; i++)
            if (cf_rendezvous(id, i) > cf_rendezvous(id, best))
                best = i;
        rooms[best]++;
        if (cf_rendezvous(id, 3) > cf_rendezvous(id, 2))
            without = 3;
        cr_assert(best == 1 || best == without);
    }
    for (uint32_t i = 1; i <= 3; i++)
        cr_assert(rooms[i] > 9000 && rooms[i] < 11000, "%u", rooms[i]);
}

Test(lobby, opens_a_room_that_another_lobby_asks_for_and_answers_who_wants_it)
{
    uint32_t n = room_of(2, 0, 2); /* also one that it would look for there itself */
    char expected[100];
    node_here(2);
    seek(2, n, 1, 0);
    heard();
    opened(n, THREAD(0));
    cr_assert(eq(str, heard(), "far-gw0 PLACED #1 thread0"));
    seek(2, n, 1, 0);
    cr_assert(eq(str, heard(), "far-gw0 PLACED #2 thread0"));
    look_up(GW1, n);
    retire(n, THREAD(0));
    snprintf(expected, sizeof expected, "gw0 PLACED #3 thread0; far-gw0 FORGET %u; gw0 FORGET %u",
             n, n);
    cr_assert(eq(str, heard(), expected));
}

Test(lobby, sends_a_lookup_on_to_the_owner_that_the_store_names_and_asks_there_the_next_time)
{
    uint32_t n = room_of(1, 0, 3);
    node_here(2);
    node_here(3);
    look_up(GW1, n);
    seek(3, n, 2, 0);
    heard();
    owned(n, THREAD(0), 2);
    cr_assert(eq(str, heard(),
                 "far-lobby0 SEEK #1 6 hops=1 owned for gw0; "
                 "far-lobby0 SEEK #2 6 hops=3 owned for 3:gw0"));
    look_up(GW1, n);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #3 6 hops=1 for gw0"));
    node_gone(2);
    heard();
    look_up(GW1, n);
    cr_assert(eq(str, heard(), "thread0 OPEN 6")); /* where no room is left */
}

Test(lobby, finds_the_new_owner_for_who_was_in_a_room_that_was_taken_over)
{
    with_room(1, THREAD(0));
    node_here(2);
    retire(1, THREAD(0)); /* its epoch was stale */
    heard();
    asked = 0;
    look_up(GW1, 1);
    all_forget(1);
    cr_assert(eq(str, heard(), "thread0 RETIRED 1; thread0 OPEN 1"));
    owned(1, THREAD(0), 2);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #1 1 hops=1 owned for gw0"));
}

Test(lobby,
     lets_go_what_the_store_says_is_its_and_it_has_not_and_opens_it_no_more_before_it_is_taken)
{
    node_here(2);
    seek(2, 1, 2, OWNED);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #1 1 hops=3 let go for far-gw0"));
    look_up(GW1, 1);
    cr_assert(eq(str, heard(), ""));
    seek(2, 1, 2, OWNED); /* another that waited there */
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #3 1 hops=3 let go for far-gw0"));
    cr_assert(eq(int, move(1, THREAD(1)), CF_EAGAIN));
    taken(1, 3); /* nobody it was let go for */
    cr_assert(eq(str, heard(), ""));
    taken(1, 2);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #2 1 hops=1 for gw0"));
    taken(1, 2);
    cr_assert(eq(str, heard(), ""));
}

Test(lobby, opens_what_it_let_go_if_who_wanted_it_is_gone)
{
    node_here(2);
    seek(2, 1, 2, OWNED);
    look_up(GW1, 1);
    heard();
    node_gone(2);
    cr_assert(eq(str, heard(), "thread0 OPEN 1; gw0 NODE_GONE 0; gw1 NODE_GONE 0"));
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #2 thread0"));
    node_here(3);
    seek(3, 2, 2, OWNED);
    heard();
    node_gone(3);
    heard();
    look_up(GW1, 2);
    cr_assert(eq(str, heard(), "thread1 OPEN 2"));
}

Test(lobby, does_not_let_a_room_go_that_it_has_or_for_a_node_that_it_does_not_know)
{
    with_room(1, THREAD(0));
    node_here(2);
    seek(2, 1, 2, OWNED);
    cr_assert(eq(str, heard(), "far-gw0 PLACED #1 thread0"));
    seek(3, 2, 2, OWNED);
    cr_assert(eq(str, heard(), "thread1 OPEN 2"));
}

Test(lobby, opens_what_was_let_go_for_it_and_says_when_it_has_it)
{
    node_here(2);
    seek(2, 1, 3, LET_GO);
    cr_assert(eq(str, heard(), "thread0 OPEN 1 from 2"));
    due_at(4900);
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(str, due_at(5100), "thread0 OPEN 1 from 2")); /* again, for want of an answer */
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 1; far-gw0 PLACED #1 thread0"));
    seek(2, 1, 3, LET_GO); /* it has it already */
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 1; far-gw0 PLACED #2 thread0"));
}

Test(lobby, says_taken_also_when_it_could_not_open_the_room)
{
    node_here(2);
    node_here(3);
    seek(2, 1, 3, LET_GO);
    heard();
    tell(THREAD(0), CF_MSG_REFUSED, open_corr[1], 1, &(cf_refused_t){.reason = -CF_EIO});
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 1; far-gw0 REFUSED #1"));
    seek(2, 2, 3, LET_GO);
    heard();
    owned(2, THREAD(0), 3); /* somebody else was faster */
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 2; 3:lobby0 SEEK #2 2 hops=4 owned for far-gw0"));
    for (uint32_t n = 3; n <= 5; n++)
        seek(2, n, 1, 0);
    heard();
    seek(2, 6, 1, LET_GO); /* no room for one more that waits */
    cr_assert(eq(str, heard(), "far-lobby0 TAKEN 6; far-gw0 REFUSED #6"));
}

Test(lobby, opens_a_room_again_that_was_let_go_while_the_store_was_asked)
{
    uint32_t n = room_of(1, 0, 3);
    node_here(2);
    node_here(3);
    look_up(GW1, n);
    heard();
    seek(2, n, 3, LET_GO);
    seek(3, n, 3, LET_GO); /* which cannot both have been right */
    cr_assert(eq(str, heard(), "3:lobby0 TAKEN 6"));
    owned(n, THREAD(0), 2);
    cr_assert(eq(str, heard(), "thread0 OPEN 6 from 2"));
    owned(n, THREAD(0), 3);
    cr_assert(eq(int, strncmp(heard(), "far-lobby0 TAKEN 6; 3:lobby0 SEEK", 33), 0));
}

Test(lobby, sends_no_lookup_on_for_ever)
{
    uint32_t n = room_of(1, 0, 2);
    node_here(2);
    seek(2, n, CF_SEEK_HOPS_MAX - 1, 0);
    heard();
    owned(n, THREAD(0), 2);
    cr_assert(eq(str, heard(), "far-lobby0 SEEK #1 3 hops=8 owned for far-gw0"));
    seek(2, n, CF_SEEK_HOPS_MAX, 0);
    heard();
    owned(n, THREAD(0), 2);
    cr_assert(eq(str, heard(), "far-gw0 REFUSED #2"));
    seek(2, n, CF_SEEK_HOPS_MAX, OWNED); /* nor is it let go for nobody */
    cr_assert(eq(str, heard(), "far-gw0 REFUSED #3"));
    seek(2, n, 1, 0);
    cr_assert(eq(str, heard(), "thread0 OPEN 3"));
}

Test(lobby, asks_the_store_again_whose_owner_has_just_changed)
{
    node_here(2);
    seek(2, 1, CF_SEEK_HOPS_MAX - 1, 0);
    heard();
    owned(1, THREAD(0), 0);
    cr_assert(eq(str, heard(), "lobby0 SEEK #1 1 hops=8 for far-gw0"));
}

Test(lobby, sends_nothing_to_an_owner_that_it_does_not_know_yet)
{
    look_up(GW1, 1);
    heard();
    owned(1, THREAD(0), 9);
    cr_assert(eq(str, heard(), "gw0 REFUSED #1"));
}

Test(lobby, forgets_the_oldest_hint)
{
    uint32_t rooms[3] = {0};
    char expected[60];
    node_here(2);
    for (uint32_t i = 0; i < 3; i++) {
        rooms[i] = room_of(1, i ? rooms[i - 1] : 0, 2);
        look_up(GW1, rooms[i]);
        heard();
        owned(rooms[i], THREAD(0), 2);
        heard();
    }
    for (uint32_t i = 3; i-- > 0;) {
        look_up(GW1, rooms[i]);
        if (i)
            snprintf(expected, sizeof expected, "far-lobby0 SEEK #%u %u hops=1 for gw0", 6 - i,
                     rooms[i]);
        else
            snprintf(expected, sizeof expected, "thread0 OPEN %u", rooms[i]);
        cr_assert(eq(str, heard(), expected));
    }
}

Test(lobby, answers_who_asks_again_once)
{
    look_up(GW1, 1);
    look_up(GW1, 1); /* a node was gone */
    heard();
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #2 thread0"));
}

Test(lobby, drops_what_a_lost_node_waits_for)
{
    node_here(2);
    seek(2, 1, 1, 0);
    look_up(GW1, 1);
    heard();
    node_gone(2);
    heard();
    opened(1, THREAD(0));
    cr_assert(eq(str, heard(), "gw0 PLACED #2 thread0"));
}

Test(lobby, refuses_what_no_lobby_says)
{
    cf_seek_t body = {cf_address_pack(GATEWAY_OF(2)), 1, false, false};
    node_here(2);
    cr_assert(eq(int, tell(GATEWAY_OF(2), CF_MSG_SEEK, 0, 1, &body), CF_ERANGE));
    cr_assert(eq(int, seek(2, 1, 1, OWNED | LET_GO), CF_ERANGE));
    cf_address_t nobody[] = {
        THREAD(0), /* nor who is not here: what is sent there would be kept for ever */
        {1, CF_ACTOR_GATEWAY, 2},
        {1, CF_ACTOR_CONTROL, 1},
        {2, CF_ACTOR_GATEWAY, CF_GATEWAYS_MAX}};
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        body.asker = cf_address_pack(nobody[i]);
        cr_assert(eq(int, tell(LOBBY_OF(2), CF_MSG_SEEK, 0, 1, &body), CF_ERANGE));
    }
    cr_assert(eq(str, heard(), ""));
}

/* --- counts -------------------------------------------------------------------------------------
 */

Test(lobby, tells_counts_of_a_tenth_of_a_second_at_once)
{
    with_room(1, THREAD(0));
    with_room(2, THREAD(1));
    presence(1, THREAD(0), 1);
    cr_assert(eq(str, due_at(0), "gw0 COUNTS [1:1]; gw1 COUNTS [1:1]"));
    presence(1, THREAD(0), 2);
    presence(2, THREAD(1), 7);
    cr_assert(eq(str, due_at(99), ""));
    presence(1, THREAD(0), 3);
    cr_assert(eq(str, due_at(100), "gw0 COUNTS [1:3 2:7]; gw1 COUNTS [1:3 2:7]"));
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
    cr_assert(eq(str, due_at(200), "gw0 COUNTS []; gw1 COUNTS []"));
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

/* Rooms first and up of another node, each with so many connections. */
static int away(uint32_t node, uint32_t first, uint32_t n, uint32_t connections)
{
    cf_count_t counts[3];
    cf_counts_t body = {{counts, n}};
    for (uint32_t i = 0; i < n; i++)
        counts[i] = (cf_count_t){room_id(first + i), connections};
    return tell(LOBBY_OF(node), CF_MSG_COUNTS, UINT64_MAX, 0, &body);
}

Test(lobby, counts_the_rooms_of_all_nodes)
{
    with_room(1, THREAD(0));
    presence(1, THREAD(0), 4);
    due_at(0);
    node_here(2);
    cr_assert(eq(str, heard(), "far-lobby0 COUNTS [1:4]")); /* all that is here */
    away(2, 7, 1, 5);
    cr_assert(eq(str, due_at(100), "gw0 COUNTS [1:4 7:5]; gw1 COUNTS [1:4 7:5]"));
    presence(1, THREAD(0), 6);
    cr_assert(eq(str, due_at(200),
                 "gw0 COUNTS [1:6 7:5]; gw1 COUNTS [1:6 7:5]; far-lobby0 COUNTS [1:6]"));
    cr_assert(eq(str, due_at(300), ""));
    cf_room_entry_t rooms[] = {{.id = room_id(7), .name = cf_str("b")},
                               {.id = room_id(1), .name = cf_str("a")}};
    cf_room_list_t list = {cf_address_pack(GW2), true, {rooms, 2}};
    tell(READER, CF_MSG_ROOM_LIST, 77, 0, &list);
    cr_assert(eq(str, heard(), "gw1 ROOM_LIST #77 7:5 1:6"));
    away(2, 7, 1, 0);
    cr_assert(eq(str, due_at(400), "gw0 COUNTS [1:6]; gw1 COUNTS [1:6]"));
}

Test(lobby, tells_other_lobbies_that_nobody_is_in_a_room_that_has_gone)
{
    node_here(2);
    seek(2, 1, 1, 0);
    heard();
    opened(1, THREAD(0));
    presence(1, THREAD(0), 4);
    due_at(0);
    retire(1, THREAD(0));
    forgotten(1, FAR);
    heard();
    cr_assert(eq(str, due_at(100), "gw0 COUNTS []; gw1 COUNTS []; far-lobby0 COUNTS [1:0]"));
}

Test(lobby, counts_a_room_that_moves_once_whoever_is_heard_first)
{
    node_here(2);
    node_here(3);
    away(2, 7, 1, 5);
    away(3, 7, 1, 6); /* it has it now */
    away(2, 7, 1, 0);
    cr_assert(eq(str, due_at(0), "gw0 COUNTS [7:6]; gw1 COUNTS [7:6]"));
    node_gone(2);
    heard();
    cr_assert(eq(str, due_at(100), ""));
    node_gone(3);
    heard();
    cr_assert(eq(str, due_at(200), "gw0 COUNTS []; gw1 COUNTS []"));
}

Test(lobby, counts_as_many_rooms_of_others_as_it_may)
{
    node_here(2);
    away(2, 7, 3, 5);
    cr_assert(eq(str, due_at(0), "gw0 COUNTS [7:5 8:5]; gw1 COUNTS [7:5 8:5]"));
    away(2, 7, 1, 0);
    away(2, 9, 1, 5);
    cr_assert(eq(str, due_at(100), "gw0 COUNTS [8:5 9:5]; gw1 COUNTS [8:5 9:5]"));
    cr_assert(eq(int, away(1, 7, 1, 5), CF_ERANGE)); /* its own */
    away(3, 9, 1, 1);                                /* and those of a node that it does not know */
    cr_assert(eq(str, due_at(200), ""));
}

Test(lobby, tells_a_new_node_of_all_rooms_in_pieces)
{
    for (uint32_t n = 1; n <= 600; n++) {
        with_room(n, THREAD((uint16_t)((n - 1) % 3)));
        presence(n, THREAD((uint16_t)((n - 1) % 3)), n);
    }
    node_here(2);
    cr_assert(eq(str, heard(),
                 "far-lobby0 COUNTS [1:1 2:2 3:3 4:4 5:5]...; "
                 "far-lobby0 COUNTS [501:501 502:502 503:503 504:504 505:505]..."));
}
