/* A gateway between clients and made-up actors: who may come in and how he leaves, what is said in a room, and what it does with what is
 * wrong; the rest of it in test_gateway_*.c. */
#include "gateway_fixture.h"

#include "make_certificate.h"
#include "metrics.h"
#include "socket_client.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(gateway, .init = gateway_start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway, .fini = actors_stop, .timeout = 120);

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
    ends_before_the_101(CF_MSG_USER_ENDED, &(cf_user_ended_t){.user = user_of("ann")});
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
    say_post(ann, "hi", "k1");
    cf_msg_t msg = request(rooms, CF_MSG_POST, &body);
    cr_assert(eq(u64, body.conn, conn));
    cr_assert(cf_id_equal(body.sender, user_of("ann")));
    cr_assert(cf_str_equal(body.text, cf_str("hi")));
    cr_assert(cf_str_equal(body.client_key, cf_str("k1")));
    peer_answer(rooms, &msg, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1000000});
    cr_assert(eq(u64, actor_observed(gateway_actor, CF_H_DELIVERY), 0));
    tell_event(rooms, 1, 1, 1, "hi");
    cr_assert(has(client_heard(ann), "\"type\":\"message_ack\""));
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"type\":\"chat_message\"") && has(heard, "\"content\":\"hi\""));
    cr_assert(has(client_heard(bob), "\"content\":\"hi\""));
    cr_assert(eq(u64, actor_observed(gateway_actor, CF_H_DELIVERY), 1)); /* one for both copies */
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
            say_post(ann, text, "");
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
        say_post(ann, "hi", "k1");
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

/* --- any origin ---------------------------------------------------------------------------------
 */

static void start_for_all(void)
{
    static const char *const any[] = {"*"};
    gateway_config.origins = any;
    gateway_start();
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

/* --- what of our own cannot be read -------------------------------------------------------------
 */

static void start_contained(void)
{
    peer_bus()->contain = true;
    gateway_start();
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
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_QUARANTINED), 0));
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
    say_post(ann, "a", "k1");
    expect_post(rooms, "a", &msg);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_POSTED, msg.corr, ROOM);
    cr_assert(has(client_heard_type(ann, "error"), "NOT_CONFIRMED")); /* it is stored */
    say_post(ann, "b", "k2");
    expect_post(rooms, "b", &msg);
    peer_send_malformed(rooms, CF_ACTOR_GATEWAY, CF_MSG_REFUSED, msg.corr, ROOM);
    cr_assert(has(client_heard_type(ann, "error"), "NOT_SAVED"));
    int me = client_dial(port);
    client_put(me, "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\nCookie: session_id=bob\r\n\r\n");
    cr_assert(peer_await_msg(accounts, CF_MSG_AUTHENTICATE, 0, &msg, NULL));
    peer_send_malformed(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION, msg.corr, (cf_id_t){0});
    cr_assert(eq(int, client_answer(me), 503));
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_MALFORMED), 3));
    close(me);
    close(ann);
}

Test(gateway_contained, is_in_quarantine_for_what_it_cannot_put_right)
{
    peer_send_malformed(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0});
    wait_for_counter(CF_M_QUARANTINED, 1);
    cr_assert(eq(int, client_ask(port, "GET", "/health", "", ""), 200));
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
              &(cf_user_ended_t){.user = user_of("ann")});
    only_bob_is_left(first, second, bob);
}

Test(gateway, takes_who_is_closed_out_of_the_room_without_waiting_for_an_answer)
{
    uint64_t conn;
    cf_msg_t posted;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    say_post(ann, "a", "1");
    expect_post(rooms, "a", &posted);
    peer_send(accounts, CF_ACTOR_GATEWAY, CF_MSG_SESSION_ENDED, 0, (cf_id_t){0},
              &(cf_session_ended_t){.session = session_id("ann")});
    cf_msg_t msg = expect_detach(rooms, conn, 1);
    peer_answer(rooms, &msg, CF_MSG_DONE, NULL);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    peer_answer(rooms, &posted, CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1});
    say_post(ann, "b", "2"); /* is thrown away */
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
    say_post(ann, "a", "1");
    expect_post(rooms, "a", &msg);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_DRAIN, 77, (cf_id_t){0}, NULL);
    cr_assert(
        eq(u64, actor_counter(gateway_actor, CF_M_WEBSOCKETS), 2)); /* DRAIN was read before */
    say_post(ann, "b", "2");                                        /* is not read any more */
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
    say_post(ann, "a", "1");
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
    gateway_config.server.certificate =
        (cf_certificate_config_t){.cert_file = cert, .key_file = key};
    gateway_start();
    make_certificate(cert, key, &recipe);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 7, (cf_id_t){0}, NULL);
    cr_expect(peer_await(supervisor, CF_MSG_DONE, 7, NULL));
    unlink(key);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 8, (cf_id_t){0}, NULL);
    cr_expect(eq(int, peer_await_refusal(supervisor, 8), CF_ERANGE));
    cr_expect(eq(u64, actor_counter(gateway_actor, CF_M_TLS_RELOADS), 1));
    cr_expect(eq(u64, actor_counter(gateway_actor, CF_M_TLS_RELOADS_REFUSED), 1));
    cr_expect(gt(u64, actor_counter(gateway_actor, CF_M_TLS_EXPIRY), 1700000000));
    unlink(cert);
    rmdir(folder);
}

Test(gateway, without_a_certificate_a_reload_has_nothing_to_do)
{
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    peer_send(supervisor, CF_ACTOR_GATEWAY, CF_MSG_RELOAD, 7, (cf_id_t){0}, NULL);
    cr_expect(peer_await(supervisor, CF_MSG_DONE, 7, NULL));
    cr_expect(eq(u64, actor_counter(gateway_actor, CF_M_TLS_RELOADS), 0));
}

static void start_hasty(void)
{
    gateway_config.answer_us = 1000000;
    gateway_start();
}

TestSuite(gateway_hasty, .init = start_hasty, .fini = actors_stop, .timeout = 120);

Test(gateway_hasty, gives_up_what_nobody_answers)
{
    int ann = enter_first("ann", NULL), bob = ask_to_enter("bob");
    authenticate("bob", "bob");
    answer(rooms, CF_MSG_CHECK, CF_MSG_DONE, NULL);
    cr_assert(eq(int, client_answer(bob), 101));
    request(rooms, CF_MSG_ATTACH, NULL); /* no answer to any of these three */
    say_post(ann, "a", "1");
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
