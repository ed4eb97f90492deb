/* Any bytes as a traceparent header. */
#include "http/traceparent.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_traceparent_t read, before;
    char again[CF_TRACEPARENT_TEXT];
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memset(&before, 0xa5, sizeof before);
    memcpy(&read, &before, sizeof read);
    memcpy(copy, bytes, size);
    if (cf_traceparent_read(&read, (cf_str_t){copy, (uint32_t)size})) {
        check(!sodium_is_zero(read.trace.id, sizeof read.trace.id) &&
              !sodium_is_zero(read.span.bytes, sizeof read.span.bytes));
        cf_traceparent_write(again, &read);
        check(size >= sizeof again - 1 && memcmp(copy + 2, again + 2, sizeof again - 1 - 4) == 0);
        check(cf_traceparent_read(&before, (cf_str_t){again, sizeof again - 1}) &&
              before.trace.sampled == read.trace.sampled);
    } else {
        check(memcmp(&read, &before, sizeof read) == 0);
    }
    free(copy);
    return 0;
}
