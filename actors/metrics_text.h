/* actors/metrics_text.h: the counters of all actors as a scrape reads them.
 * Format: Prometheus text exposition format 0.0.4. */
#ifndef CF_METRICS_TEXT_H
#define CF_METRICS_TEXT_H

#include "buf.h"
#include "metrics.h"
#include "wire/address.h"
#include "wire/observe.h"

typedef struct {
    uint64_t slots[CF_ACTOR_KINDS][CF_METRIC_SLOTS]; /* summed by kind of actor */
    bool seen[CF_ACTOR_KINDS];
    cf_health_state_t health;
    const char *version;
} cf_metrics_t; /* zero it to make an empty one */

void cf_metrics_add(cf_metrics_t *self, uint16_t kind, const uint64_t slots[CF_METRIC_SLOTS]);
/* Append the text. Returns 0 or CF_ENOMEM (out then holds a part). */
int cf_metrics_write(cf_buf_t *out, const cf_metrics_t *self);

#endif
