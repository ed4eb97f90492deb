/* actors/own_pages.h: pages that an operator has in place of the built-in one.
 *
 * Read once, at start, each with a policy of its own: the scripts and style sheets that stand in the page
 * are named by their hashes, so that what anybody else gets into it does not run. Inline handlers do not
 * run either. Made before the gateways, which only read it, and outlives them. */
#ifndef CF_OWN_PAGES_H
#define CF_OWN_PAGES_H

#include "str.h"

#include <stddef.h>
#include <stdint.h>

#define CF_OWN_PAGE_MAX (1u << 20)  /* bytes of a page */
#define CF_OWN_PAGE_INLINE_MAX 16   /* scripts in one page, and as many style sheets */
#define CF_OWN_PAGE_POLICY_MAX 2400 /* with NUL */
#define CF_OWN_PAGES_FAULT_MAX 1200 /* with NUL */

typedef struct {
    const char *path;
    uint8_t *bytes; /* owned */
    size_t size;
    int64_t modified_s; /* of the file, since 1970 */
    char etag[19];      /* whole header value */
    char policy[CF_OWN_PAGE_POLICY_MAX];
} cf_own_page_t;

typedef struct cf_own_pages cf_own_pages_t;

/* Reads index.html, login.html and register.html of the folder. Returns 0; CF_ENOMEM; CF_ERANGE with
 * the reason in `fault`: one is missing, too large, or not to be understood. */
int cf_own_pages_load(cf_own_pages_t **out, const char *folder, char fault[CF_OWN_PAGES_FAULT_MAX]);
/* The page of "/", "/login" or "/register"; NULL: none. */
const cf_own_page_t *cf_own_pages_find(const cf_own_pages_t *self, cf_str_t path);
void cf_own_pages_destroy(cf_own_pages_t **self);

/* The Content-Security-Policy of a page. Returns 0; CF_EPROTO with a literal in *why: what browsers may
 * read otherwise than we do (an element or a tag without an end, a comment within a script, a NUL,
 * other than UTF-8), or what the policy would stop (a script from elsewhere); CF_EFULL: too many. */
int cf_own_page_policy(char out[CF_OWN_PAGE_POLICY_MAX], cf_str_t html, const char **why);

#endif
