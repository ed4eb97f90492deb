/* gateway_http.c: an HTTP request arrives: from which page, by whom, to which route; and how answers
 * leave. */
#include "gateway_routes.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char no_memory[] = "{\"error\":\"Internal server error\"}\n";

/* --- answers -----------------------------------------------------------------------------------
 */

void cf_http_note(cf_gateway_t *self, const cf_client_t *client, int status)
{
    const cf_exchange_t *exchange = client->exchange;
    cf_series_key_t key = {exchange->label, (uint8_t)exchange->method, (uint16_t)status};
    if (exchange->method != CF_METHOD_OPTIONS) /* as the contract counts, 2.5 */
        cf_observe_series(key, cf_boot_us() - exchange->began_us);
    cf_log_debug("answered", CF_STR("method", cf_route_method_name(exchange->method)),
                 CF_STR("route", cf_route_label(exchange->label)), CF_INT("status", status),
                 CF_STR("request_id", exchange->request_id));
    cf_gateway_tell_exchange(self, exchange, status);
}

/* Takes no memory itself. */
static void answer_no_memory(cf_conn_t *conn, const cf_exchange_t *exchange)
{
    char headers[CF_REFUSED_HEADERS_MAX];
    snprintf(headers, sizeof headers, "%sX-Request-Id: %s\r\n" CF_NO_PAGE_POLICY, exchange->cors,
             exchange->request_id);
    cf_conn_respond(conn, 500, CF_JSON_TYPE, headers, no_memory, sizeof no_memory - 1);
}

void cf_http_respond_as(cf_gateway_t *self, cf_client_t *client, int status, const char *type,
                        const char *extra, const void *body, size_t size)
{
    cf_exchange_t *exchange = client->exchange;
    cf_buf_t headers = {0};
    if (!client->conn || !exchange)
        return;
    bool has_policy = extra && strstr(extra, "Content-Security-Policy:");
    int rc =
        cf_buf_addf(&headers, "%sX-Request-Id: %s\r\n%s%s", exchange->cors, exchange->request_id,
                    has_policy ? "" : CF_NO_PAGE_POLICY, extra ? extra : "");
    if (rc == 0)
        rc = cf_buf_add_byte(&headers, '\0');
    cf_http_note(self, client, status);
    cf_limits_answered(client);
    /* without memory for its headers an answer would say something else */
    if (rc == 0)
        cf_conn_respond(client->conn, status, type, (const char *)headers.data, body, size);
    else
        answer_no_memory(client->conn, exchange);
    cf_buf_free(&headers);
}

void cf_http_respond(cf_gateway_t *self, cf_client_t *client, int status, const char *extra,
                     const cf_buf_t *body)
{
    cf_http_respond_as(self, client, status, CF_JSON_TYPE, extra, body->data, body->size);
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
    else
        cf_http_respond_as(self, client, 500, CF_JSON_TYPE, NULL, no_memory, sizeof no_memory - 1);
    cf_buf_free(&body);
}

void cf_http_timed_out(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_fail(self, client, 503, "Service unavailable", CF_RETRY_STORE_MS);
}

void cf_http_finish(cf_gateway_t *self, cf_client_t *client, int status, const char *extra,
                    cf_buf_t *body, int rc)
{
    if (rc == 0)
        cf_http_respond(self, client, status, extra, body);
    else
        cf_http_fail(self, client, 500, "Internal server error", 0);
    cf_buf_free(body);
}

/* Answer with the row for err; the last row (err 0) is for all others. */
static void fail_by(cf_gateway_t *self, cf_client_t *client, const cf_http_failure_t *rows, int err,
                    uint32_t retry_after_ms)
{
    while (rows->err && rows->err != err)
        rows++;
    if (rows->status == 503 && !retry_after_ms)
        retry_after_ms = CF_RETRY_STORE_MS;
    cf_http_fail(self, client, rows->status, rows->text, retry_after_ms);
}

void cf_http_not_found(cf_gateway_t *self, cf_client_t *client)
{
    cf_http_respond_as(self, client, 404, CF_TEXT_TYPE, NULL, "Not Found\n", 10);
}

bool cf_http_take_answer(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg, void *out, const cf_http_failure_t *rows)
{
    uint32_t retry_after_ms;
    if (!pending->client || !pending->client->exchange)
        return false;
    int err = cf_gateway_refusal(turn, msg, &retry_after_ms);
    if (err == 0 && out)
        err = cf_turn_read(turn, msg, out);
    if (err < 0)
        fail_by(self, pending->client, rows, err, retry_after_ms);
    return err == 0;
}

void cf_http_ask_or_fail(cf_gateway_t *self, cf_client_t *client, int rc)
{
    if (rc < 0)
        cf_http_fail(self, client, 500, "Internal server error", 0);
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
    if (cf_str_equal(origin, cf_str("*"))) /* no page is of that origin */
        return false;
    for (size_t i = 0; i < self->config.origin_count; i++)
        if (cf_str_equal(origin, cf_str(self->config.origins[i])))
            return true;
    return false;
}

static cf_str_t without_end(cf_str_t text, const char *end)
{
    uint32_t size = (uint32_t)strlen(end);
    if (text.size > size && memcmp(text.bytes + text.size - size, end, size) == 0)
        text.size -= size;
    return text;
}

/* The origin is http or https, and the rest of it the Host header: the page came from this server. Over TLS
 * a page that did not come over it may be anybody's; without TLS a proxy may have spoken it. A browser leaves
 * out the port that a scheme has by itself, a proxy may write it. */
static bool is_same_host(const cf_request_t *request)
{
    static const struct {
        const char *begin, *port;
    } schemes[] = {{"https://", ":443"}, {"http://", ":80"}};
    cf_str_t origin = request->origin;
    for (size_t i = 0; i < (request->secure ? 1 : 2); i++) {
        uint32_t size = (uint32_t)strlen(schemes[i].begin);
        if (origin.size > size && memcmp(origin.bytes, schemes[i].begin, size) == 0)
            return cf_str_equal(
                without_end((cf_str_t){origin.bytes + size, origin.size - size}, schemes[i].port),
                without_end(request->host, schemes[i].port));
    }
    return false;
}

static void judge_origin(cf_gateway_t *self, cf_exchange_t *exchange, const cf_request_t *request)
{
    static const char allow[] = "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
                                "Access-Control-Allow-Headers: Content-Type, Authorization\r\n";
    bool is_known = is_listed(self, request->origin) || is_same_host(request);
    bool is_any = !is_known && request->origin.size > 0 && lets_all_in(self);
    exchange->may_connect = request->origin.size == 0 || is_known || is_any;
    exchange->has_origin = request->origin.size > 0;
    exchange->is_foreign = exchange->has_origin && !is_known;
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

/* A state change by cookie must come from our own pages, from listed ones, or from no page (contract, 2.6).
 * A browser that says same-site may speak of a page on another port or under a neighbour's name: where it
 * also says which, that counts. */
static bool is_cross_site(const cf_request_t *request, bool origin_is_known)
{
    cf_str_t site = request->sec_fetch_site;
    if (cf_str_equal(site, cf_str("same-origin")) || cf_str_equal(site, cf_str("none")))
        return false;
    if (site.size && !cf_str_equal(site, cf_str("same-site")))
        return true;
    return !origin_is_known;
}

/* Would this log a visitor of a foreign page in as somebody else? Such pages may register and log in
 * where "*" lets them, but get no cookie. */
static bool is_uninvited(const cf_exchange_t *exchange)
{
    bool is_public = exchange->route->info.access <= CF_ACCESS_ANYONE;
    return is_public && exchange->is_cross_site && !(exchange->has_origin && exchange->may_connect);
}

/* --- authentication ----------------------------------------------------------------------------
 */

/* Without memory for it exchange->texts.failed says so. */
static void add_token(cf_exchange_t *exchange, cf_str_t token)
{
    if (token.size == 0 || token.size > CF_TOKEN_MAX)
        return;
    char *copy = cf_arena_take(&exchange->texts, token.size);
    if (!copy)
        return;
    memcpy(copy, token.bytes, token.size);
    exchange->tokens[exchange->token_count++] = (cf_str_t){copy, token.size};
}

/* Collect the credentials in the contract's order. Sets *presented if there was any, even an empty
 * one. */
static void collect_tokens(const cf_gateway_t *self, cf_client_t *client,
                           const cf_request_t *request, bool is_socket, bool *presented)
{
    cf_exchange_t *exchange = client->exchange;
    cf_str_t token;
    bool has_cookie = cf_rooms_cookie(request->cookie, self->config.cookie_name, &token);
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
        err = cf_turn_read(turn, msg, &session);
    if (err == CF_EAUTH) {
        client->exchange->token_at++;
        try_next_token(self, client);
        return;
    }
    if (err < 0) { /* an outage is no verdict about the session */
        cf_http_fail(self, client, 503, "Service unavailable", CF_RETRY_STORE_MS);
        return;
    }
    client->session = session.session;
    client->user = session.user;
    client->expires_us = session.expires_us;
    memcpy(client->username, session.username.bytes, session.username.size);
    memcpy(client->exchange->email, session.email.bytes, session.email.size);
    client->exchange->user_created_us = session.created_us;
    cf_limits_begin(self, client);
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

static void route(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    cf_exchange_t *exchange = client->exchange;
    cf_route_match_t match;
    bool presented = false;
    if (request->method == CF_METHOD_OPTIONS) {
        cf_http_respond_as(self, client, 200, NULL, NULL, NULL, 0);
        return;
    }
    cf_route_match(&match, request);
    exchange->route = match.route;
    exchange->label = match.label;
    if (!match.route) {
        if (match.allow[0])
            cf_http_respond_as(self, client, 405, NULL, match.allow, NULL, 0);
        else if (self->config.only_probes || !cf_pages_serve(self, client, request))
            cf_http_not_found(self, client);
        return;
    }
    const cf_route_info_t *info = &match.route->info;
    bool has_room = strchr(info->path, '{') != NULL;
    exchange->id_missing = has_room && match.id.size == 0;
    exchange->id_malformed =
        has_room && cf_id_parse(&client->room, match.id.bytes, match.id.size) < 0;
    exchange->is_cross_site = request->method != CF_METHOD_GET &&
                              request->method != CF_METHOD_HEAD &&
                              is_cross_site(request, !exchange->is_foreign);
    if (self->config.only_probes && info->access != CF_ACCESS_PROBE) {
        cf_http_not_found(self, client);
        return;
    }
    if (self->draining && info->access != CF_ACCESS_PROBE) {
        cf_http_fail(self, client, 503, "Service unavailable", CF_RETRY_STORE_MS);
        return;
    }
    if (is_uninvited(exchange)) {
        cf_http_fail(self, client, 403, "Forbidden", 0);
        return;
    }
    if (info->access <= CF_ACCESS_ANYONE) {
        cf_limits_begin(self, client);
        return;
    }
    bool is_socket = info->access == CF_ACCESS_SOCKET;
    collect_tokens(self, client, request, is_socket, &presented);
    if (exchange->texts.failed) /* a credential may be among what there was no memory for */
        cf_http_ask_or_fail(self, client, CF_ENOMEM);
    else if (!presented)
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
    cf_trace_t trace;
    bool is_safe = given.size > 0 && given.size < sizeof exchange->request_id;
    for (uint32_t i = 0; is_safe && i < given.size; i++)
        is_safe = given.bytes[i] > ' ' && given.bytes[i] < 0x7f && given.bytes[i] != '"';
    cf_outbox_get_trace(self->out, &trace);
    if (is_safe)
        memcpy(exchange->request_id, given.bytes, given.size);
    else
        sodium_bin2hex(exchange->request_id, sizeof exchange->request_id, trace.id,
                       sizeof trace.id);
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

static cf_str_t trimmed(cf_str_t text)
{
    while (text.size && (*text.bytes == ' ' || *text.bytes == '\t'))
        text.bytes++, text.size--;
    while (text.size && (text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* From which address somebody asks, as far as it is known. */
typedef struct {
    const cf_gateway_config_t *config;
    cf_str_t text;
    uint8_t bytes[16];
} asker_t;

static bool is_proxy(const asker_t *asker)
{
    return cf_networks_contain(asker->config->proxies, asker->config->proxy_count, asker->text);
}

/* Who asked the proxy, as it says. False: that is no address, and says nothing. */
static bool is_told(asker_t *asker, cf_str_t address)
{
    uint8_t bytes[16];
    if (!cf_network_address(bytes, address))
        return false;
    memcpy(asker->bytes, bytes, sizeof bytes);
    asker->text = address;
    return true;
}

/* The last address in X-Forwarded-For that is no trusted proxy's: what stands before it was written by the
 * client itself. Returns what of the list was not believed. */
static cf_str_t follow_list(asker_t *asker, cf_str_t list)
{
    while (list.size && is_proxy(asker)) {
        const char *comma = memrchr(list.bytes, ',', list.size);
        uint32_t skip = comma ? (uint32_t)(comma - list.bytes) + 1 : 0;
        if (!is_told(asker, trimmed((cf_str_t){list.bytes + skip, list.size - skip})))
            break;
        list.size = comma ? skip - 1 : 0;
    }
    return list;
}

/* Who is asking: the peer, or whom a trusted proxy asks for. Where it has written X-Forwarded-For, that
 * alone counts, as of the others nobody can tell whether the proxy wrote them or let them pass. */
static void note_peer(const cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    cf_exchange_t *exchange = client->exchange;
    asker_t asker = {.config = &self->config, .text = request->peer};
    bool has_word = request->true_client_ip.size > 0 || request->real_ip.size > 0;
    cf_network_address(asker.bytes, asker.text);
    cf_str_t left = follow_list(&asker, request->forwarded_for);
    bool is_believed =
        has_word && request->forwarded_for.size == 0 && is_proxy(&asker) &&
        (is_told(&asker, request->true_client_ip) || is_told(&asker, request->real_ip));
    bool is_disbelieved = left.size > 0 || (has_word && !is_believed);
    exchange->is_forwarded = is_believed || left.size < request->forwarded_for.size;
    exchange->is_hidden = is_disbelieved && is_proxy(&asker);
    exchange->is_local = left.size == 0 && !has_word && cf_network_is_loopback(asker.bytes);
    memcpy(exchange->address, asker.bytes, sizeof asker.bytes);
    cf_network_household(exchange->address);
    snprintf(client->peer, sizeof client->peer, "%.*s", (int)asker.text.size, asker.text.bytes);
}

static cf_client_t *new_client(cf_gateway_t *self, cf_conn_t *conn, const cf_request_t *request,
                               cf_span_id_t parent)
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
    exchange->method = request->method;
    exchange->began_us = cf_boot_us();
    cf_gateway_begin_span(self, exchange, parent);
    cf_conn_set_owner_data(conn, client);
    return client;
fail:
    if (exchange)
        cf_arena_free(&exchange->texts);
    free(exchange);
    free(client);
    return NULL;
}

void cf_http_refused(cf_gateway_t *self, int status, const cf_request_t *request,
                     char headers[CF_REFUSED_HEADERS_MAX])
{
    cf_exchange_t exchange = {.method = request->method};
    name_request(self, &exchange, request->request_id);
    judge_origin(self, &exchange, request);
    snprintf(headers, CF_REFUSED_HEADERS_MAX, "%sX-Request-Id: %s\r\n", exchange.cors,
             exchange.request_id);
    cf_observe_series(
        (cf_series_key_t){CF_ROUTE_UNMATCHED, (uint8_t)CF_METHOD_OTHER, (uint16_t)status}, 0);
    cf_log_debug("refused", CF_INT("status", status), CF_STR("request_id", exchange.request_id));
}

void cf_http_begin(cf_gateway_t *self, cf_conn_t *conn, const cf_request_t *request,
                   cf_span_id_t parent)
{
    cf_client_t *client = new_client(self, conn, request, parent);
    if (!client) {
        cf_exchange_t exchange = {.method = request->method};
        name_request(self, &exchange, request->request_id);
        judge_origin(self, &exchange, request);
        cf_conn_set_owner_data(conn, NULL);
        answer_no_memory(conn, &exchange);
        return;
    }
    name_request(self, client->exchange, request->request_id);
    judge_origin(self, client->exchange, request);
    route(self, client, request);
}
