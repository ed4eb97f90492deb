#include "ring.h"

#include "err.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* As small as can be: there may be 100,000 rooms, each with a page of posts. */
typedef struct {
    uint64_t n, seq;
    int64_t at_us;
    cf_id_t id, sender;
    uint32_t text_size;
    uint16_t username_size, client_key_size;
    uint8_t kind, post_kind;
    char texts[]; /* username, text, client_key */
} entry_t;
_Static_assert(CF_USERNAME_MAX <= UINT16_MAX && CF_CLIENT_KEY_MAX <= UINT16_MAX, "sizes fit");
_Static_assert(sizeof(entry_t) + 2 * (sizeof(entry_t *) + sizeof(uint32_t)) + 16 <=
                   CF_RING_EVENT_COST,
               "with its place in a line that has doubled, and what the allocator adds");

typedef struct {
    uint32_t cap;   /* slots allocated; a power of two */
    uint32_t first; /* slot of the oldest */
    uint32_t count;
    entry_t **slots; /* owned, as what they point to */
    uint32_t
        *hashes; /* of sender and client_key, side by side: all of them are looked through for each
                         key; 0: it has none */
} line_t;

struct cf_ring {
    uint32_t events_max, spare_max;
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

static uint32_t slot_of(const line_t *line, uint32_t i)
{
    return (line->first + i) & (line->cap - 1);
}

static entry_t *entry_at(const line_t *line, uint32_t i)
{
    return line->slots[slot_of(line, i)];
}

static uint32_t hash_at(const line_t *line, uint32_t i)
{
    return line->hashes[slot_of(line, i)];
}

static void put_at(line_t *line, uint32_t i, entry_t *entry, uint32_t hash)
{
    line->slots[slot_of(line, i)] = entry;
    line->hashes[slot_of(line, i)] = hash;
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
        put_at(&more, i, entry_at(line, i), hash_at(line, i));
    line_t *old = has_memory ? line : &more;
    free(old->slots);
    free(old->hashes);
    if (!has_memory)
        return CF_ENOMEM;
    *line = more;
    return 0;
}

static entry_t *take_first(line_t *line)
{
    entry_t *entry = entry_at(line, 0);
    line->first = slot_of(line, 1);
    line->count--;
    return entry;
}

static void free_line(line_t *line)
{
    for (uint32_t i = 0; i < line->count; i++)
        free(entry_at(line, i));
    free(line->slots);
    free(line->hashes);
}

/* --- life --------------------------------------------------------------------------------------
 */

int cf_ring_new(cf_ring_t **out, uint32_t events_max, uint32_t spare_max, size_t bytes_max)
{
    cf_ring_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->events_max = events_max;
    self->spare_max = spare_max;
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

/* What it counts against bytes_max. */
static size_t size_of(const entry_t *entry)
{
    return sizeof *entry + entry->username_size + entry->text_size + entry->client_key_size;
}

static void let_go(cf_ring_t *self, entry_t *entry)
{
    self->bytes -= size_of(entry);
    free(entry);
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
        if (entry_at(&self->events, i)->kind == CF_EVENT_POST)
            return entry_at(&self->events, i)->seq;
    return 0;
}

static entry_t *take_event(cf_ring_t *self)
{
    entry_t *entry = take_first(&self->events);
    if (entry->kind == CF_EVENT_POST) {
        self->event_posts--;
        self->event_seq = first_event_seq(self);
    }
    return entry;
}

/* The oldest event goes; if it is a post it stays as one, without memory for that none before it does. */
static void retire_event(cf_ring_t *self)
{
    uint32_t hash = hash_at(&self->events, 0);
    entry_t *entry = take_event(self);
    bool is_post = entry->kind == CF_EVENT_POST;
    if (!is_post || grow(&self->posts) < 0) {
        if (is_post)
            drop_posts(self);
        let_go(self, entry);
        return;
    }
    entry->n = 0;
    put_at(&self->posts, self->posts.count++, entry, hash);
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

static char *copy(char *to, cf_str_t text)
{
    if (text.size)
        memcpy(to, text.bytes, text.size);
    return to + text.size;
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

/* NULL: no memory. */
static entry_t *make(uint32_t kind, const cf_post_t *post)
{
    size_t texts = (size_t)post->username.size + post->text.size + post->client_key.size;
    entry_t *entry = malloc(sizeof *entry + texts);
    if (!entry)
        return NULL;
    *entry = (entry_t){.seq = post->seq,
                       .at_us = post->at_us,
                       .id = post->id,
                       .sender = post->sender,
                       .text_size = post->text.size,
                       .username_size = (uint16_t)post->username.size,
                       .client_key_size = (uint16_t)post->client_key.size,
                       .kind = (uint8_t)kind,
                       .post_kind = (uint8_t)post->kind};
    copy(copy(copy(entry->texts, post->username), post->text), post->client_key);
    return entry;
}

int cf_ring_add(cf_ring_t *self, uint32_t kind, const cf_post_t *post)
{
    bool is_post = kind == CF_EVENT_POST;
    entry_t *entry = make(kind, post);
    if (!entry)
        return CF_ENOMEM;
    if (self->events.count == self->events_max + self->spare_max)
        retire_event(self);
    if (grow(&self->events) < 0) {
        free(entry);
        return CF_ENOMEM;
    }
    entry->n = ++self->last_n;
    put_at(&self->events, self->events.count++, entry,
           is_post ? hash_of(post->sender, post->client_key) : 0);
    self->bytes += size_of(entry);
    if (is_post && self->event_posts++ == 0)
        self->event_seq = post->seq;
    keep_bounds(self);
    return 0;
}

int cf_ring_put_before(cf_ring_t *self, const cf_post_t *post)
{
    if (self->posts.count + self->event_posts >= self->events_max)
        return CF_EFULL;
    entry_t *entry = make(CF_EVENT_POST, post);
    if (!entry)
        return CF_ENOMEM;
    int rc = self->bytes + size_of(entry) > self->bytes_max ? CF_EFULL : grow(&self->posts);
    if (rc < 0) {
        free(entry);
        return rc;
    }
    line_t *line = &self->posts;
    line->first = slot_of(line, line->cap - 1);
    line->count++;
    put_at(line, 0, entry, hash_of(post->sender, post->client_key));
    self->bytes += size_of(entry);
    return 0;
}

void cf_ring_skip(cf_ring_t *self)
{
    drop_posts(self);
    while (self->events.count > 0)
        let_go(self, take_event(self));
    self->last_n++;
}

void cf_ring_trim(cf_ring_t *self, uint32_t keep)
{
    while (self->events.count > self->events_max && self->events.count > keep)
        retire_event(self);
    keep_bounds(self);
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

static cf_ring_event_t event_of(const entry_t *entry)
{
    const char *text = entry->texts + entry->username_size;
    cf_post_t post = {.seq = entry->seq,
                      .id = entry->id,
                      .sender = entry->sender,
                      .at_us = entry->at_us,
                      .kind = entry->post_kind,
                      .username = {entry->texts, entry->username_size},
                      .text = {text, entry->text_size},
                      .client_key = {text + entry->text_size, entry->client_key_size}};
    return (cf_ring_event_t){entry->n, entry->kind, post};
}

cf_ring_event_t cf_ring_at(const cf_ring_t *self, uint64_t n)
{
    return event_of(entry_at(&self->events, (uint32_t)(n - cf_ring_first_n(self))));
}

uint32_t cf_ring_entries(const cf_ring_t *self)
{
    return self->posts.count + self->events.count;
}

cf_ring_event_t cf_ring_entry(const cf_ring_t *self, uint32_t i)
{
    uint32_t posts = self->posts.count;
    return event_of(i < posts ? entry_at(&self->posts, i) : entry_at(&self->events, i - posts));
}

uint64_t cf_ring_first_seq(const cf_ring_t *self)
{
    return self->posts.count ? entry_at(&self->posts, 0)->seq : self->event_seq;
}

uint64_t cf_ring_after_seq(const cf_ring_t *self, uint64_t seq)
{
    if (self->event_seq == 0 || seq + 1 < self->event_seq)
        return 0;
    for (uint32_t i = 0; i < self->events.count; i++) {
        const entry_t *entry = entry_at(&self->events, i);
        if (entry->kind == CF_EVENT_POST && entry->seq > seq)
            return entry->n;
    }
    return self->last_n + 1;
}

#define BLOCK 16 /* hashes compared at once; branches between them cost four times as much */

static bool is_in_block(const uint32_t *hashes, uint32_t hash)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < BLOCK; i++)
        found |= hashes[i] == hash;
    return found;
}

/* The newest in slots[from..to). */
static const entry_t *find_between(const line_t *line, uint32_t from, uint32_t to, uint32_t hash,
                                   cf_id_t sender, cf_str_t key)
{
    for (; to > from; to--) {
        while (to - from >= BLOCK && !is_in_block(&line->hashes[to - BLOCK], hash))
            to -= BLOCK;
        if (to == from)
            return NULL;
        const entry_t *entry = line->slots[to - 1];
        if (line->hashes[to - 1] == hash && cf_id_equal(entry->sender, sender) &&
            cf_str_equal(event_of(entry).post.client_key, key))
            return entry;
    }
    return NULL;
}

static const entry_t *find_in(const line_t *line, uint32_t hash, cf_id_t sender, cf_str_t key)
{
    uint32_t end = line->first + line->count, wrapped = end > line->cap ? end - line->cap : 0;
    const entry_t *entry = find_between(line, 0, wrapped, hash, sender, key);
    return entry ? entry : find_between(line, line->first, end - wrapped, hash, sender, key);
}

bool cf_ring_find_key(cf_ring_event_t *out, const cf_ring_t *self, cf_id_t sender, cf_str_t key)
{
    uint32_t hash = hash_of(sender, key);
    if (!hash)
        return false;
    const entry_t *entry = find_in(&self->events, hash, sender, key);
    if (!entry)
        entry = find_in(&self->posts, hash, sender, key);
    if (entry)
        *out = event_of(entry);
    return entry != NULL;
}

size_t cf_ring_bytes(const cf_ring_t *self)
{
    return self->bytes;
}
