#include "err.h"
#include "network.h"

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
