/* actors/ctl.h: `confab ctl`: asks the running server, over its control socket. docs/control.md. */
#ifndef CF_CTL_H
#define CF_CTL_H

#include "config.h"

/* words: what follows `ctl`. Prints what came of it. Returns an exit code: 0; 1 some of it was refused or failed; 2
 * wrong usage; CF_EXIT_UNAVAILABLE: no server at that socket. */
int cf_ctl(const cf_config_t *config, char **words, int n);

#endif
