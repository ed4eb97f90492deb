/* The rooms contract's bytes, in and out. */
#include "dialects/json_plain.h"
#include "dialects/rooms.h"

#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static cf_arena_t arena;
static cf_buf_t buf;
static char error_key[CF_CLIENT_KEY_MAX + 1]; /* the key that the latest frame's error would name */

static void free_all(void)
{
    cf_arena_free(&arena);
    cf_buf_free(&buf);
}

TestSuite(dialect, .fini = free_all, .timeout = 30);

#define STR(literal) ((cf_str_t){(literal), sizeof(literal) - 1})

static int read_frame(cf_rooms_frame_t *frame, cf_str_t text)
{
    cf_str_t key;
    int rc = cf_rooms_read_frame(frame, &key, (const uint8_t *)text.bytes, text.size, &arena);
    snprintf(error_key, sizeof error_key, "%.*s", (int)key.size, key.size ? key.bytes : "");
    return rc;
}

/* --- frames -------------------------------------------------------------------------------------
 */

Test(dialect, reads_the_content_and_nothing_else_of_a_frame)
{
    static const struct {
        const char *text, *content;
    } cases[] = {
        {"{\"content\":\"hi\"}", "hi"},
        {"{\"type\":\"chat_message\",\"content\":\"hi\",\"timestamp\":1}", "hi"},
        {"{\"type\":7,\"content\":\"hi\",\"timestamp\":\"2026-01-28T10:30:00Z\"}", "hi"},
        {"{\"type\":null,\"content\":\"hi\",\"more\":{\"content\":\"no\"}}", "hi"},
        {"{\"content\":\"hi\",\"timestamp\":99999999999999999999,\"x\":[1e999,-1E+999]}", "hi"},
        {"{\"content\":\"cut \\ud83d\"}", "cut \xef\xbf\xbd"},
        {"{\"CONTENT\":\"hi\"}", "hi"},
        {"{\"Content\":\"a\",\"content\":\"b\"}", "b"},
        {"{\"content\":\"a\",\"CONTENT\":\"b\"}", "b"},
        {"{\"content\":\"a\",\"content\":\"b\"}", "b"},
        {"{\"content\":\"hi\"} and whatever follows", "hi"},
        {"  \n{ \"content\" : \"hi\" }", "hi"},
        {"{\"content\":\" \"}", " "},
        {"{\"content\":\"  not trimmed \"}", "  not trimmed "},
        {"{\"content\":\"a\\tb\\nc\\rd\"}", "a\tb\nc\rd"},
        {"{\"content\":\"\\u00e4\\ud83d\\ude00<&>\\u2028\"}",
         "\xc3\xa4\xf0\x9f\x98\x80<&>\xe2\x80\xa8"},
        {"{\"content\":\"&lt;b&gt;\"}", "&lt;b&gt;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_rooms_frame_t frame;
        cr_assert(eq(int, read_frame(&frame, cf_str(cases[i].text)), 0), "%s", cases[i].text);
        cr_assert(cf_str_equal(frame.content, cf_str(cases[i].content)), "%s", cases[i].text);
        cr_assert(eq(int, frame.kind, CF_FRAME_POST));
        cr_assert(eq(u32, frame.client_key.size, 0));
    }
}

static bool is_plain(cf_str_t text)
{
    cf_json_member_t content = {"content", {0}, false};
    return cf_json_read_plain(&content, 1, text);
}

Test(dialect, reads_a_plain_object_where_it_stands_and_leaves_the_rest_to_the_parser)
{
    static const struct {
        const char *text;
        bool is_plain;
    } cases[] = {
        {"{\"content\":\"hi\"}", true},
        {" {\t\"a\" :\n\"b\" ,\r\"content\": \"hi\" } more", true},
        {"{\"CONTENT\":\"hi\",\"content \":\"no\"}", true},
        {"{\"content\":\"\xc3\xa4\x7f\"}", true},
        {"{}", false},
        {"{\"content\":\"a\",\"Content\":\"b\"}", false},
        {"{\"content\":\"a\\n\"}", false},
        {"{\"cont\\u0065nt\":\"a\"}", false},
        {"{\"content\":\"a\nb\"}", false},
        {"{\"content\":\"a\",\"n\":1}", false},
        {"{\"content\":\"a\",}", false},
        {"{\"content\":\"a\" \"b\":\"c\"}", false},
        {"{\"content\" \"a\"}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_str_t text = cf_str(cases[i].text);
        cr_assert(eq(int, is_plain(text), cases[i].is_plain), "%s", cases[i].text);
        for (text.size = 0; cases[i].is_plain && text.bytes[text.size] != '}'; text.size++)
            cr_assert(eq(int, is_plain(text), false), "%s", cases[i].text); /* its end is missing */
    }
}

Test(dialect, refuses_what_is_no_frame)
{
    static const cf_str_t cases[] = {
        STR(""),
        STR("hi"),
        STR("\"hi\""),
        STR("[\"content\"]"),
        STR("null"),
        STR("{"),
        STR("{\"content\":\"hi\""),
        STR("{}"),
        STR("{\"content\":7}"),
        STR("{\"content\":null}"),
        STR("{\"content\":[\"hi\"]}"),
        STR("{\"content\":\"a\",\"content\":7}"),
        STR("{\"content\":\"\xff\"}"),         /* ill-formed, in a binary message */
        STR("{\"content\":\"\xed\xa0\x80\"}"), /* a surrogate */
        STR("{\"content\":\"a\0b\"}"),         /* a NUL that is not escaped */
        STR("{'content':'hi'}"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_rooms_frame_t frame;
        cr_assert(eq(int, read_frame(&frame, cases[i]), CF_EPROTO), "%s", cases[i].bytes);
    }
}

Test(dialect, refuses_control_characters_in_content)
{
    for (int c = 0; c < 0x20; c++) {
        char text[64];
        cf_rooms_frame_t frame;
        snprintf(text, sizeof text, "{\"content\":\"a\\u%04xb\"}", c);
        bool is_allowed = c == '\t' || c == '\n' || c == '\r';
        cr_assert(eq(int, read_frame(&frame, cf_str(text)), is_allowed ? 0 : CF_EPERM), "%s", text);
    }
}

/* A frame whose content is n times the same character. */
static int read_many(const char *character, int n)
{
    static char text[8192];
    cf_rooms_frame_t frame;
    size_t size = strlen(character), at = (size_t)sprintf(text, "{\"content\":\"");
    for (int i = 0; i < n; i++, at += size)
        memcpy(text + at, character, size);
    at += (size_t)sprintf(text + at, "\"}");
    return read_frame(&frame, (cf_str_t){text, (uint32_t)at});
}

Test(dialect, takes_1_to_1000_code_points_of_any_size)
{
    static const char *const characters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(eq(int, read_many(characters[i], 1), 0));
        cr_assert(eq(int, read_many(characters[i], 999), 0));
        cr_assert(eq(int, read_many(characters[i], 1000), 0));
        cr_assert(eq(int, read_many(characters[i], 1001), CF_ERANGE));
    }
    cr_assert(eq(int, read_many("a", 0), CF_ERANGE));
    cr_assert(eq(int, read_many("a", 4001), CF_ERANGE)); /* over the bytes as well */
}

Test(dialect, takes_a_client_key_of_1_to_64_bytes_and_names_it_in_errors)
{
    static const struct {
        const char *key;
        int rc;
    } cases[] = {{"k", 0},
                 {"0123456789012345678901234567890123456789012345678901234567890123", 0},
                 {"01234567890123456789012345678901234567890123456789012345678901234", CF_EPROTO},
                 {"", CF_EPROTO},
                 {"two words", CF_EPROTO},
                 {"a\\u0000b", CF_EPROTO},
                 {"a\\u007f", CF_EPROTO},
                 {"\xc3\xa4", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        cf_rooms_frame_t frame;
        snprintf(text, sizeof text, "{\"content\":\"hi\",\"client_key\":\"%s\"}", cases[i].key);
        cr_assert(eq(int, read_frame(&frame, cf_str(text)), cases[i].rc), "%s", text);
        if (cases[i].rc == 0)
            cr_assert(cf_str_equal(frame.client_key, cf_str(cases[i].key)));
        snprintf(text, sizeof text, "{\"content\":\"\",\"client_key\":\"%s\"}", cases[i].key);
        int rc = read_frame(&frame, cf_str(text));
        cr_assert(eq(int, rc, cases[i].rc == 0 ? CF_ERANGE : CF_EPROTO), "%s", text);
        cr_assert(eq(str, error_key, (char *)(cases[i].rc == 0 ? cases[i].key : "")));
    }
    cf_rooms_frame_t frame;
    cr_assert(eq(int, read_frame(&frame, STR("{\"content\":\"hi\",\"client_key\":7}")), CF_EPROTO));
    cr_assert(eq(int, read_frame(&frame, STR("{\"content\":\"hi\",\"client_key\":null}")), 0));
}

Test(dialect, knows_the_two_commands_and_takes_all_else_for_text)
{
    static const struct {
        const char *text, *type, *code; /* type NULL: an ordinary message */
    } cases[] = {
        {"/stock=aapl.us", "stock", "AAPL.US"},
        {"/stock=A", "stock", "A"},
        {"/stock=.", "stock", "."},
        {"/stock=zZ9.", "stock", "ZZ9."},
        {"/stock=1234567890123456789a", "stock", "1234567890123456789A"},
        {" \t\r\n/stock=A\r\n ", "stock", "A"},
        {"/hello", "hello", ""},
        {"  /hello\n", "hello", ""},
        {"\xc2\xa0/hello\xe3\x80\x80", "hello", ""}, /* white space of Unicode */
        {"\xe2\x80\x80\xe2\x80\x8a/stock=A\xe2\x80\xa8\xe2\x80\xaf", "stock", "A"},
        {"\xc2\x85\xe1\x9a\x80\xe2\x81\x9f\xe2\x80\xa9/hello\xc2\xa0 ", "hello", ""},
        {"\xe2\x80\x8b/hello", NULL, ""}, /* a zero-width space is none */
        {"/hello\xef\xbb\xbf", NULL, ""},
        {"/hello\xc3\xa0", NULL, ""},
        {"/stock=", NULL, ""},
        {"/stock=123456789012345678901", NULL, ""},
        {"/stock= A", NULL, ""},
        {"/stock =A", NULL, ""},
        {"/stock=A B", NULL, ""},
        {"/stock=A\xc2\xa0\x42", NULL, ""},
        {"/stock=A-B", NULL, ""},
        {"/stock=A_B", NULL, ""},
        {"/stock=^A", NULL, ""},
        {"/stock=A@B", NULL, ""},
        {"/stock=A=B", NULL, ""},
        {"/stock=A\nB", NULL, ""},
        {"/stock=\xc3\xa4", NULL, ""},
        {"/STOCK=A", NULL, ""},
        {"/Stock=A", NULL, ""},
        {"/HELLO", NULL, ""},
        {"/Hello", NULL, ""},
        {"/hello bob", NULL, ""},
        {"/hello/hello", NULL, ""},
        {"/help", NULL, ""},
        {"say /hello", NULL, ""},
        {"", NULL, ""},
        {" ", NULL, ""},
        {"\xc2\xa0", NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_rooms_command_t command = {.code = "?"};
        bool is_command = cf_rooms_read_command(&command, cf_str(cases[i].text));
        cr_assert(eq(int, is_command, cases[i].type != NULL), "'%s'", cases[i].text);
        cr_assert(eq(str, command.code, (char *)(is_command ? cases[i].code : "?")));
        if (is_command)
            cr_assert(cf_str_equal(command.type, cf_str(cases[i].type)));
    }
    cf_rooms_command_t command;
    cr_assert(eq(int, cf_rooms_read_command(&command, STR("/hello\0")), 0));
}

Test(dialect, leaves_a_command_as_it_was_typed_and_of_any_length)
{
    static char text[8192];
    cf_rooms_frame_t frame;
    cr_assert(
        eq(int, read_frame(&frame, STR("{\"content\":\" /stock=aB \",\"client_key\":\"k\"}")), 0));
    cr_assert(eq(int, frame.kind, CF_FRAME_COMMAND));
    cr_assert(cf_str_equal(frame.content, cf_str(" /stock=aB ")));
    cr_assert(cf_str_equal(frame.client_key, cf_str("k")));
    cr_assert(eq(str, frame.command.code, "AB"));
    snprintf(text, sizeof text, "{\"content\":\"%5000s/hello\"}", "");
    cr_assert(eq(int, read_frame(&frame, cf_str(text)), 0));
    cr_assert(eq(int, frame.kind, CF_FRAME_COMMAND));
    cr_assert(eq(u32, frame.content.size, 5006));
    /* a control character is refused before anything else */
    cr_assert(eq(int, read_frame(&frame, STR("{\"content\":\"\\u000b/hello\"}")), CF_EPERM));
}

/* --- REST bodies --------------------------------------------------------------------------------
 */

static int read_register(const char *username, const char *email, const char *password)
{
    char body[2048];
    cf_register_t fields;
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"email\":\"%s\",\"password\":\"%s\"}",
             username, email, password);
    return cf_rooms_read_register(&fields, cf_str(body), &arena);
}

static char *times(char *out, char c, int n)
{
    memset(out, c, (size_t)n);
    out[n] = '\0';
    return out;
}

Test(dialect, bounds_names_and_passwords_at_registration)
{
    char text[300];
    static const char *const good[] = {"abc", "A_1", "___"};
    static const char *const bad[] = {
        "", "ab", "a b", "a-b", "a.b", "ab\\u0000", "\xc3\xa4\xc3\xa4"};
    for (size_t i = 0; i < 3; i++)
        cr_assert(eq(int, read_register(good[i], "a@test.com", "password123"), 0), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(eq(int, read_register(bad[i], "a@test.com", "password123"), CF_ERANGE), "%s",
                  bad[i]);
    cr_assert(eq(int, read_register(times(text, 'a', 50), "a@test.com", "password123"), 0));
    cr_assert(eq(int, read_register(times(text, 'a', 51), "a@test.com", "password123"), CF_ERANGE));
    static const char *const fixtures[] = {"testpass123", "password123", "securepass123",
                                           "strange!"};
    for (size_t i = 0; i < 4; i++)
        cr_assert(eq(int, read_register("abc", "a@loadtest.local", fixtures[i]), 0));
    cr_assert(eq(int, read_register("abc", "a@test.com", times(text, 'p', 7)), CF_ERANGE));
    cr_assert(eq(int, read_register("abc", "a@test.com", times(text, 'p', 8)), 0));
    cr_assert(eq(int, read_register("abc", "a@test.com", times(text, 'p', 100)), 0));
    cr_assert(eq(int, read_register("abc", "a@test.com", times(text, 'p', 101)), CF_ERANGE));
}

Test(dialect, takes_e_mail_addresses_as_the_contract_has_them)
{
    char text[300];
    static const char *const good[] = {"a@test.com", "a.b_c%d+e-f@x-y.z.org", "A@B.CO", "a@b..com"};
    static const char *const bad[] = {"",
                                      "a",
                                      "@test.com",
                                      "a@",
                                      "a@test",
                                      "a@.com",
                                      "a@b.c",
                                      "a@b.c1",
                                      "a@b@c.com",
                                      "a b@c.com",
                                      "a@b c.com",
                                      "a@b.com.",
                                      "a\\n@b.com",
                                      "a@b.c\xc3\xa4",
                                      "a@b.com\\u0000"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert(eq(int, read_register("abc", good[i], "password123"), 0), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(eq(int, read_register("abc", bad[i], "password123"), CF_ERANGE), "%s", bad[i]);
    strcpy(times(text, 'a', 255 - 9) + 255 - 9, "@test.com");
    cr_assert(eq(int, read_register("abc", text, "password123"), 0));
    strcpy(times(text, 'a', 256 - 9) + 256 - 9, "@test.com");
    cr_assert(eq(int, read_register("abc", text, "password123"), CF_ERANGE));
}

Test(dialect, tells_a_body_that_is_none_from_one_that_breaks_a_rule)
{
    static const cf_str_t none[] = {STR(""),
                                    STR("x"),
                                    STR("[]"),
                                    STR("{"),
                                    STR("7"),
                                    STR("{\"username\":7}"),
                                    STR("{\"name\":7}"),
                                    STR("null")};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        cf_register_t reg;
        cf_login_t login;
        cf_rooms_new_room_t room;
        bool for_room = strstr(none[i].bytes, "\"name\"") != NULL;
        bool for_user = strstr(none[i].bytes, "\"username\"") != NULL;
        if (!for_room) {
            cr_assert(eq(int, cf_rooms_read_register(&reg, none[i], &arena), CF_EPROTO));
            cr_assert(eq(int, cf_rooms_read_login(&login, none[i], &arena), CF_EPROTO));
        }
        if (!for_user)
            cr_assert(eq(int, cf_rooms_read_new_room(&room, none[i], &arena), CF_EPROTO));
    }
    cf_register_t reg;
    cr_assert(eq(int, cf_rooms_read_register(&reg, STR("{}"), &arena), CF_ERANGE));
    cr_assert(eq(int,
                 cf_rooms_read_register(&reg,
                                        STR("{\"USERNAME\":\"abc\",\"Email\":\"a@b.co\","
                                            "\"password\":\"x\",\"password\":\"password123\","
                                            "\"admin\":true} trailing"),
                                        &arena),
                 0));
    cr_assert(cf_str_equal(reg.password, STR("password123")));
}

Test(dialect, reads_any_login_but_an_endless_one)
{
    static char body[2200], text[1100];
    cf_login_t login;
    cr_assert(eq(int, cf_rooms_read_login(&login, STR("{}"), &arena), 0));
    cr_assert(eq(u32, login.username.size, 0));
    cr_assert(
        eq(int,
           cf_rooms_read_login(&login, STR("{\"username\":\"a b\",\"password\":\"\xff\"}"), &arena),
           0));
    cr_assert(cf_str_equal(login.password, STR("\xef\xbf\xbd"))); /* repaired */
    for (int n = CF_LOGIN_TEXT_MAX; n <= CF_LOGIN_TEXT_MAX + 1; n++) {
        int size = snprintf(body, sizeof body, "{\"username\":\"a\",\"password\":\"%s\"}",
                            times(text, 'p', n));
        int rc = cf_rooms_read_login(&login, (cf_str_t){body, (uint32_t)size}, &arena);
        cr_assert(eq(int, rc, n > CF_LOGIN_TEXT_MAX ? CF_ERANGE : 0));
    }
}

static int read_room(const char *body, cf_rooms_new_room_t *room)
{
    return cf_rooms_read_new_room(room, cf_str(body), &arena);
}

Test(dialect, takes_room_names_of_1_to_100_code_points_without_controls)
{
    cf_rooms_new_room_t room;
    cr_assert(eq(int, read_room("{\"name\":\" \"}", &room), 0));
    cr_assert(cf_str_equal(room.name, STR(" ")));
    cr_assert(not(room.ephemeral));
    cr_assert(eq(int, read_room("{\"name\":\"<b>\\\"'&\",\"ephemeral\":true}", &room), 0));
    cr_assert(cf_str_equal(room.name, STR("<b>\"'&")));
    cr_assert(room.ephemeral);
    cr_assert(eq(int, read_room("{\"name\":\"a\",\"ephemeral\":null}", &room), 0));
    cr_assert(eq(int, read_room("{\"name\":\"a\",\"ephemeral\":1}", &room), CF_EPROTO));
    static const char *const bad[] = {"{}",
                                      "{\"name\":\"\"}",
                                      "{\"name\":\"a\\u0000\"}",
                                      "{\"name\":\"a\\n\"}",
                                      "{\"name\":\"\\t\"}",
                                      "{\"name\":\"a\\rb\"}",
                                      "{\"name\":\"\\u001b[1m\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(eq(int, read_room(bad[i], &room), CF_ERANGE), "%s", bad[i]);
    for (int n = 100; n <= 101; n++) {
        char body[600];
        size_t at = (size_t)sprintf(body, "{\"name\":\"");
        for (int i = 0; i < n; i++, at += 4)
            memcpy(body + at, "\xf0\x9f\x98\x80", 4);
        strcpy(body + at, "\"}");
        cr_assert(eq(int, read_room(body, &room), n > 100 ? CF_ERANGE : 0));
    }
}

/* --- query, cookie, bearer ----------------------------------------------------------------------
 */

Test(dialect, finds_query_parameters_and_decodes_them)
{
    static const struct {
        const char *query, *value; /* NULL: absent */
    } cases[] = {{"token=a", "a"},         {"x=1&token=a&y", "a"},
                 {"token=", ""},           {"token=a%20b", "a b"},
                 {"token=a+b", "a b"},     {"token=%41%62%2f%2F", "Ab//"},
                 {"token=a&token=b", "a"}, {"", NULL},
                 {"token", NULL},          {"tokens=a", NULL},
                 {"xtoken=a", NULL},       {"TOKEN=a", NULL},
                 {"token=%", NULL},        {"token=%4", NULL},
                 {"token=%4g", NULL},      {"token=a=b", "a=b"},
                 {"&&&token=a&&", "a"},    {"token=%c3%a4", "\xc3\xa4"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_str_t value;
        bool found = cf_rooms_query(cf_str(cases[i].query), "token", &value, &arena);
        cr_assert(eq(int, found, cases[i].value != NULL), "%s", cases[i].query);
        if (found)
            cr_assert(cf_str_equal(value, cf_str(cases[i].value)), "%s", cases[i].query);
    }
    cf_str_t none = {NULL, 0}, value;
    cr_assert(not(cf_rooms_query(none, "token", &value, &arena)));
}

Test(dialect, finds_the_cookie_by_its_whole_name)
{
    static const struct {
        const char *header, *value;
    } cases[] = {{"session_id=a", "a"},
                 {"x=1; session_id=a; y=2", "a"},
                 {"x=1;session_id=a;y=2", "a"},
                 {"session_id=", ""},
                 {"session_id=a=b", "a=b"},
                 {"session_id=a; session_id=b", "a"},
                 {"xsession_id=a", NULL},
                 {"session_id_x=a", NULL},
                 {"Session_id=a", NULL},
                 {"session_id", NULL},
                 {"", NULL},
                 {" ; ;; session_id=a", "a"},
                 {"x=session_id=a", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cf_str_t value;
        bool found = cf_rooms_cookie(cf_str(cases[i].header), "session_id", &value);
        cr_assert(eq(int, found, cases[i].value != NULL), "%s", cases[i].header);
        if (found)
            cr_assert(cf_str_equal(value, cf_str(cases[i].value)), "%s", cases[i].header);
    }
}

Test(dialect, takes_a_token_behind_the_exact_word_bearer)
{
    cf_str_t token;
    cr_assert(cf_rooms_bearer(STR("Bearer abc"), &token));
    cr_assert(cf_str_equal(token, STR("abc")));
    static const char *const bad[] = {"",           "Bearer",    "Bearer ", "bearer abc",
                                      "BEARER abc", "Basic abc", "abc"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(not(cf_rooms_bearer(cf_str(bad[i]), &token)), "%s", bad[i]);
}

/* --- to clients ---------------------------------------------------------------------------------
 */

#define ID "02000000-0000-0000-0000-000000000000"
#define ROOM_ID "07000000-0000-0000-0000-000000000000"
#define USER_ID "01000000-0000-0000-0000-000000000000"

static char *written(int rc)
{
    static char text[4096];
    cr_assert(eq(int, rc, 0));
    cr_assert(lt(sz, buf.size, sizeof text));
    memcpy(text, buf.data, buf.size);
    text[buf.size] = '\0';
    cf_buf_clear(&buf);
    return text;
}

static const cf_id_t id = {{2}}, room_id = {{7}}, user_id = {{1}};

static cf_post_t some_post(void)
{
    return (cf_post_t){.seq = 7,
                       .id = id,
                       .sender = user_id,
                       .at_us = INT64_C(1769596200123456),
                       .kind = CF_POST_TEXT,
                       .username = cf_str("bob"),
                       .text = cf_str("<b> & \"q\"\xe2\x80\xa8"),
                       .client_key = cf_str("secret")};
}

#define POST_JSON                                                                                  \
    "\"id\":\"" ID "\",\"chatroom_id\":\"" ROOM_ID "\",\"user_id\":\"" USER_ID                     \
    "\",\"username\":\"bob\",\"content\":\"\\u003cb\\u003e \\u0026 \\\"q\\\"\\u2028\","            \
    "\"is_bot\":false,\"created_at\":\"2026-01-28T10:30:00.123456Z\",\"seq\":7"

Test(dialect, writes_events)
{
    cf_event_t event = {.kind = CF_EVENT_POST, .post = some_post()};
    cr_assert(eq(str, written(cf_rooms_write_event(&buf, room_id, &event)),
                 "{\"type\":\"chat_message\"," POST_JSON "}"));
    event.post.kind = CF_POST_BOT;
    cr_assert(
        not(eq(ptr, strstr(written(cf_rooms_write_event(&buf, room_id, &event)), "\"is_bot\":true"),
               NULL)));
    event.kind = CF_EVENT_JOINED;
    cr_assert(eq(str, written(cf_rooms_write_event(&buf, room_id, &event)),
                 "{\"type\":\"user_joined\",\"username\":\"bob\"}"));
    event.kind = CF_EVENT_LEFT;
    cr_assert(eq(str, written(cf_rooms_write_event(&buf, room_id, &event)),
                 "{\"type\":\"user_left\",\"username\":\"bob\"}"));
}

Test(dialect, writes_what_a_bot_says_without_a_seq_and_marks_errors_only)
{
    cf_event_t event = {.kind = CF_EVENT_BOT, .post = some_post()};
    event.post.kind = CF_POST_BOT;
    event.post.seq = 0;
    char *said = written(cf_rooms_write_event(&buf, room_id, &event));
    cr_assert(strstr(said, "\"type\":\"chat_message\"") && strstr(said, "\"is_bot\":true") &&
                  strstr(said, "\"id\":\"" ID "\"") && !strstr(said, "is_error") &&
                  !strstr(said, "\"seq\""),
              "%s", said);
    event.kind = CF_EVENT_BOT_ERROR;
    said = written(cf_rooms_write_event(&buf, room_id, &event));
    cr_assert(strstr(said, "\"is_bot\":true") && strstr(said, "\"is_error\":true"), "%s", said);
}

Test(dialect, writes_acks_errors_and_counts_without_a_member_content)
{
    cf_posted_t posted = {id, 7, 1};
    cr_assert(eq(str, written(cf_rooms_write_ack(&buf, &posted, (cf_str_t){0})),
                 "{\"type\":\"message_ack\",\"id\":\"" ID "\",\"seq\":7}"));
    cr_assert(eq(str, written(cf_rooms_write_ack(&buf, &posted, STR("k\"1"))),
                 "{\"type\":\"message_ack\",\"id\":\"" ID
                 "\",\"seq\":7,\"client_key\":\"k\\\"1\"}"));
    cr_assert(eq(str, written(cf_rooms_write_error(&buf, "Sorry", "CODE", (cf_str_t){0}, 0)),
                 "{\"type\":\"error\",\"message\":\"Sorry\",\"code\":\"CODE\"}"));
    cr_assert(eq(str, written(cf_rooms_write_error(&buf, "Sorry", "CODE", STR("k"), 1500)),
                 "{\"type\":\"error\",\"message\":\"Sorry\",\"code\":\"CODE\",\"client_key\":\"k\","
                 "\"retry_after_ms\":1500}"));
    cf_count_t counts[] = {{room_id, 3}, {id, 1}};
    cr_assert(eq(str, written(cf_rooms_write_counts(&buf, &(cf_counts_t){{counts, 2}})),
                 "{\"type\":\"user_count_update\",\"user_counts\":{\"" ROOM_ID "\":3,\"" ID
                 "\":1}}"));
    cr_assert(eq(str, written(cf_rooms_write_counts(&buf, &(cf_counts_t){{NULL, 0}})),
                 "{\"type\":\"user_count_update\",\"user_counts\":{}}"));
    cf_present_t present[] = {{STR("ann"), 1}, {STR("bob"), UINT32_MAX}};
    cr_assert(eq(str, written(cf_rooms_write_roster(&buf, &(cf_roster_t){{present, 2}, 3})),
                 "{\"type\":\"room_roster\",\"members\":["
                 "{\"username\":\"ann\",\"connections\":1},"
                 "{\"username\":\"bob\",\"connections\":4294967295}],\"more\":3}"));
    cr_assert(eq(str, written(cf_rooms_write_roster(&buf, &(cf_roster_t){0})),
                 "{\"type\":\"room_roster\",\"members\":[],\"more\":0}"));
}

/* What rooms.roster_max tells operators of ws.queue_max_bytes. */
Test(dialect, writes_a_name_of_who_is_here_in_100_bytes_at_most)
{
    char name[CF_USERNAME_MAX];
    static cf_present_t present[CF_ROSTER_MAX];
    memset(name, 'x', sizeof name);
    for (int i = 0; i < CF_ROSTER_MAX; i++)
        present[i] = (cf_present_t){{name, sizeof name}, UINT32_MAX};
    cf_roster_t roster = {{present, CF_ROSTER_MAX}, UINT32_MAX};
    cr_assert(eq(int, cf_rooms_write_roster(&buf, &roster), 0));
    cr_assert(le(sz, buf.size, 100 * (size_t)CF_ROSTER_MAX));
}

Test(dialect, ends_rest_bodies_with_a_line_feed)
{
    cr_assert(eq(str, written(cf_rooms_write_failure(&buf, "Not \"found\"")),
                 "{\"error\":\"Not \\\"found\\\"\"}\n"));
    cr_assert(eq(str, written(cf_rooms_write_success(&buf)), "{\"success\":true}\n"));
    cr_assert(eq(str, written(cf_rooms_write_user(&buf, user_id, STR("bob"), STR("b@test.com"), 0)),
                 "{\"id\":\"" USER_ID "\",\"username\":\"bob\",\"email\":\"b@test.com\","
                 "\"created_at\":\"1970-01-01T00:00:00Z\"}\n"));
    cf_logged_in_t login = {.token = cf_str("tok"),
                            .user = user_id,
                            .username = cf_str("bob"),
                            .email = cf_str("b@test.com")};
    cr_assert(eq(str, written(cf_rooms_write_login(&buf, &login)),
                 "{\"success\":true,\"user\":{\"id\":\"" USER_ID "\",\"username\":\"bob\","
                 "\"email\":\"b@test.com\",\"created_at\":\"1970-01-01T00:00:00Z\"},"
                 "\"session_token\":\"tok\"}\n"));
    cf_rooms_new_room_t room = {STR("a room"), true};
    cr_assert(eq(str, written(cf_rooms_write_room(&buf, room_id, &room, 1500000, user_id)),
                 "{\"id\":\"" ROOM_ID "\",\"name\":\"a room\",\"created_at\":"
                 "\"1970-01-01T00:00:01.5Z\",\"created_by\":\"" USER_ID
                 "\",\"ephemeral\":true,\"user_count\":0}\n"));
}

Test(dialect, writes_room_lists_and_pages)
{
    cf_room_entry_t entry = {.id = room_id,
                             .name = cf_str("a"),
                             .creator = user_id,
                             .created_us = 1999999,
                             .connections = 4};
    cf_room_list_t list = {.more = true, .rooms = {&entry, 1}};
    cr_assert(
        eq(str, written(cf_rooms_write_room_list(&buf, &list)),
           "{\"chatrooms\":[{\"id\":\"" ROOM_ID "\",\"name\":\"a\",\"created_at\":"
           "\"1970-01-01T00:00:01Z\",\"created_by\":\"" USER_ID
           "\",\"ephemeral\":false,\"user_count\":4}],\"has_more\":true,\"next_cursor\":\"" ROOM_ID
           "\"}\n")); /* whole seconds */
    list = (cf_room_list_t){0};
    cr_assert(eq(str, written(cf_rooms_write_room_list(&buf, &list)),
                 "{\"chatrooms\":[],\"has_more\":false}\n"));
    cf_post_t post = some_post();
    cr_assert(eq(str, written(cf_rooms_write_page(&buf, room_id, &(cf_page_t){{&post, 1}})),
                 "{\"messages\":[{" POST_JSON "}]}\n"));
    cr_assert(eq(str, written(cf_rooms_write_page(&buf, room_id, &(cf_page_t){{NULL, 0}})),
                 "{\"messages\":[]}\n"));
}

Test(dialect, writes_readiness_in_both_forms_without_inner_errors)
{
    cf_health_state_t state = {.live = true,
                               .ready = true,
                               .store_up = true,
                               .store_latency_us = 2500,
                               .store_connections = 3,
                               .store_in_use = 1,
                               .quotes_up = true};
    cr_assert(eq(str, written(cf_rooms_write_ready(&buf, &state, 25, 1999999)),
                 "{\"status\":\"ready\",\"timestamp\":\"1970-01-01T00:00:01Z\",\"checks\":{"
                 "\"database\":{\"status\":\"up\",\"latency_ms\":2,\"metadata\":{"
                 "\"connections_open\":3,\"connections_in_use\":1,\"connections_idle\":2,"
                 "\"max_open\":25}},\"rabbitmq\":{\"status\":\"up\"}},"
                 "\"database\":\"connected\",\"rabbitmq\":\"connected\","
                 "\"quote_service\":\"connected\"}\n"));
    state = (cf_health_state_t){.live = false};
    cr_assert(eq(str, written(cf_rooms_write_ready(&buf, &state, 25, 0)),
                 "{\"status\":\"not_ready\",\"waits_for\":\"the store\","
                 "\"timestamp\":\"1970-01-01T00:00:00Z\",\"checks\":{"
                 "\"database\":{\"status\":\"down\"},\"rabbitmq\":{\"status\":\"down\"}},"
                 "\"database\":\"disconnected\",\"rabbitmq\":\"disconnected\","
                 "\"quote_service\":\"disconnected\"}\n"));
    state.joining = true;
    cr_assert(strstr(written(cf_rooms_write_ready(&buf, &state, 25, 0)),
                     "\"waits_for\":\"the store or other nodes\"") != NULL);
    state.store_up = true;
    cr_assert(strstr(written(cf_rooms_write_ready(&buf, &state, 25, 0)),
                     "\"waits_for\":\"other nodes\"") != NULL);
    state.draining = true;
    cr_assert(strstr(written(cf_rooms_write_ready(&buf, &state, 25, 0)),
                     "\"waits_for\":\"its end\"") != NULL);
}
