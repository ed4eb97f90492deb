/* transports/http/address.h: how many sockets each client address holds. */
#ifndef CF_ADDRESS_H
#define CF_ADDRESS_H

#include "table.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define CF_ADDRESS_TEXT INET6_ADDRSTRLEN

typedef struct {
    uint8_t key[16]; /* IPv4 as IPv4-mapped; of IPv6 the /64, which is what one household has */
    int sockets;
    UT_hash_handle hh;
} cf_peer_address_t;

typedef struct {
    cf_peer_address_t *all; /* owned; only those with sockets > 0 */
} cf_addresses_t;

/* Count one more socket of the peer. limit 0: any number. Returns the entry to give back later, or
 * NULL: the limit is reached, or out of memory. */
cf_peer_address_t *cf_addresses_take(cf_addresses_t *self, const struct sockaddr *peer, int limit);
/* Accepts NULL. */
void cf_addresses_release(cf_addresses_t *self, cf_peer_address_t *address);
/* The address without port; an IPv4-mapped one as IPv4. */
void cf_address_text(const struct sockaddr *peer, char out[CF_ADDRESS_TEXT]);

#endif
