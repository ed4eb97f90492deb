/* Spans as a collector reads them: whole requests are read with jansson, and its answers from good to hostile. */
#include "dialects/otlp.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

TestSuite(otlp, .timeout = 30);

static const cf_otlp_resource_t resource = {.version = "1.2.3", .node = "north-1"};

static cf_msg_t work(void)
{
    return (cf_msg_t){.type = CF_MSG_SPAN,
                      .trace = {{0x4b, 0xf9, [15] = 0x36}, true},
                      .from = {7, CF_ACTOR_ROOMS, 3},
                      .room = {{0x01, [15] = 0x0f}}};
}

/* Puts spans into a request; returns it as read. The caller frees it. */
static json_t *request_of(const cf_msg_t *msg, const cf_span_t *spans, uint32_t n)
{
    cf_buf_t out = {0};
    json_error_t error;
    cr_assert(eq(int, cf_otlp_begin(&out, &resource), 0));
    for (uint32_t i = 0; i < n; i++) {
        size_t before = out.size;
        cr_assert(eq(int, cf_otlp_span(&out, msg, &spans[i]), 0));
        cr_assert(le(sz, out.size - before, CF_OTLP_SPAN_MAX));
    }
    cr_assert(eq(int, cf_otlp_end(&out), 0));
    json_t *root = json_loadb((char *)out.data, out.size, JSON_REJECT_DUPLICATES, &error);
    cr_assert(root != NULL, "%s: %.*s", error.text, (int)out.size, (char *)out.data);
    cf_buf_free(&out);
    return root;
}

static json_t *first(json_t *in, const char *key)
{
    json_t *list = json_object_get(in, key);
    bool is_list = json_is_array(list);
    cr_assert(is_list, "%s", key);
    return json_array_get(list, 0);
}

static json_t *spans_of(json_t *root)
{
    json_t *scope = first(first(root, "resourceSpans"), "scopeSpans");
    cr_assert(
        eq(str, (char *)json_string_value(json_object_get(json_object_get(scope, "scope"), "name")),
           "confab"));
    return json_object_get(scope, "spans");
}

static char *text_of(json_t *in, const char *key)
{
    const char *text = json_string_value(json_object_get(in, key));
    return (char *)(text ? text : "(absent)");
}

/* The value of an attribute, "(absent)" without it. */
static char *attribute(json_t *in, const char *key)
{
    size_t i;
    json_t *at;
    json_array_foreach(json_object_get(in, "attributes"), i, at)
    {
        json_t *value = json_object_get(at, "value");
        if (strcmp(text_of(at, "key"), key) == 0)
            return text_of(value, json_object_get(value, "intValue") ? "intValue" : "stringValue");
    }
    return "(absent)";
}

Test(otlp, says_who_tells_and_what_was_done)
{
    cf_msg_t msg = work();
    cf_span_attribute_t attributes[] = {{cf_str("http.request.method"), cf_str("GET"), 0},
                                        {cf_str("http.response.status_code"), {0}, 503}};
    cf_span_t span = {.id = {{1, 2}},
                      .parent = {{0xfe}},
                      .kind = CF_SPAN_SERVER,
                      .name = cf_str("GET /rooms"),
                      .begin_us = INT64_C(1700000000000001),
                      .end_us = INT64_C(1700000000000777),
                      .failed = true,
                      .attributes = {attributes, 2}};
    json_t *root = request_of(&msg, &span, 1);
    json_t *who = json_object_get(first(root, "resourceSpans"), "resource");
    cr_expect(eq(str, attribute(who, "service.name"), "confab"));
    cr_expect(eq(str, attribute(who, "service.version"), "1.2.3"));
    cr_expect(eq(str, attribute(who, "service.instance.id"), "north-1"));
    cr_assert(eq(sz, json_array_size(spans_of(root)), 1));
    json_t *read = json_array_get(spans_of(root), 0);
    cr_expect(eq(str, text_of(read, "traceId"), "4bf90000000000000000000000000036"));
    cr_expect(eq(str, text_of(read, "spanId"), "0102000000000000"));
    cr_expect(eq(str, text_of(read, "parentSpanId"), "fe00000000000000"));
    cr_expect(eq(str, text_of(read, "name"), "GET /rooms"));
    cr_expect(eq(int, (int)json_integer_value(json_object_get(read, "kind")), 2));
    cr_expect(eq(str, text_of(read, "startTimeUnixNano"), "1700000000000001000"));
    cr_expect(eq(str, text_of(read, "endTimeUnixNano"), "1700000000000777000"));
    cr_expect(eq(str, attribute(read, "confab.actor"), "rooms"));
    cr_expect(eq(str, attribute(read, "confab.actor.index"), "3"));
    cr_expect(eq(str, attribute(read, "confab.room"), "01000000-0000-0000-0000-00000000000f"));
    cr_expect(eq(str, attribute(read, "http.request.method"), "GET"));
    cr_expect(eq(str, attribute(read, "http.response.status_code"), "503"));
    json_t *status = json_object_get(read, "status");
    cr_expect(eq(int, (int)json_integer_value(json_object_get(status, "code")), 2));
    json_decref(root);
}

Test(otlp, leaves_out_what_there_is_not)
{
    cf_msg_t msg = work();
    cf_span_t span = {.id = {{1}}, .kind = CF_SPAN_INTERNAL, .name = cf_str("append")};
    msg.room = (cf_id_t){0};
    json_t *root = request_of(&msg, &span, 1), *read = json_array_get(spans_of(root), 0);
    cr_expect(json_object_get(read, "parentSpanId") == NULL);
    cr_expect(eq(str, attribute(read, "confab.room"), "(absent)"));
    cr_expect(eq(sz, json_object_size(json_object_get(read, "status")), 0));
    json_decref(root);
}

Test(otlp, puts_many_spans_into_one_request)
{
    cf_msg_t msg = work();
    cf_span_t spans[3];
    for (uint8_t i = 0; i < 3; i++)
        spans[i] = (cf_span_t){.id = {{i + 1}}, .kind = CF_SPAN_CLIENT, .name = cf_str("x")};
    for (uint32_t n = 0; n <= 3; n++) {
        json_t *root = request_of(&msg, spans, n);
        cr_expect(eq(sz, json_array_size(spans_of(root)), n));
        json_decref(root);
    }
}

Test(otlp, bounds_a_span_however_its_texts_are_escaped)
{
    char worst[CF_SPAN_NAME_MAX];
    cf_msg_t msg = work();
    cf_span_attribute_t attributes[CF_SPAN_ATTRIBUTES_MAX];
    memset(worst, 1, sizeof worst);
    cf_str_t text = {worst, sizeof worst};
    for (uint32_t i = 0; i < CF_SPAN_ATTRIBUTES_MAX; i++)
        attributes[i] = (cf_span_attribute_t){text, text, 0};
    cf_span_t span = {.id = {{1}},
                      .parent = {{1}},
                      .kind = CF_SPAN_SERVER,
                      .name = text,
                      .begin_us = INT64_MIN,
                      .end_us = INT64_MIN,
                      .failed = true,
                      .attributes = {attributes, CF_SPAN_ATTRIBUTES_MAX}};
    json_decref(request_of(&msg, &span, 1)); /* asserts it */
}

static uint64_t rejected(const char *answer)
{
    cf_arena_t arena = {0};
    uint64_t n = cf_otlp_rejected(cf_str(answer), &arena);
    cf_arena_free(&arena);
    return n;
}

Test(otlp, reads_how_many_spans_were_left_out_and_believes_nothing_else)
{
    cr_expect(eq(u64, rejected("{\"partialSuccess\":{\"rejectedSpans\":\"12\"}}"), 12));
    cr_expect(
        eq(u64, rejected("{\"partialSuccess\":{\"rejectedSpans\":7,\"errorMessage\":\"x\"}}"), 7));
    static const char *const nothing[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"partialSuccess\":null}",
        "{\"partialSuccess\":[]}",
        "{\"partialSuccess\":{\"rejectedSpans\":-1}}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"1x\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999999999\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":{}}}",
        "{\"partialSuccess\":{\"rejectedSpans\":",
        "<html>\xff\xfe</html>",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        cr_expect(eq(u64, rejected(nothing[i]), 0), "%s", nothing[i]);
}
