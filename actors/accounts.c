#include "accounts_state.h"
#include "metrics.h"
#include "wire/control.h"
#include "wire/read.h"
#include "wire/record.h"

#include <stdlib.h>

#define TELL_AGAIN_US INT64_C(100000)

/* --- operations --------------------------------------------------------------------------------
 */

cf_address_t cf_accounts_address(cf_turn_t *turn, uint16_t kind, uint32_t index)
{
    return (cf_address_t){cf_outbox_address(turn->out).node, kind, (uint16_t)index};
}

cf_operation_t *cf_accounts_begin(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                                  cf_accounts_step_t step)
{
    cf_operation_t *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->id = ++self->last_id;
    op->step = step;
    op->request = *msg;
    op->request.body = NULL;
    op->request.size = 0;
    op->deadline_us = turn->boot_us + self->config.answer_us;
    op->hasher = -1;
    HASH_ADD(hh, self->operations, id, sizeof op->id, op);
    if (op->hh.tbl)
        return op;
    free(op);
    return NULL;
}

void cf_accounts_finish(cf_accounts_t *self, cf_operation_t *op)
{
    cf_accounts_end_hashing(self, op);
    HASH_DEL(self->operations, op);
    self->telling -= op->step == CF_STEP_TELLING_GATEWAYS;
    free(op);
}

void cf_accounts_fail(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, int rc)
{
    if (op->step == CF_STEP_FINDING_ENDED || op->step == CF_STEP_REMOVING_SESSION)
        cf_session_cache_unend(&self->cache, op->session.token_hash);
    if (op->step == CF_STEP_DISABLING)
        cf_accounts_forget_sessions_of(self, op->session.user);
    bool is_ending = op->step == CF_STEP_REMOVING_SESSION || op->step == CF_STEP_DISABLING;
    if (is_ending)
        cf_accounts_tell_ended(self, turn, op);
    cf_outbox_refuse(turn->out, &op->request, rc, rc == CF_EIO ? CF_ACCOUNTS_FULL_RETRY_MS : 0);
    if (is_ending && rc == CF_ETIME) {
        op->step = CF_STEP_ENDING_LATE;
        op->told = 0;
    } else {
        cf_accounts_finish(self, op);
    }
}

int cf_accounts_refusal(cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_refused_t refused;
    return cf_turn_read(turn, msg, &refused) < 0 ? CF_EINTERNAL : -(int)refused.reason;
}

static void ask(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, cf_address_t to,
                cf_accounts_step_t step, uint16_t type, const void *body)
{
    int rc = cf_outbox_send(turn->out, to, type, op->id, (cf_id_t){0}, body);
    if (rc < 0)
        cf_accounts_fail(self, turn, op, rc);
    else
        op->step = step;
}

void cf_accounts_ask_storage(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             cf_accounts_step_t step, uint16_t type, const void *body)
{
    ask(self, turn, op, cf_accounts_address(turn, CF_ACTOR_STORAGE, 0), step, type, body);
}

void cf_accounts_ask_reader(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, uint16_t type,
                            const void *body, cf_str_t key)
{
    uint32_t index = cf_table_hash(key.bytes, key.size) % self->config.readers;
    ask(self, turn, op, cf_accounts_address(turn, CF_ACTOR_READER, index), op->step, type, body);
}

bool cf_accounts_admit_lookup(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    if (HASH_COUNT(self->operations) - self->hashing < CF_ACCOUNTS_LOOKUPS_MAX)
        return true;
    cf_outbox_refuse(turn->out, msg, CF_EFULL, CF_ACCOUNTS_FULL_RETRY_MS);
    return false;
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* What follows an answer. A REFUSED that is not listed ends the operation with its reason. */
static const struct {
    cf_accounts_step_t step;
    uint16_t type;
    cf_accounts_step_fn *next;
} steps[] = {
    {CF_STEP_HASHING, CF_MSG_HASHED, cf_accounts_on_hashed},
    {CF_STEP_CREATING_USER, CF_MSG_DONE, cf_accounts_on_user_created},
    {CF_STEP_FINDING_USER, CF_MSG_USER, cf_accounts_on_user},
    {CF_STEP_FINDING_USER, CF_MSG_REFUSED, cf_accounts_on_no_user},
    {CF_STEP_VERIFYING, CF_MSG_VERIFIED, cf_accounts_on_verified},
    {CF_STEP_ADDING_SESSION, CF_MSG_DONE, cf_accounts_on_session_added},
    {CF_STEP_ADDING_SESSION, CF_MSG_REFUSED, cf_accounts_on_session_refused},
    {CF_STEP_FINDING_SESSION, CF_MSG_SESSION_ROW, cf_accounts_on_session_row},
    {CF_STEP_FINDING_SESSION, CF_MSG_REFUSED, cf_accounts_on_no_session},
    {CF_STEP_FINDING_ENDED, CF_MSG_SESSION_ROW, cf_accounts_on_ended_row},
    {CF_STEP_FINDING_ENDED, CF_MSG_REFUSED, cf_accounts_on_no_ended},
    {CF_STEP_REMOVING_SESSION, CF_MSG_DONE, cf_accounts_on_session_removed},
    {CF_STEP_FINDING_NAMED, CF_MSG_USER, cf_accounts_on_named_user},
    {CF_STEP_DISABLING, CF_MSG_DONE, cf_accounts_on_disabled},
    {CF_STEP_ENDING_LATE, CF_MSG_DONE, cf_accounts_on_ended_late},
    {CF_STEP_ENDING_LATE, CF_MSG_REFUSED, cf_accounts_on_late_refused},
    {CF_STEP_ENABLING, CF_MSG_DONE, cf_accounts_on_enabled},
};

static void take_answer(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                        const cf_msg_t *msg)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].step == op->step && steps[i].type == msg->type) {
            steps[i].next(self, turn, op, msg);
            return;
        }
    cf_accounts_fail(self, turn, op,
                     msg->type == CF_MSG_REFUSED ? cf_accounts_refusal(turn, msg) : CF_EINTERNAL);
}

static int on_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    cf_operation_t *op = NULL;
    if (self->operations)
        HASH_FIND(hh, self->operations, &msg->corr, sizeof msg->corr, op);
    if (!op)
        return 0; /* too late: it was refused CF_ETIME */
    take_answer(self, turn, op, msg);
    cf_accounts_give_work(self, turn);
    return 0;
}

/* --- other nodes -------------------------------------------------------------------------------
 */

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    return cf_others_here(&self->others, turn, msg, NULL);
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_accounts_t *self = state;
    return cf_others_gone(&self->others, turn, msg, NULL);
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Returns when there is the next to give up. Nothing behind the first operation without credentials has to
 * end before it does: all began later, and none has less time. */
static int64_t give_up_old(cf_accounts_t *self, cf_turn_t *turn)
{
    int64_t next_us = INT64_MAX;
    bool is_last = false;
    for (cf_operation_t *op = self->operations, *next; op && !is_last; op = next) {
        next = op->hh.next;
        if (op->step == CF_STEP_ENDING_LATE)
            continue;
        if (op->deadline_us > turn->boot_us) {
            next_us = op->deadline_us < next_us ? op->deadline_us : next_us;
            is_last = !op->credentials;
            continue;
        }
        cf_outbox_trace(turn->out, &op->request.trace);
        cf_accounts_fail(self, turn, op, CF_ETIME);
    }
    return next_us;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_accounts_t *self = state;
    if (self->telling)
        cf_accounts_go_on_telling(self, turn);
    int64_t next_us = give_up_old(self, turn);
    cf_accounts_give_work(self, turn);
    cf_outbox_trace(turn->out, NULL);
    cf_session_cache_expire(&self->cache, turn->boot_us);
    int64_t tell_us = self->telling ? turn->boot_us + TELL_AGAIN_US : INT64_MAX;
    return tell_us < next_us ? tell_us : next_us;
}

static void gauges(void *state)
{
    const cf_accounts_t *self = state;
    cf_gauge(CF_M_ACCOUNTS_WAITING, HASH_COUNT(self->operations));
    cf_gauge(CF_M_HASH_WAITING, self->hashing);
    cf_gauge(CF_M_SESSIONS_CACHED, cf_session_cache_count(&self->cache));
}

void cf_accounts_destroy(cf_accounts_t **self)
{
    if (!*self)
        return;
    while ((*self)->operations)
        cf_accounts_finish(*self, (*self)->operations);
    cf_session_cache_free(&(*self)->cache);
    free((*self)->busy);
    free(*self);
    *self = NULL;
}

static void destroy(void *state)
{
    cf_accounts_t *self = state;
    cf_accounts_destroy(&self);
}

int cf_accounts_new(cf_accounts_t **out, const cf_accounts_config_t *config)
{
    cf_accounts_t *self = calloc(1, sizeof *self);
    uint32_t *busy = calloc(config->hashers, sizeof *busy);
    if (!self || !busy) {
        free(self);
        free(busy);
        return CF_ENOMEM;
    }
    self->config = *config;
    self->busy = busy;
    self->limit = cf_limit(config->rate, 1000000, config->rate);
    self->cache.max = config->sessions;
    *out = self;
    return 0;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_REGISTER, cf_accounts_on_register},
    {CF_MSG_LOGIN, cf_accounts_on_login},
    {CF_MSG_AUTHENTICATE, cf_accounts_on_authenticate},
    {CF_MSG_LOGOUT, cf_accounts_on_logout},
    {CF_MSG_DISABLE, cf_accounts_on_named},
    {CF_MSG_ENABLE, cf_accounts_on_named},
    {CF_MSG_SESSION_ENDED, cf_accounts_on_session_ended},
    {CF_MSG_USER_ENDED, cf_accounts_on_user_ended},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_USER, on_answer},
    {CF_MSG_SESSION_ROW, on_answer},
    {CF_MSG_HASHED, on_answer},
    {CF_MSG_VERIFIED, on_answer},
    {CF_MSG_DONE, on_answer},
    {CF_MSG_REFUSED, on_answer},
    {0, NULL},
};

const cf_actor_ops_t cf_accounts_ops = {
    .handlers = handlers,
    .due = due,
    .gauges = gauges,
    .destroy = destroy,
};
