/* transports/dialects/rooms_client.h: the rooms contract from the other side: what a client says, and what it reads in
 * answers. For commands that are clients of a server. */
#ifndef CF_DIALECT_ROOMS_CLIENT_H
#define CF_DIALECT_ROOMS_CLIENT_H

#include "arena.h"
#include "buf.h"
#include "str.h"

#include <stddef.h>

/* Each appends one JSON object; CF_ENOMEM. */
int cf_rooms_client_register(cf_buf_t *out, const char *name, const char *email,
                             const char *password);
int cf_rooms_client_login(cf_buf_t *out, const char *name, const char *password);
int cf_rooms_client_new_room(cf_buf_t *out, const char *name);
int cf_rooms_client_post(cf_buf_t *out, const char *content);

/* Texts borrow from the arena. Each returns 0; CF_EPROTO: it is not that; CF_ENOMEM. */

/* The token of a login; the id of a room. */
int cf_rooms_client_read_token(cf_str_t *out, cf_str_t answer, cf_arena_t *arena);
int cf_rooms_client_read_id(cf_str_t *out, cf_str_t answer, cf_arena_t *arena);

typedef struct {
    cf_str_t type, id, username, content; /* empty: there is none */
} cf_rooms_heard_t;

/* A message of the WebSocket. */
int cf_rooms_client_read_message(cf_rooms_heard_t *out, cf_str_t text, cf_arena_t *arena);
/* A page of history, of which the first `most` are wanted; *n: how many it has. */
int cf_rooms_client_read_page(cf_rooms_heard_t *out, size_t most, size_t *n, cf_str_t answer,
                              cf_arena_t *arena);

#endif
