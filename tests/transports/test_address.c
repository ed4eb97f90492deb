#include "http/address.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>
#include <string.h>

static const struct sockaddr *peer(const char *text)
{
    static struct sockaddr_storage at;
    memset(&at, 0, sizeof at);
    if (strchr(text, ':')) {
        at.ss_family = AF_INET6;
        inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&at)->sin6_addr);
    } else {
        at.ss_family = AF_INET;
        inet_pton(AF_INET, text, &((struct sockaddr_in *)&at)->sin_addr);
    }
    return (struct sockaddr *)&at;
}

Test(address, is_counted_to_its_limit_and_given_back)
{
    cf_addresses_t all = {0};
    cf_peer_address_t *one = cf_addresses_take(&all, peer("192.0.2.1"), 2);
    cf_peer_address_t *two = cf_addresses_take(&all, peer("192.0.2.1"), 2);
    cr_assert(ne(ptr, one, NULL));
    cr_assert(eq(ptr, one, two));
    cr_assert(eq(ptr, cf_addresses_take(&all, peer("192.0.2.1"), 2), NULL));
    cf_peer_address_t *other = cf_addresses_take(&all, peer("192.0.2.2"), 2);
    cr_assert(ne(ptr, other, NULL));
    cf_addresses_release(&all, one);
    cr_assert(ne(ptr, cf_addresses_take(&all, peer("192.0.2.1"), 2), NULL));
    cf_addresses_release(&all, two);
    cf_addresses_release(&all, two);
    cf_addresses_release(&all, other);
    cf_addresses_release(&all, NULL);
    cr_assert(eq(ptr, all.all, NULL));
}

Test(address, limit_0_is_none)
{
    cf_addresses_t all = {0};
    cf_peer_address_t *one = NULL;
    for (int i = 0; i < 1000; i++)
        cr_assert(ne(ptr, one = cf_addresses_take(&all, peer("192.0.2.1"), 0), NULL));
    for (int i = 0; i < 1000; i++)
        cf_addresses_release(&all, one);
    cr_assert(eq(ptr, all.all, NULL));
}

Test(address, of_ipv6_is_the_network_and_mapped_ones_are_ipv4)
{
    cf_addresses_t all = {0};
    cf_peer_address_t *one = cf_addresses_take(&all, peer("2001:db8::1"), 0);
    cr_assert(eq(ptr, cf_addresses_take(&all, peer("2001:db8::ffff"), 0), one));
    cf_peer_address_t *other = cf_addresses_take(&all, peer("2001:db8:0:1::1"), 0);
    cr_assert(ne(ptr, other, one));
    cf_peer_address_t *v4 = cf_addresses_take(&all, peer("192.0.2.1"), 0);
    cr_assert(eq(ptr, cf_addresses_take(&all, peer("::ffff:192.0.2.1"), 0), v4));
    cr_assert(ne(ptr, v4, one));
    for (int i = 0; i < 2; i++) {
        cf_addresses_release(&all, one);
        cf_addresses_release(&all, v4);
    }
    cf_addresses_release(&all, other);
    cr_assert(eq(ptr, all.all, NULL));
}

Test(address, text_has_no_port)
{
    static const char *const cases[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"2001:db8::1", "2001:db8::1"},
                                           {"::ffff:192.0.2.7", "192.0.2.7"}};
    char text[CF_ADDRESS_TEXT];
    for (size_t i = 0; i < 3; i++) {
        cf_address_text(peer(cases[i][0]), text);
        cr_assert(strcmp(text, cases[i][1]) == 0, "%s", text);
    }
}
