/* Any bytes as the beginning of a TLS connection. */
#include "http/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CF_HELLO_HEAD)
        return 0;
    uint8_t *copy = malloc(CF_HELLO_HEAD); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, CF_HELLO_HEAD);
    int n = cf_hello_awaits(copy);
    free(copy);
    if (n > 0 && (n < CF_HELLO_HEAD || n > 2 * CF_HELLO_MAX)) /* and records' heads */
        abort();
    return 0;
}
