/* stockbot_letters.c: what could not be carried out is told to storage until it is stored. It is the storage of the
 * node whose room has asked, as this one may have none; when that does not answer, of the one that has asked last. */
#include "stockbot_state.h"

#include "err.h"
#include "log.h"
#include "wire/control.h"
#include "wire/record.h"

#include <stdlib.h>

#define RETRY_US INT64_C(1000000)
#define ANSWER_US INT64_C(10000000) /* storage answers earlier, whatever happens */

static void lose(const char *reason, const cf_trace_t *trace)
{
    cf_count(CF_M_DEAD_LETTERS_LOST);
    cf_log_trace(trace);
    cf_log_warn("lost a dead letter", CF_STR("reason", reason));
    cf_log_trace(NULL);
}

static void free_letter(cf_stockbot_t *self, cf_letter_t **at)
{
    cf_letter_t *letter = *at;
    *at = letter->next;
    if (!*at)
        self->letters_end = at;
    self->letter_count--;
    free(letter);
}

static cf_letter_t **find(cf_stockbot_t *self, uint64_t corr)
{
    cf_letter_t **at = &self->letters;
    while (*at && (*at)->corr != corr)
        at = &(*at)->next;
    return at;
}

void cf_bot_write_letter(cf_stockbot_t *self, cf_turn_t *turn, const cf_dead_letter_t *row,
                         const cf_msg_t *request)
{
    if (self->letter_count == self->config.queue_max) { /* the store has been away for long */
        lose(self->letters->reason, &self->letters->trace);
        free_letter(self, &self->letters);
    }
    cf_letter_t *letter = calloc(1, sizeof *letter);
    if (!letter) {
        lose("out of memory", &request->trace);
        return;
    }
    letter->row = *row;
    memcpy(letter->command, row->command.bytes, row->command.size);
    memcpy(letter->reason, row->reason.bytes, row->reason.size);
    letter->row.command = cf_str(letter->command);
    letter->row.reason = cf_str(letter->reason);
    letter->next_us = turn->boot_us;
    letter->node = request->from.node;
    letter->trace = request->trace;
    *self->letters_end = letter;
    self->letters_end = &letter->next;
    self->letter_count++;
}

int64_t cf_bot_send_letters(cf_stockbot_t *self, cf_turn_t *turn)
{
    int64_t next_us = INT64_MAX;
    for (cf_letter_t *at = self->letters; at; at = at->next) {
        if (turn->boot_us >= at->next_us) {
            if (at->corr)
                at->node = self->asked_by;
            cf_address_t storage = {at->node, CF_ACTOR_STORAGE, 0};
            at->corr = ++self->next_corr;
            at->next_us = turn->boot_us + ANSWER_US;
            cf_outbox_trace(turn->out, &at->trace);
            if (cf_outbox_send(turn->out, storage, CF_MSG_DEAD_LETTER, at->corr, (cf_id_t){0},
                               &at->row) < 0)
                at->next_us = turn->boot_us + RETRY_US;
            cf_outbox_trace(turn->out, NULL);
        }
        if (at->next_us < next_us)
            next_us = at->next_us;
    }
    return next_us;
}

int cf_bot_on_done(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stockbot_t *self = state;
    cf_letter_t **at = find(self, msg->corr);
    (void)turn;
    if (*at) {
        cf_count(CF_M_DEAD_LETTERS);
        free_letter(self, at);
    }
    return 0;
}

int cf_bot_on_refused(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_stockbot_t *self = state;
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    cf_letter_t **at = find(self, msg->corr);
    if (rc < 0 || !*at)
        return rc;
    if ((int)refused.reason == -CF_ERANGE) { /* it will not be taken the next time either */
        lose((*at)->reason, &(*at)->trace);
        free_letter(self, at);
    } else {
        (*at)->next_us = turn->boot_us + RETRY_US;
    }
    return 0;
}

void cf_bot_lose_letters(cf_stockbot_t *self)
{
    while (self->letters) {
        lose(self->letters->reason, &self->letters->trace);
        free_letter(self, &self->letters);
    }
}
