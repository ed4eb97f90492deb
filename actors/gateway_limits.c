/* gateway_limits.c: how often clients may do something: buckets of their connection, kept with it, and
 * those of their user, address or account, which are the limiter's.
 *
 * A limiter that does not answer lets nobody pass, whatever the kind: it is an actor of this process,
 * and one that hangs turns /livez red; or of another node, and what was asked of that is asked anew when it is gone. */
#include "gateway_routes.h"

#include "clock.h"
#include "rendezvous.h"
#include "wire/limit.h"

#include <sodium.h>

#define LEASE_TOKENS 64 /* at most, beyond what is needed at once */

/* What a connection keeps from request to request. */
typedef struct {
    cf_bucket_t auth, api;
} kept_t;

const size_t cf_limits_lasting_bytes = sizeof(kept_t);

static const cf_http_failure_t failures[] = {{CF_ELIMIT, 429, "Rate limit exceeded"},
                                             {0, 503, "Service unavailable"}};

/* --- keys --------------------------------------------------------------------------------------
 */

/* first has a fixed size for each kind, so two pairs of texts are never one text. */
static cf_limit_key_t key_of(const cf_gateway_t *self, uint32_t kind, const uint8_t first[16],
                             cf_str_t second)
{
    cf_limit_key_t key;
    crypto_generichash_state state;
    crypto_generichash_init(&state, self->config.limit_key, sizeof self->config.limit_key,
                            sizeof key.bytes);
    crypto_generichash_update(&state, (const uint8_t *)&kind, sizeof kind);
    crypto_generichash_update(&state, first, 16);
    crypto_generichash_update(&state, (const uint8_t *)second.bytes, second.size);
    crypto_generichash_final(&state, key.bytes, sizeof key.bytes);
    return key;
}

cf_limit_key_t cf_limits_address_key(const cf_gateway_t *self, const cf_client_t *client)
{
    return key_of(self, CF_LIMIT_ADDRESS, client->exchange->address, (cf_str_t){0});
}

/* --- nodes -------------------------------------------------------------------------------------
 */

/* Where the bucket is, as far as is known here. */
static cf_address_t limiter_of(const cf_gateway_t *self, const cf_limit_key_t *key)
{
    cf_address_t limiter = self->config.limiter;
    cf_id_t id;
    if (self->others.count == 0)
        return limiter;
    memcpy(id.bytes, key->bytes, sizeof id.bytes);
    for (uint32_t i = 0; i < self->others.count; i++)
        cf_rendezvous_prefer(id, &limiter.node, self->others.nodes[i]);
    return limiter;
}

int cf_limits_on_key(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_limit_secret_t secret;
    int rc = cf_msg_body(&secret, msg, turn->arena);
    if (rc < 0)
        return rc;
    memset(self->config.limit_key, 0, sizeof self->config.limit_key);
    memcpy(self->config.limit_key, secret.bytes, sizeof secret.bytes);
    return 0;
}

int cf_limits_on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    return cf_others_here(&self->others, turn, msg, NULL);
}

/* Asked with what it was asked with before; but what was spent of a lease of a bucket that is gone matters to nobody. */
static void take_elsewhere(cf_gateway_t *self, cf_pending_t *pending)
{
    uint32_t want = pending->spender ? pending->spender->wanted : 1;
    cf_take_t body = {.kind = pending->limit,
                      .key = pending->bucket,
                      .want = want,
                      .most = pending->spender ? want + LEASE_TOKENS : want};
    cf_address_t limiter = limiter_of(self, &pending->bucket);
    if (cf_outbox_send(self->out, limiter, CF_MSG_TAKE, pending->corr, (cf_id_t){0}, &body) == 0)
        pending->limiter = limiter.node; /* else it is refused when its time is over */
}

int cf_limits_on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    uint32_t node;
    int rc = cf_others_gone(&self->others, turn, msg, &node);
    if (rc < 0 || node == 0)
        return rc;
    for (cf_pending_t *pending = self->pendings; pending; pending = pending->hh.next)
        if (pending->limiter == node && (pending->client || pending->spender))
            take_elsewhere(self, pending);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static int take(cf_gateway_t *self, cf_client_t *client, cf_limit_kind_t kind, cf_limit_key_t key,
                cf_answer_fn *answer)
{
    cf_pending_t *pending;
    cf_take_t body = {.kind = kind, .key = key, .want = 1, .most = 1};
    cf_address_t limiter = limiter_of(self, &key);
    int rc = cf_gateway_ask_for(self, client, limiter, CF_MSG_TAKE, &body, (cf_id_t){0}, answer,
                                &pending);
    if (rc < 0)
        return rc;
    pending->limit = kind;
    pending->bucket = key;
    pending->limiter = limiter.node;
    return 0;
}

static void on_turn(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending, const cf_msg_t *msg)
{
    if (cf_http_take_answer(self, turn, pending, msg, NULL, failures))
        pending->client->exchange->route->begin(self, pending->client);
}

/* The bucket that this connection itself has for the kind; NULL: the kind is none of a connection's,
 * or its requests come from many clients, by way of a proxy. */
static cf_bucket_t *own_bucket(const cf_client_t *client, uint32_t kind)
{
    kept_t *kept = client->exchange->is_forwarded ? NULL : cf_conn_lasting(client->conn);
    if (!kept)
        return NULL;
    return kind == CF_LIMIT_AUTH ? &kept->auth : kind == CF_LIMIT_API ? &kept->api : NULL;
}

/* False: refused, and told so. */
static bool pass_own(cf_gateway_t *self, cf_client_t *client, uint32_t kind)
{
    const cf_limit_t *limit = &self->config.limits.of[kind];
    cf_bucket_t *bucket = own_bucket(client, kind);
    uint32_t wait_ms =
        bucket && limit->rate ? cf_bucket_try(bucket, limit, client->exchange->began_us) : 0;
    if (!wait_ms)
        return true;
    cf_limit_count_refused(kind, 1);
    cf_http_fail(self, client, 429, failures[0].text, wait_ms);
    return false;
}

/* Whom the limiter is to be asked about; CF_LIMIT_NONE: nobody. */
static uint32_t kind_beyond(const cf_client_t *client, uint32_t kind)
{
    if (client->exchange->is_forwarded || kind == CF_LIMIT_UPGRADES)
        return kind;
    return kind == CF_LIMIT_AUTH ? CF_LIMIT_ADDRESS : CF_LIMIT_NONE;
}

void cf_limits_begin(cf_gateway_t *self, cf_client_t *client)
{
    const cf_exchange_t *exchange = client->exchange;
    uint32_t kind = exchange->route->limit;
    if (kind != CF_LIMIT_NONE && !pass_own(self, client, kind))
        return;
    kind = kind_beyond(client, kind);
    if (kind == CF_LIMIT_NONE || self->config.limits.of[kind].rate == 0) {
        exchange->route->begin(self, client);
        return;
    }
    const uint8_t *who = kind == CF_LIMIT_UPGRADES ? client->user.bytes : exchange->address;
    cf_limit_key_t key = key_of(self, kind, who, (cf_str_t){0});
    cf_http_ask_or_fail(self, client, take(self, client, kind, key, on_turn));
}

/* The time a password takes refills nothing: else a connection whose logins take longer than its
 * bucket refills would never meet its limit. */
void cf_limits_answered(cf_client_t *client)
{
    bool is_auth = client->exchange->route && client->exchange->route->limit == CF_LIMIT_AUTH;
    cf_bucket_t *bucket = is_auth ? own_bucket(client, CF_LIMIT_AUTH) : NULL;
    if (bucket)
        cf_bucket_skip(bucket, cf_boot_us());
}

/* --- logins ------------------------------------------------------------------------------------
 */

/* By the name as it was given, whether somebody has it or not. */
int cf_limits_try_login(cf_gateway_t *self, cf_client_t *client, cf_str_t username,
                        cf_answer_fn *answer)
{
    return take(self, client, CF_LIMIT_LOGINS,
                key_of(self, CF_LIMIT_LOGINS, client->exchange->address, username), answer);
}

bool cf_limits_may_login(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                         const cf_msg_t *msg)
{
    if (!pending->client && msg->type == CF_MSG_GRANTED)
        cf_limits_give_back_login(self, pending);
    return cf_http_take_answer(self, turn, pending, msg, NULL, failures);
}

void cf_limits_give_back_login(cf_gateway_t *self, const cf_pending_t *pending)
{
    cf_give_back_t body = {CF_LIMIT_LOGINS, pending->bucket, 1};
    if (pending->limit == CF_LIMIT_LOGINS) /* without memory for it, one try less for a while */
        cf_outbox_send(self->out, limiter_of(self, &body.key), CF_MSG_GIVE_BACK, 0, (cf_id_t){0},
                       &body);
}

/* --- frames ------------------------------------------------------------------------------------
 *
 * All sockets that a user has here spend of one lease, so he gets what his limit says and not a token
 * less. A frame that finds no token waits, and those behind it with it: there is one queue for the
 * user, so each socket's frames keep their order, commands among posts. What waits holds its credit,
 * which bounds it. One TAKE is on its way at a time, for as many frames as wait at its head; when it
 * is refused they are, and those that came after them ask anew. */

static cf_lease_t *lease_of(cf_user_sockets_t *user, cf_limit_kind_t kind)
{
    return kind == CF_LIMIT_COMMANDS ? &user->commands : &user->posts;
}

/* Takes the first frame out of the queue, where `next` followed it. */
static void shift(cf_user_sockets_t *user, cf_pending_t *next)
{
    user->waiting->spender = NULL;
    user->waiting = next;
    user->last = next ? user->last : NULL;
    user->asked -= user->asked > 0;
}

/* Sends the first frame. False: there is no memory, and it waits on. */
static bool goes(cf_gateway_t *self, cf_user_sockets_t *user)
{
    cf_pending_t *frame = user->waiting, *next = frame->next_held; /* the place has a list too */
    cf_gateway_speak_of(frame->client);
    if (cf_place_send(self, frame->client->place, frame) < 0)
        return false;
    shift(user, next);
    return true;
}

static bool may_spend(const cf_gateway_t *self, cf_user_sockets_t *user, cf_limit_kind_t kind,
                      int64_t now_us)
{
    return self->config.limits.of[kind].rate == 0 || cf_lease_has(lease_of(user, kind), now_us);
}

static cf_limit_key_t key_of_user(const cf_gateway_t *self, const cf_user_sockets_t *user,
                                  cf_limit_kind_t kind)
{
    return key_of(self, kind, user->user.bytes, (cf_str_t){0});
}

static int settle(cf_gateway_t *self, cf_limit_kind_t kind, cf_limit_key_t key, cf_spent_t spent)
{
    cf_settle_t body = {kind, key, spent};
    return cf_outbox_send(self->out, limiter_of(self, &key), CF_MSG_SETTLE, 0, (cf_id_t){0}, &body);
}

static cf_answer_fn on_spend;

/* For the frames at the head of the queue. Without memory they wait on, see cf_limits_second(). */
static void ask(cf_gateway_t *self, cf_user_sockets_t *user, int64_t now_us)
{
    cf_limit_kind_t kind = user->waiting->limit;
    cf_lease_t *lease = lease_of(user, kind);
    cf_take_t body = {.kind = kind,
                      .key = key_of_user(self, user, kind),
                      .spent = cf_lease_spent(lease, &self->config.limits.of[kind], now_us)};
    for (const cf_pending_t *frame = user->waiting; frame && frame->limit == kind;
         frame = frame->next_held)
        if (body.want < CF_TAKE_MAX - LEASE_TOKENS)
            body.want++;
    body.most = body.want + LEASE_TOKENS;
    cf_pending_t *pending = cf_gateway_pend(self, NULL, CF_MSG_TAKE, on_spend);
    if (!pending)
        return;
    cf_address_t limiter = limiter_of(self, &body.key);
    if (cf_outbox_send(self->out, limiter, CF_MSG_TAKE, pending->corr, (cf_id_t){0}, &body) < 0) {
        cf_gateway_drop_pending(self, pending);
        return;
    }
    pending->limit = kind;
    pending->bucket = body.key;
    pending->limiter = limiter.node;
    pending->spender = user;
    user->take = pending;
    user->asked = user->wanted = body.want;
    *lease = (cf_lease_t){0};
}

/* Sends what may be sent, and asks for the rest. */
static void advance(cf_gateway_t *self, cf_user_sockets_t *user, int64_t now_us)
{
    while (user->waiting && may_spend(self, user, user->waiting->limit, now_us)) {
        cf_limit_kind_t kind = user->waiting->limit;
        if (!goes(self, user))
            return;
        cf_lease_spend(lease_of(user, kind), &self->config.limits.of[kind], now_us);
    }
    if (user->waiting && !user->take)
        ask(self, user, now_us);
}

/* As many as it asked for go ahead, however late the answer is; the rest is a lease. A token whose frame is gone
 * goes to the next one that waits. If there is none it is lost: nobody withholds it, so later it would come on
 * top of the limit. */
static void on_granted(cf_gateway_t *self, const cf_pending_t *take, cf_user_sockets_t *user,
                       const cf_granted_t *granted)
{
    cf_lease_t *lease = lease_of(user, take->limit);
    uint32_t wanted = user->wanted < granted->tokens ? user->wanted : granted->tokens;
    cf_lease_begin(lease, granted, wanted, take->sent_us);
    while (wanted && user->waiting && user->waiting->limit == take->limit && goes(self, user))
        wanted--;
}

static void on_refused(cf_gateway_t *self, cf_turn_t *turn, cf_user_sockets_t *user,
                       const cf_msg_t *msg)
{
    while (user->asked) {
        cf_pending_t *frame = user->waiting;
        shift(user, frame->next_held);
        cf_gateway_speak_of(frame->client);
        cf_log_trace(&frame->trace);
        frame->answer(self, turn, frame, msg);
        cf_gateway_tell_asked(self, frame, msg);
        cf_gateway_drop_pending(self, frame);
    }
}

static void on_spend(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                     const cf_msg_t *msg)
{
    cf_user_sockets_t *user = pending->spender;
    cf_granted_t granted;
    bool is_granted = msg->type == CF_MSG_GRANTED && cf_turn_read(turn, msg, &granted) == 0;
    if (!user) { /* he went meanwhile */
        if (is_granted && granted.lease)
            settle(self, pending->limit, pending->bucket, (cf_spent_t){.lease = granted.lease});
        return;
    }
    pending->spender = NULL;
    user->take = NULL;
    if (is_granted)
        on_granted(self, pending, user, &granted);
    else if (msg->type == CF_MSG_REFUSED)
        on_refused(self, turn, user, msg);
    user->asked = 0;
    if (is_granted || msg->type == CF_MSG_REFUSED) /* else as if there had been no answer */
        advance(self, user, turn->boot_us);
}

void cf_limits_spend(cf_gateway_t *self, cf_pending_t *frame, cf_limit_kind_t kind)
{
    cf_user_sockets_t *user = frame->client->sockets;
    frame->limit = kind;
    frame->spender = user;
    *(user->last ? &user->last->next_held : &user->waiting) = frame;
    user->last = frame;
    advance(self, user, frame->sent_us);
}

void cf_limits_drop(cf_pending_t *pending)
{
    cf_user_sockets_t *user = pending->spender;
    pending->spender = NULL;
    if (user->take ==
        pending) { /* nobody answered it; the frames are older, and are given up too */
        user->take = NULL;
        user->asked = 0;
        return;
    }
    uint32_t index = 0;
    cf_pending_t *before = NULL;
    for (cf_pending_t *at = user->waiting; at != pending; at = at->next_held, index++)
        before = at;
    *(before ? &before->next_held : &user->waiting) = pending->next_held;
    user->last = user->last == pending ? before : user->last;
    user->asked -= index < user->asked;
}

static void settle_lease(cf_gateway_t *self, cf_user_sockets_t *user, cf_limit_kind_t kind,
                         int64_t now_us)
{
    cf_lease_t *lease = lease_of(user, kind);
    if (cf_lease_is_open(lease) &&
        settle(self, kind, key_of_user(self, user, kind),
               cf_lease_spent(lease, &self->config.limits.of[kind], now_us)) == 0)
        *lease = (cf_lease_t){0};
}

void cf_limits_gone(cf_gateway_t *self, cf_user_sockets_t *user)
{
    for (cf_pending_t *frame = user->waiting, *next; frame; frame = next) {
        next = frame->next_held;
        if (!frame->client) /* nobody waits for it, and it was not sent */
            cf_gateway_drop_pending(self, frame);
    }
    if (user->count)
        return;
    if (user->take)
        user->take->spender = NULL;
    settle_lease(self, user, CF_LIMIT_POSTS, cf_boot_us());
    settle_lease(self, user, CF_LIMIT_COMMANDS, cf_boot_us());
}

/* A lease that is over is settled by the user's next TAKE, and alone if there is none for a while: at once it would
 * be a message more for each lease of all who go on posting. */
void cf_limits_second(cf_gateway_t *self, int64_t boot_us)
{
    for (cf_user_sockets_t *user = self->users; user; user = user->hh.next) {
        if (boot_us >= user->posts.until_us + self->config.lease_kept_us)
            settle_lease(self, user, CF_LIMIT_POSTS, boot_us);
        if (boot_us >= user->commands.until_us + self->config.lease_kept_us)
            settle_lease(self, user, CF_LIMIT_COMMANDS, boot_us);
        advance(self, user, boot_us); /* there was no memory to ask, or no answer */
    }
    cf_gateway_speak_of(NULL);
}
