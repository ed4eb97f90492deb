/* transports/wire/limit.h: tokens of the buckets that outlive a connection or span gateways.
 *
 *     TAKE       gateway -> limiter     -> GRANTED tokens | REFUSED CF_ELIMIT with the time to wait;
 *                                       with it comes back what was leased and not used
 *     GIVE_BACK  gateway -> limiter     tokens that were not used; no answer
 *
 * A key is a keyed hash of what the kind counts by (a user, an address, an account and an address),
 * made by who asks under a key of the process: names and addresses neither travel nor are kept. */
#ifndef CF_LIMIT_H
#define CF_LIMIT_H

#include "msg.h"

#define CF_LIMIT_KEY 16 /* bytes */
#define CF_LIMIT_KINDS_MAX 64
#define CF_TAKE_MAX 1024 /* tokens in one message */

typedef struct {
    uint8_t bytes[CF_LIMIT_KEY];
} cf_limit_key_t;

typedef struct {
    uint32_t kind; /* cf_limit_kind_t, see actors/limit_kinds.h */
    cf_limit_key_t key;
    uint32_t want;     /* as many of these as there are, at least one */
    uint32_t most;     /* and up to so many in all while the bucket stays half full; >= want */
    uint32_t returned; /* of an earlier lease, not used */
} cf_take_t;

typedef struct {
    uint32_t tokens;
    uint32_t lease_ms; /* they may be used for so long from when they were asked for */
} cf_granted_t;

typedef struct {
    uint32_t kind;
    cf_limit_key_t key;
    uint32_t tokens;
} cf_give_back_t;

extern const cf_shape_t cf_shape_take, cf_shape_granted, cf_shape_give_back;

#endif
