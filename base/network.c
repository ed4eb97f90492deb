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

bool cf_networks_contain(const cf_network_t *networks, size_t n, cf_str_t address)
{
    char text[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16], masked[16];
    bool is_v4;
    if (address.size >= sizeof text)
        return false;
    memcpy(text, address.bytes, address.size);
    text[address.size] = '\0';
    if (!take_address(bytes, &is_v4, text))
        return false;
    for (size_t i = 0; i < n; i++) {
        memcpy(masked, bytes, sizeof masked);
        mask(masked, networks[i].bits);
        if (memcmp(masked, networks[i].address, sizeof masked) == 0)
            return true;
    }
    return false;
}
