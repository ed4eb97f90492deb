#include "lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK (2u << 20) /* the resolver's modules are not ours, and take what they like */

struct cf_lookup {
    int fd;
};

/* A question, and the answer as far as it goes; owned by the thread. */
typedef struct {
    int fd;
    int entries;
    bool has_port_each; /* as many ports as hosts */
    char *hosts, *ports;
    cf_lookup_answer_t answer;
} job_t;

/* --- lists -------------------------------------------------------------------------------------
 */

static int count(const char *list)
{
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* Cuts the first entry off; *rest becomes NULL behind the last one. */
static char *next_entry(char **rest)
{
    char *entry = *rest, *comma = strchr(entry, ',');
    if (comma)
        *comma = '\0';
    *rest = comma ? comma + 1 : NULL;
    return entry;
}

static bool is_address(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static bool is_name(const char *host)
{
    return host[0] && host[0] != '/' && host[0] != '@' && !is_address(host);
}

bool cf_lookup_is_needed(const char *hosts, const char *ports)
{
    int ports_n = count(ports);
    if (ports_n != 1 && ports_n != count(hosts))
        return false;
    char *copy = strdup(hosts), *rest = copy;
    bool is_needed = !copy; /* the look-up finds that there is no memory */
    while (rest && !is_needed)
        is_needed = is_name(next_entry(&rest));
    free(copy);
    return is_needed;
}

/* --- the thread --------------------------------------------------------------------------------
 */

static void append(char *list, int entries, const char *entry)
{
    if (entries > 0)
        strcat(list, ",");
    strcat(list, entry);
}

static void add(job_t *job, const char *host, const char *address, const char *port)
{
    cf_lookup_answer_t *answer = &job->answer;
    if (job->entries == CF_LOOKUP_ENTRIES_MAX || strlen(host) > CF_LOOKUP_NAME_MAX ||
        strlen(address) > CF_LOOKUP_ADDRESS_MAX || strlen(port) > CF_LOOKUP_PORT_MAX)
        return;
    append(answer->hosts, job->entries, host);
    append(answer->addresses, job->entries, address);
    if (job->has_port_each)
        append(answer->ports, job->entries, port);
    job->entries++;
}

static void add_addresses(job_t *job, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char address[NI_MAXHOST];
    int rc =
        strlen(host) > CF_LOOKUP_NAME_MAX ? EAI_NONAME : getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0) {
        snprintf(job->answer.reason, sizeof job->answer.reason, "%.255s: %s", host,
                 gai_strerror(rc));
        return;
    }
    for (const struct addrinfo *at = found; at; at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0)
            add(job, host, address, port);
    freeaddrinfo(found);
}

static void free_job(job_t *job)
{
    if (job->fd >= 0)
        close(job->fd);
    free(job->hosts);
    free(job->ports);
    free(job);
}

static void *look_up(void *arg)
{
    job_t *job = arg;
    char *hosts = job->hosts, *ports = job->has_port_each ? job->ports : NULL;
    while (hosts) {
        const char *host = next_entry(&hosts);
        const char *port = ports ? next_entry(&ports) : ""; /* as many as hosts, or none */
        if (is_name(host))
            add_addresses(job, host, port);
        else
            add(job, host, "", port);
    }
    /* one packet, which the socket's buffer holds; or nobody is there */
    send(job->fd, &job->answer, sizeof job->answer, MSG_NOSIGNAL);
    free_job(job);
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------
 */

static int start_thread(job_t *job)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, look_up, job);
    pthread_attr_destroy(&attr);
    return rc == 0 ? 0 : CF_EIO;
}

static job_t *new_job(const char *hosts, const char *ports)
{
    job_t *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->fd = -1;
    job->has_port_each = count(ports) > 1;
    job->hosts = strdup(hosts);
    job->ports = strdup(ports);
    if (job->hosts && job->ports)
        return job;
    free_job(job);
    return NULL;
}

int cf_lookup_start(cf_lookup_t **out, const char *hosts, const char *ports)
{
    int ends[2] = {-1, -1}, rc = CF_ENOMEM;
    cf_lookup_t *self = calloc(1, sizeof *self);
    job_t *job = new_job(hosts, ports);
    if (self && job)
        rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? CF_EIO : 0;
    if (rc == 0) {
        self->fd = ends[0];
        job->fd = ends[1];
        rc = start_thread(job);
    }
    if (rc == 0) {
        *out = self;
        return 0;
    }
    if (job)
        free_job(job);
    if (ends[0] >= 0)
        close(ends[0]);
    free(self);
    return rc;
}

int cf_lookup_fd(const cf_lookup_t *self)
{
    return self->fd;
}

int cf_lookup_take(cf_lookup_t **self, cf_lookup_answer_t *out)
{
    ssize_t n = recv((*self)->fd, out, sizeof *out, MSG_DONTWAIT);
    cf_lookup_destroy(self);
    if (n != (ssize_t)sizeof *out)
        return CF_EIO;
    return out->hosts[0] || out->addresses[0] || !out->reason[0] ? 0 : CF_ENOENT;
}

void cf_lookup_destroy(cf_lookup_t **self)
{
    if (!*self)
        return;
    close((*self)->fd);
    free(*self);
    *self = NULL;
}
