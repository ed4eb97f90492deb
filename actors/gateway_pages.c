/* gateway_pages.c: the files of the web page, from memory: the built-in one, or the operator's own. */
#include "gateway_routes.h"

#include "own_pages.h"
#include "web.h"

#include <stdio.h>
#include <time.h>

#define HEADERS_MAX (CF_OWN_PAGE_POLICY_MAX + 400)
#define DATE_FORMAT "%a, %d %b %Y %H:%M:%S GMT" /* RFC 9110, 5.6.7 */

typedef struct {
    const char *type, *etag, *policy;
    bool is_immutable; /* other bytes will have another path */
    int64_t modified_s;
    const void *bytes;
    size_t size;
} page_t;

/* Kept for a year where the path changes with the bytes; asked for again, by its tag, elsewhere. */
static const char *caching(const page_t *page)
{
    return page->is_immutable ? "public, max-age=31536000, immutable" : "no-cache";
}

/* If-None-Match is a list of tags or "*"; ours contain neither commas nor quotes, so one is in the list
 * where its text is found (RFC 9110, 13.1.2; weak comparison). */
static bool has_tag(cf_str_t if_none_match, const char *etag)
{
    return cf_str_equal(if_none_match, cf_str("*")) ||
           memmem(if_none_match.bytes, if_none_match.size, etag, strlen(etag));
}

/* What is no date says nothing (RFC 9110, 13.1.3). */
static bool is_since(cf_str_t if_modified_since, int64_t modified_s)
{
    char text[40];
    struct tm tm = {0};
    snprintf(text, sizeof text, "%.*s", (int)if_modified_since.size, if_modified_since.bytes);
    const char *rest = strptime(text, DATE_FORMAT, &tm);
    return rest && *rest == '\0' && timegm(&tm) >= modified_s;
}

static bool has_it(const cf_request_t *request, const page_t *page)
{
    if (request->if_none_match.size)
        return has_tag(request->if_none_match, page->etag);
    return request->if_modified_since.size &&
           is_since(request->if_modified_since, page->modified_s);
}

static void serve(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request,
                  const page_t *page)
{
    char headers[HEADERS_MAX], date[40];
    time_t modified = (time_t)page->modified_s;
    struct tm tm;
    strftime(date, sizeof date, DATE_FORMAT, gmtime_r(&modified, &tm));
    snprintf(headers, sizeof headers,
             "Cache-Control: %s\r\nETag: %s\r\nLast-Modified: %s\r\n"
             "Content-Security-Policy: %s\r\nCross-Origin-Opener-Policy: same-origin\r\n",
             caching(page), page->etag, date, page->policy);
    if (has_it(request, page))
        cf_http_respond_as(self, client, 304, NULL, headers, NULL, 0);
    else
        cf_http_respond_as(self, client, 200, page->type, headers, page->bytes, page->size);
}

/* Of the operator's pages there are no other files; beside them none of ours is served. */
static bool find(page_t *out, const cf_gateway_t *self, cf_str_t path)
{
    const cf_own_page_t *own;
    const cf_web_file_t *file;
    if (self->config.own_pages) {
        if (!(own = cf_own_pages_find(self->config.own_pages, path)))
            return false;
        *out = (page_t){.type = "text/html; charset=utf-8",
                        .etag = own->etag,
                        .policy = own->policy,
                        .modified_s = own->modified_s,
                        .bytes = own->bytes,
                        .size = own->size};
        return true;
    }
    if (!(file = cf_web_find(path.bytes, path.size)))
        return false;
    *out = (page_t){.type = file->content_type,
                    .etag = file->etag,
                    .policy = CF_WEB_CSP,
                    .is_immutable = file->is_immutable,
                    .modified_s = self->began_s, /* they came with this process */
                    .bytes = file->bytes,
                    .size = file->size};
    return true;
}

bool cf_pages_serve(cf_gateway_t *self, cf_client_t *client, const cf_request_t *request)
{
    page_t page;
    bool is_page = find(&page, self, request->path);
    const char *to = cf_web_find_moved(request->path.bytes, request->path.size);
    char location[64];
    if (!is_page && !to)
        return false;
    client->exchange->label = CF_ROUTE_FILE;
    if (request->method != CF_METHOD_GET && request->method != CF_METHOD_HEAD) {
        cf_http_respond_as(self, client, 405, NULL, "Allow: GET\r\n", NULL, 0);
    } else if (is_page) {
        serve(self, client, request, &page);
    } else {
        snprintf(location, sizeof location, "Location: %s\r\n", to);
        cf_http_respond_as(self, client, 301, NULL, location, NULL, 0);
    }
    return true;
}
