/* actors/others.h: which other nodes an actor may speak to. Part of actors that the mesh tells of them. */
#ifndef CF_OTHERS_H
#define CF_OTHERS_H

#include "actor.h"
#include "model_limits.h"

typedef struct {
    uint32_t nodes[CF_NODES_MAX]; /* their numbers, in no order */
    uint32_t count;
} cf_others_t;

/* NODE_HERE: 1 if it was not known, *came_before says whether it is older than this node; 0 if it was, or there are
 * CF_NODES_MAX. NODE_GONE: 1 if it was, *node says who. Below 0: the message cannot be read. */
int cf_others_here(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg,
                   bool *came_before);
int cf_others_gone(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, uint32_t *node);

#endif
