/* transports/wire/shape.h: one strict codec for every message body.
 *
 * A body is a msgpack array (https://github.com/msgpack/msgpack/blob/master/spec.md). Its shape is
 * a table: one row per field with kind and bounds. Encoding and decoding walk the table, so a
 * message has no code of its own that could be wrong, its bounds stand in one place, and the
 * protocol's documentation is printed from the same rows.
 *
 * Decoding reads straight from the bytes against the shape: msgpack-c's unpacker builds objects
 * first and reserves what a length claims before it knows that the bytes are there. */
#ifndef CF_SHAPE_H
#define CF_SHAPE_H

#include "arena.h"
#include "buf.h"
#include "str.h"

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CF_FIELD_BOOL = 1, /* bool */
    CF_FIELD_U32,      /* uint32_t, min..max */
    CF_FIELD_U64,      /* uint64_t, min..max */
    CF_FIELD_I64,      /* int64_t, any */
    CF_FIELD_FIXED,    /* exactly max bytes in place (ids, hashes); bin */
    CF_FIELD_TEXT,     /* cf_str_t, min..max bytes of well-formed UTF-8; str */
    CF_FIELD_BYTES,    /* cf_str_t, min..max bytes, whatever they are; bin */
    CF_FIELD_LIST,     /* cf_list_t of items, min..max of them; array */
    CF_FIELD_STRUCT,   /* a struct in place, described by items; array */
} cf_field_kind_t;

typedef struct cf_shape cf_shape_t;

typedef struct {
    const char *name;
    cf_field_kind_t kind;
    uint32_t offset; /* of the member in the plain struct */
    uint64_t min, max;
    const cf_shape_t *items; /* LIST, STRUCT */
} cf_field_t;

struct cf_shape {
    const char *name;
    size_t size; /* of the plain struct; at most CF_SHAPE_SIZE_MAX for a message */
    const cf_field_t *fields;
    uint32_t n;
};

#define CF_SHAPE_SIZE_MAX 512

typedef struct {
    void *items; /* borrowed from the arena of the decode call */
    uint32_t n;
} cf_list_t;

#define CF_F_BOOL(type, member)                                                                    \
    {                                                                                              \
#member, CF_FIELD_BOOL, offsetof(type, member), 0, 1, NULL                                 \
    }
#define CF_F_U32(type, member, least, most)                                                        \
    {                                                                                              \
#member, CF_FIELD_U32, offsetof(type, member), (least), (most), NULL                       \
    }
#define CF_F_U64(type, member)                                                                     \
    {                                                                                              \
#member, CF_FIELD_U64, offsetof(type, member), 0, UINT64_MAX, NULL                         \
    }
#define CF_F_I64(type, member)                                                                     \
    {                                                                                              \
#member, CF_FIELD_I64, offsetof(type, member), 0, 0, NULL                                  \
    }
#define CF_F_FIXED(type, member)                                                                   \
    {                                                                                              \
#member, CF_FIELD_FIXED, offsetof(type, member), sizeof(((type *)0)->member),              \
            sizeof(((type *)0)->member), NULL                                                      \
    }
#define CF_F_TEXT(type, member, least, most)                                                       \
    {                                                                                              \
#member, CF_FIELD_TEXT, offsetof(type, member), (least), (most), NULL                      \
    }
#define CF_F_BYTES(type, member, least, most)                                                      \
    {                                                                                              \
#member, CF_FIELD_BYTES, offsetof(type, member), (least), (most), NULL                     \
    }
#define CF_F_LIST(type, member, most, shape)                                                       \
    {                                                                                              \
#member, CF_FIELD_LIST, offsetof(type, member), 0, (most), (shape)                         \
    }
#define CF_F_STRUCT(type, member, shape)                                                           \
    {                                                                                              \
#member, CF_FIELD_STRUCT, offsetof(type, member), 0, 0, (shape)                            \
    }

#define CF_SHAPE(type, fields)                                                                     \
    {                                                                                              \
#fields, sizeof(type), (fields), sizeof(fields) / sizeof((fields)[0])                      \
    }

/* Append the array form of *body. Returns 0; CF_ERANGE if a field breaks its bounds, CF_ENOMEM; out
 * is then as it was. That a text is UTF-8 is the sender's duty, and the reader's to check. */
int cf_shape_encode(cf_buf_t *out, const cf_shape_t *shape, const void *body);

/* Read exactly one array of this shape. Texts in *out borrow from bytes, lists from the arena. *out
 * is written only on success. Returns 0; CF_EPROTO (truncated, trailing bytes, another type or
 * number of fields, a text that is no UTF-8; not the shortest form is fine); CF_ERANGE (a bound is broken); CF_ENOMEM. */
int cf_shape_decode(void *out, const cf_shape_t *shape, const uint8_t *bytes, size_t size,
                    cf_arena_t *arena);

#endif
