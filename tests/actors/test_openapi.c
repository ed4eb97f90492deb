/* docs/openapi.json and the route table say the same. */
#include "routes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *document;

static void load(void)
{
    json_error_t error;
    document =
        json_loadb((const char *)cf_openapi, cf_openapi_size, JSON_REJECT_DUPLICATES, &error);
    cr_assert(document != NULL, "line %d: %s", error.line, error.text);
}

static void unload(void)
{
    json_decref(document);
}

TestSuite(openapi, .init = load, .fini = unload, .timeout = 60);

/* "get" */
static const char *method_of(const cf_route_info_t *route)
{
    static char name[16];
    snprintf(name, sizeof name, "%s", cf_route_method_name(route->method));
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static json_t *operation_of(const cf_route_info_t *route)
{
    json_t *item = json_object_get(json_object_get(document, "paths"), route->path);
    return json_object_get(item, method_of(route));
}

static bool is_method(const char *name)
{
    static const char *const names[] = {"get", "put", "post", "delete", "options", "head", "patch"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool has_route(const char *path, const char *method)
{
    cf_route_info_t route;
    for (size_t i = 0; cf_route_info(i, &route); i++)
        if (strcmp(route.path, path) == 0 && strcmp(method_of(&route), method) == 0)
            return true;
    return false;
}

Test(openapi, is_the_file_in_docs)
{
    char text[200000];
    FILE *file = fopen(CONFAB_SOURCE_DIR "/docs/openapi.json", "re");
    cr_assert(file != NULL);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    cr_assert(eq(sz, size, cf_openapi_size));
    cr_assert(eq(int, memcmp(text, cf_openapi, size), 0));
}

Test(openapi, describes_every_route)
{
    cf_route_info_t route;
    for (size_t i = 0; cf_route_info(i, &route); i++)
        cr_expect(operation_of(&route) != NULL, "%s %s", method_of(&route), route.path);
}

Test(openapi, describes_nothing_that_is_no_route)
{
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (is_method(method))
                cr_expect(has_route(path, method), "%s %s", method, path);
        }
    }
}

/* Which security schemes stand for whom a route lets in. */
static const char *security_of(cf_access_t access)
{
    static const char *const texts[] = {
        [CF_ACCESS_PROBE] = "[]",
        [CF_ACCESS_ANYONE] = "[]",
        [CF_ACCESS_SESSION] = "[{\"cookie\":[]},{\"bearer\":[]}]",
        [CF_ACCESS_SOCKET] = "[{\"cookie\":[]},{\"token\":[]},{\"bearer\":[]}]",
    };
    return texts[access];
}

Test(openapi, asks_for_the_credentials_that_a_route_asks_for)
{
    cf_route_info_t route;
    for (size_t i = 0; cf_route_info(i, &route); i++) {
        char *found = json_dumps(json_object_get(operation_of(&route), "security"), JSON_COMPACT);
        cr_expect(eq(str, found, (char *)security_of(route.access)), "%s", route.path);
        free(found);
    }
}

/* What a client must be ready for: who needs a session may have none, and any answer may be that the
 * store is away. */
Test(openapi, names_the_refusals_that_every_route_of_a_kind_can_give)
{
    cf_route_info_t route;
    for (size_t i = 0; cf_route_info(i, &route); i++) {
        const json_t *responses = json_object_get(operation_of(&route), "responses");
        bool has_session = route.access == CF_ACCESS_SESSION || route.access == CF_ACCESS_SOCKET;
        cr_expect(json_object_get(responses, "500") != NULL, "%s", route.path);
        cr_expect(json_object_get(responses, "503") != NULL, "%s", route.path);
        cr_expect(json_object_get(responses, "default") != NULL, "%s", route.path);
        cr_expect(eq(int, json_object_get(responses, "401") != NULL,
                     has_session || strstr(route.path, "/login") != NULL),
                  "%s", route.path);
        if (route.access == CF_ACCESS_SESSION && route.method != CF_METHOD_GET)
            cr_expect(json_object_get(responses, "403") != NULL, "%s", route.path); /* CSRF */
        if (strchr(route.path, '{'))
            cr_expect(json_object_get(responses, "404") != NULL, "%s", route.path);
    }
}

/* Every reference leads somewhere. */
static void follow_references(const json_t *at)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)at, key, value)
    {
        if (strcmp(key, "$ref") == 0) {
            char path[256], *rest = path, *name;
            const json_t *found = document;
            snprintf(path, sizeof path, "%s", json_string_value(value));
            cr_expect(eq(int, strncmp(path, "#/", 2), 0));
            rest += 2;
            while ((name = strsep(&rest, "/")))
                found = json_object_get(found, name);
            cr_expect(found != NULL, "%s", json_string_value(value));
        } else {
            follow_references(value);
        }
    }
    json_array_foreach(at, i, value)
    {
        follow_references(value);
    }
}

Test(openapi, has_no_reference_into_the_void)
{
    follow_references(document);
}
