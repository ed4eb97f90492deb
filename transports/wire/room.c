#include "room.h"

#define POSTS_FROM_MAX 5 /* cf_posts_from_t */

static const cf_field_t post_row[] = {
    CF_F_U64(cf_post_t, seq),
    CF_F_FIXED(cf_post_t, id),
    CF_F_FIXED(cf_post_t, sender),
    CF_F_I64(cf_post_t, at_us),
    CF_F_U32(cf_post_t, kind, 0, CF_POST_BOT),
    CF_F_TEXT(cf_post_t, username, 0, CF_USERNAME_MAX),
    CF_F_TEXT(cf_post_t, text, 0, CF_POST_TEXT_MAX),
    CF_F_TEXT(cf_post_t, client_key, 0, CF_CLIENT_KEY_MAX),
    CF_F_FIXED(cf_post_t, body_hash),
};
const cf_shape_t cf_shape_post_row = CF_SHAPE(cf_post_t, post_row);

static const cf_field_t user[] = {CF_F_FIXED(cf_check_t, user)};
const cf_shape_t cf_shape_check = CF_SHAPE(cf_check_t, user);
const cf_shape_t cf_shape_join = CF_SHAPE(cf_join_t, user);
const cf_shape_t cf_shape_leave = CF_SHAPE(cf_leave_t, user);

static const cf_field_t present[] = {
    CF_F_TEXT(cf_present_t, username, 1, CF_USERNAME_MAX),
    CF_F_U32(cf_present_t, connections, 1, UINT32_MAX),
};
static const cf_shape_t shape_present = CF_SHAPE(cf_present_t, present);

static const cf_field_t roster[] = {
    CF_F_LIST(cf_roster_t, members, CF_ROSTER_MAX, &shape_present),
    CF_F_U32(cf_roster_t, more, 0, UINT32_MAX),
};
static const cf_shape_t shape_roster = CF_SHAPE(cf_roster_t, roster);

static const cf_field_t attach[] = {
    CF_F_U64(cf_attach_t, conn),
    CF_F_FIXED(cf_attach_t, user),
    CF_F_TEXT(cf_attach_t, username, 1, CF_USERNAME_MAX),
    CF_F_BOOL(cf_attach_t, roster),
    CF_F_BOOL(cf_attach_t, again),
    CF_F_BOOL(cf_attach_t, resume),
    CF_F_U64(cf_attach_t, epoch),
    CF_F_U64(cf_attach_t, since),
};
const cf_shape_t cf_shape_attach = CF_SHAPE(cf_attach_t, attach);

static const cf_field_t elsewhere[] = {
    CF_F_U32(cf_elsewhere_t, node, 1, UINT32_MAX),
    CF_F_TEXT(cf_elsewhere_t, username, 1, CF_USERNAME_MAX),
};
static const cf_shape_t shape_elsewhere = CF_SHAPE(cf_elsewhere_t, elsewhere);

static const cf_field_t attached[] = {
    CF_F_U64(cf_attached_t, epoch),
    CF_F_U64(cf_attached_t, last_seq),
    CF_F_U64(cf_attached_t, last_n),
    CF_F_U64(cf_attached_t, own_n),
    CF_F_BOOL(cf_attached_t, reload),
    CF_F_LIST(cf_attached_t, backlog, CF_RUN_ROWS_MAX, &cf_shape_event),
    CF_F_STRUCT(cf_attached_t, roster, &shape_roster),
    CF_F_BOOL(cf_attached_t, tells_elsewhere),
    CF_F_LIST(cf_attached_t, elsewhere, CF_ROSTER_MAX, &shape_elsewhere),
};
const cf_shape_t cf_shape_attached = CF_SHAPE(cf_attached_t, attached);

static const cf_field_t roster_at[] = {
    CF_F_U64(cf_roster_at_t, epoch),
    CF_F_U64(cf_roster_at_t, n),
    CF_F_STRUCT(cf_roster_at_t, roster, &shape_roster),
};
const cf_shape_t cf_shape_roster_at = CF_SHAPE(cf_roster_at_t, roster_at);

static const cf_field_t detach[] = {
    CF_F_U64(cf_detach_t, conn),
    CF_F_U64(cf_detach_t, epoch),
    CF_F_TEXT(cf_detach_t, username, 0, CF_USERNAME_MAX),
};
const cf_shape_t cf_shape_detach = CF_SHAPE(cf_detach_t, detach);

static const cf_field_t expelled[] = {CF_F_U64(cf_expelled_t, conn)};
const cf_shape_t cf_shape_expelled = CF_SHAPE(cf_expelled_t, expelled);

static const cf_field_t post[] = {
    CF_F_U64(cf_post_msg_t, conn),
    CF_F_FIXED(cf_post_msg_t, sender),
    CF_F_TEXT(cf_post_msg_t, username, 1, CF_USERNAME_MAX),
    CF_F_U32(cf_post_msg_t, kind, CF_POST_TEXT, CF_POST_BOT),
    CF_F_TEXT(cf_post_msg_t, client_key, 0, CF_CLIENT_KEY_MAX),
    CF_F_TEXT(cf_post_msg_t, text, 1, CF_POST_TEXT_MAX),
};
const cf_shape_t cf_shape_post = CF_SHAPE(cf_post_msg_t, post);

static const cf_field_t posted[] = {
    CF_F_FIXED(cf_posted_t, id),
    CF_F_U64(cf_posted_t, seq),
    CF_F_I64(cf_posted_t, at_us),
};
const cf_shape_t cf_shape_posted = CF_SHAPE(cf_posted_t, posted);

static const cf_field_t event[] = {
    CF_F_U64(cf_event_t, epoch),
    CF_F_U64(cf_event_t, n),
    CF_F_U32(cf_event_t, kind, CF_EVENT_POST, CF_EVENT_BOT_ERROR),
    CF_F_STRUCT(cf_event_t, post, &cf_shape_post_row),
};
const cf_shape_t cf_shape_event = CF_SHAPE(cf_event_t, event);

static const cf_field_t change[] = {
    CF_F_BOOL(cf_change_t, has_left),
    CF_F_U32(cf_change_t, node, 0, UINT32_MAX),
    CF_F_TEXT(cf_change_t, username, 0, CF_USERNAME_MAX),
};
static const cf_shape_t shape_change = CF_SHAPE(cf_change_t, change);

static const cf_field_t changes[] = {
    CF_F_U64(cf_changes_t, epoch),
    CF_F_U64(cf_changes_t, n),
    CF_F_LIST(cf_changes_t, changes, CF_CHANGES_MAX, &shape_change),
};
const cf_shape_t cf_shape_changes = CF_SHAPE(cf_changes_t, changes);

static const cf_field_t flushed[] = {
    CF_F_U64(cf_flushed_t, events),
    CF_F_U64(cf_flushed_t, bytes),
};
const cf_shape_t cf_shape_flushed = CF_SHAPE(cf_flushed_t, flushed);

static const cf_field_t history[] = {
    CF_F_FIXED(cf_history_t, user),
    CF_F_U32(cf_history_t, from, 1, POSTS_FROM_MAX),
    CF_F_I64(cf_history_t, at),
    CF_F_FIXED(cf_history_t, id),
    CF_F_U32(cf_history_t, limit, 1, CF_HISTORY_MAX),
};
const cf_shape_t cf_shape_history = CF_SHAPE(cf_history_t, history);

static const cf_field_t page[] = {
    CF_F_LIST(cf_page_t, posts, CF_RUN_ROWS_MAX, &cf_shape_post_row),
};
const cf_shape_t cf_shape_page = CF_SHAPE(cf_page_t, page);

static const cf_field_t command[] = {
    CF_F_FIXED(cf_command_t, id),
    CF_F_U64(cf_command_t, conn),
    CF_F_FIXED(cf_command_t, sender),
    CF_F_TEXT(cf_command_t, type, 1, CF_COMMAND_TYPE_MAX),
    CF_F_TEXT(cf_command_t, code, 0, CF_STOCK_CODE_MAX),
};
const cf_shape_t cf_shape_command = CF_SHAPE(cf_command_t, command);

static const cf_field_t rerun[] = {
    CF_F_FIXED(cf_rerun_t, id),
    CF_F_TEXT(cf_rerun_t, type, 1, CF_COMMAND_TYPE_MAX),
    CF_F_TEXT(cf_rerun_t, code, 0, CF_STOCK_CODE_MAX),
};
const cf_shape_t cf_shape_rerun = CF_SHAPE(cf_rerun_t, rerun);

static const cf_field_t reran[] = {CF_F_TEXT(cf_reran_t, failure, 0, CF_DEAD_REASON_MAX)};
const cf_shape_t cf_shape_reran = CF_SHAPE(cf_reran_t, reran);
