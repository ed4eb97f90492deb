/* room_roster.c: who is here, as a list, for connections that ask.
 *
 * The list that comes with ATTACHED is exact, and the events behind it keep it so, but for two things:
 * the ring may leave a gateway behind, and connections come again after a move without an event (for
 * 10,000 of them that would be 10,000 events to each gateway). Then everybody who asked is told anew,
 * once the gateway has every event and no more connections come. */
#include "room_state.h"

#include "err.h"

int cf_room_roster(cf_room_t *self, cf_turn_t *turn, cf_roster_t *out)
{
    uint32_t most = self->host->config->roster_max;
    if (most > self->users)
        most = self->users;
    cf_present_t *members = cf_arena_take(turn->arena, most * sizeof *members);
    if (!members)
        return CF_ENOMEM;
    uint32_t n = 0;
    uint64_t number = ++self->rosters_built;
    for (const cf_attachment_t *at = self->attachments; at && n < most; at = at->hh.next) {
        cf_membership_t *row = at->membership;
        if (row->listed == number)
            continue;
        row->listed = number;
        members[n++] = (cf_present_t){cf_str(at->username), row->attached};
    }
    *out = (cf_roster_t){{members, n}, self->users - n};
    return 0;
}

void cf_room_rosters_due(cf_room_t *self)
{
    for (uint32_t i = 0; i < self->gateway_count; i++)
        self->gateways[i].roster_due = true;
}

/* The window to send through; NULL: not now. */
static cf_window_t *ready_window(cf_room_t *self, const cf_room_gateway_t *gateway)
{
    cf_window_t *window = cf_windows_of(&self->host->windows, gateway->address);
    bool has_all = gateway->next_n > cf_ring_last_n(self->ring) && !gateway->read_corr;
    return has_all && window && cf_window_is_open(&self->host->windows, window) ? window : NULL;
}

static int send_roster(cf_turn_t *turn, cf_room_t *self, const cf_room_gateway_t *gateway,
                       cf_window_t *window, const cf_roster_at_t *roster)
{
    size_t before = cf_outbox_bytes(turn->out);
    int rc = cf_outbox_send(turn->out, cf_address_unpack(gateway->address), CF_MSG_ROSTER, 0,
                            self->id, roster);
    if (rc == 0)
        cf_window_sent(window, cf_outbox_bytes(turn->out) - before);
    return rc;
}

static bool is_any_due(const cf_room_t *self)
{
    for (uint32_t i = 0; i < self->gateway_count; i++)
        if (self->gateways[i].roster_due && self->gateways[i].rosters)
            return true;
    return false;
}

void cf_room_roster_tick(cf_room_t *self, cf_turn_t *turn)
{
    cf_roster_at_t roster = {.epoch = self->epoch, .n = cf_ring_last_n(self->ring)};
    bool is_built = false, waits = self->came_again; /* for those who come behind it */
    self->came_again = false;
    if (waits || self->phase != CF_ROOM_OPEN)
        return;
    if (is_any_due(self))
        cf_room_fan_out_all(
            self, turn); /* where people come and go all the time it would never be ready */
    for (uint32_t i = 0; i < self->gateway_count; i++) {
        cf_room_gateway_t *gateway = &self->gateways[i];
        gateway->roster_due = gateway->roster_due && gateway->rosters;
        cf_window_t *window = gateway->roster_due ? ready_window(self, gateway) : NULL;
        if (!window)
            continue;
        is_built = is_built || cf_room_roster(self, turn, &roster.roster) == 0;
        /* No memory: the next tick tries again */
        gateway->roster_due = !is_built || send_roster(turn, self, gateway, window, &roster) < 0;
    }
}
