/* actors/metrics_text.h: the counters of all actors as a scrape reads them.
 * Format: Prometheus text exposition format 0.0.4. */
#ifndef CF_METRICS_TEXT_H
#define CF_METRICS_TEXT_H

#include "buf.h"
#include "metrics.h"
#include "str.h"
#include "wire/address.h"
#include "wire/observe.h"

typedef struct {
    uint64_t slots[CF_ACTOR_KINDS][CF_METRIC_SLOTS]; /* taken together by kind of actor */
    bool seen[CF_ACTOR_KINDS];
    const cf_series_counter_t *series; /* borrowed */
    uint32_t series_n;
    cf_health_state_t health;
    const char *version;
    int64_t started_us; /* wall clock */
} cf_metrics_t;         /* zero it to make an empty one */

void cf_metrics_add(cf_metrics_t *self, uint16_t kind, const uint64_t slots[CF_METRIC_SLOTS]);
/* The series of all actors, in any order, several times the same one too; sorts them in place. */
void cf_metrics_set_series(cf_metrics_t *self, cf_series_counter_t *series, uint32_t n);
/* Append the text. Returns 0 or CF_ENOMEM (out then holds a part). */
int cf_metrics_write(cf_buf_t *out, const cf_metrics_t *self);

/* Append text as the value of a label, without the quotes around it: one line, whatever it holds. */
int cf_metrics_write_label(cf_buf_t *out, const char *text);

#endif
