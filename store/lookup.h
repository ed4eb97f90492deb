/* store/lookup.h: the addresses of the hosts of a PostgreSQL URL, or of another node, found without blocking who asks.
 *
 * getaddrinfo(3) takes as long as the system's resolver likes and cannot be ended. It runs on a thread
 * that is made for one question, with a copy of it, writes the answer to a socket and ends; nothing is
 * shared. Who waits no longer closes the other end.
 *
 * hosts and ports are lists as libpq takes them, separated by commas. An entry without a name in it
 * (an address, a path of a unix socket, nothing) stays as it is. A name becomes an entry for each of
 * its addresses, beside which it stays: TLS and .pgpass go by the name. A name without an address is
 * left out, as libpq would go on to the next host. */
#ifndef CF_LOOKUP_H
#define CF_LOOKUP_H

#include "err.h"

#include <stdbool.h>

#define CF_LOOKUP_ENTRIES_MAX 32 /* the first ones count */
#define CF_LOOKUP_NAME_MAX 255   /* bytes; RFC 1035, 2.3.4. A longer one has no address */
#define CF_LOOKUP_ADDRESS_MAX 63 /* IPv6 with a zone */
#define CF_LOOKUP_PORT_MAX 15

/* Values for libpq's host, hostaddr and port; all "" where there was nothing to look up. */
typedef struct {
    char hosts[CF_LOOKUP_ENTRIES_MAX * (CF_LOOKUP_NAME_MAX + 1)];
    char addresses[CF_LOOKUP_ENTRIES_MAX * (CF_LOOKUP_ADDRESS_MAX + 1)];
    char ports[CF_LOOKUP_ENTRIES_MAX * (CF_LOOKUP_PORT_MAX + 1)]; /* "" if one is for all */
    char reason[320]; /* "NAME: why" of the last name without an address; "" if all have some */
} cf_lookup_answer_t;

typedef struct cf_lookup cf_lookup_t;

/* Is there a name among them? False also for what libpq refuses: as many ports as hosts are needed,
 * or one, or none. */
bool cf_lookup_is_needed(const char *hosts, const char *ports);
/* Returns 0, CF_ENOMEM, CF_EIO (no thread, no descriptor). */
int cf_lookup_start(cf_lookup_t **out, const char *hosts, const char *ports);
int cf_lookup_fd(const cf_lookup_t *self); /* readable when the answer is there */
/* Take it and end. Returns 0; CF_ENOENT: no host has an address, see reason; CF_EIO. */
int cf_lookup_take(cf_lookup_t **self, cf_lookup_answer_t *out);
/* Nobody waits any more; the thread ends when getaddrinfo has. */
void cf_lookup_destroy(cf_lookup_t **self);

#endif
