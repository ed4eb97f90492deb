#include "operate.h"

static const cf_field_t top_rooms[] = {CF_F_U32(cf_top_rooms_t, limit, 1, CF_TOP_ROOMS_MAX)};
const cf_shape_t cf_shape_top_rooms = CF_SHAPE(cf_top_rooms_t, top_rooms);

static const cf_field_t top_room[] = {
    CF_F_FIXED(cf_top_room_t, room),
    CF_F_U32(cf_top_room_t, connections, 0, UINT32_MAX),
    CF_F_U64(cf_top_room_t, posts_last_minute),
    CF_F_U64(cf_top_room_t, posts),
};
static const cf_shape_t shape_top_room = CF_SHAPE(cf_top_room_t, top_room);

static const cf_field_t rooms_top[] = {
    CF_F_U64(cf_rooms_top_t, active),
    CF_F_U32(cf_rooms_top_t, silent, 0, UINT32_MAX),
    CF_F_LIST(cf_rooms_top_t, rooms, CF_TOP_ROOMS_MAX, &shape_top_room),
};
const cf_shape_t cf_shape_rooms_top = CF_SHAPE(cf_rooms_top_t, rooms_top);

static const cf_field_t move_room[] = {
    CF_F_FIXED(cf_move_room_t, room),
    CF_F_TEXT(cf_move_room_t, node, 0, CF_NODE_NAME_MAX),
};
const cf_shape_t cf_shape_move_room = CF_SHAPE(cf_move_room_t, move_room);

static const cf_field_t replay[] = {CF_F_FIXED(cf_replay_t, letter)};
const cf_shape_t cf_shape_replay = CF_SHAPE(cf_replay_t, replay);
