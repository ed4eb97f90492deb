#include "actor.h"

#include "clock.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "wire/control.h"
#include "wire/observe.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_DEFAULT (256u << 10)
#define LOW_NICE 10
#define NO_MEMORY_US INT64_C(100000) /* until what could not be sent is tried again */

struct cf_actor {
    cf_address_t address;
    cf_inbox_t *inbox;
    cf_outbox_t *out;
    cf_outbox_t *probed; /* whether it lives it also says when it may say nothing else */
    cf_arena_t arena;
    const cf_actor_ops_t *ops;
    void *state;
    cf_sched_t sched;
    pthread_t thread;
    bool has_thread;
    int64_t speak_until_us; /* INT64_MAX: for ever */
    bool stopping;
    bool stop_waits; /* STOP was kept for later: no handler waits any more */
    bool is_ending;  /* STOP or DRAIN has come */
    cf_msg_t stop;   /* whom to tell STOPPED; head only */
    cf_msg_t drain;  /* whom to tell DRAINED; head only */
    bool draining;   /* DRAIN came and was not answered yet */
    bool drained;    /* it could be answered if there were memory */
    cf_buf_t later;  /* whole frames that came while a handler waited */
    uint32_t later_count;
    uint64_t later_us; /* the times at which they came, added up; may wrap around */
    bool contain;      /* see cf_turn_t */
    uint32_t deepest;  /* most messages found waiting in one turn, since the last probe */
    cf_buf_t handling; /* those of them that are being handled */
    int64_t next_due_us;
    int watch_fd;
    void (*watch)(void *self, cf_turn_t *turn);
};

int cf_actor_new(cf_actor_t **out, const cf_bus_t *bus, cf_address_t address)
{
    cf_actor_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->address = address;
    self->watch_fd = -1;
    self->speak_until_us = INT64_MAX;
    self->contain = bus->contain;
    int rc = cf_inbox_open(&self->inbox, bus, address);
    if (rc == 0)
        rc = cf_outbox_new(&self->out, bus, address);
    if (rc == 0)
        rc = cf_outbox_new(&self->probed, bus, address);
    if (rc < 0) {
        cf_actor_join(&self);
        return rc;
    }
    *out = self;
    return 0;
}

cf_outbox_t *cf_actor_outbox(cf_actor_t *self)
{
    return self->out;
}

cf_inbox_t *cf_actor_inbox(cf_actor_t *self)
{
    return self->inbox;
}

cf_address_t cf_actor_address(const cf_actor_t *self)
{
    return self->address;
}

void cf_actor_watch(cf_actor_t *self, int fd, void (*readable)(void *self, cf_turn_t *turn))
{
    self->watch_fd = fd;
    self->watch = readable;
}

void cf_actor_speak_until(cf_actor_t *self, int64_t boot_us)
{
    self->speak_until_us = boot_us;
}

static bool may_speak(const cf_actor_t *self)
{
    return self->speak_until_us == INT64_MAX || cf_boot_us() < self->speak_until_us;
}

/* The clock is read last of all: a process may have been stopped since its turn began. */
static void flush(cf_actor_t *self)
{
    if (may_speak(self))
        cf_outbox_flush(self->out);
    cf_outbox_flush(self->probed); /* behind what came of the messages before PROBE */
}

/* --- what every actor answers ------------------------------------------------------------------
 */

static void gather_counters(cf_list_t *out, cf_arena_t *arena)
{
    cf_counter_t *counters = cf_arena_take(arena, CF_METRIC_SLOTS * sizeof *counters);
    uint32_t n = 0;
    for (uint32_t slot = 0; counters && slot < CF_METRIC_SLOTS; slot++)
        if (cf_metric_slots[slot])
            counters[n++] = (cf_counter_t){slot, cf_metric_slots[slot]};
    *out = (cf_list_t){counters, n};
}

static void gather_series(cf_list_t *out, cf_arena_t *arena)
{
    uint32_t all, n = 0;
    const cf_series_t *series = cf_series(&all);
    cf_series_counter_t *counters =
        all ? cf_arena_take(arena, all * CF_HISTOGRAM_SLOTS * sizeof *counters) : NULL;
    for (uint32_t i = 0; counters && i < all; i++)
        for (uint32_t slot = 0; slot < CF_HISTOGRAM_SLOTS; slot++)
            if (series[i].slots[slot])
                counters[n++] = (cf_series_counter_t){series[i].key, slot, series[i].slots[slot]};
    *out = (cf_list_t){counters, n};
}

static void on_probe(cf_actor_t *self, const cf_msg_t *msg, cf_arena_t *arena)
{
    cf_gauge(CF_M_INBOX_BACKLOG, self->deepest + self->later_count);
    self->deepest = 0;
    cf_gauge(CF_M_LATER_BYTES, self->later.size);
    if (self->ops->gauges)
        self->ops->gauges(self->state);
    cf_probed_t probed;
    gather_counters(&probed.counters, arena);
    gather_series(&probed.series, arena);
    cf_outbox_answer(self->probed, msg, CF_MSG_PROBED, &probed);
}

void cf_actor_drained(cf_actor_t *self)
{
    self->drained =
        self->draining && cf_outbox_answer(self->out, &self->drain, CF_MSG_DRAINED, NULL) < 0;
    self->draining = self->drained;
}

static void on_drain(cf_actor_t *self, const cf_msg_t *msg, cf_turn_t *turn)
{
    self->drain = *msg;
    self->draining = true;
    if (self->ops->drain)
        self->ops->drain(self->state, turn);
    else
        cf_actor_drained(self);
}

static bool is_end(const cf_msg_t *msg)
{
    return msg->type == CF_MSG_STOP || msg->type == CF_MSG_DRAIN;
}

/* True if msg was for the loop and not for the actor. */
static bool handle_control(cf_actor_t *self, const cf_msg_t *msg, cf_turn_t *turn)
{
    self->is_ending |= is_end(msg);
    switch (msg->type) {
    case CF_MSG_STOP:
        self->stopping = true;
        self->stop = *msg;
        return true;
    case CF_MSG_PROBE:
        on_probe(self, msg, turn->arena);
        return true;
    case CF_MSG_DRAIN:
        on_drain(self, msg, turn);
        return true;
    }
    return false;
}

/* --- what cannot be read -----------------------------------------------------------------------
 */

int cf_turn_malformed(const cf_turn_t *turn, const cf_msg_t *msg, int rc)
{
    bool is_ours = msg->from.node == cf_outbox_address(turn->out).node;
    cf_count(CF_M_MALFORMED);
    cf_log_warn("refused a message", CF_STR("type", cf_msg_name(msg->type)),
                CF_STR("from", cf_actor_name(msg->from.kind)), CF_UINT("node", msg->from.node),
                CF_ERR(rc));
    assert(!is_ours || turn->contain);
    return is_ours ? CF_EINTERNAL : rc;
}

int cf_turn_read(const cf_turn_t *turn, const cf_msg_t *msg, void *out)
{
    int rc = cf_msg_body(out, msg, turn->arena);
    return rc == CF_EPROTO || rc == CF_ERANGE ? cf_turn_malformed(turn, msg, rc) : rc;
}

/* This actor (the one whose thread this is) goes on with what it can read; stats hears of it. */
static void go_into_quarantine(void)
{
    if (!cf_metric_slots[CF_M_QUARANTINED])
        cf_log_error("a message of our own could not be read; restart this process");
    cf_gauge(CF_M_QUARANTINED, 1);
}

/* --- a turn ------------------------------------------------------------------------------------
 */

static cf_turn_t turn_now(cf_actor_t *self)
{
    return (cf_turn_t){.wall_us = cf_wall_us(),
                       .boot_us = cf_boot_us(),
                       .out = self->out,
                       .arena = &self->arena,
                       .contain = self->contain};
}

static cf_handler_fn *handler_of(const cf_actor_ops_t *ops, uint16_t type)
{
    for (const cf_handler_t *row = ops->handlers; row->type; row++)
        if (row->type == type)
            return row->handle;
    return NULL;
}

void cf_actor_trace(cf_outbox_t *out, const cf_trace_t *trace)
{
    cf_outbox_trace(out, trace);
    cf_log_trace(trace);
}

static void handle(cf_actor_t *self, const cf_msg_t *msg, cf_turn_t *turn)
{
    cf_count(CF_M_INBOX_MESSAGES);
    if (self->ops->elsewhere && msg->to.node != self->address.node) {
        self->ops->elsewhere(self->state, msg);
        return;
    }
    cf_actor_trace(self->out, &msg->trace);
    if (!handle_control(self, msg, turn)) {
        cf_handler_fn *handler = handler_of(self->ops, msg->type);
        int rc = handler ? handler(self->state, turn, msg) : CF_EPROTO;
        bool is_malformed = rc == CF_EPROTO || rc == CF_ERANGE;
        if (is_malformed)
            rc = cf_turn_malformed(turn, msg, rc);
        if (rc < 0 && msg->corr && cf_msg_role(msg->type) != CF_ROLE_ANSWER)
            cf_outbox_refuse(self->out, msg, rc, 0);
        bool is_bug = is_malformed && rc == CF_EINTERNAL;
        if (is_bug && !(self->ops->quarantine && self->ops->quarantine(self->state, turn, msg)))
            go_into_quarantine();
    }
    cf_actor_trace(self->out, NULL);
}

/* Handle what came while a handler waited. Returns the number of messages. */
static int handle_later(cf_actor_t *self, cf_turn_t *turn)
{
    cf_buf_t batch = self->later;
    self->later = self->handling; /* empty, its memory is used again */
    self->handling = batch;
    cf_count_by(CF_M_WAITED, self->later_count);
    cf_count_by(CF_M_WAITED_US, self->later_count * (uint64_t)turn->boot_us - self->later_us);
    self->later_count = 0;
    self->later_us = 0;
    int n = 0;
    for (size_t at = 0; at < self->handling.size; n++) {
        const uint8_t *frame = self->handling.data + at;
        size_t size = cf_msg_frame_size(frame);
        cf_msg_t msg;
        if (cf_msg_decode(&msg, frame, size) == 0)
            handle(self, &msg, turn);
        at += size;
    }
    return n;
}

static int handle_inbox(cf_actor_t *self, cf_turn_t *turn, int budget)
{
    cf_msg_t msg;
    int n = 0, rc;
    /* what a waiting handler put off comes before what is in the inbox now */
    while (n < budget && self->later.size == 0 && (rc = cf_inbox_read(self->inbox, &msg)) != 0) {
        n++;
        if (rc > 0)
            handle(self, &msg, turn);
        else
            go_into_quarantine(); /* only this process can have written it */
    }
    return n;
}

int cf_actor_turn(cf_actor_t *self, int budget)
{
    cf_turn_t turn = turn_now(self);
    int n = self->later.size ? handle_later(self, &turn) : handle_inbox(self, &turn, budget);
    if ((uint32_t)n > self->deepest)
        self->deepest = (uint32_t)n;
    if (n > 0 && self->ops->after_batch)
        self->ops->after_batch(self->state, &turn);
    self->next_due_us = self->ops->due ? self->ops->due(self->state, &turn) : INT64_MAX;
    cf_inbox_release(self->inbox);
    cf_buf_clear(&self->handling);
    cf_arena_reset(&self->arena);
    if (self->drained)
        cf_actor_drained(self);
    flush(self);
    if (!self->stopping)
        return n;
    if (!may_speak(self))
        cf_outbox_forget(self->out);
    cf_outbox_answer(self->out, &self->stop, CF_MSG_STOPPED, NULL);
    cf_outbox_flush(self->out);
    return CF_ECLOSING;
}

static void loop(cf_actor_t *self)
{
    for (;;) {
        int n = cf_actor_turn(self, CF_INBOX_BATCH_MAX);
        if (n < 0)
            return;
        if (n == CF_INBOX_BATCH_MAX || self->later.size > 0)
            continue; /* there may be more, of which nobody tells */
        bool watched_ready;
        int64_t until_us = self->next_due_us, retry_us = cf_boot_us() + NO_MEMORY_US;
        if ((self->drained || !cf_outbox_is_empty(self->out)) && retry_us < until_us)
            until_us = retry_us;
        cf_inbox_wait(self->inbox, self->watch_fd, false, cf_boot_timeout_ms(until_us),
                      &watched_ready);
        if (watched_ready) {
            cf_turn_t turn = turn_now(self);
            self->watch(self->state, &turn);
            cf_arena_reset(&self->arena);
            flush(self);
        }
    }
}

/* --- waiting inside a handler ------------------------------------------------------------------
 */

/* False: there is no memory to keep the next message. */
static bool keep_for_later(cf_actor_t *self)
{
    cf_msg_t msg;
    cf_arena_t arena = {0};
    int64_t now_us = cf_boot_us();
    int rc;
    while ((rc = cf_inbox_copy(self->inbox, &self->later, &msg)) != 0 && rc != CF_ENOMEM) {
        if (rc < 0) {
            go_into_quarantine(); /* only this process can have written it */
            continue;
        }
        size_t size = CF_MSG_HEAD_SIZE + (size_t)msg.size;
        bool is_stop = msg.type == CF_MSG_STOP;
        self->stop_waits |= is_stop;
        self->is_ending |= is_end(&msg);
        if (msg.type == CF_MSG_PROBE)
            on_probe(self, &msg, &arena);
        if (is_stop || (msg.type != CF_MSG_PROBE && self->later.size <= CF_ACTOR_LATER_MAX)) {
            self->later_count++;
            self->later_us += (uint64_t)now_us;
            continue; /* kept */
        }
        if (msg.type != CF_MSG_PROBE && msg.corr)
            cf_outbox_refuse(self->out, &msg, CF_EAGAIN, 1000);
        self->later.size -= size;
    }
    cf_arena_free(&arena);
    return rc != CF_ENOMEM;
}

/* Without a look at the inbox. */
static int wait_alone(int fd, bool for_write, int64_t until_us)
{
    struct pollfd one = {.fd = fd, .events = for_write ? POLLOUT : POLLIN};
    for (;;) {
        int left_ms = cf_boot_timeout_ms(until_us);
        int n = poll(&one, fd < 0 ? 0 : 1, left_ms);
        if (n > 0)
            return 0;
        if (left_ms == 0)
            return CF_ETIME;
    }
}

static int wait_inside(cf_actor_t *self, int fd, bool for_write, int64_t until_us, bool may_end)
{
    for (;;) {
        bool ready;
        bool ends = self->stop_waits || (may_end && self->is_ending);
        int left_ms = ends ? 0 : cf_boot_timeout_ms(until_us);
        flush(self); /* what was said before need not wait with it */
        cf_inbox_wait(self->inbox, fd, for_write, left_ms, &ready);
        bool kept = keep_for_later(self);
        flush(self);
        if (!ready && !kept) { /* leave the inbox alone for a moment, it would wake us at once */
            int64_t retry_us = cf_boot_us() + NO_MEMORY_US;
            ready = wait_alone(fd, for_write, retry_us < until_us ? retry_us : until_us) == 0;
        }
        if (ready)
            return 0;
        if (self->stop_waits || (may_end && self->is_ending))
            return CF_ECLOSING;
        if (left_ms == 0)
            return CF_ETIME;
    }
}

int cf_actor_wait(void *arg, int fd, bool for_write, int64_t until_us)
{
    return wait_inside(arg, fd, for_write, until_us, false);
}

int cf_actor_wait_unless_ending(void *arg, int fd, bool for_write, int64_t until_us)
{
    return wait_inside(arg, fd, for_write, until_us, true);
}

bool cf_actor_is_ending(const cf_actor_t *self)
{
    return self->is_ending;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Not SCHED_IDLE, which gets next to nothing on a busy machine: passwords were not looked at for as long as a
 * client waits. With the nice value a thread has about a tenth of a core where all else wants it whole. */
static void apply_sched(cf_sched_t sched)
{
    if (sched != CF_SCHED_NORMAL)
        pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    if (sched == CF_SCHED_LOW)
        setpriority(PRIO_PROCESS, (id_t)gettid(), LOW_NICE); /* of this thread alone */
}

static void live(cf_actor_t *self)
{
    cf_log_actor(cf_actor_name(self->address.kind));
    if (self->ops->begin)
        self->ops->begin(self->state);
    if (self->ops->run)
        self->ops->run(self->state, self);
    else
        loop(self);
    if (self->ops->destroy)
        self->ops->destroy(self->state);
    cf_series_free();
}

/* What top -H and perf show. */
static void name_thread(cf_address_t address)
{
    char name[16]; /* the kernel's bound */
    snprintf(name, sizeof name, "%s-%u", cf_actor_name(address.kind), address.index);
    pthread_setname_np(pthread_self(), name);
}

static void *thread_main(void *arg)
{
    cf_actor_t *self = arg;
    name_thread(self->address);
    apply_sched(self->sched);
    live(self);
    return NULL;
}

int cf_actor_start(cf_actor_t *self, const cf_actor_ops_t *ops, void *state,
                   const cf_actor_options_t *options)
{
    pthread_attr_t attr;
    self->ops = ops;
    self->state = state;
    self->sched = options ? options->sched : CF_SCHED_NORMAL;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, options && options->stack ? options->stack : STACK_DEFAULT);
    int rc = pthread_create(&self->thread, &attr, thread_main, self);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        if (ops->destroy)
            ops->destroy(state);
        cf_log_error("cannot start a thread", CF_STR("actor", cf_actor_name(self->address.kind)),
                     CF_ERRNO(rc));
        return CF_EIO;
    }
    self->has_thread = true;
    return 0;
}

void cf_actor_run_here(cf_actor_t *self, const cf_actor_ops_t *ops, void *state)
{
    self->ops = ops;
    self->state = state;
    live(self);
}

void cf_actor_join(cf_actor_t **self)
{
    if (!*self)
        return;
    if ((*self)->has_thread)
        pthread_join((*self)->thread, NULL);
    cf_inbox_close(&(*self)->inbox);
    cf_outbox_destroy(&(*self)->out);
    cf_outbox_destroy(&(*self)->probed);
    cf_arena_free(&(*self)->arena);
    cf_buf_free(&(*self)->later);
    cf_buf_free(&(*self)->handling);
    free(*self);
    *self = NULL;
}
