#include "kinds.h"

#include <inttypes.h>
#include <string.h>

void cf_count_kind(cf_kind_t *kinds, const char *name, size_t size)
{
    size = size < sizeof kinds->name ? size : sizeof kinds->name - 1;
    for (int i = 0; i < CF_KINDS_MAX; i++) {
        if (kinds[i].count == 0)
            memcpy(kinds[i].name, name, size);
        else if (strlen(kinds[i].name) != size || memcmp(kinds[i].name, name, size) != 0)
            continue;
        kinds[i].count++;
        return;
    }
}

void cf_print_kinds(FILE *out, const cf_kind_t *kinds)
{
    fputc('{', out);
    for (int i = 0; i < CF_KINDS_MAX && kinds[i].count; i++)
        fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", kinds[i].name, kinds[i].count);
    fputc('}', out);
}
