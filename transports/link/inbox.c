#include "link/inbox.h"
#include "err.h"
#include "link/trace_point.h"
#include "metrics.h"

#include <poll.h>
#include <stdlib.h>
#include <zmq.h>

struct cf_inbox {
    void *pull;
    bool trace;
    uint32_t held;
    zmq_msg_t batch[CF_INBOX_BATCH_MAX];
    zmq_msg_t put_back; /* taken off the socket without memory to copy it; the next to be read */
    bool has_put_back;
};

int cf_inbox_open_at(cf_inbox_t **out, const cf_bus_t *bus, const char *endpoint)
{
    cf_inbox_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    int no_limit = 0, now = 0;
    self->trace = bus->trace;
    self->pull = zmq_socket(bus->zmq, ZMQ_PULL);
    if (!self->pull || zmq_setsockopt(self->pull, ZMQ_RCVHWM, &no_limit, sizeof no_limit) != 0 ||
        zmq_setsockopt(self->pull, ZMQ_LINGER, &now, sizeof now) != 0 ||
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
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt(self->pull, ZMQ_FD, &fd, &size);
    return fd;
}

void cf_inbox_wait(cf_inbox_t *self, int fd, bool for_write, int timeout_ms, bool *fd_ready)
{
    zmq_pollitem_t items[] = {
        {.socket = self->pull, .events = ZMQ_POLLIN},
        {.fd = fd, .events = for_write ? ZMQ_POLLOUT : ZMQ_POLLIN},
    };
    int rc = zmq_poll(items, fd < 0 ? 1 : 2, timeout_ms);
    *fd_ready = rc > 0 && fd >= 0 && items[1].revents != 0;
}

/* Take the next frame off the socket. Returns 1, 0, CF_EPROTO, CF_ERANGE; with 1 *frame is open. */
static int take_frame(cf_inbox_t *self, zmq_msg_t *frame, cf_msg_t *out)
{
    zmq_msg_init(frame);
    if (self->has_put_back) {
        zmq_msg_move(frame, &self->put_back);
        zmq_msg_close(&self->put_back);
        self->has_put_back = false;
    } else if (zmq_msg_recv(frame, self->pull, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(frame);
        return 0; /* EAGAIN; EINTR and ETERM are looked at on the next turn */
    }
    int rc = cf_msg_decode(out, zmq_msg_data(frame), zmq_msg_size(frame));
    if (rc < 0) {
        zmq_msg_close(frame);
        cf_count(CF_M_MALFORMED);
        return rc;
    }
    if (self->trace)
        cf_trace_point("received", out);
    return 1;
}

int cf_inbox_read(cf_inbox_t *self, cf_msg_t *out)
{
    if (self->held == CF_INBOX_BATCH_MAX)
        return 0;
    int rc = take_frame(self, &self->batch[self->held], out);
    if (rc == 1)
        self->held++;
    return rc;
}

int cf_inbox_copy(cf_inbox_t *self, cf_buf_t *into, cf_msg_t *out)
{
    zmq_msg_t frame;
    int rc = take_frame(self, &frame, out);
    if (rc != 1)
        return rc;
    size_t size = zmq_msg_size(&frame);
    rc = cf_buf_add(into, zmq_msg_data(&frame), size);
    if (rc == 0) {
        cf_msg_decode(out, into->data + into->size - size,
                      size); /* again, to borrow from the copy */
        rc = 1;
    } else {
        zmq_msg_init(&self->put_back);
        zmq_msg_move(&self->put_back, &frame);
        self->has_put_back = true;
    }
    zmq_msg_close(&frame);
    return rc;
}

void cf_inbox_release(cf_inbox_t *self)
{
    for (uint32_t i = 0; i < self->held; i++)
        zmq_msg_close(&self->batch[i]);
    self->held = 0;
}

void cf_inbox_close(cf_inbox_t **self)
{
    if (!*self)
        return;
    cf_inbox_release(*self);
    if ((*self)->has_put_back)
        zmq_msg_close(&(*self)->put_back);
    if ((*self)->pull)
        zmq_close((*self)->pull);
    free(*self);
    *self = NULL;
}
