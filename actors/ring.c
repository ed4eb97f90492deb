#include "ring.h"

#include "err.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    cf_ring_event_t event;
    char *texts;   /* username, text and client_key, owned */
    size_t size;   /* what the entry counts against bytes_max */
    uint32_t hash; /* of sender and client_key; 0: it has none */
} slot_t;
_Static_assert(sizeof(slot_t) + 32 <= CF_RING_EVENT_COST, "and what the allocator adds to texts");

typedef struct {
    uint32_t cap;   /* slots allocated */
    uint32_t first; /* slot of the oldest */
    uint32_t count;
    slot_t *slots;
    uint32_t *hashes; /* of the slots, side by side: all of them are looked through for each key */
} line_t;

struct cf_ring {
    uint32_t events_max;
    size_t bytes_max;
    size_t bytes;
    uint64_t last_n;
    uint32_t event_posts; /* events that are posts */
    uint64_t event_seq;   /* seq of the first of them; 0: none */
    line_t posts;         /* before the events; no gap between them and event_seq */
    line_t events;
};

#define FIRST_CAP                                                                                  \
    4 /* most of 100,000 rooms are quiet: a full ring for each is memory nobody reads */

/* --- a line of slots ---------------------------------------------------------------------------
 */

static slot_t *slot_at(const line_t *line, uint32_t i)
{
    return &line->slots[(line->first + i) % line->cap];
}

static void put_at(line_t *line, uint32_t i, const slot_t *slot)
{
    *slot_at(line, i) = *slot;
    line->hashes[(line->first + i) % line->cap] = slot->hash;
}

/* Room for one more. */
static int grow(line_t *line)
{
    if (line->count < line->cap)
        return 0;
    uint32_t cap = line->cap ? line->cap * 2 : FIRST_CAP;
    line_t more = {.cap = cap,
                   .count = line->count,
                   .slots = calloc(cap, sizeof *more.slots),
                   .hashes = calloc(cap, sizeof *more.hashes)};
    bool has_memory = more.slots && more.hashes;
    for (uint32_t i = 0; has_memory && i < line->count; i++)
        put_at(&more, i, slot_at(line, i));
    line_t *old = has_memory ? line : &more;
    free(old->slots);
    free(old->hashes);
    if (!has_memory)
        return CF_ENOMEM;
    *line = more;
    return 0;
}

static slot_t take_first(line_t *line)
{
    slot_t slot = *slot_at(line, 0);
    line->first = (line->first + 1) % line->cap;
    line->count--;
    return slot;
}

static void free_line(line_t *line)
{
    for (uint32_t i = 0; i < line->count; i++)
        free(slot_at(line, i)->texts);
    free(line->slots);
    free(line->hashes);
}

/* --- life --------------------------------------------------------------------------------------
 */

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
    free_line(&(*self)->posts);
    free_line(&(*self)->events);
    free(*self);
    *self = NULL;
}

/* --- what goes ---------------------------------------------------------------------------------
 */

static void let_go(cf_ring_t *self, slot_t slot)
{
    self->bytes -= slot.size;
    free(slot.texts);
}

static void drop_posts(cf_ring_t *self)
{
    while (self->posts.count > 0)
        let_go(self, take_first(&self->posts));
}

/* The first event that is a post, looked for when the one that was it has gone. */
static uint64_t first_event_seq(const cf_ring_t *self)
{
    for (uint32_t i = 0; i < self->events.count; i++)
        if (slot_at(&self->events, i)->event.kind == CF_EVENT_POST)
            return slot_at(&self->events, i)->event.post.seq;
    return 0;
}

static slot_t take_event(cf_ring_t *self)
{
    slot_t slot = take_first(&self->events);
    if (slot.event.kind == CF_EVENT_POST) {
        self->event_posts--;
        self->event_seq = first_event_seq(self);
    }
    return slot;
}

/* The oldest event goes; if it is a post it stays as one, without memory for that none before it does. */
static void retire_event(cf_ring_t *self)
{
    slot_t slot = take_event(self);
    bool is_post = slot.event.kind == CF_EVENT_POST;
    if (!is_post || grow(&self->posts) < 0) {
        if (is_post)
            drop_posts(self);
        let_go(self, slot);
        return;
    }
    slot.event.n = 0;
    put_at(&self->posts, self->posts.count++, &slot);
}

static void keep_bounds(cf_ring_t *self)
{
    while (self->posts.count && self->posts.count + self->event_posts > self->events_max)
        let_go(self, take_first(&self->posts));
    while (self->bytes > self->bytes_max && self->posts.count + self->events.count > 1)
        let_go(self, self->posts.count ? take_first(&self->posts) : take_event(self));
}

/* --- what comes --------------------------------------------------------------------------------
 */

static void copy(char *to, cf_str_t text)
{
    if (text.size)
        memcpy(to, text.bytes, text.size);
}

/* 0 is kept for no key. */
static uint32_t hash_of(cf_id_t sender, cf_str_t key)
{
    uint8_t both[CF_ID_SIZE + CF_CLIENT_KEY_MAX];
    if (key.size == 0)
        return 0;
    memcpy(both, sender.bytes, CF_ID_SIZE);
    memcpy(both + CF_ID_SIZE, key.bytes, key.size);
    return cf_table_hash(both, CF_ID_SIZE + key.size) | 1;
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
    slot->hash = kind == CF_EVENT_POST ? hash_of(post->sender, post->client_key) : 0;
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
    if (self->events.count == self->events_max)
        retire_event(self);
    if ((rc = grow(&self->events)) < 0) {
        free(slot.texts);
        return rc;
    }
    slot.event.n = ++self->last_n;
    put_at(&self->events, self->events.count++, &slot);
    self->bytes += slot.size;
    if (kind == CF_EVENT_POST && self->event_posts++ == 0)
        self->event_seq = post->seq;
    keep_bounds(self);
    return 0;
}

int cf_ring_put_before(cf_ring_t *self, const cf_post_t *post)
{
    slot_t slot;
    if (self->posts.count + self->event_posts >= self->events_max)
        return CF_EFULL;
    int rc = fill(&slot, CF_EVENT_POST, post);
    if (rc < 0)
        return rc;
    rc = self->bytes + slot.size > self->bytes_max ? CF_EFULL : grow(&self->posts);
    if (rc < 0) {
        free(slot.texts);
        return rc;
    }
    line_t *line = &self->posts;
    line->first = (line->first + line->cap - 1) % line->cap;
    line->count++;
    put_at(line, 0, &slot);
    self->bytes += slot.size;
    return 0;
}

void cf_ring_skip(cf_ring_t *self)
{
    drop_posts(self);
    while (self->events.count > 0)
        let_go(self, take_event(self));
    self->last_n++;
}

/* --- what is there -----------------------------------------------------------------------------
 */

uint64_t cf_ring_first_n(const cf_ring_t *self)
{
    return self->last_n + 1 - self->events.count;
}

uint64_t cf_ring_last_n(const cf_ring_t *self)
{
    return self->last_n;
}

const cf_ring_event_t *cf_ring_at(const cf_ring_t *self, uint64_t n)
{
    return &slot_at(&self->events, (uint32_t)(n - cf_ring_first_n(self)))->event;
}

uint32_t cf_ring_entries(const cf_ring_t *self)
{
    return self->posts.count + self->events.count;
}

const cf_ring_event_t *cf_ring_entry(const cf_ring_t *self, uint32_t i)
{
    bool is_event = i >= self->posts.count;
    return is_event ? &slot_at(&self->events, i - self->posts.count)->event
                    : &slot_at(&self->posts, i)->event;
}

uint64_t cf_ring_first_seq(const cf_ring_t *self)
{
    return self->posts.count ? slot_at(&self->posts, 0)->event.post.seq : self->event_seq;
}

uint64_t cf_ring_after_seq(const cf_ring_t *self, uint64_t seq)
{
    if (self->event_seq == 0 || seq + 1 < self->event_seq)
        return 0;
    for (uint32_t i = 0; i < self->events.count; i++) {
        const cf_ring_event_t *event = &slot_at(&self->events, i)->event;
        if (event->kind == CF_EVENT_POST && event->post.seq > seq)
            return event->n;
    }
    return self->last_n + 1;
}

static const cf_post_t *find_in(const line_t *line, uint32_t hash, cf_id_t sender, cf_str_t key)
{
    for (uint32_t i = line->count; i-- > 0;) {
        uint32_t at = (line->first + i) % line->cap;
        const cf_post_t *post = &line->slots[at].event.post;
        if (line->hashes[at] == hash && cf_id_equal(post->sender, sender) &&
            cf_str_equal(post->client_key, key))
            return post;
    }
    return NULL;
}

const cf_post_t *cf_ring_find_key(const cf_ring_t *self, cf_id_t sender, cf_str_t key)
{
    uint32_t hash = hash_of(sender, key);
    if (!hash)
        return NULL;
    const cf_post_t *post = find_in(&self->events, hash, sender, key);
    return post ? post : find_in(&self->posts, hash, sender, key);
}

size_t cf_ring_bytes(const cf_ring_t *self)
{
    return self->bytes;
}
