/* gateway_users.c: how many open WebSockets each user has here, so that one cannot take those of all. */
#include "err.h"
#include "gateway_state.h"
#include "metrics.h"

#include <stdlib.h>

static cf_user_sockets_t *add_row(cf_gateway_t *self, cf_id_t user)
{
    cf_user_sockets_t *row = calloc(1, sizeof *row);
    if (!row)
        return NULL;
    row->user = user;
    HASH_ADD(hh, self->users, user, sizeof row->user, row);
    if (row->hh.tbl)
        return row;
    free(row);
    return NULL;
}

int cf_user_enter(cf_gateway_t *self, cf_client_t *client)
{
    uint32_t max = self->config.sockets_per_user;
    cf_user_sockets_t *row;
    HASH_FIND(hh, self->users, &client->user, sizeof client->user, row);
    if (row && max && row->count >= max) {
        cf_count(CF_M_REFUSED_USER_CAP);
        return CF_EFULL;
    }
    if (!row && !(row = add_row(self, client->user)))
        return CF_ENOMEM;
    row->count++;
    client->sockets = row;
    return 0;
}

void cf_user_leave(cf_gateway_t *self, cf_client_t *client)
{
    cf_user_sockets_t *row = client->sockets;
    client->sockets = NULL;
    if (!row)
        return;
    row->count--;
    cf_limits_gone(self, row);
    if (row->count)
        return;
    HASH_DEL(self->users, row);
    free(row);
}
