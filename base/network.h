/* base/network.h: address ranges in CIDR form, and whether an address lies in one. */
#ifndef CF_NETWORK_H
#define CF_NETWORK_H

#include "str.h"

#include <stddef.h>

typedef struct {
    uint8_t
        address[16]; /* IPv6; an IPv4 range is held as ::ffff:a.b.c.d/96+n. Host bits are zero */
    uint8_t bits;    /* 0..128 */
} cf_network_t;

/* Reads "10.0.0.0/8", "::1" or "fd00::/8"; without a length it is that one address. Host bits must
 * be zero, as 10.1.2.3/8 is more likely a slip than meant. Returns 0, or CF_EPROTO and leaves *out.
 */
int cf_network_parse(cf_network_t *out, const char *text);
/* Whether address, IPv4 or IPv6 in text form, lies in one of the n networks. What is no address
 * lies in none. ::ffff:1.2.3.4 and 1.2.3.4 are the same address. */
bool cf_networks_contain(const cf_network_t *networks, size_t n, cf_str_t address);
/* Reads an address in text form, IPv4 as ::ffff:a.b.c.d. False: it is none, and *out is not to be
 * used. */
bool cf_network_address(uint8_t out[16], cf_str_t text);
/* Whether address, as cf_network_address() gives it, is of this host alone: 127.0.0.0/8 or ::1. */
bool cf_network_is_loopback(const uint8_t address[16]);
/* Leaves of an address what counts as one client: of IPv6 the /64, which is what one household has. */
void cf_network_household(uint8_t address[16]);

struct sockaddr;
/* Whether an address is one of the public internet: no private, loopback, link-local, shared,
 * documentation, multicast or other special one (the IANA registries of special-purpose addresses),
 * nor an IPv6 address that stands for such an IPv4 one. Another family is none. */
bool cf_network_is_public(const struct sockaddr *address);

#endif
