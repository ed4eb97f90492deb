/* .env files, and the contracts' variables without a meaning here. */
#include "config.h"
#include "config_env.h"
#include "config_foreign.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cf_arena_t arena;
static cf_buf_t report;
static cf_config_t config;
static char path[] = "/tmp/confab-env-XXXXXX";

static void end(void)
{
    cf_arena_free(&arena);
    cf_buf_free(&report);
    cf_config_free(&config);
}

TestSuite(config_env, .fini = end, .timeout = 10);

static char *said(void)
{
    cr_assert(eq(int, cf_buf_add_byte(&report, '\0'), 0));
    return (char *)report.data;
}

/* The value of a variable after reading text with A=1 and B= in the environment; "-" if it has none. */
static const char *value(const char *text, const char *name)
{
    static const char *const environment[] = {"A=1", "B=", NULL};
    const char *const *all;
    size_t size = strlen(name);
    int rc = cf_config_env_join(&all, environment, cf_str(text), ".env", &arena, &report);
    cr_assert(eq(int, rc, 0), "%s", said());
    for (; *all; all++)
        if (strncmp(*all, name, size) == 0 && (*all)[size] == '=')
            return *all + size + 1;
    return "-";
}

Test(config_env, reads_lines_of_every_form)
{
    static const struct {
        const char *line, *value;
    } cases[] = {
        {"X=1", "1"},
        {"X = 1 ", "1"},
        {"export X=a b", "a b"},
        {"X=a#b", "a#b"},
        {"X=a # comment", "a"},
        {"X=# comment", ""},
        {"X=", ""},
        {"X='a \"b\" \\n # c'", "a \"b\" \\n # c"},
        {"X=\"a \\\"b\\\" \\\\ \\t\" # c", "a \"b\" \\ \\t"},
        {"# X=2\n\n  \t\r\nX=1\r\n", "1"},
        {"X=1\nX=2", "1"},
        {"X=a=b", "a=b"},
        {"Y=1", "-"},
        {"", "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(eq(str, (char *)value(cases[i].line, "X"), (char *)cases[i].value), "%s",
                  cases[i].line);
}

Test(config_env, never_overrides_what_the_environment_has)
{
    cr_expect(eq(str, (char *)value("A=2\nC=3", "A"), "1"));
    cr_expect(eq(str, (char *)value("A=2\nC=3", "C"), "3"));
    cr_expect(eq(str, (char *)value("B=2", "B"), "")); /* set, though to nothing */
}

Test(config_env, names_the_line_that_is_none)
{
    static const char *const lines[] = {"\nX",     "\n=1",      "\n1X=1",   "\nX Y=1", "\nX='a",
                                        "\nX=\"a", "\nX='a' b", "\nexport", "\nX-Y=1"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *const *all;
        cf_buf_clear(&report);
        cr_assert(eq(int, cf_config_env_join(&all, NULL, cf_str(lines[i]), ".env", &arena, &report),
                     CF_EPROTO));
        cr_expect(eq(str, said(), ".env:2: not NAME=value\n"), "%s", lines[i]);
    }
}

Test(config_env, takes_so_many_variables_and_no_more)
{
    cf_buf_t text = {0};
    const char *const *all;
    for (int i = 0; i < CF_CONFIG_ENV_MAX; i++)
        cr_assert(eq(int, cf_buf_addf(&text, "X%d=1\n", i), 0));
    cf_str_t lines = {(const char *)text.data, (uint32_t)text.size};
    cr_assert(eq(int, cf_config_env_join(&all, NULL, lines, ".env", &arena, &report), 0));
    cr_assert(eq(int, cf_buf_add_text(&text, "Y=1\n"), 0));
    lines = (cf_str_t){(const char *)text.data, (uint32_t)text.size};
    cr_assert(eq(int, cf_config_env_join(&all, NULL, lines, ".env", &arena, &report), CF_EPROTO));
    cr_expect(eq(str, said(), ".env:513: too many variables\n"));
    cf_buf_free(&text);
}

/* Loads with a .env file of this text; NULL: none. */
static int load(const char *text, const char *yaml, const char *env1, const char *env2)
{
    const char *environment[] = {env1, env2, NULL};
    if (text) {
        int fd = mkstemp(strcpy(path, "/tmp/confab-env-XXXXXX"));
        cr_assert(fd >= 0);
        cr_assert(eq(sz, (size_t)write(fd, text, strlen(text)), strlen(text)));
        close(fd);
    }
    cf_config_free(&config);
    cf_buf_clear(&report);
    cf_config_sources_t sources = {
        .text = cf_str(yaml), .environment = environment, .env_file = text ? path : NULL};
    int rc = cf_config_load(&config, &sources, &report);
    if (text)
        unlink(path);
    return rc;
}

Test(config_env, stands_between_environment_and_configuration_file)
{
    const char *yaml = "gateway:\n  count: 2\n";
    cr_expect(eq(int, load("CONFAB_GATEWAY_COUNT=3\n", yaml, NULL, NULL), 0));
    cr_expect(eq(int, config.gateway_count, 3));
    cr_expect(eq(int, load("CONFAB_GATEWAY_COUNT=3\n", yaml, "CONFAB_GATEWAY_COUNT=4", NULL), 0));
    cr_expect(eq(int, config.gateway_count, 4));
    cr_expect(eq(int, load("PORT=9000\nLOG_LEVEL=warn\n", "", "LOG_LEVEL=error", NULL), 0));
    cr_expect(eq(str, (char *)config.http_listen, "[::]:9000"));
    cr_expect(eq(str, (char *)config.log_level, "error"));
    cr_expect(eq(int, load("PORT=x\n", "", NULL, NULL), CF_ERANGE));
    cr_expect(eq(int, load("what is this\n", "", NULL, NULL), CF_ERANGE));
    unlink(path);
    cf_config_sources_t sources = {.env_file = path};
    cf_config_free(&config);
    cr_expect(eq(int, cf_config_load(&config, &sources, &report), 0)); /* none is no fault */
    cf_config_free(&config);
    sources.env_file = "/tmp"; /* a folder */
    cr_expect(eq(int, cf_config_load(&config, &sources, &report), CF_ERANGE));
}

/* Loads with a .env file that nobody may read, in a folder of this mode; as somebody without root's rights. */
static int load_closed(mode_t mode)
{
    char folder[] = "/tmp/confab-env-XXXXXX", file[sizeof folder + sizeof "/.env"];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/.env", folder);
    int fd = open(file, O_CREAT | O_EXCL | O_WRONLY, 0);
    cr_assert(fd >= 0);
    close(fd);
    cr_assert(eq(int, chmod(folder, mode), 0));
    uid_t self = geteuid();
    cr_assert(eq(int, seteuid(self ? self : 65534), 0));
    cf_config_sources_t sources = {.env_file = file};
    cf_config_free(&config);
    int rc = cf_config_load(&config, &sources, &report);
    cr_assert(eq(int, seteuid(self), 0));
    cr_assert(eq(int, chmod(folder, 0700), 0));
    cr_assert(eq(int, unlink(file), 0));
    cr_assert(eq(int, rmdir(folder), 0));
    return rc;
}

Test(config_env, is_a_fault_if_it_is_seen_and_cannot_be_read_but_none_in_a_folder_without_a_way_in)
{
    cr_expect(eq(int, load_closed(0711), CF_ERANGE));
    cr_expect(strstr((char *)report.data, ".env': Permission denied") != NULL);
    cr_expect(eq(int, load_closed(0), 0));
}

/* --- the contracts' names ----------------------------------------------------------------------
 */

Test(config_env, takes_what_the_sample_file_of_the_contract_sets)
{
    cr_assert(
        eq(int,
           load("PORT=8080\nHOST=0.0.0.0\nENV=development\n"
                "DATABASE_URL=postgres://postgres:postgres@localhost:5432/chat?sslmode=disable\n"
                "DB_MAX_CONNECTIONS=25\nDB_MAX_IDLE_CONNECTIONS=5\nDB_CONNECTION_MAX_LIFETIME=5m\n"
                "RABBITMQ_URL=amqp://guest:guest@localhost:5672/\n"
                "RABBITMQ_EXCHANGE_COMMANDS=chat.commands\n"
                "RABBITMQ_EXCHANGE_RESPONSES=chat.responses\n"
                "RABBITMQ_QUEUE_STOCK_COMMANDS=stock.commands\n"
                "SESSION_SECRET=change-me-in-production-use-random-string\nSESSION_MAX_AGE=86400\n"
                "RATE_LIMIT_LOGIN=5\nRATE_LIMIT_MESSAGES=60\nRATE_LIMIT_STOCK_COMMANDS=10\n"
                "LOG_LEVEL=info\nLOG_FORMAT=json\n"
                "ALLOWED_ORIGINS=http://localhost:3000,http://localhost:8080\n",
                "", NULL, NULL),
           0),
        "%s", said());
    cr_expect(eq(str, (char *)config.http_listen, "0.0.0.0:8080"));
    cr_expect(eq(int, config.store_connections_max, 25));
    cr_expect(eq(int, config.store_readers, 2));
    cr_expect(eq(i64, config.store_connection_ttl_ms, 300000));
    cr_expect(eq(i64, config.auth_session_ttl_ms, 86400000));
    cr_expect(eq(str, (char *)config.log_format, "json"));
    char *text = said();
    for (size_t i = 0; cf_config_foreign(i); i++)
        cr_expect(strstr(text, cf_config_foreign(i)->variable) != NULL, "%s",
                  cf_config_foreign(i)->variable);
    cr_expect(strstr(text, "guest") == NULL);
}

Test(config_env, refuses_malformed_values_of_variables_it_has_no_use_for)
{
    static const char *const bad[] = {"RABBITMQ_URL=http://x",
                                      "RABBITMQ_EXCHANGE_COMMANDS=a b",
                                      "RABBITMQ_EXCHANGE_RESPONSES=a/b",
                                      "RABBITMQ_QUEUE_STOCK_COMMANDS=\xc3\xa4",
                                      "DB_MAX_IDLE_CONNECTIONS=five",
                                      "DB_MAX_IDLE_CONNECTIONS=-1",
                                      "DB_MAX_IDLE_CONNECTIONS=1000001",
                                      "DB_MAX_CONNECTIONS=1",
                                      "DB_MAX_CONNECTIONS=x",
                                      "DB_CONNECTION_MAX_LIFETIME=soon",
                                      "LOG_FORMAT=xml",
                                      "SESSION_MAX_AGE=never"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s: ", (int)strcspn(bad[i], "="), bad[i]);
        cr_expect(eq(int, load(NULL, "", bad[i], NULL), CF_ERANGE), "%s", bad[i]);
        cr_expect(eq(int, strncmp(said(), name, strlen(name)), 0), "%s", (char *)report.data);
    }
}

Test(config_env, in_production_a_secret_is_no_placeholder_and_long_enough)
{
    static const struct {
        const char *secret;
        bool is_good;
    } cases[] = {
        {"SESSION_SECRET=change-this-in-production", false},
        {"SESSION_SECRET=change-me-in-production-use-random-string", false},
        {"SESSION_SECRET=YOUR-SECRET-0123456789012345678901234567", false},
        {"SESSION_SECRET=0123456789abcdef0123456789abcde", false},
        {"SESSION_SECRET=0123456789abcdef0123456789abcdef", true},
        {"DATABASE_URL=postgres://u:CHANGE_ME@h/d", false},
        {"DATABASE_URL=postgres://u:p@h/d", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect(eq(int, load(NULL, "", cases[i].secret, "ENVIRONMENT=production"),
                     cases[i].is_good ? 0 : CF_ERANGE),
                  "%s", cases[i].secret);
        cr_expect(strstr(said(), "0123456789abc") == NULL, "a secret was quoted");
        cr_expect(eq(int, load(NULL, "", cases[i].secret, NULL), 0), "%s", cases[i].secret);
    }
}

Test(config_env, cuts_readers_to_the_connections_there_may_be)
{
    cr_expect(eq(int, load(NULL, "", "CONFAB_STORE_READERS=8", "DB_MAX_CONNECTIONS=4"), 0));
    cr_expect(eq(int, config.store_readers, 3));
}
