/* Every message of the list, from the tables its codec walks, against msgpack-c as a second
 * opinion. */
#include "err.h"
#include "shape_fill.h"
#include "wire/append.h"
#include "wire/msg.h"
#include "wire/record.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <msgpack.h>
#include <stdlib.h>

#define MESSAGES_MAX 256

typedef struct {
    uint16_t type;
    const char *name;
    const cf_shape_t *shape;
} message_t;

static message_t messages[MESSAGES_MAX];
static size_t n_messages;
static cf_arena_t arena;
static cf_buf_t buf;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static void add_message(void *arg, uint16_t type, const char *name, const cf_shape_t *shape)
{
    (void)arg;
    cr_assert(lt(sz, n_messages, MESSAGES_MAX));
    messages[n_messages++] = (message_t){type, name, shape};
}

static void list_messages(void)
{
    cf_msg_visit(add_message, NULL);
}

static void free_all(void)
{
    cf_arena_free(&arena);
    cf_buf_free(&buf);
}

TestSuite(wire, .init = list_messages, .fini = free_all, .timeout = 120);

static cf_msg_t head_of(uint16_t type)
{
    return (cf_msg_t){.type = type,
                      .corr = 0x1122334455667788,
                      .trace = {{1, 2, 3}, true},
                      .from = {1, CF_ACTOR_GATEWAY, 2},
                      .to = {0xfffffffe, CF_ACTOR_STATS, 0xffff},
                      .room = {{9, 8, 7}}};
}

/* Append the body of this struct to buf; returns where it begins. */
static size_t encode(const message_t *message, const void *body)
{
    size_t start = buf.size;
    cr_assert(cf_shape_encode(&buf, message->shape, body) == 0, "%s", message->name);
    return start;
}

static int decode(const message_t *message, void *out, const uint8_t *bytes, size_t size)
{
    return cf_shape_decode(out, message->shape, bytes, size, &arena);
}

/* These bytes are refused with this reason, and nothing is written. */
static void refuses(const message_t *message, const uint8_t *bytes, size_t size, int reason,
                    const char *what)
{
    uint8_t out[CF_SHAPE_SIZE_MAX], before[CF_SHAPE_SIZE_MAX];
    memset(out, 0x5a, sizeof out);
    memset(before, 0x5a, sizeof before);
    /* a copy of its own size, so that a sanitizer sees a read past it */
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int rc = decode(message, out, copy, size);
    free(copy);
    cr_assert(rc == reason, "%s: %s: %s instead of %s", message->name, what, cf_err_text(rc),
              cf_err_text(reason));
    cr_assert(memcmp(out, before, sizeof out) == 0, "%s: %s: something was written", message->name,
              what);
}

/* --- the list ----------------------------------------------------------------------------------
 */

Test(wire, numbers_ascend_and_every_message_is_found_by_its_number)
{
    for (size_t i = 0; i < n_messages; i++) {
        const message_t *message = &messages[i];
        cr_assert(i == 0 || messages[i - 1].type < message->type, "%s", message->name);
        cr_assert(eq(str, (char *)cf_msg_name(message->type), (char *)message->name));
        cr_assert(cf_msg_shape(message->type) == message->shape);
        cr_assert(message->shape->size <= CF_SHAPE_SIZE_MAX, "%s", message->name);
    }
    cr_assert(eq(str, (char *)cf_msg_name(0), "unknown"));
    cr_assert(cf_msg_shape(0xffff) == NULL);
}

/* --- round trips -------------------------------------------------------------------------------
 */

static void round_trip(const message_t *message, fill_t how)
{
    cf_msg_t head = head_of(message->type), msg;
    uint8_t body[CF_SHAPE_SIZE_MAX];
    void *original = shape_fill(&arena, message->shape, how, &random_state);
    cf_buf_clear(&buf);
    cr_assert(cf_msg_encode(&buf, &head, original) == 0, "%s (%d)", message->name, how);
    cr_assert(eq(sz, cf_msg_frame_size(buf.data), buf.size));
    cr_assert(eq(int, cf_msg_decode(&msg, buf.data, buf.size), 0));
    cr_assert(msg.type == head.type && msg.corr == head.corr);
    cr_assert(cf_address_equal(msg.from, head.from) && cf_address_equal(msg.to, head.to));
    cr_assert(cf_id_equal(msg.room, head.room));
    cr_assert(memcmp(msg.trace.id, head.trace.id, sizeof msg.trace.id) == 0);
    cr_assert(eq(int, msg.trace.sampled, head.trace.sampled));
    cr_assert(cf_msg_body(body, &msg, &arena) == 0, "%s (%d)", message->name, how);
    cr_assert(shape_equal(message->shape, original, body), "%s (%d)", message->name, how);
    cf_arena_reset(&arena);
}

Test(wire, every_message_comes_back_as_it_was_at_its_smallest_its_largest_and_in_between)
{
    for (size_t i = 0; i < n_messages; i++) {
        round_trip(&messages[i], FILL_MIN);
        round_trip(&messages[i], FILL_MAX);
        for (int n = 0; n < 50; n++)
            round_trip(&messages[i], FILL_RANDOM);
    }
}

/* --- msgpack-c reads the same ------------------------------------------------------------------
 */

static bool same_struct(const msgpack_object *object, const cf_shape_t *shape, const void *body);

static bool same_list(const msgpack_object *object, const cf_field_t *field, const cf_list_t *list)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != list->n)
        return false;
    for (uint32_t i = 0; i < list->n; i++)
        if (!same_struct(&object->via.array.ptr[i], field->items,
                         (const uint8_t *)list->items + i * field->items->size))
            return false;
    return true;
}

static bool same_bytes(uint32_t size, const char *bytes, uint32_t n, const void *expected)
{
    return size == n && (n == 0 || memcmp(bytes, expected, n) == 0);
}

static bool same_field(const msgpack_object *object, const cf_field_t *field, const uint8_t *at)
{
    const cf_str_t *text = (const cf_str_t *)at;
    switch (field->kind) {
    case CF_FIELD_BOOL:
        return object->type == MSGPACK_OBJECT_BOOLEAN && object->via.boolean == *(const bool *)at;
    case CF_FIELD_U32:
        return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
               object->via.u64 == *(const uint32_t *)at;
    case CF_FIELD_U64:
        return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
               object->via.u64 == *(const uint64_t *)at;
    case CF_FIELD_I64:
        return (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) &&
               object->via.i64 == *(const int64_t *)at;
    case CF_FIELD_FIXED:
        return object->type == MSGPACK_OBJECT_BIN &&
               same_bytes(object->via.bin.size, object->via.bin.ptr, (uint32_t)field->max, at);
    case CF_FIELD_TEXT:
        return object->type == MSGPACK_OBJECT_STR &&
               same_bytes(object->via.str.size, object->via.str.ptr, text->size, text->bytes);
    case CF_FIELD_BYTES:
        return object->type == MSGPACK_OBJECT_BIN &&
               same_bytes(object->via.bin.size, object->via.bin.ptr, text->size, text->bytes);
    case CF_FIELD_LIST:
        return same_list(object, field, (const cf_list_t *)at);
    case CF_FIELD_STRUCT:
        return same_struct(object, field->items, at);
    }
    return false;
}

static bool same_struct(const msgpack_object *object, const cf_shape_t *shape, const void *body)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != shape->n)
        return false;
    for (uint32_t i = 0; i < shape->n; i++)
        if (!same_field(&object->via.array.ptr[i], &shape->fields[i],
                        (const uint8_t *)body + shape->fields[i].offset))
            return false;
    return true;
}

static void read_by_msgpack(const message_t *message, fill_t how)
{
    msgpack_unpacked unpacked;
    size_t used = 0;
    void *body = shape_fill(&arena, message->shape, how, &random_state);
    cf_buf_clear(&buf);
    encode(message, body);
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return rc =
        msgpack_unpack_next(&unpacked, (const char *)buf.data, buf.size, &used);
    cr_assert(rc == MSGPACK_UNPACK_SUCCESS && used == buf.size, "%s", message->name);
    cr_assert(same_struct(&unpacked.data, message->shape, body), "%s", message->name);
    msgpack_unpacked_destroy(&unpacked);
    cf_arena_reset(&arena);
}

Test(wire, msgpack_c_reads_what_we_write)
{
    for (size_t i = 0; i < n_messages; i++) {
        read_by_msgpack(&messages[i], FILL_MIN);
        read_by_msgpack(&messages[i], FILL_MAX);
        read_by_msgpack(&messages[i], FILL_RANDOM);
    }
}

/* --- cut and stretched -------------------------------------------------------------------------
 */

Test(wire, refuses_every_truncation_and_a_byte_too_many)
{
    for (size_t i = 0; i < n_messages; i++) {
        for (int n = 0; n < 5; n++) {
            cf_buf_clear(&buf);
            encode(&messages[i], shape_fill(&arena, messages[i].shape, FILL_RANDOM, &random_state));
            for (size_t size = 0; size < buf.size; size++)
                refuses(&messages[i], buf.data, size, CF_EPROTO, "cut");
            for (int tail = 0; tail < 256; tail++) {
                cf_buf_add_byte(&buf, (uint8_t)tail);
                refuses(&messages[i], buf.data, buf.size, CF_EPROTO, "stretched");
                buf.size--;
            }
        }
        cf_arena_reset(&arena);
    }
}

Test(wire, refuses_truncations_of_the_largest)
{
    for (size_t i = 0; i < n_messages; i++) {
        cf_buf_clear(&buf);
        encode(&messages[i], shape_fill(&arena, messages[i].shape, FILL_MAX, &random_state));
        for (int n = 0; n < 10; n++)
            refuses(&messages[i], buf.data, shape_random(&random_state) % buf.size, CF_EPROTO,
                    "cut");
        cf_arena_reset(&arena);
    }
}

/* --- bodies packed by hand, wrong in one place -------------------------------------------------
 */

typedef enum {
    AS_IT_IS,
    WIDE, /* right, but every number and length in its longest form */
    /* out of bounds */
    BELOW,
    ABOVE,
    /* of another type */
    NIL,
    MAP,
    FLOAT,
    EXTENSION,
    NEVER_USED, /* 0xc1 */
    OTHER_TYPE, /* the nearest kin: bin for str, number for bool, ... */
    NEGATIVE,
    /* of another number of fields */
    ONE_LESS,
    ONE_MORE,
} wrong_t;

typedef struct {
    msgpack_packer to;
    const cf_field_t *field; /* the one to spoil */
    wrong_t wrong;
    bool wide;
    uint32_t met; /* how often it was met */
} hand_t;

static void pack_struct(hand_t *hand, const cf_shape_t *shape, const void *body);

static void add_wide(uint8_t tag, int width, uint64_t value)
{
    cf_buf_add_byte(&buf, tag);
    while (width-- > 0)
        cf_buf_add_byte(&buf, (uint8_t)(value >> 8 * width));
}

static void pack_number(hand_t *hand, uint64_t value)
{
    if (hand->wide)
        add_wide(0xcf, 8, value);
    else
        msgpack_pack_uint64(&hand->to, value);
}

static void pack_array(hand_t *hand, uint32_t n)
{
    if (hand->wide)
        add_wide(0xdd, 4, n);
    else
        msgpack_pack_array(&hand->to, n);
}

static void pack_text(hand_t *hand, const char *bytes, size_t size)
{
    if (hand->wide)
        add_wide(0xdb, 4, size);
    else
        msgpack_pack_str(&hand->to, size);
    cf_buf_add(&buf, bytes, size);
}

static void pack_fixed(hand_t *hand, const uint8_t *bytes, size_t size)
{
    if (hand->wide)
        add_wide(0xc6, 4, size);
    else
        msgpack_pack_bin(&hand->to, size);
    cf_buf_add(&buf, bytes, size);
}

static void pack_list(hand_t *hand, const cf_field_t *field, const cf_list_t *list)
{
    pack_array(hand, list->n);
    for (uint32_t i = 0; i < list->n; i++)
        pack_struct(hand, field->items, (const uint8_t *)list->items + i * field->items->size);
}

static void pack_good(hand_t *hand, const cf_field_t *field, const uint8_t *at)
{
    switch (field->kind) {
    case CF_FIELD_BOOL:
        cf_buf_add_byte(&buf, *(const bool *)at ? 0xc3 : 0xc2);
        break;
    case CF_FIELD_U32:
        pack_number(hand, *(const uint32_t *)at);
        break;
    case CF_FIELD_U64:
        pack_number(hand, *(const uint64_t *)at);
        break;
    case CF_FIELD_I64:
        if (hand->wide)
            add_wide(0xd3, 8, *(const uint64_t *)at);
        else
            msgpack_pack_int64(&hand->to, *(const int64_t *)at);
        break;
    case CF_FIELD_FIXED:
        pack_fixed(hand, at, field->max);
        break;
    case CF_FIELD_TEXT:
        pack_text(hand, ((const cf_str_t *)at)->bytes, ((const cf_str_t *)at)->size);
        break;
    case CF_FIELD_BYTES:
        pack_fixed(hand, (const uint8_t *)((const cf_str_t *)at)->bytes,
                   ((const cf_str_t *)at)->size);
        break;
    case CF_FIELD_LIST:
        pack_list(hand, field, (const cf_list_t *)at);
        break;
    case CF_FIELD_STRUCT:
        pack_struct(hand, field->items, at);
        break;
    }
}

/* A list of one more item than allowed, all of them good. */
static void pack_long_list(hand_t *hand, const cf_field_t *field)
{
    pack_array(hand, (uint32_t)field->max + 1);
    for (uint64_t i = 0; i <= field->max; i++)
        pack_struct(hand, field->items, shape_fill(&arena, field->items, FILL_MIN, &random_state));
}

static bool has_bytes(const cf_field_t *field)
{
    return field->kind == CF_FIELD_FIXED || field->kind == CF_FIELD_TEXT ||
           field->kind == CF_FIELD_BYTES;
}

static void pack_beyond(hand_t *hand, const cf_field_t *field, bool above)
{
    uint64_t value = above ? field->max + 1 : field->min - 1;
    uint8_t *bytes = has_bytes(field) ? cf_arena_take(&arena, value + 1) : NULL;
    switch (field->kind) {
    case CF_FIELD_U32:
        pack_number(hand, value);
        break;
    case CF_FIELD_I64:
        pack_number(hand, (uint64_t)INT64_MAX + 1);
        break;
    case CF_FIELD_FIXED:
    case CF_FIELD_BYTES:
        pack_fixed(hand, bytes, value);
        break;
    case CF_FIELD_TEXT:
        pack_text(hand, (const char *)bytes, value);
        break;
    case CF_FIELD_LIST:
        pack_long_list(hand, field);
        break;
    default:
        break;
    }
}

static void pack_other_type(hand_t *hand, const cf_field_t *field)
{
    uint8_t *zeros = has_bytes(field) ? cf_arena_take(&arena, field->max + 1) : NULL;
    switch (field->kind) {
    case CF_FIELD_BOOL:
        pack_number(hand, 1);
        break;
    case CF_FIELD_U32:
    case CF_FIELD_U64:
    case CF_FIELD_I64:
        cf_buf_add_byte(&buf, 0xc3); /* true */
        break;
    case CF_FIELD_FIXED:
    case CF_FIELD_BYTES:
        pack_text(hand, (const char *)zeros, field->max);
        break;
    case CF_FIELD_TEXT:
        pack_fixed(hand, zeros, field->max);
        break;
    default:
        pack_text(hand, "x", 1);
    }
}

static void pack_wrong(hand_t *hand, const cf_field_t *field)
{
    static const uint8_t extension[] = {0xd4, 1, 1}; /* fixext 1 */
    switch (hand->wrong) {
    case BELOW:
    case ABOVE:
        pack_beyond(hand, field, hand->wrong == ABOVE);
        break;
    case NIL:
        msgpack_pack_nil(&hand->to);
        break;
    case MAP:
        msgpack_pack_map(&hand->to, 0);
        break;
    case FLOAT:
        msgpack_pack_double(&hand->to, 1);
        break;
    case EXTENSION:
        cf_buf_add(&buf, extension, sizeof extension);
        break;
    case NEVER_USED:
        cf_buf_add_byte(&buf, 0xc1);
        break;
    case NEGATIVE:
        msgpack_pack_int64(&hand->to, -1);
        break;
    default:
        pack_other_type(hand, field);
    }
}

static void pack_struct(hand_t *hand, const cf_shape_t *shape, const void *body)
{
    pack_array(hand, shape->n);
    for (uint32_t i = 0; i < shape->n; i++) {
        const cf_field_t *field = &shape->fields[i];
        bool here = field == hand->field;
        hand->met += here;
        if (here && hand->wrong > WIDE)
            pack_wrong(hand, field);
        else
            pack_good(hand, field, (const uint8_t *)body + field->offset);
    }
}

static int write_to_buf(void *to, const char *bytes, size_t size)
{
    return cf_buf_add(to, bytes, size);
}

/* The message with this field wrong in this way, in buf. Returns whether the field was met. */
static bool pack_by_hand(const message_t *message, const void *body, const cf_field_t *field,
                         wrong_t wrong)
{
    hand_t hand = {.field = field, .wrong = wrong, .wide = wrong == WIDE};
    msgpack_packer_init(&hand.to, &buf, write_to_buf);
    cf_buf_clear(&buf);
    pack_struct(&hand, message->shape, body);
    return hand.met > 0;
}

/* Call visit for every field of the shape and of what it is made of. */
typedef void field_fn(const message_t *message, const void *body, const cf_field_t *field);

static void visit_fields(const message_t *message, const void *body, const cf_shape_t *shape,
                         field_fn *visit)
{
    for (uint32_t i = 0; i < shape->n; i++) {
        visit(message, body, &shape->fields[i]);
        if (shape->fields[i].items)
            visit_fields(message, body, shape->fields[i].items, visit);
    }
}

/* As shape_fill with FILL_RANDOM, with an item in every list. */
static void *fill_with_items(const cf_shape_t *shape);

static void add_item(const cf_field_t *field, uint8_t *body)
{
    if (field->kind == CF_FIELD_LIST)
        *(cf_list_t *)(body + field->offset) = (cf_list_t){fill_with_items(field->items), 1};
}

static void *fill_with_items(const cf_shape_t *shape)
{
    uint8_t *body = shape_fill(&arena, shape, FILL_RANDOM, &random_state);
    for (uint32_t i = 0; i < shape->n; i++)
        add_item(&shape->fields[i], body);
    return body;
}

static void for_every_field(field_fn *visit)
{
    for (size_t i = 0; i < n_messages; i++) {
        visit_fields(&messages[i], fill_with_items(messages[i].shape), messages[i].shape, visit);
        cf_arena_reset(&arena);
    }
}

static void try_wrong(const message_t *message, const void *body, const cf_field_t *field,
                      wrong_t wrong, int reason)
{
    cr_assert(pack_by_hand(message, body, field, wrong), "%s: %s", message->name, field->name);
    refuses(message, buf.data, buf.size, reason, field->name);
}

static void spoil_type(const message_t *message, const void *body, const cf_field_t *field)
{
    try_wrong(message, body, field, NIL, CF_EPROTO);
    try_wrong(message, body, field, MAP, CF_EPROTO);
    try_wrong(message, body, field, FLOAT, CF_EPROTO);
    try_wrong(message, body, field, EXTENSION, CF_EPROTO);
    try_wrong(message, body, field, NEVER_USED, CF_EPROTO);
    try_wrong(message, body, field, OTHER_TYPE, CF_EPROTO);
    if (field->kind != CF_FIELD_I64)
        try_wrong(message, body, field, NEGATIVE, CF_EPROTO);
}

Test(wire, refuses_a_field_of_another_type)
{
    for_every_field(spoil_type);
}

static bool has_least(const cf_field_t *field)
{
    return (field->kind == CF_FIELD_U32 || has_bytes(field)) && field->min > 0;
}

static bool has_most(const cf_field_t *field)
{
    return field->kind != CF_FIELD_BOOL && field->kind != CF_FIELD_U64 &&
           field->kind != CF_FIELD_STRUCT;
}

static void spoil_bound(const message_t *message, const void *body, const cf_field_t *field)
{
    if (has_least(field))
        try_wrong(message, body, field, BELOW, CF_ERANGE);
    if (has_most(field))
        try_wrong(message, body, field, ABOVE, CF_ERANGE);
}

Test(wire, refuses_a_field_one_beyond_its_bound)
{
    for_every_field(spoil_bound);
}

/* What is no UTF-8: a byte of no character, an overlong form, half of a surrogate pair, beyond U+10FFFF, one cut short by
 * the end of the text. Each of as many bytes as it says. */
static const char *const no_texts[] = {
    "\xff", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};

/* This text stands at the end of that field. False: there is no room for it. */
static bool end_with(cf_str_t *out, const cf_field_t *field, const char *end)
{
    uint32_t size = (uint32_t)(field->min > strlen(end) ? field->min : strlen(end));
    if (size > field->max)
        return false;
    char *text = cf_arena_take(&arena, size);
    memset(text, 'a', size);
    memcpy(text + size - strlen(end), end, strlen(end));
    *out = (cf_str_t){text, size};
    return true;
}

static uint8_t *find_field(const cf_shape_t *shape, uint8_t *body, const cf_field_t *field);

static void spoil_text(const message_t *message, const void *constant, const cf_field_t *field)
{
    uint8_t *body = (uint8_t *)(uintptr_t)constant; /* made by fill_with_items, ours to change */
    cf_str_t *text = (cf_str_t *)find_field(message->shape, body, field), kept;
    if (field->kind != CF_FIELD_TEXT)
        return;
    kept = *text;
    for (size_t i = 0; i < sizeof no_texts / sizeof no_texts[0]; i++) {
        if (!end_with(text, field, no_texts[i]))
            continue;
        pack_by_hand(message, body, NULL, AS_IT_IS);
        refuses(message, buf.data, buf.size, CF_EPROTO, field->name);
    }
    *text = kept;
}

Test(wire, refuses_a_text_that_is_no_utf_8)
{
    for_every_field(spoil_text);
}

static void check_hand(const message_t *message, const void *body, wrong_t how)
{
    uint8_t out[CF_SHAPE_SIZE_MAX];
    pack_by_hand(message, body, NULL, how);
    cr_assert(decode(message, out, buf.data, buf.size) == 0, "%s", message->name);
    cr_assert(shape_equal(message->shape, body, out), "%s", message->name);
}

Test(wire, reads_what_msgpack_c_writes_and_longer_forms_as_well)
{
    for (size_t i = 0; i < n_messages; i++)
        for (int n = 0; n < 10; n++) {
            void *body = fill_with_items(messages[i].shape);
            check_hand(&messages[i], body, AS_IT_IS);
            check_hand(&messages[i], body, WIDE);
            cf_arena_reset(&arena);
        }
}

Test(wire, refuses_a_body_of_another_number_of_fields)
{
    for (size_t i = 0; i < n_messages; i++) {
        cf_buf_clear(&buf);
        encode(&messages[i], shape_fill(&arena, messages[i].shape, FILL_MIN, &random_state));
        cr_assert(eq(u32, buf.data[0] & 0xf0, 0x90)); /* fixarray: up to 15 fields */
        buf.data[0]++;
        cf_buf_add_byte(&buf, 0xc0);
        refuses(&messages[i], buf.data, buf.size, CF_EPROTO, "one field more");
        buf.data[0] -= 2; /* underflows into a map for a body without fields */
        refuses(&messages[i], buf.data, buf.size, CF_EPROTO, "one field less");
        cf_arena_reset(&arena);
    }
}

Test(wire, reserves_nothing_for_a_length_that_is_not_there)
{
    static const uint8_t lie[] = {0x93, 1, 1, 0xdc, 0x01, 0xf4}; /* 500 rows, and none follows */
    const message_t append = {CF_MSG_APPEND, "APPEND", &cf_shape_append};
    refuses(&append, lie, sizeof lie, CF_EPROTO, "rows");
    cr_assert(arena.chunks == NULL);
}

/* --- encoding breaks no bound ------------------------------------------------------------------
 */

/* Where in *body this field lies, first item of lists; NULL: nowhere. */
static uint8_t *find_field(const cf_shape_t *shape, uint8_t *body, const cf_field_t *field)
{
    for (uint32_t i = 0; i < shape->n; i++) {
        const cf_field_t *other = &shape->fields[i];
        uint8_t *at = body + other->offset, *found = NULL;
        if (other == field)
            return at;
        if (other->kind == CF_FIELD_LIST)
            found = find_field(other->items, ((cf_list_t *)at)->items, field);
        else if (other->kind == CF_FIELD_STRUCT)
            found = find_field(other->items, at, field);
        if (found)
            return found;
    }
    return NULL;
}

static void encode_refuses(const message_t *message, const void *body, const cf_field_t *field)
{
    cf_msg_t head = head_of(message->type);
    cf_buf_clear(&buf);
    cf_buf_add_byte(&buf, 'k');
    cr_assert(cf_msg_encode(&buf, &head, body) == CF_ERANGE, "%s: %s", message->name, field->name);
    cr_assert(buf.size == 1 && buf.data[0] == 'k', "%s: %s", message->name, field->name);
}

static void set_beyond(const cf_field_t *field, uint8_t *at, uint64_t value)
{
    if (field->kind == CF_FIELD_U32)
        *(uint32_t *)at = (uint32_t)value;
    else if (field->kind == CF_FIELD_TEXT || field->kind == CF_FIELD_BYTES)
        *(cf_str_t *)at = (cf_str_t){cf_arena_take(&arena, value + 1), (uint32_t)value};
    else
        *(cf_list_t *)at =
            (cf_list_t){cf_arena_take(&arena, value * field->items->size), (uint32_t)value};
}

static void break_bound(const message_t *message, const void *constant, const cf_field_t *field)
{
    uint8_t *body = (uint8_t *)(uintptr_t)constant; /* made by fill_with_items, ours to change */
    uint8_t *at = find_field(message->shape, body, field), kept[sizeof(cf_list_t)];
    bool bounded = field->kind == CF_FIELD_TEXT || field->kind == CF_FIELD_BYTES ||
                   field->kind == CF_FIELD_LIST || field->kind == CF_FIELD_U32;
    cr_assert(at != NULL, "%s: %s", message->name, field->name);
    if (!bounded)
        return;
    size_t size = field->kind == CF_FIELD_U32 ? sizeof(uint32_t) : sizeof kept;
    memcpy(kept, at, size);
    if (has_least(field)) {
        set_beyond(field, at, field->min - 1);
        encode_refuses(message, body, field);
    }
    if (field->max < UINT32_MAX) {
        set_beyond(field, at, field->max + 1);
        encode_refuses(message, body, field);
    }
    memcpy(at, kept, size);
}

Test(wire, encodes_nothing_beyond_a_bound)
{
    for_every_field(break_bound);
}

Test(wire, encodes_no_message_that_is_not_listed)
{
    cf_msg_t head = head_of(0x7777);
    cr_assert(eq(int, cf_msg_encode(&buf, &head, NULL), CF_EINTERNAL));
    cr_assert(eq(sz, buf.size, 0));
}

/* --- the head ----------------------------------------------------------------------------------
 */

static int decode_with(size_t at, uint8_t byte)
{
    cf_msg_t msg;
    uint8_t kept = buf.data[at];
    buf.data[at] = byte;
    int rc = cf_msg_decode(&msg, buf.data, buf.size);
    buf.data[at] = kept;
    return rc;
}

Test(wire, refuses_a_head_that_says_something_else)
{
    cf_msg_t head = head_of(CF_MSG_DETACH), msg;
    cr_assert(eq(int, cf_msg_encode(&buf, &head, &(cf_detach_t){.conn = 5}), 0));
    for (size_t size = 0; size < buf.size; size++)
        cr_assert(lt(int, cf_msg_decode(&msg, buf.data, size), 0));
    for (int value = 0; value < 256; value++) {
        cr_assert(eq(int, decode_with(0, (uint8_t)value), value == CF_MSG_VERSION ? 0 : CF_EPROTO));
        cr_assert(eq(int, decode_with(1, (uint8_t)value), value <= CF_MSG_SAMPLED ? 0 : CF_EPROTO));
        bool is_kind = value >= 1 && value < CF_ACTOR_KINDS;
        cr_assert(eq(int, decode_with(34, (uint8_t)value), is_kind ? 0 : CF_EPROTO)); /* from */
        cr_assert(eq(int, decode_with(42, (uint8_t)value), is_kind ? 0 : CF_EPROTO)); /* to */
    }
    cr_assert(eq(int, decode_with(3, 0xff), CF_EPROTO)); /* no such type */
    for (int byte = 0; byte < 3; byte++)
        buf.data[16 + byte] = 0; /* sampled, and in no trace */
    cr_assert(eq(int, cf_msg_decode(&msg, buf.data, buf.size), CF_EPROTO));
    buf.data[1] = 0;
    cr_assert(eq(int, cf_msg_decode(&msg, buf.data, buf.size), 0));
    cr_assert(eq(int, decode_with(4, buf.data[4] + 1), CF_EPROTO)); /* another size */
    cr_assert(eq(int, decode_with(4, buf.data[4] - 1), CF_EPROTO));
    cr_assert(eq(int, decode_with(6, 0x41), CF_ERANGE)); /* over CF_MSG_BODY_MAX */
    cr_assert(eq(int, decode_with(7, 0xff), CF_ERANGE));
}

Test(wire, finds_any_type_or_none_without_fail)
{
    cf_msg_t head = head_of(CF_MSG_STOP), msg;
    cr_assert(eq(int, cf_msg_encode(&buf, &head, NULL), 0));
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        buf.data[2] = (uint8_t)type;
        buf.data[3] = (uint8_t)(type >> 8);
        int expected = cf_msg_shape((uint16_t)type) ? 0 : CF_EPROTO;
        cr_assert(eq(int, cf_msg_decode(&msg, buf.data, buf.size), expected));
    }
}

/* --- addresses ---------------------------------------------------------------------------------
 */

Test(wire, an_address_is_the_same_packed_and_unpacked)
{
    cf_address_t address = {0xdeadbeef, CF_ACTOR_ROOMS, 0x1234};
    cr_assert(cf_address_equal(cf_address_unpack(cf_address_pack(address)), address));
    cr_assert(eq(str, (char *)cf_actor_name(CF_ACTOR_ROOMS), "rooms"));
    cr_assert(eq(str, (char *)cf_actor_name(CF_ACTOR_KINDS), "unknown"));
    cr_assert(eq(str, (char *)cf_actor_name(0), "unknown"));
}
