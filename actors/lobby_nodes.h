/* actors/lobby_nodes.h: which other nodes have a lobby, and at which of them a room is looked for. Part of the lobby's state.
 *
 * A room is wanted most at the node with the highest rendezvous hash of (room, node) among those that stay. Where it was last
 * heard to be instead is a hint: a wrong one costs a hop. There are hints_max of them, and then the oldest goes. */
#ifndef CF_LOBBY_NODES_H
#define CF_LOBBY_NODES_H

#include "model.h"
#include "model_limits.h"

#include <stdbool.h>

typedef struct cf_lobby_nodes cf_lobby_nodes_t;

int cf_lobby_nodes_new(cf_lobby_nodes_t **out, uint32_t self, uint32_t hints_max);
void cf_lobby_nodes_destroy(cf_lobby_nodes_t **self);

/* False: it is known, or there is no room for more. */
bool cf_lobby_nodes_here(cf_lobby_nodes_t *self, uint32_t node, cf_str_t name);
void cf_lobby_nodes_gone(cf_lobby_nodes_t *self, uint32_t node);
/* It opens no room any more. */
void cf_lobby_nodes_leaves(cf_lobby_nodes_t *self, uint32_t node);
/* This one does not; as long as there is another that does, it is preferred. */
void cf_lobby_nodes_drain(cf_lobby_nodes_t *self);

/* Their numbers; valid until the next comes or goes. */
const uint32_t *cf_lobby_nodes_list(const cf_lobby_nodes_t *self, uint32_t *count);
bool cf_lobby_nodes_knows(const cf_lobby_nodes_t *self, uint32_t node); /* also this one */
/* The one of that name that stays; 0: none. */
uint32_t cf_lobby_nodes_named(const cf_lobby_nodes_t *self, cf_str_t name);
/* Where the room is wanted most, but for this node; 0: there is no other that stays. */
uint32_t cf_lobby_nodes_preferred_other(const cf_lobby_nodes_t *self, cf_id_t room);
uint32_t cf_lobby_nodes_preferred(const cf_lobby_nodes_t *self, cf_id_t room);

/* The room was heard to be there. Without memory it is not remembered. */
void cf_lobby_nodes_remember(cf_lobby_nodes_t *self, cf_id_t room, uint32_t node);
/* 0: nothing is remembered. */
uint32_t cf_lobby_nodes_remembered(const cf_lobby_nodes_t *self, cf_id_t room);

/* What one of them has handed over is kept, and is not any more. False: it is so of `most` rooms already. Of a node that is
 * not known nothing is counted. */
bool cf_lobby_nodes_keep(cf_lobby_nodes_t *self, uint32_t node, uint32_t most);
void cf_lobby_nodes_keep_no_more(cf_lobby_nodes_t *self, uint32_t node);

#endif
