/* Every statement on posts names the room: what PostgreSQL does for it stays in one partition. */
#include "postgres.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS 24 /* so many that each partition has some */
#define SQL_MAX 16384

static const backend_t partitioned = {"partitioned"};

#define ROOM_1 "'00000000-0000-0000-0000-000000000001'::uuid"
#define POST_2 "'00000000-0000-0000-0000-000000000102'::uuid" /* its second */

/* How each statement on posts is asked about room 1. */
static const struct {
    const char *has; /* this, and only that statement */
    const char *arguments;
} samples[] = {
    {"INSERT INTO posts", "ARRAY[" ROOM_1 "], ARRAY[3], ARRAY[" ROOM_1 "], ARRAY[" ROOM_1
                          "], ARRAY[9], ARRAY[1], ARRAY['x']"},
    {"DELETE FROM posts", "1, 100"},
    {"WITH RECURSIVE halves",
     "ARRAY[" ROOM_1 "," ROOM_1 "," ROOM_1 "," ROOM_1 "], ARRAY[1, 2, 3, 4], ARRAY[0, 2, 2, 0],"
     " ARRAY[" POST_2 "," POST_2 "," POST_2 "," POST_2 "], ARRAY[9, 9, 9, 9], ARRAY[0, 1, 2, 3]"},
    {"posts.seq > k.at ORDER BY",
     "ARRAY[" ROOM_1 "], ARRAY[5], ARRAY[0], ARRAY[" POST_2 "], ARRAY[9], ARRAY[0]"},
    {"BETWEEN q.first AND q.last", "ARRAY[" ROOM_1 "], ARRAY[1], ARRAY[2], ARRAY[0]"},
};
#define SAMPLES (sizeof samples / sizeof samples[0])

static void close_all(void)
{
    place_remove();
}

TestSuite(partitions, .fini = close_all, .timeout = 120);

/* The word itself, and not post_keys or a partition's name. */
static bool is_on_posts(const char *sql)
{
    for (const char *at = sql; (at = strstr(at, "posts")); at += 5)
        if ((at == sql || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')) &&
            !isalnum((unsigned char)at[5]) && at[5] != '_')
            return true;
    return false;
}

/* Which partitions this statement reads or writes, apart by commas; nothing it does stays. */
static void list_touched(char *out, size_t size, const char *sql, const char *arguments)
{
    char whole[SQL_MAX];
    int n = snprintf(whole, sizeof whole,
                     "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan;"
                     " SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
                     " SET LOCAL enable_mergejoin = off; SET LOCAL jit = off;"
                     " PREPARE one AS %s;"
                     " SELECT touched($explain$EXECUTE one(%s)$explain$)",
                     sql, arguments);
    cr_assert_lt(n, SQL_MAX);
    place_sql(whole, out, size);
}

/* Room 1, whose posts all are old, among others whose are not, in all partitions. */
static void fill(void)
{
    char sql[512], answer[32];
    place_sql("INSERT INTO users VALUES (gen_random_uuid(), 'ann', 'ann', '', 0)", NULL, 0);
    snprintf(
        sql, sizeof sql,
        "INSERT INTO rooms (id, name, creator, created_us, ephemeral, last_seq, last_us, oldest_us)"
        " SELECT lpad(to_hex(n), 32, '0')::uuid, n, u.id, 0, false, 2, at_us, at_us"
        " FROM (SELECT n, CASE n WHEN 1 THEN 1 ELSE 5 END AS at_us FROM generate_series(1, %d) n) "
        "q,"
        " users u WHERE u.username = 'ann'",
        ROOMS);
    place_sql(sql, NULL, 0);
    place_sql(
        "INSERT INTO posts SELECT id, seq, lpad(to_hex(name::int * 256 + seq), 32, '0')::uuid,"
        " creator, last_us, 1, 'x' FROM rooms, generate_series(1, 2) seq",
        NULL, 0);
    place_sql(
        "CREATE FUNCTION touched(query text) RETURNS text LANGUAGE plpgsql AS $$"
        " DECLARE plan json; BEGIN"
        " EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;"
        " RETURN (SELECT coalesce(string_agg(DISTINCT node ->> 'Relation Name', ','), '')"
        " FROM jsonb_path_query(plan::jsonb, '$.** ? (@.\"Relation Name\" starts with \"posts_\""
        " && @.\"Actual Loops\" > 0)') node); END $$",
        NULL, 0);
    place_sql("SELECT count(DISTINCT tableoid) FROM posts", answer, sizeof answer);
    cr_assert_str_eq(answer, "5");
}

Test(partitions, each_statement_on_posts_stays_in_the_partition_of_its_room)
{
    char room_1[64], touched[512];
    size_t asked[SAMPLES] = {0};
    if (!place_new(&partitioned))
        return;
    fill();
    place_sql("SELECT DISTINCT tableoid::regclass FROM posts WHERE room = " ROOM_1, room_1,
              sizeof room_1);
    for (size_t i = 0; cf_postgres_sql(i); i++) {
        const char *sql = cf_postgres_sql(i);
        size_t found = 0;
        for (size_t k = 0; is_on_posts(sql) && k < SAMPLES; k++) {
            if (!strstr(sql, samples[k].has))
                continue;
            found++;
            asked[k]++;
            list_touched(touched, sizeof touched, sql, samples[k].arguments);
            bool is_insert = k == 0; /* its rows are routed; nothing is scanned */
            cr_expect_str_eq(touched, is_insert ? "" : room_1, "touches '%s' and not '%s': %s",
                             touched, room_1, sql);
        }
        cr_expect_eq(found, is_on_posts(sql) ? 1 : 0, "a statement on posts without a sample: %s",
                     sql);
    }
    for (size_t k = 0; k < SAMPLES; k++)
        cr_expect_eq(asked[k], 1, "no such statement: %s", samples[k].has);
}

/* What the test above would say of one that names no room. */
Test(partitions, one_that_names_no_room_touches_all)
{
    char touched[512];
    if (!place_new(&partitioned))
        return;
    fill();
    list_touched(touched, sizeof touched,
                 "SELECT seq FROM posts WHERE id < $1::uuid ORDER BY id LIMIT 90",
                 "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid");
    cr_assert_str_eq(touched, "posts_0,posts_1,posts_2,posts_3,posts_4");
}

Test(partitions, what_was_there_before_is_there_behind_it)
{
    static const backend_t postgres = {"postgres"};
    char before[64], behind[64];
    int rc;
    if (!place_new(&postgres))
        return;
    place_close(place_open(CF_STORE_WRITER, &rc));
    place_sql("INSERT INTO posts SELECT gen_random_uuid(), n, gen_random_uuid(), "
              "gen_random_uuid(), n, 1, 'x'"
              " FROM generate_series(1, 50) n",
              NULL, 0);
    place_sql("SELECT md5(string_agg(p::text, ';' ORDER BY id)) FROM posts p", before,
              sizeof before);
    place_sql("SELECT partition_posts(3)", NULL, 0);
    place_sql("SELECT md5(string_agg(p::text, ';' ORDER BY id)) FROM posts p", behind,
              sizeof behind);
    cr_assert_str_eq(before, behind);
    place_sql("SELECT string_agg(indexdef, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename "
              "= 'posts'",
              before, sizeof before);
    cr_assert(strstr(before, "posts_by_id"), "%s", before);
}
