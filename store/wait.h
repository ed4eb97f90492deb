/* store/wait.h: how a backend waits: through its owner's hook, or with poll(2) where there is none.
 */
#ifndef CF_WAIT_H
#define CF_WAIT_H

#include "store.h"

/* As cf_store_wait_t.wait: 0, CF_ETIME or CF_ECLOSING. */
int cf_wait(const cf_store_wait_t *wait, int fd, bool for_write, int64_t until_us);

#endif
