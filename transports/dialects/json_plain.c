#include "dialects/json_plain.h"

#include <string.h>
#include <strings.h>

typedef struct {
    const char *at, *end;
} text_t;

static void skip_blanks(text_t *text)
{
    while (text->at < text->end &&
           (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r'))
        text->at++;
}

/* This character, among blanks. */
static bool take(text_t *text, char c)
{
    skip_blanks(text);
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    skip_blanks(text);
    return true;
}

static bool take_string(text_t *text, cf_str_t *out)
{
    if (text->at == text->end || *text->at != '"')
        return false;
    const char *begin = ++text->at;
    while (text->at < text->end && *text->at != '"' && *text->at != '\\' &&
           (unsigned char)*text->at >= 0x20)
        text->at++;
    if (text->at == text->end || *text->at != '"')
        return false;
    *out = (cf_str_t){begin, (uint32_t)(text->at++ - begin)};
    return true;
}

/* False: it was there before. */
static bool keep(cf_json_member_t *members, size_t count, cf_str_t name, cf_str_t value)
{
    for (size_t i = 0; i < count; i++) {
        cf_json_member_t *member = &members[i];
        if (strlen(member->name) != name.size ||
            strncasecmp(member->name, name.bytes, name.size) != 0)
            continue;
        if (member->is_there)
            return false;
        member->value = value;
        member->is_there = true;
    }
    return true;
}

bool cf_json_read_plain(cf_json_member_t *members, size_t count, cf_str_t text)
{
    text_t rest = {text.bytes, text.bytes + text.size};
    if (!take(&rest, '{'))
        return false;
    do {
        cf_str_t name, value;
        if (!take_string(&rest, &name) || !take(&rest, ':') || !take_string(&rest, &value) ||
            !keep(members, count, name, value))
            return false;
    } while (take(&rest, ','));
    return take(&rest, '}');
}
