#include "make_certificate.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void write_files(const char *cert_path, const char *key_path, X509 *cert, EVP_PKEY *key,
                        const char *passphrase)
{
    FILE *file = fopen(cert_path, "w");
    cr_assert(file && PEM_write_X509(file, cert) == 1 && fclose(file) == 0);
    file = fopen(key_path, "w");
    cr_assert(file != NULL);
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
    int size = passphrase ? (int)strlen(passphrase) : 0;
    cr_assert(PEM_write_PrivateKey(file, key, cipher, (const unsigned char *)passphrase, size, NULL,
                                   NULL) == 1);
    cr_assert(fclose(file) == 0);
}

void make_certificate(const char *cert_path, const char *key_path,
                      const certificate_recipe_t *recipe)
{
    EVP_PKEY *key = recipe->kind == KEY_EC ? EVP_EC_gen("P-256") : EVP_RSA_gen(1024);
    X509 *cert = X509_new();
    cr_assert(key && cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), recipe->serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), recipe->from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), recipe->until_s);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    cr_assert(names && X509_add_ext(cert, names, -1) == 1);
    X509_EXTENSION_free(names);
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    write_files(cert_path, key_path, cert, key, recipe->passphrase);
    X509_free(cert);
    EVP_PKEY_free(key);
}
