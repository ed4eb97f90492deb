/* transports/wire/node.h: who is a node of this chat, and how long this one may speak. docs/several-nodes.md.
 *
 *     STORE_OPENED  supervisor -> nodes   the tables are there: enter (observe.h)
 *     ENTERED    nodes -> supervisor    this process is a node, or why it is not yet; with CF_ESTALE it never will be
 *     NODE_HERE  nodes -> mesh -> lobby, accounts, limiter, sweeper, room threads, lobby -> gateways   another one is there,
 *                                       and can be spoken to; each hears of nodes that do what it needs
 *     NODE_GONE  nodes -> room threads, mesh -> the same   it is not any more (control.h)
 *     LEASE      nodes -> room threads  nothing may leave them later than that
 *     FENCED     nodes -> supervisor    this node was marked gone: it begins anew, or ends
 *     BEAT       nodes -> nodes of each other node   that it lives, and for how long the store has not told so
 *     JOINED     nodes -> stats         once: every node that was there when this one entered has heard it, and was heard, or is gone */
#ifndef CF_NODE_H
#define CF_NODE_H

#include "model_limits.h"
#include "msg.h"

#include <stdbool.h>

typedef struct {
    uint32_t reason;        /* 0, or a cf_err_t without its sign */
    uint64_t gone_after_us; /* with CF_ERANGE: node.gone_after of one that is there; else 0 */
} cf_entered_t;

typedef struct {
    uint32_t node;
    cf_str_t name;
    cf_str_t endpoint;   /* of its mesh */
    cf_str_t public_key; /* Z85 */
    uint32_t roles;      /* bits, base/roles.h */
    bool came_before;    /* this node, so this one connects to it; else it will connect here */
} cf_node_here_t;

typedef struct {
    int64_t until_us; /* cf_boot_us of this node */
} cf_lease_msg_t;

typedef struct {
    uint32_t why; /* cf_node_end_t of store/registry.h */
} cf_fenced_t;

typedef struct {
    int64_t sent_us; /* cf_boot_us of who sends it */
    int64_t echo_us; /* sent_us of the latest that it got from whom it sends this; 0: none */
    uint64_t unconfirmed_us; /* since the heartbeat that the store confirmed last was sent */
} cf_beat_t;

extern const cf_shape_t cf_shape_entered, cf_shape_node_here, cf_shape_lease, cf_shape_fenced,
    cf_shape_beat;

#endif
