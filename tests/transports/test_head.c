#include "http/handshake.h"
#include "http/head.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: a\r\n"
#define BROKEN (-1)
#define UNFINISHED (-2)

/* The status a head is refused with, 0 if it is taken, BROKEN or UNFINISHED from cf_head_end(). The
 * bytes are copied to a block of their own, so that a sanitizer sees any step beyond them. */
static int judge_bytes(cf_head_t *out, const char *bytes, size_t size)
{
    size_t scanned = 0;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int64_t end = cf_head_end(copy, size, &scanned);
    int status = end < 0 ? BROKEN : end == 0 ? UNFINISHED : cf_head_parse(out, copy, (size_t)end);
    free(copy);
    return status;
}

static int judge(const char *head)
{
    cf_head_t out;
    return judge_bytes(&out, head, strlen(head));
}

static void parse(cf_head_t *out, const char *head)
{
    size_t scanned = 0;
    int64_t end = cf_head_end((const uint8_t *)head, strlen(head), &scanned);
    cr_assert(gt(i64, end, 0));
    cr_assert(eq(int, cf_head_parse(out, (const uint8_t *)head, (size_t)end), 0));
}

static const struct {
    const char *head;
    int status;
} table[] = {
    /* request line */
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
    {"G / HTTP/1.1\r\n" HOST "\r\n", 0},
    {"get / HTTP/1.1\r\n" HOST "\r\n", 0}, /* another method, not a broken one */
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / \r\n" HOST "\r\n", 400},
    {"GET /\r\n\r\n", 400}, /* HTTP/0.9 */
    {"GET HTTP/1.1\r\n" HOST "\r\n", 400},
    {"\r\n\r\n", 400},
    {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /#x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\xC3\xA9 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://b/x HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET HTTPS://b HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://u@b/x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET ftp://b/x HTTP/1.1\r\n" HOST "\r\n", 400},
    /* version */
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.9\r\n" HOST "\r\n", 0},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1,1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/x.1\r\n" HOST "\r\n", 400},
    /* lines */
    {"GET / HTTP/1.1\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", BROKEN},
    {"GET / HTTP/1.1\r\n" HOST "\n", BROKEN},
    {"GET / HTTP/1.1\r\nX: a\rb\r\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\r\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\nX: \x01\r\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\nX: \x7f\r\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\nX: \x1b[2J\r\n" HOST "\r\n", BROKEN},
    {"GET / HTTP/1.1\r\n" HOST, UNFINISHED},
    {"", UNFINISHED},
    /* fields */
    {"GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" HOST "X: \t y \t \r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" HOST "X: \xC3\xA9\r\n\r\n", 0}, /* obs-text */
    {"GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST " X: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: y\r\n folded\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: y\r\n\tfolded: z\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST ": y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X@Y: y\r\n\r\n", 400},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
    /* where the request ends */
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000000000000000\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 00000000000000000000005\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "transfer-encoding:\t Chunked \r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\x0b\r\n\r\n", BROKEN},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    /* the rest */
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n", 417},
    {"POST / HTTP/1.0\r\nExpect: more\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" HOST "Cookie: a=b\r\nCookie: c=d\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n" HOST "Origin: http://a\r\nOrigin: http://a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 400},
};

Test(head, is_taken_or_refused_by_the_table)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        cr_expect(eq(int, judge(table[i].head), table[i].status), "case %zu: %s", i, table[i].head);
}

Test(head, with_a_nul_is_broken)
{
    static const char head[] = "GET / HTTP/1.1\r\nX: a\0b\r\nHost: a\r\n\r\n";
    cf_head_t out;
    cr_assert(eq(int, judge_bytes(&out, head, sizeof head - 1), BROKEN));
}

Test(head, ends_at_the_same_byte_however_it_arrives)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n";
    size_t scanned = 0, whole = strstr(head, "\r\n\r\n") + 4 - head;
    for (size_t size = 0; size < whole; size++)
        cr_assert(eq(i64, cf_head_end((const uint8_t *)head, size, &scanned), 0));
    cr_assert(
        eq(i64, cf_head_end((const uint8_t *)head, sizeof head - 1, &scanned), (int64_t)whole));
}

static void add(char *text, const char *more, size_t times)
{
    size_t size = strlen(text), length = strlen(more);
    for (size_t i = 0; i < times; i++, size += length)
        memcpy(text + size, more, length + 1);
}

Test(head, bounds_hold_to_the_byte)
{
    static char text[65536];
    strcpy(text, "GET /");
    add(text, "x", CF_HEAD_TARGET_MAX - 1);
    add(text, " HTTP/1.1\r\n" HOST "\r\n", 1);
    cr_assert(eq(int, judge(text), 0));
    strcpy(text, "GET /");
    add(text, "x", CF_HEAD_TARGET_MAX);
    add(text, " HTTP/1.1\r\n" HOST "\r\n", 1);
    cr_assert(eq(int, judge(text), 414));
    for (int over = 0; over < 2; over++) {
        strcpy(text, "GET / HTTP/1.1\r\n" HOST);
        add(text, "X: y\r\n", (size_t)(CF_HEAD_FIELDS_MAX - 1 + over));
        add(text, "\r\n", 1);
        cr_assert(eq(int, judge(text), over ? 431 : 0));
        strcpy(text, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1\r\nX-Forwarded-For: ");
        add(text, "9", (size_t)(CF_HEAD_FORWARDED_MAX - 3 + over));
        add(text, "\r\n\r\n", 1);
        cr_assert(eq(int, judge(text), over ? 431 : 0));
        strcpy(text, "GET / HTTP/1.1\r\n" HOST "Cookie: 1\r\nCookie: ");
        add(text, "9", (size_t)(CF_HEAD_COOKIES_MAX - 3 + over));
        add(text, "\r\n\r\n", 1);
        cr_assert(eq(int, judge(text), over ? 431 : 0));
    }
}

static void check_text(cf_str_t got, const char *want)
{
    cr_assert(cf_str_equal(got, cf_str(want)), "%.*s is not %s", (int)got.size, got.bytes, want);
}

Test(head, gives_its_parts)
{
    cf_head_t head;
    parse(&head, "POST /a/b%20c?q=1&r=?2 HTTP/1.1\r\nhost: h.example:80\r\nCOOKIE:  s=1 \r\n"
                 "Content-Type: text/plain\r\nX-Forwarded-For: 1.1.1.1\r\nX-Other: z\r\n"
                 "x-forwarded-for: 2.2.2.2, 3.3.3.3\r\nContent-Length: 42\r\n\r\n");
    cr_assert(eq(int, head.method, CF_METHOD_POST));
    check_text(head.path, "/a/b%20c");
    check_text(head.query, "q=1&r=?2");
    check_text(head.fields[CF_FIELD_HOST], "h.example:80");
    check_text(head.fields[CF_FIELD_COOKIE], "s=1");
    check_text(head.fields[CF_FIELD_CONTENT_TYPE], "text/plain");
    check_text(head.fields[CF_FIELD_FORWARDED_FOR], "1.1.1.1, 2.2.2.2, 3.3.3.3");
    check_text(head.fields[CF_FIELD_ORIGIN], "");
    cr_assert(eq(u64, head.content_length, 42));
    cr_assert(head.keep_alive);
}

Test(head, joins_lines_of_cookies)
{
    cf_head_t head;
    parse(&head, "GET / HTTP/1.1\r\n" HOST "Cookie: a=1\r\nX: y\r\ncookie: b=2; c=3\r\n"
                 "Cookie: d=4\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
    check_text(head.fields[CF_FIELD_COOKIE], "a=1; b=2; c=3; d=4");
    check_text(head.fields[CF_FIELD_FORWARDED_FOR], "1.1.1.1");
}

Test(head, absolute_form_names_the_host)
{
    cf_head_t head;
    parse(&head, "GET http://real:81?x HTTP/1.1\r\nHost: other\r\n\r\n");
    check_text(head.fields[CF_FIELD_HOST], "real:81");
    check_text(head.path, "/");
    check_text(head.query, "x");
    parse(&head, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    check_text(head.path, "/");
}

Test(head, says_whether_the_connection_stays)
{
    static const struct {
        const char *head;
        bool stays;
    } cases[] = {{"GET / HTTP/1.1\r\n" HOST "\r\n", true},
                 {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
                 {"GET / HTTP/1.1\r\n" HOST "Connection: x, Close ,y\r\n\r\n", false},
                 {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", true},
                 {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: x\r\n\r\n", false},
                 {"GET / HTTP/1.0\r\n\r\n", false},
                 {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
                 {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false}};
    cf_head_t head;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(&head, cases[i].head);
        cr_assert(eq(int, head.keep_alive, cases[i].stays), "case %zu", i);
    }
}

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"

Test(handshake, faults_come_in_the_order_of_the_contract)
{
    static const struct {
        const char *head, *fault; /* fault: how it begins; NULL: none */
    } cases[] = {
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION KEY "\r\n", NULL},
        {"GET /ws HTTP/1.1\r\n" HOST "Connection: keep-alive, UPGRADE\r\nUpgrade: h2c\r\n"
         "Upgrade: WebSocket\r\n" VERSION KEY "\r\n",
         NULL},
        {"GET /ws HTTP/1.0\r\n" HOST CONNECTION UPGRADE VERSION KEY "\r\n", "HTTP"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE "\r\n", "Connection"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION VERSION KEY "\r\n", "Upgrade"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE KEY "\r\n", "Sec-WebSocket-Version"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE "Sec-WebSocket-Version: 8\r\n\r\n",
         "Sec-WebSocket-Version"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE "Sec-WebSocket-Version: 13, 8\r\n" KEY
         "\r\n",
         "Sec-WebSocket-Version"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION KEY "Content-Length: 1\r\n\r\n",
         "a handshake has no body"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION KEY
         "Transfer-Encoding: chunked\r\n\r\n",
         "a handshake has no body"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION "\r\n", "Sec-WebSocket-Key"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION "Sec-WebSocket-Key: abc\r\n\r\n",
         "Sec-WebSocket-Key"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n",
         "Sec-WebSocket-Key"}, /* stray bits */
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n\r\n",
         "Sec-WebSocket-Key"},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION
         "Sec-WebSocket-Key: dGhlIHNhbXBs-SBub25jZQ==\r\n\r\n",
         "Sec-WebSocket-Key"},
    };
    cf_head_t head;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(&head, cases[i].head);
        cr_assert(cf_handshake_is_meant(&head), "case %zu", i);
        const char *fault = cf_handshake_fault(&head), *want = cases[i].fault;
        bool as_wanted = want ? fault && strncmp(fault, want, strlen(want)) == 0 : !fault;
        cr_assert(as_wanted, "case %zu: %s", i, fault ? fault : "no fault");
        bool is_key = want && strcmp(want, "Sec-WebSocket-Key") == 0;
        cr_assert(eq(int, cf_handshake_fault_is_key(fault), is_key));
    }
}

Test(handshake, is_not_seen_in_plain_requests)
{
    cf_head_t head;
    parse(&head, "GET / HTTP/1.1\r\n" HOST "\r\n");
    cr_assert(not(cf_handshake_is_meant(&head)));
    parse(&head, "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    cr_assert(not(cf_handshake_is_meant(&head)));
    parse(&head, "POST / HTTP/1.1\r\n" HOST CONNECTION UPGRADE VERSION KEY "\r\n");
    cr_assert(not(cf_handshake_is_meant(&head)));
}
