/* transports/dialects/json_tree.h: any JSON as a tree, in memory of the caller's arena. */
#ifndef CF_DIALECT_JSON_TREE_H
#define CF_DIALECT_JSON_TREE_H

#include "arena.h"
#include "str.h"

#include <jansson.h>

/* Parse the way the rooms REST always has (contract, 2.1): what follows the first value is ignored,
 * NUL in strings is for the rules behind it to refuse. Ill-formed UTF-8 is repaired. The tree lives as long as what the arena
 * holds, and is never given back. Returns 0; CF_EPROTO: not an object; CF_ENOMEM. */
int cf_json_tree(json_t **out, cf_str_t text, cf_arena_t *arena);
/* The same of well-formed UTF-8, which is used up. */
int cf_json_tree_of(json_t **out, char *bytes, size_t size, cf_arena_t *arena);
/* As RFC 8259 has it, with its numbers, and nothing else. CF_EPROTO also of a name that is there twice. */
int cf_json_tree_strict(json_t **out, cf_str_t text, cf_arena_t *arena);

#endif
