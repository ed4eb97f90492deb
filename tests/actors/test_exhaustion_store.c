/* Failed allocations: storage, a reader, the sweeper, stats and a hasher, each as a real actor, all on
 * one thread and on a real store; those that ask them are played. A day is lived once to count what
 * they allocate, then once for each allocation with that one failing. Then every request is answered
 * once, if not as wanted then REFUSED for want of memory or of the store, and is carried out when it is
 * asked again; what was not acknowledged is not stored, and what was is; no row is shorter than it was
 * written; and another day goes as if nothing had happened. */
#include "clock.h"
#include "failing_malloc.h"
#include "hasher.h"
#include "reader.h"
#include "sqlite_backup.h"
#include "stats.h"
#include "storage.h"
#include "store_fixture.h"
#include "sweeper.h"
#include "wire/append.h"
#include "wire/control.h"
#include "wire/hash.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NODE 1
#define WAIT_US INT64_C(20000000)
#define HOUR_US INT64_C(3600000000)
#define T0 INT64_C(1700000000000000)
#define ROOMS 2
#define POSTS_MAX 32
#define VARIANCE 10 /* allocations more or less: by timers */
#define TOGETHER_MAX 40

enum { STORAGE, READER, SWEEPER, STATS, HASHER, ACTORS };

static const cf_address_t actor_at[ACTORS] = {[STORAGE] = {NODE, CF_ACTOR_STORAGE, 0},
                                              [READER] = {NODE, CF_ACTOR_READER, 0},
                                              [SWEEPER] = {NODE, CF_ACTOR_SWEEPER, 0},
                                              [STATS] = {NODE, CF_ACTOR_STATS, 0},
                                              [HASHER] = {NODE, CF_ACTOR_HASHER, 0}};

static const cf_actor_ops_t *const real_ops[ACTORS] = {
    &cf_storage_ops, &cf_reader_ops, &cf_sweeper_ops, &cf_stats_ops, &cf_hasher_ops};

/* Everybody who asks; the lobby hears the list of rooms as well. */
static const cf_address_t asker_at = {NODE, CF_ACTOR_ROOMS, 0},
                          lobby_at = {NODE, CF_ACTOR_LOBBY, 0},
                          supervisor_at = {NODE, CF_ACTOR_SUPERVISOR, 0};

typedef union {
    cf_refused_t refused;
    cf_verdict_t verdict;
    cf_activated_t activated;
    cf_user_t user;
    cf_session_row_t session;
    cf_member_t member;
    cf_page_t page;
    cf_room_list_t list;
    cf_metrics_text_t text;
    cf_health_state_t health;
    cf_hashed_t hashed;
    cf_verified_t verified;
} body_t;

typedef struct {
    uint64_t epoch, last;
    char texts[POSTS_MAX][16]; /* by seq: what was acknowledged */
    cf_id_t ids[POSTS_MAX];
} room_t;

static struct {
    cf_bus_t bus;
    cf_actor_t *actors[ACTORS];
    void *states[ACTORS];
    cf_actor_ops_t ops[ACTORS];
    int depth;
    cf_inbox_t *asker, *lobby, *supervisor;
    cf_outbox_t *out;
    /* the latest request and its answer */
    uint64_t corr;
    uint16_t answered; /* type; 0: not yet */
    cf_arena_t arena;
    body_t body;
    cf_buf_t copy;   /* what body borrows from */
    uint64_t number; /* of the day; its rows are made of it */
    int64_t now_us;
    room_t rooms[ROOMS];
    unsigned long failing;
    unsigned in_a_row;
    bool strict; /* nothing fails: what is asked once is done */
} world;

static void (*scenario)(void);

#define ensure(what)                                                                               \
    cr_assert(what, "allocation %lu, %u in a row%s", world.failing, world.in_a_row,                \
              world.strict ? ", strict" : "")

/* --- messages ----------------------------------------------------------------------------------
 */

static void take_answer(const cf_msg_t *msg)
{
    cf_msg_t again;
    if (msg->corr != world.corr)
        return; /* of a request that was answered before, or nobody's */
    if (msg->type == CF_MSG_VERDICT && world.answered == CF_MSG_VERDICT)
        ensure(world.body.verdict.status == CF_VERDICT_UNKNOWN); /* then a second one follows */
    else
        ensure(world.answered == 0);
    world.answered = msg->type;
    cf_arena_reset(&world.arena);
    cf_buf_clear(&world.copy);
    cr_assert(cf_buf_add(&world.copy, msg->body - CF_MSG_HEAD_SIZE, CF_MSG_HEAD_SIZE + msg->size) ==
              0);
    cr_assert(cf_msg_decode(&again, world.copy.data, world.copy.size) == 0);
    cr_assert(cf_msg_shape(msg->type)->size <= sizeof world.body);
    cr_assert(cf_msg_body(&world.body, &again, &world.arena) == 0);
}

static bool hear(cf_inbox_t *inbox)
{
    cf_msg_t msg;
    bool any = false;
    while (cf_inbox_read(inbox, &msg) == 1) {
        any = true;
        take_answer(&msg);
    }
    cf_inbox_release(inbox);
    return any;
}

static void pass(void)
{
    bool ignored;
    cf_outbox_flush(world.out);
    failing_malloc_resume();
    for (int i = 0; i < ACTORS; i++)
        cf_actor_turn(world.actors[i], CF_INBOX_BATCH_MAX);
    failing_malloc_pause();
    bool any = hear(world.asker);
    any |= hear(world.lobby);
    any |= hear(world.supervisor);
    if (!any)
        cf_inbox_wait(world.asker, -1, false, 1, &ignored);
}

static bool is_final(void)
{
    return world.answered &&
           !(world.answered == CF_MSG_VERDICT && world.body.verdict.status == CF_VERDICT_UNKNOWN);
}

static void put(int actor, uint16_t type, cf_id_t room, const void *body)
{
    cf_msg_t head = {
        .type = type, .corr = ++world.corr, .from = asker_at, .to = actor_at[actor], .room = room};
    cr_assert(cf_outbox_put(world.out, &head, body) == 0);
}

/* Ask once; the type of the answer. */
static uint16_t ask(int actor, uint16_t type, cf_id_t room, const void *body)
{
    int64_t until_us = cf_boot_us() + WAIT_US;
    world.answered = 0;
    put(actor, type, room, body);
    while (!is_final()) {
        cr_assert(cf_boot_us() < until_us, "allocation %lu, %u in a row: %s is not answered",
                  world.failing, world.in_a_row, cf_msg_name(type));
        pass();
    }
    return world.answered;
}

static bool is_for_want_of_memory(void)
{
    int err = world.answered == CF_MSG_REFUSED ? -(int)world.body.refused.reason : 0;
    bool has_failed =
        world.answered == CF_MSG_VERDICT && world.body.verdict.status == CF_VERDICT_FAILED;
    return has_failed || err == CF_ENOMEM || err == CF_EIO;
}

/* Ask until it is done. */
static void insist(int actor, uint16_t type, cf_id_t room, const void *body, uint16_t wanted)
{
    int64_t until_us = cf_boot_us() + WAIT_US;
    while (ask(actor, type, room, body) != wanted) {
        cr_assert(is_for_want_of_memory() && !world.strict && cf_boot_us() < until_us,
                  "allocation %lu, %u in a row%s: %s is answered %s (%s)", world.failing,
                  world.in_a_row, world.strict ? ", strict" : "", cf_msg_name(type),
                  cf_msg_name(world.answered), cf_err_text(-(int)world.body.refused.reason));
    }
}

/* --- rows of a day -----------------------------------------------------------------------------
 */

static cf_user_t user_row(unsigned n)
{
    static char names[3][24], emails[3][40];
    snprintf(names[n], sizeof names[n], "user%u_%llu", n, (unsigned long long)world.number);
    snprintf(emails[n], sizeof emails[n], "%s@test.com", names[n]);
    return (cf_user_t){.id = USER(world.number * 10 + n),
                       .username = cf_str(names[n]),
                       .email = cf_str(emails[n]),
                       .password_hash = cf_str("$argon2id$of-that-user"),
                       .created_us = T0};
}

static cf_id_t room_id(int n)
{
    return ROOM(world.number * 10 + (uint64_t)n);
}

static cf_session_t session_row(unsigned n, int64_t expires_us)
{
    cf_session_t row = {.id = id_of(4, world.number * 10 + n),
                        .user = user_row(0).id,
                        .created_us = T0,
                        .expires_us = expires_us};
    memcpy(row.token_hash, row.id.bytes, CF_ID_SIZE);
    return row;
}

/* --- appends -----------------------------------------------------------------------------------
 */

typedef struct {
    cf_post_t rows[8];
    char texts[8][16], keys[8][16];
    uint32_t n;
} run_t;

static unsigned posts_made;

/* n posts behind the last; last_key "": a new key for the last one too. */
static void make_run(run_t *run, int room, uint32_t n, const char *last_key)
{
    run->n = n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t seq = world.rooms[room].last + 1 + i;
        posts_made++;
        snprintf(run->texts[i], sizeof run->texts[i], "text %u", posts_made);
        if (i == n - 1 && *last_key)
            strcpy(run->keys[i], last_key);
        else
            snprintf(run->keys[i], sizeof run->keys[i], "key%u", posts_made);
        run->rows[i] = (cf_post_t){.seq = seq,
                                   .id = POST(world.number * 100000 + posts_made),
                                   .sender = user_row(0).id,
                                   .at_us = world.now_us + (int64_t)seq,
                                   .kind = CF_POST_TEXT,
                                   .text = cf_str(run->texts[i]),
                                   .client_key = cf_str(run->keys[i])};
    }
}

static cf_append_t append_body(int room, const run_t *run)
{
    return (cf_append_t){.epoch = world.rooms[room].epoch,
                         .prev = world.rooms[room].last,
                         .rows = {(void *)(uintptr_t)run->rows, run->n}};
}

static void keep(int room, const run_t *run, uint32_t stored)
{
    room_t *self = &world.rooms[room];
    for (uint32_t i = 0; i < stored; i++) {
        cr_assert(++self->last < POSTS_MAX);
        strcpy(self->texts[self->last], run->texts[i]);
        self->ids[self->last] = run->rows[i].id;
    }
}

/* Until the store has judged it. A refused or failed run is made of other posts the next time, so that
 * one of them found stored all the same would stand out. */
static const cf_verdict_t *append_run(int room, run_t *run, uint32_t n, const char *last_key)
{
    do {
        make_run(run, room, n, last_key);
        cf_append_t body = append_body(room, run);
        ask(STORAGE, CF_MSG_APPEND, room_id(room), &body);
        ensure(world.answered == CF_MSG_VERDICT || is_for_want_of_memory());
        ensure(!world.strict || !is_for_want_of_memory());
    } while (is_for_want_of_memory());
    keep(room, run, world.body.verdict.stored);
    return &world.body.verdict;
}

static void append(int room, uint32_t n)
{
    run_t run;
    const cf_verdict_t *verdict = append_run(room, &run, n, "");
    ensure(verdict->status == CF_VERDICT_STORED && verdict->stored == n);
}

/* The third row of a run repeats the key of a post. */
static void repeat_a_key(int room)
{
    run_t first, run;
    const cf_verdict_t *verdict = append_run(room, &first, 1, "again");
    ensure(verdict->status == CF_VERDICT_STORED && verdict->stored == 1);
    uint64_t seq = world.rooms[room].last;
    verdict = append_run(room, &run, 3, "again");
    if (verdict->status == CF_VERDICT_STORED) { /* found out later: so far it goes */
        ensure(!world.strict && verdict->stored == 2);
        verdict = append_run(room, &run, 1, "again");
    }
    ensure(verdict->status == CF_VERDICT_DUPLICATE && world.rooms[room].last == seq + 2);
    ensure(verdict->seq == seq && cf_id_equal(verdict->id, first.rows[0].id));
}

/* What comes together: so many new members, then a run for each room. */
typedef struct {
    uint64_t first; /* correlation id */
    uint32_t members, open;
    bool is_answered[TOGETHER_MAX];
    run_t runs[ROOMS];
} together_t;

static void put_together(together_t *all, uint32_t members)
{
    cf_member_change_t change = {user_row(2).id, T0};
    *all = (together_t){.first = world.corr + 1, .members = members, .open = members + ROOMS};
    for (uint32_t i = 0; i < members; i++)
        put(STORAGE, CF_MSG_ADD_MEMBER, room_id(0), &change);
    for (int room = 0; room < ROOMS; room++) {
        make_run(&all->runs[room], room, 2, "");
        cf_append_t body = append_body(room, &all->runs[room]);
        put(STORAGE, CF_MSG_APPEND, room_id(room), &body);
    }
}

static void take_one(together_t *all, const cf_msg_t *msg)
{
    uint64_t i = msg->corr - all->first;
    cf_verdict_t verdict = {.status = 0};
    if (msg->corr < all->first)
        return;
    cr_assert(i < all->members + ROOMS);
    if (msg->type == CF_MSG_VERDICT)
        cr_assert(cf_msg_body(&verdict, msg, &world.arena) == 0);
    if (verdict.status == CF_VERDICT_UNKNOWN)
        return;
    ensure(!all->is_answered[i]); /* once */
    all->is_answered[i] = true;
    all->open--;
    ensure(!world.strict || msg->type == CF_MSG_DONE || verdict.status == CF_VERDICT_STORED);
    if (verdict.status == CF_VERDICT_STORED)
        keep((int)(i - all->members), &all->runs[i - all->members], verdict.stored);
}

static void write_together(uint32_t members)
{
    together_t all;
    cf_msg_t msg;
    int64_t until_us = cf_boot_us() + WAIT_US;
    put_together(&all, members);
    while (all.open) {
        cr_assert(cf_boot_us() < until_us, "allocation %lu, %u in a row: %u are not answered",
                  world.failing, world.in_a_row, all.open);
        cf_outbox_flush(world.out);
        failing_malloc_resume();
        cf_actor_turn(world.actors[STORAGE], CF_INBOX_BATCH_MAX);
        failing_malloc_pause();
        while (cf_inbox_read(world.asker, &msg) == 1)
            take_one(&all, &msg);
        cf_inbox_release(world.asker);
    }
}

/* --- reads -------------------------------------------------------------------------------------
 */

static void check_user(const cf_user_t *row, unsigned n, bool with_hash)
{
    cf_user_t user = user_row(n);
    ensure(cf_id_equal(row->id, user.id) && row->created_us == user.created_us);
    ensure(cf_str_equal(row->username, user.username) && cf_str_equal(row->email, user.email));
    ensure(cf_str_equal(row->password_hash, with_hash ? cf_str("$argon2id$new") : (cf_str_t){0}));
}

static void find_users(void)
{
    cf_find_user_t by_id = {.by = CF_USER_BY_ID, .id = user_row(0).id};
    cf_find_user_t by_name = {.by = CF_USER_BY_NAME, .name = user_row(0).username};
    insist(READER, CF_MSG_FIND_USER, (cf_id_t){0}, &by_id, CF_MSG_USER);
    check_user(&world.body.user, 0, true);
    insist(READER, CF_MSG_FIND_USER, (cf_id_t){0}, &by_name, CF_MSG_USER);
    check_user(&world.body.user, 0, true);
}

static void find_session(unsigned n, bool is_there)
{
    cf_find_session_t find;
    memcpy(find.token_hash, session_row(n, 0).token_hash, sizeof find.token_hash);
    if (is_there) {
        insist(READER, CF_MSG_FIND_SESSION, (cf_id_t){0}, &find, CF_MSG_SESSION_ROW);
        ensure(cf_id_equal(world.body.session.session.id, session_row(n, 0).id));
        check_user(&world.body.session.user, 0, false);
        return;
    }
    while (ask(READER, CF_MSG_FIND_SESSION, (cf_id_t){0}, &find) == CF_MSG_REFUSED &&
           is_for_want_of_memory())
        ensure(!world.strict);
    ensure(world.answered == CF_MSG_REFUSED && world.body.refused.reason == -CF_ENOENT);
}

static void find_member(unsigned n, bool is_member)
{
    cf_find_member_t find = {user_row(n).id};
    insist(READER, CF_MSG_FIND_MEMBER, room_id(0), &find, CF_MSG_MEMBER);
    ensure(world.body.member.room_exists && world.body.member.is_member == is_member);
}

/* The history is what was acknowledged, nothing else. */
static void read_room(int room, cf_posts_from_t from, int64_t at, cf_id_t id, uint64_t first,
                      uint64_t last)
{
    const room_t *self = &world.rooms[room];
    cf_read_posts_t read = {.from = from, .at = at, .id = id, .limit = POSTS_MAX};
    insist(READER, CF_MSG_READ_POSTS, room_id(room), &read, CF_MSG_PAGE);
    const cf_post_t *posts = world.body.page.posts.items;
    ensure(world.body.page.posts.n == last - first + 1);
    for (uint64_t seq = first; seq <= last; seq++, posts++) {
        ensure(posts->seq == seq && cf_id_equal(posts->id, self->ids[seq]));
        ensure(cf_str_equal(posts->text, cf_str(self->texts[seq])));
        ensure(cf_str_equal(posts->username, user_row(0).username));
    }
}

static void read_rooms(void)
{
    static const cf_id_t none;
    uint64_t last = world.rooms[0].last;
    for (int i = 0; i < ROOMS; i++)
        read_room(i, CF_POSTS_NEWEST, 0, none, 1, world.rooms[i].last);
    read_room(0, CF_POSTS_AFTER_SEQ, 2, none, 3, last);
    read_room(0, CF_POSTS_BEFORE_TIME, world.now_us + 3, none, 1, 2);
    read_room(0, CF_POSTS_BEFORE_ID, 0, world.rooms[0].ids[last], 1, last - 1);
}

static void list_rooms(void)
{
    cf_list_rooms_t list = {.from_newest = true, .limit = 2};
    insist(READER, CF_MSG_LIST_ROOMS, (cf_id_t){0}, &list, CF_MSG_ROOM_LIST);
    const cf_room_entry_t *rooms = world.body.list.rooms.items;
    ensure(world.body.list.rooms.n == 2);
    for (int i = 0; i < 2; i++)
        ensure(cf_str_equal(rooms[i].name, cf_str("a room")));
}

/* --- writes ------------------------------------------------------------------------------------
 */

static void make_people(void)
{
    for (unsigned i = 0; i < 3; i++) {
        cf_user_t user = user_row(i);
        insist(STORAGE, CF_MSG_CREATE_USER, (cf_id_t){0}, &user, CF_MSG_DONE);
    }
    cf_user_t other = user_row(1);
    other.id = USER(world.number * 10 + 9);
    while (ask(STORAGE, CF_MSG_CREATE_USER, (cf_id_t){0}, &other) == CF_MSG_REFUSED &&
           is_for_want_of_memory())
        ensure(!world.strict);
    ensure(world.answered == CF_MSG_REFUSED && world.body.refused.reason == -CF_EEXIST);
    cf_set_password_t set = {user_row(0).id, cf_str("$argon2id$new")};
    insist(STORAGE, CF_MSG_SET_PASSWORD, (cf_id_t){0}, &set, CF_MSG_DONE);
}

static void make_sessions(void)
{
    cf_session_t here = session_row(0, cf_wall_us() + HOUR_US), over = session_row(1, T0),
                 gone = session_row(2, cf_wall_us() + HOUR_US);
    insist(STORAGE, CF_MSG_ADD_SESSION, (cf_id_t){0}, &here, CF_MSG_DONE);
    insist(STORAGE, CF_MSG_ADD_SESSION, (cf_id_t){0}, &over, CF_MSG_DONE);
    insist(STORAGE, CF_MSG_ADD_SESSION, (cf_id_t){0}, &gone, CF_MSG_DONE);
    cf_remove_session_t remove;
    memcpy(remove.token_hash, gone.token_hash, sizeof remove.token_hash);
    insist(STORAGE, CF_MSG_REMOVE_SESSION, (cf_id_t){0}, &remove, CF_MSG_DONE);
    cf_disable_user_t disable = {user_row(2).id, T0};
    cf_enable_user_t enable = {user_row(2).id};
    insist(STORAGE, CF_MSG_DISABLE_USER, (cf_id_t){0}, &disable, CF_MSG_DONE);
    insist(STORAGE, CF_MSG_ENABLE_USER, (cf_id_t){0}, &enable, CF_MSG_DONE);
}

static void make_rooms(void)
{
    for (int i = 0; i < ROOMS; i++) {
        cf_create_room_t room = {.id = room_id(i),
                                 .name = cf_str("a room"),
                                 .creator = user_row(0).id,
                                 .created_us = T0 + (int64_t)world.number};
        insist(STORAGE, CF_MSG_CREATE_ROOM, room_id(i), &room, CF_MSG_DONE);
        insist(STORAGE, CF_MSG_ACTIVATE, room_id(i), &(cf_activate_t){0}, CF_MSG_ACTIVATED);
        world.rooms[i] = (room_t){.epoch = world.body.activated.epoch};
        ensure(world.body.activated.last_seq == 0);
    }
    cf_member_change_t change = {user_row(1).id, T0};
    insist(STORAGE, CF_MSG_ADD_MEMBER, room_id(0), &change, CF_MSG_DONE);
}

static void forget_a_member(void)
{
    cf_member_change_t change = {user_row(1).id, T0};
    insist(STORAGE, CF_MSG_REMOVE_MEMBER, room_id(0), &change, CF_MSG_DONE);
}

static void bury_a_letter(void)
{
    cf_dead_letter_t letter = {.id = id_of(5, world.number),
                               .room = room_id(0),
                               .at_us = T0,
                               .command = cf_str("/stock=a.us"),
                               .reason = cf_str("nobody there"),
                               .attempts = 1};
    insist(STORAGE, CF_MSG_DEAD_LETTER, room_id(0), &letter, CF_MSG_DONE);
}

/* --- the others --------------------------------------------------------------------------------
 */

static void hash(void)
{
    static const char *const passwords[] = {"right", "wrong"};
    char kept[256];
    cf_hash_t asked = {cf_str("right")};
    insist(HASHER, CF_MSG_HASH, (cf_id_t){0}, &asked, CF_MSG_HASHED);
    cf_str_t hashed = world.body.hashed.password_hash;
    ensure(hashed.size < sizeof kept);
    memcpy(kept, hashed.bytes, hashed.size);
    for (int i = 0; i < 2; i++) {
        cf_verify_t verify = {cf_str(passwords[i]), {kept, hashed.size}};
        insist(HASHER, CF_MSG_VERIFY, (cf_id_t){0}, &verify, CF_MSG_VERIFIED);
        ensure(world.body.verified.ok == (i == 0));
    }
}

static void watch(void)
{
    int64_t until_us = cf_boot_us() + WAIT_US;
    insist(STATS, CF_MSG_METRICS, (cf_id_t){0}, NULL, CF_MSG_METRICS_TEXT);
    cf_str_t text = world.body.text.text;
    ensure(text.size > 100 && text.bytes[text.size - 1] == '\n');
    do { /* what a store says of itself may be lost; it says it every second */
        insist(STATS, CF_MSG_HEALTH, (cf_id_t){0}, NULL, CF_MSG_HEALTH_STATE);
        ensure(cf_boot_us() < until_us);
    } while (!world.body.health.ready || !world.body.health.live);
}

static void wait_for_the_sweeper(void)
{
    cf_find_session_t find;
    int64_t until_us = cf_boot_us() + WAIT_US;
    memcpy(find.token_hash, session_row(1, 0).token_hash, sizeof find.token_hash);
    while (ask(READER, CF_MSG_FIND_SESSION, (cf_id_t){0}, &find) != CF_MSG_REFUSED ||
           world.body.refused.reason != -CF_ENOENT)
        ensure(cf_boot_us() < until_us);
}

static void begin_a_day(void)
{
    world.number++;
    world.now_us = cf_wall_us(); /* keys of old posts would be swept */
    make_people();
    make_rooms();
}

static void live_a_day(void)
{
    begin_a_day();
    make_sessions();
    append(0, 3);
    append(1, 1);
    append(0, 2);
    repeat_a_key(0);
    /* memory doubles: sooner or later it is a verdict that needs more */
    for (uint32_t members = 1; members <= 31; members = 2 * members + 1)
        write_together(members);
    append(1, 5);
    find_member(1, true);
    forget_a_member();
    find_member(1, false);
    bury_a_letter();
    find_users();
    find_session(0, true);
    find_session(2, false);
    read_rooms();
    list_rooms();
    hash();
    watch();
    wait_for_the_sweeper();
}

/* Of everything a little. */
static void live_an_hour(void)
{
    begin_a_day();
    append(0, 3);
    write_together(1);
    find_member(1, true);
    find_users();
    read_rooms();
    list_rooms();
    hash();
    watch();
}

/* What failed last may have cost a connection; it comes back by itself. */
static void wait_for_the_store(void)
{
    cf_set_password_t set = {user_row(0).id, cf_str("$argon2id$new")};
    cf_find_user_t find = {.by = CF_USER_BY_ID, .id = user_row(0).id};
    insist(STORAGE, CF_MSG_SET_PASSWORD, (cf_id_t){0}, &set, CF_MSG_DONE);
    insist(READER, CF_MSG_FIND_USER, (cf_id_t){0}, &find, CF_MSG_USER);
}

/* --- runs --------------------------------------------------------------------------------------
 */

static void begin(unsigned long failing, unsigned in_a_row)
{
    world.failing = failing;
    world.in_a_row = in_a_row;
    world.depth = 0;
    cf_log_set_level((cf_log_level_t)(CF_LOG_ERROR + 1)); /* what fails here is meant to */
    cr_assert(cf_bus_init(&world.bus, NODE) == 0);
    cr_assert(cf_inbox_open(&world.asker, &world.bus, asker_at) == 0);
    cr_assert(cf_inbox_open(&world.lobby, &world.bus, lobby_at) == 0);
    cr_assert(cf_inbox_open(&world.supervisor, &world.bus, supervisor_at) == 0);
    cr_assert(cf_outbox_new(&world.out, &world.bus, asker_at) == 0);
    for (int i = 0; i < ACTORS; i++)
        cr_assert(cf_actor_new(&world.actors[i], &world.bus, actor_at[i]) == 0);
}

static void end(void)
{
    for (int i = 0; i < ACTORS; i++)
        cf_actor_join(&world.actors[i]);
    cf_inbox_close(&world.asker);
    cf_inbox_close(&world.lobby);
    cf_inbox_close(&world.supervisor);
    cf_outbox_destroy(&world.out);
    cf_buf_free(&world.copy);
    cf_arena_free(&world.arena);
    cf_bus_close(&world.bus);
}

static cf_store_link_config_t link_to_store(int actor)
{
    return (cf_store_link_config_t){.actor = world.actors[actor],
                                    .url = place_url(),
                                    .statement_ms = STATEMENT_MS,
                                    .key_ttl_us = KEY_TTL_US};
}

static int make_all(void)
{
    cf_address_t watched[] = {actor_at[STORAGE], actor_at[READER], actor_at[SWEEPER],
                              actor_at[HASHER]};
    cf_storage_config_t storage = {
        .link = link_to_store(STORAGE), .batch_rows = 64, .batch_bytes = 1u << 20};
    cf_reader_config_t reader = {.link = link_to_store(READER)};
    cf_sweeper_config_t sweeper = {.interval_us = 20000, .key_ttl_us = KEY_TTL_US};
    cf_stats_config_t stats = {world.actors[STATS], watched, 4, "1", true, false};
    cf_hasher_config_t hasher = {world.actors[HASHER], 1, 8};
    int rc = cf_storage_new((cf_storage_t **)&world.states[STORAGE], &storage);
    if (rc == 0)
        rc = cf_reader_new((cf_reader_t **)&world.states[READER], &reader);
    if (rc == 0)
        rc = cf_sweeper_new((cf_sweeper_t **)&world.states[SWEEPER], &sweeper);
    if (rc == 0)
        rc = cf_stats_new((cf_stats_t **)&world.states[STATS], &stats);
    if (rc == 0)
        rc = cf_hasher_new((cf_hasher_t **)&world.states[HASHER], &hasher);
    return rc;
}

/* Each actor's loop is the next one's life; the innermost is the scenario. */
static void nest(void *state, cf_actor_t *actor)
{
    (void)state, (void)actor;
    int next = world.depth++;
    if (next == ACTORS) {
        scenario();
        return;
    }
    world.ops[next] = *real_ops[next];
    world.ops[next].run = nest;
    cf_actor_run_here(world.actors[next], &world.ops[next], world.states[next]);
}

/* Returns how many allocations there were. */
static unsigned long run(void (*what)(void), unsigned long nth, unsigned in_a_row)
{
    begin(nth, in_a_row);
    cr_assert(make_all() == 0);
    scenario = what;
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    nest(NULL, NULL);
    unsigned long count = failing_malloc_end();
    end();
    return count;
}

static void live_and_recover(void)
{
    world.strict = world.failing == 0;
    live_a_day();
    failing_malloc_end();
    wait_for_the_store();
    world.strict = true;
    live_an_hour(); /* as if nothing had happened */
}

static void fail_each(unsigned in_a_row, unsigned long step)
{
    unsigned long count = run(live_and_recover, 0, 1);
    cr_assert(count > 0);
    for (unsigned long nth = 1; nth <= count + VARIANCE; nth += step)
        run(live_and_recover, nth, in_a_row);
}

/* SQLite's file in memory where that can be: how long a disk takes is of no interest here. */
static bool open_place(const backend_t *backend)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return place_new(backend);
}

#define ON_A_DATABASE(name)                                                                        \
    ParameterizedTestParameters(exhaustion_store, name)                                            \
    {                                                                                              \
        return cr_make_param_array(backend_t, every_store + 1, 2); /* SQLite, PostgreSQL */        \
    }                                                                                              \
    ParameterizedTest(backend_t *backend, exhaustion_store, name, .fini = place_remove,            \
                      .timeout = 900)

ON_A_DATABASE(any_one_allocation_may_fail)
{
    if (open_place(backend))
        fail_each(1, 1);
}

ON_A_DATABASE(no_memory_for_a_while_is_survived)
{
    if (open_place(backend))
        fail_each(4, 3);
}

Test(exhaustion_store, an_allocation_of_sqlite_may_fail, .fini = place_remove, .timeout = 900)
{
    cr_assert(failing_malloc_of_sqlite());
    cr_assert(open_place(&every_store[1]));
    fail_each(1, 5); /* of a thousand */
}

static size_t files_at(const char *pattern)
{
    glob_t found;
    size_t n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return n;
}

/* Which SQLite may survive: a smaller cache, say. */
Test(exhaustion_store, an_allocation_of_a_backup_may_fail, .fini = place_remove, .timeout = 900)
{
    char to[512], all[520];
    int rc = 0;
    unsigned failed = 1;
    cr_assert(failing_malloc_of_sqlite());
    cr_assert(open_place(&every_store[1]));
    place_fill(place_open(CF_STORE_WRITER, NULL));
    snprintf(to, sizeof to, "%s/backup", place_folder());
    snprintf(all, sizeof all, "%s*", to);
    for (unsigned long nth = 1; failed; nth++) {
        failing_malloc_begin(nth, 1);
        rc = cf_sqlite_backup(place_url() + strlen("sqlite:"), to);
        failing_malloc_end();
        failed = failing_malloc_failed();
        cr_assert(rc == 0 || rc == CF_EIO, "%d at %lu", rc, nth);
        cr_assert_eq(files_at(all), rc == 0, "at %lu", nth);
        unlink(to);
    }
    cr_assert_eq(rc, 0);
}
