/* actors/store_link.h: an actor's connection to the store, kept up.
 *
 * Opens it, tries again with a jittered back-off while it is away, pings it once a second while it
 * is there, and tells stats by STORE_STATE: at every change and once a second. It is "up" while calls
 * of every kind do what they should: one that failed is made up for by a later one of its kind, or by
 * the owner's check of it, once none has failed for CF_STORE_LINK_QUIET_US. A ping proves that calls
 * may be tried, no more; they are refused between a failure and the next good ping. The supervisor hears
 * by STORE_OPENED, once, that it is open or never can be. Waits of the store go through
 * cf_actor_wait, so the actor goes on answering PROBE; a call that hangs is reported as "down"
 * before its deadline. An actor that is to end gives up opening. Part of storage and of each reader,
 * runs on their thread. */
#ifndef CF_STORE_LINK_H
#define CF_STORE_LINK_H

#include "actor.h"
#include "lookup.h"
#include "store.h"

typedef struct {
    cf_actor_t *actor; /* whose connection it is; borrowed */
    const char *url;   /* borrowed for the life of the link */
    cf_store_role_t role;
    int statement_ms;
    int64_t key_ttl_us;
    int64_t connection_ttl_us;
    bool
        is_replica; /* the actor can do without: nobody is told of it, and it is tried again less often */
    bool is_held; /* not to be opened before cf_store_link_release() */
    /* Set by storage and reader: make a cheap call of each of these kinds (bits), which changes
     * nothing. Returns the first one's error. */
    int (*check)(cf_store_t *store, uint32_t kinds);
    /* Kinds below this are checked in turn, one with each ping, while all is well: who is asked
     * nothing would not know. */
    unsigned checked_kinds;
} cf_store_link_config_t;

/* A store that fails now and then is down, and not up and down. */
#define CF_STORE_LINK_QUIET_US INT64_C(5000000)

typedef struct cf_store_link_kind cf_store_link_kind_t;

typedef struct {
    cf_store_link_config_t config;
    const cf_store_link_kind_t *kind; /* the store, or a replica */
    cf_store_t *store;                /* owned; NULL until the first success of cf_store_open() */
    cf_lookup_t *lookup;              /* owned; goes on between two attempts to open */
    bool up;                          /* the last call was answered: others may be made */
    bool well;                        /* and no kind of them has failed since it last succeeded */
    uint32_t failing;                 /* kinds that have; bits */
    int64_t failed_us;                /* when the last one did */
    unsigned next_kind;               /* to be checked next */
    bool told_up;                     /* what stats heard last */
    bool has_told;
    bool used;          /* since the last STORE_STATE */
    uint32_t failures;  /* in a row */
    int last_rc;        /* why it could not be opened; logged when it changes */
    bool is_held;       /* see the configuration */
    bool is_useless;    /* trying again is of no use */
    bool has_said;      /* the supervisor was told that it is open, or useless */
    int64_t latency_us; /* of the last ping */
    int64_t next_try_us, next_tell_us;
    int64_t hang_us;   /* a call running past this is reported; INT64_MAX: none runs */
    int64_t called_us; /* when it began */
} cf_store_link_t;

void cf_store_link_init(cf_store_link_t *self, const cf_store_link_config_t *config);
/* From the actor's `begin`: the first attempt to open, unless held. What arrives meanwhile waits for
 * its outcome, and is not refused at a start on a store that is there. */
void cf_store_link_begin_life(cf_store_link_t *self);
/* May be opened; `due` does it. */
void cf_store_link_release(cf_store_link_t *self);
/* The store; NULL while it is away. Every call of it stands between begin and end, which counts and
 * notes a failure; kind is one of the owner's, below 32. Returns what it took, microseconds. */
cf_store_t *cf_store_link_begin(cf_store_link_t *self);
int64_t cf_store_link_end(cf_store_link_t *self, unsigned kind, int rc);
/* To be called from the actor's `due`: reconnect, ping, report. Returns when to come again. */
int64_t cf_store_link_due(cf_store_link_t *self, cf_turn_t *turn);
void cf_store_link_close(cf_store_link_t *self);

#endif
