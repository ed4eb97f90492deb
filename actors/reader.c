#include "reader.h"

#include "bucket.h"
#include "clock.h"
#include "metrics.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/room.h"

#include <stddef.h>
#include <stdlib.h>

#define GATHER_MAX CF_READER_GATHER_MAX
#define PAGE_ROWS 2000 /* posts that one query may bring */
#define RETRY_AFTER_MS 1000
#define REPLICA_MS 500 /* it has so long for a call, and may not keep the questions for longer */
#define PAUSES 25      /* so many fit into gather_us */

_Static_assert(CF_RUN_ROWS_MAX *(CF_POST_TEXT_MAX + CF_USERNAME_MAX + CF_CLIENT_KEY_MAX + 128) <
                   CF_MSG_BODY_MAX,
               "the largest PAGE fits into a message");

/* Kinds of calls, as the link tells them apart. */
typedef enum { USERS, SESSIONS, MEMBERS, POSTS, ROOMS, DEAD_LETTERS, KINDS } kind_t;

/* Rows are copied while a query runs (its memory is the store's) and answered when all are there: a
 * query that fails half-way has no answer. */
typedef struct {
    bool found;
    cf_user_t user;
    cf_session_t session;
    bool room_exists, is_member;
    cf_post_t *posts; /* room for the range's limit */
    uint32_t n;
} result_t;

/* How many questions of a kind wait, and since when it has been so many. */
typedef struct {
    uint32_t n;
    int64_t at_us;
} came_t;

struct cf_reader {
    cf_reader_config_t config;
    cf_store_link_t link;
    cf_store_link_t replica; /* of posts; url NULL: there is none */
    cf_limit_t limit;        /* of queries of one kind; rate 0: none */
    cf_bucket_t permits[KINDS];
    bool waited[KINDS]; /* its questions could not be asked when they came */
    came_t came[KINDS];
    cf_arena_t arena; /* of one query */
    bool no_memory;   /* a row of this query could not be copied */
    result_t results[GATHER_MAX];
    struct {
        uint32_t n;
        cf_msg_t requests[GATHER_MAX];
        cf_user_key_t keys[GATHER_MAX];
    } users;
    struct {
        uint32_t n;
        cf_msg_t requests[GATHER_MAX];
        uint8_t keys[GATHER_MAX][CF_TOKEN_HASH_SIZE];
    } sessions;
    struct {
        uint32_t n;
        cf_msg_t requests[GATHER_MAX];
        cf_member_key_t keys[GATHER_MAX];
    } members;
    struct {
        uint32_t n, rows;
        cf_msg_t requests[GATHER_MAX];
        cf_posts_range_t keys[GATHER_MAX];
        uint64_t last_seq[GATHER_MAX];
        cf_posts_found_t found[GATHER_MAX];
    } posts;
};

/* --- one query ---------------------------------------------------------------------------------
 */

static void start_over(cf_reader_t *self, uint32_t n)
{
    memset(self->results, 0, n * sizeof self->results[0]);
    self->no_memory = false;
}

static cf_store_t *begin(cf_reader_t *self, uint32_t n)
{
    start_over(self, n);
    return cf_store_link_begin(&self->link);
}

static int end(cf_reader_t *self, kind_t kind, int rc)
{
    static const cf_histogram_t queries[] = {
        [USERS] = CF_H_SELECT_USERS,     [SESSIONS] = CF_H_SELECT_SESSIONS,
        [MEMBERS] = CF_H_SELECT_MEMBERS, [POSTS] = CF_H_SELECT_POSTS,
        [ROOMS] = CF_H_SELECT_ROOMS,     [DEAD_LETTERS] = CF_H_SELECT_DEAD_LETTERS};
    cf_observe(queries[kind], cf_store_link_end(&self->link, kind, rc));
    self->waited[kind] = false; /* the next ones have not yet */
    return rc == 0 && self->no_memory ? CF_ENOMEM : rc;
}

static void refuse(cf_turn_t *turn, const cf_msg_t *request, int rc)
{
    cf_outbox_refuse(turn->out, request, rc, rc == CF_EIO ? RETRY_AFTER_MS : 0);
}

/* From its result: rc if the query failed, CF_ENOENT for a question without a row, else by put. */
static void answer(cf_turn_t *turn, const cf_msg_t *request, int rc, const result_t *result,
                   void (*put)(cf_turn_t *, const cf_msg_t *, const result_t *))
{
    cf_outbox_trace(turn->out, &request->trace);
    if (rc == 0 && result->found)
        put(turn, request, result);
    else
        refuse(turn, request, rc < 0 ? rc : CF_ENOENT);
    cf_outbox_trace(turn->out, NULL);
}

/* Answers leave before the next query, so that their memory does not add up. */
static void send_answers(cf_reader_t *self)
{
    cf_arena_reset(&self->arena);
    cf_actor_wait(self->config.link.actor, -1, false, 0);
}

static void answer_all(cf_reader_t *self, cf_turn_t *turn, const cf_msg_t *requests, uint32_t n,
                       int rc, void (*put)(cf_turn_t *, const cf_msg_t *, const result_t *))
{
    for (uint32_t i = 0; i < n; i++)
        answer(turn, &requests[i], rc, &self->results[i], put);
    send_answers(self);
}

static cf_str_t copy_text(cf_reader_t *self, cf_str_t text)
{
    char *bytes = text.size ? cf_arena_take(&self->arena, text.size) : NULL;
    if (!bytes) {
        self->no_memory |= text.size > 0;
        return (cf_str_t){0};
    }
    memcpy(bytes, text.bytes, text.size);
    return (cf_str_t){bytes, text.size};
}

static void copy_user(cf_reader_t *self, cf_user_t *out, const cf_user_t *user)
{
    *out = *user;
    out->username = copy_text(self, user->username);
    out->email = copy_text(self, user->email);
    out->password_hash = copy_text(self, user->password_hash);
}

/* --- users -------------------------------------------------------------------------------------
 */

static void on_user_row(void *arg, size_t key, const cf_user_t *user)
{
    cf_reader_t *self = arg;
    copy_user(self, &self->results[key].user, user);
    self->results[key].found = true;
}

static void put_user(cf_turn_t *turn, const cf_msg_t *request, const result_t *result)
{
    cf_outbox_finish(turn->out, request, CF_MSG_USER, &result->user);
}

static void find_users(cf_reader_t *self, cf_turn_t *turn)
{
    uint32_t n = self->users.n;
    if (n == 0)
        return;
    self->users.n = 0;
    cf_store_t *store = begin(self, n);
    int rc = CF_EIO;
    if (store)
        rc =
            end(self, USERS, store->ops->find_users(store, self->users.keys, n, on_user_row, self));
    answer_all(self, turn, self->users.requests, n, rc, put_user);
}

static int on_find_user(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_find_user_t find;
    int rc = cf_msg_body(&find, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (self->users.n == GATHER_MAX)
        find_users(self, turn);
    self->users.keys[self->users.n] = (cf_user_key_t){find.by, find.id, find.name};
    self->users.requests[self->users.n++] = *msg;
    return 0;
}

/* --- sessions ----------------------------------------------------------------------------------
 */

static void on_session_row(void *arg, size_t key, const cf_session_t *session,
                           const cf_user_t *user)
{
    cf_reader_t *self = arg;
    self->results[key].session = *session;
    copy_user(self, &self->results[key].user, user);
    self->results[key].found = true;
}

static void put_session(cf_turn_t *turn, const cf_msg_t *request, const result_t *result)
{
    cf_session_row_t row = {result->session, result->user};
    row.user.password_hash = (cf_str_t){0}; /* nobody who asks this needs it */
    cf_outbox_finish(turn->out, request, CF_MSG_SESSION_ROW, &row);
}

static void find_sessions(cf_reader_t *self, cf_turn_t *turn)
{
    uint32_t n = self->sessions.n;
    if (n == 0)
        return;
    self->sessions.n = 0;
    cf_store_t *store = begin(self, n);
    int rc = CF_EIO;
    if (store)
        rc = end(self, SESSIONS,
                 store->ops->find_sessions(
                     store, (const uint8_t(*)[CF_TOKEN_HASH_SIZE])self->sessions.keys, n,
                     on_session_row, self));
    answer_all(self, turn, self->sessions.requests, n, rc, put_session);
}

static int on_find_session(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_find_session_t find;
    int rc = cf_msg_body(&find, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (self->sessions.n == GATHER_MAX)
        find_sessions(self, turn);
    memcpy(self->sessions.keys[self->sessions.n], find.token_hash, CF_TOKEN_HASH_SIZE);
    self->sessions.requests[self->sessions.n++] = *msg;
    return 0;
}

/* --- memberships -------------------------------------------------------------------------------
 */

static void on_member_row(void *arg, size_t key, bool room_exists, bool is_member)
{
    cf_reader_t *self = arg;
    result_t *result = &self->results[key];
    result->found = true;
    result->user.id = self->members.keys[key].user;
    result->room_exists = room_exists;
    result->is_member = is_member;
}

static void put_member(cf_turn_t *turn, const cf_msg_t *request, const result_t *result)
{
    cf_member_t member = {result->user.id, result->room_exists, result->is_member};
    cf_outbox_finish(turn->out, request, CF_MSG_MEMBER, &member);
}

static void find_members(cf_reader_t *self, cf_turn_t *turn)
{
    uint32_t n = self->members.n;
    if (n == 0)
        return;
    self->members.n = 0;
    cf_store_t *store = begin(self, n);
    int rc = CF_EIO;
    if (store)
        rc = end(self, MEMBERS,
                 store->ops->find_members(store, self->members.keys, n, on_member_row, self));
    answer_all(self, turn, self->members.requests, n, rc, put_member);
}

static int on_find_member(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_find_member_t find;
    int rc = cf_msg_body(&find, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (self->members.n == GATHER_MAX)
        find_members(self, turn);
    self->members.keys[self->members.n] = (cf_member_key_t){msg->room, find.user};
    self->members.requests[self->members.n++] = *msg;
    return 0;
}

/* --- posts -------------------------------------------------------------------------------------
 */

static void on_post_row(void *arg, size_t key, const cf_post_t *post)
{
    cf_reader_t *self = arg;
    result_t *result = &self->results[key];
    uint32_t limit = self->posts.keys[key].limit;
    if (!result->posts)
        result->posts = cf_arena_take(&self->arena, limit * sizeof *result->posts);
    if (!result->posts || result->n == limit) {
        self->no_memory |= !result->posts;
        return;
    }
    cf_post_t *copy = &result->posts[result->n++];
    *copy = *post;
    copy->username = copy_text(self, post->username);
    copy->text = copy_text(self, post->text);
    copy->client_key = copy_text(self, post->client_key);
}

static void put_page(cf_turn_t *turn, const cf_msg_t *request, const result_t *result)
{
    cf_page_t page = {{result->posts, result->n}};
    cf_outbox_finish(turn->out, request, CF_MSG_PAGE, &page);
}

/* Nothing of this range can be in the store that the replica has not delivered. Numbers of a room have no gap and posts
 * do not change; the oldest go by and by, which a replica may learn later. */
static bool is_whole(const cf_reader_t *self, uint32_t i)
{
    const result_t *result = &self->results[i];
    uint64_t newest = result->n > 0 ? result->posts[result->n - 1].seq : 0;
    if (self->posts.found[i] == CF_POSTS_NONE)
        return false; /* the post it begins at may not be there yet */
    return self->posts.found[i] == CF_POSTS_WHOLE || newest >= self->posts.last_seq[i] ||
           (self->posts.keys[i].from == CF_POSTS_AFTER_SEQ &&
            result->n == self->posts.keys[i].limit);
}

/* Answers what the replica has in full. Returns how many are left, at the front. */
static uint32_t ask_replica(cf_reader_t *self, cf_turn_t *turn, uint32_t n)
{
    cf_store_t *store = cf_store_link_begin(&self->replica);
    int rc = CF_EIO;
    if (store) {
        rc = store->ops->read_posts(store, self->posts.keys, n, on_post_row, self,
                                    self->posts.found);
        cf_store_link_end(&self->replica, POSTS, rc);
    }
    if (rc < 0 || self->no_memory) {
        cf_count_by(CF_M_REPLICA_AWAY, n);
        cf_arena_reset(&self->arena);
        return n;
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (is_whole(self, i)) {
            self->results[i].found = true;
            answer(turn, &self->posts.requests[i], 0, &self->results[i], put_page);
            continue;
        }
        self->posts.requests[left] = self->posts.requests[i];
        self->posts.keys[left++] = self->posts.keys[i];
    }
    cf_count_by(CF_M_REPLICA_PAGES, n - left);
    cf_count_by(CF_M_REPLICA_BEHIND, left);
    send_answers(self);
    return left;
}

static void read_posts(cf_reader_t *self, cf_turn_t *turn)
{
    uint32_t n = self->posts.n;
    if (n == 0)
        return;
    self->posts.n = self->posts.rows = 0;
    if (self->replica.config.url) {
        start_over(self, n);
        n = ask_replica(self, turn, n);
        if (n == 0)
            return;
    }
    cf_store_t *store = begin(self, n);
    int rc = CF_EIO;
    if (store)
        rc = end(self, POSTS,
                 store->ops->read_posts(store, self->posts.keys, n, on_post_row, self,
                                        self->posts.found));
    for (uint32_t i = 0; i < n; i++)
        self->results[i].found = rc == 0 && self->posts.found[i] != CF_POSTS_NONE;
    answer_all(self, turn, self->posts.requests, n, rc, put_page);
}

static int on_read_posts(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_read_posts_t read;
    int rc = cf_msg_body(&read, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (self->posts.n == GATHER_MAX || self->posts.rows + read.limit > PAGE_ROWS)
        read_posts(self, turn);
    self->posts.keys[self->posts.n] =
        (cf_posts_range_t){msg->room, read.from, read.at, read.id, read.limit};
    self->posts.last_seq[self->posts.n] = read.last_seq;
    self->posts.requests[self->posts.n++] = *msg;
    self->posts.rows += read.limit;
    return 0;
}

/* --- rooms -------------------------------------------------------------------------------------
 */

typedef struct {
    cf_reader_t *reader;
    cf_room_entry_t rooms[CF_ROOM_LIST_MAX];
    uint32_t n, limit;
    bool more;
} room_page_t;

static void on_room_row(void *arg, const cf_room_row_t *room)
{
    room_page_t *page = arg;
    if (page->n == page->limit) {
        page->more = true;
        return;
    }
    page->rooms[page->n++] = (cf_room_entry_t){
        .id = room->id,
        .name = copy_text(page->reader, room->name),
        .creator = room->creator,
        .created_us = room->created_us,
        .ephemeral = room->ephemeral,
    };
}

static int on_list_rooms(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_list_rooms_t list;
    int rc = cf_msg_body(&list, msg, turn->arena);
    if (rc < 0)
        return rc;
    room_page_t page = {.reader = self, .limit = list.limit};
    cf_store_t *store = begin(self, 0);
    if (!store) {
        refuse(turn, msg, CF_EIO);
        return 0;
    }
    rc = end(self, ROOMS,
             store->ops->list_rooms(store, list.from_newest ? NULL : &list.after, list.limit + 1,
                                    on_room_row, &page));
    cf_outbox_trace(turn->out, &msg->trace);
    if (rc == 0) {
        cf_room_list_t answer = {cf_address_pack(msg->from), page.more, {page.rooms, page.n}};
        cf_address_t lobby = {cf_outbox_address(turn->out).node, CF_ACTOR_LOBBY, 0};
        rc = cf_outbox_send(turn->out, lobby, CF_MSG_ROOM_LIST, msg->corr, (cf_id_t){0}, &answer);
    }
    if (rc < 0)
        refuse(turn, msg, rc);
    cf_arena_reset(&self->arena);
    return 0;
}

/* --- dead letters ------------------------------------------------------------------------------
 */

typedef struct {
    cf_reader_t *reader;
    cf_dead_letter_t letter;
    bool found;
} letter_result_t;

static void on_letter_row(void *arg, const cf_dead_letter_t *letter)
{
    letter_result_t *result = arg;
    result->letter = *letter;
    result->letter.command = copy_text(result->reader, letter->command);
    result->letter.reason = copy_text(result->reader, letter->reason);
    result->found = true;
}

/* One at a time: they are asked for by hand. */
static int on_find_dead_letter(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_find_dead_letter_t find;
    letter_result_t result = {.reader = self};
    int rc = cf_msg_body(&find, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_store_t *store = begin(self, 0);
    rc = store ? end(self, DEAD_LETTERS,
                     store->ops->find_dead_letter(store, find.id, on_letter_row, &result))
               : CF_EIO;
    cf_outbox_trace(turn->out, &msg->trace);
    if (rc < 0 || !result.found)
        refuse(turn, msg, rc < 0 ? rc : CF_ENOENT);
    else
        cf_outbox_finish(turn->out, msg, CF_MSG_DEAD_LETTER_ROW, &result.letter);
    cf_arena_reset(&self->arena);
    return 0;
}

/* --- is it of use? -----------------------------------------------------------------------------
 */

static void no_user(void *arg, size_t key, const cf_user_t *user)
{
    (void)arg, (void)key, (void)user;
}

static void no_session(void *arg, size_t key, const cf_session_t *session, const cf_user_t *user)
{
    (void)arg, (void)key, (void)session, (void)user;
}

static void no_member(void *arg, size_t key, bool room_exists, bool is_member)
{
    (void)arg, (void)key, (void)room_exists, (void)is_member;
}

static void no_post(void *arg, size_t key, const cf_post_t *post)
{
    (void)arg, (void)key, (void)post;
}

static void no_room(void *arg, const cf_room_row_t *room)
{
    (void)arg, (void)room;
}

static void no_letter(void *arg, const cf_dead_letter_t *letter)
{
    (void)arg, (void)letter;
}

/* Questions about what cannot be. */
static int ask_for_nothing(cf_store_t *store, kind_t kind)
{
    static const uint8_t no_hash[1][CF_TOKEN_HASH_SIZE];
    switch (kind) { /* without a default, so that a new kind is not forgotten */
    case USERS:
        return store->ops->find_users(store, &(cf_user_key_t){.by = CF_USER_BY_ID}, 1, no_user,
                                      NULL);
    case SESSIONS:
        return store->ops->find_sessions(store, no_hash, 1, no_session, NULL);
    case MEMBERS:
        return store->ops->find_members(store, &(cf_member_key_t){{{0}}, {{0}}}, 1, no_member,
                                        NULL);
    case POSTS:
        return store->ops->read_posts(store,
                                      &(cf_posts_range_t){.from = CF_POSTS_NEWEST, .limit = 1}, 1,
                                      no_post, NULL, NULL);
    case ROOMS:
        return store->ops->list_rooms(store, &(cf_id_t){{0}}, 1, no_room, NULL);
    case DEAD_LETTERS:
        return store->ops->find_dead_letter(store, (cf_id_t){{0}}, no_letter, NULL);
    case KINDS:
        break;
    }
    return 0;
}

static int check(cf_store_t *store, uint32_t kinds)
{
    int rc = 0;
    for (kind_t kind = USERS; kind < KINDS && rc == 0; kind++)
        if (kinds & 1u << kind)
            rc = ask_for_nothing(store, kind);
    return rc;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Those that may wait for others of their kind: what is kept of them outlives the batch they came in. */
static const struct {
    kind_t kind;
    size_t count; /* where in cf_reader the number of questions stands */
    void (*ask)(cf_reader_t *, cf_turn_t *);
} gathered[] = {{SESSIONS, offsetof(cf_reader_t, sessions.n), find_sessions},
                {MEMBERS, offsetof(cf_reader_t, members.n), find_members},
                {POSTS, offsetof(cf_reader_t, posts.n), read_posts}};
#define GATHERED (sizeof gathered / sizeof gathered[0])

static uint32_t count_of(const cf_reader_t *self, size_t i)
{
    return *(const uint32_t *)((const char *)self + gathered[i].count);
}

/* May those of the kind be asked now? A wait that has brought few others was of no use, as for one client
 * that reads page after page: so it is not repeated at once. */
static bool may_ask(cf_reader_t *self, cf_turn_t *turn, size_t i)
{
    kind_t kind = gathered[i].kind;
    bool had_to_wait = self->waited[kind];
    self->waited[kind] =
        self->limit.rate && cf_bucket_try(&self->permits[kind], &self->limit, turn->boot_us) > 0;
    if (had_to_wait && !self->waited[kind] && count_of(self, i) < CF_READER_BURST)
        self->permits[kind] = (cf_bucket_t){0}; /* full */
    return !self->waited[kind];
}

/* Time until those of the kind that wait for each other are taken to be all there: enough for their query to
 * be worth it, and none has come for a while. Clients who each wait for their answer before they ask again
 * would otherwise wait for nobody. */
static int64_t until_complete_us(cf_reader_t *self, int64_t now_us, size_t i)
{
    came_t *came = &self->came[gathered[i].kind];
    uint32_t n = count_of(self, i);
    if (came->n != n)
        *came = (came_t){n, now_us};
    return n < CF_READER_BURST ? INT64_MAX : came->at_us + self->config.gather_us / PAUSES - now_us;
}

/* Ask what has waited enough. Returns the time until the next has; INT64_MAX: nothing waits. */
static int64_t ask_gathered(cf_reader_t *self, cf_turn_t *turn)
{
    int64_t wait_us = INT64_MAX;
    for (size_t i = 0; i < GATHERED; i++) {
        if (count_of(self, i) == 0)
            continue;
        int64_t complete_us = until_complete_us(self, turn->boot_us, i);
        if (may_ask(self, turn, i) || complete_us <= 0) {
            gathered[i].ask(self, turn);
            self->came[gathered[i].kind].n = 0;
            continue;
        }
        int64_t permit_us = cf_bucket_wait_us(&self->permits[gathered[i].kind], &self->limit);
        int64_t this_us = complete_us < permit_us ? complete_us : permit_us;
        wait_us = this_us < wait_us ? this_us : wait_us;
    }
    return wait_us;
}

static void after_batch(void *state, cf_turn_t *turn)
{
    find_users(state, turn);
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_reader_t *self = state;
    after_batch(self, turn);
    for (size_t i = 0; i < GATHERED; i++)
        gathered[i].ask(self, turn);
    cf_actor_drained(self->config.link.actor);
}

static int on_store_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_reader_t *self = state;
    cf_store_opened_t opened;
    int rc = cf_msg_body(&opened, msg, turn->arena);
    if (rc == 0) {
        cf_store_link_release(&self->link);
        cf_store_link_release(&self->replica);
    }
    return rc;
}

static void begin_life(void *state)
{
    cf_reader_t *self = state;
    cf_store_link_begin_life(&self->link);
    if (self->replica.config.url)
        cf_store_link_begin_life(&self->replica);
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_reader_t *self = state;
    int64_t wait_us = ask_gathered(self, turn);
    int64_t gathered_us = wait_us == INT64_MAX ? INT64_MAX : turn->boot_us + wait_us;
    int64_t link_us = cf_store_link_due(&self->link, turn);
    if (self->replica.config.url)
        link_us = cf_earlier_us(link_us, cf_store_link_due(&self->replica, turn));
    return link_us < gathered_us ? link_us : gathered_us;
}

static void gauges(void *state)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < GATHERED; i++)
        waiting += count_of(state, i);
    cf_gauge(CF_M_READER_WAITING, waiting);
}

void cf_reader_destroy(cf_reader_t **self)
{
    if (!*self)
        return;
    cf_store_link_close(&(*self)->link);
    cf_store_link_close(&(*self)->replica);
    cf_arena_free(&(*self)->arena);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_reader_t *self = state;
    cf_reader_destroy(&self);
}

int cf_reader_new(cf_reader_t **out, const cf_reader_config_t *config)
{
    cf_reader_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->config.link.role = CF_STORE_READER;
    self->config.link.check = check;
    self->config.link.checked_kinds = KINDS;
    if (config->gather_us)
        self->limit = cf_limit(1, config->gather_us, CF_READER_BURST);
    cf_store_link_init(&self->link, &self->config.link);
    cf_store_link_config_t replica = self->config.link;
    replica.url = config->replica_url && config->replica_url[0] ? config->replica_url : NULL;
    replica.is_replica = true;
    replica.checked_kinds = 0; /* whoever is not answered there is answered here */
    replica.statement_ms = replica.statement_ms < REPLICA_MS ? replica.statement_ms : REPLICA_MS;
    cf_store_link_init(&self->replica, &replica);
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_FIND_USER, on_find_user},       {CF_MSG_FIND_SESSION, on_find_session},
    {CF_MSG_FIND_MEMBER, on_find_member},   {CF_MSG_READ_POSTS, on_read_posts},
    {CF_MSG_LIST_ROOMS, on_list_rooms},     {CF_MSG_FIND_DEAD_LETTER, on_find_dead_letter},
    {CF_MSG_STORE_OPENED, on_store_opened}, {0, NULL},
};

const cf_actor_ops_t cf_reader_ops = {
    .handlers = handlers,
    .begin = begin_life,
    .after_batch = after_batch,
    .due = due,
    .gauges = gauges,
    .drain = drain,
    .destroy = destroy,
};
