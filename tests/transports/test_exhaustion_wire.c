/* Failed allocations below the actors: codec, dialect, settings, session cache, inbox and outbox.
 * Each piece is run once to count its allocations, then once for each of them with that one
 * failing. What it may answer then is CF_ENOMEM; and the next try succeeds. */
#include "config.h"
#include "dialects/rooms.h"
#include "err.h"
#include "failing_malloc.h"
#include "link/inbox.h"
#include "link/outbox.h"
#include "session_cache.h"
#include "shape_fill.h"
#include "wire/control.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* 0, or a negative error, of which only CF_ENOMEM is right; what it took is given back. */
typedef int piece_fn(const void *arg);

static void fail_each(piece_fn *piece, const void *arg, const char *name)
{
    failing_malloc_begin(0, 1);
    int rc = piece(arg);
    unsigned long count = failing_malloc_end();
    cr_assert(rc == 0 && count > 0, "%s: %d, %lu", name, rc, count);
    for (unsigned long nth = 1; nth <= count; nth++) {
        failing_malloc_begin(nth, 1);
        rc = piece(arg);
        failing_malloc_end();
        cr_assert(rc == 0 || rc == CF_ENOMEM, "%s, allocation %lu: %s", name, nth, cf_err_text(rc));
        cr_assert(piece(arg) == 0, "%s, after allocation %lu", name, nth);
    }
}

TestSuite(exhaustion_wire, .timeout = 120);

/* --- codec -------------------------------------------------------------------------------------
 */

static uint64_t random_state = 0x9e3779b97f4a7c15;
static cf_arena_t filled;

typedef struct {
    uint16_t type;
    const void *body;
} message_t;

/* There and back again; whatever fails, the buffer holds whole messages only. */
static int round_trip(const void *arg)
{
    const message_t *message = arg;
    cf_msg_t msg, head = {.type = message->type,
                          .from = {1, CF_ACTOR_GATEWAY, 0},
                          .to = {1, CF_ACTOR_STATS, 0}};
    char body[CF_SHAPE_SIZE_MAX];
    cf_arena_t arena = {0};
    cf_buf_t buf = {0};
    int rc = cf_msg_encode(&buf, &head, message->body);
    if (rc < 0)
        cr_assert(buf.size == 0);
    if (rc == 0)
        rc = cf_msg_decode(&msg, buf.data, buf.size);
    if (rc == 0)
        rc = cf_msg_body(body, &msg, &arena);
    cf_arena_free(&arena);
    cf_buf_free(&buf);
    return rc;
}

static void try_message(void *arg, uint16_t type, const char *name, const cf_shape_t *shape)
{
    (void)arg;
    message_t message = {type, shape_fill(&filled, shape, FILL_RANDOM, &random_state)};
    fail_each(round_trip, &message, name);
}

Test(exhaustion_wire, a_message_is_whole_or_not_there)
{
    cf_msg_visit(try_message, NULL);
    cf_arena_free(&filled);
}

/* --- dialect -----------------------------------------------------------------------------------
 */

static int read_frame(const void *arg)
{
    static const char text[] =
        "{\"type\":\"chat_message\",\"content\":\"a text that is longer than the first buffer of "
        "the "
        "parser\",\"client_key\":\"k1\",\"more\":[1,2.5,12345678901234567,1.23456789012345678e5,{"
        "\"deep\":[true,null,\"\\u00e4\"]}]}";
    cf_rooms_frame_t frame;
    cf_str_t key;
    cf_arena_t arena = {0};
    (void)arg;
    int rc = cf_rooms_read_frame(&frame, &key, (const uint8_t *)text, sizeof text - 1, &arena);
    if (rc == 0)
        cr_assert(frame.content.size == strlen("a text that is longer than the first buffer of "
                                               "the parser"));
    cf_arena_free(&arena);
    return rc;
}

/* A number is taken back by a byte when it ends: of every length around the parser's buffer. */
static int read_number(const void *arg)
{
    char text[64];
    cf_rooms_frame_t frame;
    cf_str_t key;
    cf_arena_t arena = {0};
    int size = snprintf(text, sizeof text, "{\"n\":%.*s,\"content\":\"x\"}", *(const int *)arg,
                        "123456789012345678");
    int rc = cf_rooms_read_frame(&frame, &key, (const uint8_t *)text, (size_t)size, &arena);
    cf_arena_free(&arena);
    return rc;
}

static int read_bodies(const void *arg)
{
    cf_register_t person;
    cf_login_t login;
    cf_rooms_new_room_t room;
    cf_arena_t arena = {0};
    (void)arg;
    int rc = cf_rooms_read_register(&person,
                                    cf_str("{\"username\":\"ann_with_a_long_name\",\"email\":"
                                           "\"ann@example.com\",\"password\":\"password\"}"),
                                    &arena);
    if (rc == 0)
        rc = cf_rooms_read_login(
            &login, cf_str("{\"username\":\"ann\xff\",\"password\":\"password\"}"), &arena);
    if (rc == 0)
        rc = cf_rooms_read_new_room(&room, cf_str("{\"name\":\"lobby\",\"ephemeral\":true}"),
                                    &arena);
    cf_arena_free(&arena);
    return rc;
}

Test(exhaustion_wire, what_clients_send_is_read_whole_or_refused_for_want_of_memory)
{
    fail_each(read_frame, NULL, "frame");
    fail_each(read_bodies, NULL, "bodies");
    for (int digits = 1; digits <= 18; digits++)
        fail_each(read_number, &digits, "number");
}

static int write_all(const void *arg)
{
    cf_event_t event = {.kind = CF_EVENT_POST,
                        .post = {.seq = 1,
                                 .kind = CF_POST_TEXT,
                                 .username = cf_str("ann"),
                                 .text = cf_str("<a text> & \"more\"")}};
    cf_count_t count = {.connections = 1};
    cf_counts_t counts = {{&count, 1}};
    cf_present_t present = {cf_str("ann"), 1};
    cf_roster_t roster = {{&present, 1}, 0};
    cf_page_t page = {{&event.post, 1}};
    cf_buf_t out = {0};
    (void)arg;
    int rc = cf_rooms_write_event(&out, (cf_id_t){{1}}, &event);
    if (rc == 0)
        rc = cf_rooms_write_ack(&out, &(cf_posted_t){.seq = 1}, cf_str("k1"));
    if (rc == 0)
        rc = cf_rooms_write_error(&out, "text", "CODE", cf_str("k1"), 1000);
    if (rc == 0)
        rc = cf_rooms_write_counts(&out, &counts);
    if (rc == 0)
        rc = cf_rooms_write_roster(&out, &roster);
    if (rc == 0)
        rc = cf_rooms_write_page(&out, (cf_id_t){{1}}, &page);
    cf_buf_free(&out);
    return rc;
}

Test(exhaustion_wire, what_clients_get_is_whole_or_not_written)
{
    fail_each(write_all, NULL, "writers");
}

/* --- settings ----------------------------------------------------------------------------------
 */

static int load_settings(const void *arg)
{
    const char *environment[] = {"CONFAB_LOG_LEVEL=warn", "ALLOWED_ORIGINS=http://a,http://b",
                                 NULL};
    const char *set = "store.url=sqlite:x.db";
    cf_config_sources_t sources = {.text = cf_str("http:\n  allowed_origins: [http://c, http://d]\n"
                                                  "ws:\n  ping: 20s\n"),
                                   .sets = &set,
                                   .set_count = 1,
                                   .environment = environment};
    cf_config_t config;
    cf_buf_t report = {0};
    (void)arg;
    int rc = cf_config_load(&config, &sources, &report);
    cf_config_free(&config);
    cf_buf_free(&report);
    return rc;
}

Test(exhaustion_wire, settings_are_complete_or_refused)
{
    fail_each(load_settings, NULL, "settings");
}

/* --- session cache -----------------------------------------------------------------------------
 */

static int remember_and_forget(const void *arg)
{
    cf_session_cache_t cache = {.max = 40};
    cf_user_t user = {.username = cf_str("ann"), .email = cf_str("ann@example.com")};
    int rc = 0;
    (void)arg;
    for (uint8_t i = 0; i < 60; i++) {
        cf_session_t session = {.token_hash = {i}};
        cf_session_cache_add(&cache, &session, &user);
        cf_session_cache_find(&cache, (uint8_t[CF_TOKEN_HASH_SIZE]){(uint8_t)(i / 2)});
        cr_assert(cf_session_cache_count(&cache) <= 40);
        if (i % 3 || rc < 0)
            continue;
        rc = cf_session_cache_end(&cache, session.token_hash, i);
        cr_assert(cf_session_cache_is_ended(&cache, session.token_hash, -1) == (rc == 0));
    }
    cf_session_cache_expire(&cache, 30);
    cf_session_cache_free(&cache);
    return rc;
}

Test(exhaustion_wire, sessions_are_remembered_or_asked_for_again)
{
    fail_each(remember_and_forget, NULL, "sessions");
}

/* --- inbox and outbox --------------------------------------------------------------------------
 */

#define SENT 40 /* more than the refusals kept aside, by far */

static cf_bus_t bus;
static cf_inbox_t *inbox;
static int numbers; /* of addresses, each used once */

/* Sends refusals to an inbox and counts what arrives: nothing is lost, nothing comes twice. */
static int send_and_read(const void *arg)
{
    cf_address_t from = {1, CF_ACTOR_GATEWAY, (uint16_t)++numbers}, to = {1, CF_ACTOR_LOBBY, 0};
    cf_outbox_t *out;
    cf_buf_t copies = {0};
    (void)arg;
    int rc = cf_outbox_new(&out, &bus, from);
    if (rc < 0)
        return rc;
    for (uint64_t i = 1; i <= SENT; i++) {
        cf_msg_t request = {.type = CF_MSG_POST, .corr = i, .from = to};
        cr_assert(cf_outbox_refuse(out, &request, CF_EFULL, 0) == 0);
        if (i % 10 == 0)
            cf_outbox_flush(out);
    }
    for (int i = 0; i < 3; i++)
        cf_outbox_flush(out); /* the first may have found no memory */
    cr_assert(cf_outbox_is_empty(out));
    bool seen[SENT + 1] = {false};
    int count = 0;
    for (int tries = 0; count < SENT && tries < 2 * SENT; tries++) {
        cf_msg_t msg;
        if (cf_inbox_copy(inbox, &copies, &msg) != 1)
            continue;
        cr_assert(msg.corr >= 1 && msg.corr <= SENT && !seen[msg.corr]);
        seen[msg.corr] = true;
        count++;
    }
    cr_assert(count == SENT, "%d", count);
    cf_buf_free(&copies);
    cf_outbox_destroy(&out);
    return 0;
}

Test(exhaustion_wire, no_refusal_is_lost_between_outbox_and_inbox)
{
    cr_assert(cf_bus_init(&bus, 1) == 0);
    cr_assert(cf_inbox_open(&inbox, &bus, (cf_address_t){1, CF_ACTOR_LOBBY, 0}) == 0);
    fail_each(send_and_read, NULL, "link");
    cf_inbox_close(&inbox);
    cf_bus_close(&bus);
}
