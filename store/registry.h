/* store/registry.h: who is a node of this chat; the table `nodes`, and `revocations`. All their times are the database's own, so
 * clocks of nodes are never compared.
 *
 * It has a connection of its own, as a heartbeat must not wait behind a batch of posts, and belongs to one thread. SQLite
 * has none: it is one process's own. Errors, where a member says no more: CF_EIO (the database is away or too slow; the next
 * call connects again), CF_ENOMEM. */
#ifndef CF_REGISTRY_H
#define CF_REGISTRY_H

#include "store.h"

typedef struct cf_registry cf_registry_t;

typedef enum {
    CF_NODE_LEFT = 1, /* by itself, when it stopped */
    CF_NODE_LATE,     /* its heartbeats were missing */
    CF_NODE_CUT_OFF,  /* others did not hear it, or it them */
    CF_NODE_REPLACED, /* a process of its name and endpoint has entered */
} cf_node_end_t;

typedef struct {
    uint32_t number;     /* of one process, from its start to its end; 1.. */
    cf_str_t name;       /* 1..CF_NODE_NAME_MAX bytes */
    cf_str_t endpoint;   /* of its mesh, up to CF_NODE_ENDPOINT_MAX bytes; empty: none */
    cf_str_t public_key; /* CF_NODE_KEY_SIZE bytes, Z85; empty with the endpoint */
    uint32_t version;    /* of the messages it speaks */
    uint32_t roles;      /* bits, base/roles.h */
} cf_node_t;

typedef struct {
    uint32_t number;
    int64_t gone_after_us; /* without a heartbeat; the same at all nodes */
    const uint32_t
        *unheard; /* nodes that this one has not heard for as long, of those it was told of */
    uint32_t unheard_count; /* up to CF_NODES_MAX */
    bool
        waited; /* for one of them so much longer that all others have said whom they do not hear */
} cf_heartbeat_t;

/* Borrows its argument for the call. */
typedef void cf_node_row_fn(void *arg, const cf_node_t *node);

/* A session that was ended, or all of a user. */
typedef struct {
    bool is_user;     /* all sessions of `id` */
    cf_id_t id;       /* of a session or of a user */
    int64_t asked_us; /* of a user: by the clock of whoever asked, to tell it from another time */
    uint8_t token_hash[CF_TOKEN_HASH_SIZE]; /* of a session */
} cf_ended_t;

/* Borrows its argument for the call. Below 0: it could not be told, and comes again. */
typedef int cf_ended_row_fn(void *arg, const cf_ended_t *ended);

/* Whom a heartbeat tells, all with this argument. */
typedef struct {
    cf_node_row_fn
        *node; /* every node that is there, in the order they entered, this one included */
    cf_ended_row_fn
        *ended; /* sessions ended since this registry was entered, by whomever; each once, and
                   again only if memory was short */
    void *arg;
} cf_view_t;

/* What enter() answers. */
typedef struct {
    cf_id_t limit_key;     /* with 0: drawn at random when the tables were made, the same for all */
    int64_t gone_after_us; /* with CF_ERANGE: of one that is there */
} cf_entry_t;

typedef struct {
    /* This process is a node from here on. One of the same name and endpoint is gone then: it cannot be
     * there. CF_EEXIST: one of this name and another endpoint is there. CF_EPERM: others are there, and could not be
     * talked to, as this one or they have no endpoint. CF_ECONFLICT: one of another name has this public key: links go by keys,
     * so each would take the other's. CF_ERANGE: one that is there has another gone_after_us: whoever has the shorter one
     * would mark it gone while its lease holds. CF_EFULL: CF_NODES_MAX are there. CF_ESTALE: this number is used up. To be
     * repeated after CF_EIO, also if it happened. */
    int (*enter)(cf_registry_t *self, const cf_node_t *node, int64_t gone_after_us,
                 cf_entry_t *entry);

    /* A heartbeat. Marks gone who has been without one for too long, if this node has been steady for as long:
     * without two thirds of it between two of its own (after an outage all are late), and one of those who do not hear each other: who has most of
     * such; of several with as many the one that entered last, but only if this node has waited or just two are there, as who is
     * first to write would else find no more than that two do not hear each other, and could be rid of the wrong one. Then it tells view of those who are there, and of sessions that
     * have ended. CF_ESTALE: this one is gone for ever, *why is set, nothing was delivered. */
    int (*beat)(cf_registry_t *self, const cf_heartbeat_t *beat, const cf_view_t *view,
                cf_node_end_t *why);

    /* This node is gone, by itself; also if it was before. */
    int (*leave)(cf_registry_t *self, uint32_t number);
    void (*close)(cf_registry_t *self);
} cf_registry_ops_t;

struct cf_registry {
    const cf_registry_ops_t *ops;
};

/* Of config: url (postgres://...), statement_ms, connection_ttl_us, wait. Nothing is asked yet: the tables are made by
 * whoever opens the store as WRITER, and until then calls fail with CF_EIO. 0 or CF_ENOMEM. */
int cf_postgres_registry_open(cf_registry_t **out, const cf_store_config_t *config);

#endif
