/* transports/http/hello.h: how much of a TLS client's first message must have come before OpenSSL is
 * given it. OpenSSL takes 70 KiB of memory with the first byte; until it can really begin, the bytes
 * are left in the kernel. */
#ifndef CF_HELLO_H
#define CF_HELLO_H

#include <stdint.h>

#define CF_HELLO_HEAD 9 /* bytes that tell: of a record its head, of a ClientHello its own */
#define CF_HELLO_MAX (16 << 10) /* bytes of a ClientHello; those of browsers have up to 2 KiB */

/* Returns the number of bytes from the beginning of `head` to await; 0: it is no TLS, as OpenSSL
 * will see at once and say (plain HTTP); CF_EPROTO: it is none, or too long, but OpenSSL would wait
 * for more. A ClientHello in several records counts as one that is whole when as many bytes came,
 * with their heads: its sender has then sent as much as one that can go on. RFC 8446, 4 and 5.1 */
int cf_hello_awaits(const uint8_t head[CF_HELLO_HEAD]);

#endif
