#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { FINAL = 0x80, OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9 };

static size_t header_size(size_t size)
{
    return size < 126 ? 2 : size <= UINT16_MAX ? 4 : 10;
}

/* Writes the header of RFC 6455, 5.2 (a server does not mask). */
static void put_header(uint8_t *out, int opcode, size_t size)
{
    int length_bytes = (int)header_size(size) - 2;
    out[0] = (uint8_t)(FINAL | opcode);
    out[1] = (uint8_t)(length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127);
    for (int i = 0; i < length_bytes; i++)
        out[2 + i] = (uint8_t)((uint64_t)size >> (8 * (length_bytes - 1 - i)));
}

/* One reference, and no message yet, with memory for `size` bytes. */
static cf_frame_t *make(size_t size)
{
    cf_frame_t *frame = size <= UINT32_MAX ? malloc(sizeof *frame + size) : NULL;
    if (frame)
        *frame = (cf_frame_t){.references = 1};
    return frame;
}

static void put_message(cf_frame_t *frame, int opcode, const void *payload, size_t size)
{
    uint8_t *at = frame->bytes + frame->size;
    put_header(at, opcode, size);
    if (size)
        memcpy(at + header_size(size), payload, size);
    frame->size += (uint32_t)(header_size(size) + size);
}

static cf_frame_t *new_frame(int opcode, const void *payload, size_t size)
{
    cf_frame_t *frame = make(header_size(size) + size);
    if (frame)
        put_message(frame, opcode, payload, size);
    return frame;
}

cf_frame_t *cf_frame_new(const void *payload, size_t size)
{
    return new_frame(OP_TEXT, payload, size);
}

cf_frame_t *cf_frame_new_several(const void *payloads, const uint32_t *sizes, uint32_t n)
{
    const uint8_t *payload = payloads;
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += header_size(sizes[i]) + sizes[i];
    cf_frame_t *frame = make(size);
    for (uint32_t i = 0; frame && i < n; payload += sizes[i++])
        put_message(frame, OP_TEXT, payload, sizes[i]);
    return frame;
}

cf_frame_t *cf_frame_new_ping(void)
{
    return new_frame(OP_PING, "p", 1); /* lws does not report a Pong without payload */
}

cf_frame_t *cf_frame_new_close(int code, const char *reason)
{
    uint8_t payload[2 + CF_FRAME_CLOSE_REASON_MAX];
    if (code == 0)
        return new_frame(OP_CLOSE, NULL, 0);
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    size_t size = reason ? strlen(reason) : 0;
    if (size > CF_FRAME_CLOSE_REASON_MAX) {
        size = CF_FRAME_CLOSE_REASON_MAX;
        while (size > 0 && ((uint8_t)reason[size] & 0xC0) == 0x80)
            size--; /* not in the middle of a code point */
    }
    if (size)
        memcpy(payload + 2, reason, size);
    return new_frame(OP_CLOSE, payload, 2 + size);
}

cf_frame_t *cf_frame_ref(cf_frame_t *frame)
{
    frame->references++;
    return frame;
}

void cf_frame_unref(cf_frame_t **frame)
{
    if (*frame && --(*frame)->references == 0)
        free(*frame);
    *frame = NULL;
}
