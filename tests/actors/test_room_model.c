/* A room against a model, over random sequences of what can happen to it: nothing is shown or
 * acknowledged that is not stored, numbers have no gap, every gateway with a connection sees each
 * committed post once and in order, every request, commands for the bot among them, is answered once,
 * and who asked who is here knows it in the end. The seeds are fixed. */
#include "room.h"

#include "store.h"
#include "wire/append.h"
#include "wire/bot.h"
#include "wire/control.h"
#include "wire/read.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define RUNS 2000
#define STEPS 300
#define GATEWAYS 3
#define CONNS 2 /* per gateway */
#define USERS 4
#define POSTS_MAX 4096
#define REQUESTS_MAX 4096
#define COMMANDS_MAX 6
#define T0 INT64_C(1700000000000000)
#define WHERE "seed %u step %d: "

typedef struct {
    uint64_t corr; /* of the POST that made it */
    cf_post_t post;
    char text[16];
} stored_t;

/* What a connection that asked has been told of who is here. */
typedef struct {
    bool wants, is_in;
    uint64_t n; /* as event n left it */
    int people[USERS];
} model_roster_t;

typedef struct {
    bool attached[CONNS];
    model_roster_t rosters[CONNS];
    int connections; /* that the room knows of */
    uint64_t seen;   /* newest post seen */
    uint64_t seen_n;
    uint64_t events, bytes; /* received since start */
} model_gateway_t;

static struct {
    uint32_t seed;
    int step;
    uint32_t random;
    cf_room_t *room;
    cf_room_host_t host;
    cf_room_config_t config;
    cf_outbox_t *out, *scratch;
    cf_arena_t arena;
    int64_t now_us, wall_us;
    uint64_t next_corr;
    uint8_t answers[REQUESTS_MAX]; /* to each request */
    bool is_asked[REQUESTS_MAX];   /* an answer belongs to it */
    bool *attaches[REQUESTS_MAX];  /* whose ATTACH it is; NULL: another request */
    stored_t stored[POSTS_MAX];    /* stored[seq - 1]: what the store has */
    uint64_t last_seq;
    uint64_t told_seq; /* newest post whose verdict the room has got */
    cf_post_t run[CF_RUN_ROWS_MAX];
    char texts[CF_RUN_ROWS_MAX][16];
    uint32_t run_n;
    uint64_t run_corr; /* 0: none in flight */
    bool is_unknown;   /* its first verdict was UNKNOWN */
    uint64_t read_corr[GATEWAYS * 8];
    cf_read_posts_t reads[GATEWAYS * 8];
    int n_reads;
    uint64_t find_corr[64];
    cf_id_t find_user[64];
    int n_finds;
    uint64_t bot_corr[COMMANDS_MAX + 1]; /* of the commands the bot has not answered */
    int n_bot;
    uint32_t said;     /* commands it has */
    uint32_t renewed;  /* lists of who is here that were sent anew */
    uint32_t together; /* who came and went and was told with others */
    model_gateway_t gateways[GATEWAYS];
    bool retired;
    const char *fault; /* the first rule that was broken */
} m;

static uint32_t pick(uint32_t n)
{
    m.random ^= m.random << 13;
    m.random ^= m.random >> 17;
    m.random ^= m.random << 5;
    return m.random % n;
}

static void rule(bool holds, const char *what)
{
    if (!holds && !m.fault)
        m.fault = what;
}

static cf_address_t gateway_at(int g)
{
    return (cf_address_t){1, CF_ACTOR_GATEWAY, (uint16_t)g};
}

/* Some have a connection on several gateways. */
static int person_of(int g, int c)
{
    return (g + c) % USERS;
}

static const char *const names[USERS] = {"u0", "u1", "u2", "u3"};

static int person_named(cf_str_t name)
{
    int u = 0;
    while (u < USERS - 1 && !cf_str_equal(name, cf_str(names[u])))
        u++;
    return u;
}

static cf_id_t user_of(int g, int c)
{
    return (cf_id_t){{1, (uint8_t)person_of(g, c)}};
}

static cf_turn_t turn_now(void)
{
    return (cf_turn_t){m.wall_us, m.now_us, m.out, &m.arena, false};
}

static void listen_to_it(void);

static void tell(cf_address_t from, uint16_t type, uint64_t corr, const void *body)
{
    cf_msg_t msg, head = {.type = type, .corr = corr, .from = from, .to = {1, CF_ACTOR_ROOMS, 0}};
    cf_turn_t turn = turn_now();
    cr_assert(cf_outbox_put(m.scratch, &head, body) == 0 && cf_outbox_take(m.scratch, &msg));
    cf_room_handle(m.room, &turn, &msg);
    cf_outbox_take(m.scratch, &msg);
    listen_to_it();
}

static uint64_t ask(void)
{
    m.is_asked[++m.next_corr] = true;
    return m.next_corr;
}

/* --- what the room says ------------------------------------------------------------------------
 */

static void learn(model_roster_t *known, uint64_t n, const cf_roster_t *roster)
{
    const cf_present_t *present = roster->members.items;
    known->n = n;
    memset(known->people, 0, sizeof known->people);
    rule(roster->more == 0, "somebody was left out for whom there is room");
    for (uint32_t i = 0; i < roster->members.n; i++) {
        int *count = &known->people[person_named(present[i].username)];
        rule(*count == 0, "a name twice");
        *count = (int)present[i].connections;
    }
}

static void on_roster(int g, const cf_msg_t *msg, const cf_roster_at_t *roster)
{
    model_gateway_t *gateway = &m.gateways[g];
    gateway->events++;
    gateway->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    m.renewed++;
    bool is_wanted = false;
    for (int c = 0; c < CONNS; c++) {
        model_roster_t *known = &gateway->rosters[c];
        if (!known->wants || !known->is_in)
            continue;
        is_wanted = true;
        rule(known->n <= roster->n, "a list older than the events before it");
        learn(known, roster->n, &roster->roster);
    }
    rule(is_wanted, "a list for nobody");
}

/* JOINED or LEFT: by one more or less. */
static void count_person(int g, const cf_event_t *event)
{
    for (int c = 0; c < CONNS; c++) {
        model_roster_t *known = &m.gateways[g].rosters[c];
        if (!known->is_in || event->n <= known->n)
            continue;
        known->n = event->n;
        known->people[person_named(event->post.username)] +=
            event->kind == CF_EVENT_JOINED ? 1 : -1;
    }
}

static void on_event(int g, const cf_msg_t *msg, const cf_event_t *event)
{
    model_gateway_t *gateway = &m.gateways[g];
    gateway->events++;
    gateway->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    rule(event->n == 0 || event->n > gateway->seen_n, "an event twice or out of order");
    if (event->n)
        gateway->seen_n = event->n;
    if (event->kind == CF_EVENT_JOINED || event->kind == CF_EVENT_LEFT)
        count_person(g, event);
    if (event->kind != CF_EVENT_POST)
        return;
    rule(event->post.seq <= m.told_seq, "shown before it was known to be stored");
    rule(event->post.seq == gateway->seen + 1, "a gap or a double");
    rule(event->post.seq >= 1 && event->post.seq <= m.last_seq &&
             cf_str_equal(event->post.text, cf_str(m.stored[event->post.seq - 1].text)),
         "another text than the store's");
    gateway->seen = event->post.seq;
}

/* Several in a row as one. */
static void on_changes(int g, const cf_msg_t *msg, const cf_changes_t *changes)
{
    model_gateway_t *gateway = &m.gateways[g];
    const cf_change_t *change = changes->changes.items;
    gateway->events++;
    gateway->bytes += CF_MSG_HEAD_SIZE + (size_t)msg->size;
    rule(changes->n > gateway->seen_n, "an event twice or out of order");
    rule(changes->changes.n > 1, "several that are none");
    gateway->seen_n = changes->n + changes->changes.n - 1;
    m.together += changes->changes.n;
    for (uint32_t i = 0; i < changes->changes.n; i++)
        count_person(g, &(cf_event_t){.n = changes->n + i,
                                      .kind = change[i].has_left ? CF_EVENT_LEFT : CF_EVENT_JOINED,
                                      .post = {.username = change[i].username}});
}

static void on_append(const cf_msg_t *msg, const cf_append_t *append)
{
    const cf_post_t *rows = append->rows.items;
    rule(m.run_corr == 0, "two runs in flight");
    rule(append->prev == m.told_seq, "numbers that do not follow the newest stored");
    int64_t last_us = m.told_seq ? m.stored[m.told_seq - 1].post.at_us : 0;
    for (uint32_t i = 0; i < append->rows.n; i++) {
        rule(rows[i].seq == append->prev + 1 + i, "a gap within a run");
        rule(rows[i].at_us > last_us, "a time that does not rise");
        last_us = rows[i].at_us;
        m.run[i] = rows[i];
        snprintf(m.texts[i], sizeof m.texts[i], "%.*s", (int)rows[i].text.size, rows[i].text.bytes);
    }
    m.run_n = append->rows.n;
    m.run_corr = msg->corr;
    m.is_unknown = false;
}

static void on_answer(const cf_msg_t *msg, const cf_posted_t *posted)
{
    rule(msg->corr <= m.next_corr && m.is_asked[msg->corr], "an answer nobody asked for");
    rule(++m.answers[msg->corr % REQUESTS_MAX] == 1, "answered twice");
    if (msg->type == CF_MSG_REFUSED && m.attaches[msg->corr])
        *m.attaches[msg->corr] = false;
    if (!posted)
        return;
    char text[16];
    snprintf(text, sizeof text, "p%llu", (unsigned long long)msg->corr);
    rule(posted->seq <= m.told_seq && strcmp(m.stored[posted->seq - 1].text, text) == 0,
         "an ack for what is not stored");
}

static void on_attached(int g, const cf_msg_t *msg, const cf_attached_t *attached)
{
    model_gateway_t *gateway = &m.gateways[g];
    on_answer(msg, NULL);
    rule(attached->last_seq == m.told_seq, "attached to another number than the newest stored");
    if (gateway->connections++ == 0) {
        gateway->seen = attached->last_seq;
        gateway->seen_n = attached->last_n;
    }
    model_roster_t *known = &gateway->rosters[m.attaches[msg->corr] - gateway->attached];
    learn(known, attached->last_n, &attached->roster);
    known->is_in = true;
}

typedef union {
    cf_find_member_t find;
    cf_append_t append;
    cf_posted_t posted;
    cf_event_t event;
    cf_changes_t changes;
    cf_attached_t attached;
    cf_read_posts_t read;
    cf_ask_bot_t ask_bot;
    cf_roster_at_t roster_at;
} body_t;

static void on_ask_bot(const cf_msg_t *msg)
{
    rule(m.n_bot < COMMANDS_MAX, "more commands open than its bound");
    if (m.n_bot < COMMANDS_MAX)
        m.bot_corr[m.n_bot++] = msg->corr;
}

static void on_said(const cf_msg_t *msg)
{
    body_t body;
    int g = msg->to.index;
    cr_assert(cf_msg_body(&body, msg, &m.arena) == 0);
    switch (msg->type) {
    case CF_MSG_APPEND:
        on_append(msg, &body.append);
        break;
    case CF_MSG_EVENT:
        on_event(g, msg, &body.event);
        break;
    case CF_MSG_CHANGES:
        on_changes(g, msg, &body.changes);
        break;
    case CF_MSG_ROSTER:
        on_roster(g, msg, &body.roster_at);
        break;
    case CF_MSG_ATTACHED:
        on_attached(g, msg, &body.attached);
        break;
    case CF_MSG_POSTED:
        on_answer(msg, &body.posted);
        break;
    case CF_MSG_REFUSED:
    case CF_MSG_MOVED:
    case CF_MSG_COMMANDED:
        on_answer(msg, NULL);
        break;
    case CF_MSG_ASK_BOT:
        on_ask_bot(msg);
        break;
    case CF_MSG_READ_POSTS:
        cr_assert(m.n_reads < GATEWAYS * 8);
        m.read_corr[m.n_reads] = msg->corr;
        m.reads[m.n_reads++] = body.read;
        break;
    case CF_MSG_FIND_MEMBER:
        cr_assert(m.n_finds < 64);
        m.find_corr[m.n_finds] = msg->corr;
        m.find_user[m.n_finds++] = body.find.user;
        break;
    case CF_MSG_RETIRE:
        m.retired = true;
        break;
    }
}

static void listen_to_it(void)
{
    cf_msg_t msg;
    while (cf_outbox_take(m.out, &msg))
        on_said(&msg);
    cf_arena_reset(&m.arena);
}

/* The end of a batch. */
static void settle(void)
{
    cf_turn_t turn = turn_now();
    cf_room_settle(m.room, &turn);
    listen_to_it();
}

/* --- what happens to it ------------------------------------------------------------------------
 */

static void do_attach(void)
{
    int g = (int)pick(GATEWAYS), c = (int)pick(CONNS);
    if (m.gateways[g].attached[c])
        return;
    uint64_t corr = ask();
    m.gateways[g].attached[c] = true;
    m.gateways[g].rosters[c] = (model_roster_t){.wants = pick(2)};
    m.attaches[corr] = &m.gateways[g].attached[c];
    tell(gateway_at(g), CF_MSG_ATTACH, corr,
         &(cf_attach_t){.conn = (uint64_t)c + 1,
                        .user = user_of(g, c),
                        .username = cf_str(names[person_of(g, c)]),
                        .roster = m.gateways[g].rosters[c].wants,
                        .again = pick(4) == 0}); /* of these no event tells */
}

static void answer_finds(void)
{
    for (int i = 0; i < m.n_finds; i++)
        tell((cf_address_t){1, CF_ACTOR_READER, 0}, CF_MSG_MEMBER, m.find_corr[i],
             &(cf_member_t){m.find_user[i], true, true});
    m.n_finds = 0;
}

static void do_detach(void)
{
    int g = (int)pick(GATEWAYS), c = (int)pick(CONNS);
    settle();
    answer_finds(); /* a gateway says DETACH only behind its ATTACH was answered */
    settle();
    if (!m.gateways[g].attached[c])
        return;
    m.gateways[g].attached[c] = false;
    m.gateways[g].rosters[c].is_in = false;
    m.gateways[g].connections--;
    tell(gateway_at(g), CF_MSG_DETACH, 0, &(cf_detach_t){.conn = (uint64_t)c + 1});
}

/* One that was here before the room moved, and has gone since. */
static void do_depart(void)
{
    tell(gateway_at((int)pick(GATEWAYS)), CF_MSG_DETACH, 0,
         &(cf_detach_t){99, 1, cf_str(names[pick(USERS)])});
}

static void do_post(void)
{
    int g = (int)pick(GATEWAYS), c = (int)pick(CONNS);
    char text[16];
    if (!m.gateways[g].attached[c])
        return;
    uint64_t corr = ask();
    snprintf(text, sizeof text, "p%llu", (unsigned long long)corr);
    tell(gateway_at(g), CF_MSG_POST, corr,
         &(cf_post_msg_t){.conn = (uint64_t)c + 1,
                          .sender = user_of(g, c),
                          .username = cf_str("somebody"),
                          .kind = CF_POST_TEXT,
                          .text = cf_str(text)});
}

static void do_command(void)
{
    int g = (int)pick(GATEWAYS), c = (int)pick(CONNS);
    if (!m.gateways[g].attached[c])
        return;
    tell(
        gateway_at(g), CF_MSG_COMMAND, ask(),
        &(cf_command_t){.conn = (uint64_t)c + 1, .sender = user_of(g, c), .type = cf_str("hello")});
}

/* The bot answers any of the open commands, or refuses it. */
static void do_bot(void)
{
    static const cf_address_t bot = {1, CF_ACTOR_STOCKBOT, 0};
    if (m.n_bot == 0)
        return;
    int i = (int)pick((uint32_t)m.n_bot);
    uint64_t corr = m.bot_corr[i];
    m.bot_corr[i] = m.bot_corr[--m.n_bot];
    m.said++;
    if (pick(4) == 0)
        tell(bot, CF_MSG_REFUSED, corr, &(cf_refused_t){-CF_EFULL, 0});
    else
        tell(bot, CF_MSG_BOT_ANSWER, corr,
             &(cf_bot_answer_t){.username = cf_str("StockBot"), .text = cf_str("words")});
}

/* The first n rows of the run are in the store. */
static void write_rows(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        cr_assert(m.last_seq < POSTS_MAX);
        stored_t *stored = &m.stored[m.last_seq++];
        stored->post = m.run[i];
        memcpy(stored->text, m.texts[i], sizeof stored->text);
    }
}

static void say_verdict(uint32_t status, uint32_t n)
{
    uint64_t corr = m.run_corr;
    m.told_seq = m.last_seq;
    m.run_corr = 0;
    cf_verdict_t verdict = {.status = status, .stored = n, .same_body = true, .seq = 1};
    if (status == CF_VERDICT_DUPLICATE && m.last_seq == 0)
        verdict.status = CF_VERDICT_BAD_ROW; /* there is nothing it could repeat */
    if (verdict.status == CF_VERDICT_DUPLICATE)
        verdict.same_body = false; /* the text of post 1 is not this one's */
    tell((cf_address_t){1, CF_ACTOR_STORAGE, 0}, CF_MSG_VERDICT, corr, &verdict);
}

static void do_verdict(void)
{
    static const uint32_t partial[] = {CF_VERDICT_DUPLICATE, CF_VERDICT_BAD_ROW};
    if (!m.run_corr)
        return;
    uint32_t what = pick(10);
    if (m.is_unknown && pick(2)) { /* it had been written after all, or a part of it */
        uint32_t n = 1 + pick(m.run_n);
        write_rows(n);
        say_verdict(CF_VERDICT_STORED, n);
    } else if (what < 5) {
        write_rows(m.run_n);
        say_verdict(CF_VERDICT_STORED, m.run_n);
    } else if (what < 6 && !m.is_unknown) {
        m.is_unknown = true;
        tell((cf_address_t){1, CF_ACTOR_STORAGE, 0}, CF_MSG_VERDICT, m.run_corr,
             &(cf_verdict_t){.status = CF_VERDICT_UNKNOWN});
    } else if (what < 8) {
        say_verdict(CF_VERDICT_FAILED, 0);
    } else {
        uint32_t n = pick(m.run_n);
        write_rows(n);
        say_verdict(partial[what - 8], n);
    }
}

static void do_flush(void)
{
    int g = (int)pick(GATEWAYS);
    model_gateway_t *gateway = &m.gateways[g];
    cf_turn_t turn = turn_now();
    uint64_t address = cf_address_pack(gateway_at(g));
    cf_window_t *window = cf_windows_of(&m.host.windows, address);
    rule(cf_window_flushed(window, gateway->events, gateway->bytes), "counts that do not agree");
    m.host.lagging = false;
    cf_room_window_opened(m.room, &turn, address);
}

static void do_read(void)
{
    static cf_post_t posts[CF_HISTORY_MAX];
    if (!m.n_reads)
        return;
    int i = (int)pick((uint32_t)m.n_reads);
    uint64_t corr = m.read_corr[i];
    cf_read_posts_t read = m.reads[i];
    m.n_reads--;
    m.read_corr[i] = m.read_corr[m.n_reads];
    m.reads[i] = m.reads[m.n_reads];
    cf_address_t reader = {1, CF_ACTOR_READER, 0};
    if (pick(4) == 0) {
        tell(reader, CF_MSG_REFUSED, corr, &(cf_refused_t){-CF_EIO, 0});
        return;
    }
    uint32_t n = 0; /* the store's rows, which may be ahead of what the room knows */
    for (uint64_t seq = (uint64_t)read.at + 1; seq <= m.last_seq && n < read.limit; seq++) {
        posts[n] = m.stored[seq - 1].post;
        posts[n].username = cf_str("somebody");
        posts[n++].text = cf_str(m.stored[seq - 1].text);
    }
    tell(reader, CF_MSG_PAGE, corr, &(cf_page_t){{posts, n}});
}

/* A room at rest is not ticked by its thread; and a tick would do nothing there. */
static void tick(void)
{
    bool rests = cf_room_rests(m.room);
    size_t before = cf_outbox_bytes(m.out);
    cf_turn_t turn = turn_now();
    if (rests && pick(2))
        return;
    cf_room_tick(m.room, &turn);
    rule(!rests || cf_outbox_bytes(m.out) == before, "a room at rest that had something to say");
}

static void do_time(void)
{
    int64_t by = (int64_t)pick(1500000);
    m.now_us += by;
    m.wall_us += by;
    if (pick(20) == 0)
        m.wall_us += pick(2) ? INT64_C(7200000000) : -INT64_C(7200000000);
    tick();
}

static void do_finds(void)
{
    settle();
    answer_finds();
}

static void do_settle(void)
{
}

typedef void step_fn(void);

static step_fn *const steps[] = {do_attach,  do_detach,  do_post,  do_post,  do_post, do_post,
                                 do_verdict, do_verdict, do_flush, do_read,  do_time, do_finds,
                                 do_settle,  do_command, do_bot,   do_depart};

/* --- runs ---------------------------------------------------------------------------------------
 */

static void begin(uint32_t seed)
{
    memset(&m, 0, sizeof m);
    m.seed = seed;
    m.random = seed * 2654435761u | 1;
    m.now_us = 1000000;
    m.wall_us = T0;
    m.config = (cf_room_config_t){.ring_events = 2 + pick(8),
                                  .ring_bytes = 4096,
                                  .queue_posts = 4 + pick(12),
                                  .queue_bytes = 65536,
                                  .commands_max = COMMANDS_MAX,
                                  .members_cache = 4,
                                  .roster_max = USERS,
                                  .crowd = 2 + pick(3),
                                  .crowd_pause_us = pick(2) * (1 + pick(500000)),
                                  .command_us = 600000000,
                                  .verdict_timeout_us = 5000000,
                                  .answer_us = 5000000,
                                  .idle_us = INT64_MAX / 2,
                                  .lobby = {1, CF_ACTOR_LOBBY, 0},
                                  .storage = {1, CF_ACTOR_STORAGE, 0},
                                  .bot = {1, CF_ACTOR_STOCKBOT, 0},
                                  .reader = {1, CF_ACTOR_READER, 0},
                                  .readers = 1};
    m.host.config = &m.config;
    m.host.windows.events_max = 1 + pick(8);
    m.host.windows.bytes_max = 1u << 20;
    cr_assert(cf_outbox_new(&m.out, NULL, (cf_address_t){1, CF_ACTOR_ROOMS, 0}) == 0);
    cr_assert(cf_outbox_new(&m.scratch, NULL, (cf_address_t){1, CF_ACTOR_ROOMS, 0}) == 0);
    cf_turn_t turn = turn_now();
    cr_assert(cf_room_new(&m.room, &m.host, (cf_id_t){{9}}, 0, &turn) == 0);
    settle();
    tell((cf_address_t){1, CF_ACTOR_STORAGE, 0}, CF_MSG_ACTIVATED, m.host.next_corr,
         &(cf_activated_t){.epoch = 2});
    settle();
}

/* Does what this connection was told add up to who is here? */
static bool knows_who_is_here(const model_roster_t *known)
{
    int here[USERS] = {0};
    for (int g = 0; g < GATEWAYS; g++)
        for (int c = 0; c < CONNS; c++)
            here[person_of(g, c)] += m.gateways[g].attached[c];
    return memcmp(here, known->people, sizeof here) == 0;
}

/* Everything answers at last: what was asked must be answered, what is stored must be shown. */
static void come_to_rest(void)
{
    for (int i = 0; i < 400; i++) {
        answer_finds();
        settle();
        if (m.run_corr) {
            write_rows(m.run_n);
            say_verdict(CF_VERDICT_STORED, m.run_n);
            settle();
        }
        do_flush();
        settle();
        do_read();
        settle();
        do_bot();
        settle();
        m.now_us += 600000;
        m.wall_us += 600000;
        tick();
        settle();
    }
    for (uint64_t corr = 1; corr <= m.next_corr; corr++)
        rule(m.answers[corr] == 1, "a request without an answer");
    for (int g = 0; g < GATEWAYS; g++)
        rule(m.gateways[g].connections == 0 || m.gateways[g].seen == m.told_seq,
             "a gateway that was not told everything");
    for (int g = 0; g < GATEWAYS; g++)
        for (int c = 0; c < CONNS; c++)
            rule(!m.gateways[g].attached[c] || !m.gateways[g].rosters[c].wants ||
                     knows_who_is_here(&m.gateways[g].rosters[c]),
                 "somebody who asked does not know who is here");
    rule(m.told_seq == m.last_seq, "the room lost count");
    rule(!m.retired, "it retired with members");
}

static void end(void)
{
    cf_room_destroy(&m.room);
    cf_outbox_destroy(&m.out);
    cf_outbox_destroy(&m.scratch);
    cf_arena_free(&m.arena);
}

Test(room_model, holds_over_random_sequences, .timeout = 500)
{
    uint64_t shown = 0, requests = 0, said = 0, renewed = 0, together = 0;
    for (uint32_t seed = 1; seed <= RUNS; seed++) {
        begin(seed);
        for (m.step = 0; m.step < STEPS && !m.fault; m.step++) {
            steps[pick(sizeof steps / sizeof steps[0])]();
            if (pick(3) == 0) /* a batch is one message or several */
                settle();
        }
        settle();
        if (!m.fault)
            come_to_rest();
        cr_assert(m.fault == NULL, WHERE "%s", seed, m.step, m.fault);
        shown += m.last_seq;
        requests += m.next_corr;
        said += m.said;
        renewed += m.renewed;
        together += m.together;
        end();
    }
    cr_assert(gt(u64, shown, RUNS * 10)); /* it was not idle */
    cr_assert(gt(u64, requests, RUNS * 30));
    cr_assert(gt(u64, said, RUNS));
    cr_assert(gt(u64, renewed, RUNS));
    cr_assert(gt(u64, together, RUNS * 10));
}
