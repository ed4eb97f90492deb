#include "tls.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "hello.h"
#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STEPS 4               /* of CF_TLS_STEP, before other clients have their turn */
#define SMALL_RECORDS_MAX 512 /* room for what OpenSSL says by itself: alerts, updates of keys */

struct cf_tls {
    cf_tls_config_t config; /* its texts are owned */
    cf_tls_events_t events;
    void *owner;
    uv_loop_t *loop;
    cf_wheel_t *wheel;
    cf_tls_stats_t *stats;
    SSL_CTX *ctx;
    BIO_METHOD *method;
    cf_ring_t links;
    int handshakes_left;        /* in this pass */
    uint8_t bytes[CF_TLS_STEP]; /* plaintext on its way, or input thrown away */
};

typedef enum {
    GREETED, /* its first message is awaited, and left in the kernel meanwhile */
    SHAKING,
    OPEN,
    LINGER, /* the last byte is out; the client's end is waited for */
    ENDED   /* libuv lets go of the handles */
} link_state_t;

/* One client: the wire is its socket, near our end of the pair, far the end the server has. */
struct cf_tls_link {
    cf_tls_t *tls;
    uv_poll_t wire_poll, near_poll;
    int wire, near; /* -1: none */
    int wire_events, near_events;
    int handles; /* given to libuv and not closed yet */
    link_state_t state;
    SSL *ssl;             /* from SHAKING until it has nothing more to say; else NULL */
    cf_buf_t unsent;      /* records the wire had no room for */
    cf_buf_t undelivered; /* plaintext the pair had no room for */
    size_t discarded;     /* input behind our last word */
    bool wire_ended;      /* the client said its last byte */
    bool wire_left;       /* seen before all it said was read */
    bool wire_broken;     /* reset, or out of memory */
    bool far_left;        /* the server has closed; what it said may be on the way */
    bool far_ended;       /* and all of that was read */
    bool far_deaf;        /* and takes nothing any more */
    bool notified;        /* close_notify was made */
    cf_ring_t place;      /* in tls->links */
    cf_timer_t timer;
    void *seat;
    uint64_t carried; /* plaintext given to the server */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;       /* until it has shaken hands */
    bool is_held; /* by the server, from on_open to cf_tls_let_go() */
    void (*on_room)(void *arg);
    void *arg;
};

static void on_wire(uv_poll_t *poll, int status, int events);
static void on_near(uv_poll_t *poll, int status, int events);

/* ---- the wire, as OpenSSL sees it: it never has to wait for writing ---- */

static bool is_busy(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void set_deadline(cf_tls_link_t *link, int ms)
{
    cf_wheel_set(link->tls->wheel, &link->timer, (int64_t)uv_now(link->tls->loop) + ms);
}

/* How much of it the wire takes now; 0 also when it is broken. */
static size_t send_now(cf_tls_link_t *link, const uint8_t *bytes, size_t size)
{
    ssize_t n = send(link->wire, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        link->wire_broken |= !is_busy(errno);
        return 0;
    }
    if (link->far_left)
        set_deadline(link, link->tls->config.stall_ms); /* it takes something */
    return (size_t)n;
}

static int wire_write(BIO *bio, const char *bytes, int size)
{
    cf_tls_link_t *link = BIO_get_data(bio);
    size_t sent = link->unsent.size ? 0 : send_now(link, (const uint8_t *)bytes, (size_t)size);
    BIO_clear_retry_flags(bio);
    if (!link->wire_broken && cf_buf_add(&link->unsent, bytes + sent, (size_t)size - sent) < 0)
        link->wire_broken = true; /* a stream with a hole is no stream */
    return link->wire_broken ? -1 : size;
}

static int wire_read(BIO *bio, char *to, int size)
{
    cf_tls_link_t *link = BIO_get_data(bio);
    ssize_t n = recv(link->wire, to, (size_t)size, MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (n > 0)
        return (int)n;
    if (n < 0 && is_busy(errno))
        BIO_set_retry_read(bio);
    else if (n < 0)
        link->wire_broken = true;
    else
        link->wire_ended = true;
    return (int)n;
}

static long wire_control(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH;
}

static void send_unsent(cf_tls_link_t *link)
{
    if (link->unsent.size == 0 || link->wire_broken)
        return;
    size_t sent = send_now(link, link->unsent.data, link->unsent.size);
    cf_buf_consume(&link->unsent, sent);
    if (link->unsent.size)
        return;
    cf_buf_free(&link->unsent);
    if (link->on_room)
        link->on_room(link->arg);
}

/* ---- a link's end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    cf_tls_link_t *link = handle->data;
    if (--link->handles == 0 && !link->is_held)
        free(link);
}

static void close_end(uv_poll_t *poll, int *fd)
{
    if (*fd < 0)
        return;
    uv_close((uv_handle_t *)poll, on_handle_closed); /* first: it takes the descriptor from epoll */
    close(*fd);
    *fd = -1;
}

static void free_ssl(cf_tls_link_t *link)
{
    SSL_free(link->ssl); /* and its BIO */
    link->ssl = NULL;
}

static void leave_open(cf_tls_link_t *link, link_state_t next)
{
    if (link->state == OPEN && link->far_left)
        link->tls->stats->flushing--;
    link->state = next;
}

static void end(cf_tls_link_t *link)
{
    cf_tls_t *tls = link->tls;
    if (link->state == ENDED)
        return;
    leave_open(link, ENDED);
    if (link->unsent.size) { /* the kernel is not to go on with what is only a part */
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(link->wire, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    free_ssl(link);
    cf_buf_free(&link->unsent);
    cf_buf_free(&link->undelivered);
    cf_wheel_cancel(&link->timer);
    cf_ring_remove(&link->place);
    close_end(&link->near_poll, &link->near);
    close_end(&link->wire_poll, &link->wire);
    tls->events.on_end(tls->owner, link->seat);
}

static void lost(cf_tls_link_t *link)
{
    if (link->state < OPEN)
        link->tls->stats->failed_left++;
    end(link);
}

/* All is said and sent. Input is still taken off the kernel, which would answer unread bytes with a
 * reset. */
static void start_linger(cf_tls_link_t *link)
{
    if (link->wire_ended) {
        end(link);
        return;
    }
    leave_open(link, LINGER);
    shutdown(link->wire, SHUT_WR);
    free_ssl(link);
    cf_buf_free(&link->undelivered);
    close_end(&link->near_poll, &link->near);
    set_deadline(link, link->tls->config.close_ms);
}

static void on_deadline(cf_timer_t *timer)
{
    cf_tls_link_t *link = CF_RING_OWNER(timer, cf_tls_link_t, timer);
    if (link->state < OPEN)
        link->tls->stats->failed_slow++;
    if (link->state == OPEN)
        link->tls->stats->stalled++;
    end(link);
}

/* ---- what a link waits for ---- */

static void watch(uv_poll_t *poll, int *watched, int events, uv_poll_cb on_event)
{
    if (*watched == events)
        return;
    *watched = events;
    if (events)
        uv_poll_start(poll, events, on_event);
    else
        uv_poll_stop(poll);
}

static bool wants_input(const cf_tls_link_t *link)
{
    return !link->wire_ended && !link->far_deaf && link->undelivered.size == 0 &&
           link->unsent.size <= CF_TLS_UNSENT_MAX - SMALL_RECORDS_MAX;
}

static int wire_wants(const cf_tls_link_t *link)
{
    if (link->state == GREETED)
        return UV_READABLE | UV_DISCONNECT; /* less than SO_RCVLOWAT is told by no READABLE */
    int events = link->unsent.size ? UV_WRITABLE : 0;
    if (link->state != OPEN || (link->far_ended && !link->wire_ended) || wants_input(link))
        events |= UV_READABLE;
    else if (!link->wire_ended && !link->wire_left)
        events |= UV_DISCONNECT; /* a reset is noticed also while nothing is read */
    return events;
}

static int near_wants(const cf_tls_link_t *link)
{
    int events = link->undelivered.size ? UV_WRITABLE : 0;
    if (!link->far_ended && link->unsent.size == 0)
        events |= UV_READABLE;
    else if (!link->far_left)
        events |= UV_DISCONNECT;
    return events;
}

/* At the end of each event: draw the conclusions. */
static void settle(cf_tls_link_t *link)
{
    if (link->state == OPEN && link->far_ended && !link->notified && !link->wire_broken &&
        link->unsent.size == 0) {
        ERR_clear_error();
        SSL_shutdown(link->ssl); /* writes close_notify and does not wait for the client's */
        link->notified = true;
    }
    if (link->wire_broken)
        lost(link);
    else if (link->state == OPEN && link->notified && link->unsent.size == 0)
        start_linger(link);
    if (link->state == ENDED)
        return;
    watch(&link->wire_poll, &link->wire_events, wire_wants(link), on_wire);
    if (link->near >= 0)
        watch(&link->near_poll, &link->near_events, near_wants(link), on_near);
}

/* ---- carrying bytes ---- */

static void far_left(cf_tls_link_t *link)
{
    if (link->far_left)
        return;
    link->far_left = true;
    link->tls->stats->flushing++;
    set_deadline(link, link->tls->config.stall_ms);
}

/* How much of it the pair takes now. */
static size_t deliver_now(cf_tls_link_t *link, const uint8_t *bytes, size_t size)
{
    ssize_t n = send(link->near, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        link->far_deaf |= !is_busy(errno);
    link->carried += n < 0 ? 0 : (uint64_t)n;
    return n < 0 ? 0 : (size_t)n;
}

static void deliver_rest(cf_tls_link_t *link)
{
    if (link->undelivered.size == 0)
        return;
    cf_buf_consume(&link->undelivered,
                   deliver_now(link, link->undelivered.data, link->undelivered.size));
    if (link->far_deaf || link->undelivered.size == 0)
        cf_buf_free(&link->undelivered);
}

static void input_failed(cf_tls_link_t *link, int rc)
{
    int error = SSL_get_error(link->ssl, rc);
    if (error == SSL_ERROR_WANT_READ && !link->wire_ended)
        return;
    if (error == SSL_ERROR_ZERO_RETURN || (link->wire_ended && !link->wire_broken)) {
        /* Whether or not close_notify came: requests and frames tell by themselves if they are
         * whole. */
        link->wire_ended = true;
        shutdown(link->near, SHUT_WR);
        return;
    }
    if (!link->wire_broken)
        link->tls->stats->broken++; /* OpenSSL has sent the alert, if the wire took it */
    link->wire_broken = true;
}

static void carry_in(cf_tls_link_t *link)
{
    cf_tls_t *tls = link->tls;
    for (int pending = 1; pending && !link->wire_broken && wants_input(link);
         pending = SSL_has_pending(link->ssl)) {
        ERR_clear_error();
        int n = SSL_read(link->ssl, tls->bytes, sizeof tls->bytes);
        if (n <= 0) {
            input_failed(link, n);
            return;
        }
        size_t taken = deliver_now(link, tls->bytes, (size_t)n);
        if (!link->far_deaf &&
            cf_buf_add(&link->undelivered, tls->bytes + taken, (size_t)n - taken) < 0)
            link->wire_broken = true;
    }
}

/* False: there is nothing more, or no room for it. */
static bool carry_out(cf_tls_link_t *link)
{
    cf_tls_t *tls = link->tls;
    size_t size = sizeof tls->bytes;
    for (int i = 0; i < STEPS && size == sizeof tls->bytes; i++) {
        if (link->unsent.size || link->far_ended || link->wire_broken)
            return false;
        ssize_t n = recv(link->near, tls->bytes, sizeof tls->bytes, MSG_DONTWAIT);
        if (n < 0 && is_busy(errno))
            return false;
        if (n <= 0) { /* closed; a reset says that it left input unread */
            link->far_ended = true;
            far_left(link);
            return false;
        }
        size = (size_t)n;
        ERR_clear_error();
        if (SSL_write(link->ssl, tls->bytes, (int)n) != n)
            link->wire_broken = true;
    }
    return size == sizeof tls->bytes;
}

int cf_tls_write(cf_tls_link_t *link, const uint8_t *bytes, size_t size)
{
    if (link->state != OPEN)
        return -1;
    while (carry_out(link)) /* what was put into the pair before comes first */
        ;
    int taken = link->unsent.size == 0 && !link->wire_broken;
    for (size_t at = 0; taken && at < size;) {
        size_t step = size - at < CF_TLS_STEP ? size - at : CF_TLS_STEP;
        ERR_clear_error();
        if (SSL_write(link->ssl, bytes + at, (int)step) != (int)step)
            link->wire_broken = true;
        at = link->wire_broken ? size : at + step;
    }
    bool broken = link->wire_broken;
    settle(link);
    return broken ? -1 : taken;
}

uint64_t cf_tls_carried(const cf_tls_link_t *link)
{
    return link->carried;
}

bool cf_tls_holds(const cf_tls_link_t *link)
{
    return link->unsent.size > 0;
}

void cf_tls_on_room(cf_tls_link_t *link, void (*on_room)(void *arg), void *arg)
{
    link->on_room = on_room;
    link->arg = arg;
}

void cf_tls_let_go(cf_tls_link_t *link)
{
    if (!link)
        return;
    link->is_held = false;
    link->on_room = NULL;
    if (link->handles == 0)
        free(link);
}

/* Nobody reads it any more. */
static void discard_input(cf_tls_link_t *link)
{
    ssize_t n = recv(link->wire, link->tls->bytes, sizeof link->tls->bytes, MSG_DONTWAIT);
    if (n < 0 && is_busy(errno))
        return;
    if (n > 0)
        link->discarded += (size_t)n;
    if (n == 0)
        link->wire_ended = true;
    if (n < 0 || link->discarded > CF_AFTER_CLOSE_MAX || (n == 0 && link->state == LINGER))
        end(link);
}

/* ---- shaking hands ---- */

static uint64_t *failure_of(cf_tls_stats_t *stats, int reason)
{
    static const int http[] = {SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST};
    static const int unsupported[] = {SSL_R_UNSUPPORTED_PROTOCOL,
                                      SSL_R_UNKNOWN_PROTOCOL,
                                      SSL_R_VERSION_TOO_LOW,
                                      SSL_R_VERSION_TOO_HIGH,
                                      SSL_R_INAPPROPRIATE_FALLBACK,
                                      SSL_R_NO_SHARED_CIPHER,
                                      SSL_R_NO_SHARED_GROUPS,
                                      SSL_R_NO_SUITABLE_KEY_SHARE,
                                      SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
                                      SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
                                      SSL_R_NO_APPLICATION_PROTOCOL};
    for (size_t i = 0; i < sizeof http / sizeof http[0]; i++)
        if (reason == http[i])
            return &stats->failed_http;
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++)
        if (reason == unsupported[i])
            return &stats->failed_unsupported;
    return reason >= SSL_AD_REASON_OFFSET ? &stats->failed_rejected : &stats->failed_malformed;
}

static void handshake_failed(cf_tls_link_t *link, int rc)
{
    cf_tls_stats_t *stats = link->tls->stats;
    int error = SSL_get_error(link->ssl, rc);
    bool has_left = link->wire_ended || link->wire_broken;
    if (error == SSL_ERROR_WANT_READ && !has_left)
        return;
    if (has_left && error != SSL_ERROR_SSL)
        stats->failed_left++;
    else
        ++*failure_of(stats, ERR_GET_REASON(ERR_peek_error()));
    ERR_clear_error();
    end(link);
}

static int open_pair(cf_tls_link_t *link)
{
    int ends[2], bytes = CF_TLS_PAIR_BYTES;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (uv_poll_init_socket(link->tls->loop, &link->near_poll, ends[0]) < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    link->near_poll.data = link;
    link->handles++;
    link->near = ends[0];
    return ends[1];
}

static void set_low_water(cf_tls_link_t *link, int bytes)
{
    setsockopt(link->wire, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

/* Goes on to SHAKING when OpenSSL would not have to wait at once. */
static void await_hello(cf_tls_link_t *link, bool has_left)
{
    uint8_t head[CF_HELLO_HEAD];
    int there = 0, awaited = CF_HELLO_HEAD;
    ssize_t n = recv(link->wire, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (n == sizeof head)
        awaited = cf_hello_awaits(head);
    if (awaited < 0) {
        link->tls->stats->failed_malformed++;
        end(link);
    } else if (n > 0 && ioctl(link->wire, FIONREAD, &there) == 0 && there >= awaited) {
        set_low_water(link, 1);
        link->state = SHAKING;
    } else if (has_left || n == 0 || (n < 0 && !is_busy(errno))) {
        lost(link);
    } else {
        set_low_water(link, awaited);
    }
}

static int start_ssl(cf_tls_link_t *link)
{
    cf_tls_t *tls = link->tls;
    link->ssl = SSL_new(tls->ctx);
    BIO *bio = link->ssl ? BIO_new(tls->method) : NULL;
    if (!bio)
        return CF_ENOMEM;
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(link->ssl, bio, bio);
    return 0;
}

static void shake_hands(cf_tls_link_t *link)
{
    cf_tls_t *tls = link->tls;
    if (tls->handshakes_left == 0)
        return; /* the wire stays readable: again in the next pass */
    tls->handshakes_left--;
    ERR_clear_error();
    if (!link->ssl && start_ssl(link) < 0) {
        tls->stats->failed_resources++;
        end(link);
        return;
    }
    int rc = SSL_accept(link->ssl);
    if (rc != 1) {
        handshake_failed(link, rc);
        return;
    }
    int far = open_pair(link);
    if (far < 0) {
        tls->stats->failed_resources++;
        end(link);
        return;
    }
    tls->stats->handshakes++;
    tls->stats->resumed += SSL_session_reused(link->ssl) != 0;
    link->state = OPEN;
    cf_wheel_cancel(&link->timer);
    link->is_held = true;
    tls->events.on_open(tls->owner, far, &link->peer.any, link);
    carry_in(link); /* its first request may have come along */
}

/* ---- events ---- */

static void on_wire(uv_poll_t *poll, int status, int events)
{
    cf_tls_link_t *link = poll->data;
    if (status < 0) { /* reset; libuv has stopped the handle */
        link->wire_events = 0;
        lost(link);
        return;
    }
    if (link->state == GREETED)
        await_hello(link, events & UV_DISCONNECT);
    else if (events & UV_DISCONNECT)
        link->wire_left = true;
    if (events & UV_WRITABLE)
        send_unsent(link);
    if (link->state == SHAKING && events & UV_READABLE)
        shake_hands(link);
    else if (link->state == LINGER || (link->far_ended && events & UV_READABLE))
        discard_input(link);
    else if (link->state == OPEN)
        carry_in(link); /* also when only now there is room for what OpenSSL has read ahead */
    if (link->state == OPEN && events & UV_WRITABLE)
        carry_out(link);
    settle(link);
}

static void on_near(uv_poll_t *poll, int status, int events)
{
    cf_tls_link_t *link = poll->data;
    if (status < 0) { /* closed with input unread; what it said before can still be read */
        int error;
        socklen_t size = sizeof error;
        getsockopt(link->near, SOL_SOCKET, SO_ERROR, &error,
                   &size); /* or it is reported for ever */
        link->near_events = 0;
        far_left(link);
    }
    if (events & UV_DISCONNECT)
        far_left(link);
    if (events & UV_WRITABLE) {
        deliver_rest(link);
        carry_in(link); /* OpenSSL may hold what no poll tells of */
    }
    carry_out(link);
    settle(link);
}

/* ---- life ---- */

static int load(cf_tls_t *self)
{
    char fault[CF_CERTIFICATE_FAULT_MAX], until[CF_TIME_TEXT + 1];
    SSL_CTX *ctx;
    int64_t expires_s;
    int rc = cf_certificate_load(&ctx, &expires_s, &self->config.certificate, cf_wall_us(), fault);
    if (rc < 0) {
        cf_log_error("cannot use the certificate", CF_ERR(rc), CF_STR("reason", fault));
        return rc;
    }
    cf_time_text(expires_s * 1000000, until);
    cf_log_info("certificate loaded", CF_STR("file", self->config.certificate.cert_file),
                CF_STR("expires_at", until));
    SSL_CTX_free(self->ctx); /* clients that shook hands by it keep it */
    self->ctx = ctx;
    self->stats->expires_s = (uint64_t)expires_s;
    return 0;
}

static int make_method(cf_tls_t *self)
{
    self->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
    return self->method && BIO_meth_set_write(self->method, wire_write) &&
                   BIO_meth_set_read(self->method, wire_read) &&
                   BIO_meth_set_ctrl(self->method, wire_control)
               ? 0
               : CF_ENOMEM;
}

int cf_tls_new(cf_tls_t **out, const cf_tls_config_t *config, const cf_tls_events_t *events,
               void *owner, uv_loop_t *loop, cf_wheel_t *wheel, cf_tls_stats_t *stats)
{
    cf_tls_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->config.certificate.cert_file = strdup(config->certificate.cert_file);
    self->config.certificate.key_file = strdup(config->certificate.key_file);
    self->events = *events;
    self->owner = owner;
    self->loop = loop;
    self->wheel = wheel;
    self->stats = stats;
    self->handshakes_left = CF_TLS_HANDSHAKES;
    cf_ring_init(&self->links);
    bool has_texts = self->config.certificate.cert_file && self->config.certificate.key_file;
    int rc = has_texts ? make_method(self) : CF_ENOMEM;
    if (rc == 0)
        rc = load(self);
    if (rc < 0) {
        cf_tls_destroy(&self);
        return rc;
    }
    *out = self;
    return 0;
}

static void keep_peer(cf_tls_link_t *link, const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET6)
        memcpy(&link->peer.v6, peer, sizeof link->peer.v6);
    else
        memcpy(&link->peer.v4, peer, sizeof link->peer.v4);
}

void cf_tls_accept(cf_tls_t *self, int fd, const struct sockaddr *peer, void *seat)
{
    cf_tls_link_t *link = calloc(1, sizeof *link);
    if (link)
        *link = (cf_tls_link_t){.tls = self, .wire = fd, .near = -1, .seat = seat};
    if (!link || uv_poll_init_socket(self->loop, &link->wire_poll, fd) < 0) {
        free(link);
        close(fd);
        self->stats->failed_resources++;
        self->events.on_end(self->owner, seat);
        return;
    }
    link->wire_poll.data = link;
    link->handles = 1;
    keep_peer(link, peer);
    cf_ring_init(&link->place);
    cf_ring_append(&self->links, &link->place);
    cf_timer_init(&link->timer, on_deadline);
    set_deadline(link, self->config.handshake_ms);
    settle(link);
}

void cf_tls_pass(cf_tls_t *self)
{
    self->handshakes_left = CF_TLS_HANDSHAKES;
}

int cf_tls_reload(cf_tls_t *self)
{
    int rc = load(self);
    if (rc == 0)
        self->stats->reloads++;
    else
        self->stats->reloads_refused++;
    return rc;
}

/* The server's end is closed, or nearly so: what it said goes out as far as there is room. */
static void say_last(cf_tls_link_t *link)
{
    if (link->state == OPEN) {
        while (carry_out(link))
            ;
        if (link->unsent.size == 0 && !link->notified && !link->wire_broken)
            SSL_shutdown(link->ssl);
    }
    cf_buf_free(&link->unsent); /* no reset: what the kernel has may still arrive */
    while (link->state != ENDED && !link->wire_ended && link->discarded <= CF_AFTER_CLOSE_MAX) {
        ssize_t n = recv(link->wire, link->tls->bytes, sizeof link->tls->bytes, MSG_DONTWAIT);
        if (n <= 0)
            break;
        link->discarded += (size_t)n;
    }
    end(link);
}

void cf_tls_destroy(cf_tls_t **self)
{
    cf_tls_t *tls = *self;
    if (!tls)
        return;
    *self = NULL;
    while (!cf_ring_is_empty(&tls->links))
        say_last(CF_RING_OWNER(tls->links.next, cf_tls_link_t, place));
    SSL_CTX_free(tls->ctx);
    BIO_meth_free(tls->method);
    free((char *)(uintptr_t)tls->config.certificate.cert_file);
    free((char *)(uintptr_t)tls->config.certificate.key_file);
    free(tls);
}
