/* Any bytes as one WebSocket message of a rooms client: what is accepted keeps every bound that the
 * room and the store rely on. */
#include "dialects/json_plain.h"
#include "dialects/rooms.h"
#include "err.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_key(cf_str_t key)
{
    check(key.size <= CF_CLIENT_KEY_MAX);
    for (uint32_t i = 0; i < key.size; i++)
        check((unsigned char)key.bytes[i] > ' ' && key.bytes[i] != 0x7f);
    check(cf_utf8_valid(key.bytes, key.size));
}

/* A frame of the plain form is the same to the real parser, which an escape in front calls for. */
static void check_as_parsed(const uint8_t *bytes, size_t size, int rc,
                            const cf_rooms_frame_t *plain, cf_str_t key)
{
    static const char first[] = "{\"\\u0020\":0,";
    cf_json_member_t none = {"\xff", {0}, false};
    if (!cf_utf8_valid((const char *)bytes, size) ||
        !cf_json_read_plain(&none, 1, (cf_str_t){(const char *)bytes, (uint32_t)size}))
        return;
    const uint8_t *brace = memchr(bytes, '{', size);
    size_t before = (size_t)(brace - bytes), added = sizeof first - 1;
    uint8_t *longer = malloc(size + added);
    memcpy(longer, bytes, before);
    memcpy(longer + before, first, added);
    memcpy(longer + before + added, brace + 1, size - before - 1);
    cf_arena_t arena = {0};
    cf_rooms_frame_t parsed;
    cf_str_t parsed_key;
    check(cf_rooms_read_frame(&parsed, &parsed_key, longer, size - 1 + added, &arena) == rc);
    check(cf_str_equal(parsed_key, key));
    check(rc < 0 || (cf_str_equal(parsed.content, plain->content) && parsed.kind == plain->kind));
    cf_arena_free(&arena);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_arena_t arena = {0};
    cf_rooms_frame_t frame;
    cf_str_t key;
    uint8_t *copy = malloc(size + 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    int rc = cf_rooms_read_frame(&frame, &key, copy, size, &arena);
    check(rc == 0 || rc == CF_EPROTO || rc == CF_ERANGE || rc == CF_EPERM || rc == CF_ENOMEM);
    check_key(key);
    if (rc == 0) {
        check(cf_str_equal(frame.client_key, key));
        check(frame.kind == CF_FRAME_POST || frame.kind == CF_FRAME_COMMAND);
        check(frame.content.size >= 1 && cf_utf8_valid(frame.content.bytes, frame.content.size));
        cf_rooms_command_t command;
        check((frame.kind == CF_FRAME_COMMAND) == cf_rooms_read_command(&command, frame.content));
    }
    if (rc == 0 && frame.kind == CF_FRAME_POST) {
        check(frame.content.size <= CF_POST_TEXT_MAX);
        check(cf_utf8_count(frame.content.bytes, frame.content.size) <= CF_POST_CHARS_MAX);
        check(!cf_utf8_has_control(frame.content.bytes, frame.content.size));
    }
    check_as_parsed(copy, size, rc, &frame, key);
    cf_arena_free(&arena);
    free(copy);
    return 0;
}
