/* A gateway: rooms that move and nodes that go, and who was there. */
#include "gateway_fixture.h"

#include "metrics.h"
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
#include <unistd.h>

TestSuite(gateway_rooms, .init = gateway_start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway_rooms, .fini = actors_stop, .timeout = 120);

/* --- rooms that move ----------------------------------------------------------------------------
 */

Test(gateway_rooms, keeps_the_order_of_posts_while_their_room_moves)
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
        say_post(ann, texts[i], keys[i]);
    for (int i = 0; i < 3; i++) {
        expect_post(rooms, texts[i], &msg);
        corrs[i] = msg.corr;
    }
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    let_it_read();
    say_post(ann, texts[3], keys[3]); /* held */
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

Test(gateway_rooms, closes_a_client_that_cannot_be_brought_up_to_date)
{
    int ann = enter_first("ann", NULL);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    place_room(rooms2);
    answer(rooms2, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2, .reload = true});
    cr_assert(eq(str, client_heard(ann), "close 1013 reload"));
    close(ann);
}

Test(gateway_rooms, forgets_a_room_nobody_needs_and_looks_it_up_again)
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

Test(gateway_rooms, says_so_when_a_room_cannot_be_looked_up)
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

Test(gateway_rooms, looks_up_again_for_what_comes_back_after_a_lookup_was_refused)
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

Test(gateway_rooms, leaves_no_connection_in_a_room_for_a_client_that_went_while_it_moved)
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

Test(gateway_rooms, detaches_a_client_that_went_while_its_room_was_looked_for)
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

Test(gateway_rooms, tells_the_next_place_of_a_departure_that_the_old_one_did_not_take)
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

Test(gateway_rooms, tells_of_a_client_that_went_while_its_first_attach_was_on_its_way)
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

Test(gateway_rooms, closes_the_socket_of_somebody_who_is_no_member_any_more)
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

Test(gateway_rooms, asks_again_where_a_room_is_when_a_node_is_lost_that_may_have_been_asked)
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

/* It would be sent what no gateway_actor but a room thread understands, by us. */
Test(gateway_rooms,
     does_not_believe_a_node_that_says_a_room_is_at_another_node_or_at_no_room_thread)
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

/* Room threads choose under what number they answer. Late answers of one that is gone would be taken for those of the next. */
Test(gateway_rooms, takes_no_answer_from_a_node_that_was_not_asked)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_msg_t asked;
    int ann = enter_first("ann", NULL);
    say_post(ann, "a", "1");
    expect_post(rooms, "a", &asked);
    peer_answer(far, &asked, CF_MSG_MOVED, NULL);
    peer_refuse(far, &asked, CF_EPERM);
    let_it_read();
    peer_answer(rooms, &asked, CF_MSG_POSTED, &(cf_posted_t){.seq = 1});
    cr_assert(has(client_heard(ann), "message_ack"));
    say_post(ann, "b", "2");
    expect_post(rooms, "b", &asked); /* "a" was not sent again */
    close(ann);
}

Test(gateway_rooms, takes_no_answer_of_another_kind_than_was_asked_for)
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
    say_post(ann, "a", "1");
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
Test(gateway_rooms, confirms_events_of_nodes_however_many_have_been_there_before)
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

Test(gateway_rooms, confirms_events_of_as_many_room_threads_as_nodes_may_have)
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

Test(gateway_rooms, asks_elsewhere_when_a_node_is_lost_and_says_which_posts_are_not_confirmed)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    say_post(ann, "a", "");
    request(far, CF_MSG_POST, NULL);
    lose_node();
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED"));
    place_room(rooms);
    cf_msg_t msg = expect_again(rooms, true);
    peer_answer(rooms, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    say_post(ann, "a", "");
    answer_post(rooms, "a", 1);
    cr_assert(has(client_heard(ann), "message_ack"));
    close(ann);
}

Test(gateway_rooms,
     sends_keyed_posts_of_a_lost_node_again_and_acknowledges_them_before_it_shows_them)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_event_t missed[] = {{.epoch = 2, .n = 0, .kind = CF_EVENT_POST},
                           {.epoch = 2, .n = 0, .kind = CF_EVENT_POST}};
    int ann = enter_at(far);
    say_post(ann, "a", "1");
    request(far, CF_MSG_POST, NULL);
    say_post(ann, "b", "2");
    request(far, CF_MSG_POST, NULL);
    lose_node();
    let_it_read();
    say_post(ann, "c", "3"); /* later: behind those */
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
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_POSTS_SENT_AGAIN), 2));
    close(ann);
}

Test(gateway_rooms, sends_nothing_again_that_stands_behind_a_post_which_cannot_be)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    int ann = enter_at(far);
    say_post(ann, "a", "1");
    request(far, CF_MSG_POST, NULL);
    say_post(ann, "b", "");
    request(far, CF_MSG_POST, NULL);
    say_post(ann, "c", "3");
    request(far, CF_MSG_POST, NULL);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    let_it_read();
    say_post(ann, "d", "4"); /* was not sent */
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

Test(gateway_rooms, sends_a_post_again_that_meets_the_end_of_a_second_node)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    say_post(ann, "a", "1");
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

Test(gateway_rooms, tells_who_has_left_with_the_node_that_a_room_was_at)
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

Test(gateway_rooms, says_nothing_of_those_whose_room_lives_on_as_that_tells_of_them)
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

Test(gateway_rooms, tells_of_several_who_came_at_once_and_of_those_of_a_node_that_died_before)
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

Test(gateway_rooms, is_silent_about_people_elsewhere_when_it_has_missed_something)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_with_others(far);
    tell_change(far, 1, 4, CF_EVENT_JOINED, "dora", OTHER_NODE); /* was 3 that bob left? */
    client_heard_type(ann, "user_joined");
    lose_node();
    expect_left(ann, "dora");
    nobody_else_has_left(ann);
}

Test(gateway_rooms, learns_of_people_elsewhere_from_what_was_told_since_the_room_moved)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    cf_event_t since[] = {{2, 1, CF_EVENT_JOINED, {.username = cf_str("dora"), .seq = OTHER_NODE}},
                          {2, 2, CF_EVENT_LEFT, {.username = cf_str("carl"), .seq = OTHER_NODE}}};
    int ann = enter_with_others(far);
    say_post(ann, "a", "");
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

Test(gateway_rooms, keeps_nobody_elsewhere_of_a_room_with_nobody_here)
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

/* gateway_config: 3 of a room, 4 in all */
Test(gateway_rooms, keeps_so_many_people_elsewhere_of_a_room_and_no_more)
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
    gateway_config.credits_requests = 2;
    gateway_start();
}

Test(tuned_gateway_rooms, holds_the_credit_of_posts_that_it_sends_again,
     .init = with_credit_for_two)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    for (int i = 0; i < 3; i++)
        say_post(ann, "a", (const char *[]){"1", "2", "3"}[i]);
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
    gateway_config.answer_us = 1000000;
    gateway_config.lookup_us = 2;
    gateway_start();
}

Test(tuned_gateway_rooms, gives_a_post_up_that_nobody_answers_though_it_was_sent_again,
     .init = with_little_patience)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_ROOMS);
    int ann = enter_at(far);
    say_post(ann, "a", "1");
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

Test(tuned_gateway_rooms, asks_again_where_a_room_is_when_nobody_says, .init = with_little_patience)
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

Test(tuned_gateway_rooms, sends_those_in_a_room_away_whose_owner_nobody_knows_for_long,
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

Test(gateway_rooms, asks_again_where_a_room_is_when_it_is_told_to)
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

Test(gateway_rooms, forgets_for_the_lobby_of_the_node_where_the_room_was)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    cf_msg_t msg;
    cf_post_msg_t body;
    int ann = enter_at(far);
    peer_send(lobby, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL); /* not its any more */
    cr_assert(peer_expect(lobby, CF_MSG_FORGOTTEN, 0, NULL));
    say_post(ann, "a", "1");
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

Test(gateway_rooms, finds_the_new_owner_of_a_room_though_the_old_one_has_not_let_go_of_it_yet)
{
    peer_t *far = peer_at_other_node(CF_ACTOR_LOBBY); /* and its room threads */
    int ann = enter_at(far);
    say_post(ann, "a", "1");
    cf_msg_t posted = request(far, CF_MSG_POST, NULL);
    peer_answer(far, &posted, CF_MSG_MOVED, NULL); /* another node has the room: it goes */
    place_room(rooms);                             /* and the lobby has found that one */
    answer(rooms, CF_MSG_ATTACH, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    answer_post(rooms, "a", 1);
    peer_send(far, CF_ACTOR_GATEWAY, CF_MSG_FORGET, 0, ROOM, NULL);
    cr_assert(peer_expect(far, CF_MSG_FORGOTTEN, 0, NULL));
    say_post(ann, "b", "2"); /* still there */
    answer_post(rooms, "b", 2);
    cr_assert(has(client_heard_type(ann, "message_ack"), "message_ack"));
    close(ann);
}
