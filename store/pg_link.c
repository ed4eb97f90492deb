#include "pg_link.h"
#include "clock.h"
#include "log.h"
#include "wait.h"

#include <endian.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 1000
#define SAY_AGAIN_US INT64_C(60000000)

/* What every session is told. Times in milliseconds. The plans are forced to look rows up by index:
 * they are made once and kept, perhaps while the tables are still empty. An orphan of ours
 * (half-open connection, stopped process) must not keep rooms locked for long. */
static const char session_sql[] = "SET synchronous_commit = on;"
                                  "SET default_transaction_isolation = 'read committed';"
                                  "SET client_connection_check_interval = 1000;"
                                  "SET idle_in_transaction_session_timeout = 3000;"
                                  "SET plan_cache_mode = force_generic_plan;"
                                  "SET enable_seqscan = off; SET enable_hashjoin = off;"
                                  "SET enable_mergejoin = off; SET jit = off";

static void be_silent(void *arg, const char *message)
{
    (void)arg, (void)message; /* NOTICEs would go to stderr, past the log */
}

static int lose_for(cf_pg_link_t *link, const char *what, const char *reason)
{
    if (link->conn)
        cf_log_warn("postgres: connection lost", CF_STR("what", what), CF_STR("reason", reason));
    cf_pg_close(link);
    link->sqlstate[0] = '\0';
    return CF_EIO;
}

static int lose(cf_pg_link_t *link, const char *what)
{
    return lose_for(link, what, PQerrorMessage(link->conn));
}

/* While a database is away there is an attempt a second: why it failed is said when it is not what was said last, and once a minute. */
static void say_why(cf_pg_link_t *link, const char *message, const char *reason)
{
    int64_t now_us = cf_boot_us();
    if (now_us < link->say_again_us && strncmp(link->said, reason, sizeof link->said - 1) == 0)
        return;
    snprintf(link->said, sizeof link->said, "%s", reason);
    link->say_again_us = now_us + SAY_AGAIN_US;
    cf_log_warn(message, CF_STR("reason", reason));
}

static int not_connected(cf_pg_link_t *link)
{
    if (link->conn)
        say_why(link, "postgres: cannot connect", PQerrorMessage(link->conn));
    cf_pg_close(link);
    link->sqlstate[0] = '\0';
    return CF_EIO;
}

void cf_pg_close(cf_pg_link_t *link)
{
    PQfinish(link->conn);
    link->conn = NULL;
}

void cf_pg_destroy(cf_pg_link_t *link)
{
    cf_pg_close(link);
    cf_lookup_destroy(&link->lookup);
}

/* --- connecting --------------------------------------------------------------------------------
 */

/* The next attempt waits half to the whole of the pause, so that many processes do not knock at the
 * same moment at a server that just came back. */
static void pause_attempts(cf_pg_link_t *link)
{
    if (link->pause_ms == 0)
        link->pause_ms = PAUSE_FIRST_MS;
    int ms = link->pause_ms / 2 + (int)randombytes_uniform((uint32_t)link->pause_ms / 2 + 1);
    link->retry_at_us = cf_boot_us() + (int64_t)ms * 1000;
    link->pause_ms = link->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : link->pause_ms * 2;
}

/* libpq's own message about an URL quotes parts of it, a password perhaps; so it is not logged. */
static PQconninfoOption *read_url(const char *url)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &error);
    PQfreemem(error);
    if (!options)
        cf_log_error("postgres: cannot read the URL of the store");
    return options;
}

/* What libpq would take: the URL's, or that of the environment, or "". */
static const char *option(const PQconninfoOption *options, const char *name)
{
    while (options->keyword && strcmp(options->keyword, name) != 0)
        options++;
    const char *value = options->keyword ? options->val : NULL;
    if (!value && options->keyword && options->envvar)
        value = getenv(options->envvar);
    return value ? value : "";
}

/* Fills *out with what libpq is to use instead of names. A look-up that takes longer than the call
 * goes on; the next call waits for the same one. */
static int find_hosts(cf_pg_link_t *link, cf_lookup_answer_t *out)
{
    cf_lookup_t **lookup = link->config->lookup ? link->config->lookup : &link->lookup;
    PQconninfoOption *options = read_url(link->config->url);
    if (!options)
        return CF_ERANGE;
    const char *hosts = option(options, "host"), *ports = option(options, "port");
    bool is_needed = !option(options, "hostaddr")[0] && cf_lookup_is_needed(hosts, ports);
    int rc = is_needed && !*lookup ? cf_lookup_start(lookup, hosts, ports) : 0;
    PQconninfoFree(options);
    out->hosts[0] = out->addresses[0] = out->ports[0] = '\0';
    if (rc == 0 && is_needed) {
        rc = cf_wait(&link->config->wait, cf_lookup_fd(*lookup), false, link->until_us);
        if (rc == 0)
            rc = cf_lookup_take(lookup, out);
    }
    if (rc == 0)
        return 0;
    say_why(link, "postgres: no address for the host",
            rc == CF_ENOENT ? out->reason : cf_err_text(rc));
    return CF_EIO;
}

int cf_pg_connect(cf_pg_link_t *link)
{
    /* after the URL come our own settings, before it what it may override */
    static const char *const names[] = {"keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "application_name",
                                        "dbname",
                                        "client_encoding",
                                        "host",
                                        "hostaddr",
                                        "port",
                                        NULL};
    cf_lookup_answer_t found; /* libpq takes no notice of what is empty */
    const char *values[] = {"5",         "2",         "3",
                            "5000",      "confab",    link->config->url,
                            "UTF8",      found.hosts, found.addresses,
                            found.ports, NULL};
    cf_pg_close(link);
    int rc = find_hosts(link, &found);
    if (rc < 0)
        return rc;
    link->conn = PQconnectStartParams(names, values, 1);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (link->conn && PQstatus(link->conn) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
        if (cf_wait(&link->config->wait, PQsocket(link->conn), next == PGRES_POLLING_WRITING,
                    link->until_us) < 0)
            break;
        next = PQconnectPoll(link->conn);
        if (next == PGRES_POLLING_FAILED)
            break;
    }
    if (!link->conn || next != PGRES_POLLING_OK || PQsetnonblocking(link->conn, 1) < 0)
        return not_connected(link);
    PQsetNoticeProcessor(link->conn, be_silent, NULL);
    link->connected_us = cf_boot_us();
    return cf_pg_run(link, session_sql, NULL);
}

int cf_pg_prepare(cf_pg_link_t *link)
{
    if (!PQenterPipelineMode(link->conn))
        return lose(link, "enter pipeline mode");
    for (int i = 0; i < link->statement_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        if (!PQsendPrepare(link->conn, name, link->statements[i], 0, NULL))
            return lose(link, "prepare");
    }
    PGresult *results[CF_PG_STATEMENTS_MAX];
    int rc = cf_pg_collect(link, results, link->statement_count);
    for (int i = 0; i < link->statement_count; i++)
        PQclear(results[i]);
    return rc < 0 ? lose(link, "prepare") : 0;
}

int cf_pg_begin(cf_pg_link_t *link)
{
    int64_t now_us = cf_boot_us(), ttl_us = link->config->connection_ttl_us;
    link->until_us = now_us + (int64_t)link->config->statement_ms * 1000;
    if (ttl_us && now_us - link->connected_us > ttl_us)
        cf_pg_close(link);
    return cf_pg_begin_again(link);
}

int cf_pg_begin_again(cf_pg_link_t *link)
{
    int64_t now_us = cf_boot_us();
    if (link->conn)
        return 0;
    if (now_us < link->retry_at_us || now_us >= link->until_us)
        return CF_EIO;
    int rc = cf_pg_connect(link);
    if (rc == 0)
        rc = cf_pg_prepare(link);
    if (rc < 0) {
        pause_attempts(link);
        return CF_EIO;
    }
    link->pause_ms = 0;
    link->say_again_us = 0;
    cf_log_info("postgres: connected");
    return 0;
}

/* --- statements --------------------------------------------------------------------------------
 */

/* Waits until PQgetResult does not block. */
static int wait_for_result(cf_pg_link_t *link)
{
    for (;;) {
        int unsent = PQflush(link->conn);
        if (unsent < 0)
            return lose(link, "send");
        if (!unsent && !PQisBusy(link->conn))
            return 0;
        int rc = cf_wait(&link->config->wait, PQsocket(link->conn), unsent > 0, link->until_us);
        if (rc < 0) {
            link->until_us = 0; /* the call is over, also for cf_pg_begin_again() */
            return lose(link, cf_err_text(rc));
        }
        if (!PQconsumeInput(link->conn))
            return lose(link, "receive");
    }
}

static int get_result(cf_pg_link_t *link, PGresult **out)
{
    int rc = wait_for_result(link);
    if (rc == 0)
        *out = PQgetResult(link->conn);
    return rc;
}

/* What an error result means. FATAL: the server is about to hang up. */
static int classify(cf_pg_link_t *link, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!state || !severity || strcmp(severity, "ERROR") != 0)
        return lose_for(link, "the server ended the session",
                        PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", state);
    bool value = strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0;
    if (!value)
        cf_log_warn("postgres: refused", CF_STR("sqlstate", state),
                    CF_STR("reason", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
    return value ? CF_ERANGE : CF_EIO;
}

/* A lock that was not had in lock_timeout, or never could be, is nothing wrong: no word in the log. */
static int refused(cf_pg_link_t *link, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state && (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0)) {
        cf_pg_close(link);
        return CF_EAGAIN;
    }
    classify(link, result);
    return lose(link, "set up");
}

/* The last result of what was sent outside of pipeline mode. */
static int finish_run(cf_pg_link_t *link, PGresult **out)
{
    PGresult *last = NULL, *result;
    for (;;) {
        int rc = get_result(link, &result);
        if (rc < 0) {
            PQclear(last);
            return rc;
        }
        if (!result)
            break;
        PQclear(last);
        last = result;
    }
    ExecStatusType status = PQresultStatus(last);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        int rc = refused(link, last);
        PQclear(last);
        return rc;
    }
    if (out)
        *out = last;
    else
        PQclear(last);
    return 0;
}

int cf_pg_run(cf_pg_link_t *link, const char *sql, PGresult **out)
{
    return PQsendQuery(link->conn, sql) ? finish_run(link, out) : lose(link, "send");
}

int cf_pg_run_with(cf_pg_link_t *link, const char *sql, const char *const *values, int n)
{
    if (!PQsendQueryParams(link->conn, sql, n, NULL, values, NULL, NULL, 0))
        return lose(link, "send");
    return finish_run(link, NULL);
}

int cf_pg_send(cf_pg_link_t *link, int statement, const cf_pg_param_t *params, int n)
{
    enum { PARAMS_MAX = 8 };
    char name[16];
    const char *values[PARAMS_MAX];
    int sizes[PARAMS_MAX], formats[PARAMS_MAX];
    for (int i = 0; i < n; i++) {
        values[i] = params[i].bytes ? params[i].bytes : ""; /* NULL would be SQL's NULL */
        sizes[i] = params[i].size;
        formats[i] = 1;
    }
    snprintf(name, sizeof name, "s%d", statement);
    if (!link->conn)
        return CF_EIO;
    if (!PQsendQueryPrepared(link->conn, name, n, values, sizes, formats, 1))
        return lose(link, "send");
    return 0;
}

/* Takes the result of one statement and the NULL that follows it. */
static int take(cf_pg_link_t *link, PGresult **out)
{
    PGresult *end = NULL;
    int rc = get_result(link, out);
    if (rc == 0 && !*out)
        return lose(link, "no result");
    if (rc == 0)
        rc = get_result(link, &end);
    PQclear(end);
    return rc;
}

static int judge(cf_pg_link_t *link, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        return 0;
    case PGRES_PIPELINE_ABORTED:
        return CF_EIO; /* the error itself came before */
    default:
        return classify(link, result);
    }
}

int cf_pg_collect(cf_pg_link_t *link, PGresult **results, int n)
{
    int rc = 0, taken = 0;
    PGresult *sync = NULL;
    memset(results, 0, (size_t)n * sizeof(PGresult *));
    if (!link->conn || !PQpipelineSync(link->conn))
        return lose(link, "send");
    for (; taken < n && link->conn; taken++) {
        int one = take(link, &results[taken]);
        if (one == 0)
            one = judge(link, results[taken]);
        if (rc == 0 && one < 0) {
            rc = one;
            link->failed_at = taken;
        }
    }
    if (link->conn && get_result(link, &sync) == 0 && PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        lose(link, "out of step");
    PQclear(sync);
    if (!link->conn)
        rc = CF_EIO;
    for (int i = 0; i < n && rc < 0; i++) {
        PQclear(results[i]);
        results[i] = NULL;
    }
    return rc;
}

cf_pg_param_t cf_pg_text_param(cf_str_t text)
{
    return (cf_pg_param_t){text.bytes, (int)text.size};
}

cf_pg_param_t cf_pg_int8_param(uint64_t *wire, int64_t number)
{
    *wire = htobe64((uint64_t)number);
    return (cf_pg_param_t){wire, sizeof *wire};
}

/* --- columns -----------------------------------------------------------------------------------
 */

int64_t cf_pg_int8(const PGresult *result, int row, int column)
{
    uint64_t wire = 0;
    if (PQgetlength(result, row, column) == (int)sizeof wire)
        memcpy(&wire, PQgetvalue(result, row, column), sizeof wire);
    return (int64_t)be64toh(wire);
}

int32_t cf_pg_int4(const PGresult *result, int row, int column)
{
    uint32_t wire = 0;
    if (PQgetlength(result, row, column) == (int)sizeof wire)
        memcpy(&wire, PQgetvalue(result, row, column), sizeof wire);
    return (int32_t)be32toh(wire);
}

bool cf_pg_bool(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 1 && *PQgetvalue(result, row, column) != 0;
}

cf_id_t cf_pg_id(const PGresult *result, int row, int column)
{
    cf_id_t id = {{0}};
    if (PQgetlength(result, row, column) == CF_ID_SIZE)
        memcpy(id.bytes, PQgetvalue(result, row, column), CF_ID_SIZE);
    return id;
}

cf_str_t cf_pg_text(const PGresult *result, int row, int column)
{
    return (cf_str_t){PQgetvalue(result, row, column), (uint32_t)PQgetlength(result, row, column)};
}
