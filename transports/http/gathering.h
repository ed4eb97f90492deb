/* transports/http/gathering.h: how long a flush waits for more to send along.
 *
 * A send costs nearly the same whatever it carries, so what counts is how many frames leave in each.
 * Where several people talk in a large room, their posts come in while the last ones are being sent
 * to all members; without waiting they go on in two or three groups that take turns, and each group
 * costs a send for every member. Waiting for a tenth of what the flush will take lets them become one. It is
 * only done when the last flush shows that it pays: one post at a time never waits. */
#ifndef CF_GATHERING_H
#define CF_GATHERING_H

#include <stdbool.h>
#include <stdint.h>

#define CF_GATHERING_MAX_US 1000 /* the longest wait */

typedef struct {
    uint64_t frames, sockets; /* that wait for the next flush */
    uint64_t last_frames, last_sockets;
} cf_gathering_t; /* zeroed to begin with */

/* A frame was queued; is_first: no other one waited for its socket. */
void cf_gathering_add(cf_gathering_t *self, bool is_first);

/* Microseconds, 0 to CF_GATHERING_MAX_US, that the flush of what waits may be put off from now. */
int64_t cf_gathering_wait_us(const cf_gathering_t *self);

/* All that waited is being sent. */
void cf_gathering_flushed(cf_gathering_t *self);

#endif
