/* transports/link/reliable.h: what two nodes say to each other, in order, each once, over a link that may lose it.
 *
 * ZeroMQ connects again by itself when a TCP connection ends, and forgets what was on its way. So frames to
 * one other node are numbered and kept until the other side has them; it confirms the latest it has read in
 * order, with everything it says, and says when one is missing. What is kept is bounded: beyond it the other side is
 * as good as not there, and whoever owns this gives it up.
 *
 * Only numbers and times, no socket. A frame is a head of CF_RELIABLE_HEAD bytes, little-endian, and a body:
 *      0  u8   version of this head, 1
 *      1  u8   version of messages, CF_MSG_VERSION
 *      2  u8   kind: 1 a body, 2 none, 3 none, and the frame behind `read` is missing
 *      3  u8   0
 *      4  u32  size of the body in bytes
 *      8  u32  from: number of the node that speaks
 *     12  u32  to
 *     16  u64  number of this body, 1..; 0 without one
 *     24  u64  read: number of the latest body that has come in order; 0: none */
#ifndef CF_RELIABLE_H
#define CF_RELIABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CF_RELIABLE_HEAD 32

typedef struct cf_reliable cf_reliable_t;

typedef struct {
    uint32_t me, peer; /* numbers of nodes */
    size_t bytes_max;  /* that may wait to be confirmed */
    int64_t again_us;  /* what is not confirmed for so long is sent again */
    int64_t
        confirm_us; /* what has come is confirmed after so long, or with what is sent before that */
    int64_t idle_us; /* who has sent nothing for so long says that it is there */
} cf_reliable_config_t;

/* Begins by saying that it is there. 0 or CF_ENOMEM. */
int cf_reliable_new(cf_reliable_t **out, const cf_reliable_config_t *config, int64_t boot_us);
void cf_reliable_destroy(cf_reliable_t **self);

/* Something for the other side; copied. 0, CF_EFULL (bytes_max), CF_ENOMEM: it was not taken. */
int cf_reliable_put(cf_reliable_t *self, const void *body, size_t size);

/* What the socket is to be given next; false: nothing for now. Borrowed until the next call of any other
 * function than cf_reliable_sent(), which says that the socket has taken it. */
bool cf_reliable_next(cf_reliable_t *self, int64_t boot_us, const uint8_t **frame, size_t *size);
void cf_reliable_sent(cf_reliable_t *self, int64_t boot_us);
/* When there may be something though nothing was put and nothing came. */
int64_t cf_reliable_due_us(const cf_reliable_t *self);

/* A frame has come. 1: *body is the next in order, borrowed from it. 0: it has nothing new. CF_EPROTO: the other
 * side does not speak this, or says what cannot be; nothing was changed, and nothing it says is to be believed
 * any more. */
int cf_reliable_read(cf_reliable_t *self, const uint8_t *frame, size_t size, int64_t boot_us,
                     const uint8_t **body, size_t *body_size);

/* Is a frame of the versions that are read here? */
bool cf_reliable_has_version(const uint8_t *frame, size_t size);
/* The number of the node that a frame says it is from; 0: it is none. */
uint32_t cf_reliable_from(const uint8_t *frame, size_t size);
/* The number of the node that it is for, if it is one of these versions; else 0. */
uint32_t cf_reliable_to(const uint8_t *frame, size_t size);

uint64_t cf_reliable_again(const cf_reliable_t *self); /* bodies sent more than once */
int64_t
cf_reliable_heard_us(const cf_reliable_t *self);     /* when the other side spoke last; 0: never */
size_t cf_reliable_bytes(const cf_reliable_t *self); /* that wait to be confirmed */

#endif
