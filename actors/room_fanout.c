/* room_fanout.c: what a room shows: events in order to every gateway with members, and its history.
 */
#include "room_state.h"

#include "crash_point.h"
#include "err.h"
#include "metrics.h"
#include "store.h"
#include "wire/read.h"

#include <limits.h>

#define READ_BACK_POSTS 100           /* at a time, for a gateway that is behind the ring */
#define READ_RETRY_US INT64_C(500000) /* after a failure: two actors must not spin */

cf_room_gateway_t *cf_room_gateway(cf_room_t *self, uint64_t address)
{
    for (uint32_t i = 0; i < self->gateway_count; i++)
        if (self->gateways[i].address == address)
            return &self->gateways[i];
    return NULL;
}

/* A row without connections is taken over, so a room never holds more rows than gateways at once.
 */
int cf_room_add_gateway(cf_room_t *self, uint64_t address, cf_room_gateway_t **out)
{
    cf_room_gateway_t *gateway = cf_room_gateway(self, address);
    if (!cf_windows_of(&self->host->windows, address))
        return CF_EFULL; /* no event could ever be sent to it */
    for (uint32_t i = 0; !gateway && i < self->gateway_count; i++)
        if (self->gateways[i].connections == 0)
            gateway = &self->gateways[i];
    if (!gateway && self->gateway_count == CF_GATEWAYS_MAX)
        return CF_EFULL;
    if (!gateway)
        gateway = &self->gateways[self->gateway_count++];
    if (gateway->address != address || gateway->connections == 0)
        *gateway = (cf_room_gateway_t){.address = address};
    *out = gateway;
    return 0;
}

void cf_room_announce(cf_room_t *self, uint32_t kind, const cf_post_t *post)
{
    if (cf_ring_add(self->ring, kind, post) < 0)
        cf_ring_skip(self->ring);
}

bool cf_room_windows_open(const cf_room_t *self)
{
    for (uint32_t i = 0; i < self->gateway_count; i++) {
        const cf_room_gateway_t *gateway = &self->gateways[i];
        if (gateway->connections && gateway->lagging)
            return false;
    }
    return true;
}

uint64_t cf_room_lag(const cf_room_t *self)
{
    uint64_t most = 0, end = cf_ring_last_n(self->ring) + 1;
    for (uint32_t i = 0; i < self->gateway_count; i++) {
        const cf_room_gateway_t *gateway = &self->gateways[i];
        if (gateway->connections && end - gateway->next_n > most)
            most = end - gateway->next_n;
    }
    return most;
}

/* --- events ------------------------------------------------------------------------------------
 */

/* The window to send one event through; NULL, and the gateway is marked, when it is closed. */
static cf_window_t *open_window(cf_room_t *self, cf_room_gateway_t *gateway)
{
    cf_window_t *window = cf_windows_of(&self->host->windows, gateway->address);
    if (window && cf_window_is_open(&self->host->windows, window))
        return window;
    if (!gateway->lagging)
        cf_count(CF_M_ROOM_LAGS);
    gateway->lagging = true;
    self->host->lagging = true;
    return NULL;
}

static int send_event(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway,
                      cf_window_t *window, const cf_event_t *event)
{
    size_t before = cf_outbox_bytes(turn->out);
    int rc = cf_outbox_send(turn->out, cf_address_unpack(gateway->address), CF_MSG_EVENT, 0,
                            self->id, event);
    if (rc < 0)
        return rc;
    cf_window_sent(window, cf_outbox_bytes(turn->out) - before);
    cf_count(CF_M_EVENTS_OUT);
    if (event->kind == CF_EVENT_POST)
        gateway->told_seq = event->post.seq;
    return 0;
}

/* The ring has gone past this gateway. Skip lost presence; read lost posts back. True: go on. */
static bool catch_up(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway)
{
    gateway->roster_due = true;
    if (gateway->told_seq >= self->committed_seq || self->ephemeral) {
        gateway->next_n = cf_ring_first_n(self->ring);
        return true;
    }
    uint64_t n = cf_ring_after_seq(self->ring, gateway->told_seq);
    if (n) {
        gateway->next_n = n;
        return true;
    }
    if (turn->boot_us < gateway->read_again_us)
        return false;
    gateway->read_corr = cf_room_next_corr(self);
    gateway->read_again_us = turn->boot_us + self->host->config->answer_us;
    cf_read_posts_t read = {
        .from = CF_POSTS_AFTER_SEQ, .at = (int64_t)gateway->told_seq, .limit = READ_BACK_POSTS};
    if (cf_outbox_send(turn->out, cf_room_reader(self), CF_MSG_READ_POSTS, gateway->read_corr,
                       self->id, &read) < 0)
        cf_room_read_failed(self, turn, gateway->read_corr);
    return false;
}

void cf_room_fan_out_to(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway)
{
    if (gateway->read_corr && turn->boot_us >= gateway->read_again_us)
        gateway->read_corr = 0; /* nobody answered; ask again */
    while (gateway->connections && !gateway->read_corr &&
           gateway->next_n <= cf_ring_last_n(self->ring)) {
        cf_window_t *window = open_window(self, gateway);
        if (!window)
            return;
        if (gateway->next_n < cf_ring_first_n(self->ring)) {
            if (!catch_up(self, turn, gateway))
                return;
            continue;
        }
        const cf_ring_event_t *at = cf_ring_at(self->ring, gateway->next_n);
        cf_event_t event = {.epoch = self->epoch, .n = at->n, .kind = at->kind, .post = at->post};
        event.post.client_key = (cf_str_t){0}; /* between its sender and the room */
        bool was_read_back = at->kind == CF_EVENT_POST && at->post.seq <= gateway->told_seq;
        if (!was_read_back && send_event(self, turn, gateway, window, &event) < 0)
            return; /* no memory: the next turn tries again */
        gateway->next_n++;
    }
}

void cf_room_fan_out(cf_room_t *self, cf_turn_t *turn)
{
    for (uint32_t i = 0; i < self->gateway_count; i++)
        cf_room_fan_out_to(self, turn, &self->gateways[i]);
}

/* The posts a gateway is behind, from the store. What does not fit its window is read again. */
int cf_room_on_page(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_page_t page;
    int rc = cf_msg_body(&page, msg, turn->arena);
    cf_room_gateway_t *gateway = NULL;
    for (uint32_t i = 0; rc == 0 && msg->corr && i < self->gateway_count; i++)
        if (self->gateways[i].read_corr == msg->corr)
            gateway = &self->gateways[i];
    if (!gateway)
        return rc;
    uint64_t told_seq = gateway->told_seq;
    gateway->read_corr = 0;
    const cf_post_t *posts = page.posts.items;
    for (uint32_t i = 0; i < page.posts.n; i++) {
        cf_window_t *window = open_window(self, gateway);
        if (!window)
            break;
        if (posts[i].seq <= gateway->told_seq || posts[i].seq > self->committed_seq)
            continue; /* behind committed_seq may be what is stored and not confirmed yet */
        cf_event_t event = {.epoch = self->epoch, .kind = CF_EVENT_POST, .post = posts[i]};
        event.post.client_key = (cf_str_t){0};
        if (send_event(self, turn, gateway, window, &event) < 0)
            break;
    }
    bool helped = gateway->told_seq > told_seq || gateway->lagging;
    gateway->read_again_us = helped ? 0 : turn->boot_us + READ_RETRY_US;
    return 0; /* the settle at the end of the batch goes on from here */
}

void cf_room_read_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr)
{
    for (uint32_t i = 0; corr && i < self->gateway_count; i++)
        if (self->gateways[i].read_corr == corr) {
            self->gateways[i].read_corr = 0;
            self->gateways[i].read_again_us = turn->boot_us + READ_RETRY_US; /* by the tick */
        }
}

/* --- history -----------------------------------------------------------------------------------
 */

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
        for (uint64_t n = cf_ring_last_n(self->ring); n >= cf_ring_first_n(self->ring); n--) {
            const cf_ring_event_t *event = cf_ring_at(self->ring, n);
            if (event->kind == CF_EVENT_POST && cf_id_equal(event->post.id, history->id)) {
                cut.before_seq = event->post.seq;
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

/* Fill *page with the newest posts older than the cut. False: the ring does not go back far enough.
 */
static bool page_from_ring(cf_room_t *self, cf_turn_t *turn, const cf_history_t *history,
                           cf_page_t *page)
{
    cut_t cut = cut_of(self, history);
    bool has_all =
        self->ephemeral || self->committed_seq == 0 || cf_ring_first_seq(self->ring) == 1;
    cf_post_t *posts = cf_arena_take(turn->arena, history->limit * sizeof *posts);
    if (!cut.known || !posts)
        return false;
    uint32_t at = history->limit; /* filled from its end, as the ring is read backwards */
    int64_t ttl_us = self->host->config->posts_ttl_us;
    for (uint64_t n = cf_ring_last_n(self->ring); at > 0 && n >= cf_ring_first_n(self->ring); n--) {
        const cf_ring_event_t *event = cf_ring_at(self->ring, n);
        if (event->kind != CF_EVENT_POST || event->post.seq >= cut.before_seq ||
            event->post.at_us >= cut.before_us)
            continue;
        if (ttl_us && event->post.at_us <= turn->wall_us - ttl_us) {
            has_all = true; /* the history begins behind it, whatever the ring still has */
            break;
        }
        posts[--at] = event->post;
        posts[at].client_key = (cf_str_t){0};
    }
    page->posts = (cf_list_t){posts + at, history->limit - at};
    return at == 0 || has_all;
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
    if (page_from_ring(self, turn, &history, &page))
        return cf_outbox_answer(turn->out, msg, CF_MSG_PAGE, &page);
    if (self->ephemeral) /* a cursor the ring does not have any more */
        return cf_outbox_refuse(turn->out, msg, CF_ERANGE, 0);
    /* The reader answers whoever the message says it is from: the page never passes through the
     * room */
    return cf_outbox_put(
        turn->out,
        &(cf_msg_t){.type = CF_MSG_READ_POSTS,
                    .corr = msg->corr,
                    .from = msg->from,
                    .to = cf_room_reader(self),
                    .room = self->id},
        &(cf_read_posts_t){
            .from = history.from, .at = history.at, .id = history.id, .limit = history.limit});
}
