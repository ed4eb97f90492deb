/* bench/process.h: what another process of this machine has used, from /proc. */
#ifndef CF_PROCESS_H
#define CF_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/* User and system time of all its living threads in nanoseconds; -1 if it cannot be read. */
int64_t cf_process_cpu_ns(pid_t pid);
int64_t cf_process_rss_kib(pid_t pid); /* -1 if it cannot be read */
int cf_process_threads(pid_t pid);     /* -1 if it cannot be read */

#endif
