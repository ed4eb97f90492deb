/* base/json.h: writes JSON; commas are its business, not the caller's.
 *
 *     cf_json_t json = {.out = &buf};
 *     cf_json_object(&json);
 *     cf_json_key(&json, "type");
 *     cf_json_text(&json, "welcome");
 *     cf_json_object_end(&json);
 *     return json.rc;
 *
 * Whether a comma is due is read from the last byte of the buffer, so there is no state to keep: a
 * document may start in an empty buffer or behind a line feed or NUL. An error sticks: after it
 * nothing more is written and rc tells; the caller then throws the buffer's content away.
 *
 * Strings escape < > & U+2028 U+2029 (rooms contract, 2.1), quotes, backslashes and every control
 * character, so that the result is one line and harmless inside HTML. The text should be valid
 * UTF-8; bytes that are not come out as U+FFFD, one each, so the output is always well-formed. */
#ifndef CF_JSON_H
#define CF_JSON_H

#include "buf.h"
#include "id.h"
#include "str.h"

#include <stdbool.h>

typedef struct {
    cf_buf_t *out; /* borrowed; appended to */
    int rc;        /* 0 or the first error (CF_ENOMEM) */
} cf_json_t;

void cf_json_object(cf_json_t *json);
void cf_json_object_end(cf_json_t *json);
void cf_json_array(cf_json_t *json);
void cf_json_array_end(cf_json_t *json);
void cf_json_key(cf_json_t *json,
                 const char *key); /* the next value belongs to it; written as it is: no escapes */

void cf_json_str(cf_json_t *json, const char *bytes, size_t size);
/* As cf_json_str, but no more than max bytes of output, quotes included; cut between characters.
 * Returns whether everything fitted. max is at least 2. */
bool cf_json_str_cut(cf_json_t *json, const char *bytes, size_t size, size_t max);
void cf_json_text(cf_json_t *json, const char *text); /* NUL-terminated */
void cf_json_int(cf_json_t *json, int64_t value);
void cf_json_uint(cf_json_t *json, uint64_t value);
void cf_json_bool(cf_json_t *json, bool value);
void cf_json_null(cf_json_t *json);
void cf_json_id(cf_json_t *json, cf_id_t id);      /* the hyphenated text form */
void cf_json_time(cf_json_t *json, int64_t at_us); /* RFC 3339, UTC */

#endif
