/* The limiter by messages alone, time as an argument. */
#include "limiter.h"

#include "err.h"
#include "wire/control.h"
#include "wire/limit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define GATEWAY ((cf_address_t){1, CF_ACTOR_GATEWAY, 0})
#define OTHER_GATEWAY ((cf_address_t){1, CF_ACTOR_GATEWAY, 1})
#define SECOND INT64_C(1000000)
#define BUCKETS 1000

static cf_limiter_t *limiter;
static cf_outbox_t *out, *scratch;
static cf_arena_t arena;
static int64_t now_us = 1000 * SECOND;
static uint64_t asked;
static uint32_t wait_ms; /* of the last refusal */

static void open_limiter(void)
{
    cf_address_t address = {1, CF_ACTOR_LIMITER, 0};
    cf_limiter_config_t config = {.limits = {{[CF_LIMIT_POSTS] = cf_limit(60, 60 * SECOND, 60),
                                              [CF_LIMIT_COMMANDS] = cf_limit(10, 60 * SECOND, 10),
                                              [CF_LIMIT_LOGINS] = cf_limit(10, 900 * SECOND, 10),
                                              [CF_LIMIT_UPGRADES] = cf_limit(2, SECOND, 5)}},
                                  .buckets_max = BUCKETS};
    cr_assert(cf_limiter_new(&limiter, &config) == 0);
    cr_assert(cf_outbox_new(&out, NULL, address) == 0);
    cr_assert(cf_outbox_new(&scratch, NULL, address) == 0);
}

static void close_limiter(void)
{
    cf_limiter_ops.destroy(limiter);
    cf_outbox_destroy(&out);
    cf_outbox_destroy(&scratch);
    cf_arena_free(&arena);
}

TestSuite(limiter, .init = open_limiter, .fini = close_limiter, .timeout = 60);

static cf_limit_key_t key_of(uint32_t n)
{
    cf_limit_key_t key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    return key;
}

static int tell(cf_address_t from, uint16_t type, const void *body)
{
    cf_msg_t msg,
        head = {.type = type, .corr = ++asked, .from = from, .to = cf_outbox_address(out)};
    cf_turn_t turn = {.boot_us = now_us, .out = out, .arena = &arena};
    int rc = CF_EPROTO;
    cr_assert(cf_outbox_put(scratch, &head, body) == 0 && cf_outbox_take(scratch, &msg));
    for (const cf_handler_t *row = cf_limiter_ops.handlers; row->type; row++)
        if (row->type == type)
            rc = row->handle(limiter, &turn, &msg);
    cf_arena_reset(&arena);
    return rc;
}

/* Returns the tokens granted; 0: refused, and wait_ms says how long to wait. */
static uint32_t take_by(cf_address_t from, uint32_t kind, uint32_t key, uint32_t want,
                        uint32_t most, uint32_t returned)
{
    cf_take_t take = {kind, key_of(key), want, most, returned};
    cf_granted_t granted = {0};
    cf_refused_t refused;
    cf_msg_t msg;
    cr_assert(eq(int, tell(from, CF_MSG_TAKE, &take), 0));
    cr_assert(cf_outbox_take(out, &msg) && msg.corr == asked && cf_address_equal(msg.to, from));
    if (msg.type == CF_MSG_GRANTED) {
        cr_assert(cf_msg_body(&granted, &msg, &arena) == 0);
        cr_assert(eq(u32, granted.lease_ms, CF_LEASE_MS));
    } else {
        cr_assert(eq(int, msg.type, CF_MSG_REFUSED));
        cr_assert(cf_msg_body(&refused, &msg, &arena) == 0);
        cr_assert(eq(int, -(int)refused.reason, CF_ELIMIT));
        wait_ms = refused.retry_after_ms;
    }
    cr_assert(not(cf_outbox_take(out, &msg)));
    return granted.tokens;
}

static uint32_t take(uint32_t kind, uint32_t key)
{
    return take_by(GATEWAY, kind, key, 1, 1, 0);
}

static void give_back(uint32_t kind, uint32_t key, uint32_t tokens)
{
    cf_msg_t msg;
    cf_give_back_t body = {kind, key_of(key), tokens};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_GIVE_BACK, &body), 0));
    cr_assert(not(cf_outbox_take(out, &msg)));
}

/* Runs the timers; the time of the next. */
static int64_t pass(void)
{
    cf_turn_t turn = {.boot_us = now_us, .out = out, .arena = &arena};
    return cf_limiter_ops.due(limiter, &turn);
}

static uint64_t figure(cf_metric_t metric)
{
    cf_limiter_ops.gauges(limiter);
    return cf_metric_slots[metric];
}

Test(limiter, grants_the_burst_refuses_what_is_more_and_says_when_to_come_again)
{
    for (int i = 0; i < 60; i++)
        cr_assert(eq(u32, take(CF_LIMIT_POSTS, 1), 1));
    cr_assert(eq(u32, take(CF_LIMIT_POSTS, 1), 0));
    cr_assert(eq(u32, wait_ms, 1000));
    cr_assert(eq(u64, figure(CF_M_LIMITED_POSTS), 1));
    now_us += SECOND - 1;
    cr_assert(eq(u32, take(CF_LIMIT_POSTS, 1), 0));
    now_us += 1;
    cr_assert(eq(u32, take(CF_LIMIT_POSTS, 1), 1));
    cr_assert(eq(u32, take(CF_LIMIT_POSTS, 1), 0));
}

Test(limiter, keeps_kinds_and_keys_apart)
{
    for (int i = 0; i < 10; i++)
        cr_assert(eq(u32, take(CF_LIMIT_COMMANDS, 1), 1));
    cr_assert(eq(u32, take(CF_LIMIT_COMMANDS, 1), 0));
    cr_assert(eq(u32, wait_ms, 6000));
    cr_assert(eq(u32, take(CF_LIMIT_COMMANDS, 2), 1));
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 1), 1));
}

Test(limiter, gives_a_bucket_once_however_many_ask_for_it)
{
    for (uint32_t i = 0; i < 60; i++)
        cr_assert(eq(u32, take_by(i % 2 ? GATEWAY : OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 1, 0), 1));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 0));
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 0));
}

Test(limiter, leases_more_than_is_wanted_while_the_bucket_stays_half_full)
{
    for (int left = 60; left > 32; left -= 4)
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 4));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 2)); /* 32: two above half */
    for (int left = 30; left > 0; left--)
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 1));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4, 0), 0));
}

Test(limiter, grants_what_there_is_of_what_is_wanted)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 7, 7, 0), 7));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 7, 7, 0), 3));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 4, 4, 0), 0));
    cr_assert(eq(u64, figure(CF_M_LIMITED_COMMANDS), 4));
}

Test(limiter, takes_a_lease_back_before_it_looks)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 10, 10, 0), 10));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 1, 1, 3), 1));
    give_back(CF_LIMIT_COMMANDS, 1, 1);
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 9, 9, 0), 3));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 1, 1, 0), 0));
}

Test(limiter, makes_nothing_out_of_what_comes_back_too_late)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 4, 4, 0), 4));
    now_us += 60 * SECOND; /* full again by itself */
    give_back(CF_LIMIT_COMMANDS, 1, 4);
    give_back(CF_LIMIT_COMMANDS, 2, 4); /* of a bucket that is not known */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 1000, 1000, 0), 10));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 2, 1000, 1000, 0), 10));
}

Test(limiter, lets_everything_pass_that_is_not_limited)
{
    for (uint32_t i = 0; i < 10000; i++)
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_API, 1, 3, 7, 0), 3));
    cr_assert(eq(u64, figure(CF_M_BUCKETS), 0));
}

Test(limiter, knows_no_kind_beyond_its_own)
{
    cf_take_t body = {.kind = CF_LIMIT_KINDS, .want = 1, .most = 1};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_TAKE, &body), CF_ERANGE));
    cf_give_back_t given = {.kind = CF_LIMIT_KINDS, .tokens = 1};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_GIVE_BACK, &given), CF_ERANGE));
}

Test(limiter, forgets_the_least_recently_used_at_its_bound)
{
    for (uint32_t key = 0; key < BUCKETS; key++)
        take_by(GATEWAY, CF_LIMIT_LOGINS, key, 10, 10, 0);
    cr_assert(eq(u64, figure(CF_M_BUCKETS), BUCKETS));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 0));
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 0), 0)); /* a refusal is a use as well */
    take(CF_LIMIT_LOGINS, BUCKETS);
    cr_assert(eq(u64, figure(CF_M_BUCKETS), BUCKETS));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 1));
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 0), 0)); /* still empty */
    for (uint32_t key = 2; key < BUCKETS; key++)
        cr_assert(eq(u32, take(CF_LIMIT_LOGINS, key), 0));
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 1), 1)); /* that one began anew */
}

Test(limiter, holds_its_bound_through_a_hundred_thousand_keys)
{
    for (uint32_t key = 0; key < 100000; key++)
        cr_assert(eq(u32, take(CF_LIMIT_UPGRADES, key), 1));
    cr_assert(eq(u64, figure(CF_M_BUCKETS), BUCKETS));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 100000 - BUCKETS));
    for (uint32_t key = 100000 - BUCKETS; key < 100000; key++) /* what is there is found */
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_UPGRADES, key, 5, 5, 0), 4));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 100000 - BUCKETS));
}

Test(limiter, forgets_what_is_full_and_rests)
{
    cr_assert(eq(i64, pass(), INT64_MAX));
    for (uint32_t key = 0; key < BUCKETS; key++)
        take(CF_LIMIT_POSTS, key);
    int64_t next_us = pass();
    cr_assert(eq(i64, next_us, now_us + 900 * SECOND + 1)); /* by then every kind is full */
    now_us = next_us - 1;
    take(CF_LIMIT_POSTS, 7);
    cr_assert(eq(i64, pass(), next_us));
    now_us = next_us;
    while (pass() == now_us) /* some in each turn */
        ;
    cr_assert(eq(u64, figure(CF_M_BUCKETS), 1));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 0));
    for (uint32_t key = 0; key < BUCKETS; key++) /* and has room for as many again */
        take(CF_LIMIT_POSTS, 1000000 + key);
    cr_assert(eq(u64, figure(CF_M_BUCKETS), BUCKETS));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 1));
}

Test(limiter, takes_no_notice_of_the_wall_clock)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 10, 10, 0), 10));
    cf_turn_t turn = {.wall_us = INT64_MAX, .boot_us = now_us, .out = out, .arena = &arena};
    cf_limiter_ops.due(limiter, &turn);
    cr_assert(eq(u32, take(CF_LIMIT_COMMANDS, 1), 0));
}

Test(limiter, reads_its_limits_from_the_settings)
{
    cf_config_t config;
    cf_buf_t report = {0};
    static const char *const sets[] = {"limits.posts_per_minute=7", "limits.upgrades_per_second=9",
                                       "limits.commands_per_minute=0", "limits.failed_logins=3",
                                       "limits.failed_logins_window=10s"};
    cf_config_sources_t sources = {.sets = sets, .set_count = 5};
    cr_assert(eq(int, cf_config_load(&config, &sources, &report), 0));
    cf_limits_t limits = cf_limits_of(&config);
    const struct {
        cf_limit_kind_t kind;
        cf_limit_t limit;
    } rows[] = {{CF_LIMIT_POSTS, {7, 60 * SECOND, 7}},    {CF_LIMIT_UPGRADES, {9, SECOND, 9}},
                {CF_LIMIT_COMMANDS, {0, 60 * SECOND, 0}}, {CF_LIMIT_LOGINS, {3, 10 * SECOND, 3}},
                {CF_LIMIT_AUTH, {5, SECOND, 10}},         {CF_LIMIT_API, {20, SECOND, 50}},
                {CF_LIMIT_ADDRESS, {200, SECOND, 200}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const cf_limit_t *limit = &limits.of[rows[i].kind];
        cr_assert(eq(i64, limit->rate, rows[i].limit.rate));
        cr_assert(eq(i64, limit->period_us, rows[i].limit.period_us));
        cr_assert(eq(i64, limit->burst, rows[i].limit.burst));
    }
    cf_config_free(&config);
    cf_buf_free(&report);
}
