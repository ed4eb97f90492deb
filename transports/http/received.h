/* transports/http/received.h: how much a socket has brought. */
#ifndef CF_RECEIVED_H
#define CF_RECEIVED_H

#include <stdint.h>

/* Bytes the kernel has received on a TCP socket, read or not; 0 where it does not tell (Linux before
 * 4.1, no TCP). */
uint64_t cf_received_bytes(int fd);
/* Of a stream socket's, those that nobody has read yet. */
uint64_t cf_unread_bytes(int fd);

#endif
