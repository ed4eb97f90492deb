#include "store_choice.h"

#include "err.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int cf_store_choose(const cf_config_t *config, char out[CF_STORE_URL_MAX])
{
    int size;
    if (mkdir(config->node_data_dir, 0700) < 0 && errno != EEXIST) {
        cf_log_error("cannot make the data folder", CF_STR("path", config->node_data_dir),
                     CF_ERRNO(errno));
        return CF_EIO;
    }
    if (config->store_url[0]) {
        size = snprintf(out, CF_STORE_URL_MAX, "%s", config->store_url);
        return size < CF_STORE_URL_MAX ? 0 : CF_ERANGE;
    }
    size = snprintf(out, CF_STORE_URL_MAX, "sqlite:%s/confab.db", config->node_data_dir);
    return size < CF_STORE_URL_MAX ? 0 : CF_ERANGE;
}
