#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { FINAL = 0x80, OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9 };

/* Writes the header of RFC 6455, 5.2 (a server does not mask) and returns its size. */
static size_t put_header(uint8_t out[10], int opcode, size_t size)
{
    out[0] = (uint8_t)(FINAL | opcode);
    if (size < 126) {
        out[1] = (uint8_t)size;
        return 2;
    }
    int length_bytes = size <= UINT16_MAX ? 2 : 8;
    out[1] = length_bytes == 2 ? 126 : 127;
    for (int i = 0; i < length_bytes; i++)
        out[2 + i] = (uint8_t)((uint64_t)size >> (8 * (length_bytes - 1 - i)));
    return 2 + (size_t)length_bytes;
}

static cf_frame_t *new_frame(int opcode, const void *payload, size_t size)
{
    if (size > UINT32_MAX - 16)
        return NULL;
    uint8_t header[10];
    size_t header_size = put_header(header, opcode, size);
    cf_frame_t *frame = malloc(sizeof *frame + header_size + size);
    if (!frame)
        return NULL;
    frame->references = 1;
    frame->size = (uint32_t)(header_size + size);
    memcpy(frame->bytes, header, header_size);
    if (size)
        memcpy(frame->bytes + header_size, payload, size);
    return frame;
}

cf_frame_t *cf_frame_new(const void *payload, size_t size)
{
    return new_frame(OP_TEXT, payload, size);
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
