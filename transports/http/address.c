#include "address.h"

#include "network.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The 16 bytes of the peer; anything that is not IPv6 counts as IPv4. */
static void peer_bytes(uint8_t out[16], const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
        return;
    }
    memcpy(out, mapped_prefix, sizeof mapped_prefix);
    memset(out + 12, 0, 4);
    if (peer->sa_family == AF_INET)
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
}

static bool is_mapped(const uint8_t bytes[16])
{
    return memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

cf_peer_address_t *cf_addresses_take(cf_addresses_t *self, const struct sockaddr *peer, int limit)
{
    uint8_t key[16];
    cf_peer_address_t *address;
    peer_bytes(key, peer);
    cf_network_household(key);
    HASH_FIND(hh, self->all, key, sizeof key, address);
    if (address) {
        if (limit > 0 && address->sockets >= limit)
            return NULL;
        address->sockets++;
        return address;
    }
    address = calloc(1, sizeof *address);
    if (!address)
        return NULL;
    memcpy(address->key, key, sizeof key);
    address->sockets = 1;
    HASH_ADD(hh, self->all, key, sizeof address->key, address);
    if (!address->hh.tbl) { /* out of memory */
        free(address);
        return NULL;
    }
    return address;
}

void cf_addresses_release(cf_addresses_t *self, cf_peer_address_t *address)
{
    if (!address || --address->sockets > 0)
        return;
    HASH_DEL(self->all, address);
    free(address);
}

void cf_address_text(const struct sockaddr *peer, char out[CF_ADDRESS_TEXT])
{
    uint8_t bytes[16];
    peer_bytes(bytes, peer);
    bool v4 = is_mapped(bytes);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, out, CF_ADDRESS_TEXT);
}
