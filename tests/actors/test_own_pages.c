/* An operator's pages: what is found in them, and what is not understood. */
#include "err.h"
#include "own_pages.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=' "    /* of "a" */
#define B "'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0=' "    /* of "b" */
#define NONE "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' " /* of "" */
#define ANB "'sha256-fhj3NzEbLcOy8mndeDlrA1HxT7Zu+oefdoyyMYGIPHg=' "  /* of "a\nb" */

static char policy[CF_OWN_PAGE_POLICY_MAX];
static const char *why;

/* What stands between `from` and `to` in the policy. */
static char *part(const char *from, const char *to)
{
    static char text[CF_OWN_PAGE_POLICY_MAX];
    const char *at = strstr(policy, from);
    cr_assert(ne(ptr, (void *)at, NULL));
    at += strlen(from);
    snprintf(text, sizeof text, "%.*s", (int)(strstr(at, to) - at), at);
    return text;
}

Test(own_pages, names_what_stands_in_the_page)
{
    static const struct {
        const char *html, *scripts, *styles;
    } cases[] = {
        {"", "'none'", ""},
        {"<!doctype html><p>a < b & c <3", "'none'", ""},
        {"<script>a</script>", A, ""},
        {"<SCRIPT type=module >b</Script\n>", B, ""},
        {"<script></script>", NONE, ""},
        {"<style>a</style><script>b</script><style media='x > y'>b</style>", B, A B},
        {"<script>a</script><script>b</script/>", A B, ""},
        {"<script>a\r\nb</script>", ANB, ""},
        {"<script>a\rb</script>", ANB, ""},
        {"<script>a\nb</script>", ANB, ""},
        {"<!-- <script>a</script> --><script>b</script>", B, ""},
        {"<p title=\"<script>a</script>\" b=<script>c</script>", "'none'", ""},
        {"<title><script>a</script></title><textarea><style></textarea>", "'none'", ""},
        {"<scripts>a</scripts><p data-src=x src=y><br/><a href=/x/>", "'none'", ""},
        {"<p style='color: red' onclick=\"a\">", "'none'", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = cf_own_page_policy(policy, cf_str(cases[i].html), &why);
        cr_assert(eq(int, rc, 0), "case %zu: %s", i, why);
        cr_assert(eq(str, part("script-src ", "; "), (char *)cases[i].scripts), "case %zu", i);
        cr_assert(eq(str, part("style-src-elem ", "https://fonts.googleapis.com;"),
                     (char *)cases[i].styles),
                  "case %zu", i);
    }
}

/* The end of one could be read in two ways, or the page could not do what it wants. */
Test(own_pages, refuses_what_it_cannot_make_sense_of)
{
    static const char *const pages[] = {
        "<script>a",
        "<script>a</script",
        "<script>a</scripts>",
        "<style>a</script>",
        "<!-- a",
        "<!doctype html",
        "<p a=\"b",
        "<p a='b>",
        "<p a",
        "<p \"a\">",
        "<p =a>",
        "</>",
        "<script src=/a.js></script>",
        "<script SRC=\"https://evil.test/a.js\"></script>",
        "<script><!-- a --></script>",
        "<p>\xff</p>",
        "<p>\xed\xa0\x80</p>",
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        why = NULL;
        cr_assert(eq(int, cf_own_page_policy(policy, cf_str(pages[i]), &why), CF_EPROTO), "%s",
                  pages[i]);
        cr_assert(ne(ptr, (void *)why, NULL));
    }
    cr_assert(eq(int, cf_own_page_policy(policy, (cf_str_t){"<p>\0</p>", 8}, &why), CF_EPROTO));
}

Test(own_pages, bound_on_scripts_and_style_sheets_holds)
{
    static char html[4096];
    for (int kind = 0; kind < 2; kind++) {
        html[0] = '\0';
        for (int i = 0; i <= CF_OWN_PAGE_INLINE_MAX; i++) {
            int want = i == CF_OWN_PAGE_INLINE_MAX ? CF_EFULL : 0;
            strcat(html, kind ? "<script>a</script>" : "<style>a</style>");
            cr_assert(eq(int, cf_own_page_policy(policy, cf_str(html), &why), want));
        }
    }
    html[0] = '\0'; /* as many of both: all stand in the policy */
    for (int i = 0; i < CF_OWN_PAGE_INLINE_MAX; i++)
        strcat(html, "<script>a</script><style>a</style>");
    cr_assert(eq(int, cf_own_page_policy(policy, cf_str(html), &why), 0));
    cr_assert(ne(ptr, strstr(policy, "base-uri 'none'"), NULL));
}

static char folder[64];

static void put(const char *name, size_t size)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fprintf(file, "%*s", (int)size, "<p>");
    fclose(file);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/own_pages_XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    put("index.html", 10);
    put("login.html", 11);
    put("register.html", CF_OWN_PAGE_MAX);
}

static void remove_folder(void)
{
    char command[100];
    static const char *const names[] = {"index.html", "login.html", "register.html"};
    for (int i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "%s/%s", folder, names[i]);
        unlink(command);
    }
    rmdir(folder);
}

TestSuite(own_page_files, .init = make_folder, .fini = remove_folder);

Test(own_page_files, are_found_by_path)
{
    char fault[CF_OWN_PAGES_FAULT_MAX];
    cf_own_pages_t *pages;
    cr_assert(eq(int, cf_own_pages_load(&pages, folder, fault), 0));
    cr_assert(eq(sz, cf_own_pages_find(pages, cf_str("/"))->size, 10));
    cr_assert(eq(sz, cf_own_pages_find(pages, cf_str("/login"))->size, 11));
    cr_assert(eq(sz, cf_own_pages_find(pages, cf_str("/register"))->size, CF_OWN_PAGE_MAX));
    cr_assert(eq(ptr, (void *)cf_own_pages_find(pages, cf_str("/login.html")), NULL));
    cf_own_pages_destroy(&pages);
}

Test(own_page_files, that_cannot_be_used_are_refused_with_a_word)
{
    char fault[CF_OWN_PAGES_FAULT_MAX], path[100];
    cf_own_pages_t *pages = NULL;
    put("register.html", CF_OWN_PAGE_MAX + 1);
    cr_assert(eq(int, cf_own_pages_load(&pages, folder, fault), CF_ERANGE));
    cr_assert(ne(ptr, strstr(fault, "register.html': no file, or larger"), NULL), "%s", fault);
    put("register.html", 3);
    put("login.html", 0);
    snprintf(path, sizeof path, "%s/login.html", folder);
    cr_assert(eq(int, truncate(path, 0), 0));
    cr_assert(eq(int, cf_own_pages_load(&pages, folder, fault), CF_ERANGE));
    cr_assert(ne(ptr, strstr(fault, "login.html': is empty"), NULL), "%s", fault);
    unlink(path);
    cr_assert(eq(int, cf_own_pages_load(&pages, folder, fault), CF_ERANGE));
    cr_assert(ne(ptr, strstr(fault, "login.html': No such file"), NULL), "%s", fault);
    mkdir(path, 0700);
    cr_assert(eq(int, cf_own_pages_load(&pages, folder, fault), CF_ERANGE));
    cr_assert(ne(ptr, strstr(fault, "login.html': no file"), NULL), "%s", fault);
    rmdir(path);
    cr_assert(eq(ptr, pages, NULL));
}
