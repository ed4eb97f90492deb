/* Any bytes as the head of a request, arriving in two parts. */
#include "http/handshake.h"
#include "http/head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool lies_within(cf_str_t part, const uint8_t *bytes, size_t size, const cf_head_t *head)
{
    const char *whole = (const char *)bytes;
    if (part.size == 0)
        return true;
    return (part.bytes >= whole && part.bytes + part.size <= whole + size) ||
           (part.bytes >= head->forwarded &&
            part.bytes + part.size <= head->forwarded + sizeof head->forwarded) ||
           (part.bytes >= head->cookies &&
            part.bytes + part.size <= head->cookies + sizeof head->cookies) ||
           (part.size == 1 && part.bytes[0] == '/'); /* a target without a path */
}

static void check_accepted(const cf_head_t *head, const uint8_t *bytes, size_t size)
{
    check(head->path.size > 0 && head->path.bytes[0] == '/');
    check(lies_within(head->path, bytes, size, head) &&
          lies_within(head->query, bytes, size, head));
    for (int i = 0; i < CF_FIELD_COUNT; i++) {
        cf_str_t field = head->fields[i];
        check(lies_within(field, bytes, size, head));
        check(!field.size || !memchr(field.bytes, '\n', field.size));
        check(!field.size || !memchr(field.bytes, '\0', field.size));
    }
    check(head->fields[CF_FIELD_TRANSFER_ENCODING].size == (head->is_chunked ? 7 : 0));
    check(!head->is_chunked || (head->minor == 1 && head->content_length == 0 &&
                                head->fields[CF_FIELD_CONTENT_LENGTH].size == 0));
    check(head->minor == 0 || head->fields[CF_FIELD_HOST].size > 0);
    if (!cf_handshake_fault(head))
        check(head->minor == 1 && head->content_length == 0 && !head->is_chunked &&
              head->fields[CF_FIELD_WS_KEY].size == CF_HANDSHAKE_KEY_TEXT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static cf_head_t head;
    size_t scanned = 0, again = 0, half = size / 2;
    int64_t end = cf_head_end(bytes, half, &scanned);
    if (end == 0)
        end = cf_head_end(bytes, size, &scanned);
    check(end == cf_head_end(bytes, size, &again)); /* however it arrives */
    if (end <= 0)
        return 0;
    check((size_t)end <= size);
    /* A block of its own: the sanitizer sees any step beyond the head. */
    uint8_t *copy = malloc((size_t)end);
    memcpy(copy, bytes, (size_t)end);
    int status = cf_head_parse(&head, copy, (size_t)end);
    check(status == 0 || (status >= 400 && status < 600));
    if (status == 0)
        check_accepted(&head, copy, (size_t)end);
    free(copy);
    return 0;
}
