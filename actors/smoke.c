#include "smoke.h"

#include "clock.h"
#include "dialects/rooms_client.h"
#include "err.h"
#include "http/websocket_client.h"
#include "http_client/http_client.h"
#include "id.h"
#include "supervisor.h"
#include "version.h"

#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "/api/v1"
#define SIDES 2
#define NAME_MAX_BYTES 32
#define TOKEN_MAX_BYTES 256
#define TEXT_MAX_BYTES 128
#define REASON_MAX_BYTES 512
#define URL_MAX_BYTES 512

#define ADDRESS_MAX_BYTES 64

typedef struct {
    const char *ca_file;
    int64_t seconds;
    bool any_certificate;
} options_t;

/* A user, and where it is. */
typedef struct {
    const char *url;
    const char *authority; /* of it: host and port */
    int port;
    bool is_tls;
    cf_http_client_t *calls;
    cf_websocket_client_config_t config;
    cf_websocket_client_t *socket;
    char address[ADDRESS_MAX_BYTES]; /* where calls were answered from: the socket goes there */
    char name[NAME_MAX_BYTES], token[TOKEN_MAX_BYTES], path[TEXT_MAX_BYTES];
    char said[TEXT_MAX_BYTES];
} side_t;

typedef struct {
    const options_t *options;
    int64_t until_us;
    side_t sides[SIDES];
    char run[13]; /* sets this run's names apart */
    char room[CF_ID_TEXT + 1];
    cf_arena_t arena;
    cf_buf_t out, answer;
    char what[TEXT_MAX_BYTES];     /* is asked */
    char reason[REASON_MAX_BYTES]; /* why it has failed */
} smoke_t;

/* --- what is asked ------------------------------------------------------------------------------
 */

__attribute__((format(printf, 3, 4))) static int fail(smoke_t *self, const side_t *side,
                                                      const char *format, ...)
{
    va_list arguments;
    int used = snprintf(self->reason, sizeof self->reason, "%s: ", side->url);
    if (used > 0 && used < (int)sizeof self->reason) {
        va_start(arguments, format);
        vsnprintf(self->reason + used, sizeof self->reason - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return CF_EIO;
}

typedef struct {
    smoke_t *smoke;
    side_t *side;
    bool has_ended;
    int rc;
} question_t;

static void on_answer(void *arg, const cf_http_answer_t *answer)
{
    question_t *question = arg;
    smoke_t *self = question->smoke;
    side_t *side = question->side;
    question->has_ended = true;
    if (answer->rc < 0)
        question->rc = fail(self, side, "%s: %s", self->what, answer->reason);
    else if (answer->status < 200 || answer->status > 299)
        question->rc = fail(self, side, "%s is answered %d", self->what, answer->status);
    else if (cf_buf_add(&self->answer, answer->body.bytes, answer->body.size) < 0)
        question->rc = CF_ENOMEM;
    else
        snprintf(side->address, sizeof side->address, "%s", answer->address);
}

/* A request whose answer is to be 2xx, and is then in self->answer; its body is what stands in self->out. */
static int call(smoke_t *self, side_t *side, bool is_post, const char *path)
{
    question_t question = {.smoke = self, .side = side};
    cf_http_request_t *request;
    char url[URL_MAX_BYTES], header[TOKEN_MAX_BYTES + 32];
    int64_t left_ms = (self->until_us - cf_boot_us()) / 1000;
    snprintf(self->what, sizeof self->what, "%s %s", is_post ? "POST" : "GET", path);
    snprintf(url, sizeof url, "%s%s", side->url, path); /* checked by read_url() */
    snprintf(header, sizeof header, "Authorization: Bearer %s", side->token);
    cf_http_ask_t ask = {.headers = {side->token[0] ? header : NULL},
                         .is_post = is_post,
                         .body = {(const char *)self->out.data, (uint32_t)self->out.size}};
    cf_buf_clear(&self->answer);
    cf_arena_reset(&self->arena);
    int rc = left_ms <= 0 ? CF_ETIME
                          : cf_http_client_ask(side->calls, url, &ask, left_ms, on_answer,
                                               &question, &request);
    cf_buf_clear(&self->out);
    sodium_memzero(header, sizeof header);
    if (rc < 0)
        return fail(self, side, "%s: %s", self->what, cf_err_text(rc));
    while (!question.has_ended)
        cf_http_client_wait(side->calls);
    return question.rc;
}

static cf_str_t answer_of(const smoke_t *self)
{
    return (cf_str_t){(const char *)self->answer.data, (uint32_t)self->answer.size};
}

static bool copy(char *out, size_t size, cf_str_t text)
{
    return snprintf(out, size, "%.*s", (int)text.size, text.bytes) < (int)size;
}

static int log_in(smoke_t *self, side_t *side, char letter)
{
    char email[TEXT_MAX_BYTES], password[33];
    uint8_t random[16];
    cf_str_t token;
    snprintf(side->name, sizeof side->name, "smoke_%s_%c", self->run, letter);
    snprintf(email, sizeof email, "%s@example.com", side->name);
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(password, sizeof password, random, sizeof random);
    int rc = cf_rooms_client_register(&self->out, side->name, email, password);
    if (rc == 0)
        rc = call(self, side, true, API "/auth/register");
    if (rc == 0)
        rc = cf_rooms_client_login(&self->out, side->name, password);
    sodium_memzero(password, sizeof password);
    if (rc == 0)
        rc = call(self, side, true, API "/auth/login");
    if (rc == 0 && (cf_rooms_client_read_token(&token, answer_of(self), &self->arena) < 0 ||
                    !copy(side->token, sizeof side->token, token)))
        rc = fail(self, side, "a login without a token");
    return rc;
}

static int make_room(smoke_t *self, side_t *side)
{
    char name[TEXT_MAX_BYTES];
    cf_str_t room;
    snprintf(name, sizeof name, "smoke %s", self->run);
    int rc = cf_rooms_client_new_room(&self->out, name);
    if (rc == 0)
        rc = call(self, side, true, API "/chatrooms");
    if (rc == 0 && (cf_rooms_client_read_id(&room, answer_of(self), &self->arena) < 0 ||
                    !copy(self->room, sizeof self->room, room)))
        rc = fail(self, side, "a room without an id");
    return rc;
}

static int join(smoke_t *self, side_t *side)
{
    char path[TEXT_MAX_BYTES];
    snprintf(path, sizeof path, API "/chatrooms/%s/join", self->room);
    return call(self, side, true, path);
}

/* --- the WebSocket ------------------------------------------------------------------------------
 */

typedef struct {
    const char *type, *id, *username, *content; /* NULL: whatever it is */
} wanted_t;

static bool is_that(cf_str_t text, const char *wanted)
{
    return !wanted || cf_str_equal(text, cf_str(wanted));
}

/* Until such a message comes; its id goes to id, unless that is NULL. */
static int await(smoke_t *self, side_t *side, wanted_t wanted, char id[CF_ID_TEXT + 1])
{
    cf_rooms_heard_t heard;
    cf_str_t text;
    for (;;) {
        cf_arena_reset(&self->arena);
        if (cf_websocket_client_receive(side->socket, &text) < 0)
            return fail(self, side, "no %s: %s", wanted.type,
                        cf_websocket_client_reason(side->socket));
        if (cf_rooms_client_read_message(&heard, text, &self->arena) < 0)
            return fail(self, side, "a message that is none");
        if (cf_str_equal(heard.type, cf_str("error")))
            return fail(self, side, "no %s: an error was told", wanted.type);
        if (is_that(heard.type, wanted.type) && is_that(heard.id, wanted.id) &&
            is_that(heard.username, wanted.username) && is_that(heard.content, wanted.content))
            break;
    }
    return !id || copy(id, CF_ID_TEXT + 1, heard.id) ? 0 : fail(self, side, "an id that is none");
}

static int enter(smoke_t *self, side_t *side)
{
    snprintf(side->path, sizeof side->path, "/ws/chat/%s", self->room);
    side->config = (cf_websocket_client_config_t){.address = side->address,
                                                  .port = side->port,
                                                  .host = side->authority,
                                                  .path = side->path,
                                                  .token = side->token,
                                                  .is_tls = side->is_tls,
                                                  .any_certificate = self->options->any_certificate,
                                                  .ca_file = self->options->ca_file,
                                                  .until_us = self->until_us};
    int rc = cf_websocket_client_open(&side->socket, &side->config);
    if (rc < 0)
        return !side->socket ? rc
                             : fail(self, side, "%s", cf_websocket_client_reason(side->socket));
    return await(self, side, (wanted_t){.type = "user_joined", .username = side->name}, NULL);
}

static int say(smoke_t *self, side_t *from, side_t *to)
{
    char id[CF_ID_TEXT + 1];
    snprintf(from->said, sizeof from->said, "from %s", from->name);
    cf_buf_clear(&self->out);
    int rc = cf_rooms_client_post(&self->out, from->said);
    if (rc == 0 && cf_websocket_client_send(from->socket, (cf_str_t){(const char *)self->out.data,
                                                                     (uint32_t)self->out.size}) < 0)
        rc = fail(self, from, "cannot post: %s", cf_websocket_client_reason(from->socket));
    cf_buf_clear(&self->out);
    if (rc == 0)
        rc = await(self, from, (wanted_t){.type = "message_ack"}, id);
    if (rc == 0)
        rc = await(
            self, to,
            (wanted_t){
                .type = "chat_message", .id = id, .username = from->name, .content = from->said},
            NULL);
    return rc;
}

/* --- the history --------------------------------------------------------------------------------
 */

static int look(smoke_t *self, side_t *side)
{
    cf_rooms_heard_t posts[SIDES];
    char path[TEXT_MAX_BYTES];
    size_t n = 0;
    snprintf(path, sizeof path, API "/chatrooms/%s/messages?limit=10", self->room);
    int rc = call(self, side, false, path);
    if (rc < 0)
        return rc;
    bool is_same =
        cf_rooms_client_read_page(posts, SIDES, &n, answer_of(self), &self->arena) == 0 &&
        n == SIDES;
    for (int i = 0; is_same && i < SIDES; i++)
        is_same = cf_str_equal(posts[i].content, cf_str(self->sides[i].said));
    return is_same ? 0 : fail(self, side, "the history is another one");
}

static int log_out(smoke_t *self, side_t *side)
{
    return call(self, side, true, API "/auth/logout");
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static int chat(smoke_t *self)
{
    side_t *ann = &self->sides[0], *bob = &self->sides[1];
    int rc = log_in(self, ann, 'a');
    if (rc == 0)
        rc = log_in(self, bob, 'b');
    if (rc == 0)
        rc = make_room(self, ann);
    if (rc == 0)
        rc = join(self, bob);
    if (rc == 0)
        rc = enter(self, ann);
    if (rc == 0)
        rc = enter(self, bob);
    if (rc == 0)
        rc = say(self, ann, bob);
    if (rc == 0)
        rc = say(self, bob, ann);
    for (int i = 0; rc == 0 && i < SIDES; i++)
        rc = look(self, &self->sides[i]);
    for (int i = 0; rc == 0 && i < SIDES; i++)
        rc = log_out(self, &self->sides[i]);
    return rc;
}

/* http or https, a host and perhaps a port, and nothing else; false: it is another. */
static bool read_url(side_t *out, const char *url)
{
    const char *authority = strstr(url, "://");
    if (!authority || strlen(url) > URL_MAX_BYTES / 2)
        return false;
    authority += 3;
    *out = (side_t){.url = url, .authority = authority, .is_tls = strncmp(url, "https", 5) == 0};
    const char *colon = strrchr(authority, ':'), *bracket = strrchr(authority, ']');
    char *end = NULL;
    out->port = out->is_tls ? 443 : 80;
    if (colon && colon > authority && (!bracket || bracket < colon))
        out->port = (int)strtol(colon + 1, &end, 10);
    return (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) && authority[0] &&
           !authority[strcspn(authority, "/?#@ ")] && (!end || !*end) && out->port > 0 &&
           out->port <= UINT16_MAX;
}

/* The words, or false. One URL is both sides'. */
static bool read_words(options_t *out, side_t sides[SIDES], char **words, int n)
{
    int urls = 0;
    char *end;
    *out = (options_t){.seconds = CF_SMOKE_SECONDS};
    for (int i = 0; i < n; i++) {
        if (strcmp(words[i], "--any-certificate") == 0)
            out->any_certificate = true;
        else if (strcmp(words[i], "--ca") == 0 && i + 1 < n)
            out->ca_file = words[++i];
        else if (strcmp(words[i], "--seconds") == 0 && i + 1 < n) {
            out->seconds = strtol(words[++i], &end, 10);
            if (*end || out->seconds < 1 || out->seconds > CF_SMOKE_SECONDS_MAX)
                return false;
        } else if (urls == SIDES || !read_url(&sides[urls++], words[i]))
            return false;
    }
    if (urls == 1)
        sides[1] = sides[0];
    return urls > 0;
}

static int open_side(smoke_t *self, side_t *side)
{
    return cf_http_client_new(
        &side->calls,
        &(cf_http_client_config_t){.requests_max = 1,
                                   .body_max = CF_SMOKE_ANSWER_MAX,
                                   .trusted = side->url,
                                   .trusted_is_this_host = self->options->any_certificate,
                                   .agent = cf_agent,
                                   .ca_file = self->options->ca_file});
}

static void close_all(smoke_t *self)
{
    for (int i = 0; i < SIDES; i++) {
        cf_websocket_client_destroy(&self->sides[i].socket);
        cf_http_client_destroy(&self->sides[i].calls);
    }
    cf_arena_free(&self->arena);
    cf_buf_free(&self->out);
    cf_buf_free(&self->answer);
    sodium_memzero(self, sizeof *self);
}

int cf_smoke(char **words, int n)
{
    options_t options;
    smoke_t self = {.options = &options};
    uint8_t random[6];
    if (!read_words(&options, self.sides, words, n)) {
        fprintf(stderr, "usage: confab smoke [--seconds N] [--ca FILE] [--any-certificate] URL "
                        "[URL]; a URL is http or https, a host and perhaps a port\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(self.run, sizeof self.run, random, sizeof random);
    self.until_us = cf_boot_us() + options.seconds * 1000000;
    int rc = 0;
    for (int i = 0; rc == 0 && i < SIDES; i++)
        rc = open_side(&self, &self.sides[i]);
    if (rc == 0)
        rc = chat(&self);
    if (rc == 0)
        printf("ok: two users have logged in, at %s and %s, and have read what the other wrote\n",
               self.sides[0].url, self.sides[1].url);
    else
        fprintf(stderr, "confab smoke: %s\n", self.reason[0] ? self.reason : cf_err_text(rc));
    close_all(&self);
    return rc == 0 ? 0 : CF_EXIT_FAILURE;
}
