#include "descriptors.h"

#include "local/local_server.h"

#include <limits.h>
#include <sys/resource.h>

void cf_descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* For each other node a socket's and a connection's, two of these while one follows another, and two while its name is
 * looked up; those of who listens and of who answers for keys; what all are waited for by; handshakes; the actors that send to it, and those that it sends to. */
static long mesh_descriptors(const cf_config_t *config)
{
    if (!config->mesh_listen[0])
        return 0;
    long here = config->rooms_threads_max + config->gateway_count + config->store_readers + 6;
    return 5 * (long)config->mesh_allowed_keys.count + 4 + CF_DESCRIPTORS_HANDSHAKES + 3 + 2 * here;
}

/* Room threads and gateways send to nearly everybody, the rest to a few. */
long cf_descriptors_for_actors(const cf_config_t *config)
{
    long rooms = config->rooms_threads_max, gateways = config->gateway_count,
         readers = config->store_readers, hashers = config->auth_hash_workers;
    long tracer = config->trace_url[0] ? 1 : 0;
    long per_room_thread =
        3 + gateways + readers + 5 + tracer; /* lobby, storage, bot, stats, supervisor */
    long per_gateway = 4 + rooms + readers + 6 + tracer; /* its timer; and accounts, limiter */
    long others = 13 + readers + hashers + tracer; /* the observer, control and nodes among them */
    long per_other = 3 + rooms + gateways + readers + hashers;
    /* a socket, and two while a name is being looked up, one of which may stay a while */
    long quotes = 4L * config->stock_in_flight_max;
    long collector = 6 * tracer; /* the same; storage and the bot send to it */
    long replicas = config->store_replica_url[0] ? 4 * readers : 0; /* the same for a name */
    return rooms * per_room_thread + gateways * per_gateway + others * per_other + quotes +
           collector + replicas + CF_LOCAL_DESCRIPTORS + mesh_descriptors(config);
}

int cf_descriptors_for_connections(const cf_config_t *config)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        limit.rlim_cur = INT_MAX;
    long left = (long)limit.rlim_cur - cf_descriptors_for_actors(config) - CF_DESCRIPTORS_SPARE;
    if (config->http_tls_cert_file[0])
        left /= CF_DESCRIPTORS_TLS;
    return config->http_connections_max && config->http_connections_max < left
               ? config->http_connections_max
               : (int)left;
}
