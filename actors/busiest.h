/* actors/busiest.h: the busiest of any number of rooms: most connections first, among equals most posts in
 * the last minute, then the older room. */
#ifndef CF_BUSIEST_H
#define CF_BUSIEST_H

#include "wire/operate.h"

typedef struct {
    uint32_t limit; /* set by the owner; 1..CF_TOP_ROOMS_MAX */
    uint32_t n;
    cf_top_room_t rooms[CF_TOP_ROOMS_MAX]; /* the busiest first */
} cf_busiest_t;

void cf_busiest_add(cf_busiest_t *self, const cf_top_room_t *room);

#endif
