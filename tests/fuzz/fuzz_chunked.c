/* Any bytes as a chunked body, whole and cut where the first byte says. */
#include "err.h"
#include "http/chunked.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

typedef struct {
    int rc;
    size_t used, size;
    uint8_t content[MAX];
} body_t;

static void decode(body_t *out, const uint8_t *bytes, size_t size, size_t step)
{
    cf_chunked_t chunked = {.max = MAX};
    *out = (body_t){.rc = 0};
    while (out->rc == 0 && out->used < size) {
        size_t used, made, n = step < size - out->used ? step : size - out->used;
        uint8_t *piece = malloc(n); /* the sanitizer sees any step beyond it */
        memcpy(piece, bytes + out->used, n);
        out->rc = cf_chunked_decode(&chunked, piece, n, &used, &made);
        check(made <= used && used <= n && (out->rc != 0 || used == n));
        check(out->size + made <= MAX);
        memcpy(out->content + out->size, piece, made);
        out->size += made;
        out->used += used;
        free(piece);
    }
    check(out->rc == 0 || out->rc == 1 || out->rc == CF_EPROTO || out->rc == CF_ERANGE ||
          out->rc == CF_EFULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static body_t whole, parts;
    if (size < 2)
        return 0;
    decode(&whole, bytes + 1, size - 1, size);
    decode(&parts, bytes + 1, size - 1, (size_t)bytes[0] % 16 + 1);
    check(whole.rc == parts.rc);
    if (whole.rc < 0)
        return 0;
    check(whole.used == parts.used && whole.size == parts.size);
    check(memcmp(whole.content, parts.content, whole.size) == 0);
    if (whole.rc == 1) /* nothing but a line's end ends it */
        check(whole.used >= 5 && memcmp(bytes + 1 + whole.used - 4, "\r\n\r\n", 4) == 0);
    return 0;
}
