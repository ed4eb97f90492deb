#include "config_value.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_value, .timeout = 5);

static cf_config_t config;
static char fault[CF_CONFIG_FAULT_MAX];

/* Sets one key to one text; returns what cf_config_value_set() did. */
static int set(const char *name, const char *text)
{
    cf_config_list_t value = {&text, 1};
    fault[0] = '\0';
    return cf_config_value_set(&config, cf_config_key_find(CF_CONFIG_BY_NAME, name).key, &value,
                               fault);
}

Test(config_value, reads_durations_in_their_units)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},          {"90", 90000},     {"1500ms", 1500},
                {"10s", 10000},    {"1m30s", 90000},  {"2m0s", 120000},
                {"24h", 86400000}, {"7d", 604800000}, {"1h0m0s", 3600000}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        cr_expect(eq(int, cf_config_take_duration(&ms, good[i].text), 0), "%s", good[i].text);
        cr_expect(eq(i64, ms, good[i].ms), "%s", good[i].text);
    }
}

Test(config_value, refuses_what_is_no_duration)
{
    static const char *const bad[] = {"",
                                      "s",
                                      "-1",
                                      "1 s",
                                      "1.5s",
                                      "10S",
                                      "1m30",
                                      "1s ",
                                      "10us",
                                      "ms10",
                                      "1s-1s",
                                      "99999999999999999999",
                                      "9223372036854775807d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = -1;
        cr_expect(eq(int, cf_config_take_duration(&ms, bad[i]), CF_EPROTO), "%s", bad[i]);
        cr_expect(eq(i64, ms, -1));
    }
}

Test(config_value, reads_sizes_in_their_units)
{
    int64_t size;
    cr_expect(eq(int, cf_config_take_size(&size, "4096"), 0));
    cr_expect(eq(i64, size, 4096));
    cr_expect(eq(int, cf_config_take_size(&size, "16KiB"), 0));
    cr_expect(eq(i64, size, 16384));
    cr_expect(eq(int, cf_config_take_size(&size, "4GiB"), 0));
    cr_expect(eq(i64, size, INT64_C(4294967296)));
    cr_expect(eq(int, cf_config_take_size(&size, "16KB"), CF_EPROTO));
    cr_expect(eq(int, cf_config_take_size(&size, "99999999999GiB"), CF_EPROTO));
}

Test(config_value, every_default_and_every_bound_is_taken_by_its_own_type)
{
    for (size_t i = 0; i < CF_CONFIG_KEY_COUNT; i++) {
        const cf_config_key_t *key = &cf_config_keys[i];
        cf_config_list_t value = {&key->standard, 1};
        cr_expect(eq(int, cf_config_value_set(&config, key, &value, fault), 0), "%s.%s: %s",
                  key->section, key->name, fault);
        if (key->type > CF_CONFIG_SIZE)
            continue;
        value.items = &key->low;
        cr_expect(eq(int, cf_config_value_set(&config, key, &value, fault), 0), "%s", key->name);
        value.items = &key->high;
        cr_expect(eq(int, cf_config_value_set(&config, key, &value, fault), 0), "%s", key->name);
    }
    cf_config_free(&config);
}

Test(config_value, takes_a_number_at_its_bounds_and_refuses_it_beyond)
{
    cr_expect(eq(int, set("gateway.count", "1"), 0));
    cr_expect(eq(int, set("gateway.count", "64"), 0));
    cr_expect(eq(int, set("gateway.count", "0"), CF_ERANGE));
    cr_expect(eq(int, set("gateway.count", "65"), CF_ERANGE));
    cr_expect(eq(str, fault, "65 is outside 1..64"));
    cr_expect(eq(int, set("gateway.count", "-1"), CF_ERANGE));
    cr_expect(eq(int, set("gateway.count", "1s"), CF_ERANGE));
    cr_expect(eq(str, fault, "'1s' is not a whole number"));
    cr_expect(eq(int, set("gateway.count", "99999999999999999999"), CF_ERANGE));
    cr_expect(eq(int, config.gateway_count, 64));

    cr_expect(eq(int, set("shutdown.timeout", "1s"), 0));
    cr_expect(eq(int, set("shutdown.timeout", "10m"), 0));
    cr_expect(eq(int, set("shutdown.timeout", "999ms"), CF_ERANGE));
    cr_expect(eq(int, set("shutdown.timeout", "601"), CF_ERANGE));
    cr_expect(eq(str, fault, "601 is outside 1s..10m"));
    cr_expect(eq(i64, config.shutdown_timeout_ms, 600000));

    cr_expect(eq(int, set("gateway.pool_bytes", "4GiB"), 0));
    cr_expect(eq(int, set("gateway.pool_bytes", "4294967297"), CF_ERANGE));
    cr_expect(eq(sz, config.gateway_pool_bytes, (size_t)4294967296));
    cf_config_free(&config);
}

Test(config_value, takes_text_at_its_length_and_refuses_it_beyond)
{
    char text[65] = {0};
    memset(text, 'n', 64);
    cr_expect(eq(int, set("node.name", text), CF_ERANGE));
    cr_expect(eq(str, fault, "is longer than 63 bytes"));
    text[63] = '\0';
    cr_expect(eq(int, set("node.name", text), 0));
    cr_expect(eq(int, set("node.data_dir", ""), CF_ERANGE));
    cr_expect(eq(str, (char *)config.node_name, text));
    cr_expect(eq(int, set("node.name", "a\nb"), CF_ERANGE));
    cr_expect(eq(int, set("node.name", "a\xff"), CF_ERANGE));
    cf_config_free(&config);
}

Test(config_value, takes_a_choice_in_any_case_and_by_its_other_word)
{
    cr_expect(eq(int, set("log.level", "DEBUG"), 0));
    cr_expect(eq(str, (char *)config.log_level, "debug"));
    cr_expect(eq(int, set("node.environment", "prod"), 0));
    cr_expect(eq(str, (char *)config.node_environment, "production"));
    cr_expect(eq(int, set("log.level", "verbose"), CF_ERANGE));
    cr_expect(eq(int, set("log.level", ""), CF_ERANGE));
    cr_expect(eq(str, (char *)config.log_level, "debug"));
    cf_config_free(&config);
}

Test(config_value, takes_addresses_with_a_port)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:8080", "localhost:65535",
                                       "0.0.0.0:80"};
    static const char *const bad[] = {
        "",     "8080", ":8080",  "127.0.0.1",   "::1:8080", "[::1]", "[::1:80", "127.0.0.1:65536",
        "a:-1", "a:b",  "a b:80", "http://a:80", "a:80x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(eq(int, set("http.listen", good[i]), 0), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(eq(int, set("http.listen", bad[i]), CF_ERANGE), "%s", bad[i]);
    cr_expect(eq(int, set("metrics.listen", ""), 0)); /* may be off */
    cf_config_free(&config);
}

Test(config_value, takes_urls_without_what_a_base_cannot_have)
{
    static const char *const good[][2] = {
        {"https://stooq.com", "https://stooq.com"},
        {"http://127.0.0.1:8000/", "http://127.0.0.1:8000"},
        {"http://[::1]:8000", "http://[::1]:8000"},
        {"https://quotes.example.org/some/path//", "https://quotes.example.org/some/path"}};
    static const char *const bad[] = {"",
                                      "stooq.com",
                                      "ftp://stooq.com",
                                      "file:///etc/passwd",
                                      "https://",
                                      "https:///path",
                                      "https://:80",
                                      "https://u:p@stooq.com",
                                      "https://stooq.com/?a=b",
                                      "https://stooq.com/#a",
                                      "https://stooq.com:0",
                                      "https://stooq.com:x/",
                                      "https://stooq .com",
                                      "*"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(eq(int, set("stock.url", good[i][0]), 0), "%s", good[i][0]);
        cr_expect(eq(str, (char *)config.stock_url, (char *)good[i][1]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(eq(int, set("stock.url", bad[i]), CF_ERANGE), "%s", bad[i]);
}

Test(config_value, takes_origins_as_browsers_send_them)
{
    static const char *const good[] = {"http://localhost:3000", "https://chat.example.org", "*",
                                       "http://[::1]:8080"};
    static const char *const bad[] = {
        "chat.example.org", "https://",    "https://a/",    "ftp://a",     "https://a:x",
        "https://a?b",      "https://u@a", "https://*.a.b", "https://a:0", "null"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(eq(int, set("http.allowed_origins", good[i]), 0), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(eq(int, set("http.allowed_origins", bad[i]), CF_ERANGE), "%s", bad[i]);
    cf_config_free(&config);
}

Test(config_value, splits_a_list_at_commas_and_trims_it)
{
    cr_expect(eq(int, set("http.allowed_origins", " http://a , ,http://b\t"), CF_ERANGE));
    cr_expect(eq(int, set("http.allowed_origins", " http://a , ,http://b "), 0));
    cr_assert(eq(sz, config.http_allowed_origins.count, 2));
    cr_expect(eq(str, (char *)config.http_allowed_origins.items[0], "http://a"));
    cr_expect(eq(str, (char *)config.http_allowed_origins.items[1], "http://b"));
    cr_expect(eq(int, set("http.trusted_proxies", "10.0.0.0/8,::1"), 0));
    cr_expect(eq(sz, config.http_trusted_proxies.count, 2));
    cr_expect(eq(int, set("http.trusted_proxies", "10.0.0.0/8,nonsense"), CF_ERANGE));
    cr_expect(eq(sz, config.http_trusted_proxies.count, 2));
    cr_expect(eq(int, set("http.trusted_proxies", ""), 0));
    cr_expect(eq(sz, config.http_trusted_proxies.count, 0));
    cf_config_free(&config);
}

Test(config_value, bounds_the_entries_of_a_list)
{
    char text[65 * 4] = {0};
    for (int i = 0; i < 64; i++)
        strcat(text, "::1,");
    cr_expect(eq(int, set("http.trusted_proxies", text), 0));
    cr_expect(eq(sz, config.http_trusted_proxies.count, 64));
    strcpy(text + 64 * 4 - 1, ",:");
    cr_expect(eq(int, set("http.trusted_proxies", text), CF_ERANGE));
    cr_expect(eq(str, fault, "more than 64 entries"));
    cf_config_free(&config);
}

Test(config_value, reads_booleans)
{
    cf_config_key_t key = {.type = CF_CONFIG_BOOL, .offset = 0};
    static const char *const words[] = {"false", "TRUE", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        cf_config_list_t value = {&words[i], 1};
        cr_expect(eq(int, cf_config_value_set(&config, &key, &value, fault), 0));
        cr_expect(eq(int, *(bool *)&config, (int)(i % 2)), "%s", words[i]);
    }
    const char *bad = "maybe";
    cf_config_list_t value = {&bad, 1};
    cr_expect(eq(int, cf_config_value_set(&config, &key, &value, fault), CF_ERANGE));
}

Test(config_value, does_not_quote_a_secret)
{
    char secret[2050];
    memset(secret, 'k', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    cr_expect(eq(int, set("store.url", secret), CF_ERANGE));
    cr_expect(eq(str, fault, "is longer than 2048 bytes"));
}

Test(config_value, takes_where_peers_are)
{
    char longest[256], longer[256];
    snprintf(longest, sizeof longest, "node-2=tcp://%0116d:7000", 1); /* 127 bytes of endpoint */
    snprintf(longer, sizeof longer, "node-2=tcp://%0117d:7000", 1);
    const char *const good[] = {"b=tcp://10.0.0.2:7000", "b=tcp://[::1]:1",
                                "b.c=tcp://b.example:65535", longest};
    const char *const bad[] = {
        "b",
        "=tcp://10.0.0.2:7000",
        "b=10.0.0.2:7000",
        "b=tcp://:7",
        "b=tcp://10.0.0.2",
        "b=tcp://10.0.0.2:0",
        "b=tcp://h:65536",
        "b=tcp://h :7",
        "b=tcp://*:7000",
        "0123456789012345678901234567890123456789012345678901234567890123=tcp://h:7"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(eq(int, set("mesh.peers", good[i]), 0), "%s", good[i]);
    cr_expect(eq(str, (char *)config.mesh_peers.items[0], longest));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(eq(int, set("mesh.peers", bad[i]), CF_ERANGE), "%s", bad[i]);
    cr_expect(eq(str, fault,
                 "'0123456789012345678901234567890123456789012345678901234567890123' is not "
                 "NAME=tcp://HOST:PORT"));
    cr_expect(eq(int, set("mesh.peers", longer), CF_ERANGE));
}

Test(config_value, takes_a_key_of_40_signs_that_is_32_bytes)
{
    const char *good = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const char *most = "%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0"; /* 2^256 - 1 */
    const char *const bad[] = {
        "", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y~7", "%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc1"};
    cr_expect(cf_config_is_curve_key(good));
    cr_expect(cf_config_is_curve_key(most));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(not(cf_config_is_curve_key(bad[i])), "%s", bad[i]);
    cr_expect(eq(int, set("mesh.allowed_keys", good), 0));
    cr_expect(eq(sz, config.mesh_allowed_keys.count, 1));
    cr_expect(eq(int, set("mesh.allowed_keys", "good"), CF_ERANGE));
    cr_expect(eq(sz, config.mesh_allowed_keys.count, 1));
}
