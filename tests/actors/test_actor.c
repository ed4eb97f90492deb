/* The loop around every actor. The actor here has messages of its own meaning:
 *     CHECK         waits until the test writes to a pipe, says so, blocks for another byte, then
 * DONE JOIN          DONE METRICS_TEXT  DONE; large LEAVE         fails with CF_EPERM DETACH counts
 * into its state; nothing is answered */
#include "actor.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"
#include "peer.h"
#include "wire/control.h"
#include "wire/observe.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <zmq.h>

#define ID ((cf_id_t){{0}})
#define LARGE 1000000

typedef struct {
    cf_actor_t *actor;
    int waits_for;    /* readable end of the pipe */
    bool drain_later; /* DRAIN is answered by the next JOIN */
    uint64_t batches; /* told as gauge CF_M_ROOMS_ACTIVE */
    int64_t timer_us; /* `due` comes again so much later; 0: never */
    uint64_t timers;  /* told as gauge CF_M_CONNECTIONS */
    uint64_t watched; /* told as gauge CF_M_WEBSOCKETS */
    uint64_t after_destroy;
    bool contains;        /* takes what it could not read into its own quarantine, */
    uint64_t quarantined; /* the latest by its type */
    int begun;            /* what its wait at the beginning came to */
} state_t;

static state_t state;
static int go[2];    /* what CHECK waits for */
static int left[2];  /* where it says that it waits no longer */
static int extra[2]; /* a watched descriptor */
static peer_t *peer;

static int on_check(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    state_t *my = self;
    char bytes[2];
    int rc = cf_actor_wait(my->actor, my->waits_for, false, INT64_MAX);
    if (rc < 0)
        return rc;
    cr_assert(eq(i64, write(left[1], "x", 1), 1));
    cr_assert(eq(i64, read(my->waits_for, bytes, 1), 1));
    cr_assert(eq(i64, read(my->waits_for, bytes, 1), 1));
    cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
    return 0;
}

static int on_join(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    state_t *my = self;
    cf_join_t join;
    int rc = cf_msg_body(&join, msg, turn->arena);
    if (rc == 0)
        cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
    if (my->drain_later)
        cf_actor_drained(my->actor);
    return rc;
}

static int on_large(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    (void)self;
    cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
    return 0;
}

static int on_leave(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    (void)self;
    (void)turn;
    (void)msg;
    return CF_EPERM;
}

static int on_detach(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    (void)self;
    (void)turn;
    (void)msg;
    return CF_EPERM; /* without a correlation id nobody hears of it */
}

static void after_batch(void *self, cf_turn_t *turn)
{
    (void)turn;
    ((state_t *)self)->batches++;
}

static int64_t due(void *self, cf_turn_t *turn)
{
    state_t *my = self;
    my->timers++;
    return my->timer_us ? turn->boot_us + my->timer_us : INT64_MAX;
}

static void gauges(void *self)
{
    state_t *my = self;
    cf_gauge(CF_M_ROOMS_ACTIVE, my->batches);
    cf_gauge(CF_M_CONNECTIONS, my->timers);
    cf_gauge(CF_M_WEBSOCKETS, my->watched);
}

static void on_watched(void *self, cf_turn_t *turn)
{
    char byte;
    (void)turn;
    ((state_t *)self)->watched += read(extra[0], &byte, 1) == 1;
}

static bool quarantine(void *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    state_t *my = self;
    (void)turn;
    my->quarantined = msg->type;
    return my->contains;
}

static void destroy(void *self)
{
    ((state_t *)self)->after_destroy = 1;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_CHECK, on_check}, {CF_MSG_JOIN, on_join},     {CF_MSG_METRICS_TEXT, on_large},
    {CF_MSG_LEAVE, on_leave}, {CF_MSG_DETACH, on_detach}, {0, NULL},
};
static const cf_actor_ops_t ops = {.handlers = handlers,
                                   .after_batch = after_batch,
                                   .due = due,
                                   .quarantine = quarantine,
                                   .gauges = gauges,
                                   .destroy = destroy};

/* Waits for a byte until it is to end. */
static void begin(void *self)
{
    state_t *my = self;
    char bytes[2];
    cr_assert(eq(i64, write(left[1], "x", 1), 1));
    my->begun = cf_actor_wait_unless_ending(my->actor, my->waits_for, false, INT64_MAX);
    if (my->begun == 0)
        cr_assert(eq(i64, read(my->waits_for, bytes, 2), 2));
}
static const cf_actor_ops_t waits_at_first = {
    .begin = begin, .handlers = handlers, .due = due, .gauges = gauges};

static void drain_later(void *self, cf_turn_t *turn)
{
    (void)turn;
    ((state_t *)self)->drain_later = true;
}

static int64_t due_that_waits(void *self, cf_turn_t *turn)
{
    state_t *my = self;
    char bytes[2];
    (void)turn;
    if (my->timers++ == 0) {
        cr_assert(eq(i64, write(left[1], "x", 1), 1)); /* no more turn before the wait */
        cr_assert(eq(int, cf_actor_wait(my->actor, my->waits_for, false, INT64_MAX), 0));
        cr_assert(eq(i64, read(my->waits_for, bytes, 2), 2));
    }
    return INT64_MAX;
}
static const cf_actor_ops_t waits_in_due = {.handlers = handlers, .due = due_that_waits};

static const cf_actor_ops_t drains_later = {
    .handlers = handlers, .drain = drain_later, .destroy = destroy};

static void prepare(void)
{
    cr_assert(eq(int, pipe(go), 0));
    cr_assert(eq(int, pipe(left), 0));
    cr_assert(eq(int, pipe(extra), 0));
    state.actor = actor_at(CF_ACTOR_LOBBY, 0);
    state.waits_for = go[0];
    peer = peer_at(CF_ACTOR_GATEWAY, 0);
}

static void start(void)
{
    prepare();
    cf_actor_watch(state.actor, extra[0], on_watched);
    actor_run(state.actor, &ops, &state);
}

static void start_contained(void)
{
    peer_bus()->contain = true;
    start();
}

static void let_go(void)
{
    cr_assert(eq(i64, write(go[1], "xx", 2), 2));
}

static void ask(uint16_t type, uint64_t corr)
{
    cf_join_t join = {.user = {{0}}};
    peer_send(peer, CF_ACTOR_LOBBY, type, corr, ID, &join);
}

TestSuite(actor, .init = start, .fini = actors_stop, .timeout = 60);

/* --- messages ----------------------------------------------------------------------------------
 */

Test(actor, answers_in_order_with_the_trace_of_the_request)
{
    cf_msg_t msg;
    cf_trace_t trace = {{1, 2, 3}, true}, none = {0};
    cf_outbox_trace(peer->out, &trace);
    ask(CF_MSG_JOIN, 1);
    cf_outbox_trace(peer->out, NULL);
    ask(CF_MSG_JOIN, 2);
    cr_assert(peer_next(peer, &msg));
    cr_assert(eq(u64, msg.corr, 1));
    cr_assert(eq(int, memcmp(&msg.trace, &trace, sizeof trace), 0));
    cr_assert(peer_next(peer, &msg));
    cr_assert(eq(u64, msg.corr, 2));
    cr_assert(eq(int, memcmp(&msg.trace, &none, sizeof none), 0));
}

Test(actor, refuses_what_a_handler_would_not_do_but_only_a_request)
{
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_DETACH, 0, ID, &(cf_detach_t){.conn = 1});
    ask(CF_MSG_LEAVE, 2);
    cr_assert(peer_expect(peer, CF_MSG_REFUSED, 2, NULL)); /* the first thing heard */
}

Test(actor, tells_its_counters)
{
    uint64_t before = actor_counter(state.actor, CF_M_INBOX_MESSAGES);
    ask(CF_MSG_JOIN, 1);
    cr_assert(peer_await(peer, CF_MSG_DONE, 1, NULL));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_INBOX_MESSAGES) - before, 2));
    cr_assert(gt(u64, actor_counter(state.actor, CF_M_ROOMS_ACTIVE), 0)); /* after_batch ran */
}

Test(actor, ends_after_stop_and_handles_what_came_before)
{
    peer_put(peer, CF_ACTOR_LOBBY, CF_MSG_JOIN, 1, ID, &(cf_join_t){.user = {{0}}});
    peer_put(peer, CF_ACTOR_LOBBY, CF_MSG_STOP, 2, ID, NULL);
    peer_flush(peer);
    cr_assert(peer_expect(peer, CF_MSG_DONE, 1, NULL));
    cr_assert(peer_expect(peer, CF_MSG_STOPPED, 2, NULL));
    actor_join(state.actor); /* returns: the thread has ended */
    cr_assert(eq(u64, state.after_destroy, 1));
}

Test(actor, is_drained_at_once_when_it_has_nothing_to_finish)
{
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_DRAIN, 3, ID, NULL);
    cr_assert(peer_expect(peer, CF_MSG_DRAINED, 3, NULL));
}

Test(actor, wakes_up_for_a_watched_descriptor)
{
    state.watched = 0;
    cr_assert(eq(i64, write(extra[1], "xyz", 3), 3));
    while (actor_counter(state.actor, CF_M_WEBSOCKETS) < 3)
        ; /* ends with the suite's time limit */
}

/* --- a handler that waits ----------------------------------------------------------------------
 */

Test(actor, answers_probes_while_a_handler_waits_and_keeps_the_rest_in_order)
{
    ask(CF_MSG_CHECK, 1);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES); /* perhaps before CHECK is handled, */
    for (uint64_t corr = 2; corr <= 100; corr++)
        ask(CF_MSG_JOIN, corr);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES); /* certainly behind it */
    let_go();
    for (uint64_t corr = 1; corr <= 100; corr++)
        cr_assert(peer_expect(peer, CF_MSG_DONE, corr, NULL));
}

Test(actor, lets_nothing_overtake_what_it_kept)
{
    char byte;
    ask(CF_MSG_CHECK, 1);
    ask(CF_MSG_JOIN, 2);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES); /* answered behind JOIN: that one is kept */
    cr_assert(eq(i64, write(go[1], "x", 1), 1));
    cr_assert(eq(i64, read(left[0], &byte, 1), 1));
    ask(CF_MSG_JOIN, 3); /* in the inbox when the handler returns */
    cr_assert(eq(i64, write(go[1], "x", 1), 1));
    for (uint64_t corr = 1; corr <= 3; corr++)
        cr_assert(peer_expect(peer, CF_MSG_DONE, corr, NULL));
}

Test(actor, keeps_a_bounded_number_of_bytes_and_refuses_requests_beyond)
{
    static char text[LARGE];
    const uint64_t n = CF_ACTOR_LATER_MAX / LARGE + 20;
    cf_metrics_text_t large = {{text, sizeof text}};
    uint64_t done = 0, refused = 0;
    cf_msg_t msg;
    ask(CF_MSG_CHECK, 1);
    for (uint64_t corr = 2; corr < 2 + n; corr++)
        peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_METRICS_TEXT, corr, ID, &large);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES);
    let_go();
    while (done + refused < n + 1) {
        cr_assert(peer_next(peer, &msg));
        done += msg.type == CF_MSG_DONE;
        refused += msg.type == CF_MSG_REFUSED;
    }
    cr_assert(gt(u64, refused, 0));
    cr_assert(le(u64, done, CF_ACTOR_LATER_MAX / LARGE + 2));
}

Test(actor, stops_though_nothing_more_can_be_kept)
{
    static char text[LARGE];
    const uint64_t n = CF_ACTOR_LATER_MAX / LARGE + 20;
    cf_metrics_text_t large = {{text, sizeof text}};
    ask(CF_MSG_CHECK, 1);
    for (uint64_t corr = 2; corr < 2 + n; corr++)
        peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_METRICS_TEXT, corr, ID, &large);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES);
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_STOP, 2 + n, ID, NULL);
    cr_assert(peer_await(peer, CF_MSG_STOPPED, 2 + n, NULL));
    actor_join(state.actor);
}

Test(actor, ends_every_wait_at_a_stop_and_handles_what_came_before_it)
{
    ask(CF_MSG_CHECK, 1);
    ask(CF_MSG_JOIN, 2);
    ask(CF_MSG_CHECK, 3);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES); /* all of that is in the actor */
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_STOP, 4, ID, NULL);
    cr_assert(eq(int, peer_await_refusal(peer, 1), CF_ECLOSING));
    cr_assert(peer_expect(peer, CF_MSG_DONE, 2, NULL));
    cr_assert(eq(int, peer_await_refusal(peer, 3), CF_ECLOSING));
    cr_assert(peer_expect(peer, CF_MSG_STOPPED, 4, NULL));
    actor_join(state.actor);
}

/* --- what no peer should send ------------------------------------------------------------------
 */

/* Send these bytes to the actor as they are. */
static void send_frame(const void *bytes, size_t size)
{
    void *push = zmq_socket(peer_bus()->zmq, ZMQ_PUSH);
    cr_assert(eq(int, zmq_connect(push, "inproc://lobby-0"), 0));
    cr_assert(eq(int, zmq_send(push, bytes, size, 0), (int)size));
    zmq_close(push);
}

Test(actor, drops_and_counts_frames_that_are_no_messages)
{
    static const uint8_t garbage[80] = {1, 0, 0xff, 0xff};
    uint64_t before = actor_counter(state.actor, CF_M_MALFORMED);
    send_frame(garbage, sizeof garbage);
    send_frame(garbage, 3);
    while (actor_counter(state.actor, CF_M_MALFORMED) < before + 2)
        ; /* ends with the suite's time limit */
}

Test(actor, refuses_and_counts_a_malformed_message_of_another_node)
{
    peer_t *stranger = peer_at_other_node(CF_ACTOR_GATEWAY);
    uint64_t before = actor_counter(state.actor, CF_M_MALFORMED);
    peer_send_malformed(stranger, CF_ACTOR_LOBBY, CF_MSG_JOIN, 7, ID);
    cr_assert(eq(int, peer_await_refusal(stranger, 7), CF_EPROTO));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_MALFORMED), before + 1));
}

Test(actor, refuses_a_message_it_has_no_handler_for_from_another_node)
{
    peer_t *stranger = peer_at_other_node(CF_ACTOR_GATEWAY);
    peer_send(stranger, CF_ACTOR_LOBBY, CF_MSG_METRICS, 8, ID, NULL);
    cr_assert(eq(int, peer_await_refusal(stranger, 8), CF_EPROTO));
    ask(CF_MSG_JOIN, 9);
    cr_assert(peer_await(peer, CF_MSG_DONE, 9, NULL)); /* it lives */
}

Test(actor, is_in_quarantine_after_a_frame_that_only_its_own_process_can_have_sent)
{
    static const uint8_t garbage[80] = {1, 0, 0xff, 0xff};
    ask(CF_MSG_CHECK, 1); /* it is found while a handler waits, */
    actor_counter(state.actor, CF_M_INBOX_MESSAGES);
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_QUARANTINED), 0));
    send_frame(garbage, sizeof garbage);
    while (actor_counter(state.actor, CF_M_QUARANTINED) == 0)
        ; /* ends with the suite's time limit */
    let_go();
    cr_assert(peer_await(peer, CF_MSG_DONE, 1, NULL));
    ask(CF_MSG_JOIN, 2); /* and it goes on */
    cr_assert(peer_await(peer, CF_MSG_DONE, 2, NULL));
}

#ifndef NDEBUG
Test(actor, aborts_where_assertions_are_on_when_its_own_process_errs, .signal = SIGABRT)
{
    ask(CF_MSG_JOIN, 1);
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_METRICS, 2, ID, NULL);
    peer_await(peer, CF_MSG_REFUSED, 2, NULL);
}
#endif

TestSuite(contained, .init = start_contained, .fini = actors_stop, .timeout = 60);

Test(contained, refuses_what_its_own_process_errs_in_as_internal_and_is_in_quarantine)
{
    peer_send_malformed(peer, CF_ACTOR_LOBBY, CF_MSG_JOIN, 1, ID);
    cr_assert(eq(int, peer_await_refusal(peer, 1), CF_EINTERNAL));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_QUARANTINED), 1));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_MALFORMED), 1));
    ask(CF_MSG_JOIN, 2); /* what it can read it serves */
    cr_assert(peer_expect(peer, CF_MSG_DONE, 2, NULL));
}

Test(contained, leaves_to_an_actor_what_it_can_contain_by_itself)
{
    state.contains = true;
    peer_send_malformed(peer, CF_ACTOR_LOBBY, CF_MSG_JOIN, 1, ID);
    cr_assert(eq(int, peer_await_refusal(peer, 1), CF_EINTERNAL));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_QUARANTINED), 0));
    cr_assert(eq(u64, state.quarantined, CF_MSG_JOIN));
}

Test(contained, answers_no_answer)
{
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_DONE, 1, ID, NULL); /* it has no handler for it */
    ask(CF_MSG_JOIN, 2);
    cr_assert(peer_expect(peer, CF_MSG_DONE, 2, NULL)); /* the first thing heard */
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_QUARANTINED), 1));
}

Test(contained, is_in_no_quarantine_for_what_another_node_says)
{
    peer_t *stranger = peer_at_other_node(CF_ACTOR_GATEWAY);
    peer_send(stranger, CF_ACTOR_LOBBY, CF_MSG_METRICS, 8, ID, NULL);
    cr_assert(eq(int, peer_await_refusal(stranger, 8), CF_EPROTO));
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_QUARANTINED), 0));
}

/* --- other ways to run -------------------------------------------------------------------------
 */

TestSuite(odd, .init = prepare, .fini = actors_stop, .timeout = 60);

Test(odd, drains_when_the_actor_says_so)
{
    actor_run(state.actor, &drains_later, &state);
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_DRAIN, 1, ID, NULL);
    ask(CF_MSG_JOIN, 2);
    cr_assert(peer_expect(peer, CF_MSG_DONE, 2, NULL));
    cr_assert(peer_expect(peer, CF_MSG_DRAINED, 1, NULL));
    ask(CF_MSG_JOIN, 3); /* once is enough */
    cr_assert(peer_expect(peer, CF_MSG_DONE, 3, NULL));
    ask(CF_MSG_JOIN, 4);
    cr_assert(peer_expect(peer, CF_MSG_DONE, 4, NULL));
}

Test(odd, runs_its_timers_without_any_message)
{
    state.timer_us = 1000;
    actor_run(state.actor, &ops, &state);
    while (actor_counter(state.actor, CF_M_CONNECTIONS) < 20)
        ; /* ends with the suite's time limit */
}

Test(odd, handles_at_once_what_came_while_a_timer_waited)
{
    char byte;
    actor_run(state.actor, &waits_in_due, &state);
    cr_assert(eq(i64, read(left[0], &byte, 1), 1));
    ask(CF_MSG_JOIN, 1);
    actor_counter(state.actor, CF_M_INBOX_MESSAGES);
    let_go();
    cr_assert(peer_expect(peer, CF_MSG_DONE, 1, NULL)); /* nothing else wakes the actor up */
}

Test(odd, begins_before_its_first_message_and_lets_it_wait)
{
    ask(CF_MSG_JOIN, 1);
    actor_run(state.actor, &waits_at_first, &state);
    cr_assert(eq(u64, actor_counter(state.actor, CF_M_CONNECTIONS), 0)); /* no turn yet */
    let_go();
    cr_assert(peer_expect(peer, CF_MSG_DONE, 1, NULL));
    cr_assert(eq(int, state.begun, 0));
}

Test(odd, gives_up_what_it_waits_for_when_it_is_to_end)
{
    actor_run(state.actor, &waits_at_first, &state);
    ask(CF_MSG_JOIN, 1);
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_DRAIN, 2, ID, NULL);
    cr_assert(peer_expect(peer, CF_MSG_DONE, 1, NULL)); /* the rest is handled as ever */
    cr_assert(peer_expect(peer, CF_MSG_DRAINED, 2, NULL));
    cr_assert(eq(int, state.begun, CF_ECLOSING));
}

static void *run_here(void *arg)
{
    cf_actor_run_here(arg, &ops, &state);
    return NULL;
}

Test(odd, runs_on_a_thread_of_the_callers)
{
    pthread_t thread;
    cr_assert(eq(int, pthread_create(&thread, NULL, run_here, state.actor), 0));
    ask(CF_MSG_JOIN, 1);
    cr_assert(peer_await(peer, CF_MSG_DONE, 1, NULL));
    peer_send(peer, CF_ACTOR_LOBBY, CF_MSG_STOP, 2, ID, NULL);
    cr_assert(peer_await(peer, CF_MSG_STOPPED, 2, NULL));
    cr_assert(eq(int, pthread_join(thread, NULL), 0));
    cr_assert(eq(u64, state.after_destroy, 1));
}

Test(odd, a_wait_ends_at_its_time)
{
    cr_assert(eq(int, cf_actor_wait(state.actor, -1, false, cf_boot_us() + 1000), CF_ETIME));
    cr_assert(eq(int, cf_actor_wait(state.actor, go[0], false, 0), CF_ETIME));
    let_go();
    cr_assert(eq(int, cf_actor_wait(state.actor, go[0], false, INT64_MAX), 0));
    cr_assert(eq(int, cf_actor_wait(state.actor, go[1], true, INT64_MAX), 0));
}

Test(odd, two_actors_cannot_have_one_address)
{
    cf_actor_t *second;
    cf_address_t taken = cf_actor_address(state.actor);
    cr_assert(eq(int, cf_actor_new(&second, peer_bus(), taken), CF_EIO));
}
