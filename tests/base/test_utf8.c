#include "utf8.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(utf8, .timeout = 5);

Test(utf8, takes_the_first_and_last_sequence_of_each_length)
{
    static const char *const good[] = {"",
                                       "\x01",
                                       "\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(cf_utf8_valid(good[i], strlen(good[i])), "%zu", i);
        cr_expect(eq(int, cf_utf8_step(good[i], strlen(good[i])), (int)strlen(good[i])));
    }
    cr_assert(cf_utf8_valid("a\0b", 3));
}

Test(utf8, refuses_what_rfc_3629_does)
{
    static const char *const bad[] = {"\x80",             /* a tail alone */
                                      "\xC0\x80",         /* overlong NUL */
                                      "\xC1\xBF",         /* overlong */
                                      "\xE0\x9F\xBF",     /* overlong */
                                      "\xED\xA0\x80",     /* surrogate */
                                      "\xED\xBF\xBF",     /* surrogate */
                                      "\xF0\x8F\xBF\xBF", /* overlong */
                                      "\xF4\x90\x80\x80", /* past U+10FFFF */
                                      "\xF5\x80\x80\x80", /* no such lead */
                                      "\xFF",             /* no such byte */
                                      "\xC2",             /* cut short */
                                      "\xE2\x82",         /* cut short */
                                      "\xF0\x9F\x98",     /* cut short */
                                      "\xC2g",            /* no tail */
                                      "\xE2\x82g",        /* no tail */
                                      "\xF0\x9F\x98g",    /* no tail */
                                      "0123456789abcdef\xFF",
                                      "01234567\xC2",
                                      "0123456789\x80 bcdef"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(not(cf_utf8_valid(bad[i], strlen(bad[i]))), "%zu", i);
}

static bool is_valid_step_by_step(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        int length = cf_utf8_step(text + at, size - at);
        if (length == 0)
            return false;
        at += (size_t)length;
    }
    return true;
}

Test(utf8, judges_a_text_as_its_characters_one_by_one, .timeout = 60)
{
    for (unsigned bytes = 0x800000; bytes <= 0xffffff; bytes++) { /* any three from a high one on */
        char text[] = {(char)(bytes >> 16), (char)(bytes >> 8), (char)bytes};
        if (cf_utf8_valid(text, 3) != is_valid_step_by_step(text, 3))
            cr_fatal("%06x", bytes);
    }
}

Test(utf8, finds_a_text_cut_anywhere)
{
    static const char text[] =
        "zw\xC3\xB6lf \xD0\xB6\xD0\xB6\xD0\xB6\xD0\xB6 \xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2 "
        "\xF0\x9F\x98\x80\xE6\xBC\xA2 and the rest";
    for (size_t size = 0; size < sizeof text; size++)
        for (size_t from = 0; from <= size; from++)
            cr_assert(cf_utf8_valid(text + from, size - from) ==
                          is_valid_step_by_step(text + from, size - from),
                      "%zu..%zu", from, size);
}

Test(utf8, counts_code_points)
{
    cr_assert(eq(sz, cf_utf8_count("", 0), 0));
    cr_assert(eq(sz, cf_utf8_count("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", 10), 4));
}

typedef struct {
    const char *text;
    const char *repaired; /* NULL: valid as it is */
} case_t;

#define R "\xEF\xBF\xBD"
static const case_t cases[] = {
    {"", NULL},
    {"plain text, longer than eight bytes", NULL},
    {"\x7f", NULL},
    {"\xC2\x80", NULL},                 /* U+0080 */
    {"\xDF\xBF", NULL},                 /* U+07FF */
    {"\xE0\xA0\x80", NULL},             /* U+0800 */
    {"\xED\x9F\xBF", NULL},             /* U+D7FF */
    {"\xEE\x80\x80", NULL},             /* U+E000 */
    {"\xEF\xBF\xBF", NULL},             /* U+FFFF */
    {"\xF0\x90\x80\x80", NULL},         /* U+10000 */
    {"\xF4\x8F\xBF\xBF", NULL},         /* U+10FFFF */
    {"12345678\xF0\x9F\x98\x80", NULL}, /* behind a whole word of ASCII */
    {"\x80", R},                        /* a tail alone */
    {"a\xBFz", "a" R "z"},
    {"\xC0\xAF", R R}, /* overlong '/' */
    {"\xC1\xBF", R R},
    {"\xE0\x9F\xBF", R R R}, /* overlong U+07FF */
    {"\xED\xA0\x80", R R R}, /* surrogate D800 */
    {"\xED\xBF\xBF", R R R},
    {"\xF0\x8F\xBF\xBF", R R R R},
    {"\xF4\x90\x80\x80", R R R R}, /* past U+10FFFF */
    {"\xF5\x80\x80\x80", R R R R},
    {"\xFE", R},
    {"\xFF", R},
    {"\xC3", R}, /* cut short: one for the whole part */
    {"\xE2\x82", R},
    {"\xF0\x9F\x98", R},
    {"\xF0\x9F\x98z", R "z"},
    {"\xE2\x82\xE2\x82\xAC", R "\xE2\x82\xAC"},
    {"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", "a" R R R "b" R "c" R R "d"}, /* 3.9 */
    {"12345678\x80", "12345678" R},
};

Test(utf8, takes_exactly_what_rfc_3629_allows_and_repairs_the_rest)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text, *want = cases[i].repaired ? cases[i].repaired : text;
        cf_buf_t buf = {0};
        cr_assert(eq(int, cf_utf8_valid(text, strlen(text)), !cases[i].repaired), "case %zu", i);
        cf_buf_add(&buf, text, strlen(text));
        cr_assert(eq(int, cf_utf8_repair(&buf), 0));
        cr_assert(eq(sz, buf.size, strlen(want)), "case %zu", i);
        cr_assert(buf.size == 0 || memcmp(buf.data, want, buf.size) == 0, "case %zu", i);
        cr_assert(cf_utf8_valid((char *)buf.data, buf.size));
        cf_buf_free(&buf);
    }
}

Test(utf8, repair_leaves_valid_text_whatever_came_in)
{
    unsigned state = 7;
    for (int round = 0; round < 20000; round++) {
        char bytes[12];
        cf_buf_t buf = {0};
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = (char)(state >> 24 | (round & 1 ? 0x80 : 0));
        }
        cf_buf_add(&buf, bytes, sizeof bytes);
        cr_assert(eq(int, cf_utf8_repair(&buf), 0));
        cr_assert(cf_utf8_valid((char *)buf.data, buf.size));
        cr_assert(buf.size <= 3 * sizeof bytes);
        cf_buf_free(&buf);
    }
}

Test(utf8, sees_controls_but_not_tab_and_line_ends)
{
    cr_assert(not(cf_utf8_has_control("a\tb\r\nc \x7f\xC2\x80", 10)));
    for (char c = 0; c < 0x20; c++)
        cr_assert(eq(int, cf_utf8_has_control(&c, 1), c != '\t' && c != '\n' && c != '\r'));
    cr_assert(cf_utf8_has_control("a\0b", 3));
}
