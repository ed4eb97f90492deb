#include "own_pages.h"

#include "config_file.h"
#include "err.h"
#include "utf8.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define HASH_TEXT sizeof "'sha256-0123456789012345678901234567890123456789012=' "
#define LIST_MAX (CF_OWN_PAGE_INLINE_MAX * HASH_TEXT + 1)

struct cf_own_pages {
    cf_own_page_t pages[3];
};

/* --- what stands in a page ---------------------------------------------------------------------
 *
 * As much of HTML's tokenizer as finds the ends of tags, comments and the elements whose content is
 * text. A hash too many does no harm, as all of the page is the operator's; one too few stops a script. */

typedef struct {
    const char *at, *end;
    const char *why; /* NULL as long as it makes sense */
    int scripts, styles;
    char script_hashes[LIST_MAX], style_hashes[LIST_MAX];
} reader_t;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int give_up(reader_t *self, const char *why)
{
    self->why = why;
    return CF_EPROTO;
}

static bool is_next(const reader_t *self, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(self->end - self->at) >= size && strncasecmp(self->at, word, size) == 0;
}

/* Behind the next `mark`. */
static int skip_past(reader_t *self, const char *mark, const char *why)
{
    const char *found = memmem(self->at, (size_t)(self->end - self->at), mark, strlen(mark));
    if (!found)
        return give_up(self, why);
    self->at = found + strlen(mark);
    return 0;
}

/* Onto the end of a value, which stands behind the equals sign of an attribute. */
static int skip_value(reader_t *self)
{
    while (self->at < self->end && is_space(*self->at))
        self->at++;
    if (self->at < self->end && (*self->at == '"' || *self->at == '\'')) {
        const char quote[] = {*self->at++, '\0'};
        return skip_past(self, quote, "an attribute without an end");
    }
    while (self->at < self->end && !is_space(*self->at) && *self->at != '>')
        self->at++;
    return 0;
}

/* Behind a tag, from behind its name on. *has_source: it had an attribute "src". */
static int skip_tag(reader_t *self, bool *has_source)
{
    *has_source = false;
    while (self->at < self->end) {
        while (self->at < self->end && (is_space(*self->at) || *self->at == '/'))
            self->at++;
        if (self->at < self->end && *self->at == '>') {
            self->at++;
            return 0;
        }
        cf_str_t name = {self->at, 0};
        while (self->at < self->end && !is_space(*self->at) && !strchr("/>=\"'", *self->at))
            self->at++;
        name.size = (uint32_t)(self->at - name.bytes);
        if (name.size == 0)
            return give_up(self, "a tag that is not well-formed");
        *has_source |= name.size == 3 && strncasecmp(name.bytes, "src", 3) == 0;
        while (self->at < self->end && is_space(*self->at))
            self->at++;
        if (self->at < self->end && *self->at == '=') {
            self->at++;
            int rc = skip_value(self);
            if (rc < 0)
                return rc;
        }
    }
    return give_up(self, "a tag without an end");
}

/* The text of the element up to its end tag, which is skipped; name: "script". */
static int take_content(reader_t *self, const char *name, cf_str_t *content)
{
    bool has_source;
    size_t size = strlen(name);
    content->bytes = self->at;
    for (; self->end - self->at > (ptrdiff_t)size + 2; self->at++) {
        const char *behind = self->at + 2 + size;
        if (self->at[0] != '<' || self->at[1] != '/' ||
            strncasecmp(self->at + 2, name, size) != 0 ||
            !(is_space(*behind) || *behind == '/' || *behind == '>'))
            continue;
        content->size = (uint32_t)(self->at - content->bytes);
        self->at = behind;
        return skip_tag(self, &has_source);
    }
    return give_up(self, "an element without an end");
}

/* Appends the hash of what a browser sees of the text: its line ends are line feeds. */
static int add_hash(char list[LIST_MAX], int *count, cf_str_t text)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char base64[64];
    crypto_hash_sha256_state state;
    size_t size = strlen(list);
    if (++*count > CF_OWN_PAGE_INLINE_MAX)
        return CF_EFULL;
    crypto_hash_sha256_init(&state);
    for (uint32_t i = 0; i < text.size; i++) {
        bool is_cr = text.bytes[i] == '\r';
        bool is_pair = is_cr && i + 1 < text.size && text.bytes[i + 1] == '\n';
        if (!is_pair)
            crypto_hash_sha256_update(&state, (const uint8_t *)(is_cr ? "\n" : text.bytes + i), 1);
    }
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    snprintf(list + size, LIST_MAX - size, "'sha256-%s' ", base64);
    return 0;
}

static int take_script(reader_t *self)
{
    bool has_source;
    cf_str_t content;
    int rc = skip_tag(self, &has_source);
    if (rc == 0 && has_source)
        return give_up(self, "a script from elsewhere, which the policy would stop");
    if (rc == 0)
        rc = take_content(self, "script", &content);
    if (rc == 0 && content.size && memmem(content.bytes, content.size, "<!--", 4))
        return give_up(self, "a comment within a script, which may hide its end");
    return rc == 0 ? add_hash(self->script_hashes, &self->scripts, content) : rc;
}

static int take_style(reader_t *self)
{
    bool has_source;
    cf_str_t content;
    int rc = skip_tag(self, &has_source);
    if (rc == 0)
        rc = take_content(self, "style", &content);
    return rc == 0 ? add_hash(self->style_hashes, &self->styles, content) : rc;
}

static int skip_text_of(reader_t *self, const char *name)
{
    bool has_source;
    cf_str_t content;
    int rc = skip_tag(self, &has_source);
    return rc == 0 ? take_content(self, name, &content) : rc;
}

static int take_element(reader_t *self, cf_str_t name)
{
    bool has_source;
    if (name.size == 6 && strncasecmp(name.bytes, "script", 6) == 0)
        return take_script(self);
    if (name.size == 5 && strncasecmp(name.bytes, "style", 5) == 0)
        return take_style(self);
    if (name.size == 5 && strncasecmp(name.bytes, "title", 5) == 0)
        return skip_text_of(self, "title");
    if (name.size == 8 && strncasecmp(name.bytes, "textarea", 8) == 0)
        return skip_text_of(self, "textarea");
    return skip_tag(self, &has_source);
}

/* At a '<'. */
static int take_markup(reader_t *self)
{
    bool has_source, is_end = is_next(self, "</");
    if (is_next(self, "<!--"))
        return skip_past(self, "-->", "a comment without an end");
    if (is_next(self, "<!") || is_next(self, "<?"))
        return skip_past(self, ">", "a declaration without an end");
    self->at += is_end ? 2 : 1;
    if (self->at == self->end || !is_letter(*self->at))
        return is_end ? give_up(self, "an end tag without a name") : 0; /* a plain '<' */
    cf_str_t name = {self->at, 0};
    while (self->at < self->end && !is_space(*self->at) && *self->at != '/' && *self->at != '>')
        self->at++;
    name.size = (uint32_t)(self->at - name.bytes);
    return is_end ? skip_tag(self, &has_source) : take_element(self, name);
}

int cf_own_page_policy(char out[CF_OWN_PAGE_POLICY_MAX], cf_str_t html, const char **why)
{
    reader_t self = {.at = html.bytes, .end = html.bytes + html.size};
    int rc = 0;
    if (!cf_utf8_valid(html.bytes, html.size) || memchr(html.bytes, '\0', html.size))
        rc = give_up(&self, "not text in UTF-8");
    while (rc == 0 && self.at < self.end) {
        const char *next = memchr(self.at, '<', (size_t)(self.end - self.at));
        self.at = next ? next : self.end;
        if (next)
            rc = take_markup(&self);
    }
    if (rc == CF_EFULL)
        self.why = "too many scripts or style sheets";
    *why = self.why;
    if (rc < 0)
        return rc;
    /* Attributes cannot be named by hashes and may style only. The first style-src is for browsers that do
     * not know the two behind it. */
    snprintf(out, CF_OWN_PAGE_POLICY_MAX,
             "default-src 'none'; script-src %s; "
             "style-src 'unsafe-inline' https://fonts.googleapis.com; "
             "style-src-elem %shttps://fonts.googleapis.com; style-src-attr 'unsafe-inline'; "
             "font-src https://fonts.gstatic.com; img-src 'self' data:; connect-src 'self'; "
             "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
             self.scripts ? self.script_hashes : "'none'", self.style_hashes);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

static int refuse(char fault[CF_OWN_PAGES_FAULT_MAX], const char *path, const char *why)
{
    snprintf(fault, CF_OWN_PAGES_FAULT_MAX, "http.pages_dir: cannot use '%.1000s': %s", path, why);
    return CF_ERANGE;
}

static int load(cf_own_page_t *page, const char *path, char fault[CF_OWN_PAGES_FAULT_MAX])
{
    cf_buf_t file = {0};
    struct stat status;
    const char *why;
    uint8_t hash[crypto_hash_sha256_BYTES];
    char digits[17];
    int rc = stat(path, &status) < 0 ? CF_EIO : cf_config_file_load(&file, path, CF_OWN_PAGE_MAX);
    page->bytes = file.data;
    page->size = file.size;
    if (rc == CF_EIO)
        return refuse(fault, path, strerror(errno));
    if (rc == CF_ERANGE)
        return refuse(fault, path, "no file, or larger than 1 MiB");
    if (rc == 0 && file.size == 0)
        return refuse(fault, path, "is empty");
    if (rc < 0)
        return rc;
    rc = cf_own_page_policy(page->policy, (cf_str_t){(char *)file.data, (uint32_t)file.size}, &why);
    if (rc < 0)
        return refuse(fault, path, why);
    crypto_hash_sha256(hash, file.data, file.size);
    sodium_bin2hex(digits, sizeof digits, hash, 8);
    snprintf(page->etag, sizeof page->etag, "\"%s\"", digits);
    page->modified_s = status.st_mtime;
    return 0;
}

int cf_own_pages_load(cf_own_pages_t **out, const char *folder, char fault[CF_OWN_PAGES_FAULT_MAX])
{
    static const struct {
        const char *path, *file;
    } names[] = {{"/", "index"}, {"/login", "login"}, {"/register", "register"}};
    cf_own_pages_t *self = calloc(1, sizeof *self);
    int rc = self ? 0 : CF_ENOMEM;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof names[0]; i++) {
        char path[1100];
        snprintf(path, sizeof path, "%s/%s.html", folder, names[i].file);
        self->pages[i].path = names[i].path;
        rc = load(&self->pages[i], path, fault);
    }
    if (rc < 0)
        cf_own_pages_destroy(&self);
    else
        *out = self;
    return rc;
}

const cf_own_page_t *cf_own_pages_find(const cf_own_pages_t *self, cf_str_t path)
{
    for (size_t i = 0; i < sizeof self->pages / sizeof self->pages[0]; i++)
        if (cf_str_equal(path, cf_str(self->pages[i].path)))
            return &self->pages[i];
    return NULL;
}

void cf_own_pages_destroy(cf_own_pages_t **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < sizeof(*self)->pages / sizeof(*self)->pages[0]; i++)
        free((*self)->pages[i].bytes);
    free(*self);
    *self = NULL;
}
