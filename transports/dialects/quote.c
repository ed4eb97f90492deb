#include "dialects/quote.h"

#include "err.h"
#include "str.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MIN 7
#define SYMBOL 0 /* columns, from 0 */
#define CLOSE 6
#define FIELD_MAX 256 /* bytes of a field that is looked at; longer ones are none of ours */
#define PRICE_MAX 1e15

typedef struct {
    char bytes[FIELD_MAX];
    size_t size; /* as it stands there; beyond FIELD_MAX the bytes are cut */
} field_t;

typedef struct {
    const char *at, *end;
} reader_t;

static void put(field_t *field, char c)
{
    if (field->size < FIELD_MAX)
        field->bytes[field->size] = c;
    field->size++;
}

static bool at_line_end(const reader_t *from)
{
    return from->at == from->end || *from->at == '\n' ||
           (*from->at == '\r' && (from->at + 1 == from->end || from->at[1] == '\n'));
}

/* A field in quotes; a quote in it is doubled. False: it does not end, or more follows. */
static bool take_quoted(reader_t *from, field_t *field)
{
    for (from->at++; from->at < from->end; from->at++) {
        if (*from->at == '"' && (from->at + 1 == from->end || from->at[1] != '"')) {
            from->at++;
            return at_line_end(from) || *from->at == ',';
        }
        from->at += *from->at == '"';
        put(field, *from->at);
    }
    return false;
}

static bool take_field(reader_t *from, field_t *field)
{
    field->size = 0;
    if (from->at < from->end && *from->at == '"')
        return take_quoted(from, field);
    for (; !at_line_end(from) && *from->at != ','; from->at++) {
        if (*from->at == '"')
            return false; /* a quote in the middle of plain text */
        put(field, *from->at);
    }
    return true;
}

static void skip_line_end(reader_t *from)
{
    if (from->at < from->end && *from->at == '\r')
        from->at++;
    if (from->at < from->end)
        from->at++;
}

/* The columns of the next record, 0 at the end; -1: not well-formed. Keeps the two that count. */
static long take_record(reader_t *from, field_t *symbol, field_t *close)
{
    field_t other;
    while (from->at < from->end && at_line_end(from))
        skip_line_end(from); /* empty lines are no records */
    if (from->at == from->end)
        return 0;
    for (long column = 0;; column++) {
        field_t *field = column == SYMBOL ? symbol : column == CLOSE ? close : &other;
        if (!take_field(from, field))
            return -1;
        if (at_line_end(from)) {
            skip_line_end(from);
            return column + 1;
        }
        from->at++; /* the comma */
    }
}

/* --- the two that count ------------------------------------------------------------------------
 */

static bool is_not_available(const field_t *field)
{
    return field->size == 3 && memcmp(field->bytes, "N/D", 3) == 0;
}

/* Control characters, and those that turn the direction of the text around them. */
static bool is_printable(unsigned code)
{
    return code >= 0x20 && !(code >= 0x7f && code <= 0x9f) && !(code >= 0x200b && code <= 0x200f) &&
           !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2060 && code <= 0x206f) &&
           code != 0xfeff;
}

static unsigned code_at(const char *text, int size)
{
    unsigned code = (unsigned char)text[0] & (size == 1 ? 0x7f : 0xff >> (size + 1));
    for (int i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    return code;
}

static bool copy_symbol(char *out, const field_t *field)
{
    int n = 0;
    if (field->size == 0 || field->size > 4 * CF_QUOTE_SYMBOL_MAX)
        return false;
    for (size_t i = 0; i < field->size; n++) {
        int step = cf_utf8_step(field->bytes + i, field->size - i);
        if (step == 0 || n == CF_QUOTE_SYMBOL_MAX || !is_printable(code_at(field->bytes + i, step)))
            return false;
        i += (size_t)step;
    }
    memcpy(out, field->bytes, field->size);
    out[field->size] = '\0';
    return true;
}

static const char *skip_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/* [+-] digits [. digits] [e [+-] digits], a digit at least before the e. strtod alone would take
 * "nan", "inf", hexadecimal numbers and blanks. */
static bool is_decimal(const char *text)
{
    const char *at = text + (*text == '+' || *text == '-'), *whole = at;
    at = skip_digits(at);
    long digits = at - whole;
    if (*at == '.') {
        const char *fraction = ++at;
        at = skip_digits(at);
        digits += at - fraction;
    }
    if (digits == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        const char *exponent = at;
        at = skip_digits(at);
        if (at == exponent)
            return false;
    }
    return *at == '\0';
}

/* The nearest price to what stands there. */
static bool copy_price(char *out, const field_t *field)
{
    char text[FIELD_MAX + 1];
    if (field->size > FIELD_MAX || memchr(field->bytes, '\0', field->size))
        return false;
    memcpy(text, field->bytes, field->size);
    text[field->size] = '\0';
    if (!is_decimal(text))
        return false;
    double price = strtod(text, NULL);
    if (!(fabs(price) < PRICE_MAX))
        return false;
    snprintf(out, CF_QUOTE_PRICE_MAX + 1, "%.2f", price);
    if (strcmp(out, "-0.00") == 0)
        strcpy(out, "0.00");
    return true;
}

int cf_quote_read(cf_quote_t *out, const char *bytes, size_t size)
{
    reader_t from = {bytes, bytes + size};
    field_t symbol, close, unused;
    cf_quote_t quote;
    long header = take_record(&from, &unused, &unused);
    long columns = header > 0 ? take_record(&from, &symbol, &close) : 0;
    if (columns < COLUMNS_MIN || columns != header)
        return CF_EPROTO;
    for (long n = columns; n != 0; n = take_record(&from, &unused, &unused))
        if (n != columns)
            return CF_EPROTO;
    if (is_not_available(&symbol) || is_not_available(&close))
        return CF_ENOENT;
    if (!copy_symbol(quote.symbol, &symbol) || !copy_price(quote.price, &close))
        return CF_EPROTO;
    *out = quote;
    return 0;
}
