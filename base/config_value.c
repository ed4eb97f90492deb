#include "config_value.h"
#include "err.h"
#include "model_limits.h"
#include "utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 64 /* entries of any list */
_Static_assert(LIST_MAX == CF_NODES_MAX, "every node's key fits");

static int refuse(char *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(char *fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault, CF_CONFIG_FAULT_MAX, format, args);
    va_end(args);
    return CF_ERANGE;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* Reads digits at *at and steps over them; false if there are none or they pass INT64_MAX / 1000.
 */
static bool take_digits(const char **at, int64_t *out)
{
    const char *start = *at;
    int64_t value = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        if (value > INT64_MAX / 10000)
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return *at > start;
}

typedef struct {
    const char *suffix;
    int64_t factor;
} unit_t;

/* The factor of the unit that stands at *at up to the next digit; 0 if there is no such unit. */
static int64_t take_unit(const char **at, const unit_t *units)
{
    size_t length = strcspn(*at, "0123456789");
    for (; units->suffix; units++)
        if (strlen(units->suffix) == length && strncmp(*at, units->suffix, length) == 0) {
            *at += length;
            return units->factor;
        }
    return 0;
}

/* Reads one or more numbers with units, or one bare number. */
static int take_with_units(int64_t *out, const char *text, const unit_t *units, int64_t bare)
{
    int64_t total = 0, number;
    const char *at = text;
    do {
        if (!take_digits(&at, &number))
            return CF_EPROTO;
        bool is_bare = *at == '\0' && total == 0;
        int64_t factor = is_bare ? bare : take_unit(&at, units);
        if (factor == 0 || number > (INT64_MAX - total) / factor)
            return CF_EPROTO;
        total += number * factor;
    } while (*at);
    *out = total;
    return 0;
}

int cf_config_take_duration(int64_t *out, const char *text)
{
    static const unit_t units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                   {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    return take_with_units(out, text, units, 1000);
}

int cf_config_take_size(int64_t *out, const char *text)
{
    static const unit_t units[] = {
        {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
    return take_with_units(out, text, units, 1);
}

static int take_int(int64_t *out, const char *text)
{
    bool negative = text[0] == '-';
    const char *at = text + (negative || text[0] == '+');
    int64_t value;
    if (!take_digits(&at, &value) || *at)
        return CF_EPROTO;
    *out = negative ? -value : value;
    return 0;
}

/* --- one function per type ------------------------------------------------------------------- */

typedef struct {
    cf_config_t *config;
    const cf_config_key_t *key;
    const char *text;             /* of a single value */
    const cf_config_list_t *list; /* of a list */
    void *member;
    char *fault;
} setting_t;

typedef int set_fn(const setting_t *set);
typedef int number_fn(int64_t *out, const char *text);

/* The text copied to live as long as the config; NULL: no memory. */
static const char *keep(const setting_t *set, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = cf_arena_take(&set->config->strings, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static int keep_text(const setting_t *set, const char *text)
{
    const char *copy = keep(set, text);
    if (!copy)
        return CF_ENOMEM;
    *(const char **)set->member = copy;
    return 0;
}

static int take_number(const setting_t *set, number_fn *take, const char *what, int64_t *out)
{
    int64_t low = 0, high = 0, value;
    take(&low, set->key->low);
    take(&high, set->key->high);
    if (take(&value, set->text) < 0)
        return refuse(set->fault, "'%.64s' is not %s", set->text, what);
    if (value < low || value > high)
        return refuse(set->fault, "%.64s is outside %s..%s", set->text, set->key->low,
                      set->key->high);
    *out = value;
    return 0;
}

static int set_int(const setting_t *set)
{
    int64_t value;
    int rc = take_number(set, take_int, "a whole number", &value);
    if (rc == 0)
        *(int *)set->member = (int)value;
    return rc;
}

static int set_duration(const setting_t *set)
{
    return take_number(set, cf_config_take_duration, "a duration (10s, 500ms, 1m30s, 24h)",
                       set->member);
}

static int set_size(const setting_t *set)
{
    int64_t value;
    int rc = take_number(set, cf_config_take_size, "a size (4096, 16KiB, 1MiB)", &value);
    if (rc == 0)
        *(size_t *)set->member = (size_t)value;
    return rc;
}

static int set_bool(const setting_t *set)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(set->text, words[i]) == 0) {
            *(bool *)set->member = i % 2;
            return 0;
        }
    return refuse(set->fault, "'%.64s' is neither true nor false", set->text);
}

static int set_text(const setting_t *set)
{
    int64_t low = 0, high = 0, length = (int64_t)strlen(set->text);
    take_int(&low, set->key->low);
    take_int(&high, set->key->high);
    if (length < low)
        return refuse(set->fault, "may not be %s", length == 0 ? "empty" : "this short");
    if (length > high)
        return refuse(set->fault, "is longer than %s bytes", set->key->high);
    return keep_text(set, set->text);
}

/* key->low is "a|b|c=a": each word stands for itself or for what follows its '='. */
static int set_choice(const setting_t *set)
{
    char words[128];
    char *rest = words, *word;
    snprintf(words, sizeof words, "%s", set->key->low);
    while ((word = strsep(&rest, "|"))) {
        char *meant = strchr(word, '=');
        if (meant)
            *meant++ = '\0';
        if (strcasecmp(word, set->text) == 0)
            return keep_text(set, meant ? meant : word);
    }
    return refuse(set->fault, "'%.64s' is not one of %s", set->text, set->key->low);
}

/* The port behind the last colon; -1 if text is not host:port. */
static int port_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || !isdigit((unsigned char)colon[1]) ||
        take_int(&port, colon + 1) < 0 || port > 65535)
        return -1;
    return (int)port;
}

static int set_address(const setting_t *set)
{
    const char *text = set->text, *colon = strrchr(text, ':');
    bool may_be_empty = set->key->low[0] == '0';
    bool is_v6 = text[0] == '[' && colon && colon[-1] == ']';
    bool is_other = text[0] != '[' && colon && strchr(text, ':') == colon;
    if (text[0] == '\0' && may_be_empty)
        return keep_text(set, "");
    if (port_of(text) < 0 || !(is_v6 || is_other) || strpbrk(text, " \t/@"))
        return refuse(set->fault, "'%.64s' is not host:port (127.0.0.1:8080, [::1]:8080)", text);
    return set_text(set);
}

/* Exactly what a browser puts into Origin: scheme, host and port, nothing behind it. */
static bool is_origin(const char *text)
{
    const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
                       : strncmp(text, "https://", 8) == 0 ? text + 8
                                                           : "";
    if (host[0] == '\0' || host[0] == ':' || strpbrk(host, "/?#@ \t\\*,") || strlen(text) > 255)
        return false;
    const char *bracket = strrchr(host, ']'), *colon = strchr(bracket ? bracket : host, ':');
    return !colon || port_of(host) > 0;
}

/* A list of texts that are each `what`. */
static int set_texts(const setting_t *set, bool (*is_one)(const char *text), const char *what)
{
    const char **items =
        cf_arena_take(&set->config->strings, (set->list->count + 1) * sizeof *items);
    if (!items)
        return CF_ENOMEM;
    for (size_t i = 0; i < set->list->count; i++) {
        if (!is_one(set->list->items[i]))
            return refuse(set->fault, "'%.64s' is not %s", set->list->items[i], what);
        if (!(items[i] = keep(set, set->list->items[i])))
            return CF_ENOMEM;
    }
    *(cf_config_list_t *)set->member = (cf_config_list_t){items, set->list->count};
    return 0;
}

static bool is_origin_or_any(const char *text)
{
    return strcmp(text, "*") == 0 || is_origin(text);
}

static int set_origins(const setting_t *set)
{
    return set_texts(set, is_origin_or_any, "an origin (https://chat.example.org)");
}

/* An origin and perhaps a path, of which slashes at the end are dropped. */
static int set_url(const setting_t *set)
{
    char url[256];
    const char *slashes = strstr(set->text, "://"), *path;
    size_t length = strlen(set->text);
    if (length == 0 && set->key->low[0] == '0')
        return keep_text(set, "");
    while (length && set->text[length - 1] == '/')
        length--;
    path = slashes ? strchr(slashes + 3, '/') : NULL;
    snprintf(url, sizeof url, "%.*s", path ? (int)(path - set->text) : (int)length, set->text);
    if (!is_origin(url) || length >= sizeof url || strpbrk(set->text, "?#@ \\"))
        return refuse(set->fault, "'%.64s' is not a URL (https://quotes.example.org/path)",
                      set->text);
    snprintf(url, sizeof url, "%.*s", (int)length, set->text);
    return keep_text(set, url);
}

static int set_networks(const setting_t *set)
{
    cf_network_t *items =
        cf_arena_take(&set->config->strings, (set->list->count + 1) * sizeof *items);
    if (!items)
        return CF_ENOMEM;
    for (size_t i = 0; i < set->list->count; i++)
        if (cf_network_parse(&items[i], set->list->items[i]) < 0)
            return refuse(set->fault, "'%.64s' is not an address or range (10.0.0.0/8, ::1)",
                          set->list->items[i]);
    *(cf_config_networks_t *)set->member = (cf_config_networks_t){items, set->list->count};
    return 0;
}

bool cf_config_is_curve_key(const char *text)
{
    static const char signs[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                ".-:+=^!/*?&<>()[]{}@%$#";
    size_t length = strlen(text);
    uint64_t group = 0; /* five signs are four bytes */
    for (size_t i = 0; i < length; i++) {
        const char *sign = strchr(signs, text[i]);
        if (!sign)
            return false;
        group = (i % 5 ? group * 85 : 0) + (uint64_t)(sign - signs);
        if (group > UINT32_MAX)
            return false;
    }
    return length == CF_NODE_KEY_SIZE;
}

static int set_curve_keys(const setting_t *set)
{
    return set_texts(set, cf_config_is_curve_key, "a key of `confab token mesh-key`");
}

bool cf_config_is_endpoint(const char *text)
{
    const char *host = text + strlen("tcp://"), *colon = strrchr(text, ':');
    if (strncmp(text, "tcp://", strlen("tcp://")) != 0 || colon <= host || strpbrk(text, " ;*@"))
        return false;
    return port_of(host) > 0 && strlen(text) <= CF_NODE_ENDPOINT_MAX;
}

static bool is_peer(const char *text)
{
    size_t name = strcspn(text, "=");
    return name > 0 && name <= CF_NODE_NAME_MAX && text[name] == '=' &&
           cf_config_is_endpoint(text + name + 1);
}

static int set_peers(const setting_t *set)
{
    return set_texts(set, is_peer, "NAME=tcp://HOST:PORT");
}

static const struct {
    set_fn *set;
    bool is_list;
} types[] = {
    [CF_CONFIG_INT] = {set_int, false},        [CF_CONFIG_DURATION] = {set_duration, false},
    [CF_CONFIG_SIZE] = {set_size, false},      [CF_CONFIG_BOOL] = {set_bool, false},
    [CF_CONFIG_TEXT] = {set_text, false},      [CF_CONFIG_SECRET] = {set_text, false},
    [CF_CONFIG_CHOICE] = {set_choice, false},  [CF_CONFIG_ADDRESS] = {set_address, false},
    [CF_CONFIG_ORIGINS] = {set_origins, true}, [CF_CONFIG_NETWORKS] = {set_networks, true},
    [CF_CONFIG_URL] = {set_url, false},        [CF_CONFIG_CURVE_KEYS] = {set_curve_keys, true},
    [CF_CONFIG_PEERS] = {set_peers, true},
};

/* --- lists and text -------------------------------------------------------------------------- */

/* Adds the entries of a comma list, trimmed, without empty ones. Returns 0, CF_EFULL or CF_ENOMEM.
 */
static int split(cf_config_t *config, const char *text, const char **items, size_t *count)
{
    size_t size = strlen(text) + 1;
    char *rest = cf_arena_take(&config->strings, size), *item;
    if (!rest)
        return CF_ENOMEM;
    memcpy(rest, text, size);
    while ((item = strsep(&rest, ","))) {
        item += strspn(item, " \t");
        size_t length = strlen(item);
        while (length && strchr(" \t", item[length - 1]))
            item[--length] = '\0';
        if (length == 0)
            continue;
        if (*count == LIST_MAX)
            return CF_EFULL;
        items[(*count)++] = item;
    }
    return 0;
}

static int set_list(setting_t set, const cf_config_list_t *value)
{
    const char *items[LIST_MAX];
    cf_config_list_t list = {.items = items};
    for (size_t i = 0; i < value->count; i++) {
        int rc = split(set.config, value->items[i], items, &list.count);
        if (rc == CF_EFULL)
            return refuse(set.fault, "more than %d entries", LIST_MAX);
        if (rc < 0)
            return rc;
    }
    set.list = &list;
    return types[set.key->type].set(&set);
}

static bool is_clean(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    return cf_utf8_valid(text, strlen(text));
}

int cf_config_value_set(cf_config_t *config, const cf_config_key_t *key,
                        const cf_config_list_t *value, char *fault)
{
    setting_t set = {.config = config, .key = key, .fault = fault};
    set.member = (char *)config + key->offset;
    for (size_t i = 0; i < value->count; i++)
        if (!is_clean(value->items[i]))
            return refuse(fault, "holds a control character or ill-formed UTF-8");
    if (types[key->type].is_list)
        return set_list(set, value);
    if (value->count != 1)
        return refuse(fault, "takes one value, not a list");
    set.text = value->items[0];
    return types[key->type].set(&set);
}
