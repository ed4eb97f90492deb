/* store/bounds.h: which rows fit the schema; asked before a backend sees them, so that every
 * backend refuses the same ones. The checks in sql/ repeat them as a backstop. */
#ifndef CF_BOUNDS_H
#define CF_BOUNDS_H

#include "store.h"

bool cf_bounds_name(cf_str_t username);     /* CF_USERNAME_MIN..MAX of A-Z a-z 0-9 _ */
bool cf_bounds_post(const cf_post_t *post); /* kind, text, client key, seq and time above 0 */
/* 0 if the write may be tried, else CF_ERANGE. CF_WRITE_APPEND is always 0: its rows are judged
 * one by one. */
int cf_bounds_write(const cf_write_t *write);

#endif
