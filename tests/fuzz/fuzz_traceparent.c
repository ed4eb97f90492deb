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
    uint8_t trace[CF_TRACE_SIZE], before[CF_TRACE_SIZE];
    char hex[2 * CF_TRACE_SIZE + 1];
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memset(before, 0xa5, sizeof before);
    memcpy(trace, before, sizeof trace);
    memcpy(copy, bytes, size);
    if (cf_traceparent_read(trace, (cf_str_t){copy, (uint32_t)size})) {
        sodium_bin2hex(hex, sizeof hex, trace, sizeof trace);
        check(!sodium_is_zero(trace, sizeof trace));
        check(size >= 55 && memcmp(copy + 3, hex, 2 * CF_TRACE_SIZE) == 0);
    } else {
        check(memcmp(trace, before, sizeof trace) == 0);
    }
    free(copy);
    return 0;
}
