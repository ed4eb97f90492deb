#include "buf.h"
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

int cf_buf_reserve(cf_buf_t *buf, size_t more)
{
    if (more <= buf->cap - buf->size)
        return 0;
    if (more > SIZE_MAX / 2 - buf->size)
        return CF_ENOMEM;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < buf->size + more)
        cap *= 2;
    uint8_t *data = realloc(buf->data, cap);
    if (!data)
        return CF_ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int cf_buf_add(cf_buf_t *buf, const void *bytes, size_t size)
{
    if (size == 0)
        return 0; /* memcpy of an empty range from NULL is undefined */
    int rc = cf_buf_reserve(buf, size);
    if (rc < 0)
        return rc;
    memcpy(buf->data + buf->size, bytes, size);
    buf->size += size;
    return 0;
}

int cf_buf_add_byte(cf_buf_t *buf, uint8_t byte)
{
    return cf_buf_add(buf, &byte, 1);
}

int cf_buf_add_text(cf_buf_t *buf, const char *text)
{
    return cf_buf_add(buf, text, strlen(text));
}

int cf_buf_addf(cf_buf_t *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    int rc = length < 0 ? CF_ERANGE : cf_buf_reserve(buf, (size_t)length + 1);
    if (rc < 0)
        return rc;
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
    return 0;
}

void cf_buf_consume(cf_buf_t *buf, size_t count)
{
    if (count >= buf->size) {
        buf->size = 0;
        return;
    }
    memmove(buf->data, buf->data + count, buf->size - count);
    buf->size -= count;
}

void cf_buf_clear(cf_buf_t *buf)
{
    buf->size = 0;
}

void cf_buf_free(cf_buf_t *buf)
{
    free(buf->data);
    *buf = (cf_buf_t){0};
}
