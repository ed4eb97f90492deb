/* Failed allocations: a lobby, a room thread with its rooms, accounts, and a limiter, driven by messages on one
 * thread while storage, reader, hasher, bot and two gateways are played. The scenario is run once to
 * count what those four allocate, then once for each allocation with that one failing; what was
 * promised must hold, and the same scenario afterwards must go as if nothing had happened. */
#include "accounts.h"
#include "err.h"
#include "failing_malloc.h"
#include "limiter.h"
#include "lobby.h"
#include "rooms.h"
#include "session_cache.h"
#include "store.h"
#include "token.h"
#include "wire/account.h"
#include "wire/append.h"
#include "wire/bot.h"
#include "wire/control.h"
#include "wire/hash.h"
#include "wire/limit.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE 1
#define GATEWAYS 2
#define REQUESTS_MAX 256
#define POSTS_MAX 64
#define SESSIONS_MAX 16
#define T0 INT64_C(1700000000000000)

static const cf_address_t lobby_at = {NODE, CF_ACTOR_LOBBY, 0};
static const cf_address_t rooms_at = {NODE, CF_ACTOR_ROOMS, 0};
static const cf_address_t accounts_at = {NODE, CF_ACTOR_ACCOUNTS, 0};
static const cf_address_t limiter_at = {NODE, CF_ACTOR_LIMITER, 0};
static const cf_id_t the_room = {{7, 7, 7}};

/* One actor under test. */
typedef struct {
    const cf_actor_ops_t *ops;
    void *state;
    cf_address_t address;
    cf_outbox_t *out;
    cf_arena_t arena;
} acting_t;

enum { LOBBY, ROOMS, ACCOUNTS, LIMITER, ACTORS };

typedef struct {
    uint16_t type, wanted, got; /* wanted 0: whatever; got 0: not answered */
    int reason;                 /* of a REFUSED, negative */
    int wanted_reason;
} request_t;

typedef struct {
    uint64_t shown_seq; /* newest post it was shown, once it has a connection */
    bool is_attached;
    uint64_t events, bytes;
    uint32_t counted; /* connections of the room, by the latest COUNTS */
    uint32_t sessions_ended, users_ended, expelled;
    uint32_t bot_words;
} gateway_t;

/* What the store holds. */
typedef struct {
    char text[16], key[16];
    cf_id_t id;
} stored_t;

static struct {
    acting_t actors[ACTORS];
    cf_outbox_t *played; /* what the played ones say */
    cf_buf_t frames;     /* on their way, oldest first */
    size_t at;
    int64_t now_us;
    request_t requests[REQUESTS_MAX];
    uint64_t asked;
    gateway_t gateways[GATEWAYS];
    uint64_t conn;
    bool ephemeral;
    bool strict; /* nothing fails: every answer is the wanted one */
    unsigned long failing;
    unsigned in_a_row;
    uint64_t epoch;
    stored_t posts[POSTS_MAX];
    uint32_t n_posts;
    bool bob_is_member;
    cf_session_t session_rows[SESSIONS_MAX];
    uint32_t n_sessions;
    char token[64];
} world;

#define ensure(what) cr_assert(what, "allocation %lu, %u in a row", world.failing, world.in_a_row)

static cf_id_t user_id(const char *name)
{
    cf_id_t id = {{0}};
    strncpy((char *)id.bytes, name, sizeof id.bytes - 1);
    return id;
}

/* --- messages on their way ---------------------------------------------------------------------
 */

static void collect(cf_outbox_t *out)
{
    cf_msg_t msg;
    while (cf_outbox_take(out, &msg))
        cr_assert(cf_buf_add(&world.frames, msg.body - CF_MSG_HEAD_SIZE,
                             CF_MSG_HEAD_SIZE + (size_t)msg.size) == 0);
}

/* A played actor says something. */
static void say(cf_address_t from, cf_address_t to, uint16_t type, uint64_t corr, cf_id_t room,
                const void *body)
{
    cf_msg_t head = {.type = type, .corr = corr, .from = from, .to = to, .room = room};
    cr_assert(cf_outbox_put(world.played, &head, body) == 0);
    collect(world.played);
}

static void answer(const cf_msg_t *msg, uint16_t type, const void *body)
{
    say(msg->to, msg->from, type, msg->corr, msg->room, body);
}

static void refuse(const cf_msg_t *msg, int err)
{
    answer(msg, CF_MSG_REFUSED, &(cf_refused_t){(uint32_t)-err, 0});
}

/* --- the actors under test ---------------------------------------------------------------------
 */

/* As actor.c does it. */
static void handle(acting_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_handler_fn *handler = NULL;
    for (const cf_handler_t *row = self->ops->handlers; row->type; row++)
        if (row->type == msg->type)
            handler = row->handle;
    int rc = handler ? handler(self->state, turn, msg) : CF_EPROTO;
    cr_assert(rc != CF_EPROTO && rc != CF_ERANGE, "allocation %lu, %u in a row: %s to kind %u",
              world.failing, world.in_a_row, cf_msg_name(msg->type), msg->to.kind);
    if (rc < 0 && msg->corr && msg->type != CF_MSG_REFUSED && msg->type != CF_MSG_MOVED)
        cf_outbox_refuse(self->out, msg, rc, 0);
}

/* One turn, with fresh buffers: nothing is had without asking for it. */
static void take_turn(acting_t *self, const cf_msg_t *msg)
{
    cr_assert(cf_outbox_new(&self->out, NULL, self->address) == 0);
    cf_turn_t turn = {T0 + world.now_us, world.now_us, self->out, &self->arena, false};
    failing_malloc_resume();
    if (msg)
        handle(self, &turn, msg);
    if (msg && self->ops->after_batch)
        self->ops->after_batch(self->state, &turn);
    int64_t due_us = self->ops->due(self->state, &turn);
    failing_malloc_pause();
    cr_assert(due_us > world.now_us, "allocation %lu: kind %u spins", world.failing,
              self->address.kind);
    collect(self->out);
    cf_outbox_destroy(&self->out);
    cf_arena_free(&self->arena);
}

/* --- storage, reader, hasher -------------------------------------------------------------------
 */

static void store_append(const cf_msg_t *msg, const cf_append_t *append)
{
    const cf_post_t *rows = append->rows.items;
    ensure(append->prev == world.n_posts && append->epoch == world.epoch);
    cf_verdict_t verdict = {.status = CF_VERDICT_STORED};
    for (uint32_t i = 0; i < append->rows.n; i++) {
        for (uint32_t old = 0; rows[i].client_key.size && old < world.n_posts; old++)
            if (cf_str_equal(cf_str(world.posts[old].key), rows[i].client_key)) {
                verdict = (cf_verdict_t){.status = CF_VERDICT_DUPLICATE,
                                         .stored = verdict.stored,
                                         .same_body = true,
                                         .seq = old + 1,
                                         .id = world.posts[old].id};
                answer(msg, CF_MSG_VERDICT, &verdict);
                return;
            }
        cr_assert(world.n_posts < POSTS_MAX && rows[i].seq == world.n_posts + 1);
        stored_t *post = &world.posts[world.n_posts++];
        *post = (stored_t){.id = rows[i].id};
        memcpy(post->text, rows[i].text.bytes, rows[i].text.size);
        memcpy(post->key, rows[i].client_key.bytes, rows[i].client_key.size);
        verdict.stored++;
    }
    answer(msg, CF_MSG_VERDICT, &verdict);
}

static int find_session(const uint8_t *token_hash)
{
    for (uint32_t i = 0; i < world.n_sessions; i++)
        if (memcmp(world.session_rows[i].token_hash, token_hash, CF_TOKEN_HASH_SIZE) == 0)
            return (int)i;
    return -1;
}

typedef union {
    cf_append_t append;
    cf_member_change_t change;
    cf_session_t session;
    cf_remove_session_t remove;
    cf_find_member_t find_member;
    cf_find_session_t find_session;
    cf_find_user_t find_user;
    cf_read_posts_t read_posts;
    cf_refused_t refused;
    cf_posted_t posted;
    cf_attached_t attached;
    cf_event_t event;
    cf_roster_at_t roster_at;
    cf_counts_t counts;
    cf_logged_in_t logged_in;
    cf_user_t user;
    cf_page_t page;
    cf_placed_t placed;
    cf_ask_bot_t ask_bot;
} body_t;

static void play_storage(const cf_msg_t *msg, const body_t *body)
{
    cf_activated_t activated = {
        .last_seq = world.n_posts, .last_us = T0, .ephemeral = world.ephemeral};
    int at;
    switch (msg->type) {
    case CF_MSG_ACTIVATE:
        activated.epoch = ++world.epoch;
        answer(msg, CF_MSG_ACTIVATED, &activated);
        return;
    case CF_MSG_APPEND:
        store_append(msg, &body->append);
        return;
    case CF_MSG_ADD_MEMBER:
    case CF_MSG_REMOVE_MEMBER:
        world.bob_is_member = msg->type == CF_MSG_ADD_MEMBER;
        break;
    case CF_MSG_ADD_SESSION:
        cr_assert(world.n_sessions < SESSIONS_MAX);
        world.session_rows[world.n_sessions++] = body->session;
        break;
    case CF_MSG_REMOVE_SESSION:
        if ((at = find_session(body->remove.token_hash)) >= 0)
            world.session_rows[at] = world.session_rows[--world.n_sessions];
        break;
    case CF_MSG_DISABLE_USER:
        world.n_sessions = 0; /* all are hers */
        break;
    }
    if (msg->corr)
        answer(msg, CF_MSG_DONE, NULL);
}

static void answer_posts(const cf_msg_t *msg, const cf_read_posts_t *read)
{
    cf_post_t posts[POSTS_MAX];
    uint32_t n = 0;
    uint64_t first = read->from == CF_POSTS_AFTER_SEQ ? (uint64_t)read->at : 0;
    for (uint64_t seq = first + 1; seq <= world.n_posts && n < read->limit; seq++)
        posts[n++] = (cf_post_t){.seq = seq,
                                 .id = world.posts[seq - 1].id,
                                 .sender = user_id("ann"),
                                 .at_us = T0 + (int64_t)seq,
                                 .kind = CF_POST_TEXT,
                                 .username = cf_str("ann"),
                                 .text = cf_str(world.posts[seq - 1].text)};
    answer(msg, CF_MSG_PAGE, &(cf_page_t){{posts, n}});
}

static cf_user_t user_row(void)
{
    return (cf_user_t){.id = user_id("ann"),
                       .username = cf_str("ann"),
                       .email = cf_str("ann@example.com"),
                       .password_hash = cf_str("$hash"),
                       .created_us = T0};
}

static void play_reader(const cf_msg_t *msg, const body_t *body)
{
    cf_user_t user = user_row();
    switch (msg->type) {
    case CF_MSG_FIND_MEMBER: {
        bool is_bob = cf_id_equal(body->find_member.user, user_id("bob"));
        bool is_ann = cf_id_equal(body->find_member.user, user_id("ann"));
        cf_member_t member = {body->find_member.user, true,
                              is_ann || (is_bob && world.bob_is_member)};
        answer(msg, CF_MSG_MEMBER, &member);
        break;
    }
    case CF_MSG_READ_POSTS:
        answer_posts(msg, &body->read_posts);
        break;
    case CF_MSG_FIND_USER:
        answer(msg, CF_MSG_USER, &user);
        break;
    case CF_MSG_FIND_SESSION: {
        int at = find_session(body->find_session.token_hash);
        if (at < 0)
            refuse(msg, CF_ENOENT);
        else
            answer(msg, CF_MSG_SESSION_ROW, &(cf_session_row_t){world.session_rows[at], user});
        break;
    }
    }
}

static void play_hasher(const cf_msg_t *msg)
{
    if (msg->type == CF_MSG_HASH)
        answer(msg, CF_MSG_HASHED, &(cf_hashed_t){cf_str("$hash")});
    else
        answer(msg, CF_MSG_VERIFIED, &(cf_verified_t){true, cf_str("$again")});
}

static void play_bot(const cf_msg_t *msg)
{
    cf_bot_answer_t words = {
        .bot = user_id("bot"), .username = cf_str("StockBot"), .text = cf_str("hello")};
    answer(msg, CF_MSG_BOT_ANSWER, &words);
}

/* --- gateways ----------------------------------------------------------------------------------
 */

static bool is_stored(uint64_t seq, cf_id_t id)
{
    return world.ephemeral ||
           (seq >= 1 && seq <= world.n_posts && cf_id_equal(world.posts[seq - 1].id, id));
}

static void confirm(gateway_t *self, const cf_msg_t *msg)
{
    self->events++;
    self->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    say(msg->to, msg->from, CF_MSG_FLUSHED, 0, (cf_id_t){0},
        &(cf_flushed_t){self->events, self->bytes});
}

static void on_event(gateway_t *self, const cf_msg_t *msg, const cf_event_t *event)
{
    confirm(self, msg);
    self->bot_words += event->kind == CF_EVENT_BOT;
    if (event->kind != CF_EVENT_POST)
        return;
    ensure(is_stored(event->post.seq, event->post.id)); /* nothing is shown that is not stored */
    ensure(event->post.seq > self->shown_seq);
    ensure(world.ephemeral || event->post.seq == self->shown_seq + 1); /* nor left out */
    self->shown_seq = event->post.seq;
}

static void on_answer(gateway_t *self, const cf_msg_t *msg, const body_t *body)
{
    cr_assert(msg->corr >= 1 && msg->corr <= world.asked);
    request_t *request = &world.requests[msg->corr - 1];
    cr_assert(request->got == 0, "allocation %lu, %u in a row: %s answered twice: %s, %s",
              world.failing, world.in_a_row, cf_msg_name(request->type), cf_msg_name(request->got),
              cf_msg_name(msg->type));
    request->got = msg->type;
    if (msg->type == CF_MSG_REFUSED)
        request->reason = -(int)body->refused.reason;
    if (msg->type == CF_MSG_POSTED)
        ensure(is_stored(body->posted.seq, body->posted.id)); /* acknowledged is stored */
    if (msg->type == CF_MSG_ATTACHED && !self->is_attached) {
        self->is_attached = true;
        self->shown_seq = body->attached.last_seq;
    }
    if (msg->type == CF_MSG_LOGGED_IN) {
        memcpy(world.token, body->logged_in.token.bytes, body->logged_in.token.size);
        uint8_t token_hash[CF_TOKEN_HASH_SIZE];
        cf_token_hash(token_hash, body->logged_in.token);
        ensure(find_session(token_hash) >= 0);
    }
}

static void play_gateway(const cf_msg_t *msg, const body_t *body)
{
    gateway_t *self = &world.gateways[msg->to.index];
    const cf_count_t *counts = body->counts.counts.items;
    switch (msg->type) {
    case CF_MSG_EVENT:
        on_event(self, msg, &body->event);
        break;
    case CF_MSG_CHANGES:
    case CF_MSG_ROSTER:
        confirm(self, msg);
        break;
    case CF_MSG_FORGET:
        say(msg->to, msg->from, CF_MSG_FORGOTTEN, 0, msg->room, NULL);
        break;
    case CF_MSG_COUNTS:
        self->counted = body->counts.counts.n ? counts[0].connections : 0;
        break;
    case CF_MSG_SESSION_ENDED:
        self->sessions_ended++;
        break;
    case CF_MSG_USER_ENDED:
        self->users_ended++;
        break;
    case CF_MSG_EXPELLED:
        self->expelled++;
        break;
    default:
        on_answer(self, msg, body);
    }
}

/* --- the world ---------------------------------------------------------------------------------
 */

static void deliver(const cf_msg_t *msg)
{
    body_t body;
    cf_arena_t arena = {0};
    static const cf_actor_kind_t kinds[] = {CF_ACTOR_LOBBY, CF_ACTOR_ROOMS, CF_ACTOR_ACCOUNTS,
                                            CF_ACTOR_LIMITER};
    for (int i = 0; i < ACTORS; i++)
        if (msg->to.kind == kinds[i]) {
            take_turn(&world.actors[i], msg);
            return;
        }
    cr_assert(cf_msg_body(&body, msg, &arena) == 0);
    if (msg->to.kind == CF_ACTOR_STORAGE)
        play_storage(msg, &body);
    else if (msg->to.kind == CF_ACTOR_READER)
        play_reader(msg, &body);
    else if (msg->to.kind == CF_ACTOR_HASHER)
        play_hasher(msg);
    else if (msg->to.kind == CF_ACTOR_STOCKBOT)
        play_bot(msg);
    else
        play_gateway(msg, &body);
    cf_arena_free(&arena);
}

/* Until nothing is on its way any more. */
static void pump(void)
{
    while (world.at < world.frames.size) {
        size_t size = cf_msg_frame_size(world.frames.data + world.at);
        uint8_t *frame = malloc(size); /* the buffer grows meanwhile */
        cf_msg_t msg;
        cr_assert(frame);
        memcpy(frame, world.frames.data + world.at, size);
        world.at += size;
        cr_assert(cf_msg_decode(&msg, frame, size) == 0);
        deliver(&msg);
        free(frame);
    }
    cf_buf_clear(&world.frames);
    world.at = 0;
}

static void pass_ms(int64_t ms)
{
    for (int64_t passed = 0; passed < ms; passed += 1000) {
        world.now_us += INT64_C(1000) * (ms < 1000 ? ms : 1000);
        for (int i = 0; i < ACTORS; i++)
            take_turn(&world.actors[i], NULL);
        pump();
    }
}

static void act(int i, cf_address_t address, const cf_actor_ops_t *ops, void *state)
{
    world.actors[i] = (acting_t){.ops = ops, .state = state, .address = address};
}

static const cf_room_config_t room_config = {
    .ring_events = 4,
    .ring_bytes = 65536,
    .queue_posts = 8,
    .queue_bytes = 65536,
    .commands_max = 8,
    .members_cache = 16,
    .roster_max = 4,
    .verdict_timeout_us = 5000000,
    .answer_us = 5000000,
    .idle_us = 60000000,
    .command_us = 30000000,
    .lobby = {NODE, CF_ACTOR_LOBBY, 0},
    .storage = {NODE, CF_ACTOR_STORAGE, 0},
    .bot = {NODE, CF_ACTOR_STOCKBOT, 0},
    .reader = {NODE, CF_ACTOR_READER, 0},
    .readers = 1,
};

static void world_begin(bool ephemeral)
{
    static const cf_accounts_config_t accounts_config = {.gateways = GATEWAYS,
                                                         .readers = 1,
                                                         .hashers = 1,
                                                         .queue = 8,
                                                         .queue_per_ip = 8,
                                                         .hash_us = 10000000,
                                                         .rate = 100,
                                                         .sessions = 8,
                                                         .session_ttl_us = INT64_C(3600000000),
                                                         .answer_us = 10000000};
    static const cf_limiter_config_t limiter_config = {
        .limits = {{[CF_LIMIT_POSTS] = {3, 60000000, 3}}}, .buckets_max = 4};
    static cf_lobby_config_t lobby_config;
    cf_limiter_t *limiter;
    cf_lobby_t *lobby;
    cf_rooms_t *rooms;
    cf_accounts_t *accounts;
    memset(&world, 0, sizeof world);
    lobby_config = (cf_lobby_config_t){.threads = {rooms_at},
                                       .thread_count = 1,
                                       .gateway_count = GATEWAYS,
                                       .node = NODE,
                                       .lookups_max = 16};
    for (uint16_t i = 0; i < GATEWAYS; i++)
        lobby_config.gateways[i] = (cf_address_t){NODE, CF_ACTOR_GATEWAY, i};
    cr_assert(cf_lobby_new(&lobby, &lobby_config) == 0);
    cr_assert(cf_rooms_new(&rooms, &room_config, 16, 1u << 20, NULL) == 0);
    cr_assert(cf_accounts_new(&accounts, &accounts_config) == 0);
    cr_assert(cf_limiter_new(&limiter, &limiter_config) == 0);
    cr_assert(cf_outbox_new(&world.played, NULL, lobby_at) == 0);
    act(LOBBY, lobby_at, &cf_lobby_ops, lobby);
    act(ROOMS, rooms_at, &cf_rooms_ops, rooms);
    act(ACCOUNTS, accounts_at, &cf_accounts_ops, accounts);
    act(LIMITER, limiter_at, &cf_limiter_ops, limiter);
    world.ephemeral = ephemeral;
    world.now_us = 1000000;
}

static void world_end(void)
{
    for (int i = 0; i < ACTORS; i++)
        world.actors[i].ops->destroy(world.actors[i].state);
    cf_outbox_destroy(&world.played);
    cf_buf_free(&world.frames);
}

/* --- the scenario ------------------------------------------------------------------------------
 */

/* Put a request on its way. */
static request_t *put(uint16_t gateway, cf_address_t to, uint16_t type, const void *body,
                      uint16_t wanted)
{
    cr_assert(world.asked < REQUESTS_MAX);
    request_t *request = &world.requests[world.asked++];
    *request = (request_t){.type = type, .wanted = wanted};
    bool is_of_room = to.kind == CF_ACTOR_LOBBY || to.kind == CF_ACTOR_ROOMS;
    cf_id_t room = is_of_room ? the_room : (cf_id_t){0};
    say((cf_address_t){NODE, CF_ACTOR_GATEWAY, gateway}, to, type, world.asked, room, body);
    return request;
}

static void check_answer(const request_t *request)
{
    if (world.strict && request->wanted)
        cr_assert(request->got == request->wanted,
                  "allocation %lu, %u in a row: %s answered %s (%s) instead of %s", world.failing,
                  world.in_a_row, cf_msg_name(request->type), cf_msg_name(request->got),
                  cf_err_text(request->reason), cf_msg_name(request->wanted));
}

static request_t *ask(uint16_t gateway, cf_address_t to, uint16_t type, const void *body,
                      uint16_t wanted)
{
    request_t *request = put(gateway, to, type, body, wanted);
    pump();
    check_answer(request);
    return request;
}

static cf_attach_t attach_body(const char *name)
{
    return (cf_attach_t){
        .conn = ++world.conn, .user = user_id(name), .username = cf_str(name), .roster = true};
}

static cf_post_msg_t post_body(uint64_t conn, const char *name, const char *text, const char *key)
{
    return (cf_post_msg_t){.conn = conn,
                           .sender = user_id(name),
                           .username = cf_str(name),
                           .kind = CF_POST_TEXT,
                           .client_key = cf_str(key),
                           .text = cf_str(text)};
}

static void detach(uint16_t gateway, uint64_t conn)
{
    say((cf_address_t){NODE, CF_ACTOR_GATEWAY, gateway}, rooms_at, CF_MSG_DETACH, 0, the_room,
        &(cf_detach_t){.conn = conn});
    pump();
    world.gateways[gateway].is_attached = false;
}

static void read_history(uint32_t from, int64_t at)
{
    cf_history_t history = {.user = user_id("ann"), .from = from, .at = at, .limit = 2};
    ask(0, rooms_at, CF_MSG_HISTORY, &history, CF_MSG_PAGE);
}

static void talk(uint64_t ann_conn, uint64_t bob_conn)
{
    static unsigned round;
    char key[16];
    snprintf(key, sizeof key, "key%u", ++round);
    cf_post_msg_t post = post_body(ann_conn, "ann", "one", key);
    cf_post_msg_t other = post_body(bob_conn, "bob", "two", "");
    request_t *first = ask(0, rooms_at, CF_MSG_POST, &post, CF_MSG_POSTED);
    request_t *again = ask(0, rooms_at, CF_MSG_POST, &post, CF_MSG_POSTED);
    request_t *many[6];
    for (int i = 0; i < 6; i++)
        many[i] = put(1, rooms_at, CF_MSG_POST, &other, CF_MSG_POSTED);
    pump();
    check_answer(first);
    check_answer(again);
    for (int i = 0; i < 6; i++)
        check_answer(many[i]);
    read_history(CF_POSTS_NEWEST, 0);
    if (!world.ephemeral)
        read_history(CF_POSTS_AFTER_SEQ, 0);
}

static void ask_the_bot(uint64_t ann_conn)
{
    uint32_t before = world.gateways[0].bot_words;
    cf_command_t hello = {.id = user_id("command"),
                          .conn = ann_conn,
                          .sender = user_id("ann"),
                          .type = cf_str("hello")};
    ask(0, rooms_at, CF_MSG_COMMAND, &hello, CF_MSG_COMMANDED);
    if (world.strict)
        ensure(world.gateways[0].bot_words == before + 1);
}

static void meet_in_the_room(void)
{
    uint64_t before = world.gateways[0].events;
    ask(0, lobby_at, CF_MSG_LOOKUP, NULL, CF_MSG_PLACED);
    ask(0, rooms_at, CF_MSG_CHECK, &(cf_check_t){user_id("ann")}, CF_MSG_DONE);
    ask(0, rooms_at, CF_MSG_CHECK, &(cf_check_t){user_id("eve")}, CF_MSG_REFUSED);
    cf_attach_t ann = attach_body("ann"), bob = attach_body("bob");
    request_t *in = put(0, rooms_at, CF_MSG_ATTACH, &ann, CF_MSG_ATTACHED);
    cf_post_msg_t early = post_body(ann.conn, "ann", "early", "");
    request_t *said = put(0, rooms_at, CF_MSG_POST, &early, CF_MSG_POSTED); /* held with it */
    pump();
    check_answer(in);
    check_answer(said);
    request_t *joined = ask(1, rooms_at, CF_MSG_JOIN, &(cf_join_t){user_id("bob")}, CF_MSG_DONE);
    if (joined->got == CF_MSG_DONE)
        ensure(world.bob_is_member);
    request_t *bob_in = ask(1, rooms_at, CF_MSG_ATTACH, &bob, CF_MSG_ATTACHED);
    talk(ann.conn, bob.conn);
    ask_the_bot(ann.conn);
    pass_ms(8000 + 1000 * world.in_a_row); /* what could not be said is said now */
    if (in->got == CF_MSG_ATTACHED && bob_in->got == CF_MSG_ATTACHED)
        ensure(world.gateways[0].counted == 2 && world.gateways[1].counted == 2);
    if (in->got == CF_MSG_ATTACHED && !world.ephemeral)
        ensure(world.gateways[0].shown_seq == world.n_posts);
    if (world.strict)
        ensure(world.gateways[0].events > before);
    cf_attach_t back = attach_body("ann");
    back.resume = true;
    back.epoch = world.epoch;
    back.since = world.n_posts ? world.n_posts - 1 : 0;
    ask(0, rooms_at, CF_MSG_ATTACH, &back, CF_MSG_ATTACHED);
    uint32_t expelled = world.gateways[1].expelled;
    request_t *left = ask(1, rooms_at, CF_MSG_LEAVE, &(cf_leave_t){user_id("bob")}, CF_MSG_DONE);
    pass_ms(1000); /* what could not be said is said now */
    if (left->got == CF_MSG_DONE && bob_in->got == CF_MSG_ATTACHED)
        ensure(world.gateways[1].expelled == expelled + 1);
    detach(0, ann.conn);
    detach(0, back.conn);
    detach(1, bob.conn);
}

/* Log in, be known, log out, be known no more. */
static void come_and_go(void)
{
    cf_register_t person = {cf_str("ann"), cf_str("ann@example.com"), cf_str("password"), {{0}}};
    ask(0, accounts_at, CF_MSG_REGISTER, &person, CF_MSG_REGISTERED);
    cf_login_t login = {cf_str("ann"), cf_str("password"), {{0}}};
    request_t *in = ask(0, accounts_at, CF_MSG_LOGIN, &login, CF_MSG_LOGGED_IN);
    if (in->got != CF_MSG_LOGGED_IN)
        return;
    cf_token_t token = {cf_str(world.token)};
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    cf_token_hash(token_hash, token.token);
    ask(0, accounts_at, CF_MSG_AUTHENTICATE, &token, CF_MSG_SESSION);
    ask(0, accounts_at, CF_MSG_AUTHENTICATE, &(cf_token_t){cf_str("foreign")}, CF_MSG_REFUSED);
    uint32_t told[GATEWAYS];
    for (int i = 0; i < GATEWAYS; i++)
        told[i] = world.gateways[i].sessions_ended;
    request_t *out = ask(0, accounts_at, CF_MSG_LOGOUT, &token, CF_MSG_DONE);
    pass_ms(11000);
    bool is_stored_still = find_session(token_hash) >= 0;
    bool is_over = out->got == CF_MSG_DONE;
    for (int i = 0; is_over && i < GATEWAYS; i++)
        ensure(world.gateways[i].sessions_ended == told[i] + 1);
    ensure(!is_over || !is_stored_still);
    bool was_spent = world.failing && failing_malloc_failed() > 0 && world.in_a_row == 1;
    request_t *known =
        ask(0, accounts_at, CF_MSG_AUTHENTICATE, &token, is_over ? CF_MSG_REFUSED : CF_MSG_SESSION);
    ensure(known->got != CF_MSG_SESSION || is_stored_still);
    /* a logout that was not stored has not happened */
    ensure(!was_spent || !is_stored_still || known->got == CF_MSG_SESSION);
}

/* Log in, be disabled, be known no more, be enabled. */
static void be_shut_out(void)
{
    cf_login_t login = {cf_str("ann"), cf_str("password"), {{0}}};
    cf_username_t ann = {cf_str("ann")};
    uint32_t told[GATEWAYS];
    for (int i = 0; i < GATEWAYS; i++)
        told[i] = world.gateways[i].users_ended;
    request_t *in = ask(0, accounts_at, CF_MSG_LOGIN, &login, CF_MSG_LOGGED_IN);
    request_t *out = ask(0, accounts_at, CF_MSG_DISABLE, &ann, CF_MSG_DONE);
    pass_ms(11000); /* what could not be said is said now */
    for (int i = 0; out->got == CF_MSG_DONE && i < GATEWAYS; i++)
        ensure(world.gateways[i].users_ended == told[i] + 1);
    if (in->got == CF_MSG_LOGGED_IN && out->got == CF_MSG_DONE)
        ensure(ask(0, accounts_at, CF_MSG_AUTHENTICATE, &(cf_token_t){cf_str(world.token)},
                   CF_MSG_REFUSED)
                   ->got != CF_MSG_SESSION);
    ask(0, accounts_at, CF_MSG_ENABLE, &ann, CF_MSG_DONE);
}

/* Until there is none; how many there were. */
static int take_tokens(void)
{
    cf_take_t take = {.kind = CF_LIMIT_POSTS, .want = 1, .most = 1};
    for (int n = 0;;) {
        request_t *request = ask(0, limiter_at, CF_MSG_TAKE, &take, 0);
        if (request->got == CF_MSG_REFUSED && request->reason == CF_ELIMIT)
            return n;
        n += request->got == CF_MSG_GRANTED; /* else there was no memory to answer */
    }
}

/* Whatever fails, a full bucket gives what it holds, no more and no less. */
static void spend(void)
{
    ensure(take_tokens() == 3);
    say((cf_address_t){NODE, CF_ACTOR_GATEWAY, 0}, limiter_at, CF_MSG_GIVE_BACK, 0, (cf_id_t){0},
        &(cf_give_back_t){.kind = CF_LIMIT_POSTS, .tokens = 2});
    pump();
    ensure(take_tokens() == 2);
}

static void scenario(bool strict)
{
    world.strict = strict;
    spend();
    meet_in_the_room();
    pass_ms(75000); /* the room goes to rest, and comes again */
    meet_in_the_room();
    come_and_go();
    be_shut_out();
    pass_ms(75000);
    for (uint64_t i = 0; i < world.asked && world.in_a_row <= 1; i++)
        cr_assert(world.requests[i].got, "allocation %lu: %s was not answered", world.failing,
                  cf_msg_name(world.requests[i].type));
}

/* Returns how many allocations there were. */
static unsigned long run(bool ephemeral, unsigned long nth, unsigned in_a_row)
{
    world_begin(ephemeral);
    world.failing = nth;
    world.in_a_row = in_a_row;
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    scenario(nth == 0);
    unsigned long count = failing_malloc_end();
    pass_ms(10000); /* it recovers by itself, by its own timers */
    world.asked = 0;
    scenario(true); /* as if nothing had happened */
    world_end();
    return count;
}

static void fail_each(bool ephemeral, unsigned in_a_row)
{
    unsigned long count = run(ephemeral, 0, 1);
    cr_assert(count > 100, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(ephemeral, nth, in_a_row);
}

TestSuite(exhaustion, .timeout = 300);

Test(exhaustion, any_one_allocation_may_fail)
{
    fail_each(false, 1);
}

Test(exhaustion, any_one_allocation_may_fail_around_an_ephemeral_room)
{
    fail_each(true, 1);
}

Test(exhaustion, no_memory_for_a_while_is_survived)
{
    fail_each(false, 2);
    fail_each(false, 5);
    fail_each(false, 40);
}
