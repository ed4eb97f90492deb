/* bench/load.h: the state of one load run; one thread owns all of it.
 *
 * load.c reads the options, decides who posts when and ends the run; client.c holds connections;
 * confab.c and peers.c speak what servers speak over them; rooms.c checks every delivery; report.c
 * prints. Nothing is allocated once the run has started: each
 * client has fixed buffers, each room a ring of the posts it was seen to deliver. */
#ifndef CF_LOAD_H
#define CF_LOAD_H

#include "ahead.h"
#include "conn.h"
#include "frame.h"
#include "histogram.h"
#include "kinds.h"
#include "ledger_file.h"
#include "order.h"
#include "payload.h"
#include "stream.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CF_PENDING_MAX 64 /* posts of one writer that are not settled */
#define CF_ID_TEXT_MAX 40
#define CF_PATH_MAX 128
#define CF_SERVERS_MAX 8 /* that clients are spread over */

typedef enum {
    CF_CLIENT_AWAY,      /* no socket; connects again at retry_ns */
    CF_CLIENT_HANDSHAKE, /* connecting, or waiting for the 101 */
    CF_CLIENT_OPEN,      /* upgraded, not yet in its room */
    CF_CLIENT_READY,
    CF_CLIENT_GONE, /* for good */
} cf_client_state_t;

typedef enum { CF_READER_NORMAL, CF_READER_STOPPED, CF_READER_DRIP } cf_reader_t;

/* What became of a client that does not read as others do. Times are from the first post. */
typedef struct {
    cf_reader_t reader; /* as which it began */
    bool woken;         /* read on by SIGUSR1 */
    int code;           /* of the Close it found, 1006 if it found none; 0: it never ended */
    int64_t ended_ns, back_ns;
    uint64_t last_seq; /* newest post it got before its end; 0: none */
    uint64_t back_seq; /* first post it got when it had come back; 0: none */
} cf_slow_t;

typedef struct {
    uint32_t n; /* 0: free */
    bool acked, seen, refused;
    bool unconfirmed; /* was told so: its copy may come before the ack of a repeat */
    uint64_t seq;     /* of the ack, or what rooms.c gave it; 0: none */
    int64_t due_ns, sent_ns;
    char id[CF_ID_TEXT_MAX];
} cf_pending_t;

typedef struct {
    cf_client_state_t state;
    cf_reader_t reader;
    cf_conn_t conn;
    uint32_t index, room, server;
    const char *token;
    int64_t heard_ns;  /* when its connection began or last brought something */
    uint64_t last_seq; /* newest post delivered on this connection; 0: none yet */
    cf_ahead_t ahead;  /* those that came before their turn; of servers that number nothing */
    cf_stream_t stream;
    bool whole; /* reads, and READY since posting began: must have got every post */
    bool dirty, close_seen;
    int attempts;
    int64_t retry_ns, next_drip_ns, resend_ns;
    uint32_t next_n, oldest_n, unacked; /* posts: next number, oldest not acked, how many */
    uint32_t seen_n;                    /* highest n of this writer that its room delivered */
    cf_pending_t *pending;              /* CF_PENDING_MAX, slot n % CF_PENDING_MAX; writers only */
    cf_slow_t *slow;                    /* NULL: it reads, and always has */
} cf_client_t;

typedef struct {
    cf_slot_t slot;
    uint32_t writer, n, crc, delivered;
    bool ours;
    int64_t due_ns;
    char id[CF_ID_TEXT_MAX];
} cf_seen_t;

typedef struct {
    char id[CF_ID_TEXT_MAX];
    uint32_t members, whole_members;
    cf_order_t order;
} cf_room_t;

typedef struct {
    uint64_t posts, acked, refused, deliveries, foreign, skipped, resent, upgrades;
    uint64_t told_counts; /* user counts of rooms */
    uint64_t told_joins;  /* of others who came */
    uint64_t crossed;     /* two writers' posts in another order than elsewhere */
    uint64_t frame_bytes; /* of deliveries, without the head of the frame */
    /* what must be 0 */
    cf_order_faults_t order;
    uint64_t misrouted, broken, ack_late, ack_wrong, unsettled, unreadable;
    cf_kind_t closes[CF_KINDS_MAX], refusals[CF_KINDS_MAX];
} cf_counts_t;

typedef struct cf_load cf_load_t;

/* What a server speaks inside WebSocket frames. */
typedef struct {
    const char *name;
    const char *path;        /* of the upgrade, %s is the room */
    const char *subprotocol; /* NULL: none */
    uint8_t opcode;          /* of its frames */
    bool numbered; /* posts have numbers and are acknowledged, who joins is told; else rooms.c gives
                      numbers, and nothing is acknowledged */
    bool streams;  /* packets begin and end anywhere in frames */
    void (*begin)(cf_load_t *load, cf_client_t *client); /* the upgrade is done */
    /* One frame; false if it cannot be read. */
    bool (*take)(cf_load_t *load, cf_client_t *client, const uint8_t *payload, size_t size);
    /* Writes a post with this text as it is sent, at most CF_POST_AROUND_MAX more; returns its size. */
    size_t (*write_post)(uint8_t *out, const cf_load_t *load, const cf_client_t *client, uint32_t n,
                         const char *text, size_t size);
} cf_dialect_t;

#define CF_POST_AROUND_MAX 192

typedef struct {
    struct sockaddr_in address;
    char host[64];
} cf_server_t;

typedef struct {
    const cf_dialect_t *dialect;
    const char *name, *path, *targets, *ledger_path, *json_path;
    cf_server_t servers[CF_SERVERS_MAX];
    pid_t pids[CF_SERVERS_MAX]; /* whose time and memory are measured, all together */
    uint32_t server_count, pid_count;
    uint64_t run;
    double rate;
    int inflight, window, seconds, writers, payload, stopped, drip, connecting_max, connect_limit,
        drain_limit, silence, clients_max;
    uint64_t posts_max;
    bool keys, reconnect, heed, comeback, joins, acks, copies;
} cf_options_t;

struct cf_load {
    cf_options_t options;
    cf_counts_t counts;
    cf_histogram_t ack, delivery;
    char *targets; /* the file's text; tokens point into it */
    cf_client_t *clients;
    cf_room_t *rooms;
    cf_slow_t *slow; /* of the last slow_count clients, the very last first */
    uint32_t client_count, room_count, ready, connecting, *writers, writer_count, next_writer,
        slow_count;
    uint32_t *dirty, dirty_count;
    int epoll, timer;
    int64_t now_ns, start_ns, stop_ns;
    uint64_t outstanding,
        due_count;           /* posts in flight (--inflight); posts that came due (--rate) */
    bool measuring, posting; /* measuring: since the first post, and until the end */
    cf_ledger_t *ledger;
    uint8_t *scratch; /* CF_SCRATCH_MAX */
    int64_t cpu_start_ns, cpu_stop_ns, own_cpu_ns, measured_ns;
    uint64_t measured_deliveries, measured_acked;
    int64_t connect_ns, connect_cpu_ns, rss_before_kib, rss_kib[4096];
    int rss_count;
};

/* Is the latency of a post that was due then one to be told? Those that come late still are. */
static inline bool cf_load_times(const cf_load_t *load, int64_t due_ns)
{
    return load->measuring && (load->stop_ns == 0 || due_ns <= load->stop_ns);
}

/* client.c. Sockets are non-blocking; what fails makes the client AWAY (--reconnect) or GONE. */
void cf_client_connect(cf_load_t *load, cf_client_t *client);
void cf_client_on_event(cf_load_t *load, cf_client_t *client, uint32_t events);
void cf_client_drip(cf_load_t *load, cf_client_t *client); /* read one byte */
void cf_client_wake(cf_client_t *client);                  /* read on, as all others do */
/* Ends a connection that has brought nothing for --silence: its node may be frozen or cut off. */
void cf_client_end_silent(cf_load_t *load, cf_client_t *client);
void cf_client_flush(cf_client_t *client);
/* Post one more; false if this writer may not (not in its room, its window or its buffer is full).
 */
bool cf_client_post(cf_load_t *load, cf_client_t *client, int64_t due_ns);
void cf_client_resend(cf_load_t *load, cf_client_t *client); /* all that has no ack, same keys */
/* Gathers a frame of the dialect; false if it does not fit or the connection is closing. */
bool cf_client_send(cf_load_t *load, cf_client_t *client, const void *bytes, size_t size);
void cf_client_become_ready(cf_load_t *load, cf_client_t *client);

/* confab.c: confab's own, also spoken by the bare loop; peers.c: what others speak. */
extern const cf_dialect_t cf_confab_dialect;
const cf_dialect_t *cf_dialect_find(const char *name); /* NULL: none of that name */

/* rooms.c */
/* Rooms and their rings for the clients' targets; 0, or -1 out of memory. */
int cf_rooms_build(cf_load_t *load);
uint32_t cf_rooms_find(cf_load_t *load, const char *id,
                       size_t size); /* adds it; UINT32_MAX: full */
void cf_rooms_deliver(cf_load_t *load, cf_client_t *client, const char *frame, size_t size,
                      const cf_members_t *members);
/* True if the frame is, byte for byte, the one that must come next for this client; then it is
 * counted. */
bool cf_rooms_deliver_known(cf_load_t *load, cf_client_t *client, const char *frame, size_t size);
/* The same for servers that number nothing: by what the text says. */
void cf_rooms_deliver_text(cf_load_t *load, cf_client_t *client, const char *text, size_t size);
/* Counts what is missing at the end. */
void cf_rooms_finish(cf_load_t *load);

/* report.c: prints lines for people to stdout and JSON to --json. True if nothing was wrong. */
bool cf_report(const cf_load_t *load);

#endif
