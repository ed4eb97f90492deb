#include "accounts_state.h"
#include "secret.h"
#include "wire/hash.h"

#include <stdlib.h>
#include <utlist.h>

#define HASHER_DEPTH 2 /* operations of one hasher: the one it works on and the next */

static void wait_for_hasher(cf_accounts_t *self, cf_operation_t *op)
{
    cf_accounts_share_t *share = op->credentials->share;
    if (!share->waiting)
        CDL_APPEND(self->turn, share);
    DL_APPEND(share->waiting, op);
    op->is_waiting = true;
}

static void wait_no_more(cf_accounts_t *self, cf_operation_t *op)
{
    cf_accounts_share_t *share = op->credentials->share;
    DL_DELETE(share->waiting, op);
    op->is_waiting = false;
    if (!share->waiting)
        CDL_DELETE(self->turn, share);
}

void cf_accounts_leave_hasher(cf_accounts_t *self, cf_operation_t *op)
{
    if (op->hasher >= 0)
        self->busy[op->hasher]--;
    op->hasher = -1;
}

static cf_accounts_share_t *find_share(const cf_accounts_t *self, const cf_limit_key_t *address)
{
    cf_accounts_share_t *share = NULL;
    if (self->shares)
        HASH_FIND(hh, self->shares, address, sizeof share->address, share);
    return share;
}

/* One place more for the address. NULL: no memory. */
static cf_accounts_share_t *take_share(cf_accounts_t *self, const cf_limit_key_t *address)
{
    cf_accounts_share_t *share = find_share(self, address);
    if (!share && (share = calloc(1, sizeof *share))) {
        share->address = *address;
        HASH_ADD(hh, self->shares, address, sizeof share->address, share);
        if (!share->hh.tbl) {
            free(share);
            return NULL;
        }
    }
    if (share)
        share->taken++;
    return share;
}

static void give_back(cf_accounts_t *self, cf_accounts_share_t *share)
{
    if (--share->taken)
        return;
    HASH_DEL(self->shares, share);
    free(share);
}

cf_operation_t *cf_accounts_begin_hashing(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                                          cf_accounts_step_t step, const cf_limit_key_t *address)
{
    cf_operation_t *op = cf_accounts_begin(self, turn, msg, step);
    cf_credentials_t *credentials = op ? calloc(1, sizeof *credentials) : NULL;
    if (credentials && !(credentials->share = take_share(self, address))) {
        free(credentials);
        credentials = NULL;
    }
    if (op && !credentials) {
        cf_accounts_finish(self, op);
        return NULL;
    }
    if (op) {
        op->credentials = credentials;
        self->hashing++;
    }
    return op;
}

void cf_accounts_end_hashing(cf_accounts_t *self, cf_operation_t *op)
{
    cf_accounts_leave_hasher(self, op);
    if (op->is_waiting)
        wait_no_more(self, op);
    if (!op->credentials)
        return;
    self->hashing--;
    give_back(self, op->credentials->share);
    sodium_memzero(op->credentials, sizeof *op->credentials);
    free(op->credentials);
    op->credentials = NULL;
}

void cf_accounts_keep_password(cf_credentials_t *person, cf_str_t password)
{
    if (password.size)
        memcpy(person->password, password.bytes, password.size);
    person->password_size = password.size;
}

void cf_accounts_want_hasher(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op,
                             cf_accounts_step_t step)
{
    op->step = step;
    op->deadline_us = turn->boot_us + self->config.hash_us;
    wait_for_hasher(self, op);
}

static int least_busy(const cf_accounts_t *self)
{
    int least = 0;
    for (int i = 1; i < self->config.hashers; i++)
        if (self->busy[i] < self->busy[least])
            least = i;
    return least;
}

static void ask_hasher(cf_accounts_t *self, cf_turn_t *turn, cf_operation_t *op, int hasher)
{
    cf_credentials_t *person = op->credentials;
    cf_str_t password = {person->password, person->password_size};
    cf_hash_t hash = {password};
    cf_verify_t verify = {password, (cf_str_t){person->password_hash, person->password_hash_size}};
    bool is_new = op->step == CF_STEP_HASHING;
    wait_no_more(self, op);
    self->busy[hasher]++;
    op->hasher = hasher;
    cf_outbox_trace(turn->out, &op->request.trace);
    int rc = cf_outbox_send(turn->out, cf_accounts_address(turn, CF_ACTOR_HASHER, (uint32_t)hasher),
                            is_new ? CF_MSG_HASH : CF_MSG_VERIFY, op->id, (cf_id_t){0},
                            is_new ? (const void *)&hash : &verify);
    sodium_memzero(person->password, sizeof person->password);
    if (rc < 0)
        cf_accounts_fail(self, turn, op, rc);
}

/* One of each address in turn: who has sent many waits for his own
 * only. The hashers hold no more than keeps them working, as nobody overtakes what they hold. */
void cf_accounts_give_work(cf_accounts_t *self, cf_turn_t *turn)
{
    for (int hasher; self->turn && self->busy[hasher = least_busy(self)] < HASHER_DEPTH;) {
        cf_operation_t *op = self->turn->waiting;
        self->turn = self->turn->next;
        ask_hasher(self, turn, op, hasher);
    }
}

/* The queue is full: whoever has most of it gives up his newest place to one who has less. */
static bool make_room(cf_accounts_t *self, cf_turn_t *turn, const cf_accounts_share_t *asking)
{
    cf_accounts_share_t *largest = NULL;
    uint32_t has = asking ? asking->taken : 0;
    for (cf_accounts_share_t *share = self->shares; share; share = share->hh.next)
        if (share->waiting && (!largest || share->taken > largest->taken))
            largest = share;
    if (!largest || largest->taken <= has + 1)
        return false;
    cf_operation_t *newest = largest->waiting->prev; /* the first of such a list knows the last */
    cf_outbox_refuse(turn->out, &newest->request, CF_EFULL, CF_ACCOUNTS_FULL_RETRY_MS);
    cf_accounts_finish(self, newest);
    return true;
}

/* Whoever sends many has a part of the queue only, so that others need not wait for all of them. */
bool cf_accounts_admit(cf_accounts_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                       const cf_limit_key_t *address)
{
    const cf_accounts_share_t *share = find_share(self, address);
    if ((share && share->taken >= self->config.queue_per_ip) ||
        (self->hashing >= self->config.queue && !make_room(self, turn, share))) {
        cf_outbox_refuse(turn->out, msg, CF_EFULL, CF_ACCOUNTS_FULL_RETRY_MS);
        return false;
    }
    uint32_t wait_ms = cf_bucket_try(&self->permits, &self->limit, turn->boot_us);
    if (wait_ms)
        cf_outbox_refuse(turn->out, msg, CF_ELIMIT, wait_ms);
    return wait_ms == 0;
}
