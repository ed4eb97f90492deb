/* stats: as a real thread, and for time as a state machine. */
#include "stats.h"

#include "breaker.h"
#include "clock.h"
#include "metrics.h"
#include "metrics_text.h"
#include "peer.h"
#include "routes.h"
#include "wire/observe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>

static const cf_address_t targets[] = {
    {NODE, CF_ACTOR_STORAGE, 0},
    {NODE, CF_ACTOR_READER, 0},
    {NODE, CF_ACTOR_ROOMS, 0},
    {NODE, CF_ACTOR_ROOMS, 1},
};
#define TARGETS 4
#define SECOND_US INT64_C(1000000)

static peer_t *gateway;

static void start(void)
{
    cf_stats_t *state;
    cf_actor_t *actor = actor_at(CF_ACTOR_STATS, 0);
    gateway = peer_at(CF_ACTOR_GATEWAY, 0);
    for (int i = 0; i < TARGETS; i++)
        peer_at(targets[i].kind, targets[i].index);
    cf_stats_config_t config = {actor, targets, TARGETS, "1.2.3", true, false};
    cr_assert(eq(int, cf_stats_new(&state, &config), 0));
    actor_run(actor, &cf_stats_ops, state);
}

/* Answer a probe of one of the actors with these counters. */
static void answer_probe(int target, cf_counter_t *counters, uint32_t n)
{
    cf_msg_t msg;
    peer_t *peer = peer_at(targets[target].kind, targets[target].index);
    cr_assert(peer_await_msg(peer, CF_MSG_PROBE, 0, &msg, NULL));
    peer_answer(peer, &msg, CF_MSG_PROBED, &(cf_probed_t){{counters, n}, {NULL, 0}});
}

static void tell_store(int target, bool up, bool in_use, int64_t latency_us)
{
    peer_send(peer_at(targets[target].kind, targets[target].index), CF_ACTOR_STATS,
              CF_MSG_STORE_STATE, 0, (cf_id_t){0}, &(cf_store_state_t){up, in_use, latency_us});
}

static cf_health_state_t ask_health(void)
{
    cf_health_state_t health = {0};
    peer_send(gateway, CF_ACTOR_STATS, CF_MSG_HEALTH, 5, (cf_id_t){0}, NULL);
    cr_assert(peer_await(gateway, CF_MSG_HEALTH_STATE, 5, &health));
    return health;
}

/* NUL-terminated; freed by the caller. */
static char *scrape(void)
{
    cf_metrics_text_t text;
    peer_send(gateway, CF_ACTOR_STATS, CF_MSG_METRICS, 6, (cf_id_t){0}, NULL);
    cr_assert(peer_await(gateway, CF_MSG_METRICS_TEXT, 6, &text));
    return strndup(text.text.bytes, text.text.size);
}

static bool has_line(const char *text, const char *line)
{
    size_t size = strlen(line);
    for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
        if ((at == text || at[-1] == '\n') && at[size] == '\n')
            return true;
    return false;
}

TestSuite(stats, .init = start, .fini = actors_stop, .timeout = 60);

Test(stats, sums_counters_and_keeps_the_actors_own_apart_by_kind)
{
    size_t bucket = CF_METRICS + (size_t)CF_H_COMMIT * CF_HISTOGRAM_SLOTS;
    cf_counter_t of_storage[] = {{CF_M_COMMITS, 3},
                                 {CF_M_INBOX_MESSAGES, 7},
                                 {(uint32_t)bucket + 1, 2},
                                 {(uint32_t)bucket + CF_HISTOGRAM_BUCKETS - 1, 1},
                                 {(uint32_t)bucket + CF_HISTOGRAM_BUCKETS, 6000321}};
    cf_counter_t of_rooms[] = {{CF_M_INBOX_MESSAGES, 5}, {CF_M_POSTS_IN, 10}};
    answer_probe(2, of_rooms, 2);
    answer_probe(3, of_rooms, 2);
    answer_probe(0, of_storage, 5);
    for (int i = 0; i < 4; i++) /* until the second round all three were counted */
        answer_probe(i, i == 0 ? of_storage : of_rooms, i == 0 ? 5 : i == 1 ? 0 : 2);
    char *text = scrape();
    cr_expect(has_line(text, "# HELP confab_store_commits_total write transactions"));
    cr_expect(has_line(text, "# TYPE confab_store_commits_total counter"));
    cr_expect(has_line(text, "confab_store_commits_total 3"));
    cr_expect(has_line(text, "confab_posts_received_total 20"));
    cr_expect(has_line(text, "confab_actor_messages_total{actor=\"storage\"} 7"));
    cr_expect(has_line(text, "confab_actor_messages_total{actor=\"rooms\"} 10"));
    cr_expect(has_line(text, "# TYPE confab_store_commit_seconds histogram"));
    cr_expect(has_line(text, "confab_store_commit_seconds_bucket{le=\"0.0001\"} 0"));
    cr_expect(has_line(text, "confab_store_commit_seconds_bucket{le=\"0.00025\"} 2"));
    cr_expect(has_line(text, "confab_store_commit_seconds_bucket{le=\"10\"} 2"));
    cr_expect(has_line(text, "confab_store_commit_seconds_bucket{le=\"+Inf\"} 3"));
    cr_expect(has_line(text, "confab_store_commit_seconds_sum 6.000321"));
    cr_expect(has_line(text, "confab_store_commit_seconds_count 3"));
    cr_expect(has_line(text, "confab_build_info{version=\"1.2.3\"} 1"));
    cr_expect(strstr(text, "\nprocess_resident_memory_bytes ") != NULL);
    cr_expect(strstr(text, "\nprocess_open_fds ") != NULL);
    free(text);
}

Test(stats, tells_the_earliest_expiry_of_all_certificates_and_nothing_where_there_is_none)
{
    cf_counter_t none[] = {{CF_M_CONNECTIONS, 1}};
    cf_counter_t late[] = {{CF_M_TLS_EXPIRY, 2000}}, early[] = {{CF_M_TLS_EXPIRY, 1000}};
    for (int i = 0; i < 4; i++)
        answer_probe(i, none, 1);
    char *text = scrape();
    cr_expect(strstr(text, "certificate_expiry") == NULL);
    free(text);
    for (int round = 0; round < 3; round++) { /* until the last the first was counted */
        answer_probe(0, none, 1);
        answer_probe(1, none, 1);
        answer_probe(2, late, 1);
        answer_probe(3, early, 1);
    }
    text = scrape();
    cr_expect(has_line(text, "# TYPE confab_tls_certificate_expiry_timestamp_seconds gauge"));
    cr_expect(has_line(text, "confab_tls_certificate_expiry_timestamp_seconds 1000"));
    free(text);
}

/* Answer a probe of one of the actors with these series. */
static void tell_series(int target, cf_series_counter_t *series, uint32_t n)
{
    cf_msg_t msg;
    peer_t *peer = peer_at(targets[target].kind, targets[target].index);
    cr_assert(peer_await_msg(peer, CF_MSG_PROBE, 0, &msg, NULL));
    peer_answer(peer, &msg, CF_MSG_PROBED, &(cf_probed_t){{NULL, 0}, {series, n}});
}

Test(stats, sums_requests_by_method_path_and_status_over_all_actors)
{
    cf_route_info_t first;
    char line[256];
    cr_assert(cf_route_info(0, &first));
    uint32_t ok = cf_series_pack((cf_series_key_t){CF_ROUTE_FILE + 1, CF_METHOD_POST, 201});
    uint32_t bad = cf_series_pack((cf_series_key_t){CF_ROUTE_UNMATCHED, CF_METHOD_OTHER, 404});
    cf_series_counter_t one[] = {{ok, 3, 2}, {ok, CF_HISTOGRAM_BUCKETS, 3000}, {bad, 16, 1}};
    cf_series_counter_t other[] = {{ok, 3, 5}, {ok, CF_HISTOGRAM_BUCKETS, 1000}};
    for (int round = 0; round < 2; round++) {
        tell_series(0, NULL, 0);
        tell_series(1, NULL, 0);
        tell_series(2, one, 3);
        tell_series(3, other, 2);
    }
    char *text = scrape();
    snprintf(line, sizeof line, "http_requests_total{method=\"POST\",path=\"%s\",status=\"201\"} 7",
             first.path);
    cr_expect(has_line(text, line));
    cr_expect(has_line(
        text, "http_requests_total{method=\"other\",path=\"unmatched\",status=\"404\"} 1"));
    snprintf(line, sizeof line,
             "http_request_duration_seconds_sum{method=\"POST\",path=\"%s\",status=\"201\"} 0.004",
             first.path);
    cr_expect(has_line(text, line));
    snprintf(line, sizeof line,
             "http_request_duration_seconds_bucket{method=\"POST\",path=\"%s\",status=\"201\","
             "le=\"0.001\"} 7",
             first.path);
    cr_expect(has_line(text, line));
    free(text);
}

Test(stats, a_label_stays_one_line_and_one_value)
{
    cf_buf_t out = {0};
    cr_assert(eq(int, cf_metrics_write_label(&out, "a\"b\\c\nd\xff{}=,"), 0));
    cr_assert(eq(int, cf_buf_add_byte(&out, '\0'), 0));
    cr_expect(eq(str, (char *)out.data, "a\\\"b\\\\c\\nd\xff{}=,"));
    cf_buf_free(&out);
}

Test(stats, shows_the_most_of_a_kind_and_numbers_as_numbers)
{
    size_t bucket = CF_METRICS + (size_t)CF_H_BATCH_ROWS * CF_HISTOGRAM_SLOTS;
    cf_counter_t of_storage[] = {{CF_M_INBOX_BACKLOG, 2},
                                 {(uint32_t)bucket, 1},
                                 {(uint32_t)bucket + 6, 2},
                                 {(uint32_t)bucket + CF_HISTOGRAM_BUCKETS, 41}};
    cf_counter_t of_first[] = {{CF_M_INBOX_BACKLOG, 7}, {CF_M_ROOM_LAG, 3}, {CF_M_RESUMED, 2}};
    cf_counter_t of_second[] = {{CF_M_INBOX_BACKLOG, 5}, {CF_M_ROOM_LAG, 9}, {CF_M_RESUMED, 4}};
    for (int round = 0; round < 2; round++) { /* until the second round all were counted */
        answer_probe(0, of_storage, 4);
        answer_probe(1, NULL, 0);
        answer_probe(2, of_first, 3);
        answer_probe(3, of_second, 3);
    }
    char *text = scrape();
    cr_expect(has_line(text, "# TYPE confab_actor_inbox_depth gauge"));
    cr_expect(has_line(text, "confab_actor_inbox_depth{actor=\"rooms\"} 7"));
    cr_expect(has_line(text, "confab_actor_inbox_depth{actor=\"storage\"} 2"));
    cr_expect(has_line(text, "confab_room_lag_events 9"));
    cr_expect(has_line(text, "confab_resumes_total{result=\"complete\"} 6"));
    cr_expect(has_line(text, "confab_resumes_total{result=\"reload\"} 0"));
    cr_expect(has_line(text, "confab_store_batch_rows_bucket{le=\"1\"} 1"));
    cr_expect(has_line(text, "confab_store_batch_rows_bucket{le=\"15\"} 1"));
    cr_expect(has_line(text, "confab_store_batch_rows_bucket{le=\"20\"} 3"));
    cr_expect(has_line(text, "confab_store_batch_rows_bucket{le=\"500\"} 3"));
    cr_expect(has_line(text, "confab_store_batch_rows_sum 41"));
    cr_expect(has_line(text, "confab_store_batch_rows_count 3"));
    free(text);
}

Test(stats, takes_an_actor_in_quarantine_for_not_live)
{
    cf_counter_t of_reader[] = {{CF_M_QUARANTINED, 1}};
    tell_store(0, true, false, 1);
    tell_store(1, true, false, 1);
    answer_probe(0, NULL, 0);
    cr_assert(ask_health().live);
    answer_probe(1, of_reader, 1);
    cf_health_state_t health = ask_health();
    cr_assert(not(health.live));
    cr_assert(health.ready); /* it serves what it can until it is restarted */
    char *text = scrape();
    cr_expect(has_line(text, "confab_actor_quarantined{actor=\"reader\"} 1"));
    cr_expect(has_line(text, "confab_actor_quarantined{actor=\"storage\"} 0"));
    free(text);
}

Test(stats, renders_a_scrape_that_follows_at_once_no_second_time)
{
    char *first = scrape();
    char *second = scrape(); /* the counter of handled messages would differ */
    cr_assert(eq(str, first, second));
    free(first);
    free(second);
}

Test(stats, is_ready_while_storage_can_write_and_a_reader_can_read)
{
    cr_assert(eq(int, ask_health().ready, false));
    tell_store(0, true, true, 42);
    while (ask_health().store_connections < 1)
        ;
    cr_assert(eq(int, ask_health().ready, false));
    tell_store(1, true, false, 7);
    while (!ask_health().ready)
        ; /* ends with the suite's time limit */
    cf_health_state_t health = ask_health();
    cr_assert(health.live);
    cr_assert(eq(i64, health.store_latency_us, 42));
    cr_assert(eq(u32, health.store_connections, 2));
    cr_assert(eq(u32, health.store_in_use, 1));
    tell_store(0, false, false, 0);
    while (ask_health().ready)
        ;
    cr_assert(eq(u32, ask_health().store_connections, 1)); /* the reader's */
    tell_store(0, true, false, 0);
    while (!ask_health().ready)
        ;
    tell_store(1, false, false, 0);
    while (ask_health().ready)
        ;
    cr_assert(eq(int, ask_health().store_up, false));
    cr_assert(ask_health().live);
}

Test(stats, tells_of_a_quote_service_that_is_left_alone_and_stays_ready)
{
    cf_counter_t open = {CF_M_BREAKER_STATE, CF_BREAKER_OPEN},
                 half_open = {CF_M_BREAKER_STATE, CF_BREAKER_HALF_OPEN};
    tell_store(0, true, false, 1);
    tell_store(1, true, false, 1);
    cr_assert(ask_health().quotes_up);
    answer_probe(2, &open, 1);
    int64_t until_us = cf_boot_us() + 20 * SECOND_US;
    while (ask_health().quotes_up)
        cr_assert(lt(i64, cf_boot_us(), until_us));
    cr_assert(ask_health().ready);
    answer_probe(2, &half_open, 1);
    while (!ask_health().quotes_up)
        cr_assert(lt(i64, cf_boot_us(), until_us));
}

Test(stats, is_not_ready_from_drain_on)
{
    tell_store(0, true, false, 1);
    tell_store(1, true, false, 1);
    while (!ask_health().ready)
        ;
    peer_send(gateway, CF_ACTOR_STATS, CF_MSG_DRAIN, 9, (cf_id_t){0}, NULL);
    cr_assert(peer_await(gateway, CF_MSG_DRAINED, 9, NULL));
    cf_health_state_t health = ask_health();
    cr_assert(health.draining);
    cr_assert(eq(int, health.ready, false));
    cr_assert(health.live);
}

/* --- time --------------------------------------------------------------------------------------
 */

static cf_stats_t *machine;
static cf_outbox_t *out;
static cf_arena_t arena;
static cf_buf_t frame;

static void make_machine_that(bool has_store, bool is_joining)
{
    cf_stats_config_t config = {NULL, targets, TARGETS, "1.2.3", has_store, is_joining};
    cr_assert(eq(int, cf_stats_new(&machine, &config), 0));
    cr_assert(eq(int, cf_outbox_new(&out, NULL, (cf_address_t){NODE, CF_ACTOR_STATS, 0}), 0));
}

static void make_machine(void)
{
    make_machine_that(true, false);
}

static void free_machine(void)
{
    cf_stats_destroy(&machine);
    cf_outbox_destroy(&out);
    cf_arena_free(&arena);
    cf_buf_free(&frame);
}

static void tell(int64_t now_us, cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_turn_t turn = {now_us, now_us, out, &arena, false};
    cf_msg_t msg,
        head = {.type = type, .corr = corr, .from = from, .to = {NODE, CF_ACTOR_STATS, 0}};
    cf_buf_clear(&frame);
    cr_assert(eq(int, cf_msg_encode(&frame, &head, body), 0));
    cr_assert(eq(int, cf_msg_decode(&msg, frame.data, frame.size), 0));
    for (const cf_handler_t *row = cf_stats_ops.handlers; row->type; row++)
        if (row->type == type)
            cr_assert(eq(int, row->handle(machine, &turn, &msg), 0));
}

static void pass(int64_t now_us)
{
    cf_turn_t turn = {now_us, now_us, out, &arena, false};
    cf_stats_ops.due(machine, &turn);
}

/* Answer the probes waiting in the outbox, but not those to target `silent`. */
static void answer_probes(int64_t now_us, int silent)
{
    cf_msg_t msg;
    uint64_t corr[TARGETS] = {0};
    while (cf_outbox_take(out, &msg))
        for (int i = 0; i < TARGETS; i++)
            if (msg.type == CF_MSG_PROBE && cf_address_equal(msg.to, targets[i]))
                corr[i] = msg.corr;
    for (int i = 0; i < TARGETS; i++)
        if (corr[i] && i != silent)
            tell(now_us, targets[i], CF_MSG_PROBED, corr[i], &(cf_probed_t){0});
}

static cf_health_state_t health_at(int64_t now_us)
{
    cf_msg_t msg;
    cf_health_state_t health = {0};
    tell(now_us, (cf_address_t){NODE, CF_ACTOR_GATEWAY, 0}, CF_MSG_HEALTH, 1, NULL);
    while (cf_outbox_take(out, &msg))
        if (msg.type == CF_MSG_HEALTH_STATE)
            cr_assert(eq(int, cf_msg_body(&health, &msg, &arena), 0));
    return health;
}

TestSuite(stats_time, .init = make_machine, .fini = free_machine, .timeout = 60);

Test(stats_time, an_actor_that_does_not_answer_for_5_s_is_not_live_until_it_does)
{
    int64_t now_us = SECOND_US;
    pass(now_us);
    answer_probes(now_us, 3);
    for (int i = 0; i < 5; i++) {
        cr_assert(health_at(now_us).live, "after %d s", i);
        now_us += SECOND_US;
        pass(now_us);
        answer_probes(now_us, 3);
    }
    now_us += 1;
    cr_assert(eq(int, health_at(now_us).live, false));
    tell(now_us, targets[3], CF_MSG_PROBED, 1, &(cf_probed_t){0});
    cr_assert(health_at(now_us).live);
}

Test(stats_time, a_store_not_heard_of_for_5_s_counts_as_down)
{
    tell(SECOND_US, targets[0], CF_MSG_STORE_STATE, 0, &(cf_store_state_t){true, false, 1});
    tell(SECOND_US, targets[1], CF_MSG_STORE_STATE, 0, &(cf_store_state_t){true, false, 1});
    cr_assert(health_at(6 * SECOND_US).store_up);
    cr_assert(eq(int, health_at(6 * SECOND_US + 1).store_up, false));
}

Test(stats_time, one_reader_that_can_read_will_do)
{
    static const cf_address_t second = {NODE, CF_ACTOR_READER, 1};
    static const cf_store_state_t up = {true, false, 1}, down = {false, false, 1};
    tell(SECOND_US, targets[0], CF_MSG_STORE_STATE, 0, &up);
    tell(SECOND_US, targets[1], CF_MSG_STORE_STATE, 0, &down);
    tell(SECOND_US, second, CF_MSG_STORE_STATE, 0, &up);
    cr_assert(health_at(SECOND_US).ready);
    tell(SECOND_US, second, CF_MSG_STORE_STATE, 0, &down);
    cr_assert(eq(int, health_at(SECOND_US).ready, false));
}

TestSuite(stats_joining, .fini = free_machine, .timeout = 60);

Test(stats_joining, a_node_among_others_is_not_ready_before_it_has_joined_them)
{
    static const cf_store_state_t up = {true, false, 1};
    make_machine_that(true, true);
    tell(SECOND_US, targets[0], CF_MSG_STORE_STATE, 0, &up);
    tell(SECOND_US, targets[1], CF_MSG_STORE_STATE, 0, &up);
    cr_assert(health_at(SECOND_US).store_up);
    cr_assert(health_at(SECOND_US).joining);
    cr_assert(eq(int, health_at(SECOND_US).ready, false));
    tell(SECOND_US, (cf_address_t){NODE, CF_ACTOR_NODES, 0}, CF_MSG_JOINED, 0, NULL);
    cr_assert(health_at(SECOND_US).ready);
    cr_assert(eq(int, health_at(SECOND_US).joining, false));
}

Test(stats_time, every_round_probes_all_but_those_that_still_owe_an_answer)
{
    cf_msg_t msg;
    int n = 0;
    pass(SECOND_US);
    answer_probes(SECOND_US, 3);
    pass(SECOND_US + 1); /* not due */
    cr_assert(eq(int, cf_outbox_take(out, &msg), false));
    pass(2 * SECOND_US);
    while (cf_outbox_take(out, &msg))
        n++;
    cr_assert(eq(int, n, TARGETS - 1));
}

Test(stats_time, a_node_without_a_store_is_ready_without)
{
    free_machine();
    make_machine_that(false, false);
    pass(SECOND_US);
    answer_probes(SECOND_US, -1);
    cr_assert(health_at(SECOND_US).ready);
}
