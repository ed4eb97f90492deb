/* tests/support/peer.h: made-up actors around a real one, and the real one's thread.
 *
 *     cf_actor_t *actor = actor_at(CF_ACTOR_STORAGE, 0);
 *     ... make its state ...
 *     actor_run(actor, &cf_storage_ops, state);
 *     peer_t *room = peer_at(CF_ACTOR_ROOMS, 0);
 *     peer_send(room, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 1, id, &(cf_activate_t){0});
 *     cr_assert(peer_await(room, CF_MSG_ACTIVATED, 1, &activated));
 *     actors_stop();
 *
 * All of it lives on one bus, node 1, one per process (Criterion runs each test in its own). A peer
 * answers nothing by itself and is used by the test's thread. Waiting ends after PEER_WAIT_MS. */
#ifndef CF_PEER_H
#define CF_PEER_H

#include "actor.h"
#include "metrics.h"

#define PEER_WAIT_MS 20000
#define NODE 1
/* Named on the bus; its actors are the peer opened by peer_at_other_node() */
#define OTHER_NODE 2

typedef struct {
    cf_address_t address;
    cf_inbox_t *inbox;
    cf_outbox_t *out;
    cf_arena_t arena;
} peer_t;

cf_bus_t *peer_bus(void);
/* Opened at the first call, closed by actors_stop(). Fails the test if it cannot be. */
peer_t *peer_at(cf_actor_kind_t kind, uint16_t index);
peer_t *peer_at_other_node(cf_actor_kind_t kind);

/* To index 0 of that kind. */
void peer_send(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr, cf_id_t room,
               const void *body);
void peer_answer(peer_t *self, const cf_msg_t *request, uint16_t type, const void *body);
void peer_refuse(peer_t *self, const cf_msg_t *request, int rc);
/* A message of that type whose body is none of its. */
void peer_send_malformed(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr,
                         cf_id_t room);
/* Messages given to peer_put go out, together and in order, with the next send or flush. */
void peer_put(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr, cf_id_t room,
              const void *body);
void peer_flush(peer_t *self);

/* The next message; false when none came in time. Borrowed until the next call for this peer. */
bool peer_next(peer_t *self, cf_msg_t *out);
/* Read until a message of this type and correlation id (0: any) comes; the others are dropped. Its
 * body goes to *body (NULL: not wanted). */
bool peer_await_msg(peer_t *self, uint16_t type, uint64_t corr, cf_msg_t *msg, void *body);
bool peer_await(peer_t *self, uint16_t type, uint64_t corr, void *body);
/* The next message, whatever it is, has this type and correlation id? */
bool peer_expect(peer_t *self, uint16_t type, uint64_t corr, void *body);
/* The reason of the REFUSED with this correlation id, negative; 0 if none came. */
int peer_await_refusal(peer_t *self, uint64_t corr);

/* Make an actor's inbox; start it on a thread. */
cf_actor_t *actor_at(cf_actor_kind_t kind, uint16_t index);
void actor_run(cf_actor_t *actor, const cf_actor_ops_t *ops, void *state);
/* A counter of base/metrics.h, as that actor reports it. */
uint64_t actor_counter(cf_actor_t *actor, size_t slot);
/* How often something was observed for a histogram of base/metrics.h. */
uint64_t actor_observed(cf_actor_t *actor, cf_histogram_t histogram);
/* Wait for the end of one that has said STOPPED to the test. */
void actor_join(cf_actor_t *actor);
/* Stop every actor, wait for the threads, close the peers and the bus. */
void actors_stop(void);

#endif
