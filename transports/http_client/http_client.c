#include "http_client/http_client.h"

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "network.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define IDLE_CONNECTIONS_MAX 4 /* kept for the next request */
/* libcurl says the same of both: a header line beyond 100 KiB is memory it will not take */
#define NO_MEMORY "out of memory, or a header line without an end"

/* Where a request goes: scheme, host and port as libcurl writes them, so two spellings are one. */
typedef struct {
    char *scheme, *host, *port; /* libcurl's; NULL: none */
} origin_t;

struct cf_http_request {
    cf_http_client_t *client;
    cf_http_request_t *prev, *next;
    CURL *easy;
    cf_http_done_fn *done;
    void *arg;
    int64_t until_us;
    int redirects;
    struct curl_slist *headers; /* until it leaves the operator's origin; owned; NULL: none */
    bool is_trusted;            /* goes to the operator's origin */
    bool was_refused;           /* an address of it */
    bool is_too_big;
    bool is_secure; /* https so far */
    bool is_post;
    size_t head_bytes;
    cf_buf_t body;
};

struct cf_http_client {
    cf_http_client_config_t config;
    CURLM *multi;
    int epoll;
    int64_t due_us;
    origin_t trusted;
    cf_http_request_t *requests;
    uint32_t count;
};

/* --- origins -----------------------------------------------------------------------------------
 */

static void free_origin(origin_t *origin)
{
    curl_free(origin->scheme);
    curl_free(origin->host);
    curl_free(origin->port);
    *origin = (origin_t){0};
}

/* 0; CF_ERANGE: no http or https URL; CF_ENOMEM. Fails all or nothing. */
static int read_origin(origin_t *out, const char *url)
{
    origin_t origin = {0};
    CURLU *parts = curl_url();
    CURLUcode rc = parts ? curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME)
                         : CURLUE_OUT_OF_MEMORY;
    if (rc == CURLUE_OK)
        rc = curl_url_get(parts, CURLUPART_SCHEME, &origin.scheme, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(parts, CURLUPART_HOST, &origin.host, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(parts, CURLUPART_PORT, &origin.port, CURLU_DEFAULT_PORT);
    curl_url_cleanup(parts);
    if (rc == CURLUE_OK && strcmp(origin.scheme, "http") != 0 &&
        strcmp(origin.scheme, "https") != 0)
        rc = CURLUE_UNSUPPORTED_SCHEME;
    if (rc == CURLUE_OK) {
        *out = origin;
        return 0;
    }
    free_origin(&origin);
    return rc == CURLUE_OUT_OF_MEMORY ? CF_ENOMEM : CF_ERANGE;
}

static bool same_origin(const origin_t *a, const origin_t *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

/* --- what libcurl calls ------------------------------------------------------------------------
 */

/* Here the address is known that will be connected to: a name that was looked up twice cannot show
 * one to us and another to the kernel. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    cf_http_request_t *request = arg;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        (!request->is_trusted && !cf_network_is_public(&address->addr))) {
        request->was_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_head(char *bytes, size_t size, size_t n, void *arg)
{
    cf_http_request_t *request = arg;
    (void)bytes;
    request->head_bytes += size * n;
    request->is_too_big = request->is_too_big || request->head_bytes > CF_HTTP_HEAD_MAX;
    return request->is_too_big ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    cf_http_request_t *request = arg;
    if (request->body.size + size * n > request->client->config.body_max)
        request->is_too_big = true;
    if (request->is_too_big || cf_buf_add(&request->body, bytes, size * n) < 0)
        return 0;
    return size * n;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    cf_http_client_t *self = arg;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    (void)known;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(self->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
        epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event); /* unwatched, its time limit ends it */
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    cf_http_client_t *self = arg;
    (void)multi;
    self->due_us = ms < 0 ? INT64_MAX : cf_boot_us() + ms * INT64_C(1000);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void unlink_request(cf_http_request_t *request)
{
    cf_http_client_t *self = request->client;
    if (request->prev)
        request->prev->next = request->next;
    else
        self->requests = request->next;
    if (request->next)
        request->next->prev = request->prev;
    self->count--;
}

static void free_request(cf_http_request_t *request)
{
    if (request->easy) {
        curl_multi_remove_handle(request->client->multi, request->easy);
        curl_easy_cleanup(request->easy);
    }
    curl_slist_free_all(request->headers);
    cf_buf_free(&request->body);
    free(request);
}

static bool set_options(cf_http_request_t *request)
{
    CURL *easy = request->easy;
    const cf_http_client_config_t *config = &request->client->config;
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* or a name that is being looked up would be waited for when its request ends */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, config->agent) == CURLE_OK &&
           (!config->ca_file ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file) == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)config->body_max) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) == CURLE_OK;
}

static void drop_headers(cf_http_request_t *request)
{
    curl_slist_free_all(request->headers);
    request->headers = NULL;
}

/* Hand the request to libcurl, for this URL and what is left of its time. */
static int begin(cf_http_request_t *request, const char *url)
{
    int64_t left_ms = (request->until_us - cf_boot_us() + 999) / 1000;
    bool is_proven = !request->is_trusted || !request->client->config.trusted_is_this_host;
    if (left_ms <= 0)
        return CF_ETIME;
    if (!request->is_trusted)
        drop_headers(request); /* for good: what leads back to the operator is a stranger's word */
    if (curl_easy_setopt(request->easy, CURLOPT_SSL_VERIFYPEER, is_proven ? 1L : 0L) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_SSL_VERIFYHOST, is_proven ? 2L : 0L) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) != CURLE_OK ||
        curl_multi_add_handle(request->client->multi, request->easy) != CURLM_OK)
        return CF_ENOMEM;
    return 0;
}

static bool add_header(cf_http_request_t *request, const char *header)
{
    struct curl_slist *longer = curl_slist_append(request->headers, header);
    request->headers = longer ? longer : request->headers;
    return longer;
}

/* False: no memory for it. Without "Expect:" libcurl would wait a second for leave to send a long body. */
static bool add_ask(cf_http_request_t *request, const cf_http_ask_t *ask)
{
    bool has_type = false;
    for (size_t i = 0; i < CF_HTTP_HEADERS_MAX && ask->headers[i]; i++) {
        has_type = has_type || strncasecmp(ask->headers[i], "Content-Type:", 13) == 0;
        if (!add_header(request, ask->headers[i]))
            return false;
    }
    request->is_post = ask->is_post;
    return !ask->is_post || ((has_type || add_header(request, "Content-Type: application/json")) &&
                             add_header(request, "Expect:") &&
                             curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                              (curl_off_t)ask->body.size) == CURLE_OK &&
                             curl_easy_setopt(request->easy, CURLOPT_COPYPOSTFIELDS,
                                              ask->body.size ? ask->body.bytes : "") == CURLE_OK);
}

int cf_http_client_get(cf_http_client_t *self, const char *url, int64_t timeout_ms,
                       cf_http_done_fn *done, void *arg, cf_http_request_t **out)
{
    return cf_http_client_ask(self, url, &(cf_http_ask_t){0}, timeout_ms, done, arg, out);
}

int cf_http_client_ask(cf_http_client_t *self, const char *url, const cf_http_ask_t *ask,
                       int64_t timeout_ms, cf_http_done_fn *done, void *arg,
                       cf_http_request_t **out)
{
    origin_t origin;
    if (self->count >= self->config.requests_max)
        return CF_EFULL;
    int rc = read_origin(&origin, url);
    if (rc < 0)
        return rc;
    cf_http_request_t *request = calloc(1, sizeof *request);
    if (request) {
        *request = (cf_http_request_t){.client = self,
                                       .easy = curl_easy_init(),
                                       .done = done,
                                       .arg = arg,
                                       .until_us = cf_boot_us() + timeout_ms * 1000,
                                       .is_trusted = same_origin(&origin, &self->trusted),
                                       .is_secure = strcmp(origin.scheme, "https") == 0};
    }
    free_origin(&origin);
    if (!request)
        return CF_ENOMEM;
    rc = request->easy && set_options(request) && add_ask(request, ask) ? begin(request, url)
                                                                        : CF_ENOMEM;
    if (rc < 0) {
        free_request(request);
        return rc;
    }
    request->next = self->requests;
    if (self->requests)
        self->requests->prev = request;
    self->requests = request;
    self->count++;
    *out = request;
    return 0;
}

void cf_http_client_cancel(cf_http_client_t *self, cf_http_request_t *request)
{
    (void)self;
    unlink_request(request);
    free_request(request);
}

/* --- endings -----------------------------------------------------------------------------------
 */

static void end(cf_http_request_t *request, cf_http_answer_t answer)
{
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    if (answer.rc == 0) {
        char *address = NULL;
        curl_off_t retry_after_s = 0;
        curl_easy_getinfo(request->easy, CURLINFO_PRIMARY_IP, &address);
        curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        answer.address = address;
        answer.retry_after_s = retry_after_s;
        answer.body = (cf_str_t){(const char *)request->body.data, (uint32_t)request->body.size};
    }
    unlink_request(request);
    request->done(request->arg, &answer);
    free_request(request);
}

/* Where the answer says to go instead; NULL: nowhere. */
static const char *redirect_of(const cf_http_request_t *request)
{
    char *url = NULL;
    if (request->is_post)
        return NULL;
    curl_easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &url);
    return url;
}

/* 0: on its way; else the answer of the request. */
static int follow(cf_http_request_t *request, const char *to, const char **reason)
{
    origin_t origin;
    *reason = "too many redirects";
    if (request->redirects++ == CF_HTTP_REDIRECTS_MAX)
        return CF_EIO;
    *reason = "redirected to what is no http or https URL";
    int rc = read_origin(&origin, to);
    if (rc < 0)
        return rc == CF_ERANGE ? CF_EPERM : rc;
    bool is_secure = strcmp(origin.scheme, "https") == 0;
    request->is_trusted = same_origin(&origin, &request->client->trusted);
    free_origin(&origin);
    *reason = "redirected from https to http";
    if (request->is_secure && !is_secure)
        return CF_EPERM;
    request->is_secure = is_secure;
    cf_buf_clear(&request->body);
    *reason = "redirected too late";
    return begin(request, to);
}

static cf_http_answer_t failure(const cf_http_request_t *request, CURLcode code)
{
    if (request->is_too_big || code == CURLE_FILESIZE_EXCEEDED)
        return (cf_http_answer_t){.rc = CF_ERANGE, .reason = "the answer is too big"};
    if (request->was_refused && code == CURLE_COULDNT_CONNECT)
        return (cf_http_answer_t){.rc = CF_EPERM, .reason = "the address is not a public one"};
    if (code == CURLE_OPERATION_TIMEDOUT)
        return (cf_http_answer_t){.rc = CF_ETIME, .reason = "timed out"};
    if (code == CURLE_LOGIN_DENIED)
        return (cf_http_answer_t){.rc = CF_EPERM, .reason = "redirected with credentials"};
    if (code == CURLE_OUT_OF_MEMORY)
        return (cf_http_answer_t){.rc = CF_ENOMEM, .reason = NO_MEMORY};
    return (cf_http_answer_t){.rc = CF_EIO, .reason = curl_easy_strerror(code)};
}

static void on_ended(cf_http_request_t *request, CURLcode code)
{
    cf_http_answer_t answer = {0};
    curl_multi_remove_handle(request->client->multi, request->easy);
    if (code != CURLE_OK) {
        end(request, failure(request, code));
        return;
    }
    const char *to = redirect_of(request);
    if (to) {
        answer.rc = follow(request, to, &answer.reason);
        if (answer.rc == 0)
            return;
        if (answer.rc == CF_ENOMEM)
            answer.reason = NO_MEMORY;
    }
    end(request, answer);
}

/* --- life --------------------------------------------------------------------------------------
 */

int cf_http_client_fd(const cf_http_client_t *self)
{
    return self->epoll;
}

int64_t cf_http_client_due(const cf_http_client_t *self)
{
    return self->due_us;
}

void cf_http_client_run(cf_http_client_t *self)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int running, left;
    int n = epoll_wait(self->epoll, events, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < n; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(self->multi, events[i].data.fd, what, &running);
    }
    if (cf_boot_us() >= self->due_us) {
        self->due_us = INT64_MAX; /* set anew by the call, if there is another one */
        curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (CURLMsg *msg; (msg = curl_multi_info_read(self->multi, &left)) != NULL;) {
        cf_http_request_t *request = NULL;
        CURLcode code = msg->data.result; /* msg is gone with its handle */
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        if (msg->msg == CURLMSG_DONE && request)
            on_ended(request, code);
    }
}

void cf_http_client_wait(cf_http_client_t *self)
{
    int64_t left_ms = self->due_us == INT64_MAX ? -1 : (self->due_us - cf_boot_us()) / 1000 + 1;
    struct pollfd one = {.fd = self->epoll, .events = POLLIN};
    poll(&one, 1, left_ms > INT32_MAX ? INT32_MAX : left_ms < -1 ? 0 : (int)left_ms);
    cf_http_client_run(self);
}

/* A libcurl that looks names up on the caller's thread would stop the actor for as long as it takes. */
static bool resolves_aside(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return (info->features & CURL_VERSION_ASYNCHDNS) != 0;
}

int cf_http_client_new(cf_http_client_t **out, const cf_http_client_config_t *config)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return CF_ENOMEM;
    cf_http_client_t *self = calloc(1, sizeof *self);
    if (!self) {
        curl_global_cleanup();
        return CF_ENOMEM;
    }
    self->config = *config;
    self->due_us = INT64_MAX;
    self->multi = curl_multi_init();
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    int rc = self->epoll < 0 || !resolves_aside() ? CF_EIO
                                                  : read_origin(&self->trusted, config->trusted);
    self->config.trusted = NULL;
    if (rc == 0 &&
        (!self->multi ||
         curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
         curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self) != CURLM_OK ||
         curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
         curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self) != CURLM_OK ||
         curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX) !=
             CURLM_OK))
        rc = CF_ENOMEM;
    if (rc < 0) {
        cf_http_client_destroy(&self);
        return rc;
    }
    *out = self;
    return 0;
}

void cf_http_client_destroy(cf_http_client_t **self)
{
    if (!*self)
        return;
    while ((*self)->requests)
        cf_http_client_cancel(*self, (*self)->requests);
    curl_multi_cleanup((*self)->multi);
    if ((*self)->epoll >= 0)
        close((*self)->epoll);
    free_origin(&(*self)->trusted);
    free(*self);
    *self = NULL;
    curl_global_cleanup();
}

/* --- as an actor uses it -----------------------------------------------------------------------
 */

static int ops_ask(void *http, const char *url, const cf_http_ask_t *ask, int64_t timeout_ms,
                   cf_http_done_fn *done, void *arg, void **request)
{
    cf_http_request_t *begun;
    int rc = cf_http_client_ask(http, url, ask, timeout_ms, done, arg, &begun);
    if (rc == 0)
        *request = begun;
    return rc;
}

static void ops_cancel(void *http, void *request)
{
    cf_http_client_cancel(http, request);
}

static int64_t ops_due(void *http)
{
    return cf_http_client_due(http);
}

static void ops_run(void *http)
{
    cf_http_client_run(http);
}

static void ops_destroy(void *http)
{
    cf_http_client_t *client = http;
    cf_http_client_destroy(&client);
}

const cf_http_ops_t cf_http_client_ops = {ops_ask, ops_cancel, ops_due, ops_run, ops_destroy};
