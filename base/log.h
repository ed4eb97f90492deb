/* base/log.h: one JSON object per line on stderr (or, if wanted, key=value).
 *
 *     cf_log_info("refused a post", CF_ID("room", room), CF_INT("seq", 3), CF_STR("reason", text));
 *
 * gives {"ts":"...","level":"info","actor":"room","msg":"refused a post","room":"...","seq":3,...}.
 * Values are data: control characters, markup and ill-formed UTF-8 are escaped, so a record is
 * always one line. A line is at most CF_LOG_LINE_MAX bytes; longer values are cut and marked
 * "cut":true. Never post text, tokens, passwords or keys.
 *
 * The calling thread formats the line and gives it to the log thread without ever waiting: when
 * nobody reads stderr lines are dropped, counted, and reported once it flows again. Before
 * cf_log_start() and after cf_log_stop() lines go straight to stderr under the same rule. Any
 * thread may log. */
#ifndef CF_LOG_H
#define CF_LOG_H

#include "err.h"
#include "id.h"
#include "str.h"
#include "trace.h"

#include <stdbool.h>
#include <stdint.h>

#define CF_LOG_LINE_MAX 4000  /* bytes with line feed; below PIPE_BUF: one write is atomic */
#define CF_LOG_VALUE_MAX 1500 /* bytes of one string value as written */
#define CF_LOG_KEY_MAX 32     /* characters of a key */
#define CF_LOG_CONTEXT_MAX 4  /* fields */

typedef enum { CF_LOG_DEBUG, CF_LOG_INFO, CF_LOG_WARN, CF_LOG_ERROR } cf_log_level_t;

typedef enum {
    CF_LOG_KIND_END, /* closes the list of fields */
    CF_LOG_KIND_NULL,
    CF_LOG_KIND_TEXT,
    CF_LOG_KIND_INT,
    CF_LOG_KIND_UINT,
    CF_LOG_KIND_BOOL,
    CF_LOG_KIND_ID,
    CF_LOG_KIND_ERR,
    CF_LOG_KIND_ERRNO,
} cf_log_kind_t;

typedef struct {
    cf_log_kind_t kind;
    const char *key; /* a literal; at most CF_LOG_KEY_MAX characters */
    union {
        cf_str_t text; /* borrowed for the call */
        int64_t number;
        uint64_t count;
        cf_id_t id;
    } value;
} cf_log_field_t;

/* The fields of a line. CF_ERR takes a CF_E... code, CF_ERRNO an errno; both are named "err". */
#define CF_STR(key, string) cf_log_str(key, string) /* NUL-terminated; NULL is written as null */
#define CF_TEXT(key, text) cf_log_text(key, text)   /* a cf_str_t */
#define CF_INT(key, number) cf_log_int(key, number)
#define CF_UINT(key, number) cf_log_uint(key, number)
#define CF_BOOL(key, truth) cf_log_bool(key, truth)
#define CF_ID(key, id) cf_log_id(key, id)
#define CF_ERR(code) cf_log_err(code)
#define CF_ERRNO(number) cf_log_errno(number)
cf_log_field_t cf_log_str(const char *key, const char *text);
cf_log_field_t cf_log_text(const char *key, cf_str_t text);
cf_log_field_t cf_log_int(const char *key, int64_t number);
cf_log_field_t cf_log_uint(const char *key, uint64_t number);
cf_log_field_t cf_log_bool(const char *key, bool truth);
cf_log_field_t cf_log_id(const char *key, cf_id_t id);
cf_log_field_t cf_log_err(int code);
cf_log_field_t cf_log_errno(int number);
cf_log_field_t cf_log_end(void); /* closes the list */

#define cf_log_debug(...) CF_LOG_CALL(CF_LOG_DEBUG, __VA_ARGS__, cf_log_end())
#define cf_log_info(...) CF_LOG_CALL(CF_LOG_INFO, __VA_ARGS__, cf_log_end())
#define cf_log_warn(...) CF_LOG_CALL(CF_LOG_WARN, __VA_ARGS__, cf_log_end())
#define cf_log_error(...) CF_LOG_CALL(CF_LOG_ERROR, __VA_ARGS__, cf_log_end())
/* The fields are evaluated only when the level is on. */
#define CF_LOG_CALL(level, message, ...)                                                           \
    do {                                                                                           \
        if (cf_log_is_on(level))                                                                   \
            cf_log_write(level, CF_LOG_HERE, message, (const cf_log_field_t[]){__VA_ARGS__});      \
    } while (0)
#define CF_LOG_HERE __FILE_NAME__ ":" CF_LOG_DIGITS(__LINE__)
#define CF_LOG_DIGITS(number) CF_LOG_LITERAL(number)
#define CF_LOG_LITERAL(token) #token

/* source: where in the sources; written while the level is debug. */
void cf_log_write(cf_log_level_t level, const char *source, const char *message,
                  const cf_log_field_t *fields);
bool cf_log_is_on(cf_log_level_t level);

void cf_log_set_level(cf_log_level_t lowest); /* CF_LOG_INFO at first */
/* From here on lines are key=value, with the values as in JSON: ts="..." level="info" seq=3 */
void cf_log_as_text(void);
/* "debug", "info", "warn" or "error". Returns 0, or CF_ERANGE and leaves *out as it was. */
int cf_log_level_parse(cf_log_level_t *out, const char *text);

/* Written into every later line of the calling thread. name is a literal; NULL: none. */
void cf_log_actor(const char *name);
/* Copied; NULL, and an id of zeros: none. */
void cf_log_trace(const cf_trace_t *trace);
/* For whom the calling thread works, asked when a line is written: it is said for each message, and hardly any of
 * them logs. At most CF_LOG_CONTEXT_MAX fields to `out`, by keys that no line has of its own, behind them
 * cf_log_end(); `of` is borrowed until the next call. NULL: none. */
typedef void cf_log_context_fn(cf_log_field_t *out, const void *of);
void cf_log_context(cf_log_context_fn *fields, const void *of);

/* Starts the log thread. Returns 0 or CF_EIO (lines go on straight to stderr). */
int cf_log_start(void);
/* Lines go straight to stderr again; the log thread writes what it was given, for at most flush_ms,
 * and ends. */
void cf_log_stop(int flush_ms);
/* Lines dropped since the process began. */
uint64_t cf_log_dropped(void);

#endif
