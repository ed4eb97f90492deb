/* ctl_users.c: `confab ctl users ...`. */
#include "ctl_state.h"

#include "bounds.h"
#include "err.h"
#include "supervisor.h"
#include "wire/account.h"

#include <stdio.h>

static int failed(const char *verb, const char *name, int rc)
{
    static const struct {
        int rc;
        const char *text;
    } texts[] = {
        {CF_ENOENT, "there is no such user"},
        {CF_EPERM, "the bot cannot be disabled"},
        {CF_EIO, "the store did not say that it was done; ask again"},
        {CF_ETIME, "no answer in time, it may have been done; ask again"},
    };
    char what[CF_USERNAME_MAX + 32];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].rc == rc) {
            fprintf(stderr, "confab ctl: cannot %s '%s': %s\n", verb, name, texts[i].text);
            return CF_EXIT_FAILURE;
        }
    snprintf(what, sizeof what, "cannot %s '%s'", verb, name);
    return cf_ctl_failed(what, rc);
}

static int change(cf_ctl_t *self, char **words, int n, uint16_t type, const char *verb)
{
    if (n != 1)
        return CF_CTL_USAGE;
    cf_username_t asked = {cf_str(words[0])};
    uint8_t nothing;
    int rc = cf_bounds_name(asked.username)
                 ? cf_ctl_exchange(self, type, &asked, CF_MSG_DONE, &nothing)
                 : CF_ENOENT; /* nobody can have it */
    if (rc < 0)
        return failed(verb, words[0], rc);
    printf("%s is %sd\n", words[0], verb);
    return 0;
}

int cf_ctl_users_disable(cf_ctl_t *self, char **words, int n)
{
    return change(self, words, n, CF_MSG_DISABLE, "disable");
}

int cf_ctl_users_enable(cf_ctl_t *self, char **words, int n)
{
    return change(self, words, n, CF_MSG_ENABLE, "enable");
}
