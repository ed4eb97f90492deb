/* store/pg_link.h: one connection to PostgreSQL that never blocks: every wait goes through the
 * store's wait hook and ends at the deadline of the call. The one place that includes libpq.
 *
 * Statements are prepared when the connection is made and run in pipelines: send any number, sync,
 * then collect as many results. What the deadline or an error cuts off is ended with PQfinish; the
 * next cf_pg_begin() connects again, after a growing, jittered pause in which calls fail at once.
 * The addresses of the hosts are found by lookup.h before libpq hears of them, as it would block; but
 * not those of hosts that only a service file names. */
#ifndef CF_PG_LINK_H
#define CF_PG_LINK_H

#include "lookup.h"
#include "store.h"

#include <libpq-fe.h>

#define CF_PG_STATEMENTS_MAX 64

typedef struct {
    const char *const *statements;   /* SQL by number; all are prepared on every connection */
    int statement_count;             /* at most CF_PG_STATEMENTS_MAX */
    const cf_store_config_t *config; /* url, statement_ms, wait */
    PGconn *conn;                    /* NULL: not connected */
    cf_lookup_t *lookup;             /* owned, where config has no place for it; NULL: none runs */
    int64_t until_us;                /* deadline of the call under way */
    int64_t connected_us;            /* when conn was made */
    int64_t retry_at_us;             /* no attempt to connect before this */
    int pause_ms;                    /* before the next attempt but one */
    int64_t say_again_us;            /* until then the log has why attempts fail; 0: it has not */
    char said[256];                  /* the beginning of that */
    int failed_at;                   /* by the last cf_pg_collect(): the first statement refused */
    char sqlstate[6];                /* of the last error, "" if the connection was lost */
} cf_pg_link_t;

/* A parameter in binary format. */
typedef struct {
    const void *bytes;
    int size;
} cf_pg_param_t;

/* Of a text, borrowed; and of a number, for which *wire must live until the statement was sent. */
cf_pg_param_t cf_pg_text_param(cf_str_t text);
cf_pg_param_t cf_pg_int8_param(uint64_t *wire, int64_t number);

/* Begins a call: sets the deadline and connects if need be. 0 or CF_EIO. */
int cf_pg_begin(cf_pg_link_t *link);
/* The same within the call under way, after the connection was found dead: 0 or CF_EIO. */
int cf_pg_begin_again(cf_pg_link_t *link);
/* Connects without preparing statements, for migrations. 0 or CF_EIO; CF_ERANGE: the URL cannot be
 * read. The deadline is the caller's. */
int cf_pg_connect(cf_pg_link_t *link);
/* Prepares the statements and enters pipeline mode. 0 or CF_EIO. */
int cf_pg_prepare(cf_pg_link_t *link);
/* Runs SQL without parameters outside of pipeline mode and gives its last result (*out may be NULL:
 * do not care). Caller clears. 0 or CF_EIO; CF_EAGAIN: others hold a lock (lock_timeout has passed,
 * or it was a deadlock). The connection is closed after an error. */
int cf_pg_run(cf_pg_link_t *link, const char *sql, PGresult **out);
/* The same for one statement with parameters, given as text; its result is dropped. */
int cf_pg_run_with(cf_pg_link_t *link, const char *sql, const char *const *values, int n);

int cf_pg_send(cf_pg_link_t *link, int statement, const cf_pg_param_t *params, int n);
/* Ends the pipeline and takes the results of the n statements sent since the last one; the caller
 * clears results[0..n). Returns 0; CF_ERANGE: the server refused a value or a constraint was broken
 * (SQLSTATE class 22 or 23); CF_EIO: it refused for another reason, or link->conn is NULL and the
 * connection is lost. On errors all results are NULL; while link->conn is not, link->failed_at
 * tells which statement was refused, and those behind it were skipped. An open transaction is then
 * to be rolled back. */
int cf_pg_collect(cf_pg_link_t *link, PGresult **results, int n);

void cf_pg_close(cf_pg_link_t *link);
void cf_pg_destroy(cf_pg_link_t *link); /* for good */

/* Columns of a result in binary format. */
int64_t cf_pg_int8(const PGresult *result, int row, int column);
int32_t cf_pg_int4(const PGresult *result, int row, int column);
bool cf_pg_bool(const PGresult *result, int row, int column);
cf_id_t cf_pg_id(const PGresult *result, int row, int column);
cf_str_t cf_pg_text(const PGresult *result, int row, int column); /* borrowed from result */

#endif
