/* The limiter by messages alone, time as an argument. */
#include "limiter.h"

#include "err.h"
#include "lease.h"
#include "rendezvous.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/node.h"

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
static uint32_t wait_ms;      /* of the last refusal */
static uint32_t lease_number; /* of the last grant */

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

static cf_granted_t ask(cf_address_t from, cf_take_t take)
{
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
    lease_number = granted.lease;
    return granted;
}

/* Returns the tokens granted; 0: refused, and wait_ms says how long to wait. */
static uint32_t take_by(cf_address_t from, uint32_t kind, uint32_t key, uint32_t want,
                        uint32_t most)
{
    return ask(from, (cf_take_t){.kind = kind, .key = key_of(key), .want = want, .most = most})
        .tokens;
}

static uint32_t take(uint32_t kind, uint32_t key)
{
    return take_by(GATEWAY, kind, key, 1, 1);
}

/* All there is of POSTS 1 for whoever settles this first. */
static uint32_t take_all(cf_spent_t spent)
{
    cf_take_t all = {CF_LIMIT_POSTS, key_of(1), CF_TAKE_MAX, 1, spent};
    return ask(GATEWAY, all).tokens;
}

static void settle(uint32_t kind, uint32_t key, cf_spent_t spent)
{
    cf_msg_t msg;
    cf_settle_t body = {kind, key_of(key), spent};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_SETTLE, &body), 0));
    cr_assert(not(cf_outbox_take(out, &msg)));
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
        cr_assert(eq(u32, take_by(i % 2 ? GATEWAY : OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 1), 1));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 4), 0));
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 4), 0));
}

Test(limiter, grants_what_there_is_of_what_is_wanted)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 7, 7), 7));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 7, 7), 3));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 4, 4), 0));
    cr_assert(eq(u64, figure(CF_M_LIMITED_COMMANDS), 4));
}

Test(limiter, makes_nothing_out_of_what_comes_back_too_late)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 4, 4), 4));
    now_us += 60 * SECOND; /* full again by itself */
    give_back(CF_LIMIT_COMMANDS, 1, 4);
    give_back(CF_LIMIT_COMMANDS, 2, 4); /* of a bucket that is not known */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 1000, 1000), 10));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 2, 1000, 1000), 10));
}

/* --- leases ------------------------------------------------------------------------------------
 */

#define MOST (1 + 64)

/* A token of POSTS 1 and a lease besides; how many are on it. */
static uint32_t lease_by(cf_address_t from, cf_spent_t spent)
{
    return ask(from, (cf_take_t){CF_LIMIT_POSTS, key_of(1), 1, MOST, spent}).tokens - 1;
}

static cf_spent_t spent_of(uint32_t tokens, int64_t seconds_missing)
{
    return (cf_spent_t){lease_number, tokens, (uint64_t)(seconds_missing * 60 * SECOND)};
}

Test(limiter, leases_a_quarter_of_the_burst_and_only_what_is_above_half)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));             /* of 60; 44 left */
    cr_assert(eq(u32, lease_by(GATEWAY, spent_of(15, 15)), 13));            /* 30 left */
    cr_assert(eq(u32, lease_by(GATEWAY, spent_of(13, 13)), 0));             /* 29 */
    cr_assert(eq(u32, lease_number, 0));                                    /* is none */
    now_us += 2 * SECOND;                                                   /* 31 */
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 0));              /* 30 */
    now_us += 2 * SECOND;                                                   /* 32 */
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 1));              /* 30 */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 1, MOST), 3)); /* of 10 */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_LOGINS, 1, 1, 2), 2));      /* no more than asked */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_LOGINS, 2, 4, 4), 4));      /* for */
    cr_assert(eq(u32, lease_number, 0));
}

Test(limiter, has_one_lease_of_a_bucket_out_at_a_time)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    uint32_t first = lease_number;
    cr_assert(eq(u32, lease_by(OTHER_GATEWAY, (cf_spent_t){0}), 0));
    settle(CF_LIMIT_POSTS, 1, (cf_spent_t){first, 0, 0});
    cr_assert(eq(u32, lease_by(OTHER_GATEWAY, (cf_spent_t){0}), 15));
    cr_assert(ne(u32, lease_number, first));
}

Test(limiter, gives_what_is_on_lease_to_nobody_else_however_long_it_lasts)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    cf_spent_t none = {lease_number, 0, 0};
    now_us +=
        (CF_LEASE_MS + CF_LEASE_KEPT_MS) * 1000; /* the bucket would be full again by itself */
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1000, 1000), 45));
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 1), 0));
    cr_assert(eq(u32, wait_ms, 1000));
    settle(CF_LIMIT_POSTS, 1, none);
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1000, 1000), 15));
}

Test(limiter, counts_leased_tokens_as_spent_when_they_were)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    now_us += 30 * SECOND;
    cr_assert(eq(u32, lease_by(GATEWAY, spent_of(15, 0)), 15)); /* early: all came back */
    now_us += 30 * SECOND;
    cr_assert(eq(u32, lease_by(GATEWAY, spent_of(15, 4)), 15)); /* four were spent late */
    now_us += 5 * SECOND;                                       /* 44 - 4 + 5 */
    cr_assert(
        eq(u32, take_all(spent_of(10, 10)), 60 - 10)); /* it was full, and ten went just now */
}

Test(limiter, charges_no_more_time_than_tokens_for_what_was_spent)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    now_us += 30 * SECOND;
    cr_assert(eq(u32, take_all((cf_spent_t){lease_number, 2, UINT64_MAX}), 58));
}

Test(limiter, counts_a_lease_as_spent_by_then_when_others_ask)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    cf_spent_t early = spent_of(15, 0);
    now_us += 60 * SECOND; /* it is full */
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 1), 1));
    now_us += 2 * SECOND;
    cr_assert(eq(u32, take_all(early), 60 - 15 - 1 + 2)); /* and not 60 */
}

Test(limiter, counts_a_lease_as_spent_that_is_never_settled)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    cf_spent_t late = spent_of(15, 15);
    now_us += CF_LEASE_LOST_MS * 1000 - 1;
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1000, 1000), 45));
    now_us += 1;
    cr_assert(eq(u32, take_all((cf_spent_t){0}), 0));
    now_us += 60 * SECOND;
    cr_assert(eq(u32, take_all((cf_spent_t){0}), 60)); /* and the bucket as it ever was */
    now_us += 60 * SECOND;
    cr_assert(eq(u32, lease_by(OTHER_GATEWAY, (cf_spent_t){0}), 15));
    cf_spent_t none = spent_of(0, 0);
    settle(CF_LIMIT_POSTS, 1, late); /* counts once more, and the newer lease stays */
    cr_assert(eq(u32, take_all((cf_spent_t){0}), 60 - 1 - 15 - 15));
    cr_assert(eq(u32, take_all(none), 15));
}

Test(limiter, counts_a_lost_lease_as_spent_at_its_end_and_not_when_it_is_seen)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    now_us += CF_LEASE_LOST_MS * 1000 + 10 * SECOND;
    cr_assert(eq(u32, take_all((cf_spent_t){0}), 45 + 10));
}

Test(limiter, charges_what_was_spent_of_a_lease_it_has_forgotten)
{
    cr_assert(eq(u32, take_all((cf_spent_t){4711, 7, 0}), 53));
    settle(CF_LIMIT_POSTS, 2, (cf_spent_t){4711, 7, 0}); /* the bucket is not known */
    cr_assert(eq(u64, figure(CF_M_BUCKETS), 1));
    settle(CF_LIMIT_POSTS, 1, (cf_spent_t){4711, CF_TAKE_MAX, 0}); /* not below empty */
    now_us += 60 * SECOND;
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    cf_spent_t spent = spent_of(15, 15);
    now_us += 60 * SECOND;
    settle(CF_LIMIT_POSTS, 1, (cf_spent_t){4711, 10, 0}); /* beside another */
    cr_assert(eq(u32, take_all(spent), 60 - 10 - 15));
}

Test(limiter, takes_a_settling_for_a_use)
{
    for (uint32_t key = 0; key < BUCKETS; key++)
        take_by(GATEWAY, CF_LIMIT_LOGINS, key, 10, 10);
    settle(CF_LIMIT_LOGINS, 0, (cf_spent_t){0});
    take(CF_LIMIT_LOGINS, BUCKETS);
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 0), 0)); /* still there, and empty */
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, 1), 1));
}

Test(limiter, charges_what_was_spent_beyond_the_lease)
{
    cr_assert(eq(u32, lease_by(GATEWAY, (cf_spent_t){0}), 15));
    cr_assert(eq(u32, take_all(spent_of(20, 20)), 60 - 1 - 20));
}

/* --- leases at random, against one bucket that everybody asks for each post -----------------------
 */

#define ASKERS 3

typedef struct {
    cf_address_t address;
    cf_lease_t lease;
    bool is_stuck; /* does not settle in time */
} asker_t;

typedef struct {
    cf_limit_t limit;
    uint32_t random;
    asker_t askers[ASKERS];
    cf_bucket_t bucket; /* what the user has by his limit */
    int64_t most;       /* tokens that were in it when a post was refused, at most */
} game_t;

static uint32_t below(game_t *game, uint32_t n)
{
    game->random ^= game->random << 13;
    game->random ^= game->random >> 17;
    game->random ^= game->random << 5;
    return game->random % n;
}

static void open_game(game_t *game, cf_limit_t limit)
{
    close_limiter();
    cf_address_t address = {1, CF_ACTOR_LIMITER, 0};
    cf_limiter_config_t config = {.limits = {{[CF_LIMIT_POSTS] = limit}}, .buckets_max = 10};
    cr_assert(cf_limiter_new(&limiter, &config) == 0);
    cr_assert(cf_outbox_new(&out, NULL, address) == 0);
    cr_assert(cf_outbox_new(&scratch, NULL, address) == 0);
    *game = (game_t){.limit = limit, .random = 2463534242};
    for (uint16_t i = 0; i < ASKERS; i++)
        game->askers[i].address = (cf_address_t){1, CF_ACTOR_GATEWAY, i};
}

/* As a gateway does it. */
static bool may_post(game_t *game, asker_t *asker)
{
    if (cf_lease_has(&asker->lease, now_us)) {
        cf_lease_spend(&asker->lease, &game->limit, now_us);
        return true;
    }
    cf_spent_t spent = cf_lease_spent(&asker->lease, &game->limit, now_us);
    cf_granted_t granted =
        ask(asker->address, (cf_take_t){CF_LIMIT_POSTS, key_of(1), 1, MOST, spent});
    cf_lease_begin(&asker->lease, &granted, 1, now_us);
    return granted.tokens > 0;
}

static void settle_in_time(game_t *game, asker_t *asker)
{
    settle(CF_LIMIT_POSTS, 1, cf_lease_spent(&asker->lease, &game->limit, now_us));
    asker->lease = (cf_lease_t){0};
}

static asker_t *next_to_settle(game_t *game, int64_t *due_us)
{
    asker_t *next = NULL;
    for (int i = 0; i < ASKERS; i++) {
        asker_t *asker = &game->askers[i];
        int64_t us = asker->lease.until_us + CF_LEASE_KEPT_MS * 1000;
        if (cf_lease_is_open(&asker->lease) && !asker->is_stuck && us <= *due_us) {
            *due_us = us;
            next = asker;
        }
    }
    return next;
}

/* Now dense, now scarce, and now and then long silence. */
static void let_time_pass(game_t *game)
{
    int64_t token_us = game->limit.period_us / game->limit.rate, upto_us = now_us;
    uint32_t pace = below(game, 1000);
    if (pace < 600)
        upto_us += below(game, (uint32_t)(token_us / 4 + 1));
    else if (pace < 998)
        upto_us += below(game, (uint32_t)(token_us * 3 + 1));
    else
        upto_us += below(game, 4) * game->limit.burst * token_us / 2 + 7;
    int64_t due_us = upto_us;
    for (asker_t *asker; (asker = next_to_settle(game, &due_us)); due_us = upto_us) {
        now_us = due_us > now_us ? due_us : now_us;
        settle_in_time(game, asker);
    }
    now_us = upto_us > now_us ? upto_us : now_us;
}

static const cf_limit_t games[] = {
    {60, 60 * SECOND, 60},  {10, 60 * SECOND, 10},           {2, SECOND, 5},
    {7, 60 * SECOND, 400},  {1000000, 60 * SECOND, 1000000}, {20, 1, 20},
    {1, 86400 * SECOND, 40}};
#define GAMES (sizeof games / sizeof games[0])

Test(limiter, lets_one_gateway_pass_what_the_limit_says_and_not_a_token_less)
{
    for (size_t i = 0; i < GAMES; i++) {
        game_t game;
        open_game(&game, games[i]);
        for (int posts = 0; posts < 50000; posts++) {
            let_time_pass(&game);
            bool may = cf_bucket_try(&game.bucket, &game.limit, now_us) == 0;
            cr_assert(may_post(&game, &game.askers[0]) == may, "game %zu, post %d", i, posts);
        }
    }
}

/* With gateways that vanish or are late to settle, if `faulty`. */
static void play_with_many(game_t *game, bool faulty)
{
    uint32_t at = 0;
    for (int posts = 0; posts < 50000; posts++) {
        let_time_pass(game);
        at = below(game, 10) ? at : below(game, ASKERS);
        asker_t *asker = &game->askers[at];
        if (faulty && below(game, 200) == 0)
            asker->lease = (cf_lease_t){0};
        asker->is_stuck = faulty && below(game, 50) == 0;
        int64_t tokens = cf_bucket_tokens(&game->bucket, &game->limit, now_us);
        if (may_post(game, asker)) {
            cr_assert(gt(i64, tokens, 0), "post %d is beyond the limit", posts);
            cf_bucket_take(&game->bucket, &game->limit, 1);
        } else if (tokens > game->most) {
            game->most = tokens;
        }
    }
}

Test(limiter, lets_several_gateways_pass_no_more_than_the_limit_and_little_less)
{
    for (size_t i = 0; i < GAMES; i++) {
        game_t game;
        open_game(&game, games[i]);
        play_with_many(&game, false);
        cr_assert(le(i64, game.most, game.limit.burst / 4 + 1), "game %zu", i);
    }
}

Test(limiter, lets_nobody_pass_more_than_the_limit_when_gateways_vanish_or_are_late)
{
    for (size_t i = 0; i < GAMES; i++) {
        game_t game;
        open_game(&game, games[i]);
        play_with_many(&game, true);
    }
}

Test(limiter, lets_everything_pass_that_is_not_limited)
{
    for (uint32_t i = 0; i < 10000; i++)
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_API, 1, 3, 7), 3));
    cr_assert(eq(u64, figure(CF_M_BUCKETS), 0));
}

Test(limiter, knows_no_kind_beyond_its_own)
{
    cf_take_t body = {.kind = CF_LIMIT_KINDS, .want = 1, .most = 1};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_TAKE, &body), CF_ERANGE));
    cf_give_back_t given = {.kind = CF_LIMIT_KINDS, .tokens = 1};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_GIVE_BACK, &given), CF_ERANGE));
    cf_settle_t settled = {.kind = CF_LIMIT_KINDS};
    cr_assert(eq(int, tell(GATEWAY, CF_MSG_SETTLE, &settled), CF_ERANGE));
}

Test(limiter, forgets_the_least_recently_used_at_its_bound)
{
    for (uint32_t key = 0; key < BUCKETS; key++)
        take_by(GATEWAY, CF_LIMIT_LOGINS, key, 10, 10);
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
        cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_UPGRADES, key, 5, 5), 4));
    cr_assert(eq(u64, figure(CF_M_BUCKETS_EVICTED), 100000 - BUCKETS));
}

Test(limiter, forgets_what_is_full_and_rests)
{
    cr_assert(eq(i64, pass(), INT64_MAX));
    for (uint32_t key = 0; key < BUCKETS; key++)
        take(CF_LIMIT_POSTS, key);
    int64_t next_us = pass();
    /* by then no lease is out, and every kind is full */
    cr_assert(eq(i64, next_us, now_us + CF_LEASE_LOST_MS * 1000 + 900 * SECOND + 1));
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

/* --- several nodes ----------------------------------------------------------------------------
 */

#define MESH ((cf_address_t){1, CF_ACTOR_MESH, 0})

static void node_here(uint32_t node, bool came_before)
{
    cf_msg_t msg;
    cf_node_here_t here = {.node = node,
                           .name = cf_str("n"),
                           .endpoint = cf_str("tcp://10.0.0.2:7000"),
                           .public_key = cf_str("0123456789012345678901234567890123456789"),
                           .came_before = came_before,
                           .roles = 3};
    cr_assert(eq(int, tell(MESH, CF_MSG_NODE_HERE, &here), 0));
    cr_assert(not(cf_outbox_take(out, &msg)));
}

static void node_gone(uint32_t node)
{
    cf_msg_t msg;
    cr_assert(eq(int, tell(MESH, CF_MSG_NODE_GONE, &(cf_node_gone_t){node}), 0));
    cr_assert(not(cf_outbox_take(out, &msg)));
}

/* The first key from n on that is (or is not) rather node 2's than this one's. */
static uint32_t key_of_two(uint32_t n, bool is_of_two)
{
    for (;; n++) {
        cf_limit_key_t key = key_of(n);
        cf_id_t id;
        memcpy(id.bytes, key.bytes, sizeof id.bytes);
        if ((cf_rendezvous(id, 2) > cf_rendezvous(id, 1)) == is_of_two)
            return n;
    }
}

static uint32_t posts_left(uint32_t key)
{
    return take_by(GATEWAY, CF_LIMIT_POSTS, key, CF_TAKE_MAX, CF_TAKE_MAX);
}

Test(limiter, a_node_that_comes_takes_nothing_from_a_bucket_that_stays)
{
    uint32_t stays = key_of_two(1, false);
    cr_assert(eq(u32, take(CF_LIMIT_POSTS, stays), 1));
    node_here(2, false);
    node_here(2, false);
    cr_assert(eq(u32, posts_left(stays), 59));
    cr_assert(eq(u32, posts_left(key_of_two(stays + 1, false)), 60));
}

Test(limiter, who_asks_here_for_what_is_another_nodes_gets_a_share)
{
    node_here(2, false);
    cr_assert(
        eq(u32, posts_left(key_of_two(1, true)), 30)); /* a gateway that does not know it yet */
    node_here(3, false);
    cr_assert(eq(u32, posts_left(key_of_two(100, true)), 20));
}

Test(limiter, buckets_of_a_node_that_is_gone_begin_with_a_share_until_they_would_be_full)
{
    uint32_t its = key_of_two(1, true), next = key_of_two(its + 1, true);
    node_here(2, false);
    node_gone(2);
    node_gone(2);
    cr_assert(eq(u32, posts_left(key_of_two(1, false)), 60)); /* was never its */
    cr_assert(eq(u32, posts_left(its), 30));
    cr_assert(eq(u32, posts_left(its), 0));
    now_us += 59 * SECOND;
    cr_assert(eq(u32, posts_left(next), 30));
    now_us += 2 * SECOND;
    cr_assert(eq(u32, posts_left(key_of_two(next + 1, true)), 60));
    cr_assert(eq(u32, take(CF_LIMIT_LOGINS, its), 1)); /* takes 15 minutes to fill */
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_LOGINS, its, 10, 10), 4));
}

Test(limiter, a_node_that_came_to_others_begins_with_shares_of_all)
{
    node_here(2, true);
    cr_assert(eq(u32, posts_left(key_of_two(1, false)), 30));
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 10, 10), 5));
    now_us += 61 * SECOND;
    cr_assert(eq(u32, posts_left(key_of_two(100, false)), 60));
}

Test(limiter, a_share_is_one_token_at_least)
{
    for (uint32_t node = 2; node < 10; node++)
        node_here(node, true);
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_UPGRADES, 1, 5, 5), 1));
}

Test(limiter, what_is_settled_of_another_nodes_lease_ends_none_of_its_own)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_POSTS, 1, 1, 64), 16));
    uint32_t elsewhere = lease_number;
    close_limiter(); /* the bucket moves */
    open_limiter();
    cr_assert(eq(u32, take_by(OTHER_GATEWAY, CF_LIMIT_POSTS, 1, 1, 64), 16));
    settle(CF_LIMIT_POSTS, 1, (cf_spent_t){.lease = elsewhere, .tokens = 2});
    cr_assert(eq(u32, take_all((cf_spent_t){0}), 42)); /* of 60, without one, 15 on lease and 2 */
}

Test(limiter, gives_gateways_of_all_nodes_one_bucket)
{
    cf_address_t far = {2, CF_ACTOR_GATEWAY, 0};
    uint32_t key = key_of_two(1, false);
    node_here(2, false);
    cr_assert(eq(u32, take_by(far, CF_LIMIT_POSTS, key, 50, 50), 50));
    cr_assert(eq(u32, posts_left(key), 10));
    cr_assert(eq(u32, take_by(far, CF_LIMIT_POSTS, key, 1, 1), 0));
}

Test(limiter, takes_no_notice_of_the_wall_clock)
{
    cr_assert(eq(u32, take_by(GATEWAY, CF_LIMIT_COMMANDS, 1, 10, 10), 10));
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
