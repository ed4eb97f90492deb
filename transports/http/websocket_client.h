/* transports/http/websocket_client.h: one WebSocket to a server that is not trusted, for commands, by libwebsockets on a loop of
 * its own. Each call waits for its end, all of them together no longer than until a deadline.
 *
 *     cf_websocket_client_open(&ann, &config);
 *     cf_websocket_client_send(ann, text); cf_websocket_client_receive(ann, &text);
 *
 * Calls return 0; CF_ETIME: it is too late; CF_ERANGE: too much came; CF_ECLOSING: the server has closed it; CF_ENOMEM;
 * CF_EIO: anything else. It has ended then, which cf_websocket_client_reason() says in words: what came before is received first,
 * all else fails. */
#ifndef CF_WEBSOCKET_CLIENT_H
#define CF_WEBSOCKET_CLIENT_H

#include "str.h"

#include <stdint.h>

#define CF_WEBSOCKET_CLIENT_IN_MAX                                                                 \
    (1u << 20) /* bytes of messages that came and were not yet received */

typedef struct {
    const char *address; /* numeric: no name is looked up */
    int port;
    const char *
        host; /* name, and port where there is one: for the server, and what its certificate has to be for */
    const char *path;
    const char *token; /* of the session */
    bool is_tls;
    bool any_certificate; /* whose name it has, and who vouches for it, does not matter */
    const char *ca_file;  /* who vouches, and nobody else; NULL: those of the system */
    int64_t until_us;     /* boot_us */
} cf_websocket_client_config_t;

typedef struct cf_websocket_client cf_websocket_client_t;

/* config is borrowed for the client's life. Where it fails there is a client all the same, to say why, unless *out is NULL:
 * out of memory. */
int cf_websocket_client_open(cf_websocket_client_t **out,
                             const cf_websocket_client_config_t *config);
void cf_websocket_client_destroy(cf_websocket_client_t **self);

int cf_websocket_client_send(cf_websocket_client_t *self, cf_str_t text);
/* The next message; pings before it are answered. *text is borrowed until the next call. */
int cf_websocket_client_receive(cf_websocket_client_t *self, cf_str_t *text);

const char *cf_websocket_client_reason(const cf_websocket_client_t *self);

#endif
