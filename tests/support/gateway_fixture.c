#include "gateway_fixture.h"

#include "clock.h"
#include "settings.h"
#include "socket_client.h"
#include "store.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/place.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const origins[] = {"https://listed.test"};
cf_gateway_config_t gateway_config = {
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
cf_actor_t *gateway_actor;
peer_t *lobby, *accounts, *storage, *reader, *stats, *limiter, *rooms, *rooms2;
int port;

void gateway_start(void)
{
    cf_gateway_t *state;
    gateway_actor = actor_at(CF_ACTOR_GATEWAY, 0);
    lobby = peer_at(CF_ACTOR_LOBBY, 0);
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    reader = peer_at(CF_ACTOR_READER, 0);
    stats = peer_at(CF_ACTOR_STATS, 0);
    limiter = peer_at(CF_ACTOR_LIMITER, 0);
    rooms = peer_at(CF_ACTOR_ROOMS, 0);
    rooms2 = peer_at(CF_ACTOR_ROOMS, 1);
    cr_assert(eq(int, cf_gateway_new(&state, &gateway_config, gateway_actor), 0));
    port = cf_gateway_port(state);
    actor_run(gateway_actor, &cf_gateway_ops, state);
}

cf_id_t user_of(const char *name)
{
    return (cf_id_t){{1, (uint8_t)name[0], (uint8_t)name[1], (uint8_t)name[2]}};
}

cf_id_t session_id(const char *name)
{
    cf_id_t id = user_of(name);
    id.bytes[0] = 9;
    return id;
}

void authenticate(const char *token, const char *name)
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
                                .user = user_of(name),
                                .username = cf_str(name),
                                .email = cf_str("somebody@test.com"),
                                .created_us = 1,
                                .expires_us = cf_wall_us() + HOUR_US};
    peer_answer(accounts, &msg, CF_MSG_SESSION, &session);
}

void place_room(peer_t *at)
{
    cf_msg_t msg;
    cr_assert(peer_await_msg(lobby, CF_MSG_LOOKUP, 0, &msg, NULL));
    cr_assert(cf_id_equal(msg.room, ROOM));
    peer_t *by = at->address.node == NODE ? lobby : at; /* the lobby of the room's node */
    peer_answer(by, &msg, CF_MSG_PLACED, &(cf_placed_t){cf_address_pack(at->address)});
}

cf_msg_t request(peer_t *at, uint16_t type, void *body)
{
    cf_msg_t msg;
    do
        cr_assert(peer_next(at, &msg), "no %s", cf_msg_name(type));
    while (msg.type == CF_MSG_FLUSHED);
    cr_assert(eq(int, msg.type, type), "%s", cf_msg_name(msg.type));
    cr_assert(body == NULL || cf_msg_body(body, &msg, &at->arena) == 0);
    return msg;
}

void answer(peer_t *at, uint16_t type, uint16_t with, const void *body)
{
    cf_msg_t msg = request(at, type, NULL);
    peer_answer(at, &msg, with, body);
}

void refuse(peer_t *at, uint16_t type, int err)
{
    cf_msg_t msg = request(at, type, NULL);
    peer_refuse(at, &msg, err);
}

uint64_t let_in(int fd, const char *name, peer_t *at)
{
    cf_attach_t attach;
    authenticate(name, name);
    answer(at, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(fd), 101));
    cf_msg_t msg = request(at, CF_MSG_ATTACH, &attach);
    uint64_t conn = attach.conn;
    cr_assert(cf_id_equal(attach.user, user_of(name)));
    peer_answer(at, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 1});
    return conn;
}

int ask_to_enter_by(const char *path, const char *name)
{
    char cookie[64];
    int fd = client_dial(port);
    snprintf(cookie, sizeof cookie, "Cookie: session_id=%s\r\n", name);
    client_ask_upgrade(fd, path, cookie);
    return fd;
}

int ask_to_enter(const char *name)
{
    return ask_to_enter_by(ROOM_PATH, name);
}

int enter_first(const char *name, uint64_t *conn)
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

void vanish(int fd)
{
    struct linger at_once = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

void wait_for_counter(cf_metric_t metric, uint64_t n)
{
    int64_t until_us = cf_boot_us() + PEER_WAIT_MS * INT64_C(1000);
    while (actor_counter(gateway_actor, metric) != n)
        cr_assert(lt(i64, cf_boot_us(), until_us));
}

int enter(const char *name)
{
    int fd = ask_to_enter(name);
    let_in(fd, name, rooms);
    return fd;
}

void say_post(int fd, const char *text, const char *key)
{
    char frame[512];
    int n = snprintf(frame, sizeof frame, "{\"content\":\"%s\"", text);
    snprintf(frame + n, sizeof frame - (size_t)n, *key ? ",\"client_key\":\"%s\"}" : "}", key);
    client_say(fd, frame);
}

void tell_event(peer_t *at, uint64_t epoch, uint64_t n, uint64_t seq, const char *text)
{
    cf_event_t event = {
        .epoch = epoch,
        .n = n,
        .kind = CF_EVENT_POST,
        .post = {
            .seq = seq, .kind = CF_POST_TEXT, .username = cf_str("ann"), .text = cf_str(text)}};
    peer_send(at, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM, &event);
}

bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

void let_it_read(void)
{
    for (int i = 0; i < 5; i++)
        cr_assert(eq(int, client_ask(port, "GET", "/health", "", ""), 200));
}

void expect_post(peer_t *at, const char *text, cf_msg_t *msg)
{
    cf_post_msg_t body;
    *msg = request(at, CF_MSG_POST, &body);
    cr_assert(cf_str_equal(body.text, cf_str(text)), "%.*s", (int)body.text.size, body.text.bytes);
}

cf_msg_t expect_detach(peer_t *at, uint64_t conn, uint64_t epoch)
{
    cf_detach_t detach;
    cf_msg_t msg = request(at, CF_MSG_DETACH, &detach);
    cr_assert(eq(u64, detach.conn, conn));
    cr_assert(eq(u64, detach.epoch, epoch));
    cr_assert(cf_str_equal(detach.username, cf_str("ann")));
    return msg;
}

void nothing_else_is_asked(peer_t *at)
{
    int eve = ask_to_enter("eve");
    authenticate("eve", "eve");
    refuse(at, CF_MSG_CHECK, CF_EPERM);
    cr_assert(eq(int, client_answer(eve), 403));
    close(eve);
}

void answer_post(peer_t *at, const char *text, uint64_t seq)
{
    cf_msg_t msg;
    expect_post(at, text, &msg);
    peer_answer(at, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, seq, (int64_t)seq});
}

int ask_history(const char *name, bool is_first, uint64_t *corr)
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

void lose_node(void)
{
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_NODE_GONE, 0, (cf_id_t){0},
              &(cf_node_gone_t){OTHER_NODE});
}
