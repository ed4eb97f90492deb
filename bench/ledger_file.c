#include "ledger_file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct cf_ledger {
    int fd;
};

int cf_ledger_open(cf_ledger_t **out, const char *path)
{
    cf_ledger_t *self = malloc(sizeof *self);
    if (!self)
        return -1;
    self->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (self->fd < 0) {
        free(self);
        return -1;
    }
    *out = self;
    return 0;
}

void cf_ledger_add(cf_ledger_t *self, const char *format, ...)
{
    char line[256];
    struct timespec now;
    if (!self)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof line, "%lld ", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
    va_list args;
    va_start(args, format);
    size += vsnprintf(line + size, sizeof line - (size_t)size - 1, format, args);
    va_end(args);
    line[size++] = '\n';
    if (write(self->fd, line, (size_t)size) != size) {
        perror("cannot write the ledger");
        exit(1);
    }
}

void cf_ledger_close(cf_ledger_t **self)
{
    if (!*self)
        return;
    close((*self)->fd);
    free(*self);
    *self = NULL;
}
