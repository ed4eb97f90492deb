#include "dialects/json_lax.h"

#include <stdbool.h>
#include <string.h>

#define ESCAPE_SIZE 6 /* \uXXXX */

/* --- numbers -----------------------------------------------------------------------------------
 */

static size_t digits(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* Bytes of an exponent or a fraction at `at`, introduced by one of `marks`; 0 if there is none. */
static size_t tail(const char *text, size_t size, size_t at, const char *marks, const char *signs)
{
    size_t n = at;
    if (n >= size || !text[n] || !strchr(marks, text[n]))
        return 0;
    n++;
    if (n < size && text[n] && strchr(signs, text[n]))
        n++;
    size_t more = digits(text + n, size - n);
    return more ? n + more - at : 0;
}

/* Bytes of the number that text begins with (RFC 8259, 6); 0 if it begins with none. */
static size_t number(const char *text, size_t size)
{
    size_t n = size && text[0] == '-';
    size_t whole = n < size && text[n] == '0' ? 1 : digits(text + n, size - n);
    if (whole == 0)
        return 0;
    n += whole;
    n += tail(text, size, n, ".", "");
    return n + tail(text, size, n, "eE", "+-");
}

/* Passes a number, or one byte of something else. Returns its bytes. */
static size_t relax_number(char *text, size_t size)
{
    size_t n = number(text, size);
    if (n == 0)
        return 1;
    text[0] = '0';
    memset(text + 1, ' ', n - 1);
    return n;
}

static bool may_begin_value(const char *text, size_t at)
{
    return at == 0 || (text[at - 1] && strchr(" \t\r\n[,:", text[at - 1]));
}

/* --- strings -----------------------------------------------------------------------------------
 */

static int hex(char c)
{
    static const char all[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(all, c) : NULL;
    return at ? (int)((at - all) & 15) : -1;
}

/* The unit that the escape at text stands for; -1: there is none. */
static int unit(const char *text, size_t size)
{
    int value = 0;
    if (size < ESCAPE_SIZE || text[0] != '\\' || text[1] != 'u')
        return -1;
    for (size_t i = 2; i < ESCAPE_SIZE; i++) {
        if (hex(text[i]) < 0)
            return -1;
        value = value << 4 | hex(text[i]);
    }
    return value;
}

static bool in_range(int value, int first, int last)
{
    return first <= value && value <= last;
}

/* Passes an escape. Returns its bytes. */
static size_t relax_escape(char *text, size_t size)
{
    int value = unit(text, size);
    if (value < 0)
        return size < 2 ? size : 2;
    bool is_pair = in_range(value, 0xd800, 0xdbff) &&
                   in_range(unit(text + ESCAPE_SIZE, size - ESCAPE_SIZE), 0xdc00, 0xdfff);
    if (is_pair)
        return 2 * ESCAPE_SIZE;
    if (in_range(value, 0xd800, 0xdfff))
        memcpy(text, "\\ufffd", ESCAPE_SIZE);
    return ESCAPE_SIZE;
}

void cf_json_relax(char *text, size_t size)
{
    bool in_string = false;
    for (size_t at = 0, n; at < size; at += n) {
        n = 1;
        if (text[at] == '"') {
            in_string = !in_string;
        } else if (in_string && text[at] == '\\') {
            n = relax_escape(text + at, size - at);
        } else if (!in_string && may_begin_value(text, at)) {
            n = relax_number(text + at, size - at);
        }
    }
}
