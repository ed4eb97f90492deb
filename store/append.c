#include "append.h"
#include "bounds.h"

#include <string.h>

/* May the room take this run at all? */
static cf_verdict_status_t look_at_room(const cf_append_room_t *room, const cf_run_t *run)
{
    if (!room->exists)
        return CF_VERDICT_NO_ROOM;
    if (room->epoch != run->epoch)
        return CF_VERDICT_STALE_EPOCH;
    if (room->ephemeral)
        return CF_VERDICT_BAD_ROW;
    if (room->last_seq != run->prev)
        return CF_VERDICT_OUT_OF_ORDER;
    return CF_VERDICT_STORED;
}

static bool follows(const cf_append_room_t *room, const cf_post_t *row)
{
    return row->seq == room->last_seq + 1 && row->at_us > room->last_us && cf_bounds_post(row);
}

/* 1 and the outcome filled if the row repeats a key that still counts, 0, or a negative code. */
static int look_for_key(const cf_run_t *run, const cf_post_t *row, int64_t key_ttl_us,
                        const cf_append_ops_t *ops, void *arg, cf_outcome_t *out)
{
    cf_append_key_t key;
    if (row->client_key.size == 0)
        return 0;
    int rc = ops->find_key(arg, run, row, &key);
    if (rc <= 0)
        return rc;
    if (row->at_us - key.at_us > key_ttl_us)
        return 0; /* expired, though the sweeper has not come by yet */
    out->status = CF_VERDICT_DUPLICATE;
    out->same_body = memcmp(key.body_hash, row->body_hash, CF_BODY_HASH_SIZE) == 0;
    out->seq = key.seq;
    out->id = key.id;
    out->at_us = key.at_us;
    return 1;
}

int cf_append_run(cf_append_room_t *room, const cf_run_t *run, int64_t key_ttl_us,
                  const cf_append_ops_t *ops, void *arg, cf_outcome_t *out)
{
    memset(out, 0, sizeof *out);
    out->status = look_at_room(room, run);
    if (out->status != CF_VERDICT_STORED)
        return 0;
    for (uint32_t i = 0; i < run->n; i++) {
        const cf_post_t *row = &run->rows[i];
        int rc = follows(room, row) ? look_for_key(run, row, key_ttl_us, ops, arg, out) : CF_ERANGE;
        if (rc == 0)
            rc = ops->take_row(arg, run, row);
        if (rc == CF_ERANGE)
            out->status = CF_VERDICT_BAD_ROW;
        if (rc == CF_ERANGE || rc == 1)
            return 0;
        if (rc < 0)
            return rc;
        room->last_seq = row->seq;
        room->last_us = row->at_us;
        room->changed = true;
        out->stored++;
    }
    return 0;
}

cf_outcome_t cf_append_settle(const cf_append_room_t *room, const cf_run_t *run, uint32_t written)
{
    cf_outcome_t out = {.stored = written};
    if (!room->exists)
        out.status = CF_VERDICT_NO_ROOM;
    else if (written > 0)
        out.status = CF_VERDICT_STORED;
    else if (room->epoch != run->epoch || room->last_seq > run->prev)
        out.status = CF_VERDICT_STALE_EPOCH; /* someone else writes here */
    else
        out.status = CF_VERDICT_FAILED;
    return out;
}

void cf_append_none(const cf_write_t *writes, size_t n, cf_verdict_status_t status,
                    cf_outcome_t *outcomes)
{
    for (size_t i = 0; i < n; i++) {
        memset(&outcomes[i], 0, sizeof outcomes[i]);
        outcomes[i].rc = CF_EIO;
        if (writes[i].kind == CF_WRITE_APPEND)
            outcomes[i].status = status;
    }
}
