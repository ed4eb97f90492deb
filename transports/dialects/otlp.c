#include "dialects/otlp.h"

#include "dialects/json_tree.h"
#include "json.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_ERROR 2 /* opentelemetry.proto.trace.v1.Status.STATUS_CODE_ERROR */

/* --- values ------------------------------------------------------------------------------------
 */

static void put_hex(cf_json_t *json, const char *key, const uint8_t *bytes, size_t size)
{
    char text[2 * CF_TRACE_ID_SIZE + 1];
    sodium_bin2hex(text, sizeof text, bytes, size);
    cf_json_key(json, key);
    cf_json_text(json, text);
}

/* 64-bit numbers are strings in the JSON form of protocol buffers. */
static void put_long(cf_json_t *json, const char *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    cf_json_key(json, key);
    cf_json_text(json, text);
}

static void put_time(cf_json_t *json, const char *key, int64_t at_us)
{
    char text[32];
    snprintf(text, sizeof text, "%lld000", (long long)at_us);
    cf_json_key(json, key);
    cf_json_text(json, text);
}

static void put_attribute(cf_json_t *json, cf_str_t key, cf_str_t text, int64_t number)
{
    cf_json_object(json);
    cf_json_key(json, "key");
    cf_json_str(json, key.bytes, key.size);
    cf_json_key(json, "value");
    cf_json_object(json);
    if (text.size) {
        cf_json_key(json, "stringValue");
        cf_json_str(json, text.bytes, text.size);
    } else {
        put_long(json, "intValue", number);
    }
    cf_json_object_end(json);
    cf_json_object_end(json);
}

static void put_text_attribute(cf_json_t *json, const char *key, const char *text)
{
    put_attribute(json, cf_str(key), cf_str(text), 0);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void put_resource(cf_json_t *json, const cf_otlp_resource_t *resource)
{
    cf_json_key(json, "resource");
    cf_json_object(json);
    cf_json_key(json, "attributes");
    cf_json_array(json);
    put_text_attribute(json, "service.name", "confab");
    put_text_attribute(json, "service.version", resource->version);
    put_text_attribute(json, "service.instance.id", resource->node);
    cf_json_array_end(json);
    cf_json_object_end(json);
}

int cf_otlp_begin(cf_buf_t *out, const cf_otlp_resource_t *resource)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "resourceSpans");
    cf_json_array(&json);
    cf_json_object(&json);
    put_resource(&json, resource);
    cf_json_key(&json, "scopeSpans");
    cf_json_array(&json);
    cf_json_object(&json);
    cf_json_key(&json, "scope");
    cf_json_object(&json);
    cf_json_key(&json, "name");
    cf_json_text(&json, "confab");
    cf_json_object_end(&json);
    cf_json_key(&json, "spans");
    cf_json_array(&json);
    return json.rc;
}

int cf_otlp_end(cf_buf_t *out)
{
    cf_json_t json = {.out = out};
    cf_json_array_end(&json);
    cf_json_object_end(&json);
    cf_json_array_end(&json);
    cf_json_object_end(&json);
    cf_json_array_end(&json);
    cf_json_object_end(&json);
    return json.rc;
}

/* Where it was done, in which room, and what else there is to say. */
static void put_attributes(cf_json_t *json, const cf_msg_t *msg, const cf_span_t *span)
{
    const cf_span_attribute_t *attributes = span->attributes.items;
    char room[CF_ID_TEXT + 1];
    cf_json_key(json, "attributes");
    cf_json_array(json);
    put_text_attribute(json, "confab.actor", cf_actor_name(msg->from.kind));
    put_attribute(json, cf_str("confab.actor.index"), (cf_str_t){0}, msg->from.index);
    if (!cf_id_is_zero(msg->room)) {
        cf_id_text(msg->room, room);
        put_text_attribute(json, "confab.room", room);
    }
    for (uint32_t i = 0; i < span->attributes.n; i++)
        put_attribute(json, attributes[i].key, attributes[i].text, attributes[i].number);
    cf_json_array_end(json);
}

int cf_otlp_span(cf_buf_t *out, const cf_msg_t *msg, const cf_span_t *span)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    put_hex(&json, "traceId", msg->trace.id, sizeof msg->trace.id);
    put_hex(&json, "spanId", span->id.bytes, sizeof span->id.bytes);
    if (!sodium_is_zero(span->parent.bytes, sizeof span->parent.bytes))
        put_hex(&json, "parentSpanId", span->parent.bytes, sizeof span->parent.bytes);
    cf_json_key(&json, "name");
    cf_json_str(&json, span->name.bytes, span->name.size);
    cf_json_key(&json, "kind");
    cf_json_uint(&json, span->kind);
    put_time(&json, "startTimeUnixNano", span->begin_us);
    put_time(&json, "endTimeUnixNano", span->end_us);
    put_attributes(&json, msg, span);
    cf_json_key(&json, "status");
    cf_json_object(&json);
    if (span->failed) {
        cf_json_key(&json, "code");
        cf_json_uint(&json, STATUS_ERROR);
    }
    cf_json_object_end(&json);
    cf_json_object_end(&json);
    return json.rc;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static uint64_t number_of(const json_t *value)
{
    long long number = 0;
    char *end = NULL;
    errno = 0;
    if (json_is_integer(value))
        number = json_integer_value(value);
    else if (json_is_string(value))
        number = strtoll(json_string_value(value), &end, 10);
    return errno || number < 0 || (end && *end) ? 0 : (uint64_t)number;
}

uint64_t cf_otlp_rejected(cf_str_t answer, cf_arena_t *arena)
{
    json_t *root;
    if (cf_json_tree_strict(&root, answer, arena) < 0)
        return 0;
    return number_of(json_object_get(json_object_get(root, "partialSuccess"), "rejectedSpans"));
}
