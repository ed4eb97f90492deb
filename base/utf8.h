/* base/utf8.h: well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#ifndef CF_UTF8_H
#define CF_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence at text[0..size), 1..4; 0 if there is none (size 0 included).
 */
int cf_utf8_step(const char *text, size_t size);
bool cf_utf8_valid(const char *text, size_t size);
/* Code points in valid text. */
size_t cf_utf8_count(const char *text, size_t size);

#endif
