#include "control.h"

#include "control_state.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "wire/control.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* What may be asked; a verb more is a row here, and one in ctl.c. */
static const cf_control_verb_t *const verbs[] = {
    &cf_control_top_rooms, &cf_control_move_room, &cf_control_disable,
    &cf_control_enable,    &cf_control_replay,
};

bool cf_control_path(const cf_config_t *config, char out[CF_CONTROL_PATH_MAX])
{
    const char *name = config->control_socket;
    bool is_relative = cf_control_is_optional(config);
    snprintf(out, CF_CONTROL_PATH_MAX, "%s%s%s", is_relative ? config->node_data_dir : "",
             is_relative ? "/" : "", name);
    return name[0] != '\0';
}

bool cf_control_is_optional(const cf_config_t *config)
{
    return config->control_socket[0] != '/';
}

int cf_control_open(cf_local_server_t **out, const cf_config_t *config)
{
    char path[CF_CONTROL_PATH_MAX];
    *out = NULL;
    if (!cf_control_path(config, path))
        return 0;
    int rc = cf_local_server_open(out, path);
    if ((rc != CF_EFULL && rc != CF_ERANGE) || !cf_control_is_optional(config))
        return rc;
    cf_log_warn("serves without a control socket", CF_STR("path", path), CF_ERR(rc));
    return 0;
}

static const cf_control_verb_t *verb_of(uint16_t type)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (verbs[i]->type == type)
            return verbs[i];
    return NULL;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void send(cf_control_t *self, uint64_t client, uint64_t corr, uint16_t type,
                 const void *body)
{
    cf_address_t us = cf_outbox_address(self->turn->out);
    cf_buf_clear(&self->frame);
    int rc = cf_msg_encode(&self->frame,
                           &(cf_msg_t){.type = type, .corr = corr, .from = us, .to = us}, body);
    if (rc == 0)
        rc = cf_local_server_send(self->server, self->turn->boot_us, client, self->frame.data,
                                  self->frame.size);
    else
        cf_local_server_hang_up(self->server, client); /* it would wait for what never comes */
    if (rc < 0 && rc != CF_ENOENT)
        cf_count(CF_M_CONTROL_UNSENT);
}

static void send_refusal(cf_control_t *self, uint64_t client, uint64_t corr, int err)
{
    cf_count(CF_M_CONTROL_REFUSED);
    send(self, client, corr, CF_MSG_REFUSED, &(cf_refused_t){.reason = (uint32_t)-err});
}

static void drop(cf_control_t *self, cf_control_request_t *request)
{
    HASH_DEL(self->requests, request);
    free(request->work);
    free(request);
}

void cf_control_answer(cf_control_t *self, cf_control_request_t *request, uint16_t type,
                       const void *body)
{
    cf_log_info("did what was asked", CF_STR("request", cf_msg_name(request->verb->type)));
    send(self, request->client, request->client_corr, type, body);
    drop(self, request);
}

void cf_control_refuse(cf_control_t *self, cf_control_request_t *request, int err)
{
    cf_log_info("did not do what was asked", CF_STR("request", cf_msg_name(request->verb->type)),
                CF_ERR(err));
    send_refusal(self, request->client, request->client_corr, err);
    drop(self, request);
}

/* --- requests ----------------------------------------------------------------------------------
 */

void *cf_control_work(cf_control_request_t *request, size_t size)
{
    return request->work = calloc(1, size);
}

int cf_control_ask(cf_turn_t *turn, cf_control_request_t *request, cf_address_t to, uint16_t type,
                   cf_id_t room, const void *body)
{
    request->asked = type == CF_MSG_LOOKUP ? 0 : to.node;
    return cf_outbox_send(turn->out, to, type, request->corr, room, body);
}

static cf_control_request_t *add_request(cf_control_t *self, const cf_control_verb_t *verb,
                                         uint64_t client, uint64_t client_corr)
{
    cf_control_request_t *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->corr = ++self->last_corr;
    request->verb = verb;
    request->client = client;
    request->client_corr = client_corr;
    request->until_us = self->turn->boot_us + CF_CONTROL_ANSWER_US;
    randombytes_buf(request->trace.id, sizeof request->trace.id);
    HASH_ADD(hh, self->requests, corr, sizeof request->corr, request);
    if (request->hh.tbl)
        return request;
    free(request);
    return NULL;
}

/* Returns an error if the request was not taken. */
static int begin(cf_control_t *self, uint64_t client, const cf_msg_t *msg)
{
    const cf_control_verb_t *verb = verb_of(msg->type);
    if (!verb)
        return CF_EPROTO;
    if (self->draining)
        return CF_ECLOSING;
    if (HASH_COUNT(self->requests) >= CF_CONTROL_REQUESTS_MAX)
        return CF_EFULL;
    cf_control_request_t *request = add_request(self, verb, client, msg->corr);
    if (!request)
        return CF_ENOMEM;
    cf_actor_trace(self->turn->out, &request->trace);
    int rc = verb->begin(self, self->turn, request, msg);
    if (rc < 0)
        drop(self, request);
    cf_actor_trace(self->turn->out, NULL);
    return rc;
}

static void on_packet(void *arg, uint64_t client, const uint8_t *bytes, size_t size)
{
    cf_control_t *self = arg;
    cf_msg_t msg = {0};
    cf_count(CF_M_CONTROL_REQUESTS);
    int rc = size > CF_LOCAL_PACKET_MAX ? CF_ERANGE : cf_msg_decode(&msg, bytes, size);
    if (rc == 0)
        rc = begin(self, client, &msg);
    if (rc == 0)
        return;
    send_refusal(self, client, msg.corr, rc);
    if (rc == CF_EPROTO || rc == CF_ERANGE) {
        cf_log_warn("refused what came over the control socket", CF_ERR(rc));
        cf_local_server_hang_up(self->server, client);
    }
}

static void on_too_many(void *arg, uint64_t client)
{
    send_refusal(arg, client, 0, CF_EFULL);
}

void cf_control_readable(void *state, cf_turn_t *turn)
{
    cf_control_t *self = state;
    self->turn = turn;
    cf_local_server_serve(self->server, turn->boot_us,
                          &(cf_local_hooks_t){on_packet, on_too_many, self});
    self->turn = NULL;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* After the verb went on. Only a bug of ours makes what another actor says unreadable. */
static int settle(cf_control_t *self, cf_control_request_t *request, int rc)
{
    bool is_malformed = rc == CF_EPROTO || rc == CF_ERANGE;
    if (rc < 0)
        cf_control_refuse(self, request, is_malformed ? CF_EINTERNAL : rc);
    return is_malformed ? rc : 0;
}

/* Late for a request that has ended is no fault. */
static int on_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_control_t *self = state;
    cf_control_request_t *request;
    HASH_FIND(hh, self->requests, &msg->corr, sizeof msg->corr, request);
    if (!request || (request->asked && request->asked != msg->from.node))
        return 0; /* too late, or from a node that was not asked and has guessed the number */
    self->turn = turn;
    int rc = settle(self, request, request->verb->go_on(self, turn, request, msg));
    self->turn = NULL;
    return rc;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_ROOMS_TOP, on_answer}, {CF_MSG_DEAD_LETTER_ROW, on_answer},
    {CF_MSG_PLACED, on_answer},    {CF_MSG_MOVED, on_answer},
    {CF_MSG_RERAN, on_answer},     {CF_MSG_DONE, on_answer},
    {CF_MSG_REFUSED, on_answer},   {0, NULL},
};

/* --- time --------------------------------------------------------------------------------------
 */

static void give_up(cf_control_t *self, cf_control_request_t *request)
{
    cf_actor_trace(self->turn->out, &request->trace);
    if (request->verb->give_up)
        request->verb->give_up(self, self->turn, request);
    else
        cf_control_refuse(self, request, CF_ETIME);
    cf_actor_trace(self->turn->out, NULL);
}

static void wake(cf_control_t *self, cf_control_request_t *request)
{
    request->wake_us = 0;
    cf_actor_trace(self->turn->out, &request->trace);
    settle(self, request, request->verb->wake(self, self->turn, request));
    cf_actor_trace(self->turn->out, NULL);
}

static int64_t next_of(const cf_control_request_t *request)
{
    return request->wake_us && request->wake_us < request->until_us ? request->wake_us
                                                                    : request->until_us;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_control_t *self = state;
    cf_control_request_t *request, *next;
    self->turn = turn;
    int64_t next_us = cf_local_server_due(self->server, turn->boot_us);
    HASH_ITER(hh, self->requests, request, next)
    {
        if (turn->boot_us >= request->until_us)
            give_up(self, request);
        else if (request->wake_us && turn->boot_us >= request->wake_us)
            wake(self, request);
    }
    for (request = self->requests; request; request = request->hh.next)
        if (next_of(request) < next_us)
            next_us = next_of(request);
    self->turn = NULL;
    return next_us;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void drain(void *state, cf_turn_t *turn)
{
    cf_control_t *self = state;
    (void)turn;
    self->draining = true;
    cf_actor_drained(self->config.actor);
}

static void gauges(void *state)
{
    const cf_control_t *self = state;
    cf_gauge(CF_M_CONTROL_CLIENTS, cf_local_server_clients(self->server));
}

static void destroy(void *state)
{
    cf_control_t *self = state;
    while (self->requests)
        drop(self, self->requests);
    cf_local_server_close(&self->server);
    cf_buf_free(&self->frame);
    free(self);
}

int cf_control_new(cf_control_t **out, const cf_control_config_t *config)
{
    cf_control_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->server = config->server;
    *out = self;
    return 0;
}

int cf_control_fd(const cf_control_t *self)
{
    return cf_local_server_fd(self->server);
}

const cf_actor_ops_t cf_control_ops = {
    .handlers = handlers, .due = due, .drain = drain, .gauges = gauges, .destroy = destroy};
