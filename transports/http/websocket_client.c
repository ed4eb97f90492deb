#include "websocket_client.h"

#include "buf.h"
#include "clock.h"
#include "err.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RX_BUFFER 4096
#define REASON_MAX_BYTES 160
#define DESCRIPTORS 16 /* or lws takes memory for as many as the process may have */

struct cf_websocket_client {
    const cf_websocket_client_config_t *config;
    struct lws_context *lws;
    struct lws *wsi;
    lws_sorted_usec_list_t deadline;
    bool is_open;
    cf_buf_t in;  /* messages, each behind its size as a uint32_t; of the last one perhaps a part */
    size_t whole; /* bytes of those that came whole */
    size_t used;  /* bytes of the first, which the caller has */
    cf_buf_t out; /* LWS_PRE bytes, then the message; empty: none is to be sent */
    int rc;       /* why it has ended; 0: it has not */
    char reason[REASON_MAX_BYTES];
};

/* The first reason counts: what comes behind follows from it. */
static int fail(cf_websocket_client_t *self, int rc, const char *reason)
{
    if (self->rc == 0) {
        self->rc = rc;
        snprintf(self->reason, sizeof self->reason, "%s", reason);
    }
    return -1;
}

/* lws looks at its timers and then sleeps, in one call: it is woken. */
static void on_deadline(lws_sorted_usec_list_t *deadline)
{
    cf_websocket_client_t *self = lws_container_of(deadline, cf_websocket_client_t, deadline);
    fail(self, CF_ETIME, "took too long");
    if (self->lws)
        lws_cancel_service(self->lws);
}

/* --- what lws says ------------------------------------------------------------------------------
 */

static int add_token(cf_websocket_client_t *self, struct lws *wsi, unsigned char **at, size_t size)
{
    cf_buf_t value = {0};
    int rc = cf_buf_addf(&value, "Bearer %s", self->config->token);
    if (rc == 0 && lws_add_http_header_by_name(wsi, (const unsigned char *)"authorization:",
                                               value.data, (int)value.size, at, *at + size) != 0)
        rc = CF_ERANGE;
    cf_buf_free(&value);
    return rc < 0 ? fail(self, rc, "too long a token") : 0;
}

static int on_refused(cf_websocket_client_t *self, const char *why, size_t size)
{
    char reason[REASON_MAX_BYTES];
    snprintf(reason, sizeof reason, "no WebSocket: %.*s", why ? (int)size : 14,
             why ? why : "cannot connect");
    return fail(self, CF_EIO, reason);
}

static int on_piece(cf_websocket_client_t *self, struct lws *wsi, const uint8_t *bytes, size_t size)
{
    uint32_t head = 0;
    size_t before = self->in.size == self->whole ? sizeof head : 0; /* of a message's first piece */
    if (self->in.size + before + size > CF_WEBSOCKET_CLIENT_IN_MAX)
        return fail(self, CF_ERANGE, "too long a message");
    if (cf_buf_add(&self->in, &head, before) < 0 || cf_buf_add(&self->in, bytes, size) < 0)
        return fail(self, CF_ENOMEM, cf_err_text(CF_ENOMEM));
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return 0;
    head = (uint32_t)(self->in.size - self->whole - sizeof head);
    memcpy(self->in.data + self->whole, &head, sizeof head);
    self->whole = self->in.size;
    return 0;
}

static int on_close(cf_websocket_client_t *self, const uint8_t *bytes, size_t size)
{
    char reason[64] = "the server has closed the WebSocket";
    if (size >= 2)
        snprintf(reason, sizeof reason, "the server has closed the WebSocket with %d",
                 bytes[0] << 8 | bytes[1]);
    fail(self, CF_ECLOSING, reason);
    return 0;
}

/* lws keeps what the socket does not take. */
static int write_out(cf_websocket_client_t *self, struct lws *wsi)
{
    size_t size = self->out.size - LWS_PRE;
    if (self->out.size == 0)
        return 0;
    if (lws_write(wsi, self->out.data + LWS_PRE, size, LWS_WRITE_TEXT) < (int)size)
        return fail(self, CF_EIO, "cannot send");
    cf_buf_clear(&self->out);
    return 0;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t size)
{
    cf_websocket_client_t *self = lws_context_user(lws_get_context(wsi));
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_token(self, wsi, in, size);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return on_refused(self, in, size);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        self->is_open = true;
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_piece(self, wsi, in, size);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return write_out(self, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_close(self, in, size);
    case LWS_CALLBACK_CLIENT_CLOSED:
        self->wsi = NULL;
        return fail(self, CF_EIO, "the WebSocket has broken off");
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "confab", .callback = on_lws, .rx_buffer_size = RX_BUFFER}, {0}};

/* --- life ---------------------------------------------------------------------------------------
 */

/* Its own times would end before the deadline, and it would ping. */
static int new_context(cf_websocket_client_t *self, int64_t left_us)
{
    static const lws_retry_bo_t no_pings = {0};
    unsigned seconds = (unsigned)(left_us / 1000000 + 1);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   (self->config->is_tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0) |
                   (self->config->ca_file ? LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS : 0),
        .client_ssl_ca_filepath = self->config->ca_file,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .user = self,
        .timeout_secs = seconds,
        .connect_timeout_secs = seconds,
        .retry_and_idle_policy = &no_pings,
        .fd_limit_per_thread = DESCRIPTORS,
    };
    lws_set_log_level(0, NULL);
    self->lws = lws_create_context(&info);
    return self->lws ? 0 : fail(self, CF_ENOMEM, cf_err_text(CF_ENOMEM));
}

static void begin(cf_websocket_client_t *self)
{
    const cf_websocket_client_config_t *config = self->config;
    int tls = config->is_tls ? LCCSCF_USE_SSL : 0;
    if (config->is_tls && config->any_certificate)
        tls |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK |
               LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
    struct lws_client_connect_info info = {.context = self->lws,
                                           .address = config->address,
                                           .port = config->port,
                                           .ssl_connection = tls | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
                                           .path = config->path,
                                           .host = config->host,
                                           .alpn = "http/1.1",
                                           .ietf_version_or_minus_one = -1,
                                           .pwsi = &self->wsi};
    if (!lws_client_connect_via_info(&info)) /* it may have said why */
        fail(self, CF_EIO, "no WebSocket: cannot connect");
}

/* What lws finds to be wrong with a frame it tells nobody: it has a Close ready, and waits for the server's. */
static void look_for_fault(cf_websocket_client_t *self)
{
    if (self->rc == 0 && self->is_open && self->wsi && lws_get_close_length(self->wsi) >= 2)
        fail(self, CF_EIO, "a frame that no server sends");
}

/* Until it is so, or it has ended. */
static int await(cf_websocket_client_t *self, bool (*is_so)(const cf_websocket_client_t *))
{
    while (self->rc == 0 && !is_so(self)) {
        if (lws_service(self->lws, 0) < 0)
            fail(self, CF_EIO, "libwebsockets has failed");
        look_for_fault(self);
    }
    return is_so(self) ? 0 : self->rc;
}

static bool is_open(const cf_websocket_client_t *self)
{
    return self->is_open;
}

int cf_websocket_client_open(cf_websocket_client_t **out,
                             const cf_websocket_client_config_t *config)
{
    int64_t left_us = config->until_us - cf_boot_us();
    cf_websocket_client_t *self = *out = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = config;
    if (left_us <= 0) {
        on_deadline(&self->deadline);
        return self->rc;
    }
    if (new_context(self, left_us) < 0)
        return self->rc;
    lws_sul_schedule(self->lws, 0, &self->deadline, on_deadline, left_us);
    begin(self);
    return await(self, is_open);
}

void cf_websocket_client_destroy(cf_websocket_client_t **self)
{
    if (!*self)
        return;
    if ((*self)->lws) {
        lws_sul_cancel(&(*self)->deadline);
        lws_context_destroy((*self)->lws);
    }
    cf_buf_free(&(*self)->in);
    cf_buf_free(&(*self)->out);
    free(*self);
    *self = NULL;
}

const char *cf_websocket_client_reason(const cf_websocket_client_t *self)
{
    return self->reason;
}

/* --- messages -----------------------------------------------------------------------------------
 */

static bool is_sent(const cf_websocket_client_t *self)
{
    return self->out.size == 0;
}

int cf_websocket_client_send(cf_websocket_client_t *self, cf_str_t text)
{
    static const uint8_t before[LWS_PRE];
    if (self->rc < 0)
        return self->rc;
    if (cf_buf_add(&self->out, before, sizeof before) < 0 ||
        cf_buf_add(&self->out, text.bytes, text.size) < 0) {
        fail(self, CF_ENOMEM, cf_err_text(CF_ENOMEM));
        return self->rc;
    }
    lws_callback_on_writable(self->wsi);
    return await(self, is_sent);
}

static bool has_message(const cf_websocket_client_t *self)
{
    return self->whole > 0;
}

int cf_websocket_client_receive(cf_websocket_client_t *self, cf_str_t *text)
{
    uint32_t size;
    cf_buf_consume(&self->in, self->used);
    self->whole -= self->used;
    self->used = 0;
    int rc = await(self, has_message);
    if (rc < 0)
        return rc;
    memcpy(&size, self->in.data, sizeof size);
    *text = (cf_str_t){(const char *)self->in.data + sizeof size, size};
    self->used = sizeof size + size;
    return 0;
}
