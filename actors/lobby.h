/* actors/lobby.h: knows where every active room of this node is, how many connections each has, and whom else to ask.
 *
 *     LOOKUP     -> PLACED. A room that is nowhere is OPENed on the least loaded room thread, which
 *                answers DONE when it has loaded; while one is opening or retiring its lookups wait.
 *                REFUSED by the thread: there is no such room, or no store; so are they, and the
 *                room is nowhere. What could not be said for want of memory is said later
 *                With other nodes: a room that is not here is looked for (SEEK) at the node it was last heard to be at,
 *                or else at the one with the highest rendezvous hash
 *     SEEK       a LOOKUP that another lobby had, answered to who asked. OWNED by the thread: sent on to the owner, which
 *                has the room, or sends it back and lets the room go, or opens it if it does not know who wants it.
 *                Whom it was let go for says TAKEN; until then, lookups of it wait. CF_SEEK_HOPS_MAX times sent on
 *                it is REFUSED CF_EAGAIN
 *     RETIRE     (room thread) FORGET to every gateway that was told where it is; when all have FORGOTTEN,
 *                RETIRED to the thread; then it is opened anew if somebody waits for it. A room that is not
 *                known to be there: RETIRED at once
 *     MOVE       VACATE to the room; when it has retired, OPEN at the address given, or HANDOVER to the lobby of that node,
 *                and SEEK what waits for it. Lookups wait from here on. moving_max rooms at a time
 *     HANDOVER   (room thread) kept for the next place. (lobby of another node) the room is opened here, as one that was let
 *                go for this node, and its thread gets it behind OPEN
 *     DRAIN      LEAVING to the other lobbies; rooms with connections move to where they will be wanted most, the others retire, and
 *                none is opened any more: a lookup lets it go. DRAINED when no room is left, or no other node is there to go to
 *     LEAVING    (lobby of another node) it is given no room, and not asked first
 *     PRESENCE   remembered; COUNTS to the gateways of this node at most every 100 ms, of the rooms of all nodes; and to
 *                the other lobbies, of those here that have changed
 *     COUNTS     (lobby of another node) remembered; 0: nobody is there any more
 *     ROOM_LIST  (reader) filled with the connections, on to the gateway that asked
 *     NODE_HERE  (mesh) its lobby may be asked, and gets COUNTS of all rooms here. Said to the gateways of this node
 *     NODE_GONE  (mesh; nodes, if there is none) its gateways are not waited for; rooms let go for it are opened here if somebody wants them.
 *                Said to the gateways of this node, so that what they ask then meets a lobby that knows it
 *
 * It never starts a thread and never touches the store. */
#ifndef CF_LOBBY_H
#define CF_LOBBY_H

#include "actor.h"
#include "windows.h"

#define CF_LOBBY_HINTS_MAX 16384 /* rooms that are not at the node that would be asked */
#define CF_LOBBY_AWAY_MAX 65536  /* rooms with connections at other nodes; others look empty */
#define CF_LOBBY_LOOKUPS_MAX                                                                       \
    65536 /* every room of a reconnect storm is opening at once; 100 bytes each */

typedef struct {
    cf_address_t threads[CF_ROOM_THREADS_MAX]; /* room threads, of this node */
    uint32_t thread_count;
    cf_address_t gateways[CF_GATEWAYS_MAX]; /* of this node */
    uint32_t gateway_count;
    uint32_t node; /* this one */
    const char *node_name;
    uint32_t
        moving_max; /* rooms that move at a time: what they hand over is held until they are there */
    uint32_t hints_max;
    uint32_t away_max;    /* rooms of other nodes whose connections are counted */
    cf_actor_t *actor;    /* which says that it has drained; NULL in tests that do not drain */
    uint32_t lookups_max; /* that may wait for opening and retiring rooms, all together */
} cf_lobby_config_t;

typedef struct cf_lobby cf_lobby_t;

int cf_lobby_new(cf_lobby_t **out, const cf_lobby_config_t *config);
extern const cf_actor_ops_t cf_lobby_ops;

#endif
