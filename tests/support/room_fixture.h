/* tests/support/room_fixture.h: one room as a state machine: messages in, messages out, time as an
 * argument. Users are named by their name. Every request gets the next number, from 1; answers are shown with it.
 *
 *     room_open();
 *     at_ms(10);
 *     attach(GW1, 7, "ann");
 *     cr_assert(eq(str, heard(), "storage activate"));
 *
 * heard() ends the batch and shows what the room has put into its outbox since, joined by "; ". */
#ifndef CF_ROOM_FIXTURE_H
#define CF_ROOM_FIXTURE_H

#include "room.h"
#include "store.h"
#include "wire/append.h"
#include "wire/room.h"

#define T0 INT64_C(1700000000000000) /* wall clock at 0 ms, microseconds */
#define GW1 ((cf_address_t){1, CF_ACTOR_GATEWAY, 0})
#define GW2 ((cf_address_t){1, CF_ACTOR_GATEWAY, 1})
#define FAR ((cf_address_t){2, CF_ACTOR_GATEWAY, 0})
#define FAR2 ((cf_address_t){2, CF_ACTOR_GATEWAY, 1})
#define THE_ROOM ((cf_id_t){{7, 7, 7}})

extern cf_room_t *room;
extern cf_room_host_t host;
extern cf_room_config_t room_config; /* may be changed before room_open() */
extern bool contain;                 /* of every turn: a bug does not abort */
extern int64_t wall_offset_us;       /* the wall clock was stepped by so much */
extern uint64_t asked;               /* number of the latest request */
extern uint64_t append_corr;         /* of the latest APPEND heard */
extern uint32_t append_n;            /* and its rows */
extern uint64_t read_corr;           /* of the latest READ_POSTS heard that is the room's own */
extern uint64_t activate_corr;
extern int64_t bot_us;  /* time of the newest words of the bot heard */
extern int keys_shown;  /* events and pages with a client key in them */
extern bool times_rise; /* so far, over the posts that GW1 was shown */

void room_open(void); /* still loading */
/* The room retires with a HANDOVER, and its next place opens it, still loading. What was heard is dropped. */
void room_moves(void);
void room_close(void);
/* Open and activated: epoch, newest stored post. What was heard is dropped. */
void room_ready(uint64_t epoch, uint64_t last_seq);
void room_ready_ephemeral(uint64_t epoch);

void at_ms(int64_t ms);
cf_id_t user_id(const char *name);
/* One message from `from`; corr 0: the next number. */
void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body);
/* One of that type whose body is none of its. */
void tell_malformed(cf_address_t from, uint16_t type, uint64_t corr);

/* --- requests */
void check(cf_address_t from, const char *name);
void join(cf_address_t from, const char *name);
void leave(cf_address_t from, const char *name);
void attach(cf_address_t from, uint64_t conn, const char *name);
/* The same with the wish to know who is here. */
void attach_asking(cf_address_t from, uint64_t conn, const char *name);
void attach_again_asking(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch);
void attach_again(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch,
                  uint64_t since);
void detach(cf_address_t from, uint64_t conn); /* let in or not, it is not said */
void detach_of(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch);
void post(cf_address_t from, uint64_t conn, const char *name, const char *text);
void post_key(cf_address_t from, uint64_t conn, const char *name, const char *text,
              const char *key);
/* /stock=code, or another kind of command without a code. Its id is the code's bytes. */
void command(cf_address_t from, uint64_t conn, const char *name, const char *code);
/* The same of a dead letter, asked by control. */
void rerun(const char *code);
void history(cf_address_t from, const char *name, uint32_t posts_from, int64_t at, uint32_t limit);
void vacate(void);
void vacate_and_hand_over(void);
/* The latest HANDOVER heard is told to the room, as the lobby would. */
void handed_over(void);

/* --- what storage and readers say */
void activated(uint64_t epoch, uint64_t last_seq, bool ephemeral);
void member(const char *name, bool is_member); /* the answer to the latest question about name */
void member_of(uint64_t corr, const char *name, bool is_member);
uint64_t find_corr(const char *name); /* of that question */
void done(uint64_t corr);
void refused(uint64_t corr, int err);
void verdict(uint32_t status); /* for the latest APPEND */
void verdict_of(uint64_t corr, const cf_verdict_t *verdict);
void stored(void);
/* The answer to the question about this code. */
void bot_says(const char *code, const char *text, bool is_error);
void bot_fails(const char *code, const char *failure);
uint64_t bot_corr(const char *code); /* of that question, the latest */
/* The answer to the latest READ_POSTS: posts first..last, their texts "t<seq>". */
void page(uint64_t first, uint64_t last);
uint64_t join_corr(void); /* of the latest ADD_MEMBER or REMOVE_MEMBER heard */

/* --- time and windows */
void tick(void);
void node_gone(uint32_t node);
/* This gateway confirms all it was sent. */
void flushed(cf_address_t gateway);

char *heard(void); /* "" when nothing */
/* Without ending the batch first. */
char *heard_so_far(void);
void ignore(void); /* heard() and not looked at */
/* ann is a member attached as conn 1 on GW1; nothing of it is left to hear. */
void with_ann(void);
void with(cf_address_t gateway, uint64_t conn, const char *name);
/* ann posts so many, one by one, "t<first>" and so on, which are stored. */
void post_stored(int n, uint64_t first);
/* A room of epoch 3 with ann, that has so many new posts behind last_seq. */
void with_posts(uint64_t last_seq, int n);

#endif
