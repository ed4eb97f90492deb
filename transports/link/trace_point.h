/* transports/link/trace_point.h: the one place at which every message can be seen.
 *
 * With log.messages on, each message is logged at level debug as it leaves and as it arrives: type,
 * addresses, correlation id, room, size; never its body. */
#ifndef CF_TRACE_POINT_H
#define CF_TRACE_POINT_H

#include "wire/msg.h"

void cf_trace_point(const char *direction, const cf_msg_t *msg);

#endif
