#include "table.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char hash_key[crypto_shorthash_KEYBYTES]; /* written once, before the first hash */

static void draw_key(void)
{
    randombytes_buf(hash_key, sizeof hash_key);
}

uint32_t cf_table_hash(const void *key, size_t size)
{
    pthread_once(&once, draw_key);
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, key, size, hash_key);
    uint32_t hash;
    memcpy(&hash, out, sizeof hash);
    return hash;
}
