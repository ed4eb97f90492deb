#include "head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    OK = 0,
    BAD_REQUEST = 400,
    TOO_LARGE = 413,
    URI_TOO_LONG = 414,
    EXPECTATION_FAILED = 417,
    FIELDS_TOO_LARGE = 431,
    VERSION_NOT_SUPPORTED = 505
};

#define CONTENT_LENGTH_DIGITS_MAX 18 /* fits 64 bits; far beyond any body_max */

int64_t cf_head_end(const uint8_t *bytes, size_t size, size_t *scanned)
{
    for (size_t i = *scanned; i < size; i++) {
        uint8_t byte = bytes[i];
        bool after_cr = i > 0 && bytes[i - 1] == '\r';
        if (after_cr != (byte == '\n'))
            return CF_EPROTO; /* RFC 9112, 2.2: a bare CR or LF is not a line end */
        if ((byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\t') || byte == 0x7f)
            return CF_EPROTO;
        if (byte == '\n' && i >= 3 && bytes[i - 2] == '\n')
            return (int64_t)i + 1;
        *scanned = i + 1;
    }
    return 0;
}

bool cf_head_is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(cf_str_t text)
{
    for (uint32_t i = 0; i < text.size; i++)
        if (!cf_head_is_token_char(text.bytes[i]))
            return false;
    return text.size > 0;
}

static bool equals_nocase(cf_str_t text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.bytes, word, text.size) == 0;
}

static cf_str_t trim(cf_str_t text)
{
    while (text.size && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.size--;
    }
    while (text.size && (text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* Whether the comma list has `word` among its elements, whatever its case. */
static bool list_has(cf_str_t list, const char *word)
{
    const char *at = list.bytes, *end = list.bytes + list.size;
    while (at && at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (equals_nocase(trim((cf_str_t){at, (uint32_t)(stop - at)}), word))
            return true;
        at = stop + 1;
    }
    return false;
}

/* The next line without its CRLF; the caller knows that every line has one. */
static cf_str_t take_line(const char **at, const char *end)
{
    const char *line = *at;
    const char *stop = memchr(line, '\r', (size_t)(end - line));
    *at = stop + 2;
    return (cf_str_t){line, (uint32_t)(stop - line)};
}

static cf_method_t method_of(cf_str_t name)
{
    static const struct {
        const char *name;
        cf_method_t method;
    } methods[] = {{"GET", CF_METHOD_GET},       {"HEAD", CF_METHOD_HEAD},
                   {"POST", CF_METHOD_POST},     {"PUT", CF_METHOD_PUT},
                   {"DELETE", CF_METHOD_DELETE}, {"OPTIONS", CF_METHOD_OPTIONS}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (cf_str_equal(name, cf_str(methods[i].name)))
            return methods[i].method;
    return CF_METHOD_OTHER;
}

/* "HTTP/1.x"; the version decides nothing else than keep-alive and what Host must be. */
static int take_version(cf_head_t *out, cf_str_t text)
{
    if (text.size != 8 || memcmp(text.bytes, "HTTP/", 5) != 0 || text.bytes[6] != '.' ||
        text.bytes[5] < '0' || text.bytes[5] > '9' || text.bytes[7] < '0' || text.bytes[7] > '9')
        return BAD_REQUEST;
    if (text.bytes[5] != '1')
        return VERSION_NOT_SUPPORTED;
    out->minor = text.bytes[7] == '0' ? 0 : 1;
    return OK;
}

/* host[:port] or [IPv6][:port], RFC 9110, 7.2. No user, no blanks, not empty. */
static bool is_authority(cf_str_t text)
{
    if (text.size == 0 || text.size > 512)
        return false;
    uint32_t i = 0;
    if (text.bytes[0] == '[') {
        for (i = 1; i < text.size && text.bytes[i] != ']'; i++)
            if (!strchr("0123456789abcdefABCDEF:.", text.bytes[i]))
                return false;
        if (i < 3 || i++ >= text.size)
            return false;
    } else {
        while (i < text.size && text.bytes[i] != ':' &&
               (cf_head_is_token_char(text.bytes[i]) || strchr("()=;,", text.bytes[i])))
            i++;
        if (i == 0)
            return false;
    }
    if (i < text.size && text.bytes[i] == ':')
        for (i++; i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9';)
            i++;
    return i == text.size;
}

/* RFC 9112, 3.2.2: the absolute form names the host itself; it wins over the Host field. */
static int take_absolute_form(cf_head_t *out, cf_str_t *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        uint32_t length = (uint32_t)strlen(schemes[i]);
        if (target->size < length || strncasecmp(target->bytes, schemes[i], length) != 0)
            continue;
        cf_str_t rest = {target->bytes + length, target->size - length};
        uint32_t host = 0;
        while (host < rest.size && rest.bytes[host] != '/' && rest.bytes[host] != '?')
            host++;
        out->fields[CF_FIELD_HOST] = (cf_str_t){rest.bytes, host};
        *target = (cf_str_t){rest.bytes + host, rest.size - host};
        return is_authority(out->fields[CF_FIELD_HOST]) ? OK : BAD_REQUEST;
    }
    return BAD_REQUEST;
}

static int take_target(cf_head_t *out, cf_str_t target)
{
    if (target.size > CF_HEAD_TARGET_MAX)
        return URI_TOO_LONG;
    if (target.size == 0)
        return BAD_REQUEST;
    for (uint32_t i = 0; i < target.size; i++)
        if (target.bytes[i] <= ' ' || target.bytes[i] > '~' || target.bytes[i] == '#')
            return BAD_REQUEST;
    if (cf_str_equal(target, cf_str("*")) && out->method == CF_METHOD_OPTIONS) {
        out->path = cf_str("/"); /* asterisk-form: the server as a whole */
        return OK;
    }
    if (target.bytes[0] != '/') {
        int rc = take_absolute_form(out, &target);
        if (rc != OK)
            return rc;
    }
    const char *mark = target.size ? memchr(target.bytes, '?', target.size) : NULL;
    uint32_t path = mark ? (uint32_t)(mark - target.bytes) : target.size;
    out->path = path ? (cf_str_t){target.bytes, path} : cf_str("/");
    if (mark)
        out->query = (cf_str_t){mark + 1, target.size - path - 1};
    return OK;
}

static int take_request_line(cf_head_t *out, cf_str_t line)
{
    const char *end = line.bytes + line.size;
    const char *first = memchr(line.bytes, ' ', line.size);
    const char *last = memrchr(line.bytes, ' ', line.size);
    if (!first || first == last)
        return BAD_REQUEST;
    cf_str_t name = {line.bytes, (uint32_t)(first - line.bytes)};
    if (!is_token(name))
        return BAD_REQUEST;
    out->method = method_of(name);
    int rc = take_version(out, (cf_str_t){last + 1, (uint32_t)(end - last - 1)});
    if (rc != OK)
        return rc;
    return take_target(out, (cf_str_t){first + 1, (uint32_t)(last - first - 1)});
}

/* How often a field may come, and what becomes of a second line. */
typedef enum { ONCE, LIST, JOINED } repeat_t;
static const struct {
    const char *name;
    repeat_t repeat;
} known[CF_FIELD_COUNT] = {
    [CF_FIELD_HOST] = {"host", ONCE},
    [CF_FIELD_ORIGIN] = {"origin", ONCE},
    [CF_FIELD_COOKIE] = {"cookie", JOINED},
    [CF_FIELD_AUTHORIZATION] = {"authorization", ONCE},
    [CF_FIELD_SEC_FETCH_SITE] = {"sec-fetch-site", ONCE},
    [CF_FIELD_CONTENT_TYPE] = {"content-type", ONCE},
    [CF_FIELD_REQUEST_ID] = {"x-request-id", ONCE},
    [CF_FIELD_TRACEPARENT] = {"traceparent", ONCE},
    [CF_FIELD_FORWARDED_FOR] = {"x-forwarded-for", JOINED},
    [CF_FIELD_TRUE_CLIENT_IP] = {"true-client-ip", ONCE},
    [CF_FIELD_REAL_IP] = {"x-real-ip", ONCE},
    [CF_FIELD_IF_NONE_MATCH] = {"if-none-match", ONCE},
    [CF_FIELD_IF_MODIFIED_SINCE] = {"if-modified-since", ONCE},
    [CF_FIELD_CONTENT_LENGTH] = {"content-length", ONCE},
    [CF_FIELD_TRANSFER_ENCODING] = {"transfer-encoding", ONCE},
    [CF_FIELD_CONNECTION] = {"connection", LIST},
    [CF_FIELD_UPGRADE] = {"upgrade", LIST},
    [CF_FIELD_EXPECT] = {"expect", ONCE},
    [CF_FIELD_WS_KEY] = {"sec-websocket-key", ONCE},
    [CF_FIELD_WS_VERSION] = {"sec-websocket-version", ONCE},
};

/* One more line of a field that has one, behind it and in order: a proxy may add a line of its own to
 * X-Forwarded-For, of which the last element is the one to trust; and a client may split its cookies
 * (RFC 9113, 8.2.3), which a proxy may pass on as they came. */
static int join_line(cf_str_t *field, cf_str_t value, const char *between, char *to, size_t room)
{
    size_t gap = field->size ? 2 : 0;
    if (field->size + gap + value.size > room)
        return FIELDS_TOO_LARGE;
    if (field->size && field->bytes != to)
        memcpy(to, field->bytes, field->size);
    memcpy(to + field->size, between, gap);
    if (value.size)
        memcpy(to + field->size + gap, value.bytes, value.size);
    *field = (cf_str_t){to, (uint32_t)(field->size + gap + value.size)};
    return OK;
}

static int join(cf_head_t *out, cf_head_field_t which, cf_str_t value)
{
    cf_str_t *field = &out->fields[which];
    return which == CF_FIELD_COOKIE
               ? join_line(field, value, "; ", out->cookies, sizeof out->cookies)
               : join_line(field, value, ", ", out->forwarded, sizeof out->forwarded);
}

static int keep_field(cf_head_t *out, cf_head_field_t which, cf_str_t value)
{
    uint32_t bit = UINT32_C(1) << which;
    bool again = out->present & bit;
    out->present |= bit;
    if (known[which].repeat == ONCE && again)
        return BAD_REQUEST;
    if (known[which].repeat == JOINED && again)
        return join(out, which, value);
    if (which == CF_FIELD_CONNECTION) {
        out->connection_upgrade |= list_has(value, "upgrade");
        if (list_has(value, "close"))
            out->keep_alive = false;
        else if (out->minor == 0 && list_has(value, "keep-alive") && !again)
            out->keep_alive = true;
    }
    if (which == CF_FIELD_UPGRADE)
        out->upgrade_websocket |= list_has(value, "websocket");
    if (which != CF_FIELD_HOST || out->fields[which].size == 0) /* absolute form wins */
        out->fields[which] = value;
    return which == CF_FIELD_HOST && !is_authority(value) ? BAD_REQUEST : OK;
}

static int take_field(cf_head_t *out, cf_str_t line)
{
    const char *colon = memchr(line.bytes, ':', line.size);
    if (!colon)
        return BAD_REQUEST;
    /* A leading blank (obs-fold) or one before the colon is no token: RFC 9112, 5.1 and 5.2. */
    cf_str_t name = {line.bytes, (uint32_t)(colon - line.bytes)};
    if (!is_token(name))
        return BAD_REQUEST;
    cf_str_t value = trim((cf_str_t){colon + 1, line.size - name.size - 1});
    for (cf_head_field_t i = 0; i < CF_FIELD_COUNT; i++)
        if (equals_nocase(name, known[i].name))
            return keep_field(out, i, value);
    return OK;
}

static int take_length(cf_head_t *out)
{
    cf_str_t text = out->fields[CF_FIELD_CONTENT_LENGTH];
    if (!(out->present & UINT32_C(1) << CF_FIELD_CONTENT_LENGTH))
        return OK;
    for (uint32_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return BAD_REQUEST; /* a list of equal lengths too: RFC 9110, 8.6 leaves it to us */
    if (text.size == 0)
        return BAD_REQUEST;
    while (text.size > 1 && text.bytes[0] == '0') {
        text.bytes++;
        text.size--;
    }
    if (text.size > CONTENT_LENGTH_DIGITS_MAX)
        return TOO_LARGE;
    for (uint32_t i = 0; i < text.size; i++)
        out->content_length = out->content_length * 10 + (uint64_t)(text.bytes[i] - '0');
    return OK;
}

static bool has(const cf_head_t *head, cf_head_field_t field)
{
    return head->present & UINT32_C(1) << field;
}

/* What the fields say together about where this request ends. */
static int check_framing(cf_head_t *out)
{
    if (has(out, CF_FIELD_TRANSFER_ENCODING)) {
        /* RFC 9112, 6.1 and 6.3: with another coding, or with a length beside it, somebody in front
         * of us may have seen another end */
        out->is_chunked = equals_nocase(out->fields[CF_FIELD_TRANSFER_ENCODING], "chunked");
        if (!out->is_chunked || out->minor == 0 || has(out, CF_FIELD_CONTENT_LENGTH))
            return BAD_REQUEST;
    }
    if (out->minor > 0 && !has(out, CF_FIELD_HOST))
        return BAD_REQUEST; /* RFC 9112, 3.2 */
    int rc = take_length(out);
    if (rc != OK)
        return rc;
    if (has(out, CF_FIELD_EXPECT) && out->minor > 0) {
        out->expects_continue = equals_nocase(out->fields[CF_FIELD_EXPECT], "100-continue");
        if (!out->expects_continue)
            return EXPECTATION_FAILED;
    }
    return OK;
}

int cf_head_parse(cf_head_t *out, const uint8_t *bytes, size_t size)
{
    const char *at = (const char *)bytes, *end = at + size;
    memset(out, 0, offsetof(cf_head_t, forwarded));
    int rc = take_request_line(out, take_line(&at, end));
    if (rc != OK)
        return rc;
    out->keep_alive = out->minor > 0;
    int fields = 0;
    while (end - at > 2) {
        if (++fields > CF_HEAD_FIELDS_MAX)
            return FIELDS_TOO_LARGE;
        rc = take_field(out, take_line(&at, end));
        if (rc != OK)
            return rc;
    }
    out->is_read = true;
    return check_framing(out);
}
