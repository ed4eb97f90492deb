#include "http/traceparent.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* version "-" trace-id "-" parent-id "-" flags; what later versions add comes behind another dash */
enum {
    TRACE = 3,
    TRACE_DIGITS = 2 * CF_TRACE_ID_SIZE,
    SPAN = TRACE + TRACE_DIGITS + 1,
    SPAN_DIGITS = 2 * CF_SPAN_ID_SIZE,
    FLAGS = SPAN + SPAN_DIGITS + 1,
    LEAST = FLAGS + 2
};
_Static_assert(CF_TRACEPARENT_TEXT == LEAST + 1, "what is written is the shortest form");

static bool has_form(cf_str_t header)
{
    const char *text = header.bytes;
    size_t digits = 0;
    if (header.size < LEAST)
        return false;
    for (uint32_t i = 0; i < LEAST; i++)
        digits += text[i] && strchr("0123456789abcdef", text[i]) != NULL;
    return digits == LEAST - 3 && text[TRACE - 1] == '-' && text[SPAN - 1] == '-' &&
           text[FLAGS - 1] == '-' && memcmp(text, "ff", 2) != 0 &&
           (header.size == LEAST || (memcmp(text, "00", 2) != 0 && text[LEAST] == '-'));
}

bool cf_traceparent_read(cf_traceparent_t *out, cf_str_t header)
{
    cf_traceparent_t read;
    uint8_t flags;
    const char *text = header.bytes;
    if (!has_form(header) ||
        sodium_hex2bin(read.trace.id, sizeof read.trace.id, text + TRACE, TRACE_DIGITS, NULL, NULL,
                       NULL) != 0 ||
        sodium_hex2bin(read.span.bytes, sizeof read.span.bytes, text + SPAN, SPAN_DIGITS, NULL,
                       NULL, NULL) != 0 ||
        sodium_hex2bin(&flags, 1, text + FLAGS, 2, NULL, NULL, NULL) != 0 ||
        sodium_is_zero(read.trace.id, sizeof read.trace.id) ||
        sodium_is_zero(read.span.bytes, sizeof read.span.bytes))
        return false;
    read.trace.sampled = flags & 1;
    *out = read;
    return true;
}

void cf_traceparent_write(char out[CF_TRACEPARENT_TEXT], const cf_traceparent_t *traceparent)
{
    char trace[TRACE_DIGITS + 1], span[SPAN_DIGITS + 1];
    sodium_bin2hex(trace, sizeof trace, traceparent->trace.id, sizeof traceparent->trace.id);
    sodium_bin2hex(span, sizeof span, traceparent->span.bytes, sizeof traceparent->span.bytes);
    snprintf(out, CF_TRACEPARENT_TEXT, "00-%s-%s-%02x", trace, span, traceparent->trace.sampled);
}
