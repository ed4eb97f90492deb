#include "ring.h"

#include "err.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    cf_ring_event_t event;
    char *texts; /* username, text and client_key, owned */
    size_t size; /* what the entry counts against bytes_max */
} slot_t;

struct cf_ring {
    uint32_t events_max;
    size_t bytes_max;
    size_t bytes;
    uint32_t cap;   /* slots allocated, grows up to events_max */
    uint32_t first; /* slot of the oldest */
    uint32_t count;
    uint64_t last_n;
    uint64_t first_seq;
    slot_t *slots;
};

#define FIRST_CAP                                                                                  \
    4 /* most of 100,000 rooms are quiet: a full ring for each is memory nobody reads */

int cf_ring_new(cf_ring_t **out, uint32_t events_max, size_t bytes_max)
{
    cf_ring_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->events_max = events_max;
    self->bytes_max = bytes_max;
    *out = self;
    return 0;
}

void cf_ring_destroy(cf_ring_t **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->count; i++)
        free((*self)->slots[((*self)->first + i) % (*self)->cap].texts);
    free((*self)->slots);
    free(*self);
    *self = NULL;
}

static slot_t *slot_at(const cf_ring_t *self, uint32_t i)
{
    return &self->slots[(self->first + i) % self->cap];
}

/* The oldest post still held, looked for when the one that was it has gone. */
static uint64_t oldest_seq(const cf_ring_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (slot_at(self, i)->event.kind == CF_EVENT_POST)
            return slot_at(self, i)->event.post.seq;
    return 0;
}

static void drop_oldest(cf_ring_t *self)
{
    slot_t *slot = slot_at(self, 0);
    bool was_post = slot->event.kind == CF_EVENT_POST;
    self->bytes -= slot->size;
    free(slot->texts);
    self->first = (self->first + 1) % self->cap;
    self->count--;
    if (was_post)
        self->first_seq = oldest_seq(self);
}

static int grow(cf_ring_t *self)
{
    if (self->count < self->cap)
        return 0;
    uint32_t cap = self->cap ? self->cap * 2 : FIRST_CAP;
    if (cap > self->events_max)
        cap = self->events_max;
    slot_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return CF_ENOMEM;
    for (uint32_t i = 0; i < self->count; i++)
        slots[i] = *slot_at(self, i);
    free(self->slots);
    self->slots = slots;
    self->cap = cap;
    self->first = 0;
    return 0;
}

static void copy(char *to, cf_str_t text)
{
    if (text.size)
        memcpy(to, text.bytes, text.size);
}

static int fill(slot_t *slot, uint32_t kind, const cf_post_t *post)
{
    size_t size = (size_t)post->username.size + post->text.size + post->client_key.size;
    char *texts = malloc(size + 1);
    if (!texts)
        return CF_ENOMEM;
    copy(texts, post->username);
    copy(texts + post->username.size, post->text);
    copy(texts + post->username.size + post->text.size, post->client_key);
    *slot = (slot_t){
        .event = {.kind = kind, .post = *post}, .texts = texts, .size = sizeof *slot + size};
    slot->event.post.username.bytes = texts;
    slot->event.post.text.bytes = texts + post->username.size;
    slot->event.post.client_key.bytes = slot->event.post.text.bytes + post->text.size;
    return 0;
}

int cf_ring_add(cf_ring_t *self, uint32_t kind, const cf_post_t *post)
{
    slot_t slot;
    int rc = fill(&slot, kind, post);
    if (rc < 0)
        return rc;
    if (self->count == self->events_max)
        drop_oldest(self);
    if ((rc = grow(self)) < 0) {
        free(slot.texts);
        return rc;
    }
    slot.event.n = ++self->last_n;
    *slot_at(self, self->count++) = slot;
    self->bytes += slot.size;
    if (kind == CF_EVENT_POST && self->first_seq == 0)
        self->first_seq = post->seq;
    while (self->bytes > self->bytes_max && self->count > 1)
        drop_oldest(self);
    return 0;
}

void cf_ring_skip(cf_ring_t *self)
{
    while (self->count > 0)
        drop_oldest(self);
    self->last_n++;
}

uint64_t cf_ring_first_n(const cf_ring_t *self)
{
    return self->last_n + 1 - self->count;
}

uint64_t cf_ring_last_n(const cf_ring_t *self)
{
    return self->last_n;
}

const cf_ring_event_t *cf_ring_at(const cf_ring_t *self, uint64_t n)
{
    return &slot_at(self, (uint32_t)(n - cf_ring_first_n(self)))->event;
}

uint64_t cf_ring_first_seq(const cf_ring_t *self)
{
    return self->first_seq;
}

uint64_t cf_ring_after_seq(const cf_ring_t *self, uint64_t seq)
{
    if (self->first_seq == 0 || seq + 1 < self->first_seq)
        return 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const cf_ring_event_t *event = &slot_at(self, i)->event;
        if (event->kind == CF_EVENT_POST && event->post.seq > seq)
            return event->n;
    }
    return self->last_n + 1;
}

size_t cf_ring_bytes(const cf_ring_t *self)
{
    return self->bytes;
}
