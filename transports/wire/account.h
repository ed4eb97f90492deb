/* transports/wire/account.h: who a client is. Gateways ask accounts.
 *
 *     REGISTER      -> REGISTERED | REFUSED CF_EEXIST, CF_ERANGE (the password may not be
 *                      chosen), CF_ELIMIT (over the rate), CF_EFULL (too many waiting),
 *                      CF_EIO, CF_ETIME (not answered; it may have been carried out)
 *     LOGIN         -> LOGGED_IN | REFUSED CF_EAUTH (unknown name or wrong password alike), CF_EFULL
 *     AUTHENTICATE  -> SESSION | REFUSED CF_EAUTH (unknown, expired), CF_EIO
 *     LOGOUT        -> DONE; every gateway is told SESSION_ENDED
 *     SESSION_ENDED    accounts -> gateways: close what was opened with it. accounts -> accounts of another node, and
 *                      nodes -> accounts, which have read it in the store: forget it, and tell your gateways
 *     USER_ENDED       between the same: for every session that this user had
 *
 * Whoever operates the server asks accounts as well.
 *
 *     DISABLE       -> DONE; no session of that user is left, every gateway was told USER_ENDED, and there
 *                      will be none | REFUSED CF_ENOENT, CF_EPERM (the bot)
 *     ENABLE        -> DONE; the user can log in again | REFUSED CF_ENOENT
 * Both may be REFUSED CF_EFULL, CF_EIO or CF_ETIME (it may have been carried out) and are safe to repeat.
 *
 * Shapes of names, addresses and passwords are checked by the gateway; tokens and passwords are wiped by
 * whoever read them. */
#ifndef CF_ACCOUNT_H
#define CF_ACCOUNT_H

#include "model.h"
#include "msg.h"
#include "wire/limit.h"

#define CF_LOGIN_TEXT_MAX                                                                          \
    1024 /* bytes of a name or password at login; the gateway refuses longer ones */

typedef struct {
    cf_str_t username, email, password;
    cf_limit_key_t address; /* of who asks: its keyed hash */
} cf_register_t;

typedef struct {
    cf_id_t user;
    int64_t created_us;
} cf_registered_t;

typedef struct {
    cf_str_t username,
        password;           /* any bytes; a name no user can have is answered like an unknown one */
    cf_limit_key_t address; /* as in cf_register_t */
} cf_login_t;

typedef struct {
    cf_str_t token; /* URL-safe text */
    cf_id_t session;
    cf_id_t user;
    cf_str_t username, email;
    int64_t created_us; /* of the user */
    int64_t expires_us;
} cf_logged_in_t;

typedef struct {
    cf_str_t token;
} cf_token_t;

typedef struct {
    cf_id_t session;
    cf_id_t user;
    cf_str_t username, email;
    int64_t created_us; /* of the user */
    int64_t expires_us;
} cf_session_msg_t;

typedef struct {
    cf_id_t session;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
} cf_session_ended_t;

typedef struct {
    cf_id_t user;
    int64_t
        asked_us; /* wall clock of who was asked to disable the user; one such end, told twice, has one time */
} cf_user_ended_t;

typedef struct {
    cf_str_t username;
} cf_username_t;

extern const cf_shape_t cf_shape_register, cf_shape_registered, cf_shape_login, cf_shape_logged_in,
    cf_shape_token, cf_shape_session, cf_shape_session_ended, cf_shape_user_ended,
    cf_shape_username;

#endif
