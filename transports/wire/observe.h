/* transports/wire/observe.h: what actors tell about themselves.
 *
 *     PROBE        stats -> any             -> PROBED counters. Not answered in time: not live
 *     METRICS      gateway -> stats         -> METRICS_TEXT, Prometheus text format
 *     HEALTH       gateway, supervisor -> stats -> HEALTH_STATE
 *     STORE_STATE  storage, reader -> stats, whenever it changes and once a second
 *     STORE_OPENED storage, reader -> supervisor, once: the store was opened, or this process can
 *                  never use it; supervisor -> readers: storage's was, they may open theirs */
#ifndef CF_OBSERVE_H
#define CF_OBSERVE_H

#include "msg.h"

#define CF_COUNTERS_MAX 2048 /* slots an actor may report */
#define CF_SERIES_COUNTERS_MAX                                                                     \
    10240 /* slots of its series: CF_SERIES_MAX times CF_HISTOGRAM_SLOTS fit */
#define CF_METRICS_TEXT_MAX 1000000 /* bytes */

typedef struct {
    uint32_t slot; /* of base/metrics.h */
    uint64_t value;
} cf_counter_t;

typedef struct {
    uint32_t key;  /* of cf_series_t */
    uint32_t slot; /* below CF_HISTOGRAM_SLOTS */
    uint64_t value;
} cf_series_counter_t;

typedef struct {
    cf_list_t counters; /* of cf_counter_t; those that are not zero */
    cf_list_t series;   /* of cf_series_counter_t; the same; what has one key stands together */
} cf_probed_t;

typedef struct {
    cf_str_t text;
} cf_metrics_text_t;

typedef struct {
    bool live;  /* every actor answered its last probe, and none is in quarantine */
    bool ready; /* the store is up, the node is one of those there are, and it is not draining */
    bool draining;
    bool joining;             /* it has no place among the nodes yet */
    bool store_up;            /* storage can write, and one reader at least can read */
    int64_t store_latency_us; /* of the last ping */
    uint32_t store_connections, store_in_use;
    bool quotes_up; /* the quote service is not left alone; says nothing about readiness */
} cf_health_state_t;

typedef struct {
    bool up;     /* what is asked of it is done, as far as is known */
    bool in_use; /* a call is running */
    int64_t latency_us;
} cf_store_state_t;

typedef struct {
    uint32_t reason; /* a cf_err_t without its sign; 0: it is open */
} cf_store_opened_t;

extern const cf_shape_t cf_shape_probed, cf_shape_metrics_text, cf_shape_health_state,
    cf_shape_store_state, cf_shape_store_opened;

#endif
