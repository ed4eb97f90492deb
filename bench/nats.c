#include "nats.h"

#include <stdio.h>
#include <string.h>

#define END "\r\n"
#define END_SIZE 2

static const struct {
    const char *word;
    cf_nats_kind_t kind;
} words[] = {{"MSG ", CF_NATS_MSG},   {"PING", CF_NATS_PING}, {"PONG", CF_NATS_PONG},
             {"INFO ", CF_NATS_INFO}, {"+OK", CF_NATS_OK},    {"-ERR ", CF_NATS_ERR}};

/* MSG subject sid [reply-to] size; false if the line is none. */
static bool read_message_line(cf_nats_op_t *out, const char *line, const char *end)
{
    const char *subject = line + strlen("MSG "),
               *blank = memchr(subject, ' ', (size_t)(end - subject)),
               *last = memrchr(subject, ' ', (size_t)(end - subject));
    if (!blank || blank == subject || last == blank || last + 1 == end)
        return false;
    for (const char *at = last + 1; at < end; at++)
        if (*at < '0' || *at > '9' || end - last > 8)
            return false;
    out->subject = (cf_slice_t){subject, (size_t)(blank - subject)};
    out->payload = (cf_slice_t){
        end + END_SIZE, (size_t)cf_slice_number((cf_slice_t){last + 1, (size_t)(end - last - 1)})};
    return true;
}

static int read_line(cf_nats_op_t *out, const char *line, const char *end, size_t size)
{
    int whole = (int)(end - line) + END_SIZE;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if ((size_t)(end - line) < length || memcmp(line, words[i].word, length) != 0)
            continue;
        out->kind = words[i].kind;
        if (out->kind != CF_NATS_MSG)
            return whole;
        if (!read_message_line(out, line, end))
            return -1;
        whole += (int)out->payload.size + END_SIZE;
        if (size < (size_t)whole)
            return 0;
        return memcmp(line + whole - END_SIZE, END, END_SIZE) == 0 ? whole : -1;
    }
    return -1;
}

int cf_nats_read(cf_nats_op_t *out, const uint8_t *bytes, size_t size)
{
    const char *line = (const char *)bytes;
    size_t most = size < CF_NATS_LINE_MAX ? size : CF_NATS_LINE_MAX;
    const char *end = memmem(line, most, END, END_SIZE);
    if (!end)
        return size < CF_NATS_LINE_MAX ? 0 : -1;
    *out = (cf_nats_op_t){0};
    return read_line(out, line, end, size);
}

/* The PONG to its PING says that the subscription is there. */
size_t cf_nats_write_connect(uint8_t *out, const char *subject)
{
    return (size_t)sprintf((char *)out,
                           "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}" END
                           "SUB %s 1" END "PING" END,
                           subject);
}

size_t cf_nats_write_pub(uint8_t *out, const char *subject, const char *payload, size_t size)
{
    size_t at = (size_t)sprintf((char *)out, "PUB %s %zu" END, subject, size);
    memcpy(out + at, payload, size);
    memcpy(out + at + size, END, END_SIZE);
    return at + size + END_SIZE;
}

size_t cf_nats_write_pong(uint8_t *out)
{
    return (size_t)sprintf((char *)out, "PONG" END);
}
