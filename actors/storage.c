#include "storage.h"

#include "clock.h"
#include "config.h"
#include "crash_point.h"
#include "log.h"
#include "metrics.h"
#include "table.h"
#include "wire/append.h"
#include "wire/record.h"

#include <stdlib.h>

#define SETTLE_PAUSE_US INT64_C(250000) /* between two tries */
#define RETRY_AFTER_MS 1000

/* Kinds of calls, as the link tells them apart. */
enum { APPENDS, OTHER_WRITES, SETTLES };

/* A run whose answer was lost: the store's, or for want of memory ours. */
typedef struct {
    cf_id_t room;
    cf_msg_t request; /* its body is below */
    UT_hash_handle hh;
    uint8_t body[];
} unsettled_t;

struct cf_storage {
    cf_storage_config_t config;
    cf_store_link_t link;
    /* the group that is gathered; arrays of config.batch_rows */
    uint32_t n;
    uint32_t rows, bytes;
    cf_write_t *writes;
    cf_msg_t *requests; /* requests[i] asked for writes[i] */
    cf_outcome_t *outcomes;
    unsettled_t *unsettled; /* by room: a room has one run in flight at most. Oldest first; owned */
    size_t unsettled_bytes;
    int64_t settle_us; /* when to try again */
    cf_spans_t spans;
};

/* --- answers -----------------------------------------------------------------------------------
 */

static void answer(cf_turn_t *turn, const cf_msg_t *request, uint16_t type, const void *body)
{
    if (request->corr)
        cf_outbox_finish(turn->out, request, type, body);
}

static void refuse(cf_turn_t *turn, const cf_msg_t *request, int rc)
{
    if (request->corr)
        cf_outbox_refuse(turn->out, request, rc, rc == CF_EIO ? RETRY_AFTER_MS : 0);
}

/* Returns 0 or CF_ENOMEM: it was not said. */
static int answer_verdict(cf_turn_t *turn, const cf_msg_t *request, const cf_outcome_t *outcome)
{
    cf_verdict_t verdict = {
        .status = outcome->status,
        .stored = outcome->stored,
        .same_body = outcome->same_body,
        .seq = outcome->seq,
        .id = outcome->id,
        .at_us = outcome->at_us,
    };
    return request->corr ? cf_outbox_answer(turn->out, request, CF_MSG_VERDICT, &verdict) : 0;
}

static void answer_activated(cf_turn_t *turn, const cf_msg_t *request, const cf_room_row_t *room)
{
    cf_activated_t activated = {.epoch = room->epoch,
                                .last_seq = room->last_seq,
                                .last_us = room->last_us,
                                .ephemeral = room->ephemeral};
    answer(turn, request, CF_MSG_ACTIVATED, &activated);
}

static void answer_write(cf_turn_t *turn, const cf_msg_t *request, const cf_outcome_t *outcome)
{
    if (outcome->rc == CF_EMOVED) {
        answer(turn, request, CF_MSG_OWNED, &(cf_owned_t){outcome->owner});
        return;
    }
    if (outcome->rc < 0) {
        refuse(turn, request, outcome->rc);
        return;
    }
    cf_count(CF_M_WRITES);
    switch (request->type) {
    case CF_MSG_ACTIVATE:
        answer_activated(turn, request, &outcome->room);
        break;
    case CF_MSG_EXPIRE_SESSIONS:
    case CF_MSG_EXPIRE_KEYS:
    case CF_MSG_EXPIRE_DEAD_LETTERS:
    case CF_MSG_EXPIRE_POSTS:
        answer(turn, request, CF_MSG_EXPIRED, &(cf_expired_t){outcome->stored});
        break;
    default:
        answer(turn, request, CF_MSG_DONE, NULL);
    }
}

/* --- runs whose answer was lost ----------------------------------------------------------------
 */

static unsettled_t *find_unsettled(cf_storage_t *self, const cf_id_t *room)
{
    unsettled_t *run = NULL;
    if (self->unsettled)
        HASH_FIND(hh, self->unsettled, room, sizeof *room, run);
    return run;
}

static bool add_unsettled(cf_storage_t *self, const cf_msg_t *request)
{
    unsettled_t *run = malloc(sizeof *run + request->size);
    if (!run)
        return false;
    run->room = request->room;
    run->request = *request;
    run->request.body = run->body;
    memcpy(run->body, request->body, request->size);
    HASH_ADD(hh, self->unsettled, room, sizeof run->room, run);
    if (!run->hh.tbl) {
        free(run);
        return false;
    }
    self->unsettled_bytes += request->size;
    return true;
}

static void keep_unsettled(cf_storage_t *self, const cf_msg_t *request)
{
    /* To forget the run would leave its room without a verdict for ever: memory is waited for. */
    while (!add_unsettled(self, request)) {
        cf_log_error("no memory to keep a run whose answer was lost");
        if (cf_actor_wait(self->config.link.actor, -1, false, cf_boot_us() + SETTLE_PAUSE_US) ==
            CF_ECLOSING)
            return; /* its room has ended */
    }
    cf_count(CF_M_STORE_UNKNOWN);
    self->settle_us = 0;
}

static void drop_unsettled(cf_storage_t *self, unsettled_t *run)
{
    self->unsettled_bytes -= run->request.size;
    HASH_DEL(self->unsettled, run);
    free(run);
}

static bool read_run(cf_run_t *run, const cf_msg_t *msg, cf_arena_t *arena)
{
    cf_append_t append;
    if (cf_msg_body(&append, msg, arena) < 0)
        return false;
    *run = (cf_run_t){msg->room, append.epoch, append.prev, append.rows.items, append.rows.n};
    return true;
}

/* Put the oldest runs into runs and asked, as many as a group may have. Returns how many. */
static uint32_t pick_unsettled(cf_storage_t *self, cf_arena_t *arena, cf_run_t *runs,
                               unsettled_t **asked)
{
    uint32_t n = 0, rows = 0;
    unsettled_t *run, *next;
    HASH_ITER(hh, self->unsettled, run, next)
    {
        if (n == self->config.batch_rows || !read_run(&runs[n], &run->request, arena))
            break;
        rows += runs[n].n;
        if (n > 0 && rows > self->config.batch_rows)
            break;
        self->outcomes[n] = (cf_outcome_t){.status = CF_VERDICT_UNKNOWN};
        asked[n++] = run;
    }
    return n;
}

/* Ask the store what became of runs, and tell their rooms what is certain. */
static void settle(cf_storage_t *self, cf_turn_t *turn)
{
    cf_run_t *runs = cf_arena_take(turn->arena, self->config.batch_rows * sizeof *runs);
    unsettled_t **asked = cf_arena_take(turn->arena, self->config.batch_rows * sizeof *asked);
    uint32_t n = runs && asked ? pick_unsettled(self, turn->arena, runs, asked) : 0;
    self->settle_us = cf_boot_us() + SETTLE_PAUSE_US;
    cf_store_t *store = n ? cf_store_link_begin(&self->link) : NULL;
    if (!store)
        return;
    int rc = store->ops->settle(store, runs, n, self->outcomes);
    cf_store_link_end(&self->link, SETTLES, rc);
    if (rc < 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        if (self->outcomes[i].status == CF_VERDICT_UNKNOWN)
            continue;
        cf_outbox_trace(turn->out, &asked[i]->request.trace);
        if (answer_verdict(turn, &asked[i]->request, &self->outcomes[i]) < 0)
            continue; /* the next try finds the same */
        cf_count_by(CF_M_ROWS_WRITTEN, self->outcomes[i].stored);
        drop_unsettled(self, asked[i]);
        self->settle_us = 0; /* the next ones at once */
    }
    cf_outbox_trace(turn->out, NULL);
}

/* --- the group ---------------------------------------------------------------------------------
 */

static void answer_group(cf_storage_t *self, cf_turn_t *turn)
{
    for (uint32_t i = 0; i < self->n; i++) {
        const cf_msg_t *request = &self->requests[i];
        cf_outcome_t *outcome = &self->outcomes[i];
        cf_outbox_trace(turn->out, &request->trace);
        if (request->type != CF_MSG_APPEND) {
            answer_write(turn, request, outcome);
            continue;
        }
        if (outcome->status == CF_VERDICT_UNKNOWN) {
            keep_unsettled(self, request);
            answer_verdict(turn, request, outcome); /* for information */
        } else if (answer_verdict(turn, request, outcome) < 0) {
            keep_unsettled(self, request); /* without a verdict the room would wait for ever */
        } else {
            cf_count_by(CF_M_ROWS_WRITTEN, outcome->stored);
        }
    }
    cf_outbox_trace(turn->out, NULL);
}

static cf_histogram_t query_of(cf_write_kind_t kind)
{
    switch (kind) { /* without a default, so that a new kind is not forgotten */
    case CF_WRITE_APPEND:
        return CF_H_INSERT_POSTS;
    case CF_WRITE_ACTIVATE:
        return CF_H_UPDATE_ROOMS;
    case CF_WRITE_CREATE_USER:
        return CF_H_INSERT_USERS;
    case CF_WRITE_SET_PASSWORD:
    case CF_WRITE_DISABLE_USER:
    case CF_WRITE_ENABLE_USER:
        return CF_H_UPDATE_USERS;
    case CF_WRITE_ADD_SESSION:
        return CF_H_INSERT_SESSIONS;
    case CF_WRITE_CREATE_ROOM:
        return CF_H_INSERT_ROOMS;
    case CF_WRITE_ADD_MEMBER:
        return CF_H_INSERT_MEMBERS;
    case CF_WRITE_REMOVE_MEMBER:
        return CF_H_DELETE_MEMBERS;
    case CF_WRITE_REMOVE_SESSION:
    case CF_WRITE_EXPIRE_SESSIONS:
        return CF_H_DELETE_SESSIONS;
    case CF_WRITE_EXPIRE_KEYS:
        return CF_H_DELETE_POST_KEYS;
    case CF_WRITE_DEAD_LETTER:
        return CF_H_INSERT_DEAD_LETTERS;
    case CF_WRITE_REMOVE_DEAD_LETTER:
    case CF_WRITE_EXPIRE_DEAD_LETTERS:
        return CF_H_DELETE_DEAD_LETTERS;
    case CF_WRITE_EXPIRE_POSTS:
        return CF_H_DELETE_POSTS;
    }
    return CF_H_COMMIT;
}

/* A write took as long as the transaction it was part of; those of one kind are one query. */
static void observe_writes(const cf_storage_t *self, int64_t us)
{
    bool seen[CF_HISTOGRAMS] = {false};
    for (uint32_t i = 0; i < self->n; i++)
        seen[query_of(self->writes[i].kind)] = true;
    seen[CF_H_COMMIT] = true;
    for (int query = 0; query < CF_HISTOGRAMS; query++)
        if (seen[query])
            cf_observe((cf_histogram_t)query, us);
}

static const char *system_of(const char *url)
{
    return cf_config_is_shared_store(url) ? "postgresql" : "sqlite";
}

static void tell_spans(cf_storage_t *self, cf_turn_t *turn, int64_t took_us)
{
    cf_span_attribute_t attributes[] = {
        {cf_str("db.system.name"), cf_str(system_of(self->config.link.url)), 0},
        {cf_str("confab.commit.rows"), {0}, self->rows},
    };
    for (uint32_t i = 0; i < self->n; i++) {
        const cf_msg_t *request = &self->requests[i];
        if (!request->trace.sampled || request->type != CF_MSG_APPEND)
            continue;
        cf_span_told_t told = {.trace = request->trace,
                               .room = request->room,
                               .id = cf_span_new(),
                               .parent = cf_span_of(request),
                               .kind = CF_SPAN_CLIENT,
                               .name = "commit",
                               .took_us = took_us,
                               .failed = self->outcomes[i].status == CF_VERDICT_UNKNOWN ||
                                         self->outcomes[i].status == CF_VERDICT_FAILED,
                               .attributes = attributes,
                               .n = sizeof attributes / sizeof attributes[0]};
        cf_spans_tell(&self->spans, turn->out, cf_wall_us(), cf_boot_us(), &told);
    }
}

/* A group with an append among them is one: a store may take everything but those. */
static unsigned kind_of_group(const cf_storage_t *self)
{
    for (uint32_t i = 0; i < self->n; i++)
        if (self->writes[i].kind == CF_WRITE_APPEND)
            return APPENDS;
    return OTHER_WRITES;
}

static void write_group(cf_storage_t *self, cf_turn_t *turn)
{
    if (self->n == 0)
        return;
    cf_store_t *store = cf_store_link_begin(&self->link);
    /* what a store that fails leaves unsaid is not known */
    cf_outcome_t unsaid = {.rc = CF_EIO, .status = store ? CF_VERDICT_UNKNOWN : CF_VERDICT_FAILED};
    for (uint32_t i = 0; i < self->n; i++)
        self->outcomes[i] = unsaid;
    if (store) {
        int rc = store->ops->write(store, self->writes, self->n, self->outcomes);
        int64_t took_us = cf_store_link_end(&self->link, kind_of_group(self), rc);
        observe_writes(self, took_us);
        tell_spans(self, turn, took_us);
        if (rc == 0) {
            cf_count(CF_M_COMMITS);
            cf_observe(CF_H_BATCH_ROWS, self->rows);
            cf_crash_point("before_ack");
        }
    }
    answer_group(self, turn);
    self->n = self->rows = self->bytes = 0;
    /* the answers leave before the next group is written */
    cf_actor_wait(self->config.link.actor, -1, false, 0);
}

/* Add a write to the group; msg and what write borrows live until the end of the turn's batch. */
static int gather(cf_storage_t *self, cf_turn_t *turn, const cf_msg_t *msg, const cf_write_t *write,
                  uint32_t rows)
{
    if (self->n == self->config.batch_rows || self->rows + rows > self->config.batch_rows ||
        self->bytes + msg->size > self->config.batch_bytes) {
        write_group(self, turn); /* nothing when it is empty: a large run goes alone */
        cf_outbox_trace(turn->out, &msg->trace);
    }
    self->writes[self->n] = *write;
    self->requests[self->n++] = *msg;
    self->rows += rows;
    self->bytes += msg->size;
    return 0;
}

static void after_batch(void *state, cf_turn_t *turn)
{
    write_group(state, turn);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static int on_append(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_storage_t *self = state;
    cf_append_t append;
    int rc = cf_msg_body(&append, msg, turn->arena);
    if (rc < 0)
        return rc;
    const cf_post_t *rows = append.rows.items;
    if (append.rows.n == 0)
        return CF_ERANGE;
    for (uint32_t i = 0; i < append.rows.n; i++)
        if (rows[i].seq != append.prev + 1 + i)
            return CF_ERANGE;
    if (!self->link.up || self->unsettled_bytes > CF_STORAGE_UNSETTLED_MAX ||
        find_unsettled(self, &msg->room))
        return answer_verdict(turn, msg, &(cf_outcome_t){.status = CF_VERDICT_FAILED});
    cf_write_t write = {
        .kind = CF_WRITE_APPEND,
        .append = {msg->room, append.epoch, append.prev, rows, append.rows.n},
    };
    return gather(self, turn, msg, &write, append.rows.n);
}

static int on_activate(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_activate_t activate;
    int rc = cf_msg_body(&activate, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_ACTIVATE,
                        .activate = {.room = msg->room,
                                     .owner = cf_outbox_address(turn->out).node,
                                     .from = activate.from}};
    return gather(state, turn, msg, &write, 1);
}

static int on_create_user(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_write_t write = {.kind = CF_WRITE_CREATE_USER};
    int rc = cf_msg_body(&write.create_user, msg, turn->arena);
    return rc < 0 ? rc : gather(state, turn, msg, &write, 1);
}

static int on_set_password(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_set_password_t set;
    int rc = cf_msg_body(&set, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_SET_PASSWORD,
                        .set_password = {set.user, set.password_hash}};
    return gather(state, turn, msg, &write, 1);
}

static int on_disable_user(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_disable_user_t disable;
    int rc = cf_msg_body(&disable, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_DISABLE_USER,
                        .disable_user = {disable.user, disable.at_us}};
    return gather(state, turn, msg, &write, 1);
}

static int on_enable_user(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_enable_user_t enable;
    int rc = cf_msg_body(&enable, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_ENABLE_USER, .enable_user = enable.user};
    return gather(state, turn, msg, &write, 1);
}

static int on_add_session(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_write_t write = {.kind = CF_WRITE_ADD_SESSION};
    int rc = cf_msg_body(&write.add_session, msg, turn->arena);
    return rc < 0 ? rc : gather(state, turn, msg, &write, 1);
}

static int on_remove_session(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_remove_session_t removed;
    int rc = cf_msg_body(&removed, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_REMOVE_SESSION};
    memcpy(write.remove_session, removed.token_hash, sizeof write.remove_session);
    return gather(state, turn, msg, &write, 1);
}

static int on_create_room(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_create_room_t room;
    int rc = cf_msg_body(&room, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = CF_WRITE_CREATE_ROOM,
                        .create_room = {.id = room.id,
                                        .name = room.name,
                                        .creator = room.creator,
                                        .created_us = room.created_us,
                                        .ephemeral = room.ephemeral}};
    return gather(state, turn, msg, &write, 1);
}

static int gather_member(cf_storage_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                         cf_write_kind_t kind)
{
    cf_member_change_t change;
    int rc = cf_msg_body(&change, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = kind, .member = {msg->room, change.user, change.at_us}};
    return gather(self, turn, msg, &write, 1);
}

static int on_add_member(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_member(state, turn, msg, CF_WRITE_ADD_MEMBER);
}

static int on_remove_member(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_member(state, turn, msg, CF_WRITE_REMOVE_MEMBER);
}

static int gather_expire(cf_storage_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                         cf_write_kind_t kind)
{
    cf_expire_t expire;
    int rc = cf_msg_body(&expire, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_write_t write = {.kind = kind, .expire = {expire.until_us, expire.limit}};
    return gather(self, turn, msg, &write, 1);
}

static int on_expire_sessions(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_expire(state, turn, msg, CF_WRITE_EXPIRE_SESSIONS);
}

static int on_expire_keys(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_expire(state, turn, msg, CF_WRITE_EXPIRE_KEYS);
}

static int on_expire_dead_letters(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_expire(state, turn, msg, CF_WRITE_EXPIRE_DEAD_LETTERS);
}

static int on_expire_posts(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    return gather_expire(state, turn, msg, CF_WRITE_EXPIRE_POSTS);
}

static int on_dead_letter(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_write_t write = {.kind = CF_WRITE_DEAD_LETTER};
    int rc = cf_msg_body(&write.dead_letter, msg, turn->arena);
    return rc < 0 ? rc : gather(state, turn, msg, &write, 1);
}

static int on_remove_dead_letter(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_remove_dead_letter_t removed;
    int rc = cf_msg_body(&removed, msg, turn->arena);
    cf_write_t write = {.kind = CF_WRITE_REMOVE_DEAD_LETTER};
    if (rc < 0)
        return rc;
    write.remove_dead_letter = removed.id;
    return gather(state, turn, msg, &write, 1);
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_storage_t *self = state;
    write_group(self, turn);
    cf_crash_point("in_drain");
    cf_actor_drained(self->config.link.actor);
}

/* --- is it of use? -----------------------------------------------------------------------------
 */

#define BEFORE_ALL_US INT64_C(-1) /* older than any row */

/* A row that is written and removed in one transaction, so that there is something to make durable,
 * and a post to a room that cannot be. */
static int try_writes(cf_store_t *store, const cf_run_t *nowhere)
{
    cf_write_t writes[] = {
        {.kind = CF_WRITE_APPEND, .append = *nowhere},
        {.kind = CF_WRITE_DEAD_LETTER,
         .dead_letter = {.at_us = BEFORE_ALL_US,
                         .command = cf_str("check"),
                         .reason = cf_str("check")}},
        {.kind = CF_WRITE_EXPIRE_DEAD_LETTERS, .expire = {BEFORE_ALL_US, 1}},
    };
    enum { N = sizeof writes / sizeof writes[0] };
    cf_outcome_t outcomes[N] = {{0}};
    int rc = store->ops->write(store, writes, N, outcomes);
    return rc == 0 && outcomes[N - 1].stored != 1 ? CF_EIO : rc;
}

static int check(cf_store_t *store, uint32_t kinds)
{
    cf_post_t row = {.seq = 1, .kind = CF_POST_TEXT, .text = cf_str("check")};
    cf_run_t nowhere = {.epoch = 1, .rows = &row, .n = 1};
    cf_outcome_t outcome;
    int rc = 0;
    if (kinds & (1u << APPENDS | 1u << OTHER_WRITES))
        rc = try_writes(store, &nowhere);
    if (rc == 0 && kinds & 1u << SETTLES)
        rc = store->ops->settle(store, &nowhere, 1, &outcome);
    return rc;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void begin(void *state)
{
    cf_storage_t *self = state;
    cf_store_link_begin_life(&self->link);
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_storage_t *self = state;
    int64_t next_us = cf_store_link_due(&self->link, turn);
    if (!self->unsettled || !self->link.up)
        return next_us;
    if (cf_boot_us() >= self->settle_us)
        settle(self, turn);
    if (self->unsettled && self->settle_us < next_us)
        next_us = self->settle_us;
    return next_us;
}

void cf_storage_destroy(cf_storage_t **self)
{
    if (!*self)
        return;
    while ((*self)->unsettled)
        drop_unsettled(*self, (*self)->unsettled);
    cf_store_link_close(&(*self)->link);
    free((*self)->writes);
    free((*self)->requests);
    free((*self)->outcomes);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_storage_t *self = state;
    cf_storage_destroy(&self);
}

int cf_storage_new(cf_storage_t **out, const cf_storage_config_t *config)
{
    cf_storage_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->spans = config->spans;
    self->config.link.role = CF_STORE_WRITER;
    self->config.link.check = check;
    self->writes = calloc(config->batch_rows, sizeof *self->writes);
    self->requests = calloc(config->batch_rows, sizeof *self->requests);
    self->outcomes = calloc(config->batch_rows, sizeof *self->outcomes);
    if (!self->writes || !self->requests || !self->outcomes) {
        cf_storage_destroy(&self);
        return CF_ENOMEM;
    }
    cf_store_link_init(&self->link, &self->config.link);
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_APPEND, on_append},
    {CF_MSG_ACTIVATE, on_activate},
    {CF_MSG_CREATE_USER, on_create_user},
    {CF_MSG_SET_PASSWORD, on_set_password},
    {CF_MSG_DISABLE_USER, on_disable_user},
    {CF_MSG_ENABLE_USER, on_enable_user},
    {CF_MSG_ADD_SESSION, on_add_session},
    {CF_MSG_REMOVE_SESSION, on_remove_session},
    {CF_MSG_CREATE_ROOM, on_create_room},
    {CF_MSG_ADD_MEMBER, on_add_member},
    {CF_MSG_REMOVE_MEMBER, on_remove_member},
    {CF_MSG_EXPIRE_SESSIONS, on_expire_sessions},
    {CF_MSG_EXPIRE_KEYS, on_expire_keys},
    {CF_MSG_EXPIRE_DEAD_LETTERS, on_expire_dead_letters},
    {CF_MSG_EXPIRE_POSTS, on_expire_posts},
    {CF_MSG_DEAD_LETTER, on_dead_letter},
    {CF_MSG_REMOVE_DEAD_LETTER, on_remove_dead_letter},
    {0, NULL},
};

static void gauges(void *state)
{
    const cf_storage_t *self = state;
    cf_gauge(CF_M_UNSETTLED_BYTES, self->unsettled_bytes);
}

const cf_actor_ops_t cf_storage_ops = {
    .handlers = handlers,
    .begin = begin,
    .after_batch = after_batch,
    .due = due,
    .drain = drain,
    .gauges = gauges,
    .destroy = destroy,
};
