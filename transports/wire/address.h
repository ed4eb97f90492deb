/* transports/wire/address.h: who a message is from and for: node, kind of actor, index. Never a
 * pointer, never a socket; valid for the life of the process it names. */
#ifndef CF_ADDRESS_H
#define CF_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define CF_ACTOR_MAP(X)                                                                            \
    X(SUPERVISOR, 1, "supervisor")                                                                 \
    X(GATEWAY, 2, "gateway")                                                                       \
    X(LOBBY, 3, "lobby")                                                                           \
    X(ROOMS, 4, "rooms") /* one room thread; which room stands in the message's header */          \
    X(STORAGE, 5, "storage")                                                                       \
    X(READER, 6, "reader")                                                                         \
    X(ACCOUNTS, 7, "accounts")                                                                     \
    X(HASHER, 8, "hasher")                                                                         \
    X(SWEEPER, 9, "sweeper")                                                                       \
    X(STATS, 10, "stats")                                                                          \
    X(OBSERVER, 11, "observer") /* a gateway for health and metrics alone */                       \
    X(STOCKBOT, 12, "stockbot")                                                                    \
    X(LIMITER, 13, "limiter")                                                                      \
    X(CONTROL, 14, "control")                                                                      \
    X(NODES, 15, "nodes")                                                                          \
    X(MESH, 16, "mesh")                                                                            \
    X(TRACER, 17, "tracer")

typedef enum {
#define X(name, number, text) CF_ACTOR_##name = (number),
    CF_ACTOR_MAP(X)
#undef X
        CF_ACTOR_KINDS = 18 /* one more than the largest */
} cf_actor_kind_t;

typedef struct {
    uint32_t node; /* this process is whatever its configuration says; 0 = none */
    uint16_t kind; /* cf_actor_kind_t */
    uint16_t index;
} cf_address_t;

/* "gateway", or "unknown" for a kind not listed. */
const char *cf_actor_name(uint16_t kind);

static inline uint64_t cf_address_pack(cf_address_t a)
{
    return (uint64_t)a.node << 32 | (uint64_t)a.kind << 16 | a.index;
}

static inline cf_address_t cf_address_unpack(uint64_t packed)
{
    return (cf_address_t){(uint32_t)(packed >> 32), (uint16_t)(packed >> 16), (uint16_t)packed};
}

static inline bool cf_address_equal(cf_address_t a, cf_address_t b)
{
    return cf_address_pack(a) == cf_address_pack(b);
}

#endif
