/* bench/conn.h: one non-blocking TCP or TLS connection of a measuring client, with a buffer each way. Bytes
 * are gathered and leave with the next flush; what was read and makes no whole yet is kept. */
#ifndef CF_CONN_H
#define CF_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CF_IN_MAX (128 * 1024) /* the longest frame or answer that may arrive */
#define CF_OUT_MAX (16 * 1024)
#define CF_READ_MAX (256 * 1024)
#define CF_SCRATCH_MAX (CF_IN_MAX + CF_READ_MAX)

typedef struct {
    int fd;             /* -1: none */
    struct ssl_st *tls; /* NULL: plain */
    int epoll;
    uint32_t tag; /* what epoll reports for it */
    bool deaf;    /* is not read */
    bool sends;   /* waits until it can write */
    uint8_t *in;  /* CF_IN_MAX; the caller's */
    uint8_t *out; /* CF_OUT_MAX; the caller's */
    size_t in_size, out_size;
} cf_conn_t;

int64_t cf_now_ns(void); /* CLOCK_MONOTONIC */

/* As many descriptors as the machine lets this process have. */
void cf_conn_raise_limit(void);

/* `size` bytes of zeroes, mapped but not backed until they are used; never freed. NULL: no memory. */
void *cf_conn_reserve(size_t size);

/* Every connection begun from now on speaks TLS, and believes any certificate: what is measured is
 * the server. Returns 0, or -1 out of memory. */
int cf_conn_speak_tls(void);

/* Connections begun from now on to a server on loopback come from so many addresses by turns. From one
 * address to one server there are but 28,000 ports, of which the kernel takes every other one as long as
 * it can: from 14,000 connections on each connect(2) looks for one for 0.2 ms. Who is held to limits of
 * one address stays at one. */
void cf_conn_spread(uint32_t addresses);

/* Begins to connect; what lies in `out` leaves when it is done. rcvbuf 0: the kernel's choice.
 * Returns 0, or -1 with errno and fd -1. */
int cf_conn_open(cf_conn_t *self, const struct sockaddr_in *server, int rcvbuf);
void cf_conn_close(cf_conn_t *self); /* also what is gathered is gone */

/* Writes what the kernel takes. A failure is told by the next read. */
void cf_conn_flush(cf_conn_t *self);
void cf_conn_watch(cf_conn_t *self); /* after a change of `deaf` */

/* Reads up to `most` bytes behind what is kept: all of it then lies in scratch (CF_SCRATCH_MAX),
 * *size bytes. Returns how many are new; 0 if none are there now, -1 if the connection has ended. */
ssize_t cf_conn_read(cf_conn_t *self, uint8_t *scratch, size_t most, size_t *size);
void cf_conn_keep(cf_conn_t *self, const uint8_t *bytes, size_t size); /* at most CF_IN_MAX */

/* Adds a masked frame; false if it does not fit. */
bool cf_conn_add_frame(cf_conn_t *self, uint8_t opcode, const void *payload, size_t size,
                       uint32_t mask);

#endif
