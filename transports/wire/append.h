/* transports/wire/append.h: between a room and storage. The room stands in the header.
 *
 *     ACTIVATE   raise the room's epoch -> ACTIVATED | REFUSED CF_ENOENT, CF_EIO
 *     APPEND     one run: rows prev+1 .. -> VERDICT. A room has one run in flight at most. UNKNOWN
 * is followed by a second VERDICT, of another status, for the same correlation id */
#ifndef CF_APPEND_H
#define CF_APPEND_H

#include "model.h"
#include "msg.h"

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

extern const cf_shape_t cf_shape_activated, cf_shape_append, cf_shape_verdict;

#endif
