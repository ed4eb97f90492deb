/* gateway_rooms.c: where rooms are, and what is in flight to them.
 *
 * Requests to one room keep their order over a move: while a room is being looked up everything new
 * is held; what was in flight comes back answered or MOVED; when all of it has, and the new place
 * is known, connections attach again and the held requests follow in the order they were first
 * sent. */
#include "gateway_state.h"

#include "clock.h"
#include "err.h"
#include "metrics.h"
#include "wire/place.h"

#include <sodium.h>
#include <stdlib.h>

#define REQUEST_SIZE                                                                               \
    384 /* hardly any takes more: one piece of memory instead of one and then another */
#define ATTACH_FRAME_MAX 256 /* bytes of an ATTACH; its longest text is a username */

cf_place_t *cf_place_find(cf_gateway_t *self, cf_id_t room)
{
    cf_place_t *place;
    HASH_FIND(hh, self->places, &room, sizeof room, place);
    return place;
}

cf_place_t *cf_place_of(cf_gateway_t *self, cf_id_t room)
{
    cf_place_t *place = cf_place_find(self, room);
    if (place || !(place = calloc(1, sizeof *place)))
        return place;
    place->room = room;
    HASH_ADD(hh, self->places, room, sizeof place->room, place);
    if (place->hh.tbl)
        return place;
    free(place);
    return NULL;
}

void cf_place_drop_if_idle(cf_gateway_t *self, cf_place_t *place)
{
    bool is_used =
        place->state != CF_PLACE_UNKNOWN || place->members || place->held || place->in_flight;
    if (is_used)
        return;
    HASH_DEL(self->places, place);
    free(place);
}

static void ask_again_later(cf_gateway_t *self, cf_place_t *place, int64_t boot_us)
{
    int64_t later_us = self->config.lookup_us;
    place->ask_again_us = boot_us + later_us + randombytes_uniform((uint32_t)(later_us / 2));
    self->places_sought = true;
}

static void look_up(cf_gateway_t *self, cf_place_t *place)
{
    int64_t boot_us = cf_boot_us();
    place->state = CF_PLACE_LOOKING;
    place->at = (cf_address_t){0};
    if (!place->sought_us)
        place->sought_us = boot_us;
    ask_again_later(self, place, boot_us);
    place->lookup_corr = ++self->next_corr;
    cf_outbox_insist(self->out, self->config.lobby, CF_MSG_LOOKUP, place->lookup_corr, place->room,
                     NULL);
}

/* --- held requests -----------------------------------------------------------------------------
 */

/* Nearly all come in their order: it is not looked for from the front, or thousands that come back would be 1 + 2 + 3... */
static void hold(cf_place_t *place, cf_pending_t *pending)
{
    bool is_last = place->held_last && place->held_last->corr < pending->corr;
    cf_pending_t **at = is_last ? &place->held_last->next_held : &place->held;
    while (*at && (*at)->corr < pending->corr)
        at = &(*at)->next_held;
    pending->next_held = *at;
    *at = pending;
    if (!pending->next_held)
        place->held_last = pending;
    pending->is_in_flight = false;
}

static void unhold(cf_place_t *place, cf_pending_t *pending)
{
    cf_pending_t *before = NULL;
    for (cf_pending_t *at = place->held; at; before = at, at = at->next_held) {
        if (at != pending)
            continue;
        *(before ? &before->next_held : &place->held) = at->next_held;
        if (place->held_last == at)
            place->held_last = before;
        return;
    }
}

/* Send the stored frame, to where the room is now. Returns 0 or CF_ENOMEM. */
static int send_pending(cf_gateway_t *self, cf_place_t *place, cf_pending_t *pending)
{
    cf_msg_t msg;
    int rc = cf_msg_decode(&msg, pending->frame.data, pending->frame.size);
    if (rc == 0)
        rc = cf_outbox_forward(self->out, &msg, place->at);
    if (rc < 0)
        return rc;
    pending->is_in_flight = true;
    place->in_flight++;
    place->sent_to = place->at;
    return 0;
}

/* Memory for what go_on() sends. */
static int reserve(cf_gateway_t *self, const cf_place_t *place)
{
    size_t bytes = place->member_count * ATTACH_FRAME_MAX;
    for (const cf_pending_t *at = place->held; at; at = at->next_held)
        bytes += at->frame.size;
    return cf_outbox_reserve(self->out, bytes);
}

/* Without it a connection would have a gap and nothing would say so. */
static void attach_again(cf_gateway_t *self, cf_client_t *client)
{
    if (cf_socket_attach(self, client, true) < 0)
        cf_socket_no_memory(client);
}

/* The place is known and nothing of the old one is in flight: go on. */
static void go_on(cf_gateway_t *self, cf_place_t *place)
{
    if (place->state != CF_PLACE_LOOKING || place->at.kind == 0 || place->in_flight)
        return;
    if (reserve(self, place) < 0) {
        self->places_wait = true; /* until cf_place_try_again() */
        return;
    }
    cf_pending_t *held = place->held;
    place->held = place->held_last = NULL;
    place->state = CF_PLACE_KNOWN;
    place->sought_us = 0;
    for (cf_client_t *client = place->members; client; client = client->next_here)
        if (client->phase == CF_CLIENT_ATTACHED)
            attach_again(self, client);
    for (cf_pending_t *next; held; held = next) {
        next = held->next_held;
        if (held->client || held->is_for_room) {
            send_pending(self, place, held); /* cannot fail: reserved */
        } else { /* it has gone: its ATTACH would leave a connection in the room for ever */
            held->place = NULL;
            cf_gateway_drop_pending(self, held);
        }
    }
}

int cf_place_prepare(cf_gateway_t *self, cf_client_t *client, cf_id_t room, uint16_t type,
                     const void *body, cf_answer_fn *answer, cf_pending_t **out)
{
    cf_pending_t *pending = cf_gateway_pend(self, client, type, answer);
    if (!pending)
        return CF_ENOMEM;
    cf_msg_t head = {.type = type,
                     .corr = pending->corr,
                     .from = cf_outbox_address(self->out),
                     .to = self->config.lobby, /* until it is sent */
                     .room = room};
    head.trace = pending->trace;
    int rc = cf_buf_reserve(&pending->frame, REQUEST_SIZE);
    if (rc == 0)
        rc = cf_msg_encode(&pending->frame, &head, body);
    if (rc < 0)
        cf_gateway_drop_pending(self, pending);
    else
        *out = pending;
    return rc;
}

int cf_place_send(cf_gateway_t *self, cf_place_t *place, cf_pending_t *pending)
{
    int rc = place->state == CF_PLACE_KNOWN ? send_pending(self, place, pending) : 0;
    if (rc < 0)
        return rc;
    pending->place = place;
    if (place->state == CF_PLACE_UNKNOWN)
        look_up(self, place);
    if (place->state != CF_PLACE_KNOWN)
        hold(place, pending);
    return 0;
}

int cf_place_ask(cf_gateway_t *self, cf_client_t *client, cf_id_t room, uint16_t type,
                 const void *body, cf_answer_fn *answer, cf_pending_t **out)
{
    cf_pending_t *pending;
    cf_place_t *place = cf_place_of(self, room);
    int rc = place ? cf_place_prepare(self, client, room, type, body, answer, &pending) : CF_ENOMEM;
    if (rc == 0) {
        rc = cf_place_send(self, place, pending);
        if (rc < 0)
            cf_gateway_drop_pending(self, pending);
        else if (out)
            *out = pending;
    }
    if (rc < 0 && place)
        cf_place_drop_if_idle(self, place);
    return rc;
}

static void settle_forget(cf_gateway_t *self, cf_place_t *place);

/* An answer came: out of flight; MOVED: to be sent again. Without `moved` the caller drops it. */
void cf_place_answered(cf_gateway_t *self, cf_pending_t *pending, bool moved)
{
    cf_place_t *place = pending->place;
    if (!pending->is_in_flight) {
        unhold(place, pending);
    } else {
        place->in_flight--;
        pending->is_in_flight = false;
    }
    if (moved) {
        hold(place, pending);
        if (place->state != CF_PLACE_LOOKING) /* UNKNOWN: an earlier lookup was refused */
            look_up(self, place);
    } else {
        pending->place = NULL;
    }
    settle_forget(self, place);
    go_on(self, place);
    if (!moved)
        cf_place_drop_if_idle(self, place);
}

/* --- members -----------------------------------------------------------------------------------
 */

void cf_place_enter(cf_gateway_t *self, cf_place_t *place, cf_client_t *client)
{
    (void)self;
    client->place = place;
    client->prev_here = NULL;
    client->next_here = place->members;
    if (place->members)
        place->members->prev_here = client;
    place->members = client;
    place->member_count++;
}

void cf_place_leave(cf_gateway_t *self, cf_client_t *client)
{
    cf_place_t *place = client->place;
    if (!place)
        return;
    if (client->prev_here)
        client->prev_here->next_here = client->next_here;
    else
        place->members = client->next_here;
    if (client->next_here)
        client->next_here->prev_here = client->prev_here;
    client->place = NULL;
    if (--place->member_count == 0)
        cf_elsewhere_drop(self, place);
    /* one that was not let in yet, while its room is looked for, has nothing to be taken out of */
    if (place->state == CF_PLACE_KNOWN || client->seen_epoch)
        cf_place_detach(
            self, place,
            &(cf_detach_t){client->number, client->seen_epoch, cf_str(client->username)});
    cf_place_drop_if_idle(self, place);
}

static void on_detached(cf_gateway_t *self, cf_turn_t *turn, cf_pending_t *pending,
                        const cf_msg_t *msg)
{
    (void)self;
    (void)turn;
    (void)pending;
    (void)msg;
}

/* A request like any other: a room that is moving answers MOVED, and its next activation is told. */
void cf_place_detach(cf_gateway_t *self, cf_place_t *place, const cf_detach_t *gone)
{
    cf_pending_t *pending;
    if (place->state == CF_PLACE_UNKNOWN)
        return;
    if (cf_place_ask(self, NULL, place->room, CF_MSG_DETACH, gone, on_detached, &pending) == 0)
        pending->is_for_room = true;
    else /* no memory to wait for an answer */
        cf_outbox_insist(self->out, place->state == CF_PLACE_KNOWN ? place->at : place->sent_to,
                         CF_MSG_DETACH, 0, place->room, &(cf_detach_t){.conn = gone->conn});
}

void cf_place_close(cf_place_t *place, int code, const char *reason)
{
    for (cf_client_t *client = place->members, *next; client; client = next) {
        next = client->next_here;
        if (client->conn)
            cf_socket_close(client, code, reason);
    }
}

/* --- messages ----------------------------------------------------------------------------------
 */

int cf_place_on_placed(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_placed_t placed;
    int rc = cf_msg_body(&placed, msg, turn->arena);
    cf_place_t *place = rc == 0 ? cf_place_find(self, msg->room) : NULL;
    if (!place || place->lookup_corr != msg->corr ||
        (rc = cf_placed_at(&place->at, &placed, msg)) < 0)
        return rc;
    place->lookup_corr = 0;
    go_on(self, place);
    return 0;
}

/* While nodes come and go nobody may know for a moment whose the room is. */
static bool may_ask_again(const cf_gateway_t *self, const cf_place_t *place, int err)
{
    return err == CF_EAGAIN && cf_boot_us() - place->sought_us < self->config.answer_us;
}

/* The lobby would not say where the room is: nothing that waits for it can be carried out. */
void cf_place_lookup_refused(cf_gateway_t *self, cf_turn_t *turn, const cf_msg_t *msg)
{
    uint32_t retry_after_ms;
    cf_place_t *place = cf_place_find(self, msg->room);
    if (!place || place->lookup_corr != msg->corr)
        return;
    place->lookup_corr = 0;
    if (may_ask_again(self, place, cf_gateway_refusal(turn, msg, &retry_after_ms))) {
        place->ask_again_us = 0; /* by cf_place_second() */
        return;
    }
    place->state = CF_PLACE_UNKNOWN;
    place->sought_us = 0;
    while (place->held) {
        cf_pending_t *pending = place->held;
        unhold(place, pending);
        cf_gateway_tell_asked(self, pending, msg);
        pending->place = NULL;
        pending->answer(self, turn, pending, msg);
        cf_gateway_drop_pending(self, pending);
    }
    cf_place_close(place, 1013, "try again later");
    cf_place_drop_if_idle(self, place);
}

static void say_forgotten(cf_gateway_t *self, cf_address_t lobby, cf_id_t room)
{
    cf_outbox_insist(self->out, lobby, CF_MSG_FORGOTTEN, 0, room, NULL);
}

/* Nobody was asked where the room is, and nobody has said so. */
static void look_up_if_wanted(cf_gateway_t *self, cf_place_t *place)
{
    if (place->state != CF_PLACE_LOOKING || place->at.kind || place->owes_forgotten.kind ||
        place->lookup_corr)
        return; /* a LOOKUP that the lobby holds is answered with the new place */
    if (place->members || place->held)
        look_up(self, place);
    else
        place->state = CF_PLACE_UNKNOWN;
}

/* FORGOTTEN says that nothing of ours can reach the old place any more. It waits for the last answer from
 * there: a request still in the old place's inbox would otherwise meet a new room on the same thread, ahead
 * of older ones that come back MOVED. */
static void settle_forget(cf_gateway_t *self, cf_place_t *place)
{
    if (place->owes_forgotten.kind == 0 || place->in_flight)
        return;
    say_forgotten(self, place->owes_forgotten, place->room);
    place->owes_forgotten = (cf_address_t){0};
    look_up_if_wanted(self, place);
}

/* A lobby knows the rooms of its node alone. What another has said of this room meanwhile still holds. */
int cf_place_on_forget(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_place_t *place = cf_place_find(self, msg->room);
    (void)turn;
    if (!place || place->state == CF_PLACE_UNKNOWN) {
        say_forgotten(self, msg->from, msg->room);
        return 0;
    }
    if (place->at.node == msg->from.node) { /* where it was, or where an answer before this said */
        place->state = CF_PLACE_LOOKING;
        place->at = (cf_address_t){0};
    }
    if (place->in_flight && place->sent_to.node == msg->from.node) {
        place->owes_forgotten = msg->from;
        return 0;
    }
    say_forgotten(self, msg->from, msg->room);
    look_up_if_wanted(self, place);
    cf_place_drop_if_idle(self, place);
    return 0;
}

/* Neither held nor in flight: nobody will answer it. */
static void forsake(cf_gateway_t *self, cf_pending_t *pending)
{
    pending->place = NULL;
    cf_gateway_drop_pending(self, pending);
}

static void mark_lost(cf_pending_t *post)
{
    if (post->client && !post->was_lost)
        post->client->lost_posts++;
    post->was_lost = true;
}

/* Under a client's key a post is sent again: the store knows it if it has it. One without may or may not be
 * stored, and whoever sends it again must not find their later words stored before it. */
static void recall_post(cf_gateway_t *self, cf_place_t *place, cf_pending_t *post,
                        bool was_in_flight)
{
    bool is_in_order = !post->client || !post->client->has_lost_order;
    if (is_in_order && !was_in_flight)
        return; /* it was not sent yet */
    if (was_in_flight)
        mark_lost(post);
    if (is_in_order && post->client_key[0]) {
        cf_count(CF_M_POSTS_SENT_AGAIN);
        hold(place, post);
        return;
    }
    if (!was_in_flight)
        unhold(place, post);
    if (post->client)
        post->client->has_lost_order = true;
    cf_socket_post_failed(self, post, post->was_lost ? CF_EUNCONFIRMED : CF_EIO, 1000);
    forsake(self, post);
}

/* Who is in the room comes again anyway. */
static bool is_of_member(const cf_pending_t *pending, uint16_t type)
{
    return type == CF_MSG_ATTACH && pending->client && pending->client->phase == CF_CLIENT_ATTACHED;
}

static void recall_pending(cf_gateway_t *self, cf_place_t *place, cf_pending_t *pending)
{
    cf_msg_t msg;
    if (cf_msg_decode(&msg, pending->frame.data, pending->frame.size) < 0)
        return;
    bool was_in_flight = pending->is_in_flight;
    place->in_flight -= was_in_flight;
    pending->is_in_flight = false;
    if (msg.type == CF_MSG_POST) {
        recall_post(self, place, pending, was_in_flight);
    } else if (is_of_member(pending, msg.type)) {
        unhold(place, pending);
        forsake(self, pending);
    } else if (was_in_flight) {
        hold(place, pending);
    }
}

/* What was in flight to a lost node is asked again at the new place, in its old order. In one go for all places: there may
 * be thousands, each with thousands that wait. */
static void recall(cf_gateway_t *self)
{
    cf_pending_t *pending, *next;
    HASH_ITER(hh, self->pendings, pending, next) /* in order of sending */
    {
        if (pending->place && pending->place->is_lost)
            recall_pending(self, pending->place, pending);
    }
}

/* Its number is never used again. */
static void forget_seen(cf_gateway_t *self, uint32_t node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->seen_count; i++)
        if (cf_address_unpack(self->seen[i].address).node != node)
            self->seen[kept++] = self->seen[i];
    self->seen_count = kept;
}

static void lose_node(cf_place_t *place, uint32_t node)
{
    if (place->owes_forgotten.node == node)
        place->owes_forgotten = (cf_address_t){0};
    if (place->at.node == node) {
        place->state = CF_PLACE_LOOKING;
        place->at = (cf_address_t){0};
    }
    place->is_lost = place->in_flight && place->sent_to.node == node;
}

/* The lobby has told us, so it asks that node no more. Where a LOOKUP is that has no answer, nobody here knows: it may
 * have gone there, so it is asked again. */
static void seek_anew(cf_gateway_t *self, cf_place_t *place)
{
    bool was_asked = place->lookup_corr;
    for (cf_client_t *client = place->is_lost ? place->members : NULL; client;
         client = client->next_here)
        client->has_lost_order = false;
    place->is_lost = false;
    settle_forget(self, place);
    if (was_asked)
        look_up(self, place);
    else
        look_up_if_wanted(self, place);
    go_on(self, place); /* LOOKING, and waiting for nothing else */
    cf_place_drop_if_idle(self, place);
}

int cf_place_on_node_gone(void *state, cf_turn_t *turn, const cf_msg_t *msg)
{
    cf_gateway_t *self = state;
    cf_node_gone_t gone;
    cf_place_t *place, *next;
    int rc = cf_msg_body(&gone, msg, turn->arena);
    if (rc < 0)
        return rc;
    forget_seen(self, gone.node);
    HASH_ITER(hh, self->places, place, next)
    {
        cf_elsewhere_node_gone(self, place, gone.node);
        lose_node(place, gone.node);
    }
    recall(self);
    HASH_ITER(hh, self->places, place, next)
    {
        seek_anew(self, place);
    }
    return 0;
}

/* A LOOKUP may be lost with the node that it was sent on to, and a room's owner may not be known for a while. What waits for
 * the room has a time limit of its own, but not the members who are in it: they would hear nothing, and not know. */
static void seek_further(cf_gateway_t *self, cf_place_t *place, int64_t boot_us)
{
    if (place->state != CF_PLACE_LOOKING || !place->sought_us || place->at.kind)
        return;
    self->places_sought = true;
    if (boot_us - place->sought_us >= self->config.answer_us) {
        cf_place_close(place, 1013, "try again later");
        place->sought_us = boot_us;
    }
    if (!place->members && !place->held) {
        place->state = CF_PLACE_UNKNOWN;
        place->lookup_corr = 0;
        place->sought_us = 0;
        cf_place_drop_if_idle(self, place);
    } else if (boot_us >= place->ask_again_us && place->owes_forgotten.kind == 0) {
        look_up(self, place);
    }
}

void cf_place_second(cf_gateway_t *self, int64_t boot_us)
{
    cf_place_t *place, *next;
    bool waits = self->places_wait, sought = self->places_sought;
    if (!waits && !sought)
        return;
    self->places_wait = self->places_sought = false;
    HASH_ITER(hh, self->places, place, next)
    {
        if (waits)
            go_on(self, place);
        if (sought)
            seek_further(self, place, boot_us);
    }
}

void cf_place_free_all(cf_gateway_t *self)
{
    cf_place_t *place, *next;
    HASH_ITER(hh, self->places, place, next)
    {
        HASH_DEL(self->places, place);
        cf_elsewhere_drop(self, place);
        free(place);
    }
}
