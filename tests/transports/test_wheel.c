#include "http/wheel.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#define TIMERS 400

typedef struct {
    cf_timer_t timer;
    int64_t due_ms;
    int fired;
    bool again; /* set itself once more when it fires */
} alarm_t;

static cf_wheel_t wheel;
static alarm_t alarms[TIMERS];
static int64_t now_ms;

static void on_fire(cf_timer_t *timer)
{
    alarm_t *alarm = CF_RING_OWNER(timer, alarm_t, timer);
    alarm->fired++;
    cr_assert(ge(i64, now_ms, alarm->due_ms), "early");
    if (alarm->again)
        cf_wheel_set(&wheel, timer, now_ms);
}

static void set_up(void)
{
    now_ms = 5000123;
    cf_wheel_init(&wheel, now_ms);
    for (int i = 0; i < TIMERS; i++) {
        alarms[i] = (alarm_t){0};
        cf_timer_init(&alarms[i].timer, on_fire);
    }
}

static void set(int i, int64_t in_ms)
{
    alarms[i].due_ms = now_ms + in_ms;
    cf_wheel_set(&wheel, &alarms[i].timer, alarms[i].due_ms);
}

static void advance_to(int64_t to_ms)
{
    now_ms = to_ms;
    cf_wheel_advance(&wheel, now_ms);
}

TestSuite(wheel, .init = set_up, .timeout = 10);

Test(wheel, fires_each_once_never_early_and_within_a_tick)
{
    for (int i = 0; i < TIMERS; i++)
        set(i, i * 997); /* also beyond one turn of the wheel */
    for (int step = 0; step < 500; step++) {
        advance_to(now_ms + 1000);
        for (int i = 0; i < TIMERS; i++)
            if (alarms[i].due_ms + CF_WHEEL_TICK_MS + 1000 <= now_ms)
                cr_assert(eq(int, alarms[i].fired, 1), "%d", i);
    }
}

Test(wheel, cancelled_and_moved_ones_do_not_fire_at_their_old_time)
{
    set(0, 2000);
    set(1, 2000);
    cf_wheel_cancel(&alarms[0].timer);
    cf_wheel_cancel(&alarms[0].timer);
    set(1, 10000);
    advance_to(now_ms + 5000);
    cr_assert(eq(int, alarms[0].fired + alarms[1].fired, 0));
    advance_to(now_ms + 7000);
    cr_assert(eq(int, alarms[1].fired, 1));
}

Test(wheel, one_that_sets_itself_fires_once_per_tick)
{
    alarms[0].again = true;
    set(0, 0);
    for (int i = 1; i <= 10; i++) {
        advance_to(now_ms + 1000);
        cr_assert(eq(int, alarms[0].fired, i));
    }
}

Test(wheel, clock_may_jump_by_days)
{
    for (int i = 0; i < TIMERS; i++)
        set(i, i * 1000);
    advance_to(now_ms + INT64_C(10) * 86400 * 1000);
    for (int i = 0; i < TIMERS; i++)
        cr_assert(eq(int, alarms[i].fired, 1), "%d", i);
    set(0, 1000);
    advance_to(now_ms + 2000);
    cr_assert(eq(int, alarms[0].fired, 2));
}
