#include "gateway_routes.h"

#include <stdio.h>

static const cf_route_t routes[] = {
    {{CF_METHOD_POST, "/api/v1/auth/register", CF_ACCESS_ANYONE}, cf_route_register, CF_LIMIT_AUTH},
    {{CF_METHOD_POST, "/api/v1/auth/login", CF_ACCESS_ANYONE}, cf_route_login, CF_LIMIT_AUTH},
    {{CF_METHOD_GET, "/api/v1/auth/me", CF_ACCESS_SESSION}, cf_route_me, CF_LIMIT_API},
    {{CF_METHOD_POST, "/api/v1/auth/logout", CF_ACCESS_SESSION}, cf_route_logout, CF_LIMIT_API},
    {{CF_METHOD_GET, "/api/v1/chatrooms", CF_ACCESS_SESSION}, cf_route_list, CF_LIMIT_API},
    {{CF_METHOD_POST, "/api/v1/chatrooms", CF_ACCESS_SESSION}, cf_route_create, CF_LIMIT_API},
    {{CF_METHOD_POST, "/api/v1/chatrooms/{id}/join", CF_ACCESS_SESSION},
     cf_route_join,
     CF_LIMIT_API},
    {{CF_METHOD_GET, "/api/v1/chatrooms/{id}/messages", CF_ACCESS_SESSION},
     cf_route_history,
     CF_LIMIT_API},
    {{CF_METHOD_GET, "/ws/chat/{id}", CF_ACCESS_SOCKET}, cf_route_socket, CF_LIMIT_UPGRADES},
    {{CF_METHOD_GET, "/api/v1/ws/chat/{id}", CF_ACCESS_SOCKET}, cf_route_socket, CF_LIMIT_UPGRADES},
    {{CF_METHOD_GET, "/health", CF_ACCESS_PROBE}, cf_route_health, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/api/v1/health", CF_ACCESS_PROBE}, cf_route_health, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/health/ready", CF_ACCESS_PROBE}, cf_route_ready, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/api/v1/health/ready", CF_ACCESS_PROBE}, cf_route_ready, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/readyz", CF_ACCESS_PROBE}, cf_route_ready, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/livez", CF_ACCESS_PROBE}, cf_route_live, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/metrics", CF_ACCESS_PROBE}, cf_route_metrics, CF_LIMIT_NONE},
    {{CF_METHOD_GET, "/openapi.json", CF_ACCESS_ANYONE}, cf_route_openapi, CF_LIMIT_NONE},
};
#define ROUTES (sizeof routes / sizeof routes[0])
_Static_assert(ROUTES < UINT8_MAX - CF_ROUTE_FILE, "a path's label is one byte");

/* One slash behind a path of the API is ignored: clients differ in it. */
static bool is_at_end(cf_str_t path, const char *at)
{
    static const char api[] = "/api/";
    const char *end = path.bytes + path.size;
    bool is_api = path.size > sizeof api - 1 && memcmp(path.bytes, api, sizeof api - 1) == 0;
    return at == end || (is_api && at + 1 == end && *at == '/');
}

/* Does path fit the template? *id gets the segment in place of {id}. */
static bool fits(const char *template, cf_str_t path, cf_str_t *id)
{
    const char *at = path.bytes, *end = path.bytes + path.size;
    for (; *template; template ++) {
        if (*template != '{') {
            if (at >= end || *at++ != *template)
                return false;
            continue;
        }
        const char *stop = memchr(at, '/', (size_t)(end - at));
        if (!stop)
            stop = end;
        *id = (cf_str_t){at, (uint32_t)(stop - at)};
        at = stop;
        template += 3; /* onto the closing brace */
    }
    return is_at_end(path, at);
}

/* The number of the first route of that path, behind the two labels that are no routes. */
static uint8_t label_of(size_t i)
{
    size_t first = 0;
    while (strcmp(routes[first].info.path, routes[i].info.path) != 0)
        first++;
    return (uint8_t)(CF_ROUTE_FILE + 1 + first);
}

void cf_route_match(cf_route_match_t *out, const cf_request_t *request)
{
    cf_method_t method = request->method == CF_METHOD_HEAD ? CF_METHOD_GET : request->method;
    size_t used = 0;
    *out = (cf_route_match_t){.label = CF_ROUTE_UNMATCHED};
    for (size_t i = 0; i < ROUTES; i++) {
        if (!fits(routes[i].info.path, request->path, &out->id))
            continue;
        out->label = label_of(i);
        if (routes[i].info.method == method) {
            out->route = &routes[i];
            return;
        }
        used += (size_t)snprintf(out->allow + used, sizeof out->allow - used, "Allow: %s\r\n",
                                 cf_route_method_name(routes[i].info.method));
    }
}

bool cf_route_info(size_t i, cf_route_info_t *out)
{
    if (i < ROUTES)
        *out = routes[i].info;
    return i < ROUTES;
}

const char *cf_route_label(uint8_t path)
{
    size_t i = (size_t)path - CF_ROUTE_FILE - 1;
    if (path == CF_ROUTE_FILE)
        return "file";
    return path > CF_ROUTE_FILE && i < ROUTES ? routes[i].info.path : "unmatched";
}

const char *cf_route_method_name(cf_method_t method)
{
    static const char *const names[] = {
        [CF_METHOD_GET] = "GET", [CF_METHOD_HEAD] = "HEAD",     [CF_METHOD_POST] = "POST",
        [CF_METHOD_PUT] = "PUT", [CF_METHOD_DELETE] = "DELETE", [CF_METHOD_OPTIONS] = "OPTIONS",
    };
    bool is_known = (size_t)method < sizeof names / sizeof names[0] && names[method];
    return is_known ? names[method] : "other";
}
