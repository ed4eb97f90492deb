#include "err.h"
#include "network.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(network, .timeout = 5);

static bool holds(const char *range, const char *address)
{
    cf_network_t network;
    cr_assert(eq(int, cf_network_parse(&network, range), 0), "%s", range);
    return cf_networks_contain(&network, 1, cf_str(address));
}

Test(network, holds_what_lies_between_its_first_and_last_address)
{
    cr_expect(holds("10.0.0.0/8", "10.0.0.0"));
    cr_expect(holds("10.0.0.0/8", "10.255.255.255"));
    cr_expect(not(holds("10.0.0.0/8", "9.255.255.255")));
    cr_expect(not(holds("10.0.0.0/8", "11.0.0.0")));
    cr_expect(holds("192.168.4.0/22", "192.168.7.255"));
    cr_expect(not(holds("192.168.4.0/22", "192.168.8.0")));
    cr_expect(holds("0.0.0.0/0", "255.255.255.255"));
    cr_expect(holds("fd00::/8", "fdff::1"));
    cr_expect(not(holds("fd00::/8", "fe00::1")));
    cr_expect(holds("::/0", "127.0.0.1"));
}

Test(network, one_address_is_a_range_of_one)
{
    cr_expect(holds("127.0.0.1", "127.0.0.1"));
    cr_expect(not(holds("127.0.0.1", "127.0.0.2")));
    cr_expect(holds("::1", "::1"));
    cr_expect(not(holds("::1", "::2")));
}

Test(network, a_mapped_address_is_its_ipv4_address)
{
    cr_expect(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    cr_expect(not(holds("0.0.0.0/0", "::1")));
}

Test(network, what_is_no_address_lies_in_none)
{
    cr_expect(not(holds("0.0.0.0/0", "")));
    cr_expect(not(holds("0.0.0.0/0", "localhost")));
    cr_expect(not(holds("0.0.0.0/0", "1.2.3.4 ")));
    cr_expect(not(holds("::/0", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000")));
}

Test(network, takes_the_household_of_an_address_for_one_client)
{
    static const struct {
        const char *a, *b;
        bool is_one;
    } cases[] = {{"1.2.3.4", "1.2.3.4", true},
                 {"1.2.3.4", "1.2.3.5", false},
                 {"1.2.3.4", "::ffff:1.2.3.4", true},
                 {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
                 {"2001:db8:0:1::1", "2001:db8:0:2::1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t a[16], b[16];
        cr_assert(cf_network_address(a, cf_str(cases[i].a)));
        cr_assert(cf_network_address(b, cf_str(cases[i].b)));
        cf_network_household(a);
        cf_network_household(b);
        cr_expect(eq(int, memcmp(a, b, 16) == 0, cases[i].is_one), "%s %s", cases[i].a, cases[i].b);
    }
    uint8_t none[16];
    cr_expect(not(cf_network_address(none, (cf_str_t){"1.2.3.4\0x", 9})));
    cr_expect(not(cf_network_address(none, (cf_str_t){NULL, 0})));
}

Test(network, refuses_what_is_no_range)
{
    static const char *const bad[] = {"",           "10",          "10.0.0.0/",   "10.0.0.0/33",
                                      "::/129",     "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/0008",
                                      "10.1.0.0/8", "fd00::1/8",   "host/8",      "/8",
                                      "1.2.3.4/ 8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cf_network_t network = {.bits = 99};
        cr_expect(eq(int, cf_network_parse(&network, bad[i]), CF_EPROTO), "%s", bad[i]);
        cr_expect(eq(int, network.bits, 99));
    }
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return cf_network_is_public((struct sockaddr *)&v4);
    cr_assert(eq(int, inet_pton(AF_INET6, text, &v6.sin6_addr), 1), "%s", text);
    return cf_network_is_public((struct sockaddr *)&v6);
}

Test(network, knows_public_addresses_from_all_others)
{
    static const char *const public[] = {"1.1.1.1",         "9.255.255.255",  "11.0.0.0",
                                         "93.184.216.34",   "100.63.255.255", "100.128.0.0",
                                         "126.255.255.255", "128.0.0.0",      "169.253.255.255",
                                         "169.255.0.0",     "172.15.255.255", "172.32.0.0",
                                         "192.167.255.255", "192.169.0.0",    "223.255.255.255",
                                         "2000::1",         "2001:4860::1",   "2606:4700::1",
                                         "3ffe::1",         "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"};
    static const char *const others[] = {"0.0.0.0",
                                         "0.1.2.3",
                                         "10.0.0.1",
                                         "100.64.0.1",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.1",
                                         "192.0.2.1",
                                         "192.88.99.1",
                                         "192.168.0.1",
                                         "198.18.0.1",
                                         "198.51.100.1",
                                         "203.0.113.1",
                                         "224.0.0.1",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::127.0.0.1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "64:ff9b::127.0.0.1",
                                         "64:ff9b::10.1.2.3",
                                         "64:ff9b:1::1",
                                         "100::1",
                                         "2001::1",
                                         "2001:db8::1",
                                         "2002:7f00:1::1",
                                         "3fff::1",
                                         "5f00::1",
                                         "fc00::1",
                                         "fd12::1",
                                         "fe80::1",
                                         "fec0::1",
                                         "ff02::1"};
    for (size_t i = 0; i < sizeof public / sizeof public[0]; i++)
        cr_expect(is_public(public[i]), "%s", public[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cr_expect(not(is_public(others[i])), "%s", others[i]);
    struct sockaddr local = {.sa_family = AF_UNIX};
    cr_expect(not(cf_network_is_public(&local)));
}
