/* tests/support/gateway_fixture.h: a gateway, with all whom it speaks to made up, and clients that come in through it. The token of a
 * user is his name; what is asked for him the test answers. What is awaited comes in time, or the test fails. */
#ifndef CF_GATEWAY_FIXTURE_H
#define CF_GATEWAY_FIXTURE_H

#include "gateway.h"
#include "peer.h"
#include "wire/room.h"

#define ROOM_PATH "/ws/chat/02010000-0000-0000-0000-000000000000"
#define POSTS_PATH "/api/v1/chatrooms/02010000-0000-0000-0000-000000000000/messages"
#define JOIN_PATH "/api/v1/chatrooms/02010000-0000-0000-0000-000000000000/join"
#define ROOM ((cf_id_t){{2, 1}})
#define HOUR_US INT64_C(3600000000)

extern cf_gateway_config_t gateway_config; /* may be changed before gateway_start() */
extern cf_actor_t *gateway_actor;
extern peer_t *lobby, *accounts, *storage, *reader, *stats, *limiter, *rooms, *rooms2;
extern int port;

void gateway_start(void);
cf_id_t user_of(const char *name);
/* Its session is the same with another first byte. */
cf_id_t session_id(const char *name);
/* The next credential that is tried is `token`; it is `name`'s, of a session of its own, or nobody's (NULL). */
void authenticate(const char *token, const char *name);
/* The room is looked up: it is at this room thread. */
void place_room(peer_t *at);
/* The next request of that type at a room thread; body may be NULL. */
cf_msg_t request(peer_t *at, uint16_t type, void *body);
/* The same, answered at once. */
void answer(peer_t *at, uint16_t type, uint16_t with, const void *body);
void refuse(peer_t *at, uint16_t type, int err);
/* An upgrade was asked for on fd with name as the cookie: let it through, with the room at `at`.
 * Returns the gateway's number of the connection. */
uint64_t let_in(int fd, const char *name, peer_t *at);
/* On a new connection; not answered yet. */
int ask_to_enter_by(const char *path, const char *name);
int ask_to_enter(const char *name);
/* The first socket: the room is looked up for it. */
int enter_first(const char *name, uint64_t *conn);
/* Vanishes: no close frame, and what was not read is thrown away. */
void vanish(int fd);
void wait_for_counter(cf_metric_t metric, uint64_t n);
int enter(const char *name); /* one that is not the first */
void say_post(int fd, const char *text, const char *key);
void tell_event(peer_t *at, uint64_t epoch, uint64_t n, uint64_t seq, const char *text);
bool has(const char *text, const char *part);
/* Several passes of the gateway's loop: what it would read by itself it has read. */
void let_it_read(void);
void expect_post(peer_t *at, const char *text, cf_msg_t *msg);
cf_msg_t expect_detach(peer_t *at, uint64_t conn, uint64_t epoch);
/* A request of now is the next that the room hears. */
void nothing_else_is_asked(peer_t *at);
void answer_post(peer_t *at, const char *text, uint64_t seq);
/* A request for the history, which has come to the room; its correlation id. */
int ask_history(const char *name, bool is_first, uint64_t *corr);
void lose_node(void);

#endif
