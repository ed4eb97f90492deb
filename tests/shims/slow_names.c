/* A resolver that answers when a test lets it, for LD_PRELOAD. Names under .test are found in the file
 * that CONFAB_TEST_NAMES names, whose lines are NAME ADDRESS, one for each address; as long as there is no such file, to look
 * one up hangs. All else is the system's. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static FILE *wait_for_names(void)
{
    struct timespec pause = {.tv_nsec = 10000000};
    const char *path = getenv("CONFAB_TEST_NAMES");
    FILE *file = NULL;
    while (path && !(file = fopen(path, "re")))
        nanosleep(&pause, NULL);
    return file;
}

static int is_under_test(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".test") == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    look_up_fn *real = (look_up_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    char known[256], address[64];
    int is_numeric = hints && (hints->ai_flags & AI_NUMERICHOST);
    if (!name || is_numeric || !is_under_test(name))
        return real(name, service, hints, out);
    FILE *file = wait_for_names();
    int rc = EAI_NONAME;
    while (file && fscanf(file, "%255s %63s", known, address) == 2)
        if (strcmp(known, name) == 0 && real(address, service, hints, out) == 0) {
            rc = 0;
            while (*out) /* the next address goes behind these */
                out = &(*out)->ai_next;
        }
    if (file)
        fclose(file);
    return rc;
}
