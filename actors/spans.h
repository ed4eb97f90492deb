/* actors/spans.h: how an actor tells the tracer of what it has done in a sampled trace.
 *
 *     if (trace->sampled)
 *         cf_spans_tell(&self->spans, &told);
 *
 * Bounded: so many a second; what comes beyond is dropped and counted. Belongs to one thread. */
#ifndef CF_SPANS_H
#define CF_SPANS_H

#include "link/outbox.h"
#include "wire/span.h"

typedef struct {
    cf_address_t tracer; /* kind 0: nobody is told anything */
    uint32_t per_second;
    int64_t second; /* of the boot clock, in which */
    uint32_t told;  /* so many were told */
} cf_spans_t;

/* Borrowed for the call. */
typedef struct {
    cf_trace_t trace;
    cf_id_t room;
    cf_span_id_t id, parent;
    cf_span_kind_t kind;
    const char *name;
    int64_t took_us; /* until now */
    bool failed;
    cf_span_attribute_t *attributes;
    uint32_t n; /* CF_SPAN_ATTRIBUTES_MAX of them at most */
} cf_span_told_t;

/* The span of a request that the owner of this outbox has made: as cf_span_of() has it where it arrives. */
cf_span_id_t cf_spans_asked(const cf_outbox_t *out, const cf_trace_t *trace, uint64_t corr,
                            cf_id_t room);
void cf_spans_tell(cf_spans_t *self, cf_outbox_t *out, int64_t wall_us, int64_t boot_us,
                   const cf_span_told_t *told);

#endif
