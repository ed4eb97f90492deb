/* nodes by messages alone, time as an argument: this is node 1, the registry is made up. */
#include "nodes.h"

#include "err.h"
#include "wire/account.h"
#include "wire/control.h"
#include "wire/limit.h"
#include "wire/node.h"
#include "wire/observe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define BEAT_US INT64_C(1000000)
#define GONE_US INT64_C(3000000)
#define LEASE_US INT64_C(2500000)
#define LOBBY ((cf_address_t){1, CF_ACTOR_LOBBY, 0})
#define STATS ((cf_address_t){1, CF_ACTOR_STATS, 0})
#define MESH ((cf_address_t){1, CF_ACTOR_MESH, 0})

static cf_nodes_t *nodes;
static cf_outbox_t *out, *scratch;
static cf_arena_t arena;
static int64_t now_us;
static uint32_t gateways; /* how many there are */
static char shown[4000];
static int joined; /* how often it was said */

/* --- the registry ------------------------------------------------------------------------------
 */

static struct {
    cf_registry_t base;
    int enters, enter_rc, beats, beat_rc;
    cf_node_end_t why;
    uint32_t there[8], there_count;
    cf_ended_t ended[2]; /* told by the next heartbeat, the last one first */
    uint32_t ended_count;
    char unheard[64]; /* of the last heartbeat: "2 3", or "2 3 waited" */
    int64_t gone_after_us;
    uint32_t left;
    bool is_closed;
} registry;

static int fake_enter(cf_registry_t *self, const cf_node_t *node, int64_t gone_after_us,
                      cf_entry_t *entry)
{
    *entry = (cf_entry_t){{{9}}, 7000000};
    (void)self;
    cr_assert(eq(u32, node->number, 1));
    registry.gone_after_us = gone_after_us;
    registry.enters++;
    return registry.enter_rc;
}

static int fake_beat(cf_registry_t *self, const cf_heartbeat_t *beat, const cf_view_t *view,
                     cf_node_end_t *why)
{
    (void)self;
    registry.beats++;
    registry.gone_after_us = beat->gone_after_us;
    registry.unheard[0] = '\0';
    for (uint32_t i = 0; i < beat->unheard_count; i++)
        snprintf(registry.unheard + strlen(registry.unheard),
                 sizeof registry.unheard - strlen(registry.unheard), "%s%u", i ? " " : "",
                 beat->unheard[i]);
    if (beat->waited)
        strcat(registry.unheard, " waited");
    for (uint32_t i = 0; registry.beat_rc == 0 && i < registry.there_count; i++)
        view->node(view->arg,
                   &(cf_node_t){.number = registry.there[i],
                                .name = cf_str("n"),
                                .endpoint = cf_str("tcp://10.0.0.2:7000"),
                                .public_key = cf_str("0123456789012345678901234567890123456789"),
                                .version = 1});
    for (; registry.beat_rc == 0 && registry.ended_count; registry.ended_count--)
        cr_assert(eq(int, view->ended(view->arg, &registry.ended[registry.ended_count - 1]), 0));
    *why = registry.why;
    return registry.beat_rc;
}

static int fake_leave(cf_registry_t *self, uint32_t number)
{
    (void)self;
    registry.left = number;
    return 0;
}

static void fake_close(cf_registry_t *self)
{
    (void)self;
    registry.is_closed = true;
}

static const cf_registry_ops_t fake_ops = {fake_enter, fake_beat, fake_leave, fake_close};

static void be_there(uint32_t n, const uint32_t *numbers)
{
    registry.there_count = n;
    for (uint32_t i = 0; i < n; i++)
        registry.there[i] = numbers[i];
}
#define THERE(...)                                                                                 \
    be_there(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

/* --- the actor ---------------------------------------------------------------------------------
 */

static void open_as(const char *endpoint)
{
    static const cf_address_t told[] = {LOBBY}, told_here[] = {MESH};
    cf_nodes_config_t config = {.self = {.number = 1,
                                         .name = cf_str("one"),
                                         .endpoint = cf_str(endpoint),
                                         .public_key = cf_str(""),
                                         .version = 1},
                                .registry = &registry.base,
                                .beat_us = BEAT_US,
                                .gone_after_us = GONE_US,
                                .lease_us = LEASE_US,
                                .has_accounts = true,
                                .told = told,
                                .told_count = 1,
                                .told_here = told_here,
                                .told_here_count = 1,
                                .stats = STATS,
                                .room_thread = {1, CF_ACTOR_ROOMS, 0},
                                .room_threads = 2,
                                .gateway = {1, CF_ACTOR_GATEWAY, 0},
                                .gateways = gateways};
    cf_address_t address = {1, CF_ACTOR_NODES, 0};
    registry.base.ops = &fake_ops;
    now_us = 100000000;
    THERE(1);
    cr_assert(eq(int, cf_nodes_new(&nodes, &config), 0));
    cr_assert(eq(int, cf_outbox_new(&out, NULL, address), 0));
    cr_assert(eq(int, cf_outbox_new(&scratch, NULL, address), 0));
}

static void open_nodes(void)
{
    open_as("tcp://10.0.0.1:7000");
}

static void close_nodes(void)
{
    cf_nodes_ops.destroy(nodes);
    cr_assert(registry.is_closed);
    cf_outbox_destroy(&out);
    cf_outbox_destroy(&scratch);
    cf_arena_free(&arena);
}

TestSuite(nodes, .init = open_nodes, .fini = close_nodes, .timeout = 60);

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){0, now_us, out, &arena, false};
}

static int tell(cf_address_t from, uint16_t type, const void *body)
{
    cf_msg_t msg, head = {.type = type, .from = from, .to = cf_outbox_address(out)};
    cf_turn_t turn = turn_now();
    int rc = CF_EPROTO;
    cr_assert(cf_outbox_put(scratch, &head, body) == 0 && cf_outbox_take(scratch, &msg));
    for (const cf_handler_t *row = cf_nodes_ops.handlers; row->type; row++)
        if (row->type == type)
            rc = row->handle(nodes, &turn, &msg);
    cr_assert(not(cf_outbox_take(scratch, &msg)));
    return rc;
}

static void show_body(const cf_msg_t *msg)
{
    union {
        cf_entered_t entered;
        cf_node_here_t here;
        cf_node_gone_t gone;
        cf_lease_msg_t lease;
        cf_fenced_t fenced;
        cf_beat_t beat;
        cf_limit_secret_t secret;
        cf_session_ended_t session;
        cf_user_ended_t user;
    } body;
    char *end = shown + strlen(shown);
    size_t left = sizeof shown - strlen(shown);
    cr_assert(eq(int, cf_msg_body(&body, msg, &arena), 0));
    if (msg->type == CF_MSG_ENTERED && body.entered.gone_after_us)
        snprintf(end, left, " %u theirs %llu", body.entered.reason,
                 (unsigned long long)body.entered.gone_after_us / 1000);
    else if (msg->type == CF_MSG_ENTERED)
        snprintf(end, left, " %u", body.entered.reason);
    else if (msg->type == CF_MSG_NODE_HERE)
        snprintf(end, left, " %u %.*s %s", body.here.node, (int)body.here.endpoint.size,
                 body.here.endpoint.bytes, body.here.came_before ? "before" : "behind");
    else if (msg->type == CF_MSG_NODE_GONE)
        snprintf(end, left, " %u", body.gone.node);
    else if (msg->type == CF_MSG_LEASE)
        snprintf(end, left, " %+lld", (long long)(body.lease.until_us - now_us) / 1000);
    else if (msg->type == CF_MSG_LIMIT_KEY)
        snprintf(end, left, " %u", body.secret.bytes[0]);
    else if (msg->type == CF_MSG_SESSION_ENDED)
        snprintf(end, left, " %u of token %u", body.session.session.bytes[0],
                 body.session.token_hash[0]);
    else if (msg->type == CF_MSG_USER_ENDED)
        snprintf(end, left, " %u at %lld", body.user.user.bytes[0], (long long)body.user.asked_us);
    else if (msg->type == CF_MSG_FENCED)
        snprintf(end, left, " %u", body.fenced.why);
    else
        snprintf(end, left, " echo %lld unconfirmed %llu", (long long)body.beat.echo_us,
                 (unsigned long long)body.beat.unconfirmed_us / 1000);
}

/* What has been put, one message a line: "LEASE rooms-0 +2500"; times in ms from now. JOINED is counted alone. */
static char *what_was_said(void)
{
    cf_msg_t msg;
    shown[0] = '\0';
    while (cf_outbox_take(out, &msg)) {
        if (msg.type == CF_MSG_JOINED) {
            cr_assert(cf_address_equal(msg.to, STATS));
            joined++;
            continue;
        }
        snprintf(shown + strlen(shown), sizeof shown - strlen(shown), "%s %s-%u@%u",
                 cf_msg_name(msg.type), cf_actor_name(msg.to.kind), msg.to.index, msg.to.node);
        show_body(&msg);
        strcat(shown, "\n");
    }
    return shown;
}

/* The next thing that is due, and what it said. */
static char *pass_time(void)
{
    cf_turn_t turn = turn_now();
    int64_t due_us = cf_nodes_ops.due(nodes, &turn);
    if (due_us > now_us && due_us < INT64_MAX) {
        now_us = due_us;
        turn = turn_now();
        cf_nodes_ops.due(nodes, &turn);
    }
    return what_was_said();
}

static char *pass_us(int64_t us)
{
    now_us += us;
    cf_turn_t turn = turn_now();
    cf_nodes_ops.due(nodes, &turn);
    return what_was_said();
}

static void enter(void)
{
    tell((cf_address_t){1, CF_ACTOR_SUPERVISOR, 0}, CF_MSG_STORE_OPENED, &(cf_store_opened_t){0});
    pass_us(0);
}

static void hear(uint32_t node, int64_t echo_us, uint64_t unconfirmed_us)
{
    cf_beat_t beat = {.sent_us = 77, .echo_us = echo_us, .unconfirmed_us = unconfirmed_us};
    cr_assert(eq(int, tell((cf_address_t){node, CF_ACTOR_NODES, 0}, CF_MSG_BEAT, &beat), 0));
}

/* --- entering ----------------------------------------------------------------------------------
 */

Test(nodes, tells_gateways_the_chats_key_for_limits_before_anybody_can_log_in)
{
    close_nodes();
    gateways = 2;
    registry.is_closed = false;
    open_nodes();
    enter();
    cr_assert(eq(str, shown,
                 "LIMIT_KEY gateway-0@1 9\nLIMIT_KEY gateway-1@1 9\nENTERED supervisor-0@1 0\n"));
}

Test(nodes, who_is_alone_keeps_limits_under_a_key_of_its_own)
{
    close_nodes();
    gateways = 2;
    registry.is_closed = false;
    open_as("");
    enter();
    cr_assert(eq(str, shown, "ENTERED supervisor-0@1 0\n"));
}

Test(nodes, waits_for_the_tables)
{
    cr_assert(eq(str, pass_us(10 * BEAT_US), ""));
    cr_assert(eq(int, registry.enters, 0));
}

Test(nodes, tries_to_enter_until_the_registry_answers)
{
    registry.enter_rc = CF_EIO;
    enter();
    cr_assert(eq(str, pass_time(), ""));
    cr_assert(eq(int, registry.enters, 2));
    registry.enter_rc = 0;
    cr_assert(eq(str, pass_time(), "ENTERED supervisor-0@1 0\n"));
    cr_assert(eq(i64, registry.gone_after_us, GONE_US));
    cr_assert(eq(str, pass_us(0), "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"));
}

Test(nodes, who_is_not_let_in_says_why_once_and_waits)
{
    registry.enter_rc = CF_EEXIST;
    enter();
    cr_assert(eq(str, shown, "ENTERED supervisor-0@1 7\n"));
    cr_assert(eq(str, pass_time(), ""));
    registry.enter_rc = CF_EPERM;
    cr_assert(eq(str, pass_time(), "ENTERED supervisor-0@1 5\n"));
    registry.enter_rc = CF_ERANGE;
    cr_assert(eq(str, pass_time(), "ENTERED supervisor-0@1 2 theirs 7000\n"));
    registry.enter_rc = 0;
    cr_assert(eq(str, pass_time(), "ENTERED supervisor-0@1 0\n"));
    cr_assert(eq(int, registry.enters, 5));
}

Test(nodes, whose_number_was_used_never_enters)
{
    registry.enter_rc = CF_ESTALE;
    enter();
    cr_assert(eq(str, shown, "ENTERED supervisor-0@1 10\n"));
    cr_assert(eq(str, pass_us(10 * BEAT_US), ""));
    cr_assert(eq(int, registry.enters, 1));
    cr_assert(eq(int, registry.beats, 0));
}

/* --- the view ----------------------------------------------------------------------------------
 */

Test(nodes, tells_who_comes_and_who_is_gone)
{
    enter();
    pass_us(0);
    THERE(1, 2);
    cr_assert(eq(str, pass_us(BEAT_US),
                 "NODE_HERE mesh-0@1 2 tcp://10.0.0.2:7000 behind\n"
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"
                 "BEAT nodes-0@2 echo 0 unconfirmed 0\n"));
    hear(2, 0, 0);
    cr_assert(eq(str, pass_us(BEAT_US),
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"
                 "BEAT nodes-0@2 echo 77 unconfirmed 0\n"));
    THERE(1);
    cr_assert(eq(str, pass_us(BEAT_US),
                 "NODE_GONE lobby-0@1 2\n"
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"));
}

/* The mesh may have had no memory for it. */
Test(nodes, tells_of_a_node_again_until_it_is_heard)
{
    enter();
    pass_us(0);
    THERE(1, 2);
    pass_us(BEAT_US);
    cr_assert(eq(str, pass_us(BEAT_US),
                 "NODE_HERE mesh-0@1 2 tcp://10.0.0.2:7000 behind\n"
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"
                 "BEAT nodes-0@2 echo 0 unconfirmed 0\n"));
    hear(2, 0, 0);
    cr_assert(eq(str, pass_us(BEAT_US),
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"
                 "BEAT nodes-0@2 echo 77 unconfirmed 0\n"));
}

Test(nodes, tells_accounts_of_sessions_that_ended_anywhere)
{
    enter();
    pass_us(0);
    registry.ended[0] = (cf_ended_t){.is_user = true, .id = {{3}}, .asked_us = 5};
    registry.ended[1] = (cf_ended_t){.id = {{1}}, .token_hash = {2}};
    registry.ended_count = 2;
    cr_assert(eq(str, pass_us(BEAT_US),
                 "SESSION_ENDED accounts-0@1 1 of token 2\nUSER_ENDED accounts-0@1 3 at 5\n"
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"));
}

/* The registry lists them as they came; of two the later one connects. */
Test(nodes, says_who_came_before_this_one)
{
    enter();
    THERE(3, 1, 2);
    cr_assert(eq(str, pass_us(0),
                 "NODE_HERE mesh-0@1 3 tcp://10.0.0.2:7000 before\n"
                 "NODE_HERE mesh-0@1 2 tcp://10.0.0.2:7000 behind\n"
                 "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"
                 "BEAT nodes-0@3 echo 0 unconfirmed 0\n"
                 "BEAT nodes-0@2 echo 0 unconfirmed 0\n"));
}

/* --- joining -----------------------------------------------------------------------------------
 */

Test(nodes, who_comes_first_has_joined_with_its_first_view)
{
    registry.beat_rc = CF_EIO;
    enter();
    pass_us(0);
    cr_assert(eq(int, joined, 0));
    registry.beat_rc = 0;
    pass_us(BEAT_US);
    cr_assert(eq(int, joined, 1));
    THERE(1, 2);
    pass_us(BEAT_US);
    hear(2, 0, 0);
    pass_us(BEAT_US);
    cr_assert(eq(int, joined, 1)); /* once */
}

Test(nodes, has_joined_when_all_have_heard_it)
{
    enter();
    THERE(2, 3, 1);
    pass_us(0);
    hear(2, 0, 0); /* is heard, but has not heard this one */
    hear(3, now_us, 0);
    what_was_said();
    cr_assert(eq(int, joined, 0));
    hear(2, now_us, 0);
    what_was_said();
    cr_assert(eq(int, joined, 1));
}

Test(nodes, waits_for_nobody_who_is_gone)
{
    enter();
    THERE(2, 1);
    pass_us(0);
    cr_assert(eq(int, joined, 0));
    THERE(1);
    pass_us(BEAT_US);
    cr_assert(eq(int, joined, 1));
}

/* --- who is not heard ---------------------------------------------------------------------------
 */

Test(nodes, lists_whom_it_does_not_hear)
{
    enter();
    THERE(1, 2, 3);
    pass_us(0);
    pass_us(BEAT_US);
    hear(3, 0, 0);
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, ""));
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, "2"));
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, "2 3"));
    hear(2, 0, 0);
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, "3"));
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, "3 waited"));
}

/* Stopped, or held up by the registry: as long as it did nothing it could hear nobody. */
Test(nodes, blames_nobody_for_an_absence_of_its_own)
{
    enter();
    THERE(1, 2, 3);
    pass_us(0);
    pass_us(BEAT_US);
    pass_us(8 * BEAT_US);
    cr_assert(eq(str, registry.unheard, ""));
    hear(3, 0, 0);
    pass_us(BEAT_US);
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, ""));
    pass_us(BEAT_US);
    cr_assert(eq(str, registry.unheard, "2 3"));
}

Test(nodes, is_steady_with_two_thirds_of_it_between_heartbeats)
{
    enter();
    THERE(1, 2);
    pass_us(0);
    pass_us(GONE_US * 2 / 3);
    pass_us(GONE_US - GONE_US * 2 / 3);
    cr_assert(eq(str, registry.unheard, "2"));
    hear(2, 0, 0);
    pass_us(GONE_US * 2 / 3 + 1);
    pass_us(GONE_US - GONE_US * 2 / 3);
    cr_assert(eq(str, registry.unheard, ""));
}

Test(nodes, a_beat_of_a_stranger_changes_nothing)
{
    enter();
    pass_us(0);
    hear(9, 0, 0);
    cr_assert(eq(str, pass_us(BEAT_US), "LEASE rooms-0@1 +2500\nLEASE rooms-1@1 +2500\n"));
}

Test(nodes, an_echo_of_what_was_never_said_is_refused)
{
    enter();
    THERE(1, 2);
    pass_us(0);
    cf_beat_t beat = {.sent_us = 77, .echo_us = now_us + 1};
    cr_assert(eq(int, tell((cf_address_t){2, CF_ACTOR_NODES, 0}, CF_MSG_BEAT, &beat), CF_ERANGE));
}

/* --- the lease ---------------------------------------------------------------------------------
 */

Test(nodes, who_was_marked_gone_falls_silent_and_says_so)
{
    enter();
    pass_us(0);
    registry.beat_rc = CF_ESTALE;
    registry.why = CF_NODE_LATE;
    cr_assert(eq(str, pass_us(BEAT_US),
                 "LEASE rooms-0@1 +0\nLEASE rooms-1@1 +0\nFENCED supervisor-0@1 2\n"));
    int beats = registry.beats;
    cr_assert(eq(str, pass_us(10 * BEAT_US), ""));
    cr_assert(eq(int, registry.beats, beats));
}

Test(nodes, a_lease_ends_when_only_this_node_has_no_answer)
{
    enter();
    THERE(1, 2);
    pass_us(0);
    int64_t said_us = now_us;
    registry.beat_rc = CF_EIO;
    now_us += 2 * BEAT_US;
    hear(2, said_us, 0); /* it had an answer just now */
    cr_assert(eq(str, pass_us(0), "BEAT nodes-0@2 echo 77 unconfirmed 2000\n"));
    hear(2, said_us, 2 * GONE_US / 3); /* it is steady still */
    cr_assert(eq(str, pass_us(BEAT_US), "BEAT nodes-0@2 echo 77 unconfirmed 3000\n"));
}

Test(nodes, a_lease_goes_on_when_nobody_has_an_answer)
{
    enter();
    THERE(1, 2, 3);
    pass_us(0);
    registry.beat_rc = CF_EIO;
    now_us += GONE_US;
    hear(2, now_us - 300000, 2 * GONE_US / 3 + 1);
    hear(3, now_us - 500000, GONE_US);
    cr_assert(eq(str, pass_us(0),
                 "LEASE rooms-0@1 +2000\nLEASE rooms-1@1 +2000\n"
                 "BEAT nodes-0@2 echo 77 unconfirmed 3000\n"
                 "BEAT nodes-0@3 echo 77 unconfirmed 3000\n"));
    hear(2, now_us, GONE_US); /* of 3 there is nothing newer */
    cr_assert(eq(str, pass_us(BEAT_US),
                 "BEAT nodes-0@2 echo 77 unconfirmed 4000\n"
                 "BEAT nodes-0@3 echo 77 unconfirmed 4000\n"));
}

TestSuite(nodes_alone, .fini = close_nodes, .timeout = 60);

Test(nodes_alone, who_has_no_mesh_needs_no_lease)
{
    open_as("");
    enter();
    cr_assert(eq(str, pass_us(0), ""));
    registry.beat_rc = CF_EIO;
    cr_assert(eq(str, pass_us(10 * BEAT_US), ""));
    registry.beat_rc = CF_ESTALE;
    registry.why = CF_NODE_REPLACED;
    cr_assert(eq(str, pass_us(BEAT_US), "FENCED supervisor-0@1 4\n"));
    cr_assert(eq(int, joined, 0)); /* whom? */
}
