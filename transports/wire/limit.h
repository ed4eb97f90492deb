/* transports/wire/limit.h: tokens of the buckets that outlive a connection or span gateways.
 *
 *     TAKE       gateway -> limiter     -> GRANTED tokens | REFUSED CF_ELIMIT with the time to wait;
 *                                       settles what the asker has on lease
 *     SETTLE     gateway -> limiter     the same alone; no answer
 *     GIVE_BACK  gateway -> limiter     wanted tokens that were not used; no answer
 *     LIMIT_KEY  nodes -> gateways      keys are made under this from here on, as at all nodes
 *
 * With several nodes a key's bucket lives at the node with the highest rendezvous hash (base/rendezvous.h) of it: gateways
 * ask the limiter there.
 *
 * A key is a keyed hash of what the kind counts by (a user, an address, an account and an address),
 * made by who asks under a key of the process, or of the chat: names and addresses neither travel nor are kept. */
#ifndef CF_LIMIT_H
#define CF_LIMIT_H

#include "msg.h"

#define CF_LIMIT_KEY 16 /* bytes */
#define CF_LIMIT_KINDS_MAX 64
#define CF_TAKE_MAX 1024 /* tokens in one message */

typedef struct {
    uint8_t bytes[CF_LIMIT_KEY];
} cf_limit_key_t;

/* What became of a lease. It is over by that: what was not spent is the bucket's again. */
typedef struct {
    uint32_t lease;  /* its number; 0: there was none */
    uint32_t tokens; /* were spent */
    uint64_t
        missing; /* now, by these alone, of a bucket that was full when the lease began; in the units
                         of actors/bucket.h. It says how much came back since they were spent. */
} cf_spent_t;

typedef struct {
    uint32_t kind; /* cf_limit_kind_t, see actors/limit_kinds.h */
    cf_limit_key_t key;
    uint32_t want;    /* as many of these as there are, at least one; they count as used at once */
    uint32_t most;    /* those above want may be leased besides */
    cf_spent_t spent; /* of the lease before */
} cf_take_t;

typedef struct {
    uint32_t tokens;   /* wanted ones and leased ones */
    uint32_t lease_ms; /* they may be used for so long from when they were asked for */
    uint32_t lease;    /* number under which the leased ones are to be settled; 0: there are none */
} cf_granted_t;

typedef struct {
    uint32_t kind;
    cf_limit_key_t key;
    cf_spent_t spent;
} cf_settle_t;

typedef struct {
    uint32_t kind;
    cf_limit_key_t key;
    uint32_t tokens;
} cf_give_back_t;

typedef struct {
    uint8_t bytes[CF_LIMIT_KEY];
} cf_limit_secret_t;

extern const cf_shape_t cf_shape_limit_secret, cf_shape_take, cf_shape_granted, cf_shape_settle,
    cf_shape_give_back;

#endif
