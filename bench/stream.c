#include "stream.h"

#include <string.h>

/* Completes the packet of which a part is kept. Returns how many of the bytes it took, or -1. */
static int complete(cf_stream_t *self, const uint8_t *bytes, size_t size, cf_packet_fn *handle,
                    void *context)
{
    size_t more = size < CF_PART_MAX - self->size ? size : CF_PART_MAX - self->size;
    memcpy(self->part + self->size, bytes, more);
    int whole = handle(context, self->part, self->size + more);
    if (whole < 0 || (whole == 0 && more < size))
        return -1;
    int taken = whole == 0 ? (int)more : whole - (int)self->size;
    self->size = whole == 0 ? self->size + more : 0;
    return taken;
}

bool cf_stream_take(cf_stream_t *self, const uint8_t *bytes, size_t size, cf_packet_fn *handle,
                    void *context)
{
    int taken;
    if (self->size > 0) {
        if ((taken = complete(self, bytes, size, handle, context)) < 0)
            return false;
        bytes += taken;
        size -= (size_t)taken;
        if (self->size > 0)
            return true;
    }
    while (size > 0 && (taken = handle(context, bytes, size)) > 0) {
        bytes += taken;
        size -= (size_t)taken;
    }
    if (size > 0 && (taken < 0 || size > CF_PART_MAX))
        return false;
    memcpy(self->part, bytes, size);
    self->size = size;
    return true;
}
