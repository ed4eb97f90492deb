#include "append.h"
#include "room.h"

#define VERDICT_STATUS_MAX 8 /* cf_verdict_status_t */

static const cf_field_t activate[] = {CF_F_U32(cf_activate_t, from, 0, UINT32_MAX)};
const cf_shape_t cf_shape_activate = CF_SHAPE(cf_activate_t, activate);

static const cf_field_t owned[] = {CF_F_U32(cf_owned_t, owner, 0, UINT32_MAX)};
const cf_shape_t cf_shape_owned = CF_SHAPE(cf_owned_t, owned);

static const cf_field_t activated[] = {
    CF_F_U64(cf_activated_t, epoch),
    CF_F_U64(cf_activated_t, last_seq),
    CF_F_I64(cf_activated_t, last_us),
    CF_F_BOOL(cf_activated_t, ephemeral),
};
const cf_shape_t cf_shape_activated = CF_SHAPE(cf_activated_t, activated);

static const cf_field_t append[] = {
    CF_F_U64(cf_append_t, epoch),
    CF_F_U64(cf_append_t, prev),
    CF_F_LIST(cf_append_t, rows, CF_RUN_ROWS_MAX, &cf_shape_post_row),
};
const cf_shape_t cf_shape_append = CF_SHAPE(cf_append_t, append);

static const cf_field_t verdict[] = {
    CF_F_U32(cf_verdict_t, status, 1, VERDICT_STATUS_MAX),
    CF_F_U32(cf_verdict_t, stored, 0, CF_RUN_ROWS_MAX),
    CF_F_BOOL(cf_verdict_t, same_body),
    CF_F_U64(cf_verdict_t, seq),
    CF_F_FIXED(cf_verdict_t, id),
    CF_F_I64(cf_verdict_t, at_us),
};
const cf_shape_t cf_shape_verdict = CF_SHAPE(cf_verdict_t, verdict);
