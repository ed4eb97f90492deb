#include "random.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define STOCK 1024 /* bytes; a thread's worth of 64 ids */

static _Thread_local unsigned char stock[STOCK];
static _Thread_local size_t left;

void cf_random(void *out, size_t size)
{
    assert(size <= 256);
    if (left < size) {
        randombytes_buf(stock, sizeof stock);
        left = sizeof stock;
    }
    left -= size;
    memcpy(out, stock + left, size);
    sodium_memzero(stock + left, size);
}
