#include "mesh.h"

#include "clock.h"
#include "crossing.h"
#include "err.h"
#include "log.h"
#include "metrics.h"
#include "peer_name.h"
#include "roles.h"
#include "wire/control.h"
#include "wire/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define AGAIN_US INT64_C(500000)
#define CONFIRM_US INT64_C(20000)
#define IDLE_US INT64_C(500000)
#define LINK_UP_US INT64_C(3000000) /* heard of within this */
#define FULL_US INT64_C(5000)       /* until an accepted connection that was full is tried again */
#define NO_MEMORY_US INT64_C(100000)
#define GONE_SIZE 6               /* at most: an array of one number */
#define FRAMES_IN_A_ROW 256       /* read before this node's own messages are looked at again, */
#define BYTES_IN_A_ROW (4u << 20) /* or when so much waits to be handed on */

typedef struct {
    uint32_t number;
    char key[CF_NODE_KEY_SIZE + 1];
    cf_line_t *line; /* owned by curve; NULL: the other one connects, or no address is known yet */
    cf_peer_name_t name; /* if it is connected to, and by a name */
    cf_way_t way;        /* where frames go */
    bool has_way;
    bool is_full;            /* the way took less than it was given */
    cf_reliable_t *reliable; /* owned; NULL: cut off */
    cf_buf_t gathered;       /* messages that will be one frame */
} peer_t;

struct cf_mesh {
    cf_mesh_config_t config;
    cf_curve_t *curve;
    cf_outbox_t *out; /* the actor's */
    int awaited;      /* epoll: the inbox, and answers to what is looked up */
    uint32_t number;
    cf_crossing_t crossing; /* of whoever speaks just now */
    peer_t peers[CF_NODES_MAX];
    uint32_t count;
    uint32_t gone[CF_NODES_MAX]; /* numbers of nodes whose end is still to be told; oldest first */
    uint32_t gone_count;
    uint64_t again;   /* frames sent again to peers that are gone or cut off */
    uint64_t refused; /* nodes whose key is not allowed */
    bool is_draining;
};

static int await(const cf_mesh_t *self, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(self->awaited, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : CF_EIO;
}

int cf_mesh_new(cf_mesh_t **out, const cf_mesh_config_t *config)
{
    cf_mesh_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->config.curve.frame_max = CF_MESH_FRAME_MAX;
    self->out = cf_actor_outbox(config->actor);
    self->number = self->crossing.me = cf_outbox_address(self->out).node;
    memcpy(self->crossing.actors, config->actors, sizeof self->crossing.actors);
    self->awaited = epoll_create1(EPOLL_CLOEXEC);
    int rc = await(self, cf_inbox_fd(cf_actor_inbox(config->actor)));
    if (rc == 0)
        rc = cf_curve_open(&self->curve, config->bus, &self->config.curve);
    if (rc < 0) {
        if (self->awaited >= 0)
            close(self->awaited);
        free(self);
        return rc;
    }
    *out = self;
    return 0;
}

const char *cf_mesh_endpoint(const cf_mesh_t *self)
{
    return cf_curve_endpoint(self->curve);
}

const char *cf_mesh_public_key(const cf_mesh_t *self)
{
    return cf_curve_public_key(self->curve);
}

/* --- peers -------------------------------------------------------------------------------------
 */

static peer_t *find(cf_mesh_t *self, uint32_t number)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->peers[i].number == number)
            return &self->peers[i];
    return NULL;
}

static void let_go(cf_mesh_t *self, peer_t *peer)
{
    if (peer->line)
        cf_curve_hang_up(self->curve, &peer->line);
    cf_peer_name_forget(&peer->name);
    if (peer->reliable)
        self->again += cf_reliable_again(peer->reliable);
    cf_reliable_destroy(&peer->reliable);
    cf_buf_free(&peer->gathered);
    peer->has_way = false;
}

/* What comes over a connection that it has made is still read, and dropped: a ROUTER cannot end it. */
static void cut_off(cf_mesh_t *self, peer_t *peer, const char *reason)
{
    if (!peer->reliable)
        return;
    cf_count(CF_M_MESH_CUT_OFF);
    cf_log_error("cut off another node", CF_UINT("node", peer->number), CF_STR("reason", reason));
    let_go(self, peer);
}

static void refuse(cf_mesh_t *self, const char *key, const char *reason)
{
    cf_count(CF_M_MESH_MALFORMED);
    for (uint32_t i = 0; i < self->count; i++)
        if (strcmp(self->peers[i].key, key) == 0)
            cut_off(self, &self->peers[i], reason);
}

/* Who had this key is gone, though NODE_GONE has not come yet. */
static void replace(cf_mesh_t *self, const char *key)
{
    for (uint32_t i = 0; i < self->count; i++) {
        peer_t *peer = &self->peers[i];
        if (strcmp(peer->key, key) != 0 || !peer->reliable)
            continue;
        cf_log_warn("another node has come with the key of one that is there",
                    CF_UINT("node", peer->number));
        let_go(self, peer);
    }
}

static void copy_text(char *out, size_t size, cf_str_t text)
{
    snprintf(out, size, "%.*s", (int)text.size, text.bytes);
}

/* What the configuration says of it, or else it itself. */
static void endpoint_of(const cf_mesh_t *self, const cf_node_here_t *here,
                        char out[CF_NODE_ENDPOINT_MAX + 1])
{
    const cf_config_list_t *peers = &self->config.peers;
    copy_text(out, CF_NODE_ENDPOINT_MAX + 1, here->endpoint);
    for (size_t i = 0; i < peers->count; i++) {
        const char *equals = strchr(peers->items[i], '=');
        cf_str_t name = {peers->items[i], (uint32_t)(equals - peers->items[i])};
        if (cf_str_equal(name, here->name))
            copy_text(out, CF_NODE_ENDPOINT_MAX + 1, cf_str(equals + 1));
    }
}

static int dial(cf_mesh_t *self, peer_t *peer, const char *endpoint)
{
    if (peer->line)
        cf_curve_hang_up(self->curve, &peer->line);
    int rc = cf_curve_dial(self->curve, &peer->line, endpoint, peer->key);
    peer->way = (cf_way_t){.line = peer->line};
    peer->has_way = rc == 0;
    peer->is_full = false;
    return rc;
}

/* What could not be dialed is tried again with the next answer. */
static void look_up(cf_mesh_t *self, peer_t *peer, int64_t boot_us)
{
    int rc = 0;
    if (cf_peer_name_due_us(&peer->name, cf_reliable_heard_us(peer->reliable)) <= boot_us) {
        int fd = cf_peer_name_ask(&peer->name, boot_us);
        rc = fd < 0 ? fd : await(self, fd);
        if (rc < 0)
            cf_peer_name_give_up(&peer->name);
    }
    if (cf_peer_name_answer(&peer->name, boot_us)) {
        rc = dial(self, peer, peer->name.found);
        if (rc < 0)
            peer->name.found[0] = '\0';
    }
    if (rc < 0)
        cf_log_error("cannot make a link to a node", CF_UINT("node", peer->number),
                     CF_STR("endpoint", peer->name.host), CF_ERR(rc));
}

static void look_all_up(cf_mesh_t *self)
{
    int64_t boot_us = cf_boot_us();
    for (uint32_t i = 0; i < self->count; i++)
        if (self->peers[i].reliable)
            look_up(self, &self->peers[i], boot_us);
}

static int add_peer(cf_mesh_t *self, const cf_node_here_t *here, const char *key, int64_t boot_us)
{
    char endpoint[CF_NODE_ENDPOINT_MAX + 1];
    cf_reliable_config_t config = {.me = self->number,
                                   .peer = here->node,
                                   .bytes_max = self->config.queue_max,
                                   .again_us = AGAIN_US,
                                   .confirm_us = CONFIRM_US,
                                   .idle_us = IDLE_US};
    peer_t peer = {.number = here->node};
    memcpy(peer.key, key, sizeof peer.key);
    endpoint_of(self, here, endpoint);
    int rc = cf_reliable_new(&peer.reliable, &config, boot_us);
    if (rc == 0 && here->came_before && !cf_peer_name_init(&peer.name, endpoint))
        rc = dial(self, &peer, endpoint);
    if (rc < 0) {
        cf_reliable_destroy(&peer.reliable);
        return rc;
    }
    self->peers[self->count++] = peer;
    return 0;
}

/* One of those who are told. */
typedef struct {
    uint32_t row;   /* of told, */
    uint16_t index; /* and the next of that kind */
    cf_address_t to;
} told_at_t;

/* The next one that is told of nodes that do one of these. */
static bool next_told(const cf_mesh_t *self, uint32_t roles, told_at_t *at)
{
    for (; at->row < self->config.told_count; at->row++, at->index = 0) {
        const cf_mesh_told_t *told = &self->config.told[at->row];
        if ((told->roles & roles) == 0 || at->index == self->config.actors[told->kind])
            continue;
        at->to = (cf_address_t){self->number, told->kind, at->index++};
        return true;
    }
    return false;
}

/* Memory to tell all of them something with a body of this size, so that nobody misses what others hear of. */
static int reserve_word(const cf_mesh_t *self, cf_turn_t *turn, size_t size, uint32_t roles)
{
    size_t bytes = 0;
    for (told_at_t at = {0}; next_told(self, roles, &at);)
        bytes += CF_MSG_HEAD_SIZE + size;
    return cf_outbox_reserve(turn->out, bytes);
}

/* No link goes to who has a key that is not allowed, nor will one: as if cut off, so that it is refused once. */
static void refuse_key(cf_mesh_t *self, const cf_node_here_t *here, const char *key)
{
    self->refused++;
    cf_log_error("a node's key is not in mesh.allowed_keys", CF_UINT("node", here->node),
                 CF_TEXT("name", here->name));
    if (self->count == CF_NODES_MAX)
        return;
    peer_t *peer = &self->peers[self->count++];
    *peer = (peer_t){.number = here->node};
    snprintf(peer->key, sizeof peer->key, "%s", key);
}

/* They say nothing to a node before there is a way, and nothing more when there is none. Whom there is no memory for is told of
 * again. */
static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_mesh_t *self = state;
    cf_node_here_t here;
    char key[CF_NODE_KEY_SIZE + 1];
    int rc = cf_msg_body(&here, msg, turn->arena);
    if (rc < 0 || here.node == self->number || find(self, here.node))
        return rc;
    copy_text(key, sizeof key, here.public_key);
    if (!cf_curve_allows(self->curve, key)) {
        refuse_key(self, &here, key);
        return 0;
    }
    rc = self->count == CF_NODES_MAX ? CF_EFULL : reserve_word(self, turn, msg->size, here.roles);
    if (rc == 0) {
        replace(self, key);
        rc = add_peer(self, &here, key, turn->boot_us);
    }
    if (rc < 0)
        cf_log_error("cannot make a link to a node", CF_UINT("node", here.node),
                     CF_TEXT("endpoint", here.endpoint), CF_ERR(rc));
    for (told_at_t at = {0}; rc == 0 && next_told(self, here.roles, &at);)
        cf_outbox_forward(turn->out, msg, at.to);
    return 0;
}

/* Without memory for the word to everybody later. */
static void tell_gone(cf_mesh_t *self, cf_turn_t *turn)
{
    uint32_t done = 0;
    while (done < self->gone_count && reserve_word(self, turn, GONE_SIZE, CF_ROLES_ALL) == 0) {
        cf_node_gone_t gone = {self->gone[done++]};
        for (told_at_t at = {0}; next_told(self, CF_ROLES_ALL, &at);)
            cf_outbox_insist(turn->out, at.to, CF_MSG_NODE_GONE, 0, (cf_id_t){0}, &gone);
    }
    self->gone_count -= done;
    memmove(self->gone, self->gone + done, self->gone_count * sizeof self->gone[0]);
}

/* Each end is said once, and none of them may be missed by anybody. More than CF_NODES_MAX do not wait: so many are in a chat. */
static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_mesh_t *self = state;
    cf_node_gone_t gone;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc == 0 && self->gone_count == CF_NODES_MAX)
        rc = CF_EFULL;
    if (rc < 0)
        return rc;
    self->gone[self->gone_count++] = gone.node;
    tell_gone(self, turn);
    peer_t *peer = find(self, gone.node);
    if (!peer)
        return 0;
    let_go(self, peer);
    *peer = self->peers[--self->count];
    return 0;
}

/* --- to other nodes ----------------------------------------------------------------------------
 */

static void put_gathered(cf_mesh_t *self, peer_t *peer)
{
    if (peer->gathered.size == 0)
        return;
    int rc = cf_reliable_put(peer->reliable, peer->gathered.data, peer->gathered.size);
    cf_count(CF_M_MESH_FRAMES);
    cf_count_by(CF_M_MESH_SENT_BYTES, peer->gathered.size);
    cf_buf_clear(&peer->gathered);
    if (rc < 0) /* what comes behind a gap would be worth nothing */
        cut_off(self, peer, rc == CF_EFULL ? "mesh.queue_max_bytes" : "no memory");
}

static void elsewhere(void *state, const cf_msg_t *msg)
{
    cf_mesh_t *self = state;
    peer_t *peer = find(self, msg->to.node);
    size_t size = CF_MSG_HEAD_SIZE + (size_t)msg->size;
    if (peer && peer->reliable && peer->gathered.size + size > CF_MESH_GATHERED_MAX)
        put_gathered(self, peer);
    if (!peer || !peer->reliable) {
        cf_count(CF_M_UNDELIVERABLE);
        return;
    }
    cf_count(CF_M_MESH_MESSAGES);
    if (cf_buf_add(&peer->gathered, msg->body - CF_MSG_HEAD_SIZE, size) < 0)
        cut_off(self, peer, "no memory");
}

static void after_batch(void *state, cf_turn_t *turn)
{
    cf_mesh_t *self = state;
    (void)turn;
    for (uint32_t i = 0; i < self->count; i++)
        put_gathered(self, &self->peers[i]);
}

static void send_to(cf_mesh_t *self, peer_t *peer, int64_t boot_us)
{
    const uint8_t *frame;
    size_t size;
    peer->is_full = false;
    while (peer->has_way && !peer->is_full &&
           cf_reliable_next(peer->reliable, boot_us, &frame, &size)) {
        int rc = cf_curve_send(self->curve, &peer->way, frame, size);
        if (rc == 1)
            cf_reliable_sent(peer->reliable, boot_us);
        peer->is_full = rc == 0;
        peer->has_way = rc != CF_ENOENT;
    }
}

static void send_all(cf_mesh_t *self)
{
    int64_t boot_us = cf_boot_us();
    for (uint32_t i = 0; i < self->count; i++)
        if (self->peers[i].reliable)
            send_to(self, &self->peers[i], boot_us);
}

/* --- from other nodes --------------------------------------------------------------------------
 */

/* All of a frame, or nothing. There is memory for it. */
static bool forward(cf_mesh_t *self, const peer_t *peer, const uint8_t *bytes, size_t size)
{
    cf_msg_t msg;
    self->crossing.peer = peer->number;
    if (!cf_crossing_allows(&self->crossing, bytes, size))
        return false;
    for (size_t at = 0; cf_crossing_next(bytes, size, &at, &msg);)
        cf_outbox_forward(self->out, &msg, msg.to);
    return true;
}

/* This process has the key and the endpoint of one that has ended. Its peers connect again at once, and speak to that
 * one until the registry tells them of this. */
static bool is_for_one_before(const cf_mesh_t *self, const cf_curve_frame_t *frame)
{
    uint32_t to = cf_reliable_to(frame->bytes, frame->size);
    return to && to != self->number;
}

/* A node that is not known may have come before the registry told of it; it sends again. */
static void on_frame(cf_mesh_t *self, const cf_curve_frame_t *frame)
{
    const uint8_t *body;
    size_t size;
    uint32_t from = cf_reliable_from(frame->bytes, frame->size);
    peer_t *peer = find(self, from);
    if (from == 0 || (peer && strcmp(peer->key, frame->key) != 0)) {
        refuse(self, frame->key, "a frame that is none, or another node's");
        return;
    }
    if (!peer || !peer->reliable || is_for_one_before(self, frame) ||
        cf_outbox_reserve(self->out, frame->size) < 0)
        return;
    int rc =
        cf_reliable_read(peer->reliable, frame->bytes, frame->size, cf_boot_us(), &body, &size);
    if (rc < 0) {
        refuse(self, frame->key,
               cf_reliable_has_version(frame->bytes, frame->size)
                   ? "a frame that cannot be"
                   : "another version of what nodes say to each other");
        return;
    }
    if (!peer->line) {
        peer->way = frame->way;
        peer->has_way = true;
    }
    if (rc == 1 && !forward(self, peer, body, size))
        refuse(self, frame->key, "a message that may not cross");
}

/* Returns whether there may be more, and memory for it. */
static bool read_all(cf_mesh_t *self)
{
    cf_curve_frame_t frame;
    int rc = 1;
    for (int i = 0; rc != 0 && i < FRAMES_IN_A_ROW; i++) {
        if (cf_outbox_bytes(self->out) >= BYTES_IN_A_ROW)
            break;
        rc = cf_curve_read(self->curve, &frame);
        if (rc == 1)
            on_frame(self, &frame);
        else if (rc < 0)
            refuse(self, frame.key, "a message of several parts");
    }
    cf_outbox_flush(self->out);
    return rc != 0 && cf_outbox_is_empty(self->out);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

/* A line that is full, and a connection that is not there, say themselves when they are again. */
static int64_t next_us(const cf_mesh_t *self, int64_t boot_us)
{
    bool is_owed = !cf_outbox_is_empty(self->out) || self->gone_count > 0;
    int64_t due_us = is_owed ? boot_us + NO_MEMORY_US : INT64_MAX;
    for (uint32_t i = 0; i < self->count; i++) {
        const peer_t *peer = &self->peers[i];
        if (!peer->reliable)
            continue;
        due_us = cf_earlier_us(
            due_us, cf_peer_name_due_us(&peer->name, cf_reliable_heard_us(peer->reliable)));
        if (!peer->has_way || (peer->is_full && peer->line))
            continue;
        due_us = cf_earlier_us(due_us, peer->is_full ? boot_us + FULL_US
                                                     : cf_reliable_due_us(peer->reliable));
    }
    return due_us;
}

static void run(void *state, cf_actor_t *actor)
{
    cf_mesh_t *self = state;
    int n;
    while ((n = cf_actor_turn(actor, CF_INBOX_BATCH_MAX)) >= 0) {
        bool has_more = read_all(self) || n == CF_INBOX_BATCH_MAX;
        look_all_up(self);
        send_all(self);
        cf_curve_wait(self->curve, self->awaited,
                      has_more ? 0 : cf_boot_timeout_ms(next_us(self, cf_boot_us())));
    }
}

static bool is_empty(const cf_mesh_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->peers[i].reliable && cf_reliable_bytes(self->peers[i].reliable) > 0)
            return false;
    return true;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_mesh_t *self = state;
    tell_gone(self, turn);
    if (self->is_draining && is_empty(self)) {
        self->is_draining = false;
        cf_actor_drained(self->config.actor);
    }
    return INT64_MAX; /* the loop has times of its own */
}

static void drain(void *state, cf_turn_t *turn)
{
    cf_mesh_t *self = state;
    (void)turn;
    self->is_draining = true;
}

static void gauges(void *state)
{
    cf_mesh_t *self = state;
    uint64_t links = 0, bytes = 0, again = self->again;
    int64_t since_us = cf_boot_us() - LINK_UP_US;
    for (uint32_t i = 0; i < self->count; i++) {
        const cf_reliable_t *reliable = self->peers[i].reliable;
        if (!reliable)
            continue;
        int64_t heard_us = cf_reliable_heard_us(reliable);
        links += heard_us > 0 && heard_us >= since_us;
        bytes += cf_reliable_bytes(reliable);
        again += cf_reliable_again(reliable);
    }
    cf_gauge(CF_M_MESH_LINKS, links);
    cf_gauge(CF_M_MESH_BYTES, bytes);
    cf_gauge(CF_M_MESH_AGAIN, again);
    cf_gauge(CF_M_MESH_REFUSED, self->refused + cf_curve_refused(self->curve));
}

static void destroy(void *state)
{
    cf_mesh_t *self = state;
    for (uint32_t i = 0; i < self->count; i++)
        let_go(self, &self->peers[i]);
    cf_curve_close(&self->curve);
    close(self->awaited);
    free(self);
}

static const cf_handler_t handlers[] = {
    {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},
    {0, NULL},
};

const cf_actor_ops_t cf_mesh_ops = {.handlers = handlers,
                                    .elsewhere = elsewhere,
                                    .after_batch = after_batch,
                                    .due = due,
                                    .drain = drain,
                                    .gauges = gauges,
                                    .run = run,
                                    .destroy = destroy};
