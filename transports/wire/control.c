#include "control.h"

const cf_shape_t cf_shape_nothing = {"nothing", 0, NULL, 0};

static const cf_field_t refused[] = {
    CF_F_U32(cf_refused_t, reason, 1, 255),
    CF_F_U32(cf_refused_t, retry_after_ms, 0, UINT32_MAX),
};
const cf_shape_t cf_shape_refused = CF_SHAPE(cf_refused_t, refused);

static const cf_field_t node_gone[] = {CF_F_U32(cf_node_gone_t, node, 1, UINT32_MAX)};
const cf_shape_t cf_shape_node_gone = CF_SHAPE(cf_node_gone_t, node_gone);

static const cf_field_t closing[] = {
    CF_F_BOOL(cf_close_t, begins_anew),
    CF_F_BOOL(cf_close_t, has_others),
};
const cf_shape_t cf_shape_close = CF_SHAPE(cf_close_t, closing);
