/* actors/room.h: one chat room; who is in it and the order of its posts.
 *
 * A state machine, run by a room thread: no clock, no socket, no store of its own. Messages in,
 * messages in the outbox; time is an argument. A recorded inbox replays exactly.
 *
 *     (new)                -> ACTIVATE to storage; until ACTIVATED everything asked is held. When it
 *                             is refused, or the room is OWNED by another node, so is all of that, and
 *                             the room is at its end
 *     CHECK JOIN LEAVE     -> DONE | REFUSED, by the durable membership, loaded on demand
 *     ATTACH               -> ATTACHED, with a roster if asked for, then an EVENT JOINED to every
 *                             gateway with members. Several who come or go in a row are one CHANGES, and
 *                             a crowd is told of them at most once every crowd_pause
 *     DETACH               -> DONE, then EVENT LEFT; also of a connection that was here before the
 *                             room moved, and did not come along
 *     LEAVE, once stored   -> EXPELLED and EVENT LEFT for each connection of that user
 *     POST                 -> one APPEND run at a time to storage; after STORED: POSTED to each
 *                             sender, then EVENT to every gateway with members. Numbers start at
 *                             1, no gaps
 *     COMMAND              -> ASK_BOT, of this node or else of one that has a bot; REFUSED CF_EAGAIN when none
 *                             has, or it goes before it has answered. After BOT_ANSWER: COMMANDED to the sender, then an EVENT with
 *                             the bot's words, which are not stored
 *     RERUN                -> ASK_BOT; after BOT_ANSWER: RERAN to control, then that EVENT, unless it has
 *                             failed again
 *     HISTORY              -> PAGE from the ring, or READ_POSTS to a reader on behalf of who asked
 *     VACATE, long idle    -> RETIRE to the lobby; from there on everything is answered MOVED. Right before that, if VACATE
 *                             says so, HANDOVER: its newest posts and who is here
 *     HANDOVER             of the place before, while it loads: goes on from it, if nobody has had the room in between
 *
 * ROSTER goes to a gateway whose connections asked who is here when it has lost presence events, or
 * when connections have come again after a move, once no more of them come.
 *
 * One run is in flight at most, and a post gets its number when its run is built. So a run that was
 * not stored leaves no gap and nothing needs to be numbered anew; while a run commits the next one
 * gathers, so a hot room pays one commit for many posts.
 *
 * In a sampled trace a post and a command are told as SPANs, from their arrival to their answer.
 *
 * What is not known to be stored rooms.verdict_timeout after it came is answered CF_EUNCONFIRMED;
 * its number stays taken until storage knows. */
#ifndef CF_ROOM_H
#define CF_ROOM_H

#include "actor.h"
#include "others.h"
#include "spans.h"
#include "windows.h"
#include "wire/operate.h"

typedef struct {
    uint32_t ring_events;   /* rooms.ring_posts */
    size_t ring_bytes;      /* rooms.ring_bytes */
    uint32_t queue_posts;   /* posts waiting for their run */
    size_t queue_bytes;     /* of these; and of requests held until a room knows a user or itself */
    uint32_t commands_max;  /* commands waiting for the bot */
    uint32_t members_cache; /* users whose membership is remembered beyond those attached */
    uint32_t roster_max;    /* names in a roster; up to CF_ROSTER_MAX */
    uint32_t crowd;         /* connections from which on who comes and goes is told together, */
    int64_t crowd_pause_us; /* so often at most; 0: at once */
    int64_t verdict_timeout_us; /* 5 s */
    int64_t answer_us;          /* storage and readers have so long */
    int64_t idle_us;            /* retire after so long without a member and a request */
    int64_t posts_ttl_us;       /* older posts are not shown as history any more; 0: for ever */
    int64_t command_us;         /* time the bot has for a command */
    cf_address_t lobby, storage;
    cf_address_t bot;    /* of this node; kind 0: it has none, see cf_room_host_t */
    cf_address_t reader; /* index 0; a room uses reader id % readers */
    uint32_t readers;
    cf_spans_t spans; /* of a thread, as they begin */
} cf_room_config_t;

/* What a room thread's rooms have in common; owned by the thread. */
typedef struct {
    const cf_room_config_t *config;
    cf_windows_t windows;
    cf_others_t bots; /* other nodes that have one */
    bool lagging;     /* some gateway of some room waits for its window */
    int64_t
        crowds_due_us; /* when the first crowd is to be told of who came and went (boot clock); 0: none */
    /* Never used twice in the life of a thread, so no answer meets a later room. */
    uint64_t next_corr;
    cf_spans_t spans;
} cf_room_host_t;

typedef struct cf_room cf_room_t;

/* Who has come and gone and is told together; the ring keeps so many beyond its own bound meanwhile. */
#define CF_ROOM_UNTOLD_MAX 512

/* Bytes of memory that a room takes at rest, with its places at the lobby and a gateway; and one membership
 * that it remembers. */
#define CF_ROOM_COST 8192
#define CF_ROOM_MEMBER_COST 192

/* Returns 0 with a room that has asked to be activated, or CF_ENOMEM. `from` is the node that has let it
 * go, 0: none. */
int cf_room_new(cf_room_t **out, cf_room_host_t *host, cf_id_t id, uint32_t from, cf_turn_t *turn);
/* CF_EAGAIN: it loads. 0: it is, or was, a room that serves. Else why it could not be loaded: nobody
 * was served, everybody was refused, and it is to be destroyed. */
int cf_room_loaded(const cf_room_t *self);
/* The node whose it is, when that was CF_EMOVED; 0: it had just changed. */
uint32_t cf_room_owner(const cf_room_t *self);
/* One message for this room. Answers everything it cannot carry out. A message of this node that it
 * cannot read puts the room in quarantine: the message is refused CF_EINTERNAL, posts in flight are
 * answered CF_EUNCONFIRMED, the rest MOVED, and the room RETIREs. */
void cf_room_handle(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg);
/* The batch is over: build the next run, fan out what was committed, tell the lobby who is here. */
void cf_room_settle(cf_room_t *self, cf_turn_t *turn);
/* Timers: unconfirmed posts, loading that takes too long, retiring. */
void cf_room_tick(cf_room_t *self, cf_turn_t *turn);
/* Nothing is to be done before the next message: no tick is needed, but for one after the idle time. */
bool cf_room_rests(const cf_room_t *self);
/* Past this time (boot clock) a tick may put the room away; INT64_MAX while somebody is here. */
int64_t cf_room_idle_us(const cf_room_t *self);
/* crowds_due_us of the host has come: tells what is due, and sets it again if there is more. */
void cf_room_tell_crowd(cf_room_t *self, cf_turn_t *turn);
/* A gateway's window has opened: go on from the ring. */
void cf_room_window_opened(cf_room_t *self, cf_turn_t *turn, uint64_t gateway);
void cf_room_node_gone(cf_room_t *self, cf_turn_t *turn, uint32_t node);
/* Nothing acknowledged is waiting: no run in flight, no post in the queue. */
bool cf_room_is_idle(const cf_room_t *self);
/* Events that the gateway furthest behind has not been sent. */
uint64_t cf_room_lag(const cf_room_t *self);
/* Adds the bytes of posts that wait for their commit, and of requests that wait for a lookup. */
void cf_room_add_waiting(const cf_room_t *self, uint64_t *queued, uint64_t *held);
/* Its connections, its posts since it was activated, and about those of the last minute. */
void cf_room_busyness(cf_room_t *self, int64_t boot_us, cf_top_room_t *out);
void cf_room_destroy(cf_room_t **self);

#endif
