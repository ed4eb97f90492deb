/* actors/lobby.h: knows where every active room is, and how many connections each has.
 *
 *     LOOKUP     -> PLACED. A room that is nowhere is OPENed on the least loaded room thread, which
 *                answers DONE when it has loaded; while one is opening or retiring its lookups wait.
 *                REFUSED by the thread: there is no such room, or no store; so are they, and the
 *                room is nowhere. What could not be said for want of memory is said later
 *     RETIRE     (room thread) FORGET to every gateway; when all have FORGOTTEN, RETIRED to the
 *                thread; then it is opened anew if somebody waits for it. A room that is not known
 *                to be there: RETIRED at once
 *     MOVE       VACATE to the room; when it has retired, OPEN at the address given
 *     PRESENCE   remembered; COUNTS to the gateways at most every 100 ms
 *     ROOM_LIST  (reader) filled with the connections, on to the gateway that asked
 *     NODE_GONE  rooms placed there are opened elsewhere; its gateways are not waited for
 *
 * It never starts a thread and never touches the store. */
#ifndef CF_LOBBY_H
#define CF_LOBBY_H

#include "actor.h"
#include "windows.h"

#define CF_LOBBY_LOOKUPS_MAX                                                                       \
    65536 /* every room of a reconnect storm is opening at once; 100 bytes each */

typedef struct {
    cf_address_t threads[CF_ROOM_THREADS_MAX]; /* room threads, of this node */
    uint32_t thread_count;
    cf_address_t gateways[CF_GATEWAYS_MAX]; /* of all nodes */
    uint32_t gateway_count;
    uint32_t lookups_max; /* that may wait for opening and retiring rooms, all together */
} cf_lobby_config_t;

typedef struct cf_lobby cf_lobby_t;

int cf_lobby_new(cf_lobby_t **out, const cf_lobby_config_t *config);
extern const cf_actor_ops_t cf_lobby_ops;

#endif
