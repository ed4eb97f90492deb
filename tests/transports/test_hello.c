/* How much of a first message is awaited before anything is spent on it. */
#include "err.h"
#include "http/hello.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static const struct {
    const char *what;
    uint8_t head[CF_HELLO_HEAD];
    int awaits;
} cases[] = {
    {"a hello in one record", {22, 3, 1, 1, 0x2c, 1, 0, 1, 0x28}, 305},
    {"of TLS 1.2 on", {22, 3, 3, 1, 0x2c, 1, 0, 1, 0x28}, 305},
    {"a hello in several records", {22, 3, 1, 0, 4, 1, 0, 1, 0x28}, 305},
    {"something behind it in its record", {22, 3, 1, 1, 0x2c, 1, 0, 0, 0x28}, 305},
    {"the longest record", {22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc}, 5 + 16384},
    {"a record too long", {22, 3, 1, 0x40, 1, 1, 0, 0x3f, 0xfd}, CF_EPROTO},
    {"the longest hello", {22, 3, 1, 0x40, 0, 1, 0, 0x40, 0}, 5 + 4 + CF_HELLO_MAX},
    {"a hello too long", {22, 3, 1, 0x40, 0, 1, 0, 0x40, 1}, CF_EPROTO},
    {"one that would take 16 MB", {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, CF_EPROTO},
    {"not even a message's head", {22, 3, 1, 0, 3, 1, 0, 0, 0}, CF_EPROTO},
    {"another handshake message", {22, 3, 1, 0, 4, 2, 0, 0, 0}, CF_EPROTO},
    {"application data", {23, 3, 3, 0x40, 0, 0, 0, 0, 0}, CF_EPROTO},
    {"an alert", {21, 3, 3, 0, 2, 2, 0, 0, 0}, CF_EPROTO},
    {"a hello of SSL 2", {0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0}, CF_EPROTO},
    {"plain HTTP", {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T'}, 0},
    {"zeros", {0}, 0},
};

Test(hello, awaits_what_can_go_on_and_no_more)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(eq(int, cf_hello_awaits(cases[i].head), cases[i].awaits), "%s", cases[i].what);
}
