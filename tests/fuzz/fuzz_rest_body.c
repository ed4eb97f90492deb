/* Any bytes as a body of the rooms REST; the first byte says of which operation. What is accepted keeps the
 * bounds that the messages behind it have. */
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

static void check_rc(int rc)
{
    check(rc == 0 || rc == CF_EPROTO || rc == CF_ERANGE || rc == CF_ENOMEM);
}

static void read_register(cf_str_t text, cf_arena_t *arena)
{
    cf_register_t fields;
    int rc = cf_rooms_read_register(&fields, text, arena);
    check_rc(rc);
    if (rc < 0)
        return;
    check(fields.username.size >= CF_USERNAME_MIN && fields.username.size <= CF_USERNAME_MAX);
    check(fields.email.size >= 6 && fields.email.size <= CF_EMAIL_MAX);
    check(fields.password.size >= CF_PASSWORD_MIN && fields.password.size <= CF_PASSWORD_MAX);
    check(memchr(fields.email.bytes, '@', fields.email.size) != NULL);
    check(memchr(fields.email.bytes, '\0', fields.email.size) == NULL);
    cf_rooms_is_reserved_name(fields.username);
}

static void read_login(cf_str_t text, cf_arena_t *arena)
{
    cf_login_t fields;
    int rc = cf_rooms_read_login(&fields, text, arena);
    check_rc(rc);
    check(rc < 0 ||
          (fields.username.size <= CF_LOGIN_TEXT_MAX && fields.password.size <= CF_LOGIN_TEXT_MAX));
}

static void read_new_room(cf_str_t text, cf_arena_t *arena)
{
    cf_rooms_new_room_t room;
    int rc = cf_rooms_read_new_room(&room, text, arena);
    check_rc(rc);
    if (rc < 0)
        return;
    check(room.name.size >= 1 && room.name.size <= CF_ROOM_NAME_MAX);
    check(cf_utf8_valid(room.name.bytes, room.name.size));
    check(!cf_utf8_has_control(room.name.bytes, room.name.size));
}

typedef void reader_fn(cf_str_t text, cf_arena_t *arena);

static reader_fn *const readers[] = {read_register, read_login, read_new_room};
#define READERS (sizeof readers / sizeof readers[0])

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_arena_t arena = {0};
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes + 1, size - 1);
    readers[bytes[0] % READERS]((cf_str_t){copy, (uint32_t)(size - 1)}, &arena);
    cf_arena_free(&arena);
    free(copy);
    return 0;
}
