/* The named crash points of a write: the process ends there as by kill -9, and the next one finds
 * all of the transaction or nothing of it. Each store lives in a child process. */
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRASHED 137

static cf_post_t rows[3];

static cf_write_t append_write(uint64_t prev)
{
    for (uint64_t i = 0; i < 3; i++)
        rows[i] = (cf_post_t){.seq = prev + 1 + i,
                              .id = POST(prev + 1 + i),
                              .sender = USER(1),
                              .at_us = (int64_t)(prev + 1 + i),
                              .kind = CF_POST_TEXT,
                              .text = cf_str("x"),
                              .client_key = cf_str("")};
    return (cf_write_t){.kind = CF_WRITE_APPEND, .append = {ROOM(1), 1, prev, rows, 3}};
}

/* In a child: opens the store and appends behind prev; with prev 0 it makes user and room before.
 */
static void write_and_exit(uint64_t prev)
{
    cf_write_t writes[] = {
        {.kind = CF_WRITE_CREATE_USER,
         .create_user = {.id = USER(1),
                         .username = cf_str("ann"),
                         .email = cf_str("ann@test.com")}},
        {.kind = CF_WRITE_CREATE_ROOM,
         .create_room = {.id = ROOM(1), .name = cf_str("one"), .creator = USER(1)}},
        {.kind = CF_WRITE_ACTIVATE, .activate.room = ROOM(1)},
        append_write(prev)};
    cf_outcome_t outcomes[4];
    size_t skip = prev == 0 ? 0 : 3;
    cf_store_t *store = place_open(CF_STORE_WRITER, NULL);
    if (!store || store->ops->write(store, writes + skip, 4 - skip, outcomes) < 0)
        _exit(1);
    place_close(store);
    _exit(outcomes[3 - skip].status == CF_VERDICT_STORED ? 0 : 2);
}

static int run_child(const char *crash_at, uint64_t prev)
{
    int status;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        if (crash_at)
            setenv("CONFAB_CRASH_AT", crash_at, 1);
        write_and_exit(prev);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void count_post(void *arg, size_t key, const cf_post_t *post)
{
    (void)key;
    cr_assert_eq(post->seq, ++*(uint64_t *)arg);
}

/* In this process, which passes no crash point itself before the last child was made. */
static uint64_t count_posts(void)
{
    uint64_t count = 0;
    cf_posts_range_t range = {.room = ROOM(1), .from = CF_POSTS_AFTER_SEQ, .limit = 100};
    cf_store_t *reader = place_open(CF_STORE_READER, NULL);
    cr_assert(reader);
    cr_assert_eq(reader->ops->read_posts(reader, &range, 1, count_post, &count, NULL), 0);
    place_close(reader);
    return count;
}

typedef struct {
    backend_t backend;
    char point[24];
    bool committed;
} crash_t;

ParameterizedTestParameters(crash, leaves_all_of_a_transaction_or_nothing)
{
    static crash_t cases[] = {
        {{"sqlite"}, "before_begin", false},    {{"sqlite"}, "after_insert", false},
        {{"sqlite"}, "before_commit", false},   {{"sqlite"}, "after_commit", true},
        {{"postgres"}, "before_begin", false},  {{"postgres"}, "after_insert", false},
        {{"postgres"}, "before_commit", false}, {{"postgres"}, "after_commit", true},
    };
    return cr_make_param_array(crash_t, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(crash_t *crash, crash, leaves_all_of_a_transaction_or_nothing,
                  .fini = place_remove, .timeout = 120)
{
#ifdef CONFAB_CRASH_POINTS
    char at[32];
    if (!place_new(&crash->backend))
        return;
    cr_assert_eq(run_child(NULL, 0), 0);
    snprintf(at, sizeof at, "%s:1", crash->point);
    uint64_t stored = 3;
    for (int round = 0; round < 5; round++) {
        cr_assert_eq(run_child(at, stored), CRASHED, "'%s' was not passed", crash->point);
        stored += crash->committed ? 3 : 0;
        cr_assert_eq(count_posts(), stored);
        cr_assert_eq(run_child(NULL, stored), 0, "the next process cannot go on");
        stored += 3;
        cr_assert_eq(count_posts(), stored);
    }
#else
    (void)crash;
    (void)run_child;
    (void)count_posts;
#endif
}

ParameterizedTestParameters(crash, leaves_a_migration_to_the_next_start)
{
    static backend_t backends[] = {{"sqlite"}, {"postgres"}};
    return cr_make_param_array(backend_t, backends, 2);
}

ParameterizedTest(backend_t *backend, crash, leaves_a_migration_to_the_next_start,
                  .fini = place_remove, .timeout = 120)
{
#ifdef CONFAB_CRASH_POINTS
    if (!place_new(backend))
        return;
    for (int round = 0; round < 5; round++)
        cr_assert_eq(run_child("in_migrate:1", 0), CRASHED);
    cr_assert_eq(run_child(NULL, 0), 0);
    cr_assert_eq(count_posts(), 3);
#else
    (void)backend;
#endif
}
