#include "password_policy.h"

#include "config_file.h"
#include "err.h"
#include "log.h"
#include "model_limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

struct cf_password_policy {
    cf_password_policy_config_t config;
    cf_buf_t text;    /* of the file */
    cf_str_t *denied; /* its lines, sorted; owned */
    size_t denied_count;
};

/* --- the file of denied passwords --------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    const cf_str_t *left = a, *right = b;
    uint32_t size = left->size < right->size ? left->size : right->size;
    int order = size ? strncasecmp(left->bytes, right->bytes, size) : 0;
    return order ? order : left->size < right->size ? -1 : left->size > right->size;
}

static size_t count_lines(const cf_buf_t *text)
{
    size_t n = 1;
    for (size_t i = 0; i < text->size; i++)
        n += text->data[i] == '\n';
    return n;
}

static int read_denied(cf_password_policy_t *self)
{
    int rc = cf_config_file_load(&self->text, self->config.deny_file, CF_PASSWORD_DENY_MAX);
    if (rc == CF_EIO || rc == CF_ERANGE) {
        cf_log_error("cannot read the file of denied passwords",
                     CF_STR("path", self->config.deny_file),
                     CF_STR("reason", rc == CF_EIO ? strerror(errno) : "no file, or too long"));
        return CF_ERANGE;
    }
    if (rc < 0)
        return rc;
    self->denied = calloc(count_lines(&self->text), sizeof *self->denied);
    if (!self->denied)
        return CF_ENOMEM;
    const char *at = (const char *)self->text.data, *end = at + self->text.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        size_t size = (size_t)(stop - at);
        if (size && at[size - 1] == '\r')
            size--;
        if (size && size <= CF_PASSWORD_MAX)
            self->denied[self->denied_count++] = (cf_str_t){at, (uint32_t)size};
        at = stop + 1;
    }
    qsort(self->denied, self->denied_count, sizeof *self->denied, compare);
    return 0;
}

static bool is_denied(const cf_password_policy_t *self, cf_str_t password)
{
    return self->denied_count &&
           bsearch(&password, self->denied, self->denied_count, sizeof *self->denied, compare);
}

/* --- likeness ----------------------------------------------------------------------------------
 */

/* The letters of text in lower case; their number. */
static uint32_t letters(char *out, cf_str_t text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.size; i++)
        if (isalpha((unsigned char)text.bytes[i]))
            out[n++] = (char)tolower((unsigned char)text.bytes[i]);
    return n;
}

static bool is_like(cf_str_t password, cf_str_t name)
{
    char chosen[CF_PASSWORD_MAX], given[CF_EMAIL_MAX];
    bool same = true, mirrored = true;
    uint32_t n = letters(chosen, password);
    if (n == 0 || letters(given, name) != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        same = same && chosen[i] == given[i];
        mirrored = mirrored && chosen[i] == given[n - 1 - i];
    }
    return same || mirrored;
}

/* --- all together ------------------------------------------------------------------------------
 */

bool cf_password_policy_allows(const cf_password_policy_t *self, cf_str_t password,
                               cf_str_t username, cf_str_t email)
{
    const char *at = memchr(email.bytes, '@', email.size);
    cf_str_t local = {email.bytes, at ? (uint32_t)(at - email.bytes) : email.size};
    if (password.size < self->config.length_min || is_denied(self, password))
        return false;
    return self->config.like_name ||
           !(is_like(password, username) || is_like(password, local) || is_like(password, email));
}

int cf_password_policy_new(cf_password_policy_t **out, const cf_password_policy_config_t *config)
{
    cf_password_policy_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    int rc = config->deny_file[0] ? read_denied(self) : 0;
    if (rc < 0) {
        cf_password_policy_destroy(&self);
        return rc;
    }
    *out = self;
    return 0;
}

void cf_password_policy_destroy(cf_password_policy_t **self)
{
    if (!*self)
        return;
    free((*self)->denied);
    cf_buf_free(&(*self)->text);
    free(*self);
    *self = NULL;
}
