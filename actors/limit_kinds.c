#include "limit_kinds.h"

#include "wire/limit.h"

#include <assert.h>

static_assert((int)CF_LIMIT_KINDS <= CF_LIMIT_KINDS_MAX + 1, "a kind fits a message");

cf_limits_t cf_limits_of(const cf_config_t *config)
{
    return (cf_limits_t){{
#define X(name, number, rate, period_us, burst, metric)                                            \
    [number] = cf_limit(config->limits_##rate, (period_us), config->limits_##burst),
        CF_LIMIT_KIND_MAP(X)
#undef X
    }};
}

void cf_limit_count_refused(uint32_t kind, uint32_t n)
{
    static const cf_metric_t metrics[CF_LIMIT_KINDS] = {
#define X(name, number, rate, period_us, burst, metric) [number] = CF_M_##metric,
        CF_LIMIT_KIND_MAP(X)
#undef X
    };
    cf_count_by(metrics[kind], n);
}
