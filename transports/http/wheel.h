/* transports/http/wheel.h: deadlines of many connections behind one timer.
 *
 * A wheel of 1 s slots. Setting and cancelling cost the same however many there are; a deadline
 * fires up to 1 s late, never early. */
#ifndef CF_WHEEL_H
#define CF_WHEEL_H

#include "ring.h"

#include <stdint.h>

#define CF_WHEEL_SLOTS 128
#define CF_WHEEL_TICK_MS 1000

typedef struct cf_timer {
    cf_ring_t link; /* first member */
    int64_t due_ms;
    void (*fire)(struct cf_timer *timer);
} cf_timer_t;

typedef struct {
    cf_ring_t slots[CF_WHEEL_SLOTS];
    int64_t tick; /* the newest tick that was fired */
} cf_wheel_t;

void cf_wheel_init(cf_wheel_t *wheel, int64_t now_ms);
void cf_timer_init(cf_timer_t *timer, void (*fire)(cf_timer_t *timer));
/* Fire `timer` once when due_ms has passed, instead of any earlier setting. */
void cf_wheel_set(cf_wheel_t *wheel, cf_timer_t *timer, int64_t due_ms);
void cf_wheel_cancel(cf_timer_t *timer);
/* Fires every timer that is due. It may set and cancel any timer, its own included, and free its
 * owner. A jump of the clock over many ticks (a suspended machine) costs one turn of the wheel. */
void cf_wheel_advance(cf_wheel_t *wheel, int64_t now_ms);

#endif
