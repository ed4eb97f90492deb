#include "lobby_counts.h"

#include "err.h"
#include "table.h"

#include <stdlib.h>

#define COUNTS_EVERY_US INT64_C(100000)

typedef struct {
    cf_id_t id;
    uint32_t here;
    uint32_t away; /* at `node` */
    uint32_t node;
    bool untold; /* `here` has changed since the other lobbies were told */
    UT_hash_handle hh;
} counted_t;

struct cf_lobby_counts {
    cf_lobby_counts_config_t config;
    counted_t *rooms;    /* with connections, or untold */
    uint32_t away_count; /* those with connections at other nodes */
    bool changed;        /* since the gateways were told */
    bool has_untold;
    bool tell_all; /* not only what is untold: one that is new could not be told */
    int64_t next_us;
};

int cf_lobby_counts_new(cf_lobby_counts_t **out, const cf_lobby_counts_config_t *config)
{
    cf_lobby_counts_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    *out = self;
    return 0;
}

void cf_lobby_counts_destroy(cf_lobby_counts_t **self)
{
    counted_t *room, *next;
    if (!*self)
        return;
    HASH_ITER(hh, (*self)->rooms, room, next)
    {
        HASH_DEL((*self)->rooms, room);
        free(room);
    }
    free(*self);
    *self = NULL;
}

static counted_t *find(const cf_lobby_counts_t *self, cf_id_t id)
{
    counted_t *room;
    HASH_FIND(hh, self->rooms, &id, sizeof id, room);
    return room;
}

static counted_t *add(cf_lobby_counts_t *self, cf_id_t id)
{
    counted_t *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    room->id = id;
    HASH_ADD(hh, self->rooms, id, sizeof room->id, room);
    if (room->hh.tbl)
        return room;
    free(room);
    return NULL;
}

static void drop_if_empty(cf_lobby_counts_t *self, counted_t *room)
{
    if (room->here || room->away || room->untold)
        return;
    HASH_DEL(self->rooms, room);
    free(room);
}

void cf_lobby_counts_set_here(cf_lobby_counts_t *self, cf_id_t id, uint32_t connections)
{
    counted_t *room = find(self, id);
    if (!room && connections)
        room = add(self, id);
    if (!room || room->here == connections)
        return;
    room->here = connections;
    room->untold = self->has_untold = self->changed = true;
}

static void set_away(cf_lobby_counts_t *self, counted_t *room, uint32_t connections, uint32_t node)
{
    self->away_count += (connections > 0) - (room->away > 0);
    room->away = connections;
    room->node = node;
    self->changed = true;
    drop_if_empty(self, room);
}

void cf_lobby_counts_set_away(cf_lobby_counts_t *self, const cf_count_t *count, uint32_t node)
{
    counted_t *room = find(self, count->room);
    bool is_counted = room && room->away;
    if (count->connections == 0) {
        if (is_counted && room->node == node)
            set_away(self, room, 0, node);
        return;
    }
    if (!is_counted && self->away_count >= self->config.away_max)
        return;
    if (room || (room = add(self, count->room)))
        set_away(self, room, count->connections, node);
}

static uint32_t connections_of(const counted_t *room)
{
    return room->here ? room->here : room->away;
}

uint32_t cf_lobby_counts_of(const cf_lobby_counts_t *self, cf_id_t id)
{
    const counted_t *room = find(self, id);
    return room ? connections_of(room) : 0;
}

void cf_lobby_counts_node_gone(cf_lobby_counts_t *self, uint32_t node)
{
    counted_t *room, *next;
    HASH_ITER(hh, self->rooms, room, next)
    {
        if (room->away && room->node == node)
            set_away(self, room, 0, node);
    }
}

/* --- to others ---------------------------------------------------------------------------------
 */

/* With room for all of them; NULL: no memory. */
static cf_count_t *take_list(const cf_lobby_counts_t *self, cf_turn_t *turn)
{
    return cf_arena_take(turn->arena, ((size_t)HASH_COUNT(self->rooms) + 1) * sizeof(cf_count_t));
}

/* What another lobby is told: all rooms with connections here, or those that have changed. */
static int say_counts(const cf_lobby_counts_t *self, cf_turn_t *turn, uint32_t node, bool all)
{
    cf_address_t lobby = {node, CF_ACTOR_LOBBY, 0};
    uint32_t n = 0;
    int rc = 0;
    cf_count_t *counts = take_list(self, turn);
    if (!counts)
        return CF_ENOMEM;
    for (const counted_t *room = self->rooms; room; room = room->hh.next)
        if (room->untold || (all && room->here))
            counts[n++] = (cf_count_t){room->id, room->here};
    for (uint32_t i = 0; rc == 0 && i < n; i += CF_COUNTS_MAX) {
        cf_counts_t body = {{counts + i, n - i > CF_COUNTS_MAX ? CF_COUNTS_MAX : n - i}};
        rc = cf_outbox_send(turn->out, lobby, CF_MSG_COUNTS, 0, (cf_id_t){0}, &body);
    }
    return rc;
}

void cf_lobby_counts_node_here(cf_lobby_counts_t *self, cf_turn_t *turn, uint32_t node)
{
    if (say_counts(self, turn, node, true) < 0)
        self->tell_all = self->changed = true;
}

/* What could not be said stays untold. */
static void tell_lobbies(cf_lobby_counts_t *self, cf_turn_t *turn, const uint32_t *nodes,
                         uint32_t node_count)
{
    counted_t *room, *next;
    for (uint32_t i = 0; i < node_count; i++)
        if (say_counts(self, turn, nodes[i], self->tell_all) < 0)
            return;
    self->tell_all = self->has_untold = false;
    HASH_ITER(hh, self->rooms, room, next)
    {
        room->untold = false;
        drop_if_empty(self, room);
    }
}

/* Ids of version 7 sort by creation: the newest rooms first. */
static int newest_first(const void *a, const void *b)
{
    return -cf_id_compare(((const cf_count_t *)a)->room, ((const cf_count_t *)b)->room);
}

static bool tell_gateways(const cf_lobby_counts_t *self, cf_turn_t *turn)
{
    uint32_t n = 0;
    bool told = true;
    cf_count_t *counts = take_list(self, turn);
    if (!counts)
        return false;
    for (const counted_t *room = self->rooms; room; room = room->hh.next)
        if (connections_of(room))
            counts[n++] = (cf_count_t){room->id, connections_of(room)};
    if (n > CF_COUNTS_MAX)
        qsort(counts, n, sizeof *counts, newest_first);
    cf_counts_t body = {{counts, n > CF_COUNTS_MAX ? CF_COUNTS_MAX : n}};
    for (uint32_t i = 0; i < self->config.gateway_count; i++)
        if (cf_outbox_send(turn->out, self->config.gateways[i], CF_MSG_COUNTS, 0, (cf_id_t){0},
                           &body) < 0)
            told = false;
    return told;
}

int64_t cf_lobby_counts_due(cf_lobby_counts_t *self, cf_turn_t *turn, const uint32_t *nodes,
                            uint32_t node_count)
{
    if (self->changed && turn->boot_us >= self->next_us) {
        bool told = tell_gateways(self, turn);
        if (self->has_untold || self->tell_all)
            tell_lobbies(self, turn, nodes, node_count);
        self->changed = !told || self->has_untold || self->tell_all;
        self->next_us = turn->boot_us + COUNTS_EVERY_US; /* also after a failure */
    }
    return self->changed ? self->next_us : INT64_MAX;
}
