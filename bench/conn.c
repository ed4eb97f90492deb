#include "conn.h"

#include "frame.h"

#include <errno.h>
#include <netinet/tcp.h>
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

int cf_conn_open(cf_conn_t *self, const struct sockaddr_in *server, int rcvbuf)
{
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return -1;
    int on = 1;
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (rcvbuf)
        setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    if (connect(self->fd, (const struct sockaddr *)server, sizeof *server) < 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        cf_conn_close(self);
        errno = error;
        return -1;
    }
    self->sends = true;
    control(self, EPOLL_CTL_ADD);
    return 0;
}

void cf_conn_close(cf_conn_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    self->in_size = self->out_size = 0;
}

void cf_conn_flush(cf_conn_t *self)
{
    if (self->fd < 0)
        return;
    if (self->out_size > 0) {
        ssize_t sent = send(self->fd, self->out, self->out_size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            self->out_size -= (size_t)sent;
            memmove(self->out, self->out + sent, self->out_size);
        }
    }
    bool sends = self->out_size > 0;
    if (sends != self->sends) {
        self->sends = sends;
        cf_conn_watch(self);
    }
}

ssize_t cf_conn_read(cf_conn_t *self, uint8_t *scratch, size_t most, size_t *size)
{
    memcpy(scratch, self->in, self->in_size);
    ssize_t got = recv(self->fd, scratch + self->in_size, most, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
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
