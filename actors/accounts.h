/* actors/accounts.h: who a client is: registrations, logins, sessions.
 *
 *     REGISTER      gateway -> REGISTERED | REFUSED CF_EEXIST, CF_ERANGE (that password may not be chosen)
 *     LOGIN         gateway -> LOGGED_IN | REFUSED CF_EAUTH
 *     AUTHENTICATE  gateway -> SESSION | REFUSED CF_EAUTH (unknown, ended or expired)
 *     LOGOUT        gateway -> DONE once it is durable, also for an unknown token; every gateway of
 *                              this node is told SESSION_ENDED before
 *     DISABLE       control -> DONE once it is durable; every gateway of this node is told USER_ENDED
 *                              before | REFUSED CF_ENOENT, CF_EPERM (the bot)
 *     ENABLE        control -> DONE once it is durable | REFUSED CF_ENOENT
 *     SESSION_ENDED, USER_ENDED   accounts of another node, or nodes, which read it in the store: what is known of
 *                              them here is forgotten, and every gateway of this node told. LOGOUT and DISABLE say the
 *                              same to accounts of the other nodes (NODE_HERE, NODE_GONE), once it is durable
 *     HASH, VERIFY              -> hashers, the least loaded one
 *     FIND_USER, FIND_SESSION   -> readers, spread by key
 *     CREATE_USER, SET_PASSWORD, ADD_SESSION, REMOVE_SESSION, DISABLE_USER, ENABLE_USER -> storage
 * Each request may also be REFUSED CF_ELIMIT (REGISTER and LOGIN: more than `rate` a second),
 * CF_EFULL (more than `queue` of them, or CF_ACCOUNTS_LOOKUPS_MAX others, are in flight), both with a time to
 * wait; CF_EIO (the store is away); CF_ETIME (no answer within answer_us; it may have been carried out).
 *
 * Nothing tells an unknown name from a wrong password, nor a taken name from a free one, but the
 * answer: LOGIN hashes in either case, REGISTER hashes before it looks.
 *
 * A disabled user is answered like an unknown name at LOGIN, in the same time, and has no session. What is
 * under way meanwhile ends the same: a login is refused by the store when it wants its session, a session that
 * was looked up before is looked up again. A DISABLE that storage carries out after it was REFUSED CF_ETIME
 * ends what has come back meanwhile, and a second answer tells of it.
 *
 * Hashers are given the oldest operation of each address in turn, so that whoever sends many has only his own
 * to wait for, and of the queue an address has at most its part, and gives of it to those who have less when it is full.
 *
 * A token is 32 random bytes in URL-safe base64 without padding; only its BLAKE2b-256 hash is kept,
 * here and in the store. Sessions are remembered until they expire or end, `sessions` of them,
 * those not used for longest forgotten first. With several accounts actors all requests with one
 * token must go to the same of them. */
#ifndef CF_ACCOUNTS_H
#define CF_ACCOUNTS_H

#include "actor.h"
#include "password_policy.h"

#define CF_ACCOUNTS_LOOKUPS_MAX 16384 /* AUTHENTICATE, LOGOUT, DISABLE and ENABLE in flight */

typedef struct {
    uint16_t gateways, readers, hashers;   /* how many there are, from index 0; at least 1 */
    uint32_t queue;                        /* registrations and logins in flight */
    uint32_t queue_per_ip;                 /* those of them from one address */
    uint32_t rate;                         /* registrations and logins a second, also the burst */
    uint32_t sessions;                     /* sessions remembered; 0: none */
    int64_t session_ttl_us;                /* a login lasts so long */
    int64_t answer_us;                     /* the store has so long before, and after a hash */
    int64_t hash_us;                       /* a hash may take so long, its turn waited for */
    const cf_password_policy_t *passwords; /* borrowed for life; NULL: any password will do */
} cf_accounts_config_t;

typedef struct cf_accounts cf_accounts_t;
extern const cf_actor_ops_t cf_accounts_ops;

int cf_accounts_new(cf_accounts_t **out, const cf_accounts_config_t *config); /* 0, CF_ENOMEM */
void cf_accounts_destroy(cf_accounts_t **self); /* for a state that no thread was given */

#endif
