/* gateway_changes.c: several who have come and gone, told to the sockets in their room at once: a message for
 * each of them, one send for all.
 *
 * Who was there before has seen none of them and shares one frame with everybody else of that kind. Who came
 * among them has seen some, and gets a frame of its own with those behind. */
#include "gateway_state.h"

/* The messages, one behind the other. */
typedef struct {
    cf_buf_t texts;
    uint32_t n, sizes[CF_CHANGES_MAX];
    uint32_t left[CF_CHANGES_MAX + 1]; /* how many of the first i tell that somebody has left */
    size_t at[CF_CHANGES_MAX];
} told_t;

static int write_all(told_t *told, cf_id_t room, const cf_list_t *changes)
{
    cf_buf_t text = {0};
    int rc = 0;
    for (const cf_change_t *change = changes->items; rc == 0 && told->n < changes->n; change++) {
        cf_event_t event = {.kind = change->has_left ? CF_EVENT_LEFT : CF_EVENT_JOINED,
                            .post = {.username = change->username}};
        uint32_t i = told->n++;
        cf_buf_clear(&text);
        rc = cf_rooms_write_event(&text, room, &event);
        told->at[i] = told->texts.size;
        told->sizes[i] = (uint32_t)text.size;
        told->left[i + 1] = told->left[i] + change->has_left;
        if (rc == 0)
            rc = cf_buf_add(&told->texts, text.data, text.size);
    }
    cf_buf_free(&text);
    return rc;
}

/* All but the first `seen`; NULL: no memory. */
static cf_frame_t *frame_behind(const told_t *told, uint32_t seen)
{
    return cf_frame_new_several(told->texts.data + told->at[seen], told->sizes + seen,
                                told->n - seen);
}

/* How many of them it has seen, or does not get. */
static uint32_t seen_by(const cf_client_t *client, const cf_changes_t *changes)
{
    uint32_t n = changes->changes.n;
    if (!client->conn || client->phase != CF_CLIENT_ATTACHED ||
        client->seen_epoch != changes->epoch)
        return n;
    if (client->seen_n < changes->n)
        return 0;
    return client->seen_n - changes->n < n ? (uint32_t)(client->seen_n - changes->n) + 1 : n;
}

static void send_to(cf_client_t *client, const told_t *told, uint32_t seen, cf_frame_t *frame)
{
    if (!frame) {
        cf_socket_no_memory(client);
    } else if (cf_conn_send(client->conn, frame) == 0) {
        uint32_t left = told->left[told->n] - told->left[seen];
        cf_count_by(CF_M_SENT_LEFT, left);
        cf_count_by(CF_M_SENT_JOINED, told->n - seen - left);
    }
}

void cf_changes_tell_lost(cf_place_t *place, const cf_list_t *changes)
{
    told_t told = {.texts = {0}};
    bool is_written = write_all(&told, place->room, changes) == 0;
    cf_frame_t *whole = is_written && told.n ? frame_behind(&told, 0) : NULL;
    for (cf_client_t *client = place->members, *next; client; client = next) {
        next = client->next_here;
        if (client->conn && client->phase == CF_CLIENT_ATTACHED)
            send_to(client, &told, 0, whole);
    }
    cf_frame_unref(&whole);
    cf_buf_free(&told.texts);
}

void cf_changes_tell(cf_place_t *place, const cf_changes_t *changes)
{
    told_t told = {.texts = {0}};
    cf_frame_t *whole = NULL;
    if (changes->epoch < place->epoch)
        return; /* an owner that has been replaced */
    bool is_written = write_all(&told, place->room, &changes->changes) == 0;
    if (is_written && told.n)
        whole = frame_behind(&told, 0);
    for (cf_client_t *client = place->members, *next; client; client = next) {
        next = client->next_here;
        uint32_t seen = seen_by(client, changes);
        if (seen == changes->changes.n)
            continue;
        client->seen_n = changes->n + changes->changes.n - 1;
        cf_frame_t *own = seen && is_written ? frame_behind(&told, seen) : NULL;
        send_to(client, &told, seen, seen ? own : whole);
        cf_frame_unref(&own);
    }
    cf_frame_unref(&whole);
    cf_buf_free(&told.texts);
}
