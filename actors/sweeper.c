#include "sweeper.h"

#include "metrics.h"
#include "others.h"
#include "wire/control.h"
#include "wire/record.h"

#include <stdlib.h>

typedef enum { SESSIONS, KEYS, DEAD_LETTERS, POSTS, SWEEPS } sweep_t;

struct cf_sweeper {
    cf_sweeper_config_t config;
    int64_t ttl_us[SWEEPS]; /* of what goes, counted from the time it carries; KEEP: nothing goes */
    int64_t next_us;        /* of the next sweep; 0: nothing was done yet */
    uint64_t batches;       /* asked for so far */
    uint64_t asked[SWEEPS]; /* correlation id of the newest batch */
    cf_others_t others;
};
#define KEEP INT64_MAX

static const struct {
    uint16_t type;
    cf_metric_t counter;
} sweeps[SWEEPS] = {
    [SESSIONS] = {CF_MSG_EXPIRE_SESSIONS, CF_M_SESSIONS_EXPIRED}, /* they carry the time they end */
    [KEYS] = {CF_MSG_EXPIRE_KEYS, CF_M_KEYS_EXPIRED},
    [DEAD_LETTERS] = {CF_MSG_EXPIRE_DEAD_LETTERS, CF_M_DEAD_LETTERS_EXPIRED},
    [POSTS] = {CF_MSG_EXPIRE_POSTS, CF_M_POSTS_EXPIRED},
};

static void ask(cf_sweeper_t *self, cf_turn_t *turn, sweep_t which)
{
    cf_address_t storage = {cf_outbox_address(turn->out).node, CF_ACTOR_STORAGE, 0};
    cf_expire_t expire = {.until_us = turn->wall_us - self->ttl_us[which], .limit = CF_SWEEP_LIMIT};
    self->asked[which] = ++self->batches * SWEEPS + which; /* so the answer tells which it is */
    cf_outbox_send(turn->out, storage, sweeps[which].type, self->asked[which], (cf_id_t){0},
                   &expire);
}

static int on_expired(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_sweeper_t *self = state;
    cf_expired_t expired;
    int rc = cf_msg_body(&expired, msg, turn->arena);
    if (rc < 0)
        return rc;
    sweep_t which = msg->corr % SWEEPS;
    cf_count_by(sweeps[which].counter, expired.count);
    /* after a late answer there is a newer batch, which goes on */
    if (msg->corr == self->asked[which] && expired.count >= CF_SWEEP_LIMIT)
        ask(self, turn, which);
    return 0;
}

static int on_refused(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    (void)state; /* the next sweep asks again */
    (void)turn;
    (void)msg;
    return 0;
}

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_sweeper_t *self = state;
    return cf_others_here(&self->others, turn, msg, NULL);
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_sweeper_t *self = state;
    return cf_others_gone(&self->others, turn, msg, NULL);
}

static bool has_smallest_number(const cf_sweeper_t *self, const cf_turn_t *turn)
{
    for (uint32_t i = 0; i < self->others.count; i++)
        if (self->others.nodes[i] < cf_outbox_address(turn->out).node)
            return false;
    return true;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_sweeper_t *self = state;
    if (self->next_us == 0)
        self->next_us = turn->boot_us + self->config.first_us;
    if (turn->boot_us >= self->next_us) {
        for (sweep_t which = 0; which < SWEEPS; which++)
            if (self->ttl_us[which] != KEEP && has_smallest_number(self, turn))
                ask(self, turn, which);
        self->next_us = turn->boot_us + self->config.interval_us;
    }
    return self->next_us;
}

void cf_sweeper_destroy(cf_sweeper_t **self)
{
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_sweeper_t *self = state;
    cf_sweeper_destroy(&self);
}

int cf_sweeper_new(cf_sweeper_t **out, const cf_sweeper_config_t *config)
{
    cf_sweeper_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->ttl_us[KEYS] = config->key_ttl_us;
    self->ttl_us[DEAD_LETTERS] = config->dead_letters_ttl_us ? config->dead_letters_ttl_us : KEEP;
    self->ttl_us[POSTS] = config->posts_ttl_us ? config->posts_ttl_us : KEEP;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_EXPIRED, on_expired},
    {CF_MSG_REFUSED, on_refused},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {0, NULL},
};

const cf_actor_ops_t cf_sweeper_ops = {.handlers = handlers, .due = due, .destroy = destroy};
