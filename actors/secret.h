/* actors/secret.h: passwords and tokens do not outlive their use. */
#ifndef CF_SECRET_H
#define CF_SECRET_H

#include "str.h"

#include <sodium.h>

/* Overwrite a text that was read from a message of the batch at hand. The bytes are the actor's own
 * until the batch is released, and nobody reads them again; so the const is cast away. */
static inline void cf_secret_wipe(cf_str_t text)
{
    if (text.size)
        sodium_memzero((void *)(uintptr_t)text.bytes, text.size);
}

#endif
