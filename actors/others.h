/* actors/others.h: which other nodes an actor may speak to. Part of actors that the mesh tells of them. */
#ifndef CF_OTHERS_H
#define CF_OTHERS_H

#include "actor.h"
#include "model_limits.h"

typedef struct {
    uint32_t nodes[CF_NODES_MAX]; /* their numbers, in no order */
    uint32_t count;
} cf_others_t;

/* NODE_HERE, NODE_GONE: 0, or the message cannot be read. What is out may be NULL. *is_older: it was not known, and came before this
 * node. *node: who is gone; 0: it was not known. Of more than CF_NODES_MAX nothing is kept. */
int cf_others_here(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, bool *is_older);
int cf_others_gone(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, uint32_t *node);
/* False: it was not among them. */
bool cf_others_drop(cf_others_t *self, uint32_t node);

#endif
