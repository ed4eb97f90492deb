/* transports/wire/msg.h: one message: a fixed header and a msgpack array, in one flat frame.
 *
 * The same bytes travel over inproc and tcp. Layout (docs/protocol.md), all numbers little-endian:
 *      0  u8   version, CF_MSG_VERSION
 *      1  u8   flags: CF_MSG_SAMPLED or 0
 *      2  u16  type, one of CF_MSG_MAP
 *      4  u32  size of the body in bytes
 *      8  u64  correlation id, chosen by who asks, repeated in the answer; 0: no answer belongs to
 * it 16  16   trace id of the client request this serves; zero: none 32  u64  from, packed address
 *     40  u64  to
 *     48  16   room the message is about; zero: none
 *     64       body */
#ifndef CF_MSG_H
#define CF_MSG_H

#include "address.h"
#include "arena.h"
#include "buf.h"
#include "id.h"
#include "log.h"
#include "shape.h"
#include "trace.h"

#define CF_MSG_VERSION 1
#define CF_MSG_HEAD_SIZE 64
#define CF_MSG_SAMPLED 1 /* spans of this trace are told; see base/trace.h */
#define CF_MSG_BODY_MAX                                                                            \
    (4u << 20) /* an append run of CF_RUN_ROWS_MAX posts of CF_POST_TEXT_MAX fits */

/* Every message there is: name, number, shape of the body, role. Who sends it to whom, and what it
 * is answered by, stands in the header of its group. Numbers are never reused. A REQUEST wants one
 * answer, its own or REFUSED, MOVED; an ANSWER is never answered, nor is a NOTICE. */
#define CF_MSG_MAP(X)                                                                              \
    /* control.h */                                                                                \
    X(STOP, 0x0101, nothing, REQUEST)                                                              \
    X(STOPPED, 0x0102, nothing, ANSWER)                                                            \
    X(DRAIN, 0x0103, nothing, REQUEST)                                                             \
    X(DRAINED, 0x0104, nothing, ANSWER)                                                            \
    X(DONE, 0x0105, nothing, ANSWER)                                                               \
    X(REFUSED, 0x0106, refused, ANSWER)                                                            \
    X(NODE_GONE, 0x0107, node_gone, NOTICE)                                                        \
    X(RELOAD, 0x0108, nothing, REQUEST)                                                            \
    X(CLOSE, 0x0109, close, REQUEST)                                                               \
    X(CLOSED, 0x010a, nothing, ANSWER)                                                             \
    /* observe.h */                                                                                \
    X(PROBE, 0x0201, nothing, REQUEST)                                                             \
    X(PROBED, 0x0202, probed, ANSWER)                                                              \
    X(METRICS, 0x0203, nothing, REQUEST)                                                           \
    X(METRICS_TEXT, 0x0204, metrics_text, ANSWER)                                                  \
    X(HEALTH, 0x0205, nothing, REQUEST)                                                            \
    X(HEALTH_STATE, 0x0206, health_state, ANSWER)                                                  \
    X(STORE_STATE, 0x0207, store_state, NOTICE)                                                    \
    X(STORE_OPENED, 0x0208, store_opened, NOTICE)                                                  \
    /* place.h */                                                                                  \
    X(LOOKUP, 0x0301, nothing, REQUEST)                                                            \
    X(PLACED, 0x0302, placed, ANSWER)                                                              \
    X(OPEN, 0x0303, activate, REQUEST)                                                             \
    X(RETIRE, 0x0304, nothing, NOTICE)                                                             \
    X(FORGET, 0x0305, nothing, NOTICE)                                                             \
    X(FORGOTTEN, 0x0306, nothing, NOTICE)                                                          \
    X(RETIRED, 0x0307, nothing, NOTICE)                                                            \
    X(MOVE, 0x0308, move, REQUEST)                                                                 \
    X(VACATE, 0x0309, vacate, NOTICE)                                                              \
    X(MOVED, 0x030a, nothing, ANSWER)                                                              \
    X(PRESENCE, 0x030b, presence, NOTICE)                                                          \
    X(COUNTS, 0x030c, counts, NOTICE)                                                              \
    X(LIST_ROOMS, 0x030d, list_rooms, REQUEST)                                                     \
    X(ROOM_LIST, 0x030e, room_list, ANSWER)                                                        \
    X(SEEK, 0x030f, seek, NOTICE)                                                                  \
    X(TAKEN, 0x0310, nothing, NOTICE)                                                              \
    X(HANDOVER, 0x0311, handover, NOTICE)                                                          \
    X(LEAVING, 0x0312, nothing, NOTICE)                                                            \
    /* room.h */                                                                                   \
    X(CHECK, 0x0401, check, REQUEST)                                                               \
    X(JOIN, 0x0402, join, REQUEST)                                                                 \
    X(LEAVE, 0x0403, leave, REQUEST)                                                               \
    X(ATTACH, 0x0404, attach, REQUEST)                                                             \
    X(ATTACHED, 0x0405, attached, ANSWER)                                                          \
    X(DETACH, 0x0406, detach, REQUEST)                                                             \
    X(POST, 0x0407, post, REQUEST)                                                                 \
    X(POSTED, 0x0408, posted, ANSWER)                                                              \
    X(EVENT, 0x0409, event, NOTICE)                                                                \
    X(FLUSHED, 0x040a, flushed, NOTICE)                                                            \
    X(HISTORY, 0x040b, history, REQUEST)                                                           \
    X(PAGE, 0x040c, page, ANSWER)                                                                  \
    X(COMMAND, 0x040d, command, REQUEST)                                                           \
    X(COMMANDED, 0x040e, nothing, ANSWER)                                                          \
    X(EXPELLED, 0x040f, expelled, NOTICE)                                                          \
    X(ROSTER, 0x0410, roster_at, NOTICE)                                                           \
    X(RERUN, 0x0411, rerun, REQUEST)                                                               \
    X(RERAN, 0x0412, reran, ANSWER)                                                                \
    X(CHANGES, 0x0413, changes, NOTICE)                                                            \
    /* append.h */                                                                                 \
    X(ACTIVATE, 0x0501, activate, REQUEST)                                                         \
    X(ACTIVATED, 0x0502, activated, ANSWER)                                                        \
    X(APPEND, 0x0503, append, REQUEST)                                                             \
    X(VERDICT, 0x0504, verdict, ANSWER)                                                            \
    X(OWNED, 0x0505, owned, ANSWER)                                                                \
    /* record.h */                                                                                 \
    X(CREATE_USER, 0x0601, create_user, REQUEST)                                                   \
    X(SET_PASSWORD, 0x0602, set_password, REQUEST)                                                 \
    X(ADD_SESSION, 0x0603, add_session, REQUEST)                                                   \
    X(REMOVE_SESSION, 0x0604, remove_session, REQUEST)                                             \
    X(CREATE_ROOM, 0x0605, create_room, REQUEST)                                                   \
    X(ADD_MEMBER, 0x0606, member_change, REQUEST)                                                  \
    X(REMOVE_MEMBER, 0x0607, member_change, REQUEST)                                               \
    X(EXPIRE_SESSIONS, 0x0608, expire, REQUEST)                                                    \
    X(EXPIRE_KEYS, 0x0609, expire, REQUEST)                                                        \
    X(EXPIRED, 0x060a, expired, ANSWER)                                                            \
    X(DEAD_LETTER, 0x060b, dead_letter, REQUEST)                                                   \
    X(EXPIRE_DEAD_LETTERS, 0x060c, expire, REQUEST)                                                \
    X(EXPIRE_POSTS, 0x060d, expire, REQUEST)                                                       \
    X(DISABLE_USER, 0x060e, disable_user, REQUEST)                                                 \
    X(ENABLE_USER, 0x060f, enable_user, REQUEST)                                                   \
    X(REMOVE_DEAD_LETTER, 0x0610, remove_dead_letter, REQUEST)                                     \
    /* read.h */                                                                                   \
    X(FIND_USER, 0x0701, find_user, REQUEST)                                                       \
    X(USER, 0x0702, create_user, ANSWER)                                                           \
    X(FIND_SESSION, 0x0703, find_session, REQUEST)                                                 \
    X(SESSION_ROW, 0x0704, session_row, ANSWER)                                                    \
    X(FIND_MEMBER, 0x0705, find_member, REQUEST)                                                   \
    X(MEMBER, 0x0706, member, ANSWER)                                                              \
    X(READ_POSTS, 0x0707, read_posts, REQUEST)                                                     \
    X(FIND_DEAD_LETTER, 0x0708, find_dead_letter, REQUEST)                                         \
    X(DEAD_LETTER_ROW, 0x0709, dead_letter, ANSWER)                                                \
    /* account.h */                                                                                \
    X(REGISTER, 0x0801, register, REQUEST)                                                         \
    X(REGISTERED, 0x0802, registered, ANSWER)                                                      \
    X(LOGIN, 0x0803, login, REQUEST)                                                               \
    X(LOGGED_IN, 0x0804, logged_in, ANSWER)                                                        \
    X(AUTHENTICATE, 0x0805, token, REQUEST)                                                        \
    X(SESSION, 0x0806, session, ANSWER)                                                            \
    X(LOGOUT, 0x0807, token, REQUEST)                                                              \
    X(SESSION_ENDED, 0x0808, session_ended, NOTICE)                                                \
    X(USER_ENDED, 0x0809, user_ended, NOTICE)                                                      \
    X(DISABLE, 0x080a, username, REQUEST)                                                          \
    X(ENABLE, 0x080b, username, REQUEST)                                                           \
    /* hash.h */                                                                                   \
    X(HASH, 0x0901, hash, REQUEST)                                                                 \
    X(HASHED, 0x0902, hashed, ANSWER)                                                              \
    X(VERIFY, 0x0903, verify, REQUEST)                                                             \
    X(VERIFIED, 0x0904, verified, ANSWER)                                                          \
    /* bot.h */                                                                                    \
    X(ASK_BOT, 0x0a01, ask_bot, REQUEST)                                                           \
    X(BOT_ANSWER, 0x0a02, bot_answer, ANSWER)                                                      \
    /* limit.h */                                                                                  \
    X(TAKE, 0x0b01, take, REQUEST)                                                                 \
    X(GRANTED, 0x0b02, granted, ANSWER)                                                            \
    X(GIVE_BACK, 0x0b03, give_back, NOTICE)                                                        \
    X(SETTLE, 0x0b04, settle, NOTICE)                                                              \
    X(LIMIT_KEY, 0x0b05, limit_secret, NOTICE)                                                     \
    /* operate.h */                                                                                \
    X(TOP_ROOMS, 0x0c01, top_rooms, REQUEST)                                                       \
    X(ROOMS_TOP, 0x0c02, rooms_top, ANSWER)                                                        \
    X(REPLAY, 0x0c03, replay, REQUEST)                                                             \
    X(MOVE_ROOM, 0x0c04, move_room, REQUEST)                                                       \
    /* node.h */                                                                                   \
    X(ENTERED, 0x0d01, entered, NOTICE)                                                            \
    X(NODE_HERE, 0x0d02, node_here, NOTICE)                                                        \
    X(LEASE, 0x0d03, lease, NOTICE)                                                                \
    X(FENCED, 0x0d04, fenced, NOTICE)                                                              \
    X(BEAT, 0x0d05, beat, NOTICE)                                                                  \
    X(JOINED, 0x0d06, nothing, NOTICE)                                                             \
    /* span.h */                                                                                   \
    X(SPAN, 0x0e01, span, NOTICE)

typedef enum {
#define X(name, number, shape, role) CF_MSG_##name = (number),
    CF_MSG_MAP(X)
#undef X
} cf_msg_type_t;

typedef enum { CF_ROLE_REQUEST, CF_ROLE_ANSWER, CF_ROLE_NOTICE } cf_msg_role_t;

typedef struct {
    uint16_t type; /* cf_msg_type_t; a decoded message has one of the list */
    uint64_t corr;
    cf_trace_t trace;
    cf_address_t from, to;
    cf_id_t room;
    const uint8_t *body; /* borrowed from the frame */
    uint32_t size;
} cf_msg_t;

const char *cf_msg_name(uint16_t type);        /* "POST"; "unknown" */
const cf_shape_t *cf_msg_shape(uint16_t type); /* NULL for a type not listed */
cf_msg_role_t cf_msg_role(uint16_t type);      /* of a listed type */
/* For tests and documentation: call once per message of the list, in order. */
typedef void cf_msg_visit_fn(void *arg, uint16_t type, const char *name, const cf_shape_t *shape);
void cf_msg_visit(cf_msg_visit_fn *visit, void *arg);

/* Append one whole frame: head (its body and size are not looked at) and *body in the shape of
 * head->type; body may be NULL for a shape without fields. Returns 0, CF_ERANGE, CF_ENOMEM; out is
 * then as it was. */
int cf_msg_encode(cf_buf_t *out, const cf_msg_t *head, const void *body);

/* Append a decoded message as a frame again, to another address. Its body is copied as it is. */
int cf_msg_reencode(cf_buf_t *out, const cf_msg_t *msg, cf_address_t to);

/* Check and read the header. *out borrows from frame. Returns 0; CF_EPROTO for another version,
 * flags, a sampled trace without an id, an unlisted type, an unknown kind of actor, a size that is not the rest of the frame;
 * CF_ERANGE for a body over CF_MSG_BODY_MAX. */
int cf_msg_decode(cf_msg_t *out, const uint8_t *frame, size_t size);

/* What the header says the whole frame takes; frame has CF_MSG_HEAD_SIZE bytes at least. */
size_t cf_msg_frame_size(const uint8_t *frame);

/* Read the body of a decoded message into the plain struct of its type. See cf_shape_decode. */
int cf_msg_body(void *out, const cf_msg_t *msg, cf_arena_t *arena);

/* The shape of a message without fields. */
extern const cf_shape_t cf_shape_nothing;

#endif
