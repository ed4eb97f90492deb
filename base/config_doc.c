#include "config.h"
#include "config_foreign.h"
#include "config_key.h"

#include <string.h>

static const char preface[] =
    "# Configuration\n"
    "\n"
    "This page is printed by `confab config-doc`; a test keeps it current.\n"
    "\n"
    "Every setting has a default; `confab serve` needs none. A value comes from, strongest first:\n"
    "\n"
    "1. `--set section.key=value` on the command line,\n"
    "2. the environment: `CONFAB_<SECTION>_<KEY>`, for example `CONFAB_HTTP_LISTEN`; a variable "
    "set\n"
    "   to nothing counts as not set,\n"
    "3. the same names in a file `.env` in the working folder, which never override a variable "
    "that is set,\n"
    "4. the YAML file given with `--config` or `CONFAB_CONFIG`,\n"
    "5. the default.\n"
    "\n"
    "```yaml\n"
    "http:\n"
    "  listen: 0.0.0.0:8080\n"
    "  allowed_origins: [https://chat.example.org]\n"
    "store:\n"
    "  url_file: /run/secrets/store-url\n"
    "shutdown:\n"
    "  timeout: 20s\n"
    "```\n"
    "\n"
    "`confab check-config` reads all of it, prints `OK` or every fault with its line or variable, "
    "and\n"
    "exits with 0 or 78, as `confab serve` does before it starts anything. An unknown key is a "
    "fault;\n"
    "the nearest known one is suggested. An unknown variable is one when it names one of the "
    "sections\n"
    "below or is a slip away from a known one; other `CONFAB_` variables get a warning, as\n"
    "orchestrators make such names from the name of a service.\n"
    "\n"
    "In production (`node.environment`) a secret that holds the placeholder of an example is a "
    "fault.\n"
    "\n"
    "- **Durations** are numbers with a unit, `500ms`, `10s`, `1m30s`, `24h`, `7d`; a bare number "
    "is\n"
    "  seconds.\n"
    "- **Sizes** are `64KiB`, `1MiB`, `4GiB`; a bare number is bytes.\n"
    "- **Lists** are YAML lists, or one text with commas.\n"
    "- **Secrets** are never shown. Each has a companion `<key>_file` (`CONFAB_..._FILE`) that "
    "names a\n"
    "  file holding the value; its last line feed is cut. Give one of the two.\n"
    "\n"
    "The file is read with libyaml, event by event, into one table that also holds defaults, "
    "bounds,\n"
    "variables and this page (`base/config_keys.h`). A schema-driven loader such as libcyaml "
    "would\n"
    "serve the file alone: the environment, the suggestions and the line numbers would need a "
    "second\n"
    "table, and the two would drift apart.\n";

static const char *type_text(cf_config_type_t type)
{
    static const char *const texts[] = {
        [CF_CONFIG_INT] = "number",
        [CF_CONFIG_DURATION] = "duration",
        [CF_CONFIG_SIZE] = "size",
        [CF_CONFIG_BOOL] = "true or false",
        [CF_CONFIG_TEXT] = "text",
        [CF_CONFIG_SECRET] = "secret",
        [CF_CONFIG_CHOICE] = "choice",
        [CF_CONFIG_ADDRESS] = "host:port",
        [CF_CONFIG_URL] = "URL",
        [CF_CONFIG_ORIGINS] = "list of origins",
        [CF_CONFIG_NETWORKS] = "list of networks",
        [CF_CONFIG_CURVE_KEYS] = "list of keys",
        [CF_CONFIG_PEERS] = "list",
    };
    return texts[type];
}

/* The words of a choice: "a|b=c" as "a, b (= c)"; a bar would end the table's cell. */
static void print_choices(FILE *out, const char *words)
{
    for (; *words; words++)
        if (*words == '|')
            fputs(", ", out);
        else if (*words == '=')
            fputs(" = ", out);
        else
            fputc(*words, out);
}

static void print_bounds(FILE *out, const cf_config_key_t *key)
{
    switch (key->type) {
    case CF_CONFIG_CHOICE:
        print_choices(out, key->low);
        break;
    case CF_CONFIG_BOOL:
        break;
    case CF_CONFIG_TEXT:
    case CF_CONFIG_SECRET:
    case CF_CONFIG_ADDRESS:
    case CF_CONFIG_URL:
        fprintf(out, "%s..%s bytes", key->low, key->high);
        break;
    case CF_CONFIG_ORIGINS:
    case CF_CONFIG_NETWORKS:
    case CF_CONFIG_CURVE_KEYS:
    case CF_CONFIG_PEERS:
        fprintf(out, "at most %s", key->high);
        break;
    default:
        fprintf(out, "%s..%s", key->low, key->high);
    }
}

static void print_key(FILE *out, const cf_config_key_t *key)
{
    fprintf(out, "| `%s` | %s | ", key->name, type_text(key->type));
    fprintf(out, key->standard[0] ? "`%s` | " : "empty%s | ", key->standard);
    print_bounds(out, key);
    fprintf(out, " | %s |\n", key->doc);
}

static void print_section(FILE *out, const char *section, const char *doc)
{
    fprintf(out, "\n## %s\n\n%s\n\n", section, doc);
    fputs("| key | type | default | bounds | what it does |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++)
        if (strcmp(cf_config_keys[i].section, section) == 0)
            print_key(out, &cf_config_keys[i]);
}

static void print_aliases(FILE *out)
{
    fputs(
        "\n## Other names\n\n"
        "Variables that the contracts know by another name. They count when the `CONFAB_` variable "
        "is not\nset; of several the first in this table, but lists of origins add up.\n\n"
        "| variable | setting |\n|---|---|\n"
        "| `PORT`, `HOST` | `http.listen`; `PORT` alone listens on every interface |\n",
        out);
#define X(variable, section, key) fprintf(out, "| `%s` | `%s.%s` |\n", #variable, #section, #key);
    CF_CONFIG_ALIASES(X)
#undef X
    fputs(
        "\nThese mean nothing here. They are taken with a line in the log, so that an environment "
        "made "
        "for\nanother server does, but a malformed value is a fault.\n\n| variable | why it is not "
        "needed |\n|---|---|\n",
        out);
    for (size_t i = 0; cf_config_foreign(i); i++)
        fprintf(out, "| `%s` | %s |\n", cf_config_foreign(i)->variable, cf_config_foreign(i)->why);
}

void cf_config_doc(FILE *out)
{
    fputs(preface, out);
#define X(section, doc) print_section(out, #section, doc);
    CF_CONFIG_SECTIONS(X)
#undef X
    print_aliases(out);
}
