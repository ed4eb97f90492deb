#include "spans.h"

#include "metrics.h"

#define SECOND_US INT64_C(1000000)

static bool may_tell(cf_spans_t *self, int64_t boot_us)
{
    int64_t second = boot_us / SECOND_US;
    if (second != self->second)
        self->told = 0;
    self->second = second;
    if (self->told == self->per_second)
        return false;
    self->told++;
    return true;
}

cf_span_id_t cf_spans_asked(const cf_outbox_t *out, const cf_trace_t *trace, uint64_t corr,
                            cf_id_t room)
{
    return cf_span_of(
        &(cf_msg_t){.trace = *trace, .corr = corr, .from = cf_outbox_address(out), .room = room});
}

void cf_spans_tell(cf_spans_t *self, cf_outbox_t *out, int64_t wall_us, int64_t boot_us,
                   const cf_span_told_t *told)
{
    if (!told->trace.sampled || !self->tracer.kind)
        return;
    if (!may_tell(self, boot_us)) {
        cf_count(CF_M_SPANS_LIMITED);
        return;
    }
    cf_trace_t before;
    cf_span_t span = {.id = told->id,
                      .parent = told->parent,
                      .kind = told->kind,
                      .name = cf_str(told->name),
                      .begin_us = wall_us - told->took_us,
                      .end_us = wall_us,
                      .failed = told->failed,
                      .attributes = {told->attributes, told->n}};
    cf_outbox_get_trace(out, &before);
    cf_outbox_trace(out, &told->trace);
    cf_outbox_send(out, self->tracer, CF_MSG_SPAN, 0, told->room, &span); /* or counted as lost */
    cf_outbox_trace(out, &before);
}
