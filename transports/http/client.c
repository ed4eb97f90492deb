/* A socket that speaks HTTP: one request after the other is read whole, handed to the owner, and
 * answered before the next one is looked at. So pipelined requests are answered in order without
 * any bookkeeping, and a client that does not read its answers is not read from. */
#include "chunked.h"
#include "handshake.h"
#include "server_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP 4096 /* bytes asked for at a time while the end is not known */

typedef enum {
    READ_HEAD, /* also: idle between requests */
    READ_BODY,
    WAIT,   /* for the owner's answer */
    SEND,   /* the rest of an answer */
    LINGER, /* answered for the last time: discard what still comes, so that no reset eats the
               answer */
} client_state_t;

struct cf_client {
    cf_server_t *server;
    uv_poll_t poll;
    bool has_poll;   /* the loop has it */
    cf_ring_t place; /* in server->clients, at the end in server->spent_clients */
    cf_timer_t timer;
    int fd; /* -1: given away or closed */
    client_state_t state;
    int polled;      /* uv events asked for */
    cf_conn_t *conn; /* the request at the owner; else NULL */
    cf_peer_address_t *address;
    cf_tls_link_t *link; /* NULL: plain */
    cf_buf_t in;         /* from the first byte of the current request on */
    size_t counted;      /* of its memory, what the request pool holds */
    size_t scanned;      /* of the head, see cf_head_end() */
    size_t head_size;    /* once known */
    size_t request_size; /* head and body; of a chunked one what is decoded */
    bool is_chunked;
    cf_chunked_t chunked;
    cf_buf_t out;
    size_t sent; /* of out */
    size_t discarded;
    uint64_t received; /* bytes read */
    bool keep_alive, is_head, is_minor_0, any_request, skipped_line, refused;
    char peer[CF_ADDRESS_TEXT];
    max_align_t lasting[]; /* the owner's */
};

static void on_event(uv_poll_t *poll, int status, int events);
static void on_deadline(cf_timer_t *timer);
static void advance(cf_http_client_t *client);

/* Made at the first need: of the calls of the kernel that an upgrade costs, half are for it. Without memory for
 * it the client is not heard, and its deadline ends it. */
static bool has_poll(cf_http_client_t *client)
{
    if (!client->has_poll)
        client->has_poll =
            uv_poll_init_socket(&client->server->loop, &client->poll, client->fd) == 0;
    client->poll.data = client;
    return client->has_poll;
}

static void watch(cf_http_client_t *client, int events)
{
    if (client->polled == events || !has_poll(client))
        return;
    client->polled = events;
    if (events)
        uv_poll_start(&client->poll, events, on_event);
    else
        uv_poll_stop(&client->poll);
}

static void set_deadline(cf_http_client_t *client, int ms)
{
    cf_wheel_set(&client->server->wheel, &client->timer, cf_server_now_ms(client->server) + ms);
}

/* What the pool holds for this client follows its buffer. */
static void count_request(cf_http_client_t *client)
{
    size_t held = client->in.cap > CF_REQUEST_OWN ? client->in.cap : 0;
    client->server->stats.request_bytes += held - client->counted;
    client->counted = held;
}

static void free_request(cf_http_client_t *client)
{
    cf_buf_free(&client->in);
    count_request(client);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Gives up everything but the descriptor, which it returns; the memory goes once libuv lets go. */
static int release(cf_http_client_t *client)
{
    int fd = client->fd;
    client->fd = -1;
    if (client->conn) {
        client->conn->client = NULL;
        client->conn = NULL;
    }
    cf_wheel_cancel(&client->timer);
    cf_ring_remove(&client->place);
    free_request(client);
    client->server->stats.queued_bytes -= client->out.size - client->sent;
    cf_buf_free(&client->out);
    if (client->refused)
        client->server->refused_open--;
    if (client->has_poll) /* before the descriptor is closed or lws polls it: out of epoll */
        uv_close((uv_handle_t *)&client->poll, on_poll_closed);
    else
        cf_ring_append(&client->server->spent_clients, &client->place);
    return fd;
}

static void close_client(cf_http_client_t *client, cf_gone_t why)
{
    if (client->conn)
        cf_conn_gone(client->conn, why);
    cf_server_leave(client->server, client->address);
    cf_tls_let_go(client->link);
    close(release(client));
}

static void linger(cf_http_client_t *client)
{
    client->state = LINGER;
    free_request(client);
    shutdown(client->fd, SHUT_WR);
    watch(client, UV_READABLE);
    set_deadline(client, client->server->config.close_ms);
}

/* The answer is out. Go on with the next request, or end. */
static void answer_sent(cf_http_client_t *client)
{
    cf_buf_free(&client->out);
    client->sent = 0;
    bool more = client->in.size > client->request_size;
    if (!client->keep_alive) {
        if (client->request_size && !more)
            close_client(client, CF_GONE_OURS); /* nothing unread that would turn into a reset */
        else
            linger(client);
        return;
    }
    cf_buf_consume(&client->in, client->request_size);
    if (client->in.size == 0)
        free_request(client); /* idle connections hold no buffer */
    client->state = READ_HEAD;
    client->scanned = client->head_size = client->request_size = 0;
    client->skipped_line = client->is_head = client->is_minor_0 = false;
    watch(client, UV_READABLE | UV_DISCONNECT);
    set_deadline(client,
                 more ? client->server->config.head_ms : client->server->config.keepalive_ms);
    advance(client);
}

static void send_out(cf_http_client_t *client)
{
    cf_server_t *server = client->server;
    bool progress = false;
    while (client->sent < client->out.size) {
        ssize_t n = send(client->fd, client->out.data + client->sent,
                         client->out.size - client->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (client->state != SEND || progress)
                set_deadline(client, server->config.queue_age_ms);
            client->state = SEND;
            watch(client, UV_WRITABLE);
            return;
        }
        if (n < 0) {
            close_client(client, CF_GONE_PEER);
            return;
        }
        progress = true;
        server->stats.sends++;
        client->sent += (size_t)n;
        server->stats.bytes_out += (size_t)n;
        server->stats.queued_bytes -= (size_t)n;
    }
    answer_sent(client);
}

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {301, "Moved Permanently"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {307, "Temporary Redirect"},
                   {308, "Permanent Redirect"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {426, "Upgrade Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Status"; /* RFC 9112, 4: a client ignores the phrase */
}

/* Appends one whole response to out. Returns 0 or CF_ENOMEM, out as it was then. */
static int put_response(cf_http_client_t *client, int status, const char *content_type,
                        const char *extra_headers, const void *body, size_t size)
{
    cf_buf_t *out = &client->out;
    size_t before = out->size;
    bool bodyless = status == 204 || status == 304 || status < 200; /* RFC 9110, 8.6 */
    int rc = cf_buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n" CF_SECURITY_HEADERS, status,
                         reason_phrase(status), cf_server_date(client->server));
    if (rc == 0 && (!extra_headers || !strstr(extra_headers, "Cache-Control: ")))
        rc = cf_buf_add_text(out, CF_NOT_KEPT);
    if (rc == 0)
        rc = cf_buf_add_text(out, client->server->hsts);
    if (rc == 0 && content_type)
        rc = cf_buf_addf(out, "Content-Type: %s\r\n", content_type);
    if (rc == 0 && !bodyless)
        rc = cf_buf_addf(out, "Content-Length: %zu\r\n", size);
    if (rc == 0 && !client->keep_alive)
        rc = cf_buf_add_text(out, "Connection: close\r\n");
    if (rc == 0 && client->keep_alive && client->is_minor_0)
        rc = cf_buf_add_text(out, "Connection: keep-alive\r\n");
    if (rc == 0 && extra_headers)
        rc = cf_buf_add_text(out, extra_headers);
    if (rc == 0)
        rc = cf_buf_add_text(out, "\r\n");
    if (rc == 0 && !bodyless && !client->is_head)
        rc = cf_buf_add(out, body, size);
    if (rc < 0)
        out->size = before;
    client->server->stats.queued_bytes += out->size - before;
    return rc;
}

static void fill_request(cf_request_t *out, const cf_http_client_t *client, const cf_head_t *head)
{
    *out = (cf_request_t){
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .host = head->fields[CF_FIELD_HOST],
        .origin = head->fields[CF_FIELD_ORIGIN],
        .cookie = head->fields[CF_FIELD_COOKIE],
        .authorization = head->fields[CF_FIELD_AUTHORIZATION],
        .sec_fetch_site = head->fields[CF_FIELD_SEC_FETCH_SITE],
        .content_type = head->fields[CF_FIELD_CONTENT_TYPE],
        .request_id = head->fields[CF_FIELD_REQUEST_ID],
        .traceparent = head->fields[CF_FIELD_TRACEPARENT],
        .forwarded_for = head->fields[CF_FIELD_FORWARDED_FOR],
        .true_client_ip = head->fields[CF_FIELD_TRUE_CLIENT_IP],
        .real_ip = head->fields[CF_FIELD_REAL_IP],
        .if_none_match = head->fields[CF_FIELD_IF_NONE_MATCH],
        .if_modified_since = head->fields[CF_FIELD_IF_MODIFIED_SINCE],
        .peer = cf_str(client->peer),
        .secure = client->server->tls,
    };
}

/* The owner learns of a refusal, and says what else stands in its head. */
static void tell_owner(const cf_http_client_t *client, int status,
                       char headers[CF_REFUSED_HEADERS_MAX])
{
    const cf_server_t *server = client->server;
    cf_head_t head = {.is_read = false};
    cf_request_t request = {.peer = cf_str(client->peer), .secure = server->tls};
    if (!server->events.on_refused)
        return;
    if (client->head_size)
        cf_head_parse(&head, client->in.data, client->head_size);
    if (head.is_read)
        fill_request(&request, client, &head);
    server->events.on_refused(server->owner, status, &request, headers);
}

/* Our own answer to what never reaches the owner, and the end of the connection. */
static void refuse(cf_http_client_t *client, int status, const char *extra_headers)
{
    char text[64], headers[CF_REFUSED_HEADERS_MAX] = "", extra[CF_REFUSED_HEADERS_MAX + 160];
    tell_owner(client, status, headers);
    int length = snprintf(text, sizeof text, "{\"error\":\"%s\"}\n", reason_phrase(status));
    snprintf(extra, sizeof extra, CF_NO_PAGE_POLICY "%s%s", headers,
             extra_headers ? extra_headers : "");
    client->keep_alive = false;
    client->request_size = 0; /* what came is not understood: linger */
    free_request(client);     /* not only once the answer is out */
    if (put_response(client, status, "application/json", extra, text, (size_t)length) < 0) {
        close_client(client, CF_GONE_OURS);
        return;
    }
    send_out(client);
}

/* The request is whole: to the owner with it. */
static void hand_over(cf_http_client_t *client, const cf_head_t *head)
{
    cf_server_t *server = client->server;
    cf_request_t request;
    cf_conn_t *conn = cf_conn_new(server, client);
    if (!conn) {
        refuse(client, 503, "Retry-After: 1\r\n");
        return;
    }
    fill_request(&request, client, head);
    request.body = (cf_str_t){(const char *)client->in.data + client->head_size,
                              (uint32_t)(client->request_size - client->head_size)};
    client->conn = conn;
    client->state = WAIT;
    set_deadline(client, server->config.answer_ms);
    if (!cf_handshake_is_meant(head)) {
        server->events.on_request(server->owner, conn, &request);
        return;
    }
    conn->is_upgrade = request.is_upgrade = true;
    request.upgrade_fault = cf_handshake_fault(head);
    if (!request.upgrade_fault && client->in.size > client->request_size)
        request.upgrade_fault = "sent data before the handshake was complete";
    /* Whatever the answer, what follows an asked-for upgrade is never read as HTTP again: RFC 9110,
     * 7.8 and what smugglers make of it. */
    client->keep_alive = false;
    server->events.on_upgrade(server->owner, conn, &request);
}

static bool head_is_too_big(cf_http_client_t *client, int64_t end)
{
    size_t max = client->server->config.head_max;
    return end > 0 ? (size_t)end > max : client->in.size > max;
}

/* The head is whole: check it and find out how long the request is. False: refused. */
static bool take_head(cf_http_client_t *client, cf_head_t *head)
{
    cf_server_t *server = client->server;
    int status = cf_head_parse(head, client->in.data, client->head_size);
    client->is_minor_0 = status == 0 && head->minor == 0;
    client->is_head = status == 0 && head->method == CF_METHOD_HEAD;
    if (status == 0 && head->content_length > server->config.body_max)
        status = 413;
    if (status != 0) {
        if (status == 413)
            server->stats.refused_body++;
        else
            server->stats.refused_head++;
        refuse(client, status, NULL);
        return false;
    }
    client->keep_alive = head->keep_alive;
    client->request_size = client->head_size + (size_t)head->content_length;
    client->is_chunked = head->is_chunked;
    client->chunked = (cf_chunked_t){.max = server->config.body_max};
    return true;
}

static void start_body(cf_http_client_t *client, const cf_head_t *head)
{
    client->state = READ_BODY;
    set_deadline(client, client->server->config.body_ms);
    if (!head->expects_continue || client->in.size > client->head_size)
        return;
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    /* The socket's buffer is empty here (the last answer is out), so these bytes fit or the client
     * is gone; one that never sees them sends its body after a while all the same: RFC 9110, 10.1.1
     */
    if (send(client->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) > 0) {
        client->server->stats.sends++;
        client->server->stats.bytes_out += sizeof go_on - 1;
    }
}

/* Decodes where it lies what has come of a chunked body. As take_body(). */
static int take_chunks(cf_http_client_t *client)
{
    cf_buf_t *in = &client->in;
    size_t used, made, came = in->size - client->request_size;
    uint8_t *raw = in->data + client->request_size;
    int rc = cf_chunked_decode(&client->chunked, raw, came, &used, &made);
    if (rc < 0) {
        client->server->stats.refused_body++;
        refuse(client, rc == CF_ERANGE ? 413 : rc == CF_EFULL ? 431 : 400, NULL);
        return rc;
    }
    memmove(raw + made, raw + used, came - used); /* the next request */
    in->size -= used - made;
    client->request_size += made;
    return rc;
}

/* Returns 1 if the body is whole, 0 if more of it must come; an error: it was refused. */
static int take_body(cf_http_client_t *client)
{
    return client->is_chunked ? take_chunks(client) : client->in.size >= client->request_size;
}

/* RFC 9112, 2.2: one empty line before a request line is to be ignored. False: wait for more. */
static bool skip_empty_line(cf_http_client_t *client)
{
    if (client->skipped_line || client->in.size == 0 || client->in.data[0] != '\r')
        return client->in.size > 0;
    if (client->in.size == 1)
        return false;
    if (client->in.data[1] == '\n') {
        cf_buf_consume(&client->in, 2);
        client->skipped_line = true;
    }
    return client->in.size > 0;
}

/* Goes on with what is in the buffer as far as it reaches. */
static void advance(cf_http_client_t *client)
{
    cf_server_t *server = client->server;
    cf_head_t head;
    if (client->state == READ_HEAD) {
        if (!skip_empty_line(client))
            return;
        int64_t end = cf_head_end(client->in.data, client->in.size, &client->scanned);
        if (end < 0 || head_is_too_big(client, end)) {
            bool in_target = end >= 0 && !memchr(client->in.data, '\n', client->in.size);
            server->stats.refused_head++;
            refuse(client, end < 0 ? 400 : in_target ? 414 : 431, NULL);
            return;
        }
        if (end == 0)
            return;
        client->head_size = (size_t)end;
        if (!take_head(client, &head))
            return;
        client->any_request = true;
        int rc = take_body(client);
        if (rc == 0)
            start_body(client, &head);
        if (rc <= 0)
            return;
    } else {
        if (client->state != READ_BODY || take_body(client) <= 0)
            return;
        cf_head_parse(&head, client->in.data, client->head_size); /* the buffer may have moved */
    }
    hand_over(client, &head);
}

/* Memory is taken for what has come, not for what was announced. False: refused. */
static bool keep(cf_http_client_t *client, const uint8_t *bytes, size_t size)
{
    cf_server_t *server = client->server;
    size_t before = client->counted;
    int rc = cf_buf_add(&client->in, bytes, size);
    count_request(client);
    if (rc == 0 && (client->counted == before ||
                    server->stats.request_bytes <= server->config.request_pool_max))
        return true;
    server->stats.refused_pool++;
    refuse(client, 503, "Retry-After: 1\r\n");
    return false;
}

static void read_more(cf_http_client_t *client)
{
    cf_server_t *server = client->server;
    bool ends_known = client->state == READ_BODY && !client->is_chunked;
    size_t room = client->state == READ_HEAD ? server->config.head_max + 1 - client->in.size
                  : ends_known               ? client->request_size - client->in.size
                                             : READ_STEP;
    size_t step = ends_known ? sizeof server->scratch : READ_STEP;
    bool was_idle = client->in.size == 0;
    ssize_t n = recv(client->fd, server->scratch, room < step ? room : step, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        close_client(client, CF_GONE_PEER);
        return;
    }
    server->stats.bytes_in += (size_t)n;
    client->received += (size_t)n;
    if (!keep(client, server->scratch, (size_t)n))
        return;
    if (was_idle && client->state == READ_HEAD && client->any_request)
        set_deadline(client, server->config.head_ms);
    advance(client);
}

static void discard(cf_http_client_t *client)
{
    ssize_t n = recv(client->fd, client->server->scratch, sizeof client->server->scratch, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    client->discarded += n > 0 ? (size_t)n : 0;
    if (n <= 0 || client->discarded > CF_AFTER_CLOSE_MAX)
        close_client(client, CF_GONE_OURS);
}

/* The owner has the request. Pipelined bytes stay in the kernel until it has answered. */
static void wait_event(cf_http_client_t *client, int events)
{
    if (!(events & UV_DISCONNECT)) {
        watch(client, UV_DISCONNECT);
        return;
    }
    if (client->conn->is_upgrade) {
        close_client(client, CF_GONE_PEER); /* a WebSocket nobody could speak on */
        return;
    }
    /* Closed, or only its sending side (RFC 9112, 9.6 lets it wait for the answer): one looks like
     * the other until we send. What it pipelined before is answered too; then a read finds the end.
     */
    watch(client, 0);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    cf_http_client_t *client = CF_RING_OWNER(poll, cf_http_client_t, poll);
    if (status < 0) { /* reset */
        close_client(client, CF_GONE_PEER);
        return;
    }
    switch (client->state) {
    case READ_HEAD:
    case READ_BODY:
        read_more(client);
        break;
    case WAIT:
        wait_event(client, events);
        break;
    case SEND:
        send_out(client);
        break;
    case LINGER:
        discard(client);
        break;
    }
}

static void on_deadline(cf_timer_t *timer)
{
    cf_http_client_t *client = CF_RING_OWNER(timer, cf_http_client_t, timer);
    cf_server_t *server = client->server;
    switch (client->state) {
    case READ_HEAD:
        if (!client->any_request || client->in.size)
            server->stats.slow_heads++;
        if (client->in.size)
            refuse(client, 408, NULL);
        else
            close_client(client, CF_GONE_OURS);
        break;
    case READ_BODY:
        refuse(client, 408, NULL);
        break;
    case WAIT:
        if (client->conn->state != CF_CONN_WAITING) { /* answered just now */
            set_deadline(client, server->config.answer_ms);
            break;
        }
        cf_conn_gone(client->conn, CF_GONE_OURS);
        client->conn->client = NULL;
        client->conn = NULL;
        refuse(client, 503, "Retry-After: 1\r\n");
        break;
    case SEND:
        server->stats.closed_slow++;
        close_client(client, CF_GONE_SLOW);
        break;
    case LINGER:
        close_client(client, CF_GONE_OURS);
        break;
    }
}

void cf_client_accept(cf_server_t *server, int fd, const struct sockaddr *peer,
                      cf_peer_address_t *address, cf_tls_link_t *link, bool over_cap)
{
    bool is_dropped = over_cap && server->refused_open >= CF_REFUSED_OPEN_MAX;
    cf_http_client_t *client =
        is_dropped ? NULL : calloc(1, sizeof *client + server->config.lasting_bytes);
    if (!client) {
        close(fd);
        cf_server_leave(server, address);
        cf_tls_let_go(link);
        return;
    }
    client->server = server;
    client->fd = fd;
    client->address = address;
    client->link = link;
    client->keep_alive = true;
    cf_address_text(peer, client->peer);
    cf_ring_init(&client->place);
    cf_ring_append(&server->clients, &client->place);
    cf_timer_init(&client->timer, on_deadline);
    if (over_cap) {
        client->refused = true;
        server->refused_open++;
        refuse(client, 503, "Retry-After: 5\r\n");
        return;
    }
    set_deadline(client, server->config.head_ms);
    if (!link)
        read_more(client); /* most have sent their request by now */
    if (client->fd >= 0 && (client->state == READ_HEAD || client->state == READ_BODY))
        watch(client, UV_READABLE | UV_DISCONNECT);
}

void cf_client_second(cf_server_t *server)
{
    for (cf_ring_t *at = server->clients.next; at != &server->clients; at = at->next) {
        cf_http_client_t *client = CF_RING_OWNER(at, cf_http_client_t, place);
        if (client->state == WAIT && !client->has_poll)
            watch(client, UV_DISCONNECT); /* its answer takes long: see if it goes */
    }
}

void cf_client_free_spent(cf_server_t *server)
{
    while (!cf_ring_is_empty(&server->spent_clients)) {
        cf_http_client_t *client =
            CF_RING_OWNER(server->spent_clients.next, cf_http_client_t, place);
        cf_ring_remove(&client->place);
        free(client);
    }
}

void cf_client_answered(cf_conn_t *conn)
{
    cf_http_client_t *client = conn->client;
    client->conn = NULL;
    conn->client = NULL;
    cf_conn_gone(conn, CF_GONE_OURS);
    send_out(client);
}

int cf_client_release(cf_conn_t *conn, char key[CF_HANDSHAKE_KEY_TEXT + 1])
{
    cf_http_client_t *client = conn->client;
    cf_head_t head;
    cf_head_parse(&head, client->in.data, client->head_size);
    memcpy(key, head.fields[CF_FIELD_WS_KEY].bytes, CF_HANDSHAKE_KEY_TEXT);
    key[CF_HANDSHAKE_KEY_TEXT] = '\0';
    conn->address = client->address;
    conn->link = client->link;
    conn->received = client->received;
    return release(client);
}

void *cf_conn_lasting(const cf_conn_t *conn)
{
    return conn->client ? conn->client->lasting : NULL;
}

void cf_client_destroy_all(cf_server_t *server)
{
    while (!cf_ring_is_empty(&server->clients))
        close_client(CF_RING_OWNER(server->clients.next, cf_http_client_t, place), CF_GONE_OURS);
}

int cf_conn_respond(cf_conn_t *conn, int status, const char *content_type,
                    const char *extra_headers, const void *body, size_t size)
{
    if (conn->state != CF_CONN_WAITING || !conn->client)
        return CF_ECLOSING;
    cf_http_client_t *client = conn->client;
    if (put_response(client, status, content_type, extra_headers, body, size) < 0) {
        close_client(client, CF_GONE_OURS);
        return CF_ECLOSING;
    }
    conn->state = CF_CONN_ANSWERED;
    cf_conn_turn(conn);
    return 0;
}
