/* actors/windows.h: how far a room thread may run ahead of each gateway.
 *
 * Per gateway at most events_max events and bytes_max bytes are sent and not yet confirmed by FLUSHED.
 * Only so may the pipe between them go without a high-water mark. */
#ifndef CF_WINDOWS_H
#define CF_WINDOWS_H

#include "model_limits.h"
#include "wire/address.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    uint64_t gateway; /* packed address */
    uint64_t sent_events, sent_bytes, flushed_events, flushed_bytes;
} cf_window_t;

typedef struct {
    uint64_t events_max, bytes_max;
    uint32_t count;
    cf_window_t windows[CF_GATEWAYS_MAX];
} cf_windows_t;

/* The window of a gateway, made if it is new; NULL when there are CF_GATEWAYS_MAX already. */
cf_window_t *cf_windows_of(cf_windows_t *self, uint64_t gateway);
/* NULL: nothing was ever sent to it. */
cf_window_t *cf_windows_find(cf_windows_t *self, uint64_t gateway);
/* May one more event be sent? An event larger than bytes_max may go when nothing is on its way. */
bool cf_window_is_open(const cf_windows_t *self, const cf_window_t *window);
void cf_window_sent(cf_window_t *window, size_t bytes);
/* Cumulative counts from the gateway. False, and nothing changes, if they are less than known or more
 * than sent. */
bool cf_window_flushed(cf_window_t *window, uint64_t events, uint64_t bytes);
/* Forget the windows of a node that is gone. */
void cf_windows_drop_node(cf_windows_t *self, uint32_t node);

#endif
