#include "id.h"
#include "err.h"
#include "random.h"

#include <sodium.h>
#include <string.h>

static void put_time(cf_id_t *id, int64_t at_us)
{
    uint64_t ms = at_us < 0 ? 0 : (uint64_t)at_us / 1000;
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(ms >> (8 * (5 - i)));
}

cf_id_t cf_id_least(int64_t at_us)
{
    cf_id_t id = {{0}};
    put_time(&id, at_us);
    return id;
}

cf_id_t cf_id_new(int64_t at_us)
{
    cf_id_t id;
    cf_random(id.bytes, sizeof id.bytes);
    put_time(&id, at_us);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f)); /* version 7 */
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f)); /* RFC 9562 variant */
    return id;
}

static bool is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

void cf_id_text(cf_id_t id, char out[CF_ID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < CF_ID_SIZE; i++) {
        if (is_hyphen_place(at))
            out[at++] = '-';
        out[at++] = digits[id.bytes[i] >> 4];
        out[at++] = digits[id.bytes[i] & 0x0f];
    }
    out[at] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int cf_id_parse(cf_id_t *out, const char *text, size_t size)
{
    if (size != CF_ID_TEXT)
        return CF_EPROTO;
    cf_id_t id;
    size_t byte = 0;
    for (size_t i = 0; i < size;) {
        if (is_hyphen_place(i)) {
            if (text[i++] != '-')
                return CF_EPROTO;
            continue;
        }
        int high = nibble(text[i]), low = nibble(text[i + 1]);
        if (high < 0 || low < 0)
            return CF_EPROTO;
        id.bytes[byte++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *out = id;
    return 0;
}

bool cf_id_is_zero(cf_id_t id)
{
    return sodium_is_zero(id.bytes, sizeof id.bytes);
}

bool cf_id_equal(cf_id_t a, cf_id_t b)
{
    return memcmp(a.bytes, b.bytes, CF_ID_SIZE) == 0;
}

int cf_id_compare(cf_id_t a, cf_id_t b)
{
    return memcmp(a.bytes, b.bytes, CF_ID_SIZE);
}
