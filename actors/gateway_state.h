/* actors/gateway_state.h: the state of a gateway, for the files that together are the gateway:
 * gateway.c (life, dispatch, the server's callbacks), gateway_http.c, gateway_routes.c and
 * gateway_calls.c (requests and their answers), gateway_socket.c (WebSockets), gateway_roster.c
 * (telling them who is in their room), gateway_changes.c (who comes and goes), gateway_elsewhere.c (who is
 * there from other nodes), gateway_users.c (how many of them each user has), gateway_limits.c (how often clients may do something), gateway_spans.c (traces),
 * gateway_commands.c (what clients ask the bot), gateway_rooms.c (where rooms are, and what is in
 * flight to them).
 * Nobody else includes it. */
#ifndef CF_GATEWAY_STATE_H
#define CF_GATEWAY_STATE_H

#include "dialects/rooms.h"
#include "gateway.h"
#include "lease.h"
#include "log.h"
#include "metrics.h"
#include "others.h"
#include "table.h"
#include "windows.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/room.h"

#define CF_TOKENS_MAX 3      /* cookie, query, bearer */
#define CF_REQUEST_ID_MAX 79 /* bytes; longer ones are replaced */

typedef struct cf_client cf_client_t;
typedef struct cf_pending cf_pending_t;
typedef struct cf_route cf_route_t;
typedef struct cf_place cf_place_t;
typedef struct cf_user_sockets cf_user_sockets_t;
typedef struct cf_elsewhere_row cf_elsewhere_row_t;

/* What an answer is for. The row of its request's kind says what is done with each type of answer.
 */
typedef void cf_answer_fn(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                          const cf_msg_t *msg);

/* What a command's sender typed. */
typedef struct {
    bool has_echo;
    int64_t at_us; /* wall clock */
    size_t bytes;  /* that the command takes in all */
    uint32_t size;
    char text[];
} cf_typed_t;

/* A request that waits for its answer. */
struct cf_pending {
    uint64_t corr;
    cf_client_t *client;  /* NULL: it has gone; the answer is thrown away */
    uint16_t wants;       /* the type of its answer, but for REFUSED and MOVED */
    cf_answer_fn *answer; /* gets the answer, a REFUSED included */
    int64_t sent_us;
    int64_t give_up_us;
    cf_trace_t trace;
    uint16_t type;       /* of the request */
    cf_span_id_t parent; /* the span of the HTTP request it is part of; zero: it is of none */
    uint32_t credit;     /* bytes it holds of its connection's credit; 0: none */
    cf_typed_t *typed;   /* of a command; owned */
    cf_place_t *place;   /* the room it is for; NULL: another actor */
    bool is_in_flight;   /* to the place's address; else it is held there */
    bool is_for_room;    /* DETACH: wanted also when its client has gone */
    bool was_lost;       /* a post that was on its way to a node that is gone: it may be stored */
    bool only_speaks;    /* an ATTACH for what was lost to be sent again; another one follows */
    cf_buf_t frame;      /* of a room request: to be sent again when the room has moved */
    char client_key[CF_CLIENT_KEY_MAX + 1];
    cf_limit_kind_t limit; /* of a frame, a TAKE or a login: the kind of bucket it spends of */
    cf_limit_key_t bucket; /* of a TAKE or a login: which */
    uint32_t limiter;      /* of a TAKE: the node whose limiter was asked; else 0 */
    cf_user_sockets_t
        *spender; /* of a frame: in whose `waiting` it is; of a TAKE: for whom it is */
    UT_hash_handle hh;
    cf_pending_t *next_held; /* in the place's list, by corr, or in the spender's */
    cf_pending_t *prev_of_client, *next_of_client;
};

typedef enum { CF_PLACE_UNKNOWN, CF_PLACE_LOOKING, CF_PLACE_KNOWN } cf_place_state_t;

/* A room as this gateway sees it. */
struct cf_place {
    cf_id_t room;
    cf_place_state_t state;
    cf_address_t at;      /* LOOKING: what PLACED said, if it has come; kind 0: not yet */
    uint64_t lookup_corr; /* of the LOOKUP on its way; 0: none */
    int64_t sought_us;    /* LOOKING: since when; 0: it has not been asked for yet */
    int64_t ask_again_us; /* if it is not known by then */
    uint32_t in_flight;   /* requests sent to sent_to and not answered */
    cf_address_t sent_to; /* where the room was when they were sent */
    cf_address_t
        owes_forgotten; /* the lobby whose FORGET is answered when nothing is in flight any more */
    cf_pending_t *held; /* requests that wait, ascending by corr */
    cf_pending_t *held_last;
    bool is_lost;         /* while it is dealt with: what was in flight, by the end of a node */
    cf_client_t *members; /* connections here, attached or attaching */
    uint32_t member_count;
    uint64_t epoch;
    cf_elsewhere_row_t *elsewhere; /* who is here from other nodes; owned */
    uint32_t elsewhere_count;
    uint32_t owner;              /* the node that says who comes and goes; 0: none, or it died */
    uint64_t told_epoch, told_n; /* the newest event that `elsewhere` knows of */
    UT_hash_handle hh;
};

typedef enum {
    CF_CLIENT_HTTP,      /* one request */
    CF_CLIENT_UPGRADING, /* a socket before its 101 */
    CF_CLIENT_ATTACHING, /* open, not in its room yet; not read */
    CF_CLIENT_ATTACHED,
    CF_CLIENT_CLOSING,
} cf_client_phase_t;

/* What only an HTTP request (or an upgrade before its verdict) needs; freed behind it. */
typedef struct {
    const cf_route_t *route;
    cf_method_t method;
    uint8_t label; /* of the path asked for; see cf_route_label() */
    cf_arena_t texts;
    cf_str_t tokens[CF_TOKENS_MAX]; /* credentials, in the order they are tried */
    uint32_t token_count, token_at;
    cf_str_t query, body;
    cf_login_t login;    /* borrows from texts */
    uint8_t address[16]; /* of who asks, as far as it is his alone: an IPv6 /64 */
    bool is_forwarded;   /* it was told by a trusted proxy, whose connection many share */
    bool is_local;       /* asked on this host, by nobody who asks for another */
    bool is_hidden;      /* the address is a proxy's, as what it told of its client is none */
    bool has_cookie;     /* the first of tokens is the cookie's */
    bool has_origin;
    bool is_foreign;    /* its Origin is neither listed nor ours */
    bool is_cross_site; /* a state change a browser made for a foreign page */
    bool id_missing, id_malformed;
    char email[CF_EMAIL_MAX + 1];
    int64_t user_created_us;
    bool may_connect;                       /* the origin is allowed */
    const char *upgrade_fault;              /* see server.h; a literal */
    bool session_over;                      /* the session ended before the 101 */
    char cors[512];                         /* headers for this request's origin; "" */
    char request_id[CF_REQUEST_ID_MAX + 1]; /* echoed */
    int64_t began_us;
    cf_trace_t trace;
    cf_span_id_t span, parent;    /* in a sampled trace; parent: whose the client says it is */
    cf_rooms_new_room_t new_room; /* POST /chatrooms, between request and answer */
    cf_id_t new_id;
    int64_t new_us;
} cf_exchange_t;

/* A connection as the server knows it, with what we know of it. */
struct cf_client {
    uint64_t number; /* never used again */
    cf_conn_t *conn; /* NULL once on_gone has run */
    cf_client_phase_t phase;
    cf_exchange_t *exchange; /* owned; NULL for an open socket */
    cf_id_t session, user;   /* zero before authentication */
    char username[CF_USERNAME_MAX + 1];
    char peer[46];
    cf_id_t room;
    char request_id[CF_REQUEST_ID_MAX + 1]; /* of an open socket: its upgrade's, */
    cf_trace_t trace;                       /* and the trace that it was */
    cf_place_t *place;                      /* of an open socket */
    cf_user_sockets_t *sockets;             /* of a granted socket: the row it counts in */
    cf_client_t *prev_here, *next_here;     /* in place->members */
    uint64_t seen_seq, seen_n;              /* newest post and event handed over */
    uint64_t seen_epoch;
    uint32_t lost_posts; /* sent again and not answered: what it has missed is shown behind that */
    bool has_lost_order; /* a post of it was lost, so those behind it are not sent */
    cf_pending_t *pendings;
    uint32_t requests; /* credits in use */
    size_t bytes;
    uint32_t commands; /* waiting for the bot */
    bool wants_roster; /* it asked to be told who is in its room */
    bool starved;      /* not read: out of credits */
    bool waits_for_pool;
    uint64_t counts_version; /* of the counts frame it got last */
    int64_t expires_us;      /* of its session, wall clock */
    UT_hash_handle hh;
};

/* A user who has open sockets here. */
struct cf_user_sockets {
    cf_id_t user;
    uint32_t count; /* of them, 1..; a row without any is freed */
    cf_lease_t posts, commands;
    cf_pending_t *waiting; /* frames of all his sockets that wait for tokens, oldest first */
    cf_pending_t *last;    /* of them */
    cf_pending_t *take;    /* the one TAKE on its way for the first of them; NULL: none */
    uint32_t asked;        /* of the waiting ones, those it is for */
    uint32_t wanted;       /* how many these were when it was sent */
    UT_hash_handle hh;
};

/* Events received from one room thread, to be confirmed by FLUSHED. */
typedef struct {
    uint64_t address;
    uint64_t events, bytes;
    bool is_due;
} cf_seen_t;
#define CF_GATEWAY_SEEN_MAX (CF_NODES_MAX * CF_ROOM_THREADS_MAX) /* untouched they take no memory */

struct cf_gateway {
    cf_gateway_config_t config;
    cf_actor_t *actor;
    cf_server_t *server;
    cf_outbox_t *out;
    cf_client_t *clients; /* by number */
    uint64_t next_number, next_corr;
    int64_t began_s;        /* wall clock */
    cf_pending_t *pendings; /* by corr; also in order of sending */
    cf_place_t *places;
    bool places_wait;         /* some place is known and lacks the memory to go on there */
    bool places_sought;       /* some place may be LOOKING */
    uint32_t elsewhere;       /* rows at all places */
    cf_user_sockets_t *users; /* that have sockets here */
    cf_others_t others;       /* nodes that may have a bucket */
    size_t pool_used;
    size_t command_bytes; /* of commands that wait for the bot; not of the pool */
    bool pool_starved;    /* some client waits for the pool */
    cf_seen_t *seen;      /* room threads, of all nodes: CF_GATEWAY_SEEN_MAX; owned */
    uint32_t seen_count;
    cf_frame_t *counts; /* the latest, rendered */
    uint64_t counts_version;
    size_t counts_bytes;
    cf_client_t *counts_next; /* whose turn it is in this round; NULL: there is none */
    uint64_t counts_round;    /* the version of which it began, */
    int64_t counts_round_us;  /* and when */
    bool counts_behind;       /* some connection will not have the latest behind this round */
    int64_t counts_paid_us;   /* until then their share is used up */
    bool draining;
    cf_msg_t close;         /* whom to tell CLOSED; head only. corr 0: nobody */
    bool acked, fanned_out; /* in this pass, for the crash points */
    cf_buf_t shown_us;      /* int64_t each: times of the posts whose copies are not flushed yet */
    cf_arena_t arena;       /* of one callback */
    cf_spans_t spans;
};

/* gateway.c */
/* client NULL: a request of the gateway itself */
/* For a request of that type. */
cf_pending_t *cf_gateway_pend(cf_gateway_t *self, cf_client_t *client, uint16_t type,
                              cf_answer_fn *answer);
void cf_gateway_drop_pending(cf_gateway_t *self,
                             cf_pending_t *pending); /* frees it, gives credit back */
/* Ask an actor that is no room. Returns 0 or CF_ENOMEM. */
int cf_gateway_ask(cf_gateway_t *self, cf_client_t *client, cf_address_t to, uint16_t type,
                   const void *body, cf_id_t room, cf_answer_fn *answer);
/* The same; *out gets the request. */
int cf_gateway_ask_for(cf_gateway_t *self, cf_client_t *client, cf_address_t to, uint16_t type,
                       const void *body, cf_id_t room, cf_answer_fn *answer, cf_pending_t **out);
/* The reason of a REFUSED as a negative error; 0 for any other message, CF_EINTERNAL for one that
 * is not readable. */
int cf_gateway_refusal(cf_turn_t *turn, const cf_msg_t *msg, uint32_t *retry_after_ms);
/* What follows is done for this client: log lines have the id of the request that opened its socket, and
 * its connection, user and session. NULL, and a client without an open socket: for nobody. */
void cf_gateway_speak_of(const cf_client_t *client);
void cf_gateway_free_exchange(cf_client_t *client);

/* gateway_http.c */
/* parent: the span that the client says it is in; zero: none */
void cf_http_begin(cf_gateway_t *self, cf_conn_t *conn, const cf_request_t *request,
                   cf_span_id_t parent);
void cf_http_respond(cf_gateway_t *self, cf_client_t *client, int status, const char *extra_headers,
                     const cf_buf_t *body);
void cf_http_fail(cf_gateway_t *self, cf_client_t *client, int status, const char *text,
                  uint32_t retry_after_ms);
/* An answer is about to leave: count it, and tell its span. */
void cf_http_note(cf_gateway_t *self, const cf_client_t *client, int status);
/* The server refuses what never became a request; headers as on every other answer. */
void cf_http_refused(cf_gateway_t *self, int status, const cf_request_t *request,
                     char headers[CF_REFUSED_HEADERS_MAX]);
void cf_http_timed_out(cf_gateway_t *self, cf_client_t *client);

/* gateway_spans.c */
/* Begin a trace: from here on it is what messages and log lines belong to. */
void cf_gateway_new_trace(cf_gateway_t *self);
/* Go on with the trace that the client is in, or begin one. Returns the span it is in; zero: none. */
cf_span_id_t cf_gateway_follow_trace(cf_gateway_t *self, cf_str_t traceparent);
/* A request that came in, in the trace of now. */
void cf_gateway_begin_span(cf_gateway_t *self, cf_exchange_t *exchange, cf_span_id_t parent);
void cf_gateway_tell_exchange(cf_gateway_t *self, const cf_exchange_t *exchange, int status);
/* That what is asked for it is part of; zero: none, and NULL for exchange. */
cf_span_id_t cf_gateway_span_of(const cf_exchange_t *exchange);
/* What another actor was asked, and its answer; NULL: none came. */
void cf_gateway_tell_asked(cf_gateway_t *self, const cf_pending_t *pending, const cf_msg_t *answer);

/* gateway_socket.c */
void cf_socket_decide(cf_gateway_t *self, cf_client_t *client); /* a member asks to upgrade */
void cf_socket_opened(cf_gateway_t *self, cf_client_t *client);
void cf_socket_message(cf_gateway_t *self, cf_client_t *client, const uint8_t *bytes, size_t size);
void cf_socket_close(cf_client_t *client, int code, const char *reason); /* it has its conn */
/* Out of its room, which tells the others: it closes or is gone. Its requests have been forgotten. A
 * second time it does nothing. */
void cf_socket_leave(cf_gateway_t *self, cf_client_t *client);
void cf_socket_event(cf_gateway_t *self, cf_turn_t *turn, cf_place_t *place,
                     const cf_event_t *event);
void cf_socket_counts(cf_gateway_t *self, const cf_counts_t *counts);
void cf_socket_send_counts(cf_gateway_t *self, int64_t boot_us);
void cf_socket_no_counts(cf_gateway_t *self, const cf_client_t *client); /* it is freed */
int cf_socket_attach(cf_gateway_t *self, cf_client_t *client, bool again);
/* Something that was to be said could not be: closed, so that it is no silent gap. */
void cf_socket_no_memory(cf_client_t *client);
void cf_socket_end_session(cf_gateway_t *self, cf_id_t session);
void cf_socket_end_user(cf_gateway_t *self, cf_id_t user); /* all sessions of that user */
void cf_socket_expel(cf_gateway_t *self, cf_id_t room, uint64_t conn);
void cf_socket_second(cf_gateway_t *self, int64_t wall_us);
void cf_socket_post_failed(cf_gateway_t *self, cf_pending_t *pending, int err,
                           uint32_t retry_after_ms);
void cf_socket_gave_up(cf_gateway_t *self, cf_pending_t *pending);      /* nobody answered it */
void cf_socket_lost_post_over(cf_gateway_t *self, cf_client_t *client); /* one of lost_posts */
void cf_socket_close_all(cf_gateway_t *self, const cf_close_t *how);
void cf_socket_give_credit(cf_gateway_t *self, cf_client_t *client, uint32_t bytes);
/* Send what a writer has put into text; rc is what it returned. Frees text. Counted under type. */
void cf_socket_send(cf_client_t *client, cf_buf_t *text, int rc, cf_metric_t type);
/* client_key may be "" */
void cf_socket_send_error(cf_client_t *client, const char *message, const char *code,
                          const char *client_key, uint32_t retry_after_ms);
/* How an actor's refusal is told on a socket; the last row (err 0) is for all others. */
typedef struct {
    int err;
    const char *message, *code; /* contract, section 5 */
} cf_socket_failure_t;
/* An error frame by the row for err. */
void cf_socket_send_failure(cf_client_t *client, const cf_socket_failure_t *rows, int err,
                            const char *client_key, uint32_t retry_after_ms);

/* gateway_roster.c */
bool cf_roster_is_asked(cf_exchange_t *exchange); /* by the address of an upgrade */
/* Before the first event of a connection that asked. */
void cf_roster_show(cf_client_t *client, const cf_roster_t *roster);
/* To everyone in the room who asked, in the place of what they know. */
void cf_roster_renew(cf_place_t *place, const cf_roster_at_t *roster);

/* gateway_changes.c */
/* To every connection in the room, what it has not been told of them. */
void cf_changes_tell(cf_place_t *place, const cf_changes_t *changes);
/* To every connection in the room; no event of the room says so. */
void cf_changes_tell_lost(cf_place_t *place, const cf_list_t *changes);

/* gateway_elsewhere.c */
/* A connection has been let in, in order with the events of that room. is_back: its backlog has all that was told
 * since the room moved. */
void cf_elsewhere_attached(cf_gateway_t *self, cf_place_t *place, cf_address_t room_thread,
                           const cf_attached_t *attached, bool is_back);
void cf_elsewhere_event(cf_gateway_t *self, cf_place_t *place, const cf_event_t *event);
/* Before anything else is done for that: members are told who was there, if nobody else will. */
void cf_elsewhere_node_gone(cf_gateway_t *self, cf_place_t *place, uint32_t node);
void cf_elsewhere_drop(cf_gateway_t *self, cf_place_t *place); /* it has no members any more */

/* gateway_commands.c */
void cf_command_ask(cf_gateway_t *self, cf_client_t *client, const cf_rooms_frame_t *frame,
                    const char *client_key);
void cf_command_gave_up(cf_pending_t *pending);                  /* nobody answered it */
void cf_command_over(cf_gateway_t *self, cf_pending_t *pending); /* it waits no more */

/* gateway_users.c */
/* Counts a socket that is about to be granted. CF_EFULL: its user has as many as may be; CF_ENOMEM. */
int cf_user_enter(cf_gateway_t *self, cf_client_t *client);
void cf_user_leave(cf_gateway_t *self, cf_client_t *client); /* also one that was never counted */

/* gateway_limits.c */
/* Sends a frame, which cf_place_prepare() has made, to the room of its client as soon as the user's
 * limit lets it, behind those before it. Otherwise its answer is the limiter's refusal. */
void cf_limits_spend(cf_gateway_t *self, cf_pending_t *frame, cf_limit_kind_t kind);
void cf_limits_drop(cf_pending_t *pending); /* a frame that waits, or a TAKE, is dropped */
void cf_limits_gone(cf_gateway_t *self, cf_user_sockets_t *user); /* a socket of his went */
cf_handler_fn cf_limits_on_key, cf_limits_on_node_here, cf_limits_on_node_gone;
void cf_limits_second(cf_gateway_t *self, int64_t boot_us);

/* gateway_rooms.c */
/* Send one request to a room, or hold it until the room is found. */
int cf_place_ask(cf_gateway_t *self, cf_client_t *client, cf_id_t room, uint16_t type,
                 const void *body, cf_answer_fn *answer, cf_pending_t **out);
/* The same in two steps: make the request, and send it. CF_ENOMEM: nothing has changed. */
int cf_place_prepare(cf_gateway_t *self, cf_client_t *client, cf_id_t room, uint16_t type,
                     const void *body, cf_answer_fn *answer, cf_pending_t **out);
int cf_place_send(cf_gateway_t *self, cf_place_t *place, cf_pending_t *pending);
cf_place_t *cf_place_find(cf_gateway_t *self, cf_id_t room);
void cf_place_second(cf_gateway_t *self, int64_t boot_us); /* once a second */
cf_place_t *cf_place_of(cf_gateway_t *self, cf_id_t room); /* made if need be; NULL: no memory */
void cf_place_answered(cf_gateway_t *self, cf_pending_t *pending, bool moved);
void cf_place_enter(cf_gateway_t *self, cf_place_t *place, cf_client_t *client);
void cf_place_leave(cf_gateway_t *self, cf_client_t *client);
/* Tell the room that this connection is gone, wherever the room is by then. */
void cf_place_detach(cf_gateway_t *self, cf_place_t *place, const cf_detach_t *gone);
void cf_place_close(cf_place_t *place, int code, const char *reason); /* every member's socket */
void cf_place_drop_if_idle(cf_gateway_t *self, cf_place_t *place);
cf_handler_fn cf_place_on_placed, cf_place_on_forget, cf_place_on_node_gone;
void cf_place_lookup_refused(cf_gateway_t *self, cf_turn_t *turn, const cf_msg_t *msg);
void cf_place_free_all(cf_gateway_t *self);

#endif
