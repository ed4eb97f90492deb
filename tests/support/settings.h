/* tests/support/settings.h: settings that several tests give to an actor; they name those they are about beside them. For
 * initialisers. */
#ifndef SETTINGS_H
#define SETTINGS_H

/* Of a server: what bounds it, as by default but for the pool of messages, which is small. */
#define SERVER_BOUNDS                                                                              \
    .listen = "127.0.0.1:0", .head_max = 16384, .body_max = 65536, .request_pool_max = 64 << 20,   \
    .message_max = 16384, .message_pool_max = 1 << 20, .control_max = 262144,                      \
    .queue_bytes_max = 1 << 20, .send_buffer_bytes = 131072
/* Its times by default, */
#define SERVER_TIMES                                                                               \
    .message_ms = 30000, .head_ms = 10000, .body_ms = 15000, .keepalive_ms = 60000,                \
    .answer_ms = 30000, .ping_ms = 25000, .idle_ms = 60000, .queue_age_ms = 10000,                 \
    .close_ms = 5000
/* and so long that none of them is over while a test runs. */
#define SERVER_LONG_TIMES                                                                          \
    .message_ms = 60000, .head_ms = 60000, .body_ms = 60000, .keepalive_ms = 60000,                \
    .answer_ms = 60000, .ping_ms = 60000, .idle_ms = 120000, .queue_age_ms = 60000,                \
    .close_ms = 60000

/* Of a gateway of that node: whom it asks, and what bounds its clients. */
#define GATEWAY_SETTINGS(node)                                                                     \
    .lobby = {(node), CF_ACTOR_LOBBY, 0}, .accounts = {(node), CF_ACTOR_ACCOUNTS, 0},              \
    .storage = {(node), CF_ACTOR_STORAGE, 0}, .stats = {(node), CF_ACTOR_STATS, 0},                \
    .reader = {(node), CF_ACTOR_READER, 0}, .readers = 1, .answer_us = 15000000,                   \
    .lookup_us = 2000000, .credits_requests = 32, .credits_bytes = 131072, .pool_bytes = 1u << 20, \
    .cookie_name = "session_id", .health_status = "ok", .environment = "test", .version = "1"

/* Of the rooms of that node: whom they ask, and small bounds. */
#define ROOM_SETTINGS(node)                                                                        \
    .ring_events = 16, .ring_bytes = 65536, .queue_posts = 64, .queue_bytes = 1u << 20,            \
    .members_cache = 16, .verdict_timeout_us = 5000000, .answer_us = 5000000,                      \
    .lobby = {(node), CF_ACTOR_LOBBY, 0}, .storage = {(node), CF_ACTOR_STORAGE, 0},                \
    .reader = {(node), CF_ACTOR_READER, 0}, .readers = 1

#endif
