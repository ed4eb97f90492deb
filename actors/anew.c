#include "anew.h"

#include "log.h"
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR 3 /* behind the standard ones */

int64_t cf_anew_pause_us(int64_t lived_us, uint32_t by_lot)
{
    int64_t every_us = CF_ANEW_EVERY_US / 2 + by_lot % (CF_ANEW_EVERY_US / 2);
    return lived_us < every_us ? every_us - lived_us : 0;
}

/* False: it came. */
static bool wait_for_end(int64_t pause_us)
{
    sigset_t ends;
    struct timespec left = {pause_us / 1000000, pause_us % 1000000 * 1000};
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    return sigtimedwait(&ends, NULL, &left) < 0;
}

int cf_anew_begin(char *const argv[], int64_t pause_us)
{
    if (!wait_for_end(pause_us))
        return 0;
    close_range(FIRST_DESCRIPTOR, ~0U, 0); /* ours are closed by exec; a library's may not be */
    execv("/proc/self/exe", argv);
    cf_log_error("cannot begin anew", CF_ERRNO(errno));
    return CF_EXIT_FAILURE;
}
