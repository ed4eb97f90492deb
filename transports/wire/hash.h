/* transports/wire/hash.h: password work for the hashers, off every other actor's path.
 *
 *     HASH    password           -> HASHED | REFUSED CF_ENOMEM
 *     VERIFY  password and hash  -> VERIFIED. An empty hash costs the same and is never ok */
#ifndef CF_HASH_H
#define CF_HASH_H

#include "account.h"

typedef struct {
    cf_str_t password;
} cf_hash_t;

typedef struct {
    cf_str_t password_hash; /* PHC string of argon2id */
} cf_hashed_t;

typedef struct {
    cf_str_t password, password_hash;
} cf_verify_t;

typedef struct {
    bool ok;
    cf_str_t new_hash; /* not empty: right password, but hashed at another cost; store this one */
} cf_verified_t;

extern const cf_shape_t cf_shape_hash, cf_shape_hashed, cf_shape_verify, cf_shape_verified;

#endif
