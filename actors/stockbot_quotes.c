/* stockbot_quotes.c: quotes being asked for: one request for all who want the same, attempts, pauses,
 * the breaker, and what is remembered for the next one who asks. */
#include "stockbot_state.h"

#include "dialects/quote.h"
#include "err.h"
#include "http/traceparent.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>

#define STATUS_OK 200
#define STATUS_TOO_MANY 429

/* What an attempt has come to. */
typedef struct {
    enum { FOUND, NOT_FOUND, FAILED } is;
    bool may_retry;       /* FAILED: another attempt may go better */
    cf_attempt_end_t end; /* what it says about the service */
    cf_quote_t quote;
} finding_t;

static cf_str_t code_of(const cf_inquiry_t *inquiry)
{
    return cf_str(inquiry->code);
}

/* --- what an answer means ----------------------------------------------------------------------
 */

/* A service that answers is well, also when it says no or talks nonsense: it is left alone for what
 * it does to everybody, not for one code that it does not like. */
static finding_t judge(const cf_http_answer_t *answer, char *reason, size_t size)
{
    finding_t finding = {.is = FAILED, .end = CF_ATTEMPT_SUCCEEDED};
    if (answer->rc < 0) {
        snprintf(reason, size, "%s", answer->reason);
        finding.may_retry = answer->rc != CF_EPERM && answer->rc != CF_ERANGE;
        finding.end = answer->rc == CF_ENOMEM ? CF_ATTEMPT_DROPPED : CF_ATTEMPT_FAILED;
    } else if (answer->status != STATUS_OK) {
        bool is_refusal = answer->status >= 400 && answer->status < 500;
        snprintf(reason, size, "HTTP status %d", answer->status);
        finding.may_retry = !is_refusal;
        finding.end = is_refusal && answer->status != STATUS_TOO_MANY ? CF_ATTEMPT_SUCCEEDED
                                                                      : CF_ATTEMPT_FAILED;
    } else {
        int rc = cf_quote_read(&finding.quote, answer->body.bytes, answer->body.size);
        finding.is = rc == 0 ? FOUND : rc == CF_ENOENT ? NOT_FOUND : FAILED;
        snprintf(reason, size, "the answer is no quote");
    }
    return finding;
}

static cf_words_t words_of(const finding_t *finding, const cf_inquiry_t *inquiry)
{
    cf_words_t words = {.is_error = finding->is == NOT_FOUND};
    if (finding->is == FOUND)
        snprintf(words.text, sizeof words.text, "%s quote is $%s per share", finding->quote.symbol,
                 finding->quote.price);
    else
        snprintf(words.text, sizeof words.text, "Stock %s not found", inquiry->code);
    return words;
}

bool cf_bot_knows_quote(const cf_stockbot_t *self, cf_str_t code, int64_t now_us, cf_words_t *out)
{
    const cf_words_t *words = cf_remembered(&self->quotes, code, now_us);
    if (!words)
        return false;
    *out = *words;
    cf_count(CF_M_QUOTE_CACHE_HITS);
    return true;
}

/* --- inquiries ---------------------------------------------------------------------------------
 */

static void free_inquiry(cf_stockbot_t *self, cf_inquiry_t *inquiry)
{
    HASH_DEL(self->inquiries, inquiry);
    free(inquiry);
}

int cf_bot_inquire(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, cf_str_t code)
{
    cf_inquiry_t *inquiry;
    HASH_FIND(hh, self->inquiries, code.bytes, code.size, inquiry);
    if (!inquiry) {
        inquiry = calloc(1, sizeof *inquiry);
        if (!inquiry)
            return CF_ENOMEM;
        inquiry->bot = self;
        memcpy(inquiry->code, code.bytes, code.size);
        inquiry->next_us = turn->boot_us;
        HASH_ADD_KEYPTR(hh, self->inquiries, inquiry->code, code.size, inquiry);
        if (!inquiry->hh.tbl) {
            free(inquiry);
            return CF_ENOMEM;
        }
    }
    ask->inquiry = inquiry;
    ask->next = inquiry->asks;
    if (inquiry->asks)
        inquiry->asks->prev = ask;
    inquiry->asks = ask;
    return 0;
}

static void end_attempt(cf_stockbot_t *self, cf_turn_t *turn, const cf_inquiry_t *inquiry,
                        cf_attempt_end_t how)
{
    cf_breaker_state_t before = self->breaker.state;
    cf_breaker_end(&self->breaker, turn->boot_us, inquiry->round, how);
    if (self->breaker.state == before)
        return;
    if (self->breaker.state == CF_BREAKER_OPEN)
        cf_log_warn("the quote service is left alone for a while",
                    CF_STR("reason", inquiry->reason[0] ? inquiry->reason : "deadline passed"));
    else
        cf_log_info("the quote service answers again");
}

/* Of the attempt that has just ended. status 0: no answer came. */
static void tell_span(cf_stockbot_t *self, cf_turn_t *turn, const cf_inquiry_t *inquiry, int status,
                      bool failed)
{
    cf_span_attribute_t attributes[] = {
        {cf_str("http.request.method"), cf_str("GET"), 0},
        {cf_str("http.response.status_code"), {0}, status},
    };
    cf_spans_tell(&self->spans, turn->out, turn->wall_us, turn->boot_us,
                  &(cf_span_told_t){.trace = inquiry->trace,
                                    .id = inquiry->span,
                                    .parent = inquiry->parent,
                                    .kind = CF_SPAN_CLIENT,
                                    .name = "GET quote",
                                    .took_us = turn->boot_us - inquiry->begun_us,
                                    .failed = failed,
                                    .attributes = attributes,
                                    .n = status ? 2 : 1});
}

static void drop_attempt(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry,
                         cf_attempt_end_t how)
{
    if (!inquiry->request)
        return;
    self->config.http_ops->cancel(self->config.http, inquiry->request);
    inquiry->request = NULL;
    self->in_flight--;
    tell_span(self, turn, inquiry, 0, true);
    end_attempt(self, turn, inquiry, how);
}

/* Whoever waited is gone, so it is not asked for any more. A request that took until then is one more
 * that the service has not answered in time. */
void cf_bot_leave_inquiry(cf_stockbot_t *self, cf_ask_t *ask)
{
    cf_inquiry_t *inquiry = ask->inquiry;
    if (ask->prev)
        ask->prev->next = ask->next;
    else
        inquiry->asks = ask->next;
    if (ask->next)
        ask->next->prev = ask->prev;
    if (inquiry->asks)
        return;
    drop_attempt(self, self->turn, inquiry,
                 self->draining ? CF_ATTEMPT_DROPPED : CF_ATTEMPT_FAILED);
    free_inquiry(self, inquiry);
}

/* Every ask that waits for it is answered; with the last of them the inquiry goes. */
static void answer_all(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry,
                       const cf_words_t *words)
{
    for (cf_ask_t *ask = inquiry->asks, *next; ask; ask = next) {
        next = ask->next;
        cf_bot_answer(self, turn, ask, words, words->is_error ? CF_M_BOT_NOT_FOUND : CF_M_BOT_OK);
    }
}

static void fail_all(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry,
                     const char *reason)
{
    for (cf_ask_t *ask = inquiry->asks, *next; ask; ask = next) {
        next = ask->next;
        cf_bot_fail(self, turn, ask, reason);
    }
}

/* The latest time that somebody who waits for it has. */
static int64_t until_us(const cf_inquiry_t *inquiry)
{
    int64_t latest_us = INT64_MIN;
    for (const cf_ask_t *ask = inquiry->asks; ask; ask = ask->next)
        if (ask->until_us > latest_us)
            latest_us = ask->until_us;
    return latest_us;
}

/* --- attempts ----------------------------------------------------------------------------------
 */

/* The pause behind an attempt: doubled each time, and give or take a half, so that many who failed
 * together do not come back together. */
static int64_t pause_us(const cf_stockbot_t *self, uint32_t attempts)
{
    int64_t base_us = self->config.pause_us << (attempts - 1);
    if (base_us > self->config.deadline_us)
        base_us = self->config.deadline_us;
    return base_us / 2 + self->config.random((uint32_t)base_us);
}

static void attempt_failed(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry,
                           bool may_retry)
{
    cf_count(CF_M_QUOTE_FAILURES);
    cf_log_debug("an attempt at a quote failed", CF_STR("reason", inquiry->reason),
                 CF_UINT("attempt", inquiry->attempts));
    inquiry->next_us = turn->boot_us + pause_us(self, inquiry->attempts);
    bool has_time = inquiry->next_us < until_us(inquiry);
    if (!may_retry || !has_time || inquiry->attempts >= self->config.attempts)
        fail_all(self, turn, inquiry, inquiry->reason);
}

static void tell_all(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry,
                     const finding_t *finding)
{
    cf_words_t words = words_of(finding, inquiry);
    int64_t keep_us =
        finding->is == FOUND ? self->config.cache_us : self->config.cache_not_found_us;
    if (keep_us)
        cf_remember(&self->quotes, code_of(inquiry), &words, turn->boot_us + keep_us);
    answer_all(self, turn, inquiry, &words);
}

static void on_answer(void *arg, const cf_http_answer_t *answer)
{
    cf_inquiry_t *inquiry = arg;
    cf_stockbot_t *self = inquiry->bot;
    cf_turn_t *turn = self->turn;
    finding_t finding = judge(answer, inquiry->reason, sizeof inquiry->reason);
    cf_log_trace(&inquiry->asks->request.trace); /* of one of those who wait for it */
    inquiry->request = NULL;
    self->in_flight--;
    tell_span(self, turn, inquiry, answer->status, finding.is == FAILED);
    end_attempt(self, turn, inquiry, finding.end);
    if (finding.is == FAILED)
        attempt_failed(self, turn, inquiry, finding.may_retry);
    else
        tell_all(self, turn, inquiry, &finding);
    cf_log_trace(NULL);
}

/* Each attempt is a span of its own, in the trace of one of those who wait for the quote. Where nobody is told
 * of it, what the service does for it is not to hang below it. */
static void begin_span(cf_inquiry_t *inquiry, int64_t boot_us)
{
    const cf_msg_t *request = &inquiry->asks->request;
    inquiry->trace = request->trace;
    inquiry->trace.sampled &= inquiry->bot->spans.tracer.kind != 0;
    inquiry->parent = cf_span_of(request);
    inquiry->span = cf_span_new();
    inquiry->begun_us = boot_us;
}

static void write_traceparent(const cf_inquiry_t *inquiry, char *out, size_t size)
{
    char value[CF_TRACEPARENT_TEXT];
    cf_traceparent_write(value, &(cf_traceparent_t){inquiry->trace, inquiry->span});
    snprintf(out, size, "traceparent: %s", value);
}

/* The grammar of codes makes the URL safe. */
static int begin_attempt(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry)
{
    char url[512], header[sizeof "traceparent: " + CF_TRACEPARENT_TEXT];
    int64_t left_us = until_us(inquiry) - turn->boot_us;
    int64_t time_us = left_us < self->config.attempt_us ? left_us : self->config.attempt_us;
    snprintf(url, sizeof url, "%s/q/l/?s=%s&f=sd2t2ohlcv&h&e=csv", self->config.url, inquiry->code);
    begin_span(inquiry, turn->boot_us);
    if (self->config.traceparent)
        write_traceparent(inquiry, header, sizeof header);
    inquiry->attempts++;
    cf_count(CF_M_QUOTE_ATTEMPTS);
    cf_http_ask_t ask = {.headers = {self->config.traceparent ? header : NULL}};
    return self->config.http_ops->ask(self->config.http, url, &ask, (time_us + 999) / 1000,
                                      on_answer, inquiry, &inquiry->request);
}

/* Begin, or fail, what may be begun now. */
static void try_inquiry(cf_stockbot_t *self, cf_turn_t *turn, cf_inquiry_t *inquiry)
{
    if (!cf_breaker_begin(&self->breaker, turn->boot_us, &inquiry->round)) {
        cf_count(CF_M_BREAKER_REFUSALS);
        fail_all(self, turn, inquiry, "the quote service is left alone after failures");
        return;
    }
    if (begin_attempt(self, turn, inquiry) == 0) {
        self->in_flight++;
        return;
    }
    end_attempt(self, turn, inquiry, CF_ATTEMPT_DROPPED);
    snprintf(inquiry->reason, sizeof inquiry->reason, "the request could not be begun");
    attempt_failed(self, turn, inquiry, true);
}

int64_t cf_bot_go_on(cf_stockbot_t *self, cf_turn_t *turn)
{
    cf_inquiry_t *inquiry, *next;
    int64_t next_us = INT64_MAX;
    HASH_ITER(hh, self->inquiries, inquiry, next)
    {
        bool is_due = !inquiry->request && turn->boot_us >= inquiry->next_us;
        if (is_due && self->in_flight < self->config.in_flight_max)
            try_inquiry(self, turn, inquiry); /* may free it */
        else if (!inquiry->request && !is_due && inquiry->next_us < next_us)
            next_us = inquiry->next_us;
    }
    int64_t due_us = self->config.http_ops->due(self->config.http);
    return due_us < next_us ? due_us : next_us;
}

void cf_bot_free_inquiries(cf_stockbot_t *self)
{
    cf_inquiry_t *inquiry, *next;
    HASH_ITER(hh, self->inquiries, inquiry, next)
    {
        free_inquiry(self, inquiry);
    }
}
