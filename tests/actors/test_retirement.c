/* Joins racing retirement: a real lobby, room threads, storage and reader on the in-memory store, and
 * two gateways that join, attach and post to rooms which retire the moment nobody is there. Every
 * request is answered in the end, no post is lost or doubled, numbers have no gap. */
#include "clock.h"
#include "lobby.h"
#include "peer.h"
#include "reader.h"
#include "rooms.h"
#include "settings.h"
#include "storage.h"
#include "store.h"
#include "wire/control.h"
#include "wire/place.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define GATEWAYS 2
#define THREADS 2
#define ROOMS 48
#define RETIREMENTS 1000
#define POSTS_MAX 100000
#define URL "memory:retirement"
#define REST_MAX_US 150000 /* room threads look for idle rooms every 100 ms */
#define LIMIT_US INT64_C(120000000)

typedef enum { QUIET, RESTING, LOOKING, JOINING, ATTACHING, POSTING } phase_t;

/* What one gateway is doing in one room. */
typedef struct {
    phase_t phase, after_lookup;
    bool is_known, is_stale; /* where the room is; FORGET came while a request was on its way */
    bool is_attached;
    cf_address_t at;
    uint64_t corr;         /* of the request on its way */
    int64_t rest_until_us; /* RESTING: nobody is in the room, it may retire */
} slot_t;

typedef struct {
    uint32_t sent; /* posts made; the key of each is its number */
    uint64_t acked_seq[POSTS_MAX / GATEWAYS / ROOMS]; /* by number; 0: not yet */
} posts_t;

static peer_t *gateways[GATEWAYS];
static slot_t slots[GATEWAYS][ROOMS];
static posts_t posts[GATEWAYS][ROOMS];
static uint64_t last_corr;
static uint32_t forgets, moved, busy;
static bool is_ending;

static cf_id_t room_id(uint32_t r)
{
    return (cf_id_t){{2, (uint8_t)r, 1}};
}

static cf_id_t user_id(uint32_t g)
{
    return (cf_id_t){{1, (uint8_t)g, 1}};
}

/* --- the actors --------------------------------------------------------------------------------
 */

static void start_lobby(void)
{
    cf_lobby_t *state;
    cf_lobby_config_t config = {
        .thread_count = THREADS, .gateway_count = GATEWAYS, .node = NODE, .lookups_max = 1000};
    for (uint16_t i = 0; i < THREADS; i++)
        config.threads[i] = (cf_address_t){NODE, CF_ACTOR_ROOMS, i};
    for (uint16_t i = 0; i < GATEWAYS; i++)
        config.gateways[i] = (cf_address_t){NODE, CF_ACTOR_GATEWAY, i};
    cf_actor_t *actor = actor_at(CF_ACTOR_LOBBY, 0);
    cr_assert(eq(int, cf_lobby_new(&state, &config), 0));
    actor_run(actor, &cf_lobby_ops, state);
}

static void start_rooms(uint16_t index)
{
    cf_rooms_t *state;
    cf_room_config_t config = {ROOM_SETTINGS(NODE),
                               .idle_us = index * INT64_C(3000)}; /* at once, or nearly so */
    cf_actor_t *actor = actor_at(CF_ACTOR_ROOMS, index);
    cr_assert(eq(int, cf_rooms_new(&state, &config, 1024, 1u << 20, actor), 0));
    actor_run(actor, &cf_rooms_ops, state);
}

static void start_store(void)
{
    cf_storage_t *storage;
    cf_reader_t *reader;
    cf_actor_t *actor = actor_at(CF_ACTOR_STORAGE, 0), *reading = actor_at(CF_ACTOR_READER, 0);
    cf_store_link_config_t link = {
        .actor = actor, .url = URL, .statement_ms = 4000, .key_ttl_us = INT64_C(600000000)};
    cf_storage_config_t config = {.link = link, .batch_rows = 500, .batch_bytes = 1u << 20};
    cr_assert(eq(int, cf_storage_new(&storage, &config), 0));
    actor_run(actor, &cf_storage_ops, storage);
    link.actor = reading;
    link.role = CF_STORE_READER;
    cr_assert(eq(int, cf_reader_new(&reader, &(cf_reader_config_t){link}), 0));
    actor_run(reading, &cf_reader_ops, reader);
}

static void fill_store(void)
{
    peer_t *accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    char name[16], email[32];
    for (uint32_t g = 0; g < GATEWAYS; g++) {
        snprintf(name, sizeof name, "user%u", g);
        snprintf(email, sizeof email, "%s@test.com", name);
        cf_create_user_t user = {user_id(g), cf_str(name), cf_str(email), cf_str("$h"), 1};
        peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_CREATE_USER, ++last_corr, (cf_id_t){0}, &user);
        cr_assert(peer_await(accounts, CF_MSG_DONE, last_corr, NULL));
    }
    for (uint32_t r = 0; r < ROOMS; r++) {
        cf_create_room_t room = {room_id(r), cf_str("a room"), user_id(0), 1, false};
        peer_send(accounts, CF_ACTOR_STORAGE, CF_MSG_CREATE_ROOM, ++last_corr, room_id(r), &room);
        cr_assert(peer_await(accounts, CF_MSG_DONE, last_corr, NULL));
    }
}

static void start(void)
{
    peer_at(CF_ACTOR_STATS, 0);
    for (uint16_t g = 0; g < GATEWAYS; g++)
        gateways[g] = peer_at(CF_ACTOR_GATEWAY, g);
    start_store();
    start_lobby();
    for (uint16_t i = 0; i < THREADS; i++)
        start_rooms(i);
    fill_store();
}

static uint32_t random_below(uint32_t n)
{
    static uint32_t state = 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

/* --- the two gateways --------------------------------------------------------------------------
 */

static void say(uint32_t g, cf_address_t to, uint16_t type, uint64_t corr, uint32_t r,
                const void *body)
{
    cr_assert(eq(int, cf_outbox_send(gateways[g]->out, to, type, corr, room_id(r), body), 0));
}

static void ask(uint32_t g, uint32_t r, cf_address_t to, uint16_t type, const void *body)
{
    slots[g][r].corr = ++last_corr;
    say(g, to, type, last_corr, r, body);
}

static void look_up(uint32_t g, uint32_t r, phase_t then)
{
    slot_t *slot = &slots[g][r];
    slot->is_known = slot->is_stale = slot->is_attached = false;
    slot->after_lookup = then;
    slot->phase = LOOKING;
    ask(g, r, (cf_address_t){NODE, CF_ACTOR_LOBBY, 0}, CF_MSG_LOOKUP, NULL);
}

static void send_attach(uint32_t g, uint32_t r)
{
    cf_attach_t attach = {.conn = r + 1, .user = user_id(g), .username = cf_str("somebody")};
    slots[g][r].phase = ATTACHING;
    ask(g, r, slots[g][r].at, CF_MSG_ATTACH, &attach);
}

/* The newest post of this slot, made new or sent once more. */
static void send_post(uint32_t g, uint32_t r)
{
    char text[32];
    snprintf(text, sizeof text, "%u-%u-%u", g, r, posts[g][r].sent);
    slots[g][r].phase = POSTING;
    cf_post_msg_t post = {.conn = r + 1,
                          .sender = user_id(g),
                          .username = cf_str("somebody"),
                          .kind = CF_POST_TEXT,
                          .client_key = cf_str(text),
                          .text = cf_str(text)};
    ask(g, r, slots[g][r].at, CF_MSG_POST, &post);
}

static void begin_round(uint32_t g, uint32_t r)
{
    slot_t *slot = &slots[g][r];
    if (is_ending || posts[g][r].sent + 1 >= POSTS_MAX / GATEWAYS / ROOMS) {
        slot->phase = QUIET;
        busy--;
        return;
    }
    if (!slot->is_known) {
        look_up(g, r, JOINING);
        return;
    }
    slot->phase = JOINING;
    ask(g, r, slot->at, CF_MSG_JOIN, &(cf_join_t){user_id(g)});
}

static void go_on(uint32_t g, uint32_t r, phase_t phase)
{
    if (phase == JOINING)
        begin_round(g, r);
    else
        send_attach(g, r); /* also to post again: the connection is not in the new room yet */
}

static void end_round(uint32_t g, uint32_t r)
{
    slot_t *slot = &slots[g][r];
    if (slot->is_attached && !slot->is_stale)
        say(g, slot->at, CF_MSG_DETACH, 0, r, &(cf_detach_t){.conn = r + 1});
    slot->is_attached = false;
    if (slot->is_stale)
        slot->is_known = slot->is_stale = false;
    slot->phase = RESTING;
    slot->rest_until_us = cf_boot_us() + random_below(REST_MAX_US);
}

static void on_done_with(uint32_t g, uint32_t r, const cf_msg_t *msg)
{
    slot_t *slot = &slots[g][r];
    cf_posted_t posted;
    cf_placed_t placed;
    switch (slot->phase) {
    case LOOKING:
        cr_assert(eq(int, msg->type, CF_MSG_PLACED));
        cr_assert(eq(int, cf_msg_body(&placed, msg, &gateways[g]->arena), 0));
        slot->at = cf_address_unpack(placed.address);
        slot->is_known = true;
        go_on(g, r, slot->after_lookup);
        break;
    case JOINING:
        cr_assert(eq(int, msg->type, CF_MSG_DONE));
        if (slot->is_stale)
            look_up(g, r, ATTACHING);
        else
            send_attach(g, r);
        break;
    case ATTACHING:
        cr_assert(eq(int, msg->type, CF_MSG_ATTACHED));
        slot->is_attached = true;
        if (posts[g][r].sent == 0 || posts[g][r].acked_seq[posts[g][r].sent])
            posts[g][r].sent++;
        if (slot->is_stale)
            look_up(g, r, POSTING);
        else
            send_post(g, r);
        break;
    case POSTING:
        cr_assert(eq(int, msg->type, CF_MSG_POSTED), "%s", cf_msg_name(msg->type));
        cr_assert(eq(int, cf_msg_body(&posted, msg, &gateways[g]->arena), 0));
        posts[g][r].acked_seq[posts[g][r].sent] = posted.seq;
        end_round(g, r);
        break;
    default:
        cr_assert(gt(int, slot->phase, RESTING)); /* an answer without a request */
    }
}

static void on_forget(uint32_t g, uint32_t r)
{
    slot_t *slot = &slots[g][r];
    forgets++;
    say(g, (cf_address_t){NODE, CF_ACTOR_LOBBY, 0}, CF_MSG_FORGOTTEN, 0, r, NULL);
    if (slot->phase == QUIET)
        slot->is_known = false;
    else if (slot->phase == RESTING && random_below(2))
        look_up(g, r, JOINING); /* while it retires */
    else if (slot->phase == RESTING)
        slot->is_known = false;
    else if (slot->phase != LOOKING)
        slot->is_stale = true;
}

static void on_msg(uint32_t g, const cf_msg_t *msg)
{
    uint32_t r = msg->room.bytes[1];
    if (msg->type == CF_MSG_EVENT || msg->type == CF_MSG_CHANGES || msg->type == CF_MSG_COUNTS)
        return;
    if (msg->type == CF_MSG_FORGET) {
        on_forget(g, r);
        return;
    }
    slot_t *slot = &slots[g][r];
    cr_assert(eq(u64, msg->corr, slot->corr)); /* one answer to each request, in order */
    if (msg->type == CF_MSG_MOVED) {
        moved++;
        look_up(g, r, slot->phase);
    } else {
        on_done_with(g, r, msg);
    }
}

static void wake_up(uint32_t g)
{
    int64_t now_us = cf_boot_us();
    for (uint32_t r = 0; r < ROOMS; r++)
        if (slots[g][r].phase == RESTING && (is_ending || slots[g][r].rest_until_us <= now_us))
            begin_round(g, r);
}

/* The windows are confirmed at once. */
static void confirm_events(uint32_t g, const cf_msg_t *msg)
{
    static cf_flushed_t seen[GATEWAYS][THREADS];
    cf_flushed_t *flushed = &seen[g][msg->from.index];
    flushed->events++;
    flushed->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    cf_outbox_send(gateways[g]->out, msg->from, CF_MSG_FLUSHED, 0, (cf_id_t){0}, flushed);
}

static int serve(uint32_t g)
{
    peer_t *gateway = gateways[g];
    cf_msg_t msg;
    int n = 0;
    while (cf_inbox_read(gateway->inbox, &msg) == 1) {
        n++;
        if (msg.type == CF_MSG_EVENT || msg.type == CF_MSG_CHANGES)
            confirm_events(g, &msg);
        on_msg(g, &msg);
    }
    wake_up(g);
    peer_flush(gateway);
    cf_inbox_release(gateway->inbox);
    cf_arena_reset(&gateway->arena);
    return n;
}

/* --- what is in the store ----------------------------------------------------------------------
 */

typedef struct {
    uint32_t room;
    uint64_t last_seq;
    int64_t last_us;
    uint32_t last_number[GATEWAYS];
    uint32_t acked;
} found_t;

static void on_row(void *arg, size_t key, const cf_post_t *post)
{
    found_t *found = arg;
    uint32_t g, r, number;
    char text[64];
    (void)key;
    snprintf(text, sizeof text, "%.*s", (int)post->text.size, post->text.bytes);
    cr_assert(eq(u64, post->seq, found->last_seq + 1));
    cr_assert(gt(i64, post->at_us, found->last_us));
    cr_assert(eq(int, sscanf(text, "%u-%u-%u", &g, &r, &number), 3));
    cr_assert(eq(u32, r, found->room));
    cr_assert(gt(u32, number, found->last_number[g])); /* once, in the sender's order */
    cr_assert(eq(u64, posts[g][r].acked_seq[number], post->seq));
    found->last_number[g] = number;
    found->last_seq = post->seq;
    found->last_us = post->at_us;
    found->acked++;
}

static uint32_t check_room(cf_store_t *store, uint32_t r)
{
    found_t found = {.room = r};
    uint32_t acked = 0, before;
    do {
        before = found.acked;
        cf_posts_range_t range = {.room = room_id(r),
                                  .from = CF_POSTS_AFTER_SEQ,
                                  .at = (int64_t)found.last_seq,
                                  .limit = CF_RUN_ROWS_MAX};
        cr_assert(eq(int, store->ops->read_posts(store, &range, 1, on_row, &found, NULL), 0));
    } while (found.acked > before);
    for (uint32_t g = 0; g < GATEWAYS; g++)
        for (uint32_t number = 1; number <= posts[g][r].sent; number++)
            acked += posts[g][r].acked_seq[number] != 0;
    cr_assert(eq(u32, found.acked, acked)); /* nothing acknowledged is missing */
    return acked;
}

Test(retirement, loses_and_doubles_nothing_when_joins_race_it, .init = start, .fini = actors_stop,
     .timeout = 300)
{
    int64_t until_us = cf_boot_us() + LIMIT_US;
    bool ignored;
    uint32_t total = 0;
    busy = GATEWAYS * ROOMS;
    for (uint32_t g = 0; g < GATEWAYS; g++)
        for (uint32_t r = 0; r < ROOMS; r++)
            begin_round(g, r);
    while (busy > 0) {
        int n = 0;
        for (uint32_t g = 0; g < GATEWAYS; g++)
            n += serve(g);
        if (n == 0)
            cf_inbox_wait(gateways[0]->inbox, -1, false, 1, &ignored);
        is_ending = is_ending || forgets >= GATEWAYS * RETIREMENTS;
        cr_assert(lt(i64, cf_boot_us(), until_us), "%u requests were never answered", busy);
    }
    cr_assert(ge(u32, forgets, GATEWAYS * RETIREMENTS));
    cr_assert(gt(u32, moved, 0)); /* they did race */
    cf_store_t *store;
    cf_store_config_t config = {
        .url = URL, .role = CF_STORE_READER, .statement_ms = 4000, .key_ttl_us = 600000000};
    cr_assert(eq(int, cf_store_open(&store, &config), 0));
    for (uint32_t r = 0; r < ROOMS; r++)
        total += check_room(store, r);
    store->ops->close(store);
    cr_assert(gt(u32, total, RETIREMENTS));
}
