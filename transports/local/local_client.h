/* transports/local/local_client.h: the other side of local_server.h: a process that asks and waits. */
#ifndef CF_LOCAL_CLIENT_H
#define CF_LOCAL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* Returns a descriptor; CF_ERANGE (the name is too long), CF_ENOENT (nobody listens there), CF_EPERM (not
 * for this user), CF_ETIME (it takes nobody in), CF_EIO. */
int cf_local_client_connect(const char *path);
/* Both wait until until_us (boot clock) at most. Return the packet's bytes; CF_ETIME; CF_ECLOSING: the server
 * has closed. */
int cf_local_client_send(int fd, const uint8_t *bytes, size_t size, int64_t until_us);
int cf_local_client_receive(int fd, uint8_t *into, size_t size, int64_t until_us);

#endif
