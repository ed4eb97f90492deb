/* gateway_pages.c: the files of the web page, from memory. */
#include "gateway_routes.h"

#include "web.h"

#include <stdio.h>

#define HEADERS_MAX 600

/* Kept for a year where the path changes with the bytes; asked for again, by its tag, elsewhere. */
static const char *caching(const cf_web_file_t *file)
{
    return file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache";
}

/* If-None-Match is a list of tags or "*"; ours contain neither commas nor quotes, so one is in the list
 * where its text is found (RFC 9110, 13.1.2; weak comparison). */
static bool has_it(cf_str_t if_none_match, const char *etag)
{
    return cf_str_equal(if_none_match, cf_str("*")) ||
           (if_none_match.size &&
            memmem(if_none_match.bytes, if_none_match.size, etag, strlen(etag)));
}

static void serve(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request,
                  const cf_web_file_t *file)
{
    char headers[HEADERS_MAX];
    snprintf(headers, sizeof headers,
             "Cache-Control: %s\r\nETag: %s\r\nContent-Security-Policy: " CF_WEB_CSP "\r\n"
             "Cross-Origin-Opener-Policy: same-origin\r\n",
             caching(file), file->etag);
    if (has_it(request->if_none_match, file->etag))
        cf_http_respond_as(self, client, 304, NULL, headers, NULL, 0);
    else
        cf_http_respond_as(self, client, 200, file->content_type, headers, file->bytes, file->size);
}

bool cf_pages_serve(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    const cf_web_file_t *file = cf_web_find(request->path.bytes, request->path.size);
    const char *to = cf_web_find_moved(request->path.bytes, request->path.size);
    char location[64];
    if (!file && !to)
        return false;
    client->exchange->label = CF_ROUTE_FILE;
    if (request->method != CF_METHOD_GET && request->method != CF_METHOD_HEAD) {
        cf_http_respond_as(self, client, 405, NULL, "Allow: GET\r\n", NULL, 0);
    } else if (file) {
        serve(self, client, request, file);
    } else {
        snprintf(location, sizeof location, "Location: %s\r\n", to);
        cf_http_respond_as(self, client, 301, NULL, location, NULL, 0);
    }
    return true;
}
