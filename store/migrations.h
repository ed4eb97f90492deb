/* store/migrations.h: the numbered files of sql/, built into the library by embed_sql.cmake.
 *
 * A WRITER applies what is missing, each file in one transaction together with its row in the table
 * schema_version, while a lock keeps every other process out. A file that was released is never
 * changed; a new one is added.
 *
 * A file begins with "-- serves: N": programs whose newest migration is N can go on when it has been
 * applied. It stands in the table schema_serves, so a program that is older than the schema knows
 * whether it may: that is how nodes of two versions share a store during an update, and how an
 * update is taken back. The first ones say nothing, and serve nobody older. */
#ifndef CF_MIGRATIONS_H
#define CF_MIGRATIONS_H

typedef struct {
    int version; /* 1, 2, 3 ..; 0 ends the table */
    int serves;  /* the oldest version whose programs can do with this one, at most version */
    const char *name;
    const char *sql;
} cf_migration_t;

extern const cf_migration_t cf_sqlite_migrations[];
extern const cf_migration_t cf_postgres_migrations[];

/* The newest version in a table. */
static inline int cf_migrations_newest(const cf_migration_t *table)
{
    int newest = 0;
    for (; table->version; table++)
        newest = table->version;
    return newest;
}

/* What a store asks of programs, of all its migrations together: one row with the least version. */
#define CF_SCHEMA_NEEDS                                                                            \
    "SELECT coalesce(max(coalesce(s.serves, v.version)), 0)"                                       \
    " FROM schema_version v LEFT JOIN schema_serves s ON s.version = v.version"

#endif
