#include "others.h"

#include "wire/control.h"
#include "wire/node.h"

/* count, if it is not among them */
static uint32_t place_of(const cf_others_t *self, uint32_t node)
{
    uint32_t i = 0;
    while (i < self->count && self->nodes[i] != node)
        i++;
    return i;
}

int cf_others_here(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, bool *is_older)
{
    cf_node_here_t here;
    int rc = cf_msg_body(&here, msg, turn->arena);
    if (rc < 0)
        return rc;
    bool is_new = self->count < CF_NODES_MAX && place_of(self, here.node) == self->count;
    if (is_new)
        self->nodes[self->count++] = here.node;
    if (is_older)
        *is_older = is_new && here.came_before;
    return 0;
}

bool cf_others_drop(cf_others_t *self, uint32_t node)
{
    uint32_t at = place_of(self, node);
    if (at == self->count)
        return false;
    self->nodes[at] = self->nodes[--self->count];
    return true;
}

int cf_others_gone(cf_others_t *self, const cf_turn_t *turn, const cf_msg_t *msg, uint32_t *node)
{
    cf_node_gone_t gone;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    bool was_known = cf_others_drop(self, gone.node);
    if (node)
        *node = was_known ? gone.node : 0;
    return 0;
}
