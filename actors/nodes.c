#include "nodes.h"

#include "err.h"
#include "log.h"
#include "metrics.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/node.h"
#include "wire/observe.h"

#include <stdlib.h>

#define RETRY_US INT64_C(250000) /* after a heartbeat that was not answered */

typedef struct {
    uint32_t number;
    bool is_here;            /* in the view that is being delivered */
    int64_t heard_us;        /* its last BEAT; before that, when it was first seen */
    int64_t sent_us;         /* of that BEAT, on its clock; 0: none has come */
    int64_t echo_us;         /* on ours: what it says of itself was so then or later */
    uint64_t unconfirmed_us; /* that the registry had not answered it for by then */
} other_t;

typedef enum { WAITING, ENTERING, THERE, GONE } phase_t;

struct cf_nodes {
    cf_nodes_config_t config;
    phase_t phase;
    int refused;          /* why the registry did not let it in when it last said so */
    int64_t next_us;      /* what phase wants is done next */
    int64_t tried_us;     /* the last heartbeat */
    int64_t confirmed_us; /* before the last heartbeat that was answered was sent */
    int64_t lease_us;     /* until when this node may speak; LEASE was told of it */
    bool has_view;        /* who was there before this node is among the others, or gone */
    bool has_joined;      /* JOINED was said */
    other_t others[CF_NODES_MAX];
    uint32_t count;
    cf_turn_t *turn;     /* of the heartbeat that is delivering its view, */
    bool has_passed_own; /* in which who entered behind this node is still to come */
};

int cf_nodes_new(cf_nodes_t **out, const cf_nodes_config_t *config)
{
    cf_nodes_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->next_us = INT64_MAX;
    self->refused = CF_EIO;
    *out = self;
    return 0;
}

static bool has_mesh(const cf_nodes_t *self)
{
    return self->config.self.endpoint.size > 0;
}

static cf_address_t supervisor(const cf_turn_t *turn)
{
    return (cf_address_t){cf_outbox_address(turn->out).node, CF_ACTOR_SUPERVISOR, 0};
}

/* --- what others are told ----------------------------------------------------------------------
 */

/* Who is alone needs no leave to speak: an outage of the store must not silence it. */
static void tell_lease(cf_nodes_t *self, cf_turn_t *turn, int64_t until_us)
{
    if (!has_mesh(self) || until_us == self->lease_us)
        return;
    self->lease_us = until_us;
    for (uint32_t i = 0; i < self->config.room_threads; i++) {
        cf_address_t thread = self->config.room_thread;
        thread.index = (uint16_t)i;
        cf_outbox_insist(turn->out, thread, CF_MSG_LEASE, 0, (cf_id_t){0},
                         &(cf_lease_msg_t){until_us});
    }
}

static void tell_here(cf_nodes_t *self, cf_turn_t *turn, const cf_node_t *node)
{
    cf_node_here_t here = {node->number,     node->name,  node->endpoint,
                           node->public_key, node->roles, !self->has_passed_own};
    for (uint32_t i = 0; i < self->config.told_here_count; i++)
        cf_outbox_send(turn->out, self->config.told_here[i], CF_MSG_NODE_HERE, 0, (cf_id_t){0},
                       &here);
}

static void tell_gone(cf_nodes_t *self, cf_turn_t *turn, uint32_t number)
{
    cf_log_warn("a node is gone", CF_UINT("node", number));
    for (uint32_t i = 0; i < self->config.told_count; i++)
        cf_outbox_insist(turn->out, self->config.told[i], CF_MSG_NODE_GONE, 0, (cf_id_t){0},
                         &(cf_node_gone_t){number});
}

static void tell_beat(cf_nodes_t *self, cf_turn_t *turn)
{
    for (uint32_t i = 0; i < self->count; i++) {
        cf_beat_t beat = {.sent_us = turn->boot_us,
                          .echo_us = self->others[i].sent_us,
                          .unconfirmed_us = (uint64_t)(turn->boot_us - self->confirmed_us)};
        cf_outbox_send(turn->out, (cf_address_t){self->others[i].number, CF_ACTOR_NODES, 0},
                       CF_MSG_BEAT, 0, (cf_id_t){0}, &beat);
    }
}

/* --- the view ----------------------------------------------------------------------------------
 */

static other_t *find(cf_nodes_t *self, uint32_t number)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->others[i].number == number)
            return &self->others[i];
    return NULL;
}

static void on_row(void *arg, const cf_node_t *node)
{
    cf_nodes_t *self = arg;
    other_t *other = find(self, node->number);
    if (node->number == self->config.self.number) {
        self->has_passed_own = true;
        return;
    }
    if (!other) {
        if (self->count == CF_NODES_MAX) /* the registry has no room for more */
            return;
        other = &self->others[self->count++];
        *other = (other_t){.number = node->number, .heard_us = self->turn->boot_us};
        cf_log_info("a node is there", CF_UINT("node", node->number), CF_TEXT("name", node->name));
    }
    other->is_here = true;
    if (other->sent_us == 0) /* there may have been no memory for it, here or in the mesh */
        tell_here(self, self->turn, node);
}

static int on_ended(void *arg, const cf_ended_t *ended)
{
    cf_nodes_t *self = arg;
    if (!self->config.has_accounts)
        return 0;
    cf_outbox_t *out = self->turn->out;
    cf_address_t accounts = {cf_outbox_address(out).node, CF_ACTOR_ACCOUNTS, 0};
    cf_session_ended_t session = {.session = ended->id};
    cf_user_ended_t user = {ended->id, ended->asked_us};
    memcpy(session.token_hash, ended->token_hash, sizeof session.token_hash);
    return cf_outbox_send(out, accounts, ended->is_user ? CF_MSG_USER_ENDED : CF_MSG_SESSION_ENDED,
                          0, (cf_id_t){0}, ended->is_user ? (const void *)&user : &session);
}

static void drop_those_not_here(cf_nodes_t *self, cf_turn_t *turn)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->others[i].is_here)
            self->others[kept++] = self->others[i];
        else
            tell_gone(self, turn, self->others[i].number);
    }
    self->count = kept;
}

static bool hears_all(const cf_nodes_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->others[i].echo_us == 0)
            return false;
    return true;
}

static void tell_joined(cf_nodes_t *self, cf_turn_t *turn)
{
    if (!self->has_view || self->has_joined || !has_mesh(self) || !hears_all(self))
        return;
    self->has_joined = true;
    cf_outbox_insist(turn->out, self->config.stats, CF_MSG_JOINED, 0, (cf_id_t){0}, NULL);
}

/* Who was away between two heartbeats, stopped or held up by the registry, may not have heard for that alone: then
 * all begin anew. */
static void excuse_own_absence(cf_nodes_t *self, int64_t boot_us)
{
    bool was_away = boot_us - self->tried_us > self->config.gone_after_us * 2 / 3;
    for (uint32_t i = 0; was_away && i < self->count; i++)
        self->others[i].heard_us = boot_us;
    self->tried_us = boot_us;
}

/* Whom else this node does not hear shows within a heartbeat, and others say it with the next of theirs. */
static void list_unheard(const cf_nodes_t *self, int64_t boot_us, cf_heartbeat_t *heartbeat,
                         uint32_t *unheard)
{
    int64_t waited_us = heartbeat->gone_after_us + 2 * self->config.beat_us;
    for (uint32_t i = 0; i < self->count; i++) {
        int64_t since_us = boot_us - self->others[i].heard_us;
        if (since_us >= heartbeat->gone_after_us)
            unheard[heartbeat->unheard_count++] = self->others[i].number;
        heartbeat->waited |= since_us >= waited_us;
    }
}

static int on_beat(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_nodes_t *self = state;
    cf_beat_t beat;
    int rc = cf_msg_body(&beat, msg, turn->arena);
    other_t *other = rc == 0 ? find(self, msg->from.node) : NULL;
    if (!other)
        return rc;
    if (beat.echo_us > turn->boot_us)
        return CF_ERANGE; /* nobody can have heard what was not said */
    other->heard_us = turn->boot_us;
    other->sent_us = beat.sent_us;
    other->echo_us = beat.echo_us;
    other->unconfirmed_us = beat.unconfirmed_us;
    tell_joined(self, turn);
    return 0;
}

/* --- the lease ---------------------------------------------------------------------------------
 */

/* The registry does not answer. See the head of nodes.h. */
static void prolong(cf_nodes_t *self, cf_turn_t *turn)
{
    int64_t since_us = turn->boot_us;
    for (uint32_t i = 0; i < self->count; i++) {
        const other_t *other = &self->others[i];
        if (other->unconfirmed_us <= (uint64_t)self->config.gone_after_us * 2 / 3)
            return;
        since_us = other->echo_us < since_us ? other->echo_us : since_us;
    }
    if (since_us + self->config.lease_us > self->lease_us)
        tell_lease(self, turn, since_us + self->config.lease_us);
}

static void be_gone(cf_nodes_t *self, cf_turn_t *turn, cf_node_end_t why)
{
    self->phase = GONE;
    cf_log_error("this node was marked gone", CF_UINT("why", why));
    tell_lease(self, turn, turn->boot_us - 1);
    cf_outbox_insist(turn->out, supervisor(turn), CF_MSG_FENCED, 0, (cf_id_t){0},
                     &(cf_fenced_t){why});
}

static void beat(cf_nodes_t *self, cf_turn_t *turn)
{
    uint32_t unheard[CF_NODES_MAX];
    cf_heartbeat_t heartbeat = {.number = self->config.self.number,
                                .gone_after_us = self->config.gone_after_us,
                                .unheard = unheard};
    cf_view_t view = {.node = on_row, .ended = on_ended, .arg = self};
    cf_node_end_t why;
    excuse_own_absence(self, turn->boot_us);
    list_unheard(self, turn->boot_us, &heartbeat, unheard);
    self->turn = turn;
    self->has_passed_own = false;
    for (uint32_t i = 0; i < self->count; i++)
        self->others[i].is_here = false;
    int rc = self->config.registry->ops->beat(self->config.registry, &heartbeat, &view, &why);
    self->next_us = turn->boot_us + (rc < 0 ? RETRY_US : self->config.beat_us);
    if (rc == CF_ESTALE) {
        be_gone(self, turn, why);
        return;
    }
    if (rc == 0) {
        self->confirmed_us = turn->boot_us;
        self->has_view = true;
        drop_those_not_here(self, turn);
        tell_lease(self, turn, turn->boot_us + self->config.lease_us);
        tell_joined(self, turn);
    } else {
        prolong(self, turn);
    }
    tell_beat(self, turn);
}

/* Before anybody can log in. */
static void tell_limit_key(const cf_nodes_t *self, cf_turn_t *turn, cf_id_t key)
{
    cf_limit_secret_t body;
    memcpy(body.bytes, key.bytes, sizeof body.bytes);
    for (uint32_t i = 0; has_mesh(self) && i < self->config.gateways; i++) {
        cf_address_t gateway = self->config.gateway;
        gateway.index = (uint16_t)i;
        cf_outbox_insist(turn->out, gateway, CF_MSG_LIMIT_KEY, 0, (cf_id_t){0}, &body);
    }
}

static void enter(cf_nodes_t *self, cf_turn_t *turn)
{
    cf_entry_t entry = {0};
    int rc = self->config.registry->ops->enter(self->config.registry, &self->config.self,
                                               self->config.gone_after_us, &entry);
    self->next_us = turn->boot_us + RETRY_US;
    bool is_away = rc == CF_EIO || rc == CF_ENOMEM;
    if (is_away || rc == self->refused)
        return;
    self->refused = rc;
    if (rc == 0) {
        self->phase = THERE;
        self->tried_us = self->confirmed_us = self->next_us = turn->boot_us;
        tell_limit_key(self, turn, entry.limit_key);
    } else if (rc == CF_ESTALE) {
        self->phase = GONE; /* no other answer will ever come */
    }
    cf_outbox_insist(
        turn->out, supervisor(turn), CF_MSG_ENTERED, 0, (cf_id_t){0},
        &(cf_entered_t){(uint32_t)-rc, rc == CF_ERANGE ? (uint64_t)entry.gone_after_us : 0});
}

/* --- messages and time -------------------------------------------------------------------------
 */

static int on_store_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_nodes_t *self = state;
    (void)msg;
    if (self->phase == WAITING) {
        self->phase = ENTERING;
        self->next_us = turn->boot_us;
    }
    return 0;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_nodes_t *self = state;
    if (turn->boot_us < self->next_us)
        return self->next_us;
    if (self->phase == ENTERING)
        enter(self, turn);
    else if (self->phase == THERE)
        beat(self, turn);
    bool has_more = self->phase == ENTERING || self->phase == THERE;
    self->next_us = has_more ? self->next_us : INT64_MAX;
    return self->next_us;
}

/* If the registry cannot be told, the others find out by themselves. */
static void drain(void *state, cf_turn_t *turn)
{
    cf_nodes_t *self = state;
    if (self->phase == THERE)
        self->config.registry->ops->leave(self->config.registry, self->config.self.number);
    (void)turn;
    self->phase = GONE;
    cf_actor_drained(self->config.actor);
}

static void destroy(void *state)
{
    cf_nodes_t *self = state;
    self->config.registry->ops->close(self->config.registry);
    free(self);
}

static const cf_handler_t handlers[] = {
    {CF_MSG_STORE_OPENED, on_store_opened},
    {CF_MSG_BEAT, on_beat},
    {0, NULL},
};

const cf_actor_ops_t cf_nodes_ops = {
    .handlers = handlers, .due = due, .drain = drain, .destroy = destroy};
