#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DUE_DIGITS 20
#define HEAD_MAX 72
#define WIDE_FROM 1000 /* more bytes than a post has characters */

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

/* ---- short ones */

#define SHORT_BYTES 21
#define SHORT_CHARS 28 /* of base64url */
#define SHORT_CHECKED (SHORT_BYTES - 2)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put(uint8_t **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t **at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t) * (*at)++ << 8 * i;
    return value;
}

static void write_short(char *out, size_t size, cf_payload_t *payload)
{
    uint8_t bytes[SHORT_BYTES], *at = bytes;
    put(&at, payload->run, 6);
    put(&at, payload->writer, 3);
    put(&at, payload->n, 4);
    put(&at, (uint64_t)payload->due_ns / 1000, 6);
    payload->crc = cf_crc32(bytes, SHORT_CHECKED) & 0xffff;
    put(&at, payload->crc, 2);
    memset(out, 'x', size);
    memcpy(out, "S|", 2);
    for (int i = 0; i < SHORT_BYTES / 3; i++) {
        uint32_t three =
            (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
        for (int digit = 0; digit < 4; digit++)
            out[2 + 4 * i + digit] = alphabet[three >> (18 - 6 * digit) & 63];
    }
}

static int digit_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

static bool read_short(cf_payload_t *out, const char *text, size_t size)
{
    uint8_t bytes[SHORT_BYTES];
    const uint8_t *at = bytes;
    if (size < CF_PAYLOAD_MIN)
        return false;
    for (int i = 0; i < SHORT_BYTES / 3; i++) {
        uint32_t three = 0;
        for (int digit = 0; digit < 4; digit++) {
            int value = digit_of(text[2 + 4 * i + digit]);
            if (value < 0)
                return false;
            three = three << 6 | (uint32_t)value;
        }
        bytes[3 * i] = (uint8_t)(three >> 16);
        bytes[3 * i + 1] = (uint8_t)(three >> 8);
        bytes[3 * i + 2] = (uint8_t)three;
    }
    for (size_t i = 2 + SHORT_CHARS; i < size; i++)
        if (text[i] != 'x')
            return false;
    cf_payload_t payload = {.run = get(&at, 6)};
    payload.writer = (uint32_t)get(&at, 3);
    payload.n = (uint32_t)get(&at, 4);
    payload.due_ns = (int64_t)get(&at, 6) * 1000;
    payload.crc = (uint32_t)get(&at, 2);
    if (payload.crc != (cf_crc32(bytes, SHORT_CHECKED) & 0xffff))
        return false;
    *out = payload;
    return true;
}

/* ---- all others */

static void write_pad(char *pad, size_t size, bool wide, int64_t due_ns)
{
    static const char character[] = "\xf0\x90\x80\x80"; /* U+10000 */
    char due[DUE_DIGITS + 1];
    snprintf(due, sizeof due, "%020" PRId64, due_ns);
    memset(pad, 'x', size);
    memcpy(pad, due, DUE_DIGITS);
    for (size_t at = DUE_DIGITS; wide && at + 4 <= size; at += 4)
        memcpy(pad + at, character, 4);
}

/* The length of the pad is part of the head, and so decides with it about the whole size. */
void cf_payload_write(char *out, size_t size, cf_payload_t *payload)
{
    char head[HEAD_MAX], pad[CF_PAYLOAD_MAX];
    bool wide = size > WIDE_FROM;
    if (size < CF_PAYLOAD_LONG) {
        write_short(out, size, payload);
        return;
    }
    for (size_t pad_size = size;;) {
        write_pad(pad, pad_size, wide, payload->due_ns);
        payload->crc = cf_crc32(pad, pad_size);
        int head_size = snprintf(
            head, sizeof head, "L|%" PRIu64 "|%" PRIu32 "|%" PRIu32 "|%0*zu|%08" PRIx32 "|",
            payload->run, payload->writer, payload->n, wide ? 4 : 3, pad_size, payload->crc);
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

bool cf_payload_claims(const char *text, size_t size)
{
    return size > 2 && (memcmp(text, "L|", 2) == 0 || memcmp(text, "S|", 2) == 0);
}

bool cf_payload_read(cf_payload_t *out, const char *text, size_t size)
{
    const char *at = text + 2, *end = text + size;
    uint64_t run, writer, n, len, crc, due = 0;
    if (size >= 2 && memcmp(text, "S|", 2) == 0)
        return read_short(out, text, size);
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
