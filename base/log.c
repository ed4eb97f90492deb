#include "log.h"
#include "clock.h"
#include "json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TAIL_RESERVE 14                  /* ,"cut":true}\n */
#define KEY_RESERVE (CF_LOG_KEY_MAX + 8) /* a key with quotes, colon and comma */
#define SCALAR_MAX 24                    /* characters of a number */
#define RING_BYTES (1024 * 1024)         /* of the pipe; the most an ordinary user may ask for */
#define REPORT_EVERY_US INT64_C(1000000)

_Static_assert(CF_LOG_LINE_MAX <= PIPE_BUF, "a line must be one atomic write");

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static atomic_int lowest_level = CF_LOG_INFO;
static atomic_bool running, as_text;
static atomic_uint_fast64_t dropped;
static _Thread_local const char *actor_name;
static _Thread_local uint8_t trace_id[CF_TRACE_ID_SIZE];
static _Thread_local bool has_trace;
static _Thread_local cf_log_context_fn *context_fields; /* NULL: no context */
static _Thread_local const void *context_of;

/* The ring between the threads that log and the one that writes is a pipe: the kernel's bounded
 * queue takes a line of at most PIPE_BUF bytes whole or says EAGAIN, so we need no lock and no
 * memory of our own that threads share. Once made it is never closed: a thread that is just about
 * to write would give its line to whoever got the number next. */
static int ring[2] = {-1, -1};
static int stop_event = -1, stopped_event = -1;
static pthread_t thread;
static bool is_stuck; /* the last one never ended; there is no second */

/* --- one line -------------------------------------------------------------------------------- */

static size_t space(const cf_json_t *json)
{
    size_t used = json->out->size + TAIL_RESERVE;
    return used < CF_LOG_LINE_MAX ? CF_LOG_LINE_MAX - used : 0;
}

static bool add_text(cf_json_t *json, const char *key, cf_str_t text)
{
    size_t left = space(json);
    if (left <= KEY_RESERVE)
        return false;
    left -= KEY_RESERVE;
    cf_json_key(json, key);
    return cf_json_str_cut(json, text.bytes, text.size,
                           left < CF_LOG_VALUE_MAX ? left + 2 : CF_LOG_VALUE_MAX);
}

static bool add_errno(cf_json_t *json, int number)
{
    char text[128];
    return add_text(json, "err", cf_str(strerror_r(number, text, sizeof text)));
}

static bool add_id(cf_json_t *json, const char *key, cf_id_t id)
{
    char text[CF_ID_TEXT + 1];
    cf_id_text(id, text);
    return add_text(json, key, cf_str(text));
}

static bool add_scalar(cf_json_t *json, const cf_log_field_t *field)
{
    if (space(json) <= KEY_RESERVE + SCALAR_MAX)
        return false;
    cf_json_key(json, field->key);
    if (field->kind == CF_LOG_KIND_INT)
        cf_json_int(json, field->value.number);
    else if (field->kind == CF_LOG_KIND_UINT)
        cf_json_uint(json, field->value.count);
    else if (field->kind == CF_LOG_KIND_BOOL)
        cf_json_bool(json, field->value.number != 0);
    else
        cf_json_null(json);
    return true;
}

/* Returns false if the field did not fit whole. */
static bool add_field(cf_json_t *json, const cf_log_field_t *field)
{
    switch (field->kind) {
    case CF_LOG_KIND_TEXT:
        return add_text(json, field->key, field->value.text);
    case CF_LOG_KIND_ID:
        return add_id(json, field->key, field->value.id);
    case CF_LOG_KIND_ERR:
        return add_text(json, "err", cf_str(cf_err_text((int)field->value.number)));
    case CF_LOG_KIND_ERRNO:
        return add_errno(json, (int)field->value.number);
    default:
        return add_scalar(json, field);
    }
}

static bool add_context(cf_json_t *json)
{
    cf_log_field_t fields[CF_LOG_CONTEXT_MAX + 1] = {cf_log_end()};
    bool whole = true;
    if (context_fields)
        context_fields(fields, context_of);
    for (const cf_log_field_t *at = fields; at->kind != CF_LOG_KIND_END; at++)
        whole &= add_field(json, at);
    return whole;
}

static void add_trace(cf_json_t *json)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * CF_TRACE_ID_SIZE];
    for (size_t i = 0; i < CF_TRACE_ID_SIZE; i++) {
        text[2 * i] = digits[trace_id[i] >> 4];
        text[2 * i + 1] = digits[trace_id[i] & 15];
    }
    add_text(json, "trace_id", (cf_str_t){text, sizeof text});
}

/* Turns {"a":"x","b":1} into a="x" b=1, in place. Objects are flat, and strings stay as they are, so that
 * a record stays one line. Returns the size. */
static size_t to_text(uint8_t *line, size_t size)
{
    size_t n = 0;
    bool in_string = false, in_key = true;
    for (size_t i = 1; i + 1 < size; i++) { /* without the braces */
        uint8_t c = line[i];
        bool is_quote = c == '"';
        if (in_string && c == '\\')
            line[n++] = line[i++];
        else if (is_quote)
            in_string = !in_string;
        if (is_quote && in_key)
            continue;
        if (!in_string && (c == ':' || c == ',')) {
            in_key = c == ',';
            line[n++] = in_key ? ' ' : '=';
        } else {
            line[n++] = line[i];
        }
    }
    return n;
}

/* Formats into line, which takes CF_LOG_LINE_MAX bytes: nothing is allocated, so that a process out
 * of memory can still say so. Returns the size. */
static size_t format(uint8_t *line, cf_log_level_t level, const char *actor, const char *source,
                     const char *message, const cf_log_field_t *fields)
{
    cf_buf_t buf = {.data = line, .cap = CF_LOG_LINE_MAX};
    cf_json_t json = {.out = &buf};
    bool whole;
    cf_json_object(&json);
    cf_json_key(&json, "ts");
    cf_json_time(&json, cf_wall_us());
    cf_json_key(&json, "level");
    cf_json_text(&json, level_names[level]);
    if (actor)
        add_text(&json, "actor", cf_str(actor));
    whole = add_text(&json, "msg", cf_str(message));
    if (source)
        add_text(&json, "source", cf_str(source));
    if (has_trace)
        add_trace(&json);
    whole &= add_context(&json);
    for (; fields->kind != CF_LOG_KIND_END; fields++) {
        assert(strlen(fields->key) <= CF_LOG_KEY_MAX);
        whole &= add_field(&json, fields);
    }
    if (!whole) {
        cf_json_key(&json, "cut");
        cf_json_bool(&json, true);
    }
    cf_json_object_end(&json);
    size_t size = atomic_load(&as_text) ? to_text(line, buf.size) : buf.size;
    line[size] = '\n';
    return size + 1;
}

/* --- out of the thread that logs ------------------------------------------------------------- */

/* To stderr without waiting: what nobody reads right now is dropped. */
static bool write_straight(const uint8_t *line, size_t size)
{
    struct pollfd poll_stderr = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&poll_stderr, 1, 0) == 1 && (poll_stderr.revents & POLLOUT) &&
           write(STDERR_FILENO, line, size) == (ssize_t)size;
}

void cf_log_write(cf_log_level_t level, const char *source, const char *message,
                  const cf_log_field_t *fields)
{
    uint8_t line[CF_LOG_LINE_MAX];
    int saved_errno = errno; /* logging an error must not change it */
    size_t size = format(line, level, actor_name, cf_log_is_on(CF_LOG_DEBUG) ? source : NULL,
                         message, fields);
    bool written = atomic_load(&running) ? write(ring[1], line, size) == (ssize_t)size
                                         : write_straight(line, size);
    if (!written)
        atomic_fetch_add(&dropped, 1);
    errno = saved_errno;
}

/* --- the log thread -------------------------------------------------------------------------- */

typedef struct {
    uint8_t bytes[PIPE_BUF]; /* read from the ring, not yet written; whole lines but for the last */
    size_t size;
    uint64_t reported; /* of `dropped` */
    int64_t reported_us;
} copy_t;

/* Says how many lines were lost, at most once a second, now that it flows again. Between two lines
 * only. */
static void report_dropped(copy_t *copy)
{
    uint64_t now = atomic_load(&dropped);
    int64_t now_us = cf_boot_us();
    if (now == copy->reported || now_us - copy->reported_us < REPORT_EVERY_US)
        return;
    const cf_log_field_t fields[] = {cf_log_uint("lines", now - copy->reported), cf_log_end()};
    uint8_t line[CF_LOG_LINE_MAX];
    size_t size = format(line, CF_LOG_WARN, "log", NULL, "dropped log lines", fields);
    if (write(STDERR_FILENO, line, size) != (ssize_t)size)
        return;
    copy->reported = now;
    copy->reported_us = now_us;
}

/* Writes the whole lines of copy->bytes. May block: that is what this thread is for. A reader that
 * is gone (EPIPE) or a full disk loses the lines, counted one by one. */
static void write_lines(copy_t *copy)
{
    const uint8_t *end = memrchr(copy->bytes, '\n', copy->size);
    size_t whole = end ? (size_t)(end - copy->bytes) + 1 : 0, done = 0;
    while (done < whole) {
        ssize_t written = write(STDERR_FILENO, copy->bytes + done, whole - done);
        if (written < 0 && errno == EAGAIN) { /* whoever started us made it non-blocking */
            struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&writable, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            for (size_t i = done; i < whole; i++)
                if (copy->bytes[i] == '\n')
                    atomic_fetch_add(&dropped, 1);
            done = whole;
        } else if (written > 0) {
            done += (size_t)written;
        }
    }
    copy->size -= whole;
    memmove(copy->bytes, copy->bytes + whole, copy->size);
}

/* Moves what the ring holds to stderr; returns when it is empty. */
static void drain(copy_t *copy)
{
    ssize_t got;
    while ((got = read(ring[0], copy->bytes + copy->size, sizeof copy->bytes - copy->size)) > 0) {
        copy->size += (size_t)got;
        write_lines(copy);
        if (copy->size == 0)
            report_dropped(copy);
    }
}

static void *run(void *unused)
{
    static copy_t copy; /* one log thread at a time; kept over a stop and a start */
    bool stopping = false;
    pthread_setname_np(pthread_self(), "log");
    copy.reported_us = cf_boot_us() - REPORT_EVERY_US;
    while (!stopping) {
        struct pollfd wake[] = {{.fd = ring[0], .events = POLLIN},
                                {.fd = stop_event, .events = POLLIN}};
        bool owes = atomic_load(&dropped) != copy.reported;
        poll(wake, 2, owes ? (int)(REPORT_EVERY_US / 1000) : -1);
        stopping = wake[1].revents != 0; /* looked at before the last drain */
        drain(&copy);
        if (copy.size == 0)
            report_dropped(&copy);
    }
    eventfd_write(stopped_event, 1);
    return unused;
}

/* A descriptor made once, and without the event of an earlier stop. */
static int open_event(int *event)
{
    eventfd_t old;
    if (*event < 0)
        *event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*event < 0)
        return CF_EIO;
    (void)eventfd_read(*event, &old);
    return 0;
}

/* Makes the ring and the events if they are not there yet. */
static int open_ring(void)
{
    if (open_event(&stop_event) < 0 || open_event(&stopped_event) < 0)
        return CF_EIO;
    if (ring[0] >= 0)
        return 0;
    if (pipe2(ring, O_CLOEXEC | O_NONBLOCK) < 0)
        return CF_EIO;
    (void)fcntl(ring[1], F_SETPIPE_SZ, RING_BYTES); /* the default of 64 KiB would do */
    return 0;
}

int cf_log_start(void)
{
    if (atomic_load(&running))
        return 0;
    if (is_stuck || open_ring() < 0)
        return CF_EIO;

    /* Signals are for the main thread; SIGPIPE of a reader that left would end the process. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return CF_EIO;
    atomic_store(&running, true);
    return 0;
}

void cf_log_stop(int flush_ms)
{
    if (!atomic_exchange(&running, false))
        return;
    eventfd_write(stop_event, 1);
    struct pollfd stopped = {.fd = stopped_event, .events = POLLIN};
    is_stuck = poll(&stopped, 1, flush_ms) != 1;
    if (is_stuck)
        pthread_detach(thread); /* in write(2); it ends with the process */
    else
        pthread_join(thread, NULL);
}

/* --- settings -------------------------------------------------------------------------------- */

bool cf_log_is_on(cf_log_level_t level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

void cf_log_as_text(void)
{
    atomic_store(&as_text, true);
}

void cf_log_set_level(cf_log_level_t lowest)
{
    atomic_store(&lowest_level, (int)lowest);
}

int cf_log_level_parse(cf_log_level_t *out, const char *text)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(text, level_names[i]) == 0) {
            *out = (cf_log_level_t)i;
            return 0;
        }
    return CF_ERANGE;
}

void cf_log_actor(const char *name)
{
    actor_name = name;
}

void cf_log_trace(const cf_trace_t *trace)
{
    static const uint8_t none[CF_TRACE_ID_SIZE];
    has_trace = trace && memcmp(trace->id, none, sizeof none) != 0;
    if (has_trace)
        memcpy(trace_id, trace->id, sizeof trace_id);
}

void cf_log_context(cf_log_context_fn *fields, const void *of)
{
    context_fields = fields;
    context_of = of;
}

uint64_t cf_log_dropped(void)
{
    return atomic_load(&dropped);
}

/* --- fields ---------------------------------------------------------------------------------- */

cf_log_field_t cf_log_str(const char *key, const char *text)
{
    cf_log_field_t field = {.kind = CF_LOG_KIND_NULL, .key = key};
    return text ? cf_log_text(key, cf_str(text)) : field;
}

cf_log_field_t cf_log_text(const char *key, cf_str_t text)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_TEXT, .key = key, .value.text = text};
}

cf_log_field_t cf_log_int(const char *key, int64_t number)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_INT, .key = key, .value.number = number};
}

cf_log_field_t cf_log_uint(const char *key, uint64_t number)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_UINT, .key = key, .value.count = number};
}

cf_log_field_t cf_log_bool(const char *key, bool truth)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_BOOL, .key = key, .value.number = truth};
}

cf_log_field_t cf_log_id(const char *key, cf_id_t id)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_ID, .key = key, .value.id = id};
}

cf_log_field_t cf_log_err(int code)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_ERR, .key = "err", .value.number = code};
}

cf_log_field_t cf_log_errno(int number)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_ERRNO, .key = "err", .value.number = number};
}

cf_log_field_t cf_log_end(void)
{
    return (cf_log_field_t){.kind = CF_LOG_KIND_END};
}
