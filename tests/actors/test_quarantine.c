/* Quarantine as users see it: a real gateway, lobby, room thread, storage and reader on the in-memory
 * store; the test is accounts, the clients, and the bug. */
#include "clock.h"
#include "gateway.h"
#include "lobby.h"
#include "metrics.h"
#include "peer.h"
#include "reader.h"
#include "rooms.h"
#include "settings.h"
#include "socket_client.h"
#include "storage.h"
#include "wire/account.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <unistd.h>

#define URL "memory:quarantine"
#define ROOM ((cf_id_t){{2, 1}})
#define ROOM_PATH "/ws/chat/02010000-0000-0000-0000-000000000000"
#define MINUTE_US INT64_C(60000000)

static cf_actor_t *room_thread;
static peer_t *accounts;
static int port;

static void start_store(void)
{
    cf_storage_t *storage;
    cf_reader_t *reader;
    cf_actor_t *writing = actor_at(CF_ACTOR_STORAGE, 0), *reading = actor_at(CF_ACTOR_READER, 0);
    cf_store_link_config_t link = {
        .actor = writing, .url = URL, .statement_ms = 4000, .key_ttl_us = MINUTE_US};
    cf_storage_config_t config = {.link = link, .batch_rows = 500, .batch_bytes = 1u << 20};
    cr_assert(eq(int, cf_storage_new(&storage, &config), 0));
    actor_run(writing, &cf_storage_ops, storage);
    link.actor = reading;
    cr_assert(eq(int, cf_reader_new(&reader, &(cf_reader_config_t){link}), 0));
    actor_run(reading, &cf_reader_ops, reader);
}

static void start_rooms(void)
{
    cf_lobby_t *lobby;
    cf_rooms_t *rooms;
    cf_room_config_t room = {ROOM_SETTINGS(NODE), .idle_us = MINUTE_US};
    cf_lobby_config_t config = {.threads = {{NODE, CF_ACTOR_ROOMS, 0}},
                                .thread_count = 1,
                                .gateways = {{NODE, CF_ACTOR_GATEWAY, 0}},
                                .gateway_count = 1,
                                .node = NODE,
                                .lookups_max = 10};
    cf_actor_t *actor = actor_at(CF_ACTOR_LOBBY, 0);
    cr_assert(eq(int, cf_lobby_new(&lobby, &config), 0));
    actor_run(actor, &cf_lobby_ops, lobby);
    room_thread = actor_at(CF_ACTOR_ROOMS, 0);
    cr_assert(eq(int, cf_rooms_new(&rooms, &room, 1024, 1u << 20, room_thread), 0));
    actor_run(room_thread, &cf_rooms_ops, rooms);
}

static void start_gateway(void)
{
    cf_gateway_t *gateway;
    cf_gateway_config_t config = {.server = {SERVER_BOUNDS, SERVER_TIMES, .connections_max = 20},
                                  GATEWAY_SETTINGS(NODE)};
    cf_actor_t *actor = actor_at(CF_ACTOR_GATEWAY, 0);
    cr_assert(eq(int, cf_gateway_new(&gateway, &config, actor), 0));
    port = cf_gateway_port(gateway);
    actor_run(actor, &cf_gateway_ops, gateway);
}

static cf_id_t user_id(const char *name)
{
    return (cf_id_t){{1, (uint8_t)name[0]}};
}

static void write_row(uint16_t type, cf_id_t room, const void *body)
{
    static uint64_t corr;
    peer_send(accounts, CF_ACTOR_STORAGE, type, ++corr, room, body);
    cr_assert(peer_await(accounts, CF_MSG_DONE, corr, NULL));
}

static void fill_store(void)
{
    static const char *const names[] = {"ann", "bob"};
    for (int i = 0; i < 2; i++) {
        char email[32];
        snprintf(email, sizeof email, "%s@test.com", names[i]);
        cf_create_user_t user = {user_id(names[i]), cf_str(names[i]), cf_str(email), cf_str("$h"),
                                 1};
        write_row(CF_MSG_CREATE_USER, (cf_id_t){0}, &user);
    }
    cf_create_room_t room = {ROOM, cf_str("a room"), user_id("ann"), 1, false};
    write_row(CF_MSG_CREATE_ROOM, ROOM, &room);
    write_row(CF_MSG_ADD_MEMBER, ROOM, &(cf_member_change_t){user_id("bob"), 1});
}

static void start(void)
{
    peer_bus()->contain = true;
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    peer_at(CF_ACTOR_STATS, 0);
    start_store();
    start_rooms();
    start_gateway();
    fill_store();
}

TestSuite(quarantine, .init = start, .fini = actors_stop, .timeout = 120);

static int enter(const char *name)
{
    cf_msg_t msg;
    char cookie[64];
    int fd = client_dial(port);
    snprintf(cookie, sizeof cookie, "Cookie: session_id=%s\r\n", name);
    client_ask_upgrade(fd, ROOM_PATH, cookie);
    cr_assert(peer_await_msg(accounts, CF_MSG_AUTHENTICATE, 0, &msg, NULL));
    cf_session_msg_t session = {.session = user_id(name),
                                .user = user_id(name),
                                .username = cf_str(name),
                                .email = cf_str("somebody@test.com"),
                                .created_us = 1,
                                .expires_us = cf_wall_us() + MINUTE_US};
    peer_answer(accounts, &msg, CF_MSG_SESSION, &session);
    cr_assert(eq(int, client_answer(fd), 101));
    client_heard_type(fd, "user_joined");
    return fd;
}

static void expect(int fd, const char *type, const char *part)
{
    char *heard = client_heard_type(fd, type);
    cr_assert(strstr(heard, part) != NULL, "%s", heard);
}

/* The room thread gets a message about ROOM that nobody can read. */
static void err(uint16_t type)
{
    peer_send_malformed(accounts, CF_ACTOR_ROOMS, type, 99, ROOM);
    cr_assert(eq(int, peer_await_refusal(accounts, 99), CF_EINTERNAL));
}

Test(quarantine, of_a_room_is_not_seen_by_its_members)
{
    int ann = enter("ann"), bob = enter("bob");
    char text[64], seq[32];
    client_heard_type(ann, "user_joined"); /* bob */
    for (int i = 1; i <= 5; i++) {
        snprintf(text, sizeof text, "{\"content\":\"number %d\"}", i);
        snprintf(seq, sizeof seq, "\"seq\":%d", i);
        client_say(ann, text);
        expect(ann, "message_ack", seq);
        expect(ann, "chat_message", seq);
        expect(bob, "chat_message", seq);
        err(i % 2 ? CF_MSG_POST : CF_MSG_HISTORY);
    }
    cr_assert(eq(u64, actor_counter(room_thread, CF_M_ROOMS_QUARANTINED), 5));
    cr_assert(eq(u64, actor_counter(room_thread, CF_M_QUARANTINED), 0));
    close(ann); /* while the room moves */
    expect(bob, "user_left", "ann");
    close(bob);
}
