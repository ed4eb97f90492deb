/* actors/reader.h: answers questions to the store, on a connection of its own.
 *
 *     FIND_USER     -> USER | REFUSED CF_ENOENT
 *     FIND_SESSION  -> SESSION_ROW | REFUSED CF_ENOENT
 *     FIND_MEMBER   -> MEMBER
 *     READ_POSTS    -> PAGE | REFUSED CF_ENOENT (the post it starts from is not of that room)
 *                     With a replica that is asked first. What it answers counts only if nothing can be
 *                     missing up to last_seq of the question; else, and when it is away, the store is asked
 *     LIST_ROOMS    -> ROOM_LIST, sent to the lobby under the same correlation id, with the address
 *                      of who asked in it; a refusal goes to who asked
 *     FIND_DEAD_LETTER  -> DEAD_LETTER_ROW | REFUSED CF_ENOENT; each is a query of its own
 *     STORE_OPENED  -> nothing; a reader that was held opens the store
 *     STORE_STATE   to stats, STORE_OPENED to the supervisor, by store_link.h
 * Questions of one kind that arrive together become one query. While more of a kind keep coming (sessions,
 * memberships and posts: all clients come back at once when their server was away) they wait for each
 * other: beyond CF_READER_BURST queries there is one each gather_us, or when it is full, or when CF_READER_BURST
 * questions wait and for a small part of gather_us none has come. A wait that brought fewer than
 * CF_READER_BURST together was of no use: then so many more are asked without one. While the store is away,
 * and when a query fails, each of them is REFUSED CF_EIO at once; nothing is asked twice.
 */
#ifndef CF_READER_H
#define CF_READER_H

#include "store_link.h"

#define CF_READER_BURST 10 /* queries of one kind without a wait; one comes back each gather_us */
#define CF_READER_GATHER_MAX 256 /* questions of one kind in one query */

typedef struct {
    cf_store_link_config_t link; /* role CF_STORE_READER */
    int64_t gather_us;           /* store.gather; 0: no question waits for others */
    const char *replica_url;     /* borrowed for life; NULL or empty: there is none */
} cf_reader_config_t;

typedef struct cf_reader cf_reader_t;
extern const cf_actor_ops_t cf_reader_ops;

/* Its thread opens the store. Returns 0, CF_ENOMEM. */
int cf_reader_new(cf_reader_t **out, const cf_reader_config_t *config);
void cf_reader_destroy(cf_reader_t **self); /* for a state that no thread was given */

#endif
