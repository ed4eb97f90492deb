#include "metrics_text.h"

#include "err.h"
#include "process_figures.h"
#include "routes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum { COUNTER, GAUGE, MOST, LEAST, SECONDS } kind_t;

static const struct {
    const char *name, *help; /* name: family or family{labels} */
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
    CF_HISTOGRAM_MAP(X) CF_NUMBER_MAP(X)
#undef X
};

static uint64_t together(size_t slot, uint64_t a, uint64_t b)
{
    kind_t kind = slot < CF_METRICS ? metrics[slot].kind : COUNTER;
    if (kind == MOST)
        return a > b ? a : b;
    if (kind == LEAST)
        return a && (a < b || !b) ? a : b;
    return a + b;
}

void cf_metrics_add(cf_metrics_t *self, uint16_t kind, const uint64_t slots[CF_METRIC_SLOTS])
{
    if (kind >= CF_ACTOR_KINDS)
        return;
    self->seen[kind] = true;
    for (size_t slot = 0; slot < CF_METRIC_SLOTS; slot++)
        self->slots[kind][slot] = together(slot, self->slots[kind][slot], slots[slot]);
}

static int by_key(const void *a, const void *b)
{
    uint32_t left = ((const cf_series_counter_t *)a)->key;
    uint32_t right = ((const cf_series_counter_t *)b)->key;
    return left < right ? -1 : left > right;
}

void cf_metrics_set_series(cf_metrics_t *self, cf_series_counter_t *series, uint32_t n)
{
    if (n)
        qsort(series, n, sizeof *series, by_key);
    self->series = series;
    self->series_n = n;
}

/* --- lines -------------------------------------------------------------------------------------
 */

int cf_metrics_write_label(cf_buf_t *out, const char *text)
{
    int rc = 0;
    for (; rc == 0 && *text; text++) {
        if (*text == '\n')
            rc = cf_buf_add_text(out, "\\n");
        else if (*text == '"' || *text == '\\')
            rc = cf_buf_addf(out, "\\%c", *text);
        else
            rc = cf_buf_add_byte(out, (uint8_t)*text);
    }
    return rc;
}

/* name="value", behind a comma unless it is the first. */
static int write_label(cf_buf_t *out, const char *name, const char *value)
{
    bool is_first = out->size > 0 && out->data[out->size - 1] == '{';
    int rc = cf_buf_addf(out, is_first ? "%s=\"" : ",%s=\"", name);
    if (rc == 0)
        rc = cf_metrics_write_label(out, value);
    return rc == 0 ? cf_buf_add_byte(out, '"') : rc;
}

static size_t family_size(const char *name)
{
    return strcspn(name, "{");
}

static bool is_same_family(const char *a, const char *b)
{
    size_t size = family_size(a);
    return size == family_size(b) && memcmp(a, b, size) == 0;
}

static int write_head(cf_buf_t *out, const char *name, const char *help, const char *type)
{
    int size = (int)family_size(name);
    return cf_buf_addf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", size, name, help, size, name, type);
}

/* Microseconds as seconds, without rounding and without zeros at the end: "0.005", "10". */
static int write_seconds(cf_buf_t *out, uint64_t us)
{
    int rc = cf_buf_addf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    while (rc == 0 && out->data[out->size - 1] == '0')
        out->size--;
    if (rc == 0 && out->data[out->size - 1] == '.')
        out->size--;
    return rc;
}

static int write_value(cf_buf_t *out, kind_t kind, uint64_t value)
{
    int rc = cf_buf_add_byte(out, ' ');
    if (rc == 0)
        rc = kind == SECONDS ? write_seconds(out, value) : cf_buf_addf(out, "%" PRIu64, value);
    return rc == 0 ? cf_buf_add_byte(out, '\n') : rc;
}

/* --- counters and gauges -----------------------------------------------------------------------
 */

static uint64_t sum(const cf_metrics_t *self, size_t slot) /* over all kinds of actor */
{
    uint64_t total = 0;
    for (size_t kind = 0; kind < CF_ACTOR_KINDS; kind++)
        total = together(slot, total, self->slots[kind][slot]);
    return total;
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
    kind_t kind = metrics[metric].kind;
    int rc = 0;
    if (kind == LEAST && sum(self, metric) == 0)
        return 0;
    if (metric == 0 || !is_same_family(name, metrics[metric - 1].name))
        rc = write_head(out, name, metrics[metric].help,
                        kind == COUNTER || kind == SECONDS ? "counter" : "gauge");
    if (rc == 0 && !is_by_actor(name)) {
        rc = cf_buf_add_text(out, name);
        return rc == 0 ? write_value(out, kind, sum(self, metric)) : rc;
    }
    for (uint16_t actor = 0; rc == 0 && actor < CF_ACTOR_KINDS; actor++) {
        if (!self->seen[actor])
            continue;
        rc = cf_buf_addf(out, "%s{actor=\"%s\"}", name, cf_actor_name(actor));
        if (rc == 0)
            rc = write_value(out, kind, self->slots[actor][metric]);
    }
    return rc;
}

/* --- histograms --------------------------------------------------------------------------------
 */

static int write_measure(cf_buf_t *out, bool is_time, uint64_t value)
{
    return is_time ? write_seconds(out, value) : cf_buf_addf(out, "%" PRIu64, value);
}

/* One histogram: labels is what stands between the braces, "" for none; slots are its own. */
static int write_histogram(cf_buf_t *out, cf_str_t family, cf_str_t labels, bool is_time,
                           const uint64_t *slots)
{
    const int64_t *bounds = is_time ? cf_histogram_bounds_us : cf_histogram_bounds_n;
    uint64_t count = 0;
    int rc = 0;
    for (size_t bucket = 0; rc == 0 && bucket < CF_HISTOGRAM_BUCKETS; bucket++) {
        count += slots[bucket];
        rc = cf_buf_addf(out, "%.*s_bucket{%.*s%sle=\"", (int)family.size, family.bytes,
                         (int)labels.size, labels.bytes, labels.size ? "," : "");
        if (rc == 0 && bucket < CF_HISTOGRAM_BUCKETS - 1)
            rc = write_measure(out, is_time, (uint64_t)bounds[bucket]);
        else if (rc == 0)
            rc = cf_buf_add_text(out, "+Inf");
        if (rc == 0)
            rc = cf_buf_addf(out, "\"} %" PRIu64 "\n", count);
    }
    const char *open = labels.size ? "{" : "", *close = labels.size ? "}" : "";
    if (rc == 0)
        rc = cf_buf_addf(out, "%.*s_sum%s%.*s%s ", (int)family.size, family.bytes, open,
                         (int)labels.size, labels.bytes, close);
    if (rc == 0)
        rc = write_measure(out, is_time, slots[CF_HISTOGRAM_BUCKETS]);
    if (rc == 0)
        rc = cf_buf_addf(out, "\n%.*s_count%s%.*s%s %" PRIu64 "\n", (int)family.size, family.bytes,
                         open, (int)labels.size, labels.bytes, close, count);
    return rc;
}

static int write_fixed_histogram(cf_buf_t *out, const cf_metrics_t *self, size_t histogram)
{
    const char *name = histograms[histogram].name;
    uint32_t size = (uint32_t)family_size(name);
    cf_str_t family = {name, size}, labels = cf_str(name + size);
    uint64_t slots[CF_HISTOGRAM_SLOTS];
    int rc = 0;
    if (labels.size)
        labels = (cf_str_t){labels.bytes + 1, labels.size - 2}; /* without its braces */
    for (size_t slot = 0; slot < CF_HISTOGRAM_SLOTS; slot++)
        slots[slot] = sum(self, CF_METRICS + histogram * CF_HISTOGRAM_SLOTS + slot);
    if (histogram == 0 || !is_same_family(name, histograms[histogram - 1].name))
        rc = write_head(out, name, histograms[histogram].help, "histogram");
    bool is_time = histogram < CF_FIRST_NUMBER;
    return rc == 0 ? write_histogram(out, family, labels, is_time, slots) : rc;
}

/* --- HTTP requests -----------------------------------------------------------------------------
 */

#define REQUESTS "http_requests_total"
#define DURATIONS "http_request_duration_seconds"

static int write_request_labels(cf_buf_t *out, uint32_t packed)
{
    cf_series_key_t key = cf_series_unpack(packed);
    int rc = write_label(out, "method", cf_route_method_name((cf_method_t)key.method));
    if (rc == 0)
        rc = write_label(out, "path", cf_route_label(key.path));
    return rc == 0 ? cf_buf_addf(out, ",status=\"%u\"", (unsigned)key.status) : rc;
}

typedef int series_fn(cf_buf_t *out, cf_str_t labels, const uint64_t *slots);

static int write_request_count(cf_buf_t *out, cf_str_t labels, const uint64_t *slots)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket < CF_HISTOGRAM_BUCKETS; bucket++)
        count += slots[bucket];
    return cf_buf_addf(out, REQUESTS "{%.*s} %" PRIu64 "\n", (int)labels.size, labels.bytes, count);
}

static int write_request_durations(cf_buf_t *out, cf_str_t labels, const uint64_t *slots)
{
    return write_histogram(out, cf_str(DURATIONS), labels, true, slots);
}

/* Adds up what has one key and writes it by `write`. */
static int write_series(cf_buf_t *out, const cf_metrics_t *self, series_fn *write)
{
    cf_buf_t labels = {0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < self->series_n;) {
        uint64_t slots[CF_HISTOGRAM_SLOTS] = {0};
        uint32_t key = self->series[i].key;
        for (; i < self->series_n && self->series[i].key == key; i++)
            if (self->series[i].slot < CF_HISTOGRAM_SLOTS)
                slots[self->series[i].slot] += self->series[i].value;
        cf_buf_clear(&labels);
        rc = cf_buf_add_byte(&labels, '{');
        if (rc == 0)
            rc = write_request_labels(&labels, key);
        if (rc == 0)
            rc = write(out, (cf_str_t){(const char *)labels.data + 1, (uint32_t)labels.size - 1},
                       slots);
    }
    cf_buf_free(&labels);
    return rc;
}

static int write_requests(cf_buf_t *out, const cf_metrics_t *self)
{
    int rc = write_head(out, REQUESTS, "requests answered", "counter");
    if (rc == 0)
        rc = write_series(out, self, write_request_count);
    if (rc == 0)
        rc = write_head(out, DURATIONS, "from a whole request to its answer", "histogram");
    return rc == 0 ? write_series(out, self, write_request_durations) : rc;
}

/* --- the process -------------------------------------------------------------------------------
 */

static int write_process(cf_buf_t *out, const cf_metrics_t *self)
{
    const cf_health_state_t *health = &self->health;
    cf_process_figures_t process;
    cf_process_figures(&process);
    const struct {
        const char *name, *help;
        kind_t kind;
        uint64_t value;
    } rows[] = {
        {"process_cpu_seconds_total", "user and system time", SECONDS, process.cpu_us},
        {"process_resident_memory_bytes", "resident memory", GAUGE, process.resident_bytes},
        {"process_virtual_memory_bytes", "address space in use", GAUGE, process.virtual_bytes},
        {"process_open_fds", "open file descriptors", GAUGE, process.open_fds},
        {"process_max_fds", "file descriptors there may be", GAUGE, process.max_fds},
        {"process_start_time_seconds", "when the process started, since 1970", GAUGE,
         (uint64_t)(self->started_us / 1000000)},
        {"go_goroutines", "threads; the name dashboards of the contract know", GAUGE,
         process.threads},
        {"go_memstats_heap_inuse_bytes", "resident memory of no file, heap and stacks; as above",
         GAUGE, process.private_bytes},
        {"confab_live", "every actor answers", GAUGE, health->live},
        {"confab_ready", "the store is there and the node is not draining", GAUGE, health->ready},
        {"confab_store_up", "the store takes writes and answers reads", GAUGE, health->store_up},
        {"db_connections_open", "open store connections", GAUGE, health->store_connections},
        {"db_connections_in_use", "store connections used in the last second", GAUGE,
         health->store_in_use},
        {"db_connections_idle", "open store connections that were not", GAUGE,
         health->store_connections - health->store_in_use},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof rows[0]; i++) {
        rc = write_head(out, rows[i].name, rows[i].help,
                        rows[i].kind == SECONDS ? "counter" : "gauge");
        if (rc == 0)
            rc = cf_buf_add_text(out, rows[i].name);
        if (rc == 0)
            rc = write_value(out, rows[i].kind, rows[i].value);
    }
    return rc;
}

static int write_build(cf_buf_t *out, const cf_metrics_t *self)
{
    int rc = write_head(out, "confab_build_info", "which build this is", "gauge");
    if (rc == 0)
        rc = cf_buf_add_text(out, "confab_build_info{");
    if (rc == 0)
        rc = write_label(out, "version", self->version);
    return rc == 0 ? cf_buf_add_text(out, "} 1\n") : rc;
}

int cf_metrics_write(cf_buf_t *out, const cf_metrics_t *self)
{
    int rc = 0;
    for (size_t metric = 0; rc == 0 && metric < CF_METRICS; metric++)
        rc = write_metric(out, self, metric);
    for (size_t histogram = 0; rc == 0 && histogram < CF_HISTOGRAMS; histogram++)
        rc = write_fixed_histogram(out, self, histogram);
    if (rc == 0)
        rc = write_requests(out, self);
    if (rc == 0)
        rc = write_process(out, self);
    return rc == 0 ? write_build(out, self) : rc;
}
