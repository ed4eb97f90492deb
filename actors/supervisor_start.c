/* supervisor_start.c: makes the actors, each from the settings that concern it. */
#include "supervisor_state.h"

#include "accounts.h"
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
#include "reader.h"
#include "rooms.h"
#include "stats.h"
#include "stockbot.h"
#include "storage.h"
#include "sweeper.h"
#include "tracer.h"
#include "version.h"
#include "wire/room.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESH_HANDSHAKE_MS 10000
#define OBSERVER_CONNECTIONS 64 /* scrapers and probes */
#define BOT_DRAIN_SHARES 2      /* twice: for quotes under way, and for the store */

int64_t cf_supervisor_shares_us(const cf_supervisor_t *self, int64_t shares)
{
    return self->config->shutdown_timeout_ms * 1000 * shares / CF_SUPERVISOR_SHARES;
}

bool cf_supervisor_has_registry(const cf_supervisor_t *self)
{
    return cf_config_is_shared_store(self->url);
}

bool cf_supervisor_has_role(const cf_supervisor_t *self, cf_role_t role)
{
    return (self->roles & role) != 0;
}

cf_address_t cf_supervisor_address(const cf_supervisor_t *self, uint16_t kind, uint16_t index)
{
    return (cf_address_t){self->bus.node, kind, index};
}

/* Inboxes first: an actor may send to any other from its first turn on. */
static int add_actors(cf_supervisor_t *self, uint16_t kind, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        cf_address_t address = cf_supervisor_address(self, kind, (uint16_t)i);
        int rc = cf_actor_new(&self->actors[self->count], &self->bus, address);
        if (rc < 0)
            return rc;
        self->addresses[self->count++] = address;
    }
    return 0;
}

static cf_actor_t *actor_of(const cf_supervisor_t *self, uint16_t kind, uint32_t index)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == kind && self->addresses[i].index == index)
            return self->actors[i];
    return NULL;
}

static int add_all(cf_supervisor_t *self)
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
        {CF_ACTOR_NODES, CF_ROLES_ALL, cf_supervisor_has_registry(self) ? 1 : 0},
        {CF_ACTOR_MESH, CF_ROLES_ALL, self->bus.has_mesh ? 1 : 0},
        {CF_ACTOR_LOBBY, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_LIMITER, CF_ROLE_ROOMS, 1},
        {CF_ACTOR_STOCKBOT, CF_ROLE_STOCKBOT, 1},
        {CF_ACTOR_CONTROL, CF_ROLE_ROOMS, self->control ? 1 : 0},
        {CF_ACTOR_TRACER, CF_ROLES_ALL, config->trace_url[0] ? 1 : 0},
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

static int start(cf_supervisor_t *self, uint16_t kind, uint32_t index, const cf_actor_ops_t *ops,
                 void *state, cf_sched_t sched, size_t stack)
{
    int rc = cf_actor_start(actor_of(self, kind, index), ops, state,
                            &(cf_actor_options_t){.sched = sched, .stack = stack});
    if (rc == 0)
        self->started++;
    return rc;
}

static cf_store_link_config_t link_config(cf_supervisor_t *self, cf_actor_t *actor,
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

/* How an actor's thread tells its spans. */
static cf_spans_t spans(const cf_supervisor_t *self)
{
    return (cf_spans_t){.tracer = self->config->trace_url[0]
                                      ? cf_supervisor_address(self, CF_ACTOR_TRACER, 0)
                                      : (cf_address_t){0},
                        .per_second = (uint32_t)self->config->trace_spans_per_second};
}

static int start_stats(cf_supervisor_t *self)
{
    cf_stats_t *stats;
    cf_stats_config_t config = {.actor = actor_of(self, CF_ACTOR_STATS, 0),
                                .targets = self->addresses + 1, /* stats itself is the first */
                                .n = self->count - 1,
                                .version = cf_version,
                                .is_joining = self->bus.has_mesh,
                                .has_store = cf_supervisor_has_role(self, CF_ROLE_ROOMS)};
    int rc = cf_stats_new(&stats, &config);
    return rc < 0 ? rc : start(self, CF_ACTOR_STATS, 0, &cf_stats_ops, stats, CF_SCHED_NORMAL, 0);
}

static int start_storage(cf_supervisor_t *self)
{
    cf_storage_t *storage;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_STORAGE, 0);
    cf_storage_config_t config = {.link = link_config(self, actor, CF_STORE_WRITER),
                                  .batch_rows = (uint32_t)self->config->storage_batch_rows,
                                  .batch_bytes = (uint32_t)self->config->storage_batch_bytes,
                                  .spans = spans(self)};
    int rc = cf_storage_new(&storage, &config);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_STORAGE, 0, &cf_storage_ops, storage, CF_SCHED_NORMAL,
                          CF_SUPERVISOR_DEEP_STACK);
}

static int start_readers(cf_supervisor_t *self)
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

static int start_accounts(cf_supervisor_t *self)
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

static int start_sweeper(cf_supervisor_t *self)
{
    cf_sweeper_t *sweeper;
    cf_sweeper_config_t config = {.first_us = INT64_C(1000000),
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
static uint32_t list_told(cf_supervisor_t *self)
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

static int start_mesh(cf_supervisor_t *self)
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

static int start_nodes(cf_supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_NODES, 0);
    self->mesh = cf_supervisor_address(self, CF_ACTOR_MESH, 0);
    cf_nodes_config_t nodes_config = {.actor = actor,
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
                                      .has_accounts = cf_supervisor_has_role(self, CF_ROLE_ROOMS),
                                      .told_here = &self->mesh,
                                      .told_here_count = self->bus.has_mesh ? 1 : 0,
                                      .stats = cf_supervisor_address(self, CF_ACTOR_STATS, 0),
                                      .room_thread = cf_supervisor_address(self, CF_ACTOR_ROOMS, 0),
                                      .room_threads = (uint32_t)config->rooms_threads_max,
                                      .gateway = cf_supervisor_address(self, CF_ACTOR_GATEWAY, 0),
                                      .gateways = cf_supervisor_has_role(self, CF_ROLE_ROOMS)
                                                      ? (uint32_t)config->gateway_count
                                                      : 0};
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

static int start_stockbot(cf_supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_http_client_t *client;
    cf_stockbot_t *bot;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_STOCKBOT, 0);
    int rc = cf_http_client_new(
        &client, &(cf_http_client_config_t){.requests_max = (uint32_t)config->stock_in_flight_max,
                                            .body_max = config->stock_body_max_bytes,
                                            .trusted = config->stock_url,
                                            .agent = cf_agent});
    if (rc < 0)
        return rc;
    cf_stockbot_config_t bot_config = {.url = config->stock_url,
                                       .attempt_us = config->stock_attempt_timeout_ms * 1000,
                                       .deadline_us = config->stock_deadline_ms * 1000,
                                       .pause_us = config->stock_pause_ms * 1000,
                                       .drain_us = cf_supervisor_shares_us(self, BOT_DRAIN_SHARES),
                                       .attempts = (uint32_t)config->stock_attempts,
                                       .in_flight_max = (uint32_t)config->stock_in_flight_max,
                                       .queue_max = (uint32_t)config->stock_queue_max,
                                       .breaker_failures = (uint32_t)config->stock_breaker_failures,
                                       .breaker_us = config->stock_breaker_pause_ms * 1000,
                                       .cache_us = config->stock_cache_ms * 1000,
                                       .cache_not_found_us =
                                           config->stock_cache_not_found_ms * 1000,
                                       .traceparent = config->stock_traceparent,
                                       .spans = spans(self),
                                       .random = randombytes_uniform,
                                       .http_ops = &cf_http_client_ops,
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

static int start_tracer(cf_supervisor_t *self)
{
    const cf_config_t *config = self->config;
    cf_http_client_t *client;
    cf_tracer_t *tracer;
    cf_actor_t *actor = actor_of(self, CF_ACTOR_TRACER, 0);
    int rc = cf_http_client_new(
        &client, &(cf_http_client_config_t){
                     .requests_max = 1,
                     .body_max = CF_TRACER_ANSWER_MAX,
                     .trusted = config->trace_url,
                     .agent = cf_agent,
                     .ca_file = config->trace_ca_file[0] ? config->trace_ca_file : NULL});
    if (rc < 0)
        return rc;
    cf_tracer_config_t tracer_config = {.url = config->trace_url,
                                        .header = config->trace_header,
                                        .resource = {cf_version, config->node_name},
                                        .queue_max = (uint32_t)config->trace_queue_max,
                                        .batch_max = (uint32_t)config->trace_batch_max,
                                        .attempts = (uint32_t)config->trace_attempts,
                                        .interval_us = config->trace_interval_ms * 1000,
                                        .timeout_us = config->trace_timeout_ms * 1000,
                                        .pause_us = config->trace_pause_ms * 1000,
                                        .drain_us = cf_supervisor_shares_us(self, 1),
                                        .random = randombytes_uniform,
                                        .http_ops = &cf_http_client_ops,
                                        .http = client,
                                        .actor = actor};
    rc = cf_tracer_new(&tracer, &tracer_config);
    if (rc < 0) {
        cf_http_client_destroy(&client);
        return rc;
    }
    cf_actor_watch(actor, cf_http_client_fd(client), cf_tracer_readable);
    return start(self, CF_ACTOR_TRACER, 0, &cf_tracer_ops, tracer, CF_SCHED_BATCH,
                 CF_SUPERVISOR_DEEP_STACK);
}

static int start_limiter(cf_supervisor_t *self)
{
    cf_limiter_t *limiter;
    cf_limiter_config_t config = {.limits = cf_limits_of(self->config),
                                  .buckets_max = (uint32_t)self->config->limits_buckets_max};
    int rc = cf_limiter_new(&limiter, &config);
    return rc < 0 ? rc
                  : start(self, CF_ACTOR_LIMITER, 0, &cf_limiter_ops, limiter, CF_SCHED_NORMAL, 0);
}

static int start_lobby(cf_supervisor_t *self)
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
        config.threads[i] = cf_supervisor_address(self, CF_ACTOR_ROOMS, (uint16_t)i);
    for (uint32_t i = 0; i < config.gateway_count; i++)
        config.gateways[i] = cf_supervisor_address(self, CF_ACTOR_GATEWAY, (uint16_t)i);
    int rc = cf_lobby_new(&lobby, &config);
    return rc < 0 ? rc : start(self, CF_ACTOR_LOBBY, 0, &cf_lobby_ops, lobby, CF_SCHED_NORMAL, 0);
}

static int start_rooms(cf_supervisor_t *self)
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
                             .lobby = cf_supervisor_address(self, CF_ACTOR_LOBBY, 0),
                             .storage = cf_supervisor_address(self, CF_ACTOR_STORAGE, 0),
                             .bot = cf_supervisor_has_role(self, CF_ROLE_STOCKBOT)
                                        ? cf_supervisor_address(self, CF_ACTOR_STOCKBOT, 0)
                                        : (cf_address_t){0},
                             .reader = cf_supervisor_address(self, CF_ACTOR_READER, 0),
                             .readers = (uint32_t)config->store_readers,
                             .spans = spans(self)};
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

static int start_control(cf_supervisor_t *self)
{
    cf_control_t *control;
    cf_control_config_t config = {.server = self->control,
                                  .room_thread = cf_supervisor_address(self, CF_ACTOR_ROOMS, 0),
                                  .room_threads = (uint32_t)self->config->rooms_threads_max,
                                  .accounts = cf_supervisor_address(self, CF_ACTOR_ACCOUNTS, 0),
                                  .lobby = cf_supervisor_address(self, CF_ACTOR_LOBBY, 0),
                                  .reader = cf_supervisor_address(self, CF_ACTOR_READER, 0),
                                  .storage = cf_supervisor_address(self, CF_ACTOR_STORAGE, 0),
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

bool cf_supervisor_has_tls(const cf_config_t *config)
{
    return config->http_tls_cert_file[0] != '\0';
}

cf_certificate_config_t cf_supervisor_certificate(const cf_config_t *config)
{
    return (cf_certificate_config_t){
        .cert_file = cf_supervisor_has_tls(config) ? config->http_tls_cert_file : NULL,
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

static cf_gateway_config_t gateway_config(cf_supervisor_t *self, const char *listen,
                                          int connections_max)
{
    const cf_config_t *config = self->config;
    return (cf_gateway_config_t){.server = server_config(config, listen, connections_max),
                                 .lobby = cf_supervisor_address(self, CF_ACTOR_LOBBY, 0),
                                 .accounts = cf_supervisor_address(self, CF_ACTOR_ACCOUNTS, 0),
                                 .storage = cf_supervisor_address(self, CF_ACTOR_STORAGE, 0),
                                 .stats = cf_supervisor_address(self, CF_ACTOR_STATS, 0),
                                 .limiter = cf_supervisor_address(self, CF_ACTOR_LIMITER, 0),
                                 .reader = cf_supervisor_address(self, CF_ACTOR_READER, 0),
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
                                 .secure_cookie =
                                     cf_supervisor_has_tls(config) ||
                                     strcmp(config->node_environment, "production") == 0,
                                 .cookie_name = config->auth_cookie_name,
                                 .health_status = config->http_health_status,
                                 .environment = config->node_environment,
                                 .own_pages = self->pages,
                                 .store_connections_max = (uint32_t)config->store_connections_max,
                                 .version = cf_version,
                                 .proxies = config->http_trusted_proxies.items,
                                 .proxy_count = config->http_trusted_proxies.count,
                                 .metrics_allow = config->metrics_allow.items,
                                 .metrics_allow_count = config->metrics_allow.count,
                                 .spans = spans(self),
                                 .sample_one_in = (uint32_t)config->trace_sample_one_in,
                                 .follow_clients = config->trace_follow_clients};
}

static int load_pages(cf_supervisor_t *self)
{
    char fault[CF_OWN_PAGES_FAULT_MAX];
    int rc = self->config->http_pages_dir[0]
                 ? cf_own_pages_load(&self->pages, self->config->http_pages_dir, fault)
                 : 0;
    if (rc == CF_ERANGE)
        cf_log_error("cannot serve the pages", CF_STR("reason", fault));
    return rc;
}

static int start_gateway(cf_supervisor_t *self, uint16_t kind, uint32_t index,
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
static int start_gateways(cf_supervisor_t *self)
{
    const cf_config_t *config = self->config;
    uint8_t limit_key[sizeof((cf_gateway_config_t *)0)->limit_key];
    char listen[300];
    int connections = cf_descriptors_for_connections(config) / config->gateway_count, rc = 0;
    if (connections < 1) {
        cf_log_error("too few descriptors: raise the limit on open files",
                     CF_INT("taken", cf_descriptors_for_actors(config) + CF_DESCRIPTORS_SPARE),
                     CF_INT("left", cf_descriptors_for_connections(config)),
                     CF_INT("gateways", config->gateway_count));
        return CF_EFULL;
    }
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
static int start_observer(cf_supervisor_t *self)
{
    cf_gateway_config_t gateway =
        gateway_config(self, self->config->metrics_listen, OBSERVER_CONNECTIONS);
    gateway.only_probes = true;
    gateway.server.certificate = (cf_certificate_config_t){0}; /* scrapers and probes are near */
    return start_gateway(self, CF_ACTOR_OBSERVER, 0, &gateway);
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* In a database that others may enter the number is drawn by lot, and refused there if it has been used. */
static uint32_t draw_number(const cf_supervisor_t *self)
{
    return cf_supervisor_has_registry(self) ? 1 + randombytes_uniform(UINT32_MAX) : 1;
}

int cf_supervisor_make(cf_supervisor_t *self)
{
    static const struct {
        uint16_t kind; /* what this node has none of is not started */
        int (*start)(cf_supervisor_t *);
    } starters[] = {{CF_ACTOR_GATEWAY, load_pages},      {CF_ACTOR_STATS, start_stats},
                    {CF_ACTOR_STORAGE, start_storage},   {CF_ACTOR_READER, start_readers},
                    {CF_ACTOR_ACCOUNTS, start_accounts}, {CF_ACTOR_SWEEPER, start_sweeper},
                    {CF_ACTOR_MESH, start_mesh},         {CF_ACTOR_NODES, start_nodes},
                    {CF_ACTOR_STOCKBOT, start_stockbot}, {CF_ACTOR_LIMITER, start_limiter},
                    {CF_ACTOR_LOBBY, start_lobby},       {CF_ACTOR_ROOMS, start_rooms},
                    {CF_ACTOR_OBSERVER, start_observer}, {CF_ACTOR_GATEWAY, start_gateways},
                    {CF_ACTOR_CONTROL, start_control},   {CF_ACTOR_TRACER, start_tracer}};
    int rc = cf_bus_init(&self->bus, draw_number(self));
    self->bus.trace = self->config->log_messages;
    self->bus.has_mesh = self->config->mesh_listen[0] != '\0';
    self->roles = cf_roles_of(self->config->node_roles);
    if (rc == 0)
        rc = cf_actor_new(&self->self, &self->bus,
                          cf_supervisor_address(self, CF_ACTOR_SUPERVISOR, 0));
    if (rc == 0 && cf_supervisor_has_role(self, CF_ROLE_ROOMS))
        rc = cf_control_open(&self->control, self->config); /* first: is there such an actor? */
    if (rc == 0)
        rc = add_all(self);
    for (size_t i = 0; rc == 0 && i < sizeof starters / sizeof starters[0]; i++)
        if (actor_of(self, starters[i].kind, 0))
            rc = starters[i].start(self);
    return rc;
}
