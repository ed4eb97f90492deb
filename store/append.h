/* store/append.h: the rules of an append, the same for every backend.
 *
 * A backend locks and reads the room's row, then lets cf_append_run() walk through the run. Two
 * runs of one room in one transaction go through the same cf_append_room_t, so the second continues
 * where the first ended. */
#ifndef CF_APPEND_H
#define CF_APPEND_H

#include "store.h"

/* The room's row as it stands in this transaction. */
typedef struct {
    cf_id_t id;
    bool exists;
    bool ephemeral;
    bool changed; /* rows were taken: last_seq and last_us must be written back */
    uint64_t epoch;
    uint64_t last_seq;
    int64_t last_us;
} cf_append_room_t;

/* What is kept under (room, sender, client key). */
typedef struct {
    uint64_t seq;
    cf_id_t id;
    int64_t at_us;
    uint8_t body_hash[CF_BODY_HASH_SIZE];
} cf_append_key_t;

/* What a backend does for the walk. Both get rows in order. */
typedef struct {
    /* The key of a row, kept earlier or taken in this transaction: 1 and *out, 0 if there is none,
     * or a negative CF_E code, which ends the walk. Called only for rows with a client key. */
    int (*find_key)(void *arg, const cf_run_t *run, const cf_post_t *row, cf_append_key_t *out);
    /* Store the row, and its key in place of an expired one. 0; CF_ERANGE: a constraint refuses it
     * and nothing of it is stored; any other code ends the walk. */
    int (*take_row)(void *arg, const cf_run_t *run, const cf_post_t *row);
} cf_append_ops_t;

/* Walks through run and fills the verdict. Returns 0, or the code of a call that ended the walk:
 * then the transaction has to be rolled back and *out is not to be used. */
int cf_append_run(cf_append_room_t *room, const cf_run_t *run, int64_t key_ttl_us,
                  const cf_append_ops_t *ops, void *arg, cf_outcome_t *out);

/* The verdict of settle() for one run: room is the row now, written how many rows of the run, from
 * its first on, are in the store with the same seq and id. */
cf_outcome_t cf_append_settle(const cf_append_room_t *room, const cf_run_t *run, uint32_t written);

/* Answers for writes that did not happen, or of which nobody knows. */
void cf_append_none(const cf_write_t *writes, size_t n, cf_verdict_status_t status,
                    cf_outcome_t *outcomes);

#endif
