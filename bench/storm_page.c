/* storm_page.c: what a room must show, by what it has acknowledged. */
#include "storm.h"

#include "payload.h"

#include <string.h>

static uint64_t hash(cf_slice_t text)
{
    uint64_t value = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < text.size; i++)
        value = (value ^ (uint8_t)text.at[i]) * 1099511628211u;
    return value ? value : 1;
}

static uint64_t *id_of(cf_storm_room_t *room, uint64_t n)
{
    return &room->ids[n % (CF_PAGE_POSTS + 1)];
}

void cf_room_begin_post(cf_storm_room_t *room)
{
    room->posting = true;
    room->was_without = false;
    *id_of(room, room->acked + 1) = 0;
}

void cf_room_acked(cf_storm_t *storm, uint32_t index, cf_slice_t id, cf_slice_t seq)
{
    cf_storm_room_t *room = &storm->rooms[index];
    storm->faults.ack_wrong += !room->posting || cf_slice_number(seq) != room->acked + 1;
    if (!room->posting)
        return;
    room->posting = false;
    room->acked++;
    *id_of(room, room->acked) = hash(id);
}

/* One message of a page, which must be post n of the room. Its number, 0 if it cannot be read. */
static uint64_t check_message(cf_storm_t *storm, uint32_t index, cf_slice_t json, uint64_t before)
{
    cf_storm_room_t *room = &storm->rooms[index];
    cf_members_t members;
    cf_payload_t payload;
    if (!cf_members_read(&members, json.at, json.size) ||
        !cf_payload_read(&payload, members.content.at, members.content.size)) {
        storm->faults.unreadable++;
        return 0;
    }
    uint64_t seq = cf_slice_number(members.seq), id = hash(members.id);
    uint64_t run = storm->run;
    storm->faults.differing += payload.run != run || payload.writer != index || payload.n != seq;
    storm->faults.doubled += before && seq == before;
    storm->faults.disordered += before && seq != before && seq != before + 1;
    bool is_known = seq && seq <= room->acked && seq + CF_PAGE_POSTS > room->acked;
    bool may_be_stored = room->posting && seq == room->acked + 1;
    if (may_be_stored && *id_of(room, seq) == 0)
        *id_of(room, seq) = id; /* it is; whoever reads later must see the same */
    if (is_known || may_be_stored)
        storm->faults.differing += *id_of(room, seq) != id;
    return seq;
}

bool cf_room_check_page(cf_storm_t *storm, uint32_t index, cf_slice_t body)
{
    cf_storm_room_t *room = &storm->rooms[index];
    cf_slice_t messages, message;
    if (!cf_member_find(&messages, body.at, body.size, "messages") || messages.size < 2)
        return false;
    const char *at = messages.at + 1, *end = messages.at + messages.size;
    uint64_t newest = 0, count = 0;
    for (; cf_element_next(&message, &at, end); count++)
        newest = check_message(storm, index, message, newest);
    if (!at)
        return false;
    bool is_stored = room->posting && *id_of(room, room->acked + 1) != 0;
    uint64_t expected = room->acked + is_stored;
    room->was_without |= newest == room->acked;
    storm->faults.disordered += newest > expected || (is_stored && room->was_without);
    storm->faults.lost += newest < expected ? expected - newest : 0;
    uint64_t most = expected < CF_PAGE_POSTS ? expected : CF_PAGE_POSTS;
    storm->faults.lost += count < most ? most - count : 0;
    storm->faults.doubled += count > most ? count - most : 0;
    return true;
}

void cf_rooms_settle(cf_storm_t *storm)
{
    for (uint32_t i = 0; i < storm->room_count; i++) {
        cf_storm_room_t *room = &storm->rooms[i];
        if (!room->posting)
            continue;
        room->posting = false;
        room->acked += *id_of(room, room->acked + 1) != 0;
    }
}
