/* Every message body and whole frames: whatever the bytes, they are refused, or they are a message
 * that encodes again into one that reads the same.
 *
 * The first two bytes, little-endian, choose: the n-th message of the list, whose body follows; or,
 * from 0x8000 on, a whole frame. */
#include "err.h"
#include "wire/msg.h"

#include <stdlib.h>

typedef struct {
    uint32_t n;
    uint16_t types[256];
} list_t;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void add(void *arg, uint16_t type, const char *name, const cf_shape_t *shape)
{
    list_t *list = arg;
    (void)name;
    (void)shape;
    if (list->n < sizeof list->types / sizeof list->types[0])
        list->types[list->n++] = type;
}

static void check_body(const cf_shape_t *shape, const uint8_t *bytes, size_t size)
{
    uint8_t first[CF_SHAPE_SIZE_MAX], second[CF_SHAPE_SIZE_MAX];
    cf_arena_t arena = {0};
    cf_buf_t once = {0}, twice = {0};
    int rc = cf_shape_decode(first, shape, bytes, size, &arena);
    if (rc == 0) {
        /* within its bounds, so it can be said again; and then it is in its shortest form */
        if (cf_shape_encode(&once, shape, first) != 0 || once.size > size ||
            cf_shape_decode(second, shape, once.data, once.size, &arena) != 0 ||
            cf_shape_encode(&twice, shape, second) != 0 || once.size != twice.size ||
            memcmp(once.data, twice.data, once.size) != 0)
            abort();
    } else if (rc != CF_EPROTO && rc != CF_ERANGE) {
        abort();
    }
    cf_buf_free(&once);
    cf_buf_free(&twice);
    cf_arena_free(&arena);
}

static void check_frame(const uint8_t *frame, size_t size)
{
    cf_msg_t msg;
    if (cf_msg_decode(&msg, frame, size) != 0)
        return;
    if (cf_msg_frame_size(frame) != size || msg.body != frame + CF_MSG_HEAD_SIZE)
        abort();
    check_body(cf_msg_shape(msg.type), msg.body, msg.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static list_t list;
    if (list.n == 0)
        cf_msg_visit(add, &list);
    if (size < 2)
        return 0;
    uint16_t choice = (uint16_t)(bytes[0] | bytes[1] << 8);
    if (choice >= 0x8000)
        check_frame(bytes + 2, size - 2);
    else
        check_body(cf_msg_shape(list.types[choice % list.n]), bytes + 2, size - 2);
    return 0;
}
