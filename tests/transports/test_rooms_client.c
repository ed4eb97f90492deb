/* What a client says is what the server reads, and what the server writes is what a client reads. */
#include "dialects/rooms_client.h"

#include "dialects/rooms.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static cf_arena_t arena;
static cf_buf_t buf;

static void free_all(void)
{
    cf_arena_free(&arena);
    cf_buf_free(&buf);
}

TestSuite(rooms_client, .fini = free_all, .timeout = 30);

static cf_str_t written(void)
{
    return (cf_str_t){(const char *)buf.data, (uint32_t)buf.size};
}

Test(rooms_client, registers_and_logs_in)
{
    cf_register_t fields;
    cf_login_t login;
    cr_assert(eq(int, cf_rooms_client_register(&buf, "ann", "ann@example.com", "p\"<ss>word"), 0));
    cr_assert(eq(int, cf_rooms_read_register(&fields, written(), &arena), 0));
    cr_assert(cf_str_equal(fields.username, cf_str("ann")));
    cr_assert(cf_str_equal(fields.email, cf_str("ann@example.com")));
    cr_assert(cf_str_equal(fields.password, cf_str("p\"<ss>word")));
    cf_buf_clear(&buf);
    cr_assert(eq(int, cf_rooms_client_login(&buf, "ann", "password"), 0));
    cr_assert(eq(int, cf_rooms_read_login(&login, written(), &arena), 0));
    cr_assert(cf_str_equal(login.username, cf_str("ann")));
}

Test(rooms_client, makes_a_room_and_posts)
{
    cf_rooms_new_room_t room;
    cf_rooms_frame_t frame;
    cf_str_t key;
    cr_assert(eq(int, cf_rooms_client_new_room(&buf, "a room"), 0));
    cr_assert(eq(int, cf_rooms_read_new_room(&room, written(), &arena), 0));
    cr_assert(cf_str_equal(room.name, cf_str("a room")));
    cf_buf_clear(&buf);
    cr_assert(eq(int, cf_rooms_client_post(&buf, "hi"), 0));
    cr_assert(eq(int, cf_rooms_read_frame(&frame, &key, buf.data, buf.size, &arena), 0));
    cr_assert(cf_str_equal(frame.content, cf_str("hi")));
}

Test(rooms_client, reads_the_id_of_a_room)
{
    cf_id_t id = cf_id_new(1), creator = cf_id_new(2);
    cf_rooms_new_room_t room = {.name = cf_str("a room")};
    char text[CF_ID_TEXT + 1];
    cf_str_t found;
    cf_id_text(id, text);
    cr_assert(eq(int, cf_rooms_write_room(&buf, id, &room, 1, creator), 0));
    cr_assert(eq(int, cf_rooms_client_read_id(&found, written(), &arena), 0));
    cr_assert(cf_str_equal(found, cf_str(text)));
}

Test(rooms_client, reads_messages)
{
    cf_posted_t posted = {.id = cf_id_new(3), .seq = 7};
    char text[CF_ID_TEXT + 1];
    cf_rooms_heard_t heard;
    cf_id_text(posted.id, text);
    cr_assert(eq(int, cf_rooms_write_ack(&buf, &posted, cf_str("")), 0));
    cr_assert(eq(int, cf_rooms_client_read_message(&heard, written(), &arena), 0));
    cr_assert(cf_str_equal(heard.type, cf_str("message_ack")));
    cr_assert(cf_str_equal(heard.id, cf_str(text)));
    cr_assert(eq(u32, heard.content.size, 0));
    cf_buf_clear(&buf);
    cr_assert(eq(int, cf_rooms_write_error(&buf, "no", "NO", cf_str(""), 0), 0));
    cr_assert(eq(int, cf_rooms_client_read_message(&heard, written(), &arena), 0));
    cr_assert(cf_str_equal(heard.type, cf_str("error")));
}

Test(rooms_client, reads_a_page_and_no_more_of_it_than_is_wanted)
{
    static const char page[] =
        "{\"messages\":[{\"id\":\"1\",\"content\":\"a\"},{\"content\":2},3]}";
    cf_rooms_heard_t posts[3];
    size_t n;
    for (size_t most = 0; most <= 3; most++) {
        memset(posts, 0xff, sizeof posts);
        cr_assert(eq(int, cf_rooms_client_read_page(posts, most, &n, cf_str(page), &arena), 0));
        cr_assert(eq(sz, n, 3));
        cr_assert(most == 0 || cf_str_equal(posts[0].content, cf_str("a")));
        cr_assert(most < 2 || posts[1].content.size == 0);
        cr_assert(most == 3 || posts[most].content.size == UINT32_MAX);
    }
}

Test(rooms_client, refuses_what_is_something_else)
{
    static const char *const answers[] = {"",
                                          "[]",
                                          "3",
                                          "{",
                                          "{}",
                                          "{\"id\":3,\"session_token\":null}",
                                          "{\"id\":\"\",\"session_token\":\"\",\"messages\":{}}"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        cf_rooms_heard_t posts[1];
        cf_str_t found;
        size_t n;
        cr_assert(eq(int, cf_rooms_client_read_id(&found, cf_str(answers[i]), &arena), CF_EPROTO));
        cr_assert(
            eq(int, cf_rooms_client_read_token(&found, cf_str(answers[i]), &arena), CF_EPROTO));
        cr_assert(eq(int, cf_rooms_client_read_page(posts, 1, &n, cf_str(answers[i]), &arena),
                     CF_EPROTO));
    }
}
