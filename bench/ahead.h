/* bench/ahead.h: which posts of a room have reached a member, where a server promises the order of each writer
 * alone: all up to `last`, and some of the CF_AHEAD_MAX behind it. Where a thousand members are served by writers
 * who take turns, one post can be overtaken by several hundred. */
#ifndef CF_BENCH_AHEAD_H
#define CF_BENCH_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define CF_AHEAD_MAX 4096

typedef struct {
    uint64_t *bits; /* CF_AHEAD_MAX, that of a post by its seq; the caller's, all 0 at first */
    uint32_t count; /* posts behind `last` that have come */
} cf_ahead_t;

bool cf_ahead_has(const cf_ahead_t *self, uint64_t last, uint64_t seq);

/* This post has come: last < seq <= last + CF_AHEAD_MAX, not there yet. Returns the new `last`. */
uint64_t cf_ahead_take(cf_ahead_t *self, uint64_t last, uint64_t seq);

void cf_ahead_clear(cf_ahead_t *self);

#endif
