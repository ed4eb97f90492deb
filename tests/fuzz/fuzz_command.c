/* Any bytes as the text of a command: what is taken for one is exactly what the grammar says, and its
 * code is safe to stand in a URL. The text itself stays as it was. */
#include "dialects/rooms.h"
#include "utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The command stands in the text as its type and, in whatever case, its code; around it is no byte
 * that could be a letter of another word. */
static void check_command(const cf_rooms_command_t *command, const char *text, size_t size)
{
    char whole[CF_STOCK_CODE_MAX + 16];
    bool is_stock = cf_str_equal(command->type, cf_str("stock"));
    check(is_stock || cf_str_equal(command->type, cf_str("hello")));
    check(is_stock == (command->code[0] != '\0') && strlen(command->code) <= CF_STOCK_CODE_MAX);
    for (const char *c = command->code; *c; c++)
        check(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '.');
    snprintf(whole, sizeof whole, "/%s%s", is_stock ? "stock=" : "hello", command->code);
    size_t length = strlen(whole), at = 0;
    while (at < size && text[at] != '/')
        at++;
    check(size - at >= length && strncasecmp(text + at, whole, length) == 0);
    for (size_t i = 0; i < size; i++)
        check((i >= at && i < at + length) || !isgraph((unsigned char)text[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_rooms_command_t command;
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    if (cf_utf8_valid(copy, size) &&
        cf_rooms_read_command(&command, (cf_str_t){copy, (uint32_t)size}))
        check_command(&command, copy, size);
    check(memcmp(copy, bytes, size) == 0);
    free(copy);
    return 0;
}
