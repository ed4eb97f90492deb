#include "account.h"

static const cf_field_t register_fields[] = {
    CF_F_TEXT(cf_register_t, username, CF_USERNAME_MIN, CF_USERNAME_MAX),
    CF_F_TEXT(cf_register_t, email, 1, CF_EMAIL_MAX),
    CF_F_TEXT(cf_register_t, password, CF_PASSWORD_MIN, CF_PASSWORD_MAX),
    CF_F_FIXED(cf_register_t, address),
};
const cf_shape_t cf_shape_register = CF_SHAPE(cf_register_t, register_fields);

static const cf_field_t registered[] = {
    CF_F_FIXED(cf_registered_t, user),
    CF_F_I64(cf_registered_t, created_us),
};
const cf_shape_t cf_shape_registered = CF_SHAPE(cf_registered_t, registered);

static const cf_field_t login[] = {
    CF_F_TEXT(cf_login_t, username, 0, CF_LOGIN_TEXT_MAX),
    CF_F_TEXT(cf_login_t, password, 0, CF_LOGIN_TEXT_MAX),
    CF_F_FIXED(cf_login_t, address),
};
const cf_shape_t cf_shape_login = CF_SHAPE(cf_login_t, login);

static const cf_field_t logged_in[] = {
    CF_F_TEXT(cf_logged_in_t, token, 1, CF_TOKEN_MAX),
    CF_F_FIXED(cf_logged_in_t, session),
    CF_F_FIXED(cf_logged_in_t, user),
    CF_F_TEXT(cf_logged_in_t, username, 1, CF_USERNAME_MAX),
    CF_F_TEXT(cf_logged_in_t, email, 1, CF_EMAIL_MAX),
    CF_F_I64(cf_logged_in_t, created_us),
    CF_F_I64(cf_logged_in_t, expires_us),
};
const cf_shape_t cf_shape_logged_in = CF_SHAPE(cf_logged_in_t, logged_in);

static const cf_field_t token[] = {CF_F_BYTES(cf_token_t, token, 1, CF_TOKEN_MAX)};
const cf_shape_t cf_shape_token = CF_SHAPE(cf_token_t, token);

static const cf_field_t session[] = {
    CF_F_FIXED(cf_session_msg_t, session),
    CF_F_FIXED(cf_session_msg_t, user),
    CF_F_TEXT(cf_session_msg_t, username, 1, CF_USERNAME_MAX),
    CF_F_TEXT(cf_session_msg_t, email, 1, CF_EMAIL_MAX),
    CF_F_I64(cf_session_msg_t, created_us),
    CF_F_I64(cf_session_msg_t, expires_us),
};
const cf_shape_t cf_shape_session = CF_SHAPE(cf_session_msg_t, session);

static const cf_field_t session_ended[] = {CF_F_FIXED(cf_session_ended_t, session),
                                           CF_F_FIXED(cf_session_ended_t, token_hash)};
const cf_shape_t cf_shape_session_ended = CF_SHAPE(cf_session_ended_t, session_ended);

static const cf_field_t user_ended[] = {CF_F_FIXED(cf_user_ended_t, user),
                                        CF_F_I64(cf_user_ended_t, asked_us)};
const cf_shape_t cf_shape_user_ended = CF_SHAPE(cf_user_ended_t, user_ended);

static const cf_field_t username[] = {
    CF_F_TEXT(cf_username_t, username, CF_USERNAME_MIN, CF_USERNAME_MAX)};
const cf_shape_t cf_shape_username = CF_SHAPE(cf_username_t, username);
