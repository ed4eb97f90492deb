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

int cf_bus_endpoint(const cf_bus_t *bus, cf_address_t address, char out[CF_ENDPOINT_MAX])
{
    if (address.node == bus->node) {
        snprintf(out, CF_ENDPOINT_MAX, "inproc://%s-%u", cf_actor_name(address.kind),
                 address.index);
        return 0;
    }
    for (uint32_t i = 0; i < bus->others; i++)
        if (bus->nodes[i].node == address.node) {
            strcpy(out, bus->nodes[i].endpoint);
            return 0;
        }
    return CF_ENOENT;
}

void cf_bus_close(cf_bus_t *bus)
{
    if (bus->zmq)
        zmq_ctx_term(bus->zmq);
    bus->zmq = NULL;
}
