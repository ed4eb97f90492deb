/* bench/scenario.h: the state of one scenario, which virtual users play; one thread owns all of it.
 *
 * A virtual user does over and over what a person's browser would: register, log in, join a room,
 * open a socket, talk for a while, leave. scenario.c reads the options, says how many users there are
 * at each moment and keeps the time; user.c is the life of one of them; talk.c is what rooms deliver
 * and how it is judged; scenario_report.c prints.
 *
 * Figures that k6 would also give are taken as k6 takes them and bear its names. What it cannot see
 * (loss, order, content) is counted beside them, also by observers: sockets that say nothing and are
 * in their room before the first user comes until after the last has gone. */
#ifndef CF_SCENARIO_H
#define CF_SCENARIO_H

#include "conn.h"
#include "histogram.h"
#include "http.h"
#include "kinds.h"
#include "order.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CF_STAGES_MAX 16
#define CF_GROUPS_MAX 4
#define CF_SAMPLES_MAX 16384 /* seconds */
#define CF_OPEN_MAX 16       /* messages or commands of one socket that have not come back */
#define CF_CONTENT_MAX 96
#define CF_ID_TEXT_MAX 37
#define CF_REQUEST_MAX 2048

/* Users of a group take one of its rooms and send so many messages a minute. */
typedef struct {
    double share; /* of all users */
    uint32_t first_room, last_room;
    double rate_min, rate_max;
} cf_group_t;

typedef struct {
    double seconds;
    uint32_t users; /* at its end; from the stage before it goes there in a line */
} cf_stage_t;

typedef struct {
    struct sockaddr_in server;
    char host[64];
    const char *rooms, *prefix, *json_path, *posts_path;
    cf_stage_t stages[CF_STAGES_MAX];
    cf_group_t groups[CF_GROUPS_MAX];
    int stage_count, group_count;
    double session, graceful; /* seconds; graceful: a user that is one too many may go on for */
    double command_share, command_every;
    double hold_from, hold_to; /* seconds from the start: all users are there */
    pid_t pid;
} cf_options_t;

/* ---- figures */

/* The requests of an iteration, and what k6's scripts check about each. */
#define CF_CHECKS(X)                                                                               \
    X(REGISTER, "register status is 201")                                                          \
    X(LOGIN, "login status is 200")                                                                \
    X(TOKEN, "login has session_token")                                                            \
    X(JOIN, "join status is 200")                                                                  \
    X(UPGRADE, "socket status is 101")

/* What must be 0, besides the faults of order. */
#define CF_SCENARIO_FAULTS(X)                                                                      \
    X(ack_after_copy, "a copy came to the sender before the ack")                                  \
    X(ack_wrong, "an ack names another post than the room delivered")                              \
    X(acked_unseen, "acknowledged, and never delivered to anyone")                                 \
    X(swallowed, "sent before a post that came back, and did not")                                 \
    X(unanswered, "no answer in ANSWER_S, until the sender left")                                  \
    X(commands_unanswered, "no echo in COMMAND_S, until the sender left")                          \
    X(misrouted, "a post of another room")                                                         \
    X(unreadable, "frames that are none of the protocol")                                          \
    X(refused, "error frames")                                                                     \
    X(overflowed, "more than CF_OPEN_MAX of one sender were open")                                 \
    X(observers_lost, "observers that the server cut off")

typedef struct {
    uint64_t passes, fails;
} cf_rate_t;

#define CF_AS_ENUM(name, text) CF_CHECK_##name,
enum { CF_CHECKS(CF_AS_ENUM) CF_CHECK_COUNT };
#undef CF_AS_ENUM

typedef struct {
    cf_rate_t checks[CF_CHECK_COUNT], connection_success, delivery_success;
    uint64_t sent, received, commands_sent, commands_echoed, errors, iterations, interrupted;
    uint64_t acked, deliveries, echoed, cut, ephemeral;
    cf_order_faults_t order;
#define CF_AS_MEMBER(name, text) uint64_t name;
    CF_SCENARIO_FAULTS(CF_AS_MEMBER)
#undef CF_AS_MEMBER
    cf_kind_t closes[CF_KINDS_MAX], refusals[CF_KINDS_MAX], failures[CF_KINDS_MAX];
} cf_counts_t;

typedef struct {
    int64_t cpu_ns, own_cpu_ns, rss_kib;
    int threads;
    uint32_t users;
    uint64_t deliveries;
} cf_sample_t;

/* ---- rooms */

typedef struct {
    char id[CF_ID_TEXT_MAX];
    uint32_t crc; /* of the content */
    bool seen, acked;
} cf_post_t;

typedef struct {
    char id[CF_ID_TEXT_MAX];
    cf_order_t order;
    cf_post_t *posts; /* by seq; owned */
    uint64_t posts_size;
} cf_room_t;

/* ---- users */

typedef enum {
    CF_USER_OFF,
    CF_USER_PAUSE,
    CF_USER_REGISTER,
    CF_USER_LOGIN,
    CF_USER_JOIN,
    CF_USER_UPGRADE,
    CF_USER_CHAT,
} cf_user_state_t;

typedef struct {
    int64_t sent_ns; /* 0: free */
    bool acked;
    char content[CF_CONTENT_MAX];
} cf_open_t;

/* Sent and not come back, oldest first. */
typedef struct {
    cf_open_t items[CF_OPEN_MAX];
    int count;
} cf_opens_t;

typedef struct {
    uint32_t index;
    bool observes, joined;
    cf_user_state_t state, after_pause;
    cf_conn_t http, socket;
    bool awaiting, reused; /* an answer over http; that connection had answered before */
    bool dirty;
    char request[CF_REQUEST_MAX]; /* what is awaited, for another try */
    size_t request_size;
    uint32_t iteration, group, room;
    bool commands;
    char name[64], token[256], cookie[256];
    int64_t begun_ns; /* of the dialling, then of the session */
    int64_t due_ns;   /* end of the pause, the limit of the request, or the end of the session */
    int64_t stop_ns;  /* it is one too many and ends by then; 0: it is not */
    int64_t message_ns, command_ns; /* the next one; 0: never */
    double message_every;           /* seconds */
    uint64_t last_seq;
    bool unsure; /* an error frame came, so acks can no longer be counted off */
    cf_opens_t messages, command_opens;
} cf_user_t;

typedef struct {
    cf_options_t options;
    cf_counts_t counts;
    /* in nanoseconds */
    cf_histogram_t connecting, session, message_latency, command_latency, http_duration, lag;
    cf_histogram_t by_group[CF_GROUPS_MAX], early, late; /* message latency, parts of it */
    cf_room_t *rooms;
    cf_user_t *users; /* the virtual users, then the observers */
    uint32_t room_count, user_count, observer_count, active;
    cf_user_t **dirty;
    uint32_t dirty_count;
    int epoll;
    int64_t now_ns, start_ns;
    bool playing;
    uint8_t *scratch;
    cf_sample_t *samples; /* one a second */
    int sample_count;
} cf_scenario_t;

double cf_random(double from, double to);

/* user.c */
void cf_user_start(cf_scenario_t *run, cf_user_t *user);
void cf_user_observe(cf_scenario_t *run, cf_user_t *user); /* token and room are set */
void cf_user_on_event(cf_scenario_t *run, cf_user_t *user, bool on_socket, uint32_t events);
void cf_user_tick(cf_scenario_t *run, cf_user_t *user); /* does what has come due */
void cf_user_stop(cf_scenario_t *run, cf_user_t *user); /* now, wherever it is */
void cf_user_flush(cf_user_t *user);

/* talk.c */
int cf_room_build(cf_room_t *room, uint32_t rooms); /* 0, or -1 out of memory */
void cf_room_free(cf_room_t *room);
void cf_talk_begin(cf_user_t *user); /* its socket is open */
void cf_talk_on_text(cf_scenario_t *run, cf_user_t *user, const char *json, size_t size);
/* Say something; false if the socket's buffer is full. */
bool cf_talk_message(cf_scenario_t *run, cf_user_t *user);
bool cf_talk_command(cf_scenario_t *run, cf_user_t *user);
void cf_talk_end(cf_scenario_t *run, cf_user_t *user); /* judges what has not come back */
bool cf_talk_observers_done(const cf_scenario_t *run); /* they have all that anyone has */
void cf_talk_finish(cf_scenario_t *run);               /* counts what is missing at the end */

/* scenario_report.c */
bool cf_scenario_write_json(const cf_scenario_t *run);
bool cf_scenario_write_posts(const cf_scenario_t *run);
void cf_scenario_print_progress(const cf_scenario_t *run);

#endif
