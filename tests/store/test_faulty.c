/* The faulty wrapper, scripted from outside by its file. */
#include "faulty.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const backend_t faulty = {"faulty"};
static cf_store_t *store;

static void script(const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/faults", place_folder());
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

static void open_filled(void)
{
    cr_assert(place_new(&faulty));
    store = place_open_ms(CF_STORE_WRITER, 50, NULL);
    cr_assert(store);
    place_fill(store);
}

TestSuite(faulty, .init = open_filled, .fini = place_remove, .timeout = 60);

static cf_verdict_status_t append(uint64_t seq)
{
    cf_post_t row = {.seq = seq,
                     .id = POST(seq),
                     .sender = USER(1),
                     .at_us = (int64_t)seq,
                     .kind = CF_POST_TEXT,
                     .text = cf_str("x")};
    cf_write_t write = {.kind = CF_WRITE_APPEND, .append = {ROOM(1), 1, seq - 1, &row, 1}};
    cf_outcome_t outcome;
    store->ops->write(store, &write, 1, &outcome);
    return outcome.status;
}

static int activate(void)
{
    cf_write_t write = {.kind = CF_WRITE_ACTIVATE, .activate.room = ROOM(1)};
    cf_outcome_t outcome;
    store->ops->write(store, &write, 1, &outcome);
    return outcome.rc;
}

static void on_user(void *arg, size_t key, const cf_user_t *user)
{
    (void)arg, (void)key, (void)user;
}

static int read_user(void)
{
    cf_user_key_t key = {.by = CF_USER_BY_ID, .id = USER(1)};
    return store->ops->find_users(store, &key, 1, on_user, NULL);
}

Test(faulty, is_opened_by_url_in_test_builds_only)
{
    cf_store_config_t config = {.url = place_url(), .statement_ms = 50};
    cf_store_t *other = NULL;
    int rc = cf_store_open(&other, &config);
#ifdef CONFAB_CRASH_POINTS
    cr_assert_eq(rc, 0);
    other->ops->close(other);
#else
    cr_assert_eq(rc, CF_ERANGE);
#endif
}

Test(faulty, does_nothing_without_a_script)
{
    cr_assert_eq(append(1), CF_VERDICT_STORED);
    script("");
    cr_assert_eq(append(2), CF_VERDICT_STORED);
    script("\n \n");
    cr_assert_eq(append(3), CF_VERDICT_STORED);
}

Test(faulty, fails_without_doing_anything)
{
    script("write fail\n");
    cr_assert_eq(append(1), CF_VERDICT_FAILED);
    cr_assert_eq(activate(), CF_EIO);
    cr_assert_eq(read_user(), 0);
    script("");
    cr_assert_eq(append(1), CF_VERDICT_STORED);
}

Test(faulty, loses_as_many_answers_as_told)
{
    script("write lose 2\n");
    cr_assert_eq(append(1), CF_VERDICT_UNKNOWN);
    cr_assert_eq(append(2), CF_VERDICT_UNKNOWN);
    cr_assert_eq(append(3), CF_VERDICT_STORED); /* so the two before were done */
    script("write lose 1\n");
    cr_assert_eq(append(4), CF_VERDICT_UNKNOWN);
    cr_assert_eq(append(5), CF_VERDICT_STORED);
}

Test(faulty, hangs_until_the_deadline)
{
    script("write hang\nread hang\n");
    cr_assert_eq(append(1), CF_VERDICT_UNKNOWN);
    cr_assert_eq(read_user(), CF_EIO);
    script("");
    cr_assert_eq(append(1), CF_VERDICT_STORED);
}

Test(faulty, answers_late_but_not_later_than_the_deadline)
{
    script("write late 5\n");
    cr_assert_eq(append(1), CF_VERDICT_STORED);
    script("write late 5000 1\n");
    cr_assert_eq(append(2), CF_VERDICT_UNKNOWN);
    cr_assert_eq(append(3), CF_VERDICT_STORED);
}

Test(faulty, refuses_appends_only)
{
    script("write refuse\n");
    cr_assert_eq(append(1), CF_VERDICT_FAILED);
    cr_assert_eq(activate(), 0);
}

Test(faulty, takes_a_line_per_call)
{
    script("list_rooms fail\nread hang 1\nping fail 1\n");
    cr_assert_eq(store->ops->ping(store), CF_EIO);
    cr_assert_eq(store->ops->ping(store), 0);
    cr_assert_eq(read_user(), CF_EIO);
    cr_assert_eq(read_user(), 0);
    cr_assert_eq(store->ops->list_rooms(store, NULL, 1, NULL, NULL), CF_EIO);
}

Test(faulty, fails_every_call_when_its_script_cannot_be_read)
{
    static const char *const scripts[] = {"wirte fail\n", "write fial\n", "write\n", "write late\n",
                                          "write fail 1 2\n"};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        script(scripts[i]);
        cr_assert_eq(append(1), CF_VERDICT_FAILED, "%s", scripts[i]);
        cr_assert_eq(read_user(), CF_EIO, "%s", scripts[i]);
    }
}
