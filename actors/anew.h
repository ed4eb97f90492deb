/* actors/anew.h: a process that begins anew executes itself, with its arguments and environment. Its id stays, so who runs it sees
 * nothing. */
#ifndef CF_ANEW_H
#define CF_ANEW_H

#include <stdint.h>

/* No process does so more often than once in half of this. One that finds at once that it cannot stay, again and
 * again, would otherwise do nothing else; nodes that were sent away together do not come back together. */
#define CF_ANEW_EVERY_US INT64_C(10000000)

/* How long one that has lived for lived_us waits before; `by_lot` is any number. */
int64_t cf_anew_pause_us(int64_t lived_us, uint32_t by_lot);
/* Nothing else of this process runs any more. Waits, and executes it; returns the exit code if it was told to end meanwhile
 * (SIGTERM, SIGINT, both blocked), or cannot. */
int cf_anew_begin(char *const argv[], int64_t pause_us);

#endif
