/* base/table.h: hash tables, by uthash, with a keyed hash.
 *
 * Ids and tokens come from outside; with uthash's own hash a client could choose ones that all fall
 * into one bucket. Include this, never uthash.h. A failed allocation in HASH_ADD leaves the element
 * out of the table: look at (element)->hh.tbl == NULL behind every add. */
#ifndef CF_TABLE_H
#define CF_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 under a key drawn once per process. */
uint32_t cf_table_hash(const void *key, size_t size);

#define HASH_NONFATAL_OOM 1
/* Most tables are a room's, which has a few members: uthash's 32 buckets to begin with are half a kilobyte each. */
#define HASH_INITIAL_NUM_BUCKETS 8U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 3U
#define HASH_FUNCTION(key, size, out) (out) = cf_table_hash((key), (size))
#include <uthash.h>

#endif
