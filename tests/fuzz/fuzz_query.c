/* Any bytes as the query of a request: the values of parameters, and what a cursor is read as. */
#include "clock.h"
#include "dialects/rooms.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What was read as a time is one, and is read again from how we write it. */
static void read_time(cf_str_t text)
{
    char written[CF_TIME_TEXT + 1];
    int64_t at_us, again_us;
    if (cf_time_parse(&at_us, text.bytes, text.size) < 0)
        return;
    check(text.size >= strlen("2026-01-01T00:00:00Z"));
    if (at_us < 0 || at_us >= INT64_C(253402300800000000)) /* we write the years 1970 to 9999 */
        return;
    cf_time_text(at_us, written);
    check(cf_time_parse(&again_us, written, (uint32_t)strlen(written)) == 0 && again_us == at_us);
}

static void read_id(cf_str_t text)
{
    char written[CF_ID_TEXT + 1];
    cf_id_t id;
    if (cf_id_parse(&id, text.bytes, text.size) < 0)
        return;
    cf_id_text(id, written);
    check(text.size == CF_ID_TEXT && memcmp(text.bytes, written, CF_ID_TEXT) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"token", "limit", "before", "cursor"};
    cf_arena_t arena = {0};
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    cf_str_t query = {copy, (uint32_t)size}, value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t name_size = strlen(names[i]);
        if (!cf_rooms_query(query, names[i], &value, &arena))
            continue;
        check(value.size <= size - name_size - 1);
        check(memmem(copy, size, names[i], name_size) != NULL);
        read_time(value);
        read_id(value);
    }
    cf_arena_free(&arena);
    free(copy);
    return 0;
}
