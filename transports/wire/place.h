/* transports/wire/place.h: where a room is, and how it leaves. The room stands in the header.
 *
 *     LOOKUP     gateway -> lobby        -> PLACED address | REFUSED: it cannot be loaded. Held while
 *                the room is opening or retiring
 *     SEEK       lobby -> lobby of another node   that LOOKUP, with its correlation id: answer who asked, or send
 *                it on. Nothing is said to the lobby
 *     TAKEN      lobby -> lobby of another node   what you let go for me has an owner, or nobody needs it:
 *                lookups of it need not wait any more
 *     LEAVING    lobby -> lobby of another node   this node drains: it opens no room any more, so prefer another one
 *     OPEN       lobby -> room thread    the room is yours; it loads itself, by ACTIVATE with the same body
 *                (append.h). -> DONE when it has | OWNED: it is another node's | REFUSED: it cannot, with
 *                the reason; in both cases it is not there
 *     RETIRE     room thread -> lobby    may I go? The room answers everything with MOVED from here on
 *     FORGET     lobby -> gateways that were told where the room is       -> FORGOTTEN: nothing more from me to that address
 *     RETIRED    lobby -> room thread    all have forgotten; the room is freed
 *     MOVE       control -> lobby of any node   give this room to another node, or to another thread of this one
 *                -> DONE: it is on its way, and a LOOKUP waits until it is there | REFUSED CF_EMOVED: it is not here;
 *                CF_EAGAIN: it is coming or going, or too many are; CF_ENOENT: there is no such node; CF_EEXIST: it is there
 *     VACATE     lobby -> room thread    finish what is in flight, then RETIRE; before that HANDOVER, if it says so
 *     HANDOVER   room thread -> lobby, right before RETIRE   what the room's next place would have to ask the store, or
 *                could ask nobody. Kept until the room is opened elsewhere, then
 *                lobby -> room thread, right behind OPEN: used if nobody has had the room in between
 *                lobby -> lobby of another node   open this room, which I let go for you; it is answered TAKEN
 *     MOVED      room thread -> whoever  answer to any request for a room that is not (or no longer)
 *                here: look it up again. Nothing of the request was done
 *     PRESENCE   room thread -> lobby    so many connections are in this room now
 *     COUNTS     lobby -> gateways of its node   rooms with connections; at most CF_COUNTS_MAX, the newest.
 *                lobby -> lobby of another node   rooms here whose connections have changed
 *     LIST_ROOMS gateway -> reader       which sends ROOM_LIST to the lobby, which fills in the
 *                connections and sends ROOM_LIST on to the gateway named in it; or reader -> gateway
 *                REFUSED */
#ifndef CF_PLACE_H
#define CF_PLACE_H

#include "model.h"
#include "model_limits.h"
#include "msg.h"

#define CF_COUNTS_MAX 500
#define CF_SEEK_HOPS_MAX 8 /* three are enough while nothing changes */

/* Of a HANDOVER: so many of the largest fit a message. The newest posts are handed over; older ones are read from the
 * store, and so are other members. */
#define CF_HANDOVER_POSTS_MAX 900

typedef struct {
    uint64_t address; /* packed cf_address_t of a room thread */
} cf_placed_t;

typedef struct {
    uint64_t asker; /* packed address of who sent the LOOKUP: a gateway, or control */
    uint32_t hops;  /* from lobby to lobby so far, this one included: 1..CF_SEEK_HOPS_MAX */
    bool owned;     /* the store says that the room is the other node's */
    bool let_go;    /* it was this node's, which lets it go and opens it no more before TAKEN */
} cf_seek_t;

typedef struct {
    uint64_t address; /* packed, of a room thread of this node; 0: to another node, */
    cf_str_t
        node; /* of this name; empty: the one that would be preferred if this node were not there */
} cf_move_t;

typedef struct {
    bool hand_over;
} cf_vacate_t;

typedef struct {
    cf_id_t user;
} cf_handed_member_t;

typedef struct {
    uint64_t epoch;       /* in which the room was left; 0: nothing is handed over */
    uint64_t numbered_in; /* the oldest epoch whose numbers of posts these are */
    uint64_t last_seq;    /* the newest post shown */
    int64_t last_us;      /* its time */
    cf_list_t posts;      /* of cf_post_t, ascending without a gap up to last_seq */
    cf_list_t members;    /* of cf_handed_member_t: who was connected */
} cf_handover_t;

typedef struct {
    uint32_t connections;
} cf_presence_t;

typedef struct {
    cf_id_t room;
    uint32_t connections;
} cf_count_t;

typedef struct {
    cf_list_t counts; /* of cf_count_t */
} cf_counts_t;

typedef struct {
    bool from_newest; /* `after` is not looked at */
    cf_id_t after;
    uint32_t limit; /* 1..CF_ROOM_LIST_MAX */
} cf_list_rooms_t;

typedef struct {
    cf_id_t id;
    cf_str_t name;
    cf_id_t creator;
    int64_t created_us;
    bool ephemeral;
    uint32_t connections;
} cf_room_entry_t;

typedef struct {
    uint64_t gateway; /* packed address of who asked */
    bool more;        /* at least one room follows the last of the list */
    cf_list_t rooms;  /* of cf_room_entry_t, newest first */
} cf_room_list_t;

/* Where a room is, as the sender of msg says. CF_ERANGE: at no room thread, or at another node than its own, of which no lobby
 * speaks; what is meant for a room must not be sent there. */
int cf_placed_at(cf_address_t *out, const cf_placed_t *said, const cf_msg_t *msg);

extern const cf_shape_t cf_shape_placed, cf_shape_seek, cf_shape_move, cf_shape_vacate,
    cf_shape_handover, cf_shape_presence, cf_shape_counts, cf_shape_list_rooms, cf_shape_room_list;

#endif
