#include "stats.h"

#include "breaker.h"
#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "metrics_text.h"
#include "wire/observe.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define SILENCE_US (5 * SECOND_US)
#define STORES_MAX 64 /* storage and the readers */

typedef struct {
    cf_address_t address;
    uint64_t asked;   /* correlation id of the probe that is not answered yet; 0: none */
    int64_t asked_us; /* when it was sent */
    bool silent;      /* was said in the log */
    uint64_t counters[CF_METRIC_SLOTS];
    cf_series_counter_t *series; /* owned; what it said last */
    uint32_t series_n, series_cap;
} target_t;

typedef struct {
    cf_address_t address;
    cf_store_state_t state;
    int64_t heard_us;
} store_seen_t;

struct cf_stats {
    cf_stats_config_t config;
    target_t *targets; /* owned */
    uint64_t last_probe;
    int64_t next_us;    /* of the next round of probes */
    int64_t started_us; /* wall clock */
    store_seen_t stores[STORES_MAX];
    uint32_t n_stores;
    bool draining;
    cf_buf_t text; /* the last scrape */
    int64_t text_us;
};

/* --- probes ------------------------------------------------------------------------------------
 */

static void probe(cf_stats_t *self, cf_turn_t *turn)
{
    uint64_t corr = ++self->last_probe;
    for (uint32_t i = 0; i < self->config.n; i++) {
        target_t *target = &self->targets[i];
        if (target->asked)
            continue; /* one is enough to see that it is stuck */
        target->asked = corr;
        target->asked_us = turn->boot_us;
        cf_outbox_send(turn->out, target->address, CF_MSG_PROBE, corr, (cf_id_t){0}, NULL);
    }
}

static bool is_silent(const target_t *target, int64_t now_us)
{
    return target->asked && now_us - target->asked_us > SILENCE_US;
}

/* Everybody answers, and nobody has lost a message of our own: stats itself neither. */
static bool is_live(const cf_stats_t *self, int64_t now_us)
{
    for (uint32_t i = 0; i < self->config.n; i++)
        if (is_silent(&self->targets[i], now_us) || self->targets[i].counters[CF_M_QUARANTINED])
            return false;
    return !cf_metric_slots[CF_M_QUARANTINED];
}

static void report_silence(cf_stats_t *self, int64_t now_us)
{
    for (uint32_t i = 0; i < self->config.n; i++) {
        target_t *target = &self->targets[i];
        if (target->silent || !is_silent(target, now_us))
            continue;
        target->silent = true;
        cf_log_error("an actor does not answer",
                     CF_STR("kind", cf_actor_name(target->address.kind)),
                     CF_INT("index", target->address.index));
    }
}

static target_t *find_target(cf_stats_t *self, cf_address_t address)
{
    for (uint32_t i = 0; i < self->config.n; i++)
        if (cf_address_equal(self->targets[i].address, address))
            return &self->targets[i];
    return NULL;
}

/* Without memory the series stay those of before. */
static void keep_series(target_t *target, const cf_list_t *series)
{
    if (series->n > target->series_cap) {
        cf_series_counter_t *more = realloc(target->series, series->n * sizeof *more);
        if (!more)
            return;
        target->series = more;
        target->series_cap = series->n;
    }
    if (series->n)
        memcpy(target->series, series->items, series->n * sizeof *target->series);
    target->series_n = series->n;
}

static int on_probed(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stats_t *self = state;
    cf_probed_t probed;
    int rc = cf_msg_body(&probed, msg, turn->arena);
    target_t *target = find_target(self, msg->from);
    if (rc < 0 || !target)
        return rc;
    const cf_counter_t *counters = probed.counters.items;
    memset(target->counters, 0, sizeof target->counters);
    for (uint32_t i = 0; i < probed.counters.n; i++)
        if (counters[i].slot < CF_METRIC_SLOTS)
            target->counters[counters[i].slot] = counters[i].value;
    keep_series(target, &probed.series);
    if (target->asked == msg->corr)
        target->asked = 0;
    target->silent = false;
    return 0;
}

/* --- the store ---------------------------------------------------------------------------------
 */

static int on_store_state(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stats_t *self = state;
    cf_store_state_t seen;
    int rc = cf_msg_body(&seen, msg, turn->arena);
    if (rc < 0)
        return rc;
    uint32_t i = 0;
    while (i < self->n_stores && !cf_address_equal(self->stores[i].address, msg->from))
        i++;
    if (i == STORES_MAX)
        return 0;
    self->stores[i] = (store_seen_t){msg->from, seen, turn->boot_us};
    if (i == self->n_stores)
        self->n_stores++;
    return 0;
}

static void add_store(const cf_stats_t *self, int64_t now_us, cf_health_state_t *health)
{
    bool can_write = false, can_read = false;
    for (uint32_t i = 0; i < self->n_stores; i++) {
        const store_seen_t *seen = &self->stores[i];
        bool up = seen->state.up && now_us - seen->heard_us <= SILENCE_US;
        health->store_connections += up;
        health->store_in_use += up && seen->state.in_use;
        if (seen->address.kind == CF_ACTOR_STORAGE) {
            can_write = up;
            health->store_latency_us = seen->state.latency_us;
        } else {
            can_read |= up; /* one will do: who asks another is told to come again */
        }
    }
    health->store_up = can_write && can_read;
}

static bool is_any_breaker_open(const cf_stats_t *self)
{
    for (uint32_t i = 0; i < self->config.n; i++)
        if (self->targets[i].counters[CF_M_BREAKER_STATE] == CF_BREAKER_OPEN)
            return true;
    return false;
}

static cf_health_state_t health_of(const cf_stats_t *self, int64_t now_us)
{
    cf_health_state_t health = {.live = is_live(self, now_us), .draining = self->draining};
    add_store(self, now_us, &health);
    health.joining = self->config.is_joining;
    health.ready =
        (health.store_up || !self->config.has_store) && !self->draining && !self->config.is_joining;
    health.quotes_up = !is_any_breaker_open(self);
    return health;
}

static int on_joined(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stats_t *self = state;
    (void)turn;
    (void)msg;
    self->config.is_joining = false;
    return 0;
}

static int on_health(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_health_state_t health = health_of(state, turn->boot_us);
    cf_outbox_finish(turn->out, msg, CF_MSG_HEALTH_STATE, &health);
    return 0;
}

/* --- the scrape --------------------------------------------------------------------------------
 */

/* The series of all actors in one list, which metrics then borrows. False: no memory. */
static bool add_series(const cf_stats_t *self, cf_metrics_t *metrics, cf_arena_t *arena)
{
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < self->config.n; i++)
        n += self->targets[i].series_n;
    cf_series_counter_t *all = n ? cf_arena_take(arena, n * sizeof *all) : NULL;
    for (uint32_t i = 0; all && i < self->config.n; at += self->targets[i++].series_n)
        if (self->targets[i].series_n)
            memcpy(all + at, self->targets[i].series, self->targets[i].series_n * sizeof *all);
    cf_metrics_set_series(metrics, all, at);
    return at == n;
}

static int render(cf_stats_t *self, cf_turn_t *turn)
{
    cf_metrics_t *metrics = cf_arena_take(turn->arena, sizeof *metrics);
    if (!metrics)
        return CF_ENOMEM;
    cf_gauge(CF_M_LOG_DROPPED, cf_log_dropped());
    for (uint32_t i = 0; i < self->config.n; i++)
        cf_metrics_add(metrics, self->targets[i].address.kind, self->targets[i].counters);
    cf_metrics_add(metrics, CF_ACTOR_STATS, cf_metric_slots);
    if (!add_series(self, metrics, turn->arena))
        return CF_ENOMEM;
    metrics->version = self->config.version;
    metrics->started_us = self->started_us;
    metrics->health = health_of(self, turn->boot_us);
    cf_buf_clear(&self->text);
    int rc = cf_metrics_write(&self->text, metrics);
    if (rc < 0)
        cf_buf_clear(&self->text);
    return rc;
}

static int on_metrics(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stats_t *self = state;
    if (self->text.size == 0 || turn->boot_us - self->text_us >= SECOND_US) {
        int rc = render(self, turn);
        if (rc < 0)
            return rc;
        self->text_us = turn->boot_us;
    }
    cf_metrics_text_t text = {{(const char *)self->text.data, (uint32_t)self->text.size}};
    cf_outbox_finish(turn->out, msg, CF_MSG_METRICS_TEXT, &text);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void drain(void *state, cf_turn_t *turn)
{
    cf_stats_t *self = state;
    (void)turn;
    self->draining = true;
    cf_actor_drained(self->config.actor);
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_stats_t *self = state;
    if (turn->boot_us >= self->next_us) {
        report_silence(self, turn->boot_us);
        probe(self, turn);
        self->next_us = turn->boot_us + SECOND_US;
    }
    return self->next_us;
}

void cf_stats_destroy(cf_stats_t **self)
{
    if (!*self)
        return;
    cf_buf_free(&(*self)->text);
    for (uint32_t i = 0; i < (*self)->config.n; i++)
        free((*self)->targets[i].series);
    free((*self)->targets);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_stats_t *self = state;
    cf_stats_destroy(&self);
}

int cf_stats_new(cf_stats_t **out, const cf_stats_config_t *config)
{
    cf_stats_t *self = calloc(1, sizeof *self);
    target_t *targets = calloc(config->n ? config->n : 1, sizeof *targets);
    if (!self || !targets) {
        free(self);
        free(targets);
        return CF_ENOMEM;
    }
    for (uint32_t i = 0; i < config->n; i++)
        targets[i].address = config->targets[i];
    self->config = *config;
    self->config.targets = NULL;
    self->started_us = cf_wall_us();
    self->targets = targets;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_PROBED, on_probed},   {CF_MSG_STORE_STATE, on_store_state}, {CF_MSG_JOINED, on_joined},
    {CF_MSG_METRICS, on_metrics}, {CF_MSG_HEALTH, on_health},           {0, NULL},
};

const cf_actor_ops_t cf_stats_ops = {
    .handlers = handlers,
    .due = due,
    .drain = drain,
    .destroy = destroy,
};
