#include "msg.h"
#include "account.h"
#include "append.h"
#include "bot.h"
#include "control.h"
#include "err.h"
#include "hash.h"
#include "limit.h"
#include "little_endian.h"
#include "node.h"
#include "observe.h"
#include "operate.h"
#include "place.h"
#include "read.h"
#include "record.h"
#include "room.h"
#include "span.h"

#include <sodium.h>

typedef struct {
    uint16_t type;
    const char *name;
    const cf_shape_t *shape;
    cf_msg_role_t role;
} message_t;

static const message_t messages[] = {
#define X(name, number, shape, role) {(number), #name, &cf_shape_##shape, CF_ROLE_##role},
    CF_MSG_MAP(X)
#undef X
};
#define MESSAGES (sizeof messages / sizeof messages[0])

/* Ascending by type (a test holds the list to it), so a binary search finds it. */
static const message_t *find(uint16_t type)
{
    size_t low = 0, high = MESSAGES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (messages[middle].type == type)
            return &messages[middle];
        if (messages[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *cf_msg_name(uint16_t type)
{
    const message_t *message = find(type);
    return message ? message->name : "unknown";
}

const cf_shape_t *cf_msg_shape(uint16_t type)
{
    const message_t *message = find(type);
    return message ? message->shape : NULL;
}

cf_msg_role_t cf_msg_role(uint16_t type)
{
    const message_t *message = find(type);
    return message ? message->role : CF_ROLE_NOTICE;
}

void cf_msg_visit(cf_msg_visit_fn *visit, void *arg)
{
    for (size_t i = 0; i < MESSAGES; i++)
        visit(arg, messages[i].type, messages[i].name, messages[i].shape);
}

const char *cf_actor_name(uint16_t kind)
{
    switch (kind) {
#define X(name, number, text)                                                                      \
    case number:                                                                                   \
        return text;
        CF_ACTOR_MAP(X)
#undef X
    }
    return "unknown";
}

static void put_head(uint8_t *at, const cf_msg_t *head, uint32_t size)
{
    at[0] = CF_MSG_VERSION;
    at[1] = head->trace.sampled ? CF_MSG_SAMPLED : 0;
    cf_put_le16(at + 2, head->type);
    cf_put_le32(at + 4, size);
    cf_put_le64(at + 8, head->corr);
    memcpy(at + 16, head->trace.id, CF_TRACE_ID_SIZE);
    cf_put_le64(at + 32, cf_address_pack(head->from));
    cf_put_le64(at + 40, cf_address_pack(head->to));
    memcpy(at + 48, head->room.bytes, CF_ID_SIZE);
}

int cf_msg_encode(cf_buf_t *out, const cf_msg_t *head, const void *body)
{
    const cf_shape_t *shape = cf_msg_shape(head->type);
    if (!shape)
        return CF_EINTERNAL;
    size_t start = out->size;
    int rc = cf_buf_reserve(out, CF_MSG_HEAD_SIZE);
    if (rc < 0)
        return rc;
    out->size += CF_MSG_HEAD_SIZE;
    rc = cf_shape_encode(out, shape, body);
    size_t size = out->size - start - CF_MSG_HEAD_SIZE;
    if (rc == 0 && size > CF_MSG_BODY_MAX)
        rc = CF_ERANGE;
    if (rc < 0) {
        out->size = start;
        return rc;
    }
    put_head(out->data + start, head, (uint32_t)size);
    return 0;
}

int cf_msg_reencode(cf_buf_t *out, const cf_msg_t *msg, cf_address_t to)
{
    cf_msg_t head = *msg;
    head.to = to;
    int rc = cf_buf_reserve(out, CF_MSG_HEAD_SIZE + (size_t)msg->size);
    if (rc < 0)
        return rc;
    put_head(out->data + out->size, &head, msg->size);
    memcpy(out->data + out->size + CF_MSG_HEAD_SIZE, msg->body, msg->size);
    out->size += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    return 0;
}

size_t cf_msg_frame_size(const uint8_t *frame)
{
    return CF_MSG_HEAD_SIZE + (size_t)cf_get_le32(frame + 4);
}

static bool is_known_address(cf_address_t address)
{
    return address.kind >= 1 && address.kind < CF_ACTOR_KINDS;
}

int cf_msg_decode(cf_msg_t *out, const uint8_t *frame, size_t size)
{
    if (size < CF_MSG_HEAD_SIZE || frame[0] != CF_MSG_VERSION || (frame[1] & ~CF_MSG_SAMPLED))
        return CF_EPROTO;
    cf_msg_t msg = {
        .type = cf_get_le16(frame + 2),
        .corr = cf_get_le64(frame + 8),
        .from = cf_address_unpack(cf_get_le64(frame + 32)),
        .to = cf_address_unpack(cf_get_le64(frame + 40)),
        .body = frame + CF_MSG_HEAD_SIZE,
        .size = cf_get_le32(frame + 4),
    };
    memcpy(msg.trace.id, frame + 16, CF_TRACE_ID_SIZE);
    msg.trace.sampled = frame[1] & CF_MSG_SAMPLED;
    memcpy(msg.room.bytes, frame + 48, CF_ID_SIZE);
    if (msg.size > CF_MSG_BODY_MAX)
        return CF_ERANGE;
    bool is_in_none = msg.trace.sampled && sodium_is_zero(msg.trace.id, sizeof msg.trace.id);
    if (is_in_none || msg.size != size - CF_MSG_HEAD_SIZE || !find(msg.type) ||
        !is_known_address(msg.from) || !is_known_address(msg.to))
        return CF_EPROTO;
    *out = msg;
    return 0;
}

int cf_msg_body(void *out, const cf_msg_t *msg, cf_arena_t *arena)
{
    const cf_shape_t *shape = cf_msg_shape(msg->type);
    return shape ? cf_shape_decode(out, shape, msg->body, msg->size, arena) : CF_EPROTO;
}
