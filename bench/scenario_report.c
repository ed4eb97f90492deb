#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void write_trend(FILE *out, const char *name, const cf_histogram_t *h)
{
    fprintf(out,
            "  \"%s\": {\"count\": %" PRIu64
            ", \"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f},\n",
            name, h->count, ms(cf_histogram_at(h, 0.5)), ms(cf_histogram_at(h, 0.95)),
            ms(cf_histogram_at(h, 0.99)), ms(h->max));
}

static void write_rate(FILE *out, const char *name, const cf_rate_t *rate)
{
    uint64_t all = rate->passes + rate->fails;
    fprintf(out, "  \"%s\": {\"passes\": %" PRIu64 ", \"fails\": %" PRIu64 ", \"rate\": %.6f},\n",
            name, rate->passes, rate->fails, all ? (double)rate->passes / (double)all : 0);
}

static void write_counter(FILE *out, const char *name, uint64_t count)
{
    fprintf(out, "  \"%s\": {\"count\": %" PRIu64 "},\n", name, count);
}

/* What k6 would say, under the names of its scripts. */
static void write_metrics(FILE *out, const cf_scenario_t *run)
{
    const cf_counts_t *c = &run->counts;
    cf_rate_t checks = {0};
    for (int i = 0; i < CF_CHECK_COUNT; i++) {
        checks.passes += c->checks[i].passes;
        checks.fails += c->checks[i].fails;
    }
    write_rate(out, "checks", &checks);
    write_rate(out, "websocket_connection_success", &c->connection_success);
    write_rate(out, "message_delivery_success", &c->delivery_success);
    write_trend(out, "ws_connecting", &run->connecting);
    write_trend(out, "ws_session_duration", &run->session);
    write_trend(out, "http_req_duration", &run->http_duration);
    write_trend(out, "chat_message_latency_ms", &run->message_latency);
    write_trend(out, "stock_command_latency_ms", &run->command_latency);
    write_counter(out, "errors", c->errors);
    write_counter(out, "websocket_errors", c->errors);
    write_counter(out, "chat_messages_sent", c->sent);
    write_counter(out, "chat_messages_received", c->received);
    write_counter(out, "stock_commands_sent", c->commands_sent);
    write_counter(out, "stock_responses_received", c->commands_echoed);
    fprintf(out, "  \"iterations\": {\"count\": %" PRIu64 "}\n", c->iterations);
}

static void write_checks(FILE *out, const cf_counts_t *c)
{
    static const char *const texts[] = {
#define CF_AS_TEXT(name, text) [CF_CHECK_##name] = text,
        CF_CHECKS(CF_AS_TEXT)
#undef CF_AS_TEXT
    };
    for (int i = 0; i < CF_CHECK_COUNT; i++)
        fprintf(out, "%s\"%s\": {\"passes\": %" PRIu64 ", \"fails\": %" PRIu64 "}", i ? ", " : "",
                texts[i], c->checks[i].passes, c->checks[i].fails);
}

static void write_faults(FILE *out, const cf_counts_t *c)
{
    fprintf(out,
            "\"lost\": %" PRIu64 ", \"doubled\": %" PRIu64 ", \"out_of_order\": %" PRIu64
            ", \"differing\": %" PRIu64,
            c->order.lost, c->order.doubled, c->order.disordered, c->order.differing);
#define CF_AS_JSON(name, text) fprintf(out, ", \"" #name "\": %" PRIu64, c->name);
    CF_SCENARIO_FAULTS(CF_AS_JSON)
#undef CF_AS_JSON
}

static void write_samples(FILE *out, const cf_scenario_t *run)
{
    for (int i = 0; i < run->sample_count; i++) {
        const cf_sample_t *s = &run->samples[i];
        fprintf(out, "%s[%u, %" PRId64 ", %d, %.3f, %.3f, %" PRIu64 "]", i ? ",\n  " : "", s->users,
                s->rss_kib, s->threads, (double)s->cpu_ns / 1e9, (double)s->own_cpu_ns / 1e9,
                s->deliveries);
    }
}

static void write_all(FILE *out, const cf_scenario_t *run)
{
    const cf_counts_t *c = &run->counts;
    fprintf(out, "{\"metrics\": {\n");
    write_metrics(out, run);
    fprintf(out, " },\n \"checks\": {");
    write_checks(out, c);
    fprintf(out, "},\n \"faults\": {");
    write_faults(out, c);
    fprintf(out,
            "},\n \"interrupted\": %" PRIu64 ", \"acked\": %" PRIu64 ", \"deliveries\": %" PRIu64
            ", \"echoed\": %" PRIu64 ", \"cut\": %" PRIu64 ", \"ephemeral\": %" PRIu64
            ",\n \"closes\": ",
            c->interrupted, c->acked, c->deliveries, c->echoed, c->cut, c->ephemeral);
    cf_print_kinds(out, c->closes);
    fprintf(out, ", \"refusals\": ");
    cf_print_kinds(out, c->refusals);
    fprintf(out, ", \"failures\": ");
    cf_print_kinds(out, c->failures);
    fprintf(out, ",\n \"parts\": {\n");
    for (int i = 0; i < run->options.group_count; i++) {
        char name[24];
        snprintf(name, sizeof name, "group %d", i);
        write_trend(out, name, &run->by_group[i]);
    }
    write_trend(out, "early", &run->early);
    write_trend(out, "late", &run->late);
    fprintf(out, "  \"lag\": {\"p99\": %.3f, \"max\": %.3f}},\n",
            ms(cf_histogram_at(&run->lag, 0.99)), ms(run->lag.max));
    fprintf(out, " \"sample\": [\"users\", \"rss_kib\", \"threads\", \"cpu\", \"own_cpu\", "
                 "\"deliveries\"],\n \"samples\": [");
    write_samples(out, run);
    fprintf(out, "]}\n");
}

/* Opens, lets write, and closes; false after saying what failed. */
static bool write_file(const char *path, const cf_scenario_t *run,
                       void (*write)(FILE *, const cf_scenario_t *))
{
    FILE *out = path ? fopen(path, "w") : NULL;
    if (!path)
        return true;
    if (out)
        write(out, run);
    if (!out || fclose(out) != 0) {
        perror(path);
        return false;
    }
    return true;
}

bool cf_scenario_write_json(const cf_scenario_t *run)
{
    return write_file(run->options.json_path, run, write_all);
}

static void write_posts(FILE *out, const cf_scenario_t *run)
{
    for (uint32_t i = 0; i < run->room_count; i++) {
        const cf_room_t *room = &run->rooms[i];
        for (uint64_t seq = 1; seq < room->posts_size; seq++) {
            const cf_post_t *post = &room->posts[seq];
            if (post->id[0])
                fprintf(out, "%s %" PRIu64 " %s %08x %d\n", room->id, seq, post->id, post->crc,
                        post->acked);
        }
    }
}

bool cf_scenario_write_posts(const cf_scenario_t *run)
{
    return write_file(run->options.posts_path, run, write_posts);
}

void cf_scenario_print_progress(const cf_scenario_t *run)
{
    const cf_counts_t *c = &run->counts;
    printf("%5d s: %u users, %" PRIu64 " messages, %" PRIu64 " deliveries, %" PRIu64
           " errors; latency p95 %.1f ms\n",
           run->sample_count, run->active, c->sent, c->deliveries, c->errors,
           ms(cf_histogram_at(&run->message_latency, 0.95)));
    fflush(stdout);
}
