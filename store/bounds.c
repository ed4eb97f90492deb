#include "bounds.h"
#include "utf8.h"

#include <string.h>

/* Well-formed UTF-8 without NUL, size and code points within the bounds. */
static bool fits(cf_str_t text, uint32_t min, uint32_t max, size_t chars_max)
{
    if (text.size < min || text.size > max)
        return false;
    if (text.size == 0)
        return true;
    return !memchr(text.bytes, 0, text.size) && cf_utf8_valid(text.bytes, text.size) &&
           cf_utf8_count(text.bytes, text.size) <= chars_max;
}

bool cf_bounds_post(const cf_post_t *post)
{
    return (post->kind == CF_POST_TEXT || post->kind == CF_POST_BOT) && post->seq >= 1 &&
           post->seq <= INT64_MAX && post->at_us > 0 &&
           fits(post->text, 1, CF_POST_TEXT_MAX, CF_POST_CHARS_MAX) &&
           fits(post->client_key, 0, CF_CLIENT_KEY_MAX, CF_CLIENT_KEY_MAX);
}

bool cf_bounds_name(cf_str_t name)
{
    if (name.size < CF_USERNAME_MIN || name.size > CF_USERNAME_MAX)
        return false;
    for (uint32_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

int cf_bounds_write(const cf_write_t *write)
{
    bool good = true;
    switch (write->kind) {
    case CF_WRITE_DISABLE_USER:
        return cf_id_equal(write->disable_user.user, CF_BOT_ID) ? CF_EPERM : 0;
    case CF_WRITE_CREATE_USER:
        good =
            cf_bounds_name(write->create_user.username) &&
            fits(write->create_user.email, 1, CF_EMAIL_MAX, CF_EMAIL_MAX) &&
            fits(write->create_user.password_hash, 0, CF_PASSWORD_HASH_MAX, CF_PASSWORD_HASH_MAX);
        break;
    case CF_WRITE_SET_PASSWORD:
        good =
            fits(write->set_password.password_hash, 0, CF_PASSWORD_HASH_MAX, CF_PASSWORD_HASH_MAX);
        break;
    case CF_WRITE_CREATE_ROOM:
        good = fits(write->create_room.name, 1, CF_ROOM_NAME_MAX, CF_ROOM_NAME_CHARS_MAX);
        break;
    case CF_WRITE_DEAD_LETTER:
        good = fits(write->dead_letter.command, 1, CF_DEAD_COMMAND_MAX, CF_DEAD_COMMAND_MAX) &&
               fits(write->dead_letter.reason, 1, CF_DEAD_REASON_MAX, CF_DEAD_REASON_MAX) &&
               write->dead_letter.attempts <= INT32_MAX;
        break;
    default:
        break; /* fixed sizes only */
    }
    return good ? 0 : CF_ERANGE;
}
