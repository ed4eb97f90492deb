/* actors/stockbot_state.h: the state of the bot, for the files that together are the bot: stockbot.c
 * (commands and their answers), stockbot_quotes.c (quotes being asked for), stockbot_letters.c (what
 * failed). Nobody else includes it. */
#ifndef CF_STOCKBOT_STATE_H
#define CF_STOCKBOT_STATE_H

#include "breaker.h"
#include "metrics.h"
#include "remembered.h"
#include "stockbot.h"
#include "table.h"

typedef struct cf_inquiry cf_inquiry_t;

/* A command that is not answered yet. */
typedef struct cf_ask {
    cf_id_t id;
    bool replay;      /* of a dead letter */
    cf_msg_t request; /* head only: whom to answer, who asked last */
    int64_t until_us;
    cf_inquiry_t *inquiry;      /* what it waits for */
    struct cf_ask *prev, *next; /* of that inquiry */
    UT_hash_handle hh;
} cf_ask_t;

/* A quote that is being asked for. */
struct cf_inquiry {
    cf_stockbot_t *bot;
    char code[CF_STOCK_CODE_MAX + 1];
    cf_ask_t *asks; /* who waits for it; owned by the bot's table */
    uint32_t attempts;
    void *request;             /* the attempt under way; NULL: none */
    int64_t begun_us;          /* when it was begun, */
    cf_trace_t trace;          /* in the trace of one of those who wait, */
    cf_span_id_t span, parent; /* as this span */
    uint32_t round;            /* the breaker's, of that attempt */
    int64_t next_us;           /* not before */
    char reason[128];          /* why the last attempt failed; "" */
    UT_hash_handle hh;         /* in order of arrival */
};

/* A dead letter that is not known to be stored. */
typedef struct cf_letter {
    struct cf_letter *next;
    cf_dead_letter_t row;
    char command[CF_DEAD_COMMAND_MAX + 1];
    char reason[CF_DEAD_REASON_MAX + 1];
    cf_trace_t trace;
    uint32_t node;   /* whose storage it is sent to */
    uint64_t corr;   /* of the DEAD_LETTER on its way; 0: none */
    int64_t next_us; /* when it is sent (again) */
} cf_letter_t;

struct cf_stockbot {
    cf_stockbot_config_t config;
    cf_ask_t *asks;
    cf_inquiry_t *inquiries;
    uint32_t in_flight;
    cf_breaker_t breaker;
    cf_spans_t spans;
    cf_remembered_t quotes;              /* by code */
    cf_remembered_t said;                /* by command */
    cf_letter_t *letters, **letters_end; /* oldest first */
    uint32_t letter_count;
    uint32_t asked_by; /* the node that asked last */
    uint64_t next_corr;
    cf_turn_t *turn; /* of the call under way, for what the HTTP client calls */
    bool draining;   /* nothing new is taken any more */
    bool owes_drained;
    int64_t drain_until_us, letters_until_us;
};

/* stockbot.c */
/* Answer a command, count it there, and forget it. */
void cf_bot_answer(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, const cf_words_t *words,
                   cf_metric_t counter);
/* The same with the failure text, and a dead letter. */
void cf_bot_fail(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, const char *reason);

/* stockbot_quotes.c */
/* Answer from memory; false: it has to be asked for. */
bool cf_bot_knows_quote(const cf_stockbot_t *self, cf_str_t code, int64_t now_us, cf_words_t *out);
int cf_bot_inquire(cf_stockbot_t *self, cf_turn_t *turn, cf_ask_t *ask, cf_str_t code);
/* The command has been answered: it waits no more. */
void cf_bot_leave_inquiry(cf_stockbot_t *self, cf_ask_t *ask);
/* Begin every attempt that may begin; when to come again. */
int64_t cf_bot_go_on(cf_stockbot_t *self, cf_turn_t *turn);
void cf_bot_free_inquiries(cf_stockbot_t *self);

/* stockbot_letters.c */
cf_handler_fn cf_bot_on_done, cf_bot_on_refused;
void cf_bot_write_letter(cf_stockbot_t *self, cf_turn_t *turn, const cf_dead_letter_t *row,
                         const cf_msg_t *request);
int64_t cf_bot_send_letters(cf_stockbot_t *self, cf_turn_t *turn); /* when to come again */
void cf_bot_lose_letters(cf_stockbot_t *self); /* there is no time left for them */

#endif
