#include "link/trace_point.h"
#include "log.h"

void cf_trace_point(const char *direction, const cf_msg_t *msg)
{
    cf_log_trace(&msg->trace);
    cf_log_debug(direction, CF_STR("type", cf_msg_name(msg->type)),
                 CF_STR("from", cf_actor_name(msg->from.kind)),
                 CF_INT("from_index", msg->from.index), CF_STR("to", cf_actor_name(msg->to.kind)),
                 CF_INT("to_index", msg->to.index), CF_INT("corr", (int64_t)msg->corr),
                 CF_ID("room", msg->room), CF_INT("size", msg->size));
}
