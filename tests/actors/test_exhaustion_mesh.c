/* Failed allocations: nodes and the mesh, driven by messages on one thread, while the registry and those who are told are
 * played. Two nodes come, are heard and go. It is run once to count what the two allocate, then once for each allocation
 * with that one failing: whoever is to be told hears of each node that came, with a link to it there, and that it is gone. */
#include "clock.h"
#include "failing_malloc.h"
#include "mesh.h"
#include "nodes.h"
#include "roles.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/observe.h"

#include <criterion/criterion.h>

#define NODE 1
#define THREADS 20 /* more than an outbox keeps aside */
#define BEAT_US INT64_C(1000000)
#define BEATS                                                                                      \
    32 /* within so many all is well again: one may end with the first allocation that fails */
#define KNOWN 3 /* numbers of nodes, this one's and 0 included */

enum { LOBBY, FIRST_THREAD, TOLD = FIRST_THREAD + THREADS };

static const cf_address_t nodes_at = {NODE, CF_ACTOR_NODES, 0};
static const cf_address_t mesh_at = {NODE, CF_ACTOR_MESH, 0};
static char keys[KNOWN + 1][CF_NODE_KEY_SIZE + 1];

static struct {
    cf_bus_t bus;
    cf_actor_t *actor;
    cf_mesh_t *mesh;
    cf_nodes_t *nodes;
    cf_outbox_t *nodes_out, *mesh_out, *played;
    cf_arena_t arena;
    int64_t now_us;
    bool are_there; /* the others */
    int here[TOLD][KNOWN + 1], gone[TOLD][KNOWN + 1];
    unsigned long failing;
    unsigned in_a_row;
} world;

#define ensure(what) cr_assert(what, "allocation %lu, %u in a row", world.failing, world.in_a_row)

/* --- the registry ------------------------------------------------------------------------------
 */

static int enter(cf_registry_t *self, const cf_node_t *node, int64_t gone_after_us,
                 cf_entry_t *entry)
{
    (void)self, (void)node, (void)gone_after_us;
    *entry = (cf_entry_t){0};
    return 0;
}

/* One came before this node, which connects to it, the other behind it. */
static int beat(cf_registry_t *self, const cf_heartbeat_t *heartbeat, const cf_view_t *view,
                cf_node_end_t *why)
{
    static const uint32_t order[] = {2, NODE, 3};
    (void)self, (void)heartbeat, (void)why;
    for (int i = 0; i < KNOWN; i++)
        if (order[i] == NODE || world.are_there)
            view->node(view->arg, &(cf_node_t){.number = order[i],
                                               .name = cf_str("other"),
                                               .endpoint = cf_str("tcp://127.0.0.1:1"),
                                               .public_key = cf_str(keys[order[i]]),
                                               .version = 1,
                                               .roles = CF_ROLES_ALL});
    return 0;
}

static int leave(cf_registry_t *self, uint32_t number)
{
    (void)self, (void)number;
    return 0;
}

static void leave_open(cf_registry_t *self)
{
    (void)self;
}

static const cf_registry_ops_t registry_ops = {enter, beat, leave, leave_open};
static cf_registry_t registry = {.ops = &registry_ops};

/* --- the two actors, and who is told -----------------------------------------------------------
 */

static void handle(const cf_actor_ops_t *ops, void *state, cf_outbox_t *out, const cf_msg_t *msg)
{
    cf_turn_t turn = {.boot_us = world.now_us, .out = out, .arena = &world.arena};
    for (const cf_handler_t *row = ops->handlers; row->type; row++)
        if (row->type == msg->type) {
            failing_malloc_resume();
            row->handle(state, &turn, msg);
            failing_malloc_pause();
        }
}

/* Somebody says something to nodes. */
static void say(cf_address_t from, uint16_t type, const void *body)
{
    cf_msg_t msg, head = {.type = type, .from = from, .to = nodes_at};
    cr_assert(cf_outbox_put(world.played, &head, body) == 0);
    cr_assert(cf_outbox_take(world.played, &msg));
    handle(&cf_nodes_ops, world.nodes, world.nodes_out, &msg);
}

static void note(const cf_msg_t *msg)
{
    union {
        cf_node_here_t here;
        cf_node_gone_t gone;
    } body;
    int who = msg->to.kind == CF_ACTOR_ROOMS ? FIRST_THREAD + msg->to.index : LOBBY;
    cr_assert(cf_msg_body(&body, msg, &world.arena) == 0);
    if (msg->type == CF_MSG_NODE_HERE)
        world.here[who][body.here.node]++;
    else if (msg->type == CF_MSG_NODE_GONE)
        world.gone[who][body.gone.node]++;
    else
        ensure(false);
}

/* With no memory from before. */
static void renew(cf_outbox_t **out, cf_address_t address)
{
    cf_outbox_destroy(out);
    cr_assert(cf_outbox_new(out, NULL, address) == 0);
}

/* Each that the lobby was told of is heard from then on. */
static void pass_a_beat(void)
{
    renew(&world.nodes_out, nodes_at);
    renew(&world.mesh_out, mesh_at);
    cf_turn_t turn = {.boot_us = world.now_us, .out = world.nodes_out, .arena = &world.arena};
    cf_msg_t msg;
    failing_malloc_resume();
    cf_nodes_ops.due(world.nodes, &turn);
    failing_malloc_pause();
    while (cf_outbox_take(world.nodes_out, &msg))
        if (msg.to.node == NODE && msg.to.kind == CF_ACTOR_MESH)
            handle(&cf_mesh_ops, world.mesh, world.mesh_out, &msg);
    turn.out = world.mesh_out;
    failing_malloc_resume();
    cf_mesh_ops.due(world.mesh, &turn); /* what there was no memory for */
    failing_malloc_pause();
    while (cf_outbox_take(world.mesh_out, &msg))
        note(&msg);
    for (uint32_t node = 2; node <= KNOWN; node++)
        if (world.are_there && world.here[LOBBY][node])
            say((cf_address_t){node, CF_ACTOR_NODES, 0}, CF_MSG_BEAT,
                &(cf_beat_t){.sent_us = world.now_us});
    cf_arena_free(&world.arena);
    world.now_us += BEAT_US;
}

static void others_come_and_go(bool strict)
{
    memset(world.here, 0, sizeof world.here);
    memset(world.gone, 0, sizeof world.gone);
    world.are_there = true;
    for (int i = 0; i < BEATS; i++)
        pass_a_beat();
    for (int who = 0; who < TOLD; who++)
        for (uint32_t node = 2; node <= KNOWN; node++)
            ensure(world.here[who][node] == 1 && world.gone[who][node] == 0);
    world.are_there = false;
    for (int i = 0; i < (strict ? 1 : BEATS); i++)
        pass_a_beat();
    for (int who = 0; who < TOLD; who++)
        for (uint32_t node = 2; node <= KNOWN; node++)
            ensure(world.here[who][node] == 1 && world.gone[who][node] == 1);
}

static void open_mesh(const char *secret_key, const char *const *allowed)
{
    static const cf_mesh_told_t told[] = {{CF_ACTOR_LOBBY, CF_ROLE_ROOMS},
                                          {CF_ACTOR_ROOMS, CF_ROLE_STOCKBOT}};
    cf_mesh_config_t config = {.actor = world.actor,
                               .bus = &world.bus,
                               .curve = {.listen = "127.0.0.1:0",
                                         .secret_key = secret_key,
                                         .allowed = allowed,
                                         .allowed_count = KNOWN,
                                         .frame_max = CF_MESH_FRAME_MAX,
                                         .handshake_ms = 10000,
                                         .heartbeat_ms = 1000,
                                         .silence_ms = 3000},
                               .queue_max = 65536,
                               .actors = {[CF_ACTOR_LOBBY] = 1, [CF_ACTOR_ROOMS] = THREADS},
                               .told = told,
                               .told_count = 2};
    cr_assert(cf_mesh_new(&world.mesh, &config) == 0);
}

static void open_nodes(void)
{
    cf_nodes_config_t config = {.self = {.number = NODE,
                                         .name = cf_str("one"),
                                         .endpoint = cf_str("tcp://127.0.0.1:2"),
                                         .public_key = cf_str(keys[NODE]),
                                         .version = 1},
                                .registry = &registry,
                                .beat_us = BEAT_US,
                                .gone_after_us = 3 * BEAT_US,
                                .lease_us = 2 * BEAT_US,
                                .told = &mesh_at,
                                .told_count = 1,
                                .told_here = &mesh_at,
                                .told_here_count = 1,
                                .stats = {NODE, CF_ACTOR_STATS, 0}};
    cr_assert(cf_nodes_new(&world.nodes, &config) == 0);
}

static unsigned long run(unsigned long nth, unsigned in_a_row)
{
    char secret_keys[KNOWN + 1][CF_NODE_KEY_SIZE + 1];
    const char *allowed[KNOWN];
    for (int i = 1; i <= KNOWN; i++) {
        cr_assert(cf_curve_new_keys(secret_keys[i], keys[i]) == 0);
        allowed[i - 1] = keys[i];
    }
    memset(&world, 0, sizeof world);
    world.failing = nth;
    world.in_a_row = in_a_row;
    world.now_us = cf_boot_us();
    cr_assert(cf_bus_init(&world.bus, NODE) == 0);
    world.bus.has_mesh = true;
    cr_assert(cf_actor_new(&world.actor, &world.bus, mesh_at) == 0);
    cr_assert(cf_outbox_new(&world.nodes_out, NULL, nodes_at) == 0);
    cr_assert(cf_outbox_new(&world.played, NULL, nodes_at) == 0);
    open_mesh(secret_keys[NODE], allowed);
    open_nodes();
    say((cf_address_t){NODE, CF_ACTOR_SUPERVISOR, 0}, CF_MSG_STORE_OPENED, &(cf_store_opened_t){0});
    failing_malloc_begin(nth, in_a_row);
    failing_malloc_pause();
    others_come_and_go(nth == 0);
    unsigned long count = failing_malloc_end();
    others_come_and_go(true); /* as if nothing had happened */
    cf_mesh_ops.destroy(world.mesh);
    cf_nodes_ops.destroy(world.nodes);
    cf_actor_join(&world.actor);
    cf_outbox_destroy(&world.nodes_out);
    cf_outbox_destroy(&world.mesh_out);
    cf_outbox_destroy(&world.played);
    cf_arena_free(&world.arena);
    cf_bus_close(&world.bus);
    return count;
}

TestSuite(exhaustion_mesh, .timeout = 300);

Test(exhaustion_mesh, any_one_allocation_may_fail)
{
    unsigned long count = run(0, 1);
    cr_assert(count > 10, "%lu", count);
    for (unsigned long nth = 1; nth <= count; nth++)
        run(nth, 1);
}

Test(exhaustion_mesh, no_memory_for_a_while_is_survived)
{
    unsigned long count = run(0, 1);
    for (unsigned long nth = 1; nth <= count; nth++) {
        run(nth, 4);
        run(nth, TOLD); /* for a word to each of them there is none */
    }
}
