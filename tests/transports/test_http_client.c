/* The HTTP client against a server that does whatever a test tells it to. Names and addresses that are
 * not here are played: getaddrinfo() and connect() of this program stand before those of libc, also for
 * libcurl. */
#include "http_client/http_client.h"

#include "clock.h"
#include "err.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000 /* for one thing to happen; then the test fails */
#define SCRIPTS_MAX 16
#define PUBLIC "93.184.216.34"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- a server ----------------------------------------------------------------------------------
 */

typedef struct {
    const char *path;
    const char *answer; /* sent whole, then */
    const char *again;  /* sent for ever, unless NULL; then */
    bool silent;        /* nothing more until the client goes; else the connection is closed */
} script_t;

typedef struct {
    int fd, port;
    pthread_t thread;
    script_t scripts[SCRIPTS_MAX]; /* a copy: its threads outlive the test; ends with path NULL */
    pthread_mutex_t lock;
    char heads[16384]; /* all that was asked */
    int asked;
} server_t;

static server_t server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool send_all(int fd, const char *bytes)
{
    size_t left = strlen(bytes);
    while (left) {
        ssize_t n = send(fd, bytes, left, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        left -= (size_t)n;
    }
    return true;
}

static void wait_for_end(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void play(int fd, const script_t *script)
{
    pthread_mutex_lock(&server.lock); /* a test may write the next answer there */
    char *answer = strdup(script->answer);
    pthread_mutex_unlock(&server.lock);
    bool is_there = send_all(fd, answer);
    free(answer);
    while (is_there && script->again)
        is_there = send_all(fd, script->again);
    if (is_there && script->silent)
        wait_for_end(fd);
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char head[8192] = "", path[1024] = "";
    size_t size = 0;
    while (!strstr(head, "\r\n\r\n")) {
        ssize_t n = recv(fd, head + size, sizeof head - 1 - size, 0);
        if (n <= 0)
            break;
        size += (size_t)n;
        head[size] = '\0';
    }
    const char *length = strcasestr(head, "\r\nContent-Length: ");
    size_t end = (size_t)(strstr(head, "\r\n\r\n") ? strstr(head, "\r\n\r\n") + 4 - head : 0);
    for (size_t whole = end + (length ? strtoul(length + 18, NULL, 10) : 0); size < whole;) {
        ssize_t n = recv(fd, head + size, sizeof head - 1 - size, 0);
        if (n <= 0)
            break;
        size += (size_t)n;
        head[size] = '\0';
    }
    if (sscanf(head, "%*[A-Z] %1023s", path) == 1) {
        pthread_mutex_lock(&server.lock);
        strncat(server.heads, head, sizeof server.heads - strlen(server.heads) - 1);
        server.asked++;
        pthread_mutex_unlock(&server.lock);
        for (const script_t *at = server.scripts; at->path; at++)
            if (strcmp(at->path, path) == 0)
                play(fd, at);
    }
    close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    int fd;
    (void)arg;
    while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd);
        pthread_detach(thread);
    }
    return NULL;
}

static int listen_on_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 64) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void start_server(const script_t *scripts)
{
    for (int i = 0; scripts[i].path; i++) {
        cr_assert(lt(int, i, SCRIPTS_MAX - 1));
        server.scripts[i] = scripts[i];
    }
    server.fd = listen_on_loopback(&server.port);
    cr_assert(pthread_create(&server.thread, NULL, serve, NULL) == 0);
}

static int times_asked(void)
{
    pthread_mutex_lock(&server.lock);
    int n = server.asked;
    pthread_mutex_unlock(&server.lock);
    return n;
}

static int times_in_heads(const char *text)
{
    int n = 0;
    pthread_mutex_lock(&server.lock);
    for (const char *at = server.heads; (at = strstr(at, text)); at++)
        n++;
    pthread_mutex_unlock(&server.lock);
    return n;
}

/* --- names and addresses that are played -------------------------------------------------------
 */

static sem_t name_is_asked, name_may_answer;

/* loop.test, rebind.test: 127.0.0.1; public.test: PUBLIC; both.test: 10.0.0.1 and PUBLIC;
 * slow.test: when the test lets it. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))(
            uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(name, "slow.test") == 0) {
        sem_post(&name_is_asked);
        sem_wait(&name_may_answer);
    }
    if (strcmp(name, "loop.test") == 0 || strcmp(name, "slow.test") == 0)
        return real("127.0.0.1", service, hints, out);
    if (strcmp(name, "public.test") == 0)
        return real(PUBLIC, service, hints, out);
    if (strcmp(name, "both.test") == 0) {
        struct addrinfo *second;
        int rc = real("10.0.0.1", service, hints, out);
        if (rc == 0 && (rc = real(PUBLIC, service, hints, &second)) == 0)
            (*out)->ai_next = second;
        return rc;
    }
    return strspn(name, "0123456789.:abcdefx") == strlen(name) ? real(name, service, hints, out)
                                                               : EAI_NONAME;
}

/* The public address is this machine's loopback; the rest of the network is not there. */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))(uintptr_t)dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in v4;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        if (v4.sin_addr.s_addr == inet_addr(PUBLIC)) {
            v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return real(fd, (struct sockaddr *)&v4, sizeof v4);
        }
    }
    return real(fd, address, size);
}

/* --- a client ----------------------------------------------------------------------------------
 */

static cf_http_client_t *client;
static struct {
    int count; /* of requests that ended */
    int rc, status;
    int64_t retry_after_s;
    char body[65536];
    char reason[256];
    char address[64];
} got;

static void on_done(void *arg, const cf_http_answer_t *answer)
{
    (void)arg;
    got.count++;
    got.rc = answer->rc;
    got.status = answer->status;
    got.retry_after_s = answer->retry_after_s;
    snprintf(got.body, sizeof got.body, "%.*s", (int)answer->body.size, answer->body.bytes);
    snprintf(got.reason, sizeof got.reason, "%s", answer->reason ? answer->reason : "");
    snprintf(got.address, sizeof got.address, "%s", answer->address ? answer->address : "");
    cr_assert(eq(int, answer->rc == 0, answer->reason == NULL));
}

static const char *url(const char *host, const char *path)
{
    static char out[1024];
    snprintf(out, sizeof out, "http://%s:%d%s", host, server.port, path);
    return out;
}

static void start_client(const char *trusted_host)
{
    cf_http_client_config_t config = {.requests_max = 4,
                                      .body_max = 1000,
                                      .trusted = url(trusted_host, ""),
                                      .agent = "confab/test"};
    cr_assert(eq(int, cf_http_client_new(&client, &config), 0));
}

static void start(const script_t *scripts)
{
    start_server(scripts);
    start_client("127.0.0.1");
}

static void stop(void)
{
    cf_http_client_destroy(&client);
    if (server.thread) {
        shutdown(server.fd, SHUT_RDWR);
        close(server.fd);
        pthread_join(server.thread, NULL);
    }
}

TestSuite(http_client, .fini = stop, .timeout = 60);

/* Until n requests have ended, as an actor would. */
static void await(int n)
{
    int64_t until_us = cf_boot_us() + WAIT_MS * INT64_C(1000);
    while (got.count < n) {
        int64_t due_us = cf_http_client_due(client), left_us = due_us - cf_boot_us();
        struct pollfd one = {.fd = cf_http_client_fd(client), .events = POLLIN};
        cr_assert(lt(i64, cf_boot_us(), until_us));
        poll(&one, 1, left_us < 0 ? 0 : left_us > 1000000 ? 1000 : (int)(left_us / 1000) + 1);
        cf_http_client_run(client);
    }
}

static int begin(const char *where, int64_t timeout_ms)
{
    cf_http_request_t *request;
    return cf_http_client_get(client, where, timeout_ms, on_done, NULL, &request);
}

static int get_within(const char *where, int64_t timeout_ms)
{
    int n = got.count;
    cr_assert(eq(int, begin(where, timeout_ms), 0), "%s", where);
    await(n + 1);
    return got.rc;
}

static int get(const char *path)
{
    return get_within(url("127.0.0.1", path), WAIT_MS);
}

/* --- answers -----------------------------------------------------------------------------------
 */

Test(http_client, gets_an_answer_and_sends_nothing_that_identifies_anybody)
{
    static const script_t scripts[] = {
        {"/q/l/?s=AAPL.US", "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nhello",
         NULL, false},
        {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", NULL, false},
        {"/until-close", "HTTP/1.0 200 OK\r\n\r\nto the end", NULL, false},
        {"/chunked",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         NULL, false},
        {0}};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    start(scripts);
    cr_assert(eq(int, get("/q/l/?s=AAPL.US"), 0), "%s", got.reason);
    cr_assert(eq(int, got.status, 200));
    cr_assert(eq(str, got.body, "hello"));
    cr_assert(eq(int, get("/missing"), 0));
    cr_assert(eq(int, got.status, 404));
    cr_assert(eq(str, got.body, "gone"));
    cr_assert(eq(int, get("/until-close"), 0));
    cr_assert(eq(str, got.body, "to the end"));
    cr_assert(eq(int, get("/chunked"), 0));
    cr_assert(eq(str, got.body, "abcde"));
    char expected[256];
    snprintf(expected, sizeof expected,
             "GET /q/l/?s=AAPL.US HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: confab/test\r\n"
             "Accept: */*\r\n\r\n",
             server.port);
    cr_assert(strncmp(server.heads, expected, strlen(expected)) == 0, "%s", server.heads);
    cr_assert(strcasestr(server.heads, "cookie") == NULL);
}

Test(http_client, says_what_went_wrong_with_a_connection)
{
    static const script_t scripts[] = {
        {"/early", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbut", NULL, false},
        {"/nothing", "", NULL, false},
        {"/garbage", "\x01\x02\x03\x04 this is no HTTP\r\n\r\n", NULL, false},
        {0}};
    int port, fd = listen_on_loopback(&port);
    char closed[64];
    snprintf(closed, sizeof closed, "http://127.0.0.1:%d/", port);
    close(fd);
    start(scripts);
    cr_assert(eq(int, get("/early"), CF_EIO));
    cr_assert(eq(str, got.body, ""));
    cr_assert(eq(int, get("/nothing"), CF_EIO));
    cr_assert(eq(int, get("/garbage"), CF_EIO));
    cr_assert(eq(int, get_within(url("unknown.test", "/"), WAIT_MS), CF_EIO));
    cr_assert(eq(int, get_within(closed, WAIT_MS), CF_EPERM)); /* not what the operator named */
}

Test(http_client, ends_within_the_time_it_was_given)
{
    static const script_t scripts[] = {
        {"/silent", "", NULL, true},
        {"/half-head", "HTTP/1.1 200 OK\r\nContent-", NULL, true},
        {"/half-body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", NULL, true},
        {"/round", "HTTP/1.1 302 Found\r\nLocation: /silent\r\nContent-Length: 0\r\n\r\n", NULL,
         false},
        {0}};
    start(scripts);
    cr_assert(eq(int, get_within(url("127.0.0.1", "/silent"), 50), CF_ETIME));
    cr_assert(eq(str, got.reason, "timed out"));
    cr_assert(eq(int, get_within(url("127.0.0.1", "/half-head"), 50), CF_ETIME));
    cr_assert(eq(int, get_within(url("127.0.0.1", "/half-body"), 50), CF_ETIME));
    cr_assert(eq(int, get_within(url("127.0.0.1", "/round"), 200), CF_ETIME));
    cr_assert(eq(int, begin(url("127.0.0.1", "/silent"), 0), CF_ETIME));
    cr_assert(eq(int, got.count, 4));
}

/* --- sizes -------------------------------------------------------------------------------------
 */

static char *body_of(char *out, const char *head, size_t size)
{
    size_t at = (size_t)sprintf(out, "%s", head);
    memset(out + at, 'x', size);
    out[at + size] = '\0';
    return out;
}

Test(http_client, takes_a_body_up_to_its_bound_however_it_comes)
{
    static char said_at[4096], said_over[4096], unsaid_at[4096], unsaid_over[4096],
        chunk_over[4096];
    script_t scripts[] = {
        {"/said-at", body_of(said_at, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 1000),
         NULL, false},
        {"/said-over", body_of(said_over, "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0),
         NULL, true}, /* refused for what it says */
        {"/unsaid-at", body_of(unsaid_at, "HTTP/1.0 200 OK\r\n\r\n", 1000), NULL, false},
        {"/unsaid-over", body_of(unsaid_over, "HTTP/1.0 200 OK\r\n\r\n", 1001), NULL, true},
        {"/chunks",
         body_of(chunk_over, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n", 1024),
         NULL, true},
        {"/endless", "HTTP/1.0 200 OK\r\n\r\n", "more and more ", false},
        {"/lies", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "more ",
         false},
        {0}};
    start(scripts);
    cr_assert(eq(int, get("/said-at"), 0));
    cr_assert(eq(sz, strlen(got.body), 1000));
    cr_assert(eq(int, get("/said-over"), CF_ERANGE));
    cr_assert(eq(str, got.reason, "the answer is too big"));
    cr_assert(eq(int, get("/unsaid-at"), 0));
    cr_assert(eq(sz, strlen(got.body), 1000));
    cr_assert(eq(int, get("/unsaid-over"), CF_ERANGE));
    cr_assert(eq(int, get("/chunks"), CF_ERANGE));
    cr_assert(eq(int, get("/endless"), CF_ERANGE));
    cr_assert(eq(int, get("/lies"), CF_ERANGE));
}

Test(http_client, takes_heads_up_to_their_bound)
{
    static char line[8300], many[128];
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "X-Fill: ", 8);
    snprintf(many, sizeof many, "X-More: %0100d\r\n", 1);
    script_t scripts[] = {
        {"/line", "HTTP/1.1 200 OK\r\nX-Endless: ", "more and more ", false},
        {"/lines", "HTTP/1.1 200 OK\r\n", many, false},
        {"/continue", "", "HTTP/1.1 100 Continue\r\n\r\n", false},
        {"/trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", many, false},
        {0}};
    start(scripts);
    cr_assert(lt(int, get("/line"), 0));
    cr_assert(eq(int, get("/lines"), CF_ERANGE));
    cr_assert(eq(int, get("/continue"), CF_ERANGE));
    cr_assert(eq(int, get("/trailer"), CF_ERANGE));
}

Test(http_client, unpacks_nothing)
{
    static const script_t scripts[] = {{"/gzip",
                                        "HTTP/1.1 200 OK\r\nContent-Encoding: "
                                        "gzip\r\nContent-Length: 8\r\n\r\n\x1f\x8b\x08\x01packed",
                                        NULL, false},
                                       {0}};
    start(scripts);
    cr_assert(eq(int, get("/gzip"), 0));
    cr_assert(strncmp(got.body, "\x1f\x8b\x08\x01", 4) == 0);
    cr_assert(strstr(server.heads, "Accept-Encoding") == NULL);
}

/* --- redirects ---------------------------------------------------------------------------------
 */

enum { REDIRECT_MAX = 256 };

static char *redirect(char out[REDIRECT_MAX], const char *to)
{
    pthread_mutex_lock(&server.lock);
    int size = snprintf(out, REDIRECT_MAX,
                        "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", to);
    pthread_mutex_unlock(&server.lock);
    cr_assert(size < REDIRECT_MAX);
    return out;
}

Test(http_client, follows_three_redirects_of_the_named_service_and_no_fourth)
{
    static char to[4][REDIRECT_MAX];
    script_t scripts[] = {
        {"/4", redirect(to[0], "/3"), NULL, false},
        {"/3", redirect(to[1], "2"), NULL, false},
        {"/2", redirect(to[2], "./1"), NULL, false},
        {"/1", redirect(to[3], "/0"), NULL, false},
        {"/0", OK, NULL, false},
        {"/loop", "HTTP/1.1 308 Forth\r\nLocation: /loop\r\n\r\n", NULL, false},
        {"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", NULL, false},
        {0}};
    start(scripts);
    cr_assert(eq(int, get("/3"), 0), "%s", got.reason);
    cr_assert(eq(str, got.body, "ok"));
    cr_assert(eq(int, get("/4"), CF_EIO));
    cr_assert(eq(str, got.reason, "too many redirects"));
    cr_assert(eq(int, get("/loop"), CF_EIO));
    cr_assert(eq(int, get("/nowhere"), 0)); /* an answer like any other */
    cr_assert(eq(int, got.status, 302));
}

Test(http_client, follows_no_redirect_to_an_address_that_is_not_public)
{
    int port, other = listen_on_loopback(&port);
    static char answer[REDIRECT_MAX];
    script_t scripts[] = {{"/", answer, NULL, false}, {0}};
    static const char *const inwards[] = {
        "http://127.0.0.1:%d/",    "http://localhost:%d/", "http://loop.test:%d/",
        "http://[::1]:%d/",        "http://0.0.0.0:%d/",   "http://2130706433:%d/",
        "http://0x7f.1:%d/",       "http://127.1:%d/",     "http://[::ffff:127.0.0.1]:%d/",
        "http://169.254.169.254/", "http://10.0.0.1:%d/",  "http://[fe80::1]:%d/",
        "http://[fd00::1]:%d/",    "http://192.168.0.1/",  "//127.0.0.1:%d/",
        "https://127.0.0.1:%d/",   "http://100.64.0.1/",   "http://[64:ff9b::7f00:1]:%d/"};
    start(scripts);
    for (size_t i = 0; i < sizeof inwards / sizeof inwards[0]; i++) {
        char to[128];
        snprintf(to, sizeof to, "%s", inwards[i]);
        char *place = strstr(to, "%d");
        if (place) /* the format is no literal */
            snprintf(place, 16, "%d%s", port, strrchr(inwards[i], '/'));
        redirect(answer, to);
        cr_expect(eq(int, get("/"), CF_EPERM), "%s: %s", to, got.reason);
    }
    struct pollfd knocked = {.fd = other, .events = POLLIN};
    cr_assert(eq(int, poll(&knocked, 1, 0), 0)); /* nobody has been there */
    close(other);
}

Test(http_client, follows_no_redirect_to_another_scheme_or_with_credentials)
{
    static char answer[REDIRECT_MAX];
    script_t scripts[] = {{"/", answer, NULL, false}, {0}};
    static const char *const elsewhere[] = {"file:///etc/passwd",      "ftp://public.test/",
                                            "gopher://public.test/",   "dict://public.test/",
                                            "ldap://public.test",      "scp://public.test/x",
                                            "http://u:p@public.test/", "telnet://public.test"};
    start(scripts);
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        redirect(answer, elsewhere[i]);
        cr_expect(eq(int, get("/"), CF_EPERM), "%s: %s", elsewhere[i], got.reason);
    }
    cr_assert(eq(int, times_asked(), sizeof elsewhere / sizeof elsewhere[0]));
}

Test(http_client, follows_a_redirect_to_a_public_address)
{
    static char to_public[REDIRECT_MAX], to_both[REDIRECT_MAX], home[REDIRECT_MAX];
    script_t scripts[] = {{"/public", to_public, NULL, false},
                          {"/both", to_both, NULL, false},
                          {"/home", home, NULL, false},
                          {"/there", OK, NULL, false},
                          {0}};
    start(scripts);
    redirect(to_public, url("public.test", "/there"));
    redirect(to_both, url("both.test", "/there"));
    redirect(home, url("127.0.0.1", "/there"));
    cr_assert(eq(int, get("/public"), 0), "%s", got.reason);
    cr_assert(eq(str, got.body, "ok"));
    cr_assert(eq(int, get("/both"), 0), "%s", got.reason); /* by the one that may be */
    cr_assert(eq(int, get("/home"), 0), "%s", got.reason); /* what the operator named */
}

Test(http_client, sends_a_header_of_ones_own_to_the_named_service_alone)
{
    static char away[REDIRECT_MAX], home[REDIRECT_MAX], mine[] = "X-Mine: yes";
    const cf_http_ask_t ask = {.headers = {mine}};
    cf_http_request_t *request;
    script_t scripts[] = {{"/away", away, NULL, false},
                          {"/home", home, NULL, false},
                          {"/there", OK, NULL, false},
                          {0}};
    start(scripts);
    redirect(away, url("public.test", "/there"));
    redirect(home, url("127.0.0.1", "/there"));
    cr_assert(eq(int,
                 cf_http_client_ask(client, url("127.0.0.1", "/away"), &ask, WAIT_MS, on_done, NULL,
                                    &request),
                 0));
    mine[0] = '?'; /* it was copied */
    await(1);
    cr_assert(eq(int, got.rc, 0), "%s", got.reason);
    cr_assert(eq(int, times_in_heads("X-Mine: yes\r\n"), 1));
    mine[0] = 'X';
    cr_assert(eq(int,
                 cf_http_client_ask(client, url("127.0.0.1", "/home"), &ask, WAIT_MS, on_done, NULL,
                                    &request),
                 0));
    await(2);
    cr_assert(eq(int, times_in_heads("X-Mine: yes\r\n"), 3));
    cr_assert(eq(int, get("/home"), 0), "%s", got.reason);
    cr_assert(eq(int, times_in_heads("X-Mine: yes\r\n"), 3)); /* of that request alone */
}

Test(http_client, sends_no_header_of_ones_own_where_a_stranger_has_led_it)
{
    static char away[REDIRECT_MAX], back[REDIRECT_MAX];
    const cf_http_ask_t ask = {.headers = {"X-Mine: yes"}};
    cf_http_request_t *request;
    script_t scripts[] = {
        {"/", away, NULL, false}, {"/away", back, NULL, false}, {"/back", OK, NULL, false}, {0}};
    start(scripts);
    redirect(away, url("public.test", "/away"));
    redirect(back, url("127.0.0.1", "/back"));
    cr_assert(eq(
        int,
        cf_http_client_ask(client, url("127.0.0.1", "/"), &ask, WAIT_MS, on_done, NULL, &request),
        0));
    await(1);
    cr_assert(eq(str, got.body, "ok"), "%s", got.reason);
    cr_assert(eq(int, times_in_heads("/back HTTP"), 1));
    cr_assert(eq(int, times_in_heads("X-Mine: yes\r\n"), 1)); /* the first time it asked */
}

static int post(const char *path, const cf_http_ask_t *ask)
{
    cf_http_request_t *request;
    int n = got.count;
    cr_assert(eq(
        int,
        cf_http_client_ask(client, url("127.0.0.1", path), ask, WAIT_MS, on_done, NULL, &request),
        0));
    await(n + 1);
    return got.rc;
}

Test(http_client, posts_a_body_and_follows_no_answer_to_it)
{
    static char home[REDIRECT_MAX], body[] = "{\"a\":1}";
    script_t scripts[] = {
        {"/post", OK, NULL, false}, {"/home", home, NULL, false}, {"/there", OK, NULL, false}, {0}};
    start(scripts);
    redirect(home, url("127.0.0.1", "/there"));
    cf_http_ask_t ask = {.is_post = true, .body = cf_str(body)};
    cr_assert(eq(int, post("/post", &ask), 0), "%s", got.reason);
    cr_assert(eq(str, got.body, "ok"));
    cr_assert(eq(str, got.address, "127.0.0.1"));
    cr_assert(eq(int, times_in_heads("POST /post HTTP/1.1\r\n"), 1));
    cr_assert(eq(int, times_in_heads("Content-Type: application/json\r\n"), 1));
    cr_assert(eq(int, times_in_heads("Content-Length: 7\r\n"), 1));
    cr_assert(eq(int, times_in_heads("\r\n\r\n{\"a\":1}"), 1));
    ask = (cf_http_ask_t){.headers = {"content-type: text/plain", "X-Two: 2"}, .is_post = true};
    cr_assert(eq(int, post("/post", &ask), 0), "%s", got.reason);
    cr_assert(eq(int, times_in_heads("application/json"), 1));
    cr_assert(eq(int, times_in_heads("content-type: text/plain\r\n"), 1));
    cr_assert(eq(int, times_in_heads("X-Two: 2\r\n"), 1));
    cr_assert(eq(int, times_in_heads("Content-Length: 0\r\n"), 1));
    cr_assert(eq(int, post("/home", &ask), 0), "%s", got.reason);
    cr_assert(eq(int, got.status, 302));
    cr_assert(eq(int, times_in_heads("/there HTTP"), 0));
}

Test(http_client, tells_when_the_service_wants_to_be_asked_again)
{
    static const script_t scripts[] = {
        {"/soon", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", NULL, false},
        {"/whenever", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", NULL, false},
        {"/nonsense", "HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", NULL,
         false},
        {0}};
    static const struct {
        const char *path;
        int64_t retry_after_s;
    } cases[] = {{"/soon", 7}, {"/whenever", 0}, {"/nonsense", 0}};
    start(scripts);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(eq(int, get(cases[i].path), 0), "%s", got.reason);
        cr_assert(eq(int, got.status, 503));
        cr_assert(eq(i64, got.retry_after_s, cases[i].retry_after_s), "%s", cases[i].path);
    }
}

Test(http_client, does_not_trust_a_name_because_it_led_to_a_public_address_before)
{
    static char to[REDIRECT_MAX], back[REDIRECT_MAX];
    script_t scripts[] = {{"/", to, NULL, false}, {"/away", back, NULL, false}, {0}};
    start(scripts);
    redirect(to, url("public.test", "/away"));
    redirect(back, url("loop.test", "/away"));
    cr_assert(eq(int, get("/"), CF_EPERM), "%s", got.reason);
    cr_assert(eq(int, times_asked(), 2));
}

Test(http_client, goes_nowhere_private_that_was_not_named)
{
    static const script_t scripts[] = {{"/", OK, NULL, false}, {0}};
    start_server(scripts);
    start_client("loop.test");
    cr_assert(eq(int, get_within(url("loop.test", "/"), WAIT_MS), 0), "%s", got.reason);
    cr_assert(eq(int, get_within(url("127.0.0.1", "/"), WAIT_MS), CF_EPERM));
    cr_assert(eq(int, begin("file:///etc/passwd", WAIT_MS), CF_ERANGE));
    cr_assert(eq(int, begin("no URL at all", WAIT_MS), CF_ERANGE));
}

/* --- many, and none ----------------------------------------------------------------------------
 */

Test(http_client, has_many_under_way_and_refuses_more_than_its_bound)
{
    static const script_t scripts[] = {{"/silent", "", NULL, true}, {"/", OK, NULL, false}, {0}};
    cf_http_request_t *requests[4], *refused;
    start(scripts);
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int,
                     cf_http_client_get(client, url("127.0.0.1", "/silent"), WAIT_MS, on_done, NULL,
                                        &requests[i]),
                     0));
    cr_assert(eq(int, get("/"), 0)); /* beside them */
    cr_assert(eq(int,
                 cf_http_client_get(client, url("127.0.0.1", "/silent"), WAIT_MS, on_done, NULL,
                                    &requests[3]),
                 0));
    cr_assert(
        eq(int, cf_http_client_get(client, url("127.0.0.1", "/"), WAIT_MS, on_done, NULL, &refused),
           CF_EFULL));
    cf_http_client_cancel(client, requests[1]);
    cr_assert(eq(int, get("/"), 0));
    cr_assert(eq(int, got.count, 2)); /* nothing is said of the cancelled one */
}

static void on_done_go_on(void *arg, const cf_http_answer_t *answer)
{
    cf_http_request_t *request;
    on_done(arg, answer);
    if (got.count < 5)
        cr_assert(eq(int,
                     cf_http_client_get(client, url("127.0.0.1", "/"), WAIT_MS, on_done_go_on, NULL,
                                        &request),
                     0));
}

Test(http_client, may_be_asked_again_while_it_answers)
{
    static const script_t scripts[] = {{"/", OK, NULL, false}, {0}};
    cf_http_request_t *request;
    start(scripts);
    cr_assert(eq(
        int,
        cf_http_client_get(client, url("127.0.0.1", "/"), WAIT_MS, on_done_go_on, NULL, &request),
        0));
    await(5);
    cr_assert(eq(int, got.rc, 0));
}

Test(http_client, waits_for_no_name_that_is_being_looked_up)
{
    static const script_t scripts[] = {{"/", OK, NULL, false}, {0}};
    cf_http_request_t *request;
    sem_init(&name_is_asked, 0, 0);
    sem_init(&name_may_answer, 0, 0);
    start_server(scripts);
    start_client("127.0.0.1");
    /* nobody lets the name answer: whoever waited for it would wait for ever */
    cr_assert(eq(int, get_within(url("slow.test", "/"), 50), CF_ETIME));
    cr_assert(
        eq(int, cf_http_client_get(client, url("slow.test", "/"), WAIT_MS, on_done, NULL, &request),
           0));
    sem_wait(&name_is_asked);
    cf_http_client_run(client);
    cr_assert(eq(int, get("/"), 0)); /* others go on meanwhile */
    cf_http_client_cancel(client, request);
    cr_assert(eq(int, begin(url("slow.test", "/"), WAIT_MS), 0));
    sem_wait(&name_is_asked);
    cf_http_client_destroy(&client);
    for (int i = 0; i < 3; i++)
        sem_post(&name_may_answer);
}
