#include "peer.h"

#include "clock.h"
#include "wire/control.h"
#include "wire/observe.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define PEERS_MAX 64
#define ACTORS_MAX 8

static cf_bus_t bus;
static peer_t *peers[PEERS_MAX];
static int n_peers;
static cf_actor_t *actors[ACTORS_MAX];
static bool running[ACTORS_MAX];
static int n_actors;
static uint64_t last_corr = UINT64_C(1) << 48; /* of what is sent here; tests use small numbers */

cf_bus_t *peer_bus(void)
{
    if (!bus.zmq) {
        cr_assert(cf_bus_init(&bus, NODE) == 0);
        cr_assert(cf_bus_add_node(&bus, OTHER_NODE, "inproc://other-node") == 0);
    }
    return &bus;
}

static peer_t *open_peer(cf_address_t address)
{
    cr_assert(n_peers < PEERS_MAX);
    peer_t *self = calloc(1, sizeof *self);
    self->address = address;
    int rc = address.node == NODE
                 ? cf_inbox_open(&self->inbox, peer_bus(), address)
                 : cf_inbox_open_at(&self->inbox, peer_bus(), "inproc://other-node");
    cr_assert(rc == 0);
    cr_assert(cf_outbox_new(&self->out, peer_bus(), address) == 0);
    peers[n_peers++] = self;
    return self;
}

static peer_t *peer_of(cf_address_t address)
{
    for (int i = 0; i < n_peers; i++)
        if (cf_address_equal(peers[i]->address, address))
            return peers[i];
    return open_peer(address);
}

peer_t *peer_at(cf_actor_kind_t kind, uint16_t index)
{
    return peer_of((cf_address_t){NODE, kind, index});
}

peer_t *peer_at_other_node(cf_actor_kind_t kind)
{
    return peer_of((cf_address_t){OTHER_NODE, kind, 0});
}

void peer_put(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr, cf_id_t room,
              const void *body)
{
    cf_address_t address = {NODE, to, 0};
    cr_assert(cf_outbox_send(self->out, address, type, corr, room, body) == 0);
}

void peer_flush(peer_t *self)
{
    cf_outbox_flush(self->out);
}

void peer_send(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr, cf_id_t room,
               const void *body)
{
    peer_put(self, to, type, corr, room, body);
    peer_flush(self);
}

void peer_send_malformed(peer_t *self, cf_actor_kind_t to, uint16_t type, uint64_t corr,
                         cf_id_t room)
{
    static const uint8_t body[] = {0x9f}; /* an array of 15, and no more */
    cf_msg_t msg = {.type = type,
                    .corr = corr,
                    .from = self->address,
                    .room = room,
                    .body = body,
                    .size = sizeof body};
    cr_assert(cf_outbox_forward(self->out, &msg, (cf_address_t){NODE, to, 0}) == 0);
    peer_flush(self);
}

void peer_answer(peer_t *self, const cf_msg_t *request, uint16_t type, const void *body)
{
    cr_assert(cf_outbox_answer(self->out, request, type, body) == 0);
    peer_flush(self);
}

void peer_refuse(peer_t *self, const cf_msg_t *request, int rc)
{
    cr_assert(cf_outbox_refuse(self->out, request, rc, 0) == 0);
    peer_flush(self);
}

bool peer_next(peer_t *self, cf_msg_t *out)
{
    int64_t until_us = cf_boot_us() + PEER_WAIT_MS * INT64_C(1000);
    bool ignored;
    cf_inbox_release(self->inbox);
    cf_arena_reset(&self->arena);
    while (cf_inbox_read(self->inbox, out) != 1) {
        int64_t left_us = until_us - cf_boot_us();
        if (left_us <= 0)
            return false;
        cf_inbox_wait(self->inbox, -1, false, (int)(left_us / 1000 + 1), &ignored);
    }
    return true;
}

bool peer_await_msg(peer_t *self, uint16_t type, uint64_t corr, cf_msg_t *msg, void *body)
{
    int64_t until_us = cf_boot_us() + PEER_WAIT_MS * INT64_C(1000);
    while (cf_boot_us() < until_us && peer_next(self, msg))
        if (msg->type == type && (corr == 0 || msg->corr == corr))
            return !body || cf_msg_body(body, msg, &self->arena) == 0;
    return false;
}

bool peer_await(peer_t *self, uint16_t type, uint64_t corr, void *body)
{
    cf_msg_t msg;
    return peer_await_msg(self, type, corr, &msg, body);
}

bool peer_expect(peer_t *self, uint16_t type, uint64_t corr, void *body)
{
    cf_msg_t msg;
    return peer_next(self, &msg) && msg.type == type && msg.corr == corr &&
           (!body || cf_msg_body(body, &msg, &self->arena) == 0);
}

int peer_await_refusal(peer_t *self, uint64_t corr)
{
    cf_refused_t refused;
    return peer_await(self, CF_MSG_REFUSED, corr, &refused) ? -(int)refused.reason : 0;
}

/* --- actors ------------------------------------------------------------------------------------
 */

cf_actor_t *actor_at(cf_actor_kind_t kind, uint16_t index)
{
    cr_assert(n_actors < ACTORS_MAX);
    peer_at(CF_ACTOR_SUPERVISOR, 0);
    cr_assert(cf_actor_new(&actors[n_actors], peer_bus(), (cf_address_t){NODE, kind, index}) == 0);
    return actors[n_actors++];
}

void actor_run(cf_actor_t *actor, const cf_actor_ops_t *ops, void *state)
{
    cr_assert(cf_actor_start(actor, ops, state, NULL) == 0);
    for (int i = 0; i < n_actors; i++)
        running[i] |= actors[i] == actor;
}

static void tell(cf_address_t to, uint16_t type, uint64_t corr)
{
    peer_t *supervisor = peer_at(CF_ACTOR_SUPERVISOR, 0);
    cr_assert(cf_outbox_send(supervisor->out, to, type, corr, (cf_id_t){0}, NULL) == 0);
    peer_flush(supervisor);
}

uint64_t actor_counter(cf_actor_t *actor, size_t slot)
{
    cf_probed_t probed;
    tell(cf_actor_address(actor), CF_MSG_PROBE, ++last_corr);
    cr_assert(peer_await(peer_at(CF_ACTOR_SUPERVISOR, 0), CF_MSG_PROBED, last_corr, &probed));
    const cf_counter_t *counters = probed.counters.items;
    for (uint32_t i = 0; i < probed.counters.n; i++)
        if (counters[i].slot == slot)
            return counters[i].value;
    return 0;
}

uint64_t actor_observed(cf_actor_t *actor, cf_histogram_t histogram)
{
    size_t first = CF_METRICS + (size_t)histogram * CF_HISTOGRAM_SLOTS;
    uint64_t n = 0;
    for (size_t bucket = 0; bucket < CF_HISTOGRAM_BUCKETS; bucket++)
        n += actor_counter(actor, first + bucket);
    return n;
}

void actor_join(cf_actor_t *actor)
{
    for (int i = 0; i < n_actors; i++)
        if (actors[i] == actor) {
            running[i] = false;
            cf_actor_join(&actors[i]);
        }
}

void actors_stop(void)
{
    for (int i = 0; i < n_actors; i++) {
        if (running[i]) {
            tell(cf_actor_address(actors[i]), CF_MSG_STOP, ++last_corr);
            cr_expect(peer_await(peer_at(CF_ACTOR_SUPERVISOR, 0), CF_MSG_STOPPED, last_corr, NULL));
        }
        cf_actor_join(&actors[i]);
    }
    for (int i = 0; i < n_peers; i++) {
        cf_inbox_close(&peers[i]->inbox);
        cf_outbox_destroy(&peers[i]->out);
        cf_arena_free(&peers[i]->arena);
        free(peers[i]);
    }
    n_actors = n_peers = 0;
    cf_bus_close(&bus);
}
