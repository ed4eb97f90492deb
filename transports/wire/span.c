#include "span.h"
#include "little_endian.h"
#include "random.h"

#include <sodium.h>

static const cf_field_t span_attribute[] = {
    CF_F_TEXT(cf_span_attribute_t, key, 1, CF_SPAN_NAME_MAX),
    CF_F_TEXT(cf_span_attribute_t, text, 0, CF_SPAN_TEXT_MAX),
    CF_F_I64(cf_span_attribute_t, number),
};
static const cf_shape_t shape_span_attribute = CF_SHAPE(cf_span_attribute_t, span_attribute);

static const cf_field_t span[] = {
    CF_F_FIXED(cf_span_t, id),
    CF_F_FIXED(cf_span_t, parent),
    CF_F_U32(cf_span_t, kind, CF_SPAN_INTERNAL, CF_SPAN_CLIENT),
    CF_F_TEXT(cf_span_t, name, 1, CF_SPAN_NAME_MAX),
    CF_F_I64(cf_span_t, begin_us),
    CF_F_I64(cf_span_t, end_us),
    CF_F_BOOL(cf_span_t, failed),
    CF_F_LIST(cf_span_t, attributes, CF_SPAN_ATTRIBUTES_MAX, &shape_span_attribute),
};
const cf_shape_t cf_shape_span = CF_SHAPE(cf_span_t, span);

_Static_assert(CF_TRACE_ID_SIZE == crypto_shorthash_KEYBYTES,
               "a trace keys the names of its spans");
_Static_assert(CF_SPAN_ID_SIZE == crypto_shorthash_BYTES, "a hash names a span");

cf_span_id_t cf_span_of(const cf_msg_t *request)
{
    cf_span_id_t id;
    uint8_t asked[16 + CF_ID_SIZE];
    cf_put_le64(asked, request->corr);
    cf_put_le64(asked + 8, cf_address_pack(request->from));
    memcpy(asked + 16, request->room.bytes, CF_ID_SIZE);
    crypto_shorthash(id.bytes, asked, sizeof asked, request->trace.id);
    id.bytes[0] |= 1; /* never all zero, which is none */
    return id;
}

cf_span_id_t cf_span_new(void)
{
    cf_span_id_t id;
    cf_random(id.bytes, sizeof id.bytes);
    id.bytes[0] |= 1;
    return id;
}
