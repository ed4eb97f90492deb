#include "memory_bound.h"

#include "accounts.h"
#include "actor.h"
#include "descriptors.h"
#include "gateway.h"
#include "http/server.h"
#include "http_client/http_client.h"
#include "json.h"
#include "limiter.h"
#include "lobby.h"
#include "log.h"
#include "mesh.h"
#include "own_pages.h"
#include "password_policy.h"
#include "remembered.h"
#include "ring.h"
#include "room.h"
#include "session_cache.h"
#include "stockbot.h"
#include "storage.h"
#include "supervisor.h"
#include "tracer.h"
#include "wire/observe.h"

#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* Measured, and rounded up: code and libraries with what they take at start, 20 MiB with one room thread. */
#define PROCESS (24 * MIB)
/* A stack, and what the allocator keeps for its thread: a room's thread at rest takes 96 KiB. */
#define THREAD (CF_SUPERVISOR_STACK + 128 * KIB)
#define DEEP_THREAD (CF_SUPERVISOR_DEEP_STACK + 128 * KIB)
#define OTHER_THREADS 12          /* actors there is one of, the log's, and two of libzmq */
#define OTHER_DEEP_THREADS 5      /* the supervisor, storage, nodes, the bot, the observer */
#define LINK (36 * KIB)           /* libzmq: two chunks of 256 messages of 64 bytes */
#define CONNECTION (4 * KIB)      /* an idle WebSocket takes 3.5 KiB, of which libwebsockets 2 */
#define EXCHANGE (8 * KIB)        /* a request up to 4 KiB and what its answer needs */
#define TLS_CONNECTION (64 * KIB) /* while it shakes hands; then 15 to 48 */
#define PAGE (640 * KIB)          /* a page of 100 posts, as JSON */
#define STORE_WRITER (20 * MIB) /* SQLite: its page cache of 16 MiB and what a transaction takes */
#define STORE_READER (10 * MIB) /* SQLite: its page cache of 8 MiB; a page of posts */
#define QUOTE (160 * KIB)       /* libcurl's handle and its TLS, besides head and body */
/* A post in flight, for each byte that it holds of the pool: the request as the gateway keeps it, in the
 * room's inbox, in its queue, in its run, in storage's batch. Measured with posts of 80 bytes, 4.5. */
#define POST_COPIES 8
#define COMMAND_COPIES 4
#define COMMANDS_SHARE 8 /* of gateway.pool_bytes, beside it */
#define EVENT_COPIES 3   /* a message, its frame's text, the frame */
#define BATCH_COPIES 3
#define NODE_COPIES 2   /* until it is confirmed, and in libzmq */
#define HANDED_COPIES 2 /* as it came, and on its way into the room */
#define NODE_READ (CF_CURVE_FRAMES_MAX * (uint64_t)CF_MESH_GATHERED_MAX) /* not looked at yet */
#define LOOKUP 128
#define HINT 128 /* with its share of the table */
#define LOGIN (2 * KIB)
#define ACCOUNT_LOOKUP KIB
#define WAITING_QUOTE KIB
#define WORDS 512
#define SENT_COPIES 2 /* the request as it is made, and libcurl's */
#define ROW 64        /* what a hash table takes beside a row, at most */

static bool has_tls(const cf_config_t *config)
{
    return config->http_tls_cert_file[0] != '\0';
}

static bool has_mesh(const cf_config_t *config)
{
    return config->mesh_listen[0] != '\0';
}

static bool has_tracer(const cf_config_t *config)
{
    return config->trace_url[0] != '\0';
}

uint32_t cf_memory_terms(const cf_config_t *config, cf_memory_term_t out[CF_MEMORY_TERMS])
{
    int left = cf_descriptors_for_connections(config);
    uint64_t connections = left > 0 ? (uint64_t)left : 0;
    uint64_t gateways = (uint64_t)config->gateway_count, readers = (uint64_t)config->store_readers,
             hashers = (uint64_t)config->auth_hash_workers,
             room_threads = (uint64_t)config->rooms_threads_max;
    uint64_t others = has_mesh(config) ? (uint64_t)config->mesh_allowed_keys.count : 0;
    uint64_t deep = OTHER_DEEP_THREADS + readers + gateways + (has_tracer(config) ? 1 : 0);
    uint64_t slow = config->ws_queue_max_bytes > PAGE ? config->ws_queue_max_bytes : PAGE;
    /* One active room for each connection: who asks for more than one keeps them for rooms.idle at most. */
    uint64_t rooms = connections;
    const cf_memory_term_t terms[] = {
        {"process", "", PROCESS, 1, false},
        {"thread", "rooms.threads_max auth.hash_workers mesh.listen", THREAD,
         OTHER_THREADS + (has_mesh(config) ? 1 : 0) + room_threads + hashers, false},
        {"deep thread", "gateway.count store.readers store.connections_max trace.url", DEEP_THREAD,
         deep, false},
        {"link",
         "rooms.threads_max gateway.count store.readers store.connections_max auth.hash_workers "
         "stock.in_flight_max mesh.listen mesh.allowed_keys trace.url",
         LINK, (uint64_t)cf_descriptors_for_actors(config), false},
        {"connection", "http.connections_max", CONNECTION, connections, false},
        {"exchange", "http.connections_max", EXCHANGE, connections, false},
        {"TLS connection", "http.connections_max http.tls_cert_file", TLS_CONNECTION,
         has_tls(config) ? connections : 0, false},
        {"slow connection", "http.connections_max ws.queue_max_bytes", slow, connections, false},
        {"room", "http.connections_max", CF_ROOM_COST, rooms, false},
        {"event of a room", "http.connections_max rooms.ring_posts", CF_RING_EVENT_COST,
         2 * rooms * (uint64_t)config->rooms_ring_posts, false}, /* events, and posts before them */
        {"event not told yet", "http.connections_max rooms.crowd", CF_RING_EVENT_COST,
         2 * connections + connections / (uint64_t)config->rooms_crowd * CF_ROOM_UNTOLD_MAX, false},
        {"byte of events of a room", "http.connections_max rooms.ring_bytes", 1,
         rooms * config->rooms_ring_bytes, false},
        {"membership", "http.connections_max rooms.members_cache", CF_ROOM_MEMBER_COST,
         rooms * (uint64_t)config->rooms_members_cache, false},
        {"byte of posts", "gateway.count gateway.pool_bytes", POST_COPIES,
         gateways * config->gateway_pool_bytes, false},
        {"byte of commands", "gateway.count gateway.pool_bytes", COMMAND_COPIES,
         gateways * config->gateway_pool_bytes / COMMANDS_SHARE, false},
        {"byte of requests", "gateway.count http.request_pool_bytes", 1,
         gateways * config->http_request_pool_bytes, false},
        {"byte of messages", "gateway.count ws.message_pool_bytes", 1,
         gateways * config->ws_message_pool_bytes, false},
        {"byte of events on the way", "gateway.count rooms.threads_max rooms.window_bytes",
         EVENT_COPIES, gateways * room_threads * config->rooms_window_bytes, false},
        {"kept byte", "store.readers store.connections_max auth.hash_workers", 1,
         (1 + readers + hashers) * CF_ACTOR_LATER_MAX, false},
        {"byte for another node", "mesh.listen mesh.allowed_keys mesh.queue_max_bytes", NODE_COPIES,
         others * config->mesh_queue_max_bytes, false},
        {"byte from another node", "mesh.listen mesh.allowed_keys", 1, others * NODE_READ, false},
        {"byte handed over", "mesh.listen mesh.allowed_keys rooms.ring_bytes", HANDED_COPIES,
         has_mesh(config) ? (1 + others) * CF_ROOMS_MOVING_MAX *
                                (config->rooms_ring_bytes + CF_HANDOVER_MEMBERS_BYTES)
                          : 0,
         false},
        {"unsettled byte", "", 1, CF_STORAGE_UNSETTLED_MAX, false},
        {"byte of a batch", "storage.batch_bytes", BATCH_COPIES, config->storage_batch_bytes,
         false},
        {"store's writer", "", STORE_WRITER, 1, false},
        {"store's reader", "store.readers store.connections_max", STORE_READER, readers, false},
        {"session", "auth.session_cache", sizeof(cf_cached_session_t) + ROW,
         (uint64_t)config->auth_session_cache, false},
        {"ended session", "", sizeof(cf_ended_session_t) + ROW, CF_ENDED_MAX, false},
        {"account lookup", "", ACCOUNT_LOOKUP, CF_ACCOUNTS_LOOKUPS_MAX, false},
        {"login", "auth.hash_queue", LOGIN, (uint64_t)config->auth_hash_queue, false},
        {"hash", "auth.argon2_memory_kib auth.hash_workers",
         (uint64_t)config->auth_argon2_memory_kib * KIB, hashers, false},
        {"bucket", "limits.buckets_max", CF_LIMITER_BUCKET_COST,
         (uint64_t)config->limits_buckets_max, false},
        {"room lookup", "", LOOKUP, CF_LOBBY_LOOKUPS_MAX, false},
        {"room hint", "", HINT, CF_LOBBY_HINTS_MAX, false},
        {"room elsewhere", "", HINT, CF_LOBBY_AWAY_MAX, false},
        {"member elsewhere", "gateway.count mesh.listen", CF_GATEWAY_ELSEWHERE_COST,
         has_mesh(config) ? gateways * CF_GATEWAY_ELSEWHERE_MAX : 0, false},
        {"quote", "stock.in_flight_max stock.body_max_bytes",
         QUOTE + CF_HTTP_HEAD_MAX + config->stock_body_max_bytes,
         (uint64_t)config->stock_in_flight_max, false},
        {"waiting quote", "stock.queue_max", WAITING_QUOTE, (uint64_t)config->stock_queue_max,
         false},
        {"remembered words", "", WORDS, CF_STOCKBOT_QUOTES_MAX + CF_STOCKBOT_SAID_MAX, false},
        {"span", "trace.url trace.queue_max", CF_OTLP_SPAN_MAX,
         has_tracer(config) ? (uint64_t)config->trace_queue_max : 0, false},
        {"span on its way", "trace.url trace.batch_max", SENT_COPIES * CF_OTLP_SPAN_MAX,
         has_tracer(config) ? (uint64_t)config->trace_batch_max : 0, false},
        {"file", "auth.password_deny_file http.pages_dir", 1,
         (config->auth_password_deny_file[0] ? 2 * (uint64_t)CF_PASSWORD_DENY_MAX : 0) +
             (config->http_pages_dir[0] ? 3 * (uint64_t)CF_OWN_PAGE_MAX : 0) +
             2 * (uint64_t)CF_METRICS_TEXT_MAX,
         false},
        {"socket", "http.connections_max http.send_buffer_bytes http.receive_buffer_bytes",
         2 * (config->http_send_buffer_bytes + config->http_receive_buffer_bytes), connections,
         true},
        {"TLS socket pair", "http.connections_max http.tls_cert_file", 4 * CF_TLS_PAIR_BYTES,
         has_tls(config) ? connections : 0, true},
    };
    _Static_assert(sizeof terms / sizeof terms[0] <= CF_MEMORY_TERMS, "room for all terms");
    memcpy(out, terms, sizeof terms);
    return sizeof terms / sizeof terms[0];
}

uint64_t cf_memory_sum(const cf_memory_term_t *terms, uint32_t n, bool of_kernel)
{
    uint64_t sum = 0, all;
    for (uint32_t i = 0; i < n; i++)
        if (terms[i].is_kernels == of_kernel &&
            (__builtin_mul_overflow(terms[i].bytes, terms[i].most, &all) ||
             __builtin_add_overflow(sum, all, &sum)))
            return UINT64_MAX;
    return sum;
}

static int write_term(cf_buf_t *out, const cf_memory_term_t *term)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "term");
    cf_json_text(&json, term->name);
    cf_json_key(&json, "of");
    cf_json_text(&json, term->is_kernels ? "kernel" : "process");
    cf_json_key(&json, "bytes");
    cf_json_uint(&json, term->bytes);
    cf_json_key(&json, "most");
    cf_json_uint(&json, term->most);
    cf_json_key(&json, "keys");
    cf_json_text(&json, term->keys);
    cf_json_object_end(&json);
    return json.rc < 0 ? json.rc : cf_buf_add_byte(out, '\n');
}

int cf_memory_print(const cf_config_t *config, const char *file)
{
    cf_memory_term_t terms[CF_MEMORY_TERMS];
    cf_buf_t text = {0};
    int rc = 0;
    (void)file;
    cf_descriptors_raise(); /* as the server would */
    uint32_t n = cf_memory_terms(config, terms);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = write_term(&text, &terms[i]);
    const bool owners[] = {false, true};
    for (size_t i = 0; rc == 0 && i < sizeof owners / sizeof owners[0]; i++)
        rc = write_term(&text, &(cf_memory_term_t){.name = "all",
                                                   .keys = "",
                                                   .bytes = cf_memory_sum(terms, n, owners[i]),
                                                   .most = 1,
                                                   .is_kernels = owners[i]});
    if (rc == 0 && (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout) != 0))
        rc = CF_EIO;
    cf_buf_free(&text);
    if (rc < 0)
        cf_log_error("cannot print the bound on memory", CF_ERR(rc));
    return rc < 0 ? CF_EXIT_FAILURE : 0;
}
