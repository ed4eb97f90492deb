/* actors/rooms.h: a room thread: the rooms that live on it, each an actor with its own state.
 *
 *     OPEN (lobby)         a room starts here and loads itself -> DONE when it has; OWNED when it is another
 *                          node's, REFUSED when it cannot (no such room, no store): it is freed, as
 *                          nobody knows of it
 *     RETIRED (lobby)      a room that asked to RETIRE is freed
 *     FLUSHED (gateway)    opens that gateway's window
 *     NODE_HERE (mesh)     that node has a bot
 *     NODE_GONE (nodes)    members of that node leave every room; what its bot was asked is refused
 *     LEASE (nodes)        nothing leaves this thread later than that
 *     TOP_ROOMS (control)  -> ROOMS_TOP: the busiest of the rooms here
 *     any other, with a room in its header: that room's (room.h). A request for a room that is not
 *                          here is answered MOVED, never with silence
 *
 * One timer for all rooms; those at rest are not ticked, and without others the thread sleeps. DRAIN is
 * answered when no room has a post that waits for its commit.
 */
#ifndef CF_ROOMS_H
#define CF_ROOMS_H

#include "room.h"

typedef struct cf_rooms cf_rooms_t;

/* actor may be NULL in tests that call the handlers themselves. Returns 0 or CF_ENOMEM. */
int cf_rooms_new(cf_rooms_t **out, const cf_room_config_t *config, uint64_t window_events,
                 uint64_t window_bytes, cf_actor_t *actor);
extern const cf_actor_ops_t cf_rooms_ops;

#endif
