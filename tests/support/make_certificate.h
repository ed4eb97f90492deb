/* tests/support/make_certificate.h: certificates that vouch for themselves, made on the spot. */
#ifndef CF_MAKE_CERTIFICATE_H
#define CF_MAKE_CERTIFICATE_H

#include <stdint.h>

typedef enum { KEY_EC, KEY_RSA_1024 } key_kind_t;

typedef struct {
    long serial;
    int64_t from_s, until_s; /* valid from and until, seconds from now */
    key_kind_t kind;
    const char *passphrase; /* of the key's file; NULL: none */
} certificate_recipe_t;

/* Writes a certificate for localhost and its key as PEM. Fails the test if it cannot. */
void make_certificate(const char *cert_path, const char *key_path,
                      const certificate_recipe_t *recipe);

#endif
