/* The loop and its passes. A pass: what sockets and the inbox bring, then what they changed
 * (turns), then one flush of everything that was queued. */
#include "clock.h"
#include "log.h"
#include "server_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define INBOX_BUDGET 2000 /* messages between two looks at the sockets */
#define REPORT_S 10       /* at most one log line about refused clients in so many seconds */

cf_conn_t *cf_conn_new(cf_server_t *server, cf_http_client_t *client)
{
    cf_conn_t *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->server = server;
    conn->client = client;
    conn->state = CF_CONN_WAITING;
    cf_ring_init(&conn->turn);
    cf_ring_init(&conn->dirty);
    cf_ring_init(&conn->corked);
    cf_ring_init(&conn->place);
    cf_outgoing_init(&conn->out);
    return conn;
}

void cf_conn_turn(cf_conn_t *conn)
{
    cf_ring_append(&conn->server->turns, &conn->turn);
}

void cf_conn_gone(cf_conn_t *conn, cf_gone_t why)
{
    if (conn->state == CF_CONN_GONE)
        return;
    conn->state = CF_CONN_GONE;
    conn->why = why;
    cf_conn_turn(conn);
}

int cf_conn_upgrade(cf_conn_t *conn)
{
    if (conn->state != CF_CONN_WAITING || !conn->client || !conn->is_upgrade)
        return CF_ECLOSING;
    conn->state = CF_CONN_UPGRADING;
    cf_conn_turn(conn);
    return 0;
}

void cf_conn_set_owner_data(cf_conn_t *conn, void *data)
{
    conn->owner_data = data;
}

void *cf_conn_owner_data(const cf_conn_t *conn)
{
    return conn->owner_data;
}

const char *cf_server_date(cf_server_t *server)
{
    time_t now = (time_t)(cf_wall_us() / 1000000);
    if (now != server->date_s) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        server->date_s = now;
    }
    return server->date;
}

void cf_server_leave(cf_server_t *server, cf_peer_address_t *address)
{
    if (!address)
        return;
    cf_addresses_release(&server->addresses, address);
    server->stats.open_sockets--;
}

/* ---- a pass ---- */

static void bury(cf_conn_t *conn)
{
    cf_server_t *server = conn->server;
    server->events.on_gone(server->owner, conn, conn->why);
    cf_websocket_free(conn);
    cf_ring_remove(&conn->turn);
    free(conn);
}

static void take_turns(cf_server_t *server)
{
    while (!cf_ring_is_empty(&server->turns)) {
        cf_conn_t *conn = CF_RING_OWNER(server->turns.next, cf_conn_t, turn);
        cf_ring_remove(&conn->turn);
        if (conn->state != CF_CONN_GONE) /* on_gone says it all */
            cf_websocket_turn(conn);
        switch (conn->state) {
        case CF_CONN_ANSWERED:
            cf_client_answered(conn);
            break;
        case CF_CONN_UPGRADING:
            cf_websocket_open(conn);
            break;
        case CF_CONN_DOOMED:
            cf_websocket_cut(conn);
            break;
        case CF_CONN_GONE:
            bury(conn);
            break;
        case CF_CONN_WAITING:
        case CF_CONN_OPEN:
        case CF_CONN_CLOSING:
            break;
        }
    }
}

static void on_flush_timer(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    cf_server_t *server = poll->data;
    uint64_t times;
    if (read(server->flush_timer, &times, sizeof times) < 0)
        return; /* it was set anew meanwhile */
    server->flush_waits = false;
    server->flush_due = true; /* the pass that follows flushes */
}

/* True: the flush is put off, and the timer will tell. */
static bool puts_off_flush(cf_server_t *server)
{
    if (server->flush_due || server->stopping)
        return false;
    if (server->flush_waits)
        return true;
    int64_t us = server->config.flush_delay_ms * INT64_C(1000);
    if (us == 0)
        us = cf_gathering_wait_us(&server->gathering);
    struct itimerspec in = {.it_value = {.tv_nsec = us * 1000}}; /* at most 50 ms */
    server->flush_waits = us > 0 && timerfd_settime(server->flush_timer, 0, &in, NULL) == 0;
    return server->flush_waits;
}

static void flush(cf_server_t *server)
{
    if (!cf_ring_is_empty(&server->dirty) && puts_off_flush(server))
        return;
    server->flush_due = false;
    if (cf_ring_is_empty(&server->dirty))
        return;
    cf_gathering_flushed(&server->gathering);
    while (!cf_ring_is_empty(&server->dirty))
        cf_websocket_flush(CF_RING_OWNER(server->dirty.next, cf_conn_t, dirty));
    cf_websocket_forget_gathered(server);
}

static void on_again(uv_idle_t *idle);

static void pass(cf_server_t *server)
{
    if (server->tls)
        cf_tls_pass(server->tls);
    take_turns(server);
    server->events.before_flush(server->owner);
    take_turns(server);
    flush(server);
    take_turns(server);
    cf_client_free_spent(server);
    server->events.after_flush(server->owner);
    /* The poll must not block while something was left over. */
    bool left = server->inbox_more || !cf_ring_is_empty(&server->turns) ||
                (!cf_ring_is_empty(&server->dirty) && !server->flush_waits);
    if (left && !uv_is_active((uv_handle_t *)&server->again))
        uv_idle_start(&server->again, on_again);
    else if (!left)
        uv_idle_stop(&server->again);
}

static void on_check(uv_check_t *check)
{
    pass(check->data);
}

/* Timers and idle callbacks run before the poll; what they did is not to wait behind it. */
static void on_prepare(uv_prepare_t *prepare)
{
    cf_server_t *server = prepare->data;
    if (!cf_ring_is_empty(&server->turns) || server->flush_due ||
        (!cf_ring_is_empty(&server->dirty) && !server->flush_waits))
        pass(server);
}

static void drain_inbox(cf_server_t *server)
{
    server->inbox_more = server->events.on_inbox(server->owner, INBOX_BUDGET);
    if (server->inbox_more)
        uv_idle_start(&server->again, on_again);
}

static void on_again(uv_idle_t *idle)
{
    cf_server_t *server = idle->data;
    if (server->inbox_more)
        drain_inbox(server);
}

static void on_inbox(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    drain_inbox(poll->data);
}

static uint64_t bad_handshakes(const cf_tls_stats_t *tls)
{
    return tls->failed_http + tls->failed_unsupported + tls->failed_rejected +
           tls->failed_malformed + tls->failed_left + tls->failed_slow + tls->failed_resources;
}

/* What clients get up to is counted; the log has one line for many of them, so that no client can
 * fill it. */
static void report(cf_server_t *server)
{
    const cf_server_stats_t *now = &server->stats, *last = &server->reported;
    uint64_t no_fd = server->listener.refused;
    uint64_t cap = now->refused_cap - last->refused_cap,
             per_ip = now->refused_per_ip - last->refused_per_ip,
             heads = now->refused_head - last->refused_head,
             bodies = now->refused_body - last->refused_body,
             pool = now->refused_pool - last->refused_pool,
             floods = now->closed_flood - last->closed_flood,
             pings = now->closed_control - last->closed_control,
             slow_heads = now->slow_heads - last->slow_heads,
             slow = now->closed_slow - last->closed_slow,
             faults = now->closed_protocol + now->closed_too_big + now->closed_utf8 -
                      last->closed_protocol - last->closed_too_big - last->closed_utf8,
             handshakes = bad_handshakes(&now->tls) - bad_handshakes(&last->tls);
    if (no_fd > server->reported_no_fd)
        cf_log_warn("out of descriptors", CF_UINT("dropped", no_fd - server->reported_no_fd),
                    CF_UINT("open", now->open_sockets));
    if (cap + per_ip + heads + bodies + pool + slow_heads + slow + faults + floods + pings +
        handshakes)
        cf_log_info("refused or closed clients", CF_UINT("over_cap", cap),
                    CF_UINT("over_cap_of_address", per_ip), CF_UINT("bad_heads", heads),
                    CF_UINT("bad_bodies", bodies), CF_UINT("over_pool", pool),
                    CF_UINT("slow_heads", slow_heads), CF_UINT("slow_readers", slow),
                    CF_UINT("bad_frames", faults), CF_UINT("ping_floods", pings),
                    CF_UINT("floods_behind_close", floods), CF_UINT("bad_handshakes", handshakes));
    server->reported = *now;
    server->reported_no_fd = no_fd;
}

/* The loop did not turn for a while (a stopped process, a suspended machine): what clients and actors
 * said meanwhile has not been read, and is read before anybody is judged by the clock. Once: a loop
 * that is always late has deadlines all the same. */
static bool was_held_up(cf_server_t *server)
{
    int64_t now_ms = cf_server_now_ms(server);
    server->held_up = !server->held_up && now_ms - server->second_ms > 2 * CF_WHEEL_TICK_MS;
    server->second_ms = now_ms;
    return server->held_up;
}

static void on_second(uv_timer_t *timer)
{
    cf_server_t *server = timer->data;
    if (was_held_up(server))
        return;
    if (++server->seconds % REPORT_S == 0)
        report(server);
    cf_client_second(server);
    cf_websocket_second(server);
    cf_wheel_advance(&server->wheel, cf_server_now_ms(server));
    cf_listener_rest_over(&server->listener);
    server->events.on_second(server->owner, cf_boot_us());
}

/* Counts a connection and its address; NULL: it is one too many. */
static cf_peer_address_t *admit(cf_server_t *server, const struct sockaddr *peer)
{
    if (server->stats.open_sockets >= (uint64_t)server->config.connections_max) {
        server->stats.refused_cap++;
        return NULL;
    }
    cf_peer_address_t *address =
        cf_addresses_take(&server->addresses, peer, server->config.connections_per_ip);
    if (address)
        server->stats.open_sockets++;
    else
        server->stats.refused_per_ip++;
    return address;
}

static void on_accept(void *owner, int fd, const struct sockaddr *peer)
{
    cf_server_t *server = owner;
    server->stats.accepted++;
    cf_peer_address_t *address = admit(server, peer);
    if (!server->tls)
        cf_client_accept(server, fd, peer, address, NULL, !address);
    else if (address)
        cf_tls_accept(server->tls, fd, peer, address);
    else
        close(fd); /* a 503 would cost it a handshake, and us more than it */
}

/* Behind TLS a client is counted from the accept until its own socket is closed, which is longer
 * than the server has it. */
static void on_plaintext(void *owner, int fd, const struct sockaddr *peer, cf_tls_link_t *link)
{
    cf_client_accept(owner, fd, peer, NULL, link, false);
}

static void on_tls_end(void *owner, void *seat)
{
    cf_server_leave(owner, seat);
}

/* ---- life ---- */

static int watch(cf_server_t *server, uv_poll_t *poll, int fd, uv_poll_cb on_readable)
{
    if (fd < 0 || uv_poll_init(&server->loop, poll, fd) < 0)
        return CF_EIO;
    poll->data = server;
    uv_poll_start(poll, UV_READABLE, on_readable);
    return 0;
}

static int start_loop(cf_server_t *server, int inbox_fd)
{
    if (uv_loop_init(&server->loop) < 0)
        return CF_ENOMEM;
    server->has_loop = true;
    uv_check_init(&server->loop, &server->check);
    uv_prepare_init(&server->loop, &server->prepare);
    uv_idle_init(&server->loop, &server->again);
    uv_timer_init(&server->loop, &server->second);
    uv_timer_init(&server->loop, &server->cork_timer);
    server->check.data = server->prepare.data = server->again.data = server;
    server->second.data = server->cork_timer.data = server;
    uv_check_start(&server->check, on_check);
    uv_prepare_start(&server->prepare, on_prepare);
    uv_timer_start(&server->second, on_second, CF_WHEEL_TICK_MS, CF_WHEEL_TICK_MS);
    server->second_ms = cf_server_now_ms(server);
    cf_wheel_init(&server->wheel, server->second_ms);
    server->flush_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int rc = watch(server, &server->flush_poll, server->flush_timer, on_flush_timer);
    if (rc == 0 && inbox_fd >= 0)
        rc = watch(server, &server->inbox, inbox_fd, on_inbox);
    server->has_inbox = rc == 0 && inbox_fd >= 0;
    return rc;
}

static int start_tls(cf_server_t *server)
{
    const cf_server_config_t *config = &server->config;
    if (!config->certificate.cert_file)
        return 0;
    if (config->hsts_s > 0)
        snprintf(server->hsts, sizeof server->hsts, "Strict-Transport-Security: max-age=%lld\r\n",
                 (long long)config->hsts_s);
    return cf_tls_new(&server->tls,
                      &(cf_tls_config_t){.certificate = config->certificate,
                                         .handshake_ms = config->head_ms,
                                         .stall_ms = config->queue_age_ms,
                                         .close_ms = config->close_ms},
                      &(cf_tls_events_t){.on_open = on_plaintext, .on_end = on_tls_end}, server,
                      &server->loop, &server->wheel, &server->stats.tls);
}

int cf_server_new(cf_server_t **out, const cf_server_config_t *config,
                  const cf_server_events_t *events, void *owner, int inbox_fd)
{
    cf_server_t *server = calloc(1, sizeof *server);
    if (!server)
        return CF_ENOMEM;
    server->config = *config;
    server->events = *events;
    server->owner = owner;
    server->flush_timer = -1;
    cf_ring_init(&server->turns);
    cf_ring_init(&server->dirty);
    cf_ring_init(&server->clients);
    cf_ring_init(&server->websockets);
    cf_ring_init(&server->spent_clients);
    cf_ring_init(&server->corked);
    int rc = cf_listener_bind(
        &server->listener, config->listen, config->joins_port,
        (cf_socket_buffers_t){config->send_buffer_bytes, config->receive_buffer_bytes});
    if (rc == 0)
        rc = start_loop(server, inbox_fd);
    if (rc == 0)
        rc = cf_websocket_start(server);
    if (rc == 0)
        rc = start_tls(server);
    if (rc == 0)
        rc = cf_listener_start(&server->listener, &server->loop, on_accept, server);
    if (rc == 0)
        cf_log_info("listening", CF_STR("listen", config->listen),
                    CF_INT("port", server->listener.port), CF_BOOL("tls", server->tls));
    server->config.listen = NULL; /* was borrowed, as are these */
    server->config.certificate = (cf_certificate_config_t){0};
    if (rc < 0) {
        cf_server_destroy(&server);
        return rc;
    }
    *out = server;
    return 0;
}

int cf_server_port(const cf_server_t *self)
{
    return self->listener.port;
}

int cf_server_run(cf_server_t *self)
{
    if (self->has_inbox)
        drain_inbox(self); /* what came before the descriptor was watched gave no edge */
    if (!self->stopping)
        uv_run(&self->loop, UV_RUN_DEFAULT);
    return 0;
}

void cf_server_stop(cf_server_t *self)
{
    self->stopping = true;
    uv_stop(&self->loop);
}

void cf_server_stop_listening(cf_server_t *self)
{
    cf_listener_close(&self->listener);
}

bool cf_server_is_flushed(const cf_server_t *self)
{
    return cf_ring_is_empty(&self->dirty);
}

int cf_server_reload(cf_server_t *self)
{
    return self->tls ? cf_tls_reload(self->tls) : 0;
}

const cf_server_stats_t *cf_server_stats(const cf_server_t *self)
{
    return &self->stats;
}

/* Only our own handles: lws closes those it has put on the loop. */
static void close_handles(cf_server_t *server)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&server->check,      (uv_handle_t *)&server->prepare,
                              (uv_handle_t *)&server->again,      (uv_handle_t *)&server->second,
                              (uv_handle_t *)&server->flush_poll, (uv_handle_t *)&server->inbox,
                              (uv_handle_t *)&server->cork_timer};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (handles[i]->loop) /* else it was not reached */
            uv_close(handles[i], NULL);
}

void cf_server_destroy(cf_server_t **self)
{
    cf_server_t *server = *self;
    if (!server)
        return;
    *self = NULL;
    server->stopping = true;
    cf_listener_close(&server->listener);
    if (server->has_loop) {
        cf_client_destroy_all(server);
        take_turns(server);
        cf_websocket_stop(server);
        take_turns(server);
        cf_client_free_spent(server);
        cf_tls_destroy(&server->tls); /* the last: it sends what all the others have said */
        close_handles(server);
        uv_run(&server->loop, UV_RUN_DEFAULT);
        cf_websocket_free_context(server);
        uv_loop_close(&server->loop);
    }
    if (server->flush_timer >= 0)
        close(server->flush_timer);
    free(server);
}
