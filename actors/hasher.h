/* actors/hasher.h: argon2id, off every other actor's path; runs at idle priority.
 *
 *     HASH    accounts -> HASHED | REFUSED CF_ENOMEM
 *     VERIFY  accounts -> VERIFIED | REFUSED CF_ENOMEM. With an empty hash (nobody of that name) it
 *                         costs the same and is never ok. After a right password whose hash was
 * made at another cost, or by bcrypt ($2a$, $2b$: imported users), new_hash is one at today's. One at a time, in order; each answer leaves
 * before the next hash begins. Passwords are wiped from the messages behind it. RFC 9106. */
#ifndef CF_HASHER_H
#define CF_HASHER_H

#include "actor.h"

typedef struct {
    cf_actor_t *actor;   /* borrowed */
    uint32_t passes;     /* 1.. */
    uint32_t memory_kib; /* 8.. */
} cf_hasher_config_t;

typedef struct cf_hasher cf_hasher_t;
extern const cf_actor_ops_t cf_hasher_ops;

/* Takes as long as one hash. Returns 0, CF_ENOMEM (also: not enough for one hash), CF_ERANGE. */
int cf_hasher_new(cf_hasher_t **out, const cf_hasher_config_t *config);
void cf_hasher_destroy(cf_hasher_t **self); /* for a state that no thread was given */

#endif
