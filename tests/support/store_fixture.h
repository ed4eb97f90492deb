/* tests/support/store_fixture.h: a fresh store of any kind for one test.
 *
 * SQLite files live in a temporary folder, PostgreSQL databases on the server that
 * CONFAB_TEST_POSTGRES_URL names (tests/support/with_postgres starts one). Without the variable a
 * PostgreSQL case fails, unless CONFAB_TEST_WITHOUT_POSTGRES=1 says that this is meant. Criterion
 * runs every test in a process of its own, so there is one place per process. */
#ifndef CF_STORE_FIXTURE_H
#define CF_STORE_FIXTURE_H

#include "store.h"

typedef struct {
    char name[16]; /* memory, sqlite, postgres, faulty (around memory), partitioned (postgres) */
} backend_t;

/* The five of them, and how many; for ParameterizedTestParameters. */
extern backend_t every_store[5];

#define KEY_TTL_US (INT64_C(600) * 1000000)
#define STATEMENT_MS 4000

/* Makes an empty place for a store. false: PostgreSQL cases are switched off, skip. Fails the test
 * if there is no place. */
bool place_new(const backend_t *backend);
void place_remove(void); /* accepts that there is none; closes what place_open() gave */
const char *place_url(void);
const char *place_folder(void);
/* A store there; NULL and *rc on failure. Closed by place_remove() or by place_close(). */
cf_store_t *place_open(cf_store_role_t role, int *rc);
cf_store_t *place_open_ms(cf_store_role_t role, int statement_ms, int *rc);
void place_close(cf_store_t *store);
void place_forget(cf_store_t *store); /* somebody else closes it */
void place_fill(cf_store_t *store);   /* user 1, ann, and room 1 of hers, activated once */
/* Runs SQL on the server of a PostgreSQL place, in its database, as an administrator would. Copies
 * the first column of the first row (or "") to answer. */
void place_sql(const char *sql, char *answer, size_t size);
/* Runs SQL there in a transaction that stays open, with the locks it has taken, until place_let_go(). */
void place_hold(const char *sql);
void place_let_go(void); /* accepts that there is none */
void place_keep(void);   /* commits it instead */

/* Rows for tests: distinct by number. */
cf_id_t id_of(unsigned kind, uint64_t number); /* 16 bytes made of both */
#define USER(n) id_of(1, n)
#define ROOM(n) id_of(2, n)
#define POST(n) id_of(3, n)

#endif
