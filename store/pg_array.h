/* store/pg_array.h: one-dimensional arrays in PostgreSQL's binary format, as statement parameters.
 *
 * Format: src/backend/utils/adt/arrayfuncs.c, array_recv: int32 dimensions (1), int32 has-nulls
 * (0), int32 element type; int32 length, int32 lower bound (1); then each element as int32 size and
 * bytes. All big-endian. */
#ifndef CF_PG_ARRAY_H
#define CF_PG_ARRAY_H

#include "buf.h"
#include "id.h"
#include "str.h"

#include <stdbool.h>

/* Object ids of types, src/include/catalog/pg_type.dat. */
typedef enum {
    CF_PG_BYTEA = 17,
    CF_PG_INT8 = 20,
    CF_PG_INT4 = 23,
    CF_PG_TEXT = 25,
    CF_PG_UUID = 2950,
} cf_pg_type_t;

typedef struct {
    cf_buf_t bytes; /* owned; ready to be sent after every add */
    uint32_t length;
    bool failed; /* an add found no memory; bytes are not to be sent */
} cf_pg_array_t;

/* Makes it empty and keeps its memory. */
void cf_pg_array_start(cf_pg_array_t *array, cf_pg_type_t type);
/* Each must fit the type given at the start. */
void cf_pg_array_id(cf_pg_array_t *array, cf_id_t id);
void cf_pg_array_int8(cf_pg_array_t *array, int64_t number);
void cf_pg_array_int4(cf_pg_array_t *array, int32_t number);
void cf_pg_array_bytes(cf_pg_array_t *array, const void *bytes, uint32_t size); /* text or bytea */
void cf_pg_array_free(cf_pg_array_t *array);

#endif
