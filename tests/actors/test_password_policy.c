#include "password_policy.h"

#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>

static cf_password_policy_t *policy;
static char path[] = "/tmp/confab-deny-XXXXXX";

static void end(void)
{
    cf_password_policy_destroy(&policy);
    unlink(path);
}

TestSuite(password_policy, .fini = end, .timeout = 30);

static int make(uint32_t length_min, bool like_name, const char *deny_file)
{
    cf_password_policy_destroy(&policy);
    return cf_password_policy_new(&policy,
                                  &(cf_password_policy_config_t){length_min, like_name, deny_file});
}

static bool allows(const char *password, const char *name, const char *email)
{
    return cf_password_policy_allows(policy, cf_str(password), cf_str(name), cf_str(email));
}

static void write_file(const char *text, size_t size)
{
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert(eq(sz, (size_t)write(fd, text, size), size));
    close(fd);
}

Test(password_policy, by_default_takes_what_the_contracts_clients_use)
{
    cr_assert(eq(int, make(8, false, ""), 0));
    cr_expect(
        allows("testpass123", "user_1_0_1700000000000", "user_1_0_1700000000000@loadtest.local"));
    cr_expect(allows("testpass123", "test", "test@test.com"));
    cr_expect(allows("password123", "ann", "ann@test.com"));
    cr_expect(allows("securepass123", "secure", "secure@test.com"));
    cr_expect(allows("strange!", "daniel", "daniel@test.com"));
    cr_expect(allows("12345678", "a_1", "1@test.com"));
    cr_expect(allows("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", "abc", "a@b.cc"));
}

Test(password_policy, refuses_the_name_and_the_address)
{
    static const struct {
        const char *password, *name, *email;
    } like[] = {
        {"johndoe1", "john_doe", "x@b.cc"},
        {"JohnDoe!", "john_doe", "x@b.cc"},
        {"j-o-h-n-d-o-e", "john_doe", "x@b.cc"},
        {"eodnhoj99", "john_doe", "x@b.cc"}, /* read backwards */
        {"john.doe.2024", "other", "john.doe@example.com"},
        {"John.Doe@example.com", "other", "john.doe@example.com"},
        {"moc.elpmaxe@eod.nhoj", "other", "john.doe@example.com"},
    };
    cr_assert(eq(int, make(8, false, ""), 0));
    for (size_t i = 0; i < sizeof like / sizeof like[0]; i++)
        cr_expect(eq(int, allows(like[i].password, like[i].name, like[i].email), false), "%s",
                  like[i].password);
    cr_expect(allows("johndoes", "john_doe", "john.doe@example.com"));
    cr_assert(eq(int, make(8, true, ""), 0));
    cr_expect(allows("johndoe1", "john_doe", "john.doe@example.com"));
}

Test(password_policy, asks_for_so_many_bytes_and_no_more)
{
    cr_assert(eq(int, make(12, false, ""), 0));
    cr_expect(eq(int, allows("abcdefghijk", "ann", "a@b.cc"), false));
    cr_expect(allows("abcdefghijkl", "ann", "a@b.cc"));
}

Test(password_policy, refuses_what_the_file_holds)
{
    static const char text[] = "password\r\n\nLetmein1\niloveyou\nx";
    write_file(text, sizeof text - 1);
    cr_assert(eq(int, make(8, false, path), 0));
    cr_expect(eq(int, allows("password", "ann", "a@b.cc"), false));
    cr_expect(eq(int, allows("PassWord", "ann", "a@b.cc"), false));
    cr_expect(eq(int, allows("letmein1", "ann", "a@b.cc"), false));
    cr_expect(eq(int, allows("iloveyou", "ann", "a@b.cc"), false));
    cr_expect(allows("password1", "ann", "a@b.cc"));
    cr_expect(allows("passwor\r", "ann", "a@b.cc"));
}

Test(password_policy, needs_the_file_it_is_told_of_within_its_bound)
{
    cr_expect(eq(int, make(8, false, "/nothing/here"), CF_ERANGE));
    cr_expect(eq(int, make(8, false, "/tmp"), CF_ERANGE));
    char *text = malloc(CF_PASSWORD_DENY_MAX + 1);
    memset(text, '\n', CF_PASSWORD_DENY_MAX + 1);
    memcpy(text, "hunter22", 8);
    write_file(text, CF_PASSWORD_DENY_MAX);
    cr_expect(eq(int, make(8, false, path), 0));
    cr_expect(eq(int, allows("hunter22", "ann", "a@b.cc"), false));
    unlink(path);
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    write_file(text, CF_PASSWORD_DENY_MAX + 1);
    cr_expect(eq(int, make(8, false, path), CF_ERANGE));
    free(text);
}
