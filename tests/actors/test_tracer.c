/* The tracer by messages alone; the collector is played, time and chance are arguments. */
#include "tracer.h"

#include "err.h"
#include "metrics.h"
#include "peer.h"
#include "wire/control.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 5
#define BATCH_MAX 2
#define TRACER ((cf_address_t){NODE, CF_ACTOR_TRACER, 0})

/* --- the collector, played ---------------------------------------------------------------------
 */

static struct {
    cf_http_done_fn *done; /* NULL: nothing is under way */
    void *arg;
    bool has_answer; /* delivered by the next run() */
    cf_http_answer_t answer;
    bool cannot_begin;
    bool is_away; /* each request fails in the next run() */
    int posts, cancelled;
    char names[256]; /* of the spans in the latest request, "a b" */
    char header[64];
} collector;

/* As it is written: jansson belongs to the tracer's own parser here, with its memory. */
static void read_request(cf_str_t body)
{
    static const char key[] = "\"name\":\"";
    char text[8192];
    size_t size = 0;
    cr_assert(lt(sz, body.size, sizeof text));
    snprintf(text, sizeof text, "%.*s", (int)body.size, body.bytes);
    collector.names[0] = '\0';
    for (char *at = strstr(text, "\"spans\":["); (at = strstr(at, key)); at += sizeof key - 1)
        size += (size_t)snprintf(collector.names + size, sizeof collector.names - size, "%s%c",
                                 size ? " " : "", at[sizeof key - 1]);
}

static int play_ask(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
                    cf_http_done_fn *done, void *arg, void **request)
{
    (void)http;
    cr_assert(collector.done == NULL, "one request at a time");
    cr_assert(eq(str, (char *)url, "http://collector.test:4318/v1/traces"));
    cr_assert(eq(i64, timeout_ms, 3000));
    collector.posts++;
    cr_assert(ask->is_post);
    read_request(ask->body);
    snprintf(collector.header, sizeof collector.header, "%s",
             ask->headers[0] ? ask->headers[0] : "");
    if (collector.cannot_begin)
        return CF_ENOMEM;
    collector.done = done;
    collector.arg = arg;
    *request = &collector;
    if (collector.is_away) {
        collector.answer = (cf_http_answer_t){.rc = CF_EIO, .reason = "cannot be reached"};
        collector.has_answer = true;
    }
    return 0;
}

static void play_cancel(void *http, void *request)
{
    (void)http;
    cr_assert(request == &collector && collector.done != NULL);
    collector.done = NULL;
    collector.cancelled++;
}

static int64_t play_due(void *http)
{
    (void)http;
    return collector.has_answer ? 0 : INT64_MAX;
}

static void play_run(void *http)
{
    cf_http_done_fn *done = collector.done;
    (void)http;
    if (!collector.has_answer)
        return;
    collector.has_answer = false;
    collector.done = NULL;
    done(collector.arg, &collector.answer);
}

static void play_destroy(void *http)
{
    (void)http;
}

static const cf_http_ops_t play = {play_ask, play_cancel, play_due, play_run, play_destroy};

static uint32_t play_random(uint32_t below)
{
    return below / 2; /* the pause as it is, neither longer nor shorter */
}

static uint32_t play_most(uint32_t below)
{
    return below - 1;
}

/* --- the tracer --------------------------------------------------------------------------------
 */

static cf_tracer_t *tracer;
static cf_outbox_t *out;
static cf_arena_t arena;
static int64_t now_ms;
static cf_tracer_config_t config = {.url = "http://collector.test:4318/v1/traces",
                                    .header = "",
                                    .resource = {"1.0", "north"},
                                    .queue_max = QUEUE_MAX,
                                    .batch_max = BATCH_MAX,
                                    .attempts = 3,
                                    .interval_us = 1000000,
                                    .timeout_us = 3000000,
                                    .pause_us = 2000000,
                                    .drain_us = 1000000,
                                    .random = play_random,
                                    .http_ops = &play};

static void begin(void)
{
    cr_assert(eq(int, cf_tracer_new(&tracer, &config), 0));
    cr_assert(eq(int, cf_outbox_new(&out, NULL, TRACER), 0));
}

static void end(void)
{
    cf_tracer_ops.destroy(tracer);
    cf_outbox_destroy(&out);
    cf_arena_free(&arena);
}

TestSuite(tracer, .init = begin, .fini = end, .timeout = 30);

static cf_turn_t turn_of_now(void)
{
    return (cf_turn_t){
        .wall_us = now_ms * 1000, .boot_us = now_ms * 1000, .out = out, .arena = &arena};
}

static int tell_from(uint32_t node, const char *name)
{
    cf_buf_t frame = {0};
    cf_msg_t msg;
    cf_msg_t head = {
        .type = CF_MSG_SPAN, .trace = {{1}, true}, .from = {node, CF_ACTOR_ROOMS, 0}, .to = TRACER};
    cf_span_t span = {.id = {{1}}, .kind = CF_SPAN_INTERNAL, .name = cf_str(name)};
    cf_turn_t turn = turn_of_now();
    cr_assert(eq(int, cf_msg_encode(&frame, &head, &span), 0));
    cr_assert(eq(int, cf_msg_decode(&msg, frame.data, frame.size), 0));
    int rc = cf_tracer_ops.handlers[0].handle(tracer, &turn, &msg);
    cf_buf_free(&frame);
    return rc;
}

static void tell(const char *name)
{
    cr_assert(eq(int, tell_from(NODE, name), 0));
}

/* It is so late: what is due is done. Returns when it wants to be asked again, ms; -1: not by itself. */
static int64_t at_ms(int64_t ms)
{
    now_ms = ms;
    cf_turn_t turn = turn_of_now();
    int64_t next_us = cf_tracer_ops.due(tracer, &turn);
    return next_us == INT64_MAX ? -1 : next_us / 1000;
}

static void collector_says(cf_http_answer_t answer)
{
    cr_assert(collector.done != NULL, "nothing is asked");
    collector.answer = answer;
    collector.has_answer = true;
}

static uint64_t count(cf_metric_t metric)
{
    return cf_metric_slots[metric];
}

/* sent, rejected, refused, failed, full; each only once it is not 0 */
static char *counted(void)
{
    static char text[128];
    static const struct {
        cf_metric_t metric;
        const char *name;
    } all[] = {{CF_M_SPANS_SENT, "sent"},
               {CF_M_SPANS_REJECTED, "rejected"},
               {CF_M_SPANS_REFUSED, "refused"},
               {CF_M_SPANS_FAILED, "failed"},
               {CF_M_SPANS_FULL, "full"}};
    size_t size = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (count(all[i].metric))
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%s %llu", size ? ", " : "",
                                     all[i].name, (unsigned long long)count(all[i].metric));
    return text;
}

/* --- sending -----------------------------------------------------------------------------------
 */

Test(tracer, gathers_for_a_while_and_then_sends)
{
    cr_assert(eq(i64, at_ms(0), -1));
    tell("a");
    cr_assert(eq(i64, at_ms(0), 1000));
    cr_assert(eq(int, collector.posts, 0));
    cr_assert(eq(i64, at_ms(1000), -1));
    cr_assert(eq(int, collector.posts, 1));
    cr_assert(eq(str, collector.names, "a"));
    cr_assert(eq(str, collector.header, ""));
    cr_assert(eq(str, counted(), ""));
    collector_says((cf_http_answer_t){.status = 200});
    cr_assert(eq(i64, at_ms(1001), -1));
    cr_assert(eq(str, counted(), "sent 1"));
}

Test(tracer, sends_a_full_request_at_once_and_one_at_a_time)
{
    tell("a");
    tell("b");
    tell("c");
    cr_assert(eq(i64, at_ms(0), -1));
    cr_assert(eq(str, collector.names, "a b"));
    tell("d");
    cr_assert(eq(i64, at_ms(100), -1));
    cr_assert(eq(int, collector.posts, 1));
    collector_says((cf_http_answer_t){.status = 204});
    at_ms(101);
    cr_assert(eq(str, collector.names, "c d"));
    collector_says((cf_http_answer_t){.status = 200});
    at_ms(102);
    cr_assert(eq(int, collector.posts, 2));
    cr_assert(eq(str, counted(), "sent 4"));
}

Test(tracer, sends_the_header_it_was_given)
{
    end();
    config.header = "Authorization: Bearer x";
    begin();
    tell("a");
    at_ms(1000);
    cr_assert(eq(str, collector.header, "Authorization: Bearer x"));
}

Test(tracer, counts_what_the_collector_leaves_out)
{
    static const struct {
        const char *answer;
        char *counted;
    } cases[] = {{"{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}", "sent 1, rejected 1"},
                 {"{\"partialSuccess\":{\"rejectedSpans\":\"99\"}}", "sent 1, rejected 3"},
                 {"no JSON", "sent 3, rejected 3"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tell("a");
        tell("b");
        at_ms((int64_t)i);
        collector_says((cf_http_answer_t){.status = 200, .body = cf_str(cases[i].answer)});
        at_ms((int64_t)i);
        cr_assert(eq(str, counted(), cases[i].counted), "%s", cases[i].answer);
    }
}

/* --- a collector that does not take them -------------------------------------------------------
 */

static const cf_http_answer_t away = {.rc = CF_EIO, .reason = "cannot be reached"};

Test(tracer, asks_again_after_a_pause_that_grows_and_gives_up_in_the_end)
{
    tell("a");
    at_ms(1000);
    collector_says(away);
    cr_assert(eq(i64, at_ms(1000), 3000));
    tell("b"); /* goes with it */
    cr_assert(eq(i64, at_ms(2999), 3000));
    cr_assert(eq(int, collector.posts, 1));
    cr_assert(eq(i64, at_ms(3000), -1));
    cr_assert(eq(str, collector.names, "a b"));
    collector_says(away);
    cr_assert(eq(i64, at_ms(3000), 7000));
    at_ms(7000);
    cr_assert(eq(int, collector.posts, 3));
    tell("c");
    collector_says(away);
    cr_assert(eq(i64, at_ms(7000), 15000), "the next ones wait as well");
    cr_assert(eq(str, counted(), "failed 2"));
    at_ms(15000);
    cr_assert(eq(str, collector.names, "c"));
    collector_says((cf_http_answer_t){.status = 200});
    at_ms(15000);
    cr_assert(eq(str, counted(), "sent 1, failed 2"));
    cr_assert(eq(u64, count(CF_M_TRACE_REQUESTS), 4));
    cr_assert(eq(u64, count(CF_M_TRACE_FAILURES), 3));
}

Test(tracer, waits_no_longer_than_a_minute)
{
    end();
    config.attempts = 100;
    config.random = play_most;
    begin();
    tell("a");
    int64_t ms = 1000;
    for (int i = 0; i < 40; i++) {
        at_ms(ms);
        collector_says(away);
        int64_t next_ms = at_ms(ms);
        cr_assert(le(i64, next_ms - ms, 60000));
        ms = next_ms + 1; /* of which the rest is cut off */
    }
    cr_assert(eq(int, collector.posts, 40));
}

Test(tracer, waits_as_long_as_a_busy_collector_says_but_a_minute_at_most)
{
    static const struct {
        int status;
        int64_t retry_after_s, pause_ms;
    } cases[] = {{429, 0, 2000},
                 {502, 1, 2000},
                 {503, 7, 7000},
                 {504, 3600, 60000},
                 {503, INT64_MAX, 60000}};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tell("a");
        ms += 100000;
        at_ms(ms);
        collector_says(
            (cf_http_answer_t){.status = cases[i].status, .retry_after_s = cases[i].retry_after_s});
        cr_assert(eq(i64, at_ms(ms), ms + cases[i].pause_ms), "%d", cases[i].status);
        ms += cases[i].pause_ms;
        at_ms(ms);
        collector_says((cf_http_answer_t){.status = 200});
        at_ms(ms);
    }
    cr_assert(eq(str, counted(), "sent 5"));
}

Test(tracer, drops_what_a_collector_refuses)
{
    static const int statuses[] = {301, 400, 401, 404, 413, 500, 501};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        tell("a");
        at_ms(1000 * (int64_t)(2 * i + 2));
        collector_says((cf_http_answer_t){.status = statuses[i]});
        cr_assert(eq(i64, at_ms(1000 * (int64_t)(2 * i + 2)), -1));
        cr_assert(eq(u64, count(CF_M_SPANS_REFUSED), i + 1), "%d", statuses[i]);
    }
    cr_assert(eq(int, collector.posts, 7));
}

/* A page of an error, say: what was refused is not to be sent again, nor what may have been taken. */
Test(tracer, goes_by_the_status_of_an_answer_that_is_too_long)
{
    static const struct {
        int status;
        char *counted;
    } cases[] = {{404, "refused 1"}, {200, "refused 2"}, {100, NULL}, {0, NULL}};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tell("a");
        at_ms(ms += 1000);
        collector_says((cf_http_answer_t){
            .rc = CF_ERANGE, .status = cases[i].status, .reason = "the answer is too big"});
        int64_t next_ms = at_ms(ms);
        cr_assert(eq(int, next_ms == -1, cases[i].counted != NULL), "%d", cases[i].status);
        cr_assert(eq(str, counted(), cases[i].counted ? cases[i].counted : "refused 2"));
        ms = next_ms > 0 ? next_ms : ms;
    }
}

Test(tracer, asks_again_when_a_request_cannot_be_begun)
{
    collector.cannot_begin = true;
    tell("a");
    cr_assert(eq(i64, at_ms(1000), 3000));
    collector.cannot_begin = false;
    at_ms(3000);
    collector_says((cf_http_answer_t){.status = 200});
    at_ms(3000);
    cr_assert(eq(str, counted(), "sent 1"));
}

/* --- bounds ------------------------------------------------------------------------------------
 */

Test(tracer, keeps_as_many_as_may_wait_and_counts_the_rest)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (int round = 0; round < 3; round++) { /* so that the ring wraps around */
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            tell(names[i]);
        cr_assert(eq(u64, count(CF_M_SPANS_FULL), 2 * (uint64_t)(round + 1)));
        static const char *const requests[] = {"a b", "c d", "e"};
        for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
            at_ms(now_ms + 1000);
            cr_assert(eq(str, collector.names, (char *)requests[i]));
            collector_says((cf_http_answer_t){.status = 200});
            at_ms(now_ms);
        }
        cr_assert(eq(int, collector.posts, 3 * (round + 1)));
    }
    cr_assert(eq(str, counted(), "sent 15, full 6"));
}

Test(tracer, takes_nothing_of_another_node)
{
    cr_assert(eq(int, tell_from(OTHER_NODE, "a"), CF_EPROTO));
    cr_assert(eq(i64, at_ms(5000), -1));
}

/* --- the end -----------------------------------------------------------------------------------
 */

static peer_t *supervisor, *teller;

static void start_thread_for(int64_t drain_us)
{
    cf_actor_t *actor = actor_at(CF_ACTOR_TRACER, 0);
    cf_tracer_t *state;
    supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    teller = peer_at(CF_ACTOR_ROOMS, 0);
    config.actor = actor;
    config.drain_us = drain_us;
    cr_assert(eq(int, cf_tracer_new(&state, &config), 0));
    actor_run(actor, &cf_tracer_ops, state);
}

static void start_thread(void)
{
    start_thread_for(50000);
}

TestSuite(tracer_drain, .init = start_thread, .fini = actors_stop, .timeout = 60);

Test(tracer_drain, has_nothing_to_wait_for)
{
    peer_send(supervisor, CF_ACTOR_TRACER, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL));
    cr_assert(eq(int, collector.posts, 0));
}

Test(tracer_drain, sends_what_waits_and_does_not_wait_for_ever)
{
    cf_span_t span = {.id = {{1}}, .kind = CF_SPAN_INTERNAL, .name = cf_str("a")};
    peer_send(teller, CF_ACTOR_TRACER, CF_MSG_SPAN, 0, (cf_id_t){0}, &span);
    peer_send(supervisor, CF_ACTOR_TRACER, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL));
    cr_assert(eq(int, collector.posts, 1), "before the interval is over");
    cr_assert(eq(int, collector.cancelled, 1));
}

static void start_far_away(void)
{
    config.pause_us = 60000000; /* half of it at least */
    collector.is_away = true;
    start_thread_for(25000000); /* longer than a peer waits */
}

TestSuite(tracer_away, .init = start_far_away, .fini = actors_stop, .timeout = 60);

Test(tracer_away, does_not_wait_for_an_attempt_that_would_come_behind_the_drain)
{
    cf_span_t span = {.id = {{1}}, .kind = CF_SPAN_INTERNAL, .name = cf_str("a")};
    peer_send(teller, CF_ACTOR_TRACER, CF_MSG_SPAN, 0, (cf_id_t){0}, &span);
    peer_send(supervisor, CF_ACTOR_TRACER, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL), "before its time is over");
    cr_assert(eq(int, collector.posts, 1));
    cr_assert(eq(int, collector.cancelled, 0));
}
