/* actors/supervisor.h: makes every actor, stops them in order; the main thread.
 *
 *     SIGTERM, SIGINT   DRAIN to stats (readiness red), gateways (no new work, answers out, close
 * 1001), rooms, storage; then STOP to all, gateways last. A second one ends the
 *                       process at once; what was acknowledged is stored
 *     SIGHUP            RELOAD to the gateways, when they speak TLS: certificate and key are read
 *                       again. Every other setting needs a restart
 *     DONE, REFUSED     the answers; when all are in, what came of it is logged
 *     DRAINED, STOPPED  the answers
 *     STORE_OPENED      storage has the store: to the readers, which open it then. When all have it the
 *                       log says "serving". Who can never have it ends the process, and so does
 *                       store.start_wait, then with CF_EXIT_UNAVAILABLE
 *     HEALTH_STATE      stats' answer to HEALTH, which it is sent as often as the service manager wants to hear that the process lives
 *     FENCED            this node is gone for the others: what it knew is worth nothing, and it may write
 *                       nothing. CLOSE to the gateways (1012), STOP to all, and the process begins anew; or ends, with
 *                       CF_EXIT_UNAVAILABLE, if another process of its name is there
 *
 * Whoever started the process by the protocol of local/notify.h is told READY when it serves, RELOADING and READY around what
 * SIGHUP brings, STOPPING when it ends, and that it lives while /livez is green. */
#ifndef CF_SUPERVISOR_H
#define CF_SUPERVISOR_H

#include "config.h"
#include "http/certificate.h"

#define CF_EXIT_FAILURE 1
#define CF_EXIT_UNAVAILABLE 69  /* EX_UNAVAILABLE of sysexits.h */
#define CF_SUPERVISOR_ANEW (-1) /* not an exit code */

#ifdef __SANITIZE_THREAD__
#define CF_SUPERVISOR_STACK (2u << 20) /* ThreadSanitizer keeps 0.8 MiB of its own on every stack */
#else
#define CF_SUPERVISOR_STACK (256u << 10)
#endif
#define CF_SUPERVISOR_DEEP_STACK                                                                   \
    (1024u << 10) /* TLS, SQL and JSON parsers go deeper than our own code */

/* How the gateways speak TLS; cert_file is NULL when they do not. Borrows from config. */
cf_certificate_config_t cf_supervisor_certificate(const cf_config_t *config);
/* Run the server until it is told to stop. Returns the exit code of the process, or CF_SUPERVISOR_ANEW: it is to
 * begin anew. */
int cf_supervisor_run(const cf_config_t *config);

#endif
