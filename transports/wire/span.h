/* transports/wire/span.h: what a piece of work in a sampled trace was, and how long it took.
 *
 *     SPAN  gateways, rooms, storage, stockbot -> tracer of their node; no answer. Trace and room stand in the head
 *
 * A request that is told as a span is named by cf_span_of(), which who carries it out can work out from what it
 * has got: so the spans of all actors and nodes hang together, and no message carries one's name. */
#ifndef CF_SPAN_H
#define CF_SPAN_H

#include "msg.h"

#define CF_SPAN_NAME_MAX 64
#define CF_SPAN_TEXT_MAX 64
#define CF_SPAN_ATTRIBUTES_MAX 8

/* As OTLP numbers them. */
typedef enum { CF_SPAN_INTERNAL = 1, CF_SPAN_SERVER, CF_SPAN_CLIENT } cf_span_kind_t;

/* What there is to say besides; nothing that a client has written. */
typedef struct {
    cf_str_t key;
    cf_str_t text; /* empty: it is the number */
    int64_t number;
} cf_span_attribute_t;

typedef struct {
    cf_span_id_t id, parent; /* parent zero: the trace begins here */
    uint32_t kind;           /* cf_span_kind_t */
    cf_str_t name;
    int64_t begin_us, end_us; /* wall clock */
    bool failed;
    cf_list_t attributes; /* of cf_span_attribute_t */
} cf_span_t;

/* The span of a request as who asked has it; of it trace, corr, from and room are looked at. */
cf_span_id_t cf_span_of(const cf_msg_t *request);

/* Of what nobody is asked: by chance. */
cf_span_id_t cf_span_new(void);

extern const cf_shape_t cf_shape_span;

#endif
