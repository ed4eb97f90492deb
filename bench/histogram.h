/* bench/histogram.h: a latency histogram with logarithmic buckets, each at most 1.6 % wide; adding
 * a value allocates nothing. */
#ifndef CF_HISTOGRAM_H
#define CF_HISTOGRAM_H

#include <stdint.h>

#define CF_HISTOGRAM_SUB 64 /* buckets for each doubling */
#define CF_HISTOGRAM_BUCKETS (CF_HISTOGRAM_SUB * 40)

typedef struct {
    uint64_t count, max;
    uint64_t buckets[CF_HISTOGRAM_BUCKETS];
} cf_histogram_t; /* zeroed: empty */

void cf_histogram_add(cf_histogram_t *self, int64_t value); /* below 0 counts as 0 */

/* The value that `share` (0..1) of all values do not exceed, rounded up to its bucket's end; 0 when
 * empty. */
uint64_t cf_histogram_at(const cf_histogram_t *self, double share);

#endif
