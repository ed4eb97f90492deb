#include "store.h"
#include "faulty.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix;
    int (*open)(cf_store_t **out, const cf_store_config_t *config);
} backends[] = {
    {"sqlite:", cf_sqlite_open},         {"postgres://", cf_postgres_open},
    {"postgresql://", cf_postgres_open}, {"memory:", cf_memory_open},
#ifdef CONFAB_CRASH_POINTS
    {"faulty:", cf_faulty_open},
#endif
};

int cf_store_open(cf_store_t **out, const cf_store_config_t *config)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strncmp(config->url, backends[i].prefix, strlen(backends[i].prefix)) == 0)
            return backends[i].open(out, config);
    return CF_ERANGE;
}

const char *cf_store_url_for_log(const char *url, char *buffer, size_t size)
{
    const char *slashes = strstr(url, "://");
    if (!slashes) { /* a path or a name: nothing secret in it */
        snprintf(buffer, size, "%s", url);
        return buffer;
    }
    /* The last '@' of all: a password with an unescaped '@', '/' or '?' must not show its tail. */
    const char *head_end = slashes + 3, *at = strrchr(head_end, '@');
    const char *host = at ? at + 1 : head_end;
    snprintf(buffer, size, "%.*s%.*s", (int)(head_end - url), url, (int)strcspn(host, "?#"), host);
    return buffer;
}
