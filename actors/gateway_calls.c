/* gateway_calls.c: what each route does: the message it asks an actor with, and the actor's answer as the
 * rooms contract wants it. */
#include "gateway_routes.h"

#include "clock.h"
#include "err.h"
#include "store.h"
#include "wire/record.h"

#include <sodium.h>
#include <stdio.h>

#define LIMIT_DEFAULT 50
#define NUMBER_MAX 1000000000L

/* --- accounts ----------------------------------------------------------------------------------
 */

static const cf_http_failure_t account_failures[] = {
    {CF_EEXIST, 409, "User already exists"}, {CF_EAUTH, 401, "Invalid credentials"},
    {CF_ERANGE, 400, "Invalid input"},       {CF_EFULL, 429, "Rate limit exceeded"},
    {CF_ELIMIT, 429, "Rate limit exceeded"}, {CF_EAGAIN, 429, "Rate limit exceeded"},
    {0, 503, "Service unavailable"},
};

static void on_registered(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                          const cf_msg_t *msg)
{
    cf_registered_t registered;
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, &registered, account_failures))
        return;
    cf_client_t *client = pending->client;
    int rc = cf_rooms_write_user(&body, registered.user, cf_str(client->username),
                                 cf_str(client->exchange->email), registered.created_us);
    cf_http_finish(self, client, 201, NULL, &body, rc);
}

/* What waits for its turn to be hashed, and may do so longer than other questions. */
static int ask_hashed(cf_gateway_t *self, cf_client_t *client, uint16_t type, const void *body,
                      cf_answer_fn *answer, cf_pending_t **out)
{
    int rc = cf_gateway_ask_for(self, client, self->config.accounts, type, body, (cf_id_t){0},
                                answer, out);
    if (rc == 0)
        (*out)->give_up_us += self->config.hash_us;
    return rc;
}

void cf_route_register(cf_gateway_t *self, cf_client_t *client)
{
    cf_register_t fields;
    cf_exchange_t *exchange = client->exchange;
    int rc = cf_rooms_read_register(&fields, exchange->body, &exchange->texts);
    if (rc == CF_ENOMEM) {
        cf_http_ask_or_fail(self, client, rc);
        return;
    }
    if (rc < 0) {
        cf_http_fail(self, client, 400, rc == CF_ERANGE ? "Invalid input" : "Invalid request body",
                     0);
        return;
    }
    if (cf_rooms_is_reserved_name(fields.username)) {
        cf_http_fail(self, client, 409, "User already exists", 0);
        return;
    }
    memcpy(client->username, fields.username.bytes, fields.username.size);
    memcpy(exchange->email, fields.email.bytes, fields.email.size);
    fields.address = cf_limits_address_key(self, client);
    cf_pending_t *pending;
    rc = ask_hashed(self, client, CF_MSG_REGISTER, &fields, on_registered, &pending);
    cf_http_ask_or_fail(self, client, rc);
}

#define COOKIE_MAX (CF_TOKEN_MAX + 128)

/* The header that sets the session's cookie, or with an empty token takes it back. */
static void write_cookie(const cf_gateway_t *self, char out[COOKIE_MAX], cf_str_t token,
                         int64_t max_age_s)
{
    snprintf(out, COOKIE_MAX,
             "Set-Cookie: %s=%.*s; Path=/; Max-Age=%lld; HttpOnly; %sSameSite=Lax\r\n",
             self->config.cookie_name, (int)token.size, token.bytes, (long long)max_age_s,
             self->config.secure_cookie ? "Secure; " : "");
}

static void on_logged_in(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    cf_logged_in_t login;
    cf_buf_t body = {0};
    char cookie[COOKIE_MAX];
    uint32_t ignored;
    if (cf_gateway_refusal(turn, msg, &ignored) != CF_EAUTH)
        cf_limits_give_back_login(self, pending);
    if (!cf_http_take_answer(self, turn, pending, msg, &login, account_failures))
        return;
    write_cookie(self, cookie, login.token, self->config.session_ttl_s);
    const cf_exchange_t *exchange = pending->client->exchange;
    bool no_cookie = exchange->is_cross_site && exchange->is_foreign; /* see is_uninvited() */
    int rc = cf_rooms_write_login(&body, &login);
    cf_http_finish(self, pending->client, 200, no_cookie ? NULL : cookie, &body, rc);
    sodium_memzero(cookie, sizeof cookie);
}

static int log_in(cf_gateway_t *self, cf_client_t *client, cf_pending_t **out)
{
    cf_login_t *login = &client->exchange->login;
    login->address = cf_limits_address_key(self, client);
    return ask_hashed(self, client, CF_MSG_LOGIN, login, on_logged_in, out);
}

static void on_login_allowed(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                             const cf_msg_t *msg)
{
    cf_pending_t *login;
    if (!cf_limits_may_login(self, turn, pending, msg))
        return;
    int rc = log_in(self, pending->client, &login);
    if (rc < 0) {
        cf_limits_give_back_login(self, pending);
        cf_http_ask_or_fail(self, pending->client, rc);
        return;
    }
    login->limit = pending->limit;
    login->bucket = pending->bucket;
}

void cf_route_login(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    cf_pending_t *ignored;
    int rc = cf_rooms_read_login(&exchange->login, exchange->body, &exchange->texts);
    if (rc == CF_ENOMEM)
        cf_http_ask_or_fail(self, client, rc);
    else if (rc < 0)
        cf_http_fail(self, client, rc == CF_ERANGE ? 401 : 400,
                     rc == CF_ERANGE ? "Invalid credentials" : "Invalid request body", 0);
    else if (self->config.limits.of[CF_LIMIT_LOGINS].rate)
        cf_http_ask_or_fail(
            self, client,
            cf_limits_try_login(self, client, exchange->login.username, on_login_allowed));
    else
        cf_http_ask_or_fail(self, client, log_in(self, client, &ignored));
}

void cf_route_me(cf_gateway_t *self, cf_client_t *client)
{
    cf_buf_t body = {0};
    int rc =
        cf_rooms_write_user(&body, client->user, cf_str(client->username),
                            cf_str(client->exchange->email), client->exchange->user_created_us);
    cf_http_finish(self, client, 200, NULL, &body, rc);
}

static void on_logged_out(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                          const cf_msg_t *msg)
{
    static const cf_http_failure_t failures[] = {{0, 503, "Failed to logout"}};
    cf_buf_t body = {0};
    char cookie[COOKIE_MAX];
    if (!cf_http_take_answer(self, turn, pending, msg, NULL, failures))
        return;
    write_cookie(self, cookie, cf_str(""), 0);
    int rc = cf_rooms_write_success(&body);
    cf_http_finish(self, pending->client, 200, cookie, &body, rc);
}

void cf_route_logout(cf_gateway_t *self, cf_client_t *client)
{
    cf_token_t body = {client->exchange->tokens[client->exchange->token_at]};
    cf_http_ask_or_fail(self, client,
                        cf_gateway_ask(self, client, self->config.accounts, CF_MSG_LOGOUT, &body,
                                       (cf_id_t){0}, on_logged_out));
}

/* --- rooms -------------------------------------------------------------------------------------
 */

static void on_room_list(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    static const cf_http_failure_t failures[] = {{0, 503, "Failed to retrieve chatrooms"}};
    cf_room_list_t list;
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, &list, failures))
        return;
    int rc = cf_rooms_write_room_list(&body, &list);
    cf_http_finish(self, pending->client, 200, NULL, &body, rc);
}

/* A decimal number with optional sign, of any length; huge ones come out as NUMBER_MAX. False: it is
 * none. */
static bool read_number(cf_str_t text, long *out)
{
    bool is_negative = text.size && text.bytes[0] == '-';
    uint32_t i = text.size && (text.bytes[0] == '-' || text.bytes[0] == '+');
    long value = 0;
    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        value = value * 10 + (text.bytes[i] - '0');
        value = value < NUMBER_MAX ? value : NUMBER_MAX;
    }
    *out = is_negative ? -value : value;
    return true;
}

void cf_route_list(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    cf_list_rooms_t list = {.from_newest = true, .limit = LIMIT_DEFAULT};
    cf_str_t text;
    long limit;
    if (cf_rooms_query(exchange->query, "limit", &text, &exchange->texts) &&
        read_number(text, &limit) && limit >= 1 && limit <= CF_ROOM_LIST_MAX)
        list.limit = (uint32_t)limit;
    if (cf_rooms_query(exchange->query, "cursor", &text, &exchange->texts) && text.size) {
        list.from_newest = false;
        if (cf_id_parse(&list.after, text.bytes, text.size) < 0) {
            cf_http_fail(self, client, 400, "Invalid cursor", 0);
            return;
        }
    }
    if (exchange->texts.failed) { /* as in cf_route_history */
        cf_http_ask_or_fail(self, client, CF_ENOMEM);
        return;
    }
    cf_address_t reader = self->config.reader;
    reader.index = (uint16_t)(reader.index + client->number % self->config.readers);
    cf_http_ask_or_fail(
        self, client,
        cf_gateway_ask(self, client, reader, CF_MSG_LIST_ROOMS, &list, (cf_id_t){0}, on_room_list));
}

static void on_created(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    static const cf_http_failure_t failures[] = {{0, 503, "Service unavailable"}};
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, NULL, failures))
        return;
    cf_exchange_t *exchange = pending->client->exchange;
    int rc = cf_rooms_write_room(&body, exchange->new_id, &exchange->new_room, exchange->new_us,
                                 pending->client->user);
    cf_http_finish(self, pending->client, 201, NULL, &body, rc);
}

void cf_route_create(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    int rc = cf_rooms_read_new_room(&exchange->new_room, exchange->body, &exchange->texts);
    if (rc == CF_ENOMEM) {
        cf_http_ask_or_fail(self, client, rc);
        return;
    }
    if (rc < 0) {
        cf_http_fail(self, client, 400, rc == CF_ERANGE ? "invalid input" : "Invalid request body",
                     0);
        return;
    }
    exchange->new_us = cf_wall_us();
    exchange->new_id = cf_id_new(exchange->new_us);
    cf_create_room_t create = {.id = exchange->new_id,
                               .name = exchange->new_room.name,
                               .creator = client->user,
                               .created_us = exchange->new_us,
                               .ephemeral = exchange->new_room.ephemeral};
    cf_http_ask_or_fail(self, client,
                        cf_gateway_ask(self, client, self->config.storage, CF_MSG_CREATE_ROOM,
                                       &create, exchange->new_id, on_created));
}

/* Answers a room path without a usable room id; true: it was answered. */
static bool refuse_room_id(cf_gateway_t *self, cf_client_t *client)
{
    if (client->exchange->id_missing)
        cf_http_fail(self, client, 400, "Chatroom ID required", 0);
    else if (client->exchange->id_malformed)
        cf_http_fail(self, client, 404, "chatroom not found", 0);
    return client->exchange->id_missing || client->exchange->id_malformed;
}

static void on_joined(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                      const cf_msg_t *msg)
{
    static const cf_http_failure_t failures[] = {{CF_ENOENT, 404, "chatroom not found"},
                                                 {0, 503, "Service unavailable"}};
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, NULL, failures))
        return;
    int rc = cf_rooms_write_success(&body);
    cf_http_finish(self, pending->client, 200, NULL, &body, rc);
}

void cf_route_join(cf_gateway_t *self, cf_client_t *client)
{
    if (!refuse_room_id(self, client))
        cf_http_ask_or_fail(self, client,
                            cf_place_ask(self, client, client->room, CF_MSG_JOIN,
                                         &(cf_join_t){client->user}, on_joined, NULL));
}

static void on_page(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending, const cf_msg_t *msg)
{
    static const cf_http_failure_t by_room[] = {{CF_EPERM, 403, "Not a member of this chatroom"},
                                                {CF_ENOENT, 404, "chatroom not found"},
                                                {CF_ERANGE, 400, "Invalid cursor"},
                                                {0, 503, "Failed to retrieve messages"}};
    static const cf_http_failure_t by_reader[] = {{CF_ENOENT, 400, "Invalid cursor"},
                                                  {0, 503, "Failed to retrieve messages"}};
    bool is_reader = msg->from.kind == CF_ACTOR_READER;
    cf_page_t page;
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, &page, is_reader ? by_reader : by_room))
        return;
    int rc = cf_rooms_write_page(&body, pending->client->room, &page);
    cf_http_finish(self, pending->client, 200, NULL, &body, rc);
}

/* Fill the range from limit and before; CF_ERANGE: a cursor that is none. */
static int read_range(cf_client_t *client, cf_history_t *history)
{
    cf_exchange_t *exchange = client->exchange;
    cf_str_t text;
    long limit = LIMIT_DEFAULT;
    if (cf_rooms_query(exchange->query, "limit", &text, &exchange->texts) &&
        !read_number(text, &limit))
        limit = LIMIT_DEFAULT;
    *history = (cf_history_t){.user = client->user,
                              .from = CF_POSTS_NEWEST,
                              .limit = (uint32_t)(limit < 1                ? 1
                                                  : limit > CF_HISTORY_MAX ? CF_HISTORY_MAX
                                                                           : limit)};
    if (!cf_rooms_query(exchange->query, "before", &text, &exchange->texts) || text.size == 0)
        return 0;
    if (cf_id_parse(&history->id, text.bytes, text.size) == 0)
        history->from = CF_POSTS_BEFORE_ID;
    else if (cf_time_parse(&history->at, text.bytes, text.size) == 0)
        history->from = CF_POSTS_BEFORE_TIME;
    else
        return CF_ERANGE;
    return 0;
}

void cf_route_history(cf_gateway_t *self, cf_client_t *client)
{
    cf_history_t history;
    if (refuse_room_id(self, client))
        return;
    int rc = read_range(client, &history);
    if (client->exchange->texts.failed) /* not every parameter was seen */
        cf_http_ask_or_fail(self, client, CF_ENOMEM);
    else if (rc < 0)
        cf_http_fail(self, client, 400, "Invalid cursor", 0);
    else
        cf_http_ask_or_fail(
            self, client,
            cf_place_ask(self, client, client->room, CF_MSG_HISTORY, &history, on_page, NULL));
}

static void on_checked(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    static const cf_http_failure_t failures[] = {{CF_EPERM, 403, "Not a member of this chatroom"},
                                                 {CF_ENOENT, 404, "chatroom not found"},
                                                 {0, 503, "Service unavailable"}};
    if (cf_http_take_answer(self, turn, pending, msg, NULL, failures))
        cf_socket_decide(self, pending->client);
}

void cf_route_socket(cf_gateway_t *self, cf_client_t *client)
{
    if (!refuse_room_id(self, client))
        cf_http_ask_or_fail(self, client,
                            cf_place_ask(self, client, client->room, CF_MSG_CHECK,
                                         &(cf_check_t){client->user}, on_checked, NULL));
}

/* --- health and metrics ------------------------------------------------------------------------
 */

static const cf_http_failure_t health_failures[] = {{0, 503, "Service unavailable"}};

void cf_route_health(cf_gateway_t *self, cf_client_t *client)
{
    cf_buf_t body = {0};
    int rc = cf_rooms_write_health(&body, self->config.health_status, self->config.version,
                                   self->config.environment, cf_wall_us());
    cf_http_finish(self, client, 200, NULL, &body, rc);
}

static void on_ready(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                     const cf_msg_t *msg)
{
    cf_health_state_t state;
    cf_buf_t body = {0};
    if (!cf_http_take_answer(self, turn, pending, msg, &state, health_failures))
        return;
    state.draining |= self->draining;
    state.ready = state.ready && !state.draining;
    int rc = cf_rooms_write_ready(&body, &state, self->config.store_connections_max, cf_wall_us());
    cf_http_finish(self, pending->client, state.ready ? 200 : 503, NULL, &body, rc);
}

void cf_route_ready(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_ask_or_fail(self, client,
                        cf_gateway_ask(self, client, self->config.stats, CF_MSG_HEALTH, NULL,
                                       (cf_id_t){0}, on_ready));
}

static void on_live(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending, const cf_msg_t *msg)
{
    cf_health_state_t state;
    if (!cf_http_take_answer(self, turn, pending, msg, &state, health_failures))
        return;
    const char *text = state.live ? "ok\n" : "an actor does not answer, or has erred\n";
    cf_http_respond_as(self, pending->client, state.live ? 200 : 503, CF_TEXT_TYPE, NULL, text,
                       strlen(text));
}

void cf_route_live(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_ask_or_fail(self, client,
                        cf_gateway_ask(self, client, self->config.stats, CF_MSG_HEALTH, NULL,
                                       (cf_id_t){0}, on_live));
}

static void on_metrics(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    cf_metrics_text_t text;
    if (cf_http_take_answer(self, turn, pending, msg, &text, health_failures))
        cf_http_respond_as(self, pending->client, 200, "text/plain; version=0.0.4; charset=utf-8",
                           NULL, text.text.bytes, text.text.size);
}

void cf_route_metrics(cf_gateway_t *self, cf_client_t *client)
{
    const cf_gateway_config_t *config = &self->config;
    const cf_exchange_t *exchange = client->exchange;
    bool is_allowed = exchange->is_local ||
                      (!exchange->is_hidden &&
                       cf_networks_contain(config->metrics_allow, config->metrics_allow_count,
                                           cf_str(client->peer)));
    if (!is_allowed && !config->only_probes)
        cf_http_not_found(self, client);
    else
        cf_http_ask_or_fail(self, client,
                            cf_gateway_ask(self, client, self->config.stats, CF_MSG_METRICS, NULL,
                                           (cf_id_t){0}, on_metrics));
}

void cf_route_openapi(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_respond_as(self, client, 200, CF_JSON_TYPE, NULL, cf_openapi, cf_openapi_size);
}
