/* transports/http/traceparent.h: the trace a client is in (W3C Trace Context, Level 1, 3.2). */
#ifndef CF_TRACEPARENT_H
#define CF_TRACEPARENT_H

#include "str.h"
#include "wire/msg.h"

#include <stdbool.h>

/* Reads the trace id of a traceparent header. False: it is none, and trace stays as it was. */
bool cf_traceparent_read(uint8_t trace[CF_TRACE_SIZE], cf_str_t header);

#endif
