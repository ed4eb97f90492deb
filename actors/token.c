#include "token.h"

#include <sodium.h>

void cf_token_hash(uint8_t out[CF_TOKEN_HASH_SIZE], cf_str_t token)
{
    crypto_generichash(out, CF_TOKEN_HASH_SIZE, (const uint8_t *)token.bytes, token.size, NULL, 0);
}
