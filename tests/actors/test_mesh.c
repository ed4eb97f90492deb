/* The mesh by messages: nodes in one process, each with a bus of its own, linked over loopback; and peers whose frames are
 * made by hand. A LOOKUP of a gateway for the lobby of another node stands for everything that may cross. */
#include "mesh.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"
#include "roles.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/observe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define WAIT_US INT64_C(20000000)
#define STEP_MS 5
#define QUEUE_MAX (256 * 1024)
#define HAND 9 /* number of the first peer made by hand */
#define GATEWAYS 2

typedef struct {
    char secret_key[CF_NODE_KEY_SIZE + 1], public_key[CF_NODE_KEY_SIZE + 1];
} keys_t;

enum { ONE, TWO, BY_HAND, STRANGER, KEYS };
static keys_t keys[KEYS];
static const char *allowed[STRANGER]; /* of all but the last */

typedef struct {
    uint32_t number;
    cf_bus_t bus;
    cf_actor_t *actor;
    cf_inbox_t *lobby, *stats;
    cf_outbox_t *gateway_out, *nodes_out, *stats_out;
    cf_arena_t arena;
    char endpoint[CF_ENDPOINT_MAX], key[CF_NODE_KEY_SIZE + 1];
} node_t;

static node_t one = {.number = 1}, two = {.number = 2};
static cf_config_list_t peers; /* of whoever is opened */

static cf_curve_config_t curve_of(const keys_t *own)
{
    return (cf_curve_config_t){.listen = "127.0.0.1:0",
                               .secret_key = own->secret_key,
                               .allowed = allowed,
                               .allowed_count = STRANGER,
                               .frame_max = CF_MESH_FRAME_MAX,
                               .handshake_ms = 10000,
                               .heartbeat_ms = 1000,
                               .silence_ms = 3000};
}

static cf_address_t of(const node_t *self, cf_actor_kind_t kind)
{
    return (cf_address_t){self->number, kind, 0};
}

static void open_node(node_t *self, const keys_t *own)
{
    cf_mesh_t *mesh;
    cr_assert(cf_bus_init(&self->bus, self->number) == 0);
    self->bus.has_mesh = true;
    cr_assert(cf_actor_new(&self->actor, &self->bus, of(self, CF_ACTOR_MESH)) == 0);
    cr_assert(cf_inbox_open(&self->lobby, &self->bus, of(self, CF_ACTOR_LOBBY)) == 0);
    cr_assert(cf_inbox_open(&self->stats, &self->bus, of(self, CF_ACTOR_STATS)) == 0);
    cr_assert(cf_outbox_new(&self->gateway_out, &self->bus, of(self, CF_ACTOR_GATEWAY)) == 0);
    cr_assert(cf_outbox_new(&self->nodes_out, &self->bus, of(self, CF_ACTOR_NODES)) == 0);
    cr_assert(cf_outbox_new(&self->stats_out, &self->bus, of(self, CF_ACTOR_STATS)) == 0);
    static const cf_mesh_told_t told[] = {{CF_ACTOR_LOBBY, CF_ROLE_ROOMS}};
    cf_mesh_config_t config = {
        .actor = self->actor,
        .bus = &self->bus,
        .curve = curve_of(own),
        .peers = peers,
        .queue_max = QUEUE_MAX,
        .actors = {[CF_ACTOR_LOBBY] = 1, [CF_ACTOR_GATEWAY] = GATEWAYS, [CF_ACTOR_ROOMS] = 1},
        .told = told,
        .told_count = 1};
    cr_assert(eq(int, cf_mesh_new(&mesh, &config), 0));
    strcpy(self->endpoint, cf_mesh_endpoint(mesh));
    strcpy(self->key, cf_mesh_public_key(mesh));
    cr_assert(eq(int, cf_actor_start(self->actor, &cf_mesh_ops, mesh, NULL), 0));
}

static void close_node(node_t *self)
{
    if (!self->actor)
        return;
    cf_outbox_send(self->stats_out, of(self, CF_ACTOR_MESH), CF_MSG_STOP, 1, (cf_id_t){0}, NULL);
    cf_outbox_flush(self->stats_out);
    cf_actor_join(&self->actor);
    cf_outbox_destroy(&self->gateway_out);
    cf_outbox_destroy(&self->nodes_out);
    cf_outbox_destroy(&self->stats_out);
    cf_inbox_close(&self->lobby);
    cf_inbox_close(&self->stats);
    cf_arena_free(&self->arena);
    cf_bus_close(&self->bus);
}

static void begin(void)
{
    for (size_t i = 0; i < KEYS; i++)
        cr_assert(cf_curve_new_keys(keys[i].secret_key, keys[i].public_key) == 0);
    for (size_t i = 0; i < STRANGER; i++)
        allowed[i] = keys[i].public_key;
    open_node(&one, &keys[ONE]);
}

static void close_hand(void);

static void end(void)
{
    close_hand();
    close_node(&one);
    close_node(&two);
}

TestSuite(mesh, .init = begin, .fini = end, .timeout = 120);

/* --- what actors of a node say and hear ------------------------------------------------------------
 */

static uint32_t roles = CF_ROLES_ALL; /* of whoever comes */

static void tell_here(node_t *self, uint32_t number, const char *endpoint, const char *key,
                      bool came_before)
{
    cf_node_here_t here = {number,      cf_str("other"), cf_str(endpoint),
                           cf_str(key), roles,           came_before};
    cr_assert(cf_outbox_send(self->nodes_out, of(self, CF_ACTOR_MESH), CF_MSG_NODE_HERE, 0,
                             (cf_id_t){0}, &here) == 0);
    cf_outbox_flush(self->nodes_out);
}

static void tell_gone(node_t *self, uint32_t number)
{
    cr_assert(cf_outbox_send(self->nodes_out, of(self, CF_ACTOR_MESH), CF_MSG_NODE_GONE, 0,
                             (cf_id_t){0}, &(cf_node_gone_t){number}) == 0);
    cf_outbox_flush(self->nodes_out);
}

/* Two came later, so it connects. */
static void join_two(void)
{
    open_node(&two, &keys[TWO]);
    tell_here(&one, two.number, two.endpoint, two.key, false);
    tell_here(&two, one.number, one.endpoint, one.key, true);
}

static void look_up(node_t *self, uint32_t at, uint64_t corr)
{
    cr_assert(cf_outbox_send(self->gateway_out, (cf_address_t){at, CF_ACTOR_LOBBY, 0},
                             CF_MSG_LOOKUP, corr, (cf_id_t){0}, NULL) == 0);
}

/* The next message for an inbox; false: none came. */
static bool next(cf_inbox_t *inbox, cf_msg_t *msg)
{
    bool ignored;
    cf_inbox_release(inbox);
    for (int64_t until_us = cf_boot_us() + WAIT_US; cf_boot_us() < until_us;) {
        if (cf_inbox_read(inbox, msg) == 1)
            return true;
        cf_inbox_wait(inbox, -1, false, 1000, &ignored);
    }
    return false;
}

/* The next LOOKUP that the lobby gets is this one, from a gateway of that node. */
static bool is_next(node_t *self, uint32_t from, uint64_t corr)
{
    cf_msg_t msg;
    bool came;
    do
        came = next(self->lobby, &msg);
    while (came && (msg.type == CF_MSG_NODE_HERE || msg.type == CF_MSG_NODE_GONE));
    return came && msg.type == CF_MSG_LOOKUP && msg.corr == corr &&
           cf_address_equal(msg.from, (cf_address_t){from, CF_ACTOR_GATEWAY, 0});
}

/* The lobby has got nothing but word of nodes. */
static bool is_silent(node_t *self)
{
    cf_msg_t msg;
    while (cf_inbox_read(self->lobby, &msg) == 1)
        if (msg.type != CF_MSG_NODE_HERE && msg.type != CF_MSG_NODE_GONE)
            return false;
    return true;
}

static uint64_t counter(node_t *self, cf_metric_t slot)
{
    cf_msg_t msg;
    cf_probed_t probed;
    cf_outbox_send(self->stats_out, of(self, CF_ACTOR_MESH), CF_MSG_PROBE, 1, (cf_id_t){0}, NULL);
    cf_outbox_flush(self->stats_out);
    cr_assert(next(self->stats, &msg) && msg.type == CF_MSG_PROBED);
    cr_assert(cf_msg_body(&probed, &msg, &self->arena) == 0);
    const cf_counter_t *counters = probed.counters.items;
    for (uint32_t i = 0; i < probed.counters.n; i++)
        if (counters[i].slot == slot)
            return counters[i].value;
    return 0;
}

/* --- a peer by hand ---------------------------------------------------------------------------------
 */

static struct {
    uint32_t number; /* HAND, and one more whenever it is another one */
    cf_bus_t bus;
    cf_curve_t *curve;
    cf_way_t way;
    bool has_way;
    cf_reliable_t *reliable;
    uint64_t heard[4096]; /* corr of what came, in order */
    uint32_t count;
} hand;

static void open_hand(const keys_t *own, const char *listen)
{
    cf_curve_config_t config = curve_of(own);
    config.listen = listen;
    cr_assert(eq(int, cf_curve_open(&hand.curve, &hand.bus, &config), 0));
}

/* With nothing said yet. */
static void begin_anew(void)
{
    cf_reliable_config_t config = {.me = hand.number,
                                   .peer = one.number,
                                   .bytes_max = 1 << 20,
                                   .again_us = 200000,
                                   .confirm_us = 1000,
                                   .idle_us = 200000};
    cf_reliable_destroy(&hand.reliable);
    cr_assert(cf_reliable_new(&hand.reliable, &config, cf_boot_us()) == 0);
}

static void new_hand(const keys_t *own)
{
    hand.number = HAND;
    cr_assert(cf_bus_init(&hand.bus, HAND) == 0);
    begin_anew();
    open_hand(own, "127.0.0.1:0");
}

static void close_hand(void)
{
    cf_reliable_destroy(&hand.reliable);
    cf_curve_close(&hand.curve);
    cf_bus_close(&hand.bus);
}

static void dial(void)
{
    hand.way = (cf_way_t){0};
    cr_assert(eq(int, cf_curve_dial(hand.curve, &hand.way.line, one.endpoint, one.key), 0));
    hand.has_way = true;
}

/* What is on its way, both ways. */
static void go_on(void)
{
    cf_curve_frame_t in;
    const uint8_t *frame;
    size_t size;
    cf_curve_wait(hand.curve, -1, STEP_MS);
    while (cf_curve_read(hand.curve, &in) == 1) {
        if (!hand.way.line) {
            hand.way = in.way;
            hand.has_way = true;
        }
        cf_msg_t msg;
        if (cf_reliable_read(hand.reliable, in.bytes, in.size, cf_boot_us(), &frame, &size) == 1)
            for (size_t at = 0; at < size; at += cf_msg_frame_size(frame + at)) {
                cr_assert(cf_msg_decode(&msg, frame + at, cf_msg_frame_size(frame + at)) == 0);
                hand.heard[hand.count++] = msg.corr;
            }
    }
    while (hand.has_way && cf_reliable_next(hand.reliable, cf_boot_us(), &frame, &size) &&
           cf_curve_send(hand.curve, &hand.way, frame, size) == 1)
        cf_reliable_sent(hand.reliable, cf_boot_us());
}

static bool hears(uint32_t count)
{
    for (int64_t until_us = cf_boot_us() + WAIT_US; hand.count < count && cf_boot_us() < until_us;)
        go_on();
    return hand.count == count;
}

static uint64_t await_counter(node_t *self, cf_metric_t slot, uint64_t value)
{
    uint64_t found = 0;
    for (int64_t until_us = cf_boot_us() + WAIT_US;
         (found = counter(self, slot)) != value && cf_boot_us() < until_us;)
        if (hand.curve)
            go_on();
    return found;
}

static bool send_raw(const void *frame, size_t size)
{
    int rc = 0;
    for (int64_t until_us = cf_boot_us() + WAIT_US; rc == 0 && cf_boot_us() < until_us;)
        if ((rc = cf_curve_send(hand.curve, &hand.way, frame, size)) == 0)
            cf_curve_wait(hand.curve, -1, STEP_MS);
    return rc == 1;
}

/* --- links ------------------------------------------------------------------------------------------
 */

Test(mesh, carries_messages_both_ways_in_order_each_once)
{
    enum { MANY = 3000 };
    join_two();
    for (uint64_t corr = 1; corr <= MANY; corr++) {
        look_up(&one, two.number, corr);
        look_up(&two, one.number, MANY + corr);
        if (corr % 100 == 0) { /* frames of several, and more than one */
            cf_outbox_flush(one.gateway_out);
            cf_outbox_flush(two.gateway_out);
        }
    }
    for (uint64_t corr = 1; corr <= MANY; corr++) {
        cr_assert(is_next(&two, one.number, corr), "%llu", (unsigned long long)corr);
        cr_assert(is_next(&one, two.number, MANY + corr), "%llu", (unsigned long long)corr);
    }
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_BYTES, 0), 0));
    cr_assert(eq(u64, await_counter(&two, CF_M_MESH_BYTES, 0), 0));
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_LINKS, 1), 1));
    cr_assert(eq(u64, counter(&one, CF_M_UNDELIVERABLE), 0));
    cf_msg_t msg;
    cr_assert(eq(int, cf_inbox_read(one.lobby, &msg) + cf_inbox_read(two.lobby, &msg), 0));
}

Test(mesh, connects_to_where_the_configuration_says_a_node_is)
{
    char peer[CF_ENDPOINT_MAX + 8];
    const char *items[] = {"another=tcp://127.0.0.1:2", peer};
    snprintf(peer, sizeof peer, "other=%s", one.endpoint);
    peers = (cf_config_list_t){items, 2};
    open_node(&two, &keys[TWO]);
    tell_here(&one, two.number, two.endpoint, two.key, false);
    tell_here(&two, one.number, "tcp://127.0.0.1:1", one.key, true);
    look_up(&two, 1, 1);
    cf_outbox_flush(two.gateway_out);
    cr_assert(is_next(&one, 2, 1));
}

Test(mesh, connects_to_a_name_where_it_is_found)
{
    char endpoint[CF_ENDPOINT_MAX];
    snprintf(endpoint, sizeof endpoint, "tcp://localhost%s", strrchr(one.endpoint, ':'));
    open_node(&two, &keys[TWO]);
    tell_here(&one, two.number, two.endpoint, two.key, false);
    tell_here(&two, one.number, endpoint, one.key, true);
    look_up(&two, 1, 1);
    look_up(&one, 2, 2);
    cf_outbox_flush(two.gateway_out);
    cf_outbox_flush(one.gateway_out);
    cr_assert(is_next(&one, 2, 1));
    cr_assert(is_next(&two, 1, 2));
}

/* It is asked for again and again, and does no harm. */
Test(mesh, a_name_that_is_nowhere_costs_nobody_else_a_link)
{
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, "tcp://nowhere.invalid:1", keys[BY_HAND].public_key, true);
    open_node(&two, &keys[TWO]);
    tell_here(&one, two.number, two.endpoint, two.key, false);
    tell_here(&two, one.number, one.endpoint, one.key, true);
    cf_msg_t
        msg; /* what a gateway says may overtake what nodes say: it asks nobody it has not heard of */
    for (int i = 0; i < 2; i++)
        cr_assert(next(one.lobby, &msg) && msg.type == CF_MSG_NODE_HERE);
    look_up(&one, 2, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(is_next(&two, 1, 1));
    tell_gone(&one, HAND);
    look_up(&one, HAND, 2);
    look_up(&one, 2, 3);
    cf_outbox_flush(one.gateway_out);
    cr_assert(is_next(&two, 1, 3));
}

Test(mesh, what_is_said_before_the_other_is_there_comes_when_it_is)
{
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    look_up(&one, HAND, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(gt(u64, await_counter(&one, CF_M_MESH_BYTES, 32 + CF_MSG_HEAD_SIZE + 1), 0));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_LINKS), 0));
    dial();
    cr_assert(hears(1));
    cr_assert(eq(u64, hand.heard[0], 1));
}

Test(mesh, a_node_that_is_not_known_yet_is_heard_once_it_is)
{
    const cf_msg_t head = {.type = CF_MSG_LOOKUP,
                           .corr = 7,
                           .from = {HAND, CF_ACTOR_GATEWAY, 0},
                           .to = {1, CF_ACTOR_LOBBY, 0}};
    cf_buf_t body = {0};
    cr_assert(cf_msg_encode(&body, &head, NULL) == 0);
    new_hand(&keys[BY_HAND]);
    dial();
    cr_assert(cf_reliable_put(hand.reliable, body.data, body.size) == 0);
    for (int64_t until_us = cf_boot_us() + WAIT_US;
         cf_reliable_again(hand.reliable) == 0 && cf_boot_us() < until_us;)
        go_on(); /* it was sent, and not confirmed */
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    for (int64_t until_us = cf_boot_us() + WAIT_US;
         cf_reliable_bytes(hand.reliable) > 0 && cf_boot_us() < until_us;)
        go_on();
    cr_assert(is_next(&one, HAND, 7));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 0));
    cf_buf_free(&body);
}

/* The other one connects: its connection ends with messages under way, and it comes back. */
Test(mesh, a_connection_that_others_made_may_be_cut)
{
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    dial();
    uint64_t corr = 0;
    for (uint32_t round = 1; round <= 5; round++) {
        for (int i = 0; i < 200; i++) {
            look_up(&one, HAND, ++corr);
            cf_outbox_flush(one.gateway_out);
        }
        if (round % 2)
            go_on(); /* some have come, some are under way */
        cf_curve_hang_up(hand.curve, &hand.way.line);
        dial();
    }
    cr_assert(hears((uint32_t)corr));
    for (uint32_t i = 0; i < corr; i++)
        cr_assert(eq(u64, hand.heard[i], i + 1));
}

/* This one connects: who listened is away, and is back. */
Test(mesh, a_connection_that_it_made_may_be_cut)
{
    char listen[CF_ENDPOINT_MAX];
    new_hand(&keys[BY_HAND]);
    snprintf(listen, sizeof listen, "%s", cf_curve_endpoint(hand.curve) + strlen("tcp://"));
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, true);
    uint64_t corr = 0;
    for (uint32_t round = 1; round <= 3; round++) {
        for (int i = 0; i < 200; i++) {
            look_up(&one, HAND, ++corr);
            cf_outbox_flush(one.gateway_out);
        }
        uint32_t before = hand.count;
        for (int64_t until_us = cf_boot_us() + WAIT_US;
             hand.count == before && cf_boot_us() < until_us;)
            go_on();
        cf_curve_close(&hand.curve);
        hand.has_way = false;
        int rc = CF_EIO; /* until libzmq has let go of the port */
        for (int64_t until_us = cf_boot_us() + WAIT_US; rc < 0 && cf_boot_us() < until_us;) {
            cf_curve_config_t config = curve_of(&keys[BY_HAND]);
            config.listen = listen;
            rc = cf_curve_open(&hand.curve, &hand.bus, &config);
        }
        cr_assert(eq(int, rc, 0));
    }
    cr_assert(hears((uint32_t)corr));
    for (uint32_t i = 0; i < corr; i++)
        cr_assert(eq(u64, hand.heard[i], i + 1));
}

Test(mesh, drains_when_all_is_confirmed)
{
    cf_msg_t msg;
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    look_up(&one, HAND, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(gt(u64, await_counter(&one, CF_M_MESH_BYTES, 32 + CF_MSG_HEAD_SIZE + 1), 0));
    cf_outbox_send(one.stats_out, of(&one, CF_ACTOR_MESH), CF_MSG_DRAIN, 5, (cf_id_t){0}, NULL);
    cf_outbox_flush(one.stats_out);
    counter(&one, CF_M_MESH_BYTES); /* it has had its turn, and would have answered */
    cr_assert(eq(int, cf_inbox_read(one.stats, &msg), 0));
    dial();
    cr_assert(hears(1));
    bool is_drained = false;
    for (int64_t until_us = cf_boot_us() + WAIT_US; !is_drained && cf_boot_us() < until_us;) {
        go_on();
        is_drained = cf_inbox_read(one.stats, &msg) == 1 && msg.type == CF_MSG_DRAINED;
    }
    cr_assert(is_drained);
}

/* --- who is gone, and who takes nothing ----------------------------------------------------------------
 */

Test(mesh, a_message_for_nobody_is_counted)
{
    look_up(&one, 77, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(eq(u64, await_counter(&one, CF_M_UNDELIVERABLE, 1), 1));
}

Test(mesh, all_that_waits_for_a_node_goes_with_it)
{
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    look_up(&one, HAND, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(gt(u64, await_counter(&one, CF_M_MESH_BYTES, 32 + CF_MSG_HEAD_SIZE + 1), 0));
    tell_gone(&one, HAND);
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_BYTES, 0), 0));
    look_up(&one, HAND, 2);
    cf_outbox_flush(one.gateway_out);
    cr_assert(eq(u64, await_counter(&one, CF_M_UNDELIVERABLE, 1), 1));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 0));
}

/* Each flush is awaited, so that each message is a frame of its own. */
Test(mesh, who_confirms_nothing_is_cut_off_at_the_bound)
{
    enum { FRAME = CF_RELIABLE_HEAD + CF_MSG_HEAD_SIZE + 1, FIT = QUEUE_MAX / FRAME };
    new_hand(&keys[BY_HAND]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    for (uint64_t corr = 1; corr <= FIT; corr++) {
        look_up(&one, HAND, corr);
        cf_outbox_flush(one.gateway_out);
        counter(&one, CF_M_MESH_BYTES);
    }
    uint64_t bytes = counter(&one, CF_M_MESH_BYTES);
    cr_assert(le(u64, bytes, QUEUE_MAX));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 0));
    for (uint64_t corr = 0; corr <= FIT && counter(&one, CF_M_MESH_CUT_OFF) == 0; corr++) {
        look_up(&one, HAND, FIT + corr);
        cf_outbox_flush(one.gateway_out);
    }
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 1));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_BYTES), 0));
    uint64_t lost = counter(&one, CF_M_UNDELIVERABLE);
    look_up(&one, HAND, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(eq(u64, await_counter(&one, CF_M_UNDELIVERABLE, lost + 1), lost + 1));
}

/* --- peers that are no good -----------------------------------------------------------------------------
 */

static uint64_t cuts;

/* A peer with the key of the one before, which is gone. What that one has said may still come. */
static void meet_again(void)
{
    tell_gone(&one, hand.number++);
    begin_anew();
    tell_here(&one, hand.number, "tcp://127.0.0.1:9", keys[BY_HAND].public_key, false);
    counter(&one, CF_M_MESH_BYTES); /* it has been told */
}

/* The frame of one body, as cf_reliable makes it. */
static bool say(const void *body, size_t size)
{
    const uint8_t *frame;
    size_t whole;
    cr_assert(cf_reliable_put(hand.reliable, body, size) == 0);
    cr_assert(cf_reliable_next(hand.reliable, cf_boot_us(), &frame, &whole));
    return send_raw(frame, whole);
}

static void expect_cut_off(const char *what)
{
    cuts++;
    cr_expect(eq(u64, await_counter(&one, CF_M_MESH_CUT_OFF, cuts), cuts), "%s", what);
    cr_expect(eq(u64, counter(&one, CF_M_MESH_MALFORMED), cuts), "%s", what);
    meet_again();
}

/* HAND stands for whatever number it has now. */
static void encode(cf_buf_t *out, uint16_t type, cf_address_t from, cf_address_t to)
{
    from.node = from.node == HAND ? hand.number : from.node;
    cr_assert(cf_msg_encode(out, &(cf_msg_t){.type = type, .corr = 1, .from = from, .to = to},
                            NULL) == 0);
}

Test(mesh, a_message_that_may_not_cross_ends_the_link)
{
    const cf_address_t gateway = {HAND, CF_ACTOR_GATEWAY, 0}, lobby = {1, CF_ACTOR_LOBBY, 0};
    const struct {
        const char *what;
        uint16_t type;
        cf_address_t from, to;
    } cases[] = {
        {"STOP for the mesh", CF_MSG_STOP, {HAND, CF_ACTOR_SUPERVISOR, 0}, {1, CF_ACTOR_MESH, 0}},
        {"DRAIN for a lobby", CF_MSG_DRAIN, {HAND, CF_ACTOR_SUPERVISOR, 0}, lobby},
        {"PROBE", CF_MSG_PROBE, {HAND, CF_ACTOR_STATS, 0}, lobby},
        {"a LOOKUP of rooms", CF_MSG_LOOKUP, {HAND, CF_ACTOR_ROOMS, 0}, lobby},
        {"a LOOKUP for rooms", CF_MSG_LOOKUP, gateway, {1, CF_ACTOR_ROOMS, 0}},
        {"from this node", CF_MSG_LOOKUP, {1, CF_ACTOR_GATEWAY, 0}, lobby},
        {"from another one", CF_MSG_LOOKUP, {3, CF_ACTOR_GATEWAY, 0}, lobby},
        {"for another one", CF_MSG_LOOKUP, gateway, {3, CF_ACTOR_LOBBY, 0}},
        {"for nobody here",
         CF_MSG_FORGET,
         {HAND, CF_ACTOR_LOBBY, 0},
         {1, CF_ACTOR_GATEWAY, GATEWAYS}},
        {"a kind that is not here", CF_MSG_TAKE, gateway, {1, CF_ACTOR_LIMITER, 0}},
    };
    new_hand(&keys[BY_HAND]);
    dial();
    meet_again();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_buf_t body = {0};
        encode(&body, CF_MSG_LOOKUP, gateway, lobby); /* good, and not handed on either */
        encode(&body, CF_MSG_LOOKUP, cases[i].from, cases[i].to);
        body.data[body.size / 2 + 2] = (uint8_t)cases[i].type;
        body.data[body.size / 2 + 3] = (uint8_t)(cases[i].type >> 8);
        cr_expect(say(body.data, body.size));
        expect_cut_off(cases[i].what);
        cf_buf_free(&body);
    }
    cr_assert(is_silent(&one));
    cf_buf_t body = {0};
    encode(&body, CF_MSG_LOOKUP, gateway, lobby); /* which it is without the other */
    cr_assert(say(body.data, body.size));
    cr_assert(is_next(&one, hand.number, 1));
    cf_buf_free(&body);
}

Test(mesh, bytes_that_are_no_frame_end_the_link)
{
    const cf_address_t gateway = {HAND, CF_ACTOR_GATEWAY, 0}, lobby = {1, CF_ACTOR_LOBBY, 0};
    uint8_t noise[512], frame[CF_RELIABLE_HEAD];
    cf_buf_t body = {0};
    uint32_t seed = 1;
    new_hand(&keys[BY_HAND]);
    dial();
    meet_again();
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    noise[8] = (uint8_t)hand.number;
    noise[9] = noise[10] = noise[11] = 0;
    cr_expect(send_raw(noise, sizeof noise));
    expect_cut_off("noise");
    cr_expect(send_raw(noise, 5)); /* not even a number */
    expect_cut_off("a short frame");
    cr_expect(say(noise, sizeof noise));
    expect_cut_off("noise in a frame");
    encode(&body, CF_MSG_LOOKUP, gateway, lobby);
    cr_expect(say(body.data, body.size - 1));
    expect_cut_off("a message that is cut");
    cf_buf_clear(&body);
    encode(&body, CF_MSG_LOOKUP, gateway, lobby);
    cf_buf_add(&body, "x", 1);
    cr_expect(say(body.data, body.size));
    expect_cut_off("something behind a message");
    const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } wrong[] = {{"version of frames", 0, 99},
                 {"version of messages", 1, CF_MSG_VERSION + 1},
                 {"kind", 2, 9},
                 {"confirms what was not sent", 24, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const uint8_t *good;
        size_t size;
        cr_assert(cf_reliable_next(hand.reliable, cf_boot_us(), &good, &size));
        memcpy(frame, good, sizeof frame);
        frame[wrong[i].at] = wrong[i].value;
        cr_expect(send_raw(frame, sizeof frame));
        expect_cut_off(wrong[i].what);
    }
    cf_buf_free(&body);
}

/* One that was started anew, under the key and at the endpoint of the one before, is known to who has not heard of it yet
 * by that one's number. */
Test(mesh, what_is_for_the_one_before_is_dropped_and_cuts_nobody_off)
{
    const cf_address_t gateway = {HAND, CF_ACTOR_GATEWAY, 0}, lobby = {1, CF_ACTOR_LOBBY, 0};
    const uint8_t *good;
    uint8_t frame[CF_RELIABLE_HEAD];
    cf_buf_t body = {0};
    size_t size;
    new_hand(&keys[BY_HAND]);
    dial();
    meet_again();
    cr_assert(cf_reliable_next(hand.reliable, cf_boot_us(), &good, &size));
    memcpy(frame, good, sizeof frame);
    frame[12] = 7;
    cr_assert(send_raw(frame, sizeof frame));
    encode(&body, CF_MSG_LOOKUP, gateway, lobby);
    cr_assert(say(body.data, body.size)); /* it has heard */
    cr_assert(is_next(&one, hand.number, 1));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 0));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_MALFORMED), 0));
    cf_buf_free(&body);
}

/* Nothing that was cut off is read any more, nor when it connects again; until it is gone. */
Test(mesh, who_was_cut_off_is_not_heard_until_it_is_gone)
{
    const cf_address_t gateway = {HAND, CF_ACTOR_GATEWAY, 0}, lobby = {1, CF_ACTOR_LOBBY, 0};
    cf_buf_t body = {0};
    new_hand(&keys[BY_HAND]);
    dial();
    meet_again();
    encode(&body, CF_MSG_LOOKUP, gateway, lobby);
    cr_assert(send_raw("x", 1));
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_CUT_OFF, 1), 1));
    cr_assert(say(body.data, body.size));
    cf_curve_hang_up(hand.curve, &hand.way.line);
    dial();
    cr_assert(send_raw("x", 1)); /* counted: what came before it was read, and dropped */
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_MALFORMED, 2), 2));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 1));
    cr_assert(is_silent(&one));
    meet_again();
    cf_buf_clear(&body);
    encode(&body, CF_MSG_LOOKUP, gateway, lobby);
    cr_assert(say(body.data, body.size));
    cr_assert(is_next(&one, hand.number, 1));
    cf_buf_free(&body);
}

Test(mesh, nobody_speaks_for_another_node)
{
    new_hand(&keys[BY_HAND]);
    dial();
    meet_again();
    join_two();
    look_up(&two, one.number, 1);
    cf_outbox_flush(two.gateway_out);
    cr_assert(is_next(&one, two.number, 1));
    uint8_t frame[CF_RELIABLE_HEAD] = {1, CF_MSG_VERSION, 2, [8] = 2, [12] = 1};
    cr_assert(send_raw(frame, sizeof frame));
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_CUT_OFF, 1), 1));
    look_up(&two, one.number, 2); /* whose name was taken goes on */
    cf_outbox_flush(two.gateway_out);
    cr_assert(is_next(&one, two.number, 2));
}

Test(mesh, a_message_of_several_parts_ends_the_link)
{
    int now = 0;
    new_hand(&keys[BY_HAND]);
    meet_again();
    void *dealer = zmq_socket(hand.bus.zmq, ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_LINGER, &now, sizeof now);
    zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, keys[BY_HAND].secret_key, CF_NODE_KEY_SIZE);
    zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, keys[BY_HAND].public_key, CF_NODE_KEY_SIZE);
    zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, one.key, CF_NODE_KEY_SIZE);
    cr_assert(zmq_connect(dealer, one.endpoint) == 0);
    cr_assert(zmq_send(dealer, "a", 1, ZMQ_SNDMORE) == 1 && zmq_send(dealer, "b", 1, 0) == 1);
    expect_cut_off("two parts");
    zmq_close(dealer);
}

Test(mesh, a_key_that_is_not_allowed_has_no_link)
{
    new_hand(&keys[STRANGER]);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[STRANGER].public_key, true);
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[STRANGER].public_key, true);
    cr_assert(
        eq(u64, await_counter(&one, CF_M_MESH_REFUSED, 1), 1)); /* once, as it was heard of again */
    look_up(&one, HAND, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(eq(u64, await_counter(&one, CF_M_UNDELIVERABLE, 1), 1));
    dial(); /* nor is it let in */
    uint64_t refused = 1;
    for (int64_t until_us = cf_boot_us() + WAIT_US; refused < 2 && cf_boot_us() < until_us;) {
        cf_curve_wait(hand.curve, -1, STEP_MS);
        refused = counter(&one, CF_M_MESH_REFUSED);
    }
    cr_assert(ge(u64, refused, 2));
}

/* A node that was started anew, with its key and another number. */
Test(mesh, a_key_belongs_to_the_node_that_came_last)
{
    new_hand(&keys[BY_HAND]);
    tell_here(&one, 8, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    look_up(&one, 8, 1);
    cf_outbox_flush(one.gateway_out);
    cr_assert(gt(u64, await_counter(&one, CF_M_MESH_BYTES, 32 + CF_MSG_HEAD_SIZE + 1), 0));
    tell_here(&one, HAND, cf_curve_endpoint(hand.curve), keys[BY_HAND].public_key, false);
    cr_assert(eq(u64, await_counter(&one, CF_M_MESH_BYTES, 0), 0));
    cr_assert(eq(u64, counter(&one, CF_M_MESH_CUT_OFF), 0));
    dial();
    look_up(&one, HAND, 2);
    cf_outbox_flush(one.gateway_out);
    cr_assert(hears(1));
    cr_assert(eq(u64, hand.heard[0], 2));
}

/* --- who is told of a node ----------------------------------------------------------------------
 */

Test(mesh, tells_of_a_node_those_who_need_what_it_does_and_all_when_it_is_gone)
{
    cf_msg_t msg;
    cf_node_here_t here;
    cf_node_gone_t gone;
    roles = CF_ROLE_STOCKBOT;
    tell_here(&one, 77, one.endpoint, keys[TWO].public_key, false);
    roles = CF_ROLE_ROOMS;
    tell_here(&one, 78, one.endpoint, keys[TWO].public_key, false);
    cr_assert(next(one.lobby, &msg) && msg.type == CF_MSG_NODE_HERE);
    cr_assert(eq(int, cf_msg_body(&here, &msg, &one.arena), 0));
    cr_assert(eq(u32, here.node, 78));
    tell_gone(&one, 77);
    cr_assert(next(one.lobby, &msg) && msg.type == CF_MSG_NODE_GONE);
    cr_assert(eq(int, cf_msg_body(&gone, &msg, &one.arena), 0));
    cr_assert(eq(u32, gone.node, 77));
}
