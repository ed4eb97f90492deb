#include "rendezvous.h"

#include "little_endian.h"

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): every bit of x changes every bit with even odds. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t cf_rendezvous(cf_id_t id, uint32_t node)
{
    return mix(cf_get_le64(id.bytes) ^ mix(cf_get_le64(id.bytes + 8) ^ mix(node)));
}

void cf_rendezvous_prefer(cf_id_t id, uint32_t *best, uint32_t node)
{
    uint64_t most = *best ? cf_rendezvous(id, *best) : 0, weight = cf_rendezvous(id, node);
    if (*best == 0 || weight > most || (weight == most && node > *best))
        *best = node;
}
