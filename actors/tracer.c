#include "tracer.h"

#include "clock.h"
#include "err.h"
#include "log.h"
#include "metrics.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define QUIET_US (60 * SECOND_US) /* one that takes every other request would be a line for each */
#define PAUSE_MAX_S (CF_TRACER_PAUSE_MAX_US / SECOND_US)

/* A span as it is sent. */
typedef struct {
    char *json; /* owned */
    uint32_t size;
} written_t;

struct cf_tracer {
    cf_tracer_config_t config;
    written_t *ring; /* config.queue_max of them; owned */
    uint32_t first, count;
    uint32_t sending;       /* of the first ones: they are under way, */
    void *request;          /* with this */
    uint32_t attempts;      /* at the first ones */
    int64_t gathered_us;    /* when the first of those that wait came */
    int64_t not_before_us;  /* nothing is sent: the pause behind a failure */
    bool said_failing;      /* of the collector, and not yet taken back */
    int64_t quiet_until_us; /* it is not said again before */
    cf_turn_t *turn;        /* of the call under way, for what the HTTP client calls */
    bool draining;
    bool owes_drained;
    int64_t drain_until_us;
};

/* --- what waits --------------------------------------------------------------------------------
 */

static written_t *at(const cf_tracer_t *self, uint32_t i)
{
    return &self->ring[(self->first + i) % self->config.queue_max];
}

/* The oldest n are done with, in whatever way. */
static void drop(cf_tracer_t *self, uint32_t n, cf_metric_t counter)
{
    for (uint32_t i = 0; i < n; i++)
        free(at(self, i)->json);
    self->first = (self->first + n) % self->config.queue_max;
    self->count -= n;
    self->attempts = 0;
    cf_count_by(counter, n);
}

static int keep(cf_tracer_t *self, const cf_msg_t *msg, const cf_span_t *span)
{
    cf_buf_t json = {0};
    int rc = cf_otlp_span(&json, msg, span);
    if (rc < 0) {
        cf_buf_free(&json);
        return rc;
    }
    *at(self, self->count++) = (written_t){(char *)json.data, (uint32_t)json.size};
    return 0;
}

static int on_span(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_tracer_t *self = state;
    cf_span_t span;
    if (msg->from.node != cf_outbox_address(turn->out).node)
        return CF_EPROTO;
    int rc = cf_msg_body(&span, msg, turn->arena);
    if (rc < 0 && rc != CF_ENOMEM)
        return rc;
    if (self->count == self->sending)
        self->gathered_us = turn->boot_us;
    if (rc < 0 || self->count == self->config.queue_max || keep(self, msg, &span) < 0)
        cf_count(CF_M_SPANS_FULL);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static int write_body(const cf_tracer_t *self, uint32_t n, cf_buf_t *out)
{
    int rc = cf_otlp_begin(out, &self->config.resource);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        rc = i ? cf_buf_add_byte(out, ',') : 0;
        if (rc == 0)
            rc = cf_buf_add(out, at(self, i)->json, at(self, i)->size);
    }
    return rc < 0 ? rc : cf_otlp_end(out);
}

/* Doubled each time, and give or take a half as far as the longest pause allows, so that nodes which failed
 * together do not come back together. */
static int64_t pause_us(const cf_tracer_t *self, int64_t wanted_us)
{
    int64_t base_us = self->config.pause_us;
    for (uint32_t i = 1; i < self->attempts && base_us < CF_TRACER_PAUSE_MAX_US; i++)
        base_us *= 2;
    if (base_us > CF_TRACER_PAUSE_MAX_US)
        base_us = CF_TRACER_PAUSE_MAX_US;
    int64_t half_us = base_us / 2, longest_us = CF_TRACER_PAUSE_MAX_US - half_us;
    int64_t own_us =
        half_us + self->config.random((uint32_t)(base_us < longest_us ? base_us : longest_us));
    return wanted_us > own_us ? wanted_us : own_us;
}

static void note_failing(cf_tracer_t *self, int64_t boot_us, const char *reason, int status)
{
    cf_count(CF_M_TRACE_FAILURES);
    if (self->said_failing || boot_us < self->quiet_until_us)
        return;
    cf_log_warn("the collector of traces takes no spans", CF_STR("reason", reason),
                CF_INT("status", status));
    self->said_failing = true;
    self->quiet_until_us = boot_us + QUIET_US;
}

/* It may go better later. */
static void failed(cf_tracer_t *self, int64_t boot_us, uint32_t n, const char *reason, int status,
                   int64_t wanted_us)
{
    note_failing(self, boot_us, reason, status);
    self->not_before_us = boot_us + pause_us(self, wanted_us);
    if (self->attempts >= self->config.attempts)
        drop(self, n, CF_M_SPANS_FAILED);
}

static void took(cf_tracer_t *self, uint32_t n, cf_str_t answer)
{
    uint64_t left_out = cf_otlp_rejected(answer, self->turn->arena);
    uint32_t rejected = left_out < n ? (uint32_t)left_out : n;
    if (self->said_failing)
        cf_log_info("the collector of traces takes spans again");
    self->said_failing = false;
    drop(self, rejected, CF_M_SPANS_REJECTED);
    drop(self, n - rejected, CF_M_SPANS_SENT);
}

static bool is_busy(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Of one that is too long to read the status is known: with 200 no collector has answered, which says less. */
static bool has_answered(const cf_http_answer_t *answer)
{
    return answer->rc == 0 || (answer->rc == CF_ERANGE && answer->status >= 200);
}

static void on_answer(void *arg, const cf_http_answer_t *answer)
{
    cf_tracer_t *self = arg;
    uint32_t n = self->sending;
    int64_t boot_us = self->turn->boot_us;
    int status = answer->status;
    self->sending = 0;
    if (!has_answered(answer)) {
        failed(self, boot_us, n, answer->reason, 0, 0);
    } else if (answer->rc == 0 && status >= 200 && status < 300) {
        took(self, n, answer->body);
    } else if (is_busy(status)) {
        int64_t wanted_s =
            answer->retry_after_s < PAUSE_MAX_S ? answer->retry_after_s : PAUSE_MAX_S;
        failed(self, boot_us, n, "it is busy", status, wanted_s * SECOND_US);
    } else {
        note_failing(self, boot_us, answer->rc == 0 ? "it refuses them" : answer->reason, status);
        drop(self, n, CF_M_SPANS_REFUSED);
    }
}

static void send(cf_tracer_t *self, cf_turn_t *turn, uint32_t n)
{
    const cf_tracer_config_t *config = &self->config;
    cf_buf_t body = {0};
    int rc = write_body(self, n, &body);
    self->attempts++;
    self->sending = n;
    cf_http_ask_t ask = {.headers = {config->header[0] ? config->header : NULL},
                         .is_post = true,
                         .body = {(const char *)body.data, (uint32_t)body.size}};
    if (rc == 0)
        rc = config->http_ops->ask(config->http, config->url, &ask, config->timeout_us / 1000,
                                   on_answer, self, &self->request);
    cf_buf_free(&body);
    cf_count(CF_M_TRACE_REQUESTS);
    if (rc == 0)
        return;
    self->sending = 0;
    failed(self, turn->boot_us, n, cf_err_text(rc), 0, 0);
}

/* Returns when to come again. */
static int64_t go_on(cf_tracer_t *self, cf_turn_t *turn)
{
    uint32_t n = self->count < self->config.batch_max ? self->count : self->config.batch_max;
    bool is_enough = n == self->config.batch_max || self->draining || self->attempts > 0;
    int64_t when_us = is_enough ? turn->boot_us : self->gathered_us + self->config.interval_us;
    if (when_us < self->not_before_us)
        when_us = self->not_before_us;
    if (n == 0 || self->sending)
        return INT64_MAX;
    if (turn->boot_us < when_us)
        return when_us;
    send(self, turn, n);
    return self->sending ? INT64_MAX : self->not_before_us;
}

/* --- time --------------------------------------------------------------------------------------
 */

static int64_t drain_further(cf_tracer_t *self, cf_turn_t *turn)
{
    bool may_send = self->sending || self->not_before_us < self->drain_until_us;
    if (self->count > 0 && may_send && turn->boot_us < self->drain_until_us)
        return self->drain_until_us;
    if (self->sending) { /* its answer is not waited for */
        self->config.http_ops->cancel(self->config.http, self->request);
        self->sending = 0;
    }
    drop(self, self->count, CF_M_SPANS_FAILED);
    self->owes_drained = false;
    cf_actor_drained(self->config.actor);
    return INT64_MAX;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_tracer_t *self = state;
    self->turn = turn;
    self->config.http_ops->run(self->config.http);
    int64_t next_us = go_on(self, turn);
    next_us = cf_earlier_us(next_us, self->config.http_ops->due(self->config.http));
    if (self->owes_drained)
        next_us = cf_earlier_us(next_us, drain_further(self, turn));
    self->turn = NULL;
    return next_us;
}

void cf_tracer_readable(void *state, cf_turn_t *turn)
{
    due(state, turn);
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_tracer_t *self = state;
    self->draining = self->owes_drained =
        true; /* answered by due(), in this turn if nothing waits */
    self->drain_until_us = turn->boot_us + self->config.drain_us;
}

static void gauges(void *state)
{
    cf_tracer_t *self = state;
    cf_gauge(CF_M_SPANS_WAITING, self->count);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void destroy(void *state)
{
    cf_tracer_t *self = state;
    self->config.http_ops->destroy(self->config.http);
    for (uint32_t i = 0; i < self->count; i++)
        free(at(self, i)->json);
    free(self->ring);
    free(self);
}

int cf_tracer_new(cf_tracer_t **out, const cf_tracer_config_t *config)
{
    cf_tracer_t *self = calloc(1, sizeof *self);
    written_t *ring = calloc(config->queue_max, sizeof *ring);
    if (!self || !ring) {
        free(self);
        free(ring);
        return CF_ENOMEM;
    }
    self->config = *config;
    self->ring = ring;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {{CF_MSG_SPAN, on_span}, {0, NULL}};

const cf_actor_ops_t cf_tracer_ops = {
    .handlers = handlers, .due = due, .drain = drain, .gauges = gauges, .destroy = destroy};
