#include "err.h"
#include "json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static cf_buf_t buf;
static cf_json_t json;

static void begin(void)
{
    json = (cf_json_t){.out = &buf};
}

static void end(void)
{
    cf_buf_free(&buf);
}

/* What was written, and an empty buffer for the next. */
static char *written(void)
{
    static char text[4096];
    memcpy(text, buf.data, buf.size);
    text[buf.size] = '\0';
    cf_buf_clear(&buf);
    return text;
}

static char *rendered(const char *bytes, size_t size)
{
    cf_json_str(&json, bytes, size);
    return written();
}

TestSuite(json, .init = begin, .fini = end, .timeout = 5);

Test(json, puts_commas_between_values_only)
{
    cf_json_object(&json);
    cf_json_key(&json, "a");
    cf_json_int(&json, -9);
    cf_json_key(&json, "b");
    cf_json_array(&json);
    cf_json_bool(&json, true);
    cf_json_bool(&json, false);
    cf_json_null(&json);
    cf_json_array(&json);
    cf_json_array_end(&json);
    cf_json_object(&json);
    cf_json_object_end(&json);
    cf_json_text(&json, "{");
    cf_json_uint(&json, UINT64_MAX);
    cf_json_array_end(&json);
    cf_json_key(&json, "c");
    cf_json_text(&json, "");
    cf_json_object_end(&json);
    cr_assert(eq(int, json.rc, 0));
    cr_assert(eq(str, written(),
                 "{\"a\":-9,\"b\":[true,false,null,[],{},\"{\",18446744073709551615],\"c\":\"\"}"));
}

Test(json, writes_the_least_and_the_largest_number)
{
    cf_json_array(&json);
    cf_json_int(&json, INT64_MIN);
    cf_json_int(&json, INT64_MAX);
    cf_json_int(&json, 0);
    cf_json_uint(&json, 0);
    cf_json_array_end(&json);
    cr_assert(eq(str, written(), "[-9223372036854775808,9223372036854775807,0,0]"));
}

Test(json, starts_a_document_behind_a_line_feed)
{
    cf_json_int(&json, 1);
    cf_buf_add_text(&buf, "\n");
    cf_json_int(&json, 2);
    cr_assert(eq(str, written(), "1\n2"));
}

Test(json, escapes_what_html_and_javascript_would_obey)
{
    cr_assert(eq(str, rendered("<b>&\xE2\x80\xA8\xE2\x80\xA9", 10),
                 "\"\\u003cb\\u003e\\u0026\\u2028\\u2029\""));
}

Test(json, escapes_quotes_and_backslashes)
{
    cr_assert(eq(str, rendered("a\"b\\c/d'e", 9), "\"a\\\"b\\\\c/d'e\""));
}

Test(json, escapes_every_control_character)
{
    cr_assert(eq(str, rendered("\0\1\b\t\n\v\f\r\x1f\x7f", 10),
                 "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\u007f\""));
    cr_assert(eq(str, rendered("\xC2\x80\xC2\x9F\xC2\xA0", 6), "\"\\u0080\\u009f\xC2\xA0\""));
}

Test(json, leaves_other_text_as_it_is)
{
    char *text = "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xE2\x80\xA7\xE2\x80\xAA \xF0\x9F\x98\x80";
    char expected[64];
    snprintf(expected, sizeof expected, "\"%s\"", text);
    cr_assert(eq(str, rendered(text, strlen(text)), expected));
}

Test(json, writes_each_ill_formed_byte_as_the_replacement_character)
{
    cr_assert(eq(str, rendered("a\xFF", 2), "\"a\\ufffd\""));
    cr_assert(eq(str, rendered("\xC0\xAF", 2), "\"\\ufffd\\ufffd\""));            /* overlong */
    cr_assert(eq(str, rendered("\xED\xA0\x80", 3), "\"\\ufffd\\ufffd\\ufffd\"")); /* surrogate */
    cr_assert(eq(str, rendered("\xE2\x82", 2), "\"\\ufffd\\ufffd\""));            /* cut short */
}

Test(json, cuts_between_characters_and_says_so)
{
    cr_assert(cf_json_str_cut(&json, "abc", 3, 5));
    cr_assert(eq(str, written(), "\"abc\""));
    cr_assert(not(cf_json_str_cut(&json, "abcd", 4, 5)));
    cr_assert(eq(str, written(), "\"abc\""));
    cr_assert(not(cf_json_str_cut(&json, "ab\xC3\xBC", 4, 5)));
    cr_assert(eq(str, written(), "\"ab\""));
    cr_assert(not(cf_json_str_cut(&json, "ab<", 3, 9)));
    cr_assert(eq(str, written(), "\"ab\""));
    cr_assert(cf_json_str_cut(&json, "ab<", 3, 10));
    cr_assert(eq(str, written(), "\"ab\\u003c\""));
    cr_assert(not(cf_json_str_cut(&json, "a", 1, 2)));
    cr_assert(eq(str, written(), "\"\""));
}

Test(json, writes_ids_and_times_as_the_contract_has_them)
{
    cf_id_t id = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7c, 0xde, 0x8f, [15] = 0x10}};
    cf_json_array(&json);
    cf_json_id(&json, id);
    cf_json_time(&json, 1500000);
    cf_json_array_end(&json);
    cr_assert(eq(str, written(),
                 "[\"01234567-89ab-7cde-8f00-000000000010\","
                 "\"1970-01-01T00:00:01.5Z\"]"));
}

Test(json, an_error_sticks_and_nothing_more_is_written)
{
    json.rc = CF_ENOMEM;
    cf_json_object(&json);
    cf_json_key(&json, "a");
    cf_json_text(&json, "b");
    cr_assert(eq(sz, buf.size, 0));
    cr_assert(eq(int, json.rc, CF_ENOMEM));
}
