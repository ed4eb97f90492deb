/* base/crash_point.h: named places at which a test may end the process as kill -9 would.
 *
 * Compiled in only with CONFAB_CRASH_POINTS (debug and sanitizer builds). CONFAB_CRASH_AT=NAME:N in the
 * environment ends the process with _exit(137) the N-th time NAME is passed. The names are those of
 * the durable-ack promise: after_recv, before_begin, after_insert, before_commit, after_commit,
 * before_ack, after_ack, mid_fanout, after_fanout, in_rotate, in_migrate, in_drain. */
#ifndef CF_CRASH_POINT_H
#define CF_CRASH_POINT_H

#ifdef CONFAB_CRASH_POINTS
void cf_crash_point(const char *name);
#else
#define cf_crash_point(name) ((void)0)
#endif

#endif
