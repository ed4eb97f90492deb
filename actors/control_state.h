/* actors/control_state.h: the state of control, for the files that together are it: control.c (who is
 * connected, what is under way, the table of verbs), control_rooms.c (the busiest rooms), control_moves.c (rooms that move),
 * control_users.c (what is asked of accounts), control_letters.c (dead letters run again). Nobody else includes it. */
#ifndef CF_CONTROL_STATE_H
#define CF_CONTROL_STATE_H

#include "busiest.h"
#include "control.h"
#include "local/local_server.h"
#include "table.h"

typedef struct cf_control_verb cf_control_verb_t;

/* A request under way. */
typedef struct {
    uint64_t corr;  /* under which it asks others */
    uint32_t asked; /* the node that was asked last; 0: whichever a LOOKUP was sent on to */
    const cf_control_verb_t *verb;
    uint64_t client, client_corr; /* whom to answer */
    int64_t until_us;
    int64_t wake_us; /* 0: not */
    cf_trace_t trace;
    void *work; /* the verb's own; freed with the request */
    UT_hash_handle hh;
} cf_control_request_t;

/* What `confab ctl` may ask. Each function may end the request, by cf_control_answer() or
 * cf_control_refuse(), and must not touch it afterwards; an error that is returned refuses it. */
struct cf_control_verb {
    uint16_t type;
    int (*begin)(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg);
    /* Somebody who was asked has answered, REFUSED and MOVED among it. */
    int (*go_on)(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg);
    /* At its wake_us, which is then 0 again. */
    int (*wake)(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request);
    /* Its time is over. NULL: it is refused CF_ETIME. */
    void (*give_up)(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request);
};

struct cf_control {
    cf_control_config_t config;
    cf_local_server_t *server;      /* owned */
    cf_control_request_t *requests; /* by corr, oldest first */
    uint64_t last_corr;
    bool draining;
    cf_turn_t *turn; /* of the call under way, for what the socket calls */
    cf_buf_t frame;  /* of the answer being sent */
};

/* control.c */
/* Zeroed memory of the request's own; NULL: none. */
void *cf_control_work(cf_control_request_t *request, size_t size);
/* Ask somebody on its behalf. */
int cf_control_ask(cf_turn_t *turn, cf_control_request_t *request, cf_address_t to, uint16_t type,
                   cf_id_t room, const void *body);
/* End the request. */
void cf_control_answer(cf_control_t *self, cf_control_request_t *request, uint16_t type,
                       const void *body);
void cf_control_refuse(cf_control_t *self, cf_control_request_t *request, int err);

/* control_rooms.c */
extern const cf_control_verb_t cf_control_top_rooms;

/* control_moves.c */
extern const cf_control_verb_t cf_control_move_room;

/* control_users.c */
extern const cf_control_verb_t cf_control_disable, cf_control_enable;
/* control_letters.c */
extern const cf_control_verb_t cf_control_replay;

#endif
