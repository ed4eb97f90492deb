/* What an actor tells the tracer: what it says, of what it says nothing, and its bound. */
#include "spans.h"

#include "metrics.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define ROOMS ((cf_address_t){1, CF_ACTOR_ROOMS, 2})
#define TRACER ((cf_address_t){1, CF_ACTOR_TRACER, 0})
#define SECOND_US INT64_C(1000000)

static cf_outbox_t *out;
static cf_spans_t spans;
static cf_arena_t arena;

static void begin(void)
{
    cr_assert(eq(int, cf_outbox_new(&out, NULL, ROOMS), 0));
    spans = (cf_spans_t){.tracer = TRACER, .per_second = 3};
}

static void end(void)
{
    cf_outbox_destroy(&out);
    cf_arena_free(&arena);
}

TestSuite(spans, .init = begin, .fini = end, .timeout = 30);

static const cf_trace_t sampled = {{1}, true}, other = {{2}, false};

static void tell(int64_t boot_us, const cf_trace_t *trace)
{
    cf_spans_tell(&spans, out, INT64_C(5000000), boot_us,
                  &(cf_span_told_t){.trace = *trace,
                                    .room = {{7}},
                                    .id = {{8}},
                                    .parent = {{9}},
                                    .kind = CF_SPAN_INTERNAL,
                                    .name = "append",
                                    .took_us = 1200,
                                    .failed = true});
}

static int told(void)
{
    cf_msg_t msg;
    int n = 0;
    while (cf_outbox_take(out, &msg))
        n += msg.type == CF_MSG_SPAN;
    return n;
}

Test(spans, are_told_in_their_own_trace)
{
    cf_msg_t msg;
    cf_span_t span;
    cf_trace_t after;
    cf_outbox_trace(out, &other);
    tell(0, &sampled);
    cr_assert(cf_outbox_take(out, &msg));
    cr_assert(eq(int, msg.type, CF_MSG_SPAN));
    cr_assert(cf_address_equal(msg.to, TRACER) && cf_address_equal(msg.from, ROOMS));
    cr_assert(eq(int, msg.trace.id[0], 1));
    cr_assert(msg.trace.sampled);
    cr_assert(eq(int, msg.room.bytes[0], 7));
    cr_assert(eq(int, cf_msg_body(&span, &msg, &arena), 0));
    cr_assert(eq(int, span.id.bytes[0], 8));
    cr_assert(eq(int, span.parent.bytes[0], 9));
    cr_assert(eq(i64, span.begin_us, 4998800));
    cr_assert(eq(i64, span.end_us, 5000000));
    cr_assert(span.failed);
    cf_outbox_get_trace(out, &after);
    cr_assert(eq(int, after.id[0], 2), "what the actor says next is in the trace that it was");
}

Test(spans, of_a_trace_that_is_not_sampled_are_none)
{
    tell(0, &other);
    cr_assert(eq(int, told(), 0));
}

Test(spans, are_told_to_nobody_where_there_is_no_tracer)
{
    spans.tracer = (cf_address_t){0};
    tell(0, &sampled);
    cr_assert(eq(int, told(), 0));
    cr_assert(eq(u64, cf_metric_slots[CF_M_SPANS_LIMITED], 0));
}

Test(spans, are_so_many_a_second_and_the_rest_is_counted)
{
    for (int i = 0; i < 5; i++)
        tell(i, &sampled);
    cr_assert(eq(int, told(), 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_SPANS_LIMITED], 2));
    tell(SECOND_US - 1, &sampled);
    cr_assert(eq(int, told(), 0));
    for (int i = 0; i < 4; i++)
        tell(SECOND_US, &sampled);
    cr_assert(eq(int, told(), 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_SPANS_LIMITED], 4));
}

/* What hangs the spans of all actors together. */
Test(spans, have_the_name_that_both_sides_of_a_request_work_out)
{
    cf_msg_t asked = {.trace = sampled, .corr = 4, .from = ROOMS, .room = {{7}}}, same = asked;
    same.type = CF_MSG_APPEND;
    same.to = TRACER;
    cf_span_id_t id = cf_span_of(&asked), again = cf_span_of(&same);
    cr_assert(eq(int, memcmp(&id, &again, sizeof id), 0));
    cf_msg_t different[4] = {asked, asked, asked, asked};
    different[0].trace.id[15] = 1;
    different[1].corr = 5;
    different[2].from.node = 2;
    different[3].room.bytes[0] = 8;
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++) {
        cf_span_id_t theirs = cf_span_of(&different[i]);
        cr_assert(ne(int, memcmp(&id, &theirs, sizeof id), 0), "%zu", i);
    }
}
