/* gateway_spans.c: in whose trace a request is, whether it is sampled, and the spans that are told of it. */
#include "gateway_routes.h"

#include "clock.h"
#include "err.h"
#include "http/traceparent.h"
#include "random.h"
#include "wire/control.h"
#include "wire/span.h"

#include <stdio.h>

#define SHARE_BITS                                                                                 \
    56 /* of a trace's id, its last, that decide; random by W3C Trace Context, Level 2 */

/* By the id alone, so that whoever sees the trace decides alike; the largest ones, as OpenTelemetry's samplers do
 * (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/): one behind this that keeps
 * fewer finds what it keeps among what we have kept. */
static bool is_sampled(const cf_gateway_t *self, const cf_trace_t *trace)
{
    const uint64_t all = UINT64_C(1) << SHARE_BITS;
    uint64_t share = 0;
    if (!self->spans.tracer.kind)
        return false;
    for (size_t i = sizeof trace->id - SHARE_BITS / 8; i < sizeof trace->id; i++)
        share = share << 8 | trace->id[i];
    return share >= all - all / self->config.sample_one_in;
}

void cf_gateway_new_trace(cf_gateway_t *self)
{
    cf_trace_t trace;
    cf_random(trace.id, sizeof trace.id);
    trace.sampled = is_sampled(self, &trace);
    cf_actor_trace(self->out, &trace);
}

cf_span_id_t cf_gateway_follow_trace(cf_gateway_t *self, cf_str_t traceparent)
{
    cf_traceparent_t theirs;
    if (!cf_traceparent_read(&theirs, traceparent)) {
        cf_gateway_new_trace(self);
        return (cf_span_id_t){0};
    }
    bool follows = theirs.trace.sampled && self->config.follow_clients && self->spans.tracer.kind;
    theirs.trace.sampled = follows || is_sampled(self, &theirs.trace);
    cf_actor_trace(self->out, &theirs.trace);
    return theirs.span;
}

void cf_gateway_begin_span(cf_gateway_t *self, cf_exchange_t *exchange, cf_span_id_t parent)
{
    cf_outbox_get_trace(self->out, &exchange->trace);
    if (!exchange->trace.sampled)
        return;
    exchange->parent = parent;
    exchange->span = cf_span_new();
}

static void tell(cf_gateway_t *self, const cf_span_told_t *told)
{
    cf_spans_tell(&self->spans, self->out, cf_wall_us(), cf_boot_us(), told);
}

/* Probes and scrapes are no requests that anybody looks for. */
static bool is_probe(const cf_exchange_t *exchange)
{
    return exchange->route && exchange->route->info.access == CF_ACCESS_PROBE;
}

cf_span_id_t cf_gateway_span_of(const cf_exchange_t *exchange)
{
    return exchange && !is_probe(exchange) ? exchange->span : (cf_span_id_t){0};
}

/* Names and attributes are those of OpenTelemetry's semantic conventions for HTTP; what is no route has none. */
void cf_gateway_tell_exchange(cf_gateway_t *self, const cf_exchange_t *exchange, int status)
{
    char name[CF_SPAN_NAME_MAX + 1], status_text[12];
    if (!exchange->trace.sampled || is_probe(exchange))
        return;
    bool is_known = exchange->method != CF_METHOD_OTHER, failed = status >= 500,
         has_route = exchange->label > CF_ROUTE_FILE;
    const char *method = is_known ? cf_route_method_name(exchange->method) : "_OTHER";
    const char *route = cf_route_label(exchange->label);
    cf_span_attribute_t attributes[4] = {
        {cf_str("http.request.method"), cf_str(method), 0},
        {cf_str("http.response.status_code"), {0}, status},
    };
    uint32_t n = 2;
    snprintf(status_text, sizeof status_text, "%d", status);
    if (has_route)
        attributes[n++] = (cf_span_attribute_t){cf_str("http.route"), cf_str(route), 0};
    if (failed)
        attributes[n++] = (cf_span_attribute_t){cf_str("error.type"), cf_str(status_text), 0};
    snprintf(name, sizeof name, "%s%s%s", is_known ? method : "HTTP", has_route ? " " : "",
             has_route ? route : "");
    tell(self, &(cf_span_told_t){.trace = exchange->trace,
                                 .id = exchange->span,
                                 .parent = exchange->parent,
                                 .kind = CF_SPAN_SERVER,
                                 .name = name,
                                 .took_us = cf_boot_us() - exchange->began_us,
                                 .failed = failed,
                                 .attributes = attributes,
                                 .n = n});
}

/* NULL: there was no answer. */
static int reason_of(cf_gateway_t *self, const cf_msg_t *answer)
{
    cf_refused_t refused;
    if (!answer)
        return CF_ETIME;
    if (answer->type != CF_MSG_REFUSED)
        return 0;
    return cf_msg_body(&refused, answer, &self->arena) < 0 ? CF_EINTERNAL : -(int)refused.reason;
}

/* As a status below 500 is no failure of who has answered with it. */
static bool is_askers_fault(int err)
{
    static const int all[] = {CF_ERANGE, CF_EPERM,     CF_ENOENT, CF_EEXIST, CF_EAGAIN,
                              CF_EFULL,  CF_ECONFLICT, CF_EAUTH,  CF_ELIMIT};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (err == all[i])
            return true;
    return false;
}

/* A post or a command on a socket is a request of its own, and this is all that the gateway has to tell of it.
 * What else is asked beside HTTP requests, for tokens say, is part of no request alone. */
void cf_gateway_tell_asked(cf_gateway_t *self, const cf_pending_t *pending, const cf_msg_t *answer)
{
    char name[CF_SPAN_NAME_MAX + 1];
    bool is_frame = pending->type == CF_MSG_POST || pending->type == CF_MSG_COMMAND;
    bool is_part = pending->parent.bytes[0] != 0;
    if (!pending->trace.sampled || (!is_frame && !is_part))
        return;
    cf_id_t room = pending->place ? pending->place->room : (cf_id_t){0};
    int err = reason_of(self, answer);
    bool failed = err < 0 && !(is_frame && is_askers_fault(err));
    cf_span_attribute_t attributes[] = {{cf_str("error.type"), cf_str(cf_err_text(err)), 0}};
    snprintf(name, sizeof name, "%s%s", is_frame ? "frame " : "", cf_msg_name(pending->type));
    tell(self,
         &(cf_span_told_t){.trace = pending->trace,
                           .room = room,
                           .id = cf_spans_asked(self->out, &pending->trace, pending->corr, room),
                           .parent = pending->parent,
                           .kind = is_frame ? CF_SPAN_SERVER : CF_SPAN_CLIENT,
                           .name = name,
                           .took_us = cf_boot_us() - pending->sent_us,
                           .failed = failed,
                           .attributes = attributes,
                           .n = failed ? 1 : 0});
}
