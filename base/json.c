#include "json.h"
#include "clock.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

static void put(cf_json_t *json, const void *bytes, size_t size)
{
    if (json->rc == 0)
        json->rc = cf_buf_add(json->out, bytes, size);
}

/* A comma is due when the buffer ends with a finished value. */
static void separate(cf_json_t *json)
{
    if (json->out->size == 0)
        return;
    char last = (char)json->out->data[json->out->size - 1];
    bool ends_value = last == '"' || last == '}' || last == ']' || (last >= '0' && last <= '9') ||
                      last == 'e' || last == 'l'; /* true, false, null */
    if (ends_value)
        put(json, ",", 1);
}

static void put_value(cf_json_t *json, const void *bytes, size_t size)
{
    separate(json);
    put(json, bytes, size);
}

void cf_json_object(cf_json_t *json)
{
    put_value(json, "{", 1);
}

void cf_json_object_end(cf_json_t *json)
{
    put(json, "}", 1);
}

void cf_json_array(cf_json_t *json)
{
    put_value(json, "[", 1);
}

void cf_json_array_end(cf_json_t *json)
{
    put(json, "]", 1);
}

#define ESCAPE_SIZE 8 /* \\uXXXX and a NUL */

/* Writes the escape of the character text[0..length) to out, or returns 0 if it stands for itself.
 * length 0 is an ill-formed byte. out takes ESCAPE_SIZE bytes. */
static int escape(const char *text, int length, char *out)
{
    static const char short_form[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    unsigned char c = (unsigned char)text[0];
    if (length == 0)
        return snprintf(out, ESCAPE_SIZE, "\\ufffd");
    if (length == 1) {
        const char *found = c ? strchr(short_form, c) : NULL;
        if (found)
            return snprintf(out, ESCAPE_SIZE, "\\%c", letter[found - short_form]);
        bool plain = c >= 0x20 && c != 0x7F && c != '<' && c != '>' && c != '&';
        return plain ? 0 : snprintf(out, ESCAPE_SIZE, "\\u%04x", c);
    }
    unsigned char second = (unsigned char)text[1];
    if (length == 2 && c == 0xC2 && second < 0xA0) /* C1: some terminals obey them */
        return snprintf(out, ESCAPE_SIZE, "\\u%04x", second);
    if (length == 3 && c == 0xE2 && second == 0x80 && (text[2] == '\xA8' || text[2] == '\xA9'))
        return snprintf(out, ESCAPE_SIZE, "\\u%04x", text[2] == '\xA8' ? 0x2028 : 0x2029);
    return 0;
}

#define BIT(c) (UINT64_C(1) << ((c)&63))

/* Bytes that need no look: printable ASCII without " & < > \. Every character of every post is asked for here. */
static bool is_plain(unsigned char c)
{
    static const uint64_t plain[4] = {
        ~(BIT(0x20) - 1) & ~(BIT('"') | BIT('&') | BIT('<') | BIT('>')), /* 0x20..0x3f */
        ~(BIT('\\') | BIT(0x7F)),                                        /* 0x40..0x7f */
    };
    return plain[c >> 6] & BIT(c);
}

bool cf_json_str_cut(cf_json_t *json, const char *bytes, size_t size, size_t max)
{
    size_t at = 0, left = max - 2;
    put_value(json, "\"", 1);
    while (at < size && json->rc == 0) {
        size_t run = 0;
        while (at + run < size && run < left && is_plain((unsigned char)bytes[at + run]))
            run++;
        put(json, bytes + at, run);
        at += run;
        left -= run;
        if (at == size)
            break;
        char escaped[ESCAPE_SIZE];
        int length = cf_utf8_step(bytes + at, size - at);
        int written = escape(bytes + at, length, escaped);
        size_t need = (size_t)(written ? written : length);
        if (need > left)
            break;
        put(json, written ? escaped : bytes + at, need);
        at += length ? (size_t)length : 1;
        left -= need;
    }
    put(json, "\"", 1);
    return at == size;
}

void cf_json_str(cf_json_t *json, const char *bytes, size_t size)
{
    cf_json_str_cut(json, bytes, size, SIZE_MAX);
}

void cf_json_text(cf_json_t *json, const char *text)
{
    cf_json_str(json, text, strlen(text));
}

void cf_json_key(cf_json_t *json, const char *key)
{
    put_value(json, "\"", 1);
    put(json, key, strlen(key));
    put(json, "\":", 2);
}

/* Digit by digit: every frame has such a number, and snprintf() takes ten times as long. */
static void put_number(cf_json_t *json, uint64_t magnitude, bool is_negative)
{
    char text[21], *end = text + sizeof text, *at = end;
    do
        *--at = (char)('0' + magnitude % 10);
    while (magnitude /= 10);
    if (is_negative)
        *--at = '-';
    put_value(json, at, (size_t)(end - at));
}

void cf_json_int(cf_json_t *json, int64_t value)
{
    put_number(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void cf_json_uint(cf_json_t *json, uint64_t value)
{
    put_number(json, value, false);
}

void cf_json_bool(cf_json_t *json, bool value)
{
    put_value(json, value ? "true" : "false", value ? 4 : 5);
}

void cf_json_null(cf_json_t *json)
{
    put_value(json, "null", 4);
}

void cf_json_id(cf_json_t *json, cf_id_t id)
{
    char text[CF_ID_TEXT + 2] = "\"";
    cf_id_text(id, text + 1);
    text[CF_ID_TEXT + 1] = '"'; /* in place of the NUL: an id has nothing to escape */
    put_value(json, text, sizeof text);
}

void cf_json_time(cf_json_t *json, int64_t at_us)
{
    char text[CF_TIME_TEXT + 2] = "\"";
    cf_time_text(at_us, text + 1);
    size_t size = strlen(text);
    text[size] = '"';
    put_value(json, text, size + 1);
}
