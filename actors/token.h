/* actors/token.h: session tokens: made here, kept only as hashes. */
#ifndef CF_TOKEN_H
#define CF_TOKEN_H

#include "model_limits.h"
#include "str.h"

/* BLAKE2b-256 of the token's characters. */
void cf_token_hash(uint8_t out[CF_TOKEN_HASH_SIZE], cf_str_t token);

#endif
