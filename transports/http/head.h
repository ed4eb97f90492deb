/* transports/http/head.h: the head of one HTTP/1.x request, read strictly (RFC 9110, RFC 9112).
 *
 * Whatever two parsers could read differently is refused: a line that ends in a bare LF, a folded
 * or blank-padded field name, control characters, two Content-Length fields, Transfer-Encoding. So
 * nobody in front of us can be made to see other requests than we do. */
#ifndef CF_HEAD_H
#define CF_HEAD_H

#include "server.h"

#define CF_HEAD_FIELDS_MAX 100  /* header lines: 431 beyond */
#define CF_HEAD_TARGET_MAX 8192 /* bytes of the request target: 414 beyond */
/* Bytes of several lines of one field together: 431 beyond. */
#define CF_HEAD_FORWARDED_MAX 1024 /* X-Forwarded-For */
#define CF_HEAD_COOKIES_MAX 4096   /* Cookie */

/* The fields that are looked at; all others are checked for syntax and forgotten. */
typedef enum {
    CF_FIELD_HOST,
    CF_FIELD_ORIGIN,
    CF_FIELD_COOKIE,
    CF_FIELD_AUTHORIZATION,
    CF_FIELD_SEC_FETCH_SITE,
    CF_FIELD_CONTENT_TYPE,
    CF_FIELD_REQUEST_ID,
    CF_FIELD_TRACEPARENT,
    CF_FIELD_FORWARDED_FOR,
    CF_FIELD_TRUE_CLIENT_IP,
    CF_FIELD_REAL_IP,
    CF_FIELD_IF_NONE_MATCH,
    CF_FIELD_IF_MODIFIED_SINCE,
    CF_FIELD_CONTENT_LENGTH,
    CF_FIELD_TRANSFER_ENCODING,
    CF_FIELD_CONNECTION,
    CF_FIELD_UPGRADE,
    CF_FIELD_EXPECT,
    CF_FIELD_WS_KEY,
    CF_FIELD_WS_VERSION,
    CF_FIELD_COUNT
} cf_head_field_t;

/* One parsed head. All cf_str_t point into the bytes that were parsed, but several lines of
 * X-Forwarded-For or Cookie are joined in `forwarded` and `cookies`. An absent field is empty. */
typedef struct {
    cf_method_t method;
    int minor; /* HTTP/1.minor, 0 or 1 (any later minor is read as 1) */
    cf_str_t path, query;
    cf_str_t fields[CF_FIELD_COUNT];
    uint64_t content_length; /* 0 when absent */
    bool is_chunked;         /* the body is in the chunked coding, see chunked.h */
    bool keep_alive;         /* what the client allows */
    bool expects_continue;
    bool connection_upgrade; /* "upgrade" is among the Connection options */
    bool upgrade_websocket;  /* "websocket" is among the Upgrade protocols */
    bool is_read;            /* every line was; so after a refusal the fields may be believed */
    uint32_t present;        /* bit per cf_head_field_t: the field was there, perhaps empty */
    char forwarded[CF_HEAD_FORWARDED_MAX], cookies[CF_HEAD_COOKIES_MAX];
} cf_head_t;

/* RFC 9110, 5.6.2: tchar. */
bool cf_head_is_token_char(char c);

/* Where the head ends: its size with the empty line, 0 if bytes are missing, CF_EPROTO at the first
 * byte that no head may hold (bare LF, bare CR, NUL and other controls). *scanned carries on
 * between calls with ever more of the same bytes; start with 0. */
int64_t cf_head_end(const uint8_t *bytes, size_t size, size_t *scanned);

/* Reads the `size` bytes that cf_head_end() found. Returns 0, or the HTTP status to refuse it with:
 * 400, 413 (Content-Length past any bound), 414, 417, 431, 505; then is_read
 * says whether the fields are whole. *out points into bytes. */
int cf_head_parse(cf_head_t *out, const uint8_t *bytes, size_t size);

#endif
