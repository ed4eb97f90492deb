#include "ctl.h"

#include "clock.h"
#include "control.h"
#include "ctl_state.h"
#include "err.h"
#include "json.h"
#include "local/local_client.h"
#include "supervisor.h"
#include "wire/control.h"
#include "wire/operate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEND_US INT64_C(5000000)
#define GRACE_US INT64_C(5000000) /* the server answers earlier; it may be busy, or hang */
#define TOP_DEFAULT 10

/* --- asking ------------------------------------------------------------------------------------
 */

int cf_ctl_ask(cf_ctl_t *self, uint16_t type, uint64_t corr, const void *body)
{
    cf_address_t control = {0, CF_ACTOR_CONTROL, 0}; /* the server looks at neither */
    cf_msg_t head = {.type = type, .corr = corr, .from = control, .to = control};
    cf_buf_clear(&self->out);
    int rc = cf_msg_encode(&self->out, &head, body);
    if (rc == 0)
        rc = cf_local_client_send(self->fd, self->out.data, self->out.size, cf_boot_us() + SEND_US);
    return rc < 0 ? rc : 0;
}

int cf_ctl_await(cf_ctl_t *self, cf_msg_t *out, int64_t wait_us)
{
    int size = cf_local_client_receive(self->fd, self->answer, sizeof self->answer,
                                       cf_boot_us() + wait_us + GRACE_US);
    return size < 0 ? size : cf_msg_decode(out, self->answer, (size_t)size);
}

int cf_ctl_exchange(cf_ctl_t *self, uint16_t type, const void *body, uint16_t answer_type,
                    void *out)
{
    cf_msg_t msg;
    cf_refused_t refused;
    int rc = cf_ctl_ask(self, type, 1, body);
    if (rc == 0 || rc == CF_ECLOSING) /* it may have said why it closes */
        rc = cf_ctl_await(self, &msg, CF_CONTROL_ANSWER_US);
    if (rc < 0)
        return rc;
    cf_arena_reset(&self->arena);
    if (msg.type == CF_MSG_REFUSED)
        return cf_msg_body(&refused, &msg, &self->arena) < 0 ? CF_EPROTO : -(int)refused.reason;
    return msg.type == answer_type ? cf_msg_body(out, &msg, &self->arena) : CF_EPROTO;
}

int cf_ctl_failed(const char *what, int rc)
{
    static const struct {
        int rc;
        const char *text;
    } texts[] = {
        {CF_EPROTO, "server and command do not understand each other; are they of one version?"},
        {CF_ECLOSING, "the server is shutting down, or has ended"},
        {CF_ETIME, "no answer in time"},
        {CF_EFULL, "too much is being asked of the server at once"},
    };
    const char *text = cf_err_text(rc);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].rc == rc)
            text = texts[i].text;
    fprintf(stderr, "confab ctl: %s: %s\n", what, text);
    return CF_EXIT_FAILURE;
}

/* --- rooms -------------------------------------------------------------------------------------
 */

static int print_room(cf_ctl_t *self, const cf_top_room_t *room)
{
    cf_json_t json = {.out = &self->out};
    cf_buf_clear(&self->out);
    cf_json_object(&json);
    cf_json_key(&json, "room");
    cf_json_id(&json, room->room);
    cf_json_key(&json, "connections");
    cf_json_uint(&json, room->connections);
    cf_json_key(&json, "posts_last_minute");
    cf_json_uint(&json, room->posts_last_minute);
    cf_json_key(&json, "posts");
    cf_json_uint(&json, room->posts);
    cf_json_object_end(&json);
    if (json.rc == 0)
        printf("%.*s\n", (int)self->out.size, (const char *)self->out.data);
    return json.rc;
}

static int rooms_top(cf_ctl_t *self, char **words, int n)
{
    cf_top_rooms_t asked = {.limit = TOP_DEFAULT};
    cf_rooms_top_t top;
    if (n > 1)
        return CF_CTL_USAGE;
    if (n == 1) {
        char *end;
        unsigned long limit = strtoul(words[0], &end, 10);
        if (*end || words[0][0] < '0' || words[0][0] > '9' || limit < 1 ||
            limit > CF_TOP_ROOMS_MAX) {
            fprintf(stderr, "confab ctl: N is a number from 1 to %d\n", CF_TOP_ROOMS_MAX);
            return CF_CTL_USAGE;
        }
        asked.limit = (uint32_t)limit;
    }
    int rc = cf_ctl_exchange(self, CF_MSG_TOP_ROOMS, &asked, CF_MSG_ROOMS_TOP, &top);
    const cf_top_room_t *rooms = top.rooms.items;
    for (uint32_t i = 0; rc == 0 && i < top.rooms.n; i++)
        rc = print_room(self, &rooms[i]);
    if (rc < 0)
        return cf_ctl_failed("cannot list rooms", rc);
    if (top.silent == 0)
        return 0;
    fprintf(stderr, "confab ctl: %u room threads did not answer; their rooms are missing\n",
            top.silent);
    return CF_EXIT_FAILURE;
}

static int cannot_move(const char *room, int rc)
{
    static const struct {
        int rc;
        const char *text;
    } texts[] = {
        {CF_ENOENT, "there is no such room"},
        {CF_EMOVED, "no such node is here"},
        {CF_EEXIST, "it is there already"},
        {CF_EAGAIN, "it is coming or going, or too many others are; ask again"},
        {CF_ETIME, "it has not arrived in time; it may still, ask again"},
    };
    char what[128];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].rc == rc) {
            fprintf(stderr, "confab ctl: cannot move '%s': %s\n", room, texts[i].text);
            return CF_EXIT_FAILURE;
        }
    snprintf(what, sizeof what, "cannot move '%.60s'", room);
    return cf_ctl_failed(what, rc);
}

static int rooms_move(cf_ctl_t *self, char **words, int n)
{
    uint8_t nothing;
    cf_move_room_t asked = {0};
    if (n < 1 || n > 2)
        return CF_CTL_USAGE;
    if (n == 2)
        asked.node = cf_str(words[1]);
    if (cf_id_parse(&asked.room, words[0], strlen(words[0])) < 0)
        return cannot_move(words[0], CF_ENOENT);
    if (n == 2 && (asked.node.size == 0 || asked.node.size > CF_NODE_NAME_MAX))
        return cannot_move(words[0], CF_EMOVED); /* nobody can have that name */
    int rc = cf_ctl_exchange(self, CF_MSG_MOVE_ROOM, &asked, CF_MSG_DONE, &nothing);
    if (rc < 0)
        return cannot_move(words[0], rc);
    printf("%s has moved\n", words[0]);
    return 0;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static const struct {
    const char *noun, *verb, *arguments, *help;
    int (*run)(cf_ctl_t *self, char **words, int n); /* words: what follows noun and verb */
} commands[] = {
    {"dead-letters", "replay", "ID... | --all",
     "run commands that failed again in their rooms; one JSON object a line says what came of each",
     cf_ctl_replay},
    {"rooms", "move", "ROOM [NODE]",
     "give this room to another node: that of this name, or the one that would have it if its own "
     "were not there",
     rooms_move},
    {"rooms", "top", "[N]", "print the N (10) busiest rooms of this node, one JSON object a line",
     rooms_top},
    {"users", "disable", "NAME", "end this user's sessions and let none begin",
     cf_ctl_users_disable},
    {"users", "enable", "NAME", "let a disabled user log in again", cf_ctl_users_enable},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage(void)
{
    fputs("usage: confab ctl NOUN VERB ... [--config FILE] [--set section.key=value]...\n\n",
          stderr);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stderr, "  %s %s %s\n      %s\n", commands[i].noun, commands[i].verb,
                commands[i].arguments, commands[i].help);
    return CF_CTL_USAGE;
}

static int connect_to(cf_ctl_t *self)
{
    char path[CF_CONTROL_PATH_MAX];
    if (!cf_control_path(self->config, path)) {
        fputs("confab ctl: control.socket is empty: the server has no such socket\n", stderr);
        return CF_EXIT_UNAVAILABLE;
    }
    self->fd = cf_local_client_connect(path);
    if (self->fd >= 0)
        return 0;
    const char *text = self->fd == CF_ENOENT   ? "no server listens there"
                       : self->fd == CF_EPERM  ? "it is for the server's own user"
                       : self->fd == CF_ERANGE ? "the name is too long"
                       : self->fd == CF_ETIME  ? "the server does not answer"
                                               : "cannot connect";
    fprintf(stderr, "confab ctl: %s: %s\n", path, text);
    return self->fd == CF_ENOENT || self->fd == CF_ETIME ? CF_EXIT_UNAVAILABLE : CF_EXIT_FAILURE;
}

int cf_ctl(const cf_config_t *config, char **words, int n)
{
    for (size_t i = 0; n >= 2 && i < COMMANDS; i++) {
        if (strcmp(words[0], commands[i].noun) != 0 || strcmp(words[1], commands[i].verb) != 0)
            continue;
        cf_ctl_t *self = calloc(1, sizeof *self);
        if (!self)
            return CF_EXIT_FAILURE;
        self->config = config;
        int code = connect_to(self);
        if (code == 0)
            code = commands[i].run(self, words + 2, n - 2);
        if (self->fd > 0)
            close(self->fd);
        cf_buf_free(&self->out);
        cf_arena_free(&self->arena);
        free(self);
        return code == CF_CTL_USAGE ? usage() : code;
    }
    return usage();
}
