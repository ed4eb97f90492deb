#include "crash_point.h"

#ifdef CONFAB_CRASH_POINTS
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char armed[64]; /* written once, before any thread reads it */
static atomic_long left;

static void read_environment(void)
{
    const char *text = getenv("CONFAB_CRASH_AT");
    const char *colon = text ? strchr(text, ':') : NULL;
    if (!colon || (size_t)(colon - text) >= sizeof armed)
        return;
    memcpy(armed, text, (size_t)(colon - text));
    atomic_store(&left, strtol(colon + 1, NULL, 10));
}

void cf_crash_point(const char *name)
{
    pthread_once(&once, read_environment);
    if (armed[0] && strcmp(armed, name) == 0 && atomic_fetch_sub(&left, 1) == 1)
        _exit(137); /* no atexit handler, no flush: as a kill would leave it */
}
#endif
