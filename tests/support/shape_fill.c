#include "shape_fill.h"

#include <stdlib.h>
#include <string.h>

uint64_t shape_random(uint64_t *random)
{
    *random ^= *random << 13; /* xorshift64: the same numbers in every run */
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void *take(cf_arena_t *arena, size_t size)
{
    void *bytes = cf_arena_take(arena, size ? size : 1);
    if (!bytes)
        abort();
    return bytes;
}

/* least..most; for random lengths near the least. */
static uint64_t choose(uint64_t least, uint64_t most, fill_t how, uint64_t spread, uint64_t *random)
{
    if (how == FILL_MIN)
        return least;
    if (how == FILL_MAX)
        return most;
    uint64_t range = most - least < spread ? most - least : spread;
    return least +
           (range == UINT64_MAX ? shape_random(random) : shape_random(random) % (range + 1));
}

static void fill_bytes(uint8_t *bytes, size_t size, fill_t how, uint64_t *random)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = how == FILL_MIN ? 0 : how == FILL_MAX ? 0xff : (uint8_t)shape_random(random);
}

static void fill_text(cf_arena_t *arena, const cf_field_t *field, cf_str_t *out, fill_t how,
                      uint64_t *random)
{
    uint32_t size = (uint32_t)choose(field->min, field->max, how, 24, random);
    char *bytes = take(arena, size);
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = how == FILL_RANDOM ? (char)('a' + shape_random(random) % 26) : 'x';
    if (how == FILL_MAX && size >= 4)
        memcpy(bytes + size - 4, "\xf0\x9f\x99\x82", 4); /* of more than a byte, up to the bound */
    *out = (cf_str_t){bytes, size};
}

static void fill_any(cf_arena_t *arena, const cf_field_t *field, cf_str_t *out, fill_t how,
                     uint64_t *random)
{
    uint32_t size = (uint32_t)choose(field->min, field->max, how, 24, random);
    uint8_t *bytes = take(arena, size);
    fill_bytes(bytes, size, how, random);
    *out = (cf_str_t){(const char *)bytes, size};
}

static void fill_struct(cf_arena_t *arena, const cf_shape_t *shape, uint8_t *body, fill_t how,
                        uint64_t *random)
{
    for (uint32_t i = 0; i < shape->n; i++)
        shape_fill_field(arena, &shape->fields[i], body, how, random);
}

static void fill_list(cf_arena_t *arena, const cf_field_t *field, cf_list_t *out, fill_t how,
                      uint64_t *random)
{
    uint32_t n = (uint32_t)choose(field->min, field->max, how, 3, random);
    uint8_t *items = take(arena, n * field->items->size);
    for (uint32_t i = 0; i < n; i++)
        fill_struct(arena, field->items, items + i * field->items->size, how, random);
    *out = (cf_list_t){items, n};
}

void shape_fill_field(cf_arena_t *arena, const cf_field_t *field, void *body, fill_t how,
                      uint64_t *random)
{
    uint8_t *at = (uint8_t *)body + field->offset;
    switch (field->kind) {
    case CF_FIELD_BOOL:
        *(bool *)at = choose(0, 1, how, 1, random);
        break;
    case CF_FIELD_U32:
        *(uint32_t *)at = (uint32_t)choose(field->min, field->max, how, UINT64_MAX, random);
        break;
    case CF_FIELD_U64:
        *(uint64_t *)at = choose(field->min, field->max, how, UINT64_MAX, random);
        break;
    case CF_FIELD_I64:
        *(int64_t *)at = how == FILL_MIN   ? INT64_MIN
                         : how == FILL_MAX ? INT64_MAX
                                           : (int64_t)shape_random(random);
        break;
    case CF_FIELD_FIXED:
        fill_bytes(at, field->max, how, random);
        break;
    case CF_FIELD_TEXT:
        fill_text(arena, field, (cf_str_t *)at, how, random);
        break;
    case CF_FIELD_BYTES:
        fill_any(arena, field, (cf_str_t *)at, how, random);
        break;
    case CF_FIELD_LIST:
        fill_list(arena, field, (cf_list_t *)at, how, random);
        break;
    case CF_FIELD_STRUCT:
        fill_struct(arena, field->items, at, how, random);
        break;
    }
}

void *shape_fill(cf_arena_t *arena, const cf_shape_t *shape, fill_t how, uint64_t *random)
{
    uint8_t *body = take(arena, shape->size);
    fill_struct(arena, shape, body, how, random);
    return body;
}

static bool list_equal(const cf_field_t *field, const cf_list_t *a, const cf_list_t *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!shape_equal(field->items, (const uint8_t *)a->items + i * field->items->size,
                         (const uint8_t *)b->items + i * field->items->size))
            return false;
    return true;
}

static bool field_equal(const cf_field_t *field, const uint8_t *a, const uint8_t *b)
{
    switch (field->kind) {
    case CF_FIELD_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CF_FIELD_U32:
        return *(const uint32_t *)a == *(const uint32_t *)b;
    case CF_FIELD_U64:
    case CF_FIELD_I64:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case CF_FIELD_FIXED:
        return memcmp(a, b, field->max) == 0;
    case CF_FIELD_TEXT:
    case CF_FIELD_BYTES:
        return cf_str_equal(*(const cf_str_t *)a, *(const cf_str_t *)b);
    case CF_FIELD_LIST:
        return list_equal(field, (const cf_list_t *)a, (const cf_list_t *)b);
    case CF_FIELD_STRUCT:
        return shape_equal(field->items, a, b);
    }
    return false;
}

bool shape_equal(const cf_shape_t *shape, const void *a, const void *b)
{
    for (uint32_t i = 0; i < shape->n; i++) {
        const cf_field_t *field = &shape->fields[i];
        if (!field_equal(field, (const uint8_t *)a + field->offset,
                         (const uint8_t *)b + field->offset))
            return false;
    }
    return true;
}
