/* actors/lobby_state.h: the state of the lobby, for the files that together are it: lobby.c (what it is told of counts and nodes, life),
 * lobby_places.c (the rooms that are here, and their opening), lobby_lookups.c (LOOKUP and SEEK, and rooms that are let go for
 * another node), lobby_retirement.c (RETIRE, FORGOTTEN), lobby_moves.c (MOVE, HANDOVER, draining). Nobody else includes it. */
#ifndef CF_LOBBY_STATE_H
#define CF_LOBBY_STATE_H

#include "err.h"
#include "lobby.h"
#include "lobby_counts.h"
#include "lobby_nodes.h"
#include "table.h"
#include "wire/place.h"

typedef struct cf_lobby_lookup {
    struct cf_lobby_lookup *next;
    cf_msg_t request; /* head only; from who asks, whichever lobby has sent it on */
    uint32_t hops;    /* from lobby to lobby so far */
} cf_lobby_lookup_t;

/* The body of a HANDOVER. */
typedef struct {
    uint32_t size;
    uint8_t body[];
} cf_lobby_handed_t;

typedef struct {
    cf_id_t id;
    cf_address_t at;    /* a room thread of this node; kind 0: see given_to */
    uint32_t given_to;  /* it was let go for this node, which has not said TAKEN; 0: it was not */
    uint32_t let_go_by; /* while it opens: the node that waits for TAKEN; 0: none */
    bool retiring;
    bool is_vacating;          /* it was told to go, and has not asked to RETIRE yet */
    bool is_listed;            /* among those that are to leave when the node drains */
    bool is_moving;            /* it was told where to go, and is not known to have come there */
    uint64_t open_corr;        /* of the OPEN that was not confirmed yet; 0: it was */
    int64_t opened_us;         /* when it was sent */
    uint32_t opened_from;      /* what it said of who has let it go */
    uint64_t told;             /* bit i: gateways[i] was told where it is */
    uint64_t not_forgotten;    /* bit i: gateways[i] has not confirmed FORGET */
    uint64_t not_told;         /* bit i: gateways[i] was not even told FORGET, for want of memory */
    cf_address_t target;       /* where it goes when it has retired; kind 0: nowhere */
    cf_lobby_handed_t *handed; /* until it is open elsewhere; owned; NULL: none */
    uint32_t handed_by;        /* the node whose lobby has sent it; 0: it is this one's own */
    cf_lobby_lookup_t *lookups, **lookups_end;
    UT_hash_handle hh;
} cf_lobby_place_t;

struct cf_lobby {
    cf_lobby_config_t config;
    uint32_t *load; /* rooms per thread */
    cf_lobby_place_t *places;
    uint32_t lookups_waiting;
    uint64_t next_corr;
    cf_address_t gateways[CF_GATEWAYS_MAX]; /* of any node, told of a room; kind 0: free */
    cf_lobby_nodes_t *nodes;                /* the others */
    uint32_t moving; /* places that are on their way to where they were told to go */
    bool is_draining, owes_drained;
    cf_id_t *
        leaving; /* rooms with connections that are to leave, in the order in which they do; owned */
    uint32_t leaving_count, leaving_cap, leaving_next;
    cf_lobby_counts_t *counts;
    int64_t repair_us; /* when to look for what was not said or not answered; INT64_MAX: nothing */
};

/* lobby_places.c */
cf_handler_fn cf_lobby_on_opened, cf_lobby_on_not_opened, cf_lobby_on_owned;
cf_lobby_place_t *cf_lobby_find(cf_lobby_t *self, cf_id_t id);       /* NULL: it has none */
cf_lobby_place_t *cf_lobby_add_place(cf_lobby_t *self, cf_id_t id);  /* NULL: no memory */
void cf_lobby_drop_place(cf_lobby_t *self, cf_lobby_place_t *place); /* nobody waits for it */
/* Its room is here, and stays for all that is known. */
bool cf_lobby_is_settled(const cf_lobby_place_t *place);
bool cf_lobby_is_thread(const cf_lobby_t *self, cf_address_t at); /* a room thread of this node */
cf_address_t cf_lobby_least_loaded(const cf_lobby_t *self);
/* So many rooms more are there, or fewer. */
void cf_lobby_count_load(cf_lobby_t *self, cf_address_t at, int by);
void cf_lobby_open_at(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, cf_address_t at);
/* Say OPEN again, if nobody has answered it for long. */
void cf_lobby_open_again(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place);
/* What the room has left for its next place; nothing, if it could not. */
int cf_lobby_hand_over(cf_turn_t *turn, const cf_lobby_place_t *place, cf_address_t to);
void cf_lobby_drop_handed(cf_lobby_t *self, cf_lobby_place_t *place);
/* Whoever let this room go (0: nobody) need not wait any more. */
void cf_lobby_tell_taken(cf_turn_t *turn, cf_id_t room, uint32_t *let_go_by);
/* Something could not be said, or may not be answered: look for it then, or before. */
void cf_lobby_repair_at(cf_lobby_t *self, int64_t at_us);
cf_address_t cf_lobby_of_node(uint32_t node);

/* lobby_lookups.c */
cf_handler_fn cf_lobby_on_lookup, cf_lobby_on_seek, cf_lobby_on_taken;
/* Take the oldest that waits for this place; false: none is left. */
bool cf_lobby_take_lookup(cf_lobby_t *self, cf_lobby_place_t *place, cf_lobby_lookup_t *out);
/* Answer who waits for this place: where it is, or err. */
void cf_lobby_answer_lookups(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, int err);
/* To the lobby of that node. */
void cf_lobby_send_lookups_on(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place,
                              uint32_t node, bool owned);
void cf_lobby_drop_lookups_of(cf_lobby_t *self, cf_lobby_place_t *place, uint32_t node);
/* Let the room go for that node. What waits for this place goes with it. */
void cf_lobby_give(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place, uint32_t node);
/* That node has let the room go, which has a place here. */
void cf_lobby_take_promise(cf_turn_t *turn, cf_lobby_place_t *place, uint32_t node);

/* lobby_retirement.c */
cf_handler_fn cf_lobby_on_retire, cf_lobby_on_forgotten;
/* It is to be somewhere again. */
void cf_lobby_open_or_give(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place);
/* Say FORGET to whom it was not said yet. */
void cf_lobby_tell_forget(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place);
/* Everybody has forgotten the room: free it, and open it anew if somebody wants it. */
void cf_lobby_finish_retirement(cf_lobby_t *self, cf_turn_t *turn, cf_lobby_place_t *place);

/* lobby_moves.c */
cf_handler_fn cf_lobby_on_move, cf_lobby_on_handover, cf_lobby_on_leaving;
void cf_lobby_drain(void *state, cf_turn_t *turn);
/* Without memory it stays, and is found by the store when this node is gone. */
void cf_lobby_list_leaving(cf_lobby_t *self, cf_lobby_place_t *place);
void cf_lobby_go_on_draining(cf_lobby_t *self, cf_turn_t *turn);
void cf_lobby_check_drained(cf_lobby_t *self);

#endif
