/* transports/link/inbox.h: the one socket an actor listens on: a PULL bound to its address.
 *
 * Belongs to one thread at a time. A frame brings one message or several, each as long as its header says.
 * Messages are read in batches, and stay readable until the batch is released: bodies are borrowed from them. */
#ifndef CF_INBOX_H
#define CF_INBOX_H

#include "link/bus.h"
#include "wire/msg.h"

#define CF_INBOX_BATCH_MAX 512 /* messages in one batch */

typedef struct cf_inbox cf_inbox_t;

/* Bind. Returns 0, CF_ENOMEM, CF_EIO (no descriptor left, name taken). */
int cf_inbox_open(cf_inbox_t **out, const cf_bus_t *bus, cf_address_t address);
/* The same for an endpoint of one's own choosing (a made-up node in a test, later the mesh). */
int cf_inbox_open_at(cf_inbox_t **out, const cf_bus_t *bus, const char *endpoint);
/* ZMQ_FD: edge-triggered. Poll it for reading, then read until 0. */
int cf_inbox_fd(const cf_inbox_t *self);
/* Wait until a message is there, or fd (-1: none) is readable or, with for_write, writable, or
 * timeout_ms
 * (-1: for ever) is over. Sets *fd_ready. */
void cf_inbox_wait(cf_inbox_t *self, int fd, bool for_write, int timeout_ms, bool *fd_ready);
/* Read the next message without waiting. It joins the current batch. Returns 1; 0 if there is none
 * or the batch is full; CF_EPROTO or CF_ERANGE for what is no message (dropped with the rest of
 * its frame, and counted). */
int cf_inbox_read(cf_inbox_t *self, cf_msg_t *out);
/* The same, but the message is appended to *into (which *out borrows from) and is no part of the
 * batch. CF_ENOMEM: nothing was appended, the message is the next to be read. */
int cf_inbox_copy(cf_inbox_t *self, cf_buf_t *into, cf_msg_t *out);
void cf_inbox_release(cf_inbox_t *self); /* the batch and everything borrowed from it is gone */
void cf_inbox_close(cf_inbox_t **self);

#endif
