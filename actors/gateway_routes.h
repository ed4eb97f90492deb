/* actors/gateway_routes.h: the route table, and what the files that answer HTTP requests share: gateway_http.c
 * (a request arrives, who asks, how it is answered), gateway_routes.c (the table), gateway_calls.c (what
 * each route does), gateway_pages.c (the files of the web page). Nobody else includes it. */
#ifndef CF_GATEWAY_ROUTES_H
#define CF_GATEWAY_ROUTES_H

#include "gateway_state.h"
#include "routes.h"

#define CF_JSON_TYPE "application/json"
#define CF_TEXT_TYPE "text/plain; charset=utf-8"
#define CF_RETRY_STORE_MS 1000 /* advice while the store is away */

/* Begins what a route does, once it is known who asks. */
typedef void cf_route_fn(cf_gateway_t *self, cf_client_t *client);

struct cf_route {
    cf_route_info_t info;
    cf_route_fn *begin;
    cf_limit_kind_t limit; /* CF_LIMIT_NONE: as often as anyone likes */
};

#define CF_ALLOW_MAX 256 /* Allow headers of one path, with NUL */

/* Which route a request is for; HEAD is taken like GET. */
typedef struct {
    const cf_route_t *route;  /* NULL: none */
    uint8_t label;            /* of its path, also if only its method is wrong */
    cf_str_t id;              /* the segment in place of {id}; borrowed from the request */
    char allow[CF_ALLOW_MAX]; /* without a route: an Allow header for each method the path has */
} cf_route_match_t;

void cf_route_match(cf_route_match_t *out, const cf_request_t *request);

/* gateway_calls.c */
cf_route_fn cf_route_register, cf_route_login, cf_route_me, cf_route_logout, cf_route_list,
    cf_route_create, cf_route_join, cf_route_history, cf_route_socket, cf_route_health,
    cf_route_ready, cf_route_live, cf_route_metrics, cf_route_openapi;

/* gateway_limits.c */
extern const size_t cf_limits_lasting_bytes; /* that it keeps with a connection */
/* Of the address who asks; the same at every gateway of the process. */
cf_limit_key_t cf_limits_address_key(const cf_gateway_t *self, const cf_client_t *client);
/* Begins what the route does, or answers 429 if its limit was reached. */
void cf_limits_begin(cf_gateway_t *self, cf_client_t *client);
/* Asks whether one more password may be tried on this account; the answer's pending has hold of a
 * try. */
int cf_limits_try_login(cf_gateway_t *self, cf_client_t *client, cf_str_t username,
                        cf_answer_fn *answer);
/* False: it was refused, and told so, or nobody wants to know any more. */
bool cf_limits_may_login(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg);
/* The password was right, or was not looked at: that was no failed login. */
void cf_limits_give_back_login(cf_gateway_t *self, const cf_pending_t *pending);
void cf_limits_answered(cf_client_t *client); /* with whatever */

/* gateway_pages.c: answers a request for a file of the web page, or for where one once was. False: it is
 * for none, and nothing was answered. */
bool cf_pages_serve(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request);

/* gateway_http.c: answers */
void cf_http_respond_as(cf_gateway_t *self, cf_client_t *client, int status, const char *type,
                        const char *extra_headers, const void *body, size_t size);
/* Sends what a writer has put into body, or 500 when rc says that there was no memory; frees body. */
void cf_http_finish(cf_gateway_t *self, cf_client_t *client, int status, const char *extra_headers,
                    cf_buf_t *body, int rc);
void cf_http_not_found(cf_gateway_t *self, cf_client_t *client);
/* 500 if asking an actor failed. */
void cf_http_ask_or_fail(cf_gateway_t *self, cf_client_t *client, int rc);

/* How an actor's refusal is told; the last row (err 0) is for all others. */
typedef struct {
    int err;
    int status;
    const char *text;
} cf_http_failure_t;

/* The answer's body into *out (may be NULL); false: there is nobody to tell, or the refusal was told by
 * rows. */
bool cf_http_take_answer(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg, void *out, const cf_http_failure_t *rows);

#endif
