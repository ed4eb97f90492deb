/* transports/link/outbox.h: what an actor has to say, gathered in order until it is flushed.
 *
 * Plain memory until cf_outbox_flush(); so a state machine is tested by what it puts here. The
 * links are PUSH sockets, made at the first message to an address and kept. A flush never waits:
 * inproc pipes have no high-water mark (credits and windows bound them), a tcp link that is full
 * drops the message and counts it. Belongs to one thread. */
#ifndef CF_OUTBOX_H
#define CF_OUTBOX_H

#include "link/bus.h"
#include "wire/msg.h"

typedef struct cf_outbox cf_outbox_t;

/* bus NULL: an outbox without links, for tests of state machines. */
int cf_outbox_new(cf_outbox_t **out, const cf_bus_t *bus, cf_address_t self);
void cf_outbox_destroy(cf_outbox_t **self);
cf_address_t cf_outbox_address(const cf_outbox_t *self);

/* Put one message. head->from zero: the owner's address. body NULL where the shape has no fields.
 * Returns 0; CF_ERANGE, CF_ENOMEM: nothing was put (counted; with CF_ERANGE a bug of ours, it
 * aborts where assertions are on). */
int cf_outbox_put(cf_outbox_t *self, const cf_msg_t *head, const void *body);

/* Short forms. */
int cf_outbox_send(cf_outbox_t *self, cf_address_t to, uint16_t type, uint64_t corr, cf_id_t room,
                   const void *body);
int cf_outbox_answer(cf_outbox_t *self, const cf_msg_t *request, uint16_t type, const void *body);
/* Put a message that the other side must not miss, with a body of at most CF_OUTBOX_OWED_BODY bytes
 * and nothing borrowed in it. Without memory it is kept aside, CF_OUTBOX_OWED_MAX of them, and goes
 * out behind the next flush that finds some; it may come later than what was put behind it. */
#define CF_OUTBOX_OWED_MAX 16
#define CF_OUTBOX_OWED_BODY 48
int cf_outbox_insist(cf_outbox_t *self, cf_address_t to, uint16_t type, uint64_t corr, cf_id_t room,
                     const void *body);
/* Insists, so that whoever asked is answered. */
int cf_outbox_refuse(cf_outbox_t *self, const cf_msg_t *request, int err, uint32_t retry_after_ms);
/* The last word on a request: this answer or, when there is no memory for it, REFUSED CF_ENOMEM,
 * which takes less. For who could do nothing about a failure. */
void cf_outbox_finish(cf_outbox_t *self, const cf_msg_t *request, uint16_t type, const void *body);

/* Put a decoded message once more, unchanged but for its destination. */
int cf_outbox_forward(cf_outbox_t *self, const cf_msg_t *msg, cf_address_t to);

/* Memory for so many bytes of frames, so that putting them cannot fail. Returns 0 or CF_ENOMEM. */
int cf_outbox_reserve(cf_outbox_t *self, size_t bytes);

/* Every message put from here on carries this trace (NULL: none). */
void cf_outbox_trace(cf_outbox_t *self, const cf_trace_t *trace);
void cf_outbox_get_trace(const cf_outbox_t *self, cf_trace_t *out);

/* What there is no memory to send stays, in order, for the next flush. */
void cf_outbox_flush(cf_outbox_t *self);
void cf_outbox_forget(cf_outbox_t *self);         /* what waits is not sent */
size_t cf_outbox_bytes(const cf_outbox_t *self);  /* waiting */
bool cf_outbox_is_empty(const cf_outbox_t *self); /* nor is a refusal kept aside */
/* For tests: take the oldest waiting message; false when there is none. Borrowed until the next
 * call. */
bool cf_outbox_take(cf_outbox_t *self, cf_msg_t *out);

#endif
