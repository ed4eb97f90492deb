/* transports/wire/bot.h: what a room asks the bot. The room stands in the header.
 *
 *     ASK_BOT  room -> stockbot -> BOT_ANSWER, whatever became of it, before the time is over
 *                                  | REFUSED CF_EFULL (too many are waiting), CF_ECLOSING: not taken
 * An id that the bot knows is not begun again: the room that asked last gets the answer. So a command
 * may be asked anew when its room has moved. */
#ifndef CF_BOT_MSG_H
#define CF_BOT_MSG_H

#include "model.h"
#include "msg.h"

#define CF_COMMAND_LEFT_MS_MAX 600000

typedef struct {
    cf_id_t id;
    cf_str_t type; /* "stock", "hello"; of another the bot says that it does not know it */
    cf_str_t code; /* of a stock, upper case; else empty */
    bool replay; /* of a dead letter: it is not remembered, and a failure is told instead of kept */
    uint32_t left_ms; /* the time it still has; a span, because no two clocks need agree on it */
} cf_ask_bot_t;

typedef struct {
    cf_id_t bot; /* who is speaking */
    cf_str_t username;
    cf_str_t text; /* valid UTF-8 */
    bool is_error;
    cf_str_t failure; /* of a replay: why it could not be carried out; else empty */
} cf_bot_answer_t;

extern const cf_shape_t cf_shape_ask_bot, cf_shape_bot_answer;

#endif
