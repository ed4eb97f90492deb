/* actors/nodes.h: this node's lease, and who else is there. docs/several-nodes.md.
 *
 *     STORE_OPENED (supervisor)  the tables are there: it enters the registry, again until it has, and says LIMIT_KEY to the
 *                                gateways, if it can speak to others, and ENTERED: each new reason why it is not let in, and when it is
 *     every beat                 a heartbeat in the registry. Then NODE_HERE and NODE_GONE for what has changed,
 *                                SESSION_ENDED and USER_ENDED to accounts for what has ended since the last one, at
 *                                whatever node, LEASE to the room threads, BEAT to the other nodes. Without an answer of the registry BEAT
 *                                alone, and LEASE while nobody else had an answer either
 *     BEAT (another node)        it is heard
 *     DRAIN                      the others are told at once that this node is gone: its rooms are nobody's
 *
 * NODE_HERE is said again with each view until that node is heard: who it is for may have had no memory.
 *
 * JOINED to stats when all of the first view have heard this node and were heard: only then are its clients in one chat with
 * theirs. With one that cannot be heard it takes until one of the two is gone.
 *
 * FENCED to the supervisor, and a LEASE that is over to the room threads, when this node was marked gone.
 *
 * A lease is counted from before its heartbeat was sent, and shorter than others wait to mark this node gone. It is
 * prolonged without the registry only by what others said after they had heard this node say something, so no delay of a message
 * counts: all of them must have been without the registry for so long that their next heartbeat makes them begin anew to
 * be steady, and they mark nobody gone before gone_after_us has passed from there. */
#ifndef CF_NODES_H
#define CF_NODES_H

#include "actor.h"
#include "registry.h"

typedef struct {
    cf_actor_t *actor;       /* whose state it is; borrowed. NULL in tests without a thread */
    cf_node_t self;          /* its texts are borrowed for the life of the actor */
    cf_registry_t *registry; /* owned by the actor once cf_nodes_new() has succeeded */
    int64_t beat_us;         /* from one heartbeat to the next */
    int64_t
        gone_after_us; /* others are marked gone so long after their last; the same at all nodes */
    int64_t lease_us;  /* less than that */
    bool has_accounts; /* here, and so to be told of sessions that have ended */
    const cf_address_t *told; /* who is told of NODE_GONE; borrowed */
    uint32_t told_count;
    const cf_address_t *told_here; /* who is told of NODE_HERE; borrowed */
    uint32_t told_here_count;
    cf_address_t stats;
    cf_address_t room_thread; /* index 0 */
    uint32_t room_threads;
    cf_address_t gateway; /* index 0 */
    uint32_t gateways;
} cf_nodes_config_t;

typedef struct cf_nodes cf_nodes_t;

int cf_nodes_new(cf_nodes_t **out, const cf_nodes_config_t *config); /* 0, CF_ENOMEM */
extern const cf_actor_ops_t cf_nodes_ops;

#endif
