#include "stockbot.h"

#include "clock.h"
#include "err.h"
#include "sayings.h"
#include "stockbot_state.h"
#include "wire/bot.h"
#include "wire/control.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define SAID_TIMES INT64_C(2) /* for so many deadlines: longer than a room takes to ask again */

/* --- answers -----------------------------------------------------------------------------------
 */

static cf_str_t key_of(const cf_id_t *id)
{
    return (cf_str_t){(const char *)id->bytes, CF_ID_SIZE};
}

static void say(cf_turn_t *turn, const cf_msg_t *request, const cf_words_t *words,
                const char *failure)
{
    cf_bot_answer_t answer = {.bot = CF_BOT_ID,
                              .username = cf_str(CF_BOT_USERNAME),
                              .text = cf_str(words->text),
                              .is_error = words->is_error,
                              .failure = cf_str(failure)};
    cf_outbox_trace(turn->out, &request->trace);
    cf_outbox_finish(turn->out, request, CF_MSG_BOT_ANSWER, &answer);
    cf_outbox_trace(turn->out, NULL);
}

/* The last word on a command: said, and kept for who asks again. */
static void conclude(cf_stockbot_t *self, cf_turn_t *turn, const cf_ask_t *ask,
                     const cf_words_t *words, cf_metric_t counter)
{
    if (!ask->replay)
        cf_remember(&self->said, key_of(&ask->id), words,
                    turn->boot_us + SAID_TIMES * self->config.deadline_us);
    cf_count(counter);
    say(turn, &ask->request, words, "");
}

/* The same for one that could not be carried out. There is a letter of a replay already. */
static void conclude_failed(cf_stockbot_t *self, cf_turn_t *turn, const cf_ask_t *ask,
                            const cf_words_t *words, const char *command, const char *reason,
                            uint32_t attempts)
{
    if (ask->replay) {
        cf_count(CF_M_BOT_FAILED);
        say(turn, &ask->request, words, reason);
        return;
    }
    cf_dead_letter_t letter = {.id = ask->id,
                               .room = ask->request.room,
                               .at_us = turn->wall_us,
                               .command = cf_str(command),
                               .reason = cf_str(reason),
                               .attempts = attempts};
    cf_bot_write_letter(self, turn, &letter, &ask->request);
    conclude(self, turn, ask, words, CF_M_BOT_FAILED);
}

static void forget(cf_stockbot_t *self, cf_ask_t *ask)
{
    cf_bot_leave_inquiry(self, ask);
    HASH_DEL(self->asks, ask);
    free(ask);
}

void cf_bot_answer(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, const cf_words_t *words,
                   cf_metric_t counter)
{
    conclude(self, turn, ask, words, counter);
    forget(self, ask);
}

void cf_bot_fail(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, const char *reason)
{
    char command[CF_DEAD_COMMAND_MAX + 1];
    cf_words_t words = {.is_error = true};
    snprintf(command, sizeof command, "/stock=%s", ask->inquiry->code);
    snprintf(words.text, sizeof words.text, "Failed to fetch quote for %s", ask->inquiry->code);
    conclude_failed(self, turn, ask, &words, command, reason, ask->inquiry->attempts);
    forget(self, ask);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void say_hello(cf_stockbot_t *self, cf_turn_t *turn, const cf_ask_t *ask)
{
    cf_words_t words = {0};
    snprintf(words.text, sizeof words.text, "%s", cf_saying(turn->wall_us));
    conclude(self, turn, ask, &words, CF_M_BOT_OK);
}

/* A gateway of a newer node may know kinds of commands that this one does not. */
static void say_unknown(cf_stockbot_t *self, cf_turn_t *turn, const cf_ask_t *ask, cf_str_t type)
{
    char command[CF_DEAD_COMMAND_MAX + 1];
    cf_words_t words = {.is_error = true};
    snprintf(command, sizeof command, "/%.*s", (int)type.size, type.bytes);
    snprintf(words.text, sizeof words.text, "Unknown command type: %.*s", (int)type.size,
             type.bytes);
    conclude_failed(self, turn, ask, &words, command, "unknown command type", 0);
}

/* Upper-case letters, digits and dots: nothing else may get into a URL. */
static bool is_code(cf_str_t code)
{
    for (uint32_t i = 0; i < code.size; i++)
        if (!isupper((unsigned char)code.bytes[i]) && !isdigit((unsigned char)code.bytes[i]) &&
            code.bytes[i] != '.')
            return false;
    return code.size > 0;
}

static int inquire(cf_stockbot_t *self, cf_turn_t *turn, const cf_ask_t *asked,
                   const cf_ask_bot_t *body)
{
    cf_words_t words;
    if (!is_code(body->code))
        return CF_ERANGE;
    if (cf_bot_knows_quote(self, body->code, turn->boot_us, &words)) {
        conclude(self, turn, asked, &words, words.is_error ? CF_M_BOT_NOT_FOUND : CF_M_BOT_OK);
        return 0;
    }
    if (HASH_COUNT(self->asks) >= self->config.queue_max)
        return CF_EFULL;
    cf_ask_t *ask = calloc(1, sizeof *ask);
    if (!ask)
        return CF_ENOMEM;
    int64_t left_us = body->left_ms * INT64_C(1000);
    if (left_us > self->config.deadline_us)
        left_us = self->config.deadline_us;
    *ask = *asked;
    ask->until_us = turn->boot_us + left_us;
    HASH_ADD(hh, self->asks, id, sizeof ask->id, ask);
    int rc = ask->hh.tbl ? cf_bot_inquire(self, turn, ask, body->code) : CF_ENOMEM;
    if (rc == 0)
        return 0;
    if (ask->hh.tbl)
        HASH_DEL(self->asks, ask);
    free(ask);
    return rc;
}

/* What was asked before is answered, or will be, to whoever asked last. */
static bool is_known(cf_stockbot_t *self, cf_turn_t *turn, const cf_msg_t *msg, const cf_id_t *id)
{
    const cf_words_t *words = cf_remembered(&self->said, key_of(id), turn->boot_us);
    cf_ask_t *ask;
    if (words) {
        cf_words_t copy = *words;
        say(turn, msg, &copy, "");
        return true;
    }
    HASH_FIND(hh, self->asks, id, sizeof *id, ask);
    if (ask)
        ask->request = *msg;
    return ask != NULL;
}

static int on_ask_bot(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stockbot_t *self = state;
    cf_ask_bot_t body;
    int rc = cf_msg_body(&body, msg, turn->arena);
    if (rc < 0)
        return rc;
    self->asked_by = msg->from.node;
    if (is_known(self, turn, msg, &body.id))
        return 0;
    if (self->draining)
        return CF_ECLOSING;
    cf_count(CF_M_BOT_COMMANDS);
    cf_ask_t ask = {.id = body.id, .replay = body.replay, .request = *msg};
    if (cf_str_equal(body.type, cf_str("hello")))
        say_hello(self, turn, &ask);
    else if (cf_str_equal(body.type, cf_str("stock")))
        return inquire(self, turn, &ask, &body);
    else
        say_unknown(self, turn, &ask, body.type);
    return 0;
}

/* --- time --------------------------------------------------------------------------------------
 */

/* Returns when the next one's time is over. */
static int64_t fail_late(cf_stockbot_t *self, cf_turn_t *turn)
{
    int64_t next_us = INT64_MAX;
    cf_ask_t *ask, *next;
    char reason[CF_DEAD_REASON_MAX + 1];
    HASH_ITER(hh, self->asks, ask, next)
    {
        if (turn->boot_us < ask->until_us) {
            next_us = ask->until_us < next_us ? ask->until_us : next_us;
            continue;
        }
        const char *last = ask->inquiry->reason;
        snprintf(reason, sizeof reason, "deadline passed%s%s", last[0] ? "; before: " : "", last);
        cf_bot_fail(self, turn, ask, reason);
    }
    return next_us;
}

static int64_t drain_further(cf_stockbot_t *self, cf_turn_t *turn)
{
    cf_ask_t *ask, *next;
    if (turn->boot_us >= self->drain_until_us) {
        HASH_ITER(hh, self->asks, ask, next)
        {
            cf_bot_fail(self, turn, ask, "shutting down");
        }
        cf_bot_send_letters(self, turn);
    }
    if (turn->boot_us >= self->letters_until_us)
        cf_bot_lose_letters(self);
    if (self->asks || self->letters)
        return turn->boot_us < self->drain_until_us ? self->drain_until_us : self->letters_until_us;
    self->owes_drained = false;
    cf_actor_drained(self->config.actor);
    return INT64_MAX;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_stockbot_t *self = state;
    self->turn = turn;
    self->config.http_ops->run(self->config.http); /* an answer that is there is in time */
    int64_t next_us = fail_late(self, turn);
    next_us = cf_earlier_us(next_us, cf_bot_go_on(self, turn));
    next_us = cf_earlier_us(next_us, cf_bot_send_letters(self, turn));
    if (self->owes_drained)
        next_us = cf_earlier_us(next_us, drain_further(self, turn));
    self->turn = NULL;
    return next_us;
}

void cf_stockbot_readable(void *state, cf_turn_t *turn)
{
    due(state, turn);
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_stockbot_t *self = state;
    self->draining = self->owes_drained =
        true; /* answered by due(), in this turn if nothing waits */
    self->drain_until_us = turn->boot_us + self->config.drain_us;
    self->letters_until_us = self->drain_until_us + self->config.drain_us;
}

static void gauges(void *state)
{
    cf_stockbot_t *self = state;
    cf_gauge(CF_M_BREAKER_STATE, cf_breaker_state(&self->breaker, cf_boot_us()));
    cf_gauge(CF_M_BOT_WAITING, HASH_COUNT(self->asks));
    cf_gauge(CF_M_QUOTES_IN_FLIGHT, self->in_flight);
    cf_gauge(CF_M_DEAD_LETTERS_WAITING, self->letter_count);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void destroy(void *state)
{
    cf_stockbot_t *self = state;
    cf_ask_t *ask, *next;
    self->config.http_ops->destroy(self->config.http);
    HASH_ITER(hh, self->asks, ask, next)
    {
        HASH_DEL(self->asks, ask);
        free(ask);
    }
    cf_bot_free_inquiries(self);
    cf_bot_lose_letters(self);
    cf_forget_all(&self->quotes);
    cf_forget_all(&self->said);
    free(self);
}

int cf_stockbot_new(cf_stockbot_t **out, const cf_stockbot_config_t *config)
{
    cf_stockbot_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->spans = config->spans;
    self->breaker.failures_max = config->breaker_failures;
    self->breaker.pause_us = config->breaker_us;
    self->quotes.max = CF_STOCKBOT_QUOTES_MAX;
    self->said.max = CF_STOCKBOT_SAID_MAX;
    self->letters_end = &self->letters;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_ASK_BOT, on_ask_bot},
    {CF_MSG_DONE, cf_bot_on_done}, /* of a dead letter, as is REFUSED */
    {CF_MSG_REFUSED, cf_bot_on_refused},
    {0, NULL},
};

const cf_actor_ops_t cf_stockbot_ops = {
    .handlers = handlers, .due = due, .drain = drain, .gauges = gauges, .destroy = destroy};
