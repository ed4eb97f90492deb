/* A gateway: credits, small bounds, and the limiter's tokens. */
#include "gateway_fixture.h"

#include "metrics.h"
#include "rendezvous.h"
#include "socket_client.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/node.h"
#include "wire/place.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(gateway_limits, .init = gateway_start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway_limits, .fini = actors_stop, .timeout = 120);

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

Test(gateway_limits, reads_no_more_of_a_client_with_32_requests_in_flight)
{
    cf_msg_t heads[64];
    char text[16];
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "%d", i);
        say_post(ann, text, "");
    }
    take_posts(rooms, heads, 32);
    cr_assert(eq(u32, take_more(rooms, heads + 32), 0));
    peer_answer(rooms, &heads[0], CF_MSG_POSTED, &(cf_posted_t){{{3}}, 1, 1});
    answer_post(rooms, "32", 33); /* one answered, one more read */
    answer_post(rooms, "33", 34);
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_CREDIT_STOPS) > 0, 1));
    close(ann);
}

Test(gateway_limits, leaks_nothing_of_a_client_that_vanishes_with_requests_in_flight)
{
    cf_msg_t heads[8];
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 5; i++)
        say_post(ann, "x", "");
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
    gateway_config.credits_bytes = 2500;
    gateway_config.pool_bytes = 4500; /* of posts of 1,000 bytes */
    gateway_start();
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

/* --- limits -------------------------------------------------------------------------------------
 */

/* So many at once, and none comes back while a test runs. */
static void limit_to(cf_limit_kind_t kind, int64_t burst)
{
    gateway_config.limits.of[kind] = (cf_limit_t){1, CF_BUCKET_PERIOD_MAX_US, burst};
}

static void trust_loopback(void)
{
    static cf_network_t networks[2];
    cr_assert(cf_network_parse(&networks[0], "127.0.0.0/8") == 0);
    cr_assert(cf_network_parse(&networks[1], "10.0.0.0/8") == 0);
    gateway_config.proxies = networks;
    gateway_config.proxy_count = 2;
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

Test(tuned_gateway_limits, limits_logins_and_registrations_of_one_connection_together)
{
    limit_to(CF_LIMIT_AUTH, 10);
    gateway_start();
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
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_LIMITED_AUTH), 2));
    put_request(fd, "GET", "/health", "", "");
    cr_assert(eq(int, client_answer(fd), 200));
    close(fd);
    close(other);
}

Test(tuned_gateway_limits, limits_calls_with_a_session_and_none_without)
{
    limit_to(CF_LIMIT_API, 3);
    gateway_start();
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

Test(tuned_gateway_limits, limits_by_the_address_that_a_trusted_proxy_tells)
{
    limit_to(CF_LIMIT_AUTH, 1);
    limit_to(CF_LIMIT_API, 1);
    limit_to(CF_LIMIT_ADDRESS, 1);
    trust_loopback();
    gateway_start();
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

Test(tuned_gateway_limits, believes_no_address_that_is_none)
{
    limit_to(CF_LIMIT_AUTH, 1);
    trust_loopback();
    gateway_start();
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

Test(tuned_gateway_limits, takes_no_address_from_who_is_no_trusted_proxy)
{
    limit_to(CF_LIMIT_AUTH, 2);
    limit_to(CF_LIMIT_ADDRESS, 1);
    gateway_start();
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

Test(tuned_gateway_limits, limits_the_sockets_a_user_opens_before_it_asks_the_room)
{
    limit_to(CF_LIMIT_UPGRADES, 1);
    gateway_start();
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

Test(tuned_gateway_limits, counts_a_login_before_it_is_tried_and_forgets_it_unless_it_fails)
{
    cf_msg_t login;
    limit_to(CF_LIMIT_LOGINS, 10);
    gateway_start();
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

Test(tuned_gateway_limits, gives_back_a_try_that_its_client_did_not_wait_for)
{
    cf_msg_t take;
    limit_to(CF_LIMIT_LOGINS, 10);
    gateway_start();
    int fd = client_dial(port);
    put_login(fd, "", "ann");
    cf_limit_key_t key = next_take(CF_LIMIT_LOGINS, &take).key;
    vanish(fd);
    wait_for_counter(CF_M_CONNECTIONS, 0);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){1, 1000, 0});
    expect_given_back(key);
}

Test(tuned_gateway_limits, tries_no_password_of_an_account_with_too_many_failed_logins)
{
    limit_to(CF_LIMIT_LOGINS, 10);
    gateway_start();
    int fd = client_dial(port);
    put_login(fd, "", "ann");
    refuse_take(CF_LIMIT_LOGINS, 89001);
    expect_limited(fd, "Retry-After: 90\r\n");
    cf_msg_t msg;
    cr_assert(eq(int, cf_inbox_read(accounts->inbox, &msg), 0)); /* was not asked */
    close(fd);
}

Test(tuned_gateway_limits, lets_nobody_pass_when_the_limiter_cannot_say)
{
    cf_msg_t msg;
    limit_to(CF_LIMIT_ADDRESS, 1);
    gateway_start();
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
    gateway_start();
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
        say_post(ann, text, "");
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

Test(tuned_gateway_limits,
     asks_the_limiter_of_the_node_that_has_the_bucket_and_this_one_when_that_is_gone,
     .init = with_limited_frames)
{
    cf_msg_t msg;
    cf_take_t take, again;
    peer_t *far = peer_at_other_node(CF_ACTOR_LIMITER);
    int ann = enter_first("ann", NULL);
    have_anns_bucket_at_the_other_node(ann);
    say_post(ann, "there", "");
    cr_assert(peer_await_msg(far, CF_MSG_TAKE, 0, &msg, &take));
    peer_answer(far, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    answer_post(rooms, "there", 100);
    expect_no_take();
    say_post(ann, "lost", "");
    say_post(ann, "waits", "");
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

Test(tuned_gateway_limits, spends_a_lease_without_asking, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann"), bob = enter("bob");
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    cf_take_t of_ann, of_bob;
    cr_assert(cf_msg_body(&of_ann, &take, &limiter->arena) == 0);
    grant_tokens(&take, 4);
    answer_post(rooms, "1", 1);
    say_post(ann, "2", "");
    answer_post(rooms, "2", 2);
    say_post(again, "3", ""); /* another socket, the same user */
    answer_post(rooms, "3", 3);
    say_post(ann, "4", "");
    answer_post(rooms, "4", 4);
    expect_no_take();
    say_post(ann, "5", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&of_ann, &take, &limiter->arena) == 0);
    check_spent(&of_ann.spent, 3); /* the first was wanted, not leased */
    uint64_t token = (uint64_t)gateway_config.limits.of[CF_LIMIT_POSTS].period_us;
    cr_assert(gt(u64, of_ann.spent.missing, 2 * token)); /* a little has come back */
    cr_assert(lt(u64, of_ann.spent.missing, 3 * token));
    grant_tokens(&take, 1);
    answer_post(rooms, "5", 5);
    say_post(bob, "6", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&of_bob, &take, &limiter->arena) == 0);
    cr_assert(not(is_same(of_ann.key, of_bob.key)));
    close(ann);
    close(again);
    close(bob);
}

Test(tuned_gateway_limits, keeps_frames_in_order_while_they_wait_for_the_limiter,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    say_post(ann, "2", "");
    say_post(ann, "3", "");
    client_say(ann, "{\"content\":\"/hello\"}");
    say_post(ann, "4", "");
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

Test(tuned_gateway_limits, tells_who_is_over_the_limit_how_long_to_wait,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    say_post(ann, "1", "k1");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    say_post(ann, "2", "k2");
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
    say_post(ann, "4", "k4"); /* the socket stays */
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
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){4, 0, LEASE});
    answer_post(rooms, "1", 1);
    return ann;
}

Test(tuned_gateway_limits, settles_a_lease_that_is_over, .init = with_limited_frames)
{
    int ann = post_and_lease();
    expect_settled(0);
    close(ann);
}

Test(tuned_gateway_limits, settles_a_lease_that_is_over_with_the_next_take)
{
    gateway_config.lease_kept_us = INT64_C(3600000000);
    with_limited_frames();
    int ann = post_and_lease();
    say_post(ann, "2", "");
    cf_msg_t msg = expect_take(CF_LIMIT_POSTS, 1);
    cf_take_t take;
    cr_assert(cf_msg_body(&take, &msg, &limiter->arena) == 0);
    check_spent(&take.spent, 0);
    peer_answer(limiter, &msg, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    answer_post(rooms, "2", 2);
    say_post(ann, "3", "");
    msg = expect_take(CF_LIMIT_POSTS, 1);
    cr_assert(cf_msg_body(&take, &msg, &limiter->arena) == 0);
    cr_assert(eq(u32, take.spent.lease, 0)); /* once */
    cr_assert(eq(u32, take.spent.tokens, 0));
    close(ann);
}

Test(tuned_gateway_limits, settles_what_a_user_leaves_behind, .init = with_limited_frames)
{
    cf_msg_t msg;
    int ann = enter_first("ann", NULL), again = enter("ann");
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 4);
    answer_post(rooms, "1", 1);
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    expect_no_take(); /* nor anything else: he is still here */
    say_post(again, "2", "");
    do /* DETACH of the first */
        cr_assert(peer_next(rooms, &msg));
    while (msg.type != CF_MSG_POST);
    vanish(again);
    expect_settled(1);
}

Test(tuned_gateway_limits, forgets_frames_of_who_went_before_they_could_go,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann");
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    say_post(ann, "2", "");
    let_it_read();
    say_post(again, "3", "");
    let_it_read();
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    grant_tokens(&take, 1);
    request(rooms, CF_MSG_DETACH, NULL);
    answer_post(rooms, "3", 1); /* and neither of hers */
    say_post(again, "4", "");
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
Test(tuned_gateway_limits, keeps_no_token_of_a_frame_that_is_gone, .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL), again = enter("ann");
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    vanish(ann);
    wait_for_counter(CF_M_WEBSOCKETS, 1);
    peer_answer(limiter, &take, CF_MSG_GRANTED, &(cf_granted_t){1, 60000, 0});
    request(rooms, CF_MSG_DETACH, NULL);
    let_it_read();
    say_post(again, "2", "");
    take = expect_take(CF_LIMIT_POSTS, 1);
    grant_tokens(&take, 1);
    answer_post(rooms, "2", 1);
    close(again);
}

Test(tuned_gateway_limits, holds_a_frame_that_the_limiter_lets_go_while_its_room_moves,
     .init = with_limited_frames)
{
    cf_msg_t looking;
    int ann = enter_first("ann", NULL);
    say_post(ann, "1", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    say_post(ann, "2", "");
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

Test(tuned_gateway_limits, bounds_what_waits_for_the_limiter_by_its_credit,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    for (int i = 0; i < 40; i++)
        say_post(ann, "x", "");
    cf_msg_t take = expect_take(CF_LIMIT_POSTS, 1);
    let_it_read();
    cr_assert(gt(u64, actor_counter(gateway_actor, CF_M_CREDIT_STOPS), 0));
    grant_tokens(&take, 1);
    request(rooms, CF_MSG_POST, NULL);
    take = expect_take(CF_LIMIT_POSTS, 31); /* 32 were read */
    grant_tokens(&take, 31);
    for (int i = 0; i < 31; i++)
        request(rooms, CF_MSG_POST, NULL);
    close(ann);
}

Test(tuned_gateway_limits, says_that_nothing_was_saved_when_the_limiter_does_not_answer,
     .init = with_limited_frames)
{
    int ann = enter_first("ann", NULL);
    say_post(ann, "1", "k1");
    expect_take(CF_LIMIT_POSTS, 1);
    say_post(ann, "2", "k2");
    for (int i = 0; i < 2; i++) {
        char *heard = client_heard_type(ann, "error");
        cr_assert(has(heard, "NOT_SAVED") && has(heard, i ? "\"k2\"" : "\"k1\""), "%s", heard);
    }
    say_post(ann, "3", "k3"); /* goes on as soon as it answers again */
    cf_msg_t take;
    next_take(CF_LIMIT_POSTS, &take);
    grant_tokens(&take, 4);
    answer_post(rooms, "3", 1);
    close(ann);
}
