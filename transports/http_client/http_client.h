/* transports/http_client/http_client.h: requests to services that are not trusted, many at once,
 * for an actor that waits on their descriptor and on its inbox together. The one place that includes
 * libcurl.
 *
 *     cf_http_client_get(client, url, timeout_ms, on_done, arg, &request);
 *     cf_actor_watch(actor, cf_http_client_fd(client), ...);  -> cf_http_client_run(client)
 *     due() of the actor                                      -> cf_http_client_run(client)
 *
 * What a hostile service can do is bounded: a request ends within its time whatever comes (name look-up
 * and redirects included), its head and body within their bytes as they come over the wire (nothing is
 * ever unpacked). Only http and https; no cookies, no credentials, no proxy, none of the environment's
 * settings. Redirects are followed to public addresses alone, judged by the address that is connected
 * to, not by a name that may say something else the next time; never from https to http. The origin of
 * `trusted`, which an operator named, may be any address.
 *
 * Belongs to one thread. Names are looked up on threads of libcurl's, which may outlive a request. */
#ifndef CF_HTTP_CLIENT_H
#define CF_HTTP_CLIENT_H

#include "str.h"

#include <stddef.h>

#define CF_HTTP_REDIRECTS_MAX 3
#define CF_HTTP_HEADERS_MAX 4
#define CF_HTTP_HEAD_MAX 16384 /* bytes of all heads of one request */

typedef struct {
    uint32_t requests_max;     /* at once; more are refused */
    size_t body_max;           /* bytes of one answer */
    const char *trusted;       /* a URL; borrowed for the call of cf_http_client_new */
    bool trusted_is_this_host; /* its certificate may be for any name, from anybody */
    const char *agent;         /* User-Agent; borrowed for the client's life */
    const char *
        ca_file; /* of certificates that vouch for others, NULL: the system's; borrowed for the client's life */
} cf_http_client_config_t;

/* What a request says beyond its URL; borrowed for the call that begins it. */
typedef struct {
    /* "Name: value", the first NULL ends them; only the origin of `trusted` gets them, and not after a
     * redirect has led elsewhere first */
    const char *headers[CF_HTTP_HEADERS_MAX];
    bool
        is_post; /* else GET. Whatever a POST is answered it is the answer: no redirect is followed */
    cf_str_t body; /* of a POST; as JSON, unless the headers say Content-Type */
} cf_http_ask_t;

typedef struct {
    int rc;        /* 0: an answer came whole. CF_ETIME: not in time; CF_ERANGE: too much of it;
                           CF_EPERM: it leads where nothing may go; CF_EIO: anything else */
    int status;    /* 0: no answer with a status came */
    cf_str_t body; /* with rc 0; any bytes */
    const char *address;   /* with rc 0: who answered, numerically, without a port */
    int64_t retry_after_s; /* with rc 0: Retry-After, also where it is a date; 0: it said none */
    const char *reason; /* with another rc: in words, without anything of the URL or the answer */
} cf_http_answer_t;

typedef struct cf_http_client cf_http_client_t;
typedef struct cf_http_request cf_http_request_t;
/* The request has ended and is gone; answer is borrowed for the call, which may begin others. */
typedef void cf_http_done_fn(void *arg, const cf_http_answer_t *answer);

/* Returns 0; CF_ERANGE (trusted cannot be read), CF_ENOMEM, CF_EIO (no descriptor, or a libcurl that
 * would block while it looks up a name). */
int cf_http_client_new(cf_http_client_t **out, const cf_http_client_config_t *config);
/* Ends what is under way without a word. */
void cf_http_client_destroy(cf_http_client_t **self);

/* Begin. *out is valid until done was called or the request was cancelled. Returns 0; CF_EFULL,
 * CF_ENOMEM, CF_ERANGE (no http or https URL): done is not called. */
int cf_http_client_get(cf_http_client_t *self, const char *url, int64_t timeout_ms,
                       cf_http_done_fn *done, void *arg, cf_http_request_t **out);
/* The same with more to say. */
int cf_http_client_ask(cf_http_client_t *self, const char *url, const cf_http_ask_t *ask,
                       int64_t timeout_ms, cf_http_done_fn *done, void *arg,
                       cf_http_request_t **out);
void cf_http_client_cancel(cf_http_client_t *self, cf_http_request_t *request);

int cf_http_client_fd(const cf_http_client_t *self);      /* readable: there is something to do */
int64_t cf_http_client_due(const cf_http_client_t *self); /* boot_us; INT64_MAX: no timer */
/* Do what can be done now; calls done of what has ended. Never waits. */
void cf_http_client_run(cf_http_client_t *self);
/* The same as an actor uses it whose tests play the service. */
typedef struct {
    int (*ask)(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
               cf_http_done_fn *done, void *arg, void **request);
    void (*cancel)(void *http, void *request);
    int64_t (*due)(void *http);
    void (*run)(void *http);
    void (*destroy)(void *http);
} cf_http_ops_t;
extern const cf_http_ops_t cf_http_client_ops; /* http is a cf_http_client_t */

/* For who has nothing else to do: waits until there is something, and does it. */
void cf_http_client_wait(cf_http_client_t *self);

#endif
