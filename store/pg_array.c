#include "pg_array.h"

#include <endian.h>
#include <string.h>

#define LENGTH_AT 12 /* offset of the length in the head */

void cf_pg_array_start(cf_pg_array_t *array, cf_pg_type_t type)
{
    uint32_t head[] = {htobe32(1), 0, htobe32(type), 0, htobe32(1)};
    cf_buf_clear(&array->bytes);
    array->length = 0;
    array->failed = cf_buf_add(&array->bytes, head, sizeof head) < 0;
}

void cf_pg_array_bytes(cf_pg_array_t *array, const void *bytes, uint32_t size)
{
    uint32_t prefix = htobe32(size);
    if (array->failed || cf_buf_reserve(&array->bytes, sizeof prefix + size) < 0) {
        array->failed = true;
        return;
    }
    cf_buf_add(&array->bytes, &prefix, sizeof prefix); /* cannot fail: reserved */
    if (size > 0)
        cf_buf_add(&array->bytes, bytes, size);
    uint32_t length = htobe32(++array->length);
    memcpy(array->bytes.data + LENGTH_AT, &length, sizeof length);
}

void cf_pg_array_id(cf_pg_array_t *array, cf_id_t id)
{
    cf_pg_array_bytes(array, id.bytes, CF_ID_SIZE);
}

void cf_pg_array_int8(cf_pg_array_t *array, int64_t number)
{
    uint64_t wire = htobe64((uint64_t)number);
    cf_pg_array_bytes(array, &wire, sizeof wire);
}

void cf_pg_array_int4(cf_pg_array_t *array, int32_t number)
{
    uint32_t wire = htobe32((uint32_t)number);
    cf_pg_array_bytes(array, &wire, sizeof wire);
}

void cf_pg_array_free(cf_pg_array_t *array)
{
    cf_buf_free(&array->bytes);
}
