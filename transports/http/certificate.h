/* transports/http/certificate.h: the server's certificate and key, and by which rules TLS is spoken
 * with them.
 *
 * TLS 1.2 with AEAD suites and ephemeral keys, and TLS 1.3. ALPN knows http/1.1 alone. No
 * compression, no renegotiation, no early data, no client certificates. Sessions are resumed by
 * tickets, sealed with a key that is made with the context and never leaves it. */
#ifndef CF_CERTIFICATE_H
#define CF_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#define CF_CERTIFICATE_FILE_MAX 65536 /* bytes of either file */
#define CF_CERTIFICATE_FAULT_MAX 512

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

typedef struct {
    const char *cert_file; /* PEM: the server's certificate, then those that vouch for it */
    const char *key_file;  /* PEM, without a passphrase */
    bool only_1_3;
} cf_certificate_config_t;

/* Reads the pair. now_us: wall clock. Returns 0, with *out to be given to SSL_CTX_free() and
 * *expires_s, the certificate's notAfter in seconds since 1970; CF_ERANGE with the setting, the
 * file and what is wrong with it in `fault`; CF_ENOMEM. */
int cf_certificate_load(struct ssl_ctx_st **out, int64_t *expires_s,
                        const cf_certificate_config_t *config, int64_t now_us,
                        char fault[CF_CERTIFICATE_FAULT_MAX]);
/* The same, and nothing is kept. */
int cf_certificate_check(const cf_certificate_config_t *config, int64_t now_us,
                         char fault[CF_CERTIFICATE_FAULT_MAX]);

#endif
