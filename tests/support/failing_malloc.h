/* tests/support/failing_malloc.h: the n-th allocation of this thread fails, or some in a row.
 *
 *     failing_malloc_begin(0, 0);     none fails, they are counted
 *     ... run once ...
 *     n = failing_malloc_end();
 *     for (i = 1; i <= n; i++) {
 *         failing_malloc_begin(i, 1);
 *         ... run again: malloc, calloc, realloc or strdup number i returns NULL ...
 *         failing_malloc_end();
 *     }
 *
 * Counts what the program's own objects ask for, and what a library asks for that was handed
 * allocators (jansson by the program, SQLite by a test); all others keep the real ones. Only for
 * test_exhaustion*.c, which tests/CMakeLists.txt links with it. */
#ifndef CF_FAILING_MALLOC_H
#define CF_FAILING_MALLOC_H

#include <stdbool.h>

void failing_malloc_begin(unsigned long nth, unsigned in_a_row);
unsigned long failing_malloc_end(void); /* how many there were, failed ones included */
unsigned failing_malloc_failed(void);   /* how many have, since the latest begin */

/* From here on what SQLite asks for counts too. False: it has been used in this process. */
bool failing_malloc_of_sqlite(void);

/* The test itself works between two of these: not counted, never failing. They nest. */
void failing_malloc_pause(void);
void failing_malloc_resume(void);

#endif
