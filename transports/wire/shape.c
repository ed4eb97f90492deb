#include "shape.h"
#include "err.h"
#include "utf8.h"

#include <assert.h>
#include <msgpack.h>
#include <stdalign.h>

/* --- encode ------------------------------------------------------------------------------------
 */

static int write_bytes(void *to, const char *bytes, size_t size)
{
    return cf_buf_add(to, bytes, size);
}

static int encode_struct(msgpack_packer *to, const cf_shape_t *shape, const uint8_t *body);

static int encode_list(msgpack_packer *to, const cf_field_t *field, const cf_list_t *list)
{
    if (list->n > field->max)
        return CF_ERANGE;
    int rc = msgpack_pack_array(to, list->n);
    for (uint32_t i = 0; rc == 0 && i < list->n; i++)
        rc = encode_struct(to, field->items, (const uint8_t *)list->items + i * field->items->size);
    return rc;
}

static int encode_text(msgpack_packer *to, const cf_field_t *field, const cf_str_t *text)
{
    if (text->size < field->min || text->size > field->max)
        return CF_ERANGE;
    int rc = msgpack_pack_str(to, text->size);
    return rc == 0 && text->size ? msgpack_pack_str_body(to, text->bytes, text->size) : rc;
}

static int encode_bytes(msgpack_packer *to, const cf_field_t *field, const cf_str_t *bytes)
{
    if (bytes->size < field->min || bytes->size > field->max)
        return CF_ERANGE;
    int rc = msgpack_pack_bin(to, bytes->size);
    return rc == 0 && bytes->size ? msgpack_pack_bin_body(to, bytes->bytes, bytes->size) : rc;
}

static int encode_number(msgpack_packer *to, const cf_field_t *field, uint64_t value)
{
    return value < field->min || value > field->max ? CF_ERANGE : msgpack_pack_uint64(to, value);
}

static int encode_field(msgpack_packer *to, const cf_field_t *field, const uint8_t *at)
{
    switch (field->kind) {
    case CF_FIELD_BOOL:
        return *(const bool *)at ? msgpack_pack_true(to) : msgpack_pack_false(to);
    case CF_FIELD_U32:
        return encode_number(to, field, *(const uint32_t *)at);
    case CF_FIELD_U64:
        return encode_number(to, field, *(const uint64_t *)at);
    case CF_FIELD_I64:
        return msgpack_pack_int64(to, *(const int64_t *)at);
    case CF_FIELD_FIXED:
        return msgpack_pack_bin(to, field->max) < 0 ? CF_ENOMEM
                                                    : msgpack_pack_bin_body(to, at, field->max);
    case CF_FIELD_TEXT:
        return encode_text(to, field, (const cf_str_t *)at);
    case CF_FIELD_BYTES:
        return encode_bytes(to, field, (const cf_str_t *)at);
    case CF_FIELD_LIST:
        return encode_list(to, field, (const cf_list_t *)at);
    case CF_FIELD_STRUCT:
        return encode_struct(to, field->items, at);
    }
    return CF_EINTERNAL;
}

static int encode_struct(msgpack_packer *to, const cf_shape_t *shape, const uint8_t *body)
{
    int rc = msgpack_pack_array(to, shape->n);
    for (uint32_t i = 0; rc == 0 && i < shape->n; i++)
        rc = encode_field(to, &shape->fields[i], body + shape->fields[i].offset);
    return rc;
}

int cf_shape_encode(cf_buf_t *out, const cf_shape_t *shape, const void *body)
{
    msgpack_packer to;
    msgpack_packer_init(&to, out, write_bytes);
    size_t before = out->size;
    int rc = encode_struct(&to, shape, body);
    if (rc < 0)
        out->size = before;
    return rc;
}

/* --- decode ------------------------------------------------------------------------------------
 */

typedef struct {
    const uint8_t *at, *end;
    cf_arena_t *arena;
} reader_t;

/* Big-endian number of `width` bytes behind a tag. */
static int take_wide(reader_t *from, unsigned width, uint64_t *out)
{
    if ((size_t)(from->end - from->at) < width)
        return CF_EPROTO;
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | from->at[i];
    from->at += width;
    *out = value;
    return 0;
}

static int take_tag(reader_t *from, uint8_t *tag)
{
    if (from->at >= from->end)
        return CF_EPROTO;
    *tag = *from->at++;
    return 0;
}

static int take_unsigned(reader_t *from, uint64_t *out)
{
    uint8_t tag;
    int rc = take_tag(from, &tag);
    if (rc < 0)
        return rc;
    if (tag <= 0x7f) { /* positive fixint */
        *out = tag;
        return 0;
    }
    return tag >= 0xcc && tag <= 0xcf ? take_wide(from, 1u << (tag - 0xcc), out) : CF_EPROTO;
}

static int take_signed(reader_t *from, int64_t *out)
{
    uint64_t value;
    uint8_t tag = from->at < from->end ? *from->at : 0xc1; /* 0xc1 is never used by msgpack */
    if (tag >= 0xe0) {                                     /* negative fixint */
        from->at++;
        *out = (int8_t)tag;
        return 0;
    }
    if (tag < 0xd0 || tag > 0xd3) {
        int rc = take_unsigned(from, &value);
        if (rc == 0 && value > INT64_MAX)
            rc = CF_ERANGE;
        if (rc == 0)
            *out = (int64_t)value;
        return rc;
    }
    from->at++;
    unsigned width = 1u << (tag - 0xd0);
    int rc = take_wide(from, width, &value);
    if (rc == 0)
        *out = (int64_t)(value << (64 - 8 * width)) >> (64 - 8 * width); /* sign-extended */
    return rc;
}

/* The length behind one of the tags that carry it: fix form `fix` (with `fix_bits` bits of length),
 * or 8, 16, 32 bits wide from tag `wide` on; `wide8` 0: there is no 8-bit form. */
static int take_length(reader_t *from, uint8_t fix, uint8_t fix_bits, uint8_t wide8, uint8_t wide16,
                       uint64_t *out)
{
    uint8_t tag;
    int rc = take_tag(from, &tag);
    if (rc < 0)
        return rc;
    if (fix_bits && (tag >> fix_bits) == (fix >> fix_bits)) {
        *out = tag & ((1u << fix_bits) - 1);
        return 0;
    }
    if (wide8 && tag == wide8)
        return take_wide(from, 1, out);
    if (tag == wide16)
        return take_wide(from, 2, out);
    return tag == wide16 + 1 ? take_wide(from, 4, out) : CF_EPROTO;
}

static int take_array(reader_t *from, uint64_t *n)
{
    return take_length(from, 0x90, 4, 0, 0xdc, n);
}

static int take_bytes(reader_t *from, uint64_t size, const uint8_t **out)
{
    if ((uint64_t)(from->end - from->at) < size)
        return CF_EPROTO;
    *out = from->at;
    from->at += size;
    return 0;
}

static int decode_struct(reader_t *from, const cf_shape_t *shape, uint8_t *body);

static int decode_bool(reader_t *from, bool *out)
{
    uint8_t tag;
    int rc = take_tag(from, &tag);
    if (rc < 0 || (tag != 0xc2 && tag != 0xc3))
        return CF_EPROTO;
    *out = tag == 0xc3;
    return 0;
}

static int decode_number(reader_t *from, const cf_field_t *field, uint64_t *out)
{
    int rc = take_unsigned(from, out);
    return rc == 0 && (*out < field->min || *out > field->max) ? CF_ERANGE : rc;
}

static int decode_fixed(reader_t *from, const cf_field_t *field, uint8_t *out)
{
    uint64_t size;
    const uint8_t *bytes;
    int rc = take_length(from, 0, 0, 0xc4, 0xc5, &size);
    if (rc == 0 && size != field->max)
        rc = CF_ERANGE;
    if (rc == 0 && (rc = take_bytes(from, size, &bytes)) == 0)
        memcpy(out, bytes, size);
    return rc;
}

static int take_within(reader_t *from, const cf_field_t *field, uint64_t size, cf_str_t *out)
{
    const uint8_t *bytes;
    if (size < field->min || size > field->max)
        return CF_ERANGE;
    int rc = take_bytes(from, size, &bytes);
    if (rc == 0)
        *out = (cf_str_t){(const char *)bytes, (uint32_t)size};
    return rc;
}

/* Whoever has sent it, and whatever key he holds: what is no text is shown to nobody and stored nowhere. */
static int decode_text(reader_t *from, const cf_field_t *field, cf_str_t *out)
{
    uint64_t size;
    int rc = take_length(from, 0xa0, 5, 0xd9, 0xda, &size);
    if (rc == 0)
        rc = take_within(from, field, size, out);
    return rc == 0 && !cf_utf8_valid(out->bytes, out->size) ? CF_EPROTO : rc;
}

static int decode_bytes(reader_t *from, const cf_field_t *field, cf_str_t *out)
{
    uint64_t size;
    int rc = take_length(from, 0, 0, 0xc4, 0xc5, &size);
    return rc == 0 ? take_within(from, field, size, out) : rc;
}

static int decode_list(reader_t *from, const cf_field_t *field, cf_list_t *out)
{
    uint64_t n;
    int rc = take_array(from, &n);
    if (rc < 0)
        return rc;
    if (n > field->max)
        return CF_ERANGE;
    if (n > (uint64_t)(from->end -
                       from->at)) /* an item takes a byte at least: reserve nothing for a lie */
        return CF_EPROTO;
    uint8_t *items = n ? cf_arena_take(from->arena, n * field->items->size) : NULL;
    if (n && !items)
        return CF_ENOMEM;
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        rc = decode_struct(from, field->items, items + i * field->items->size);
    *out = (cf_list_t){items, (uint32_t)n};
    return rc;
}

static int decode_field(reader_t *from, const cf_field_t *field, uint8_t *at)
{
    uint64_t number;
    int rc;
    switch (field->kind) {
    case CF_FIELD_BOOL:
        return decode_bool(from, (bool *)at);
    case CF_FIELD_U32:
        if ((rc = decode_number(from, field, &number)) == 0)
            *(uint32_t *)at = (uint32_t)number;
        return rc;
    case CF_FIELD_U64:
        return decode_number(from, field, (uint64_t *)at);
    case CF_FIELD_I64:
        return take_signed(from, (int64_t *)at);
    case CF_FIELD_FIXED:
        return decode_fixed(from, field, at);
    case CF_FIELD_TEXT:
        return decode_text(from, field, (cf_str_t *)at);
    case CF_FIELD_BYTES:
        return decode_bytes(from, field, (cf_str_t *)at);
    case CF_FIELD_LIST:
        return decode_list(from, field, (cf_list_t *)at);
    case CF_FIELD_STRUCT:
        return decode_struct(from, field->items, at);
    }
    return CF_EINTERNAL;
}

static int decode_struct(reader_t *from, const cf_shape_t *shape, uint8_t *body)
{
    uint64_t n;
    int rc = take_array(from, &n);
    if (rc == 0 && n != shape->n)
        rc = CF_EPROTO;
    for (uint32_t i = 0; rc == 0 && i < shape->n; i++)
        rc = decode_field(from, &shape->fields[i], body + shape->fields[i].offset);
    return rc;
}

int cf_shape_decode(void *out, const cf_shape_t *shape, const uint8_t *bytes, size_t size,
                    cf_arena_t *arena)
{
    alignas(max_align_t) uint8_t body[CF_SHAPE_SIZE_MAX] = {0};
    assert(shape->size <= sizeof body);
    reader_t from = {bytes, bytes + size, arena};
    int rc = decode_struct(&from, shape, body);
    if (rc == 0 && from.at != from.end)
        rc = CF_EPROTO; /* something after the message */
    if (rc == 0)
        memcpy(out, body, shape->size);
    return rc;
}
