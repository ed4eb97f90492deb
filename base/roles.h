/* base/roles.h: what a node does for the chat. One that does not do all of it leaves the rest to others. Bits, as the
 * database and messages have them. */
#ifndef CF_ROLES_H
#define CF_ROLES_H

#include <stdint.h>

typedef enum {
    CF_ROLE_ROOMS = 1,    /* clients, rooms and all they need, with the store */
    CF_ROLE_STOCKBOT = 2, /* answers commands */
} cf_role_t;
#define CF_ROLES_ALL (CF_ROLE_ROOMS | CF_ROLE_STOCKBOT)

/* "all", "rooms" or "stockbot", as in node.roles; 0: none of them. */
uint32_t cf_roles_of(const char *name);

#endif
