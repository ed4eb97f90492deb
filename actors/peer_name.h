/* actors/peer_name.h: where another node is whose endpoint has a name in it: looked up beside whoever asks, as libzmq would do it in
 * the one thread that has all links, and a resolver may hang.
 *
 * It is looked up anew while nobody is heard from there, once in CF_PEER_NAME_AGAIN_US to twice that after the answer: the name may
 * have moved. One question is under way at most; what there is to wait for is its descriptor. */
#ifndef CF_PEER_NAME_H
#define CF_PEER_NAME_H

#include "link/bus.h"
#include "lookup.h"
#include "model_limits.h"

#include <stdint.h>

#define CF_PEER_NAME_AGAIN_US INT64_C(3000000)

typedef struct {
    char host[CF_NODE_ENDPOINT_MAX + 1]; /* empty: there is nothing to look up */
    char port[CF_NODE_ENDPOINT_MAX + 1];
    char found[CF_ENDPOINT_MAX]; /* the endpoint that was found last */
    cf_lookup_t *lookup;         /* owned; NULL: no question is under way */
    int64_t next_us;             /* not before that */
    uint32_t turn;               /* of several addresses another one each time */
} cf_peer_name_t;

/* False: there is no name in the endpoint, or it is none, and whoever dials it is told so. */
bool cf_peer_name_init(cf_peer_name_t *out, const char *endpoint);
void cf_peer_name_forget(cf_peer_name_t *self); /* also while a question is under way */
/* When to ask, if the node was heard last at heard_us (0: never). INT64_MAX: an answer is awaited, or there is no name. */
int64_t cf_peer_name_due_us(const cf_peer_name_t *self, int64_t heard_us);
/* Ask. The descriptor to wait on; CF_ENOMEM, CF_EIO: it is due again later. */
int cf_peer_name_ask(cf_peer_name_t *self, int64_t boot_us);
void cf_peer_name_give_up(cf_peer_name_t *self); /* on the answer */
/* Take the answer, if it has come: true if self->found is another one than before. */
bool cf_peer_name_answer(cf_peer_name_t *self, int64_t boot_us);

#endif
