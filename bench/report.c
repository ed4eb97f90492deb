#include "load.h"

#include "process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    uint64_t count;
} cf_fault_count_t;

#define FAULTS 10

static void list_faults(cf_fault_count_t out[FAULTS], const cf_counts_t *c)
{
    const cf_fault_count_t all[FAULTS] = {{"lost", c->order.lost},
                                          {"doubled", c->order.doubled},
                                          {"out_of_order", c->order.disordered},
                                          {"differing", c->order.differing},
                                          {"misrouted", c->misrouted},
                                          {"broken", c->broken},
                                          {"ack_after_copy", c->ack_late},
                                          {"ack_wrong", c->ack_wrong},
                                          {"unsettled", c->unsettled},
                                          {"unreadable", c->unreadable}};
    memcpy(out, all, sizeof all);
}

static void print_histogram(FILE *out, const char *name, const cf_histogram_t *h)
{
    fprintf(out,
            ",\n \"%s\": {\"count\": %" PRIu64
            ", \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
            name, h->count, (double)cf_histogram_at(h, 0.5) / 1e3,
            (double)cf_histogram_at(h, 0.99) / 1e3, (double)cf_histogram_at(h, 0.999) / 1e3,
            (double)h->max / 1e3);
}

/* One array for each client that did not read as others do. */
static void print_slow(FILE *out, const cf_load_t *load)
{
    static const char *const readers[] = {
        [CF_READER_NORMAL] = "normal", [CF_READER_STOPPED] = "stopped", [CF_READER_DRIP] = "drip"};
    fprintf(out, ",\n \"slow\": [");
    for (uint32_t i = 0; i < load->slow_count; i++) {
        const cf_slow_t *slow = &load->slow[i];
        fprintf(out,
                "%s\n  {\"client\": %u, \"reader\": \"%s\", \"woken\": %s, \"code\": %d, "
                "\"ended_s\": %.3f, \"back_s\": %.3f, \"last_seq\": %" PRIu64
                ", \"back_seq\": %" PRIu64 "}",
                i ? "," : "", load->client_count - 1 - i, readers[slow->reader],
                slow->woken ? "true" : "false", slow->code, (double)slow->ended_ns / 1e9,
                (double)slow->back_ns / 1e9, slow->last_seq, slow->back_seq);
    }
    fprintf(out, "]");
}

static double connect_cpu_us(const cf_load_t *load)
{
    return load->connect_cpu_ns < 0 || load->ready == 0
               ? 0
               : (double)load->connect_cpu_ns / 1e3 / load->ready;
}

static double cpu_us_per_delivery(const cf_load_t *load)
{
    if (load->cpu_start_ns < 0 || load->cpu_stop_ns < 0 || load->measured_deliveries == 0 ||
        load->options.pid_count == 0)
        return 0;
    return (double)(load->cpu_stop_ns - load->cpu_start_ns) / 1e3 /
           (double)load->measured_deliveries;
}

static void write_json(FILE *out, const cf_load_t *load, bool ok)
{
    const cf_options_t *o = &load->options;
    const cf_counts_t *c = &load->counts;
    cf_fault_count_t faults[FAULTS];
    double seconds = (double)load->measured_ns / 1e9;
    fprintf(out,
            "{\"name\": \"%s\", \"ok\": %s, \"run\": %" PRIu64
            ", \"clients\": %u, \"ready\": %u, \"rooms\": %u, \"writers\": %u,\n"
            " \"rate\": %.1f, \"inflight\": %d, \"window\": %d, \"payload\": %d, \"keys\": %s, "
            "\"seconds\": %.3f,\n",
            o->name, ok ? "true" : "false", o->run, load->client_count, load->ready,
            load->room_count, load->writer_count, o->rate, o->inflight, o->window, o->payload,
            o->keys ? "true" : "false", seconds);
    fprintf(out,
            " \"began_ns\": %" PRId64 ", \"posts\": %" PRIu64 ", \"acked\": %" PRIu64
            ", \"refused\": %" PRIu64 ", \"resent\": %" PRIu64 ", \"skipped\": %" PRIu64
            ", \"deliveries\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"upgrades\": %" PRIu64 ",\n",
            load->start_ns, c->posts, c->acked, c->refused, c->resent, c->skipped, c->deliveries,
            c->foreign, c->upgrades);
    fprintf(out,
            " \"told_counts\": %" PRIu64 ", \"told_joins\": %" PRIu64 ", \"crossed\": %" PRIu64
            ", \"frame_bytes\": %" PRIu64
            ", \"connect_s\": %.3f, \"connect_cpu_us\": %.2f, \"rss_before_kib\": %" PRId64 ",\n",
            c->told_counts, c->told_joins, c->crossed,
            c->deliveries ? c->frame_bytes / c->deliveries : 0, (double)load->connect_ns / 1e9,
            connect_cpu_us(load), load->rss_before_kib);
    fprintf(out,
            " \"deliveries_per_s\": %.0f, \"acked_per_s\": %.0f, \"cpu_us_per_delivery\": %.3f, "
            "\"own_cpu_share\": %.3f,\n \"faults\": {",
            seconds > 0 ? (double)load->measured_deliveries / seconds : 0,
            seconds > 0 ? (double)load->measured_acked / seconds : 0, cpu_us_per_delivery(load),
            seconds > 0 ? (double)load->own_cpu_ns / 1e9 / seconds : 0);
    list_faults(faults, c);
    for (int i = 0; i < FAULTS; i++)
        fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", faults[i].name, faults[i].count);
    fprintf(out, "},\n \"closes\": ");
    cf_print_kinds(out, c->closes);
    fprintf(out, ", \"refusals\": ");
    cf_print_kinds(out, c->refusals);
    print_slow(out, load);
    print_histogram(out, "ack_us", &load->ack);
    print_histogram(out, "delivery_us", &load->delivery);
    fprintf(out, ",\n \"rss_kib\": [");
    for (int i = 0; i < load->rss_count; i++)
        fprintf(out, "%s%" PRId64, i ? ", " : "", load->rss_kib[i]);
    fprintf(out, "]}\n");
}

static void print_lines(const cf_load_t *load, bool ok)
{
    const cf_counts_t *c = &load->counts;
    cf_fault_count_t faults[FAULTS];
    const char *name = load->options.name;
    double seconds = (double)load->measured_ns / 1e9;
    printf("%s: %" PRIu64 " posts, %" PRIu64 " acked, %" PRIu64 " refused, %" PRIu64
           " deliveries in %.1f s: %.0f deliveries/s\n",
           name, c->posts, c->acked, c->refused, c->deliveries, seconds,
           seconds > 0 ? (double)load->measured_deliveries / seconds : 0);
    printf("%s: ack p50 %.2f p99 %.2f p99.9 %.2f ms; delivery p50 %.2f p99 %.2f p99.9 %.2f ms\n",
           name, (double)cf_histogram_at(&load->ack, 0.5) / 1e6,
           (double)cf_histogram_at(&load->ack, 0.99) / 1e6,
           (double)cf_histogram_at(&load->ack, 0.999) / 1e6,
           (double)cf_histogram_at(&load->delivery, 0.5) / 1e6,
           (double)cf_histogram_at(&load->delivery, 0.99) / 1e6,
           (double)cf_histogram_at(&load->delivery, 0.999) / 1e6);
    if (load->options.pid_count && load->rss_count > 0)
        printf("%s: server CPU %.2f us per delivery; RSS %.1f MiB at first, %.1f at the end\n",
               name, cpu_us_per_delivery(load), (double)load->rss_kib[0] / 1024,
               (double)load->rss_kib[load->rss_count - 1] / 1024);
    printf("%s: closes ", name);
    cf_print_kinds(stdout, c->closes);
    printf(" refusals ");
    cf_print_kinds(stdout, c->refusals);
    printf("\n%s: %s", name, ok ? "nothing lost, doubled, swapped or changed" : "WRONG:");
    list_faults(faults, c);
    for (int i = 0; i < FAULTS; i++)
        if (faults[i].count)
            printf(" %s %" PRIu64, faults[i].name, faults[i].count);
    printf("\n");
}

bool cf_report(const cf_load_t *load)
{
    cf_fault_count_t faults[FAULTS];
    bool ok = true;
    list_faults(faults, &load->counts);
    for (int i = 0; i < FAULTS; i++)
        ok = ok && faults[i].count == 0;
    print_lines(load, ok);
    if (load->options.json_path) {
        FILE *out = fopen(load->options.json_path, "w");
        if (!out) {
            perror(load->options.json_path);
            return false;
        }
        write_json(out, load, ok);
        if (fclose(out) != 0)
            return false;
    }
    return ok;
}
