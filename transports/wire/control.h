/* transports/wire/control.h: what every actor understands, and the two general answers.
 *
 *     STOP       supervisor -> any      -> STOPPED; the actor's thread ends behind it
 *     DRAIN      supervisor -> any      -> DRAINED when no acknowledged work is left in the actor
 *     CLOSE      supervisor -> gateway  -> CLOSED when no client is left: WebSockets are closed with
 *                1001, or 1012 when the server begins anew; requests that still wait are refused
 *     RELOAD     supervisor -> gateway  -> DONE, or REFUSED and nothing changed: read certificate and
 *                key again
 *     DONE       the answer to a request that has no result
 *     REFUSED    the answer to a request that was not carried out; nothing changed
 *     NODE_GONE  lobby, rooms: forget everything of this node */
#ifndef CF_CONTROL_H
#define CF_CONTROL_H

#include "err.h"
#include "msg.h"

#include <stdbool.h>

typedef struct {
    uint32_t reason;         /* a cf_err_t without its sign */
    uint32_t retry_after_ms; /* 0: no advice */
} cf_refused_t;

typedef struct {
    uint32_t node;
} cf_node_gone_t;

typedef struct {
    bool begins_anew; /* the server will be back in a moment */
    bool has_others;  /* clients need not wait for that: other nodes are there */
} cf_close_t;

extern const cf_shape_t cf_shape_refused, cf_shape_node_gone, cf_shape_close;

#endif
