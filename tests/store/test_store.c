/* The contract of store.h, the same cases on every backend. */
#include "append.h"
#include "faulty.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ON_EVERY_STORE(name)                                                                       \
    ParameterizedTestParameters(store, name)                                                       \
    {                                                                                              \
        return cr_make_param_array(backend_t, every_store, 5);                                     \
    }                                                                                              \
    ParameterizedTest(backend_t *backend, store, name, .fini = place_remove, .timeout = 120)

#define T0 INT64_C(1700000000000000) /* microseconds */

/* --- a store with users 1..3, rooms 1..3 of user 1 (room 3 is ephemeral), all activated once ----
 */

static cf_store_t *store;

static cf_outcome_t do_write(cf_write_t write)
{
    cf_outcome_t outcome;
    memset(&outcome, 0x5a, sizeof outcome);
    store->ops->write(store, &write, 1, &outcome);
    return outcome;
}

static cf_write_t user_write(uint64_t n, const char *name, const char *email)
{
    return (cf_write_t){.kind = CF_WRITE_CREATE_USER,
                        .create_user = {.id = USER(n),
                                        .username = cf_str(name),
                                        .email = cf_str(email),
                                        .password_hash = cf_str("$argon2id$x"),
                                        .created_us = T0}};
}

static cf_write_t room_write(uint64_t n, const char *name, int64_t created_us, bool ephemeral)
{
    return (cf_write_t){.kind = CF_WRITE_CREATE_ROOM,
                        .create_room = {.id = ROOM(n),
                                        .name = cf_str(name),
                                        .creator = USER(1),
                                        .created_us = created_us,
                                        .ephemeral = ephemeral}};
}

static cf_write_t member_write(cf_write_kind_t kind, uint64_t room, uint64_t user)
{
    return (cf_write_t){.kind = kind,
                        .member = {.room = ROOM(room), .user = USER(user), .at_us = T0}};
}

static cf_write_t activate_write(uint64_t room)
{
    return (cf_write_t){.kind = CF_WRITE_ACTIVATE, .activate.room = ROOM(room)};
}

static cf_write_t session_write(uint64_t n, uint64_t user, int64_t expires_us)
{
    cf_write_t write = {
        .kind = CF_WRITE_ADD_SESSION,
        .add_session = {
            .id = id_of(4, n), .user = USER(user), .created_us = T0, .expires_us = expires_us}};
    memset(write.add_session.token_hash, (int)n, CF_TOKEN_HASH_SIZE);
    return write;
}

static bool open_store(const backend_t *backend)
{
    if (!place_new(backend))
        return false;
    int rc;
    store = place_open(CF_STORE_WRITER, &rc);
    cr_assert(store, "cannot open: %d", rc);
    return true;
}

static bool open_filled(const backend_t *backend)
{
    if (!open_store(backend))
        return false;
    cf_write_t writes[] = {user_write(1, "ann", "ann@test.com"),
                           user_write(2, "bob", "bob@test.com"),
                           user_write(3, "eve", "eve@test.com"),
                           room_write(1, "one", T0, false),
                           room_write(2, "two", T0 + 1, false),
                           room_write(3, "three", T0 + 2, true),
                           activate_write(1),
                           activate_write(2),
                           activate_write(3)};
    cf_outcome_t outcomes[9];
    cr_assert_eq(store->ops->write(store, writes, 9, outcomes), 0);
    for (int i = 0; i < 9; i++)
        cr_assert_eq(outcomes[i].rc, 0, "write %d: %d", i, outcomes[i].rc);
    return true;
}

/* --- runs --------------------------------------------------------------------------------------
 */

static char texts[CF_RUN_ROWS_MAX][32];

/* n rows behind prev in a room; ids and times follow from room and seq. */
static cf_run_t make_run(cf_post_t *rows, uint64_t room, uint64_t prev, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t seq = prev + 1 + i;
        snprintf(texts[i], sizeof texts[i], "text %llu", (unsigned long long)seq);
        rows[i] = (cf_post_t){.seq = seq,
                              .id = POST(room * 1000000 + seq),
                              .sender = USER(1),
                              .at_us = T0 + (int64_t)seq * 1000,
                              .kind = CF_POST_TEXT,
                              .text = cf_str(texts[i])};
        memset(rows[i].body_hash, (int)seq, CF_BODY_HASH_SIZE);
    }
    return (cf_run_t){.room = ROOM(room), .epoch = 1, .prev = prev, .rows = rows, .n = n};
}

static cf_outcome_t append(cf_run_t run)
{
    return do_write((cf_write_t){.kind = CF_WRITE_APPEND, .append = run});
}

static cf_outcome_t append_new(uint64_t room, uint64_t prev, uint32_t n)
{
    static cf_post_t rows[CF_RUN_ROWS_MAX];
    return append(make_run(rows, room, prev, n));
}

static void expect(cf_outcome_t outcome, cf_verdict_status_t status, uint32_t stored)
{
    cr_assert_eq(outcome.status, status, "status %d instead of %d", outcome.status, status);
    cr_assert_eq(outcome.stored, stored, "%u stored instead of %u", outcome.stored, stored);
}

/* --- what reads deliver, gathered ----------------------------------------------------------------
 */

typedef struct {
    size_t key;
    uint64_t seq;
    cf_id_t id, sender;
    int64_t at_us;
    uint32_t kind;
    char username[64], text[CF_POST_TEXT_MAX + 1];
} seen_post_t;

static seen_post_t seen[1200];
static size_t seen_count;

static void on_post(void *arg, size_t key, const cf_post_t *post)
{
    (void)arg;
    cr_assert_lt(seen_count, sizeof seen / sizeof seen[0]);
    seen_post_t *to = &seen[seen_count++];
    *to = (seen_post_t){.key = key,
                        .seq = post->seq,
                        .id = post->id,
                        .sender = post->sender,
                        .at_us = post->at_us,
                        .kind = post->kind};
    memcpy(to->username, post->username.bytes, post->username.size);
    memcpy(to->text, post->text.bytes, post->text.size);
}

static bool read_range(cf_posts_range_t range)
{
    cf_posts_found_t found = CF_POSTS_NONE;
    seen_count = 0;
    cr_assert_eq(store->ops->read_posts(store, &range, 1, on_post, NULL, &found), 0);
    return found != CF_POSTS_NONE;
}

static cf_posts_range_t range_of(uint64_t room, cf_posts_from_t from, int64_t at, uint32_t limit)
{
    return (cf_posts_range_t){.room = ROOM(room), .from = from, .at = at, .limit = limit};
}

static void expect_seqs(uint64_t first, uint64_t last)
{
    size_t n = last >= first ? last - first + 1 : 0;
    cr_assert_eq(seen_count, n, "%zu posts instead of %zu", seen_count, n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(seen[i].seq, first + i);
}

static uint64_t stored_posts(uint64_t room)
{
    read_range(range_of(room, CF_POSTS_AFTER_SEQ, 0, CF_RUN_ROWS_MAX));
    for (size_t i = 0; i < seen_count; i++)
        cr_assert_eq(seen[i].seq, i + 1, "a gap before seq %llu", (unsigned long long)seen[i].seq);
    return seen_count;
}

/* --- users ---------------------------------------------------------------------------------------
 */

static cf_user_t found_user;
static char found_name[64], found_email[300], found_hash[300];
static size_t found_users;

static void on_user(void *arg, size_t key, const cf_user_t *user)
{
    (void)arg, (void)key;
    found_users++;
    found_user = *user;
    snprintf(found_name, sizeof found_name, "%.*s", (int)user->username.size, user->username.bytes);
    snprintf(found_email, sizeof found_email, "%.*s", (int)user->email.size, user->email.bytes);
    snprintf(found_hash, sizeof found_hash, "%.*s", (int)user->password_hash.size,
             user->password_hash.bytes);
}

static size_t find_user(cf_user_key_t key)
{
    found_users = 0;
    cr_assert_eq(store->ops->find_users(store, &key, 1, on_user, NULL), 0);
    return found_users;
}

ON_EVERY_STORE(finds_a_user_by_id_and_by_exact_name)
{
    if (!open_filled(backend))
        return;
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_ID, .id = USER(2)}), 1);
    cr_assert_str_eq(found_name, "bob");
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_NAME, .name = cf_str("ann")}), 1);
    cr_assert(cf_id_equal(found_user.id, USER(1)));
    cr_assert_str_eq(found_email, "ann@test.com");
    cr_assert_str_eq(found_hash, "$argon2id$x");
    cr_assert_eq(found_user.created_us, T0);
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_NAME, .name = cf_str("Ann")}), 0);
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_ID, .id = USER(9)}), 0);
}

ON_EVERY_STORE(answers_many_user_keys_in_one_call)
{
    if (!open_filled(backend))
        return;
    cf_user_key_t keys[] = {{.by = CF_USER_BY_NAME, .name = cf_str("nobody")},
                            {.by = CF_USER_BY_ID, .id = USER(1)},
                            {.by = CF_USER_BY_NAME, .name = cf_str("eve")},
                            {.by = CF_USER_BY_ID, .id = USER(1)}};
    found_users = 0;
    cr_assert_eq(store->ops->find_users(store, keys, 4, on_user, NULL), 0);
    cr_assert_eq(found_users, 3);
    cr_assert_eq(store->ops->find_users(store, keys, 0, on_user, NULL), 0);
}

ON_EVERY_STORE(refuses_a_taken_name_or_email_and_nothing_else_of_the_batch)
{
    if (!open_filled(backend))
        return;
    cf_write_t writes[] = {
        user_write(10, "ann", "new@test.com"), user_write(11, "new", "ann@test.com"),
        user_write(12, "Ann", "Ann@test.com"), user_write(13, "Ann", "x@test.com"),
        user_write(14, "zoe", "zoe@test.com")};
    cf_outcome_t outcomes[5];
    cr_assert_eq(store->ops->write(store, writes, 5, outcomes), 0);
    int expected[] = {CF_EEXIST, CF_EEXIST, 0, CF_EEXIST, 0};
    for (int i = 0; i < 5; i++)
        cr_assert_eq(outcomes[i].rc, expected[i], "write %d: %d", i, outcomes[i].rc);
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_NAME, .name = cf_str("zoe")}), 1);
}

ON_EVERY_STORE(takes_a_repeated_write_as_done)
{
    if (!open_filled(backend))
        return;
    cr_assert_eq(do_write(user_write(1, "ann", "ann@test.com")).rc, 0);
    cr_assert_eq(do_write(room_write(1, "one", T0, false)).rc, 0);
    cr_assert_eq(do_write(session_write(1, 1, T0 + 5)).rc, 0);
    cr_assert_eq(do_write(session_write(1, 1, T0 + 5)).rc, 0);
    cf_write_t other = session_write(1, 1, T0 + 5);
    other.add_session.id = id_of(4, 99);
    cr_assert_eq(do_write(other).rc, CF_EEXIST, "another session with the same token");
}

ON_EVERY_STORE(keeps_names_within_their_bounds)
{
    if (!open_filled(backend))
        return;
    static char longest[CF_ROOM_NAME_MAX + 8];
    static const struct {
        const char *name;
        int rc;
    } users[] = {
        {"abc", 0},
        {"ab", CF_ERANGE},
        {"x2345678901234567890123456789012345678901234567890", 0},
        {"x23456789012345678901234567890123456789012345678901", CF_ERANGE},
        {"a-b", CF_ERANGE},
        {"", CF_ERANGE},
    };
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        char email[32];
        snprintf(email, sizeof email, "u%zu@test.com", i);
        cr_assert_eq(do_write(user_write(20 + i, users[i].name, email)).rc, users[i].rc, "%s",
                     users[i].name);
    }
    memset(longest, 'e', CF_EMAIL_MAX + 1);
    cr_assert_eq(do_write(user_write(40, "mail_256", longest)).rc, CF_ERANGE);
    longest[CF_EMAIL_MAX] = '\0';
    cr_assert_eq(do_write(user_write(41, "mail_255", longest)).rc, 0);
    for (int i = 0; i < 101; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x98\x80", 4);
    longest[400] = '\0';
    cr_assert_eq(do_write(room_write(40, longest, T0, false)).rc, 0, "100 characters of 4 bytes");
    memset(longest, 'r', 101);
    longest[101] = '\0';
    cr_assert_eq(do_write(room_write(41, longest, T0, false)).rc, CF_ERANGE, "101 characters");
    cr_assert_eq(do_write(room_write(42, "", T0, false)).rc, CF_ERANGE);
    cf_write_t nul = room_write(43, "abc", T0, false);
    nul.create_room.name = (cf_str_t){"a\0c", 3};
    cr_assert_eq(do_write(nul).rc, CF_ERANGE);
    cr_assert_eq(do_write(room_write(44, "\xc3\x28", T0, false)).rc, CF_ERANGE, "not UTF-8");
}

ON_EVERY_STORE(sets_a_password)
{
    if (!open_filled(backend))
        return;
    cf_write_t write = {.kind = CF_WRITE_SET_PASSWORD,
                        .set_password = {USER(2), cf_str("$argon2id$new")}};
    cr_assert_eq(do_write(write).rc, 0);
    find_user((cf_user_key_t){.by = CF_USER_BY_ID, .id = USER(2)});
    cr_assert_str_eq(found_hash, "$argon2id$new");
    write.set_password.user = USER(9);
    cr_assert_eq(do_write(write).rc, CF_ENOENT);
}

/* --- sessions ------------------------------------------------------------------------------------
 */

static size_t found_sessions;
static cf_session_t found_session;

static void on_session(void *arg, size_t key, const cf_session_t *session, const cf_user_t *user)
{
    (void)arg, (void)key;
    found_sessions++;
    found_session = *session;
    cr_assert(cf_id_equal(session->user, user->id));
    cr_assert_gt(user->username.size, 0);
}

static size_t find_session(uint64_t n)
{
    uint8_t hash[1][CF_TOKEN_HASH_SIZE];
    memset(hash[0], (int)n, sizeof hash[0]);
    found_sessions = 0;
    cr_assert_eq(store->ops->find_sessions(store, (const uint8_t(*)[CF_TOKEN_HASH_SIZE])hash, 1,
                                           on_session, NULL),
                 0);
    return found_sessions;
}

ON_EVERY_STORE(finds_adds_and_removes_sessions)
{
    if (!open_filled(backend))
        return;
    cr_assert_eq(do_write(session_write(1, 2, T0 + 7)).rc, 0);
    cr_assert_eq(do_write(session_write(2, 9, T0 + 7)).rc, CF_ENOENT, "no such user");
    cr_assert_eq(find_session(1), 1);
    cr_assert(cf_id_equal(found_session.id, id_of(4, 1)));
    cr_assert(cf_id_equal(found_session.user, USER(2)));
    cr_assert_eq(found_session.expires_us, T0 + 7);
    cr_assert_eq(found_session.token_hash[31], 1);
    cr_assert_eq(find_session(2), 0);
    cf_write_t removal = {.kind = CF_WRITE_REMOVE_SESSION};
    memset(removal.remove_session, 1, CF_TOKEN_HASH_SIZE);
    cr_assert_eq(do_write(removal).rc, 0);
    cr_assert_eq(do_write(removal).rc, 0, "idempotent");
    cr_assert_eq(find_session(1), 0);
}

ON_EVERY_STORE(expires_sessions_up_to_a_time_and_a_count)
{
    if (!open_filled(backend))
        return;
    for (uint64_t i = 1; i <= 5; i++)
        do_write(session_write(i, 1, T0 + (int64_t)i));
    cf_write_t expire = {.kind = CF_WRITE_EXPIRE_SESSIONS, .expire = {T0 + 3, 2}};
    cr_assert_eq(do_write(expire).stored, 2);
    cr_assert_eq(do_write(expire).stored, 1);
    cr_assert_eq(do_write(expire).stored, 0);
    cr_assert_eq(find_session(3), 0);
    cr_assert_eq(find_session(4), 1);
}

/* --- members -------------------------------------------------------------------------------------
 */

static bool room_exists, is_member;
static size_t found_members;

static void on_member(void *arg, size_t key, bool exists, bool member)
{
    (void)arg, (void)key;
    found_members++;
    room_exists = exists;
    is_member = member;
}

static void find_member(uint64_t room, uint64_t user)
{
    cf_member_key_t key = {ROOM(room), USER(user)};
    found_members = 0;
    cr_assert_eq(store->ops->find_members(store, &key, 1, on_member, NULL), 0);
    cr_assert_eq(found_members, 1);
}

ON_EVERY_STORE(keeps_members_and_makes_the_creator_one)
{
    if (!open_filled(backend))
        return;
    find_member(1, 1);
    cr_assert(room_exists && is_member);
    find_member(1, 2);
    cr_assert(room_exists && !is_member);
    find_member(9, 1);
    cr_assert(!room_exists && !is_member);
    cr_assert_eq(do_write(member_write(CF_WRITE_ADD_MEMBER, 1, 2)).rc, 0);
    cr_assert_eq(do_write(member_write(CF_WRITE_ADD_MEMBER, 1, 2)).rc, 0, "idempotent");
    find_member(1, 2);
    cr_assert(is_member);
    cr_assert_eq(do_write(member_write(CF_WRITE_ADD_MEMBER, 9, 2)).rc, CF_ENOENT);
    cr_assert_eq(do_write(member_write(CF_WRITE_ADD_MEMBER, 1, 9)).rc, CF_ENOENT);
    cr_assert_eq(do_write(member_write(CF_WRITE_REMOVE_MEMBER, 1, 2)).rc, 0);
    cr_assert_eq(do_write(member_write(CF_WRITE_REMOVE_MEMBER, 1, 2)).rc, 0, "idempotent");
    find_member(1, 2);
    cr_assert(!is_member);
}

/* --- disabled users ------------------------------------------------------------------------------
 */

static int set_disabled(cf_id_t user, bool disabled)
{
    cf_write_t disable = {.kind = CF_WRITE_DISABLE_USER, .disable_user = {user, T0 + 9}};
    cf_write_t enable = {.kind = CF_WRITE_ENABLE_USER, .enable_user = user};
    return do_write(disabled ? disable : enable).rc;
}

static const char *hash_of(const char *name)
{
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_NAME, .name = cf_str(name)}), 1);
    return found_hash;
}

ON_EVERY_STORE(a_disabled_user_loses_every_session_and_the_password_until_enabled)
{
    if (!open_filled(backend))
        return;
    do_write(session_write(1, 2, T0 + 7));
    do_write(session_write(2, 2, T0 + 7));
    do_write(session_write(3, 3, T0 + 7));
    cr_assert_eq(set_disabled(USER(2), true), 0);
    cr_assert_eq(set_disabled(USER(2), true), 0, "idempotent");
    cr_assert_eq(find_session(1) + find_session(2), 0);
    cr_assert_eq(find_session(3), 1, "another user's");
    cr_assert_str_eq(hash_of("bob"), "");
    find_user((cf_user_key_t){.by = CF_USER_BY_ID, .id = USER(2)});
    cr_assert_str_eq(found_hash, "");
    cr_assert_str_eq(hash_of("eve"), "$argon2id$x");
    cr_assert_eq(do_write(session_write(1, 2, T0 + 7)).rc, CF_EPERM, "no session comes back");
    cr_assert_eq(do_write(session_write(4, 2, T0 + 7)).rc, CF_EPERM, "nor begins");
    cr_assert_eq(find_session(1) + find_session(4), 0);
    cr_assert_eq(do_write(user_write(10, "bob", "new@test.com")).rc, CF_EEXIST, "the name stays");

    cr_assert_eq(set_disabled(USER(2), false), 0);
    cr_assert_eq(set_disabled(USER(2), false), 0, "idempotent");
    cr_assert_str_eq(hash_of("bob"), "$argon2id$x");
    cr_assert_eq(find_session(1) + find_session(2), 0, "the old sessions are over");
    cr_assert_eq(do_write(session_write(4, 2, T0 + 7)).rc, 0);
    cr_assert_eq(set_disabled(USER(2), false), 0, "who is not disabled");
    cr_assert_eq(find_session(4), 1);
}

ON_EVERY_STORE(a_disabled_users_new_password_counts_once_enabled)
{
    if (!open_filled(backend))
        return;
    cf_write_t password = {.kind = CF_WRITE_SET_PASSWORD,
                           .set_password = {USER(2), cf_str("$argon2id$new")}};
    set_disabled(USER(2), true);
    cr_assert_eq(do_write(password).rc, 0);
    cr_assert_str_eq(hash_of("bob"), "");
    set_disabled(USER(2), false);
    cr_assert_str_eq(hash_of("bob"), "$argon2id$new");
}

ON_EVERY_STORE(writes_of_one_batch_see_who_was_disabled_before_them)
{
    if (!open_filled(backend))
        return;
    cf_write_t writes[] = {
        session_write(1, 2, T0 + 7),
        {.kind = CF_WRITE_DISABLE_USER, .disable_user = {USER(2), T0}},
        session_write(2, 2, T0 + 7),
        session_write(3, 3, T0 + 7),
        {.kind = CF_WRITE_DISABLE_USER, .disable_user = {USER(9), T0}},
        {.kind = CF_WRITE_DISABLE_USER, .disable_user = {CF_BOT_ID, T0}},
        {.kind = CF_WRITE_ENABLE_USER, .enable_user = USER(9)},
    };
    static const int codes[] = {0, 0, CF_EPERM, 0, CF_ENOENT, CF_EPERM, CF_ENOENT};
    cf_outcome_t outcomes[7];
    cr_assert_eq(store->ops->write(store, writes, 7, outcomes), 0);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(outcomes[i].rc, codes[i], "write %d: %d", i, outcomes[i].rc);
    cr_assert_eq(find_session(1) + find_session(2), 0);
    cr_assert_eq(find_session(3), 1);
}

ON_EVERY_STORE(history_names_a_disabled_user)
{
    if (!open_filled(backend))
        return;
    append_new(1, 0, 2); /* of ann */
    set_disabled(USER(1), true);
    read_range(range_of(1, CF_POSTS_NEWEST, 0, 10));
    expect_seqs(1, 2);
    cr_assert_str_eq(seen[0].username, "ann");
    find_member(1, 1);
    cr_assert(is_member);
}

/* --- rooms ---------------------------------------------------------------------------------------
 */

static cf_id_t listed[300];
static size_t listed_count;
static cf_room_row_t last_listed;

static void on_room(void *arg, const cf_room_row_t *room)
{
    (void)arg;
    listed[listed_count++] = room->id;
    last_listed = *room;
    last_listed.name = (cf_str_t){0};
    cr_assert_gt(room->name.size, 0);
}

static size_t list_rooms(const cf_id_t *after, uint32_t limit)
{
    listed_count = 0;
    cr_assert_eq(store->ops->list_rooms(store, after, limit, on_room, NULL), 0);
    return listed_count;
}

ON_EVERY_STORE(pages_rooms_newest_first_also_with_equal_times)
{
    if (!open_store(backend))
        return;
    cr_assert_eq(list_rooms(NULL, 10), 0);
    do_write(user_write(1, "ann", "ann@test.com"));
    for (uint64_t i = 1; i <= 25; i++)
        cr_assert_eq(do_write(room_write(i, "same", T0 + (int64_t)(i / 10), false)).rc, 0);
    cf_id_t after, *from = NULL;
    uint64_t expected = 25;
    while (list_rooms(from, 4) > 0) {
        for (size_t i = 0; i < listed_count; i++, expected--)
            cr_assert(cf_id_equal(listed[i], ROOM(expected)), "room %llu is missing",
                      (unsigned long long)expected);
        after = listed[listed_count - 1];
        from = &after;
    }
    cr_assert_eq(expected, 0);
    after = ROOM(99);
    cr_assert_eq(list_rooms(&after, 10), 0, "an unknown cursor");
    cr_assert_eq(list_rooms(NULL, CF_ROOM_LIST_MAX + 1), 25);
    cr_assert(cf_id_equal(last_listed.creator, USER(1)));
    cr_assert_eq(last_listed.created_us, T0);
}

ON_EVERY_STORE(raises_the_epoch_at_every_activation)
{
    if (!open_filled(backend))
        return;
    append_new(1, 0, 3);
    cf_outcome_t outcome = do_write(activate_write(1));
    cr_assert_eq(outcome.rc, 0);
    cr_assert_eq(outcome.room.epoch, 2);
    cr_assert_eq(outcome.room.last_seq, 3);
    cr_assert_eq(outcome.room.last_us, T0 + 3000);
    cr_assert_eq(outcome.room.created_us, T0);
    cr_assert(cf_id_equal(outcome.room.id, ROOM(1)));
    cr_assert(cf_id_equal(outcome.room.creator, USER(1)));
    cr_assert_not(outcome.room.ephemeral);
    cr_assert_eq(do_write(activate_write(3)).room.ephemeral, true);
    cr_assert_eq(do_write(activate_write(9)).rc, CF_ENOENT);
}

ON_EVERY_STORE(refuses_a_room_of_nobody)
{
    if (!open_store(backend))
        return;
    cr_assert_eq(do_write(room_write(1, "one", T0, false)).rc, CF_ENOENT);
    cr_assert_eq(list_rooms(NULL, 5), 0);
}

/* --- appends -------------------------------------------------------------------------------------
 */

ON_EVERY_STORE(stores_a_run_and_reads_it_back)
{
    if (!open_filled(backend))
        return;
    cf_post_t rows[3];
    cf_run_t run = make_run(rows, 1, 0, 3);
    rows[1].sender = USER(2);
    rows[2].kind = CF_POST_BOT;
    rows[2].text = cf_str("\xc3\xa9 \xf0\x9f\x98\x80 \t\n'\"\\");
    expect(append(run), CF_VERDICT_STORED, 3);
    cr_assert(read_range(range_of(1, CF_POSTS_NEWEST, 0, 10)));
    expect_seqs(1, 3);
    cr_assert(cf_id_equal(seen[1].id, rows[1].id));
    cr_assert(cf_id_equal(seen[1].sender, USER(2)));
    cr_assert_str_eq(seen[1].username, "bob");
    cr_assert_eq(seen[1].at_us, rows[1].at_us);
    cr_assert_eq(seen[0].kind, CF_POST_TEXT);
    cr_assert_eq(seen[2].kind, CF_POST_BOT);
    cr_assert_str_eq(seen[2].text, "\xc3\xa9 \xf0\x9f\x98\x80 \t\n'\"\\");
}

ON_EVERY_STORE(stores_the_longest_run)
{
    if (!open_filled(backend))
        return;
    expect(append_new(1, 0, CF_RUN_ROWS_MAX), CF_VERDICT_STORED, CF_RUN_ROWS_MAX);
    expect(append_new(1, CF_RUN_ROWS_MAX, 1), CF_VERDICT_STORED, 1);
    cr_assert_eq(stored_posts(1), CF_RUN_ROWS_MAX);
}

ON_EVERY_STORE(chains_runs_of_one_room_among_others)
{
    if (!open_filled(backend))
        return;
    static cf_post_t rows[6][2];
    cf_write_t writes[] = {
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[0], 1, 0, 2)},
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[1], 2, 0, 1)},
        member_write(CF_WRITE_ADD_MEMBER, 1, 2),
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[2], 1, 2, 2)},
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[3], 1, 5, 1)},
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[4], 2, 1, 2)},
    };
    cf_outcome_t outcomes[6];
    cr_assert_eq(store->ops->write(store, writes, 6, outcomes), 0);
    expect(outcomes[0], CF_VERDICT_STORED, 2);
    expect(outcomes[1], CF_VERDICT_STORED, 1);
    cr_assert_eq(outcomes[2].rc, 0);
    expect(outcomes[3], CF_VERDICT_STORED, 2);
    expect(outcomes[4], CF_VERDICT_OUT_OF_ORDER, 0);
    expect(outcomes[5], CF_VERDICT_STORED, 2);
    cr_assert_eq(stored_posts(1), 4);
    cr_assert_eq(stored_posts(2), 3);
}

ON_EVERY_STORE(keeps_the_order_of_appends_and_activations)
{
    if (!open_filled(backend))
        return;
    static cf_post_t rows[3][1];
    cf_run_t newer = make_run(rows[2], 1, 1, 1);
    newer.epoch = 2;
    cf_write_t writes[] = {
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[0], 1, 0, 1)},
        activate_write(1),
        {.kind = CF_WRITE_APPEND, .append = make_run(rows[1], 1, 1, 1)},
        {.kind = CF_WRITE_APPEND, .append = newer},
    };
    cf_outcome_t outcomes[4];
    cr_assert_eq(store->ops->write(store, writes, 4, outcomes), 0);
    expect(outcomes[0], CF_VERDICT_STORED, 1);
    cr_assert_eq(outcomes[1].room.last_seq, 1);
    expect(outcomes[2], CF_VERDICT_STALE_EPOCH, 0);
    expect(outcomes[3], CF_VERDICT_STORED, 1);
}

ON_EVERY_STORE(refuses_a_stale_epoch_a_gap_a_repeat_and_an_unknown_room)
{
    if (!open_filled(backend))
        return;
    cf_post_t rows[2];
    expect(append_new(1, 0, 2), CF_VERDICT_STORED, 2);
    cf_run_t run = make_run(rows, 1, 2, 2);
    run.epoch = 0;
    expect(append(run), CF_VERDICT_STALE_EPOCH, 0);
    run.epoch = 2;
    expect(append(run), CF_VERDICT_STALE_EPOCH, 0);
    expect(append_new(1, 3, 1), CF_VERDICT_OUT_OF_ORDER, 0);
    expect(append_new(1, 0, 2), CF_VERDICT_OUT_OF_ORDER, 0);
    expect(append_new(9, 0, 1), CF_VERDICT_NO_ROOM, 0);
    cr_assert_eq(stored_posts(1), 2);
}

ON_EVERY_STORE(lets_no_writer_with_an_old_epoch_write)
{
    if (!open_filled(backend))
        return;
    if (strcmp(backend->name, "sqlite") == 0)
        return; /* there is no second writer; test_sqlite.c shows that it is refused */
    cf_store_t *other = place_open(CF_STORE_WRITER, NULL);
    expect(append_new(1, 0, 1), CF_VERDICT_STORED, 1);
    cf_write_t write = activate_write(1);
    cf_outcome_t outcome;
    cr_assert_eq(other->ops->write(other, &write, 1, &outcome), 0);
    cr_assert_eq(outcome.room.epoch, 2);
    expect(append_new(1, 1, 1), CF_VERDICT_STALE_EPOCH, 0);
    cr_assert_eq(stored_posts(1), 1);
}

ON_EVERY_STORE(never_appends_to_an_ephemeral_room)
{
    if (!open_filled(backend))
        return;
    expect(append_new(3, 0, 2), CF_VERDICT_BAD_ROW, 0);
    cr_assert_eq(stored_posts(3), 0);
}

/* Makes the second row of three bad in one way. */
typedef enum {
    EMPTY_TEXT,
    TEXT_BYTES_ABOVE,
    TEXT_CHARS_ABOVE,
    NUL_IN_TEXT,
    ILL_FORMED_TEXT,
    UNKNOWN_KIND,
    SAME_ID,
    SAME_TIME,
    OTHER_SEQ,
    KEY_ABOVE,
    NUL_IN_KEY,
    BAD_COUNT,
} bad_t;

static void spoil(cf_post_t *row, const cf_post_t *before, bad_t bad)
{
    static char text[CF_POST_TEXT_MAX + 8];
    memset(text, 'x', sizeof text);
    switch (bad) {
    case EMPTY_TEXT:
        row->text.size = 0;
        break;
    case TEXT_BYTES_ABOVE:
        row->text = (cf_str_t){text, CF_POST_TEXT_MAX + 1};
        break;
    case TEXT_CHARS_ABOVE:
        row->text = (cf_str_t){text, CF_POST_CHARS_MAX + 1};
        break;
    case NUL_IN_TEXT:
        row->text = (cf_str_t){"a\0b", 3};
        break;
    case ILL_FORMED_TEXT:
        row->text = cf_str("\xed\xa0\x80");
        break;
    case UNKNOWN_KIND:
        row->kind = 3;
        break;
    case SAME_ID:
        row->id = before->id;
        break;
    case SAME_TIME:
        row->at_us = before->at_us;
        break;
    case OTHER_SEQ:
        row->seq++;
        break;
    case KEY_ABOVE:
        row->client_key = (cf_str_t){text, CF_CLIENT_KEY_MAX + 1};
        break;
    case NUL_IN_KEY:
        row->client_key = (cf_str_t){"k\0k", 3};
        break;
    default:
        cr_assert_fail("unknown way to be bad");
    }
}

ON_EVERY_STORE(stores_the_rows_before_a_bad_one_and_other_rooms_in_full)
{
    if (!open_filled(backend))
        return;
    for (int bad = 0; bad < BAD_COUNT; bad++) {
        static cf_post_t rows[3][3];
        uint64_t prev = (uint64_t)bad, other = (uint64_t)bad * 3;
        cf_run_t spoiled = make_run(rows[0], 1, prev, 3);
        spoil(&rows[0][1], &rows[0][0], (bad_t)bad);
        cf_write_t writes[] = {
            {.kind = CF_WRITE_APPEND, .append = make_run(rows[1], 2, other, 2)},
            {.kind = CF_WRITE_APPEND, .append = spoiled},
            {.kind = CF_WRITE_APPEND, .append = make_run(rows[2], 2, other + 2, 1)}};
        cf_outcome_t outcomes[3];
        cr_assert_eq(store->ops->write(store, writes, 3, outcomes), 0, "case %d", bad);
        expect(outcomes[0], CF_VERDICT_STORED, 2);
        cr_assert_eq(outcomes[1].status, CF_VERDICT_BAD_ROW, "case %d: %d", bad,
                     outcomes[1].status);
        cr_assert_eq(outcomes[1].stored, 1, "case %d", bad);
        expect(outcomes[2], CF_VERDICT_STORED, 1);
        cr_assert_eq(stored_posts(1), prev + 1);
        cr_assert_eq(stored_posts(2), other + 3);
    }
}

ON_EVERY_STORE(refuses_an_id_that_the_room_has_stored_before)
{
    if (!open_filled(backend))
        return;
    cf_post_t rows[CF_RUN_ROWS_MAX];
    expect(append_new(1, 0, 5), CF_VERDICT_STORED, 5);
    cf_run_t run = make_run(rows, 1, 5, 300);
    rows[170].id = POST(1000002);
    expect(append(run), CF_VERDICT_BAD_ROW, 170);
    cr_assert_eq(stored_posts(1), 175);
}

ON_EVERY_STORE(stores_text_and_key_at_their_bounds)
{
    if (!open_filled(backend))
        return;
    static char longest[CF_POST_TEXT_MAX];
    for (int i = 0; i < CF_POST_CHARS_MAX; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x98\x80", 4);
    cf_post_t rows[2];
    cf_run_t run = make_run(rows, 1, 0, 2);
    rows[0].text = (cf_str_t){longest, sizeof longest};
    rows[0].client_key = cf_str("k234567890123456789012345678901234567890123456789012345678901234");
    rows[1].text = cf_str("x");
    expect(append(run), CF_VERDICT_STORED, 2);
    read_range(range_of(1, CF_POSTS_NEWEST, 0, 2));
    cr_assert_eq(strlen(seen[0].text), sizeof longest);
    cr_assert_arr_eq(seen[0].text, longest, sizeof longest);
}

/* --- client keys ---------------------------------------------------------------------------------
 */

static cf_outcome_t append_with_key(uint64_t room, uint64_t seq, uint64_t sender, const char *key,
                                    int body, int64_t at_us)
{
    cf_post_t row;
    cf_run_t run = make_run(&row, room, seq - 1, 1);
    row.sender = USER(sender);
    row.client_key = cf_str(key);
    row.at_us = at_us;
    memset(row.body_hash, body, CF_BODY_HASH_SIZE);
    return append(run);
}

ON_EVERY_STORE(knows_a_client_key_again)
{
    if (!open_filled(backend))
        return;
    expect(append_with_key(1, 1, 1, "k", 7, T0 + 10), CF_VERDICT_STORED, 1);
    cf_outcome_t again = append_with_key(1, 2, 1, "k", 7, T0 + 20);
    expect(again, CF_VERDICT_DUPLICATE, 0);
    cr_assert(again.same_body);
    cr_assert_eq(again.seq, 1);
    cr_assert(cf_id_equal(again.id, POST(1000001)));
    cr_assert_eq(again.at_us, T0 + 10);
    again = append_with_key(1, 2, 1, "k", 8, T0 + 20);
    expect(again, CF_VERDICT_DUPLICATE, 0);
    cr_assert_not(again.same_body);
    expect(append_with_key(1, 2, 2, "k", 7, T0 + 20), CF_VERDICT_STORED, 1); /* other sender */
    expect(append_with_key(2, 1, 1, "k", 7, T0 + 20), CF_VERDICT_STORED, 1); /* other room */
    expect(append_with_key(1, 3, 1, "K", 7, T0 + 30), CF_VERDICT_STORED, 1); /* other key */
    cr_assert_eq(stored_posts(1), 3);
}

ON_EVERY_STORE(forgets_a_client_key_after_its_time)
{
    if (!open_filled(backend))
        return;
    append_with_key(1, 1, 1, "k", 7, T0);
    expect(append_with_key(1, 2, 1, "k", 7, T0 + KEY_TTL_US), CF_VERDICT_DUPLICATE, 0);
    expect(append_with_key(1, 2, 1, "k", 8, T0 + KEY_TTL_US + 1), CF_VERDICT_STORED, 1);
    cf_outcome_t again = append_with_key(1, 3, 1, "k", 8, T0 + KEY_TTL_US + 2);
    expect(again, CF_VERDICT_DUPLICATE, 0);
    cr_assert_eq(again.seq, 2, "the newer post has the key now");
}

ON_EVERY_STORE(expires_client_keys_up_to_a_time_and_a_count)
{
    if (!open_filled(backend))
        return;
    append_with_key(1, 1, 1, "a", 7, T0 + 1);
    append_with_key(1, 2, 1, "b", 7, T0 + 2);
    append_with_key(1, 3, 1, "c", 7, T0 + 3);
    cf_write_t expire = {.kind = CF_WRITE_EXPIRE_KEYS, .expire = {T0 + 2, 1}};
    cr_assert_eq(do_write(expire).stored, 1);
    cr_assert_eq(do_write(expire).stored, 1);
    cr_assert_eq(do_write(expire).stored, 0);
    expect(append_with_key(1, 4, 1, "c", 7, T0 + 5), CF_VERDICT_DUPLICATE, 0);
    expect(append_with_key(1, 4, 1, "a", 7, T0 + 5), CF_VERDICT_STORED, 1);
}

/* --- expiry of posts -----------------------------------------------------------------------------
 */

/* n posts behind prev, a second apart from `first_us` on; their ids are of `made_us`, as far apart. */
static void append_aged(uint64_t room, uint64_t prev, uint32_t n, int64_t first_us, int64_t made_us)
{
    static cf_post_t rows[CF_RUN_ROWS_MAX];
    cf_run_t run = make_run(rows, room, prev, n);
    for (uint32_t i = 0; i < n; i++) {
        rows[i].at_us = first_us + i * INT64_C(1000000);
        rows[i].id = cf_id_new(made_us + i * INT64_C(1000000));
    }
    expect(append(run), CF_VERDICT_STORED, n);
}

static uint32_t expire_posts(int64_t until_us, uint32_t limit)
{
    cf_outcome_t outcome = do_write(
        (cf_write_t){.kind = CF_WRITE_EXPIRE_POSTS, .expire = {.until_us = until_us, limit}});
    cr_assert_eq(outcome.rc, 0);
    return outcome.stored;
}

static void expect_kept(uint64_t room, uint64_t first, uint64_t last)
{
    read_range(range_of(room, CF_POSTS_AFTER_SEQ, 0, CF_RUN_ROWS_MAX));
    expect_seqs(first, last);
}

ON_EVERY_STORE(cuts_histories_off_at_a_time_and_a_count)
{
    if (!open_filled(backend))
        return;
    append_aged(1, 0, 6, T0, T0);
    append_aged(2, 0, 2, T0 + 10000000, T0 + 10000000);
    cr_assert_eq(expire_posts(T0 - 1, 100), 0);
    cr_assert_eq(expire_posts(T0 + 999999, 100), 1);
    expect_kept(1, 2, 6);
    cr_assert_eq(expire_posts(T0 + 3000000, 2), 2); /* the second 3 itself is over */
    expect_kept(1, 4, 6);
    cr_assert_eq(expire_posts(T0 + 3000000, 2), 1);
    cr_assert_eq(expire_posts(T0 + 3000000, 2), 0);
    expect_kept(1, 5, 6);
    expect_kept(2, 1, 2);
    cr_assert_eq(expire_posts(T0 + 10000000, 100), 3);
    expect_kept(1, 7, 6);
    expect_kept(2, 2, 2);
}

ON_EVERY_STORE(goes_on_numbering_and_reading_behind_what_has_expired)
{
    if (!open_filled(backend))
        return;
    append_aged(1, 0, 6, T0, T0);
    read_range(range_of(1, CF_POSTS_NEWEST, 0, 1));
    cf_posts_range_t by_id = {.room = ROOM(1), .from = CF_POSTS_BEFORE_ID, .limit = 10};
    by_id.id = seen[0].id;
    cr_assert_eq(expire_posts(T0 + 2000000, 100), 3);
    append_aged(1, 6, 1, T0 + 9000000, T0 + 9000000);
    expect_kept(1, 4, 7);
    read_range(range_of(1, CF_POSTS_NEWEST, 0, 100));
    expect_seqs(4, 7);
    read_range(range_of(1, CF_POSTS_BEFORE_SEQ, 3, 100));
    expect_seqs(1, 0);
    read_range(range_of(1, CF_POSTS_BEFORE_SEQ, 6, 100));
    expect_seqs(4, 5);
    read_range(range_of(1, CF_POSTS_BEFORE_TIME, T0 + 1000000, 100));
    expect_seqs(1, 0);
    read_range(range_of(1, CF_POSTS_BEFORE_TIME, T0 + 4000001, 100));
    expect_seqs(4, 5);
    cr_assert(read_range(by_id));
    expect_seqs(4, 5);
    cf_outcome_t outcome = do_write(activate_write(1));
    cr_assert_eq(outcome.room.last_seq, 7);
    cr_assert_eq(expire_posts(INT64_MAX / 2, 100), 4);
    outcome = do_write(activate_write(1));
    cr_assert_eq(outcome.room.last_seq, 7);
    cr_assert_eq(outcome.room.last_us, T0 + 9000000);
    cf_post_t row;
    cf_run_t run = make_run(&row, 1, 7, 1);
    row.at_us = T0 + 20000000;
    row.id = cf_id_new(row.at_us);
    run.epoch = outcome.room.epoch;
    expect(append(run), CF_VERDICT_STORED, 1);
    cr_assert_eq(expire_posts(T0 + 19999999, 100), 0);
    cr_assert_eq(expire_posts(T0 + 20000000, 100), 1);
}

ON_EVERY_STORE(leaves_no_hole_where_the_clock_was_stepped_back)
{
    if (!open_filled(backend))
        return;
    const int64_t step = INT64_C(7200000000);
    append_aged(1, 0, 3, T0, T0);
    append_aged(1, 3, 3, T0 + 3000000, T0 - step); /* made two hours before, by their ids */
    append_aged(2, 0, 3, T0 - step, T0 - step);
    cr_assert_eq(expire_posts(T0 - 1, 100), 3); /* what is not old enough stays, whatever its id */
    expect_kept(1, 1, 6);
    expect_kept(2, 4, 3);
    expire_posts(T0 + 3000000, 1);
    read_range(range_of(1, CF_POSTS_AFTER_SEQ, 0, 10));
    cr_assert_gt(seen_count, 0);
    expect_seqs(seen[0].seq, 6);
    while (expire_posts(T0 + 3000000, 1) > 0)
        ;
    expect_kept(1, 5, 6);
}

/* --- dead letters --------------------------------------------------------------------------------
 */

static cf_write_t letter_write(uint64_t n, int64_t at_us, const char *reason)
{
    return (cf_write_t){.kind = CF_WRITE_DEAD_LETTER,
                        .dead_letter = {.id = id_of(5, n),
                                        .room = ROOM(1),
                                        .at_us = at_us,
                                        .command = cf_str("/stock=AAPL.US"),
                                        .reason = cf_str(reason),
                                        .attempts = 3}};
}

static char letters[1024];

static void on_letter(void *arg, const cf_dead_letter_t *letter)
{
    size_t size = strlen(letters);
    cr_assert(cf_id_equal(letter->room, ROOM(1)));
    cr_assert_eq(letter->attempts, 3);
    cr_assert(cf_str_equal(letter->command, cf_str("/stock=AAPL.US")));
    snprintf(letters + size, sizeof letters - size, "%d@%lld:%.*s ", letter->id.bytes[15],
             (long long)(letter->at_us - T0), (int)letter->reason.size, letter->reason.bytes);
    *(cf_dead_letter_t *)arg = *letter;
}

static char *list_letters(const cf_dead_letter_t *after, uint32_t limit, cf_dead_letter_t *last)
{
    cf_dead_letter_t unused;
    letters[0] = '\0';
    cr_assert_eq(
        store->ops->list_dead_letters(store, after, limit, on_letter, last ? last : &unused), 0);
    return letters;
}

ON_EVERY_STORE(keeps_dead_letters_once_each_and_lists_them_by_age)
{
    if (!open_filled(backend))
        return;
    cf_dead_letter_t last;
    cr_assert_str_eq(list_letters(NULL, 10, NULL), "");
    cr_assert_eq(do_write(letter_write(2, T0 + 5, "b")).rc, 0);
    cr_assert_eq(do_write(letter_write(1, T0 + 5, "a")).rc, 0);
    cr_assert_eq(do_write(letter_write(3, T0 + 1, "c")).rc, 0);
    cr_assert_eq(do_write(letter_write(2, T0 + 5, "b")).rc, 0); /* a repeat */
    cr_assert_str_eq(list_letters(NULL, 10, NULL), "3@1:c 1@5:a 2@5:b ");
    cr_assert_str_eq(list_letters(NULL, 2, &last), "3@1:c 1@5:a ");
    cr_assert_str_eq(list_letters(&last, 2, NULL), "2@5:b ");
    cf_write_t other = letter_write(4, T0 + 6, "of a room nobody knows");
    other.dead_letter.room = ROOM(77);
    cr_assert_eq(do_write(other).rc, 0);
}

static char *find_letter(uint64_t n)
{
    cf_dead_letter_t unused;
    letters[0] = '\0';
    cr_assert_eq(store->ops->find_dead_letter(store, id_of(5, n), on_letter, &unused), 0);
    return letters;
}

ON_EVERY_STORE(finds_a_dead_letter_by_its_id_and_removes_it)
{
    if (!open_filled(backend))
        return;
    cf_write_t removal = {.kind = CF_WRITE_REMOVE_DEAD_LETTER, .remove_dead_letter = id_of(5, 2)};
    cr_assert_str_eq(find_letter(2), "");
    for (uint64_t n = 1; n <= 3; n++)
        cr_assert_eq(do_write(letter_write(n, T0 + (int64_t)n, "r")).rc, 0);
    cr_assert_str_eq(find_letter(2), "2@2:r ");
    cr_assert_eq(do_write(removal).rc, 0);
    cr_assert_str_eq(find_letter(2), "");
    cr_assert_str_eq(list_letters(NULL, 10, NULL), "1@1:r 3@3:r ");
    cr_assert_eq(do_write(removal).rc, 0); /* a repeat */
    cr_assert_eq(do_write(letter_write(2, T0 + 9, "s")).rc, 0);
    cr_assert_str_eq(find_letter(2), "2@9:s ");
}

ON_EVERY_STORE(keeps_dead_letters_within_their_bounds)
{
    if (!open_filled(backend))
        return;
    char longest[CF_DEAD_REASON_MAX + 2] = "";
    memset(longest, 'r', CF_DEAD_REASON_MAX + 1);
    cr_assert_eq(do_write(letter_write(1, T0, "")).rc, CF_ERANGE);
    cr_assert_eq(do_write(letter_write(1, T0, longest)).rc, CF_ERANGE);
    cr_assert_eq(do_write(letter_write(1, T0, "\xc3\x28")).rc, CF_ERANGE);
    longest[CF_DEAD_REASON_MAX] = '\0';
    cr_assert_eq(do_write(letter_write(1, T0, longest)).rc, 0);
    cf_write_t write = letter_write(2, T0, "r");
    memset(longest, 'c', CF_DEAD_COMMAND_MAX + 1);
    write.dead_letter.command = (cf_str_t){longest, CF_DEAD_COMMAND_MAX + 1};
    cr_assert_eq(do_write(write).rc, CF_ERANGE);
    write.dead_letter.command.size = 0;
    cr_assert_eq(do_write(write).rc, CF_ERANGE);
    write.dead_letter.command.size = CF_DEAD_COMMAND_MAX;
    cr_assert_eq(do_write(write).rc, 0);
}

ON_EVERY_STORE(expires_dead_letters_up_to_a_time_and_a_count)
{
    if (!open_filled(backend))
        return;
    for (uint64_t n = 1; n <= 4; n++)
        cr_assert_eq(do_write(letter_write(n, T0 + (int64_t)n, "r")).rc, 0);
    cf_write_t expire = {.kind = CF_WRITE_EXPIRE_DEAD_LETTERS, .expire = {T0 + 3, 2}};
    cr_assert_eq(do_write(expire).stored, 2);
    cr_assert_eq(do_write(expire).stored, 1);
    cr_assert_eq(do_write(expire).stored, 0);
    cr_assert_str_eq(list_letters(NULL, 10, NULL), "4@4:r ");
}

/* --- the bot -------------------------------------------------------------------------------------
 */

ON_EVERY_STORE(has_one_bot_that_cannot_log_in_and_whose_name_is_taken)
{
    if (!open_store(backend))
        return;
    cr_assert_eq(find_user((cf_user_key_t){.by = CF_USER_BY_ID, .id = CF_BOT_ID}), 1);
    cr_assert_str_eq(found_name, CF_BOT_USERNAME);
    cr_assert_str_eq(found_email, CF_BOT_EMAIL);
    cr_assert_str_eq(found_hash, "");
    cf_write_t again = user_write(9, CF_BOT_USERNAME, "x@test.com");
    cr_assert_eq(do_write(again).rc, CF_EEXIST);
}

ON_EVERY_STORE(finds_repeats_within_a_run_and_between_runs_of_one_call)
{
    if (!open_filled(backend))
        return;
    static cf_post_t rows[3][3];
    cf_write_t writes[] = {{.kind = CF_WRITE_APPEND, .append = make_run(rows[0], 1, 0, 3)},
                           {.kind = CF_WRITE_APPEND, .append = make_run(rows[1], 1, 2, 3)},
                           {.kind = CF_WRITE_APPEND, .append = make_run(rows[2], 2, 0, 1)}};
    rows[0][0].client_key = rows[0][2].client_key = rows[1][1].client_key = cf_str("k");
    memset(rows[1][1].body_hash, 1, CF_BODY_HASH_SIZE);
    cf_outcome_t outcomes[3];
    cr_assert_eq(store->ops->write(store, writes, 3, outcomes), 0);
    expect(outcomes[0], CF_VERDICT_DUPLICATE, 2);
    cr_assert_not(outcomes[0].same_body);
    cr_assert_eq(outcomes[0].seq, 1);
    expect(outcomes[1], CF_VERDICT_DUPLICATE, 1);
    cr_assert(outcomes[1].same_body);
    cr_assert_eq(outcomes[1].seq, 1);
    expect(outcomes[2], CF_VERDICT_STORED, 1);
    cr_assert_eq(stored_posts(1), 3);
}

#define RACERS 4

typedef struct {
    cf_store_t *store;
    cf_outcome_t outcome;
    cf_post_t row;
    cf_run_t run;
} racer_t;

static void *race(void *arg)
{
    racer_t *racer = arg;
    cf_write_t write = {.kind = CF_WRITE_APPEND, .append = racer->run};
    racer->store->ops->write(racer->store, &write, 1, &racer->outcome);
    return NULL;
}

ON_EVERY_STORE(lets_one_of_several_concurrent_writers_through)
{
    if (!open_filled(backend))
        return;
    racer_t racers[RACERS];
    pthread_t threads[RACERS];
    bool one_writer = strcmp(backend->name, "sqlite") == 0;
    for (int i = 0; i < RACERS; i++) {
        racers[i].store = i == 0 || one_writer ? store : place_open(CF_STORE_WRITER, NULL);
        racers[i].run = make_run(&racers[i].row, 1, 0, 1);
        racers[i].row.id = POST(500 + (uint64_t)i);
        racers[i].row.client_key = cf_str("k");
    }
    for (int i = 0; i < RACERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        if (one_writer)
            pthread_join(threads[i], NULL);
    }
    int stored = 0;
    for (int i = 0; i < RACERS; i++) {
        if (!one_writer)
            pthread_join(threads[i], NULL);
        stored += racers[i].outcome.status == CF_VERDICT_STORED;
        cr_assert(racers[i].outcome.status == CF_VERDICT_STORED ||
                  racers[i].outcome.status == CF_VERDICT_OUT_OF_ORDER);
    }
    cr_assert_eq(stored, 1);
    cr_assert_eq(stored_posts(1), 1);
}

/* --- history
 * --------------------------------------------------------------------------------------- */

ON_EVERY_STORE(reads_every_form_of_range)
{
    if (!open_filled(backend))
        return;
    append_new(1, 0, 20);
    append_new(2, 0, 3);
    int64_t at_10 = T0 + 10 * 1000;
    static const struct {
        cf_posts_from_t from;
        int64_t at;
        uint32_t limit;
        uint64_t first, last;
    } cases[] = {
        {CF_POSTS_NEWEST, 0, 5, 16, 20},    {CF_POSTS_NEWEST, 0, 20, 1, 20},
        {CF_POSTS_NEWEST, 0, 500, 1, 20},   {CF_POSTS_BEFORE_SEQ, 10, 3, 7, 9},
        {CF_POSTS_BEFORE_SEQ, 2, 9, 1, 1},  {CF_POSTS_BEFORE_SEQ, 1, 9, 1, 0},
        {CF_POSTS_BEFORE_SEQ, 0, 9, 1, 0},  {CF_POSTS_BEFORE_SEQ, 999, 2, 19, 20},
        {CF_POSTS_AFTER_SEQ, 0, 2, 1, 2},   {CF_POSTS_AFTER_SEQ, 15, 500, 16, 20},
        {CF_POSTS_AFTER_SEQ, 20, 5, 1, 0},  {CF_POSTS_AFTER_SEQ, 999, 5, 1, 0},
        {CF_POSTS_BEFORE_TIME, 0, 5, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(read_range(range_of(1, cases[i].from, cases[i].at, cases[i].limit)));
        expect_seqs(cases[i].first, cases[i].last);
    }
    read_range(range_of(1, CF_POSTS_BEFORE_TIME, at_10, 4));
    expect_seqs(6, 9);
    read_range(range_of(1, CF_POSTS_BEFORE_TIME, at_10 + 1, 4));
    expect_seqs(7, 10);
    read_range(range_of(1, CF_POSTS_BEFORE_TIME, T0 * 2, 4));
    expect_seqs(17, 20);
    cf_posts_range_t by_id = range_of(1, CF_POSTS_BEFORE_ID, 0, 4);
    by_id.id = POST(1000010);
    cr_assert(read_range(by_id));
    expect_seqs(6, 9);
    by_id.id = POST(1000001);
    cr_assert(read_range(by_id));
    expect_seqs(1, 0);
    by_id.id = POST(2000001); /* of another room */
    cr_assert_not(read_range(by_id));
    expect_seqs(1, 0);
    cr_assert(read_range(range_of(9, CF_POSTS_NEWEST, 0, 4)));
    expect_seqs(1, 0);
}

ON_EVERY_STORE(answers_many_ranges_in_one_call)
{
    if (!open_filled(backend))
        return;
    append_new(1, 0, 20);
    append_new(2, 0, 3);
    cf_posts_range_t ranges[] = {
        range_of(2, CF_POSTS_NEWEST, 0, 10),   range_of(1, CF_POSTS_AFTER_SEQ, 18, 10),
        range_of(1, CF_POSTS_BEFORE_ID, 0, 5), range_of(1, CF_POSTS_BEFORE_SEQ, 5, 2),
        range_of(3, CF_POSTS_NEWEST, 0, 10),
    };
    static const struct {
        size_t key, count;
        uint64_t first;
    } expected[] = {{0, 3, 1}, {1, 2, 19}, {2, 0, 0}, {3, 2, 3}, {4, 0, 0}};
    cf_posts_found_t found[5];
    seen_count = 0;
    cr_assert_eq(store->ops->read_posts(store, ranges, 5, on_post, NULL, found), 0);
    cr_assert_eq(seen_count, 7);
    for (size_t k = 0; k < 5; k++) {
        uint64_t next = expected[k].first;
        size_t count = 0;
        for (size_t i = 0; i < seen_count; i++)
            if (seen[i].key == expected[k].key) {
                cr_assert_eq(seen[i].seq, next++);
                count++;
            }
        cr_assert_eq(count, expected[k].count, "range %zu", k);
        cr_assert_eq(found[k] != CF_POSTS_NONE, k != 2);
    }
    cr_assert_eq(store->ops->read_posts(store, ranges, 5, on_post, NULL, NULL), 0);
    cr_assert_eq(store->ops->read_posts(store, ranges, 0, on_post, NULL, NULL), 0);
}

/* --- settle
 * ---------------------------------------------------------------------------------------- */

static cf_outcome_t settle(cf_run_t run)
{
    cf_outcome_t outcome;
    cr_assert_eq(store->ops->settle(store, &run, 1, &outcome), 0);
    return outcome;
}

ON_EVERY_STORE(settles_what_became_of_a_run)
{
    if (!open_filled(backend))
        return;
    cf_post_t rows[4], others[4];
    cf_run_t run = make_run(rows, 1, 0, 4);
    expect(settle(run), CF_VERDICT_FAILED, 0);
    run.n = 3;
    expect(append(run), CF_VERDICT_STORED, 3);
    expect(settle(run), CF_VERDICT_STORED, 3);
    run.n = 4;
    expect(settle(run), CF_VERDICT_STORED, 3); /* a prefix */
    cf_run_t other = make_run(others, 1, 0, 2);
    others[0].id = POST(77);
    expect(settle(other), CF_VERDICT_STALE_EPOCH, 0); /* someone else's rows stand there */
    cf_run_t next = make_run(others, 1, 3, 2);
    expect(settle(next), CF_VERDICT_FAILED, 0);
    do_write(activate_write(1));
    expect(settle(next), CF_VERDICT_STALE_EPOCH, 0);
    expect(settle(run), CF_VERDICT_STORED, 3);
    expect(settle(make_run(others, 9, 0, 1)), CF_VERDICT_NO_ROOM, 0);
}

ON_EVERY_STORE(settles_many_runs_at_once)
{
    if (!open_filled(backend))
        return;
    static cf_post_t rows[3][2];
    cf_run_t runs[] = {make_run(rows[0], 2, 0, 2), make_run(rows[1], 1, 0, 2),
                       make_run(rows[2], 1, 2, 2)};
    expect(append(runs[1]), CF_VERDICT_STORED, 2);
    cf_outcome_t outcomes[3];
    cr_assert_eq(store->ops->settle(store, runs, 3, outcomes), 0);
    expect(outcomes[0], CF_VERDICT_FAILED, 0);
    expect(outcomes[1], CF_VERDICT_STORED, 2);
    expect(outcomes[2], CF_VERDICT_FAILED, 0);
}

/* --- faults around every store
 * ----------------------------------------------------------------------- */

/* The open store behind a faulty one, which then owns it; unwrap() closes both. */
static void wrap(int statement_ms)
{
    cf_store_config_t config = {.statement_ms = statement_ms};
    cf_store_t *out;
    cr_assert_eq(cf_faulty_wrap(&out, store, &config), 0);
    place_forget(store);
    store = out;
}

static void unwrap(void)
{
    store->ops->close(store);
}

ON_EVERY_STORE(settles_after_a_lost_answer)
{
    if (!open_filled(backend))
        return;
    wrap(STATEMENT_MS);
    cf_post_t rows[2];
    cf_run_t run = make_run(rows, 1, 0, 2);
    cf_faulty_set(store, CF_CALL_WRITE, CF_FAULT_LOSE, 0, 1, 0);
    cf_outcome_t lost = append(run);
    cr_assert_eq(lost.status, CF_VERDICT_UNKNOWN);
    cr_assert_eq(lost.rc, CF_EIO);
    expect(settle(run), CF_VERDICT_STORED, 2);
    cf_faulty_set(store, CF_CALL_WRITE, CF_FAULT_FAIL, 0, 1, 0);
    run = make_run(rows, 1, 2, 2);
    cr_assert_eq(append(run).status, CF_VERDICT_FAILED);
    expect(settle(run), CF_VERDICT_FAILED, 0);
    expect(append(run), CF_VERDICT_STORED, 2);
    cr_assert_eq(stored_posts(1), 4);
    unwrap();
}

ON_EVERY_STORE(gives_up_a_hanging_call_at_its_deadline)
{
    if (!open_filled(backend))
        return;
    wrap(50);
    cf_faulty_set(store, CF_CALL_WRITE, CF_FAULT_HANG, 1, 1, 0);
    expect(append_new(1, 0, 1), CF_VERDICT_STORED, 1);
    cr_assert_eq(append_new(1, 1, 1).status, CF_VERDICT_UNKNOWN);
    expect(append_new(1, 1, 1), CF_VERDICT_STORED, 1);
    cf_faulty_set(store, CF_CALL_LIST_ROOMS, CF_FAULT_HANG, 0, 0, 0);
    cr_assert_eq(store->ops->list_rooms(store, NULL, 5, on_room, NULL), CF_EIO);
    unwrap();
}

/* --- life ----------------------------------------------------------------------------------------
 */

ON_EVERY_STORE(keeps_everything_when_opened_again)
{
    if (!open_filled(backend))
        return;
    append_with_key(1, 1, 1, "k", 7, T0 + 10);
    append_new(1, 1, 4);
    place_close(store);
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert(store);
    cr_assert_eq(store->ops->ping(store), 0);
    cr_assert_eq(stored_posts(1), 5);
    cr_assert_eq(do_write(activate_write(1)).room.epoch, 2);
    cr_assert_eq(do_write(activate_write(1)).room.last_seq, 5);
    cf_post_t row;
    cf_run_t run = make_run(&row, 1, 5, 1);
    run.epoch = 3;
    row.client_key = cf_str("k");
    memset(row.body_hash, 7, CF_BODY_HASH_SIZE);
    expect(append(run), CF_VERDICT_DUPLICATE, 0);
}

ON_EVERY_STORE(shows_a_reader_what_the_writer_committed)
{
    if (!open_filled(backend))
        return;
    cf_store_t *writer = store, *reader = place_open(CF_STORE_READER, NULL);
    cr_assert(reader);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        store = writer;
        append_new(1, seq - 1, 1);
        store = reader;
        cr_assert_eq(stored_posts(1), seq);
    }
}

Test(store, refuses_an_url_of_no_known_backend)
{
    static const char *const urls[] = {"", "mysql://h/d", "sqlite", "/var/chat.db"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        cf_store_config_t config = {.url = urls[i], .statement_ms = 100};
        cf_store_t *none = NULL;
        cr_assert_eq(cf_store_open(&none, &config), CF_ERANGE, "%s", urls[i]);
        cr_assert_null(none);
    }
}

Test(store, shows_no_secret_of_an_url)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"sqlite:/var/lib/chat.db", "sqlite:/var/lib/chat.db"},
        {"memory:x", "memory:x"},
        {"postgres://h:5432/db", "postgres://h:5432/db"},
        {"postgres://u:secret@h/db?password=secret", "postgres://h/db"},
        {"postgresql://u:se@cr/e?t@h/db", "postgresql://h/db"},
        {"postgres:///db?host=/run&password=secret", "postgres:///db"},
        {"faulty:/f:postgres://u:secret@h/db", "faulty:/f:postgres://h/db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char shown[128];
        cr_assert_str_eq(cf_store_url_for_log(cases[i].url, shown, sizeof shown), cases[i].shown);
    }
}
