#include "config_env.h"
#include "err.h"

#include <ctype.h>
#include <string.h>

typedef struct {
    const char **items;
    size_t count;
    const char *const *environment;
    cf_arena_t *arena;
} joined_t;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static cf_str_t trim(cf_str_t text)
{
    while (text.size && (is_blank(*text.bytes)))
        text.bytes++, text.size--;
    while (text.size && (is_blank(text.bytes[text.size - 1]) || text.bytes[text.size - 1] == '\r'))
        text.size--;
    return text;
}

static bool is_name(cf_str_t name)
{
    for (uint32_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        if (c != '_' && !isalpha(c) && (i == 0 || !isdigit(c)))
            return false;
    }
    return name.size > 0;
}

static bool has(const char *const *list, size_t count, cf_str_t name)
{
    for (size_t i = 0; list && i < count && list[i]; i++)
        if (strncmp(list[i], name.bytes, name.size) == 0 && list[i][name.size] == '=')
            return true;
    return false;
}

/* Only blanks or a comment may follow a closing quote. */
static bool is_rest(cf_str_t rest)
{
    rest = trim(rest);
    return rest.size == 0 || *rest.bytes == '#';
}

/* Writes the value to `to`, which takes value.size bytes; returns its size or CF_EPROTO. */
static int64_t unquote(char *to, cf_str_t value)
{
    char quote = value.size ? *value.bytes : '\0';
    uint32_t n = 0, i = 1;
    if (quote != '\'' && quote != '"') {
        for (i = 0; i < value.size; i++)
            if (value.bytes[i] == '#' && (i == 0 || is_blank(value.bytes[i - 1])))
                break;
        value = trim((cf_str_t){value.bytes, i});
        memcpy(to, value.size ? value.bytes : "", value.size);
        return value.size;
    }
    for (; i < value.size && value.bytes[i] != quote; i++) {
        char c = value.bytes[i];
        if (c == '\\' && quote == '"' && i + 1 < value.size && strchr("\"\\n", value.bytes[i + 1]))
            c = value.bytes[++i] == 'n' ? '\n' : value.bytes[i];
        to[n++] = c;
    }
    if (i == value.size || !is_rest((cf_str_t){value.bytes + i + 1, value.size - i - 1}))
        return CF_EPROTO;
    return n;
}

/* Returns 0; CF_EPROTO; CF_EFULL; CF_ENOMEM. */
static int add(joined_t *self, cf_str_t name, cf_str_t value)
{
    char *pair = cf_arena_take(self->arena, (size_t)name.size + value.size + 2);
    if (!pair)
        return CF_ENOMEM;
    memcpy(pair, name.bytes, name.size);
    pair[name.size] = '=';
    int64_t size = unquote(pair + name.size + 1, value);
    if (size < 0 || memchr(pair + name.size + 1, '\0', (size_t)size))
        return CF_EPROTO;
    if (has(self->environment, SIZE_MAX, name) || has(self->items, self->count, name))
        return 0; /* of two lines in the file the first counts */
    if (self->count == CF_CONFIG_ENV_MAX)
        return CF_EFULL;
    self->items[self->count++] = pair;
    return 0;
}

static int read_line(joined_t *self, cf_str_t line)
{
    static const char export_[] = "export ";
    line = trim(line);
    if (line.size == 0 || *line.bytes == '#')
        return 0;
    if (line.size > sizeof export_ && memcmp(line.bytes, export_, sizeof export_ - 1) == 0)
        line = trim(
            (cf_str_t){line.bytes + sizeof export_ - 1, line.size - (uint32_t)sizeof export_ + 1});
    const char *equals = memchr(line.bytes, '=', line.size);
    if (!equals)
        return CF_EPROTO;
    uint32_t size = (uint32_t)(equals - line.bytes);
    cf_str_t name = trim((cf_str_t){line.bytes, size});
    cf_str_t value = trim((cf_str_t){equals + 1, line.size - size - 1});
    return is_name(name) ? add(self, name, value) : CF_EPROTO;
}

static int read_lines(joined_t *self, cf_str_t text, const char *name, cf_buf_t *report)
{
    const char *at = text.bytes, *end = text.bytes + text.size;
    for (size_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        int rc = read_line(self, (cf_str_t){at, (uint32_t)(stop - at)});
        if (rc == CF_EPROTO || rc == CF_EFULL) {
            const char *why = rc == CF_EPROTO ? "not NAME=value" : "too many variables";
            return cf_buf_addf(report, "%s:%zu: %s\n", name, number, why) < 0 ? CF_ENOMEM
                                                                              : CF_EPROTO;
        }
        if (rc < 0)
            return rc;
        at = stop + 1;
    }
    return 0;
}

int cf_config_env_join(const char *const **out, const char *const *environment, cf_str_t text,
                       const char *name, cf_arena_t *arena, cf_buf_t *report)
{
    size_t count = 0;
    while (environment && environment[count])
        count++;
    joined_t self = {.environment = environment, .arena = arena};
    const char **all = cf_arena_take(arena, (count + CF_CONFIG_ENV_MAX + 1) * sizeof *all);
    if (!all)
        return CF_ENOMEM;
    if (count)
        memcpy(all, environment, count * sizeof *all);
    self.items = all + count;
    int rc = read_lines(&self, text, name, report);
    if (rc == 0)
        *out = all;
    return rc;
}
