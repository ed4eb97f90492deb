/* transports/wire/record.h: every other write. All go to storage, the node's only writer, and are
 * safe to repeat.
 *
 *     CREATE_USER      accounts -> DONE | REFUSED CF_EEXIST (name or e-mail taken)
 *     SET_PASSWORD     accounts -> DONE | REFUSED CF_ENOENT
 *     DISABLE_USER     accounts -> DONE; the user has no session any more | REFUSED CF_ENOENT,
 *                      CF_EPERM (the bot)
 *     ENABLE_USER      accounts -> DONE | REFUSED CF_ENOENT
 *     ADD_SESSION      accounts -> DONE | REFUSED CF_EPERM (the user is disabled)
 *     REMOVE_SESSION   accounts -> DONE, also when there was none
 *     CREATE_ROOM      gateway  -> DONE; the creator is its first member
 *     ADD_MEMBER       room     -> DONE | REFUSED CF_ENOENT (room or user); room in the header
 *     REMOVE_MEMBER    room     -> DONE
 *     DEAD_LETTER      stockbot -> DONE
 *     REMOVE_DEAD_LETTER  control -> DONE, also when there was none
 *     EXPIRE_SESSIONS, EXPIRE_KEYS, EXPIRE_DEAD_LETTERS, EXPIRE_POSTS   sweeper -> EXPIRED so many
 * Each may be REFUSED CF_EIO: not known to be stored, repeat it. */
#ifndef CF_RECORD_H
#define CF_RECORD_H

#include "model.h"
#include "msg.h"

#define CF_EXPIRE_MAX 10000 /* rows in one sweep */

typedef cf_user_t cf_create_user_t;

typedef struct {
    cf_id_t user;
    cf_str_t password_hash;
} cf_set_password_t;

typedef struct {
    cf_id_t user;
    int64_t at_us;
} cf_disable_user_t;

typedef struct {
    cf_id_t user;
} cf_enable_user_t;

typedef cf_session_t cf_add_session_t;

typedef struct {
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
} cf_remove_session_t;

typedef struct {
    cf_id_t id;
    cf_str_t name;
    cf_id_t creator;
    int64_t created_us;
    bool ephemeral;
} cf_create_room_t;

typedef struct {
    cf_id_t user;
    int64_t at_us;
} cf_member_change_t;

typedef struct {
    int64_t until_us;
    uint32_t limit;
} cf_expire_t;

typedef struct {
    uint32_t count;
} cf_expired_t;

typedef struct {
    cf_id_t id;
} cf_remove_dead_letter_t;

extern const cf_shape_t cf_shape_create_user, cf_shape_set_password, cf_shape_disable_user,
    cf_shape_enable_user, cf_shape_add_session, cf_shape_remove_session, cf_shape_create_room,
    cf_shape_member_change, cf_shape_expire, cf_shape_expired, cf_shape_dead_letter,
    cf_shape_remove_dead_letter;

#endif
