#include "windows.h"

cf_window_t *cf_windows_find(cf_windows_t *self, uint64_t gateway)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->windows[i].gateway == gateway)
            return &self->windows[i];
    return NULL;
}

cf_window_t *cf_windows_of(cf_windows_t *self, uint64_t gateway)
{
    cf_window_t *window = cf_windows_find(self, gateway);
    if (window || self->count == CF_GATEWAYS_MAX)
        return window;
    window = &self->windows[self->count++];
    *window = (cf_window_t){.gateway = gateway};
    return window;
}

bool cf_window_is_open(const cf_windows_t *self, const cf_window_t *window)
{
    return window->sent_events - window->flushed_events < self->events_max &&
           window->sent_bytes - window->flushed_bytes < self->bytes_max;
}

void cf_window_sent(cf_window_t *window, size_t bytes)
{
    window->sent_events++;
    window->sent_bytes += bytes;
}

bool cf_window_flushed(cf_window_t *window, uint64_t events, uint64_t bytes)
{
    if (events < window->flushed_events || events > window->sent_events ||
        bytes < window->flushed_bytes || bytes > window->sent_bytes)
        return false;
    window->flushed_events = events;
    window->flushed_bytes = bytes;
    return true;
}

void cf_windows_drop_node(cf_windows_t *self, uint32_t node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->count; i++)
        if (cf_address_unpack(self->windows[i].gateway).node != node)
            self->windows[kept++] = self->windows[i];
    self->count = kept;
}
