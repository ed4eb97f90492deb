#include "local/notify.h"

#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A number of decimal digits, more than 0; else 0. */
static int64_t number_of(const char *text)
{
    char *end;
    errno = 0;
    long long number = text && text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
    return number > 0 && !*end && errno == 0 ? number : 0;
}

/* A name in the file system, or with @ before it in the namespace that Linux has beside that. */
static int set_address(cf_notify_t *self, const char *name)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof self->address.sun_path)
        return CF_ERANGE;
    self->address.sun_family = AF_UNIX;
    memcpy(self->address.sun_path, name, length);
    self->address_size = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (name[0] == '@')
        self->address.sun_path[0] = '\0';
    return 0;
}

int cf_notify_open(cf_notify_t *out, const char *name, const char *watchdog_us,
                   const char *watchdog_pid)
{
    *out = (cf_notify_t){.socket = -1};
    if (!name || !*name)
        return 0;
    int rc = set_address(out, name);
    if (rc < 0)
        return rc;
    out->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->socket < 0)
        return CF_EIO;
    if (!watchdog_pid ||
        number_of(watchdog_pid) == getpid()) /* else it is another's, who started us */
        out->watchdog_us = number_of(watchdog_us);
    return 0;
}

void cf_notify_close(cf_notify_t *self)
{
    if (self->socket >= 0)
        close(self->socket);
    *self = (cf_notify_t){.socket = -1};
}

static bool is_taken(const cf_notify_t *self, const char *text)
{
    ssize_t sent = sendto(self->socket, text, strlen(text), MSG_NOSIGNAL,
                          (const struct sockaddr *)&self->address, self->address_size);
    return sent >= 0 || (errno != EAGAIN &&
                         errno != ENOBUFS); /* a socket that is not there takes nothing, ever */
}

void cf_notify_again(cf_notify_t *self)
{
    self->owes = self->owes && !is_taken(self, self->text);
}

void cf_notify_say(cf_notify_t *self, const char *format, ...)
{
    va_list values;
    if (self->socket < 0)
        return;
    va_start(values, format);
    vsnprintf(self->text, sizeof self->text, format, values);
    va_end(values);
    self->owes = true;
    cf_notify_again(self);
}

void cf_notify_alive(cf_notify_t *self)
{
    if (self->socket >= 0)
        is_taken(self, "WATCHDOG=1");
}
