#include "supervisor.h"

#include "accounts.h"
#include "clock.h"
#include "control.h"
#include "descriptors.h"
#include "err.h"
#include "gateway.h"
#include "hasher.h"
#include "limiter.h"
#include "lobby.h"
#include "log.h"
#include "mesh.h"
#include "nodes.h"
#include "others.h"
#include "reader.h"
#include "roles.h"
#include "rooms.h"
#include "stats.h"
#include "stockbot.h"
#include "storage.h"
#include "store_choice.h"
#include "sweeper.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/observe.h"
#include "wire/room.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define MESH_HANDSHAKE_MS 10000
#define OBSERVER_CONNECTIONS 64 /* scrapers and probes */
#define SHARES 32               /* of shutdown.timeout */
#define BOT_DRAIN_SHARES 2      /* twice: for quotes under way, and for the store */

/* What the supervisor does in turn. Each step sends one message to all actors of one kind and waits
 * for their answers, until so many shares of shutdown.timeout are over; what a step leaves is the
 * next one's. Who has not drained by then is gone past: what is acknowledged is stored, and to stop
 * in order is better than to drain for ever. Who has not stopped by then ends the process. */
typedef struct {
    uint16_t type; /* DRAIN, CLOSE or STOP */
    uint16_t kind;
    uint8_t until;
} step_t;

static const step_t steps[] = {
    {CF_MSG_DRAIN, CF_ACTOR_STATS, 1},        {CF_MSG_DRAIN, CF_ACTOR_CONTROL, 2},
    {CF_MSG_DRAIN, CF_ACTOR_LOBBY, 6},    /* rooms move while their members are still here */
    {CF_MSG_DRAIN, CF_ACTOR_STOCKBOT, 9}, /* so that no gateway waits for a slow quote service */
    {CF_MSG_DRAIN, CF_ACTOR_GATEWAY, 15},     {CF_MSG_CLOSE, CF_ACTOR_GATEWAY, 20},
    {CF_MSG_DRAIN, CF_ACTOR_ROOMS, 22},       {CF_MSG_DRAIN, CF_ACTOR_STORAGE, 25},
    {CF_MSG_DRAIN, CF_ACTOR_MESH, 26},  /* while the others still know this node */
    {CF_MSG_DRAIN, CF_ACTOR_NODES, 27}, /* nothing is written any more: others may have the rooms */
    {CF_MSG_STOP, CF_ACTOR_NODES, SHARES},    {CF_MSG_STOP, CF_ACTOR_MESH, SHARES},
    {CF_MSG_STOP, CF_ACTOR_CONTROL, SHARES},  {CF_MSG_STOP, CF_ACTOR_SWEEPER, SHARES},
    {CF_MSG_STOP, CF_ACTOR_LOBBY, SHARES},    {CF_MSG_STOP, CF_ACTOR_ROOMS, SHARES},
    {CF_MSG_STOP, CF_ACTOR_STOCKBOT, SHARES}, {CF_MSG_STOP, CF_ACTOR_ACCOUNTS, SHARES},
    {CF_MSG_STOP, CF_ACTOR_HASHER, SHARES},   {CF_MSG_STOP, CF_ACTOR_READER, SHARES},
    {CF_MSG_STOP, CF_ACTOR_STORAGE, SHARES},  {CF_MSG_STOP, CF_ACTOR_LIMITER, SHARES},
    {CF_MSG_STOP, CF_ACTOR_STATS, SHARES},
}; /* then the gateways, by join_all() */
#define STEPS (sizeof steps / sizeof steps[0])

typedef struct {
    const cf_config_t *config;
    cf_bus_t bus;
    uint32_t roles;      /* bits, base/roles.h */
    cf_actor_t **actors; /* every actor but the supervisor, in order of making */
    cf_address_t *addresses;
    cf_address_t *told; /* of nodes that are gone; owned, borrowed by the actor that tells them */
    cf_address_t mesh;  /* which is told of nodes that are there */
    const char *endpoint, *public_key; /* of the mesh, which owns them; empty: there is none */
    uint32_t count, started, cap;
    cf_actor_t *self;
    int signals;
    int port;
    uint32_t opened; /* storage and readers that have the store */
    bool is_node;    /* the registry has this process */
    int64_t start_us;
    bool stopping;
    bool begins_anew; /* behind that */
    cf_others_t others;
    size_t step;
    uint32_t awaited;                        /* answers to the current step */
    uint64_t reload;                         /* number of the newest SIGHUP */
    uint32_t reload_awaited, reload_refused; /* gateways' answers to it */
    int64_t stopping_us;                     /* when that began */
    int64_t step_until_us;
    int exit_code;
    cf_password_policy_t *passwords; /* owned */
    cf_own_pages_t *pages;           /* owned; NULL: the built-in one */
    cf_local_server_t *control;      /* owned until its actor is made; NULL: there is none */
    char url[CF_STORE_URL_MAX];
} supervisor_t;

static int64_t shares_us(const supervisor_t *self, int64_t shares)
{
    return self->config->shutdown_timeout_ms * 1000 * shares / SHARES;
}

/* SQLite is one process's own: nobody else can be there. */
static bool has_registry(const supervisor_t *self)
{
    return cf_config_is_shared_store(self->url);
}

static bool has_role(const supervisor_t *self, cf_role_t role)
{
    return (self->roles & role) != 0;
}

/* --- making actors -----------------------------------------------------------------------------
 */

static cf_address_t address_of(const supervisor_t *self, uint16_t kind, uint16_t index)
{
    return (cf_address_t){self->bus.node, kind, index};
}

/* Inboxes first: an actor may send to any other from its first turn on. */
static int add_actors(supervisor_t *self, uint16_t kind, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        cf_address_t address = address_of(self, kind, (uint16_t)i);
        int rc = cf_actor_new(&self->actors[self->count], &self->bus, address);
        if (rc < 0)
            return rc;
        self->addresses[self->count++] = address;
    }
    return 0;
}

static cf_actor_t *actor_of(const supervisor_t *self, uint16_t kind, uint32_t index)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == kind && self->addresses[i].index == index)
            return self->actors[i];
    return NULL;
}

static int add_all(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    const struct {
        uint16_t kind;
        uint32_t roles; /* that need it */
        int n;
    } kinds[] = {
        {CF_ACTOR_STATS, CF_ROLES_ALL, 1},
        {CF_ACTOR_STORAGE, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_READER, CF_ROLE_ROOMS, config->store_readers},
        {CF_ACTOR_HASHER, CF_ROLE_ROOMS, config->auth_hash_workers},
        {CF_ACTOR_ACCOUNTS, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_SWEEPER, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_NODES, CF_ROLES_ALL, has_registry(self) ? 1 : 0},
        {CF_ACTOR_MESH, CF_ROLES_ALL, self->bus.has_mesh ? 1 : 0},
        {CF_ACTOR_LOBBY, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_LIMITER, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_STOCKBOT, CF_ROLE_STOCKBOT, 1},
        {CF_ACTOR_CONTROL, CF_ROLE_ROOMS, self->control ? 1 : 0},
        {CF_ACTOR_ROOMS, CF_ROLE_ROOMS, config->rooms_threads_max},
        {CF_ACTOR_OBSERVER, CF_ROLES_ALL, config->metrics_listen[0] ? 1 : 0},
        {CF_ACTOR_GATEWAY, CF_ROLE_ROOMS, config->gateway_count},
    };
    size_t n = sizeof kinds / sizeof kinds[0];
    for (size_t i = 0; i < n; i++)
        if (kinds[i].roles & self->roles)
            self->cap += (uint32_t)kinds[i].n;
    self->actors = calloc(self->cap, sizeof *self->actors);
    self->addresses = calloc(self->cap, sizeof *self->addresses);
    self->told = calloc(self->cap, sizeof *self->told);
    int rc = self->actors && self->addresses && self->told ? 0 : CF_ENOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (kinds[i].roles & self->roles)
            rc = add_actors(self, kinds[i].kind, (uint32_t)kinds[i].n);
    return rc;
}

static int start(supervisor_t *self, uint16_t kind, uint32_t index, const cf_actor_ops_t *ops,
                 void *state, cf_sched_t sched, size_t stack)
{
    int rc = cf_actor_start(actor_of(self, kind, index), ops, state,
                            &(cf_actor_options_t){.sched = sched, .stack = stack});
    if (rc == 0)
        self->started++;
    return rc;
}

static cf_store_link_config_t link_config(supervisor_t *self, cf_actor_t *actor,
                                          cf_store_role_t role)
{
    return (cf_store_link_config_t){.actor = actor,
                                    .url = self->url,
                                    .role = role,
                                    .statement_ms = (int)self->config->store_statement_timeout_ms,
                                    .key_ttl_us = self->config->store_key_ttl_ms * 1000,
                                    .connection_ttl_us =
                                        self->config->store_connection_ttl_ms * 1000,
                                    .is_held = role == CF_STORE_READER};
}

static int start_stats(supervisor_t *self)
{
    cf_stats_t *stats;
    cf_stats_config_t config = {.actor = actor_of(self, CF_ACTOR_STATS, 0),
                                .targets = self->addresses + 1, /* stats itself is the first */
                                .n = self->count - 1,
                                .version = CF_VERSION,
                                .is_joining = self->bus.has_mesh,
                                .has_store = has_role(self, CF_ROLE_ROOMS)};
    int rc = cf_stats_new(&stats, &config);
    return rc < 0 ? rc : start(self, CF_ACTOR_STATS, 0, &cf_stats_ops, stats, CF_SCHED_NORMAL, 0);
}

static int start_storage(supervisor_t *self)
{
    cf_storage_t *storage;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_STORAGE, 0);
    cf_storage_config_t config = {.link = link_config(self, actor, CF_STORE_WRITER),
                                  .batch_rows = (uint32_t)self->config->storage_batch_rows,
                                  .batch_bytes = (uint32_t)self->config->storage_batch_bytes};
    int rc = cf_storage_new(&storage, &config);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_STORAGE, 0, &cf_storage_ops, storage, CF_SCHED_NORMAL,
                          CF_SUPERVISOR_DEEP_STACK);
}

static int start_readers(supervisor_t *self)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < self->config->store_readers; i++) {
        cf_reader_t *reader;
        cf_actor_t *actor = actor_of(self, CF_ACTOR_READER, (uint32_t)i);
        rc = cf_reader_new(&reader, &(cf_reader_config_t){link_config(self, actor, CF_STORE_READER),
                                                          self->config->store_gather_ms * 1000,
                                                          self->config->store_replica_url});
        if (rc == 0)
            rc = start(self, CF_ACTOR_READER, (uint32_t)i, &cf_reader_ops, reader, CF_SCHED_NORMAL,
                       CF_SUPERVISOR_DEEP_STACK);
    }
    return rc;
}

static int start_accounts(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_password_policy_config_t passwords = {.length_min =
                                                 (uint32_t)config->auth_password_length_min,
                                             .like_name = config->auth_password_like_name,
                                             .deny_file = config->auth_password_deny_file};
    int rc = cf_password_policy_new(&self->passwords, &passwords);
    for (int i = 0; rc == 0 && i < config->auth_hash_workers; i++) {
        cf_hasher_t *hasher;
        rc = cf_hasher_new(
            &hasher, &(cf_hasher_config_t){.actor = actor_of(self, CF_ACTOR_HASHER, (uint32_t)i),
                                           .passes = (uint32_t)config->auth_argon2_passes,
                                           .memory_kib = (uint32_t)config->auth_argon2_memory_kib});
        if (rc == 0)
            rc = start(self, CF_ACTOR_HASHER, (uint32_t)i, &cf_hasher_ops, hasher, CF_SCHED_LOW, 0);
    }
    cf_accounts_t *accounts;
    cf_accounts_config_t accounts_config = {.gateways = (uint16_t)config->gateway_count,
                                            .readers = (uint16_t)config->store_readers,
                                            .hashers = (uint16_t)config->auth_hash_workers,
                                            .queue = (uint32_t)config->auth_hash_queue,
                                            .queue_per_ip =
                                                (uint32_t)config->auth_hash_queue_per_ip,
                                            .hash_us = config->auth_hash_timeout_ms * 1000,
                                            .rate = (uint32_t)config->auth_hash_rate,
                                            .sessions = (uint32_t)config->auth_session_cache,
                                            .answer_us = config->auth_answer_timeout_ms * 1000,
                                            .session_ttl_us = config->auth_session_ttl_ms * 1000,
                                            .passwords = self->passwords};
    if (rc == 0)
        rc = cf_accounts_new(&accounts, &accounts_config);
    return rc < 0
               ? rc
               : start(self, CF_ACTOR_ACCOUNTS, 0, &cf_accounts_ops, accounts, CF_SCHED_NORMAL, 0);
}

static int start_sweeper(supervisor_t *self)
{
    cf_sweeper_t *sweeper;
    cf_sweeper_config_t config = {.first_us = SECOND_US,
                                  .interval_us = self->config->sweeper_interval_ms * 1000,
                                  .key_ttl_us = self->config->store_key_ttl_ms * 1000,
                                  .dead_letters_ttl_us =
                                      self->config->sweeper_dead_letters_ttl_ms * 1000,
                                  .posts_ttl_us = self->config->sweeper_posts_ttl_ms * 1000};
    int rc = cf_sweeper_new(&sweeper, &config);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_SWEEPER, 0, &cf_sweeper_ops, sweeper, CF_SCHED_NORMAL, 0);
}

/* With a mesh, that tells room threads and lobby, and the lobby the gateways. */
static uint32_t list_told(supervisor_t *self)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        uint16_t kind = self->addresses[i].kind;
        if (self->bus.has_mesh ? kind == CF_ACTOR_MESH
                               : kind == CF_ACTOR_ROOMS || kind == CF_ACTOR_LOBBY)
            self->told[n++] = self->addresses[i];
    }
    return n;
}

/* Who speaks to other nodes by itself. */
static const cf_mesh_told_t told_by_mesh[] = {
    {CF_ACTOR_LOBBY, CF_ROLE_ROOMS},    {CF_ACTOR_ACCOUNTS, CF_ROLE_ROOMS},
    {CF_ACTOR_LIMITER, CF_ROLE_ROOMS},  {CF_ACTOR_SWEEPER, CF_ROLE_ROOMS},
    {CF_ACTOR_ROOMS, CF_ROLE_STOCKBOT}, {CF_ACTOR_SUPERVISOR, CF_ROLE_ROOMS}};

static int start_mesh(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_mesh_t *mesh;
    cf_mesh_config_t mesh_config = {.actor = actor_of(self, CF_ACTOR_MESH, 0),
                                    .bus = &self->bus,
                                    .curve = {.listen = config->mesh_listen,
                                              .secret_key = config->mesh_secret_key,
                                              .allowed = config->mesh_allowed_keys.items,
                                              .allowed_count = config->mesh_allowed_keys.count,
                                              .handshake_ms = MESH_HANDSHAKE_MS,
                                              .heartbeat_ms = (int)config->node_heartbeat_ms,
                                              .silence_ms = (int)config->node_gone_after_ms},
                                    .peers = config->mesh_peers,
                                    .queue_max = config->mesh_queue_max_bytes,
                                    .told = told_by_mesh,
                                    .told_count = sizeof told_by_mesh / sizeof told_by_mesh[0]};
    for (uint32_t i = 0; i < self->count; i++)
        mesh_config.actors[self->addresses[i].kind]++;
    mesh_config.actors[CF_ACTOR_SUPERVISOR] =
        1; /* to be told: nothing from another node is for it */
    int rc = cf_mesh_new(&mesh, &mesh_config);
    if (rc < 0)
        return rc;
    self->public_key = cf_mesh_public_key(mesh);
    self->endpoint = config->mesh_endpoint[0] ? config->mesh_endpoint : cf_mesh_endpoint(mesh);
    return start(self, CF_ACTOR_MESH, 0, &cf_mesh_ops, mesh, CF_SCHED_NORMAL, 0);
}

static int start_nodes(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_NODES, 0);
    self->mesh = address_of(self, CF_ACTOR_MESH, 0);
    cf_nodes_config_t nodes_config = {
        .actor = actor,
        .self = {.number = self->bus.node,
                 .name = cf_str(config->node_name),
                 .endpoint = cf_str(self->endpoint),
                 .public_key = cf_str(self->public_key),
                 .version = CF_MSG_VERSION,
                 .roles = self->roles},
        .beat_us = config->node_heartbeat_ms * 1000,
        .gone_after_us = config->node_gone_after_ms * 1000,
        .lease_us = config->node_gone_after_ms * 1000 * 5 / 6,
        .told = self->told,
        .told_count = list_told(self),
        .has_accounts = has_role(self, CF_ROLE_ROOMS),
        .told_here = &self->mesh,
        .told_here_count = self->bus.has_mesh ? 1 : 0,
        .stats = address_of(self, CF_ACTOR_STATS, 0),
        .room_thread = address_of(self, CF_ACTOR_ROOMS, 0),
        .room_threads = (uint32_t)config->rooms_threads_max,
        .gateway = address_of(self, CF_ACTOR_GATEWAY, 0),
        .gateways = has_role(self, CF_ROLE_ROOMS) ? (uint32_t)config->gateway_count : 0};
    cf_store_config_t store_config = {.url = self->url,
                                      .statement_ms = (int)config->node_heartbeat_ms,
                                      .connection_ttl_us = config->store_connection_ttl_ms * 1000,
                                      .wait = {cf_actor_wait, actor}};
    cf_nodes_t *nodes;
    int rc = cf_postgres_registry_open(&nodes_config.registry, &store_config);
    if (rc == 0 && (rc = cf_nodes_new(&nodes, &nodes_config)) < 0)
        nodes_config.registry->ops->close(nodes_config.registry);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_NODES, 0, &cf_nodes_ops, nodes, CF_SCHED_NORMAL,
                          CF_SUPERVISOR_DEEP_STACK);
}

static int start_stockbot(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_http_client_t *client;
    cf_stockbot_t *bot;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_STOCKBOT, 0);
    int rc = cf_http_client_new(
        &client, &(cf_http_client_config_t){.requests_max = (uint32_t)config->stock_in_flight_max,
                                            .body_max = config->stock_body_max_bytes,
                                            .trusted = config->stock_url,
                                            .agent = "confab/" CF_VERSION});
    if (rc < 0)
        return rc;
    cf_stockbot_config_t bot_config = {.url = config->stock_url,
                                       .attempt_us = config->stock_attempt_timeout_ms * 1000,
                                       .deadline_us = config->stock_deadline_ms * 1000,
                                       .pause_us = config->stock_pause_ms * 1000,
                                       .drain_us = shares_us(self, BOT_DRAIN_SHARES),
                                       .attempts = (uint32_t)config->stock_attempts,
                                       .in_flight_max = (uint32_t)config->stock_in_flight_max,
                                       .queue_max = (uint32_t)config->stock_queue_max,
                                       .breaker_failures = (uint32_t)config->stock_breaker_failures,
                                       .breaker_us = config->stock_breaker_pause_ms * 1000,
                                       .cache_us = config->stock_cache_ms * 1000,
                                       .cache_not_found_us =
                                           config->stock_cache_not_found_ms * 1000,
                                       .random = randombytes_uniform,
                                       .http_ops = &cf_stockbot_http,
                                       .http = client,
                                       .actor = actor};
    rc = cf_stockbot_new(&bot, &bot_config);
    if (rc < 0) {
        cf_http_client_destroy(&client);
        return rc;
    }
    cf_actor_watch(actor, cf_http_client_fd(client), cf_stockbot_readable);
    return start(self, CF_ACTOR_STOCKBOT, 0, &cf_stockbot_ops, bot, CF_SCHED_NORMAL,
                 CF_SUPERVISOR_DEEP_STACK);
}

static int start_limiter(supervisor_t *self)
{
    cf_limiter_t *limiter;
    cf_limiter_config_t config = {.limits = cf_limits_of(self->config),
                                  .buckets_max = (uint32_t)self->config->limits_buckets_max};
    int rc = cf_limiter_new(&limiter, &config);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_LIMITER, 0, &cf_limiter_ops, limiter, CF_SCHED_NORMAL, 0);
}

static int start_lobby(supervisor_t *self)
{
    cf_lobby_t *lobby;
    cf_lobby_config_t config = {.thread_count = (uint32_t)self->config->rooms_threads_max,
                                .gateway_count = (uint32_t)self->config->gateway_count,
                                .node = self->bus.node,
                                .node_name = self->config->node_name,
                                .moving_max = CF_ROOMS_MOVING_MAX,
                                .actor = actor_of(self, CF_ACTOR_LOBBY, 0),
                                .hints_max = CF_LOBBY_HINTS_MAX,
                                .away_max = CF_LOBBY_AWAY_MAX,
                                .lookups_max = CF_LOBBY_LOOKUPS_MAX};
    for (uint32_t i = 0; i < config.thread_count; i++)
        config.threads[i] = address_of(self, CF_ACTOR_ROOMS, (uint16_t)i);
    for (uint32_t i = 0; i < config.gateway_count; i++)
        config.gateways[i] = address_of(self, CF_ACTOR_GATEWAY, (uint16_t)i);
    int rc = cf_lobby_new(&lobby, &config);
    return rc < 0 ? rc : start(self, CF_ACTOR_LOBBY, 0, &cf_lobby_ops, lobby, CF_SCHED_NORMAL, 0);
}

static int start_rooms(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_room_config_t room = {.ring_events = (uint32_t)config->rooms_ring_posts,
                             .ring_bytes = config->rooms_ring_bytes,
                             .queue_posts = (uint32_t)config->rooms_queue_posts,
                             .queue_bytes = config->rooms_queue_bytes,
                             .commands_max = (uint32_t)config->rooms_commands_max,
                             .members_cache = (uint32_t)config->rooms_members_cache,
                             .roster_max = (uint32_t)config->rooms_roster_max,
                             .crowd = (uint32_t)config->rooms_crowd,
                             .crowd_pause_us = config->rooms_crowd_pause_ms * 1000,
                             .verdict_timeout_us = config->rooms_verdict_timeout_ms * 1000,
                             .answer_us = config->rooms_answer_timeout_ms * 1000,
                             .idle_us = config->rooms_idle_ms * 1000,
                             .posts_ttl_us = config->sweeper_posts_ttl_ms * 1000,
                             .command_us = config->stock_deadline_ms * 1000,
                             .lobby = address_of(self, CF_ACTOR_LOBBY, 0),
                             .storage = address_of(self, CF_ACTOR_STORAGE, 0),
                             .bot = has_role(self, CF_ROLE_STOCKBOT)
                                        ? address_of(self, CF_ACTOR_STOCKBOT, 0)
                                        : (cf_address_t){0},
                             .reader = address_of(self, CF_ACTOR_READER, 0),
                             .readers = (uint32_t)config->store_readers};
    int rc = 0;
    for (int i = 0; rc == 0 && i < config->rooms_threads_max; i++) {
        cf_rooms_t *rooms;
        rc = cf_rooms_new(&rooms, &room, (uint64_t)config->rooms_window_events,
                          config->rooms_window_bytes, actor_of(self, CF_ACTOR_ROOMS, (uint32_t)i));
        if (rc == 0)
            rc = start(self, CF_ACTOR_ROOMS, (uint32_t)i, &cf_rooms_ops, rooms, CF_SCHED_BATCH,
                       CF_SUPERVISOR_STACK);
    }
    return rc;
}

static int start_control(supervisor_t *self)
{
    cf_control_t *control;
    cf_control_config_t config = {.server = self->control,
                                  .room_thread = address_of(self, CF_ACTOR_ROOMS, 0),
                                  .room_threads = (uint32_t)self->config->rooms_threads_max,
                                  .accounts = address_of(self, CF_ACTOR_ACCOUNTS, 0),
                                  .lobby = address_of(self, CF_ACTOR_LOBBY, 0),
                                  .reader = address_of(self, CF_ACTOR_READER, 0),
                                  .storage = address_of(self, CF_ACTOR_STORAGE, 0),
                                  .replay_us =
                                      self->config->stock_deadline_ms * 1000 + CF_CONTROL_REPLAY_US,
                                  .actor = actor_of(self, CF_ACTOR_CONTROL, 0)};
    int rc = cf_control_new(&control, &config);
    if (rc < 0)
        return rc;
    self->control = NULL;
    cf_actor_watch(config.actor, cf_control_fd(control), cf_control_readable);
    return start(self, CF_ACTOR_CONTROL, 0, &cf_control_ops, control, CF_SCHED_NORMAL, 0);
}

static bool has_tls(const cf_config_t *config)
{
    return config->http_tls_cert_file[0] != '\0';
}

cf_certificate_config_t cf_supervisor_certificate(const cf_config_t *config)
{
    return (cf_certificate_config_t){.cert_file =
                                         has_tls(config) ? config->http_tls_cert_file : NULL,
                                     .key_file = config->http_tls_key_file,
                                     .only_1_3 = strcmp(config->http_tls_min_version, "1.3") == 0};
}

static cf_server_config_t server_config(const cf_config_t *config, const char *listen,
                                        int connections_max)
{
    return (cf_server_config_t){.listen = listen,
                                .connections_max = connections_max,
                                .connections_per_ip = config->limits_connections_per_ip,
                                .head_max = config->http_head_max_bytes,
                                .body_max = config->http_body_max_bytes,
                                .request_pool_max = config->http_request_pool_bytes,
                                .message_pool_max = config->ws_message_pool_bytes,
                                .message_ms = (int)config->ws_message_timeout_ms,
                                .message_max = config->ws_message_max_bytes,
                                .head_ms = (int)config->http_head_timeout_ms,
                                .body_ms = (int)config->http_body_timeout_ms,
                                .keepalive_ms = (int)config->http_keepalive_ms,
                                .answer_ms = (int)config->http_answer_timeout_ms,
                                .ping_ms = (int)config->ws_ping_ms,
                                .control_max = config->ws_control_max_bytes,
                                .idle_ms = (int)config->ws_idle_ms,
                                .queue_bytes_max = config->ws_queue_max_bytes,
                                .queue_age_ms = (int)config->ws_queue_max_age_ms,
                                .close_ms = (int)config->ws_close_timeout_ms,
                                .send_buffer_bytes = (int)config->http_send_buffer_bytes,
                                .receive_buffer_bytes = (int)config->http_receive_buffer_bytes,
                                .flush_delay_ms = (int)config->ws_flush_delay_ms,
                                .certificate = cf_supervisor_certificate(config),
                                .hsts_s = config->http_hsts_max_age_ms / 1000};
}

static cf_gateway_config_t gateway_config(supervisor_t *self, const char *listen,
                                          int connections_max)
{
    const cf_config_t *config = self->config;
    return (cf_gateway_config_t){
        .server = server_config(config, listen, connections_max),
        .lobby = address_of(self, CF_ACTOR_LOBBY, 0),
        .accounts = address_of(self, CF_ACTOR_ACCOUNTS, 0),
        .storage = address_of(self, CF_ACTOR_STORAGE, 0),
        .stats = address_of(self, CF_ACTOR_STATS, 0),
        .limiter = address_of(self, CF_ACTOR_LIMITER, 0),
        .reader = address_of(self, CF_ACTOR_READER, 0),
        .readers = (uint32_t)config->store_readers,
        .sockets_per_user = (uint32_t)config->limits_sockets_per_user,
        .answer_us = config->gateway_answer_timeout_ms * 1000,
        .lookup_us = CF_GATEWAY_LOOKUP_MS * INT64_C(1000),
        .elsewhere_max = CF_GATEWAY_ELSEWHERE_MAX,
        .elsewhere_of_room_max = CF_ROSTER_MAX,
        .lease_kept_us = CF_LEASE_KEPT_MS * INT64_C(1000),
        .hash_us = config->auth_hash_timeout_ms * 1000,
        .credits_requests = (uint32_t)config->gateway_credits_requests,
        .credits_bytes = config->gateway_credits_bytes,
        .pool_bytes = config->gateway_pool_bytes,
        .commands_in_flight = (uint32_t)config->limits_commands_in_flight,
        .command_us = config->stock_deadline_ms * 1000,
        .echo = config->stock_echo,
        .origins = config->http_allowed_origins.items,
        .origin_count = config->http_allowed_origins.count,
        .session_ttl_s = config->auth_session_ttl_ms / 1000,
        .secure_cookie = has_tls(config) || strcmp(config->node_environment, "production") == 0,
        .cookie_name = config->auth_cookie_name,
        .health_status = config->http_health_status,
        .environment = config->node_environment,
        .own_pages = self->pages,
        .store_connections_max = (uint32_t)config->store_connections_max,
        .version = CF_VERSION,
        .proxies = config->http_trusted_proxies.items,
        .proxy_count = config->http_trusted_proxies.count,
        .metrics_allow = config->metrics_allow.items,
        .metrics_allow_count = config->metrics_allow.count};
}

static int load_pages(supervisor_t *self)
{
    char fault[CF_OWN_PAGES_FAULT_MAX];
    int rc = self->config->http_pages_dir[0]
                 ? cf_own_pages_load(&self->pages, self->config->http_pages_dir, fault)
                 : 0;
    if (rc == CF_ERANGE)
        cf_log_error("cannot serve the pages", CF_STR("reason", fault));
    return rc;
}

static int start_gateway(supervisor_t *self, uint16_t kind, uint32_t index,
                         const cf_gateway_config_t *config)
{
    cf_gateway_t *gateway;
    int rc = cf_gateway_new(&gateway, config, actor_of(self, kind, index));
    if (rc < 0)
        return rc;
    self->port = cf_gateway_port(gateway);
    return start(self, kind, index, &cf_gateway_ops, gateway, CF_SCHED_NORMAL,
                 CF_SUPERVISOR_DEEP_STACK);
}

/* All gateways share one port: the first may pick it, the others follow. What is limited per address
 * is divided among them, as each sees only its own connections. */
static int start_gateways(supervisor_t *self)
{
    const cf_config_t *config = self->config;
    uint8_t limit_key[sizeof((cf_gateway_config_t *)0)->limit_key];
    char listen[300];
    int connections = cf_descriptors_for_connections(config) / config->gateway_count, rc = 0;
    if (connections < 1)
        return CF_EFULL;
    snprintf(listen, sizeof listen, "%s", config->http_listen);
    randombytes_buf(limit_key, sizeof limit_key);
    for (int i = 0; rc == 0 && i < config->gateway_count; i++) {
        cf_gateway_config_t gateway = gateway_config(self, listen, connections);
        gateway.server.joins_port = i > 0;
        gateway.server.connections_per_ip =
            (config->limits_connections_per_ip + config->gateway_count - 1) / config->gateway_count;
        gateway.limits = cf_limits_of(config);
        memcpy(gateway.limit_key, limit_key, sizeof limit_key);
        rc = start_gateway(self, CF_ACTOR_GATEWAY, (uint32_t)i, &gateway);
        const char *colon = strrchr(config->http_listen, ':');
        snprintf(listen, sizeof listen, "%.*s:%d", (int)(colon - config->http_listen),
                 config->http_listen, self->port);
    }
    return rc;
}

/* A gateway for health and metrics alone, on metrics.listen. No room ever sends it an event. */
static int start_observer(supervisor_t *self)
{
    cf_gateway_config_t gateway =
        gateway_config(self, self->config->metrics_listen, OBSERVER_CONNECTIONS);
    gateway.only_probes = true;
    gateway.server.certificate = (cf_certificate_config_t){0}; /* scrapers and probes are near */
    return start_gateway(self, CF_ACTOR_OBSERVER, 0, &gateway);
}

/* --- reloading ---------------------------------------------------------------------------------
 */

static void reload(supervisor_t *self)
{
    if (!has_tls(self->config)) {
        cf_log_info("nothing can be reloaded while running; restart to apply a new configuration");
        return;
    }
    self->reload++;
    self->reload_awaited = self->reload_refused = 0;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == CF_ACTOR_GATEWAY &&
            cf_outbox_send(cf_actor_outbox(self->self), self->addresses[i], CF_MSG_RELOAD,
                           STEPS + 1 + self->reload, (cf_id_t){0}, NULL) == 0)
            self->reload_awaited++;
}

static int on_reload_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    (void)turn;
    if (self->reload_awaited == 0 || msg->corr != STEPS + 1 + self->reload)
        return 0; /* a later SIGHUP has overtaken it */
    self->reload_refused += msg->type == CF_MSG_REFUSED;
    if (--self->reload_awaited > 0)
        return 0;
    if (self->reload_refused)
        cf_log_warn("not reloaded; the old certificate stays",
                    CF_UINT("gateways", self->reload_refused));
    else
        cf_log_info("reloaded", CF_STR("applied", "http.tls_cert_file, http.tls_key_file"),
                    CF_STR("needs_restart", "every other setting"));
    return 0;
}

/* --- shutting down -----------------------------------------------------------------------------
 */

static void begin_step(supervisor_t *self)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    for (self->awaited = 0; self->step < STEPS && self->awaited == 0;) {
        const step_t *step = &steps[self->step];
        cf_close_t how = {self->begins_anew, self->others.count > 0};
        for (uint32_t i = 0; i < self->count; i++)
            if (self->addresses[i].kind == step->kind) {
                cf_outbox_send(out, self->addresses[i], step->type, 1 + self->step, (cf_id_t){0},
                               step->type == CF_MSG_CLOSE ? &how : NULL);
                self->awaited++;
            }
        if (self->begins_anew && step->type == CF_MSG_DRAIN)
            self->awaited = 0; /* rooms are silent: nothing would be finished */
        if (self->awaited == 0)
            self->step++;
    }
    if (self->step < STEPS)
        self->step_until_us = self->stopping_us + shares_us(self, steps[self->step].until);
}

static void begin_shutdown(supervisor_t *self, int64_t boot_us)
{
    cf_log_info("draining", CF_INT("timeout_ms", self->config->shutdown_timeout_ms));
    self->stopping = true;
    self->step = 0;
    self->stopping_us = boot_us;
    begin_step(self);
}

/* Nothing more is to be done here: drain, and exit with this code. */
static void end_with(supervisor_t *self, int exit_code, int64_t boot_us)
{
    self->exit_code = exit_code;
    begin_shutdown(self, boot_us);
}

static void finish(supervisor_t *self)
{
    /* The loop ends at a STOP; this one is to ourselves */
    cf_outbox_send(cf_actor_outbox(self->self), address_of(self, CF_ACTOR_SUPERVISOR, 0),
                   CF_MSG_STOP, 0, (cf_id_t){0}, NULL);
}

static void next_step(supervisor_t *self)
{
    self->step++;
    begin_step(self);
    if (self->step == STEPS)
        finish(self);
}

static int on_step_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    (void)turn;
    if (!self->stopping || msg->corr != 1 + self->step || self->awaited == 0 || --self->awaited > 0)
        return 0;
    next_step(self);
    return 0;
}

static void check_step(supervisor_t *self, int64_t boot_us)
{
    if (boot_us < self->step_until_us)
        return;
    const step_t *step = &steps[self->step];
    if (step->type != CF_MSG_STOP) {
        cf_log_warn("not finished in time; goes on without",
                    CF_STR("step", cf_msg_name(step->type)),
                    CF_STR("actor", cf_actor_name(step->kind)));
        next_step(self);
        return;
    }
    cf_log_error("an actor does not stop", CF_STR("actor", cf_actor_name(step->kind)));
    cf_log_stop(1000);
    _exit(CF_EXIT_FAILURE); /* its thread cannot be joined */
}

static void on_signal(void *state, cf_turn_t *turn)
{
    supervisor_t *self = state;
    struct signalfd_siginfo info;
    if (read(self->signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        reload(self);
    } else if (!self->stopping) {
        begin_shutdown(self, turn->boot_us);
    } else if (self->begins_anew) {
        cf_log_info("does not begin anew, as it is told to end");
        self->begins_anew = false;
    } else {
        cf_log_warn("ended at once by a second signal");
        cf_log_stop(1000);
        _exit(0); /* what was acknowledged is stored */
    }
}

/* --- waiting for the store ---------------------------------------------------------------------
 */

static void say_where(const supervisor_t *self)
{
    char url[320], store[256];
    bool has_clients =
        has_role(self, CF_ROLE_ROOMS); /* else health and metrics, if they are wanted */
    const char *listen = has_clients ? self->config->http_listen : self->config->metrics_listen;
    const char *colon = strrchr(listen, ':');
    snprintf(url, sizeof url, "%s://%.*s:%d",
             has_clients && has_tls(self->config) ? "https" : "http",
             colon ? (int)(colon - listen) : 0, listen, self->port);
    cf_log_info("serving", CF_STR("node", self->config->node_name),
                CF_STR("roles", self->config->node_roles), CF_STR("url", colon ? url : ""),
                CF_STR("store", cf_store_url_for_log(self->url, store, sizeof store)),
                CF_INT("connections_max", cf_descriptors_for_connections(self->config)),
                CF_INT("room_threads", self->config->rooms_threads_max),
                CF_STR("version", CF_VERSION));
}

static int exit_code_of(int rc)
{
    switch (rc) {
    case CF_ERANGE:
        return CF_EXIT_CONFIG;
    case CF_EFULL: /* another process has the database, or no descriptors */
    case CF_ESTALE:
        return CF_EXIT_UNAVAILABLE;
    }
    return CF_EXIT_FAILURE;
}

static bool is_open(const supervisor_t *self)
{
    uint32_t connections =
        has_role(self, CF_ROLE_ROOMS) ? 1 + (uint32_t)self->config->store_readers : 0;
    return self->opened == connections && (self->is_node || !has_registry(self));
}

static void say_where_if_open(const supervisor_t *self)
{
    if (is_open(self))
        say_where(self);
}

/* The tables are there. */
static void let_open(const supervisor_t *self, uint16_t kind)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == kind)
            cf_outbox_send(out, self->addresses[i], CF_MSG_STORE_OPENED, 0, (cf_id_t){0},
                           &(cf_store_opened_t){0});
}

/* Storage makes the tables, then this process becomes a node. Readers come last: without them nobody can
 * log in or enter a room, so a server that may not be in this database yet does nothing there. */
static int on_store_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    cf_store_opened_t opened;
    int rc = cf_msg_body(&opened, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    if (opened.reason) {
        cf_log_error("cannot start", CF_ERR(-(int)opened.reason));
        end_with(self, exit_code_of(-(int)opened.reason), turn->boot_us);
        return 0;
    }
    self->opened++;
    if (msg->from.kind == CF_ACTOR_STORAGE)
        let_open(self, has_registry(self) ? CF_ACTOR_NODES : CF_ACTOR_READER);
    say_where_if_open(self);
    return 0;
}

/* Why the registry does not let this one in yet. */
static const struct {
    int reason;
    const char *text;
} obstacles[] = {
    {CF_EEXIST, "another node has this node.name; waits until it leaves"},
    {CF_ECONFLICT, "another node has this mesh.secret_key; waits until it leaves"},
    {0, "another server is in this database; waits until it leaves"}, /* any other */
};

static const char *obstacle(int reason)
{
    size_t i = 0;
    while (obstacles[i].reason && obstacles[i].reason != reason)
        i++;
    return obstacles[i].text;
}

static int on_entered(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    cf_entered_t entered;
    int rc = cf_msg_body(&entered, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    if (-(int)entered.reason == CF_ESTALE) {
        cf_log_error(
            "drew a number that was used before; start it again"); /* one in four billion */
        end_with(self, CF_EXIT_UNAVAILABLE, turn->boot_us);
        return 0;
    }
    if (entered.reason) {
        cf_log_warn(obstacle(-(int)entered.reason), CF_STR("name", self->config->node_name),
                    CF_ERR(-(int)entered.reason));
        return 0;
    }
    self->is_node = true;
    let_open(self, CF_ACTOR_READER);
    say_where_if_open(self);
    return 0;
}

/* Its rooms are another one's by now. Who was replaced would replace the other in turn, and so for ever. */
static const struct {
    uint32_t why; /* cf_node_end_t */
    const char *text;
    bool begins_anew;
} fences[] = {
    {CF_NODE_LATE, "was late for the others, and is gone; begins anew", true},
    {CF_NODE_CUT_OFF, "was cut off from the others, and is gone; begins anew", true},
    {CF_NODE_REPLACED, "another server has taken over this database", false},
    {0, "has left this database", false}, /* any other */
};

static int on_fenced(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    cf_fenced_t fenced;
    int rc = cf_msg_body(&fenced, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    size_t i = 0;
    while (fences[i].why && fences[i].why != fenced.why)
        i++;
    cf_log_error(fences[i].text, CF_STR("name", self->config->node_name));
    self->begins_anew = fences[i].begins_anew;
    end_with(self, self->begins_anew ? 0 : CF_EXIT_UNAVAILABLE, turn->boot_us);
    return 0;
}

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    bool came_before;
    int rc = cf_others_here(&self->others, turn, msg, &came_before);
    return rc < 0 ? rc : 0;
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    supervisor_t *self = state;
    uint32_t node;
    int rc = cf_others_gone(&self->others, turn, msg, &node);
    return rc < 0 ? rc : 0;
}

/* Returns when to look again. */
static int64_t check_store(supervisor_t *self, int64_t boot_us)
{
    int64_t wait_ms = self->config->store_start_wait_ms;
    if (is_open(self) || wait_ms == 0)
        return INT64_MAX;
    int64_t until_us = self->start_us + wait_ms * 1000;
    if (boot_us < until_us)
        return until_us;
    bool is_alone = self->is_node || !self->opened;
    cf_log_error(is_alone ? "the store was not reachable in time"
                          : "another server did not leave this database in time",
                 CF_INT("waited_ms", wait_ms));
    end_with(self, CF_EXIT_UNAVAILABLE, boot_us);
    return boot_us;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    supervisor_t *self = state;
    if (self->stopping && self->step < STEPS)
        check_step(self, turn->boot_us);
    int64_t next_us = self->stopping ? INT64_MAX : check_store(self, turn->boot_us);
    return self->stopping ? self->step_until_us : next_us;
}

static const cf_handler_t handlers[] = {
    {CF_MSG_DRAINED, on_step_answer},
    {CF_MSG_STOPPED, on_step_answer},
    {CF_MSG_CLOSED, on_step_answer},
    {CF_MSG_STORE_OPENED, on_store_opened},
    {CF_MSG_ENTERED, on_entered},
    {CF_MSG_FENCED, on_fenced},
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {CF_MSG_DONE, on_reload_answer},
    {CF_MSG_REFUSED, on_reload_answer},
    {0, NULL},
};
static const cf_actor_ops_t ops = {.handlers = handlers, .due = due};

/* --- life --------------------------------------------------------------------------------------
 */

/* Signals are read from a descriptor by the main thread; no other thread may be interrupted by
 * them. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* In a database that others may enter the number is drawn by lot, and refused there if it has been used. */
static uint32_t draw_number(const supervisor_t *self)
{
    return has_registry(self) ? 1 + randombytes_uniform(UINT32_MAX) : 1;
}

static int make_all(supervisor_t *self)
{
    static const struct {
        uint16_t kind; /* what this node has none of is not started */
        int (*start)(supervisor_t *);
    } starters[] = {{CF_ACTOR_GATEWAY, load_pages},      {CF_ACTOR_STATS, start_stats},
                    {CF_ACTOR_STORAGE, start_storage},   {CF_ACTOR_READER, start_readers},
                    {CF_ACTOR_ACCOUNTS, start_accounts}, {CF_ACTOR_SWEEPER, start_sweeper},
                    {CF_ACTOR_MESH, start_mesh},         {CF_ACTOR_NODES, start_nodes},
                    {CF_ACTOR_STOCKBOT, start_stockbot}, {CF_ACTOR_LIMITER, start_limiter},
                    {CF_ACTOR_LOBBY, start_lobby},       {CF_ACTOR_ROOMS, start_rooms},
                    {CF_ACTOR_OBSERVER, start_observer}, {CF_ACTOR_GATEWAY, start_gateways},
                    {CF_ACTOR_CONTROL, start_control}};
    int rc = cf_bus_init(&self->bus, draw_number(self));
    self->bus.trace = self->config->log_messages;
    self->bus.has_mesh = self->config->mesh_listen[0] != '\0';
    self->roles = cf_roles_of(self->config->node_roles);
    if (rc == 0)
        rc = cf_actor_new(&self->self, &self->bus, address_of(self, CF_ACTOR_SUPERVISOR, 0));
    if (rc == 0 && has_role(self, CF_ROLE_ROOMS))
        rc = cf_control_open(&self->control, self->config); /* first: is there such an actor? */
    if (rc == 0)
        rc = add_all(self);
    for (size_t i = 0; rc == 0 && i < sizeof starters / sizeof starters[0]; i++)
        if (actor_of(self, starters[i].kind, 0))
            rc = starters[i].start(self);
    if (rc == 0 && !has_role(self, CF_ROLE_ROOMS))
        let_open(self,
                 CF_ACTOR_NODES); /* the tables are others' to make; it asks until they are there */
    return rc;
}

/* Stop what was started when the rest could not be made, without its cooperation: the process ends.
 */
static int give_up(supervisor_t *self, int rc)
{
    cf_log_error("cannot start", CF_ERR(rc));
    cf_local_server_close(&self->control); /* removes its file */
    cf_log_stop(1000);
    _exit(exit_code_of(rc));
}

static bool has_server(cf_address_t address)
{
    return address.kind == CF_ACTOR_GATEWAY || address.kind == CF_ACTOR_OBSERVER;
}

static void too_late(int signal)
{
    (void)signal;
    _exit(CF_EXIT_FAILURE); /* a thread that has said it stops, and cannot be joined */
}

/* The gateways end one by one, when no other thread of ours runs: libwebsockets 4.1.6 closes its
 * event descriptor twice when a context on a foreign loop is destroyed, and in between another
 * thread may have been given the same number. */
static void join_all(supervisor_t *self)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    int64_t left_us = self->stopping_us + shares_us(self, SHARES) - cf_boot_us();
    struct itimerval left = {.it_value = {left_us / SECOND_US, left_us % SECOND_US}};
    if (left_us <= 0)
        left.it_value = (struct timeval){0, 1};
    signal(SIGALRM, too_late);
    setitimer(ITIMER_REAL, &left, NULL);
    for (uint32_t i = 0; i < self->count; i++)
        if (!has_server(self->addresses[i]))
            cf_actor_join(&self->actors[i]);
    for (uint32_t i = 0; i < self->count; i++) {
        if (!has_server(self->addresses[i]))
            continue;
        cf_outbox_send(out, self->addresses[i], CF_MSG_STOP, 1, (cf_id_t){0}, NULL);
        cf_outbox_flush(out);
        cf_actor_join(&self->actors[i]);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

int cf_supervisor_run(const cf_config_t *config)
{
    supervisor_t self = {.config = config,
                         .endpoint = "",
                         .public_key = "",
                         .signals = -1,
                         .start_us = cf_boot_us()};
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, CF_SUPERVISOR_STACK); /* also for libzmq's own threads */
    pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
    cf_log_actor("supervisor");
    cf_descriptors_raise();
    self.signals = open_signals();
    int rc = self.signals < 0 ? CF_EIO : cf_store_choose(config, self.url);
    if (rc == 0)
        rc = make_all(&self);
    if (rc < 0)
        return give_up(&self, rc);
    cf_actor_watch(self.self, self.signals, on_signal);
    cf_actor_run_here(self.self, &ops, &self);
    join_all(&self);
    cf_actor_join(&self.self);
    cf_bus_close(&self.bus);
    cf_password_policy_destroy(&self.passwords);
    cf_own_pages_destroy(&self.pages);
    free(self.actors);
    free(self.addresses);
    free(self.told);
    close(self.signals);
    cf_log_info("stopped", CF_INT("exit_code", self.exit_code));
    return self.begins_anew ? CF_SUPERVISOR_ANEW : self.exit_code;
}
