/* actors/stats.h: how the node is doing; asks every actor, answers scrapes and health checks.
 *
 *     PROBE        -> each target once a second. Who does not answer within 5 s is not live, nor is
 *                  who has lost a message of our own (actor.h, quarantine)
 *     PROBED       target -> stats: its counters; the newest are kept
 *     STORE_STATE  storage, readers -> stats. Not heard for 5 s counts as down. The node is ready while
 *                  storage can write and one reader can read, and it is not alone where it should not be:
 *     JOINED       nodes, with is_joining -> from here on it may be
 *     METRICS      gateway -> METRICS_TEXT: Prometheus text format 0.0.4, rendered at most once a
 *                  second
 *     HEALTH       gateway, supervisor -> HEALTH_STATE
 *     DRAIN        supervisor -> DRAINED at once; from here on the node is not ready
 * Counters are summed over all actors; those named confab_actor_ are kept apart by kind of actor.
 */
#ifndef CF_STATS_H
#define CF_STATS_H

#include "actor.h"

typedef struct {
    cf_actor_t *actor;           /* borrowed */
    const cf_address_t *targets; /* every actor but stats itself; copied */
    uint32_t n;
    const char *version; /* of confab; borrowed for life */
    bool has_store;      /* else it is ready without: this node has no posts */
    bool is_joining;     /* other nodes: it is not ready before JOINED */
} cf_stats_config_t;

typedef struct cf_stats cf_stats_t;
extern const cf_actor_ops_t cf_stats_ops;

int cf_stats_new(cf_stats_t **out, const cf_stats_config_t *config); /* 0, CF_ENOMEM */
void cf_stats_destroy(cf_stats_t **self); /* for a state that no thread was given */

#endif
