#include "place.h"

#include "err.h"
#include "room.h"

static const cf_field_t placed[] = {CF_F_U64(cf_placed_t, address)};
const cf_shape_t cf_shape_placed = CF_SHAPE(cf_placed_t, placed);

int cf_placed_at(cf_address_t *out, const cf_placed_t *said, const cf_msg_t *msg)
{
    cf_address_t at = cf_address_unpack(said->address);
    if (at.kind != CF_ACTOR_ROOMS || at.node != msg->from.node)
        return CF_ERANGE;
    *out = at;
    return 0;
}

static const cf_field_t seek[] = {
    CF_F_U64(cf_seek_t, asker),
    CF_F_U32(cf_seek_t, hops, 1, CF_SEEK_HOPS_MAX),
    CF_F_BOOL(cf_seek_t, owned),
    CF_F_BOOL(cf_seek_t, let_go),
};
const cf_shape_t cf_shape_seek = CF_SHAPE(cf_seek_t, seek);

static const cf_field_t move[] = {
    CF_F_U64(cf_move_t, address),
    CF_F_TEXT(cf_move_t, node, 0, CF_NODE_NAME_MAX),
};
const cf_shape_t cf_shape_move = CF_SHAPE(cf_move_t, move);

static const cf_field_t vacate[] = {CF_F_BOOL(cf_vacate_t, hand_over)};
const cf_shape_t cf_shape_vacate = CF_SHAPE(cf_vacate_t, vacate);

static const cf_field_t handed_member[] = {CF_F_FIXED(cf_handed_member_t, user)};
static const cf_shape_t handed_member_shape = CF_SHAPE(cf_handed_member_t, handed_member);

static const cf_field_t handover[] = {
    CF_F_U64(cf_handover_t, epoch),
    CF_F_U64(cf_handover_t, numbered_in),
    CF_F_U64(cf_handover_t, last_seq),
    CF_F_I64(cf_handover_t, last_us),
    CF_F_LIST(cf_handover_t, posts, CF_HANDOVER_POSTS_MAX, &cf_shape_post_row),
    CF_F_LIST(cf_handover_t, members, CF_HANDOVER_MEMBERS_MAX, &handed_member_shape),
};
const cf_shape_t cf_shape_handover = CF_SHAPE(cf_handover_t, handover);

static const cf_field_t presence[] = {CF_F_U32(cf_presence_t, connections, 0, UINT32_MAX)};
const cf_shape_t cf_shape_presence = CF_SHAPE(cf_presence_t, presence);

static const cf_field_t count[] = {
    CF_F_FIXED(cf_count_t, room),
    CF_F_U32(cf_count_t, connections, 0, UINT32_MAX),
};
static const cf_shape_t count_shape = CF_SHAPE(cf_count_t, count);

static const cf_field_t counts[] = {CF_F_LIST(cf_counts_t, counts, CF_COUNTS_MAX, &count_shape)};
const cf_shape_t cf_shape_counts = CF_SHAPE(cf_counts_t, counts);

static const cf_field_t list_rooms[] = {
    CF_F_BOOL(cf_list_rooms_t, from_newest),
    CF_F_FIXED(cf_list_rooms_t, after),
    CF_F_U32(cf_list_rooms_t, limit, 1, CF_ROOM_LIST_MAX),
};
const cf_shape_t cf_shape_list_rooms = CF_SHAPE(cf_list_rooms_t, list_rooms);

static const cf_field_t room_entry[] = {
    CF_F_FIXED(cf_room_entry_t, id),       CF_F_TEXT(cf_room_entry_t, name, 1, CF_ROOM_NAME_MAX),
    CF_F_FIXED(cf_room_entry_t, creator),  CF_F_I64(cf_room_entry_t, created_us),
    CF_F_BOOL(cf_room_entry_t, ephemeral), CF_F_U32(cf_room_entry_t, connections, 0, UINT32_MAX),
};
static const cf_shape_t room_entry_shape = CF_SHAPE(cf_room_entry_t, room_entry);

static const cf_field_t room_list[] = {
    CF_F_U64(cf_room_list_t, gateway),
    CF_F_BOOL(cf_room_list_t, more),
    CF_F_LIST(cf_room_list_t, rooms, CF_ROOM_LIST_MAX, &room_entry_shape),
};
const cf_shape_t cf_shape_room_list = CF_SHAPE(cf_room_list_t, room_list);
