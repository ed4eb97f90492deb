/* Any bytes on a real connection to a real server over loopback: through its receive path, HTTP and
 * libwebsockets' framing with our reassembly.
 *
 * Input: byte 0: bit 0 set = behind a granted upgrade, else from the first byte of the connection;
 * byte 1: how many bytes go into one send (0: all); the rest is sent. Then the sending side is
 * closed and the server has 10 s to end the connection: a hang is a find. libFuzzer's own clock
 * interrupts calls every few seconds, and one on a socket with a time limit is never restarted. */
#include "http/server.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_MAX 2000
#define LIMIT_S 10
#define LIVE_MAX 100 /* conns not yet given back while only one connection is open at a time */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static cf_server_t *server;
static atomic_long handed, gone;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void on_request(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    (void)owner;
    atomic_fetch_add(&handed, 1);
    check(request->path.size > 0 && request->path.bytes[0] == '/', "a path starts with /");
    check(request->body.size <= MESSAGE_MAX, "body_max");
    cf_conn_respond(conn, 200, "text/plain", NULL, request->body.bytes, request->body.size);
}

static void on_upgrade(void *owner, cf_conn_t *conn, const cf_request_t *request)
{
    (void)owner;
    atomic_fetch_add(&handed, 1);
    if (request->upgrade_fault)
        cf_conn_respond(conn, 400, NULL, NULL, NULL, 0);
    else
        cf_conn_upgrade(conn);
}

static void on_open(void *owner, cf_conn_t *conn)
{
    (void)owner;
    (void)conn;
}

static void on_message(void *owner, cf_conn_t *conn, const uint8_t *bytes, size_t size,
                       bool is_text)
{
    (void)owner;
    check(size <= MESSAGE_MAX, "message_max");
    check(!is_text || cf_utf8_valid((const char *)bytes, size), "text is UTF-8");
    cf_frame_t *frame = cf_frame_new(bytes, size);
    if (frame)
        cf_conn_send(conn, frame);
    cf_frame_unref(&frame);
    if (size == 1) /* what the owner may do to a connection from here */
        cf_conn_close(conn, 4000, "one byte");
    cf_conn_pause(conn, size == 2);
    cf_conn_pause(conn, false);
}

static void on_closing(void *owner, cf_conn_t *conn)
{
    (void)owner;
    (void)conn;
}

static void on_gone(void *owner, cf_conn_t *conn, cf_gone_t why)
{
    (void)owner;
    (void)conn;
    (void)why;
    atomic_fetch_add(&gone, 1);
}

static bool on_inbox(void *owner, int budget)
{
    (void)owner;
    (void)budget;
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
    cf_server_run(server);
    return arg;
}

static void start(void)
{
    static const cf_server_config_t config = {.listen = "0.0.0.0:0",
                                              .connections_max = 1000,
                                              .head_max = 4000,
                                              .body_max = MESSAGE_MAX,
                                              .request_pool_max = 1 << 20,
                                              .message_pool_max = 1 << 20,
                                              .message_ms = 30000,
                                              .message_max = MESSAGE_MAX,
                                              .head_ms = 60000,
                                              .body_ms = 60000,
                                              .keepalive_ms = 60000,
                                              .answer_ms = 60000,
                                              .ping_ms = 60000,
                                              .control_max = 262144,
                                              .idle_ms = 60000,
                                              .queue_bytes_max = 100000,
                                              .queue_age_ms = 10000,
                                              .close_ms = 5000,
                                              .send_buffer_bytes = 131072};
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
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN);
    check(cf_server_new(&server, &config, &events, NULL, -1) == 0, "the server starts");
    check(pthread_create(&thread, NULL, serve, NULL) == 0, "the thread starts");
    pthread_detach(thread);
}

/* From ever another address of the loopback net: a port rests for a minute after each use. */
static int dial(void)
{
    static uint32_t count;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct timeval limit = {.tv_sec = LIMIT_S};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f010001 + count++ % 60000)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)cf_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    check(bind(fd, (struct sockaddr *)&from, sizeof from) == 0, "bind");
    check(TEMP_FAILURE_RETRY(connect(fd, (struct sockaddr *)&to, sizeof to)) == 0, "connect");
    return fd;
}

static void upgrade(int fd)
{
    static const char handshake[] =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char answer[500];
    ssize_t n = TEMP_FAILURE_RETRY(send(fd, handshake, sizeof handshake - 1, MSG_NOSIGNAL));
    check(n == sizeof handshake - 1, "the handshake is sent");
    n = TEMP_FAILURE_RETRY(recv(fd, answer, sizeof answer, 0));
    check(n > 12 && memcmp(answer + 9, "101", 3) == 0, "101");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char answer[4096];
    ssize_t n;
    if (!server)
        start();
    if (size < 2 || size > 10000)
        return 0;
    int fd = dial();
    if (bytes[0] & 1)
        upgrade(fd);
    size_t step = bytes[1] ? bytes[1] : size;
    for (size_t at = 2; at < size; at += step) {
        size_t part = step < size - at ? step : size - at;
        if (TEMP_FAILURE_RETRY(send(fd, bytes + at, part, MSG_NOSIGNAL)) < 0)
            break; /* refused already */
    }
    shutdown(fd, SHUT_WR);
    while ((n = TEMP_FAILURE_RETRY(recv(fd, answer, sizeof answer, 0))) > 0)
        ;
    check(n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK), "the server lets go");
    close(fd);
    check(atomic_load(&handed) - atomic_load(&gone) < LIVE_MAX, "every conn is given back");
    return 0;
}
