/* actors/ring.h: a room's newest events, numbered without gaps; the oldest go when a bound is
 * reached.
 *
 * Posts and presence stand in it in room order. It answers fan-out that fell behind, resumes and
 * the tail of the history. */
#ifndef CF_RING_H
#define CF_RING_H

#include "wire/room.h"

typedef struct cf_ring cf_ring_t;

/* events_max entries and bytes_max bytes of text are kept at most; both at least one entry. */
int cf_ring_new(cf_ring_t **out, uint32_t events_max, size_t bytes_max);
void cf_ring_destroy(cf_ring_t **self);

/* Copy one event in; it gets number last_n + 1. Returns 0, or CF_ENOMEM and nothing changed. */
int cf_ring_add(cf_ring_t *self, uint32_t kind, const cf_post_t *post);
/* There was no memory for an event: take its number and let go of everything before it, so that
 * whoever is behind reads the posts back from the store. */
void cf_ring_skip(cf_ring_t *self);
uint64_t cf_ring_first_n(const cf_ring_t *self); /* last_n + 1 when empty */
uint64_t cf_ring_last_n(const cf_ring_t *self);  /* 0: there never was one */

typedef struct {
    uint64_t n;
    uint32_t kind;  /* cf_event_kind_t */
    cf_post_t post; /* borrowed from the ring until the next add */
} cf_ring_event_t;

/* first_n <= n <= last_n */
const cf_ring_event_t *cf_ring_at(const cf_ring_t *self, uint64_t n);
/* The seq of the oldest post from which on the ring has every post; 0 when it has none. */
uint64_t cf_ring_first_seq(const cf_ring_t *self);
/* Number of the first event behind post `seq`: 0 if the ring lacks some post behind it. seq may be
 * first_seq - 1 .. newest. */
uint64_t cf_ring_after_seq(const cf_ring_t *self, uint64_t seq);
size_t cf_ring_bytes(const cf_ring_t *self);

#endif
