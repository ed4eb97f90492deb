/* Who is a node, and whose a room is. Time passes by rows that are made older. */
#include "registry.h"

#include "peer.h"
#include "storage.h"
#include "store_fixture.h"
#include "wire/append.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define GONE_AFTER_US INT64_C(3000000)
#define KEY_OF_1 "0000000000000000000000000000000000000001"

static const backend_t postgres = {"postgres"};
static cf_registry_t *registry;
static cf_store_t *store;

/* --- a database with the tables, and room 1, nobody's ------------------------------------------
 */

static bool open_all(void)
{
    if (!place_new(&postgres))
        return false;
    store = place_open(CF_STORE_WRITER, NULL);
    cr_assert_not_null(store);
    place_fill(store);
    cf_store_config_t config = {.url = place_url(), .statement_ms = STATEMENT_MS};
    cr_assert(eq(int, cf_postgres_registry_open(&registry, &config), 0));
    return true;
}

static void close_all(void)
{
    if (registry)
        registry->ops->close(registry);
    place_remove();
}

TestSuite(registry, .fini = close_all, .timeout = 60);

static cf_entry_t entry;                      /* as it was told last */
static int64_t gone_after_us = GONE_AFTER_US; /* of who enters */

static int enter_with(uint32_t number, const char *name, const char *endpoint, uint32_t key)
{
    char text[CF_NODE_KEY_SIZE + 1] = "";
    if (endpoint[0])
        snprintf(text, sizeof text, "%040u", key);
    cf_node_t node = {.number = number,
                      .name = cf_str(name),
                      .endpoint = cf_str(endpoint),
                      .public_key = cf_str(text),
                      .version = 1,
                      .roles = 2};
    return registry->ops->enter(registry, &node, gone_after_us, &entry);
}

static int enter_as(uint32_t number, const char *name, const char *endpoint)
{
    return enter_with(number, name, endpoint, number);
}

static int enter(uint32_t number)
{
    char name[8], endpoint[32];
    snprintf(name, sizeof name, "n%u", number);
    snprintf(endpoint, sizeof endpoint, "tcp://10.0.0.%u:7000", number);
    return enter_as(number, name, endpoint);
}

static char there[256]; /* "1 n1 tcp://10.0.0.1:7000;2 .." as the latest beat() told */
static cf_node_end_t why;

static void on_node(void *arg, const cf_node_t *node)
{
    size_t used = strlen(there);
    (void)arg;
    snprintf(there + used, sizeof there - used, "%s%u", used ? " " : "", node->number);
}

static char ended[256]; /* "session 7 of token 8; user 1 at 5" as the latest beat() told */
static int ended_rc;

static int on_ended(void *arg, const cf_ended_t *row)
{
    size_t used = strlen(ended);
    (void)arg;
    if (ended_rc < 0)
        return ended_rc;
    if (row->is_user)
        snprintf(ended + used, sizeof ended - used, "%suser %u at %lld", used ? "; " : "",
                 row->id.bytes[CF_ID_SIZE - 1], (long long)row->asked_us);
    else
        snprintf(ended + used, sizeof ended - used, "%ssession %u of token %u", used ? "; " : "",
                 row->id.bytes[CF_ID_SIZE - 1], row->token_hash[CF_TOKEN_HASH_SIZE - 1]);
    return 0;
}

static int say(const cf_heartbeat_t *heartbeat)
{
    there[0] = ended[0] = '\0';
    why = 0;
    return registry->ops->beat(registry, heartbeat, &(cf_view_t){on_node, on_ended, NULL}, &why);
}

static int beat_without(uint32_t number, const uint32_t *unheard, uint32_t n)
{
    return say(&(cf_heartbeat_t){number, GONE_AFTER_US, unheard, n, false});
}

static int beat_long_without(uint32_t number, const uint32_t *unheard, uint32_t n)
{
    return say(&(cf_heartbeat_t){number, GONE_AFTER_US, unheard, n, true});
}

static int beat(uint32_t number)
{
    return beat_without(number, NULL, 0);
}

/* Time passes for these nodes: "1, 2". */
static void wait_without_beats(const char *numbers, int64_t us)
{
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE nodes SET beat_us = beat_us - %lld WHERE number IN (%s)",
             (long long)us, numbers);
    place_sql(sql, NULL, 0);
}

static void be_steady_for(const char *numbers, int64_t us)
{
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE nodes SET steady_us = steady_us - %lld WHERE number IN (%s)",
             (long long)us, numbers);
    place_sql(sql, NULL, 0);
}

/* --- entering ----------------------------------------------------------------------------------
 */

static const char *first_row;

static void keep_first(void *arg, const cf_node_t *node)
{
    static char text[256];
    (void)arg;
    if (first_row)
        return;
    snprintf(text, sizeof text, "%u %.*s %.*s %.*s %u %u", node->number, (int)node->name.size,
             node->name.bytes, (int)node->endpoint.size, node->endpoint.bytes,
             (int)node->public_key.size, node->public_key.bytes, node->version, node->roles);
    first_row = text;
}

Test(registry, a_node_that_entered_is_told_of_all)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(str, there, "1 2"));
    cr_assert(eq(int,
                 registry->ops->beat(registry, &(cf_heartbeat_t){1, GONE_AFTER_US, NULL, 0},
                                     &(cf_view_t){keep_first, on_ended, NULL}, &why),
                 0));
    cr_assert(eq(str, (char *)first_row, "1 n1 tcp://10.0.0.1:7000 " KEY_OF_1 " 1 2"));
}

Test(registry, gives_all_who_enter_one_key_for_limits)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cf_id_t first = entry.limit_key;
    cr_assert(not(cf_id_equal(first, (cf_id_t){0})));
    entry.limit_key = (cf_id_t){0};
    cr_assert(eq(int, enter(2), 0));
    cr_assert(cf_id_equal(entry.limit_key, first));
}

Test(registry, to_enter_again_after_a_lost_answer_changes_nothing)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
}

Test(registry, a_number_is_never_used_again)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter_as(1, "other", "tcp://10.0.0.9:7000"), CF_ESTALE));
    cr_assert(eq(int, registry->ops->leave(registry, 1), 0));
    cr_assert(eq(int, enter(1), CF_ESTALE));
    cr_assert(eq(int, enter_as(2, "n1", "tcp://10.0.0.1:7000"), 0));
}

Test(registry, one_name_is_one_node)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter_as(1, "a", "tcp://10.0.0.1:7000"), 0));
    cr_assert(eq(int, enter_as(2, "a", "tcp://10.0.0.2:7000"), CF_EEXIST));
    wait_without_beats("1", 2 * GONE_AFTER_US);
    cr_assert(eq(int, enter_as(2, "a", "tcp://10.0.0.2:7000"), 0));
    cr_assert(eq(int, beat(1), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_LATE));
}

Test(registry, one_key_is_one_node)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter_with(1, "a", "tcp://10.0.0.1:7000", 7), 0));
    cr_assert(eq(int, enter_with(2, "b", "tcp://10.0.0.2:7000", 7), CF_ECONFLICT));
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
    cr_assert(eq(int, enter_with(3, "a", "tcp://10.0.0.1:7000", 7), 0)); /* replaces the first */
    cr_assert(eq(int, enter_with(2, "b", "tcp://10.0.0.2:7000", 7), CF_ECONFLICT));
    cr_assert(eq(int, registry->ops->leave(registry, 3), 0));
    cr_assert(eq(int, enter_with(2, "b", "tcp://10.0.0.2:7000", 7), 0));
}

static int enter_after(uint32_t number, int64_t us)
{
    gone_after_us = us;
    int rc = enter(number);
    gone_after_us = GONE_AFTER_US;
    return rc;
}

Test(registry, all_who_are_there_agree_when_one_is_gone)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter_after(2, GONE_AFTER_US + 1), CF_ERANGE));
    cr_assert(eq(i64, entry.gone_after_us, GONE_AFTER_US));
    cr_assert(eq(int, enter_after(2, GONE_AFTER_US - 1), CF_ERANGE));
    cr_assert(eq(int, enter(3), 0));
    cr_assert(eq(int, beat(3), 0));
    cr_assert(eq(str, there, "1 3"));
    cr_assert(eq(int, registry->ops->leave(registry, 1), 0));
    cr_assert(eq(int, enter_after(2, 2 * GONE_AFTER_US), CF_ERANGE)); /* 3 is there still */
    cr_assert(eq(int, registry->ops->leave(registry, 3), 0));
    cr_assert(eq(int, enter_after(2, 2 * GONE_AFTER_US), 0));
    cr_assert(eq(int, enter(4), CF_ERANGE));
    cr_assert(eq(i64, entry.gone_after_us, 2 * GONE_AFTER_US));
}

Test(registry, who_comes_marks_nobody_gone_before_that_ones_own_time)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    wait_without_beats("1", GONE_AFTER_US - 1000000);
    cr_assert(eq(int, enter_after(2, GONE_AFTER_US / 3), CF_ERANGE));
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
    wait_without_beats("1", GONE_AFTER_US);
    cr_assert(eq(int, enter_after(2, 20 * GONE_AFTER_US), 0));
    cr_assert(eq(int, beat(1), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_LATE));
}

/* One from before this was written down: nothing is known of it. */
Test(registry, goes_by_its_own_time_for_a_node_that_has_not_said)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    place_sql("UPDATE nodes SET gone_after_us = NULL", NULL, 0);
    cr_assert(eq(int, enter_after(2, 2 * GONE_AFTER_US), 0));
    wait_without_beats("1", GONE_AFTER_US);
    cr_assert(eq(int, enter_after(3, 2 * GONE_AFTER_US), 0));
    wait_without_beats("1", GONE_AFTER_US);
    cr_assert(eq(int, enter_after(4, 2 * GONE_AFTER_US), 0));
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(str, there, "2 3 4"));
}

Test(registry, a_process_replaces_the_one_before_on_its_endpoint)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter_as(1, "a", "tcp://10.0.0.1:7000"), 0));
    cr_assert(eq(int, enter_as(2, "a", "tcp://10.0.0.1:7000"), 0));
    cr_assert(eq(int, beat(1), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_REPLACED));
    cr_assert(eq(str, there, ""));
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(str, there, "2"));
}

Test(registry, without_a_mesh_there_is_one_node)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter_as(1, "a", ""), 0));
    cr_assert(eq(int, enter_as(2, "b", ""), CF_EPERM));
    cr_assert(eq(int, enter_as(2, "b", "tcp://10.0.0.2:7000"), CF_EPERM));
    cr_assert(eq(int, enter_as(3, "a", ""), 0)); /* replaces the first */
    cr_assert(eq(int, registry->ops->leave(registry, 3), 0));
    cr_assert(eq(int, enter_as(2, "b", "tcp://10.0.0.2:7000"), 0));
    cr_assert(eq(int, enter_as(4, "c", ""), CF_EPERM));
}

Test(registry, has_room_for_so_many)
{
    if (!open_all())
        return;
    for (uint32_t i = 1; i <= CF_NODES_MAX; i++)
        cr_assert(eq(int, enter(i), 0));
    cr_assert(eq(int, enter(CF_NODES_MAX + 1), CF_EFULL));
    cr_assert(eq(int, registry->ops->leave(registry, 7), 0));
    cr_assert(eq(int, enter(CF_NODES_MAX + 1), 0));
}

Test(registry, forgets_those_gone_for_a_day)
{
    char rows[16];
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, registry->ops->leave(registry, 1), 0));
    place_sql("UPDATE nodes SET gone_us = gone_us - 86399000000", NULL, 0);
    cr_assert(eq(int, enter(2), 0));
    place_sql("SELECT count(*) FROM nodes", rows, sizeof rows);
    cr_assert(eq(str, rows, "2"));
    place_sql("UPDATE nodes SET gone_us = gone_us - 2000000", NULL, 0);
    cr_assert(eq(int, enter(3), 0));
    place_sql("SELECT count(*) FROM nodes", rows, sizeof rows);
    cr_assert(eq(str, rows, "2"));
}

/* --- heartbeats --------------------------------------------------------------------------------
 */

Test(registry, who_is_late_is_gone_for_ever)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    be_steady_for("1", 2 * GONE_AFTER_US);
    wait_without_beats("2", GONE_AFTER_US - 1000000);
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1 2"));
    wait_without_beats("2", 1000000);
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
    cr_assert(eq(int, beat(2), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_LATE));
    cr_assert(eq(int, beat(2), CF_ESTALE));
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
}

Test(registry, after_an_outage_the_first_does_not_sweep_the_others_away)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    be_steady_for("1, 2", 100 * GONE_AFTER_US);
    wait_without_beats("1, 2", 10 * GONE_AFTER_US);
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1 2"));
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1 2"));
    be_steady_for("1", GONE_AFTER_US); /* and 2 has still not come back */
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
}

Test(registry, a_node_that_is_gone_marks_nobody)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    be_steady_for("1", 2 * GONE_AFTER_US);
    cr_assert(eq(int, registry->ops->leave(registry, 1), 0));
    wait_without_beats("2", 2 * GONE_AFTER_US);
    cr_assert(eq(int, beat_without(1, (const uint32_t[]){2}, 1), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_LEFT));
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(str, there, "2"));
}

Test(registry, of_two_who_do_not_hear_each_other_the_later_is_gone)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(3), 0));
    cr_assert(eq(int, enter(2), 0));
    cr_assert(eq(int, enter(1), 0));
    cr_assert(
        eq(int, beat_long_without(3, (const uint32_t[]){2}, 1), 0)); /* of those two the later */
    cr_assert(eq(str, there, "3 1"));
    cr_assert(eq(int, beat(2), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_CUT_OFF));
    cr_assert(
        eq(int, beat_without(1, (const uint32_t[]){3, 2}, 2), CF_ESTALE)); /* 2 does not count */
    cr_assert(eq(int, why, CF_NODE_CUT_OFF));
    cr_assert(eq(int, beat(3), 0));
    cr_assert(eq(str, there, "3"));
}

/* 1 is cut off from both, and 2 is the first to say so. */
Test(registry, of_three_nobody_goes_before_all_have_said_whom_they_do_not_hear)
{
    if (!open_all())
        return;
    for (uint32_t i = 1; i <= 3; i++)
        cr_assert(eq(int, enter(i), 0));
    cr_assert(eq(int, beat_without(2, (const uint32_t[]){1}, 1), 0));
    cr_assert(eq(str, there, "1 2 3"));
    cr_assert(eq(int, beat_without(3, (const uint32_t[]){1}, 1), 0));
    cr_assert(eq(str, there, "2 3"));
}

Test(registry, nobody_is_cut_off_for_not_hearing_one_that_has_ended)
{
    if (!open_all())
        return;
    for (uint32_t i = 1; i <= 3; i++)
        cr_assert(eq(int, enter(i), 0));
    /* killed a while ago, and not yet late: 3 has missed it, 2 not yet */
    place_sql("UPDATE nodes SET beat_us = beat_us - 2250000 WHERE number = 1", NULL, 0);
    cr_assert(eq(int, beat_without(3, (const uint32_t[]){1}, 1), 0));
    cr_assert(eq(str, there, "1 2 3"));
}

Test(registry, who_is_cut_off_from_most_goes_whatever_its_number)
{
    if (!open_all())
        return;
    for (uint32_t i = 1; i <= 3; i++)
        cr_assert(eq(int, enter(i), 0));
    place_sql("UPDATE nodes SET unheard = '{1}' WHERE number IN (2, 3)", NULL, 0);
    cr_assert(eq(int, beat_without(2, (const uint32_t[]){1}, 1), 0));
    cr_assert(eq(str, there, "2 3"));
    cr_assert(eq(int, beat(1), CF_ESTALE));
    cr_assert(eq(int, why, CF_NODE_CUT_OFF));
}

Test(registry, a_heartbeat_does_not_wait_for_rows_of_others)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    be_steady_for("1", 2 * GONE_AFTER_US);
    wait_without_beats("2", 2 * GONE_AFTER_US);
    place_hold("SELECT 1 FROM nodes WHERE number = 2 FOR UPDATE");
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1 2"));
    place_let_go();
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, there, "1"));
}

Test(registry, is_away_until_the_tables_are_made_and_then_there)
{
    if (!place_new(&postgres))
        return;
    cf_store_config_t config = {.url = place_url(), .statement_ms = STATEMENT_MS};
    cr_assert(eq(int, cf_postgres_registry_open(&registry, &config), 0));
    cr_assert(eq(int, enter(1), CF_EIO));
    store = place_open(CF_STORE_WRITER, NULL);
    int rc;
    do /* it pauses between attempts to connect */
        rc = enter(1);
    while (rc == CF_EIO);
    cr_assert(eq(int, rc, 0));
}

/* --- sessions that have ended ------------------------------------------------------------------
 */

static int write_one(cf_write_t write)
{
    cf_outcome_t outcome;
    cr_assert(eq(int, store->ops->write(store, &write, 1, &outcome), 0));
    return outcome.rc;
}

static void add_session(unsigned n)
{
    cf_write_t write = {.kind = CF_WRITE_ADD_SESSION,
                        .add_session = {.id = id_of(4, n), .user = USER(1)}};
    memset(write.add_session.token_hash, (int)n, CF_TOKEN_HASH_SIZE);
    cr_assert(eq(int, write_one(write), 0));
}

static void remove_session(unsigned n)
{
    cf_write_t write = {.kind = CF_WRITE_REMOVE_SESSION};
    memset(write.remove_session, (int)n, CF_TOKEN_HASH_SIZE);
    cr_assert(eq(int, write_one(write), 0));
}

/* What is told may be told again while any transaction is open that began before it; those of other tests too. */
static void is_told(const char *what)
{
    cr_assert(eq(int, beat(1), 0));
    cr_assert(eq(str, ended, (char *)what));
}

static int disable_ann(int64_t at_us)
{
    return write_one((cf_write_t){.kind = CF_WRITE_DISABLE_USER, .disable_user = {USER(1), at_us}});
}

static int enable_ann(void)
{
    return write_one((cf_write_t){.kind = CF_WRITE_ENABLE_USER, .enable_user = USER(1)});
}

Test(registry, tells_of_every_session_that_ended_since_it_was_entered)
{
    if (!open_all())
        return;
    add_session(2);
    cr_assert(eq(int, enter(1), 0));
    remove_session(2);
    remove_session(9); /* there was none */
    is_told("session 2 of token 2");
    cr_assert(eq(int, disable_ann(5), 0));
    is_told("user 1 at 5");
    is_told("");
}

Test(registry, who_enters_is_not_told_what_ended_before)
{
    if (!open_all())
        return;
    add_session(1);
    cr_assert(eq(int, enter(1), 0));
    remove_session(1);
    cr_assert(eq(int, enter(2), 0));
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(str, ended, ""));
}

/* A number of its own would do only if transactions ended in the order in which they began. */
Test(registry, what_is_committed_behind_what_began_later_is_told_as_well)
{
    if (!open_all())
        return;
    add_session(2);
    cr_assert(eq(int, enter(1), 0));
    place_hold("INSERT INTO revocations (user_id, asked_us)"
               " VALUES ('00000000-0000-0000-0000-000000000007', 0)");
    remove_session(2);
    is_told("session 2 of token 2");
    is_told(""); /* once, also while an older one is open */
    place_keep();
    is_told("user 7 at 0");
    is_told("");
}

Test(registry, what_could_not_be_told_is_told_by_the_next_heartbeat)
{
    if (!open_all())
        return;
    add_session(1);
    cr_assert(eq(int, enter(1), 0));
    remove_session(1);
    ended_rc = CF_ENOMEM;
    cr_assert(eq(int, beat(1), 0));
    ended_rc = 0;
    is_told("session 1 of token 1");
}

Test(registry, forgets_what_ended_long_ago)
{
    char count[8];
    if (!open_all())
        return;
    add_session(1);
    add_session(2);
    cr_assert(eq(int, enter(1), 0));
    remove_session(1);
    place_sql("UPDATE revocations SET at_us = at_us - 600000000", NULL, 0);
    remove_session(2);
    is_told("session 1 of token 1; session 2 of token 2");
    place_sql("SELECT count(*) FROM revocations", count, sizeof count);
    cr_assert(eq(str, count, "1"));
}

static void count_session(void *arg, size_t key, const cf_session_t *session, const cf_user_t *user)
{
    (void)key, (void)session, (void)user;
    ++*(int *)arg;
}

static int sessions_with_token(unsigned n)
{
    uint8_t hash[1][CF_TOKEN_HASH_SIZE];
    int found = 0;
    memset(hash[0], (int)n, sizeof hash[0]);
    cr_assert(eq(int,
                 store->ops->find_sessions(store, (const uint8_t(*)[CF_TOKEN_HASH_SIZE])hash, 1,
                                           count_session, &found),
                 0));
    return found;
}

/* Two nodes write at once: what the one adds may be out of sight of the other, which removes all there is. */
Test(registry, a_session_that_slips_in_while_a_user_is_disabled_is_good_for_nothing)
{
    if (!open_all())
        return;
    add_session(1);
    cr_assert(eq(int, enable_ann(), 0)); /* who was not disabled keeps what she has */
    cr_assert(eq(int, sessions_with_token(1), 1));
    cr_assert(eq(int, disable_ann(5), 0));
    place_sql("INSERT INTO sessions (token_hash, id, user_id, created_us, expires_us)"
              " SELECT decode(repeat('07', 32), 'hex'), id, id, 0, 0 FROM users"
              " WHERE username = 'ann'",
              NULL, 0);
    cr_assert(eq(int, sessions_with_token(7), 0));
    cr_assert(eq(int, enable_ann(), 0));
    cr_assert(eq(int, sessions_with_token(7), 0));
}

/* --- whose a room is ---------------------------------------------------------------------------
 */

static cf_outcome_t activate(uint32_t owner, uint32_t from)
{
    cf_write_t write = {.kind = CF_WRITE_ACTIVATE, .activate = {ROOM(1), owner, from}};
    cf_outcome_t outcome;
    memset(&outcome, 0x5a, sizeof outcome);
    cr_assert(eq(int, store->ops->write(store, &write, 1, &outcome), 0));
    return outcome;
}

Test(registry, a_room_is_its_owners_while_that_is_there)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    cf_outcome_t outcome = activate(1, 0);
    cr_assert(eq(int, outcome.rc, 0));
    cr_assert(eq(u64, outcome.room.epoch, 2));
    outcome = activate(2, 0);
    cr_assert(eq(int, outcome.rc, CF_EMOVED));
    cr_assert(eq(u32, outcome.owner, 1));
    outcome = activate(1, 0); /* its own again */
    cr_assert(eq(int, outcome.rc, 0));
    cr_assert(eq(u64, outcome.room.epoch, 3));
    cr_assert(eq(int, registry->ops->leave(registry, 1), 0));
    outcome = activate(2, 0);
    cr_assert(eq(int, outcome.rc, 0));
    cr_assert(eq(u64, outcome.room.epoch, 4));
}

Test(registry, an_owner_may_let_a_room_go)
{
    if (!open_all())
        return;
    for (uint32_t i = 1; i <= 3; i++)
        cr_assert(eq(int, enter(i), 0));
    cr_assert(eq(int, activate(1, 0).rc, 0));
    cr_assert(eq(int, activate(2, 1).rc, 0));
    cf_outcome_t outcome = activate(3, 1); /* 1 is not whose it is any more */
    cr_assert(eq(int, outcome.rc, CF_EMOVED));
    cr_assert(eq(u32, outcome.owner, 2));
}

Test(registry, storage_activates_for_its_own_node_and_says_whose_a_room_is)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(NODE), 0));
    cr_assert(eq(int, enter(OTHER_NODE), 0));
    cf_outcome_t outcome = activate(OTHER_NODE, 0);
    cr_assert(eq(int, outcome.rc, 0));
    cf_actor_t *actor = actor_at(CF_ACTOR_STORAGE, 0);
    peer_t *rooms = peer_at(CF_ACTOR_ROOMS, 0);
    cf_storage_t *state;
    cf_storage_config_t config = {
        .link = {.actor = actor, .url = place_url(), .statement_ms = STATEMENT_MS},
        .batch_rows = 1,
        .batch_bytes = 1024};
    cr_assert(eq(int, cf_storage_new(&state, &config), 0));
    actor_run(actor, &cf_storage_ops, state);
    cf_owned_t owned;
    cf_activated_t activated;
    peer_send(rooms, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 1, ROOM(1), &(cf_activate_t){0});
    cr_assert(peer_expect(rooms, CF_MSG_OWNED, 1, &owned));
    cr_assert(eq(u32, owned.owner, OTHER_NODE));
    peer_send(rooms, CF_ACTOR_STORAGE, CF_MSG_ACTIVATE, 2, ROOM(1), &(cf_activate_t){OTHER_NODE});
    cr_assert(peer_expect(rooms, CF_MSG_ACTIVATED, 2, &activated)); /* that has let it go */
    cr_assert(eq(u64, activated.epoch, outcome.room.epoch + 1));
    actors_stop();
    outcome = activate(OTHER_NODE, 0);
    cr_assert(eq(int, outcome.rc, CF_EMOVED));
    cr_assert(eq(u32, outcome.owner, NODE));
}

Test(registry, who_was_replaced_in_a_room_cannot_write_to_it)
{
    if (!open_all())
        return;
    cr_assert(eq(int, enter(1), 0));
    cr_assert(eq(int, enter(2), 0));
    uint64_t epoch = activate(1, 0).room.epoch;
    be_steady_for("2", 2 * GONE_AFTER_US);
    wait_without_beats("1", 2 * GONE_AFTER_US);
    cr_assert(eq(int, beat(2), 0));
    cr_assert(eq(int, activate(2, 0).rc, 0));
    cf_post_t row = {.id = POST(1),
                     .seq = 1,
                     .sender = USER(1),
                     .at_us = 1,
                     .kind = CF_POST_TEXT,
                     .text = cf_str("late")};
    cf_write_t write = {.kind = CF_WRITE_APPEND, .append = {ROOM(1), epoch, 0, &row, 1}};
    cf_outcome_t outcome;
    cr_assert(eq(int, store->ops->write(store, &write, 1, &outcome), 0));
    cr_assert(eq(int, outcome.status, CF_VERDICT_STALE_EPOCH));
}

Test(registry, there_is_no_room_to_own)
{
    if (!open_all())
        return;
    cf_write_t write = {.kind = CF_WRITE_ACTIVATE, .activate = {ROOM(9), 1, 0}};
    cf_outcome_t outcome;
    cr_assert(eq(int, store->ops->write(store, &write, 1, &outcome), 0));
    cr_assert(eq(int, outcome.rc, CF_ENOENT));
}
