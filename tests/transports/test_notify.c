/* What the service manager is told, over its real socket, which a test plays. */
#include "local/notify.h"

#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD 100000 /* messages; more than any queue takes */

static cf_notify_t notify;
static char name[64], heard[CF_NOTIFY_TEXT_MAX + 1];
static int manager = -1;

static void listen_at(const char *at)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(at);
    memcpy(address.sun_path, at, length);
    if (at[0] == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert(eq(int,
                 bind(manager, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                 0));
}

static void begin(void)
{
    snprintf(name, sizeof name, "/tmp/cf_notify_%d", (int)getpid());
    listen_at(name);
    cr_assert(eq(int, cf_notify_open(&notify, name, NULL, NULL), 0));
}

static void end(void)
{
    cf_notify_close(&notify);
    close(manager);
    unlink(name);
}

/* The next one; "" if there is none. */
static char *hear(void)
{
    ssize_t size = recv(manager, heard, sizeof heard - 1, 0);
    heard[size > 0 ? size : 0] = '\0';
    return heard;
}

static void fill_its_queue(void)
{
    for (int i = 0; i < FLOOD && !notify.owes; i++)
        cf_notify_say(&notify, "STATUS=flood");
    cr_assert(notify.owes);
}

TestSuite(notify, .init = begin, .fini = end, .timeout = 20);

Test(notify, what_is_said_is_one_datagram)
{
    cf_notify_say(&notify, "READY=1\nSTATUS=serves on %d", 8080);
    cr_assert(eq(str, hear(), "READY=1\nSTATUS=serves on 8080"));
    cf_notify_alive(&notify);
    cr_assert(eq(str, hear(), "WATCHDOG=1"));
    cr_assert(eq(str, hear(), ""));
}

Test(notify, a_name_with_an_at_is_in_the_abstract_namespace)
{
    end();
    snprintf(name, sizeof name, "@cf_notify_%d", (int)getpid());
    listen_at(name);
    cr_assert(eq(int, cf_notify_open(&notify, name, NULL, NULL), 0));
    cf_notify_say(&notify, "READY=1");
    cr_assert(eq(str, hear(), "READY=1"));
}

Test(notify, a_full_queue_is_waited_for_by_nobody_and_the_newest_is_said_later)
{
    fill_its_queue();
    cf_notify_say(&notify, "RELOADING=1");
    cf_notify_say(&notify, "READY=1");
    cf_notify_alive(&notify); /* is not owed */
    cf_notify_again(&notify);
    cr_assert(notify.owes);
    while (*hear())
        cr_assert(eq(str, heard, "STATUS=flood"));
    cf_notify_again(&notify);
    cr_assert(not(notify.owes));
    cr_assert(eq(str, hear(), "READY=1"));
    cr_assert(eq(str, hear(), ""));
    cf_notify_again(&notify);
    cr_assert(eq(str, hear(), ""));
}

Test(notify, another_manager_at_the_same_name_is_told_as_well)
{
    close(manager);
    unlink(name);
    cf_notify_say(&notify, "STATUS=nobody hears it");
    cr_assert(not(notify.owes)); /* nor ever will */
    listen_at(name);
    cf_notify_say(&notify, "READY=1");
    cr_assert(eq(str, hear(), "READY=1"));
}

Test(notify, what_is_too_long_is_cut)
{
    char longest[2 * CF_NOTIFY_TEXT_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cf_notify_say(&notify, "%s", longest);
    cr_assert(eq(sz, strlen(hear()), CF_NOTIFY_TEXT_MAX - 1));
}

Test(notify, without_a_socket_nobody_is_told_and_nothing_is_owed)
{
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < 2; i++) {
        cf_notify_t nobody;
        cr_assert(eq(int, cf_notify_open(&nobody, none[i], "1000000", NULL), 0));
        cr_assert(eq(i64, nobody.watchdog_us, 0));
        cf_notify_say(&nobody, "READY=1");
        cf_notify_alive(&nobody);
        cr_assert(not(nobody.owes));
        cf_notify_close(&nobody);
    }
}

Test(notify, a_name_that_cannot_be_is_an_error)
{
    char longest[sizeof notify.address.sun_path + 1];
    cf_notify_t nobody;
    memset(longest, '/', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const char *const bad[] = {"relative", "vsock:2:1", "/", "@", longest};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(eq(int, cf_notify_open(&nobody, bad[i], NULL, NULL), CF_ERANGE), "%s", bad[i]);
        cr_assert(eq(int, nobody.socket, -1));
    }
    longest[sizeof longest - 2] = '\0'; /* one byte less */
    cr_assert(eq(int, cf_notify_open(&nobody, longest, NULL, NULL), 0));
    cf_notify_close(&nobody);
}

Test(notify, the_watchdog_is_ours_if_it_names_us_or_nobody)
{
    char ours[16], other[16];
    snprintf(ours, sizeof ours, "%d", (int)getpid());
    snprintf(other, sizeof other, "%d", (int)getpid() + 1);
    const struct {
        const char *us, *pid;
        int64_t watchdog_us;
    } cases[] = {{"3000000", NULL, 3000000},
                 {"3000000", ours, 3000000},
                 {"3000000", other, 0},
                 {NULL, ours, 0},
                 {"", NULL, 0},
                 {"0", NULL, 0},
                 {"-1", NULL, 0},
                 {"1s", NULL, 0},
                 {"99999999999999999999", NULL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_notify_t one;
        cr_assert(eq(int, cf_notify_open(&one, name, cases[i].us, cases[i].pid), 0));
        cr_assert(eq(i64, one.watchdog_us, cases[i].watchdog_us));
        cf_notify_close(&one);
    }
}
