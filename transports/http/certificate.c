#include "certificate.h"
#include "buf.h"
#include "clock.h"
#include "config_file.h"
#include "err.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CERT_KEY "http.tls_cert_file"
#define KEY_KEY "http.tls_key_file"

typedef struct {
    const cf_certificate_config_t *config;
    SSL_CTX *ctx;
    X509 *leaf; /* borrowed from ctx */
    char *fault;
} loader_t;

/* What OpenSSL complained about first, which is nearest to the cause. */
static const char *ssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return reason ? reason : "unknown fault";
}

static int complain(const loader_t *self, const char *key, const char *file, const char *what)
{
    snprintf(self->fault, CF_CERTIFICATE_FAULT_MAX, "%s: '%.200s': %s", key, file, what);
    return CF_ERANGE;
}

static void wipe(cf_buf_t *content)
{
    if (content->data)
        OPENSSL_cleanse(content->data, content->cap);
    cf_buf_free(content);
}

/* The whole file as a BIO over *content. */
static int open_file(const loader_t *self, const char *key, const char *file, cf_buf_t *content,
                     BIO **out)
{
    /* In one piece: growing would leave copies of the key behind. */
    int rc = cf_buf_reserve(content, CF_CERTIFICATE_FILE_MAX + 4096);
    if (rc == 0)
        rc = cf_config_file_load(content, file, CF_CERTIFICATE_FILE_MAX);
    if (rc == CF_EIO)
        return complain(self, key, file, strerror(errno));
    if (rc == CF_ERANGE)
        return complain(self, key, file, "no ordinary file, or too long for one");
    if (rc < 0)
        return rc;
    *out = BIO_new_mem_buf(content->data, (int)content->size);
    return *out ? 0 : CF_ENOMEM;
}

/* OpenSSL would ask the terminal. */
static int no_passphrase(char *buf, int size, int for_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)for_writing;
    (void)arg;
    return -1;
}

/* The certificates behind the first; the end of the file is no fault. */
static int take_chain(const loader_t *self, BIO *bio)
{
    X509 *next;
    while ((next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(self->ctx, next) != 1) {
            X509_free(next);
            return complain(self, CERT_KEY, self->config->cert_file, ssl_reason());
        }
    unsigned long last = ERR_peek_last_error();
    if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
        return complain(self, CERT_KEY, self->config->cert_file, ssl_reason());
    ERR_clear_error();
    return 0;
}

static int take_certificates(loader_t *self)
{
    const char *file = self->config->cert_file;
    cf_buf_t content = {0};
    BIO *bio = NULL;
    int rc = open_file(self, CERT_KEY, file, &content, &bio);
    if (rc == 0) {
        X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
        if (!leaf)
            rc = complain(self, CERT_KEY, file, "no certificate in PEM form");
        else if (SSL_CTX_use_certificate(self->ctx, leaf) != 1)
            rc = complain(self, CERT_KEY, file, ssl_reason());
        else
            rc = take_chain(self, bio);
        X509_free(leaf);
    }
    self->leaf = SSL_CTX_get0_certificate(self->ctx);
    BIO_free(bio);
    wipe(&content);
    return rc;
}

static int take_key(const loader_t *self)
{
    const char *file = self->config->key_file;
    cf_buf_t content = {0};
    BIO *bio = NULL;
    int rc = open_file(self, KEY_KEY, file, &content, &bio);
    if (rc == 0) {
        EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        if (!key)
            rc = complain(self, KEY_KEY, file, "no key in PEM form without a passphrase");
        else if (X509_check_private_key(self->leaf, key) != 1)
            rc = complain(self, KEY_KEY, file, "not the key of the certificate in " CERT_KEY);
        else if (SSL_CTX_use_PrivateKey(self->ctx, key) != 1)
            rc = complain(self, KEY_KEY, file, ssl_reason());
        EVP_PKEY_free(key);
    }
    BIO_free(bio);
    wipe(&content);
    return rc;
}

static int check_times(const loader_t *self, int64_t now_us, int64_t *expires_s)
{
    struct tm from, until;
    char what[64], when[CF_TIME_TEXT + 1];
    if (ASN1_TIME_to_tm(X509_get0_notBefore(self->leaf), &from) != 1 ||
        ASN1_TIME_to_tm(X509_get0_notAfter(self->leaf), &until) != 1)
        return complain(self, CERT_KEY, self->config->cert_file, "unreadable time of validity");
    int64_t valid_s = timegm(&from), now_s = now_us / 1000000;
    *expires_s = timegm(&until);
    if (valid_s <= now_s && now_s < *expires_s)
        return 0;
    bool has_expired = now_s >= *expires_s;
    cf_time_text((has_expired ? *expires_s : valid_s) * 1000000, when);
    snprintf(what, sizeof what, "%s %s", has_expired ? "expired at" : "not valid before", when);
    return complain(self, CERT_KEY, self->config->cert_file, what);
}

/* RFC 7301, 3.2: who offers protocols and none of ours is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *size,
                           const unsigned char *in, unsigned in_size, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int set_rules(const loader_t *self)
{
    SSL_CTX *ctx = self->ctx;
    int least = self->config->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_security_level(ctx, 2); /* keys of 112 bits of security: no RSA below 2048 */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* Between two records an idle connection holds no buffers; what came in one segment is read in
     * one call. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* the client keeps it, as a ticket */
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_max_early_data(ctx, 0); /* it can be replayed: RFC 8446, 8 */
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ctx, least) == 1 &&
                   SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
                   SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1
               ? 0
               : CF_ENOMEM;
}

int cf_certificate_load(SSL_CTX **out, int64_t *expires_s, const cf_certificate_config_t *config,
                        int64_t now_us, char fault[CF_CERTIFICATE_FAULT_MAX])
{
    loader_t self = {.config = config, .fault = fault, .ctx = SSL_CTX_new(TLS_server_method())};
    fault[0] = '\0';
    int64_t until_s = 0;
    int rc = self.ctx ? set_rules(&self) : CF_ENOMEM;
    if (rc == 0)
        rc = take_certificates(&self);
    if (rc == 0)
        rc = take_key(&self);
    if (rc == 0)
        rc = check_times(&self, now_us, &until_s);
    ERR_clear_error();
    if (rc < 0) {
        SSL_CTX_free(self.ctx);
        return rc;
    }
    *out = self.ctx;
    *expires_s = until_s;
    return 0;
}

int cf_certificate_check(const cf_certificate_config_t *config, int64_t now_us,
                         char fault[CF_CERTIFICATE_FAULT_MAX])
{
    SSL_CTX *ctx;
    int64_t expires_s;
    int rc = cf_certificate_load(&ctx, &expires_s, config, now_us, fault);
    if (rc == 0)
        SSL_CTX_free(ctx);
    return rc;
}
