/* A gateway as a real thread with real clients: the test is every actor behind it, and sockets. */
#include "gateway.h"

#include "clock.h"
#include "make_certificate.h"
#include "metrics.h"
#include "peer.h"
#include "rendezvous.h"
#include "settings.h"
#include "socket_client.h"
#include "store.h"
#include "windows.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/node.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM_PATH "/ws/chat/02010000-0000-0000-0000-000000000000"
#define POSTS_PATH "/api/v1/chatrooms/02010000-0000-0000-0000-000000000000/messages"
#define JOIN_PATH "/api/v1/chatrooms/02010000-0000-0000-0000-000000000000/join"
#define ROOM ((cf_id_t){{2, 1}})
#define HOUR_US INT64_C(3600000000)

static const char *const origins[] = {"https://listed.test"};
static cf_gateway_config_t config = {
    .server = {SERVER_BOUNDS, SERVER_TIMES, .connections_max = 200},
    GATEWAY_SETTINGS(NODE),
    .limiter = {NODE, CF_ACTOR_LIMITER, 0},
    .elsewhere_max = 4,
    .elsewhere_of_room_max = 3,
    .commands_in_flight = 16,
    .command_us = 30000000,
    .echo = true,
    .origins = origins,
    .origin_count = 1,
    .session_ttl_s = 3600,
};
static cf_actor_t *actor;
static peer_t *lobby, *accounts, *storage, *reader, *stats, *limiter, *rooms, *rooms2;
static int port;

static void start(void)
{
    cf_gateway_t *state;
    actor = actor_at(CF_ACTOR_GATEWAY, 0);
    lobby = peer_at(CF_ACTOR_LOBBY, 0);
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    reader = peer_at(CF_ACTOR_READER, 0);
    stats = peer_at(CF_ACTOR_STATS, 0);
    limiter = peer_at(CF_ACTOR_LIMITER, 0);
    rooms = peer_at(CF_ACTOR_ROOMS, 0);
    rooms2 = peer_at(CF_ACTOR_ROOMS, 1);
    cr_assert(eq(int, cf_gateway_new(&state, &config, actor), 0));
    port = cf_gateway_port(state);
    actor_run(actor, &cf_gateway_ops, state);
}

TestSuite(gateway, .init = start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway, .fini = actors_stop, .timeout = 120);

/* --- the actors behind it -----------------------------------------------------------------------
 */

static cf_id_t user_id(const char *name)
{
    return (cf_id_t){{1, (uint8_t)name[0], (uint8_t)name[1], (uint8_t)name[2]}};
}

/* Its session is the same with another first byte. */
static cf_id_t session_id(const char *name)
{
    cf_id_t id = user_id(name);
    id.bytes[0] = 9;
    return id;
}

/* The next credential that is tried is `token`; it is `name`'s, of a session of its own, or nobody's (NULL). */
static void authenticate(const char *token, const char *name)
{
    cf_msg_t msg;
    cf_token_t asked;
    cr_assert(peer_await_msg(accounts, CF_MSG_AUTHENTICATE, 0, &msg, &asked));
    cr_assert(cf_str_equal(asked.token, cf_str(token)), "%.*s", (int)asked.token.size,
              asked.token.bytes);
    if (!name) {
        peer_refuse(accounts, &msg, CF_EAUTH);
        return;
    }
    cf_session_msg_t session = {.session = session_id(token),
                                .user = user_id(name),
                                .username = cf_str(name),
                                .email = cf_str("somebody@test.com"),
                                .created_us = 1,
                                .expires_us = cf_wall_us() + HOUR_US};
    peer_answer(accounts, &msg, CF_MSG_SESSION, &session);
}

static void place_room(peer_t *at)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    cr_assert(cf_id_equal(msg.room, ROOM));
    peer_t *by = at->address.node == NODE ? lobby : at; /* the lobby of the room's node */
    peer_answer(by, &msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(at->address)});
}

/* The next request of that type at a room thread; body may be NULL. */
static cf_msg_t request(peer_t *at, uint16_t type, void *body)
{
    cf_msg_t msg;
    do
        cr_assert(peer_next(at, &msg), "no %s", cf_msg_name(type));
    while (msg.type == CF_MSG_FLUSHED);
    cr_assert(eq(int, msg.type, type), "%s", cf_msg_name(msg.type));
    cr_assert(body == NULL || cf_msg_body(body, &msg, &at->arena) == 0);
    return msg;
}

static void answer(peer_t *at, uint16_t type, uint16_t with, const void *body)
{
    cf_msg_t msg = request(at, type, NULL);
    peer_answer(at, &msg, with, body);
}

static void refuse(peer_t *at, uint16_t type, int err)
{
    cf_msg_t msg = request(at, type, NULL);
    peer_refuse(at, &msg, err);
}

/* An upgrade was asked for on fd with name as the cookie: let it through, with the room at `at`.
 * Returns the gateway's number of the connection. */
static uint64_t let_in(int fd, const char *name, peer_t *at)
{
    cf_attach_t attach;
    authenticate(name, name);
    answer(at, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(fd), 101));
    cf_msg_t msg = request(at, CF_MSG_ATTACH, &attach);
    uint64_t conn = attach.conn;
    cr_assert(cf_id_equal(attach.user, user_id(name)));
    peer_answer(at, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
    return conn;
}

static int ask_to_enter_by(const char *path, const char *name)
{
    char cookie[64];
    int fd = client_dial(port);
    snprintf(cookie, sizeof cookie, "Cookie: session_id=%s\r\n", name);
    client_ask_upgrade(fd, path, cookie);
    return fd;
}

static int ask_to_enter(const char *name)
{
    return ask_to_enter_by(ROOM_PATH, name);
}

/* The first socket: the room is looked up for it. */
static int enter_first(const char *name, uint64_t *conn)
{
    int fd = ask_to_enter(name);
    authenticate(name, name);
    place_room(rooms);
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(fd), 101));
    cf_attach_t attach;
    cf_msg_t msg = request(rooms, CF_MSG_ATTACH, &attach);
    if (conn)
        *conn = attach.conn;
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
    return fd;
}

/* Vanishes: no close frame, and what was not read is thrown away. */
static void vanish(int fd)
{
    struct linger at_once = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void wait_for_counter(cf_metric_t metric, uint64_t n)
{
    int64_t until_us = cf_boot_us() + PEER_WAIT_MS * INT64_C(1000);
    while (actor_counter(actor, metric) != n)
        cr_assert(lt(i64, cf_boot_us(), until_us));
}

static int enter(const char *name)
{
    int fd = ask_to_enter(name);
    let_in(fd, name, rooms);
    return fd;
}

static void post(int fd, const char *text, const char *key)
{
    char frame[512];
    int n = snprintf(frame, sizeof frame, "{\"content\":\"%s\"", text);
    snprintf(frame + n, sizeof frame - (size_t)n, *key ? ",\"client_key\":\"%s\"}" : "}", key);
    client_say(fd, frame);
}

static void tell_event(peer_t *at, uint64_t epoch, uint64_t n, uint64_t seq, const char *text)
{
    cf_event_t event = {
        .epoch = epoch,
        .n = n,
        .kind = CF_EVENT_POST,
        .post = {
            .seq = seq, .kind = CF_POST_TEXT, .username = cf_str("ann"), .text = cf_str(text)}};
    peer_send(at, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM, &event);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* Several passes of the gateway's loop: what it would read by itself it has read. */
static void let_it_read(void)
{
    for (int i = 0; i < 5; i++)
        cr_assert(eq(int, client_ask(port, "GET", "/health", "", ""), 200));
}

static void expect_post(peer_t *at, const char *text, cf_msg_t *msg)
{
    cf_post_msg_t body;
    *msg = request(at, CF_MSG_POST, &body);
    cr_assert(cf_str_equal(body.text, cf_str(text)), "%.*s", (int)body.text.size, body.text.bytes);
}

static cf_msg_t expect_detach(peer_t *at, uint64_t conn, uint64_t epoch)
{
    cf_detach_t detach;
    cf_msg_t msg = request(at, CF_MSG_DETACH, &detach);
    cr_assert(eq(u64, detach.conn, conn));
    cr_assert(eq(u64, detach.epoch, epoch));
    cr_assert(cf_str_equal(detach.username, cf_str("ann")));
    return msg;
}

/* A request of now is the next that the room hears. */
static void nothing_else_is_asked(peer_t *at)
{
    int eve = ask_to_enter("eve");
    authenticate("eve", "eve");
    refuse(at, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(eve), 403));
    close(eve);
}

static void answer_post(peer_t *at, const char *text, uint64_t seq)
{
    cf_msg_t msg;
    expect_post(at, text, &msg);
    peer_answer(at, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, seq, (int64_t)seq});
}

/* --- who may come in ----------------------------------------------------------------------------
 */

Test(gateway, asks_for_a_credential_and_has_a_text_for_each_failure)
{
    int fd = client_dial(port);
    client_ask_upgrade(fd, ROOM_PATH, "");
    cr_assert(eq(int, client_answer(fd), 401));
    cr_assert(eq(str, client_body, "{\"error\":\"No session token provided\"}\n"));
    close(fd);
    cr_assert(eq(int, client_ask(port, "GET", "/api/v1/auth/me", "", ""), 401));
    cr_assert(eq(str, client_body, "{\"error\":\"Not authenticated\"}\n"));
    fd = ask_to_enter("old");
    authenticate("old", NULL);
    cr_assert(eq(int, client_answer(fd), 401));
    cr_assert(eq(str, client_body, "{\"error\":\"Invalid or expired session\"}\n"));
    close(fd);
    cr_assert(eq(int, client_ask(port, "GET", "/api/v1/auth/me", "Cookie: session_id=\r\n", ""),
                 401)); /* presented, though empty */
    cr_assert(eq(str, client_body, "{\"error\":\"Invalid or expired session\"}\n"));
}

Test(gateway, tries_cookie_query_and_bearer_and_takes_the_first_that_is_valid)
{
    int fd = client_dial(port);
    client_ask_upgrade(fd, ROOM_PATH "?token=by%20query",
                       "Cookie: a=b; session_id=stale\r\nAuthorization: Bearer by-bearer\r\n");
    authenticate("stale", NULL);
    authenticate("by query", NULL);
    authenticate("by-bearer", "ann");
    place_room(rooms);
    refuse(rooms, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(fd), 403));
    close(fd);
    fd = client_dial(port);
    client_ask_upgrade(fd, ROOM_PATH "?token=good", "Cookie: session_id=stale\r\n");
    authenticate("stale", NULL);
    authenticate("good", "ann");
    refuse(rooms, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(fd), 403));
    close(fd);
}

Test(gateway, takes_no_outage_for_a_verdict_about_a_session)
{
    int fd = ask_to_enter("ann");
    cf_msg_t msg;
    cr_assert(peer_await_msg(accounts, CF_MSG_AUTHENTICATE, 0, &msg, NULL));
    peer_refuse(accounts, &msg, CF_EIO);
    cr_assert(eq(int, client_answer(fd), 503));
    cr_assert(has(client_head, "Retry-After:"));
    close(fd);
}

Test(gateway, answers_403_and_404_before_any_101)
{
    int fd = ask_to_enter("eve");
    authenticate("eve", "eve");
    place_room(rooms);
    refuse(rooms, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(fd), 403));
    cr_assert(eq(str, client_body, "{\"error\":\"Not a member of this chatroom\"}\n"));
    close(fd);
    fd = ask_to_enter("eve");
    authenticate("eve", "eve");
    refuse(rooms, CF_MSG_CHECK, CF_ENOENT);
    cr_assert(eq(int, client_answer(fd), 404));
    cr_assert(eq(str, client_body, "{\"error\":\"chatroom not found\"}\n"));
    close(fd);
    fd = client_dial(port); /* the canonical form alone is a room */
    client_ask_upgrade(fd, "/ws/chat/0201ABCD-0000-0000-0000-000000000000",
                       "Cookie: session_id=eve\r\n");
    authenticate("eve", "eve");
    cr_assert(eq(int, client_answer(fd), 404));
    close(fd);
}

Test(gateway, lets_no_foreign_page_open_a_socket)
{
    static const struct {
        const char *origin;
        int status;
    } cases[] = {{"https://evil.test", 403},
                 {"null", 403},
                 {"https://listed.test.evil.test", 403},
                 {"https://listed.test", 101},
                 {"http://test.local", 101}}; /* the Host the client itself sent */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char headers[128];
        int fd = client_dial(port);
        snprintf(headers, sizeof headers, "Cookie: session_id=ann\r\nOrigin: %s\r\n",
                 cases[i].origin);
        client_ask_upgrade(fd, ROOM_PATH, headers);
        authenticate("ann", "ann");
        if (i == 0)
            place_room(rooms);
        answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
        cr_assert(eq(int, client_answer(fd), cases[i].status), "%s", cases[i].origin);
        if (cases[i].status == 101)
            answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
        close(fd);
        if (cases[i].status == 101)
            request(rooms, CF_MSG_DETACH, NULL); /* before the next one's requests */
    }
}

Test(gateway, refuses_a_state_change_a_foreign_page_makes_by_cookie)
{
    static const struct {
        const char *headers;
        bool is_refused;
    } cases[] = {
        {"Cookie: session_id=ann\r\nOrigin: https://evil.test\r\n", true},
        {"Cookie: session_id=ann\r\nSec-Fetch-Site: cross-site\r\n", true},
        {"Cookie: session_id=ann\r\nSec-Fetch-Site: cross-site\r\nOrigin: https://listed.test\r\n",
         true},
        {"Cookie: session_id=ann\r\nSec-Fetch-Site: same-origin\r\n", false},
        {"Cookie: session_id=ann\r\nSec-Fetch-Site: same-site\r\n", false},
        {"Cookie: session_id=ann\r\nSec-Fetch-Site: none\r\n", false},
        {"Cookie: session_id=ann\r\nOrigin: https://listed.test\r\n", false},
        {"Cookie: session_id=ann\r\nOrigin: http://test.local\r\n", false},
        {"Cookie: session_id=ann\r\n", false},
        {"Authorization: Bearer ann\r\nOrigin: https://evil.test\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[512];
        int fd = client_dial(port);
        snprintf(head, sizeof head, "POST " JOIN_PATH " HTTP/1.1\r\nHost: test.local\r\n%s\r\n",
                 cases[i].headers);
        client_put(fd, head);
        if (cases[i].is_refused) {
            cr_assert(eq(int, client_answer(fd), 403), "%s", cases[i].headers);
            cr_assert(eq(str, client_body, "{\"error\":\"Forbidden\"}\n"));
        } else {
            authenticate("ann", "ann");
            if (i == 3)
                place_room(rooms);
            answer(rooms, CF_MSG_JOIN, CF_MSG_DONE, NULL);
            cr_assert(eq(int, client_answer(fd), 200), "%s", cases[i].headers);
        }
        close(fd);
    }
}

Test(gateway, keeps_headers_whole_for_a_long_origin)
{
    char headers[512], host[201];
    memset(host, 'a', 192);
    host[192] = '\0';
    snprintf(headers, sizeof headers,
             "GET /health HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n\r\n", host, host);
    int fd = client_dial(port);
    client_put(fd, headers);
    cr_assert(eq(int, client_answer(fd), 200));
    cr_assert(has(client_head, "Content-Type, Authorization\r\n"));
    cr_assert(has(client_head, "\r\nX-Request-Id: "));
    close(fd);
}

static void ends_before_the_101(uint16_t type, const void *ended)
{
    int fd = ask_to_enter("ann");
    authenticate("ann", "ann");
    place_room(rooms);
    cf_msg_t msg = request(rooms, CF_MSG_CHECK, NULL);
    peer_send(accounts, CF_ACTOR_GATEWAY, type, 0, (cf_id_t){0}, ended);
    cr_assert(eq(int, client_ask(port, "GET", "/health", "", ""), 200)); /* it has been read */
    peer_answer(rooms, &msg, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(fd), 401));
    close(fd);
}

Test(gateway, answers_401_when_the_session_ends_before_the_101)
{
    ends_before_the_101(CF_MSG_SESSION_ENDED, &(cf_session_ended_t){.session = session_id("ann")});
}

Test(gateway, answers_401_when_the_user_is_disabled_before_the_101)
{
    ends_before_the_101(CF_MSG_USER_ENDED, &(cf_user_ended_t){.user = user_id("ann")});
}

/* --- in the room --------------------------------------------------------------------------------
 */

Test(gateway, closes_a_socket_whose_session_ends_while_it_is_upgraded)
{
    int fd = ask_to_enter("ann");
    authenticate("ann", "ann");
    place_room(rooms);
    cf_msg_t msg = request(rooms, CF_MSG_CHECK, NULL);
    cr_assert(eq(int, cf_outbox_answer(rooms->out, &msg, CF_MSG_DONE, NULL), 0));
    peer_put(rooms, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0},
             &(cf_session_ended_t){.session = session_id("ann")});
    peer_flush(rooms); /* both in one batch, or it is closed as any open one */
    cr_assert(eq(int, client_answer(fd), 101));
    cr_assert(eq(str, client_heard(fd), "close 1008 session ended"));
    close(fd);
}

Test(gateway, attaches_behind_the_101_and_gives_each_client_its_answers)
{
    uint64_t conn;
    cf_post_msg_t body;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    post(ann, "hi", "k1");
    cf_msg_t msg = request(rooms, CF_MSG_POST, &body);
    cr_assert(eq(u64, body.conn, conn));
    cr_assert(cf_id_equal(body.sender, user_id("ann")));
    cr_assert(cf_str_equal(body.text, cf_str("hi")));
    cr_assert(cf_str_equal(body.client_key, cf_str("k1")));
    peer_answer(rooms, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1000000});
    cr_assert(eq(u64, actor_observed(actor, CF_H_DELIVERY), 0));
    tell_event(rooms, 1, 1, 1, "hi");
    cr_assert(has(client_heard(ann), "\"type\":\"message_ack\""));
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"type\":\"chat_message\"") && has(heard, "\"content\":\"hi\""));
    cr_assert(has(client_heard(bob), "\"content\":\"hi\""));
    cr_assert(eq(u64, actor_observed(actor, CF_H_DELIVERY), 1)); /* one for both copies */
    close(ann);
    close(bob);
}

Test(gateway, reads_what_a_client_sent_before_it_was_in_its_room)
{
    for (int posts = 1; posts <= 40; posts += 13) {
        char text[16];
        int ann = ask_to_enter("ann");
        authenticate("ann", "ann");
        if (posts == 1)
            place_room(rooms);
        cf_msg_t msg;
        do /* DETACH of the one before */
            cr_assert(peer_next(rooms, &msg));
        while (msg.type != CF_MSG_CHECK);
        peer_answer(rooms, &msg, CF_MSG_DONE, NULL);
        cr_assert(eq(int, client_answer(ann), 101));
        for (int i = 0; i < posts; i++) {
            snprintf(text, sizeof text, "%d", i);
            post(ann, text, "");
        }
        let_it_read();
        answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
        for (int i = 0; i < posts; i++) {
            snprintf(text, sizeof text, "%d", i);
            answer_post(rooms, text, (uint64_t)i + 1);
        }
        close(ann);
    }
}

Test(gateway, says_each_failure_of_a_post_in_the_contracts_words)
{
    static const struct {
        int err;
        const char *text, *code;
    } cases[] = {{CF_EPERM, "Not a member of this chatroom", "NOT_A_MEMBER"},
                 {CF_EFULL, "Rate limit exceeded", "ROOM_BUSY"},
                 {CF_ELIMIT, "Rate limit exceeded", "RATE_LIMIT_EXCEEDED"},
                 {CF_ECONFLICT, "client_key was used with other content", "CLIENT_KEY_CONFLICT"},
                 {CF_EUNCONFIRMED, "Failed to save message", "NOT_CONFIRMED"},
                 {CF_EIO, "Failed to save message", "NOT_SAVED"}};
    int ann = enter_first("ann", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        post(ann, "hi", "k1");
        refuse(rooms, CF_MSG_POST, cases[i].err);
        char *heard = client_heard_type(ann, "error");
        cr_assert(has(heard, cases[i].text) && has(heard, cases[i].code) &&
                      has(heard, "\"client_key\":\"k1\""),
                  "%s", heard);
    }
    client_say(ann, "no JSON");
    cr_assert(has(client_heard_type(ann, "error"), "Invalid message format"));
    client_say(ann, "{\"content\":\"\"}");
    cr_assert(has(client_heard_type(ann, "error"), "between 1 and 1000"));
    client_say(ann, "{\"content\":\"a\\u0001\"}");
    cr_assert(has(client_heard_type(ann, "error"), "control characters"));
    close(ann);
}

/* --- commands -----------------------------------------------------------------------------------
 */

/* The next request of the room is this command. */
static cf_msg_t expect_command(const char *type, const char *code, cf_command_t *body)
{
    cf_msg_t msg = request(rooms, CF_MSG_COMMAND, body);
    cr_assert(cf_str_equal(body->type, cf_str(type)), "%.*s", (int)body->type.size,
              body->type.bytes);
    cr_assert(cf_str_equal(body->code, cf_str(code)), "%.*s", (int)body->code.size,
              body->code.bytes);
    return msg;
}

static void tell_bot_event(uint32_t kind, uint64_t n, const char *text)
{
    cf_event_t event = {
        .epoch = 1,
        .n = n,
        .kind = kind,
        .post = {.kind = CF_POST_BOT, .username = cf_str("StockBot"), .text = cf_str(text)}};
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM, &event);
}

Test(gateway, echoes_a_stock_command_to_its_sender_alone_before_the_bots_words)
{
    cf_command_t command;
    uint64_t conn;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    client_say(ann, "{\"content\":\" /stock=aapl.us\\t\"}");
    cf_msg_t msg = expect_command("stock", "AAPL.US", &command);
    cr_assert(eq(u64, command.conn, conn));
    cr_assert(cf_id_equal(command.sender, user_id("ann")));
    cr_assert(not(cf_id_is_zero(command.id)));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT, 1, "the words");
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"type\":\"chat_message\"") &&
                  has(heard, "\"content\":\" /stock=aapl.us\\t\"") &&
                  has(heard, "\"username\":\"ann\"") && has(heard, "\"is_bot\":false") &&
                  has(heard, "\"chatroom_id\":\"02010000-") && has(heard, "\"created_at\":\"2") &&
                  !has(heard, "\"seq\"") && !has(heard, "is_error"),
              "%s", heard);
    heard = client_heard(ann);
    cr_assert(has(heard, "\"content\":\"the words\"") && has(heard, "\"is_bot\":true") &&
                  has(heard, "\"username\":\"StockBot\"") && !has(heard, "is_error") &&
                  !has(heard, "\"seq\""),
              "%s", heard);
    heard = client_heard(bob);
    cr_assert(has(heard, "\"content\":\"the words\""), "%s", heard);
    close(ann);
    close(bob);
}

Test(gateway, echoes_no_hello_and_says_what_is_an_error)
{
    cf_command_t command;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/hello\"}");
    cf_msg_t msg = expect_command("hello", "", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT_ERROR, 1, "oh dear");
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"content\":\"oh dear\"") && has(heard, "\"is_error\":true"), "%s",
              heard);
    close(ann);
}

static void without_echo(void)
{
    config.echo = false;
    start();
}

Test(tuned_gateway, echoes_nothing_when_told_not_to, .init = without_echo)
{
    cf_command_t command;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/stock=a\"}");
    cf_msg_t msg = expect_command("stock", "A", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT, 1, "the words");
    cr_assert(has(client_heard(ann), "the words"));
    close(ann);
}

Test(gateway, says_each_failure_of_a_command_in_the_contracts_words)
{
    static const struct {
        int err;
        const char *text, *code;
    } cases[] = {{CF_EPERM, "Not a member of this chatroom", "NOT_A_MEMBER"},
                 {CF_EFULL, "Failed to process command", "TOO_MANY_COMMANDS"},
                 {CF_ETIME, "Failed to process command", "NOT_ANSWERED"},
                 {CF_ECLOSING, "Failed to process command", "BOT_UNAVAILABLE"}};
    int ann = enter_first("ann", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        post(ann, "/stock=a", "k1");
        refuse(rooms, CF_MSG_COMMAND, cases[i].err);
        char *heard = client_heard(ann);
        cr_assert(has(heard, "\"type\":\"error\"") && has(heard, cases[i].text) &&
                      has(heard, cases[i].code) && has(heard, "\"client_key\":\"k1\"") &&
                      !has(heard, "content"),
                  "%s", heard);
    }
    cr_assert(eq(u64, actor_counter(actor, CF_M_COMMANDS), 4));
    cr_assert(eq(u64, actor_counter(actor, CF_M_COMMANDS_REFUSED), 4));
    close(ann);
}

static void with_one_credit(void)
{
    config.credits_requests = 1;
    config.commands_in_flight = 3;
    start();
}

Test(tuned_gateway, bounds_the_commands_of_a_connection_and_reads_its_posts_meanwhile,
     .init = with_one_credit)
{
    cf_command_t command;
    cf_msg_t msg = {0};
    int ann = enter_first("ann", NULL), bob = enter("bob");
    for (int i = 0; i < 3; i++) {
        client_say(ann, "{\"content\":\"/stock=a\"}");
        msg = expect_command("stock", "A", &command);
    }
    client_say(ann, "{\"content\":\"/stock=b\"}");
    cr_assert(has(client_heard(ann), "TOO_MANY_COMMANDS"));
    post(ann, "chat goes on", "k");
    answer_post(rooms, "chat goes on", 1);
    cr_assert(has(client_heard(ann), "message_ack"));
    client_say(bob, "{\"content\":\"/stock=c\"}"); /* another connection has its own */
    expect_command("stock", "C", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    client_say(ann, "{\"content\":\"/stock=d\"}");
    expect_command("stock", "D", &command);
    close(ann);
    close(bob);
}

static void with_a_small_pool(void)
{
    config.pool_bytes = 8 * 16384;
    config.commands_in_flight = 1000;
    start();
}

Test(tuned_gateway, bounds_what_commands_take_in_all_without_touching_posts,
     .init = with_a_small_pool)
{
    static char wide[16000];
    cf_command_t command;
    cf_msg_t msg;
    memset(wide, ' ', sizeof wide - 1);
    memcpy(wide, "{\"content\":\"", 12);
    memcpy(wide + sizeof wide - 11, "/stock=a\"}", 11);
    int ann = enter_first("ann", NULL), bob = enter("bob");
    client_say(ann, "{\"content\":\"/stock=b\"}");
    expect_command("stock", "B", &command);
    client_say(ann, wide);
    msg = expect_command("stock", "A", &command); /* the bound was not reached before it */
    client_say(bob, "{\"content\":\"/hello\"}");
    cr_assert(has(client_heard(bob), "TOO_MANY_COMMANDS"));
    post(bob, "chat goes on", "k");
    answer_post(rooms, "chat goes on", 1);
    cr_assert(has(client_heard(bob), "message_ack"));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    client_say(ann, wide);
    msg = expect_command("stock", "A", &command);
    close(ann);
    request(rooms, CF_MSG_DETACH, NULL); /* she has gone; her command has not */
    client_say(bob, "{\"content\":\"/hello\"}");
    cr_assert(has(client_heard(bob), "TOO_MANY_COMMANDS"));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    let_it_read();
    client_say(bob, "{\"content\":\"/hello\"}");
    expect_command("hello", "", &command);
    close(bob);
}

Test(gateway, sends_a_command_again_under_its_id_when_the_room_has_moved)
{
    cf_command_t first, again;
    cf_attach_t attach;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/stock=a\"}");
    cf_msg_t msg = expect_command("stock", "A", &first);
    cf_id_t id = first.id;
    peer_answer(rooms, &msg, CF_MSG_MOVED, NULL);
    place_room(rooms2);
    msg = request(rooms2, CF_MSG_ATTACH, &attach);
    peer_answer(rooms2, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    msg = request(rooms2, CF_MSG_COMMAND, &again);
    cr_assert(cf_id_equal(again.id, id));
    peer_answer(rooms2, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    close(ann);
}

Test(gateway, drops_events_of_an_older_epoch_and_those_it_has_shown)
{
    int ann = enter_first("ann", NULL);
    tell_event(rooms, 1, 1, 1, "a");
    tell_event(rooms, 1, 1, 1, "again");
    tell_event(rooms, 0, 9, 9, "an older epoch");
    tell_event(rooms, 1, 0, 2, "read back");
    tell_event(rooms, 1, 2, 2, "the same from the ring");
    tell_event(rooms, 1, 3, 3, "c");
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"read back\""));
    cr_assert(has(client_heard(ann), "\"content\":\"c\""));
    close(ann);
}

Test(gateway, confirms_what_it_was_sent)
{
    cf_flushed_t flushed = {0};
    int ann = enter_first("ann", NULL);
    for (uint64_t n = 1; n <= 3; n++)
        tell_event(rooms, 1, n, n, "a");
    while (flushed.events < 3) /* it may confirm them together or apart */
        cr_assert(peer_await(rooms, CF_MSG_FLUSHED, 0, &flushed));
    cr_assert(gt(u64, flushed.bytes, 3 * CF_MSG_HEAD_SIZE));
    close(ann);
}

Test(gateway, tells_the_room_that_a_client_has_gone)
{
    uint64_t conn;
    cf_detach_t detach;
    int ann = enter_first("ann", &conn);
    close(ann);
    request(rooms, CF_MSG_DETACH, &detach);
    cr_assert(eq(u64, detach.conn, conn));
}

/* --- who is here --------------------------------------------------------------------------------
 */

static const cf_present_t ann_and_bob[] = {{{"ann", 3}, 1}, {{"bob", 3}, 2}};
#define ANN_AND_BOB                                                                                \
    "{\"type\":\"room_roster\",\"members\":[{\"username\":\"ann\",\"connections\":1},"             \
    "{\"username\":\"bob\",\"connections\":2}],\"more\":7}"

/* eve comes in by this path, and is told this if she asks. */
static int enter_by(const char *path, bool *asks)
{
    cf_attach_t attach;
    int eve = ask_to_enter_by(path, "eve");
    authenticate("eve", "eve");
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(eve), 101));
    cf_msg_t msg = request(rooms, CF_MSG_ATTACH, &attach);
    *asks = attach.roster;
    cf_attached_t attached = {.epoch = 1, .last_n = 3};
    if (attach.roster)
        attached.roster = (cf_roster_t){{(void *)ann_and_bob, 2}, 7};
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &attached);
    return eve;
}

static void tell_roster(peer_t *at, uint64_t epoch, uint64_t n, uint32_t more)
{
    cf_roster_at_t roster = {epoch, n, {{NULL, 0}, more}};
    peer_send(at, CF_ACTOR_GATEWAY, CF_MSG_ROSTER, 0, ROOM, &roster);
}

Test(gateway, shows_who_is_here_to_who_asks_before_anything_else)
{
    bool asks;
    int ann = enter_first("ann", NULL), eve = enter_by(ROOM_PATH "?roster=1", &asks);
    cr_assert(asks);
    tell_event(rooms, 1, 4, 1, "a");
    cr_assert(eq(str, client_heard(eve), ANN_AND_BOB));
    cr_assert(has(client_heard(eve), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"a\"")); /* and nothing before it */
    close(ann);
    close(eve);
}

Test(gateway, shows_it_to_nobody_who_asks_otherwise)
{
    static const char *const paths[] = {
        ROOM_PATH "?roster=0",    ROOM_PATH "?roster=",  ROOM_PATH "?roster=11",
        ROOM_PATH "?roster=true", ROOM_PATH "?Roster=1", ROOM_PATH "?a=roster=1"};
    int ann = enter_first("ann", NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        bool asks;
        int eve = enter_by(paths[i], &asks);
        cr_assert(not(asks), "%s", paths[i]);
        tell_event(rooms, 1, 4 + i, 1 + i, "a");
        cr_assert(has(client_heard(eve), "\"content\":\"a\""));
        close(eve);
        answer(rooms, CF_MSG_DETACH, CF_MSG_DONE, NULL);
    }
    close(ann);
}

Test(gateway, shows_anew_who_is_here_to_who_asked_and_confirms_it)
{
    bool asks;
    cf_flushed_t flushed = {0};
    int ann = enter_first("ann", NULL), eve = enter_by(ROOM_PATH "?token=x&roster=1", &asks);
    cr_assert(eq(str, client_heard(eve), ANN_AND_BOB));
    tell_roster(rooms, 1, 2, 1); /* from before she came in */
    tell_roster(rooms, 0, 9, 2); /* an older epoch */
    tell_roster(rooms, 1, 3, 3);
    tell_event(rooms, 1, 4, 1, "a");
    cr_assert(eq(str, client_heard(eve), "{\"type\":\"room_roster\",\"members\":[],\"more\":3}"));
    cr_assert(has(client_heard(eve), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    while (flushed.events < 4)
        cr_assert(peer_await(rooms, CF_MSG_FLUSHED, 0, &flushed));
    wait_for_counter(CF_M_SENT_ROSTER, 2);
    close(ann);
    close(eve);
}

Test(gateway, asks_again_who_is_here_when_its_room_has_moved_and_shows_what_the_room_then_says)
{
    bool asks;
    cf_attach_t attach;
    int ann = enter_first("ann", NULL), eve = enter_by(ROOM_PATH "?roster=1", &asks);
    cr_assert(eq(str, client_heard(eve), ANN_AND_BOB));
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    place_room(rooms2);
    for (int i = 0; i < 2; i++) {
        cf_msg_t msg = request(rooms2, CF_MSG_ATTACH, &attach);
        cr_assert(attach.again && attach.roster == cf_id_equal(attach.user, user_id("eve")));
        peer_answer(rooms2, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    }
    tell_event(rooms2, 2, 1, 1, "a");
    cr_assert(has(client_heard(eve), "\"content\":\"a\"")); /* what she knows still holds */
    tell_roster(rooms2, 2, 1, 0);
    tell_event(rooms2, 2, 2, 2, "b");
    cr_assert(eq(str, client_heard(eve), "{\"type\":\"room_roster\",\"members\":[],\"more\":0}"));
    cr_assert(has(client_heard(eve), "\"content\":\"b\""));
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"b\""));
    close(ann);
    close(eve);
}

/* --- who comes and goes --------------------------------------------------------------------------
 */

static void tell_changes(uint64_t epoch, uint64_t n)
{
    cf_change_t changes[] = {
        {false, NODE, cf_str("ann")}, {false, NODE, cf_str("eve")}, {true, NODE, cf_str("bob")}};
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_CHANGES, 0, ROOM,
              &(cf_changes_t){epoch, n, {changes, 3}});
}

static bool hears(int client, const char *type, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "{\"type\":\"%s\",\"username\":\"%s\"}", type, name);
    return strcmp(client_heard(client), wanted) == 0;
}

Test(gateway, shows_who_comes_at_once_that_it_is_in_when_others_hear_of_it_later)
{
    int ann = enter_first("ann", NULL), eve = ask_to_enter_by(ROOM_PATH "?roster=1", "eve");
    authenticate("eve", "eve");
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(eve), 101));
    cf_attached_t attached = {.epoch = 1, .last_n = 2, .own_n = 3};
    answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &attached);
    cr_assert(eq(str, client_heard(eve), "{\"type\":\"room_roster\",\"members\":[],\"more\":0}"));
    cr_assert(hears(eve, "user_joined", "eve"));
    tell_changes(1, 2); /* she is the second of them */
    cr_assert(hears(eve, "user_left", "bob"));
    cr_assert(hears(ann, "user_joined", "ann"));
    cr_assert(hears(ann, "user_joined", "eve"));
    cr_assert(hears(ann, "user_left", "bob"));
    close(ann);
    close(eve);
}

Test(gateway, shows_each_of_several_who_came_and_went_to_everybody_who_was_there)
{
    bool asks;
    cf_flushed_t flushed = {0};
    int ann = enter_first("ann", NULL),
        eve = enter_by(ROOM_PATH, &asks); /* with event 3 behind her */
    tell_changes(0, 2);                   /* an older epoch */
    tell_changes(1, 2);
    tell_changes(1, 2); /* nobody sees them twice */
    tell_event(rooms, 1, 5, 1, "a");
    cr_assert(hears(ann, "user_joined", "ann"));
    cr_assert(hears(ann, "user_joined", "eve"));
    cr_assert(hears(ann, "user_left", "bob"));
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    cr_assert(hears(eve, "user_left", "bob"));
    cr_assert(has(client_heard(eve), "\"content\":\"a\""));
    while (flushed.events < 4) /* a message is one, whatever is in it */
        cr_assert(peer_await(rooms, CF_MSG_FLUSHED, 0, &flushed));
    wait_for_counter(CF_M_SENT_JOINED, 2);
    wait_for_counter(CF_M_SENT_LEFT, 2);
    close(ann);
    close(eve);
}

/* --- rooms that move ----------------------------------------------------------------------------
 */

Test(gateway, keeps_the_order_of_posts_while_their_room_moves)
{
    cf_msg_t msg, looking;
    cf_attach_t attach;
    int ann = enter_first("ann", NULL);
    tell_event(rooms, 1, 1, 1, "seen");
    cr_assert(has(client_heard(ann), "seen"));
    peer_await(rooms, CF_MSG_FLUSHED, 0, NULL);
    static const char *const texts[] = {"a", "b", "c", "d"}, *const keys[] = {"1", "2", "3", "4"};
    static const int moved[] = {1, 2, 0}; /* in any order */
    uint64_t corrs[3];
    for (int i = 0; i < 3; i++)
        post(ann, texts[i], keys[i]);
    for (int i = 0; i < 3; i++) {
        expect_post(rooms, texts[i], &msg);
        corrs[i] = msg.corr;
    }
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    let_it_read();
    post(ann, texts[3], keys[3]); /* held */
    let_it_read();
    for (int i = 0; i < 3; i++)
        peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_MOVED, corrs[moved[i]], ROOM, NULL);
    cr_assert(peer_expect(lobby, CF_MSG_FORGOTTEN, 0, NULL)); /* when nothing is there any more */
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &looking, NULL));
    peer_answer(lobby, &looking, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(rooms2->address)});
    msg = request(rooms2, CF_MSG_ATTACH, &attach);
    cr_assert(attach.again && attach.resume);
    cr_assert(eq(u64, attach.since, 1));
    cf_event_t missed[] = {
        {2, 1, CF_EVENT_POST, {.seq = 1, .kind = CF_POST_TEXT, .text = cf_str("shown")}},
        {2, 2, CF_EVENT_LEFT, {.username = cf_str("cid")}},
        {2, 3, CF_EVENT_POST, {.seq = 2, .kind = CF_POST_TEXT, .text = cf_str("missed")}}};
    peer_answer(rooms2, &msg, CF_MSG_ATTACHED,
                &(cf_attached_t){.epoch = 2, .last_seq = 2, .last_n = 3, .backlog = {missed, 3}});
    cr_assert(has(client_heard(ann), "\"type\":\"user_left\""));
    cr_assert(has(client_heard(ann), "missed"));
    tell_event(rooms, 1, 2, 3, "of the former owner");
    for (int i = 0; i < 4; i++)
        answer_post(rooms2, texts[i], (uint64_t)i + 3);
    for (int i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof key, "\"client_key\":\"%s\"", keys[i]);
        char *heard = client_heard(ann);
        cr_assert(has(heard, "message_ack") && has(heard, key), "%s", heard);
    }
    close(ann);
}

Test(gateway, closes_a_client_that_cannot_be_brought_up_to_date)
{
    int ann = enter_first("ann", NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    place_room(rooms2);
    answer(rooms2, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2, .reload = true});
    cr_assert(eq(str, client_heard(ann), "close 1013 reload"));
    close(ann);
}

Test(gateway, forgets_a_room_nobody_needs_and_looks_it_up_again)
{
    int ann = enter_first("ann", NULL);
    close(ann);
    answer(rooms, CF_MSG_DETACH, CF_MSG_DONE, NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_expect(lobby, CF_MSG_FORGOTTEN, 0, NULL));
    int bob = ask_to_enter("bob");
    authenticate("bob", "bob");
    place_room(rooms2);
    answer(rooms2, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(bob), 101));
    close(bob);
}

static cf_msg_t refuse_lookup(int err)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    peer_refuse(lobby, &msg, err);
    return msg;
}

Test(gateway, says_so_when_a_room_cannot_be_looked_up)
{
    int fd = ask_to_enter("ann");
    authenticate("ann", "ann");
    refuse_lookup(CF_EFULL);
    cr_assert(eq(int, client_answer(fd), 503));
    close(fd);
    int ann = enter_first("ann", NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    refuse_lookup(CF_EFULL);
    cr_assert(has(client_heard(ann), "close 1013"));
    close(ann);
}

/* A request for the history, which has come to the room; its correlation id. */
static int ask_history(const char *name, bool is_first, uint64_t *corr)
{
    char get[256];
    int fd = client_dial(port);
    snprintf(get, sizeof get,
             "GET " POSTS_PATH " HTTP/1.1\r\nHost: test.local\r\nCookie: session_id=%s\r\n\r\n",
             name);
    client_put(fd, get);
    authenticate(name, name);
    if (is_first)
        place_room(rooms);
    cf_msg_t msg = request(rooms, CF_MSG_HISTORY, NULL);
    *corr = msg.corr;
    return fd;
}

Test(gateway, looks_up_again_for_what_comes_back_after_a_lookup_was_refused)
{
    uint64_t ann_corr, bob_corr;
    int ann = ask_history("ann", true, &ann_corr), bob = ask_history("bob", false, &bob_corr);
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_MOVED, ann_corr, ROOM, NULL);
    refuse_lookup(CF_EFULL);
    cr_assert(eq(int, client_answer(ann), 503));
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_MOVED, bob_corr, ROOM, NULL);
    place_room(rooms2);
    answer(rooms2, CF_MSG_HISTORY, CF_MSG_PAGE, &(cf_page_t){{NULL, 0}});
    cr_assert(eq(int, client_answer(bob), 200));
    close(ann);
    close(bob);
}

/* ann's room moves: her ATTACH to rooms2 is on its way. */
static cf_msg_t move_ann(void)
{
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    place_room(rooms2);
    cf_attach_t attach;
    cf_msg_t msg = request(rooms2, CF_MSG_ATTACH, &attach);
    cr_assert(attach.again);
    return msg;
}

Test(gateway, leaves_no_connection_in_a_room_for_a_client_that_went_while_it_moved)
{
    cf_msg_t looking;
    uint64_t conn;
    int ann = enter_first("ann", &conn);
    cf_msg_t attaching = move_ann();
    peer_answer(rooms2, &attaching, CF_MSG_MOVED, NULL);
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &looking, NULL));
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 0);
    peer_answer(lobby, &looking, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(rooms2->address)});
    int bob = ask_to_enter("bob");
    authenticate("bob", "bob");
    expect_detach(rooms2, conn, 1); /* and no ATTACH of ann before it */
    request(rooms2, CF_MSG_CHECK, NULL);
    close(bob);
}

Test(gateway, detaches_a_client_that_went_while_its_room_was_looked_for)
{
    uint64_t conn;
    int ann = enter_first("ann", &conn);
    cf_msg_t attaching = move_ann();
    uint64_t corr = attaching.corr;
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    let_it_read();
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 0);
    cf_attached_t attached = {.epoch = 2};
    peer_send(rooms2, CF_ACTOR_GATEWAY, CF_MSG_ATTACHED, corr, ROOM, &attached);
    cr_assert(peer_await(lobby, CF_MSG_FORGOTTEN, 0, NULL));
    place_room(rooms);
    cf_msg_t msg = expect_detach(rooms, conn, 1);
    peer_answer(rooms, &msg, CF_MSG_DONE, NULL);
    nothing_else_is_asked(rooms); /* it is told once */
}

Test(gateway, tells_the_next_place_of_a_departure_that_the_old_one_did_not_take)
{
    uint64_t conn;
    int ann = enter_first("ann", &conn);
    close(ann);
    cf_msg_t msg = expect_detach(rooms, conn, 1);
    peer_answer(rooms, &msg, CF_MSG_MOVED, NULL);
    place_room(rooms2);
    msg = expect_detach(rooms2, conn, 1);
    peer_answer(rooms2, &msg, CF_MSG_DONE, NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_expect(lobby, CF_MSG_FORGOTTEN, 0, NULL)); /* nothing is left of it */
}

Test(gateway, tells_of_a_client_that_went_while_its_first_attach_was_on_its_way)
{
    cf_attach_t attach;
    int ann = ask_to_enter("ann");
    authenticate("ann", "ann");
    place_room(rooms);
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(ann), 101));
    cf_msg_t attaching = request(rooms, CF_MSG_ATTACH, &attach);
    uint64_t corr = attaching.corr;
    peer_send(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0},
              &(cf_session_ended_t){.session = session_id("ann")});
    cr_assert(eq(str, client_heard(ann), "close 1008 session ended"));
    /* she does not answer the Close; whether she is in is not known yet */
    cf_msg_t msg = expect_detach(rooms, attach.conn, 0);
    peer_answer(rooms, &msg, CF_MSG_MOVED, NULL);
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_ATTACHED, corr, ROOM, &(cf_attached_t){.epoch = 4});
    place_room(rooms2);
    expect_detach(rooms2, attach.conn, 0);
    expect_detach(rooms2, attach.conn, 4); /* it was: the others have seen it come */
    close(ann);
}

Test(gateway, closes_the_socket_of_somebody_who_is_no_member_any_more)
{
    uint64_t conn;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    cf_expelled_t expelled = {conn};
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_EXPELLED, 0, (cf_id_t){{7}}, &expelled);
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_EXPELLED, 0, ROOM, &(cf_expelled_t){99});
    tell_event(rooms, 1, 1, 1, "a");
    cr_assert(has(client_heard(ann), "\"content\":\"a\"")); /* the right one, of the right room */
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_EXPELLED, 0, ROOM, &expelled);
    tell_event(rooms, 1, 2, 2, "b");
    cr_assert(eq(str, client_heard(ann), "close 1008 not a member any more"));
    cr_assert(has(client_heard(bob), "\"content\":\"a\""));
    cr_assert(has(client_heard(bob), "\"content\":\"b\""));
    expect_detach(rooms, conn, 0); /* the room has told of it */
    close(ann);
    close(bob);
}

Test(gateway, asks_again_where_a_room_is_when_a_node_is_lost_that_may_have_been_asked)
{
    cf_msg_t msg;
    int ann = ask_to_enter("ann");
    authenticate("ann", "ann");
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    uint64_t first = msg.corr;
    cf_placed_t gone = {cf_address_pack((cf_address_t){OTHER_NODE, CF_ACTOR_ROOMS, 0})};
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
              &(cf_node_gone_t){OTHER_NODE});
    cr_assert(peer_next(lobby, &msg) && msg.type == CF_MSG_LOOKUP && msg.corr != first);
    uint64_t second = msg.corr;
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_PLACED, first, ROOM, &gone); /* too late */
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_PLACED, second, ROOM,
              &(cf_placed_t){cf_address_pack(rooms->address)});
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(ann), 101));
    close(ann);
}

/* It would be sent what no actor but a room thread understands, by us. */
Test(gateway, does_not_believe_a_node_that_says_a_room_is_at_another_node_or_at_no_room_thread)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY);
    cf_address_t wrong[] = {storage->address, rooms->address, {OTHER_NODE, CF_ACTOR_STORAGE, 0}};
    cf_msg_t looking;
    int ann = ask_to_enter("ann");
    authenticate("ann", "ann");
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &looking, NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        peer_answer(far, &looking, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(wrong[i])});
    wait_for_counter(CF_M_MALFORMED, 3);
    peer_answer(lobby, &looking, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(rooms->address)});
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(ann), 101));
    close(ann);
}

/* Ann, in a room of the other node. */
static int enter_told(peer_t *far, const cf_attached_t *attached)
{
    cf_address_t thread = {OTHER_NODE, CF_ACTOR_ROOMS, 0};
    cf_msg_t msg;
    int ann = ask_to_enter("ann");
    authenticate("ann", "ann");
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    peer_answer(far, &msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(thread)});
    answer(far, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(ann), 101));
    answer(far, CF_MSG_ATTACH, CF_MSG_ATTACHED, attached);
    return ann;
}

static int enter_at(peer_t *far)
{
    return enter_told(far, &(cf_attached_t){.epoch = 1});
}

static void lose_node(void)
{
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
              &(cf_node_gone_t){OTHER_NODE});
}

/* Room threads choose under what number they answer. Late answers of one that is gone would be taken for those of the next. */
Test(gateway, takes_no_answer_from_a_node_that_was_not_asked)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_msg_t asked;
    int ann = enter_first("ann", NULL);
    post(ann, "a", "1");
    expect_post(rooms, "a", &asked);
    peer_answer(far, &asked, CF_MSG_MOVED, NULL);
    peer_refuse(far, &asked, CF_EPERM);
    let_it_read();
    peer_answer(rooms, &asked, CF_MSG_POSTED, &(cf_posted_t){.seq = 1});
    cr_assert(has(client_heard(ann), "message_ack"));
    post(ann, "b", "2");
    expect_post(rooms, "b", &asked); /* "a" was not sent again */
    close(ann);
}

Test(gateway, takes_no_answer_of_another_kind_than_was_asked_for)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_elsewhere_t bob = {OTHER_NODE, cf_str("bob")};
    cf_attached_t larger = {.epoch = UINT64_MAX,
                            .last_seq = UINT64_MAX,
                            .last_n = UINT64_MAX,
                            .own_n = UINT64_MAX,
                            .tells_elsewhere = true,
                            .elsewhere = {&bob, 1}};
    int ann = enter_at(far);
    post(ann, "a", "1");
    cf_msg_t asked = request(far, CF_MSG_POST, NULL);
    peer_answer(far, &asked, CF_MSG_ATTACHED, &larger);
    peer_answer(far, &asked, CF_MSG_DONE, NULL);
    wait_for_counter(CF_M_MALFORMED, 2);
    peer_answer(far, &asked, CF_MSG_POSTED, &(cf_posted_t){.seq = 1});
    cr_assert(has(client_heard(ann), "message_ack"));
    close(ann);
}

/* She comes again: to be shown what she has missed, or only to have sent again what was lost. */
static cf_msg_t expect_again(peer_t *at, bool resume)
{
    cf_attach_t attach;
    cf_msg_t msg = request(at, CF_MSG_ATTACH, &attach);
    cr_assert(attach.again);
    cr_assert(eq(int, attach.resume, resume));
    return msg;
}

/* Else its room threads would stop telling, as nobody confirms what they tell. */
Test(gateway, confirms_events_of_nodes_however_many_have_been_there_before)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    for (uint32_t node = 3; node < 3 + CF_ROOM_THREADS_MAX; node++) {
        cf_msg_t event = {.type = CF_MSG_EVENT,
                          .from = {node, CF_ACTOR_ROOMS, 0},
                          .to = {NODE, CF_ACTOR_GATEWAY, 0},
                          .room = ROOM};
        cr_assert(cf_outbox_put(lobby->out, &event, &(cf_event_t){.kind = CF_EVENT_POST}) == 0);
        peer_put(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
                 &(cf_node_gone_t){node});
    }
    peer_flush(lobby);
    let_it_read();
    tell_event(far, 1, 1, 1, "a");
    cf_flushed_t flushed;
    cr_assert(peer_await(far, CF_MSG_FLUSHED, 0, &flushed));
    cr_assert(eq(u64, flushed.events, 1));
}

Test(gateway, confirms_events_of_as_many_room_threads_as_nodes_may_have)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    for (uint16_t i = 0; i < CF_ROOM_THREADS_MAX; i++) {
        cf_msg_t event = {.type = CF_MSG_EVENT,
                          .from = {3, CF_ACTOR_ROOMS, i},
                          .to = {NODE, CF_ACTOR_GATEWAY, 0},
                          .room = ROOM};
        cr_assert(cf_outbox_put(lobby->out, &event, &(cf_event_t){.kind = CF_EVENT_POST}) == 0);
    }
    peer_flush(lobby);
    let_it_read();
    tell_event(far, 1, 1, 1, "a");
    cf_flushed_t flushed;
    cr_assert(peer_await(far, CF_MSG_FLUSHED, 0, &flushed));
    cr_assert(eq(u64, flushed.events, 1));
}

Test(gateway, asks_elsewhere_when_a_node_is_lost_and_says_which_posts_are_not_confirmed)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    post(ann, "a", "");
    request(far, CF_MSG_POST, NULL);
    lose_node();
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED"));
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, true);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    post(ann, "a", "");
    answer_post(rooms, "a", 1);
    cr_assert(has(client_heard(ann), "message_ack"));
    close(ann);
}

Test(gateway, sends_keyed_posts_of_a_lost_node_again_and_acknowledges_them_before_it_shows_them)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_event_t missed[] = {{.epoch = 2, .n = 0, .kind = CF_EVENT_POST},
                           {.epoch = 2, .n = 0, .kind = CF_EVENT_POST}};
    int ann = enter_at(far);
    post(ann, "a", "1");
    request(far, CF_MSG_POST, NULL);
    post(ann, "b", "2");
    request(far, CF_MSG_POST, NULL);
    lose_node();
    let_it_read();
    post(ann, "c", "3"); /* later: behind those */
    let_it_read();
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, false);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED,
                &(cf_attached_t){.epoch = 2, .last_seq = 1, .last_n = 1});
    answer_post(rooms, "a", 1); /* was stored */
    answer_post(rooms, "b", 2);
    msg = request(rooms, CF_MSG_POST, NULL);
    tell_event(rooms, 2, 2, 2, "b");
    cf_msg_t resumes = expect_again(rooms, true);
    for (uint64_t i = 0; i < 2; i++)
        missed[i].post = (cf_post_t){.seq = i + 1,
                                     .kind = CF_POST_TEXT,
                                     .username = cf_str("ann"),
                                     .text = cf_str(i ? "b" : "a")};
    peer_answer(rooms, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 3, 3});
    peer_answer(rooms, &resumes, CF_MSG_ATTACHED,
                &(cf_attached_t){.epoch = 2, .last_seq = 2, .last_n = 2, .backlog = {missed, 2}});
    tell_event(rooms, 2, 3, 3, "c");
    cr_assert(has(client_heard(ann), "\"client_key\":\"1\""));
    cr_assert(has(client_heard(ann), "\"client_key\":\"2\""));
    cr_assert(has(client_heard(ann), "\"client_key\":\"3\""));
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"b\""));
    cr_assert(has(client_heard(ann), "\"content\":\"c\""));
    cr_assert(eq(u64, actor_counter(actor, CF_M_POSTS_SENT_AGAIN), 2));
    close(ann);
}

Test(gateway, sends_nothing_again_that_stands_behind_a_post_which_cannot_be)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    int ann = enter_at(far);
    post(ann, "a", "1");
    request(far, CF_MSG_POST, NULL);
    post(ann, "b", "");
    request(far, CF_MSG_POST, NULL);
    post(ann, "c", "3");
    request(far, CF_MSG_POST, NULL);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    let_it_read();
    post(ann, "d", "4"); /* was not sent */
    let_it_read();
    lose_node();
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED"));
    const char *heard = client_heard_type(ann, "error");
    cr_assert(has(heard, "NOT_CONFIRMED") && has(heard, "\"client_key\":\"3\""));
    heard = client_heard_type(ann, "error");
    cr_assert(has(heard, "NOT_SAVED") && has(heard, "\"client_key\":\"4\""));
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, false);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms, "a", 1);
    expect_again(rooms, true);
    cr_assert(has(client_heard(ann), "\"client_key\":\"1\""));
    close(ann);
}

Test(gateway, sends_a_post_again_that_meets_the_end_of_a_second_node)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    post(ann, "a", "1");
    for (int i = 0; i < 2; i++) {
        request(far, CF_MSG_POST, NULL);
        lose_node();
        if (i == 0) {
            place_room(far);
            expect_again(far, false);
        }
    }
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, false); /* the one before went with its node */
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 3});
    answer_post(rooms, "a", 1);
    expect_again(rooms, true);
    cr_assert(has(client_heard(ann), "message_ack"));
    close(ann);
}

/* --- who is elsewhere ---------------------------------------------------------------------------
 */

/* Somebody at a node comes to the room, or goes. */
static void tell_change(peer_t *at, uint64_t epoch, uint64_t n, uint32_t kind, const char *name,
                        uint32_t node)
{
    cf_event_t event = {
        .epoch = epoch, .n = n, .kind = kind, .post = {.username = cf_str(name), .seq = node}};
    peer_send(at, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM, &event);
}

/* Ann in a room of the other node, with bob and carl there. */
static int enter_with_others(peer_t *far)
{
    cf_elsewhere_t there[] = {{OTHER_NODE, cf_str("bob")}, {OTHER_NODE, cf_str("carl")}};
    return enter_told(
        far, &(cf_attached_t){
                 .epoch = 1, .last_n = 2, .tells_elsewhere = true, .elsewhere = {there, 2}});
}

static void expect_left(int fd, const char *name)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, "\"username\":\"%s\"", name);
    const char *heard = client_heard_type(fd, "user_left");
    cr_assert(has(heard, "user_left") && has(heard, wanted), "%s", heard);
}

/* The room is found again, and the next that ann hears is what its new place says. */
static void nobody_else_has_left(int ann)
{
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, true);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 9});
    tell_change(rooms, 9, 1, CF_EVENT_LEFT, "last", NODE);
    expect_left(ann, "last");
    close(ann);
}

Test(gateway, tells_who_has_left_with_the_node_that_a_room_was_at)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_with_others(far);
    tell_change(far, 1, 3, CF_EVENT_JOINED, "ann", NODE);
    tell_change(far, 1, 4, CF_EVENT_JOINED, "bob", OTHER_NODE); /* a second tab */
    tell_change(far, 1, 5, CF_EVENT_LEFT, "carl", OTHER_NODE);
    expect_left(ann, "carl");
    lose_node();
    expect_left(ann, "bob");
    expect_left(ann, "bob");
    nobody_else_has_left(ann);
}

Test(gateway, says_nothing_of_those_whose_room_lives_on_as_that_tells_of_them)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_first("ann", NULL);
    tell_change(rooms, 1, 1, CF_EVENT_JOINED, "bob", OTHER_NODE);
    client_heard_type(ann, "user_joined");
    lose_node();
    tell_change(rooms, 1, 2, CF_EVENT_LEFT, "bob", OTHER_NODE);
    tell_change(rooms, 1, 3, CF_EVENT_LEFT, "last", NODE);
    expect_left(ann, "bob");
    expect_left(ann, "last");
    close(ann);
    (void)far;
}

Test(gateway, tells_of_several_who_came_at_once_and_of_those_of_a_node_that_died_before)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_change_t came[] = {{false, 7, cf_str("dora")}, {false, OTHER_NODE, cf_str("eve")}};
    int ann = enter_told(far, &(cf_attached_t){.epoch = 1, .tells_elsewhere = true});
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_CHANGES, 0, ROOM,
              &(cf_changes_t){.epoch = 1, .n = 1, .changes = {came, 2}});
    client_heard_type(ann, "user_joined");
    client_heard_type(ann, "user_joined");
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_GONE, 0, (cf_id_t){0}, &(cf_node_gone_t){7});
    lose_node(); /* before the room could tell of her */
    expect_left(ann, "eve");
    expect_left(ann, "dora");
    nobody_else_has_left(ann);
}

Test(gateway, is_silent_about_people_elsewhere_when_it_has_missed_something)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_with_others(far);
    tell_change(far, 1, 4, CF_EVENT_JOINED, "dora", OTHER_NODE); /* was 3 that bob left? */
    client_heard_type(ann, "user_joined");
    lose_node();
    expect_left(ann, "dora");
    nobody_else_has_left(ann);
}

Test(gateway, learns_of_people_elsewhere_from_what_was_told_since_the_room_moved)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_event_t since[] = {{2, 1, CF_EVENT_JOINED, {.username = cf_str("dora"), .seq = OTHER_NODE}},
                          {2, 2, CF_EVENT_LEFT, {.username = cf_str("carl"), .seq = OTHER_NODE}}};
    int ann = enter_with_others(far);
    post(ann, "a", "");
    cf_msg_t msg = request(far, CF_MSG_POST, NULL);
    peer_answer(far, &msg, CF_MSG_MOVED, NULL);
    place_room(far);
    msg = expect_again(far, true);
    peer_answer(far, &msg, CF_MSG_ATTACHED,
                &(cf_attached_t){.epoch = 2, .last_n = 2, .backlog = {since, 2}});
    answer_post(far, "a", 1);
    expect_left(ann, "carl");
    lose_node();
    expect_left(ann, "dora");
    expect_left(ann, "bob");
    nobody_else_has_left(ann);
}

Test(gateway, keeps_nobody_elsewhere_of_a_room_with_nobody_here)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_with_others(far);
    close(ann);
    cf_msg_t gone = request(far, CF_MSG_DETACH, NULL);
    tell_change(far, 1, 3, CF_EVENT_JOINED, "dora", OTHER_NODE); /* said before she had gone */
    tell_change(far, 1, 4, CF_EVENT_JOINED, "eve", OTHER_NODE);
    tell_change(far, 1, 5, CF_EVENT_JOINED, "fred", OTHER_NODE);
    peer_answer(far, &gone, CF_MSG_DONE, NULL);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    request(far, CF_MSG_FORGOTTEN, NULL);
    ann = enter_with_others(far); /* for whom there is room */
    lose_node();
    expect_left(ann, "carl");
    expect_left(ann, "bob");
    nobody_else_has_left(ann);
}

/* config: 3 of a room, 4 in all */
Test(gateway, keeps_so_many_people_elsewhere_of_a_room_and_no_more)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_with_others(far);
    tell_change(far, 1, 3, CF_EVENT_JOINED, "dora", OTHER_NODE);
    tell_change(far, 1, 4, CF_EVENT_JOINED, "eve", OTHER_NODE);
    client_heard_type(ann, "user_joined");
    client_heard_type(ann, "user_joined");
    lose_node();
    expect_left(ann, "dora");
    expect_left(ann, "carl");
    expect_left(ann, "bob");
    nobody_else_has_left(ann);
}

static void with_credit_for_two(void)
{
    config.credits_requests = 2;
    start();
}

Test(tuned_gateway, holds_the_credit_of_posts_that_it_sends_again, .init = with_credit_for_two)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    for (int i = 0; i < 3; i++)
        post(ann, "a", (const char *[]){"1", "2", "3"}[i]);
    request(far, CF_MSG_POST, NULL);
    request(far, CF_MSG_POST, NULL);
    lose_node();
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, false);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms, "a", 1);
    answer_post(rooms, "a", 2);
    cf_post_msg_t body;
    do /* between them she comes again */
        cr_assert(peer_next(rooms, &msg));
    while (msg.type != CF_MSG_POST);
    cr_assert(cf_msg_body(&body, &msg, &rooms->arena) == 0 &&
              cf_str_equal(body.client_key, cf_str("3"))); /* was not read before */
    close(ann);
}

static void with_little_patience(void)
{
    config.answer_us = 1000000;
    config.lookup_us = 2;
    start();
}

Test(tuned_gateway, gives_a_post_up_that_nobody_answers_though_it_was_sent_again,
     .init = with_little_patience)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    post(ann, "a", "1");
    request(far, CF_MSG_POST, NULL);
    lose_node();
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, false);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    request(rooms, CF_MSG_POST, NULL);
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED"));
    expect_again(rooms, true); /* what she has missed may be the same post */
    close(ann);
}

Test(tuned_gateway, asks_again_where_a_room_is_when_nobody_says, .init = with_little_patience)
{
    cf_msg_t msg;
    int ann = enter_first("ann", NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    uint64_t first = msg.corr;
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    cr_assert(ne(u64, msg.corr, first));
    cr_assert(eq(str, client_heard(ann), "close 1013 try again later")); /* nor does it then */
    close(ann);
}

Test(tuned_gateway, sends_those_in_a_room_away_whose_owner_nobody_knows_for_long,
     .init = with_little_patience)
{
    cf_msg_t msg;
    int ann = enter_first("ann", NULL), bob = ask_to_enter("bob");
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    authenticate("bob", "bob");
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    peer_refuse(lobby, &msg, CF_EAGAIN);
    cr_assert(eq(str, client_heard(ann), "close 1013 try again later"));
    cr_assert(eq(int, client_answer(bob), 503)); /* was not in it yet */
    close(ann);
    close(bob);
}

Test(gateway, asks_again_where_a_room_is_when_it_is_told_to)
{
    cf_msg_t msg;
    int ann = enter_first("ann", NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    peer_refuse(lobby, &msg, CF_EAGAIN);
    place_room(rooms);
    cf_msg_t again = expect_again(rooms, true);
    peer_answer(rooms, &again, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    tell_event(rooms, 2, 1, 1, "a");
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    close(ann);
}

Test(gateway, forgets_for_the_lobby_of_the_node_where_the_room_was)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    cf_msg_t msg;
    cf_post_msg_t body;
    int ann = enter_at(far);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL); /* not its any more */
    cr_assert(peer_expect(lobby, CF_MSG_FORGOTTEN, 0, NULL));
    post(ann, "a", "1");
    msg = request(far, CF_MSG_POST, &body);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    peer_answer(far, &msg, CF_MSG_MOVED, NULL);
    cr_assert(peer_expect(far, CF_MSG_FORGOTTEN, 0, NULL));
    place_room(rooms);
    cf_attach_t attach;
    msg = request(rooms, CF_MSG_ATTACH, &attach);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms, "a", 1);
    cr_assert(has(client_heard(ann), "message_ack"));
    close(ann);
}

Test(gateway, finds_the_new_owner_of_a_room_though_the_old_one_has_not_let_go_of_it_yet)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    int ann = enter_at(far);
    post(ann, "a", "1");
    cf_msg_t posted = request(far, CF_MSG_POST, NULL);
    peer_answer(far, &posted, CF_MSG_MOVED, NULL); /* another node has the room: it goes */
    place_room(rooms);                             /* and the lobby has found that one */
    answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms, "a", 1);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_expect(far, CF_MSG_FORGOTTEN, 0, NULL));
    post(ann, "b", "2"); /* still there */
    answer_post(rooms, "b", 2);
    cr_assert(has(client_heard_type(ann, "message_ack"), "message_ack"));
    close(ann);
}

/* --- credits ------------------------------------------------------------------------------------
 */

/* The next n posts at the room. */
static void take_posts(peer_t *at, cf_msg_t *heads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        heads[i] = request(at, CF_MSG_POST, NULL);
}

/* Those that come by themselves after that. */
static uint32_t take_more(peer_t *at, cf_msg_t *heads)
{
    cf_msg_t msg;
    uint32_t n = 0;
    let_it_read();
    while (cf_inbox_read(at->inbox, &msg) == 1)
        if (msg.type == CF_MSG_POST)
            heads[n++] = msg;
    return n;
}

Test(gateway, reads_no_more_of_a_client_with_32_requests_in_flight)
{
    cf_msg_t heads[64];
    char text[16];
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "%d", i);
        post(ann, text, "");
    }
    take_posts(rooms, heads, 32);
    cr_assert(eq(u32, take_more(rooms, heads + 32), 0));
    peer_answer(rooms, &heads[0], CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1});
    answer_post(rooms, "32", 33); /* one answered, one more read */
    answer_post(rooms, "33", 34);
    cr_assert(eq(u64, actor_counter(actor, CF_M_CREDIT_STOPS) > 0, 1));
    close(ann);
}

Test(gateway, leaks_nothing_of_a_client_that_vanishes_with_requests_in_flight)
{
    cf_msg_t heads[8];
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 5; i++)
        post(ann, "x", "");
    take_posts(rooms, heads, 5);
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 0);
    for (uint32_t i = 0; i < 5; i++)
        peer_answer(rooms, &heads[i], CF_MSG_POSTED, &(cf_posted_t){{{3}}, i + 1, 1});
    request(rooms, CF_MSG_DETACH, NULL);
    let_it_read(); /* the answers have been thrown away */
}

/* --- small bounds -------------------------------------------------------------------------------
 */

static void start_with_little(void)
{
    config.credits_bytes = 2500;
    config.pool_bytes = 4500; /* of posts of 1,000 bytes */
    start();
}

TestSuite(gateway_with_little, .init = start_with_little, .fini = actors_stop, .timeout = 120);

static void post_a_thousand_bytes(int fd)
{
    char frame[1024];
    snprintf(frame, sizeof frame, "{\"content\":\"%0900d\"}", 0);
    client_say(fd, frame);
}

Test(gateway_with_little, reads_no_more_of_a_client_with_too_many_bytes_in_flight)
{
    cf_msg_t heads[8];
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 5; i++)
        post_a_thousand_bytes(ann);
    take_posts(rooms, heads, 3); /* the third goes past the bound */
    cr_assert(eq(u32, take_more(rooms, heads + 3), 0));
    for (uint64_t i = 0; i < 3; i++)
        peer_answer(rooms, &heads[i], CF_MSG_POSTED, &(cf_posted_t){{{3}}, i + 1, 1});
    request(rooms, CF_MSG_POST, NULL);
    request(rooms, CF_MSG_POST, NULL);
    close(ann);
}

Test(gateway_with_little, reads_no_more_of_anybody_when_the_pool_is_used_up)
{
    static const char *const names[] = {"ann", "bob", "carl"};
    cf_msg_t heads[16];
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = i ? enter(names[i]) : enter_first(names[i], NULL);
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 3; i++)
            post_a_thousand_bytes(fds[i]);
    take_posts(rooms, heads, 5);
    uint32_t n = 5 + take_more(rooms, heads + 5);
    cr_assert(le(u32, n, 7)); /* five reach it, and one more of each other client */
    for (uint64_t i = 0; i < n; i++)
        peer_answer(rooms, &heads[i], CF_MSG_POSTED, &(cf_posted_t){{{3}}, i + 1, 1});
    for (; n < 15; n++) { /* all of them come in the end */
        cf_msg_t msg = request(rooms, CF_MSG_POST, NULL);
        peer_answer(rooms, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, n + 1, 1});
    }
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* --- any origin ---------------------------------------------------------------------------------
 */

static void start_for_all(void)
{
    static const char *const any[] = {"*"};
    config.origins = any;
    start();
}

TestSuite(gateway_for_all, .init = start_for_all, .fini = actors_stop, .timeout = 120);

Test(gateway_for_all, lets_a_foreign_page_in_by_a_token_of_its_own_and_never_by_a_cookie)
{
    int fd = client_dial(port);
    client_ask_upgrade(fd, ROOM_PATH,
                       "Cookie: session_id=ann\r\nOrigin: https://anywhere.test\r\n");
    cr_assert(eq(int, client_answer(fd), 401)); /* accounts was not even asked */
    close(fd);
    fd = client_dial(port);
    client_ask_upgrade(fd, ROOM_PATH "?token=bob",
                       "Cookie: session_id=ann\r\nOrigin: https://anywhere.test\r\n");
    authenticate("bob", "bob");
    place_room(rooms);
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(fd), 101));
    close(fd);
}

/* --- counts -------------------------------------------------------------------------------------
 */

Test(gateway, gives_clients_the_latest_counts_and_few_of_them)
{
    int ann = enter_first("ann", NULL), frames = 0;
    char *heard;
    for (uint32_t i = 1; i <= 50; i++) {
        cf_count_t count = {ROOM, i};
        peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_COUNTS, 0, (cf_id_t){0},
                  &(cf_counts_t){{&count, 1}});
    }
    do {
        heard = client_heard(ann);
        cr_assert(has(heard, "user_count_update"), "%s", heard);
        frames++;
    } while (!has(heard, "000000\":50}"));
    cr_assert(le(int, frames, 10));
    close(ann);
}

static void for_many(void)
{
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    config.server.connections_max = 1000;
    start();
}

/* 500 rooms are 21 KiB, and these clients more than what may be said of counts in a second. */
Test(tuned_gateway, tells_counts_in_turn_so_that_they_keep_to_their_share, .init = for_many)
{
    enum { CLIENTS = 550, BYTES_A_SECOND = 10000000 };
    int fds[CLIENTS];
    cf_count_t counts[CF_COUNTS_MAX];
    for (uint32_t i = 0; i < CF_COUNTS_MAX; i++)
        counts[i] = (cf_count_t){(cf_id_t){{2, (uint8_t)(i >> 8), (uint8_t)i}}, 1};
    for (int i = 0; i < CLIENTS; i++) {
        char name[12];
        snprintf(name, sizeof name, "%03d", i);
        fds[i] = i == 0 ? enter_first(name, NULL) : enter(name);
    }
    let_it_read(); /* all have been let in */
    int64_t began_us = cf_boot_us();
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_COUNTS, 0, (cf_id_t){0},
              &(cf_counts_t){{counts, CF_COUNTS_MAX}});
    size_t size = strlen(client_heard_type(fds[0], "user_count_update"));
    uint64_t told = actor_counter(actor, CF_M_SENT_COUNTS);
    uint64_t may_be = (uint64_t)(cf_boot_us() - began_us + 1000000) * (BYTES_A_SECOND / 1000000);
    cr_assert(le(u64, told * size, may_be + size));
    int next = told < CLIENTS ? (int)told : CLIENTS - 1; /* a second may have begun */
    vanish(fds[next]);
    for (int i = 0; i < CLIENTS; i++) {
        if (i != 0 && i != next)
            cr_assert(has(client_heard(fds[i]), "user_count_update"));
        if (i != next)
            close(fds[i]);
    }
}

/* --- what of our own cannot be read -------------------------------------------------------------
 */

static void start_contained(void)
{
    peer_bus()->contain = true;
    start();
}

TestSuite(gateway_contained, .init = start_contained, .fini = actors_stop, .timeout = 120);

Test(gateway_contained, lets_the_members_of_a_room_come_back_for_an_event_it_could_not_read)
{
    int ann = enter_first("ann", NULL), bob = enter("bob");
    tell_event(rooms, 1, 1, 1, "a");
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM);
    tell_event(rooms, 1, 3, 3, "c"); /* would be a gap */
    int clients[] = {ann, bob};
    for (int i = 0; i < 2; i++) {
        cr_assert(has(client_heard(clients[i]), "\"content\":\"a\""));
        cr_assert(eq(str, client_heard(clients[i]), "close 1013 try again later"));
        close(clients[i]);
    }
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0,
                        (cf_id_t){{7}}); /* nobody there */
    wait_for_counter(CF_M_MALFORMED, 2);
    cr_assert(eq(u64, actor_counter(actor, CF_M_QUARANTINED), 0));
}

Test(gateway_contained, lets_them_come_back_for_a_list_of_who_is_here_it_could_not_read)
{
    int ann = enter_first("ann", NULL);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_ROSTER, 0, ROOM);
    cr_assert(eq(str, client_heard(ann), "close 1013 try again later"));
    close(ann);
}

Test(gateway_contained, lets_them_come_back_for_who_came_and_went_it_could_not_read)
{
    int ann = enter_first("ann", NULL);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_CHANGES, 0, ROOM);
    cr_assert(eq(str, client_heard(ann), "close 1013 try again later"));
    close(ann);
}

Test(gateway_contained, tells_who_waits_for_an_answer_it_could_not_read)
{
    int ann = enter_first("ann", NULL);
    cf_msg_t msg;
    post(ann, "a", "k1");
    expect_post(rooms, "a", &msg);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_POSTED, msg.corr, ROOM);
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED")); /* it is stored */
    post(ann, "b", "k2");
    expect_post(rooms, "b", &msg);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_REFUSED, msg.corr, ROOM);
    cr_assert(has(client_heard_type(ann, "error"), "NOT_SAVED"));
    int me = client_dial(port);
    client_put(me, "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nCookie: session_id=bob\r\n\r\n");
    cr_assert(peer_await_msg(accounts, CF_MSG_AUTHENTICATE, 0, &msg, NULL));
    peer_send_malformed(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION, msg.corr, (cf_id_t){0});
    cr_assert(eq(int, client_answer(me), 503));
    cr_assert(eq(u64, actor_counter(actor, CF_M_MALFORMED), 3));
    close(me);
    close(ann);
}

Test(gateway_contained, is_in_quarantine_for_what_it_cannot_put_right)
{
    peer_send_malformed(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0});
    wait_for_counter(CF_M_QUARANTINED, 1);
    cr_assert(eq(int, client_ask(port, "GET", "/health", "", ""), 200));
}

/* --- limits -------------------------------------------------------------------------------------
 */

/* So many at once, and none comes back while a test runs. */
static void limit_to(cf_limit_kind_t kind, int64_t burst)
{
    config.limits.of[kind] = (cf_limit_t){1, CF_BUCKET_PERIOD_MAX_US, burst};
}

static void trust_loopback(void)
{
    static cf_network_t networks[2];
    cr_assert(cf_network_parse(&networks[0], "127.0.0.0/8") == 0);
    cr_assert(cf_network_parse(&networks[1], "10.0.0.0/8") == 0);
    config.proxies = networks;
    config.proxy_count = 2;
}

static void put_request(int fd, const char *method, const char *path, const char *headers,
                        const char *body)
{
    char text[1024];
    snprintf(text, sizeof text,
             "%s %s HTTP/1.1\r\nHost: test.local\r\n%sContent-Length: %zu\r\n\r\n%s", method, path,
             headers, strlen(body), body);
    client_put(fd, text);
}

static void put_login(int fd, const char *headers, const char *name)
{
    char body[256];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"secret word\"}", name);
    put_request(fd, "POST", "/api/v1/auth/login", headers, body);
}

static void refuse_login(void)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(accounts, CF_MSG_LOGIN, 0, &msg, NULL));
    peer_refuse(accounts, &msg, CF_EAUTH);
}

static void expect_limited(int fd, const char *retry_after)
{
    cr_assert(eq(int, client_answer(fd), 429));
    cr_assert(eq(str, client_body, "{\"error\":\"Rate limit exceeded\"}\n"));
    cr_assert(has(client_head, retry_after), "%s", client_head);
}

/* The next message at the limiter is a TAKE of that kind; its body. */
static cf_take_t next_take(cf_limit_kind_t kind, cf_msg_t *msg)
{
    cf_take_t take;
    cr_assert(peer_next(limiter, msg));
    cr_assert(eq(int, msg->type, CF_MSG_TAKE));
    cr_assert(cf_msg_body(&take, msg, &limiter->arena) == 0);
    cr_assert(eq(u32, take.kind, kind));
    return take;
}

static cf_limit_key_t grant(cf_limit_kind_t kind)
{
    cf_msg_t msg;
    cf_take_t take = next_take(kind, &msg);
    cr_assert(take.want == 1 && take.most == 1 && take.spent.lease == 0 && take.spent.tokens == 0);
    peer_answer(limiter, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 1000, 0});
    return take.key;
}

static void refuse_take(cf_limit_kind_t kind, uint32_t retry_after_ms)
{
    cf_msg_t msg;
    next_take(kind, &msg);
    peer_answer(limiter, &msg, CF_MSG_REFUSED, &(cf_refused_t){-CF_ELIMIT, retry_after_ms});
}

static bool is_same(cf_limit_key_t a, cf_limit_key_t b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

Test(tuned_gateway, limits_logins_and_registrations_of_one_connection_together)
{
    limit_to(CF_LIMIT_AUTH, 10);
    start();
    int fd = client_dial(port), other = client_dial(port);
    for (int i = 0; i < 5; i++) {
        put_login(fd, "", "ann");
        refuse_login();
        cr_assert(eq(int, client_answer(fd), 401));
        put_request(fd, "POST", "/api/v1/auth/register", "", "{}");
        cr_assert(eq(int, client_answer(fd), 400)); /* counts as well */
    }
    put_login(fd, "", "ann");
    expect_limited(fd, "Retry-After: 864"); /* a day, less what has passed */
    put_request(fd, "POST", "/api/v1/auth/register", "", "{}");
    expect_limited(fd, "Retry-After: 864");
    put_login(other, "", "ann");
    refuse_login();
    cr_assert(eq(int, client_answer(other), 401));
    cr_assert(eq(u64, actor_counter(actor, CF_M_LIMITED_AUTH), 2));
    put_request(fd, "GET", "/health", "", "");
    cr_assert(eq(int, client_answer(fd), 200));
    close(fd);
    close(other);
}

Test(tuned_gateway, limits_calls_with_a_session_and_none_without)
{
    limit_to(CF_LIMIT_API, 3);
    start();
    int fd = client_dial(port), other = client_dial(port);
    for (int i = 0; i < 10; i++) {
        put_request(fd, "GET", "/api/v1/auth/me", i % 2 ? "" : "Cookie: session_id=old\r\n", "");
        if (i % 2 == 0)
            authenticate("old", NULL);
        cr_assert(eq(int, client_answer(fd), 401));
    }
    for (int i = 0; i < 4; i++) {
        put_request(fd, "GET", "/api/v1/auth/me", "Cookie: session_id=ann\r\n", "");
        authenticate("ann", "ann");
        if (i < 3)
            cr_assert(eq(int, client_answer(fd), 200));
        else
            expect_limited(fd, "Retry-After: 864");
    }
    put_request(other, "GET", "/api/v1/auth/me", "Cookie: session_id=ann\r\n", "");
    authenticate("ann", "ann");
    cr_assert(eq(int, client_answer(other), 200));
    close(fd);
    close(other);
}

Test(tuned_gateway, limits_by_the_address_that_a_trusted_proxy_tells)
{
    limit_to(CF_LIMIT_AUTH, 1);
    limit_to(CF_LIMIT_API, 1);
    limit_to(CF_LIMIT_ADDRESS, 1);
    trust_loopback();
    start();
    static const struct {
        const char *headers;
        int same_as; /* index of a case with the same address */
    } cases[] = {
        {"X-Forwarded-For: 1.2.3.4\r\n", 0},
        {"X-Forwarded-For: 1.2.3.5\r\n", 1},
        {"X-Forwarded-For: 1.2.3.5, 1.2.3.4 \r\n", 0}, /* the client wrote the first */
        {"X-Forwarded-For: junk, 1.2.3.4, 10.0.0.1\r\n", 0},
        {"X-Forwarded-For: ::ffff:1.2.3.4\r\n", 0},
        {"X-Forwarded-For: 2001:db8:0:1::1\r\n", 5},
        {"X-Forwarded-For: 2001:db8:0:1:ffff::2\r\n", 5},
        {"X-Forwarded-For: 2001:db8:0:2::1\r\n", 7},
        {"X-Real-IP: 1.2.3.4\r\n", 0},
        {"True-Client-IP: 1.2.3.4\r\n", 0},
        {"X-Real-IP: 1.2.3.5\r\nTrue-Client-IP: 1.2.3.4\r\n", 0},
        {"X-Real-IP: 1.2.3.4\r\nTrue-Client-IP: junk\r\n", 0},
        {"True-Client-IP: 1.2.3.5\r\nX-Real-IP: 1.2.3.5\r\nX-Forwarded-For: 1.2.3.4\r\n", 0},
        {"True-Client-IP: 2001:db8:0:1::3\r\n", 5}};
    enum { CASES = sizeof cases / sizeof cases[0] };
    cf_limit_key_t keys[CASES];
    int fd = client_dial(port);
    for (int i = 0; i < CASES; i++) {
        put_request(fd, "POST", "/api/v1/auth/register", cases[i].headers, "{}");
        keys[i] = grant(CF_LIMIT_AUTH);
        cr_assert(eq(int, client_answer(fd), 400));
    }
    for (int i = 0; i < CASES; i++)
        for (int k = 0; k < CASES; k++)
            cr_assert(eq(int, is_same(keys[i], keys[k]), cases[i].same_as == cases[k].same_as));
    put_login(fd, cases[0].headers, "ann");
    refuse_take(CF_LIMIT_AUTH, 2500);
    expect_limited(fd, "Retry-After: 3\r\n");
    put_request(fd, "GET", "/api/v1/auth/me",
                "X-Forwarded-For: 1.2.3.4\r\nCookie: session_id=ann\r\n", "");
    authenticate("ann", "ann");
    cr_assert(not(is_same(grant(CF_LIMIT_API), keys[0]))); /* of another kind */
    cr_assert(eq(int, client_answer(fd), 200));
    close(fd);
}

Test(tuned_gateway, believes_no_address_that_is_none)
{
    limit_to(CF_LIMIT_AUTH, 1);
    trust_loopback();
    start();
    static const char *const headers[] = {"X-Forwarded-For: unknown\r\n",
                                          "",
                                          "X-Forwarded-For: 1.2.3.4, 5.6.7.8:90\r\n",
                                          "X-Forwarded-For: ,\r\n",
                                          "X-Real-IP: 1.2.3.4, 1.2.3.5\r\n",
                                          "True-Client-IP: 1.2.3.4:80\r\n",
                                          "X-Forwarded-For: junk\r\nX-Real-IP: 1.2.3.4\r\n"};
    for (int i = 0; i < 7; i++) { /* by connection then */
        int fd = client_dial(port);
        put_request(fd, "POST", "/api/v1/auth/register", headers[i], "{}");
        cr_assert(eq(int, client_answer(fd), 400), "%s", headers[i]);
        put_request(fd, "POST", "/api/v1/auth/register", headers[i], "{}");
        expect_limited(fd, "Retry-After: 864");
        close(fd);
    }
}

Test(tuned_gateway, takes_no_address_from_who_is_no_trusted_proxy)
{
    limit_to(CF_LIMIT_AUTH, 2);
    limit_to(CF_LIMIT_ADDRESS, 1);
    start();
    int fd = client_dial(port);
    put_request(fd, "POST", "/api/v1/auth/register", "X-Forwarded-For: 1.2.3.4\r\n", "{}");
    cf_limit_key_t key = grant(CF_LIMIT_ADDRESS);
    cr_assert(eq(int, client_answer(fd), 400));
    put_request(fd, "POST", "/api/v1/auth/register",
                "X-Real-IP: 5.6.7.8\r\nTrue-Client-IP: 5.6.7.9\r\n", "{}");
    cr_assert(is_same(grant(CF_LIMIT_ADDRESS), key));
    cr_assert(eq(int, client_answer(fd), 400));
    put_request(fd, "POST", "/api/v1/auth/register", "X-Forwarded-For: 9.9.9.9\r\n", "{}");
    expect_limited(fd, "Retry-After: 864"); /* the third on this connection */
    int other = client_dial(port);
    put_request(other, "POST", "/api/v1/auth/register", "", "{}");
    refuse_take(CF_LIMIT_ADDRESS, 1);
    expect_limited(other, "Retry-After: 1\r\n");
    close(fd);
    close(other);
}

Test(tuned_gateway, limits_the_sockets_a_user_opens_before_it_asks_the_room)
{
    limit_to(CF_LIMIT_UPGRADES, 1);
    start();
    int fd = ask_to_enter("old");
    authenticate("old", NULL);
    cr_assert(eq(int, client_answer(fd), 401)); /* nobody was asked */
    close(fd);
    fd = ask_to_enter("ann");
    authenticate("ann", "ann");
    cf_limit_key_t key = grant(CF_LIMIT_UPGRADES);
    place_room(rooms);
    refuse(rooms, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(fd), 403));
    close(fd);
    fd = ask_to_enter("bob");
    authenticate("bob", "bob");
    cr_assert(not(is_same(grant(CF_LIMIT_UPGRADES), key)));
    refuse(rooms, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(fd), 403));
    close(fd);
    fd = ask_to_enter("ann");
    authenticate("ann", "ann");
    refuse_take(CF_LIMIT_UPGRADES, 500);
    expect_limited(fd, "Retry-After: 1\r\n");
    close(fd);
}

/* Of a login: takes a try, lets it through to accounts. */
static cf_limit_key_t try_login(int fd, const char *name, cf_msg_t *login)
{
    put_login(fd, "", name);
    cf_limit_key_t key = grant(CF_LIMIT_LOGINS);
    cr_assert(peer_await_msg(accounts, CF_MSG_LOGIN, 0, login, NULL));
    return key;
}

static void expect_given_back(cf_limit_key_t key)
{
    cf_msg_t msg;
    cf_give_back_t given;
    cr_assert(peer_next(limiter, &msg));
    cr_assert(eq(int, msg.type, CF_MSG_GIVE_BACK));
    cr_assert(cf_msg_body(&given, &msg, &limiter->arena) == 0);
    cr_assert(given.kind == CF_LIMIT_LOGINS && given.tokens == 1 && is_same(given.key, key));
}

static void answer_login(const cf_msg_t *login)
{
    cf_logged_in_t answer = {
        .token = cf_str("token"), .username = cf_str("ann"), .email = cf_str("somebody@test.com")};
    peer_answer(accounts, login, CF_MSG_LOGGED_IN, &answer);
}

Test(tuned_gateway, counts_a_login_before_it_is_tried_and_forgets_it_unless_it_fails)
{
    cf_msg_t login;
    limit_to(CF_LIMIT_LOGINS, 10);
    start();
    int fd = client_dial(port);
    cf_limit_key_t ann = try_login(fd, "ann", &login);
    answer_login(&login);
    expect_given_back(ann);
    cr_assert(eq(int, client_answer(fd), 200));
    cr_assert(is_same(try_login(fd, "ann", &login), ann));
    peer_refuse(accounts, &login, CF_EAUTH); /* is not given back: */
    cr_assert(eq(int, client_answer(fd), 401));
    cf_limit_key_t bob = try_login(fd, "bob", &login);
    cr_assert(not(is_same(ann, bob)));
    peer_refuse(accounts, &login, CF_EFULL); /* was not tried */
    expect_given_back(bob);
    cr_assert(eq(int, client_answer(fd), 429));
    try_login(fd, "ann", &login);
    vanish(fd);
    wait_for_counter(CF_M_CONNECTIONS, 0);
    answer_login(&login); /* it was right, whoever waits for it */
    expect_given_back(ann);
}

Test(tuned_gateway, gives_back_a_try_that_its_client_did_not_wait_for)
{
    cf_msg_t take;
    limit_to(CF_LIMIT_LOGINS, 10);
    start();
    int fd = client_dial(port);
    put_login(fd, "", "ann");
    cf_limit_key_t key = next_take(CF_LIMIT_LOGINS, &take).key;
    vanish(fd);
    wait_for_counter(CF_M_CONNECTIONS, 0);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){1, 1000, 0});
    expect_given_back(key);
}

Test(tuned_gateway, tries_no_password_of_an_account_with_too_many_failed_logins)
{
    limit_to(CF_LIMIT_LOGINS, 10);
    start();
    int fd = client_dial(port);
    put_login(fd, "", "ann");
    refuse_take(CF_LIMIT_LOGINS, 89001);
    expect_limited(fd, "Retry-After: 90\r\n");
    cf_msg_t msg;
    cr_assert(eq(int, cf_inbox_read(accounts->inbox, &msg), 0)); /* was not asked */
    close(fd);
}

Test(tuned_gateway, lets_nobody_pass_when_the_limiter_cannot_say)
{
    cf_msg_t msg;
    limit_to(CF_LIMIT_ADDRESS, 1);
    start();
    int fd = client_dial(port);
    put_request(fd, "POST", "/api/v1/auth/register", "", "{}");
    next_take(CF_LIMIT_ADDRESS, &msg);
    peer_refuse(limiter, &msg, CF_ENOMEM);
    cr_assert(eq(int, client_answer(fd), 503));
    cr_assert(has(client_head, "Retry-After:"));
    close(fd);
}

/* The next message at the limiter is a TAKE for frames, of `want` of them. */
static cf_msg_t expect_take(cf_limit_kind_t kind, uint32_t want)
{
    cf_msg_t msg;
    cf_take_t take = next_take(kind, &msg);
    cr_assert(eq(u32, take.want, want));
    cr_assert(eq(u32, take.most, want + 64));
    return msg;
}

#define LEASE 7 /* its number */

static void grant_tokens(const cf_msg_t *take, uint32_t tokens)
{
    peer_answer(limiter, take, CF_MSG_GRANTED, &(cf_granted_t){tokens, 60000, LEASE});
}

static void check_spent(const cf_spent_t *spent, uint32_t tokens)
{
    cr_assert(eq(u32, spent->lease, LEASE));
    cr_assert(eq(u32, spent->tokens, tokens));
}

static void expect_no_take(void)
{
    cf_msg_t msg;
    let_it_read();
    cr_assert(eq(int, cf_inbox_read(limiter->inbox, &msg), 0));
}

/* ann and bob in the room. */
static void with_limited_frames(void)
{
    limit_to(CF_LIMIT_POSTS, 60);
    limit_to(CF_LIMIT_COMMANDS, 10);
    start();
}

/* The other node is there, and has the bucket of ann's posts: under every second key. */
static void have_anns_bucket_at_the_other_node(int ann)
{
    cf_address_t far = {OTHER_NODE, CF_ACTOR_LIMITER, 0};
    cf_node_here_t here = {far.node,
                           cf_str("two"),
                           cf_str("tcp://10.0.0.2:7000"),
                           cf_str("0123456789012345678901234567890123456789"),
                           3,
                           true};
    bool is_far = false;
    for (uint8_t i = 0; !is_far; i++) {
        cf_limit_secret_t secret = {{i}};
        char text[8];
        cf_take_t take;
        peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_LIMIT_KEY, 0, (cf_id_t){0}, &secret);
        let_it_read();
        snprintf(text, sizeof text, "%d", i);
        post(ann, text, "");
        cf_msg_t msg = expect_take(CF_LIMIT_POSTS, 1);
        cr_assert(cf_msg_body(&take, &msg, &limiter->arena) == 0);
        peer_answer(limiter, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
        answer_post(rooms, text, i + 1u);
        cf_id_t id;
        memcpy(id.bytes, take.key.bytes, sizeof id.bytes);
        is_far = cf_rendezvous(id, far.node) > cf_rendezvous(id, NODE);
    }
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_HERE, 0, (cf_id_t){0}, &here);
    let_it_read();
}

Test(tuned_gateway, asks_the_limiter_of_the_node_that_has_the_bucket_and_this_one_when_that_is_gone,
     .init = with_limited_frames)
{
    cf_msg_t msg;
    cf_take_t take, again;
    peer_t *far = peer_at_other_node(CF_ACTOR_LIMITER);
    int ann = enter_first("ann", NULL);
    have_anns_bucket_at_the_other_node(ann);
    post(ann, "there", "");
    cr_assert(peer_await_msg(far, CF_MSG_TAKE, 0, &msg, &take));
    peer_answer(far, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    answer_post(rooms, "there", 100);
    expect_no_take();
    post(ann, "lost", "");
    post(ann, "waits", "");
    cr_assert(peer_await_msg(far, CF_MSG_TAKE, 0, &msg, &take));
    lose_node();
    cr_assert(peer_await_msg(limiter, CF_MSG_TAKE, msg.corr, &msg, &again));
    cr_assert(is_same(again.key, take.key));
    cr_assert(eq(u32, again.want, take.want));
    cr_assert(eq(u32, again.most, take.most));
    peer_answer(limiter, &msg, CF_MSG_GRANTED, &(cf_granted_t){2, 60000, LEASE});
    answer_post(rooms, "lost", 101);
    answer_post(rooms, "waits", 102);
    close(ann);
}

Test(tuned_gateway, spends_a_lease_without_asking, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann"), bob = enter("bob");
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    cf_take_t of_ann, of_bob;
    cr_assert(cf_msg_body(&of_ann, &take, &limiter->arena) == 0);
    grant_tokens(&take, 4);
    answer_post(rooms, "1", 1);
    post(ann, "2", "");
    answer_post(rooms, "2", 2);
    post(again, "3", ""); /* another socket, the same user */
    answer_post(rooms, "3", 3);
    post(ann, "4", "");
    answer_post(rooms, "4", 4);
    expect_no_take();
    post(ann, "5", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&of_ann, &take, &limiter->arena) == 0);
    check_spent(&of_ann.spent, 3); /* the first was wanted, not leased */
    uint64_t token = (uint64_t)config.limits.of[CF_LIMIT_POSTS].period_us;
    cr_assert(gt(u64, of_ann.spent.missing, 2 * token)); /* a little has come back */
    cr_assert(lt(u64, of_ann.spent.missing, 3 * token));
    grant_tokens(&take, 1);
    answer_post(rooms, "5", 5);
    post(bob, "6", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&of_bob, &take, &limiter->arena) == 0);
    cr_assert(not(is_same(of_ann.key, of_bob.key)));
    close(ann);
    close(again);
    close(bob);
}

Test(tuned_gateway, keeps_frames_in_order_while_they_wait_for_the_limiter,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    post(ann, "2", "");
    post(ann, "3", "");
    client_say(ann, "{\"content\":\"/hello\"}");
    post(ann, "4", "");
    expect_no_take(); /* one at a time */
    grant_tokens(&take, 1);
    answer_post(rooms, "1", 1);
    take = expect_take(CF_LIMIT_POSTS, 2);
    grant_tokens(&take, 1); /* less than was wanted */
    answer_post(rooms, "2", 2);
    take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 2); /* the second is for 4, which the command is before */
    answer_post(rooms, "3", 3);
    take = expect_take(CF_LIMIT_COMMANDS, 1);
    grant_tokens(&take, 1);
    answer(rooms, CF_MSG_COMMAND, CF_MSG_COMMANDED, NULL);
    answer_post(rooms, "4", 4);
    close(ann);
}

Test(tuned_gateway, tells_who_is_over_the_limit_how_long_to_wait, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    post(ann, "1", "k1");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    post(ann, "2", "k2");
    client_say(ann, "{\"content\":\"/hello\",\"client_key\":\"k3\"}");
    let_it_read();
    peer_answer(limiter, &take, CF_MSG_REFUSED, &(cf_refused_t){-CF_ELIMIT, 1234});
    char *heard = client_heard_type(ann, "error");
    cr_assert(has(heard, "\"message\":\"Rate limit exceeded\"") &&
                  has(heard, "\"code\":\"RATE_LIMIT_EXCEEDED\"") &&
                  has(heard, "\"client_key\":\"k1\"") && has(heard, "\"retry_after_ms\":1234"),
              "%s", heard);
    take = expect_take(CF_LIMIT_POSTS, 1); /* what came later asks for itself */
    grant_tokens(&take, 1);
    answer_post(rooms, "2", 1);
    take = expect_take(CF_LIMIT_COMMANDS, 1);
    peer_answer(limiter, &take, CF_MSG_REFUSED, &(cf_refused_t){-CF_ELIMIT, 6000});
    heard = client_heard_type(ann, "error");
    cr_assert(has(heard, "\"message\":\"Rate limit exceeded\"") &&
                  has(heard, "\"client_key\":\"k3\"") && has(heard, "\"retry_after_ms\":6000"),
              "%s", heard);
    post(ann, "4", "k4"); /* the socket stays */
    take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 1);
    answer_post(rooms, "4", 2);
    close(ann);
}

/* The next message at the limiter settles the lease. */
static void expect_settled(uint32_t tokens)
{
    cf_msg_t msg;
    cf_settle_t settled;
    cr_assert(peer_next(limiter, &msg));
    cr_assert(eq(int, msg.type, CF_MSG_SETTLE));
    cr_assert(cf_msg_body(&settled, &msg, &limiter->arena) == 0);
    cr_assert(eq(u32, settled.kind, CF_LIMIT_POSTS));
    check_spent(&settled.spent, tokens);
}

/* ann has posted, and has a lease that is over at once. */
static int post_and_lease(void)
{
    int ann = enter_first("ann", NULL);
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){4, 0, LEASE});
    answer_post(rooms, "1", 1);
    return ann;
}

Test(tuned_gateway, settles_a_lease_that_is_over, .init = with_limited_frames)
{
    int ann = post_and_lease();
    expect_settled(0);
    close(ann);
}

Test(tuned_gateway, settles_a_lease_that_is_over_with_the_next_take)
{
    config.lease_kept_us = INT64_C(3600000000);
    with_limited_frames();
    int ann = post_and_lease();
    post(ann, "2", "");
    cf_msg_t msg = expect_take(CF_LIMIT_POSTS, 1);
    cf_take_t take;
    cr_assert(cf_msg_body(&take, &msg, &limiter->arena) == 0);
    check_spent(&take.spent, 0);
    peer_answer(limiter, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    answer_post(rooms, "2", 2);
    post(ann, "3", "");
    msg = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&take, &msg, &limiter->arena) == 0);
    cr_assert(eq(u32, take.spent.lease, 0)); /* once */
    cr_assert(eq(u32, take.spent.tokens, 0));
    close(ann);
}

Test(tuned_gateway, settles_what_a_user_leaves_behind, .init = with_limited_frames)
{
    cf_msg_t msg;
    int ann = enter_first("ann", NULL), again = enter("ann");
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 4);
    answer_post(rooms, "1", 1);
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    expect_no_take(); /* nor anything else: he is still here */
    post(again, "2", "");
    do /* DETACH of the first */
        cr_assert(peer_next(rooms, &msg));
    while (msg.type != CF_MSG_POST);
    vanish(again);
    expect_settled(1);
}

Test(tuned_gateway, forgets_frames_of_who_went_before_they_could_go, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann");
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    post(ann, "2", "");
    let_it_read();
    post(again, "3", "");
    let_it_read();
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    grant_tokens(&take, 1);
    request(rooms, CF_MSG_DETACH, NULL);
    answer_post(rooms, "3", 1); /* and neither of hers */
    post(again, "4", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    cf_take_t body;
    cr_assert(cf_msg_body(&body, &take, &limiter->arena) == 0);
    check_spent(&body.spent, 0); /* what was wanted is not paid for twice */
    vanish(again);
    wait_for_counter(CF_M_WEBSOCKETS, 0);
    grant_tokens(&take, 4);
    expect_settled(0);
}

/* Later it would come on top of what is in a bucket that has filled up behind it. */
Test(tuned_gateway, keeps_no_token_of_a_frame_that_is_gone, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann");
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    request(rooms, CF_MSG_DETACH, NULL);
    let_it_read();
    post(again, "2", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 1);
    answer_post(rooms, "2", 1);
    close(again);
}

Test(tuned_gateway, holds_a_frame_that_the_limiter_lets_go_while_its_room_moves,
     .init = with_limited_frames)
{
    cf_msg_t looking;
    int ann = enter_first("ann", NULL);
    post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    post(ann, "2", "");
    let_it_read();
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &looking, NULL));
    grant_tokens(&take, 1);
    take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 1);
    let_it_read();
    peer_answer(lobby, &looking, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(rooms2->address)});
    answer(rooms2, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms2, "1", 1);
    answer_post(rooms2, "2", 2);
    close(ann);
}

Test(tuned_gateway, bounds_what_waits_for_the_limiter_by_its_credit, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 40; i++)
        post(ann, "x", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    let_it_read();
    cr_assert(gt(u64, actor_counter(actor, CF_M_CREDIT_STOPS), 0));
    grant_tokens(&take, 1);
    request(rooms, CF_MSG_POST, NULL);
    take = expect_take(CF_LIMIT_POSTS, 31); /* 32 were read */
    grant_tokens(&take, 31);
    for (int i = 0; i < 31; i++)
        request(rooms, CF_MSG_POST, NULL);
    close(ann);
}

Test(tuned_gateway, says_that_nothing_was_saved_when_the_limiter_does_not_answer,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    post(ann, "1", "k1");
    expect_take(CF_LIMIT_POSTS, 1);
    post(ann, "2", "k2");
    for (int i = 0; i < 2; i++) {
        char *heard = client_heard_type(ann, "error");
        cr_assert(has(heard, "NOT_SAVED") && has(heard, i ? "\"k2\"" : "\"k1\""), "%s", heard);
    }
    post(ann, "3", "k3"); /* goes on as soon as it answers again */
    cf_msg_t take;
    next_take(CF_LIMIT_POSTS, &take);
    grant_tokens(&take, 4);
    answer_post(rooms, "3", 1);
    close(ann);
}

/* --- endings ------------------------------------------------------------------------------------
 */

static void only_bob_is_left(int first, int second, int bob)
{
    cr_assert(eq(str, client_heard(first), "close 1008 session ended"));
    cr_assert(eq(str, client_heard(second), "close 1008 session ended"));
    tell_event(rooms, 1, 1, 1, "still here");
    cr_assert(has(client_heard(bob), "still here"));
    close(first);
    close(second);
    close(bob);
}

Test(gateway, closes_every_socket_of_a_session_that_ended_and_no_other)
{
    int first = enter_first("ann", NULL), second = enter("ann"), bob = enter("bob");
    peer_send(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0},
              &(cf_session_ended_t){.session = session_id("ann")});
    only_bob_is_left(first, second, bob);
}

Test(gateway, closes_every_socket_of_a_user_whatever_session_opened_it)
{
    int first = enter_first("ann", NULL), bob = enter("bob");
    int second = ask_to_enter("two"); /* hers as well */
    authenticate("two", "ann");
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(second), 101));
    answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
    peer_send(accounts, CF_ACTOR_GATEWAY, CF_MSG_USER_ENDED, 0, (cf_id_t){0},
              &(cf_user_ended_t){.user = user_id("ann")});
    only_bob_is_left(first, second, bob);
}

Test(gateway, takes_who_is_closed_out_of_the_room_without_waiting_for_an_answer)
{
    uint64_t conn;
    cf_msg_t posted;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    post(ann, "a", "1");
    expect_post(rooms, "a", &posted);
    peer_send(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0},
              &(cf_session_ended_t){.session = session_id("ann")});
    cf_msg_t msg = expect_detach(rooms, conn, 1);
    peer_answer(rooms, &msg, CF_MSG_DONE, NULL);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    peer_answer(rooms, &posted, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1});
    post(ann, "b", "2"); /* is thrown away */
    cr_assert(eq(str, client_heard(ann), "close 1008 session ended"));
    vanish(ann);
    tell_event(rooms, 1, 1, 1, "still here");
    cr_assert(has(client_heard(bob), "still here"));
    nothing_else_is_asked(rooms); /* no post, and no second DETACH */
    close(bob);
}

Test(gateway, drains_when_what_was_asked_is_answered_and_closes_1001)
{
    cf_msg_t msg;
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    int ann = enter_first("ann", NULL), bob = enter("bob");
    post(ann, "a", "1");
    expect_post(rooms, "a", &msg);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_DRAIN, 77, (cf_id_t){0}, NULL);
    cr_assert(eq(u64, actor_counter(actor, CF_M_WEBSOCKETS), 2)); /* DRAIN was read before */
    post(ann, "b", "2");                                          /* is not read any more */
    peer_answer(rooms, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1});
    cr_assert(has(client_heard_type(ann, "message_ack"), "message_ack"));
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 77, NULL));
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_CLOSE, 78, (cf_id_t){0}, &(cf_close_t){0});
    cr_assert(has(client_heard_type(ann, "none"), "close 1001 going away; retry_after_ms="));
    cr_assert(has(client_heard_type(bob, "none"), "close 1001 going away; retry_after_ms="));
    close(ann);
    close(bob);
    cr_assert(peer_await(supervisor, CF_MSG_CLOSED, 78, NULL));
}

Test(gateway, tells_whoever_waits_at_the_end_that_it_closes)
{
    cf_msg_t msg;
    uint64_t corr;
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    int ann = enter_first("ann", NULL), bob = ask_history("bob", false, &corr);
    post(ann, "a", "1");
    expect_post(rooms, "a", &msg);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_DRAIN, 77, (cf_id_t){0}, NULL);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_CLOSE, 78, (cf_id_t){0}, &(cf_close_t){0});
    cr_assert(eq(int, client_answer(bob), 503));
    cr_assert(has(client_heard_type(ann, "error"), "\"code\":\"NOT_CONFIRMED\""));
    cr_assert(has(client_heard_type(ann, "none"), "close 1001 going away; retry_after_ms="));
    close(ann);
    close(bob);
    cr_assert(peer_await(supervisor, CF_MSG_CLOSED, 78, NULL));
}

Test(tuned_gateway, reads_its_certificate_again_when_told_and_says_what_came_of_it)
{
    char folder[] = "/tmp/confab-test-gateway-XXXXXX", cert[64], key[64];
    const certificate_recipe_t recipe = {.from_s = -60, .until_s = 86400};
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    make_certificate(cert, key, &recipe);
    config.server.certificate = (cf_certificate_config_t){.cert_file = cert, .key_file = key};
    start();
    make_certificate(cert, key, &recipe);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 7, (cf_id_t){0}, NULL);
    cr_expect(peer_await(supervisor, CF_MSG_DONE, 7, NULL));
    unlink(key);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 8, (cf_id_t){0}, NULL);
    cr_expect(eq(int, peer_await_refusal(supervisor, 8), CF_ERANGE));
    cr_expect(eq(u64, actor_counter(actor, CF_M_TLS_RELOADS), 1));
    cr_expect(eq(u64, actor_counter(actor, CF_M_TLS_RELOADS_REFUSED), 1));
    cr_expect(gt(u64, actor_counter(actor, CF_M_TLS_EXPIRY), 1700000000));
    unlink(cert);
    rmdir(folder);
}

Test(gateway, without_a_certificate_a_reload_has_nothing_to_do)
{
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 7, (cf_id_t){0}, NULL);
    cr_expect(peer_await(supervisor, CF_MSG_DONE, 7, NULL));
    cr_expect(eq(u64, actor_counter(actor, CF_M_TLS_RELOADS), 0));
}

static void start_hasty(void)
{
    config.answer_us = 1000000;
    start();
}

TestSuite(gateway_hasty, .init = start_hasty, .fini = actors_stop, .timeout = 120);

Test(gateway_hasty, gives_up_what_nobody_answers)
{
    int ann = enter_first("ann", NULL), bob = ask_to_enter("bob");
    authenticate("bob", "bob");
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(bob), 101));
    request(rooms, CF_MSG_ATTACH, NULL); /* no answer to any of these three */
    post(ann, "a", "1");
    request(rooms, CF_MSG_POST, NULL);
    int fd = client_dial(port);
    client_put(fd, "GET /api/v1/auth/me HTTP/1.1\r\nHost: test.local\r\n"
                   "Cookie: session_id=carl\r\n\r\n");
    cr_assert(eq(int, client_answer(fd), 503));
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED"));
    cr_assert(has(client_heard_type(bob, "none"), "close 1013"));
    close(fd);
    close(ann);
    close(bob);
}
