#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define CHILDREN_MAX 64 /* of one thread */

/* The processes that a thread of this one started: how many. */
static int children_of(pid_t pid, const char *thread, pid_t *out)
{
    char path[300];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, thread);
    FILE *file = fopen(path, "r");
    while (file && count < CHILDREN_MAX && fscanf(file, "%d", &out[count]) == 1)
        count++;
    if (file)
        fclose(file);
    return count;
}

typedef struct {
    int64_t cpu_ns;
    int processes;
    pid_t pids[CHILDREN_MAX];
} tree_t;

static int64_t thread_cpu_ns(pid_t pid, const char *thread)
{
    char path[300];
    int64_t ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, thread);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%" SCNd64, &ns) != 1)
        ns = 0; /* a thread that has ended meanwhile counts nothing */
    if (file)
        fclose(file);
    return ns;
}

/* Adds this process and all below it; false if it is not there. */
static bool walk(tree_t *tree, pid_t pid)
{
    char path[64];
    pid_t children[CHILDREN_MAX];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return false;
    if (tree->processes < CHILDREN_MAX)
        tree->pids[tree->processes++] = pid;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        tree->cpu_ns += thread_cpu_ns(pid, task->d_name);
        int count = children_of(pid, task->d_name, children);
        for (int i = 0; i < count; i++)
            walk(tree, children[i]);
    }
    closedir(tasks);
    return true;
}

int64_t cf_process_cpu_ns(pid_t pid)
{
    tree_t tree = {0};
    return walk(&tree, pid) ? tree.cpu_ns : -1;
}

static int64_t rss_kib(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    int64_t pages = -1;
    if (!file || fscanf(file, "%*s %" SCNd64, &pages) != 1)
        pages = -1;
    if (file)
        fclose(file);
    return pages < 0 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int64_t pss_kib(pid_t pid)
{
    char path[64], line[256];
    int64_t kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %" SCNd64, &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

int64_t cf_process_rss_kib(pid_t pid)
{
    tree_t tree = {0};
    int64_t sum = 0;
    if (!walk(&tree, pid))
        return -1;
    if (tree.processes == 1)
        return rss_kib(pid);
    for (int i = 0; i < tree.processes; i++)
        sum += pss_kib(tree.pids[i]);
    return sum;
}

int cf_process_threads(pid_t pid)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    int threads = -1;
    while (file && threads < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &threads) != 1)
            threads = -1;
    if (file)
        fclose(file);
    return threads;
}
