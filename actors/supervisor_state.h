/* actors/supervisor_state.h: the state of the supervisor, for the files that together are it: supervisor.c (its life: signals, the
 * store that is waited for, the end in order) and supervisor_start.c (making the actors). Nobody else includes it. */
#ifndef CF_SUPERVISOR_STATE_H
#define CF_SUPERVISOR_STATE_H

#include "actor.h"
#include "http/certificate.h"
#include "local/local_server.h"
#include "local/notify.h"
#include "others.h"
#include "own_pages.h"
#include "password_policy.h"
#include "roles.h"
#include "store_choice.h"
#include "supervisor.h"

#define CF_SUPERVISOR_SHARES 32 /* of shutdown.timeout */

typedef struct {
    const cf_config_t *config;
    cf_bus_t bus;
    uint32_t roles;      /* bits, base/roles.h */
    cf_actor_t **actors; /* every actor but the supervisor, in order of making */
    cf_address_t *addresses;
    cf_address_t *told; /* of nodes that are gone; owned, borrowed by the actor that tells them */
    cf_address_t mesh;  /* which is told of nodes that are there */
    const char *endpoint, *public_key; /* of the mesh, which owns them; empty: there is none */
    uint32_t count, started, cap;
    cf_actor_t *self;
    int signals;
    int port;
    uint32_t opened; /* storage and readers that have the store */
    bool is_node;    /* the registry has this process */
    int64_t start_us;
    bool stopping;
    bool begins_anew; /* behind that */
    cf_others_t others;
    size_t step;
    uint32_t awaited;                        /* answers to the current step */
    uint64_t reload;                         /* number of the newest SIGHUP */
    uint32_t reload_awaited, reload_refused; /* gateways' answers to it */
    int64_t stopping_us;                     /* when that began */
    int64_t step_until_us;
    int exit_code;
    cf_notify_t manager;             /* who started this process, if it wants to know */
    int64_t next_check_us;           /* when stats is asked whether all is well, for the manager */
    cf_password_policy_t *passwords; /* owned */
    cf_own_pages_t *pages;           /* owned; NULL: the built-in one */
    cf_local_server_t *control;      /* owned until its actor is made; NULL: there is none */
    char url[CF_STORE_URL_MAX];
} cf_supervisor_t;

/* So much of shutdown.timeout. */
int64_t cf_supervisor_shares_us(const cf_supervisor_t *self, int64_t shares);
/* SQLite is one process's own: nobody else can be there. */
bool cf_supervisor_has_registry(const cf_supervisor_t *self);
bool cf_supervisor_has_role(const cf_supervisor_t *self, cf_role_t role);
bool cf_supervisor_has_tls(const cf_config_t *config);
cf_address_t cf_supervisor_address(const cf_supervisor_t *self, uint16_t kind, uint16_t index);

/* Makes and starts every actor that this node's roles need. What was started when another could not be is left as it is. */
int cf_supervisor_make(cf_supervisor_t *self);

#endif
