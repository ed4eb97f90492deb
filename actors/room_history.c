/* room_history.c: pages of a room's history, from its ring as far as that reaches.
 *
 * A room opens with an empty ring, and the posts stored before that are missing in front of it: the gap.
 * The first who asks for the newest page, or comes again and has missed some of it, has it closed, by one question to the
 * store for all who ask meanwhile; so a room that nobody reads costs neither the question nor the memory. It is asked once an
 * activation. What the ring lacks after that (a bound was reached, somebody scrolls back) a reader
 * answers. */
#include "room_state.h"

#include "err.h"
#include "metrics.h"
#include "store.h"
#include "wire/read.h"

#include <limits.h>

#define LOAD_POSTS 50 /* the page of who does not say how much */

typedef struct {
    uint64_t before_seq;
    int64_t before_us;
    bool known; /* the bound could be found in the ring */
} cut_t;

static cut_t cut_of(const cf_room_t *self, const cf_history_t *history)
{
    cut_t cut = {UINT64_MAX, INT64_MAX, true};
    switch (history->from) {
    case CF_POSTS_BEFORE_SEQ:
        cut.before_seq = (uint64_t)history->at;
        break;
    case CF_POSTS_BEFORE_TIME:
        cut.before_us = history->at;
        break;
    case CF_POSTS_BEFORE_ID:
        cut.known = false;
        for (uint32_t i = 0; i < cf_ring_entries(self->ring) && !cut.known; i++) {
            cf_ring_event_t event = cf_ring_entry(self->ring, i);
            if (event.kind == CF_EVENT_POST && cf_id_equal(event.post.id, history->id)) {
                cut.before_seq = event.post.seq;
                cut.known = true;
            }
        }
        break;
    case CF_POSTS_AFTER_SEQ:
        cut.known = false;
        break;
    }
    return cut;
}

/* The ring has every post there is. */
static bool has_all(const cf_room_t *self)
{
    uint64_t first = cf_ring_first_seq(self->ring);
    return self->ephemeral || self->committed_seq < self->oldest_seq ||
           (first && first <= self->oldest_seq);
}

/* Fill *page with the newest posts older than the cut. False: the ring does not go back far enough.
 */
static bool page_from_ring(cf_room_t *self, cf_turn_t *turn, const cf_history_t *history,
                           cf_page_t *page)
{
    cut_t cut = cut_of(self, history);
    bool is_whole = has_all(self);
    cf_post_t *posts = cf_arena_take(turn->arena, history->limit * sizeof *posts);
    if (!cut.known || !posts)
        return false;
    uint32_t at = history->limit; /* filled from its end, as the ring is read backwards */
    int64_t ttl_us = self->host->config->posts_ttl_us;
    for (uint32_t i = cf_ring_entries(self->ring); at > 0 && i-- > 0;) {
        cf_ring_event_t event = cf_ring_entry(self->ring, i);
        if (event.kind != CF_EVENT_POST || event.post.seq >= cut.before_seq ||
            event.post.at_us >= cut.before_us)
            continue;
        if (ttl_us && event.post.at_us <= turn->wall_us - ttl_us) {
            is_whole = true; /* the history begins behind it, whatever the ring still has */
            break;
        }
        posts[--at] = event.post;
        posts[at].client_key = (cf_str_t){0};
    }
    page->posts = (cf_list_t){posts + at, history->limit - at};
    return at == 0 || is_whole;
}

/* --- the gap -----------------------------------------------------------------------------------
 */

/* It is held under the room's own id, which no user has. */
int cf_room_wait_for_load(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, uint32_t limit)
{
    int rc = cf_room_hold(self, turn, msg, self->id);
    if (rc < 0 || self->load_corr)
        return rc;
    self->load_corr = cf_room_next_corr(self);
    self->load_seq = self->committed_seq;
    self->load_limit = limit > LOAD_POSTS ? limit : LOAD_POSTS;
    if (self->load_limit > self->host->config->ring_events)
        self->load_limit = self->host->config->ring_events;
    cf_read_posts_t read = {
        .from = CF_POSTS_NEWEST, .limit = self->load_limit, .last_seq = self->committed_seq};
    rc = cf_outbox_send(turn->out, cf_room_reader(self), CF_MSG_READ_POSTS, self->load_corr,
                        self->id, &read);
    if (rc < 0)
        cf_room_load_failed(self, turn, self->load_corr, rc); /* and whoever waits is answered */
    return 0;
}

/* As many as follow, without a gap, on what the ring begins with. A page from before a post that came
 * meanwhile leaves none; one from behind it has posts that are in the ring, or not confirmed yet. */
static bool put_before(cf_room_t *self, const cf_post_t *posts, uint32_t n)
{
    uint64_t first = cf_ring_first_seq(self->ring);
    uint64_t next = first ? first : self->committed_seq + 1;
    while (n > 0 && posts[n - 1].seq >= next)
        n--;
    for (; n > 0 && posts[n - 1].seq + 1 == next; n--, next--) {
        cf_post_t post = posts[n - 1];
        post.client_key = (cf_str_t){0}; /* as in cf_room_announce() */
        if (cf_ring_put_before(self->ring, &post) < 0)
            return false;
    }
    return n == 0;
}

void cf_room_history_loaded(cf_room_t *self, cf_turn_t *turn, uint64_t corr, const cf_page_t *page)
{
    if (!self->load_corr || corr != self->load_corr)
        return;
    const cf_post_t *posts = page->posts.items;
    bool is_begin = page->posts.n < self->load_limit; /* nothing older is stored */
    if (put_before(self, posts, page->posts.n) && is_begin)
        self->oldest_seq = page->posts.n ? posts[0].seq : self->load_seq + 1;
    self->load_corr = 0;
    self->was_loaded = true;
    cf_room_release(self, turn, self->id);
}

void cf_room_load_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err)
{
    if (!self->load_corr || corr != self->load_corr)
        return;
    self->load_corr = 0; /* the next to come asks again */
    cf_room_refuse_held(self, turn, self->id, err);
}

/* --- HISTORY -----------------------------------------------------------------------------------
 */

/* The reader answers whoever the message says it is from: the page never passes through the room. */
static int pass_on(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                   const cf_history_t *history)
{
    cf_msg_t head = {.type = CF_MSG_READ_POSTS,
                     .corr = msg->corr,
                     .from = msg->from,
                     .to = cf_room_reader(self),
                     .room = self->id};
    cf_read_posts_t read = {.from = history->from,
                            .at = history->at,
                            .id = history->id,
                            .limit = history->limit,
                            .last_seq = self->committed_seq};
    cf_count(CF_M_HISTORY_STORE);
    return cf_outbox_put(turn->out, &head, &read);
}

int cf_room_on_history(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_history_t history;
    cf_page_t page;
    int rc = cf_msg_body(&history, msg, turn->arena);
    if (rc == 0)
        rc = cf_room_membership(self, turn, msg, history.user);
    if (rc != 1)
        return rc == 0 ? CF_EPERM : rc == CF_EAGAIN ? 0 : rc;
    if (page_from_ring(self, turn, &history, &page)) {
        cf_count(CF_M_HISTORY_RING);
        return cf_outbox_answer(turn->out, msg, CF_MSG_PAGE, &page);
    }
    if (self->ephemeral) /* a cursor the ring does not have any more */
        return cf_outbox_refuse(turn->out, msg, CF_ERANGE, 0);
    bool may_load = history.from == CF_POSTS_NEWEST && !self->was_loaded &&
                    history.limit <= self->host->config->ring_events;
    rc = may_load ? cf_room_wait_for_load(self, turn, msg, history.limit) : CF_EFULL;
    return rc == CF_EFULL ? pass_on(self, turn, msg, &history) : rc;
}
