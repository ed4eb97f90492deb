/* actors/others.h: which other nodes an actor may speak to. Part of actors that the mesh tells of them. */
#ifndef CF_OTHERS_H
#define CF_OTHERS_H

#include "actor.h"
#include "model_limits.h"

typedef struct {
    uint32_t nodes[CF_NODES_MAX]; /* their numbers, in no order */
    uint32_t count;
} cf_others_t;

/* NODE_HERE: 1 if it was not known; 0 if it was, or there are CF_NODES_MAX; *node is set in both cases. NODE_GONE: 1
 * if it was. Below 0: the message cannot be read. */
int cf_others_here(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, uint32_t *node);
int cf_others_gone(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, uint32_t *node);

#endif
