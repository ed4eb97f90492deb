#include "chunked.h"

#include "err.h"
#include "head.h"

#include <string.h>

enum {
    SIZE,         /* digits */
    EXTENSION,    /* until CR */
    SIZE_LF,      /* behind a size line */
    DATA,         /* `left` bytes */
    DATA_CR,      /* behind them */
    DATA_LF,      /* and then */
    TRAILER,      /* at the beginning of a line behind the last chunk */
    TRAILER_NAME, /* until the colon */
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF
};

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_text(uint8_t byte)
{
    return (byte >= ' ' && byte != 0x7f) || byte == '\t';
}

static int go_to(cf_chunked_t *self, int state)
{
    self->state = state;
    return 0;
}

/* A byte that is read over. */
static int skip(cf_chunked_t *self, int state)
{
    return ++self->extras > CF_CHUNKED_EXTRAS_MAX ? CF_EFULL : go_to(self, state);
}

static int take_size(cf_chunked_t *self, uint8_t byte)
{
    int digit = digit_of(byte);
    if (digit >= 0) {
        if (++self->digits > CF_CHUNK_DIGITS_MAX)
            return CF_EPROTO;
        self->left = self->left * 16 + (uint64_t)digit;
        return 0;
    }
    if (self->digits == 0 || (byte != '\r' && byte != ';'))
        return CF_EPROTO;
    if (self->left > self->max - self->total)
        return CF_ERANGE; /* before any of it is waited for */
    self->total += self->left;
    return byte == ';' ? skip(self, EXTENSION) : go_to(self, SIZE_LF);
}

/* One byte that is no content. Returns 1 at the last one, else 0 or an error. */
static int take(cf_chunked_t *self, uint8_t byte)
{
    bool is_lf = byte == '\n', is_cr = byte == '\r';
    switch (self->state) {
    case SIZE:
        return take_size(self, byte);
    case EXTENSION:
        return is_cr ? go_to(self, SIZE_LF) : is_text(byte) ? skip(self, EXTENSION) : CF_EPROTO;
    case SIZE_LF:
        return is_lf ? go_to(self, self->left ? DATA : TRAILER) : CF_EPROTO;
    case DATA_CR:
        return is_cr ? go_to(self, DATA_LF) : CF_EPROTO;
    case DATA_LF:
        self->digits = 0;
        return is_lf ? go_to(self, SIZE) : CF_EPROTO;
    case TRAILER:
        if (is_cr)
            return go_to(self, END_LF);
        return cf_head_is_token_char((char)byte) ? skip(self, TRAILER_NAME) : CF_EPROTO;
    case TRAILER_NAME:
        if (byte == ':')
            return skip(self, TRAILER_VALUE);
        return cf_head_is_token_char((char)byte) ? skip(self, TRAILER_NAME) : CF_EPROTO;
    case TRAILER_VALUE:
        return is_cr           ? go_to(self, TRAILER_LF)
               : is_text(byte) ? skip(self, TRAILER_VALUE)
                               : CF_EPROTO;
    case TRAILER_LF:
        return is_lf ? go_to(self, TRAILER) : CF_EPROTO;
    default: /* END_LF */
        return is_lf ? 1 : CF_EPROTO;
    }
}

int cf_chunked_decode(cf_chunked_t *self, uint8_t *bytes, size_t size, size_t *used, size_t *made)
{
    int rc = 0;
    *used = *made = 0;
    while (rc == 0 && *used < size) {
        if (self->state != DATA) {
            rc = take(self, bytes[(*used)++]);
            continue;
        }
        size_t here = size - *used < self->left ? size - *used : (size_t)self->left;
        memmove(bytes + *made, bytes + *used, here);
        *used += here;
        *made += here;
        self->left -= here;
        if (self->left == 0)
            self->state = DATA_CR;
    }
    return rc;
}
