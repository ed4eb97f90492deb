#include "arena.h"

#include <sodium.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384

struct cf_arena_chunk {
    cf_arena_chunk_t *older;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

void *cf_arena_take(cf_arena_t *arena, size_t size)
{
    size_t step = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    arena->failed |= step < size;
    if (step < size)
        return NULL;
    if (!arena->chunks || step > arena->left) {
        size_t room = step > CHUNK_SIZE ? step : CHUNK_SIZE;
        cf_arena_chunk_t *chunk = malloc(sizeof *chunk + room);
        arena->failed |= !chunk;
        if (!chunk)
            return NULL;
        *chunk = (cf_arena_chunk_t){.older = arena->chunks, .size = room};
        arena->chunks = chunk;
        arena->left = room;
    }
    cf_arena_chunk_t *chunk = arena->chunks;
    void *at = chunk->bytes + (chunk->size - arena->left);
    arena->left -= step;
    return memset(at, 0, step);
}

void cf_arena_reset(cf_arena_t *arena)
{
    while (arena->chunks && (arena->chunks->older || arena->chunks->size > CHUNK_SIZE)) {
        cf_arena_chunk_t *older = arena->chunks->older;
        free(arena->chunks);
        arena->chunks = older;
    }
    arena->left = arena->chunks ? arena->chunks->size : 0;
    arena->failed = false;
}

void cf_arena_free(cf_arena_t *arena)
{
    while (arena->chunks) {
        cf_arena_chunk_t *older = arena->chunks->older;
        free(arena->chunks);
        arena->chunks = older;
    }
    arena->left = 0;
    arena->failed = false;
}

void cf_arena_wipe(cf_arena_t *arena)
{
    for (cf_arena_chunk_t *chunk = arena->chunks; chunk; chunk = chunk->older)
        sodium_memzero(chunk->bytes, chunk->size);
}
