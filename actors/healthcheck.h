/* actors/healthcheck.h: asks the server of this configuration whether it lives, for who has no client at hand: an image
 * without a shell. */
#ifndef CF_HEALTHCHECK_H
#define CF_HEALTHCHECK_H

#include "config.h"

#define CF_HEALTHCHECK_MS 2000           /* for all of it */
#define CF_HEALTHCHECK_ANSWER_MAX 65536u /* bytes */

/* `confab healthcheck`: GET /livez of metrics.listen, where it is set, else of http.listen; on loopback where that is every
 * interface. Its certificate is not looked at: this host is asked, nothing is told to it, and what it serves is made for
 * other names. Says on stderr what is wrong. Returns an exit code: 0 it lives (200); 1 anything else. */
int cf_healthcheck(const cf_config_t *config);

#endif
