/* Every delivery is checked. The first copy of a post is read in full: its text proves writer,
 * number and content; every later one is held against it (order.h). */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define RING_BYTES_MAX (256u << 20)
#define RING_MAX 8192
#define ENVELOPE_MAX 512 /* what confab writes around the text */

uint32_t cf_rooms_find(cf_load_t *load, const char *id, size_t size)
{
    /* Targets come in the rooms' order or in turns; so start at the room after the last one found.
     */
    static uint32_t last;
    if (size >= CF_ID_TEXT_MAX)
        return UINT32_MAX;
    for (uint32_t i = 0; i < load->room_count; i++) {
        uint32_t at = (last + i) % load->room_count;
        if (strlen(load->rooms[at].id) == size && memcmp(load->rooms[at].id, id, size) == 0) {
            last = (at + 1) % load->room_count;
            return at;
        }
    }
    memcpy(load->rooms[load->room_count].id, id, size);
    last = 0;
    return load->room_count++;
}

int cf_rooms_build(cf_load_t *load)
{
    size_t frame_max = ENVELOPE_MAX + (size_t)load->options.payload, count = RING_MAX;
    while (count > 16 &&
           count * (sizeof(cf_seen_t) + frame_max) * load->room_count > RING_BYTES_MAX)
        count /= 2;
    for (uint32_t i = 0; i < load->room_count; i++)
        if (cf_order_build(&load->rooms[i].order, sizeof(cf_seen_t), frame_max, count) < 0)
            return -1;
    return 0;
}

static void judge_own_copy(cf_load_t *load, cf_client_t *client, const cf_seen_t *seen)
{
    cf_pending_t *pending = &client->pending[seen->n % CF_PENDING_MAX];
    if (pending->n != seen->n)
        return; /* settled before, over another connection */
    pending->seen = true;
    if (!load->options.acks) {
        client->unacked--;
        return;
    }
    load->counts.ack_late += !pending->acked && !pending->refused && !pending->unconfirmed;
    if (pending->acked &&
        (strcmp(pending->id, seen->id) != 0 || (pending->seq && pending->seq != seen->slot.seq)))
        load->counts.ack_wrong++;
}

/* This client has reached the post. */
static void count_delivery(cf_load_t *load, cf_client_t *client, cf_seen_t *seen)
{
    cf_room_t *room = &load->rooms[client->room];
    load->counts.deliveries++;
    load->counts.frame_bytes += seen->slot.size;
    seen->delivered += client->whole;
    if (client->slow && client->slow->back_ns && !client->slow->back_seq)
        client->slow->back_seq = seen->slot.seq;
    cf_ledger_t *ledger = load->options.copies ? load->ledger : NULL;
    if (!seen->ours) {
        load->counts.foreign++;
        cf_ledger_add(ledger, "RECV %u %s %llu - - -", client->index, seen->id,
                      (unsigned long long)seen->slot.seq);
        return;
    }
    cf_ledger_add(ledger, "RECV %u %s %llu %u %u %08x", client->index, seen->id,
                  (unsigned long long)seen->slot.seq, seen->writer, seen->n, seen->crc);
    if (cf_load_times(load, seen->due_ns) && !client->slow)
        cf_histogram_add(&load->delivery, load->now_ns - seen->due_ns);
    if (seen->writer == client->index)
        judge_own_copy(load, client, seen);
    if (load->options.inflight && seen->delivered == room->whole_members && client->whole)
        load->outstanding--;
}

bool cf_rooms_deliver_known(cf_load_t *load, cf_client_t *client, const char *frame, size_t size)
{
    cf_slot_t *known =
        cf_order_known(&load->rooms[client->room].order, client->last_seq, frame, size);
    if (!known)
        return false;
    client->last_seq = known->seq;
    count_delivery(load, client, (cf_seen_t *)(void *)known);
    return true;
}

/* The first copy of a post that anyone got. */
static void read_first(cf_load_t *load, cf_room_t *room, cf_seen_t *seen,
                       const cf_members_t *members)
{
    cf_payload_t payload;
    size_t id_size = members->id.size < sizeof seen->id ? members->id.size : sizeof seen->id - 1;
    if (id_size) /* peers name none */
        memcpy(seen->id, members->id.at, id_size);
    if (!cf_payload_read(&payload, members->content.at, members->content.size)) {
        load->counts.broken += cf_payload_claims(members->content.at, members->content.size);
        return;
    }
    if (payload.run != load->options.run)
        return;
    if (payload.writer >= load->client_count ||
        load->clients[payload.writer].room != (uint32_t)(room - load->rooms)) {
        load->counts.misrouted++;
        return;
    }
    cf_client_t *writer = &load->clients[payload.writer];
    load->counts.order.doubled += payload.n == writer->seen_n;
    load->counts.order.disordered += payload.n < writer->seen_n;
    load->counts.broken += payload.n >= writer->next_n; /* never sent */
    writer->seen_n = payload.n > writer->seen_n ? payload.n : writer->seen_n;
    seen->ours = true;
    seen->writer = payload.writer;
    seen->n = payload.n;
    seen->crc = payload.crc;
    seen->due_ns = payload.due_ns;
}

void cf_rooms_deliver(cf_load_t *load, cf_client_t *client, const char *frame, size_t size,
                      const cf_members_t *members)
{
    cf_room_t *room = &load->rooms[client->room];
    uint64_t seq = cf_slice_number(members->seq);
    if (members->chatroom_id.size && !cf_slice_is(members->chatroom_id, room->id)) {
        load->counts.misrouted++;
        return;
    }
    if (seq == 0) { /* a bot's words have no place in the order */
        load->counts.foreign++;
        return;
    }
    bool first;
    cf_slot_t *slot = cf_order_take(&room->order, &load->counts.order, &client->last_seq,
                                    client->whole, seq, frame, size, &first);
    if (!slot)
        return;
    cf_seen_t *seen = (cf_seen_t *)(void *)slot;
    if (first)
        read_first(load, room, seen, members);
    count_delivery(load, client, seen);
}

/* ---- servers that number nothing
 *
 * A room's posts are numbered as they are first seen at any of its members. Most members see that
 * order, too; where a server promises an order for each writer alone, others may come in between, which
 * is noted in `ahead`. */

/* The post's slot, which the first copy gets; NULL if it cannot be one that comes now. */
static cf_seen_t *find_post(cf_load_t *load, cf_room_t *room, const char *text, size_t size,
                            const cf_payload_t *payload)
{
    cf_pending_t *pending = &load->clients[payload->writer].pending[payload->n % CF_PENDING_MAX];
    uint64_t newest = room->order.last_seq;
    bool first, is_new = pending->n == payload->n && pending->seq == 0;
    if (pending->n != payload->n) {
        load->counts.order.doubled += payload->n < pending->n;
        load->counts.broken += payload->n > pending->n;
        return NULL;
    }
    uint64_t seq = is_new ? newest + 1 : pending->seq;
    uint64_t before = seq - 1;
    cf_slot_t *slot =
        cf_order_take(&room->order, &load->counts.order, &before, false, seq, text, size, &first);
    cf_seen_t *seen = (cf_seen_t *)(void *)slot;
    if (first)
        read_first(load, room, seen, &(cf_members_t){.content = {text, size}});
    pending->seq = seq;
    return seen;
}

void cf_rooms_deliver_text(cf_load_t *load, cf_client_t *client, const char *text, size_t size)
{
    cf_room_t *room = &load->rooms[client->room];
    cf_payload_t payload;
    cf_slot_t *known = cf_order_known(&room->order, client->last_seq, text, size);
    if (known) {
        client->last_seq = cf_ahead_take(&client->ahead, client->last_seq, known->seq);
        count_delivery(load, client, (cf_seen_t *)(void *)known);
        return;
    }
    if (!cf_payload_read(&payload, text, size) || payload.run != load->options.run ||
        payload.writer >= load->client_count || !load->clients[payload.writer].pending) {
        load->counts.broken++;
        return;
    }
    if (load->clients[payload.writer].room != client->room) {
        load->counts.misrouted++;
        return;
    }
    cf_seen_t *seen = find_post(load, room, text, size, &payload);
    if (!seen)
        return;
    if (cf_ahead_has(&client->ahead, client->last_seq, seen->slot.seq)) {
        load->counts.order.doubled++;
        return;
    }
    const cf_pending_t *earlier =
        &load->clients[payload.writer].pending[(payload.n - 1) % CF_PENDING_MAX];
    if (payload.n > 1 && earlier->n == payload.n - 1 &&
        !cf_ahead_has(&client->ahead, client->last_seq, earlier->seq))
        load->counts.order.disordered++;
    uint64_t gap = seen->slot.seq - client->last_seq - 1;
    if (gap >= CF_AHEAD_MAX || gap >= room->order.count) { /* what is missing so long is lost */
        load->counts.order.lost++;
        return;
    }
    load->counts.crossed += gap > 0;
    client->last_seq = cf_ahead_take(&client->ahead, client->last_seq, seen->slot.seq);
    count_delivery(load, client, seen);
}

static void finish_writer(cf_load_t *load, const cf_client_t *writer)
{
    for (int i = 0; i < CF_PENDING_MAX; i++) {
        const cf_pending_t *pending = &writer->pending[i];
        if (pending->n == 0 || pending->refused)
            continue;
        if (load->options.acks && !pending->acked)
            load->counts.unsettled++;
        else if (!pending->seen && writer->whole)
            load->counts.order.lost++;
    }
}

void cf_rooms_finish(cf_load_t *load)
{
    for (uint32_t i = 0; i < load->client_count; i++) {
        const cf_client_t *client = &load->clients[i];
        if (client->pending)
            finish_writer(load, client);
        bool is_back = client->slow && client->slow->back_seq;
        if (client->whole || is_back)
            load->counts.order.lost +=
                cf_order_missing(&load->rooms[client->room].order, client->last_seq) -
                client->ahead.count;
    }
}
