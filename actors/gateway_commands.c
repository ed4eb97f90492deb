/* gateway_commands.c: what clients ask the bot, by way of their room. */
#include "gateway_state.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"

#include <stdlib.h>

#define GRACE_US INT64_C(15000000) /* the room gives up earlier; this is the net below */
#define POOL_SHARE                                                                                 \
    8 /* commands that wait take an eighth of what the pool has for posts, beside it */

static const cf_socket_failure_t failures[] = {
    {CF_EPERM, "Not a member of this chatroom", "NOT_A_MEMBER"},
    {CF_ENOENT, "Not a member of this chatroom", "NOT_A_MEMBER"},
    {CF_ELIMIT, "Rate limit exceeded", "RATE_LIMIT_EXCEEDED"},
    {CF_EFULL, "Failed to process command", "TOO_MANY_COMMANDS"},
    {CF_ETIME, "Failed to process command", "NOT_ANSWERED"},
    {0, "Failed to process command", "BOT_UNAVAILABLE"},
};

static void fail(cf_client_t *client, int err, const char *client_key, uint32_t retry_after_ms)
{
    cf_count(CF_M_COMMANDS_REFUSED);
    cf_socket_send_failure(client, failures, err, client_key, retry_after_ms);
}

void cf_command_gave_up(cf_pending_t *pending)
{
    fail(pending->client, CF_ETIME, pending->client_key, 0);
}

/* The load test measures how long a command takes by the return of its text (contract, section 7). */
static void echo(cf_client_t *client, const cf_typed_t *typed)
{
    cf_event_t event = {.kind = CF_EVENT_POST,
                        .post = {.id = cf_id_new(typed->at_us),
                                 .sender = client->user,
                                 .at_us = typed->at_us,
                                 .kind = CF_POST_TEXT,
                                 .username = cf_str(client->username),
                                 .text = {typed->text, typed->size}}};
    cf_buf_t text = {0};
    int rc = cf_rooms_write_event(&text, client->room, &event);
    cf_socket_send(client, &text, rc, CF_M_SENT_CHAT);
}

static void on_commanded(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    cf_client_t *client = pending->client;
    uint32_t retry_after_ms;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (!client || client->phase != CF_CLIENT_ATTACHED)
        return;
    if (err < 0)
        fail(client, err, pending->client_key, retry_after_ms);
    else if (self->config.echo && pending->typed->has_echo)
        echo(client, pending->typed);
}

static cf_typed_t *keep(const cf_rooms_frame_t *frame)
{
    cf_typed_t *typed = malloc(sizeof *typed + frame->content.size);
    if (!typed)
        return NULL;
    typed->at_us = cf_wall_us();
    typed->has_echo = frame->command.code[0] != '\0';
    typed->size = frame->content.size;
    memcpy(typed->text, frame->content.bytes, frame->content.size);
    return typed;
}

static int prepare(cf_gateway_t *self, cf_client_t *client, const cf_rooms_frame_t *frame,
                   cf_pending_t **out)
{
    if (client->commands >= self->config.commands_in_flight ||
        self->command_bytes >= self->config.pool_bytes / POOL_SHARE)
        return CF_EFULL;
    cf_typed_t *typed = keep(frame);
    if (!typed)
        return CF_ENOMEM;
    cf_command_t command = {.id = cf_id_new(typed->at_us),
                            .conn = client->number,
                            .sender = client->user,
                            .type = frame->command.type,
                            .code = cf_str(frame->command.code)};
    int rc =
        cf_place_prepare(self, client, client->room, CF_MSG_COMMAND, &command, on_commanded, out);
    if (rc < 0) {
        free(typed);
        return rc;
    }
    (*out)->typed = typed;
    (*out)->give_up_us += self->config.command_us + GRACE_US;
    typed->bytes = sizeof **out + (*out)->frame.size + sizeof *typed + typed->size;
    self->command_bytes += typed->bytes;
    client->commands++;
    return 0;
}

void cf_command_over(cf_gateway_t *self, cf_pending_t *pending)
{
    self->command_bytes -= pending->typed->bytes;
    if (pending->client)
        pending->client->commands--;
}

void cf_command_ask(cf_gateway_t *self, cf_client_t *client, const cf_rooms_frame_t *frame,
                    const char *client_key)
{
    cf_pending_t *pending;
    int rc = prepare(self, client, frame, &pending);
    cf_count(CF_M_COMMANDS);
    if (rc < 0) {
        fail(client, rc, client_key, 1000);
        return;
    }
    memcpy(pending->client_key, client_key, strlen(client_key));
    cf_limits_spend(self, pending, CF_LIMIT_COMMANDS);
}
