#include "clock.h"
#include "err.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US INT64_C(1000000)
#define YEAR_1_US (INT64_C(-62135596800) * US)

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * US + ts.tv_nsec / 1000;
}

int64_t cf_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t cf_boot_us(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t cf_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int cf_boot_timeout_ms(int64_t until_us)
{
    if (until_us == INT64_MAX)
        return -1;
    int64_t left_us = until_us - cf_boot_us();
    if (left_us <= 0)
        return 0;
    return left_us > INT64_C(3600000000) ? 3600000 : (int)((left_us + 999) / 1000);
}

/* Writes so many decimal digits and what follows them; returns the end. */
static char *put_digits(char *out, int value, int digits, char behind)
{
    for (int i = digits; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    out[digits] = behind;
    return out + digits + 1;
}

void cf_time_text(int64_t at_us, char out[CF_TIME_TEXT + 1])
{
    if (at_us < YEAR_1_US)
        at_us = YEAR_1_US;
    if (at_us > CF_TIME_MAX_US)
        at_us = CF_TIME_MAX_US;
    int64_t micros = at_us % US;
    if (micros < 0)
        micros += US;
    time_t seconds = (time_t)((at_us - micros) / US);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char *at = put_digits(out, tm.tm_year + 1900, 4, '-');
    at = put_digits(at, tm.tm_mon + 1, 2, '-');
    at = put_digits(at, tm.tm_mday, 2, 'T');
    at = put_digits(at, tm.tm_hour, 2, ':');
    at = put_digits(at, tm.tm_min, 2, ':');
    at = put_digits(at, tm.tm_sec, 2, '.');
    at = put_digits(at, (int)micros, 6, 'Z') - 1;
    while (at[-1] == '0')
        at--;
    if (at[-1] == '.')
        at--;
    at[0] = 'Z';
    at[1] = '\0';
}

/* Reads exactly `digits` decimal digits at *at and steps over them; -1 if there are fewer. */
static int take_digits(const char **at, const char *end, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at >= end || !isdigit((unsigned char)**at))
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool take_char(const char **at, const char *end, const char *any_of)
{
    if (*at >= end || **at == '\0' || !strchr(any_of, **at))
        return false;
    (*at)++;
    return true;
}

/* Microseconds of an optional fraction; -1 if there is a point without digits. */
static int take_fraction(const char **at, const char *end)
{
    if (!take_char(at, end, "."))
        return 0;
    int micros = 0, digits = 0;
    for (; *at < end && isdigit((unsigned char)**at); (*at)++, digits++)
        if (digits < 6)
            micros = micros * 10 + (**at - '0');
    for (int i = digits; i < 6; i++)
        micros *= 10;
    return digits ? micros : -1;
}

/* Seconds east of UTC into *out; false if the offset is malformed. */
static bool take_offset(const char **at, const char *end, int *out)
{
    if (take_char(at, end, "Zz")) {
        *out = 0;
        return true;
    }
    int sign = *at < end && **at == '-' ? -1 : 1;
    if (!take_char(at, end, "+- "))
        return false;
    int hours = take_digits(at, end, 2);
    if (hours < 0 || hours > 23 || !take_char(at, end, ":"))
        return false;
    int minutes = take_digits(at, end, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *out = sign * (hours * 3600 + minutes * 60);
    return true;
}

int cf_time_parse(int64_t *out, const char *text, uint32_t size)
{
    const char *at = text, *end = text + size;
    struct tm tm = {0};
    int year = take_digits(&at, end, 4);
    if (year < 1 || !take_char(&at, end, "-"))
        return CF_EPROTO;
    int month = take_digits(&at, end, 2);
    if (month < 1 || month > 12 || !take_char(&at, end, "-"))
        return CF_EPROTO;
    int day = take_digits(&at, end, 2);
    if (day < 1 || day > 31 || !take_char(&at, end, "Tt "))
        return CF_EPROTO;
    int hour = take_digits(&at, end, 2);
    if (hour < 0 || hour > 23 || !take_char(&at, end, ":"))
        return CF_EPROTO;
    int minute = take_digits(&at, end, 2);
    if (minute < 0 || minute > 59 || !take_char(&at, end, ":"))
        return CF_EPROTO;
    int second = take_digits(&at, end, 2);
    if (second < 0 || second > 60)
        return CF_EPROTO;
    int micros = take_fraction(&at, end), offset;
    if (micros < 0 || !take_offset(&at, end, &offset) || at != end)
        return CF_EPROTO;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    time_t seconds = timegm(&tm);
    if (tm.tm_mday != day)
        return CF_EPROTO; /* 31 April and the like: timegm moved it into the next month */
    *out = ((int64_t)seconds - offset) * US + micros;
    return 0;
}
