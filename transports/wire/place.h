/* transports/wire/place.h: where a room is, and how it leaves. The room stands in the header.
 *
 *     LOOKUP     gateway -> lobby        -> PLACED address | REFUSED: it cannot be loaded. Held while
 *                the room is opening or retiring
 *     SEEK       lobby -> lobby of another node   that LOOKUP, with its correlation id: answer who asked, or send
 *                it on. Nothing is said to the lobby
 *     TAKEN      lobby -> lobby of another node   what you let go for me has an owner, or nobody needs it:
 *                lookups of it need not wait any more
 *     OPEN       lobby -> room thread    the room is yours; it loads itself, by ACTIVATE with the same body
 *                (append.h). -> DONE when it has | OWNED: it is another node's | REFUSED: it cannot, with
 *                the reason; in both cases it is not there
 *     RETIRE     room thread -> lobby    may I go? The room answers everything with MOVED from here on
 *     FORGET     lobby -> gateways that were told where the room is       -> FORGOTTEN: nothing more from me to that address
 *     RETIRED    lobby -> room thread    all have forgotten; the room is freed
 *     MOVE       supervisor -> lobby     give this room to another address; -> DONE | REFUSED
 *     VACATE     lobby -> room thread    finish what is in flight, then RETIRE
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
#include "msg.h"

#define CF_COUNTS_MAX 500
#define CF_SEEK_HOPS_MAX 8 /* three are enough while nothing changes */

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
    uint64_t address;
} cf_move_t;

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

extern const cf_shape_t cf_shape_placed, cf_shape_seek, cf_shape_move, cf_shape_presence,
    cf_shape_counts, cf_shape_list_rooms, cf_shape_room_list;

#endif
