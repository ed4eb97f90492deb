#include "limiter.h"

#include "err.h"
#include "others.h"
#include "random.h"
#include "rendezvous.h"
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
    cf_bucket_t bucket;    /* without what is on lease; see withhold() */
    int64_t lost_us;       /* when the lease counts as spent */
    uint32_t next;         /* with the same hash; or of the free ones */
    uint32_t older, newer; /* by their last use */
    uint32_t lease;        /* the number of the one that is out; 0: none */
    uint16_t leased;       /* tokens on it */
    uint8_t kind;
} slot_t;
_Static_assert(CF_TAKE_MAX <= UINT16_MAX && CF_LIMIT_KINDS_MAX <= UINT8_MAX, "they fit");
/* and its share of the heads, of which there are up to twice as many */
_Static_assert(sizeof(slot_t) + 2 * sizeof(uint32_t) <= CF_LIMITER_BUCKET_COST,
               "limits.buckets_max tells what it costs");

/* A node that had buckets until lately. */
typedef struct {
    uint32_t node;
    int64_t since_us; /* it is gone */
} gone_t;

struct cf_limiter {
    cf_limiter_config_t config;
    slot_t *slots;          /* config.buckets_max of them; owned */
    uint32_t *heads;        /* by hash, the first with it; owned */
    uint32_t mask;          /* heads - 1 */
    uint32_t used, touched; /* slots in use; slots ever used, behind which all are free */
    uint32_t free, oldest, newest;
    /* The number given last. The first is drawn: a lease that another node gave of a bucket may be settled here,
     * and must be none of those given here. */
    uint32_t leases;
    int64_t fill_us[CF_LIMIT_KINDS]; /* in that time any bucket of the kind is full again, */
    int64_t idle_us;                 /* and in this one of any kind, also if it has a lease */
    cf_others_t others;
    gone_t gone[CF_NODES_MAX]; /* the oldest first */
    uint32_t gone_count;
    bool is_new;    /* this node came to others, who had all buckets, */
    int64_t new_us; /* then */
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

static void use(cf_limiter_t *self, slot_t *slot)
{
    unlink_use(self, slot);
    link_newest(self, slot);
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

/* Whether another node has, or had until lately, this bucket. */
static bool is_moved(const cf_limiter_t *self, const cf_turn_t *turn, uint32_t kind,
                     const cf_limit_key_t *key)
{
    cf_id_t id;
    int64_t before_us = turn->boot_us - self->fill_us[kind]; /* what moved before then is full */
    if (self->is_new && self->new_us > before_us)
        return true;
    if (self->others.count == 0 && self->gone_count == 0)
        return false;
    memcpy(id.bytes, key->bytes, sizeof id.bytes);
    uint32_t own = cf_outbox_address(turn->out).node, best = own;
    for (uint32_t i = 0; i < self->others.count; i++)
        cf_rendezvous_prefer(id, &best, self->others.nodes[i]);
    for (uint32_t i = 0; i < self->gone_count; i++)
        if (self->gone[i].since_us > before_us)
            cf_rendezvous_prefer(id, &best, self->gone[i].node);
    return best != own;
}

/* At least one token, of two nodes or more: who is gone had a share as well. */
static void begin_with_share(const cf_limiter_t *self, slot_t *slot, int64_t now_us)
{
    const cf_limit_t *limit = &self->config.limits.of[slot->kind];
    int64_t nodes = self->others.count < 1 ? 2 : self->others.count + 1;
    int64_t share = limit->burst / nodes > 1 ? limit->burst / nodes : 1;
    slot->bucket =
        (cf_bucket_t){.missing = (limit->burst - share) * limit->period_us, .at_us = now_us};
}

static slot_t *find_or_add(cf_limiter_t *self, const cf_turn_t *turn, uint32_t kind,
                           const cf_limit_key_t *key)
{
    slot_t *slot = find(self, kind, key);
    if (slot) {
        use(self, slot);
        return slot;
    }
    slot = take_slot(self);
    uint32_t *head = head_of(self, kind, key);
    *slot = (slot_t){.key = *key, .kind = (uint8_t)kind, .next = *head};
    *head = (uint32_t)(slot - self->slots);
    link_newest(self, slot);
    if (is_moved(self, turn, kind, key))
        begin_with_share(self, slot, turn->boot_us);
    return slot;
}

/* --- leases ------------------------------------------------------------------------------------
 *
 * What is leased has been taken out of the bucket, which goes on filling up: to what it holds if all of
 * that was spent early, and so further than it may if nothing was. What it may hold is known when the
 * lease is settled. Until then that is withheld from others. */

/* As if all that is out were spent at this very time, which is the worst that can be. */
static void withhold(slot_t *slot, const cf_limit_t *limit)
{
    cf_bucket_miss(&slot->bucket, limit, slot->leased * limit->period_us);
}

static void end_lease(slot_t *slot)
{
    slot->lease = slot->leased = 0;
}

/* Brings the slot up to date. */
static void refill(slot_t *slot, const cf_limit_t *limit, int64_t now_us)
{
    if (slot->lease && now_us >= slot->lost_us) {
        cf_bucket_tokens(&slot->bucket, limit, slot->lost_us);
        withhold(slot, limit);
        end_lease(slot);
    }
    cf_bucket_tokens(&slot->bucket, limit, now_us);
}

/* Tokens that were spent without having been taken out. */
static void charge(slot_t *slot, const cf_limit_t *limit, int64_t n)
{
    cf_bucket_miss(&slot->bucket, limit, slot->bucket.missing + n * limit->period_us);
}

/* Of a lease that counted as spent, or whose bucket was forgotten; or its gateway says what is not so. */
static void settle_unknown(slot_t *slot, const cf_limit_t *limit, const cf_spent_t *spent)
{
    if (!spent->tokens)
        return;
    withhold(slot, limit);
    charge(slot, limit, spent->tokens);
}

static void settle(slot_t *slot, const cf_limit_t *limit, const cf_spent_t *spent)
{
    if (!spent->lease || spent->lease != slot->lease) {
        settle_unknown(slot, limit, spent);
        return;
    }
    if (spent->tokens <= slot->leased)
        cf_bucket_give_back(&slot->bucket, limit, slot->leased - spent->tokens);
    else
        charge(slot, limit, spent->tokens - slot->leased);
    uint64_t all = spent->tokens * (uint64_t)limit->period_us;
    /* it was not fuller than full when they were spent */
    cf_bucket_miss(&slot->bucket, limit, (int64_t)(spent->missing < all ? spent->missing : all));
    end_lease(slot);
}

/* How many of the tokens left to lease. */
static int64_t to_lease(const slot_t *slot, const cf_limit_t *limit, const cf_take_t *take,
                        int64_t left)
{
    int64_t n = (int64_t)take->most - take->want;
    if (n > limit->burst / 4)
        n = limit->burst / 4;
    if (n > left - limit->burst / 2)
        n = left - limit->burst / 2;
    return slot->lease || n < 0 ? 0 : n;
}

static void begin_lease(cf_limiter_t *self, slot_t *slot, int64_t n, int64_t now_us)
{
    self->leases += self->leases == UINT32_MAX ? 2 : 1; /* 0 is none */
    slot->lease = self->leases;
    slot->leased = (uint16_t)n;
    slot->lost_us = now_us + CF_LEASE_LOST_MS * INT64_C(1000);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static int64_t tokens_for(slot_t *slot, const cf_limit_t *limit, const cf_spent_t *spent,
                          int64_t now_us)
{
    refill(slot, limit, now_us);
    settle(slot, limit, spent);
    withhold(slot, limit); /* what is on somebody else's lease */
    return cf_bucket_tokens(&slot->bucket, limit, now_us);
}

/* Without memory for the answer nobody gets them. */
static int grant(cf_limiter_t *self, cf_turn_t *turn, const cf_msg_t *msg, slot_t *slot,
                 const cf_take_t *take, int64_t tokens)
{
    const cf_limit_t *limit = &self->config.limits.of[slot->kind];
    int64_t wanted = take->want < tokens ? take->want : tokens;
    int64_t leased = to_lease(slot, limit, take, tokens - wanted);
    if (leased)
        begin_lease(self, slot, leased, turn->boot_us);
    cf_granted_t granted = {(uint32_t)(wanted + leased), CF_LEASE_MS, leased ? slot->lease : 0};
    int rc = cf_outbox_answer(turn->out, msg, CF_MSG_GRANTED, &granted);
    if (rc == 0)
        cf_bucket_take(&slot->bucket, limit, granted.tokens);
    else if (leased)
        end_lease(slot);
    return rc;
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
                                &(cf_granted_t){take.want, CF_LEASE_MS, 0});
    slot_t *slot = find_or_add(self, turn, take.kind, &take.key);
    int64_t tokens = tokens_for(slot, limit, &take.spent, turn->boot_us);
    if (tokens > 0)
        return grant(self, turn, msg, slot, &take, tokens);
    uint32_t wait_ms = (uint32_t)((cf_bucket_wait_us(&slot->bucket, limit) + 999) / 1000);
    cf_limit_count_refused(take.kind, take.want);
    cf_outbox_refuse(turn->out, msg, CF_ELIMIT, wait_ms);
    return 0;
}

static int on_settle(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_limiter_t *self = state;
    cf_settle_t body;
    int rc = cf_msg_body(&body, msg, turn->arena);
    if (rc == 0 && body.kind >= CF_LIMIT_KINDS)
        rc = CF_ERANGE;
    slot_t *slot = rc == 0 ? find(self, body.kind, &body.key) : NULL;
    if (!slot) /* forgotten, it begins anew */
        return rc;
    use(self, slot);
    refill(slot, &self->config.limits.of[body.kind], turn->boot_us);
    settle(slot, &self->config.limits.of[body.kind], &body.spent);
    return 0;
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

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_limiter_t *self = state;
    bool is_older;
    int rc = cf_others_here(&self->others, turn, msg, &is_older);
    if (rc == 0 && is_older) {
        self->is_new = true;
        self->new_us = turn->boot_us;
    }
    return rc;
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_limiter_t *self = state;
    uint32_t node;
    int rc = cf_others_gone(&self->others, turn, msg, &node);
    if (rc < 0 || node == 0)
        return rc;
    if (self->gone_count == CF_NODES_MAX)
        memmove(self->gone, self->gone + 1, --self->gone_count * sizeof self->gone[0]);
    self->gone[self->gone_count++] = (gone_t){node, turn->boot_us};
    return 0;
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

static void set_times(cf_limiter_t *self)
{
    int64_t longest_us = 0;
    for (int kind = 1; kind < CF_LIMIT_KINDS; kind++) {
        const cf_limit_t *limit = &self->config.limits.of[kind];
        int64_t us = limit->rate ? limit->burst * limit->period_us / limit->rate + 1 : 0;
        self->fill_us[kind] = us;
        longest_us = us > longest_us ? us : longest_us;
    }
    self->idle_us = CF_LEASE_LOST_MS * INT64_C(1000) + longest_us;
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
    cf_random(&self->leases, sizeof self->leases);
    self->mask = (uint32_t)heads - 1;
    self->free = self->oldest = self->newest = NONE;
    set_times(self);
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
    {CF_MSG_TAKE, on_take},           {CF_MSG_SETTLE, on_settle},
    {CF_MSG_GIVE_BACK, on_give_back}, {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone}, {0, NULL},
};

const cf_actor_ops_t cf_limiter_ops = {
    .handlers = handlers,
    .due = due,
    .gauges = gauges,
    .destroy = destroy,
};
