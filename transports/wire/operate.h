/* transports/wire/operate.h: what an operator asks the running server, by `confab ctl`. docs/control.md.
 *
 *     DISABLE, ENABLE   of account.h: ctl -> control -> accounts -> DONE
 *     TOP_ROOMS  ctl -> control -> ROOMS_TOP, of all threads; control -> room thread -> ROOMS_TOP, its own
 *     MOVE_ROOM  ctl -> control -> DONE: it is there | REFUSED CF_ENOENT: there is no such room; CF_EMOVED: no such node
 *                is here;
 *                CF_EEXIST: it is there already; CF_EAGAIN: it is coming or going, or others are
 *     REPLAY     ctl -> control -> RERAN (room.h): without a failure, the letter is gone | REFUSED CF_ENOENT: there is
 *                no such letter; CF_EAGAIN: its replay is under way; CF_EUNCONFIRMED: the bot has answered, and the
 *                letter may be there still */
#ifndef CF_OPERATE_H
#define CF_OPERATE_H

#include "model.h"
#include "model_limits.h"
#include "msg.h"

#define CF_TOP_ROOMS_MAX 100

typedef struct {
    uint32_t limit; /* 1..CF_TOP_ROOMS_MAX */
} cf_top_rooms_t;

typedef struct {
    cf_id_t room;
    uint32_t connections;
    uint64_t posts_last_minute; /* about */
    uint64_t posts;             /* since it was activated */
} cf_top_room_t;

typedef struct {
    uint64_t active; /* rooms there are */
    uint32_t silent; /* room threads that have not answered, and are not in it */
    cf_list_t rooms; /* of cf_top_room_t, the busiest first */
} cf_rooms_top_t;

typedef struct {
    cf_id_t room;
    cf_str_t node; /* empty: see cf_move_t */
} cf_move_room_t;

typedef struct {
    cf_id_t letter;
} cf_replay_t;

extern const cf_shape_t cf_shape_move_room, cf_shape_top_rooms, cf_shape_rooms_top, cf_shape_replay;

#endif
