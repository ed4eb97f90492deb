#include "jitter.h"

int64_t cf_jitter_ns(int64_t bound_ns)
{
    static uint64_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)bound_ns);
}
