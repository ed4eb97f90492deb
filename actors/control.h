/* actors/control.h: the way into the running server: does what `confab ctl` asks. docs/control.md.
 *
 *     TOP_ROOMS  (ctl) -> ROOMS_TOP of all room threads, of those that answer in time
 *     MOVE_ROOM  (ctl) -> DONE when the room is where it was sent: it is looked up, its lobby told to MOVE it, and looked up again
 *     DISABLE, ENABLE  (ctl) -> what accounts answers (wire/account.h)
 *     REPLAY     (ctl) -> RERAN: the letter is read, its command RERUN in its room, and the letter removed
 *                when the bot has answered | REFUSED, wire/operate.h
 *     DRAIN      what comes from here on is REFUSED CF_ECLOSING; DRAINED at once, as what is under way
 *                waits for others, who drain too
 * Requests come over the socket, a frame of wire/msg.h each, and are answered over it; addresses and trace
 * ids in them count for nothing. What cannot be read, or is no request of these, is REFUSED and its
 * client closed. CF_CONTROL_REQUESTS_MAX may be under way, each with a deadline; whoever asked and has
 * gone since does not change what comes of it. */
#ifndef CF_CONTROL_ACTOR_H
#define CF_CONTROL_ACTOR_H

#include "actor.h"
#include "config.h"
#include "local/local_server.h"

#define CF_CONTROL_REQUESTS_MAX 64
#define CF_CONTROL_ANSWER_US INT64_C(5000000)  /* time of a request that only asks */
#define CF_CONTROL_REPLAY_US INT64_C(15000000) /* of a replay, besides that of its command */
#define CF_CONTROL_PATH_MAX 2300

typedef struct {
    cf_local_server_t *server; /* control's from then on, unless cf_control_new() fails */
    cf_address_t room_thread;  /* index 0 */
    uint32_t room_threads;
    cf_address_t accounts;
    cf_address_t lobby, reader, storage;
    int64_t replay_us; /* time of a replay */
    cf_actor_t *actor; /* may be NULL in tests that call the handlers themselves and do not drain */
} cf_control_config_t;

typedef struct cf_control cf_control_t;

/* The socket's name by this configuration; false: there is to be none. */
bool cf_control_path(const cf_config_t *config, char out[CF_CONTROL_PATH_MAX]);
/* Is it in the data folder, which another server may share and whose name may be long? Then a server that
 * cannot have it for that serves without: it is for its operator, and its users have waited enough. */
bool cf_control_is_optional(const cf_config_t *config);
/* Opens it. Returns 0, *out being NULL if there is to be none, or it is done without (logged); CF_ERANGE,
 * CF_EFULL, CF_EIO (logged, local_server.h); CF_ENOMEM. */
int cf_control_open(cf_local_server_t **out, const cf_config_t *config);
/* Returns 0; CF_ENOMEM. */
int cf_control_new(cf_control_t **out, const cf_control_config_t *config);
int cf_control_fd(const cf_control_t *self);
/* What the actor does when that is readable. */
void cf_control_readable(void *state, cf_turn_t *turn);
extern const cf_actor_ops_t cf_control_ops;

#endif
