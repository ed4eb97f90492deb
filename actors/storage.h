/* actors/storage.h: the node's only writer.
 *
 *     APPEND           room thread -> VERDICT
 *     ACTIVATE         room thread -> ACTIVATED, and the room is this node's | OWNED by another | REFUSED CF_ENOENT, CF_EIO
 *     CREATE_USER, SET_PASSWORD, DISABLE_USER, ENABLE_USER, ADD_SESSION, REMOVE_SESSION
 *                      accounts    -> DONE | REFUSED
 *     CREATE_ROOM      gateway     -> DONE | REFUSED
 *     ADD_MEMBER, REMOVE_MEMBER    room thread -> DONE | REFUSED
 *     DEAD_LETTER      stockbot    -> DONE | REFUSED
 *     REMOVE_DEAD_LETTER  control  -> DONE | REFUSED
 *     EXPIRE_SESSIONS, EXPIRE_KEYS, EXPIRE_DEAD_LETTERS, EXPIRE_POSTS
 *                      sweeper     -> EXPIRED | REFUSED
 *     STORE_STATE      to stats, STORE_OPENED to the supervisor, by store_link.h
 * Without a correlation id nothing is answered.
 *     SPAN             to tracer, for an APPEND in a sampled trace: the transaction it was part of
 *
 * What arrives together is written together: one transaction for up to batch_rows rows or
 * batch_bytes bytes, in order of arrival, then every answer. While one is written the next gathers
 * in the inbox.
 *
 * When the answer of the store is lost, an APPEND gets VERDICT UNKNOWN at once and its run is kept;
 * storage asks the store what became of it until it knows, and then sends the second, final VERDICT
 * under the same correlation id. A FAILED in it means: certainly not written, the room may append
 * the rows again. Until then other appends of that room are answered FAILED. A verdict that there is no
 * memory to send is found out in the same way, without the UNKNOWN. Every other write is REFUSED
 * CF_EIO (CF_ENOMEM) and is safe to repeat.
 *
 * While the store is away everything is answered at once: VERDICT FAILED, REFUSED CF_EIO.
 * DRAIN: writes what it has gathered, then DRAINED. Runs not settled by then were never
 * acknowledged.
 *
 * Crash points: before_ack, after a commit and before any answer to it; in_drain, after the last
 * write and before DRAINED. */
#ifndef CF_STORAGE_H
#define CF_STORAGE_H

#include "spans.h"
#include "store_link.h"

#define CF_STORAGE_UNSETTLED_MAX                                                                   \
    (16u << 20) /* bytes of runs that are kept; beyond it appends are answered FAILED */

typedef struct {
    cf_store_link_config_t link; /* role CF_STORE_WRITER */
    uint32_t batch_rows;         /* rows in one transaction; at least 1 */
    uint32_t batch_bytes;        /* bytes of messages in one transaction */
    cf_spans_t spans;            /* as they begin */
} cf_storage_config_t;

typedef struct cf_storage cf_storage_t;
extern const cf_actor_ops_t cf_storage_ops;

/* Its thread opens the store and applies missing migrations. Returns 0, CF_ENOMEM. */
int cf_storage_new(cf_storage_t **out, const cf_storage_config_t *config);
void cf_storage_destroy(cf_storage_t **self); /* for a state that no thread was given */

#endif
