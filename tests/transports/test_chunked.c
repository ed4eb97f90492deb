/* Bodies in the chunked coding, whole and cut anywhere. */
#include "err.h"
#include "http/chunked.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 20

/* Decodes in pieces of `step` bytes (0: whole); content (NUL-terminated) and how many bytes were the body's.
 * Each piece is a block of its own, so that a sanitizer sees any step beyond it. */
static int decode(const char *text, size_t size, size_t step, char content[8192], size_t *body)
{
    cf_chunked_t chunked = {.max = MAX};
    size_t at = 0, filled = 0;
    int rc = 0;
    while (rc == 0 && at < size) {
        size_t used, made, n = step && step < size - at ? step : size - at;
        uint8_t *piece = malloc(n);
        memcpy(piece, text + at, n);
        rc = cf_chunked_decode(&chunked, piece, n, &used, &made);
        cr_assert(le(sz, made, used));
        cr_assert(rc != 0 || used == n);
        memcpy(content + filled, piece, made);
        filled += made;
        at += used;
        free(piece);
    }
    content[filled] = '\0';
    *body = at;
    return rc;
}

static const struct {
    const char *text;
    int rc; /* 1: whole, 0: more must come */
    const char *content;
} cases[] = {
    {"0\r\n\r\n", 1, ""},
    {"5\r\nhello\r\n0\r\n\r\n", 1, "hello"},
    {"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 1, "hello"},
    {"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 1, "hello"},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 1, "01234567890123456789"},
    {"4\r\n\r\n\r\n\r\n0\r\n\r\n", 1, "\r\n\r\n"},
    {"0000000000000005\r\nhello\r\n000\r\n\r\n", 1, "hello"},
    {"5;a\r\nhello\r\n0;b=\"c;d\"\r\n\r\n", 1, "hello"},
    {"5;\t a = \xc3\xa9\r\nhello\r\n0\r\n\r\n", 1, "hello"},
    {"5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 7\r\nEmpty:\r\n\r\n", 1, "hello"},
    /* not whole yet */
    {"", 0, ""},
    {"5", 0, ""},
    {"5\r\nhel", 0, "hel"},
    {"5\r\nhello\r\n0\r\n", 0, "hello"},
    {"5\r\nhello\r\n0\r\nX: y\r\n", 0, "hello"},
    /* what another might read otherwise */
    {"\r\n5\r\nhello\r\n0\r\n\r\n", CF_EPROTO, NULL},
    {" 5\r\nhello", CF_EPROTO, NULL},
    {"5 \r\nhello", CF_EPROTO, NULL},
    {"5\t;a\r\nhello", CF_EPROTO, NULL},
    {"+5\r\nhello", CF_EPROTO, NULL},
    {"-5\r\nhello", CF_EPROTO, NULL},
    {"0x5\r\nhello", CF_EPROTO, NULL},
    {"5_0\r\nhello", CF_EPROTO, NULL},
    {"5,5\r\nhello", CF_EPROTO, NULL},
    {"g\r\n", CF_EPROTO, NULL},
    {";a\r\n", CF_EPROTO, NULL},
    {"\r\n", CF_EPROTO, NULL},
    {"5\nhello\r\n0\r\n\r\n", CF_EPROTO, NULL},
    {"5\rhello", CF_EPROTO, NULL},
    {"5;a\nhello", CF_EPROTO, NULL},
    {"5;a\r\rhello", CF_EPROTO, NULL},
    {"5;\x01\r\nhello", CF_EPROTO, NULL},
    {"5\r\nhello0\r\n\r\n", CF_EPROTO, NULL},
    {"5\r\nhello\n0\r\n\r\n", CF_EPROTO, NULL},
    {"5\r\nhello\r0\r\n\r\n", CF_EPROTO, NULL},
    {"5\r\nhello!\r\n0\r\n\r\n", CF_EPROTO, NULL},
    {"0\r\n\n", CF_EPROTO, NULL},
    {"0\r\n\r\r", CF_EPROTO, NULL},
    {"0\r\nno colon\r\n\r\n", CF_EPROTO, NULL},
    {"0\r\n: x\r\n\r\n", CF_EPROTO, NULL},
    {"0\r\nX : y\r\n\r\n", CF_EPROTO, NULL},
    {"0\r\nX: y\r\n folded\r\n\r\n", CF_EPROTO, NULL},
    {"0\r\nX: y\n\r\n", CF_EPROTO, NULL},
    {"0\r\nX: a\x7f\r\n\r\n", CF_EPROTO, NULL},
    {"00000000000000005\r\nhello", CF_EPROTO, NULL}, /* 17 digits */
    /* too long, known before it is sent */
    {"15\r\n", CF_ERANGE, NULL},
    {"15;a", CF_ERANGE, NULL},
    {"5\r\nhello\r\n10\r\n", CF_ERANGE, NULL},
    {"ffffffffffffffff\r\n", CF_ERANGE, NULL},
    {"1\r\na\r\nffffffffffffffff\r\n", CF_ERANGE, NULL},
};

Test(chunked, is_taken_or_refused_by_the_table_however_it_is_cut)
{
    static char content[8192];
    size_t body;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].text);
        for (size_t step = 0; step <= size; step++) {
            int rc = decode(cases[i].text, size, step, content, &body);
            cr_assert(eq(int, rc, cases[i].rc), "case %zu in steps of %zu", i, step);
            if (cases[i].content)
                cr_assert(eq(str, content, (char *)cases[i].content), "case %zu, %zu", i, step);
            if (rc == 1) {
                const char *next = strstr(cases[i].text, "GET ");
                cr_assert(eq(sz, body, next ? (size_t)(next - cases[i].text) : size));
            }
        }
    }
}

Test(chunked, with_a_nul_is_none)
{
    static char content[8192];
    size_t body;
    cr_assert(eq(int, decode("5;a\0\r\n", 6, 0, content, &body), CF_EPROTO));
    cr_assert(eq(int, decode("5\0", 2, 0, content, &body), CF_EPROTO));
    cr_assert(eq(int, decode("0\r\nX: \0", 7, 0, content, &body), CF_EPROTO));
    cr_assert(eq(int, decode("3\r\na\0b\r\n0\r\n\r\n", 13, 0, content, &body), 1)); /* as content */
    cr_assert(eq(int, memcmp(content, "a\0b", 3), 0));
}

/* Extensions and trailers count together. */
Test(chunked, extras_hold_to_the_byte)
{
    static char text[2 * CF_CHUNKED_EXTRAS_MAX], content[8192];
    size_t body;
    for (int over = 0; over < 2; over++) {
        int size = snprintf(text, sizeof text, "1;%01000d\r\na\r\n0;%01000d\r\n", 0, 0);
        int rest = CF_CHUNKED_EXTRAS_MAX - 2 * 1001 + over;
        size += snprintf(text + size, sizeof text - (size_t)size, "X:%0*d\r\n\r\n", rest - 2, 0);
        int rc = decode(text, (size_t)size, 0, content, &body);
        cr_assert(eq(int, rc, over ? CF_EFULL : 1));
    }
}
