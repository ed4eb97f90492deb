#include "gathering.h"

#include "cost.h"

#define SHARE 10    /* of the time of the flush one part is waited for */
#define LEAST_US 20 /* below it the timer costs more than it brings */

void cf_gathering_add(cf_gathering_t *self, bool is_first)
{
    self->frames++;
    self->sockets += is_first;
}

int64_t cf_gathering_wait_us(const cf_gathering_t *self)
{
    /* A sender gets an ack with his post: in a room of two that is three frames for two sockets. */
    if (self->last_frames * 2 <= self->last_sockets * 3)
        return 0;
    int64_t us = (int64_t)self->sockets * CF_COST_SEND_US / SHARE;
    if (us < LEAST_US)
        return 0;
    return us < CF_GATHERING_MAX_US ? us : CF_GATHERING_MAX_US;
}

void cf_gathering_flushed(cf_gathering_t *self)
{
    self->last_frames = self->frames;
    self->last_sockets = self->sockets;
    self->frames = self->sockets = 0;
}
