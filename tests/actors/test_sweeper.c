/* sweeper as a real thread: the test is storage. */
#include "sweeper.h"

#include "clock.h"
#include "metrics.h"
#include "peer.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define KEY_TTL_US INT64_C(3600000000)

static cf_actor_t *actor;
static peer_t *storage;

static int64_t dead_letters_ttl_us = 2 * KEY_TTL_US, posts_ttl_us;

static void start_every(int64_t interval_us)
{
    cf_sweeper_t *state;
    cf_sweeper_config_t config = {.first_us = 1000,
                                  .interval_us = interval_us,
                                  .key_ttl_us = KEY_TTL_US,
                                  .dead_letters_ttl_us = dead_letters_ttl_us,
                                  .posts_ttl_us = posts_ttl_us};
    actor = actor_at(CF_ACTOR_SWEEPER, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    cr_assert(eq(int, cf_sweeper_new(&state, &config), 0));
    actor_run(actor, &cf_sweeper_ops, state);
}

static void answer(const cf_msg_t *msg, uint32_t count)
{
    peer_answer(storage, msg, CF_MSG_EXPIRED, &(cf_expired_t){count});
}

TestSuite(sweeper, .fini = actors_stop, .timeout = 60);

Test(sweeper, asks_for_sessions_until_now_and_keys_until_their_time_ago)
{
    cf_msg_t msg;
    cf_expire_t expire;
    int64_t before_us = cf_wall_us();
    start_every(INT64_C(3600000000));
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_SESSIONS, 0, &msg, &expire));
    cr_assert(ge(i64, expire.until_us, before_us));
    cr_assert(le(i64, expire.until_us, cf_wall_us()));
    cr_assert(eq(u32, expire.limit, CF_SWEEP_LIMIT));
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_KEYS, 0, &msg, &expire));
    cr_assert(ge(i64, expire.until_us, before_us - KEY_TTL_US));
    cr_assert(le(i64, expire.until_us, cf_wall_us() - KEY_TTL_US));
}

Test(sweeper, asks_for_dead_letters_and_posts_until_their_times_ago)
{
    cf_msg_t msg;
    cf_expire_t expire;
    int64_t before_us = cf_wall_us();
    posts_ttl_us = 3 * KEY_TTL_US;
    start_every(INT64_C(3600000000));
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_DEAD_LETTERS, 0, &msg, &expire));
    cr_assert(ge(i64, expire.until_us, before_us - 2 * KEY_TTL_US));
    cr_assert(le(i64, expire.until_us, cf_wall_us() - 2 * KEY_TTL_US));
    answer(&msg, 3);
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_POSTS, 0, &msg, &expire));
    cr_assert(ge(i64, expire.until_us, before_us - 3 * KEY_TTL_US));
    cr_assert(le(i64, expire.until_us, cf_wall_us() - 3 * KEY_TTL_US));
    cr_assert(eq(u32, expire.limit, CF_SWEEP_LIMIT));
    answer(&msg, CF_SWEEP_LIMIT + 2); /* a store may let a few more go */
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_POSTS, 0, &msg, NULL));
    while (actor_counter(actor, CF_M_POSTS_EXPIRED) < CF_SWEEP_LIMIT + 2 ||
           actor_counter(actor, CF_M_DEAD_LETTERS_EXPIRED) < 3)
        ; /* ends with the suite's time limit */
}

/* --- several nodes: without a thread, this is node 5 --------------------------------------------
 */

static void tell_of(cf_sweeper_t *sweeper, cf_outbox_t *out, uint16_t type, const void *body)
{
    cf_address_t mesh = {5, CF_ACTOR_MESH, 0};
    cf_arena_t arena = {0};
    cf_buf_t frame = {0};
    cf_msg_t msg, head = {.type = type, .from = mesh, .to = cf_outbox_address(out)};
    cf_turn_t turn = {.out = out, .arena = &arena};
    cr_assert(eq(int, cf_msg_encode(&frame, &head, body), 0));
    cr_assert(eq(int, cf_msg_decode(&msg, frame.data, frame.size), 0));
    for (const cf_handler_t *row = cf_sweeper_ops.handlers; row->type; row++)
        if (row->type == type)
            cr_assert(eq(int, row->handle(sweeper, &turn, &msg), 0));
    cf_buf_free(&frame);
    cf_arena_free(&arena);
}

static void node_here(cf_sweeper_t *sweeper, cf_outbox_t *out, uint32_t node)
{
    cf_node_here_t here = {.node = node,
                           .name = cf_str("n"),
                           .endpoint = cf_str("tcp://10.0.0.2:7000"),
                           .public_key = cf_str("0123456789012345678901234567890123456789"),
                           .roles = 3};
    tell_of(sweeper, out, CF_MSG_NODE_HERE, &here);
}

/* How much it asks storage for when its time has come. */
static int sweeps_at(cf_sweeper_t *sweeper, cf_outbox_t *out, int64_t now_us)
{
    cf_msg_t msg;
    int n = 0;
    cf_turn_t turn = {.wall_us = 4 * KEY_TTL_US, .boot_us = now_us, .out = out};
    cf_sweeper_ops.due(sweeper, &turn);
    while (cf_outbox_take(out, &msg))
        n++;
    return n;
}

Test(sweeper, of_several_nodes_the_one_with_the_smallest_number_sweeps)
{
    cf_sweeper_t *sweeper;
    cf_outbox_t *out;
    cf_sweeper_config_t config = {.first_us = 0, .interval_us = 10, .key_ttl_us = KEY_TTL_US};
    cr_assert(eq(int, cf_sweeper_new(&sweeper, &config), 0));
    cr_assert(eq(int, cf_outbox_new(&out, NULL, (cf_address_t){5, CF_ACTOR_SWEEPER, 0}), 0));
    cr_assert(eq(int, sweeps_at(sweeper, out, 100), 2));
    node_here(sweeper, out, 7);
    cr_assert(eq(int, sweeps_at(sweeper, out, 200), 2));
    node_here(sweeper, out, 3);
    cr_assert(eq(int, sweeps_at(sweeper, out, 300), 0));
    tell_of(sweeper, out, CF_MSG_NODE_GONE, &(cf_node_gone_t){3});
    cr_assert(eq(int, sweeps_at(sweeper, out, 400), 2));
    cf_outbox_destroy(&out);
    cf_sweeper_destroy(&sweeper);
}

Test(sweeper, leaves_alone_what_is_kept_for_ever)
{
    cf_msg_t msg;
    dead_letters_ttl_us = 0;
    start_every(1000);
    for (int i = 0; i < 8; i++) {
        cr_assert(peer_next(storage, &msg));
        cr_assert(msg.type == CF_MSG_EXPIRE_SESSIONS || msg.type == CF_MSG_EXPIRE_KEYS, "%s",
                  cf_msg_name(msg.type));
    }
}

Test(sweeper, asks_again_at_once_while_batches_come_back_full_and_counts)
{
    cf_msg_t msg;
    start_every(INT64_C(3600000000));
    for (int i = 0; i < 3; i++) {
        cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_SESSIONS, 0, &msg, NULL));
        answer(&msg, i < 2 ? CF_SWEEP_LIMIT : 7);
    }
    while (actor_counter(actor, CF_M_SESSIONS_EXPIRED) < 2 * CF_SWEEP_LIMIT + 7)
        ; /* ends with the suite's time limit */
    cr_assert(eq(u64, actor_counter(actor, CF_M_SESSIONS_EXPIRED), 2 * CF_SWEEP_LIMIT + 7));
    cr_assert(eq(u64, actor_counter(actor, CF_M_KEYS_EXPIRED), 0));
}

Test(sweeper, sweeps_again_after_a_refusal_and_after_silence)
{
    cf_msg_t msg;
    start_every(20000);
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_KEYS, 0, &msg, NULL));
    peer_refuse(storage, &msg, CF_EIO);
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_KEYS, 0, &msg, NULL)); /* no answer to it */
    cr_assert(peer_await_msg(storage, CF_MSG_EXPIRE_KEYS, 0, &msg, NULL));
    answer(&msg, 5);
    while (actor_counter(actor, CF_M_KEYS_EXPIRED) < 5)
        ; /* ends with the suite's time limit */
}
