#include "record.h"

static const cf_field_t create_user[] = {
    CF_F_FIXED(cf_user_t, id),
    CF_F_TEXT(cf_user_t, username, CF_USERNAME_MIN, CF_USERNAME_MAX),
    CF_F_TEXT(cf_user_t, email, 1, CF_EMAIL_MAX),
    CF_F_TEXT(cf_user_t, password_hash, 0, CF_PASSWORD_HASH_MAX),
    CF_F_I64(cf_user_t, created_us),
};
const cf_shape_t cf_shape_create_user = CF_SHAPE(cf_user_t, create_user);

static const cf_field_t set_password[] = {
    CF_F_FIXED(cf_set_password_t, user),
    CF_F_TEXT(cf_set_password_t, password_hash, 0, CF_PASSWORD_HASH_MAX),
};
const cf_shape_t cf_shape_set_password = CF_SHAPE(cf_set_password_t, set_password);

static const cf_field_t disable_user[] = {
    CF_F_FIXED(cf_disable_user_t, user),
    CF_F_I64(cf_disable_user_t, at_us),
};
const cf_shape_t cf_shape_disable_user = CF_SHAPE(cf_disable_user_t, disable_user);

static const cf_field_t enable_user[] = {CF_F_FIXED(cf_enable_user_t, user)};
const cf_shape_t cf_shape_enable_user = CF_SHAPE(cf_enable_user_t, enable_user);

static const cf_field_t add_session[] = {
    CF_F_FIXED(cf_session_t, id),       CF_F_FIXED(cf_session_t, token_hash),
    CF_F_FIXED(cf_session_t, user),     CF_F_I64(cf_session_t, created_us),
    CF_F_I64(cf_session_t, expires_us),
};
const cf_shape_t cf_shape_add_session = CF_SHAPE(cf_session_t, add_session);

static const cf_field_t remove_session[] = {CF_F_FIXED(cf_remove_session_t, token_hash)};
const cf_shape_t cf_shape_remove_session = CF_SHAPE(cf_remove_session_t, remove_session);

static const cf_field_t create_room[] = {
    CF_F_FIXED(cf_create_room_t, id),       CF_F_TEXT(cf_create_room_t, name, 1, CF_ROOM_NAME_MAX),
    CF_F_FIXED(cf_create_room_t, creator),  CF_F_I64(cf_create_room_t, created_us),
    CF_F_BOOL(cf_create_room_t, ephemeral),
};
const cf_shape_t cf_shape_create_room = CF_SHAPE(cf_create_room_t, create_room);

static const cf_field_t member_change[] = {
    CF_F_FIXED(cf_member_change_t, user),
    CF_F_I64(cf_member_change_t, at_us),
};
const cf_shape_t cf_shape_member_change = CF_SHAPE(cf_member_change_t, member_change);

static const cf_field_t expire[] = {
    CF_F_I64(cf_expire_t, until_us),
    CF_F_U32(cf_expire_t, limit, 1, CF_EXPIRE_MAX),
};
const cf_shape_t cf_shape_expire = CF_SHAPE(cf_expire_t, expire);

static const cf_field_t expired[] = {CF_F_U32(cf_expired_t, count, 0, UINT32_MAX)};
const cf_shape_t cf_shape_expired = CF_SHAPE(cf_expired_t, expired);

static const cf_field_t dead_letter[] = {
    CF_F_FIXED(cf_dead_letter_t, id),
    CF_F_FIXED(cf_dead_letter_t, room),
    CF_F_I64(cf_dead_letter_t, at_us),
    CF_F_TEXT(cf_dead_letter_t, command, 1, CF_DEAD_COMMAND_MAX),
    CF_F_TEXT(cf_dead_letter_t, reason, 1, CF_DEAD_REASON_MAX),
    CF_F_U32(cf_dead_letter_t, attempts, 0, INT32_MAX),
};
const cf_shape_t cf_shape_dead_letter = CF_SHAPE(cf_dead_letter_t, dead_letter);

static const cf_field_t remove_dead_letter[] = {CF_F_FIXED(cf_remove_dead_letter_t, id)};
const cf_shape_t cf_shape_remove_dead_letter =
    CF_SHAPE(cf_remove_dead_letter_t, remove_dead_letter);
