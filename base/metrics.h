/* base/metrics.h: every figure the server reports. One list for code, scrape and docs.
 *
 * Each thread counts into slots of its own (thread-local, plain words); stats asks by PROBE and
 * adds them up. A gauge is set by the thread that owns it and summed like a counter; of a MOST, a
 * gauge too, the greatest is shown, of a LEAST the least that was set, and nothing where none was.
 * SECONDS are a counter of microseconds, shown in seconds. A name may carry labels,
 * name{label="value"}; rows of one family stand together. */
#ifndef CF_METRICS_H
#define CF_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_WS_SENT(type) "websocket_messages_sent_total{type=\"" type "\"}"
#define CF_WS_SENT_HELP "WebSocket messages out, one for each client"
#define CF_RESUMES_HELP                                                                            \
    "connections that came back to a room: brought up to date, or told to reload"
#define CF_HISTORY_HELP "pages of history: by rooms from memory, or passed on to a reader"
#define CF_REPLICA(result) "confab_replica_pages_total{result=\"" result "\"}"
#define CF_REPLICA_HELP                                                                            \
    "pages of history asked of the replica: answered; not there in full yet, so the primary was "  \
    "asked; it was away, so the primary was"
#define CF_BOT_ANSWERS_HELP "commands the bot has answered"

#define CF_SPANS(result) "confab_trace_spans_total{result=\"" result "\"}"
#define CF_SPANS_HELP                                                                              \
    "spans of sampled traces: taken by the collector; left out by it of a request that it took; "  \
    "in a request that it refused; that it did not take in any of trace.attempts, or before this " \
    "process ended; more than trace.queue_max waited, or there was no memory; more than "          \
    "trace.spans_per_second"

#define CF_REPLAYED(result) "confab_dead_letters_replayed_total{result=\"" result "\"}"
#define CF_REPLAYED_HELP                                                                           \
    "replays of dead letters: the bot has answered, and the letter is gone; it has failed again; " \
    "it was not, or not known to be, carried out"

#define CF_LIMITED(kind) "confab_limit_refused_total{kind=\"" kind "\"}"
#define CF_LIMITED_HELP "what clients asked for beyond a limit of the section limits"

#define CF_TLS_FAILED(reason) "confab_tls_handshake_failures_total{reason=\"" reason "\"}"
#define CF_TLS_FAILED_HELP                                                                         \
    "handshakes that failed: plain HTTP came; nothing in common; the client sent an alert, say "   \
    "of "                                                                                          \
    "our certificate; not TLS; the client left; not done in time; no descriptor or memory"

#define CF_METRIC_MAP(X)                                                                           \
    X(INBOX_MESSAGES, COUNTER, "confab_actor_messages_total", "messages an actor handled")         \
    X(INBOX_BACKLOG, MOST, "confab_actor_inbox_depth",                                             \
      "messages found waiting at once, by the actor of its kind that had most")                    \
    X(WAITED, COUNTER, "confab_actor_waited_total",                                                \
      "messages that came while the actor waited, say for the database")                           \
    X(WAITED_US, SECONDS, "confab_actor_waited_seconds_total", "time these messages waited")       \
    X(LATER_BYTES, GAUGE, "confab_actor_kept_bytes", "bytes of messages kept while actors wait")   \
    X(REFUSED_MESSAGES, COUNTER, "confab_actor_refused_total", "requests answered REFUSED")        \
    X(MALFORMED, COUNTER, "confab_actor_malformed_total", "messages that could not be decoded")    \
    X(QUARANTINED, GAUGE, "confab_actor_quarantined", "actors that lost a message of our own")     \
    X(ROOMS_QUARANTINED, COUNTER, "confab_rooms_quarantined_total",                                \
      "rooms put away as a message of our own was lost on them")                                   \
    X(UNDELIVERABLE, COUNTER, "confab_link_undeliverable_total", "messages no link would take")    \
    X(POSTS_IN, COUNTER, "confab_posts_received_total", "posts that reached a room")               \
    X(POSTS_STORED, COUNTER, "confab_posts_acked_total", "posts committed and acknowledged")       \
    X(POSTS_REFUSED, COUNTER, "confab_posts_refused_total", "posts refused by a room")             \
    X(POSTS_REPEATED, COUNTER, "confab_posts_repeated_total",                                      \
      "posts answered by their client key")                                                        \
    X(POSTS_UNCONFIRMED, COUNTER, "confab_posts_unconfirmed_total",                                \
      "posts whose outcome was not known in time")                                                 \
    X(POSTS_SENT_AGAIN, COUNTER, "confab_posts_sent_again_total",                                  \
      "posts that were in flight to a node that died, for their room's next owner")                \
    X(EVENTS_OUT, COUNTER, "confab_room_events_total", "events sent by rooms to gateways")         \
    X(HISTORY_RING, COUNTER, "confab_history_pages_total{from=\"ring\"}", CF_HISTORY_HELP)         \
    X(HISTORY_STORE, COUNTER, "confab_history_pages_total{from=\"store\"}", CF_HISTORY_HELP)       \
    X(REPLICA_PAGES, COUNTER, CF_REPLICA("answered"), CF_REPLICA_HELP)                             \
    X(REPLICA_BEHIND, COUNTER, CF_REPLICA("behind"), CF_REPLICA_HELP)                              \
    X(REPLICA_AWAY, COUNTER, CF_REPLICA("away"), CF_REPLICA_HELP)                                  \
    X(ROOM_LAGS, COUNTER, "confab_room_lags_total", "times a gateway's event window closed")       \
    X(ROOM_LAG, MOST, "confab_room_lag_events",                                                    \
      "events that the gateway furthest behind a room has not been sent")                          \
    X(RESUMED, COUNTER, "confab_resumes_total{result=\"complete\"}", CF_RESUMES_HELP)              \
    X(RESUMED_RELOAD, COUNTER, "confab_resumes_total{result=\"reload\"}", CF_RESUMES_HELP)         \
    X(ROOMS_ACTIVE, GAUGE, "confab_rooms_active", "rooms in memory")                               \
    X(ROOM_QUEUE_BYTES, GAUGE, "confab_room_queue_bytes", "of posts that wait for their commit")   \
    X(ROOM_HELD_BYTES, GAUGE, "confab_room_held_bytes",                                            \
      "of requests that wait until a room knows a user or itself")                                 \
    X(LOOKUPS_WAITING, GAUGE, "confab_lobby_lookups_waiting", "lookups of rooms not placed yet")   \
    X(ROOMS_MOVED, COUNTER, "confab_room_moved_total", "requests answered MOVED")                  \
    X(ROOMS_OPENED, COUNTER, "confab_rooms_opened_total", "room activations")                      \
    X(ROOMS_RETIRED, COUNTER, "confab_rooms_retired_total", "rooms retired")                       \
    X(READER_WAITING, GAUGE, "confab_reader_waiting",                                              \
      "questions that wait to share a query with others")                                          \
    X(COMMITS, COUNTER, "confab_store_commits_total", "write transactions")                        \
    X(ROWS_WRITTEN, COUNTER, "confab_store_posts_written_total", "posts written")                  \
    X(WRITES, COUNTER, "confab_store_writes_total", "writes other than posts")                     \
    X(STORE_ERRORS, COUNTER, "confab_store_errors_total", "failed store calls")                    \
    X(STORE_UNKNOWN, COUNTER, "confab_store_unknown_total", "runs whose answer was lost")          \
    X(UNSETTLED_BYTES, GAUGE, "confab_store_unsettled_bytes",                                      \
      "of runs whose answer was lost, until the store has said what became of them")               \
    X(LOGINS, COUNTER, "confab_logins_total", "successful logins")                                 \
    X(LOGINS_FAILED, COUNTER, "confab_logins_failed_total", "refused logins")                      \
    X(REGISTRATIONS, COUNTER, "confab_registrations_total", "new users")                           \
    X(HASHES, COUNTER, "confab_password_hashes_total", "password hashes computed")                 \
    X(ACCOUNTS_WAITING, GAUGE, "confab_accounts_waiting",                                          \
      "logins, registrations, session lookups and logouts under way")                              \
    X(HASH_WAITING, GAUGE, "confab_password_hash_waiting", "logins and registrations waiting")     \
    X(SESSIONS_CACHED, GAUGE, "confab_sessions_cached", "sessions in memory")                      \
    X(SESSIONS_EXPIRED, COUNTER, "confab_sessions_expired_total",                                  \
      "sessions removed by the sweeper")                                                           \
    X(DEAD_LETTERS_EXPIRED, COUNTER, "confab_dead_letters_expired_total", "dead letters removed")  \
    X(POSTS_EXPIRED, COUNTER, "confab_posts_expired_total", "posts removed by retention")          \
    X(KEYS_EXPIRED, COUNTER, "confab_keys_expired_total", "idempotency keys removed")              \
    X(CONNECTIONS, GAUGE, "confab_connections", "open sockets")                                    \
    X(WEBSOCKETS, GAUGE, "websocket_connections_active", "open WebSockets")                        \
    X(ACCEPTED, COUNTER, "confab_connections_accepted_total", "sockets accepted")                  \
    X(REFUSED_CAP, COUNTER, "confab_connections_refused_total", "sockets over a connection cap")   \
    X(REFUSED_USER_CAP, COUNTER, "confab_user_sockets_refused_total",                              \
      "WebSockets over the cap of one user")                                                       \
    X(BAD_HEADS, COUNTER, "confab_http_bad_heads_total", "requests refused for their head")        \
    X(BAD_BODIES, COUNTER, "confab_http_bad_bodies_total", "requests refused for their body")      \
    X(REFUSED_POOL, COUNTER, "confab_http_pool_refused_total",                                     \
      "requests refused as no memory was left for them")                                           \
    X(REQUEST_BYTES, GAUGE, "confab_http_request_bytes",                                           \
      "memory of big requests not answered yet")                                                   \
    X(SLOW_HEADS, COUNTER, "confab_http_slow_heads_total", "requests that did not arrive in time") \
    X(WS_MESSAGES_IN, COUNTER, "confab_ws_messages_received_total", "WebSocket messages in")       \
    X(SENT_CHAT, COUNTER, CF_WS_SENT("chat_message"), CF_WS_SENT_HELP)                             \
    X(SENT_ACK, COUNTER, CF_WS_SENT("message_ack"), CF_WS_SENT_HELP)                               \
    X(SENT_JOINED, COUNTER, CF_WS_SENT("user_joined"), CF_WS_SENT_HELP)                            \
    X(SENT_LEFT, COUNTER, CF_WS_SENT("user_left"), CF_WS_SENT_HELP)                                \
    X(SENT_COUNTS, COUNTER, CF_WS_SENT("user_count_update"), CF_WS_SENT_HELP)                      \
    X(SENT_ROSTER, COUNTER, CF_WS_SENT("room_roster"), CF_WS_SENT_HELP)                            \
    X(SENT_ERROR, COUNTER, CF_WS_SENT("error"), CF_WS_SENT_HELP)                                   \
    X(BYTES_IN, COUNTER, "confab_bytes_received_total", "payload bytes in")                        \
    X(BYTES_OUT, COUNTER, "confab_bytes_sent_total", "bytes handed to the kernel")                 \
    X(SENDS, COUNTER, "confab_sends_total", "send calls")                                          \
    X(QUEUED_BYTES, GAUGE, "confab_send_queue_bytes", "bytes waiting for slow clients")            \
    X(CLOSED_SLOW, COUNTER, "confab_closed_slow_total", "clients closed 1013")                     \
    X(CLOSED_IDLE, COUNTER, "confab_closed_idle_total", "clients without a sign of life")          \
    X(CLOSED_FLOOD, COUNTER, "confab_closed_flood_total", "clients reset: sent on behind a Close") \
    X(CLOSED_CONTROL, COUNTER, "confab_closed_control_total",                                      \
      "clients closed 1008: too many pings or pongs")                                              \
    X(CLOSED_UNFINISHED, COUNTER, "confab_closed_unfinished_total",                                \
      "clients that did not finish a message in time")                                             \
    X(REFUSED_WS_POOL, COUNTER, "confab_ws_pool_refused_total",                                    \
      "clients closed 1013 as no memory was left for half messages")                               \
    X(WS_MESSAGE_BYTES, GAUGE, "confab_ws_message_bytes",                                          \
      "memory of messages that have begun and not ended")                                          \
    X(CLOSED_PROTOCOL, COUNTER, "confab_closed_protocol_total", "clients closed 1002, 1007, 1009") \
    X(BAD_FRAMES, COUNTER, "confab_ws_bad_messages_total",                                         \
      "messages answered with an error frame")                                                     \
    X(COMMANDS, COUNTER, "confab_commands_total", "commands that clients gave")                    \
    X(COMMANDS_REFUSED, COUNTER, "confab_commands_refused_total",                                  \
      "commands answered with an error frame")                                                     \
    X(BOT_COMMANDS, COUNTER, "confab_bot_commands_total", "commands the bot has taken")            \
    X(BOT_AWAY, COUNTER, "confab_bot_away_total",                                                  \
      "commands that found no node with a bot, or whose node went before it had answered")         \
    X(BOT_OK, COUNTER, "confab_bot_answers_total{result=\"ok\"}", CF_BOT_ANSWERS_HELP)             \
    X(BOT_NOT_FOUND, COUNTER, "confab_bot_answers_total{result=\"not_found\"}",                    \
      CF_BOT_ANSWERS_HELP)                                                                         \
    X(BOT_FAILED, COUNTER, "confab_bot_answers_total{result=\"failed\"}", CF_BOT_ANSWERS_HELP)     \
    X(BOT_WAITING, GAUGE, "confab_bot_waiting", "commands that wait for a quote")                  \
    X(QUOTE_ATTEMPTS, COUNTER, "confab_quote_attempts_total", "requests to the quote service")     \
    X(QUOTE_FAILURES, COUNTER, "confab_quote_failures_total", "of them, those that failed")        \
    X(QUOTES_IN_FLIGHT, GAUGE, "confab_quote_in_flight",                                           \
      "requests to the quote service under way")                                                   \
    X(QUOTE_CACHE_HITS, COUNTER, "confab_quote_cache_hits_total", "commands answered from memory") \
    X(BREAKER_STATE, GAUGE, "confab_quote_breaker_state",                                          \
      "the quote service is asked: 0 yes, 1 not for now, 2 to see how it is")                      \
    X(BREAKER_REFUSALS, COUNTER, "confab_quote_breaker_refused_total",                             \
      "quotes not asked for, as the service is left alone")                                        \
    X(DEAD_LETTERS, COUNTER, "confab_dead_letters_total", "commands that failed, stored")          \
    X(DEAD_LETTERS_WAITING, GAUGE, "confab_dead_letters_waiting", "those not stored yet")          \
    X(DEAD_LETTERS_LOST, COUNTER, "confab_dead_letters_lost_total",                                \
      "those that could not be stored")                                                            \
    X(LETTERS_ANSWERED, COUNTER, CF_REPLAYED("answered"), CF_REPLAYED_HELP)                        \
    X(LETTERS_FAILED, COUNTER, CF_REPLAYED("failed"), CF_REPLAYED_HELP)                            \
    X(LETTERS_REFUSED, COUNTER, CF_REPLAYED("refused"), CF_REPLAYED_HELP)                          \
    X(CREDIT_STOPS, COUNTER, "confab_credit_stops_total", "times a client's socket was not read")  \
    X(POOL_BYTES, GAUGE, "confab_gateway_pool_bytes", "of clients' posts not answered yet")        \
    X(COMMAND_BYTES, GAUGE, "confab_gateway_command_bytes", "of commands not answered yet")        \
    X(REQUESTS_WAITING, GAUGE, "confab_gateway_requests_waiting",                                  \
      "requests of gateways that wait for another actor")                                          \
    X(LIMITED_POSTS, COUNTER, CF_LIMITED("posts"), CF_LIMITED_HELP)                                \
    X(LIMITED_COMMANDS, COUNTER, CF_LIMITED("commands"), CF_LIMITED_HELP)                          \
    X(LIMITED_UPGRADES, COUNTER, CF_LIMITED("upgrades"), CF_LIMITED_HELP)                          \
    X(LIMITED_LOGINS, COUNTER, CF_LIMITED("failed_logins"), CF_LIMITED_HELP)                       \
    X(LIMITED_ADDRESSES, COUNTER, CF_LIMITED("auth_per_ip"), CF_LIMITED_HELP)                      \
    X(LIMITED_AUTH, COUNTER, CF_LIMITED("auth"), CF_LIMITED_HELP)                                  \
    X(LIMITED_API, COUNTER, CF_LIMITED("api"), CF_LIMITED_HELP)                                    \
    X(BUCKETS, GAUGE, "confab_limiter_buckets", "buckets in memory")                               \
    X(BUCKETS_EVICTED, COUNTER, "confab_limiter_evicted_total",                                    \
      "buckets forgotten for newer ones")                                                          \
    X(TLS_HANDSHAKES, COUNTER, "confab_tls_handshakes_total", "TLS handshakes done")               \
    X(TLS_RESUMED, COUNTER, "confab_tls_resumed_total", "of these, by a session ticket")           \
    X(TLS_FAILED_HTTP, COUNTER, CF_TLS_FAILED("plain_http"), CF_TLS_FAILED_HELP)                   \
    X(TLS_FAILED_UNSUPPORTED, COUNTER, CF_TLS_FAILED("unsupported"), CF_TLS_FAILED_HELP)           \
    X(TLS_FAILED_REJECTED, COUNTER, CF_TLS_FAILED("rejected"), CF_TLS_FAILED_HELP)                 \
    X(TLS_FAILED_MALFORMED, COUNTER, CF_TLS_FAILED("malformed"), CF_TLS_FAILED_HELP)               \
    X(TLS_FAILED_LEFT, COUNTER, CF_TLS_FAILED("left"), CF_TLS_FAILED_HELP)                         \
    X(TLS_FAILED_SLOW, COUNTER, CF_TLS_FAILED("slow"), CF_TLS_FAILED_HELP)                         \
    X(TLS_FAILED_RESOURCES, COUNTER, CF_TLS_FAILED("resources"), CF_TLS_FAILED_HELP)               \
    X(TLS_BROKEN, COUNTER, "confab_tls_broken_total", "connections ended by a faulty TLS record")  \
    X(TLS_STALLED, COUNTER, "confab_tls_stalled_total",                                            \
      "closed connections reset as the client took no more")                                       \
    X(TLS_RELOADS, COUNTER, "confab_tls_reloads_total", "times the certificate was read again")    \
    X(TLS_RELOADS_REFUSED, COUNTER, "confab_tls_reloads_refused_total",                            \
      "times the new certificate was no good and the old one stayed")                              \
    X(TLS_EXPIRY, LEAST, "confab_tls_certificate_expiry_timestamp_seconds",                        \
      "when the certificate expires, seconds since 1970")                                          \
    X(CONTROL_REQUESTS, COUNTER, "confab_control_requests_total",                                  \
      "what came over the control socket")                                                         \
    X(CONTROL_REFUSED, COUNTER, "confab_control_refused_total",                                    \
      "of it, what was refused or given up, clients too many among it")                            \
    X(CONTROL_UNSENT, COUNTER, "confab_control_unsent_total",                                      \
      "answers over the control socket that the client did not take")                              \
    X(CONTROL_CLIENTS, GAUGE, "confab_control_clients", "connections to the control socket")       \
    X(MESH_LINKS, GAUGE, "confab_mesh_links", "other nodes heard of in the last three seconds")    \
    X(MESH_MESSAGES, COUNTER, "confab_mesh_messages_total", "sent to other nodes")                 \
    X(MESH_FRAMES, COUNTER, "confab_mesh_frames_total", "in which they were sent")                 \
    X(MESH_SENT_BYTES, COUNTER, "confab_mesh_bytes_total",                                         \
      "of those messages, without frames' heads")                                                  \
    X(MESH_BYTES, GAUGE, "confab_mesh_queue_bytes", "on the way to other nodes, not confirmed")    \
    X(MESH_AGAIN, COUNTER, "confab_mesh_sent_again_total", "frames sent to another node again")    \
    X(MESH_REFUSED, COUNTER, "confab_mesh_refused_total",                                          \
      "connections and nodes whose key is not in mesh.allowed_keys")                               \
    X(MESH_CUT_OFF, COUNTER, "confab_mesh_cut_off_total",                                          \
      "other nodes given up: over mesh.queue_max_bytes, or for what they said")                    \
    X(MESH_MALFORMED, COUNTER, "confab_mesh_malformed_total",                                      \
      "frames of other nodes that no node sends")                                                  \
    X(SPANS_SENT, COUNTER, CF_SPANS("sent"), CF_SPANS_HELP)                                        \
    X(SPANS_REJECTED, COUNTER, CF_SPANS("rejected"), CF_SPANS_HELP)                                \
    X(SPANS_REFUSED, COUNTER, CF_SPANS("refused"), CF_SPANS_HELP)                                  \
    X(SPANS_FAILED, COUNTER, CF_SPANS("failed"), CF_SPANS_HELP)                                    \
    X(SPANS_FULL, COUNTER, CF_SPANS("full"), CF_SPANS_HELP)                                        \
    X(SPANS_LIMITED, COUNTER, CF_SPANS("limited"), CF_SPANS_HELP)                                  \
    X(SPANS_WAITING, GAUGE, "confab_trace_spans_waiting", "spans not taken by the collector yet")  \
    X(TRACE_REQUESTS, COUNTER, "confab_trace_requests_total", "requests to the collector")         \
    X(TRACE_FAILURES, COUNTER, "confab_trace_failures_total", "of them, those that failed")        \
    X(LOG_DROPPED, GAUGE, "confab_log_dropped", "log lines dropped")

typedef enum {
#define X(name, kind, text, help) CF_M_##name,
    CF_METRIC_MAP(X)
#undef X
        CF_METRICS
} cf_metric_t;

/* Histograms in seconds, observed in microseconds. */
#define CF_DB(operation, table)                                                                    \
    "db_query_duration_seconds{operation=\"" operation "\",table=\"" table "\"}"
#define CF_DB_HELP "one query, or the transaction that a write was part of"

#define CF_HISTOGRAM_MAP(X)                                                                        \
    X(COMMIT, "confab_store_commit_seconds", "one write transaction")                              \
    X(ACK, "confab_post_ack_seconds", "from a post's arrival in its room to its commit")           \
    X(DELIVERY, "confab_delivery_seconds",                                                         \
      "from a post's number to the hand-over of all copies that one gateway sends")                \
    X(HASH, "confab_password_hash_seconds", "one password hash")                                   \
    X(SELECT_USERS, CF_DB("select", "users"), CF_DB_HELP)                                          \
    X(SELECT_SESSIONS, CF_DB("select", "sessions"), CF_DB_HELP)                                    \
    X(SELECT_ROOMS, CF_DB("select", "rooms"), CF_DB_HELP)                                          \
    X(SELECT_MEMBERS, CF_DB("select", "members"), CF_DB_HELP)                                      \
    X(SELECT_POSTS, CF_DB("select", "posts"), CF_DB_HELP)                                          \
    X(INSERT_POSTS, CF_DB("insert", "posts"), CF_DB_HELP)                                          \
    X(INSERT_USERS, CF_DB("insert", "users"), CF_DB_HELP)                                          \
    X(INSERT_SESSIONS, CF_DB("insert", "sessions"), CF_DB_HELP)                                    \
    X(INSERT_ROOMS, CF_DB("insert", "rooms"), CF_DB_HELP)                                          \
    X(INSERT_MEMBERS, CF_DB("insert", "members"), CF_DB_HELP)                                      \
    X(UPDATE_USERS, CF_DB("update", "users"), CF_DB_HELP)                                          \
    X(UPDATE_ROOMS, CF_DB("update", "rooms"), CF_DB_HELP)                                          \
    X(DELETE_SESSIONS, CF_DB("delete", "sessions"), CF_DB_HELP)                                    \
    X(DELETE_MEMBERS, CF_DB("delete", "members"), CF_DB_HELP)                                      \
    X(DELETE_POST_KEYS, CF_DB("delete", "post_keys"), CF_DB_HELP)                                  \
    X(SELECT_DEAD_LETTERS, CF_DB("select", "dead_letters"), CF_DB_HELP)                            \
    X(INSERT_DEAD_LETTERS, CF_DB("insert", "dead_letters"), CF_DB_HELP)                            \
    X(DELETE_DEAD_LETTERS, CF_DB("delete", "dead_letters"), CF_DB_HELP)                            \
    X(DELETE_POSTS, CF_DB("delete", "posts"), CF_DB_HELP)

/* Histograms of plain numbers. */
#define CF_NUMBER_MAP(X) X(BATCH_ROWS, "confab_store_batch_rows", "rows written in one transaction")

typedef enum {
#define X(name, text, help) CF_H_##name,
    CF_HISTOGRAM_MAP(X) CF_NUMBER_MAP(X)
#undef X
        CF_HISTOGRAMS
} cf_histogram_t;
#define CF_FIRST_NUMBER CF_H_BATCH_ROWS

/* One set for all times: what the rooms contract asks of its two, and finer ones below; and one for
 * all numbers. */
#define CF_HISTOGRAM_BUCKETS 17 /* the last is +Inf */
extern const int64_t cf_histogram_bounds_us[CF_HISTOGRAM_BUCKETS - 1];
extern const int64_t cf_histogram_bounds_n[CF_HISTOGRAM_BUCKETS - 1];

/* Slots: the metrics, then per histogram its buckets (not cumulative) and its sum, of times in
 * microseconds. */
#define CF_HISTOGRAM_SLOTS (CF_HISTOGRAM_BUCKETS + 1)
#define CF_METRIC_SLOTS ((size_t)CF_METRICS + (size_t)CF_HISTOGRAMS * CF_HISTOGRAM_SLOTS)

extern _Thread_local uint64_t cf_metric_slots[CF_METRIC_SLOTS];

static inline void cf_count(cf_metric_t metric)
{
    cf_metric_slots[metric]++;
}

static inline void cf_count_by(cf_metric_t metric, uint64_t n)
{
    cf_metric_slots[metric] += n;
}

static inline void cf_gauge(cf_metric_t metric, uint64_t value)
{
    cf_metric_slots[metric] = value;
}

void cf_observe(cf_histogram_t histogram, int64_t value); /* microseconds, or a plain number */

/* --- series: histograms whose labels only a run can tell -------------------------------------------
 *
 * Answers to HTTP requests, by what was asked and how it was answered. A thread makes a series when
 * it first observes its key. There can be CF_SERIES_MAX on a thread, far more than the labels' real
 * combinations; past it, and without memory, an observation is dropped. */
#define CF_SERIES_MAX 512

typedef struct {
    uint8_t path;   /* an index that its owner turns into text; see cf_route_label() */
    uint8_t method; /* cf_method_t */
    uint16_t status;
} cf_series_key_t;

typedef struct {
    uint32_t key; /* packed */
    uint64_t slots[CF_HISTOGRAM_SLOTS];
} cf_series_t;

uint32_t cf_series_pack(cf_series_key_t key);
cf_series_key_t cf_series_unpack(uint32_t packed);
void cf_observe_series(cf_series_key_t key, int64_t us);
/* This thread's series, *n of them; in no order. */
const cf_series_t *cf_series(uint32_t *n);
void cf_series_free(void); /* at the thread's end */

#endif
