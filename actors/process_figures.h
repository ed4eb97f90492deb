/* actors/process_figures.h: what the kernel says about this process. A figure that cannot be
 * read is 0. */
#ifndef CF_PROCESS_FIGURES_H
#define CF_PROCESS_FIGURES_H

#include <stdint.h>

typedef struct {
    uint64_t cpu_us; /* user and system, all threads */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t private_bytes; /* resident and of no file: heap and stacks */
    uint64_t open_fds, max_fds, threads;
} cf_process_figures_t;

void cf_process_figures(cf_process_figures_t *out);

#endif
