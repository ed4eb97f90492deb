#include "local/local_server.h"

#include "err.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_DESCRIPTOR_US INT64_C(1000000) /* until it is tried again to take somebody in */

typedef struct {
    uint64_t number; /* 0: an empty place */
    int fd;
    uint32_t owed; /* answers */
    int64_t active_us;
} client_t;

struct cf_local_server {
    struct sockaddr_un name;
    int lock, listener, epoll;
    struct stat file;                           /* the socket's, as bound; st_ino 0: it was not */
    int64_t accept_us;                          /* not before; 0: now */
    client_t clients[CF_LOCAL_CLIENTS_MAX + 1]; /* the last place is for one too many */
    uint64_t last_number;
};

static int fail(const char *what, const char *path, int number, int rc)
{
    cf_log_error(what, CF_STR("path", path), CF_ERRNO(number));
    return rc;
}

/* --- the file ----------------------------------------------------------------------------------
 */

/* Two servers that find what a dead one left must not replace each other's. The lock is for life, and
 * its file stays: removing it would let two lock two files of one name. */
static int take_lock(cf_local_server_t *self)
{
    char path[sizeof self->name.sun_path + sizeof ".lock"];
    snprintf(path, sizeof path, "%s.lock", self->name.sun_path);
    self->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->lock < 0)
        return fail("cannot open the control socket's lock file", path, errno, CF_EIO);
    if (flock(self->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return fail("another process has the control socket", self->name.sun_path, errno,
                errno == EWOULDBLOCK ? CF_EFULL : CF_EIO);
}

/* Somebody else's socket may stand there, who does not know of the lock. */
static bool is_dead(const cf_local_server_t *self)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused = fd >= 0 &&
                      connect(fd, (const struct sockaddr *)&self->name, sizeof self->name) < 0 &&
                      errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return is_refused;
}

static int make_way(const cf_local_server_t *self)
{
    const char *path = self->name.sun_path;
    struct stat there;
    if (lstat(path, &there) < 0)
        return errno == ENOENT ? 0 : fail("cannot look at the control socket", path, errno, CF_EIO);
    if (!S_ISSOCK(there.st_mode))
        return fail("what stands at the control socket's name is no socket", path, EEXIST, CF_EIO);
    if (!is_dead(self))
        return fail("another process has the control socket", path, EADDRINUSE, CF_EFULL);
    return unlink(path) == 0 ? 0 : fail("cannot remove a dead control socket", path, errno, CF_EIO);
}

/* The file gets the mode that the socket has before it is bound, so there is no moment at which others
 * could open it. */
static int bind_private(cf_local_server_t *self)
{
    self->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->listener < 0 || fchmod(self->listener, 0600) < 0)
        return CF_EIO;
    if (bind(self->listener, (const struct sockaddr *)&self->name, sizeof self->name) < 0)
        return CF_EIO;
    if (lstat(self->name.sun_path, &self->file) < 0)
        return CF_EIO;
    return listen(self->listener, CF_LOCAL_CLIENTS_MAX) == 0 ? 0 : CF_EIO;
}

static int watch(cf_local_server_t *self, int operation, int fd, uint32_t events, uint64_t number)
{
    struct epoll_event event = {.events = events, .data.u64 = number};
    return epoll_ctl(self->epoll, operation, fd, &event) == 0 ? 0 : CF_EIO;
}

static int open_socket(cf_local_server_t *self)
{
    int rc = take_lock(self);
    if (rc == 0)
        rc = make_way(self);
    if (rc < 0)
        return rc;
    rc = bind_private(self);
    if (rc == 0 && (self->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        rc = CF_EIO;
    if (rc == 0)
        rc = watch(self, EPOLL_CTL_ADD, self->listener, EPOLLIN, 0);
    return rc < 0 ? fail("cannot open the control socket", self->name.sun_path, errno, rc) : 0;
}

int cf_local_server_open(cf_local_server_t **out, const char *path)
{
    size_t size = strlen(path);
    if (size > CF_LOCAL_PATH_MAX) {
        cf_log_error("the control socket's name is too long", CF_STR("path", path),
                     CF_UINT("bytes", size), CF_INT("most", CF_LOCAL_PATH_MAX));
        return CF_ERANGE;
    }
    cf_local_server_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->lock = self->listener = self->epoll = -1;
    self->name.sun_family = AF_UNIX;
    memcpy(self->name.sun_path, path, size + 1);
    int rc = open_socket(self);
    if (rc < 0)
        cf_local_server_close(&self);
    else
        *out = self;
    return rc;
}

int cf_local_server_fd(const cf_local_server_t *self)
{
    return self->epoll;
}

/* --- clients -----------------------------------------------------------------------------------
 */

static client_t *find(cf_local_server_t *self, uint64_t number)
{
    for (client_t *at = self->clients; at <= &self->clients[CF_LOCAL_CLIENTS_MAX]; at++)
        if (at->number == number)
            return at;
    return NULL;
}

/* What it was sent it can still read, but not when unread packets of its own are thrown away with the
 * socket; so these are taken out first, and no more can come. */
static void hang_up(client_t *client)
{
    uint8_t unread[1];
    shutdown(client->fd, SHUT_RD);
    while (recv(client->fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
        ;
    close(client->fd); /* leaves the epoll with it */
    *client = (client_t){0};
}

void cf_local_server_hang_up(cf_local_server_t *self, uint64_t number)
{
    client_t *client = number ? find(self, number) : NULL;
    if (client)
        hang_up(client);
}

static void take_in(cf_local_server_t *self, int64_t now_us, const cf_local_hooks_t *hooks)
{
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        /* without a descriptor the listener would wake us at once, for ever */
        if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) &&
            watch(self, EPOLL_CTL_MOD, self->listener, 0, 0) == 0)
            self->accept_us = now_us + NO_DESCRIPTOR_US;
        return;
    }
    client_t *client = find(self, 0);
    *client = (client_t){.number = ++self->last_number, .fd = fd, .active_us = now_us};
    if (client == &self->clients[CF_LOCAL_CLIENTS_MAX]) {
        hooks->too_many(hooks->arg, client->number);
        cf_local_server_hang_up(self, self->last_number);
    } else if (watch(self, EPOLL_CTL_ADD, fd, EPOLLIN, client->number) < 0) {
        hang_up(client);
    }
}

static void hear(client_t *client, int64_t now_us, const cf_local_hooks_t *hooks)
{
    uint8_t packet[CF_LOCAL_PACKET_MAX + 1];
    ssize_t size = recv(client->fd, packet, sizeof packet, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) { /* it has closed */
        hang_up(client);
        return;
    }
    client->active_us = now_us;
    client->owed++;
    hooks->packet(hooks->arg, client->number, packet, (size_t)size);
}

void cf_local_server_serve(cf_local_server_t *self, int64_t now_us, const cf_local_hooks_t *hooks)
{
    struct epoll_event events[CF_LOCAL_CLIENTS_MAX + 1];
    int n = epoll_wait(self->epoll, events, CF_LOCAL_CLIENTS_MAX + 1, 0);
    for (int i = 0; i < n; i++) {
        uint64_t number = events[i].data.u64;
        client_t *client = number ? find(self, number) : NULL;
        if (client)
            hear(client, now_us, hooks);
        else if (number == 0)
            take_in(self, now_us, hooks);
    }
}

int cf_local_server_send(cf_local_server_t *self, int64_t now_us, uint64_t number,
                         const uint8_t *bytes, size_t size)
{
    client_t *client = number ? find(self, number) : NULL;
    if (!client)
        return CF_ENOENT;
    client->active_us = now_us;
    client->owed -= client->owed > 0;
    if (send(client->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
        return 0;
    int rc = errno == EPIPE || errno == ECONNRESET ? CF_ENOENT : CF_EAGAIN;
    hang_up(client);
    return rc;
}

int64_t cf_local_server_due(cf_local_server_t *self, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (client_t *at = self->clients; at < &self->clients[CF_LOCAL_CLIENTS_MAX]; at++) {
        if (!at->number || at->owed)
            continue;
        int64_t end_us = at->active_us + CF_LOCAL_IDLE_US;
        if (now_us >= end_us)
            hang_up(at);
        else if (end_us < next_us)
            next_us = end_us;
    }
    if (self->accept_us && now_us >= self->accept_us &&
        watch(self, EPOLL_CTL_MOD, self->listener, EPOLLIN, 0) == 0)
        self->accept_us = 0;
    return self->accept_us && self->accept_us < next_us ? self->accept_us : next_us;
}

uint32_t cf_local_server_clients(const cf_local_server_t *self)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < CF_LOCAL_CLIENTS_MAX; i++)
        n += self->clients[i].number != 0;
    return n;
}

/* Who removed the socket and its lock by hand has let another server in, whose file it is now. */
static void remove_file(const cf_local_server_t *self)
{
    struct stat there;
    if (self->file.st_ino && lstat(self->name.sun_path, &there) == 0 &&
        there.st_ino == self->file.st_ino && there.st_dev == self->file.st_dev)
        unlink(self->name.sun_path);
}

void cf_local_server_close(cf_local_server_t **self)
{
    if (!*self)
        return;
    for (client_t *at = (*self)->clients; at <= &(*self)->clients[CF_LOCAL_CLIENTS_MAX]; at++)
        if (at->number)
            hang_up(at);
    remove_file(*self);
    if ((*self)->listener >= 0)
        close((*self)->listener);
    if ((*self)->epoll >= 0)
        close((*self)->epoll);
    if ((*self)->lock >= 0)
        close((*self)->lock);
    free(*self);
    *self = NULL;
}
