#include "conn.h"

#include "frame.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t cf_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void cf_conn_raise_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

void *cf_conn_reserve(size_t size)
{
    void *bytes = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

static void control(cf_conn_t *self, int operation)
{
    struct epoll_event event = {.data.u32 = self->tag};
    event.events = (self->deaf ? 0 : EPOLLIN) | (self->sends ? EPOLLOUT : 0);
    epoll_ctl(self->epoll, operation, self->fd, &event);
}

void cf_conn_watch(cf_conn_t *self)
{
    control(self, EPOLL_CTL_MOD);
}

static SSL_CTX *tls; /* NULL: connections are plain */

int cf_conn_speak_tls(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes by write(2) */
    tls = SSL_CTX_new(TLS_client_method());
    if (!tls)
        return -1;
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls, 1);
    return 0;
}

static int start_tls(cf_conn_t *self)
{
    self->tls = SSL_new(tls);
    if (!self->tls || SSL_set_fd(self->tls, self->fd) != 1) {
        errno = ENOMEM;
        return -1;
    }
    SSL_set_connect_state(self->tls); /* it shakes hands with the first bytes */
    return 0;
}

static uint32_t sources; /* loopback addresses to come from; 0: as the kernel likes */

void cf_conn_spread(uint32_t addresses)
{
    sources = addresses;
}

static int choose_source(int fd, const struct sockaddr_in *server)
{
    static uint32_t turn;
    if (sources == 0 || ntohl(server->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return 0;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % sources)};
    int later = 1; /* connect(2) chooses the port, so that addresses share ports */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof later);
    return bind(fd, (const struct sockaddr *)&source, sizeof source);
}

void cf_conn_close(cf_conn_t *self)
{
    SSL_free(self->tls);
    self->tls = NULL;
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    self->in_size = self->out_size = 0;
}

/* As send(2) and recv(2). */
static ssize_t of_tls(cf_conn_t *self, int n)
{
    if (n > 0)
        return n;
    int error = SSL_get_error(self->tls, n);
    bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    errno = waits ? EAGAIN : EIO;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t send_some(cf_conn_t *self)
{
    if (self->tls)
        return of_tls(self, SSL_write(self->tls, self->out, (int)self->out_size));
    return send(self->fd, self->out, self->out_size, MSG_NOSIGNAL);
}

/* TLS gives one record at a time, and no poll tells of those it has read ahead: all that are there. */
static ssize_t receive_some(cf_conn_t *self, uint8_t *bytes, size_t most)
{
    if (!self->tls)
        return recv(self->fd, bytes, most, 0);
    size_t got = 0;
    while (got < most) {
        ssize_t n = of_tls(self, SSL_read(self->tls, bytes + got, (int)(most - got)));
        if (n <= 0)
            return got ? (ssize_t)got : n;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* False: the connection is broken. */
static bool send_gathered(cf_conn_t *self)
{
    ssize_t sent = self->out_size > 0 ? send_some(self) : 0;
    if (sent > 0) {
        self->out_size -= (size_t)sent;
        memmove(self->out, self->out + sent, self->out_size);
    }
    return sent >= 0 || errno == EAGAIN;
}

int cf_conn_open(cf_conn_t *self, const struct sockaddr_in *server, int rcvbuf)
{
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return -1;
    int on = 1;
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (rcvbuf)
        setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    if (choose_source(self->fd, server) < 0 ||
        (connect(self->fd, (const struct sockaddr *)server, sizeof *server) < 0 &&
         errno != EINPROGRESS) ||
        (tls && start_tls(self) < 0)) {
        int error = errno;
        cf_conn_close(self);
        errno = error;
        return -1;
    }
    if (!tls)
        send_gathered(self); /* on loopback the connection is there already */
    self->sends = tls || self->out_size > 0;
    control(self, EPOLL_CTL_ADD);
    return 0;
}

void cf_conn_flush(cf_conn_t *self)
{
    if (self->fd < 0 || !send_gathered(self))
        return;
    bool shakes_hands = self->tls && SSL_want_read(self->tls); /* then room is not what it lacks */
    bool sends = self->out_size > 0 && !shakes_hands;
    if (sends != self->sends) {
        self->sends = sends;
        cf_conn_watch(self);
    }
}

ssize_t cf_conn_read(cf_conn_t *self, uint8_t *scratch, size_t most, size_t *size)
{
    memcpy(scratch, self->in, self->in_size);
    ssize_t got = receive_some(self, scratch + self->in_size, most);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (self->tls && self->out_size > 0)
            cf_conn_flush(self); /* hands may be shaken now */
        return 0;
    }
    if (got <= 0)
        return -1;
    *size = self->in_size + (size_t)got;
    return got;
}

void cf_conn_keep(cf_conn_t *self, const uint8_t *bytes, size_t size)
{
    self->in_size = size;
    memcpy(self->in, bytes, size);
}

bool cf_conn_add_frame(cf_conn_t *self, uint8_t opcode, const void *payload, size_t size,
                       uint32_t mask)
{
    if (self->fd < 0 || self->out_size + size + CF_FRAME_HEAD_MAX > CF_OUT_MAX)
        return false;
    self->out_size +=
        cf_ws_write(self->out + self->out_size, opcode, payload, size, (const uint8_t *)&mask);
    return true;
}
