#include "link/inbox.h"
#include "err.h"
#include "link/trace_point.h"
#include "metrics.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <zmq.h>

struct cf_inbox {
    void *pull;
    int fd;       /* ZMQ_FD of pull */
    bool drained; /* the last look found nothing: fd tells of whatever comes next */
    bool trace;
    uint32_t count;  /* messages read in this batch */
    uint32_t frames; /* that those are borrowed from */
    bool is_open;    /* batch[frames] has messages left, */
    size_t at;       /* from this byte on */
    bool is_lent;    /* and such as are borrowed from it */
    zmq_msg_t batch[CF_INBOX_BATCH_MAX + 1];
};

int cf_inbox_open_at(cf_inbox_t **out, const cf_bus_t *bus, const char *endpoint)
{
    cf_inbox_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    int no_limit = 0, now = 0;
    size_t fd_size = sizeof self->fd;
    self->trace = bus->trace;
    self->pull = zmq_socket(bus->zmq, ZMQ_PULL);
    if (!self->pull || zmq_setsockopt(self->pull, ZMQ_RCVHWM, &no_limit, sizeof no_limit) != 0 ||
        zmq_setsockopt(self->pull, ZMQ_LINGER, &now, sizeof now) != 0 ||
        zmq_getsockopt(self->pull, ZMQ_FD, &self->fd, &fd_size) != 0 ||
        zmq_bind(self->pull, endpoint) != 0) {
        cf_inbox_close(&self);
        return CF_EIO;
    }
    *out = self;
    return 0;
}

int cf_inbox_open(cf_inbox_t **out, const cf_bus_t *bus, cf_address_t address)
{
    char endpoint[CF_ENDPOINT_MAX];
    int rc = cf_bus_endpoint(bus, address, endpoint);
    return rc < 0 ? rc : cf_inbox_open_at(out, bus, endpoint);
}

int cf_inbox_fd(const cf_inbox_t *self)
{
    return self->fd;
}

/* False: the next message will make fd readable. */
static bool has_message(cf_inbox_t *self)
{
    if (self->is_open)
        return true;
    if (self->drained)
        return false;
    int events = 0;
    size_t size = sizeof events;
    zmq_getsockopt(self->pull, ZMQ_EVENTS, &events, &size);
    return events & ZMQ_POLLIN;
}

/* zmq_poll() would ask poll(2) five times for one message, as it looks at the socket's events before and behind
 * each wait; behind a look that found nothing its descriptor alone says all. */
void cf_inbox_wait(cf_inbox_t *self, int fd, bool for_write, int timeout_ms, bool *fd_ready)
{
    struct pollfd items[] = {
        {.fd = self->fd, .events = POLLIN},
        {.fd = fd, .events = for_write ? POLLOUT : POLLIN},
    };
    int rc = poll(items, fd < 0 ? 1 : 2, has_message(self) ? 0 : timeout_ms);
    *fd_ready = rc > 0 && fd >= 0 && items[1].revents != 0;
}

static bool receive(cf_inbox_t *self)
{
    zmq_msg_t *frame = &self->batch[self->frames];
    zmq_msg_init(frame);
    if (zmq_msg_recv(frame, self->pull, ZMQ_DONTWAIT) < 0) {
        self->drained = zmq_errno() == EAGAIN; /* EINTR and ETERM are looked at on the next turn */
        zmq_msg_close(frame);
        return false;
    }
    self->drained = false;
    self->is_open = true;
    self->is_lent = false;
    self->at = 0;
    return true;
}

static void leave_frame(cf_inbox_t *self)
{
    self->is_open = false;
    if (self->is_lent)
        self->frames++;
    else
        zmq_msg_close(&self->batch[self->frames]);
}

/* Look at the next message, bytes[0..size) of the open frame. Returns 1, 0, CF_EPROTO, CF_ERANGE. What cannot be
 * read takes the rest of its frame with it: where the next message begins nobody knows. */
static int look(cf_inbox_t *self, cf_msg_t *out, const uint8_t **bytes, size_t *size)
{
    if (!self->is_open && !receive(self))
        return 0;
    zmq_msg_t *frame = &self->batch[self->frames];
    *bytes = (const uint8_t *)zmq_msg_data(frame) + self->at;
    *size = zmq_msg_size(frame) - self->at;
    if (*size >= CF_MSG_HEAD_SIZE && cf_msg_frame_size(*bytes) < *size)
        *size = cf_msg_frame_size(*bytes);
    int rc = cf_msg_decode(out, *bytes, *size);
    if (rc == 0)
        return 1;
    cf_count(CF_M_MALFORMED);
    leave_frame(self);
    return rc;
}

static void advance(cf_inbox_t *self, const cf_msg_t *msg, size_t size)
{
    if (self->trace)
        cf_trace_point("received", msg);
    self->at += size;
    if (self->at == zmq_msg_size(&self->batch[self->frames]))
        leave_frame(self);
}

int cf_inbox_read(cf_inbox_t *self, cf_msg_t *out)
{
    const uint8_t *bytes;
    size_t size;
    if (self->count == CF_INBOX_BATCH_MAX)
        return 0;
    int rc = look(self, out, &bytes, &size);
    if (rc != 1)
        return rc;
    self->count++;
    self->is_lent = true;
    advance(self, out, size);
    return 1;
}

int cf_inbox_copy(cf_inbox_t *self, cf_buf_t *into, cf_msg_t *out)
{
    const uint8_t *bytes;
    size_t size;
    int rc = look(self, out, &bytes, &size);
    if (rc != 1)
        return rc;
    if (cf_buf_add(into, bytes, size) < 0)
        return CF_ENOMEM;
    cf_msg_decode(out, into->data + into->size - size, size); /* to borrow from the copy */
    advance(self, out, size);
    return 1;
}

void cf_inbox_release(cf_inbox_t *self)
{
    for (uint32_t i = 0; i < self->frames; i++)
        zmq_msg_close(&self->batch[i]);
    if (self->is_open && self->frames > 0) {
        zmq_msg_init(&self->batch[0]);
        zmq_msg_move(&self->batch[0], &self->batch[self->frames]);
    }
    self->frames = 0;
    self->count = 0;
    self->is_lent = false;
}

void cf_inbox_close(cf_inbox_t **self)
{
    if (!*self)
        return;
    cf_inbox_release(*self);
    if ((*self)->is_open)
        zmq_msg_close(&(*self)->batch[0]);
    if ((*self)->pull)
        zmq_close((*self)->pull);
    free(*self);
    *self = NULL;
}
