/* A gateway: commands, their limits and their answers. */
#include "gateway_fixture.h"

#include "metrics.h"
#include "socket_client.h"
#include "store.h"
#include "wire/room.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <unistd.h>

TestSuite(gateway_commands, .init = gateway_start, .fini = actors_stop, .timeout = 120);
/* For tests that change the configuration first. */
TestSuite(tuned_gateway_commands, .fini = actors_stop, .timeout = 120);

/* The next request of the room is this command. */
static cf_msg_t expect_command(const char *type, const char *code, cf_command_t *body)
{
    cf_msg_t msg = request(rooms, CF_MSG_COMMAND, body);
    cr_assert(cf_str_equal(body->type, cf_str(type)), "%.*s", (int)body->type.size,
              body->type.bytes);
    cr_assert(cf_str_equal(body->code, cf_str(code)), "%.*s", (int)body->code.size,
              body->code.bytes);
    return msg;
}

static void tell_bot_event(uint32_t kind, uint64_t n, const char *text)
{
    cf_event_t event = {
        .epoch = 1,
        .n = n,
        .kind = kind,
        .post = {.kind = CF_POST_BOT, .username = cf_str("StockBot"), .text = cf_str(text)}};
    peer_send(rooms, CF_ACTOR_GATEWAY, CF_MSG_EVENT, 0, ROOM, &event);
}

Test(gateway_commands, echoes_a_stock_command_to_its_sender_alone_before_the_bots_words)
{
    cf_command_t command;
    uint64_t conn;
    int ann = enter_first("ann", &conn), bob = enter("bob");
    client_say(ann, "{\"content\":\" /stock=aapl.us\\t\"}");
    cf_msg_t msg = expect_command("stock", "AAPL.US", &command);
    cr_assert(eq(u64, command.conn, conn));
    cr_assert(cf_id_equal(command.sender, user_of("ann")));
    cr_assert(not(cf_id_is_zero(command.id)));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT, 1, "the words");
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"type\":\"chat_message\"") &&
                  has(heard, "\"content\":\" /stock=aapl.us\\t\"") &&
                  has(heard, "\"username\":\"ann\"") && has(heard, "\"is_bot\":false") &&
                  has(heard, "\"chatroom_id\":\"02010000-") && has(heard, "\"created_at\":\"2") &&
                  !has(heard, "\"seq\"") && !has(heard, "is_error"),
              "%s", heard);
    heard = client_heard(ann);
    cr_assert(has(heard, "\"content\":\"the words\"") && has(heard, "\"is_bot\":true") &&
                  has(heard, "\"username\":\"StockBot\"") && !has(heard, "is_error") &&
                  !has(heard, "\"seq\""),
              "%s", heard);
    heard = client_heard(bob);
    cr_assert(has(heard, "\"content\":\"the words\""), "%s", heard);
    close(ann);
    close(bob);
}

Test(gateway_commands, echoes_no_hello_and_says_what_is_an_error)
{
    cf_command_t command;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/hello\"}");
    cf_msg_t msg = expect_command("hello", "", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT_ERROR, 1, "oh dear");
    char *heard = client_heard(ann);
    cr_assert(has(heard, "\"content\":\"oh dear\"") && has(heard, "\"is_error\":true"), "%s",
              heard);
    close(ann);
}

static void without_echo(void)
{
    gateway_config.echo = false;
    gateway_start();
}

Test(tuned_gateway_commands, echoes_nothing_when_told_not_to, .init = without_echo)
{
    cf_command_t command;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/stock=a\"}");
    cf_msg_t msg = expect_command("stock", "A", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    tell_bot_event(CF_EVENT_BOT, 1, "the words");
    cr_assert(has(client_heard(ann), "the words"));
    close(ann);
}

Test(gateway_commands, says_each_failure_of_a_command_in_the_contracts_words)
{
    static const struct {
        int err;
        const char *text, *code;
    } cases[] = {{CF_EPERM, "Not a member of this chatroom", "NOT_A_MEMBER"},
                 {CF_EFULL, "Failed to process command", "TOO_MANY_COMMANDS"},
                 {CF_ETIME, "Failed to process command", "NOT_ANSWERED"},
                 {CF_ECLOSING, "Failed to process command", "BOT_UNAVAILABLE"}};
    int ann = enter_first("ann", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say_post(ann, "/stock=a", "k1");
        refuse(rooms, CF_MSG_COMMAND, cases[i].err);
        char *heard = client_heard(ann);
        cr_assert(has(heard, "\"type\":\"error\"") && has(heard, cases[i].text) &&
                      has(heard, cases[i].code) && has(heard, "\"client_key\":\"k1\"") &&
                      !has(heard, "content"),
                  "%s", heard);
    }
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_COMMANDS), 4));
    cr_assert(eq(u64, actor_counter(gateway_actor, CF_M_COMMANDS_REFUSED), 4));
    close(ann);
}

static void with_one_credit(void)
{
    gateway_config.credits_requests = 1;
    gateway_config.commands_in_flight = 3;
    gateway_start();
}

Test(tuned_gateway_commands, bounds_the_commands_of_a_connection_and_reads_its_posts_meanwhile,
     .init = with_one_credit)
{
    cf_command_t command;
    cf_msg_t msg = {0};
    int ann = enter_first("ann", NULL), bob = enter("bob");
    for (int i = 0; i < 3; i++) {
        client_say(ann, "{\"content\":\"/stock=a\"}");
        msg = expect_command("stock", "A", &command);
    }
    client_say(ann, "{\"content\":\"/stock=b\"}");
    cr_assert(has(client_heard(ann), "TOO_MANY_COMMANDS"));
    say_post(ann, "chat goes on", "k");
    answer_post(rooms, "chat goes on", 1);
    cr_assert(has(client_heard(ann), "message_ack"));
    client_say(bob, "{\"content\":\"/stock=c\"}"); /* another connection has its own */
    expect_command("stock", "C", &command);
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    client_say(ann, "{\"content\":\"/stock=d\"}");
    expect_command("stock", "D", &command);
    close(ann);
    close(bob);
}

static void with_a_small_pool(void)
{
    gateway_config.pool_bytes = 8 * 16384;
    gateway_config.commands_in_flight = 1000;
    gateway_start();
}

Test(tuned_gateway_commands, bounds_what_commands_take_in_all_without_touching_posts,
     .init = with_a_small_pool)
{
    static char wide[16000];
    cf_command_t command;
    cf_msg_t msg;
    memset(wide, ' ', sizeof wide - 1);
    memcpy(wide, "{\"content\":\"", 12);
    memcpy(wide + sizeof wide - 11, "/stock=a\"}", 11);
    int ann = enter_first("ann", NULL), bob = enter("bob");
    client_say(ann, "{\"content\":\"/stock=b\"}");
    expect_command("stock", "B", &command);
    client_say(ann, wide);
    msg = expect_command("stock", "A", &command); /* the bound was not reached before it */
    client_say(bob, "{\"content\":\"/hello\"}");
    cr_assert(has(client_heard(bob), "TOO_MANY_COMMANDS"));
    say_post(bob, "chat goes on", "k");
    answer_post(rooms, "chat goes on", 1);
    cr_assert(has(client_heard(bob), "message_ack"));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    client_say(ann, wide);
    msg = expect_command("stock", "A", &command);
    close(ann);
    request(rooms, CF_MSG_DETACH, NULL); /* she has gone; her command has not */
    client_say(bob, "{\"content\":\"/hello\"}");
    cr_assert(has(client_heard(bob), "TOO_MANY_COMMANDS"));
    peer_answer(rooms, &msg, CF_MSG_COMMANDED, NULL);
    let_it_read();
    client_say(bob, "{\"content\":\"/hello\"}");
    expect_command("hello", "", &command);
    close(bob);
}

Test(gateway_commands, sends_a_command_again_under_its_id_when_the_room_has_moved)
{
    cf_command_t first, again;
    cf_attach_t attach;
    int ann = enter_first("ann", NULL);
    client_say(ann, "{\"content\":\"/stock=a\"}");
    cf_msg_t msg = expect_command("stock", "A", &first);
    cf_id_t id = first.id;
    peer_answer(rooms, &msg, CF_MSG_MOVED, NULL);
    place_room(rooms2);
    msg = request(rooms2, CF_MSG_ATTACH, &attach);
    peer_answer(rooms2, &msg, CF_MSG_ATTACHED, &(cf_attached_t){.epoch = 2});
    msg = request(rooms2, CF_MSG_COMMAND, &again);
    cr_assert(cf_id_equal(again.id, id));
    peer_answer(rooms2, &msg, CF_MSG_COMMANDED, NULL);
    cr_assert(has(client_heard(ann), "/stock=a"));
    close(ann);
}

Test(gateway_commands, drops_events_of_an_older_epoch_and_those_it_has_shown)
{
    int ann = enter_first("ann", NULL);
    tell_event(rooms, 1, 1, 1, "a");
    tell_event(rooms, 1, 1, 1, "again");
    tell_event(rooms, 0, 9, 9, "an older epoch");
    tell_event(rooms, 1, 0, 2, "read back");
    tell_event(rooms, 1, 2, 2, "the same from the ring");
    tell_event(rooms, 1, 3, 3, "c");
    cr_assert(has(client_heard(ann), "\"content\":\"a\""));
    cr_assert(has(client_heard(ann), "\"content\":\"read back\""));
    cr_assert(has(client_heard(ann), "\"content\":\"c\""));
    close(ann);
}

Test(gateway_commands, confirms_what_it_was_sent)
{
    cf_flushed_t flushed = {0};
    int ann = enter_first("ann", NULL);
    for (uint64_t n = 1; n <= 3; n++)
        tell_event(rooms, 1, n, n, "a");
    while (flushed.events < 3) /* it may confirm them together or apart */
        cr_assert(peer_await(rooms, CF_MSG_FLUSHED, 0, &flushed));
    cr_assert(gt(u64, flushed.bytes, 3 * CF_MSG_HEAD_SIZE));
    close(ann);
}

Test(gateway_commands, tells_the_room_that_a_client_has_gone)
{
    uint64_t conn;
    cf_detach_t detach;
    int ann = enter_first("ann", &conn);
    close(ann);
    request(rooms, CF_MSG_DETACH, &detach);
    cr_assert(eq(u64, detach.conn, conn));
}
