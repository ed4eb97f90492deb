#include "order.h"

#include <stdlib.h>
#include <string.h>

int cf_order_build(cf_order_t *self, size_t head, size_t frame_max, size_t count)
{
    *self = (cf_order_t){.count = count, .head = head, .stride = (head + frame_max + 63) & ~63ul};
    self->slots = calloc(self->count, self->stride);
    return self->slots ? 0 : -1;
}

void cf_order_free(cf_order_t *self)
{
    free(self->slots);
    self->slots = NULL;
}

static cf_slot_t *slot_of(const cf_order_t *self, uint64_t seq)
{
    return (cf_slot_t *)(void *)(self->slots + (seq % self->count) * self->stride);
}

const char *cf_order_frame(const cf_order_t *self, const cf_slot_t *slot)
{
    return (const char *)slot + self->head;
}

static bool is_same(const cf_order_t *self, const cf_slot_t *slot, const char *frame, size_t size)
{
    return slot->size == size && memcmp(cf_order_frame(self, slot), frame, size) == 0;
}

cf_slot_t *cf_order_known(const cf_order_t *self, uint64_t last_seq, const char *frame, size_t size)
{
    cf_slot_t *slot = slot_of(self, last_seq + 1);
    bool known = last_seq != 0 && slot->seq == last_seq + 1 && is_same(self, slot, frame, size);
    return known ? slot : NULL;
}

static void remember(cf_order_t *self, cf_slot_t *slot, uint64_t seq, const char *frame,
                     size_t size)
{
    bool fits = size <= self->stride - self->head;
    memset(slot, 0, self->head);
    slot->seq = seq;
    slot->size = fits ? (uint32_t)size : 0;
    memcpy((char *)slot + self->head, frame, slot->size);
    self->last_seq = seq > self->last_seq ? seq : self->last_seq;
}

cf_slot_t *cf_order_take(cf_order_t *self, cf_order_faults_t *faults, uint64_t *last_seq,
                         bool whole, uint64_t seq, const char *frame, size_t size, bool *first)
{
    if (*last_seq && seq <= *last_seq) {
        faults->doubled += seq == *last_seq;
        faults->disordered += seq < *last_seq;
        return NULL;
    }
    if (self->base_seq == 0)
        self->base_seq = seq;
    if (*last_seq)
        faults->lost += seq - *last_seq - 1;
    else if (whole && seq > self->base_seq)
        faults->lost += seq - self->base_seq;
    cf_slot_t *slot = slot_of(self, seq);
    *first = slot->seq != seq;
    if (*first)
        remember(self, slot, seq, frame, size);
    else
        faults->differing += slot->size && !is_same(self, slot, frame, size);
    *last_seq = seq;
    return slot;
}

uint64_t cf_order_missing(const cf_order_t *self, uint64_t last_seq)
{
    return self->base_seq ? self->last_seq - (last_seq ? last_seq : self->base_seq - 1) : 0;
}
