#include "breaker.h"

static void become(cf_breaker_t *self, cf_breaker_state_t state, int64_t now_us)
{
    self->state = state;
    self->failures = 0;
    self->probes = 0;
    self->until_us = now_us + self->pause_us;
    self->round++;
}

cf_breaker_state_t cf_breaker_state(const cf_breaker_t *self, int64_t now_us)
{
    return self->state == CF_BREAKER_OPEN && now_us >= self->until_us ? CF_BREAKER_HALF_OPEN
                                                                      : self->state;
}

bool cf_breaker_begin(cf_breaker_t *self, int64_t now_us, uint32_t *round)
{
    if (self->state != cf_breaker_state(self, now_us))
        become(self, CF_BREAKER_HALF_OPEN, now_us);
    if (self->state == CF_BREAKER_OPEN ||
        (self->state == CF_BREAKER_HALF_OPEN && self->probes == CF_BREAKER_PROBES))
        return false;
    self->probes += self->state == CF_BREAKER_HALF_OPEN;
    *round = self->round;
    return true;
}

void cf_breaker_end(cf_breaker_t *self, int64_t now_us, uint32_t round, cf_attempt_end_t how)
{
    if (round != self->round)
        return;
    bool is_probe = self->state == CF_BREAKER_HALF_OPEN;
    self->probes -= is_probe;
    if (how == CF_ATTEMPT_SUCCEEDED && is_probe)
        become(self, CF_BREAKER_CLOSED, now_us);
    else if (how == CF_ATTEMPT_SUCCEEDED)
        self->failures = 0;
    else if (how == CF_ATTEMPT_FAILED && (is_probe || ++self->failures >= self->failures_max))
        become(self, CF_BREAKER_OPEN, now_us);
}
