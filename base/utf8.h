/* base/utf8.h: well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
#ifndef CF_UTF8_H
#define CF_UTF8_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence at text[0..size), 1..4; 0 if there is none (size 0 included).
 */
int cf_utf8_step(const char *text, size_t size);
bool cf_utf8_valid(const char *text, size_t size);
/* Code points in valid text. */
size_t cf_utf8_count(const char *text, size_t size);
/* Whether there is a C0 control other than tab, line feed and carriage return; U+0000 included. */
bool cf_utf8_has_control(const char *text, size_t size);
/* Replaces what is ill-formed by U+FFFD, one for each maximal part of a sequence that could not go
 * on (Unicode 15, 3.9, "substitution of maximal subparts"). Text grows by at most twice its size.
 * Returns 0, or CF_ENOMEM and leaves buf as it was. */
int cf_utf8_repair(cf_buf_t *buf);

#endif
