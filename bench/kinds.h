/* bench/kinds.h: how often each kind of something occurred, such as a close code; few kinds. */
#ifndef CF_BENCH_KINDS_H
#define CF_BENCH_KINDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CF_KINDS_MAX 24 /* different ones; more are not told apart from none */

typedef struct {
    char name[64];
    uint64_t count;
} cf_kind_t;

void cf_count_kind(cf_kind_t *kinds, const char *name, size_t size);
void cf_print_kinds(FILE *out, const cf_kind_t *kinds); /* as a JSON object */

#endif
