/* transports/link/bus.h: which endpoint an address stands for.
 *
 * Made before the first thread, the same for all of them, never changed while they run. An actor of
 * this node is inproc://KIND-INDEX; what is for other nodes goes to this one's mesh, which has links to them.
 */
#ifndef CF_BUS_H
#define CF_BUS_H

#include "wire/address.h"

#include <stdbool.h>

#define CF_BUS_NODES_MAX 64
#define CF_ENDPOINT_MAX 128

typedef struct {
    void *zmq;     /* the ZeroMQ context; owned */
    uint32_t node; /* this process */
    struct {
        uint32_t node;
        char endpoint[CF_ENDPOINT_MAX];
    } nodes[CF_BUS_NODES_MAX]; /* others that are reached without a mesh, for tests */
    uint32_t others;
    bool has_mesh; /* what is for all other nodes goes there */
    bool trace;    /* log every message that passes a link, at level debug */
    bool contain;  /* for tests: a message of ours that cannot be read does not abort the process */
} cf_bus_t;

/* Returns 0 or CF_ENOMEM. */
int cf_bus_init(cf_bus_t *bus, uint32_t node);
/* Reach another node here. CF_EFULL, CF_ERANGE (endpoint too long). */
int cf_bus_add_node(cf_bus_t *bus, uint32_t node, const char *endpoint);
/* Writes the endpoint of an address; CF_ENOENT for a node nobody named, without a mesh. */
int cf_bus_endpoint(const cf_bus_t *bus, cf_address_t address, char out[CF_ENDPOINT_MAX]);
cf_address_t cf_bus_mesh(const cf_bus_t *bus);
void cf_bus_close(cf_bus_t *bus); /* every socket must be closed */

#endif
