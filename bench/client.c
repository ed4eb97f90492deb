/* One client: an RFC 6455 connection of our own, since what measures must not be slower than what
 * it measures, and must see the bytes as they came. What lies in the frames is its dialect's. */
#include "jitter.h"
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RETRY_FIRST_NS 50000000LL
#define RETRY_MAX_NS 1000000000LL
#define RESEND_NS 200000000LL
#define DRIP_NS 1000000000LL
#define SLOW_RCVBUF 8192

/* Without keys a post that has no ack cannot be sent again: it may be stored, and would be twice.
 */
static void give_up_unacked(cf_load_t *load, cf_client_t *client)
{
    for (uint32_t n = client->oldest_n; client->pending && n < client->next_n; n++) {
        cf_pending_t *pending = &client->pending[n % CF_PENDING_MAX];
        if (pending->n != n || pending->acked || pending->refused)
            continue;
        pending->refused = true;
        client->unacked--;
        cf_ledger_add(load->ledger, "REFUSED %u %u disconnected", client->index, n);
    }
}

static void gone(cf_load_t *load, cf_client_t *client, int code, const char *what)
{
    char name[32];
    snprintf(name, sizeof name, "%d%s%s", code, *what ? " " : "", what);
    if (client->state >= CF_CLIENT_OPEN) {
        cf_count_kind(load->counts.closes, name, strlen(name));
        cf_ledger_add(load->ledger, "CLOSE %u %d", client->index, code);
    } else if (!load->options.reconnect) {
        cf_count_kind(load->counts.closes, name, strlen(name));
    }
    load->ready -= client->state == CF_CLIENT_READY;
    load->connecting -= client->state == CF_CLIENT_HANDSHAKE || client->state == CF_CLIENT_OPEN;
    cf_conn_close(&client->conn);
    if (client->slow && client->slow->code == 0) {
        client->slow->code = code;
        client->slow->ended_ns = load->now_ns - load->start_ns;
        client->slow->last_seq = client->last_seq;
    }
    client->last_seq = 0;
    cf_ahead_clear(&client->ahead);
    client->stream.size = 0;
    client->resend_ns = 0;
    if (client->whole) {
        client->whole = false;
        load->rooms[client->room].whole_members--;
    }
    if (!load->options.keys || !load->options.reconnect)
        give_up_unacked(load, client);
    client->state = load->options.reconnect && client->reader == CF_READER_NORMAL ? CF_CLIENT_AWAY
                                                                                  : CF_CLIENT_GONE;
    int64_t wait_ns = RETRY_FIRST_NS << (client->attempts < 5 ? client->attempts : 5);
    wait_ns = wait_ns < RETRY_MAX_NS ? wait_ns : RETRY_MAX_NS;
    client->attempts++;
    client->server = (client->server + 1) % load->options.server_count;
    client->retry_ns = load->now_ns + wait_ns / 2 + cf_jitter_ns(wait_ns / 2);
}

/* A server that goes away says when to come back, as the page does then. */
static void heed_reason(cf_load_t *load, cf_client_t *client, const cf_ws_frame_t *close)
{
    char reason[128] = "";
    size_t size = close->size > 2 ? close->size - 2 : 0;
    memcpy(reason, close->payload + 2, size < sizeof reason ? size : sizeof reason - 1);
    const char *told = strstr(reason, "retry_after_ms=");
    if (told && load->options.heed)
        client->retry_ns =
            load->now_ns + strtol(told + strlen("retry_after_ms="), NULL, 10) * 1000000;
}

void cf_client_flush(cf_client_t *client)
{
    client->dirty = false;
    cf_conn_flush(&client->conn);
}

static bool queue_frame(cf_load_t *load, cf_client_t *client, uint8_t opcode, const void *payload,
                        size_t size)
{
    uint32_t mask = 0x9e3779b9u * (client->index + 1) ^ client->next_n;
    if (client->close_seen || !cf_conn_add_frame(&client->conn, opcode, payload, size, mask))
        return false;
    if (!client->dirty) {
        client->dirty = true;
        load->dirty[load->dirty_count++] = client->index;
    }
    return true;
}

bool cf_client_send(cf_load_t *load, cf_client_t *client, const void *bytes, size_t size)
{
    return queue_frame(load, client, load->options.dialect->opcode, bytes, size);
}

/* The path with the room's id in the place of %s, if it has one. */
static void write_path(char *out, size_t max, const char *path, const char *room)
{
    const char *mark = strstr(path, "%s");
    if (mark)
        snprintf(out, max, "%.*s%s%s", (int)(mark - path), path, room, mark + 2);
    else
        snprintf(out, max, "%s", path);
}

static size_t write_upgrade(char *out, size_t max, const cf_load_t *load, const cf_client_t *client)
{
    const cf_options_t *o = &load->options;
    char path[CF_PATH_MAX + CF_ID_TEXT_MAX];
    write_path(path, sizeof path, o->path, load->rooms[client->room].id);
    return (size_t)snprintf(
        out, max,
        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " CF_WS_KEY "\r\n%s%s%s%s\r\n\r\n",
        path, o->servers[client->server].host,
        o->dialect->numbered ? "Authorization: Bearer " : "User-Agent: load",
        o->dialect->numbered ? client->token : "",
        o->dialect->subprotocol ? "\r\nSec-WebSocket-Protocol: " : "",
        o->dialect->subprotocol ? o->dialect->subprotocol : "");
}

void cf_client_connect(cf_load_t *load, cf_client_t *client)
{
    client->state = CF_CLIENT_HANDSHAKE;
    client->close_seen = client->conn.deaf = false;
    client->heard_ns = load->now_ns;
    load->connecting++;
    client->conn.out_size = write_upgrade((char *)client->conn.out, CF_OUT_MAX, load, client);
    int rcvbuf = client->reader == CF_READER_NORMAL ? 0 : SLOW_RCVBUF;
    if (cf_conn_open(&client->conn, &load->options.servers[client->server].address, rcvbuf) < 0)
        gone(load, client, 1006, "connect");
}

void cf_client_become_ready(cf_load_t *load, cf_client_t *client)
{
    client->state = CF_CLIENT_READY;
    client->attempts = 0;
    load->connecting--;
    load->ready++;
    cf_ledger_add(load->ledger, "OPEN %u %s", client->index, load->rooms[client->room].id);
    if (client->reader != CF_READER_NORMAL) {
        client->next_drip_ns = load->now_ns + DRIP_NS;
        client->conn.deaf = true;
        cf_conn_watch(&client->conn);
    }
    if (load->measuring) { /* came back: this dialect has no resume, history fills the gap */
        cf_ledger_add(load->ledger, "RESUME %u 0 reload", client->index);
        cf_client_resend(load, client);
        if (client->slow)
            client->slow->back_ns = load->now_ns - load->start_ns;
    }
}

/* The head of the answer to the upgrade: 0 if it is not complete yet, its size, or -1. */
static int read_head(cf_load_t *load, cf_client_t *client, const uint8_t *bytes, size_t size)
{
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end)
        return size < 16384 ? 0 : -1;
    size_t head = (size_t)(end + 4 - (const char *)bytes);
    if (memcmp(bytes, "HTTP/1.1 101", 12) != 0 ||
        !memmem(bytes, head, CF_WS_ACCEPT, strlen(CF_WS_ACCEPT))) {
        static bool shown;
        if (!shown && !load->options.reconnect)
            fprintf(stderr, "upgrade refused: %.*s\n", (int)(size < 400 ? size : 400),
                    (const char *)bytes);
        shown = true;
        return -1;
    }
    load->counts.upgrades++;
    client->state = CF_CLIENT_OPEN;
    load->options.dialect->begin(load, client);
    return (int)head;
}

/* False when the connection ended. */
static bool on_frame(cf_load_t *load, cf_client_t *client, const cf_ws_frame_t *frame)
{
    int code;
    if (frame->opcode == load->options.dialect->opcode) {
        load->counts.unreadable +=
            !load->options.dialect->take(load, client, frame->payload, frame->size);
        return true;
    }
    switch (frame->opcode) {
    case CF_OP_PING:
        queue_frame(load, client, CF_OP_PONG, frame->payload, frame->size);
        return true;
    case CF_OP_CLOSE:
        code = frame->size >= 2 ? frame->payload[0] << 8 | frame->payload[1] : 1005;
        queue_frame(load, client, CF_OP_CLOSE, frame->payload, frame->size < 2 ? 0 : 2);
        cf_client_flush(client);
        client->close_seen = true;
        gone(load, client, code, "");
        heed_reason(load, client, frame);
        return false;
    default:
        load->counts.unreadable += frame->opcode != CF_OP_PONG;
        return true;
    }
}

/* Handles all whole frames of bytes; returns how many bytes are used up, or SIZE_MAX at the end. */
static size_t take_bytes(cf_load_t *load, cf_client_t *client, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    if (client->state == CF_CLIENT_HANDSHAKE) {
        int head = read_head(load, client, bytes, size);
        if (head < 0) {
            gone(load, client, 1006, "refused");
            return SIZE_MAX;
        }
        if (head == 0)
            return 0;
        at = (size_t)head;
    }
    cf_ws_frame_t frame;
    int rc;
    while ((rc = cf_ws_read(&frame, bytes + at, size - at)) > 0) {
        load->counts.unreadable += frame.masked || !frame.final;
        if (!on_frame(load, client, &frame))
            return SIZE_MAX;
        at += frame.whole;
    }
    if (rc < 0 || frame.whole > CF_IN_MAX || size - at > CF_IN_MAX) {
        load->counts.unreadable++;
        gone(load, client, 1002, "ours");
        return SIZE_MAX;
    }
    return at;
}

/* False when the connection ended or has nothing more to read now. */
static bool read_some(cf_load_t *load, cf_client_t *client, size_t most)
{
    uint8_t *bytes = load->scratch;
    size_t size;
    ssize_t got = cf_conn_read(&client->conn, bytes, most, &size);
    if (got < 0)
        gone(load, client, 1006, client->state == CF_CLIENT_HANDSHAKE ? "connect" : "");
    if (got <= 0)
        return false;
    client->heard_ns = load->now_ns = cf_now_ns();
    size_t used = take_bytes(load, client, bytes, size);
    if (used == SIZE_MAX)
        return false;
    cf_conn_keep(&client->conn, bytes + used, size - used);
    return (size_t)got == most;
}

void cf_client_drip(cf_load_t *load, cf_client_t *client)
{
    client->next_drip_ns += DRIP_NS;
    read_some(load, client, 1);
}

void cf_client_end_silent(cf_load_t *load, cf_client_t *client)
{
    int64_t since_ns = load->now_ns - (int64_t)load->options.silence * 1000000000LL;
    if (load->options.silence && client->conn.fd >= 0 && client->reader == CF_READER_NORMAL &&
        client->heard_ns < since_ns)
        gone(load, client, 1006, "silent");
}

void cf_client_wake(cf_client_t *client)
{
    if (client->state != CF_CLIENT_READY || client->slow->woken)
        return;
    client->slow->woken = true;
    client->reader = CF_READER_NORMAL;
    client->conn.deaf = false;
    cf_conn_watch(&client->conn);
}

void cf_client_on_event(cf_load_t *load, cf_client_t *client, uint32_t events)
{
    if (client->conn.fd < 0)
        return;
    if (events & EPOLLOUT)
        cf_client_flush(client);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        while (read_some(load, client, CF_READ_MAX))
            ;
}

static bool transmit(cf_load_t *load, cf_client_t *client, const cf_pending_t *pending)
{
    char text[CF_PAYLOAD_MAX];
    uint8_t frame[CF_PAYLOAD_MAX + CF_POST_AROUND_MAX];
    cf_payload_t payload = {load->options.run, client->index, pending->n, 0, pending->due_ns};
    cf_payload_write(text, (size_t)load->options.payload, &payload);
    size_t size = load->options.dialect->write_post(frame, load, client, pending->n, text,
                                                    (size_t)load->options.payload);
    if (!cf_client_send(load, client, frame, size))
        return false;
    cf_ledger_add(load->ledger, "SENT %u %u %08x", client->index, pending->n, payload.crc);
    return true;
}

bool cf_client_post(cf_load_t *load, cf_client_t *client, int64_t due_ns)
{
    cf_pending_t *pending = &client->pending[client->next_n % CF_PENDING_MAX];
    bool settled =
        pending->n == 0 || pending->refused ||
        ((pending->acked || !load->options.acks) && (pending->seen || load->options.reconnect));
    if (client->state != CF_CLIENT_READY || client->resend_ns || !settled ||
        client->unacked >= (uint32_t)load->options.window)
        return false;
    cf_pending_t old = *pending;
    *pending = (cf_pending_t){.n = client->next_n, .due_ns = due_ns, .sent_ns = load->now_ns};
    if (!transmit(load, client, pending)) {
        *pending = old;
        return false;
    }
    client->next_n++;
    client->unacked++;
    load->counts.posts++;
    return true;
}

void cf_client_resend(cf_load_t *load, cf_client_t *client)
{
    client->resend_ns = 0;
    if (!client->pending)
        return;
    for (uint32_t n = client->oldest_n; n < client->next_n; n++) {
        const cf_pending_t *pending = &client->pending[n % CF_PENDING_MAX];
        if (pending->n != n || pending->acked || pending->refused)
            continue;
        if (!transmit(load, client, pending)) { /* the rest when the buffer is empty again */
            client->resend_ns = load->now_ns + RESEND_NS;
            return;
        }
        load->counts.resent++;
    }
}
