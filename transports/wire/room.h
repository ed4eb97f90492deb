/* transports/wire/room.h: between a gateway and a room. The room stands in the header.
 *
 *     CHECK    is this user a member?              -> DONE | REFUSED CF_EPERM, CF_ENOENT
 *     JOIN     durable membership                  -> DONE | REFUSED
 *     LEAVE    the end of it                       -> DONE | REFUSED
 *     ATTACH   a connection of a member            -> ATTACHED, then EVENTs; | REFUSED
 *     DETACH   that connection is gone             -> DONE
 *     POST     from an attached connection         -> POSTED once durable, before its EVENT; | REFUSED
 *     HISTORY  user and range                      -> PAGE (the room's or a reader's) | REFUSED
 *     COMMAND  from an attached connection         -> COMMANDED right before the EVENT with the
 *                                                     bot's words; | REFUSED: the bot was not asked
 *     RERUN    control: a command that has failed, once more
 *                                                  -> RERAN, right before the EVENT with the bot's words; there is
 *                                                     none when it has failed again; | REFUSED: not known to be asked
 *     EVENT    room -> every gateway with attached connections, in room order
 *     CHANGES  the same, of several events in a row that tell of who has come and gone
 *     EXPELLED room -> gateway: this connection is out, as its user is no member any more
 *     ROSTER   room -> gateway with connections that asked who is here: presence events may have
 *              been lost to it, this is how it stands; in order with the EVENTs, and counted as one
 *     FLUSHED  gateway -> room thread (no room in the header): so much was handed to connections;
 *              opens the window. Cumulative since start
 *
 * Any request may also be answered MOVED (place.h). */
#ifndef CF_ROOM_MSG_H
#define CF_ROOM_MSG_H

#include "model.h"
#include "msg.h"

typedef struct {
    cf_id_t user;
} cf_check_t;
typedef cf_check_t cf_join_t;
typedef cf_check_t cf_leave_t;

#define CF_ROSTER_MAX 1000 /* names in a roster; the high bound of rooms.roster_max */

/* One user who is in the room now. */
typedef struct {
    cf_str_t username;
    uint32_t connections;
} cf_present_t;

typedef struct {
    cf_list_t members; /* of cf_present_t, each user once */
    uint32_t more;     /* users who are here and not among them */
} cf_roster_t;

typedef struct {
    uint64_t conn; /* the gateway's number for the connection; not reused */
    cf_id_t user;
    cf_str_t username;
    bool roster;    /* it wants to know who is here */
    bool again;     /* a re-attach after the room moved: nobody is told that the user joined */
    bool resume;    /* the two below count */
    uint64_t epoch; /* the epoch the client saw */
    uint64_t since; /* the newest seq the client has */
} cf_attach_t;

/* A connection at another node than that of who is told. */
typedef struct {
    uint32_t node;
    cf_str_t username;
} cf_elsewhere_t;

typedef struct {
    uint64_t epoch;
    uint64_t last_seq; /* newest post shown; EVENTs for this connection start behind it */
    uint64_t last_n;   /* number of the newest event; as above for events that are no posts */
    uint64_t own_n; /* number of the event that this connection has joined, if that comes only after
                          a while: it is shown so at once, others then. 0: it comes with the others */
    bool reload;    /* a resume that cannot be served: read the history instead */
    /* On a resume, of cf_event_t: the posts since+1 .. last_seq; for a connection that comes again
     * after the room has moved also who has come and gone, and what the bot has said, since. */
    cf_list_t backlog;
    /* If asked for, and not `again`: who was here as event last_n left it. The connection itself is not
     * among them, as the event that it joined comes behind. */
    cf_roster_t roster;
    /* If it is the only connection of its gateway here, and not `again`: who is here from other nodes, as event
     * last_n left it; CF_ROSTER_MAX of them at most. When this room's node dies only the gateways can tell who was
     * there. */
    bool tells_elsewhere;
    cf_list_t elsewhere; /* of cf_elsewhere_t */
} cf_attached_t;

typedef struct {
    uint64_t epoch, n; /* as event n has left it */
    cf_roster_t roster;
} cf_roster_at_t;

typedef struct {
    uint64_t conn;
    uint64_t epoch;    /* in which it was let in; 0: never, or nobody needs to hear that it went */
    cf_str_t username; /* for a room that has moved since and does not know the connection */
} cf_detach_t;

typedef struct {
    uint64_t conn;
} cf_expelled_t;

typedef struct {
    uint64_t conn;
    cf_id_t sender;
    cf_str_t username;
    uint32_t kind;       /* cf_post_kind_t */
    cf_str_t client_key; /* idempotency key; empty: none */
    cf_str_t text;       /* valid UTF-8, 1..CF_POST_CHARS_MAX code points */
} cf_post_msg_t;

typedef struct {
    cf_id_t id;
    uint64_t seq;
    int64_t at_us;
} cf_posted_t;

typedef enum {
    CF_EVENT_POST = 1,
    CF_EVENT_JOINED,
    CF_EVENT_LEFT,
    CF_EVENT_BOT,       /* what a bot says; in room order, but it has no seq and is never stored */
    CF_EVENT_BOT_ERROR, /* the same about something that did not work */
} cf_event_kind_t;

typedef struct {
    uint64_t epoch;
    uint64_t n;     /* number of the event in this epoch, 1..; 0: a post read back from the store */
    uint32_t kind;  /* cf_event_kind_t */
    cf_post_t post; /* JOINED, LEFT: only username counts, and seq: the node of the connection */
} cf_event_t;

#define CF_CHANGES_MAX                                                                             \
    128 /* as frames for clients they take less than the least ws.queue_max_bytes */

/* What a JOINED or a LEFT tells. */
typedef struct {
    bool has_left;
    uint32_t node; /* of the connection */
    cf_str_t username;
} cf_change_t;

typedef struct {
    uint64_t epoch, n; /* n: number of the first; the others follow without a gap */
    cf_list_t changes; /* of cf_change_t */
} cf_changes_t;

typedef struct {
    uint64_t events,
        bytes; /* since this gateway started, from this room thread; bytes of whole frames */
} cf_flushed_t;

typedef struct {
    cf_id_t user;
    uint32_t from; /* cf_posts_from_t of store.h, as number */
    int64_t at;
    cf_id_t id;
    uint32_t limit; /* 1..CF_HISTORY_MAX */
} cf_history_t;

typedef struct {
    cf_list_t posts; /* of cf_post_t, ascending */
} cf_page_t;

typedef struct {
    cf_id_t id; /* made by the gateway; the same when it is sent again because the room has moved */
    uint64_t conn;
    cf_id_t sender;
    cf_str_t type; /* "stock", "hello" */
    cf_str_t code; /* of a stock, upper case; else empty */
} cf_command_t;

typedef struct {
    cf_id_t id;          /* made by control, as that of a command */
    cf_str_t type, code; /* as in a command */
} cf_rerun_t;

typedef struct {
    cf_str_t failure; /* why it has failed again; empty: the bot has answered */
} cf_reran_t;

extern const cf_shape_t cf_shape_check, cf_shape_join, cf_shape_leave, cf_shape_attach,
    cf_shape_attached, cf_shape_detach, cf_shape_expelled, cf_shape_roster_at, cf_shape_post,
    cf_shape_posted, cf_shape_event, cf_shape_changes, cf_shape_flushed, cf_shape_history,
    cf_shape_page, cf_shape_command, cf_shape_rerun, cf_shape_reran;

/* One stored or shown post, as it stands in lists. */
extern const cf_shape_t cf_shape_post_row;

#endif
