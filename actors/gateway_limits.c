/* gateway_limits.c: how often clients may do something: buckets of their connection, kept with it, and
 * those of their user, address or account, which are the limiter's.
 *
 * A limiter that does not answer lets nobody pass, whatever the kind: it is an actor of this process,
 * and one that hangs turns /livez red. */
#include "gateway_routes.h"

#include "clock.h"
#include "wire/limit.h"

#include <sodium.h>

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

/* --- requests ----------------------------------------------------------------------------------
 */

static int take(cf_gateway_t *self, cf_client_t *client, uint32_t kind, const cf_limit_key_t *key,
                cf_answer_fn *answer, cf_pending_t **out)
{
    cf_take_t body = {.kind = kind, .key = *key, .want = 1, .most = 1};
    return cf_gateway_ask_for(self, client, self->config.limiter, CF_MSG_TAKE, &body, (cf_id_t){0},
                              answer, out);
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
    cf_limit_count_refused(kind);
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
    cf_pending_t *ignored;
    const uint8_t *who = kind == CF_LIMIT_UPGRADES ? client->user.bytes : exchange->address;
    cf_limit_key_t key = key_of(self, kind, who, (cf_str_t){0});
    cf_http_ask_or_fail(self, client, take(self, client, kind, &key, on_turn, &ignored));
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
    cf_pending_t *pending;
    cf_limit_key_t key = key_of(self, CF_LIMIT_LOGINS, client->exchange->address, username);
    int rc = take(self, client, CF_LIMIT_LOGINS, &key, answer, &pending);
    if (rc < 0)
        return rc;
    pending->account = key;
    pending->holds_login = true;
    return 0;
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
    cf_give_back_t body = {CF_LIMIT_LOGINS, pending->account, 1};
    if (pending->holds_login) /* without memory for it, one try less for a while */
        cf_outbox_send(self->out, self->config.limiter, CF_MSG_GIVE_BACK, 0, (cf_id_t){0}, &body);
}
