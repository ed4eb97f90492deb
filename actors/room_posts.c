/* room_posts.c: the order of posts, and that nothing is shown or acknowledged before it is stored.
 */
#include "room_state.h"

#include "crash_point.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "store.h"
#include "wire/append.h"

#include <sodium.h>
#include <stdlib.h>

#define MINUTE_US INT64_C(60000000)
#define RETRY_MS 1000 /* advice to whoever may repeat a post */
#define RUN_BYTES_MAX                                                                              \
    (1u << 20) /* of text in one run; a run of the largest posts still fits a message */

/* What the store keeps under a post's key, to know it again. */
static void hash_body(cf_post_t *post)
{
    crypto_generichash_state state;
    uint8_t kind = (uint8_t)post->kind;
    crypto_generichash_init(&state, NULL, 0, CF_BODY_HASH_SIZE);
    crypto_generichash_update(&state, &kind, 1);
    crypto_generichash_update(&state, (const uint8_t *)post->text.bytes, post->text.size);
    crypto_generichash_final(&state, post->body_hash, CF_BODY_HASH_SIZE);
}

/* --- the queue ---------------------------------------------------------------------------------
 */

static cf_str_t copy(char **to, cf_str_t from)
{
    cf_str_t out = {*to, from.size};
    if (from.size)
        memcpy(*to, from.bytes, from.size);
    *to += from.size;
    return out;
}

static int enqueue(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, const cf_post_msg_t *body)
{
    const cf_room_config_t *config = self->host->config;
    size_t texts = (size_t)body->username.size + body->text.size + body->client_key.size;
    size_t size = sizeof(cf_queued_post_t) + texts;
    if (self->queue_count >= config->queue_posts || self->queue_bytes + size > config->queue_bytes)
        return CF_EFULL;
    cf_queued_post_t *queued = malloc(size);
    if (!queued)
        return CF_ENOMEM;
    *queued = (cf_queued_post_t){.request = *msg, .arrived_us = turn->boot_us, .size = size};
    char *to = queued->texts;
    queued->post = (cf_post_t){.sender = body->sender, .kind = body->kind};
    queued->post.username = copy(&to, body->username);
    queued->post.text = copy(&to, body->text);
    queued->post.client_key = copy(&to, body->client_key);
    *self->queue_end = queued;
    self->queue_end = &queued->next;
    self->queue_count++;
    self->queue_bytes += size;
    return 0;
}

/* The post that the link at points to. */
static void take_out(cf_room_t *self, cf_queued_post_t **at)
{
    cf_queued_post_t *queued = *at;
    *at = queued->next;
    if (!*at)
        self->queue_end = at;
    self->queue_count--;
    self->queue_bytes -= queued->size;
    free(queued);
}

static void pop(cf_room_t *self)
{
    take_out(self, &self->queue);
}

int cf_room_on_post(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_post_msg_t body;
    int rc = cf_msg_body(&body, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_crash_point("after_recv");
    cf_count(CF_M_POSTS_IN);
    rc = cf_room_may_speak(self, turn, msg, body.conn, body.sender);
    if (rc == CF_EAGAIN)
        return 0;
    if (rc == 0)
        rc = CF_EPERM;
    else if (rc == 1)
        rc = enqueue(self, turn, msg, &body);
    if (rc < 0)
        cf_count(CF_M_POSTS_REFUSED);
    return rc;
}

/* The run that a post was part of tells storage under which span it is. */
static void tell_span(cf_room_t *self, cf_turn_t *turn, const cf_queued_post_t *queued, bool failed)
{
    if (!queued->request.trace.sampled)
        return;
    cf_span_attribute_t attributes[] = {{cf_str("confab.run.posts"), {0}, self->run_size}};
    cf_room_tell_span(self, turn, &queued->request, self->run_corr,
                      &(cf_span_told_t){.kind = CF_SPAN_INTERNAL,
                                        .name = "append",
                                        .took_us = turn->boot_us - queued->arrived_us,
                                        .failed = failed,
                                        .attributes = attributes,
                                        .n = failed ? 0 : 1}); /* it may never have been in a run */
}

static void refuse(cf_room_t *self, cf_turn_t *turn, cf_queued_post_t *queued, int err)
{
    if (queued->answered)
        return;
    queued->answered = true;
    tell_span(self, turn, queued, true);
    cf_outbox_trace(turn->out, &queued->request.trace);
    cf_count(err == CF_EUNCONFIRMED ? CF_M_POSTS_UNCONFIRMED : CF_M_POSTS_REFUSED);
    bool may_help = err == CF_EIO || err == CF_EUNCONFIRMED || err == CF_EFULL || err == CF_ETIME;
    cf_outbox_refuse(turn->out, &queued->request, err, may_help ? RETRY_MS : 0);
}

/* Where the posts begin that are not in flight: the verdict on a run answers those that are. */
static cf_queued_post_t **waiting(cf_room_t *self)
{
    cf_queued_post_t **at = &self->queue;
    for (uint32_t i = 0; i < self->run_size; i++)
        at = &(*at)->next;
    return at;
}

/* Answers the post that the link at points to, and drops it. */
static void turn_away(cf_room_t *self, cf_turn_t *turn, cf_queued_post_t **at, int err)
{
    if (err == CF_EMOVED && !(*at)->answered)
        cf_room_answer_moved(self, turn, &(*at)->request);
    else
        refuse(self, turn, *at, err);
    take_out(self, at);
}

void cf_room_drop_queue(cf_room_t *self, cf_turn_t *turn, int err)
{
    for (cf_queued_post_t **at = waiting(self); *at;)
        turn_away(self, turn, at, err);
}

/* --- commit ------------------------------------------------------------------------------------
 */

static void answer_posted(cf_room_t *self, cf_turn_t *turn, cf_queued_post_t *queued,
                          const cf_posted_t *posted)
{
    if (queued->answered)
        return;
    if (cf_outbox_answer(turn->out, &queued->request, CF_MSG_POSTED, posted) < 0)
        refuse(self, turn, queued, CF_EUNCONFIRMED); /* no memory to say more; it is stored */
    else
        tell_span(self, turn, queued, false);
}

/* A new minute begins: what was counted is that of the one before, if it is not older. */
static void count_minute(cf_room_t *self, int64_t boot_us)
{
    int64_t minute = boot_us / MINUTE_US;
    if (minute == self->minute)
        return;
    self->posts_of_minute_before = minute == self->minute + 1 ? self->posts_of_minute : 0;
    self->posts_of_minute = 0;
    self->minute = minute;
}

void cf_room_busyness(cf_room_t *self, int64_t boot_us, cf_top_room_t *out)
{
    count_minute(self, boot_us);
    int64_t left_us = MINUTE_US - boot_us % MINUTE_US;
    uint64_t before = (uint64_t)self->posts_of_minute_before * (uint64_t)left_us / MINUTE_US;
    *out = (cf_top_room_t){.room = self->id,
                           .connections = self->connections,
                           .posts_last_minute = self->posts_of_minute + before,
                           .posts = self->posts};
}

/* The oldest post is stored under the number it has: acknowledge it, then show it. */
static void commit_first(cf_room_t *self, cf_turn_t *turn)
{
    cf_queued_post_t *queued = self->queue;
    cf_post_t *post = &queued->post;
    cf_outbox_trace(turn->out, &queued->request.trace);
    self->committed_seq = post->seq;
    self->last_us = post->at_us;
    answer_posted(self, turn, queued, &(cf_posted_t){post->id, post->seq, post->at_us});
    cf_count(CF_M_POSTS_STORED);
    count_minute(self, turn->boot_us);
    self->posts_of_minute++;
    self->posts++;
    cf_observe(CF_H_ACK, turn->boot_us - queued->arrived_us);
    cf_room_announce(self, turn, CF_EVENT_POST, post);
    cf_room_fan_out(self, turn); /* at once: the ring may be shorter than a run */
    pop(self);
}

static void number(cf_room_t *self, cf_turn_t *turn, cf_post_t *post, const cf_post_t *before)
{
    uint64_t seq = before ? before->seq : self->committed_seq;
    int64_t last_us = before ? before->at_us : self->last_us;
    post->seq = seq + 1;
    post->id = cf_id_new(turn->wall_us);
    post->at_us =
        turn->wall_us > last_us ? turn->wall_us : last_us + 1; /* a clock step keeps the order */
}

/* Same sender, same key: the second one has to wait for the verdict of the first. */
static bool repeats_key(const cf_post_t *rows, uint32_t n, const cf_post_t *post)
{
    if (post->client_key.size == 0)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (cf_id_equal(rows[i].sender, post->sender) &&
            cf_str_equal(rows[i].client_key, post->client_key))
            return true;
    return false;
}

/* --- ephemeral rooms ---------------------------------------------------------------------------
 */

static void answer_repeated(cf_room_t *self, cf_turn_t *turn, cf_queued_post_t *queued,
                            bool same_body, const cf_posted_t *posted)
{
    cf_count(CF_M_POSTS_REPEATED);
    if (!same_body)
        refuse(self, turn, queued, CF_ECONFLICT);
    else
        answer_posted(self, turn, queued, posted);
}

/* Nothing to wait for but the readers: a post is shown when every gateway can take it. */
static void show_ephemeral(cf_room_t *self, cf_turn_t *turn)
{
    while (self->queue && cf_room_windows_open(self)) {
        cf_post_t *post = &self->queue->post;
        cf_ring_event_t earlier;
        if (cf_ring_find_key(&earlier, self->ring, post->sender, post->client_key)) {
            bool same_body =
                earlier.post.kind == post->kind && cf_str_equal(earlier.post.text, post->text);
            answer_repeated(self, turn, self->queue, same_body,
                            &(cf_posted_t){earlier.post.id, earlier.post.seq, earlier.post.at_us});
            pop(self);
            continue;
        }
        number(self, turn, post, NULL);
        commit_first(self, turn);
    }
}

/* --- runs --------------------------------------------------------------------------------------
 */

/* The APPEND is in the trace of its first post: here the others are joined to its correlation id. */
static void tell_traces(const cf_room_t *self)
{
    const cf_queued_post_t *at = self->queue;
    if (!cf_log_is_on(CF_LOG_DEBUG))
        return;
    for (uint32_t i = 0; i < self->run_size; i++, at = at->next) {
        cf_log_trace(&at->request.trace);
        cf_log_debug("put a post into a run", CF_ID("room", self->id),
                     CF_ID("user", at->post.sender), CF_UINT("seq", at->post.seq),
                     CF_UINT("corr", self->run_corr));
    }
    cf_log_trace(NULL);
}

void cf_room_build_run(cf_room_t *self, cf_turn_t *turn)
{
    if (self->ephemeral)
        show_ephemeral(self, turn);
    if (self->ephemeral || self->run_size || !self->queue)
        return;
    uint32_t n = 0,
             limit = self->queue_count < CF_RUN_ROWS_MAX ? self->queue_count : CF_RUN_ROWS_MAX;
    size_t bytes = 0;
    cf_post_t *rows = cf_arena_take(turn->arena, limit * sizeof *rows);
    if (!rows)
        return; /* the next turn tries again; the posts' own time limit answers them */
    for (cf_queued_post_t *at = self->queue; n < limit && bytes < RUN_BYTES_MAX;
         at = at->next, n++) {
        if (repeats_key(rows, n, &at->post))
            break;
        number(self, turn, &at->post, n ? &rows[n - 1] : NULL);
        if (at->post.client_key.size)
            hash_body(&at->post);
        bytes += at->post.text.size;
        rows[n] = at->post;
        rows[n].username = (cf_str_t){0};
    }
    uint64_t corr = cf_room_next_corr(self);
    cf_append_t append = {.epoch = self->epoch, .prev = self->committed_seq, .rows = {rows, n}};
    cf_outbox_trace(turn->out, &self->queue->request.trace);
    if (cf_outbox_send(turn->out, self->host->config->storage, CF_MSG_APPEND, corr, self->id,
                       &append) < 0)
        return;
    self->run_size = n;
    self->run_corr = corr;
    tell_traces(self);
}

/* Whoever repeats a refused post must not find stored before it what they wrote after it. */
static void mark_later_of_its_senders(cf_room_t *self)
{
    cf_queued_post_t *first_later = *waiting(self);
    for (cf_queued_post_t *refused = self->queue; refused != first_later; refused = refused->next)
        for (cf_queued_post_t *later = first_later; later; later = later->next)
            later->follows_refused |= cf_id_equal(later->post.sender, refused->post.sender);
}

static void refuse_marked(cf_room_t *self, cf_turn_t *turn, int err)
{
    for (cf_queued_post_t **at = &self->queue; *at;) {
        if ((*at)->follows_refused)
            turn_away(self, turn, at, err);
        else
            at = &(*at)->next;
    }
}

void cf_room_run_refused(cf_room_t *self, cf_turn_t *turn, int err)
{
    if (err != CF_EMOVED) /* else all of them are asked again elsewhere, in their order */
        mark_later_of_its_senders(self);
    for (; self->run_size > 0; self->run_size--)
        turn_away(self, turn, &self->queue, err);
    refuse_marked(self, turn, err == CF_EUNCONFIRMED ? CF_EIO : err); /* these are not stored */
}

static void lost_ownership(cf_room_t *self, cf_turn_t *turn, uint32_t status)
{
    cf_log_warn("stopped a room that is not ours any more", CF_ID("room", self->id),
                CF_UINT("epoch", self->epoch), CF_UINT("status", status));
    cf_room_run_refused(self, turn, CF_EMOVED);
    cf_room_vacate(self, turn, CF_EMOVED);
}

int cf_room_on_verdict(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_verdict_t verdict;
    int rc = cf_msg_body(&verdict, msg, turn->arena);
    if (rc < 0 || self->run_size == 0 || msg->corr != self->run_corr)
        return rc;
    if (verdict.status == CF_VERDICT_UNKNOWN)
        return 0; /* the numbers stay taken; the final verdict follows */
    uint32_t stored = verdict.stored < self->run_size ? verdict.stored : self->run_size;
    for (uint32_t i = 0; i < stored; i++)
        commit_first(self, turn);
    self->run_size -= stored;
    switch (verdict.status) {
    case CF_VERDICT_STORED:
        /* Read back after its answer was lost, a run may be stored in part. The store had a reason
         * to leave the rest out: the next run will tell it */
        self->run_size = 0;
        break;
    case CF_VERDICT_DUPLICATE:
        answer_repeated(self, turn, self->queue, verdict.same_body,
                        &(cf_posted_t){verdict.id, verdict.seq, verdict.at_us});
        pop(self);
        self->run_size = 0; /* what stood behind it goes into the next run, numbered then */
        break;
    case CF_VERDICT_BAD_ROW:
        self->run_size = 0;
        turn_away(self, turn, &self->queue, CF_ERANGE);
        break;
    case CF_VERDICT_FAILED:
        cf_room_run_refused(self, turn, CF_EIO);
        break;
    case CF_VERDICT_NO_ROOM:
        cf_room_run_refused(self, turn, CF_ENOENT);
        cf_room_vacate(self, turn, CF_ENOENT);
        break;
    case CF_VERDICT_STALE_EPOCH:
    case CF_VERDICT_OUT_OF_ORDER:
        lost_ownership(self, turn, verdict.status);
        break;
    }
    return 0;
}

/* Whoever has waited too long is told so. A post in flight keeps its number; one that was never
 * sent to storage is certainly not stored and goes, and with it all that wait behind it: a store that
 * is so late will not be in time for them, and nobody's later post may outlive an earlier one. */
void cf_room_posts_tick(cf_room_t *self, cf_turn_t *turn)
{
    int64_t until_us = turn->boot_us - self->host->config->verdict_timeout_us;
    cf_queued_post_t *at = self->queue; /* in order of arrival */
    for (uint32_t i = 0; i < self->run_size && at->arrived_us <= until_us; i++, at = at->next)
        refuse(self, turn, at, CF_EUNCONFIRMED);
    cf_queued_post_t *oldest = *waiting(self);
    if (oldest && oldest->arrived_us <= until_us)
        cf_room_drop_queue(self, turn, CF_EIO);
}

void cf_room_free_posts(cf_room_t *self)
{
    while (self->queue)
        pop(self);
}
