#include "config.h"
#include "config_env.h"
#include "config_file.h"
#include "config_foreign.h"
#include "config_key.h"
#include "config_value.h"
#include "err.h"
#include "model_limits.h"
#include "network.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHERE_MAX 320 /* bytes of a place, with NUL: a file's name and a line */
#define ORIGIN_SOURCES_MAX 8

typedef struct {
    cf_config_t *config;
    const cf_config_sources_t *sources;
    const char *const *environment; /* with what a .env file adds */
    cf_buf_t *report;
    const char *file; /* name for reports */
    int faults;
    bool out_of_memory;
    size_t file_line[CF_CONFIG_KEY_COUNT];   /* where the file set a key; 0: it did not */
    bool from_variable[CF_CONFIG_KEY_COUNT]; /* its CONFAB_ variable is set */
    cf_config_list_t default_origins;
} loader_t;

/* --- reporting ------------------------------------------------------------------------------- */

/* One line; what came from outside must not become two or move a terminal's cursor. */
static void say(loader_t *self, const char *format, va_list args)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    if (cf_buf_addf(self->report, "%s\n", line) < 0)
        self->out_of_memory = true;
}

static void complain(loader_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(loader_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(self, format, args);
    va_end(args);
    self->faults++;
}

static void warn(loader_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(loader_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(self, format, args);
    va_end(args);
}

static void complain_unknown(loader_t *self, const char *where, cf_config_naming_t naming,
                             const char *name)
{
    int edits;
    char nearest[CF_CONFIG_NAME_MAX];
    const cf_config_key_t *key = cf_config_key_nearest(naming, name, &edits);
    if (!key) {
        complain(self, "%s: unknown key %.96s", where, name);
        return;
    }
    if (naming == CF_CONFIG_BY_NAME)
        cf_config_key_name(key, nearest);
    else
        cf_config_key_variable(key, nearest);
    complain(self, "%s: unknown key %.96s, did you mean %s?", where, name, nearest);
}

/* --- one value ------------------------------------------------------------------------------- */

static void set_list(loader_t *self, const char *where, const cf_config_key_t *key,
                     const cf_config_list_t *value)
{
    char fault[CF_CONFIG_FAULT_MAX], name[CF_CONFIG_NAME_MAX];
    int rc = cf_config_value_set(self->config, key, value, fault);
    cf_config_key_name(key, name);
    if (rc == CF_ENOMEM)
        self->out_of_memory = true;
    else if (rc < 0)
        complain(self, "%s: %s: %s", where, name, fault);
}

static void set_text(loader_t *self, const char *where, const cf_config_key_t *key,
                     const char *text)
{
    cf_config_list_t value = {&text, 1};
    set_list(self, where, key, &value);
}

/* The secret in the file at `path`; one trailing line feed is an editor's, not the secret's. */
static void set_from_file(loader_t *self, const char *where, const cf_config_key_t *key,
                          const char *path)
{
    cf_buf_t content = {0};
    int rc = cf_config_file_load(&content, path, CF_CONFIG_SECRET_FILE_MAX);
    if (rc == 0 && content.size && content.data[content.size - 1] == '\n')
        content.size--;
    if (rc == 0 && content.size && content.data[content.size - 1] == '\r')
        content.size--;
    if (rc == 0)
        rc = cf_buf_add_byte(&content, '\0');
    if (rc == CF_EIO)
        complain(self, "%s: cannot read '%.200s': %s", where, path, strerror(errno));
    else if (rc == CF_ERANGE)
        complain(self, "%s: '%.200s' is no file of at most %d bytes", where, path,
                 CF_CONFIG_SECRET_FILE_MAX);
    else if (rc < 0)
        self->out_of_memory = true;
    else if (strlen((char *)content.data) + 1 != content.size)
        complain(self, "%s: '%.200s' holds a NUL", where, path);
    else
        set_text(self, where, key, (char *)content.data);
    cf_buf_free(&content);
}

static void set_found(loader_t *self, const char *where, cf_config_found_t found,
                      const cf_config_list_t *value)
{
    if (!found.is_file)
        set_list(self, where, found.key, value);
    else if (value->count == 1)
        set_from_file(self, where, found.key, value->items[0]);
    else
        complain(self, "%s: takes one path, not a list", where);
}

/* --- the layers, weakest first
 * -------------------------------------------------------------------- */

static void set_defaults(loader_t *self)
{
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++)
        set_text(self, "default", &cf_config_keys[i], cf_config_keys[i].standard);
    self->default_origins = self->config->http_allowed_origins;
}

static int on_file_entry(void *arg, const char *section, const char *name,
                         const cf_config_list_t *value, size_t line)
{
    loader_t *self = arg;
    char full[2 * CF_CONFIG_NAME_MAX], where[WHERE_MAX];
    snprintf(full, sizeof full, "%s.%s", section, name);
    snprintf(where, sizeof where, "%.250s:%zu", self->file, line);
    cf_config_found_t found = cf_config_key_find(CF_CONFIG_BY_NAME, full);
    if (!found.key) {
        complain_unknown(self, where, CF_CONFIG_BY_NAME, full);
        return 0;
    }
    size_t *seen = &self->file_line[found.key - cf_config_keys];
    if (*seen)
        complain(self, "%s: %s is set in line %zu already", where, full, *seen);
    else
        set_found(self, where, found, value);
    *seen = line;
    return self->out_of_memory ? CF_ENOMEM : 0;
}

/* The value of a variable; NULL if it is not set or empty, which is the same. */
static const char *variable(const loader_t *self, const char *name)
{
    size_t length = strlen(name);
    const char *const *at = self->environment;
    for (; at && *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return (*at)[length + 1] ? *at + length + 1 : NULL;
    return NULL;
}

static void read_file(loader_t *self)
{
    cf_buf_t content = {0};
    cf_str_t text = self->sources->text;
    const char *path = self->sources->file;
    if (!path && !text.size)
        path = variable(self, "CONFAB_CONFIG");
    self->file = path ? path : "confab.yaml";
    int rc = 0;
    if (!text.size && path) {
        rc = cf_config_file_load(&content, path, CF_CONFIG_FILE_MAX);
        text = (cf_str_t){(const char *)content.data, (uint32_t)content.size};
    }
    if (rc == CF_EIO)
        complain(self, "cannot read '%.200s': %s", path, strerror(errno));
    else if (rc == CF_ERANGE)
        complain(self, "'%.200s' is no file of at most %d bytes", path, CF_CONFIG_FILE_MAX);
    else if (rc == 0)
        rc = cf_config_file_read(text, self->file, on_file_entry, self, self->report);
    if (rc == CF_ENOMEM)
        self->out_of_memory = true;
    else if (rc == CF_EPROTO)
        self->faults++; /* reported where it was found */
    cf_buf_free(&content);
}

static const struct {
    const char *variable;
    const char *key;
} aliases[] = {
#define X(variable, section, key) {#variable, #section "." #key},
    CF_CONFIG_ALIASES(X)
#undef X
};
enum { ALIAS_COUNT = sizeof aliases / sizeof aliases[0] };

/* Variables whose lists add up: allowed origins may be named by each of the three contracts. */
static void read_origin_aliases(loader_t *self, const cf_config_key_t *key)
{
    const char *texts[ORIGIN_SOURCES_MAX], *where = NULL;
    cf_config_list_t value = {texts, 0};
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        const char *text = variable(self, aliases[i].variable);
        if (cf_config_key_find(CF_CONFIG_BY_NAME, aliases[i].key).key != key || !text ||
            value.count == ORIGIN_SOURCES_MAX)
            continue;
        texts[value.count++] = text;
        where = where ? "ALLOWED_ORIGINS and the like" : aliases[i].variable;
    }
    if (value.count)
        set_list(self, where, key, &value);
}

/* PORT and HOST together are the address; alone, HOST has port 8080 and PORT every interface.
 * HOST may be an IPv6 address without the brackets that keep it apart from the port. */
static void read_port_and_host(loader_t *self, const cf_config_key_t *key)
{
    const char *port = variable(self, "PORT"), *host = variable(self, "HOST");
    char address[512];
    uint8_t bytes[16];
    if (!port && !host)
        return;
    bool is_bare = host && strchr(host, ':') && cf_network_address(bytes, cf_str(host));
    snprintf(address, sizeof address, is_bare ? "[%.400s]:%.64s" : "%.400s:%.64s",
             host ? host : "[::]", port ? port : "8080");
    set_text(self, port ? host ? "HOST and PORT" : "PORT" : "HOST", key, address);
}

static void read_aliases(loader_t *self)
{
    const cf_config_key_t *listen = cf_config_key_find(CF_CONFIG_BY_NAME, "http.listen").key;
    bool done[CF_CONFIG_KEY_COUNT];
    memcpy(done, self->from_variable, sizeof done);
    if (!done[listen - cf_config_keys])
        read_port_and_host(self, listen);
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        const char *text = variable(self, aliases[i].variable);
        const cf_config_key_t *key = cf_config_key_find(CF_CONFIG_BY_NAME, aliases[i].key).key;
        bool *key_done = &done[key - cf_config_keys];
        if (!text || *key_done)
            continue;
        *key_done = true;
        if (key->type == CF_CONFIG_ORIGINS)
            read_origin_aliases(self, key);
        else
            set_text(self, aliases[i].variable, key, text);
    }
}

/* Variables that are not settings: for tests, and the path of the file. */
static bool is_other_variable(const char *name)
{
    static const char *const others[] = {"CONFAB_CONFIG", "CONFAB_CRASH_AT"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    return strncmp(name, "CONFAB_TEST_", 12) == 0;
}

/* What of text stands before `end`, cut where no key is that long. */
static void name_before(char out[CF_CONFIG_NAME_MAX], const char *text, char end)
{
    size_t length = strchrnul(text, end) - text;
    if (length >= CF_CONFIG_NAME_MAX)
        length = CF_CONFIG_NAME_MAX - 1;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* A variable of one of our sections, or one slip away from a key, is meant for us and must be
 * right. Any other may be someone else's: an orchestrator sets CONFAB_PORT and CONFAB_SERVICE_HOST
 * for a service of that name. */
static void judge_unknown_variable(loader_t *self, const char *name)
{
    char section[CF_CONFIG_NAME_MAX];
    int edits = 0;
    name_before(section, name + strlen("CONFAB_"), '_');
    for (char *c = section; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    bool is_slip = cf_config_key_nearest(CF_CONFIG_BY_VARIABLE, name, &edits) && edits <= 2;
    if (is_slip || cf_config_has_section(section))
        complain_unknown(self, "environment", CF_CONFIG_BY_VARIABLE, name);
    else
        warn(self, "warning: %.96s is not a setting, ignored", name);
}

static void read_variable(loader_t *self, const char *pair)
{
    char name[CF_CONFIG_NAME_MAX];
    const char *equals = strchr(pair, '=');
    if (!equals || equals[1] == '\0')
        return;
    name_before(name, pair, '=');
    cf_config_found_t found = cf_config_key_find(CF_CONFIG_BY_VARIABLE, name);
    if (!found.key) {
        if (!is_other_variable(name))
            judge_unknown_variable(self, name);
        return;
    }
    bool *seen = &self->from_variable[found.key - cf_config_keys];
    const char *text = equals + 1;
    if (*seen)
        complain(self, "%s: set twice, with and without _FILE", name);
    else
        set_found(self, name, found, &(cf_config_list_t){&text, 1});
    *seen = true;
}

/* What the contracts know and we have no use for. */
static void read_foreign(loader_t *self)
{
    bool in_production = strcmp(self->config->node_environment, "production") == 0;
    for (size_t i = 0; cf_config_foreign(i); i++) {
        const cf_config_foreign_t *foreign = cf_config_foreign(i);
        const char *text = variable(self, foreign->variable);
        char fault[CF_CONFIG_FOREIGN_FAULT_MAX];
        if (text && !cf_config_foreign_check(i, text, in_production, fault))
            complain(self, "%s: %s", foreign->variable, fault);
        else if (text)
            warn(self, "warning: %s is not needed: %s", foreign->variable, foreign->why);
    }
}

static void read_environment(loader_t *self)
{
    const char *const *at = self->environment;
    for (; at && *at; at++)
        if (strncmp(*at, "CONFAB_", 7) == 0)
            read_variable(self, *at);
    read_aliases(self);
}

/* Whether open() failed on the way to a file. */
static bool has_no_way_to(const char *path, int reason)
{
    struct stat status;
    return reason == EACCES && stat(path, &status) < 0;
}

/* A .env file that is not there is none; the environment goes first. Nor is there one for a process that may not look into the working
 * folder: that is a home, say, from which somebody has become the server's user. */
static void read_env_file(loader_t *self)
{
    cf_buf_t content = {0};
    const char *path = self->sources->env_file;
    self->environment = self->sources->environment;
    if (!path)
        return;
    int rc = cf_config_file_load(&content, path, CF_CONFIG_FILE_MAX);
    int reason = errno;
    if (rc == 0 && content.size)
        rc = cf_config_env_join(&self->environment, self->sources->environment,
                                (cf_str_t){(const char *)content.data, (uint32_t)content.size},
                                path, &self->config->strings, self->report);
    else if (rc == CF_EIO && reason != ENOENT && !has_no_way_to(path, reason))
        complain(self, "cannot read '%.200s': %s", path, strerror(reason));
    else if (rc == CF_ERANGE)
        complain(self, "'%.200s' is no file of at most %d bytes", path, CF_CONFIG_FILE_MAX);
    if (rc == CF_ENOMEM)
        self->out_of_memory = true;
    else if (rc == CF_EPROTO)
        self->faults++; /* reported where it was found */
    cf_buf_free(&content);
}

static void read_set(loader_t *self, const char *pair)
{
    char name[CF_CONFIG_NAME_MAX], where[WHERE_MAX];
    const char *equals = strchr(pair, '=');
    if (!equals) {
        complain(self, "--set %.96s: not section.key=value", pair);
        return;
    }
    name_before(name, pair, '=');
    snprintf(where, sizeof where, "--set %.96s", name);
    cf_config_found_t found = cf_config_key_find(CF_CONFIG_BY_NAME, name);
    const char *text = equals + 1;
    if (found.key)
        set_found(self, where, found, &(cf_config_list_t){&text, 1});
    else
        complain_unknown(self, "--set", CF_CONFIG_BY_NAME, name);
}

/* --- all together
 * --------------------------------------------------------------------------------- */

/* RFC 9110, 5.6.2 and 5.5; without a value libcurl would leave the header out and say nothing. That nothing in it
 * is a control character is known. */
static bool is_header(const char *text)
{
    size_t name = strspn(text, "!#$%&'*+-.^_`|~0123456789"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return name > 0 && text[name] == ':' && text[name + 1 + strspn(text + name + 1, " ")];
}

/* What no single key can know. */
static void check_together(loader_t *self)
{
    const cf_config_t *config = self->config;
    if (config->ws_ping_ms >= config->ws_idle_ms)
        complain(self, "ws.ping must be shorter than ws.idle, or quiet clients are cut");
    if (config->gateway_credits_bytes < config->ws_message_max_bytes ||
        config->gateway_credits_bytes < config->http_body_max_bytes)
        complain(self, "gateway.credits_bytes must hold one ws.message_max_bytes and one "
                       "http.body_max_bytes");
    if (config->trace_header[0] && !is_header(config->trace_header))
        complain(self, "trace.header is not of the form Name: value");
    if (config->trace_batch_max > config->trace_queue_max)
        complain(self, "trace.queue_max must hold one trace.batch_max");
    bool has_cert = config->http_tls_cert_file[0], has_key = config->http_tls_key_file[0];
    if (has_cert != has_key)
        complain(self, "http.tls_cert_file and http.tls_key_file need each other");
    if (!has_cert && strcmp(config->auth_cookie_name, "session_id") != 0 &&
        strcmp(config->node_environment, "production") != 0)
        complain(self, "auth.cookie_name __Host-session_id needs http.tls_cert_file, or "
                       "node.environment production behind a proxy that speaks TLS");
    if (config->node_gone_after_ms < 3 * config->node_heartbeat_ms)
        complain(self, "node.gone_after must hold three node.heartbeat");
    if (config->gateway_pool_bytes < config->gateway_credits_bytes)
        complain(self, "gateway.pool_bytes must hold one gateway.credits_bytes");
    if (config->gateway_answer_timeout_ms + config->auth_hash_timeout_ms >=
        config->http_answer_timeout_ms)
        complain(self, "gateway.answer_timeout and auth.hash_timeout together must be shorter than "
                       "http.answer_timeout");
    if (config->rooms_answer_timeout_ms >= config->gateway_answer_timeout_ms ||
        2 * config->auth_answer_timeout_ms >= config->gateway_answer_timeout_ms)
        complain(self, "rooms.answer_timeout and twice auth.answer_timeout must be shorter than "
                       "gateway.answer_timeout");
    if (config->store_readers > config->store_connections_max - 1)
        self->config->store_readers = config->store_connections_max - 1;
}

/* By default the development servers of existing pages are let in; in production nobody who was not named. */
static void close_origins(loader_t *self)
{
    cf_config_t *config = self->config;
    if (strcmp(config->node_environment, "production") == 0 &&
        config->http_allowed_origins.items == self->default_origins.items)
        config->http_allowed_origins.count = 0;
}

/* Whoever put an example's text into production has not made a secret. */
static void check_secrets(loader_t *self)
{
    if (strcmp(self->config->node_environment, "production") != 0)
        return;
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++) {
        const cf_config_key_t *key = &cf_config_keys[i];
        char name[CF_CONFIG_NAME_MAX];
        const char *const *secret = (const void *)((const char *)self->config + key->offset);
        if (key->type != CF_CONFIG_SECRET || !cf_config_is_placeholder(*secret))
            continue;
        cf_config_key_name(key, name);
        complain(self, "%s holds the placeholder of an example", name);
    }
}

/* Servers of one name replace each other in a database: two hosts that were told nothing must not. */
static void finish_node_name(loader_t *self)
{
    char host[CF_NODE_NAME_MAX + 1] = "";
    cf_config_t *config = self->config;
    if (config->node_name[0])
        return;
    gethostname(host, sizeof host - 1); /* one that is too long is cut */
    char *name = cf_arena_take(&config->strings, sizeof host);
    if (name)
        config->node_name = strcpy(name, host[0] ? host : "confab");
    self->out_of_memory |= !name;
}

/* store.url as the server uses it: a file in the data folder unless told otherwise. */
static void finish_store_url(loader_t *self)
{
    static const char *const known[] = {
        "sqlite:", "postgres://", "postgresql://", "memory:",
#ifdef CONFAB_CRASH_POINTS
        "faulty:", /* tests only */
#endif
    };
    cf_config_t *config = self->config;
    if (config->store_url[0] == '\0') {
        static const char form[] = "sqlite:%s/confab.db";
        size_t size = sizeof form + strlen(config->node_data_dir);
        char *url = cf_arena_take(&config->strings, size);
        if (url) {
            snprintf(url, size, form, config->node_data_dir);
            config->store_url = url;
        }
        self->out_of_memory |= !url;
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(config->store_url, known[i], strlen(known[i])) == 0)
            return;
    complain(self, "store.url begins neither with sqlite: nor with postgres://");
}

/* The address in host:port; false: it is a name. */
static bool address_of(const char *listen, uint8_t out[16])
{
    uint32_t bracket = listen[0] == '[';
    uint32_t size = (uint32_t)(strrchr(listen, ':') - listen);
    return cf_network_address(out, (cf_str_t){listen + bracket, size - 2 * bracket});
}

/* What stands for every interface says nobody how to get here. */
static bool is_every_interface(const uint8_t address[16])
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff}, any6[16];
    return memcmp(address, any4, sizeof any4) == 0 || memcmp(address, any6, sizeof any6) == 0;
}

bool cf_config_is_shared_store(const char *url)
{
    return strncmp(url, "postgres", strlen("postgres")) == 0;
}

static void check_replica(loader_t *self)
{
    const cf_config_t *config = self->config;
    if (config->store_replica_url[0] && (!cf_config_is_shared_store(config->store_replica_url) ||
                                         !cf_config_is_shared_store(config->store_url)))
        complain(self, "store.replica_url takes postgres://..., a replica of what store.url is");
}

static void check_mesh(loader_t *self)
{
    const cf_config_t *config = self->config;
    uint8_t address[16];
    size_t gateways = (size_t)config->gateway_count, threads = (size_t)config->rooms_threads_max;
    if (config->mesh_secret_key[0] && !cf_config_is_curve_key(config->mesh_secret_key))
        complain(self, "mesh.secret_key is not a key of `confab token mesh-key`");
    if (config->mesh_endpoint[0] && !cf_config_is_endpoint(config->mesh_endpoint))
        complain(self, "mesh.endpoint: '%.128s' is not tcp://HOST:PORT", config->mesh_endpoint);
    if (!config->mesh_listen[0] && strcmp(config->node_roles, "all") != 0)
        complain(self, "node.roles: '%s' needs mesh.listen, to leave the rest to other nodes",
                 config->node_roles);
    if (!config->mesh_listen[0])
        return;
    if (!cf_config_is_shared_store(config->store_url))
        complain(self, "mesh.listen needs store.url postgres://...: SQLite is for one server");
    if (!config->mesh_secret_key[0])
        complain(self, "mesh.listen needs mesh.secret_key; `confab token mesh-key` makes one");
    if (!address_of(config->mesh_listen, address))
        complain(self, "mesh.listen takes an IP address, not a name");
    else if (!config->mesh_endpoint[0] && is_every_interface(address))
        complain(self, "mesh.listen on every interface needs mesh.endpoint: how others get here");
    size_t handed = CF_ROOMS_MOVING_MAX * (config->rooms_ring_bytes + CF_HANDOVER_MEMBERS_BYTES);
    if (config->mesh_queue_max_bytes < handed ||
        (config->mesh_queue_max_bytes - handed) / gateways <
            config->gateway_pool_bytes + threads * config->rooms_window_bytes)
        complain(self,
                 "mesh.queue_max_bytes must hold, for each gateway, gateway.pool_bytes and "
                 "one rooms.window_bytes for each room thread; and rooms.ring_bytes and 320 "
                 "KiB for each of %d rooms that move",
                 CF_ROOMS_MOVING_MAX);
}

/* Others have as many, as far as can be known here. */
static void check_many_nodes(loader_t *self)
{
    const cf_config_t *config = self->config;
    size_t nodes = config->mesh_allowed_keys.count;
    if (config->mesh_listen[0] && (size_t)config->gateway_count * nodes > CF_GATEWAYS_MAX)
        complain(self, "gateway.count: at most %d of all nodes, of which mesh.allowed_keys has %zu",
                 CF_GATEWAYS_MAX, nodes);
}

int cf_config_load(cf_config_t *out, const cf_config_sources_t *sources, cf_buf_t *report)
{
    *out = (cf_config_t){0};
    loader_t self = {.config = out, .sources = sources, .report = report};
    set_defaults(&self);
    if (self.out_of_memory)
        goto fail; /* the members may still be NULL */
    read_env_file(&self);
    read_file(&self);
    read_environment(&self);
    for (size_t i = 0; i < sources->set_count; i++)
        read_set(&self, sources->sets[i]);
    read_foreign(&self);
    check_together(&self);
    finish_node_name(&self);
    close_origins(&self);
    check_secrets(&self);
    finish_store_url(&self);
    check_replica(&self);
    check_many_nodes(&self);
    check_mesh(&self);
    if (!self.out_of_memory && self.faults == 0)
        return 0;
fail:
    cf_config_free(out);
    return self.out_of_memory ? CF_ENOMEM : CF_ERANGE;
}

void cf_config_free(cf_config_t *config)
{
    cf_arena_free(&config->strings);
    *config = (cf_config_t){0};
}

int cf_config_check(const cf_config_sources_t *sources, cf_config_check_fn *also, FILE *out)
{
    cf_config_t config;
    cf_buf_t report = {0};
    int rc = cf_config_load(&config, sources, &report);
    if (rc == 0 && also)
        rc = also(&config, &report);
    fprintf(out, "%.*s", (int)report.size, report.size ? (char *)report.data : "");
    fputs(rc == 0 ? "OK\n" : rc == CF_ENOMEM ? "out of memory\n" : "", out);
    cf_buf_free(&report);
    cf_config_free(&config);
    return rc == 0 ? 0 : CF_EXIT_CONFIG;
}
