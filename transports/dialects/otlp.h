/* transports/dialects/otlp.h: spans as a collector takes them: OTLP/HTTP with JSON
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp, trace service v1).
 *
 *     cf_otlp_begin(&body, &resource);       the head of a request
 *     cf_otlp_span(&body, &msg, &span);      for each span
 *     cf_otlp_end(&body);
 *
 * What the collector answers comes from outside: any bytes are taken, none believed. */
#ifndef CF_DIALECT_OTLP_H
#define CF_DIALECT_OTLP_H

#include "buf.h"
#include "wire/span.h"

#define CF_OTLP_SPAN_MAX 8192 /* bytes of one span at most, every letter of its texts escaped */

/* Who tells; borrowed for the call. */
typedef struct {
    const char *version, *node;
} cf_otlp_resource_t;

/* Append to out. Return 0 or CF_ENOMEM; out may then end anywhere. */
int cf_otlp_begin(cf_buf_t *out, const cf_otlp_resource_t *resource);
int cf_otlp_span(cf_buf_t *out, const cf_msg_t *msg, const cf_span_t *span);
int cf_otlp_end(cf_buf_t *out);

/* How many spans of a request that was taken (status 200) the collector has left out: 0 of an answer that says
 * nothing of it, or cannot be read. */
uint64_t cf_otlp_rejected(cf_str_t answer, cf_arena_t *arena);

#endif
