/* confab's own dialect: JSON frames, posts with a key of ours, acks, numbers. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RESEND_NS 200000000LL

/* A member is who was told so; the bare loop tells nothing. */
static void begin(cf_load_t *load, cf_client_t *client)
{
    if (!load->options.joins)
        cf_client_become_ready(load, client);
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
    if (!pending || members->id.size == 0 || members->id.size >= CF_ID_TEXT_MAX ||
        cf_slice_number(members->seq) == 0) {
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

/* The first is the client's own. */
static void on_joined(cf_load_t *load, cf_client_t *client)
{
    if (client->state == CF_CLIENT_OPEN)
        cf_client_become_ready(load, client);
    else
        load->counts.told_joins++;
}

static bool take(cf_load_t *load, cf_client_t *client, const uint8_t *bytes, size_t size)
{
    const char *json = (const char *)bytes;
    cf_members_t members;
    if (cf_rooms_deliver_known(load, client, json, size))
        return true;
    if (!cf_members_read(&members, json, size))
        return false;
    if (cf_slice_is(members.type, "chat_message"))
        cf_rooms_deliver(load, client, json, size, &members);
    else if (cf_slice_is(members.type, "message_ack"))
        on_ack(load, client, &members);
    else if (cf_slice_is(members.type, "error"))
        on_error(load, client, &members);
    else if (cf_slice_is(members.type, "user_joined"))
        on_joined(load, client);
    else
        load->counts.told_counts += cf_slice_is(members.type, "user_count_update");
    return true;
}

static size_t write_post(uint8_t *out, const cf_load_t *load, const cf_client_t *client, uint32_t n,
                         const char *text, size_t size)
{
    char *json = (char *)out;
    size_t at = (size_t)sprintf(json, "{\"type\":\"chat_message\",\"content\":\"");
    memcpy(json + at, text, size);
    at += size;
    if (load->options.keys)
        at += (size_t)sprintf(json + at, "\",\"client_key\":\"%" PRIu64 "-%u-%u\"}",
                              load->options.run, client->index, n);
    else
        at += (size_t)sprintf(json + at, "\"}");
    return at;
}

const cf_dialect_t cf_confab_dialect = {
    .name = "confab",
    .path = "/ws/chat/%s",
    .opcode = CF_OP_TEXT,
    .numbered = true,
    .begin = begin,
    .take = take,
    .write_post = write_post,
};
