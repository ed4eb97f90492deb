#include "peer_name.h"

#include "err.h"
#include "log.h"
#include "network.h"
#include "str.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "tcp://"

/* With brackets and zone, if it has them. */
static bool is_address(const char *host)
{
    uint8_t address[16];
    char text[CF_NODE_ENDPOINT_MAX + 1];
    snprintf(text, sizeof text, "%s", host + (host[0] == '['));
    text[strcspn(text, "]%")] = '\0';
    return cf_network_address(address, cf_str(text));
}

bool cf_peer_name_init(cf_peer_name_t *out, const char *endpoint)
{
    *out = (cf_peer_name_t){0};
    const char *host = endpoint + strlen(SCHEME), *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, SCHEME, strlen(SCHEME)) != 0 || colon <= host)
        return false;
    snprintf(out->port, sizeof out->port, "%s", colon + 1);
    snprintf(out->host, sizeof out->host, "%.*s", (int)(colon - host), host);
    if (is_address(out->host))
        out->host[0] = '\0';
    return out->host[0] != '\0';
}

void cf_peer_name_forget(cf_peer_name_t *self)
{
    cf_lookup_destroy(&self->lookup);
    self->host[0] = '\0';
}

int64_t cf_peer_name_due_us(const cf_peer_name_t *self, int64_t heard_us)
{
    if (!self->host[0] || self->lookup)
        return INT64_MAX;
    int64_t silent_us = heard_us ? heard_us + CF_PEER_NAME_AGAIN_US : 0;
    return silent_us > self->next_us ? silent_us : self->next_us;
}

static void wait_a_while(cf_peer_name_t *self, int64_t boot_us)
{
    self->next_us =
        boot_us + CF_PEER_NAME_AGAIN_US + randombytes_uniform((uint32_t)CF_PEER_NAME_AGAIN_US);
}

int cf_peer_name_ask(cf_peer_name_t *self, int64_t boot_us)
{
    wait_a_while(self, boot_us);
    int rc = cf_lookup_start(&self->lookup, self->host, "");
    return rc < 0 ? rc : cf_lookup_fd(self->lookup);
}

void cf_peer_name_give_up(cf_peer_name_t *self)
{
    cf_lookup_destroy(&self->lookup);
}

/* One of the addresses: they are separated by commas, and empty if the host was no name to the resolver. */
static const char *one_of(char *addresses, uint32_t turn)
{
    uint32_t count = 1;
    for (const char *at = addresses; (at = strchr(at, ',')); at++)
        count++;
    for (turn %= count; turn > 0; turn--)
        addresses = strchr(addresses, ',') + 1;
    addresses[strcspn(addresses, ",")] = '\0';
    return addresses;
}

bool cf_peer_name_answer(cf_peer_name_t *self, int64_t boot_us)
{
    cf_lookup_answer_t answer;
    char endpoint[CF_ENDPOINT_MAX];
    if (!self->lookup)
        return false;
    struct pollfd readable = {.fd = cf_lookup_fd(self->lookup), .events = POLLIN};
    if (poll(&readable, 1, 0) != 1)
        return false;
    wait_a_while(self, boot_us);
    int rc = cf_lookup_take(&self->lookup, &answer);
    const char *address = rc == 0 ? one_of(answer.addresses, self->turn++) : "";
    if (!address[0]) {
        cf_log_warn("no address for another node", CF_STR("host", self->host),
                    CF_STR("reason", rc == CF_ENOENT ? answer.reason : ""));
        return false;
    }
    int n = strchr(address, ':')
                ? snprintf(endpoint, sizeof endpoint, SCHEME "[%s]:%s", address, self->port)
                : snprintf(endpoint, sizeof endpoint, SCHEME "%s:%s", address, self->port);
    if (n >= (int)sizeof endpoint || strcmp(endpoint, self->found) == 0)
        return false;
    memcpy(self->found, endpoint, sizeof self->found);
    return true;
}
