/* transports/dialects/json_plain.h: the plain form of an object, read where it stands.
 *
 * Nearly every message of a client is a flat object of strings without escapes. To read it takes one look at each
 * byte; the real parser, which makes a tree of anything, was 8 % of the server with rooms of two. */
#ifndef CF_DIALECT_JSON_PLAIN_H
#define CF_DIALECT_JSON_PLAIN_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name; /* compared without regard to case */
    cf_str_t value;   /* borrowed from the text */
    bool is_there;
} cf_json_member_t;

/* Reads the wanted members, of which only names are set yet, of text, which must be well-formed UTF-8. What follows the
 * object is ignored. False: it is not of this form, or has a wanted member twice. That says nothing about it: ask the
 * real parser, which finds the same in all that is read here. */
bool cf_json_read_plain(cf_json_member_t *members, size_t count, cf_str_t text);

#endif
