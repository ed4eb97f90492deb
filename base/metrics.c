#include "metrics.h"

#include <stdlib.h>

_Thread_local uint64_t cf_metric_slots[CF_METRIC_SLOTS];

const int64_t cf_histogram_bounds_us[CF_HISTOGRAM_BUCKETS - 1] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

const int64_t cf_histogram_bounds_n[CF_HISTOGRAM_BUCKETS - 1] = {
    1, 2, 3, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500};

static void add(uint64_t *slots, const int64_t *bounds, int64_t value)
{
    size_t bucket = 0;
    while (bucket < CF_HISTOGRAM_BUCKETS - 1 && value > bounds[bucket])
        bucket++;
    slots[bucket]++;
    slots[CF_HISTOGRAM_BUCKETS] += value > 0 ? (uint64_t)value : 0;
}

void cf_observe(cf_histogram_t histogram, int64_t value)
{
    add(cf_metric_slots + CF_METRICS + (size_t)histogram * CF_HISTOGRAM_SLOTS,
        histogram < CF_FIRST_NUMBER ? cf_histogram_bounds_us : cf_histogram_bounds_n, value);
}

/* --- series ------------------------------------------------------------------------------------
 */

static _Thread_local struct {
    cf_series_t *all; /* CF_SERIES_MAX of them; NULL until the first observation */
    uint32_t n;
} series;

uint32_t cf_series_pack(cf_series_key_t key)
{
    return (uint32_t)key.path << 24 | (uint32_t)key.method << 16 | key.status;
}

cf_series_key_t cf_series_unpack(uint32_t packed)
{
    return (cf_series_key_t){(uint8_t)(packed >> 24), (uint8_t)(packed >> 16), (uint16_t)packed};
}

void cf_observe_series(cf_series_key_t key, int64_t us)
{
    uint32_t packed = cf_series_pack(key), i = 0;
    if (!series.all && !(series.all = calloc(CF_SERIES_MAX, sizeof *series.all)))
        return;
    while (i < series.n && series.all[i].key != packed)
        i++;
    if (i == CF_SERIES_MAX)
        return;
    if (i == series.n)
        series.all[series.n++].key = packed;
    add(series.all[i].slots, cf_histogram_bounds_us, us);
}

const cf_series_t *cf_series(uint32_t *n)
{
    *n = series.n;
    return series.all;
}

void cf_series_free(void)
{
    free(series.all);
    series.all = NULL;
    series.n = 0;
}
