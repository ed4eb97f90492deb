#include "observe.h"

static const cf_field_t counter[] = {
    CF_F_U32(cf_counter_t, slot, 0, CF_COUNTERS_MAX - 1),
    CF_F_U64(cf_counter_t, value),
};
static const cf_shape_t counter_shape = CF_SHAPE(cf_counter_t, counter);

static const cf_field_t series_counter[] = {
    CF_F_U32(cf_series_counter_t, key, 0, UINT32_MAX),
    CF_F_U32(cf_series_counter_t, slot, 0, CF_COUNTERS_MAX - 1),
    CF_F_U64(cf_series_counter_t, value),
};
static const cf_shape_t series_counter_shape = CF_SHAPE(cf_series_counter_t, series_counter);

static const cf_field_t probed[] = {
    CF_F_LIST(cf_probed_t, counters, CF_COUNTERS_MAX, &counter_shape),
    CF_F_LIST(cf_probed_t, series, CF_SERIES_COUNTERS_MAX, &series_counter_shape),
};
const cf_shape_t cf_shape_probed = CF_SHAPE(cf_probed_t, probed);

static const cf_field_t metrics_text[] = {
    CF_F_TEXT(cf_metrics_text_t, text, 0, CF_METRICS_TEXT_MAX),
};
const cf_shape_t cf_shape_metrics_text = CF_SHAPE(cf_metrics_text_t, metrics_text);

static const cf_field_t health_state[] = {
    CF_F_BOOL(cf_health_state_t, live),
    CF_F_BOOL(cf_health_state_t, ready),
    CF_F_BOOL(cf_health_state_t, draining),
    CF_F_BOOL(cf_health_state_t, joining),
    CF_F_BOOL(cf_health_state_t, store_up),
    CF_F_I64(cf_health_state_t, store_latency_us),
    CF_F_U32(cf_health_state_t, store_connections, 0, UINT32_MAX),
    CF_F_U32(cf_health_state_t, store_in_use, 0, UINT32_MAX),
    CF_F_BOOL(cf_health_state_t, quotes_up),
};
const cf_shape_t cf_shape_health_state = CF_SHAPE(cf_health_state_t, health_state);

static const cf_field_t store_state[] = {
    CF_F_BOOL(cf_store_state_t, up),
    CF_F_BOOL(cf_store_state_t, in_use),
    CF_F_I64(cf_store_state_t, latency_us),
};
const cf_shape_t cf_shape_store_state = CF_SHAPE(cf_store_state_t, store_state);

static const cf_field_t store_opened[] = {
    CF_F_U32(cf_store_opened_t, reason, 0, UINT32_MAX),
};
const cf_shape_t cf_shape_store_opened = CF_SHAPE(cf_store_opened_t, store_opened);
