/* actors/lobby_counts.h: how many connections each room has, here and at other nodes. Part of the lobby's state.
 *
 * COUNTS go to the gateways of this node at most every 100 ms, of the rooms of all nodes; and to the other lobbies, of those
 * here that have changed. What could not be said for want of memory is said the next time; a room for which there is none looks
 * as empty as one beyond away_max, until its connections change. */
#ifndef CF_LOBBY_COUNTS_H
#define CF_LOBBY_COUNTS_H

#include "actor.h"
#include "windows.h"
#include "wire/place.h"

typedef struct {
    cf_address_t gateways[CF_GATEWAYS_MAX]; /* of this node */
    uint32_t gateway_count;
    uint32_t away_max; /* rooms with connections at other nodes that are counted */
} cf_lobby_counts_config_t;

typedef struct cf_lobby_counts cf_lobby_counts_t;

int cf_lobby_counts_new(cf_lobby_counts_t **out, const cf_lobby_counts_config_t *config);
void cf_lobby_counts_destroy(cf_lobby_counts_t **self);
/* So many connections are in this room, which is here; 0: or it is here no more. */
void cf_lobby_counts_set_here(cf_lobby_counts_t *self, cf_id_t room, uint32_t connections);
/* ... which is at that node. The latest node to speak is right: who had the room before has said 0, or will. */
void cf_lobby_counts_set_away(cf_lobby_counts_t *self, const cf_count_t *count, uint32_t node);
uint32_t cf_lobby_counts_of(const cf_lobby_counts_t *self, cf_id_t room);
/* Its lobby is told of all rooms here. */
void cf_lobby_counts_node_here(cf_lobby_counts_t *self, cf_turn_t *turn, uint32_t node);
/* Nobody is in the rooms that it had. */
void cf_lobby_counts_node_gone(cf_lobby_counts_t *self, uint32_t node);
/* Tells the gateways and the lobbies of these nodes what has changed, if it is time. When it is to be called again, on
 * turn->boot_us; INT64_MAX: when something has changed. */
int64_t cf_lobby_counts_due(cf_lobby_counts_t *self, cf_turn_t *turn, const uint32_t *nodes,
                            uint32_t node_count);

#endif
