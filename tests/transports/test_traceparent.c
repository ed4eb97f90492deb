/* The trace a client says it is in: W3C Trace Context, Level 1, 3.2. */
#include "http/traceparent.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sodium.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define ZEROS "00000000000000000000000000000000"

static bool read_text(cf_traceparent_t *out, const char *text)
{
    return cf_traceparent_read(out, cf_str(text));
}

Test(traceparent, is_read_whole)
{
    static const struct {
        const char *text;
        bool sampled;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-00", false},      {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-02", false},      {"00-" TRACE "-" SPAN "-ff", true},
        {"01-" TRACE "-" SPAN "-01", true},       {"cc-" TRACE "-" SPAN "-01-more", true},
        {"fe-" TRACE "-" SPAN "-00-more", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_traceparent_t read;
        char trace[2 * CF_TRACE_ID_SIZE + 1], span[2 * CF_SPAN_ID_SIZE + 1];
        cr_assert(read_text(&read, cases[i].text), "%s", cases[i].text);
        sodium_bin2hex(trace, sizeof trace, read.trace.id, sizeof read.trace.id);
        sodium_bin2hex(span, sizeof span, read.span.bytes, sizeof read.span.bytes);
        cr_expect(eq(str, trace, TRACE));
        cr_expect(eq(str, span, SPAN));
        cr_expect(eq(int, read.trace.sampled, cases[i].sampled), "%s", cases[i].text);
    }
}

Test(traceparent, of_another_form_is_none)
{
    static const char *const cases[] = {
        "",
        "x",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-01 ",
        " 00-" TRACE "-" SPAN "-01",
        "01-" TRACE "-" SPAN "-01more",
        "ff-" TRACE "-" SPAN "-01",
        "FF-" TRACE "-" SPAN "-01",
        "0-" TRACE "-" SPAN "-01",
        "00-" ZEROS "-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-" TRACE "-00F067AA0BA902B7-01",
        "00-" TRACE "-" SPAN "-0A",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01",
        "00-" TRACE "-00f067aa0ba902bg-01",
        "00-" TRACE "x" SPAN "-01",
        "00-" TRACE "-" SPAN "x01",
        "00_" TRACE "_" SPAN "_01",
        "00-" TRACE "0-" SPAN "-01",
        "00-" TRACE "-0" SPAN "-01",
    };
    cf_traceparent_t read, before;
    memset(&read, 0xa5, sizeof read);
    memset(&before, 0xa5, sizeof before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect(not(read_text(&read, cases[i])), "%s", cases[i]);
        cr_expect(eq(int, memcmp(&read, &before, sizeof read), 0), "%s", cases[i]);
    }
    cr_expect(not(cf_traceparent_read(&read, (cf_str_t){"00-" TRACE "\0" SPAN "-01", 55})));
}

Test(traceparent, is_written_as_it_was_read)
{
    static const char *const cases[] = {"00-" TRACE "-" SPAN "-00", "00-" TRACE "-" SPAN "-01"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_traceparent_t read;
        char again[CF_TRACEPARENT_TEXT];
        cr_assert(read_text(&read, cases[i]));
        cf_traceparent_write(again, &read);
        cr_expect(eq(str, again, (char *)cases[i]));
    }
}
