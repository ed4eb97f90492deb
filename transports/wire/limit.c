#include "limit.h"

static const cf_field_t spent[] = {
    CF_F_U32(cf_spent_t, lease, 0, UINT32_MAX),
    CF_F_U32(cf_spent_t, tokens, 0, CF_TAKE_MAX),
    CF_F_U64(cf_spent_t, missing),
};
static const cf_shape_t shape_spent = CF_SHAPE(cf_spent_t, spent);

static const cf_field_t take[] = {
    CF_F_U32(cf_take_t, kind, 1, CF_LIMIT_KINDS_MAX), CF_F_FIXED(cf_take_t, key),
    CF_F_U32(cf_take_t, want, 1, CF_TAKE_MAX),        CF_F_U32(cf_take_t, most, 1, CF_TAKE_MAX),
    CF_F_STRUCT(cf_take_t, spent, &shape_spent),
};
const cf_shape_t cf_shape_take = CF_SHAPE(cf_take_t, take);

static const cf_field_t granted[] = {
    CF_F_U32(cf_granted_t, tokens, 1, CF_TAKE_MAX),
    CF_F_U32(cf_granted_t, lease_ms, 0, 60000),
    CF_F_U32(cf_granted_t, lease, 0, UINT32_MAX),
};
const cf_shape_t cf_shape_granted = CF_SHAPE(cf_granted_t, granted);

static const cf_field_t settle[] = {
    CF_F_U32(cf_settle_t, kind, 1, CF_LIMIT_KINDS_MAX),
    CF_F_FIXED(cf_settle_t, key),
    CF_F_STRUCT(cf_settle_t, spent, &shape_spent),
};
const cf_shape_t cf_shape_settle = CF_SHAPE(cf_settle_t, settle);

static const cf_field_t limit_secret[] = {CF_F_FIXED(cf_limit_secret_t, bytes)};
const cf_shape_t cf_shape_limit_secret = CF_SHAPE(cf_limit_secret_t, limit_secret);

static const cf_field_t give_back[] = {
    CF_F_U32(cf_give_back_t, kind, 1, CF_LIMIT_KINDS_MAX),
    CF_F_FIXED(cf_give_back_t, key),
    CF_F_U32(cf_give_back_t, tokens, 1, CF_TAKE_MAX),
};
const cf_shape_t cf_shape_give_back = CF_SHAPE(cf_give_back_t, give_back);
