/* The bot by messages alone; the quote service is played, time and chance are arguments. */
#include "stockbot.h"

#include "http/traceparent.h"
#include "metrics.h"
#include "model.h"
#include "peer.h"
#include "sayings.h"
#include "wire/bot.h"
#include "wire/control.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define T0 INT64_C(1700000000000000) /* wall clock at 0 ms */
#define ROOMS1 ((cf_address_t){1, CF_ACTOR_ROOMS, 0})
#define ROOMS2 ((cf_address_t){1, CF_ACTOR_ROOMS, 1})
#define STORAGE ((cf_address_t){1, CF_ACTOR_STORAGE, 0})
#define ROOM ((cf_id_t){{7}})
#define REQUESTS_MAX 64
#define HEARD_MAX 20000
#define CSV(symbol, close)                                                                         \
    "Symbol,Date,Time,Open,High,Low,Close,Volume\r\n" symbol ",d,t,1,2,3," close ",5\r\n"

/* --- the service, played -----------------------------------------------------------------------
 */

typedef struct {
    char code[64];
    cf_http_done_fn *done;
    void *arg;
    bool is_open;
    bool has_answer; /* delivered by the next run() */
    cf_http_answer_t answer;
} played_t;

static played_t played[REQUESTS_MAX];
static int n_played, most_open;
static bool service_is_full;
static uint32_t chance; /* what random() answers, below its bound */
static char shown[HEARD_MAX];
static size_t shown_size;
static int urls_checked;

static void show(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *format, ...)
{
    va_list args;
    if (shown_size)
        shown_size += (size_t)snprintf(shown + shown_size, HEARD_MAX - shown_size, "; ");
    va_start(args, format);
    shown_size += (size_t)vsnprintf(shown + shown_size, HEARD_MAX - shown_size, format, args);
    va_end(args);
}

static int count_open(void)
{
    int n = 0;
    for (int i = 0; i < n_played; i++)
        n += played[i].is_open;
    return n;
}

static char header_sent[128]; /* with the latest request; "": none */

static int play_ask(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
                    cf_http_done_fn *done, void *arg, void **request)
{
    (void)http;
    if (service_is_full)
        return CF_ENOMEM;
    cr_assert(lt(int, n_played, REQUESTS_MAX));
    played_t *at = &played[n_played++];
    *at = (played_t){.done = done, .arg = arg, .is_open = true};
    char expected[256];
    cr_assert(eq(int, sscanf(url, "https://quotes.test/base/q/l/?s=%63[^&]", at->code), 1), "%s",
              url);
    snprintf(expected, sizeof expected, "https://quotes.test/base/q/l/?s=%s&f=sd2t2ohlcv&h&e=csv",
             at->code);
    cr_assert(eq(str, (char *)url, expected));
    urls_checked++;
    snprintf(header_sent, sizeof header_sent, "%s", ask->headers[0] ? ask->headers[0] : "");
    show("get %s %lldms", at->code, (long long)timeout_ms);
    most_open = count_open() > most_open ? count_open() : most_open;
    *request = at;
    return 0;
}

static void play_cancel(void *http, void *request)
{
    played_t *at = request;
    (void)http;
    cr_assert(at->is_open);
    at->is_open = false;
    show("cancel %s", at->code);
}

static int64_t play_due(void *http)
{
    (void)http;
    return INT64_MAX;
}

static void play_run(void *http)
{
    (void)http;
    for (int i = 0; i < n_played; i++)
        if (played[i].has_answer) {
            played[i].is_open = played[i].has_answer = false;
            played[i].done(played[i].arg, &played[i].answer);
        }
}

static void play_destroy(void *http)
{
    (void)http;
}

static const cf_http_ops_t play = {play_ask, play_cancel, play_due, play_run, play_destroy};

static uint32_t play_random(uint32_t below)
{
    return chance < below ? chance : below - 1;
}

static played_t *open_request(const char *code)
{
    for (int i = n_played - 1; i >= 0; i--)
        if (played[i].is_open && strcmp(played[i].code, code) == 0)
            return &played[i];
    cr_fatal("nothing is asked about %s", code);
    return NULL;
}

static void service_says(const char *code, int status, const char *body)
{
    played_t *at = open_request(code);
    at->has_answer = true;
    at->answer = (cf_http_answer_t){.status = status, .body = cf_str(body)};
}

static void service_fails(const char *code, int rc, const char *reason)
{
    played_t *at = open_request(code);
    at->has_answer = true;
    at->answer = (cf_http_answer_t){.rc = rc, .reason = reason};
}

/* --- the bot -----------------------------------------------------------------------------------
 */

static cf_stockbot_config_t config = {.url = "https://quotes.test/base",
                                      .attempt_us = 10000000,
                                      .deadline_us = 30000000,
                                      .pause_us = 1000000,
                                      .drain_us = 50000,
                                      .attempts = 3,
                                      .in_flight_max = 4,
                                      .queue_max = 8,
                                      .breaker_failures = 5,
                                      .breaker_us = 30000000,
                                      .cache_us = 5000000,
                                      .cache_not_found_us = 2000000,
                                      .random = play_random,
                                      .http_ops = &play};
static cf_stockbot_t *bot;
static cf_outbox_t *out, *scratch;
static cf_arena_t arena;
static int64_t now_us = 1000000, due_us;
static uint64_t letter_corr; /* of the latest DEAD_LETTER heard */
static cf_id_t letter_id;
static uint32_t letter_node; /* to whose storage it went */

static void begin(void)
{
    cf_address_t address = {1, CF_ACTOR_STOCKBOT, 0};
    chance = 500000; /* the middle of a pause of 1 s: it lasts just that */
    cr_assert(eq(int, cf_outbox_new(&out, NULL, address), 0));
    cr_assert(eq(int, cf_outbox_new(&scratch, NULL, address), 0));
    cr_assert(eq(int, cf_stockbot_new(&bot, &config), 0));
}

static void end(void)
{
    if (bot)
        cf_stockbot_ops.destroy(bot);
    cf_outbox_destroy(&out);
    cf_outbox_destroy(&scratch);
    cf_arena_free(&arena);
}

TestSuite(stockbot, .init = begin, .fini = end, .timeout = 30);

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){.wall_us = T0 + now_us, .boot_us = now_us, .out = out, .arena = &arena};
}

static void turn(void)
{
    cf_turn_t now = turn_now();
    due_us = cf_stockbot_ops.due(bot, &now);
}

static void at_ms(int64_t ms)
{
    now_us = 1000000 + ms * 1000;
    turn();
}

static void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_msg_t msg,
        head = {
            .type = type, .corr = corr, .from = from, .to = cf_outbox_address(out), .room = ROOM};
    cr_assert(cf_outbox_put(scratch, &head, body) == 0);
    cr_assert(cf_outbox_take(scratch, &msg));
    cf_turn_t now = turn_now();
    int rc = CF_EPROTO;
    for (const cf_handler_t *row = cf_stockbot_ops.handlers; row->type; row++)
        if (row->type == type)
            rc = row->handle(bot, &now, &msg);
    if (rc < 0)
        show("refused #%llu %s", (unsigned long long)corr, cf_err_text(rc));
    cr_assert(not(cf_outbox_take(scratch, &msg)));
}

static cf_id_t id_of(uint64_t n)
{
    return (cf_id_t){{9, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* Command n: asked by a room at `from` under correlation id n. */
static void ask_from(cf_address_t from, uint64_t n, uint64_t corr, const char *type,
                     const char *code, uint32_t left_ms)
{
    cf_ask_bot_t ask = {
        .id = id_of(n), .type = cf_str(type), .code = cf_str(code), .left_ms = left_ms};
    tell(from, CF_MSG_ASK_BOT, corr, &ask);
}

static void ask(uint64_t n, const char *code)
{
    ask_from(ROOMS1, n, n, "stock", code, 30000);
}

/* Command n, of a dead letter. */
static void ask_again(uint64_t n, const char *type, const char *code)
{
    cf_ask_bot_t ask = {.id = id_of(n),
                        .type = cf_str(type),
                        .code = cf_str(code),
                        .replay = true,
                        .left_ms = 30000};
    tell(ROOMS1, CF_MSG_ASK_BOT, n, &ask);
}

static void show_msg(const cf_msg_t *msg)
{
    union {
        cf_bot_answer_t answer;
        cf_dead_letter_t letter;
        cf_refused_t refused;
    } body;
    cr_assert(eq(int, cf_msg_body(&body, msg, &arena), 0));
    switch (msg->type) {
    case CF_MSG_BOT_ANSWER:
        cr_assert(cf_id_equal(body.answer.bot, CF_BOT_ID));
        cr_assert(cf_str_equal(body.answer.username, cf_str("StockBot")));
        cr_assert(cf_id_equal(msg->room, ROOM));
        show("%s#%llu %.*s%s%s%.*s", msg->to.index ? "other " : "", (unsigned long long)msg->corr,
             (int)body.answer.text.size, body.answer.text.bytes,
             body.answer.is_error ? " (error)" : "", body.answer.failure.size ? ": " : "",
             (int)body.answer.failure.size, body.answer.failure.bytes);
        break;
    case CF_MSG_DEAD_LETTER:
        cr_assert(cf_id_equal(body.letter.room, ROOM));
        letter_corr = msg->corr;
        letter_id = body.letter.id;
        letter_node = msg->to.node;
        show("letter %.*s: %.*s, %u", (int)body.letter.command.size, body.letter.command.bytes,
             (int)body.letter.reason.size, body.letter.reason.bytes, body.letter.attempts);
        break;
    case CF_MSG_REFUSED:
        show("refused #%llu %s", (unsigned long long)msg->corr,
             cf_err_text(-(int)body.refused.reason));
        break;
    default:
        show("%s", cf_msg_name(msg->type));
    }
}

/* What the bot has done and said since. */
static char *heard(void)
{
    static char copy[HEARD_MAX];
    cf_msg_t msg;
    turn();
    while (cf_outbox_take(out, &msg))
        show_msg(&msg);
    cf_arena_reset(&arena);
    snprintf(copy, sizeof copy, "%s", shown);
    shown_size = 0;
    shown[0] = '\0';
    return copy;
}

static void ignore(void)
{
    heard();
}

static void stored(void)
{
    tell(STORAGE, CF_MSG_DONE, letter_corr, NULL);
}

/* --- dead letters run again --------------------------------------------------------------------
 */

Test(stockbot, answers_a_replay_as_any_other)
{
    ask_again(1, "stock", "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
    service_says("A", 200, CSV("A", "1"));
    cr_assert(eq(str, heard(), "#1 A quote is $1.00 per share"));
    ask_again(2, "stock", "A"); /* from memory */
    cr_assert(eq(str, heard(), "#2 A quote is $1.00 per share"));
    ask_again(3, "hello", "");
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_OK], 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_COMMANDS], 3));
}

Test(stockbot, tells_why_a_replay_has_failed_and_writes_no_letter)
{
    ask_again(1, "stock", "A");
    ignore();
    service_says("A", 404, "");
    cr_assert(eq(str, heard(), "#1 Failed to fetch quote for A (error): HTTP status 404"));
    ask_again(2, "nonsense", "");
    cr_assert(eq(str, heard(), "#2 Unknown command type: nonsense (error): unknown command type"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_FAILED], 2));
}

Test(stockbot, begins_a_replay_once_while_it_waits_and_anew_when_it_was_answered)
{
    ask_again(1, "stock", "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
    ask_again(1, "stock", "A"); /* its room has moved */
    cr_assert(eq(str, heard(), ""));
    service_says("A", 404, "");
    cr_assert(eq(str, heard(), "#1 Failed to fetch quote for A (error): HTTP status 404"));
    ask_again(1, "stock", "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
}

Test(stockbot, one_who_asks_and_one_who_asks_again_share_a_request_and_each_hears_its_own)
{
    ask(1, "A");
    ask_again(2, "stock", "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
    service_says("A", 404, "");
    cr_assert(eq(str, heard(),
                 "#2 Failed to fetch quote for A (error): HTTP status 404; "
                 "#1 Failed to fetch quote for A (error); letter /stock=A: HTTP status 404, 1"));
}

/* --- quotes ------------------------------------------------------------------------------------
 */

Test(stockbot, answers_a_stock_with_its_price)
{
    ask(1, "AAPL.US");
    cr_assert(eq(str, heard(), "get AAPL.US 10000ms"));
    service_says("AAPL.US", 200, CSV("aapl.us", "93.425"));
    cr_assert(eq(str, heard(), "#1 aapl.us quote is $93.42 per share"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_OK], 1));
    cr_assert(eq(i64, due_us, INT64_MAX)); /* nothing is left to do */
}

Test(stockbot, says_that_there_is_no_such_stock)
{
    ask(1, "XYZ");
    ignore();
    service_says("XYZ", 200, CSV("N/D", "1"));
    cr_assert(eq(str, heard(), "#1 Stock XYZ not found (error)")); /* which is no dead letter */
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_NOT_FOUND], 1));
}

Test(stockbot, fails_at_once_on_an_answer_that_will_not_get_better)
{
    static const struct {
        int status;
        const char *body, *reason;
    } cases[] = {
        {200, "<html><body>hello</body></html>", "the answer is no quote"},
        {200, CSV("A", "NaN"), "the answer is no quote"},
        {200, "a,b,c\n1,2,3\n", "the answer is no quote"},
        {200, "", "the answer is no quote"},
        {400, "", "HTTP status 400"},
        {404, CSV("A", "1"), "HTTP status 404"},
        {429, "", "HTTP status 429"},
        {499, "", "HTTP status 499"},
    };
    for (uint64_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[256];
        ask(i + 1, "A");
        ignore();
        service_says("A", cases[i].status, cases[i].body);
        snprintf(expected, sizeof expected,
                 "#%llu Failed to fetch quote for A (error); letter /stock=A: %s, 1",
                 (unsigned long long)i + 1, cases[i].reason);
        cr_assert(eq(str, heard(), expected), "%llu", (unsigned long long)i);
        stored();
    }
}

Test(stockbot, fails_at_once_on_an_answer_that_is_too_big_or_leads_inwards)
{
    ask(1, "A");
    ignore();
    service_fails("A", CF_ERANGE, "the answer is too big");
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: the answer is too big, 1"));
    ask(2, "A");
    ignore();
    service_fails("A", CF_EPERM, "the address is not a public one");
    cr_assert(eq(str, heard(),
                 "#2 Failed to fetch quote for A (error); "
                 "letter /stock=A: the address is not a public one, 1"));
}

Test(stockbot, tries_three_times_with_longer_pauses)
{
    ask(1, "A");
    at_ms(0);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    service_says("A", 503, "");
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(i64, due_us, now_us + 1000000));
    at_ms(999);
    cr_assert(eq(str, heard(), ""));
    at_ms(1000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    chance = 1000000; /* the middle again: the second pause is twice as long */
    service_fails("A", CF_EIO, "Couldn't connect to server");
    cr_assert(eq(str, heard(), ""));
    at_ms(2999);
    cr_assert(eq(str, heard(), ""));
    at_ms(3000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    service_says("A", 500, "");
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: HTTP status 500, 3"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_QUOTE_ATTEMPTS], 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_QUOTE_FAILURES], 3));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_FAILED], 1));
}

Test(stockbot, answers_when_a_later_attempt_succeeds)
{
    for (uint64_t n = 1; n <= 4; n++) {
        at_ms((int64_t)n * 20000); /* what was remembered is forgotten */
        ask(n, "A");
        ignore();
        if (n == 1)
            service_fails("A", CF_ETIME, "timed out");
        else if (n == 2)
            service_says("A", 302, ""); /* a redirect that leads nowhere */
        else if (n == 3)
            service_says("A", 204, "");
        else
            service_fails("A", CF_ENOMEM, "out of memory");
        ignore();
        at_ms((int64_t)n * 20000 + 1000);
        cr_assert(eq(str, heard(), "get A 10000ms"), "%llu", (unsigned long long)n);
        service_says("A", 200, CSV("A", "1"));
        char expected[64];
        snprintf(expected, sizeof expected, "#%llu A quote is $1.00 per share",
                 (unsigned long long)n);
        cr_assert(eq(str, heard(), expected));
    }
}

Test(stockbot, spreads_its_pauses_by_chance)
{
    static const struct {
        uint32_t chance;
        int64_t pause_us;
    } cases[] = {{0, 500000}, {250000, 750000}, {999999, 1499999}, {UINT32_MAX, 1499999}};
    for (uint64_t i = 0; i < 4; i++) {
        char code[2] = {(char)('A' + i), 0};
        chance = cases[i].chance;
        ask(i + 1, code);
        ignore();
        service_says(code, 503, "");
        int64_t before_us = now_us;
        ignore();
        cr_assert(eq(i64, due_us, before_us + cases[i].pause_us));
        now_us = due_us;
        ignore();
        service_says(code, 200, CSV("A", "1"));
        ignore();
    }
}

/* --- time --------------------------------------------------------------------------------------
 */

Test(stockbot, gives_a_command_up_at_its_deadline_and_tells_the_service_apart_from_silence)
{
    ask(1, "A");
    at_ms(0);
    ignore();
    at_ms(29999);
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(i64, due_us, now_us + 1000));
    at_ms(30000);
    cr_assert(eq(str, heard(),
                 "cancel A; #1 Failed to fetch quote for A (error); "
                 "letter /stock=A: deadline passed, 1"));
    cr_assert(cf_id_equal(letter_id, id_of(1)));
}

Test(stockbot, makes_the_last_attempt_no_longer_than_the_time_that_is_left)
{
    ask(1, "A");
    at_ms(0);
    ignore();
    at_ms(10000);
    service_fails("A", CF_ETIME, "timed out");
    ignore();
    at_ms(11000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    at_ms(21000);
    chance = 1000000;
    service_fails("A", CF_ETIME, "timed out");
    ignore();
    at_ms(23000);
    cr_assert(eq(str, heard(), "get A 7000ms"));
    at_ms(30000);
    cr_assert(eq(str, heard(),
                 "cancel A; #1 Failed to fetch quote for A (error); "
                 "letter /stock=A: deadline passed; before: timed out, 3"));
}

Test(stockbot, does_not_wait_for_a_pause_that_is_longer_than_the_time_left)
{
    ask_from(ROOMS1, 1, 1, "stock", "A", 1000);
    at_ms(0);
    cr_assert(eq(str, heard(), "get A 1000ms"));
    service_says("A", 503, "");
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: HTTP status 503, 1"));
}

Test(stockbot, gives_no_command_more_than_its_own_deadline)
{
    ask_from(ROOMS1, 1, 1, "stock", "A", 600000);
    at_ms(0);
    ignore();
    at_ms(30000);
    cr_assert(eq(str, heard(),
                 "cancel A; #1 Failed to fetch quote for A (error); "
                 "letter /stock=A: deadline passed, 1"));
}

/* --- many at once ------------------------------------------------------------------------------
 */

Test(stockbot, asks_once_for_all_who_want_the_same)
{
    ask(1, "A");
    ask(2, "A");
    ask(3, "B");
    cr_assert(eq(str, heard(), "get A 10000ms; get B 10000ms"));
    ask(4, "A");
    cr_assert(eq(str, heard(), ""));
    service_says("A", 200, CSV("A", "1"));
    cr_assert(eq(str, heard(),
                 "#4 A quote is $1.00 per share; #2 A quote is $1.00 per share; "
                 "#1 A quote is $1.00 per share"));
}

Test(stockbot, gives_each_of_them_its_own_deadline)
{
    ask_from(ROOMS1, 1, 1, "stock", "A", 1000);
    at_ms(0);
    ignore();
    at_ms(500);
    ask(2, "A");
    ignore();
    at_ms(1000);
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: deadline passed, 1"));
    service_says("A", 200, CSV("A", "1"));
    cr_assert(eq(str, heard(), "#2 A quote is $1.00 per share"));
}

Test(stockbot, has_many_requests_in_flight_and_no_more_than_its_bound)
{
    char code[2] = "A";
    for (uint64_t n = 1; n <= 6; n++, code[0]++)
        ask(n, code);
    cr_assert(eq(str, heard(), "get A 10000ms; get B 10000ms; get C 10000ms; get D 10000ms"));
    service_says("C", 200, CSV("C", "1"));
    cr_assert(eq(str, heard(), "get E 10000ms; #3 C quote is $1.00 per share"));
    service_says("A", 503, ""); /* pauses, and makes room */
    cr_assert(eq(str, heard(), "get F 10000ms"));
    cr_assert(eq(int, most_open, 4));
}

Test(stockbot, bounds_the_commands_that_wait_and_answers_what_it_need_not_ask)
{
    for (uint64_t n = 1; n <= 8; n++)
        ask(n, "A");
    ignore();
    ask(9, "A");
    ask(10, "B");
    ask_from(ROOMS1, 11, 11, "hello", "", 30000);
    char expected[256];
    snprintf(expected, sizeof expected,
             "refused #9 a bound is reached; refused #10 a bound is reached; #11 %s",
             cf_saying(T0 + now_us));
    cr_assert(eq(str, heard(), expected));
    cf_stockbot_ops.gauges(bot);
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_WAITING], 8));
}

Test(stockbot, survives_a_service_that_cannot_be_asked)
{
    service_is_full = true;
    ask(1, "A");
    at_ms(0);
    cr_assert(eq(str, heard(), ""));
    service_is_full = false;
    at_ms(1000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    service_says("A", 200, CSV("A", "1"));
    cr_assert(eq(str, heard(), "#1 A quote is $1.00 per share"));
}

/* --- what it remembers -------------------------------------------------------------------------
 */

Test(stockbot, answers_from_memory_for_a_while)
{
    at_ms(0);
    ask(1, "A");
    ignore();
    service_says("A", 200, CSV("A", "1"));
    ignore();
    at_ms(4999);
    ask(2, "A");
    cr_assert(eq(str, heard(), "#2 A quote is $1.00 per share"));
    at_ms(5000);
    ask(3, "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_QUOTE_CACHE_HITS], 1));
}

Test(stockbot, remembers_what_was_not_found_for_less_and_failures_not_at_all)
{
    at_ms(0);
    ask(1, "A");
    ignore();
    service_says("A", 200, CSV("N/D", "1"));
    ignore();
    at_ms(1999);
    ask(2, "A");
    cr_assert(eq(str, heard(), "#2 Stock A not found (error)"));
    at_ms(2000);
    ask(3, "A");
    ignore();
    service_says("A", 404, "");
    ignore();
    ask(4, "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
}

Test(stockbot, remembers_nothing_when_told_so)
{
    end();
    config.cache_us = config.cache_not_found_us = 0;
    begin();
    for (uint64_t n = 1; n <= 4; n++) {
        ask(n, "A");
        cr_assert(eq(str, heard(), "get A 10000ms"));
        service_says("A", 200, n % 2 ? CSV("A", "1") : CSV("N/D", "1"));
        ignore();
    }
}

Test(stockbot, begins_no_command_twice_and_answers_whoever_asked_last)
{
    ask_from(ROOMS1, 1, 71, "stock", "A", 30000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    ask_from(ROOMS2, 1, 72, "stock", "A", 30000); /* the room has moved */
    cr_assert(eq(str, heard(), ""));
    service_says("A", 200, CSV("A", "1"));
    cr_assert(eq(str, heard(), "other #72 A quote is $1.00 per share"));
    at_ms(10000); /* the quote itself is forgotten; that this command was answered is not */
    ask_from(ROOMS1, 1, 73, "stock", "A", 30000);
    cr_assert(eq(str, heard(), "#73 A quote is $1.00 per share"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_COMMANDS], 1));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BOT_OK], 1));
}

Test(stockbot, tells_a_failure_again_without_a_second_letter)
{
    ask(1, "A");
    ignore();
    service_says("A", 404, "");
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: HTTP status 404, 1"));
    stored();
    ask_from(ROOMS2, 1, 2, "stock", "A", 30000);
    cr_assert(eq(str, heard(), "other #2 Failed to fetch quote for A (error)"));
}

/* --- the breaker -------------------------------------------------------------------------------
 */

/* Five codes fail for good, which opens it. */
static void break_it(void)
{
    for (uint64_t n = 0; n < 5; n++) {
        char code[3] = {'X', (char)('A' + n), 0};
        ask_from(ROOMS1, 100 + n, 100 + n, "stock", code, 900); /* no time for a second attempt */
        ignore();
        service_says(code, 503, "");
        ignore();
        stored();
    }
}

Test(stockbot, fails_at_once_while_the_service_is_left_alone)
{
    at_ms(0);
    break_it();
    ask(1, "A");
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: the quote service is left alone after failures, 0"));
    stored();
    at_ms(29999);
    ask(2, "A");
    cr_assert(eq(str, heard(),
                 "#2 Failed to fetch quote for A (error); "
                 "letter /stock=A: the quote service is left alone after failures, 0"));
    cr_assert(eq(u64, cf_metric_slots[CF_M_BREAKER_REFUSALS], 2));
    ask_from(ROOMS1, 3, 3, "hello", "", 30000);
    cr_assert(strstr(heard(), "#3 ") != NULL); /* needs no service */
}

Test(stockbot, asks_three_at_once_to_see_how_the_service_is_and_goes_on)
{
    at_ms(0);
    break_it();
    at_ms(30000);
    char code[2] = "A";
    for (uint64_t n = 1; n <= 4; n++, code[0]++)
        ask(n, code);
    cr_assert(eq(str, heard(),
                 "get A 10000ms; get B 10000ms; get C 10000ms; "
                 "#4 Failed to fetch quote for D (error); "
                 "letter /stock=D: the quote service is left alone after failures, 0"));
    service_says("B", 200, CSV("N/D", "1"));
    ignore();
    ask(5, "E");
    ask(6, "F");
    cr_assert(eq(str, heard(), "get E 10000ms; get F 10000ms"));
}

Test(stockbot, leaves_the_service_alone_again_when_a_probe_fails)
{
    at_ms(0);
    break_it();
    at_ms(30000);
    ask(1, "A");
    ignore();
    service_says("A", 503, "");
    cr_assert(eq(str, heard(), ""));
    at_ms(31000); /* its second attempt */
    cr_assert(eq(str, heard(),
                 "#1 Failed to fetch quote for A (error); "
                 "letter /stock=A: the quote service is left alone after failures, 1"));
    stored();
    at_ms(60000);
    ask(2, "A");
    cr_assert(eq(str, heard(), "get A 10000ms"));
}

Test(stockbot, keeps_asking_a_service_that_answers_whatever_it_says)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{404, ""}, {200, "no quote"}, {200, CSV("N/D", "1")}, {403, ""}};
    for (uint64_t n = 1; n <= 40; n++) {
        at_ms((int64_t)n * 10000);
        ask(n, "A");
        ignore();
        service_says("A", cases[n % 4].status, cases[n % 4].body);
        ignore();
    }
    ask(41, "B");
    cr_assert(eq(str, heard(), "get B 10000ms"));
}

Test(stockbot, counts_silence_until_the_deadline_against_the_service)
{
    for (uint64_t n = 1; n <= 5; n++) {
        char code[2] = {(char)('A' + n), 0};
        at_ms((int64_t)n * 1000);
        ask_from(ROOMS1, n, n, "stock", code, 500);
        ignore();
        at_ms((int64_t)n * 1000 + 500);
        ignore();
    }
    ask(6, "Z");
    cr_assert(strstr(heard(), "left alone") != NULL);
}

Test(stockbot, serves_from_memory_while_the_service_is_left_alone)
{
    at_ms(0);
    ask(1, "A");
    ignore();
    service_says("A", 200, CSV("A", "1"));
    ignore();
    break_it();
    ask(2, "A");
    cr_assert(eq(str, heard(), "#2 A quote is $1.00 per share"));
}

/* --- other commands ----------------------------------------------------------------------------
 */

Test(stockbot, says_hello_by_the_clock)
{
    for (uint64_t n = 1; n <= 3; n++) {
        char expected[256];
        at_ms((int64_t)n * 1000);
        ask_from(ROOMS1, n, n, "hello", "", 30000);
        snprintf(expected, sizeof expected, "#%llu %s", (unsigned long long)n,
                 cf_saying(T0 + now_us));
        cr_assert(eq(str, heard(), expected));
    }
}

Test(stockbot, does_not_know_other_commands)
{
    ask_from(ROOMS1, 1, 1, "weather", "X", 30000);
    cr_assert(eq(str, heard(),
                 "#1 Unknown command type: weather (error); "
                 "letter /weather: unknown command type, 0"));
    ask_from(ROOMS1, 2, 2, "0123456789012345678901234567890x", "", 30000); /* as long as can be */
    cr_assert(eq(str, heard(),
                 "#2 Unknown command type: 0123456789012345678901234567890x (error); "
                 "letter /0123456789012345678901234567890x: unknown command type, 0"));
}

Test(stockbot, refuses_a_code_that_has_no_place_in_a_url)
{
    static const char *const codes[] = {"", "aapl", "A B", "A&B", "A/B", "A%20", "\xc3\x84", "A\n"};
    for (uint64_t n = 0; n < sizeof codes / sizeof codes[0]; n++) {
        char expected[64];
        ask(n + 1, codes[n]);
        snprintf(expected, sizeof expected, "refused #%llu out of bounds",
                 (unsigned long long)n + 1);
        cr_assert(eq(str, heard(), expected), "'%s'", codes[n]);
    }
}

/* --- dead letters ------------------------------------------------------------------------------
 */

static void fail_one(uint64_t n)
{
    char code[3] = {'A', (char)('A' + n % 26), 0};
    ask(n, code);
    ignore();
    service_says(code, 404, "");
}

Test(stockbot, sends_a_dead_letter_until_it_is_stored)
{
    at_ms(0);
    fail_one(1);
    cr_assert(strstr(heard(), "letter /stock=AB: HTTP status 404, 1") != NULL);
    tell(STORAGE, CF_MSG_REFUSED, letter_corr, &(cf_refused_t){-CF_EIO, 0});
    cr_assert(eq(str, heard(), ""));
    at_ms(1000);
    cr_assert(eq(str, heard(), "letter /stock=AB: HTTP status 404, 1"));
    at_ms(10999); /* no answer at all */
    cr_assert(eq(str, heard(), ""));
    at_ms(11000);
    cr_assert(eq(str, heard(), "letter /stock=AB: HTTP status 404, 1"));
    stored();
    at_ms(60000);
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(u64, cf_metric_slots[CF_M_DEAD_LETTERS], 1));
    stored(); /* an answer nobody waits for */
}

Test(stockbot, sends_a_dead_letter_to_the_node_that_asked_and_then_to_one_that_is_there)
{
    static const cf_address_t far = {3, CF_ACTOR_ROOMS, 0};
    at_ms(0);
    ask_from(far, 1, 1, "weather", "", 30000);
    ignore();
    cr_assert(eq(u32, letter_node, 3));
    ask_from(ROOMS1, 2, 2, "hello", "", 30000);
    ignore();
    at_ms(10000); /* node 3 does not answer */
    ignore();
    cr_assert(eq(u32, letter_node, 1));
    stored();
}

Test(stockbot, loses_a_letter_that_will_never_be_taken)
{
    at_ms(0);
    fail_one(1);
    ignore();
    tell(STORAGE, CF_MSG_REFUSED, letter_corr, &(cf_refused_t){-CF_ERANGE, 0});
    at_ms(60000);
    cr_assert(eq(str, heard(), ""));
    cr_assert(eq(u64, cf_metric_slots[CF_M_DEAD_LETTERS_LOST], 1));
}

Test(stockbot, keeps_as_many_letters_as_commands_may_wait_and_loses_the_oldest)
{
    at_ms(0);
    for (uint64_t n = 1; n <= 9; n++) {
        fail_one(n);
        ignore();
    }
    cf_stockbot_ops.gauges(bot);
    cr_assert(eq(u64, cf_metric_slots[CF_M_DEAD_LETTERS_WAITING], 8));
    cr_assert(eq(u64, cf_metric_slots[CF_M_DEAD_LETTERS_LOST], 1));
    at_ms(20000);
    char *again = heard();
    cr_assert(strstr(again, "/stock=AB:") == NULL);
    cr_assert(strstr(again, "/stock=AC:") != NULL);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static cf_actor_t *actor;
static peer_t *rooms, *storage, *supervisor;

static void start_thread(void)
{
    actor = actor_at(CF_ACTOR_STOCKBOT, 0);
    rooms = peer_at(CF_ACTOR_ROOMS, 0);
    storage = peer_at(CF_ACTOR_STORAGE, 0);
    supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    config.actor = actor;
    cf_stockbot_t *state;
    cr_assert(eq(int, cf_stockbot_new(&state, &config), 0));
    actor_run(actor, &cf_stockbot_ops, state);
}

Test(stockbot, tells_the_service_no_trace_unless_told_to)
{
    ask(1, "A");
    at_ms(0);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    cr_assert(eq(str, header_sent, ""));
}

Test(stockbot, tells_the_service_the_trace_of_who_asks_and_a_span_for_each_attempt)
{
    cf_trace_t trace = {{0x4b, 0xf9, [15] = 0x36}, false};
    cf_traceparent_t first, second;
    end();
    config.traceparent = true;
    begin();
    cf_outbox_trace(scratch, &trace);
    ask(1, "A");
    at_ms(0);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    cr_assert(eq(int, strncmp(header_sent, "traceparent: ", 13), 0), "%s", header_sent);
    cr_assert(cf_traceparent_read(&first, cf_str(header_sent + 13)), "%s", header_sent);
    cr_assert(eq(int, memcmp(first.trace.id, trace.id, sizeof trace.id), 0));
    cr_assert(not(first.trace.sampled));
    service_says("A", 503, "");
    cr_assert(eq(str, heard(), ""));
    at_ms(1000);
    cr_assert(eq(str, heard(), "get A 10000ms"));
    cr_assert(cf_traceparent_read(&second, cf_str(header_sent + 13)), "%s", header_sent);
    cr_assert(eq(int, memcmp(second.trace.id, trace.id, sizeof trace.id), 0));
    cr_assert(ne(int, memcmp(&second.span, &first.span, sizeof first.span), 0));
}

Test(stockbot, says_that_a_trace_is_sampled_only_where_a_tracer_is_told_of_the_attempt)
{
    static const cf_address_t tracers[] = {{0}, {1, CF_ACTOR_TRACER, 0}};
    cf_trace_t trace = {{1}, true};
    for (size_t i = 0; i < sizeof tracers / sizeof tracers[0]; i++) {
        cf_traceparent_t said;
        end();
        config.traceparent = true;
        config.spans = (cf_spans_t){.tracer = tracers[i], .per_second = 1};
        begin();
        cf_outbox_trace(scratch, &trace);
        ask(1, "A");
        at_ms(0);
        cr_assert(eq(str, heard(), "get A 10000ms"));
        cr_assert(cf_traceparent_read(&said, cf_str(header_sent + 13)), "%s", header_sent);
        cr_assert(eq(int, said.trace.sampled, i == 1));
    }
}

TestSuite(stockbot_drain, .init = start_thread, .fini = actors_stop, .timeout = 60);

static void ask_thread(uint64_t n)
{
    cf_ask_bot_t body = {
        .id = id_of(n), .type = cf_str("stock"), .code = cf_str("A"), .left_ms = 30000};
    peer_send(rooms, CF_ACTOR_STOCKBOT, CF_MSG_ASK_BOT, n, ROOM, &body);
}

Test(stockbot_drain, has_nothing_to_wait_for)
{
    peer_send(supervisor, CF_ACTOR_STOCKBOT, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL));
    ask_thread(1);
    cr_assert(eq(int, peer_await_refusal(rooms, 1), CF_ECLOSING));
}

Test(stockbot_drain, answers_what_is_under_way_and_stores_what_failed_before_it_says_drained)
{
    cf_msg_t msg;
    cf_bot_answer_t answer;
    cf_dead_letter_t letter;
    ask_thread(1);
    while (actor_counter(actor, CF_M_QUOTE_ATTEMPTS) == 0)
        ; /* ends with the suite's time limit */
    peer_send(supervisor, CF_ACTOR_STOCKBOT, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(rooms, CF_MSG_BOT_ANSWER, 1, &answer));
    cr_assert(cf_str_equal(answer.text, cf_str("Failed to fetch quote for A")));
    cr_assert(peer_await_msg(storage, CF_MSG_DEAD_LETTER, 0, &msg, &letter));
    cr_assert(cf_str_equal(letter.reason, cf_str("shutting down")));
    ask_thread(2);
    cr_assert(eq(int, peer_await_refusal(rooms, 2), CF_ECLOSING));
    peer_answer(storage, &msg, CF_MSG_DONE, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL));
    cr_assert(eq(u64, actor_counter(actor, CF_M_DEAD_LETTERS), 1));
}

Test(stockbot_drain, does_not_wait_for_a_store_that_is_away)
{
    ask_thread(1);
    while (actor_counter(actor, CF_M_QUOTE_ATTEMPTS) == 0)
        ; /* ends with the suite's time limit */
    peer_send(supervisor, CF_ACTOR_STOCKBOT, CF_MSG_DRAIN, 1, (cf_id_t){0}, NULL);
    cr_assert(peer_await(supervisor, CF_MSG_DRAINED, 1, NULL));
    cr_assert(eq(u64, actor_counter(actor, CF_M_DEAD_LETTERS_LOST), 1));
}
