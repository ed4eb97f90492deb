#include "bot.h"

static const cf_field_t ask_bot[] = {
    CF_F_FIXED(cf_ask_bot_t, id),
    CF_F_TEXT(cf_ask_bot_t, type, 1, CF_COMMAND_TYPE_MAX),
    CF_F_TEXT(cf_ask_bot_t, code, 0, CF_STOCK_CODE_MAX),
    CF_F_BOOL(cf_ask_bot_t, replay),
    CF_F_U32(cf_ask_bot_t, left_ms, 1, CF_COMMAND_LEFT_MS_MAX),
};
const cf_shape_t cf_shape_ask_bot = CF_SHAPE(cf_ask_bot_t, ask_bot);

static const cf_field_t bot_answer[] = {
    CF_F_FIXED(cf_bot_answer_t, bot),
    CF_F_TEXT(cf_bot_answer_t, username, 1, CF_USERNAME_MAX),
    CF_F_TEXT(cf_bot_answer_t, text, 1, CF_POST_TEXT_MAX),
    CF_F_BOOL(cf_bot_answer_t, is_error),
    CF_F_TEXT(cf_bot_answer_t, failure, 0, CF_DEAD_REASON_MAX),
};
const cf_shape_t cf_shape_bot_answer = CF_SHAPE(cf_bot_answer_t, bot_answer);
