#include "local/local_client.h"

#include "clock.h"
#include "err.h"
#include "local/local_server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_S 5

static int error_of(int number)
{
    switch (number) {
    case ENOENT:
    case ECONNREFUSED:
        return CF_ENOENT;
    case EACCES:
    case EPERM:
        return CF_EPERM;
    case EAGAIN:
        return CF_ETIME;
    }
    return CF_EIO;
}

int cf_local_client_connect(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) > CF_LOCAL_PATH_MAX)
        return CF_ERANGE;
    strcpy(name.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CF_EIO;
    /* a server that hangs takes nobody in, and then connect(2) waits */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){CONNECT_S, 0},
               sizeof(struct timeval));
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int rc = error_of(errno);
    close(fd);
    return rc;
}

static int wait_for(int fd, short events, int64_t until_us)
{
    struct pollfd one = {.fd = fd, .events = events};
    for (;;) {
        int64_t left_us = until_us - cf_boot_us();
        int n = poll(&one, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        if (n > 0)
            return 0;
        if (n == 0 || errno != EINTR)
            return CF_ETIME;
    }
}

int cf_local_client_send(int fd, const uint8_t *bytes, size_t size, int64_t until_us)
{
    int rc = wait_for(fd, POLLOUT, until_us);
    if (rc < 0)
        return rc;
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    return sent < 0 ? CF_ECLOSING : (int)sent;
}

int cf_local_client_receive(int fd, uint8_t *into, size_t size, int64_t until_us)
{
    int rc = wait_for(fd, POLLIN, until_us);
    if (rc < 0)
        return rc;
    ssize_t got = recv(fd, into, size, 0);
    return got <= 0 ? CF_ECLOSING : (int)got;
}
