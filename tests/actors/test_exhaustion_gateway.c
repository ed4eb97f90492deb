/* Failed allocations: a gateway, on one thread. The actors behind it are played, and so is the socket
 * server: this file defines the functions of http/server.h, so the linker leaves the real one out.
 * The scenario is run once to count what the gateway allocates, then once for each allocation with
 * that one failing. Then every request is answered all the same (what was wanted, 5xx, or the
 * connection cut), nobody hears an acknowledgement of what is not stored, a socket has every event
 * or is closed, the room knows of no connection that is gone; and the same scenario afterwards goes as
 * if nothing had happened. */
#include "gateway.h"

#include "clock.h"
#include "failing_malloc.h"
#include "http/outgoing.h"
#include "store.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE 1
#define CONNS_MAX 256
#define POSTS_MAX 64
#define TAKES_MAX 1000 /* of frames */
#define HOUR_US INT64_C(3600000000)
#define SECOND_US INT64_C(1000000)
#define GIVES_UP_US (16 * SECOND_US) /* a gateway waits 15 s for an actor */

static const cf_id_t the_room = {{2, 1}};
static const cf_address_t gateway_at = {NODE, CF_ACTOR_GATEWAY, 0};

/* --- what there is -----------------------------------------------------------------------------
 */

typedef enum { ASKED, ANSWERED, GRANTED, OPEN, CLOSING, DOOMED, GONE } phase_t;

/* As the real server has it, and what its client saw. */
struct cf_conn {
    phase_t phase;
    bool is_upgrade, paused;
    int status; /* 0: cut without an answer */
    cf_buf_t answer;
    void *owner_data;
    uint64_t lasting[16];
    cf_outgoing_t out;
    int close_code;
    unsigned said, told; /* messages of the client; acknowledgements and errors it got */
    unsigned events, counts, rosters;
    uint64_t seen_seq;
    bool saw_any;
};

struct cf_server {
    cf_server_events_t events;
    void *owner;
    cf_server_stats_t stats;
};

/* Who is in the room. */
typedef struct {
    const char *name;
    cf_conn_t *conn; /* its socket */
    uint64_t number; /* what the gateway calls it; 0: the room does not know it */
    unsigned expected;
    unsigned newest_said;
} person_t;

enum { ANN, BOB, PEOPLE };
enum { LOBBY, ACCOUNTS, STORAGE, READER, STATS, LIMITER, ROOMS0, ROOMS1, SUPERVISOR, PLAYED };

static const cf_address_t played_at[PLAYED] = {
    [LOBBY] = {NODE, CF_ACTOR_LOBBY, 0},           [ACCOUNTS] = {NODE, CF_ACTOR_ACCOUNTS, 0},
    [STORAGE] = {NODE, CF_ACTOR_STORAGE, 0},       [READER] = {NODE, CF_ACTOR_READER, 0},
    [STATS] = {NODE, CF_ACTOR_STATS, 0},           [LIMITER] = {NODE, CF_ACTOR_LIMITER, 0},
    [ROOMS0] = {NODE, CF_ACTOR_ROOMS, 0},          [ROOMS1] = {NODE, CF_ACTOR_ROOMS, 1},
    [SUPERVISOR] = {NODE, CF_ACTOR_SUPERVISOR, 0},
};

typedef struct {
    uint64_t events, flushed;
} window_t;

static struct {
    cf_bus_t bus;
    cf_actor_t *actor;
    cf_server_t server;
    cf_inbox_t *inboxes[PLAYED];
    cf_outbox_t *played; /* what the played ones say */
    cf_conn_t conns[CONNS_MAX];
    unsigned n_conns;
    person_t people[PEOPLE];
    uint16_t place; /* index of the room's thread */
    uint64_t epoch, seq, n;
    char texts[POSTS_MAX][16];
    window_t windows[2];
    unsigned forgets, forgotten, counted;
    bool silent, no_room, drained, closed;
    int tokens;     /* of frames: handed out and not come back, less the frames that came */
    unsigned takes; /* of frames */
    unsigned leased[TAKES_MAX]; /* by the number of the lease */
    bool holds;                 /* the room keeps an ATTACH to answer it later */
    cf_msg_t held_request;
    cf_attach_t held; /* conn 0: none came */
    unsigned long failing;
    unsigned in_a_row;
    bool strict; /* nothing fails: every answer is the wanted one */
} world;

static void (*scenario)(void);

#define ensure(what)                                                                               \
    cr_assert(what, "allocation %lu, %u in a row%s", world.failing, world.in_a_row,                \
              world.strict ? ", strict" : "")

static cf_id_t user_id(const char *name)
{
    return (cf_id_t){{1, (uint8_t)name[0], (uint8_t)name[1], (uint8_t)name[2]}};
}

/* --- the socket server -------------------------------------------------------------------------
 */

int cf_server_new(cf_server_t **out, const cf_server_config_t *config,
                  const cf_server_events_t *events, void *owner, int inbox_fd)
{
    (void)inbox_fd;
    cr_assert(config->lasting_bytes <= sizeof world.conns[0].lasting);
    world.server = (cf_server_t){.events = *events, .owner = owner};
    *out = &world.server;
    return 0;
}

int cf_server_port(const cf_server_t *self)
{
    (void)self;
    return 1;
}

int cf_server_run(cf_server_t *self)
{
    (void)self;
    scenario();
    return 0;
}

void cf_server_stop(cf_server_t *self)
{
    (void)self;
}

void cf_server_stop_listening(cf_server_t *self)
{
    (void)self;
}

bool cf_server_is_flushed(const cf_server_t *self)
{
    (void)self;
    return true;
}

int cf_server_reload(cf_server_t *self)
{
    (void)self;
    return 0;
}

const cf_server_stats_t *cf_server_stats(const cf_server_t *self)
{
    return &self->stats;
}

static void lose(cf_conn_t *conn)
{
    conn->phase = GONE;
    world.server.events.on_gone(world.server.owner, conn, CF_GONE_OURS);
    cf_outgoing_clear(&conn->out);
}

void cf_server_destroy(cf_server_t **self)
{
    for (unsigned i = 0; i < world.n_conns; i++) {
        if (world.conns[i].phase != GONE)
            lose(&world.conns[i]);
        cf_buf_free(&world.conns[i].answer);
    }
    *self = NULL;
}

int cf_conn_respond(cf_conn_t *conn, int status, const char *content_type,
                    const char *extra_headers, const void *body, size_t size)
{
    (void)content_type, (void)extra_headers;
    ensure(conn->phase == ASKED); /* answered once */
    conn->phase = ANSWERED;
    if (cf_buf_add(&conn->answer, body, size) < 0 || cf_buf_add_byte(&conn->answer, 0) < 0)
        return CF_ECLOSING; /* the real one cuts the connection */
    conn->status = status;
    return 0;
}

int cf_conn_upgrade(cf_conn_t *conn)
{
    ensure(conn->phase == ASKED);
    conn->phase = GRANTED;
    return 0;
}

int cf_conn_send(cf_conn_t *conn, cf_frame_t *frame)
{
    if (conn->phase != OPEN)
        return CF_ECLOSING;
    if (cf_outgoing_add(&conn->out, frame, 1) == 0)
        return 0;
    conn->phase = DOOMED;
    return CF_EFULL;
}

void cf_conn_close(cf_conn_t *conn, int code, const char *reason)
{
    (void)reason;
    if (conn->phase != OPEN)
        return;
    conn->phase = CLOSING;
    conn->close_code = code;
}

void cf_conn_pause(cf_conn_t *conn, bool paused)
{
    conn->paused = paused;
}

void cf_conn_set_owner_data(cf_conn_t *conn, void *data)
{
    conn->owner_data = data;
}

void *cf_conn_owner_data(const cf_conn_t *conn)
{
    return conn->owner_data;
}

void *cf_conn_lasting(const cf_conn_t *conn)
{
    return (void *)(uintptr_t)conn->lasting;
}

int cf_conn_send_latest(cf_conn_t *conn, cf_frame_t *frame)
{
    return cf_conn_send(conn, frame); /* its clients read all */
}

/* What the real one does at the end of a pass with those that have something to settle. */
static void take_turns(void)
{
    for (unsigned i = 0; i < world.n_conns; i++) {
        cf_conn_t *conn = &world.conns[i];
        if (conn->phase == ANSWERED || conn->phase == DOOMED) {
            lose(conn);
        } else if (conn->phase == GRANTED) {
            conn->phase = OPEN;
            world.server.events.on_open(world.server.owner, conn);
        }
    }
}

/* --- clients -----------------------------------------------------------------------------------
 */

static cf_conn_t *new_conn(void)
{
    cr_assert(world.n_conns < CONNS_MAX);
    cf_conn_t *conn = &world.conns[world.n_conns++];
    cf_outgoing_init(&conn->out);
    return conn;
}

static void see_post(cf_conn_t *conn, const char *text)
{
    const char *at = strstr(text, "\"seq\":");
    cr_assert(at, "%s", text);
    uint64_t seq = strtoull(at + 6, NULL, 10);
    ensure(seq >= 1 && seq <= world.seq); /* nothing is shown that is not stored */
    ensure(!conn->saw_any || seq == conn->seen_seq + 1);
    conn->saw_any = true;
    conn->seen_seq = seq;
    char content[48];
    snprintf(content, sizeof content, "\"content\":\"%s\"", world.texts[seq]);
    ensure(strstr(text, content)); /* as it was said */
}

static void see_ack(const char *text)
{
    const char *at = strstr(text, "\"seq\":");
    cr_assert(at, "%s", text);
    ensure(strtoull(at + 6, NULL, 10) <= world.seq);
}

static void see(cf_conn_t *conn, const cf_frame_t *frame)
{
    char text[512];
    size_t head = frame->bytes[1] < 126 ? 2 : 4, size = frame->size - head;
    cr_assert(size < sizeof text);
    memcpy(text, frame->bytes + head, size);
    text[size] = '\0';
    if (strstr(text, "/stock=")) { /* the echo of a command */
        conn->told++;
        return;
    }
    if (strstr(text, "\"chat_message\""))
        see_post(conn, text);
    if (strstr(text, "\"message_ack\""))
        see_ack(text);
    conn->told += strstr(text, "\"message_ack\"") || strstr(text, "\"error\"");
    conn->events += strstr(text, "\"chat_message\"") || strstr(text, "\"user_joined\"");
    conn->rosters += strstr(text, "\"room_roster\"") != NULL;
    ensure(conn->rosters == 1 || conn->events == 0); /* what events add to comes before them */
    conn->counts += strstr(text, "\"user_count_update\"") != NULL;
}

static void read_sockets(void)
{
    for (unsigned i = 0; i < world.n_conns; i++) {
        cf_conn_t *conn = &world.conns[i];
        for (uint32_t k = 0; k < conn->out.count; k++)
            see(conn, cf_outgoing_at(&conn->out, k));
        cf_outgoing_clear(&conn->out);
        if (conn->phase == CLOSING)
            lose(conn); /* the client closes too */
    }
}

/* One pass of the server's loop. */
static void pass(void)
{
    const cf_server_events_t *events = &world.server.events;
    failing_malloc_resume();
    while (events->on_inbox(world.server.owner, 100))
        ;
    take_turns();
    events->before_flush(world.server.owner);
    take_turns();
    failing_malloc_pause();
    read_sockets();
    failing_malloc_resume();
    events->after_flush(world.server.owner);
    failing_malloc_pause();
}

/* --- the actors behind it ----------------------------------------------------------------------
 */

typedef union {
    cf_token_t token;
    cf_login_t login;
    cf_list_rooms_t list;
    cf_create_room_t create;
    cf_attach_t attach;
    cf_detach_t detach;
    cf_post_msg_t post;
    cf_history_t history;
    cf_command_t command;
    cf_flushed_t flushed;
    cf_take_t take;
    cf_settle_t settle;
    cf_register_t registering;
} body_t;

static void say(const cf_address_t *from, uint16_t type, uint64_t corr, cf_id_t room,
                const void *body)
{
    cf_msg_t head = {.type = type, .corr = corr, .from = *from, .to = gateway_at, .room = room};
    cr_assert(cf_outbox_put(world.played, &head, body) == 0);
}

static void answer(const cf_msg_t *msg, uint16_t type, const void *body)
{
    say(&msg->to, type, msg->corr, msg->room, body);
}

static void refuse(const cf_msg_t *msg, int err)
{
    answer(msg, CF_MSG_REFUSED, &(cf_refused_t){(uint32_t)-err, 0});
}

static void play_accounts(const cf_msg_t *msg, const body_t *body)
{
    cf_session_msg_t session = {.session = {{9}},
                                .username = body->token.token,
                                .email = cf_str("somebody@test.com"),
                                .created_us = 1,
                                .expires_us = cf_wall_us() + HOUR_US};
    cf_logged_in_t login = {.token = cf_str("token"),
                            .username = cf_str("ann"),
                            .email = cf_str("somebody@test.com"),
                            .expires_us = session.expires_us};
    bool is_known = cf_str_equal(body->token.token, cf_str("ann")) ||
                    cf_str_equal(body->token.token, cf_str("bob"));
    switch (msg->type) {
    case CF_MSG_REGISTER:
        answer(msg, CF_MSG_REGISTERED, &(cf_registered_t){user_id("ann"), 1});
        break;
    case CF_MSG_LOGIN:
        answer(msg, CF_MSG_LOGGED_IN, &login);
        break;
    case CF_MSG_LOGOUT:
        ensure(is_known);
        answer(msg, CF_MSG_DONE, NULL);
        break;
    case CF_MSG_AUTHENTICATE:
        if (!is_known) {
            ensure(cf_str_equal(body->token.token, cf_str("stale")));
            refuse(msg, CF_EAUTH);
            break;
        }
        session.user = user_id(body->token.token.bytes);
        session.session.bytes[1] = (uint8_t)body->token.token.bytes[0];
        answer(msg, CF_MSG_SESSION, &session);
    }
}

static void play_reader(const cf_msg_t *msg, const body_t *body)
{
    cf_room_entry_t room = {.id = the_room, .name = cf_str("a room"), .created_us = 1};
    cr_assert(msg->type == CF_MSG_LIST_ROOMS);
    ensure(body->list.limit == 7 && !body->list.from_newest); /* what was asked for */
    ensure(cf_id_equal(body->list.after, the_room));
    answer(msg, CF_MSG_ROOM_LIST,
           &(cf_room_list_t){cf_address_pack(gateway_at), false, {&room, 1}});
}

static void play_stats(const cf_msg_t *msg)
{
    cf_health_state_t health = {.live = true, .ready = true, .store_up = true};
    cf_metrics_text_t text = {cf_str("confab_up 1\n")};
    if (msg->type == CF_MSG_HEALTH)
        answer(msg, CF_MSG_HEALTH_STATE, &health);
    else
        answer(msg, CF_MSG_METRICS_TEXT, &text);
}

static bool is_frames(uint32_t kind)
{
    return kind == CF_LIMIT_POSTS || kind == CF_LIMIT_COMMANDS;
}

/* What was not spent of a lease has come back. */
static void end_lease(const cf_spent_t *spent)
{
    if (!spent->lease)
        return;
    cr_assert(spent->lease < TAKES_MAX);
    unsigned leased = world.leased[spent->lease];
    ensure(leased && spent->tokens <= leased);
    world.tokens -= (int)(leased - spent->tokens);
    world.leased[spent->lease] = 0;
}

/* Now a lease and now less than is wanted; and of frames every fifth is refused. */
static void play_limiter(const cf_msg_t *msg, const body_t *body)
{
    const cf_take_t *take = &body->take;
    if (msg->type == CF_MSG_SETTLE)
        end_lease(&body->settle.spent);
    if (msg->type != CF_MSG_TAKE)
        return;
    if (!is_frames(take->kind)) {
        answer(msg, CF_MSG_GRANTED, &(cf_granted_t){1, 1000, 0});
        return;
    }
    end_lease(&take->spent);
    if (++world.takes % 5 == 0) {
        refuse(msg, CF_ELIMIT);
        return;
    }
    cr_assert(world.takes < TAKES_MAX);
    uint32_t tokens = world.takes % 2 ? take->most : 1;
    uint32_t lease = tokens > take->want ? world.takes : 0;
    world.tokens += (int)tokens;
    world.leased[lease] = lease ? tokens - take->want : 0;
    answer(msg, CF_MSG_GRANTED, &(cf_granted_t){tokens, 1000, lease});
}

static void play_lobby(const cf_msg_t *msg)
{
    cf_address_t at = {NODE, CF_ACTOR_ROOMS, world.place};
    if (msg->type == CF_MSG_FORGOTTEN)
        world.forgotten++;
    else if (world.no_room)
        refuse(msg, CF_EFULL);
    else
        answer(msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(at)});
}

/* --- the room ----------------------------------------------------------------------------------
 */

static const cf_address_t *room_at(void)
{
    return &played_at[ROOMS0 + world.place];
}

static cf_post_t post_row(uint64_t seq)
{
    return (cf_post_t){.seq = seq,
                       .id = {{3, (uint8_t)seq}},
                       .at_us = (int64_t)seq,
                       .kind = CF_POST_TEXT,
                       .username = cf_str("ann"),
                       .text = cf_str(world.texts[seq])};
}

/* All who are there are to see one thing more. */
static void tell_all(uint16_t type, const void *body)
{
    bool any = false;
    for (int i = 0; i < PEOPLE; i++) {
        any |= world.people[i].number != 0;
        world.people[i].expected += world.people[i].number != 0;
    }
    if (!any)
        return;
    world.windows[world.place].events++;
    say(room_at(), type, 0, the_room, body);
}

/* And somebody else has left in the same moment. */
static void tell_joined(cf_str_t username)
{
    cf_change_t both[] = {{false, 7, username}, {true, 7, cf_str("cid")}};
    cf_changes_t changes = {world.epoch, world.n + 1, {both, 2}};
    world.n += 2;
    tell_all(CF_MSG_CHANGES, &changes);
}

static void attach(const cf_msg_t *msg, const cf_attach_t *attach)
{
    person_t *person = &world.people[attach->username.bytes[0] == 'a' ? ANN : BOB];
    cf_event_t events[POSTS_MAX];
    uint32_t n = 0;
    ensure(!person->number); /* once */
    for (uint64_t seq = attach->since + 1; attach->resume && seq <= world.seq; seq++)
        events[n++] =
            (cf_event_t){.epoch = world.epoch, .kind = CF_EVENT_POST, .post = post_row(seq)};
    person->number = attach->conn;
    person->expected += n;
    cf_attached_t attached = {
        .epoch = world.epoch, .last_seq = world.seq, .last_n = world.n, .backlog = {events, n}};
    if (!attach->again && person == &world.people[BOB])
        attached.own_n = world.n + 1; /* and of what is told together he gets the rest */
    answer(msg, CF_MSG_ATTACHED, &attached);
    if (!attach->again)
        tell_joined(attach->username);
}

static void detach(uint64_t number)
{
    for (int i = 0; i < PEOPLE; i++)
        if (world.people[i].number == number)
            world.people[i].number = 0;
}

static void take_post(const cf_msg_t *msg, const cf_post_msg_t *post)
{
    person_t *person = &world.people[post->username.bytes[0] == 'a' ? ANN : BOB];
    if (!person->number) {
        refuse(msg, CF_EPERM);
        return;
    }
    cr_assert(world.seq + 1 < POSTS_MAX);
    char *text = world.texts[++world.seq];
    memcpy(text, post->text.bytes, post->text.size);
    text[post->text.size] = '\0';
    unsigned said = (unsigned)strtoul(text + 4, NULL, 10);
    ensure(said > person->newest_said); /* each sender's in order */
    person->newest_said = said;
    answer(msg, CF_MSG_POSTED, &(cf_posted_t){{{3, (uint8_t)world.seq}}, world.seq, 1});
    tell_all(CF_MSG_EVENT, &(cf_event_t){.epoch = world.epoch,
                                         .n = ++world.n,
                                         .kind = CF_EVENT_POST,
                                         .post = post_row(world.seq)});
}

static void show_history(const cf_msg_t *msg, const cf_history_t *history)
{
    cf_post_t posts[2] = {post_row(1), post_row(2)};
    ensure(history->limit == 2 && history->from == CF_POSTS_BEFORE_TIME);
    ensure(history->at == 1767225600 * SECOND_US);
    answer(msg, CF_MSG_PAGE, &(cf_page_t){{posts, 2}});
}

static void play_rooms(const cf_msg_t *msg, const body_t *body)
{
    if (msg->type == CF_MSG_FLUSHED) {
        world.windows[msg->to.index].flushed = body->flushed.events;
        return;
    }
    if (msg->to.index != world.place) {
        if (msg->corr)
            answer(msg, CF_MSG_MOVED, NULL);
        return;
    }
    bool is_frame = msg->type == CF_MSG_POST || msg->type == CF_MSG_COMMAND;
    world.tokens -= is_frame;
    ensure(world.tokens >= 0); /* nothing passes that was not granted */
    switch (msg->type) {
    case CF_MSG_ATTACH:
        if (world.holds) {
            world.held_request = *msg;
            world.held = body->attach;
        } else {
            attach(msg, &body->attach);
        }
        break;
    case CF_MSG_DETACH:
        detach(body->detach.conn);
        if (msg->corr) /* else there was no memory to wait for an answer */
            answer(msg, CF_MSG_DONE, NULL);
        break;
    case CF_MSG_POST:
        take_post(msg, &body->post);
        break;
    case CF_MSG_COMMAND:
        answer(msg, CF_MSG_COMMANDED, NULL);
        break;
    case CF_MSG_HISTORY:
        show_history(msg, &body->history);
        break;
    default:
        answer(msg, CF_MSG_DONE, NULL);
    }
}

static void play(int who, const cf_msg_t *msg)
{
    body_t body;
    cf_arena_t arena = {0};
    bool is_request = cf_msg_role(msg->type) == CF_ROLE_REQUEST && msg->type != CF_MSG_DETACH;
    if (world.silent && is_request)
        return;
    cr_assert(cf_msg_shape(msg->type)->size <= sizeof body && cf_msg_body(&body, msg, &arena) == 0);
    switch (who) {
    case LOBBY:
        play_lobby(msg);
        break;
    case ACCOUNTS:
        play_accounts(msg, &body);
        break;
    case STORAGE:
        ensure(cf_str_equal(body.create.name, cf_str("a room")));
        answer(msg, CF_MSG_DONE, NULL);
        break;
    case READER:
        play_reader(msg, &body);
        break;
    case STATS:
        play_stats(msg);
        break;
    case LIMITER:
        play_limiter(msg, &body);
        break;
    case SUPERVISOR:
        world.drained |= msg->type == CF_MSG_DRAINED;
        world.closed |= msg->type == CF_MSG_CLOSED;
        break;
    default:
        play_rooms(msg, &body);
    }
    cf_arena_free(&arena);
}

/* --- the world ---------------------------------------------------------------------------------
 */

static bool hear(void)
{
    cf_msg_t msg;
    bool any = false;
    for (int i = 0; i < PLAYED; i++) {
        while (cf_inbox_read(world.inboxes[i], &msg) == 1) {
            any = true;
            play(i, &msg);
        }
        cf_inbox_release(world.inboxes[i]);
    }
    cf_outbox_flush(world.played);
    return any;
}

/* Until nobody has anything to say: what could not be sent for want of memory goes with the next pass. */
static void pump(void)
{
    cf_outbox_flush(world.played);
    for (unsigned quiet = 0; quiet < 3; quiet++) {
        pass();
        if (hear())
            quiet = 0;
    }
}

static void tick(int64_t ahead_us)
{
    failing_malloc_resume();
    world.server.events.on_second(world.server.owner, cf_boot_us() + ahead_us);
    failing_malloc_pause();
    pump();
}

/* Where an allocation fails, what waits for it takes a second more. */
static void settle(void)
{
    pump();
    unsigned before;
    do {
        before = failing_malloc_failed();
        tick(SECOND_US);
    } while (failing_malloc_failed() > before);
}

/* --- what clients do ---------------------------------------------------------------------------
 */

typedef struct {
    cf_method_t method;
    const char *path, *query, *cookie, *bearer;
    const char *body; /* NULL: one that fills the memory of the request */
    int wanted;
    const char *part; /* of the wanted answer */
} call_t;

/* Body, query and cookie leave nothing of the first 16 KiB that a request's texts are taken from. */
static cf_str_t filling_body(const call_t *call)
{
    static char bytes[16384];
    size_t others = (strlen(call->query) + 16) / 16 * 16 + (*call->cookie ? 16 : 0);
    memset(bytes, 'x', sizeof bytes);
    return (cf_str_t){bytes, (uint32_t)(sizeof bytes - 1 - others)};
}

static cf_conn_t *begin_call(const call_t *call)
{
    cf_conn_t *conn = new_conn();
    cf_request_t request = {.method = call->method,
                            .path = cf_str(call->path),
                            .query = cf_str(call->query),
                            .cookie = cf_str(call->cookie),
                            .authorization = cf_str(call->bearer),
                            .body = call->body ? cf_str(call->body) : filling_body(call),
                            .host = cf_str("localhost"),
                            .peer = cf_str("127.0.0.1")};
    failing_malloc_resume();
    world.server.events.on_request(world.server.owner, conn, &request);
    failing_malloc_pause();
    return conn;
}

static void check_answer(const cf_conn_t *conn, const call_t *call)
{
    bool is_failure = conn->status == 0 || conn->status >= 500;
    cr_assert(conn->phase == GONE, "allocation %lu, %u in a row: %s is not answered", world.failing,
              world.in_a_row, call->path);
    cr_assert(conn->status == call->wanted || (is_failure && !world.strict),
              "allocation %lu, %u in a row: %s answers %d instead of %d", world.failing,
              world.in_a_row, call->path, conn->status, call->wanted);
    if (conn->status == call->wanted)
        cr_assert(strstr((const char *)conn->answer.data, call->part),
                  "allocation %lu, %u in a row: %s: %s", world.failing, world.in_a_row, call->path,
                  (const char *)conn->answer.data);
}

static void make_call(const call_t *call)
{
    cf_conn_t *conn = begin_call(call);
    settle();
    check_answer(conn, call);
}

#define GET CF_METHOD_GET
#define POST CF_METHOD_POST
#define ROOM "/api/v1/chatrooms/02010000-0000-0000-0000-000000000000"
#define ANNS "session_id=ann"

static const call_t me = {GET, "/api/v1/auth/me", "", ANNS, "", "", 200, "somebody@test.com"};
static const call_t join = {POST, ROOM "/join", "", ANNS, "", "", 200, "true}\n"};
static const call_t refused_join = {POST, ROOM "/join", "", ANNS, "", "", 503, "{"};
static const call_t history = {
    GET, ROOM "/messages", "limit=2&before=2026-01-01T00%3A00%3A00Z", ANNS, "", NULL,
    200, "\"seq\":2}]}\n"};
static const call_t calls[] = {
    {POST, "/api/v1/auth/register", "", "", "",
     "{\"username\":\"ann\",\"email\":\"ann@test.com\",\"password\":\"password\"}", 201,
     "ann@test.com"},
    {POST, "/api/v1/auth/login", "", "", "", "{\"username\":\"ann\",\"password\":\"password\"}",
     200, "\"session_token\":\"token\"}\n"},
    {GET, "/api/v1/auth/me", "", "session_id=stale", "Bearer ann", "", 200, "somebody@test.com"},
    {GET, "/api/v1/auth/me", "", "", "Bearer stale", "", 401, "Invalid"},
    {GET, "/api/v1/auth/me", "", "", "Bearer ann", NULL, 200, "somebody@test.com"},
    {GET, "/api/v1/chatrooms", "limit=7&cursor=02010000-0000-0000-0000-000000000000", ANNS, "",
     NULL, 200, "\"has_more\":false}\n"},
    {POST, "/api/v1/chatrooms", "", ANNS, "", "{\"name\":\"a room\"}", 201, "\"user_count\":0}\n"},
    {POST, "/api/v1/chatrooms", "", ANNS, "", "{\"name\":\"\"}", 400, "invalid input"},
    {POST, "/api/v1/auth/logout", "", "session_id=bob", "", "", 200, "true}\n"},
    {GET, "/health", "", "", "", "", 200, "\"test\"}\n"},
    {GET, "/health/ready", "", "", "", "", 200, "\"quote_service\":\"disconnected\"}\n"},
    {GET, "/livez", "", "", "", "", 200, "ok\n"},
    {GET, "/metrics", "", "", "", "", 200, "confab_up 1\n"},
    {GET, "/nothing", "", "", "", "", 404, "Not Found\n"},
    {GET, "/", "", "", "", "", 200, "</html>"},
};

static void check_sockets(void)
{
    for (int i = 0; i < PEOPLE; i++) {
        person_t *person = &world.people[i];
        cf_conn_t *conn = person->conn;
        if (!conn)
            continue;
        ensure(conn->phase == OPEN || conn->phase == GONE);
        ensure(!world.strict || conn->phase == OPEN);
        if (conn->phase == GONE) {
            ensure(!person->number); /* nobody is in the room who is not there */
            person->conn = NULL;
            continue;
        }
        ensure(person->number && !conn->paused); /* in the room, and heard */
        ensure(conn->told == conn->said);
        ensure(conn->events == person->expected);
    }
}

static void ask_to_enter(person_t *person)
{
    char cookie[32];
    cf_conn_t *conn = new_conn();
    snprintf(cookie, sizeof cookie, "session_id=%s", person->name);
    cf_request_t request = {.method = CF_METHOD_GET,
                            .path = cf_str("/ws/chat/02010000-0000-0000-0000-000000000000"),
                            .query = cf_str("roster=1"),
                            .cookie = cf_str(cookie),
                            .host = cf_str("localhost"),
                            .peer = cf_str("127.0.0.1"),
                            .is_upgrade = true};
    conn->is_upgrade = true;
    person->conn = conn;
    person->expected = 0;
    failing_malloc_resume();
    world.server.events.on_upgrade(world.server.owner, conn, &request);
    failing_malloc_pause();
    settle();
    ensure(conn->phase == OPEN || conn->status == 0 || conn->status >= 500);
}

static void enter(person_t *person)
{
    ask_to_enter(person);
    check_sockets();
}

static void leave(person_t *person)
{
    if (person->conn && person->conn->phase == OPEN) {
        failing_malloc_resume();
        lose(person->conn);
        failing_malloc_pause();
    }
    person->conn = NULL;
}

static unsigned said; /* in all runs */

static void send_text(person_t *person, const char *text)
{
    cf_conn_t *conn = person->conn;
    if (!conn || conn->phase != OPEN || conn->paused)
        return;
    conn->said++;
    failing_malloc_resume();
    world.server.events.on_message(world.server.owner, conn, (const uint8_t *)text, strlen(text),
                                   true);
    failing_malloc_pause();
}

static void post(person_t *person)
{
    char text[96];
    said++;
    snprintf(text, sizeof text, "{\"content\":\"%s %u\",\"client_key\":\"key%u\"}", person->name,
             said, said);
    send_text(person, text);
}

static void talk(void)
{
    person_t *ann = &world.people[ANN], *bob = &world.people[BOB];
    post(ann);
    post(bob);
    settle();
    check_sockets();
    for (int i = 0; i < 4; i++)
        post(ann); /* more than the first memory of a queue holds */
    settle();
    check_sockets();
    send_text(bob, "no JSON");
    send_text(bob, "{\"content\":\"\"}");
    send_text(bob, "{\"content\":\"a\\u0001\"}");
    send_text(bob, "{\"content\":\"/stock=a.us\"}");
    settle();
    check_sockets();
}

static void hear_counts(void)
{
    cf_conn_t *conn = world.people[ANN].conn;
    unsigned before = conn ? conn->counts : 0;
    cf_count_t count = {the_room, 2};
    say(&played_at[LOBBY], CF_MSG_COUNTS, 0, (cf_id_t){0}, &(cf_counts_t){{&count, 1}});
    pump();
    tick(2 * SECOND_US * ++world.counted); /* later than the pause behind the latest */
    if (world.strict)
        ensure(conn->counts > before);
    check_sockets();
}

/* The room goes to another thread while posts are on their way. */
static void move(void)
{
    pass();
    post(&world.people[ANN]);
    post(&world.people[BOB]);
    world.place = !world.place;
    world.epoch++;
    world.n = 0;
    for (int i = 0; i < PEOPLE; i++)
        world.people[i].number = 0;
    post(&world.people[ANN]);
    world.forgets++;
    say(&played_at[LOBBY], CF_MSG_FORGET, 0, the_room, NULL);
    settle();
    ensure(world.forgotten == world.forgets);
    check_sockets();
}

static void end_session(person_t *person)
{
    cf_conn_t *conn = person->conn;
    cf_session_ended_t ended = {.session = {{9, (uint8_t)person->name[0]}}};
    say(&played_at[ACCOUNTS], CF_MSG_SESSION_ENDED, 0, (cf_id_t){0}, &ended);
    settle();
    ensure(!conn || conn->phase == GONE);
    ensure(!world.strict || conn->close_code == 1008);
    person->conn = NULL;
}

/* Goes while the room has its ATTACH and is looked for anew. */
static void leave_in_the_doorway(person_t *person)
{
    world.holds = true;
    world.held.conn = 0;
    ask_to_enter(person);
    world.holds = false;
    world.forgets++;
    say(&played_at[LOBBY], CF_MSG_FORGET, 0, the_room, NULL);
    settle();
    leave(person);
    settle();
    world.held.username = cf_str(person->name);
    if (world.held.conn)
        attach(&world.held_request, &world.held);
    settle();
    ensure(!person->number);
    ensure(world.forgotten == world.forgets);
}

/* Nobody answers: the gateway says so itself. */
static void be_left_alone(void)
{
    static const call_t no_answer = {GET, "/api/v1/auth/me", "", ANNS, "", "", 503, "{"};
    person_t *ann = &world.people[ANN];
    world.silent = true;
    cf_conn_t *conn = begin_call(&no_answer);
    post(ann);
    pump();
    tick(GIVES_UP_US);
    check_answer(conn, &no_answer);
    world.silent = false;
    if (ann->conn && ann->conn->phase == OPEN)
        ensure(ann->conn->told == ann->conn->said);
}

static void have_no_room(void)
{
    world.no_room = true;
    make_call(&refused_join);
    world.no_room = false;
}

/* The room rests. */
static void retire(void)
{
    world.forgets++;
    say(&played_at[LOBBY], CF_MSG_FORGET, 0, the_room, NULL);
    settle();
    ensure(world.forgotten == world.forgets);
}

static void live_a_day(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        make_call(&calls[i]);
    make_call(&me);
    have_no_room(); /* nobody is in it yet */
    make_call(&join);
    enter(&world.people[ANN]);
    enter(&world.people[BOB]);
    talk();
    hear_counts();
    make_call(&history);
    move();
    talk();
    be_left_alone();
    end_session(&world.people[BOB]);
    leave(&world.people[ANN]);
    settle();
    leave_in_the_doorway(&world.people[BOB]);
    for (int i = 0; i < PEOPLE; i++)
        ensure(!world.people[i].number);
    for (int i = 0; i < 2; i++)
        ensure(world.windows[i].flushed == world.windows[i].events);
    retire();
    if (world.strict)
        ensure(world.tokens == 0); /* what was not spent has come back */
}

/* --- runs --------------------------------------------------------------------------------------
 */

static void world_begin(unsigned long failing, unsigned in_a_row)
{
    memset(&world, 0, sizeof world);
    cf_log_set_level(CF_LOG_ERROR); /* requests that nobody answers are meant */
    world.failing = failing;
    world.in_a_row = in_a_row;
    world.people[ANN].name = "ann";
    world.people[BOB].name = "bob";
    world.epoch = 1;
    strcpy(world.texts[1], "ann 0"); /* history before all of it */
    strcpy(world.texts[2], "ann 0");
    world.seq = 2;
    cr_assert(cf_bus_init(&world.bus, NODE) == 0);
    for (int i = 0; i < PLAYED; i++)
        cr_assert(cf_inbox_open(&world.inboxes[i], &world.bus, played_at[i]) == 0);
    cr_assert(cf_outbox_new(&world.played, &world.bus, played_at[LOBBY]) == 0);
}

static void world_end(void)
{
    cf_actor_join(&world.actor);
    for (int i = 0; i < PLAYED; i++)
        cf_inbox_close(&world.inboxes[i]);
    cf_outbox_destroy(&world.played);
    cf_bus_close(&world.bus);
}

static cf_gateway_config_t config(void)
{
    const cf_limit_t many = {CF_BUCKET_BURST_MAX, CF_LIMIT_SECOND, CF_BUCKET_BURST_MAX};
    cf_limits_t limits;
    for (int kind = 0; kind < CF_LIMIT_KINDS; kind++)
        limits.of[kind] = many;
    return (cf_gateway_config_t){.limits = limits,
                                 .limiter = played_at[LIMITER],
                                 .lobby = played_at[LOBBY],
                                 .accounts = played_at[ACCOUNTS],
                                 .storage = played_at[STORAGE],
                                 .stats = played_at[STATS],
                                 .reader = played_at[READER],
                                 .readers = 1,
                                 .answer_us = 15000000,
                                 .lookup_us = 2000000,
                                 .elsewhere_max = 4,
                                 .elsewhere_of_room_max = 3,
                                 .credits_requests = 32,
                                 .credits_bytes = 131072,
                                 .pool_bytes = 1u << 20,
                                 .commands_in_flight = 4,
                                 .command_us = SECOND_US,
                                 .echo = true,
                                 .session_ttl_s = 3600,
                                 .cookie_name = "session_id",
                                 .health_status = "ok",
                                 .environment = "test",
                                 .version = "1"};
}

/* Returns how many allocations there were. */
static unsigned long run(void (*what)(void), unsigned long nth, unsigned in_a_row)
{
    cf_gateway_t *gateway;
    cf_gateway_config_t settings = config();
    world_begin(nth, in_a_row);
    cr_assert(cf_actor_new(&world.actor, &world.bus, gateway_at) == 0);
    cr_assert(cf_gateway_new(&gateway, &settings, world.actor) == 0);
    scenario = what;
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    cf_actor_run_here(world.actor, &cf_gateway_ops, gateway);
    unsigned long count = failing_malloc_end();
    world_end();
    return count;
}

static void fail_each(void (*what)(void), unsigned in_a_row, unsigned long step)
{
    unsigned long count = run(what, 0, 1);
    cr_assert(count > 0, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth += step)
        run(what, nth, in_a_row);
}

static void live_and_recover(void)
{
    world.strict = world.failing == 0;
    live_a_day();
    failing_malloc_end();
    world.strict = true;
    world.tokens = 0; /* frames for which there was no memory have had theirs */
    live_a_day();     /* as if nothing had happened */
}

/* DRAINED is said, sockets are closed and CLOSED is said, whatever fails meanwhile. */
static void drain(void)
{
    failing_malloc_pause();
    world.strict = true;
    enter(&world.people[ANN]);
    enter(&world.people[BOB]);
    failing_malloc_resume();
    say(&played_at[SUPERVISOR], CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    say(&played_at[SUPERVISOR], CF_MSG_CLOSE, 2, (cf_id_t){0}, &(cf_close_t){0});
    for (int64_t ahead_us = SECOND_US; ahead_us < GIVES_UP_US && !(world.drained && world.closed);
         ahead_us += SECOND_US) {
        pump();
        tick(ahead_us);
    }
    ensure(world.drained && world.closed);
    for (unsigned i = 0; i < world.n_conns; i++)
        ensure(world.conns[i].phase == GONE);
}

TestSuite(exhaustion_gateway, .timeout = 900);

Test(exhaustion_gateway, any_one_allocation_may_fail)
{
    fail_each(live_and_recover, 1, 1);
}

Test(exhaustion_gateway, no_memory_for_a_while_is_survived)
{
    fail_each(live_and_recover, 2, 2);
    fail_each(live_and_recover, 5, 3);
    fail_each(live_and_recover, 40, 11);
}

Test(exhaustion_gateway, drains_without_memory)
{
    fail_each(drain, 1, 1);
    fail_each(drain, 5, 1);
}

/* 0 or why it cannot be made. */
static int make_gateway(unsigned long nth, unsigned long *count)
{
    cf_gateway_t *gateway;
    cf_gateway_config_t settings = config();
    world_begin(nth, 1);
    failing_malloc_begin(nth, 1);
    int rc = cf_actor_new(&world.actor, &world.bus, gateway_at);
    if (rc == 0)
        rc = cf_gateway_new(&gateway, &settings, world.actor);
    *count = failing_malloc_end();
    if (rc == 0)
        cf_gateway_ops.destroy(gateway);
    world_end();
    return rc;
}

Test(exhaustion_gateway, is_made_whole_or_not_at_all)
{
    unsigned long count, ignored;
    cr_assert(make_gateway(0, &count) == 0 && count > 0);
    for (unsigned long nth = 1; nth <= count; nth++)
        cr_assert(make_gateway(nth, &ignored) == CF_ENOMEM, "allocation %lu", nth);
}
