/* store/postgres.h: the statements of the PostgreSQL backend, as tests may know them: what they do is held to
 * one room, by the plans that PostgreSQL makes of them. */
#ifndef CF_POSTGRES_H
#define CF_POSTGRES_H

#include <stddef.h>

/* The i-th statement, from 0; NULL past the last. */
const char *cf_postgres_sql(size_t i);

#endif
