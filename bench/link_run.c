/* link-run SECONDS: what one link between two nodes carries, and what that costs.
 *
 * Two processes, each with a mesh as in confab, linked over loopback with CURVE. One says posts as a gateway would, so many in a
 * turn of its own, the other takes them as a room thread would and acknowledges the last of each WINDOW / 4. A line of JSON for
 * each case: messages and bytes a second, CPU of both processes for a message, user and system time of all their
 * threads. It measures actors, so it links them. */
#include "clock.h"
#include "mesh.h"
#include "roles.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/room.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEAR 1 /* numbers of nodes */
#define FAR 2
#define QUEUE_MAX (64u << 20)
#define IN_FLIGHT_MAX (4u << 20) /* bytes that are not acknowledged */
#define WINDOW_MAX 8192          /* and posts */
#define LINKED_US INT64_C(10000000)

static const struct {
    uint32_t text, turn; /* bytes of a post's text, posts that are said in a turn */
    uint32_t window;     /* posts that are not acknowledged; 0: as many as may */
} cases[] = {{128, 1, 1}, {128, 1, 0}, {128, 8, 0}, {128, 64, 0}, {1000, 8, 0}, {4000, 8, 0}};

typedef struct {
    char secret_key[CF_NODE_KEY_SIZE + 1], public_key[CF_NODE_KEY_SIZE + 1];
} keys_t;

static keys_t keys[2];
static const char *allowed[2] = {keys[0].public_key, keys[1].public_key};

typedef struct {
    uint32_t number;
    cf_bus_t bus;
    cf_actor_t *actor;
    cf_inbox_t *inbox, *stats;
    cf_outbox_t *out, *nodes_out, *stats_out;
    char endpoint[CF_ENDPOINT_MAX];
} node_t;

static void fail(const char *what)
{
    fprintf(stderr, "link-run: %s\n", what);
    exit(1);
}

static cf_address_t at(uint32_t node, cf_actor_kind_t kind)
{
    return (cf_address_t){node, kind, 0};
}

/* --- a node ------------------------------------------------------------------------------------
 */

/* With a mesh, and one actor, of that kind, played by this thread. */
static void open_node(node_t *self, uint32_t number, cf_actor_kind_t kind)
{
    const keys_t *own = &keys[number - 1];
    cf_mesh_t *mesh;
    self->number = number;
    if (cf_bus_init(&self->bus, number) < 0)
        fail("no memory");
    self->bus.has_mesh = true;
    if (cf_actor_new(&self->actor, &self->bus, at(number, CF_ACTOR_MESH)) < 0 ||
        cf_inbox_open(&self->inbox, &self->bus, at(number, kind)) < 0 ||
        cf_inbox_open(&self->stats, &self->bus, at(number, CF_ACTOR_STATS)) < 0 ||
        cf_outbox_new(&self->out, &self->bus, at(number, kind)) < 0 ||
        cf_outbox_new(&self->nodes_out, &self->bus, at(number, CF_ACTOR_NODES)) < 0 ||
        cf_outbox_new(&self->stats_out, &self->bus, at(number, CF_ACTOR_STATS)) < 0)
        fail("cannot open inboxes");
    cf_mesh_config_t config = {
        .actor = self->actor,
        .bus = &self->bus,
        .curve = {.listen = "127.0.0.1:0",
                  .secret_key = own->secret_key,
                  .allowed = allowed,
                  .allowed_count = 2,
                  .handshake_ms = 10000,
                  .heartbeat_ms = 1000,
                  .silence_ms = 3000},
        .queue_max = QUEUE_MAX,
        .actors = {[CF_ACTOR_LOBBY] = 1, [CF_ACTOR_GATEWAY] = 1, [CF_ACTOR_ROOMS] = 1}};
    if (cf_mesh_new(&mesh, &config) < 0)
        fail("cannot listen");
    snprintf(self->endpoint, sizeof self->endpoint, "%s", cf_mesh_endpoint(mesh));
    if (cf_actor_start(self->actor, &cf_mesh_ops, mesh, NULL) < 0)
        fail("cannot start the mesh");
}

static void tell_of(node_t *self, uint32_t other, const char *endpoint, bool came_before)
{
    cf_node_here_t here = {.node = other,
                           .name = cf_str("other"),
                           .endpoint = cf_str(endpoint),
                           .public_key = cf_str(keys[other - 1].public_key),
                           .roles = CF_ROLES_ALL,
                           .came_before = came_before};
    cf_outbox_send(self->nodes_out, at(self->number, CF_ACTOR_MESH), CF_MSG_NODE_HERE, 0,
                   (cf_id_t){0}, &here);
    cf_outbox_flush(self->nodes_out);
}

static void close_node(node_t *self)
{
    cf_outbox_send(self->stats_out, at(self->number, CF_ACTOR_MESH), CF_MSG_STOP, 1, (cf_id_t){0},
                   NULL);
    cf_outbox_flush(self->stats_out);
    cf_actor_join(&self->actor);
    cf_outbox_destroy(&self->out);
    cf_outbox_destroy(&self->nodes_out);
    cf_outbox_destroy(&self->stats_out);
    cf_inbox_close(&self->inbox);
    cf_inbox_close(&self->stats);
    cf_bus_close(&self->bus);
}

/* Waits for something, at most for so long; the last message's corr, 0: none came. */
static uint64_t take_all(node_t *self, int timeout_ms, cf_outbox_t *answers)
{
    bool ignored;
    cf_msg_t msg;
    uint64_t last = 0;
    cf_inbox_release(self->inbox);
    cf_inbox_wait(self->inbox, -1, false, timeout_ms, &ignored);
    while (cf_inbox_read(self->inbox, &msg) == 1) {
        if (msg.corr == 0)
            continue;
        last = msg.corr;
        if (answers)
            cf_outbox_answer(answers, &msg, CF_MSG_POSTED, &(cf_posted_t){.seq = 1});
    }
    if (answers)
        cf_outbox_flush(answers);
    return last;
}

/* --- measuring ---------------------------------------------------------------------------------
 */

static int64_t cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* The other process: takes posts until the pipe ends, and tells what it has used whenever it is asked. */
static void play_far(int in, int out)
{
    static node_t far;
    char endpoint[CF_ENDPOINT_MAX], asked;
    open_node(&far, FAR, CF_ACTOR_ROOMS);
    if (read(in, endpoint, sizeof endpoint) != sizeof endpoint)
        fail("the other process has ended");
    tell_of(&far, NEAR, endpoint, true);
    fcntl(in, F_SETFL, O_NONBLOCK);
    if (write(out, far.endpoint, sizeof far.endpoint) != sizeof far.endpoint)
        fail("the other process has ended");
    for (;;) {
        ssize_t n = read(in, &asked, 1);
        if (n == 0)
            break;
        int64_t used = cpu_us();
        if (n == 1 && write(out, &used, sizeof used) != sizeof used)
            break;
        take_all(&far, 10, far.out);
    }
    close_node(&far);
}

static node_t near;
static int to_far, from_far;

static int64_t far_cpu_us(void)
{
    int64_t used;
    if (write(to_far, "?", 1) != 1 || read(from_far, &used, sizeof used) != sizeof used)
        fail("the other process has ended");
    return used;
}

/* Says posts with these numbers, of which each `step`-th wants an answer. */
static void say(uint64_t from, uint64_t to, uint64_t step, const cf_post_msg_t *post)
{
    for (uint64_t n = from; n < to; n++)
        cf_outbox_send(near.out, at(FAR, CF_ACTOR_ROOMS), CF_MSG_POST, n % step == 0 ? n : 0,
                       (cf_id_t){0}, post);
    cf_outbox_flush(near.out);
}

static uint64_t window_of(size_t which)
{
    uint64_t window = IN_FLIGHT_MAX / (cases[which].text + CF_MSG_HEAD_SIZE);
    window = window > WINDOW_MAX ? WINDOW_MAX : window;
    return cases[which].window ? cases[which].window : window - window % cases[which].turn;
}

static void await_link(void)
{
    uint64_t corr = 0;
    say(1, 2, 1,
        &(cf_post_msg_t){.kind = CF_POST_TEXT, .username = cf_str("x"), .text = cf_str("x")});
    for (int64_t limit_us = cf_boot_us() + LINKED_US; !corr && cf_boot_us() < limit_us;)
        corr = take_all(&near, 100, NULL);
    if (!corr)
        fail("there is no link");
}

static void measure(size_t which, int64_t seconds)
{
    static char text[CF_POST_TEXT_MAX];
    memset(text, 'x', sizeof text);
    uint32_t size = cases[which].text, turn = cases[which].turn;
    cf_post_msg_t post = {
        .kind = CF_POST_TEXT, .username = cf_str("load000001"), .text = {text, size}};
    uint64_t window = window_of(which), step = window < 4 ? 1 : window / 4, said = 1, acked = 0;
    int64_t far_us = far_cpu_us(), near_us = cpu_us(), begun_us = cf_boot_us(),
            until_us = begun_us + seconds * 1000000;
    while (cf_boot_us() < until_us) {
        for (; said - 1 + turn <= acked + window; said += turn)
            say(said, said + turn, step, &post);
        uint64_t corr = take_all(&near, 1000, NULL);
        acked = corr ? corr : acked;
    }
    int64_t took_us = cf_boot_us() - begun_us;
    double each = (double)(cpu_us() - near_us + far_cpu_us() - far_us) / (double)acked;
    printf("{\"text\": %u, \"turn\": %u, \"in_flight\": %llu, \"messages_per_s\": %.0f, "
           "\"mb_per_s\": %.1f, \"cpu_us\": %.3f}\n",
           size, turn, (unsigned long long)window, (double)acked * 1e6 / (double)took_us,
           (double)acked * size / (double)took_us, each);
    fflush(stdout);
    for (int64_t limit_us = cf_boot_us() + LINKED_US;
         acked + step < said && cf_boot_us() < limit_us;) {
        uint64_t corr = take_all(&near, 100, NULL);
        acked = corr ? corr : acked;
    }
    if (acked + step < said)
        fail("posts were lost");
}

int main(int argc, char **argv)
{
    int64_t seconds = argc == 2 ? atoll(argv[1]) : 0;
    int down[2], up[2];
    if (seconds < 1)
        fail("usage: link-run SECONDS");
    if (cf_curve_new_keys(keys[0].secret_key, keys[0].public_key) < 0 ||
        cf_curve_new_keys(keys[1].secret_key, keys[1].public_key) < 0 || pipe(down) < 0 ||
        pipe(up) < 0)
        fail("no keys or pipes");
    pid_t far = fork(); /* before there is any thread */
    if (far == 0) {
        close(down[1]);
        close(up[0]);
        play_far(down[0], up[1]);
        return 0;
    }
    close(down[0]);
    close(up[1]);
    to_far = down[1];
    from_far = up[0];
    char endpoint[CF_ENDPOINT_MAX];
    open_node(&near, NEAR, CF_ACTOR_GATEWAY);
    if (far < 0 || write(to_far, near.endpoint, sizeof near.endpoint) != sizeof near.endpoint ||
        read(from_far, endpoint, sizeof endpoint) != sizeof endpoint)
        fail("the other process does not begin");
    tell_of(&near, FAR, endpoint, false);
    await_link();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        measure(i, seconds);
    close(to_far);
    int status;
    waitpid(far, &status, 0);
    close_node(&near);
    return status == 0 ? 0 : 1;
}
