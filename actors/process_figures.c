#include "process_figures.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t entries(const char *path)
{
    uint64_t n = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void read_memory(cf_process_figures_t *out)
{
    uint64_t whole, resident, shared, page = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return;
    if (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &whole, &resident, &shared) == 3) {
        out->virtual_bytes = whole * page;
        out->resident_bytes = resident * page;
        out->private_bytes = (resident - shared) * page;
    }
    fclose(file);
}

void cf_process_figures(cf_process_figures_t *out)
{
    struct timespec cpu;
    struct rlimit files;
    *out = (cf_process_figures_t){0};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        out->cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
    read_memory(out);
    uint64_t open_fds = entries("/proc/self/fd");
    out->open_fds = open_fds ? open_fds - 1 : 0; /* not the one that is being read */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        out->max_fds = files.rlim_cur;
    out->threads = entries("/proc/self/task");
}
