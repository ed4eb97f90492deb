#include "metrics.h"

_Thread_local uint64_t cf_metric_slots[CF_METRIC_SLOTS];

const int64_t cf_histogram_bounds_us[CF_HISTOGRAM_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000};

void cf_observe(cf_histogram_t histogram, int64_t us)
{
    uint64_t *slots = cf_metric_slots + CF_METRICS + (size_t)histogram * CF_HISTOGRAM_SLOTS;
    size_t bucket = 0;
    while (bucket < CF_HISTOGRAM_BUCKETS - 1 && us > cf_histogram_bounds_us[bucket])
        bucket++;
    slots[bucket]++;
    slots[CF_HISTOGRAM_BUCKETS] += us > 0 ? (uint64_t)us : 0;
}
