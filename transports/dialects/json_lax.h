/* transports/dialects/json_lax.h: JSON as the contracts' first servers took it, made into JSON that a
 * stricter parser takes too. */
#ifndef CF_DIALECT_JSON_LAX_H
#define CF_DIALECT_JSON_LAX_H

#include <stddef.h>

/* Rewrites in place what is well-formed by RFC 8259 and refused by a parser that has to represent it:
 * every number becomes 0, as no member we read is one and those we ignore may be of any size; an escape
 * of half a surrogate pair, which browsers write for text cut inside a character, becomes \ufffd. All
 * else, ill-formed JSON included, stays as it is. */
void cf_json_relax(char *text, size_t size);

#endif
