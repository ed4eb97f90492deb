/* actors/sayings.h: what the bot answers /hello with. */
#ifndef CF_SAYINGS_H
#define CF_SAYINGS_H

#include <stdint.h>

#define CF_SAYINGS 50

/* One line of the pool, by the clock's seconds modulo CF_SAYINGS (rooms contract, 7). */
const char *cf_saying(int64_t wall_us);

#endif
