/* room_fanout.c: what a room shows: events in order to every gateway with members. */
#include "room_state.h"

#include "cost.h"
#include "crash_point.h"
#include "err.h"
#include "metrics.h"
#include "store.h"
#include "wire/read.h"

#include <stdlib.h>

#define CROWD_CORE_SHARE 20 /* of a core, the part that a crowd's comings and goings take at most */
#define READ_BACK_POSTS 100 /* at a time, for a gateway that is behind the ring */
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
    if (!gateway) { /* one at a time: most rooms have one, and there are 100,000 of them */
        size_t size = (self->gateway_count + 1) * sizeof *gateway;
        cf_room_gateway_t *gateways = realloc(self->gateways, size);
        if (!gateways)
            return CF_ENOMEM;
        self->gateways = gateways;
        gateway = &gateways[self->gateway_count++];
        *gateway = (cf_room_gateway_t){0};
    }
    if (gateway->address != address || gateway->connections == 0)
        *gateway = (cf_room_gateway_t){.address = address};
    *out = gateway;
    return 0;
}

static bool is_change(uint32_t kind)
{
    return kind == CF_EVENT_JOINED || kind == CF_EVENT_LEFT;
}

void cf_room_announce(cf_room_t *self, cf_turn_t *turn, uint32_t kind, const cf_post_t *post)
{
    cf_post_t kept = *post;
    if (!self->ephemeral)
        kept.client_key = (cf_str_t){0}; /* it is the store that knows repeats */
    if (cf_ring_add(self->ring, kind, &kept) < 0)
        cf_ring_skip(self->ring);
    if (!is_change(kind)) {
        self->last_other_n = cf_ring_last_n(self->ring);
        self->untold = 0; /* they go before it, and with it */
    } else if (++self->untold >= self->untold_max) {
        cf_room_fan_out_all(self,
                            turn); /* of 5,000 who come in one batch the ring would lose most */
    }
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

static int send_through(cf_room_t *self, cf_turn_t *turn, const cf_room_gateway_t *gateway,
                        cf_window_t *window, uint16_t type, const void *body)
{
    size_t before = cf_outbox_bytes(turn->out);
    int rc =
        cf_outbox_send(turn->out, cf_address_unpack(gateway->address), type, 0, self->id, body);
    if (rc < 0)
        return rc;
    cf_window_sent(window, cf_outbox_bytes(turn->out) - before);
    return 0;
}

static int send_event(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway,
                      cf_window_t *window, const cf_event_t *event)
{
    int rc = send_through(self, turn, gateway, window, CF_MSG_EVENT, event);
    if (rc < 0)
        return rc;
    cf_count(CF_M_EVENTS_OUT);
    if (event->kind == CF_EVENT_POST)
        gateway->told_seq = event->post.seq;
    return 0;
}

/* Who has come and gone from next_n on, up to `last`, as one message. Returns their number, 0 if there are
 * not several of them, or CF_ENOMEM. */
static int send_changes(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway,
                        cf_window_t *window, uint64_t last)
{
    cf_changes_t body = {.epoch = self->epoch, .n = gateway->next_n};
    uint64_t n = gateway->next_n;
    while (n <= last && n - body.n < CF_CHANGES_MAX && is_change(cf_ring_at(self->ring, n).kind))
        n++;
    uint32_t count = (uint32_t)(n - body.n);
    if (count < 2)
        return 0;
    cf_change_t *changes = cf_arena_take(turn->arena, count * sizeof *changes);
    if (!changes)
        return CF_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        cf_ring_event_t at = cf_ring_at(self->ring, body.n + i);
        changes[i] =
            (cf_change_t){at.kind == CF_EVENT_LEFT, (uint32_t)at.post.seq, at.post.username};
    }
    body.changes = (cf_list_t){changes, count};
    int rc = send_through(self, turn, gateway, window, CF_MSG_CHANGES, &body);
    if (rc < 0)
        return rc;
    cf_count_by(CF_M_EVENTS_OUT, count);
    return (int)count;
}

/* The event next_n, with those that are told together with it. Returns how many, or CF_ENOMEM. */
static int send_next(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway,
                     cf_window_t *window, uint64_t last)
{
    int sent = send_changes(self, turn, gateway, window, last);
    if (sent != 0)
        return sent;
    cf_ring_event_t at = cf_ring_at(self->ring, gateway->next_n);
    cf_event_t event = {.epoch = self->epoch, .n = at.n, .kind = at.kind, .post = at.post};
    event.post.client_key = (cf_str_t){0}; /* between its sender and the room */
    bool was_read_back = at.kind == CF_EVENT_POST && at.post.seq <= gateway->told_seq;
    int rc = was_read_back ? 0 : send_event(self, turn, gateway, window, &event);
    return rc < 0 ? rc : 1;
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
    cf_read_posts_t read = {.from = CF_POSTS_AFTER_SEQ,
                            .at = (int64_t)gateway->told_seq,
                            .limit = READ_BACK_POSTS,
                            .last_seq = self->committed_seq};
    if (cf_outbox_send(turn->out, cf_room_reader(self), CF_MSG_READ_POSTS, gateway->read_corr,
                       self->id, &read) < 0)
        cf_room_read_failed(self, turn, gateway->read_corr);
    return false;
}

/* Up to event `last`. */
static void fan_out_to(cf_room_t *self, cf_turn_t *turn, cf_room_gateway_t *gateway, uint64_t last)
{
    if (gateway->read_corr && turn->boot_us >= gateway->read_again_us)
        gateway->read_corr = 0; /* nobody answered; ask again */
    while (gateway->connections && !gateway->read_corr && gateway->next_n <= last) {
        cf_window_t *window = open_window(self, gateway);
        if (!window)
            return;
        if (gateway->next_n < cf_ring_first_n(self->ring)) {
            if (!catch_up(self, turn, gateway))
                return;
            continue;
        }
        int sent = send_next(self, turn, gateway, window, last);
        if (sent < 0)
            return; /* no memory: the next turn tries again */
        gateway->next_n += (uint64_t)sent;
    }
}

static void fan_out(cf_room_t *self, cf_turn_t *turn, uint64_t last)
{
    for (uint32_t i = 0; i < self->gateway_count; i++)
        fan_out_to(self, turn, &self->gateways[i], last);
    cf_ring_trim(self->ring, self->untold);
}

void cf_room_fan_out_all(cf_room_t *self, cf_turn_t *turn)
{
    if (self->untold)
        self->changes_told_us = turn->boot_us;
    self->untold = 0;
    fan_out(self, turn, cf_ring_last_n(self->ring));
}

/* What one connection's coming costs a crowd is a send to each of its members, whatever that send carries: so
 * those who come within crowd_pause of each other share it. Anything else that is told takes with it who
 * came and went before, so the order stays. */
static int64_t due_us(const cf_room_t *self)
{
    int64_t pause_us = self->host->config->crowd_pause_us;
    int64_t by_core_us = self->connections * CF_COST_SEND_US * CROWD_CORE_SHARE;
    return self->changes_told_us + (pause_us && by_core_us > pause_us ? by_core_us : pause_us);
}

bool cf_room_crowd_waits(const cf_room_t *self, const cf_turn_t *turn)
{
    return self->phase == CF_ROOM_OPEN && self->changes_told_us &&
           self->connections >= self->host->config->crowd && turn->boot_us < due_us(self);
}

void cf_room_fan_out(cf_room_t *self, cf_turn_t *turn)
{
    if (!self->untold || !cf_room_crowd_waits(self, turn)) {
        cf_room_fan_out_all(self, turn);
        return;
    }
    if (!self->host->crowds_due_us || due_us(self) < self->host->crowds_due_us)
        self->host->crowds_due_us = due_us(self);
    fan_out(self, turn, self->last_other_n);
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
    if (rc == 0 && !gateway)
        cf_room_history_loaded(self, turn, msg->corr, &page);
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
