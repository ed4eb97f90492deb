#include "wait.h"
#include "clock.h"

#include <limits.h>
#include <poll.h>

static int poll_until(int fd, bool for_write, int64_t until_us)
{
    for (;;) {
        int64_t left_us = until_us - cf_boot_us();
        if (left_us <= 0)
            return CF_ETIME;
        int64_t ms = (left_us + 999) / 1000;
        struct pollfd one = {.fd = fd, .events = for_write ? POLLOUT : POLLIN};
        /* an error of poll is a signal (go on) or lack of memory: the deadline ends that too */
        if (poll(&one, fd < 0 ? 0 : 1, ms > INT_MAX ? INT_MAX : (int)ms) > 0)
            return 0;
    }
}

int cf_wait(const cf_store_wait_t *wait, int fd, bool for_write, int64_t until_us)
{
    return wait->wait ? wait->wait(wait->arg, fd, for_write, until_us)
                      : poll_until(fd, for_write, until_us);
}
