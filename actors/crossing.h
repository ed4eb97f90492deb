/* actors/crossing.h: what actors of one node say to actors of another, and whether that is all that came. */
#ifndef CF_CROSSING_H
#define CF_CROSSING_H

#include "wire/msg.h"

typedef struct {
    uint32_t peer;                   /* number of the node that speaks */
    uint32_t me;                     /* and of this one */
    uint16_t actors[CF_ACTOR_KINDS]; /* how many of each kind are here */
} cf_crossing_t;

/* Whether bytes are whole messages, one behind the other, each from an actor of the peer for one that is here, and of a type
 * that such actors say to each other on different nodes. Bodies are not looked into: whoever gets one does. */
bool cf_crossing_allows(const cf_crossing_t *self, const uint8_t *bytes, size_t size);

/* The message at *at, which goes behind it. False: there is none that could be. */
bool cf_crossing_next(const uint8_t *bytes, size_t size, size_t *at, cf_msg_t *msg);

#endif
