/* actors/password_policy.h: which passwords a new user may choose. Made once before the actors start and
 * never changed, so that threads may share it. */
#ifndef CF_PASSWORD_POLICY_H
#define CF_PASSWORD_POLICY_H

#include "str.h"

#define CF_PASSWORD_DENY_MAX (16u << 20) /* bytes of the file of denied passwords */

typedef struct {
    uint32_t length_min;   /* bytes */
    bool like_name;        /* it may be the user's name or address */
    const char *deny_file; /* path: one password a line, whatever its case; "": none */
} cf_password_policy_config_t;

typedef struct cf_password_policy cf_password_policy_t;

/* Returns 0; CF_ERANGE (the file cannot be read or is too long; logged); CF_ENOMEM. */
int cf_password_policy_new(cf_password_policy_t **out, const cf_password_policy_config_t *config);
void cf_password_policy_destroy(cf_password_policy_t **self);

/* A password is like a name if nothing is left to tell them apart without case, digits and symbols, read in
 * either direction; the address counts as a whole and without its domain. */
bool cf_password_policy_allows(const cf_password_policy_t *self, cf_str_t password,
                               cf_str_t username, cf_str_t email);

#endif
