/* The life of one virtual user. Each step begins a request; its answer is checked and begins the next
 * step. What fails ends the iteration, and after a pause the next one begins, as in k6's scripts. */
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define AFTER_REGISTER_NS (SECOND_NS / 2)
#define BETWEEN_NS SECOND_NS
#define REQUEST_LIMIT_NS (60 * SECOND_NS) /* k6's, also for the handshake */
#define PASSWORD "testpass123"
#define GOING_AWAY 1001 /* what k6 closes with */

typedef void answered_fn(cf_scenario_t *run, cf_user_t *user, const cf_answer_t *answer);
static answered_fn on_registered, on_logged_in, on_joined, on_upgraded;
static answered_fn *const answered[] = {[CF_USER_REGISTER] = on_registered,
                                        [CF_USER_LOGIN] = on_logged_in,
                                        [CF_USER_JOIN] = on_joined,
                                        [CF_USER_UPGRADE] = on_upgraded};

static void check(cf_scenario_t *run, int which, bool passed)
{
    run->counts.checks[which].passes += passed;
    run->counts.checks[which].fails += !passed;
}

static void rate(cf_rate_t *self, bool passed)
{
    self->passes += passed;
    self->fails += !passed;
}

/* ---- between the steps */

static void pause(cf_scenario_t *run, cf_user_t *user, int64_t ns, cf_user_state_t after)
{
    user->state = CF_USER_PAUSE;
    user->after_pause = after;
    user->due_ns = run->now_ns + ns;
}

static void turn_off(cf_scenario_t *run, cf_user_t *user)
{
    cf_conn_close(&user->http);
    cf_conn_close(&user->socket);
    user->awaiting = false;
    user->state = CF_USER_OFF;
    run->active -= !user->observes;
}

static void end_iteration(cf_scenario_t *run, cf_user_t *user)
{
    if (user->observes) {
        user->state = CF_USER_OFF;
        return;
    }
    if (user->stop_ns)
        turn_off(run, user);
    else
        pause(run, user, BETWEEN_NS, CF_USER_REGISTER);
}

static void fail(cf_scenario_t *run, cf_user_t *user, const char *step, int status)
{
    char kind[48];
    snprintf(kind, sizeof kind, "%s %d", step, status);
    cf_count_kind(run->counts.failures, kind, strlen(kind));
    run->counts.errors++;
    end_iteration(run, user);
}

/* ---- requests */

static void make_dirty(cf_scenario_t *run, cf_user_t *user)
{
    if (user->dirty)
        return;
    user->dirty = true;
    run->dirty[run->dirty_count++] = user;
}

void cf_user_flush(cf_user_t *user)
{
    user->dirty = false;
    cf_conn_flush(&user->http);
    cf_conn_flush(&user->socket);
}

static cf_conn_t *asked(cf_user_t *user)
{
    return user->state == CF_USER_UPGRADE ? &user->socket : &user->http;
}

static void answer_with_nothing(cf_scenario_t *run, cf_user_t *user)
{
    cf_conn_close(asked(user));
    user->awaiting = false;
    answered[user->state](run, user, &(cf_answer_t){0});
}

static void transmit(cf_scenario_t *run, cf_user_t *user)
{
    cf_conn_t *conn = asked(user);
    user->reused = conn->fd >= 0;
    user->awaiting = true;
    if (conn->fd < 0 && cf_conn_open(conn, &run->options.server, 0) < 0) {
        answer_with_nothing(run, user);
        return;
    }
    memcpy(conn->out, user->request, user->request_size);
    conn->out_size = user->request_size;
    make_dirty(run, user);
}

static void request(cf_scenario_t *run, cf_user_t *user, cf_user_state_t state,
                    const cf_request_t *what)
{
    cf_request_t whole = *what;
    whole.host = run->options.host;
    user->state = state;
    user->begun_ns = run->now_ns;
    user->due_ns = run->now_ns + REQUEST_LIMIT_NS;
    user->request_size = cf_request_write(user->request, sizeof user->request, &whole);
    transmit(run, user);
}

/* ---- the steps */

static void choose(cf_scenario_t *run, cf_user_t *user)
{
    const cf_options_t *o = &run->options;
    double share = cf_random(0, 1);
    user->group = 0;
    while ((int)user->group < o->group_count - 1 && share >= o->groups[user->group].share)
        share -= o->groups[user->group++].share;
    const cf_group_t *group = &o->groups[user->group];
    uint32_t rooms = group->last_room - group->first_room + 1;
    user->room = group->first_room + (uint32_t)cf_random(0, rooms);
    double messages = cf_random(group->rate_min, group->rate_max);
    user->message_every = messages > 0 ? 60 / messages : 0;
    user->commands = cf_random(0, 1) < o->command_share;
}

static void iterate(cf_scenario_t *run, cf_user_t *user)
{
    char body[256];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    choose(run, user);
    run->counts.iterations++;
    user->cookie[0] = user->token[0] = '\0'; /* k6's jar is emptied for each iteration */
    snprintf(user->name, sizeof user->name, "%s_%u_%u_%" PRId64, run->options.prefix,
             user->index + 1, user->iteration++,
             (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    snprintf(body, sizeof body,
             "{\"username\":\"%s\",\"email\":\"%s@loadtest.local\",\"password\":\"" PASSWORD "\"}",
             user->name, user->name);
    request(run, user, CF_USER_REGISTER,
            &(cf_request_t){.method = "POST", .path = "/api/v1/auth/register", .body = body});
}

static void on_registered(cf_scenario_t *run, cf_user_t *user, const cf_answer_t *answer)
{
    check(run, CF_CHECK_REGISTER, answer->status == 201);
    if (answer->status == 201)
        pause(run, user, AFTER_REGISTER_NS, CF_USER_LOGIN);
    else
        fail(run, user, "register", answer->status);
}

static void log_in(cf_scenario_t *run, cf_user_t *user)
{
    char body[160];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", user->name);
    request(run, user, CF_USER_LOGIN,
            &(cf_request_t){.method = "POST", .path = "/api/v1/auth/login", .body = body});
}

static bool copy(char *out, size_t max, cf_slice_t slice)
{
    if (slice.size == 0 || slice.size >= max)
        return false;
    memcpy(out, slice.at, slice.size);
    out[slice.size] = '\0';
    return true;
}

static void on_logged_in(cf_scenario_t *run, cf_user_t *user, const cf_answer_t *answer)
{
    char path[96];
    cf_slice_t token = {0};
    bool has_token = answer->status == 200 &&
                     cf_member_find(&token, answer->body.at, answer->body.size, "session_token") &&
                     copy(user->token, sizeof user->token, token);
    check(run, CF_CHECK_LOGIN, answer->status == 200);
    check(run, CF_CHECK_TOKEN, has_token);
    copy(user->cookie, sizeof user->cookie, answer->cookie);
    if (!has_token) {
        fail(run, user, "login", answer->status);
        return;
    }
    snprintf(path, sizeof path, "/api/v1/chatrooms/%s/join", run->rooms[user->room].id);
    request(run, user, CF_USER_JOIN,
            &(cf_request_t){.method = "POST",
                            .path = path,
                            .bearer = user->token,
                            .cookie = user->cookie[0] ? user->cookie : NULL});
}

static void upgrade(cf_scenario_t *run, cf_user_t *user)
{
    char path[360];
    snprintf(path, sizeof path, "/ws/chat/%s?token=%s", run->rooms[user->room].id, user->token);
    request(run, user, CF_USER_UPGRADE,
            &(cf_request_t){.method = "GET",
                            .path = path,
                            .cookie = user->cookie[0] ? user->cookie : NULL,
                            .upgrade = true});
}

static void on_joined(cf_scenario_t *run, cf_user_t *user, const cf_answer_t *answer)
{
    check(run, CF_CHECK_JOIN, answer->status == 200);
    if (answer->status == 200)
        upgrade(run, user);
    else
        fail(run, user, "join", answer->status);
}

static void on_upgraded(cf_scenario_t *run, cf_user_t *user, const cf_answer_t *answer)
{
    bool open = answer->status == 101 && answer->accepts;
    if (!user->observes) {
        check(run, CF_CHECK_UPGRADE, open);
        rate(&run->counts.connection_success, open);
    }
    if (!open) {
        cf_conn_close(&user->socket);
        run->counts.observers_lost += user->observes;
        fail(run, user, "upgrade", answer->status);
        return;
    }
    user->state = CF_USER_CHAT;
    user->due_ns = 0; /* an observer stays */
    cf_talk_begin(user);
    if (user->observes)
        return;
    cf_histogram_add(&run->connecting, run->now_ns - user->begun_ns);
    user->due_ns = run->now_ns + (int64_t)(run->options.session * 1e9);
    if (user->message_every > 0)
        user->message_ns = run->now_ns + (int64_t)(cf_random(0, user->message_every) * 1e9);
    if (user->commands)
        user->command_ns = run->now_ns + (int64_t)(cf_random(0, run->options.command_every) * 1e9);
}

/* ---- the socket */

/* The server's doing if code is not 0, which is what it closed with. */
static void end_session(cf_scenario_t *run, cf_user_t *user, int code)
{
    if (code == 0) {
        uint8_t going_away[2] = {GOING_AWAY >> 8, GOING_AWAY & 0xff};
        cf_conn_add_frame(&user->socket, CF_OP_CLOSE, going_away, sizeof going_away, user->index);
        cf_conn_flush(&user->socket);
    }
    cf_conn_close(&user->socket);
    cf_talk_end(run, user);
    if (code != 0) {
        char kind[16];
        snprintf(kind, sizeof kind, "%d", code);
        cf_count_kind(run->counts.closes, kind, strlen(kind));
    }
    if (user->observes) {
        run->counts.observers_lost += code != 0;
    } else {
        cf_histogram_add(&run->session, run->now_ns - user->begun_ns);
        if (code != 0 && code != 1000 && code != GOING_AWAY) {
            rate(&run->counts.connection_success, false);
            run->counts.errors++;
        }
    }
    end_iteration(run, user);
}

/* False when the session ended. */
static bool on_frame(cf_scenario_t *run, cf_user_t *user, const cf_ws_frame_t *frame)
{
    switch (frame->opcode) {
    case CF_OP_TEXT:
        cf_talk_on_text(run, user, (const char *)frame->payload, frame->size);
        return true;
    case CF_OP_PING:
        cf_conn_add_frame(&user->socket, CF_OP_PONG, frame->payload, frame->size, user->index);
        make_dirty(run, user);
        return true;
    case CF_OP_CLOSE:
        end_session(run, user,
                    frame->size >= 2 ? frame->payload[0] << 8 | frame->payload[1] : 1005);
        return false;
    default:
        run->counts.unreadable += frame->opcode != CF_OP_PONG;
        return true;
    }
}

/* All whole frames; returns how many bytes are used up, or SIZE_MAX when the session ended. */
static size_t take_frames(cf_scenario_t *run, cf_user_t *user, const uint8_t *bytes, size_t size)
{
    cf_ws_frame_t frame;
    size_t at = 0;
    int rc;
    while ((rc = cf_ws_read(&frame, bytes + at, size - at)) > 0) {
        run->counts.unreadable += frame.masked || !frame.final;
        if (!on_frame(run, user, &frame))
            return SIZE_MAX;
        at += frame.whole;
    }
    if (rc < 0 || frame.whole > CF_IN_MAX) {
        run->counts.unreadable++;
        end_session(run, user, 1002);
        return SIZE_MAX;
    }
    return at;
}

/* ---- bytes */

/* An answer, if it is there; returns the bytes used up, or SIZE_MAX when the connection ended. */
static size_t take_answer(cf_scenario_t *run, cf_user_t *user, cf_conn_t *conn,
                          const uint8_t *bytes, size_t size)
{
    cf_answer_t answer;
    int rc = cf_answer_read(&answer, (const char *)bytes, size);
    if (rc == 0)
        return 0;
    if (rc < 0) {
        answer_with_nothing(run, user);
        return SIZE_MAX;
    }
    user->awaiting = false;
    if (conn == &user->http) {
        cf_histogram_add(&run->http_duration, run->now_ns - user->begun_ns);
        if (answer.closes || answer.whole < size)
            cf_conn_close(conn);
        conn->in_size = 0; /* what follows may begin the next request */
    }
    answered[user->state](run, user, &answer);
    return conn->fd < 0 ? SIZE_MAX : answer.whole;
}

static size_t take_bytes(cf_scenario_t *run, cf_user_t *user, cf_conn_t *conn, const uint8_t *bytes,
                         size_t size)
{
    size_t used = 0;
    if (user->awaiting && conn == asked(user)) {
        used = take_answer(run, user, conn, bytes, size);
        if (used == 0 || used == SIZE_MAX)
            return used;
    }
    if (conn == &user->socket && user->state == CF_USER_CHAT) {
        size_t frames = take_frames(run, user, bytes + used, size - used);
        return frames == SIZE_MAX ? SIZE_MAX : used + frames;
    }
    return used;
}

static void on_end(cf_scenario_t *run, cf_user_t *user, cf_conn_t *conn)
{
    bool awaited = user->awaiting && conn == asked(user), fresh = conn->in_size == 0;
    cf_conn_close(conn);
    if (conn == &user->socket && user->state == CF_USER_CHAT)
        end_session(run, user, 1006);
    else if (awaited && user->reused && fresh)
        transmit(run, user); /* closed as idle just before the request, which was not seen */
    else if (awaited)
        answer_with_nothing(run, user);
}

static bool read_some(cf_scenario_t *run, cf_user_t *user, cf_conn_t *conn)
{
    size_t size;
    ssize_t got = cf_conn_read(conn, run->scratch, CF_READ_MAX, &size);
    if (got < 0)
        on_end(run, user, conn);
    if (got <= 0)
        return false;
    run->now_ns = cf_now_ns();
    size_t used = take_bytes(run, user, conn, run->scratch, size);
    if (used == SIZE_MAX || conn->fd < 0)
        return false;
    if (size - used > CF_IN_MAX) {
        run->counts.unreadable++;
        on_end(run, user, conn);
        return false;
    }
    cf_conn_keep(conn, run->scratch + used, size - used);
    return got == CF_READ_MAX;
}

void cf_user_on_event(cf_scenario_t *run, cf_user_t *user, bool on_socket, uint32_t events)
{
    cf_conn_t *conn = on_socket ? &user->socket : &user->http;
    if (conn->fd >= 0 && events & EPOLLOUT)
        cf_conn_flush(conn);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        while (conn->fd >= 0 && read_some(run, user, conn))
            ;
}

/* ---- time */

static void talk(cf_scenario_t *run, cf_user_t *user)
{
    if (user->message_ns && run->now_ns >= user->message_ns) {
        cf_talk_message(run, user);
        user->message_ns += (int64_t)(user->message_every * cf_random(0.5, 1.5) * 1e9);
        make_dirty(run, user);
    }
    if (user->command_ns && run->now_ns >= user->command_ns) {
        cf_talk_command(run, user);
        user->command_ns += (int64_t)(run->options.command_every * cf_random(0.5, 1.5) * 1e9);
        make_dirty(run, user);
    }
}

void cf_user_tick(cf_scenario_t *run, cf_user_t *user)
{
    if (user->state == CF_USER_CHAT && !user->observes)
        talk(run, user);
    if (user->state == CF_USER_OFF || user->due_ns == 0 || run->now_ns < user->due_ns)
        return;
    if (user->state == CF_USER_CHAT)
        end_session(run, user, 0);
    else if (user->awaiting)
        answer_with_nothing(run, user);
    else if (user->after_pause == CF_USER_LOGIN)
        log_in(run, user);
    else if (user->stop_ns)
        turn_off(run, user);
    else
        iterate(run, user);
}

void cf_user_start(cf_scenario_t *run, cf_user_t *user)
{
    run->active++;
    user->stop_ns = 0;
    iterate(run, user);
}

void cf_user_observe(cf_scenario_t *run, cf_user_t *user)
{
    upgrade(run, user);
}

void cf_user_stop(cf_scenario_t *run, cf_user_t *user)
{
    if (user->state == CF_USER_OFF)
        return;
    run->counts.interrupted += !user->observes;
    if (user->state == CF_USER_CHAT) {
        user->stop_ns = run->now_ns; /* so that no iteration follows */
        end_session(run, user, 0);
        return;
    }
    turn_off(run, user);
}
