/* store/migrations.h: the numbered files of sql/, built into the library by embed_sql.cmake.
 *
 * A WRITER applies what is missing, each file in one transaction together with its row in the table
 * schema_version, while a lock keeps every other process out. A file that was released is never
 * changed; a new one is added. */
#ifndef CF_MIGRATIONS_H
#define CF_MIGRATIONS_H

typedef struct {
    int version; /* 1, 2, 3 ..; 0 ends the table */
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

#endif
