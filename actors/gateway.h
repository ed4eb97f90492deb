/* actors/gateway.h: bridges HTTP and WebSocket clients to the actors.
 *
 * Parses, checks shape and size, asks accounts who somebody is and the room what he may, sends
 * request messages, renders answers. It decides nothing itself and holds no chat state but: its
 * connections, who they are, which room each is in, and where rooms are.
 *
 *     from clients   HTTP requests (routes.h), WebSocket messages
 *     to rooms       CHECK JOIN ATTACH DETACH POST COMMAND HISTORY FLUSHED, after LOOKUP with the
 *                    lobby; what was answered MOVED is looked up and sent again in its old order
 *     from rooms     answers; EVENT and CHANGES, rendered once and handed to every connection in that room;
 *                    ROSTER to those who asked; EXPELLED: that socket is closed 1008
 *     from lobby     FORGET -> FORGOTTEN; COUNTS, kept to the latest and bounded in cost
 *     from accounts  SESSION_ENDED, USER_ENDED: the sockets of that session, or of all sessions of that user,
 *                    are closed 1008
 *     to limiter     TAKE before what is limited beyond one connection, SETTLE, GIVE_BACK; whom it refuses
 *                    or does not answer for does not pass
 *     to tracer      SPAN for each request in a sampled trace, and for what it asks others
 *     RELOAD         -> DONE or REFUSED: certificate and key are read again
 *     DRAIN          stops listening and reading; DRAINED when nothing is in flight
 *     CLOSE          closes all with 1001 or 1012; CLOSED when nobody is left. Behind DRAIN, whether that was
 *                    answered or not: how long to wait is the supervisor's business
 *
 * A command may wait for the bot for half a minute. It holds no credit and none of the pool
 * meanwhile, or a dead quote service would stop the reading of the chat beside it: commands have
 * bounds of their own. */
#ifndef CF_GATEWAY_H
#define CF_GATEWAY_H

#include "actor.h"
#include "http/server.h"
#include "limit_kinds.h"
#include "network.h"
#include "own_pages.h"
#include "spans.h"

typedef struct {
    cf_server_config_t server;
    cf_address_t lobby, accounts, storage, stats, limiter;
    cf_address_t reader; /* index 0 */
    uint32_t readers;
    int64_t hash_us;       /* what a registration or a login may take besides */
    int64_t answer_us;     /* every actor answers earlier by itself; this is the net below */
    int64_t lookup_us;     /* the lobby is asked again where a room is, up to half as much later */
    int64_t lease_kept_us; /* a lease that is over waits so long for a TAKE to settle it */
    uint32_t credits_requests; /* in flight per connection before its socket is not read */
    size_t credits_bytes;
    uint32_t
        sockets_per_user; /* WebSockets of one user on this gateway; more are refused. 0: off */
    size_t pool_bytes;    /* in flight on all connections of this gateway */
    uint32_t elsewhere_max,
        elsewhere_of_room_max; /* who are in rooms from other nodes, to be told of when these die */
    uint32_t commands_in_flight; /* per connection; more are refused */
    int64_t command_us;          /* time the bot has for a command */
    bool echo;                   /* show a sender its stock command before the bot's answer */
    const char *const *origins;  /* exact; borrowed */
    size_t origin_count;
    int64_t session_ttl_s; /* Max-Age of the cookie */
    bool secure_cookie;
    const char *cookie_name;   /* borrowed, as all texts here */
    const char *health_status; /* "ok", "healthy" */
    const char *environment;
    const cf_own_pages_t *own_pages; /* in place of the built-in page; NULL: that; borrowed */
    uint32_t store_connections_max;  /* for readiness to tell */
    const char *version;
    cf_limits_t limits;          /* those with rate 0 are off */
    uint8_t limit_key[32];       /* hashes who is limited; the same in all gateways of a process */
    const cf_network_t *proxies; /* who may say for whom they ask; borrowed */
    size_t proxy_count;
    bool
        only_probes; /* a listener of its own for health and metrics: whoever reaches it may read them */
    const cf_network_t *metrics_allow; /* who may read /metrics besides loopback; borrowed */
    size_t metrics_allow_count;
    cf_spans_t spans;       /* as they begin */
    uint32_t sample_one_in; /* of so many traces one is sampled */
    bool follow_clients;    /* and those that come with a traceparent that says so */
} cf_gateway_config_t;

#define CF_GATEWAY_ELSEWHERE_MAX 65536 /* at most in elsewhere_max */
#define CF_GATEWAY_ELSEWHERE_COST 96   /* bytes of one, at most */
#define CF_GATEWAY_LOOKUP_MS 2000      /* for lookup_us: a room that loads takes less, as a rule */

typedef struct cf_gateway cf_gateway_t;

/* Opens the listener. Returns 0, CF_EIO (cannot listen), CF_ENOMEM, CF_ERANGE. */
int cf_gateway_new(cf_gateway_t **out, const cf_gateway_config_t *config, cf_actor_t *actor);
int cf_gateway_port(const cf_gateway_t *self);
extern const cf_actor_ops_t cf_gateway_ops;

#endif
