#include "frame.h"

#include <string.h>

int cf_ws_read(cf_ws_frame_t *out, const uint8_t *bytes, size_t size)
{
    out->whole = 0;
    if (size < 2)
        return 0;
    if (bytes[0] & 0x70)
        return -1;
    size_t at = 2, length = bytes[1] & 0x7f;
    size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    out->masked = bytes[1] & 0x80;
    if (size < at + extra + (out->masked ? 4 : 0))
        return 0;
    if (extra) {
        length = 0;
        for (size_t i = 0; i < extra; i++)
            length = length << 8 | bytes[at++];
    }
    if (out->masked) {
        memcpy(out->mask, bytes + at, 4);
        at += 4;
    }
    out->opcode = bytes[0] & 0x0f;
    out->final = bytes[0] & 0x80;
    out->payload = bytes + at;
    out->size = length;
    out->whole = at + length;
    return size >= out->whole;
}

void cf_ws_unmask(uint8_t *bytes, size_t size, const uint8_t *mask)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= mask[i & 3];
}

size_t cf_ws_write(uint8_t *out, uint8_t opcode, const void *payload, size_t size,
                   const uint8_t *mask)
{
    size_t extra = size < 126 ? 0 : size < 65536 ? 2 : 8;
    size_t head = 2 + extra + (mask ? 4 : 0);
    memmove(out + head, payload, size); /* before the head: it may lie right behind it */
    out[0] = 0x80 | opcode;
    out[1] = (uint8_t)((mask ? 0x80 : 0) | (extra == 0 ? size : extra == 2 ? 126 : 127));
    for (size_t i = 0; i < extra; i++)
        out[2 + i] = (uint8_t)(size >> 8 * (extra - 1 - i));
    if (mask) {
        memcpy(out + 2 + extra, mask, 4);
        cf_ws_unmask(out + head, size, mask);
    }
    return head + size;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* at stands behind the opening quote; returns the closing one, or NULL. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    return at < end ? at : NULL;
}

/* The end of any value; NULL if there is none. */
static const char *value_end(const char *at, const char *end)
{
    int depth = 0;
    do {
        if (at >= end)
            return NULL;
        if (*at == '"') {
            at = string_end(at + 1, end);
            if (!at)
                return NULL;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
        while (depth == 0 && at < end && *at != ',' && *at != '}' && *at != ']' && at[-1] != '"' &&
               at[-1] != '}' && at[-1] != ']')
            at++; /* the rest of a number or a word */
    } while (depth > 0);
    return at;
}

static cf_slice_t *slice_for(cf_members_t *out, const char *name, size_t size)
{
    const struct {
        const char *name;
        cf_slice_t *slice;
    } known[] = {{"type", &out->type},
                 {"id", &out->id},
                 {"username", &out->username},
                 {"content", &out->content},
                 {"chatroom_id", &out->chatroom_id},
                 {"seq", &out->seq},
                 {"client_key", &out->client_key},
                 {"message", &out->message},
                 {"code", &out->code},
                 {"retry_after_ms", &out->retry_after_ms}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0)
            return known[i].slice;
    return NULL;
}

/* *at stands before a member: its name and its value, and *at behind it and a comma. False if none is
 * there; *at is NULL then if it is broken. */
static bool take_member(const char **at, const char *end, cf_slice_t *name, cf_slice_t *value)
{
    const char *name_end, *start = skip_space(*at, end), *value_at;
    *at = start;
    if (start == end || *start != '"')
        return false;
    *at = NULL;
    name_end = string_end(start + 1, end);
    if (!name_end)
        return false;
    *name = (cf_slice_t){start + 1, (size_t)(name_end - start - 1)};
    value_at = skip_space(name_end + 1, end);
    if (value_at == end || *value_at++ != ':')
        return false;
    value_at = skip_space(value_at, end);
    const char *rest = value_end(value_at, end);
    if (!rest)
        return false;
    *value = *value_at == '"' ? (cf_slice_t){value_at + 1, (size_t)(rest - value_at - 2)}
                              : (cf_slice_t){value_at, (size_t)(rest - value_at)};
    rest = skip_space(rest, end);
    *at = rest < end && *rest == ',' ? rest + 1 : rest;
    return true;
}

bool cf_members_read(cf_members_t *out, const char *json, size_t size)
{
    const char *end = json + size, *at = skip_space(json, end);
    cf_slice_t name, value;
    memset(out, 0, sizeof *out);
    if (at == end || *at++ != '{')
        return false;
    while (take_member(&at, end, &name, &value)) {
        cf_slice_t *slice = slice_for(out, name.at, name.size);
        if (slice)
            *slice = value;
    }
    return at && at < end && *at == '}';
}

bool cf_member_find(cf_slice_t *out, const char *json, size_t size, const char *wanted)
{
    const char *end = json + size, *at = skip_space(json, end);
    cf_slice_t name, value;
    if (at == end || *at++ != '{')
        return false;
    while (take_member(&at, end, &name, &value))
        if (cf_slice_is(name, wanted)) {
            *out = value;
            return true;
        }
    return false;
}

bool cf_element_next(cf_slice_t *out, const char **at, const char *end)
{
    const char *start = skip_space(*at, end);
    bool is_end = start < end && *start == ']';
    const char *rest = is_end ? start : value_end(start, end);
    *at = rest;
    if (is_end || !rest)
        return false;
    *out = (cf_slice_t){start, (size_t)(rest - start)};
    rest = skip_space(rest, end);
    *at = rest < end && *rest == ',' ? rest + 1 : rest;
    return true;
}

bool cf_slice_is(cf_slice_t slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.at, text, slice.size) == 0;
}

uint64_t cf_slice_number(cf_slice_t slice)
{
    uint64_t value = 0;
    for (size_t i = 0; i < slice.size && slice.at[i] >= '0' && slice.at[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(slice.at[i] - '0');
    return value;
}
