#include "supervisor_state.h"

#include "clock.h"
#include "descriptors.h"
#include "err.h"
#include "log.h"
#include "registry.h"
#include "version.h"
#include "wire/control.h"
#include "wire/node.h"
#include "wire/observe.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define CHECKS_A_WATCHDOG 3 /* a late one is no reason to be killed */

/* What the supervisor does in turn. Each step sends one message to all actors of one kind and waits
 * for their answers, until so many shares of shutdown.timeout are over; what a step leaves is the
 * next one's. Who has not drained by then is gone past: what is acknowledged is stored, and to stop
 * in order is better than to drain for ever. Who has not stopped by then ends the process. */
typedef struct {
    uint16_t type; /* DRAIN, CLOSE or STOP */
    uint16_t kind;
    uint8_t until;
} step_t;

static const step_t steps[] = {
    {CF_MSG_DRAIN, CF_ACTOR_STATS, 1},
    {CF_MSG_DRAIN, CF_ACTOR_CONTROL, 2},
    {CF_MSG_DRAIN, CF_ACTOR_LOBBY, 6},    /* rooms move while their members are still here */
    {CF_MSG_DRAIN, CF_ACTOR_STOCKBOT, 9}, /* so that no gateway waits for a slow quote service */
    {CF_MSG_DRAIN, CF_ACTOR_GATEWAY, 15},
    {CF_MSG_CLOSE, CF_ACTOR_GATEWAY, 20},
    {CF_MSG_DRAIN, CF_ACTOR_ROOMS, 22},
    {CF_MSG_DRAIN, CF_ACTOR_STORAGE, 25},
    {CF_MSG_DRAIN, CF_ACTOR_MESH, 26},  /* while the others still know this node */
    {CF_MSG_DRAIN, CF_ACTOR_NODES, 27}, /* nothing is written any more: others may have the rooms */
    {CF_MSG_DRAIN, CF_ACTOR_TRACER, 28}, /* of what all of them did */
    {CF_MSG_STOP, CF_ACTOR_NODES, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_MESH, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_CONTROL, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_SWEEPER, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_LOBBY, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_ROOMS, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_STOCKBOT, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_ACCOUNTS, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_HASHER, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_READER, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_STORAGE, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_LIMITER, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_TRACER, CF_SUPERVISOR_SHARES},
    {CF_MSG_STOP, CF_ACTOR_STATS, CF_SUPERVISOR_SHARES},
}; /* then the gateways, by join_all() */
#define STEPS (sizeof steps / sizeof steps[0])

/* --- the service manager -----------------------------------------------------------------------
 */

static bool is_open(const cf_supervisor_t *self);

/* Before it serves it is neither said to reload nor, behind that, to be ready. */
static void say_reloading(cf_supervisor_t *self)
{
    if (is_open(self))
        cf_notify_say(&self->manager, "RELOADING=1\nMONOTONIC_USEC=%lld",
                      (long long)cf_monotonic_us());
}

static void say_ready(cf_supervisor_t *self, const char *status)
{
    if (is_open(self) && !self->stopping)
        cf_notify_say(&self->manager, "READY=1\nSTATUS=%s", status);
}

/* Who begins anew does not stop. The manager's patience is longer than ours. */
static void say_stopping(cf_supervisor_t *self)
{
    if (self->begins_anew)
        cf_notify_say(&self->manager, "STATUS=begins anew");
    else
        cf_notify_say(&self->manager, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%lld",
                      (long long)cf_supervisor_shares_us(self, CF_SUPERVISOR_SHARES + 1));
}

/* Returns when to look again. */
static int64_t check_health(cf_supervisor_t *self, int64_t boot_us)
{
    int64_t every_us =
        self->manager.watchdog_us ? self->manager.watchdog_us / CHECKS_A_WATCHDOG : SECOND_US;
    if (!self->manager.watchdog_us && !self->manager.owes)
        return INT64_MAX;
    if (boot_us < self->next_check_us)
        return self->next_check_us;
    cf_notify_again(&self->manager);
    if (self->manager.watchdog_us)
        cf_outbox_send(cf_actor_outbox(self->self), cf_supervisor_address(self, CF_ACTOR_STATS, 0),
                       CF_MSG_HEALTH, 0, (cf_id_t){0}, NULL);
    self->next_check_us = boot_us + every_us;
    return self->next_check_us;
}

/* As long as it lives it may also wait for its store: store.start_wait says for how long, and nobody else. */
static int on_health(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    cf_health_state_t health;
    int rc = cf_msg_body(&health, msg, turn->arena);
    if (rc < 0 || !health.live)
        return rc;
    cf_notify_alive(&self->manager);
    if (!is_open(self) && !self->stopping)
        cf_notify_say(&self->manager, "STATUS=waits for its store\nEXTEND_TIMEOUT_USEC=%lld",
                      (long long)self->manager.watchdog_us);
    return 0;
}

/* --- reloading ---------------------------------------------------------------------------------
 */

static void reload(cf_supervisor_t *self)
{
    say_reloading(self);
    if (!cf_supervisor_has_tls(self->config)) {
        cf_log_info("nothing can be reloaded while running; restart to apply a new configuration");
        say_ready(self, "serves; nothing can be reloaded");
        return;
    }
    self->reload++;
    self->reload_awaited = self->reload_refused = 0;
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == CF_ACTOR_GATEWAY &&
            cf_outbox_send(cf_actor_outbox(self->self), self->addresses[i], CF_MSG_RELOAD,
                           STEPS + 1 + self->reload, (cf_id_t){0}, NULL) == 0)
            self->reload_awaited++;
}

static int on_reload_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    (void)turn;
    if (self->reload_awaited == 0 || msg->corr != STEPS + 1 + self->reload)
        return 0; /* a later SIGHUP has overtaken it */
    self->reload_refused += msg->type == CF_MSG_REFUSED;
    if (--self->reload_awaited > 0)
        return 0;
    if (self->reload_refused)
        cf_log_warn("not reloaded; the old certificate stays",
                    CF_UINT("gateways", self->reload_refused));
    else
        cf_log_info("reloaded", CF_STR("applied", "http.tls_cert_file, http.tls_key_file"),
                    CF_STR("needs_restart", "every other setting"));
    say_ready(self, self->reload_refused ? "serves; the new certificate was refused"
                                         : "serves; reloaded");
    return 0;
}

/* --- shutting down -----------------------------------------------------------------------------
 */

static void begin_step(cf_supervisor_t *self)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    for (self->awaited = 0; self->step < STEPS && self->awaited == 0;) {
        const step_t *step = &steps[self->step];
        cf_close_t how = {self->begins_anew, self->others.count > 0};
        for (uint32_t i = 0; i < self->count; i++)
            if (self->addresses[i].kind == step->kind) {
                cf_outbox_send(out, self->addresses[i], step->type, 1 + self->step, (cf_id_t){0},
                               step->type == CF_MSG_CLOSE ? &how : NULL);
                self->awaited++;
            }
        if (self->begins_anew && step->type == CF_MSG_DRAIN)
            self->awaited = 0; /* rooms are silent: nothing would be finished */
        if (self->awaited == 0)
            self->step++;
    }
    if (self->step < STEPS)
        self->step_until_us =
            self->stopping_us + cf_supervisor_shares_us(self, steps[self->step].until);
}

static void begin_shutdown(cf_supervisor_t *self, int64_t boot_us)
{
    cf_log_info("draining", CF_INT("timeout_ms", self->config->shutdown_timeout_ms));
    self->stopping = true;
    say_stopping(self);
    self->step = 0;
    self->stopping_us = boot_us;
    begin_step(self);
}

/* Nothing more is to be done here: drain, and exit with this code. */
static void end_with(cf_supervisor_t *self, int exit_code, int64_t boot_us)
{
    self->exit_code = exit_code;
    begin_shutdown(self, boot_us);
}

static void finish(cf_supervisor_t *self)
{
    /* The loop ends at a STOP; this one is to ourselves */
    cf_outbox_send(cf_actor_outbox(self->self), cf_supervisor_address(self, CF_ACTOR_SUPERVISOR, 0),
                   CF_MSG_STOP, 0, (cf_id_t){0}, NULL);
}

static void next_step(cf_supervisor_t *self)
{
    self->step++;
    begin_step(self);
    if (self->step == STEPS)
        finish(self);
}

static int on_step_answer(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    (void)turn;
    if (!self->stopping || msg->corr != 1 + self->step || self->awaited == 0 || --self->awaited > 0)
        return 0;
    next_step(self);
    return 0;
}

static void check_step(cf_supervisor_t *self, int64_t boot_us)
{
    if (boot_us < self->step_until_us)
        return;
    const step_t *step = &steps[self->step];
    if (step->type != CF_MSG_STOP) {
        cf_log_warn("not finished in time; goes on without",
                    CF_STR("step", cf_msg_name(step->type)),
                    CF_STR("actor", cf_actor_name(step->kind)));
        next_step(self);
        return;
    }
    cf_log_error("an actor does not stop", CF_STR("actor", cf_actor_name(step->kind)));
    cf_log_stop(1000);
    _exit(CF_EXIT_FAILURE); /* its thread cannot be joined */
}

static void on_signal(void *state, cf_turn_t *turn)
{
    cf_supervisor_t *self = state;
    struct signalfd_siginfo info;
    if (read(self->signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        reload(self);
    } else if (!self->stopping) {
        begin_shutdown(self, turn->boot_us);
    } else if (self->begins_anew) {
        cf_log_info("does not begin anew, as it is told to end");
        self->begins_anew = false;
        say_stopping(self);
    } else {
        cf_log_warn("ended at once by a second signal");
        cf_log_stop(1000);
        _exit(0); /* what was acknowledged is stored */
    }
}

/* --- waiting for the store ---------------------------------------------------------------------
 */

static void say_where(const cf_supervisor_t *self)
{
    char url[320], store[256];
    bool has_clients = cf_supervisor_has_role(
        self, CF_ROLE_ROOMS); /* else health and metrics, if they are wanted */
    const char *listen = has_clients ? self->config->http_listen : self->config->metrics_listen;
    const char *colon = strrchr(listen, ':');
    snprintf(url, sizeof url, "%s://%.*s:%d",
             has_clients && cf_supervisor_has_tls(self->config) ? "https" : "http",
             colon ? (int)(colon - listen) : 0, listen, self->port);
    cf_log_info("serving", CF_STR("node", self->config->node_name),
                CF_STR("roles", self->config->node_roles), CF_STR("url", colon ? url : ""),
                CF_STR("store", cf_store_url_for_log(self->url, store, sizeof store)),
                CF_INT("connections_max", cf_descriptors_for_connections(self->config)),
                CF_INT("room_threads", self->config->rooms_threads_max),
                CF_STR("version", cf_version));
}

static int exit_code_of(int rc)
{
    switch (rc) {
    case CF_ERANGE:
        return CF_EXIT_CONFIG;
    case CF_EFULL: /* another process has the database, or no descriptors */
    case CF_ESTALE:
        return CF_EXIT_UNAVAILABLE;
    }
    return CF_EXIT_FAILURE;
}

static bool is_open(const cf_supervisor_t *self)
{
    uint32_t connections =
        cf_supervisor_has_role(self, CF_ROLE_ROOMS) ? 1 + (uint32_t)self->config->store_readers : 0;
    return self->opened == connections && (self->is_node || !cf_supervisor_has_registry(self));
}

static void say_where_if_open(cf_supervisor_t *self)
{
    if (!is_open(self))
        return;
    say_where(self);
    say_ready(self, "serves");
}

/* The tables are there. */
static void let_open(const cf_supervisor_t *self, uint16_t kind)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    for (uint32_t i = 0; i < self->count; i++)
        if (self->addresses[i].kind == kind)
            cf_outbox_send(out, self->addresses[i], CF_MSG_STORE_OPENED, 0, (cf_id_t){0},
                           &(cf_store_opened_t){0});
}

/* Storage makes the tables, then this process becomes a node. Readers come last: without them nobody can
 * log in or enter a room, so a server that may not be in this database yet does nothing there. */
static int on_store_opened(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    cf_store_opened_t opened;
    int rc = cf_msg_body(&opened, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    if (opened.reason) {
        cf_log_error("cannot start", CF_ERR(-(int)opened.reason));
        end_with(self, exit_code_of(-(int)opened.reason), turn->boot_us);
        return 0;
    }
    self->opened++;
    if (msg->from.kind == CF_ACTOR_STORAGE)
        let_open(self, cf_supervisor_has_registry(self) ? CF_ACTOR_NODES : CF_ACTOR_READER);
    say_where_if_open(self);
    return 0;
}

/* Why the registry does not let this one in yet. */
static const struct {
    int reason;
    const char *text;
} obstacles[] = {
    {CF_EEXIST, "another node has this node.name; waits until it leaves"},
    {CF_EFULL, "there are as many nodes as may be; waits until one leaves"},
    {CF_ECONFLICT, "another node has this mesh.secret_key; waits until it leaves"},
    {0, "another server is in this database; waits until it leaves"}, /* any other */
};

/* An ephemeral room would live twice, if one marks another gone while that may still speak. */
static void log_gone_after(const cf_supervisor_t *self, const cf_entered_t *entered)
{
    cf_log_warn("the nodes that are there have another node.gone_after; waits until they leave",
                CF_STR("name", self->config->node_name),
                CF_INT("own_ms", self->config->node_gone_after_ms),
                CF_UINT("theirs_ms", entered->gone_after_us / 1000));
}

static const char *obstacle(int reason)
{
    size_t i = 0;
    while (obstacles[i].reason && obstacles[i].reason != reason)
        i++;
    return obstacles[i].text;
}

static int on_entered(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    cf_entered_t entered;
    int rc = cf_msg_body(&entered, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    if (-(int)entered.reason == CF_ESTALE) {
        cf_log_error(
            "drew a number that was used before; start it again"); /* one in four billion */
        end_with(self, CF_EXIT_UNAVAILABLE, turn->boot_us);
        return 0;
    }
    if (-(int)entered.reason == CF_ERANGE) {
        log_gone_after(self, &entered);
        return 0;
    }
    if (entered.reason) {
        cf_log_warn(obstacle(-(int)entered.reason), CF_STR("name", self->config->node_name),
                    CF_ERR(-(int)entered.reason));
        return 0;
    }
    self->is_node = true;
    let_open(self, CF_ACTOR_READER);
    say_where_if_open(self);
    return 0;
}

/* Its rooms are another one's by now. Who was replaced would replace the other in turn, and so for ever. */
static const struct {
    uint32_t why; /* cf_node_end_t */
    const char *text;
    bool begins_anew;
} fences[] = {
    {CF_NODE_LATE, "was late for the others, and is gone; begins anew", true},
    {CF_NODE_CUT_OFF, "was cut off from the others, and is gone; begins anew", true},
    {CF_NODE_REPLACED, "another server has taken over this database", false},
    {0, "has left this database", false}, /* any other */
};

static int on_fenced(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    cf_fenced_t fenced;
    int rc = cf_msg_body(&fenced, msg, turn->arena);
    if (rc < 0 || self->stopping)
        return rc;
    size_t i = 0;
    while (fences[i].why && fences[i].why != fenced.why)
        i++;
    cf_log_error(fences[i].text, CF_STR("name", self->config->node_name));
    self->begins_anew = fences[i].begins_anew;
    end_with(self, self->begins_anew ? 0 : CF_EXIT_UNAVAILABLE, turn->boot_us);
    return 0;
}

static int on_node_here(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    return cf_others_here(&self->others, turn, msg, NULL);
}

static int on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_supervisor_t *self = state;
    return cf_others_gone(&self->others, turn, msg, NULL);
}

/* Returns when to look again. */
static int64_t check_store(cf_supervisor_t *self, int64_t boot_us)
{
    int64_t wait_ms = self->config->store_start_wait_ms;
    if (is_open(self) || wait_ms == 0)
        return INT64_MAX;
    int64_t until_us = self->start_us + wait_ms * 1000;
    if (boot_us < until_us)
        return until_us;
    bool is_alone = self->is_node || !self->opened;
    cf_log_error(is_alone ? "the store was not reachable in time"
                          : "another server did not leave this database in time",
                 CF_INT("waited_ms", wait_ms));
    end_with(self, CF_EXIT_UNAVAILABLE, boot_us);
    return boot_us;
}

static int64_t due(void *state, cf_turn_t *turn)
{
    cf_supervisor_t *self = state;
    if (self->stopping && self->step < STEPS)
        check_step(self, turn->boot_us);
    int64_t next_us = self->stopping ? INT64_MAX : check_store(self, turn->boot_us);
    return cf_earlier_us(self->stopping ? self->step_until_us : next_us,
                         check_health(self, turn->boot_us));
}

static const cf_handler_t handlers[] = {
    {CF_MSG_DRAINED, on_step_answer},   {CF_MSG_STOPPED, on_step_answer},
    {CF_MSG_CLOSED, on_step_answer},    {CF_MSG_STORE_OPENED, on_store_opened},
    {CF_MSG_ENTERED, on_entered},       {CF_MSG_FENCED, on_fenced},
    {CF_MSG_HEALTH_STATE, on_health},   {CF_MSG_NODE_HERE, on_node_here},
    {CF_MSG_NODE_GONE, on_node_gone},   {CF_MSG_DONE, on_reload_answer},
    {CF_MSG_REFUSED, on_reload_answer}, {0, NULL},
};
static const cf_actor_ops_t ops = {.handlers = handlers, .due = due};

/* --- life --------------------------------------------------------------------------------------
 */

/* Signals are read from a descriptor by the main thread; no other thread may be interrupted by
 * them. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Stop what was started when the rest could not be made, without its cooperation: the process ends.
 */
static int give_up(cf_supervisor_t *self, int rc)
{
    cf_log_error("cannot start", CF_ERR(rc));
    cf_local_server_close(&self->control); /* removes its file */
    cf_log_stop(1000);
    _exit(exit_code_of(rc));
}

static bool has_server(cf_address_t address)
{
    return address.kind == CF_ACTOR_GATEWAY || address.kind == CF_ACTOR_OBSERVER;
}

static void too_late(int signal)
{
    (void)signal;
    _exit(CF_EXIT_FAILURE); /* a thread that has said it stops, and cannot be joined */
}

/* The gateways end one by one, when no other thread of ours runs: libwebsockets 4.1.6 closes its
 * event descriptor twice when a context on a foreign loop is destroyed, and in between another
 * thread may have been given the same number. */
static void join_all(cf_supervisor_t *self)
{
    cf_outbox_t *out = cf_actor_outbox(self->self);
    int64_t left_us =
        self->stopping_us + cf_supervisor_shares_us(self, CF_SUPERVISOR_SHARES) - cf_boot_us();
    struct itimerval left = {.it_value = {left_us / SECOND_US, left_us % SECOND_US}};
    if (left_us <= 0)
        left.it_value = (struct timeval){0, 1};
    signal(SIGALRM, too_late);
    setitimer(ITIMER_REAL, &left, NULL);
    for (uint32_t i = 0; i < self->count; i++)
        if (!has_server(self->addresses[i]))
            cf_actor_join(&self->actors[i]);
    for (uint32_t i = 0; i < self->count; i++) {
        if (!has_server(self->addresses[i]))
            continue;
        cf_outbox_send(out, self->addresses[i], CF_MSG_STOP, 1, (cf_id_t){0}, NULL);
        cf_outbox_flush(out);
        cf_actor_join(&self->actors[i]);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

int cf_supervisor_run(const cf_config_t *config)
{
    cf_supervisor_t self = {.config = config,
                            .endpoint = "",
                            .public_key = "",
                            .signals = -1,
                            .start_us = cf_boot_us()};
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, CF_SUPERVISOR_STACK); /* also for libzmq's own threads */
    pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
    cf_log_actor("supervisor");
    if (cf_notify_open(&self.manager, getenv("NOTIFY_SOCKET"), getenv("WATCHDOG_USEC"),
                       getenv("WATCHDOG_PID")) < 0)
        cf_log_warn("cannot tell the service manager anything",
                    CF_STR("socket", getenv("NOTIFY_SOCKET")));
    cf_descriptors_raise();
    self.signals = open_signals();
    int rc = self.signals < 0 ? CF_EIO : cf_store_choose(config, self.url);
    if (rc == 0)
        rc = cf_store_make_folder(config);
    if (rc == 0)
        rc = cf_supervisor_make(&self);
    if (rc < 0)
        return give_up(&self, rc);
    if (!cf_supervisor_has_role(&self, CF_ROLE_ROOMS)) /* the tables are others' to make */
        let_open(&self, CF_ACTOR_NODES);               /* it asks until they are there */
    cf_actor_watch(self.self, self.signals, on_signal);
    cf_actor_run_here(self.self, &ops, &self);
    join_all(&self);
    cf_actor_join(&self.self);
    cf_bus_close(&self.bus);
    cf_password_policy_destroy(&self.passwords);
    cf_own_pages_destroy(&self.pages);
    free(self.actors);
    free(self.addresses);
    free(self.told);
    close(self.signals);
    cf_notify_close(&self.manager);
    cf_log_info("stopped", CF_INT("exit_code", self.exit_code));
    return self.begins_anew ? CF_SUPERVISOR_ANEW : self.exit_code;
}
