/* room_members.c: who is in the room now (attachments), and who may be (memberships). */
#include "room_state.h"

#include "err.h"
#include "metrics.h"
#include "wire/control.h"
#include "wire/read.h"
#include "wire/record.h"

#include <stdlib.h>

/* --- durable membership ------------------------------------------------------------------------
 */

cf_membership_t *cf_room_find_membership(cf_room_t *self, cf_id_t user)
{
    cf_membership_t *row;
    HASH_FIND(hh, self->memberships, &user, sizeof user, row);
    return row;
}

/* Let go of the oldest rows that nobody attached needs. */
static void trim_memberships(cf_room_t *self)
{
    cf_membership_t *row, *next;
    if (self->unattached <= self->host->config->members_cache)
        return;
    HASH_ITER(hh, self->memberships, row, next)
    {
        if (self->unattached <= self->host->config->members_cache)
            return;
        if (row->attached || row->asked)
            continue;
        HASH_DEL(self->memberships, row);
        free(row);
        self->unattached--;
    }
}

static cf_membership_t *add_membership(cf_room_t *self, cf_id_t user)
{
    cf_membership_t *row = calloc(1, sizeof *row);
    if (!row)
        return NULL;
    row->user = user;
    self->unattached++;
    trim_memberships(self); /* before it can be the one that goes */
    HASH_ADD(hh, self->memberships, user, sizeof row->user, row);
    if (row->hh.tbl)
        return row;
    self->unattached--;
    free(row);
    return NULL;
}

void cf_room_remember_member(cf_room_t *self, cf_id_t user)
{
    cf_membership_t *row = cf_room_find_membership(self, user);
    if (row || (row = add_membership(self, user)))
        row->is_member = true;
}

int cf_room_membership(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_id_t user)
{
    cf_membership_t *row = cf_room_find_membership(self, user);
    if (row && !row->asked && (row->is_member || row->attached))
        return row->is_member;
    /* "Not a member" is not remembered: another node may have let the user join */
    int rc = cf_room_hold(self, turn, msg, user);
    if (rc < 0)
        return rc;
    if (!row && !(row = add_membership(self, user))) {
        cf_room_refuse_held(self, turn, user, CF_ENOMEM);
        return CF_EAGAIN; /* answered */
    }
    if (!row->asked) {
        row->asked = cf_room_next_corr(self);
        cf_outbox_send(turn->out, cf_room_reader(self), CF_MSG_FIND_MEMBER, row->asked, self->id,
                       &(cf_find_member_t){user}); /* unsent: the timer answers */
    }
    return CF_EAGAIN;
}

void cf_room_lookup_failed(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err)
{
    for (cf_membership_t *row = corr ? self->memberships : NULL; row; row = row->hh.next)
        if (row->asked == corr) {
            row->asked = 0;
            cf_room_refuse_held(self, turn, row->user, err);
            trim_memberships(self);
            return;
        }
}

static void answer_held_stranger(cf_room_t *self, cf_turn_t *turn, cf_id_t user);

int cf_room_on_member(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_member_t member;
    int rc = cf_msg_body(&member, msg, turn->arena);
    cf_membership_t *row = rc == 0 ? cf_room_find_membership(self, member.user) : NULL;
    if (!row || row->asked != msg->corr)
        return rc; /* of a question that was given up, or settled by a JOIN or LEAVE since */
    row->asked = 0;
    row->is_member = member.is_member;
    if (member.is_member)
        cf_room_release(self, turn, member.user);
    else
        answer_held_stranger(self, turn, member.user);
    return 0;
}

/* What waits for the membership of somebody who has none: answered by each request's own handler,
 * with the row saying "attached" for the moment so that it does not ask again. */
static void answer_held_stranger(cf_room_t *self, cf_turn_t *turn, cf_id_t user)
{
    cf_membership_t *row = cf_room_find_membership(self, user);
    row->attached++;
    cf_room_release(self, turn, user);
    if ((row = cf_room_find_membership(self, user))) {
        row->attached--;
        trim_memberships(self);
    }
}

int cf_room_on_check(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_check_t check;
    int rc = cf_msg_body(&check, msg, turn->arena);
    if (rc == 0)
        rc = cf_room_membership(state, turn, msg, check.user);
    if (rc == 1)
        return cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
    return rc == 0 ? CF_EPERM : rc == CF_EAGAIN ? 0 : rc;
}

/* --- join and leave ----------------------------------------------------------------------------
 */

static int write_member(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, cf_id_t user,
                        bool joins)
{
    cf_pending_join_t *pending = calloc(1, sizeof *pending);
    if (!pending)
        return CF_ENOMEM;
    *pending = (cf_pending_join_t){.next = self->joins,
                                   .corr = cf_room_next_corr(self),
                                   .request = *msg,
                                   .user = user,
                                   .joins = joins,
                                   .since_us = turn->boot_us};
    int rc = cf_outbox_send(turn->out, self->host->config->storage,
                            joins ? CF_MSG_ADD_MEMBER : CF_MSG_REMOVE_MEMBER, pending->corr,
                            self->id, &(cf_member_change_t){user, turn->wall_us});
    if (rc < 0) {
        free(pending); /* the caller refuses the request; the timer must not do so again */
        return rc;
    }
    self->joins = pending;
    return 0;
}

int cf_room_on_join(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_join_t join;
    int rc = cf_msg_body(&join, msg, turn->arena);
    if (rc < 0)
        return rc;
    cf_membership_t *row = cf_room_find_membership(self, join.user);
    if (row && row->is_member && !row->asked)
        return cf_outbox_answer(turn->out, msg, CF_MSG_DONE, NULL);
    return write_member(self, turn, msg, join.user, true);
}

int cf_room_on_leave(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_leave_t leave;
    int rc = cf_msg_body(&leave, msg, turn->arena);
    return rc < 0 ? rc : write_member(state, turn, msg, leave.user, false);
}

static void expel(cf_room_t *self, cf_turn_t *turn, cf_id_t user);

static cf_pending_join_t *take_join(cf_room_t *self, uint64_t corr)
{
    for (cf_pending_join_t **at = &self->joins; *at; at = &(*at)->next)
        if ((*at)->corr == corr) {
            cf_pending_join_t *pending = *at;
            *at = pending->next;
            return pending;
        }
    return NULL;
}

int cf_room_on_done(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_pending_join_t *pending = take_join(self, msg->corr);
    if (!pending)
        return 0; /* answered by the timer already */
    cf_membership_t *row = cf_room_find_membership(self, pending->user);
    if (!row && pending->joins)
        row = add_membership(self, pending->user);
    if (row) {
        row->is_member = pending->joins;
        row->asked = 0;
        if (!pending->joins && row->attached)
            expel(self, turn, pending->user);
        cf_room_release(self, turn, pending->user);
    }
    cf_outbox_finish(turn->out, &pending->request, CF_MSG_DONE, NULL);
    free(pending);
    return 0;
}

bool cf_room_join_refused(cf_room_t *self, cf_turn_t *turn, uint64_t corr, int err)
{
    cf_pending_join_t *pending = take_join(self, corr);
    if (!pending)
        return false;
    cf_outbox_refuse(turn->out, &pending->request, err, 0);
    free(pending);
    return true;
}

void cf_room_refuse_joins(cf_room_t *self, cf_turn_t *turn, int err)
{
    while (self->joins)
        cf_room_join_refused(self, turn, self->joins->corr, err);
}

/* --- connections -------------------------------------------------------------------------------
 */

cf_attachment_t *cf_room_attachment(cf_room_t *self, cf_address_t gateway, uint64_t conn)
{
    uint64_t key[2] = {cf_address_pack(gateway), conn};
    cf_attachment_t *attachment;
    HASH_FIND(hh, self->attachments, key, sizeof key, attachment);
    return attachment;
}

int cf_room_may_speak(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg, uint64_t conn,
                      cf_id_t sender)
{
    const cf_attachment_t *attachment = cf_room_attachment(self, msg->from, conn);
    bool is_his = attachment && cf_id_equal(attachment->user, sender);
    if (is_his && attachment->membership->is_member && !attachment->membership->asked)
        return 1;
    /* Membership first: what comes right behind an ATTACH is held with it while that is looked up */
    int rc = cf_room_membership(self, turn, msg, sender);
    return rc == 1 ? is_his : rc;
}

static void set_attached(cf_room_t *self, cf_membership_t *row, int by)
{
    bool was = row->attached > 0;
    row->attached = (uint32_t)((int)row->attached + by);
    if (was != (row->attached > 0)) {
        self->unattached += was ? 1 : (uint32_t)-1;
        self->users += was ? (uint32_t)-1 : 1;
    }
    trim_memberships(self);
}

static int add_attachment(cf_room_t *self, const cf_msg_t *msg, const cf_attach_t *attach)
{
    cf_room_gateway_t *gateway;
    cf_membership_t *membership = cf_room_find_membership(self, attach->user);
    int rc =
        membership ? cf_room_add_gateway(self, cf_address_pack(msg->from), &gateway) : CF_EPERM;
    if (rc < 0)
        return rc;
    cf_attachment_t *attachment = calloc(1, sizeof *attachment);
    if (!attachment)
        return CF_ENOMEM;
    attachment->key[0] = cf_address_pack(msg->from);
    attachment->key[1] = attach->conn;
    attachment->user = attach->user;
    attachment->membership = membership;
    attachment->wants_roster = attach->roster;
    memcpy(attachment->username, attach->username.bytes, attach->username.size);
    HASH_ADD(hh, self->attachments, key, sizeof attachment->key, attachment);
    if (!attachment->hh.tbl) {
        free(attachment);
        return CF_ENOMEM;
    }
    if (gateway->connections++ == 0) {
        gateway->next_n = cf_ring_last_n(self->ring) + 1;
        gateway->told_seq = self->committed_seq;
    }
    gateway->rosters += attach->roster;
    self->connections++;
    set_attached(self, membership, 1);
    return 0;
}

static void take_out(cf_room_t *self, cf_attachment_t *attachment)
{
    cf_room_gateway_t *gateway = cf_room_gateway(self, attachment->key[0]);
    if (gateway) {
        gateway->connections--;
        gateway->rosters -= attachment->wants_roster;
    }
    self->connections--;
    HASH_DEL(self->attachments, attachment);
    set_attached(self, attachment->membership, -1);
    free(attachment);
}

/* What the connection has missed, from the ring, into *attached; `reload` when the ring lacks a post. */
static int fill_backlog(cf_room_t *self, cf_turn_t *turn, const cf_attach_t *attach,
                        cf_attached_t *attached)
{
    if (!attach->resume)
        return 0;
    bool is_other_epoch = attach->epoch != self->epoch;
    bool was_numbered_so =
        !self->ephemeral || (attach->epoch >= self->numbered_in && attach->epoch <= self->epoch);
    bool is_back = attach->again && is_other_epoch; /* nothing of this epoch was shown to it */
    bool has_missed = attach->since != self->committed_seq;
    uint64_t first = cf_ring_first_seq(self->ring);
    uint32_t entries = cf_ring_entries(self->ring), count = 0;
    attached->reload = !was_numbered_so || attach->since > self->committed_seq ||
                       (has_missed && (first == 0 || attach->since + 1 < first));
    cf_event_t *events = cf_arena_take(turn->arena, (entries + 1) * sizeof *events);
    if (!events)
        return CF_ENOMEM;
    for (uint32_t i = 0; i < entries && !attached->reload; i++) {
        cf_ring_event_t at = cf_ring_entry(self->ring, i);
        bool is_post = at.kind == CF_EVENT_POST;
        if (is_post ? at.post.seq <= attach->since : !is_back)
            continue;
        attached->reload = count == CF_RUN_ROWS_MAX;
        events[count] = (cf_event_t){self->epoch, at.n, at.kind, at.post};
        events[count++].post.client_key = (cf_str_t){0};
    }
    if (!attached->reload)
        attached->backlog = (cf_list_t){events, count};
    return 0;
}

/* What is told of who comes and goes. */
static cf_post_t who(cf_str_t username, uint32_t node)
{
    return (cf_post_t){.username = username, .seq = node};
}

static bool is_first_of_gateway(cf_room_t *self, cf_address_t address)
{
    const cf_room_gateway_t *gateway = cf_room_gateway(self, cf_address_pack(address));
    return !gateway || gateway->connections == 0;
}

static int list_elsewhere(const cf_room_t *self, cf_turn_t *turn, uint32_t node, cf_list_t *out)
{
    uint32_t most = self->connections < CF_ROSTER_MAX ? self->connections : CF_ROSTER_MAX, n = 0;
    cf_elsewhere_t *rows = cf_arena_take(turn->arena, (most + 1) * sizeof *rows);
    if (!rows)
        return CF_ENOMEM;
    for (const cf_attachment_t *at = self->attachments; at && n < most; at = at->hh.next) {
        uint32_t of = cf_address_unpack(at->key[0]).node;
        if (of != node)
            rows[n++] = (cf_elsewhere_t){of, cf_str(at->username)};
    }
    *out = (cf_list_t){rows, n};
    return 0;
}

/* The ring lacks a post that the connection has missed, and the store may tell it: this activation is new, and the one
 * before has not handed over its ring, as its node died. */
static bool wants_load(const cf_room_t *self, const cf_attach_t *attach)
{
    uint64_t first = cf_ring_first_seq(self->ring);
    bool has_missed = attach->resume && attach->since < self->committed_seq &&
                      self->committed_seq - attach->since <= self->host->config->ring_events;
    return has_missed && !self->ephemeral && !self->was_loaded &&
           (first == 0 || attach->since + 1 < first);
}

/* Who comes again may speak at once: what he said stands right behind. */
static int wait_for_missed(cf_room_t *self, cf_turn_t *turn, const cf_msg_t *msg,
                           const cf_attach_t *attach)
{
    bool is_known = cf_room_attachment(self, msg->from, attach->conn) != NULL;
    int rc = attach->again && !is_known ? add_attachment(self, msg, attach) : 0;
    return rc < 0 ? rc : cf_room_wait_for_load(self, turn, msg, CF_RUN_ROWS_MAX);
}

int cf_room_on_attach(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_attach_t attach;
    int rc = cf_msg_body(&attach, msg, turn->arena);
    if (rc == 0)
        rc = cf_room_membership(self, turn, msg, attach.user);
    if (rc != 1)
        return rc == 0 ? CF_EPERM : rc == CF_EAGAIN ? 0 : rc;
    if (wants_load(self, &attach) && (rc = wait_for_missed(self, turn, msg, &attach)) != CF_EFULL)
        return rc; /* else he is told to read the history himself */
    if (attach.resume && self->untold > self->host->config->ring_events)
        cf_room_fan_out_all(self, turn); /* they might be more than a backlog may have */
    cf_attached_t attached = {.epoch = self->epoch,
                              .last_seq = self->committed_seq,
                              .last_n = cf_ring_last_n(self->ring),
                              .tells_elsewhere =
                                  !attach.again && is_first_of_gateway(self, msg->from)};
    bool is_known = cf_room_attachment(self, msg->from, attach.conn) != NULL;
    if ((rc = fill_backlog(self, turn, &attach, &attached)) < 0 ||
        (attach.roster && !attach.again &&
         (rc = cf_room_roster(self, turn, &attached.roster)) < 0) ||
        (attached.tells_elsewhere &&
         (rc = list_elsewhere(self, turn, msg->from.node, &attached.elsewhere)) < 0) ||
        (!is_known && (rc = add_attachment(self, msg, &attach)) < 0))
        return rc;
    if (!is_known && !attach.again && cf_room_crowd_waits(self, turn))
        attached.own_n = attached.last_n + 1; /* announced right below */
    rc = cf_outbox_answer(turn->out, msg, CF_MSG_ATTACHED, &attached);
    cf_post_t name = who(attach.username, msg->from.node);
    if (rc < 0 && !is_known) /* it is refused, and then it is not here */
        take_out(self, cf_room_attachment(self, msg->from, attach.conn));
    else if (!is_known && !attach.again)
        cf_room_announce(self, turn, CF_EVENT_JOINED, &name);
    if (rc == 0 && attach.again) {
        self->came_again = true;
        cf_room_rosters_due(self);
    }
    if (rc == 0 && attach.resume)
        cf_count(attached.reload ? CF_M_RESUMED_RELOAD : CF_M_RESUMED);
    return rc;
}

static void detach(cf_room_t *self, cf_turn_t *turn, cf_attachment_t *attachment)
{
    char username[CF_USERNAME_MAX + 1];
    memcpy(username, attachment->username, sizeof username);
    cf_post_t name = who(cf_str(username), cf_address_unpack(attachment->key[0]).node);
    self->active_us = turn->boot_us;
    take_out(self, attachment);
    cf_room_announce(self, turn, CF_EVENT_LEFT, &name);
}

/* A connection that was in the room before it moved, and did not come along. */
static void tell_departure(cf_room_t *self, cf_turn_t *turn, const cf_detach_t *gone, uint32_t node)
{
    cf_post_t name = who(gone->username, node);
    if (gone->epoch == 0 || gone->epoch >= self->epoch)
        return; /* never in, or out already */
    self->active_us = turn->boot_us;
    cf_room_announce(self, turn, CF_EVENT_LEFT, &name);
    cf_room_rosters_due(self); /* one of this activation did not have it */
}

/* In a room that is leaving nothing is done: its next activation tells of it. */
int cf_room_on_detach(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_room_t *self = state;
    cf_detach_t gone;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    if (self->phase == CF_ROOM_VACATING || self->phase == CF_ROOM_RETIRING)
        return CF_EMOVED;
    cf_room_drop_held_attach(self, turn, msg->from, gone.conn);
    if (self->phase == CF_ROOM_LOADING && gone.epoch &&
        cf_room_hold(self, turn, msg, (cf_id_t){0}) == 0)
        return 0;
    cf_attachment_t *attachment = cf_room_attachment(self, msg->from, gone.conn);
    if (attachment)
        detach(self, turn, attachment);
    else
        tell_departure(self, turn, &gone, msg->from.node);
    if (msg->corr)
        cf_outbox_finish(turn->out, msg, CF_MSG_DONE, NULL);
    return 0;
}

/* This user has left for good: the sockets still open are out of the room at once. */
static void expel(cf_room_t *self, cf_turn_t *turn, cf_id_t user)
{
    cf_attachment_t *attachment, *next;
    HASH_ITER(hh, self->attachments, attachment, next)
    {
        if (!cf_id_equal(attachment->user, user))
            continue;
        cf_outbox_insist(turn->out, cf_address_unpack(attachment->key[0]), CF_MSG_EXPELLED, 0,
                         self->id, &(cf_expelled_t){attachment->key[1]});
        detach(self, turn, attachment);
    }
}

void cf_room_detach_node(cf_room_t *self, cf_turn_t *turn, uint32_t node)
{
    cf_attachment_t *attachment, *next;
    HASH_ITER(hh, self->attachments, attachment, next)
    {
        if (cf_address_unpack(attachment->key[0]).node == node)
            detach(self, turn, attachment);
    }
}

void cf_room_members_tick(cf_room_t *self, cf_turn_t *turn)
{
    for (cf_pending_join_t *at = self->joins, *next; at; at = next) {
        next = at->next;
        if (turn->boot_us - at->since_us > self->host->config->answer_us)
            cf_room_join_refused(self, turn, at->corr, CF_ETIME);
    }
    if (self->phase != CF_ROOM_OPEN)
        return;
    while (self->held && turn->boot_us - self->held->since_us > self->host->config->answer_us) {
        cf_id_t user = self->held->user; /* the reader did not answer */
        cf_membership_t *row = cf_room_find_membership(self, user);
        if (row)
            row->asked = 0;
        if (cf_id_equal(user, self->id))
            cf_room_load_failed(self, turn, self->load_corr, CF_ETIME);
        else
            cf_room_refuse_held(self, turn, user, CF_ETIME);
        trim_memberships(self);
    }
}

void cf_room_free_members(cf_room_t *self)
{
    cf_membership_t *row, *next_row;
    HASH_ITER(hh, self->memberships, row, next_row)
    {
        HASH_DEL(self->memberships, row);
        free(row);
    }
    cf_attachment_t *attachment, *next_attachment;
    HASH_ITER(hh, self->attachments, attachment, next_attachment)
    {
        HASH_DEL(self->attachments, attachment);
        free(attachment);
    }
    for (cf_pending_join_t *join = self->joins, *next; join; join = next) {
        next = join->next;
        free(join);
    }
}
