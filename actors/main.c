/* confab: the commands. */
#include "anew.h"
#include "backup.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "ctl.h"
#include "dead_letters.h"
#include "err.h"
#include "healthcheck.h"
#include "import.h"
#include "link/curve.h"
#include "local/local_server.h"
#include "log.h"
#include "memory_bound.h"
#include "own_pages.h"
#include "seed.h"
#include "smoke.h"
#include "supervisor.h"
#include "version.h"
#include "wire/protocol_doc.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SETS_MAX 128

extern char **environ;

typedef struct {
    const char *file;
    char only[64]; /* serve --only ROLE: the setting it stands for */
    const char *sets[SETS_MAX];
    size_t set_count;
    const char *sessions; /* user import --sessions FILE */
    char **words;         /* of a command that takes them: what is no option */
    int word_count;
    char **argv; /* all of them, as the process got them */
} options_t;

typedef int command_fn(const options_t *options);

static cf_config_sources_t sources_of(const options_t *options)
{
    return (cf_config_sources_t){.file = options->file,
                                 .sets = options->sets,
                                 .set_count = options->set_count,
                                 .environment = (const char *const *)environ,
                                 .env_file = ".env"};
}

static void print_report(const cf_buf_t *report)
{
    if (report->size)
        fprintf(stderr, "%.*s", (int)report->size, (const char *)report->data);
}

/* Load the configuration or say what is wrong with it. */
static int load(cf_config_t *config, const options_t *options)
{
    cf_buf_t report = {0};
    cf_config_sources_t sources = sources_of(options);
    int rc = cf_config_load(config, &sources, &report);
    print_report(&report);
    cf_buf_free(&report);
    return rc;
}

/* What is to be said about good settings, in the log as all else. */
static void log_report(const cf_buf_t *report)
{
    const char *at = (const char *)report->data, *end = at + report->size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        cf_log_warn("about the configuration",
                    CF_TEXT("note", ((cf_str_t){at, (uint32_t)(stop - at)})));
        at = stop + 1; /* every line of a report ends with one */
    }
}

/* Neither a core file nor another process of the same user gets at what a production server has in
 * memory. */
static void keep_memory_private(const cf_config_t *config)
{
    if (strcmp(config->node_environment, "production") != 0)
        return;
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        cf_log_warn("cannot switch core dumps off", CF_ERRNO(errno));
}

static int serve(const options_t *options)
{
    cf_config_t config;
    cf_buf_t report = {0};
    cf_log_level_t level = CF_LOG_INFO;
    cf_config_sources_t sources = sources_of(options);
    if (cf_config_load(&config, &sources, &report) < 0) {
        print_report(&report);
        cf_buf_free(&report);
        return CF_EXIT_CONFIG;
    }
    cf_log_level_parse(&level, config.log_level);
    cf_log_set_level(level);
    if (strcmp(config.log_format, "text") == 0)
        cf_log_as_text();
    cf_log_start();
    log_report(&report);
    cf_buf_free(&report);
    keep_memory_private(&config);
    int64_t began_us = cf_boot_us(), pause_us = 0;
    int code = cf_supervisor_run(&config);
    if (code == CF_SUPERVISOR_ANEW) {
        pause_us = cf_anew_pause_us(cf_boot_us() - began_us, randombytes_random());
        cf_log_info("begins anew", CF_INT("pause_ms", pause_us / 1000));
    }
    cf_log_stop(1000);
    cf_config_free(&config);
    return code == CF_SUPERVISOR_ANEW ? cf_anew_begin(options->argv, pause_us) : code;
}

static int check_certificate(const cf_config_t *config, cf_buf_t *report)
{
    cf_certificate_config_t certificate = cf_supervisor_certificate(config);
    char fault[CF_CERTIFICATE_FAULT_MAX];
    int rc = certificate.cert_file ? cf_certificate_check(&certificate, cf_wall_us(), fault) : 0;
    if (rc == CF_ERANGE && cf_buf_addf(report, "%s\n", fault) < 0)
        rc = CF_ENOMEM;
    return rc;
}

static int check_pages(const cf_config_t *config, cf_buf_t *report)
{
    cf_own_pages_t *pages = NULL;
    char fault[CF_OWN_PAGES_FAULT_MAX];
    int rc =
        config->http_pages_dir[0] ? cf_own_pages_load(&pages, config->http_pages_dir, fault) : 0;
    cf_own_pages_destroy(&pages);
    if (rc == CF_ERANGE && cf_buf_addf(report, "%s\n", fault) < 0)
        rc = CF_ENOMEM;
    return rc;
}

static int check_control(const cf_config_t *config, cf_buf_t *report)
{
    char path[CF_CONTROL_PATH_MAX];
    if (!cf_control_path(config, path) || strlen(path) <= CF_LOCAL_PATH_MAX ||
        cf_control_is_optional(config))
        return 0;
    return cf_buf_addf(report, "control.socket: '%s' has more than %d bytes\n", path,
                       CF_LOCAL_PATH_MAX) < 0
               ? CF_ENOMEM
               : CF_ERANGE;
}

/* The files that the configuration names. */
static int check_files(const cf_config_t *config, cf_buf_t *report)
{
    static cf_config_check_fn *const checks[] = {check_certificate, check_pages, check_control};
    int rc = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int found = checks[i](config, report); /* all of them: each says what it finds */
        rc = rc < 0 ? rc : found;
    }
    return rc;
}

static int check_config(const options_t *options)
{
    cf_config_sources_t sources = sources_of(options);
    return cf_config_check(&sources, check_files, stdout);
}

static int config_doc(const options_t *options)
{
    (void)options;
    cf_config_doc(stdout);
    return 0;
}

static int protocol_doc(const options_t *options)
{
    (void)options;
    cf_protocol_doc(stdout);
    return 0;
}

static int mesh_key(const options_t *options)
{
    char secret_key[CF_NODE_KEY_SIZE + 1], public_key[CF_NODE_KEY_SIZE + 1];
    (void)options;
    if (cf_curve_new_keys(secret_key, public_key) < 0) {
        fputs("confab: libzmq was built without CURVE\n", stderr);
        return CF_EXIT_FAILURE;
    }
    printf("%s\n%s\n", secret_key, public_key);
    return 0;
}

static int version(const options_t *options)
{
    (void)options;
    printf("confab %s\n", cf_version);
    return 0;
}

static int with_store(const options_t *options, int (*work)(const cf_config_t *, const char *file))
{
    cf_config_t config;
    if (load(&config, options) < 0)
        return CF_EXIT_CONFIG;
    int code = work(&config, options->sessions);
    cf_config_free(&config);
    return code;
}

static int memory(const options_t *options)
{
    return with_store(options, cf_memory_print);
}

static int migrate(const options_t *options)
{
    return with_store(options, cf_import_migrate);
}

static int seed(const options_t *options)
{
    return with_store(options, cf_seed);
}

static int dead_letters(const options_t *options)
{
    return with_store(options, cf_dead_letters_print);
}

static int ctl(const options_t *options)
{
    cf_config_t config;
    if (load(&config, options) < 0)
        return CF_EXIT_CONFIG;
    int code = cf_ctl(&config, options->words, options->word_count);
    cf_config_free(&config);
    return code;
}

static int backup(const options_t *options)
{
    cf_config_t config;
    if (options->word_count != 1) {
        fputs("confab backup: one FILE is needed, to be made\n", stderr);
        return 2;
    }
    if (load(&config, options) < 0)
        return CF_EXIT_CONFIG;
    int code = cf_backup(&config, options->words[0]);
    cf_config_free(&config);
    return code;
}

static int healthcheck(const options_t *options)
{
    cf_config_t config;
    if (load(&config, options) < 0)
        return CF_EXIT_CONFIG;
    int code = cf_healthcheck(&config);
    cf_config_free(&config);
    return code;
}

static int smoke(const options_t *options)
{
    return cf_smoke(options->words, options->word_count);
}

static int user_import(const options_t *options)
{
    if (!options->sessions) {
        fputs("confab user import: --sessions FILE is needed\n", stderr);
        return 2;
    }
    return with_store(options, cf_import_sessions);
}

static const struct {
    const char *name, *second; /* word of it; NULL: it has one */
    const char *words;         /* behind it, which are its own business; NULL: it takes none */
    command_fn *run;
    const char *help;
} commands[] = {
    {"serve", NULL, NULL, serve, "run the server; --only ROLE is --set node.roles=ROLE"},
    {"check-config", NULL, NULL, check_config, "say whether the configuration is good"},
    {"config-doc", NULL, NULL, config_doc, "print the reference of all settings"},
    {"protocol-doc", NULL, NULL, protocol_doc,
     "print every message between actors with its bounds"},
    {"memory", NULL, NULL, memory, "print what the process may hold of memory at most, and why"},
    {"migrate", NULL, NULL, migrate, "bring the store's schema up to date"},
    {"user", "import", NULL, user_import,
     "--sessions FILE: make users with sessions, one `name token` a line"},
    {"seed", NULL, NULL, seed, "fill the store with demonstration data: users, rooms, messages"},
    {"dead-letters", NULL, NULL, dead_letters,
     "print the commands that failed, one JSON object a line"},
    {"backup", NULL, "FILE", backup, "copy the SQLite store to a new file; the server may run"},
    {"healthcheck", NULL, NULL, healthcheck,
     "ask the server of this configuration whether it lives"},
    {"smoke", NULL, "...", smoke,
     "[--seconds N] [--ca FILE] [--any-certificate] URL [URL]: chat, and see"},
    {"ctl", NULL, "...", ctl, "ask the running server; alone it says what"},
    {"token", "mesh-key", NULL, mesh_key,
     "print a new pair of keys for mesh: the secret one, then the public one"},
    {"version", NULL, NULL, version, "print the version"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage(FILE *out, int code)
{
    fputs("usage: confab COMMAND [--config FILE] [--set section.key=value]...\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *more = commands[i].second ? commands[i].second : commands[i].words;
        fprintf(out, "  %s%s%-*s %s\n", commands[i].name, more ? " " : "",
                (int)(16 - strlen(commands[i].name)), more ? more : "", commands[i].help);
    }
    return code;
}

/* One option with its value; false: it is unknown, or lacks it. */
static bool read_option(options_t *options, const char *name, const char *value)
{
    if (!value)
        return false;
    if (strcmp(name, "--config") == 0)
        options->file = value;
    else if (strcmp(name, "--sessions") == 0)
        options->sessions = value;
    else if (strcmp(name, "--set") == 0 && options->set_count < SETS_MAX)
        options->sets[options->set_count++] = value;
    else if (strcmp(name, "--only") == 0 && options->set_count < SETS_MAX &&
             snprintf(options->only, sizeof options->only, "node.roles=%s", value) <
                 (int)sizeof options->only)
        options->sets[options->set_count++] = options->only;
    else
        return false;
    return true;
}

/* What stands behind the command; false: something there is no option. */
static bool read_options(options_t *options, char **at, bool takes_words)
{
    options->words = at; /* they are moved together there */
    while (*at) {
        if (read_option(options, at[0], at[1]))
            at += 2;
        else if (takes_words)
            options->words[options->word_count++] = *at++;
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    options_t options = {.file = getenv("CONFAB_CONFIG"), .argv = argv};
    if (argc < 2)
        return usage(stderr, 2);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout, 0);
    if (sodium_init() < 0) {
        fputs("confab: no source of random numbers\n", stderr);
        return CF_EXIT_FAILURE;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *second = commands[i].second;
        if (strcmp(argv[1], commands[i].name) != 0 ||
            (second && (argc < 3 || strcmp(argv[2], second) != 0)))
            continue;
        if (!read_options(&options, argv + (second ? 3 : 2), commands[i].words != NULL))
            return usage(stderr, 2);
        return commands[i].run(&options);
    }
    return usage(stderr, 2);
}
