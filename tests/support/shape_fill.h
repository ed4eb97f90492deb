/* tests/support/shape_fill.h: any message body there is, made from the table of its fields. */
#ifndef CF_SHAPE_FILL_H
#define CF_SHAPE_FILL_H

#include "wire/shape.h"

typedef enum {
    FILL_MIN,    /* every number and length as small as allowed */
    FILL_MAX,    /* as large as allowed */
    FILL_RANDOM, /* within bounds; short texts, up to three items in a list */
} fill_t;

/* A plain struct of this shape, in the arena. random: state of the generator, not 0. */
void *shape_fill(cf_arena_t *arena, const cf_shape_t *shape, fill_t how, uint64_t *random);
/* The same for one field of *body. */
void shape_fill_field(cf_arena_t *arena, const cf_field_t *field, void *body, fill_t how,
                      uint64_t *random);
bool shape_equal(const cf_shape_t *shape, const void *a, const void *b);
uint64_t shape_random(uint64_t *random);

#endif
