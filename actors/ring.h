/* actors/ring.h: a room's newest events, numbered without gaps, and before them its newest posts.
 *
 * Events (posts, presence, words of a bot) stand in it in room order, and the oldest go when a bound is
 * reached. A post that goes as an event stays as a post, and older ones can be put before them from the
 * store: so those who come and go do not push out the page of history that each of them reads. The
 * posts follow each other without a gap. It answers fan-out that fell behind, resumes and the newest
 * part of the history. */
#ifndef CF_RING_H
#define CF_RING_H

#include "wire/room.h"

typedef struct cf_ring cf_ring_t;

#define CF_RING_EVENT_COST 128 /* bytes that an event, or a post, takes besides its texts */

/* events_max events, as many posts (those among the events included) and bytes_max bytes of both are kept
 * at most; one entry always. Until the next cf_ring_trim() there may be spare_max events more. */
int cf_ring_new(cf_ring_t **out, uint32_t events_max, uint32_t spare_max, size_t bytes_max);
void cf_ring_destroy(cf_ring_t **self);

/* Copy one event in; it gets number last_n + 1. Returns 0, or CF_ENOMEM and nothing changed. */
int cf_ring_add(cf_ring_t *self, uint32_t kind, const cf_post_t *post);
/* There was no memory for an event: take its number and let go of everything before it, so that
 * whoever is behind reads the posts back from the store. */
void cf_ring_skip(cf_ring_t *self);
/* Back to events_max events, but for the newest `keep`, which somebody has still to be told. */
void cf_ring_trim(cf_ring_t *self, uint32_t keep);
/* Copy in the post that comes right before all the ring has. It is no event. Returns 0; CF_EFULL at a
 * bound, CF_ENOMEM: nothing changed. */
int cf_ring_put_before(cf_ring_t *self, const cf_post_t *post);
uint64_t cf_ring_first_n(const cf_ring_t *self); /* last_n + 1 when empty */
uint64_t cf_ring_last_n(const cf_ring_t *self);  /* 0: there never was one */

typedef struct {
    uint64_t n;     /* 0: no event (any more) */
    uint32_t kind;  /* cf_event_kind_t */
    cf_post_t post; /* its texts are borrowed from the ring until the next add */
} cf_ring_event_t;

/* first_n <= n <= last_n */
cf_ring_event_t cf_ring_at(const cf_ring_t *self, uint64_t n);
/* Posts and events, oldest first: entry 0 .. entries - 1. */
uint32_t cf_ring_entries(const cf_ring_t *self);
cf_ring_event_t cf_ring_entry(const cf_ring_t *self, uint32_t i);
/* The seq of the oldest post from which on the ring has every post; 0 when it has none. */
uint64_t cf_ring_first_seq(const cf_ring_t *self);
/* Number of the first event behind post `seq`: 0 if some post behind it is no event. seq may be
 * that of the first event that is a post - 1 .. newest. */
uint64_t cf_ring_after_seq(const cf_ring_t *self, uint64_t seq);
/* The newest post of this sender under this key (<= CF_CLIENT_KEY_MAX bytes, empty: none), as far as the ring goes;
 * false: there is none. */
bool cf_ring_find_key(cf_ring_event_t *out, const cf_ring_t *self, cf_id_t sender, cf_str_t key);
size_t cf_ring_bytes(const cf_ring_t *self);

#endif
