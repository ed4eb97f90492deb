/* Failed allocations: the socket server, on a thread of its own where they fail, spoken to by real
 * sockets. Its owner answers what it is asked. A visit is made once to count what the server allocates,
 * then once for each allocation with that one failing: every request is answered by what was wanted, by
 * 5xx or by the end of the connection, no message is lost without the end of its socket, on_gone comes
 * once for each conn, nothing is left counted, and the next visit goes as if nothing had happened.
 * The same over TLS. libwebsockets, libuv and OpenSSL keep the real allocators. */
#include "failing_malloc.h"
#include "http/server.h"
#include "make_certificate.h"
#include "settings.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_MS 20000 /* of any wait */
#define BURST 40       /* messages that make a queue grow */
#define BODY 20000

/* --- the server and its owner ------------------------------------------------------------------
 */

typedef enum { FACTS, BEGIN, END, STOP } what_t;

typedef struct {
    what_t what;
    unsigned long nth;
    unsigned in_a_row;
} order_t;

typedef struct {
    cf_server_stats_t stats;
    unsigned handed, gone;
    unsigned long allocations; /* END */
} facts_t;

static struct {
    cf_server_t *server;
    pthread_t thread;
    int orders[2], replies[2];
    facts_t facts;
} host;

static unsigned long failing;
static unsigned row;
static bool strict;

#define ensure(what)                                                                               \
    cr_assert(what, "allocation %lu, %u in a row%s", failing, row, strict ? ", strict" : "")

static void on_request(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    (void)owner;
    host.facts.handed++;
    cf_conn_respond(conn, 200, "text/plain", "X-Extra: 1\r\n",
                    request->body.size ? request->body.bytes : request->path.bytes,
                    request->body.size ? request->body.size : request->path.size);
}

static void on_upgrade(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    (void)owner;
    host.facts.handed++;
    if (request->path.size == 1)
        cf_conn_upgrade(conn);
    else
        cf_conn_respond(conn, 401, "text/plain", NULL, "no", 2);
}

static void send_text(cf_conn_t *conn, const void *bytes, size_t size)
{
    cf_frame_t *frame = cf_frame_new(bytes, size);
    if (frame)
        cf_conn_send(conn, frame);
    else
        cf_conn_close(conn, 1013, "out of memory");
    cf_frame_unref(&frame);
}

static void on_message(void *owner, cf_conn_t *conn, const uint8_t *bytes, size_t size,
                       bool is_text)
{
    char number[16];
    (void)owner, (void)is_text;
    if (size == 5 && memcmp(bytes, "burst", 5) == 0)
        for (int i = 0; i < BURST; i++)
            send_text(conn, number, (size_t)snprintf(number, sizeof number, "%d", i));
    else if (size == 3 && memcmp(bytes, "bye", 3) == 0)
        cf_conn_close(conn, 1001, "bye");
    else
        send_text(conn, bytes, size);
}

static void on_open(void *owner, cf_conn_t *conn)
{
    (void)owner;
    send_text(conn, "welcome", 7);
}

static void on_closing(void *owner, cf_conn_t *conn)
{
    (void)owner;
    (void)conn;
}

static void on_gone(void *owner, cf_conn_t *conn, cf_gone_t why)
{
    (void)owner, (void)conn, (void)why;
    host.facts.gone++;
}

static bool on_inbox(void *owner, int budget)
{
    order_t order;
    (void)owner, (void)budget;
    while (read(host.orders[0], &order, sizeof order) == sizeof order) {
        if (order.what == BEGIN)
            failing_malloc_begin(order.nth, order.in_a_row);
        if (order.what == END)
            host.facts.allocations = failing_malloc_end();
        if (order.what == STOP)
            cf_server_stop(host.server);
        host.facts.stats = *cf_server_stats(host.server);
        cr_assert(write(host.replies[1], &host.facts, sizeof host.facts) > 0);
    }
    return false;
}

static void on_pass(void *owner)
{
    (void)owner;
}

static void on_second(void *owner, int64_t boot_us)
{
    (void)owner, (void)boot_us;
}

static const cf_server_events_t events = {.on_request = on_request,
                                          .on_upgrade = on_upgrade,
                                          .on_open = on_open,
                                          .on_message = on_message,
                                          .on_closing = on_closing,
                                          .on_gone = on_gone,
                                          .on_inbox = on_inbox,
                                          .before_flush = on_pass,
                                          .after_flush = on_pass,
                                          .on_second = on_second};

static cf_server_config_t config = {SERVER_BOUNDS, SERVER_LONG_TIMES, .connections_max = 100,
                                    .lasting_bytes = 64};

static void *serve(void *arg)
{
    cf_server_run(host.server);
    return arg;
}

static facts_t tell(what_t what, unsigned long nth, unsigned in_a_row)
{
    order_t order = {what, nth, in_a_row};
    facts_t facts;
    struct pollfd one = {.fd = host.replies[0], .events = POLLIN};
    cr_assert(write(host.orders[1], &order, sizeof order) > 0);
    cr_assert(poll(&one, 1, LIMIT_MS) > 0, "the server does not answer");
    cr_assert(read(host.replies[0], &facts, sizeof facts) == sizeof facts);
    return facts;
}

/* --- clients -----------------------------------------------------------------------------------
 */

#define UPGRADE                                                                                    \
    " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                        \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

#define CLIENTS_MAX 1024 /* descriptors */

static char body[65536]; /* of the latest answer */
static SSL_CTX *tls;     /* NULL: clients speak plain */
static SSL *sessions[CLIENTS_MAX];

static void shake_hands(int fd)
{
    cr_assert(fd < CLIENTS_MAX);
    sessions[fd] = SSL_new(tls);
    SSL_set_fd(sessions[fd], fd);
    int rc = SSL_connect(sessions[fd]);
    ensure(rc == 1 || !strict);
}

static void hang_up(int fd)
{
    SSL_free(sessions[fd]);
    sessions[fd] = NULL;
    close(fd);
}

static ssize_t send_some(int fd, const void *bytes, size_t size)
{
    return tls ? SSL_write(sessions[fd], bytes, (int)size) : send(fd, bytes, size, MSG_NOSIGNAL);
}

static ssize_t receive_some(int fd, void *out, size_t size)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    if (!tls || SSL_pending(sessions[fd]) == 0)
        ensure(poll(&one, 1, LIMIT_MS) > 0); /* neither answered nor closed */
    return tls ? SSL_read(sessions[fd], out, (int)size) : recv(fd, out, size, 0);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(host.server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, small = 4096;
    if (tls)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls)
        shake_hands(fd);
    return fd;
}

/* What does not arrive shows in the answer. */
static void put(int fd, const void *bytes, size_t size)
{
    size_t sent = 0;
    for (ssize_t n = 1; sent < size && n > 0; sent += n > 0 ? (size_t)n : 0)
        n = send_some(fd, (const char *)bytes + sent, size - sent);
}

static void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

/* False: the connection has ended. */
static bool get(int fd, void *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = receive_some(fd, (char *)out + got, size - got);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* The status of the next answer; 0: the connection has ended. */
static int take_answer(int fd)
{
    char head[4096];
    size_t used = 0;
    for (head[0] = '\0'; !strstr(head, "\r\n\r\n"); head[++used] = '\0')
        if (used + 2 == sizeof head || !get(fd, head + used, 1))
            return 0;
    int status = atoi(head + 9);
    const char *length = strstr(head, "Content-Length: ");
    size_t size = length ? strtoul(length + 16, NULL, 10) : 0;
    cr_assert(size < sizeof body);
    bool whole = get(fd, body, size);
    ensure(whole || (tls && !strict)); /* whole or not there; over TLS it may be cut */
    if (!whole)
        return 0;
    body[size] = '\0';
    return status;
}

/* False: cut, or refused for want of memory; nothing more comes on this connection. */
static bool answered(int fd, int wanted, const char *with)
{
    int status = take_answer(fd);
    if (strict || (status != 0 && status < 500))
        cr_assert(status == wanted, "allocation %lu, %u in a row: %d instead of %d", failing, row,
                  status, wanted);
    if (status == wanted && with)
        ensure(strcmp(body, with) == 0);
    return status == wanted;
}

static void visit_pages(void)
{
    static char post[BODY + 200];
    int fd = dial();
    put_text(fd, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
    if (answered(fd, 200, "/one")) {
        put_text(fd, "GET /two HTTP/1.1\r\nHost: a\r\n\r\nGET /three HTTP/1.1\r\nHost: a\r\n\r\n");
        if (answered(fd, 200, "/two"))
            answered(fd, 200, "/three");
    }
    hang_up(fd);
    int n = snprintf(post, sizeof post,
                     "POST /four HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(post + n, 'x', BODY);
    fd = dial();
    put_text(fd, post);
    answered(fd, 200, post + n);
    hang_up(fd);
    fd = dial();
    put_text(fd, "no request\r\n\r\n");
    answered(fd, 400, NULL);
    hang_up(fd);
    fd = dial();
    put_text(fd, "GET /not" UPGRADE);
    answered(fd, 401, "no");
    hang_up(fd);
}

/* One masked frame, at most 125 bytes of payload. */
static void say(int fd, uint8_t first, const char *text)
{
    uint8_t frame[6 + 125] = {first, (uint8_t)(0x80 | strlen(text))};
    memcpy(frame + 6, text, strlen(text));
    put(fd, frame, 6 + strlen(text));
}

/* The next text; "" when the socket ends, whatever its Close says, which *code gets. */
static const char *hear(int fd, unsigned *code)
{
    static char text[126];
    uint8_t head[2], close_payload[125];
    *code = 0;
    if (!get(fd, head, 2))
        return "";
    size_t size = head[1] & 0x7f;
    cr_assert(size <= 125 && (head[0] == 0x81 || head[0] == 0x88), "%02x %zu", head[0], size);
    if (head[0] == 0x88) {
        if (get(fd, close_payload, size) && size >= 2)
            *code = (unsigned)close_payload[0] << 8 | close_payload[1];
        return "";
    }
    if (!get(fd, text, size))
        return "";
    text[size] = '\0';
    return text;
}

/* False: the socket has ended. What is heard is what comes next, or the end. */
static bool heard(int fd, const char *wanted)
{
    unsigned code;
    const char *text = hear(fd, &code);
    if (strict || *text)
        cr_assert(strcmp(text, wanted) == 0, "allocation %lu, %u in a row: '%s' instead of '%s'",
                  failing, row, text, wanted);
    return *text;
}

static bool heard_burst(int fd)
{
    char number[16];
    for (int i = 0; i < BURST; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (!heard(fd, number))
            return false;
    }
    return true;
}

static void visit_socket(void)
{
    unsigned code;
    int fd = dial();
    put_text(fd, "GET /" UPGRADE);
    if (!answered(fd, 101, NULL) || !heard(fd, "welcome"))
        goto done;
    say(fd, 0x81, "hello");
    if (!heard(fd, "hello"))
        goto done;
    say(fd, 0x01, "one message ");
    say(fd, 0x00, "in three ");
    say(fd, 0x80, "frames");
    if (!heard(fd, "one message in three frames"))
        goto done;
    say(fd, 0x81, "burst");
    if (!heard_burst(fd))
        goto done;
    say(fd, 0x81, "bye");
    ensure(*hear(fd, &code) == '\0');
    ensure(code == 1001 || (!strict && code == 0));
done:
    hang_up(fd);
}

static void visit(void)
{
    visit_pages();
    visit_socket();
}

/* --- runs --------------------------------------------------------------------------------------
 */

/* All are gone and nothing of them is left. */
static void settle(void)
{
    facts_t facts = tell(FACTS, 0, 0);
    for (int ms = 0; ms < LIMIT_MS && facts.stats.open_sockets; ms++) {
        poll(NULL, 0, 1);
        facts = tell(FACTS, 0, 0);
    }
    const cf_server_stats_t *stats = &facts.stats;
    ensure(stats->open_sockets == 0 && stats->open_websockets == 0);
    ensure(stats->queued_bytes == 0 && stats->request_bytes == 0 && stats->message_bytes == 0);
    ensure(facts.handed == facts.gone && stats->tls.flushing == 0);
}

/* Returns how many allocations there were. */
static unsigned long run(unsigned long nth, unsigned in_a_row)
{
    failing = nth;
    row = in_a_row;
    strict = nth == 0;
    tell(BEGIN, nth, in_a_row);
    visit();
    settle();
    unsigned long count = tell(END, 0, 0).allocations;
    strict = true;
    visit();
    settle();
    return count;
}

static void fail_each(unsigned in_a_row)
{
    unsigned long count = run(0, 1);
    cr_assert(count > 20, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, in_a_row);
}

static void open_server(void)
{
    cr_assert(pipe2(host.orders, O_CLOEXEC) == 0 && pipe2(host.replies, O_CLOEXEC) == 0);
    fcntl(host.orders[0], F_SETFL, O_NONBLOCK);
    cr_assert(cf_server_new(&host.server, &config, &events, NULL, host.orders[0]) == 0);
    cr_assert(pthread_create(&host.thread, NULL, serve, NULL) == 0);
}

static void close_server(void)
{
    tell(STOP, 0, 0);
    pthread_join(host.thread, NULL);
    cf_server_destroy(&host.server);
}

static char folder[] = "/tmp/confab-test-exhaustion-XXXXXX", cert[64], key[64];

/* With buffers so small that an answer does not leave at once. */
static void set_up_tls(void)
{
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    make_certificate(cert, key, &(certificate_recipe_t){.from_s = -60, .until_s = 86400});
    config.certificate = (cf_certificate_config_t){.cert_file = cert, .key_file = key};
    config.send_buffer_bytes = 4096;
    signal(SIGPIPE, SIG_IGN); /* the clients' OpenSSL uses write(2) */
    tls = SSL_CTX_new(TLS_client_method());
}

static void tear_down_tls(void)
{
    SSL_CTX_free(tls);
    unlink(cert);
    unlink(key);
    rmdir(folder);
}

static void open_tls_server(void)
{
    set_up_tls();
    open_server();
}

static void close_tls_server(void)
{
    close_server();
    tear_down_tls();
}

TestSuite(exhaustion_server, .timeout = 900);

Test(exhaustion_server, any_one_allocation_may_fail, .init = open_server, .fini = close_server)
{
    fail_each(1);
}

Test(exhaustion_server, no_memory_for_a_while_is_survived, .init = open_server,
     .fini = close_server)
{
    fail_each(2);
    fail_each(5);
}

Test(exhaustion_server, any_one_allocation_may_fail_over_tls, .init = open_tls_server,
     .fini = close_tls_server)
{
    fail_each(1);
    fail_each(3);
}

static void make_whole_or_not_at_all(void)
{
    cf_server_t *server;
    failing_malloc_begin(0, 1);
    cr_assert(cf_server_new(&server, &config, &events, NULL, -1) == 0);
    unsigned long count = failing_malloc_end();
    cf_server_destroy(&server);
    cr_assert(count > 0);
    for (unsigned long nth = 1; nth <= count; nth++) {
        failing_malloc_begin(nth, 1);
        cr_assert(cf_server_new(&server, &config, &events, NULL, -1) == CF_ENOMEM, "allocation %lu",
                  nth);
        failing_malloc_end();
    }
}

Test(exhaustion_server, is_made_whole_or_not_at_all)
{
    make_whole_or_not_at_all();
}

Test(exhaustion_server, is_made_whole_or_not_at_all_with_tls, .init = set_up_tls,
     .fini = tear_down_tls)
{
    make_whole_or_not_at_all();
}
