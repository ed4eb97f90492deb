/* Any bytes as what another node has sent: what is let through is whole messages of that node for actors that are here, and
 * nothing else; no byte beyond the end is read. */
#include "crossing.h"

#include <stdlib.h>
#include <string.h>

#define PEER 2
#define ME 1
#define HERE 2 /* actors of each kind */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_crossing_t crossing = {.peer = PEER, .me = ME};
    cf_msg_t msg;
    size_t at = 0;
    uint8_t *copy = malloc(size + 1 - (size > 0)); /* of its very size */
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < CF_ACTOR_KINDS; i++)
        crossing.actors[i] = HERE;
    bool is_allowed = cf_crossing_allows(&crossing, copy, size);
    while (is_allowed && at < size) {
        size_t before = at;
        check(cf_crossing_next(copy, size, &at, &msg));
        check(at == before + CF_MSG_HEAD_SIZE + msg.size && at <= size);
        check(msg.from.node == PEER && msg.to.node == ME && msg.to.index < HERE);
        check(msg.type != CF_MSG_STOP && msg.type != CF_MSG_DRAIN && msg.type != CF_MSG_PROBE);
    }
    while (!is_allowed && at < size && cf_crossing_next(copy, size, &at, &msg))
        check(at <= size);
    free(copy);
    return 0;
}
