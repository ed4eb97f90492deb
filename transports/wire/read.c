#include "read.h"
#include "record.h"

#define USER_BY_MAX 2    /* cf_user_by_t */
#define POSTS_FROM_MAX 5 /* cf_posts_from_t */

static const cf_field_t find_user[] = {
    CF_F_U32(cf_find_user_t, by, 1, USER_BY_MAX),
    CF_F_FIXED(cf_find_user_t, id),
    CF_F_TEXT(cf_find_user_t, name, 0, CF_USERNAME_MAX),
};
const cf_shape_t cf_shape_find_user = CF_SHAPE(cf_find_user_t, find_user);

static const cf_field_t find_session[] = {CF_F_FIXED(cf_find_session_t, token_hash)};
const cf_shape_t cf_shape_find_session = CF_SHAPE(cf_find_session_t, find_session);

static const cf_field_t session_row[] = {
    CF_F_STRUCT(cf_session_row_t, session, &cf_shape_add_session),
    CF_F_STRUCT(cf_session_row_t, user, &cf_shape_create_user),
};
const cf_shape_t cf_shape_session_row = CF_SHAPE(cf_session_row_t, session_row);

static const cf_field_t find_member[] = {CF_F_FIXED(cf_find_member_t, user)};
const cf_shape_t cf_shape_find_member = CF_SHAPE(cf_find_member_t, find_member);

static const cf_field_t member[] = {
    CF_F_FIXED(cf_member_t, user),
    CF_F_BOOL(cf_member_t, room_exists),
    CF_F_BOOL(cf_member_t, is_member),
};
const cf_shape_t cf_shape_member = CF_SHAPE(cf_member_t, member);

static const cf_field_t read_posts[] = {
    CF_F_U32(cf_read_posts_t, from, 1, POSTS_FROM_MAX),
    CF_F_I64(cf_read_posts_t, at),
    CF_F_FIXED(cf_read_posts_t, id),
    CF_F_U32(cf_read_posts_t, limit, 1, CF_RUN_ROWS_MAX),
    CF_F_U64(cf_read_posts_t, last_seq),
};
const cf_shape_t cf_shape_read_posts = CF_SHAPE(cf_read_posts_t, read_posts);

static const cf_field_t find_dead_letter[] = {CF_F_FIXED(cf_find_dead_letter_t, id)};
const cf_shape_t cf_shape_find_dead_letter = CF_SHAPE(cf_find_dead_letter_t, find_dead_letter);
