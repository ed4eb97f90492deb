#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

int cf_utf8_step(const char *text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;
    if (size == 0)
        return 0;
    uint8_t lead = at[0];
    if (lead < 0x80)
        return 1;
    int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || size < (size_t)length)
        return 0; /* a tail byte, an overlong lead, past U+10FFFF, or cut short */
    for (int i = 1; i < length; i++)
        if (!is_tail(at[i]))
            return 0;
    /* The second byte's narrower ranges, RFC 3629 section 4. */
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) ||
        (lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

/* As many bytes of text as are pairs and triples of one script's, most of what is not ASCII: by a known step each time, so that
 * the processor need not wait for one to find the next. */
static size_t common_part(const uint8_t *at, size_t size)
{
    size_t part = 0;
    for (;;) {
        if (part + 2 <= size && at[part] >= 0xC2 && at[part] < 0xE0 && is_tail(at[part + 1]))
            part += 2;
        else if (part + 3 <= size && at[part] > 0xE0 && at[part] < 0xED && is_tail(at[part + 1]) &&
                 is_tail(at[part + 2]))
            part += 3;
        else
            return part;
    }
}

bool cf_utf8_valid(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint64_t word;
        if (size - at >= sizeof word) { /* chat is mostly ASCII: eight bytes at a time */
            memcpy(&word, text + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t part = common_part((const uint8_t *)text + at, size - at);
        at += part;
        if (part)
            continue;
        int length = cf_utf8_step(text + at, size - at);
        if (length == 0)
            return false;
        at += (size_t)length;
    }
    return true;
}

size_t cf_utf8_count(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += !is_tail((uint8_t)text[i]);
    return count;
}

bool cf_utf8_has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)text[i] < 0x20 && text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
            return true;
    return false;
}

/* Bytes at text[0..size) that began a sequence and cannot go on, at least one. Only the second byte
 * has narrower ranges, so bytes that any tails complete are a beginning. */
static size_t broken_part(const char *text, size_t size)
{
    char whole[4];
    size_t part = 1;
    memset(whole, 0x80, sizeof whole);
    whole[0] = text[0];
    for (; part < 4 && part < size && is_tail((uint8_t)text[part]); part++) {
        whole[part] = text[part];
        if (cf_utf8_step(whole, sizeof whole) <= (int)part)
            break;
    }
    return part;
}

int cf_utf8_repair(cf_buf_t *buf)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const char *text = (const char *)buf->data;
    cf_buf_t out = {0};
    int rc = 0;
    if (cf_utf8_valid(text, buf->size))
        return 0;
    for (size_t at = 0; at < buf->size && rc == 0;) {
        int length = cf_utf8_step(text + at, buf->size - at);
        if (length) {
            rc = cf_buf_add(&out, text + at, (size_t)length);
            at += (size_t)length;
        } else {
            rc = cf_buf_add(&out, replacement, 3);
            at += broken_part(text + at, buf->size - at);
        }
    }
    if (rc < 0) {
        cf_buf_free(&out);
        return rc;
    }
    cf_buf_free(buf);
    *buf = out;
    return 0;
}
