/* bench/process.h: what another process of this machine has used, and those that it started and that
 * still run, from /proc. */
#ifndef CF_PROCESS_H
#define CF_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* User and system time of all living threads in nanoseconds; -1 if it cannot be read. */
int64_t cf_process_cpu_ns(pid_t pid);
/* Resident memory. Where there is more than one process, what they share counts once (the sum of their
 * proportional sets); -1 if it cannot be read. */
int64_t cf_process_rss_kib(pid_t pid);
int cf_process_threads(pid_t pid); /* of this process alone; -1 if it cannot be read */

#endif
