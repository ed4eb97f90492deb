/* base/config_keys.h: every configuration key, once.
 *
 *     X(section, key, type, default, low, high, what it does)
 *
 * From this table come the members of cf_config_t, defaults and bounds, the names of the
 * environment variables (CONFAB_<SECTION>_<KEY>), suggestions and the reference
 * docs/configuration.md. A new key is one line here. Defaults and bounds are written as an operator
 * would write them.
 *
 * type      member of cf_config_t        low and high
 * INT       int section_key              least and largest value
 * DURATION  int64_t section_key_ms       least and largest; a bare number is seconds
 * SIZE      size_t section_key           least and largest; a bare number is bytes
 * BOOL      bool section_key             -
 * TEXT      const char *section_key      least and most bytes
 * SECRET    const char *section_key      as TEXT; never shown, and section.key_file names a file
 * CHOICE    const char *section_key      low: the values, "a|b=a" also takes b and stores a
 * ADDRESS   const char *section_key      host:port; least and most bytes (0: may be empty, off)
 * URL       const char *section_key      http(s)://host[:port][/path], without a slash at the end; as
 *                                       ADDRESS
 * ORIGINS   cf_config_list_t section_key least and most entries: http(s)://host[:port] or *
 * NETWORKS  cf_config_networks_t ...     least and most entries: address or CIDR range
 * CURVE_KEYS cf_config_list_t section_key least and most entries: public CURVE keys, Z85
 * PEERS    cf_config_list_t  section_key    least and most entries: NAME=ENDPOINT */
#ifndef CF_CONFIG_KEYS_H
#define CF_CONFIG_KEYS_H

#define CF_CONFIG_SECTIONS(X)                                                                      \
    X(http, "The listener for browsers, SDKs and bots.")                                           \
    X(ws, "WebSocket connections.")                                                                \
    X(gateway, "Gateway threads and the credit that bounds requests in flight.")                   \
    X(limits, "Limits on what one client may use.")                                                \
    X(node, "This process.")                                                                       \
    X(mesh, "Links to the other nodes of one chat; see docs/several-nodes.md.")                    \
    X(store, "Where posts, users and rooms stay.")                                                 \
    X(storage, "The one writer to the store.")                                                     \
    X(rooms, "Rooms and the threads that run them.")                                               \
    X(stock, "The bot that answers commands with stock quotes.")                                   \
    X(auth, "Passwords and sessions.")                                                             \
    X(sweeper, "Expiry of what has outlived its time.")                                            \
    X(log, "Log lines on stderr.")                                                                 \
    X(metrics, "Prometheus metrics.")                                                              \
    X(trace, "Spans of sampled requests, told to a collector (OpenTelemetry).")                    \
    X(control, "The way in for `confab ctl`.")                                                     \
    X(shutdown, "What happens on SIGTERM.")

#define CF_CONFIG_KEYS(X)                                                                          \
    X(http, listen, ADDRESS, "127.0.0.1:8080", "1", "255",                                         \
      "Address and port to listen on; port 0 picks a free one, `[::]:8080` is every interface, "   \
      "`0.0.0.0:8080` every one for IPv4 alone.")                                                  \
    X(http, allowed_origins, ORIGINS, "http://localhost:3000,http://localhost:8080", "0", "64",    \
      "Origins whose pages may use the API and open sockets, besides the server's own. In "        \
      "production none unless named.")                                                             \
    X(http, trusted_proxies, NETWORKS, "", "0", "64",                                              \
      "Reverse proxies whose X-Forwarded-For, True-Client-IP and X-Real-IP are believed.")         \
    X(http, connections_max, INT, "0", "0", "1000000",                                             \
      "Connections at once; beyond it 503. 0 derives it from the limit on open files.")            \
    X(http, head_max_bytes, SIZE, "16KiB", "1KiB", "64KiB",                                        \
      "Request line and headers; beyond it 431.")                                                  \
    X(http, body_max_bytes, SIZE, "64KiB", "1KiB", "1MiB", "Request body; beyond it 413.")         \
    X(http, request_pool_bytes, SIZE, "64MiB", "4MiB", "4GiB",                                     \
      "Memory for heads and bodies not answered yet, over all clients of a gateway that hold "     \
      "more than 4 KiB each; beyond it 503.")                                                      \
    X(http, head_timeout, DURATION, "10s", "100ms", "5m",                                          \
      "Time a client has to send a whole head.")                                                   \
    X(http, body_timeout, DURATION, "15s", "100ms", "5m",                                          \
      "Time a client has to send a whole body.")                                                   \
    X(http, keepalive, DURATION, "60s", "100ms", "1h",                                             \
      "Time an idle HTTP connection is kept for the next request.")                                \
    X(http, answer_timeout, DURATION, "55s", "1s", "5m",                                           \
      "Time the server gives itself for an answer; then 503. Longer than gateway.answer_timeout "  \
      "and auth.hash_timeout together.")                                                           \
    X(http, send_buffer_bytes, SIZE, "128KiB", "4KiB", "4MiB",                                     \
      "Kernel send buffer of each connection (SO_SNDBUF); part of the memory a slow client can "   \
      "hold.")                                                                                     \
    X(http, receive_buffer_bytes, SIZE, "64KiB", "32KiB", "4MiB",                                  \
      "Kernel receive buffer of each connection (SO_RCVBUF); part of the memory a client can "     \
      "hold that is not read, say as it is out of credit.")                                        \
    X(http, tls_cert_file, TEXT, "", "0", "1024",                                                  \
      "PEM file with the server's certificate, then those that vouch for it; with it the server "  \
      "speaks TLS alone on http.listen. Read again on SIGHUP. Empty is plain HTTP.")               \
    X(http, tls_key_file, TEXT, "", "0", "1024",                                                   \
      "PEM file with the key of that certificate, without a passphrase.")                          \
    X(http, tls_min_version, CHOICE, "1.2", "1.2|1.3", "",                                         \
      "Oldest version of TLS that is spoken.")                                                     \
    X(http, hsts_max_age, DURATION, "365d", "0", "730d",                                           \
      "Under TLS: how long browsers are told to use nothing else for this host "                   \
      "(Strict-Transport-Security); 0 says nothing.")                                              \
    X(http, pages_dir, TEXT, "", "0", "1024",                                                      \
      "Folder whose index.html, login.html and register.html are served at /, /login and "         \
      "/register; read at start. Empty is the built-in page.")                                     \
    X(http, health_status, CHOICE, "ok", "ok|healthy", "",                                         \
      "Word that /health answers with when all is well.")                                          \
    X(ws, message_max_bytes, SIZE, "16KiB", "1KiB", "1MiB",                                        \
      "One whole message from a client; beyond it the socket is closed with 1009.")                \
    X(ws, message_timeout, DURATION, "30s", "100ms", "10m",                                        \
      "Time a client has for a whole message once it has begun; then close 1008.")                 \
    X(ws, message_pool_bytes, SIZE, "64MiB", "64KiB", "4GiB",                                      \
      "Memory for messages that have begun and not ended, over all clients of a gateway; beyond "  \
      "it the one that asks for more is closed with 1013.")                                        \
    X(ws, ping, DURATION, "25s", "1s", "10m", "How often the server pings a quiet client.")        \
    X(ws, idle, DURATION, "55s", "3s", "1h",                                                       \
      "A client of which nothing was heard for this long is gone.")                                \
    X(ws, control_max_bytes, SIZE, "256KiB", "16KiB", "64MiB",                                     \
      "Bytes of pings and pongs a client may send between two pings of the server; looked at "     \
      "then, "                                                                                     \
      "and beyond it the socket is closed with 1008.")                                             \
    X(ws, queue_max_bytes, SIZE, "1MiB", "16KiB", "64MiB",                                         \
      "Bytes that may wait for a slow client; beyond it the socket is closed with 1013.")          \
    X(ws, queue_max_age, DURATION, "10s", "100ms", "10m",                                          \
      "Age the oldest byte waiting for a slow client may reach; then close 1013.")                 \
    X(ws, close_timeout, DURATION, "5s", "100ms", "1m",                                            \
      "Time a client has to answer the server's Close before the connection is reset.")            \
    X(ws, flush_delay, DURATION, "0", "0", "50ms",                                                 \
      "Gather outgoing messages for this long; 0 flushes at the end of each loop pass.")           \
    X(gateway, count, INT, "1", "1", "64", "Gateway threads.")                                     \
    X(gateway, credits_requests, INT, "32", "1", "1024",                                           \
      "Requests one connection may have in flight; at the bound its socket is not read.")          \
    X(gateway, credits_bytes, SIZE, "128KiB", "16KiB", "16MiB",                                    \
      "Bytes of requests one connection may have in flight.")                                      \
    X(gateway, pool_bytes, SIZE, "64MiB", "1MiB", "4GiB",                                          \
      "Bytes of requests in flight over all connections of a gateway.")                            \
    X(gateway, answer_timeout, DURATION, "15s", "1s", "5m",                                        \
      "Time an actor has to answer what a client asked; then 503, or the post is not confirmed. "  \
      "Longer than that of rooms and twice that of auth.")                                         \
    X(limits, sockets_per_user, INT, "100", "0", "1000000",                                        \
      "WebSockets at once of one user, on each gateway thread; more are answered 429. 0 is off.")  \
    X(limits, connections_per_ip, INT, "0", "0", "1000000",                                        \
      "Connections at once from one address, on each node; more are refused. Each gateway thread " \
      "takes its share of them. 0 is off.")                                                        \
    X(limits, commands_in_flight, INT, "16", "1", "1024",                                          \
      "Commands of one connection that may wait for the bot; beyond it a command is refused.")     \
    X(limits, posts_per_minute, INT, "60", "0", "1000000",                                         \
      "Posts of one user, on all connections together; as many at once. 0 is off, as for all "     \
      "limits below.")                                                                             \
    X(limits, commands_per_minute, INT, "10", "0", "1000000",                                      \
      "Commands of one user; as many at once.")                                                    \
    X(limits, upgrades_per_second, INT, "2", "0", "1000000", "WebSockets one user opens.")         \
    X(limits, upgrades_burst, INT, "5", "1", "1000000",                                            \
      "So many of these at once; at least as many as in a second.")                                \
    X(limits, auth_per_second, INT, "5", "0", "1000000",                                           \
      "Registrations and logins on one connection. Behind a trusted proxy: from one address.")     \
    X(limits, auth_burst, INT, "10", "1", "1000000",                                               \
      "So many of these at once; at least as many as in a second.")                                \
    X(limits, api_per_second, INT, "20", "0", "1000000",                                           \
      "Other calls with a session on one connection. Behind a trusted proxy: from one address.")   \
    X(limits, api_burst, INT, "50", "1", "1000000",                                                \
      "So many of these at once; at least as many as in a second.")                                \
    X(limits, auth_per_second_per_ip, INT, "200", "0", "1000000",                                  \
      "Registrations and logins from one address on all its connections; as many at once.")        \
    X(limits, failed_logins, INT, "10", "0", "1000000",                                            \
      "Wrong passwords for one account from one address within limits.failed_logins_window; "      \
      "then 429, also for the right one.")                                                         \
    X(limits, failed_logins_window, DURATION, "15m", "1s", "24h",                                  \
      "Time in which limits.failed_logins come back, evenly.")                                     \
    X(limits, buckets_max, INT, "100000", "1000", "10000000",                                      \
      "Users, addresses and accounts whose limits are kept, 72 bytes each; past it the one not "   \
      "seen for the longest starts anew.")                                                         \
    X(node, name, TEXT, "", "0", "63",                                                             \
      "Name of this node, in logs and in the database; empty is the host's.")                      \
    X(node, roles, CHOICE, "all", "all|rooms|stockbot", "",                                        \
      "What this node does: `stockbot` answers commands and has no clients, no rooms and no "      \
      "posts; "                                                                                    \
      "`rooms` leaves commands to such nodes. Other than `all` needs mesh.listen.")                \
    X(node, heartbeat, DURATION, "1s", "100ms", "10s",                                             \
      "How often this node tells the database that it lives. PostgreSQL only.")                    \
    X(node, gone_after, DURATION, "3s", "1s", "1m",                                                \
      "A node without a heartbeat for so long is gone, and its rooms are others'; at least three " \
      "heartbeats, and the same at all nodes: one that comes with another value waits until "      \
      "those that are there have left.")                                                           \
    X(node, data_dir, TEXT, "./data", "1", "1024",                                                 \
      "Folder for the SQLite database and other files.")                                           \
    X(node, environment, CHOICE, "development",                                                    \
      "development|test|staging|production|prod=production", "",                                   \
      "`production` marks cookies Secure, as TLS does.")                                           \
    X(mesh, listen, ADDRESS, "", "0", "120",                                                       \
      "IP address and port where other nodes connect; port 0 picks a free one. Empty is none: "    \
      "this server is alone. PostgreSQL only.")                                                    \
    X(mesh, endpoint, TEXT, "", "0", "127",                                                        \
      "`tcp://HOST:PORT`: how the other nodes reach this one, an address rather than a name; "     \
      "empty is mesh.listen.")                                                                     \
    X(mesh, secret_key, SECRET, "", "0", "40",                                                     \
      "This node's own CURVE key, the first line of `confab token mesh-key`. In quotes: it may "   \
      "hold any sign.")                                                                            \
    X(mesh, allowed_keys, CURVE_KEYS, "", "0", "64",                                               \
      "Public keys of the nodes that may connect and are connected to, in quotes; one for each "   \
      "node.")                                                                                     \
    X(mesh, peers, PEERS, "", "0", "64",                                                           \
      "`NAME=tcp://HOST:PORT`: where this node reaches the one of that node.name, in the stead "   \
      "of "                                                                                        \
      "where it says itself; for networks in which the two differ.")                               \
    X(mesh, queue_max_bytes, SIZE, "256MiB", "8MiB", "64GiB",                                      \
      "Bytes on the way to one other node that it has not confirmed; beyond it that node is cut "  \
      "off. At least gateway.pool_bytes for each gateway, rooms.window_bytes for each gateway "    \
      "and "                                                                                       \
      "room thread, and rooms.ring_bytes and 320KiB for each of 32 rooms that move.")              \
    X(store, url, SECRET, "", "0", "2048",                                                         \
      "`sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; empty is confab.db in "          \
      "node.data_dir.")                                                                            \
    X(store, replica_url, SECRET, "", "0", "2048",                                                 \
      "`postgres://...` of a streaming replica, from which readers take pages of history that it " \
      "has in full; "                                                                              \
      "empty is none.")                                                                            \
    X(store, start_wait, DURATION, "60s", "0", "1h",                                               \
      "How long an unreachable store is waited for at start before exit 69; 0 is for ever.")       \
    X(store, statement_timeout, DURATION, "4s", "100ms", "1m",                                     \
      "Time the store has for one call; then the connection is given up.")                         \
    X(store, key_ttl, DURATION, "24h", "3h", "7d",                                                 \
      "How long a repeated client key finds the post it made; longer than any step of the clock.") \
    X(store, readers, INT, "2", "1", "16",                                                         \
      "Threads that answer history, sessions and memberships, each with its own connection.")      \
    X(store, gather, DURATION, "50ms", "0", "1s",                                                  \
      "While sessions, memberships or old posts are asked for faster than some 200 a second, a "   \
      "reader asks the store for all of a kind once in this time, or when ten wait and no more "   \
      "come. 0 is off.")                                                                           \
    X(store, connections_max, INT, "25", "2", "1000",                                              \
      "Connections to the store at most; one is the writer's, store.readers is cut to the rest. "  \
      "On PostgreSQL heartbeats have one besides.")                                                \
    X(store, connection_ttl, DURATION, "0", "0", "24h",                                            \
      "A connection to PostgreSQL of this age is opened anew before its next use; 0 is never.")    \
    X(storage, batch_rows, INT, "500", "1", "500", "Posts written in one transaction.")            \
    X(storage, batch_bytes, SIZE, "1MiB", "16KiB", "16MiB",                                        \
      "Bytes of posts written in one transaction.")                                                \
    X(rooms, threads_max, INT, "2", "1", "1024",                                                   \
      "Threads that run rooms; past it rooms share the least loaded one.")                         \
    X(rooms, ring_posts, INT, "128", "1", "4096", "Newest posts a room keeps in memory.")          \
    X(rooms, ring_bytes, SIZE, "256KiB", "8KiB", "16MiB",                                          \
      "Bytes of newest posts a room keeps in memory.")                                             \
    X(rooms, idle, DURATION, "60s", "100ms", "24h",                                                \
      "A room without members and traffic is put away after this.")                                \
    X(rooms, queue_posts, INT, "1024", "1", "65536",                                               \
      "Posts of one room that may wait for the store; beyond it a post is refused.")               \
    X(rooms, queue_bytes, SIZE, "1MiB", "16KiB", "64MiB",                                          \
      "Bytes of posts of one room that may wait for the store.")                                   \
    X(rooms, members_cache, INT, "4096", "16", "1000000",                                          \
      "Memberships a room remembers between looks into the store.")                                \
    X(rooms, roster_max, INT, "200", "0", "1000",                                                  \
      "Names in the list of who is in a room, for sockets that ask for it; of the rest it tells "  \
      "how many. A name takes up to 100 bytes of ws.queue_max_bytes.")                             \
    X(rooms, crowd, INT, "100", "2", "1000000",                                                    \
      "Connections from which on a room is told of those who come and go together, one send to "   \
      "each for all of them.")                                                                     \
    X(rooms, crowd_pause, DURATION, "100ms", "0", "10s",                                           \
      "So often at most, unless something else is told meanwhile; in very large rooms every 120 "  \
      "us for each connection, a 20th of a core. 0 tells at once.")                                \
    X(rooms, verdict_timeout, DURATION, "5s", "100ms", "1m",                                       \
      "After this without word from the store a sender is told that the post is not confirmed.")   \
    X(rooms, answer_timeout, DURATION, "5s", "100ms", "1m",                                        \
      "Time a room waits for storage and readers: to open, for a membership, for old posts.")      \
    X(rooms, window_events, INT, "1024", "1", "65536",                                             \
      "Events a room thread may have on the way to one gateway.")                                  \
    X(rooms, window_bytes, SIZE, "1MiB", "16KiB", "64MiB",                                         \
      "Bytes of events a room thread may have on the way to one gateway.")                         \
    X(rooms, commands_max, INT, "512", "1", "65536",                                               \
      "Commands of one room that may wait for the bot; beyond it a command is refused.")           \
    X(stock, url, URL, "https://stooq.com", "1", "255",                                            \
      "Base of the quote service. Its own host may be a private address; redirects go to public "  \
      "ones alone.")                                                                               \
    X(stock, attempt_timeout, DURATION, "10s", "50ms", "5m", "Time one attempt at a quote has.")   \
    X(stock, attempts, INT, "3", "1", "10",                                                        \
      "Attempts at one quote, when the service cannot be reached or answers with an error of "     \
      "its own.")                                                                                  \
    X(stock, pause, DURATION, "1s", "1ms", "1m",                                                   \
      "Pause before the second attempt, give or take a half; twice as long before each further "   \
      "one.")                                                                                      \
    X(stock, in_flight_max, INT, "16", "1", "256", "Requests to the quote service at once.")       \
    X(stock, queue_max, INT, "512", "1", "65536",                                                  \
      "Commands that may wait for the quote service; beyond it a command is refused.")             \
    X(stock, body_max_bytes, SIZE, "16KiB", "256B", "1MiB",                                        \
      "Bytes of one answer of the quote service; a longer one is a failure.")                      \
    X(stock, breaker_failures, INT, "5", "1", "1000",                                              \
      "Failures in a row after which the quote service is left alone.")                            \
    X(stock, breaker_pause, DURATION, "30s", "10ms", "1h",                                         \
      "How long it is left alone; then three requests at most find out how it is.")                \
    X(stock, cache, DURATION, "5s", "0", "1h",                                                     \
      "How long a quote is good for the next one who asks; 0 asks every time.")                    \
    X(stock, cache_not_found, DURATION, "2s", "0", "1h",                                           \
      "The same for the word that there is no such stock.")                                        \
    X(stock, deadline, DURATION, "30s", "100ms", "10m",                                            \
      "Time a command has, from its arrival to the bot's answer.")                                 \
    X(stock, echo, BOOL, "true", "", "",                                                           \
      "Show a sender its own stock command, as typed and to it alone, before the bot answers.")    \
    X(stock, traceparent, BOOL, "false", "", "",                                                   \
      "Tell the quote service the trace that it is asked in (W3C Trace Context), so that its "     \
      "operators and ours find each other's log lines.")                                           \
    X(auth, session_ttl, DURATION, "24h", "1s", "30d", "How long a login lasts.")                  \
    X(auth, password_length_min, INT, "8", "8", "100", "Bytes a new password has at least.")       \
    X(auth, password_like_name, BOOL, "false", "", "",                                             \
      "Whether a new password may be the user's name or address, but for case, digits and "        \
      "symbols.")                                                                                  \
    X(auth, password_deny_file, TEXT, "", "0", "1024",                                             \
      "File of passwords that nobody may choose, one a line, whatever their case; at most 16 "     \
      "MiB.")                                                                                      \
    X(auth, cookie_name, CHOICE, "session_id", "session_id|__Host-session_id", "",                 \
      "Name of the session's cookie. Browsers let no other host and no plain page set one whose "  \
      "name begins with `__Host-`; it needs TLS or node.environment `production`.")                \
    X(auth, argon2_memory_kib, INT, "19456", "8", "1048576",                                       \
      "Memory of one password hash (argon2id), KiB; existing hashes are redone at the next "       \
      "login.")                                                                                    \
    X(auth, argon2_passes, INT, "2", "1", "10", "Passes of one password hash (argon2id).")         \
    X(auth, hash_workers, INT, "2", "1", "16", "Threads that hash passwords, at low priority.")    \
    X(auth, hash_queue, INT, "1024", "1", "65536",                                                 \
      "Registrations and logins that may wait for a hash; beyond it 429.")                         \
    X(auth, hash_queue_per_ip, INT, "512", "1", "65536",                                           \
      "Those of them from one address; beyond it 429. An IPv6 /64 is one address.")                \
    X(auth, hash_timeout, DURATION, "35s", "100ms", "4m",                                          \
      "Time a registration or a login may wait for its hash; then 503.")                           \
    X(auth, hash_rate, INT, "2000", "1", "10000",                                                  \
      "Registrations and logins a second; beyond it 429.")                                         \
    X(auth, answer_timeout, DURATION, "5s", "100ms", "1m",                                         \
      "Time the store may take for a registration, a login or a logout, before a hash and again "  \
      "after it; then 503.")                                                                       \
    X(auth, session_cache, INT, "20000", "0", "1000000",                                           \
      "Sessions remembered between looks into the store.")                                         \
    X(sweeper, interval, DURATION, "60s", "100ms", "24h",                                          \
      "How often what has expired is removed: sessions, client keys and the two below.")           \
    X(sweeper, dead_letters_ttl, DURATION, "14d", "0", "3650d",                                    \
      "How long commands that failed are kept for inspection; 0 is for ever.")                     \
    X(sweeper, posts_ttl, DURATION, "0", "0", "3650d",                                             \
      "How long posts are kept; older ones leave the history for good. 0 is for ever.")            \
    X(log, level, CHOICE, "info", "debug|info|warn|warning=warn|error", "",                        \
      "Least important level that is written.")                                                    \
    X(log, format, CHOICE, "json", "json|text|logfmt=text|console=text", "",                       \
      "`json`, or `text`: the same as key=value.")                                                 \
    X(log, messages, BOOL, "false", "", "",                                                        \
      "Log every message between actors, without its body, at level debug.")                       \
    X(metrics, listen, ADDRESS, "", "0", "255",                                                    \
      "A listener of its own for /metrics; empty is none.")                                        \
    X(metrics, allow, NETWORKS, "", "0", "64",                                                     \
      "Who may read /metrics on the service port, besides loopback.")                              \
    X(trace, url, URL, "", "0", "255",                                                             \
      "Where spans go, by OTLP over HTTP with JSON: `http://collector:4318/v1/traces`; empty is "  \
      "nowhere.")                                                                                  \
    X(trace, header, SECRET, "", "0", "4000",                                                      \
      "A header for the collector, say `Authorization: Bearer ...`; empty is none.")               \
    X(trace, ca_file, TEXT, "", "0", "1024",                                                       \
      "File of the certificates that vouch for a collector by https; empty: those of the system.") \
    X(trace, sample_one_in, INT, "100", "1", "1000000000",                                         \
      "Of so many requests one is sampled. It depends on the trace's id alone, so all nodes "      \
      "choose alike.")                                                                             \
    X(trace, follow_clients, BOOL, "false", "", "",                                                \
      "Whether what comes with a traceparent that says so is sampled as well. Anybody can say "    \
      "so; switch it on behind a proxy that decides.")                                             \
    X(trace, spans_per_second, INT, "1000", "1", "1000000",                                        \
      "Spans that one thread tells in a second; what comes beyond is dropped and counted.")        \
    X(trace, queue_max, INT, "8192", "1", "1000000",                                               \
      "Spans that may wait for the collector; what comes beyond is dropped and counted.")          \
    X(trace, batch_max, INT, "512", "1", "4096", "Spans in one request, at most.")                 \
    X(trace, interval, DURATION, "1s", "1ms", "1m", "How long spans are gathered for a request.")  \
    X(trace, timeout, DURATION, "10s", "50ms", "5m", "Time one request to the collector has.")     \
    X(trace, attempts, INT, "5", "1", "100",                                                       \
      "Requests with the same spans, when the collector cannot be reached or says that it is "     \
      "busy; then they are dropped and counted.")                                                  \
    X(trace, pause, DURATION, "1s", "1ms", "1m",                                                   \
      "Pause before the second of them, give or take a half; twice as long before each further "   \
      "one, but a minute at most.")                                                                \
    X(control, socket, TEXT, "control.sock", "0", "1024",                                          \
      "Socket in the file system over which `confab ctl` asks the running server, for its own "    \
      "user alone; a relative name is within node.data_dir, and done without where another "       \
      "server has it or it is too long; empty is none.")                                           \
    X(shutdown, timeout, DURATION, "30s", "1s", "10m",                                             \
      "Time from SIGTERM to the end. Every step of the drain has its share of it.")

/* The contracts' own names for the same settings, taken when the CONFAB_ name is not set; of
 * several set ones the first in this table counts, but allowed origins add up. PORT and HOST are
 * apart, as together they make http.listen. X(variable, section, key) */
#define CF_CONFIG_ALIASES(X)                                                                       \
    X(DATABASE_URL, store, url)                                                                    \
    X(ALLOWED_ORIGINS, http, allowed_origins)                                                      \
    X(CORS_ORIGIN, http, allowed_origins)                                                          \
    X(WS_ALLOWED_ORIGINS, http, allowed_origins)                                                   \
    X(CHATBOX_ALLOWED_ORIGINS, http, allowed_origins)                                              \
    X(CORS_ALLOWED_ORIGINS, http, allowed_origins)                                                 \
    X(LOG_LEVEL, log, level)                                                                       \
    X(LOG_FORMAT, log, format)                                                                     \
    X(DB_MAX_CONNECTIONS, store, connections_max)                                                  \
    X(DB_CONNECTION_MAX_LIFETIME, store, connection_ttl)                                           \
    X(ENVIRONMENT, node, environment)                                                              \
    X(ENV, node, environment)                                                                      \
    X(SESSION_MAX_AGE, auth, session_ttl)                                                          \
    X(MAX_CONNECTIONS, http, connections_max)                                                      \
    X(HEARTBEAT_INTERVAL, ws, ping)                                                                \
    X(WS_PING_PERIOD, ws, ping)                                                                    \
    X(WS_PONG_WAIT, ws, idle)                                                                      \
    X(SHUTDOWN_TIMEOUT, shutdown, timeout)                                                         \
    X(SESSION_CLEANUP_INTERVAL, sweeper, interval)                                                 \
    X(RATE_LIMIT_LOGIN, limits, auth_per_second)                                                   \
    X(RATE_LIMIT_MESSAGES, limits, posts_per_minute)                                               \
    X(RATE_LIMIT_STOCK_COMMANDS, limits, commands_per_minute)                                      \
    X(STOOQ_API_URL, stock, url)                                                                   \
    X(STOOQ_API_TIMEOUT, stock, attempt_timeout)                                                   \
    X(STOOQ_API_MAX_RETRIES, stock, attempts)

#endif
