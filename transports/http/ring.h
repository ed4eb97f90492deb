/* transports/http/ring.h: a doubly linked list whose links sit inside its elements. A link that is
 * in no list points at itself, so taking it out twice is harmless. */
#ifndef CF_RING_H
#define CF_RING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cf_ring {
    struct cf_ring *next, *prev;
} cf_ring_t;

/* The element that holds `link` as its member. */
#define CF_RING_OWNER(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void cf_ring_init(cf_ring_t *ring)
{
    ring->next = ring->prev = ring;
}

static inline bool cf_ring_is_empty(const cf_ring_t *ring)
{
    return ring->next == ring;
}

static inline void cf_ring_remove(cf_ring_t *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    cf_ring_init(link);
}

/* Moves `link` to the end of `ring`, out of the list it is in. */
static inline void cf_ring_append(cf_ring_t *ring, cf_ring_t *link)
{
    cf_ring_remove(link);
    link->prev = ring->prev;
    link->next = ring;
    ring->prev->next = link;
    ring->prev = link;
}

/* Moves all of `from` to `to`, which must be empty. */
static inline void cf_ring_take_all(cf_ring_t *to, cf_ring_t *from)
{
    if (cf_ring_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    cf_ring_init(from);
}

#endif
