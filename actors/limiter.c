#include "limiter.h"

#include "err.h"
#include "table.h"
#include "wire/limit.h"

#include <stdlib.h>
#include <string.h>

#define EXPIRE_BATCH 1000 /* in one turn, so that nobody waits long behind it */
#define NONE UINT32_MAX

/* One bucket, named by its place in `slots`. Not uthash: its table grows by rehashing all of it, and
 * may find no memory; here every step costs the same, and nothing is allocated once it runs. */
typedef struct {
    cf_limit_key_t key;
    uint32_t kind;
    cf_bucket_t bucket;
    uint32_t next;         /* with the same hash; or of the free ones */
    uint32_t older, newer; /* by their last use */
} slot_t;
/* and its share of the heads, of which there are up to twice as many */
_Static_assert(sizeof(slot_t) + 2 * sizeof(uint32_t) <= CF_LIMITER_BUCKET_COST,
               "limits.buckets_max tells what it costs");

struct cf_limiter {
    cf_limiter_config_t config;
    slot_t *slots;          /* config.buckets_max of them; owned */
    uint32_t *heads;        /* by hash, the first with it; owned */
    uint32_t mask;          /* heads - 1 */
    uint32_t used, touched; /* slots in use; slots ever used, behind which all are free */
    uint32_t free, oldest, newest;
    int64_t idle_us; /* by then any bucket is full again */
};

/* --- the table ---------------------------------------------------------------------------------
 */

/* The hash is keyed here as well: what another node sends as a key was not chosen by us. */
static uint32_t *head_of(const cf_limiter_t *self, uint32_t kind, const cf_limit_key_t *key)
{
    return &self->heads[(cf_table_hash(key, sizeof *key) + kind) & self->mask];
}

static slot_t *find(const cf_limiter_t *self, uint32_t kind, const cf_limit_key_t *key)
{
    for (uint32_t at = *head_of(self, kind, key); at != NONE; at = self->slots[at].next)
        if (self->slots[at].kind == kind && memcmp(&self->slots[at].key, key, sizeof *key) == 0)
            return &self->slots[at];
    return NULL;
}

static void unlink_use(cf_limiter_t *self, const slot_t *slot)
{
    *(slot->older == NONE ? &self->oldest : &self->slots[slot->older].newer) = slot->newer;
    *(slot->newer == NONE ? &self->newest : &self->slots[slot->newer].older) = slot->older;
}

static void link_newest(cf_limiter_t *self, slot_t *slot)
{
    uint32_t at = (uint32_t)(slot - self->slots);
    slot->newer = NONE;
    slot->older = self->newest;
    *(slot->older == NONE ? &self->oldest : &self->slots[slot->older].newer) = at;
    self->newest = at;
}

static void forget(cf_limiter_t *self, slot_t *slot)
{
    uint32_t at = (uint32_t)(slot - self->slots);
    uint32_t *link = head_of(self, slot->kind, &slot->key);
    while (*link != at)
        link = &self->slots[*link].next;
    *link = slot->next;
    unlink_use(self, slot);
    slot->next = self->free;
    self->free = at;
    self->used--;
}

/* A slot to use; the oldest bucket goes when all are taken. */
static slot_t *take_slot(cf_limiter_t *self)
{
    if (self->used == self->config.buckets_max) {
        cf_count(CF_M_BUCKETS_EVICTED);
        forget(self, &self->slots[self->oldest]);
    }
    self->used++;
    if (self->free == NONE)
        return &self->slots[self->touched++];
    slot_t *slot = &self->slots[self->free];
    self->free = slot->next;
    return slot;
}

static slot_t *find_or_add(cf_limiter_t *self, uint32_t kind, const cf_limit_key_t *key)
{
    slot_t *slot = find(self, kind, key);
    if (slot) {
        unlink_use(self, slot);
    } else {
        slot = take_slot(self);
        uint32_t *head = head_of(self, kind, key);
        *slot = (slot_t){.key = *key, .kind = kind, .next = *head};
        *head = (uint32_t)(slot - self->slots);
    }
    link_newest(self, slot);
    return slot;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* How many of `tokens` to hand out, at least one being there. */
static int64_t share_of(const cf_take_t *take, int64_t tokens, const cf_limit_t *limit)
{
    int64_t to_spare = tokens - limit->burst / 2;
    int64_t share = take->want < tokens ? take->want : tokens;
    int64_t lease = take->most < to_spare ? take->most : to_spare;
    return share > lease ? share : lease;
}

static int on_take(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_limiter_t *self = state;
    cf_take_t take;
    int rc = cf_msg_body(&take, msg, turn->arena);
    if (rc == 0 && take.kind >= CF_LIMIT_KINDS)
        rc = CF_ERANGE;
    if (rc < 0)
        return rc;
    const cf_limit_t *limit = &self->config.limits.of[take.kind];
    if (limit->rate == 0) /* off here; whoever asks has other settings */
        return cf_outbox_answer(turn->out, msg, CF_MSG_GRANTED,
                                &(cf_granted_t){take.want, CF_LEASE_MS});
    cf_bucket_t *bucket = &find_or_add(self, take.kind, &take.key)->bucket;
    cf_bucket_give_back(bucket, limit, take.returned);
    int64_t tokens = cf_bucket_tokens(bucket, limit, turn->boot_us);
    if (tokens == 0) {
        uint32_t wait_ms = (uint32_t)((cf_bucket_wait_us(bucket, limit) + 999) / 1000);
        cf_limit_count_refused(take.kind, take.want);
        cf_outbox_refuse(turn->out, msg, CF_ELIMIT, wait_ms);
        return 0;
    }
    int64_t share = share_of(&take, tokens, limit);
    rc = cf_outbox_answer(turn->out, msg, CF_MSG_GRANTED,
                          &(cf_granted_t){(uint32_t)share, CF_LEASE_MS});
    if (rc == 0) /* without memory for the answer nobody gets them */
        cf_bucket_take(bucket, limit, share);
    return rc;
}

static int on_give_back(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    const cf_limiter_t *self = state;
    cf_give_back_t given;
    int rc = cf_msg_body(&given, msg, turn->arena);
    if (rc == 0 && given.kind >= CF_LIMIT_KINDS)
        rc = CF_ERANGE;
    slot_t *slot = rc == 0 ? find(self, given.kind, &given.key) : NULL;
    if (slot) /* else it was forgotten, and is full */
        cf_bucket_give_back(&slot->bucket, &self->config.limits.of[given.kind], given.tokens);
    return rc;
}

/* --- life --------------------------------------------------------------------------------------
 */

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_limiter_t *self = state;
    for (int i = 0; i < EXPIRE_BATCH; i++) {
        if (self->oldest == NONE)
            return INT64_MAX;
        slot_t *slot = &self->slots[self->oldest];
        if (slot->bucket.at_us + self->idle_us > turn->boot_us)
            return slot->bucket.at_us + self->idle_us;
        forget(self, slot);
    }
    return turn->boot_us;
}

static void gauges(void *state)
{
    const cf_limiter_t *self = state;
    cf_gauge(CF_M_BUCKETS, self->used);
}

void cf_limiter_destroy(cf_limiter_t **self)
{
    if (!*self)
        return;
    free((*self)->slots);
    free((*self)->heads);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_limiter_t *self = state;
    cf_limiter_destroy(&self);
}

static int64_t time_to_fill(const cf_limits_t *limits)
{
    int64_t longest_us = 0;
    for (int kind = 1; kind < CF_LIMIT_KINDS; kind++) {
        const cf_limit_t *limit = &limits->of[kind];
        int64_t us = limit->rate ? limit->burst * limit->period_us / limit->rate + 1 : 0;
        longest_us = us > longest_us ? us : longest_us;
    }
    return longest_us;
}

int cf_limiter_new(cf_limiter_t **out, const cf_limiter_config_t *config)
{
    cf_limiter_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    size_t heads = 1;
    while (heads < config->buckets_max)
        heads *= 2;
    self->config = *config;
    self->mask = (uint32_t)heads - 1;
    self->free = self->oldest = self->newest = NONE;
    self->idle_us = time_to_fill(&config->limits);
    self->slots =
        calloc(config->buckets_max, sizeof *self->slots); /* untouched, it takes no memory */
    self->heads = malloc(heads * sizeof *self->heads);
    if (!self->slots || !self->heads) {
        cf_limiter_destroy(&self);
        return CF_ENOMEM;
    }
    memset(self->heads, 0xff, heads * sizeof *self->heads); /* NONE */
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_TAKE, on_take},
    {CF_MSG_GIVE_BACK, on_give_back},
    {0, NULL},
};

const cf_actor_ops_t cf_limiter_ops = {
    .handlers = handlers,
    .due = due,
    .gauges = gauges,
    .destroy = destroy,
};
