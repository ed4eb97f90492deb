#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < CF_HISTOGRAM_SUB)
        return (unsigned)value;
    unsigned top = 63 - (unsigned)__builtin_clzll(value); /* >= 6 */
    unsigned shift = top - 6;
    unsigned bucket =
        (shift + 1) * CF_HISTOGRAM_SUB + (unsigned)(value >> shift) - CF_HISTOGRAM_SUB;
    return bucket < CF_HISTOGRAM_BUCKETS ? bucket : CF_HISTOGRAM_BUCKETS - 1;
}

static uint64_t end_of(unsigned bucket)
{
    if (bucket < CF_HISTOGRAM_SUB)
        return bucket;
    unsigned shift = bucket / CF_HISTOGRAM_SUB - 1;
    return (((uint64_t)(bucket % CF_HISTOGRAM_SUB) + CF_HISTOGRAM_SUB + 1) << shift) - 1;
}

void cf_histogram_add(cf_histogram_t *self, int64_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    self->count++;
    self->max = v > self->max ? v : self->max;
    self->buckets[bucket_of(v)]++;
}

uint64_t cf_histogram_at(const cf_histogram_t *self, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)self->count + 0.999999), seen = 0;
    for (unsigned i = 0; i < CF_HISTOGRAM_BUCKETS && wanted > 0; i++) {
        seen += self->buckets[i];
        if (seen >= wanted)
            return end_of(i) < self->max ? end_of(i) : self->max;
    }
    return self->max;
}
