/* transports/wire/append.h: between a room and storage. The room stands in the header.
 *
 *     ACTIVATE   raise the room's epoch, and make it this node's -> ACTIVATED | OWNED: it is another node's |
 *                REFUSED CF_ENOENT, CF_EIO
 *     APPEND     one run: rows prev+1 .. -> VERDICT. A room has one run in flight at most. UNKNOWN
 * is followed by a second VERDICT, of another status, for the same correlation id */
#ifndef CF_APPEND_H
#define CF_APPEND_H

#include "model.h"
#include "msg.h"

typedef struct {
    uint32_t from; /* the node whose it was, and that has let it go; 0: none */
} cf_activate_t;

typedef struct {
    uint32_t owner; /* 0: it has just changed, ask again */
} cf_owned_t;

typedef struct {
    uint64_t epoch;
    uint64_t last_seq;
    int64_t last_us;
    bool ephemeral;
} cf_activated_t;

typedef struct {
    uint64_t epoch;
    uint64_t prev;
    cf_list_t rows; /* of cf_post_t; username is empty */
} cf_append_t;

typedef struct {
    uint32_t status; /* cf_verdict_status_t of store.h, as number */
    uint32_t stored;
    bool same_body; /* this and the rest: DUPLICATE only */
    uint64_t seq;
    cf_id_t id;
    int64_t at_us;
} cf_verdict_t;

extern const cf_shape_t cf_shape_activate, cf_shape_owned, cf_shape_activated, cf_shape_append,
    cf_shape_verdict;

#endif
