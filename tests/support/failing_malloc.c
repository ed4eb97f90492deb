#include "failing_malloc.h"

#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

/* The linker's --wrap gives these names: every call of malloc goes to __wrap_malloc. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static _Thread_local struct {
    bool counting;
    unsigned failed;
    int paused;
    unsigned long count, first, end; /* those from first to before end fail */
} state;

void failing_malloc_begin(unsigned long nth, unsigned in_a_row)
{
    memset(&state, 0, sizeof state);
    state.first = nth;
    state.end = nth + in_a_row;
    state.counting = true;
}

unsigned long failing_malloc_end(void)
{
    state.counting = false;
    return state.count;
}

unsigned failing_malloc_failed(void)
{
    return state.failed;
}

void failing_malloc_pause(void)
{
    state.paused++;
}

void failing_malloc_resume(void)
{
    state.paused--;
}

static bool is_to_fail(void)
{
    if (!state.counting || state.paused > 0)
        return false;
    state.count++;
    if (state.first == 0 || state.count < state.first || state.count >= state.end)
        return false;
    state.failed++;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return is_to_fail() ? NULL : __real_strdup(text);
}

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_takes(int size)
{
    return is_to_fail() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_resizes(void *old, int size)
{
    return is_to_fail() ? NULL : sqlite_memory.xRealloc(old, size);
}

bool failing_malloc_of_sqlite(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) != SQLITE_OK)
        return false;
    sqlite3_mem_methods methods = sqlite_memory;
    methods.xMalloc = sqlite_takes;
    methods.xRealloc = sqlite_resizes;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}
