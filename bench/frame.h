/* bench/frame.h: the client's side of RFC 6455, and the members of confab's frames, without one
 * allocation. A measuring tool's own: it trusts the server's JSON to be well-formed and reports
 * what it cannot read. */
#ifndef CF_BENCH_FRAME_H
#define CF_BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CF_OP_TEXT = 1, CF_OP_BINARY, CF_OP_CLOSE = 8, CF_OP_PING = 9, CF_OP_PONG = 10 };

#define CF_FRAME_HEAD_MAX 14

/* The key of RFC 6455, 1.3, and its answer: both ends of a measurement may use constants. */
#define CF_WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define CF_WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

typedef struct {
    uint8_t opcode;
    bool final, masked;
    const uint8_t *payload;
    uint8_t mask[4];    /* if masked; the payload is as received */
    size_t size, whole; /* of the payload; of the frame with its head */
} cf_ws_frame_t;

/* The frame at the start of bytes: 1; 0 if it is not there completely (`whole` is set as soon as
 * the head is, else 0); -1 if it uses reserved bits. */
int cf_ws_read(cf_ws_frame_t *out, const uint8_t *bytes, size_t size);

/* Writes a final frame, masked if mask is not NULL; out must have room for size +
 * CF_FRAME_HEAD_MAX. Returns its whole size. payload may lie at out + CF_FRAME_HEAD_MAX or
 * elsewhere. */
size_t cf_ws_write(uint8_t *out, uint8_t opcode, const void *payload, size_t size,
                   const uint8_t *mask);
void cf_ws_unmask(uint8_t *bytes, size_t size, const uint8_t *mask);

typedef struct {
    const char *at; /* string: between the quotes, escapes as sent; else the token */
    size_t size;
} cf_slice_t;

typedef struct {
    cf_slice_t type, id, username, content, chatroom_id, seq, client_key, message, code,
        retry_after_ms;
} cf_members_t; /* absent: size 0 */

/* The known members of one JSON object; false if it is not one object. */
bool cf_members_read(cf_members_t *out, const char *json, size_t size);
/* One member of an object by name; false if it has none. */
bool cf_member_find(cf_slice_t *out, const char *json, size_t size, const char *wanted);

/* The next element of an array: *at stands behind its opening bracket, then behind the element and a
 * comma. False at the closing bracket; *at is NULL then if the array is broken. */
bool cf_element_next(cf_slice_t *out, const char **at, const char *end);

bool cf_slice_is(cf_slice_t slice, const char *text);
uint64_t cf_slice_number(cf_slice_t slice); /* leading digits; 0 if none */

#endif
