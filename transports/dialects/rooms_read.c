/* rooms_read.c: from the client's bytes to plain values. */
#include "dialects/json_plain.h"
#include "dialects/json_tree.h"
#include "dialects/rooms.h"
#include "err.h"
#include "utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/* --- JSON --------------------------------------------------------------------------------------
 */

/* The member `name` without regard to case; the last one wins. */
static const json_t *member(json_t *object, const char *name)
{
    const json_t *found = NULL;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strcasecmp(key, name) == 0)
            found = value;
    }
    return found;
}

/* A string member, borrowed from the arena. Absent or null: empty. CF_EPROTO: another type. */
static int take_text(cf_str_t *out, json_t *object, const char *name)
{
    const json_t *value = member(object, name);
    *out = (cf_str_t){"", 0};
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return CF_EPROTO;
    *out = (cf_str_t){json_string_value(value), (uint32_t)json_string_length(value)};
    return 0;
}

/* --- WebSocket messages ------------------------------------------------------------------------
 */

/* 1..CF_CLIENT_KEY_MAX bytes of UTF-8 without blanks and control characters. */
static bool is_key(cf_str_t key)
{
    for (uint32_t i = 0; i < key.size; i++)
        if ((unsigned char)key.bytes[i] <= ' ' || key.bytes[i] == 0x7f)
            return false;
    return key.size >= 1 && key.size <= CF_CLIENT_KEY_MAX;
}

static int check_content(cf_str_t content)
{
    if (content.size == 0 || content.size > CF_POST_TEXT_MAX ||
        cf_utf8_count(content.bytes, content.size) > CF_POST_CHARS_MAX)
        return CF_ERANGE;
    return cf_utf8_has_control(content.bytes, content.size) ? CF_EPERM : 0;
}

enum { KEY, CONTENT, MEMBERS };

/* By the real parser. CF_EPROTO: no object, or a client_key that is neither a string nor null. */
static int read_members(cf_json_member_t members[MEMBERS], const uint8_t *bytes, size_t size,
                        cf_arena_t *arena)
{
    json_t *root = NULL;
    char *text = cf_arena_take(arena, size ? size : 1);
    if (!text)
        return CF_ENOMEM;
    memcpy(text, bytes, size);
    int rc = cf_json_tree_of(&root, text, size, arena);
    if (rc < 0)
        return rc;
    for (int i = 0; i < MEMBERS; i++) {
        members[i].is_there = json_is_string(member(root, members[i].name));
        rc = take_text(&members[i].value, root, members[i].name);
        if (rc < 0 && i == KEY)
            return rc;
    }
    return 0;
}

int cf_rooms_read_frame(cf_rooms_frame_t *out, cf_str_t *key_only, const uint8_t *bytes,
                        size_t size, cf_arena_t *arena)
{
    cf_rooms_frame_t frame = {.kind = CF_FRAME_POST};
    cf_json_member_t members[MEMBERS] = {
        [KEY] = {"client_key", {"", 0}, false}, [CONTENT] = {"content", {"", 0}, false}};
    cf_str_t text = {(const char *)bytes, (uint32_t)size};
    *key_only = (cf_str_t){0};
    if (!cf_utf8_valid(text.bytes, size))
        return CF_EPROTO; /* a binary message; the server closes text messages like this by itself
                           */
    int rc = 0;
    if (!cf_json_read_plain(members, MEMBERS, text))
        rc = read_members(members, bytes, size, arena);
    if (rc == 0 && members[KEY].is_there && !is_key(members[KEY].value))
        rc = CF_EPROTO;
    if (rc == 0)
        *key_only = frame.client_key = members[KEY].value;
    if (rc == 0 && !members[CONTENT].is_there)
        rc = CF_EPROTO;
    if (rc < 0)
        return rc;
    frame.content = members[CONTENT].value;
    if (cf_rooms_read_command(&frame.command, frame.content))
        frame.kind = CF_FRAME_COMMAND;
    else
        rc = check_content(frame.content);
    if (rc == 0)
        *out = frame;
    return rc;
}

/* White_Space of Unicode but for the control characters that no content may hold. Returns the bytes
 * of the one at `at`, or 0. */
static uint32_t white_space(const char *at, size_t size)
{
    static const struct {
        const char *bytes;
        uint32_t size;
    } others[] = {
        {"\xc2\x85", 2},     {"\xc2\xa0", 2},     {"\xe1\x9a\x80", 3}, {"\xe2\x80\xa8", 3},
        {"\xe2\x80\xa9", 3}, {"\xe2\x80\xaf", 3}, {"\xe2\x81\x9f", 3}, {"\xe3\x80\x80", 3},
    };
    if (size && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        return 1;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (size >= others[i].size && memcmp(at, others[i].bytes, others[i].size) == 0)
            return others[i].size;
    bool is_width = size >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && (unsigned char)at[2] >= 0x80 &&
                    (unsigned char)at[2] <= 0x8a; /* U+2000..200A */
    return is_width ? 3 : 0;
}

static cf_str_t trim(cf_str_t text)
{
    uint32_t n;
    while ((n = white_space(text.bytes, text.size)) != 0) {
        text.bytes += n;
        text.size -= n;
    }
    while (text.size) { /* back to the beginning of the last character */
        n = 1;
        while (n < text.size && ((unsigned char)text.bytes[text.size - n] & 0xc0) == 0x80)
            n++;
        if (white_space(text.bytes + text.size - n, n) != n)
            break;
        text.size -= n;
    }
    return text;
}

static bool read_stock_code(char *out, const char *code, uint32_t size)
{
    if (size < 1 || size > CF_STOCK_CODE_MAX)
        return false;
    for (uint32_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)code[i]) && code[i] != '.')
            return false;
        out[i] = (char)toupper((unsigned char)code[i]);
    }
    out[size] = '\0';
    return true;
}

bool cf_rooms_read_command(cf_rooms_command_t *out, cf_str_t content)
{
    static const char stock[] = "/stock=";
    uint32_t prefix = sizeof stock - 1;
    cf_str_t text = trim(content);
    cf_rooms_command_t command = {.type = cf_str("hello")};
    if (!cf_str_equal(text, cf_str("/hello"))) {
        command.type = cf_str("stock");
        if (text.size <= prefix || memcmp(text.bytes, stock, prefix) != 0 ||
            !read_stock_code(command.code, text.bytes + prefix, text.size - prefix))
            return false;
    }
    *out = command;
    return true;
}

/* --- REST bodies -------------------------------------------------------------------------------
 */

static bool is_username(cf_str_t name)
{
    for (uint32_t i = 0; i < name.size; i++)
        if (!isalnum((unsigned char)name.bytes[i]) && name.bytes[i] != '_')
            return false;
    return name.size >= CF_USERNAME_MIN && name.size <= CF_USERNAME_MAX;
}

/* Every byte is a letter, a digit or one of `others`. */
static bool is_made_of(const char *bytes, size_t size, const char *others)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == '\0' || (!isalnum((unsigned char)bytes[i]) && !strchr(others, bytes[i])))
            return false;
    return size > 0;
}

/* local@domain with a last label of two letters at least (contract, 3.1). */
static bool is_email(cf_str_t email)
{
    const char *at = memchr(email.bytes, '@', email.size), *end = email.bytes + email.size;
    if (!at || email.size > CF_EMAIL_MAX)
        return false;
    const char *dot = memrchr(at, '.', (size_t)(end - at));
    if (!dot || dot == at + 1 || end - dot < 3)
        return false;
    for (const char *c = dot + 1; c < end; c++)
        if (!isalpha((unsigned char)*c))
            return false;
    return is_made_of(email.bytes, (size_t)(at - email.bytes), "._%+-") &&
           is_made_of(at + 1, (size_t)(end - at - 1), ".-");
}

int cf_rooms_read_register(cf_register_t *out, cf_str_t body, cf_arena_t *arena)
{
    cf_register_t fields;
    json_t *root = NULL;
    int rc = cf_json_tree(&root, body, arena);
    if (rc == 0)
        rc = take_text(&fields.username, root, "username");
    if (rc == 0)
        rc = take_text(&fields.email, root, "email");
    if (rc == 0)
        rc = take_text(&fields.password, root, "password");
    if (rc == 0 &&
        (!is_username(fields.username) || !is_email(fields.email) ||
         fields.password.size < CF_PASSWORD_MIN || fields.password.size > CF_PASSWORD_MAX))
        rc = CF_ERANGE;
    if (rc == 0)
        *out = fields;
    return rc;
}

bool cf_rooms_is_reserved_name(cf_str_t username)
{
    return username.size == strlen(CF_BOT_USERNAME) &&
           strncasecmp(username.bytes, CF_BOT_USERNAME, username.size) == 0;
}

int cf_rooms_read_login(cf_login_t *out, cf_str_t body, cf_arena_t *arena)
{
    cf_login_t fields;
    json_t *root = NULL;
    int rc = cf_json_tree(&root, body, arena);
    if (rc == 0)
        rc = take_text(&fields.username, root, "username");
    if (rc == 0)
        rc = take_text(&fields.password, root, "password");
    if (rc == 0 &&
        (fields.username.size > CF_LOGIN_TEXT_MAX || fields.password.size > CF_LOGIN_TEXT_MAX))
        rc = CF_ERANGE; /* nobody's credentials; the caller says so as for any other wrong ones */
    if (rc == 0)
        *out = fields;
    return rc;
}

/* U+0000..1F, U+007F..9F: nothing of that belongs into a name, a line feed neither. */
static bool has_any_control(cf_str_t text)
{
    const unsigned char *at = (const unsigned char *)text.bytes;
    for (uint32_t i = 0; i < text.size; i++) {
        bool is_c1 = at[i] == 0xc2 && i + 1 < text.size && at[i + 1] < 0xa0;
        if (at[i] < 0x20 || at[i] == 0x7f || is_c1)
            return true;
    }
    return false;
}

int cf_rooms_read_new_room(cf_rooms_new_room_t *out, cf_str_t body, cf_arena_t *arena)
{
    cf_rooms_new_room_t fields = {0};
    json_t *root = NULL;
    int rc = cf_json_tree(&root, body, arena);
    const json_t *ephemeral = root ? member(root, "ephemeral") : NULL;
    if (rc == 0)
        rc = take_text(&fields.name, root, "name");
    if (ephemeral && !json_is_boolean(ephemeral) && !json_is_null(ephemeral))
        rc = CF_EPROTO;
    fields.ephemeral = json_is_true(ephemeral);
    if (rc == 0 && (fields.name.size == 0 || fields.name.size > CF_ROOM_NAME_MAX ||
                    cf_utf8_count(fields.name.bytes, fields.name.size) > CF_ROOM_NAME_CHARS_MAX ||
                    has_any_control(fields.name)))
        rc = CF_ERANGE;
    if (rc == 0)
        *out = fields;
    return rc;
}

/* --- query, cookie, bearer ---------------------------------------------------------------------
 */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(cf_str_t from, cf_str_t *out, cf_arena_t *arena)
{
    char *to = cf_arena_take(arena, (size_t)from.size + 1);
    uint32_t n = 0;
    if (!to)
        return false;
    for (uint32_t i = 0; i < from.size; i++) {
        char c = from.bytes[i] == '+' ? ' ' : from.bytes[i];
        if (c == '%') {
            int high = i + 2 < from.size ? hex(from.bytes[i + 1]) : -1;
            int low = i + 2 < from.size ? hex(from.bytes[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        to[n++] = c;
    }
    *out = (cf_str_t){to, n};
    return true;
}

bool cf_rooms_query(cf_str_t query, const char *name, cf_str_t *out, cf_arena_t *arena)
{
    size_t name_size = strlen(name);
    const char *at = query.bytes, *end = query.bytes + query.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t size = (size_t)(stop - at);
        if (size > name_size && memcmp(at, name, name_size) == 0 && at[name_size] == '=')
            return decode((cf_str_t){at + name_size + 1, (uint32_t)(size - name_size - 1)}, out,
                          arena);
        at = stop + 1;
    }
    return false;
}

bool cf_rooms_cookie(cf_str_t header, const char *name, cf_str_t *out)
{
    size_t name_size = strlen(name);
    const char *at = header.bytes, *end = header.bytes + header.size;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == ';'))
            at++;
        const char *stop = memchr(at, ';', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t size = (size_t)(stop - at);
        if (size > name_size && memcmp(at, name, name_size) == 0 && at[name_size] == '=') {
            *out = (cf_str_t){at + name_size + 1, (uint32_t)(size - name_size - 1)};
            return true;
        }
        at = stop;
    }
    return false;
}

bool cf_rooms_bearer(cf_str_t header, cf_str_t *out)
{
    static const char prefix[] = "Bearer ";
    if (header.size <= sizeof prefix - 1 || memcmp(header.bytes, prefix, sizeof prefix - 1) != 0)
        return false;
    *out =
        (cf_str_t){header.bytes + sizeof prefix - 1, header.size - (uint32_t)(sizeof prefix - 1)};
    return true;
}
