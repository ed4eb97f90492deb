/* transports/http/handshake.h: what RFC 6455, 4.2.1 asks of a client's opening handshake. */
#ifndef CF_HANDSHAKE_H
#define CF_HANDSHAKE_H

#include "head.h"

#define CF_HANDSHAKE_KEY_TEXT 24 /* base64 of 16 bytes */

/* A GET that asks for a WebSocket in any way, also a broken one. Others are plain requests. */
bool cf_handshake_is_meant(const cf_head_t *head);

/* NULL, or the first fault in the order of the rooms contract, 4.1: version of HTTP, Connection,
 * Upgrade, Sec-WebSocket-Version, a body, and last Sec-WebSocket-Key. */
const char *cf_handshake_fault(const cf_head_t *head);

/* Whether a fault concerns only the key: the contract looks at Origin before it. */
bool cf_handshake_fault_is_key(const char *fault);

#endif
