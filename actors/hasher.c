#include "hasher.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"
#include "model_limits.h"
#include "secret.h"
#include "wire/hash.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

struct cf_hasher {
    cf_hasher_config_t config;
    unsigned long long passes;
    size_t memory;                      /* bytes */
    char dummy[crypto_pwhash_STRBYTES]; /* of no known password, at today's cost */
    struct crypt_data crypt;            /* 32 KiB */
};

#define BCRYPT_PASSWORD_MAX 72 /* bytes; what follows them would not count */

static int make_hash(const cf_hasher_t *self, char out[crypto_pwhash_STRBYTES], cf_str_t password)
{
    int64_t start_us = cf_boot_us();
    int rc = crypto_pwhash_str_alg(out, password.size ? password.bytes : "", password.size,
                                   self->passes, self->memory, crypto_pwhash_ALG_ARGON2ID13);
    cf_count(CF_M_HASHES);
    cf_observe(CF_H_HASH, cf_boot_us() - start_us);
    return rc == 0 ? 0 : CF_ENOMEM;
}

static bool is_bcrypt(const char *hash)
{
    return strncmp(hash, "$2a$", 4) == 0 || strncmp(hash, "$2b$", 4) == 0;
}

/* Returns 1 (the password is right), 0, or CF_ENOMEM. */
static int is_right_by_argon2(const char *hash, cf_str_t password)
{
    errno = 0;
    int rc = crypto_pwhash_str_verify(hash, password.size ? password.bytes : "", password.size);
    return rc == 0 ? 1 : errno == ENOMEM ? CF_ENOMEM : 0;
}

/* Of users who were imported, until they log in. A longer password never made such a hash, and one with a
 * NUL would be cut there. */
static int is_right_by_bcrypt(cf_hasher_t *self, const char *hash, cf_str_t password)
{
    char text[BCRYPT_PASSWORD_MAX + 1];
    bool is_possible = password.size > 0 && password.size <= BCRYPT_PASSWORD_MAX &&
                       !memchr(password.bytes, '\0', password.size);
    memset(text, 0, sizeof text);
    if (is_possible)
        memcpy(text, password.bytes, password.size);
    const char *made = crypt_r(text, hash, &self->crypt);
    bool is_same =
        made && strlen(made) == strlen(hash) && sodium_memcmp(made, hash, strlen(hash)) == 0;
    sodium_memzero(text, sizeof text);
    sodium_memzero(&self->crypt, sizeof self->crypt);
    return is_possible && is_same;
}

/* Returns 1 (the password is right), 0, or CF_ENOMEM. */
static int is_right(cf_hasher_t *self, const char *hash, cf_str_t password)
{
    int64_t start_us = cf_boot_us();
    int rc = is_bcrypt(hash) ? is_right_by_bcrypt(self, hash, password)
                             : is_right_by_argon2(hash, password);
    cf_count(CF_M_HASHES);
    cf_observe(CF_H_HASH, cf_boot_us() - start_us);
    return rc;
}

/* Between two hashes, each of which takes long: send the answer, answer PROBE. */
static void breathe(const cf_hasher_t *self)
{
    cf_actor_wait(self->config.actor, -1, false, 0);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static int on_hash(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_hasher_t *self = state;
    cf_hash_t asked;
    char hash[crypto_pwhash_STRBYTES];
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    rc = make_hash(self, hash, asked.password);
    cf_secret_wipe(asked.password);
    if (rc < 0)
        return rc;
    cf_outbox_finish(turn->out, msg, CF_MSG_HASHED, &(cf_hashed_t){cf_str(hash)});
    breathe(self);
    return 0;
}

/* The hash to verify against, as text; the dummy where there is none, or none that could be ours.
 */
static bool known_hash(const cf_hasher_t *self, cf_str_t stored, char out[crypto_pwhash_STRBYTES])
{
    bool known = stored.size > 0 && stored.size < crypto_pwhash_STRBYTES;
    memcpy(out, self->dummy, crypto_pwhash_STRBYTES);
    if (known) {
        memcpy(out, stored.bytes, stored.size);
        out[stored.size] = '\0';
    }
    return known;
}

static int on_verify(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_hasher_t *self = state;
    cf_verify_t asked;
    char hash[crypto_pwhash_STRBYTES], new_hash[crypto_pwhash_STRBYTES] = "";
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    bool known = known_hash(self, asked.password_hash, hash);
    rc = is_right(self, hash, asked.password);
    bool ok = rc == 1 && known;
    if (ok && crypto_pwhash_str_needs_rehash(hash, self->passes, self->memory) != 0 &&
        make_hash(self, new_hash, asked.password) < 0)
        new_hash[0] = '\0'; /* the next login tries again */
    cf_secret_wipe(asked.password);
    if (rc < 0)
        return rc;
    cf_outbox_finish(turn->out, msg, CF_MSG_VERIFIED, &(cf_verified_t){ok, cf_str(new_hash)});
    breathe(self);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------
 */

void cf_hasher_destroy(cf_hasher_t **self)
{
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_hasher_t *self = state;
    cf_hasher_destroy(&self);
}

static int make_dummy(cf_hasher_t *self)
{
    char password[32];
    randombytes_buf(password, sizeof password);
    int rc = make_hash(self, self->dummy, (cf_str_t){password, sizeof password});
    sodium_memzero(password, sizeof password);
    return rc;
}

int cf_hasher_new(cf_hasher_t **out, const cf_hasher_config_t *config)
{
    size_t memory = (size_t)config->memory_kib << 10;
    if (config->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN ||
        memory < crypto_pwhash_argon2id_MEMLIMIT_MIN || sodium_init() < 0)
        return CF_ERANGE;
    cf_hasher_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->passes = config->passes;
    self->memory = memory;
    int rc = make_dummy(self);
    if (rc < 0) {
        cf_hasher_destroy(&self);
        return rc;
    }
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_HASH, on_hash},
    {CF_MSG_VERIFY, on_verify},
    {0, NULL},
};

const cf_actor_ops_t cf_hasher_ops = {.handlers = handlers, .destroy = destroy};
