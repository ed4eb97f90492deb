/* control_letters.c: a dead letter is run again in its room, and removed when that went well. */
#include "control_state.h"

#include "dialects/rooms.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "wire/control.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"
#include "wire/room.h"

#define AGAIN_US INT64_C(50000)   /* a room that is moving: until it is looked up again */
#define REMOVE_US INT64_C(500000) /* storage could not remove the letter: until it is asked again */

typedef enum { READING, PLACING, RUNNING, REMOVING } step_t;

typedef struct {
    step_t step;
    cf_id_t letter, room;
    cf_id_t attempt; /* the command's id for the bot: the same wherever the room goes */
    char type[CF_COMMAND_TYPE_MAX + 1];
    char code[CF_STOCK_CODE_MAX + 1];
} replay_t;

/* --- its end -----------------------------------------------------------------------------------
 */

static void refuse(cf_control_t *self, cf_control_request_t *request, int err)
{
    const replay_t *replay = request->work;
    cf_count(CF_M_LETTERS_REFUSED);
    cf_log_info("did not run a dead letter again", CF_ID("letter", replay->letter), CF_ERR(err));
    cf_control_refuse(self, request, err);
}

static void end(cf_control_t *self, cf_control_request_t *request, cf_str_t failure)
{
    const replay_t *replay = request->work;
    cf_count(failure.size ? CF_M_LETTERS_FAILED : CF_M_LETTERS_ANSWERED);
    cf_log_info("ran a dead letter again", CF_ID("letter", replay->letter),
                CF_ID("room", replay->room), CF_TEXT("failure", failure));
    cf_control_answer(self, request, CF_MSG_RERAN, &(cf_reran_t){failure});
}

static void give_up(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    const replay_t *replay = request->work;
    (void)turn;
    refuse(self, request, replay->step == REMOVING ? CF_EUNCONFIRMED : CF_ETIME);
}

/* --- its steps ---------------------------------------------------------------------------------
 */

static int read_letter(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    const replay_t *replay = request->work;
    return cf_control_ask(turn, request, self->config.reader, CF_MSG_FIND_DEAD_LETTER, (cf_id_t){0},
                          &(cf_find_dead_letter_t){replay->letter});
}

static int place(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    replay_t *replay = request->work;
    replay->step = PLACING;
    return cf_control_ask(turn, request, self->config.lobby, CF_MSG_LOOKUP, replay->room, NULL);
}

static int run(cf_turn_t *turn, cf_control_request_t *request, cf_address_t thread)
{
    replay_t *replay = request->work;
    replay->step = RUNNING;
    return cf_control_ask(turn, request, thread, CF_MSG_RERUN, replay->room,
                          &(cf_rerun_t){.id = replay->attempt,
                                        .type = cf_str(replay->type),
                                        .code = cf_str(replay->code)});
}

/* The bot has spoken: from here on the letter must go, or its words may be said twice. */
static void take_away(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    replay_t *replay = request->work;
    replay->step = REMOVING;
    if (cf_control_ask(turn, request, self->config.storage, CF_MSG_REMOVE_DEAD_LETTER, (cf_id_t){0},
                       &(cf_remove_dead_letter_t){replay->letter}) < 0)
        request->wake_us = turn->boot_us + REMOVE_US;
}

/* --- what its steps are answered ---------------------------------------------------------------
 */

/* Of a kind that this server does not know the bot says so, as the first time. */
static int read_command(replay_t *replay, cf_str_t command)
{
    cf_rooms_command_t known;
    cf_str_t type = {command.bytes + 1, command.size - 1};
    if (cf_rooms_read_command(&known, command)) {
        type = known.type;
        memcpy(replay->code, known.code, sizeof known.code);
    }
    if (type.size == 0 || type.size > CF_COMMAND_TYPE_MAX)
        return CF_EINTERNAL; /* no bot of ours has written it */
    memcpy(replay->type, type.bytes, type.size);
    return 0;
}

static int on_letter(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                     const cf_msg_t *msg)
{
    replay_t *replay = request->work;
    cf_dead_letter_t letter;
    int rc = cf_msg_body(&letter, msg, turn->arena);
    if (rc < 0)
        return rc;
    replay->room = letter.room;
    rc = read_command(replay, letter.command);
    return rc < 0 ? rc : place(self, turn, request);
}

static int on_placed(cf_turn_t *turn, cf_control_request_t *request, const cf_msg_t *msg)
{
    cf_placed_t placed;
    cf_address_t thread;
    int rc = cf_msg_body(&placed, msg, turn->arena);
    if (rc == 0)
        rc = cf_placed_at(&thread, &placed, msg);
    return rc < 0 ? rc : run(turn, request, thread);
}

static int on_reran(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                    const cf_msg_t *msg)
{
    cf_reran_t reran;
    int rc = cf_msg_body(&reran, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (reran.failure.size)
        end(self, request, reran.failure);
    else
        take_away(self, turn, request);
    return 0;
}

static int on_refused(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                      const cf_msg_t *msg)
{
    replay_t *replay = request->work;
    cf_refused_t refused;
    int rc = cf_msg_body(&refused, msg, turn->arena);
    if (rc < 0)
        return rc;
    int err = -(int)refused.reason;
    if (replay->step == REMOVING)
        request->wake_us = turn->boot_us + REMOVE_US;
    else if (replay->step == PLACING && err == CF_ENOENT)
        end(self, request, cf_str("there is no such room any more"));
    else
        refuse(self, request, err);
    return 0;
}

static int answered(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                    const cf_msg_t *msg)
{
    switch (msg->type) {
    case CF_MSG_DEAD_LETTER_ROW:
        return on_letter(self, turn, request, msg);
    case CF_MSG_PLACED:
        return on_placed(turn, request, msg);
    case CF_MSG_MOVED:
        request->wake_us = turn->boot_us + AGAIN_US;
        return 0;
    case CF_MSG_RERAN:
        return on_reran(self, turn, request, msg);
    case CF_MSG_DONE:
        end(self, request, (cf_str_t){0});
        return 0;
    case CF_MSG_REFUSED:
        return on_refused(self, turn, request, msg);
    }
    return CF_EPROTO;
}

/* An error ends the request. */
static int counted(int rc)
{
    if (rc < 0)
        cf_count(CF_M_LETTERS_REFUSED);
    return rc;
}

static int go_on(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    return counted(answered(self, turn, request, msg));
}

static int wake(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request)
{
    const replay_t *replay = request->work;
    if (replay->step != REMOVING)
        return counted(place(self, turn, request));
    take_away(self, turn, request);
    return 0;
}

/* --- its beginning -----------------------------------------------------------------------------
 */

static bool is_under_way(const cf_control_t *self, const cf_control_request_t *besides,
                         cf_id_t letter)
{
    for (const cf_control_request_t *at = self->requests; at; at = at->hh.next)
        if (at != besides && at->verb == besides->verb &&
            cf_id_equal(((const replay_t *)at->work)->letter, letter))
            return true;
    return false;
}

static int begin(cf_control_t *self, cf_turn_t *turn, cf_control_request_t *request,
                 const cf_msg_t *msg)
{
    cf_replay_t asked;
    int rc = cf_msg_body(&asked, msg, turn->arena);
    if (rc < 0)
        return rc;
    replay_t *replay = cf_control_work(request, sizeof *replay);
    if (!replay)
        return CF_ENOMEM;
    if (is_under_way(self, request, asked.letter))
        return counted(CF_EAGAIN);
    replay->letter = asked.letter;
    replay->attempt = cf_id_new(turn->wall_us);
    request->until_us = turn->boot_us + self->config.replay_us;
    return counted(read_letter(self, turn, request));
}

const cf_control_verb_t cf_control_replay = {
    .type = CF_MSG_REPLAY, .begin = begin, .go_on = go_on, .wake = wake, .give_up = give_up};
