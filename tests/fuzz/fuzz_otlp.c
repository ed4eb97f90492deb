/* Any bytes as what a collector of traces answers. */
#include "dialects/otlp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cf_arena_t arena = {0};
    char *copy =
        malloc(size ? size : 1); /* of its own size, so that a sanitizer sees a read past it */
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    cf_otlp_rejected((cf_str_t){copy, (uint32_t)size}, &arena);
    cf_arena_free(&arena);
    free(copy);
    return 0;
}
