/* Which pairs of certificate and key are taken, and what is said of the others. */
#include "clock.h"
#include "err.h"
#include "http/certificate.h"
#include "make_certificate.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S 86400
#define EC_30_DAYS ((certificate_recipe_t){.serial = 1, .from_s = -60, .until_s = 30 * DAY_S})

static char folder[] = "/tmp/confab-test-certificate-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64], fault[CF_CERTIFICATE_FAULT_MAX];

static void set_up(void)
{
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(other_cert, sizeof other_cert, "%s/other_cert.pem", folder);
    snprintf(other_key, sizeof other_key, "%s/other_key.pem", folder);
    make_certificate(cert, key, &EC_30_DAYS);
    make_certificate(other_cert, other_key, &EC_30_DAYS);
}

static void tear_down(void)
{
    const char *files[] = {cert, key, other_cert, other_key};
    for (int i = 0; i < 4; i++)
        unlink(files[i]);
    rmdir(folder);
}

TestSuite(certificate, .init = set_up, .fini = tear_down, .timeout = 60);

static int check(const char *cert_file, const char *key_file)
{
    return cf_certificate_check(
        &(cf_certificate_config_t){.cert_file = cert_file, .key_file = key_file}, cf_wall_us(),
        fault);
}

/* Refused, and the fault names the setting, the file and the reason. */
static void refused(const char *cert_file, const char *key_file, const char *setting,
                    const char *file, const char *reason)
{
    char begins[160];
    cr_expect(eq(int, check(cert_file, key_file), CF_ERANGE));
    snprintf(begins, sizeof begins, "%s: '%s': ", setting, file);
    cr_expect(eq(int, strncmp(fault, begins, strlen(begins)), 0), "%s", fault);
    cr_expect(strstr(fault, reason) != NULL, "%s", fault);
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

static void append_file(const char *path, const char *from)
{
    static char text[65536];
    FILE *source = fopen(from, "r"), *file = fopen(path, "a");
    cr_assert(source && file);
    size_t size = fread(text, 1, sizeof text, source);
    cr_assert(fwrite(text, 1, size, file) == size);
    fclose(source);
    fclose(file);
}

Test(certificate, a_pair_is_taken_and_tells_when_it_expires)
{
    SSL_CTX *ctx;
    int64_t expires_s = 0, now_us = cf_wall_us();
    cf_certificate_config_t config = {.cert_file = cert, .key_file = key};
    cr_assert(eq(int, cf_certificate_load(&ctx, &expires_s, &config, now_us, fault), 0));
    int64_t left_s = expires_s - now_us / 1000000;
    cr_assert(left_s > 30 * DAY_S - 100 && left_s <= 30 * DAY_S);
    SSL_CTX_free(ctx);
}

Test(certificate, those_that_vouch_follow_in_the_same_file)
{
    SSL_CTX *ctx;
    int64_t expires_s;
    STACK_OF(X509) *chain = NULL;
    cf_certificate_config_t config = {.cert_file = cert, .key_file = key};
    append_file(cert, other_cert);
    cr_assert(eq(int, cf_certificate_load(&ctx, &expires_s, &config, cf_wall_us(), fault), 0));
    SSL_CTX_get0_chain_certs(ctx, &chain);
    cr_assert(eq(int, sk_X509_num(chain), 1));
    SSL_CTX_free(ctx);
    append_file(cert, other_cert);
    cr_assert(eq(int, truncate(cert, 1300), 0)); /* the third is cut off in its middle */
    refused(cert, key, "http.tls_cert_file", cert, "");
}

Test(certificate, an_unreadable_file_is_named)
{
    char gone[64];
    snprintf(gone, sizeof gone, "%s/gone.pem", folder);
    refused(gone, key, "http.tls_cert_file", gone, "No such file");
    refused(cert, gone, "http.tls_key_file", gone, "No such file");
    refused(folder, key, "http.tls_cert_file", folder, "no ordinary file");
    refused(cert, "/dev/zero", "http.tls_key_file", "/dev/zero", "no ordinary file");
}

Test(certificate, what_is_no_pem_is_named)
{
    write_file(other_cert, "hello", 5);
    refused(other_cert, key, "http.tls_cert_file", other_cert, "no certificate in PEM form");
    refused(cert, other_cert, "http.tls_key_file", other_cert, "no key in PEM form");
    write_file(other_cert, "", 0);
    refused(other_cert, key, "http.tls_cert_file", other_cert, "no certificate in PEM form");
    refused(key, key, "http.tls_cert_file", key, "no certificate in PEM form");
    refused(cert, cert, "http.tls_key_file", cert, "no key in PEM form");
}

Test(certificate, a_file_may_have_64_kib_and_no_more)
{
    static char pad[CF_CERTIFICATE_FILE_MAX + 1];
    struct stat status;
    memset(pad, '#', sizeof pad);
    cr_assert(eq(int, stat(key, &status), 0));
    write_file(other_key, pad, sizeof pad - 2 - (size_t)status.st_size);
    FILE *file = fopen(other_key, "a");
    fputc('\n', file);
    fclose(file);
    append_file(other_key, key);
    cr_expect(eq(int, check(cert, other_key), 0), "%s", fault);
    file = fopen(other_key, "a");
    fputc('\n', file);
    fclose(file);
    refused(cert, other_key, "http.tls_key_file", other_key, "too long");
}

Test(certificate, a_key_of_another_certificate_is_refused)
{
    refused(cert, other_key, "http.tls_key_file", other_key, "not the key of the certificate");
}

Test(certificate, a_passphrase_is_not_asked_for)
{
    certificate_recipe_t recipe = EC_30_DAYS;
    recipe.passphrase = "secret";
    make_certificate(cert, key, &recipe);
    refused(cert, key, "http.tls_key_file", key, "passphrase");
}

Test(certificate, one_that_has_expired_is_refused_to_the_second)
{
    SSL_CTX *ctx;
    int64_t expires_s, then_s;
    cf_certificate_config_t config = {.cert_file = cert, .key_file = key};
    cr_assert(eq(int, cf_certificate_load(&ctx, &expires_s, &config, cf_wall_us(), fault), 0));
    SSL_CTX_free(ctx);
    then_s = expires_s;
    cr_expect(eq(int, cf_certificate_check(&config, (then_s - 1) * 1000000, fault), 0));
    cr_expect(eq(int, cf_certificate_check(&config, then_s * 1000000, fault), CF_ERANGE));
    cr_expect(strstr(fault, "expired at 20") != NULL, "%s", fault);
}

Test(certificate, one_that_is_not_valid_yet_is_refused_to_the_second)
{
    cf_certificate_config_t config = {.cert_file = cert, .key_file = key};
    int64_t now_s = cf_wall_us() / 1000000;
    make_certificate(cert, key, &(certificate_recipe_t){.from_s = DAY_S, .until_s = 2 * DAY_S});
    cr_expect(eq(int, cf_certificate_check(&config, now_s * 1000000, fault), CF_ERANGE));
    cr_expect(strstr(fault, "not valid before 20") != NULL, "%s", fault);
    cr_expect(
        eq(int, cf_certificate_check(&config, (now_s + DAY_S - 1) * 1000000, fault), CF_ERANGE));
    cr_expect(eq(int, cf_certificate_check(&config, (now_s + DAY_S + 60) * 1000000, fault), 0));
}

Test(certificate, a_weak_key_is_refused)
{
    make_certificate(
        cert, key, &(certificate_recipe_t){.from_s = -60, .until_s = DAY_S, .kind = KEY_RSA_1024});
    refused(cert, key, "http.tls_cert_file", cert, "key too small");
}
