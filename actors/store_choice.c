#include "store_choice.h"

#include "err.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int cf_store_choose(const cf_config_t *config, char out[CF_STORE_URL_MAX])
{
    int size = config->store_url[0]
                   ? snprintf(out, CF_STORE_URL_MAX, "%s", config->store_url)
                   : snprintf(out, CF_STORE_URL_MAX, "sqlite:%s/confab.db", config->node_data_dir);
    return size < CF_STORE_URL_MAX ? 0 : CF_ERANGE;
}

int cf_store_make_folder(const cf_config_t *config)
{
    if (mkdir(config->node_data_dir, 0700) == 0 || errno == EEXIST)
        return 0;
    cf_log_error("cannot make the data folder", CF_STR("path", config->node_data_dir),
                 CF_ERRNO(errno));
    return CF_EIO;
}

int cf_store_open_chosen(cf_store_t **out, char url[CF_STORE_URL_MAX], const cf_config_t *config,
                         cf_store_role_t role)
{
    int rc = cf_store_choose(config, url);
    if (rc == 0 && role == CF_STORE_WRITER)
        rc = cf_store_make_folder(config);
    if (rc == 0)
        rc = cf_store_open(
            out, &(cf_store_config_t){.url = url,
                                      .role = role,
                                      .statement_ms = (int)config->store_statement_timeout_ms,
                                      .key_ttl_us = config->store_key_ttl_ms * 1000});
    if (rc < 0)
        cf_log_error("cannot open the store", CF_ERR(rc));
    return rc;
}
