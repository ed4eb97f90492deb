#include "memory_bound.h"

#include "config_key.h"
#include "descriptors.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 100
#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

TestSuite(memory_bound, .init = cf_descriptors_raise, .timeout = 30);

typedef struct {
    cf_memory_term_t terms[CF_MEMORY_TERMS];
    uint32_t n;
} bound_t;

/* With one setting, or with the defaults (NULL), over TLS, with another node and with a number of connections that does not depend on what else
 * takes descriptors. False: it is no setting, or leaves too few of them. */
static bool bound(bound_t *out, const char *set)
{
    cf_config_t config;
    cf_buf_t report = {0};
    bool without_tls = set && strcmp(set, "http.tls_cert_file=") == 0;
    const char *const sets[] = {
        "http.connections_max=100",   "store.url=postgres://u@h/d",
        "mesh.listen=10.0.0.1:7400",  "mesh.secret_key=" KEY,
        "mesh.allowed_keys=" KEY,     "mesh.queue_max_bytes=32GiB",
        "trace.url=http://collector", set ? set : "http.tls_min_version=1.2",
        "http.tls_key_file=key",      "http.tls_cert_file=cert"};
    cf_config_sources_t sources = {.sets = sets, .set_count = without_tls ? 8 : 10};
    int rc = cf_config_load(&config, &sources, &report);
    cf_buf_free(&report);
    if (rc < 0)
        return false;
    bool is_connections = set && strstr(set, "http.connections_max");
    bool can_run = is_connections || cf_descriptors_for_connections(&config) == CONNECTIONS;
    out->n = cf_memory_terms(&config, out->terms);
    cf_config_free(&config);
    return can_run;
}

static uint64_t all_of(const bound_t *self, uint32_t term)
{
    return self->terms[term].bytes * self->terms[term].most;
}

/* Which terms follow this key: by its bounds, by a value in between, as a greatest may be cut, by none, and as it is. */
static void follow(bool follows[CF_MEMORY_TERMS], const bound_t *standard,
                   const cf_config_key_t *key)
{
    const char *const values[] = {key->low, key->high, "10", ""};
    memset(follows, 0, CF_MEMORY_TERMS * sizeof follows[0]);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char name[CF_CONFIG_NAME_MAX], set[2 * CF_CONFIG_NAME_MAX];
        bound_t with;
        cf_config_key_name(key, name);
        snprintf(set, sizeof set, "%s=%s", name, values[i]);
        if (!bound(&with, set))
            continue;
        for (uint32_t term = 0; term < standard->n; term++)
            follows[term] |= all_of(&with, term) != all_of(standard, term);
    }
}

Test(memory_bound, every_term_follows_the_keys_that_it_names)
{
    bound_t standard;
    cr_assert(bound(&standard, NULL));
    for (uint32_t i = 0; i < standard.n; i++) {
        char keys[256];
        snprintf(keys, sizeof keys, "%s", standard.terms[i].keys);
        char *rest = NULL;
        for (char *name = strtok_r(keys, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
            cf_config_found_t found = cf_config_key_find(CF_CONFIG_BY_NAME, name);
            cr_assert(ne(ptr, (void *)found.key, NULL), "%s: no key %s", standard.terms[i].name,
                      name);
            bool follows[CF_MEMORY_TERMS];
            follow(follows, &standard, found.key);
            cr_expect(follows[i], "%s does not follow %s", standard.terms[i].name, name);
        }
    }
}

/* No other key changes a term than those it names. */
Test(memory_bound, every_key_that_changes_a_term_is_named)
{
    bound_t standard;
    cr_assert(bound(&standard, NULL));
    for (size_t k = 0; k < CF_CONFIG_KEY_COUNT; k++) {
        char name[CF_CONFIG_NAME_MAX], spaced[CF_CONFIG_NAME_MAX + 2], keys[256];
        cf_config_key_name(&cf_config_keys[k], name);
        snprintf(spaced, sizeof spaced, " %s ", name);
        bool follows[CF_MEMORY_TERMS];
        follow(follows, &standard, &cf_config_keys[k]);
        for (uint32_t i = 0; i < standard.n; i++) {
            snprintf(keys, sizeof keys, " %s ", standard.terms[i].keys);
            if (!strstr(keys, spaced))
                cr_expect(not(follows[i]), "%s follows %s unsaid", standard.terms[i].name, name);
        }
    }
}

Test(memory_bound, sums_each_owner_by_itself_and_says_when_it_is_too_much)
{
    const cf_memory_term_t terms[] = {{"a", "", 10, 3, false},
                                      {"b", "", 7, 1, true},
                                      {"c", "", 1, 5, false},
                                      {"d", "", UINT64_MAX / 2, 2, false},
                                      {"e", "", 2, 1, false}};
    cr_assert(eq(u64, cf_memory_sum(terms, 3, false), 35));
    cr_assert(eq(u64, cf_memory_sum(terms, 5, true), 7));
    cr_assert(eq(u64, cf_memory_sum(terms, 4, false), UINT64_MAX));
    cr_assert(eq(u64, cf_memory_sum(terms + 3, 2, false), UINT64_MAX));
}

Test(memory_bound, names_each_term_once)
{
    bound_t standard;
    cr_assert(bound(&standard, NULL));
    for (uint32_t i = 0; i < standard.n; i++)
        for (uint32_t j = 0; j < i; j++)
            cr_expect(ne(str, (char *)standard.terms[i].name, (char *)standard.terms[j].name));
}
