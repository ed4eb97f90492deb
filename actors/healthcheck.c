#include "healthcheck.h"

#include "err.h"
#include "http_client/http_client.h"
#include "roles.h"
#include "supervisor.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 320u
#define OK 200

/* What is bound to every interface is asked on loopback. */
static const struct {
    const char *bound, *asked;
} hosts[] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "confab healthcheck: %s: %s\n", what, why);
    return CF_EXIT_FAILURE;
}

/* 0; CF_ENOENT: there is no port that could be known. */
static int find(char url[URL_MAX], const cf_config_t *config)
{
    bool is_observer = config->metrics_listen[0] != '\0';
    bool has_tls = !is_observer && config->http_tls_cert_file[0] != '\0';
    const char *listen = is_observer ? config->metrics_listen : config->http_listen, *host = "";
    const char *colon = strrchr(listen, ':');
    if (!is_observer && !(cf_roles_of(config->node_roles) & CF_ROLE_ROOMS))
        return CF_ENOENT; /* http.listen is not opened */
    if (!colon || strcmp(colon, ":0") == 0)
        return CF_ENOENT;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strncmp(listen, hosts[i].bound, strlen(hosts[i].bound)) == 0) {
            host = hosts[i].asked;
            listen += strlen(hosts[i].bound);
            break;
        }
    snprintf(url, URL_MAX, "%s://%s%s/livez", has_tls ? "https" : "http", host, listen);
    return 0;
}

typedef struct {
    const char *url;
    bool has_ended;
    int code;
} question_t;

static void on_done(void *arg, const cf_http_answer_t *answer)
{
    question_t *self = arg;
    char status[32];
    snprintf(status, sizeof status, "status %d", answer->status);
    self->has_ended = true;
    self->code = 0;
    if (answer->rc < 0)
        self->code = failed(self->url, answer->reason);
    else if (answer->status != OK)
        self->code = failed(self->url, status);
}

int cf_healthcheck(const cf_config_t *config)
{
    char url[URL_MAX];
    question_t question = {.url = url};
    cf_http_client_t *client = NULL;
    cf_http_request_t *request;
    if (find(url, config) < 0)
        return failed("nothing to ask", "set metrics.listen or http.listen to a port");
    cf_http_client_config_t options = {.requests_max = 1,
                                       .body_max = CF_HEALTHCHECK_ANSWER_MAX,
                                       .trusted = url,
                                       .trusted_is_this_host = true,
                                       .agent = cf_agent};
    int rc = cf_http_client_new(&client, &options);
    if (rc == 0)
        rc = cf_http_client_get(client, url, CF_HEALTHCHECK_MS, on_done, &question, &request);
    while (rc == 0 && !question.has_ended) /* the client ends the request in its time */
        cf_http_client_wait(client);
    if (rc < 0)
        question.code = failed(url, cf_err_text(rc));
    if (client)
        cf_http_client_destroy(&client);
    return question.code;
}
