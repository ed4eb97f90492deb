/* A real server on its own thread, spoken to by raw sockets over loopback. The owner below answers
 * by path; the test tells it what to do, and asks for its counters, over a pipe that is its inbox.
 */
#include "http/server.h"
#include "settings.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/tcp.h> /* that of the C library does not know tcpi_data_segs_in */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 20000 /* how long any wait may take; far beyond what is measured */
#define HELD_MAX 64
#define SOCKETS_MAX 2048

/* ---- the owner, on the server's thread ---- */

typedef enum {
    FACTS,
    ANSWER_HELD,
    GRANT_HELD,
    BROADCAST,
    LATEST, /* to all: so many frames of which the newest counts */
    PAUSE,
    RESUME,
    CLOSE_ALL,
    DEAFEN,
    STALL,
    STOP
} what_t;

typedef struct {
    what_t what;
    int count, size;
} order_t;

typedef struct {
    cf_server_stats_t stats;
    int handed, closing, gone, by_reason[5], held, sockets, replaced;
    int refused, refused_status; /* by the server itself; the last one */
} facts_t;

static struct {
    cf_server_t *server;
    pthread_t thread;
    int orders[2], replies[2];
    sem_t go_on;
    bool greets;
    facts_t facts;
    cf_conn_t *held[HELD_MAX], *sockets[SOCKETS_MAX];
    char held_path[HELD_MAX][32];
} host;

static bool begins(cf_str_t text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.bytes, with, strlen(with)) == 0;
}

static void hold(cf_conn_t *conn, const cf_request_t *request)
{
    snprintf(host.held_path[host.facts.held], sizeof host.held_path[0], "%.*s",
             (int)request->path.size, request->path.bytes);
    host.held[host.facts.held++] = conn;
}

static void on_request(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    static char big[3000000];
    char text[70000];
    (void)owner;
    host.facts.handed++;
    if (begins(request->path, "/hold")) {
        hold(conn, request);
    } else if (begins(request->path, "/big")) {
        memset(big, 'b', sizeof big);
        cf_conn_respond(conn, 200, "text/plain", NULL, big, sizeof big);
    } else if (begins(request->path, "/kept")) {
        cf_conn_respond(conn, 200, "text/plain", "Cache-Control: no-cache\r\n", "kept", 4);
    } else {
        int size = snprintf(text, sizeof text, "%d %.*s %.*s", (int)request->method,
                            (int)request->path.size, request->path.bytes, (int)request->body.size,
                            request->body.size ? request->body.bytes : "");
        cf_conn_respond(conn, 200, "text/plain", "X-Extra: 1\r\n", text, (size_t)size);
    }
}

static void on_upgrade(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    (void)owner;
    host.facts.handed++;
    if (request->upgrade_fault)
        cf_conn_respond(conn, 400, "text/plain", NULL, request->upgrade_fault,
                        strlen(request->upgrade_fault));
    else if (begins(request->path, "/no"))
        cf_conn_respond(conn, 401, "text/plain", NULL, "no", 2);
    else if (begins(request->path, "/wait"))
        hold(conn, request);
    else
        cf_conn_upgrade(conn);
}

static void on_refused(void *owner, int status, const cf_request_t *request,
                       char headers[CF_REFUSED_HEADERS_MAX])
{
    (void)owner;
    host.facts.refused++;
    host.facts.refused_status = status;
    snprintf(headers, CF_REFUSED_HEADERS_MAX, "X-Seen: <%.*s> <%.*s> <%.*s>\r\n",
             (int)request->origin.size, request->origin.bytes, (int)request->request_id.size,
             request->request_id.bytes, (int)request->peer.size, request->peer.bytes);
}

static void on_open(void *owner, cf_conn_t *conn)
{
    cf_frame_t *frame = host.greets ? cf_frame_new("welcome", 7) : NULL;
    (void)owner;
    host.sockets[host.facts.sockets++] = conn;
    if (frame)
        cf_conn_send(conn, frame);
    cf_frame_unref(&frame);
}

static void on_message(void *owner, cf_conn_t *conn, const uint8_t *bytes, size_t size,
                       bool is_text)
{
    (void)owner;
    (void)is_text;
    cf_frame_t *frame = cf_frame_new(bytes, size);
    cf_conn_send(conn, frame);
    cf_frame_unref(&frame);
}

static void on_closing(void *owner, cf_conn_t *conn)
{
    cf_frame_t *frame = cf_frame_new("late", 4);
    (void)owner;
    host.facts.closing += cf_conn_send(conn, frame) == CF_ECLOSING; /* nothing more is taken */
    cf_frame_unref(&frame);
}

static void on_gone(void *owner, cf_conn_t *conn, cf_gone_t why)
{
    (void)owner;
    host.facts.gone++;
    host.facts.by_reason[why]++;
    for (int i = 0; i < host.facts.sockets; i++)
        if (host.sockets[i] == conn)
            host.sockets[i] = host.sockets[--host.facts.sockets];
    for (int i = 0; i < host.facts.held; i++)
        if (host.held[i] == conn)
            host.held[i] = NULL;
}

static void answer_held(void)
{
    for (int i = host.facts.held - 1; i >= 0; i--) /* the newest first */
        if (host.held[i])
            cf_conn_respond(host.held[i], 200, "text/plain", NULL, host.held_path[i],
                            strlen(host.held_path[i]));
    host.facts.held = 0;
}

static void grant_held(void)
{
    for (int i = 0; i < host.facts.held; i++)
        if (host.held[i])
            cf_conn_upgrade(host.held[i]);
    host.facts.held = 0;
}

static void broadcast(int count, int size)
{
    char *text = malloc((size_t)size + 1);
    memset(text, 'x', (size_t)size);
    for (int i = 0; i < count; i++) {
        if (size >= 8) {
            char number[16];
            memcpy(text, number, (size_t)snprintf(number, sizeof number, "%d ", i));
        }
        cf_frame_t *frame = cf_frame_new(text, (size_t)size);
        for (int k = 0; k < host.facts.sockets; k++)
            cf_conn_send(host.sockets[k], frame);
        cf_frame_unref(&frame);
    }
    free(text);
}

static void reply(void)
{
    host.facts.stats = *cf_server_stats(host.server);
    cr_assert(write(host.replies[1], &host.facts, sizeof host.facts) > 0);
}

/* Everything that clients do meanwhile the server finds done. */
static void stall(void)
{
    reply();
    sem_wait(&host.go_on);
}

static void send_latest(int count)
{
    for (int i = 0; i < count; i++) {
        char text[32];
        cf_frame_t *frame = cf_frame_new(text, (size_t)snprintf(text, sizeof text, "latest %d", i));
        for (int k = 0; k < host.facts.sockets; k++)
            host.facts.replaced += cf_conn_send_latest(host.sockets[k], frame) == 1;
        cf_frame_unref(&frame);
    }
}

static void carry_out(order_t order)
{
    if (order.what == STALL)
        stall();
    if (order.what == ANSWER_HELD)
        answer_held();
    if (order.what == GRANT_HELD)
        grant_held();
    if (order.what == BROADCAST)
        broadcast(order.count, order.size);
    if (order.what == LATEST)
        send_latest(order.count);
    for (int i = 0; i < host.facts.sockets; i++) {
        if (order.what == PAUSE || order.what == RESUME)
            cf_conn_pause(host.sockets[i], order.what == PAUSE);
        if (order.what == CLOSE_ALL)
            cf_conn_close(host.sockets[i], order.count, "bye");
    }
    if (order.what == DEAFEN)
        cf_server_stop_listening(host.server);
    if (order.what == STOP)
        cf_server_stop(host.server);
}

static bool on_inbox(void *owner, int budget)
{
    order_t order;
    (void)owner;
    (void)budget;
    while (read(host.orders[0], &order, sizeof order) == sizeof order) {
        carry_out(order);
        reply();
    }
    return false;
}

static void on_pass(void *owner)
{
    (void)owner;
}

static void on_second(void *owner, int64_t boot_us)
{
    (void)owner;
    (void)boot_us;
}

static void *serve(void *arg)
{
    cf_server_run(host.server);
    return arg;
}

/* ---- the test's side ---- */

static cf_server_config_t config; /* a test changes what it is about before it opens the server */

static void set_up(void)
{
    config = (cf_server_config_t){SERVER_BOUNDS, SERVER_LONG_TIMES, .connections_max = 2000};
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
}

static void open_server(void)
{
    static const cf_server_events_t events = {on_request, on_upgrade, on_refused, on_open,
                                              on_message, on_closing, on_gone,    on_inbox,
                                              on_pass,    on_pass,    on_second};
    cr_assert(eq(int, sem_init(&host.go_on, 0, 0), 0));
    cr_assert(eq(int, pipe2(host.orders, O_CLOEXEC), 0));
    cr_assert(eq(int, pipe2(host.replies, O_CLOEXEC), 0));
    fcntl(host.orders[0], F_SETFL, O_NONBLOCK);
    cr_assert(eq(int, cf_server_new(&host.server, &config, &events, NULL, host.orders[0]), 0));
    cr_assert(eq(int, pthread_create(&host.thread, NULL, serve, NULL), 0));
}

static bool wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, LIMIT_MS) > 0;
}

static facts_t hear(void)
{
    facts_t facts = {0};
    cr_assert(wait_for(host.replies[0], POLLIN), "the server does not answer");
    cr_assert(read(host.replies[0], &facts, sizeof facts) == sizeof facts);
    return facts;
}

static facts_t tell(what_t what, int count, int size)
{
    order_t order = {what, count, size};
    cr_assert(write(host.orders[1], &order, sizeof order) > 0);
    return hear();
}

static void go_on(void)
{
    sem_post(&host.go_on);
    hear();
}

static facts_t ask(void)
{
    return tell(FACTS, 0, 0);
}

static int64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Ask again and again until the condition on `facts` holds. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t end_ms = now_ms() + LIMIT_MS;                                                      \
        facts_t facts = ask();                                                                     \
        while (!(condition) && now_ms() < end_ms) {                                                \
            poll(NULL, 0, 2);                                                                      \
            facts = ask();                                                                         \
        }                                                                                          \
        cr_assert(condition, "waited in vain for " #condition);                                    \
    } while (0)

/* Stop it and check that every conn handed out was taken back. */
static void close_server(void)
{
    if (!host.server)
        return;
    tell(STOP, 0, 0);
    pthread_join(host.thread, NULL);
    cf_server_destroy(&host.server);
    cr_assert(eq(int, host.facts.handed, host.facts.gone), "on_gone once for each conn");
    for (int i = 0; i < 2; i++) {
        close(host.orders[i]);
        close(host.replies[i]);
    }
}

TestSuite(server, .init = set_up, .fini = close_server, .timeout = 120);

static int dial_from(const char *source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(host.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    inet_pton(AF_INET, source, &from.sin_addr);
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(int, bind(fd, (struct sockaddr *)&from, sizeof from), 0));
    cr_assert(eq(int, connect(fd, (struct sockaddr *)&to, sizeof to), 0));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int dial(void)
{
    return dial_from("127.0.0.1");
}

static void put_bytes(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0)
            return; /* the server may have closed already; the test sees it when reading */
        at += n;
        size -= (size_t)n;
    }
}

static void put(int fd, const char *text)
{
    put_bytes(fd, text, strlen(text));
}

/* Reads exactly `size` bytes; false at the end of the stream or a reset. */
static bool get_bytes(int fd, void *out, size_t size)
{
    char *at = out;
    while (size) {
        cr_assert(wait_for(fd, POLLIN), "nothing comes");
        ssize_t n = recv(fd, at, size, 0);
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* Reads one head into `out`, byte by byte so that nothing behind it is lost. */
static bool get_head(int fd, char *out, size_t room)
{
    size_t size = 0;
    while (size + 1 < room && get_bytes(fd, out + size, 1)) {
        out[++size] = '\0';
        if (size >= 4 && strcmp(out + size - 4, "\r\n\r\n") == 0)
            return true;
    }
    out[size] = '\0';
    return false;
}

static char head[8192], body[4 << 20];

static void expect_body_at(size_t at, const char *want)
{
    cr_assert(strcmp(body + at, want) == 0, "'%.100s' is not '%s'", body + at, want);
}

static void expect_body(const char *want)
{
    expect_body_at(0, want);
}

/* One answer into head and body; its status, or 0 when the connection ended. */
static int get_answer_to(int fd, bool is_head)
{
    body[0] = '\0';
    if (!get_head(fd, head, sizeof head))
        return 0;
    const char *length = strstr(head, "Content-Length: ");
    size_t size = length && !is_head ? strtoul(length + 16, NULL, 10) : 0;
    cr_assert(size < sizeof body);
    cr_assert(get_bytes(fd, body, size));
    body[size] = '\0';
    return atoi(head + strlen("HTTP/1.1 "));
}

static int get_answer(int fd)
{
    return get_answer_to(fd, false);
}

static void expect_end(int fd)
{
    char byte;
    cr_assert(wait_for(fd, POLLIN), "the connection stays open");
    cr_assert(le(i64, (int64_t)recv(fd, &byte, 1, 0), 0), "another byte instead of the end");
    close(fd);
}

static void expect_security_headers(void)
{
    cr_assert(ne(ptr, strstr(head, CF_SECURITY_HEADERS), NULL), "%s", head);
}

/* The server's own refusals look like any other failure: rooms contract, 2.2. */
static void expect_failure(void)
{
    size_t size = strlen(body);
    expect_security_headers();
    cr_assert(ne(ptr, strstr(head, "Content-Type: application/json\r\n"), NULL), "%s", head);
    cr_assert(size > 13 && memcmp(body, "{\"error\":\"", 10) == 0, "%s", body);
    cr_assert(strcmp(body + size - 3, "\"}\n") == 0, "%s", body);
}

static int ask_once(const char *request)
{
    int fd = dial();
    put(fd, request);
    int status = get_answer(fd);
    close(fd);
    return status;
}

#define HANDSHAKE(path)                                                                            \
    "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static int open_websocket(void)
{
    int fd = dial();
    put(fd, HANDSHAKE("/ws"));
    cr_assert(eq(int, get_answer(fd), 101));
    cr_assert(ne(ptr, strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), NULL)); /* RFC 6455, 1.3 */
    return fd;
}

enum { TEXT = 0x81, BINARY = 0x82, CLOSE = 0x88, PING = 0x89, PONG = 0x8A, MORE = 0x80 };

static void put_frame(int fd, int first, const void *payload, size_t size)
{
    static uint8_t frame[70000];
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at = 2;
    frame[0] = (uint8_t)first;
    frame[1] = (uint8_t)(0x80 | (size < 126 ? size : 126));
    if (size >= 126) {
        frame[at++] = (uint8_t)(size >> 8);
        frame[at++] = (uint8_t)size;
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++)
        frame[at + i] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
    put_bytes(fd, frame, at + size);
}

static void put_text(int fd, const char *text)
{
    put_frame(fd, TEXT, text, strlen(text));
}

/* One frame of the server into body; its first byte, or 0 when the connection ended. */
static int get_frame(int fd, size_t *size)
{
    uint8_t start[2], length[8];
    if (!get_bytes(fd, start, 2))
        return 0;
    cr_assert(lt(int, start[1], 128), "a server does not mask");
    *size = start[1];
    int more = start[1] == 126 ? 2 : start[1] == 127 ? 8 : 0;
    cr_assert(get_bytes(fd, length, (size_t)more));
    for (int i = 0; i < more; i++)
        *size = (i ? *size << 8 : 0) | length[i];
    cr_assert(lt(sz, *size, sizeof body));
    cr_assert(get_bytes(fd, body, *size));
    body[*size] = '\0';
    return start[0];
}

static void expect_text(int fd, const char *want)
{
    size_t size;
    cr_assert(eq(int, get_frame(fd, &size), TEXT));
    expect_body(want);
}

/* Skips what else comes; the code of the Close, 1005 without one, 0 when the stream just ends. */
static int get_close(int fd)
{
    size_t size;
    int first;
    while ((first = get_frame(fd, &size)) != CLOSE)
        if (first == 0)
            return 0;
    return size >= 2 ? (uint8_t)body[0] << 8 | (uint8_t)body[1] : 1005;
}

/* ---- HTTP ---- */

Test(server, forbids_keeping_unless_the_answer_says_how_long)
{
    open_server();
    cr_assert(eq(int, ask_once("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), 200));
    cr_assert(ne(ptr, strstr(head, CF_NOT_KEPT), NULL), "%s", head);
    cr_assert(eq(int, ask_once("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n"), 200));
    cr_assert(eq(ptr, strstr(head, CF_NOT_KEPT), NULL), "%s", head);
    cr_assert(ne(ptr, strstr(head, "Cache-Control: no-cache\r\n"), NULL), "%s", head);
    expect_security_headers();
}

Test(server, answers_and_keeps_the_connection)
{
    open_server();
    int fd = dial();
    put(fd, "GET /a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /a ");
    cr_assert(ne(ptr, strstr(head, "X-Extra: 1\r\n"), NULL));
    cr_assert(ne(ptr, strstr(head, "\r\nDate: "), NULL));
    expect_security_headers();
    put(fd, "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b xyz");
    put(fd, "HEAD /c HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer_to(fd, true), 200));
    cr_assert(ne(ptr, strstr(head, "Content-Length: 5\r\n"), NULL));
    put(fd, "\r\nGET /d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /d ");
    cr_assert(ne(ptr, strstr(head, "Connection: close\r\n"), NULL));
    expect_end(fd);
    UNTIL(facts.handed == 4 && facts.gone == 4 && facts.stats.open_sockets == 0);
}

Test(server, http_1_0_closes_unless_asked_to_stay)
{
    open_server();
    int fd = dial();
    put(fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    cr_assert(ne(ptr, strstr(head, "Connection: keep-alive\r\n"), NULL));
    put(fd, "GET /a HTTP/1.0\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_end(fd);
}

Test(server, pipelined_requests_are_answered_in_order_though_the_owner_is_late)
{
    open_server();
    int one = dial(), two = dial();
    put(one, "GET /hold1 HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n"
             "POST /hold3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    UNTIL(facts.held == 1);
    put(two, "GET /hold4 HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(facts.held == 2);
    tell(ANSWER_HELD, 0, 0); /* the later one first */
    cr_assert(eq(int, get_answer(two), 200));
    expect_body("/hold4");
    cr_assert(eq(int, get_answer(one), 200));
    expect_body("/hold1");
    cr_assert(eq(int, get_answer(one), 200));
    expect_body("1 /two ");
    UNTIL(facts.held == 1);
    tell(ANSWER_HELD, 0, 0);
    cr_assert(eq(int, get_answer(one), 200));
    expect_body("/hold3");
    close(one);
    close(two);
}

Test(server, half_closed_client_gets_what_it_asked_for)
{
    open_server();
    int fd = dial();
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    UNTIL(facts.held == 1);
    tell(ANSWER_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fd), 200));
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /b ");
    expect_end(fd);
}

Test(server, refuses_by_status_and_closes)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n fold\r\n\r\n", 400},
        {"\x16\x03\x01\x02\x00\x01", 400}, /* TLS */
        {"GET / HTTP/3.0\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: else\r\nContent-Length: 1\r\n\r\na", 417},
    };
    open_server();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int reused = 0; reused < 2; reused++) { /* also behind a good request */
            int fd = dial();
            if (reused) {
                put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                cr_assert(eq(int, get_answer(fd), 200));
            }
            put(fd, cases[i].request);
            cr_assert(eq(int, get_answer(fd), cases[i].status), "case %zu", i);
            cr_assert(ne(ptr, strstr(head, "Connection: close\r\n"), NULL));
            expect_failure();
            expect_end(fd);
            cr_assert(eq(int, ask().refused_status, cases[i].status)); /* the owner is told */
        }
    }
    facts_t facts = ask();
    cr_assert(eq(int, facts.refused, 2 * (int)(sizeof cases / sizeof cases[0])));
    cr_assert(eq(u64, facts.stats.refused_head + facts.stats.refused_body,
                 2 * sizeof cases / sizeof cases[0]));
}

Test(server, refusals_tell_the_owner_what_the_head_said_and_carry_its_lines)
{
#define SAYS "Host: a\r\nOrigin: http://o\r\nX-Request-Id: r1\r\n"
    static const struct {
        const char *request;
        int status;
        bool is_read;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" SAYS "Content-Length: 99999999\r\n\r\n", 413, true},
        {"POST / HTTP/1.1\r\n" SAYS "Transfer-Encoding: gzip\r\n\r\n", 400, true},
        {"POST / HTTP/1.1\r\n" SAYS "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nx", 400, true},
        {"POST / HTTP/1.1\r\n" SAYS "Expect: else\r\n\r\n", 417, true},
        {"POST / HTTP/1.1\r\n" SAYS "Content-Length: 2\r\n\r\n{", 408, true},
        {"GET / HTTP/1.1\r\n" SAYS "Host: b\r\n\r\n", 400, false},
        {"GET / HTTP/3.0\r\n" SAYS "\r\n", 505, false},
        {"GET / HTTP/1.1\r\n" SAYS "bad\x01\r\n\r\n", 400, false},
        {"GET / HTTP/1.1\r\n" SAYS, 408, false},
    };
#undef SAYS
    config.head_ms = config.body_ms = 300;
    open_server();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(eq(int, ask_once(cases[i].request), cases[i].status), "case %zu", i);
        const char *seen = cases[i].is_read ? "X-Seen: <http://o> <r1> <127.0.0.1>\r\n"
                                            : "X-Seen: <> <> <127.0.0.1>\r\n";
        cr_assert(ne(ptr, strstr(head, seen), NULL), "case %zu: %s", i, head);
    }
}

/* A request whose head has exactly `size` bytes. */
static char *head_of(size_t size)
{
    static char text[70000];
    int at = snprintf(text, sizeof text, "GET /big HTTP/1.1\r\nHost: a\r\nX: ");
    memcpy(text, "GET /abc", 8);
    memset(text + at, 'x', size - (size_t)at - 4);
    memcpy(text + size - 4, "\r\n\r\n", 5);
    return text;
}

/* A POST of `announced` bytes of which `sent` come. */
static int post_part(size_t announced, size_t sent)
{
    static char text[70000];
    int at = snprintf(text, sizeof text,
                      "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", announced);
    memset(text + at, 'p', sent);
    int fd = dial();
    put_bytes(fd, text, (size_t)at + sent);
    return fd;
}

Test(server, memory_is_taken_for_bytes_that_came_not_for_announced_ones)
{
    open_server();
    int fds[] = {post_part(60000, 1), post_part(60000, 1000), post_part(60000, 6000)};
    UNTIL(facts.stats.bytes_in > 7000);
    cr_assert(eq(u64, ask().stats.request_bytes, 8192)); /* the first two are within their own */
    put_bytes(fds[2], body, 20000);
    UNTIL(facts.stats.request_bytes == 32768);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    UNTIL(facts.stats.request_bytes == 0);
}

Test(server, request_pool_holds_to_its_bound_and_small_requests_need_none_of_it)
{
    config.request_pool_max = 3 * 8192;
    open_server();
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = post_part(6000, i < 2 ? 5000 : 6000); /* the last one waits for its answer */
    UNTIL(facts.stats.request_bytes == config.request_pool_max && facts.held == 1);
    cr_assert(eq(u64, ask().stats.refused_pool, 0));
    for (int i = 0; i < 2; i++) { /* one more, as a body and as a head */
        int over = i ? dial() : post_part(60000, 5000);
        if (i)
            put(over, head_of(5000));
        cr_assert(eq(int, get_answer(over), 503));
        cr_assert(ne(ptr, strstr(head, "Retry-After: "), NULL));
        expect_failure();
        expect_end(over);
    }
    cr_assert(eq(u64, ask().stats.refused_pool, 2));
    cr_assert(eq(u64, ask().stats.request_bytes, config.request_pool_max));
    cr_assert(
        eq(int, ask_once("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz"), 200));
    tell(ANSWER_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fds[2]), 200)); /* its place is free again */
    close(fds[2]);
    fds[2] = post_part(6000, 6000);
    UNTIL(facts.held == 1);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
    UNTIL(facts.stats.request_bytes == 8192);
    tell(ANSWER_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fds[2]), 200));
    UNTIL(facts.stats.request_bytes == 0);
    cr_assert(eq(u64, ask().stats.refused_pool, 2));
    close(fds[2]);
}

Test(server, head_max_holds_to_the_byte)
{
    open_server();
    cr_assert(eq(int, ask_once(head_of(config.head_max)), 200));
    cr_assert(eq(int, ask_once(head_of(config.head_max + 1)), 431));
    expect_failure();
    int fd = dial(); /* also behind another request, and without an end */
    put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    put(fd, head_of(config.head_max + 30000));
    cr_assert(eq(int, get_answer(fd), 200));
    cr_assert(eq(int, get_answer(fd), 431));
    expect_end(fd);
    static char line[20000] = "GET /";
    memset(line + 5, 'x', sizeof line - 6);
    cr_assert(eq(int, ask_once(line), 414));
    expect_failure();
    cr_assert(eq(u64, ask().stats.refused_head, 3));
}

Test(server, body_max_holds_to_the_byte)
{
    static char request[70000];
    open_server();
    for (size_t over = 0; over < 2; over++) {
        size_t size = config.body_max + over;
        int at = snprintf(request, sizeof request,
                          "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
        memset(request + at, 'b', size);
        int fd = dial();
        put_bytes(fd, request, (size_t)at + size);
        cr_assert(eq(int, get_answer(fd), over ? 413 : 200));
        if (!over) {
            cr_assert(eq(sz, strlen(body), size + strlen("3 /b ")));
            continue;
        }
        expect_failure();
        expect_end(fd); /* the answer was not eaten by a reset */
    }
    cr_assert(eq(u64, ask().stats.refused_body, 1));
}

/* One request with its content in chunks of `step` bytes, an extension on each, and a trailer. */
static size_t put_chunked(char *out, size_t room, const char *content, size_t size, size_t step)
{
    size_t at = (size_t)snprintf(
        out, room, "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t done = 0; done < size; done += step) {
        int n = (int)(size - done < step ? size - done : step);
        at += (size_t)snprintf(out + at, room - at, "%x;e\r\n%.*s\r\n", (unsigned)n, n,
                               content + done);
    }
    return at + (size_t)snprintf(out + at, room - at, "0\r\nT: x\r\n\r\n");
}

Test(server, chunked_bodies_are_taken_byte_by_byte_and_pipelined)
{
    static char request[1024];
    open_server();
    size_t size = put_chunked(request, sizeof request, "hello, world", 12, 5);
    int fd = dial();
    for (size_t i = 0; i < size; i++)
        put_bytes(fd, request + i, 1);
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b hello, world");
    char *two = request + size;
    size += put_chunked(two, sizeof request - size, "again", 5, 1);
    size += (size_t)snprintf(request + size, sizeof request - size,
                             "GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    put_bytes(fd, request, size);
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b hello, world");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b again");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /c ");
    cr_assert(eq(int, ask().handed, 4));
    close(fd);
}

Test(server, body_max_holds_to_the_byte_of_chunked_bodies_too)
{
    static char content[70000], request[400000];
    open_server();
    memset(content, 'b', sizeof content);
    for (size_t step = 100; step <= 70000; step *= 700)
        for (size_t over = 0; over < 2; over++) {
            size_t size = config.body_max + over;
            int fd = dial();
            put_bytes(fd, request, put_chunked(request, sizeof request, content, size, step));
            cr_assert(eq(int, get_answer(fd), over ? 413 : 200));
            if (!over) {
                cr_assert(eq(sz, strlen(body), size + strlen("3 /b ")));
                close(fd);
                continue;
            }
            expect_failure();
            expect_end(fd);
        }
    cr_assert(eq(u64, ask().stats.refused_body, 2));
    UNTIL(facts.stats.request_bytes == 0);
}

Test(server, says_100_continue_once_and_only_when_asked)
{
    open_server();
    int fd = dial();
    put(fd, "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 100));
    put(fd, "abc");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b abc");
    put(fd, "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    cr_assert(eq(int, get_answer(fd), 200)); /* it did not wait */
    put(fd, "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 413));
    expect_end(fd);
}

Test(server, slow_heads_and_bodies_get_408_and_silent_ones_nothing)
{
    config.head_ms = config.body_ms = config.keepalive_ms = 1000;
    open_server();
    int silent = dial(), slow = dial(), body_only = dial(), idle = dial(), second = dial();
    put(slow, "GET / HTTP/1.1\r\nHost");
    put(body_only, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    put(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    put(second, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET ");
    cr_assert(eq(int, get_answer(idle), 200));
    cr_assert(eq(int, get_answer(second), 200));
    cr_assert(eq(int, get_answer(second), 408));
    cr_assert(eq(int, get_answer(slow), 408));
    cr_assert(eq(int, get_answer(body_only), 408));
    expect_failure();
    expect_end(silent);
    expect_end(idle);
    close(slow);
    close(body_only);
    close(second);
    UNTIL(facts.stats.slow_heads == 3 && facts.stats.open_sockets == 0);
}

Test(server, answers_503_for_an_owner_that_does_not)
{
    config.answer_ms = 1000;
    open_server();
    int fd = dial(), ws = dial();
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    put(ws, HANDSHAKE("/wait"));
    cr_assert(eq(int, get_answer(fd), 503));
    cr_assert(eq(int, get_answer(ws), 503));
    expect_failure();
    expect_end(fd);
    expect_end(ws);
    UNTIL(facts.gone == 2 && facts.by_reason[CF_GONE_OURS] == 2);
    tell(ANSWER_HELD, 0, 0); /* nothing is left to answer */
}

Test(server, big_answers_arrive_whole_and_a_reader_that_stops_is_cut)
{
    config.queue_age_ms = 1000;
    open_server();
    int fd = dial(), stuck = dial();
    put(stuck, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    put(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    cr_assert(eq(sz, strlen(body), 3000000));
    cr_assert(eq(int, get_answer(fd), 200));
    UNTIL(facts.stats.closed_slow == 1 && facts.stats.queued_bytes == 0);
    close(fd);
    close(stuck);
}

Test(server, clients_may_vanish_at_every_stage)
{
    static const char *const stages[] = {
        "",
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
        HANDSHAKE("/wait"),
        HANDSHAKE("/ws"),
        HANDSHAKE("/no")};
    open_server();
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        for (int way = 0; way < 4; way++) {
            struct linger hard = {.l_onoff = way & 1, .l_linger = 0};
            bool is_early = way & 2; /* it has spoken before the accept */
            int before = tell(is_early ? STALL : FACTS, 0, 0).handed;
            int fd = dial();
            put(fd, stages[i]);
            if (is_early)
                go_on();
            if (i >= 3)
                UNTIL(facts.handed == before + 1);
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            close(fd);
        }
    UNTIL(facts.by_reason[CF_GONE_PEER] >= 4);
    tell(ANSWER_HELD, 0, 0);
    UNTIL(facts.stats.open_sockets == 0 && facts.handed == facts.gone);
}

/* Says this before the server accepts. */
static int dial_early(const char *text)
{
    tell(STALL, 0, 0);
    int fd = dial();
    put(fd, text);
    go_on();
    return fd;
}

Test(server, what_was_said_before_the_accept_is_heard)
{
    open_server();
    int fd = dial_early("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /a ");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /b ");
    put(fd, "GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    close(fd);
    fd = dial_early("GET /half HT");
    put(fd, "TP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("1 /half ");
    close(fd);
    fd = dial_early("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx");
    put(fd, "yz");
    cr_assert(eq(int, get_answer(fd), 200));
    expect_body("3 /b xyz");
    close(fd);
    fd = dial_early("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(facts.held == 1);
    tell(ANSWER_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fd), 200));
    close(fd);
    fd = dial_early("nonsense\r\n\r\n");
    cr_assert(eq(int, get_answer(fd), 400));
    expect_end(fd);
    fd = dial_early(HANDSHAKE("/wait"));
    UNTIL(facts.held == 1);
    tell(GRANT_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fd), 101));
    put_text(fd, "hello");
    expect_text(fd, "hello");
    close(fd);
}

Test(server, who_leaves_unheard_while_a_verdict_is_awaited_is_missed)
{
    open_server();
    int fd = dial_early(HANDSHAKE("/wait"));
    UNTIL(facts.held == 1);
    close(fd);
    UNTIL(facts.by_reason[CF_GONE_PEER] == 1); /* nobody has answered it */
}

/* ---- the handshake ---- */

Test(server, head_may_come_byte_by_byte_without_a_spin)
{
    static const char handshake[] = HANDSHAKE("/ws");
    open_server();
    int fd = dial();
    for (size_t i = 0; i < sizeof handshake - 1; i++)
        put_bytes(fd, handshake + i, 1);
    cr_assert(eq(int, get_answer(fd), 101));
    close(fd);
}

Test(server, nothing_is_upgraded_before_the_verdict)
{
    open_server();
    int fd = dial();
    put(fd, HANDSHAKE("/wait"));
    UNTIL(facts.held == 1);
    cr_assert(eq(int, poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 20), 0));
    put_text(fd, "early"); /* against the protocol, but not read before the verdict either */
    cr_assert(eq(u64, ask().stats.messages_in, 0));
    tell(GRANT_HELD, 0, 0);
    cr_assert(eq(int, get_answer(fd), 101));
    expect_text(fd, "early");
    put_text(fd, "hello");
    expect_text(fd, "hello");
    close(fd);
    int refused = dial();
    put(refused, HANDSHAKE("/no"));
    cr_assert(eq(int, get_answer(refused), 401));
    expect_end(refused);
}

static uint32_t segments_heard(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    cr_assert(eq(int, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0));
    return info.tcpi_data_segs_in;
}

Test(server, the_first_frame_comes_in_the_segment_of_the_101)
{
    host.greets = true;
    open_server();
    int fd = open_websocket();
    expect_text(fd, "welcome");
    cr_assert(eq(u32, segments_heard(fd), 1));
    put_text(fd, "hello"); /* what comes later is not kept */
    expect_text(fd, "hello");
    cr_assert(eq(u32, segments_heard(fd), 2));
    close(fd);
}

/* The server's end of a connection is in this process too. */
static bool is_corked(int fd)
{
    struct sockaddr_in own, peer;
    socklen_t size = sizeof own;
    int on = -1;
    cr_assert(eq(int, getsockname(fd, (struct sockaddr *)&own, &size), 0));
    for (int end = 0; on < 0 && end < SOCKETS_MAX; end++) {
        size = sizeof peer;
        if (getpeername(end, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET ||
            peer.sin_port != own.sin_port)
            continue;
        size = sizeof on;
        cr_assert(eq(int, getsockopt(end, IPPROTO_TCP, TCP_CORK, &on, &size), 0));
    }
    cr_assert(ge(int, on, 0));
    return on;
}

/* By itself the kernel would send it too, a fifth of a second later, and keep back what comes then. */
Test(server, the_101_comes_though_no_frame_does)
{
    open_server();
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = open_websocket();
    for (int i = 0; i < 3; i++)
        UNTIL(facts.sockets == 3 && !is_corked(fds[i]));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

Test(server, upgrade_works_on_a_reused_connection)
{
    open_server();
    int fd = dial();
    put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" HANDSHAKE("/ws"));
    cr_assert(eq(int, get_answer(fd), 200));
    cr_assert(eq(int, get_answer(fd), 101));
    put_text(fd, "hello");
    expect_text(fd, "hello");
    close(fd);
}

Test(server, handshake_faults_are_told_and_never_upgraded)
{
    open_server();
    cr_assert(eq(int, ask_once("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"), 400));
    cr_assert(eq(int, ask_once(HANDSHAKE("/ws") "\x81\x80"), 400));
    expect_body("sent data before the handshake was complete");
    cr_assert(eq(int,
                 ask_once("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
                          "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc"
                          "\r\n\r\n"),
                 400));
    cr_assert(eq(u64, ask().stats.upgrades, 0));
}

/* ---- frames ---- */

Test(server, echoes_messages_of_every_length_form)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 1023, 1024, 1025, 4096, 16384};
    static char text[16384 + 1];
    open_server();
    int fd = open_websocket();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(text, 'm', sizes[i]);
        text[sizes[i]] = '\0';
        put_text(fd, text);
        expect_text(fd, text);
    }
    put_frame(fd, BINARY, "\xff\xfe", 2); /* binary is not text: not checked */
    size_t size;
    cr_assert(eq(int, get_frame(fd, &size), TEXT));
    cr_assert(eq(u64, ask().stats.messages_in, sizeof sizes / sizeof sizes[0] + 1));
    close(fd);
}

Test(server, puts_fragments_together_and_answers_a_ping_between_them)
{
    open_server();
    int fd = open_websocket();
    size_t size;
    put_frame(fd, TEXT & ~MORE, "one \xE2\x82", 6); /* cut inside a code point */
    put_frame(fd, PING, "p1", 2);
    put_frame(fd, 0, "", 0);
    put_frame(fd, MORE, "\xAC two", 5);
    int pongs = 0, texts = 0; /* in either order */
    while (pongs + texts < 2) {
        int first = get_frame(fd, &size);
        cr_assert(first == PONG || first == TEXT);
        pongs += first == PONG && strcmp(body, "p1") == 0;
        texts += first == TEXT && strcmp(body, "one \xE2\x82\xAC two") == 0;
    }
    cr_assert(eq(int, pongs, 1));
    close(fd);
}

Test(server, frame_may_come_byte_by_byte)
{
    static const uint8_t frame[] = {0x81, 0x82, 1, 2, 3, 4, 'h' ^ 1, 'i' ^ 2};
    open_server();
    int fd = open_websocket();
    for (size_t i = 0; i < sizeof frame; i++)
        put_bytes(fd, frame + i, 1);
    expect_text(fd, "hi");
    close(fd);
}

Test(server, message_max_holds_over_fragments)
{
    static char text[16384 + 1];
    memset(text, 'm', sizeof text);
    open_server();
    int fd = open_websocket();
    put_frame(fd, TEXT, text, config.message_max + 1);
    cr_assert(eq(int, get_close(fd), 1009));
    close(fd);
    fd = open_websocket();
    put_frame(fd, TEXT & ~MORE, text, config.message_max);
    put_frame(fd, MORE, "m", 1);
    cr_assert(eq(int, get_close(fd), 1009));
    close(fd);
    fd = open_websocket(); /* announced only: it need not be sent to be refused */
    put_bytes(fd, "\x81\xFF\x00\x00\x00\x00\x7f\xff\xff\xff\x01\x02\x03\x04mmmm", 18);
    int code = get_close(fd);
    cr_assert(code == 1009 || code == 0, "%d", code);
    close(fd);
    UNTIL(facts.stats.closed_too_big >= 2 && facts.stats.open_sockets == 0);
}

Test(server, ill_formed_text_ends_with_1007)
{
    static const char *const cases[] = {"\xff", "\xC0\xAF", "\xED\xA0\x80", "ok\xE2\x82"};
    open_server();
    for (size_t i = 0; i < 4; i++) {
        int fd = open_websocket();
        put_text(fd, cases[i]);
        cr_assert(eq(int, get_close(fd), 1007), "case %zu", i);
        put_frame(fd, CLOSE, "\x03\xef", 2);
        expect_end(fd);
    }
    UNTIL(facts.stats.closed_utf8 == 4 && facts.by_reason[CF_GONE_PROTOCOL] == 4);
}

Test(server, faults_of_framing_end_with_1002)
{
    static const struct {
        int first;
        const char *name;
    } cases[] = {{0xC1, "RSV1"},      {0xA1, "RSV2"},      {0x91, "RSV3"},
                 {0x83, "opcode 3"},  {0x8B, "opcode 11"}, {0x80, "a continuation of nothing"},
                 {0x09, "a cut Ping"}};
    open_server();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = open_websocket();
        put_frame(fd, cases[i].first, "x", 1);
        cr_assert(eq(int, get_close(fd), 1002), "%s", cases[i].name);
        close(fd);
    }
    int fd = open_websocket();
    put_frame(fd, TEXT & ~MORE, "a", 1);
    put_frame(fd, TEXT, "b", 1); /* a new message inside another */
    cr_assert(eq(int, get_close(fd), 1002));
    close(fd);
    static char payload[126];
    fd = open_websocket();
    put_frame(fd, PING, payload, sizeof payload); /* lws gives no code for this one */
    cr_assert(eq(int, get_close(fd), 0));
    UNTIL(facts.by_reason[CF_GONE_PROTOCOL] == (int)(sizeof cases / sizeof cases[0]) + 2 &&
          facts.stats.closed_protocol == sizeof cases / sizeof cases[0] + 2);
    close(fd);
}

Test(server, echoes_a_close_and_ends)
{
    open_server();
    int fd = open_websocket();
    put_frame(fd, CLOSE,
              "\x03\xe8"
              "bye",
              5);
    cr_assert(eq(int, get_close(fd), 1000));
    expect_end(fd);
    fd = open_websocket();
    put_frame(fd, CLOSE, "", 0);
    cr_assert(eq(int, get_close(fd), 1005));
    expect_end(fd);
    UNTIL(facts.by_reason[CF_GONE_PEER] == 2);
}

/* A Close with this code and reason; size: of the payload. */
static int close_with(int code, const char *reason, size_t size)
{
    char payload[125] = {(char)(code >> 8), (char)code};
    size_t said;
    int fd = open_websocket();
    strncpy(payload + 2, reason, sizeof payload - 3);
    put_frame(fd, CLOSE, payload, size);
    cr_assert(eq(int, get_frame(fd, &said), CLOSE), "%d", code);
    int answer = said >= 2 ? (uint8_t)body[0] << 8 | (uint8_t)body[1] : 1005;
    expect_end(fd);
    return answer;
}

Test(server, echoes_only_codes_that_may_be_sent)
{
    static const int good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                               1010, 1011, 3000, 3999, 4000, 4999};
    static const int bad[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                              1016, 1100, 2000, 2999, 5000, 65535};
    open_server();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert(eq(int, close_with(good[i], "", 2), good[i]));
    cr_assert(eq(int, close_with(1000, "\xC3\xA4 reason", 11), 1000));
    cr_assert(eq(int, close_with(0, "", 0), 1005));
    cr_assert(eq(u64, ask().stats.closed_protocol, 0));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(eq(int, close_with(bad[i], "", 2), 1002), "%d", bad[i]);
    cr_assert(eq(int, close_with(1000, "", 1), 1002)); /* half a code */
}

Test(server, a_reason_that_is_not_utf8_ends_with_1007)
{
    static const char *const bad[] = {"\xff", "ok \xC3", "\xED\xA0\x80", "\xC0\xAF"};
    open_server();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(eq(int, close_with(1000, bad[i], 2 + strlen(bad[i])), 1007), "%zu", i);
    UNTIL(facts.stats.closed_utf8 == sizeof bad / sizeof bad[0]);
}

/* lws has shut the socket for writing before we hear of it, so no code can be said. */
Test(server, control_frames_too_long_and_impossible_lengths_are_cut_and_counted)
{
    static const uint8_t top_bit[] = {0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 'x'};
    static const char long_text[3000];
    static const int opcodes[] = {PING, PONG, CLOSE};
    uint64_t n =
        0; /* waited for while the peer is there: one that has left is told apart no more */
    open_server();
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
        for (size_t size = 126; size <= sizeof long_text; size += sizeof long_text - 126) {
            int fd = open_websocket();
            put_frame(fd, opcodes[i], long_text, size);
            n++;
            UNTIL(facts.stats.closed_protocol == n);
            expect_end(fd);
        }
    int fd = open_websocket();
    put_bytes(fd, top_bit, sizeof top_bit);
    UNTIL(facts.stats.closed_protocol == 7 && facts.by_reason[CF_GONE_PROTOCOL] == 7);
    expect_end(fd);
}

Test(server, tells_of_a_close_when_it_is_decided_not_when_the_peer_agrees)
{
    open_server(); /* close_ms is beyond any wait of a test */
    int ours = open_websocket();
    UNTIL(facts.sockets == 1);
    tell(CLOSE_ALL, 4000, 0);
    UNTIL(facts.closing == 1 && facts.stats.open_websockets == 0);
    int ill_formed = open_websocket();
    put_frame(ill_formed, TEXT, "\xff", 1);
    UNTIL(facts.closing == 2 && facts.stats.open_websockets == 0);
    int by_lws = open_websocket();
    put_frame(by_lws, 3, "", 0);
    UNTIL(facts.closing == 3 && facts.stats.open_websockets == 0);
    int theirs = open_websocket();
    put_frame(theirs, CLOSE, "\x03\xe8", 2);
    cr_assert(eq(int, get_close(theirs), 1000));
    UNTIL(facts.by_reason[CF_GONE_PEER] == 1);
    cr_assert(eq(int, ask().by_reason[CF_GONE_OURS], 0)); /* it is still waited for */
    close(theirs);
    close(ours);
    close(ill_formed);
    close(by_lws);
    UNTIL(facts.gone == 4);
    cr_assert(le(int, ask().closing, 4)); /* once each */
}

Test(server, own_close_is_followed_by_nothing_and_has_a_deadline)
{
    config.close_ms = 1000;
    open_server();
    int polite = open_websocket(), deaf = open_websocket();
    UNTIL(facts.sockets == 2);
    tell(BROADCAST, 3, 100);
    tell(CLOSE_ALL, 4000, 0);
    tell(BROADCAST, 3, 100);
    size_t size;
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, get_frame(polite, &size), TEXT));
    cr_assert(eq(int, get_frame(polite, &size), CLOSE));
    expect_body_at(2, "bye");
    put_frame(polite, CLOSE, "\x0f\xa0", 2);
    expect_end(polite);
    cr_assert(eq(int, get_close(deaf), 4000)); /* and no answer to it */
    expect_end(deaf);
    UNTIL(facts.by_reason[CF_GONE_OURS] == 2 && facts.stats.open_websockets == 0);
}

/* Sends `frame` over and over, 64 MiB at most or until the connection is reset. */
static size_t flood(int fd, const uint8_t *frame, size_t size)
{
    static uint8_t many[65536];
    size_t fit = sizeof many / size * size, sent = 0;
    for (size_t at = 0; at < fit; at += size)
        memcpy(many + at, frame, size);
    ssize_t n = 1;
    for (; n > 0 && sent<64 << 20; sent += n> 0 ? (size_t)n : 0)
        n = send(fd, many + sent % fit, fit - sent % fit, MSG_NOSIGNAL);
    return sent;
}

Test(server, who_sends_on_behind_the_servers_close_is_cut)
{
    static const uint8_t empty[6] = {0x81, 0x80}, text[206] = {0x81, 0xFE, 0, 198},
                         pong[7] = {0x8A, 0x81};
    static const struct {
        const uint8_t *frame;
        size_t size;
    } cases[] = {{empty, sizeof empty}, {text, sizeof text}, {pong, sizeof pong}};
    open_server();
    for (int i = 0; i < 3; i++) {
        int fd = open_websocket();
        UNTIL(facts.sockets == 1);
        uint64_t before = ask().stats.bytes_in;
        tell(CLOSE_ALL, 1013, 0);
        cr_assert(lt(sz, flood(fd, cases[i].frame, cases[i].size), 64 << 20), "case %d", i);
        UNTIL(facts.sockets == 0 && facts.stats.open_sockets == 0); /* long before close_ms */
        cr_assert(eq(u64, ask().stats.closed_flood, (uint64_t)i + 1));
        cr_assert(lt(u64, ask().stats.bytes_in - before, CF_AFTER_CLOSE_MAX + 65536));
        close(fd);
    }
}

Test(server, what_was_under_way_behind_the_servers_close_is_forgiven)
{
    static char text[16000];
    open_server();
    int fd = open_websocket();
    UNTIL(facts.sockets == 1);
    tell(CLOSE_ALL, 1013, 0);
    memset(text, 'm', sizeof text);
    for (int i = 0; i < CF_AFTER_CLOSE_MAX / 16006; i++)
        put_frame(fd, TEXT, text, sizeof text);
    cr_assert(eq(int, get_close(fd), 1013));
    put_frame(fd, CLOSE, "\x03\xf5", 2);
    expect_end(fd);
    UNTIL(facts.by_reason[CF_GONE_OURS] == 1);
    cr_assert(eq(u64, ask().stats.closed_flood, 0));
    cr_assert(eq(u64, ask().stats.messages_in, 0));
}

/* ---- messages that do not end ---- */

Test(server, a_message_that_is_not_finished_in_time_is_closed_1008)
{
    config.message_ms = 1000;
    config.ping_ms = 400;
    open_server();
    int late = open_websocket(), whole = open_websocket();
    size_t size;
    put_frame(late, TEXT & ~MORE, "never", 5);
    put_frame(whole, TEXT & ~MORE, "in ", 3);
    put_frame(whole, MORE, "time", 4);
    while (get_frame(whole, &size) == PING)
        ;
    expect_body("in time");
    int opcode;
    while ((opcode = get_frame(late, &size)) == PING) { /* signs of life do not finish a message */
        put_frame(late, PONG, body, size);
        put_frame(late, 0, "x", 1);
    }
    cr_assert(eq(int, opcode, CLOSE));
    cr_assert(eq(int, (uint8_t)body[0] << 8 | (uint8_t)body[1], 1008));
    UNTIL(facts.stats.closed_unfinished == 1 && facts.stats.message_bytes == 0);
    put_text(whole, "still here");
    while (get_frame(whole, &size) == PING)
        ;
    expect_body("still here");
    close(late);
    close(whole);
}

static const uint8_t full_ping[125]; /* 131 bytes with its head */

Test(server, a_flood_of_pings_is_closed_1008_at_the_next_look)
{
    config.ping_ms = 1000;
    config.control_max = 16384;
    open_server();
    int few = open_websocket(), many = open_websocket();
    size_t size;
    int opcode;
    for (int i = 0; i < 125; i++)
        put_frame(few, PING, full_ping, sizeof full_ping);
    for (int i = 0; i < 2500; i++)
        put_frame(many, PING, full_ping, sizeof full_ping);
    do
        opcode = get_frame(many, &size);
    while (opcode == PONG || opcode == PING);
    cr_assert(eq(int, opcode, CLOSE));
    cr_assert(eq(int, (uint8_t)body[0] << 8 | (uint8_t)body[1], 1008));
    cr_assert(eq(u64, ask().stats.closed_control, 1));
    for (int looks = 0; looks < 2;) /* those of before do not count any more */
        looks += get_frame(few, &size) == PING;
    put_text(few, "still here");
    while ((opcode = get_frame(few, &size)) == PING || opcode == PONG)
        ;
    expect_body("still here");
    close(few);
    close(many);
}

Test(server, takes_no_number_of_messages_for_pings)
{
    config.ping_ms = 1000;
    config.control_max = 16384;
    open_server();
    int fd = open_websocket();
    size_t size;
    for (int sent = 0, looks = 0; looks < 2;) {
        for (int i = 0; i < 100; i++, sent++)
            put_text(fd, "");
        for (int heard = 0; heard < 100;) {
            int opcode = get_frame(fd, &size);
            cr_assert(not(eq(int, opcode, CLOSE)), "after %d", sent);
            looks += opcode == PING;
            heard += opcode == TEXT;
        }
    }
    cr_assert(eq(u64, ask().stats.closed_control, 0));
    close(fd);
}

Test(server, half_messages_are_held_up_to_their_pool)
{
    static char text[4000];
    config.message_pool_max = 2 * 4096;
    open_server();
    int held[] = {open_websocket(), open_websocket()}, over = open_websocket();
    size_t size;
    memset(text, 'h', sizeof text);
    for (int i = 0; i < 2; i++)
        put_frame(held[i], TEXT & ~MORE, text, sizeof text);
    UNTIL(facts.stats.message_bytes == config.message_pool_max);
    cr_assert(eq(u64, ask().stats.refused_message_pool, 0));
    put_text(over, "a whole message needs none of it");
    while (get_frame(over, &size) == PING)
        ;
    expect_body("a whole message needs none of it");
    put_frame(over, TEXT & ~MORE, "one more", 8);
    cr_assert(eq(int, get_close(over), 1013));
    UNTIL(facts.stats.refused_message_pool == 1);
    cr_assert(eq(u64, ask().stats.message_bytes, config.message_pool_max));
    put_frame(held[0], MORE, "!", 1); /* those that hold some may end, and give it back */
    while (get_frame(held[0], &size) == PING)
        ;
    cr_assert(eq(sz, size, sizeof text + 1));
    close(held[1]);
    UNTIL(facts.stats.message_bytes == 0);
    close(held[0]);
    close(over);
}

/* ---- liveness ---- */

Test(server, pings_and_drops_who_shows_no_life)
{
    config.ping_ms = 1000;
    config.idle_ms = 3000;
    open_server();
    int alive = open_websocket(), dead = open_websocket();
    size_t size;
    for (int i = 0; i < 5; i++) { /* longer than idle_ms */
        cr_assert(eq(int, get_frame(alive, &size), PING));
        put_frame(alive, PONG, body, size);
    }
    UNTIL(facts.stats.closed_idle == 1 && facts.by_reason[CF_GONE_IDLE] == 1);
    put_text(alive, "still here");
    while (get_frame(alive, &size) == PING)
        ;
    expect_body("still here");
    close(alive);
    close(dead);
}

Test(server, a_clients_own_pings_are_signs_of_life)
{
    config.ping_ms = 1000;
    config.idle_ms = 3000;
    open_server();
    int pinging = open_websocket(), dead = open_websocket();
    size_t size;
    int pings = 0;
    while (ask().stats.closed_idle == 0 ||
           pings < 8) { /* by our clock twice the idle limit at least */
        cr_assert(eq(int, get_frame(pinging, &size), PING));
        put_frame(pinging, PING, "mine", 4); /* and no PONG */
        do
            cr_assert(wait_for(pinging, POLLIN));
        while (get_frame(pinging, &size) != PONG);
        pings++;
    }
    cr_assert(eq(u64, ask().stats.closed_idle, 1));
    put_text(pinging, "still here");
    while (get_frame(pinging, &size) == PING)
        ;
    expect_body("still here");
    close(pinging);
    close(dead);
}

Test(server, paused_connection_is_not_read_nor_dropped)
{
    config.ping_ms = 600;
    config.idle_ms = 1000;
    open_server();
    int fd = open_websocket(), clock = open_websocket();
    UNTIL(facts.sockets == 2);
    tell(PAUSE, 0, 0);
    for (int i = 0; i < 5; i++)
        put_text(fd, "waiting");
    size_t size;
    for (int i = 0; i < 3; i++) /* pings go on: the seconds pass */
        cr_assert(eq(int, get_frame(clock, &size), PING));
    facts_t facts = ask();
    cr_assert(eq(u64, facts.stats.messages_in, 0));
    cr_assert(eq(int, facts.sockets, 2));
    tell(RESUME, 0, 0);
    for (int i = 0; i < 5; i++) {
        while (get_frame(fd, &size) == PING)
            ;
        expect_body("waiting");
    }
    close(fd);
    close(clock);
}

/* ---- fan-out and slow readers ---- */

Test(server, frames_of_one_pass_share_one_send)
{
    open_server();
    int fd = open_websocket();
    UNTIL(facts.sockets == 1);
    uint64_t before = ask().stats.sends;
    tell(BROADCAST, 100, 100);
    for (int i = 0; i < 100; i++) {
        size_t size;
        cr_assert(eq(int, get_frame(fd, &size), TEXT));
        cr_assert(eq(int, atoi(body), i));
        cr_assert(eq(sz, size, 100));
    }
    cr_assert(eq(u64, ask().stats.sends - before, 1));
    close(fd);
}

Test(server, delayed_flush_gathers_over_passes_and_loses_nothing)
{
    config.flush_delay_ms = 30;
    open_server();
    int fd = open_websocket();
    UNTIL(facts.sockets == 1);
    uint64_t before = ask().stats.sends;
    for (int i = 0; i < 10; i++)
        tell(BROADCAST, 10, 100);
    for (int i = 0; i < 100; i++) {
        size_t size;
        cr_assert(eq(int, get_frame(fd, &size), TEXT));
        cr_assert(eq(int, atoi(body), i % 10));
    }
    cr_assert(le(u64, ask().stats.sends - before, 10));
    close(fd);
}

Test(server, answer_to_a_broken_head_behind_a_head_request_has_its_body)
{
    open_server();
    int fd = dial();
    put(fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer_to(fd, true), 200));
    put(fd, "broken\n");
    cr_assert(eq(int, get_answer(fd), 400));
    expect_body("{\"error\":\"Bad Request\"}\n");
    expect_end(fd);
}

Test(server, frames_beyond_one_write_arrive_whole)
{
    open_server();
    int fd = open_websocket();
    UNTIL(facts.sockets == 1);
    static const int sizes[] = {65532, 65533, 65536, 200000, 900000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tell(BROADCAST, 1, sizes[i]);
        tell(BROADCAST, 1, 10);
        size_t size;
        cr_assert(eq(int, get_frame(fd, &size), TEXT));
        cr_assert(eq(sz, size, (size_t)sizes[i]));
        cr_assert(eq(sz, strspn(body + 2, "x"), size - 2));
        cr_assert(eq(int, get_frame(fd, &size), TEXT));
        cr_assert(eq(sz, size, 10));
    }
    close(fd);
}

Test(server, long_burst_does_not_make_a_reader_slow)
{
    open_server();
    int fd = open_websocket();
    UNTIL(facts.sockets == 1);
    for (int round = 0; round < 10; round++) { /* 5 MB, read at once */
        tell(BROADCAST, 50, 10000);
        for (int i = 0; i < 50; i++) {
            size_t size;
            cr_assert(eq(int, get_frame(fd, &size), TEXT));
            cr_assert(eq(int, atoi(body), i));
        }
    }
    cr_assert(eq(u64, ask().stats.closed_slow, 0));
    close(fd);
}

Test(server, slow_reader_gets_1013_while_others_go_on)
{
    config.queue_bytes_max = 300000;
    open_server();
    int slow = open_websocket(), quick = open_websocket();
    UNTIL(facts.sockets == 2);
    int sent = 0;
    size_t size;
    while (ask().stats.closed_slow == 0 && sent < 100000) {
        tell(BROADCAST, 10, 5000);
        sent += 10;
        for (int i = 0; i < 10; i++)
            cr_assert(eq(int, get_frame(quick, &size), TEXT));
        cr_assert(lt(u64, ask().stats.queued_bytes, config.queue_bytes_max + 70000));
    }
    cr_assert(eq(u64, ask().stats.closed_slow, 1));
    tell(BROADCAST, 10, 5000);
    for (int i = 0; i < 10; i++)
        cr_assert(eq(int, get_frame(quick, &size), TEXT));
    int got = 0, first; /* it wakes up: whole frames in order, then the Close and nothing more */
    while ((first = get_frame(slow, &size)) == TEXT)
        cr_assert(eq(int, atoi(body), got++ % 10));
    cr_assert(eq(int, first, CLOSE));
    cr_assert(eq(int, (uint8_t)body[0] << 8 | (uint8_t)body[1], 1013));
    cr_assert(lt(int, got, sent));
    put_frame(slow, CLOSE, "\x03\xf5", 2);
    expect_end(slow);
    UNTIL(facts.by_reason[CF_GONE_SLOW] == 1 && facts.stats.queued_bytes == 0);
    close(quick);
}

/* One WebSocket whose client takes little at once. */
static int open_narrow_websocket(void)
{
    int fd = open_websocket(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    return fd;
}

/* So many frames of 5,000 bytes that it takes no more at once; their number. */
static int fall_behind(void)
{
    int sent = 0;
    while (ask().stats.queued_bytes < 200000) {
        tell(BROADCAST, 10, 5000);
        sent += 10;
        cr_assert(lt(int, sent, 1000));
    }
    return sent;
}

Test(server, reader_that_falls_behind_and_reads_on_gets_all_of_it_each_time)
{
    open_server();
    int fd = open_narrow_websocket();
    UNTIL(facts.sockets == 1);
    for (int round = 0; round < 5; round++) {
        int sent = fall_behind(); /* each finds the socket full already */
        for (int i = 0; i < sent; i++) {
            size_t size;
            cr_assert(eq(int, get_frame(fd, &size), TEXT));
            cr_assert(eq(int, atoi(body), i % 10));
        }
        UNTIL(facts.stats.queued_bytes == 0);
    }
    cr_assert(eq(u64, ask().stats.closed_slow, 0));
    close(fd);
}

/* The frame that the other was sent is gone, and its memory most likely that of the one for both. */
Test(server, reader_that_catches_up_before_a_flush_gets_what_is_its_own)
{
    config.flush_delay_ms = 50;
    open_server();
    int slow = open_websocket(), fast = open_websocket();
    int small = 65536;
    char secret[101];
    size_t size;
    memset(secret, 's', 100);
    secret[100] = '\0';
    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    UNTIL(facts.sockets == 2);
    for (int i = 0; i < 20; i++) {
        tell(BROADCAST, 1, 1000000);
        cr_assert(eq(int, get_frame(fast, &size), TEXT));
        put_text(fast, secret);
        expect_text(fast, secret);
        tell(BROADCAST, 1, 100);
        cr_assert(eq(int, get_frame(slow, &size), TEXT));
        cr_assert(eq(sz, size, 1000000));
        cr_assert(eq(int, get_frame(slow, &size), TEXT));
        cr_assert(eq(chr, body[2], 'x'));
        cr_assert(eq(int, get_frame(fast, &size), TEXT));
    }
    close(slow);
    close(fast);
}

/* Ten of them while the socket takes nothing: one goes, behind all that was waiting. */
Test(server, reader_that_falls_behind_gets_the_latest_alone_and_last)
{
    open_server();
    int fd = open_narrow_websocket();
    size_t size;
    UNTIL(facts.sockets == 1);
    tell(LATEST, 1, 0); /* at once, to one that does not lag */
    cr_assert(eq(int, get_frame(fd, &size), TEXT));
    expect_body_at(0, "latest 0");
    int sent = fall_behind();
    tell(LATEST, 5, 0);
    tell(BROADCAST, 1, 5000);
    tell(LATEST, 5, 0);
    cr_assert(eq(int, ask().replaced, 9));
    for (int i = 0; i < sent + 1; i++) {
        cr_assert(eq(int, get_frame(fd, &size), TEXT));
        cr_assert(eq(sz, size, 5000));
    }
    cr_assert(eq(int, get_frame(fd, &size), TEXT));
    expect_body_at(0, "latest 4");
    tell(BROADCAST, 1, 100);
    cr_assert(eq(int, get_frame(fd, &size), TEXT));
    cr_assert(eq(sz, size, 100)); /* and nothing before it */
    close(fd);
}

Test(server, latest_is_not_sent_behind_a_close)
{
    open_server();
    int fd = open_narrow_websocket();
    size_t size;
    UNTIL(facts.sockets == 1);
    fall_behind();
    tell(LATEST, 1, 0);
    tell(CLOSE_ALL, 4000, 0);
    tell(LATEST, 1, 0);
    int kind;
    while ((kind = get_frame(fd, &size)) == TEXT)
        cr_assert(eq(sz, size, 5000));
    cr_assert(eq(int, kind, CLOSE));
    put_frame(fd, CLOSE, "\x0f\xa0", 2);
    expect_end(fd);
}

Test(server, queue_that_grows_old_ends_with_1013_and_a_reset)
{
    config.queue_age_ms = 1000;
    config.close_ms = 1000;
    open_server();
    int fd = open_narrow_websocket();
    UNTIL(facts.sockets == 1);
    int64_t give_up_ms = now_ms() + LIMIT_MS;
    facts_t now;
    while ((now = ask()).stats.closed_slow == 0 && now_ms() < give_up_ms) {
        if (now.stats.queued_bytes == 0)
            tell(BROADCAST, 10, 5000); /* until the kernel takes no more */
        poll(NULL, 0, 2);
    }
    cr_assert(eq(u64, now.stats.closed_slow, 1));
    UNTIL(facts.by_reason[CF_GONE_SLOW] == 1 && facts.stats.open_sockets == 0);
    close(fd);
}

/* ---- caps ---- */

Test(server, connection_cap_answers_503)
{
    config.connections_max = 5;
    open_server();
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = dial();
    UNTIL(facts.stats.open_sockets == 5);
    int over = dial();
    cr_assert(eq(int, get_answer(over), 503));
    cr_assert(ne(ptr, strstr(head, "Retry-After: "), NULL));
    expect_failure();
    expect_end(over);
    close(fds[0]);
    UNTIL(facts.stats.open_sockets == 4);
    cr_assert(eq(int, ask_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200));
    cr_assert(eq(u64, ask().stats.refused_cap, 1));
    for (int i = 1; i < 5; i++)
        close(fds[i]);
}

Test(server, keeps_so_many_open_for_their_503_and_cuts_the_others)
{
    config.connections_max = 1;
    open_server();
    int inside = dial(), over[CF_REFUSED_OPEN_MAX];
    UNTIL(facts.stats.open_sockets == 1);
    for (int i = 0; i < CF_REFUSED_OPEN_MAX; i++)
        over[i] = dial(); /* and takes its time to go */
    UNTIL(facts.stats.refused_cap == CF_REFUSED_OPEN_MAX);
    int beyond = dial();
    expect_end(beyond);
    cr_assert(eq(int, get_answer(over[0]), 503));
    for (int i = 0; i < CF_REFUSED_OPEN_MAX; i++)
        close(over[i]);
    close(inside);
    UNTIL(facts.stats.open_sockets == 0);
    cr_assert(eq(int, ask_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200));
}

Test(server, cap_per_address_counts_each_on_its_own)
{
    config.connections_per_ip = 2;
    open_server();
    int one = dial_from("127.0.0.2"), two = dial_from("127.0.0.2"), other = dial_from("127.0.0.3");
    UNTIL(facts.stats.open_sockets == 3);
    int over = dial_from("127.0.0.2");
    cr_assert(eq(int, get_answer(over), 503));
    expect_end(over);
    put(two, HANDSHAKE("/ws")); /* a WebSocket keeps its place */
    cr_assert(eq(int, get_answer(two), 101));
    over = dial_from("127.0.0.2");
    cr_assert(eq(int, get_answer(over), 503));
    expect_end(over);
    close(two);
    UNTIL(facts.stats.open_sockets == 2);
    two = dial_from("127.0.0.2");
    put(two, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(eq(int, get_answer(two), 200));
    cr_assert(eq(u64, ask().stats.refused_per_ip, 2));
    close(one);
    close(two);
    close(other);
}

static int64_t cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

Test(server, out_of_descriptors_it_refuses_and_recovers)
{
    static int eaten[4096], waiting[20];
    int count = 0;
    open_server();
    ask();
    for (int i = 0; i < 20; i++) /* the clients' own ends come first */
        waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
    while (count < 4096 && (eaten[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(host.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 20; i++)
        cr_assert(eq(int, connect(waiting[i], (struct sockaddr *)&to, sizeof to), 0));
    for (int i = 0; i < 20; i++) { /* each is taken and dropped */
        char byte;
        cr_assert(wait_for(waiting[i], POLLIN), "the connection stays open");
        cr_assert(le(i64, (int64_t)recv(waiting[i], &byte, 1, 0), 0));
    }
    for (int i = 0; i < 20; i++)
        close(waiting[i]);
    for (int i = 0; i < count; i++)
        close(eaten[i]);
    cr_assert(eq(int, ask_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200));
}

Test(server, costs_no_cpu_while_a_storm_waits_for_descriptors_that_do_not_come)
{
    struct rlimit none = {3, 4096}, files = {4096, 4096};
    int waiting[200];
    open_server();
    int open_one = open_websocket();
    for (int i = 0; i < 200; i++)
        waiting[i] = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(host.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setrlimit(RLIMIT_NOFILE, &none); /* not even the spare one comes back */
    int64_t before = cpu_us();
    for (int i = 0; i < 200; i++)
        cr_assert(eq(int, connect(waiting[i], (struct sockaddr *)&to, sizeof to), 0));
    poll(NULL, 0, 2000);
    cr_assert(lt(i64, cpu_us() - before, 500000), "a spinning loop would use both seconds");
    put_text(open_one, "served meanwhile");
    expect_text(open_one, "served meanwhile");
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < 200; i++) {
        put(waiting[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        cr_assert(eq(int, get_answer(waiting[i]), 200));
        close(waiting[i]);
    }
    close(open_one);
}

Test(server, costs_no_cpu_while_clients_are_stuck_halfway)
{
    open_server();
    int partial = dial(), paused = open_websocket(), waiting = dial(), late = dial();
    put(partial, "GET / HTTP/1.1\r\nHo");
    put(waiting, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    put(late, HANDSHAKE("/wait"));
    UNTIL(facts.held == 2 && facts.sockets == 1);
    put(waiting, "more that is not looked at yet");
    tell(PAUSE, 0, 0);
    put_text(paused, "not read either");
    ask();
    int64_t before = cpu_us();
    poll(NULL, 0, 1000);
    cr_assert(lt(i64, cpu_us() - before, 300000), "a spinning loop would use the whole second");
    close(partial);
    close(paused);
    close(waiting);
    close(late);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

Test(server, leaks_no_descriptor_over_rounds)
{
    open_server();
    ask();
    int before = open_descriptors();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            int fd = dial();
            if (i % 3 == 1)
                put(fd, HANDSHAKE("/ws"));
            if (i % 3 == 2)
                put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            if (i % 2 && i % 3)
                cr_assert(ne(int, get_answer(fd), 0));
            close(fd);
        }
        UNTIL(facts.stats.open_sockets == 0 && facts.handed == facts.gone);
        cr_assert(eq(int, open_descriptors(), before));
    }
}

Test(server, ends_with_everything_open)
{
    open_server();
    int fds[] = {dial(), open_websocket(), dial(), dial(), open_websocket()};
    put(fds[2], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    put(fds[3], HANDSHAKE("/wait"));
    UNTIL(facts.held == 2);
    tell(BROADCAST, 300, 5000);
    close_server();
    cr_assert(eq(int, host.facts.gone, 4));
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
}

Test(server, stops_listening_but_serves_who_is_there)
{
    open_server();
    int fd = open_websocket();
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(host.server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    tell(DEAFEN, 0, 0);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(eq(int, connect(late, (struct sockaddr *)&to, sizeof to), -1));
    put_text(fd, "hello");
    expect_text(fd, "hello");
    close(fd);
    close(late);
}

/* Whether somebody listens on the server's port at this address. */
static bool is_reached(const char *address)
{
    bool is_v6 = strchr(address, ':') != NULL;
    in_port_t port = htons((uint16_t)cf_server_port(host.server));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    inet_pton(is_v6 ? AF_INET6 : AF_INET, address,
              is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                     is_v6 ? sizeof v6 : sizeof v4);
    if (rc == 0) {
        put(fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        rc = get_answer(fd) == 200 ? 0 : -1;
    }
    close(fd);
    return rc == 0;
}

/* From here on this process lives on a host that knows no IPv6. */
static void forget_ipv6(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    cr_assert(eq(int, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0));
    cr_assert(eq(int, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0));
    cr_assert(eq(int, socket(AF_INET6, SOCK_STREAM, 0), -1));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return has;
}

Test(server, listens_on_every_interface_of_both_families)
{
    config.listen = "[::]:0";
    open_server();
    cr_assert(is_reached("127.0.0.1"));
    cr_assert(eq(int, is_reached("::1"), has_ipv6()));
}

Test(server, listens_on_every_interface_of_a_host_without_ipv6)
{
    forget_ipv6();
    config.listen = "[::]:0";
    open_server();
    cr_assert(is_reached("127.0.0.1"));
}

Test(server, one_ipv6_address_is_that_one)
{
    config.listen = has_ipv6() ? "[::1]:0" : "127.0.0.1:0";
    open_server();
    cr_assert(eq(int, is_reached("::1"), has_ipv6()));
    cr_assert(eq(int, is_reached("127.0.0.1"), !has_ipv6()));
}

Test(server, refuses_what_is_no_address)
{
    static const char *const bad[] = {"",           "8080",        ":8080",
                                      "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                      "::1:80",     "[::1:80",     "[]:80"};
    static const cf_server_events_t events = {on_request, on_upgrade, on_refused, on_open,
                                              on_message, on_closing, on_gone,    on_inbox,
                                              on_pass,    on_pass,    on_second};
    cf_server_t *server = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.listen = bad[i];
        cr_assert(eq(int, cf_server_new(&server, &config, &events, NULL, -1), CF_ERANGE), "%s",
                  bad[i]);
    }
    config.listen = "192.0.2.1:0"; /* not ours: RFC 5737 */
    cr_assert(eq(int, cf_server_new(&server, &config, &events, NULL, -1), CF_EIO));
    cr_assert(eq(ptr, server, NULL));
}
