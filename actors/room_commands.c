/* room_commands.c: what members ask the bot, and what it says to the room. */
#include "room_state.h"

#include "err.h"
#include "metrics.h"
#include "rendezvous.h"
#include "wire/bot.h"

#include <stdlib.h>

/* The bot answers within a command's time by itself; a room that hears nothing gives up a bit later. */
#define GRACE_US INT64_C(2000000)

/* This node's own, else the same one for all of a room as long as it is there: what is asked again meets who knows of it. */
static cf_address_t bot_of(const cf_room_t *self)
{
    const cf_room_host_t *host = self->host;
    if (host->config->bot.kind || host->bots.count == 0)
        return host->config->bot;
    uint32_t best = 0;
    for (uint32_t i = 0; i < host->bots.count; i++)
        cf_rendezvous_prefer(self->id, &best, host->bots.nodes[i]);
    return (cf_address_t){best, CF_ACTOR_STOCKBOT, 0};
}

static void tell_span(cf_room_t *self, cf_turn_t *turn, const cf_open_command_t *open, bool failed)
{
    if (!open->request.trace.sampled)
        return;
    cf_room_tell_span(self, turn, &open->request, open->corr,
                      &(cf_span_told_t){.kind = CF_SPAN_CLIENT,
                                        .name = "ask_bot",
                                        .took_us = turn->boot_us - open->since_us,
                                        .failed = failed});
}

/* ask: but for the time it has. */
static int ask_bot(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_ask_bot_t *ask)
{
    const cf_room_config_t *config = self->host->config;
    cf_address_t bot = bot_of(self);
    if (bot.kind == 0) {
        cf_count(CF_M_BOT_AWAY);
        return CF_EAGAIN;
    }
    if (self->command_count >= config->commands_max)
        return CF_EFULL;
    cf_open_command_t *open = malloc(sizeof *open);
    if (!open)
        return CF_ENOMEM;
    *open = (cf_open_command_t){.corr = cf_room_next_corr(self),
                                .node = bot.node,
                                .request = *msg,
                                .since_us = turn->boot_us};
    ask->left_ms = (uint32_t)(config->command_us / 1000);
    int rc = cf_outbox_send(turn->out, bot, CF_MSG_ASK_BOT, open->corr, self->id, ask);
    if (rc < 0) {
        free(open);
        return rc;
    }
    *self->commands_end = open;
    self->commands_end = &open->next;
    self->command_count++;
    return 0;
}

int cf_room_on_command(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_command_t command;
    int rc = cf_msg_body(&command, msg, turn->arena);
    if (rc == 0)
        rc = cf_room_may_speak(self, turn, msg, command.conn, command.sender);
    if (rc != 1)
        return rc == 0 ? CF_EPERM : rc == CF_EAGAIN ? 0 : rc;
    return ask_bot(self, turn, msg,
                   &(cf_ask_bot_t){.id = command.id, .type = command.type, .code = command.code});
}

/* Of a dead letter: who wrote it need not be here, or a member, any more. */
int cf_room_on_rerun(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_rerun_t rerun;
    int rc = cf_msg_body(&rerun, msg, turn->arena);
    return rc < 0
               ? rc
               : ask_bot(
                     state, turn, msg,
                     &(cf_ask_bot_t){
                         .id = rerun.id, .type = rerun.type, .code = rerun.code, .replay = true});
}

/* NULL: not ours, or given up. The caller frees it. */
static cf_open_command_t *take_command(cf_room_t *self, uint64_t corr)
{
    for (cf_open_command_t **at = &self->commands; *at; at = &(*at)->next)
        if ((*at)->corr == corr) {
            cf_open_command_t *open = *at;
            *at = open->next;
            if (!*at)
                self->commands_end = at;
            self->command_count--;
            return open;
        }
    return NULL;
}

/* The sender hears first that it is answered: its echo stands before the bot's words. */
int cf_room_on_bot_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_bot_answer_t answer;
    int rc = cf_msg_body(&answer, msg, turn->arena);
    cf_open_command_t *open = rc == 0 ? take_command(self, msg->corr) : NULL;
    if (!open)
        return rc;
    bool is_rerun = open->request.type == CF_MSG_RERUN;
    if (is_rerun)
        cf_outbox_finish(turn->out, &open->request, CF_MSG_RERAN, &(cf_reran_t){answer.failure});
    else
        cf_outbox_finish(turn->out, &open->request, CF_MSG_COMMANDED, NULL);
    tell_span(self, turn, open, answer.is_error);
    free(open);
    if (is_rerun && answer.failure.size > 0)
        return 0; /* the room was told so the first time */
    cf_post_t words = {.id = cf_id_new(turn->wall_us),
                       .sender = answer.bot,
                       .at_us = turn->wall_us > self->last_us ? turn->wall_us : self->last_us,
                       .kind = CF_POST_BOT,
                       .username = answer.username,
                       .text = answer.text};
    cf_room_announce(self, turn, answer.is_error ? CF_EVENT_BOT_ERROR : CF_EVENT_BOT, &words);
    return 0;
}

bool cf_room_command_refused(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err)
{
    cf_open_command_t *open = take_command(self, corr);
    if (!open)
        return false;
    if (err == CF_EMOVED)
        cf_room_answer_moved(self, turn, &open->request);
    else
        cf_outbox_refuse(turn->out, &open->request, err, 0);
    tell_span(self, turn, open, true);
    free(open);
    return true;
}

void cf_room_bot_gone(cf_room_t *self, cf_turn_t *turn, uint32_t node)
{
    for (cf_open_command_t *open = self->commands, *next; open; open = next) {
        next = open->next;
        if (open->node != node)
            continue;
        cf_count(CF_M_BOT_AWAY);
        cf_room_command_refused(self, turn, open->corr, CF_EAGAIN);
    }
}

void cf_room_refuse_commands(cf_room_t *self, cf_turn_t *turn, int64_t until_us, int err)
{
    while (self->commands && self->commands->since_us <= until_us)
        cf_room_command_refused(self, turn, self->commands->corr, err);
}

void cf_room_commands_tick(cf_room_t *self, cf_turn_t *turn)
{
    cf_room_refuse_commands(self, turn, turn->boot_us - self->host->config->command_us - GRACE_US,
                            CF_ETIME);
}

void cf_room_free_commands(cf_room_t *self)
{
    for (cf_open_command_t *open = self->commands, *next; open; open = next) {
        next = open->next;
        free(open);
    }
}
