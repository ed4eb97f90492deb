#include "store_link.h"

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "wire/observe.h"

#include <sodium.h>

#define SECOND_US INT64_C(1000000)
#define HANG_US (2 * SECOND_US) /* readiness must be red 5 s after the store fell silent */
/* A returned store is written to within 5 s: the longest pause and a call that runs into its
 * deadline just before must fit. */
#define PAUSE_FIRST_US INT64_C(50000)
#define PAUSE_MAX_US INT64_C(500000)

/* What is different with each. */
struct cf_store_link_kind {
    const char *is_there, *is_away, *not_opened; /* for the log */
    cf_log_level_t fault;
    int64_t pause_max_us;
    bool is_reported; /* to stats and the supervisor, and its faults are counted */
};

static const cf_store_link_kind_t the_store = {
    .is_there = "the store is there",
    .is_away = "the store is away",
    .not_opened = "cannot open the store",
    .fault = CF_LOG_ERROR,
    .pause_max_us = PAUSE_MAX_US,
    .is_reported = true,
};

static const cf_store_link_kind_t a_replica = {
    .is_there = "the replica is there",
    .is_away = "the replica is away",
    .not_opened = "cannot open the replica",
    .fault = CF_LOG_WARN,
    .pause_max_us = 10 * SECOND_US, /* an attempt that hangs keeps the actor */
    .is_reported = false,
};

/* --- reports -----------------------------------------------------------------------------------
 */

static void tell(cf_store_link_t *self, bool up, int64_t latency_us)
{
    if (!self->kind->is_reported) {
        self->next_tell_us = INT64_MAX;
        return;
    }
    cf_outbox_t *out = cf_actor_outbox(self->config.actor);
    cf_address_t stats = {cf_outbox_address(out).node, CF_ACTOR_STATS, 0};
    cf_store_state_t state = {
        .up = up, .in_use = self->used || self->hang_us != INT64_MAX, .latency_us = latency_us};
    cf_outbox_send(out, stats, CF_MSG_STORE_STATE, 0, (cf_id_t){0}, &state);
    self->told_up = up;
    self->has_told = true;
    self->used = false;
    self->next_tell_us = cf_boot_us() + SECOND_US;
}

static void judge(cf_store_link_t *self)
{
    bool well = self->up && !self->failing;
    if (self->well != well && well)
        cf_log_info(self->kind->is_there, CF_INT("latency_us", self->latency_us));
    else if (self->well != well &&
             !cf_actor_is_ending(self->config.actor)) /* a call that STOP ended says nothing */
        CF_LOG_CALL(self->kind->fault, self->kind->is_away, cf_log_end());
    self->well = well;
    if (!self->has_told || self->told_up != well)
        tell(self, well, self->latency_us);
}

/* The store's way to wait: the actor's, in two legs, so that stats hears of a call that hangs. */
static int wait_for_store(void *arg, int fd, bool for_write, int64_t until_us)
{
    cf_store_link_t *self = arg;
    /* before it is open nothing can have been acknowledged */
    int (*wait)(void *, int, bool, int64_t) =
        self->store ? cf_actor_wait : cf_actor_wait_unless_ending;
    if (until_us > self->hang_us) {
        int rc = wait(self->config.actor, fd, for_write, self->hang_us);
        if (rc != CF_ETIME)
            return rc;
        tell(self, false, cf_boot_us() - self->called_us);
        self->hang_us = INT64_MAX - 1; /* once a call */
    }
    return wait(self->config.actor, fd, for_write, until_us);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static void call_begins(cf_store_link_t *self)
{
    self->called_us = cf_boot_us();
    self->hang_us = self->called_us + HANG_US;
}

static int64_t call_ends(cf_store_link_t *self, int rc)
{
    int64_t now_us = cf_boot_us();
    self->hang_us = INT64_MAX;
    self->used = true;
    self->up = rc == 0;
    if (rc == 0) {
        self->failures = 0;
        self->next_try_us = now_us + SECOND_US;
    } else {
        int64_t most_us = PAUSE_FIRST_US << (self->failures < 8 ? self->failures : 8);
        if (most_us > self->kind->pause_max_us)
            most_us = self->kind->pause_max_us;
        self->next_try_us = now_us + most_us / 2 + randombytes_uniform((uint32_t)most_us / 2);
        self->failures++;
        if (self->kind->is_reported)
            cf_count(CF_M_STORE_ERRORS);
    }
    judge(self);
    return now_us - self->called_us;
}

cf_store_t *cf_store_link_begin(cf_store_link_t *self)
{
    if (!self->up)
        return NULL;
    call_begins(self);
    return self->store;
}

int64_t cf_store_link_end(cf_store_link_t *self, unsigned kind, int rc)
{
    uint32_t bit = UINT32_C(1) << kind;
    self->failing = rc == 0 ? self->failing & ~bit : self->failing | bit;
    if (rc < 0)
        self->failed_us = cf_boot_us();
    return call_ends(self, rc);
}

/* Once; without memory again with the next turn. */
static void tell_supervisor(cf_store_link_t *self)
{
    if (self->has_said || !self->kind->is_reported || (!self->store && !self->is_useless))
        return;
    cf_outbox_t *out = cf_actor_outbox(self->config.actor);
    cf_address_t supervisor = {cf_outbox_address(out).node, CF_ACTOR_SUPERVISOR, 0};
    cf_store_opened_t opened = {self->store ? 0 : (uint32_t)-self->last_rc};
    self->has_said =
        cf_outbox_send(out, supervisor, CF_MSG_STORE_OPENED, 0, (cf_id_t){0}, &opened) == 0;
}

static void try_open(cf_store_link_t *self)
{
    cf_store_config_t config = {
        .url = self->config.url,
        .role = self->config.role,
        .statement_ms = self->config.statement_ms,
        .key_ttl_us = self->config.key_ttl_us,
        .connection_ttl_us = self->config.connection_ttl_us,
        .wait = {wait_for_store, self},
        .lookup = &self->lookup,
    };
    call_begins(self);
    int rc = cf_store_open(&self->store, &config);
    if (rc < 0 && rc != self->last_rc && !cf_actor_is_ending(self->config.actor)) {
        char url[256];
        CF_LOG_CALL(self->kind->fault, self->kind->not_opened,
                    CF_STR("url", cf_store_url_for_log(self->config.url, url, sizeof url)),
                    CF_ERR(rc), cf_log_end());
    }
    self->last_rc = rc;
    self->latency_us = call_ends(self, rc);
    self->is_useless = rc == CF_ERANGE || rc == CF_ESTALE || rc == CF_EFULL;
    tell_supervisor(self);
}

static void ping(cf_store_link_t *self)
{
    call_begins(self);
    int rc = self->store->ops->ping(self->store);
    bool used = self->used;
    uint32_t failures = self->failures;
    self->latency_us = cf_boot_us() - self->called_us;
    call_ends(self, rc);
    self->used = used; /* a ping is no use of it, */
    if (rc == 0)
        self->failures = failures; /* and no proof that the other calls succeed */
}

static void check(cf_store_link_t *self, uint32_t kinds)
{
    call_begins(self);
    int rc = self->config.check(self->store, kinds);
    bool used = self->used;
    self->failing = rc == 0 ? self->failing & ~kinds : self->failing | kinds;
    call_ends(self, rc);
    self->used = used;
}

static void try_again(cf_store_link_t *self)
{
    if (!self->store) {
        try_open(self);
        return;
    }
    ping(self);
    if (!self->up)
        return;
    if (self->failing && cf_boot_us() - self->failed_us >= CF_STORE_LINK_QUIET_US)
        check(self, self->failing);
    if (self->failing || self->config.checked_kinds == 0)
        return;
    check(self, UINT32_C(1) << self->next_kind);
    self->next_kind = (self->next_kind + 1) % self->config.checked_kinds;
}

/* --- life --------------------------------------------------------------------------------------
 */

void cf_store_link_init(cf_store_link_t *self, const cf_store_link_config_t *config)
{
    *self = (cf_store_link_t){
        .config = *config,
        .kind = config->is_replica ? &a_replica : &the_store,
        .is_held = config->is_held,
        .hang_us = INT64_MAX,
    };
}

static bool may_open(const cf_store_link_t *self)
{
    return !self->is_held && !self->is_useless && !cf_actor_is_ending(self->config.actor);
}

void cf_store_link_begin_life(cf_store_link_t *self)
{
    if (may_open(self))
        try_open(self);
}

void cf_store_link_release(cf_store_link_t *self)
{
    self->is_held = false;
}

int64_t cf_store_link_due(cf_store_link_t *self, cf_turn_t *turn)
{
    (void)turn; /* a call takes its time; the turn's clock is not the time behind it */
    bool may_try = self->store || may_open(self);
    if (may_try && cf_boot_us() >= self->next_try_us)
        try_again(self);
    tell_supervisor(self);
    if (cf_boot_us() >= self->next_tell_us)
        tell(self, self->well, self->latency_us);
    return may_try && self->next_try_us < self->next_tell_us ? self->next_try_us
                                                             : self->next_tell_us;
}

void cf_store_link_close(cf_store_link_t *self)
{
    if (self->store)
        self->store->ops->close(self->store);
    self->store = NULL;
    self->up = false;
    cf_lookup_destroy(&self->lookup);
}
