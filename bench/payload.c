#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DUE_DIGITS 20
#define HEAD_MAX 72

uint32_t cf_crc32(const void *bytes, size_t size)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
            table[i] = c;
        }
    uint32_t crc = 0xffffffffu;
    for (const uint8_t *p = bytes; size > 0; size--)
        crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

/* The length of the pad is part of the head, and so decides with it about the whole size. */
void cf_payload_write(char *out, size_t size, cf_payload_t *payload)
{
    char head[HEAD_MAX], pad[CF_PAYLOAD_MAX + 1];
    memset(pad, 'x', sizeof pad);
    char due[DUE_DIGITS + 1];
    snprintf(due, sizeof due, "%020" PRId64, payload->due_ns);
    memcpy(pad, due, DUE_DIGITS);
    size_t pad_size = size;
    for (;;) {
        payload->crc = cf_crc32(pad, pad_size);
        int head_size = snprintf(head, sizeof head,
                                 "L|%" PRIu64 "|%" PRIu32 "|%" PRIu32 "|%03zu|%08" PRIx32 "|",
                                 payload->run, payload->writer, payload->n, pad_size, payload->crc);
        if ((size_t)head_size + pad_size == size) {
            memcpy(out, head, (size_t)head_size);
            memcpy(out + head_size, pad, pad_size);
            return;
        }
        pad_size = size - (size_t)head_size;
    }
}

static bool take_number(const char **at, const char *end, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    const char *start = *at;
    for (; *at < end && **at != '|'; (*at)++) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : base == 16 && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                              : 99;
        if (digit >= base || *at - start >= 20)
            return false;
        value = value * base + digit;
    }
    if (*at == start || *at == end)
        return false;
    (*at)++; /* the bar */
    *out = value;
    return true;
}

bool cf_payload_read(cf_payload_t *out, const char *text, size_t size)
{
    const char *at = text + 2, *end = text + size;
    uint64_t run, writer, n, len, crc, due = 0;
    if (size < 2 || text[0] != 'L' || text[1] != '|' || !take_number(&at, end, 10, &run) ||
        !take_number(&at, end, 10, &writer) || !take_number(&at, end, 10, &n) ||
        !take_number(&at, end, 10, &len) || !take_number(&at, end, 16, &crc) ||
        len != (size_t)(end - at) || len < DUE_DIGITS || cf_crc32(at, len) != crc)
        return false;
    for (int i = 0; i < DUE_DIGITS; i++)
        due = due * 10 + (uint64_t)(at[i] - '0');
    *out = (cf_payload_t){run, (uint32_t)writer, (uint32_t)n, (uint32_t)crc, (int64_t)due};
    return true;
}
