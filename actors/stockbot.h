/* actors/stockbot.h: answers commands; the only one that talks to the quote service.
 *
 *     ASK_BOT (room of any node)  stock: a quote, from memory or from the service; hello: a saying. -> BOT_ANSWER
 *                     within the command's time, whatever became of it | REFUSED CF_EFULL (queue_max
 *                     are waiting), CF_ECLOSING. An id that was asked before is not begun again: who
 *                     asked last is answered
 *                     With `replay` it is a dead letter's: no letter is written of it, its words are not
 *                     remembered, and of a failure the answer tells why
 *     DEAD_LETTER     -> storage of the node whose room has asked, for each command that failed, again until it is
 *                     DONE; when that does not answer, to that of the node that has asked last
 *     SPAN            -> tracer, for each attempt at a quote in a sampled trace
 *     DRAIN           what is under way gets drain_us more; the rest is answered as failed. DRAINED
 *                     when everything is answered and every dead letter is stored, or drain_us later
 *
 * Many commands wait at once; those for one code share one request. An attempt that could not reach the
 * service, or met with an error of the service's own, is made again after a pause, as often as
 * `attempts` and the command's time allow. When they fail in a row, the breaker (breaker.h) fails
 * commands at once for a while. The thread waits for its inbox and the HTTP client's descriptor
 * together and for nothing else. */
#ifndef CF_STOCKBOT_H
#define CF_STOCKBOT_H

#include "actor.h"
#include "http_client/http_client.h"
#include "spans.h"

typedef struct {
    const char *url; /* of the service; borrowed */
    int64_t attempt_us, deadline_us, pause_us, drain_us;
    uint32_t attempts, in_flight_max, queue_max;
    uint32_t breaker_failures;
    int64_t breaker_us;
    int64_t cache_us, cache_not_found_us; /* 0: not remembered */
    bool traceparent;                     /* tell the service the trace it is asked in */
    cf_spans_t spans;                     /* as they begin */
    uint32_t (*random)(uint32_t below);   /* a number from 0 to below - 1 */
    const cf_http_ops_t *http_ops;
    void *http;        /* the bot's from here on */
    cf_actor_t *actor; /* may be NULL in tests that call the handlers themselves and do not drain */
} cf_stockbot_config_t;

typedef struct cf_stockbot cf_stockbot_t;

#define CF_STOCKBOT_QUOTES_MAX 1024 /* remembered */
#define CF_STOCKBOT_SAID_MAX 4096   /* answers remembered by their command */

int cf_stockbot_new(cf_stockbot_t **out, const cf_stockbot_config_t *config); /* 0, CF_ENOMEM */
/* What the actor does when the HTTP client's descriptor is readable. */
void cf_stockbot_readable(void *state, cf_turn_t *turn);
extern const cf_actor_ops_t cf_stockbot_ops;

#endif
