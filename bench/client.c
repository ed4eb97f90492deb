/* One client: an RFC 6455 connection of our own, since what measures must not be slower than what
 * it measures, and must see the bytes as they came. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define RETRY_FIRST_NS 50000000LL
#define RETRY_MAX_NS 1000000000LL
#define RESEND_NS 200000000LL
#define DRIP_NS 1000000000LL
#define SLOW_RCVBUF 8192

static uint32_t jitter(uint32_t bound)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % bound;
}

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
    client->retry_ns = load->now_ns + wait_ns / 2 + (int64_t)jitter((uint32_t)(wait_ns / 2));
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

void cf_client_connect(cf_load_t *load, cf_client_t *client)
{
    client->state = CF_CLIENT_HANDSHAKE;
    client->close_seen = client->conn.deaf = false;
    load->connecting++;
    client->conn.out_size =
        (size_t)snprintf((char *)client->conn.out, CF_OUT_MAX,
                         "GET /ws/chat/%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: " CF_WS_KEY "\r\nAuthorization: Bearer %s\r\n\r\n",
                         load->rooms[client->room].id, load->options.host, client->token);
    int rcvbuf = client->reader == CF_READER_NORMAL ? 0 : SLOW_RCVBUF;
    if (cf_conn_open(&client->conn, &load->options.server, rcvbuf) < 0)
        gone(load, client, 1006, "connect");
}

static void become_ready(cf_load_t *load, cf_client_t *client)
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
    if (!load->options.joins)
        become_ready(load, client);
    return (int)head;
}

static cf_pending_t *pending_of(cf_client_t *client, const cf_members_t *members)
{
    if (!client->pending)
        return NULL;
    uint32_t n = client->oldest_n;
    if (members->client_key.size) { /* run-writer-n */
        const char *dash = memrchr(members->client_key.at, '-', members->client_key.size);
        if (!dash)
            return NULL;
        n = (uint32_t)cf_slice_number((cf_slice_t){
            dash + 1, (size_t)(members->client_key.at + members->client_key.size - dash - 1)});
    } else {
        while (n < client->next_n && (client->pending[n % CF_PENDING_MAX].n != n ||
                                      client->pending[n % CF_PENDING_MAX].acked ||
                                      client->pending[n % CF_PENDING_MAX].refused))
            n++; /* no key came back: answers come in the order of the posts */
    }
    cf_pending_t *pending = &client->pending[n % CF_PENDING_MAX];
    return n > 0 && pending->n == n ? pending : NULL;
}

static void advance_oldest(cf_client_t *client)
{
    while (client->oldest_n < client->next_n) {
        const cf_pending_t *oldest = &client->pending[client->oldest_n % CF_PENDING_MAX];
        if (oldest->n == client->oldest_n && !oldest->acked && !oldest->refused)
            break;
        client->oldest_n++;
    }
}

static void on_ack(cf_load_t *load, cf_client_t *client, const cf_members_t *members)
{
    cf_pending_t *pending = pending_of(client, members);
    if (!pending || members->id.size == 0 || members->id.size >= CF_ID_TEXT_MAX) {
        load->counts.ack_wrong++;
        return;
    }
    if (pending->acked) { /* a second answer to a post sent twice */
        load->counts.ack_wrong += !cf_slice_is(members->id, pending->id);
        return;
    }
    memcpy(pending->id, members->id.at, members->id.size);
    pending->id[members->id.size] = '\0';
    pending->seq = cf_slice_number(members->seq);
    pending->acked = true;
    client->unacked -= !pending->refused;
    pending->refused = false;
    load->counts.acked++;
    cf_ledger_add(load->ledger, "ACK %u %u %s %" PRIu64, client->index, pending->n, pending->id,
                  pending->seq);
    if (cf_load_times(load, pending->due_ns))
        cf_histogram_add(&load->ack, load->now_ns - pending->due_ns);
    advance_oldest(client);
}

static bool contains(cf_slice_t slice, const char *word)
{
    return slice.size && memmem(slice.at, slice.size, word, strlen(word));
}

static void on_error(cf_load_t *load, cf_client_t *client, const cf_members_t *members)
{
    cf_slice_t kind = members->code.size ? members->code : members->message;
    cf_count_kind(load->counts.refusals, kind.at, kind.size);
    cf_pending_t *pending = pending_of(client, members);
    if (!pending || pending->acked || pending->refused)
        return;
    if (load->options.keys &&
        (contains(members->code, "NOT_CONFIRMED") || contains(members->message, "not confirmed"))) {
        int64_t wait_ns = (int64_t)cf_slice_number(members->retry_after_ms) * 1000000;
        client->resend_ns = load->now_ns + (wait_ns > RESEND_NS ? wait_ns : RESEND_NS);
        pending->unconfirmed = true;
        cf_ledger_add(load->ledger, "REFUSED %u %u %.*s", client->index, pending->n, (int)kind.size,
                      kind.at);
        return;
    }
    pending->refused = true;
    client->unacked--;
    load->counts.refused++;
    load->outstanding -= load->options.inflight > 0;
    cf_ledger_add(load->ledger, "REFUSED %u %u %.*s", client->index, pending->n, (int)kind.size,
                  kind.at);
    advance_oldest(client);
}

static void on_text(cf_load_t *load, cf_client_t *client, const char *json, size_t size)
{
    cf_members_t members;
    if (cf_rooms_deliver_known(load, client, json, size))
        return;
    if (!cf_members_read(&members, json, size)) {
        load->counts.unreadable++;
        return;
    }
    if (cf_slice_is(members.type, "chat_message"))
        cf_rooms_deliver(load, client, json, size, &members);
    else if (cf_slice_is(members.type, "message_ack"))
        on_ack(load, client, &members);
    else if (cf_slice_is(members.type, "error"))
        on_error(load, client, &members);
    else if (cf_slice_is(members.type, "user_joined") && client->state == CF_CLIENT_OPEN)
        become_ready(load, client);
}

/* False when the connection ended. */
static bool on_frame(cf_load_t *load, cf_client_t *client, const cf_ws_frame_t *frame)
{
    int code;
    switch (frame->opcode) {
    case CF_OP_TEXT:
        on_text(load, client, (const char *)frame->payload, frame->size);
        return true;
    case CF_OP_PING:
        queue_frame(load, client, CF_OP_PONG, frame->payload, frame->size);
        return true;
    case CF_OP_CLOSE:
        code = frame->size >= 2 ? frame->payload[0] << 8 | frame->payload[1] : 1005;
        queue_frame(load, client, CF_OP_CLOSE, frame->payload, frame->size < 2 ? 0 : 2);
        cf_client_flush(client);
        client->close_seen = true;
        gone(load, client, code, "");
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
    load->now_ns = cf_now_ns();
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
    char json[CF_PAYLOAD_MAX + 160];
    size_t size = (size_t)sprintf(json, "{\"type\":\"chat_message\",\"content\":\"");
    cf_payload_t payload = {load->options.run, client->index, pending->n, 0, pending->due_ns};
    cf_payload_write(json + size, (size_t)load->options.payload, &payload);
    size += (size_t)load->options.payload;
    if (load->options.keys)
        size += (size_t)sprintf(json + size, "\",\"client_key\":\"%" PRIu64 "-%u-%u\"}",
                                load->options.run, client->index, pending->n);
    else
        size += (size_t)sprintf(json + size, "\"}");
    if (!queue_frame(load, client, CF_OP_TEXT, json, size))
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
