/* transports/local/local_server.h: packets from other processes of this machine, over a socket in the file
 * system that nobody but this user (and root) can open.
 *
 * SOCK_SEQPACKET: the kernel keeps packets apart and bounds what waits. Each packet is a request, and
 * wants one answer. Never blocks; belongs to one thread. What the packets mean is the owner's.
 * docs/control.md says who may connect, and what becomes of a file that is there already. */
#ifndef CF_LOCAL_SERVER_H
#define CF_LOCAL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#define CF_LOCAL_PATH_MAX 107     /* bytes of a name: sun_path of unix(7) without its NUL */
#define CF_LOCAL_CLIENTS_MAX 16   /* connections at once */
#define CF_LOCAL_PACKET_MAX 4096  /* bytes of a request */
#define CF_LOCAL_ANSWER_MAX 65536 /* bytes of an answer */
#define CF_LOCAL_IDLE_US INT64_C(60000000) /* a client that wants nothing is kept so long */
#define CF_LOCAL_DESCRIPTORS (CF_LOCAL_CLIENTS_MAX + 4)

typedef struct cf_local_server cf_local_server_t;

/* What the owner does. Clients go by numbers, from 1, that are never used again. */
typedef struct {
    /* One request. Of one beyond CF_LOCAL_PACKET_MAX that many bytes and one more are shown. */
    void (*packet)(void *arg, uint64_t client, const uint8_t *bytes, size_t size);
    void (*too_many)(void *arg, uint64_t client); /* may be told so; is closed behind this call */
    void *arg;
} cf_local_hooks_t;

/* Returns 0; CF_ERANGE (the name is too long), CF_EFULL (a living server has it), CF_EIO (else, such as a
 * file there that is no socket), these logged; CF_ENOMEM. */
int cf_local_server_open(cf_local_server_t **out, const char *path);
/* Readable: there is something to serve. */
int cf_local_server_fd(const cf_local_server_t *self);
/* Take in who has come, and at most one packet of each client. */
void cf_local_server_serve(cf_local_server_t *self, int64_t now_us, const cf_local_hooks_t *hooks);
/* Returns 0; CF_ENOENT: the client is gone; CF_EAGAIN: it does not read, and was closed. */
int cf_local_server_send(cf_local_server_t *self, int64_t now_us, uint64_t client,
                         const uint8_t *bytes, size_t size);
/* It is not heard any more, and still reads what it was sent. */
void cf_local_server_hang_up(cf_local_server_t *self, uint64_t client);
/* Close who has wanted nothing for CF_LOCAL_IDLE_US. Returns when to come again. */
int64_t cf_local_server_due(cf_local_server_t *self, int64_t now_us);
uint32_t cf_local_server_clients(const cf_local_server_t *self);
void cf_local_server_close(cf_local_server_t **self); /* removes the file */

#endif
