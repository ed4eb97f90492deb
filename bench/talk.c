/* What virtual users say and what their rooms deliver. A message is known by its text, as in k6's
 * scripts, and by its sender, as in a large room two users say the same in one millisecond; beyond that each post is held to its place in the room's order, which order.h keeps, and a
 * record of all posts is made to compare with acks and, afterwards, with history. */
#include "payload.h"
#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define ANSWER_S 20  /* a post has been shown or refused long before */
#define COMMAND_S 35 /* a command's deadline is 30 s */
#define FRAME_MAX 700
#define RING_BYTES_MAX (64u << 20)
#define SEQ_MAX (100u << 20) /* no scenario makes so many posts */

static const char *const lines[] = {"Hello everyone!",        "How is it going?",
                                    "Anyone around?",         "Good to be here.",
                                    "What do you think?",     "That sounds right.",
                                    "Let me look into that.", "I agree with this.",
                                    "See you in a moment.",   "Thanks, that was quick."};
static const char *const stocks[] = {"aapl.us", "googl.us", "msft.us", "amzn.us",
                                     "tsla.us", "fb.us",    "nflx.us"};

/* A post as order.h keeps it: its id and text are parts of the frame behind it. */
typedef struct {
    cf_slot_t slot;
    uint32_t name_at, name_size, content_at, content_size;
} cf_shown_t;

/* ---- rooms */

int cf_room_build(cf_room_t *room, uint32_t rooms)
{
    size_t count = RING_BYTES_MAX / (FRAME_MAX * rooms);
    int rc = cf_order_build(&room->order, sizeof(cf_shown_t), FRAME_MAX, count);
    room->order.base_seq = 1; /* the room is new */
    return rc;
}

void cf_room_free(cf_room_t *room)
{
    cf_order_free(&room->order);
    free(room->posts);
    room->posts = NULL;
}

static cf_post_t *post_at(cf_room_t *room, uint64_t seq)
{
    if (seq >= room->posts_size) {
        uint64_t size = room->posts_size ? room->posts_size : 1024;
        while (size <= seq)
            size *= 2;
        room->posts = realloc(room->posts, size * sizeof *room->posts);
        if (!room->posts) {
            fputs("scenario: out of memory\n", stderr);
            exit(1);
        }
        memset(room->posts + room->posts_size, 0, (size - room->posts_size) * sizeof *room->posts);
        room->posts_size = size;
    }
    return &room->posts[seq];
}

/* An ack and a delivery both say which id stands at seq. */
static cf_post_t *identify(cf_scenario_t *run, cf_room_t *room, uint64_t seq, cf_slice_t id)
{
    if (seq == 0 || seq > SEQ_MAX || id.size == 0 || id.size >= CF_ID_TEXT_MAX) {
        run->counts.unreadable++;
        return NULL;
    }
    cf_post_t *post = post_at(room, seq);
    if (post->id[0] == '\0')
        memcpy(post->id, id.at, id.size);
    else
        run->counts.ack_wrong += !cf_slice_is(id, post->id);
    return post;
}

/* ---- what was sent and has not come back */

static void remove_open(cf_opens_t *opens, int at)
{
    opens->count--;
    memmove(&opens->items[at], &opens->items[at + 1],
            (size_t)(opens->count - at) * sizeof opens->items[0]);
}

static void add_open(cf_scenario_t *run, cf_opens_t *opens, const char *content)
{
    if (opens->count == CF_OPEN_MAX) {
        run->counts.overflowed++;
        remove_open(opens, 0);
    }
    cf_open_t *open = &opens->items[opens->count++];
    *open = (cf_open_t){.sent_ns = run->now_ns};
    snprintf(open->content, sizeof open->content, "%s", content);
}

static int find_open(const cf_opens_t *opens, cf_slice_t content)
{
    for (int i = 0; i < opens->count; i++)
        if (cf_slice_is(content, opens->items[i].content))
            return i;
    return -1;
}

/* ---- sending */

static bool say(cf_scenario_t *run, cf_user_t *user, const char *content)
{
    char json[256];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int size = snprintf(json, sizeof json,
                        "{\"type\":\"chat_message\",\"content\":\"%s\",\"timestamp\":%" PRId64 "}",
                        content, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return cf_conn_add_frame(&user->socket, CF_OP_TEXT, json, (size_t)size,
                             (uint32_t)(run->now_ns ^ user->index));
}

bool cf_talk_message(cf_scenario_t *run, cf_user_t *user)
{
    char content[CF_CONTENT_MAX];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(content, sizeof content, "%s %" PRId64,
             lines[(size_t)cf_random(0, sizeof lines / sizeof lines[0])],
             (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (!say(run, user, content))
        return false;
    run->counts.sent++;
    add_open(run, &user->messages, content);
    return true;
}

bool cf_talk_command(cf_scenario_t *run, cf_user_t *user)
{
    char content[CF_CONTENT_MAX];
    snprintf(content, sizeof content, "/stock=%s",
             stocks[(size_t)cf_random(0, sizeof stocks / sizeof stocks[0])]);
    if (!say(run, user, content))
        return false;
    run->counts.commands_sent++;
    add_open(run, &user->command_opens, content);
    return true;
}

/* ---- receiving */

static void measure_message(cf_scenario_t *run, const cf_user_t *user, int64_t ns)
{
    const cf_options_t *o = &run->options;
    double at = (double)(run->now_ns - run->start_ns) / 1e9,
           quarter = (o->hold_to - o->hold_from) / 4;
    cf_histogram_add(&run->message_latency, ns);
    cf_histogram_add(&run->by_group[user->group], ns);
    if (at >= o->hold_from && at < o->hold_from + quarter)
        cf_histogram_add(&run->early, ns);
    if (at >= o->hold_to - quarter && at < o->hold_to)
        cf_histogram_add(&run->late, ns);
}

/* A post came whose text may be one that this user waits for. Posts of one sender come back in the
 * order in which they were sent, so what stands before it is lost. */
static void match_message(cf_scenario_t *run, cf_user_t *user, cf_slice_t content)
{
    int at = find_open(&user->messages, content);
    if (at < 0)
        return;
    run->counts.echoed++;
    run->counts.swallowed += user->unsure ? 0 : (uint64_t)at;
    run->counts.ack_after_copy += !user->messages.items[at].acked && !user->unsure;
    measure_message(run, user, run->now_ns - user->messages.items[at].sent_ns);
    for (; at >= 0; at--)
        remove_open(&user->messages, 0);
}

static void on_shown(cf_scenario_t *run, cf_user_t *user, const cf_slot_t *slot)
{
    const cf_room_t *room = &run->rooms[user->room];
    const cf_shown_t *shown = (const cf_shown_t *)(const void *)slot;
    run->counts.deliveries += !user->observes;
    const char *frame = cf_order_frame(&room->order, slot);
    if (user->messages.count &&
        cf_slice_is((cf_slice_t){frame + shown->name_at, shown->name_size}, user->name))
        match_message(run, user, (cf_slice_t){frame + shown->content_at, shown->content_size});
}

/* Words that have no place in the order: the bot's, and the echo of a command. */
static void on_ephemeral(cf_scenario_t *run, cf_user_t *user, cf_slice_t content)
{
    int at = find_open(&user->command_opens, content);
    run->counts.ephemeral += at < 0 && !user->observes;
    if (at < 0)
        return;
    run->counts.commands_echoed++;
    cf_histogram_add(&run->command_latency, run->now_ns - user->command_opens.items[at].sent_ns);
    remove_open(&user->command_opens, at);
}

static void read_first(cf_slot_t *slot, const char *json, const cf_members_t *members)
{
    cf_shown_t *shown = (cf_shown_t *)(void *)slot;
    if (slot->size == 0 || members->username.size == 0 || members->content.size == 0)
        return; /* none of ours */
    shown->name_at = (uint32_t)(members->username.at - json);
    shown->name_size = (uint32_t)members->username.size;
    shown->content_at = (uint32_t)(members->content.at - json);
    shown->content_size = (uint32_t)members->content.size;
}

static void on_chat(cf_scenario_t *run, cf_user_t *user, const char *json, size_t size,
                    const cf_members_t *members)
{
    cf_room_t *room = &run->rooms[user->room];
    uint64_t seq = cf_slice_number(members->seq);
    bool first;
    if (members->chatroom_id.size && !cf_slice_is(members->chatroom_id, room->id)) {
        run->counts.misrouted++;
        return;
    }
    if (seq == 0) {
        on_ephemeral(run, user, members->content);
        return;
    }
    cf_post_t *post = identify(run, room, seq, members->id);
    cf_slot_t *slot = post ? cf_order_take(&room->order, &run->counts.order, &user->last_seq,
                                           user->observes, seq, json, size, &first)
                           : NULL;
    if (!slot)
        return;
    if (first) {
        read_first(slot, json, members);
        post->seen = true;
        post->crc = cf_crc32(members->content.at, members->content.size);
    }
    on_shown(run, user, slot);
}

static void on_ack(cf_scenario_t *run, cf_user_t *user, const cf_members_t *members)
{
    cf_post_t *post =
        identify(run, &run->rooms[user->room], cf_slice_number(members->seq), members->id);
    if (!post)
        return;
    post->acked = true;
    run->counts.acked++;
    for (int i = 0; i < user->messages.count; i++)
        if (!user->messages.items[i].acked) { /* acks come in the order of the posts */
            user->messages.items[i].acked = true;
            return;
        }
}

static void on_error(cf_scenario_t *run, cf_user_t *user, const cf_members_t *members)
{
    run->counts.refused++;
    user->unsure = true;
    cf_count_kind(run->counts.refusals, members->message.at, members->message.size);
}

void cf_talk_on_text(cf_scenario_t *run, cf_user_t *user, const char *json, size_t size)
{
    cf_members_t members;
    cf_slot_t *known = cf_order_known(&run->rooms[user->room].order, user->last_seq, json, size);
    bool readable = known || cf_members_read(&members, json, size);
    if (!user->observes) {
        run->counts.received++;
        run->counts.delivery_success.passes += readable;
        run->counts.delivery_success.fails += !readable;
    }
    if (known) {
        user->last_seq = known->seq;
        on_shown(run, user, known);
    } else if (!readable) {
        run->counts.unreadable++;
    } else if (cf_slice_is(members.type, "chat_message")) {
        on_chat(run, user, json, size, &members);
    } else if (cf_slice_is(members.type, "message_ack")) {
        on_ack(run, user, &members);
    } else if (cf_slice_is(members.type, "error")) {
        on_error(run, user, &members);
    } else if (cf_slice_is(members.type, "user_joined")) {
        user->joined = true;
    }
}

/* ---- sessions */

void cf_talk_begin(cf_user_t *user)
{
    user->last_seq = 0;
    user->messages.count = user->command_opens.count = 0;
    user->message_ns = user->command_ns = 0;
    user->unsure = user->joined = false;
}

static uint64_t count_older(const cf_opens_t *opens, int64_t than_ns)
{
    uint64_t count = 0;
    for (int i = 0; i < opens->count; i++)
        count += opens->items[i].sent_ns < than_ns;
    return count;
}

void cf_talk_end(cf_scenario_t *run, cf_user_t *user)
{
    uint64_t old = count_older(&user->messages, run->now_ns - ANSWER_S * SECOND_NS);
    run->counts.unanswered += user->unsure ? 0 : old;
    run->counts.cut += (uint64_t)user->messages.count - old;
    run->counts.commands_unanswered +=
        count_older(&user->command_opens, run->now_ns - COMMAND_S * SECOND_NS);
}

bool cf_talk_observers_done(const cf_scenario_t *run)
{
    for (uint32_t i = 0; i < run->observer_count; i++) {
        const cf_user_t *observer = &run->users[run->user_count + i];
        if (observer->state == CF_USER_CHAT &&
            cf_order_missing(&run->rooms[observer->room].order, observer->last_seq))
            return false;
    }
    return true;
}

void cf_talk_finish(cf_scenario_t *run)
{
    for (uint32_t i = 0; i < run->observer_count; i++) {
        const cf_user_t *observer = &run->users[run->user_count + i];
        run->counts.order.lost +=
            cf_order_missing(&run->rooms[observer->room].order, observer->last_seq);
    }
    for (uint32_t i = 0; i < run->room_count; i++) {
        const cf_room_t *room = &run->rooms[i];
        for (uint64_t seq = 1; seq < room->posts_size; seq++)
            run->counts.acked_unseen += room->posts[seq].acked && !room->posts[seq].seen;
    }
}
