/* actors/room_state.h: the state of a room, for the files that together are the room: room.c (life
 * and dispatch), room_members.c (who is here, who may), room_roster.c (telling it), room_posts.c (order and durability),
 * room_commands.c (what is asked of the bot), room_fanout.c (events), room_history.c (pages), room_handover.c (what it
 * takes along when it moves). Nobody else includes it. */
#ifndef CF_ROOM_STATE_H
#define CF_ROOM_STATE_H

#include "ring.h"
#include "room.h"
#include "table.h"

typedef enum {
    CF_ROOM_LOADING, /* ACTIVATE is on its way; requests are held */
    CF_ROOM_NEVER,   /* it could not be loaded, and waits for its end */
    CF_ROOM_OPEN,
    CF_ROOM_VACATING, /* everything new is answered MOVED; the run in flight is waited for */
    CF_ROOM_RETIRING, /* RETIRE was sent; everything is answered MOVED until the thread frees the
                         room */
} cf_room_phase_t;

/* A request kept for later: its whole frame. It waits for the membership of `user`; zero: for the room
 * to load; the room's own id: for the newest page. */
typedef struct cf_held {
    struct cf_held *next;
    cf_id_t user;
    uint64_t gateway, conn; /* whose ATTACH it is, looked for by each DETACH; 0: something else */
    int64_t since_us;
    size_t size;
    uint8_t frame[];
} cf_held_t;

typedef struct {
    cf_id_t user;
    bool is_member;
    uint64_t asked;    /* correlation id of the FIND_MEMBER that is on its way; 0: none */
    uint32_t attached; /* connections of this user; such a row stays */
    uint64_t listed;   /* number of the latest roster that names the user */
    UT_hash_handle hh; /* insertion order is age: the oldest unattached row goes first */
} cf_membership_t;

typedef struct {
    uint64_t key[2]; /* gateway (packed), conn */
    cf_id_t user;
    cf_membership_t *membership; /* of the user; stays as long as he is attached */
    char username[CF_USERNAME_MAX + 1];
    bool wants_roster;
    UT_hash_handle hh; /* insertion order: who has been here longest comes first */
} cf_attachment_t;

/* A gateway with connections here, and how far it has been told. */
typedef struct {
    uint64_t address;
    uint32_t connections;
    uint64_t next_n;    /* the next event it gets */
    uint64_t told_seq;  /* the newest post it got; where reading back starts when the ring is past
                           next_n */
    uint64_t read_corr; /* of the READ_POSTS that is on its way for it; 0: none */
    int64_t read_again_us; /* not before; with read_corr: from here on it is given up */
    bool lagging;          /* its window is closed */
    uint32_t rosters;      /* connections that want to know who is here */
    bool roster_due;       /* what they were told may not add up any more */
} cf_room_gateway_t;

/* A post that waits for its run or its verdict. */
typedef struct cf_queued_post {
    struct cf_queued_post *next;
    cf_msg_t request; /* head only: whom to answer */
    int64_t arrived_us;
    bool answered;        /* told "not confirmed": no POSTED any more */
    bool follows_refused; /* its sender's earlier post was refused: goes with it */
    cf_post_t post;
    size_t size;
    char texts[]; /* username, text, client_key */
} cf_queued_post_t;

/* A command that the bot has not answered yet. */
typedef struct cf_open_command {
    struct cf_open_command *next;
    uint64_t corr;    /* of its ASK_BOT */
    uint32_t node;    /* whose bot was asked */
    cf_msg_t request; /* head only: whom to answer */
    int64_t since_us;
} cf_open_command_t;

/* JOIN or LEAVE that storage is writing. */
typedef struct cf_pending_join {
    struct cf_pending_join *next;
    uint64_t corr;
    cf_msg_t request; /* head only */
    cf_id_t user;
    bool joins;
    int64_t since_us;
} cf_pending_join_t;

struct cf_room {
    cf_id_t id;
    cf_room_host_t *host;
    cf_room_phase_t phase;
    int load_error;    /* NEVER: why */
    uint32_t owner;    /* NEVER, CF_EMOVED: the node whose it is */
    int64_t active_us; /* the last request or departure */
    uint64_t activate_corr;
    int64_t phase_since_us;
    cf_held_t *held, **held_end; /* oldest first; owned */
    size_t held_bytes;

    cf_membership_t *memberships;
    uint32_t unattached; /* rows of memberships without a connection */
    cf_attachment_t *attachments;
    cf_room_gateway_t *gateways; /* owned */
    uint32_t gateway_count;
    uint32_t connections;
    uint32_t connections_told; /* to the lobby */
    uint32_t users;            /* that have connections */
    uint64_t rosters_built;
    bool came_again;       /* some connection, since the last tick */
    uint64_t last_other_n; /* number of the newest event that tells of nobody coming or going */
    uint32_t untold; /* who has come and gone behind it, and no gateway has been told; up to */
    uint32_t untold_max;
    int64_t changes_told_us; /* when some of them were told last; 0: never */
    cf_pending_join_t *joins;
    cf_open_command_t *commands, **commands_end; /* oldest first; owned */
    uint32_t command_count;

    bool hands_over; /* when it retires */
    bool ephemeral;
    uint64_t epoch;
    uint64_t
        numbered_in; /* the oldest epoch whose numbers of posts are this one's; of an ephemeral room */
    cf_buf_t handed;        /* a HANDOVER's body, until it is activated */
    uint64_t committed_seq; /* newest post the store has confirmed; all that anyone is shown */
    int64_t last_us;        /* time of the newest numbered post; the next one is later */
    cf_queued_post_t *queue,
        **queue_end; /* oldest first; the first run_size of them are in flight */
    uint32_t queue_count;
    size_t queue_bytes;
    uint32_t run_size; /* posts of the run in flight; 0: none */
    uint64_t run_corr;
    cf_ring_t *ring;
    uint64_t posts; /* shown since it was activated */
    int64_t minute; /* of the boot clock, that of the newest of them */
    uint32_t posts_of_minute, posts_of_minute_before;
    uint64_t
        oldest_seq;     /* no post before it is stored; 1 until the store has told of a later one */
    bool was_loaded;    /* the newest page was put before what the ring has got since */
    uint64_t load_corr; /* of the READ_POSTS that is on its way for that; 0: none */
    uint64_t load_seq;  /* committed_seq when it was asked */
    uint32_t load_limit; /* of it */
};

/* room.c */
uint64_t cf_room_next_corr(cf_room_t *self);
cf_address_t cf_room_reader(const cf_room_t *self);
int cf_room_hold(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_id_t user);
/* This connection has gone before it could be let in: its ATTACH is refused. */
void cf_room_drop_held_attach(cf_room_t *self, cf_turn_t *turn, cf_address_t gateway,
                              uint64_t conn);
/* Hand out again what was held for this user (zero: for loading), in order. */
void cf_room_release(cf_room_t *self, cf_turn_t *turn, cf_id_t user);
void cf_room_refuse_held(cf_room_t *self, cf_turn_t *turn, cf_id_t user, int err);
/* Stop serving: answer what was not begun with `err` (CF_EMOVED: with MOVED) and leave. */
void cf_room_vacate(cf_room_t *self, cf_turn_t *turn, int err);
void cf_room_answer_moved(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *request);
/* Tells what this request, which is in a sampled trace, has come to; for it another actor was asked under corr. Of
 * `told` the trace, the room and the spans' names are set here. */
void cf_room_tell_span(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *request, uint64_t corr,
                       const cf_span_told_t *told);
/* A message of ours about this room could not be read: what the room knows is not to be trusted any
 * more. It leaves at once, waiting for nothing; whoever looks for it finds it as the store has it. */
void cf_room_quarantine(cf_room_t *self, cf_turn_t *turn);

/* room_members.c */
cf_handler_fn cf_room_on_check, cf_room_on_join, cf_room_on_leave, cf_room_on_attach,
    cf_room_on_detach, cf_room_on_member, cf_room_on_done;
/* 1: a member; 0: not; CF_EAGAIN: being asked, msg was held; other: an error. */
int cf_room_membership(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_id_t user);
/* A REFUSED or a MEMBER question that failed; true if corr was one of ours. */
bool cf_room_join_refused(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err);
/* The lookup under corr failed: whoever waits for it is refused; the next to come asks again. */
void cf_room_lookup_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err);
/* A membership that need not be looked up. Without memory it is. */
void cf_room_remember_member(cf_room_t *self, cf_id_t user);
cf_membership_t *cf_room_find_membership(cf_room_t *self, cf_id_t user); /* NULL: not looked up */
cf_attachment_t *cf_room_attachment(cf_room_t *self, cf_address_t gateway, uint64_t conn);
/* As cf_room_membership(), and the connection that msg came over must be here and the sender's. */
int cf_room_may_speak(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, uint64_t conn,
                      cf_id_t sender);
void cf_room_detach_node(cf_room_t *self, cf_turn_t *turn, uint32_t node);
/* Answer every JOIN and LEAVE that storage is writing. */
void cf_room_refuse_joins(cf_room_t *self, cf_turn_t *turn, int err);
void cf_room_members_tick(cf_room_t *self, cf_turn_t *turn);
void cf_room_free_members(cf_room_t *self);

/* room_roster.c */
/* Who is here now: borrows from the attachments and the turn's arena. */
int cf_room_roster(cf_room_t *self, cf_turn_t *turn, cf_roster_t *out);
/* Who is here has changed, or will, without an event that says so: all who asked are to be told anew. */
void cf_room_rosters_due(cf_room_t *self);
void cf_room_roster_tick(cf_room_t *self, cf_turn_t *turn);

/* room_posts.c */
cf_handler_fn cf_room_on_post, cf_room_on_verdict;
void cf_room_build_run(cf_room_t *self, cf_turn_t *turn);
/* Answer and drop the run in flight and what its senders posted after it. */
void cf_room_run_refused(cf_room_t *self, cf_turn_t *turn, int err);
void cf_room_posts_tick(cf_room_t *self, cf_turn_t *turn);
/* Answer and drop every post that is not in flight. */
void cf_room_drop_queue(cf_room_t *self, cf_turn_t *turn, int err);
void cf_room_free_posts(cf_room_t *self);

/* room_commands.c */
cf_handler_fn cf_room_on_command, cf_room_on_rerun, cf_room_on_bot_answer;
/* Nobody will answer what that node's bot was asked. */
void cf_room_bot_gone(cf_room_t *self, cf_turn_t *turn, uint32_t node);
/* The bot has not taken it; true if corr was one of ours. */
bool cf_room_command_refused(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err);
/* Answer and forget every open command that came at until_us or before. */
void cf_room_refuse_commands(cf_room_t *self, cf_turn_t *turn, int64_t until_us, int err);
void cf_room_commands_tick(cf_room_t *self, cf_turn_t *turn);
void cf_room_free_commands(cf_room_t *self);

/* room_fanout.c */
cf_handler_fn cf_room_on_page;
/* NULL: none. Valid until one is added. */
cf_room_gateway_t *cf_room_gateway(cf_room_t *self, uint64_t address);
int cf_room_add_gateway(cf_room_t *self, uint64_t address, cf_room_gateway_t **out);
/* Put one event into the ring; fan-out follows at the end of the batch, or when the ring has no place for
 * more. */
void cf_room_announce(cf_room_t *self, cf_turn_t *turn, uint32_t kind, const cf_post_t *post);
/* The room is a crowd that is not told now of who comes and goes. */
bool cf_room_crowd_waits(const cf_room_t *self, const cf_turn_t *turn);
/* But for what a crowd is told later. */
void cf_room_fan_out(cf_room_t *self, cf_turn_t *turn);
void cf_room_fan_out_all(cf_room_t *self, cf_turn_t *turn);
void cf_room_read_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr);
/* Every gateway can take an event now. */
bool cf_room_windows_open(const cf_room_t *self);

/* room_handover.c */
cf_handler_fn cf_room_on_handover;
/* To the lobby, as far as there is memory. */
void cf_room_hand_over(cf_room_t *self, cf_turn_t *turn);
/* The room has been activated: go on from what was handed to it, if nobody has had it since. */
void cf_room_take_over(cf_room_t *self, cf_turn_t *turn);

/* room_history.c */
cf_handler_fn cf_room_on_history;
/* msg waits until the newest page of so many posts has come, up to those a ring has. Once an activation: was_loaded. */
int cf_room_wait_for_load(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, uint32_t limit);
/* Nothing, if corr is not that of the question for the newest page. */
void cf_room_history_loaded(cf_room_t *self, cf_turn_t *turn, uint64_t corr, const cf_page_t *page);
void cf_room_load_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err);

#endif
