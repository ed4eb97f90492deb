/* The terminator alone, on a loop of its own thread. The test is on both sides: it dials as a client
 * over real sockets, and holds the plaintext ends that a server would have. SIGPIPE is deadly in the
 * terminator's thread, as in a process that does not ignore it. */
#include "err.h"
#include "http/listener.h"
#include "http/tls.h"
#include "make_certificate.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define HAS_OWN_MALLOC                                /* mallinfo2() knows nothing of it */
size_t __sanitizer_get_current_allocated_bytes(void); /* its header belongs to clang */
#endif

#define LIMIT_MS 20000 /* how long any wait may take; far beyond what is measured */
#define DAY_S 86400
#define BIG (4 << 20)    /* far beyond what all buffers on the way hold together */
#define BIG_FRAME 100000 /* far beyond one record */

/* ---- the host: what a server does for its terminator, on a thread of its own ---- */

typedef enum { FACTS, RELOAD, DESTROY, WRITE_STEP, WRITE_BIG, LET_GO } order_t;

typedef struct {
    cf_tls_stats_t stats;
    int accepted, ended; /* clients; seats given back */
    int rc;              /* of RELOAD, and of writing */
    int rooms;           /* times there was room again */
    bool holds;          /* the link that is held */
    uint64_t carried;    /* by it, to the server */
} facts_t;

static struct {
    pthread_t thread;
    uv_loop_t loop;
    uv_poll_t inbox;
    uv_check_t check;
    uv_timer_t second;
    cf_wheel_t wheel;
    cf_listener_t listener;
    cf_tls_t *tls;
    int orders[2], replies[2], plaintext[2]; /* pipes; through the last come the far ends */
    facts_t facts;
    struct sockaddr_in peer; /* of the newest far end */
    bool is_to_hold;
    cf_tls_link_t *link; /* the newest, if it is held */
    size_t written;      /* the short way: bytes of one pattern */
} host;

static cf_tls_config_t config; /* a test changes what it is about before it opens the host */
static char folder[] = "/tmp/confab-test-tls-XXXXXX";
static char cert[64], key[64];

static void on_accept(void *owner, int fd, const struct sockaddr *peer)
{
    (void)owner;
    host.facts.accepted++;
    cf_tls_accept(host.tls, fd, peer, &host.facts.ended);
}

static void on_room(void *arg)
{
    (void)arg;
    host.facts.rooms++;
}

static void on_open(void *owner, int fd, const struct sockaddr *peer, cf_tls_link_t *link)
{
    (void)owner;
    if (host.is_to_hold) {
        host.link = link;
        cf_tls_on_room(link, on_room, NULL);
    } else {
        cf_tls_let_go(link);
    }
    memcpy(&host.peer, peer, sizeof host.peer);
    cr_assert(write(host.plaintext[1], &fd, sizeof fd) == sizeof fd);
}

static void on_end(void *owner, void *seat)
{
    (void)owner;
    ++*(int *)seat;
}

static void close_handles(void)
{
    uv_close((uv_handle_t *)&host.inbox, NULL);
    uv_close((uv_handle_t *)&host.check, NULL);
    uv_close((uv_handle_t *)&host.second, NULL);
}

static void fill_pattern(uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

/* Writes the short way; a buffer's pattern is told by where in the stream it begins. */
static void write_short_way(size_t size)
{
    static uint8_t bytes[BIG_FRAME];
    fill_pattern(bytes, size, (uint32_t)host.written);
    host.facts.rc = cf_tls_write(host.link, bytes, size);
    host.written += host.facts.rc > 0 ? size : 0;
}

static void on_order(uv_poll_t *poll, int status, int events)
{
    order_t order;
    (void)poll;
    (void)status;
    (void)events;
    if (read(host.orders[0], &order, sizeof order) != sizeof order)
        return;
    if (order == RELOAD)
        host.facts.rc = cf_tls_reload(host.tls);
    if (order == WRITE_STEP || order == WRITE_BIG)
        write_short_way(order == WRITE_BIG ? BIG_FRAME : CF_TLS_STEP);
    if (order == LET_GO) {
        cf_tls_let_go(host.link);
        host.link = NULL;
    }
    host.facts.holds = host.link && cf_tls_holds(host.link);
    host.facts.carried = host.link ? cf_tls_carried(host.link) : 0;
    if (order == DESTROY) {
        cf_listener_close(&host.listener);
        cf_tls_destroy(&host.tls);
        close_handles();
    }
    cr_assert(write(host.replies[1], &host.facts, sizeof host.facts) > 0);
}

static void on_check(uv_check_t *check)
{
    (void)check;
    if (host.tls)
        cf_tls_pass(host.tls);
}

static void on_second(uv_timer_t *timer)
{
    (void)timer;
    cf_wheel_advance(&host.wheel, (int64_t)uv_now(&host.loop));
    cf_listener_rest_over(&host.listener);
}

static void *serve(void *arg)
{
    uv_run(&host.loop, UV_RUN_DEFAULT);
    return arg;
}

static const certificate_recipe_t recipe = {.serial = 1001, .from_s = -60, .until_s = 30 * DAY_S};

static void set_up(void)
{
    mallopt(M_ARENA_MAX, 1); /* so that mallinfo2() tells of all threads */
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    make_certificate(cert, key, &recipe);
    config = (cf_tls_config_t){.certificate = {.cert_file = cert, .key_file = key},
                               .handshake_ms = 60000,
                               .stall_ms = 60000,
                               .close_ms = 60000};
}

static void open_host(void)
{
    cf_tls_events_t events = {on_open, on_end};
    cr_assert(pipe2(host.orders, O_CLOEXEC) == 0 && pipe2(host.replies, O_CLOEXEC) == 0 &&
              pipe2(host.plaintext, O_CLOEXEC) == 0);
    cr_assert(eq(int, uv_loop_init(&host.loop), 0));
    cf_wheel_init(&host.wheel, (int64_t)uv_now(&host.loop));
    cr_assert(eq(
        int,
        cf_tls_new(&host.tls, &config, &events, &host, &host.loop, &host.wheel, &host.facts.stats),
        0));
    cr_assert(eq(
        int,
        cf_listener_bind(&host.listener, "127.0.0.1:0", false, (cf_socket_buffers_t){65536, 65536}),
        0));
    cr_assert(eq(int, cf_listener_start(&host.listener, &host.loop, on_accept, &host), 0));
    uv_poll_init(&host.loop, &host.inbox, host.orders[0]);
    uv_poll_start(&host.inbox, UV_READABLE, on_order);
    uv_check_init(&host.loop, &host.check);
    uv_check_start(&host.check, on_check);
    uv_timer_init(&host.loop, &host.second);
    uv_timer_start(&host.second, on_second, CF_WHEEL_TICK_MS, CF_WHEEL_TICK_MS);
    cr_assert(eq(int, pthread_create(&host.thread, NULL, serve, NULL), 0));
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* the test's own thread alone */
}

static bool wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, LIMIT_MS) > 0;
}

static facts_t tell(order_t order)
{
    facts_t facts = {0};
    cr_assert(write(host.orders[1], &order, sizeof order) > 0);
    cr_assert(wait_for(host.replies[0], POLLIN), "the host does not answer");
    cr_assert(read(host.replies[0], &facts, sizeof facts) == sizeof facts);
    return facts;
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
        facts_t facts = tell(FACTS);                                                               \
        while (!(condition) && now_ms() < end_ms) {                                                \
            poll(NULL, 0, 2);                                                                      \
            facts = tell(FACTS);                                                                   \
        }                                                                                          \
        cr_assert(condition, "waited in vain for " #condition);                                    \
    } while (0)

static void destroy_host(void)
{
    tell(DESTROY);
    pthread_join(host.thread, NULL);
    cr_assert(eq(int, uv_loop_close(&host.loop), 0), "every handle was closed");
    cr_assert(eq(int, host.facts.accepted, host.facts.ended), "each seat is given back once");
    cr_assert(eq(u64, host.facts.stats.flushing, 0));
    host.thread = 0;
}

static void tear_down(void)
{
    if (host.thread)
        destroy_host();
    unlink(cert);
    unlink(key);
    rmdir(folder);
}

TestSuite(tls, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- the far side ---- */

/* The plaintext end of the client that shook hands next. */
static int far_end(void)
{
    int fd = -1;
    cr_assert(wait_for(host.plaintext[0], POLLIN), "nobody shook hands");
    cr_assert(read(host.plaintext[0], &fd, sizeof fd) == sizeof fd);
    return fd;
}

static void far_put(int far, const void *bytes, size_t size)
{
    for (size_t put = 0; put < size;) {
        cr_assert(wait_for(far, POLLOUT));
        ssize_t n = send(far, (const char *)bytes + put, size - put, MSG_NOSIGNAL);
        cr_assert(n > 0 || errno == EAGAIN);
        put += n > 0 ? (size_t)n : 0;
    }
}

/* Reads `size` bytes, or to the end; how many there were. */
static size_t far_get(int far, void *out, size_t size)
{
    size_t got = 0;
    while (got < size) {
        cr_assert(wait_for(far, POLLIN), "nothing more comes");
        ssize_t n = recv(far, (char *)out + got, size - got, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            break;
        cr_assert(n > 0 || errno == EAGAIN);
        got += n > 0 ? (size_t)n : 0;
    }
    return got;
}

static void far_expect(int far, const char *text)
{
    char got[256] = "";
    cr_assert(lt(sz, strlen(text), sizeof got));
    cr_assert(eq(sz, far_get(far, got, strlen(text)), strlen(text)));
    cr_assert(eq(str, got, (char *)text));
}

static void far_expect_end(int far)
{
    char byte;
    cr_assert(eq(sz, far_get(far, &byte, 1), 0));
}

/* Writes until nothing is taken any more, and the host has had its time to take it. */
static size_t far_fill(int far)
{
    static char bytes[65536];
    size_t sum = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(far, bytes, sizeof bytes, MSG_NOSIGNAL);
        sum += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        if (n < 0)
            tell(FACTS); /* a turn of its loop */
    }
    return sum;
}

/* ---- the client side ---- */

typedef struct {
    int fd;
    SSL *ssl;
} client_t;

static SSL_CTX *client_ctx(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    cr_assert(eq(int, SSL_CTX_load_verify_locations(ctx, cert, NULL), 1));
    return ctx;
}

static int dial(int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)host.listener.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {LIMIT_MS / 1000, 0};
    cr_assert(ge(int, fd, 0));
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    cr_assert(eq(int, connect(fd, (struct sockaddr *)&to, sizeof to), 0));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

static client_t prepare(SSL_CTX *ctx, int receive_buffer)
{
    client_t client = {.fd = dial(receive_buffer), .ssl = SSL_new(ctx)};
    SSL_set_fd(client.ssl, client.fd);
    SSL_CTX_free(ctx);
    return client;
}

static client_t shake(SSL_CTX *ctx)
{
    client_t client = prepare(ctx, 0);
    cr_assert(eq(int, SSL_connect(client.ssl), 1), "%s", ERR_reason_error_string(ERR_peek_error()));
    return client;
}

/* A client that shook hands, and its far end. */
static client_t open_client(int *far)
{
    client_t client = shake(client_ctx());
    *far = far_end();
    return client;
}

static client_t open_client_1_2(int *far)
{
    SSL_CTX *ctx = client_ctx();
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    client_t client = shake(ctx);
    *far = far_end();
    return client;
}

static void client_put(client_t *client, const void *bytes, size_t size)
{
    size_t put;
    cr_assert(SSL_write_ex(client->ssl, bytes, size, &put) == 1 && put == size);
}

/* Reads `size` bytes, or to the end; how many there were. */
static size_t client_get(client_t *client, void *out, size_t size)
{
    size_t got = 0, n;
    while (got < size && SSL_read_ex(client->ssl, (char *)out + got, size - got, &n) == 1)
        got += n;
    return got;
}

static void client_expect(client_t *client, const char *text)
{
    char got[256] = "";
    cr_assert(eq(sz, client_get(client, got, strlen(text)), strlen(text)));
    cr_assert(eq(str, got, (char *)text));
}

/* close_notify has come, and behind it the end of the stream. */
static void client_expect_end(client_t *client)
{
    char byte;
    int n = SSL_read(client->ssl, &byte, 1);
    cr_assert(eq(int, n, 0));
    cr_assert(eq(int, SSL_get_error(client->ssl, n), SSL_ERROR_ZERO_RETURN));
    cr_assert(eq(int, (int)recv(client->fd, &byte, 1, 0), 0));
}

static void client_close(client_t *client)
{
    SSL_free(client->ssl);
    close(client->fd);
}

/* As a machine does that lost its power and came back. */
static void client_reset(client_t *client)
{
    struct linger now = {1, 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client_close(client);
}

/* The connection ends without an answer, by an end or a reset. */
static void expect_cut(int fd)
{
    char bytes[256];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ; /* an alert */
    cr_assert(n == 0 || errno == ECONNRESET, "%s", strerror(errno));
    close(fd);
}

static size_t allocated(void)
{
#ifdef HAS_OWN_MALLOC
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* ---- shaking hands ---- */

Test(tls, carries_bytes_both_ways_and_tells_who_it_is)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    getsockname(client.fd, (struct sockaddr *)&own, &size);
    cr_expect(eq(int, host.peer.sin_port, own.sin_port));
    cr_expect(eq(str, (char *)SSL_get_version(client.ssl), "TLSv1.3"));
    client_put(&client, "hello", 5);
    far_expect(far, "hello");
    far_put(far, "world", 5);
    client_expect(&client, "world");
    cr_expect(eq(u64, tell(FACTS).stats.handshakes, 1));
    client_close(&client);
    close(far);
    UNTIL(facts.ended == 1);
}

Test(tls, a_request_right_behind_the_handshake_is_not_left_lying)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    uint8_t flight[8192];
    int size = 0;
    open_host();
    client_t client = {.fd = dial(0), .ssl = NULL};
    SSL_CTX *ctx = client_ctx();
    client.ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(client.ssl, in, out);
    while (SSL_connect(client.ssl) != 1) {
        size = BIO_read(out, flight, sizeof flight);
        cr_assert(size <= 0 || send(client.fd, flight, (size_t)size, 0) == size);
        ssize_t n = recv(client.fd, flight, sizeof flight, 0);
        cr_assert(n > 0);
        BIO_write(in, flight, (int)n);
    }
    SSL_write(client.ssl, request, sizeof request - 1);
    size = BIO_read(out, flight, sizeof flight); /* Finished and the request, in one segment */
    cr_assert(send(client.fd, flight, (size_t)size, 0) == size);
    int far = far_end();
    far_expect(far, request);
    client_close(&client);
    close(far);
}

typedef struct {
    int min, max;
    const char *ciphers; /* of 1.2 */
    const char *alpn;    /* with lengths */
    bool only_1_3;       /* the server's */
    bool is_taken;
} offer_t;

static const offer_t offers[] = {
    {TLS1_2_VERSION, TLS1_2_VERSION, NULL, NULL, false, true},
    {TLS1_3_VERSION, TLS1_3_VERSION, NULL, NULL, false, true},
    {TLS1_VERSION, TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL, false, false},
    {TLS1_2_VERSION, TLS1_2_VERSION, NULL, NULL, true, false},
    {TLS1_2_VERSION, TLS1_3_VERSION, NULL, NULL, true, true},
    {TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", NULL, false, true},
    {TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, false, true},
    {TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL, false, false}, /* CBC */
    {TLS1_2_VERSION, TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, false, false}, /* no own keys */
    {TLS1_3_VERSION, TLS1_3_VERSION, NULL, "\x08http/1.1", false, true},
    {TLS1_3_VERSION, TLS1_3_VERSION, NULL, "\x02h2\x08http/1.1", false, true},
    {TLS1_3_VERSION, TLS1_3_VERSION, NULL, "\x02h2", false, false},
    {TLS1_2_VERSION, TLS1_2_VERSION, NULL, "\x08http/1.0", false, false},
};

static client_t make_offer(const offer_t *offer)
{
    SSL_CTX *ctx = client_ctx();
    SSL_CTX_set_min_proto_version(ctx, offer->min);
    SSL_CTX_set_max_proto_version(ctx, offer->max);
    if (offer->ciphers)
        cr_assert(eq(int, SSL_CTX_set_cipher_list(ctx, offer->ciphers), 1));
    if (offer->alpn)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)offer->alpn,
                                (unsigned)strlen(offer->alpn));
    return prepare(ctx, 0);
}

Test(tls, speaks_no_old_version_no_weak_suite_and_no_other_protocol)
{
    for (int only_1_3 = 0; only_1_3 < 2; only_1_3++) {
        uint64_t refused = 0, taken = 0;
        config.certificate.only_1_3 = only_1_3;
        host.facts = (facts_t){0};
        open_host();
        for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
            if (offers[i].only_1_3 != only_1_3)
                continue;
            client_t client = make_offer(&offers[i]);
            bool done = SSL_connect(client.ssl) == 1;
            char byte;
            if (done && offers[i].is_taken) {
                const unsigned char *protocol;
                unsigned size;
                SSL_get0_alpn_selected(client.ssl, &protocol, &size);
                cr_expect(eq(int, size != 0, offers[i].alpn != NULL), "offer %zu", i);
                cr_expect(SSL_get_current_compression(client.ssl) == NULL);
                close(far_end());
                taken++;
            } else { /* a client of 1.3 is done before it hears of the refusal */
                cr_expect(not(offers[i].is_taken), "offer %zu", i);
                cr_expect(le(int, done ? SSL_read(client.ssl, &byte, 1) : 0, 0), "offer %zu", i);
                refused++;
            }
            client_close(&client);
            UNTIL(facts.stats.handshakes == taken && facts.stats.failed_unsupported == refused);
        }
        destroy_host();
    }
}

Test(tls, a_session_is_resumed_and_takes_no_early_data)
{
    int far;
    open_host();
    SSL_CTX *ctx = client_ctx();
    SSL_CTX_up_ref(ctx);
    client_t client = shake(ctx);
    far = far_end();
    far_put(far, "x", 1);
    client_expect(&client, "x"); /* and the ticket before it */
    SSL_SESSION *session = SSL_get1_session(client.ssl);
    cr_assert(SSL_SESSION_is_resumable(session));
    cr_expect(eq(u32, SSL_SESSION_get_max_early_data(session), 0));
    SSL_shutdown(client.ssl); /* else OpenSSL takes the session for a bad one */
    client_close(&client);
    close(far);
    client = prepare(ctx, 0);
    SSL_set_session(client.ssl, session);
    cr_assert(eq(int, SSL_connect(client.ssl), 1));
    cr_expect(eq(int, SSL_session_reused(client.ssl), 1));
    far = far_end();
    client_put(&client, "again", 5);
    far_expect(far, "again");
    cr_expect(eq(u64, tell(FACTS).stats.resumed, 1));
    SSL_SESSION_free(session);
    client_close(&client);
    close(far);
}

Test(tls, is_not_asked_for_another_handshake)
{
    int far;
    open_host();
    client_t client = open_client_1_2(&far);
    cr_assert(eq(int, SSL_renegotiate(client.ssl), 1));
    cr_expect(le(int, SSL_do_handshake(client.ssl), 0));
    cr_expect(eq(int, ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION));
    client_close(&client);
    far_expect_end(far);
    close(far);
    UNTIL(facts.ended == 1);
}

Test(tls, plain_http_is_closed_and_counted)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    open_host();
    int fd = dial(0);
    cr_assert(send(fd, request, sizeof request - 1, 0) > 0);
    expect_cut(fd);
    UNTIL(facts.stats.failed_http == 1 && facts.ended == 1);
}

Test(tls, garbage_is_closed_and_counted)
{
    static const char garbage[][16] = {"\x16\x03\x01\x00\x05hello", "\xff\xff\xff\xff\xff\xff",
                                       "\x80\x2e\x01\x03\x01\x00\x15", "\x17\x03\x03\x00\x05hello"};
    open_host();
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        uint8_t bytes[512] = {0};
        memcpy(bytes, garbage[i], sizeof garbage[i]);
        int fd = dial(0);
        cr_assert(send(fd, bytes, sizeof bytes, 0) > 0);
        expect_cut(fd);
        UNTIL(facts.stats.failed_malformed + facts.stats.failed_unsupported == i + 1);
    }
    UNTIL(facts.ended == 4);
}

Test(tls, who_leaves_within_the_handshake_is_counted)
{
    open_host();
    int fd = dial(0);
    close(fd); /* at once */
    UNTIL(facts.stats.failed_left == 1);
    fd = dial(0);
    cr_assert(send(fd, "\x16\x03\x01\x02\x00\x01", 6, 0) == 6);
    UNTIL(facts.accepted == 2);
    close(fd); /* within its first record */
    UNTIL(facts.stats.failed_left == 2);
    client_t client = {.fd = dial(0), .ssl = NULL};
    UNTIL(facts.accepted == 3);
    client_reset(&client);
    UNTIL(facts.stats.failed_left == 3 && facts.ended == 3);
}

Test(tls, who_does_not_trust_us_says_so)
{
    open_host();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    client_t client = prepare(ctx, 0);
    cr_assert(ne(int, SSL_connect(client.ssl), 1));
    UNTIL(facts.stats.failed_rejected == 1 && facts.ended == 1);
    client_close(&client);
}

Test(tls, a_handshake_has_its_time_whatever_drips)
{
    config.handshake_ms = 1000;
    open_host();
    int silent = dial(0), partial = dial(0), dripping = dial(0);
    cr_assert(send(partial, "\x16\x03\x01\x02\x00\x01", 6, 0) == 6);
    cr_assert(send(dripping, "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc", 9, 0) == 9);
    while (send(dripping, "\x01", 1, MSG_NOSIGNAL) == 1 && tell(FACTS).ended < 3)
        poll(NULL, 0, 5);
    expect_cut(silent);
    expect_cut(partial);
    expect_cut(dripping);
    UNTIL(facts.stats.failed_slow == 3 && facts.ended == 3);
}

/* What a new client says first, into out; its size. */
static int first_flight(uint8_t out[2048])
{
    SSL_CTX *ctx = client_ctx();
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *flight = BIO_new(BIO_s_mem());
    SSL_CTX_free(ctx);
    SSL_set_bio(ssl, in, flight);
    SSL_connect(ssl);
    int size = BIO_read(flight, out, 2048);
    SSL_free(ssl);
    return size;
}

/* Clients that get stuck in their handshake, with all of their hello sent or without its last byte. */
Test(tls, a_flood_of_handshakes_keeps_nobody_out_and_takes_little)
{
    enum { FLOOD = 200 };
    uint8_t hello[2048];
    open_host();
    int size = first_flight(hello);
    for (int missing = 1; missing >= 0; missing--) {
        int fds[FLOOD], far;
        size_t before = allocated(), bound = missing ? 2 << 10 : 64 << 10;
        for (int i = 0; i < FLOOD; i++) {
            fds[i] = dial(0);
            cr_assert(send(fds[i], hello, (size_t)(size - missing), 0) == size - missing);
        }
        client_t client = open_client(&far);
        client_put(&client, "in", 2);
        far_expect(far, "in");
        size_t each = (allocated() - before) / FLOOD;
        cr_expect(le(sz, each, bound), "%zu bytes for each, %d bytes missing", each, missing);
        for (int i = 0; i < FLOOD; i++)
            close(fds[i]);
        client_close(&client);
        close(far);
        UNTIL(facts.stats.failed_left == (missing ? FLOOD : 2 * FLOOD));
    }
}

Test(tls, without_descriptors_a_client_is_closed_and_counted)
{
    struct rlimit before, none;
    int far, spare[2];
    open_host();
    client_t first = open_client(&far);
    client_t client = prepare(client_ctx(), 0);
    UNTIL(facts.accepted == 2);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)client.fd; /* nothing above the newest */
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &none), 0));
    for (int i = 0; (spare[0] = dup(client.fd)) >= 0; i++) /* nor in a gap */
        cr_assert(lt(int, i, 1000));
    char byte;
    if (SSL_connect(client.ssl) == 1)
        SSL_read(client.ssl, &byte, 1);
    UNTIL(facts.stats.failed_resources == 1 && facts.ended == 1);
    setrlimit(RLIMIT_NOFILE, &before);
    client_put(&first, "still here", 10);
    far_expect(far, "still here");
    client_close(&client);
    client_close(&first);
    close(far);
}

/* ---- carrying ---- */

/* Everything the client says goes byte by byte, each in a segment of its own. */
Test(tls, a_client_that_sends_byte_by_byte_is_understood)
{
    uint8_t flight[8192];
    int far = -1, size;
    open_host();
    client_t client = {.fd = dial(0), .ssl = NULL};
    SSL_CTX *ctx = client_ctx();
    client.ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(client.ssl, in, out);
    for (bool done = false; !done;) {
        done = SSL_connect(client.ssl) == 1;
        while ((size = BIO_read(out, flight, sizeof flight)) > 0)
            for (int i = 0; i < size; i++)
                cr_assert(send(client.fd, flight + i, 1, 0) == 1);
        ssize_t n = done ? 0 : recv(client.fd, flight, sizeof flight, 0);
        cr_assert(n > 0 || done);
        if (n > 0)
            BIO_write(in, flight, (int)n);
    }
    far = far_end();
    SSL_write(client.ssl, "spelt out", 9);
    size = BIO_read(out, flight, sizeof flight);
    for (int i = 0; i < size; i++) {
        cr_assert(send(client.fd, flight + i, 1, 0) == 1);
        tell(FACTS);
    }
    far_expect(far, "spelt out");
    client_close(&client);
    close(far);
}

typedef struct {
    int far;
    size_t size;
} echo_t;

/* The far end sends back what comes, until `size` bytes went both ways. */
static void *echo(void *arg)
{
    const echo_t *self = arg;
    static uint8_t bytes[16384];
    for (size_t done = 0; done < self->size;) {
        if (!wait_for(self->far, POLLIN))
            return NULL;
        ssize_t n = recv(self->far, bytes, sizeof bytes, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return NULL;
        for (ssize_t put = 0; put < n;) {
            ssize_t sent = send(self->far, bytes + put, (size_t)(n - put), MSG_NOSIGNAL);
            if (sent < 0 && (errno != EAGAIN || !wait_for(self->far, POLLOUT)))
                return NULL;
            put += sent > 0 ? sent : 0;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return arg;
}

Test(tls, big_streams_cross_each_other_unharmed)
{
    uint8_t *sent = malloc(BIG), *got = malloc(BIG);
    pthread_t thread;
    int far;
    fill_pattern(sent, BIG, 1);
    open_host();
    client_t client = open_client(&far);
    echo_t job = {far, BIG};
    pthread_create(&thread, NULL, echo, &job);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    size_t put = 0, taken = 0, n;
    while (taken < BIG) {
        struct pollfd one = {.fd = client.fd, .events = put < BIG ? POLLIN | POLLOUT : POLLIN};
        while (put < BIG && SSL_write_ex(client.ssl, sent + put, BIG - put, &n) == 1)
            put += n;
        while (taken < BIG && SSL_read_ex(client.ssl, got + taken, BIG - taken, &n) == 1)
            taken += n;
        cr_assert(taken == BIG || poll(&one, 1, LIMIT_MS) > 0, "%zu out, %zu back", put, taken);
    }
    cr_assert(eq(int, memcmp(sent, got, BIG), 0));
    void *done;
    pthread_join(thread, &done);
    cr_assert(done != NULL);
    free(sent);
    free(got);
    client_close(&client);
    close(far);
}

Test(tls, a_client_that_does_not_read_stops_the_server)
{
    int far, small = 8192;
    open_host();
    client_t client = prepare(client_ctx(), small);
    cr_assert(eq(int, SSL_connect(client.ssl), 1));
    far = far_end();
    size_t held = far_fill(far);
    /* the pair, what waits for the wire, and the kernel's buffers of TCP */
    cr_expect(lt(sz, held, (size_t)(4 * CF_TLS_PAIR_BYTES + CF_TLS_UNSENT_MAX + 2 * 65536 + 65536)),
              "%zu bytes were taken", held);
    client_put(&client, "the other way is free", 21);
    far_expect(far, "the other way is free");
    static char bytes[65536];
    for (size_t got = 0; got < held;) {
        size_t n =
            client_get(&client, bytes, held - got < sizeof bytes ? held - got : sizeof bytes);
        cr_assert(gt(sz, n, 0));
        got += n;
    }
    far_put(far, "and on", 6);
    client_expect(&client, "and on");
    client_close(&client);
    close(far);
}

Test(tls, a_server_that_does_not_read_stops_the_client)
{
    static uint8_t bytes[8192];
    int far;
    open_host();
    client_t client = open_client(&far);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    size_t held = 0, n;
    for (int idle = 0; idle < 20; idle++) {
        fill_pattern(bytes, sizeof bytes, (uint32_t)held);
        while (SSL_write_ex(client.ssl, bytes, sizeof bytes, &n) == 1) {
            cr_assert(eq(sz, n, sizeof bytes));
            held += n;
            idle = 0;
            fill_pattern(bytes, sizeof bytes, (uint32_t)held);
        }
        tell(FACTS);
    }
    cr_expect(lt(sz, held, (size_t)(16 << 20)), "%zu bytes were taken", held);
    far_put(far, "the other way is free", 21);
    fcntl(client.fd, F_SETFL, 0);
    client_expect(&client, "the other way is free");
    static uint8_t got[8192];
    for (size_t at = 0; at < held; at += sizeof got) {
        fill_pattern(bytes, sizeof bytes, (uint32_t)at);
        cr_assert(eq(sz, far_get(far, got, sizeof got), sizeof got));
        cr_assert(eq(int, memcmp(bytes, got, sizeof got), 0), "at %zu", at);
    }
    client_close(&client);
    close(far);
}

/* What OpenSSL has read ahead is told by no poll: it must not lie there when there is room again. */
Test(tls, small_records_that_waited_for_room_all_come)
{
    enum { RECORDS = 20000 };
    int far;
    open_host();
    client_t client = open_client(&far);
    for (int i = 0; i < RECORDS; i++) { /* more than a pair takes, in records of 8 bytes */
        char number[16];
        snprintf(number, sizeof number, "%07d\n", i);
        client_put(&client, number, 8);
    }
    for (int i = 0; i < RECORDS; i++) {
        char number[16], got[9] = "";
        snprintf(number, sizeof number, "%07d\n", i);
        cr_assert(eq(sz, far_get(far, got, 8), 8));
        cr_assert(eq(str, got, number));
    }
    client_close(&client);
    close(far);
}

/* In the middle of a record, its own answers stuck, and not read by the server: all at once. */
Test(tls, what_one_client_can_hold_is_bounded)
{
    enum { CLIENTS = 20 };
    client_t clients[CLIENTS];
    int fars[CLIENTS];
    static uint8_t zeros[1 << 20];
    open_host();
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = prepare(client_ctx(), 8192);
        cr_assert(eq(int, SSL_connect(clients[i].ssl), 1));
        fars[i] = far_end();
    }
    tell(FACTS);
    size_t idle = allocated();
    for (int i = 0; i < CLIENTS; i++)
        far_fill(fars[i]);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(eq(int, SSL_write(clients[i].ssl, zeros, 16384), 16384));
        cr_assert(eq(int, SSL_write(clients[i].ssl, zeros, 16384), 16384));
        cr_assert(eq(int, SSL_write(clients[i].ssl, zeros, 16384), 16384));
        cr_assert(eq(int, SSL_write(clients[i].ssl, zeros, 16384), 16384));
        cr_assert(send(clients[i].fd, "\x17\x03\x03\x40\x11\x00", 6, 0) == 6);
    }
    tell(FACTS);
    size_t stuck = (allocated() - idle) / CLIENTS;
    cr_expect(le(sz, stuck, (size_t)56 << 10), "%zu bytes for each", stuck);
    cr_expect(ge(sz, stuck, (size_t)16 << 10), "%zu bytes for each: nothing was held", stuck);
    for (int i = 0; i < CLIENTS; i++) {
        client_close(&clients[i]);
        close(fars[i]);
    }
    UNTIL(facts.ended == CLIENTS);
}

/* ---- the short way out ---- */

/* The next buffer of the short way is as it was written; `at` is where it begins. */
static void expect_pattern(client_t *client, size_t at, size_t size)
{
    static uint8_t got[BIG_FRAME], wanted[BIG_FRAME];
    fill_pattern(wanted, size, (uint32_t)at);
    cr_assert(eq(sz, client_get(client, got, size), size));
    cr_assert(eq(int, memcmp(got, wanted, size), 0), "at %zu", at);
}

Test(tls, what_goes_the_short_way_overtakes_nothing)
{
    int far;
    host.is_to_hold = true;
    open_host();
    client_t client = open_client(&far);
    for (int i = 0; i < 200; i++) {
        far_put(far, "the long way", 12);
        cr_assert(eq(int, tell(WRITE_STEP).rc, 1));
        client_expect(&client, "the long way");
        expect_pattern(&client, (size_t)i * CF_TLS_STEP, CF_TLS_STEP);
    }
    tell(LET_GO);
    client_close(&client);
    close(far);
    UNTIL(facts.ended == 1);
}

Test(tls, the_short_way_takes_no_more_than_it_can_hold_and_tells_of_room)
{
    int far;
    host.is_to_hold = true;
    open_host();
    client_t client = prepare(client_ctx(), 8192);
    cr_assert(eq(int, SSL_connect(client.ssl), 1));
    far = far_end();
    facts_t last;
    size_t buffers = 0;
    while ((last = tell(WRITE_STEP)).rc == 1)
        buffers++;
    cr_assert(eq(int, last.rc, 0));
    cr_assert(last.holds && last.rooms == 0);
    cr_expect(lt(sz, buffers * CF_TLS_STEP, (size_t)(4 * 65536 + CF_TLS_UNSENT_MAX)));
    far_put(far, "the long way", 12); /* waits as well */
    for (size_t i = 0; i < buffers; i++)
        expect_pattern(&client, i * CF_TLS_STEP, CF_TLS_STEP);
    client_expect(&client, "the long way");
    UNTIL(facts.rooms > 0 && !facts.holds);
    cr_assert(eq(int, tell(WRITE_BIG).rc, 1)); /* one message is taken whole */
    expect_pattern(&client, buffers * CF_TLS_STEP, BIG_FRAME);
    tell(LET_GO);
    client_close(&client);
    close(far);
}

Test(tls, the_short_way_ends_with_the_client_and_may_be_held_longer)
{
    host.is_to_hold = true;
    open_host();
    for (int round = 0; round < 2; round++) {
        int far;
        client_t client = open_client(&far);
        if (round == 1)
            while (tell(WRITE_STEP).rc == 1)
                ;
        client_reset(&client);
        UNTIL(facts.ended == round + 1);
        cr_expect(eq(int, tell(WRITE_STEP).rc, -1));
        tell(LET_GO);
        far_expect_end(far);
        close(far);
    }
}

Test(tls, tells_how_much_it_has_carried_to_the_server_also_when_the_client_has_gone)
{
    int far;
    host.is_to_hold = true;
    open_host();
    client_t client = open_client(&far);
    cr_assert(eq(u64, tell(FACTS).carried, 0));
    client_put(&client, "hello", 5);
    UNTIL(facts.carried == 5);
    client_put(&client, "again", 5);
    far_expect(far, "helloagain");
    far_put(far, "not this way", 12);
    client_expect(&client, "not this way");
    client_reset(&client);
    UNTIL(facts.ended == 1);
    cr_assert(eq(u64, tell(FACTS).carried, 10));
    tell(LET_GO);
    close(far);
}

/* ---- ends ---- */

Test(tls, a_client_that_ends_its_stream_is_still_answered)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    client_put(&client, "question", 8);
    SSL_shutdown(client.ssl); /* close_notify, and no end of TCP */
    far_expect(far, "question");
    far_expect_end(far);
    far_put(far, "answer", 6);
    close(far);
    client_expect(&client, "answer");
    client_expect_end(&client);
    client_close(&client);
    UNTIL(facts.ended == 1);
}

Test(tls, an_end_without_close_notify_is_an_end)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    client_put(&client, "question", 8);
    shutdown(client.fd, SHUT_WR);
    far_expect(far, "question");
    far_expect_end(far);
    far_put(far, "answer", 6);
    close(far);
    client_expect(&client, "answer");
    client_expect_end(&client);
    client_close(&client);
    UNTIL(facts.ended == 1 && facts.stats.broken == 0);
}

Test(tls, the_servers_end_reaches_the_client_behind_all_bytes)
{
    uint8_t *sent = malloc(BIG), *got = malloc(BIG + 1);
    int far;
    fill_pattern(sent, BIG, 7);
    open_host();
    for (int with_unread = 0; with_unread < 2; with_unread++) {
        client_t client = open_client(&far);
        if (with_unread) { /* the pair then ends with a reset, which must not eat the rest */
            client_put(&client, "nobody reads this", 17);
            cr_assert(wait_for(far, POLLIN));
        }
        size_t put = 0;
        for (ssize_t n; (n = send(far, sent + put, BIG - put, MSG_NOSIGNAL)) > 0;)
            put += (size_t)n; /* as much as is taken at once; the client reads only later */
        close(far);
        size_t size = client_get(&client, got, BIG + 1);
        cr_assert(eq(sz, size, put));
        cr_assert(eq(int, memcmp(sent, got, put), 0));
        client_expect_end(&client);
        client_close(&client);
        UNTIL(facts.ended == with_unread + 1 && facts.stats.flushing == 0);
    }
    free(sent);
    free(got);
}

/* Writes until nothing is taken any more, and the host has had its time to take it. */
static void client_fill(client_t *client)
{
    static char bytes[8192];
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (int idle = 0; idle < 20; idle++, tell(FACTS))
        while (SSL_write(client->ssl, bytes, sizeof bytes) > 0)
            idle = 0;
    fcntl(client->fd, F_SETFL, 0);
}

Test(tls, a_server_that_closes_in_the_middle_of_a_stream_has_its_say)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    client_fill(&client);
    far_put(far, "enough", 6);
    close(far); /* with much unread, here and on the way */
    client_expect(&client, "enough");
    client_expect_end(&client);
    client_close(&client);
    UNTIL(facts.ended == 1 && facts.stats.broken == 0);
}

Test(tls, a_reset_ends_both_sides_whatever_waits)
{
    static char bytes[65536];
    open_host();
    for (int round = 0; round < 4; round++) {
        int far;
        client_t client = open_client(&far);
        if (round == 1)
            far_fill(far);
        if (round == 2)
            client_fill(&client); /* the server does not read */
        if (round == 3)
            SSL_shutdown(client.ssl);
        client_reset(&client);
        if (round == 3) { /* an end came before it: only who writes is sure to hear of a reset */
            far_expect_end(far);
            send(far, "x", 1, MSG_NOSIGNAL); /* fails when it was heard of already */
        }
        UNTIL(facts.ended == round + 1);
        while (far_get(far, bytes, sizeof bytes) > 0)
            ; /* what had come before, and then the end */
        cr_expect(lt(int, (int)send(far, "x", 1, MSG_NOSIGNAL), 0));
        close(far);
    }
}

Test(tls, who_takes_nothing_after_the_servers_end_is_reset)
{
    int far;
    char byte;
    config.stall_ms = 1000;
    open_host();
    client_t client = prepare(client_ctx(), 8192);
    cr_assert(eq(int, SSL_connect(client.ssl), 1));
    far = far_end();
    far_fill(far);
    close(far);
    UNTIL(facts.stats.flushing == 1);
    UNTIL(facts.stats.stalled == 1 && facts.ended == 1 && facts.stats.flushing == 0);
    while (recv(client.fd, &byte, 1, 0) > 0)
        ;
    cr_expect(eq(int, errno, ECONNRESET));
    client_close(&client);
}

Test(tls, a_client_that_stays_is_cut_and_one_that_floods_before)
{
    static char bytes[65536];
    int far, fars;
    config.close_ms = 1000;
    open_host();
    client_t client = open_client(&far);
    close(far);
    client_expect_end(&client);
    UNTIL(facts.ended == 1); /* though the client has not closed */
    client_close(&client);
    config.close_ms = 60000;
    destroy_host();
    host.facts = (facts_t){0};
    open_host();
    client = open_client(&fars);
    close(fars);
    client_expect_end(&client);
    size_t sent = 0;
    ssize_t n;
    while ((n = send(client.fd, bytes, sizeof bytes, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    cr_expect(ge(sz, sent, (size_t)CF_AFTER_CLOSE_MAX), "%zu", sent);
    cr_expect(lt(sz, sent, (size_t)32 << 20), "%zu", sent);
    UNTIL(facts.ended == 1);
    client_close(&client);
}

/* Damages one byte of a record on its way. */
Test(tls, a_faulty_record_ends_the_connection_and_is_counted)
{
    uint8_t flight[8192];
    open_host();
    for (uint64_t kind = 0; kind < 3; kind++) {
        int far;
        client_t client = open_client(&far);
        BIO *out = BIO_new(BIO_s_mem());
        SSL_set0_wbio(client.ssl, out);
        SSL_write(client.ssl, "good", 4);
        int size = BIO_read(out, flight, sizeof flight);
        cr_assert(send(client.fd, flight, (size_t)size, 0) == size);
        far_expect(far, "good");
        SSL_write(client.ssl, "evil", 4);
        size = BIO_read(out, flight, sizeof flight);
        if (kind == 0)
            flight[size - 1] ^= 1; /* its seal */
        if (kind == 1)
            memcpy(flight, "\x17\x03\x03\xff\xff", 5); /* longer than any record */
        if (kind == 2)
            memcpy(flight, "GET /", 5);
        cr_assert(send(client.fd, flight, (size_t)size, 0) == size);
        far_expect_end(far);
        UNTIL(facts.stats.broken == kind + 1 && facts.ended == (int)kind + 1);
        char byte;
        cr_expect(le(int, SSL_read(client.ssl, &byte, 1), 0));
        close(far);
        client_close(&client);
    }
}

/* Each is answered only with the next write, so however many come, nothing piles up. */
Test(tls, updates_of_keys_pile_up_nothing)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    size_t before = allocated();
    for (int i = 0; i < 2000; i++) {
        cr_assert(eq(int, SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1));
        cr_assert(eq(int, SSL_do_handshake(client.ssl), 1));
    }
    client_put(&client, "still", 5);
    far_expect(far, "still");
    far_put(far, "here", 4);
    client_expect(&client, "here");
    cr_expect(lt(sz, allocated() - before + 4096, (size_t)64 << 10));
    client_close(&client);
    close(far);
}

Test(tls, at_the_end_what_the_server_said_goes_out)
{
    int far;
    open_host();
    client_t client = open_client(&far);
    client_t other = shake(client_ctx());
    int other_far = far_end();
    far_put(far, "bye", 3);
    far_put(other_far, "see you", 7); /* its end is not even closed */
    close(far);
    destroy_host();
    client_expect(&client, "bye");
    client_expect_end(&client);
    client_expect(&other, "see you");
    client_expect_end(&other);
    client_close(&client);
    client_close(&other);
    close(other_far);
}

/* ---- another certificate ---- */

static long serial_of(const client_t *client)
{
    X509 *shown = SSL_get1_peer_certificate(client->ssl);
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(shown));
    X509_free(shown);
    return serial;
}

Test(tls, a_reload_is_for_those_who_come_later)
{
    certificate_recipe_t next = recipe;
    int old_far, new_far;
    open_host();
    client_t old = open_client(&old_far);
    uint64_t expired_s = tell(FACTS).stats.expires_s;
    next.serial = 2002;
    next.until_s = 60 * DAY_S;
    make_certificate(cert, key, &next);
    cr_assert(eq(int, tell(RELOAD).rc, 0));
    client_t new = open_client(&new_far);
    cr_expect(eq(long, serial_of(&old), 1001));
    cr_expect(eq(long, serial_of(&new), 2002));
    client_put(&old, "as before", 9);
    far_expect(old_far, "as before");
    client_put(&new, "too", 3);
    far_expect(new_far, "too");
    facts_t facts = tell(FACTS);
    cr_expect(eq(u64, facts.stats.reloads, 1));
    cr_expect(ge(u64, facts.stats.expires_s, expired_s + 29 * DAY_S));
    client_close(&old);
    client_close(&new);
    close(old_far);
    close(new_far);
}

Test(tls, a_bad_pair_is_refused_and_the_old_one_stays)
{
    char moved[80];
    int far;
    open_host();
    SSL_CTX *ctx = client_ctx();
    snprintf(moved, sizeof moved, "%s.moved", key);
    cr_assert(eq(int, rename(key, moved), 0));
    cr_assert(eq(int, tell(RELOAD).rc, CF_ERANGE));
    cr_assert(eq(int, rename(moved, key), 0));
    certificate_recipe_t next = recipe;
    char other[80];
    snprintf(other, sizeof other, "%s.other", key);
    make_certificate(cert, other, &next); /* not this key's */
    unlink(other);
    facts_t facts = tell(RELOAD);
    cr_expect(eq(int, facts.rc, CF_ERANGE));
    cr_expect(eq(u64, facts.stats.reloads_refused, 2));
    cr_expect(eq(u64, facts.stats.reloads, 0));
    client_t client = shake(ctx);
    far = far_end();
    cr_expect(eq(long, serial_of(&client), 1001));
    client_close(&client);
    close(far);
}

Test(tls, does_not_start_with_a_bad_pair)
{
    cf_tls_t *tls = NULL;
    cf_tls_stats_t stats = {0};
    cf_tls_events_t events = {on_open, on_end};
    unlink(key);
    cr_assert(eq(int, uv_loop_init(&host.loop), 0));
    cr_expect(eq(int, cf_tls_new(&tls, &config, &events, NULL, &host.loop, &host.wheel, &stats),
                 CF_ERANGE));
    cr_expect(tls == NULL);
    cr_assert(eq(int, uv_loop_close(&host.loop), 0));
}
