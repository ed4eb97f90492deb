/* transports/http/outgoing.h: the frames that wait to be sent on one WebSocket, oldest first. */
#ifndef CF_OUTGOING_H
#define CF_OUTGOING_H

#include "frame.h"

#include <stdbool.h>

typedef struct {
    cf_frame_t *frame; /* one reference */
    int64_t at_ms;     /* when it was queued */
} cf_outgoing_entry_t;

typedef struct {
    cf_outgoing_entry_t *entries; /* owned ring of `cap` entries; NULL while `own` is enough */
    cf_outgoing_entry_t own[2];   /* an idle connection allocates nothing */
    uint32_t cap, first, count;
    size_t bytes; /* of all waiting frames */
    /* Besides, one frame of which only the newest counts. One reference; NULL: none. It weighs nothing: all
     * who wait for it share it, and there are as many of them as newest ones in the time a client may lag. */
    cf_frame_t *latest;
} cf_outgoing_t;

/* What a frame takes besides its bytes: its own head, what the allocator adds, and its entry twice, as
 * the ring doubles. */
#define CF_OUTGOING_FRAME_COST (2 * sizeof(cf_outgoing_entry_t) + sizeof(cf_frame_t) + 24)
/* What a queue holds of memory at most, and is held to: tiny frames are not free. */
#define CF_OUTGOING_WEIGHT(queue) ((queue)->bytes + (queue)->count * CF_OUTGOING_FRAME_COST)

void cf_outgoing_init(cf_outgoing_t *queue);
/* Takes a reference of its own. Returns 0, or CF_ENOMEM and leaves the queue as it was. */
int cf_outgoing_add(cf_outgoing_t *queue, cf_frame_t *frame, int64_t at_ms);
/* The newest of its kind: takes a reference of its own, and the place of the one before. True if there was one. */
bool cf_outgoing_set_latest(cf_outgoing_t *queue, cf_frame_t *frame);
/* Puts it behind the others, if all of them fit into `room` bytes with it, or there are none; else, and without
 * memory, it stays where it is. */
void cf_outgoing_take_latest(cf_outgoing_t *queue, size_t room, int64_t at_ms);
void cf_outgoing_drop_latest(cf_outgoing_t *queue);
/* When the oldest waiting frame was queued; 0: nothing waits. */
int64_t cf_outgoing_oldest_ms(const cf_outgoing_t *queue);
/* How many of the oldest frames together fit into `room` bytes (at least one if any waits), and
 * their bytes into *size. */
uint32_t cf_outgoing_fit(const cf_outgoing_t *queue, size_t room, size_t *size);
cf_frame_t *cf_outgoing_at(const cf_outgoing_t *queue, uint32_t index); /* borrowed; 0 = oldest */
void cf_outgoing_drop(cf_outgoing_t *queue, uint32_t count);            /* the oldest `count` */
void cf_outgoing_clear(cf_outgoing_t *queue);                           /* and free its memory */

#endif
