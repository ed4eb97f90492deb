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

Test(utf8, counts_code_points)
{
    cr_assert(eq(sz, cf_utf8_count("", 0), 0));
    cr_assert(eq(sz, cf_utf8_count("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", 10), 4));
}
