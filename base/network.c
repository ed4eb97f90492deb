#include "network.h"
#include "err.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

/* Reads an address of either family into its 16-byte form; *is_v4 says which it was. */
static bool take_address(uint8_t out[16], bool *is_v4, const char *text)
{
    uint8_t v4[4];
    *is_v4 = inet_pton(AF_INET, text, v4) == 1;
    if (!*is_v4)
        return inet_pton(AF_INET6, text, out) == 1;
    memcpy(out, mapped_prefix, sizeof mapped_prefix);
    memcpy(out + sizeof mapped_prefix, v4, sizeof v4);
    return true;
}

/* The prefix length behind the slash, 0..max; -1 if it is not that. */
static int take_bits(const char *text, int max)
{
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 3 ||
        strspn(text, "0123456789") < strlen(text))
        return -1;
    int bits = atoi(text); /* at most three digits */
    return bits <= max ? bits : -1;
}

static void mask(uint8_t address[16], int bits)
{
    for (int i = 0; i < 16; i++) {
        int kept = bits - 8 * i;
        if (kept < 8)
            address[i] &= kept <= 0 ? 0 : (uint8_t)(0xFF << (8 - kept));
    }
}

int cf_network_parse(cf_network_t *out, const char *text)
{
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    cf_network_t network;
    uint8_t masked[16];
    bool is_v4;
    if (length >= sizeof address)
        return CF_EPROTO;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!take_address(network.address, &is_v4, address))
        return CF_EPROTO;
    int bits = slash ? take_bits(slash + 1, is_v4 ? 32 : 128) : is_v4 ? 32 : 128;
    if (bits < 0)
        return CF_EPROTO;
    network.bits = (uint8_t)(is_v4 ? bits + 96 : bits);
    memcpy(masked, network.address, sizeof masked);
    mask(masked, network.bits);
    if (memcmp(masked, network.address, sizeof masked) != 0)
        return CF_EPROTO;
    *out = network;
    return 0;
}

static bool holds(const cf_network_t *network, const uint8_t address[16])
{
    uint8_t masked[16];
    memcpy(masked, address, sizeof masked);
    mask(masked, network->bits);
    return memcmp(masked, network->address, sizeof masked) == 0;
}

bool cf_network_address(uint8_t out[16], cf_str_t text)
{
    char copy[INET6_ADDRSTRLEN + 1];
    bool is_v4;
    if (text.size >= sizeof copy || (text.size && memchr(text.bytes, '\0', text.size)))
        return false;
    if (text.size)
        memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    return take_address(out, &is_v4, copy);
}

void cf_network_household(uint8_t address[16])
{
    if (memcmp(address, mapped_prefix, sizeof mapped_prefix) != 0)
        memset(address + 8, 0, 8);
}

bool cf_networks_contain(const cf_network_t *networks, size_t n, cf_str_t address)
{
    uint8_t bytes[16];
    if (!cf_network_address(bytes, address))
        return false;
    for (size_t i = 0; i < n; i++)
        if (holds(&networks[i], bytes))
            return true;
    return false;
}

/* IANA's special-purpose registries as of 2024, and what is no unicast. Of IPv6 only 2000::/3 is
 * handed out at all, and what translates to IPv4 is looked at as IPv4. */
static const char *const special[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",    "2001::/23",
    "2001:db8::/32", "2002::/16",       "3fff::/20",
};

static bool in_range(const char *range, const uint8_t address[16])
{
    cf_network_t network;
    return cf_network_parse(&network, range) == 0 && holds(&network, address);
}

bool cf_network_is_loopback(const uint8_t address[16])
{
    return in_range("127.0.0.0/8", address) || in_range("::1", address);
}

bool cf_network_is_public(const struct sockaddr *address)
{
    uint8_t bytes[16];
    memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
    if (address->sa_family == AF_INET)
        memcpy(bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof bytes);
    else
        return false;
    if (in_range("64:ff9b::/96", bytes)) /* RFC 6052: an IPv4 address behind a translator */
        memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
    if (!in_range("0.0.0.0/0", bytes) && !in_range("2000::/3", bytes))
        return false;
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (in_range(special[i], bytes))
            return false;
    return true;
}
