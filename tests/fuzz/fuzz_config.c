/* Configuration from all its sources at once: whatever the bytes, cf_config_load() says what is
 * wrong or gives settings within their bounds, and leaks nothing.
 *
 * The input is the YAML file; what stands behind a line "%env" are variables, one per line, and
 * behind
 * "%set" values of --set. Names of files are not taken: the run must not read what it finds. */
#include "config_key.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Splits text into lines that end with NUL; returns how many. */
static size_t split(char *text, const char *lines[LINES_MAX + 1])
{
    size_t count = 0;
    char *line;
    while (count < LINES_MAX && (line = strsep(&text, "\n")))
        lines[count++] = line;
    lines[count] = NULL;
    return count;
}

/* Ends *text before the line `mark` and returns what follows it; an empty text if there is none. */
static char *cut_at(char *text, const char *mark)
{
    static char empty[1];
    char *found = strstr(text, mark);
    if (!found)
        return empty;
    *found = '\0';
    return found + strlen(mark);
}

static void check(const cf_config_t *config)
{
    if (config->gateway_count < 1 || config->gateway_count > 64 || !config->store_url[0] ||
        config->ws_ping_ms >= config->ws_idle_ms || config->http_trusted_proxies.count > 64)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *environment[LINES_MAX + 1], *sets[LINES_MAX + 1];
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (strstr(text, "_file") || strstr(text, "_FILE") || strstr(text, "CONFAB_CONFIG")) {
        free(text);
        return 0;
    }
    char *set_text = cut_at(text, "\n%set\n"), *environment_text = cut_at(text, "\n%env\n");
    split(environment_text, environment);
    /* Without marks the whole input, NULs included, is the file. */
    bool is_plain = !*set_text && !*environment_text;
    cf_config_sources_t sources = {
        .text = {text, (uint32_t)(is_plain ? size : strlen(text))},
        .environment = environment,
        .sets = sets,
        .set_count = *set_text ? split(set_text, sets) : 0,
    };
    cf_config_t config;
    cf_buf_t report = {0};
    int rc = cf_config_load(&config, &sources, &report);
    if (rc == 0)
        check(&config);
    else if (rc == CF_ERANGE && report.size == 0)
        abort(); /* refused without a word */
    cf_buf_free(&report);
    cf_config_free(&config);
    free(text);
    return 0;
}
