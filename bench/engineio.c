#include "engineio.h"

#include <string.h>

#define EVENT_HEAD "42[\"m\",\""
#define EVENT_TAIL "\"]"

static bool begins(const char *text, size_t size, const char *with)
{
    size_t length = strlen(with);
    return size >= length && memcmp(text, with, length) == 0;
}

static bool ends(const char *text, size_t size, const char *with)
{
    size_t length = strlen(with);
    return size >= length && memcmp(text + size - length, with, length) == 0;
}

bool cf_engineio_read(cf_engineio_packet_t *out, const char *text, size_t size)
{
    size_t head = strlen(EVENT_HEAD), tail = strlen(EVENT_TAIL);
    *out = (cf_engineio_packet_t){0};
    if (begins(text, size, EVENT_HEAD)) {
        if (size < head + tail || !ends(text, size, EVENT_TAIL))
            return false;
        out->kind = CF_ENGINEIO_EVENT;
        out->text = (cf_slice_t){text + head, size - head - tail};
        return true;
    }
    if (size == 1 && text[0] == '2') {
        out->kind = CF_ENGINEIO_PING;
        return true;
    }
    out->kind = begins(text, size, "40{") ? CF_ENGINEIO_CONNECT : CF_ENGINEIO_OPEN;
    return (begins(text, size, "40{") || begins(text, size, "0{")) && ends(text, size, "}");
}

size_t cf_engineio_write_event(char *out, const char *text, size_t size)
{
    size_t at = strlen(EVENT_HEAD);
    memcpy(out, EVENT_HEAD, at);
    memcpy(out + at, text, size);
    memcpy(out + at + size, EVENT_TAIL, strlen(EVENT_TAIL));
    return at + size + strlen(EVENT_TAIL);
}
