/* transports/dialects/rooms.h: the rooms contract's bytes: what clients send becomes plain values,
 * what they get is written as JSON. No state, no decision about rights. */
#ifndef CF_DIALECT_ROOMS_H
#define CF_DIALECT_ROOMS_H

#include "arena.h"
#include "buf.h"
#include "json.h"
#include "wire/account.h"
#include "wire/observe.h"
#include "wire/place.h"
#include "wire/room.h"

/* --- from clients. Texts borrow from the arena. -------------------------------------------------
 */

typedef enum { CF_FRAME_POST = 1, CF_FRAME_COMMAND } cf_frame_kind_t;

typedef struct {
    cf_str_t type;                    /* "stock", "hello" */
    char code[CF_STOCK_CODE_MAX + 1]; /* of a stock, upper case; else "" */
} cf_rooms_command_t;

typedef struct {
    cf_frame_kind_t kind;
    cf_str_t
        content; /* byte for byte as sent, borrowed as the key is; of a post 1..CF_POST_CHARS_MAX code points */
    cf_str_t client_key;        /* our extension; empty: none */
    cf_rooms_command_t command; /* COMMAND only */
} cf_rooms_frame_t;

/* One WebSocket message. Returns 0; CF_EPROTO (no JSON object with a string content, or a malformed
 * client_key); CF_ERANGE (length); CF_EPERM (control characters); CF_ENOMEM. *key_only gets the
 * client_key also on failure where there is one, so that the error can name it. */
int cf_rooms_read_frame(cf_rooms_frame_t *out, cf_str_t *key_only, const uint8_t *bytes,
                        size_t size, cf_arena_t *arena);

/* Is this text (valid UTF-8), trimmed of white space, one of the two commands (contract, 7)? Which
 * one goes to *out. */
bool cf_rooms_read_command(cf_rooms_command_t *out, cf_str_t content);

/* REST bodies. Returns 0; CF_EPROTO: "Invalid request body"; CF_ERANGE: a rule of 3.1 or 3.6 is
 * broken. */
int cf_rooms_read_register(cf_register_t *out, cf_str_t body, cf_arena_t *arena);
int cf_rooms_read_login(cf_login_t *out, cf_str_t body, cf_arena_t *arena);
typedef struct {
    cf_str_t name;
    bool ephemeral;
} cf_rooms_new_room_t;
int cf_rooms_read_new_room(cf_rooms_new_room_t *out, cf_str_t body, cf_arena_t *arena);

/* The bot's name, in any case: nobody can register it (contract, 9). */
bool cf_rooms_is_reserved_name(cf_str_t username);

/* The value of a query parameter, percent-decoded into the arena; false: absent or not decodable. A
 * '+' becomes a blank. */
bool cf_rooms_query(cf_str_t query, const char *name, cf_str_t *out, cf_arena_t *arena);
/* The value of a cookie; false: absent. */
bool cf_rooms_cookie(cf_str_t header, const char *name, cf_str_t *out);
/* The token behind the exact prefix "Bearer ". */
bool cf_rooms_bearer(cf_str_t header, cf_str_t *out);

/* --- to clients. Each appends one JSON value to the buffer; CF_ENOMEM.
 * ---------------------------- */

int cf_rooms_write_event(cf_buf_t *out, cf_id_t room, const cf_event_t *event);
int cf_rooms_write_ack(cf_buf_t *out, const cf_posted_t *posted, cf_str_t client_key);
/* message: one of the contract's texts; code: upper-snake. retry_after_ms 0 and an empty key are
 * left out. */
int cf_rooms_write_error(cf_buf_t *out, const char *message, const char *code, cf_str_t client_key,
                         uint32_t retry_after_ms);
int cf_rooms_write_counts(cf_buf_t *out, const cf_counts_t *counts);
/* Our extension. It has no member `content`: old pages show every frame that has one. */
int cf_rooms_write_roster(cf_buf_t *out, const cf_roster_t *roster);

/* REST bodies end with a line feed. */
int cf_rooms_write_failure(cf_buf_t *out, const char *text);
int cf_rooms_write_success(cf_buf_t *out);
int cf_rooms_write_user(cf_buf_t *out, cf_id_t id, cf_str_t username, cf_str_t email,
                        int64_t created_us);
int cf_rooms_write_login(cf_buf_t *out, const cf_logged_in_t *login);
int cf_rooms_write_room(cf_buf_t *out, cf_id_t id, const cf_rooms_new_room_t *room,
                        int64_t created_us, cf_id_t creator);
int cf_rooms_write_room_list(cf_buf_t *out, const cf_room_list_t *list);
int cf_rooms_write_page(cf_buf_t *out, cf_id_t room, const cf_page_t *page);
int cf_rooms_write_health(cf_buf_t *out, const char *status, const char *version,
                          const char *environment, int64_t now_us);
/* connections_max: to the store, that may be. */
int cf_rooms_write_ready(cf_buf_t *out, const cf_health_state_t *state, uint32_t connections_max,
                         int64_t now_us);

#endif
