/* base/clock.h: the two clocks, read at the edge of an actor and passed down as arguments. */
#ifndef CF_CLOCK_H
#define CF_CLOCK_H

#include <stdint.h>

/* Wall time: microseconds since 1970-01-01 UTC. May step; only for what is shown or stored. */
int64_t cf_wall_us(void);
/* Time since boot, suspended time included (CLOCK_BOOTTIME), microseconds. For every timer. */
int64_t cf_boot_us(void);
/* CLOCK_MONOTONIC, microseconds: for those outside who count by that. */
int64_t cf_monotonic_us(void);
/* The earlier of two times. */
static inline int64_t cf_earlier_us(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}
/* How long poll(2) may wait until that boot time: milliseconds, rounded up; 0 when it is over, -1 (for ever) for
 * INT64_MAX. At most an hour: who waits looks again. */
int cf_boot_timeout_ms(int64_t until_us);
/* Writes at_us as RFC 3339 in UTC, fraction up to microseconds without trailing zeros, suffix Z
 * (rooms contract, 3.8). out takes 28 bytes. at_us outside years 0001..9999 is clamped. */
#define CF_TIME_TEXT 27
#define CF_TIME_MAX_US INT64_C(253402300799999999) /* the end of year 9999 */
void cf_time_text(int64_t at_us, char out[CF_TIME_TEXT + 1]);
/* Reads RFC 3339 with any offset; a blank is taken where an unescaped '+' was. Digits past the
 * microsecond are cut. Returns 0, or CF_EPROTO and leaves *out as it was. */
int cf_time_parse(int64_t *out, const char *text, uint32_t size);

#endif
