/* gateway_elsewhere.c: who is in a room from other nodes, as far as its members here have been told.
 *
 * When a node dies that a room was at, its next activation knows only who comes again. So each gateway tells its own
 * members who has left with the node, and each of them hears of everybody it was told of. It says nothing of whom it
 * is not sure: it lets go of all when something of the room's events was skipped, or when there are too many. */
#include "gateway_state.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct cf_elsewhere_row {
    cf_elsewhere_row_t *next;
    uint32_t node;
    uint32_t connections;
    bool is_gone; /* the node: where the room is tells of it, or dies as well */
    char username[CF_USERNAME_MAX + 1];
};
_Static_assert(sizeof(cf_elsewhere_row_t) + 16 <= CF_GATEWAY_ELSEWHERE_COST, "as malloc takes it");

void cf_elsewhere_drop(cf_gateway_t *self, cf_place_t *place)
{
    cf_elsewhere_row_t *row, *next;
    LL_FOREACH_SAFE(place->elsewhere, row, next)
    {
        free(row);
    }
    self->elsewhere -= place->elsewhere_count;
    place->elsewhere = NULL;
    place->elsewhere_count = 0;
}

static cf_elsewhere_row_t **find(cf_place_t *place, uint32_t node, cf_str_t username)
{
    cf_elsewhere_row_t **at = &place->elsewhere;
    while (*at && ((*at)->node != node || !cf_str_equal(cf_str((*at)->username), username)))
        at = &(*at)->next;
    return at;
}

static void remove_row(cf_gateway_t *self, cf_place_t *place, cf_elsewhere_row_t **at)
{
    cf_elsewhere_row_t *row = *at;
    *at = row->next;
    free(row);
    self->elsewhere--;
    place->elsewhere_count--;
}

static void add_row(cf_gateway_t *self, cf_place_t *place, uint32_t node, cf_str_t username)
{
    bool is_full = place->elsewhere_count == self->config.elsewhere_of_room_max ||
                   self->elsewhere == self->config.elsewhere_max;
    cf_elsewhere_row_t *row = is_full ? NULL : calloc(1, sizeof *row);
    if (!row)
        return; /* nobody will say that this one left, should it leave so */
    row->node = node;
    row->connections = 1;
    memcpy(row->username, username.bytes, username.size);
    LL_PREPEND(place->elsewhere, row);
    self->elsewhere++;
    place->elsewhere_count++;
}

static void came(cf_gateway_t *self, cf_place_t *place, uint32_t node, cf_str_t username)
{
    cf_elsewhere_row_t **at = find(place, node, username);
    if (*at)
        (*at)->connections++;
    else
        add_row(self, place, node, username);
}

static void left(cf_gateway_t *self, cf_place_t *place, uint32_t node, cf_str_t username)
{
    cf_elsewhere_row_t **at = find(place, node, username);
    if (*at && --(*at)->connections == 0)
        remove_row(self, place, at);
}

static void note(cf_gateway_t *self, cf_place_t *place, const cf_event_t *event)
{
    uint32_t node = (uint32_t)event->post.seq;
    if (event->kind != CF_EVENT_JOINED && event->kind != CF_EVENT_LEFT)
        return;
    if (node == cf_outbox_address(self->out).node || event->post.username.size > CF_USERNAME_MAX)
        return;
    (event->kind == CF_EVENT_JOINED ? came : left)(self, place, node, event->post.username);
}

/* With no members there is nobody to tell, and rows would outlive the place; the next one brings a list. */
void cf_elsewhere_event(cf_gateway_t *self, cf_place_t *place, const cf_event_t *event)
{
    if (!place->members)
        return;
    if (event->epoch != place->told_epoch || event->n <= place->told_n)
        return; /* 0: of a post that was read back */
    if (event->n > place->told_n + 1)
        cf_elsewhere_drop(self, place);
    place->told_n = event->n;
    note(self, place, event);
}

/* Of those who come again the first brings what was told since the room moved; behind it come events. */
static void take_backlog(cf_gateway_t *self, cf_place_t *place, const cf_attached_t *attached)
{
    const cf_event_t *events = attached->backlog.items;
    for (uint32_t i = 0; i < attached->backlog.n; i++)
        if (events[i].n > place->told_n)
            note(self, place, &events[i]);
    if (attached->last_n > place->told_n)
        place->told_n = attached->last_n;
}

static void take_list(cf_gateway_t *self, cf_place_t *place, const cf_attached_t *attached)
{
    const cf_elsewhere_t *rows = attached->elsewhere.items;
    cf_elsewhere_drop(self, place);
    for (uint32_t i = 0; i < attached->elsewhere.n; i++)
        came(self, place, rows[i].node, rows[i].username);
    place->told_n = attached->last_n;
}

/* What was told until then is not known. */
static void forget_until(cf_gateway_t *self, cf_place_t *place, uint64_t n)
{
    cf_elsewhere_drop(self, place);
    place->told_n = n;
}

void cf_elsewhere_attached(cf_gateway_t *self, cf_place_t *place, cf_address_t room_thread,
                           const cf_attached_t *attached, bool is_back)
{
    bool is_next = attached->epoch > place->told_epoch;
    if (attached->epoch < place->told_epoch)
        return;
    place->owner = room_thread.node;
    place->told_epoch = attached->epoch;
    if (is_next)
        place->told_n = 0;
    if (attached->tells_elsewhere)
        take_list(self, place, attached);
    else if (is_back && !attached->reload)
        take_backlog(self, place, attached);
    else if (is_next && attached->last_n)
        forget_until(self, place, attached->last_n);
}

/* Takes who is out of the rows, as often as there are connections, up to CF_CHANGES_MAX. */
static uint32_t take_lost(cf_gateway_t *self, cf_place_t *place, uint32_t node,
                          cf_change_t *changes, char names[][CF_USERNAME_MAX + 1])
{
    uint32_t n = 0;
    for (cf_elsewhere_row_t **at = &place->elsewhere; *at && n < CF_CHANGES_MAX;) {
        cf_elsewhere_row_t *row = *at;
        if (row->node != node && !row->is_gone) {
            at = &row->next;
            continue;
        }
        memcpy(names[n], row->username, sizeof row->username);
        changes[n] = (cf_change_t){true, row->node, cf_str(names[n])};
        n++;
        if (--row->connections == 0)
            remove_row(self, place, at);
    }
    return n;
}

void cf_elsewhere_node_gone(cf_gateway_t *self, cf_place_t *place, uint32_t node)
{
    cf_change_t changes[CF_CHANGES_MAX];
    char names[CF_CHANGES_MAX][CF_USERNAME_MAX + 1];
    cf_elsewhere_row_t *row;
    if (place->owner && place->owner != node) { /* it will say so, if it lives */
        LL_FOREACH(place->elsewhere, row)
        {
            row->is_gone = row->is_gone || row->node == node;
        }
        return;
    }
    place->owner = 0;
    for (uint32_t n; (n = take_lost(self, place, node, changes, names)) > 0;)
        cf_changes_tell_lost(place, &(cf_list_t){changes, n});
}
