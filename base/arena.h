/* base/arena.h: memory for what lives as long as one message: taken piece by piece, freed at once. */
#ifndef CF_ARENA_H
#define CF_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cf_arena_chunk cf_arena_chunk_t;

typedef struct {
    cf_arena_chunk_t *chunks; /* newest first; owned */
    size_t left;              /* bytes free in the newest chunk */
    bool failed;              /* there was no memory for something, since the latest reset */
} cf_arena_t;                 /* zero it to make one */

/* Zeroed, aligned for any type; NULL: no memory. */
void *cf_arena_take(cf_arena_t *arena, size_t size);
void cf_arena_reset(cf_arena_t *arena); /* everything taken is gone; keeps one chunk */
void cf_arena_free(cf_arena_t *arena);
void cf_arena_wipe(cf_arena_t *arena); /* overwrite everything taken with zeros: it held secrets */

#endif
