#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int64_t cf_process_cpu_ns(pid_t pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -1;
    int64_t sum = 0;
    for (struct dirent *task; (task = readdir(tasks));) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
        FILE *file = fopen(path, "r");
        int64_t ns;
        if (file && fscanf(file, "%" SCNd64, &ns) == 1)
            sum += ns;
        if (file)
            fclose(file); /* a thread that has ended meanwhile counts nothing */
    }
    closedir(tasks);
    return sum;
}

int64_t cf_process_rss_kib(pid_t pid)
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
