/* actors/descriptors.h: how many descriptors the process has, and how many of them may be clients.
 *
 *     NOFILE >= d x connections + sum over threads (3 + peers it sends to) + CF_DESCRIPTORS_SPARE
 * where d is 1, or 3 over TLS: the client's socket and both ends of its plaintext. Every actor has an
 * inbox and a socket per peer; libzmq keeps one descriptor for each. */
#ifndef CF_DESCRIPTORS_H
#define CF_DESCRIPTORS_H

#include "config.h"

#define CF_DESCRIPTORS_SPARE 200     /* store connections, log, libraries, what comes and goes */
#define CF_DESCRIPTORS_HANDSHAKES 64 /* of nodes, or of who knocks there, at once */
#define CF_DESCRIPTORS_TLS 3         /* of one client */

/* Raise the soft limit to the hard one. Before the first socket is made. */
void cf_descriptors_raise(void);
/* What the actors take, at most: three each, and one for each other that it sends to. */
long cf_descriptors_for_actors(const cf_config_t *config);
/* Client connections of the whole process: http.connections_max, or what the limit leaves. May be 0
 * or less when the limit is too low to run at all. */
int cf_descriptors_for_connections(const cf_config_t *config);

#endif
