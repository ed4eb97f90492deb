/* bench/order.h: the posts that a room was seen to deliver, and the place of each client among them.
 *
 * The first copy of a post is kept; every later copy must be the same bytes, and for each client the
 * next one, which is one memcmp: so the check costs less than the delivery it measures. */
#ifndef CF_ORDER_H
#define CF_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is kept of a post. The caller's own struct may begin with it; the frame lies behind that. */
typedef struct {
    uint64_t seq;
    uint32_t size; /* of the frame; 0: it was too long to be kept */
} cf_slot_t;

typedef struct {
    char *slots; /* a ring; owned */
    size_t count, stride, head;
    uint64_t base_seq, last_seq; /* first and newest seen in this run; 0: none */
} cf_order_t;

typedef struct {
    uint64_t lost, doubled, disordered, differing; /* what must be 0 */
} cf_order_faults_t;

/* head: size of the caller's struct; frame_max: of the frames that are kept; count of posts. 0, or -1
 * out of memory. */
int cf_order_build(cf_order_t *self, size_t head, size_t frame_max, size_t count);
void cf_order_free(cf_order_t *self);

/* If the frame is, byte for byte, the one that must come after last_seq: its slot. Else NULL. */
cf_slot_t *cf_order_known(const cf_order_t *self, uint64_t last_seq, const char *frame,
                          size_t size);

/* A frame with this seq came to a client whose newest is *last_seq (0: it has none yet). whole: it
 * was there before the first post. Counts the faults; returns the slot and moves *last_seq on, or
 * NULL if this was no next post. *first: nobody had it before, the caller's part of the slot is
 * zeroed. */
cf_slot_t *cf_order_take(cf_order_t *self, cf_order_faults_t *faults, uint64_t *last_seq,
                         bool whole, uint64_t seq, const char *frame, size_t size, bool *first);

const char *cf_order_frame(const cf_order_t *self, const cf_slot_t *slot);

/* How many posts a client misses at the end that was there from the first to the newest. */
uint64_t cf_order_missing(const cf_order_t *self, uint64_t last_seq);

#endif
