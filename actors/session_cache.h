/* actors/session_cache.h: the sessions accounts remembers, and those it knows to be over.
 *
 * Keyed by the hash of the token. Remembered ones are bounded; the one not asked for longest is
 * forgotten first. An ended one is kept in mind for a while, so that an answer of a reader from
 * before the end does not bring it back. Part of accounts. */
#ifndef CF_SESSION_CACHE_H
#define CF_SESSION_CACHE_H

#include "model.h"
#include "table.h"

#define CF_ENDED_MAX 16384 /* ended sessions kept in mind */

typedef struct {
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    cf_id_t session, user;
    int64_t created_us; /* of the user */
    int64_t expires_us;
    UT_hash_handle hh;
    cf_str_t username, email; /* of texts */
    char texts[];
} cf_cached_session_t;

typedef struct {
    uint8_t token_hash[CF_TOKEN_HASH_SIZE];
    int64_t until_us; /* boot clock */
    UT_hash_handle hh;
} cf_ended_session_t;

typedef struct {
    uint32_t max;
    cf_cached_session_t *sessions; /* least recently used first; owned */
    cf_ended_session_t *ended;     /* oldest first; owned */
} cf_session_cache_t;

/* NULL: not remembered. Borrowed until the next call. */
const cf_cached_session_t *cf_session_cache_find(cf_session_cache_t *self,
                                                 const uint8_t token_hash[CF_TOKEN_HASH_SIZE]);
/* Without memory, or with max 0, it is simply not remembered. */
void cf_session_cache_add(cf_session_cache_t *self, const cf_session_t *session,
                          const cf_user_t *user);
void cf_session_cache_drop(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE]);
void cf_session_cache_drop_user(cf_session_cache_t *self, cf_id_t user); /* all of them */
uint32_t cf_session_cache_count(const cf_session_cache_t *self);

/* Forget it and keep in mind until until_us that it is over. CF_EFULL, CF_ENOMEM: nothing changed.
 */
int cf_session_cache_end(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE],
                         int64_t until_us);
/* The logout could not be stored: the session is good again, and the next logout is a real one. */
void cf_session_cache_unend(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE]);
bool cf_session_cache_is_ended(cf_session_cache_t *self,
                               const uint8_t token_hash[CF_TOKEN_HASH_SIZE], int64_t now_us);
void cf_session_cache_expire(cf_session_cache_t *self, int64_t now_us); /* of the ended ones */
void cf_session_cache_free(cf_session_cache_t *self);

#endif
