#include "node.h"

static const cf_field_t entered[] = {
    CF_F_U32(cf_entered_t, reason, 0, 255),
    CF_F_U64(cf_entered_t, gone_after_us),
};
const cf_shape_t cf_shape_entered = CF_SHAPE(cf_entered_t, entered);

static const cf_field_t node_here[] = {
    CF_F_U32(cf_node_here_t, node, 1, UINT32_MAX),
    CF_F_TEXT(cf_node_here_t, name, 1, CF_NODE_NAME_MAX),
    CF_F_TEXT(cf_node_here_t, endpoint, 1, CF_NODE_ENDPOINT_MAX),
    CF_F_TEXT(cf_node_here_t, public_key, CF_NODE_KEY_SIZE, CF_NODE_KEY_SIZE),
    CF_F_U32(cf_node_here_t, roles, 0, UINT32_MAX),
    CF_F_BOOL(cf_node_here_t, came_before),
};
const cf_shape_t cf_shape_node_here = CF_SHAPE(cf_node_here_t, node_here);

static const cf_field_t lease[] = {CF_F_I64(cf_lease_msg_t, until_us)};
const cf_shape_t cf_shape_lease = CF_SHAPE(cf_lease_msg_t, lease);

static const cf_field_t fenced[] = {CF_F_U32(cf_fenced_t, why, 1, 255)};
const cf_shape_t cf_shape_fenced = CF_SHAPE(cf_fenced_t, fenced);

static const cf_field_t beat[] = {
    CF_F_I64(cf_beat_t, sent_us),
    CF_F_I64(cf_beat_t, echo_us),
    CF_F_U64(cf_beat_t, unconfirmed_us),
};
const cf_shape_t cf_shape_beat = CF_SHAPE(cf_beat_t, beat);
