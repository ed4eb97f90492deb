/* actors/mesh.h: the links to the other nodes of this chat. docs/several-nodes.md, "The mesh".
 *
 *     NODE_HERE (nodes)        a link to that node: this one connects if the other came before it, else it is waited for. Handed
 *                              on to those who are told. Of one that is known nothing more is done; without memory nothing is,
 *                              and nodes says it again
 *     NODE_GONE (nodes)        the link, and all that waits for that node, are gone. Handed on to the same
 *     any message for another node (all of this node)   goes over its link, in order, once
 *     DRAIN                    DRAINED when the others have confirmed all they were sent
 *
 * What another node sends is forwarded to the actor of this node that it is for. It must be from an actor of that node to
 * one that is here, and of a kind that such actors say to each other (crossing.h). Whoever sends
 * anything else, or leaves more than queue_max unconfirmed, is cut off: nothing is read from it nor sent to it until
 * NODE_GONE; it is as good as not there, which nodes find out by its missing BEATs. A message for a node that is
 * not known, or cut off, is counted (CF_M_UNDELIVERABLE).
 *
 * Who has a name in its endpoint is dialed by the addresses that are found for it beside all this (peer_name.h).
 *
 * A key is one node's: who comes with the key of one that is there replaces it, as after a restart. */
#ifndef CF_MESH_H
#define CF_MESH_H

#include "actor.h"
#include "config.h"
#include "link/curve.h"
#include "link/reliable.h"

/* Bytes of messages that share a frame; a longer message has one of its own. */
#define CF_MESH_GATHERED_MAX (64u << 10)
#define CF_MESH_FRAME_MAX (CF_RELIABLE_HEAD + CF_MSG_HEAD_SIZE + (size_t)CF_MSG_BODY_MAX)

/* All actors of this kind are told of nodes that do one of these; and of any that is gone. */
typedef struct {
    uint16_t kind;
    uint32_t roles; /* bits, base/roles.h */
} cf_mesh_told_t;

typedef struct {
    cf_actor_t *actor; /* whose state it is; borrowed */
    const cf_bus_t *bus;
    cf_curve_config_t curve; /* but for frame_max */
    cf_config_list_t peers;  /* NAME=ENDPOINT, in the stead of what NODE_HERE says; borrowed */
    size_t queue_max;        /* bytes that wait to be confirmed by one other node */
    uint16_t actors[CF_ACTOR_KINDS]; /* how many of each kind are here */
    const cf_mesh_told_t *told;      /* borrowed */
    uint32_t told_count;
} cf_mesh_config_t;

typedef struct cf_mesh cf_mesh_t;

/* Listens from here on. 0, or an error of cf_curve_open(). */
int cf_mesh_new(cf_mesh_t **out, const cf_mesh_config_t *config);
/* As others see this node; for the life of the actor. */
const char *cf_mesh_endpoint(const cf_mesh_t *self);
const char *cf_mesh_public_key(const cf_mesh_t *self);
extern const cf_actor_ops_t cf_mesh_ops;

#endif
