/* actors/routes.h: the routes of a gateway, as others may know them: tests hold docs/openapi.json to them,
 * metrics name them. What each does is in gateway_routes.c. */
#ifndef CF_ROUTES_H
#define CF_ROUTES_H

#include "http/server.h"

typedef enum {
    CF_ACCESS_PROBE, /* anyone, also while draining */
    CF_ACCESS_ANYONE,
    CF_ACCESS_SESSION,
    CF_ACCESS_SOCKET /* a session and a room one is a member of */
} cf_access_t;

/* What stands for all paths that are no route, and for the files of the web page. */
#define CF_ROUTE_UNMATCHED 0
#define CF_ROUTE_FILE 1

typedef struct {
    cf_method_t method;
    const char *path; /* one segment may be {id}: a room */
    cf_access_t access;
} cf_route_info_t;

/* The document that describes them to clients: docs/openapi.json, served at /openapi.json. */
extern const unsigned char cf_openapi[];
extern const size_t cf_openapi_size;

/* The i-th route, from 0; false past the last. */
bool cf_route_info(size_t i, cf_route_info_t *out);
/* The template that a path index of cf_series_key_t stands for; never NULL. */
const char *cf_route_label(uint8_t path);
/* "GET"; "other" for a method that no route has. */
const char *cf_route_method_name(cf_method_t method);

#endif
