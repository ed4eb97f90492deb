#include "http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX 16384
#define STATUS_LINE_MIN 12 /* HTTP/1.1 200 */

typedef struct {
    char *at;
    size_t size, max; /* size > max: it did not fit */
} text_t;

static void add(text_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(text_t *self, const char *format, ...)
{
    va_list values;
    size_t room = self->size < self->max ? self->max - self->size : 0;
    va_start(values, format);
    int size = vsnprintf(self->at + (room ? self->size : 0), room, format, values);
    va_end(values);
    self->size += size > 0 ? (size_t)size : 0;
}

size_t cf_request_write(char *out, size_t max, const cf_request_t *request)
{
    text_t text = {.at = out, .max = max};
    add(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: confab-bench\r\n", request->method,
        request->path, request->host);
    if (request->bearer)
        add(&text, "Authorization: Bearer %s\r\n", request->bearer);
    if (request->cookie)
        add(&text, "Cookie: session_id=%s\r\n", request->cookie);
    if (request->upgrade)
        add(&text, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: " CF_WS_KEY "\r\n\r\n");
    else if (request->body)
        add(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            strlen(request->body), request->body);
    else
        add(&text, "Content-Length: 0\r\n\r\n");
    return text.size < max ? text.size : 0;
}

/* The value of a header line with this name, which includes the colon; size 0 if it has another. */
static cf_slice_t value_of(const char *line, const char *end, const char *name)
{
    size_t size = strlen(name);
    if ((size_t)(end - line) < size || strncasecmp(line, name, size) != 0)
        return (cf_slice_t){0};
    line += size;
    while (line < end && *line == ' ')
        line++;
    return (cf_slice_t){line, (size_t)(end - line)};
}

static cf_slice_t session_of(cf_slice_t cookie)
{
    static const char name[] = "session_id=";
    if (cookie.size < sizeof name || memcmp(cookie.at, name, sizeof name - 1) != 0)
        return (cf_slice_t){0};
    const char *value = cookie.at + sizeof name - 1,
               *end = memchr(value, ';', cookie.size - (sizeof name - 1));
    return (cf_slice_t){value, end ? (size_t)(end - value) : cookie.size - (sizeof name - 1)};
}

static void read_header(cf_answer_t *out, size_t *length, const char *line, const char *end)
{
    cf_slice_t value;
    if ((value = value_of(line, end, "Content-Length:")).size)
        *length = (size_t)cf_slice_number(value);
    else if ((value = value_of(line, end, "Set-Cookie:")).size)
        out->cookie = session_of(value);
    else if ((value = value_of(line, end, "Connection:")).size)
        out->closes = value.size == 5 && strncasecmp(value.at, "close", 5) == 0;
    else if ((value = value_of(line, end, "Sec-WebSocket-Accept:")).size)
        out->accepts = cf_slice_is(value, CF_WS_ACCEPT);
}

int cf_answer_read(cf_answer_t *out, const char *bytes, size_t size)
{
    const char *head_end = memmem(bytes, size, "\r\n\r\n", 4);
    size_t length = 0;
    if (!head_end)
        return size < HEAD_MAX ? 0 : -1;
    if (head_end - bytes < STATUS_LINE_MIN)
        return -1;
    *out = (cf_answer_t){0};
    if (memcmp(bytes, "HTTP/1.1 ", 9) != 0)
        return -1;
    out->status = (int)cf_slice_number((cf_slice_t){bytes + 9, 3});
    for (const char *line = bytes; line < head_end;) {
        const char *end = memmem(line, (size_t)(head_end + 2 - line), "\r\n", 2);
        read_header(out, &length, line, end);
        line = end + 2;
    }
    size_t head = (size_t)(head_end + 4 - bytes);
    if (size - head < length)
        return 0;
    out->body = (cf_slice_t){head_end + 4, length};
    out->whole = head + length;
    return 1;
}
