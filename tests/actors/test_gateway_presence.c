/* A gateway: who is in a room, who comes and goes, and how many are in others. */
#include "gateway_fixture.h"

#include "clock.h"
#include "metrics.h"
#include "socket_client.h"
#include "wire/place.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(gateway_presence, .init = gateway_start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway_presence, .fini = actors_stop, .timeout = 120);

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

Test(gateway_presence, shows_who_is_here_to_who_asks_before_anything_else)
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

Test(gateway_presence, shows_it_to_nobody_who_asks_otherwise)
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

Test(gateway_presence, shows_anew_who_is_here_to_who_asked_and_confirms_it)
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

Test(gateway_presence,
     asks_again_who_is_here_when_its_room_has_moved_and_shows_what_the_room_then_says)
{
    bool asks;
    cf_attach_t attach;
    int ann = enter_first("ann", NULL), eve = enter_by(ROOM_PATH "?roster=1", &asks);
    cr_assert(eq(str, client_heard(eve), ANN_AND_BOB));
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    place_room(rooms2);
    for (int i = 0; i < 2; i++) {
        cf_msg_t msg = request(rooms2, CF_MSG_ATTACH, &attach);
        cr_assert(attach.again && attach.roster == cf_id_equal(attach.user, user_of("eve")));
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

Test(gateway_presence, shows_who_comes_at_once_that_it_is_in_when_others_hear_of_it_later)
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

Test(gateway_presence, shows_each_of_several_who_came_and_went_to_everybody_who_was_there)
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

/* --- counts -------------------------------------------------------------------------------------
 */

Test(gateway_presence, gives_clients_the_latest_counts_and_few_of_them)
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
    gateway_config.server.connections_max = 1000;
    gateway_start();
}

/* 500 rooms are 21 KiB, and these clients more than what may be said of counts in a second. */
Test(tuned_gateway_presence, tells_counts_in_turn_so_that_they_keep_to_their_share,
     .init = for_many)
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
    uint64_t told = actor_counter(gateway_actor, CF_M_SENT_COUNTS);
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
