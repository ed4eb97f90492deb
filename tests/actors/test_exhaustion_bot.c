/* Failed allocations: the bot with a played quote service and storage. The scenario is run once to
 * count what the bot allocates, then once for each allocation with that one failing. Every command is
 * answered once all the same, and the same scenario afterwards goes as if nothing had happened. */
#include "failing_malloc.h"
#include "stockbot.h"
#include "wire/bot.h"
#include "wire/control.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE 1
#define COMMANDS_MAX 64
#define REQUESTS_MAX 64
#define T0 INT64_C(1700000000000000)
#define CSV "Symbol,Date,Time,Open,High,Low,Close,Volume\nA,d,t,1,2,3,4.5,6\n"

static const cf_address_t rooms = {NODE, CF_ACTOR_ROOMS, 0};
static const cf_address_t bot_at = {NODE, CF_ACTOR_STOCKBOT, 0};
static const cf_address_t storage = {NODE, CF_ACTOR_STORAGE, 0};

typedef struct {
    char code;
    cf_http_done_fn *done;
    void *arg;
    bool is_open;
} played_t;

static struct {
    cf_stockbot_t *bot;
    cf_outbox_t *out, *scratch;
    cf_arena_t arena;
    int64_t now_us;
    played_t played[REQUESTS_MAX];
    int n_played;
    uint16_t got[COMMANDS_MAX]; /* by correlation id: what it was answered */
    char text[COMMANDS_MAX][64];
    uint64_t asked;
    int letters;
    uint64_t unstored[COMMANDS_MAX]; /* correlation ids of dead letters to be told DONE */
    int n_unstored;
    unsigned long failing;
    unsigned in_a_row;
} world;

#define ensure(what) cr_assert(what, "allocation %lu, %u in a row", world.failing, world.in_a_row)

/* --- the service: A a quote, B 404, C 503 once and then a quote, D silence -----------------------
 */

static int play_ask(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
                    cf_http_done_fn *done, void *arg, void **request)
{
    (void)http;
    (void)ask;
    (void)timeout_ms;
    cr_assert(world.n_played < REQUESTS_MAX);
    played_t *at = &world.played[world.n_played++];
    *at = (played_t){strstr(url, "?s=")[3], done, arg, true};
    *request = at;
    return 0;
}

static void play_cancel(void *http, void *request)
{
    (void)http;
    ((played_t *)request)->is_open = false;
}

static int64_t play_due(void *http)
{
    (void)http;
    return INT64_MAX;
}

static void play_run(void *http)
{
    static const cf_http_answer_t quote = {.status = 200, .body = {CSV, sizeof CSV - 1}},
                                  missing = {.status = 404}, sick = {.status = 503};
    (void)http;
    for (int i = 0; i < world.n_played; i++) {
        played_t *at = &world.played[i];
        if (!at->is_open || at->code == 'D')
            continue;
        bool is_first = at->code == 'C';
        for (int k = 0; k < i; k++)
            is_first = is_first && world.played[k].code != 'C';
        at->is_open = false;
        at->done(at->arg, at->code == 'B' ? &missing : is_first ? &sick : &quote);
    }
}

static void play_destroy(void *http)
{
    (void)http;
}

static const cf_http_ops_t play = {play_ask, play_cancel, play_due, play_run, play_destroy};

static uint32_t no_chance(uint32_t below)
{
    return below / 2;
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void hear(void)
{
    cf_msg_t msg;
    cf_bot_answer_t answer;
    while (cf_outbox_take(world.out, &msg)) {
        if (msg.type == CF_MSG_DEAD_LETTER) {
            cr_assert(world.n_unstored < COMMANDS_MAX);
            world.letters++;
            world.unstored[world.n_unstored++] = msg.corr;
            continue;
        }
        ensure(msg.corr >= 1 && msg.corr <= world.asked);
        ensure(world.got[msg.corr] == 0); /* once */
        world.got[msg.corr] = msg.type;
        if (msg.type == CF_MSG_BOT_ANSWER && cf_msg_body(&answer, &msg, &world.arena) == 0)
            snprintf(world.text[msg.corr], sizeof world.text[0], "%.*s", (int)answer.text.size,
                     answer.text.bytes);
    }
}

/* As actor.c does it; msg NULL: only the time. */
static void take_turn(const cf_msg_t *msg)
{
    cf_turn_t turn = {.wall_us = T0 + world.now_us,
                      .boot_us = world.now_us,
                      .out = world.out,
                      .arena = &world.arena};
    failing_malloc_resume();
    for (const cf_handler_t *row = cf_stockbot_ops.handlers; msg && row->type; row++) {
        int rc = row->type == msg->type ? row->handle(world.bot, &turn, msg) : 0;
        if (rc < 0 && msg->type == CF_MSG_ASK_BOT)
            cf_outbox_refuse(world.out, msg, rc, 0);
    }
    int64_t due_us = cf_stockbot_ops.due(world.bot, &turn);
    failing_malloc_pause();
    ensure(due_us > world.now_us || world.in_a_row > 1);
    hear();
    cf_arena_free(&world.arena);
}

static void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_msg_t msg, head = {.type = type, .corr = corr, .from = from, .to = bot_at};
    cr_assert(cf_outbox_put(world.scratch, &head, body) == 0);
    cr_assert(cf_outbox_take(world.scratch, &msg));
    take_turn(&msg);
    cr_assert(!cf_outbox_take(world.scratch, &msg));
}

static uint64_t ask_again(uint64_t n, const char *type, const char *code)
{
    cf_ask_bot_t ask = {.id = {{9, (uint8_t)n, (uint8_t)(n >> 8)}},
                        .type = cf_str(type),
                        .code = cf_str(code),
                        .left_ms = 30000};
    tell(rooms, CF_MSG_ASK_BOT, ++world.asked, &ask);
    return world.asked;
}

static uint64_t ask(const char *type, const char *code)
{
    return ask_again(world.asked + 1, type, code);
}

static void pass_ms(int64_t ms)
{
    for (int64_t passed = 0; passed < ms; passed += 500) {
        world.now_us += 500000;
        take_turn(NULL);
        while (world.n_unstored > 0)
            tell(storage, CF_MSG_DONE, world.unstored[--world.n_unstored], NULL);
    }
}

static void check(bool strict, uint64_t corr, const char *text)
{
    ensure(world.got[corr] == CF_MSG_BOT_ANSWER || (!strict && world.got[corr] == CF_MSG_REFUSED));
    ensure(!strict || !*text || strcmp(world.text[corr], text) == 0);
}

static void scenario(bool strict)
{
    int letters = world.letters;
    uint64_t quote = ask("stock", "A"), same = ask("stock", "A"), hello = ask("hello", ""),
             missing = ask("stock", "B"), unknown = ask("weather", ""), late = ask("stock", "C"),
             silent = ask("stock", "D"), again = ask_again(quote, "stock", "A");
    pass_ms(40000);
    check(strict, quote, "A quote is $4.50 per share");
    check(strict, same, "A quote is $4.50 per share");
    check(strict, hello, "");
    check(strict, missing, "Failed to fetch quote for B");
    check(strict, unknown, "Unknown command type: weather");
    check(strict, late, "A quote is $4.50 per share");
    check(strict, silent, "Failed to fetch quote for D");
    check(strict, again, "A quote is $4.50 per share");
    ensure(!strict || world.letters >= letters + 3);
}

static unsigned long run(unsigned long nth, unsigned in_a_row)
{
    static const cf_stockbot_config_t config = {.url = "http://quotes.test",
                                                .attempt_us = 60000000,
                                                .deadline_us = 30000000,
                                                .pause_us = 1000000,
                                                .attempts = 3,
                                                .in_flight_max = 8,
                                                .queue_max = 16,
                                                .breaker_failures = 1000,
                                                .breaker_us = 30000000,
                                                .cache_us = 1000000,
                                                .random = no_chance,
                                                .http_ops = &play};
    memset(&world, 0, sizeof world);
    world.failing = nth;
    world.in_a_row = in_a_row;
    world.now_us = 1000000;
    cr_assert(cf_outbox_new(&world.out, NULL, bot_at) == 0);
    cr_assert(cf_outbox_new(&world.scratch, NULL, storage) == 0);
    cr_assert(cf_stockbot_new(&world.bot, &config) == 0);
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    scenario(nth == 0);
    unsigned long count = failing_malloc_end();
    pass_ms(20000);
    scenario(true); /* as if nothing had happened */
    cf_stockbot_ops.destroy(world.bot);
    cf_outbox_destroy(&world.out);
    cf_outbox_destroy(&world.scratch);
    return count;
}

TestSuite(exhaustion_bot, .timeout = 120);

Test(exhaustion_bot, any_one_allocation_may_fail)
{
    unsigned long count = run(0, 1);
    cr_assert(count > 20, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 1);
}

Test(exhaustion_bot, no_memory_for_a_while_is_survived)
{
    unsigned long count = run(0, 1);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 5);
}
