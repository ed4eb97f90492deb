/* Any bytes as what we write: a JSON string, a log record as JSON and as text, the label of a metric. Whatever they
 * are, the result is one record and one line, and gives back what went in. */
#include "json.h"
#include "metrics_text.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool has_control(const cf_buf_t *buf)
{
    for (size_t i = 0; i < buf->size; i++)
        if (buf->data[i] < 0x20 || buf->data[i] == 0x7f || memchr("<>&", buf->data[i], 3))
            return true;
    return false;
}

/* The text with U+FFFD for each byte that is part of no character. */
static void mend(cf_buf_t *out, cf_str_t text)
{
    for (uint32_t at = 0; at < text.size;) {
        int length = cf_utf8_step(text.bytes + at, text.size - at);
        check(length ? cf_buf_add(out, text.bytes + at, (size_t)length) == 0
                     : cf_buf_add_text(out, "\xef\xbf\xbd") == 0);
        at += length ? (uint32_t)length : 1;
    }
}

/* Read by another parser it is the text again. */
static void write_json(cf_str_t text)
{
    cf_buf_t out = {0}, wanted = {0};
    cf_json_t json = {.out = &out};
    json_error_t error;
    cf_json_array(&json);
    cf_json_str(&json, text.bytes, text.size);
    cf_json_array_end(&json);
    check(json.rc == 0 && !has_control(&out));
    json_t *read = json_loadb((const char *)out.data, out.size, JSON_ALLOW_NUL, &error);
    const json_t *string = json_array_get(read, 0);
    check(json_is_string(string));
    mend(&wanted, text);
    check(json_string_length(string) == wanted.size &&
          (wanted.size == 0 || memcmp(json_string_value(string), wanted.data, wanted.size) == 0));
    json_decref(read);
    cf_buf_free(&out);
    cf_buf_free(&wanted);
}

/* Cut to any length it is still one string. */
static void write_json_cut(cf_str_t text, size_t max)
{
    cf_buf_t out = {0};
    cf_json_t json = {.out = &out};
    json_error_t error;
    cf_json_str_cut(&json, text.bytes, text.size, max);
    check(json.rc == 0 && out.size <= max && !has_control(&out));
    json_t *read =
        json_loadb((const char *)out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    check(json_is_string(read));
    json_decref(read);
    cf_buf_free(&out);
}

/* Unescaped as a scraper does it the label is the text again; no quote ends it early. */
static void write_label(cf_str_t text)
{
    cf_buf_t out = {0}, back = {0};
    char *copy = strndup(text.bytes, text.size); /* up to the first NUL */
    check(copy && cf_metrics_write_label(&out, copy) == 0);
    for (size_t i = 0; i < out.size; i++) {
        uint8_t c = out.data[i];
        check(c != '\n' && c != '"');
        if (c == '\\') {
            check(++i < out.size && memchr("\\\"n", out.data[i], 3));
            c = out.data[i] == 'n' ? '\n' : out.data[i];
        }
        check(cf_buf_add_byte(&back, c) == 0);
    }
    check(back.size == strlen(copy) && (back.size == 0 || memcmp(back.data, copy, back.size) == 0));
    free(copy);
    cf_buf_free(&out);
    cf_buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes + 1, size - 1);
    cf_str_t text = {copy, (uint32_t)size - 1};
    write_json(text);
    write_json_cut(text, 2 + (size_t)bytes[0]);
    write_label(text);
    free(copy);
    return 0;
}
