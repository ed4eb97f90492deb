/* Any bytes as an address from a forwarding header, or as a network from the configuration; the first byte
 * says which. */
#include "network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What was read is the same address when it is written and read again. */
static void read_address(const char *text, size_t size)
{
    uint8_t address[16], again[16], household[16];
    char written[INET6_ADDRSTRLEN];
    if (!cf_network_address(address, (cf_str_t){text, (uint32_t)size}))
        return;
    check(inet_ntop(AF_INET6, address, written, sizeof written) != NULL);
    check(cf_network_address(again, (cf_str_t){written, (uint32_t)strlen(written)}));
    check(memcmp(address, again, sizeof address) == 0);
    memcpy(household, address, sizeof household);
    cf_network_household(household);
    check(memcmp(address, household, 8) == 0);
}

/* Its host bits are zero, and it holds its own first address. */
static void read_network(const char *text)
{
    cf_network_t network;
    char first[INET6_ADDRSTRLEN];
    if (cf_network_parse(&network, text) < 0)
        return;
    check(network.bits <= 128);
    for (int bit = network.bits; bit < 128; bit++)
        check((network.address[bit / 8] >> (7 - bit % 8) & 1) == 0);
    check(inet_ntop(AF_INET6, network.address, first, sizeof first) != NULL);
    check(cf_networks_contain(&network, 1, (cf_str_t){first, (uint32_t)strlen(first)}));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes + 1, size - 1);
    copy[size - 1] = '\0';
    if (bytes[0] % 2)
        read_network(copy);
    char *exact = malloc(size);
    memcpy(exact, bytes + 1, size - 1);
    read_address(exact, size - 1);
    free(exact);
    free(copy);
    return 0;
}
