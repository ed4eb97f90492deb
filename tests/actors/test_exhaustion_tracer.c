/* Failed allocations: the tracer with a played collector. Told a few spans, with any one allocation failing, every
 * span is counted once, as sent or as dropped, and those that come afterwards are sent as ever. */
#include "failing_malloc.h"
#include "metrics.h"
#include "tracer.h"

#include <criterion/criterion.h>

#define SPANS 5
#define SECOND_US INT64_C(1000000)

static const cf_address_t tracer_at = {1, CF_ACTOR_TRACER, 0};

static struct {
    cf_tracer_t *tracer;
    cf_outbox_t *out;
    cf_arena_t arena;
    int64_t now_us;
    cf_http_done_fn *done; /* NULL: nothing is under way */
    void *arg;
    unsigned long failing;
    unsigned in_a_row;
} world;

#define ensure(what) cr_assert(what, "allocation %lu, %u in a row", world.failing, world.in_a_row)

static int play_ask(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
                    cf_http_done_fn *done, void *arg, void **request)
{
    (void)http, (void)url, (void)ask, (void)timeout_ms;
    world.done = done;
    world.arg = arg;
    *request = &world;
    return 0;
}

static void play_cancel(void *http, void *request)
{
    (void)http, (void)request;
    world.done = NULL;
}

static int64_t play_due(void *http)
{
    (void)http;
    return INT64_MAX;
}

static void play_run(void *http)
{
    static const char answer[] = "{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}";
    cf_http_done_fn *done = world.done;
    (void)http;
    world.done = NULL;
    if (done)
        done(world.arg, &(cf_http_answer_t){.status = 200, .body = cf_str(answer)});
}

static void play_destroy(void *http)
{
    (void)http;
}

static const cf_http_ops_t play = {play_ask, play_cancel, play_due, play_run, play_destroy};

static uint32_t no_chance(uint32_t below)
{
    (void)below;
    return 0;
}

static cf_turn_t turn_of_now(void)
{
    return (cf_turn_t){
        .wall_us = world.now_us, .boot_us = world.now_us, .out = world.out, .arena = &world.arena};
}

static void tell(void)
{
    cf_buf_t frame = {0};
    cf_msg_t msg;
    cf_msg_t head = {
        .type = CF_MSG_SPAN, .trace = {{1}, true}, .from = {1, CF_ACTOR_ROOMS, 0}, .to = tracer_at};
    cf_span_t span = {.id = {{1}}, .kind = CF_SPAN_INTERNAL, .name = cf_str("append")};
    cf_turn_t turn = turn_of_now();
    cr_assert(cf_msg_encode(&frame, &head, &span) == 0 &&
              cf_msg_decode(&msg, frame.data, frame.size) == 0);
    failing_malloc_resume();
    int rc = cf_tracer_ops.handlers[0].handle(world.tracer, &turn, &msg);
    failing_malloc_pause();
    ensure(rc == 0);
    cf_buf_free(&frame);
    cf_arena_reset(&world.arena);
}

static void pass_seconds(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        world.now_us += SECOND_US;
        cf_turn_t turn = turn_of_now();
        failing_malloc_resume();
        cf_tracer_ops.due(world.tracer, &turn);
        failing_malloc_pause();
        cf_arena_reset(&world.arena);
    }
}

static uint64_t counted(void)
{
    return cf_metric_slots[CF_M_SPANS_SENT] + cf_metric_slots[CF_M_SPANS_REJECTED] +
           cf_metric_slots[CF_M_SPANS_FAILED] + cf_metric_slots[CF_M_SPANS_FULL];
}

static void scenario(bool strict)
{
    uint64_t before = counted(), sent = cf_metric_slots[CF_M_SPANS_SENT];
    for (int i = 0; i < SPANS; i++)
        tell();
    pass_seconds(30);
    ensure(counted() == before + SPANS);
    ensure(!strict || cf_metric_slots[CF_M_SPANS_SENT] == sent + SPANS - 1); /* and one rejected */
}

static unsigned long run(unsigned long nth, unsigned in_a_row)
{
    static const cf_tracer_config_t config = {.url = "http://collector.test",
                                              .header = "",
                                              .resource = {"1.0", "north"},
                                              .queue_max = 16,
                                              .batch_max = 16,
                                              .attempts = 10,
                                              .interval_us = SECOND_US,
                                              .timeout_us = SECOND_US,
                                              .pause_us = SECOND_US,
                                              .random = no_chance,
                                              .http_ops = &play};
    memset(&world, 0, sizeof world);
    world.failing = nth;
    world.in_a_row = in_a_row;
    world.now_us = SECOND_US;
    cr_assert(cf_outbox_new(&world.out, NULL, tracer_at) == 0);
    cr_assert(cf_tracer_new(&world.tracer, &config) == 0);
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    scenario(nth == 0);
    unsigned long count = failing_malloc_end();
    scenario(true); /* as if nothing had happened */
    cf_tracer_ops.destroy(world.tracer);
    cf_outbox_destroy(&world.out);
    cf_arena_free(&world.arena);
    return count;
}

TestSuite(exhaustion_tracer, .timeout = 120);

Test(exhaustion_tracer, any_one_allocation_may_fail)
{
    unsigned long count = run(0, 1);
    cr_assert(count > 10, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 1);
}

Test(exhaustion_tracer, no_memory_for_a_while_is_survived)
{
    unsigned long count = run(0, 1);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 5);
}
