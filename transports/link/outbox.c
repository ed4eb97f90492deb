#include "link/outbox.h"
#include "err.h"
#include "link/trace_point.h"
#include "metrics.h"
#include "table.h"
#include "wire/control.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <zmq.h>

#define REMOTE_HWM                                                                                 \
    10000 /* messages a tcp link may hold; beyond it they are dropped and counted                  \
           */

#define FRAME_MAX                                                                                  \
    (64u << 10) /* bytes of messages in one frame; a longer message has one of its own */

typedef struct link {
    uint64_t
        address; /* packed: the actor's, or the mesh's for all other nodes; without a mesh a node's */
    void *push;
    cf_buf_t frame; /* messages on their way, one behind the other */
    struct link *next_full;
    UT_hash_handle hh;
} link_t;

/* A message there was no memory for. */
typedef struct {
    cf_msg_t head;
    alignas(max_align_t) uint8_t body[CF_OUTBOX_OWED_BODY];
} owed_t;

struct cf_outbox {
    const cf_bus_t *bus;
    cf_address_t self;
    cf_trace_t trace;
    cf_buf_t frames;          /* whole frames, one behind the other */
    size_t taken;             /* bytes of frames already taken by cf_outbox_take */
    link_t *links;            /* by address; owned */
    link_t *full, **full_end; /* those whose frame is not empty, in the order they were begun */
    size_t full_bytes;        /* in all these frames */
    owed_t owed[CF_OUTBOX_OWED_MAX]; /* oldest first */
    uint32_t owed_count;
};

int cf_outbox_new(cf_outbox_t **out, const cf_bus_t *bus, cf_address_t self)
{
    cf_outbox_t *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return CF_ENOMEM;
    outbox->bus = bus;
    outbox->full_end = &outbox->full;
    outbox->self = self;
    *out = outbox;
    return 0;
}

void cf_outbox_destroy(cf_outbox_t **self)
{
    if (!*self)
        return;
    link_t *link, *next;
    HASH_ITER(hh, (*self)->links, link, next)
    {
        HASH_DEL((*self)->links, link);
        zmq_close(link->push);
        cf_buf_free(&link->frame);
        free(link);
    }
    cf_buf_free(&(*self)->frames);
    free(*self);
    *self = NULL;
}

cf_address_t cf_outbox_address(const cf_outbox_t *self)
{
    return self->self;
}

void cf_outbox_trace(cf_outbox_t *self, const cf_trace_t *trace)
{
    self->trace = trace ? *trace : (cf_trace_t){0};
}

void cf_outbox_get_trace(const cf_outbox_t *self, cf_trace_t *out)
{
    *out = self->trace;
}

static int put(cf_outbox_t *self, const cf_msg_t *head, const void *body)
{
    cf_msg_t full = *head;
    if (cf_address_pack(full.from) == 0)
        full.from = self->self;
    full.trace = self->trace;
    int rc = cf_msg_encode(&self->frames, &full, body);
    assert(rc != CF_ERANGE &&
           rc != CF_EINTERNAL); /* a message of ours that breaks its own bounds */
    return rc;
}

int cf_outbox_put(cf_outbox_t *self, const cf_msg_t *head, const void *body)
{
    int rc = put(self, head, body);
    if (rc < 0)
        cf_count(CF_M_UNDELIVERABLE);
    return rc;
}

int cf_outbox_send(cf_outbox_t *self, cf_address_t to, uint16_t type, uint64_t corr, cf_id_t room,
                   const void *body)
{
    return cf_outbox_put(self, &(cf_msg_t){.type = type, .corr = corr, .to = to, .room = room},
                         body);
}

int cf_outbox_answer(cf_outbox_t *self, const cf_msg_t *request, uint16_t type, const void *body)
{
    return cf_outbox_send(self, request->from, type, request->corr, request->room, body);
}

int cf_outbox_insist(cf_outbox_t *self, cf_address_t to, uint16_t type, uint64_t corr, cf_id_t room,
                     const void *body)
{
    owed_t owed = {.head = {.type = type, .corr = corr, .to = to, .room = room}};
    int rc = put(self, &owed.head, body);
    if (rc == CF_ENOMEM && self->owed_count < CF_OUTBOX_OWED_MAX) {
        size_t size = cf_msg_shape(type)->size;
        assert(size <= sizeof owed.body);
        if (body)
            memcpy(owed.body, body, size);
        owed.head.trace = self->trace;
        self->owed[self->owed_count++] = owed;
        return 0;
    }
    if (rc < 0)
        cf_count(CF_M_UNDELIVERABLE);
    return rc;
}

int cf_outbox_refuse(cf_outbox_t *self, const cf_msg_t *request, int err, uint32_t retry_after_ms)
{
    cf_refused_t body = {.reason = (uint32_t)-err, .retry_after_ms = retry_after_ms};
    cf_count(CF_M_REFUSED_MESSAGES);
    return cf_outbox_insist(self, request->from, CF_MSG_REFUSED, request->corr, request->room,
                            &body);
}

/* Put what is owed behind what is there. */
static void put_owed(cf_outbox_t *self)
{
    cf_trace_t trace = self->trace;
    uint32_t done = 0;
    for (; done < self->owed_count; done++) {
        self->trace = self->owed[done].head.trace;
        if (put(self, &self->owed[done].head, self->owed[done].body) < 0)
            break;
    }
    self->trace = trace;
    self->owed_count -= done;
    memmove(self->owed, self->owed + done, self->owed_count * sizeof self->owed[0]);
}

void cf_outbox_finish(cf_outbox_t *self, const cf_msg_t *request, uint16_t type, const void *body)
{
    if (cf_outbox_answer(self, request, type, body) < 0)
        cf_outbox_refuse(self, request, CF_ENOMEM, 0);
}

int cf_outbox_reserve(cf_outbox_t *self, size_t bytes)
{
    return cf_buf_reserve(&self->frames, bytes);
}

int cf_outbox_forward(cf_outbox_t *self, const cf_msg_t *msg, cf_address_t to)
{
    int rc = cf_msg_reencode(&self->frames, msg, to);
    if (rc < 0)
        cf_count(CF_M_UNDELIVERABLE);
    return rc;
}

/* The link to an address, made if need be; NULL when there is none to be had, with *no_memory set if
 * there may be later. */
static link_t *link_to(cf_outbox_t *self, cf_address_t to, bool *no_memory)
{
    bool goes_to_mesh = to.node != self->bus->node && self->bus->has_mesh;
    bool is_local = to.node == self->bus->node || goes_to_mesh;
    cf_address_t at = goes_to_mesh ? cf_bus_mesh(self->bus) : to;
    uint64_t key = is_local ? cf_address_pack(at) : (uint64_t)to.node << 32;
    link_t *link;
    HASH_FIND(hh, self->links, &key, sizeof key, link);
    if (link)
        return link;
    char endpoint[CF_ENDPOINT_MAX];
    if (cf_bus_endpoint(self->bus, at, endpoint) < 0)
        return NULL;
    if (!(link = calloc(1, sizeof *link))) {
        *no_memory = true;
        return NULL;
    }
    int hwm = is_local ? 0 : REMOTE_HWM, now = 0;
    link->address = key;
    link->push = zmq_socket(self->bus->zmq, ZMQ_PUSH);
    if (link->push && zmq_setsockopt(link->push, ZMQ_SNDHWM, &hwm, sizeof hwm) == 0 &&
        zmq_setsockopt(link->push, ZMQ_LINGER, &now, sizeof now) == 0 &&
        zmq_connect(link->push, endpoint) == 0) {
        HASH_ADD(hh, self->links, address, sizeof link->address, link);
        if (link->hh.tbl)
            return link;
        *no_memory = true;
    }
    if (link->push)
        zmq_close(link->push);
    free(link);
    return NULL;
}

static void free_frame(void *data, void *hint)
{
    (void)hint;
    free(data);
}

/* Send what a link's frame holds. False: no memory, it stays; everything else that keeps it from going loses it. */
static bool send_frame(cf_outbox_t *self, link_t *link)
{
    zmq_msg_t frame;
    if (zmq_msg_init_data(&frame, link->frame.data, link->frame.size, free_frame, NULL) != 0)
        return false;
    if (zmq_msg_send(&frame, link->push, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&frame);
        cf_count(CF_M_UNDELIVERABLE);
    }
    self->full_bytes -= link->frame.size;
    link->frame = (cf_buf_t){0}; /* the frame owns its memory */
    return true;
}

/* Send the frames in the order in which they were begun. False: no memory for the rest of them. */
static bool send_full(cf_outbox_t *self)
{
    while (self->full && send_frame(self, self->full))
        self->full = self->full->next_full;
    if (!self->full)
        self->full_end = &self->full;
    return !self->full;
}

/* False: no memory. A message to nobody is lost and counted. */
static bool add_to_link(cf_outbox_t *self, const cf_msg_t *msg, const uint8_t *bytes, size_t size)
{
    bool no_memory = false;
    link_t *link = link_to(self, msg->to, &no_memory);
    if (!link) {
        if (!no_memory)
            cf_count(CF_M_UNDELIVERABLE);
        return !no_memory;
    }
    bool is_new = link->frame.size == 0;
    if (!is_new && link->frame.size + size > FRAME_MAX) {
        if (!send_full(self))
            return false;
        is_new = true;
    }
    if (cf_buf_add(&link->frame, bytes, size) < 0)
        return false;
    self->full_bytes += size;
    if (is_new) {
        link->next_full = NULL;
        *self->full_end = link;
        self->full_end = &link->next_full;
    }
    if (self->bus->trace)
        cf_trace_point("sent", msg);
    return true;
}

bool cf_outbox_take(cf_outbox_t *self, cf_msg_t *out)
{
    if (self->taken == self->frames.size) {
        cf_buf_clear(&self->frames);
        self->taken = 0;
        put_owed(self);
    }
    size_t left = self->frames.size - self->taken;
    if (left == 0)
        return false;
    const uint8_t *frame = self->frames.data + self->taken;
    size_t size = cf_msg_frame_size(frame);
    int rc = cf_msg_decode(out, frame, size);
    assert(rc == 0); /* we encoded it */
    (void)rc;
    self->taken += size;
    return true;
}

/* All messages to one actor go in one frame: it is woken once for all of them. Sent one by one the first would wake
 * it, and as the kernel lets it run at once, so would nearly each of the others. */
void cf_outbox_flush(cf_outbox_t *self)
{
    cf_msg_t msg;
    while (cf_outbox_take(self, &msg)) {
        size_t size = CF_MSG_HEAD_SIZE + (size_t)msg.size;
        if (!add_to_link(self, &msg, msg.body - CF_MSG_HEAD_SIZE, size)) {
            self->taken -= size;
            break;
        }
    }
    send_full(self);
}

void cf_outbox_forget(cf_outbox_t *self)
{
    cf_buf_clear(&self->frames);
    self->taken = 0;
    self->owed_count = 0;
    for (; self->full; self->full = self->full->next_full)
        cf_buf_clear(&self->full->frame);
    self->full_end = &self->full;
    self->full_bytes = 0;
}

size_t cf_outbox_bytes(const cf_outbox_t *self)
{
    return self->frames.size - self->taken + self->full_bytes;
}

bool cf_outbox_is_empty(const cf_outbox_t *self)
{
    return cf_outbox_bytes(self) == 0 && self->owed_count == 0;
}
