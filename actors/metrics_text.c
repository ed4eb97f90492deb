#include "metrics_text.h"

#include "err.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef enum { COUNTER, GAUGE } kind_t;

static const struct {
    const char *name, *help;
    kind_t kind;
} metrics[] = {
#define X(name, kind, text, help) {(text), (help), kind},
    CF_METRIC_MAP(X)
#undef X
};

static const struct {
    const char *name, *help;
} histograms[] = {
#define X(name, text, help) {(text), (help)},
    CF_HISTOGRAM_MAP(X)
#undef X
};

void cf_metrics_add(cf_metrics_t *self, uint16_t kind, const uint64_t slots[CF_METRIC_SLOTS])
{
    if (kind >= CF_ACTOR_KINDS)
        return;
    self->seen[kind] = true;
    for (size_t slot = 0; slot < CF_METRIC_SLOTS; slot++)
        self->slots[kind][slot] += slots[slot];
}

static uint64_t sum(const cf_metrics_t *self, size_t slot)
{
    uint64_t total = 0;
    for (size_t kind = 0; kind < CF_ACTOR_KINDS; kind++)
        total += self->slots[kind][slot];
    return total;
}

static int write_head(cf_buf_t *out, const char *name, const char *help, const char *type)
{
    return cf_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The actors' own figures tell something only by kind of actor; of these there is a fixed number.
 */
static bool is_by_actor(const char *name)
{
    return strncmp(name, "confab_actor_", strlen("confab_actor_")) == 0;
}

static int write_metric(cf_buf_t *out, const cf_metrics_t *self, size_t metric)
{
    const char *name = metrics[metric].name;
    int rc = write_head(out, name, metrics[metric].help,
                        metrics[metric].kind == GAUGE ? "gauge" : "counter");
    if (rc == 0 && !is_by_actor(name))
        return cf_buf_addf(out, "%s %" PRIu64 "\n", name, sum(self, metric));
    for (uint16_t kind = 0; rc == 0 && kind < CF_ACTOR_KINDS; kind++)
        if (self->seen[kind])
            rc = cf_buf_addf(out, "%s{actor=\"%s\"} %" PRIu64 "\n", name, cf_actor_name(kind),
                             self->slots[kind][metric]);
    return rc;
}

/* Microseconds as seconds, without rounding. */
static int write_seconds(cf_buf_t *out, uint64_t us)
{
    return cf_buf_addf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static int write_bucket(cf_buf_t *out, const char *name, size_t bucket, uint64_t count)
{
    int rc = cf_buf_addf(out, "%s_bucket{le=\"", name);
    if (rc == 0 && bucket < CF_HISTOGRAM_BUCKETS - 1)
        rc = write_seconds(out, (uint64_t)cf_histogram_bounds_us[bucket]);
    else if (rc == 0)
        rc = cf_buf_add_text(out, "+Inf");
    return rc == 0 ? cf_buf_addf(out, "\"} %" PRIu64 "\n", count) : rc;
}

static int write_histogram(cf_buf_t *out, const cf_metrics_t *self, size_t histogram)
{
    const char *name = histograms[histogram].name;
    size_t first = CF_METRICS + histogram * CF_HISTOGRAM_SLOTS;
    uint64_t count = 0;
    int rc = write_head(out, name, histograms[histogram].help, "histogram");
    for (size_t bucket = 0; rc == 0 && bucket < CF_HISTOGRAM_BUCKETS; bucket++) {
        count += sum(self, first + bucket);
        rc = write_bucket(out, name, bucket, count);
    }
    if (rc == 0)
        rc = cf_buf_addf(out, "%s_sum ", name);
    if (rc == 0)
        rc = write_seconds(out, sum(self, first + CF_HISTOGRAM_BUCKETS));
    return rc == 0 ? cf_buf_addf(out, "\n%s_count %" PRIu64 "\n", name, count) : rc;
}

/* --- the process -------------------------------------------------------------------------------
 */

/* 0 when /proc is not there. */
static uint64_t resident_bytes(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    uint64_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n > 0 ? n - 1 : 0; /* not the one that is being read */
}

static int write_gauge(cf_buf_t *out, const char *name, const char *help, uint64_t value)
{
    int rc = write_head(out, name, help, "gauge");
    return rc == 0 ? cf_buf_addf(out, "%s %" PRIu64 "\n", name, value) : rc;
}

static int write_process(cf_buf_t *out, const cf_metrics_t *self)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"process_resident_memory_bytes", "resident memory", resident_bytes()},
        {"process_open_fds", "open file descriptors", open_descriptors()},
        {"confab_live", "every actor answers", self->health.live},
        {"confab_ready", "the store is there and the node is not draining", self->health.ready},
        {"confab_store_up", "the store answers", self->health.store_up},
        {"confab_store_connections", "open store connections", self->health.store_connections},
        {"confab_store_connections_in_use", "store connections used in the last second",
         self->health.store_in_use},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof rows[0]; i++)
        rc = write_gauge(out, rows[i].name, rows[i].help, rows[i].value);
    if (rc == 0)
        rc = write_head(out, "confab_build_info", "which build this is", "gauge");
    return rc == 0 ? cf_buf_addf(out, "confab_build_info{version=\"%s\"} 1\n", self->version) : rc;
}

int cf_metrics_write(cf_buf_t *out, const cf_metrics_t *self)
{
    int rc = 0;
    for (size_t metric = 0; rc == 0 && metric < CF_METRICS; metric++)
        rc = write_metric(out, self, metric);
    for (size_t histogram = 0; rc == 0 && histogram < CF_HISTOGRAMS; histogram++)
        rc = write_histogram(out, self, histogram);
    return rc == 0 ? write_process(out, self) : rc;
}
