/* gateway_http.c: HTTP requests: the route table, who may call what, and the answers of the actors
 * as the rooms contract wants them. */
#include "gateway_state.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"
#include "store.h"
#include "web.h"
#include "wire/record.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"
#define LIMIT_DEFAULT 50
#define NUMBER_MAX 1000000000L
#define RETRY_STORE_MS 1000 /* advice while the store is away */

typedef enum {
    PROBE, /* anyone, also while draining */
    ANYONE,
    SESSION,
    SOCKET
} access_t;

typedef void begin_fn(cf_gateway_t *self, cf_client_t *client);
static begin_fn begin_register, begin_login, begin_me, begin_logout, begin_list, begin_create,
    begin_join, begin_history, begin_socket, begin_health, begin_ready, begin_live, begin_metrics;

struct cf_route {
    cf_method_t method;
    const char *path; /* one segment may be {id}: a room */
    access_t access;
    begin_fn *begin;
};

static const cf_route_t routes[] = {
    {CF_METHOD_POST, "/api/v1/auth/register", ANYONE, begin_register},
    {CF_METHOD_POST, "/api/v1/auth/login", ANYONE, begin_login},
    {CF_METHOD_GET, "/api/v1/auth/me", SESSION, begin_me},
    {CF_METHOD_POST, "/api/v1/auth/logout", SESSION, begin_logout},
    {CF_METHOD_GET, "/api/v1/chatrooms", SESSION, begin_list},
    {CF_METHOD_POST, "/api/v1/chatrooms", SESSION, begin_create},
    {CF_METHOD_POST, "/api/v1/chatrooms/{id}/join", SESSION, begin_join},
    {CF_METHOD_GET, "/api/v1/chatrooms/{id}/messages", SESSION, begin_history},
    {CF_METHOD_GET, "/ws/chat/{id}", SOCKET, begin_socket},
    {CF_METHOD_GET, "/api/v1/ws/chat/{id}", SOCKET, begin_socket},
    {CF_METHOD_GET, "/health", PROBE, begin_health},
    {CF_METHOD_GET, "/api/v1/health", PROBE, begin_health},
    {CF_METHOD_GET, "/health/ready", PROBE, begin_ready},
    {CF_METHOD_GET, "/api/v1/health/ready", PROBE, begin_ready},
    {CF_METHOD_GET, "/readyz", PROBE, begin_ready},
    {CF_METHOD_GET, "/livez", PROBE, begin_live},
    {CF_METHOD_GET, "/metrics", PROBE, begin_metrics},
};
#define ROUTES (sizeof routes / sizeof routes[0])

static const char *const method_names[] = {
    [CF_METHOD_GET] = "GET", [CF_METHOD_HEAD] = "HEAD",     [CF_METHOD_POST] = "POST",
    [CF_METHOD_PUT] = "PUT", [CF_METHOD_DELETE] = "DELETE", [CF_METHOD_OPTIONS] = "OPTIONS",
};

/* --- answers -----------------------------------------------------------------------------------
 */

static void respond(cf_gateway_t *self, cf_client_t *client, int status, const char *type,
                    const char *extra, const void *body, size_t size)
{
    cf_exchange_t *exchange = client->exchange;
    char headers[1024];
    if (!client->conn || !exchange)
        return;
    snprintf(headers, sizeof headers, "%sX-Request-Id: %s\r\n%s", exchange->cors,
             exchange->request_id, extra ? extra : "");
    cf_count(CF_M_HTTP_REQUESTS);
    cf_observe(CF_H_HTTP, cf_boot_us() - exchange->began_us);
    cf_log_debug(
        "answered", CF_STR("method", exchange->route ? method_names[exchange->route->method] : ""),
        CF_STR("route", exchange->route ? exchange->route->path : ""), CF_INT("status", status));
    (void)self;
    cf_conn_respond(client->conn, status, type, headers, body, size);
}

void cf_http_respond(cf_gateway_t *self, cf_client_t *client, int status, const char *extra,
                     const cf_buf_t *body)
{
    respond(self, client, status, JSON_TYPE, extra, body->data, body->size);
}

void cf_http_fail(cf_gateway_t *self, cf_client_t *client, int status, const char *text,
                  uint32_t retry_after_ms)
{
    cf_buf_t body = {0};
    char extra[48] = "";
    if (retry_after_ms)
        snprintf(extra, sizeof extra, "Retry-After: %u\r\n", (retry_after_ms + 999) / 1000);
    if (cf_rooms_write_failure(&body, text) == 0)
        cf_http_respond(self, client, status, extra, &body);
    cf_buf_free(&body);
}

void cf_http_timed_out(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_fail(self, client, 503, "Service unavailable", RETRY_STORE_MS);
}

/* Sends what a writer has put into body, or 500 when there was no memory for it; frees body. */
static void finish(cf_gateway_t *self, cf_client_t *client, int status, const char *extra,
                   cf_buf_t *body, int rc)
{
    if (rc == 0)
        cf_http_respond(self, client, status, extra, body);
    else
        cf_http_fail(self, client, 500, "Internal server error", 0);
    cf_buf_free(body);
}

typedef struct {
    int err;
    int status;
    const char *text;
} failure_t;

/* Answer with the row for err; the last row (err 0) is for all others. */
static void fail_by(cf_gateway_t *self, cf_client_t *client, const failure_t *rows, int err,
                    uint32_t retry_after_ms)
{
    while (rows->err && rows->err != err)
        rows++;
    if (rows->status == 503 && !retry_after_ms)
        retry_after_ms = RETRY_STORE_MS;
    cf_http_fail(self, client, rows->status, rows->text, retry_after_ms);
}

static void not_found(cf_gateway_t *self, cf_client_t *client)
{
    respond(self, client, 404, TEXT_TYPE, NULL, "Not Found\n", 10);
}

/* --- origin ------------------------------------------------------------------------------------
 */

/* An entry "*" lets every page in, but never with the visitor's cookie (contract, 2.5 NEW). */
static bool lets_all_in(const cf_gateway_t *self)
{
    for (size_t i = 0; i < self->config.origin_count; i++)
        if (strcmp(self->config.origins[i], "*") == 0)
            return true;
    return false;
}

static bool is_listed(const cf_gateway_t *self, cf_str_t origin)
{
    for (size_t i = 0; i < self->config.origin_count; i++)
        if (cf_str_equal(origin, cf_str(self->config.origins[i])))
            return true;
    return false;
}

/* scheme://host equals the Host header: the page came from this server. */
static bool is_same_host(cf_str_t origin, cf_str_t host)
{
    const char *slashes = origin.size > 3 ? memmem(origin.bytes, origin.size, "://", 3) : NULL;
    if (!slashes || host.size == 0)
        return false;
    uint32_t skip = (uint32_t)(slashes - origin.bytes) + 3;
    return cf_str_equal((cf_str_t){origin.bytes + skip, origin.size - skip}, host);
}

static void judge_origin(cf_gateway_t *self, cf_exchange_t *exchange, const cf_request_t *request)
{
    static const char allow[] = "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
                                "Access-Control-Allow-Headers: Content-Type, Authorization\r\n";
    bool is_known =
        is_listed(self, request->origin) || is_same_host(request->origin, request->host);
    bool is_any = !is_known && request->origin.size > 0 && lets_all_in(self);
    exchange->may_connect = request->origin.size == 0 || is_known || is_any;
    exchange->is_foreign = request->origin.size > 0 && !is_known;
    if (is_any)
        snprintf(exchange->cors, sizeof exchange->cors,
                 "Vary: Origin\r\nAccess-Control-Allow-Origin: *\r\n%s", allow);
    else if (request->origin.size == 0 || !is_known || request->origin.size > 200)
        snprintf(exchange->cors, sizeof exchange->cors, "Vary: Origin\r\n");
    else
        snprintf(exchange->cors, sizeof exchange->cors,
                 "Vary: Origin\r\nAccess-Control-Allow-Origin: %.*s\r\n"
                 "Access-Control-Allow-Credentials: true\r\n%s",
                 (int)request->origin.size, request->origin.bytes, allow);
}

/* A state change by cookie must come from our own pages or listed ones (contract, 2.6). */
static bool is_cross_site(const cf_request_t *request, bool origin_allowed)
{
    cf_str_t site = request->sec_fetch_site;
    if (site.size)
        return !cf_str_equal(site, cf_str("same-origin")) &&
               !cf_str_equal(site, cf_str("same-site")) && !cf_str_equal(site, cf_str("none"));
    return !origin_allowed;
}

/* --- authentication ----------------------------------------------------------------------------
 */

static int add_token(cf_exchange_t *exchange, cf_str_t token)
{
    if (token.size == 0 || token.size > CF_TOKEN_MAX)
        return 0;
    char *copy = cf_arena_take(&exchange->texts, token.size);
    if (!copy)
        return CF_ENOMEM;
    memcpy(copy, token.bytes, token.size);
    exchange->tokens[exchange->token_count++] = (cf_str_t){copy, token.size};
    return 0;
}

/* Collect the credentials in the contract's order. Sets *presented if there was any, even an empty
 * one. */
static void collect_tokens(cf_client_t *client, const cf_request_t *request, bool is_socket,
                           bool *presented)
{
    cf_exchange_t *exchange = client->exchange;
    cf_str_t token;
    bool has_cookie = cf_rooms_cookie(request->cookie, "session_id", &token);
    /* A page that only "*" lets in never acts with its visitor's cookie (contract, 2.5 NEW). One
     * that nothing lets in is told so, 403, behind the checks that come before (4.1) */
    bool ignores_cookie = is_socket && exchange->is_foreign && exchange->may_connect;
    exchange->has_cookie =
        has_cookie && token.size > 0 && token.size <= CF_TOKEN_MAX && !ignores_cookie;
    *presented = has_cookie && (!is_socket || token.size > 0);
    if (has_cookie && !ignores_cookie)
        add_token(exchange, token);
    if (is_socket && cf_rooms_query(request->query, "token", &token, &exchange->texts) &&
        token.size) {
        *presented = true;
        add_token(exchange, token);
    }
    if (cf_rooms_bearer(request->authorization, &token)) {
        *presented = true;
        add_token(exchange, token);
    }
}

static void try_next_token(cf_gateway_t *self, cf_client_t *client);

static void on_session(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    cf_client_t *client = pending->client;
    cf_session_msg_t session;
    uint32_t retry_after_ms;
    if (!client)
        return;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (err == 0)
        err = cf_msg_body(&session, msg, turn->arena);
    if (err == CF_EAUTH) {
        client->exchange->token_at++;
        try_next_token(self, client);
        return;
    }
    if (err < 0) { /* an outage is no verdict about the session */
        cf_http_fail(self, client, 503, "Service unavailable", RETRY_STORE_MS);
        return;
    }
    client->session = session.session;
    client->user = session.user;
    client->expires_us = session.expires_us;
    memcpy(client->username, session.username.bytes, session.username.size);
    memcpy(client->exchange->email, session.email.bytes, session.email.size);
    client->exchange->user_created_us = session.created_us;
    client->exchange->route->begin(self, client);
}

static void try_next_token(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    if (exchange->token_at >= exchange->token_count) {
        cf_http_fail(self, client, 401, "Invalid or expired session", 0);
        return;
    }
    bool by_cookie = exchange->token_at == 0 && exchange->has_cookie;
    if (by_cookie && exchange->is_cross_site) {
        cf_http_fail(self, client, 403, "Forbidden", 0);
        return;
    }
    cf_token_t body = {exchange->tokens[exchange->token_at]};
    if (cf_gateway_ask(self, client, self->config.accounts, CF_MSG_AUTHENTICATE, &body,
                       (cf_id_t){0}, on_session) < 0)
        cf_http_fail(self, client, 500, "Internal server error", 0);
}

/* --- routing -----------------------------------------------------------------------------------
 */

/* Does path fit the template? *id gets the segment in place of {id}. */
static bool fits(const char *template, cf_str_t path, cf_str_t *id)
{
    const char *at = path.bytes, *end = path.bytes + path.size;
    for (; *template; template ++) {
        if (*template != '{') {
            if (at >= end || *at++ != *template)
                return false;
            continue;
        }
        const char *stop = memchr(at, '/', (size_t)(end - at));
        if (!stop)
            stop = end;
        *id = (cf_str_t){at, (uint32_t)(stop - at)};
        at = stop;
        template += 3; /* onto the closing brace */
    }
    return at == end;
}

/* The route of a request. NULL: none; *known says whether the path has other methods, listed in
 * allow. */
static const cf_route_t *find_route(const cf_request_t *request, cf_str_t *id, char *allow,
                                    size_t size)
{
    cf_method_t method = request->method == CF_METHOD_HEAD ? CF_METHOD_GET : request->method;
    size_t used = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < ROUTES; i++) {
        if (!fits(routes[i].path, request->path, id))
            continue;
        if (routes[i].method == method)
            return &routes[i];
        used += (size_t)snprintf(allow + used, size - used, "Allow: %s\r\n",
                                 method_names[routes[i].method]);
    }
    return NULL;
}

static bool serve_page(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    const cf_web_file_t *file = cf_web_find(request->path.bytes, request->path.size);
    if (!file)
        return false;
    bool is_read = request->method == CF_METHOD_GET || request->method == CF_METHOD_HEAD;
    if (is_read)
        respond(self, client, 200, file->content_type,
                "Content-Security-Policy: " CF_WEB_CSP "\r\n", file->bytes, file->size);
    else
        respond(self, client, 405, NULL, "Allow: GET\r\n", NULL, 0);
    return true;
}

static void route(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    cf_exchange_t *exchange = client->exchange;
    cf_str_t id = {0};
    char allow[128];
    bool presented = false;
    if (request->method == CF_METHOD_OPTIONS) {
        respond(self, client, 200, NULL, NULL, NULL, 0);
        return;
    }
    exchange->route = find_route(request, &id, allow, sizeof allow);
    if (!exchange->route) {
        if (allow[0])
            respond(self, client, 405, NULL, allow, NULL, 0);
        else if (self->config.only_probes || !serve_page(self, client, request))
            not_found(self, client);
        return;
    }
    bool has_room = strchr(exchange->route->path, '{') != NULL;
    exchange->id_missing = has_room && id.size == 0;
    exchange->id_malformed = has_room && cf_id_parse(&client->room, id.bytes, id.size) < 0;
    exchange->is_cross_site = request->method != CF_METHOD_GET &&
                              request->method != CF_METHOD_HEAD &&
                              is_cross_site(request, !exchange->is_foreign);
    if (self->config.only_probes && exchange->route->access != PROBE) {
        not_found(self, client);
        return;
    }
    if (self->draining && exchange->route->access != PROBE) {
        cf_http_fail(self, client, 503, "Service unavailable", RETRY_STORE_MS);
        return;
    }
    if (exchange->route->access <= ANYONE) {
        exchange->route->begin(self, client);
        return;
    }
    bool is_socket = exchange->route->access == SOCKET;
    collect_tokens(client, request, is_socket, &presented);
    if (!presented)
        cf_http_fail(self, client, 401,
                     is_socket ? "No session token provided" : "Not authenticated", 0);
    else
        try_next_token(self, client);
}

/* --- a request arrives -------------------------------------------------------------------------
 */

/* Ours unless the client gave one that is safe to repeat in a header and in a log. */
static void name_request(cf_gateway_t *self, cf_exchange_t *exchange, cf_str_t given)
{
    uint8_t trace[CF_TRACE_SIZE];
    bool is_safe = given.size > 0 && given.size < sizeof exchange->request_id;
    for (uint32_t i = 0; is_safe && i < given.size; i++)
        is_safe = given.bytes[i] > ' ' && given.bytes[i] < 0x7f && given.bytes[i] != '"';
    cf_outbox_get_trace(self->out, trace);
    if (is_safe)
        memcpy(exchange->request_id, given.bytes, given.size);
    else
        sodium_bin2hex(exchange->request_id, sizeof exchange->request_id, trace, sizeof trace);
}

static int copy_text(cf_arena_t *arena, cf_str_t from, cf_str_t *out)
{
    char *bytes = cf_arena_take(arena, (size_t)from.size + 1);
    if (!bytes)
        return CF_ENOMEM;
    if (from.size)
        memcpy(bytes, from.bytes, from.size);
    *out = (cf_str_t){bytes, from.size};
    return 0;
}

/* Who is asking: the peer, or, when that is a trusted proxy, the last address in X-Forwarded-For that is
 * not one: what stands before it was written by the client itself. */
static void note_peer(const cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    const cf_gateway_config_t *config = &self->config;
    cf_str_t address = request->peer, list = request->forwarded_for;
    while (list.size && cf_networks_contain(config->proxies, config->proxy_count, address)) {
        const char *comma = memrchr(list.bytes, ',', list.size);
        uint32_t skip = comma ? (uint32_t)(comma - list.bytes) + 1 : 0;
        address = (cf_str_t){list.bytes + skip, list.size - skip};
        while (address.size && *address.bytes == ' ')
            address.bytes++, address.size--;
        list.size = comma ? skip - 1 : 0;
    }
    snprintf(client->peer, sizeof client->peer, "%.*s", (int)address.size, address.bytes);
}

static cf_client_t *new_client(cf_gateway_t *self, cf_conn_t *conn, const cf_request_t *request)
{
    cf_client_t *client = calloc(1, sizeof *client);
    cf_exchange_t *exchange = calloc(1, sizeof *exchange);
    if (!client || !exchange || copy_text(&exchange->texts, request->body, &exchange->body) < 0 ||
        copy_text(&exchange->texts, request->query, &exchange->query) < 0)
        goto fail;
    client->exchange = exchange;
    client->conn = conn;
    client->number = ++self->next_number;
    client->phase = request->is_upgrade ? CF_CLIENT_UPGRADING : CF_CLIENT_HTTP;
    HASH_ADD(hh, self->clients, number, sizeof client->number, client);
    if (!client->hh.tbl)
        goto fail;
    note_peer(self, client, request);
    exchange->upgrade_fault = request->is_upgrade ? request->upgrade_fault : "not an upgrade";
    exchange->began_us = cf_boot_us();
    cf_conn_set_owner_data(conn, client);
    return client;
fail:
    if (exchange)
        cf_arena_free(&exchange->texts);
    free(exchange);
    free(client);
    return NULL;
}

void cf_http_begin(cf_gateway_t *self, cf_conn_t *conn, const cf_request_t *request)
{
    static const char no_memory[] = "{\"error\":\"Internal server error\"}\n";
    cf_client_t *client = new_client(self, conn, request);
    if (!client) {
        cf_conn_set_owner_data(conn, NULL);
        cf_conn_respond(conn, 500, JSON_TYPE, NULL, no_memory, sizeof no_memory - 1);
        return;
    }
    name_request(self, client->exchange, request->request_id);
    judge_origin(self, client->exchange, request);
    route(self, client, request);
}

/* --- accounts ----------------------------------------------------------------------------------
 */

/* The answer's body into *out; false: there is nobody to tell, or the refusal was told by rows. */
static bool take_answer(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                        const cf_msg_t *msg, void *out, const failure_t *rows)
{
    uint32_t retry_after_ms;
    if (!pending->client || !pending->client->exchange)
        return false;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (err == 0 && out)
        err = cf_msg_body(out, msg, turn->arena);
    if (err < 0)
        fail_by(self, pending->client, rows, err, retry_after_ms);
    return err == 0;
}

static void ask_or_fail(cf_gateway_t *self, cf_client_t *client, int rc)
{
    if (rc < 0)
        cf_http_fail(self, client, 500, "Internal server error", 0);
}

static const failure_t account_failures[] = {
    {CF_EEXIST, 409, "User already exists"}, {CF_EAUTH, 401, "Invalid credentials"},
    {CF_EFULL, 429, "Rate limit exceeded"},  {CF_ELIMIT, 429, "Rate limit exceeded"},
    {CF_EAGAIN, 429, "Rate limit exceeded"}, {0, 503, "Service unavailable"},
};

static void on_registered(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                          const cf_msg_t *msg)
{
    cf_registered_t registered;
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, &registered, account_failures))
        return;
    cf_client_t *client = pending->client;
    int rc = cf_rooms_write_user(&body, registered.user, cf_str(client->username),
                                 cf_str(client->exchange->email), registered.created_us);
    finish(self, client, 201, NULL, &body, rc);
}

static void begin_register(cf_gateway_t *self, cf_client_t *client)
{
    cf_register_t fields;
    cf_exchange_t *exchange = client->exchange;
    int rc = cf_rooms_read_register(&fields, exchange->body, &exchange->texts);
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
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.accounts, CF_MSG_REGISTER, &fields,
                               (cf_id_t){0}, on_registered));
}

static void on_logged_in(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    cf_logged_in_t login;
    cf_buf_t body = {0};
    char cookie[CF_TOKEN_MAX + 128];
    if (!take_answer(self, turn, pending, msg, &login, account_failures))
        return;
    snprintf(cookie, sizeof cookie,
             "Set-Cookie: session_id=%.*s; Path=/; Max-Age=%lld; HttpOnly; %sSameSite=Lax\r\n",
             (int)login.token.size, login.token.bytes, (long long)self->config.session_ttl_s,
             self->config.secure_cookie ? "Secure; " : "");
    int rc = cf_rooms_write_login(&body, &login);
    finish(self, pending->client, 200, cookie, &body, rc);
    sodium_memzero(cookie, sizeof cookie);
}

static void begin_login(cf_gateway_t *self, cf_client_t *client)
{
    cf_login_t fields;
    int rc = cf_rooms_read_login(&fields, client->exchange->body, &client->exchange->texts);
    if (rc < 0) {
        cf_http_fail(self, client, rc == CF_ERANGE ? 401 : 400,
                     rc == CF_ERANGE ? "Invalid credentials" : "Invalid request body", 0);
        return;
    }
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.accounts, CF_MSG_LOGIN, &fields,
                               (cf_id_t){0}, on_logged_in));
}

static void begin_me(cf_gateway_t *self, cf_client_t *client)
{
    cf_buf_t body = {0};
    int rc =
        cf_rooms_write_user(&body, client->user, cf_str(client->username),
                            cf_str(client->exchange->email), client->exchange->user_created_us);
    finish(self, client, 200, NULL, &body, rc);
}

static void on_logged_out(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                          const cf_msg_t *msg)
{
    static const failure_t failures[] = {{0, 503, "Failed to logout"}};
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, NULL, failures))
        return;
    int rc = cf_rooms_write_success(&body);
    finish(self, pending->client, 200,
           "Set-Cookie: session_id=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax\r\n", &body, rc);
}

static void begin_logout(cf_gateway_t *self, cf_client_t *client)
{
    cf_token_t body = {client->exchange->tokens[client->exchange->token_at]};
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.accounts, CF_MSG_LOGOUT, &body,
                               (cf_id_t){0}, on_logged_out));
}

/* --- rooms -------------------------------------------------------------------------------------
 */

static void on_room_list(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    static const failure_t failures[] = {{0, 503, "Failed to retrieve chatrooms"}};
    cf_room_list_t list;
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, &list, failures))
        return;
    int rc = cf_rooms_write_room_list(&body, &list);
    finish(self, pending->client, 200, NULL, &body, rc);
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

static void begin_list(cf_gateway_t *self, cf_client_t *client)
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
    cf_address_t reader = self->config.reader;
    reader.index = (uint16_t)(reader.index + client->number % self->config.readers);
    ask_or_fail(
        self, client,
        cf_gateway_ask(self, client, reader, CF_MSG_LIST_ROOMS, &list, (cf_id_t){0}, on_room_list));
}

static void on_created(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    static const failure_t failures[] = {{0, 503, "Service unavailable"}};
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, NULL, failures))
        return;
    cf_exchange_t *exchange = pending->client->exchange;
    int rc = cf_rooms_write_room(&body, exchange->new_id, &exchange->new_room, exchange->new_us,
                                 pending->client->user);
    finish(self, pending->client, 201, NULL, &body, rc);
}

static void begin_create(cf_gateway_t *self, cf_client_t *client)
{
    cf_exchange_t *exchange = client->exchange;
    int rc = cf_rooms_read_new_room(&exchange->new_room, exchange->body, &exchange->texts);
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
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.storage, CF_MSG_CREATE_ROOM, &create,
                               exchange->new_id, on_created));
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
    static const failure_t failures[] = {{CF_ENOENT, 404, "chatroom not found"},
                                         {0, 503, "Service unavailable"}};
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, NULL, failures))
        return;
    int rc = cf_rooms_write_success(&body);
    finish(self, pending->client, 200, NULL, &body, rc);
}

static void begin_join(cf_gateway_t *self, cf_client_t *client)
{
    if (!refuse_room_id(self, client))
        ask_or_fail(self, client,
                    cf_place_ask(self, client, client->room, CF_MSG_JOIN,
                                 &(cf_join_t){client->user}, on_joined, NULL));
}

static void on_page(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending, const cf_msg_t *msg)
{
    static const failure_t by_room[] = {{CF_EPERM, 403, "Not a member of this chatroom"},
                                        {CF_ENOENT, 404, "chatroom not found"},
                                        {CF_ERANGE, 400, "Invalid cursor"},
                                        {0, 503, "Failed to retrieve messages"}};
    static const failure_t by_reader[] = {{CF_ENOENT, 400, "Invalid cursor"},
                                          {0, 503, "Failed to retrieve messages"}};
    bool is_reader = msg->from.kind == CF_ACTOR_READER;
    cf_page_t page;
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, &page, is_reader ? by_reader : by_room))
        return;
    int rc = cf_rooms_write_page(&body, pending->client->room, &page);
    finish(self, pending->client, 200, NULL, &body, rc);
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

static void begin_history(cf_gateway_t *self, cf_client_t *client)
{
    cf_history_t history;
    if (refuse_room_id(self, client))
        return;
    if (read_range(client, &history) < 0)
        cf_http_fail(self, client, 400, "Invalid cursor", 0);
    else
        ask_or_fail(
            self, client,
            cf_place_ask(self, client, client->room, CF_MSG_HISTORY, &history, on_page, NULL));
}

static void on_checked(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    static const failure_t failures[] = {{CF_EPERM, 403, "Not a member of this chatroom"},
                                         {CF_ENOENT, 404, "chatroom not found"},
                                         {0, 503, "Service unavailable"}};
    if (take_answer(self, turn, pending, msg, NULL, failures))
        cf_socket_decide(self, pending->client);
}

static void begin_socket(cf_gateway_t *self, cf_client_t *client)
{
    if (!refuse_room_id(self, client))
        ask_or_fail(self, client,
                    cf_place_ask(self, client, client->room, CF_MSG_CHECK,
                                 &(cf_check_t){client->user}, on_checked, NULL));
}

/* --- health and metrics ------------------------------------------------------------------------
 */

static const failure_t health_failures[] = {{0, 503, "Service unavailable"}};

static void begin_health(cf_gateway_t *self, cf_client_t *client)
{
    cf_buf_t body = {0};
    int rc = cf_rooms_write_health(&body, self->config.health_status, self->config.version,
                                   self->config.environment, cf_wall_us());
    finish(self, client, 200, NULL, &body, rc);
}

static void on_ready(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                     const cf_msg_t *msg)
{
    cf_health_state_t state;
    cf_buf_t body = {0};
    if (!take_answer(self, turn, pending, msg, &state, health_failures))
        return;
    state.ready = state.ready && !self->draining;
    int rc = cf_rooms_write_ready(&body, &state, cf_wall_us());
    finish(self, pending->client, state.ready ? 200 : 503, NULL, &body, rc);
}

static void begin_ready(cf_gateway_t *self, cf_client_t *client)
{
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.stats, CF_MSG_HEALTH, NULL, (cf_id_t){0},
                               on_ready));
}

static void on_live(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending, const cf_msg_t *msg)
{
    cf_health_state_t state;
    if (!take_answer(self, turn, pending, msg, &state, health_failures))
        return;
    const char *text = state.live ? "ok\n" : "an actor does not answer\n";
    respond(self, pending->client, state.live ? 200 : 503, TEXT_TYPE, NULL, text, strlen(text));
}

static void begin_live(cf_gateway_t *self, cf_client_t *client)
{
    ask_or_fail(self, client,
                cf_gateway_ask(self, client, self->config.stats, CF_MSG_HEALTH, NULL, (cf_id_t){0},
                               on_live));
}

static void on_metrics(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                       const cf_msg_t *msg)
{
    cf_metrics_text_t text;
    if (take_answer(self, turn, pending, msg, &text, health_failures))
        respond(self, pending->client, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
                text.text.bytes, text.text.size);
}

static void begin_metrics(cf_gateway_t *self, cf_client_t *client)
{
    bool is_loopback = strncmp(client->peer, "127.", 4) == 0 || strcmp(client->peer, "::1") == 0;
    if (!is_loopback && !self->config.only_probes &&
        !cf_networks_contain(self->config.metrics_allow, self->config.metrics_allow_count,
                             cf_str(client->peer)))
        not_found(self, client);
    else
        ask_or_fail(self, client,
                    cf_gateway_ask(self, client, self->config.stats, CF_MSG_METRICS, NULL,
                                   (cf_id_t){0}, on_metrics));
}
