/* Looking hosts up, with a resolver of the test's own: this file's getaddrinfo is everybody's. */
#include "clock.h"
#include "lookup.h"
#include "store_fixture.h"
#include "wait.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 40
#define SECOND_US INT64_C(1000000)

static pthread_t asker; /* the test's thread, on which nothing may be looked up */
static int held[2];     /* "slow.test" waits for a byte or the end of this pipe */

static struct addrinfo *entry(int family, const char *address, struct addrinfo *next)
{
    struct addrinfo *at = calloc(1, sizeof *at + sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(at + 1);
    struct sockaddr_in *four = (struct sockaddr_in *)(at + 1);
    *at = (struct addrinfo){.ai_family = family,
                            .ai_addr = (struct sockaddr *)(at + 1),
                            .ai_addrlen = family == AF_INET ? sizeof *four : sizeof *six,
                            .ai_next = next};
    at->ai_addr->sa_family = (sa_family_t)family;
    inet_pton(family, address,
              family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr);
    return at;
}

static int is_numeric(const char *name)
{
    struct in6_addr any;
    return inet_pton(AF_INET, name, &any) == 1    ? AF_INET
           : inet_pton(AF_INET6, name, &any) == 1 ? AF_INET6
                                                  : 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    char byte;
    int family = name ? is_numeric(name) : 0;
    if (family) {
        *out = entry(family, name, NULL);
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)(*out)->ai_addr;
        six->sin6_port = htons((uint16_t)(service ? strtol(service, NULL, 10) : 0)); /* as IPv4's */
        (*out)->ai_socktype = SOCK_STREAM;
        return 0;
    }
    if (hints && hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    if (pthread_equal(pthread_self(), asker))
        abort();
    if (strcmp(name, "slow.test") == 0 && read(held[0], &byte, 1) < 0)
        abort();
    *out = NULL;
    if (strcmp(name, "many.test") == 0) {
        for (int i = 0; i < MANY; i++)
            *out = entry(AF_INET, "10.0.0.9", *out);
        return 0;
    }
    if (strcmp(name, "both.test") == 0)
        *out = entry(AF_INET, "10.0.0.1", entry(AF_INET6, "fd00::1", NULL));
    if (strcmp(name, "slow.test") == 0)
        *out = entry(AF_INET, "127.0.0.1", NULL);
    return *out ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static void start(void)
{
    asker = pthread_self();
    cr_assert(eq(int, pipe(held), 0));
}

static cf_lookup_answer_t answer;

static int look_up(const char *hosts, const char *ports)
{
    cf_lookup_t *lookup;
    cr_assert(eq(int, cf_lookup_start(&lookup, hosts, ports), 0));
    cr_assert(eq(int, cf_wait(&(cf_store_wait_t){0}, cf_lookup_fd(lookup), false, INT64_MAX), 0));
    int rc = cf_lookup_take(&lookup, &answer);
    cr_assert(lookup == NULL);
    return rc;
}

TestSuite(lookup, .init = start, .timeout = 60);

Test(lookup, is_needed_where_there_is_a_name)
{
    static const char *const without[] = {"",          "127.0.0.1",      "::1", "/tmp",
                                          "@abstract", "127.0.0.1,/tmp", ",,",  "127.0.0.1,::1"};
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        cr_expect(eq(int, cf_lookup_is_needed(without[i], ""), false), "%s", without[i]);
    cr_expect(cf_lookup_is_needed("both.test", ""));
    cr_expect(cf_lookup_is_needed("127.0.0.1,both.test", "1,2"));
    cr_expect(cf_lookup_is_needed("127.0.0.1,both.test", "1"));
    /* libpq's own words about it are the better ones */
    cr_expect(eq(int, cf_lookup_is_needed("127.0.0.1,both.test", "1,2,3"), false));
}

Test(lookup, gives_an_entry_for_each_address_and_leaves_the_rest)
{
    cr_assert(eq(int, look_up("both.test,/tmp,none.test,10.0.0.3", "1,2,3,4"), 0));
    cr_assert(eq(str, answer.hosts, "both.test,both.test,/tmp,10.0.0.3"));
    cr_assert(eq(str, answer.addresses, "10.0.0.1,fd00::1,,"));
    cr_assert(eq(str, answer.ports, "1,1,2,4"));
    cr_assert(eq(str, answer.reason, "none.test: Name or service not known"));
}

Test(lookup, leaves_one_port_for_all)
{
    cr_assert(eq(int, look_up("both.test", "5432"), 0));
    cr_assert(eq(str, answer.hosts, "both.test,both.test"));
    cr_assert(eq(str, answer.ports, ""));
    cr_assert(eq(str, answer.reason, ""));
}

Test(lookup, says_why_there_is_no_address)
{
    cr_assert(eq(int, look_up("none.test", ""), CF_ENOENT));
    cr_assert(eq(str, answer.reason, "none.test: Name or service not known"));
}

Test(lookup, keeps_a_bounded_number_of_addresses)
{
    cr_assert(eq(int, look_up("many.test,both.test", "1,2"), 0));
    int commas = 0;
    for (const char *at = answer.addresses; *at; at++)
        commas += *at == ',';
    cr_assert(eq(int, commas + 1, CF_LOOKUP_ENTRIES_MAX));
    cr_assert(strstr(answer.hosts, "both.test") == NULL);
}

Test(lookup, asks_nobody_for_a_name_that_is_too_long)
{
    char name[CF_LOOKUP_NAME_MAX + 2], longest[CF_LOOKUP_NAME_MAX + 20];
    memset(name, 'a', sizeof name);
    name[CF_LOOKUP_NAME_MAX + 1] = '\0';
    cr_assert(eq(int, look_up(name, ""), CF_ENOENT));
    name[CF_LOOKUP_NAME_MAX] = '\0';
    snprintf(longest, sizeof longest, "/%.254s,both.test", name); /* a path that long stays */
    cr_assert(eq(int, look_up(longest, ""), 0));
    cr_assert(eq(int, (int)(strchr(answer.hosts, ',') - answer.hosts), CF_LOOKUP_NAME_MAX));
}

static int threads(void)
{
    int n = -2; /* . and .. */
    DIR *folder = opendir("/proc/self/task");
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

Test(lookup, that_hangs_is_left_alone_and_ends_by_itself)
{
    cf_lookup_t *lookup;
    int before = threads();
    cr_assert(eq(int, cf_lookup_start(&lookup, "slow.test", ""), 0));
    cr_assert(eq(int, threads(), before + 1));
    cr_assert(eq(int, cf_wait(&(cf_store_wait_t){0}, cf_lookup_fd(lookup), false, 0), CF_ETIME));
    cf_lookup_destroy(&lookup);
    cr_assert(lookup == NULL);
    cr_assert(eq(i64, write(held[1], "x", 1), 1));
    while (threads() > before)
        ; /* ends with the suite's time limit */
}

/* --- with a store ------------------------------------------------------------------------------
 */

static char by_name[600];

/* The URL of the test's database with "slow.test" in place of its host. */
static bool open_database(void)
{
    start();
    if (!place_new(&every_store[2]))
        return false;
    const char *url = place_url(), *host = strstr(url, "127.0.0.1");
    cr_assert(host != NULL);
    snprintf(by_name, sizeof by_name, "%.*sslow.test%s", (int)(host - url), url, host + 9);
    return true;
}

static int open_store(cf_store_t **out, cf_lookup_t **lookup)
{
    return cf_store_open(out, &(cf_store_config_t){.url = by_name,
                                                   .role = CF_STORE_WRITER,
                                                   .statement_ms = 500,
                                                   .key_ttl_us = 600 * SECOND_US,
                                                   .lookup = lookup});
}

Test(lookup_store, an_open_waits_for_the_look_up_that_the_one_before_left, .fini = place_remove,
     .timeout = 60)
{
    cf_store_t *store;
    cf_lookup_t *lookup = NULL;
    if (!open_database())
        return;
    int before = threads();
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, open_store(&store, &lookup), CF_EIO));
        cr_assert(lookup != NULL);
        cr_assert(eq(int, threads(), before + 1)); /* one, however often */
    }
    cr_assert(eq(int, close(held[1]), 0)); /* no look-up hangs from here on */
    while (open_store(&store, &lookup) < 0)
        ;
    cr_assert(lookup == NULL);
    cr_assert(eq(int, store->ops->ping(store), 0));
    store->ops->close(store);
}

Test(lookup_store, a_store_leaves_nothing_behind_where_nobody_takes_it, .fini = place_remove,
     .timeout = 60)
{
    cf_store_t *store;
    if (!open_database())
        return;
    int before = threads();
    cr_assert(eq(int, open_store(&store, NULL), CF_EIO));
    cr_assert(eq(int, close(held[1]), 0));
    while (threads() > before)
        ;
}
