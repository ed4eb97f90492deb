#include "crossing.h"

#define TYPES_MAX 12

/* Who says what to whom on another node. Everything else stays within a node. */
static const struct {
    uint16_t from, to;
    uint16_t types[TYPES_MAX]; /* the rest are 0 */
} crossing[] = {
    {CF_ACTOR_GATEWAY,
     CF_ACTOR_ROOMS,
     {CF_MSG_CHECK, CF_MSG_JOIN, CF_MSG_LEAVE, CF_MSG_ATTACH, CF_MSG_DETACH, CF_MSG_POST,
      CF_MSG_HISTORY, CF_MSG_COMMAND, CF_MSG_FLUSHED}},
    {CF_ACTOR_ROOMS,
     CF_ACTOR_GATEWAY,
     {CF_MSG_DONE, CF_MSG_REFUSED, CF_MSG_MOVED, CF_MSG_ATTACHED, CF_MSG_POSTED, CF_MSG_PAGE,
      CF_MSG_COMMANDED, CF_MSG_EVENT, CF_MSG_CHANGES, CF_MSG_EXPELLED, CF_MSG_ROSTER}},
    {CF_ACTOR_READER, CF_ACTOR_GATEWAY, {CF_MSG_PAGE, CF_MSG_REFUSED}},
    {CF_ACTOR_GATEWAY, CF_ACTOR_LOBBY, {CF_MSG_LOOKUP, CF_MSG_FORGOTTEN}},
    {CF_ACTOR_CONTROL, CF_ACTOR_LOBBY, {CF_MSG_MOVE}},
    {CF_ACTOR_LOBBY, CF_ACTOR_GATEWAY, {CF_MSG_PLACED, CF_MSG_REFUSED, CF_MSG_FORGET}},
    {CF_ACTOR_LOBBY, CF_ACTOR_CONTROL, {CF_MSG_PLACED, CF_MSG_REFUSED, CF_MSG_DONE}},
    {CF_ACTOR_LOBBY,
     CF_ACTOR_LOBBY,
     {CF_MSG_SEEK, CF_MSG_TAKEN, CF_MSG_COUNTS, CF_MSG_HANDOVER, CF_MSG_LEAVING}},
    {CF_ACTOR_CONTROL, CF_ACTOR_ROOMS, {CF_MSG_RERUN}},
    {CF_ACTOR_ROOMS, CF_ACTOR_CONTROL, {CF_MSG_RERAN, CF_MSG_REFUSED, CF_MSG_MOVED}},
    {CF_ACTOR_ACCOUNTS, CF_ACTOR_ACCOUNTS, {CF_MSG_SESSION_ENDED, CF_MSG_USER_ENDED}},
    {CF_ACTOR_GATEWAY, CF_ACTOR_LIMITER, {CF_MSG_TAKE, CF_MSG_SETTLE, CF_MSG_GIVE_BACK}},
    {CF_ACTOR_LIMITER, CF_ACTOR_GATEWAY, {CF_MSG_GRANTED, CF_MSG_REFUSED}},
    {CF_ACTOR_ROOMS, CF_ACTOR_STOCKBOT, {CF_MSG_ASK_BOT}},
    {CF_ACTOR_STOCKBOT, CF_ACTOR_ROOMS, {CF_MSG_BOT_ANSWER, CF_MSG_REFUSED}},
    {CF_ACTOR_STOCKBOT, CF_ACTOR_STORAGE, {CF_MSG_DEAD_LETTER}},
    {CF_ACTOR_STORAGE, CF_ACTOR_STOCKBOT, {CF_MSG_DONE, CF_MSG_REFUSED}},
    {CF_ACTOR_NODES, CF_ACTOR_NODES, {CF_MSG_BEAT}},
};

static bool may_cross(const cf_msg_t *msg)
{
    for (size_t i = 0; i < sizeof crossing / sizeof crossing[0]; i++)
        if (crossing[i].from == msg->from.kind && crossing[i].to == msg->to.kind)
            for (size_t k = 0; k < TYPES_MAX && crossing[i].types[k]; k++)
                if (crossing[i].types[k] == msg->type)
                    return true;
    return false;
}

static bool is_good(const cf_crossing_t *self, const cf_msg_t *msg)
{
    return msg->from.node == self->peer && msg->to.node == self->me && may_cross(msg) &&
           msg->to.index < self->actors[msg->to.kind];
}

bool cf_crossing_next(const uint8_t *bytes, size_t size, size_t *at, cf_msg_t *msg)
{
    size_t left = size - *at;
    size_t whole = left < CF_MSG_HEAD_SIZE ? 0 : cf_msg_frame_size(bytes + *at);
    if (whole == 0 || whole > left || cf_msg_decode(msg, bytes + *at, whole) < 0)
        return false;
    *at += whole;
    return true;
}

bool cf_crossing_allows(const cf_crossing_t *self, const uint8_t *bytes, size_t size)
{
    cf_msg_t msg;
    for (size_t at = 0; at < size;)
        if (!cf_crossing_next(bytes, size, &at, &msg) || !is_good(self, &msg))
            return false;
    return true;
}
