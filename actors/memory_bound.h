/* actors/memory_bound.h: what the process holds of memory at most, term by term, by its settings.
 *
 * A term is so many bytes for each of something, and how many of it there can be at most. docs/memory.md
 * tells each by name; bench/slow.py holds a running server to the sum, with the numbers that it knows in
 * place of the greatest. Bytes are the process's own: what the kernel holds for its sockets is told
 * apart, at the end.
 *
 * Figures of single objects are rounded up and stand where the object does, held to it by an assertion;
 * those that only measuring can tell (what libraries take) are in memory_bound.c. */
#ifndef CF_MEMORY_BOUND_H
#define CF_MEMORY_BOUND_H

#include "config.h"

typedef struct {
    const char *name; /* of what there are so many */
    const char *keys; /* the settings it depends on, with blanks between them; "" none */
    uint64_t bytes;   /* of one */
    uint64_t most;
    bool is_kernels; /* not the process's own */
} cf_memory_term_t;

#define CF_MEMORY_TERMS 44

/* Fills out and returns how many terms there are. Names point at constants. */
uint32_t cf_memory_terms(const cf_config_t *config, cf_memory_term_t out[CF_MEMORY_TERMS]);
/* Of those that are the process's own (or the kernel's), at most; UINT64_MAX if it is more than that. */
uint64_t cf_memory_sum(const cf_memory_term_t *terms, uint32_t n, bool of_kernel);
/* `confab memory`: one JSON object a line for each term, then the two sums. file is not looked at. Returns
 * an exit code. */
int cf_memory_print(const cf_config_t *config, const char *file);

#endif
