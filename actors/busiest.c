#include "busiest.h"

static bool is_busier(const cf_top_room_t *a, const cf_top_room_t *b)
{
    if (a->connections != b->connections)
        return a->connections > b->connections;
    if (a->posts_last_minute != b->posts_last_minute)
        return a->posts_last_minute > b->posts_last_minute;
    return cf_id_compare(a->room, b->room) < 0;
}

void cf_busiest_add(cf_busiest_t *self, const cf_top_room_t *room)
{
    uint32_t at = self->n;
    while (at > 0 && is_busier(room, &self->rooms[at - 1]))
        at--;
    if (at == self->limit)
        return;
    if (self->n < self->limit)
        self->n++;
    memmove(&self->rooms[at + 1], &self->rooms[at], (self->n - 1 - at) * sizeof self->rooms[0]);
    self->rooms[at] = *room;
}
