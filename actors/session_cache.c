#include "session_cache.h"

#include "err.h"

#include <stdlib.h>

static cf_cached_session_t *find(cf_session_cache_t *self, const uint8_t *token_hash)
{
    cf_cached_session_t *session = NULL;
    if (self->sessions)
        HASH_FIND(hh, self->sessions, token_hash, CF_TOKEN_HASH_SIZE, session);
    return session;
}

static void drop(cf_session_cache_t *self, cf_cached_session_t *session)
{
    HASH_DEL(self->sessions, session);
    free(session);
}

/* To the end of the table's own order, which thereby is the order of use. */
static bool add_last(cf_session_cache_t *self, cf_cached_session_t *session)
{
    HASH_ADD(hh, self->sessions, token_hash, CF_TOKEN_HASH_SIZE, session);
    if (session->hh.tbl)
        return true;
    free(session);
    return false;
}

const cf_cached_session_t *cf_session_cache_find(cf_session_cache_t *self,
                                                 const uint8_t token_hash[CF_TOKEN_HASH_SIZE])
{
    cf_cached_session_t *session = find(self, token_hash);
    if (!session || !session->hh.next)
        return session; /* absent, or the last one already */
    HASH_DEL(self->sessions, session);
    return add_last(self, session) ? session : NULL;
}

void cf_session_cache_add(cf_session_cache_t *self, const cf_session_t *session,
                          const cf_user_t *user)
{
    cf_session_cache_drop(self, session->token_hash);
    if (self->max == 0)
        return;
    if (HASH_COUNT(self->sessions) >= self->max)
        drop(self, self->sessions);
    cf_cached_session_t *added = calloc(1, sizeof *added + user->username.size + user->email.size);
    if (!added)
        return;
    memcpy(added->token_hash, session->token_hash, CF_TOKEN_HASH_SIZE);
    added->session = session->id;
    added->user = user->id;
    added->created_us = user->created_us;
    added->expires_us = session->expires_us;
    memcpy(added->texts, user->username.bytes, user->username.size);
    memcpy(added->texts + user->username.size, user->email.bytes, user->email.size);
    added->username = (cf_str_t){added->texts, user->username.size};
    added->email = (cf_str_t){added->texts + user->username.size, user->email.size};
    add_last(self, added);
}

void cf_session_cache_drop(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE])
{
    cf_cached_session_t *session = find(self, token_hash);
    if (session)
        drop(self, session);
}

void cf_session_cache_drop_user(cf_session_cache_t *self, cf_id_t user)
{
    cf_cached_session_t *session, *next;
    HASH_ITER(hh, self->sessions, session, next)
    {
        if (cf_id_equal(session->user, user))
            drop(self, session);
    }
}

uint32_t cf_session_cache_count(const cf_session_cache_t *self)
{
    return HASH_COUNT(self->sessions);
}

/* --- ended ones --------------------------------------------------------------------------------
 */

static cf_ended_session_t *find_ended(cf_session_cache_t *self, const uint8_t *token_hash)
{
    cf_ended_session_t *ended = NULL;
    if (self->ended)
        HASH_FIND(hh, self->ended, token_hash, CF_TOKEN_HASH_SIZE, ended);
    return ended;
}

int cf_session_cache_end(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE],
                         int64_t until_us)
{
    cf_ended_session_t *ended = find_ended(self, token_hash);
    if (!ended && HASH_COUNT(self->ended) >= CF_ENDED_MAX)
        return CF_EFULL;
    cf_ended_session_t *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return CF_ENOMEM;
    memcpy(fresh->token_hash, token_hash, CF_TOKEN_HASH_SIZE);
    fresh->until_us = until_us;
    if (ended) { /* a second logout: behind the others again */
        HASH_DEL(self->ended, ended);
        free(ended);
    }
    HASH_ADD(hh, self->ended, token_hash, CF_TOKEN_HASH_SIZE, fresh);
    if (!fresh->hh.tbl) {
        free(fresh);
        return CF_ENOMEM;
    }
    cf_session_cache_drop(self, token_hash);
    return 0;
}

void cf_session_cache_unend(cf_session_cache_t *self, const uint8_t token_hash[CF_TOKEN_HASH_SIZE])
{
    cf_ended_session_t *ended = find_ended(self, token_hash);
    if (!ended)
        return;
    HASH_DEL(self->ended, ended);
    free(ended);
}

bool cf_session_cache_is_ended(cf_session_cache_t *self,
                               const uint8_t token_hash[CF_TOKEN_HASH_SIZE], int64_t now_us)
{
    const cf_ended_session_t *ended = find_ended(self, token_hash);
    return ended && ended->until_us > now_us;
}

void cf_session_cache_expire(cf_session_cache_t *self, int64_t now_us)
{
    while (self->ended && self->ended->until_us <= now_us) {
        cf_ended_session_t *oldest = self->ended;
        HASH_DEL(self->ended, oldest);
        free(oldest);
    }
}

void cf_session_cache_free(cf_session_cache_t *self)
{
    while (self->sessions)
        drop(self, self->sessions);
    cf_session_cache_expire(self, INT64_MAX);
}
