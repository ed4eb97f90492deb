#include "log.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/* Each test runs in a process of its own; stderr becomes a pipe that the test reads. */
static int reader = -1, kept_stderr = -1;

static void open_log(void)
{
    int ends[2];
    cr_assert(eq(int, pipe(ends), 0));
    kept_stderr = dup(STDERR_FILENO);
    reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static void close_log(void)
{
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(reader);
}

/* The next line, without its line feed; waits for it for at most 10 s. "" if there is none. */
static char *next_line(void)
{
    static char line[2 * CF_LOG_LINE_MAX];
    size_t size = 0;
    struct pollfd readable = {.fd = reader, .events = POLLIN};
    while (poll(&readable, 1, 10000) == 1 && read(reader, line + size, 1) == 1 &&
           line[size] != '\n')
        size++;
    line[size] = '\0';
    return line;
}

static json_t *next_record(void)
{
    json_error_t error;
    char *line = next_line();
    json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    cr_assert(record != NULL, "%s in: %s", error.text, line);
    return record;
}

static char *member(json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    return text ? (char *)text : "(absent)";
}

static bool is_cut(json_t *record)
{
    return json_is_true(json_object_get(record, "cut"));
}

/* Reads until a record with this msg comes; fails after 100,000 others. */
static json_t *record_saying(const char *message)
{
    for (int i = 0; i < 100000; i++) {
        json_t *record = next_record();
        if (strcmp(member(record, "msg"), message) == 0)
            return record;
        json_decref(record);
    }
    return NULL;
}

TestSuite(log, .init = open_log, .fini = close_log, .timeout = 60);

Test(log, writes_one_object_per_line_with_typed_fields)
{
    cf_id_t room = {{1, 2, 3, 4}};
    cf_log_actor("room");
    cf_log_info("refused a post", CF_ID("room", room), CF_INT("seq", -3),
                CF_UINT("size", UINT64_MAX), CF_BOOL("late", true),
                CF_STR("reason", "not a member"), CF_STR("none", NULL),
                CF_TEXT("text", ((cf_str_t){"abcdef", 3})), CF_ERR(CF_EPERM));
    char *line = next_line();
    cr_assert(eq(int, strncmp(line, "{\"ts\":\"20", 9), 0));
    cr_assert(eq(str, strstr(line, "\"level\""),
                 "\"level\":\"info\",\"actor\":\"room\",\"msg\":\"refused a post\","
                 "\"room\":\"01020304-0000-0000-0000-000000000000\",\"seq\":-3,"
                 "\"size\":18446744073709551615,\"late\":true,\"reason\":\"not a member\","
                 "\"none\":null,\"text\":\"abc\",\"err\":\"not allowed\"}"));
}

Test(log, needs_no_fields)
{
    cf_log_warn("started");
    json_t *record = next_record();
    cr_assert(eq(str, member(record, "level"), "warn"));
    cr_assert(eq(str, member(record, "actor"), "(absent)"));
    cr_assert(eq(str, member(record, "trace_id"), "(absent)"));
    json_decref(record);
}

Test(log, says_where_in_the_sources_while_the_level_is_debug)
{
    char here[64];
    cf_log_set_level(CF_LOG_DEBUG);
    snprintf(here, sizeof here, "test_log.c:%d", __LINE__ + 1);
    cf_log_debug("deep", CF_INT("seq", 1));
    json_t *record = next_record();
    cr_assert(eq(str, member(record, "source"), here));
    json_decref(record);
    cf_log_error("and others"); /* as whoever looks that closely wants it of them too */
    record = next_record();
    cr_assert(eq(int, strncmp(member(record, "source"), "test_log.c:", 11), 0));
    json_decref(record);
    cf_log_set_level(CF_LOG_INFO);
    cf_log_info("plain");
    record = next_record();
    cr_assert(eq(str, member(record, "source"), "(absent)"));
    json_decref(record);
}

Test(log, adds_the_trace_id_until_it_is_taken_away)
{
    cf_trace_t trace = {{0xab, [15] = 0x01}, false}, zero = {0};
    cf_log_trace(&trace);
    cf_log_info("with");
    cf_log_trace(&zero);
    cf_log_info("without");
    json_t *with = next_record(), *without = next_record();
    cr_assert(eq(str, member(with, "trace_id"), "ab000000000000000000000000000001"));
    cr_assert(eq(str, member(without, "trace_id"), "(absent)"));
    json_decref(with);
    json_decref(without);
}

static void four_fields(cf_log_field_t *out, const void *of)
{
    out[0] = CF_STR("request_id", of);
    out[1] = CF_UINT("conn", 5);
    out[2] = CF_ID("user", ((cf_id_t){{1, 2, 3, 4}}));
    out[3] = CF_INT("last", -1);
    out[4] = cf_log_end();
}

static void one_field(cf_log_field_t *out, const void *of)
{
    out[0] = CF_UINT("conn", *(const uint64_t *)of);
    out[1] = cf_log_end();
}

static void no_field(cf_log_field_t *out, const void *of)
{
    (void)out;
    (void)of;
}

Test(log, adds_the_context_until_there_is_another)
{
    const uint64_t conn = 6;
    cf_log_context(four_fields, "conn-77");
    cf_log_info("with", CF_INT("seq", 3));
    cf_log_context(one_field, &conn);
    cf_log_info("other");
    cf_log_context(no_field, NULL);
    cf_log_info("without");
    cf_log_context(NULL, NULL);
    cf_log_info("without");
    char *line = next_line();
    cr_assert(not(zero(ptr, strstr(line, "\"msg\":\"with\",\"request_id\":\"conn-77\",\"conn\":5,"
                                         "\"user\":\"01020304-0000-0000-0000-000000000000\","
                                         "\"last\":-1,\"seq\":3}"))),
              "%s", line);
    line = next_line();
    cr_assert(not(zero(ptr, strstr(line, "\"msg\":\"other\",\"conn\":6}"))), "%s", line);
    for (int i = 0; i < 2; i++) {
        line = next_line();
        cr_assert(not(zero(ptr, strstr(line, "\"msg\":\"without\"}"))), "%s", line);
    }
}

Test(log, keeps_a_hostile_value_inside_its_record)
{
    const char *hostile = "x\"}\n{\"level\":\"error\"\r\x1b[31m\xff\xe2\x80\xa8";
    cf_log_info("hostile", CF_STR("user", hostile));
    cf_log_info("after");
    json_t *record = next_record(), *after = next_record();
    cr_assert(eq(str, member(record, "user"),
                 "x\"}\n{\"level\":\"error\"\r\x1b[31m\xef\xbf\xbd\xe2\x80\xa8"));
    cr_assert(eq(str, member(after, "msg"), "after"));
    json_decref(record);
    json_decref(after);
}

Test(log, writes_errno_and_leaves_it_alone)
{
    errno = EMFILE;
    cf_log_error("cannot accept", CF_ERRNO(errno));
    cr_assert(eq(int, errno, EMFILE));
    json_t *record = next_record();
    cr_assert(eq(str, member(record, "err"), "Too many open files"));
    json_decref(record);
}

Test(log, cuts_a_line_at_its_bound_and_says_so)
{
    static char big[3 * CF_LOG_LINE_MAX];
    for (int round = 0; round < 3; round++) { /* 1 byte, then 2, then 6 as written */
        memset(big, "a\n\x01"[round], sizeof big - 1);
        cf_log_info("big", CF_STR("a", big), CF_STR("b", big), CF_STR("c", big), CF_STR("d", big),
                    CF_INT("e", 1), CF_STR("f", big));
        char *line = next_line();
        cr_assert(lt(sz, strlen(line), CF_LOG_LINE_MAX));
        cr_assert(gt(sz, strlen(line), CF_LOG_LINE_MAX - 100));
        json_t *record = json_loads(line, 0, NULL);
        cr_assert(is_cut(record), "%s", line);
        json_decref(record);
    }
}

Test(log, cuts_a_value_so_that_the_others_have_room)
{
    static char big[CF_LOG_VALUE_MAX - 1]; /* as written: 2 quotes and its characters */
    memset(big, 'a', sizeof big - 1);
    cf_log_info("fits", CF_STR("a", big), CF_STR("b", "whole"));
    json_t *record = next_record();
    cr_assert(eq(sz, strlen(member(record, "a")), CF_LOG_VALUE_MAX - 2));
    cr_assert(not(is_cut(record)));
    json_decref(record);

    cf_log_info("beyond", CF_TEXT("a", ((cf_str_t){big, sizeof big})), CF_STR("b", "whole"));
    record = next_record();
    cr_assert(eq(sz, strlen(member(record, "a")), CF_LOG_VALUE_MAX - 2));
    cr_assert(eq(str, member(record, "b"), "whole"));
    cr_assert(is_cut(record));
    json_decref(record);
}

static int evaluated;

static int count_evaluation(void)
{
    return ++evaluated;
}

Test(log, writes_nothing_below_its_level_and_does_not_evaluate_it)
{
    cf_log_debug("hidden", CF_INT("n", count_evaluation()));
    cf_log_set_level(CF_LOG_ERROR);
    cf_log_warn("hidden", CF_INT("n", count_evaluation()));
    cf_log_set_level(CF_LOG_DEBUG);
    cf_log_debug("shown", CF_INT("n", count_evaluation()));
    json_t *record = next_record();
    cr_assert(eq(str, member(record, "msg"), "shown"));
    cr_assert(eq(int, evaluated, 1));
    json_decref(record);
}

Test(log, knows_its_four_levels)
{
    cf_log_level_t level = CF_LOG_INFO;
    cr_assert(eq(int, cf_log_level_parse(&level, "error"), 0));
    cr_assert(eq(int, (int)level, CF_LOG_ERROR));
    cr_assert(eq(int, cf_log_level_parse(&level, "verbose"), CF_ERANGE));
    cr_assert(eq(int, cf_log_level_parse(&level, "INFO"), CF_ERANGE));
    cr_assert(eq(int, (int)level, CF_LOG_ERROR));
}

enum { THREADS = 4, LINES_EACH = 200 };

static void *log_some(void *name)
{
    cf_log_actor(name);
    for (int i = 0; i < LINES_EACH; i++)
        cf_log_info("line", CF_INT("n", i));
    return NULL;
}

Test(log, keeps_each_threads_order_and_whole_lines)
{
    static char *const names[THREADS] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    json_int_t next[THREADS] = {0};
    cr_assert(eq(int, cf_log_start(), 0));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, log_some, names[i]);
    for (int i = 0; i < THREADS * LINES_EACH; i++) {
        json_t *record = next_record();
        int from = member(record, "actor")[0] - 'a';
        cr_assert(eq(llong, json_integer_value(json_object_get(record, "n")), next[from]));
        next[from]++;
        json_decref(record);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cf_log_stop(10000);
    cr_assert(eq(u64, cf_log_dropped(), 0));
}

Test(log, flushes_at_stop_and_can_start_again)
{
    for (int round = 0; round < 2; round++) {
        cr_assert(eq(int, cf_log_start(), 0));
        cf_log_info("before stop");
        cf_log_stop(10000);
        cf_log_info("after stop");
        json_t *before = next_record(), *after = next_record();
        cr_assert(eq(str, member(before, "msg"), "before stop"));
        cr_assert(eq(str, member(after, "msg"), "after stop"));
        json_decref(before);
        json_decref(after);
    }
}

/* Logs until lines are dropped: nobody reads, so pipe and ring fill. Reaching the end is the proof
 * that nothing blocked. */
static void fill(void)
{
    static char big[1001];
    memset(big, 'x', sizeof big - 1);
    for (int i = 0; i < 100000 && cf_log_dropped() == 0; i++)
        cf_log_info("filling", CF_STR("x", big));
    cr_assert(gt(u64, cf_log_dropped(), 0));
}

Test(log, a_stalled_reader_blocks_nobody_and_drops_are_reported_when_it_flows)
{
    cr_assert(eq(int, cf_log_start(), 0));
    fill();
    for (int i = 0; i < 1000; i++)
        cf_log_info("more");
    json_t *report = record_saying("dropped log lines");
    cr_assert(eq(str, member(report, "actor"), "log"));
    cr_assert(gt(llong, json_integer_value(json_object_get(report, "lines")), 0));
    json_decref(report);
    cf_log_info("flows again");
    json_decref(record_saying("flows again"));
    cf_log_stop(10000);
}

Test(log, stop_gives_up_on_a_stalled_reader_at_its_bound)
{
    cr_assert(eq(int, cf_log_start(), 0));
    fill();
    cf_log_stop(50); /* returns; the suite's time limit would tell */
    uint64_t before = cf_log_dropped();
    cf_log_info("straight to a full stderr");
    cr_assert(gt(u64, cf_log_dropped(), before));
    int null = open("/dev/null", O_WRONLY); /* for what the thread still has */
    dup2(null, kept_stderr);
    close(null);
}

Test(log, a_reader_that_left_does_not_end_the_process)
{
    cr_assert(eq(int, cf_log_start(), 0));
    int null = open("/dev/null", O_RDONLY);
    dup2(null, reader); /* the pipe has no reader any more */
    close(null);
    cf_log_info("to nobody");
    cf_log_stop(10000);
    cr_assert(eq(u64, cf_log_dropped(), 1));
}

Test(log, as_text_writes_key_value_and_stays_one_line)
{
    cf_log_as_text();
    cf_log_actor("room");
    cf_log_info("a \"b\", c: {d}", CF_INT("seq", -3), CF_BOOL("is", true),
                CF_STR("text", "x\ny=\"z\\\", q:1"), CF_STR("none", NULL));
    char *line = next_line(), *ts = strchr(line, ' ');
    cr_assert(eq(int, strncmp(line, "ts=\"20", 6), 0));
    cr_expect(eq(str, ts,
                 " level=\"info\" actor=\"room\" msg=\"a \\\"b\\\", c: {d}\" seq=-3 is=true "
                 "text=\"x\\ny=\\\"z\\\\\\\", q:1\" none=null"));
}
