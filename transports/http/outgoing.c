#include "outgoing.h"

#include <stdlib.h>
#include <string.h>

#define OWN_CAP (sizeof((cf_outgoing_t *)0)->own / sizeof((cf_outgoing_t *)0)->own[0])

void cf_outgoing_init(cf_outgoing_t *queue)
{
    *queue = (cf_outgoing_t){.cap = OWN_CAP};
}

/* `own` is not pointed to, so that the struct holding a queue may move before it is used. */
static cf_outgoing_entry_t *entry_at(const cf_outgoing_t *queue, uint32_t index)
{
    cf_outgoing_entry_t *entries =
        queue->entries ? queue->entries : ((cf_outgoing_t *)(uintptr_t)queue)->own;
    return &entries[(queue->first + index) & (queue->cap - 1)];
}

static int grow(cf_outgoing_t *queue)
{
    if (queue->cap > UINT32_MAX / 2)
        return CF_ENOMEM;
    uint32_t cap = queue->cap < 8 ? 8 : queue->cap * 2;
    cf_outgoing_entry_t *entries = malloc(cap * sizeof *entries);
    if (!entries)
        return CF_ENOMEM;
    for (uint32_t i = 0; i < queue->count; i++)
        entries[i] = *entry_at(queue, i);
    free(queue->entries);
    queue->entries = entries;
    queue->cap = cap;
    queue->first = 0;
    return 0;
}

int cf_outgoing_add(cf_outgoing_t *queue, cf_frame_t *frame, int64_t at_ms)
{
    if (queue->count == queue->cap) {
        int rc = grow(queue);
        if (rc < 0)
            return rc;
    }
    *entry_at(queue, queue->count) = (cf_outgoing_entry_t){cf_frame_ref(frame), at_ms};
    queue->count++;
    queue->bytes += frame->size;
    return 0;
}

bool cf_outgoing_set_latest(cf_outgoing_t *queue, cf_frame_t *frame)
{
    bool had_one = queue->latest != NULL;
    cf_outgoing_drop_latest(queue);
    queue->latest = cf_frame_ref(frame);
    return had_one;
}

void cf_outgoing_take_latest(cf_outgoing_t *queue, size_t room, int64_t at_ms)
{
    if (queue->latest && (queue->count == 0 || queue->bytes + queue->latest->size <= room) &&
        cf_outgoing_add(queue, queue->latest, at_ms) == 0)
        cf_outgoing_drop_latest(queue);
}

void cf_outgoing_drop_latest(cf_outgoing_t *queue)
{
    cf_frame_unref(&queue->latest);
}

int64_t cf_outgoing_oldest_ms(const cf_outgoing_t *queue)
{
    return queue->count ? entry_at(queue, 0)->at_ms : 0;
}

uint32_t cf_outgoing_fit(const cf_outgoing_t *queue, size_t room, size_t *size)
{
    uint32_t count = 0;
    *size = 0;
    while (count < queue->count) {
        size_t with = *size + entry_at(queue, count)->frame->size;
        if (count && with > room)
            break;
        *size = with;
        count++;
    }
    return count;
}

cf_frame_t *cf_outgoing_at(const cf_outgoing_t *queue, uint32_t index)
{
    return entry_at(queue, index)->frame;
}

void cf_outgoing_drop(cf_outgoing_t *queue, uint32_t count)
{
    for (; count && queue->count; count--) {
        cf_outgoing_entry_t *entry = entry_at(queue, 0);
        queue->bytes -= entry->frame->size;
        cf_frame_unref(&entry->frame);
        queue->first = (queue->first + 1) & (queue->cap - 1);
        queue->count--;
    }
    if (queue->count == 0 && queue->entries) {
        cf_frame_t *latest = queue->latest;
        free(queue->entries);
        cf_outgoing_init(queue);
        queue->latest = latest;
    }
}

void cf_outgoing_clear(cf_outgoing_t *queue)
{
    cf_outgoing_drop(queue, queue->count);
    cf_outgoing_drop_latest(queue);
}
