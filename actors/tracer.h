/* actors/tracer.h: hands the spans of sampled traces to a collector (OTLP over HTTP, dialects/otlp.h).
 *
 *     SPAN   gateways, rooms, storage, stockbot of this node: kept, as many as queue_max; what comes beyond is
 *            dropped and counted. From another node it is refused, which has a tracer of its own
 *     DRAIN  what waits is sent at once. DRAINED when nothing waits, or drain_us later without the rest; at once if
 *            nothing would be sent before
 *
 * One request is under way at a time, with batch_max spans, or with what has come within interval_us. Spans
 * stay until the collector has answered: one that cannot be reached, or says that it is busy (429, 502, 503,
 * 504), is asked again after a pause, as often as `attempts` allow, and not before the time it names; any other
 * answer is its last word. Nobody ever waits for the tracer: who tells spans tells so many a second at most
 * (spans.h), and the chat goes on whatever becomes of them. */
#ifndef CF_TRACER_H
#define CF_TRACER_H

#include "actor.h"
#include "dialects/otlp.h"
#include "http_client/http_client.h"

typedef struct {
    const char *url;    /* of the collector; borrowed, as all texts here */
    const char *header; /* "Name: value", with every request; "": none */
    cf_otlp_resource_t resource;
    uint32_t queue_max, batch_max, attempts;
    int64_t interval_us, timeout_us, pause_us, drain_us;
    uint32_t (*random)(uint32_t below); /* a number from 0 to below - 1 */
    const cf_http_ops_t *http_ops;
    void *http;        /* the tracer's from here on */
    cf_actor_t *actor; /* may be NULL in tests that call the handlers themselves and do not drain */
} cf_tracer_config_t;

#define CF_TRACER_PAUSE_MAX_US INT64_C(60000000) /* also of one that the collector asks for */
#define CF_TRACER_ANSWER_MAX 16384               /* bytes of an answer */

typedef struct cf_tracer cf_tracer_t;

int cf_tracer_new(cf_tracer_t **out, const cf_tracer_config_t *config); /* 0, CF_ENOMEM */
/* What the actor does when the HTTP client's descriptor is readable. */
void cf_tracer_readable(void *state, cf_turn_t *turn);
extern const cf_actor_ops_t cf_tracer_ops;

#endif
