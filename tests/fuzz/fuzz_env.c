/* Any bytes as a .env file: what is taken has a name and one value, and never overrides. */
#include "config_env.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const environment[] = {"SET=1", "EMPTY=", NULL};
    const char *const *all = NULL;
    cf_arena_t arena = {0};
    cf_buf_t report = {0};
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    int rc = cf_config_env_join(&all, environment, (cf_str_t){copy, (uint32_t)size}, ".env", &arena,
                                &report);
    check(rc == 0 || rc == CF_EPROTO || rc == CF_ENOMEM);
    check((rc == CF_EPROTO) == (report.size > 0));
    if (rc == 0) {
        check(all[0] == environment[0] && all[1] == environment[1]);
        size_t n = 2;
        for (; all[n]; n++) {
            const char *equals = strchr(all[n], '=');
            check(equals && equals > all[n] && strncmp(all[n], "SET=", 4) &&
                  strncmp(all[n], "EMPTY=", 6));
            for (size_t i = 2; i < n; i++)
                check(strncmp(all[i], all[n], (size_t)(equals - all[n]) + 1) != 0);
        }
        check(n <= 2 + CF_CONFIG_ENV_MAX);
    }
    cf_arena_free(&arena);
    cf_buf_free(&report);
    free(copy);
    return 0;
}
