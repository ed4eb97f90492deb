/* transports/wire/read.h: questions to a reader. It gathers those of one kind into one query and
 * answers whoever the header says they are from.
 *
 *     FIND_USER     -> USER | REFUSED CF_ENOENT
 *     FIND_SESSION  -> SESSION_ROW | REFUSED CF_ENOENT; expired sessions are answered too
 *     FIND_MEMBER   room in the header -> MEMBER
 *     READ_POSTS    room in the header -> PAGE (room.h) | REFUSED CF_ENOENT (unknown post id)
 *     LIST_ROOMS    see place.h
 *     FIND_DEAD_LETTER  -> DEAD_LETTER_ROW | REFUSED CF_ENOENT
 * Each may be REFUSED CF_EIO. */
#ifndef CF_READ_H
#define CF_READ_H

#include "model.h"
#include "msg.h"

typedef struct {
    uint32_t by; /* cf_user_by_t of store.h, as number */
    cf_id_t id;
    cf_str_t name;
} cf_find_user_t;

typedef struct {
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
} cf_find_session_t;

typedef struct {
    cf_session_t session;
    cf_user_t user;
} cf_session_row_t;

typedef struct {
    cf_id_t user;
} cf_find_member_t;

typedef struct {
    cf_id_t user;
    bool room_exists, is_member;
} cf_member_t;

typedef struct {
    uint32_t from; /* cf_posts_from_t of store.h, as number */
    int64_t at;
    cf_id_t id;
    uint32_t limit; /* 1..CF_RUN_ROWS_MAX */
    uint64_t
        last_seq; /* newest post that is stored, as who asks knows; no page is older than that */
} cf_read_posts_t;

typedef struct {
    cf_id_t id;
} cf_find_dead_letter_t;

extern const cf_shape_t cf_shape_find_user, cf_shape_find_session, cf_shape_session_row,
    cf_shape_find_member, cf_shape_member, cf_shape_read_posts, cf_shape_find_dead_letter;

#endif
