/* gateway_roster.c: who is in a room, told to the sockets that asked for it in their address. */
#include "gateway_state.h"

bool cf_roster_is_asked(cf_exchange_t *exchange)
{
    cf_str_t value;
    return cf_rooms_query(exchange->query, "roster", &value, &exchange->texts) &&
           cf_str_equal(value, cf_str("1"));
}

void cf_roster_show(cf_client_t *client, const cf_roster_t *roster)
{
    cf_buf_t text = {0};
    int rc = cf_rooms_write_roster(&text, roster);
    cf_socket_send(client, &text, rc, CF_M_SENT_ROSTER);
}

/* One that has another epoch, or events behind it, was let in since. */
static bool is_for(const cf_client_t *client, const cf_roster_at_t *roster)
{
    return client->wants_roster && client->conn && client->phase == CF_CLIENT_ATTACHED &&
           client->seen_epoch == roster->epoch && client->seen_n <= roster->n;
}

void cf_roster_renew(cf_place_t *place, const cf_roster_at_t *roster)
{
    cf_frame_t *frame = NULL;
    if (roster->epoch < place->epoch)
        return; /* an owner that has been replaced */
    for (cf_client_t *client = place->members, *next; client; client = next) {
        next = client->next_here;
        if (!is_for(client, roster))
            continue;
        if (!frame) { /* once for all */
            cf_buf_t text = {0};
            if (cf_rooms_write_roster(&text, &roster->roster) == 0)
                frame = cf_frame_new(text.data, text.size);
            cf_buf_free(&text);
        }
        if (!frame)
            cf_socket_no_memory(client);
        else if (cf_conn_send(client->conn, frame) == 0)
            cf_count(CF_M_SENT_ROSTER);
    }
    cf_frame_unref(&frame);
}
