#include "config.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cf_config_t config;
static cf_buf_t report;

static void end(void)
{
    cf_config_free(&config);
    cf_buf_free(&report);
}

TestSuite(config, .fini = end, .timeout = 10);

/* Loads a file's text, up to three variables and one --set; NULL: none. Returns cf_config_load()'s.
 */
static int load(const char *yaml, const char *set, const char *env1, const char *env2,
                const char *env3)
{
    const char *environment[] = {env1, env2, env3, NULL};
    cf_config_sources_t sources = {
        .text = cf_str(yaml), .sets = &set, .set_count = set ? 1 : 0, .environment = environment};
    end();
    int rc = cf_config_load(&config, &sources, &report);
    cr_assert(eq(int, cf_buf_add_byte(&report, '\0'), 0));
    return rc;
}

static char *said(void)
{
    return (char *)report.data;
}

Test(config, has_a_default_for_everything)
{
    cr_assert(eq(int, load("", NULL, NULL, NULL, NULL), 0));
    cr_assert(eq(str, said(), ""));
    cr_assert(eq(str, (char *)config.http_listen, "127.0.0.1:8080"));
    cr_assert(eq(str, (char *)config.store_url, "sqlite:./data/confab.db"));
    cr_assert(eq(i64, config.shutdown_timeout_ms, 30000));
    cr_assert(eq(sz, config.ws_message_max_bytes, 16384));
    cr_assert(eq(sz, config.http_allowed_origins.count, 2));
}

Test(config, takes_flag_over_environment_over_file_over_default)
{
    const char *yaml = "gateway:\n  count: 2\n";
    cr_expect(eq(int, load(yaml, NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, config.gateway_count, 2));
    cr_expect(eq(int, load(yaml, NULL, "CONFAB_GATEWAY_COUNT=3", NULL, NULL), 0));
    cr_expect(eq(int, config.gateway_count, 3));
    cr_expect(eq(int, load(yaml, "gateway.count=4", "CONFAB_GATEWAY_COUNT=3", NULL, NULL), 0));
    cr_expect(eq(int, config.gateway_count, 4));
    cr_expect(eq(int, load(yaml, NULL, "CONFAB_GATEWAY_COUNT=", NULL, NULL), 0));
    cr_expect(eq(int, config.gateway_count, 2)); /* set to nothing is not set */
}

Test(config, a_header_for_the_collector_of_traces_has_a_name_and_a_value)
{
    static const char *const good[] = {"Authorization: Bearer x=", "X-Key:v",
                                       "x_!1: a: b, \xc3\xbc"};
    static const char *const bad[] = {"Authorization", ":",           ": v",
                                      "X-Key:",        "X-Key:  ",    "X Key: v",
                                      "X-Key : v",     "\xc3\xbc: v", "X-Key: v\r\nY: w"};
    char setting[64];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(setting, sizeof setting, "CONFAB_TRACE_HEADER=%s", good[i]);
        cr_expect(eq(int, load("", NULL, setting, NULL, NULL), 0), "%s", good[i]);
        cr_expect(eq(str, (char *)config.trace_header, (char *)good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(setting, sizeof setting, "CONFAB_TRACE_HEADER=%s", bad[i]);
        cr_expect(eq(int, load("", NULL, setting, NULL, NULL), CF_ERANGE), "%s", bad[i]);
        cr_expect(strstr(said(), "trace.header") != NULL);
    }
}

Test(config, a_certificate_and_its_key_need_each_other)
{
    cr_expect(eq(int, load("http: {tls_cert_file: c.pem}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "http.tls_cert_file and http.tls_key_file need each other") != NULL);
    cr_expect(eq(int, load("http: {tls_key_file: k.pem}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(
        eq(int,
           load("http: {tls_key_file: k.pem}", NULL, "CONFAB_HTTP_TLS_CERT_FILE=c.pem", NULL, NULL),
           0));
    cr_expect(eq(str, (char *)config.http_tls_cert_file, "c.pem"));
    cr_expect(eq(str, (char *)config.http_tls_min_version, "1.2"));
}

Test(config, a_node_is_not_gone_before_three_heartbeats)
{
    cr_expect(eq(int, load("node: {heartbeat: 2s, gone_after: 6s}", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, load("node: {heartbeat: 2s, gone_after: 5999ms}", NULL, NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(), "node.gone_after must hold three node.heartbeat") != NULL);
}

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* of ZeroMQ's curve manual */
#define MESH(listen) "mesh.listen=" listen
#define WITH_KEY                                                                                   \
    "store: {url: 'postgres://u@h/d'}\nmesh: {secret_key: '" KEY "', allowed_keys: ['" KEY "']}"

Test(config, a_mesh_needs_a_key_and_a_store_for_several)
{
    cr_expect(eq(int, load(WITH_KEY, MESH("10.0.0.1:7400"), NULL, NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.mesh_secret_key, KEY));
    cr_assert(eq(sz, config.mesh_allowed_keys.count, 1));
    cr_expect(eq(str, (char *)config.mesh_allowed_keys.items[0], KEY));
    cr_expect(eq(int,
                 load("store: {url: 'postgres://u@h/d'}", MESH("10.0.0.1:7400"), NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(), "mesh.listen needs mesh.secret_key") != NULL);
    cr_expect(eq(int,
                 load("mesh: {secret_key: '" KEY "'}", MESH("10.0.0.1:7400"), NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(), "SQLite is for one server") != NULL);
    cr_expect(eq(int, load("mesh: {secret_key: '" KEY "'}", NULL, NULL, NULL, NULL), 0));
}

Test(config, a_mesh_has_no_more_gateways_than_are_counted)
{
#define TWO_KEYS                                                                                   \
    "store: {url: 'postgres://u@h/d'}\nmesh: {queue_max_bytes: 64GiB, secret_key: '" KEY           \
    "', allowed_keys: ['" KEY "', '" KEY "']}\n"
    cr_expect(
        eq(int, load(TWO_KEYS "gateway: {count: 32}", MESH("10.0.0.1:7400"), NULL, NULL, NULL), 0));
    cr_expect(eq(int,
                 load(TWO_KEYS "gateway: {count: 33}", MESH("10.0.0.1:7400"), NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(),
                     "gateway.count: at most 64 of all nodes, of which mesh.allowed_keys has 2") !=
              NULL);
    cr_expect(eq(int, load(TWO_KEYS "gateway: {count: 64}", NULL, NULL, NULL, NULL), 0));
}

Test(config, others_must_be_told_how_they_reach_a_mesh)
{
    cr_expect(eq(int, load(WITH_KEY, MESH("[fd00::1]:7400"), NULL, NULL, NULL), 0));
    cr_expect(eq(int, load(WITH_KEY, MESH("0.0.0.0:7400"), NULL, NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "needs mesh.endpoint") != NULL);
    cr_expect(eq(int, load(WITH_KEY, MESH("[::]:7400"), NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load(WITH_KEY, MESH("localhost:7400"), NULL, NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "takes an IP address") != NULL);
    cr_expect(eq(int,
                 load(WITH_KEY, MESH("0.0.0.0:7400"),
                      "CONFAB_MESH_ENDPOINT=tcp://chat1.example:7400", NULL, NULL),
                 0));
    const char *const bad[] = {"chat1:7400",        "tcp://chat1",   "tcp://:7400",
                               "tcp://a b:7400",    "tcp://chat1:0", "tcp://chat1:65536",
                               "tcp://chat1:7400x", "tcp://*:7400"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char set[64];
        snprintf(set, sizeof set, "mesh.endpoint=%s", bad[i]);
        cr_expect(eq(int, load("", set, NULL, NULL, NULL), CF_ERANGE), "%s", bad[i]);
        cr_expect(strstr(said(), "is not tcp://HOST:PORT") != NULL);
    }
}

Test(config, what_waits_for_another_node_holds_what_is_in_flight)
{
    const char *two = "CONFAB_GATEWAY_COUNT=2"; /* 2 x (64 MiB + 2 x 1 MiB) */
    cr_expect(eq(int,
                 load("store: {url: 'postgres://u@h/d'}\nmesh: {listen: '10.0.0.1:1', "
                      "secret_key: '" KEY "', queue_max_bytes: 150MiB}",
                      NULL, two, NULL, NULL),
                 0));
    cr_expect(eq(int,
                 load("store: {url: 'postgres://u@h/d'}\nmesh: {listen: '10.0.0.1:1', "
                      "secret_key: '" KEY "', queue_max_bytes: 149MiB}",
                      NULL, two, NULL, NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(), "mesh.queue_max_bytes must hold") != NULL);
}

Test(config, a_cookie_bound_to_its_host_must_be_secure)
{
    const char *name = "auth.cookie_name=__Host-session_id";
    cr_expect(eq(int, load("", name, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "auth.cookie_name") != NULL);
    cr_expect(eq(int, load("node: {environment: production}", name, NULL, NULL, NULL), 0));
    cr_expect(
        eq(int, load("http: {tls_cert_file: c, tls_key_file: k}", name, NULL, NULL, NULL), 0));
    cr_expect(eq(int, load("", "auth.cookie_name=sid", NULL, NULL, NULL), CF_ERANGE));
}

Test(config, lets_no_other_origin_in_in_production_unless_named)
{
    cr_expect(eq(int, load("", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(sz, config.http_allowed_origins.count, 2));
    cr_expect(eq(int, load("node: {environment: production}", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(sz, config.http_allowed_origins.count, 0));
    cr_expect(eq(int,
                 load("node: {environment: production}", NULL,
                      "CONFAB_HTTP_ALLOWED_ORIGINS=https://a.test", NULL, NULL),
                 0));
    cr_expect(eq(sz, config.http_allowed_origins.count, 1));
}

Test(config, puts_the_database_into_the_data_folder)
{
    cr_expect(eq(int, load("", NULL, "CONFAB_NODE_DATA_DIR=/srv/chat", NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.store_url, "sqlite:/srv/chat/confab.db"));
}

Test(config, reads_lists_and_quoted_values_from_the_file)
{
    cr_assert(eq(int,
                 load("---\n# comment\nhttp:\n  allowed_origins:\n    - https://a.example\n"
                      "    - \"https://b.example\"\n  trusted_proxies: [10.0.0.0/8, '::1']\n"
                      "  keepalive:\nmetrics: {listen: ''}\nlog:\n...\n",
                      NULL, NULL, NULL, NULL),
                 0),
              "%s", said());
    cr_assert(eq(sz, config.http_allowed_origins.count, 2));
    cr_assert(eq(str, (char *)config.http_allowed_origins.items[1], "https://b.example"));
    cr_assert(eq(sz, config.http_trusted_proxies.count, 2));
    cr_assert(eq(i64, config.http_keepalive_ms, 60000));
}

Test(config, names_line_and_suggestion_of_an_unknown_key)
{
    cr_assert(eq(int, load("http:\n  listn: a:1\n", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_assert(
        eq(str, said(), "confab.yaml:2: unknown key http.listn, did you mean http.listen?\n"));
    cr_assert(eq(int, load("", "shutdwn.timeout=1s", NULL, NULL, NULL), CF_ERANGE));
    cr_assert(
        eq(str, said(), "--set: unknown key shutdwn.timeout, did you mean shutdown.timeout?\n"));
    cr_assert(eq(int, load("quux:\n  zzzzzzzzz: 1\n", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(), "confab.yaml:2: unknown key quux.zzzzzzzzz\n"));
}

Test(config, judges_unknown_variables_by_whose_they_are)
{
    cr_assert(eq(int, load("", NULL, "CONFAB_HTTP_LISTN=a:1", NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(),
                 "environment: unknown key CONFAB_HTTP_LISTN, did you mean "
                 "CONFAB_HTTP_LISTEN?\n"));
    cr_assert(eq(int, load("", NULL, "CONFAB_HTPP_LISTEN=a:1", NULL, NULL), CF_ERANGE));
    cr_assert(eq(int,
                 load("", NULL, "CONFAB_PORT_8080_TCP=tcp://10.0.0.1:8080",
                      "CONFAB_SERVICE_HOST=10.0.0.1", NULL),
                 0));
    cr_assert(eq(str, said(),
                 "warning: CONFAB_PORT_8080_TCP is not a setting, ignored\n"
                 "warning: CONFAB_SERVICE_HOST is not a setting, ignored\n"));
    cr_assert(eq(int,
                 load("", NULL, "CONFAB_TEST_POSTGRES_URL=x", "CONFAB_CRASH_AT=after_recv:1",
                      "CONFABULATE=1"),
                 0));
    cr_assert(eq(str, said(), ""));
}

Test(config, names_the_place_of_a_bad_value)
{
    cr_assert(eq(int, load("ws:\n\n  idle: soon\n", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(),
                 "confab.yaml:3: ws.idle: 'soon' is not a duration (10s, 500ms, "
                 "1m30s, 24h)\n"));
    cr_assert(eq(int, load("", NULL, "CONFAB_GATEWAY_COUNT=65", NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(), "CONFAB_GATEWAY_COUNT: gateway.count: 65 is outside 1..64\n"));
    cr_assert(eq(int, load("", "gateway.count=x", NULL, NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(), "--set gateway.count: gateway.count: 'x' is not a whole number\n"));
    cr_assert(eq(int, load("", "gateway.count", NULL, NULL, NULL), CF_ERANGE));
    cr_assert(eq(str, said(), "--set gateway.count: not section.key=value\n"));
}

Test(config, reports_every_fault_and_keeps_each_on_its_line)
{
    cr_assert(eq(int,
                 load("http:\n  listen: x\n  \"a\\nb\\e[31m\": 1\n", "gateway.count=0",
                      "CONFAB_LOG_LEVEL=loud", NULL, NULL),
                 CF_ERANGE));
    int lines = 0;
    for (char *c = said(); *c; c++)
        lines += *c == '\n';
    cr_assert(eq(int, lines, 4), "%s", said());
    cr_assert(strchr(said(), '\x1b') == NULL);
}

Test(config, refuses_what_is_not_sections_of_keys)
{
    static const char *const bad[] = {
        "just text",                                       /* no mapping */
        "[1, 2]",                                          /* no mapping */
        "http: 1",                                         /* a section without keys */
        "http: [listen]",                                  /* a list for a section */
        "http:\n  listen:\n    deeper: 1\n",               /* too deep */
        "http:\n  allowed_origins: [[a]]\n",               /* too deep */
        "http:\n  listen: a:1\n  listen: b:1\n",           /* twice */
        "http:\n  listen: [a:1, b:1]\n",                   /* a list for one value */
        "http: &x\n  listen: &a a:1\n",                    /* anchors */
        "http:\n  listen: *a\n",                           /* alias to nothing */
        "a: {}\n---\nb: {}\n",                             /* two documents */
        "http:\n\tlisten: a:1\n",                          /* a tab */
        "http: {listen: 'a:1'",                            /* not closed */
        "? [a]\n: b\n",                                    /* a key that is no word */
        "http:\n  ? [a]\n  : b\n",                         /* a key that is no word */
        "node:\n  name: \"a\\0b\"\n",                      /* a NUL */
        "node:\n  name: \"a\\x07b\"\n",                    /* a control character */
        "node:\n  name: \xff\n",                           /* not UTF-8 */
        "store:\n  url: [sqlite:x]\n  url_file: [a, b]\n", /* a list of files */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect(eq(int, load(bad[i], NULL, NULL, NULL, NULL), CF_ERANGE), "%s", bad[i]);
        cr_expect(eq(int, strncmp(said(), "confab.yaml:", 12), 0), "%s", said());
    }
}

Test(config, checks_what_no_single_key_can_know)
{
    cr_expect(eq(int, load("ws: {ping: 60s, idle: 60s}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("ws: {ping: 59s, idle: 60s}", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, load("ws: {message_max_bytes: 256KiB}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int,
                 load("gateway: {pool_bytes: 1MiB, credits_bytes: 2MiB}", NULL, NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(eq(int, load("gateway: {answer_timeout: 20s}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("gateway: {answer_timeout: 19s}", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, load("rooms: {answer_timeout: 15s}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("auth: {answer_timeout: 7500ms}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("auth: {answer_timeout: 7s}", NULL, NULL, NULL, NULL), 0));
    cr_expect(eq(int, load("store: {url: 'mysql://x'}", NULL, NULL, NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("store: {url: 'postgres://u:p@h/d'}", NULL, NULL, NULL, NULL), 0));
}

/* --- the contracts' names -------------------------------------------------------------------- */

Test(config, takes_the_contracts_names_when_its_own_are_not_set)
{
    cr_expect(eq(int,
                 load("", NULL, "DATABASE_URL=postgres://u:p@h/d", "LOG_LEVEL=WARN",
                      "SESSION_MAX_AGE=86400"),
                 0));
    cr_expect(eq(str, (char *)config.store_url, "postgres://u:p@h/d"));
    cr_expect(eq(str, (char *)config.log_level, "warn"));
    cr_expect(eq(i64, config.auth_session_ttl_ms, 86400000));
    cr_expect(eq(int, load("", NULL, "CONFAB_LOG_LEVEL=error", "LOG_LEVEL=debug", NULL), 0));
    cr_expect(eq(str, (char *)config.log_level, "error"));
    cr_expect(eq(int, load("", NULL, "ENV=test", "ENVIRONMENT=production", NULL), 0));
    cr_expect(eq(str, (char *)config.node_environment, "production"));
    cr_expect(eq(int, load("", NULL, "LOG_LEVEL=loud", NULL, NULL), CF_ERANGE));
    cr_expect(eq(str, said(),
                 "LOG_LEVEL: log.level: 'loud' is not one of "
                 "debug|info|warn|warning=warn|error\n"));
}

Test(config, makes_the_address_of_port_and_host)
{
    cr_expect(eq(int, load("", NULL, "PORT=9000", NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "[::]:9000"));
    cr_expect(eq(int, load("", NULL, "PORT=9000", "HOST=[::1]", NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "[::1]:9000"));
    cr_expect(eq(int, load("", NULL, "PORT=9000", "HOST=::", NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "[::]:9000"));
    cr_expect(eq(int, load("", NULL, "HOST=fd00::1", NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "[fd00::1]:8080"));
    cr_expect(eq(int, load("", NULL, "PORT=9000", "HOST=0.0.0.0", NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "0.0.0.0:9000"));
    cr_expect(eq(int, load("", NULL, "HOST=localhost:80", NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("", NULL, "HOST=:::", NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("", NULL, "HOST=localhost", NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "localhost:8080"));
    cr_expect(eq(int, load("", NULL, "PORT=9000", "CONFAB_HTTP_LISTEN=127.0.0.1:1", NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "127.0.0.1:1"));
    cr_expect(eq(int, load("", NULL, "PORT=65536", NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, strncmp(said(), "PORT: ", 6), 0));
    cr_expect(eq(int, load("", NULL, "PORT=http", NULL, NULL), CF_ERANGE));
}

Test(config, adds_the_contracts_origins_up)
{
    cr_assert(eq(int,
                 load("", NULL, "ALLOWED_ORIGINS=http://a, http://b", "CORS_ORIGIN=http://c", NULL),
                 0));
    cr_assert(eq(sz, config.http_allowed_origins.count, 3));
    cr_assert(eq(str, (char *)config.http_allowed_origins.items[2], "http://c"));
    cr_assert(
        eq(int,
           load("", NULL, "ALLOWED_ORIGINS=http://a", "CONFAB_HTTP_ALLOWED_ORIGINS=http://z", NULL),
           0));
    cr_assert(eq(sz, config.http_allowed_origins.count, 1));
    cr_assert(eq(str, (char *)config.http_allowed_origins.items[0], "http://z"));
}

/* --- files ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/confab-config-XXXXXX";
static char path[128];

/* Writes a file in a folder that drop_file() removes. */
static void make_file(const char *content, size_t size)
{
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    fwrite(content, 1, size, file);
    fclose(file);
}

static void drop_file(void)
{
    end();
    unlink(path);
    rmdir(folder);
}

static char *pair(const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s=%s", name, path);
    return text;
}

Test(config, reads_a_secret_from_the_file_its_companion_names, .fini = drop_file)
{
    make_file("postgres://u:p@h/d\n", 19);
    cr_expect(eq(int, load("", NULL, pair("CONFAB_STORE_URL_FILE"), NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.store_url, "postgres://u:p@h/d"));
    cr_expect(eq(int, load("", pair("store.url_file"), NULL, NULL, NULL), 0));
    cr_expect(eq(str, (char *)config.store_url, "postgres://u:p@h/d"));
    cr_expect(eq(int,
                 load("", NULL, pair("CONFAB_STORE_URL_FILE"), "CONFAB_STORE_URL=sqlite:x", NULL),
                 CF_ERANGE));
    cr_expect(strstr(said(), "set twice") != NULL);
    cr_expect(eq(int, load("store:\n  url: sqlite:x\n  url_file: y\n", NULL, NULL, NULL, NULL),
                 CF_ERANGE));
    cr_expect(
        eq(int, load("", NULL, "CONFAB_STORE_URL_FILE=/nonexistent/x", NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "cannot read '/nonexistent/x': No such file") != NULL);
    cr_expect(eq(int, load("", "node.name_file=x", NULL, NULL, NULL), CF_ERANGE)); /* no secret */
}

Test(config, refuses_a_secret_file_that_is_too_long, .fini = drop_file)
{
    static char big[CF_CONFIG_SECRET_FILE_MAX + 1];
    memset(big, 'x', sizeof big);
    make_file(big, sizeof big);
    cr_expect(eq(int, load("", NULL, pair("CONFAB_STORE_URL_FILE"), NULL, NULL), CF_ERANGE));
    cr_expect(strstr(said(), "is no file of at most 4096 bytes") != NULL);
}

static int check(const char *file, char *out, size_t size)
{
    cf_config_sources_t sources = {.file = file};
    FILE *stream = fmemopen(out, size, "w");
    int code = cf_config_check(&sources, NULL, stream);
    fclose(stream);
    return code;
}

Test(config, check_prints_ok_or_the_faults, .fini = drop_file)
{
    char out[512] = "", expected[256];
    make_file("http:\n  listen: 127.0.0.1:0\n", 28);
    cr_expect(eq(int, check(path, out, sizeof out), 0));
    cr_expect(eq(str, out, "OK\n"));

    FILE *file = fopen(path, "a");
    fputs("  nothing: 1\n", file);
    fclose(file);
    cr_expect(eq(int, check(path, out, sizeof out), CF_EXIT_CONFIG));
    snprintf(expected, sizeof expected, "%s:3: unknown key http.nothing", path);
    cr_expect(eq(int, strncmp(out, expected, strlen(expected)), 0), "%s", out);

    cr_expect(eq(int, check("/nonexistent/confab.yaml", out, sizeof out), CF_EXIT_CONFIG));
    cr_expect(eq(int, check(folder, out, sizeof out), CF_EXIT_CONFIG)); /* a folder */
}

Test(config, refuses_a_file_beyond_its_bound, .fini = drop_file)
{
    char out[512] = "";
    char *big = malloc(CF_CONFIG_FILE_MAX + 1);
    memset(big, '#', CF_CONFIG_FILE_MAX + 1);
    make_file(big, CF_CONFIG_FILE_MAX + 1);
    cr_expect(eq(int, check(path, out, sizeof out), CF_EXIT_CONFIG));
    cr_expect(eq(int, truncate(path, CF_CONFIG_FILE_MAX), 0));
    cr_expect(eq(int, check(path, out, sizeof out), 0));
    free(big);
}

Test(config, the_reference_in_docs_is_current)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    cf_config_doc(out);
    fclose(out);
    FILE *file = fopen(CONFAB_SOURCE_DIR "/docs/configuration.md", "r");
    cr_assert(file != NULL);
    char *kept = calloc(1, size + 2);
    size_t kept_size = fread(kept, 1, size + 1, file);
    fclose(file);
    cr_assert(kept_size == size && memcmp(kept, printed, size) == 0,
              "print it again: confab config-doc > docs/configuration.md");
    free(kept);
    free(printed);
}
