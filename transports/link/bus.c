#include "link/bus.h"
#include "err.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ZMQ_SOCKETS_MAX 60000 /* libzmq's own limit is 1023; what really bounds them is NOFILE */

int cf_bus_init(cf_bus_t *bus, uint32_t node)
{
    *bus = (cf_bus_t){.zmq = zmq_ctx_new(), .node = node};
    if (!bus->zmq)
        return CF_ENOMEM;
    zmq_ctx_set(bus->zmq, ZMQ_IO_THREADS, 1);
    zmq_ctx_set(bus->zmq, ZMQ_MAX_SOCKETS, ZMQ_SOCKETS_MAX);
    return 0;
}

int cf_bus_add_node(cf_bus_t *bus, uint32_t node, const char *endpoint)
{
    if (bus->others == CF_BUS_NODES_MAX)
        return CF_EFULL;
    if (strlen(endpoint) >= CF_ENDPOINT_MAX)
        return CF_ERANGE;
    bus->nodes[bus->others].node = node;
    strcpy(bus->nodes[bus->others++].endpoint, endpoint);
    return 0;
}

static void put_local(cf_address_t address, char out[CF_ENDPOINT_MAX])
{
    snprintf(out, CF_ENDPOINT_MAX, "inproc://%s-%u", cf_actor_name(address.kind), address.index);
}

int cf_bus_endpoint(const cf_bus_t *bus, cf_address_t address, char out[CF_ENDPOINT_MAX])
{
    if (address.node == bus->node) {
        put_local(address, out);
        return 0;
    }
    for (uint32_t i = 0; i < bus->others; i++)
        if (bus->nodes[i].node == address.node) {
            strcpy(out, bus->nodes[i].endpoint);
            return 0;
        }
    if (!bus->has_mesh)
        return CF_ENOENT;
    put_local(cf_bus_mesh(bus), out);
    return 0;
}

cf_address_t cf_bus_mesh(const cf_bus_t *bus)
{
    return (cf_address_t){bus->node, CF_ACTOR_MESH, 0};
}

void cf_bus_close(cf_bus_t *bus)
{
    if (bus->zmq)
        zmq_ctx_term(bus->zmq);
    bus->zmq = NULL;
}
