/* room_handover.c: what a room takes along when it moves while its place lives.
 *
 * The store has the posts and the numbers, and members are let in again by ATTACH. So it takes along what the store does not
 * have, the posts of an ephemeral room with their numbers and keys, and what asking for would cost time while everybody waits:
 * its newest posts, from which those who come again get what they have missed, and that these are members. Who is here is
 * not taken along: whoever is still connected comes again, and of others their gateway tells. */
#include "room_state.h"

#include "clock.h"
#include "err.h"
#include "wire/place.h"

/* --- the old place -----------------------------------------------------------------------------
 */

/* The newest posts, as many as fit. */
static int list_posts(const cf_room_t *self, cf_turn_t *turn, cf_list_t *out)
{
    uint32_t entries = cf_ring_entries(self->ring), n = 0;
    uint32_t most = entries < CF_HANDOVER_POSTS_MAX ? entries : CF_HANDOVER_POSTS_MAX;
    cf_post_t *posts = cf_arena_take(turn->arena, (most + 1) * sizeof *posts);
    if (!posts)
        return CF_ENOMEM;
    for (uint32_t i = entries; i-- > 0 && n < most;) {
        cf_ring_event_t at = cf_ring_entry(self->ring, i);
        if (at.kind != CF_EVENT_POST)
            continue;
        if (at.post.seq + n != self->committed_seq)
            break;
        posts[most - ++n] = at.post;
    }
    *out = (cf_list_t){posts + most - n, n};
    return 0;
}

static int list_members(const cf_room_t *self, cf_turn_t *turn, cf_list_t *out)
{
    uint32_t n = 0;
    uint32_t most = self->users < CF_HANDOVER_MEMBERS_MAX ? self->users : CF_HANDOVER_MEMBERS_MAX;
    cf_handed_member_t *members = cf_arena_take(turn->arena, (most + 1) * sizeof *members);
    if (!members)
        return CF_ENOMEM;
    for (const cf_membership_t *row = self->memberships; row && n < most; row = row->hh.next)
        if (row->attached && row->is_member && !row->asked)
            members[n++].user = row->user;
    *out = (cf_list_t){members, n};
    return 0;
}

void cf_room_hand_over(cf_room_t *self, cf_turn_t *turn)
{
    cf_handover_t handover = {.epoch = self->epoch,
                              .numbered_in = self->numbered_in,
                              .last_seq = self->committed_seq,
                              .last_us = self->last_us};
    if (list_posts(self, turn, &handover.posts) == 0 &&
        list_members(self, turn, &handover.members) == 0)
        cf_outbox_send(turn->out, self->host->config->lobby, CF_MSG_HANDOVER, 0, self->id,
                       &handover);
}

/* --- the new place -----------------------------------------------------------------------------
 */

/* Whether it counts is known when the store has answered. */
int cf_room_on_handover(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_handover_t handover;
    int rc = cf_msg_body(&handover, msg, turn->arena);
    if (rc < 0 || self->phase != CF_ROOM_LOADING)
        return rc;
    cf_buf_clear(&self->handed);
    cf_buf_add(&self->handed, msg->body, msg->size); /* without memory the store has to do */
    return 0;
}

/* The epoch that follows says that nobody has written in between; a number that is another one would be a fault of
 * the store, or of ours. Of an ephemeral room nobody else knows, and numbers and times must be able to go on. */
static bool follows(const cf_room_t *self, const cf_handover_t *handover)
{
    bool is_next = handover->epoch && handover->epoch + 1 == self->epoch;
    if (!self->ephemeral)
        return is_next && handover->last_seq == self->committed_seq;
    return is_next && handover->last_seq <= INT64_MAX && handover->last_us <= CF_TIME_MAX_US;
}

static void take_posts(cf_room_t *self, const cf_list_t *list)
{
    const cf_post_t *posts = list->items;
    for (uint32_t i = list->n, later = 0; i-- > 0; later++)
        if (posts[i].seq + later != self->committed_seq ||
            cf_ring_put_before(self->ring, &posts[i]) < 0)
            return;
}

void cf_room_take_over(cf_room_t *self, cf_turn_t *turn)
{
    cf_handover_t handover;
    if (self->handed.size &&
        cf_shape_decode(&handover, &cf_shape_handover, self->handed.data, self->handed.size,
                        turn->arena) == 0 &&
        follows(self, &handover)) {
        if (self->ephemeral) { /* of which the store knows no post */
            self->committed_seq = handover.last_seq;
            self->last_us = handover.last_us;
            self->numbered_in = handover.numbered_in;
        }
        const cf_handed_member_t *members = handover.members.items;
        for (uint32_t i = 0; i < handover.members.n; i++)
            cf_room_remember_member(self, members[i].user);
        take_posts(self, &handover.posts);
    }
    cf_buf_free(&self->handed);
}
