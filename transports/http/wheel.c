#include "wheel.h"

void cf_wheel_init(cf_wheel_t *wheel, int64_t now_ms)
{
    for (size_t i = 0; i < CF_WHEEL_SLOTS; i++)
        cf_ring_init(&wheel->slots[i]);
    wheel->tick = now_ms / CF_WHEEL_TICK_MS;
}

void cf_timer_init(cf_timer_t *timer, void (*fire)(cf_timer_t *timer))
{
    cf_ring_init(&timer->link);
    timer->due_ms = 0;
    timer->fire = fire;
}

/* The tick at whose beginning due_ms has passed. */
static int64_t tick_of(int64_t due_ms)
{
    return (due_ms + CF_WHEEL_TICK_MS - 1) / CF_WHEEL_TICK_MS;
}

void cf_wheel_set(cf_wheel_t *wheel, cf_timer_t *timer, int64_t due_ms)
{
    timer->due_ms = due_ms;
    int64_t tick = tick_of(due_ms);
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    cf_ring_append(&wheel->slots[tick % CF_WHEEL_SLOTS], &timer->link);
}

void cf_wheel_cancel(cf_timer_t *timer)
{
    cf_ring_remove(&timer->link);
}

void cf_wheel_advance(cf_wheel_t *wheel, int64_t now_ms)
{
    int64_t last = now_ms / CF_WHEEL_TICK_MS, first = wheel->tick + 1;
    if (last - first >= CF_WHEEL_SLOTS)
        first = last - CF_WHEEL_SLOTS + 1;
    for (int64_t tick = first; tick <= last; tick++) {
        /* Detached first: what is set while firing lands in a later turn, not in this loop. */
        cf_ring_t due;
        cf_ring_init(&due);
        cf_ring_take_all(&due, &wheel->slots[tick % CF_WHEEL_SLOTS]);
        wheel->tick = tick;
        while (!cf_ring_is_empty(&due)) {
            cf_timer_t *timer = (cf_timer_t *)due.next;
            cf_ring_remove(&timer->link);
            if (timer->due_ms > now_ms)
                cf_wheel_set(wheel, timer, timer->due_ms); /* a later turn of the wheel */
            else
                timer->fire(timer);
        }
    }
}
