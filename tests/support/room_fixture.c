#include "room_fixture.h"

#include "wire/bot.h"
#include "wire/control.h"
#include "wire/place.h"
#include "wire/read.h"
#include "wire/record.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#define NODE_OF_ROOM 1
#define HEARD_MAX 200000
#define USERS_ASKED 64
#define COMMANDS_ASKED 64

cf_room_t *room;
cf_room_host_t host;
cf_room_config_t room_config = {
    .ring_events = 8,
    .ring_bytes = 65536,
    .queue_posts = 8,
    .queue_bytes = 65536,
    .commands_max = 3,
    .members_cache = 16,
    .roster_max = 3,
    .verdict_timeout_us = 5000000,
    .answer_us = 5000000,
    .idle_us = 60000000,
    .command_us = 30000000,
    .lobby = {NODE_OF_ROOM, CF_ACTOR_LOBBY, 0},
    .storage = {NODE_OF_ROOM, CF_ACTOR_STORAGE, 0},
    .bot = {NODE_OF_ROOM, CF_ACTOR_STOCKBOT, 0},
    .reader = {NODE_OF_ROOM, CF_ACTOR_READER, 0},
    .readers = 1,
};
bool contain;
int64_t wall_offset_us;
uint64_t asked, append_corr, read_corr, activate_corr;
uint32_t append_n;
int64_t bot_us;
bool times_rise = true;
int keys_shown;

static uint64_t record_corr;
static struct {
    cf_id_t user;
    uint64_t corr;
} finds[USERS_ASKED]; /* the latest question about each user */
static int n_finds;
static struct {
    char code[CF_STOCK_CODE_MAX + 1];
    uint64_t corr;
} commands[COMMANDS_ASKED]; /* of every ASK_BOT heard */
static int n_commands;
static int64_t now_us = 1000000;
static cf_outbox_t *out, *scratch;
static cf_arena_t arena;
static int64_t newest_us; /* of the posts that GW1 was shown */
static char shown[HEARD_MAX];
static size_t shown_size;
static cf_buf_t handed; /* the latest HANDOVER heard, a whole frame */

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){T0 + now_us + wall_offset_us, now_us, out, &arena, contain};
}

void room_open(void)
{
    cf_address_t address = {NODE_OF_ROOM, CF_ACTOR_ROOMS, 0};
    host.config = &room_config;
    if (!host.windows.events_max) {
        host.windows.events_max = 1024;
        host.windows.bytes_max = 1u << 20;
    }
    cr_assert(cf_outbox_new(&out, NULL, address) == 0);
    cr_assert(cf_outbox_new(&scratch, NULL, address) == 0);
    cf_turn_t turn = turn_now();
    cr_assert(cf_room_new(&room, &host, THE_ROOM, 0, &turn) == 0);
}

void room_moves(void)
{
    vacate_and_hand_over();
    ignore();
    cf_room_destroy(&room);
    cf_turn_t turn = turn_now();
    cr_assert(cf_room_new(&room, &host, THE_ROOM, 0, &turn) == 0);
    handed_over();
    ignore();
}

void room_close(void)
{
    cf_buf_free(&handed);
    cf_room_destroy(&room);
    cf_outbox_destroy(&out);
    cf_outbox_destroy(&scratch);
    cf_arena_free(&arena);
}

void room_ready(uint64_t epoch, uint64_t last_seq)
{
    room_open();
    ignore();
    activated(epoch, last_seq, false);
    ignore();
}

void room_ready_ephemeral(uint64_t epoch)
{
    room_open();
    ignore();
    activated(epoch, 0, true);
    ignore();
}

void at_ms(int64_t ms)
{
    now_us = 1000000 + ms * 1000;
}

cf_id_t user_id(const char *name)
{
    cf_id_t id = {{0}};
    strncpy((char *)id.bytes, name, sizeof id.bytes - 1);
    return id;
}

/* The room handles what was put into scratch: a whole frame, which it may keep. */
static void hand_over(void)
{
    cf_msg_t msg;
    cf_turn_t turn = turn_now();
    cr_assert(cf_outbox_take(scratch, &msg));
    cf_room_handle(room, &turn, &msg);
    cr_assert(!cf_outbox_take(scratch, &msg)); /* and the buffer is empty again */
}

static cf_msg_t head_of(cf_address_t from, uint16_t type, uint64_t corr)
{
    return (cf_msg_t){.type = type,
                      .corr = corr ? corr : ++asked,
                      .from = from,
                      .to = cf_outbox_address(out),
                      .room = THE_ROOM};
}

void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_msg_t head = head_of(from, type, corr);
    cr_assert(cf_outbox_put(scratch, &head, body) == 0);
    hand_over();
}

void tell_malformed(cf_address_t from, uint16_t type, uint64_t corr)
{
    static const uint8_t body[] = {0x9f}; /* an array of 15, and no more */
    cf_msg_t msg = head_of(from, type, corr);
    msg.body = body;
    msg.size = sizeof body;
    cr_assert(cf_outbox_forward(scratch, &msg, msg.to) == 0);
    hand_over();
}

/* --- requests ----------------------------------------------------------------------------------
 */

void check(cf_address_t from, const char *name)
{
    tell(from, CF_MSG_CHECK, 0, &(cf_check_t){user_id(name)});
}

void join(cf_address_t from, const char *name)
{
    tell(from, CF_MSG_JOIN, 0, &(cf_join_t){user_id(name)});
}

void leave(cf_address_t from, const char *name)
{
    tell(from, CF_MSG_LEAVE, 0, &(cf_leave_t){user_id(name)});
}

void attach(cf_address_t from, uint64_t conn, const char *name)
{
    tell(from, CF_MSG_ATTACH, 0,
         &(cf_attach_t){.conn = conn, .user = user_id(name), .username = cf_str(name)});
}

void attach_asking(cf_address_t from, uint64_t conn, const char *name)
{
    tell(from, CF_MSG_ATTACH, 0,
         &(cf_attach_t){
             .conn = conn, .user = user_id(name), .username = cf_str(name), .roster = true});
}

void attach_again_asking(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch)
{
    tell(from, CF_MSG_ATTACH, 0,
         &(cf_attach_t){.conn = conn,
                        .user = user_id(name),
                        .username = cf_str(name),
                        .roster = true,
                        .again = true,
                        .resume = true,
                        .epoch = epoch});
}

void attach_again(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch,
                  uint64_t since)
{
    tell(from, CF_MSG_ATTACH, 0,
         &(cf_attach_t){.conn = conn,
                        .user = user_id(name),
                        .username = cf_str(name),
                        .again = true,
                        .resume = true,
                        .epoch = epoch,
                        .since = since});
}

void detach(cf_address_t from, uint64_t conn)
{
    tell(from, CF_MSG_DETACH, 0, &(cf_detach_t){.conn = conn});
}

void detach_of(cf_address_t from, uint64_t conn, const char *name, uint64_t epoch)
{
    tell(from, CF_MSG_DETACH, 0, &(cf_detach_t){conn, epoch, cf_str(name)});
}

void post_key(cf_address_t from, uint64_t conn, const char *name, const char *text, const char *key)
{
    tell(from, CF_MSG_POST, 0,
         &(cf_post_msg_t){.conn = conn,
                          .sender = user_id(name),
                          .username = cf_str(name),
                          .kind = CF_POST_TEXT,
                          .client_key = cf_str(key),
                          .text = cf_str(text)});
}

void post(cf_address_t from, uint64_t conn, const char *name, const char *text)
{
    post_key(from, conn, name, text, "");
}

void command(cf_address_t from, uint64_t conn, const char *name, const char *code)
{
    cf_command_t body = {.id = user_id(code),
                         .conn = conn,
                         .sender = user_id(name),
                         .type = cf_str("stock"),
                         .code = cf_str(code)};
    tell(from, CF_MSG_COMMAND, 0, &body);
}

void rerun(const char *code)
{
    cf_rerun_t body = {.id = user_id(code), .type = cf_str("stock"), .code = cf_str(code)};
    tell((cf_address_t){1, CF_ACTOR_CONTROL, 0}, CF_MSG_RERUN, 0, &body);
}

void history(cf_address_t from, const char *name, uint32_t posts_from, int64_t at, uint32_t limit)
{
    tell(from, CF_MSG_HISTORY, 0,
         &(cf_history_t){.user = user_id(name), .from = posts_from, .at = at, .limit = limit});
}

void vacate(void)
{
    tell(room_config.lobby, CF_MSG_VACATE, UINT64_MAX, &(cf_vacate_t){false});
}

void vacate_and_hand_over(void)
{
    tell(room_config.lobby, CF_MSG_VACATE, UINT64_MAX, &(cf_vacate_t){true});
}

void handed_over(void)
{
    cf_msg_t msg;
    cf_turn_t turn = turn_now();
    cr_assert(cf_msg_decode(&msg, handed.data, handed.size) == 0);
    cf_room_handle(room, &turn, &msg);
}

/* --- answers -----------------------------------------------------------------------------------
 */

void activated(uint64_t epoch, uint64_t last_seq, bool ephemeral)
{
    tell(room_config.storage, CF_MSG_ACTIVATED, activate_corr,
         &(cf_activated_t){epoch, last_seq, last_seq ? T0 : 0, ephemeral});
}

uint64_t find_corr(const char *name)
{
    cf_id_t user = user_id(name);
    for (int i = n_finds - 1; i >= 0; i--)
        if (cf_id_equal(finds[i].user, user))
            return finds[i].corr;
    cr_assert_fail("nobody asked about this user");
    return 0;
}

void member(const char *name, bool is_member)
{
    member_of(find_corr(name), name, is_member);
}

void member_of(uint64_t corr, const char *name, bool is_member)
{
    tell(room_config.reader, CF_MSG_MEMBER, corr, &(cf_member_t){user_id(name), true, is_member});
}

void done(uint64_t corr)
{
    tell(room_config.storage, CF_MSG_DONE, corr, NULL);
}

void refused(uint64_t corr, int err)
{
    tell(room_config.storage, CF_MSG_REFUSED, corr, &(cf_refused_t){(uint32_t)-err, 0});
}

void verdict_of(uint64_t corr, const cf_verdict_t *what)
{
    tell(room_config.storage, CF_MSG_VERDICT, corr, what);
}

void verdict(uint32_t status)
{
    verdict_of(append_corr, &(cf_verdict_t){.status = status});
}

void stored(void)
{
    verdict_of(append_corr, &(cf_verdict_t){.status = CF_VERDICT_STORED, .stored = append_n});
}

uint64_t bot_corr(const char *code)
{
    for (int i = n_commands - 1; i >= 0; i--)
        if (strcmp(commands[i].code, code) == 0)
            return commands[i].corr;
    cr_assert_fail("the bot was not asked for this code");
    return 0;
}

static void bot_answers(const char *code, const char *text, bool is_error, const char *failure)
{
    cf_bot_answer_t answer = {.bot = user_id("bot"),
                              .username = cf_str("StockBot"),
                              .text = cf_str(text),
                              .is_error = is_error,
                              .failure = cf_str(failure)};
    tell(room_config.bot, CF_MSG_BOT_ANSWER, bot_corr(code), &answer);
}

void bot_says(const char *code, const char *text, bool is_error)
{
    bot_answers(code, text, is_error, "");
}

void bot_fails(const char *code, const char *failure)
{
    bot_answers(code, "Failed", true, failure);
}

void page(uint64_t first, uint64_t last)
{
    cf_post_t posts[CF_HISTORY_MAX];
    char texts[CF_HISTORY_MAX][24];
    uint32_t n = 0;
    for (uint64_t seq = first; seq <= last; seq++, n++) {
        snprintf(texts[n], sizeof texts[n], "t%llu", (unsigned long long)seq);
        posts[n] = (cf_post_t){.seq = seq,
                               .sender = user_id("ann"),
                               .at_us = T0 + (int64_t)seq,
                               .kind = CF_POST_TEXT,
                               .username = cf_str("ann"),
                               .text = cf_str(texts[n])};
    }
    tell(room_config.reader, CF_MSG_PAGE, read_corr, &(cf_page_t){{posts, n}});
}

uint64_t join_corr(void)
{
    return record_corr;
}

/* --- time and windows --------------------------------------------------------------------------
 */

void tick(void)
{
    cf_turn_t turn = turn_now();
    cf_room_tick(room, &turn);
}

void node_gone(uint32_t node)
{
    cf_turn_t turn = turn_now();
    cf_room_node_gone(room, &turn, node);
}

void flushed(cf_address_t gateway)
{
    cf_turn_t turn = turn_now();
    cf_window_t *window = cf_windows_of(&host.windows, cf_address_pack(gateway));
    cr_assert(window && cf_window_flushed(window, window->sent_events, window->sent_bytes));
    host.lagging = false; /* as the room thread does; whoever still waits sets it again */
    cf_room_window_opened(room, &turn, cf_address_pack(gateway));
}

/* --- what is heard -----------------------------------------------------------------------------
 */

static void show(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(shown + shown_size, sizeof shown - shown_size, format, args);
    va_end(args);
    cr_assert(n >= 0 && (size_t)n < sizeof shown - shown_size);
    shown_size += (size_t)n;
}

static void show_posts(const cf_list_t *list)
{
    const cf_post_t *posts = list->items;
    show("[");
    for (uint32_t i = 0; i < list->n; i++)
        show("%s%llu:%.*s", i ? " " : "", (unsigned long long)posts[i].seq, (int)posts[i].text.size,
             posts[i].text.bytes);
    show("]");
}

static void show_name(cf_address_t address)
{
    if (address.kind != CF_ACTOR_GATEWAY)
        show("%s ", cf_actor_name(address.kind));
    else if (address.node != NODE_OF_ROOM)
        show("far ");
    else
        show("gw%u ", address.index + 1u);
}

typedef union {
    cf_find_member_t find;
    cf_append_t append;
    cf_posted_t posted;
    cf_event_t event;
    cf_changes_t changes;
    cf_refused_t refused;
    cf_attached_t attached;
    cf_read_posts_t read;
    cf_member_change_t change;
    cf_presence_t presence;
    cf_page_t page;
    cf_expelled_t expelled;
    cf_roster_at_t roster_at;
    cf_ask_bot_t ask_bot;
    cf_reran_t reran;
    cf_handover_t handover;
} body_t;

static const char *const kinds[] = {"", "post", "joined", "left", "bot", "bot error"};

/* ann, or ann@2 at another node */
static void show_who(cf_str_t username, uint64_t node)
{
    show("%.*s", (int)username.size, username.bytes);
    if (node != NODE_OF_ROOM)
        show("@%llu", (unsigned long long)node);
}

static void show_elsewhere(const cf_attached_t *attached)
{
    const cf_elsewhere_t *rows = attached->elsewhere.items;
    cr_assert(attached->tells_elsewhere || attached->elsewhere.n == 0);
    for (uint32_t i = 0; i < attached->elsewhere.n; i++) {
        show(i ? ", " : " elsewhere: ");
        show_who(rows[i].username, rows[i].node);
    }
}

static void show_event(const cf_event_t *event)
{
    show("event %llu %s ", (unsigned long long)event->n, kinds[event->kind]);
    if (event->kind == CF_EVENT_POST)
        show("%llu:%.*s", (unsigned long long)event->post.seq, (int)event->post.text.size,
             event->post.text.bytes);
    else if (event->kind >= CF_EVENT_BOT && (bot_us = event->post.at_us))
        show("%s:%.*s", (const char *)event->post.sender.bytes, (int)event->post.text.size,
             event->post.text.bytes);
    else
        show_who(event->post.username, event->post.seq);
}

static void show_changes(const cf_changes_t *changes)
{
    const cf_change_t *change = changes->changes.items;
    show("events %llu", (unsigned long long)changes->n);
    for (uint32_t i = 0; i < changes->changes.n; i++) {
        show("%s %s ", i ? "," : "", kinds[change[i].has_left ? CF_EVENT_LEFT : CF_EVENT_JOINED]);
        show_who(change[i].username, change[i].node);
    }
}

static void show_read(const cf_msg_t *msg, const cf_read_posts_t *read)
{
    bool is_own = cf_address_equal(msg->from, cf_outbox_address(out));
    show("posts from=%u at=%lld limit=%u", read->from, (long long)read->at, read->limit);
    if (is_own) {
        read_corr = msg->corr;
    } else {
        show(" #%llu for ", (unsigned long long)msg->corr);
        show_name(msg->from);
        shown[--shown_size] = '\0';
    }
}

static void show_ask_bot(const cf_msg_t *msg, const cf_ask_bot_t *ask)
{
    cr_assert(n_commands < COMMANDS_ASKED);
    commands[n_commands].corr = msg->corr;
    snprintf(commands[n_commands++].code, CF_STOCK_CODE_MAX + 1, "%.*s", (int)ask->code.size,
             ask->code.bytes);
    show("ask%s %.*s %.*s id=%s left=%u", ask->replay ? " again" : "", (int)ask->type.size,
         ask->type.bytes, (int)ask->code.size, ask->code.bytes, (const char *)ask->id.bytes,
         ask->left_ms);
}

static void show_roster(const cf_roster_t *roster)
{
    const cf_present_t *present = roster->members.items;
    for (uint32_t i = 0; i < roster->members.n; i++)
        show(" %.*s:%u", (int)present[i].username.size, present[i].username.bytes,
             present[i].connections);
    if (roster->more)
        show(" more:%u", roster->more);
}

static void show_attached(const cf_msg_t *msg, const cf_attached_t *attached)
{
    show("attached #%llu epoch=%llu seq=%llu n=%llu", (unsigned long long)msg->corr,
         (unsigned long long)attached->epoch, (unsigned long long)attached->last_seq,
         (unsigned long long)attached->last_n);
    if (attached->own_n)
        show(" own=%llu", (unsigned long long)attached->own_n);
    if (attached->reload)
        show(" reload");
    const cf_event_t *events = attached->backlog.items;
    for (uint32_t i = 0; i < attached->backlog.n; i++) {
        show(i ? " " : " [");
        keys_shown += events[i].post.client_key.size > 0;
        if (events[i].kind == CF_EVENT_POST)
            show("%llu:%.*s", (unsigned long long)events[i].post.seq, (int)events[i].post.text.size,
                 events[i].post.text.bytes);
        else
            show("%s %.*s", kinds[events[i].kind], (int)events[i].post.username.size,
                 events[i].post.username.bytes);
    }
    show(attached->backlog.n ? "]" : "");
    show_roster(&attached->roster);
}

static void show_handover(const cf_msg_t *msg, const cf_handover_t *handover)
{
    const cf_handed_member_t *members = handover->members.items;
    cf_buf_clear(&handed);
    cr_assert(cf_msg_reencode(&handed, msg, cf_outbox_address(out)) == 0);
    show("handover epoch=%llu from=%llu seq=%llu ", (unsigned long long)handover->epoch,
         (unsigned long long)handover->numbered_in, (unsigned long long)handover->last_seq);
    show_posts(&handover->posts);
    for (uint32_t i = 0; i < handover->members.n; i++)
        show(" %s", (const char *)members[i].user.bytes);
}

static void show_msg(const cf_msg_t *msg)
{
    body_t body;
    cr_assert(cf_msg_body(&body, msg, &arena) == 0);
    show_name(msg->to);
    switch (msg->type) {
    case CF_MSG_ACTIVATE:
        activate_corr = msg->corr;
        show("activate");
        break;
    case CF_MSG_FIND_MEMBER:
        cr_assert(n_finds < USERS_ASKED);
        finds[n_finds].user = body.find.user;
        finds[n_finds++].corr = msg->corr;
        show("find %s", (char *)body.find.user.bytes);
        break;
    case CF_MSG_APPEND:
        append_corr = msg->corr;
        append_n = body.append.rows.n;
        show("append epoch=%llu prev=%llu ", (unsigned long long)body.append.epoch,
             (unsigned long long)body.append.prev);
        show_posts(&body.append.rows);
        break;
    case CF_MSG_ADD_MEMBER:
    case CF_MSG_REMOVE_MEMBER:
        record_corr = msg->corr;
        show("%s %s", msg->type == CF_MSG_ADD_MEMBER ? "add" : "remove",
             (char *)body.change.user.bytes);
        break;
    case CF_MSG_POSTED:
        show("posted #%llu seq=%llu", (unsigned long long)msg->corr,
             (unsigned long long)body.posted.seq);
        break;
    case CF_MSG_EVENT:
        if (body.event.kind == CF_EVENT_POST && cf_address_equal(msg->to, GW1)) {
            times_rise = times_rise && body.event.post.at_us > newest_us;
            newest_us = body.event.post.at_us;
        }
        keys_shown += body.event.post.client_key.size > 0;
        show_event(&body.event);
        break;
    case CF_MSG_CHANGES:
        show_changes(&body.changes);
        break;
    case CF_MSG_REFUSED:
        show("refused #%llu %s", (unsigned long long)msg->corr,
             cf_err_text(-(int)body.refused.reason));
        break;
    case CF_MSG_ATTACHED:
        show_attached(msg, &body.attached);
        show_elsewhere(&body.attached);
        break;
    case CF_MSG_READ_POSTS:
        show_read(msg, &body.read);
        break;
    case CF_MSG_PAGE:
        show("page #%llu ", (unsigned long long)msg->corr);
        for (uint32_t i = 0; i < body.page.posts.n; i++)
            keys_shown += ((const cf_post_t *)body.page.posts.items)[i].client_key.size > 0;
        show_posts(&body.page.posts);
        break;
    case CF_MSG_ROSTER:
        show("roster epoch=%llu n=%llu", (unsigned long long)body.roster_at.epoch,
             (unsigned long long)body.roster_at.n);
        show_roster(&body.roster_at.roster);
        break;
    case CF_MSG_EXPELLED:
        show("expelled %llu", (unsigned long long)body.expelled.conn);
        break;
    case CF_MSG_PRESENCE:
        show("presence %u", body.presence.connections);
        break;
    case CF_MSG_ASK_BOT:
        show_ask_bot(msg, &body.ask_bot);
        break;
    case CF_MSG_HANDOVER:
        show_handover(msg, &body.handover);
        break;
    case CF_MSG_RERAN:
        show("reran #%llu %.*s", (unsigned long long)msg->corr, (int)body.reran.failure.size,
             body.reran.failure.bytes);
        break;
    case CF_MSG_DONE:
    case CF_MSG_COMMANDED:
    case CF_MSG_MOVED:
        show("%s #%llu",
             msg->type == CF_MSG_DONE    ? "done"
             : msg->type == CF_MSG_MOVED ? "moved"
                                         : "commanded",
             (unsigned long long)msg->corr);
        break;
    default:
        show("%s", msg->type == CF_MSG_RETIRE ? "retire" : cf_msg_name(msg->type));
    }
}

char *heard_so_far(void)
{
    cf_msg_t msg;
    shown_size = 0;
    shown[0] = '\0';
    while (cf_outbox_take(out, &msg)) {
        if (shown_size)
            show("; ");
        show_msg(&msg);
    }
    cf_arena_reset(&arena);
    return shown;
}

char *heard(void)
{
    cf_turn_t turn = turn_now();
    cf_room_settle(room, &turn);
    return heard_so_far();
}

void ignore(void)
{
    heard();
}

void with(cf_address_t gateway, uint64_t conn, const char *name)
{
    attach(gateway, conn, name);
    if (strstr(heard(), "find"))
        member(name, true);
    ignore();
    asked = 0;
}

void with_ann(void)
{
    with(GW1, 1, "ann");
}

/* Posts n texts "t<seq>" as ann; all of them stored; what is heard of it is dropped. */
void post_stored(int n, uint64_t first)
{
    char text[24];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "t%llu", (unsigned long long)first + (unsigned)i);
        post(GW1, 1, "ann", text);
        ignore();
        stored();
        ignore();
    }
}

void with_posts(uint64_t last_seq, int n)
{
    room_ready(3, last_seq);
    with_ann();
    post_stored(n, last_seq + 1);
    asked = 0;
}
