#include "ahead.h"

#include <string.h>

static uint64_t *word_of(const cf_ahead_t *self, uint64_t seq)
{
    return &self->bits[seq % CF_AHEAD_MAX / 64];
}

static uint64_t bit_of(uint64_t seq)
{
    return (uint64_t)1 << seq % 64;
}

bool cf_ahead_has(const cf_ahead_t *self, uint64_t last, uint64_t seq)
{
    return seq <= last ||
           (self->count && seq - last <= CF_AHEAD_MAX && (*word_of(self, seq) & bit_of(seq)));
}

uint64_t cf_ahead_take(cf_ahead_t *self, uint64_t last, uint64_t seq)
{
    if (seq > last + 1) {
        *word_of(self, seq) |= bit_of(seq);
        self->count++;
        return last;
    }
    while (cf_ahead_has(self, seq, seq + 1)) {
        seq++;
        *word_of(self, seq) &= ~bit_of(seq);
        self->count--;
    }
    return seq;
}

void cf_ahead_clear(cf_ahead_t *self)
{
    if (self->count)
        memset(self->bits, 0, CF_AHEAD_MAX / 8);
    self->count = 0;
}
