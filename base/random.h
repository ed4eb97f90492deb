/* base/random.h: random bytes for what is drawn often, like ids of posts and traces. */
#ifndef CF_RANDOM_H
#define CF_RANDOM_H

#include <stddef.h>

/* Fill out with bytes of the system's generator, size <= 256. They are fetched many at a time, per thread: one
 * system call for each id cost 4 % of a post. Bytes are wiped as they are handed out; for secrets (tokens,
 * keys) use randombytes_buf, which keeps nothing at all. */
void cf_random(void *out, size_t size);

#endif
