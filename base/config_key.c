#include "config_key.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define CF_CONFIG_NAME_INT(name) name
#define CF_CONFIG_NAME_DURATION(name) name##_ms
#define CF_CONFIG_NAME_SIZE(name) name
#define CF_CONFIG_NAME_BOOL(name) name
#define CF_CONFIG_NAME_TEXT(name) name
#define CF_CONFIG_NAME_SECRET(name) name
#define CF_CONFIG_NAME_CHOICE(name) name
#define CF_CONFIG_NAME_ADDRESS(name) name
#define CF_CONFIG_NAME_URL(name) name
#define CF_CONFIG_NAME_ORIGINS(name) name
#define CF_CONFIG_NAME_NETWORKS(name) name
#define CF_CONFIG_NAME_CURVE_KEYS(name) name
#define CF_CONFIG_NAME_PEERS(name) name

const cf_config_key_t cf_config_keys[CF_CONFIG_KEY_COUNT] = {
#define X(section_, name_, type_, standard_, low_, high_, doc_)                                    \
    {.section = #section_,                                                                         \
     .name = #name_,                                                                               \
     .type = CF_CONFIG_##type_,                                                                    \
     .standard = (standard_),                                                                      \
     .low = (low_),                                                                                \
     .high = (high_),                                                                              \
     .doc = (doc_),                                                                                \
     .offset = offsetof(cf_config_t, CF_CONFIG_NAME_##type_(section_##_##name_))},
    CF_CONFIG_KEYS(X)
#undef X
};

void cf_config_key_name(const cf_config_key_t *key, char *out)
{
    snprintf(out, CF_CONFIG_NAME_MAX, "%s.%s", key->section, key->name);
}

void cf_config_key_variable(const cf_config_key_t *key, char *out)
{
    snprintf(out, CF_CONFIG_NAME_MAX, "CONFAB_%s_%s", key->section, key->name);
    for (char *c = out; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static void name_of(const cf_config_key_t *key, cf_config_naming_t naming, char *out)
{
    if (naming == CF_CONFIG_BY_NAME)
        cf_config_key_name(key, out);
    else
        cf_config_key_variable(key, out);
}

cf_config_found_t cf_config_key_find(cf_config_naming_t naming, const char *name)
{
    const char *suffix = naming == CF_CONFIG_BY_NAME ? "_file" : "_FILE";
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++) {
        const cf_config_key_t *key = &cf_config_keys[i];
        char own[CF_CONFIG_NAME_MAX];
        name_of(key, naming, own);
        size_t length = strlen(own);
        if (strncmp(name, own, length) != 0)
            continue;
        if (name[length] == '\0')
            return (cf_config_found_t){.key = key};
        if (key->type == CF_CONFIG_SECRET && strcmp(name + length, suffix) == 0)
            return (cf_config_found_t){.key = key, .is_file = true};
    }
    return (cf_config_found_t){0};
}

/* Levenshtein's distance; both shorter than CF_CONFIG_NAME_MAX. */
static int edit_distance(const char *a, const char *b)
{
    int row[CF_CONFIG_NAME_MAX]; /* distances of the part of a seen so far to each start of b */
    int length = (int)strlen(b);
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int shorter = row[j - 1] < row[j] ? row[j - 1] : row[j];
            diagonal = row[j];
            row[j] = change < shorter + 1 ? change : shorter + 1;
        }
    }
    return row[length];
}

const cf_config_key_t *cf_config_key_nearest(cf_config_naming_t naming, const char *name,
                                             int *edits)
{
    const cf_config_key_t *nearest = NULL;
    int fewest = (int)strlen(name) / 3 + 1; /* further away it is another word, not a slip */
    if (strlen(name) >= CF_CONFIG_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++) {
        char own[CF_CONFIG_NAME_MAX];
        name_of(&cf_config_keys[i], naming, own);
        int distance = edit_distance(name, own);
        if (distance < fewest) {
            fewest = distance;
            nearest = &cf_config_keys[i];
        }
    }
    *edits = fewest;
    return nearest;
}

bool cf_config_has_section(const char *section)
{
#define X(name, doc)                                                                               \
    if (strcmp(section, #name) == 0)                                                               \
        return true;
    CF_CONFIG_SECTIONS(X)
#undef X
    return false;
}
