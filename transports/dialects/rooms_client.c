#include "dialects/rooms_client.h"

#include "dialects/json_tree.h"
#include "err.h"
#include "json.h"

/* --- what is said -------------------------------------------------------------------------------
 */

typedef struct {
    const char *key, *value;
} member_t;

static int write_members(cf_buf_t *out, const member_t *members, size_t n)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    for (size_t i = 0; i < n; i++) {
        cf_json_key(&json, members[i].key);
        cf_json_text(&json, members[i].value);
    }
    cf_json_object_end(&json);
    return json.rc;
}

int cf_rooms_client_register(cf_buf_t *out, const char *name, const char *email,
                             const char *password)
{
    return write_members(
        out, (member_t[]){{"username", name}, {"email", email}, {"password", password}}, 3);
}

int cf_rooms_client_login(cf_buf_t *out, const char *name, const char *password)
{
    return write_members(out, (member_t[]){{"username", name}, {"password", password}}, 2);
}

int cf_rooms_client_new_room(cf_buf_t *out, const char *name)
{
    return write_members(out, (member_t[]){{"name", name}}, 1);
}

int cf_rooms_client_post(cf_buf_t *out, const char *content)
{
    return write_members(out, (member_t[]){{"type", "chat_message"}, {"content", content}}, 2);
}

/* --- what is read -------------------------------------------------------------------------------
 */

/* Empty: there is no such text. */
static cf_str_t text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return (cf_str_t){"", 0};
    return (cf_str_t){json_string_value(value), (uint32_t)json_string_length(value)};
}

static int read_one(cf_str_t *out, const char *key, cf_str_t answer, cf_arena_t *arena)
{
    json_t *root;
    int rc = cf_json_tree(&root, answer, arena);
    if (rc < 0)
        return rc;
    cf_str_t found = text_of(root, key);
    if (found.size == 0)
        return CF_EPROTO;
    *out = found;
    return 0;
}

int cf_rooms_client_read_token(cf_str_t *out, cf_str_t answer, cf_arena_t *arena)
{
    return read_one(out, "session_token", answer, arena);
}

int cf_rooms_client_read_id(cf_str_t *out, cf_str_t answer, cf_arena_t *arena)
{
    return read_one(out, "id", answer, arena);
}

static cf_rooms_heard_t heard_in(const json_t *object)
{
    return (cf_rooms_heard_t){.type = text_of(object, "type"),
                              .id = text_of(object, "id"),
                              .username = text_of(object, "username"),
                              .content = text_of(object, "content")};
}

int cf_rooms_client_read_message(cf_rooms_heard_t *out, cf_str_t text, cf_arena_t *arena)
{
    json_t *root;
    int rc = cf_json_tree(&root, text, arena);
    if (rc == 0)
        *out = heard_in(root);
    return rc;
}

int cf_rooms_client_read_page(cf_rooms_heard_t *out, size_t most, size_t *n, cf_str_t answer,
                              cf_arena_t *arena)
{
    json_t *root;
    int rc = cf_json_tree(&root, answer, arena);
    if (rc < 0)
        return rc;
    const json_t *messages = json_object_get(root, "messages");
    if (!json_is_array(messages))
        return CF_EPROTO;
    *n = json_array_size(messages);
    for (size_t i = 0; i < *n && i < most; i++)
        out[i] = heard_in(json_array_get(messages, i));
    return 0;
}
