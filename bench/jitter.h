/* bench/jitter.h: so that those who were refused together do not come back together. */
#ifndef CF_JITTER_H
#define CF_JITTER_H

#include <stdint.h>

/* 0 .. bound_ns - 1, bound_ns >= 1; the same sequence in each run. Of one thread. */
int64_t cf_jitter_ns(int64_t bound_ns);

#endif
