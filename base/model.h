/* base/model.h: the things a chat is made of, as wire and store both know them.
 *
 * Strings are borrowed: from a message, a statement's row or the caller. Whoever keeps one copies it. */
#ifndef CF_MODEL_H
#define CF_MODEL_H

#include "id.h"
#include "model_limits.h"
#include "str.h"

#include <stdbool.h>

typedef struct {
    cf_id_t id;
    cf_str_t username;      /* CF_USERNAME_MIN..MAX bytes, A-Z a-z 0-9 _ */
    cf_str_t email;         /* 1..CF_EMAIL_MAX bytes */
    cf_str_t password_hash; /* PHC string; empty: this user cannot log in, or not now */
    int64_t created_us;
} cf_user_t;

/* One authenticated login. The token itself is never stored. */
typedef struct {
    cf_id_t id;
    uint8_t token_hash[CF_TOKEN_HASH_SIZE]; /* BLAKE2b-256 of the token */
    cf_id_t user;
    int64_t created_us;
    int64_t expires_us;
} cf_session_t;

typedef struct {
    cf_id_t id;
    cf_str_t name; /* 1..CF_ROOM_NAME_MAX bytes */
    cf_id_t creator;
    int64_t created_us;
    bool ephemeral;    /* its posts are never stored */
    uint64_t epoch;    /* raised by every activation */
    uint64_t last_seq; /* newest stored post; 0 = none. Always 0 in an ephemeral room */
    int64_t last_us;   /* time of the newest stored post; 0 = none */
} cf_room_row_t;

/* The bot, made by the store's migrations: it cannot log in, and nobody can register its name. */
#define CF_BOT_USERNAME "StockBot"
#define CF_BOT_EMAIL "stockbot" /* no address that could be registered */
#define CF_BOT_ID                                                                                  \
    ((cf_id_t){{0xb0, 0x7b, 0x07, 0xb0, 0x7b, 0x07, 0x8b, 0x07, 0x8b, 0x07, 0xb0, 0x7b, 0x07,      \
                0xb0, 0x7b, 0x07}})

/* A command that could not be carried out. */
typedef struct {
    cf_id_t id; /* of the command */
    cf_id_t room;
    int64_t at_us;    /* when it was given up */
    cf_str_t command; /* 1..CF_DEAD_COMMAND_MAX bytes */
    cf_str_t reason;  /* 1..CF_DEAD_REASON_MAX bytes */
    uint32_t attempts;
} cf_dead_letter_t;

typedef enum { CF_POST_TEXT = 1, CF_POST_BOT = 2 } cf_post_kind_t;

typedef struct {
    uint64_t seq; /* 1.. without gaps, within the room */
    cf_id_t id;
    cf_id_t sender;
    int64_t at_us;                        /* strictly increasing within the room */
    uint32_t kind;                        /* cf_post_kind_t */
    cf_str_t username;                    /* the sender's current name; not stored with the post */
    cf_str_t text;                        /* 1..CF_POST_TEXT_MAX bytes of UTF-8 without U+0000 */
    cf_str_t client_key;                  /* idempotency key within (room, sender); empty: none */
    uint8_t body_hash[CF_BODY_HASH_SIZE]; /* BLAKE2b-128 of kind and text; for repeated keys */
} cf_post_t;

#endif
