/* reader as a real thread: the test asks as gateways, rooms and accounts do. */
#include "reader.h"

#include "metrics.h"
#include "peer.h"
#include "wire/control.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000000) /* microseconds */
#define ROOMS 105
#define POSTS 30
#define POSTS_OF_REPLICA 20

typedef struct {
    char before[16], behind[32]; /* of the URL, around the folder */
} store_param_t;

static char folder[64], faults[96], url[128];
static peer_t *gateway, *lobby;
static cf_actor_t *actor;
static int64_t gather_us;
static char replica_url[128]; /* empty: there is none */

static cf_id_t id_of(uint8_t kind, uint32_t n)
{
    cf_id_t id = {{kind, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    id.bytes[15] = 1;
    return id;
}
#define USER id_of(1, 1)
#define ROOM(n) id_of(2, n)
#define POST(n) id_of(3, n)

static void write_one(cf_store_t *store, cf_write_t write)
{
    cf_outcome_t outcome;
    cr_assert(eq(int, store->ops->write(store, &write, 1, &outcome), 0));
    cr_assert(write.kind == CF_WRITE_APPEND || outcome.rc == 0);
}

/* ann with a session; rooms 1 .. ROOMS of hers, the later the newer; so many posts in room 1. */
static void fill(const char *where, uint32_t posts)
{
    cf_store_t *store;
    cf_store_config_t config = {
        .url = where, .role = CF_STORE_WRITER, .statement_ms = 4000, .key_ttl_us = 600000000};
    cr_assert(eq(int, cf_store_open(&store, &config), 0));
    write_one(store, (cf_write_t){.kind = CF_WRITE_CREATE_USER,
                                  .create_user = {USER, cf_str("ann"), cf_str("ann@test.com"),
                                                  cf_str("$hash"), T0}});
    write_one(store, (cf_write_t){.kind = CF_WRITE_ADD_SESSION,
                                  .add_session = {id_of(4, 1), {1, 2}, USER, T0, T0 + 5}});
    for (uint32_t n = 1; n <= ROOMS; n++)
        write_one(store, (cf_write_t){.kind = CF_WRITE_CREATE_ROOM,
                                      .create_room = {.id = ROOM(n),
                                                      .name = cf_str("a room"),
                                                      .creator = USER,
                                                      .created_us = T0 + n}});
    write_one(store, (cf_write_t){.kind = CF_WRITE_DEAD_LETTER,
                                  .dead_letter = {id_of(5, 1), ROOM(1), T0, cf_str("/stock=A"),
                                                  cf_str("timed out"), 3}});
    write_one(store, (cf_write_t){.kind = CF_WRITE_ACTIVATE, .activate.room = ROOM(1)});
    cf_post_t rows[POSTS] = {0};
    for (uint32_t i = 0; i < posts; i++)
        rows[i] = (cf_post_t){.seq = i + 1,
                              .id = POST(i + 1),
                              .sender = USER,
                              .at_us = T0 + i,
                              .kind = CF_POST_TEXT,
                              .text = cf_str("hello")};
    write_one(store, (cf_write_t){.kind = CF_WRITE_APPEND, .append = {ROOM(1), 1, 0, rows, posts}});
    store->ops->close(store);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/confab-test-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(faults, sizeof faults, "%s/faults", folder);
}

static void start_at(const char *inner)
{
    fill(inner ? inner : url, POSTS);
    actor = actor_at(CF_ACTOR_READER, 0);
    gateway = peer_at(CF_ACTOR_GATEWAY, 0);
    lobby = peer_at(CF_ACTOR_LOBBY, 0);
    peer_at(CF_ACTOR_STATS, 0);
    cf_reader_config_t config = {.link = {.actor = actor, .url = url, .statement_ms = 500},
                                 .gather_us = gather_us,
                                 .replica_url = replica_url};
    cf_reader_t *state;
    cr_assert(eq(int, cf_reader_new(&state, &config), 0));
    actor_run(actor, &cf_reader_ops, state);
}

static void start(const char *before, const char *behind, const char *inner)
{
    make_folder();
    snprintf(url, sizeof url, "%s%s%s", before, folder, behind);
    start_at(inner);
}

static void start_faulty(void)
{
    start("faulty:", "/faults:memory:reader", "memory:reader");
}

static void set_faults(const char *lines);

/* It lacks the last third of the posts. */
static void start_with_replica(const char *lines)
{
    fill("memory:replica", POSTS_OF_REPLICA);
    make_folder();
    set_faults(lines);
    snprintf(replica_url, sizeof replica_url, "faulty:%s:memory:replica", faults);
    snprintf(url, sizeof url, "memory:reader");
    start_at(url);
}

static void set_faults(const char *lines)
{
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s.new", faults);
    FILE *file = fopen(fresh, "w");
    cr_assert(file != NULL);
    fputs(lines, file);
    fclose(file);
    cr_assert(eq(int, rename(fresh, faults), 0));
}

static void stop(void)
{
    char command[128];
    actors_stop();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect(eq(int, system(command), 0));
}

static void ask(uint16_t type, uint64_t corr, cf_id_t room, const void *body)
{
    peer_send(gateway, CF_ACTOR_READER, type, corr, room, body);
}

static void ask_posts(uint64_t corr, cf_id_t room, cf_posts_from_t from, int64_t at, cf_id_t id,
                      uint32_t limit)
{
    ask(CF_MSG_READ_POSTS, corr, room, &(cf_read_posts_t){from, at, id, limit, POSTS});
}

/* "first-last" by seq of the PAGE with this correlation id. */
static const char *page_of(uint64_t corr)
{
    static char text[64];
    cf_page_t page;
    if (!peer_await(gateway, CF_MSG_PAGE, corr, &page))
        return "no page";
    const cf_post_t *posts = page.posts.items;
    for (uint32_t i = 1; i < page.posts.n; i++)
        if (posts[i].seq != posts[i - 1].seq + 1)
            return "a gap";
    if (page.posts.n == 0)
        return "empty";
    snprintf(text, sizeof text, "%d-%d by %.*s", (int)posts[0].seq,
             (int)posts[page.posts.n - 1].seq, (int)posts[0].username.size,
             posts[0].username.bytes);
    return text;
}

#define ON_EVERY_STORE(name)                                                                       \
    ParameterizedTestParameters(reader, name)                                                      \
    {                                                                                              \
        static store_param_t stores[] = {{"memory:", ""}, {"sqlite:", "/test.db"}};                \
        return cr_make_param_array(store_param_t, stores, 2);                                      \
    }                                                                                              \
    ParameterizedTest(store_param_t *store, reader, name, .fini = stop, .timeout = 60)

ON_EVERY_STORE(finds_users_by_id_and_by_exact_name)
{
    cf_user_t user;
    start(store->before, store->behind, NULL);
    ask(CF_MSG_FIND_USER, 1, (cf_id_t){0}, &(cf_find_user_t){CF_USER_BY_ID, USER, {0}});
    ask(CF_MSG_FIND_USER, 2, (cf_id_t){0},
        &(cf_find_user_t){CF_USER_BY_NAME, {{0}}, cf_str("Ann")});
    ask(CF_MSG_FIND_USER, 3, (cf_id_t){0},
        &(cf_find_user_t){CF_USER_BY_NAME, {{0}}, cf_str("ann")});
    ask(CF_MSG_FIND_USER, 4, (cf_id_t){0}, &(cf_find_user_t){CF_USER_BY_NAME, {{0}}, {0}});
    cr_assert(peer_await(gateway, CF_MSG_USER, 1, &user));
    cr_assert(cf_str_equal(user.email, cf_str("ann@test.com")));
    cr_assert(eq(int, peer_await_refusal(gateway, 2), CF_ENOENT));
    cr_assert(peer_await(gateway, CF_MSG_USER, 3, &user));
    cr_assert(cf_str_equal(user.password_hash, cf_str("$hash")));
    cr_assert(eq(int, peer_await_refusal(gateway, 4), CF_ENOENT));
}

ON_EVERY_STORE(finds_sessions_also_expired_ones_without_the_password)
{
    cf_session_row_t row;
    start(store->before, store->behind, NULL);
    ask(CF_MSG_FIND_SESSION, 1, (cf_id_t){0}, &(cf_find_session_t){{1, 2}});
    ask(CF_MSG_FIND_SESSION, 2, (cf_id_t){0}, &(cf_find_session_t){{1, 3}});
    cr_assert(peer_await(gateway, CF_MSG_SESSION_ROW, 1, &row));
    cr_assert(cf_id_equal(row.session.id, id_of(4, 1)));
    cr_assert(cf_id_equal(row.user.id, USER));
    cr_assert(eq(i64, row.session.expires_us, T0 + 5));
    cr_assert(eq(u32, row.user.password_hash.size, 0));
    cr_assert(eq(int, peer_await_refusal(gateway, 2), CF_ENOENT));
}

ON_EVERY_STORE(knows_members_strangers_and_rooms_that_are_not_there)
{
    cf_member_t member;
    start(store->before, store->behind, NULL);
    ask(CF_MSG_FIND_MEMBER, 1, ROOM(1), &(cf_find_member_t){USER});
    ask(CF_MSG_FIND_MEMBER, 2, ROOM(1), &(cf_find_member_t){id_of(1, 2)});
    ask(CF_MSG_FIND_MEMBER, 3, ROOM(9999), &(cf_find_member_t){USER});
    cr_assert(peer_await(gateway, CF_MSG_MEMBER, 1, &member));
    cr_assert(member.room_exists && member.is_member && cf_id_equal(member.user, USER));
    cr_assert(peer_await(gateway, CF_MSG_MEMBER, 2, &member));
    cr_assert(member.room_exists && !member.is_member);
    cr_assert(cf_id_equal(member.user, id_of(1, 2)));
    cr_assert(peer_await(gateway, CF_MSG_MEMBER, 3, &member));
    cr_assert(eq(int, member.room_exists || member.is_member, false));
}

ON_EVERY_STORE(finds_a_dead_letter_by_its_id)
{
    cf_dead_letter_t letter;
    start(store->before, store->behind, NULL);
    ask(CF_MSG_FIND_DEAD_LETTER, 1, (cf_id_t){0}, &(cf_find_dead_letter_t){id_of(5, 1)});
    cr_assert(peer_await(gateway, CF_MSG_DEAD_LETTER_ROW, 1, &letter));
    cr_assert(cf_id_equal(letter.id, id_of(5, 1)) && cf_id_equal(letter.room, ROOM(1)));
    cr_assert(cf_str_equal(letter.command, cf_str("/stock=A")));
    cr_assert(cf_str_equal(letter.reason, cf_str("timed out")));
    cr_assert(eq(u32, letter.attempts, 3));
    ask(CF_MSG_FIND_DEAD_LETTER, 2, (cf_id_t){0}, &(cf_find_dead_letter_t){id_of(5, 2)});
    cr_assert(eq(int, peer_await_refusal(gateway, 2), CF_ENOENT));
}

ON_EVERY_STORE(reads_posts_from_every_kind_of_position)
{
    start(store->before, store->behind, NULL);
    ask_posts(1, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 10);
    ask_posts(2, ROOM(1), CF_POSTS_BEFORE_SEQ, 11, (cf_id_t){0}, 5);
    ask_posts(3, ROOM(1), CF_POSTS_BEFORE_TIME, T0 + 4, (cf_id_t){0}, 500);
    ask_posts(4, ROOM(1), CF_POSTS_BEFORE_ID, 0, POST(3), 500);
    ask_posts(5, ROOM(1), CF_POSTS_AFTER_SEQ, 20, (cf_id_t){0}, 5);
    ask_posts(6, ROOM(1), CF_POSTS_BEFORE_ID, 0, POST(999), 5);
    ask_posts(7, ROOM(2), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 5);
    cr_assert(eq(str, (char *)page_of(1), "21-30 by ann"));
    cr_assert(eq(str, (char *)page_of(2), "6-10 by ann"));
    cr_assert(eq(str, (char *)page_of(3), "1-4 by ann"));
    cr_assert(eq(str, (char *)page_of(4), "1-2 by ann"));
    cr_assert(eq(str, (char *)page_of(5), "21-25 by ann"));
    cr_assert(eq(int, peer_await_refusal(gateway, 6), CF_ENOENT));
    cr_assert(eq(str, (char *)page_of(7), "empty"));
}

ON_EVERY_STORE(sends_the_room_list_to_the_lobby_with_who_asked)
{
    cf_room_list_t list;
    start(store->before, store->behind, NULL);
    ask(CF_MSG_LIST_ROOMS, 1, (cf_id_t){0}, &(cf_list_rooms_t){true, {{0}}, 100});
    cr_assert(peer_await(lobby, CF_MSG_ROOM_LIST, 1, &list));
    cr_assert(eq(u64, list.gateway, cf_address_pack(gateway->address)));
    cr_assert(eq(u32, list.rooms.n, 100));
    cr_assert(list.more);
    const cf_room_entry_t *rooms = list.rooms.items;
    cr_assert(cf_id_equal(rooms[0].id, ROOM(ROOMS)));
    cr_assert(cf_str_equal(rooms[99].name, cf_str("a room")));

    ask(CF_MSG_LIST_ROOMS, 2, (cf_id_t){0}, &(cf_list_rooms_t){false, ROOM(ROOMS - 99), 5});
    cr_assert(peer_await(lobby, CF_MSG_ROOM_LIST, 2, &list));
    cr_assert(eq(u32, list.rooms.n, 5));
    cr_assert(eq(int, list.more, false)); /* exactly the rest */
}

ON_EVERY_STORE(answers_each_of_many_questions_that_arrive_together)
{
    start(store->before, store->behind, NULL);
    for (uint64_t corr = 1; corr <= 1000; corr++)
        peer_put(gateway, CF_ACTOR_READER, CF_MSG_FIND_MEMBER, corr, ROOM(corr % ROOMS + 1),
                 &(cf_find_member_t){USER});
    peer_flush(gateway);
    for (uint64_t corr = 1; corr <= 1000; corr++) {
        cf_member_t member;
        cr_assert(peer_await(gateway, CF_MSG_MEMBER, corr, &member));
        cr_assert(member.is_member);
    }
    cr_assert(lt(u64, actor_observed(actor, CF_H_SELECT_MEMBERS), 200));
}

static void ask_member(uint64_t corr)
{
    ask(CF_MSG_FIND_MEMBER, corr, ROOM(corr % ROOMS + 1), &(cf_find_member_t){USER});
}

static void await_members(uint64_t from, uint64_t to)
{
    for (uint64_t corr = from; corr <= to; corr++) {
        cf_member_t member;
        cr_assert(peer_await(gateway, CF_MSG_MEMBER, corr, &member));
        cr_assert(member.is_member);
    }
}

/* Each comes alone, so that nothing but the wait brings them together. */
ON_EVERY_STORE(gathers_what_keeps_coming_until_a_query_is_full)
{
    gather_us = INT64_C(3600) * 1000000;
    start(store->before, store->behind, NULL);
    for (uint64_t corr = 1; corr <= CF_READER_BURST; corr++) {
        ask_member(corr);
        await_members(corr, corr);
    }
    cr_assert(eq(u64, actor_observed(actor, CF_H_SELECT_MEMBERS), CF_READER_BURST));
    uint64_t full = CF_READER_BURST + CF_READER_GATHER_MAX;
    for (uint64_t corr = CF_READER_BURST + 1; corr <= full + 1; corr++) {
        ask_member(corr);
        actor_counter(actor, CF_M_INBOX_MESSAGES); /* it has been read */
    }
    await_members(CF_READER_BURST + 1, full);
    cr_assert(eq(u64, actor_observed(actor, CF_H_SELECT_MEMBERS), CF_READER_BURST + 1));
    cr_assert(eq(u64, actor_counter(actor, CF_M_READER_WAITING), 1));
    ask_posts(1, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 10); /* another kind does not wait */
    cr_assert(eq(str, (char *)page_of(1), "21-30 by ann"));
    peer_send(peer_at(CF_ACTOR_SUPERVISOR, 0), CF_ACTOR_READER, CF_MSG_DRAIN, 1, (cf_id_t){0},
              NULL);
    await_members(full + 1, full + 1);
}

/* Clients that go on when they are answered: so many, and then a pause. */
ON_EVERY_STORE(waits_no_longer_when_enough_are_there_and_no_more_come)
{
    gather_us = 4 * PEER_WAIT_MS * INT64_C(1000);
    start(store->before, store->behind, NULL);
    uint64_t corr = 0;
    while (corr < CF_READER_BURST) {
        ask_member(++corr);
        await_members(corr, corr);
    }
    while (corr < 2 * CF_READER_BURST - 1) {
        ask_member(++corr);
        actor_counter(actor, CF_M_INBOX_MESSAGES); /* it has been read */
    }
    cr_assert(eq(u64, actor_counter(actor, CF_M_READER_WAITING), CF_READER_BURST - 1));
    ask_member(++corr);
    await_members(CF_READER_BURST + 1, corr);
    cr_assert(eq(u64, actor_observed(actor, CF_H_SELECT_MEMBERS), CF_READER_BURST + 1));
}

/* One client that reads page after page must not wait for each. */
ON_EVERY_STORE(waits_no_more_when_a_wait_has_brought_few_together)
{
    gather_us = 200000;
    start(store->before, store->behind, NULL);
    uint64_t corr = 0;
    while (corr < CF_READER_BURST + 1) { /* the last one waits */
        ask_member(++corr);
        await_members(corr, corr);
    }
    for (uint64_t last = corr + CF_READER_BURST; corr < last;) {
        ask_member(++corr);
        actor_counter(actor, CF_M_INBOX_MESSAGES); /* it has been read */
    }
    await_members(CF_READER_BURST + 2, corr);
    cr_assert(eq(u64, actor_observed(actor, CF_H_SELECT_MEMBERS), corr)); /* each by itself */
}

ON_EVERY_STORE(keeps_nobody_waiting_for_longer_than_it_gathers)
{
    cf_session_row_t row;
    gather_us = 1000;
    start(store->before, store->behind, NULL);
    for (uint64_t corr = 1; corr <= 5 * CF_READER_BURST; corr++) {
        ask_member(corr);
        await_members(corr, corr);
        ask(CF_MSG_FIND_SESSION, corr, (cf_id_t){0}, &(cf_find_session_t){{1, 2}});
        cr_assert(peer_await(gateway, CF_MSG_SESSION_ROW, corr, &row));
        ask_posts(corr, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 10);
        cr_assert(eq(str, (char *)page_of(corr), "21-30 by ann"));
    }
}

ON_EVERY_STORE(reads_many_pages_in_bounded_queries)
{
    start(store->before, store->behind, NULL);
    for (uint64_t corr = 1; corr <= 40; corr++)
        peer_put(gateway, CF_ACTOR_READER, CF_MSG_READ_POSTS, corr, ROOM(1),
                 &(cf_read_posts_t){CF_POSTS_NEWEST, 0, {{0}}, 500, POSTS});
    peer_flush(gateway);
    for (uint64_t corr = 1; corr <= 40; corr++)
        cr_assert(eq(str, (char *)page_of(corr), "1-30 by ann"));
    cr_assert(ge(u64, actor_observed(actor, CF_H_SELECT_POSTS), 10)); /* 2000 rows each at most */
}

/* --- a store that fails ------------------------------------------------------------------------
 */

TestSuite(faults, .fini = stop, .timeout = 60);

Test(faults, refuses_each_question_of_a_query_that_fails)
{
    start_faulty();
    set_faults("find_members fail\n");
    for (uint64_t corr = 1; corr <= 3; corr++)
        peer_put(gateway, CF_ACTOR_READER, CF_MSG_FIND_MEMBER, corr, ROOM(1),
                 &(cf_find_member_t){USER});
    peer_flush(gateway);
    for (uint64_t corr = 1; corr <= 3; corr++)
        cr_assert(eq(int, peer_await_refusal(gateway, corr), CF_EIO));
}

Test(faults, refuses_every_kind_of_question_while_the_store_is_away_and_goes_on_after_it)
{
    start_faulty();
    set_faults("read fail\nping fail\n");
    ask_posts(1, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 5);
    cr_assert(eq(int, peer_await_refusal(gateway, 1), CF_EIO));
    ask(CF_MSG_FIND_USER, 2, (cf_id_t){0}, &(cf_find_user_t){CF_USER_BY_ID, USER, {0}});
    ask(CF_MSG_FIND_SESSION, 3, (cf_id_t){0}, &(cf_find_session_t){{1, 2}});
    ask(CF_MSG_LIST_ROOMS, 4, (cf_id_t){0}, &(cf_list_rooms_t){true, {{0}}, 5});
    for (uint64_t corr = 2; corr <= 4; corr++) {
        cf_refused_t refused;
        cr_assert(peer_await(gateway, CF_MSG_REFUSED, 0, &refused));
        cr_assert(eq(u32, refused.reason, -CF_EIO));
    }
    set_faults("");
    cf_msg_t msg = {0};
    for (uint64_t corr = 10; msg.type != CF_MSG_PAGE && corr < 100000; corr++) {
        ask_posts(corr, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 5);
        cr_assert(peer_next(gateway, &msg));
    }
    cr_assert(eq(u32, msg.type, CF_MSG_PAGE));
}

static bool await_store_state(bool up)
{
    cf_store_state_t state;
    while (peer_await(peer_at(CF_ACTOR_STATS, 0), CF_MSG_STORE_STATE, 0, &state))
        if (state.up == up)
            return true;
    return false;
}

/* With one kind of questions alone, which the others do not make up for. */
static void is_down_while_it_fails(const char *fault, uint16_t type, const void *body)
{
    cf_store_state_t state;
    cf_msg_t msg;
    uint64_t corr = 100;
    start_faulty();
    cr_assert(await_store_state(true));
    set_faults(fault);
    ask(type, 1, ROOM(1), body);
    cr_assert(eq(int, peer_await_refusal(gateway, 1), CF_EIO));
    cr_assert(await_store_state(false));
    bool is_posts = type == CF_MSG_READ_POSTS;
    for (int i = 0; i < CF_STORE_LINK_QUIET_US / 1000000 + 3; i++) {
        if (is_posts)
            ask(CF_MSG_FIND_USER, ++corr, (cf_id_t){0},
                &(cf_find_user_t){CF_USER_BY_ID, USER, {0}});
        else
            ask_posts(++corr, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 5);
        cr_assert(peer_next(gateway, &msg)); /* an answer, or a refusal before the next ping */
        cr_assert(peer_await(peer_at(CF_ACTOR_STATS, 0), CF_MSG_STORE_STATE, 0, &state));
        cr_assert(eq(int, state.up, false));
    }
    set_faults("");
    cr_assert(await_store_state(true)); /* nobody asked again */
}

Test(faults, knows_that_nothing_can_be_read_though_it_is_asked_nothing)
{
    start_faulty();
    cr_assert(await_store_state(true));
    set_faults("find_members fail\n");
    cr_assert(await_store_state(false));
    set_faults("");
    cr_assert(await_store_state(true));
}

Test(faults, is_down_while_users_cannot_be_read)
{
    is_down_while_it_fails("find_users fail\n", CF_MSG_FIND_USER,
                           &(cf_find_user_t){CF_USER_BY_ID, USER, {0}});
}

Test(faults, is_down_while_sessions_cannot_be_read)
{
    is_down_while_it_fails("find_sessions fail\n", CF_MSG_FIND_SESSION,
                           &(cf_find_session_t){{1, 2}});
}

Test(faults, is_down_while_members_cannot_be_read)
{
    is_down_while_it_fails("find_members fail\n", CF_MSG_FIND_MEMBER, &(cf_find_member_t){USER});
}

Test(faults, is_down_while_posts_cannot_be_read)
{
    is_down_while_it_fails("read_posts fail\n", CF_MSG_READ_POSTS,
                           &(cf_read_posts_t){CF_POSTS_NEWEST, 0, {{0}}, 5, POSTS});
}

Test(faults, is_down_while_dead_letters_cannot_be_read)
{
    is_down_while_it_fails("find_dead_letter fail\n", CF_MSG_FIND_DEAD_LETTER,
                           &(cf_find_dead_letter_t){id_of(5, 1)});
}

Test(faults, is_down_while_rooms_cannot_be_read)
{
    is_down_while_it_fails("list_rooms fail\n", CF_MSG_LIST_ROOMS,
                           &(cf_list_rooms_t){true, {{0}}, 5});
}

Test(faults, answers_a_probe_while_a_query_hangs)
{
    start_faulty();
    set_faults("read_posts hang\n");
    ask_posts(1, ROOM(1), CF_POSTS_NEWEST, 0, (cf_id_t){0}, 5);
    for (int i = 0; i < 20; i++)
        actor_counter(actor, CF_M_INBOX_MESSAGES); /* fails the test when there is no answer */
    cr_assert(eq(int, peer_await_refusal(gateway, 1), CF_EIO));
}

/* --- a replica ---------------------------------------------------------------------------------
 */

TestSuite(replica, .fini = stop, .timeout = 60);

static void ask_knowing(uint64_t corr, cf_posts_from_t from, int64_t at, cf_id_t id, uint32_t limit,
                        uint64_t last_seq)
{
    ask(CF_MSG_READ_POSTS, corr, ROOM(1), &(cf_read_posts_t){from, at, id, limit, last_seq});
}

Test(replica, answers_what_it_has_in_full_and_leaves_the_rest_to_the_store)
{
    start_with_replica("");
    ask_knowing(1, CF_POSTS_NEWEST, 0, (cf_id_t){0}, 50, POSTS_OF_REPLICA);
    cr_assert(eq(str, (char *)page_of(1), "1-20 by ann")); /* nobody knows of more yet */
    ask_knowing(2, CF_POSTS_NEWEST, 0, (cf_id_t){0}, 50, POSTS_OF_REPLICA + 1);
    cr_assert(eq(str, (char *)page_of(2), "1-30 by ann"));
    ask_knowing(3, CF_POSTS_AFTER_SEQ, 5, (cf_id_t){0}, 15, POSTS);
    cr_assert(eq(str, (char *)page_of(3), "6-20 by ann"));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_PAGES), 2));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_BEHIND), 1));
    ask_knowing(4, CF_POSTS_AFTER_SEQ, 5, (cf_id_t){0}, 16, POSTS); /* one more than it has */
    cr_assert(eq(str, (char *)page_of(4), "6-21 by ann"));
    ask_knowing(5, CF_POSTS_BEFORE_ID, 0, POST(26), 5, POSTS); /* a post it does not know */
    cr_assert(eq(str, (char *)page_of(5), "21-25 by ann"));
    ask_knowing(6, CF_POSTS_BEFORE_ID, 0, POST(99), 5, POSTS); /* nor does the store */
    cr_assert(eq(int, peer_await_refusal(gateway, 6), CF_ENOENT));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_PAGES), 2));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_BEHIND), 4));
}

Test(replica, of_questions_in_one_query_each_goes_where_its_answer_is)
{
    start_with_replica("");
    for (uint64_t corr = 1; corr <= 40; corr++)
        peer_put(gateway, CF_ACTOR_READER, CF_MSG_READ_POSTS, corr, ROOM(1),
                 &(cf_read_posts_t){CF_POSTS_AFTER_SEQ, (int64_t)corr % 2 * 12, {{0}}, 10, POSTS});
    peer_flush(gateway);
    for (uint64_t corr = 2; corr <= 40; corr += 2) /* the replica's are answered first */
        cr_assert(eq(str, (char *)page_of(corr), "1-10 by ann"));
    for (uint64_t corr = 1; corr <= 40; corr += 2)
        cr_assert(eq(str, (char *)page_of(corr), "13-22 by ann"));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_PAGES), 20));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_BEHIND), 20));
}

Test(replica, that_fails_is_done_without)
{
    start_with_replica("read_posts fail\n");
    for (uint64_t corr = 1; corr <= 3; corr++) {
        ask_knowing(corr, CF_POSTS_NEWEST, 0, (cf_id_t){0}, 50, POSTS_OF_REPLICA);
        cr_assert(eq(str, (char *)page_of(corr), "1-30 by ann"));
    }
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_AWAY), 3));
    cr_assert(eq(u64, actor_counter(actor, CF_M_STORE_ERRORS), 0));
    set_faults("");
    uint64_t corr = 3;
    do { /* once it has been tried again */
        ask_knowing(++corr, CF_POSTS_NEWEST, 0, (cf_id_t){0}, 50, POSTS_OF_REPLICA);
        cr_assert(strstr(page_of(corr), "by ann") != NULL);
    } while (actor_counter(actor, CF_M_REPLICA_PAGES) == 0);
}

Test(replica, that_hangs_costs_a_moment_and_no_answer)
{
    start_with_replica("read_posts hang\n");
    ask_knowing(1, CF_POSTS_NEWEST, 0, (cf_id_t){0}, 50, POSTS_OF_REPLICA);
    cr_assert(eq(str, (char *)page_of(1), "1-30 by ann"));
    cr_assert(eq(u64, actor_counter(actor, CF_M_REPLICA_AWAY), 1));
}
