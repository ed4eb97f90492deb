/* base/trace.h: in whose trace something is done: one for each request of a client (W3C Trace Context). */
#ifndef CF_TRACE_H
#define CF_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define CF_TRACE_ID_SIZE 16
#define CF_SPAN_ID_SIZE 8

typedef struct {
    uint8_t id[CF_TRACE_ID_SIZE]; /* zero: none */
    bool sampled;                 /* spans of it are told (actors/tracer.h) */
} cf_trace_t;

typedef struct {
    uint8_t bytes[CF_SPAN_ID_SIZE]; /* zero: none */
} cf_span_id_t;

#endif
