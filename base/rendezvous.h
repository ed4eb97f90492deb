/* base/rendezvous.h: which of several nodes a thing belongs to, as everybody finds who knows the same nodes.
 *
 * The node with the highest weight has it (highest random weight hashing, Thaler and Ravishankar 1998). When a
 * node comes it takes its share from all others, when one goes its own are spread over them; nothing else moves. */
#ifndef CF_RENDEZVOUS_H
#define CF_RENDEZVOUS_H

#include "id.h"

/* Without a key, as all nodes must find the same. Ids that are drawn at random spread evenly. */
uint64_t cf_rendezvous(cf_id_t id, uint32_t node);
/* *best becomes node, if that has a higher weight, or *best is 0. So the best of several is found, the same in whatever order
 * they come. */
void cf_rendezvous_prefer(cf_id_t id, uint32_t *best, uint32_t node);

#endif
