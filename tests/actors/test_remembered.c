/* What the bot keeps in mind, and its sayings. */
#include "remembered.h"
#include "sayings.h"
#include "utf8.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static cf_remembered_t memory = {.max = 3};

static void forget(void)
{
    cf_forget_all(&memory);
}

TestSuite(remembered, .fini = forget, .timeout = 10);

static void put(const char *key, const char *text, int64_t until_us)
{
    cf_words_t words = {.is_error = text[0] == '!'};
    snprintf(words.text, sizeof words.text, "%s", text);
    cf_remember(&memory, cf_str(key), &words, until_us);
}

static char *get(const char *key, int64_t now_us)
{
    static char out[CF_WORDS_MAX + 16];
    const cf_words_t *words = cf_remembered(&memory, cf_str(key), now_us);
    if (!words)
        return "nothing";
    snprintf(out, sizeof out, "%s%s", words->text, words->is_error ? " (error)" : "");
    return out;
}

Test(remembered, until_its_time_is_over)
{
    cr_assert(eq(str, get("a", 0), "nothing"));
    put("a", "one", 10);
    put("b", "!two", 20);
    cr_assert(eq(str, get("a", 9), "one"));
    cr_assert(eq(str, get("a", 10), "nothing"));
    cr_assert(eq(str, get("b", 10), "!two (error)"));
}

Test(remembered, in_place_of_what_was_there)
{
    put("a", "one", 10);
    put("a", "two", 20);
    cr_assert(eq(str, get("a", 15), "two"));
}

Test(remembered, three_at_most_and_then_the_oldest_goes)
{
    put("a", "1", 100);
    put("b", "2", 100);
    put("c", "3", 100);
    put("a", "4", 100); /* is the newest now */
    put("d", "5", 100);
    cr_assert(eq(str, get("b", 0), "nothing"));
    cr_assert(eq(str, get("a", 0), "4"));
    cr_assert(eq(str, get("c", 0), "3"));
    cr_assert(eq(str, get("d", 0), "5"));
}

Test(remembered, under_keys_of_twenty_bytes_and_none_longer)
{
    put("12345678901234567890", "long", 100);
    put("123456789012345678901", "longer", 100);
    put("", "short", 100);
    cr_assert(eq(str, get("12345678901234567890", 0), "long"));
    cr_assert(eq(str, get("123456789012345678901", 0), "nothing"));
    cr_assert(eq(str, get("", 0), "short"));
    cr_assert(eq(str, get("1", 0), "nothing"));
}

Test(remembered, sayings_are_fifty_different_lines_that_a_post_could_hold)
{
    for (int i = 0; i < CF_SAYINGS; i++) {
        const char *saying = cf_saying(i * INT64_C(1000000));
        size_t size = strlen(saying);
        cr_assert(gt(sz, size, 10));
        cr_assert(le(sz, size, CF_WORDS_MAX));
        cr_assert(cf_utf8_valid(saying, size));
        cr_assert(not(cf_utf8_has_control(saying, size)));
        cr_assert(strchr(saying, '\n') == NULL);
        for (int k = 0; k < i; k++)
            cr_assert(ne(str, (char *)cf_saying(k * INT64_C(1000000)), (char *)saying));
    }
}

Test(remembered, sayings_follow_the_clock_and_return_after_fifty_seconds)
{
    int64_t now_us = INT64_C(1769600000000000);
    cr_assert(eq(ptr, (void *)cf_saying(now_us), (void *)cf_saying(now_us + 999999)));
    cr_assert(ne(ptr, (void *)cf_saying(now_us), (void *)cf_saying(now_us + 1000000)));
    cr_assert(eq(ptr, (void *)cf_saying(now_us), (void *)cf_saying(now_us + 50000000)));
    cr_assert(eq(ptr, (void *)cf_saying(-1000000), (void *)cf_saying(49000000)));
}
