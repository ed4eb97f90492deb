/* actors/actor.h: the thread around every actor, written once.
 *
 * Turn by turn: wait for the inbox, drain it, hand each message to its handler, let the actor
 * finish the batch, run what is due, flush the outbox. STOP, PROBE and DRAIN are answered here.
 * Everything that can fail at start (state, inbox) is made before the thread exists.
 *
 * Plain pthreads: a zactor would add a pair of sockets, and two descriptors, to every one of them.
 */
#ifndef CF_ACTOR_H
#define CF_ACTOR_H

#include "link/inbox.h"
#include "link/outbox.h"

/* What a handler may use; valid for the call. */
typedef struct {
    int64_t wall_us; /* cf_wall_us of this turn */
    int64_t boot_us; /* cf_boot_us of this turn */
    cf_outbox_t *out;
    cf_arena_t *arena; /* freed at the end of the turn */
    bool contain;      /* a bug of ours is contained where it would abort; see cf_turn_malformed */
} cf_turn_t;

/* Carry out one message. msg and what is decoded from it live until the end of the turn's batch. A
 * negative answer is sent back as REFUSED with that reason (to a request with a correlation id).
 * CF_EPROTO and CF_ERANGE mean that the message is not well-formed, or has no business here: see
 * cf_turn_malformed. */
typedef int cf_handler_fn(void *self, cf_turn_t *turn, const cf_msg_t *msg);

/* For who could not read a message (rc: CF_EPROTO, CF_ERANGE) and does not hand rc to the loop:
 * counts and logs it. Returns rc for what another node has sent, whatever the build. Within this node
 * it is a bug of ours, and aborts where assertions are on; elsewhere, or with turn->contain, returns
 * CF_EINTERNAL, and what the lost message was about is to be put in quarantine. */
int cf_turn_malformed(const cf_turn_t *turn, const cf_msg_t *msg, int rc);
/* cf_msg_body() and, if need be, cf_turn_malformed(). */
int cf_turn_read(const cf_turn_t *turn, const cf_msg_t *msg, void *out);

typedef struct {
    uint16_t type;
    cf_handler_fn *handle;
} cf_handler_t;

typedef struct cf_actor cf_actor_t;

typedef struct {
    const cf_handler_t *handlers; /* ends with a row of type 0 */
    /* All below may be NULL. */
    /* Every message for another node, whatever its type: what the mesh's inbox gets. */
    void (*elsewhere)(void *self, const cf_msg_t *msg);
    void (*begin)(void *self); /* on the actor's thread, before its first turn; may wait */
    void (*after_batch)(void *self, cf_turn_t *turn); /* every message of a drain was handled */
    /* Run timers; returns the boot_us of the next one, INT64_MAX for none. Called once per turn. */
    int64_t (*due)(void *self, cf_turn_t *turn);
    /* DRAIN arrived: finish what was acknowledged; answer with cf_actor_drained() now or later.
     * Without it the loop answers at once. */
    void (*drain)(void *self, cf_turn_t *turn);
    /* A message of this node could not be read, and what was sent was refused CF_EINTERNAL. Put what
     * it was about in quarantine and return true; false, as without it: the actor goes on, but is
     * reported as not live (CF_M_QUARANTINED), so that whoever runs the process restarts it. */
    bool (*quarantine)(void *self, cf_turn_t *turn, const cf_msg_t *msg);
    /* Before PROBED is sent: bring gauges up to date. */
    void (*gauges)(void *self);
    /* Instead of the loop: for actors with an event loop of their own. Ends after STOP. */
    void (*run)(void *self, cf_actor_t *actor);
    void (*destroy)(void *self); /* on the actor's thread, at its end */
} cf_actor_ops_t;

/* CF_SCHED_LOW: for long work that gives way to the others and is still done beside them. */
typedef enum { CF_SCHED_NORMAL, CF_SCHED_BATCH, CF_SCHED_LOW } cf_sched_t;

typedef struct {
    cf_sched_t sched; /* used where permitted */
    size_t stack;     /* bytes; 0: 256 KiB */
} cf_actor_options_t;

/* Make inbox and outbox of an actor. Nothing runs yet. Returns 0, CF_ENOMEM, CF_EIO. */
int cf_actor_new(cf_actor_t **out, const cf_bus_t *bus, cf_address_t address);
/* Start its thread, which from here on owns state and calls ops->destroy. Returns 0, or CF_EIO (no
 * thread; state was destroyed). */
int cf_actor_start(cf_actor_t *self, const cf_actor_ops_t *ops, void *state,
                   const cf_actor_options_t *options);
/* The same on the calling thread; returns when the actor was stopped. */
void cf_actor_run_here(cf_actor_t *self, const cf_actor_ops_t *ops, void *state);
/* Wait for the thread to end (it ends after STOP) and free what is left. */
void cf_actor_join(cf_actor_t **self);

cf_outbox_t *cf_actor_outbox(cf_actor_t *self);
cf_inbox_t *cf_actor_inbox(cf_actor_t *self);
cf_address_t cf_actor_address(const cf_actor_t *self);
/* What is put into out and logged by this thread from here on belongs to this trace (NULL: to none). */
void cf_actor_trace(cf_outbox_t *out, const cf_trace_t *trace);
/* From ops: from boot_us on nothing leaves this actor but PROBED; what it says waits, and is never said if STOP comes first.
 * INT64_MAX, as it is to begin with: it may speak for ever. */
void cf_actor_speak_until(cf_actor_t *self, int64_t boot_us);
/* From ops: the answer to DRAIN. */
void cf_actor_drained(cf_actor_t *self);
/* An extra descriptor the loop waits on, with what to do when it is readable. */
void cf_actor_watch(cf_actor_t *self, int fd, void (*readable)(void *self, cf_turn_t *turn));

/* For ops->run: handle at most `budget` messages and the actor's own timers and flush. Returns the
 * number handled; CF_ECLOSING after STOP. */
int cf_actor_turn(cf_actor_t *self, int budget);

/* From within a handler: wait until fd (-1: only the time) is readable or, with for_write,
 * writable. Meanwhile PROBE is answered, and what else arrives is kept, in order, for the turns
 * after this one; over CF_ACTOR_LATER_MAX bytes of it requests are REFUSED CF_EAGAIN. Has the form
 * that cf_store_wait_t wants; arg is the actor. Returns 0, CF_ETIME at until_us (boot clock), or
 * CF_ECLOSING once STOP has come: nobody waits for what this handler may still achieve, but for the
 * thread to end. */
#define CF_ACTOR_LATER_MAX (64u << 20)
int cf_actor_wait(void *arg, int fd, bool for_write, int64_t until_us);
/* The same for what need not be brought to its end: CF_ECLOSING also once DRAIN has come. */
int cf_actor_wait_unless_ending(void *arg, int fd, bool for_write, int64_t until_us);
/* DRAIN or STOP has come, perhaps while a handler waited. */
bool cf_actor_is_ending(const cf_actor_t *self);

#endif
