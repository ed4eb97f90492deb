/* base/str.h: a borrowed piece of text or bytes: pointer and length, no NUL needed. */
#ifndef CF_STR_H
#define CF_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *bytes; /* borrowed; may be NULL when size is 0 */
    uint32_t size;     /* bytes */
} cf_str_t;

static inline cf_str_t cf_str(const char *text)
{
    return (cf_str_t){text, (uint32_t)strlen(text)};
}

static inline bool cf_str_equal(cf_str_t a, cf_str_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

#endif
