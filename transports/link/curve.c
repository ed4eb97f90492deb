#include "link/curve.h"

#include "err.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01" /* RFC 27 */
#define ZAP_DOMAIN "mesh"
#define ZAP_PARTS 7 /* of a request with the key; others have less or more */
#define ZAP_PART_MAX 256
#define RAW_KEY_SIZE 32
#define BOX_SIZE 33 /* what CURVE puts around a frame (RFC 26, MESSAGE); libzmq counts it */
#define RECONNECT_MS 100
#define RECONNECT_MAX_MS 1000

struct cf_line {
    void *dealer;
    char key[CF_NODE_KEY_SIZE + 1];
    bool is_readable;
    bool is_full; /* it took less than it was given */
};

struct cf_curve {
    void *zmq; /* borrowed */
    void *router, *zap;
    cf_curve_config_t config;
    char secret_key[CF_NODE_KEY_SIZE + 1], public_key[CF_NODE_KEY_SIZE + 1];
    char endpoint[CF_ENDPOINT_MAX];
    bool is_readable; /* the router */
    uint32_t next;    /* who is read next: 0 the router, then the lines */
    uint64_t refused;
    zmq_msg_t frame; /* what was read last */
    uint32_t lines_count;
    cf_line_t *lines[CF_NODES_MAX];
};

int cf_curve_new_keys(char secret_key[CF_NODE_KEY_SIZE + 1], char public_key[CF_NODE_KEY_SIZE + 1])
{
    return zmq_curve_keypair(public_key, secret_key) == 0 ? 0 : CF_EIO;
}

/* --- sockets -----------------------------------------------------------------------------------
 */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_text(void *socket, int option, const char *text)
{
    return zmq_setsockopt(socket, option, text, strlen(text)) == 0;
}

/* What both ends have. */
static bool set_common(const cf_curve_t *self, void *socket)
{
    const cf_curve_config_t *config = &self->config;
    int64_t most = config->frame_max + BOX_SIZE;
    return set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_SNDHWM, CF_CURVE_FRAMES_MAX) &&
           set_int(socket, ZMQ_RCVHWM, CF_CURVE_FRAMES_MAX) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0 &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, config->handshake_ms) &&
           set_int(socket, ZMQ_HEARTBEAT_IVL, config->heartbeat_ms) &&
           set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, config->silence_ms) &&
           set_int(socket, ZMQ_HEARTBEAT_TTL, config->silence_ms) &&
           set_text(socket, ZMQ_CURVE_SECRETKEY, self->secret_key);
}

static bool open_router(cf_curve_t *self)
{
    self->router = zmq_socket(self->zmq, ZMQ_ROUTER);
    return self->router && set_common(self, self->router) &&
           set_int(self->router, ZMQ_CURVE_SERVER, 1) &&
           set_text(self->router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN) &&
           set_int(self->router, ZMQ_ROUTER_MANDATORY, 1) &&
           set_int(self->router, ZMQ_IPV6, self->config.listen[0] == '[');
}

static int bind_router(cf_curve_t *self)
{
    char endpoint[CF_ENDPOINT_MAX];
    size_t size = sizeof self->endpoint;
    snprintf(endpoint, sizeof endpoint, "tcp://%s", self->config.listen);
    if (zmq_bind(self->router, endpoint) == 0 &&
        zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &size) == 0) {
        cf_log_info("listening for other nodes", CF_STR("endpoint", self->endpoint));
        return 0;
    }
    cf_log_error("cannot listen for other nodes", CF_STR("endpoint", endpoint),
                 CF_STR("reason", zmq_strerror(zmq_errno())));
    return CF_EIO;
}

/* Before anybody can connect: where nobody answers libzmq lets all in. */
static bool open_zap(cf_curve_t *self)
{
    self->zap = zmq_socket(self->zmq, ZMQ_REP);
    return self->zap && set_int(self->zap, ZMQ_LINGER, 0) && zmq_bind(self->zap, ZAP_ENDPOINT) == 0;
}

int cf_curve_open(cf_curve_t **out, const cf_bus_t *bus, const cf_curve_config_t *config)
{
    cf_curve_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->zmq = bus->zmq;
    self->config = *config;
    zmq_msg_init(&self->frame);
    snprintf(self->secret_key, sizeof self->secret_key, "%s", config->secret_key);
    int rc = strlen(config->secret_key) == CF_NODE_KEY_SIZE &&
                     zmq_curve_public(self->public_key, self->secret_key) == 0
                 ? 0
                 : CF_ERANGE;
    if (rc == 0 && !(open_zap(self) && open_router(self)))
        rc = CF_EIO;
    if (rc == 0)
        rc = bind_router(self);
    if (rc < 0)
        cf_curve_close(&self);
    else
        *out = self;
    return rc;
}

static void free_line(cf_line_t *line)
{
    if (line->dealer)
        zmq_close(line->dealer);
    free(line);
}

void cf_curve_close(cf_curve_t **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->lines_count; i++)
        free_line((*self)->lines[i]);
    if ((*self)->router)
        zmq_close((*self)->router);
    if ((*self)->zap)
        zmq_close((*self)->zap);
    zmq_msg_close(&(*self)->frame);
    free(*self);
    *self = NULL;
}

const char *cf_curve_endpoint(const cf_curve_t *self)
{
    return self->endpoint;
}

const char *cf_curve_public_key(const cf_curve_t *self)
{
    return self->public_key;
}

bool cf_curve_allows(const cf_curve_t *self, const char *key)
{
    for (size_t i = 0; i < self->config.allowed_count; i++)
        if (strcmp(self->config.allowed[i], key) == 0)
            return true;
    return false;
}

uint64_t cf_curve_refused(const cf_curve_t *self)
{
    return self->refused;
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* IMMEDIATE: what is sent while nobody is there would only fill the socket. */
static bool open_line(const cf_curve_t *self, cf_line_t *line)
{
    line->dealer = zmq_socket(self->zmq, ZMQ_DEALER);
    return line->dealer && set_common(self, line->dealer) &&
           set_text(line->dealer, ZMQ_CURVE_PUBLICKEY, self->public_key) &&
           set_text(line->dealer, ZMQ_CURVE_SERVERKEY, line->key) &&
           set_int(line->dealer, ZMQ_IMMEDIATE, 1) && set_int(line->dealer, ZMQ_IPV6, 1) &&
           set_int(line->dealer, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_int(line->dealer, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

int cf_curve_dial(cf_curve_t *self, cf_line_t **out, const char *endpoint, const char *key)
{
    if (self->lines_count == CF_NODES_MAX || strlen(key) != CF_NODE_KEY_SIZE)
        return CF_ERANGE;
    cf_line_t *line = calloc(1, sizeof *line);
    if (!line)
        return CF_ENOMEM;
    strcpy(line->key, key);
    int rc = open_line(self, line) ? 0 : CF_EIO;
    if (rc == 0 && zmq_connect(line->dealer, endpoint) != 0)
        rc = CF_ERANGE;
    if (rc < 0) {
        free_line(line);
        return rc;
    }
    self->lines[self->lines_count++] = line;
    *out = line;
    return 0;
}

void cf_curve_hang_up(cf_curve_t *self, cf_line_t **line)
{
    for (uint32_t i = 0; i < self->lines_count; i++)
        if (self->lines[i] == *line) {
            self->lines[i] = self->lines[--self->lines_count];
            free_line(*line);
            break;
        }
    *line = NULL;
}

/* --- who may connect ---------------------------------------------------------------------------
 */

typedef struct {
    char bytes[ZAP_PART_MAX];
    int size; /* -1: longer than that */
} part_t;

/* Reads a whole request. False: there is none. */
static bool read_request(cf_curve_t *self, part_t parts[ZAP_PARTS], int *count)
{
    int more = 1;
    size_t size = sizeof more;
    for (*count = 0; more; ++*count) {
        char rest[ZAP_PART_MAX];
        char *into = *count < ZAP_PARTS ? parts[*count].bytes : rest;
        int n = zmq_recv(self->zap, into, ZAP_PART_MAX, ZMQ_DONTWAIT);
        if (n < 0)
            return false;
        if (*count < ZAP_PARTS)
            parts[*count].size = n > ZAP_PART_MAX ? -1 : n;
        zmq_getsockopt(self->zap, ZMQ_RCVMORE, &more, &size);
    }
    return true;
}

static bool is_text(const part_t *part, const char *text)
{
    return part->size == (int)strlen(text) && memcmp(part->bytes, text, strlen(text)) == 0;
}

/* version, request id, domain, address, identity, mechanism, key; the answer names the key as who it is. */
static bool may_enter(const cf_curve_t *self, const part_t parts[ZAP_PARTS], int count,
                      char key[CF_NODE_KEY_SIZE + 1])
{
    return count == ZAP_PARTS && is_text(&parts[0], "1.0") && is_text(&parts[2], ZAP_DOMAIN) &&
           is_text(&parts[5], "CURVE") && parts[6].size == RAW_KEY_SIZE &&
           zmq_z85_encode(key, (const uint8_t *)parts[6].bytes, RAW_KEY_SIZE) &&
           cf_curve_allows(self, key);
}

static void say(cf_curve_t *self, const char *text, size_t size, bool has_more)
{
    zmq_send(self->zap, text, size, ZMQ_DONTWAIT | (has_more ? ZMQ_SNDMORE : 0));
}

static void answer_requests(cf_curve_t *self)
{
    part_t parts[ZAP_PARTS];
    int count;
    while (read_request(self, parts, &count)) {
        char key[CF_NODE_KEY_SIZE + 1] = "";
        bool is_let_in = may_enter(self, parts, count, key);
        const char *code = is_let_in ? "200" : "400";
        if (!is_let_in) {
            self->refused++;
            memset(key, 0, sizeof key);
        }
        say(self, "1.0", 3, true);
        say(self, parts[1].bytes, count > 1 && parts[1].size > 0 ? (size_t)parts[1].size : 0, true);
        say(self, code, 3, true);
        say(self, "", 0, true);
        say(self, key, strlen(key), true);
        say(self, "", 0, false);
    }
}

/* --- frames ------------------------------------------------------------------------------------
 */

void cf_curve_wait(cf_curve_t *self, int fd, int timeout_ms)
{
    zmq_pollitem_t items[3 + CF_NODES_MAX] = {{.fd = fd, .events = fd < 0 ? 0 : ZMQ_POLLIN},
                                              {.socket = self->zap, .events = ZMQ_POLLIN},
                                              {.socket = self->router, .events = ZMQ_POLLIN}};
    for (uint32_t i = 0; i < self->lines_count; i++)
        items[3 + i] = (zmq_pollitem_t){
            .socket = self->lines[i]->dealer,
            .events = (short)(ZMQ_POLLIN | (self->lines[i]->is_full ? ZMQ_POLLOUT : 0))};
    int skipped = fd < 0; /* poll() has no place for a descriptor that is none */
    if (zmq_poll(items + skipped, (int)(3 + self->lines_count) - skipped, timeout_ms) <= 0)
        return;
    if (items[1].revents)
        answer_requests(self);
    self->is_readable = items[2].revents & ZMQ_POLLIN;
    for (uint32_t i = 0; i < self->lines_count; i++) {
        self->lines[i]->is_readable = items[3 + i].revents & ZMQ_POLLIN;
        if (items[3 + i].revents & ZMQ_POLLOUT)
            self->lines[i]->is_full = false;
    }
}

/* The next part of a message, or the first of the next. */
static bool receive(cf_curve_t *self, void *socket)
{
    zmq_msg_close(&self->frame);
    zmq_msg_init(&self->frame);
    return zmq_msg_recv(&self->frame, socket, ZMQ_DONTWAIT) >= 0;
}

/* All parts are there when the first is: libzmq hands out whole messages. Returns how many more there were. */
static uint32_t skip_parts(cf_curve_t *self, void *socket)
{
    uint32_t n = 0;
    while (zmq_msg_more(&self->frame) && receive(self, socket))
        n++;
    return n;
}

static void show(cf_curve_t *self, cf_curve_frame_t *out)
{
    out->bytes = zmq_msg_data(&self->frame);
    out->size = zmq_msg_size(&self->frame);
}

static int read_router(cf_curve_t *self, cf_curve_frame_t *out)
{
    if (!receive(self, self->router))
        return 0;
    out->way.line = NULL;
    out->way.name_size = (uint8_t)zmq_msg_size(&self->frame); /* at most 255: RFC 23 */
    memcpy(out->way.name, zmq_msg_data(&self->frame), out->way.name_size);
    bool has_body = zmq_msg_more(&self->frame) && receive(self, self->router);
    const char *key = has_body ? zmq_msg_gets(&self->frame, "User-Id") : NULL;
    snprintf(out->key, sizeof out->key, "%s", key ? key : "");
    show(self, out);
    return has_body && skip_parts(self, self->router) == 0 ? 1 : CF_EPROTO;
}

static int read_line(cf_curve_t *self, cf_line_t *line, cf_curve_frame_t *out)
{
    if (!receive(self, line->dealer))
        return 0;
    out->way = (cf_way_t){.line = line};
    memcpy(out->key, line->key, sizeof line->key);
    show(self, out);
    return skip_parts(self, line->dealer) == 0 ? 1 : CF_EPROTO;
}

int cf_curve_read(cf_curve_t *self, cf_curve_frame_t *out)
{
    int rc = 0;
    uint32_t all = 1 + self->lines_count;
    for (uint32_t i = 0; rc == 0 && i < all; i++) {
        uint32_t at = self->next++ % all;
        cf_line_t *line = at ? self->lines[at - 1] : NULL;
        bool *is_readable = line ? &line->is_readable : &self->is_readable;
        if (*is_readable)
            rc = line ? read_line(self, line, out) : read_router(self, out);
        *is_readable = rc != 0;
    }
    return rc;
}

static int send_to(void *socket, const void *bytes, size_t size, int flags)
{
    if (zmq_send(socket, bytes, size, ZMQ_DONTWAIT | flags) >= 0)
        return 1;
    return zmq_errno() == EHOSTUNREACH ? CF_ENOENT : 0;
}

int cf_curve_send(cf_curve_t *self, const cf_way_t *way, const void *bytes, size_t size)
{
    if (way->line) {
        int rc = send_to(way->line->dealer, bytes, size, 0);
        way->line->is_full = rc == 0;
        return rc;
    }
    int rc = send_to(self->router, way->name, way->name_size, ZMQ_SNDMORE);
    return rc == 1 ? send_to(self->router, bytes, size, 0) : rc;
}
