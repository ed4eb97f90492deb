#include "listener.h"
#include "err.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_MAX 255

/* "host:port" or "[host]:port" into its parts. */
static int split(const char *listen, char host[HOST_MAX + 1], const char **port)
{
    const char *colon = strrchr(listen, ':');
    if (!colon || colon == listen || colon[1] == '\0')
        return CF_ERANGE;
    size_t size = (size_t)(colon - listen);
    if (listen[0] == '[') {
        if (listen[size - 1] != ']')
            return CF_ERANGE;
        listen++;
        size -= 2;
    } else if (memchr(listen, ':', size)) {
        return CF_ERANGE; /* IPv6 without brackets: which colon is the port's? */
    }
    if (size == 0 || size > HOST_MAX)
        return CF_ERANGE;
    memcpy(host, listen, size);
    host[size] = '\0';
    char *end;
    long number = strtol(colon + 1, &end, 10);
    if (*end != '\0' || number < 0 || number > 65535)
        return CF_ERANGE;
    *port = colon + 1;
    return 0;
}

static bool is_every_address(const struct sockaddr *where)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)where;
    return where->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

static int share_port(int fd)
{
    int one = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
}

/* Who binds first does not say that he shares, so he finds the port taken by whoever else; then he does. */
static int bind_and_listen(int fd, const struct sockaddr *where, socklen_t size, bool joins)
{
    if ((joins && share_port(fd) < 0) || bind(fd, where, size) < 0 ||
        (!joins && share_port(fd) < 0))
        return -1;
    return listen(fd, SOMAXCONN);
}

static int open_socket(const struct sockaddr *where, socklen_t size, bool joins,
                       cf_socket_buffers_t buffers)
{
    int one = 1, v6_only = !is_every_address(where);
    int fd = socket(where->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (where->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    /* Accepted sockets inherit these on Linux, which saves three calls for each; and only a receive buffer set
     * before the handshake has its say in the window scale. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (buffers.send_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffers.send_bytes, sizeof buffers.send_bytes);
    if (buffers.receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers.receive_bytes, sizeof buffers.receive_bytes);
    if (bind_and_listen(fd, where, size, joins) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_at(const struct addrinfo *where, bool joins, cf_socket_buffers_t buffers)
{
    int fd = open_socket(where->ai_addr, where->ai_addrlen, joins, buffers);
    if (fd >= 0 || !is_every_address(where->ai_addr) ||
        (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return fd;
    /* a host without IPv6 */
    struct sockaddr_in every = {
        .sin_family = AF_INET,
        .sin_port = ((const struct sockaddr_in6 *)(const void *)where->ai_addr)->sin6_port};
    return open_socket((const struct sockaddr *)&every, sizeof every, joins, buffers);
}

static int bound_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

static void rest(cf_listener_t *self)
{
    if (!self->resting)
        uv_poll_stop(&self->poll);
    self->resting = true;
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: accept one connection with the spare one and drop it. False: not even that.
 */
static bool drop_one(cf_listener_t *self)
{
    if (self->spare_fd < 0)
        return false;
    close(self->spare_fd);
    int fd = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        self->refused++;
    }
    self->spare_fd = open_spare();
    return fd >= 0 && self->spare_fd >= 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    cf_listener_t *self = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < CF_LISTENER_ACCEPTS && self->fd >= 0; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        int fd = accept4(self->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            self->on_accept(self->owner, fd, (struct sockaddr *)&peer);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO)
            continue; /* that one connection is gone; the next may be fine */
        if ((errno == EMFILE || errno == ENFILE) && drop_one(self))
            continue;
        rest(self);
        return;
    }
}

int cf_listener_bind(cf_listener_t *self, const char *listen, bool joins,
                     cf_socket_buffers_t buffers)
{
    char host[HOST_MAX + 1];
    const char *port;
    *self = (cf_listener_t){.fd = -1, .spare_fd = -1};
    int rc = split(listen, host, &port);
    if (rc < 0)
        return rc;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    int why = getaddrinfo(host, port, &hints, &found);
    if (why != 0) {
        cf_log_error("cannot listen", CF_STR("listen", listen),
                     CF_STR("reason", gai_strerror(why)));
        return CF_EIO;
    }
    self->fd = open_at(found, joins, buffers);
    if (self->fd >= 0)
        self->spare_fd = open_spare();
    int cause = errno;
    freeaddrinfo(found);
    if (self->spare_fd < 0) {
        cf_log_error("cannot listen", CF_STR("listen", listen), CF_ERRNO(cause));
        cf_listener_close(self);
        return CF_EIO;
    }
    self->port = bound_port(self->fd);
    return 0;
}

int cf_listener_start(cf_listener_t *self, uv_loop_t *loop, cf_accept_fn *on_accept, void *owner)
{
    self->on_accept = on_accept;
    self->owner = owner;
    if (uv_poll_init(loop, &self->poll, self->fd) < 0) {
        cf_listener_close(self);
        return CF_ENOMEM;
    }
    self->polled = true;
    self->poll.data = self;
    uv_poll_start(&self->poll, UV_READABLE, on_readable);
    return 0;
}

void cf_listener_rest_over(cf_listener_t *self)
{
    if (!self->resting || self->fd < 0)
        return;
    if (self->spare_fd < 0)
        self->spare_fd = open_spare();
    self->resting = false;
    uv_poll_start(&self->poll, UV_READABLE, on_readable);
}

void cf_listener_close(cf_listener_t *self)
{
    if (self->polled && !uv_is_closing((uv_handle_t *)&self->poll))
        uv_close((uv_handle_t *)&self->poll, NULL);
    if (self->fd >= 0)
        close(self->fd);
    if (self->spare_fd >= 0)
        close(self->spare_fd);
    self->fd = self->spare_fd = -1;
}
