#include "roles.h"

#include <stddef.h>
#include <string.h>

uint32_t cf_roles_of(const char *name)
{
    static const struct {
        const char *name;
        uint32_t roles;
    } names[] = {{"all", CF_ROLES_ALL}, {"rooms", CF_ROLE_ROOMS}, {"stockbot", CF_ROLE_STOCKBOT}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].roles;
    return 0;
}
