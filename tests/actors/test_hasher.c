/* hasher as a real thread, at a cost that keeps the test short. */
#include "hasher.h"

#include "metrics.h"
#include "peer.h"
#include "wire/hash.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sodium.h>

#define PASSES 2
#define MEMORY_KIB 256
#define ID ((cf_id_t){0})

static cf_actor_t *actor;
static peer_t *accounts;

static void start(void)
{
    cf_hasher_t *state;
    actor = actor_at(CF_ACTOR_HASHER, 0);
    accounts = peer_at(CF_ACTOR_ACCOUNTS, 0);
    cr_assert(eq(int, cf_hasher_new(&state, &(cf_hasher_config_t){actor, PASSES, MEMORY_KIB}), 0));
    actor_run(actor, &cf_hasher_ops, state);
}

/* The PHC string of this password; borrowed until the next call. */
static char *hash_of(const char *password)
{
    static char text[CF_PASSWORD_HASH_MAX + 1];
    cf_hashed_t hashed;
    peer_send(accounts, CF_ACTOR_HASHER, CF_MSG_HASH, 1, ID, &(cf_hash_t){cf_str(password)});
    cr_assert(peer_await(accounts, CF_MSG_HASHED, 1, &hashed));
    memcpy(text, hashed.password_hash.bytes, hashed.password_hash.size);
    text[hashed.password_hash.size] = '\0';
    return text;
}

static cf_verified_t verify(const char *password, const char *hash)
{
    cf_verified_t verified = {0};
    peer_send(accounts, CF_ACTOR_HASHER, CF_MSG_VERIFY, 2, ID,
              &(cf_verify_t){cf_str(password), cf_str(hash)});
    cr_assert(peer_await(accounts, CF_MSG_VERIFIED, 2, &verified));
    return verified;
}

TestSuite(hasher, .init = start, .fini = actors_stop, .timeout = 60);

Test(hasher, makes_an_argon2id_hash_at_the_configured_cost)
{
    char *hash = hash_of("strange!");
    cr_assert(strncmp(hash, "$argon2id$v=19$m=256,t=2,p=1$", 29) == 0, "%s", hash);
}

Test(hasher, knows_the_right_password_from_a_wrong_one)
{
    char *hash = hash_of("strange!");
    cf_verified_t right = verify("strange!", hash);
    cr_assert(right.ok);
    cr_assert(eq(u32, right.new_hash.size, 0));
    cr_assert(eq(int, verify("Strange!", hash).ok, false));
    cr_assert(eq(int, verify("", hash).ok, false));
}

Test(hasher, hashes_a_password_of_100_bytes_in_its_whole_length)
{
    char password[101];
    memset(password, 'x', 100);
    password[100] = '\0';
    char *hash = hash_of(password);
    cr_assert(verify(password, hash).ok);
    password[99] = 'y';
    cr_assert(eq(int, verify(password, hash).ok, false));
}

Test(hasher, does_the_same_work_for_an_empty_hash_and_never_finds_it_right)
{
    uint64_t before = actor_counter(actor, CF_M_HASHES);
    cr_assert(eq(int, verify("", "").ok, false));
    cr_assert(eq(u64, actor_counter(actor, CF_M_HASHES) - before, 1));
}

Test(hasher, takes_a_hash_that_is_none_for_wrong)
{
    char large[CF_PASSWORD_HASH_MAX + 1];
    memset(large, '$', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    cr_assert(eq(int, verify("strange!", "$argon2id$broken").ok, false));
    cr_assert(eq(int, verify("strange!", large).ok, false));
}

Test(hasher, gives_a_new_hash_when_the_cost_has_changed)
{
    char old[crypto_pwhash_STRBYTES];
    cr_assert(eq(
        int, crypto_pwhash_str_alg(old, "strange!", 8, 1, 64 << 10, crypto_pwhash_ALG_ARGON2ID13),
        0));
    cf_verified_t verified = verify("strange!", old);
    cr_assert(verified.ok);
    cr_assert(gt(u32, verified.new_hash.size, 29));
    cr_assert(strncmp(verified.new_hash.bytes, "$argon2id$v=19$m=256,t=2,p=1$", 29) == 0);
    cr_assert(eq(u32, verify("wrong", old).new_hash.size, 0));
}

/* At cost 4; the last password has the 72 bytes that bcrypt looks at. */
static const struct {
    const char *password, *hash;
} bcrypt[] = {
    {"strange!", "$2a$04$abcdefghijklmnopqrstuuEjIVdx/lt3OVpaAg9ZPK0QaJ0DeXQWa"},
    {"strange!", "$2b$04$ABCDEFGHIJKLMNOPQRSTUu11miQbgJVcofajZSg7c6is7PQzbMVlW"},
    {"", "$2b$04$zyxwvutsrqponmlkjihgfegqtFzehKxsKXpkfUK8h7vC19esTTUBy"},
    {"ppppppppppppppppppppppppppppppppppppqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
     "$2b$04$ABCDEFGHIJKLMNOPQRSTUuSN8lqKdOgvGCZgABBtNzGyZ.l5AHvK."},
};

Test(hasher, verifies_bcrypt_and_replaces_it)
{
    for (size_t i = 0; i < sizeof bcrypt / sizeof bcrypt[0]; i++) {
        bool is_empty = bcrypt[i].password[0] == '\0'; /* nobody has an empty one */
        cf_verified_t verified = verify(bcrypt[i].password, bcrypt[i].hash);
        cr_assert(eq(int, verified.ok, !is_empty), "%zu", i);
        cr_assert(eq(int, verified.new_hash.size > 29, !is_empty));
        if (!is_empty)
            cr_assert(strncmp(verified.new_hash.bytes, "$argon2id$v=19$m=256,t=2,p=1$", 29) == 0);
        cr_assert(eq(int, verify("strange", bcrypt[i].hash).ok, false));
    }
}

Test(hasher, bcrypt_does_not_cut_a_password)
{
    char longer[128];
    snprintf(longer, sizeof longer, "%sx",
             bcrypt[3].password); /* bcrypt itself would not see the x */
    cr_assert(eq(int, verify(longer, bcrypt[3].hash).ok, false));
    cf_verified_t verified = {0};
    peer_send(accounts, CF_ACTOR_HASHER, CF_MSG_VERIFY, 3, ID,
              &(cf_verify_t){{"strange!\0x", 10}, cf_str(bcrypt[0].hash)});
    cr_assert(peer_await(accounts, CF_MSG_VERIFIED, 3, &verified));
    cr_assert(eq(int, verified.ok, false));
}

Test(hasher, takes_a_broken_bcrypt_hash_for_wrong)
{
    static const char *const broken[] = {"$2a$",
                                         "$2b$99$",
                                         "$2a$04$",
                                         "$2b$04$!!!!!!!!!!!!!!!!!!!!!!",
                                         "$2y$04$abcdefghijklmnopqrstuu",
                                         "$1$abc$def",
                                         "$6$x$y",
                                         "*0"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        cr_assert(eq(int, verify("strange!", broken[i]).ok, false), "%s", broken[i]);
        cr_assert(eq(int, verify("", broken[i]).ok, false), "%s", broken[i]);
    }
}

Test(hasher, answers_in_order_and_a_probe_in_between)
{
    for (uint64_t corr = 10; corr < 50; corr++)
        peer_put(accounts, CF_ACTOR_HASHER, CF_MSG_HASH, corr, ID,
                 &(cf_hash_t){cf_str("strange!")});
    peer_flush(accounts);
    actor_counter(actor, CF_M_HASHES); /* fails the test when there is no answer */
    for (uint64_t corr = 10; corr < 50; corr++)
        cr_assert(peer_expect(accounts, CF_MSG_HASHED, corr, NULL));
}

Test(hasher, refuses_a_cost_that_libsodium_does_not_have)
{
    cf_hasher_t *state;
    cr_assert(eq(int, cf_hasher_new(&state, &(cf_hasher_config_t){actor, 0, 64}), CF_ERANGE));
    cr_assert(eq(int, cf_hasher_new(&state, &(cf_hasher_config_t){actor, 1, 7}), CF_ERANGE));
}

Test(hasher, refuses_when_there_is_no_memory_for_a_hash)
{
    cf_hasher_t *state; /* 4 TiB less one KiB: more than any machine maps */
    cr_assert(
        eq(int, cf_hasher_new(&state, &(cf_hasher_config_t){actor, 1, UINT32_MAX}), CF_ENOMEM));
}
