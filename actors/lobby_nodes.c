#include "lobby_nodes.h"

#include "err.h"
#include "rendezvous.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    char name[CF_NODE_NAME_MAX + 1];
    bool is_leaving;
    uint32_t kept; /* rooms of which it has handed over what is kept */
} peer_t;

/* Where a room was last heard to be, if that is not where it would be looked for. */
typedef struct {
    cf_id_t id;
    uint32_t node;
    UT_hash_handle hh; /* insertion order: the first goes when there are too many */
} hint_t;

struct cf_lobby_nodes {
    uint32_t self, hints_max;
    bool is_draining;
    uint32_t nodes[CF_NODES_MAX]; /* the others */
    peer_t peers[CF_NODES_MAX];   /* what else is known of nodes[i] */
    uint32_t count;
    hint_t *hints;
};

int cf_lobby_nodes_new(cf_lobby_nodes_t **out, uint32_t self, uint32_t hints_max)
{
    cf_lobby_nodes_t *nodes = calloc(1, sizeof *nodes);
    if (!nodes)
        return CF_ENOMEM;
    nodes->self = self;
    nodes->hints_max = hints_max;
    *out = nodes;
    return 0;
}

static void drop_hint(cf_lobby_nodes_t *self, hint_t *hint)
{
    HASH_DEL(self->hints, hint);
    free(hint);
}

void cf_lobby_nodes_destroy(cf_lobby_nodes_t **self)
{
    if (!*self)
        return;
    while ((*self)->hints)
        drop_hint(*self, (*self)->hints);
    free(*self);
    *self = NULL;
}

/* --- who is there ------------------------------------------------------------------------------
 */

/* NULL: it is gone, or was never known. */
static peer_t *peer_of(cf_lobby_nodes_t *self, uint32_t node)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->nodes[i] == node)
            return &self->peers[i];
    return NULL;
}

const uint32_t *cf_lobby_nodes_list(const cf_lobby_nodes_t *self, uint32_t *count)
{
    *count = self->count;
    return self->nodes;
}

bool cf_lobby_nodes_knows(const cf_lobby_nodes_t *self, uint32_t node)
{
    bool known = node == self->self;
    for (uint32_t i = 0; !known && i < self->count; i++)
        known = self->nodes[i] == node;
    return known;
}

bool cf_lobby_nodes_here(cf_lobby_nodes_t *self, uint32_t node, cf_str_t name)
{
    if (cf_lobby_nodes_knows(self, node) || self->count == CF_NODES_MAX)
        return false;
    peer_t *peer = &self->peers[self->count];
    *peer = (peer_t){0};
    memcpy(peer->name, name.bytes, name.size);
    self->nodes[self->count++] = node;
    return true;
}

void cf_lobby_nodes_gone(cf_lobby_nodes_t *self, uint32_t node)
{
    uint32_t kept = 0;
    hint_t *hint, *next;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->nodes[i] != node) {
            self->peers[kept] = self->peers[i];
            self->nodes[kept++] = self->nodes[i];
        }
    self->count = kept;
    HASH_ITER(hh, self->hints, hint, next)
    {
        if (hint->node == node)
            drop_hint(self, hint);
    }
}

void cf_lobby_nodes_leaves(cf_lobby_nodes_t *self, uint32_t node)
{
    peer_t *peer = peer_of(self, node);
    if (peer)
        peer->is_leaving = true;
}

void cf_lobby_nodes_drain(cf_lobby_nodes_t *self)
{
    self->is_draining = true;
}

uint32_t cf_lobby_nodes_named(const cf_lobby_nodes_t *self, cf_str_t name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (!self->peers[i].is_leaving && cf_str_equal(name, cf_str(self->peers[i].name)))
            return self->nodes[i];
    return 0;
}

bool cf_lobby_nodes_keep(cf_lobby_nodes_t *self, uint32_t node, uint32_t most)
{
    peer_t *peer = peer_of(self, node);
    if (peer && peer->kept >= most)
        return false;
    if (peer)
        peer->kept++;
    return true;
}

void cf_lobby_nodes_keep_no_more(cf_lobby_nodes_t *self, uint32_t node)
{
    peer_t *peer = peer_of(self, node);
    if (peer)
        peer->kept--;
}

/* --- where a room is looked for ----------------------------------------------------------------
 */

uint32_t cf_lobby_nodes_preferred_other(const cf_lobby_nodes_t *self, cf_id_t room)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < self->count; i++)
        if (!self->peers[i].is_leaving)
            cf_rendezvous_prefer(room, &best, self->nodes[i]);
    return best;
}

uint32_t cf_lobby_nodes_preferred(const cf_lobby_nodes_t *self, cf_id_t room)
{
    uint32_t best = cf_lobby_nodes_preferred_other(self, room);
    if (!self->is_draining || best == 0)
        cf_rendezvous_prefer(room, &best, self->self);
    return best;
}

static hint_t *find_hint(const cf_lobby_nodes_t *self, cf_id_t room)
{
    hint_t *hint;
    HASH_FIND(hh, self->hints, &room, sizeof room, hint);
    return hint;
}

void cf_lobby_nodes_remember(cf_lobby_nodes_t *self, cf_id_t room, uint32_t node)
{
    hint_t *hint = find_hint(self, room);
    if (hint)
        drop_hint(self, hint);
    if (node == cf_lobby_nodes_preferred(self, room) || self->hints_max == 0)
        return;
    if (HASH_COUNT(self->hints) >= self->hints_max)
        drop_hint(self, self->hints);
    hint = calloc(1, sizeof *hint);
    if (!hint)
        return;
    hint->id = room;
    hint->node = node;
    HASH_ADD(hh, self->hints, id, sizeof hint->id, hint);
    if (!hint->hh.tbl)
        free(hint);
}

uint32_t cf_lobby_nodes_remembered(const cf_lobby_nodes_t *self, cf_id_t room)
{
    const hint_t *hint = find_hint(self, room);
    return hint ? hint->node : 0;
}
