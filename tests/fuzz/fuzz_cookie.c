/* Any bytes as a Cookie header, and as an Authorization header; the first byte says which. */
#include "dialects/rooms.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* value lies in whole, right behind `before`. */
static void check_behind(cf_str_t value, cf_str_t whole, const char *before)
{
    size_t size = strlen(before);
    check(value.bytes >= whole.bytes + size &&
          value.bytes + value.size <= whole.bytes + whole.size);
    check(memcmp(value.bytes - size, before, size) == 0);
}

/* It is the first cookie of that name, whole, and nothing of another one. */
static void read_cookie(cf_str_t header)
{
    cf_str_t value;
    bool has = cf_rooms_cookie(header, "session_id", &value);
    const char *found = memmem(header.bytes, header.size, "session_id=", strlen("session_id="));
    check(!has || found);
    if (!has)
        return;
    check_behind(value, header, "session_id=");
    check(value.size == 0 || memchr(value.bytes, ';', value.size) == NULL);
    const char *start = value.bytes - strlen("session_id="), *end = value.bytes + value.size;
    check(start == header.bytes || start[-1] == ' ' || start[-1] == ';');
    check(end == header.bytes + header.size || *end == ';');
}

static void read_bearer(cf_str_t header)
{
    cf_str_t value;
    if (!cf_rooms_bearer(header, &value))
        return;
    check_behind(value, header, "Bearer ");
    check(value.size == header.size - strlen("Bearer ") && value.size > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes + 1, size - 1);
    cf_str_t header = {copy, (uint32_t)size - 1};
    if (bytes[0] % 2)
        read_bearer(header);
    else
        read_cookie(header);
    free(copy);
    return 0;
}
