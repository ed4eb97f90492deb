/* docs/protocol.md says what the code does. */
#include "wire/protocol_doc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

/* The first line in which the two differ, for the message. */
static int first_difference(const char *a, const char *b)
{
    int line = 1;
    for (; *a && *a == *b; a++, b++)
        line += *a == '\n';
    return line;
}

static char *printed(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    cr_assert(out != NULL);
    cf_protocol_doc(out);
    fclose(out);
    return text;
}

static char *stored(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(CONFAB_SOURCE_DIR "/docs/protocol.md", "r");
    cr_assert(file != NULL, "docs/protocol.md is missing");
    cr_assert(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

Test(protocol_doc, is_what_confab_protocol_doc_prints)
{
    char *code = printed(), *docs = stored();
    cr_assert(
        strcmp(code, docs) == 0,
        "docs/protocol.md differs from line %d on; run confab protocol-doc > docs/protocol.md",
        first_difference(code, docs));
    free(code);
    free(docs);
}

Test(protocol_doc, names_every_message_kind_and_part)
{
    static const char *const pieces[] = {
        "| 0x0407 | POST | request | `conn` u64; `sender` 16 bytes; `username` text 1..50;",
        "`rows` list 0..500 of *post_row*",
        "| 0x0101 | STOP | request | none |",
        "| 0x0105 | DONE | answer | none |",
        "| 0x0305 | FORGET | notice | none |",
        "| *post_row* | `seq` u64;",
        "`session` part *add_session*",
        "## place.h: where a room is, and how it leaves",
        "| stats | 10 |",
    };
    char *text = printed();
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        cr_expect(strstr(text, pieces[i]) != NULL, "%s", pieces[i]);
    free(text);
}
