/* transports/http/traceparent.h: the trace a client is in, and the one we ask others in (W3C Trace Context,
 * Level 1, 3.2). */
#ifndef CF_TRACEPARENT_H
#define CF_TRACEPARENT_H

#include "str.h"
#include "trace.h"

typedef struct {
    cf_trace_t trace;
    cf_span_id_t span; /* of who asks */
} cf_traceparent_t;

#define CF_TRACEPARENT_TEXT 56 /* bytes of the header's value as it is written here, with NUL */

/* Reads the header's value. False: it is none, and *out stays as it was. Ids of zeros are none, nor is version
 * ff; of a later version than 00 what is known is read, and may be followed by more. */
bool cf_traceparent_read(cf_traceparent_t *out, cf_str_t header);
/* As version 00. */
void cf_traceparent_write(char out[CF_TRACEPARENT_TEXT], const cf_traceparent_t *traceparent);

#endif
