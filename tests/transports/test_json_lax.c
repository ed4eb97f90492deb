#include "dialects/json_lax.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

TestSuite(json_lax, .timeout = 30);

/* A copy with nothing behind it, so that a sanitizer sees a read past its end. */
static const char *relaxed(const char *text)
{
    static char out[256];
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    cf_json_relax(copy, size);
    snprintf(out, sizeof out, "%.*s", (int)size, copy);
    free(copy);
    return out;
}

Test(json_lax, leaves_of_a_number_that_it_was_one)
{
    static const char *const cases[][2] = {
        {"{\"t\":99999999999999999999}", "{\"t\":0                   }"},
        {"[1e999,-1E+999,2.5e-9]", "[0    ,0      ,0     ]"},
        {"[0, -0, 7]", "[0, 0 , 0]"},
        {"1.5", "0  "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(eq(str, (char *)relaxed(cases[i][0]), (char *)cases[i][1]));
}

Test(json_lax, makes_no_number_of_what_is_none)
{
    static const char *const cases[] = {"[01]",    "[+1]",  "[.5]",  "[1.]",   "[-]",    "[1e]",
                                        "[1e+]",   "[0x1]", "[1 2]", "[--1]",  "[1.e1]", "[1.5.5]",
                                        "[1e5e5]", "[00]",  "[1x]",  "[true1]"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root = json_loads(relaxed(cases[i]), 0, NULL);
        cr_expect(eq(ptr, root, NULL), "%s", cases[i]);
        json_decref(root);
    }
}

Test(json_lax, replaces_half_a_pair_and_nothing_else_of_a_string)
{
    static const char *const cases[][2] = {
        {"\"a\\ud83d\"", "\"a\\ufffd\""},
        {"\"\\uDE00b\"", "\"\\ufffdb\""},
        {"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
        {"\"\\ud83d\\n\"", "\"\\ufffd\\n\""},
        {"\"\\\\ud83d 99 \\\" 1e999\"", "\"\\\\ud83d 99 \\\" 1e999\""},
        {"\"\\uD7FF\\uE000\"", "\"\\uD7FF\\uE000\""},
        {"\"\\ud83\"", "\"\\ud83\""},
        {"\"\\ud83d\\ude0", "\"\\ufffd\\ude0"},
        {"\"\\", "\"\\"},
        {"\"\\u", "\"\\u"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(eq(str, (char *)relaxed(cases[i][0]), (char *)cases[i][1]));
}
