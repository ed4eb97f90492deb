/* storm_client.c: one client that comes back: its socket by the cookie, then the newest page. */
#include "storm.h"

#include "http.h"
#include "jitter.h"
#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RETRY_NS 20000000LL
#define RETRY_MAX_NS 200000000LL
#define PATH_MAX_SIZE 128

static cf_storm_room_t *room_of(cf_storm_t *storm, const cf_member_t *member)
{
    return &storm->rooms[storm->targets[member->target].room];
}

static void wait_to_retry(cf_storm_t *storm, cf_member_t *member)
{
    int64_t wait_ns = RETRY_NS << (member->attempts < 4 ? member->attempts : 4);
    wait_ns = wait_ns < RETRY_MAX_NS ? wait_ns : RETRY_MAX_NS;
    member->attempts++;
    member->retry_ns = storm->now_ns + wait_ns / 2 + cf_jitter_ns(wait_ns / 2);
    storm->retries++;
}

static void set_state(cf_storm_t *storm, cf_member_t *member, cf_back_t state)
{
    bool was_joined = member->state >= CF_BACK_JOINED, is_joined = state >= CF_BACK_JOINED;
    storm->connecting += (state == CF_BACK_JOINING) - (member->state == CF_BACK_JOINING);
    storm->joined += is_joined - was_joined;
    storm->there += (state == CF_BACK_THERE) - (member->state == CF_BACK_THERE);
    member->state = state;
    if (storm->joined == storm->member_count && !was_joined && is_joined)
        storm->all_joined_ns = storm->now_ns;
    if (state == CF_BACK_THERE)
        cf_histogram_add(&storm->back, storm->now_ns - storm->begun_ns);
}

static void count_refusal(cf_storm_t *storm, const char *what, int status)
{
    char name[48];
    snprintf(name, sizeof name, "%s %d", what, status);
    cf_count_kind(storm->refusals, name, strlen(name));
}

/* The socket has ended, by whomever. One that was there stays away; one that is about to come tries again. */
static void socket_ended(cf_storm_t *storm, cf_member_t *member)
{
    cf_conn_close(&member->socket);
    member->is_upgraded = false;
    if (member->state == CF_BACK_THERE || member->state == CF_BACK_IDLE) {
        set_state(storm, member, CF_BACK_IDLE);
        return;
    }
    cf_conn_close(&member->http);
    set_state(storm, member, CF_BACK_AWAY);
    wait_to_retry(storm, member);
}

void cf_member_drop(cf_storm_t *storm, cf_member_t *member)
{
    struct linger none = {.l_onoff = 1}; /* a reset, as of a network that is gone */
    if (member->socket.fd >= 0)
        setsockopt(member->socket.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    cf_conn_close(&member->socket);
    cf_conn_close(&member->http);
    member->is_upgraded = false;
    set_state(storm, member, CF_BACK_IDLE);
}

static size_t write_request(cf_storm_t *storm, cf_member_t *member, cf_conn_t *conn,
                            const char *before, const char *behind, bool upgrade)
{
    char path[PATH_MAX_SIZE];
    snprintf(path, sizeof path, "%s%s%s", before, room_of(storm, member)->id, behind);
    cf_request_t request = {.method = "GET",
                            .path = path,
                            .host = storm->host,
                            .cookie = storm->targets[member->target].token,
                            .upgrade = upgrade};
    return cf_request_write((char *)conn->out, CF_OUT_MAX, &request);
}

void cf_member_connect(cf_storm_t *storm, cf_member_t *member)
{
    set_state(storm, member, CF_BACK_JOINING);
    member->socket.out_size = write_request(storm, member, &member->socket, "/ws/chat/", "", true);
    if (cf_conn_open(&member->socket, &storm->server, 0) < 0)
        socket_ended(storm, member);
}

void cf_member_read_page(cf_storm_t *storm, cf_member_t *member)
{
    set_state(storm, member, CF_BACK_READING);
    member->http.out_size = write_request(storm, member, &member->http, "/api/v1/chatrooms/",
                                          "/messages?limit=50", false);
    if (cf_conn_open(&member->http, &storm->server, 0) < 0) {
        set_state(storm, member, CF_BACK_JOINED);
        wait_to_retry(storm, member);
    }
}

/* --- the page ----------------------------------------------------------------------------------
 */

static void on_page(cf_storm_t *storm, cf_member_t *member, const uint8_t *bytes, size_t size)
{
    cf_answer_t answer;
    int rc = cf_answer_read(&answer, (const char *)bytes, size);
    if (rc == 0 && size <= CF_IN_MAX) {
        cf_conn_keep(&member->http, bytes, size);
        return;
    }
    cf_conn_close(&member->http);
    if (rc > 0 && answer.status == 200) {
        storm->faults.unreadable +=
            !cf_room_check_page(storm, storm->targets[member->target].room, answer.body);
        set_state(storm, member, CF_BACK_THERE);
        return;
    }
    count_refusal(storm, "page", rc > 0 ? answer.status : rc);
    set_state(storm, member, CF_BACK_JOINED);
    wait_to_retry(storm, member);
}

/* --- the socket --------------------------------------------------------------------------------
 */

static void on_text(cf_storm_t *storm, cf_member_t *member, const char *json, size_t size)
{
    cf_members_t members;
    if (!cf_members_read(&members, json, size)) {
        storm->faults.unreadable++;
    } else if (cf_slice_is(members.type, "user_joined") && member->state == CF_BACK_JOINING) {
        member->attempts = 0;
        set_state(storm, member, storm->reads_pages ? CF_BACK_JOINED : CF_BACK_THERE);
        if (storm->reads_pages)
            cf_member_read_page(storm, member);
    } else if (cf_slice_is(members.type, "message_ack")) {
        storm->waiting_acks--;
        cf_room_acked(storm, storm->targets[member->target].room, members.id, members.seq);
        if (room_of(storm, member)->to_post)
            cf_member_post(storm, member);
    } else if (cf_slice_is(members.type, "error")) {
        cf_count_kind(storm->refusals, members.code.at, members.code.size);
        storm->faults.refused_posts++;
    }
}

static bool on_frame(cf_storm_t *storm, cf_member_t *member, const cf_ws_frame_t *frame)
{
    uint32_t mask = 0x9e3779b9u * (member->target + 1);
    if (frame->opcode == CF_OP_TEXT)
        on_text(storm, member, (const char *)frame->payload, frame->size);
    else if (frame->opcode == CF_OP_PING)
        cf_conn_add_frame(&member->socket, CF_OP_PONG, frame->payload, frame->size, mask);
    else if (frame->opcode == CF_OP_CLOSE && frame->size >= 2)
        count_refusal(storm, "close", frame->payload[0] << 8 | frame->payload[1]);
    cf_conn_flush(&member->socket);
    return frame->opcode != CF_OP_CLOSE;
}

/* How many bytes are used up; SIZE_MAX: it has ended. */
static size_t take_bytes(cf_storm_t *storm, cf_member_t *member, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    if (!member->is_upgraded) {
        cf_answer_t answer;
        int rc = cf_answer_read(&answer, (const char *)bytes, size);
        if (rc == 0)
            return 0;
        if (rc < 0 || answer.status != 101 || !answer.accepts) {
            count_refusal(storm, "upgrade", rc < 0 ? rc : answer.status);
            return SIZE_MAX;
        }
        member->is_upgraded = true;
        at = answer.whole;
    }
    cf_ws_frame_t frame;
    int rc;
    while ((rc = cf_ws_read(&frame, bytes + at, size - at)) > 0) {
        if (!on_frame(storm, member, &frame))
            return SIZE_MAX;
        at += frame.whole;
    }
    storm->faults.unreadable += rc < 0;
    return rc < 0 || size - at > CF_IN_MAX ? SIZE_MAX : at;
}

static void on_socket(cf_storm_t *storm, cf_member_t *member)
{
    size_t size;
    ssize_t got;
    while ((got = cf_conn_read(&member->socket, storm->scratch, CF_READ_MAX, &size)) > 0) {
        size_t used = take_bytes(storm, member, storm->scratch, size);
        if (used == SIZE_MAX) {
            got = -1;
            break;
        }
        cf_conn_keep(&member->socket, storm->scratch + used, size - used);
        if (got < CF_READ_MAX)
            return;
    }
    if (got < 0)
        socket_ended(storm, member);
}

static void on_http(cf_storm_t *storm, cf_member_t *member)
{
    size_t size;
    ssize_t got = cf_conn_read(&member->http, storm->scratch, CF_READ_MAX, &size);
    if (got > 0) {
        on_page(storm, member, storm->scratch, size);
    } else if (got < 0) {
        cf_conn_close(&member->http);
        set_state(storm, member, CF_BACK_JOINED);
        wait_to_retry(storm, member);
    }
}

void cf_member_on_event(cf_storm_t *storm, cf_member_t *member, bool is_http, uint32_t events)
{
    cf_conn_t *conn = is_http ? &member->http : &member->socket;
    if (conn->fd < 0)
        return;
    if (events & EPOLLOUT)
        cf_conn_flush(conn);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        (is_http ? on_http : on_socket)(storm, member);
}

void cf_member_post(cf_storm_t *storm, cf_member_t *member)
{
    char json[CF_PAYLOAD_MAX + 160];
    cf_storm_room_t *room = room_of(storm, member);
    cf_payload_t payload = {.run = storm->run,
                            .writer = storm->targets[member->target].room,
                            .n = (uint32_t)room->acked + 1,
                            .due_ns = storm->now_ns};
    size_t size = (size_t)sprintf(json, "{\"type\":\"chat_message\",\"content\":\"");
    cf_payload_write(json + size, (size_t)storm->payload, &payload);
    size += (size_t)storm->payload;
    size += (size_t)sprintf(json + size, "\",\"client_key\":\"%" PRIu64 "-%u-%u\"}", storm->run,
                            payload.writer, payload.n);
    uint32_t mask = 0x9e3779b9u * (member->target + 1) ^ payload.n;
    if (!cf_conn_add_frame(&member->socket, CF_OP_TEXT, json, size, mask))
        return;
    room->to_post--;
    cf_room_begin_post(room);
    storm->waiting_acks++;
    cf_conn_flush(&member->socket);
}
